/*
 * check_token_claims.c - unit tests of token_claims.c: what claims must be like, and what they say.
 * In: claims as JSON, a partner that is given.
 * Out: libcheck's summary.
 */
#include "token_scene.h"

/* clang-format off */
static const char *const good[] = {
	"{}",
	"{\"iat\":null}",
	"{\"iat\":null,\"jti\":null}",
	/* the last second of each leeway */
	"{\"exp\":1799999941}", "{\"exp\":1799999940.5}", "{\"exp\":1.7999999405e9}",
	"{\"nbf\":1800000060}", "{\"nbf\":1800000059.9}", "{\"iat\":1800000060}",
	"{\"auth_time\":1800000060}",
	"{\"exp\":9007199254740991}", "{\"nbf\":1}", "{\"iat\":0.5}",
	"{\"iat\":1800000000,\"exp\":1800000001}", "{\"iat\":1800000000,\"exp\":1800000000.5}",
	"{\"aud\":[\"directory\"]}", "{\"aud\":[\"directory\"],\"azp\":\"directory\"}",
	"{\"aud\":[\"else\",\"directory\"],\"azp\":\"directory\"}",
	"{\"aud\":[\"else\",\"api://wiki\"],\"azp\":\"directory\"}",
	"{\"aud\":\"api://wiki\"}", "{\"aud\":\"api://wiki\",\"azp\":\"api://wiki-2\"}",
	"{\"aud\":[\"api://wiki\",\"api://wiki-2\"],\"azp\":\"directory\"}",
	"{\"sub\":\"x\"}", "{\"sub\":\"\\u00e4 b\\u00a0\"}",
	"{\"email_verified\":{}}", "{\"groups\":{}}", "{\"amr\":{}}", "{\"jti\":{}}",
};

static const struct {
	const char *changes, *why;
} refused[] = {
	{ "{\"iss\":null}", "has no issuer" },
	{ "{\"iss\":\"\"}", "has no issuer" },
	{ "{\"iss\":[\"" FAB_ISSUER "\"]}", "has no issuer" },
	{ "{\"iss\":\"" FAB_ISSUER "/\"}", "is not that of b2btenantid=fab" },
	{ "{\"iss\":\"https://idp.example/FAB\"}", "is not that of b2btenantid=fab" },
	{ "{\"iss\":\"https://idp.example/fabmallory\"}", "is not that of b2btenantid=fab" },
	{ "{\"exp\":null}", "has no exp" },
	{ "{\"exp\":\"1800000900\"}", "exp is not a moment" },
	{ "{\"exp\":[1800000900]}", "exp is not a moment" },
	{ "{\"exp\":true}", "exp is not a moment" },
	{ "{\"exp\":0}", "exp is not a moment" },
	{ "{\"exp\":-1}", "exp is not a moment" },
	{ "{\"exp\":-1800000900.5}", "exp is not a moment" },
	{ "{\"exp\":9007199254740992}", "exp is not a moment" },
	{ "{\"exp\":9223372036854775807}", "exp is not a moment" },
	{ "{\"exp\":1e300}", "exp is not a moment" },
	{ "{\"exp\":1799999940}", "has expired" },
	{ "{\"exp\":1799999939.9}", "has expired" },
	{ "{\"exp\":1}", "has expired" },
	{ "{\"nbf\":1800000061}", "nbf is in the future" },
	{ "{\"nbf\":1800000060.5}", "nbf is in the future" },
	{ "{\"nbf\":\"1\"}", "nbf is not a moment" },
	{ "{\"nbf\":0}", "nbf is not a moment" },
	{ "{\"nbf\":9007199254740992}", "nbf is not a moment" },
	{ "{\"iat\":1800000061}", "iat is in the future" },
	{ "{\"iat\":\"1799999900\"}", "iat is not a moment" },
	{ "{\"iat\":-5}", "iat is not a moment" },
	{ "{\"iat\":1800000000,\"exp\":1800000000}", "expired before it was issued" },
	{ "{\"iat\":1800000000,\"exp\":1799999999}", "expired before it was issued" },
	{ "{\"iat\":1800000000.5,\"exp\":1800000000.4}", "expired before it was issued" },
	{ "{\"auth_time\":1800000061}", "auth_time is in the future" },
	{ "{\"auth_time\":\"now\"}", "auth_time is not a moment" },
	{ "{\"aud\":null}", "audience is not ours" },
	{ "{\"aud\":\"\"}", "audience is not ours" },
	{ "{\"aud\":[]}", "audience is not ours" },
	{ "{\"aud\":5}", "audience is not ours" },
	{ "{\"aud\":{\"directory\":1}}", "audience is not ours" },
	{ "{\"aud\":\"mallory's\"}", "audience is not ours" },
	{ "{\"aud\":\"Directory\"}", "audience is not ours" },
	{ "{\"aud\":\"directory \"}", "audience is not ours" },
	{ "{\"aud\":\"API://wiki\"}", "audience is not ours" },
	{ "{\"aud\":[[\"directory\"]]}", "audiences is no text" },
	{ "{\"aud\":[\"directory\",5],\"azp\":\"directory\"}", "audiences is no text" },
	{ "{\"aud\":[\"else\",\"other\"],\"azp\":\"directory\"}", "audience is not ours" },
	{ "{\"aud\":[\"else\",\"directory\"]}", "several audiences and no azp" },
	{ "{\"aud\":[\"directory\",\"directory\"]}", "several audiences and no azp" },
	{ "{\"aud\":[\"directory\",\"directory-2\"]}", "several audiences and no azp" },
	{ "{\"azp\":\"mallory\"}", "azp is not ours" },
	{ "{\"azp\":\"\"}", "azp is not ours" },
	{ "{\"azp\":[\"directory\"]}", "azp is not ours" },
	{ "{\"azp\":false}", "azp is not ours" },
	{ "{\"aud\":[\"api://wiki\",\"api://pay\"],\"azp\":\"directory\"}", "several applications" },
	{ "{\"aud\":[\"directory\",\"api://pay\"],\"azp\":\"api://wiki\"}", "several applications" },
	{ "{\"aud\":\"api://pay\",\"azp\":\"api://wiki\"}", "several applications" },
	{ "{\"aud\":\"directory-2\",\"azp\":\"api://wiki\"}", "several applications" },
	{ "{\"sub\":null}", "subject claim" },
	{ "{\"sub\":\"\"}", "subject claim" },
	{ "{\"sub\":4711}", "subject claim" },
	{ "{\"sub\":[\"mallory\"]}", "subject claim" },
	{ "{\"sub\":true}", "subject claim" },
	{ "{\"sub\":\"a\\nmallory\"}", "subject claim" },
	{ "{\"sub\":\"a\\u001b[2J\"}", "subject claim" },
	{ "{\"sub\":\"a\\u007f\"}", "subject claim" },
	{ "{\"sub\":\"a\\u0085\"}", "subject claim" },
	{ "{\"sub\":\"\\u009f\"}", "subject claim" },
	{ "{\"cnf\":{\"jkt\":\"x\"}}", "bound to a key" },
	{ "{\"cnf\":false}", "bound to a key" },
	{ "{\"events\":{\"http://schemas.openid.net/event/backchannel-logout\":{}}}", "security event" },
	{ "{\"events\":0}", "security event" },
};

