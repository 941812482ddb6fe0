/*
 * explain_parts.h - what the files of explain share: what is asked, and the steps so far.
 * In: proof.h.  Out: included by explain*.c, by nobody else.
 */
#ifndef B2B_EXPLAIN_PARTS_H
#define B2B_EXPLAIN_PARTS_H

#include "proof.h"

#include "../core/explain.h"

struct b2b_explaining {
	struct b2b_exop *exop;
	Operation *op;
	struct berval ndn, entry; /* of the guest, and of what it may see or not; in op's memory */
	const char *app_id;       /* or NULL: as for a sign-in */
	json_t *claims;           /* an object of the request, or NULL */
	Entry *e;                 /* the guest's, a copy */
	struct b2b_snapshot *snapshot;
	struct b2b_guest guest;
	const struct b2b_rule *partner, *app; /* or NULL */
	struct b2b_identity *identity;        /* what the claims say, or NULL */
	struct b2b_context context;
	struct b2b_verdict verdict;
	json_t *steps;
	const char *refused, *refused_by; /* why the sign-in itself fails, and by which entry */
};

/* A step of the sign-in, which comes before the decision: reason is NULL where it passed; the first
 * that did not is the verdict.  explain.c. */
void b2b_explain_note(struct b2b_explaining *it, const char *rule, const char *dn,
		      const char *reason, const char *detail);

/* explain_claims.c: what the claims make of the circumstances; they may be believed or not. */
void b2b_explain_claims(struct b2b_explaining *it);

/* explain_entry.c: what the guest sees of an entry, once the verdict is there; the caller's. */
json_t *b2b_explain_entry(struct b2b_explaining *it);

#endif
