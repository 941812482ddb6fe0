/*
 * check_policy.c - unit tests of read.c and policy*.c: what compiles, what is refused and how.
 * In: entries as text.
 * Out: libcheck's summary.
 */
#include "entry.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct b2b_setting *setting_of(const struct b2b_rule *rule, enum b2b_scope scope)
{
	return rule->kind == B2B_RULE_PARTNER ? &rule->u.partner.settings.scope[scope]
					      : &rule->u.defaults.scope[scope];
}

START_TEST(test_rule_compile__partner_whole)
{
	struct b2b_rule *rule =
		test_rule(B2B_RULE_PARTNER, "b2btenantid=fab,cn=partners",
			  "b2bTenantId: FabRikam-1\n"
			  "b2bCollabInUsersAccess: Allowed\n"
			  "b2bCollabInUsersTarget: uid=bob,dc=home\n"
			  "b2bCollabInUsersTarget: cn=Sales,dc=home\n"
			  "b2bCollabInAppsAccess: blocked\n"
			  "b2bCollabInAppsTarget: payroll\n"
			  "b2bDirectOutUsersAccess: blocked\n"
			  "b2bGroupTarget: cn=sales, dc=home\n"
			  "b2bTrustMfa: TRUE\n"
			  "b2bAutoRedeemIn: FALSE\n"
			  "b2bIdp: {1}oidc\n"
			  "b2bIdp: {0}LDAP\n"
			  "b2bHomeUri: ldaps://c.example\n"
			  "b2bHomeUri: {1}ldaps://b.example  ldaps://b2.example:1636/\n"
			  "b2bHomeUri: {0}ldap://a.example\n"
			  "b2bHomeStartTls: TRUE\n"
			  "b2bHomeBindDn: uid=%u,dc=home\n"
			  "b2bHomeCaFile: /etc/ssl/fab.pem");
	const struct b2b_partner *partner = &rule->u.partner;
	const struct b2b_setting *in = setting_of(rule, B2B_COLLAB_IN);
	static const char *const uris[] = { "ldap://a.example", "ldaps://b.example",
					    "ldaps://b2.example:1636/", "ldaps://c.example" };

	ck_assert(!rule->invalid);
	ck_assert_str_eq(rule->dn, "b2btenantid=fab,cn=partners");
	ck_assert_str_eq(partner->tenant_id, "fabrikam-1");
	ck_assert_int_eq(in->users.access, B2B_ACCESS_ALLOWED);
	ck_assert(!in->users.all && in->users.count == 2);
	ck_assert_str_eq(in->users.targets[0].value, "uid=bob,dc=home");
	ck_assert(!in->users.targets[0].is_group);
	ck_assert(in->users.targets[1].is_group);
	ck_assert_int_eq(in->apps.access, B2B_ACCESS_BLOCKED);
	ck_assert(!in->apps.all && in->apps.count == 1 && !in->apps.targets[0].is_group);
	ck_assert_int_eq(setting_of(rule, B2B_COLLAB_OUT)->users.access, B2B_ACCESS_UNSET);
	ck_assert_int_eq(setting_of(rule, B2B_DIRECT_OUT)->users.access, B2B_ACCESS_BLOCKED);
	ck_assert(setting_of(rule, B2B_DIRECT_OUT)->users.all);
	ck_assert_int_eq(setting_of(rule, B2B_DIRECT_IN)->users.access, B2B_ACCESS_UNSET);
	ck_assert_int_eq(partner->settings.trust_mfa, B2B_YES);
	ck_assert_int_eq(partner->settings.auto_redeem_in, B2B_NO);
	ck_assert_int_eq(partner->settings.sync_in, B2B_UNSET);
	ck_assert_int_eq(partner->idps[0], B2B_IDP_LDAP);
	ck_assert_int_eq(partner->idps[1], B2B_IDP_OIDC);
	ck_assert_int_eq(partner->idps[2], B2B_IDP_NONE);
	ck_assert_uint_eq(partner->idp_mask, B2B_IDP_LDAP | B2B_IDP_OIDC);
	ck_assert_uint_eq(partner->home_uri_count, COUNT(uris));
	for (size_t i = 0; i < COUNT(uris); i++)
		ck_assert_str_eq(partner->home_uris[i], uris[i]);
	ck_assert(partner->home_start_tls);
	ck_assert_str_eq(partner->home_bind_dn, "uid=%u,dc=home");
	ck_assert_str_eq(partner->home_ca_file, "/etc/ssl/fab.pem");
	b2b_rule_unref(&rule);
	ck_assert_ptr_null(rule);
	b2b_rule_unref(&rule);
	b2b_rule_unref(NULL);
	ck_assert_ptr_null(b2b_rule_ref(NULL));
}
END_TEST

