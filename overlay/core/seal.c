/*
 * seal.c - secrets under a key of the tenant's own.
 * In: the tenant's private key as PEM; secrets; nonces.
 * Out: version byte, nonce, ciphertext and tag; or version byte and secret where there is no key.
 */
#include "seal.h"
#include "draw.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum version { IN_CLEAR = '0', AES_256_GCM = '1' };

#define TAG_BYTES 16u

struct b2b_seal {
	unsigned char key[B2B_DRAW_BYTES];
};

enum b2b_err b2b_seal_new(struct b2b_str pem, struct b2b_seal **seal_r, struct b2b_error *error)
{
	struct b2b_seal *seal = calloc(1, sizeof *seal);
	struct b2b_draw draw = { "slapo-b2b seal 1", seal ? seal->key : NULL };
	enum b2b_err err = seal ? b2b_draw_keys(pem, &draw, 1, error) : B2B_ERR_MEMORY;

	*seal_r = NULL;
	if (err == B2B_OK)
		*seal_r = seal;
	else
		b2b_seal_free(&seal);
	return err;
}

void b2b_seal_free(struct b2b_seal **seal)
{
	if (!*seal)
		return;
	OPENSSL_cleanse((*seal)->key, sizeof(*seal)->key);
	free(*seal);
	*seal = NULL;
}

/* One pass of AES-256-GCM; in and out may have up to B2B_SEAL_SECRET_MAX bytes. */
struct pass {
	const struct b2b_seal *seal;
	struct b2b_str owner, in;
	const unsigned char *nonce;
	unsigned char *out, *tag;
};

static bool run_pass(const struct pass *pass, bool encrypt)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const unsigned char *owner = (const unsigned char *)pass->owner.s;
	const unsigned char *in = (const unsigned char *)pass->in.s;
	int bytes = 0, more = 0;
	bool done = ctx && pass->owner.len < INT_MAX &&
		    EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, pass->seal->key, pass->nonce,
				      encrypt) > 0 &&
		    EVP_CipherUpdate(ctx, NULL, &bytes, owner, (int)pass->owner.len) > 0 &&
		    EVP_CipherUpdate(ctx, pass->out, &bytes, in, (int)pass->in.len) > 0;

	if (done && !encrypt)
		done = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, pass->tag) > 0;
	done = done && EVP_CipherFinal_ex(ctx, pass->out + bytes, &more) > 0;
	if (done && encrypt)
		done = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, pass->tag) > 0;
	EVP_CIPHER_CTX_free(ctx);
	return done;
}

enum b2b_err b2b_seal_close(const struct b2b_seal *seal, struct b2b_str owner,
			    struct b2b_str secret, const uint8_t nonce[B2B_SEAL_NONCE],
			    uint8_t *sealed_r, size_t *bytes_r)
{
	struct pass pass = { seal, owner, secret, nonce, sealed_r + 1 + B2B_SEAL_NONCE, NULL };

	*bytes_r = 0;
	if (secret.len == 0 || secret.len > B2B_SEAL_SECRET_MAX)
		return B2B_ERR_INVALID;
	if (!seal) {
		sealed_r[0] = IN_CLEAR;
		memcpy(sealed_r + 1, secret.s, secret.len);
		*bytes_r = 1 + secret.len;
		return B2B_OK;
	}
	sealed_r[0] = AES_256_GCM;
	memcpy(sealed_r + 1, nonce, B2B_SEAL_NONCE);
	pass.tag = pass.out + secret.len;
	if (!run_pass(&pass, true))
		return B2B_ERR_MEMORY;
	*bytes_r = 1 + B2B_SEAL_NONCE + secret.len + TAG_BYTES;
	return B2B_OK;
}

enum b2b_err b2b_seal_open(const struct b2b_seal *seal, struct b2b_str owner, struct b2b_str sealed,
			   uint8_t *secret_r, size_t *bytes_r)
{
	const size_t around = 1 + B2B_SEAL_NONCE + TAG_BYTES;
	unsigned char tag[TAG_BYTES];
	struct pass pass = { .seal = seal, .owner = owner, .out = secret_r, .tag = tag };

	*bytes_r = 0;
	if (sealed.len > 1 && sealed.len <= 1 + B2B_SEAL_SECRET_MAX && sealed.s[0] == IN_CLEAR) {
		memcpy(secret_r, sealed.s + 1, sealed.len - 1);
		*bytes_r = sealed.len - 1;
		return B2B_OK;
	}
	if (!seal || sealed.len <= around || sealed.len > around + B2B_SEAL_SECRET_MAX ||
	    sealed.s[0] != AES_256_GCM)
		return B2B_ERR_INVALID;
	pass.nonce = (const unsigned char *)sealed.s + 1;
	pass.in.s = sealed.s + 1 + B2B_SEAL_NONCE;
	pass.in.len = sealed.len - around;
	memcpy(tag, pass.in.s + pass.in.len, TAG_BYTES);
	if (!run_pass(&pass, false)) {
		OPENSSL_cleanse(secret_r, pass.in.len);
		return B2B_ERR_INVALID;
	}
	*bytes_r = pass.in.len;
	return B2B_OK;
}
