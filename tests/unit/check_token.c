/*
 * check_token.c - unit tests of token.c: whose a token is, and whether it is to be believed.
 * In: tokens signed here.
 * Out: libcheck's summary.
 */
#include "sign.h"
#include "token_scene.h"

static struct sign_key keys[2], stranger;
static const char *jwks;

static void set_up(void)
{
	keys[0] = sign_key("ES256", "e-1");
	keys[1] = sign_key("RS256", "r-1");
	stranger = sign_key("ES256", "e-1");
	jwks = sign_set(keys, COUNT(keys));
}

static void tear_down(void)
{
	EVP_PKEY_free(keys[0].pkey);
	EVP_PKEY_free(keys[1].pkey);
	EVP_PKEY_free(stranger.pkey);
}

static void expect_good(const struct b2b_snapshot *snapshot, const char *token, const char *partner)
{
	struct b2b_identity *identity;
	struct b2b_error why = { "untouched" };
	char dn[64];

	ck_assert_ptr_nonnull(partner);
	snprintf(dn, sizeof dn, "b2btenantid=%s,cn=partners", partner ? partner : "");
	ck_assert_msg(b2b_token_verify(snapshot, b2b_str_of(token), NOW, &identity, &why) == B2B_OK,
		      "%s", why.text);
	ck_assert_str_eq(why.text, "");
	ck_assert_ptr_eq(identity->partner, b2b_snapshot_rule(snapshot, dn));
	ck_assert_str_eq(identity->subject, "mallory-0815");
	b2b_identity_free(&identity);
}

static void expect_bad(const struct b2b_snapshot *snapshot, const char *token, const char *wanted)
{
	struct b2b_identity *identity = (void *)1;
	struct b2b_error why = { "untouched" };
	enum b2b_err err = b2b_token_verify(snapshot, b2b_str_of(token), NOW, &identity, &why);

	expect_refusal(err, identity, &why, wanted, token);
	ck_assert_int_eq(b2b_token_verify(snapshot, b2b_str_of(token), NOW, &identity, NULL),
			 B2B_ERR_INVALID);
}

/* A token with the good claims and these changes. */
static const char *token_with(const char *changes)
{
	char *claims = claims_with(changes);
	const char *token = sign(&keys[0], claims);

	free(claims);
	return token;
}

START_TEST(test_token_verify__both_kinds_of_keys)
{
	struct b2b_snapshot *snapshot = token_policy(jwks);

	for (size_t i = 0; i < COUNT(keys); i++) {
		const char *token = sign(&keys[i], GOOD_CLAIMS);

		expect_good(snapshot, token, "fab");
	}
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_verify__signature)
{
	struct b2b_snapshot *snapshot = token_policy(jwks);
	const char *token = sign(&keys[0], GOOD_CLAIMS);
	const char *other = sign(&keys[0], "{\"iss\":\"" FAB_ISSUER "\"}");
	int signed_length = (int)(strrchr(token, '.') - token);

	expect_bad(snapshot, sign(&stranger, GOOD_CLAIMS), "signature");
	/* the claims of one with the signature of another */
	expect_bad(snapshot, test_text("%.*s%s", signed_length, token, strrchr(other, '.')),
		   "signature");
	expect_bad(snapshot, test_text("%.*s", signed_length, token), "");
	expect_bad(snapshot, "", "");
	expect_bad(snapshot, "..", "");
	expect_bad(snapshot, GOOD_CLAIMS, "");
	b2b_snapshot_unref(&snapshot);
}
END_TEST

