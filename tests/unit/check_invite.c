/*
 * check_invite.c - unit tests of invite.c: domain lists, partners by domain, proofs by mail.
 * In: policies as text, people to be invited.
 * Out: libcheck's summary.
 */
#include "invite_scene.h"

#define ALLOW(...) OURS "\nb2bAllowedDomain: " __VA_ARGS__
#define BLOCK(...) OURS "\nb2bBlockedDomain: " __VA_ARGS__

static const struct plan domains[] = {
	{ .says = FAB_DN, .reason = B2B_REASON_NONE },
	{ .mail = "bob@FAB.Example", .says = FAB_DN, .reason = B2B_REASON_NONE },
	{ .tenant = BLOCK("fabrikam.example"),
	  .says = "has a domain of b2bBlockedDomain",
	  .reason = B2B_REASON_INBOUND_USERS },
	{ .tenant = BLOCK("FABRIKAM.example"),
	  .says = "mail: value \"bob@fabrikam.example\" has a domain of b2bBlockedDomain",
	  .reason = B2B_REASON_INBOUND_USERS },
	/* a block beats what the cross-tenant policy says, a named tenant, the partner of all */
	{ .tenant = BLOCK("fabrikam.example"),
	  .fab = FAB "\nb2bCollabInUsersAccess: allowed\n" ALL_APPS,
	  .tenant_id = "fab",
	  .any = ANY,
	  .says = "b2bBlockedDomain",
	  .reason = B2B_REASON_INBOUND_USERS },
	{ .tenant = BLOCK("evil.example"),
	  .mail = "bob@evil.example",
	  .any = ANY,
	  .says = "b2bBlockedDomain",
	  .reason = B2B_REASON_INBOUND_USERS },
	{ .tenant = BLOCK("evil.example\nb2bBlockedDomain: worse.example"),
	  .mail = "bob@Worse.Example",
	  .any = ANY,
	  .says = "b2bBlockedDomain",
	  .reason = B2B_REASON_INBOUND_USERS },
	{ .tenant = BLOCK("evil.example"), .says = FAB_DN, .reason = B2B_REASON_NONE },
	/* a name below a blocked one is another domain */
	{ .tenant = BLOCK("brikam.example"), .says = FAB_DN, .reason = B2B_REASON_NONE },
	{ .tenant = ALLOW("fabrikam.example"), .says = FAB_DN, .reason = B2B_REASON_NONE },
	{ .tenant = ALLOW("contoso.example"),
	  .says = "is not among b2bAllowedDomain",
	  .reason = B2B_REASON_INBOUND_USERS },
	{ .tenant = ALLOW("contoso.example"),
	  .mail = "bob@mail.contoso.example",
	  .any = ANY,
	  .says = "is not among b2bAllowedDomain",
	  .reason = B2B_REASON_INBOUND_USERS },
	/* allowed is not yet permitted */
	{ .tenant = ALLOW("fabrikam.example"),
	  .fab = FAB "\n" BLOCKED,
	  .says = "inbound-users, by " FAB_DN,
	  .reason = B2B_REASON_INBOUND_USERS },
	{ .tenant = ALLOW("unknown.example"),
	  .mail = "bob@unknown.example",
	  .says = "has a domain of no partner",
	  .reason = B2B_REASON_PARTNER_UNKNOWN },
	/* ours, whoever else says it is his */
	{ .mail = "bob@ours.example",
	  .says = "members are no guests",
	  .reason = B2B_REASON_INBOUND_USERS },
	{ .mail = "bob@OURS.example",
	  .any = ANY,
	  .tenant_id = "fab",
	  .con = "b2bTenantId: con\nb2bTenantDomain: ours.example",
	  .says = "members are no guests",
	  .reason = B2B_REASON_INBOUND_USERS },
	{ .mail = "bob@sub.ours.example", .any = ANY, .says = ANY_DN, .reason = B2B_REASON_NONE },
	/* nobody has checked it before */
	{ .mail = "bob@evil.example@fabrikam.example",
	  .says = "is not a bare address",
	  .reason = B2B_REASON_INBOUND_USERS },
	{ .mail = "bob@fabrikam.example.",
	  .any = ANY,
	  .says = "names no domain",
	  .reason = B2B_REASON_INBOUND_USERS },
	{ .mail = "", .says = "mail: value \"\" is empty", .reason = B2B_REASON_INBOUND_USERS },
};

START_TEST(test_invite_judge__domains)
{
	judge(&domains[_i], (size_t)_i);
}
END_TEST

