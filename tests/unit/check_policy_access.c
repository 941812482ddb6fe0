/*
 * check_policy_access.c - unit tests of policy_access.c: which access policies compile, which not.
 * In: entries as text.
 * Out: libcheck's summary.
 */
#include "entry.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

START_TEST(test_rule_compile__access_whole)
{
	struct b2b_rule *rule = test_rule(B2B_RULE_ACCESS, "cn=p,cn=conditional-access",
					  "b2bCaState: ReportOnly\n"
					  "b2bCaIncludePartner: Fab\n"
					  "b2bCaIncludePartner: contoso\n"
					  "b2bCaExcludePartner: other\n"
					  "b2bCaIncludeUserType: member\n"
					  "b2bCaIncludeUserType: GUEST\n"
					  "b2bCaExcludeUserType: Member\n"
					  "b2bCaIncludeGuest: uid=z\n"
					  "b2bCaIncludeGuest: uid=a\n"
					  "b2bCaExcludeGuest: uid=m\n"
					  "b2bCaIncludeApp: Wiki\n"
					  "b2bCaExcludeApp: pay\n"
					  "b2bCaIncludeNetwork: 192.0.2.0/24\n"
					  "b2bCaIncludeNetwork: 2001:db8::/32\n"
					  "b2bCaExcludeNetwork: 192.0.2.7\n"
					  "b2bCaBelowSsf: 65535\n"
					  "b2bCaGrant: MFA\n"
					  "b2bCaGrant: compliantdevice\n"
					  "b2bCaGrant: hybridJoinedDevice\n"
					  "b2bCaGrant: terms\n"
					  "b2bCaGrant: tls\n"
					  "b2bCaGrantOperator: or\n"
					  "b2bCaSignInFrequency: 31536000\n"
					  "b2bCaMaxLabel: General");
	const struct b2b_access_policy *access = &rule->u.access;

	ck_assert_int_eq(access->state, B2B_CA_REPORT_ONLY);
	ck_assert_uint_eq(access->include_partners.count, 2);
	ck_assert_str_eq(access->include_partners.list[0], "Fab");
	ck_assert_uint_eq(access->exclude_partners.count, 1);
	ck_assert_uint_eq(access->include_types, 1 << B2B_USER_GUEST | 1 << B2B_USER_MEMBER);
	ck_assert_uint_eq(access->exclude_types, 1 << B2B_USER_MEMBER);
	ck_assert_str_eq(access->include_guests.list[0], "uid=a");
	ck_assert_str_eq(access->include_guests.list[1], "uid=z");
	ck_assert_str_eq(access->exclude_guests.list[0], "uid=m");
	ck_assert(!access->all_apps && access->include_apps.count == 1);
	ck_assert_str_eq(access->exclude_apps.list[0], "pay");
	ck_assert_uint_eq(access->include_networks.count, 2);
	ck_assert_uint_eq(access->include_networks.list[1].prefix_bits, 32);
	ck_assert_uint_eq(access->exclude_networks.count, 1);
	ck_assert_uint_eq(access->below_ssf, 65535);
	ck_assert_uint_eq(access->grants, B2B_GRANT_MFA | B2B_GRANT_COMPLIANT_DEVICE |
						  B2B_GRANT_HYBRID_JOINED | B2B_GRANT_TERMS |
						  B2B_GRANT_TLS);
	ck_assert(access->any_grant);
	ck_assert_uint_eq(access->sign_in_secs, 31536000);
	ck_assert_str_eq(access->max_label, "General");
	b2b_rule_unref(&rule);
}
END_TEST

START_TEST(test_rule_compile__access_least)
{
	static const struct {
		const char *lines;
	} good[] = {
		{ "b2bCaState: enabled\nb2bCaGrant: block" },
		{ "b2bCaState: ENABLED\nb2bCaGrant: block\nb2bCaGrant: BLOCK" },
		{ "b2bCaState: enabled\nb2bCaSignInFrequency: 1" },
		{ "b2bCaState: enabled\nb2bCaMaxLabel: Public" },
		{ "b2bCaState: enabled\nb2bCaGrant: tls\nb2bCaGrantOperator: and\nb2bCaBelowSsf: "
		  "1" },
		{ "b2bCaState: enabled\nb2bCaGrant: mfa\nb2bCaIncludeApp: a\n"
		  "b2bCaIncludeApp: allapplications" },
	};

	for (size_t i = 0; i < COUNT(good); i++) {
		struct b2b_rule *rule = test_rule(B2B_RULE_ACCESS, "cn=p", good[i].lines);

		ck_assert_int_eq(rule->u.access.state, B2B_CA_ENABLED);
		ck_assert(rule->u.access.all_apps);
		ck_assert(!rule->u.access.any_grant);
		b2b_rule_unref(&rule);
	}
}
END_TEST