/* The keys of one partner sign nothing for another, even where both have one issuer. */
START_TEST(test_token_verify__keys_of_another_partner)
{
	struct b2b_snapshot *snapshot = token_policy(jwks);
	const char *other_jwks = sign_set(&stranger, 1), *token;
	char *claims;

	put_partner(&snapshot, "evil", other_jwks,
		    "b2bIdp: oidc\nb2bIssuer: " SHARED_ISSUER "\nb2bAudience: directory\n"
		    "b2bTenantClaim: hd=evil.example");
	claims = claims_with("{\"iss\":\"" SHARED_ISSUER "\",\"hd\":\"evil.example\"}");
	token = sign(&stranger, claims);
	expect_good(snapshot, token, "evil");
	free(claims);
	claims = claims_with("{\"iss\":\"" SHARED_ISSUER "\",\"hd\":\"one.example\"}");
	token = sign(&stranger, claims);
	expect_bad(snapshot, token, "signature");
	free(claims);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_verify__algorithm)
{
	struct b2b_snapshot *snapshot = token_policy(jwks);
	const char *es = sign(&keys[0], GOOD_CLAIMS), *rs = sign(&keys[1], GOOD_CLAIMS);

	put_partner(&snapshot, "fab", jwks,
		    "b2bIdp: oidc\nb2bIssuer: " FAB_ISSUER "\nb2bAudience: directory\n"
		    "b2bTokenAlgorithm: RS256\nb2bTokenAlgorithm: PS256");
	expect_good(snapshot, rs, "fab");
	expect_bad(snapshot, es, "algorithm");
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_verify__typ)
{
	static const struct {
		const char *header;
		bool good;
	} cases[] = {
		{ "{\"alg\":\"ES256\"}", true },
		{ "{\"alg\":\"ES256\",\"typ\":\"JWT\"}", true },
		{ "{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}", true },
		{ "{\"alg\":\"ES256\",\"typ\":\"application/at+JWT\"}", true },
		{ "{\"alg\":\"ES256\",\"typ\":\"logout+jwt\"}", false },
		{ "{\"alg\":\"ES256\",\"typ\":\"secevent+jwt\"}", false },
		{ "{\"alg\":\"ES256\",\"typ\":\"dpop+jwt\"}", false },
		{ "{\"alg\":\"ES256\",\"typ\":\"JOSE\"}", false },
		{ "{\"alg\":\"ES256\",\"typ\":\"\"}", false },
	};
	struct b2b_snapshot *snapshot = token_policy(jwks);

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *token = sign_as(&keys[0], cases[i].header, GOOD_CLAIMS);

		if (cases[i].good)
			expect_good(snapshot, token, "fab");
		else
			expect_bad(snapshot, token, "typ");
	}
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_verify__payload)
{
	static const struct {
		const char *claims, *why;
	} cases[] = {
		{ "[]", "not one JSON object" },
		{ "{}", "no issuer" },
		{ "{\"iss\":\"" FAB_ISSUER "\",\"iss\":\"" FAB_ISSUER "\",\"sub\":\"mallory\","
		  "\"aud\":\"directory\",\"exp\":1800000900}",
		  "not one JSON object" },
		{ "{\"iss\":\"" FAB_ISSUER "\",\"sub\":\"mallory\",\"aud\":\"directory\"}",
		  "no exp" },
	};
	struct b2b_snapshot *snapshot = token_policy(jwks);

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *token = sign(&keys[0], cases[i].claims);

		expect_bad(snapshot, token, cases[i].why);
	}
	b2b_snapshot_unref(&snapshot);
}
END_TEST

#define SHARED(more) "{\"iss\":\"" SHARED_ISSUER "\"" more "}"

