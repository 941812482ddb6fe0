/*
 * draw.h - keys of one purpose each, drawn from the tenant's private key by HKDF-SHA-256 (RFC 5869).
 * In: a private key as PEM; what each key is for.  Out: 32 bytes a purpose.
 * For the core's own files that keep secrets.
 */
#ifndef B2B_DRAW_H
#define B2B_DRAW_H

#include "base.h"

#define B2B_DRAW_BYTES 32u

struct b2b_draw {
	const char *purpose; /* HKDF's info; another purpose is another key */
	uint8_t *key_r;      /* room for B2B_DRAW_BYTES; the caller wipes it, whatever the answer */
};

/* pem: a private key (RFC 7468), unencrypted; nothing of it is kept. Input of HKDF is the key as
 * PKCS #8, so that every way of writing the same key draws the same. */
enum b2b_err b2b_draw_keys(struct b2b_str pem, const struct b2b_draw *draws, size_t count,
			   struct b2b_error *error);

#endif
