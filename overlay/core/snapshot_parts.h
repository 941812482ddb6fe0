/*
 * snapshot_parts.h - what snapshot.c and its parts share; nobody else includes it.
 * In: rules.  Out: what each is found by, and the lists that snapshots share.
 */
#ifndef B2B_SNAPSHOT_PARTS_H
#define B2B_SNAPSHOT_PARTS_H

#include "snapshot.h"
#include "table.h"

enum b2b_index {
	B2B_BY_DN,
	B2B_BY_ROLE,
	B2B_BY_PARTNER,
	B2B_BY_ISSUER,
	B2B_BY_DOMAIN,
	B2B_BY_APP_ID,
	B2B_BY_SERVICE,
	B2B_BY_LISTENER,
	B2B_BY_AUDIENCE,
	B2B_INDEX_COUNT
};

/* All rules of one kind, by DN; shared by snapshots until one of them changes.  NULL: none. */
struct b2b_rules {
	_Atomic unsigned refs;
	size_t count;
	const struct b2b_rule *list[]; /* the BY_DN table holds the references */
};

/* The networks of all applications, shared likewise. */
struct b2b_peer {
	struct b2b_cidr cidr;
	const struct b2b_rule *rule;
};
struct b2b_peers {
	_Atomic unsigned refs;
	size_t count;
	struct b2b_peer list[]; /* the longest prefix first, then by DN */
};

struct b2b_snapshot {
	_Atomic unsigned refs;
	uint64_t generation;
	size_t counts[B2B_RULE_ACCESS + 1];
	struct b2b_table *tables[B2B_INDEX_COUNT]; /* BY_DN owns the rules, the others borrow */
	struct b2b_rules *apps, *access;
	struct b2b_peers *peers;
	const struct b2b_rule *tenant, *defaults;
};

/* One thing that a rule is found by. */
struct b2b_handle {
	enum b2b_index index;
	struct b2b_table_key key;
	enum b2b_attr attr; /* where it is written; B2B_ATTR_NONE: not in an attribute */
	bool shared;        /* several rules may have it */
};

static inline struct b2b_table_key b2b_key_any_case(struct b2b_str text)
{
	struct b2b_table_key key = { text, false };

	return key;
}

static inline struct b2b_table_key b2b_key_exactly(struct b2b_str text)
{
	struct b2b_table_key key = { text, true };

	return key;
}

/* slapd writes a listener with or without the last '/'. */
struct b2b_table_key b2b_snapshot_listener_key(struct b2b_str url);
struct b2b_table_key b2b_snapshot_role_key(enum b2b_rule_kind kind);
/* The number-th handle of a rule, its DN first; false past the last.  A broken rule may have one
 * with an empty key, which finds nothing. */
bool b2b_snapshot_handle_at(const struct b2b_rule *rule, size_t number,
			    struct b2b_handle *handle_r);

struct b2b_rules *b2b_snapshot_rules_ref(struct b2b_rules *rules);
void b2b_snapshot_rules_unref(struct b2b_rules **rules);
/* Replaces *rules by a copy without gone and with added; either may be NULL.  False without
 * memory: *rules is as it was. */
bool b2b_snapshot_rules_change(struct b2b_rules **rules, const struct b2b_rule *gone,
			       const struct b2b_rule *added);

struct b2b_peers *b2b_snapshot_peers_ref(struct b2b_peers *peers);
void b2b_snapshot_peers_unref(struct b2b_peers **peers);
/* Of all applications; NULL without memory. */
struct b2b_peers *b2b_snapshot_peers_new(const struct b2b_rules *apps);

#endif
