/*
 * jose_signer.c - the tenant's key file: which key signs, and what everybody may know of them.
 * In: private keys as PEM.
 * Out: a signer, and a public key set (RFC 7517) in which each key is named by its thumbprint.
 */
#include "jose_sign.h"
#include "text.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES 32 /* of Ed25519 and of P-256 */

/* A key file, while it is read. */
struct reading {
	struct b2b_signer *signer;
	json_t *keys;
	unsigned place; /* of the private key under way, from 1 */
	b2b_jwks_note *note;
	void *ctx;
	struct b2b_error *error;
};

static bool is_p256(const EVP_PKEY *pkey)
{
	char group[32] = "";

	return EVP_PKEY_is_a(pkey, "EC") &&
	       EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
					      NULL) == 1 &&
	       (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0);
}

static bool set_number(json_t *jwk, const char *name, const EVP_PKEY *pkey, const char *param)
{
	uint8_t bytes[NUMBER_BYTES];
	char text[64];
	BIGNUM *number = NULL;
	bool done = EVP_PKEY_get_bn_param(pkey, param, &number) == 1 &&
		    BN_bn2binpad(number, bytes, sizeof bytes) == (int)sizeof bytes;

	BN_free(number);
	if (!done)
		return false;
	b2b_jose_encode(bytes, sizeof bytes, text);
	return json_object_set_new(jwk, name, json_string(text)) == 0;
}

/* The public half without a name; NULL where it cannot be made. */
static json_t *make_jwk(const EVP_PKEY *pkey, enum b2b_alg alg)
{
	const char *name = b2b_alg_name(alg);
	uint8_t x[NUMBER_BYTES];
	size_t len = sizeof x;
	char text[64];
	json_t *jwk;

	if (alg == B2B_ALG_EDDSA) {
		if (EVP_PKEY_get_raw_public_key(pkey, x, &len) != 1)
			return NULL;
		b2b_jose_encode(x, len, text);
		return json_pack("{s:s,s:s,s:s,s:s,s:s}", "kty", "OKP", "crv", "Ed25519", "x", text,
				 "alg", name, "use", "sig");
	}
	jwk = json_pack("{s:s,s:s,s:s,s:s}", "kty", "EC", "crv", "P-256", "alg", name, "use",
			"sig");
	if (jwk && set_number(jwk, "x", pkey, OSSL_PKEY_PARAM_EC_PUB_X) &&
	    set_number(jwk, "y", pkey, OSSL_PKEY_PARAM_EC_PUB_Y))
		return jwk;
	json_decref(jwk);
	return NULL;
}

static bool is_published(const json_t *keys, const char *kid)
{
	size_t i;
	json_t *key;

	json_array_foreach (keys, i, key)
		if (strcmp(json_string_value(json_object_get(key, "kid")), kid) == 0)
			return true;
	return false;
}

/* Publishes a key, which signs unless one more comes.  pkey is moved. */
static enum b2b_err take_key(struct reading *reading, EVP_PKEY *pkey, enum b2b_alg alg)
{
	struct b2b_signer *signer = reading->signer;
	json_t *jwk = make_jwk(pkey, alg);
	enum b2b_err err = jwk ? b2b_jose_thumbprint(jwk, signer->kid) : B2B_ERR_MEMORY;

	EVP_PKEY_free(signer->pkey);
	signer->pkey = pkey;
	signer->alg = alg;
	if (err == B2B_OK && (json_object_set_new(jwk, "kid", json_string(signer->kid)) != 0 ||
			      (!is_published(reading->keys, signer->kid) &&
			       json_array_append(reading->keys, jwk) != 0)))
		err = B2B_ERR_MEMORY;
	json_decref(jwk);
	return err;
}

static void note(const struct reading *reading, const char *why)
{
	char which[32];

	snprintf(which, sizeof which, "key %u", reading->place);
	if (reading->note)
		reading->note(reading->ctx, which, why);
}

