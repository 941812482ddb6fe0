/*
 * bind.c - a guest's simple bind: its password is shown to its home server, and nowhere else; its
 * token to nobody.
 * In: simple binds in a tenant's database, after slapd's own restrictions.  Out: success that the
 * frontend answers, or invalidCredentials without a word; unavailable where home is down; the
 * reason is in the log, and in the answer only once the proof was right.
 */
#include "glue.h"

static int fail(Operation *op, SlapReply *rs, int err, const char *text)
{
	send_ldap_error(op, rs, err, text && *text ? text : NULL);
	return err;
}

static struct b2b_verdict denial(enum b2b_reason reason, const char *rule)
{
	return (struct b2b_verdict){ .effect = B2B_DENY, .reason = reason, .rule = rule };
}

/* Whether this guest may prove itself by the password of its home directory. */
static struct b2b_verdict decide_proof(Operation *op, const struct b2b_admission *bind)
{
	const struct b2b_rule *tenant = b2b_snapshot_tenant(bind->snapshot);
	const struct b2b_partner *partner = &bind->partner->u.partner;

	if (!tenant || (tenant->u.tenant.require_tls && !b2b_map_is_protected(op)))
		return denial(B2B_REASON_TLS_REQUIRED, tenant ? tenant->dn : NULL);
	if (!(partner->idp_mask & B2B_IDP_LDAP))
		return denial(B2B_REASON_POLICY_INVALID, bind->partner->dn);
	if (bind->guest.pinned != B2B_IDP_NONE && bind->guest.pinned != B2B_IDP_LDAP)
		return denial(B2B_REASON_POLICY_INVALID, bind->guest.dn);
	if (!bind->home_name)
		return denial(B2B_REASON_POLICY_INVALID, bind->guest.dn);
	return (struct b2b_verdict){ .effect = B2B_ALLOW, .reason = B2B_REASON_NONE };
}

/* --- home --- */

static enum b2b_home_answer ask_home(Operation *op, const struct b2b_admission *bind,
				     struct b2b_str password)
{
	const struct b2b_partner *partner = &bind->partner->u.partner;
	struct b2b_error why = { "" };
	struct b2b_home_request request = {
		.partner = partner->tenant_id,
		.uris = (const char *const *)partner->home_uris,
		.uri_count = partner->home_uri_count,
		.start_tls = partner->home_start_tls,
		.ca_file = partner->home_ca_file,
		.name = bind->home_name,
		.password = password,
	};
	enum b2b_home_answer answer = b2b_homes_prove(bind->tenant->homes, &request, &why);

	if (why.text[0])
		Debug(LDAP_DEBUG_ANY, "%s b2b: home of tenant=%s: %s\n", op->o_log_prefix,
		      partner->tenant_id, why.text);
	return answer;
}

/* Which overlays stand on a database, as one number: theirs are the callbacks of an operation. */
static uint64_t overlays_on(const struct slap_overinfo *oi)
{
	uint64_t sum = 0;

	for (const slap_overinst *on = oi->oi_list; on; on = on->on_next)
		sum = sum * 0x100000001b3u + (uintptr_t)on;
	return sum;
}

/* What overlays of a database (and those that stand before it) have put into op's answer points to
 * memory of theirs, and slapd's own callback for them to oi: an overlay that was deleted meanwhile
 * must not be called any more. */
static void forget_overlays(Operation *op, const struct slap_overinfo *oi)
{
	for (slap_callback *cb = op->o_callback; cb; cb = cb->sc_next) {
		if (cb->sc_private == oi) {
			op->o_callback = cb->sc_next;
			return;
		}
	}
}

/* Asks home, which may take its time.  False: overlays came or went meanwhile, and what they left in
 * this operation was forgotten. */
static bool ask_home_safely(Operation *op, const struct b2b_admission *bind,
			    struct b2b_str password, const struct slap_overinfo *oi,
			    enum b2b_home_answer *answer_r)
{
	const struct slap_overinfo *front = frontendDB->bd_info->bi_private;
	uint64_t on_database = overlays_on(oi), on_frontend = overlays_on(front);

	*answer_r = ask_home(op, bind, password);
	/* oi is there as long as this overlay is, front as long as it is the frontend's */
	bool same_database = bind->tenant->open && overlays_on(oi) == on_database;
	bool same_frontend = b2b_gate_stands() && frontendDB->bd_info->bi_private == front &&
			     overlays_on(front) == on_frontend;
	if (!same_database)
		forget_overlays(op, oi);
	if (!same_frontend)
		forget_overlays(op, front);
	return same_database && same_frontend;
}

/* --- the bind --- */

/* Whether policy wants several factors, for the door or for what an application would show. */
static bool wants_mfa(Operation *op, struct b2b_admission *bind)
{
	struct b2b_proof proof = { .kind = B2B_IDP_LDAP, .sign_in = { .when = slap_get_time() } };
	struct b2b_context context = b2b_passage_context(op, &proof);
	enum b2b_reason reason = b2b_admission_decide(op, bind, &context).reason;
	const struct b2b_rule *app;

	for (size_t i = 0;
	     reason != B2B_REASON_MFA_REQUIRED && (app = b2b_snapshot_app_at(bind->snapshot, i));
	     i++) {
		if (app->u.app.scope_count)
			reason = b2b_passage_decide(op, bind->tenant, bind->snapshot, &bind->guest,
						    app, &context)
					 .reason;
	}
	return reason == B2B_REASON_MFA_REQUIRED;
}