#define ENABLED(lines) "b2bCaState: enabled\n" lines

static const struct {
	const char *lines, *error; /* the beginning of the message */
} refused[] = {
	{ "b2bCaGrant: mfa", "b2bCaState: is missing" },
	{ "b2bCaState: \nb2bCaGrant: mfa", "b2bCaState: value \"\" is empty" },
	{ "b2bCaState: on\nb2bCaGrant: mfa", "b2bCaState: value \"on\" is not a keyword" },
	{ "b2bCaState: enabled\nb2bCaState: disabled\nb2bCaGrant: mfa",
	  "b2bCaState: value \"disabled\" is a second" },
	{ "b2bCaState: enabled", "b2bCaGrant: is missing" },
	{ "b2bCaState: disabled\nb2bCaIncludePartner: x\nb2bCaBelowSsf: 128",
	  "b2bCaGrant: is missing" },
	{ ENABLED("b2bCaGrant: passwordChange"),
	  "b2bCaGrant: value \"passwordChange\" is not a keyword" },
	{ ENABLED("b2bCaGrant: mfa\nb2bCaGrant: mfas"), "b2bCaGrant: value \"mfas\" is not" },
	{ ENABLED("b2bCaGrant: mfa\nb2bCaGrant: block"),
	  "b2bCaGrant: value \"block\" stands beside another grant" },
	{ ENABLED("b2bCaGrant: block\nb2bCaGrant: tls\nb2bCaGrantOperator: OR"),
	  "b2bCaGrant: value \"block\" stands beside another grant" },
	{ ENABLED("b2bCaGrant: mfa\nb2bCaGrantOperator: XOR"),
	  "b2bCaGrantOperator: value \"XOR\" is not a keyword" },
	{ ENABLED("b2bCaMaxLabel: a\nb2bCaGrantOperator: AND"),
	  "b2bCaGrantOperator: value \"AND\" joins grants" },
	{ ENABLED("b2bCaSignInFrequency: 60\nb2bCaGrantOperator: OR"),
	  "b2bCaGrantOperator: value \"OR\" joins grants" },
	{ ENABLED("b2bCaGrant: mfa\nb2bCaIncludeUserType: Partner"),
	  "b2bCaIncludeUserType: value \"Partner\" is not a keyword" },
	{ ENABLED("b2bCaGrant: mfa\nb2bCaExcludeUserType: all"),
	  "b2bCaExcludeUserType: value \"all\" is not a keyword" },
	{ ENABLED("b2bCaGrant: mfa\nb2bCaExcludeApp: a\nb2bCaExcludeApp: allApplications "),
	  "b2bCaExcludeApp: value \"allApplications \" would leave" },
	{ ENABLED("b2bCaGrant: mfa\nb2bCaIncludeNetwork: 192.0.2.1/24"),
	  "b2bCaIncludeNetwork: value \"192.0.2.1/24\" is not a network" },
	{ ENABLED("b2bCaGrant: mfa\nb2bCaExcludeNetwork: 2001:db8::/129"),
	  "b2bCaExcludeNetwork: value \"2001:db8::/129\" is not a network" },
	{ ENABLED("b2bCaGrant: mfa\nb2bCaBelowSsf: 0"),
	  "b2bCaBelowSsf: value \"0\" is not a number from 1 to 65535" },
	{ ENABLED("b2bCaGrant: mfa\nb2bCaBelowSsf: 65536"), "b2bCaBelowSsf: value \"65536\"" },
	{ ENABLED("b2bCaGrant: mfa\nb2bCaBelowSsf: 128bit"), "b2bCaBelowSsf: value \"128bit\"" },
	{ ENABLED("b2bCaSignInFrequency: 0"),
	  "b2bCaSignInFrequency: value \"0\" is not a number from 1 to 31536000" },
	{ ENABLED("b2bCaSignInFrequency: 31536001"), "b2bCaSignInFrequency: value \"31536001\"" },
	{ ENABLED("b2bCaSignInFrequency: -1"), "b2bCaSignInFrequency: value \"-1\"" },
	{ ENABLED("b2bCaSignInFrequency: +1"), "b2bCaSignInFrequency: value \"+1\"" },
	{ ENABLED("b2bCaSignInFrequency: 060"), "b2bCaSignInFrequency: value \"060\"" },
	{ ENABLED("b2bCaSignInFrequency: 1h"), "b2bCaSignInFrequency: value \"1h\"" },
	{ ENABLED("b2bCaSignInFrequency: 99999999999999999999"), "b2bCaSignInFrequency: value" },
	{ ENABLED("b2bCaMaxLabel: a\nb2bCaMaxLabel: b"), "b2bCaMaxLabel: value \"b\" is a second" },
	{ ENABLED("b2bCaMaxLabel: "), "b2bCaMaxLabel: value \"\" is empty" },
	{ ENABLED("b2bCaGrant: mfa\nb2bCaIncludePartner: "), "b2bCaIncludePartner: value \"\"" },
	{ ENABLED("b2bCaGrant: mfa\nb2bCaExcludePartner: "), "b2bCaExcludePartner: value \"\"" },
	{ ENABLED("b2bCaGrant: mfa\nb2bCaIncludeGuest: "), "b2bCaIncludeGuest: value \"\"" },
	{ ENABLED("b2bCaGrant: mfa\nb2bCaExcludeGuest: "), "b2bCaExcludeGuest: value \"\"" },
	{ ENABLED("b2bCaGrant: mfa\nb2bCaIncludeApp: "), "b2bCaIncludeApp: value \"\"" },
};

