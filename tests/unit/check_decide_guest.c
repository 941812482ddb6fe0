/*
 * check_decide_guest.c - unit tests of decide.c: the guest's record, broken policy, assignment, labels.
 * In: tables of guests and circumstances.
 * Out: libcheck's summary.
 */
#include "scene.h"

#define IN_U(access) "\nb2bCollabInUsersAccess: " access
#define IN_UT(target) "\nb2bCollabInUsersTarget: " target
#define IN_A(access) "\nb2bCollabInAppsAccess: " access
#define IN_AT(target) "\nb2bCollabInAppsTarget: " target

/* The record, in its order; each step is the first that denies. */
static const struct {
	struct b2b_guest change; /* only what follows is looked at */
	bool disabled, pending;
	enum b2b_reason reason;
	time_t until; /* of an allow */
} records[] = {
	{ { .valid_until = NOW + 5 }, false, false, B2B_REASON_NONE, NOW + 5 },
	{ { .valid_until = NOW - 5 }, true, true, B2B_REASON_DISABLED, 0 },
	{ { .valid_until = NOW - 5 }, false, true, B2B_REASON_NOT_REDEEMED, 0 },
	{ { .valid_from = NOW + 1, .valid_until = NOW + 5 },
	  false,
	  false,
	  B2B_REASON_NOT_YET_VALID,
	  0 },
	{ { .valid_from = NOW, .valid_until = NOW + 5 }, false, false, B2B_REASON_NONE, NOW + 5 },
	{ { .valid_from = NOW + 1, .valid_until = NOW - 1 },
	  false,
	  false,
	  B2B_REASON_NOT_YET_VALID,
	  0 },
	{ { .valid_until = NOW }, false, false, B2B_REASON_EXPIRED, 0 },
	{ { .valid_until = NOW + 1 }, false, false, B2B_REASON_NONE, NOW + 1 },
	{ { .valid_until = NOW, .review_due = NOW - 1 }, false, false, B2B_REASON_EXPIRED, 0 },
	{ { .created = 0 }, false, false, B2B_REASON_EXPIRED, 0 },
	{ { .created = NOW - 90 * 86400 }, false, false, B2B_REASON_EXPIRED, 0 },
	{ { .created = NOW - 90 * 86400 + 1 }, false, false, B2B_REASON_NONE, NOW + 1 },
	{ { .valid_until = NOW + 9, .review_due = NOW + 1 },
	  false,
	  false,
	  B2B_REASON_NONE,
	  NOW + 1 },
	{ { .valid_until = NOW + 9, .review_due = NOW },
	  false,
	  false,
	  B2B_REASON_REVIEW_LAPSED,
	  0 },
	{ { .valid_until = NOW + 9, .review_due = NOW, .review = B2B_REVIEW_APPROVED },
	  false,
	  false,
	  B2B_REASON_NONE,
	  NOW + 9 },
	{ { .valid_until = NOW + 9, .review = B2B_REVIEW_DENIED },
	  false,
	  false,
	  B2B_REASON_REVIEW_LAPSED,
	  0 },
	{ { .valid_until = NOW + 9, .review_due = NOW + 5, .review = B2B_REVIEW_DENIED },
	  false,
	  false,
	  B2B_REASON_REVIEW_LAPSED,
	  0 },
};

