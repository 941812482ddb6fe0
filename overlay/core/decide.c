/*
 * decide.c - the decision: guest record, tenant policy, assignment.
 * In: a snapshot, a guest, an application, the circumstances.
 * Out: a verdict.  It starts as a denial; b2b_decide alone turns it into an allow, at its end.
 */
#include "decide.h"

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

/* What one decision is about; partner and defaults are NULL where there is no such entry. */
struct matter {
	const struct b2b_snapshot *snapshot;
	const struct b2b_guest *guest;
	const struct b2b_context *context;
	struct b2b_str app_id;
	const struct b2b_rule *app, *partner, *defaults, *tenant;
	bool by_default; /* the default's setting is judged, whose targets may be tenants */
};

/* What the settings say: B2B_REASON_NONE permits; rule is whose setting said so. */
struct finding {
	enum b2b_reason reason;
	const char *rule;
};

/* Whether name certainly (exact) or possibly (similar) is what the target means. */
static bool names(struct b2b_str target, struct b2b_str name, bool possibly)
{
	if (name.len == 0)
		return false;
	return possibly ? b2b_str_similar(target, name) : b2b_str_equal(target, name);
}

static bool is_home_group(const struct matter *matter, struct b2b_str target, bool possibly)
{
	const struct b2b_context *context = matter->context;

	if (!context->home_groups_known)
		return false;
	for (size_t i = 0; i < context->home_group_count; i++)
		if (names(target, context->home_groups[i], possibly))
			return true;
	return false;
}

static bool is_partner_id(const struct matter *matter, struct b2b_str target)
{
	return b2b_snapshot_partner(matter->snapshot, target) != NULL;
}

static bool user_is_target(const struct matter *matter, const struct b2b_target *target,
			   bool possibly)
{
	const struct b2b_guest *guest = matter->guest;
	struct b2b_str value = { target->value, target->len };

	if (target->is_group) {
		if (!matter->context->home_groups_known)
			return possibly;
		return is_home_group(matter, value, possibly);
	}
	if (possibly ? b2b_str_similar(value, guest->home_tenant)
		     : b2b_str_equal_nocase(value, guest->home_tenant))
		return true;
	if (names(value, guest->home_subject, possibly) || is_home_group(matter, value, possibly))
		/* a tenant on the allow list does not let in a stranger who is called like it */
		return possibly || !matter->by_default || !is_partner_id(matter, value);
	/* a guest without a subject may be any subject, though not another tenant */
	return possibly && guest->home_subject.len == 0 && !is_partner_id(matter, value);
}

static bool user_matches(const struct matter *matter, const struct b2b_half *half)
{
	bool possibly = half->access != B2B_ACCESS_ALLOWED;

	if (half->all || (possibly && half->count == 0))
		return true;
	for (size_t i = 0; i < half->count; i++)
		if (user_is_target(matter, &half->targets[i], possibly))
			return true;
	return false;
}

static bool app_matches(const struct matter *matter, const struct b2b_half *half)
{
	bool possibly = half->access != B2B_ACCESS_ALLOWED;

	if (half->all || (possibly && half->count == 0))
		return true;
	for (size_t i = 0; i < half->count; i++) {
		struct b2b_str value = { half->targets[i].value, half->targets[i].len };

		if (possibly ? b2b_str_similar(value, matter->app_id)
			     : b2b_str_equal_nocase(value, matter->app_id))
			return true;
	}
	return false;
}

static enum b2b_reason users_reason(enum b2b_scope scope)
{
	if (scope == B2B_COLLAB_IN)
		return B2B_REASON_INBOUND_USERS;
	return scope == B2B_COLLAB_OUT ? B2B_REASON_OUTBOUND_USERS : B2B_REASON_DIRECT_CONNECT;
}

static enum b2b_reason apps_reason(enum b2b_scope scope)
{
	if (scope == B2B_COLLAB_IN)
		return B2B_REASON_INBOUND_APPS;
	return scope == B2B_COLLAB_OUT ? B2B_REASON_OUTBOUND_APPS : B2B_REASON_DIRECT_CONNECT;
}

/* The table of design section 5, where both halves are set. */
static enum b2b_reason judge_table(const struct matter *matter, const struct b2b_setting *setting)
{
	const struct b2b_half *users = &setting->users, *apps = &setting->apps;
	bool users_allowed = users->access == B2B_ACCESS_ALLOWED;
	bool apps_allowed = apps->access == B2B_ACCESS_ALLOWED;
	bool user = user_matches(matter, users), app = app_matches(matter, apps);
	enum b2b_scope scope = matter->context->scope;

