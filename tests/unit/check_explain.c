/*
 * check_explain.c - unit tests of explain.c: the trace agrees with the decision, and says why.
 * In: policies as text, chosen and random; guests and circumstances.
 * Out: libcheck's summary.
 */
#include "explain.h"
#include "scene.h"

#include <stdio.h>

#define ON "b2bCaState: enabled\n"
#define FAR "192.0.2.9"
#define STEPS_MAX 32

struct trace {
	struct {
		char rule[32], dn[128], detail[512];
		bool passed;
		enum b2b_reason reason;
	} steps[STEPS_MAX];
	size_t count;
};

static void note(void *ctx, const struct b2b_explain_step *step)
{
	struct trace *trace = ctx;

	ck_assert_uint_lt(trace->count, STEPS_MAX);
	ck_assert_int_eq(step->passed, step->reason == B2B_REASON_NONE);
	ck_assert_uint_gt(strlen(step->detail.text), 0);
	snprintf(trace->steps[trace->count].rule, 32, "%s", step->rule);
	snprintf(trace->steps[trace->count].dn, 128, "%s", step->dn ? step->dn : "");
	snprintf(trace->steps[trace->count].detail, 512, "%s", step->detail.text);
	trace->steps[trace->count].passed = step->passed;
	trace->steps[trace->count++].reason = step->reason;
}

static struct b2b_verdict explain(const struct scene *scene, struct trace *trace)
{
	struct b2b_explained what = { scene->snapshot, &scene->guest, scene->app, &scene->context,
				      scene->context.assigned ? "cn=team" : NULL };

	memset(trace, 0, sizeof *trace);
	return b2b_explain(&what, note, trace);
}

/* The trace and the decision say the same. */
static void agree(const struct scene *scene, struct trace *trace)
{
	struct b2b_verdict verdict = explain(scene, trace), decided = decide(scene);
	size_t first = 0;

	ck_assert_int_eq(verdict.effect, decided.effect);
	ck_assert_int_eq(verdict.reason, decided.reason);
	ck_assert_ptr_eq(verdict.rule, decided.rule);
	ck_assert_int_eq(verdict.until, decided.until);
	ck_assert_uint_eq(verdict.label_cap, decided.label_cap);
	while (first < trace->count && trace->steps[first].passed)
		first++;
	ck_assert_msg((first == trace->count) == (verdict.effect == B2B_ALLOW), "%s: %s",
		      b2b_reason_name(verdict.reason),
		      first < trace->count ? trace->steps[first].detail : "all passed");
	if (first == trace->count)
		return;
	ck_assert_msg(trace->steps[first].reason == verdict.reason, "%s, not %s",
		      b2b_reason_name(trace->steps[first].reason), b2b_reason_name(verdict.reason));
	ck_assert_str_eq(trace->steps[first].dn, verdict.rule ? verdict.rule : "");
}

/* The detail of the index-th step of a rule. */
static const char *said(const struct trace *trace, const char *rule, size_t index)
{
	for (size_t i = 0; i < trace->count; i++)
		if (strcmp(trace->steps[i].rule, rule) == 0 && index-- == 0)
			return trace->steps[i].detail;
	return "";
}

/* --- random policies --- */

static uint32_t state;

static unsigned roll(unsigned sides)
{
	state = state * 1103515245u + 12345u;
	return (state >> 16) % sides;
}

static bool once_in(unsigned sides)
{
	return roll(sides) == 0;
}

static const char *any(const char *const *list, size_t count)
{
	return list[roll((unsigned)count)];
}
#define ANY(list) any(list, COUNT(list))

static void add(char *lines, const char *name, const char *value)
{
	char *end = lines + strlen(lines);

	ck_assert_uint_lt(strlen(lines) + strlen(name) + strlen(value) + 4, 2048);
	sprintf(end, "%s%s: %s", *lines ? "\n" : "", name, value);
}