START_TEST(test_decide__record)
{
	static const struct policy policy = { "cn: b2b", NULL, "b2bTenantId: fab", "cn: wiki" };
	struct scene scene = set_scene(&policy);
	struct b2b_verdict verdict;
	enum b2b_reason alone;

	scene.guest.enabled = !records[_i].disabled;
	scene.guest.accepted = !records[_i].pending;
	scene.guest.valid_from = records[_i].change.valid_from;
	scene.guest.valid_until = records[_i].change.valid_until;
	scene.guest.created = records[_i].change.created;
	scene.guest.review_due = records[_i].change.review_due;
	scene.guest.review = records[_i].change.review;
	verdict = decide(&scene);
	ck_assert_msg(verdict.reason == records[_i].reason, "%s", b2b_reason_name(verdict.reason));
	ck_assert_str_eq(verdict.rule, verdict.effect == B2B_ALLOW ? PARTNER_DN : GUEST_DN);
	ck_assert_int_eq(verdict.until, records[_i].until);
	alone = b2b_decide_record(&scene.guest, NULL, NOW);
	if (records[_i].reason == B2B_REASON_NOT_REDEEMED)
		ck_assert_int_eq(alone, B2B_REASON_EXPIRED);
	else
		ck_assert_int_eq(alone, records[_i].reason);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

START_TEST(test_decide__lifetime_zero_has_no_end)
{
	static const struct policy policy = { "b2bGuestLifetime: 0", NULL, "b2bTenantId: fab",
					      NULL };
	struct b2b_verdict verdict = decide_once(&policy, PARTNER_DN);

	ck_assert_int_eq(verdict.effect, B2B_ALLOW);
	ck_assert_int_eq(verdict.until, 0);
}
END_TEST

START_TEST(test_decide__redemption)
{
	static const struct {
		const char *partner, *defaults;
		enum b2b_reason reason;
	} cases[] = {
		{ "b2bTenantId: fab", NULL, B2B_REASON_NOT_REDEEMED },
		{ "b2bTenantId: fab\nb2bAutoRedeemIn: TRUE", NULL, B2B_REASON_NONE },
		{ "b2bTenantId: fab\nb2bAutoRedeemOut: TRUE", NULL, B2B_REASON_NOT_REDEEMED },
		{ "b2bTenantId: fab", "b2bAutoRedeemIn: TRUE", B2B_REASON_NONE },
		{ "b2bTenantId: fab", "b2bAutoRedeemIn: FALSE", B2B_REASON_NOT_REDEEMED },
		{ "b2bTenantId: fab\nb2bAutoRedeemIn: FALSE", "b2bAutoRedeemIn: TRUE",
		  B2B_REASON_NOT_REDEEMED },
		{ "b2bTenantId: fab\nb2bAutoRedeemIn: TRUE", "b2bAutoRedeemIn: FALSE",
		  B2B_REASON_NONE },
		{ "b2bTenantId: other", "b2bAutoRedeemIn: TRUE", B2B_REASON_PARTNER_UNKNOWN },
		{ "b2bTenantId: fab\nb2bAutoRedeemIn: TRUE\nb2bIdp: x", NULL,
		  B2B_REASON_POLICY_INVALID },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct policy policy = { "cn: b2b", cases[i].defaults, cases[i].partner, NULL };
		struct scene scene = set_scene(&policy);

		scene.guest.accepted = false;
		ck_assert_msg(decide(&scene).reason == cases[i].reason, "%zu", i);
		b2b_snapshot_unref(&scene.snapshot);
	}
}
END_TEST

START_TEST(test_decide__broken_policy_denies)
{
	static const struct {
		struct policy policy;
		enum b2b_reason reason;
		const char *rule;
	} cases[] = {
		{ { "cn: b2b", NULL, "b2bTenantId: fab", "cn: wiki" },
		  B2B_REASON_NONE,
		  PARTNER_DN },
		{ { "b2bGuestAccess: x", NULL, "b2bTenantId: fab", "cn: wiki" },
		  B2B_REASON_POLICY_INVALID,
		  TENANT_DN },
		{ { "cn: b2b", "b2bTrustMfa: x", "b2bTenantId: fab", "cn: wiki" },
		  B2B_REASON_POLICY_INVALID,
		  DEFAULT_DN },
		{ { "cn: b2b", "b2bTrustMfa: x", "b2bTenantId: fab" IN_U("allowed") IN_A("allowed"),
		    "cn: wiki" },
		  B2B_REASON_POLICY_INVALID,
		  DEFAULT_DN },
		{ { "cn: b2b", NULL, "b2bTenantId: fab\nb2bTrustMfa: x", "cn: wiki" },
		  B2B_REASON_POLICY_INVALID,
		  PARTNER_DN },
		{ { "cn: b2b", NULL, "b2bTenantId: fab", "cn: wiki\nb2bAppPeer: x" },
		  B2B_REASON_POLICY_INVALID,
		  "cn=wiki" },
		{ { "cn: b2b", NULL, "b2bTenantId: fab", "b2bAppServiceDN: cn=s" },
		  B2B_REASON_POLICY_INVALID,
		  "cn=wiki" },
	};
	static const struct policy no_tenant = { NULL, NULL, "b2bTenantId: fab", "cn: wiki" };
	static const struct policy no_partner = { "cn: b2b", "cn: default", NULL, "cn: wiki" };

	for (size_t i = 0; i < COUNT(cases); i++)
		expect(&cases[i].policy, cases[i].reason, cases[i].rule);
	expect(&no_tenant, B2B_REASON_POLICY_INVALID, NULL);
	expect(&no_partner, B2B_REASON_PARTNER_UNKNOWN, NULL);
}
END_TEST

START_TEST(test_decide__two_partners_with_one_id)
{
	static const struct policy policy = { "cn: b2b", NULL, "b2bTenantId: fab", NULL };
	struct scene scene = set_scene(&policy);

	ck_assert_int_eq(decide(&scene).effect, B2B_ALLOW);
	put(&scene.snapshot, B2B_RULE_PARTNER, "cn=a-second", "b2bTenantId: FAB");
	ck_assert_int_eq(decide(&scene).reason, B2B_REASON_POLICY_INVALID);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

/* Zeroed memory denies, whichever piece it is. */
START_TEST(test_decide__zero_denies)
{
	static const struct policy policy = { "cn: b2b", NULL, "b2bTenantId: fab", "cn: wiki" };
	static const struct b2b_verdict zero;
	static const struct b2b_guest nobody;
	static const struct b2b_context nowhere;
	static const struct b2b_rule nothing;
	struct scene scene = set_scene(&policy);
	struct b2b_snapshot *empty = b2b_snapshot_new();
	struct b2b_context strange = scene.context;
	struct b2b_guest guest;

	ck_assert_int_eq(zero.effect, B2B_DENY);
	ck_assert_int_eq(zero.reason, B2B_REASON_POLICY_INVALID);
	ck_assert_int_eq(decide(&scene).effect, B2B_ALLOW);
	ck_assert_int_eq(b2b_decide(NULL, &scene.guest, NULL, &scene.context).effect, B2B_DENY);
	ck_assert_int_eq(b2b_decide(scene.snapshot, NULL, NULL, &scene.context).effect, B2B_DENY);
	ck_assert_int_eq(b2b_decide(scene.snapshot, &scene.guest, NULL, NULL).effect, B2B_DENY);
	ck_assert_int_eq(b2b_decide(empty, &scene.guest, NULL, &scene.context).effect, B2B_DENY);
	ck_assert_int_eq(b2b_decide(scene.snapshot, &nobody, NULL, &scene.context).effect,
			 B2B_DENY);
	ck_assert_int_eq(b2b_decide(scene.snapshot, &scene.guest, NULL, &nowhere).effect, B2B_DENY);
	ck_assert_int_eq(b2b_decide(scene.snapshot, &scene.guest, &nothing, &scene.context).effect,
			 B2B_DENY);
	strange.scope = (enum b2b_scope)7;
	ck_assert_int_eq(b2b_decide(scene.snapshot, &scene.guest, NULL, &strange).effect, B2B_DENY);
	strange.scope = (enum b2b_scope) - 1;
	ck_assert_int_eq(b2b_decide(scene.snapshot, &scene.guest, NULL, &strange).effect, B2B_DENY);
	guest = scene.guest;
	guest.well_formed = false;
	ck_assert_str_eq(b2b_decide(scene.snapshot, &guest, NULL, &scene.context).rule, GUEST_DN);
	ck_assert_int_eq(b2b_decide(scene.snapshot, &guest, NULL, &scene.context).reason,
			 B2B_REASON_POLICY_INVALID);
	guest = scene.guest;
	guest.home_tenant.len = 0;
	ck_assert_int_eq(b2b_decide(scene.snapshot, &guest, NULL, &scene.context).reason,
			 B2B_REASON_POLICY_INVALID);
	ck_assert_int_eq(b2b_decide_record(&nobody, NULL, NOW), B2B_REASON_DISABLED);
	ck_assert_int_eq(b2b_decide_record(NULL, NULL, NOW), B2B_REASON_POLICY_INVALID);
	b2b_snapshot_unref(&empty);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

/* Each attribute of a guest that says yes, taken away: the answer becomes no. */
START_TEST(test_decide__missing_attribute_denies)
{
	static const struct {
		const char *lines;
		enum b2b_reason reason;
	} cases[] = {
		{ "b2bHomeTenant: fab\nb2bAccountEnabled: TRUE\nb2bUserState: Accepted\n"
		  "createTimestamp: 20270101000000Z",
		  B2B_REASON_NONE },
		{ "b2bAccountEnabled: TRUE\nb2bUserState: Accepted\n"
		  "createTimestamp: 20270101000000Z",
		  B2B_REASON_POLICY_INVALID },
		{ "b2bHomeTenant: fab\nb2bUserState: Accepted\ncreateTimestamp: 20270101000000Z",
		  B2B_REASON_DISABLED },
		{ "b2bHomeTenant: fab\nb2bAccountEnabled: FALSE\nb2bUserState: Accepted\n"
		  "createTimestamp: 20270101000000Z",
		  B2B_REASON_DISABLED },
		{ "b2bHomeTenant: fab\nb2bAccountEnabled: TRUE\ncreateTimestamp: 20270101000000Z",
		  B2B_REASON_NOT_REDEEMED },
		{ "b2bHomeTenant: fab\nb2bAccountEnabled: TRUE\nb2bUserState: Accepted",
		  B2B_REASON_EXPIRED },
		{ "b2bHomeTenant: fab\nb2bAccountEnabled: TRUE\nb2bUserState: Accepted\n"
		  "createTimestamp: 20270101000000Z\nb2bValidUntil: 19700101000000Z",
		  B2B_REASON_EXPIRED },
		{ "b2bHomeTenant: fab\nb2bAccountEnabled: TRUE\nb2bUserState: Accepted\n"
		  "createTimestamp: 20270101000000Z\nb2bValidUntil: ",
		  B2B_REASON_POLICY_INVALID },
	};
	static const struct policy policy = { "cn: b2b", NULL, "b2bTenantId: fab", NULL };
	struct scene scene = set_scene(&policy);

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct test_entry entry;
		struct b2b_source source = test_source(&entry, GUEST_DN, cases[i].lines);

		b2b_guest_parse(&source, &scene.guest, NULL);
		ck_assert_msg(decide(&scene).reason == cases[i].reason, "%zu: %s", i,
			      b2b_reason_name(decide(&scene).reason));
	}
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

START_TEST(test_decide__assignment)
{
	static const struct {
		const char *app;
		bool by_group;
		enum b2b_reason reason;
	} cases[] = {
		{ "cn: wiki\nb2bAppAssignmentRequired: TRUE", false, B2B_REASON_NOT_ASSIGNED },
		{ "cn: wiki\nb2bAppAssignmentRequired: TRUE", true, B2B_REASON_NONE },
		{ "cn: wiki\nb2bAppAssignmentRequired: TRUE\nb2bAppAssignee: uid=z\n"
		  "b2bAppAssignee: " GUEST_DN "\nb2bAppAssignee: uid=a",
		  false, B2B_REASON_NONE },
		{ "cn: wiki\nb2bAppAssignmentRequired: TRUE\nb2bAppAssignee: uid=z\n"
		  "b2bAppAssignee: " GUEST_DN "s",
		  false, B2B_REASON_NOT_ASSIGNED },
		{ "cn: wiki\nb2bAppAssignmentRequired: FALSE\nb2bAppAssignee: uid=z", false,
		  B2B_REASON_NONE },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct policy policy = { "cn: b2b", NULL, "b2bTenantId: fab", cases[i].app };
		struct scene scene = set_scene(&policy);
		struct b2b_verdict verdict;

		scene.context.assigned = cases[i].by_group;
		verdict = decide(&scene);
		ck_assert_msg(verdict.reason == cases[i].reason, "%zu", i);
		ck_assert_str_eq(verdict.rule,
				 verdict.effect == B2B_ALLOW ? PARTNER_DN : "cn=wiki");
		b2b_snapshot_unref(&scene.snapshot);
	}
}
END_TEST

START_TEST(test_decide__policy_before_assignment)
{
	static const struct policy policy = { "cn: b2b", NULL,
					      "b2bTenantId: fab" IN_U("blocked") IN_A("blocked"),
					      "cn: wiki\nb2bAppAssignmentRequired: TRUE" };

	expect(&policy, B2B_REASON_INBOUND_USERS, PARTNER_DN);
}
END_TEST

START_TEST(test_decide_label__ranks)
{
#define ORDER "b2bLabelOrder: {0}Public\nb2bLabelOrder: {1}General\nb2bLabelOrder: {2}Secret"
	static const struct {
		const char *tenant, *app, *clearance, *label;
		bool seen;
	} cases[] = {
		{ ORDER, NULL, "General", "Public", true },
		{ ORDER, NULL, "general", "GENERAL", true },
		{ ORDER, NULL, "General", "Secret", false },
		{ ORDER, NULL, "", "Public", true },
		{ ORDER, NULL, "", "", true },
		{ ORDER, NULL, "", "General", false },
		{ ORDER, NULL, "Secret", "Unheard", false },
		{ ORDER, NULL, "Unheard", "Public", true },
		{ ORDER, NULL, "Unheard", "General", false },
		{ ORDER, NULL, "Unheard", "Unheard", false },
		{ ORDER "\nb2bDefaultLabel: General", NULL, "", "", false },
		{ ORDER "\nb2bDefaultLabel: General", NULL, "General", "", true },
		{ ORDER, "cn: wiki\nb2bAppMaxLabel: General", "Secret", "Secret", false },
		{ ORDER, "cn: wiki\nb2bAppMaxLabel: General", "Secret", "General", true },
		{ ORDER, "cn: wiki\nb2bAppMaxLabel: Unheard", "Secret", "General", false },
		{ ORDER, "cn: wiki\nb2bAppMaxLabel: Unheard", "Secret", "Public", true },
		{ ORDER, "cn: wiki", "Secret", "Secret", true },
		{ ORDER, "cn: wiki\nb2bAppPeer: x", "Secret", "Public", false },
		{ "cn: b2b", NULL, "", "Anything", true },
		{ "b2bGuestAccess: x", NULL, "Secret", "", false },
		{ NULL, NULL, "Secret", "", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct policy policy = { cases[i].tenant, NULL, "b2bTenantId: fab", cases[i].app };
		struct scene scene = set_scene(&policy);

		scene.guest.clearance = b2b_str_of(cases[i].clearance);
		ck_assert_msg(b2b_decide_label(scene.snapshot, &scene.guest, scene.app,
					       B2B_RANK_UNKNOWN,
					       b2b_str_of(cases[i].label)) == cases[i].seen,
			      "%zu", i);
		b2b_snapshot_unref(&scene.snapshot);
	}
	ck_assert(!b2b_decide_label(NULL, NULL, NULL, B2B_RANK_UNKNOWN, b2b_str_of("")));
}
END_TEST

START_TEST(test_reason_name__each_has_its_own)
{
	for (int i = 0; i < B2B_REASON_COUNT; i++) {
		const char *name = b2b_reason_name((enum b2b_reason)i);

		ck_assert_ptr_nonnull(name);
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(name, b2b_reason_name((enum b2b_reason)j));
	}
	ck_assert_str_eq(b2b_reason_name(B2B_REASON_SIGN_IN_TOO_OLD), "sign-in-too-old");
	ck_assert_str_eq(b2b_reason_name(B2B_REASON_COUNT), "policy-invalid");
	ck_assert_str_eq(b2b_reason_name((enum b2b_reason) - 1), "policy-invalid");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide_guest");
	TCase *tcase = tcase_create("decide_guest");

	tcase_add_loop_test(tcase, test_decide__record, 0, (int)COUNT(records));
	tcase_add_test(tcase, test_decide__lifetime_zero_has_no_end);
	tcase_add_test(tcase, test_decide__redemption);
	tcase_add_test(tcase, test_decide__broken_policy_denies);
	tcase_add_test(tcase, test_decide__two_partners_with_one_id);
	tcase_add_test(tcase, test_decide__zero_denies);
	tcase_add_test(tcase, test_decide__missing_attribute_denies);
	tcase_add_test(tcase, test_decide__assignment);
	tcase_add_test(tcase, test_decide__policy_before_assignment);
	tcase_add_test(tcase, test_decide_label__ranks);
	tcase_add_test(tcase, test_reason_name__each_has_its_own);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
