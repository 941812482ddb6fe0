/*
 * bind.c - a guest's simple bind: its password is shown to its home server, and nowhere else; its
 * token or code to nobody.
 * In: simple binds in a tenant's database, after slapd's own restrictions.  Out: success that the
 * frontend answers, or invalidCredentials without a word; unavailable where home is down; the
 * reason is in the log, and in the answer only once the proof was right.
 */
#include "proof.h"

static int fail(Operation *op, SlapReply *rs, int err, const char *text)
{
	send_ldap_error(op, rs, err, text && *text ? text : NULL);
	return err;
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

/* The proof was right, which may have taken its time: what holds now? */
static int admit(Operation *op, SlapReply *rs, struct b2b_admission *bind, enum b2b_idp kind,
		 struct b2b_str code)
{
	struct b2b_proof proof = { .kind = kind, .sign_in = { .when = slap_get_time() } };
	char text[B2B_ANSWER_SIZE];

	if (!b2b_admission_read(op, bind))
		return fail(op, rs, LDAP_INVALID_CREDENTIALS, NULL);
	rs->sr_err = b2b_admission_admit(op, bind, &proof, code, text);
	/* the frontend answers a success */
	return rs->sr_err ? fail(op, rs, rs->sr_err, text) : LDAP_SUCCESS;
}

static int bind_at_home(Operation *op, SlapReply *rs, struct b2b_admission *bind,
			const struct slap_overinfo *oi)
{
	struct b2b_str password = b2b_map_str(&op->orb_cred), code;
	int rc;

	if (!b2b_prove_before(op, bind, B2B_IDP_LDAP))
		return fail(op, rs, LDAP_INVALID_CREDENTIALS, NULL);
	split_password(op, bind, &password, &code);
	rc = b2b_prove_at_home(op, bind, password, oi);
	return rc ? fail(op, rs, rc, NULL) : admit(op, rs, bind, B2B_IDP_LDAP, code);
}

/* Eight digits, with six of a one-time password of ours behind them or without. */
static bool split_codes(struct b2b_str text, struct b2b_str *passcode_r, struct b2b_str *code_r)
{
	*passcode_r = text;
	*code_r = (struct b2b_str){ NULL, 0 };
	return b2b_passcode_is_like(text) ||
	       (b2b_totp_split(text, passcode_r, code_r) && b2b_passcode_is_like(*passcode_r));
}

/* Whatever such a guest sends is shown to nobody. */
static int bind_by_passcode(Operation *op, SlapReply *rs, struct b2b_admission *bind)
{
	struct b2b_str passcode, code;
	bool spent;

	if (b2b_passcode_is_asked(&op->orb_cred) || !b2b_prove_before(op, bind, B2B_IDP_PASSCODE) ||
	    !split_codes(b2b_map_str(&op->orb_cred), &passcode, &code) ||
	    !b2b_passcode_try(op, bind, passcode, &spent))
		return fail(op, rs, LDAP_INVALID_CREDENTIALS, NULL);
	if (!spent)
		bind->passcode = passcode;
	return admit(op, rs, bind, B2B_IDP_PASSCODE, code);
}

static int bind_by_password(Operation *op, SlapReply *rs, struct b2b_admission *bind,
			    const struct slap_overinfo *oi)
{
	if (!b2b_admission_read(op, bind))
		return fail(op, rs, LDAP_INVALID_CREDENTIALS, NULL);
	return b2b_prove_by_passcode(bind) ? bind_by_passcode(op, rs, bind)
					   : bind_at_home(op, rs, bind, oi);
}

/* A token that the gate did not believe, or that another tenant's partner made, proves nothing; and
 * whatever looks like a token is never shown to a home directory. */
static int bind_by_token(Operation *op, SlapReply *rs, struct b2b_tenant *tenant,
			 const struct b2b_bearer *token)
{
	char text[B2B_ANSWER_SIZE] = "";

	rs->sr_err = LDAP_INVALID_CREDENTIALS;
	if (token && token->right && token->tenant == tenant)
		rs->sr_err = b2b_direct_tenant(&op->o_req_ndn)
				     ? b2b_direct_admit(op, token, &op->o_req_ndn, text)
				     : b2b_admission_by_token(op, token, &op->o_req_ndn, text);
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
	if (op->orb_method == LDAP_AUTH_SIMPLE && b2b_passcode_is_asked(&op->orb_cred))
		b2b_passcode_ask(op, tenant, &op->o_req_ndn);
	if (op->orb_method != LDAP_AUTH_SIMPLE || !b2b_session_is_guest(op, tenant, &op->o_req_ndn))
		return SLAP_CB_CONTINUE;
	atomic_fetch_add(&tenant->refs, 1);
	b2b_session_service(op, &service);
	bind.door = b2b_map_door(op, &service);
	op->o_bd->bd_info = (BackendInfo *)on->on_info;
	if (token || b2b_jws_is_like(b2b_map_str(&op->orb_cred)))
		rc = bind_by_token(op, rs, tenant, token);
	else
		rc = bind_by_password(op, rs, &bind, on->on_info);
	op->o_bd->bd_info = (BackendInfo *)on;
	b2b_admission_clear(&bind);
	b2b_tenant_release(&bind.tenant);
	return rc;
}
