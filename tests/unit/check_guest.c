/*
 * check_guest.c - unit tests of guest.c: what a record says, and what may be written.
 * In: guests as text.
 * Out: libcheck's summary.
 */
#include "entry.h"
#include "guest.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define DAY ((time_t)86400)

static struct b2b_guest parse(const char *lines)
{
	struct test_entry entry;
	struct b2b_source source = test_source(&entry, "uid=g", lines);
	struct b2b_error error;
	struct b2b_guest guest;

	ck_assert_msg(b2b_guest_parse(&source, &guest, &error) == B2B_OK, "%s", error.text);
	ck_assert(guest.well_formed);
	return guest;
}

START_TEST(test_guest_parse__whole)
{
	struct b2b_guest guest = parse("b2bHomeTenant: Fab\n"
				       "b2bHomeSubject: uid=bob,dc=home\n"
				       "b2bIdentityProvider: LDAP\n"
				       "b2bUserType: guest\n"
				       "b2bUserState: Accepted\n"
				       "b2bAccountEnabled: TRUE\n"
				       "b2bValidFrom: 20260101000000Z\n"
				       "b2bValidUntil: 20270101000000Z\n"
				       "createTimestamp: 20251201000000Z\n"
				       "b2bReviewDue: 20260601000000Z\n"
				       "b2bReviewDecision: approve\n"
				       "b2bNextDue: 20260601000000Z\n"
				       "b2bClearance: General\n"
				       "b2bSponsor: uid=a\nb2bSponsor: uid=b");

	ck_assert_str_eq(guest.dn, "uid=g");
	ck_assert(b2b_str_equal(guest.home_tenant, b2b_str_of("Fab")));
	ck_assert(b2b_str_equal(guest.home_subject, b2b_str_of("uid=bob,dc=home")));
	ck_assert_int_eq(guest.pinned, B2B_IDP_LDAP);
	ck_assert(guest.enabled && guest.accepted);
	ck_assert_int_eq(guest.valid_from, 1767225600);
	ck_assert_int_eq(guest.valid_until, 1798761600);
	ck_assert_int_eq(guest.created, 1764547200);
	ck_assert_int_eq(guest.review_due, guest.next_due);
	ck_assert_int_eq(guest.review, B2B_REVIEW_APPROVED);
	ck_assert(b2b_str_equal(guest.clearance, b2b_str_of("General")));
	ck_assert_uint_eq(guest.sponsor_count, 2);
	ck_assert_int_eq(guest.user_type, B2B_USER_GUEST);
	ck_assert_uint_eq(guest.terms_accepted.len, 0);
	guest = parse("b2bUserType: MEMBER\nb2bTermsAccepted: 2026-1");
	ck_assert_int_eq(guest.user_type, B2B_USER_MEMBER);
	ck_assert(b2b_str_equal(guest.terms_accepted, b2b_str_of("2026-1")));
}
END_TEST

/* Nothing said is nothing granted. */
START_TEST(test_guest_parse__silence_grants_nothing)
{
	struct b2b_guest guest = parse("b2bHomeTenant: Fab");

	ck_assert(!guest.enabled && !guest.accepted);
	ck_assert_int_eq(guest.review, B2B_REVIEW_UNDECIDED);
	ck_assert_int_eq(b2b_guest_end(&guest, NULL), 1);
	guest = parse("b2bAccountEnabled: TRUE");
	ck_assert_uint_eq(guest.home_tenant.len, 0);
	guest = parse(
		"b2bHomeTenant: f\nb2bUserState: PendingAcceptance\nb2bReviewDecision: DontKnow");
	ck_assert(!guest.accepted);
	ck_assert_int_eq(guest.review, B2B_REVIEW_UNDECIDED);
}
END_TEST

/* 0 stands for "absent": the first second of 1970 must not read as "no bound". */
START_TEST(test_guest_parse__epoch_is_not_absent)
{
	struct b2b_guest guest = parse("b2bHomeTenant: f\n"
				       "createTimestamp: 20260101000000Z\n"
				       "b2bReviewDue: 19700101000000Z\n"
				       "b2bValidUntil: 19700101000000Z");

	ck_assert_int_eq(guest.valid_until, 1);
	ck_assert_int_eq(guest.review_due, 1);
	ck_assert_int_eq(b2b_guest_end(&guest, NULL), 1);
}
END_TEST

