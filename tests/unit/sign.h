/*
 * sign.h - keys with an id, their set, and tokens signed by them, for the tests of token.h.
 * In: algorithm, kid, header and claims as text.  Out: JWK sets and compact tokens, as jose_make.h
 * makes them: texts that are good to the end of the program.
 */
#ifndef B2B_TEST_SIGN_H
#define B2B_TEST_SIGN_H

#include "jose_make.h"

struct sign_key {
	EVP_PKEY *pkey;
	const char *alg; /* "ES256" or "RS256" */
	const char *kid;
};

static inline struct sign_key sign_key(const char *alg, const char *kid)
{
	struct sign_key key = { NULL, alg, kid };

	key.pkey = test_new_key(alg[0] == 'E' ? "P-256" : "RSA2048");
	return key;
}

/* On one line. */
static inline const char *sign_set(const struct sign_key *keys, size_t count)
{
	const char *list = "";

	for (size_t i = 0; i < count; i++)
		list = test_text("%s%s%s", list, i ? "," : "",
				 test_jwk(keys[i].pkey, test_text("\"kid\":\"%s\",", keys[i].kid)));
	return test_text("{\"keys\":[%s]}", list);
}

static inline const char *sign_as(const struct sign_key *key, const char *header,
				  const char *claims)
{
	struct test_signer signer = test_signer(key->pkey, key->alg);

	return test_token_by(&signer, header, claims);
}

static inline const char *sign(const struct sign_key *key, const char *claims)
{
	return sign_as(
		key,
		test_text("{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}", key->alg, key->kid),
		claims);
}

/* Of the same ES256 key and text another signature that is right too: n - s in place of s. */
static inline const char *sign_mirrored(const struct sign_key *key, const char *header,
					const char *claims)
{
	struct test_signer signer = test_signer(key->pkey, key->alg);
	const char *input = test_input(header, claims);
	uint8_t signature[TEST_SIGNATURE_MAX];
	size_t length = test_sign(&signer, input, signature), half = length / 2;
	BIGNUM *order = NULL, *s = BN_bin2bn(signature + half, (int)half, NULL);

	test_need(EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_EC_ORDER, &order) == 1);
	test_need(BN_sub(s, order, s) == 1 &&
		  BN_bn2binpad(s, signature + half, (int)half) == (int)half);
	BN_free(order);
	BN_free(s);
	return test_join(input, signature, length);
}

#endif
