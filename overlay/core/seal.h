/*
 * seal.h - keeps small secrets readable for none but the tenant's servers: AES-256-GCM (NIST
 * SP 800-38D) under a key drawn from the tenant's private key by HKDF-SHA-256 (RFC 5869).
 * In: the key file's text, secrets, whom they belong to.  Out: sealed secrets and back.
 */
#ifndef B2B_SEAL_H
#define B2B_SEAL_H

#include "base.h"

#define B2B_SEAL_SECRET_MAX 128u /* bytes of a secret */
#define B2B_SEAL_NONCE 12u
#define B2B_SEAL_MAX (B2B_SEAL_SECRET_MAX + 1u + B2B_SEAL_NONCE + 16u)

struct b2b_seal; /* immutable, any thread */

/* pem: a private key (RFC 7468), unencrypted; nothing of it is kept but what is drawn from it.
 * *seal_r: caller frees; NULL unless B2B_OK. */
enum b2b_err b2b_seal_new(struct b2b_str pem, struct b2b_seal **seal_r, struct b2b_error *error);
void b2b_seal_free(struct b2b_seal **seal); /* wipes, sets NULL, accepts NULL */

/*
 * seal may be NULL: then the secret is marked as kept in the clear.  owner is bound to the secret:
 * under another one it does not open.  nonce: random, never used twice.  Writes *bytes_r bytes to
 * sealed_r, which has room for B2B_SEAL_MAX.
 */
enum b2b_err b2b_seal_close(const struct b2b_seal *seal, struct b2b_str owner,
			    struct b2b_str secret, const uint8_t nonce[B2B_SEAL_NONCE],
			    uint8_t *sealed_r, size_t *bytes_r);
/* The other way; secret_r has room for B2B_SEAL_SECRET_MAX; the caller wipes it.  A secret kept in
 * the clear opens with any seal. */
enum b2b_err b2b_seal_open(const struct b2b_seal *seal, struct b2b_str owner, struct b2b_str sealed,
			   uint8_t *secret_r, size_t *bytes_r);

#endif