static void random_half(char *lines, const char *half, bool users)
{
	static const char *const access[] = { "allowed", "blocked" };
	static const char *const people[] = { "AllUsers", "uid=bob,dc=home", "g1", "g2", "Fab" };
	static const char *const apps[] = { "AllApplications", "wiki", "directory", "pay" };
	char name[64];

	snprintf(name, sizeof name, "%sAccess", half);
	add(lines, name, ANY(access));
	snprintf(name, sizeof name, "%sTarget", half);
	if (!once_in(3))
		add(lines, name, users ? ANY(people) : ANY(apps));
}

static void random_settings(char *lines)
{
	static const char *const truth[] = { "TRUE", "FALSE" };

	if (once_in(2))
		random_half(lines, "b2bCollabInUsers", true);
	if (once_in(2))
		random_half(lines, "b2bCollabInApps", false);
	if (once_in(2))
		random_half(lines, "b2bDirectInUsers", true);
	if (once_in(2))
		random_half(lines, "b2bDirectInApps", false);
	if (once_in(2))
		add(lines, "b2bTrustMfa", ANY(truth));
	if (!once_in(3))
		add(lines, "b2bAutoRedeemIn", ANY(truth));
}

static void random_access(char *lines)
{
	static const char *const states[] = { "enabled", "enabled", "enabled", "reportOnly",
					      "disabled" };
	static const char *const grants[] = { "mfa",   "terms",   "tls", "compliantDevice",
					      "block", "nonsense" };
	static const char *const apps[] = { "AllApplications", "wiki", "pay", "directory" };
	static const char *const networks[] = { "192.0.2.0/24", "10.0.0.0/8", "::/0" };
	static const char *const partners[] = { "fab", "acme" };
	static const char *const guests[] = { GUEST_DN, "uid=other" };

	add(lines, "b2bCaState", ANY(states));
	if (!once_in(3))
		add(lines, "b2bCaGrant", ANY(grants));
	if (once_in(2))
		add(lines, "b2bCaSignInFrequency", "600");
	if (once_in(3))
		add(lines, "b2bCaMaxLabel", "General");
	if (once_in(3))
		add(lines, once_in(2) ? "b2bCaIncludeApp" : "b2bCaExcludeApp", ANY(apps));
	if (once_in(3))
		add(lines, once_in(2) ? "b2bCaIncludeNetwork" : "b2bCaExcludeNetwork",
		    ANY(networks));
	if (once_in(3))
		add(lines, once_in(2) ? "b2bCaIncludePartner" : "b2bCaExcludePartner",
		    ANY(partners));
	if (once_in(3))
		add(lines, once_in(2) ? "b2bCaIncludeGuest" : "b2bCaExcludeGuest", ANY(guests));
	if (once_in(3))
		add(lines, "b2bCaBelowSsf", "128");
}

static void random_circumstances(struct scene *scene, const struct b2b_str *groups)
{
	struct b2b_guest *guest = &scene->guest;
	struct b2b_context *context = &scene->context;

	guest->enabled = !once_in(12);
	guest->accepted = !once_in(3);
	guest->well_formed = !once_in(40);
	guest->valid_from = once_in(12) ? NOW + 1 : 0;
	guest->valid_until = once_in(6) ? NOW - 10 + (time_t)roll(20) : 0;
	guest->review_due = once_in(8) ? NOW - 10 + (time_t)roll(20) : 0;
	guest->review = (enum b2b_review)roll(once_in(6) ? 3 : 2);
	guest->invited_at = once_in(4) ? NOW - (time_t)roll(60) * 86400 : 0;
	if (once_in(3))
		guest->terms_accepted = b2b_str_of("1");
	if (once_in(10))
		guest->home_subject = b2b_str_of(NULL);
	context->now = once_in(60) ? 0 : NOW;
	context->scope = once_in(4) ? B2B_DIRECT_IN : B2B_COLLAB_IN;
	context->assigned = once_in(3);
	context->home_groups_known = !once_in(3);
	context->home_groups = groups;
	context->home_group_count = roll(3);
	context->sign_in.when = once_in(6) ? 0 : NOW - (time_t)roll(1200);
	context->sign_in.mfa = once_in(2);
	context->sign_in.own_mfa = once_in(4);
	context->ssf = once_in(2) ? 256 : 0;
	context->is_protected = once_in(2);
	if (once_in(2))
		b2b_addr_parse(b2b_str_of(FAR), &context->peer);
}

