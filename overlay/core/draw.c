/*
 * draw.c - one private key gives keys for many purposes, of which none tells of another.
 * In: the tenant's key file, as text.
 * Out: symmetric keys for seal.c and ticket.c.
 */
#include "draw.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <limits.h>
#include <string.h>

static int no_password(char *buffer, int size, int writing, void *ctx)
{
	(void)buffer, (void)size, (void)writing, (void)ctx;
	return -1;
}

static bool draw_key(struct b2b_str secret, const struct b2b_draw *draw)
{
	const unsigned char *key = (const unsigned char *)secret.s;
	const unsigned char *info = (const unsigned char *)draw->purpose;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
	size_t bytes = B2B_DRAW_BYTES;
	bool done = ctx && EVP_PKEY_derive_init(ctx) > 0 &&
		    EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()) > 0 &&
		    EVP_PKEY_CTX_set1_hkdf_key(ctx, key, (int)secret.len) > 0 &&
		    EVP_PKEY_CTX_add1_hkdf_info(ctx, info, (int)strlen(draw->purpose)) > 0 &&
		    EVP_PKEY_derive(ctx, draw->key_r, &bytes) > 0 && bytes == B2B_DRAW_BYTES;

	EVP_PKEY_CTX_free(ctx);
	return done;
}

static bool draw_all(EVP_PKEY *pkey, const struct b2b_draw *draws, size_t count)
{
	PKCS8_PRIV_KEY_INFO *info8 = EVP_PKEY2PKCS8(pkey);
	unsigned char *der = NULL;
	int der_bytes = info8 ? i2d_PKCS8_PRIV_KEY_INFO(info8, &der) : -1;
	bool done = der_bytes > 0;

	for (size_t i = 0; done && i < count; i++) {
		struct b2b_str secret = { (const char *)der, (size_t)der_bytes };

		done = draw_key(secret, &draws[i]);
	}
	if (der_bytes > 0)
		OPENSSL_clear_free(der, (size_t)der_bytes);
	PKCS8_PRIV_KEY_INFO_free(info8);
	return done;
}

enum b2b_err b2b_draw_keys(struct b2b_str pem, const struct b2b_draw *draws, size_t count,
			   struct b2b_error *error)
{
	BIO *bio = pem.len && pem.len < INT_MAX ? BIO_new_mem_buf(pem.s, (int)pem.len) : NULL;
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	enum b2b_err err = B2B_OK;

	if (!pkey)
		err = b2b_error_set(error, "is no unencrypted private key in PEM");
	else if (!draw_all(pkey, draws, count))
		err = b2b_error_set(error, "holds a private key that cannot be used");
	EVP_PKEY_free(pkey);
	BIO_free(bio);
	return err;
}
