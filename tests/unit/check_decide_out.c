/*
 * check_decide_out.c - unit tests of decide_out.c: what our own members may be elsewhere.
 * In: tables of policies as text.
 * Out: libcheck's summary.
 */
#include "scene.h"

#include <stdio.h>

#define UUID "3b9c1f0e-0000-4000-8000-000000000001"
#define MIA "uid=mia,ou=people"
#define SALES "cn=sales,ou=groups"

static const struct b2b_str mia_groups[] = { { MIA, sizeof MIA - 1 }, { SALES, sizeof SALES - 1 } };
static const struct b2b_member mia = {
	.subject = { UUID, sizeof UUID - 1 },
	.groups = mia_groups,
	.group_count = 2,
	.groups_known = true,
};
static const enum b2b_scope scopes[] = { B2B_COLLAB_OUT, B2B_DIRECT_OUT };

static const char *scope_name(enum b2b_scope scope)
{
	return scope == B2B_COLLAB_OUT ? "CollabOut" : "DirectOut";
}

static enum b2b_reason users_reason(enum b2b_scope scope)
{
	return scope == B2B_COLLAB_OUT ? B2B_REASON_OUTBOUND_USERS : B2B_REASON_DIRECT_CONNECT;
}

static enum b2b_reason apps_reason(enum b2b_scope scope)
{
	return scope == B2B_COLLAB_OUT ? B2B_REASON_OUTBOUND_APPS : B2B_REASON_DIRECT_CONNECT;
}

/* Decides about mia and the application wiki (or another) of partner fab. */
static struct b2b_verdict decide_out(const struct policy *policy, enum b2b_scope scope,
				     const char *app, const struct b2b_member *member,
				     const char *rule)
{
	struct scene scene = set_scene(policy);
	struct b2b_verdict verdict = b2b_decide_out(scene.snapshot, b2b_str_of("FAB"),
						    b2b_str_of(app), member, scope, NOW);

	ck_assert((verdict.effect == B2B_ALLOW) == (verdict.reason == B2B_REASON_NONE));
	if (rule)
		ck_assert_msg(verdict.rule && !strcmp(verdict.rule, rule), "%s, not %s",
			      verdict.rule ? verdict.rule : "NULL", rule);
	else
		ck_assert_ptr_null(verdict.rule);
	verdict.half_set = verdict.half_set ? "set" : NULL;
	b2b_snapshot_unref(&scene.snapshot);
	return verdict;
}

static void expect_out(const struct policy *policy, enum b2b_scope scope, enum b2b_reason reason,
		       const char *rule)
{
	struct b2b_verdict verdict = decide_out(policy, scope, "wiki", &mia, rule);

	ck_assert_msg(verdict.reason == reason, "%s: %s, not %s (%s | %s)", scope_name(scope),
		      b2b_reason_name(verdict.reason), b2b_reason_name(reason), policy->partner,
		      policy->defaults ? policy->defaults : "-");
}

/* The table of the design, said once more: U and A as truth values, the cells one by one. */
static bool permitted(bool users_allowed, bool apps_allowed, bool u, bool a)
{
	if (users_allowed && apps_allowed)
		return u && a;
	if (users_allowed)
		return u && !a;
	if (apps_allowed)
		return !u && a;
	return !(u && a);
}

enum match { MATCHES, MATCHES_NOT, ALL };

static void write_half(char *lines, size_t size, enum b2b_scope scope, bool apps, bool allowed,
		       enum match match)
{
	size_t used = strlen(lines);
	const char *half = apps ? "Apps" : "Users";
	const char *target = match == MATCHES_NOT ? "somebody-else" : apps ? "wiki" : UUID;

	used += (size_t)snprintf(lines + used, size - used, "\nb2b%s%sAccess: %s",
				 scope_name(scope), half, allowed ? "allowed" : "blocked");
	if (match != ALL)
		snprintf(lines + used, size - used, "\nb2b%s%sTarget: %s", scope_name(scope), half,
			 target);
}

static enum b2b_reason expected(enum b2b_scope scope, bool users_allowed, bool apps_allowed,
				enum match users, enum match apps)
{
	bool u = users != MATCHES_NOT, a = apps != MATCHES_NOT;

	if (permitted(users_allowed, apps_allowed, u, a))
		return B2B_REASON_NONE;
	if (!users_allowed && !apps_allowed)
		return users == ALL && apps != ALL ? apps_reason(scope) : users_reason(scope);
	return u != users_allowed ? users_reason(scope) : apps_reason(scope);
}

