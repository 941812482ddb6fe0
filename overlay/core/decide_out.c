/*
 * decide_out.c - the decision about our own: may this member be a guest of that partner?
 * In: a snapshot, a partner's tenant id, an application's id, a member.
 * Out: a verdict.  It starts as a denial; the end of b2b_decide_out alone turns it into an allow.
 */
#include "decide_parts.h"

static enum b2b_reason nobody_reason(enum b2b_scope scope)
{
	return scope == B2B_DIRECT_OUT ? B2B_REASON_DIRECT_CONNECT : B2B_REASON_OUTBOUND_USERS;
}

/* The application is the partner's: no rule of ours stands for it. */
static struct b2b_name app_name(struct b2b_str app_id)
{
	struct b2b_name name = { app_id, 0 };

	if (app_id.len == 0)
		name.text = b2b_str_of("directory");
	name.hash = b2b_str_hash_similar(name.text);
	return name;
}

/* Whether there is a partner, and nothing that governs the member is broken. */
static bool can_judge(const struct b2b_matter *matter, struct b2b_verdict *verdict)
{
	const struct b2b_rule *const needed[] = { matter->tenant, matter->partner };

	if (matter->tenant && !matter->partner) {
		verdict->reason = B2B_REASON_PARTNER_UNKNOWN;
		return false;
	}
	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
		verdict->rule = needed[i] ? needed[i]->dn : NULL;
		if (!needed[i] || needed[i]->invalid)
			return false;
	}
	if (!matter->defaults || !matter->defaults->invalid)
		return true;
	verdict->rule = matter->defaults->dn;
	return false;
}

struct b2b_verdict b2b_decide_out(const struct b2b_snapshot *snapshot, struct b2b_str partner_id,
				  struct b2b_str app_id, const struct b2b_member *member,
				  enum b2b_scope scope, time_t now)
{
	struct b2b_verdict verdict = { .effect = B2B_DENY, .reason = B2B_REASON_POLICY_INVALID };
	struct b2b_context context = { .now = now, .scope = scope };
	struct b2b_guest guest = { .home_tenant = partner_id };
	struct b2b_matter matter;
	struct b2b_finding finding;

	/* a clock that stands at zero was never set */
	if (!snapshot || !member || now <= 0 ||
	    (scope != B2B_COLLAB_OUT && scope != B2B_DIRECT_OUT))
		return verdict;
	/* seen from here the partner is the tenant, and the member's groups are the groups */
	guest.home_subject = member->subject;
	context.home_groups = member->groups;
	context.home_group_count = member->group_count;
	context.home_groups_known = member->groups_known;
	b2b_decide_matter(snapshot, &guest, NULL, &context, &matter);
	matter.app_id = app_name(app_id);
	if (!can_judge(&matter, &verdict))
		return verdict;
	if (member->subject.len == 0) {
		verdict.reason = nobody_reason(scope);
		verdict.rule = NULL;
		return verdict;
	}
	finding = b2b_decide_settings(&matter, &verdict.half_set);
	verdict.reason = finding.reason;
	verdict.rule = finding.rule;
	if (finding.reason == B2B_REASON_NONE) {
		verdict.effect = B2B_ALLOW;
		verdict.label_cap = B2B_RANK_UNKNOWN;
	}
	return verdict;
}
