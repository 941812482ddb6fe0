/*
 * check_guest_due.c - unit tests of guest.c: what is due with a guest, why, and when to look again.
 * In: guests at one moment, tenants' settings.
 * Out: libcheck's summary.
 */
#include "entry.h"
#include "guest.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define HOUR ((time_t)3600)
#define DAY ((time_t)86400)
#define T ((time_t)1800000000) /* a full hour */

static const struct b2b_tenant_policy tenant = {
	.guest_lifetime_days = 400,
	.review_interval_days = 90,
	.review_duration_days = 14,
	.invitation_lifetime_days = 30,
	.delete_grace_days = 30,
	.inactivity_days = 60,
};

/* Enabled, redeemed and seen at T, with nothing to come but what its time brings. */
static struct b2b_guest living(void)
{
	struct b2b_guest guest = {
		.well_formed = true,
		.enabled = true,
		.accepted = true,
		.created = T - DAY,
		.invited_at = T - DAY,
		.invitation_sent = T - DAY,
		.state_changed = T,
		.last_sign_in = T,
	};

	return guest;
}

static struct b2b_guest pending(void)
{
	struct b2b_guest guest = {
		.well_formed = true,
		.enabled = true,
		.created = T,
		.invited_at = T,
		.invitation_sent = T,
		.state_changed = T,
	};

	return guest;
}

/* Nothing before the moment, the step at it and after it. */
static void expect_at(const struct b2b_guest *guest, const struct b2b_tenant_policy *policy,
		      time_t moment, enum b2b_step step, const char *why)
{
	for (time_t now = moment - 1; now <= moment + 1; now++) {
		const char *said = "untouched";
		enum b2b_step found = b2b_guest_step(guest, policy, now, &said);
		bool due = now >= moment;

		ck_assert_msg(found == (due ? step : B2B_STEP_NONE), "%+lld: %d, not %d",
			      (long long)(now - moment), found, step);
		if (!due || !why)
			ck_assert_ptr_null(said);
		else
			ck_assert_str_eq(said, why);
		ck_assert_int_eq(b2b_guest_step(guest, policy, now, NULL), found);
	}
	/* looked for at the full hour from then on, and not before */
	ck_assert_int_eq(b2b_guest_next_due(guest, policy, moment - 5 * HOUR),
			 b2b_time_round_up_hour(moment));
	ck_assert_int_le(b2b_guest_next_due(guest, policy, moment), moment);
}

START_TEST(test_guest_step__expired)
{
	struct b2b_guest guest = living();

	guest.valid_until = T + 5 * DAY + 17;
	expect_at(&guest, &tenant, T + 5 * DAY + 17, B2B_STEP_DISABLE, "expired");
	guest = pending(); /* redeemed or not */
	guest.valid_until = T + 5 * DAY;
	expect_at(&guest, &tenant, T + 5 * DAY, B2B_STEP_DISABLE, "expired");
}
END_TEST

START_TEST(test_guest_step__lifetime)
{
	struct b2b_tenant_policy brief = tenant;
	struct b2b_guest guest = living();

	brief.guest_lifetime_days = 40;
	expect_at(&guest, &brief, guest.created + 40 * DAY, B2B_STEP_DISABLE, "expired");
	brief.guest_lifetime_days = 0;
	ck_assert_int_eq(b2b_guest_step(&guest, &brief, T + 41 * DAY, NULL), B2B_STEP_NONE);
	guest.created = 0; /* nobody knows since when: long past */
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T, NULL), B2B_STEP_DISABLE);
}
END_TEST

START_TEST(test_guest_step__review_lapsed)
{
	struct b2b_guest guest = living();

	guest.review_asked = T;
	guest.review_reminded = T + DAY;
	guest.review_due = T + 14 * DAY;
	expect_at(&guest, &tenant, T + 14 * DAY, B2B_STEP_DISABLE, "review-lapsed");
	/* one who has not redeemed lapses too */
	guest = pending();
	guest.review_due = T + 3 * DAY;
	expect_at(&guest, &tenant, T + 3 * DAY, B2B_STEP_DISABLE, "review-lapsed");
}
END_TEST