/* Each of the sixteen attributes lands in its own place and nowhere else. */
START_TEST(test_rule_compile__sixteen_attributes)
{
	for (int i = 0; i < 16; i += 2) {
		enum b2b_attr access = (enum b2b_attr)(B2B_ATTR_COLLAB_IN_USERS_ACCESS + i);
		struct test_entry entry = { .count = 0 };
		struct b2b_source source = { "cn=default", &entry, test_value };
		const char *name = b2b_attr_name(access);
		struct b2b_rule *rule;
		int scope = (strncmp(name, "b2bDirect", 9) == 0 ? 2 : 0) +
			    (strstr(name, "Out") ? 1 : 0);
		bool apps = strstr(name, "AppsAccess") != NULL;

		ck_assert(apps || strstr(name, "UsersAccess"));
		ck_assert_int_eq(strncmp(name, b2b_attr_name((enum b2b_attr)(access + 1)),
					 strlen(name) - strlen("Access")),
				 0);
		test_add(&entry, access, "allowed", 7);
		test_add(&entry, (enum b2b_attr)(access + 1), "x", 1);
		ck_assert_int_eq(b2b_rule_compile(B2B_RULE_DEFAULT, &source, &rule, NULL), B2B_OK);
		for (int j = 0; j < B2B_SCOPE_COUNT; j++) {
			const struct b2b_setting *setting = setting_of(rule, (enum b2b_scope)j);
			bool here = j == scope;

			ck_assert_uint_eq(setting->users.count, here && !apps ? 1 : 0);
			ck_assert_uint_eq(setting->apps.count, here && apps ? 1 : 0);
			ck_assert_int_eq(setting->users.access,
					 here && !apps ? B2B_ACCESS_ALLOWED : B2B_ACCESS_UNSET);
			ck_assert_int_eq(setting->apps.access,
					 here && apps ? B2B_ACCESS_ALLOWED : B2B_ACCESS_UNSET);
		}
		b2b_rule_unref(&rule);
	}
}
END_TEST

START_TEST(test_rule_compile__all_keywords)
{
	static const char *const users[] = { "AllUsers", "allusers", " ALLUSERS " };

	for (size_t i = 0; i < COUNT(users); i++) {
		struct test_entry entry = { .count = 0 };
		struct b2b_source source = { "cn=default", &entry, test_value };
		struct b2b_rule *rule;

		test_add(&entry, B2B_ATTR_COLLAB_IN_USERS_ACCESS, "allowed", 7);
		test_add(&entry, B2B_ATTR_COLLAB_IN_USERS_TARGET, users[i], strlen(users[i]));
		ck_assert_int_eq(b2b_rule_compile(B2B_RULE_DEFAULT, &source, &rule, NULL), B2B_OK);
		ck_assert(setting_of(rule, B2B_COLLAB_IN)->users.all);
		b2b_rule_unref(&rule);
	}
}
END_TEST

START_TEST(test_rule_compile__tenant_defaults)
{
	struct b2b_rule *rule = test_rule(B2B_RULE_TENANT, "cn=b2b", "cn: b2b");
	const struct b2b_tenant_policy *tenant = &rule->u.tenant;

	ck_assert_ptr_null(tenant->tenant_id);
	ck_assert_uint_eq(tenant->guest_lifetime_days, 90);
	ck_assert_uint_eq(tenant->review_interval_days, 90);
	ck_assert_uint_eq(tenant->review_duration_days, 14);
	ck_assert_uint_eq(tenant->invitation_lifetime_days, 30);
	ck_assert_uint_eq(tenant->delete_grace_days, 30);
	ck_assert_uint_eq(tenant->inactivity_days, 0);
	ck_assert_int_eq(tenant->guest_access, B2B_SEES_LIMITED);
	ck_assert(tenant->require_tls);
	ck_assert_ptr_null(tenant->terms_version);
	ck_assert_uint_eq(tenant->label_count, 0);
	b2b_rule_unref(&rule);
}
END_TEST

