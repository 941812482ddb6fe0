/*
 * check_jws_hostile.c - unit tests of jose_check.c: every algorithm, and each way to cheat it.
 * In: tokens that are signed here, then changed.
 * Out: libcheck's summary.
 */
#include "jose_keys.h"

#include <openssl/pem.h>

/* One character after the other is changed, in each part. */
START_TEST(test_jws_check__every_algorithm_every_character)
{
	int key = algs[_i].key;
	struct b2b_jwks *keys = set_of(key, "\"kid\":\"k\",");
	char *token = test_token(pkeys[key], algs[_i].name, "\"kid\":\"k\",");

	ck_assert_pstr_eq(check_with(keys, token), NULL);
	for (char *c = token; *c; c++) {
		char kept = *c;

		*c = kept == 'A' ? 'B' : 'A';
		ck_assert_msg(check_with(keys, token), "%s", token);
		*c = '.';
		ck_assert_msg(check_with(keys, token) || kept == '.', "%s", token);
		*c = kept;
	}
	ck_assert_pstr_eq(check_with(keys, token), NULL);
	b2b_jwks_free(&keys);
}
END_TEST

/* Signed as one algorithm, the header says another. */
START_TEST(test_jws_check__algorithm_swapped)
{
	for (size_t i = 0; i < COUNT(algs); i++) {
		struct test_signer signer = test_signer(pkeys[algs[i].key], algs[i].name);

		for (size_t j = 0; j < COUNT(algs); j++) {
			char header[64];

			snprintf(header, sizeof header, "{\"alg\":\"%s\"}", algs[j].name);
			ck_assert_pstr_eq(
				check_key(algs[i].key, "", test_token_by(&signer, header, "{}")),
				i == j                       ? NULL
				: algs[i].key == algs[j].key ? NOT_OURS
							     : NO_KEY);
		}
	}
}
END_TEST

/* The key in the set says for which algorithm it is. */
START_TEST(test_jws_check__algorithm_of_the_key)
{
	for (size_t i = 0; i < COUNT(algs); i++) {
		const char *token = test_token(pkeys[algs[i].key], algs[i].name, "");

		for (size_t j = 0; j < COUNT(algs); j++) {
			char more[64];

			if (algs[i].key != algs[j].key)
				continue;
			snprintf(more, sizeof more, "\"alg\":\"%s\",", algs[j].name);
			ck_assert_pstr_eq(check_key(algs[i].key, more, token),
					  i == j ? NULL : NO_KEY);
		}
	}
}
END_TEST

/* The public key, which everybody knows, as the secret of an HMAC. */
START_TEST(test_jws_check__hmac_with_the_public_key)
{
	struct b2b_jwks *keys = set_of(KEY_RSA, "");
	const char *input = test_input("{\"alg\":\"HS256\"}", "{}"), *pem;
	BIO *bio = BIO_new(BIO_s_mem());
	uint8_t mac[EVP_MAX_MD_SIZE];
	struct b2b_error why;
	struct b2b_jws jws;
	size_t len;
	char *text;

	ck_assert(PEM_write_bio_PUBKEY(bio, pkeys[KEY_RSA]));
	len = (size_t)BIO_get_mem_data(bio, &text);
	ck_assert(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, text, len, (const uint8_t *)input,
			    strlen(input), mac, sizeof mac, &len));
	pem = test_join(input, mac, len);
	ck_assert_pstr_eq(check_with(keys, pem), "its header has no algorithm that we know");
	/* and if the header were read as one of ours */
	ck_assert_int_eq(
		b2b_jws_parse(b2b_str_of(test_token(pkeys[KEY_RSA], "RS256", "")), &jws, &why),
		B2B_OK);
	jws.alg = B2B_ALG_NONE;
	ck_assert_int_eq(b2b_jws_check(&jws, keys, ~0u, &why), B2B_ERR_INVALID);
	jws.alg = (enum b2b_alg)(B2B_ALG_RS256 | B2B_ALG_PS256);
	ck_assert_int_eq(b2b_jws_check(&jws, keys, ~0u, &why), B2B_ERR_INVALID);
	jws.alg = B2B_ALG_RS256;
	ck_assert_int_eq(b2b_jws_check(&jws, keys, 0, &why), B2B_ERR_INVALID);
	ck_assert_int_eq(b2b_jws_check(&jws, NULL, B2B_ALGS_ALL, &why), B2B_ERR_INVALID);
	ck_assert_str_eq(why.text, "there is no key to check it with");
	ck_assert_int_eq(b2b_jws_check(&jws, keys, B2B_ALG_RS256, &why), B2B_OK);
	b2b_jws_clear(&jws);
	BIO_free(bio);
	b2b_jwks_free(&keys);
}
END_TEST

