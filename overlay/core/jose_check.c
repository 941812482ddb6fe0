/*
 * jose_check.c - verifies the signature of a JWS (RFC 7515, 5.2, step 8; RFC 7518, 3.3 to 3.5).
 * In: a JWS taken apart by jose_jws.c, a key set of jose_jwks.c, the algorithms that are accepted.
 * Out: whether one of the keys made the signature.
 */
#include "jose_parts.h"

#include <string.h>

#include <openssl/err.h>

#define CANDIDATES_MAX 8
#define EC_MAX_BYTES 66u
/* SEQUENCE, long length, two INTEGERs with a zero byte in front */
#define DER_MAX_BYTES (3u + 2u * (3u + EC_MAX_BYTES))

struct check {
	const struct b2b_jws *jws;
	const struct b2b_jose_alg *alg;
	const struct b2b_jwks *keys;
	const struct b2b_jose_key *candidates[CANDIDATES_MAX];
	size_t count;
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned digest_len;
	uint8_t der[DER_MAX_BYTES];
	const uint8_t *signature; /* as OpenSSL wants it */
	size_t signature_len;
};

static bool is_candidate(const struct b2b_jws *jws, const struct b2b_jose_key *key)
{
	if (!(key->algs & jws->alg))
		return false;
	return !jws->has_kid || !key->kid || strcmp(key->kid, jws->kid) == 0;
}

static enum b2b_err find_candidates(struct check *check, struct b2b_error *why)
{
	bool size_fits = false;

	for (size_t i = 0; i < check->keys->count; i++) {
		const struct b2b_jose_key *key = &check->keys->keys[i];

		if (!is_candidate(check->jws, key))
			continue;
		if (check->count == CANDIDATES_MAX)
			return b2b_error_set(why, "more than %d keys could have made the signature",
					     CANDIDATES_MAX);
		check->candidates[check->count++] = key;
		size_fits = size_fits || key->signature_len == check->jws->signature_len;
	}
	if (check->count == 0)
		return b2b_error_set(why, "no key of the set has its kid and fits its algorithm");
	if (!size_fits)
		return b2b_error_set(why, "the signature has the wrong size for the key");
	return B2B_OK;
}

/* Writes one half of a raw signature as a DER INTEGER; 0 where it is zero. */
static size_t write_integer(const uint8_t *half, size_t len, uint8_t *der_r)
{
	size_t at = 0;

	while (len > 0 && *half == 0) {
		half++;
		len--;
	}
	if (len == 0)
		return 0;
	der_r[at++] = 0x02;
	der_r[at++] = (uint8_t)(len + (*half >> 7));
	if (*half >> 7)
		der_r[at++] = 0;
	memcpy(der_r + at, half, len);
	return at + len;
}

/* RFC 7518, 3.4, has R and S side by side; OpenSSL wants Ecdsa-Sig-Value (RFC 3279, 2.2.3). */
static bool to_der(struct check *check)
{
	size_t half = check->jws->signature_len / 2, r_len, s_len;
	uint8_t body[2 * (3 + EC_MAX_BYTES)];
	uint8_t *der = check->der;

	r_len = write_integer(check->jws->signature, half, body);
	s_len = write_integer(check->jws->signature + half, half, body + r_len);
	if (r_len == 0 || s_len == 0)
		return false;
	*der++ = 0x30;
	if (r_len + s_len > 127)
		*der++ = 0x81;
	*der++ = (uint8_t)(r_len + s_len);
	memcpy(der, body, r_len + s_len);
	check->signature = check->der;
	check->signature_len = (size_t)(der - check->der) + r_len + s_len;
	return true;
}

/* What is the same for all candidates. */
static enum b2b_err prepare(struct check *check, struct b2b_error *why)
{
	const struct b2b_jws *jws = check->jws;
	bool is_ecdsa = check->alg->kind == B2B_JOSE_P256 || check->alg->kind == B2B_JOSE_P384 ||
			check->alg->kind == B2B_JOSE_P521;

	check->signature = jws->signature;
	check->signature_len = jws->signature_len;
	if (is_ecdsa && !to_der(check))
		return b2b_error_set(why, "the signature is not one of the key's");
	if (check->alg->hash != B2B_JOSE_NO_HASH &&
	    !EVP_Digest(jws->signing_input.s, jws->signing_input.len, check->digest,
			&check->digest_len, check->keys->hashes[check->alg->hash], NULL))
		return B2B_ERR_MEMORY;
	return B2B_OK;
}

static enum b2b_err verify_digest(const struct check *check, const struct b2b_jose_key *key)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_dup(key->ready[check->alg - b2b_jose_algs]);
	int verified;

	if (!ctx)
		return B2B_ERR_MEMORY;
	verified = EVP_PKEY_verify(ctx, check->signature, check->signature_len, check->digest,
				   check->digest_len);
	EVP_PKEY_CTX_free(ctx);
	return verified == 1 ? B2B_OK : B2B_ERR_INVALID;
}

static enum b2b_err verify_text(const struct check *check, const struct b2b_jose_key *key)
{
	const struct b2b_str *text = &check->jws->signing_input;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	enum b2b_err err = B2B_ERR_MEMORY;

	if (ctx && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, key->pkey, NULL) > 0)
		err = EVP_DigestVerify(ctx, check->signature, check->signature_len,
				       (const uint8_t *)text->s, text->len) == 1
			      ? B2B_OK
			      : B2B_ERR_INVALID;
	EVP_MD_CTX_free(ctx);
	return err;
}

/* One candidate that verifies is enough; else what the last one gave. */
static enum b2b_err try_candidates(struct check *check, struct b2b_error *why)
{
	enum b2b_err err = prepare(check, why);

	if (err != B2B_OK)
		return err;
	for (size_t i = 0; i < check->count; i++) {
		const struct b2b_jose_key *key = check->candidates[i];

		if (key->signature_len != check->jws->signature_len)
			continue;
		err = check->alg->hash == B2B_JOSE_NO_HASH ? verify_text(check, key)
							   : verify_digest(check, key);
		if (err != B2B_ERR_INVALID)
			return err;
	}
	return b2b_error_set(why, "the signature is not one of the key's");
}

enum b2b_err b2b_jws_check(const struct b2b_jws *jws, const struct b2b_jwks *keys, unsigned algs,
			   struct b2b_error *why)
{
	struct check check = { .jws = jws, .alg = b2b_jose_alg_of(jws->alg), .keys = keys };
	enum b2b_err err;

	if (!check.alg || !(algs & jws->alg))
		return b2b_error_set(why, "its algorithm is not accepted");
	if (!keys)
		return b2b_error_set(why, "there is no key to check it with");
	err = find_candidates(&check, why);
	if (err != B2B_OK)
		return err;
	ERR_set_mark();
	err = try_candidates(&check, why);
	ERR_pop_to_mark(); /* slapd's TLS takes what is left there for its own */
	return err;
}
