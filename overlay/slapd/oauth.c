/*
 * oauth.c - SASL OAUTHBEARER (RFC 7628) by the gate itself: Cyrus never hears of it.
 * In: SASL binds of that mechanism, in one step or more.  Out: a guest that is in; or the error as
 * JSON, the client's dummy answer, and the code that it all ends with.
 *
 * An unfinished bind is marked in the session alone (what it will end with), and slapd's own mark on
 * the connection (c_sasl_bind_in_progress, -mech) goes with the answer: whoever binds next without
 * passing here, for the gate was taken away, would have Cyrus go on with a mechanism that it never
 * began, and crash (measured).
 */
#include "proof.h"

#include "../core/oauth.h"

static struct berval mechanism = BER_BVC("OAUTHBEARER");

/* --- the connection's state --- */

static bool is_mechanism(const struct berval *mech)
{
	return mech->bv_len == mechanism.bv_len && !strcasecmp(mech->bv_val, mechanism.bv_val);
}

bool b2b_oauth_is_here(Operation *op)
{
	return op->orb_method == LDAP_AUTH_SASL && is_mechanism(&op->orb_mech) &&
	       op->o_protocol >= LDAP_VERSION3 && b2b_tenants;
}

static void free_mechanism(Connection *conn)
{
	ch_free(conn->c_sasl_bind_mech.bv_val);
	BER_BVZERO(&conn->c_sasl_bind_mech);
}

void b2b_oauth_forget(Operation *op)
{
	b2b_session_take_ending(op);
}

void b2b_oauth_cancel(Operation *op)
{
	Connection *conn = op->o_conn;

	ldap_pvt_thread_mutex_lock(&conn->c_mutex);
	free_mechanism(conn);
	conn->c_sasl_bind_in_progress = 0;
	ldap_pvt_thread_mutex_unlock(&conn->c_mutex);
}

/* What fe_op_bind does for a mechanism of Cyrus's. */
static void begin(Operation *op)
{
	Connection *conn = op->o_conn;

	ldap_pvt_thread_mutex_lock(&conn->c_mutex);
	free_mechanism(conn);
	ber_dupbv(&conn->c_sasl_bind_mech, &mechanism);
	conn->c_sasl_bindop = op;
	ldap_pvt_thread_mutex_unlock(&conn->c_mutex);
}

/* --- answers --- */

static int answer(Operation *op, SlapReply *rs, int err, struct berval *data)
{
	slap_overinst *on = (slap_overinst *)op->o_bd->bd_info;

	op->o_bd->bd_info = (BackendInfo *)on->on_info;
	rs->sr_err = err;
	rs->sr_sasldata = data;
	send_ldap_sasl(op, rs);
	rs->sr_sasldata = NULL;
	/* until op has ended slapd lets nobody else look at the connection */
	b2b_oauth_cancel(op);
	op->o_bd->bd_info = (BackendInfo *)on;
	return rs->sr_err;
}

/* The error as JSON; the client answers with 0x01, and only then the bind is over (3.2.2). */
static int tell(Operation *op, SlapReply *rs, const char *status, const struct b2b_ending *ending)
{
	char json[64];
	struct berval data = { 0, json };

	data.bv_len = (ber_len_t)snprintf(json, sizeof(json), "{\"status\":\"%s\"}", status);
	b2b_session_put_ending(op, ending);
	return answer(op, rs, LDAP_SASL_BIND_IN_PROGRESS, &data);
}

/* Without an initial response the client is asked for its message. */
static int ask(Operation *op, SlapReply *rs)
{
	const struct b2b_ending awaited = { .err = LDAP_SASL_BIND_IN_PROGRESS };
	struct berval nothing = BER_BVC("");

	b2b_session_put_ending(op, &awaited);
	return answer(op, rs, LDAP_SASL_BIND_IN_PROGRESS, &nothing);
}

static int tell_unproven(Operation *op, SlapReply *rs, const char *status)
{
	const struct b2b_ending ending = { .err = LDAP_INVALID_CREDENTIALS };

	return tell(op, rs, status, &ending);
}

static int end(Operation *op, SlapReply *rs, const struct b2b_ending *ending)
{
	rs->sr_text = ending->text[0] ? ending->text : NULL;
	answer(op, rs, ending->err, NULL);
	rs->sr_text = NULL;
	return rs->sr_err;
}

/* --- who --- */

static bool has_value(Entry *e, const char *attribute, struct b2b_str value)
{
	AttributeDescription *ad = NULL;
	const char *why;

	if (slap_str2ad(attribute, &ad, &why) != LDAP_SUCCESS)
		return false;
	Attribute *a = attr_find(e->e_attrs, ad);
	for (unsigned i = 0; a && i < a->a_numvals; i++) {
		if (b2b_str_equal_nocase(value, b2b_map_str(&a->a_vals[i])))
			return true;
	}
	return false;
}

