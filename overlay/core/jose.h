/*
 * jose.h - signed tokens: key sets (RFC 7517), compact signatures (RFC 7515), algorithms (RFC 7518,
 * RFC 8037).
 * In: a partner's key set as JSON; a token of any origin.  Out: the payload of a token whose
 * signature was made by one of the keys.  OpenSSL's and Jansson's types stay in jose*.c.
 */
#ifndef B2B_JOSE_H
#define B2B_JOSE_H

#include "base.h"

#define B2B_TOKEN_MAX_BYTES 16384u /* a longer token is refused unread */
#define B2B_JWKS_MAX_BYTES 131072u
#define B2B_JWKS_MAX_KEYS 64u

enum b2b_alg {                   /* bits; each fits one type of key */
	       B2B_ALG_NONE = 0, /* no algorithm that we know, "none" and HMAC included */
	       B2B_ALG_RS256 = 1,
	       B2B_ALG_RS384 = 2,
	       B2B_ALG_RS512 = 4,
	       B2B_ALG_PS256 = 8,
	       B2B_ALG_PS384 = 16,
	       B2B_ALG_PS512 = 32,
	       B2B_ALG_ES256 = 64,
	       B2B_ALG_ES384 = 128,
	       B2B_ALG_ES512 = 256,
	       B2B_ALG_EDDSA = 512, /* Ed25519 alone */
};
#define B2B_ALGS_ALL 0x3ffu

/* "RS256", ..., compared byte by byte; B2B_ALG_NONE for all others. */
enum b2b_alg b2b_alg_find(struct b2b_str name);
/* "RS256" for B2B_ALG_RS256; NULL for what is not one of the bits. */
const char *b2b_alg_name(enum b2b_alg alg);

struct b2b_jwks; /* the usable public keys of one set, parsed; immutable, read by any thread */

/*
 * Parses a key set.  Passed over, as RFC 7517 section 5 wants: keys of an unknown kty or crv, with
 * a use other than sig, with key_ops that lack verify, with an alg that is not ours.  Refused, with
 * what and which key (by its kid or place) in error: JSON that is not strict, a duplicate member, a
 * private or symmetric key (even one that would be passed over), a key that is malformed (numbers
 * longer or shorter than RFC 7518 wants them, zero bytes in front) or weak (RSA under 2048 or above
 * 8192 bits or with a factor below 30, an exponent that is even, below 3 or over 64 bits, a point
 * that is not on its curve or of small order), an alg that does not fit the key, two usable keys
 * with one kid and kty, more than B2B_JWKS_MAX_KEYS, a set without a usable key.
 * *jwks_r: caller frees with b2b_jwks_free; NULL unless B2B_OK.
 */
enum b2b_err b2b_jwks_parse(struct b2b_str json, struct b2b_jwks **jwks_r, struct b2b_error *error);
void b2b_jwks_free(struct b2b_jwks **jwks);         /* sets NULL; accepts NULL */
size_t b2b_jwks_count(const struct b2b_jwks *jwks); /* 0 for NULL */

/* Told of each key that was left out of a set: which, 'key "<kid>"' or 'key <place>', and why, words
 * that go on from there; both borrowed for the call. */
typedef void b2b_jwks_note(void *ctx, const char *which, const char *why);
/*
 * For a set that a provider publishes: the same set with nothing but the usable public keys and of
 * those nothing but kty, kid, use, alg, crv, n, e, x, y, as compact JSON that b2b_jwks_parse takes.
 * Keys that b2b_jwks_parse would refuse are left out and noted (note may be NULL).  *clean_r:
 * caller frees.  B2B_ERR_INVALID where the text is no key set or no key is left.
 */
enum b2b_err b2b_jwks_clean(struct b2b_str json, b2b_jwks_note *note, void *ctx, char **clean_r,
			    struct b2b_error *error);

/* A compact JWS taken apart, not yet verified.  Zeroed: nothing; clear with b2b_jws_clear. */
struct b2b_jws {
	enum b2b_alg alg;
	char *kid; /* NUL-terminated; NULL: none */
	bool has_kid;
	bool typ_fits; /* typ is not there, or says that this is a token: see b2b_jws_parse */
	/* Borrowed from the token.  To know a token again, use this and not the whole of it: whoever
	 * has one that is signed by ES* can make another with a second signature that is as good. */
	struct b2b_str signing_input;
	char *payload; /* payload_len bytes and a NUL; not trusted before b2b_jws_check */
	size_t payload_len;
	uint8_t *signature;
	size_t signature_len;
	void *block; /* what kid, payload and signature lie in */
};

