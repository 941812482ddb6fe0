/*
 * check_access.c - unit tests of decide_access.c: whom policies are about, what they ask for.
 * In: tables of access policies as text, guests and circumstances.
 * Out: libcheck's summary.
 */
#include "scene.h"

#include <stdio.h>

#define ON "b2bCaState: enabled\n"
#define BLOCK ON "b2bCaGrant: block"
#define POLICY_DN "cn=p"

static const struct policy plain = { "b2bTermsVersion: 2026-A", NULL, "b2bTenantId: fab",
				     "cn: wiki" };

static struct b2b_access_finding judge(const struct scene *scene, const char *dn)
{
	return b2b_access_judge(scene->snapshot, b2b_snapshot_rule(scene->snapshot, dn),
				&scene->guest, scene->app, &scene->context);
}

/* The scene with one access policy. */
static struct scene set_access(const struct policy *policy, const char *lines)
{
	struct scene scene = set_scene(policy);

	put(&scene.snapshot, B2B_RULE_ACCESS, POLICY_DN, lines);
	return scene;
}

/* Both ways to ask agree on a single enabled policy. */
static struct b2b_access_finding judge_both(const struct scene *scene)
{
	struct b2b_access_finding finding = judge(scene, POLICY_DN);
	struct b2b_verdict verdict = decide(scene);

	ck_assert_msg(verdict.reason == finding.reason, "%s, not %s",
		      b2b_reason_name(verdict.reason), b2b_reason_name(finding.reason));
	ck_assert((verdict.effect == B2B_ALLOW) == (finding.reason == B2B_REASON_NONE));
	ck_assert_int_eq(strcmp(verdict.rule, POLICY_DN) == 0, verdict.effect != B2B_ALLOW);
	if (verdict.effect != B2B_ALLOW) {
		ck_assert_int_eq(verdict.until, 0);
		ck_assert_uint_eq(verdict.label_cap, 0);
	}
	return finding;
}

