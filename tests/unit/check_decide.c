/*
 * check_decide.c - unit tests of decide.c: cross-tenant settings, every cell and inheritance.
 * In: tables of policies as text.
 * Out: libcheck's summary.
 */
#include "scene.h"

#include <stdio.h>

static const char *const scope_names[B2B_SCOPE_COUNT] = { "CollabIn", "CollabOut", "DirectIn",
							  "DirectOut" };

/* How a half's target is written so that it matches or not. */
enum match { MATCHES, MATCHES_NOT, ALL };

static void write_half(char *lines, size_t size, enum b2b_scope scope, bool apps, bool allowed,
		       enum match match)
{
	size_t used = strlen(lines);
	const char *half = apps ? "Apps" : "Users";
	const char *target = match == MATCHES_NOT ? "somebody-else"
			     : apps               ? "wiki"
						  : "uid=bob,dc=home";

	used += (size_t)snprintf(lines + used, size - used, "\nb2b%s%sAccess: %s",
				 scope_names[scope], half, allowed ? "allowed" : "blocked");
	if (match != ALL)
		snprintf(lines + used, size - used, "\nb2b%s%sTarget: %s", scope_names[scope], half,
			 target);
}

static enum b2b_reason users_reason(enum b2b_scope scope)
{
	static const enum b2b_reason reasons[] = { B2B_REASON_INBOUND_USERS,
						   B2B_REASON_OUTBOUND_USERS,
						   B2B_REASON_DIRECT_CONNECT,
						   B2B_REASON_DIRECT_CONNECT };

	return reasons[scope];
}

static enum b2b_reason apps_reason(enum b2b_scope scope)
{
	static const enum b2b_reason reasons[] = { B2B_REASON_INBOUND_APPS,
						   B2B_REASON_OUTBOUND_APPS,
						   B2B_REASON_DIRECT_CONNECT,
						   B2B_REASON_DIRECT_CONNECT };