	if (!users_allowed && !apps_allowed) {
		if (!user || !app)
			return B2B_REASON_NONE;
		return users->all && !apps->all ? apps_reason(scope) : users_reason(scope);
	}
	if (user != users_allowed)
		return users_reason(scope);
	return app != apps_allowed ? apps_reason(scope) : B2B_REASON_NONE;
}

/* A setting of which one half is set. */
static enum b2b_reason judge_half(const struct matter *matter, const struct b2b_setting *setting)
{
	const struct b2b_half *users = &setting->users, *apps = &setting->apps;
	enum b2b_scope scope = matter->context->scope;

	if (users->access != B2B_ACCESS_UNSET)
		return user_matches(matter, users) == (users->access == B2B_ACCESS_ALLOWED)
			       ? B2B_REASON_NONE
			       : users_reason(scope);
	return app_matches(matter, apps) == (apps->access == B2B_ACCESS_ALLOWED)
		       ? B2B_REASON_NONE
		       : apps_reason(scope);
}

static unsigned halves_set(const struct b2b_setting *setting)
{
	return (setting->users.access != B2B_ACCESS_UNSET) +
	       (setting->apps.access != B2B_ACCESS_UNSET ? 1u : 0u);
}

/* Collaboration is allowed where nobody says otherwise, direct connect is blocked. */
static struct finding judge_service_default(const struct matter *matter)
{
	enum b2b_scope scope = matter->context->scope;
	bool collab = scope == B2B_COLLAB_IN || scope == B2B_COLLAB_OUT;
	struct finding finding;

	finding.reason = collab ? B2B_REASON_NONE : B2B_REASON_DIRECT_CONNECT;
	finding.rule = matter->defaults ? matter->defaults->dn : matter->partner->dn;
	return finding;
}

static struct finding judge_default(const struct matter *matter)
{
	struct matter inner = *matter;
	const struct b2b_setting *setting;
	struct finding finding;
	unsigned halves;

	if (!matter->defaults)
		return judge_service_default(matter);
	setting = &matter->defaults->u.defaults.scope[matter->context->scope];
	inner.by_default = true;
	halves = halves_set(setting);
	finding.rule = matter->defaults->dn;
	if (halves == 2) {
		finding.reason = judge_table(&inner, setting);
		return finding;
	}
	if (halves == 1) {
		finding.reason = judge_half(&inner, setting);
		if (finding.reason != B2B_REASON_NONE)
			return finding;
	}
	return judge_service_default(matter);
}

static struct finding judge_settings(const struct matter *matter, const char **half_set_r)
{
	const struct b2b_rule *partner = matter->partner;
	const struct b2b_setting *setting =
		&partner->u.partner.settings.scope[matter->context->scope];
	unsigned halves = halves_set(setting);
	struct finding own = { B2B_REASON_POLICY_INVALID, partner->dn }, inherited;

	if (halves == 2) {
		own.reason = judge_table(matter, setting);
		return own;
	}
	if (halves == 1) {
		*half_set_r = partner->dn;
		own.reason = judge_half(matter, setting);
		if (own.reason != B2B_REASON_NONE)
			return own;
	}
	inherited = judge_default(matter);
	return halves == 1 && inherited.reason == B2B_REASON_NONE ? own : inherited;
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

static bool redeems_by_itself(const struct matter *matter)
{
	enum b2b_tristate own = matter->partner->u.partner.settings.auto_redeem_in;

	if (own == B2B_UNSET && matter->defaults)
		own = matter->defaults->u.defaults.auto_redeem_in;
	return own == B2B_YES;
}

static struct finding found(enum b2b_reason reason, const char *rule)
{
	struct finding finding = { reason, rule };

	return finding;
}

static const struct b2b_rule *first_invalid(const struct matter *matter)
{
	if (matter->partner && matter->partner->invalid)
		return matter->partner;
	if (matter->defaults && matter->defaults->invalid)
		return matter->defaults;
	return matter->app && matter->app->invalid ? matter->app : NULL;
}

static struct finding judge_record(const struct matter *matter)
{
	const struct b2b_guest *guest = matter->guest;
	const struct b2b_rule *invalid = first_invalid(matter);