static const struct plan partners[] = {
	/* named, else by its domain, else the one for all others */
	{ .con = CON, .tenant_id = "CON", .says = CON_DN, .reason = B2B_REASON_NONE },
	{ .con = CON, .any = ANY, .says = FAB_DN, .reason = B2B_REASON_NONE },
	{ .mail = "bob@contoso.example", .con = CON, .says = CON_DN, .reason = B2B_REASON_NONE },
	{ .mail = "bob@contoso.example", .any = ANY, .says = ANY_DN, .reason = B2B_REASON_NONE },
	{ .mail = "bob@contoso.example",
	  .says = "mail: value \"bob@contoso.example\" has a domain of no partner",
	  .reason = B2B_REASON_PARTNER_UNKNOWN },
	{ .any = ANY,
	  .tenant_id = "nobody",
	  .says = "tenant: value \"nobody\" is no partner",
	  .reason = B2B_REASON_PARTNER_UNKNOWN },
	{ .any = ANY,
	  .tenant_id = "*",
	  .says = "tenant: value \"*\" is no partner",
	  .reason = B2B_REASON_PARTNER_UNKNOWN },
	/* two say it is theirs: neither is guessed, though either can be named */
	{ .con = CON "\nb2bTenantDomain: FABRIKAM.example",
	  .says = "\"fabrikam.example\" is that of " CON_DN " and of " FAB_DN,
	  .reason = B2B_REASON_POLICY_INVALID },
	{ .con = CON "\nb2bTenantDomain: FABRIKAM.example",
	  .tenant_id = "fab",
	  .says = FAB_DN,
	  .reason = B2B_REASON_NONE },
	{ .mail = "bob@x.example",
	  .any = ANY,
	  .con = CON "\nb2bTenantDomain: *",
	  .says = "\"*\" is that of " ANY_DN " and of " CON_DN,
	  .reason = B2B_REASON_POLICY_INVALID },
	{ .any = ANY,
	  .con = CON "\nb2bTenantDomain: *",
	  .says = FAB_DN,
	  .reason = B2B_REASON_NONE },
	/* one tenant id in two entries */
	{ .con = "b2bTenantId: fab",
	  .says = "policy-invalid, by (several partners",
	  .reason = B2B_REASON_POLICY_INVALID },
	/* an entry that cannot be read denies, it is not passed over for the next */
	{ .fab = FAB "\nb2bCollabInUsersAccess: maybe",
	  .any = ANY,
	  .says = "policy-invalid, by " FAB_DN,
	  .reason = B2B_REASON_POLICY_INVALID },
	{ .fab = FAB "\nb2bCollabInUsersAccess: maybe",
	  .tenant_id = "fab",
	  .says = "policy-invalid, by " FAB_DN,
	  .reason = B2B_REASON_POLICY_INVALID },
	{ .defaults = "b2bTrustMfa: perhaps",
	  .says = "policy-invalid, by " DEFAULT_DN,
	  .reason = B2B_REASON_POLICY_INVALID },
	{ .tenant = OURS "\nb2bGuestLifetime: long",
	  .says = "policy-invalid, by " TENANT_DN,
	  .reason = B2B_REASON_POLICY_INVALID },
};

START_TEST(test_invite_judge__partners)
{
	judge(&partners[_i], (size_t)_i);
}
END_TEST

