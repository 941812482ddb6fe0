/*
 * jose_sign.c - signatures of our own: compact JWS (RFC 7515), EdDSA (RFC 8037) and ES256 (RFC 7518).
 * In: the key that jose_signer.c chose; payloads of the server's own.
 * Out: tokens that jose_check.c, and any other verifier, takes; thumbprints of keys (RFC 7638).
 */
#include "jose_sign.h"
#include "text.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES 32 /* of P-256 */

/* --- thumbprints --- */

/* The members that RFC 7638, 3.2, and RFC 8037, 2, want of each kty; Jansson sorts them. */
static const char *const *members_of(const char *kty)
{
	static const char *const rsa[] = { "e", "kty", "n", NULL };
	static const char *const ec[] = { "crv", "kty", "x", "y", NULL };
	static const char *const okp[] = { "crv", "kty", "x", NULL };

	if (kty && strcmp(kty, "RSA") == 0)
		return rsa;
	if (kty && strcmp(kty, "EC") == 0)
		return ec;
	return kty && strcmp(kty, "OKP") == 0 ? okp : NULL;
}

enum b2b_err b2b_jose_thumbprint(const json_t *jwk, char text_r[B2B_THUMBPRINT_SIZE])
{
	const char *const *name = members_of(json_string_value(json_object_get(jwk, "kty")));
	json_t *needed = json_object();
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	char *text = NULL;
	enum b2b_err err = name ? B2B_OK : B2B_ERR_INVALID;

	for (; err == B2B_OK && *name; name++) {
		json_t *value = json_object_get(jwk, *name);

		if (!json_is_string(value))
			err = B2B_ERR_INVALID;
		else if (json_object_set(needed, *name, value) != 0)
			err = B2B_ERR_MEMORY;
	}
	if (err == B2B_OK) {
		text = json_dumps(needed, JSON_COMPACT | JSON_SORT_KEYS);
		if (!text || EVP_Digest(text, strlen(text), hash, &len, EVP_sha256(), NULL) != 1)
			err = B2B_ERR_MEMORY;
		else
			b2b_jose_encode(hash, len, text_r);
	}
	free(text);
	json_decref(needed);
	return err;
}

enum b2b_err b2b_jwk_thumbprint(struct b2b_str jwk, char text_r[B2B_THUMBPRINT_SIZE],
				struct b2b_error *error)
{
	json_t *json = NULL;
	enum b2b_err err = b2b_jose_json(jwk, &json, error);

	if (err == B2B_OK)
		err = b2b_jose_thumbprint(json, text_r);
	if (err == B2B_ERR_INVALID && json)
		b2b_error_set(error, "it is no public key");
	json_decref(json);
	return err;
}

/* --- signatures --- */

/* OpenSSL gives a DER structure; RFC 7518, 3.4, wants r and s side by side. */
static bool write_numbers(const uint8_t *der, size_t der_len, uint8_t signature_r[])
{
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
	bool done =
		pair &&
		BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature_r, NUMBER_BYTES) == NUMBER_BYTES &&
		BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature_r + NUMBER_BYTES, NUMBER_BYTES) ==
			NUMBER_BYTES;

	ECDSA_SIG_free(pair);
	return done;
}

static bool make_signature(const struct b2b_signer *signer, struct b2b_str input,
			   uint8_t signature_r[B2B_SIGNATURE_BYTES])
{
	bool is_ed = signer->alg == B2B_ALG_EDDSA;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t made[128]; /* DER of two numbers has 72 bytes at most */
	size_t len = sizeof made;
	bool done = ctx &&
		    EVP_DigestSignInit(ctx, NULL, is_ed ? NULL : EVP_sha256(), NULL,
				       signer->pkey) == 1 &&
		    EVP_DigestSign(ctx, made, &len, (const unsigned char *)input.s, input.len) == 1;

	if (done && is_ed) {
		done = len == B2B_SIGNATURE_BYTES;
		memcpy(signature_r, made, B2B_SIGNATURE_BYTES);
	} else if (done) {
		done = write_numbers(made, len, signature_r);
	}
	EVP_MD_CTX_free(ctx);
	return done;
}

enum b2b_err b2b_signer_sign_as(const struct b2b_signer *signer, struct b2b_str header,
				struct b2b_str payload, char **token_r)
{
	size_t head_len = b2b_jose_encoded_len(header.len);
	size_t len = head_len + 1 + b2b_jose_encoded_len(payload.len);
	size_t size = len + 1 + b2b_jose_encoded_len(B2B_SIGNATURE_BYTES) + 1;
	uint8_t signature[B2B_SIGNATURE_BYTES];
	char *token = malloc(size);

	*token_r = NULL;
	if (!token)
		return B2B_ERR_MEMORY;
	b2b_jose_encode((const uint8_t *)header.s, header.len, token);
	token[head_len] = '.';
	b2b_jose_encode((const uint8_t *)payload.s, payload.len, token + head_len + 1);
	if (!make_signature(signer, (struct b2b_str){ token, len }, signature)) {
		free(token);
		return B2B_ERR_MEMORY;
	}
	token[len] = '.';
	b2b_jose_encode(signature, sizeof signature, token + len + 1);
	*token_r = token;
	return B2B_OK;
}

enum b2b_err b2b_signer_sign(const struct b2b_signer *signer, struct b2b_str payload,
			     char **token_r)
{
	char header[sizeof "{'alg':'EdDSA','kid':'','typ':'JWT'}" + B2B_THUMBPRINT_SIZE];

	snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
		 b2b_alg_name(signer->alg), signer->kid);
	return b2b_signer_sign_as(signer, b2b_str_of(header), payload, token_r);
}
