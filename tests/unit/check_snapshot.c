/*
 * check_snapshot.c - unit tests of table.c and snapshot.c: lookups, sharing, conflicts.
 * In: rules compiled from text.
 * Out: libcheck's summary.
 */
#include "snapshots.h"
#include "table.h"

#include <stdio.h>

#define MANY 10000

static const struct b2b_rule *partner_of(const struct b2b_snapshot *snapshot, const char *id)
{
	return b2b_snapshot_partner(snapshot, b2b_str_of(id));
}

static void numbered_partner(struct b2b_snapshot **snapshot, int number, const char *more)
{
	char dn[64], lines[256];

	snprintf(dn, sizeof dn, "b2btenantid=t%d,cn=partners", number);
	snprintf(lines, sizeof lines, "b2bTenantId: T%d%s", number, more);
	put(snapshot, test_rule(B2B_RULE_PARTNER, dn, lines));
}

START_TEST(test_snapshot_new__is_empty)
{
	struct b2b_snapshot *snapshot = b2b_snapshot_new(), *same;
	struct b2b_door door = { .peer = { { 0 }, true } };

	ck_assert_uint_eq(b2b_snapshot_generation(snapshot), 1);
	ck_assert_ptr_null(b2b_snapshot_tenant(snapshot));
	ck_assert_ptr_null(b2b_snapshot_default(snapshot));
	ck_assert_ptr_null(partner_of(snapshot, "x"));
	ck_assert_ptr_null(partner_of(snapshot, ""));
	ck_assert_ptr_null(b2b_snapshot_rule(snapshot, "cn=x"));
	ck_assert_ptr_null(b2b_snapshot_app_at(snapshot, 0));
	ck_assert_ptr_null(b2b_snapshot_app(snapshot, &door));
	ck_assert_uint_eq(b2b_snapshot_count(snapshot, B2B_RULE_PARTNER), 0);
	ck_assert_uint_eq(b2b_snapshot_count(snapshot, (enum b2b_rule_kind)99), 0);
	ck_assert_uint_eq(b2b_snapshot_label_rank(snapshot, b2b_str_of("")), B2B_RANK_UNKNOWN);
	drop(&snapshot, "cn=nothing");
	ck_assert_uint_eq(b2b_snapshot_generation(snapshot), 2);
	same = b2b_snapshot_ref(snapshot);
	b2b_snapshot_unref(&snapshot);
	ck_assert_uint_eq(b2b_snapshot_generation(same), 2);
	b2b_snapshot_unref(&same);
	b2b_snapshot_unref(&same);
	b2b_snapshot_unref(NULL);
	ck_assert_ptr_null(b2b_snapshot_ref(NULL));
}
END_TEST

START_TEST(test_snapshot_with__ten_thousand_partners)
{
	struct b2b_snapshot *snapshot = b2b_snapshot_new(), *next;
	struct b2b_rule *changed;
	size_t same = 0;
	char id[16];

	for (int i = 0; i < MANY; i++)
		numbered_partner(&snapshot, i, "");
	ck_assert_uint_eq(b2b_snapshot_count(snapshot, B2B_RULE_PARTNER), MANY);
	ck_assert_uint_eq(b2b_snapshot_generation(snapshot), MANY + 1);
	changed = test_rule(B2B_RULE_PARTNER, "b2btenantid=t77,cn=partners",
			    "b2bTenantId: t77\nb2bTrustMfa: TRUE");
	next = b2b_snapshot_with(snapshot, changed);
	ck_assert_uint_eq(b2b_snapshot_count(next, B2B_RULE_PARTNER), MANY);
	for (int i = 0; i < MANY; i++) {
		snprintf(id, sizeof id, "%c%d", i % 2 ? 't' : 'T', i);
		ck_assert_ptr_nonnull(partner_of(snapshot, id));
		if (partner_of(snapshot, id) == partner_of(next, id))
			same++;
	}
	ck_assert_uint_eq(same, MANY - 1);
	ck_assert_ptr_eq(partner_of(next, "t77"), changed);
	ck_assert_ptr_ne(partner_of(snapshot, "t77"), changed);
	b2b_rule_unref(&changed);
	b2b_snapshot_unref(&snapshot);
	/* what was shared lives on in the new one */
	for (int i = 0; i < MANY; i++) {
		snprintf(id, sizeof id, "t%d", i);
		ck_assert_str_eq(partner_of(next, id)->u.partner.tenant_id, id);
	}
	for (int i = 0; i < MANY; i += 2) {
		char dn[64];

		snprintf(dn, sizeof dn, "b2btenantid=t%d,cn=partners", i);
		drop(&next, dn);
		ck_assert_ptr_null(b2b_snapshot_rule(next, dn));
	}
	ck_assert_uint_eq(b2b_snapshot_count(next, B2B_RULE_PARTNER), MANY / 2);
	ck_assert_ptr_null(partner_of(next, "t100"));
	ck_assert_ptr_nonnull(partner_of(next, "t101"));
	b2b_snapshot_unref(&next);
}
END_TEST