/* Nothing of a policy is there. */
START_TEST(test_invite_judge__empty)
{
	struct b2b_snapshot *snapshot = b2b_snapshot_new();
	struct b2b_invitee invitee = { .mail = b2b_str_of("bob@fabrikam.example") };
	const struct b2b_rule *partner;
	struct b2b_error error;
	enum b2b_reason reason;

	ck_assert_int_eq(b2b_invite_judge(snapshot, &invitee, NOW, &partner, &reason, &error),
			 B2B_ERR_INVALID);
	ck_assert_int_eq(reason, B2B_REASON_POLICY_INVALID);
	put(&snapshot, B2B_RULE_TENANT, TENANT_DN, OURS);
	ck_assert_int_eq(b2b_invite_judge(snapshot, &invitee, NOW, &partner, &reason, &error),
			 B2B_ERR_INVALID);
	ck_assert_int_eq(reason, B2B_REASON_PARTNER_UNKNOWN);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

/* Which partner a domain leads to follows each change of the policy. */
START_TEST(test_invite_judge__changes)
{
	const struct plan first = { .any = ANY, .con = CON };
	struct b2b_snapshot *snapshot = make(&first), *next;
	struct b2b_invitee invitee = { .mail = b2b_str_of("bob@contoso.example") };
	static const struct {
		const char *con; /* NULL: gone */
		const char *dn;
	} steps[] = {
		{ "b2bTenantId: con\nb2bTenantDomain: elsewhere.example", ANY_DN },
		{ CON, CON_DN },
		{ NULL, ANY_DN },
		{ CON, CON_DN },
		{ "b2bTenantId: con", ANY_DN },
	};

	for (size_t i = 0; i < COUNT(steps); i++) {
		const struct b2b_rule *partner;
		enum b2b_reason reason;

		put(&snapshot, B2B_RULE_PARTNER, CON_DN, steps[i].con);
		if (!steps[i].con) {
			next = b2b_snapshot_without(snapshot, CON_DN);
			b2b_snapshot_unref(&snapshot);
			snapshot = next;
		}
		ck_assert_int_eq(b2b_invite_judge(snapshot, &invitee, NOW, &partner, &reason, NULL),
				 B2B_OK);
		ck_assert_str_eq(partner->dn, steps[i].dn);
	}
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_invite_domain__lists)
{
	static const struct {
		const char *tenant, *mail;
		enum b2b_err err;
	} cases[] = {
		{ OURS, "bob@evil.example", B2B_OK },
		{ OURS, "no address", B2B_OK }, /* no list, no question */
		{ OURS, "", B2B_OK },
		{ OURS, "bob@ours.example", B2B_OK },
		{ BLOCK("evil.example"), "bob@good.example", B2B_OK },
		{ BLOCK("evil.example"), "bob@Evil.Example", B2B_ERR_INVALID },
		/* what is no address matches no list, and may not pass for that */
		{ BLOCK("evil.example"), "bob@evil.example.", B2B_ERR_INVALID },
		{ BLOCK("evil.example"), "bob@evil.example ", B2B_ERR_INVALID },
		{ BLOCK("evil.example"), "<bob@evil.example>", B2B_ERR_INVALID },
		{ BLOCK("evil.example"), "bob@ev\xc4\xb1l.example", B2B_ERR_INVALID },
		{ BLOCK("evil.example"), "", B2B_ERR_INVALID },
		{ ALLOW("good.example"), "bob@good.example", B2B_OK },
		{ ALLOW("good.example"), "bob@evil.example", B2B_ERR_INVALID },
		{ ALLOW("good.example"), "bob@evil.example@good.example", B2B_ERR_INVALID },
		{ ALLOW("good.example"), "", B2B_ERR_INVALID },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_rule *rule = test_rule(B2B_RULE_TENANT, TENANT_DN, cases[i].tenant);
		struct b2b_error error = { "" };

		ck_assert_msg(b2b_invite_domain(&rule->u.tenant, b2b_str_of(cases[i].mail),
						&error) == cases[i].err,
			      "%zu: %s", i, error.text);
		ck_assert((error.text[0] != '\0') == (cases[i].err != B2B_OK));
		b2b_rule_unref(&rule);
	}
}
END_TEST

START_TEST(test_invite_by_passcode__proofs)
{
	static const struct {
		const char *idps;
		enum b2b_idp pinned;
		bool by_passcode;
	} cases[] = {
		{ "b2bIdp: passcode", B2B_IDP_NONE, true },
		{ "b2bIdp: passcode", B2B_IDP_PASSCODE, true },
		{ "b2bIdp: passcode", B2B_IDP_OIDC, false },
		/* who has a provider gets no codes unless pinned */
		{ "b2bIdp: {0}oidc\nb2bIdp: {1}passcode", B2B_IDP_NONE, false },
		{ "b2bIdp: {0}passcode\nb2bIdp: {1}oidc", B2B_IDP_NONE, false },
		{ "b2bIdp: {0}oidc\nb2bIdp: {1}passcode", B2B_IDP_PASSCODE, true },
		{ "b2bIdp: {0}oidc\nb2bIdp: {1}passcode", B2B_IDP_OIDC, false },
		{ "b2bIdp: oidc", B2B_IDP_NONE, false },
		{ "b2bIdp: oidc", B2B_IDP_PASSCODE, false },
		{ "b2bIssuer: x", B2B_IDP_NONE, false },
		{ "b2bIssuer: x", B2B_IDP_PASSCODE, false },
	};
	struct b2b_rule *rule;

	for (size_t i = 0; i < COUNT(cases); i++) {
		char lines[128] = "b2bTenantId: fab\n";

		rule = test_rule(B2B_RULE_PARTNER, FAB_DN, strcat(lines, cases[i].idps));
		ck_assert_msg(b2b_invite_by_passcode(rule, cases[i].pinned) == cases[i].by_passcode,
			      "%zu", i);
		b2b_rule_unref(&rule);
	}
	ck_assert(!b2b_invite_by_passcode(NULL, B2B_IDP_PASSCODE));
	rule = test_broken(B2B_RULE_PARTNER, FAB_DN,
			   "b2bTenantId: fab\nb2bIdp: passcode\nb2bTokenOnce: x");
	ck_assert(!b2b_invite_by_passcode(rule, B2B_IDP_PASSCODE));
	b2b_rule_unref(&rule);
	rule = test_rule(B2B_RULE_APP, "cn=wiki", "cn: wiki");
	ck_assert(!b2b_invite_by_passcode(rule, B2B_IDP_PASSCODE));
	b2b_rule_unref(&rule);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("invite");
	TCase *tcase = tcase_create("invite");

	tcase_add_loop_test(tcase, test_invite_judge__domains, 0, (int)COUNT(domains));
	tcase_add_loop_test(tcase, test_invite_judge__partners, 0, (int)COUNT(partners));
	tcase_add_test(tcase, test_invite_judge__empty);
	tcase_add_test(tcase, test_invite_judge__changes);
	tcase_add_test(tcase, test_invite_domain__lists);
	tcase_add_test(tcase, test_invite_by_passcode__proofs);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
