/*
 * check_jws.c - unit tests of jose_jws.c, jose_check.c, jose_base64.c and jose_alg.c: published
 * vectors, the shape of tokens, headers.
 * In: what RFCs print; tokens that are written here.  Out: libcheck's summary.
 */
#include "entry.h"
#include "jose.h"
#include "jose_vectors.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SET(key) "{\"keys\":[" key "]}"

static struct b2b_jwks *keys_of(const char *json)
{
	struct b2b_jwks *keys;
	struct b2b_error error;

	ck_assert_msg(b2b_jwks_parse(b2b_str_of(json), &keys, &error) == B2B_OK, "%s: %s", json,
		      error.text);
	return keys;
}

/* vectors */

START_TEST(test_jws_check__published_vectors)
{
	static const struct {
		const char *name, *keys, *token, *payload;
		enum b2b_alg alg;
	} cases[] = {
		{ "7515 A.2", SET(RFC7515_A2_KEY), RFC7515_A2_TOKEN, RFC7515_PAYLOAD,
		  B2B_ALG_RS256 },
		{ "7515 A.3", SET(RFC7515_A3_KEY), RFC7515_A3_TOKEN, RFC7515_PAYLOAD,
		  B2B_ALG_ES256 },
		{ "7515 A.4", SET(RFC7515_A4_KEY), RFC7515_A4_TOKEN, "Payload", B2B_ALG_ES512 },
		{ "7520 4.1", SET(RFC7520_RSA_KEY), RFC7520_41_TOKEN, RFC7520_PAYLOAD,
		  B2B_ALG_RS256 },
		{ "7520 4.2", SET(RFC7520_RSA_KEY), RFC7520_42_TOKEN, RFC7520_PAYLOAD,
		  B2B_ALG_PS384 },
		{ "7520 4.3", SET(RFC7520_EC_KEY), RFC7520_43_TOKEN, RFC7520_PAYLOAD,
		  B2B_ALG_ES512 },
		{ "8037 A.4", SET(RFC8037_KEY), RFC8037_TOKEN, RFC8037_PAYLOAD, B2B_ALG_EDDSA },
		{ "two keys of one kid", SET(RFC7520_EC_KEY "," RFC7520_RSA_KEY), RFC7520_41_TOKEN,
		  RFC7520_PAYLOAD, B2B_ALG_RS256 },
	};
	struct b2b_error why;
	struct b2b_jws jws;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_jwks *keys = keys_of(cases[i].keys);

		ck_assert_msg(b2b_jws_parse(b2b_str_of(cases[i].token), &jws, &why) == B2B_OK,
			      "%s: %s", cases[i].name, why.text);
		ck_assert_int_eq(jws.alg, cases[i].alg);
		ck_assert_str_eq(jws.payload, cases[i].payload);
		ck_assert_uint_eq(jws.payload_len, strlen(cases[i].payload));
		ck_assert_msg(b2b_jws_check(&jws, keys, cases[i].alg, &why) == B2B_OK, "%s: %s",
			      cases[i].name, why.text);
		ck_assert_msg(b2b_jws_check(&jws, keys, B2B_ALGS_ALL & ~(unsigned)cases[i].alg,
					    &why) == B2B_ERR_INVALID,
			      "%s", cases[i].name);
		ck_assert_str_eq(why.text, "its algorithm is not accepted");
		jws.payload[0] ^= 1; /* a copy: what was signed is the token's text */
		jws.signature[jws.signature_len / 2] ^= 1;
		ck_assert_msg(b2b_jws_check(&jws, keys, B2B_ALGS_ALL, &why) == B2B_ERR_INVALID,
			      "%s", cases[i].name);
		ck_assert_str_eq(why.text, "the signature is not one of the key's");
		b2b_jws_clear(&jws);
		b2b_jwks_free(&keys);
		ck_assert_ptr_null(keys);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("jws");
	TCase *vectors = tcase_create("vectors");

	tcase_add_test(vectors, test_jws_check__published_vectors);
	suite_add_tcase(suite, vectors);
	return test_run(suite);
}
