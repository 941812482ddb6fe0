/*
 * check_policy_token.c - unit tests of policy_token.c: what a partner's entry says of its tokens.
 * In: entries as text.
 * Out: libcheck's summary.
 */
#include "entry.h"
#include "jose.h"
#include "sign.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *jwks;

static void set_up(void)
{
	struct sign_key key = sign_key("ES256", "e-1");

	jwks = sign_set(&key, 1);
	EVP_PKEY_free(key.pkey);
}

static void expect_claims(const struct b2b_claims *claims, const char *const *wanted, size_t count)
{
	ck_assert_uint_eq(claims->count, count);
	for (size_t i = 0; i < count; i++) {
		char text[256];

		snprintf(text, sizeof text, "%s|%s", claims->list[i].name, claims->list[i].value);
		ck_assert_str_eq(text, wanted[i]);
	}
}

START_TEST(test_policy_read_token__whole)
{
	static const char *const tenant[] = { "tid|72f9", "tid|72fa", "hd|fab.example" };
	static const char *const mfa[] = { "acr|urn:a=b=", "loa|3" };
	static const char *const compliant[] = {
		"http://schemas.microsoft.com/2014/09/devicecontext/claims/iscompliant|true"
	};
	static const char *const joined[] = { "trustType|ServerAd" };
	char lines[4096];
	const struct b2b_token_settings *token;
	struct b2b_rule *rule;

	snprintf(lines, sizeof lines,
		 "b2bTenantId: fab\nb2bIssuer: https://Idp.example/Fab\nb2bAudience: one\n"
		 "b2bAudience: Two\nb2bJwks: %s\nb2bJwksUri: https://idp.example/keys\n"
		 "b2bTokenAlgorithm: ES256\nb2bTokenAlgorithm: EdDSA\nb2bTokenAlgorithm: ES256\n"
		 "b2bSubjectClaim: oid\nb2bGroupsClaim: roles\nb2bTenantClaim: tid=72f9\n"
		 "b2bTenantClaim: tid=72fa\nb2bTenantClaim: hd=fab.example\n"
		 "b2bMfaClaim: acr=urn:a=b=\nb2bMfaClaim: loa=3\nb2bCompliantDeviceClaim: "
		 "http://schemas.microsoft.com/2014/09/devicecontext/claims/iscompliant=true\n"
		 "b2bHybridJoinedClaim: trustType=ServerAd\nb2bTokenOnce: TRUE",
		 jwks);
	rule = test_rule(B2B_RULE_PARTNER, "cn=it", lines);
	token = &rule->u.partner.token;
	ck_assert_str_eq(token->issuer, "https://Idp.example/Fab");
	ck_assert_uint_eq(token->audience_count, 2);
	ck_assert_str_eq(token->audiences[0], "one");
	ck_assert_str_eq(token->audiences[1], "Two");
	ck_assert_uint_eq(b2b_jwks_count(token->keys), 1);
	ck_assert_uint_eq(token->algs, B2B_ALG_ES256 | B2B_ALG_EDDSA);
	ck_assert_str_eq(token->subject_claim, "oid");
	ck_assert_str_eq(token->groups_claim, "roles");
	expect_claims(&token->tenant, tenant, COUNT(tenant));
	expect_claims(&token->mfa, mfa, COUNT(mfa));
	expect_claims(&token->compliant_device, compliant, COUNT(compliant));
	expect_claims(&token->hybrid_joined, joined, COUNT(joined));
	ck_assert(token->once);
	b2b_rule_unref(&rule);
}
END_TEST

/* A partner with oidc may wait for its issuer, audience and keys: no token of it is right. */
START_TEST(test_policy_read_token__defaults)
{
	static const char *const mfa[] = { "amr|mfa",
					   "amr|http://schemas.microsoft.com/claims/multipleauthn",
					   "acr|https://refeds.org/profile/mfa" };
	struct b2b_rule *rule =
		test_rule(B2B_RULE_PARTNER, "cn=it", "b2bTenantId: fab\nb2bIdp: oidc");
	const struct b2b_token_settings *token = &rule->u.partner.token;

	ck_assert_ptr_null(token->issuer);
	ck_assert_uint_eq(token->audience_count, 0);
	ck_assert_ptr_null(token->keys);
	ck_assert_uint_eq(token->algs, B2B_ALGS_ALL);
	ck_assert_str_eq(token->subject_claim, "sub");
	ck_assert_str_eq(token->groups_claim, "groups");
	expect_claims(&token->tenant, NULL, 0);
	expect_claims(&token->mfa, mfa, COUNT(mfa));
	expect_claims(&token->compliant_device, NULL, 0);
	expect_claims(&token->hybrid_joined, NULL, 0);
	ck_assert(!token->once);
	b2b_rule_unref(&rule);
}
END_TEST

