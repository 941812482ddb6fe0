/*
 * review_parts.h - what the files about access reviews by definition share; nobody else includes it.
 * In: a definition that is due.  Out: its items, their reviewers, notices, and what follows.
 *
 * A review may have a hundred thousand guests: whatever lives longer than one of them stands on the
 * heap, and the operation's memory is taken anew for each.
 */
#ifndef B2B_REVIEW_PARTS_H
#define B2B_REVIEW_PARTS_H

#include "life.h"

/* A definition as it was read.  Everything is on the heap. */
struct b2b_definition {
	struct b2b_sweep *sweep; /* borrowed; NULL where a client's operation looks */
	struct b2b_name name;
	char csn[LDAP_PVT_CSNSTR_BUFSIZE];
	char *cn, *uuid;
	struct b2b_rule *rule;
	const struct b2b_review_policy *policy; /* rule's */
	bool valid;                             /* else error says what is wrong with it */
	struct b2b_error error;
	struct b2b_review_state state;
	time_t next_due;        /* as it stands, 0: absent */
	struct b2b_list owners; /* of the scope's group */
	/* the tenant's settings of this moment: a sweep may have begun before they were written */
	struct b2b_snapshot *snapshot;
	const struct b2b_tenant_policy *tenant; /* snapshot's, or NULL */
};

/* An entry that is to be looked at later. */
struct b2b_review_found {
	struct b2b_name name;
	char *uuid; /* its own */
};
struct b2b_review_list {
	struct b2b_review_found *list;
	size_t count, room;
};

/* review_read.c */
/* False: there is no such definition.  To be cleared in either case. */
bool b2b_review_get(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn,
		    struct b2b_definition *review_r);
void b2b_review_clear(struct b2b_definition *review);
/* A copy of an entry, for entry_free; NULL where there is none, rc_r says why. */
Entry *b2b_review_copy(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn,
		       int *rc_r);
const char *b2b_review_csn(Entry *e);
/* The items of an instance; state may be NULL: any.  Answers an LDAP code. */
int b2b_review_items(struct b2b_definition *review, unsigned instance, const char *state,
		     struct b2b_review_list *list);
/* All entries below it. */
int b2b_review_children(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn,
			struct b2b_review_list *list);
void b2b_review_note(struct b2b_review_list *list, Entry *e);
void b2b_review_forget(struct b2b_review_list *list);

/* review_scope.c */
/* The guests that are to be reviewed.  Answers an LDAP code. */
int b2b_review_scope(struct b2b_definition *review, struct b2b_review_list *list);
/* Members of a group, nested up to eight deep: those that are no groups themselves, and the groups.
 * Either list may be NULL; both are sorted, and freed with b2b_review_drop_names. */
struct b2b_review_names {
	struct berval *list; /* normalised DNs */
	size_t count, room;
};
void b2b_review_expand(Operation *op, struct b2b_tenant *tenant, const struct berval *group,
		       struct b2b_review_names *persons, struct b2b_review_names *groups);
void b2b_review_add_name(struct b2b_review_names *names, const struct berval *ndn);
void b2b_review_sort_names(struct b2b_review_names *names); /* and takes doubles out */
void b2b_review_drop_names(struct b2b_review_names *names);
bool b2b_review_is_group(Entry *e);

/* review_ask.c */
/* Makes the item of one guest for a new instance, which may be there already.  An LDAP code. */
int b2b_review_ask(struct b2b_definition *review, unsigned instance,
		   const struct b2b_review_found *guest);
/* Hands an item on to the reviewers of the next stage, unless it was denied. An LDAP code. */
int b2b_review_pass_on(struct b2b_definition *review, unsigned stage,
		       const struct b2b_review_found *item);

/* review_tell.c */
struct b2b_review_telling {
	unsigned instance, stage;
	time_t due;
	unsigned reminder; /* days before the end; 0: they are asked for the first time */
};
/* One notice to each reviewer with items of this stage (a reminder: that are not answered), and one
 * to those who stand in for reviewers that are gone.  An LDAP code. */
int b2b_review_tell(struct b2b_definition *review, const struct b2b_review_telling *telling);

/* review_apply.c */
/* The guest with this entryUUID, at ndn (may be NULL) or wherever it was moved to, in the sweep's
 * memory.  An LDAP code: noSuchObject where it is gone. */
int b2b_review_guest(struct b2b_sweep *sweep, const struct berval *ndn, struct b2b_str uuid,
		     struct b2b_name *name_r);
/* How many guests would be stopped if the review were closed now. An LDAP code. */
int b2b_review_count_stops(struct b2b_definition *review, const struct b2b_review_list *items,
			   unsigned *count_r);
/* Carries out what an item comes to, and notes it there.  An LDAP code: whether that could be
 * written; *failed_r: the decision could not be carried out. */
int b2b_review_apply(struct b2b_definition *review, const struct b2b_review_found *item,
		     bool *failed_r);

/* What history calls a stage that nobody was left to review. */
#define B2B_REVIEW_GONE "reviewers gone:"

#endif
