/*
 * check_decide_direct.c - unit tests of the decision about those without an entry (direct connect).
 * In: policies as text, guests with and without a record that would be held against them.
 * Out: libcheck's summary.
 */
#include "scene.h"

#define OPEN                                                                                       \
	"b2bTenantId: fab\nb2bDirectInUsersAccess: allowed\nb2bDirectInAppsAccess: allowed\n"      \
	"b2bDirectInAppsTarget: wiki\nb2bDirectInAppsTarget: directory\n"
#define ACCESS_DN "cn=p"

static const struct policy open_policy = { "cn: b2b", "cn: default", OPEN, "cn: wiki" };

/* Nothing is known of whom a token is about but tenant and subject. */
static struct scene direct_scene(const struct policy *policy)
{
	struct scene scene = set_scene(policy);

	scene.guest = (struct b2b_guest){ .dn = "b2bSubject=bob+b2bTenantId=fab,cn=direct,cn=b2b",
					  .home_tenant = b2b_str_of("fab"),
					  .home_subject = b2b_str_of("bob"),
					  .well_formed = true };
	scene.context.scope = B2B_DIRECT_IN;
	return scene;
}

static void expect_reason(const struct scene *scene, enum b2b_reason reason)
{
	struct b2b_verdict verdict = decide(scene);

	ck_assert_msg(verdict.reason == reason, "%s, not %s", b2b_reason_name(verdict.reason),
		      b2b_reason_name(reason));
	ck_assert((verdict.effect == B2B_ALLOW) == (reason == B2B_REASON_NONE));
}

START_TEST(test_decide_direct__no_record)
{
	struct scene scene = direct_scene(&open_policy);

	expect_reason(&scene, B2B_REASON_NONE);
	ck_assert_int_eq(decide(&scene).until, 0);
	/* the same is no guest's right */
	scene.context.scope = B2B_COLLAB_IN;
	expect_reason(&scene, B2B_REASON_DISABLED);
	scene.context.scope = B2B_DIRECT_IN;
	scene.guest.home_tenant = b2b_str_of("else");
	expect_reason(&scene, B2B_REASON_PARTNER_UNKNOWN);
	scene.guest.home_tenant.len = 0;
	expect_reason(&scene, B2B_REASON_POLICY_INVALID);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

/* The service default blocks, and collaboration's settings permit nothing here. */
START_TEST(test_decide_direct__settings)
{
	static const struct {
		const char *defaults, *partner;
		enum b2b_reason reason;
	} cases[] = {
		{ NULL, "b2bTenantId: fab", B2B_REASON_DIRECT_CONNECT },
		{ "cn: default",
		  "b2bTenantId: fab\nb2bCollabInUsersAccess: allowed\n"
		  "b2bCollabInAppsAccess: allowed",
		  B2B_REASON_DIRECT_CONNECT },
		{ "cn: default",
		  "b2bTenantId: fab\nb2bDirectOutUsersAccess: allowed\n"
		  "b2bDirectOutAppsAccess: allowed",
		  B2B_REASON_DIRECT_CONNECT },
		{ "cn: default\nb2bDirectInUsersAccess: allowed\nb2bDirectInAppsAccess: allowed",
		  "b2bTenantId: fab", B2B_REASON_NONE },
		{ "cn: default",
		  "b2bTenantId: fab\nb2bDirectInUsersAccess: allowed\n"
		  "b2bDirectInUsersTarget: bob\nb2bDirectInAppsAccess: allowed",
		  B2B_REASON_NONE },
		{ "cn: default",
		  "b2bTenantId: fab\nb2bDirectInUsersAccess: allowed\n"
		  "b2bDirectInUsersTarget: Bob\nb2bDirectInAppsAccess: allowed",
		  B2B_REASON_DIRECT_CONNECT },
		{ "cn: default", "b2bTenantId: fab\nb2bDirectInUsersAccess: allowed",
		  B2B_REASON_DIRECT_CONNECT },
		{ "cn: default", "b2bTenantId: fab\nb2bDirectInUsersAccess: perhaps",
		  B2B_REASON_POLICY_INVALID },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct policy policy = { "cn: b2b", cases[i].defaults, cases[i].partner,
					 "cn: wiki" };
		struct scene scene = direct_scene(&policy);

		expect_reason(&scene, cases[i].reason);
		b2b_snapshot_unref(&scene.snapshot);
	}
}
END_TEST

/* Neither a group nor the name itself among the assignees assigns anything. */
START_TEST(test_decide_direct__assignment)
{
	struct policy policy = open_policy;
	struct scene scene;

	policy.app = "cn: wiki\nb2bAppAssignmentRequired: TRUE\n"
		     "b2bAppAssignee: b2bSubject=bob+b2bTenantId=fab,cn=direct,cn=b2b";
	scene = direct_scene(&policy);
	expect_reason(&scene, B2B_REASON_NOT_ASSIGNED);
	scene.context.assigned = true;
	expect_reason(&scene, B2B_REASON_NOT_ASSIGNED);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

/* Home's word where it is trusted; a one-time password of ours is nobody's here. */
START_TEST(test_decide_direct__mfa)
{
	struct policy policy = open_policy;
	struct scene scene = direct_scene(&policy);

	put(&scene.snapshot, B2B_RULE_ACCESS, ACCESS_DN,
	    "cn: p\nb2bCaState: enabled\nb2bCaGrant: mfa");
	expect_reason(&scene, B2B_REASON_MFA_REQUIRED);
	scene.context.sign_in.own_mfa = true;
	expect_reason(&scene, B2B_REASON_MFA_REQUIRED);
	scene.context.sign_in.mfa = true;
	expect_reason(&scene, B2B_REASON_MFA_REQUIRED);
	put(&scene.snapshot, B2B_RULE_PARTNER, PARTNER_DN, OPEN "b2bTrustMfa: TRUE");
	expect_reason(&scene, B2B_REASON_NONE);
	scene.context.sign_in.mfa = false;
	expect_reason(&scene, B2B_REASON_MFA_REQUIRED);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

/* Nobody has accepted terms who has no entry to say so. */
START_TEST(test_decide_direct__terms)
{
	struct policy policy = open_policy;
	struct scene scene;

	policy.tenant = "cn: b2b\nb2bTermsVersion: 1";
	scene = direct_scene(&policy);
	put(&scene.snapshot, B2B_RULE_ACCESS, ACCESS_DN,
	    "cn: p\nb2bCaState: enabled\nb2bCaGrant: terms");
	expect_reason(&scene, B2B_REASON_TERMS_REQUIRED);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide_direct");
	TCase *tcase = tcase_create("decide_direct");

	tcase_add_test(tcase, test_decide_direct__no_record);
	tcase_add_test(tcase, test_decide_direct__settings);
	tcase_add_test(tcase, test_decide_direct__assignment);
	tcase_add_test(tcase, test_decide_direct__mfa);
	tcase_add_test(tcase, test_decide_direct__terms);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
