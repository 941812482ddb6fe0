/*
 * sweep_parts.h - a sweep of the task, whole: what task.c and mass.c share, and nobody else sees.
 * In: slapd's structures.  Out: what was found, what was counted, what is yet to be done.
 */
#ifndef B2B_SWEEP_PARTS_H
#define B2B_SWEEP_PARTS_H

#include "life.h"

#include "ldap_avl.h"

/* What b2bNextDue can stand on. */
enum b2b_due_kind { B2B_DUE_GUEST = 0, B2B_DUE_PROJECT, B2B_DUE_REQUEST, B2B_DUE_REVIEW };

struct b2b_found {
	struct berval ndn;
	enum b2b_due_kind kind;
	struct b2b_found *next;
};

struct b2b_whole_sweep {
	struct b2b_sweep pub;    /* first: those who do what is due see no more of it */
	struct b2b_found *found; /* newest first */
	unsigned count, limit;
	bool repair;                /* only entries whose b2bNextDue is wrong */
	bool left;                  /* somebody is left to the next sweep: not counted */
	bool counting;              /* nothing is done yet */
	unsigned guests, may, gone; /* all there are, how many may go, how many went */
	unsigned leaving;           /* how many will go */
	Avlnode *expected;          /* those of them that something else than their own time ends */
	ID last;                    /* the last entry found */
	void *ctx;
	OperationBuffer opbuf;
	Connection conn;
};

/* task.c */
/* False: not all of it could be looked at. */
bool b2b_sweep_search(struct b2b_whole_sweep *sweep, const char *filter, b2b_inner_found *found);
void b2b_sweep_remember(struct b2b_whole_sweep *sweep, Entry *e);
/* The next one of those that were remembered, or NULL; b2b_sweep_forget frees it. */
struct b2b_found *b2b_sweep_recall(struct b2b_whole_sweep *sweep);
void b2b_sweep_forget(struct b2b_found *found);

/* mass.c */
/* Counts what will go of all that a filter finds, before anything is done, so that a halt comes first
 * or not at all.  False: nothing may be done. */
bool b2b_mass_may_begin(struct b2b_whole_sweep *sweep, const char *filter);
/* After a sweep: what an administrator confirmed is used up, and a halt that is over is no longer
 * shown. */
void b2b_mass_forget_halt(struct b2b_whole_sweep *sweep);

#endif