/* Whom and what a policy is about; the guest is Fab's uid=g, the application the wiki. */
static const struct {
	const char *conditions;
	bool member, directory, applies;
	const char *peer; /* NULL: not set */
	unsigned ssf;
} conditions[] = {
	{ "", false, false, true, NULL, 0 },
	/* partners: included broadly, excluded exactly */
	{ "\nb2bCaIncludePartner: FAB", false, false, true, NULL, 0 },
	{ "\nb2bCaIncludePartner: x\nb2bCaIncludePartner:  fab ", false, false, true, NULL, 0 },
	{ "\nb2bCaIncludePartner: fabrikam", false, false, false, NULL, 0 },
	{ "\nb2bCaExcludePartner: FAB", false, false, false, NULL, 0 },
	{ "\nb2bCaExcludePartner:  fab ", false, false, true, NULL, 0 },
	{ "\nb2bCaExcludePartner: x", false, false, true, NULL, 0 },
	{ "\nb2bCaIncludePartner: fab\nb2bCaExcludePartner: fab", false, false, false, NULL, 0 },
	/* kinds */
	{ "\nb2bCaIncludeUserType: Guest", false, false, true, NULL, 0 },
	{ "\nb2bCaIncludeUserType: Guest", true, false, false, NULL, 0 },
	{ "\nb2bCaIncludeUserType: Member", false, false, false, NULL, 0 },
	{ "\nb2bCaIncludeUserType: Member", true, false, true, NULL, 0 },
	{ "\nb2bCaExcludeUserType: Guest", false, false, false, NULL, 0 },
	{ "\nb2bCaExcludeUserType: Guest", true, false, true, NULL, 0 },
	{ "\nb2bCaExcludeUserType: Member", true, false, false, NULL, 0 },
	/* partner and kind both, where both are given */
	{ "\nb2bCaIncludePartner: fab\nb2bCaIncludeUserType: Guest", false, false, true, NULL, 0 },
	{ "\nb2bCaIncludePartner: fab\nb2bCaIncludeUserType: Guest", true, false, false, NULL, 0 },
	{ "\nb2bCaIncludePartner: x\nb2bCaIncludeUserType: Guest", false, false, false, NULL, 0 },
	/* guests, whatever their partner and kind */
	{ "\nb2bCaIncludeGuest: uid=a\nb2bCaIncludeGuest: " GUEST_DN, false, false, true, NULL, 0 },
	{ "\nb2bCaIncludeGuest: uid=a", false, false, false, NULL, 0 },
	{ "\nb2bCaIncludeGuest: UID=G,ou=guests", false, false, false, NULL, 0 },
	{ "\nb2bCaIncludeGuest: " GUEST_DN "\nb2bCaIncludePartner: x", false, false, true, NULL,
	  0 },
	{ "\nb2bCaIncludeGuest: " GUEST_DN "\nb2bCaIncludeUserType: Member", false, false, true,
	  NULL, 0 },
	{ "\nb2bCaIncludeGuest: uid=a\nb2bCaIncludePartner: fab", false, false, true, NULL, 0 },
	{ "\nb2bCaIncludeGuest: uid=a\nb2bCaIncludePartner: x", false, false, false, NULL, 0 },
	{ "\nb2bCaExcludeGuest: " GUEST_DN, false, false, false, NULL, 0 },
	{ "\nb2bCaExcludeGuest: uid=a", false, false, true, NULL, 0 },
	/* an exclusion wins by itself */
	{ "\nb2bCaIncludeGuest: " GUEST_DN "\nb2bCaExcludePartner: fab", false, false, false, NULL,
	  0 },
	{ "\nb2bCaIncludeGuest: " GUEST_DN "\nb2bCaExcludeUserType: Guest", false, false, false,
	  NULL, 0 },
	{ "\nb2bCaIncludeGuest: " GUEST_DN "\nb2bCaExcludeGuest: " GUEST_DN, false, false, false,
	  NULL, 0 },
	{ "\nb2bCaIncludePartner: fab\nb2bCaExcludeGuest: " GUEST_DN, false, false, false, NULL,
	  0 },
	/* applications */
	{ "\nb2bCaIncludeApp: WIKI", false, false, true, NULL, 0 },
	{ "\nb2bCaIncludeApp: pay\nb2bCaIncludeApp:  wiki ", false, false, true, NULL, 0 },
	{ "\nb2bCaIncludeApp: pay", false, false, false, NULL, 0 },
	{ "\nb2bCaIncludeApp: directory", false, false, false, NULL, 0 },
	{ "\nb2bCaIncludeApp: directory", false, true, true, NULL, 0 },
	{ "\nb2bCaIncludeApp: wiki", false, true, false, NULL, 0 },
	{ "\nb2bCaIncludeApp: pay\nb2bCaIncludeApp: AllApplications", false, false, true, NULL, 0 },
	{ "\nb2bCaExcludeApp: Wiki", false, false, false, NULL, 0 },
	{ "\nb2bCaExcludeApp: pay", false, false, true, NULL, 0 },
	{ "\nb2bCaExcludeApp:  wiki ", false, false, true, NULL, 0 },
	{ "\nb2bCaExcludeApp: Directory", false, true, false, NULL, 0 },
	{ "\nb2bCaIncludeApp: AllApplications\nb2bCaExcludeApp: wiki", false, false, false, NULL,
	  0 },
	/* networks; a peer that is not known is in every included one and in no excluded one */
	{ "\nb2bCaIncludeNetwork: 192.0.2.0/24", false, false, true, "192.0.2.9", 0 },
	{ "\nb2bCaIncludeNetwork: 192.0.2.0/24", false, false, true, "::ffff:192.0.2.9", 0 },
	{ "\nb2bCaIncludeNetwork: 192.0.2.0/24", false, false, false, "192.0.3.9", 0 },
	{ "\nb2bCaIncludeNetwork: 192.0.2.0/24", false, false, false, "2001:db8::1", 0 },
	{ "\nb2bCaIncludeNetwork: 192.0.2.0/24", false, false, true, NULL, 0 },
	{ "\nb2bCaIncludeNetwork: 10.0.0.0/8\nb2bCaIncludeNetwork: 2001:db8::/32", false, false,
	  true, "2001:db8::1", 0 },
	{ "\nb2bCaExcludeNetwork: 192.0.2.0/24", false, false, false, "192.0.2.9", 0 },
	{ "\nb2bCaExcludeNetwork: 192.0.2.0/24", false, false, true, "192.0.3.9", 0 },
	{ "\nb2bCaExcludeNetwork: 192.0.2.0/24", false, false, true, NULL, 0 },
	{ "\nb2bCaIncludeNetwork: 192.0.2.0/24\nb2bCaExcludeNetwork: 192.0.2.9", false, false,
	  false, "192.0.2.9", 0 },
	{ "\nb2bCaIncludeNetwork: 192.0.2.0/24\nb2bCaExcludeNetwork: 192.0.2.9", false, false, true,
	  "192.0.2.8", 0 },
	/* strength */
	{ "\nb2bCaBelowSsf: 128", false, false, true, NULL, 0 },
	{ "\nb2bCaBelowSsf: 128", false, false, true, NULL, 127 },
	{ "\nb2bCaBelowSsf: 128", false, false, false, NULL, 128 },
	{ "\nb2bCaBelowSsf: 128\nb2bCaIncludeNetwork: 192.0.2.0/24", false, false, false,
	  "192.0.3.9", 0 },
	{ "\nb2bCaBelowSsf: 128\nb2bCaIncludeNetwork: 192.0.2.0/24", false, false, true,
	  "192.0.2.9", 0 },
	/* all of them must hold */
	{ "\nb2bCaIncludePartner: fab\nb2bCaIncludeApp: wiki\nb2bCaBelowSsf: 128", false, false,
	  true, NULL, 0 },
	{ "\nb2bCaIncludePartner: fab\nb2bCaIncludeApp: pay\nb2bCaBelowSsf: 128", false, false,
	  false, NULL, 0 },
	{ "\nb2bCaIncludePartner: x\nb2bCaIncludeApp: wiki\nb2bCaBelowSsf: 128", false, false,
	  false, NULL, 0 },
};