START_TEST(test_rule_compile__access_refused)
{
	struct test_entry entry;
	struct b2b_source source = test_source(&entry, "cn=it", refused[_i].lines);
	struct b2b_error error;
	struct b2b_rule *rule;

	ck_assert_msg(b2b_rule_compile(B2B_RULE_ACCESS, &source, &rule, &error) == B2B_ERR_INVALID,
		      "accepted: %s", refused[_i].lines);
	ck_assert_msg(strncmp(error.text, refused[_i].error, strlen(refused[_i].error)) == 0,
		      "%s, not %s", error.text, refused[_i].error);
	ck_assert(rule->invalid && rule->kind == B2B_RULE_ACCESS);
	b2b_rule_unref(&rule);
}
END_TEST

/* What cannot be read is no reason to take a policy for disabled, nor for enabled. */
START_TEST(test_rule_compile__access_broken_keeps_its_state)
{
	static const struct {
		const char *lines;
		enum b2b_ca_state state;
	} cases[] = {
		{ "b2bCaIncludeNetwork: x\nb2bCaState: reportOnly\nb2bCaGrant: mfa",
		  B2B_CA_REPORT_ONLY },
		{ "b2bCaState: disabled", B2B_CA_DISABLED },
		{ "b2bCaGrant: x\nb2bCaState: enabled", B2B_CA_ENABLED },
		{ "b2bCaGrant: mfa", B2B_CA_ENABLED },
		{ "b2bCaState: off\nb2bCaGrant: mfa", B2B_CA_ENABLED },
		{ "b2bCaState: disabled\nb2bCaState: enabled\nb2bCaGrant: mfa", B2B_CA_ENABLED },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_rule *rule = test_broken(B2B_RULE_ACCESS, "cn=p", cases[i].lines);

		ck_assert_msg(rule->u.access.state == cases[i].state, "%zu", i);
		b2b_rule_unref(&rule);
	}
}
END_TEST

START_TEST(test_rule_compile__access_nul_byte)
{
	for (int attr = B2B_ATTR_CA_STATE; attr <= B2B_ATTR_CA_MAX_LABEL; attr++) {
		struct test_entry entry;
		struct b2b_source source = test_source(&entry, "cn=it", "b2bCaGrant: mfa");
		struct b2b_error error;
		struct b2b_rule *rule;

		if (attr != B2B_ATTR_CA_STATE)
			test_add(&entry, B2B_ATTR_CA_STATE, "enabled", 7);
		test_add(&entry, (enum b2b_attr)attr, "1\0", 2);
		ck_assert_int_eq(b2b_rule_compile(B2B_RULE_ACCESS, &source, &rule, &error),
				 B2B_ERR_INVALID);
		ck_assert_msg(strstr(error.text, "has a NUL byte") != NULL, "%s", error.text);
		b2b_rule_unref(&rule);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_access");
	TCase *tcase = tcase_create("compile");

	tcase_add_test(tcase, test_rule_compile__access_whole);
	tcase_add_test(tcase, test_rule_compile__access_least);
	tcase_add_loop_test(tcase, test_rule_compile__access_refused, 0, (int)COUNT(refused));
	tcase_add_test(tcase, test_rule_compile__access_broken_keeps_its_state);
	tcase_add_test(tcase, test_rule_compile__access_nul_byte);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