	return reasons[scope];
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

/* Every scope x cell x (matches, matches not, all) of either half, at the partner and at the
 * default: 4 x 4 x 9 x 2. */
START_TEST(test_decide__every_cell)
{
	enum b2b_scope scope = (enum b2b_scope)(_i / 4);
	bool users_allowed = _i & 2, apps_allowed = _i & 1;

	for (int users = MATCHES; users <= ALL; users++) {
		for (int apps = MATCHES; apps <= ALL; apps++) {
			bool u = users != MATCHES_NOT, a = apps != MATCHES_NOT;
			char partner[512] = "b2bTenantId: fab", defaults[512] = "cn: default";
			struct policy at_partner = { "cn: b2b", "cn: default", partner,
						     "cn: wiki" };
			struct policy at_default = { "cn: b2b", defaults, "b2bTenantId: fab",
						     "cn: wiki" };
			struct policy *policies[] = { &at_partner, &at_default };
			enum b2b_reason reason = B2B_REASON_NONE;

			/* refused at the write */
			if ((!users_allowed && users == ALL && apps_allowed) ||
			    (!apps_allowed && apps == ALL && users_allowed))
				continue;
			write_half(partner, sizeof partner, scope, false, users_allowed, users);
			write_half(partner, sizeof partner, scope, true, apps_allowed, apps);
			write_half(defaults, sizeof defaults, scope, false, users_allowed, users);
			write_half(defaults, sizeof defaults, scope, true, apps_allowed, apps);
			if (!permitted(users_allowed, apps_allowed, u, a)) {
				if (!users_allowed && !apps_allowed)
					reason = users == ALL && apps != ALL ? apps_reason(scope)
									     : users_reason(scope);
				else
					reason = u != users_allowed ? users_reason(scope)
								    : apps_reason(scope);
			}
			for (size_t i = 0; i < 2; i++) {
				struct scene scene = set_scene(policies[i]);
				struct b2b_verdict verdict;

				scene.context.scope = scope;
				verdict = decide(&scene);
				ck_assert_msg(verdict.reason == reason, "%s: %s, not %s\n%s",
					      scope_names[scope], b2b_reason_name(verdict.reason),
					      b2b_reason_name(reason), partner);
				ck_assert((verdict.effect == B2B_ALLOW) ==
					  (reason == B2B_REASON_NONE));
				ck_assert_str_eq(verdict.rule, i ? DEFAULT_DN : PARTNER_DN);
				ck_assert_ptr_null(verdict.half_set);
				b2b_snapshot_unref(&scene.snapshot);
			}
		}
	}
}
END_TEST

#define IN_U(access) "\nb2bCollabInUsersAccess: " access
#define IN_UT(target) "\nb2bCollabInUsersTarget: " target
#define IN_A(access) "\nb2bCollabInAppsAccess: " access
#define IN_AT(target) "\nb2bCollabInAppsTarget: " target
#define BOB "uid=bob,dc=home"

/* Half a setting: that half and the default's whole verdict. */
static const struct {
	const char *partner, *defaults;
	enum b2b_reason reason;
	const char *rule;
	bool half;
} inherited[] = {
	/* neither anywhere: the service default */
	{ "", NULL, B2B_REASON_NONE, PARTNER_DN, false },
	{ "", "", B2B_REASON_NONE, DEFAULT_DN, false },
	/* neither at the partner: the default's whole setting */
	{ "", IN_U("blocked") IN_A("blocked"), B2B_REASON_INBOUND_USERS, DEFAULT_DN, false },
	{ "", IN_U("allowed") IN_A("allowed"), B2B_REASON_NONE, DEFAULT_DN, false },
	/* a partner's whole setting overrides the default, both ways */
	{ IN_U("allowed") IN_A("allowed"), IN_U("blocked") IN_A("blocked"), B2B_REASON_NONE,
	  PARTNER_DN, false },
	{ IN_U("blocked") IN_A("blocked"), IN_U("allowed") IN_A("allowed"),
	  B2B_REASON_INBOUND_USERS, PARTNER_DN, false },
	/* another scope's setting overrides nothing here */
	{ "\nb2bCollabOutUsersAccess: blocked\nb2bCollabOutAppsAccess: blocked", "",
	  B2B_REASON_NONE, DEFAULT_DN, false },
	/* one half at the partner */
	{ IN_U("allowed"), NULL, B2B_REASON_NONE, PARTNER_DN, true },
	{ IN_U("allowed"), IN_U("blocked") IN_A("blocked"), B2B_REASON_INBOUND_USERS, DEFAULT_DN,
	  true },
	{ IN_U("allowed"), IN_U("allowed") IN_A("allowed") IN_AT("other"), B2B_REASON_INBOUND_APPS,
	  DEFAULT_DN, true },
	{ IN_U("allowed") IN_UT("uid=eve"), IN_U("allowed") IN_A("allowed"),
	  B2B_REASON_INBOUND_USERS, PARTNER_DN, true },
	{ IN_U("blocked") IN_UT(BOB), "", B2B_REASON_INBOUND_USERS, PARTNER_DN, true },
	{ IN_U("blocked") IN_UT("uid=eve"), "", B2B_REASON_NONE, PARTNER_DN, true },
	{ IN_U("blocked"), "", B2B_REASON_INBOUND_USERS, PARTNER_DN, true },
	{ IN_A("allowed") IN_AT("wiki"), "", B2B_REASON_NONE, PARTNER_DN, true },
	{ IN_A("allowed") IN_AT("other"), "", B2B_REASON_INBOUND_APPS, PARTNER_DN, true },
	{ IN_A("blocked") IN_AT("wiki"), "", B2B_REASON_INBOUND_APPS, PARTNER_DN, true },
	{ IN_A("blocked") IN_AT("other"), "", B2B_REASON_NONE, PARTNER_DN, true },
	{ IN_A("blocked") IN_AT("other"), IN_U("blocked") IN_UT(BOB), B2B_REASON_INBOUND_USERS,
	  DEFAULT_DN, true },
	/* one half at the default: that half and the service default */
	{ "", IN_U("allowed"), B2B_REASON_NONE, DEFAULT_DN, false },
	{ "", IN_U("blocked"), B2B_REASON_INBOUND_USERS, DEFAULT_DN, false },
	{ "", IN_A("blocked") IN_AT("wiki"), B2B_REASON_INBOUND_APPS, DEFAULT_DN, false },
	{ "", IN_A("allowed") IN_AT("wiki"), B2B_REASON_NONE, DEFAULT_DN, false },
};

START_TEST(test_decide__inheritance)
{
	char partner[256], defaults[256];
	struct policy policy = { "cn: b2b", defaults, partner, "cn: wiki" };
	struct b2b_verdict verdict;

	snprintf(partner, sizeof partner, "b2bTenantId: fab%s", inherited[_i].partner);
	if (inherited[_i].defaults)
		snprintf(defaults, sizeof defaults, "cn: default%s", inherited[_i].defaults);
	else
		policy.defaults = NULL;
	expect(&policy, inherited[_i].reason, inherited[_i].rule);
	verdict = decide_once(&policy, NULL);
	ck_assert(!verdict.half_set == !inherited[_i].half);
}
END_TEST

START_TEST(test_decide__direct_connect_is_blocked_by_default)
{
	static const struct policy policies[] = {
		{ "cn: b2b", NULL, "b2bTenantId: fab", NULL },
		{ "cn: b2b", "cn: default", "b2bTenantId: fab", NULL },
		{ "cn: b2b", "b2bDirectInUsersAccess: allowed\nb2bDirectOutUsersAccess: allowed",
		  "b2bTenantId: fab", NULL },
		{ "cn: b2b", NULL,
		  "b2bTenantId: fab\nb2bDirectInUsersAccess: allowed\n"
		  "b2bDirectOutAppsAccess: allowed",
		  NULL },
	};

	for (size_t i = 0; i < COUNT(policies); i++) {
		for (int scope = 0; scope < B2B_SCOPE_COUNT; scope++) {
			struct scene scene = set_scene(&policies[i]);
			bool direct = scope == B2B_DIRECT_IN || scope == B2B_DIRECT_OUT;

			scene.context.scope = (enum b2b_scope)scope;
			ck_assert_int_eq(decide(&scene).reason,
					 direct ? B2B_REASON_DIRECT_CONNECT : B2B_REASON_NONE);
			b2b_snapshot_unref(&scene.snapshot);
		}
	}
}
END_TEST

/* Who counts as a users target.  allowed: is let in by it; blocked: is kept out by it. */
static const struct {
	const char *target;
	bool group;
	const char *subject;
	const char *home_group; /* NULL: home did not say */
	bool allowed, blocked;
} targets[] = {
	{ BOB, false, BOB, NULL, true, true },
	{ "UID=Bob , DC=home", false, BOB, NULL, false, true },
	{ "uid=eve,dc=home", false, BOB, NULL, false, false },
	{ "FAB", false, BOB, NULL, true, true },
	{ "fab", false, "", NULL, true, true },
	{ " fab ", false, BOB, NULL, false, true },
	{ "fabrikam", false, BOB, NULL, false, false },
	/* the name of another partner */
	{ "contoso", false, BOB, NULL, false, false },
	{ "contoso", false, "", NULL, false, false },
	{ "contoso", false, "contoso", NULL, true, true },
	/* no subject known: may be anybody */
	{ BOB, false, "", NULL, false, true },
	/* groups */
	{ "cn=sales", true, BOB, NULL, false, true },
	{ "cn=sales", true, BOB, "cn=sales", true, true },
	{ "cn=sales", true, BOB, "CN = Sales", false, true },
	{ "cn=sales", true, BOB, "cn=other", false, false },
	{ "cn=sales", false, BOB, "cn=sales", true, true },
	{ "cn=sales", false, BOB, NULL, false, false },
	{ BOB, true, BOB, "cn=other", false, false }, /* a group is never a person */
	{ "fab", true, BOB, "cn=other", false, false },
};

START_TEST(test_decide__users_targets)
{
	for (int blocked = 0; blocked < 2; blocked++) {
		char partner[256];
		struct policy policy = { "cn: b2b", NULL, partner, "cn: wiki" };
		struct b2b_str group = b2b_str_of(targets[_i].home_group);
		bool matched = blocked ? targets[_i].blocked : targets[_i].allowed;
		bool deny = blocked ? matched : !matched;
		struct b2b_verdict verdict;
		struct scene scene;

		snprintf(partner, sizeof partner, "b2bTenantId: fab" IN_U("%s") IN_UT("%s%s%s"),
			 blocked ? "blocked" : "allowed", targets[_i].target,
			 targets[_i].group ? "\nb2bGroupTarget: " : "",
			 targets[_i].group ? targets[_i].target : "");
		scene = set_scene(&policy);
		put(&scene.snapshot, B2B_RULE_PARTNER, "cn=contoso", "b2bTenantId: contoso");
		scene.guest.home_subject = b2b_str_of(targets[_i].subject);
		scene.context.home_groups = &group;
		scene.context.home_group_count = targets[_i].home_group ? 1 : 0;
		scene.context.home_groups_known = targets[_i].home_group != NULL;
		verdict = decide(&scene);
		ck_assert_msg(verdict.reason == (deny ? B2B_REASON_INBOUND_USERS : B2B_REASON_NONE),
			      "%s: %s", partner, b2b_reason_name(verdict.reason));
		b2b_snapshot_unref(&scene.snapshot);
	}
}
END_TEST

START_TEST(test_decide__apps_targets)
{
	static const struct {
		const char *app, *target; /* app NULL: directory */
		bool allowed, blocked;
	} cases[] = {
		{ "cn: wiki", "wiki", true, true },
		{ "cn: Wiki", "WIKI", true, true },
		{ "cn: wiki", " Wiki ", false, true },
		{ "cn: wiki", "wik", false, false },
		{ "cn: x\nb2bAppId: pay", "x", false, false },
		{ "cn: x\nb2bAppId: pay", "pay", true, true },
		{ NULL, "directory", true, true },
		{ NULL, "wiki", false, false },
		{ "cn: wiki", "AllApplications", true, true },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int blocked = 0; blocked < 2; blocked++) {
			char partner[256];
			struct policy policy = { "cn: b2b", NULL, partner, cases[i].app };
			bool matched = blocked ? cases[i].blocked : cases[i].allowed;
			bool deny = blocked ? matched : !matched;

			snprintf(partner, sizeof partner, "b2bTenantId: fab" IN_A("%s") IN_AT("%s"),
				 blocked ? "blocked" : "allowed", cases[i].target);
			expect(&policy, deny ? B2B_REASON_INBOUND_APPS : B2B_REASON_NONE,
			       PARTNER_DN);
		}
	}
}
END_TEST