/* Texts that cannot be written as changes of the good claims. */
static const struct {
	const char *text, *why;
} raw[] = {
	{ "", "not one JSON object" },
	{ "[]", "not one JSON object" },
	{ "\"directory\"", "not one JSON object" },
	{ "null", "not one JSON object" },
	{ GOOD_CLAIMS "{}", "not one JSON object" },
	{ GOOD_CLAIMS ",", "not one JSON object" },
	{ "[" GOOD_CLAIMS "]", "not one JSON object" },
	{ "\xef\xbb\xbf" GOOD_CLAIMS, "not one JSON object" },
	{ "{\"iss\":\"" FAB_ISSUER "\",\"sub\":\"mallory\",\"aud\":\"directory\",\"exp\":1800000900,}",
	  "not one JSON object" },
	/* the same member twice: who reads the first and who the last would not agree */
	{ "{\"iss\":\"" FAB_ISSUER "\",\"sub\":\"a\",\"sub\":\"b\",\"aud\":\"directory\","
	  "\"exp\":1800000900}", "not one JSON object" },
	{ "{\"iss\":\"" FAB_ISSUER "\",\"sub\":\"a\",\"aud\":\"directory\",\"exp\":1800000900,"
	  "\"x\":{\"y\":1,\"y\":2}}", "not one JSON object" },
	{ "{\"iss\":\"" FAB_ISSUER "\",\"sub\":\"a\",\"aud\":\"directory\",\"exp\":1800000900,"
	  "\"s\\u0075b\":\"b\"}", "not one JSON object" },
	{ "{\"iss\":\"" FAB_ISSUER "\",\"sub\":\"a\\u0000\",\"aud\":\"directory\",\"exp\":1800000900}",
	  "not one JSON object" },
	{ "{\"iss\":\"" FAB_ISSUER "\",\"sub\":\"\xff\",\"aud\":\"directory\",\"exp\":1800000900}",
	  "not one JSON object" },
	{ "{\"iss\":\"" FAB_ISSUER "\",\"sub\":\"a\",\"aud\":\"directory\",\"exp\":1e999}",
	  "not one JSON object" },
	{ "{\"iss\":\"" FAB_ISSUER "\",\"sub\":\"a\",\"aud\":\"directory\",\"exp\":NaN}",
	  "not one JSON object" },
	{ "{\"iss\":\"" FAB_ISSUER "\",\"sub\":\"a\",\"aud\":\"directory\","
	  "\"exp\":99999999999999999999}", "not one JSON object" },
	{ "{\"iss\":\"" FAB_ISSUER "\",\"sub\":\"a\",\"aud\":\"directory\",\"exp\":null}",
	  "exp is not a moment" },
	{ "{\"iss\":\"" FAB_ISSUER "\",\"sub\":\"a\",\"aud\":\"directory\",\"exp\":1800000900,"
	  "\"cnf\":null}", "bound to a key" },
	{ "{\"iss\":\"" FAB_ISSUER "\",\"sub\":\"a\",\"aud\":\"directory\",\"exp\":1800000900,"
	  "\"events\":null}", "security event" },
	{ "{\"iss\":\"" FAB_ISSUER "\",\"sub\":\"a\",\"aud\":\"directory\",\"exp\":1800000900,"
	  "\"azp\":null}", "azp is not ours" },
};
/* clang-format on */

