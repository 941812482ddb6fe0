/*
 * explain.c - a decision told rule by rule, by the parts of the decision itself.
 * In: what b2b_decide takes.
 * Out: steps to the caller's function, the verdict to the caller.
 */
#include "explain.h"

#include "decide_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct telling {
	const struct b2b_explained *what;
	struct b2b_matter matter;
	b2b_explain_fn *tell;
	void *ctx;
};

/* One line, put together piece by piece; what does not fit is left out. */
struct line {
	char text[384];
};

static void add(struct line *line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct line *line, const char *fmt, ...)
{
	size_t used = strlen(line->text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(line->text + used, sizeof line->text - used, fmt, args);
	va_end(args);
}

/* The same with a comma before it if something stands there already. */
static void add_word(struct line *line, const char *word)
{
	add(line, "%s%s", line->text[0] ? ", " : "", word);
}

void b2b_explain_time(time_t when, char text_r[B2B_EXPLAIN_TIME_SIZE])
{
	struct tm parts;

	if (when == 0 || !gmtime_r(&when, &parts) ||
	    strftime(text_r, B2B_EXPLAIN_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		text_r[0] = '\0';
}

static void add_until(struct line *line, time_t until)
{
	char text[B2B_EXPLAIN_TIME_SIZE];

	b2b_explain_time(until, text);
	if (text[0])
		add(line, ", until %s", text);
}

/* A step that passed unless there is a reason, which is told where the line says nothing. */
static void tell(const struct telling *telling, const char *rule, const struct b2b_finding *finding,
		 const struct line *line)
{
	struct b2b_explain_step step = {
		.rule = rule,
		.dn = finding->rule,
		.passed = finding->reason == B2B_REASON_NONE,
		.reason = finding->reason,
	};

	b2b_error_set(&step.detail, "%s",
		      line->text[0] ? line->text : b2b_reason_name(finding->reason));
	telling->tell(telling->ctx, &step);
}

/* --- what must be there, the record, the partner --- */

static bool tell_policy(const struct telling *telling)
{
	const struct b2b_matter *matter = &telling->matter;
	struct b2b_verdict verdict = { .effect = B2B_DENY, .reason = B2B_REASON_POLICY_INVALID };
	bool can = b2b_decide_can_judge(matter, &verdict);
	struct b2b_finding finding = { B2B_REASON_NONE, NULL };
	struct line line = { "" };

	finding.rule = can && matter->tenant ? matter->tenant->dn : verdict.rule;
	if (!can)
		finding.reason = B2B_REASON_POLICY_INVALID;
	if (can)
		add(&line, "the policy can be read");
	else if (!matter->guest->well_formed || matter->guest->home_tenant.len == 0)
		add(&line, "the guest's entry cannot be read");
	else if (!matter->tenant)
		add(&line, "there is no tenant entry");
	else if (matter->tenant->invalid)
		add(&line, "the tenant's entry is invalid: %s", matter->tenant->error.text);
	else
		add(&line, "the application's entry is invalid, or the circumstances are");
	tell(telling, "policy", &finding, &line);
	return can;
}

static void tell_record(const struct telling *telling, const struct b2b_finding *finding)
{
	const struct b2b_guest *guest = telling->matter.guest;
	struct line line = { "" };

	if (finding->reason == B2B_REASON_NONE) {
		add(&line, "in order");
		add_until(&line, b2b_guest_end(guest, &telling->matter.tenant->u.tenant));
		if (!guest->accepted)
			add(&line, "; the invitation is not redeemed, the first proof does that");
	}
	tell(telling, "guest record", finding, &line);
}

static bool tell_partner(const struct telling *telling)
{
	const struct b2b_matter *matter = &telling->matter;
	const struct b2b_rule *invalid = b2b_decide_invalid(matter);
	struct b2b_finding finding = { B2B_REASON_NONE, NULL };
	struct line line = { "" };

	if (!matter->partner) {
		finding.reason = B2B_REASON_PARTNER_UNKNOWN;
		add(&line, "there is no partner %.*s",
		    (int)(matter->home_tenant.text.len < 128 ? matter->home_tenant.text.len : 128),
		    matter->home_tenant.text.s);
	} else if (invalid) {
		finding = (struct b2b_finding){ B2B_REASON_POLICY_INVALID, invalid->dn };
		add(&line, "the entry is invalid: %s", invalid->error.text);
	} else {
		finding.rule = matter->partner->dn;
		add(&line, "known");
	}
	tell(telling, invalid && invalid != matter->partner ? "policy" : "partner", &finding,
	     &line);
	return finding.reason == B2B_REASON_NONE;
}

/* Whether a first proof redeems is asked of the partner: without one, that is what is told first. */
static bool tell_guest(const struct telling *telling)
{
	const struct b2b_matter *matter = &telling->matter;
	struct b2b_finding finding = b2b_decide_guest(matter);
	bool partner;

	if (finding.reason != B2B_REASON_PARTNER_UNKNOWN &&
	    finding.reason != B2B_REASON_POLICY_INVALID) {
		tell_record(telling, &finding);
		return tell_partner(telling);
	}
	partner = tell_partner(telling);
	finding.reason =
		b2b_decide_record(matter->guest, &matter->tenant->u.tenant, matter->context->now);
	finding.rule = matter->guest->dn;
	tell_record(telling, &finding);
	return partner;
}

/* --- settings, assignment --- */

static void tell_settings(const struct telling *telling)
{
	const char *half_set = NULL;
	struct b2b_finding finding = b2b_decide_settings(&telling->matter, &half_set);
	struct line line = { "" };

	add(&line, "%s",
	    finding.reason == B2B_REASON_NONE ? "permitted" : b2b_reason_name(finding.reason));
	if (half_set)
		add(&line, "; one half alone is set in %s: the default must permit as well",
		    half_set);
	tell(telling, "cross-tenant settings", &finding, &line);
}

static void tell_assignment(const struct telling *telling)
{
	const struct b2b_matter *matter = &telling->matter;
	struct b2b_finding finding = { B2B_REASON_NONE, matter->app ? matter->app->dn : NULL };
	const char *group = telling->what->assigned_by;
	struct line line = { "" };

	if (!matter->app || matter->app->invalid || !matter->app->u.app.assignment_required)
		add(&line, "not required");
	else if (!b2b_decide_is_assigned(matter))
		finding.reason = B2B_REASON_NOT_ASSIGNED;
	else if (b2b_decide_has_dn(matter->app->u.app.assignees, matter->app->u.app.assignee_count,
				   matter->guest->dn))
		add(&line, "the guest itself");
	else
		add(&line, "by the group%s%s", group ? " " : "", group ? group : "");
	tell(telling, "assignment", &finding, &line);
}

/* --- conditional access --- */

/* The conditions that the policy has and that are met, or those that are not. */
static void add_conditions(struct line *line, const struct b2b_access_policy *policy,
			   unsigned unmet, bool met)
{
	static const struct {
		unsigned bit;
		const char *words[2];
	} told[] = {
		{ B2B_CA_ON_GUEST, { "it is not about this guest", "it is about this guest" } },
		{ B2B_CA_ON_APP,
		  { "it is not about this application", "it is about this application" } },
		{ B2B_CA_ON_NETWORK,
		  { "it is not about this network", "it is about this network" } },
		{ B2B_CA_ON_SSF,
		  { "the connection is strong enough", "the connection is too weak" } },
	};
	struct line words = { "" };

	for (size_t i = 0; i < sizeof told / sizeof *told; i++)
		if (policy->conditions & told[i].bit && met == !(unmet & told[i].bit))
			add_word(&words, told[i].words[met]);
	add(line, "%s", words.text[0] ? words.text : "it is about everybody");
}

static void add_grants(struct line *line, const char *before, unsigned grants)
{
	static const struct {
		const char *name;
		unsigned bit;
	} names[] = { { "mfa", B2B_GRANT_MFA },
		      { "compliantDevice", B2B_GRANT_COMPLIANT_DEVICE },
		      { "hybridJoinedDevice", B2B_GRANT_HYBRID_JOINED },
		      { "terms", B2B_GRANT_TERMS },
		      { "tls", B2B_GRANT_TLS } };
	struct line words = { "" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (grants & names[i].bit)
			add_word(&words, names[i].name);
	if (words.text[0])
		add(line, " (%s: %s)", before, words.text);
}

/* What a policy that applies says. */
static void add_outcome(struct line *line, const struct b2b_access_policy *policy,
			const struct b2b_access_finding *finding)
{
	if (finding->reason == B2B_REASON_NONE) {
		add(line, "satisfied");
		add_grants(line, "asks for", policy->grants);
		add_until(line, finding->until);
	} else {
		add(line, "denies: %s", b2b_reason_name(finding->reason));
		add_grants(line, policy->any_grant ? "missing one of" : "missing",
			   finding->missing);
	}
	if (policy->max_label)
		add(line, "; labels up to %s", policy->max_label);
}

static void add_policy(struct line *line, const struct telling *telling,
		       const struct b2b_rule *rule, const struct b2b_access_finding *finding)
{
	const struct b2b_access_policy *policy = &rule->u.access;
	bool reports = policy->state == B2B_CA_REPORT_ONLY;

	if (rule->invalid) {
		add(line, "%s: %s",
		    finding->applies ? "invalid: denies everybody" : "invalid, but not enabled",
		    rule->error.text);
	} else if (policy->state == B2B_CA_DISABLED) {
		add(line, "disabled");
	} else if (!finding->applies) {
		add(line, "does not apply: ");
		add_conditions(line, policy, b2b_decide_unmet(&telling->matter, policy), false);
	} else {
		add(line, "%s, as ", reports ? "would apply" : "applies");
		add_conditions(line, policy, 0, true);
		add(line, ": %s", reports ? "reportOnly: " : "");
		add_outcome(line, policy, finding);
	}
}

/* Those that block, or all others, by DN. */
static void tell_access(const struct telling *telling, bool blocking)
{
	const struct b2b_explained *what = telling->what;
	const struct b2b_rule *rule;

	for (size_t i = 0; (rule = b2b_snapshot_access_at(what->snapshot, i)) != NULL; i++) {
		bool enabled = rule->u.access.state == B2B_CA_ENABLED;
		struct b2b_access_finding finding = b2b_access_judge(
			what->snapshot, rule, what->guest, what->app, what->context);
		struct b2b_finding said = { enabled ? finding.reason : B2B_REASON_NONE, rule->dn };
		struct line line = { "" };

		if ((enabled && (finding.missing & B2B_GRANT_BLOCK)) != blocking)
			continue;
		add_policy(&line, telling, rule, &finding);
		tell(telling, "conditional access", &said, &line);
	}
}

/* --- what is seen, once in --- */

static void tell_level(const struct telling *telling)
{
	static const char *const levels[] = { [B2B_SEES_RESTRICTED] = "restricted",
					      [B2B_SEES_LIMITED] = "limited",
					      [B2B_SEES_MEMBER] = "member" };
	const struct b2b_matter *matter = &telling->matter;
	struct b2b_finding finding = { B2B_REASON_NONE, matter->tenant->dn };
	struct line line = { "" };

	if (matter->guest->level.set)
		finding.rule = matter->guest->dn;
	else if (matter->partner->u.partner.guest_level.set)
		finding.rule = matter->partner->dn;
	add(&line, "%s", levels[b2b_decide_access_level(telling->what->snapshot, matter->guest)]);
	tell(telling, "access level", &finding, &line);
}

static void tell_labels(const struct telling *telling, uint32_t cap)
{
	const struct b2b_explained *what = telling->what;
	const struct b2b_rule *tenant = telling->matter.tenant;
	size_t count = tenant->u.tenant.label_count;
	struct b2b_finding finding = { B2B_REASON_NONE, tenant->dn };
	struct line line = { "" };
	uint32_t reach;

	if (count == 0)
		return;
	if (!b2b_decide_reach(what->snapshot, what->guest, what->app, cap, &reach))
		add(&line, "sees nothing");
	else
		add(&line, "sees labels up to %s",
		    tenant->u.tenant.labels[reach < count ? reach : count - 1]);
	tell(telling, "label", &finding, &line);
}

static void tell_all(const struct telling *telling, const struct b2b_verdict *verdict)
{
	if (!tell_policy(telling))
		return;
	if (tell_guest(telling))
		tell_settings(telling);
	tell_assignment(telling);
	tell_access(telling, true);
	tell_access(telling, false);
	if (verdict->effect != B2B_ALLOW)
		return;
	tell_level(telling);
	tell_labels(telling, verdict->label_cap);
}

struct b2b_verdict b2b_explain(const struct b2b_explained *what, b2b_explain_fn *tell_step,
			       void *ctx)
{
	struct b2b_verdict verdict =
		b2b_decide(what->snapshot, what->guest, what->app, what->context);
	struct telling telling = { .what = what, .tell = tell_step, .ctx = ctx };

	if (!what->snapshot || !what->guest || !what->context)
		return verdict;
	b2b_decide_matter(what->snapshot, what->guest, what->app, what->context, &telling.matter);
	tell_all(&telling, &verdict);
	return verdict;
}
