/*
 * jose_keys.h - a key of every type, made once, and whether a set of them accepts a token.
 * In: tokens.
 * Out: why a token is refused, for check_jws_hostile.c and check_jws_keys.c.
 */
#ifndef B2B_TEST_JOSE_KEYS_H
#define B2B_TEST_JOSE_KEYS_H

#include "entry.h"
#include "jose_scene.h"

#include <openssl/err.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define NOT_OURS "the signature is not one of the key's"
#define WRONG_SIZE "the signature has the wrong size for the key"
#define NO_KEY "no key of the set has its kid and fits its algorithm"

enum {
	KEY_RSA,
	KEY_RSA_OTHER,
	KEY_P256,
	KEY_P256_OTHER,
	KEY_P384,
	KEY_P521,
	KEY_ED,
	KEY_ED_OTHER,
	KEY_COUNT
};
static const char *const types[KEY_COUNT] = { "RSA2048", "RSA2048", "P-256",   "P-256",
					      "P-384",   "P-521",   "ED25519", "ED25519" };
static EVP_PKEY *pkeys[KEY_COUNT];

static const struct {
	const char *name;
	int key;
} algs[] = {
	{ "RS256", KEY_RSA },  { "RS384", KEY_RSA }, { "RS512", KEY_RSA },  { "PS256", KEY_RSA },
	{ "PS384", KEY_RSA },  { "PS512", KEY_RSA }, { "ES256", KEY_P256 }, { "ES384", KEY_P384 },
	{ "ES512", KEY_P521 }, { "EdDSA", KEY_ED },
};

static inline void make_keys(void)
{
	for (int i = 0; i < KEY_COUNT; i++)
		pkeys[i] = test_new_key(types[i]);
}

static inline void free_keys(void)
{
	for (int i = 0; i < KEY_COUNT; i++)
		EVP_PKEY_free(pkeys[i]);
}

/* A set of one key of ours. */
static inline struct b2b_jwks *set_of(int key, const char *more)
{
	char *json;

	json = test_text("{\"keys\":[%s]}", test_jwk(pkeys[key], more));
	return test_keys(json);
}

/* NULL: it was accepted; else why not. */
static inline const char *check_with(const struct b2b_jwks *keys, const char *token)
{
	static struct b2b_error why;
	struct b2b_jws jws;
	enum b2b_err err;

	if (b2b_jws_parse(b2b_str_of(token), &jws, &why) != B2B_OK)
		return why.text;
	err = b2b_jws_check(&jws, keys, B2B_ALGS_ALL, &why);
	b2b_jws_clear(&jws);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	return err == B2B_OK ? NULL : why.text;
}

/* The same for a set of one key. */
static inline const char *check_key(int key, const char *more, const char *token)
{
	struct b2b_jwks *keys = set_of(key, more);
	const char *why = check_with(keys, token);

	b2b_jwks_free(&keys);
	return why;
}

#endif
