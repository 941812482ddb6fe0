/*
 * explain.h - a decision told rule by rule: each one that was asked, who it is, what it says and why.
 * In: what b2b_decide takes.  Out: steps, one call each, and b2b_decide's own verdict.
 * Pure: no I/O, no locks, allocates nothing and keeps nothing.
 */
#ifndef B2B_EXPLAIN_H
#define B2B_EXPLAIN_H

#include "decide.h"

/* One rule that was asked.  Borrowed for the call. */
struct b2b_explain_step {
	const char *rule;        /* "guest record", "conditional access", ... */
	const char *dn;          /* normalised, of the entry that spoke; NULL: there is none */
	bool passed;             /* also where it has no say: it does not apply, or only reports */
	enum b2b_reason reason;  /* B2B_REASON_NONE where it passed */
	struct b2b_error detail; /* in words, one line of UTF-8 */
};
typedef void b2b_explain_fn(void *ctx, const struct b2b_explain_step *step);

/* What is decided; see b2b_decide. */
struct b2b_explained {
	const struct b2b_snapshot *snapshot;
	const struct b2b_guest *guest;
	const struct b2b_rule *app;
	const struct b2b_context *context;
	const char *assigned_by; /* the group by which context->assigned is set, or NULL */
};

/*
 * Tells the steps in the order in which they deny: the first that did not pass has the verdict's reason
 * and rule, and all passed if and only if it allows.  Rules that stand behind a denial are asked all the
 * same, as far as they can be; of conditional access those that block come first.  Any thread.
 */
struct b2b_verdict b2b_explain(const struct b2b_explained *what, b2b_explain_fn *tell, void *ctx);

/* "2027-01-31T00:00:00Z", or empty for 0. */
#define B2B_EXPLAIN_TIME_SIZE 32
void b2b_explain_time(time_t when, char text_r[B2B_EXPLAIN_TIME_SIZE]);

#endif