START_TEST(test_snapshot_with__same_dn_other_identity)
{
	struct b2b_snapshot *snapshot = b2b_snapshot_new();

	put(&snapshot, test_rule(B2B_RULE_PARTNER, "cn=x", "b2bTenantId: a"));
	put(&snapshot, test_rule(B2B_RULE_PARTNER, "cn=x", "b2bTenantId: b"));
	ck_assert_ptr_null(partner_of(snapshot, "a"));
	ck_assert_ptr_nonnull(partner_of(snapshot, "b"));
	ck_assert_uint_eq(b2b_snapshot_count(snapshot, B2B_RULE_PARTNER), 1);
	put(&snapshot, test_rule(B2B_RULE_APP, "cn=x", "cn: b\nb2bAppServiceDN: cn=s"));
	ck_assert_ptr_null(partner_of(snapshot, "b"));
	ck_assert_uint_eq(b2b_snapshot_count(snapshot, B2B_RULE_PARTNER), 0);
	ck_assert_uint_eq(b2b_snapshot_count(snapshot, B2B_RULE_APP), 1);
	ck_assert_ptr_nonnull(b2b_snapshot_app_by_service(snapshot, b2b_str_of("cn=s")));
	put(&snapshot, test_rule(B2B_RULE_DEFAULT, "cn=x", "cn: x"));
	ck_assert_ptr_null(b2b_snapshot_app_by_service(snapshot, b2b_str_of("cn=s")));
	ck_assert_ptr_null(b2b_snapshot_app_by_id(snapshot, b2b_str_of("b")));
	ck_assert_ptr_null(b2b_snapshot_app_at(snapshot, 0));
	ck_assert_ptr_nonnull(b2b_snapshot_default(snapshot));
	put(&snapshot, test_rule(B2B_RULE_TENANT, "cn=x", "cn: x"));
	ck_assert_ptr_null(b2b_snapshot_default(snapshot));
	ck_assert_ptr_eq(b2b_snapshot_tenant(snapshot), b2b_snapshot_rule(snapshot, "cn=x"));
	drop(&snapshot, "cn=x");
	ck_assert_ptr_null(b2b_snapshot_tenant(snapshot));
	b2b_snapshot_unref(&snapshot);
}
END_TEST