START_TEST(test_token_verify__partner)
{
	static const char nobody[] = "those of no partner";
	static const struct {
		const char *changes, *partner, *why;
	} cases[] = {
		{ "{}", "fab", NULL },
		{ "{\"iss\":\"https://unknown.example\"}", "", nobody },
		{ "{\"iss\":\"" FAB_ISSUER "/\"}", "", nobody },
		{ "{\"iss\":\"https://IDP.example/fab\"}", "", nobody },
		{ "{\"iss\":null}", "", "no issuer" },
		{ "{\"iss\":[\"" FAB_ISSUER "\"]}", "", "no issuer" },
		{ SHARED(",\"hd\":\"one.example\""), "one", NULL },
		{ SHARED(",\"hd\":\"1.example\""), "one", NULL },
		{ SHARED(",\"hd\":[\"x\",\"1.example\"]"), "one", NULL },
		{ SHARED(""), "", nobody },
		{ SHARED(",\"hd\":\"\""), "", nobody },
		{ SHARED(",\"hd\":\"three.example\""), "", nobody },
		{ SHARED(",\"hd\":\"One.example\""), "", nobody },
		{ SHARED(",\"hd\":{\"one.example\":1}"), "", nobody },
		{ SHARED(",\"HD\":\"one.example\""), "", nobody },
		/* each of its names must be there */
		{ SHARED(",\"hd\":\"two.example\""), "", nobody },
		{ SHARED(",\"hd\":\"two.example\",\"tier\":3"), "", nobody },
		{ SHARED(",\"hd\":\"two.example\",\"tier\":3,\"paid\":false"), "", nobody },
		{ SHARED(",\"hd\":\"two.example\",\"tier\":3,\"paid\":true"), "two", NULL },
		{ SHARED(",\"hd\":\"one.example\",\"tier\":3,\"paid\":true"), "one", NULL },
		{ SHARED(",\"hd\":[\"one.example\",\"two.example\"],\"tier\":3,\"paid\":true"),
		  NULL,
		  "it could be of b2btenantid=one,cn=partners or of b2btenantid=two,cn=partners" },
	};
	struct b2b_snapshot *snapshot = token_policy(jwks);

	for (size_t i = 0; i < COUNT(cases); i++)
		if (cases[i].why)
			expect_bad(snapshot, token_with(cases[i].changes), cases[i].why);
		else
			expect_good(snapshot, token_with(cases[i].changes), cases[i].partner);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_verify__partner_that_may_not)
{
	static const char one[] = SHARED(",\"hd\":\"one.example\"");
	static const struct {
		const char *name, *lines, *changes, *why;
	} cases[] = {
		{ "fab", "b2bIdp: passcode\nb2bIssuer: " FAB_ISSUER "\nb2bAudience: directory",
		  "{}", "oidc is not among the proofs" },
		{ "fab", "b2bIssuer: " FAB_ISSUER "\nb2bAudience: directory", "{}",
		  "oidc is not among the proofs" },
		{ "fab", "b2bIdp: oidc\nb2bIssuer: " FAB_ISSUER, "{}", "audience is not ours" },
		{ "fab", "b2bIdp: oidc\nb2bAudience: directory", "{}", "those of no partner" },
		{ "fab",
		  "b2bIdp: oidc\nb2bIssuer: " FAB_ISSUER
		  "\nb2bAudience: directory\nb2bTrustMfa: perhaps",
		  "{}", "is not that of a valid partner" },
		/* it could be meant, for all that can be read */
		{ "bad",
		  "b2bIdp: oidc\nb2bIssuer: " SHARED_ISSUER "\nb2bTrustMfa: perhaps\n"
		  "b2bTenantClaim: hd=one.example",
		  one, "it could be of" },
		{ "bad",
		  "b2bIdp: oidc\nb2bIssuer: " SHARED_ISSUER "\nb2bTenantClaim: hd=other.example\n"
		  "b2bTenantClaim: one.example",
		  one, "it could be of" },
		{ "bad",
		  "b2bIdp: oidc\nb2bIssuer: " SHARED_ISSUER "\nb2bTenantClaim: hd=bad.example\n"
		  "b2bTrustMfa: perhaps",
		  SHARED(",\"hd\":\"bad.example\""), "bad,cn=partners is not that of a valid" },
		/* its tenant claims were read, and do not fit */
		{ "bad",
		  "b2bIdp: oidc\nb2bIssuer: " SHARED_ISSUER "\nb2bTenantClaim: hd=other.example\n"
		  "b2bTrustMfa: perhaps",
		  one, NULL },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_snapshot *snapshot = token_policy(jwks);

		put_partner(&snapshot, cases[i].name, jwks, cases[i].lines);
		if (cases[i].why)
			expect_bad(snapshot, token_with(cases[i].changes), cases[i].why);
		else
			expect_good(snapshot, token_with(cases[i].changes), "one");
		b2b_snapshot_unref(&snapshot);
	}
}
END_TEST

START_TEST(test_token_verify__partner_without_keys)
{
	struct b2b_snapshot *snapshot = token_policy(jwks);

	put_partner(&snapshot, "fab", "",
		    "b2bIdp: oidc\nb2bIssuer: " FAB_ISSUER "\nb2bAudience: directory");
	expect_bad(snapshot, token_with("{}"), "key");
	put_partner(&snapshot, "fab", "{\"keys\":[]}",
		    "b2bIdp: oidc\nb2bIssuer: " FAB_ISSUER "\nb2bAudience: directory");
	expect_bad(snapshot, token_with("{}"), "is not that of a valid partner");
	b2b_snapshot_unref(&snapshot);
}
END_TEST

/* Two entries for one tenant: which of them holds for its guests is unclear. */
START_TEST(test_token_verify__tenant_of_two_entries)
{
	struct b2b_snapshot *snapshot = token_policy(jwks);

	put(&snapshot, B2B_RULE_PARTNER, "b2btenantid=fab,cn=elsewhere",
	    "b2bTenantId: FAB\nb2bIdp: oidc\nb2bIssuer: https://fab2.example");
	expect_bad(snapshot, token_with("{}"), "is that of other entries too");
	b2b_snapshot_unref(&snapshot);
}
END_TEST

