/*
 * check_policy_tenant.c - unit tests of policy_tenant.c and of domains: who may invite, how much goes
 * at once, where guests are sent.
 * In: entries as text.  Out: libcheck's summary.
 */
#include "entry.h"

#include "text.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void expect_list(const struct b2b_list *list, const char *const *wanted)
{
	size_t count = 0;

	for (; wanted[count]; count++) {
		ck_assert_uint_lt(count, list->count);
		ck_assert_str_eq(list->list[count], wanted[count]);
	}
	ck_assert_uint_eq(list->count, count);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Our tokens' issuer as it is written; the keys beside it are for others, whatever they are. */
START_TEST(test_rule_compile__issuer)
{
	struct b2b_rule *rule = test_rule(B2B_RULE_TENANT, "cn=b2b",
					  "cn: b2b\nb2bTenantId: Ours\nb2bIssuer: urn:Ours\n"
					  "b2bJwks: nothing of use");

	ck_assert(!rule->invalid);
	ck_assert_str_eq(rule->u.tenant.tenant_id, "ours");
	ck_assert_str_eq(rule->u.tenant.issuer, "urn:Ours");
	b2b_rule_unref(&rule);
	rule = test_rule(B2B_RULE_TENANT, "cn=b2b", "cn: b2b");
	ck_assert_ptr_null(rule->u.tenant.issuer);
	b2b_rule_unref(&rule);
}
END_TEST

/* Nothing said: administrators invite, nobody asks, 500 guests or 20 %. */
START_TEST(test_rule_compile__silence)
{
	struct b2b_rule *rule = test_rule(B2B_RULE_TENANT, "cn=b2b", "cn: b2b");
	const struct b2b_tenant_policy *tenant = &rule->u.tenant;

	ck_assert_int_eq(tenant->inviters_are, B2B_INVITES_ADMINS);
	ck_assert_int_eq(tenant->self_service, B2B_ASKS_NONE);
	ck_assert_uint_eq(tenant->mass_limit.guests, 500);
	ck_assert_uint_eq(tenant->mass_limit.percent, 20);
	ck_assert_uint_eq(tenant->mass_confirm, 0);
	ck_assert_ptr_null(tenant->redemption_url);
	ck_assert(!tenant->request_hook);
	ck_assert_uint_eq(tenant->inviters.count + tenant->domains.count +
				  tenant->allowed_domains.count + tenant->blocked_domains.count +
				  tenant->fallback_reviewers.count + tenant->approvers.count +
				  tenant->request_requires.count,
			  0);
	b2b_rule_unref(&rule);
}
END_TEST

START_TEST(test_rule_compile__whole)
{
	struct b2b_rule *rule = test_rule(B2B_RULE_TENANT, "cn=b2b",
					  "b2bAllowInvitesFrom: Inviters\n"
					  "b2bInviter: uid=z\nb2bInviter: cn=team\n"
					  "b2bTenantDomain: Ours.Example\n"
					  "b2bTenantDomain: xn--bcher-kva.example\n"
					  "b2bBlockedDomain: Evil.example\n"
					  "b2bFallbackReviewer: uid=b\nb2bFallbackReviewer: uid=a\n"
					  "b2bApprover: uid=c\n"
					  "b2bMassConfirm: 812\n"
					  "b2bRedemptionUrl: https://join.ours.example/?t=\n"
					  "b2bSelfService: Anonymous\n"
					  "b2bRequestRequires: givenName\nb2bRequestRequires: sn\n"
					  "b2bRequestHook: TRUE");
	const struct b2b_tenant_policy *tenant = &rule->u.tenant;

	ck_assert_int_eq(tenant->inviters_are, B2B_INVITES_INVITERS);
	expect_list(&tenant->inviters, LIST("cn=team", "uid=z"));
	expect_list(&tenant->domains, LIST("ours.example", "xn--bcher-kva.example"));
	expect_list(&tenant->blocked_domains, LIST("evil.example"));
	ck_assert_uint_eq(tenant->allowed_domains.count, 0);
	expect_list(&tenant->fallback_reviewers, LIST("uid=a", "uid=b"));
	expect_list(&tenant->approvers, LIST("uid=c"));
	ck_assert_uint_eq(tenant->mass_confirm, 812);
	ck_assert_str_eq(tenant->redemption_url, "https://join.ours.example/?t=");
	ck_assert_int_eq(tenant->self_service, B2B_ASKS_ANONYMOUS);
	expect_list(&tenant->request_requires, LIST("givenname", "sn"));
	ck_assert(tenant->request_hook);
	b2b_rule_unref(&rule);
	rule = test_rule(B2B_RULE_TENANT, "cn=b2b",
			 "b2bAllowInvitesFrom: none\nb2bSelfService: members\n"
			 "b2bAllowedDomain: a.example\nb2bAllowedDomain: B.example");
	ck_assert_int_eq(rule->u.tenant.inviters_are, B2B_INVITES_NONE);
	ck_assert_int_eq(rule->u.tenant.self_service, B2B_ASKS_MEMBERS);
	expect_list(&rule->u.tenant.allowed_domains, LIST("a.example", "b.example"));
	b2b_rule_unref(&rule);
	rule = test_rule(B2B_RULE_TENANT, "cn=b2b", "b2bAllowInvitesFrom: MEMBERS");
	ck_assert_int_eq(rule->u.tenant.inviters_are, B2B_INVITES_MEMBERS);
	b2b_rule_unref(&rule);
}
END_TEST

START_TEST(test_rule_compile__mass_limit)
{
	static const struct {
		const char *lines;
		unsigned guests, percent;
	} cases[] = {
		{ "b2bMassLimit: 1", 1, 0 },      { "b2bMassLimit: 999999999", 999999999, 0 },
		{ "b2bMassLimit: 500", 500, 0 },  { "b2bMassLimit: 1%", 0, 1 },
		{ "b2bMassLimit: 100%", 0, 100 },
	};
	static const char *const refused[] = { "0",    "0%", "101%", "-1",  "1000000000",
					       "20 %", "%",  "20%%", "%20", "5e2",
					       "007",  " 5", "half", "5.5%" };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_rule *rule = test_rule(B2B_RULE_TENANT, "cn=b2b", cases[i].lines);

		ck_assert_uint_eq(rule->u.tenant.mass_limit.guests, cases[i].guests);
		ck_assert_uint_eq(rule->u.tenant.mass_limit.percent, cases[i].percent);
		b2b_rule_unref(&rule);
	}
	for (size_t i = 0; i < COUNT(refused); i++) {
		char lines[64] = "b2bMassLimit: ";
		struct b2b_rule *rule =
			test_broken(B2B_RULE_TENANT, "cn=b2b", strcat(lines, refused[i]));

		ck_assert_msg(strstr(rule->error.text, "is neither a number such as 500"), "%s",
			      rule->error.text);
		b2b_rule_unref(&rule);
	}
}
END_TEST

