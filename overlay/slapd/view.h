/*
 * view.h - what is known of the operation under way, and what guests and service accounts see.
 * In: slapd's structures.  Out: included by glue.h, at the place where its types are known.
 */
#ifndef B2B_VIEW_H
#define B2B_VIEW_H

/* A subtree that a guest sees, and the highest rank of a label there. */
struct b2b_view_scope {
	struct berval ndn;
	uint32_t bound;
};

/* An attribute type that has a label. */
struct b2b_view_type {
	AttributeType *type;
	uint32_t rank;
};

/* The labels of a tenant, lowest first. */
struct b2b_view_labels {
	struct b2b_str *names;
	size_t count; /* 0: labels say nothing */
	uint32_t unlabelled;
};

/* passage.c: what is known of the operation under way */
struct b2b_passage_seen { /* the guest that a service account's search looked at last */
	const struct b2b_tenant *tenant;
	ID id; /* 0: none */
	uint64_t published;
	bool sees;
};
struct b2b_passage {
	OpExtra extra;
	struct berval ndn; /* whom this is about */
	enum b2b_who who;
	bool service; /* ndn is an application's service account */
	struct b2b_passage_seen seen;
	/* for guests; all that is pointed to lives in op's memory: */
	struct b2b_tenant *tenant;
	struct b2b_guest guest;
	struct b2b_verdict verdict;
	const char *app_dn; /* NULL: directory */
	const char *app_id;
	uint64_t published; /* of the tenant, when the guest was judged; 0: not judged again */
	uint64_t guests;    /* b2b_session_epoch, when the guest's record was read */
	enum b2b_guest_access access;
	bool direct;                   /* has no entry of its own: it sees scopes alone */
	uint32_t bound;                /* highest rank of a label outside of scopes */
	struct b2b_view_scope *scopes; /* what a limited guest sees besides itself */
	size_t scope_count;
	struct b2b_view_labels labels;
	struct b2b_view_type *types;
	size_t type_count;
	/* how a search goes (narrow.c): */
	bool narrowed;   /* in parts: neither base nor scope of the operation are the client's */
	bool guessed;    /* as a whole, because its filter looked selective */
	unsigned hidden; /* checks that this guest did not pass so far */
};
/* Classifies and, for a guest, judges the operation; the result lives in op's memory, holds
 * nothing that must be released, and is found again by b2b_passage_find.  Never NULL. */
struct b2b_passage *b2b_passage_enter(Operation *op);
/* NULL unless the operation passed the gate under the name it runs under now: slapd's overlays
 * run operations of one identity with the o_extra of another (syncprov's persist phase). */
struct b2b_passage *b2b_passage_find(Operation *op);
/* In the middle of a search, which may wait for its client for as long as that one likes: what was
 * decided is decided anew, in place, where policy was published meanwhile, and denied where its time
 * is over or the guest's record says that it may not go on. */
void b2b_passage_keep_up(Operation *op, struct b2b_passage *passage);
/* Decides about a guest of tenant, in circumstances to which it adds whether the guest is assigned;
 * the verdict borrows from snapshot and guest. */
struct b2b_verdict b2b_passage_decide(Operation *op, struct b2b_tenant *tenant,
				      const struct b2b_snapshot *snapshot,
				      const struct b2b_guest *guest, const struct b2b_rule *app,
				      struct b2b_context *context);
/* The circumstances of a guest that gave this proof (NULL: none). */
struct b2b_context b2b_passage_context(Operation *op, const struct b2b_proof *proof);
/* The same into memory of the caller, for a hook that runs outside the gate. */
void b2b_passage_judge(Operation *op, struct b2b_passage *passage_r);
/* The passage that an operation of a guest would get with this verdict, for who explains: tenant, ndn,
 * direct, guest and verdict are filled in already. */
void b2b_passage_suppose(Operation *op, const struct b2b_snapshot *snapshot,
			 const struct b2b_rule *app, struct b2b_context *context,
			 struct b2b_passage *passage);