/* A tenant on the default's allow list does not let in a stranger who is called like it. */
START_TEST(test_decide__subject_called_like_a_tenant)
{
	static const struct policy policy = { "cn: b2b",
					      "b2bCollabInUsersAccess: allowed" IN_UT("contoso")
						      IN_A("allowed"),
					      "b2bTenantId: fab", NULL };
	struct scene scene = set_scene(&policy);
	struct b2b_str group = b2b_str_of("contoso");

	scene.guest.home_subject = b2b_str_of("contoso");
	scene.context.home_groups = &group;
	scene.context.home_group_count = 1;
	scene.context.home_groups_known = true;
	ck_assert_int_eq(decide(&scene).reason, B2B_REASON_NONE);
	put(&scene.snapshot, B2B_RULE_PARTNER, "cn=contoso", "b2bTenantId: contoso");
	ck_assert_int_eq(decide(&scene).reason, B2B_REASON_INBOUND_USERS);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

/* The block and allow lists of the default policy. */
START_TEST(test_decide__tenant_lists)
{
	static const struct {
		const char *defaults;
		enum b2b_reason reason;
	} cases[] = {
		{ IN_U("blocked") IN_UT("fab") IN_A("blocked"), B2B_REASON_INBOUND_USERS },
		{ IN_U("blocked") IN_UT("other") IN_A("blocked"), B2B_REASON_NONE },
		{ IN_U("allowed") IN_UT("FAB") IN_UT("other") IN_A("allowed"), B2B_REASON_NONE },
		{ IN_U("allowed") IN_UT("other") IN_A("allowed"), B2B_REASON_INBOUND_USERS },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct policy policy = { "cn: b2b", cases[i].defaults + 1, "b2bTenantId: fab",
					 "cn: wiki" };

		expect(&policy, cases[i].reason, DEFAULT_DN);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide");
	TCase *tcase = tcase_create("decide");

	tcase_add_loop_test(tcase, test_decide__every_cell, 0, 4 * B2B_SCOPE_COUNT);
	tcase_add_loop_test(tcase, test_decide__inheritance, 0, (int)COUNT(inherited));
	tcase_add_test(tcase, test_decide__direct_connect_is_blocked_by_default);
	tcase_add_loop_test(tcase, test_decide__users_targets, 0, (int)COUNT(targets));
	tcase_add_test(tcase, test_decide__apps_targets);
	tcase_add_test(tcase, test_decide__subject_called_like_a_tenant);
	tcase_add_test(tcase, test_decide__tenant_lists);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