/* A denial does not wait for the deadline, whichever. */
START_TEST(test_guest_step__review_denied)
{
	static const time_t deadlines[] = { 0, T - DAY, T + 14 * DAY };

	for (size_t i = 0; i < COUNT(deadlines); i++) {
		struct b2b_guest guest = living();
		const char *why = NULL;

		guest.review_asked = T - DAY;
		guest.review_due = deadlines[i];
		guest.review = B2B_REVIEW_DENIED;
		ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T, &why), B2B_STEP_DISABLE);
		ck_assert_str_eq(why, "review-lapsed");
		ck_assert_int_le(b2b_guest_next_due(&guest, &tenant, T), T);
	}
}
END_TEST

START_TEST(test_guest_step__approved_goes_on)
{
	struct b2b_guest guest = living();

	guest.review_asked = T - 10 * DAY;
	guest.review_due = T + 4 * DAY;
	guest.review = B2B_REVIEW_APPROVED;
	guest.reviewed_at = T;
	guest.review_reminded = T - DAY;
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T + 4 * DAY, NULL), B2B_STEP_NONE);
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T + 5 * DAY, NULL), B2B_STEP_NONE);
}
END_TEST

/* The latest of sign-in, redemption and being enabled again counts. */
START_TEST(test_guest_step__inactive)
{
	struct b2b_tenant_policy policy = tenant;
	struct b2b_guest guest = living();

	policy.review_interval_days = 0;
	expect_at(&guest, &policy, T + 60 * DAY, B2B_STEP_DISABLE, "inactive");
	guest.last_sign_in = T + 10 * DAY + 5;
	expect_at(&guest, &policy, T + 70 * DAY + 5, B2B_STEP_DISABLE, "inactive");
	guest.enabled_at = T + 20 * DAY;
	expect_at(&guest, &policy, T + 80 * DAY, B2B_STEP_DISABLE, "inactive");
	guest.last_sign_in = guest.enabled_at = 0;
	expect_at(&guest, &policy, T + 60 * DAY, B2B_STEP_DISABLE, "inactive");
	guest.state_changed = 0;
	expect_at(&guest, &policy, guest.created + 60 * DAY, B2B_STEP_DISABLE, "inactive");
	policy.inactivity_days = 0;
	ck_assert_int_eq(b2b_guest_step(&guest, &policy, T + 100 * DAY, NULL), B2B_STEP_NONE);
	/* who never came in is dropped, not called inactive */
	guest = pending();
	policy.inactivity_days = 1;
	ck_assert_int_eq(b2b_guest_step(&guest, &policy, T + 2 * DAY, NULL), B2B_STEP_NONE);
}
END_TEST

START_TEST(test_guest_step__invitation)
{
	struct b2b_guest guest = pending();

	expect_at(&guest, &tenant, T + 30 * DAY, B2B_STEP_DROP, NULL);
	for (time_t sent = 0; sent <= T - 1; sent += T - 1) { /* none, or the former one */
		guest.invitation_sent = sent;
		/* at once, if it is dated a second from now */
		ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T - 1, NULL), B2B_STEP_INVITE);
		ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T + DAY, NULL), B2B_STEP_INVITE);
		ck_assert_int_le(b2b_guest_next_due(&guest, &tenant, T - 1), T - 1);
	}
	guest.state_changed = T - DAY; /* it lapses as of then */
	guest.invitation_sent = T;
	expect_at(&guest, &tenant, T + 29 * DAY, B2B_STEP_DROP, NULL);
	guest.state_changed = T + DAY;
	ck_assert_int_eq(b2b_guest_invitation_end(&guest, &tenant), T + 30 * DAY);
	ck_assert_int_eq(b2b_guest_invitation_end(&guest, NULL), T + 30 * DAY);
	guest.state_changed = T;
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T + 30 * DAY, NULL), B2B_STEP_DROP);
	/* an entry that slapadd made was never invited: neither mailed nor dropped */
	guest.invited_at = guest.invitation_sent = 0;
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T + 300 * DAY, NULL), B2B_STEP_NONE);
	guest = living(); /* redeemed before the mail went out */
	guest.invitation_sent = 0;
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T, NULL), B2B_STEP_NONE);
}
END_TEST

