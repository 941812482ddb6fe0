/*
 * invite.c - may this person be invited: domain lists, the partner, what the policy lets it use.
 * In: a snapshot and who is to be invited.
 * Out: the partner's rule, or why not; it starts as a refusal.
 */
#include "invite.h"
#include "decide_parts.h"
#include "mail.h"

static bool has_domain(const struct b2b_list *list, struct b2b_str domain)
{
	for (size_t i = 0; i < list->count; i++)
		if (b2b_domain_equal(b2b_str_of(list->list[i]), domain))
			return true;
	return false;
}

enum b2b_err b2b_invite_domain(const struct b2b_tenant_policy *tenant, struct b2b_str mail,
			       struct b2b_error *error)
{
	struct b2b_str domain = b2b_mail_domain(mail);

	if (tenant->allowed_domains.count == 0 && tenant->blocked_domains.count == 0)
		return B2B_OK;
	/* what is no address matches no list, and must not pass for that */
	if (b2b_mail_check(mail, error) != B2B_OK)
		return B2B_ERR_INVALID;
	if (has_domain(&tenant->blocked_domains, domain))
		return b2b_error_value(error, "mail", mail, "has a domain of b2bBlockedDomain");
	if (tenant->allowed_domains.count && !has_domain(&tenant->allowed_domains, domain))
		return b2b_error_value(error, "mail", mail,
				       "has a domain that is not among b2bAllowedDomain");
	return B2B_OK;
}

/* What is being judged, and where the answer goes. */
struct judging {
	const struct b2b_snapshot *snapshot;
	const struct b2b_invitee *invitee;
	const struct b2b_rule *partner; /* once it was found */
	enum b2b_reason reason;
	struct b2b_error *error;
};

static bool refuse(struct judging *judging, enum b2b_reason reason, struct b2b_str value,
		   const char *why)
{
	judging->reason = reason;
	b2b_error_value(judging->error, "mail", value, why);
	return false;
}

static bool refuse_by(struct judging *judging, enum b2b_reason reason, const char *dn,
		      struct b2b_str app)
{
	const char *words = b2b_reason_name(reason);

	judging->reason = reason;
	if (!dn || !*dn)
		dn = "(no entry)";
	if (app.len)
		b2b_error_set(judging->error, "application \"%.*s\": %s, by %s",
			      app.len < 100 ? (int)app.len : 100, app.s, words, dn);
	else
		b2b_error_set(judging->error, "%s, by %s", words, dn);
	return false;
}

/* The only partner with the domain; false where there are several, or one that cannot be read. */
static bool find_by_domain(struct judging *judging, struct b2b_str domain)
{
	const struct b2b_rule *first = b2b_snapshot_partner_by_domain(judging->snapshot, domain, 0);
	const struct b2b_rule *second = NULL;

	if (first)
		second = b2b_snapshot_partner_by_domain(judging->snapshot, domain, 1);
	if (second) {
		judging->reason = B2B_REASON_POLICY_INVALID;
		b2b_error_set(
			judging->error, "b2bTenantDomain: value \"%.*s\" is that of %s and of %s",
			domain.len < 253 ? (int)domain.len : 253, domain.s, first->dn, second->dn);
		return false;
	}
	judging->partner = first;
	return true;
}

static bool find_partner(struct judging *judging)
{
	const struct b2b_invitee *invitee = judging->invitee;
	struct b2b_str domain = b2b_domain_bare(b2b_mail_domain(invitee->mail));
	const struct b2b_str none = { 0 };

	if (invitee->tenant_id.len) {
		judging->partner = b2b_snapshot_partner(judging->snapshot, invitee->tenant_id);
		if (!judging->partner) {
			judging->reason = B2B_REASON_PARTNER_UNKNOWN;
			b2b_error_value(judging->error, "tenant", invitee->tenant_id,
					"is no partner");
			return false;
		}
	} else if (!find_by_domain(judging, domain) ||
		   (!judging->partner && !find_by_domain(judging, b2b_str_of("*")))) {
		return false;
	}
	if (!judging->partner)
		return refuse(judging, B2B_REASON_PARTNER_UNKNOWN, invitee->mail,
			      "has a domain of no partner");
	if (judging->partner->invalid)
		return refuse_by(judging, B2B_REASON_POLICY_INVALID, judging->partner->dn, none);
	return true;
}

/* Somebody whom nothing is held against but who it is. */
static struct b2b_guest person(struct b2b_str tenant_id, struct b2b_str subject, time_t now)
{
	struct b2b_guest guest = {
		.dn = "", /* no policy can name somebody who is not there yet */
		.home_tenant = tenant_id,
		.home_subject = subject,
		.well_formed = true,
		.enabled = true,
		.accepted = true,
		.created = now,
		.review = B2B_REVIEW_APPROVED,
	};

	return guest;
}