START_TEST(test_rule_compile__tenant_whole)
{
	struct b2b_rule *rule = test_rule(B2B_RULE_TENANT, "cn=b2b",
					  "b2bTenantId: OURS\n"
					  "b2bGuestBase: ou=guests,dc=ours\n"
					  "b2bGuestLifetime: 0\n"
					  "b2bReviewInterval: 30\n"
					  "b2bGuestAccess: Member\n"
					  "b2bAllowInvitesFrom: inviters\n"
					  "b2bAllowedDomain: a.example\n"
					  "b2bAllowedDomain: b-c.example\n"
					  "b2bRequireTls: FALSE\n"
					  "b2bTermsVersion: 2026-1\n"
					  "b2bInactivity: 36500\n"
					  "b2bLabelOrder: {10}Secret\n"
					  "b2bLabelOrder: {2}General\n"
					  "b2bLabelOrder: {0}Public\n"
					  "b2bDefaultLabel: general");
	const struct b2b_tenant_policy *tenant = &rule->u.tenant;

	ck_assert_str_eq(tenant->tenant_id, "ours");
	ck_assert_str_eq(tenant->guest_base, "ou=guests,dc=ours");
	ck_assert_uint_eq(tenant->guest_lifetime_days, 0);
	ck_assert_uint_eq(tenant->review_interval_days, 30);
	ck_assert_uint_eq(tenant->inactivity_days, 36500);
	ck_assert_int_eq(tenant->guest_access, B2B_SEES_MEMBER);
	ck_assert(!tenant->require_tls);
	ck_assert_str_eq(tenant->terms_version, "2026-1");
	ck_assert_uint_eq(tenant->label_count, 3);
	ck_assert_str_eq(tenant->labels[0], "Public");
	ck_assert_str_eq(tenant->labels[1], "General");
	ck_assert_str_eq(tenant->labels[2], "Secret");
	ck_assert_str_eq(tenant->default_label, "general");
	b2b_rule_unref(&rule);
}
END_TEST

START_TEST(test_rule_compile__app_whole)
{
	struct b2b_rule *rule = test_rule(B2B_RULE_APP, "cn=wiki,cn=applications",
					  "cn: Wiki\n"
					  "b2bAppServiceDN: cn=wiki,ou=services\n"
					  "b2bAppServiceDN: cn=wiki2,ou=services\n"
					  "b2bAppListener: ldap://127.0.0.1:1389/\n"
					  "b2bAppPeer: 192.0.2.0/24\n"
					  "b2bAppPeer: 2001:db8::1\n"
					  "b2bAppAudience: api://wiki\n"
					  "b2bAppAssignmentRequired: TRUE\n"
					  "b2bAppAssignee: uid=z\n"
					  "b2bAppAssignee: uid=a\n"
					  "b2bAppScope: ou=wiki\n"
					  "b2bAppMaxLabel: General");
	const struct b2b_app *app = &rule->u.app;

	ck_assert_str_eq(app->id, "wiki");
	ck_assert_uint_eq(app->service_dn_count, 2);
	ck_assert_uint_eq(app->listener_count, 1);
	ck_assert_uint_eq(app->peer_count, 2);
	ck_assert_uint_eq(app->peers[0].prefix_bits, 120);
	ck_assert_uint_eq(app->audience_count, 1);
	ck_assert(app->assignment_required);
	ck_assert_uint_eq(app->assignee_count, 2);
	ck_assert_str_eq(app->assignees[0], "uid=a");
	ck_assert_str_eq(app->assignees[1], "uid=z");
	ck_assert_uint_eq(app->scope_count, 1);
	ck_assert_str_eq(app->max_label, "General");
	b2b_rule_unref(&rule);
	rule = test_rule(B2B_RULE_APP, "cn=x", "cn: x\ncn: y\nb2bAppId: PAY");
	ck_assert_str_eq(rule->u.app.id, "pay");
	b2b_rule_unref(&rule);
}
END_TEST