START_TEST(test_guest_step__delete)
{
	struct b2b_guest guest = living();

	guest.enabled = false;
	guest.delete_after = T + 30 * DAY + 1;
	expect_at(&guest, &tenant, T + 30 * DAY + 1, B2B_STEP_DELETE, NULL);
	/* nothing else happens to who is disabled */
	guest.valid_until = T;
	guest.review = B2B_REVIEW_DENIED;
	expect_at(&guest, &tenant, T + 30 * DAY + 1, B2B_STEP_DELETE, NULL);
	guest.delete_after = 0;
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T + 3000 * DAY, NULL), B2B_STEP_NONE);
	ck_assert_int_eq(b2b_guest_next_due(&guest, &tenant, T), 0);
	guest = living(); /* enabled again: the date means nothing */
	guest.delete_after = T;
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T + DAY, NULL), B2B_STEP_NONE);
}
END_TEST

START_TEST(test_guest_step__ask)
{
	struct b2b_guest guest = living();
	struct b2b_tenant_policy policy = tenant;

	policy.inactivity_days = 0;
	/* nobody fixed a date: an interval after redemption, enabling, or the last review */
	expect_at(&guest, &policy, T + 90 * DAY, B2B_STEP_ASK, NULL);
	guest.enabled_at = T + DAY;
	expect_at(&guest, &policy, T + 91 * DAY, B2B_STEP_ASK, NULL);
	guest.reviewed_at = T + 2 * DAY;
	expect_at(&guest, &policy, T + 92 * DAY, B2B_STEP_ASK, NULL);
	/* a date: so long before it that reviewers have their time */
	guest.review_due = T + 50 * DAY;
	expect_at(&guest, &policy, T + 36 * DAY, B2B_STEP_ASK, NULL);
	policy.review_duration_days = 0;
	ck_assert_int_eq(b2b_guest_step(&guest, &policy, T + 50 * DAY - 1, NULL), B2B_STEP_NONE);
	/* no interval: never by itself */
	policy = tenant;
	policy.inactivity_days = 0;
	policy.review_interval_days = 0;
	guest.review_due = 0;
	ck_assert_int_eq(b2b_guest_step(&guest, &policy, T + 390 * DAY, NULL), B2B_STEP_NONE);
}
END_TEST

START_TEST(test_guest_step__remind)
{
	struct b2b_guest guest = living();

	guest.review_asked = T;
	guest.review_due = T + 14 * DAY;
	expect_at(&guest, &tenant, T + 7 * DAY, B2B_STEP_REMIND, NULL);
	guest.review_reminded = T - DAY; /* in the review before */
	expect_at(&guest, &tenant, T + 7 * DAY, B2B_STEP_REMIND, NULL);
	guest.review_reminded = T + 7 * DAY;
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T + 8 * DAY, NULL), B2B_STEP_NONE);
	guest.review_reminded = 0;
	guest.review = B2B_REVIEW_APPROVED;
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T + 8 * DAY, NULL), B2B_STEP_NONE);
	/* a deadline that somebody moved closer is honoured as well */
	guest.review = B2B_REVIEW_UNDECIDED;
	guest.review_due = T + 4 * DAY;
	expect_at(&guest, &tenant, T + 2 * DAY, B2B_STEP_REMIND, NULL);
}
END_TEST

