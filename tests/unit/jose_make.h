/*
 * jose_make.h - makes keys, key sets and signed tokens with OpenSSL, good ones and others.
 * In: types of keys, header and payload texts.
 * Out: texts for the check programs and benches of jose.h; what cannot be made aborts.
 */
#ifndef B2B_TEST_JOSE_MAKE_H
#define B2B_TEST_JOSE_MAKE_H

#include "jose.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#define TEST_SIGNATURE_MAX 2048

static inline void test_need(bool done)
{
	if (!done)
		abort();
}

/* A text, good to the end of the program. */
__attribute__((format(printf, 1, 2))) static inline char *test_text(const char *fmt, ...)
{
	struct kept {
		struct kept *next;
		char *text;
	};
	static struct kept *all;
	struct kept *kept = calloc(1, sizeof *kept);
	va_list args;

	test_need(kept);
	va_start(args, fmt);
	test_need(vasprintf(&kept->text, fmt, args) >= 0);
	va_end(args);
	kept->next = all;
	all = kept;
	return kept->text;
}

static inline char *test_base64(const void *data, size_t len)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char *text = test_text("%*s", (int)(len / 3 * 4 + 4), ""), *end = text;
	const uint8_t *bytes = data;
	unsigned bits = 0, held = 0;

	for (size_t i = 0; i < len; i++) {
		held = (held << 8 | bytes[i]) & 0xffff;
		for (bits += 8; bits >= 6; bits -= 6)
			*end++ = alphabet[held >> (bits - 6) & 63];
	}
	if (bits)
		*end++ = alphabet[held << (6 - bits) & 63];
	*end = '\0';
	return text;
}

/* "RSA2048", "P-256", ..., "ED25519" */
static inline EVP_PKEY *test_new_key(const char *type)
{
	EVP_PKEY *pkey;

	if (strncmp(type, "RSA", 3) == 0)
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)atoi(type + 3));
	else if (strncmp(type, "P-", 2) == 0)
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", type);
	else
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, type);
	test_need(pkey);
	return pkey;
}

static inline char *test_number(const BIGNUM *number, int len)
{
	uint8_t bytes[4096];

	test_need(len <= (int)sizeof bytes && BN_bn2binpad(number, bytes, len) == len);
	return test_base64(bytes, (size_t)len);
}

static inline char *test_param(EVP_PKEY *pkey, const char *param, int len)
{
	BIGNUM *number = NULL;
	char *text;

	test_need(EVP_PKEY_get_bn_param(pkey, param, &number));
	text = test_number(number, len ? len : BN_num_bytes(number));
	BN_free(number);
	return text;
}

/* The public half as a JWK; more: members to put before the others, each with a comma behind. */
static inline char *test_jwk(EVP_PKEY *pkey, const char *more)
{
	uint8_t raw[64];
	size_t len = sizeof raw;
	int bits = EVP_PKEY_get_bits(pkey), bytes = (bits + 7) / 8;

	if (EVP_PKEY_is_a(pkey, "RSA"))
		return test_text("{%s\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", more,
				 test_param(pkey, OSSL_PKEY_PARAM_RSA_N, 0),
				 test_param(pkey, OSSL_PKEY_PARAM_RSA_E, 0));
	if (EVP_PKEY_is_a(pkey, "EC"))
		return test_text("{%s\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%s\",\"y\":\"%s\"}",
				 more, bits, test_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, bytes),
				 test_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, bytes));
	test_need(EVP_PKEY_get_raw_public_key(pkey, raw, &len));
	return test_text("{%s\"kty\":\"OKP\",\"crv\":\"%s\",\"x\":\"%s\"}", more,
			 EVP_PKEY_is_a(pkey, "ED25519") ? "Ed25519" : "another",
			 test_base64(raw, len));
}

/* DER to R and S side by side. */
static inline size_t test_raw_ecdsa(EVP_PKEY *pkey, const uint8_t *der, size_t der_len,
				    uint8_t *signature_r)
{
	int half = (EVP_PKEY_get_bits(pkey) + 7) / 8;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)der_len);

	test_need(pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature_r, half) == half &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature_r + half, half) == half);
	ECDSA_SIG_free(pair);
	return 2 * (size_t)half;
}

/* How a signature is made: any hash, padding and salt. */
struct test_signer {
	EVP_PKEY *pkey;
	const char *hash; /* NULL: Ed25519 */
	int padding;      /* 0: not RSA */
	int salt;         /* for PSS */
	const char *mgf1; /* NULL: the hash's */
	bool der;         /* ECDSA as OpenSSL gives it */
};

static inline struct test_signer test_signer(EVP_PKEY *pkey, const char *alg)
{
	struct test_signer signer = { .pkey = pkey, .salt = RSA_PSS_SALTLEN_DIGEST };

	if (strcmp(alg, "EdDSA") != 0)
		signer.hash = strcmp(alg + 2, "256") == 0   ? "SHA256"
			      : strcmp(alg + 2, "384") == 0 ? "SHA384"
							    : "SHA512";
	if (EVP_PKEY_is_a(pkey, "RSA"))
		signer.padding = alg[0] == 'P' ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
	return signer;
}

static inline size_t test_sign(const struct test_signer *signer, const char *text,
			       uint8_t *signature_r)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	uint8_t made[TEST_SIGNATURE_MAX];
	size_t len = sizeof made;

	test_need(ctx && EVP_DigestSignInit_ex(ctx, &pctx, signer->hash, NULL, NULL, signer->pkey,
					       NULL) > 0);
	if (signer->padding)
		test_need(EVP_PKEY_CTX_set_rsa_padding(pctx, signer->padding) > 0);
	if (signer->padding == RSA_PKCS1_PSS_PADDING)
		test_need(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, signer->salt) > 0);
	if (signer->mgf1)
		test_need(EVP_PKEY_CTX_set_rsa_mgf1_md_name(pctx, signer->mgf1, NULL) > 0);
	test_need(EVP_DigestSign(ctx, made, &len, (const uint8_t *)text, strlen(text)) > 0);
	EVP_MD_CTX_free(ctx);
	if (EVP_PKEY_is_a(signer->pkey, "EC") && !signer->der)
		return test_raw_ecdsa(signer->pkey, made, len, signature_r);
	memcpy(signature_r, made, len);
	return len;
}

/* header.payload.  and the signature of the first two, all of them given as they are */
static inline char *test_join(const char *signing_input, const uint8_t *signature, size_t len)
{
	return test_text("%s.%s", signing_input, test_base64(signature, len));
}

static inline char *test_input(const char *header, const char *payload)
{
	return test_text("%s.%s", test_base64(header, strlen(header)),
			 test_base64(payload, strlen(payload)));
}

static inline char *test_token_by(const struct test_signer *signer, const char *header,
				  const char *payload)
{
	const char *input = test_input(header, payload);
	uint8_t signature[TEST_SIGNATURE_MAX] = { 0 };

	return test_join(input, signature, test_sign(signer, input, signature));
}

/* A token whose header has that alg; more: members before it, each with a comma behind. */
static inline char *test_token(EVP_PKEY *pkey, const char *alg, const char *more)
{
	struct test_signer signer = test_signer(pkey, alg);

	return test_token_by(&signer, test_text("{%s\"alg\":\"%s\"}", more, alg),
			     "{\"iss\":\"joe\"}");
}

#endif
