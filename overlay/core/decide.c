/*
 * decide.c - the decision: guest record, then what its parts say, assignment, labels.
 * In: a snapshot, a guest, an application, the circumstances.
 * Out: a verdict.  It starts as a denial; b2b_decide alone turns it into an allow, at its end.
 */
#include "decide_parts.h"

#include <stdlib.h>
#include <string.h>

const char *b2b_reason_name(enum b2b_reason reason)
{
	static const char *const names[B2B_REASON_COUNT] = {
		[B2B_REASON_POLICY_INVALID] = "policy-invalid",
		[B2B_REASON_PARTNER_UNKNOWN] = "partner-unknown",
		[B2B_REASON_INBOUND_USERS] = "inbound-users",
		[B2B_REASON_INBOUND_APPS] = "inbound-apps",
		[B2B_REASON_OUTBOUND_USERS] = "outbound-users",
		[B2B_REASON_OUTBOUND_APPS] = "outbound-apps",
		[B2B_REASON_DIRECT_CONNECT] = "direct-connect",
		[B2B_REASON_NOT_REDEEMED] = "not-redeemed",
		[B2B_REASON_DISABLED] = "disabled",
		[B2B_REASON_NOT_YET_VALID] = "not-yet-valid",
		[B2B_REASON_EXPIRED] = "expired",
		[B2B_REASON_REVIEW_LAPSED] = "review-lapsed",
		[B2B_REASON_NOT_ASSIGNED] = "not-assigned",
		[B2B_REASON_MFA_REQUIRED] = "mfa-required",
		[B2B_REASON_DEVICE_REQUIRED] = "device-required",
		[B2B_REASON_TERMS_REQUIRED] = "terms-required",
		[B2B_REASON_NETWORK] = "network",
		[B2B_REASON_SIGN_IN_TOO_OLD] = "sign-in-too-old",
		[B2B_REASON_TLS_REQUIRED] = "tls-required",
		[B2B_REASON_LABEL] = "label",
		[B2B_REASON_BLOCKED] = "blocked",
		[B2B_REASON_NONE] = "none",
	};
	size_t index = (size_t)reason;

	return index < B2B_REASON_COUNT ? names[index] : names[B2B_REASON_POLICY_INVALID];
}

static struct b2b_name app_id_of(const struct b2b_rule *app)
{
	struct b2b_name name = { { "directory", sizeof "directory" - 1 }, B2B_DIRECTORY_HASH };

	if (!app)
		return name;
	name.text.s = app->kind == B2B_RULE_APP ? app->u.app.id : NULL;
	name.text.len = name.text.s ? app->u.app.id_len : 0;
	name.hash = name.text.s ? app->u.app.id_hash : 0;
	return name;
}

void b2b_decide_matter(const struct b2b_snapshot *snapshot, const struct b2b_guest *guest,
		       const struct b2b_rule *app, const struct b2b_context *context,
		       struct b2b_matter *matter_r)
{
	const struct b2b_rule *partner = b2b_snapshot_partner(snapshot, guest->home_tenant);

	matter_r->snapshot = snapshot;
	matter_r->guest = guest;
	matter_r->context = context;
	matter_r->app_id = app_id_of(app);
	matter_r->home_tenant.text = guest->home_tenant;
	/* the partner's id is the same but for case */
	matter_r->home_tenant.hash = partner && !partner->invalid
					     ? partner->u.partner.tenant_hash
					     : b2b_str_hash_similar(guest->home_tenant);
	matter_r->app = app;
	matter_r->partner = partner;
	matter_r->defaults = b2b_snapshot_default(snapshot);
	matter_r->tenant = b2b_snapshot_tenant(snapshot);
	matter_r->by_default = false;
	matter_r->users_only = false;
}

static bool is_lapsed(const struct b2b_guest *guest, time_t now)
{
	if (guest->review == B2B_REVIEW_APPROVED)
		return false;
	return guest->review == B2B_REVIEW_DENIED ||
	       (guest->review_due && now >= guest->review_due);
}

static enum b2b_reason judge_clock(const struct b2b_guest *guest,
				   const struct b2b_tenant_policy *tenant, time_t now)
{
	time_t end = b2b_guest_end(guest, tenant);

	if (now < guest->valid_from)
		return B2B_REASON_NOT_YET_VALID;
	if (end && now >= end)
		return B2B_REASON_EXPIRED;
	return is_lapsed(guest, now) ? B2B_REASON_REVIEW_LAPSED : B2B_REASON_NONE;
}

