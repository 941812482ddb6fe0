/*
 * check_decide_access.c - unit tests of decide_access.c: all policies together, time, labels.
 * In: access policies as text, circumstances.
 * Out: libcheck's summary.
 */
#include "scene.h"

#include <stdio.h>

#define ON "b2bCaState: enabled\n"
#define REPORT "b2bCaState: reportOnly\n"
#define OFF "b2bCaState: disabled\n"
#define FAR "192.0.2.9"

static const struct policy plain = {
	"b2bTermsVersion: 1\nb2bLabelOrder: {0}Public\nb2bLabelOrder: {1}General\n"
	"b2bLabelOrder: {2}Secret",
	NULL, "b2bTenantId: fab", "cn: wiki"
};

static void put_access(struct scene *scene, const char *dn, const char *lines)
{
	put(&scene->snapshot, B2B_RULE_ACCESS, dn, lines);
}

static struct b2b_access_finding judge(const struct scene *scene, const char *dn)
{
	return b2b_access_judge(scene->snapshot, b2b_snapshot_rule(scene->snapshot, dn),
				&scene->guest, scene->app, &scene->context);
}

/* What each stage holds against a guest who shows nothing. */
static const struct {
	const char *lines;
	enum b2b_reason signed_in, before_proof, elsewhere;
} stages[] = {
	{ "b2bCaGrant: mfa", B2B_REASON_MFA_REQUIRED, B2B_REASON_NONE, B2B_REASON_NONE },
	{ "b2bCaGrant: compliantDevice", B2B_REASON_DEVICE_REQUIRED, B2B_REASON_NONE,
	  B2B_REASON_NONE },
	{ "b2bCaGrant: hybridJoinedDevice", B2B_REASON_DEVICE_REQUIRED, B2B_REASON_NONE,
	  B2B_REASON_NONE },
	{ "b2bCaSignInFrequency: 60", B2B_REASON_SIGN_IN_TOO_OLD, B2B_REASON_NONE,
	  B2B_REASON_NONE },
	{ "b2bCaGrant: terms", B2B_REASON_TERMS_REQUIRED, B2B_REASON_TERMS_REQUIRED,
	  B2B_REASON_TERMS_REQUIRED },
	{ "b2bCaGrant: mfa\nb2bCaGrant: terms", B2B_REASON_MFA_REQUIRED, B2B_REASON_TERMS_REQUIRED,
	  B2B_REASON_TERMS_REQUIRED },
	{ "b2bCaGrant: tls", B2B_REASON_TLS_REQUIRED, B2B_REASON_TLS_REQUIRED, B2B_REASON_NONE },
	{ "b2bCaGrant: block", B2B_REASON_BLOCKED, B2B_REASON_BLOCKED, B2B_REASON_BLOCKED },
	{ "b2bCaGrant: block\nb2bCaIncludeNetwork: 192.0.2.0/24", B2B_REASON_NETWORK,
	  B2B_REASON_NETWORK, B2B_REASON_NONE },
	{ "b2bCaGrant: block\nb2bCaExcludeNetwork: 10.0.0.0/8", B2B_REASON_NETWORK,
	  B2B_REASON_NETWORK, B2B_REASON_NONE },
	{ "b2bCaGrant: block\nb2bCaBelowSsf: 128", B2B_REASON_TLS_REQUIRED, B2B_REASON_TLS_REQUIRED,
	  B2B_REASON_NONE },
	{ "b2bCaGrant: terms\nb2bCaBelowSsf: 128", B2B_REASON_TERMS_REQUIRED,
	  B2B_REASON_TERMS_REQUIRED, B2B_REASON_NONE },
	{ "b2bCaGrant: nonsense", B2B_REASON_POLICY_INVALID, B2B_REASON_POLICY_INVALID,
	  B2B_REASON_POLICY_INVALID },
};