/* Either scope x cell x (matches, matches not, all) of either half, at the partner and at the
 * default: 2 x 4 x 9 x 2, but for what is refused at the write. */
START_TEST(test_decide_out__every_cell)
{
	enum b2b_scope scope = scopes[_i / 4];
	bool users_allowed = _i & 2, apps_allowed = _i & 1;

	for (int cell = 0; cell < 9; cell++) {
		enum match users = (enum match)(cell / 3), apps = (enum match)(cell % 3);
		char partner[512] = "b2bTenantId: fab", defaults[512] = "cn: default";
		struct policy at_partner = { "cn: b2b", "cn: default", partner, NULL };
		struct policy at_default = { "cn: b2b", defaults, "b2bTenantId: fab", NULL };
		enum b2b_reason reason = expected(scope, users_allowed, apps_allowed, users, apps);

		if ((!users_allowed && users == ALL && apps_allowed) ||
		    (!apps_allowed && apps == ALL && users_allowed))
			continue;
		write_half(partner, sizeof partner, scope, false, users_allowed, users);
		write_half(partner, sizeof partner, scope, true, apps_allowed, apps);
		write_half(defaults, sizeof defaults, scope, false, users_allowed, users);
		write_half(defaults, sizeof defaults, scope, true, apps_allowed, apps);
		expect_out(&at_partner, scope, reason, PARTNER_DN);
		expect_out(&at_default, scope, reason, DEFAULT_DN);
	}
}
END_TEST

#define OUT_U(access) "\nb2bCollabOutUsersAccess: " access
#define OUT_UT(target) "\nb2bCollabOutUsersTarget: " target
#define OUT_A(access) "\nb2bCollabOutAppsAccess: " access
#define OUT_AT(target) "\nb2bCollabOutAppsTarget: " target

/* Half a setting: that half and the default's whole verdict.  In never speaks for Out. */
static const struct {
	const char *partner, *defaults;
	enum b2b_reason reason;
	const char *rule;
	bool half;
} inherited[] = {
	{ "", NULL, B2B_REASON_NONE, PARTNER_DN, false },
	{ "", "", B2B_REASON_NONE, DEFAULT_DN, false },
	{ "", OUT_U("blocked") OUT_A("blocked"), B2B_REASON_OUTBOUND_USERS, DEFAULT_DN, false },
	{ OUT_U("allowed") OUT_A("allowed"), OUT_U("blocked") OUT_A("blocked"), B2B_REASON_NONE,
	  PARTNER_DN, false },
	{ OUT_U("blocked") OUT_A("blocked"), OUT_U("allowed") OUT_A("allowed"),
	  B2B_REASON_OUTBOUND_USERS, PARTNER_DN, false },
	{ "\nb2bCollabInUsersAccess: blocked\nb2bCollabInAppsAccess: blocked", "", B2B_REASON_NONE,
	  DEFAULT_DN, false },
	{ "\nb2bDirectOutUsersAccess: blocked\nb2bDirectOutAppsAccess: blocked", "",
	  B2B_REASON_NONE, DEFAULT_DN, false },
	{ OUT_U("allowed"), OUT_U("blocked") OUT_A("blocked"), B2B_REASON_OUTBOUND_USERS,
	  DEFAULT_DN, true },
	{ OUT_U("blocked") OUT_UT(UUID), "", B2B_REASON_OUTBOUND_USERS, PARTNER_DN, true },
	{ OUT_A("blocked") OUT_AT("wiki"), "", B2B_REASON_OUTBOUND_APPS, PARTNER_DN, true },
	{ OUT_A("allowed") OUT_AT("other"), "", B2B_REASON_OUTBOUND_APPS, PARTNER_DN, true },
	{ OUT_A("allowed") OUT_AT("wiki"), "", B2B_REASON_NONE, PARTNER_DN, true },
	{ "", OUT_U("blocked") OUT_UT(UUID), B2B_REASON_OUTBOUND_USERS, DEFAULT_DN, false },
	{ "", OUT_A("allowed") OUT_AT("other"), B2B_REASON_OUTBOUND_APPS, DEFAULT_DN, false },
};

START_TEST(test_decide_out__inheritance)
{
	char partner[256], defaults[256];
	struct policy policy = { "cn: b2b", defaults, partner, NULL };
	struct b2b_verdict verdict;

	snprintf(partner, sizeof partner, "b2bTenantId: fab%s", inherited[_i].partner);
	if (inherited[_i].defaults)
		snprintf(defaults, sizeof defaults, "cn: default%s", inherited[_i].defaults);
	else
		policy.defaults = NULL;
	expect_out(&policy, B2B_COLLAB_OUT, inherited[_i].reason, inherited[_i].rule);
	verdict = decide_out(&policy, B2B_COLLAB_OUT, "wiki", &mia, inherited[_i].rule);
	ck_assert(!verdict.half_set == !inherited[_i].half);
	/* of direct connect none of this says anything */
	if (!strstr(inherited[_i].partner, "Direct"))
		expect_out(&policy, B2B_DIRECT_OUT, B2B_REASON_DIRECT_CONNECT,
			   policy.defaults ? DEFAULT_DN : PARTNER_DN);
}
END_TEST