enum b2b_reason b2b_decide_record(const struct b2b_guest *guest,
				  const struct b2b_tenant_policy *tenant, time_t now)
{
	if (!guest)
		return B2B_REASON_POLICY_INVALID;
	return guest->enabled ? judge_clock(guest, tenant, now) : B2B_REASON_DISABLED;
}

static bool redeems_by_itself(const struct b2b_matter *matter)
{
	enum b2b_tristate own = matter->partner->u.partner.settings.auto_redeem_in;

	if (own == B2B_UNSET && matter->defaults)
		own = matter->defaults->u.defaults.auto_redeem_in;
	return own == B2B_YES;
}

/* An invitation whose time is over, though the task has not come by yet. */
static bool has_lapsed(const struct b2b_matter *matter)
{
	const struct b2b_tenant_policy *tenant = matter->tenant ? &matter->tenant->u.tenant : NULL;
	time_t end = b2b_guest_invitation_end(matter->guest, tenant);

	return end && end <= matter->context->now;
}

static struct b2b_finding found(enum b2b_reason reason, const char *rule)
{
	struct b2b_finding finding = { reason, rule };

	return finding;
}

const struct b2b_rule *b2b_decide_invalid(const struct b2b_matter *matter)
{
	if (matter->partner && matter->partner->invalid)
		return matter->partner;
	if (matter->defaults && matter->defaults->invalid)
		return matter->defaults;
	return matter->app && matter->app->invalid ? matter->app : NULL;
}

/* By direct connect nobody has an entry that could be judged, or be assigned anything. */
static bool is_direct(const struct b2b_matter *matter)
{
	return matter->context->scope == B2B_DIRECT_IN;
}

struct b2b_finding b2b_decide_guest(const struct b2b_matter *matter)
{
	const struct b2b_guest *guest = matter->guest;

	if (is_direct(matter))
		return found(B2B_REASON_NONE, NULL);
	if (!guest->enabled)
		return found(B2B_REASON_DISABLED, guest->dn);
	/* whether a proof redeems is the partner's to say, so without one nothing else matters */
	if (!guest->accepted) {
		const struct b2b_rule *invalid = b2b_decide_invalid(matter);

		if (!matter->partner)
			return found(B2B_REASON_PARTNER_UNKNOWN, NULL);
		if (invalid)
			return found(B2B_REASON_POLICY_INVALID, invalid->dn);
		if (!redeems_by_itself(matter) || has_lapsed(matter))
			return found(B2B_REASON_NOT_REDEEMED, guest->dn);
	}
	return found(judge_clock(guest, &matter->tenant->u.tenant, matter->context->now),
		     guest->dn);
}

static int by_text(const void *key, const void *element)
{
	return strcmp(key, *(char *const *)element);
}

bool b2b_decide_has_dn(char *const *dns, size_t count, const char *dn)
{
	return dn && count && bsearch(dn, dns, count, sizeof *dns, by_text) != NULL;
}

bool b2b_decide_is_assigned(const struct b2b_matter *matter)
{
	const struct b2b_app *app = &matter->app->u.app;

	if (is_direct(matter))
		return false;
	if (matter->context->assigned)
		return true;
	return b2b_decide_has_dn(app->assignees, app->assignee_count, matter->guest->dn);
}

/* Everything in its order; B2B_REASON_NONE with the permitting rule if nothing speaks against. */
static struct b2b_finding judge(const struct b2b_matter *matter, const char **half_set_r)
{
	struct b2b_finding finding = b2b_decide_guest(matter);
	const struct b2b_rule *invalid = b2b_decide_invalid(matter);

	if (finding.reason != B2B_REASON_NONE)
		return finding;
	if (!matter->partner)
		return found(B2B_REASON_PARTNER_UNKNOWN, NULL);
	if (invalid)
		return found(B2B_REASON_POLICY_INVALID, invalid->dn);
	finding = b2b_decide_settings(matter, half_set_r);
	if (finding.reason == B2B_REASON_NONE && matter->app &&
	    matter->app->u.app.assignment_required && !b2b_decide_is_assigned(matter))
		return found(B2B_REASON_NOT_ASSIGNED, matter->app->dn);
	return finding;
}

/* When the guest's record must be thought over at the latest. */
static time_t holds_until(const struct b2b_matter *matter)
{
	const struct b2b_guest *guest = matter->guest;
	time_t until = b2b_guest_end(guest, &matter->tenant->u.tenant);

	if (is_direct(matter))
		return 0;
	return guest->review == B2B_REVIEW_APPROVED ? until
						    : b2b_earliest(until, guest->review_due);
}

