/*
 * decide_parts.h - what decide.c and its parts share; nobody else includes it.
 * In: what one decision is about.  Out: what each part of the policy says to it.
 */
#ifndef B2B_DECIDE_PARTS_H
#define B2B_DECIDE_PARTS_H

#include "decide.h"

/* b2b_str_hash_similar of "directory", the application where there is none of its own */
#define B2B_DIRECTORY_HASH UINT64_C(0xc4b1f4eb0734a1a8)

/* A name with b2b_str_hash_similar of it: most names differ and are passed over by that alone. */
struct b2b_name {
	struct b2b_str text;
	uint64_t hash;
};

/* Whether text, whose hash that is, certainly (but for case) or possibly (similar) is the name. */
static inline bool b2b_name_is(const struct b2b_name *name, struct b2b_str text, uint64_t hash,
			       bool possibly)
{
	if (name->hash != hash)
		return false;
	return possibly ? b2b_str_similar(text, name->text)
			: b2b_str_equal_nocase(text, name->text);
}

/* What one decision is about; app, partner, defaults and tenant are NULL where there is no such
 * entry. */
struct b2b_matter {
	const struct b2b_snapshot *snapshot;
	const struct b2b_guest *guest;
	const struct b2b_context *context;
	struct b2b_name app_id; /* empty: unknown */
	struct b2b_name home_tenant;
	const struct b2b_rule *app, *partner, *defaults, *tenant;
	bool by_default; /* the default's setting is judged, whose targets may be tenants */
	bool users_only; /* whatever the application: it is the one that is best for the guest */
};

/* What a part says: B2B_REASON_NONE permits; rule is who said so. */
struct b2b_finding {
	enum b2b_reason reason;
	const char *rule;
};

struct b2b_access_result {
	struct b2b_finding denial; /* B2B_REASON_NONE: every policy is satisfied */
	time_t until;              /* 0: no bound */
	uint32_t label_cap;
};

/* The earlier of two times of which 0 means "never". */
static inline time_t b2b_earliest(time_t a, time_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* snapshot, guest and context must be there. */
void b2b_decide_matter(const struct b2b_snapshot *snapshot, const struct b2b_guest *guest,
		       const struct b2b_rule *app, const struct b2b_context *context,
		       struct b2b_matter *matter_r);
/* What must be there before anything can be judged; else verdict->rule says where it is not. */
bool b2b_decide_can_judge(const struct b2b_matter *matter, struct b2b_verdict *verdict);
/* The guest's record, redemption too: whether a proof redeems is the partner's to say. */
struct b2b_finding b2b_decide_guest(const struct b2b_matter *matter);
/* The first entry that could not be read: the partner's, the default policy, the application's. */
const struct b2b_rule *b2b_decide_invalid(const struct b2b_matter *matter);
/* Whether the application, which must be there and valid, is assigned to the guest. */
bool b2b_decide_is_assigned(const struct b2b_matter *matter);
/* Whether dn (NULL: no) is among DNs sorted by strcmp. */
bool b2b_decide_has_dn(char *const *dns, size_t count, const char *dn);
/* The rank of a label that bounds what is seen: one that is unknown opens nothing above the lowest
 * label, so that an unknown label, which ranks above all, is never seen. */
uint32_t b2b_decide_bound(const struct b2b_snapshot *snapshot, struct b2b_str label);
/* Cross-tenant settings; partner must be there, and valid as the default policy is.  *half_set_r
 * is set where the partner's setting has one half only. */
struct b2b_finding b2b_decide_settings(const struct b2b_matter *matter, const char **half_set_r);
/* The same as far as the users halves go: whether there may be an application that this guest may use.
 * Where every application is blocked to everybody it is not this that says so. */
struct b2b_finding b2b_decide_users(const struct b2b_matter *matter);
/* Conditional access: all enabled policies.  One that blocks wins over all others that deny, else
 * the first by DN does. */
struct b2b_access_result b2b_decide_access(const struct b2b_matter *matter);
/* Which conditions of a valid policy are not met: bits of enum b2b_ca_condition. */
unsigned b2b_decide_unmet(const struct b2b_matter *matter, const struct b2b_access_policy *policy);

#endif