/* Who counts as a users target.  allowed: is let out by it; blocked: is kept in by it. */
static const struct {
	const char *target;
	bool group, known;
	bool allowed, blocked;
} targets[] = {
	{ "AllUsers", false, true, true, true },
	{ UUID, false, true, true, true },
	{ UUID, false, false, true, true },
	{ "3b9c1f0e-0000-4000-8000-000000000002", false, true, false, false },
	{ "3b9c1f0e-0000-4000-8000-000000000002", false, false, false, false },
	{ MIA, false, true, true, true },
	{ MIA, false, false, true, true },
	{ "uid=max,ou=people", false, true, false, false },
	{ SALES, true, true, true, true },
	{ SALES, false, true, true, true },
	{ SALES, true, false, true, true },
	{ "cn=staff,ou=groups", true, true, false, false },
	{ "cn=staff,ou=groups", false, true, false, false },
	/* who is in it is not known */
	{ "cn=staff,ou=groups", true, false, false, true },
	{ "cn=staff,ou=groups", false, false, false, true },
	{ "staff", true, false, false, true },
	/* the partner, by its tenant id; and another one */
	{ "fab", false, true, true, true },
	{ "Fab", false, true, true, true },
	{ " fab ", false, true, false, true },
	{ "contoso", false, true, false, false },
	{ "fab", true, true, false, false },
};

START_TEST(test_decide_out__users_targets)
{
	struct b2b_member member = mia;

	member.groups_known = targets[_i].known;
	for (int blocked = 0; blocked < 2; blocked++) {
		bool matched = blocked ? targets[_i].blocked : targets[_i].allowed;
		bool deny = blocked ? matched : !matched;
		char partner[256];
		struct policy policy = { "cn: b2b", NULL, partner, NULL };
		struct b2b_verdict verdict;

		snprintf(partner, sizeof partner, "b2bTenantId: fab" OUT_U("%s") OUT_UT("%s%s%s"),
			 blocked ? "blocked" : "allowed", targets[_i].target,
			 targets[_i].group ? "\nb2bGroupTarget: " : "",
			 targets[_i].group ? targets[_i].target : "");
		verdict = decide_out(&policy, B2B_COLLAB_OUT, "wiki", &member, PARTNER_DN);
		ck_assert_msg(verdict.reason ==
				      (deny ? B2B_REASON_OUTBOUND_USERS : B2B_REASON_NONE),
			      "%s: %s", partner, b2b_reason_name(verdict.reason));
	}
}
END_TEST

START_TEST(test_decide_out__apps_targets)
{
	static const struct {
		const char *app, *target;
		bool allowed, blocked;
	} cases[] = {
		{ "wiki", "wiki", true, true },           { "Wiki", "WIKI", true, true },
		{ "wiki", " Wiki ", false, true },        { "wik", "wiki", false, false },
		{ "", "directory", true, true },          { "", "wiki", false, false },
		{ "directory", "directory", true, true }, { "wiki", "AllApplications", true, true },
		{ "", "AllApplications", true, true },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int blocked = 0; blocked < 2; blocked++) {
			bool matched = blocked ? cases[i].blocked : cases[i].allowed;
			bool deny = blocked ? matched : !matched;
			char partner[256];
			/* an application of ours of this name means nothing */
			struct policy policy = { "cn: b2b", NULL, partner,
						 "cn: wiki\nb2bAppMaxLabel: x" };
			struct b2b_verdict verdict;

			snprintf(partner, sizeof partner,
				 "b2bTenantId: fab" OUT_A("%s") OUT_AT("%s"),
				 blocked ? "blocked" : "allowed", cases[i].target);
			verdict =
				decide_out(&policy, B2B_COLLAB_OUT, cases[i].app, &mia, PARTNER_DN);
			ck_assert_msg(verdict.reason ==
					      (deny ? B2B_REASON_OUTBOUND_APPS : B2B_REASON_NONE),
				      "%s, %s: %s", cases[i].app, partner,
				      b2b_reason_name(verdict.reason));
		}
	}
}
END_TEST

