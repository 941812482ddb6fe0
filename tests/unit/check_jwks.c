/*
 * check_jwks.c - unit tests of jose_key.c and jose_material.c: keys that are usable, passed over,
 * refused.
 * In: what RFCs print, and keys that are made here.  Out: libcheck's summary.
 */
#include "entry.h"
#include "jose_scene.h"
#include "jose_vectors.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
/* Keys that we do not know do not hinder those that we know. */
START_TEST(test_jwks_parse__passed_over)
{
	static const char *const others[] = {
		RSA_KEY("\"kty\":\"RSA\",\"use\":\"enc\""),
		RSA_KEY("\"kty\":\"RSA\",\"use\":\"\""),
		RSA_KEY("\"kty\":\"RSA\",\"key_ops\":[\"encrypt\",\"wrapKey\"]"),
		RSA_KEY("\"kty\":\"RSA\",\"key_ops\":[\"sign\"]"),
		RSA_KEY("\"kty\":\"RSA\",\"key_ops\":[]"),
		RSA_KEY("\"kty\":\"RSA\",\"use\":\"sig\",\"key_ops\":[\"Verify\"]"),
		RSA_KEY("\"kty\":\"RSA\",\"alg\":\"RSA-OAEP\""),
		RSA_KEY("\"kty\":\"RSA\",\"alg\":\"RS1\""),
		RSA_KEY("\"kty\":\"RSA\",\"alg\":\"HS256\""),
		RSA_KEY("\"kty\":\"RSA\",\"alg\":\"none\""),
		RSA_KEY("\"kty\":\"rsa\""),
		RSA_KEY("\"kty\":\"\""),
		EC_KEY("secp256k1", P256_X, P256_Y),
		EC_KEY("p-256", P256_X, P256_Y),
		"{\"kty\":\"EC\"}",
		"{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"AAAA\"}",
		"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" RFC8037_X "\"}",
		"{\"kty\":\"OKP\",\"crv\":\"P-256\",\"x\":\"" RFC8037_X "\"}",
		"{\"kty\":\"EC\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_X "\"}",
		"{\"kty\":\"AKP\",\"alg\":\"ML-DSA-44\",\"pub\":\"AAAA\"}",
		/* nothing else of it is looked at */
		"{\"kty\":\"RSA\",\"use\":\"enc\",\"n\":\"!\",\"e\":7}",
		"{\"kty\":\"RSA\",\"kid\":\"good\",\"use\":\"enc\"}",
	};
	size_t count;

	for (size_t i = 0; i < COUNT(others); i++) {
		const char *why = test_set(b2b_str_of(test_text(SET("%s"), others[i])), &count);

		ck_assert_msg(why, "%s", others[i]);
		ck_assert_str_eq(why, "the key set has no key that is usable");
		why = test_set(b2b_str_of(test_text(SET("%s,%s,%s"), others[i], GOOD, others[i])),
			       &count);
		ck_assert_msg(!why, "%s: %s", others[i], why);
		ck_assert_uint_eq(count, 1);
	}
}
END_TEST

START_TEST(test_jwks_parse__usable)
{
	static const char *const keys[] = {
		RFC7515_A2_KEY,
		RFC7515_A3_KEY,
		RFC7515_A4_KEY,
		RFC7520_RSA_KEY,
		RFC7520_EC_KEY,
		RFC8037_KEY,
		RSA_KEY("\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"PS512\",\"kid\":\"\""),
		RSA_KEY("\"kty\":\"RSA\",\"key_ops\":[\"sign\",\"verify\"],\"x5c\":[\"AAAA\"]"),
		RSA_KEY("\"kty\":\"RSA\",\"kid\":\"\\u00e9 \\\"x\\\"\",\"crv\":\"any\""),
	};

	for (size_t i = 0; i < COUNT(keys); i++) {
		const char *why = test_set_text(test_text(SET("%s"), keys[i]));

		ck_assert_msg(!why, "%s: %s", keys[i], why);
	}
}
END_TEST