/* The one value a tenant may have; whether it was taken. */
static bool takes_url(const char *url)
{
	struct test_entry entry = { .count = 0 };
	struct b2b_source source = { "cn=b2b", &entry, test_value };
	struct b2b_rule *rule;
	enum b2b_err err;

	test_add(&entry, B2B_ATTR_REDEMPTION_URL, url, strlen(url));
	err = b2b_rule_compile(B2B_RULE_TENANT, &source, &rule, NULL);
	if (err == B2B_OK)
		ck_assert_str_eq(rule->u.tenant.redemption_url, url);
	else
		ck_assert_ptr_null(rule->u.tenant.redemption_url);
	b2b_rule_unref(&rule);
	return err == B2B_OK;
}

START_TEST(test_rule_compile__redemption_url)
{
	static const char *const good[] = {
		"https://join.ours.example",   "https://join.ours.example:8443/redeem?ticket=",
		"HTTPS://join.ours.example/#", "https://[2001:db8::1]/r",
		"http://localhost:8080/r?t=",  "http://127.0.0.1/r",
		"http://[::1]:80/r",           "b2b:redeem",
		"com.example.app+x://redeem/",
	};
	static const char *const refused[] = {
		"http://join.ours.example/r", /* the ticket in the clear */
		"http://localhost.evil.example/r",
		"http://127.0.0.1@evil.example/r",
		"https://user@join.ours.example/r",
		"https:///r",
		"https://",
		"https:join.ours.example",
		"https://join.ours.example/a b",
		"https://join.ours.example/\"onclick=",
		"https://join.ours.example/<b>",
		"https://join.ours.example/\x1b[0m",
		"https://join.ours.example/r\r\nX: y",
		"https://j\xc3\xb6in.example/",
		"https://join.ours.example\\@evil.example/",
		"javascript:alert(1)//",
		"JavaScript:alert(1)//",
		"data:text/html,x",
		"vbscript:x",
		"file:///etc/passwd",
		"blob:x",
		"about:blank",
		"b2b:",
		":redeem",
		"1b:redeem",
		"b_b:redeem",
		"redeem",
		"//join.ours.example/",
		"/redeem",
	};

	for (size_t i = 0; i < COUNT(good); i++)
		ck_assert_msg(takes_url(good[i]), "refused: %s", good[i]);
	for (size_t i = 0; i < COUNT(refused); i++)
		ck_assert_msg(!takes_url(refused[i]), "taken: %s", refused[i]);
}
END_TEST

