/*
 * check_jws_keys.c - unit tests of jose_check.c: which keys of a set are tried, and by whom.
 * In: sets of keys that are made here.
 * Out: libcheck's summary.
 */
#include "jose_keys.h"

#include <pthread.h>

/* Which keys are tried. */

START_TEST(test_jws_check__kids)
{
	static const struct {
		const char *kid, *other_kid, *token_kid, *why;
	} cases[] = {
		{ "\"kid\":\"a\",", "\"kid\":\"b\",", "\"kid\":\"a\",", NULL },
		{ "\"kid\":\"a\",", "\"kid\":\"b\",", "\"kid\":\"b\",", NOT_OURS },
		{ "\"kid\":\"a\",", "\"kid\":\"b\",", "\"kid\":\"c\",", NO_KEY },
		{ "\"kid\":\"a\",", "\"kid\":\"b\",", "\"kid\":\"A\",", NO_KEY },
		{ "\"kid\":\"a\",", "\"kid\":\"b\",", "\"kid\":\"\",", NO_KEY },
		{ "\"kid\":\"a\",", "\"kid\":\"b\",", "", NULL },
		{ "", "\"kid\":\"b\",", "\"kid\":\"b\",", NULL },
		{ "", "\"kid\":\"b\",", "\"kid\":\"c\",", NULL },
		{ "\"kid\":\"a\",", "", "\"kid\":\"c\",", NOT_OURS },
		{ "", "", "", NULL },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *token = test_token(pkeys[KEY_RSA], "RS256", cases[i].token_kid);
		char *json;
		struct b2b_jwks *keys;

		json = test_text("{\"keys\":[%s,%s]}",
				 test_jwk(pkeys[KEY_RSA_OTHER], cases[i].other_kid),
				 test_jwk(pkeys[KEY_RSA], cases[i].kid));
		keys = test_keys(json);
		ck_assert_pstr_eq(check_with(keys, token), cases[i].why);
		b2b_jwks_free(&keys);
	}
}
END_TEST

/* Of keys of two sizes the signature fits one. */
START_TEST(test_jws_check__sizes_of_candidates)
{
	EVP_PKEY *longer = test_new_key("RSA3072");
	const char *token = test_token(pkeys[KEY_RSA], "RS256", "");
	const char *long_token = test_token(longer, "PS256", "");
	const char *shorter = test_jwk(pkeys[KEY_RSA], "");
	struct b2b_jwks *keys =
		test_keys(test_text("{\"keys\":[%s,%s,%s]}", test_jwk(pkeys[KEY_RSA_OTHER], ""),
				    test_jwk(longer, ""), shorter));

	ck_assert_pstr_eq(check_with(keys, token), NULL);
	ck_assert_pstr_eq(check_with(keys, long_token), NULL);
	b2b_jwks_free(&keys);
	ck_assert_pstr_eq(check_key(KEY_RSA, "", long_token), WRONG_SIZE);
	EVP_PKEY_free(longer);
}
END_TEST

START_TEST(test_jws_check__eight_candidates)
{
	static char json[8192];
	struct b2b_jwks *keys;

	for (int count = 8; count <= 9; count++) {
		size_t len = (size_t)sprintf(json, "{\"keys\":[");

		for (int i = 1; i < count; i++) {
			EVP_PKEY *pkey = test_new_key("P-256");
			char kid[32];

			snprintf(kid, sizeof kid, "\"kid\":\"k%d\",", i);
			len += (size_t)sprintf(json + len, "%s,", test_jwk(pkey, kid));
			EVP_PKEY_free(pkey);
		}
		sprintf(json + len, "%s,%s]}", test_jwk(pkeys[KEY_RSA], ""),
			test_jwk(pkeys[KEY_P256], "\"kid\":\"x\","));
		keys = test_keys(json);
		ck_assert_uint_eq(b2b_jwks_count(keys), (unsigned)count + 1);
		ck_assert_pstr_eq(check_with(keys, test_token(pkeys[KEY_P256], "ES256", "")),
				  count == 8 ? NULL
					     : "more than 8 keys could have made the signature");
		ck_assert_pstr_eq(
			check_with(keys, test_token(pkeys[KEY_P256], "ES256", "\"kid\":\"x\",")),
			NULL);
		b2b_jwks_free(&keys);
	}
}
END_TEST

/* What else was wrong in this thread before stays known. */
START_TEST(test_jws_check__leaves_errors_of_others)
{
	struct b2b_jwks *keys = set_of(KEY_RSA_OTHER, "");
	struct b2b_error why;
	struct b2b_jws jws;

	ck_assert_int_eq(
		b2b_jws_parse(b2b_str_of(test_token(pkeys[KEY_RSA], "RS256", "")), &jws, &why),
		B2B_OK);
	ERR_raise(ERR_LIB_USER, 7);
	ck_assert_int_eq(b2b_jws_check(&jws, keys, B2B_ALGS_ALL, &why), B2B_ERR_INVALID);
	ck_assert_int_eq(ERR_GET_REASON(ERR_get_error()), 7);
	ck_assert_uint_eq(ERR_get_error(), 0);
	b2b_jws_clear(&jws);
	b2b_jwks_free(&keys);
}
END_TEST

struct shared {
	const struct b2b_jwks *keys;
	const char *tokens[COUNT(algs)];
};

static void *check_all(void *data)
{
	const struct shared *shared = data;
	struct b2b_error why;
	struct b2b_jws jws;
	uintptr_t wrong = 0;

	for (unsigned i = 0; i < 20 * COUNT(algs); i++) {
		if (b2b_jws_parse(b2b_str_of(shared->tokens[i % COUNT(algs)]), &jws, &why) !=
			    B2B_OK ||
		    b2b_jws_check(&jws, shared->keys, B2B_ALGS_ALL, &why) != B2B_OK)
			wrong++;
		b2b_jws_clear(&jws);
	}
	return (void *)wrong;
}

/* One set, several threads (run it under helgrind, too). */
START_TEST(test_jws_check__threads)
{
	pthread_t threads[4];
	struct shared shared;
	char *json;
	struct b2b_jwks *keys;
	void *wrong;

	json = test_text("{\"keys\":[%s,%s,%s,%s,%s]}", test_jwk(pkeys[KEY_RSA], ""),
			 test_jwk(pkeys[KEY_P256], ""), test_jwk(pkeys[KEY_P384], ""),
			 test_jwk(pkeys[KEY_P521], ""), test_jwk(pkeys[KEY_ED], ""));
	shared.keys = keys = test_keys(json);
	for (size_t i = 0; i < COUNT(algs); i++)
		shared.tokens[i] = strdup(test_token(pkeys[algs[i].key], algs[i].name, ""));
	for (size_t i = 0; i < COUNT(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, check_all, &shared), 0);
	for (size_t i = 0; i < COUNT(threads); i++) {
		ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
		ck_assert_ptr_null(wrong);
	}
	for (size_t i = 0; i < COUNT(algs); i++)
		free((void *)(uintptr_t)shared.tokens[i]);
	b2b_jwks_free(&keys);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("jws keys");
	TCase *keys = tcase_create("keys");

	tcase_add_unchecked_fixture(keys, make_keys, free_keys);
	tcase_set_timeout(keys, 120);
	tcase_add_test(keys, test_jws_check__kids);
	tcase_add_test(keys, test_jws_check__sizes_of_candidates);
	tcase_add_test(keys, test_jws_check__eight_candidates);
	tcase_add_test(keys, test_jws_check__leaves_errors_of_others);
	tcase_add_test(keys, test_jws_check__threads);
	suite_add_tcase(suite, keys);
	return test_run(suite);
}