/* clang-format off */
static const struct {
	const char *lines, *error; /* the beginning of the message */
} refused[] = {
	{ "b2bIssuer: ", "b2bIssuer: value \"\" is empty" },
	{ "b2bIssuer: a\nb2bIssuer: b", "b2bIssuer: value \"b\" is a second" },
	{ "b2bAudience: ", "b2bAudience: value \"\" is empty" },
	{ "b2bJwks: ", "b2bJwks: value \"\" is empty" },
	{ "b2bJwks: {}\nb2bJwks: {}", "b2bJwks: value \"{}\" is a second" },
	{ "b2bJwks: {}", "b2bJwks: value \"{}\" is no good key set: " },
	{ "b2bJwks: {\"keys\":[]}", "b2bJwks: value \"{\"keys\":[]}\" is no good key set: " },
	{ "b2bJwks: {\"keys\":[{\"kty\":\"oct\",\"kid\":\"k7\",\"k\":\"AA\"}]}",
	  "b2bJwks: value \"{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k7\",\"k\":\"AA\"}]}\" is no good key set: " },
	{ "b2bTokenAlgorithm: none", "b2bTokenAlgorithm: value \"none\" is not a signature" },
	{ "b2bTokenAlgorithm: HS256", "b2bTokenAlgorithm: value \"HS256\" is not a signature" },
	{ "b2bTokenAlgorithm: rs256", "b2bTokenAlgorithm: value \"rs256\" is not a signature" },
	{ "b2bTokenAlgorithm: RS256\nb2bTokenAlgorithm: RS257", "b2bTokenAlgorithm: value \"RS257\"" },
	{ "b2bTokenAlgorithm: ", "b2bTokenAlgorithm: value \"\" is empty" },
	{ "b2bSubjectClaim: ", "b2bSubjectClaim: value \"\" is empty" },
	{ "b2bSubjectClaim: a\nb2bSubjectClaim: b", "b2bSubjectClaim: value \"b\" is a second" },
	{ "b2bGroupsClaim: ", "b2bGroupsClaim: value \"\" is empty" },
	{ "b2bTenantClaim: tid", "b2bTenantClaim: value \"tid\" is not name=value" },
	{ "b2bTenantClaim: =x", "b2bTenantClaim: value \"=x\" is not name=value" },
	{ "b2bTenantClaim: tid=", "b2bTenantClaim: value \"tid=\" is not name=value" },
	{ "b2bTenantClaim: =", "b2bTenantClaim: value \"=\" is not name=value" },
	{ "b2bTenantClaim: ", "b2bTenantClaim: value \"\" is empty" },
	{ "b2bMfaClaim: amr", "b2bMfaClaim: value \"amr\" is not name=value" },
	{ "b2bMfaClaim: ", "b2bMfaClaim: value \"\" is empty" },
	{ "b2bCompliantDeviceClaim: x=", "b2bCompliantDeviceClaim: value \"x=\" is not" },
	{ "b2bHybridJoinedClaim: =x", "b2bHybridJoinedClaim: value \"=x\" is not" },
	{ "b2bTokenOnce: yes", "b2bTokenOnce: value \"yes\" is neither TRUE nor FALSE" },
	{ "b2bJwksUri: http://idp.example/keys", "b2bJwksUri: value \"http://idp.example/keys\" is not https" },
	{ "b2bJwksUri: https://a\nb2bJwksUri: https://b", "b2bJwksUri: value \"https://b\" is a second" },
	/* the first mistake is the one that is told */
	{ "b2bMfaClaim: amr\nb2bTenantClaim: tid", "b2bTenantClaim: value \"tid\" is not" },
	{ "b2bIdp: what\nb2bTenantClaim: tid", "b2bIdp: value \"what\" is none of" },
};
/* clang-format on */

