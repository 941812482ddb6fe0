/*
 * seal.c - secrets under a key of the tenant's own.
 * In: the tenant's private key as PEM; secrets; nonces.
 * Out: version byte, nonce, ciphertext and tag; or version byte and secret where there is no key.
 */
#include "seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum version { IN_CLEAR = '0', AES_256_GCM = '1' };

#define KEY_BYTES 32
#define TAG_BYTES 16u

struct b2b_seal {
	unsigned char key[KEY_BYTES];
};

static int no_password(char *buffer, int size, int writing, void *ctx)
{
	(void)buffer, (void)size, (void)writing, (void)ctx;
	return -1;
}

/* HKDF over the private key as PKCS #8: the same for every way of writing the same file. */
static bool draw_key(EVP_PKEY *pkey, unsigned char key_r[KEY_BYTES])
{
	static const unsigned char info[] = "slapo-b2b seal 1";
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
	PKCS8_PRIV_KEY_INFO *info8 = EVP_PKEY2PKCS8(pkey);
	unsigned char *der = NULL;
	int der_bytes = info8 ? i2d_PKCS8_PRIV_KEY_INFO(info8, &der) : -1;
	size_t bytes = KEY_BYTES;
	bool done = ctx && der_bytes > 0 && EVP_PKEY_derive_init(ctx) > 0 &&
		    EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()) > 0 &&
		    EVP_PKEY_CTX_set1_hkdf_key(ctx, der, der_bytes) > 0 &&
		    EVP_PKEY_CTX_add1_hkdf_info(ctx, info, (int)sizeof info - 1) > 0 &&
		    EVP_PKEY_derive(ctx, key_r, &bytes) > 0 && bytes == KEY_BYTES;

	if (der_bytes > 0)
		OPENSSL_clear_free(der, (size_t)der_bytes);
	PKCS8_PRIV_KEY_INFO_free(info8);
	EVP_PKEY_CTX_free(ctx);
	return done;
}

enum b2b_err b2b_seal_new(struct b2b_str pem, struct b2b_seal **seal_r, struct b2b_error *error)
{
	struct b2b_seal *seal = calloc(1, sizeof *seal);
	BIO *bio = pem.len && pem.len < INT_MAX ? BIO_new_mem_buf(pem.s, (int)pem.len) : NULL;
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	enum b2b_err err = B2B_OK;

	*seal_r = NULL;
	if (!seal)
		err = B2B_ERR_MEMORY;
	else if (!pkey)
		err = b2b_error_set(error, "is no unencrypted private key in PEM");
	else if (!draw_key(pkey, seal->key))
		err = b2b_error_set(error, "holds a private key that cannot be used");
	if (err == B2B_OK)
		*seal_r = seal;
	else
		b2b_seal_free(&seal);
	EVP_PKEY_free(pkey);
	BIO_free(bio);
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
