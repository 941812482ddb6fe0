/*
 * jose_alg.c - the signature algorithms of RFC 7518 and RFC 8037 that are ours, and strict JSON.
 * In: names as they stand in a header or a key; texts of any origin.
 * Out: rows of one table; Jansson's values for jose_jwks.c and jose_jws.c.
 */
#include "jose_parts.h"
#include "text.h"

const struct b2b_jose_alg b2b_jose_algs[B2B_JOSE_ALG_COUNT] = {
	{ B2B_ALG_RS256, "RS256", B2B_JOSE_RSA, B2B_JOSE_SHA256, false },
	{ B2B_ALG_RS384, "RS384", B2B_JOSE_RSA, B2B_JOSE_SHA384, false },
	{ B2B_ALG_RS512, "RS512", B2B_JOSE_RSA, B2B_JOSE_SHA512, false },
	{ B2B_ALG_PS256, "PS256", B2B_JOSE_RSA, B2B_JOSE_SHA256, true },
	{ B2B_ALG_PS384, "PS384", B2B_JOSE_RSA, B2B_JOSE_SHA384, true },
	{ B2B_ALG_PS512, "PS512", B2B_JOSE_RSA, B2B_JOSE_SHA512, true },
	{ B2B_ALG_ES256, "ES256", B2B_JOSE_P256, B2B_JOSE_SHA256, false },
	{ B2B_ALG_ES384, "ES384", B2B_JOSE_P384, B2B_JOSE_SHA384, false },
	{ B2B_ALG_ES512, "ES512", B2B_JOSE_P521, B2B_JOSE_SHA512, false },
	{ B2B_ALG_EDDSA, "EdDSA", B2B_JOSE_ED25519, B2B_JOSE_NO_HASH, false },
};

const struct b2b_jose_alg *b2b_jose_alg_of(enum b2b_alg alg)
{
	for (size_t i = 0; i < B2B_JOSE_ALG_COUNT; i++)
		if (b2b_jose_algs[i].alg == alg)
			return &b2b_jose_algs[i];
	return NULL;
}

unsigned b2b_jose_algs_of(enum b2b_jose_kind kind)
{
	unsigned algs = 0;

	for (size_t i = 0; i < B2B_JOSE_ALG_COUNT; i++)
		if (b2b_jose_algs[i].kind == kind)
			algs |= b2b_jose_algs[i].alg;
	return algs;
}

enum b2b_alg b2b_alg_find(struct b2b_str name)
{
	for (size_t i = 0; i < B2B_JOSE_ALG_COUNT; i++)
		if (b2b_str_equal(name, b2b_str_of(b2b_jose_algs[i].name)))
			return b2b_jose_algs[i].alg;
	return B2B_ALG_NONE;
}

const char *b2b_alg_name(enum b2b_alg alg)
{
	const struct b2b_jose_alg *row = b2b_jose_alg_of(alg);

	return row ? row->name : NULL;
}

/* Jansson's own text quotes what it read: that may be a token, or a private key. */
enum b2b_err b2b_jose_json(struct b2b_str text, json_t **json_r, struct b2b_error *fault_r)
{
	const char *what = "it is not JSON";
	json_error_t at;

	*json_r = json_loadb(text.len ? text.s : "", text.len, JSON_REJECT_DUPLICATES, &at);
	if (*json_r)
		return B2B_OK;
	if (json_error_code(&at) == json_error_out_of_memory ||
	    json_error_code(&at) == json_error_unknown) /* the usual code without memory */
		return B2B_ERR_MEMORY;
	if (json_error_code(&at) == json_error_duplicate_key)
		what = "a member stands there twice";
	else if (json_error_code(&at) == json_error_end_of_input_expected)
		what = "something stands behind its end";
	else if (json_error_code(&at) == json_error_null_character)
		what = "\\u0000 stands there";
	return b2b_error_set(fault_r, "line %d, column %d: %s", at.line, at.column, what);
}