START_TEST(test_token_read_claims__good)
{
	struct b2b_snapshot *snapshot = token_policy("");
	struct b2b_identity *identity = read_good(snapshot, good[_i]);

	b2b_identity_free(&identity);
	ck_assert_ptr_null(identity);
	b2b_identity_free(&identity);
	b2b_identity_free(NULL);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_read_claims__refused)
{
	struct b2b_snapshot *snapshot = token_policy("");
	struct b2b_identity *identity = (void *)1;
	struct b2b_error why = { "untouched" };
	char *text = claims_with(refused[_i].changes);
	enum b2b_err err = read_text(snapshot, "fab", text, &identity, &why);

	expect_refusal(err, identity, &why, refused[_i].why, text);
	ck_assert_int_eq(read_text(snapshot, "fab", text, &identity, NULL), B2B_ERR_INVALID);
	free(text);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_read_claims__refused_as_it_stands)
{
	struct b2b_snapshot *snapshot = token_policy("");
	struct b2b_identity *identity = (void *)1;
	struct b2b_error why = { "untouched" };
	enum b2b_err err = read_text(snapshot, "fab", raw[_i].text, &identity, &why);

	expect_refusal(err, identity, &why, raw[_i].why, raw[_i].text);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_read_claims__of_another_partner)
{
	static const struct {
		const char *partner, *changes;
	} cases[] = {
		{ "one", "{}" },
		{ "one", "{\"iss\":\"" SHARED_ISSUER "\"}" },
		{ "one", "{\"iss\":\"" SHARED_ISSUER "\",\"hd\":\"two.example\"}" },
		{ "two", "{\"iss\":\"" SHARED_ISSUER "\",\"hd\":\"two.example\"}" },
		{ "two", "{\"iss\":\"" SHARED_ISSUER "\",\"hd\":\"two.example\",\"tier\":3}" },
		{ "two", "{\"iss\":\"" SHARED_ISSUER "\",\"tier\":3,\"paid\":true}" },
	};
	struct b2b_snapshot *snapshot = token_policy("");
	struct b2b_identity *identity;
	struct b2b_error why;

	for (size_t i = 0; i < COUNT(cases); i++) {
		char *text = claims_with(cases[i].changes);
		enum b2b_err err = read_text(snapshot, cases[i].partner, text, &identity, &why);

		expect_refusal(err, identity, &why, "issuer or tenant is not that of", text);
		free(text);
	}
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_read_claims__rule_that_is_no_partner)
{
	struct b2b_snapshot *snapshot = token_policy("");
	struct b2b_identity *identity;
	struct b2b_error why;
	enum b2b_err err;

	put_partner(&snapshot, "bad", "", "b2bIdp: oidc\nb2bIssuer: x\nb2bHomeUri: nonsense");
	err = b2b_token_read_claims(snapshot, b2b_snapshot_rule(snapshot, "cn=wiki"),
				    b2b_str_of(GOOD_CLAIMS), NOW, &identity, &why);
	expect_refusal(err, identity, &why, "cn=wiki is not that of a valid partner",
		       "application");
	err = read_text(snapshot, "bad", GOOD_CLAIMS, &identity, &why);
	expect_refusal(err, identity, &why, "is not that of a valid partner", "invalid");
	b2b_snapshot_unref(&snapshot);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("token_claims");
	TCase *tcase = tcase_create("token_claims");

	tcase_add_loop_test(tcase, test_token_read_claims__good, 0, COUNT(good));
	tcase_add_loop_test(tcase, test_token_read_claims__refused, 0, COUNT(refused));
	tcase_add_loop_test(tcase, test_token_read_claims__refused_as_it_stands, 0, COUNT(raw));
	tcase_add_test(tcase, test_token_read_claims__of_another_partner);
	tcase_add_test(tcase, test_token_read_claims__rule_that_is_no_partner);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
