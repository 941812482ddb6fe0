/*
 * jose_sign.h - what jose_sign.c and jose_signer.c share: the key that signs.
 * In: these two alone include it.
 * Out: OpenSSL's and Jansson's types, which jose.h keeps from everybody else.
 */
#ifndef B2B_JOSE_SIGN_H
#define B2B_JOSE_SIGN_H

#include "jose_parts.h"

#define B2B_SIGNATURE_BYTES 64 /* of Ed25519, and of ES256 */

struct b2b_signer {
	EVP_PKEY *pkey; /* the private key; OpenSSL wipes it when it is freed */
	enum b2b_alg alg;
	char kid[B2B_THUMBPRINT_SIZE];
	char *jwks; /* the public set */
};

/* B2B_ERR_INVALID: a member that RFC 7638 wants is missing. */
enum b2b_err b2b_jose_thumbprint(const json_t *jwk, char text_r[B2B_THUMBPRINT_SIZE]);

#endif