#define PARTNER(lines)                                                                             \
	{                                                                                          \
		B2B_RULE_PARTNER, "b2bTenantId: fab\n" lines,
#define DEFAULT(lines)                                                                             \
	{                                                                                          \
		B2B_RULE_DEFAULT, lines,
#define TENANT(lines)                                                                              \
	{                                                                                          \
		B2B_RULE_TENANT, lines,
#define APP(lines)                                                                                 \
	{                                                                                          \
		B2B_RULE_APP, "cn: x\n" lines,

/* clang-format off */
static const struct {
	enum b2b_rule_kind kind;
	const char *lines, *error; /* the beginning of the message */
} refused[] = {
	{ B2B_RULE_NONE, "cn: x", "not a policy entry" },
	{ B2B_RULE_PARTNER, "cn: x", "b2bTenantId: is missing" },
	{ B2B_RULE_PARTNER, "b2bTenantId: ", "b2bTenantId: value \"\" is empty" },
	{ B2B_RULE_PARTNER, "b2bTenantId: a\nb2bTenantId: b", "b2bTenantId: value \"b\" is a second" },
	{ B2B_RULE_APP, "b2bAppServiceDN: x", "b2bAppId: is missing" },
	{ B2B_RULE_APP, "cn: x\ncn: y", "cn: value \"y\" is a second" },
	DEFAULT("b2bCollabInUsersAccess: permitted")
		"b2bCollabInUsersAccess: value \"permitted\" is not a keyword" },
	DEFAULT("b2bCollabInUsersAccess: unknownFutureValue") "b2bCollabInUsersAccess: value" },
	DEFAULT("b2bCollabInUsersAccess: ") "b2bCollabInUsersAccess: value \"\" is empty" },
	DEFAULT("b2bCollabInUsersTarget: x")
		"b2bCollabInUsersTarget: value \"x\" is a target without its access" },
	DEFAULT("b2bDirectOutAppsTarget: x") "b2bDirectOutAppsTarget: value" },
	DEFAULT("b2bCollabInUsersAccess: allowed\nb2bCollabInUsersTarget: AllApplications")
		"b2bCollabInUsersTarget: value \"AllApplications\" belongs to the other half" },
	DEFAULT("b2bCollabInAppsAccess: allowed\nb2bCollabInAppsTarget: allusers")
		"b2bCollabInAppsTarget: value \"allusers\" belongs to the other half" },
	DEFAULT("b2bCollabInUsersAccess: blocked\nb2bCollabInAppsAccess: allowed")
		"b2bCollabInUsersAccess: value \"blocked\" blocks all users" },
	DEFAULT("b2bCollabInUsersAccess: blocked\nb2bCollabInUsersTarget: u\n"
		"b2bCollabInUsersTarget: AllUsers\nb2bCollabInAppsAccess: allowed\n"
		"b2bCollabInAppsTarget: a")
		"b2bCollabInUsersAccess: value \"blocked\" blocks all users" },
	PARTNER("b2bDirectInAppsAccess: blocked\nb2bDirectInUsersAccess: allowed\n"
		"b2bDirectInUsersTarget: u")
		"b2bDirectInAppsAccess: value \"blocked\" blocks all applications" },
	DEFAULT("b2bGroupTarget: g") "b2bGroupTarget: value \"g\" is not among the users targets" },
	DEFAULT("b2bCollabInAppsAccess: allowed\nb2bCollabInAppsTarget: g\nb2bGroupTarget: g")
		"b2bGroupTarget: value \"g\" is not among" },
	DEFAULT("b2bTrustMfa: yes") "b2bTrustMfa: value \"yes\" is neither TRUE nor FALSE" },
	DEFAULT("b2bAutoRedeemIn: true") "b2bAutoRedeemIn: value" },
	PARTNER("b2bIdp: kerberos") "b2bIdp: value \"kerberos\" is none of" },
	PARTNER("b2bIdp: oidc\nb2bIdp: {0}OIDC") "b2bIdp: value \"oidc\" repeats a proof" },
	PARTNER("b2bIdp: {0}") "b2bIdp: value \"{0}\" has nothing behind its prefix" },
	PARTNER("b2bIdp: ldap") "b2bIdp: value \"ldap\" needs b2bHomeUri" },
	PARTNER("b2bHomeUri: https://home.example") "b2bHomeUri: value \"https://home.example\" is not" },
	PARTNER("b2bHomeUri: {0}ldap://home.example")
		"b2bHomeUri: value \"ldap://home.example\" would carry passwords in the clear" },
	PARTNER("b2bHomeUri: ldaps://a ldap://b") "b2bHomeUri: value \"ldap://b\" would carry" },
	PARTNER("b2bHomeUri: ldap://b\nb2bHomeStartTls: FALSE") "b2bHomeUri: value" },
	PARTNER("b2bHomeUri:   ") "b2bHomeUri: value \"  \" names no server" },
	PARTNER("b2bHomeBindDn: uid=admin,dc=home") "b2bHomeBindDn: value" },
	PARTNER("b2bHomeBindDn: uid=%q") "b2bHomeBindDn: value" },
	PARTNER("b2bHomeCaFile: ca.pem") "b2bHomeCaFile: value \"ca.pem\" is not an absolute path" },
	PARTNER("b2bHomeStartTls: 1") "b2bHomeStartTls: value" },
	PARTNER("b2bIssuer: ") "b2bIssuer: value \"\" is empty" },
	APP("b2bAppPeer: 192.0.2.1/24") "b2bAppPeer: value \"192.0.2.1/24\" is not a network" },
	APP("b2bAppListener: localhost") "b2bAppListener: value \"localhost\" is not a listener" },
	APP("b2bAppListener: ldap://a b") "b2bAppListener: value" },
	APP("b2bAppId: AllApplications") "b2bAppId: value \"allapplications\" is a keyword" },
	APP("b2bAppAssignmentRequired: maybe") "b2bAppAssignmentRequired: value" },
	APP("b2bAppServiceDN: ") "b2bAppServiceDN: value \"\" is empty" },
	TENANT("b2bGuestLifetime: forever") "b2bGuestLifetime: value \"forever\" is not a number" },
	TENANT("b2bInactivity: -1") "b2bInactivity: value" },
	TENANT("b2bGuestAccess: everything") "b2bGuestAccess: value" },
	TENANT("b2bAllowInvitesFrom: anybody") "b2bAllowInvitesFrom: value" },
	TENANT("b2bRequireTls: no") "b2bRequireTls: value" },
	TENANT("b2bAllowedDomain: a.example\nb2bBlockedDomain: b.example")
		"b2bBlockedDomain: value \"b.example\" stands beside b2bAllowedDomain" },
	TENANT("b2bBlockedDomain: @b.example") "b2bBlockedDomain: value" },
	TENANT("b2bBlockedDomain: b..example") "b2bBlockedDomain: value" },
	TENANT("b2bBlockedDomain: example.") "b2bBlockedDomain: value" },
	TENANT("b2bLabelOrder: {0}a\nb2bLabelOrder: {1}A")
		"b2bLabelOrder: value \"{1}A\" repeats a label" },
	TENANT("b2bLabelOrder: {0}a\nb2bLabelOrder: {0}b")
		"b2bLabelOrder: value \"{0}b\" repeats a prefix" },
	TENANT("b2bLabelOrder: {0}a\nb2bLabelOrder: b")
		"b2bLabelOrder: value \"b\" has no {n} prefix" },
	TENANT("b2bLabelOrder: {0}a\nb2bDefaultLabel: b")
		"b2bDefaultLabel: value \"b\" is not in b2bLabelOrder" },
	TENANT("b2bDefaultLabel: b") "b2bDefaultLabel: value \"b\"" },
	TENANT("b2bTermsVersion: ") "b2bTermsVersion: value \"\" is empty" },
	TENANT("b2bTermsVersion: 1\nb2bTermsVersion: 2") "b2bTermsVersion: value \"2\" is a second" },
};
/* clang-format on */