START_TEST(test_decide_access__stages)
{
	const enum b2b_reason reasons[] = { stages[_i].signed_in, stages[_i].before_proof,
					    stages[_i].elsewhere, stages[_i].signed_in };
	struct scene scene = set_scene(&plain);
	char lines[256];

	snprintf(lines, sizeof lines, ON "%s", stages[_i].lines);
	put_access(&scene, "cn=p", lines);
	b2b_addr_parse(b2b_str_of(FAR), &scene.context.peer);
	for (size_t stage = 0; stage < COUNT(reasons); stage++) { /* the last is none at all */
		scene.context.stage = (enum b2b_stage)stage;
		ck_assert_msg(decide(&scene).reason == reasons[stage], "%s in %zu: %s",
			      stages[_i].lines, stage, b2b_reason_name(decide(&scene).reason));
		ck_assert_int_eq(judge(&scene, "cn=p").reason, reasons[stage]);
		ck_assert_int_eq(decide(&scene).until == 0, reasons[stage] != B2B_REASON_NONE);
	}
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

#define HOUR ((time_t)3600)

START_TEST(test_decide_access__sign_in_frequency)
{
	static const struct {
		time_t when;
		enum b2b_reason reason;
		time_t until;
	} cases[] = {
		{ NOW, B2B_REASON_NONE, NOW + HOUR },
		{ NOW - HOUR + 1, B2B_REASON_NONE, NOW + 1 },
		{ NOW - HOUR, B2B_REASON_SIGN_IN_TOO_OLD, 0 },
		{ NOW - HOUR - 1, B2B_REASON_SIGN_IN_TOO_OLD, 0 },
		{ NOW + 1, B2B_REASON_NONE, NOW + HOUR },
		{ NOW + 86400, B2B_REASON_NONE, NOW + HOUR },
		{ 0, B2B_REASON_SIGN_IN_TOO_OLD, 0 },
		{ 1, B2B_REASON_SIGN_IN_TOO_OLD, 0 },
		{ -1, B2B_REASON_SIGN_IN_TOO_OLD, 0 },
	};
	struct scene scene = set_scene(&plain);

	put_access(&scene, "cn=p", ON "b2bCaSignInFrequency: 3600");
	for (size_t i = 0; i < COUNT(cases); i++) {
		scene.context.sign_in.when = cases[i].when;
		ck_assert_msg(decide(&scene).reason == cases[i].reason, "%zu", i);
		ck_assert_int_eq(decide(&scene).until, cases[i].until);
		ck_assert_int_eq(judge(&scene, "cn=p").until, cases[i].until);
	}
	/* never seen is not "seen in 1970", wherever the clock stands */
	scene.context.now = 1000;
	scene.context.sign_in.when = 0;
	ck_assert_int_eq(judge(&scene, "cn=p").reason, B2B_REASON_SIGN_IN_TOO_OLD);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

/* An allow holds until the first of all bounds; a missing grant is told before an old sign-in. */
START_TEST(test_decide_access__earliest_bound)
{
	struct scene scene = set_scene(&plain);
	struct b2b_access_finding finding;

	scene.context.sign_in.when = NOW - 100;
	put_access(&scene, "cn=a", ON "b2bCaSignInFrequency: 3600");
	put_access(&scene, "cn=b", ON "b2bCaSignInFrequency: 600");
	put_access(&scene, "cn=c", ON "b2bCaSignInFrequency: 1200");
	put_access(&scene, "cn=d", ON "b2bCaSignInFrequency: 150\nb2bCaIncludePartner: x");
	put_access(&scene, "cn=e", REPORT "b2bCaSignInFrequency: 200");
	put_access(&scene, "cn=f", OFF "b2bCaSignInFrequency: 200");
	ck_assert_int_eq(decide(&scene).until, NOW + 500);
	scene.guest.valid_until = NOW + 300;
	ck_assert_int_eq(decide(&scene).until, NOW + 300);
	scene.guest.review_due = NOW + 200;
	ck_assert_int_eq(decide(&scene).until, NOW + 200);
	put_access(&scene, "cn=g", ON "b2bCaSignInFrequency: 50\nb2bCaGrant: mfa");
	ck_assert_int_eq(decide(&scene).reason, B2B_REASON_MFA_REQUIRED);
	finding = judge(&scene, "cn=g");
	ck_assert_int_eq(finding.reason, B2B_REASON_MFA_REQUIRED);
	ck_assert_int_eq(finding.until, 0);
	scene.context.sign_in.own_mfa = true;
	ck_assert_int_eq(decide(&scene).reason, B2B_REASON_SIGN_IN_TOO_OLD);
	ck_assert_str_eq(decide(&scene).rule, "cn=g");
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

/* The first by DN denies, unless another blocks. */
START_TEST(test_decide_access__which_one_denies)
{
	struct scene scene = set_scene(&plain);

	put_access(&scene, "cn=m", ON "b2bCaGrant: tls");
	put_access(&scene, "cn=n", ON "b2bCaGrant: mfa");
	ck_assert_str_eq(decide(&scene).rule, "cn=m");
	put_access(&scene, "cn=l", ON "b2bCaGrant: terms");
	ck_assert_str_eq(decide(&scene).rule, "cn=l");
	ck_assert_int_eq(decide(&scene).reason, B2B_REASON_TERMS_REQUIRED);
	put_access(&scene, "cn=b", ON "b2bCaGrant: block\nb2bCaIncludeApp: pay");
	ck_assert_str_eq(decide(&scene).rule, "cn=l");
	put_access(&scene, "cn=z", ON "b2bCaGrant: block");
	ck_assert_str_eq(decide(&scene).rule, "cn=z");
	ck_assert_int_eq(decide(&scene).reason, B2B_REASON_BLOCKED);
	put_access(&scene, "cn=y", ON "b2bCaGrant: block\nb2bCaIncludeNetwork: ::/0");
	ck_assert_str_eq(decide(&scene).rule, "cn=y");
	ck_assert_int_eq(decide(&scene).reason, B2B_REASON_NETWORK);
	/* the parts before come first */
	scene.guest.enabled = false;
	ck_assert_int_eq(decide(&scene).reason, B2B_REASON_DISABLED);
	scene.guest.enabled = true;
	put(&scene.snapshot, B2B_RULE_APP, "cn=wiki", "cn: wiki\nb2bAppAssignmentRequired: TRUE");
	scene.app = b2b_snapshot_rule(scene.snapshot, "cn=wiki");
	ck_assert_int_eq(decide(&scene).reason, B2B_REASON_NOT_ASSIGNED);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

/* Every policy that applies must be satisfied. */
START_TEST(test_decide_access__all_must_be_satisfied)
{
	struct scene scene = set_scene(&plain);

	put_access(&scene, "cn=a", ON "b2bCaGrant: mfa");
	put_access(&scene, "cn=b", ON "b2bCaGrant: tls");
	put_access(&scene, "cn=c", ON "b2bCaGrant: terms");
	scene.context.sign_in.own_mfa = true;
	ck_assert_str_eq(decide(&scene).rule, "cn=b");
	scene.context.is_protected = true;
	ck_assert_str_eq(decide(&scene).rule, "cn=c");
	scene.guest.terms_accepted = b2b_str_of("1");
	ck_assert_int_eq(decide(&scene).effect, B2B_ALLOW);
	ck_assert_str_eq(decide(&scene).rule, PARTNER_DN);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

START_TEST(test_decide_access__report_only_and_disabled)
{
	struct scene scene = set_scene(&plain);
	struct b2b_access_finding finding;
	struct b2b_verdict verdict;

	put_access(&scene, "cn=r", REPORT "b2bCaGrant: block\nb2bCaMaxLabel: Public");
	put_access(&scene, "cn=d", OFF "b2bCaGrant: block\nb2bCaMaxLabel: Public");
	put_access(&scene, "cn=s", REPORT "b2bCaMaxLabel: Public");
	verdict = decide(&scene);
	ck_assert_int_eq(verdict.effect, B2B_ALLOW);
	ck_assert_uint_eq(verdict.label_cap, B2B_RANK_UNKNOWN);
	finding = judge(&scene, "cn=r");
	ck_assert(finding.applies);
	ck_assert_int_eq(finding.reason, B2B_REASON_BLOCKED);
	ck_assert_uint_eq(finding.missing, B2B_GRANT_BLOCK);
	finding = judge(&scene, "cn=d");
	ck_assert(!finding.applies);
	ck_assert_int_eq(finding.reason, B2B_REASON_NONE);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

START_TEST(test_decide_access__invalid_denies_everybody)
{
	static const struct {
		const char *lines;
		bool denies;
	} cases[] = {
		{ ON "b2bCaGrant: x", true },
		{ ON "b2bCaGrant: mfa\nb2bCaIncludePartner: other\nb2bCaIncludeNetwork: x", true },
		{ ON "b2bCaGrant: mfa\nb2bCaExcludeGuest: " GUEST_DN "\nb2bCaBelowSsf: x", true },
		{ "b2bCaGrant: mfa", true },
		{ "b2bCaState: off\nb2bCaGrant: mfa", true },
		{ "b2bCaState: disabled\nb2bCaState: disabled", true },
		{ REPORT "b2bCaGrant: x", false },
		{ OFF "b2bCaGrant: x", false },
		{ OFF "b2bCaBelowSsf: 1", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene scene = set_scene(&plain);
		struct b2b_access_finding finding;

		put_access(&scene, "cn=p", cases[i].lines);
		ck_assert(b2b_snapshot_rule(scene.snapshot, "cn=p")->invalid);
		scene.context.sign_in.own_mfa = true;
		finding = judge(&scene, "cn=p");
		ck_assert_int_eq(finding.applies, cases[i].denies);
		ck_assert_int_eq(finding.reason,
				 cases[i].denies ? B2B_REASON_POLICY_INVALID : B2B_REASON_NONE);
		ck_assert_msg((decide(&scene).effect == B2B_DENY) == cases[i].denies, "%zu", i);
		if (cases[i].denies) {
			ck_assert_int_eq(decide(&scene).reason, B2B_REASON_POLICY_INVALID);
			ck_assert_str_eq(decide(&scene).rule, "cn=p");
			put_access(&scene, "cn=a", ON "b2bCaGrant: tls");
			ck_assert_str_eq(decide(&scene).rule, "cn=a");
			put_access(&scene, "cn=z", ON "b2bCaGrant: block");
			ck_assert_str_eq(decide(&scene).rule, "cn=z");
		}
		b2b_snapshot_unref(&scene.snapshot);
	}
}
END_TEST

START_TEST(test_decide_access__label_cap)
{
	static const struct {
		const char *a, *b;
		uint32_t cap;
	} cases[] = {
		{ ON "b2bCaMaxLabel: Secret", NULL, 2 },
		{ ON "b2bCaMaxLabel: general", NULL, 1 },
		{ ON "b2bCaMaxLabel: General", ON "b2bCaMaxLabel: Secret", 1 },
		{ ON "b2bCaMaxLabel: Secret", ON "b2bCaMaxLabel: General", 1 },
		{ ON "b2bCaMaxLabel: Secret", ON "b2bCaMaxLabel: Unheard", 0 },
		{ ON "b2bCaMaxLabel: Unheard", ON "b2bCaMaxLabel: Secret", 0 },
		{ ON "b2bCaMaxLabel: General\nb2bCaIncludeApp: pay", NULL, B2B_RANK_UNKNOWN },
		{ ON "b2bCaMaxLabel: General\nb2bCaIncludeApp: pay", ON "b2bCaMaxLabel: Secret",
		  2 },
		{ ON "b2bCaMaxLabel: General\nb2bCaSignInFrequency: 60", NULL, 1 },
		{ ON "b2bCaSignInFrequency: 60", NULL, B2B_RANK_UNKNOWN },
		{ REPORT "b2bCaMaxLabel: Public", ON "b2bCaMaxLabel: General", 1 },
		{ OFF "b2bCaMaxLabel: Public", NULL, B2B_RANK_UNKNOWN },
		{ NULL, NULL, B2B_RANK_UNKNOWN },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene scene = set_scene(&plain);
		struct b2b_verdict verdict;

		put_access(&scene, "cn=a", cases[i].a);
		put_access(&scene, "cn=b", cases[i].b);
		scene.context.sign_in.when = NOW;
		verdict = decide(&scene);
		ck_assert_int_eq(verdict.effect, B2B_ALLOW);
		ck_assert_msg(verdict.label_cap == cases[i].cap, "%zu: %u", i, verdict.label_cap);
		put_access(&scene, "cn=c", ON "b2bCaGrant: mfa");
		ck_assert_uint_eq(decide(&scene).label_cap, 0);
		b2b_snapshot_unref(&scene.snapshot);
	}
}
END_TEST

START_TEST(test_decide_label__capped_by_verdict)
{
	static const struct {
		const char *label, *clearance;
		uint32_t cap;
		bool seen;
	} cases[] = {
		{ "Secret", "Secret", B2B_RANK_UNKNOWN, true },
		{ "Secret", "Secret", 2, true },
		{ "Secret", "Secret", 1, false },
		{ "General", "Secret", 1, true },
		{ "General", "Secret", 0, false },
		{ "Public", "Secret", 0, true },
		{ "", "Secret", 0, true },
		{ "General", "Public", 2, false },
		{ "Unheard", "Secret", B2B_RANK_UNKNOWN, false },
	};
	struct scene scene = set_scene(&plain);

	for (size_t i = 0; i < COUNT(cases); i++) {
		scene.guest.clearance = b2b_str_of(cases[i].clearance);
		ck_assert_msg(b2b_decide_label(scene.snapshot, &scene.guest, NULL, cases[i].cap,
					       b2b_str_of(cases[i].label)) == cases[i].seen,
			      "%zu", i);
	}
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

/* What is not there, or is nothing, denies. */
START_TEST(test_access_judge__zero_denies)
{
	static const struct b2b_guest nobody;
	static const struct b2b_context nowhere;
	static const struct b2b_rule nothing;
	struct scene scene = set_scene(&plain);
	const struct b2b_snapshot *snapshot = scene.snapshot;
	const struct b2b_rule *policy, *other = b2b_snapshot_rule(snapshot, "cn=wiki");
	struct b2b_access_finding findings[7];

	put_access(&scene, "cn=p", ON "b2bCaGrant: mfa\nb2bCaSignInFrequency: 60");
	snapshot = scene.snapshot;
	policy = b2b_snapshot_rule(snapshot, "cn=p");
	findings[0] = b2b_access_judge(NULL, policy, &scene.guest, NULL, &scene.context);
	findings[1] = b2b_access_judge(snapshot, NULL, &scene.guest, NULL, &scene.context);
	findings[2] = b2b_access_judge(snapshot, policy, NULL, NULL, &scene.context);
	findings[3] = b2b_access_judge(snapshot, policy, &scene.guest, NULL, NULL);
	findings[4] = b2b_access_judge(snapshot, &nothing, &scene.guest, NULL, &scene.context);
	findings[5] = b2b_access_judge(snapshot, other, &scene.guest, NULL, &scene.context);
	findings[6] = b2b_access_judge(snapshot, policy, &nobody, &nothing, &nowhere);
	for (size_t i = 0; i < COUNT(findings); i++) {
		ck_assert_msg(findings[i].applies, "%zu", i);
		ck_assert_int_eq(findings[i].reason,
				 i < 6 ? B2B_REASON_POLICY_INVALID : B2B_REASON_MFA_REQUIRED);
	}
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide_access");
	TCase *tcase = tcase_create("decide_access");

	tcase_add_loop_test(tcase, test_decide_access__stages, 0, (int)COUNT(stages));
	tcase_add_test(tcase, test_decide_access__sign_in_frequency);
	tcase_add_test(tcase, test_decide_access__earliest_bound);
	tcase_add_test(tcase, test_decide_access__which_one_denies);
	tcase_add_test(tcase, test_decide_access__all_must_be_satisfied);
	tcase_add_test(tcase, test_decide_access__report_only_and_disabled);
	tcase_add_test(tcase, test_decide_access__invalid_denies_everybody);
	tcase_add_test(tcase, test_decide_access__label_cap);
	tcase_add_test(tcase, test_decide_label__capped_by_verdict);
	tcase_add_test(tcase, test_access_judge__zero_denies);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