bool b2b_decide_can_judge(const struct b2b_matter *matter, struct b2b_verdict *verdict)
{
	const struct b2b_guest *guest = matter->guest;
	const struct b2b_context *context = matter->context;

	verdict->rule = guest->dn;
	/* a clock that stands at zero was never set */
	if (!guest->well_formed || guest->home_tenant.len == 0 || context->now <= 0 ||
	    (size_t)context->scope >= B2B_SCOPE_COUNT)
		return false;
	verdict->rule = matter->tenant ? matter->tenant->dn : NULL;
	if (!matter->tenant || matter->tenant->invalid)
		return false;
	if (!matter->app)
		return true;
	verdict->rule = matter->app->dn;
	return matter->app->kind == B2B_RULE_APP && (matter->app->invalid || matter->app->u.app.id);
}

/* An allow is made here and nowhere else. */
static void allow(const struct b2b_matter *matter, const struct b2b_access_result *access,
		  struct b2b_verdict *verdict)
{
	verdict->effect = B2B_ALLOW;
	verdict->until = b2b_earliest(holds_until(matter), access->until);
	verdict->label_cap = access->label_cap;
}

struct b2b_verdict b2b_decide(const struct b2b_snapshot *snapshot, const struct b2b_guest *guest,
			      const struct b2b_rule *app, const struct b2b_context *context)
{
	struct b2b_verdict verdict = { .effect = B2B_DENY, .reason = B2B_REASON_POLICY_INVALID };
	struct b2b_access_result access = { { B2B_REASON_POLICY_INVALID, NULL }, 0, 0 };
	struct b2b_finding finding;
	struct b2b_matter matter;

	if (!snapshot || !guest || !context)
		return verdict;
	b2b_decide_matter(snapshot, guest, app, context, &matter);
	if (!b2b_decide_can_judge(&matter, &verdict))
		return verdict;
	finding = judge(&matter, &verdict.half_set);
	if (finding.reason == B2B_REASON_NONE) {
		access = b2b_decide_access(&matter);
		if (access.denial.reason != B2B_REASON_NONE)
			finding = access.denial;
	}
	verdict.reason = finding.reason;
	verdict.rule = finding.rule;
	if (finding.reason == B2B_REASON_NONE)
		allow(&matter, &access, &verdict);
	return verdict;
}

uint32_t b2b_decide_bound(const struct b2b_snapshot *snapshot, struct b2b_str label)
{
	uint32_t rank = b2b_snapshot_label_rank(snapshot, label);

	return rank == B2B_RANK_UNKNOWN ? 0 : rank;
}

enum b2b_guest_access b2b_decide_access_level(const struct b2b_snapshot *snapshot,
					      const struct b2b_guest *guest)
{
	const struct b2b_rule *tenant, *partner;

	if (!snapshot || !guest || !guest->well_formed)
		return B2B_SEES_RESTRICTED;
	tenant = b2b_snapshot_tenant(snapshot);
	partner = b2b_snapshot_partner(snapshot, guest->home_tenant);
	if (!tenant || tenant->invalid || !partner || partner->invalid)
		return B2B_SEES_RESTRICTED;
	if (guest->level.set)
		return guest->level.access;
	if (partner->u.partner.guest_level.set)
		return partner->u.partner.guest_level.access;
	return tenant->u.tenant.guest_access;
}

static uint32_t lower(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

bool b2b_decide_reach(const struct b2b_snapshot *snapshot, const struct b2b_guest *guest,
		      const struct b2b_rule *app, uint32_t cap, uint32_t *reach_r)
{
	const struct b2b_rule *partner;
	uint32_t reach = 0;

	*reach_r = 0;
	if (!snapshot || !guest)
		return false;
	partner = b2b_snapshot_partner(snapshot, guest->home_tenant);
	if (!partner || partner->invalid)
		return false;
	if (app && (app->kind != B2B_RULE_APP || app->invalid))
		return false;
	if (guest->clearance.len)
		reach = b2b_decide_bound(snapshot, guest->clearance);
	if (partner->u.partner.max_label)
		reach = lower(reach,
			      b2b_decide_bound(snapshot, b2b_str_of(partner->u.partner.max_label)));
	if (app && app->u.app.max_label)
		reach = lower(reach, b2b_decide_bound(snapshot, b2b_str_of(app->u.app.max_label)));
	*reach_r = lower(reach, cap);
	return true;
}

bool b2b_decide_label(const struct b2b_snapshot *snapshot, const struct b2b_guest *guest,
		      const struct b2b_rule *app, uint32_t cap, struct b2b_str label)
{
	uint32_t reach;

	return b2b_decide_reach(snapshot, guest, app, cap, &reach) &&
	       b2b_snapshot_label_rank(snapshot, label) <= reach;
}
