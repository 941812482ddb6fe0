/*
 * token_parts.h - what token.c and token_claims.c share; nobody else includes it.
 * In: the claims of a token, and the partner whose token it is.
 * Out: an identity; Jansson's types stay in these two files.
 */
#ifndef B2B_TOKEN_PARTS_H
#define B2B_TOKEN_PARTS_H

#include "token.h"

#include <jansson.h>

/* All borrowed. */
struct b2b_token_matter {
	const struct b2b_snapshot *snapshot;
	const struct b2b_rule *partner; /* valid */
	const json_t *claims;           /* an object without duplicate members */
	struct b2b_str signed_text;     /* stands for the token where it has no jti */
	time_t now;
	struct b2b_error *why; /* may be NULL */
};

/* Whether a claim of that name has that value, or is an array of which one element has it. */
bool b2b_token_has_claim(const json_t *claims, const struct b2b_claim *claim);

/* Judges the claims behind iss and fills memory that is zeroed; what was filled is the caller's to
 * free, whatever the answer. */
enum b2b_err b2b_token_fill(const struct b2b_token_matter *matter, struct b2b_identity *identity);

#endif