static const struct b2b_str home_groups[] = { { "g1", 2 }, { "g2", 2 } };

static struct scene random_scene(void)
{
	static const char labels[] = "b2bTermsVersion: 1\nb2bLabelOrder: {0}Public\n"
				     "b2bLabelOrder: {1}General";
	char defaults[2048] = "", partner[2048] = "b2bTenantId: fab", app[2048] = "cn: wiki";
	struct policy policy = { once_in(20)   ? NULL
				 : once_in(20) ? "b2bGuestLifetime: nonsense"
				 : once_in(2)  ? "b2bTermsVersion: 1"
					       : labels,
				 once_in(3) ? NULL : defaults, once_in(12) ? NULL : partner,
				 once_in(3) ? NULL : app };
	struct scene scene;

	random_settings(defaults);
	random_settings(partner);
	if (once_in(2))
		add(app, "b2bAppAssignmentRequired", once_in(20) ? "perhaps" : "TRUE");
	if (once_in(2))
		add(app, "b2bAppAssignee", once_in(2) ? GUEST_DN : "cn=team");
	scene = set_scene(&policy);
	for (unsigned i = roll(5); i > 0; i--) {
		char lines[2048] = "", dn[16];

		random_access(lines);
		snprintf(dn, sizeof dn, "cn=p%u", i);
		put(&scene.snapshot, B2B_RULE_ACCESS, dn, lines);
	}
	/* of an older snapshot it would be the same rule */
	scene.app = b2b_snapshot_rule(scene.snapshot, "cn=wiki");
	random_circumstances(&scene, home_groups);
	return scene;
}

/* The first step that did not pass has the verdict's reason and rule; all passed iff it allows. */
START_TEST(test_explain__agrees_with_the_decision)
{
	unsigned told[B2B_REASON_COUNT] = { 0 };

	state = (uint32_t)_i;
	for (int round = 0; round < 5000; round++) {
		struct scene scene = random_scene();
		struct trace trace;

		agree(&scene, &trace);
		told[decide(&scene).reason]++;
		b2b_snapshot_unref(&scene.snapshot);
	}
	/* the generator reaches every reason that a decision about a guest can have */
	for (int reason = 0; reason < B2B_REASON_COUNT; reason++)
		ck_assert_msg(told[reason] > 0 || reason == B2B_REASON_LABEL ||
				      reason == B2B_REASON_OUTBOUND_USERS ||
				      reason == B2B_REASON_OUTBOUND_APPS,
			      "%s never", b2b_reason_name((enum b2b_reason)reason));
}
END_TEST

/* --- words --- */

static const struct policy plain = { "b2bTermsVersion: 1\nb2bLabelOrder: {0}Public\n"
				     "b2bLabelOrder: {1}General\nb2bLabelOrder: {2}Secret",
				     NULL, "b2bTenantId: fab", "cn: wiki" };