static struct b2b_finding judge_users(const struct b2b_snapshot *snapshot, struct b2b_str tenant_id,
				      struct b2b_str subject)
{
	struct b2b_guest guest = person(tenant_id, subject, 1);
	struct b2b_context context = { .now = 1, .scope = B2B_COLLAB_IN };
	struct b2b_finding finding = { B2B_REASON_POLICY_INVALID, NULL };
	struct b2b_matter matter;

	b2b_decide_matter(snapshot, &guest, NULL, &context, &matter);
	if (!matter.partner)
		finding.reason = B2B_REASON_PARTNER_UNKNOWN;
	else if (matter.partner->invalid)
		finding.rule = matter.partner->dn;
	else if (matter.defaults && matter.defaults->invalid)
		finding.rule = matter.defaults->dn;
	else
		finding = b2b_decide_users(&matter);
	return finding;
}

enum b2b_reason b2b_invite_partner(const struct b2b_snapshot *snapshot, struct b2b_str tenant_id,
				   struct b2b_str subject)
{
	return judge_users(snapshot, tenant_id, subject).reason;
}

static bool judge_app(struct judging *judging, struct b2b_str id, time_t now)
{
	const struct b2b_invitee *invitee = judging->invitee;
	struct b2b_guest guest =
		person(b2b_str_of(judging->partner->u.partner.tenant_id), invitee->subject, now);
	struct b2b_context context = {
		.now = now,
		.scope = B2B_COLLAB_IN,
		.assigned = true,
		.stage = B2B_STAGE_ELSEWHERE,
	};
	const struct b2b_rule *app = b2b_snapshot_app_by_id(judging->snapshot, id);
	const struct b2b_rule *tenant = b2b_snapshot_tenant(judging->snapshot);
	struct b2b_verdict verdict;

	/* to be accepted when the invitation is redeemed */
	guest.terms_accepted = b2b_str_of(tenant->u.tenant.terms_version);
	if (!app && !b2b_str_equal_nocase(id, b2b_str_of("directory"))) {
		judging->reason = B2B_REASON_INBOUND_APPS;
		b2b_error_value(judging->error, "applications", id, "is no application");
		return false;
	}
	verdict = b2b_decide(judging->snapshot, &guest, app, &context);
	if (verdict.effect == B2B_ALLOW)
		return true;
	return refuse_by(judging, verdict.reason, verdict.rule, id);
}

static bool judge_tenant(struct judging *judging)
{
	const struct b2b_rule *tenant = b2b_snapshot_tenant(judging->snapshot);
	struct b2b_str mail = judging->invitee->mail;
	const struct b2b_str none = { 0 };

	if (!tenant || tenant->invalid)
		return refuse_by(judging, B2B_REASON_POLICY_INVALID, tenant ? tenant->dn : NULL,
				 none);
	judging->reason = B2B_REASON_INBOUND_USERS;
	if (b2b_mail_check(mail, judging->error) != B2B_OK ||
	    b2b_invite_domain(&tenant->u.tenant, mail, judging->error) != B2B_OK)
		return false;
	if (has_domain(&tenant->u.tenant.domains, b2b_mail_domain(mail)))
		return refuse(judging, B2B_REASON_INBOUND_USERS, mail,
			      "has a domain of our own, and members are no guests");
	return true;
}

static bool judge(struct judging *judging, time_t now)
{
	const struct b2b_invitee *invitee = judging->invitee;
	const struct b2b_str none = { 0 };
	struct b2b_finding users;

	if (!judge_tenant(judging) || !find_partner(judging))
		return false;
	users = judge_users(judging->snapshot, b2b_str_of(judging->partner->u.partner.tenant_id),
			    invitee->subject);
	if (users.reason != B2B_REASON_NONE)
		return refuse_by(judging, users.reason, users.rule, none);
	for (size_t i = 0; i < invitee->app_count; i++)
		if (!judge_app(judging, invitee->apps[i], now))
			return false;
	judging->reason = B2B_REASON_NONE;
	return true;
}

enum b2b_err b2b_invite_judge(const struct b2b_snapshot *snapshot,
			      const struct b2b_invitee *invitee, time_t now,
			      const struct b2b_rule **partner_r, enum b2b_reason *reason_r,
			      struct b2b_error *error)
{
	struct judging judging = {
		.snapshot = snapshot,
		.invitee = invitee,
		.reason = B2B_REASON_POLICY_INVALID,
		.error = error,
	};
	bool permitted;

	if (error)
		error->text[0] = '\0';
	permitted = judge(&judging, now);
	*partner_r = permitted ? judging.partner : NULL;
	*reason_r = judging.reason;
	return permitted ? B2B_OK : B2B_ERR_INVALID;
}

bool b2b_invite_by_passcode(const struct b2b_rule *partner, enum b2b_idp pinned)
{
	unsigned mask;

	if (!partner || partner->kind != B2B_RULE_PARTNER || partner->invalid)
		return false;
	mask = partner->u.partner.idp_mask;
	if (!(mask & B2B_IDP_PASSCODE))
		return false;
	return pinned == B2B_IDP_PASSCODE ||
	       (pinned == B2B_IDP_NONE && mask == (unsigned)B2B_IDP_PASSCODE);
}