/* view_guest.c: why a guest sees an entry */
enum b2b_view {
	B2B_VIEW_HIDDEN = 0,
	B2B_VIEW_LABEL,  /* hidden: it would be seen but for its label */
	B2B_VIEW_OWN,    /* seen: its own */
	B2B_VIEW_SCOPE,  /* an application's that it may use */
	B2B_VIEW_MEMBER, /* it sees what members see */
	B2B_VIEW_NAME,   /* naming attributes alone, by a base search */
};
/* Fills in what a passage that allows needs for what follows: level, labels, types and bound, and for a
 * limited guest the scopes of the applications that it may use; app is that of the verdict. */
void b2b_view_prepare(Operation *op, struct b2b_passage *passage,
		      const struct b2b_snapshot *snapshot, const struct b2b_rule *app,
		      struct b2b_context *context);
/* *bound_r: highest rank of labels of attributes there. */
enum b2b_view b2b_view_entry(Operation *op, const struct b2b_passage *p, Entry *e,
			     uint32_t *bound_r);
/* Whether a labelled attribute type is hidden under a bound. */
bool b2b_view_hides_type(const struct b2b_passage *p, const AttributeDescription *desc,
			 uint32_t bound);
/* False: the guest whose operation this is sees nothing of it. */
bool b2b_view_guest(Operation *op, struct b2b_passage *p, Entry *e, AttributeDescription *desc,
		    struct berval *val, slap_access_t access);

/* narrow.c: answers a guest's search from what the guest may see alone, with the same answer; or
 * SLAP_CB_CONTINUE where that would be no gain, or not the same. */
int b2b_narrow_search(Operation *op, SlapReply *rs, struct b2b_passage *passage);
/* At the end of a guest's search: whether the guess about its filter was right. */
void b2b_narrow_learn(Operation *op);
extern ConfigTable b2b_narrow_options[]; /* of the gate: b2b-narrow */
void b2b_narrow_reset(void);             /* as if it were not configured */

/* view_service.c: false: the service account whose operation this is sees nothing of it */
bool b2b_view_service(Operation *op, struct b2b_passage *p, Entry *e, AttributeDescription *desc,
		      struct berval *val, slap_access_t access, AccessControlState *state);
/* Whether a service account finds a guest. */
bool b2b_view_finds_entry(Operation *op, const struct b2b_passage *p, Entry *e);
/* The same of any name; true of what is no guest, false of what cannot be read. */
bool b2b_view_finds(Operation *op, const struct b2b_passage *p, struct b2b_tenant *tenant,
		    struct berval *ndn);
/* Whether ndn is a guest that does not exist for the service account whose operation this is. */
bool b2b_access_is_hidden_guest(Operation *op, struct b2b_tenant *tenant, struct berval *ndn);
/* Gives a guest that op's service account does not find, and what would stand below it, a name where
 * nothing stands, in op's memory: slapd then answers as for any missing entry.  True: it did. */
bool b2b_access_divert(Operation *op, struct b2b_tenant *tenant, struct berval *dn,
		       struct berval *ndn);

/* view_values.c: values that name a guest whom a service account does not find */
/* Whether values of a syntax are names, with optional bits or without. */
bool b2b_values_are_names(const Syntax *syntax);
/* Whether an attribute has values that name somebody: all of DN syntax, and memberUid. */
bool b2b_values_concern(const AttributeDescription *desc);
/* Whether a normalised value of such an attribute of an entry of that name's tenant is hidden. */
bool b2b_values_hide(Operation *op, const struct b2b_passage *p, const struct berval *entry_ndn,
		     const Syntax *syntax, const struct berval *value);
/* Whether an entry has values of the attribute (subtypes too), and all are hidden. */
bool b2b_values_are_hidden(Operation *op, const struct b2b_passage *p, Entry *e,
			   AttributeDescription *desc);
