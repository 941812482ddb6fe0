/*
 * jose_parts.h - what the files of jose.h share among themselves: algorithms, base64url, one key.
 * In: jose*.c alone include it.
 * Out: OpenSSL's and Jansson's types, which jose.h keeps from everybody else.
 */
#ifndef B2B_JOSE_PARTS_H
#define B2B_JOSE_PARTS_H

#include "jose.h"

#include <jansson.h>
#include <openssl/evp.h>

enum b2b_jose_kind { /* of keys */
		     B2B_JOSE_RSA,
		     B2B_JOSE_P256,
		     B2B_JOSE_P384,
		     B2B_JOSE_P521,
		     B2B_JOSE_ED25519,
};

enum b2b_jose_hash {
	B2B_JOSE_SHA256,
	B2B_JOSE_SHA384,
	B2B_JOSE_SHA512,
	B2B_JOSE_HASH_COUNT,
	B2B_JOSE_NO_HASH = B2B_JOSE_HASH_COUNT, /* the algorithm does its own */
};

#define B2B_JOSE_ALG_COUNT 10

struct b2b_jose_alg {
	enum b2b_alg alg;
	const char *name;
	enum b2b_jose_kind kind;
	enum b2b_jose_hash hash;
	bool pss;
};

extern const struct b2b_jose_alg b2b_jose_algs[B2B_JOSE_ALG_COUNT];

/* The row of exactly one bit; NULL for everything else. */
const struct b2b_jose_alg *b2b_jose_alg_of(enum b2b_alg alg);
/* All algorithms that a key of this kind can check. */
unsigned b2b_jose_algs_of(enum b2b_jose_kind kind);

/* How many bytes base64url text of this length stands for, when it is good. */
static inline size_t b2b_jose_decoded_len(size_t text_len)
{
	return text_len / 4 * 3 + (text_len % 4 ? text_len % 4 - 1 : 0);
}
/* Writes b2b_jose_decoded_len(text.len) bytes.  False unless text is canonical: no padding, no
 * blanks, no '+' or '/', no bits that are cut off (RFC 4648, 3.5). */
bool b2b_jose_decode(struct b2b_str text, uint8_t *bytes_r);

/* How many characters b2b_jose_encode writes, without the NUL. */
static inline size_t b2b_jose_encoded_len(size_t len)
{
	return (len * 4 + 2) / 3;
}
/* Writes base64url without padding, and a NUL. */
void b2b_jose_encode(const uint8_t *bytes, size_t len, char *text_r);

/* JSON without duplicate members, "\u0000", or anything behind it.  *json_r: caller gives it to
 * json_decref; fault_r may be NULL and says what, where, and nothing of the text. */
enum b2b_err b2b_jose_json(struct b2b_str text, json_t **json_r, struct b2b_error *fault_r);

/* One public key, ready to check signatures; never changed once it is made. */
struct b2b_jose_key {
	enum b2b_jose_kind kind;
	unsigned algs; /* that it may check: those of its kind, or its own alone */
	size_t signature_len;
	char *kid; /* or NULL: none */
	EVP_PKEY *pkey;
	/* by place in b2b_jose_algs; a check works on a copy (EVP_PKEY_CTX_dup reads it only), which
	 * spares it all look-ups of methods and their locks; NULL for Ed25519 */
	EVP_PKEY_CTX *ready[B2B_JOSE_ALG_COUNT];
};

struct b2b_jwks {
	EVP_MD *hashes[B2B_JOSE_HASH_COUNT];
	size_t count;
	struct b2b_jose_key keys[]; /* count of them */
};

enum b2b_jose_fate { /* of a key in a set */
		     B2B_JOSE_REFUSED = 0,
		     B2B_JOSE_PASSED_OVER,
		     B2B_JOSE_USABLE,
		     B2B_JOSE_NO_MEMORY,
};

/* Reads a JWK.  *key_r is filled where it is usable: clear with b2b_jose_key_clear.  *why_r: fixed
 * words, static. */
enum b2b_jose_fate b2b_jose_key_read(const json_t *jwk, EVP_MD *const *hashes,
				     struct b2b_jose_key *key_r, const char **why_r);
void b2b_jose_key_clear(struct b2b_jose_key *key);

/* The key itself, out of n and e, x and y, or x.  NULL: *why_r says what is wrong with it, or is
 * NULL without memory.  Caller frees with EVP_PKEY_free. */
EVP_PKEY *b2b_jose_material_read(const json_t *jwk, enum b2b_jose_kind kind, const char **why_r);

#endif
