/*
 * table.h - a persistent hash table of rules: a changed copy shares all buckets but one.
 * In: rules and the key each is found by.  Out: lookups for snapshot.c, its only user.
 * A table is written only by who made it, before anybody else sees it; read by any thread after.
 */
#ifndef B2B_TABLE_H
#define B2B_TABLE_H

#include "policy.h"

struct b2b_table; /* opaque; NULL is the empty table */

struct b2b_table_key {
	struct b2b_str text;
	bool exact; /* false: ASCII case is ignored.  One table, one choice. */
};

struct b2b_table *b2b_table_ref(struct b2b_table *table);
void b2b_table_unref(struct b2b_table **table);

/* Adds rule under key, whose text lives in rule.  *table is replaced by a copy where it is shared.
 * owning: the table takes a reference to the rule; one table is owning throughout or never.
 * False without memory: *table is as it was, or a copy of that. */
bool b2b_table_add(struct b2b_table **table, struct b2b_table_key key, struct b2b_rule *rule,
		   bool owning);
/* Removes what stands for rule under key, if anything.  False without memory. */
bool b2b_table_remove(struct b2b_table **table, struct b2b_table_key key,
		      const struct b2b_rule *rule);

/* The first rule under key by DN, NULL if none; *several_r tells whether another rule has it too.
 */
struct b2b_rule *b2b_table_find(const struct b2b_table *table, struct b2b_table_key key,
				bool *several_r);
/* The index-th of the rules under key, by DN and each counted once; NULL past the last. */
struct b2b_rule *b2b_table_find_at(const struct b2b_table *table, struct b2b_table_key key,
				   size_t index);

#endif
