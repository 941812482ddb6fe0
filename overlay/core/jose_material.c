/*
 * jose_material.c - public keys out of the numbers in a JWK (RFC 7518, 6.2 and 6.3; RFC 8037, 2).
 * In: a JWK whose kind is known, from jose_key.c.
 * Out: OpenSSL's form of it, or what is wrong with it.
 */
#include "jose_parts.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#define RSA_MIN_BITS 2048
#define RSA_MAX_BITS 8192
#define MODULUS_MAX_BYTES 2048u /* a longer one is not even read */
#define EXPONENT_MAX_BYTES 8u   /* a longer one only makes checking slow */
#define EC_MAX_BYTES 66u
#define ED25519_BYTES 32u

/* A member that is base64url of one to max bytes. */
static bool read_number(const json_t *jwk, const char *member, size_t max, uint8_t *bytes_r,
			size_t *len_r)
{
	const json_t *value = json_object_get(jwk, member);
	struct b2b_str text = { json_string_value(value), json_string_length(value) };

	*len_r = b2b_jose_decoded_len(text.len);
	return text.s && *len_r > 0 && *len_r <= max && b2b_jose_decode(text, bytes_r);
}

static EVP_PKEY *make(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (ctx && EVP_PKEY_fromdata_init(ctx) > 0)
		EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static EVP_PKEY *make_rsa(const BIGNUM *n, const BIGNUM *e)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *pkey = NULL;

	if (bld && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e))
		params = OSSL_PARAM_BLD_to_param(bld);
	if (params)
		pkey = make("RSA", params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	return pkey;
}

/* Whether it is divided by a prime from 2 to 29, as no product of two large primes is.  Searching
 * further (EVP_PKEY_public_check) takes milliseconds, and there may be thousands of partners. */
static bool has_small_factor(const BIGNUM *n)
{
	BN_ULONG rest = BN_mod_word(n, 3234846615u); /* 3 * 5 * 7 * ... * 29 */

	if (!BN_is_odd(n))
		return true;
	for (BN_ULONG factor = 3; factor <= 29; factor += 2)
		if (rest % factor == 0)
			return true;
	return false;
}

static const char *judge_rsa(const BIGNUM *n, const BIGNUM *e)
{
	if (BN_num_bits(n) < RSA_MIN_BITS || BN_num_bits(n) > RSA_MAX_BITS)
		return "is RSA of less than 2048 or more than 8192 bits";
	if (has_small_factor(n))
		return "has a modulus with a small factor";
	if (!BN_is_odd(e) || BN_is_one(e))
		return "has an exponent that is even or below 3";
	return NULL;
}

static EVP_PKEY *read_rsa(const json_t *jwk, const char **why_r)
{
	uint8_t n_bytes[MODULUS_MAX_BYTES], e_bytes[EXPONENT_MAX_BYTES];
	BIGNUM *n = NULL, *e = NULL;
	EVP_PKEY *pkey = NULL;
	size_t n_len, e_len;

	if (!read_number(jwk, "n", sizeof n_bytes, n_bytes, &n_len) || n_bytes[0] == 0) {
		*why_r = "has an n that is no base64url of 1 to 2048 bytes, the first not zero";
		return NULL;
	}
	if (!read_number(jwk, "e", sizeof e_bytes, e_bytes, &e_len) || e_bytes[0] == 0) {
		*why_r = "has an e that is no base64url of 1 to 8 bytes, the first not zero";
		return NULL;
	}
	*why_r = NULL;
	n = BN_bin2bn(n_bytes, (int)n_len, NULL);
	e = BN_bin2bn(e_bytes, (int)e_len, NULL);
	if (n && e) {
		*why_r = judge_rsa(n, e);
		if (!*why_r)
			pkey = make_rsa(n, e);
	}
	BN_free(n);
	BN_free(e);
	return pkey;
}