/* Of all that is due at once the gravest, and of reasons the first. */
START_TEST(test_guest_step__gravest_first)
{
	const char *why = NULL;
	struct b2b_guest guest = living();

	guest.review_due = T - DAY; /* over, never asked */
	guest.valid_until = T;
	guest.last_sign_in = guest.state_changed = T - 100 * DAY;
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T, &why), B2B_STEP_DISABLE);
	ck_assert_str_eq(why, "expired");
	guest.valid_until = T + DAY;
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T, &why), B2B_STEP_DISABLE);
	ck_assert_str_eq(why, "review-lapsed");
	guest.review_due = T + DAY; /* to be asked, but inactive already */
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T, &why), B2B_STEP_DISABLE);
	ck_assert_str_eq(why, "inactive");
	guest.last_sign_in = T;
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T, &why), B2B_STEP_ASK);
	ck_assert_ptr_null(why);
	guest = pending();
	guest.invitation_sent = 0;
	guest.valid_until = T + 30 * DAY;
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T + 30 * DAY, &why), B2B_STEP_DISABLE);
	ck_assert_str_eq(why, "expired");
	guest.valid_until = 0;
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T + 30 * DAY, &why), B2B_STEP_DROP);
	ck_assert_int_eq(b2b_guest_step(&guest, &tenant, T + 29 * DAY, &why), B2B_STEP_INVITE);
}
END_TEST

/* Two years, as task and reviewers would write them: each turn is asked, reminded, approved; then
 * nobody answers. */
START_TEST(test_guest_step__cycle)
{
	struct b2b_tenant_policy policy = tenant;
	struct b2b_guest guest = living();
	time_t now = T;

	policy.inactivity_days = 0;
	policy.guest_lifetime_days = 0;
	for (int turn = 0; turn < 8; turn++) {
		now = b2b_guest_next_due(&guest, &policy, now);
		ck_assert_int_eq(now, T + turn * 97 * DAY + 90 * DAY);
		ck_assert_int_eq(b2b_guest_step(&guest, &policy, now, NULL), B2B_STEP_ASK);
		guest.review = B2B_REVIEW_UNDECIDED;
		guest.review_asked = now;
		guest.review_due = now + 14 * DAY;
		ck_assert_int_eq(b2b_guest_step(&guest, &policy, now, NULL), B2B_STEP_NONE);
		now = b2b_guest_next_due(&guest, &policy, now);
		ck_assert_int_eq(b2b_guest_step(&guest, &policy, now, NULL), B2B_STEP_REMIND);
		guest.review_reminded = now;
		ck_assert_int_eq(b2b_guest_step(&guest, &policy, now, NULL), B2B_STEP_NONE);
		ck_assert_int_eq(b2b_guest_next_due(&guest, &policy, now), guest.review_due);
		if (turn == 7)
			break;
		guest.review = B2B_REVIEW_APPROVED;
		guest.reviewed_at = now;
		guest.review_due = now + 90 * DAY + 14 * DAY;
	}
	now = b2b_guest_next_due(&guest, &policy, now);
	ck_assert_int_eq(b2b_guest_step(&guest, &policy, now, NULL), B2B_STEP_DISABLE);
	guest.enabled = false;
	guest.delete_after = now + 30 * DAY;
	now = b2b_guest_next_due(&guest, &policy, now);
	ck_assert_int_eq(b2b_guest_step(&guest, &policy, now, NULL), B2B_STEP_DELETE);
}
END_TEST

/* Without a tenant that could be read the defaults hold. */
START_TEST(test_guest_step__no_tenant)
{
	struct b2b_guest guest = pending();

	expect_at(&guest, NULL, T + 30 * DAY, B2B_STEP_DROP, NULL);
	guest = living();
	expect_at(&guest, NULL, T - DAY + 90 * DAY, B2B_STEP_DISABLE, "expired");
	guest.valid_until = T + 300 * DAY;
	expect_at(&guest, NULL, T + 90 * DAY, B2B_STEP_ASK, NULL);
}
END_TEST