static const struct {
	const char *lines, *error;
} malformed[] = {
	{ "b2bHomeTenant: ", "b2bHomeTenant: value \"\" is empty" },
	{ "b2bHomeTenant: a\nb2bHomeTenant: b", "b2bHomeTenant: value \"b\" is a second" },
	{ "b2bHomeTenant: a\nb2bHomeSubject: ", "b2bHomeSubject: value" },
	{ "b2bHomeTenant: a\nb2bIdentityProvider: pigeon",
	  "b2bIdentityProvider: value \"pigeon\"" },
	{ "b2bHomeTenant: a\nb2bUserType: Admin", "b2bUserType: value" },
	{ "b2bHomeTenant: a\nb2bUserState: Yes", "b2bUserState: value" },
	{ "b2bHomeTenant: a\nb2bAccountEnabled: true", "b2bAccountEnabled: value \"true\"" },
	{ "b2bHomeTenant: a\nb2bAccountEnabled: TRUE\nb2bAccountEnabled: FALSE",
	  "b2bAccountEnabled: value" },
	{ "b2bHomeTenant: a\nb2bValidFrom: soon", "b2bValidFrom: value \"soon\" is not a time" },
	{ "b2bHomeTenant: a\nb2bValidUntil: 99999", "b2bValidUntil: value" },
	{ "b2bHomeTenant: a\nb2bReviewDue: never", "b2bReviewDue: value" },
	{ "b2bHomeTenant: a\nb2bReviewDecision: Maybe", "b2bReviewDecision: value" },
	{ "b2bHomeTenant: a\nb2bClearance: ", "b2bClearance: value" },
	{ "b2bHomeTenant: a\nb2bSponsor: ", "b2bSponsor: value" },
	{ "b2bHomeTenant: a\ncreateTimestamp: x", "createTimestamp: value" },
};

START_TEST(test_guest_parse__malformed)
{
	struct test_entry entry;
	struct b2b_source source = test_source(&entry, "uid=g", malformed[_i].lines);
	struct b2b_error error;
	struct b2b_guest guest;

	ck_assert_int_eq(b2b_guest_parse(&source, &guest, &error), B2B_ERR_INVALID);
	ck_assert(!guest.well_formed);
	ck_assert_msg(strncmp(error.text, malformed[_i].error, strlen(malformed[_i].error)) == 0,
		      "%s", error.text);
	ck_assert_int_eq(b2b_guest_parse(&source, &guest, NULL), B2B_ERR_INVALID);
	ck_assert_int_eq(b2b_guest_check(&source, &error), B2B_ERR_INVALID);
	ck_assert_msg(strncmp(error.text, malformed[_i].error, strlen(malformed[_i].error)) == 0,
		      "%s", error.text);
}
END_TEST

START_TEST(test_guest_parse__nul_byte)
{
	struct test_entry entry = { .count = 0 };
	struct b2b_source source = { "uid=g", &entry, test_value };
	struct b2b_guest guest;

	test_add(&entry, B2B_ATTR_HOME_TENANT, "a\0b", 3);
	ck_assert_int_eq(b2b_guest_parse(&source, &guest, NULL), B2B_ERR_INVALID);
	ck_assert(!guest.well_formed);
	ck_assert_uint_eq(guest.home_tenant.len, 0);
}
END_TEST

START_TEST(test_guest_check__lawful)
{
	static const struct {
		const char *lines, *error; /* NULL: lawful */
	} cases[] = {
		{ "b2bHomeTenant: a", NULL },
		{ "b2bUserType: Guest", "b2bHomeTenant: is missing" },
		{ "b2bHomeTenant: a\nb2bSponsor: 1\nb2bSponsor: 2\nb2bSponsor: 3\nb2bSponsor: 4\n"
		  "b2bSponsor: 5",
		  NULL },
		{ "b2bHomeTenant: a\nb2bSponsor: 1\nb2bSponsor: 2\nb2bSponsor: 3\nb2bSponsor: 4\n"
		  "b2bSponsor: 5\nb2bSponsor: 6",
		  "b2bSponsor: value \"6\" is one more than the five" },
		{ "b2bHomeTenant: a\nb2bValidFrom: 20260101000000Z\nb2bValidUntil: 20260101000001Z",
		  NULL },
		{ "b2bHomeTenant: a\nb2bValidFrom: 20260101000000Z\nb2bValidUntil: 20260101000000Z",
		  "b2bValidUntil: value \"20260101000000Z\" does not come after b2bValidFrom" },
		{ "b2bHomeTenant: a\nb2bValidFrom: 20260101000000Z\nb2bValidUntil: 20251231000000Z",
		  "b2bValidUntil: value" },
		{ "b2bHomeTenant: a\nb2bValidFrom: 20260101000000Z", NULL },
		{ "b2bHomeTenant: a\nb2bValidUntil: 19700101000000Z", NULL },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct test_entry entry;
		struct b2b_source source = test_source(&entry, "uid=g", cases[i].lines);
		struct b2b_error error;
		enum b2b_err err = b2b_guest_check(&source, &error);

		ck_assert_msg((err == B2B_OK) == !cases[i].error, "%zu: %s", i, error.text);
		if (cases[i].error)
			ck_assert_msg(strncmp(error.text, cases[i].error, strlen(cases[i].error)) ==
					      0,
				      "%s", error.text);
	}
}
END_TEST

