/*
 * snapshots.h - snapshots made rule by rule, for the unit tests of snapshot*.c.
 * In: compiled rules.  Out: the next snapshot in place of the last.
 * Included once by each check program on them.
 */
#ifndef B2B_TEST_SNAPSHOTS_H
#define B2B_TEST_SNAPSHOTS_H

#include "entry.h"
#include "snapshot.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Replaces *snapshot by one with the rule, and gives the rule's reference away. */
static inline void put(struct b2b_snapshot **snapshot, struct b2b_rule *rule)
{
	struct b2b_snapshot *next = b2b_snapshot_with(*snapshot, rule);

	ck_assert_ptr_nonnull(next);
	b2b_snapshot_unref(snapshot);
	b2b_rule_unref(&rule);
	*snapshot = next;
}

static inline void drop(struct b2b_snapshot **snapshot, const char *dn)
{
	struct b2b_snapshot *next = b2b_snapshot_without(*snapshot, dn);

	ck_assert_ptr_nonnull(next);
	b2b_snapshot_unref(snapshot);
	*snapshot = next;
}

#endif
