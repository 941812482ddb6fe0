/*
 * policy_review.c - access review definitions: whose access, reviewed by whom, how often.
 * In: a b2bReviewDefinition entry.  Out: struct b2b_review_policy (review.h).
 */
#include "policy_parts.h"
#include "review.h"

#include <stdlib.h>

void b2b_policy_read_review(struct b2b_reader *reader, struct b2b_review_policy **review_r)
{
	*review_r = calloc(1, sizeof(**review_r));
	if (!*review_r)
		reader->no_memory = true;
}

void b2b_policy_free_review(struct b2b_review_policy **review)
{
	free(*review);
	*review = NULL;
}