static bool names_dn(Operation *op, const char *dn, const struct berval *ndn)
{
	struct berval given, normal;

	ber_str2bv(dn, 0, 0, &given);
	if (dnNormalize(0, NULL, NULL, &given, &normal, op->o_tmpmemctx) != LDAP_SUCCESS)
		return false;
	return bvmatch(&normal, ndn);
}

/* A guest may act for nobody but itself: "dn:<its DN>", or "u:" (which may be left out) and its uid
 * or mail. */
static bool is_own_name(Operation *op, const struct b2b_bearer *token, const struct berval *ndn,
			const char *authzid)
{
	bool own;

	if (!*authzid)
		return true;
	if (!strncasecmp(authzid, "dn:", 3))
		return names_dn(op, authzid + 3, ndn);
	if (!strncasecmp(authzid, "u:", 2))
		authzid += 2;
	Entry *e = b2b_entry_get(op, token->tenant, (struct berval *)ndn);
	if (!e)
		return false;
	own = has_value(e, "uid", b2b_str_of(authzid)) || has_value(e, "mail", b2b_str_of(authzid));
	b2b_entry_release(op, token->tenant, e);
	return own;
}

/* The guest whose token it is, if every name in the request is its own. */
static bool find_guest(Operation *op, const struct b2b_bearer *token, const struct b2b_oauth *oauth,
		       struct berval *ndn_r)
{
	struct berval dn;

	if (!token->right)
		return false;
	b2b_direct_find(op, token, &dn, ndn_r);
	if (BER_BVISNULL(ndn_r))
		return false;
	if ((BER_BVISEMPTY(&op->o_req_ndn) || bvmatch(&op->o_req_ndn, ndn_r)) &&
	    is_own_name(op, token, ndn_r, oauth->authzid))
		return true;
	Debug(LDAP_DEBUG_STATS, "b2b: %s token refused: it is asked to act for another\n",
	      op->o_log_prefix);
	return false;
}

/* --- the bind --- */

static int succeed(Operation *op, SlapReply *rs, const struct b2b_bearer *token,
		   const struct berval *ndn)
{
	ldap_pvt_thread_mutex_lock(&op->o_conn->c_mutex);
	op->o_conn->c_authz_backend = token->tenant->be;
	ldap_pvt_thread_mutex_unlock(&op->o_conn->c_mutex);
	ber_dupbv_x(&op->orb_edn, (struct berval *)ndn, op->o_tmpmemctx);
	op->orb_ssf = 0;
	return answer(op, rs, LDAP_SUCCESS, NULL);
}

static int prove(Operation *op, SlapReply *rs, const struct b2b_oauth *oauth)
{
	struct b2b_ending ending = { .err = LDAP_INVALID_CREDENTIALS };
	bool named = !BER_BVISEMPTY(&op->o_req_ndn);
	struct b2b_bearer token;
	struct berval ndn;

	/* a name says which tenant is meant */
	b2b_bearer_verify(op, named ? b2b_tenant_of(&op->o_req_ndn) : NULL, oauth->token, &token);
	if (oauth->code.len)
		token.code = oauth->code;
	if (!find_guest(op, &token, oauth, &ndn))
		return tell_unproven(op, rs, "invalid_token");
	ending.err = b2b_direct_tenant(&ndn)
			     ? b2b_direct_admit(op, &token, &ndn, ending.text)
			     : b2b_admission_by_token(op, &token, &ndn, ending.text);
	if (ending.err == LDAP_SUCCESS)
		return succeed(op, rs, &token, &ndn);
	return tell(op, rs, ending.text[0] ? "insufficient_scope" : "invalid_token", &ending);
}

int b2b_oauth_bind(Operation *op, SlapReply *rs)
{
	struct b2b_ending ending = b2b_session_take_ending(op);
	struct b2b_str message = b2b_map_str(&op->orb_cred);
	struct b2b_error error = { "" };
	struct b2b_oauth oauth;

	/* slapd's own way is left here, so its rules for binds are asked here */
	if (backend_check_restrictions(op, rs, &op->orb_mech) != LDAP_SUCCESS)
		return answer(op, rs, rs->sr_err, NULL);
	begin(op);
	if (ending.err != LDAP_SUCCESS && ending.err != LDAP_SASL_BIND_IN_PROGRESS)
		return end(op, rs, &ending);
	if (BER_BVISNULL(&op->orb_cred) || message.len == 0)
		return ask(op, rs);
	if (b2b_oauth_parse(message, &oauth, &error) == B2B_OK)
		return prove(op, rs, &oauth);
	Debug(LDAP_DEBUG_STATS, "b2b: %s OAUTHBEARER refused: %s\n", op->o_log_prefix, error.text);
	return tell_unproven(op, rs, "invalid_request");
}

/* --- the root DSE --- */

static int announce(void *arg, Entry *e)
{
	return attr_merge_one(e, slap_schema.si_ad_supportedSASLMechanisms, &mechanism, NULL);
}

void b2b_oauth_announce(bool on)
{
	if (on)
		entry_info_register(announce, NULL);
	else
		entry_info_unregister(announce, NULL);
}