START_TEST(test_access_judge__conditions)
{
	struct b2b_access_finding finding;
	struct scene scene;
	char lines[256];

	snprintf(lines, sizeof lines, BLOCK "%s", conditions[_i].conditions);
	scene = set_access(&plain, lines);
	ck_assert(!b2b_snapshot_rule(scene.snapshot, POLICY_DN)->invalid);
	if (conditions[_i].member)
		scene.guest.user_type = B2B_USER_MEMBER;
	if (conditions[_i].directory)
		scene.app = NULL;
	if (conditions[_i].peer)
		b2b_addr_parse(b2b_str_of(conditions[_i].peer), &scene.context.peer);
	scene.context.ssf = conditions[_i].ssf;
	finding = judge_both(&scene);
	ck_assert_msg(finding.applies == conditions[_i].applies, "%s", lines);
	ck_assert((finding.reason != B2B_REASON_NONE) == finding.applies);
	ck_assert_uint_eq(finding.missing, finding.applies ? B2B_GRANT_BLOCK : 0);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

/* Who has no name may be any of those included, and is none of those excluded. */
START_TEST(test_access_judge__without_a_name)
{
	struct scene scene = set_access(&plain, BLOCK "\nb2bCaIncludeGuest: uid=a");
	struct b2b_rule *nameless = test_broken(B2B_RULE_APP, "cn=x", "cn: a\ncn: b");

	ck_assert(!judge(&scene, POLICY_DN).applies);
	scene.guest.dn = NULL;
	ck_assert(judge(&scene, POLICY_DN).applies);
	put(&scene.snapshot, B2B_RULE_ACCESS, POLICY_DN, BLOCK "\nb2bCaExcludeGuest: uid=a");
	ck_assert(judge(&scene, POLICY_DN).applies);
	put(&scene.snapshot, B2B_RULE_ACCESS, POLICY_DN, BLOCK "\nb2bCaIncludeApp: pay");
	ck_assert(!judge(&scene, POLICY_DN).applies);
	scene.app = nameless;
	ck_assert(judge(&scene, POLICY_DN).applies);
	put(&scene.snapshot, B2B_RULE_ACCESS, POLICY_DN, BLOCK "\nb2bCaExcludeApp: pay");
	ck_assert(judge(&scene, POLICY_DN).applies);
	b2b_rule_unref(&nameless);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

/* Another name whose hash has the same last bits, so that only the list tells the two apart. */
static void write_alike(char *text, size_t size, const char *name)
{
	uint64_t hash = b2b_str_hash_similar(b2b_str_of(name)) % 64;

	for (int i = 0;; i++) {
		snprintf(text, size, "other-%d", i);
		if (b2b_str_hash_similar(b2b_str_of(text)) % 64 == hash)
			return;
	}
}

START_TEST(test_access_judge__other_names_of_like_hash)
{
	static const struct {
		const char *attr, *name;
	} cases[] = { { "b2bCaIncludePartner", "fab" }, { "b2bCaIncludeApp", "wiki" } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		char lines[128], other[32];
		struct scene scene;

		write_alike(other, sizeof other, cases[i].name);
		snprintf(lines, sizeof lines, BLOCK "\n%s: %s", cases[i].attr, other);
		scene = set_access(&plain, lines);
		ck_assert(!judge_both(&scene).applies);
		b2b_snapshot_unref(&scene.snapshot);
	}
}
END_TEST

/* What stands for several partners, and what is no application, say nothing of names. */
START_TEST(test_access_judge__names_of_nothing)
{
	struct scene scene = set_access(&plain, BLOCK "\nb2bCaIncludePartner: fab");

	put(&scene.snapshot, B2B_RULE_PARTNER, "cn=second", "b2bTenantId: FAB");
	ck_assert(b2b_snapshot_partner(scene.snapshot, b2b_str_of("fab"))->invalid);
	ck_assert(judge(&scene, POLICY_DN).applies);
	put(&scene.snapshot, B2B_RULE_ACCESS, POLICY_DN, BLOCK "\nb2bCaIncludeApp: wiki");
	scene.app = b2b_snapshot_rule(scene.snapshot, PARTNER_DN);
	ck_assert(judge(&scene, POLICY_DN).applies);
	ck_assert_int_eq(decide(&scene).effect, B2B_DENY);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

#define MFA B2B_GRANT_MFA
#define COMPLIANT B2B_GRANT_COMPLIANT_DEVICE
#define HYBRID B2B_GRANT_HYBRID_JOINED
#define TERMS B2B_GRANT_TERMS
#define TLS B2B_GRANT_TLS

static void write_grants(char *lines, size_t size, unsigned grants, bool any)
{
	static const char *const names[] = { "block",           "mfa",
					     "compliantDevice", "hybridJoinedDevice",
					     "terms",           "tls" };
	size_t used =
		(size_t)snprintf(lines, size, ON "b2bCaGrantOperator: %s", any ? "OR" : "AND");

	for (size_t i = 0; i < COUNT(names); i++)
		if (grants & 1u << i)
			used += (size_t)snprintf(lines + used, size - used, "\nb2bCaGrant: %s",
						 names[i]);
}

/* The order of the reasons, once more. */
static enum b2b_reason reason_of(unsigned missing)
{
	if (missing == 0)
		return B2B_REASON_NONE;
	if (missing & MFA)
		return B2B_REASON_MFA_REQUIRED;
	if (missing & (COMPLIANT | HYBRID))
		return B2B_REASON_DEVICE_REQUIRED;
	return missing & TERMS ? B2B_REASON_TERMS_REQUIRED : B2B_REASON_TLS_REQUIRED;
}

static void show(struct scene *scene, unsigned shown)
{
	scene->context.sign_in.mfa = shown & MFA;
	scene->context.sign_in.compliant_device = shown & COMPLIANT;
	scene->context.sign_in.hybrid_joined = shown & HYBRID;
	scene->guest.terms_accepted = b2b_str_of(shown & TERMS ? "2026-a" : "2025-A");
	scene->context.is_protected = shown & TLS;
}

/* Every set of grants, against every set of things shown, by AND and by OR. */
START_TEST(test_access_judge__grants)
{
	static const struct policy trusting = {
		"b2bTermsVersion: 2026-A", NULL,
		"b2bTenantId: fab\nb2bTrustMfa: TRUE\nb2bTrustCompliantDevice: TRUE\n"
		"b2bTrustHybridJoined: TRUE",
		"cn: wiki"
	};
	unsigned grants = (unsigned)_i << 1;

	for (int any = 0; any < 2; any++) {
		struct scene scene;
		char lines[256];

		write_grants(lines, sizeof lines, grants, any);
		scene = set_access(&trusting, lines);
		for (unsigned shown = 0; shown < 64; shown += 2) {
			unsigned missing = any && (grants & shown) ? 0
					   : any                   ? grants
								   : grants & ~shown;
			struct b2b_access_finding finding;

			show(&scene, shown);
			finding = judge_both(&scene);
			ck_assert(finding.applies);
			ck_assert_uint_eq(finding.missing, missing);
			ck_assert_int_eq(finding.reason, reason_of(missing));
			ck_assert_int_eq(finding.until, 0);
		}
		b2b_snapshot_unref(&scene.snapshot);
	}
}
END_TEST

START_TEST(test_access_judge__block_reasons)
{
	static const struct {
		const char *lines;
		enum b2b_reason reason;
	} cases[] = {
		{ BLOCK, B2B_REASON_BLOCKED },
		{ BLOCK "\nb2bCaIncludePartner: fab", B2B_REASON_BLOCKED },
		{ BLOCK "\nb2bCaIncludeNetwork: ::/0", B2B_REASON_NETWORK },
		{ BLOCK "\nb2bCaExcludeNetwork: 192.0.2.0/24", B2B_REASON_NETWORK },
		{ BLOCK "\nb2bCaBelowSsf: 1", B2B_REASON_TLS_REQUIRED },
		{ BLOCK "\nb2bCaBelowSsf: 1\nb2bCaIncludeNetwork: ::/0", B2B_REASON_NETWORK },
		{ BLOCK "\nb2bCaGrantOperator: OR", B2B_REASON_BLOCKED },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene scene = set_access(&plain, cases[i].lines);

		show(&scene, 63);
		ck_assert_msg(judge_both(&scene).reason == cases[i].reason, "%zu", i);
		b2b_snapshot_unref(&scene.snapshot);
	}
}
END_TEST

static const char *tristate(int value)
{
	return value == B2B_YES ? "TRUE" : "FALSE";
}

/* Home's word counts where the partner's entry trusts it, or says nothing and the default does. */
START_TEST(test_access_trust__partner_then_default)
{
	static const struct {
		const char *attr;
		unsigned grant;
	} kinds[] = { { "b2bTrustMfa", MFA },
		      { "b2bTrustCompliantDevice", COMPLIANT },
		      { "b2bTrustHybridJoined", HYBRID } };
	unsigned grant = kinds[_i].grant;

	for (int own = B2B_UNSET; own <= B2B_YES; own++) {
		for (int other = B2B_UNSET; other <= B2B_YES; other++) {
			char partner[128] = "b2bTenantId: fab", defaults[128] = "cn: default";
			struct policy policy = { "cn: b2b", defaults, partner, "cn: wiki" };
			bool trusted = own == B2B_UNSET ? other == B2B_YES : own == B2B_YES;
			struct scene scene;
			char lines[256];

			if (own)
				snprintf(partner, sizeof partner, "b2bTenantId: fab\n%s: %s",
					 kinds[_i].attr, tristate(own));
			if (other)
				snprintf(defaults, sizeof defaults, "%s: %s", kinds[_i].attr,
					 tristate(other));
			write_grants(lines, sizeof lines, grant, false);
			scene = set_access(&policy, lines);
			ck_assert_uint_eq(b2b_access_trust(scene.snapshot, b2b_str_of("FAB")),
					  trusted ? grant : 0);
			ck_assert_uint_eq(judge_both(&scene).missing, grant);
			show(&scene, grant);
			ck_assert_uint_eq(judge_both(&scene).missing, trusted ? 0 : grant);
			b2b_snapshot_unref(&scene.snapshot);
		}
	}
}
END_TEST

START_TEST(test_access_trust__nobody_knows)
{
	static const struct policy policies[] = {
		{ "cn: b2b", "b2bTrustMfa: TRUE", NULL, NULL },
		{ "cn: b2b", "b2bTrustMfa: TRUE", "b2bTenantId: fab\nb2bIdp: x", NULL },
		{ "cn: b2b", "b2bTrustMfa: TRUE\nb2bSyncIn: x", "b2bTenantId: fab", NULL },
		{ "cn: b2b", NULL, "b2bTenantId: fab\nb2bTrustMfa: TRUE\nb2bIdp: x", NULL },
	};

	for (size_t i = 0; i < COUNT(policies); i++) {
		struct scene scene = set_access(&policies[i], ON "b2bCaGrant: mfa");

		show(&scene, MFA);
		ck_assert_uint_eq(b2b_access_trust(scene.snapshot, b2b_str_of("fab")), 0);
		ck_assert_uint_eq(judge(&scene, POLICY_DN).missing, MFA);
		scene.context.sign_in.own_mfa = true;
		ck_assert_uint_eq(judge(&scene, POLICY_DN).missing, 0);
		b2b_snapshot_unref(&scene.snapshot);
	}
}
END_TEST

START_TEST(test_access_judge__own_mfa)
{
	struct scene scene = set_access(&plain, ON "b2bCaGrant: mfa");

	show(&scene, 63); /* home is not trusted */
	ck_assert_int_eq(judge_both(&scene).reason, B2B_REASON_MFA_REQUIRED);
	scene.context.sign_in.own_mfa = true;
	ck_assert_int_eq(judge_both(&scene).reason, B2B_REASON_NONE);
	b2b_snapshot_unref(&scene.snapshot);
}
END_TEST

START_TEST(test_access_judge__terms)
{
	static const struct {
		const char *tenant, *accepted;
		bool shown;
	} cases[] = {
		{ "b2bTermsVersion: 2026-A", "2026-A", true },
		{ "b2bTermsVersion: 2026-A", "2026-a", true },
		{ "b2bTermsVersion: 2026-A", "2026-A ", false },
		{ "b2bTermsVersion: 2026-A", "2026", false },
		{ "b2bTermsVersion: 2026-A", "", false },
		{ "cn: b2b", "2026-A", false },
		{ "cn: b2b", "", false },
		{ "b2bTermsVersion: 2026-A\nb2bGuestAccess: x", "2026-A", false },
		{ NULL, "", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct policy policy = { cases[i].tenant, NULL, "b2bTenantId: fab", NULL };
		struct scene scene = set_access(&policy, ON "b2bCaGrant: terms");

		scene.guest.terms_accepted = b2b_str_of(cases[i].accepted);
		ck_assert_msg(judge(&scene, POLICY_DN).missing == (cases[i].shown ? 0 : TERMS),
			      "%zu", i);
		b2b_snapshot_unref(&scene.snapshot);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access");
	TCase *tcase = tcase_create("access");

	tcase_add_loop_test(tcase, test_access_judge__conditions, 0, (int)COUNT(conditions));
	tcase_add_test(tcase, test_access_judge__without_a_name);
	tcase_add_test(tcase, test_access_judge__other_names_of_like_hash);
	tcase_add_test(tcase, test_access_judge__names_of_nothing);
	tcase_add_loop_test(tcase, test_access_judge__grants, 1, 32);
	tcase_add_test(tcase, test_access_judge__block_reasons);
	tcase_add_loop_test(tcase, test_access_trust__partner_then_default, 0, 3);
	tcase_add_test(tcase, test_access_trust__nobody_knows);
	tcase_add_test(tcase, test_access_judge__own_mfa);
	tcase_add_test(tcase, test_access_judge__terms);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