/* Whatever denies, what stands behind it is asked as well. */
START_TEST(test_explain__goes_on_after_a_denial)
{
	struct scene scene = set_scene(&plain);
	struct trace trace;

	put(&scene.snapshot, B2B_RULE_ACCESS, "cn=a", ON "b2bCaGrant: mfa");
	put(&scene.snapshot, B2B_RULE_ACCESS, "cn=b", ON "b2bCaGrant: block\nb2bCaIncludeApp: pay");
	put(&scene.snapshot, B2B_RULE_ACCESS, "cn=c", ON "b2bCaGrant: block");
	scene.guest.enabled = false;
	agree(&scene, &trace);
	ck_assert_str_eq(said(&trace, "policy", 0), "the policy can be read");
	ck_assert_str_eq(said(&trace, "guest record", 0), "disabled");
	ck_assert_str_eq(said(&trace, "partner", 0), "known");
	ck_assert_str_eq(said(&trace, "cross-tenant settings", 0), "permitted");
	ck_assert_str_eq(said(&trace, "assignment", 0), "not required");
	ck_assert_str_eq(said(&trace, "conditional access", 0),
			 "applies, as it is about everybody: denies: blocked");
	ck_assert_str_eq(said(&trace, "conditional access", 1),
			 "applies, as it is about everybody: denies: mfa-required (missing: mfa)");
	ck_assert_str_eq(said(&trace, "conditional access", 2),
			 "does not apply: it is not about this application");
	ck_assert_str_eq(said(&trace, "label", 0), "");
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

START_TEST(test_explain__words)
{
	static const struct {
		const char *lines, *words;
	} cases[] = {
		{ ON "b2bCaGrant: tls\nb2bCaBelowSsf: 128\nb2bCaIncludeNetwork: 192.0.2.0/24",
		  "applies, as it is about this network, the connection is too weak: denies: "
		  "tls-required (missing: tls)" },
		{ ON "b2bCaGrant: tls\nb2bCaExcludeNetwork: 192.0.2.0/24\nb2bCaBelowSsf: 128",
		  "does not apply: it is not about this network" },
		{ ON "b2bCaGrant: mfa\nb2bCaGrant: tls\nb2bCaGrantOperator: OR",
		  "applies, as it is about everybody: denies: mfa-required (missing one of: mfa, "
		  "tls)" },
		{ ON "b2bCaSignInFrequency: 600\nb2bCaMaxLabel: General\nb2bCaIncludePartner: fab",
		  "applies, as it is about this guest: satisfied, until 2027-01-15T08:10:00Z; "
		  "labels up to General" },
		{ "b2bCaState: reportOnly\nb2bCaGrant: block",
		  "would apply, as it is about everybody: reportOnly: denies: blocked" },
		{ "b2bCaState: disabled\nb2bCaGrant: block", "disabled" },
	};
	struct scene scene = set_scene(&plain);
	struct trace trace;

	scene.context.sign_in.when = NOW;
	b2b_addr_parse(b2b_str_of(FAR), &scene.context.peer);
	for (size_t i = 0; i < COUNT(cases); i++) {
		put(&scene.snapshot, B2B_RULE_ACCESS, "cn=p", cases[i].lines);
		agree(&scene, &trace);
		ck_assert_str_eq(said(&trace, "conditional access", 0), cases[i].words);
	}
	put(&scene.snapshot, B2B_RULE_ACCESS, "cn=p", "b2bCaState: disabled\nb2bCaGrant: mfa");
	scene.guest.clearance = b2b_str_of("General");
	agree(&scene, &trace);
	ck_assert_str_eq(said(&trace, "label", 0), "sees labels up to General");
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

/* Nothing to judge is denied, without a crash. */
START_TEST(test_explain__zero_denies)
{
	struct b2b_explained nothing = { NULL, NULL, NULL, NULL, NULL };
	struct b2b_guest nobody = { 0 };
	struct b2b_context nowhere = { 0 };
	struct b2b_explained little = { b2b_snapshot_new(), &nobody, NULL, &nowhere, NULL };
	struct b2b_snapshot *snapshot = (struct b2b_snapshot *)little.snapshot;
	struct trace trace = { .count = 0 };

	ck_assert_int_eq(b2b_explain(&nothing, note, &trace).effect, B2B_DENY);
	ck_assert_uint_eq(trace.count, 0);
	ck_assert_int_eq(b2b_explain(&little, note, &trace).effect, B2B_DENY);
	ck_assert_uint_eq(trace.count, 1);
	ck_assert(!trace.steps[0].passed);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("explain");
	TCase *tcase = tcase_create("explain");

	tcase_add_loop_test(tcase, test_explain__agrees_with_the_decision, 1, 5);
	tcase_add_test(tcase, test_explain__goes_on_after_a_denial);
	tcase_add_test(tcase, test_explain__words);
	tcase_add_test(tcase, test_explain__zero_denies);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