/* Takes six digits off the password of a guest that has one-time passwords, where policy wants them;
 * else they are the home password's own.  Whether they are right must not matter: who may try until
 * they are taken off is never counted. */
static void split_password(Operation *op, struct b2b_admission *bind, struct b2b_str *password,
			   struct b2b_str *code_r)
{
	struct b2b_str rest, code;

	*code_r = (struct b2b_str){ NULL, 0 };
	if (!bind->has_totp || !b2b_totp_split(*password, &rest, &code) || !wants_mfa(op, bind))
		return;
	*password = rest;
	*code_r = code;
}

static int bind_at_home(Operation *op, SlapReply *rs, struct b2b_admission *bind,
			const struct slap_overinfo *oi)
{
	struct b2b_context context = b2b_map_context(op, B2B_STAGE_BEFORE_PROOF);
	struct b2b_proof proof = { .kind = B2B_IDP_LDAP };
	struct b2b_str password = b2b_map_str(&op->orb_cred), code;
	char text[B2B_ANSWER_SIZE];
	struct b2b_verdict verdict;
	enum b2b_home_answer answer;

	if (!b2b_admission_read(op, bind))
		return fail(op, rs, LDAP_INVALID_CREDENTIALS, NULL);
	verdict = b2b_admission_decide(op, bind, &context);
	if (verdict.effect == B2B_ALLOW)
		verdict = decide_proof(op, bind);
	if (verdict.effect != B2B_ALLOW)
		return fail(op, rs, b2b_admission_deny(op, bind, &verdict), NULL);
	split_password(op, bind, &password, &code);

	if (!ask_home_safely(op, bind, password, oi, &answer))
		return fail(op, rs, LDAP_UNAVAILABLE, NULL);
	switch (answer) {
	case B2B_HOME_PROVED:
		/* home was asked at leisure: what holds now? */
		if (!b2b_admission_read(op, bind))
			return fail(op, rs, LDAP_INVALID_CREDENTIALS, NULL);
		proof.sign_in.when = slap_get_time();
		rs->sr_err = b2b_admission_admit(op, bind, &proof, code, text);
		/* the frontend answers a success */
		return rs->sr_err ? fail(op, rs, rs->sr_err, text) : LDAP_SUCCESS;
	case B2B_HOME_REFUSED:
		return fail(op, rs, LDAP_INVALID_CREDENTIALS, NULL);
	case B2B_HOME_BUSY:
		return fail(op, rs, LDAP_BUSY, NULL);
	case B2B_HOME_UNAVAILABLE:
	default:
		return fail(op, rs, LDAP_UNAVAILABLE, NULL);
	}
}

/* A token that the gate did not believe, or that another tenant's partner made, proves nothing; and
 * whatever looks like a token is never shown to a home directory. */
static int bind_by_token(Operation *op, SlapReply *rs, struct b2b_tenant *tenant,
			 const struct b2b_bearer *token)
{
	char text[B2B_ANSWER_SIZE] = "";

	rs->sr_err = LDAP_INVALID_CREDENTIALS;
	if (token && token->right && token->tenant == tenant)
		rs->sr_err = b2b_admission_by_token(op, token, &op->o_req_ndn, text);
	return rs->sr_err ? fail(op, rs, rs->sr_err, text) : LDAP_SUCCESS;
}

int b2b_bind(Operation *op, SlapReply *rs)
{
	slap_overinst *on = (slap_overinst *)op->o_bd->bd_info;
	struct b2b_tenant *tenant = on->on_bi.bi_private;
	struct b2b_admission bind = { .tenant = tenant, .ndn = op->o_req_ndn };
	const struct b2b_bearer *token = b2b_bearer_here(op);
	struct berval service;
	int rc;

	if (!tenant->open || be_isroot_dn(op->o_bd, &op->o_req_ndn))
		return SLAP_CB_CONTINUE;
	if (!b2b_gate_stands())
		return b2b_tenant_refuse(op, rs, LDAP_UNAVAILABLE, "b2b: the gate is missing");
	if (op->orb_method != LDAP_AUTH_SIMPLE || !b2b_session_is_guest(op, tenant, &op->o_req_ndn))
		return SLAP_CB_CONTINUE;
	atomic_fetch_add(&tenant->refs, 1);
	b2b_session_service(op, &service);
	bind.door = b2b_map_door(op, &service);
	op->o_bd->bd_info = (BackendInfo *)on->on_info;
	if (token || b2b_jws_is_like(b2b_map_str(&op->orb_cred)))
		rc = bind_by_token(op, rs, tenant, token);
	else
		rc = bind_at_home(op, rs, &bind, on->on_info);
	op->o_bd->bd_info = (BackendInfo *)on;
	b2b_admission_clear(&bind);
	b2b_tenant_release(&bind.tenant);
	return rc;
}