/* A list with a name that no address can have would let in whom it was to keep out. */
START_TEST(test_rule_compile__domains_refused)
{
	static const struct {
		enum b2b_rule_kind kind;
		const char *lines, *words;
	} cases[] = {
		{ B2B_RULE_TENANT,
		  "b2bBlockedDomain: b\xc3\xbc"
		  "cher.example",
		  "names a domain that is not ASCII; write it as xn--..." },
		{ B2B_RULE_TENANT,
		  "b2bAllowedDomain: b\xc3\xbc"
		  "cher.example",
		  "write it as xn--..." },
		{ B2B_RULE_TENANT,
		  "b2bTenantDomain: b\xc3\xbc"
		  "cher.example",
		  "write it as xn--..." },
		{ B2B_RULE_PARTNER,
		  "b2bTenantId: f\nb2bTenantDomain: b\xc3\xbc"
		  "cher.example",
		  "write it as xn--..." },
		{ B2B_RULE_TENANT, "b2bBlockedDomain: *",
		  "b2bBlockedDomain: value \"*\" names no" },
		{ B2B_RULE_TENANT, "b2bAllowedDomain: *",
		  "b2bAllowedDomain: value \"*\" names no" },
		{ B2B_RULE_TENANT, "b2bTenantDomain: *", "b2bTenantDomain: value \"*\" names no" },
		{ B2B_RULE_TENANT, "b2bBlockedDomain: *.evil.example", "names no domain" },
		{ B2B_RULE_TENANT, "b2bBlockedDomain: evil", "names no domain" },
		{ B2B_RULE_TENANT, "b2bBlockedDomain: evil.example.", "names no domain" },
		{ B2B_RULE_TENANT, "b2bBlockedDomain: evil_.example", "names no domain" },
		{ B2B_RULE_TENANT, "b2bBlockedDomain: -evil.example", "names no domain" },
		{ B2B_RULE_TENANT, "b2bBlockedDomain: evil. example", "names no domain" },
		{ B2B_RULE_TENANT, "b2bBlockedDomain: 192.0.2.1", "names no domain" },
		{ B2B_RULE_TENANT, "b2bTenantDomain: bob@ours.example", "names no domain" },
		{ B2B_RULE_PARTNER, "b2bTenantId: f\nb2bTenantDomain: **", "names no domain" },
		{ B2B_RULE_PARTNER, "b2bTenantId: f\nb2bTenantDomain: *.fab.example",
		  "names no domain" },
		{ B2B_RULE_TENANT, "b2bAllowedDomain: a.example\nb2bBlockedDomain: b.example",
		  "b2bBlockedDomain: value \"b.example\" stands beside b2bAllowedDomain" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_rule *rule = test_broken(cases[i].kind, "cn=it", cases[i].lines);

		ck_assert_msg(strstr(rule->error.text, cases[i].words) != NULL, "%zu: %s", i,
			      rule->error.text);
		b2b_rule_unref(&rule);
	}
}
END_TEST

START_TEST(test_rule_compile__partner_domains)
{
	struct b2b_rule *rule = test_rule(B2B_RULE_PARTNER, "cn=it",
					  "b2bTenantId: f\nb2bTenantDomain: Fab.example\n"
					  "b2bTenantDomain: *");

	expect_list(&rule->u.partner.domains, LIST("fab.example", "*"));
	b2b_rule_unref(&rule);
}
END_TEST

START_TEST(test_rule_compile__others_refused)
{
	static const struct {
		const char *lines, *words;
	} cases[] = {
		{ "b2bAllowInvitesFrom: everybody", "b2bAllowInvitesFrom: value \"everybody\"" },
		{ "b2bSelfService: all", "b2bSelfService: value \"all\"" },
		{ "b2bMassConfirm: 0", "b2bMassConfirm: value \"0\" is not a number from 1" },
		{ "b2bMassConfirm: 20%", "b2bMassConfirm: value" },
		{ "b2bRequestHook: yes", "b2bRequestHook: value \"yes\"" },
		{ "b2bRequestRequires: given name", "b2bRequestRequires: value \"given name\"" },
		{ "b2bRequestRequires: 2.5.4.4)", "is not the name of an attribute" },
		{ "b2bRequestRequires: sn;x", "is not the name of an attribute" },
		{ "b2bInviter: ", "b2bInviter: value \"\" is empty" },
		{ "b2bApprover: ", "b2bApprover: value \"\" is empty" },
		{ "b2bFallbackReviewer: ", "b2bFallbackReviewer: value \"\" is empty" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_rule *rule = test_broken(B2B_RULE_TENANT, "cn=it", cases[i].lines);

		ck_assert_msg(strstr(rule->error.text, cases[i].words) != NULL, "%zu: %s", i,
			      rule->error.text);
		b2b_rule_unref(&rule);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_tenant");
	TCase *tcase = tcase_create("tenant");

	tcase_add_test(tcase, test_rule_compile__issuer);
	tcase_add_test(tcase, test_rule_compile__silence);
	tcase_add_test(tcase, test_rule_compile__whole);
	tcase_add_test(tcase, test_rule_compile__mass_limit);
	tcase_add_test(tcase, test_rule_compile__redemption_url);
	tcase_add_test(tcase, test_rule_compile__domains_refused);
	tcase_add_test(tcase, test_rule_compile__partner_domains);
	tcase_add_test(tcase, test_rule_compile__others_refused);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