/* The part of b2b_view_service. */
bool b2b_values_view(Operation *op, const struct b2b_passage *p, Entry *e,
		     AttributeDescription *desc, struct berval *val, slap_access_t access,
		     AccessControlState *state);

/* view_filter.c: what a service account asks, as if the hidden values were not there */
/* Changes the filters of op, or what it compares with, in place. */
void b2b_filter_narrow(Operation *op, const struct b2b_passage *p);
/* Whether op compares with an attribute of which the account sees no value. */
bool b2b_filter_compares_hidden(Operation *op, const struct b2b_passage *p);
/* Whether op must be sorted by values that may be hidden; where it need not, it is not any more. */
bool b2b_filter_sorts_hidden(Operation *op);
/* A filter that is true of a hidden entry would have it counted, in size limits and list views: such a
 * one is asked together with (objectClass=*), which never is. */
void b2b_filter_close(Operation *op);

/* groups.c: lists of names and groups.  What a list leads to is kept per tenant until a write may have
 * changed it: the write hooks call b2b_groups_wrote once a write of any kind, syncrepl's too, has
 * succeeded; the gate sees to it (b2b_groups_follow) after a transaction (whose steps succeed before they
 * can be read) and after a change of cn=config; b2b_tenant_publish b2b_groups_changed.  The mutex in
 * struct b2b_groups guards what is kept; nothing is read from the database under it. */
struct b2b_groups *b2b_groups_new(void);
void b2b_groups_free(struct b2b_groups **groups);
/* Whether ndn is among the members (member, uniqueMember) of one of these groups (normalised DNs of the
 * tenant's), nested up to eight deep, or dynamic where the database has slapo-dynlist, or is itself one
 * of the names.  groups is a list of a published snapshot that the caller holds.  Not clear (an entry
 * that cannot be read, nested too deep): no, and logged. */
bool b2b_groups_have(Operation *op, struct b2b_tenant *tenant, char *const *groups, size_t count,
		     const struct berval *ndn);
/* The same of any list, if one group (NULL: none) were empty; nothing is kept. */
bool b2b_groups_lead_to(Operation *op, struct b2b_tenant *tenant, const struct b2b_list *list,
			const struct berval *ndn, const struct berval *but);
/* The same of one group, whoever lists it, and kept: 1: yes, 0: no, -1: not clear. */
int b2b_groups_holds(Operation *op, struct b2b_tenant *tenant, const struct berval *group,
		     const struct berval *ndn);
void b2b_groups_wrote(Operation *op, struct b2b_tenant *tenant);
void b2b_groups_changed(struct b2b_tenant *tenant);
/* The part of the gate: for operations after which nothing that is kept is believed. */
void b2b_groups_follow(Operation *op);
/* The name in a normalised value of a name, or of a name with optional bits; borrowed, and not
 * terminated. */
struct berval b2b_groups_name(const struct berval *value);

/* access.c */
/* Requests, notices and reviews are about persons: neither guests nor applications find them. */
bool b2b_access_is_private(Entry *e);
/* For the write hooks: whether slapd's own access control would let op write. */
bool b2b_access_may_write(Operation *op, struct b2b_tenant *tenant);
/* Whether slapd's own access control lets op manage an attribute: the one level that it looks up for
 * attributes of the server's own (it grants everybody "write" to those, measured). */
bool b2b_access_may_manage(Operation *op, Entry *e, AttributeDescription *desc);
int b2b_access_allowed(Operation *op, Entry *e, AttributeDescription *desc, struct berval *val,
		       slap_access_t access, AccessControlState *state, slap_mask_t *maskp);

/* alike.c */
/* Makes the answers about hidden and missing entries alike.  adds_in_vain: what is added has the name
 * of a hidden entry, in a place where it may not be. */
void b2b_alike_answers(Operation *op, bool adds_in_vain);

#endif
