/*
 * check_snapshot_keys.c - unit tests of snapshot_keys.c: issuers, audiences, conflicts.
 * In: rules compiled from text.
 * Out: libcheck's summary.
 */
#include "snapshots.h"

#include <stdio.h>

START_TEST(test_snapshot_conflict__claims)
{
	static const struct {
		enum b2b_rule_kind kind;
		const char *dn, *lines, *error; /* NULL: no conflict */
	} cases[] = {
		{ B2B_RULE_PARTNER, "cn=p", "b2bTenantId: fab", NULL },
		{ B2B_RULE_PARTNER, "cn=q", "b2bTenantId: FAB", "b2bTenantId: value \"fab\"" },
		{ B2B_RULE_PARTNER, "cn=q", "b2bTenantId: other", NULL },
		{ B2B_RULE_APP, "cn=a", "cn: wiki\nb2bAppPeer: 192.0.2.0/24", NULL },
		{ B2B_RULE_APP, "cn=b", "cn: WIKI", "b2bAppId: value \"wiki\" belongs to cn=a" },
		{ B2B_RULE_APP, "cn=b", "cn: b\nb2bAppServiceDN: cn=x\nb2bAppServiceDN: cn=s",
		  "b2bAppServiceDN: value \"cn=s\" belongs to cn=a" },
		{ B2B_RULE_APP, "cn=b", "cn: b\nb2bAppListener: LDAP://h:1",
		  "b2bAppListener: value \"LDAP://h:1\" belongs to cn=a" },
		{ B2B_RULE_APP, "cn=b", "cn: b\nb2bAppAudience: urn:other\nb2bAppAudience: urn:a",
		  "b2bAppAudience: value \"urn:a\" belongs to cn=a" },
		{ B2B_RULE_APP, "cn=b", "cn: b\nb2bAppAudience: URN:A", NULL },
		{ B2B_RULE_ACCESS, "cn=c", "b2bCaState: enabled\nb2bCaGrant: mfa", NULL },
		{ B2B_RULE_APP, "cn=b", "cn: b\nb2bAppPeer: 192.0.2.0/24", "b2bAppPeer: " },
		{ B2B_RULE_APP, "cn=b", "cn: b\nb2bAppPeer: 192.0.2.0/25", NULL },
		{ B2B_RULE_DEFAULT, "cn=default", "cn: default", NULL },
		{ B2B_RULE_DEFAULT, "cn=default2", "cn: default2", "there is a default policy" },
		{ B2B_RULE_TENANT, "cn=t", "cn: t", NULL },
	};
	struct b2b_snapshot *snapshot = b2b_snapshot_new();

	put(&snapshot, test_rule(B2B_RULE_PARTNER, "cn=p", "b2bTenantId: fab"));
	put(&snapshot, test_rule(B2B_RULE_DEFAULT, "cn=default", "cn: default"));
	put(&snapshot, test_rule(B2B_RULE_APP, "cn=a",
				 "cn: wiki\nb2bAppServiceDN: cn=s\nb2bAppListener: ldap://h:1/\n"
				 "b2bAppPeer: 192.0.2.0/24\nb2bAppAudience: urn:a"));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_rule *rule = test_rule(cases[i].kind, cases[i].dn, cases[i].lines);
		struct b2b_error error;
		enum b2b_err err = b2b_snapshot_conflict(snapshot, rule, &error);

		ck_assert_msg((err == B2B_OK) == !cases[i].error, "%zu: %s", i, error.text);
		if (cases[i].error)
			ck_assert_msg(strncmp(error.text, cases[i].error, strlen(cases[i].error)) ==
					      0,
				      "%s", error.text);
		b2b_rule_unref(&rule);
	}
	b2b_snapshot_unref(&snapshot);
}
END_TEST

#define ISSUER "b2bIssuer: https://login.example/v2"

static const char *issuer_at(const struct b2b_snapshot *snapshot, const char *issuer, size_t index)
{
	const struct b2b_rule *rule =
		b2b_snapshot_partner_by_issuer(snapshot, b2b_str_of(issuer), index);

	return rule ? rule->dn : "none";
}

