/*
 * decide_access.c - conditional access: which policies apply, and what is missing.
 * In: compiled access policies, a guest, an application, the circumstances.
 * Out: findings, policy by policy for those who explain, as a whole for decide.c.
 */
#include "decide_parts.h"

#define PROOF_GRANTS                                                                               \
	((unsigned)B2B_GRANT_MFA | B2B_GRANT_COMPLIANT_DEVICE | B2B_GRANT_HYBRID_JOINED)

/* What policies are judged against; made once a decision. */
struct circumstances {
	const struct b2b_matter *matter;
	uint64_t partner_bit, app_bit; /* see other_partners and other_apps */
	unsigned type;                 /* the guest's bit among include_types */
	unsigned shown;                /* bits of enum b2b_ca_grant */
	bool proven;                   /* the sign-in can be judged by its age */
	bool elsewhere;                /* the connection is not the guest's */
};

static bool is_trusted(enum b2b_tristate own, enum b2b_tristate by_default)
{
	return own == B2B_UNSET ? by_default == B2B_YES : own == B2B_YES;
}

/* An entry that could not be read is no reason to trust anybody. */
static unsigned trust_of(const struct b2b_rule *partner, const struct b2b_rule *defaults)
{
	static const struct b2b_settings silent;
	const struct b2b_settings *own, *other = &silent;
	unsigned trust = 0;

	if (!partner || partner->invalid)
		return 0;
	own = &partner->u.partner.settings;
	if (defaults && !defaults->invalid)
		other = &defaults->u.defaults;
	if (is_trusted(own->trust_mfa, other->trust_mfa))
		trust |= B2B_GRANT_MFA;
	if (is_trusted(own->trust_compliant_device, other->trust_compliant_device))
		trust |= B2B_GRANT_COMPLIANT_DEVICE;
	if (is_trusted(own->trust_hybrid_joined, other->trust_hybrid_joined))
		trust |= B2B_GRANT_HYBRID_JOINED;
	return trust;
}

unsigned b2b_access_trust(const struct b2b_snapshot *snapshot, struct b2b_str home_tenant)
{
	return trust_of(b2b_snapshot_partner(snapshot, home_tenant),
			b2b_snapshot_default(snapshot));
}

static unsigned told_by_home(const struct b2b_sign_in *sign_in)
{
	return (sign_in->mfa ? (unsigned)B2B_GRANT_MFA : 0) |
	       (sign_in->compliant_device ? (unsigned)B2B_GRANT_COMPLIANT_DEVICE : 0) |
	       (sign_in->hybrid_joined ? (unsigned)B2B_GRANT_HYBRID_JOINED : 0);
}

static bool accepted_terms(const struct b2b_rule *tenant, const struct b2b_guest *guest)
{
	return tenant && !tenant->invalid && tenant->u.tenant.terms_version &&
	       b2b_str_equal_nocase(b2b_str_of(tenant->u.tenant.terms_version),
				    guest->terms_accepted);
}

static struct circumstances circumstances_of(const struct b2b_matter *matter)
{
	const struct b2b_context *context = matter->context;
	struct circumstances it = {
		.matter = matter,
		.partner_bit = UINT64_C(1) << matter->home_tenant.hash % 64,
		.app_bit = UINT64_C(1) << matter->app_id.hash % 64,
		.type = 1u << (matter->guest->user_type == B2B_USER_MEMBER ? B2B_USER_MEMBER
									   : B2B_USER_GUEST),
		.elsewhere = context->stage == B2B_STAGE_ELSEWHERE,
	};

	/* an application without a name may be any */
	if (matter->app_id.text.len == 0)
		it.app_bit = 0;
	/* a stage that nobody knows judges all */
	it.proven = !it.elsewhere && context->stage != B2B_STAGE_BEFORE_PROOF;
	it.shown = told_by_home(&context->sign_in);
	if (it.shown)
		it.shown &= trust_of(matter->partner, matter->defaults);
	/* a one-time password of ours belongs to an entry, which by direct connect nobody has */
	if (context->sign_in.own_mfa && context->scope != B2B_DIRECT_IN)
		it.shown |= B2B_GRANT_MFA;
	if (!it.proven)
		it.shown |= PROOF_GRANTS;
	if (accepted_terms(matter->tenant, matter->guest))
		it.shown |= B2B_GRANT_TERMS;
	if (context->is_protected || it.elsewhere)
		it.shown |= B2B_GRANT_TLS;
	return it;
}

/* As policies restrict, what they include is taken broadly (possibly), what they exclude exactly. */
static bool lists(const struct b2b_names *names, const struct b2b_name *name, bool possibly)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->hashes[i] == name->hash &&
		    b2b_name_is(name, b2b_str_of(names->list[i]), names->hashes[i], possibly))
			return true;
	return false;
}

static bool lists_dn(const struct b2b_names *dns, const char *dn)
{
	return dns->count && b2b_decide_has_dn(dns->list, dns->count, dn);
}