/* Of an ECDSA signature anyone can make another that is right; it must not be another token. */
START_TEST(test_token_verify__id_outlives_another_signature)
{
	static const char header[] = "{\"alg\":\"ES256\",\"kid\":\"e-1\"}";
	struct b2b_snapshot *snapshot = token_policy(jwks);
	char *claims = claims_with("{\"jti\":null}"), *later;
	const char *tokens[3];
	struct b2b_identity *ids[3];

	later = claims_with("{\"jti\":null,\"iat\":1799999901}");
	tokens[0] = sign_as(&keys[0], header, claims);
	tokens[1] = sign_mirrored(&keys[0], header, claims);
	tokens[2] = sign_as(&keys[0], header, later);
	ck_assert_str_ne(tokens[0], tokens[1]);
	for (size_t i = 0; i < COUNT(ids); i++)
		ck_assert_int_eq(
			b2b_token_verify(snapshot, b2b_str_of(tokens[i]), NOW, &ids[i], NULL),
			B2B_OK);
	ck_assert_str_eq(ids[0]->id, ids[1]->id);
	ck_assert_str_ne(ids[0]->id, ids[2]->id);
	for (size_t i = 0; i < COUNT(ids); i++)
		b2b_identity_free(&ids[i]);
	free(claims);
	free(later);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

/* The id hashes what is signed: header and claims as they stand in the token. */
START_TEST(test_token_verify__id_is_the_hash_of_what_is_signed)
{
	struct b2b_snapshot *snapshot = token_policy(jwks);
	char *claims = claims_with("{\"jti\":5}");
	const char *token = sign(&keys[1], claims);
	char wanted[80] = "sha256:";
	struct b2b_identity *identity;
	unsigned char hash[32];

	ck_assert_int_eq(b2b_token_verify(snapshot, b2b_str_of(token), NOW, &identity, NULL),
			 B2B_OK);
	EVP_Digest(token, (size_t)(strrchr(token, '.') - token), hash, NULL, EVP_sha256(), NULL);
	for (size_t i = 0; i < sizeof hash; i++)
		sprintf(wanted + 7 + 2 * i, "%02x", hash[i]);
	ck_assert_str_eq(identity->id, wanted);
	b2b_identity_free(&identity);
	free(claims);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

/* A token is right until 60 seconds past its end, and no second longer. */
START_TEST(test_token_verify__moments)
{
	static const struct {
		time_t now;
		bool good;
	} cases[] = { { 1800000959, true },  { 1800000960, false }, { 1799999840, true },
		      { 1799999839, false }, { 0, false },          { -1, false },
		      { 4102444800, false } };
	struct b2b_snapshot *snapshot = token_policy(jwks);
	const char *token = sign(&keys[0], GOOD_CLAIMS);

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_identity *identity;
		enum b2b_err err = b2b_token_verify(snapshot, b2b_str_of(token), cases[i].now,
						    &identity, NULL);

		ck_assert_int_eq(err, cases[i].good ? B2B_OK : B2B_ERR_INVALID);
		if (identity)
			ck_assert(identity->authenticated <= cases[i].now);
		b2b_identity_free(&identity);
	}
	b2b_snapshot_unref(&snapshot);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("token");
	TCase *tcase = tcase_create("token");

	tcase_add_unchecked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_token_verify__both_kinds_of_keys);
	tcase_add_test(tcase, test_token_verify__signature);
	tcase_add_test(tcase, test_token_verify__keys_of_another_partner);
	tcase_add_test(tcase, test_token_verify__algorithm);
	tcase_add_test(tcase, test_token_verify__typ);
	tcase_add_test(tcase, test_token_verify__payload);
	tcase_add_test(tcase, test_token_verify__partner);
	tcase_add_test(tcase, test_token_verify__partner_that_may_not);
	tcase_add_test(tcase, test_token_verify__partner_without_keys);
	tcase_add_test(tcase, test_token_verify__tenant_of_two_entries);
	tcase_add_test(tcase, test_token_verify__id_outlives_another_signature);
	tcase_add_test(tcase, test_token_verify__id_is_the_hash_of_what_is_signed);
	tcase_add_test(tcase, test_token_verify__moments);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