/* Several partners may have one issuer; they come by DN, the broken among them. */
START_TEST(test_snapshot_partner_by_issuer__several)
{
	const char *issuer = "https://login.example/v2";
	struct b2b_snapshot *snapshot = b2b_snapshot_new(), *old;

	put(&snapshot, test_rule(B2B_RULE_PARTNER, "cn=m", "b2bTenantId: m\n" ISSUER));
	put(&snapshot, test_rule(B2B_RULE_PARTNER, "cn=z", "b2bTenantId: z\n" ISSUER));
	put(&snapshot, test_broken(B2B_RULE_PARTNER, "cn=a", ISSUER));
	put(&snapshot, test_rule(B2B_RULE_PARTNER, "cn=b",
				 "b2bTenantId: b\nb2bIssuer: https://LOGIN.example/v2"));
	put(&snapshot, test_rule(B2B_RULE_PARTNER, "cn=c", "b2bTenantId: c"));
	ck_assert_str_eq(issuer_at(snapshot, issuer, 0), "cn=a");
	ck_assert_str_eq(issuer_at(snapshot, issuer, 1), "cn=m");
	ck_assert_str_eq(issuer_at(snapshot, issuer, 2), "cn=z");
	ck_assert_str_eq(issuer_at(snapshot, issuer, 3), "none");
	ck_assert_str_eq(issuer_at(snapshot, "https://LOGIN.example/v2", 0), "cn=b");
	ck_assert_str_eq(issuer_at(snapshot, "https://LOGIN.example/v2", 1), "none");
	ck_assert_str_eq(issuer_at(snapshot, "https://login.example/v2/", 0), "none");
	ck_assert_str_eq(issuer_at(snapshot, "", 0), "none");
	/* a changed issuer leaves the old one, in the new snapshot alone */
	old = b2b_snapshot_ref(snapshot);
	put(&snapshot, test_rule(B2B_RULE_PARTNER, "cn=m", "b2bTenantId: m\nb2bIssuer: x"));
	ck_assert_str_eq(issuer_at(snapshot, issuer, 1), "cn=z");
	ck_assert_str_eq(issuer_at(snapshot, "x", 0), "cn=m");
	ck_assert_str_eq(issuer_at(old, issuer, 1), "cn=m");
	drop(&snapshot, "cn=a");
	ck_assert_str_eq(issuer_at(snapshot, issuer, 0), "cn=z");
	b2b_snapshot_unref(&old);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

/* A hub whose thousands of organisations share one issuer. */
START_TEST(test_snapshot_partner_by_issuer__thousands)
{
	const char *hub = "https://hub.example";
	struct b2b_snapshot *snapshot = b2b_snapshot_new();
	const struct b2b_rule *rule, *last = NULL;
	char dn[32], lines[128];
	size_t count = 0;

	for (int i = 0; i < 3000; i++) {
		int number = i * 7919 % 3000;

		snprintf(dn, sizeof dn, "cn=p%d", number);
		snprintf(lines, sizeof lines, "b2bTenantId: p%d\nb2bIssuer: %s%s", number,
			 number % 10 ? "https://hub.example" : "https://",
			 number % 10 ? "" : dn + 3);
		put(&snapshot, test_rule(B2B_RULE_PARTNER, dn, lines));
	}
	for (; (rule = b2b_snapshot_partner_by_issuer(snapshot, b2b_str_of(hub), count)); count++) {
		ck_assert(!last || strcmp(last->dn, rule->dn) < 0);
		last = rule;
	}
	ck_assert_uint_eq(count, 2700);
	ck_assert_ptr_null(b2b_snapshot_partner_by_issuer(snapshot, b2b_str_of(hub), SIZE_MAX));
	ck_assert_str_eq(issuer_at(snapshot, "https://p10", 0), "cn=p10");
	ck_assert_str_eq(issuer_at(snapshot, "https://p10", 1), "none");
	for (int i = 0; i < 3000; i += 2) {
		snprintf(dn, sizeof dn, "cn=p%d", i);
		drop(&snapshot, dn);
	}
	ck_assert_str_eq(issuer_at(snapshot, hub, 0), "cn=p1");
	ck_assert_str_eq(issuer_at(snapshot, hub, 1499), "cn=p999");
	ck_assert_str_eq(issuer_at(snapshot, hub, 1500), "none");
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_snapshot_conflict__issuers)
{
	static const struct {
		const char *dn, *lines;
		bool refused;
	} cases[] = {
		{ "cn=q", ISSUER, true },
		{ "cn=q", "b2bIssuer: https://other.example", false },
		{ "cn=q", "b2bIssuer: https://LOGIN.example/v2", false },
		{ "cn=q", ISSUER "\nb2bTenantClaim: tid=3", false },
		{ "cn=q", ISSUER "\nb2bTenantClaim: tid=2", true },
		{ "cn=q", ISSUER "\nb2bTenantClaim: tid=A", true },
		{ "cn=q", ISSUER "\nb2bTenantClaim: tid=3\nb2bTenantClaim: tid=2", true },
		{ "cn=q", ISSUER "\nb2bTenantClaim: TID=3", true },
		{ "cn=q", ISSUER "\nb2bTenantClaim: org=3", true },
		{ "cn=q", ISSUER "\nb2bTenantClaim: org=3\nb2bTenantClaim: tid=4", false },
		{ "cn=q", ISSUER "\nb2bTenantClaim: tid=a\nb2bTenantClaim: hd=y", false },
		/* another claim's value tells nothing, either way */
		{ "cn=q", ISSUER "\nb2bTenantClaim: tid=x", false },
		{ "cn=q", ISSUER "\nb2bTenantClaim: tid=3\nb2bTenantClaim: org=a", false },
		{ "cn=p", ISSUER, false }, /* itself */
	};
	struct b2b_snapshot *snapshot = b2b_snapshot_new();

	put(&snapshot, test_rule(B2B_RULE_PARTNER, "cn=p",
				 "b2bTenantId: p\n" ISSUER "\nb2bTenantClaim: tid=a\n"
				 "b2bTenantClaim: tid=2\nb2bTenantClaim: hd=x"));
	for (size_t i = 0; i < COUNT(cases); i++) {
		char lines[256];
		struct b2b_error error;
		struct b2b_rule *rule;

		snprintf(lines, sizeof lines, "b2bTenantId: %s\n%s", cases[i].dn + 3,
			 cases[i].lines);
		rule = test_rule(B2B_RULE_PARTNER, cases[i].dn, lines);
		ck_assert_msg((b2b_snapshot_conflict(snapshot, rule, &error) != B2B_OK) ==
				      cases[i].refused,
			      "%zu: %s", i, error.text);
		if (cases[i].refused)
			ck_assert_str_eq(error.text,
					 "b2bIssuer: value \"https://login.example/v2\" is that of "
					 "cn=p too, and no b2bTenantClaim tells the two apart");
		b2b_rule_unref(&rule);
	}
	b2b_snapshot_unref(&snapshot);
}
END_TEST

/* Each of the others is looked at, not the first alone; one that is broken counts. */
START_TEST(test_snapshot_conflict__any_of_several_issuers)
{
	struct b2b_snapshot *snapshot = b2b_snapshot_new();
	struct b2b_rule *rule = test_rule(B2B_RULE_PARTNER, "cn=n",
					  "b2bTenantId: n\n" ISSUER "\nb2bTenantClaim: tid=9");
	struct b2b_error error;

	put(&snapshot, test_rule(B2B_RULE_PARTNER, "cn=a",
				 "b2bTenantId: a\n" ISSUER "\nb2bTenantClaim: tid=1"));
	put(&snapshot, test_rule(B2B_RULE_PARTNER, "cn=n",
				 "b2bTenantId: n\n" ISSUER "\nb2bTenantClaim: tid=2"));
	put(&snapshot, test_rule(B2B_RULE_PARTNER, "cn=z",
				 "b2bTenantId: z\n" ISSUER "\nb2bTenantClaim: tid=3"));
	ck_assert_int_eq(b2b_snapshot_conflict(snapshot, rule, &error), B2B_OK);
	put(&snapshot, test_broken(B2B_RULE_PARTNER, "cn=z", "b2bTenantId: z\nb2bIdp: x\n" ISSUER));
	ck_assert_int_eq(b2b_snapshot_conflict(snapshot, rule, &error), B2B_ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(error.text, "cn=z"));
	b2b_rule_unref(&rule);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

static const struct b2b_rule *audience(const struct b2b_snapshot *snapshot, const char *text)
{
	return b2b_snapshot_app_by_audience(snapshot, b2b_str_of(text));
}

START_TEST(test_snapshot_app_by_audience__exactly)
{
	struct b2b_snapshot *snapshot = b2b_snapshot_new();

	put(&snapshot, test_rule(B2B_RULE_APP, "cn=a",
				 "cn: a\nb2bAppServiceDN: cn=s\nb2bAppListener: ldap://h\n"
				 "b2bAppAudience: api://a\nb2bAppAudience: urn:a\n"
				 "b2bAppAudience: urn:a"));
	put(&snapshot, test_rule(B2B_RULE_APP, "cn=b", "cn: b\nb2bAppAudience: API://a"));
	ck_assert_str_eq(audience(snapshot, "api://a")->dn, "cn=a");
	ck_assert_str_eq(audience(snapshot, "urn:a")->dn, "cn=a");
	ck_assert_str_eq(audience(snapshot, "API://a")->dn, "cn=b");
	ck_assert_ptr_null(audience(snapshot, "api://a/"));
	ck_assert_ptr_null(audience(snapshot, ""));
	put(&snapshot, test_rule(B2B_RULE_APP, "cn=c", "cn: c\nb2bAppAudience: urn:a"));
	ck_assert(audience(snapshot, "urn:a")->invalid);
	ck_assert_int_eq(audience(snapshot, "urn:a")->kind, B2B_RULE_APP);
	drop(&snapshot, "cn=a");
	ck_assert_str_eq(audience(snapshot, "urn:a")->dn, "cn=c");
	ck_assert_ptr_null(audience(snapshot, "api://a"));
	b2b_snapshot_unref(&snapshot);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshot_keys");
	TCase *tcase = tcase_create("snapshot_keys");

	tcase_add_test(tcase, test_snapshot_conflict__claims);
	tcase_add_test(tcase, test_snapshot_partner_by_issuer__several);
	tcase_add_test(tcase, test_snapshot_partner_by_issuer__thousands);
	tcase_add_test(tcase, test_snapshot_conflict__issuers);
	tcase_add_test(tcase, test_snapshot_conflict__any_of_several_issuers);
	tcase_add_test(tcase, test_snapshot_app_by_audience__exactly);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
