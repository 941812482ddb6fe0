/*
 * prove.c - whether a guest may give a proof, whom it is about, and the one that its home directory
 * must be asked for.
 * In: an admission that was read, a password.  Out: verdicts, subjects, an LDAP code.  The password
 * is shown to the guest's home server, and nowhere else.
 */
#include "proof.h"

static struct b2b_verdict denial(enum b2b_reason reason, const char *rule)
{
	return (struct b2b_verdict){ .effect = B2B_DENY, .reason = reason, .rule = rule };
}

bool b2b_prove_by_passcode(const struct b2b_admission *admission)
{
	const struct b2b_rule *partner = admission->partner;

	return partner && !partner->invalid &&
	       b2b_invite_by_passcode(partner, admission->guest.pinned);
}

struct b2b_str b2b_prove_subject(Operation *op, const struct b2b_admission *admission,
				 enum b2b_idp kind)
{
	struct b2b_str subject = { NULL, 0 };

	if (kind == B2B_IDP_OIDC && admission->token)
		return admission->token->subject;
	if (kind == B2B_IDP_LDAP)
		return b2b_str_of(admission->home_name);
	if (kind != B2B_IDP_PASSCODE || !admission->address.len)
		return subject;
	subject = b2b_map_copy_str(op, admission->address);
	for (size_t i = 0; i < subject.len; i++)
		((char *)subject.s)[i] = b2b_lower(subject.s[i]);
	return subject;
}

/* Whether this kind of proof can be about the one who was invited, if it is said who that is. */
static bool is_about_invited(const struct b2b_admission *admission, enum b2b_idp kind)
{
	struct b2b_str subject = admission->guest.home_subject;

	if (!subject.len)
		return true;
	if (kind == B2B_IDP_PASSCODE)
		return b2b_str_equal_nocase(subject, admission->address);
	return admission->home_is_subject ||
	       b2b_str_equal(subject, b2b_str_of(admission->home_name));
}

struct b2b_verdict b2b_prove_may(const struct b2b_admission *admission, enum b2b_idp kind,
				 bool is_protected)
{
	const struct b2b_rule *tenant = b2b_snapshot_tenant(admission->snapshot);
	const struct b2b_rule *partner = admission->partner;
	const char *guest = admission->guest.dn;

	/* how a token came was looked at when it was verified */
	if (kind != B2B_IDP_OIDC && (!tenant || (tenant->u.tenant.require_tls && !is_protected)))
		return denial(B2B_REASON_TLS_REQUIRED, tenant ? tenant->dn : NULL);
	if (!partner || partner->invalid || !(partner->u.partner.idp_mask & (unsigned)kind))
		return denial(B2B_REASON_POLICY_INVALID, partner ? partner->dn : NULL);
	if (admission->guest.pinned != B2B_IDP_NONE && admission->guest.pinned != kind)
		return denial(B2B_REASON_POLICY_INVALID, guest);
	if (kind == B2B_IDP_LDAP && !admission->home_name)
		return denial(B2B_REASON_POLICY_INVALID, guest);
	/* which is there only for who proves itself so */
	if (kind == B2B_IDP_PASSCODE && !admission->address.len)
		return denial(B2B_REASON_POLICY_INVALID, guest);
	if (kind != B2B_IDP_OIDC && !admission->guest.accepted &&
	    !is_about_invited(admission, kind))
		return denial(B2B_REASON_NOT_REDEEMED, guest);
	return (struct b2b_verdict){ .effect = B2B_ALLOW, .reason = B2B_REASON_NONE };
}

bool b2b_prove_before(Operation *op, struct b2b_admission *admission, enum b2b_idp kind)
{
	struct b2b_context context = b2b_map_context(op, B2B_STAGE_BEFORE_PROOF);
	struct b2b_verdict verdict = b2b_admission_decide(op, admission, &context);

	if (verdict.effect == B2B_ALLOW)
		verdict = b2b_prove_may(admission, kind, b2b_map_is_protected(op));
	if (verdict.effect != B2B_ALLOW)
		b2b_admission_deny(op, admission, &verdict);
	return verdict.effect == B2B_ALLOW;
}

/* --- home --- */

static enum b2b_home_answer ask_home(Operation *op, const struct b2b_admission *admission,
				     struct b2b_str password)
{
	const struct b2b_partner *partner = &admission->partner->u.partner;
	struct b2b_error why = { "" };
	struct b2b_home_request request = {
		.partner = partner->tenant_id,
		.uris = (const char *const *)partner->home_uris,
		.uri_count = partner->home_uri_count,
		.start_tls = partner->home_start_tls,
		.ca_file = partner->home_ca_file,
		.name = admission->home_name,
		.password = password,
		.asking = b2b_control_value(op, admission->snapshot, admission->app),
	};
	enum b2b_home_answer answer = b2b_homes_prove(admission->tenant->homes, &request, &why);

	if (why.text[0])
		Debug(LDAP_DEBUG_ANY, "%s b2b: home of tenant=%s: %s\n", op->o_log_prefix,
		      partner->tenant_id, why.text);
	return answer;
}

/* Which overlays stand on a database, as one number: theirs are the callbacks of an operation. */
static uint64_t overlays_on(const struct slap_overinfo *oi)
{
	uint64_t sum = 0;

	for (const slap_overinst *on = oi ? oi->oi_list : NULL; on; on = on->on_next)
		sum = sum * 0x100000001b3u + (uintptr_t)on;
	return sum;
}

/* What overlays of a database (and those that stand before it) have put into op's answer points to
 * memory of theirs, and slapd's own callback for them to oi: an overlay that was deleted meanwhile
 * must not be called any more. */
static void forget_overlays(Operation *op, const struct slap_overinfo *oi)
{
	for (slap_callback *cb = op->o_callback; cb && oi; cb = cb->sc_next) {
		if (cb->sc_private == oi) {
			op->o_callback = cb->sc_next;
			return;
		}
	}
}

/* False: overlays came or went meanwhile, and what they left in this operation was forgotten. */
static bool ask_home_safely(Operation *op, const struct b2b_admission *admission,
			    struct b2b_str password, const struct slap_overinfo *oi,
			    enum b2b_home_answer *answer_r)
{
	const struct slap_overinfo *front = frontendDB->bd_info->bi_private;
	uint64_t on_database = overlays_on(oi), on_frontend = overlays_on(front);

	*answer_r = ask_home(op, admission, password);
	/* oi is there as long as this overlay is, front as long as it is the frontend's */
	bool same_database = admission->tenant->open && overlays_on(oi) == on_database;
	bool same_frontend = b2b_gate_stands() && frontendDB->bd_info->bi_private == front &&
			     overlays_on(front) == on_frontend;
	if (!same_database)
		forget_overlays(op, oi);
	if (!same_frontend)
		forget_overlays(op, front);
	return same_database && same_frontend;
}

int b2b_prove_at_home(Operation *op, const struct b2b_admission *admission, struct b2b_str password,
		      const struct slap_overinfo *oi)
{
	enum b2b_home_answer answer;

	if (!ask_home_safely(op, admission, password, oi, &answer))
		return LDAP_UNAVAILABLE;
	switch (answer) {
	case B2B_HOME_PROVED:
		return LDAP_SUCCESS;
	case B2B_HOME_REFUSED:
		return LDAP_INVALID_CREDENTIALS;
	case B2B_HOME_BUSY:
		return LDAP_BUSY;
	case B2B_HOME_UNAVAILABLE:
	default:
		return LDAP_UNAVAILABLE;
	}
}