static bool includes_guest(const struct b2b_access_policy *policy, const struct circumstances *it)
{
	bool by_kind = policy->include_partners.count || policy->include_types;
	const char *dn = it->matter->guest->dn;

	if (!by_kind && policy->include_guests.count == 0)
		return true;
	/* a guest without a name may be any */
	if (policy->include_guests.count && (!dn || lists_dn(&policy->include_guests, dn)))
		return true;
	if (!by_kind || (policy->include_types && !(policy->include_types & it->type)))
		return false;
	return policy->include_partners.count == 0 ||
	       lists(&policy->include_partners, &it->matter->home_tenant, true);
}

static bool is_about_guest(const struct b2b_access_policy *policy, const struct circumstances *it)
{
	return includes_guest(policy, it) && !(policy->exclude_types & it->type) &&
	       !lists_dn(&policy->exclude_guests, it->matter->guest->dn) &&
	       !lists(&policy->exclude_partners, &it->matter->home_tenant, false);
}

static bool is_about_app(const struct b2b_access_policy *policy, const struct circumstances *it)
{
	const struct b2b_name *app_id = &it->matter->app_id;

	if (!policy->all_apps && app_id->text.len && !lists(&policy->include_apps, app_id, true))
		return false;
	return !lists(&policy->exclude_apps, app_id, false);
}

static inline bool contain(const struct b2b_networks *networks, const struct b2b_addr *peer)
{
	for (size_t i = 0; i < networks->count; i++)
		if (b2b_cidr_contains(&networks->list[i], peer))
			return true;
	return false;
}

static inline bool is_about_peer(const struct b2b_access_policy *policy,
				 const struct b2b_addr *peer)
{
	if (!peer->set)
		return true;
	if (policy->include_networks.count && !contain(&policy->include_networks, peer))
		return false;
	return !contain(&policy->exclude_networks, peer);
}

/* Tells of most policies that they do not apply, without a look at their lists. */
static bool is_ruled_out(const struct b2b_access_policy *policy, const struct circumstances *it)
{
	return (policy->other_partners & it->partner_bit) || (policy->other_apps & it->app_bit);
}

static inline bool applies(const struct b2b_access_policy *policy, const struct circumstances *it)
{
	const struct b2b_context *context = it->matter->context;
	unsigned conditions = policy->conditions;

	if (conditions & (B2B_CA_ON_NETWORK | B2B_CA_ON_SSF)) {
		if (it->elsewhere)
			return false;
		if ((conditions & B2B_CA_ON_SSF) && context->ssf >= policy->below_ssf)
			return false;
		if (!is_about_peer(policy, &context->peer))
			return false;
	}
	if ((conditions & B2B_CA_ON_GUEST) && !is_about_guest(policy, it))
		return false;
	return !(conditions & B2B_CA_ON_APP) || is_about_app(policy, it);
}

unsigned b2b_decide_unmet(const struct b2b_matter *matter, const struct b2b_access_policy *policy)
{
	struct circumstances it = circumstances_of(matter);
	const struct b2b_context *context = matter->context;
	unsigned unmet = 0;

	if (!is_about_guest(policy, &it))
		unmet |= B2B_CA_ON_GUEST;
	if (!is_about_app(policy, &it))
		unmet |= B2B_CA_ON_APP;
	if (it.elsewhere || !is_about_peer(policy, &context->peer))
		unmet |= B2B_CA_ON_NETWORK;
	if (it.elsewhere || context->ssf >= policy->below_ssf)
		unmet |= B2B_CA_ON_SSF;
	return unmet & policy->conditions;
}

static unsigned missing_grants(const struct b2b_access_policy *policy, unsigned shown)
{
	if (policy->any_grant && (policy->grants & shown))
		return 0;
	return policy->grants & ~shown;
}

static enum b2b_reason block_reason(const struct b2b_access_policy *policy)
{
	if (policy->conditions & B2B_CA_ON_NETWORK)
		return B2B_REASON_NETWORK;
	return policy->conditions & B2B_CA_ON_SSF ? B2B_REASON_TLS_REQUIRED : B2B_REASON_BLOCKED;
}

static enum b2b_reason missing_reason(const struct b2b_access_policy *policy, unsigned missing)
{
	if (missing == 0)
		return B2B_REASON_NONE;
	if (missing & B2B_GRANT_BLOCK)
		return block_reason(policy);
	if (missing & B2B_GRANT_MFA)
		return B2B_REASON_MFA_REQUIRED;
	if (missing & (B2B_GRANT_COMPLIANT_DEVICE | B2B_GRANT_HYBRID_JOINED))
		return B2B_REASON_DEVICE_REQUIRED;
	return missing & B2B_GRANT_TERMS ? B2B_REASON_TERMS_REQUIRED : B2B_REASON_TLS_REQUIRED;
}

