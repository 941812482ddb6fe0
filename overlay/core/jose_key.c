/*
 * jose_key.c - one JSON Web Key: whether we may use it, and for which algorithms (RFC 7517, 4).
 * In: a member of "keys", any JSON, from jose_jwks.c.
 * Out: a key that is ready to check signatures; or why it is passed over or refused.
 */
#include "jose_parts.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/rsa.h>

/* A member that is text or not there; false: something else. */
static bool read_text(const json_t *jwk, const char *member, struct b2b_str *text_r)
{
	const json_t *value = json_object_get(jwk, member);

	text_r->s = json_string_value(value);
	text_r->len = json_string_length(value);
	return !value || text_r->s;
}

static bool is_text(struct b2b_str text, const char *word)
{
	return text.s && b2b_str_equal(text, b2b_str_of(word));
}

/* What a set of public keys must not hold, whatever kind of key it is in (RFC 7518, 6.2.2, 6.3.2
 * and 6.4.1; priv: keys of the kind AKP). */
static bool is_secret(const json_t *jwk, struct b2b_str kty)
{
	static const char *const members[] = {
		"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"
	};

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (json_object_get(jwk, members[i]))
			return true;
	return is_text(kty, "oct");
}

/* 1 for a list of texts with "verify", or no list; 0 without it; -1 for what is no list of texts. */
static int may_verify(const json_t *key_ops)
{
	const json_t *value;
	int may = 0;
	size_t i;

	if (!key_ops)
		return 1;
	if (!json_is_array(key_ops))
		return -1;
	json_array_foreach (key_ops, i, value) {
		if (!json_is_string(value))
			return -1;
		if (strcmp(json_string_value(value), "verify") == 0)
			may = 1;
	}
	return may;
}

/* True where kty and crv are of ours. */
static bool find_kind(struct b2b_str kty, struct b2b_str crv, enum b2b_jose_kind *kind_r)
{
	static const struct {
		const char *kty, *crv;
		enum b2b_jose_kind kind;
	} kinds[] = {
		{ "RSA", NULL, B2B_JOSE_RSA },          { "EC", "P-256", B2B_JOSE_P256 },
		{ "EC", "P-384", B2B_JOSE_P384 },       { "EC", "P-521", B2B_JOSE_P521 },
		{ "OKP", "Ed25519", B2B_JOSE_ED25519 },
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (is_text(kty, kinds[i].kty) && (!kinds[i].crv || is_text(crv, kinds[i].crv))) {
			*kind_r = kinds[i].kind;
			return true;
		}
	}
	return false;
}

/* What kind of key it is and what for; all but the numbers. */
static enum b2b_jose_fate judge(const json_t *jwk, struct b2b_jose_key *key_r, const char **why_r)
{
	struct b2b_str kty, kid, use, alg, crv;
	int ops = may_verify(json_object_get(jwk, "key_ops"));
	enum b2b_jose_fate fate = B2B_JOSE_REFUSED;
	bool known;

	if (!json_is_object(jwk))
		*why_r = "is no JSON object";
	else if (!read_text(jwk, "kty", &kty) || !kty.s)
		*why_r = "has no kty";
	else if (is_secret(jwk, kty))
		*why_r = "is private or symmetric: only public keys belong there";
	else if (!read_text(jwk, "kid", &kid) || !read_text(jwk, "use", &use) ||
		 !read_text(jwk, "alg", &alg) || !read_text(jwk, "crv", &crv))
		*why_r = "has a kid, use, alg or crv that is no text";
	else if (ops < 0)
		*why_r = "has key_ops that are no list of texts";
	else
		fate = B2B_JOSE_PASSED_OVER;
	if (fate == B2B_JOSE_REFUSED)
		return fate;
	known = find_kind(kty, crv, &key_r->kind);
	key_r->algs = known ? b2b_jose_algs_of(key_r->kind) : 0;
	if (!known)
		*why_r = "is of another kind or curve";
	else if (use.s && !is_text(use, "sig"))
		*why_r = "is not for signatures";
	else if (ops == 0)
		*why_r = "is not to verify signatures";
	else if (alg.s && b2b_alg_find(alg) == B2B_ALG_NONE)
		*why_r = "is for another algorithm";
	else
		fate = B2B_JOSE_USABLE;
	if (fate == B2B_JOSE_PASSED_OVER || !alg.s)
		return fate;
	key_r->algs &= b2b_alg_find(alg);
	if (key_r->algs)
		return fate;
	*why_r = "has an alg that does not fit its kind";
	return B2B_JOSE_REFUSED;
}

/* MGF1 has the signature's hash unless told otherwise. */
static EVP_PKEY_CTX *prepare(EVP_PKEY *pkey, const struct b2b_jose_alg *alg, EVP_MD *hash)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	int padding = alg->pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;

	if (ctx && EVP_PKEY_verify_init(ctx) > 0 &&
	    (alg->kind != B2B_JOSE_RSA || EVP_PKEY_CTX_set_rsa_padding(ctx, padding) > 0) &&
	    EVP_PKEY_CTX_set_signature_md(ctx, hash) > 0 &&
	    (!alg->pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0))
		return ctx;
	EVP_PKEY_CTX_free(ctx);
	return NULL;
}

static bool prepare_all(struct b2b_jose_key *key, EVP_MD *const *hashes)
{
	for (size_t i = 0; i < B2B_JOSE_ALG_COUNT; i++) {
		const struct b2b_jose_alg *alg = &b2b_jose_algs[i];

		if (!(key->algs & alg->alg) || alg->hash == B2B_JOSE_NO_HASH)
			continue;
		key->ready[i] = prepare(key->pkey, alg, hashes[alg->hash]);
		if (!key->ready[i])
			return false;
	}
	return true;
}

static size_t signature_len_of(const struct b2b_jose_key *key)
{
	switch (key->kind) {
	case B2B_JOSE_RSA:
		return (size_t)EVP_PKEY_get_size(key->pkey);
	case B2B_JOSE_P384:
		return 96;
	case B2B_JOSE_P521:
		return 132;
	case B2B_JOSE_P256:
	case B2B_JOSE_ED25519:
		break;
	}
	return 64;
}

enum b2b_jose_fate b2b_jose_key_read(const json_t *jwk, EVP_MD *const *hashes,
				     struct b2b_jose_key *key_r, const char **why_r)
{
	const char *kid = json_string_value(json_object_get(jwk, "kid"));
	enum b2b_jose_fate fate;

	memset(key_r, 0, sizeof *key_r);
	*why_r = NULL;
	fate = judge(jwk, key_r, why_r);
	if (fate != B2B_JOSE_USABLE)
		return fate;
	key_r->pkey = b2b_jose_material_read(jwk, key_r->kind, why_r);
	if (!key_r->pkey)
		return *why_r ? B2B_JOSE_REFUSED : B2B_JOSE_NO_MEMORY;
	key_r->signature_len = signature_len_of(key_r);
	key_r->kid = kid ? b2b_str_dup(b2b_str_of(kid)) : NULL;
	if ((!kid || key_r->kid) && prepare_all(key_r, hashes))
		return B2B_JOSE_USABLE;
	b2b_jose_key_clear(key_r);
	return B2B_JOSE_NO_MEMORY;
}

void b2b_jose_key_clear(struct b2b_jose_key *key)
{
	for (size_t i = 0; i < B2B_JOSE_ALG_COUNT; i++)
		EVP_PKEY_CTX_free(key->ready[i]);
	EVP_PKEY_free(key->pkey);
	free(key->kid);
	memset(key, 0, sizeof *key);
}
