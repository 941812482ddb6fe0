/*
 * sign.h - keys and signed tokens, for the unit tests.
 * In: algorithm, kid, header and claims as JSON text.  Out: JWK sets and compact tokens (RFC 7515).
 * Included once by each check program; whatever is given back is the caller's to free.
 */
#ifndef B2B_TEST_SIGN_H
#define B2B_TEST_SIGN_H

#include <check.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_key {
	EVP_PKEY *pair;
	const char *alg; /* "ES256" or "RS256" */
	const char *kid;
};

/* Appends base64url without padding (RFC 4648, 5) to text, which has room. */
static inline void test_base64url(const unsigned char *bytes, size_t length, char *text)
{
	char *start = text + strlen(text);

	EVP_EncodeBlock((unsigned char *)start, bytes, (int)length);
	for (char *c = start; *c; c++) {
		if (*c == '+')
			*c = '-';
		else if (*c == '/')
			*c = '_';
		else if (*c == '=')
			*c-- = '\0';
	}
}

static inline struct test_key test_key(const char *alg, const char *kid)
{
	struct test_key key = { NULL, alg, kid };

	key.pair = strcmp(alg, "ES256") == 0 ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048u);
	ck_assert_ptr_nonnull(key.pair);
	return key;
}

static inline void test_append_number(const struct test_key *key, const char *param, size_t bytes,
				      char *text)
{
	unsigned char number[512];
	BIGNUM *value = NULL;

	ck_assert_int_eq(EVP_PKEY_get_bn_param(key->pair, param, &value), 1);
	if (bytes == 0)
		bytes = (size_t)BN_num_bytes(value);
	ck_assert_int_eq(BN_bn2binpad(value, number, (int)bytes), (int)bytes);
	test_base64url(number, bytes, text);
	BN_free(value);
}

/* A JWK set of public keys, on one line. */
static inline char *test_jwks(const struct test_key *keys, size_t count)
{
	char *text = calloc(1, 64 + count * 1024);

	ck_assert_ptr_nonnull(text);
	strcpy(text, "{\"keys\":[");
	for (size_t i = 0; i < count; i++) {
		const struct test_key *key = &keys[i];
		bool ec = strcmp(key->alg, "ES256") == 0;

		sprintf(text + strlen(text), "%s{\"kid\":\"%s\",\"use\":\"sig\",\"kty\":\"%s\"",
			i ? "," : "", key->kid, ec ? "EC\",\"crv\":\"P-256" : "RSA");
		strcat(text, ec ? ",\"x\":\"" : ",\"n\":\"");
		test_append_number(key, ec ? OSSL_PKEY_PARAM_EC_PUB_X : OSSL_PKEY_PARAM_RSA_N,
				   ec ? 32 : 0, text);
		strcat(text, ec ? "\",\"y\":\"" : "\",\"e\":\"");
		test_append_number(key, ec ? OSSL_PKEY_PARAM_EC_PUB_Y : OSSL_PKEY_PARAM_RSA_E,
				   ec ? 32 : 0, text);
		strcat(text, "\"}");
	}
	strcat(text, "]}");
	return text;
}

/* r and s, 32 bytes each, out of what OpenSSL makes (RFC 7518, 3.4). */
static inline void test_flatten(unsigned char *signature, size_t *length)
{
	const unsigned char *der = signature;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)*length);
	unsigned char flat[64];

	ck_assert_ptr_nonnull(pair);
	BN_bn2binpad(ECDSA_SIG_get0_r(pair), flat, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(pair), flat + 32, 32);
	memcpy(signature, flat, sizeof flat);
	*length = sizeof flat;
	ECDSA_SIG_free(pair);
}

/* Of the same key and text another signature (n - s in place of s) that is right too. */
static inline void test_mirror(const struct test_key *key, unsigned char signature[64])
{
	BIGNUM *order = NULL, *s = BN_bin2bn(signature + 32, 32, NULL);

	ck_assert_int_eq(EVP_PKEY_get_bn_param(key->pair, OSSL_PKEY_PARAM_EC_ORDER, &order), 1);
	BN_sub(s, order, s);
	BN_bn2binpad(s, signature + 32, 32);
	BN_free(order);
	BN_free(s);
}

static inline char *test_sign_as(const struct test_key *key, const char *header, const char *claims,
				 bool mirrored)
{
	size_t length = 512, room = (strlen(header) + strlen(claims)) * 2 + 1024;
	char *token = calloc(1, room);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char signature[512];

	ck_assert(token && context);
	test_base64url((const unsigned char *)header, strlen(header), token);
	strcat(token, ".");
	test_base64url((const unsigned char *)claims, strlen(claims), token);
	ck_assert_int_eq(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->pair), 1);
	ck_assert_int_eq(
		EVP_DigestSign(context, signature, &length, (unsigned char *)token, strlen(token)),
		1);
	EVP_MD_CTX_free(context);
	if (strcmp(key->alg, "ES256") == 0)
		test_flatten(signature, &length);
	if (mirrored)
		test_mirror(key, signature);
	strcat(token, ".");
	test_base64url(signature, length, token);
	return token;
}

static inline char *test_sign(const struct test_key *key, const char *claims)
{
	char header[256];

	snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}", key->alg,
		 key->kid);
	return test_sign_as(key, header, claims, false);
}

#endif