/* Until when a sign-in is young enough; 0: it is not.  One of the future is of now. */
static time_t young_until(const struct b2b_context *context, unsigned secs)
{
	time_t when = context->sign_in.when;

	if (when > context->now)
		when = context->now;
	return when > 0 && context->now - when < (time_t)secs ? when + (time_t)secs : 0;
}

/* What the policy says to whom it is about. */
static inline void weigh(const struct b2b_access_policy *policy, const struct circumstances *it,
			 struct b2b_access_finding *finding_r)
{
	finding_r->applies = true;
	finding_r->missing = missing_grants(policy, it->shown);
	finding_r->reason = missing_reason(policy, finding_r->missing);
	finding_r->until = 0;
	if (finding_r->reason != B2B_REASON_NONE || !policy->sign_in_secs || !it->proven)
		return;
	finding_r->until = young_until(it->matter->context, policy->sign_in_secs);
	if (!finding_r->until)
		finding_r->reason = B2B_REASON_SIGN_IN_TOO_OLD;
}

/* Whom a broken policy is about is not known for sure: everybody. */
static const struct b2b_access_finding unreadable = { .applies = true,
						      .reason = B2B_REASON_POLICY_INVALID };

struct b2b_access_finding b2b_access_judge(const struct b2b_snapshot *snapshot,
					   const struct b2b_rule *policy,
					   const struct b2b_guest *guest,
					   const struct b2b_rule *app,
					   const struct b2b_context *context)
{
	static const struct b2b_access_finding not_applying = { .reason = B2B_REASON_NONE };
	struct b2b_access_finding finding = unreadable;
	struct b2b_matter matter;
	struct circumstances it;

	if (!snapshot || !policy || policy->kind != B2B_RULE_ACCESS || !guest || !context)
		return unreadable;
	if (policy->invalid)
		return policy->u.access.state == B2B_CA_ENABLED ? unreadable : not_applying;
	b2b_decide_matter(snapshot, guest, app, context, &matter);
	it = circumstances_of(&matter);
	if (policy->u.access.state == B2B_CA_DISABLED || is_ruled_out(&policy->u.access, &it) ||
	    !applies(&policy->u.access, &it))
		return not_applying;
	weigh(&policy->u.access, &it, &finding);
	return finding;
}

static uint32_t cap_of(const struct b2b_snapshot *snapshot, const struct b2b_access_policy *policy)
{
	if (!policy->max_label)
		return B2B_RANK_UNKNOWN;
	return b2b_decide_bound(snapshot, b2b_str_of(policy->max_label));
}

/* Whether the finding would change anything, should the policy apply; few do, so this is looked at
 * first. */
static bool matters(const struct b2b_access_result *so_far, const struct b2b_access_policy *policy,
		    const struct b2b_access_finding *finding)
{
	if (finding->missing & B2B_GRANT_BLOCK)
		return true;
	if (so_far->denial.reason != B2B_REASON_NONE)
		return false;
	return finding->reason != B2B_REASON_NONE || (policy->max_label && so_far->label_cap) ||
	       b2b_earliest(so_far->until, finding->until) != so_far->until;
}

static void deny(struct b2b_access_result *result, enum b2b_reason reason,
		 const struct b2b_rule *rule)
{
	result->denial.reason = reason;
	result->denial.rule = rule->dn;
}

/* Adds one enabled policy to the result; false: nothing that follows can change it. */
static bool judge_next(struct b2b_access_result *result, const struct b2b_rule *rule,
		       const struct circumstances *it)
{
	const struct b2b_access_policy *policy = &rule->u.access;
	struct b2b_access_finding finding;
	uint32_t cap;

	if (rule->invalid) {
		if (result->denial.reason == B2B_REASON_NONE)
			deny(result, unreadable.reason, rule);
		return true;
	}
	if (is_ruled_out(policy, it))
		return true;
	weigh(policy, it, &finding);
	if (!matters(result, policy, &finding) || !applies(policy, it))
		return true;
	if (finding.reason != B2B_REASON_NONE) {
		deny(result, finding.reason, rule);
		return !(finding.missing & B2B_GRANT_BLOCK);
	}
	result->until = b2b_earliest(result->until, finding.until);
	cap = cap_of(it->matter->snapshot, policy);
	if (cap < result->label_cap)
		result->label_cap = cap;
	return true;
}

struct b2b_access_result b2b_decide_access(const struct b2b_matter *matter)
{
	struct b2b_access_result result = { { B2B_REASON_NONE, NULL }, 0, B2B_RANK_UNKNOWN };
	const struct b2b_rule *const *rules;
	size_t count = b2b_snapshot_access(matter->snapshot, &rules);
	struct circumstances it;

	if (count == 0)
		return result;
	it = circumstances_of(matter);
	for (size_t i = 0; i < count; i++)
		if (rules[i]->u.access.state == B2B_CA_ENABLED &&
		    !judge_next(&result, rules[i], &it))
			break;
	return result;
}