/*
 * Takes a token apart: three parts of canonical base64url without padding (RFC 4648 section 3.5),
 * a header that is one JSON object without duplicate members, an alg that is ours.  Refused: more
 * than B2B_TOKEN_MAX_BYTES, any crit, the headers jwk, jku, x5u, x5c, zip and b64, a kid or typ
 * that is no text, no signature.  The payload may be any bytes, or none.  A typ other than JWT or
 * at+jwt (with or without "application/", any case) is good for a JWS but not for a token: then
 * typ_fits is false, and whoever wants a token must refuse it (RFC 8725, 3.11).  why tells what is
 * wrong, in fixed words with "it" for the token: nothing of the token.
 */
enum b2b_err b2b_jws_parse(struct b2b_str token, struct b2b_jws *jws_r, struct b2b_error *why);
/*
 * Verifies the signature.  Candidates are the keys whose type fits the alg, whose own alg (if they
 * have one) is the same, and, where the token has a kid, those with that kid and those without any;
 * more than eight are refused.  algs: bits that are accepted.  keys may be NULL: refused.
 * The signature must have exactly the size of the key's before any arithmetic is done; the salt of
 * PS* has the size of its hash (RFC 7518, 3.5).  Any thread.
 * Without memory in the middle of OpenSSL's arithmetic a good signature is refused as a bad one.
 */
enum b2b_err b2b_jws_check(const struct b2b_jws *jws, const struct b2b_jwks *keys, unsigned algs,
			   struct b2b_error *why);
void b2b_jws_clear(struct b2b_jws *jws);

/* Whether a password is meant to be a token: two dots, and before the first one base64url of
 * something that starts with '{'.  Cheap, trusts nothing, decides nothing about validity. */
bool b2b_jws_is_like(struct b2b_str text);

/* --- jose_sign.c, jose_signer.c: tokens of our own --- */

#define B2B_THUMBPRINT_SIZE 44 /* base64url of SHA-256, NUL included */
/* RFC 7638, SHA-256, of a public JWK (RSA, EC, OKP).  B2B_ERR_INVALID: it is none. */
enum b2b_err b2b_jwk_thumbprint(struct b2b_str jwk, char text_r[B2B_THUMBPRINT_SIZE],
				struct b2b_error *error);

struct b2b_signer; /* one private key, and the public halves of more; immutable, any thread */

/*
 * pem: a file of private keys (RFC 7468), unencrypted.  Those that are Ed25519 (EdDSA) or P-256
 * (ES256) are published, in their order, each once; the last of them signs.  Others are noted (note may
 * be NULL) and nothing is done with them; what is no private key is passed over.  Nothing of pem is
 * kept but the key that signs.  *signer_r: caller frees; NULL unless B2B_OK.  B2B_ERR_INVALID: none
 * of the keys can sign, or one cannot be read at all.
 */
enum b2b_err b2b_signer_new(struct b2b_str pem, b2b_jwks_note *note, void *ctx,
			    struct b2b_signer **signer_r, struct b2b_error *error);
void b2b_signer_free(struct b2b_signer **signer); /* wipes, sets NULL, accepts NULL */
/* The public set (RFC 7517), which b2b_jwks_parse takes: kty, crv, x, y, kid (the thumbprint), alg,
 * use of each.  Borrowed. */
const char *b2b_signer_jwks(const struct b2b_signer *signer);
/* The kid of the key that signs; borrowed. */
const char *b2b_signer_kid(const struct b2b_signer *signer);
/* A compact JWS (RFC 7515, 7.1) of a payload, with alg, kid and typ JWT in its header.  *token_r:
 * caller frees, wiped with OPENSSL_cleanse: who has it is somebody. */
enum b2b_err b2b_signer_sign(const struct b2b_signer *signer, struct b2b_str payload,
			     char **token_r);
/* The same with a header of the caller's. */
enum b2b_err b2b_signer_sign_as(const struct b2b_signer *signer, struct b2b_str header,
				struct b2b_str payload, char **token_r);

#endif
