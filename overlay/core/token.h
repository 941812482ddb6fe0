/*
 * token.h - what a partner's token says: whose it is, for which application, how home made sure.
 * In: a token (RFC 7519; OpenID Connect Core 1.0, 2; RFC 9068) and a snapshot.  Out: an identity,
 * once partner, signature and claims are right; else why not, in words that may be logged.
 */
#ifndef B2B_TOKEN_H
#define B2B_TOKEN_H

#include "jose.h"
#include "snapshot.h"

#define B2B_TOKEN_LEEWAY_SECS 60

/* What the home tenant's Out settings permit whom its token is about (claim b2b_out): bits. */
enum b2b_token_out {
	B2B_OUT_COLLAB = 1, /* "collaboration" */
	B2B_OUT_DIRECT = 2, /* "direct" */
	B2B_OUT_ALL = 3,    /* where the token has no such claim */
};

/* What a token that is right says.  Strings are NUL-terminated and its own; rules are borrowed from
 * the snapshot.  Free with b2b_identity_free. */
struct b2b_identity {
	const struct b2b_rule *partner; /* B2B_RULE_PARTNER, valid */
	const struct b2b_rule *app;     /* that its audience or azp stands for; NULL: none */
	char *subject;                  /* value of the partner's subject claim */
	char *email;                    /* where home says that it is verified, else NULL */
	char *id;                       /* "jti:<jti>", else "sha256:<hash of what is signed>" */
	time_t expires;                 /* exp */
	time_t authenticated;           /* auth_time, else iat, never later than now; 0: neither */
	bool mfa, compliant_device, hybrid_joined; /* home's word; whether it counts is policy's */
	bool groups_known;                         /* the groups claim was there, and whole */
	struct b2b_str *groups;
	size_t group_count;
	unsigned out;  /* bits of enum b2b_token_out; none where the claim cannot be read */
	bool out_said; /* the claim is there: home judged, for the application that azp names */
};

/*
 * Verifies a token at a moment.  In this order: b2b_jws_parse; payload one JSON object without
 * duplicate members; iss names a partner by b2bIssuer, several being told apart by
 * b2bTenantClaim (none or more than one left: refused); the partner's entry valid, its tenant id
 * that of no other entry, oidc among its b2bIdp; signature by its keys and algorithms; exp there
 * and not past, nbf, iat and auth_time not in the future (leeway B2B_TOKEN_LEEWAY_SECS), exp after
 * iat; aud a text or a list of texts of which one is among b2bAudience or an application's
 * b2bAppAudience; azp, where present, too, and present where aud has several values; applications
 * that two audiences stand for must be one (it may be an invalid one, which denies); subject claim
 * a text of 1 to 1024 bytes without control characters; no cnf (RFC 7800: it would have to be
 * proven) and no events (RFC 8417: a security event, not a sign-in).
 * why never holds a byte of the token.  B2B_ERR_INVALID: it is not to be believed.
 */
enum b2b_err b2b_token_verify(const struct b2b_snapshot *snapshot, struct b2b_str token, time_t now,
			      struct b2b_identity **identity_r, struct b2b_error *why);
void b2b_identity_free(struct b2b_identity **identity); /* sets NULL; accepts NULL */

/* The partner's part alone, for tools that explain: claims are the payload, its signature not
 * looked at.  As above from the claims on, but partner is given. */
enum b2b_err b2b_token_read_claims(const struct b2b_snapshot *snapshot,
				   const struct b2b_rule *partner, struct b2b_str claims,
				   time_t now, struct b2b_identity **identity_r,
				   struct b2b_error *why);

#endif