	if (!guest->enabled)
		return found(B2B_REASON_DISABLED, guest->dn);
	/* whether a proof redeems is the partner's to say, so without one nothing else matters */
	if (!guest->accepted) {
		if (!matter->partner)
			return found(B2B_REASON_PARTNER_UNKNOWN, NULL);
		if (invalid)
			return found(B2B_REASON_POLICY_INVALID, invalid->dn);
		if (!redeems_by_itself(matter))
			return found(B2B_REASON_NOT_REDEEMED, guest->dn);
	}
	return found(judge_clock(guest, &matter->tenant->u.tenant, matter->context->now),
		     guest->dn);
}

static int by_text(const void *key, const void *element)
{
	return strcmp(key, *(char *const *)element);
}

static bool is_assigned(const struct matter *matter)
{
	const struct b2b_app *app = &matter->app->u.app;

	if (matter->context->assigned)
		return true;
	return app->assignee_count && matter->guest->dn &&
	       bsearch(matter->guest->dn, app->assignees, app->assignee_count,
		       sizeof *app->assignees, by_text);
}

/* Everything in its order; B2B_REASON_NONE with the permitting rule if nothing speaks against. */
static struct finding judge(const struct matter *matter, const char **half_set_r)
{
	struct finding finding = judge_record(matter);
	const struct b2b_rule *invalid = first_invalid(matter);

	if (finding.reason != B2B_REASON_NONE)
		return finding;
	if (!matter->partner)
		return found(B2B_REASON_PARTNER_UNKNOWN, NULL);
	if (invalid)
		return found(B2B_REASON_POLICY_INVALID, invalid->dn);
	finding = judge_settings(matter, half_set_r);
	if (finding.reason == B2B_REASON_NONE && matter->app &&
	    matter->app->u.app.assignment_required && !is_assigned(matter))
		return found(B2B_REASON_NOT_ASSIGNED, matter->app->dn);
	return finding;
}

/* When an allow must be thought over at the latest. */
static time_t holds_until(const struct b2b_guest *guest, const struct b2b_tenant_policy *tenant)
{
	time_t until = b2b_guest_end(guest, tenant);

	if (guest->review != B2B_REVIEW_APPROVED && guest->review_due &&
	    (until == 0 || guest->review_due < until))
		until = guest->review_due;
	return until;
}

/* What must be there before anything can be judged. */
static bool can_judge(const struct matter *matter, struct b2b_verdict *verdict)
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

struct b2b_verdict b2b_decide(const struct b2b_snapshot *snapshot, const struct b2b_guest *guest,
			      const struct b2b_rule *app, const struct b2b_context *context)
{
	struct b2b_verdict verdict = { .effect = B2B_DENY, .reason = B2B_REASON_POLICY_INVALID };
	struct matter matter = {
		.snapshot = snapshot, .guest = guest, .context = context, .app = app
	};
	struct finding finding;

	if (!snapshot || !guest || !context)
		return verdict;
	matter.tenant = b2b_snapshot_tenant(snapshot);
	if (!can_judge(&matter, &verdict))
		return verdict;
	matter.app_id = b2b_str_of(app ? app->u.app.id : "directory");
	matter.defaults = b2b_snapshot_default(snapshot);
	matter.partner = b2b_snapshot_partner(snapshot, guest->home_tenant);
	finding = judge(&matter, &verdict.half_set);
	verdict.reason = finding.reason;
	verdict.rule = finding.rule;
	if (finding.reason == B2B_REASON_NONE) {
		verdict.effect = B2B_ALLOW;
		verdict.until = holds_until(guest, &matter.tenant->u.tenant);
		verdict.label_cap = B2B_RANK_UNKNOWN;
	}
	return verdict;
}

/* An unknown clearance or cap opens nothing above the lowest label, so that an unknown label,
 * which ranks above all, is never seen. */
static uint32_t rank_of_bound(const struct b2b_snapshot *snapshot, struct b2b_str label)
{
	uint32_t rank = b2b_snapshot_label_rank(snapshot, label);

	return rank == B2B_RANK_UNKNOWN ? 0 : rank;
}

bool b2b_decide_label(const struct b2b_snapshot *snapshot, const struct b2b_guest *guest,
		      const struct b2b_rule *app, uint32_t cap, struct b2b_str label)
{
	uint32_t rank, clearance = 0;

	if (!snapshot || !guest)
		return false;
	rank = b2b_snapshot_label_rank(snapshot, label);
	if (guest->clearance.len)
		clearance = rank_of_bound(snapshot, guest->clearance);
	if (rank > clearance || rank > cap)
		return false;
	if (!app)
		return true;
	if (app->kind != B2B_RULE_APP || app->invalid)
		return false;
	if (!app->u.app.max_label)
		return true;
	return rank <= rank_of_bound(snapshot, b2b_str_of(app->u.app.max_label));
}
