/*
 * ctl_review.h - open reviews, as review list and review approve see them.
 * In: guests' own reviews, and the items of review definitions.
 * Out: one struct for both.
 */
#ifndef B2B_CTL_REVIEW_H
#define B2B_CTL_REVIEW_H

#include "ctl_life.h"

/* What somebody is to answer.  Texts as they stand in the directory; borrowed while each is called. */
struct ctl_review {
	const char *dn;     /* of the entry that takes the answer */
	const char *guest;  /* DN */
	const char *review; /* name of the definition, "" for a guest's own */
	struct b2b_str due; /* GeneralizedTime, or empty */
	struct b2b_str decision, recommendation;
	const struct b2b_source *entry; /* whose b2bReviewer are the reviewers, */
	enum b2b_attr reviewers;        /* or b2bSponsor, or of the tenant b2bFallbackReviewer */
};
typedef void ctl_review_fn(void *ctx, const struct ctl_review *review);

struct ctl_reviews {
	const struct ctl_session *session;
	char *mine; /* filter of those that are to answer, as ctl_reviews_mine makes it, or NULL */
	const char *guest; /* only about this DN, or NULL */
	bool answered;     /* items that were answered too */
	ctl_review_fn *each;
	void *ctx;
};
/* Calls each for the guests' own reviews, then for items. */
int ctl_reviews_walk(struct ctl_reviews *reviews);
/* Only what who is bound is to answer, by itself or by its groups; caller frees mine. */
int ctl_reviews_mine(struct ctl_reviews *reviews);

#endif