static enum b2b_err see_key(struct reading *reading, const unsigned char *der, long len)
{
	EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &der, len);

	reading->place++;
	if (!pkey)
		return b2b_error_set(reading->error, "key %u cannot be read", reading->place);
	if (EVP_PKEY_is_a(pkey, "ED25519"))
		return take_key(reading, pkey, B2B_ALG_EDDSA);
	if (is_p256(pkey))
		return take_key(reading, pkey, B2B_ALG_ES256);
	EVP_PKEY_free(pkey);
	note(reading, "is neither Ed25519 nor P-256: it signs no tokens and is not published");
	return B2B_OK;
}

static bool is_private(const char *name)
{
	const char what[] = "PRIVATE KEY";
	size_t len = strlen(name), end = sizeof what - 1;

	return len >= end && strcmp(name + len - end, what) == 0;
}

/* One block after the other; 0 at the end of the file, 1 while there may be more. */
static int read_block(struct reading *reading, BIO *bio, enum b2b_err *err)
{
	char *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	long len = 0;

	if (PEM_read_bio(bio, &name, &header, &data, &len) != 1) {
		if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
			*err = b2b_error_set(reading->error, "a block behind key %u is not PEM",
					     reading->place);
		ERR_clear_error();
		return 0;
	}
	if (is_private(name) && (*header || strncmp(name, "ENCRYPTED", 9) == 0))
		*err = b2b_error_set(reading->error, "key %u is encrypted", reading->place + 1);
	else if (is_private(name))
		*err = see_key(reading, data, len);
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_clear_free(data, (size_t)len);
	return *err == B2B_OK;
}

/* Whoever reads the set must be able to: it is what it is published for. */
static enum b2b_err write_set(struct reading *reading)
{
	json_t *set = json_pack("{s:O}", "keys", reading->keys);
	struct b2b_jwks *parsed = NULL;
	enum b2b_err err;

	reading->signer->jwks = set ? json_dumps(set, JSON_COMPACT) : NULL;
	json_decref(set);
	if (!reading->signer->jwks)
		return B2B_ERR_MEMORY;
	err = b2b_jwks_parse(b2b_str_of(reading->signer->jwks), &parsed, reading->error);
	b2b_jwks_free(&parsed);
	return err;
}

enum b2b_err b2b_signer_new(struct b2b_str pem, b2b_jwks_note *noted, void *ctx,
			    struct b2b_signer **signer_r, struct b2b_error *error)
{
	struct reading reading = { .signer = calloc(1, sizeof *reading.signer),
				   .keys = json_array(),
				   .note = noted,
				   .ctx = ctx,
				   .error = error };
	BIO *bio = pem.len && pem.len < INT_MAX ? BIO_new_mem_buf(pem.s, (int)pem.len) : NULL;
	enum b2b_err err = reading.signer && reading.keys ? B2B_OK : B2B_ERR_MEMORY;

	*signer_r = NULL;
	while (err == B2B_OK && bio && read_block(&reading, bio, &err))
		;
	if (err == B2B_OK && !reading.signer->pkey)
		err = b2b_error_set(error, "holds no key that is Ed25519 or P-256");
	if (err == B2B_OK)
		err = write_set(&reading);
	if (err == B2B_OK)
		*signer_r = reading.signer;
	else
		b2b_signer_free(&reading.signer);
	json_decref(reading.keys);
	BIO_free(bio);
	return err;
}

void b2b_signer_free(struct b2b_signer **signer)
{
	if (!*signer)
		return;
	EVP_PKEY_free((*signer)->pkey);
	free((*signer)->jwks);
	free(*signer);
	*signer = NULL;
}

const char *b2b_signer_jwks(const struct b2b_signer *signer)
{
	return signer->jwks;
}

const char *b2b_signer_kid(const struct b2b_signer *signer)
{
	return signer->kid;
}