START_TEST(test_policy_read_token__refused)
{
	struct test_entry entry;
	struct b2b_error error = { "untouched" };
	struct b2b_source source;
	struct b2b_rule *rule;
	char lines[512];

	snprintf(lines, sizeof lines, "b2bTenantId: fab\n%s", refused[_i].lines);
	source = test_source(&entry, "cn=it", lines);
	ck_assert_msg(b2b_rule_compile(B2B_RULE_PARTNER, &source, &rule, &error) == B2B_ERR_INVALID,
		      "accepted: %s", lines);
	ck_assert_msg(strncmp(error.text, refused[_i].error, strlen(refused[_i].error)) == 0,
		      "%s, not %s", error.text, refused[_i].error);
	ck_assert(rule && rule->invalid);
	ck_assert_str_eq(rule->error.text, error.text);
	b2b_rule_unref(&rule);
}
END_TEST

START_TEST(test_policy_read_token__keys_uri)
{
	static const struct {
		const char *uri;
		bool good;
	} cases[] = {
		{ "https://idp.example/keys", true },
		{ "https://idp.example", true },
		{ "HTTPS://idp.example:8443/keys?a=b#c", true },
		{ "https://[2001:db8::1]/keys", true },
		{ "https://192.0.2.1", true },
		{ "http://localhost/keys", true },
		{ "http://LOCALHOST:8080?x", true },
		{ "http://127.0.0.1:80/", true },
		{ "http://[::1]:80/keys", true },
		{ "http://idp.example/keys", false },
		{ "http://localhost.example/", false },
		{ "http://127.0.0.1.example/", false },
		{ "http://localhost@idp.example/", false },
		{ "http://localhost:80@idp.example/", false },
		{ "http://localhost#@idp.example/", false },
		{ "http://idp.example/@localhost/", false },
		{ "http://idp.example?http://localhost", false },
		{ "http://localhost\\.idp.example/", false },
		{ "http://2130706433/", false },
		{ "http://[::ffff:192.0.2.1]/", false },
		{ "https://user@idp.example/", false },
		{ "https://", false },
		{ "https:///keys", false },
		{ "https://idp.example:0/", false },
		{ "https://idp.example:99999/", false },
		{ "https://idp.example/a b", false },
		{ "https://idp.example/\xc3\xa4", false },
		{ "https://idp.example/\r", false },
		{ "https:/idp.example/", false },
		{ "ftp://localhost/", false },
		{ "file:///etc/keys", false },
		{ "idp.example", false },
		{ " https://idp.example", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct test_entry entry;
		struct b2b_source source;
		struct b2b_error error;
		struct b2b_rule *rule;
		char lines[256];

		snprintf(lines, sizeof lines, "b2bTenantId: fab\nb2bJwksUri: %s", cases[i].uri);
		source = test_source(&entry, "cn=it", lines);
		b2b_rule_compile(B2B_RULE_PARTNER, &source, &rule, &error);
		ck_assert_msg(rule->invalid == !cases[i].good, "%s: %s", cases[i].uri, error.text);
		b2b_rule_unref(&rule);
	}
}
END_TEST

START_TEST(test_policy_read_token__long_keys_uri)
{
	char lines[2048] = "b2bTenantId: fab\nb2bJwksUri: https://";
	struct b2b_rule *rule;

	memset(lines + strlen(lines), 'a', 1500);
	rule = test_broken(B2B_RULE_PARTNER, "cn=it", lines);
	b2b_rule_unref(&rule);
}
END_TEST

/* What is wrong with a long key set is told behind its beginning. */
START_TEST(test_policy_read_token__message_of_a_long_key_set)
{
	struct test_entry entry;
	struct b2b_source source;
	struct b2b_error error, why;
	struct b2b_jwks *none;
	struct b2b_rule *rule;
	char lines[8192] = "b2bTenantId: fab\nb2bJwks: {\"keys\":[], \"padding\":\"";
	char *set = strchr(lines, '{');

	memset(lines + strlen(lines), 'x', 5000);
	strcat(lines, "\"}");
	ck_assert_int_eq(b2b_jwks_parse(b2b_str_of(set), &none, &why), B2B_ERR_INVALID);
	source = test_source(&entry, "cn=it", lines);
	ck_assert_int_eq(b2b_rule_compile(B2B_RULE_PARTNER, &source, &rule, &error),
			 B2B_ERR_INVALID);
	ck_assert_int_eq(strncmp(error.text, "b2bJwks: value \"{\"keys\":[], ", 28), 0);
	ck_assert_ptr_nonnull(strstr(error.text, "xx...\" is no good key set: "));
	ck_assert_ptr_nonnull(strstr(error.text, why.text));
	ck_assert_uint_lt(strlen(error.text), 400);
	b2b_rule_unref(&rule);
}
END_TEST

/* A broken entry still answers for its issuer, so that its tokens are refused by name. */
START_TEST(test_policy_read_token__broken_keeps_its_issuer)
{
	struct b2b_rule *rule = test_broken(B2B_RULE_PARTNER, "cn=it",
					    "b2bTenantId: fab\nb2bJwks: {}\nb2bIssuer: x\n"
					    "b2bTokenAlgorithm: HS256\nb2bMfaClaim: y\n"
					    "b2bTenantClaim: tid=1");
	const struct b2b_token_settings *token = &rule->u.partner.token;

	ck_assert_str_eq(token->issuer, "x");
	ck_assert_ptr_null(token->keys);
	ck_assert_uint_eq(token->algs, B2B_ALG_NONE);
	ck_assert_uint_eq(token->mfa.count, 0);
	ck_assert_uint_eq(token->tenant.count, 1);
	b2b_rule_unref(&rule);
}
END_TEST

/* With one tenant claim broken, the entry may be any tenant of its issuer's. */
START_TEST(test_policy_read_token__broken_tenant_claims_are_dropped)
{
	static const char *const lines[] = {
		"b2bTenantId: fab\nb2bTenantClaim: tid=1\nb2bTenantClaim: tid",
		"b2bTenantId: fab\nb2bTenantClaim: \nb2bTenantClaim: tid=1",
		"b2bTenantId: fab\nb2bIdp: what\nb2bTenantClaim: tid=1\nb2bTenantClaim: =",
	};

	for (size_t i = 0; i < COUNT(lines); i++) {
		struct b2b_rule *rule = test_broken(B2B_RULE_PARTNER, "cn=it", lines[i]);

		ck_assert_uint_eq(rule->u.partner.token.tenant.count, 0);
		b2b_rule_unref(&rule);
	}
}
END_TEST

START_TEST(test_policy_read_token__nul_byte)
{
	static const enum b2b_attr attrs[] = {
		B2B_ATTR_ISSUER,
		B2B_ATTR_AUDIENCE,
		B2B_ATTR_JWKS,
		B2B_ATTR_JWKS_URI,
		B2B_ATTR_SUBJECT_CLAIM,
		B2B_ATTR_GROUPS_CLAIM,
		B2B_ATTR_TENANT_CLAIM,
		B2B_ATTR_MFA_CLAIM,
		B2B_ATTR_HYBRID_JOINED_CLAIM,
		B2B_ATTR_COMPLIANT_DEVICE_CLAIM,
		B2B_ATTR_TOKEN_ALGORITHM,
		B2B_ATTR_TOKEN_ONCE,
	};

	for (size_t i = 0; i < COUNT(attrs); i++) {
		struct test_entry entry = { .count = 0 };
		struct b2b_source source = { "cn=it", &entry, test_value };
		struct b2b_error error;
		struct b2b_rule *rule;

		test_add(&entry, B2B_ATTR_TENANT_ID, "fab", 3);
		test_add(&entry, attrs[i], "a=b\0c", 5);
		ck_assert_int_eq(b2b_rule_compile(B2B_RULE_PARTNER, &source, &rule, &error),
				 B2B_ERR_INVALID);
		ck_assert_msg(strstr(error.text, "has a NUL byte") != NULL, "%s", error.text);
		b2b_rule_unref(&rule);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_token");
	TCase *tcase = tcase_create("policy_token");

	tcase_add_unchecked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, test_policy_read_token__whole);
	tcase_add_test(tcase, test_policy_read_token__defaults);
	tcase_add_loop_test(tcase, test_policy_read_token__refused, 0, COUNT(refused));
	tcase_add_test(tcase, test_policy_read_token__keys_uri);
	tcase_add_test(tcase, test_policy_read_token__long_keys_uri);
	tcase_add_test(tcase, test_policy_read_token__message_of_a_long_key_set);
	tcase_add_test(tcase, test_policy_read_token__broken_keeps_its_issuer);
	tcase_add_test(tcase, test_policy_read_token__broken_tenant_claims_are_dropped);
	tcase_add_test(tcase, test_policy_read_token__nul_byte);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
