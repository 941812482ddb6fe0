/*
 * invite.h - may this person be invited at all?
 * In: snapshot, address, tenant, applications.  Out: the partner, or why not.  Pure, as decide.h.
 */
#ifndef B2B_INVITE_H
#define B2B_INVITE_H

#include "decide.h"

struct b2b_invitee {
	struct b2b_str mail;        /* checked by b2b_mail_check */
	struct b2b_str tenant_id;   /* home tenant, or empty: found by the domain */
	struct b2b_str subject;     /* home subject, or empty */
	const struct b2b_str *apps; /* ids of applications, "directory" among them or not */
	size_t app_count;
};

/*
 * Order: the domain lists of the tenant (a blocked domain beats all; with allowed domains, any other
 * is refused, and an allowed one still needs what follows); the partner: the one named, else the one
 * with this b2bTenantDomain, else the one with "*"; cross-tenant settings: users half for this person,
 * and each application by its whole verdict.  A domain of ours (b2bTenantDomain of the tenant) is
 * refused: members are no guests.  Two partners with the domain: refused.
 *
 * B2B_OK: *partner_r is the partner's rule, borrowed from snapshot.  B2B_ERR_INVALID: error says
 * what and where; *reason_r is the code (B2B_REASON_INBOUND_USERS for the domain lists,
 * B2B_REASON_PARTNER_UNKNOWN, B2B_REASON_INBOUND_APPS, ...).
 */
enum b2b_err b2b_invite_judge(const struct b2b_snapshot *snapshot,
			      const struct b2b_invitee *invitee, time_t now,
			      const struct b2b_rule **partner_r, enum b2b_reason *reason_r,
			      struct b2b_error *error);

/* The domain lists alone, for entries that come by ldapadd. */
enum b2b_err b2b_invite_domain(const struct b2b_tenant_policy *tenant, struct b2b_str mail,
			       struct b2b_error *error);

/* Whether the users half alone, for this home tenant, blocks a person: what keeps a guest from being
 * enabled again, and from being added.  B2B_REASON_NONE: it does not; partner-unknown is told. */
enum b2b_reason b2b_invite_partner(const struct b2b_snapshot *snapshot, struct b2b_str tenant_id,
				   struct b2b_str subject);

/* Whether this guest proves itself by mailed codes: pinned to them, or its partner takes nothing
 * else.  Whether its partner takes codes at all is asked as well. */
bool b2b_invite_by_passcode(const struct b2b_rule *partner, enum b2b_idp pinned);

#endif