/* Who is not known, and what is broken, denies; rule NULL where no entry says so. */
START_TEST(test_decide_out__unclear_cases)
{
	static const struct {
		struct policy policy;
		enum b2b_reason reason;
		const char *rule;
	} cases[] = {
		{ { NULL, NULL, NULL, NULL }, B2B_REASON_POLICY_INVALID, NULL },
		{ { NULL, NULL, "b2bTenantId: fab", NULL }, B2B_REASON_POLICY_INVALID, NULL },
		{ { "b2bGuestLifetime: x", NULL, "b2bTenantId: fab", NULL },
		  B2B_REASON_POLICY_INVALID,
		  TENANT_DN },
		{ { "cn: b2b", NULL, NULL, NULL }, B2B_REASON_PARTNER_UNKNOWN, NULL },
		{ { "cn: b2b", NULL, "b2bTenantId: other", NULL },
		  B2B_REASON_PARTNER_UNKNOWN,
		  NULL },
		{ { "cn: b2b", NULL, "b2bTenantId: fab\nb2bIdp: x", NULL },
		  B2B_REASON_POLICY_INVALID,
		  PARTNER_DN },
		{ { "cn: b2b", "b2bCollabInUsersAccess: x", "b2bTenantId: fab", NULL },
		  B2B_REASON_POLICY_INVALID,
		  DEFAULT_DN },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t j = 0; j < COUNT(scopes); j++)
			expect_out(&cases[i].policy, scopes[j], cases[i].reason, cases[i].rule);
}
END_TEST

START_TEST(test_decide_out__what_is_not_given_denies)
{
	static const struct policy open = { "cn: b2b", NULL, "b2bTenantId: fab", NULL };
	static const struct b2b_member nobody;
	struct b2b_str fab = b2b_str_of("fab"), wiki = b2b_str_of("wiki"), none = { NULL, 0 };
	struct scene scene = set_scene(&open);
	const struct b2b_snapshot *snapshot = scene.snapshot;

	ck_assert_int_eq(b2b_decide_out(snapshot, fab, wiki, &mia, B2B_COLLAB_OUT, NOW).effect,
			 B2B_ALLOW);
	ck_assert_int_eq(b2b_decide_out(snapshot, fab, none, &mia, B2B_COLLAB_OUT, NOW).effect,
			 B2B_ALLOW);
	ck_assert_int_eq(b2b_decide_out(snapshot, fab, wiki, &nobody, B2B_COLLAB_OUT, NOW).reason,
			 B2B_REASON_OUTBOUND_USERS);
	ck_assert_int_eq(b2b_decide_out(snapshot, fab, wiki, &nobody, B2B_DIRECT_OUT, NOW).reason,
			 B2B_REASON_DIRECT_CONNECT);
	ck_assert_int_eq(b2b_decide_out(snapshot, fab, wiki, &nobody, B2B_COLLAB_OUT, NOW).effect,
			 B2B_DENY);
	ck_assert_int_eq(b2b_decide_out(snapshot, none, wiki, &mia, B2B_COLLAB_OUT, NOW).reason,
			 B2B_REASON_PARTNER_UNKNOWN);
	ck_assert_int_eq(b2b_decide_out(NULL, fab, wiki, &mia, B2B_COLLAB_OUT, NOW).effect,
			 B2B_DENY);
	ck_assert_int_eq(b2b_decide_out(snapshot, fab, wiki, NULL, B2B_COLLAB_OUT, NOW).effect,
			 B2B_DENY);
	ck_assert_int_eq(b2b_decide_out(snapshot, fab, wiki, &mia, B2B_COLLAB_OUT, 0).effect,
			 B2B_DENY);
	for (int scope = -1; scope <= B2B_SCOPE_COUNT; scope++)
		if (scope != B2B_COLLAB_OUT)
			ck_assert_int_eq(b2b_decide_out(snapshot, fab, wiki, &mia,
							(enum b2b_scope)scope, NOW)
						 .effect,
					 B2B_DENY);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide_out");
	TCase *tcase = tcase_create("decide_out");

	tcase_add_loop_test(tcase, test_decide_out__every_cell, 0, 4 * (int)COUNT(scopes));
	tcase_add_loop_test(tcase, test_decide_out__inheritance, 0, (int)COUNT(inherited));
	tcase_add_loop_test(tcase, test_decide_out__users_targets, 0, (int)COUNT(targets));
	tcase_add_test(tcase, test_decide_out__apps_targets);
	tcase_add_test(tcase, test_decide_out__unclear_cases);
	tcase_add_test(tcase, test_decide_out__what_is_not_given_denies);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
