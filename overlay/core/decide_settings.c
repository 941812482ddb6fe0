/*
 * decide_settings.c - cross-tenant settings: who may use what, by partner and by default.
 * In: a guest, an application, the partner's and the default's settings.
 * Out: whether they permit, and whose setting said so, to decide.c.
 */
#include "decide_parts.h"

#include <string.h>

/* Whether name certainly (exact) or possibly (similar) is what the target means. */
static bool names(struct b2b_str target, struct b2b_str name, bool possibly)
{
	if (name.len == 0)
		return false;
	return possibly ? b2b_str_similar(target, name) : b2b_str_equal(target, name);
}

static bool is_home_group(const struct b2b_matter *matter, struct b2b_str target, bool possibly)
{
	const struct b2b_context *context = matter->context;

	for (size_t i = 0; i < context->home_group_count; i++)
		if (names(target, context->home_groups[i], possibly))
			return true;
	return false;
}

static bool is_partner_id(const struct b2b_matter *matter, struct b2b_str target)
{
	return b2b_snapshot_partner(matter->snapshot, target) != NULL;
}

/* Outbound, a DN is a member's or, marked as one or not, a group's. */
static bool may_be_own_group(const struct b2b_matter *matter, const struct b2b_target *target)
{
	const struct b2b_context *context = matter->context;
	bool outbound = context->scope == B2B_COLLAB_OUT || context->scope == B2B_DIRECT_OUT;

	if (context->home_groups_known)
		return false;
	return target->is_group || (outbound && memchr(target->value, '=', target->len));
}

static bool user_is_target(const struct b2b_matter *matter, const struct b2b_target *target,
			   bool possibly)
{
	const struct b2b_guest *guest = matter->guest;
	struct b2b_str value = { target->value, target->len };

	if (target->is_group)
		return is_home_group(matter, value, possibly) ||
		       (possibly && may_be_own_group(matter, target));
	if (b2b_name_is(&matter->home_tenant, value, target->hash, possibly))
		return true;
	if (names(value, guest->home_subject, possibly) || is_home_group(matter, value, possibly))
		/* a tenant on the allow list does not let in a stranger who is called like it */
		return possibly || !matter->by_default || !is_partner_id(matter, value);
	if (possibly && may_be_own_group(matter, target))
		return true;
	/* a guest without a subject may be any subject, though not another tenant */
	return possibly && guest->home_subject.len == 0 && !is_partner_id(matter, value);
}

static bool user_matches(const struct b2b_matter *matter, const struct b2b_half *half)
{
	bool possibly = half->access != B2B_ACCESS_ALLOWED;

	if (half->all || (possibly && half->count == 0))
		return true;
	for (size_t i = 0; i < half->count; i++)
		if (user_is_target(matter, &half->targets[i], possibly))
			return true;
	return false;
}

static bool app_matches(const struct b2b_matter *matter, const struct b2b_half *half)
{
	bool possibly = half->access != B2B_ACCESS_ALLOWED;

	if (half->all || (possibly && half->count == 0))
		return true;
	if (matter->users_only)
		return !possibly;
	for (size_t i = 0; i < half->count; i++) {
		const struct b2b_target *target = &half->targets[i];
		struct b2b_str value = { target->value, target->len };

		if (b2b_name_is(&matter->app_id, value, target->hash, possibly))
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
static enum b2b_reason judge_table(const struct b2b_matter *matter,
				   const struct b2b_setting *setting)
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
static enum b2b_reason judge_half(const struct b2b_matter *matter,
				  const struct b2b_setting *setting)
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
static struct b2b_finding judge_service_default(const struct b2b_matter *matter)
{
	enum b2b_scope scope = matter->context->scope;
	bool collab = scope == B2B_COLLAB_IN || scope == B2B_COLLAB_OUT;
	struct b2b_finding finding;

	finding.reason = collab ? B2B_REASON_NONE : B2B_REASON_DIRECT_CONNECT;
	finding.rule = matter->defaults ? matter->defaults->dn : matter->partner->dn;
	return finding;
}

static struct b2b_finding judge_default(const struct b2b_matter *matter)
{
	struct b2b_matter inner = *matter;
	const struct b2b_setting *setting;
	struct b2b_finding finding;
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

struct b2b_finding b2b_decide_settings(const struct b2b_matter *matter, const char **half_set_r)
{
	const struct b2b_rule *partner = matter->partner;
	const struct b2b_setting *setting =
		&partner->u.partner.settings.scope[matter->context->scope];
	unsigned halves = halves_set(setting);
	struct b2b_finding own = { B2B_REASON_POLICY_INVALID, partner->dn }, inherited;

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

struct b2b_finding b2b_decide_users(const struct b2b_matter *matter)
{
	struct b2b_matter users = *matter;
	const char *half_set = NULL;
	struct b2b_finding finding;

	users.users_only = true;
	finding = b2b_decide_settings(&users, &half_set);
	if (finding.reason == apps_reason(matter->context->scope))
		finding.reason = B2B_REASON_NONE;
	return finding;
}