START_TEST(test_jws_check__another_key)
{
	ck_assert_pstr_eq(check_key(KEY_RSA_OTHER, "", test_token(pkeys[KEY_RSA], "RS256", "")),
			  NOT_OURS);
	ck_assert_pstr_eq(check_key(KEY_RSA_OTHER, "", test_token(pkeys[KEY_RSA], "PS256", "")),
			  NOT_OURS);
	ck_assert_pstr_eq(check_key(KEY_P256_OTHER, "", test_token(pkeys[KEY_P256], "ES256", "")),
			  NOT_OURS);
	ck_assert_pstr_eq(check_key(KEY_ED_OTHER, "", test_token(pkeys[KEY_ED], "EdDSA", "")),
			  NOT_OURS);
}
END_TEST

/* RFC 7518, 3.5: the salt as long as the hash, MGF1 with the same hash. */
START_TEST(test_jws_check__pss_parameters)
{
	static const struct {
		int salt;
		const char *hash, *mgf1;
		bool good;
	} cases[] = {
		{ 32, "SHA256", "SHA256", true },  { 0, "SHA256", NULL, false },
		{ 20, "SHA256", NULL, false },     { 31, "SHA256", NULL, false },
		{ 33, "SHA256", NULL, false },     { RSA_PSS_SALTLEN_MAX, "SHA256", NULL, false },
		{ 32, "SHA256", "SHA1", false },   { 32, "SHA256", "SHA512", false },
		{ 32, "SHA384", "SHA256", false }, { 32, "SHA3-256", NULL, false },
	};
	struct test_signer signer = test_signer(pkeys[KEY_RSA], "PS256");

	for (size_t i = 0; i < COUNT(cases); i++) {
		signer.salt = cases[i].salt;
		signer.hash = cases[i].hash;
		signer.mgf1 = cases[i].mgf1;
		ck_assert_pstr_eq(
			check_key(KEY_RSA, "", test_token_by(&signer, "{\"alg\":\"PS256\"}", "{}")),
			cases[i].good ? NULL : NOT_OURS);
	}
}
END_TEST

START_TEST(test_jws_check__signature_of_another_size)
{
	for (size_t i = 0; i < COUNT(algs); i++) {
		struct test_signer signer = test_signer(pkeys[algs[i].key], algs[i].name);
		uint8_t made[TEST_SIGNATURE_MAX] = { 0 }, *signature = made + 1;
		char header[64];
		const char *input;
		size_t len;

		snprintf(header, sizeof header, "{\"alg\":\"%s\"}", algs[i].name);
		input = test_input(header, "{}");
		len = test_sign(&signer, input, signature);
		ck_assert_pstr_eq(check_key(algs[i].key, "", test_join(input, signature, len)),
				  NULL);
		signature[len] = 0;
		ck_assert_pstr_eq(check_key(algs[i].key, "", test_join(input, signature, len + 1)),
				  WRONG_SIZE);
		ck_assert_pstr_eq(check_key(algs[i].key, "", test_join(input, made, len + 1)),
				  WRONG_SIZE);
		ck_assert_pstr_eq(check_key(algs[i].key, "", test_join(input, signature, len - 1)),
				  WRONG_SIZE);
		ck_assert_pstr_eq(check_key(algs[i].key, "", test_join(input, signature, 1)),
				  WRONG_SIZE);
		ck_assert_pstr_eq(check_key(algs[i].key, "", test_join(input, made, sizeof made)),
				  WRONG_SIZE);
		ck_assert_pstr_eq(check_key(algs[i].key, "", test_join(input, signature, 0)),
				  "it has no header or no signature");
		memset(made, 0, sizeof made);
		ck_assert_pstr_eq(check_key(algs[i].key, "", test_join(input, made, len)),
				  NOT_OURS);
		memset(made, 0xff, sizeof made);
		ck_assert_pstr_eq(check_key(algs[i].key, "", test_join(input, made, len)),
				  NOT_OURS);
	}
}
END_TEST

START_TEST(test_jws_check__ecdsa_as_der)
{
	struct test_signer signer = test_signer(pkeys[KEY_P256], "ES256");

	signer.der = true;
	ck_assert_pstr_eq(
		check_key(KEY_P256, "", test_token_by(&signer, "{\"alg\":\"ES256\"}", "{}")),
		WRONG_SIZE);
}
END_TEST

static BIGNUM *order_of(int key)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(key == KEY_P256   ? NID_X9_62_prime256v1
						     : key == KEY_P384 ? NID_secp384r1
								       : NID_secp521r1);
	BIGNUM *order = BN_dup(EC_GROUP_get0_order(group));

	EC_GROUP_free(group);
	return order;
}