/* Who is right among several is unclear, and unclear is denied. */
START_TEST(test_snapshot_partner__several_claim_one_id)
{
	struct b2b_snapshot *snapshot = b2b_snapshot_new();

	put(&snapshot, test_rule(B2B_RULE_PARTNER, "cn=x", "b2bTenantId: a"));
	put(&snapshot, test_rule(B2B_RULE_PARTNER, "cn=w", "b2bTenantId: A"));
	ck_assert(partner_of(snapshot, "a")->invalid);
	ck_assert_int_eq(partner_of(snapshot, "a")->kind, B2B_RULE_PARTNER);
	ck_assert_ptr_nonnull(partner_of(snapshot, "a")->dn);
	ck_assert(!b2b_snapshot_rule(snapshot, "cn=x")->invalid);
	drop(&snapshot, "cn=x");
	ck_assert_ptr_eq(partner_of(snapshot, "a"), b2b_snapshot_rule(snapshot, "cn=w"));
	put(&snapshot, test_rule(B2B_RULE_DEFAULT, "cn=d1", "cn: d"));
	put(&snapshot, test_rule(B2B_RULE_DEFAULT, "cn=d2", "cn: d"));
	put(&snapshot, test_rule(B2B_RULE_TENANT, "cn=t1", "cn: t"));
	put(&snapshot, test_rule(B2B_RULE_TENANT, "cn=t2", "cn: t"));
	ck_assert(b2b_snapshot_default(snapshot)->invalid);
	ck_assert(b2b_snapshot_tenant(snapshot)->invalid);
	ck_assert_uint_eq(b2b_snapshot_label_rank(snapshot, b2b_str_of("")), B2B_RANK_UNKNOWN);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_snapshot_app__several_claim_one_thing)
{
	struct b2b_snapshot *snapshot = b2b_snapshot_new();
	struct b2b_door door = { .peer = { { 0 }, false } };

	put(&snapshot, test_rule(B2B_RULE_APP, "cn=a",
				 "cn: a\nb2bAppServiceDN: cn=s\nb2bAppServiceDN: cn=s\n"
				 "b2bAppPeer: 192.0.2.0/24\nb2bAppPeer: 192.0.2.0/24\n"
				 "b2bAppListener: ldap://h\nb2bAppListener: LDAP://h/"));
	b2b_addr_parse(b2b_str_of("192.0.2.1"), &door.peer);
	door.listener = b2b_str_of("ldap://h/");
	/* one that says a thing twice is alone nevertheless */
	ck_assert(!b2b_snapshot_app(snapshot, &door)->invalid);
	door.listener = b2b_str_of("");
	ck_assert(!b2b_snapshot_app(snapshot, &door)->invalid);
	ck_assert(!b2b_snapshot_app_by_service(snapshot, b2b_str_of("cn=s"))->invalid);
	put(&snapshot, test_rule(B2B_RULE_APP, "cn=b",
				 "cn: A\nb2bAppServiceDN: cn=s\nb2bAppPeer: 192.0.2.0/24\n"
				 "b2bAppListener: ldap://h"));
	ck_assert(b2b_snapshot_app(snapshot, &door)->invalid);
	ck_assert(b2b_snapshot_app_by_service(snapshot, b2b_str_of("cn=s"))->invalid);
	ck_assert(b2b_snapshot_app_by_id(snapshot, b2b_str_of("a"))->invalid);
	door.listener = b2b_str_of("ldap://h");
	ck_assert(b2b_snapshot_app(snapshot, &door)->invalid);
	drop(&snapshot, "cn=b");
	ck_assert(!b2b_snapshot_app(snapshot, &door)->invalid);
	drop(&snapshot, "cn=a");
	ck_assert_ptr_null(b2b_snapshot_app(snapshot, &door));
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_snapshot_app__order)
{
	static const struct {
		const char *listener, *service, *peer, *app; /* app NULL: directory */
	} cases[] = {
		{ "ldap://h:1/", "cn=two", "198.51.100.1", "cn=one" },
		{ "LDAP://H:1", "cn=two", "198.51.100.1", "cn=one" },
		{ "ldap://h:2/", "cn=two", "198.51.100.1", "cn=two" },
		{ "", "cn=Two", "198.51.100.1", "cn=net" }, /* normalised DNs compare as they are */
		{ "", "", "198.51.100.1", "cn=net" },
		{ "", "", "198.51.100.200", "cn=subnet" },
		{ "", "", "198.51.100.201", "cn=host" },
		{ "", "", "203.0.113.1", NULL },
		{ "", "", "2001:db8::1", "cn=v6" },
		{ "", "", NULL, NULL },
		{ "ldap://h:1//", "", NULL, NULL },
	};
	struct b2b_snapshot *snapshot = b2b_snapshot_new();

	put(&snapshot, test_rule(B2B_RULE_APP, "cn=one", "cn: one\nb2bAppListener: ldap://h:1/"));
	put(&snapshot, test_rule(B2B_RULE_APP, "cn=two", "cn: two\nb2bAppServiceDN: cn=two"));
	put(&snapshot, test_rule(B2B_RULE_APP, "cn=net", "cn: net\nb2bAppPeer: 198.51.100.0/24"));
	put(&snapshot,
	    test_rule(B2B_RULE_APP, "cn=subnet", "cn: subnet\nb2bAppPeer: 198.51.100.192/26"));
	put(&snapshot, test_rule(B2B_RULE_APP, "cn=host", "cn: host\nb2bAppPeer: 198.51.100.201"));
	put(&snapshot, test_rule(B2B_RULE_APP, "cn=v6", "cn: v6\nb2bAppPeer: 2001:db8::/32"));
	/* a change elsewhere leaves the applications as they are */
	put(&snapshot, test_rule(B2B_RULE_PARTNER, "cn=p", "b2bTenantId: p"));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_door door = { .listener = b2b_str_of(cases[i].listener),
					 .service_ndn = b2b_str_of(cases[i].service) };
		const struct b2b_rule *app;

		if (cases[i].peer)
			b2b_addr_parse(b2b_str_of(cases[i].peer), &door.peer);
		app = b2b_snapshot_app(snapshot, &door);
		if (cases[i].app)
			ck_assert_msg(app && strcmp(app->dn, cases[i].app) == 0, "%zu", i);
		else
			ck_assert_ptr_null(app);
	}
	for (size_t i = 1; i < 6; i++)
		ck_assert_int_lt(strcmp(b2b_snapshot_app_at(snapshot, i - 1)->dn,
					b2b_snapshot_app_at(snapshot, i)->dn),
				 0);
	ck_assert_ptr_null(b2b_snapshot_app_at(snapshot, 6));
	ck_assert_str_eq(b2b_snapshot_app_by_id(snapshot, b2b_str_of("ONE"))->dn, "cn=one");
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_snapshot_with__thousand_apps)
{
	struct b2b_snapshot *snapshot = b2b_snapshot_new();
	char dn[64], lines[128];

	for (int i = 0; i < 1000; i++) {
		snprintf(dn, sizeof dn, "cn=a%d", i * 7919 % 1000);
		snprintf(lines, sizeof lines, "cn: a%d\nb2bAppServiceDN: cn=s%d", i * 7919 % 1000,
			 i * 7919 % 1000);
		put(&snapshot, test_rule(B2B_RULE_APP, dn, lines));
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(lines, sizeof lines, "cn=s%d", i);
		snprintf(dn, sizeof dn, "cn=a%d", i);
		ck_assert_str_eq(b2b_snapshot_app_by_service(snapshot, b2b_str_of(lines))->dn, dn);
	}
	put(&snapshot, test_rule(B2B_RULE_APP, "cn=a5", "cn: a5\nb2bAppServiceDN: cn=new"));
	ck_assert_ptr_null(b2b_snapshot_app_by_service(snapshot, b2b_str_of("cn=s5")));
	ck_assert_uint_eq(b2b_snapshot_count(snapshot, B2B_RULE_APP), 1000);
	for (size_t i = 0; i < 1000; i++)
		ck_assert_ptr_nonnull(b2b_snapshot_app_at(snapshot, i));
	ck_assert_ptr_null(b2b_snapshot_app_at(snapshot, 1000));
	b2b_snapshot_unref(&snapshot);
}
END_TEST