#define BAD_TEXT "has a kid, use, alg or crv that is no text"
#define BAD_OPS "has key_ops that are no list of texts"
#define SECRET "is private or symmetric: only public keys belong there"
#define BAD_ALG "has an alg that does not fit its kind"
#define BAD_N "has an n that is no base64url of 1 to 2048 bytes, the first not zero"
#define BAD_E "has an e that is no base64url of 1 to 8 bytes, the first not zero"
#define BAD_XY "has an x or y that is no base64url of its curve's size"
#define OFF_CURVE "has a point that is not on its curve"
#define SMALL "has a point of small order"
#define EVEN_E "has an exponent that is even or below 3"
#define N_E(n, e) "{\"kty\":\"RSA\",\"n\":\"" n "\",\"e\":\"" e "\"}"

static const struct {
	const char *key, *why;
} refused[] = {
	{ "7", "is no JSON object" },
	{ "null", "is no JSON object" },
	{ "[]", "is no JSON object" },
	{ "{}", "has no kty" },
	{ "{\"kty\":7}", "has no kty" },
	{ RSA_KEY("\"kty\":null"), "has no kty" },
	{ RSA_KEY("\"kty\":\"RSA\",\"kid\":7"), BAD_TEXT },
	{ RSA_KEY("\"kty\":\"RSA\",\"kid\":null"), BAD_TEXT },
	{ RSA_KEY("\"kty\":\"RSA\",\"use\":[\"sig\"]"), BAD_TEXT },
	{ RSA_KEY("\"kty\":\"RSA\",\"alg\":[\"RS256\"]"), BAD_TEXT },
	{ RSA_KEY("\"kty\":\"RSA\",\"crv\":7"), BAD_TEXT },
	{ RSA_KEY("\"kty\":\"RSA\",\"key_ops\":\"verify\""), BAD_OPS },
	{ RSA_KEY("\"kty\":\"RSA\",\"key_ops\":{}"), BAD_OPS },
	{ RSA_KEY("\"kty\":\"RSA\",\"key_ops\":[\"verify\",7]"), BAD_OPS },
	{ RFC7515_A1_KEY, SECRET },
	{ RFC7520_HMAC_KEY, SECRET },
	{ "{\"kty\":\"oct\"}", SECRET },
	{ RSA_KEY("\"kty\":\"RSA\",\"d\":\"AQAB\""), SECRET },
	{ RSA_KEY("\"kty\":\"RSA\",\"d\":null"), SECRET },
	{ RSA_KEY("\"kty\":\"RSA\",\"p\":\"AQAB\""), SECRET },
	{ RSA_KEY("\"kty\":\"RSA\",\"q\":\"AQAB\""), SECRET },
	{ RSA_KEY("\"kty\":\"RSA\",\"dp\":\"AQAB\""), SECRET },
	{ RSA_KEY("\"kty\":\"RSA\",\"dq\":\"AQAB\""), SECRET },
	{ RSA_KEY("\"kty\":\"RSA\",\"qi\":\"AQAB\""), SECRET },
	{ RSA_KEY("\"kty\":\"RSA\",\"oth\":[]"), SECRET },
	{ RSA_KEY("\"kty\":\"RSA\",\"k\":\"AQAB\""), SECRET },
	{ RSA_KEY("\"kty\":\"RSA\",\"use\":\"enc\",\"d\":\"AQAB\""), SECRET },
	{ "{\"kty\":\"AKP\",\"priv\":\"AQAB\"}", SECRET },
	{ RSA_KEY("\"kty\":\"RSA\",\"alg\":\"ES256\""), BAD_ALG },
	{ RSA_KEY("\"kty\":\"RSA\",\"alg\":\"EdDSA\""), BAD_ALG },
	{ "{\"alg\":\"RS256\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y
	  "\"}",
	  BAD_ALG },
	{ "{\"alg\":\"ES384\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y
	  "\"}",
	  BAD_ALG },
	{ "{\"alg\":\"ES256\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_X "\"}",
	  BAD_ALG },
	{ "{\"kty\":\"RSA\"}", BAD_N },
	{ "{\"kty\":\"RSA\",\"n\":7,\"e\":\"AQAB\"}", BAD_N },
	{ N_E("", "AQAB"), BAD_N },
	{ N_E(RFC7515_A2_N "=", "AQAB"), BAD_N },
	{ N_E(" " RFC7515_A2_N, "AQAB"), BAD_N },
	{ N_E("AA" RFC7515_A2_N, "AQAB"), BAD_N }, /* zero bits in front, and cut ones */
	{ N_E("AAAA" RFC7515_A2_N, "AQAB"), BAD_N },
	{ "{\"kty\":\"RSA\",\"n\":\"" RFC7515_A2_N "\"}", BAD_E },
	{ N_E(RFC7515_A2_N, ""), BAD_E },
	{ N_E(RFC7515_A2_N, "AAEAAQ"), BAD_E },
	{ N_E(RFC7515_A2_N, "AA"), BAD_E },
	{ N_E(RFC7515_A2_N, "AQAAAAAAAAAB"), BAD_E },
	{ N_E(RFC7515_A2_N, "AQ"), EVEN_E },
	{ N_E(RFC7515_A2_N, "Ag"), EVEN_E },
	{ N_E(RFC7515_A2_N, "AQAA"), EVEN_E },
	{ EC_KEY("P-256", P256_X, P256_X), OFF_CURVE },
	{ EC_KEY("P-256", P256_Y, P256_X), OFF_CURVE },
	{ EC_KEY("P-256", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
	  OFF_CURVE },
	{ EC_KEY("P-256", "__________________________________________8", P256_Y), OFF_CURVE },
	{ EC_KEY("P-256", P256_X "A", P256_Y), BAD_XY },
	{ EC_KEY("P-256", P256_X, "AP_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"), BAD_XY },
	{ EC_KEY("P-256", "", P256_Y), BAD_XY },
	{ EC_KEY("P-256", "AAAA", P256_Y), BAD_XY },
	{ EC_KEY("P-256", P256_X, "AAAA"), BAD_XY },
	{ EC_KEY("P-384", P256_X, P256_Y), BAD_XY },
	{ EC_KEY("P-521", P256_X, P256_Y), BAD_XY },
	{ "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\"}", BAD_XY },
	{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", "has an x that is no base64url of 32 bytes" },
	{ ED_KEY("AAAA"), "has an x that is no base64url of 32 bytes" },
	{ ED_KEY(RFC8037_X "AAAA"), "has an x that is no base64url of 32 bytes" },
	/* 2, for which there is no x; p, p + 1 and 2^255 - 1, which are 0, 1 and 18 again */
	{ ED_KEY("AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), OFF_CURVE },
	{ ED_KEY("7f_______________________________________38"), OFF_CURVE },
	{ ED_KEY("7v_______________________________________38"), OFF_CURVE },
	{ ED_KEY("_________________________________________38"), OFF_CURVE },
	{ ED_KEY("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), SMALL },
	{ ED_KEY("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA"), SMALL },
	{ ED_KEY("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), SMALL },
	{ ED_KEY("7P_______________________________________38"), SMALL },
	{ ED_KEY("JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU"), SMALL },
	{ ED_KEY("JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_IU"), SMALL },
	{ ED_KEY("xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o"), SMALL },
	{ ED_KEY("xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA_o"), SMALL },
};

START_TEST(test_jwks_parse__refused)
{
	const char *text = test_text(SET("%s,%s"), GOOD, refused[_i].key);
	const char *why = test_set_text(text);

	ck_assert_msg(why, "%s", text);
	if (strstr(text, "018c0ae5"))
		ck_assert_str_eq(why, "key \"018c0ae5-4d9b-471b-bfd6-eef314bc7037\" " SECRET);
	else
		ck_assert_msg(strncmp(why, "key 2 ", 6) == 0 &&
				      strcmp(why + 6, refused[_i].why) == 0,
			      "%s: %s", text, why);
}
END_TEST

/* The least number of so many bits that no small prime divides, plus twice some. */
static const char *rsa_of(int bits, unsigned divisor)
{
	BIGNUM *n = BN_new();
	const char *key;
	bool found = false;

	ck_assert(BN_set_bit(n, bits - 1) && BN_add_word(n, 1));
	while (!found) {
		found = divisor == 0 || BN_mod_word(n, divisor) == 0;
		for (BN_ULONG prime = 2; found && prime <= 31; prime++)
			found = prime == divisor || BN_mod_word(n, prime) != 0;
		if (!found)
			BN_add_word(n, divisor == 2 ? 1 : 2);
	}
	key = test_text(SET("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"Aw\"}"),
			test_number(n, BN_num_bytes(n)));
	BN_free(n);
	return key;
}

START_TEST(test_jwks_parse__rsa_sizes_and_factors)
{
	static const char size[] = "key 1 is RSA of less than 2048 or more than 8192 bits";
	static const char factor[] = "key 1 has a modulus with a small factor";

	ck_assert_pstr_eq(test_set_text(rsa_of(512, 0)), size);
	ck_assert_pstr_eq(test_set_text(rsa_of(1024, 0)), size);
	ck_assert_pstr_eq(test_set_text(rsa_of(2040, 0)), size);
	ck_assert_pstr_eq(test_set_text(rsa_of(2047, 0)), size);
	ck_assert_pstr_eq(test_set_text(rsa_of(2048, 0)), NULL);
	ck_assert_pstr_eq(test_set_text(rsa_of(8192, 0)), NULL);
	ck_assert_pstr_eq(test_set_text(rsa_of(8193, 0)), size);
	ck_assert_pstr_eq(test_set_text(rsa_of(16384, 0)), size);
	ck_assert_pstr_eq(test_set_text(rsa_of(16385, 0)), "key 1 " BAD_N);
	ck_assert_pstr_eq(test_set_text(rsa_of(2048, 2)), factor);
	ck_assert_pstr_eq(test_set_text(rsa_of(2048, 3)), factor);
	ck_assert_pstr_eq(test_set_text(rsa_of(2048, 29)), factor);
	ck_assert_pstr_eq(test_set_text(rsa_of(2048, 31)), NULL);
}
END_TEST

/* With the neutral element for a key, that element and 0 are a signature of everything. */
START_TEST(test_jwks_parse__small_order_signs_everything)
{
	uint8_t signature[64] = { 1 };
	const char *token = test_join("eyJhbGciOiJFZERTQSJ9.e30", signature, 64);
	struct b2b_jwks *keys;
	struct b2b_error why;
	struct b2b_jws jws;

	ck_assert_int_eq(b2b_jws_parse(b2b_str_of(token), &jws, &why), B2B_OK);
	if (b2b_jwks_parse(b2b_str_of(SET(ED_KEY("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))),
			   &keys, &why) == B2B_OK)
		ck_assert_int_eq(b2b_jws_check(&jws, keys, B2B_ALGS_ALL, &why), B2B_ERR_INVALID);
	b2b_jwks_free(&keys);
	b2b_jws_clear(&jws);
}
END_TEST

START_TEST(test_jwks_parse__names_the_key)
{
	static const char *const cases[][2] = {
		{ "{\"kid\":\"a\\nb\\u202e\",\"kty\":\"oct\"}", "key \"a?b???\" " SECRET },
		{ "{\"kid\":\"\",\"kty\":\"oct\"}", "key \"\" " SECRET },
		{ "{\"kid\":\"%n%s\",\"kty\":\"oct\"}", "key \"%n%s\" " SECRET },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_pstr_eq(test_set_text(test_text(SET("%s"), cases[i][0])), cases[i][1]);
	ck_assert_uint_lt(
		strlen(test_set_text(test_text(SET("{\"kid\":\"%03000d\",\"kty\":\"oct\"}"), 7))),
		200);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("jwks");
	TCase *keys = tcase_create("keys");

	tcase_add_test(keys, test_jwks_parse__passed_over);
	tcase_add_test(keys, test_jwks_parse__usable);
	tcase_add_loop_test(keys, test_jwks_parse__refused, 0, COUNT(refused));
	tcase_add_test(keys, test_jwks_parse__rsa_sizes_and_factors);
	tcase_add_test(keys, test_jwks_parse__small_order_signs_everything);
	tcase_add_test(keys, test_jwks_parse__names_the_key);
	suite_add_tcase(suite, keys);
	return test_run(suite);
}