START_TEST(test_guest_end__sources)
{
	struct b2b_tenant_policy tenant = { .guest_lifetime_days = 10 };
	struct b2b_guest guest = { .created = 1000 };

	ck_assert_int_eq(b2b_guest_end(&guest, &tenant), 1000 + 10 * DAY);
	ck_assert_int_eq(b2b_guest_end(&guest, NULL), 1000 + 90 * DAY);
	guest.valid_until = 5000;
	ck_assert_int_eq(b2b_guest_end(&guest, &tenant), 5000);
	tenant.guest_lifetime_days = 0;
	ck_assert_int_eq(b2b_guest_end(&guest, &tenant), 5000);
	guest.valid_until = 0;
	ck_assert_int_eq(b2b_guest_end(&guest, &tenant), 0);
	tenant.guest_lifetime_days = 10;
	guest.created = 0;
	ck_assert_int_eq(b2b_guest_end(&guest, &tenant), 1);
}
END_TEST

START_TEST(test_guest_next_due__earliest)
{
	static const struct {
		struct b2b_guest guest;
		unsigned lifetime_days;
		time_t due;
	} cases[] = {
		{ { .enabled = true, .valid_until = 7201 }, 90, 10800 },
		{ { .enabled = true, .valid_until = 7200 }, 90, 7200 },
		{ { .enabled = false, .valid_until = 7200 }, 90, 0 },
		{ { .enabled = true, .valid_until = 7200, .review_due = 3600 }, 90, 3600 },
		{ { .enabled = true, .valid_until = 3600, .review_due = 7200 }, 90, 3600 },
		{ { .enabled = true,
		    .valid_until = 7200,
		    .review_due = 3600,
		    .review = B2B_REVIEW_APPROVED },
		  90,
		  7200 },
		{ { .enabled = true,
		    .valid_until = 7200,
		    .review_due = 3600,
		    .review = B2B_REVIEW_DENIED },
		  90,
		  3600 },
		{ { .enabled = true, .valid_until = 7200, .review = B2B_REVIEW_DENIED }, 90, 3600 },
		{ { .enabled = true, .created = 1 }, 1, 90000 },
		{ { .enabled = true, .created = 1 }, 0, 0 },
		{ { .enabled = true, .created = 1, .review_due = 7500 }, 0, 10800 },
		{ { .enabled = true }, 90, 3600 },
		{ { .enabled = true, .review = B2B_REVIEW_DENIED }, 0, 3600 },
		/* overdue at 7200 (now): the hour that is past */
		{ { .enabled = true, .valid_until = 7199 }, 90, 3600 },
		{ { .enabled = true, .valid_until = 20000, .review_due = 5000 }, 90, 3600 },
	};
	const time_t now = 7200;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_tenant_policy tenant = { .guest_lifetime_days = cases[i].lifetime_days };

		ck_assert_msg(b2b_guest_next_due(&cases[i].guest, &tenant, now) == cases[i].due,
			      "%zu: %lld", i,
			      (long long)b2b_guest_next_due(&cases[i].guest, &tenant, now));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guest");
	TCase *tcase = tcase_create("guest");

	tcase_add_test(tcase, test_guest_parse__whole);
	tcase_add_test(tcase, test_guest_parse__silence_grants_nothing);
	tcase_add_test(tcase, test_guest_parse__epoch_is_not_absent);
	tcase_add_loop_test(tcase, test_guest_parse__malformed, 0, (int)COUNT(malformed));
	tcase_add_test(tcase, test_guest_parse__nul_byte);
	tcase_add_test(tcase, test_guest_check__lawful);
	tcase_add_test(tcase, test_guest_end__sources);
	tcase_add_test(tcase, test_guest_next_due__earliest);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