/* Each rule counts once, whatever stands between its entries. */
START_TEST(test_table_find_at__one_rule_twice)
{
	static const char *const dns[] = { "cn=a", "cn=b", "cn=c" };
	struct b2b_table_key key = { b2b_str_of("key"), true }, other = { b2b_str_of("KEY"), true };
	struct b2b_rule *rules[COUNT(dns)];
	struct b2b_table *table = NULL;

	ck_assert_ptr_null(b2b_table_find_at(table, key, 0));
	for (size_t i = 0; i < COUNT(dns); i++) {
		rules[i] = test_rule(B2B_RULE_APP, dns[i], "cn: x");
		ck_assert(b2b_table_add(&table, key, rules[i], false));
		ck_assert_ptr_eq(b2b_table_find_at(table, key, i), rules[i]);
		ck_assert_ptr_null(b2b_table_find_at(table, key, i + 1));
	}
	ck_assert_ptr_null(b2b_table_find_at(table, other, 0));
	ck_assert(b2b_table_add(&table, key, rules[1], false));
	for (size_t i = 0; i < COUNT(dns); i++)
		ck_assert_ptr_eq(b2b_table_find_at(table, key, i), rules[i]);
	ck_assert_ptr_null(b2b_table_find_at(table, key, COUNT(dns)));
	ck_assert(b2b_table_add(&table, other, rules[1], false));
	for (size_t i = 0; i < COUNT(dns); i++)
		ck_assert_ptr_eq(b2b_table_find_at(table, key, i), rules[i]);
	ck_assert_ptr_eq(b2b_table_find_at(table, other, 0), rules[1]);
	ck_assert_ptr_null(b2b_table_find_at(table, other, 1));
	b2b_table_unref(&table);
	for (size_t i = 0; i < COUNT(dns); i++)
		b2b_rule_unref(&rules[i]);
}
END_TEST

