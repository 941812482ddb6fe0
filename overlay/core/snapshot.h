/*
 * snapshot.h - the policy of a tenant at one moment: immutable, reference-counted.
 * In: rules (policy.h).  Out: lookups for decide.h and the hooks.
 * A change makes a new snapshot that shares all rules but one with the old: with 10,000
 * partners it copies some 600 pointers, compiles nothing, and its cost does not grow linearly.
 */
#ifndef B2B_SNAPSHOT_H
#define B2B_SNAPSHOT_H

#include "policy.h"

struct b2b_snapshot; /* opaque */

/* An empty policy: no tenant, no partner; generation 1.  NULL without memory. */
struct b2b_snapshot *b2b_snapshot_new(void);
struct b2b_snapshot *b2b_snapshot_ref(struct b2b_snapshot *snapshot);
void b2b_snapshot_unref(struct b2b_snapshot **snapshot); /* sets NULL; accepts NULL */

/* A new snapshot with rule added, in place of the one with the same dn if there is one; takes a
 * reference of its own.  The generation is one higher.  NULL without memory; old is unchanged. */
struct b2b_snapshot *b2b_snapshot_with(const struct b2b_snapshot *old, struct b2b_rule *rule);
/* A new snapshot without the rule of that dn (unchanged but for the generation if none). */
struct b2b_snapshot *b2b_snapshot_without(const struct b2b_snapshot *old, const char *dn);

uint64_t b2b_snapshot_generation(const struct b2b_snapshot *snapshot);
size_t b2b_snapshot_count(const struct b2b_snapshot *snapshot, enum b2b_rule_kind kind);

/* All lookups: borrowed for as long as the snapshot is held; NULL where there is none.  Where
 * several rules claim what is looked up (see b2b_snapshot_conflict), the answer is a rule marked
 * invalid that stands for them, so that it denies: its dn says so, its other members are empty. */
const struct b2b_rule *b2b_snapshot_tenant(const struct b2b_snapshot *snapshot);
const struct b2b_rule *b2b_snapshot_default(const struct b2b_snapshot *snapshot);
/* tenant_id without regard to ASCII case. */
const struct b2b_rule *b2b_snapshot_partner(const struct b2b_snapshot *snapshot,
					    struct b2b_str tenant_id);
const struct b2b_rule *b2b_snapshot_rule(const struct b2b_snapshot *snapshot, const char *dn);
/* The application whose service account has this normalised DN.  Hashed. */
const struct b2b_rule *b2b_snapshot_app_by_service(const struct b2b_snapshot *snapshot,
						   struct b2b_str service_ndn);
/* The application that a token's audience stands for (b2bAppAudience), byte by byte.  Hashed. */
const struct b2b_rule *b2b_snapshot_app_by_audience(const struct b2b_snapshot *snapshot,
						    struct b2b_str audience);
/* The index-th partner, by DN, whose b2bIssuer this is, byte by byte; NULL past the last.  Invalid
 * ones are among them. */
const struct b2b_rule *b2b_snapshot_partner_by_issuer(const struct b2b_snapshot *snapshot,
						      struct b2b_str issuer, size_t index);
/* The same for b2bTenantDomain, without regard to ASCII case; "*" is a domain like any other. */
const struct b2b_rule *b2b_snapshot_partner_by_domain(const struct b2b_snapshot *snapshot,
						      struct b2b_str domain, size_t index);
/* All conditional access policies by DN, invalid ones among them; *list_r is NULL where there is
 * none.  Returns how many. */
size_t b2b_snapshot_access(const struct b2b_snapshot *snapshot,
			   const struct b2b_rule *const **list_r);
/* The index-th of them; NULL past the last. */
const struct b2b_rule *b2b_snapshot_access_at(const struct b2b_snapshot *snapshot, size_t index);
const struct b2b_rule *b2b_snapshot_app_by_id(const struct b2b_snapshot *snapshot,
					      struct b2b_str id);
/* index from 0; NULL past the last. */
const struct b2b_rule *b2b_snapshot_app_at(const struct b2b_snapshot *snapshot, size_t index);

/* What the application of an operation is told by (design section 5, in this order). */
struct b2b_door {
	struct b2b_str listener;    /* URL of the listener, or empty */
	struct b2b_str service_ndn; /* service DN bound on this connection before, or empty */
	struct b2b_addr peer;
};
/* NULL: no application of its own, that is "directory". */
const struct b2b_rule *b2b_snapshot_app(const struct b2b_snapshot *snapshot,
					const struct b2b_door *door);

/* Refuses a rule that claims what another rule of the snapshot (with another dn) has: an
 * application's id, service DN, listener, audience or (the very same) network; a partner's tenant
 * id; an issuer of another partner, unless a claim of the same name with other values
 * (b2bTenantClaim) surely tells the two apart; being the tenant or the default policy. */
enum b2b_err b2b_snapshot_conflict(const struct b2b_snapshot *snapshot, const struct b2b_rule *rule,
				   struct b2b_error *error);

#define B2B_RANK_UNKNOWN UINT32_MAX
/* Rank of a label, 0 the lowest; an unknown one is B2B_RANK_UNKNOWN, above all.  An empty label
 * is the tenant's default.  Without b2bLabelOrder everything ranks 0; without a tenant that
 * could be read everything is unknown. */
uint32_t b2b_snapshot_label_rank(const struct b2b_snapshot *snapshot, struct b2b_str label);

#endif
