/*
 * decide.h - the decision: may this guest use this application now?
 * In: snapshot, guest, application, circumstances.  Out: a verdict with reason and deciding rule.
 * Pure: no I/O, no allocation, no locks; zeroed memory denies.
 */
#ifndef B2B_DECIDE_H
#define B2B_DECIDE_H

#include "guest.h"
#include "snapshot.h"

enum b2b_effect { B2B_DENY = 0, B2B_ALLOW = 1 };

/* Reason codes of design section 5; zero is the one for "something is wrong". */
enum b2b_reason {
	B2B_REASON_POLICY_INVALID = 0,
	B2B_REASON_PARTNER_UNKNOWN,
	B2B_REASON_INBOUND_USERS,
	B2B_REASON_INBOUND_APPS,
	B2B_REASON_OUTBOUND_USERS,
	B2B_REASON_OUTBOUND_APPS,
	B2B_REASON_DIRECT_CONNECT,
	B2B_REASON_NOT_REDEEMED,
	B2B_REASON_DISABLED,
	B2B_REASON_NOT_YET_VALID,
	B2B_REASON_EXPIRED,
	B2B_REASON_REVIEW_LAPSED,
	B2B_REASON_NOT_ASSIGNED,
	B2B_REASON_MFA_REQUIRED,
	B2B_REASON_DEVICE_REQUIRED,
	B2B_REASON_TERMS_REQUIRED,
	B2B_REASON_NETWORK,
	B2B_REASON_SIGN_IN_TOO_OLD,
	B2B_REASON_TLS_REQUIRED,
	B2B_REASON_LABEL,
	B2B_REASON_BLOCKED, /* a conditional access policy that blocks without naming a network */
	B2B_REASON_NONE,    /* allowed */
	B2B_REASON_COUNT
};
const char *b2b_reason_name(enum b2b_reason reason); /* "partner-unknown", ...; "none" */

struct b2b_verdict {
	enum b2b_effect effect;
	enum b2b_reason reason;
	const char *rule; /* DN of the entry that decided; borrowed from snapshot or guest; may be
			     NULL where there is no such entry (partner-unknown: NULL) */
	time_t until;     /* an allow holds at most until here (0: no bound from the clock) */
	const char *half_set; /* DN of a partner whose setting has one half only, or NULL */
	uint32_t label_cap;   /* of an allow: no label above this rank (B2B_RANK_UNKNOWN: no cap) */
};

/* What the guest's proof told.  Zeroed: nothing. */
struct b2b_sign_in {
	time_t when; /* when the guest was last seen in person; 0: unknown */
	bool mfa, compliant_device, hybrid_joined; /* home's word, which counts where trusted */
	bool own_mfa;                              /* a one-time password of ours was right */
};

enum b2b_stage {
	B2B_STAGE_SIGNED_IN = 0, /* all circumstances are those of the guest; all is judged */
	B2B_STAGE_BEFORE_PROOF,  /* what only a proof can show is not held against the guest */
	B2B_STAGE_ELSEWHERE,     /* nor is where the guest comes from: it is another that asks */
};

/* The circumstances of one decision. */
struct b2b_context {
	time_t now;
	enum b2b_scope
		scope; /* B2B_COLLAB_IN for guests, B2B_DIRECT_IN for those without an entry */
	bool assigned; /* the caller found a group of the guest among the assignees */
	const struct b2b_str *home_groups; /* what home says, where home says it */
	size_t home_group_count;
	bool home_groups_known; /* false: who might be in a blocked group is taken to be in it */
	enum b2b_stage stage;
	struct b2b_sign_in sign_in;
	struct b2b_addr peer; /* not set: in every included network and in no excluded one */
	unsigned ssf;         /* security strength factor of the connection, 0: none */
	bool is_protected;    /* TLS, ldapi or a SASL layer */
};