static const char *access_at(const struct b2b_snapshot *snapshot, size_t index)
{
	const struct b2b_rule *rule = b2b_snapshot_access_at(snapshot, index);

	return rule ? rule->dn : "none";
}

#define BLOCK "b2bCaState: enabled\nb2bCaGrant: block"

START_TEST(test_snapshot_access__by_dn)
{
	struct b2b_snapshot *snapshot = b2b_snapshot_new(), *old;
	const struct b2b_rule *const *list, *const *same;

	ck_assert_uint_eq(b2b_snapshot_access(snapshot, &list), 0);
	ck_assert_ptr_null(list);
	ck_assert_str_eq(access_at(snapshot, 0), "none");
	put(&snapshot, test_rule(B2B_RULE_ACCESS, "cn=m", BLOCK));
	put(&snapshot, test_rule(B2B_RULE_ACCESS, "cn=z", BLOCK));
	put(&snapshot, test_broken(B2B_RULE_ACCESS, "cn=a", "b2bCaGrant: x"));
	ck_assert_str_eq(access_at(snapshot, 0), "cn=a");
	ck_assert_str_eq(access_at(snapshot, 1), "cn=m");
	ck_assert_str_eq(access_at(snapshot, 2), "cn=z");
	ck_assert_str_eq(access_at(snapshot, 3), "none");
	ck_assert_uint_eq(b2b_snapshot_count(snapshot, B2B_RULE_ACCESS), 3);
	ck_assert_uint_eq(b2b_snapshot_access(snapshot, &list), 3);
	/* what changes elsewhere leaves the list as it is */
	put(&snapshot, test_rule(B2B_RULE_PARTNER, "cn=p", "b2bTenantId: p"));
	put(&snapshot, test_rule(B2B_RULE_APP, "cn=app", "cn: app"));
	ck_assert_uint_eq(b2b_snapshot_access(snapshot, &same), 3);
	ck_assert_ptr_eq(list, same);
	old = b2b_snapshot_ref(snapshot);
	put(&snapshot, test_rule(B2B_RULE_ACCESS, "cn=m", BLOCK "\nb2bCaIncludeApp: app"));
	drop(&snapshot, "cn=a");
	ck_assert_str_eq(access_at(snapshot, 0), "cn=m");
	ck_assert_ptr_ne(b2b_snapshot_access_at(snapshot, 0), b2b_snapshot_access_at(old, 1));
	ck_assert_ptr_eq(b2b_snapshot_access_at(snapshot, 1), b2b_snapshot_access_at(old, 2));
	ck_assert_str_eq(access_at(old, 2), "cn=z");
	/* a policy whose entry becomes something else leaves the list */
	put(&snapshot, test_rule(B2B_RULE_APP, "cn=m", "cn: m"));
	ck_assert_str_eq(access_at(snapshot, 0), "cn=z");
	ck_assert_uint_eq(b2b_snapshot_count(snapshot, B2B_RULE_ACCESS), 1);
	ck_assert_ptr_nonnull(b2b_snapshot_app_at(snapshot, 1));
	put(&snapshot, test_rule(B2B_RULE_ACCESS, "cn=m", BLOCK));
	ck_assert_str_eq(access_at(snapshot, 0), "cn=m");
	ck_assert_ptr_null(b2b_snapshot_app_at(snapshot, 1));
	b2b_snapshot_unref(&old);
	drop(&snapshot, "cn=m");
	drop(&snapshot, "cn=z");
	ck_assert_str_eq(access_at(snapshot, 0), "none");
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_snapshot_with__broken_rules_are_kept)
{
	struct b2b_snapshot *snapshot = b2b_snapshot_new();

	put(&snapshot, test_broken(B2B_RULE_PARTNER, "cn=p", "b2bTenantId: fab\nb2bIdp: x"));
	put(&snapshot, test_broken(B2B_RULE_PARTNER, "cn=q", "b2bIdp: x"));
	put(&snapshot, test_broken(B2B_RULE_PARTNER, "cn=r", "b2bIdp: x"));
	put(&snapshot, test_broken(B2B_RULE_APP, "cn=a", "b2bAppServiceDN: cn=s"));
	put(&snapshot, test_broken(B2B_RULE_NONE, "cn=n", "cn: n"));
	ck_assert(partner_of(snapshot, "fab")->invalid);
	ck_assert_ptr_null(partner_of(snapshot, ""));
	ck_assert(b2b_snapshot_app_by_service(snapshot, b2b_str_of("cn=s"))->invalid);
	ck_assert_ptr_null(b2b_snapshot_app_by_id(snapshot, b2b_str_of("")));
	ck_assert_uint_eq(b2b_snapshot_count(snapshot, B2B_RULE_PARTNER), 3);
	drop(&snapshot, "cn=q");
	drop(&snapshot, "cn=n");
	drop(&snapshot, "cn=a");
	ck_assert_ptr_null(b2b_snapshot_app_by_service(snapshot, b2b_str_of("cn=s")));
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_snapshot_label_rank__unknown_is_above_all)
{
	struct b2b_snapshot *snapshot = b2b_snapshot_new();

	put(&snapshot, test_rule(B2B_RULE_TENANT, "cn=t", "cn: t"));
	ck_assert_uint_eq(b2b_snapshot_label_rank(snapshot, b2b_str_of("whatever")), 0);
	put(&snapshot, test_rule(B2B_RULE_TENANT, "cn=t",
				 "b2bLabelOrder: {0}Public\nb2bLabelOrder: {1}General\n"
				 "b2bLabelOrder: {2}Secret"));
	ck_assert_uint_eq(b2b_snapshot_label_rank(snapshot, b2b_str_of("")), 0);
	ck_assert_uint_eq(b2b_snapshot_label_rank(snapshot, b2b_str_of("SECRET")), 2);
	ck_assert_uint_eq(b2b_snapshot_label_rank(snapshot, b2b_str_of("Secret ")),
			  B2B_RANK_UNKNOWN);
	put(&snapshot, test_rule(B2B_RULE_TENANT, "cn=t",
				 "b2bLabelOrder: {0}Public\nb2bLabelOrder: {1}General\n"
				 "b2bDefaultLabel: General"));
	ck_assert_uint_eq(b2b_snapshot_label_rank(snapshot, b2b_str_of("")), 1);
	put(&snapshot, test_broken(B2B_RULE_TENANT, "cn=t", "b2bGuestAccess: all"));
	ck_assert_uint_eq(b2b_snapshot_label_rank(snapshot, b2b_str_of("")), B2B_RANK_UNKNOWN);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshot");
	TCase *tcase = tcase_create("snapshot");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_snapshot_new__is_empty);
	tcase_add_test(tcase, test_snapshot_with__ten_thousand_partners);
	tcase_add_test(tcase, test_snapshot_with__same_dn_other_identity);
	tcase_add_test(tcase, test_snapshot_partner__several_claim_one_id);
	tcase_add_test(tcase, test_snapshot_app__several_claim_one_thing);
	tcase_add_test(tcase, test_snapshot_app__order);
	tcase_add_test(tcase, test_snapshot_with__thousand_apps);
	tcase_add_test(tcase, test_table_find_at__one_rule_twice);
	tcase_add_test(tcase, test_snapshot_access__by_dn);
	tcase_add_test(tcase, test_snapshot_with__broken_rules_are_kept);
	tcase_add_test(tcase, test_snapshot_label_rank__unknown_is_above_all);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
