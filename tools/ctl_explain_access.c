/*
 * ctl_explain_access.c - explain: what conditional access and labels say, policy by policy.
 * In: the compiled policies, the guest and its circumstances.
 * Out: a line for each policy: whether it applies, why, and what it lacks.
 */
#include "ctl_explain.h"

#include <stdlib.h>
#include <string.h>

static char *joined(char *text, const char *word)
{
	char *longer = ctl_format("%s%s%s", text, *text ? ", " : "", word);

	free(text);
	return longer;
}

/* The conditions that the policy has and that are met, or those that are not; caller frees. */
static char *conditions(const struct explaining *explaining, const struct b2b_rule *rule, bool met)
{
	static const char *const told[CTL_CONDITIONS][2] = {
		[CTL_ON_GUEST] = { "it is not about this guest", "it is about this guest" },
		[CTL_ON_APP] = { "it is not about this application",
				 "it is about this application" },
		[CTL_ON_NETWORK] = { "it is not about this network", "it is about this network" },
		[CTL_ON_STRENGTH] = { "the connection is strong enough",
				      "the connection is too weak" },
	};
	const struct ctl_probes *probes = ctl_policy_probes(&explaining->policy, rule->dn);
	char *text = ctl_format("%s", "");

	for (size_t i = 0; probes && i < CTL_CONDITIONS; i++) {
		struct b2b_access_finding finding;

		if (!probes->rules[i])
			continue;
		finding =
			b2b_access_judge(explaining->policy.all, probes->rules[i],
					 &explaining->guest, explaining->app, &explaining->context);
		if (finding.applies == met)
			text = joined(text, told[i][met]);
	}
	if (*text)
		return text;
	free(text);
	return ctl_format(met ? "it is about everybody" : "its conditions are not met");
}

static char *grants_text(unsigned grants)
{
	static const struct {
		const char *name;
		unsigned bit;
	} names[] = { { "block", B2B_GRANT_BLOCK },
		      { "mfa", B2B_GRANT_MFA },
		      { "compliantDevice", B2B_GRANT_COMPLIANT_DEVICE },
		      { "hybridJoinedDevice", B2B_GRANT_HYBRID_JOINED },
		      { "terms", B2B_GRANT_TERMS },
		      { "tls", B2B_GRANT_TLS } };
	char *text = ctl_format("%s", "");

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (grants & names[i].bit)
			text = joined(text, names[i].name);
	return text;
}

/* What a policy that applies says; caller frees. */
static char *outcome(const struct b2b_access_policy *policy,
		     const struct b2b_access_finding *finding)
{
	char *grants, *text, *until;

	if (finding->reason != B2B_REASON_NONE) {
		grants = grants_text(finding->missing & ~(unsigned)B2B_GRANT_BLOCK);
		text = ctl_format("denies: %s%s%s%s", b2b_reason_name(finding->reason),
				  *grants ? " (missing: " : "", grants, *grants ? ")" : "");
		if (*grants && policy->any_grant) {
			free(text);
			text = ctl_format("denies: %s (missing one of: %s)",
					  b2b_reason_name(finding->reason), grants);
		}
		free(grants);
		return text;
	}
	until = finding->until ? ctl_time(finding->until) : ctl_format("%s", "");
	grants = grants_text(policy->grants);
	text = ctl_format("satisfied%s%s%s%s%s", *grants ? " (asks for: " : "", grants,
			  *grants ? ")" : "", *until ? ", until " : "", until);
	free(grants);
	free(until);
	return text;
}

static void say_policy(const struct explaining *explaining, const struct b2b_rule *rule)
{
	const struct b2b_access_policy *policy = &rule->u.access;
	bool reports = policy->state == B2B_CA_REPORT_ONLY;
	struct b2b_access_finding finding =
		b2b_access_judge(explaining->policy.all, rule, &explaining->guest, explaining->app,
				 &explaining->context);
	char *why, *what;

	if (rule->invalid) {
		ctl_say("policy %s: invalid%s", rule->dn,
			finding.applies ? ": denies everybody" : ", but not enabled");
		return;
	}
	if (policy->state == B2B_CA_DISABLED) {
		ctl_say("policy %s: disabled", rule->dn);
		return;
	}
	why = conditions(explaining, rule, finding.applies);
	if (!finding.applies) {
		ctl_say("policy %s: does not apply: %s", rule->dn, why);
		free(why);
		return;
	}
	what = outcome(policy, &finding);
	ctl_say("policy %s: %s, as %s: %s%s%s%s", rule->dn, reports ? "would apply" : "applies",
		why, reports ? "reportOnly: " : "", what,
		policy->max_label ? "; labels up to " : "",
		policy->max_label ? policy->max_label : "");
	free(what);
	free(why);
}

void ctl_explain_access(const struct explaining *explaining)
{
	const struct b2b_rule *rule;
	size_t count = 0;

	while ((rule = b2b_snapshot_access_at(explaining->policy.all, count)) != NULL) {
		say_policy(explaining, rule);
		count++;
	}
	if (count == 0)
		ctl_say("policy: there is no conditional access");
}

void ctl_explain_labels(const struct explaining *explaining, uint32_t cap)
{
	const struct b2b_rule *rule = b2b_snapshot_tenant(explaining->policy.all);
	const char *highest = NULL;

	if (!rule || rule->invalid || rule->u.tenant.label_count == 0)
		return;
	for (size_t i = 0; i < rule->u.tenant.label_count; i++)
		if (b2b_decide_label(explaining->policy.all, &explaining->guest, explaining->app,
				     cap, b2b_str_of(rule->u.tenant.labels[i])))
			highest = rule->u.tenant.labels[i];
	if (highest)
		ctl_say("labels: up to %s", highest);
	else
		ctl_say("labels: no entry is low enough");
}