static EVP_PKEY *read_ec(const json_t *jwk, enum b2b_jose_kind kind, const char **why_r)
{
	char group[] = "P-256";
	size_t len = 32, x_len, y_len;
	uint8_t point[1 + 2 * EC_MAX_BYTES] = { POINT_CONVERSION_UNCOMPRESSED };
	OSSL_PARAM params[3];
	EVP_PKEY *pkey;

	if (kind == B2B_JOSE_P384) {
		memcpy(group, "P-384", sizeof group);
		len = 48;
	} else if (kind == B2B_JOSE_P521) {
		memcpy(group, "P-521", sizeof group);
		len = 66;
	}
	if (!read_number(jwk, "x", len, point + 1, &x_len) || x_len != len ||
	    !read_number(jwk, "y", len, point + 1 + len, &y_len) || y_len != len) {
		*why_r = "has an x or y that is no base64url of its curve's size";
		return NULL;
	}
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * len);
	params[2] = OSSL_PARAM_construct_end();
	/* fails for coordinates that are too large, and for a point beside the curve */
	pkey = make("EC", params);
	*why_r = pkey ? NULL : "has a point that is not on its curve";
	return pkey;
}

/* The y of the points whose order divides 8, little-endian.  With such a key one signature fits
 * every text. */
static bool has_small_order(const uint8_t y[ED25519_BYTES])
{
	static const uint8_t small[][ED25519_BYTES] = {
		{ 0 },
		{ 1 },
		{ 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
		{ 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
		  0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
		  0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
		{ 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
		  0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
		  0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
	};

	for (size_t i = 0; i < sizeof small / sizeof *small; i++)
		if (memcmp(y, small[i], ED25519_BYTES) == 0)
			return true;
	return false;
}

/* Whether there is an x for this y: x^2 = (y^2 - 1) / (d y^2 + 1), d = -121665 / 121666 (RFC 8032,
 * 5.1), has a root where the product of both sides of the fraction has one.  1, 0, or -1 without
 * memory. */
static int is_on_edwards(const uint8_t bytes[ED25519_BYTES])
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *p = BN_new(), *y = BN_lebin2bn(bytes, ED25519_BYTES, NULL), *v = BN_new();
	int is_on = -1, symbol;

	if (!ctx || !p || !y || !v || !BN_set_bit(p, 255) || !BN_sub_word(p, 19))
		goto done;
	if (BN_cmp(y, p) >= 0) { /* a second way to write a small one */
		is_on = 0;
		goto done;
	}
	/* v = 121666 - 121665 y^2, y = 121666 (y^2 - 1) */
	if (!BN_mod_sqr(y, y, p, ctx) || !BN_copy(v, y) || !BN_mul_word(v, 121665) ||
	    !BN_sub_word(v, 121666) || !BN_sub_word(y, 1) || !BN_mul_word(y, 121666))
		goto done;
	BN_set_negative(v, !BN_is_negative(v));
	if (!BN_mod_mul(y, y, v, p, ctx))
		goto done;
	symbol = BN_kronecker(y, p, ctx);
	if (symbol >= -1)
		is_on = symbol != -1;
done:
	BN_free(v);
	BN_free(y);
	BN_free(p);
	BN_CTX_free(ctx);
	return is_on;
}

static EVP_PKEY *read_ed25519(const json_t *jwk, const char **why_r)
{
	uint8_t x[ED25519_BYTES], y[ED25519_BYTES];
	size_t len;
	int is_on;

	if (!read_number(jwk, "x", sizeof x, x, &len) || len != sizeof x) {
		*why_r = "has an x that is no base64url of 32 bytes";
		return NULL;
	}
	memcpy(y, x, sizeof y);
	y[sizeof y - 1] &= 0x7f; /* the highest bit is the sign of the point's x */
	if (has_small_order(y)) {
		*why_r = "has a point of small order";
		return NULL;
	}
	is_on = is_on_edwards(y);
	*why_r = is_on == 0 ? "has a point that is not on its curve" : NULL;
	if (is_on <= 0)
		return NULL;
	return EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x, sizeof x);
}

EVP_PKEY *b2b_jose_material_read(const json_t *jwk, enum b2b_jose_kind kind, const char **why_r)
{
	switch (kind) {
	case B2B_JOSE_RSA:
		return read_rsa(jwk, why_r);
	case B2B_JOSE_P256:
	case B2B_JOSE_P384:
	case B2B_JOSE_P521:
		return read_ec(jwk, kind, why_r);
	case B2B_JOSE_ED25519:
		return read_ed25519(jwk, why_r);
	}
	*why_r = "is of an unknown kind";
	return NULL;
}
