/*
 * guest.h - a guest's record: what it says, whether it is lawful, when it is next due.
 * In: a guest's entry (struct b2b_source).  Out: struct b2b_guest for decide.h, the task and
 * the record keeper.
 */
#ifndef B2B_GUEST_H
#define B2B_GUEST_H

#include "policy.h"

#define B2B_SPONSORS_MAX 5

enum b2b_review { B2B_REVIEW_UNDECIDED = 0, B2B_REVIEW_APPROVED, B2B_REVIEW_DENIED };

/* All strings are borrowed from the source.  Zeroed memory is a guest that may nothing. */
struct b2b_guest {
	const char *dn;              /* normalised */
	struct b2b_str home_tenant;  /* empty: malformed */
	struct b2b_str home_subject; /* may be empty */
	enum b2b_idp pinned;         /* B2B_IDP_NONE: the partner's order decides */
	bool well_formed;            /* every value could be read */
	bool enabled;                /* b2bAccountEnabled is TRUE */
	bool accepted;               /* b2bUserState is Accepted */
	time_t valid_from;           /* 0: no bound */
	time_t valid_until;          /* 0: absent; see b2b_guest_end */
	time_t created;              /* createTimestamp, 0: absent */
	time_t review_due;           /* 0: no open review */
	enum b2b_review review;
	time_t next_due; /* as stored, 0: absent */
	struct b2b_str clearance;
	struct b2b_guest_level level; /* its own b2bGuestAccess */
	enum b2b_user_type user_type;
	struct b2b_str terms_accepted; /* empty: none */
	size_t sponsor_count;
	/* 0: absent, all of them */
	time_t invited_at, invitation_sent, state_changed, enabled_at, last_sign_in;
	time_t review_asked, review_reminded, reviewed_at, delete_after;
	bool disabled_by_admin; /* b2bDisabledReason is administrator */
};

/* b2bDeleteAfter of a guest whose deletion has begun. */
#define B2B_DELETING ((time_t)1)

/* What the task has to do with a guest. */
enum b2b_step {
	B2B_STEP_NONE = 0,
	B2B_STEP_INVITE,  /* hand the invitation to the mail daemon */
	B2B_STEP_ASK,     /* a review starts: ask the reviewers */
	B2B_STEP_REMIND,  /* half of its time is over */
	B2B_STEP_DISABLE, /* its time is over; why is a word for b2bDisabledReason */
	B2B_STEP_DROP,    /* never redeemed: away with it */
	B2B_STEP_DELETE,  /* disabled for longer than the grace */
};

/* Reads a guest.  *guest_r is filled whatever the content.  What cannot be read leaves well_formed
 * false, the answer B2B_ERR_INVALID, and error (may be NULL) says "<attribute>: value \"<value>\"
 * <what is wrong>".  Allocates nothing. */
enum b2b_err b2b_guest_parse(const struct b2b_source *source, struct b2b_guest *guest_r,
			     struct b2b_error *error);

/* Whether the record may be written: tenant present, at most five sponsors, keywords known,
 * validity that ends after it begins.  B2B_ERR_INVALID with the attribute and value. */
enum b2b_err b2b_guest_check(const struct b2b_source *source, struct b2b_error *error);

/* First moment at which the guest is no longer valid: b2bValidUntil, else createTimestamp plus
 * the tenant's lifetime, 0 for "no end" (lifetime 0).  Without either it is 1: long past.
 * tenant may be NULL (defaults). */
time_t b2b_guest_end(const struct b2b_guest *guest, const struct b2b_tenant_policy *tenant);

/* What is due now, the gravest first; *why_r (may be NULL) says why a guest is to be disabled:
 * expired, review-lapsed or inactive; else NULL.  tenant may be NULL (defaults). */
enum b2b_step b2b_guest_step(const struct b2b_guest *guest, const struct b2b_tenant_policy *tenant,
			     time_t now, const char **why_r);

/* First moment at which the guest's invitation can no longer be redeemed: the tenant's lifetime after
 * it was invited, or after its state changed if that is longer ago; 0 for never (lifetime 0, or no
 * invitation).  tenant may be NULL (defaults). */
time_t b2b_guest_invitation_end(const struct b2b_guest *guest,
				const struct b2b_tenant_policy *tenant);

/* When the task must next look at the guest: the earliest moment at which b2b_guest_step will have
 * something to do, rounded up to the hour (few distinct keys keep the task's search cheap), or down where
 * it is past already or a review was denied; 0 for never (disabled for good, or nothing to come). */
time_t b2b_guest_next_due(const struct b2b_guest *guest, const struct b2b_tenant_policy *tenant,
			  time_t now);

#endif