/* R and S that are 0, 1, n - 1, n, all bits; each with the other's own. */
START_TEST(test_jws_check__ecdsa_edges)
{
	int key = algs[_i].key, half = (EVP_PKEY_get_bits(pkeys[key]) + 7) / 8;
	struct test_signer signer = test_signer(pkeys[key], algs[_i].name);
	uint8_t own[TEST_SIGNATURE_MAX], edges[6][66], changed[132];
	BIGNUM *n = order_of(key);
	char header[64];
	const char *input;

	snprintf(header, sizeof header, "{\"alg\":\"%s\"}", algs[_i].name);
	input = test_input(header, "{}");
	test_sign(&signer, input, own);
	memset(edges, 0, sizeof edges);
	edges[1][half - 1] = 1;
	ck_assert_int_eq(BN_bn2binpad(n, edges[2], half), half);
	BN_sub_word(n, 1);
	ck_assert_int_eq(BN_bn2binpad(n, edges[3], half), half);
	memset(edges[4], 0xff, sizeof edges[4]);
	for (int i = 0; i < 6; i++) {
		for (int j = 0; j < 6; j++) {
			memcpy(changed, i == 5 ? own : edges[i], (size_t)half);
			memcpy(changed + half, j == 5 ? own + half : edges[j], (size_t)half);
			ck_assert_pstr_eq(
				check_key(key, "", test_join(input, changed, 2 * (size_t)half)),
				i == 5 && j == 5 ? NULL : NOT_OURS);
		}
	}
	BN_free(n);
}
END_TEST

/* n - s is as good as s: whoever remembers tokens must not look at the signature.  s + n is not. */
START_TEST(test_jws_check__ecdsa_other_s)
{
	struct test_signer signer = test_signer(pkeys[KEY_P521], "ES512");
	const char *input = test_input("{\"alg\":\"ES512\"}", "{}");
	uint8_t signature[TEST_SIGNATURE_MAX];
	BIGNUM *n = order_of(KEY_P521), *s, *other = BN_new();

	test_sign(&signer, input, signature);
	s = BN_bin2bn(signature + 66, 66, NULL);
	ck_assert(BN_sub(other, n, s) && BN_bn2binpad(other, signature + 66, 66) == 66);
	ck_assert_pstr_eq(check_key(KEY_P521, "", test_join(input, signature, 132)), NULL);
	ck_assert(BN_add(other, n, s) && BN_bn2binpad(other, signature + 66, 66) == 66);
	ck_assert_pstr_eq(check_key(KEY_P521, "", test_join(input, signature, 132)), NOT_OURS);
	BN_free(other);
	BN_free(s);
	BN_free(n);
}
END_TEST

/* A number that is the signature's but for a multiple of the modulus, or of Ed25519's order. */
START_TEST(test_jws_check__signature_plus_modulus)
{
	static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a,       0x63,
					   0x12, 0x58, 0xd6, 0x9c, 0xf7,       0xa2,
					   0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };
	struct test_signer rsa = test_signer(pkeys[KEY_RSA], "RS256");
	struct test_signer ed = test_signer(pkeys[KEY_ED], "EdDSA");
	uint8_t signature[TEST_SIGNATURE_MAX];
	BIGNUM *n = NULL, *s = BN_new();
	const char *input = NULL;
	char payload[32];
	unsigned sum = 0;

	ck_assert(EVP_PKEY_get_bn_param(pkeys[KEY_RSA], OSSL_PKEY_PARAM_RSA_N, &n));
	for (int i = 0; BN_num_bits(s) == 0 || BN_num_bits(s) > 2048; i++) {
		snprintf(payload, sizeof payload, "{\"n\":%d}", i);
		input = test_input("{\"alg\":\"RS256\"}", payload);
		test_sign(&rsa, input, signature);
		ck_assert(BN_bin2bn(signature, 256, s) && BN_add(s, s, n));
	}
	ck_assert_int_eq(BN_bn2binpad(s, signature, 256), 256);
	ck_assert_pstr_eq(check_key(KEY_RSA, "", test_join(input, signature, 256)), NOT_OURS);
	input = test_input("{\"alg\":\"EdDSA\"}", "{}");
	test_sign(&ed, input, signature);
	for (size_t i = 0; i < sizeof order; i++, sum >>= 8) {
		sum += (unsigned)signature[32 + i] + order[i];
		signature[32 + i] = (uint8_t)sum;
	}
	ck_assert_pstr_eq(check_key(KEY_ED, "", test_join(input, signature, 64)), NOT_OURS);
	BN_free(s);
	BN_free(n);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("jws hostile");
	TCase *signatures = tcase_create("signatures");

	tcase_add_unchecked_fixture(signatures, make_keys, free_keys);
	tcase_set_timeout(signatures, 120);
	tcase_add_loop_test(signatures, test_jws_check__every_algorithm_every_character, 0,
			    COUNT(algs));
	tcase_add_test(signatures, test_jws_check__algorithm_swapped);
	tcase_add_test(signatures, test_jws_check__algorithm_of_the_key);
	tcase_add_test(signatures, test_jws_check__hmac_with_the_public_key);
	tcase_add_test(signatures, test_jws_check__another_key);
	tcase_add_test(signatures, test_jws_check__pss_parameters);
	tcase_add_test(signatures, test_jws_check__signature_of_another_size);
	tcase_add_test(signatures, test_jws_check__ecdsa_as_der);
	tcase_add_loop_test(signatures, test_jws_check__ecdsa_edges, 6, 9);
	tcase_add_test(signatures, test_jws_check__ecdsa_other_s);
	tcase_add_test(signatures, test_jws_check__signature_plus_modulus);
	suite_add_tcase(suite, signatures);
	return test_run(suite);
}