START_TEST(test_guest_next_due__rounding)
{
	struct b2b_guest guest = living();
	static const struct {
		time_t until, now, due;
	} cases[] = {
		{ T + 1, T, T + HOUR },
		{ T + HOUR, T, T + HOUR },
		{ T + HOUR + 1, T, T + 2 * HOUR },
		{ T + HOUR - 1, T + 10, T + HOUR },
		/* past already: an hour that is past, for the next sweep */
		{ T + 10, T + 10, T },
		{ T + 10, T + 11, T },
		{ T - 1, T, T - HOUR },
		{ 1, T, HOUR },
		{ HOUR, T, HOUR },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		guest.valid_until = cases[i].until;
		ck_assert_msg(b2b_guest_next_due(&guest, &tenant, cases[i].now) == cases[i].due,
			      "%zu", i);
	}
}
END_TEST

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static time_t some_time(uint32_t *state)
{
	return next_random(state) % 3 == 0 ? 0 : T + (time_t)(next_random(state) % 600) * HOUR / 2;
}

static struct b2b_guest some_guest(uint32_t *state)
{
	struct b2b_guest guest = {
		.enabled = next_random(state) % 4 != 0,
		.accepted = next_random(state) % 3 != 0,
		.created = T - DAY,
		.valid_until = some_time(state),
		.review_due = some_time(state),
		.review = (enum b2b_review)(next_random(state) % 8 % 3),
		.invited_at = some_time(state),
		.invitation_sent = some_time(state),
		.state_changed = some_time(state),
		.enabled_at = some_time(state),
		.last_sign_in = some_time(state),
		.review_asked = some_time(state),
		.review_reminded = some_time(state),
		.reviewed_at = some_time(state),
		.delete_after = some_time(state),
	};

	return guest;
}

/* The task finds a guest when there is something to do, and is not called in vain: for whatever
 * guests, at all moments, the search key and the step agree. */
START_TEST(test_guest_next_due__agrees_with_step)
{
	const struct b2b_tenant_policy brief = { .guest_lifetime_days = 20,
						 .review_interval_days = 5,
						 .review_duration_days = 2,
						 .invitation_lifetime_days = 3,
						 .inactivity_days = 4 };
	uint32_t state = (uint32_t)_i;

	for (int round = 0; round < 2000; round++) {
		struct b2b_guest guest = some_guest(&state);
		time_t now = T + (time_t)(next_random(&state) % 700) * HOUR / 2;
		time_t due = b2b_guest_next_due(&guest, &brief, now);
		bool idle = b2b_guest_step(&guest, &brief, now, NULL) == B2B_STEP_NONE;

		ck_assert_msg(idle == (due == 0 || due > now), "seed %d, round %d", _i, round);
		if (due == 0) {
			ck_assert_int_eq(b2b_guest_step(&guest, &brief, T + 10000 * DAY, NULL),
					 B2B_STEP_NONE);
		} else if (due > now) {
			ck_assert_int_ne(b2b_guest_step(&guest, &brief, due, NULL), B2B_STEP_NONE);
			ck_assert_int_eq(b2b_guest_step(&guest, &brief, due - HOUR, NULL),
					 B2B_STEP_NONE);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guest_due");
	TCase *tcase = tcase_create("due");

	tcase_add_test(tcase, test_guest_step__expired);
	tcase_add_test(tcase, test_guest_step__lifetime);
	tcase_add_test(tcase, test_guest_step__review_lapsed);
	tcase_add_test(tcase, test_guest_step__review_denied);
	tcase_add_test(tcase, test_guest_step__approved_goes_on);
	tcase_add_test(tcase, test_guest_step__inactive);
	tcase_add_test(tcase, test_guest_step__invitation);
	tcase_add_test(tcase, test_guest_step__delete);
	tcase_add_test(tcase, test_guest_step__ask);
	tcase_add_test(tcase, test_guest_step__remind);
	tcase_add_test(tcase, test_guest_step__gravest_first);
	tcase_add_test(tcase, test_guest_step__cycle);
	tcase_add_test(tcase, test_guest_step__no_tenant);
	tcase_add_test(tcase, test_guest_next_due__rounding);
	tcase_add_loop_test(tcase, test_guest_next_due__agrees_with_step, 0, 20);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