START_TEST(test_rule_compile__refused)
{
	struct test_entry entry;
	struct b2b_source source = test_source(&entry, "cn=it", refused[_i].lines);
	struct b2b_error error = { "untouched" };
	struct b2b_rule *rule = NULL;

	ck_assert_msg(b2b_rule_compile(refused[_i].kind, &source, &rule, &error) == B2B_ERR_INVALID,
		      "accepted: %s", refused[_i].lines);
	ck_assert_msg(strncmp(error.text, refused[_i].error, strlen(refused[_i].error)) == 0,
		      "%s, not %s", error.text, refused[_i].error);
	ck_assert(rule && rule->invalid);
	ck_assert_str_eq(rule->error.text, error.text);
	ck_assert_str_eq(rule->dn, "cn=it");
	ck_assert_int_eq(rule->kind, refused[_i].kind);
	b2b_rule_unref(&rule);
}
END_TEST

/* No attribute takes a value with a NUL byte, whatever stands around it. */
START_TEST(test_rule_compile__nul_byte)
{
	static const struct {
		enum b2b_rule_kind kind;
		enum b2b_attr attr;
		const char *value; /* up to its NUL it would be good */
	} cases[] = {
		{ B2B_RULE_PARTNER, B2B_ATTR_TENANT_ID, "fab" },
		{ B2B_RULE_PARTNER, B2B_ATTR_IDP, "oidc" },
		{ B2B_RULE_PARTNER, B2B_ATTR_HOME_URI, "ldaps://a" },
		{ B2B_RULE_PARTNER, B2B_ATTR_HOME_BIND_DN, "uid=%u" },
		{ B2B_RULE_PARTNER, B2B_ATTR_HOME_CA_FILE, "/a" },
		{ B2B_RULE_PARTNER, B2B_ATTR_JWKS, "{}" },
		{ B2B_RULE_PARTNER, B2B_ATTR_ISSUER, "x" },
		{ B2B_RULE_PARTNER, B2B_ATTR_COLLAB_IN_USERS_ACCESS, "allowed" },
		{ B2B_RULE_DEFAULT, B2B_ATTR_TRUST_MFA, "TRUE" },
		{ B2B_RULE_DEFAULT, B2B_ATTR_COLLAB_IN_USERS_TARGET, "x" },
		{ B2B_RULE_DEFAULT, B2B_ATTR_GROUP_TARGET, "x" },
		{ B2B_RULE_APP, B2B_ATTR_CN, "x" },
		{ B2B_RULE_APP, B2B_ATTR_APP_ID, "x" },
		{ B2B_RULE_APP, B2B_ATTR_APP_SERVICE_DN, "cn=x" },
		{ B2B_RULE_APP, B2B_ATTR_APP_PEER, "192.0.2.1" },
		{ B2B_RULE_APP, B2B_ATTR_APP_LISTENER, "ldap://a" },
		{ B2B_RULE_APP, B2B_ATTR_APP_MAX_LABEL, "a" },
		{ B2B_RULE_TENANT, B2B_ATTR_LABEL_ORDER, "{0}a" },
		{ B2B_RULE_TENANT, B2B_ATTR_ALLOWED_DOMAIN, "a" },
		{ B2B_RULE_TENANT, B2B_ATTR_GUEST_LIFETIME, "1" },
		{ B2B_RULE_TENANT, B2B_ATTR_INVITER, "cn=x" },
		{ B2B_RULE_TENANT, B2B_ATTR_TENANT_DOMAIN, "a" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct test_entry entry = { .count = 0 };
		struct b2b_source source = { "cn=it", &entry, test_value };
		struct b2b_error error;
		struct b2b_rule *rule;

		if (cases[i].kind == B2B_RULE_PARTNER && cases[i].attr != B2B_ATTR_TENANT_ID)
			test_add(&entry, B2B_ATTR_TENANT_ID, "fab", 3);
		if (cases[i].kind == B2B_RULE_APP && cases[i].attr != B2B_ATTR_CN)
			test_add(&entry, B2B_ATTR_CN, "x", 1);
		test_add(&entry, cases[i].attr, cases[i].value, strlen(cases[i].value) + 1);
		ck_assert_int_eq(b2b_rule_compile(cases[i].kind, &source, &rule, &error),
				 B2B_ERR_INVALID);
		ck_assert_msg(strstr(error.text, "has a NUL byte") != NULL, "%s", error.text);
		ck_assert_int_eq(strncmp(error.text, b2b_attr_name(cases[i].attr),
					 strlen(b2b_attr_name(cases[i].attr))),
				 0);
		b2b_rule_unref(&rule);
	}
}
END_TEST

START_TEST(test_rule_compile__broken_keeps_identity)
{
	struct b2b_rule *rule = test_broken(B2B_RULE_APP, "cn=it",
					    "b2bAppAssignmentRequired: perhaps\n"
					    "b2bAppPeer: nonsense\n"
					    "b2bAppPeer: 192.0.2.0/24\n"
					    "b2bAppListener: ldap://here\n"
					    "b2bAppServiceDN: cn=s\n"
					    "b2bAppId: Pay");

	ck_assert_str_eq(rule->u.app.id, "pay");
	ck_assert_uint_eq(rule->u.app.peer_count, 1);
	ck_assert_uint_eq(rule->u.app.listener_count, 1);
	ck_assert_str_eq(rule->u.app.service_dns[0], "cn=s");
	b2b_rule_unref(&rule);
	rule = test_broken(B2B_RULE_PARTNER, "cn=it",
			   "b2bTenantId: Fab\nb2bIdp: what\nb2bIssuer: https://login.example");
	ck_assert_str_eq(rule->u.partner.tenant_id, "fab");
	ck_assert_str_eq(rule->u.partner.token.issuer, "https://login.example");
	b2b_rule_unref(&rule);
}
END_TEST

START_TEST(test_rule_compile__message_is_cut_and_clean)
{
	struct test_entry entry = { .count = 0 };
	struct b2b_source source = { "cn=it", &entry, test_value };
	struct b2b_error error;
	struct b2b_rule *rule;
	char value[5000];

	memset(value, '\n', sizeof value);
	test_add(&entry, B2B_ATTR_GUEST_ACCESS, value, sizeof value);
	ck_assert_int_eq(b2b_rule_compile(B2B_RULE_TENANT, &source, &rule, &error),
			 B2B_ERR_INVALID);
	ck_assert_ptr_null(strchr(error.text, '\n'));
	ck_assert_ptr_nonnull(strstr(error.text, "is not a keyword"));
	b2b_rule_unref(&rule);
}
END_TEST

START_TEST(test_rule_compile__plain_only_to_loopback)
{
	static const char *const good[] = {
		"b2bTenantId: f\nb2bIdp: ldap\nb2bHomeUri: ldap://127.0.0.1:1389",
		"b2bTenantId: f\nb2bIdp: ldap\nb2bHomeUri: ldap://[::1]/",
		"b2bTenantId: f\nb2bIdp: ldap\nb2bHomeUri: ldap://h\nb2bHomeStartTls: TRUE",
		"b2bTenantId: f\nb2bIdp: ldap\nb2bHomeUri: ldaps://h",
	};

	for (size_t i = 0; i < COUNT(good); i++) {
		struct b2b_rule *rule = test_rule(B2B_RULE_PARTNER, "cn=it", good[i]);

		ck_assert_uint_eq(rule->u.partner.home_uri_count, 1);
		b2b_rule_unref(&rule);
	}
}
END_TEST

START_TEST(test_idp_parse__words)
{
	ck_assert_int_eq(b2b_idp_parse(b2b_str_of("OIDC")), B2B_IDP_OIDC);
	ck_assert_int_eq(b2b_idp_parse(b2b_str_of("saml")), B2B_IDP_SAML);
	ck_assert_int_eq(b2b_idp_parse(b2b_str_of("Ldap")), B2B_IDP_LDAP);
	ck_assert_int_eq(b2b_idp_parse(b2b_str_of("passcode")), B2B_IDP_PASSCODE);
	ck_assert_int_eq(b2b_idp_parse(b2b_str_of("ldaps")), B2B_IDP_NONE);
	ck_assert_int_eq(b2b_idp_parse(b2b_str_of("")), B2B_IDP_NONE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy");
	TCase *tcase = tcase_create("compile");

	tcase_add_test(tcase, test_rule_compile__partner_whole);
	tcase_add_test(tcase, test_rule_compile__sixteen_attributes);
	tcase_add_test(tcase, test_rule_compile__all_keywords);
	tcase_add_test(tcase, test_rule_compile__tenant_defaults);
	tcase_add_test(tcase, test_rule_compile__tenant_whole);
	tcase_add_test(tcase, test_rule_compile__app_whole);
	tcase_add_loop_test(tcase, test_rule_compile__refused, 0, (int)COUNT(refused));
	tcase_add_test(tcase, test_rule_compile__nul_byte);
	tcase_add_test(tcase, test_rule_compile__broken_keeps_identity);
	tcase_add_test(tcase, test_rule_compile__message_is_cut_and_clean);
	tcase_add_test(tcase, test_rule_compile__plain_only_to_loopback);
	tcase_add_test(tcase, test_idp_parse__words);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