/*
 * Decides.  app: a B2B_RULE_APP of the snapshot, or NULL for the application "directory".
 * Order: guest record (enabled, redeemed, valid, reviewed), tenant policy, assignment, conditional
 * access.
 * A guest that has not redeemed passes "redeemed" where the partner (else the default) has
 * automatic redemption: its first proof redeems.  By direct connect (B2B_DIRECT_IN) there is no
 * record, and none is judged; nobody is assigned anything, and no one-time password of ours counts.
 * The caller makes a guest that is well formed of tenant and subject.  Under 200 ns with 10,000 partners and 1,000
 * applications.  Any thread.
 */
struct b2b_verdict b2b_decide(const struct b2b_snapshot *snapshot, const struct b2b_guest *guest,
			      const struct b2b_rule *app, const struct b2b_context *context);

/* One of our own members, who would be a guest elsewhere.  All borrowed. */
struct b2b_member {
	struct b2b_str subject; /* entryUUID, what its tokens call it */
	const struct b2b_str
		*groups; /* names it or a group of its has, as the targets spell them */
	size_t group_count;
	bool groups_known; /* false: there may be more, and every DN that is blocked may be its */
};

/* Whether a member may use an application (empty: "directory") of a partner, by the Out settings;
 * scope is B2B_COLLAB_OUT or B2B_DIRECT_OUT.  A partner that is not known, or invalid, denies.
 * decide_out.c. */
struct b2b_verdict b2b_decide_out(const struct b2b_snapshot *snapshot, struct b2b_str partner_id,
				  struct b2b_str app_id, const struct b2b_member *member,
				  enum b2b_scope scope, time_t now);

/* The guest record part alone, for the task: reason is B2B_REASON_NONE while it may go on.
 * Only disabled, not-yet-valid, expired and review-lapsed are told here, not redemption. */
enum b2b_reason b2b_decide_record(const struct b2b_guest *guest,
				  const struct b2b_tenant_policy *tenant, time_t now);

/* How much the guest sees: its own b2bGuestAccess, else its partner's, else the tenant's; restricted
 * where one of them cannot be read. */
enum b2b_guest_access b2b_decide_access_level(const struct b2b_snapshot *snapshot,
					      const struct b2b_guest *guest);
/* The highest rank of a label (b2b_snapshot_label_rank) that the guest sees: the lowest of its clearance
 * (absent: the lowest label), its partner's b2bMaxLabel, the application's b2bAppMaxLabel (app is NULL:
 * "directory") and cap, the label_cap of a verdict.  An unknown label bounds like the lowest.  False: it
 * sees nothing at all, for partner or application are not there or invalid. */
bool b2b_decide_reach(const struct b2b_snapshot *snapshot, const struct b2b_guest *guest,
		      const struct b2b_rule *app, uint32_t cap, uint32_t *reach_r);
/* Whether an entry with this label (empty: none) may be seen so. */
bool b2b_decide_label(const struct b2b_snapshot *snapshot, const struct b2b_guest *guest,
		      const struct b2b_rule *app, uint32_t cap, struct b2b_str label);

/* Conditional access by itself, policy by policy, for reportOnly and for those who explain. */
struct b2b_access_finding {
	bool applies;     /* its conditions are met; false also for a policy that is disabled */
	unsigned missing; /* bits of enum b2b_ca_grant that were asked for and not shown */
	enum b2b_reason
		reason; /* what it denies with; B2B_REASON_NONE: satisfied, or not applying */
	time_t until;   /* a satisfied one holds until here; 0: no bound */
};
/* What the word of this tenant counts for: bits of enum b2b_ca_grant (mfa, compliantDevice,
 * hybridJoinedDevice).  Its partner entry's trust settings, where they are unset the default
 * policy's; none where those are unset too, or the partner is unknown or its entry invalid. */
unsigned b2b_access_trust(const struct b2b_snapshot *snapshot, struct b2b_str home_tenant);
/* policy: a B2B_RULE_ACCESS of the snapshot; its state is not looked at, save that a disabled one
 * never applies.  An invalid one applies to everybody and denies, unless its state could be read and
 * is not enabled. */
struct b2b_access_finding b2b_access_judge(const struct b2b_snapshot *snapshot,
					   const struct b2b_rule *policy,
					   const struct b2b_guest *guest,
					   const struct b2b_rule *app,
					   const struct b2b_context *context);

#endif
