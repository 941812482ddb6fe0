/*
 * bearer.c - a token that a bind carries: verified at the gate, before anybody looks whose name it is
 * given for, so that known and unknown guests take the same way.
 * In: a password, or what OAUTHBEARER carries.  Out: struct b2b_bearer for admit.c and direct.c; the
 * guest whose token it is.  Nothing of a token is ever logged.
 */
#include "glue.h"

static const char bearer_key = 0;

/* --- verifying --- */

/* Whether a token may come over this connection at all. */
static enum b2b_reason may_be_sent(Operation *op, const struct b2b_snapshot *snapshot)
{
	const struct b2b_rule *rule = b2b_snapshot_tenant(snapshot);

	if (!rule || rule->invalid)
		return B2B_REASON_POLICY_INVALID;
	if (rule->u.tenant.require_tls && !b2b_map_is_protected(op))
		return B2B_REASON_TLS_REQUIRED;
	return B2B_REASON_NONE;
}

/* An identity of the core, moved into op's memory. */
static void take_identity(Operation *op, struct b2b_tenant *tenant,
			  const struct b2b_identity *identity, struct b2b_bearer *token)
{
	const struct b2b_partner *partner = &identity->partner->u.partner;
	struct b2b_proof *proof = &token->proof;

	token->right = true;
	token->tenant = tenant;
	token->tenant_id = b2b_map_copy_str(op, b2b_str_of(partner->tenant_id));
	token->subject = b2b_map_copy_str(op, b2b_str_of(identity->subject));
	token->email = b2b_map_copy_str(op, b2b_str_of(identity->email));
	token->id = b2b_map_copy_str(op, b2b_str_of(identity->id));
	token->expires = identity->expires;
	token->once = partner->token.once;
	token->out = identity->out;
	token->out_said = identity->out_said;
	proof->kind = B2B_IDP_OIDC;
	if (identity->app)
		ber_str2bv(b2b_map_copy(op, identity->app->dn), 0, 0, &proof->app_dn);
	proof->sign_in = (struct b2b_sign_in){ .when = identity->authenticated,
					       .mfa = identity->mfa,
					       .compliant_device = identity->compliant_device,
					       .hybrid_joined = identity->hybrid_joined };
	proof->groups_known = identity->groups_known;
	proof->group_count = identity->group_count;
	proof->groups =
		op->o_tmpcalloc(identity->group_count + 1, sizeof(*proof->groups), op->o_tmpmemctx);
	for (size_t i = 0; i < identity->group_count; i++)
		proof->groups[i] = b2b_map_copy_str(op, identity->groups[i]);
}

/* A signature has one size, so at most one of the two readings can be right: with the last six
 * digits, or without. */
static enum b2b_err verify(const struct b2b_snapshot *snapshot, struct b2b_str text,
			   struct b2b_identity **identity_r, struct b2b_str *code_r,
			   struct b2b_error *why)
{
	struct b2b_str rest, code;
	struct b2b_error second;
	time_t now = slap_get_time();

	*code_r = (struct b2b_str){ NULL, 0 };
	if (b2b_token_verify(snapshot, text, now, identity_r, why) == B2B_OK)
		return B2B_OK;
	if (!b2b_totp_split(text, &rest, &code) ||
	    b2b_token_verify(snapshot, rest, now, identity_r, &second) != B2B_OK)
		return B2B_ERR_INVALID;
	*code_r = code;
	return B2B_OK;
}

/* Whether a tenant believes the token.  Reads it into token_r the first time. */
static bool ask_tenant(Operation *op, struct b2b_tenant *tenant, struct b2b_str text,
		       struct b2b_bearer *token_r, struct b2b_error *why)
{
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(tenant);
	struct b2b_identity *identity = NULL;
	struct b2b_str code;
	enum b2b_reason reason = may_be_sent(op, snapshot);
	bool believes = false;

	if (reason != B2B_REASON_NONE)
		b2b_error_set(why, "%s", b2b_reason_name(reason));
	else
		believes = verify(snapshot, text, &identity, &code, why) == B2B_OK;
	if (believes && !token_r->right) {
		take_identity(op, tenant, identity, token_r);
		token_r->code = b2b_map_copy_str(op, code);
	}
	b2b_identity_free(&identity);
	b2b_snapshot_unref(&snapshot);
	return believes;
}

void b2b_bearer_verify(Operation *op, struct b2b_tenant *only, struct b2b_str text,
		       struct b2b_bearer *token_r)
{
	struct b2b_error why = { "no tenant here" };
	unsigned believers = 0;

	*token_r = (struct b2b_bearer){ .right = false };
	for (struct b2b_tenant *t = b2b_tenants; t; t = t->next) {
		if ((!only || t == only) && ask_tenant(op, t, text, token_r, &why))
			believers++;
	}
	if (believers == 1)
		return;
	if (believers > 1)
		b2b_error_set(&why, "several tenants of this server believe it, and no name says "
				    "which is meant");
	token_r->right = false;
	Debug(LDAP_DEBUG_STATS, "b2b: %s token refused: %s\n", op->o_log_prefix, why.text);
}

/* --- whose it is --- */

static bool has_mail(Entry *e, struct b2b_str mail)
{
	AttributeDescription *ad = NULL;
	const char *why;

	/* no type of the server's own: it may be missing, or come later than this module */
	if (!mail.len || slap_str2ad("mail", &ad, &why) != LDAP_SUCCESS)
		return false;
	Attribute *a = attr_find(e->e_attrs, ad);
	for (unsigned i = 0; a && i < a->a_numvals; i++) {
		if (b2b_str_equal_nocase(mail, b2b_map_str(&a->a_vals[i])))
			return true;
	}
	return false;
}

bool b2b_bearer_is_of(const struct b2b_bearer *token, const struct b2b_guest *guest, Entry *e)
{
	if (!token->right || !b2b_str_equal_nocase(token->tenant_id, guest->home_tenant))
		return false;
	if (guest->home_subject.len)
		return b2b_str_equal(token->subject, guest->home_subject);
	/* an invitation goes to an address; who has it at home is the one who was invited */
	return !guest->accepted && has_mail(e, token->email);
}

struct match {
	const struct b2b_bearer *token;
	Operation *op; /* in whose memory the name is kept */
	struct berval dn, ndn;
	unsigned count;
	bool unclear; /* a guest that might be the same person, or a search failed */
};

static int note_match(Operation *op, SlapReply *rs)
{
	struct match *match = op->o_callback->sc_private;
	struct b2b_source source;
	struct b2b_guest guest;

	if (rs->sr_type != REP_SEARCH)
		return 0;
	source = b2b_map_source(rs->sr_entry);
	b2b_guest_parse(&source, &guest, NULL);
	if (!b2b_map_is_guest(rs->sr_entry))
		return 0;
	if (!b2b_bearer_is_of(match->token, &guest, rs->sr_entry)) {
		if (b2b_str_equal_nocase(match->token->tenant_id, guest.home_tenant))
			match->unclear = true;
		return 0;
	}
	if (match->count++ > 0)
		return LDAP_SIZELIMIT_EXCEEDED;
	ber_dupbv_x(&match->dn, &rs->sr_entry->e_name, match->op->o_tmpmemctx);
	ber_dupbv_x(&match->ndn, &rs->sr_entry->e_nname, match->op->o_tmpmemctx);
	return 0;
}

/* Searches one suffix in the rootdn's name. */
static void search(Operation *op, struct match *match, const char *filter, int suffix)
{
	struct b2b_tenant *tenant = match->token->tenant;
	slap_callback cb = { .sc_response = note_match, .sc_private = match };
	SlapReply rs = { REP_RESULT };
	struct b2b_inner inner;
	Operation *op2 = b2b_inner_begin(&inner, op, tenant, LDAP_REQ_SEARCH);

	op2->o_req_dn = tenant->be->be_suffix[suffix];
	op2->o_req_ndn = tenant->be->be_nsuffix[suffix];
	op2->o_callback = &cb;
	op2->ors_scope = LDAP_SCOPE_SUBTREE;
	op2->ors_deref = LDAP_DEREF_NEVER;
	op2->ors_slimit = SLAP_NO_LIMIT;
	op2->ors_tlimit = SLAP_NO_LIMIT;
	op2->ors_attrs = slap_anlist_no_attrs;
	op2->ors_filter = str2filter_x(op2, filter);
	if (!op2->ors_filter) {
		match->unclear = true;
		return;
	}
	ber_str2bv(filter, 0, 0, &op2->ors_filterstr);
	op2->o_bd->be_search(op2, &rs);
	if (rs.sr_err != LDAP_SUCCESS && rs.sr_err != LDAP_NO_SUCH_OBJECT)
		match->unclear = true;
	filter_free_x(op2, op2->ors_filter, 1);
}

/* "(&(objectClass=b2bGuest)(<attribute>=<value>))" in every suffix of the tenant. */
static void look_for(Operation *op, struct match *match, const char *attr, struct b2b_str value)
{
	BackendDB *be = match->token->tenant->be;
	struct berval plain = { value.len, (char *)value.s }, escaped;

	if (!value.len)
		return;
	if (ldap_bv2escaped_filter_value_x(&plain, &escaped, 1, op->o_tmpmemctx)) {
		match->unclear = true;
		return;
	}
	size_t size = escaped.bv_len + 96;
	char *filter = op->o_tmpalloc(size, op->o_tmpmemctx);
	snprintf(filter, size, "(&(objectClass=b2bGuest)(%s=%s))", attr, escaped.bv_val);
	for (int i = 0; !BER_BVISNULL(&be->be_nsuffix[i]); i++)
		search(op, match, filter, i);
}

enum b2b_owner b2b_bearer_find_guest(Operation *op, const struct b2b_bearer *token,
				     struct berval *dn_r, struct berval *ndn_r)
{
	struct match match = { .token = token, .op = op };

	BER_BVZERO(dn_r);
	BER_BVZERO(ndn_r);
	look_for(op, &match, b2b_attr_name(B2B_ATTR_HOME_SUBJECT), token->subject);
	if (match.count == 0)
		look_for(op, &match, "mail", token->email);
	if (match.count == 0 && !match.unclear)
		return B2B_OWNER_NONE;
	if (match.count != 1) {
		Debug(LDAP_DEBUG_STATS, "b2b: %s token of tenant=%s: %s\n", op->o_log_prefix,
		      token->tenant_id.s,
		      match.count ? "several guests are this subject"
				  : "a guest may be this subject, which is not clear");
		return B2B_OWNER_UNCLEAR;
	}
	*dn_r = match.dn;
	*ndn_r = match.ndn;
	return B2B_OWNER_ONE;
}

/* --- simple binds --- */

const struct b2b_bearer *b2b_bearer_here(Operation *op)
{
	OpExtra *extra;

	LDAP_SLIST_FOREACH(extra, &op->o_extra, oe_next)
	{
		if (extra->oe_key == &bearer_key)
			return (struct b2b_bearer *)extra;
	}
	return NULL;
}

/* The bind goes on under the guest's name; slapd frees both names with the operation. */
static void rename_bind(Operation *op, const struct berval *dn, const struct berval *ndn)
{
	op->o_tmpfree(op->o_req_dn.bv_val, op->o_tmpmemctx);
	op->o_tmpfree(op->o_req_ndn.bv_val, op->o_tmpmemctx);
	op->o_req_dn = *dn;
	op->o_req_ndn = *ndn;
}

static int refuse(Operation *op, SlapReply *rs)
{
	slap_overinst *on = (slap_overinst *)op->o_bd->bd_info;

	b2b_oauth_cancel(op);
	op->o_bd->bd_info = (BackendInfo *)on->on_info;
	send_ldap_error(op, rs, LDAP_INVALID_CREDENTIALS, NULL);
	op->o_bd->bd_info = (BackendInfo *)on;
	return rs->sr_err;
}

int b2b_bearer_gate(Operation *op, SlapReply *rs)
{
	struct berval dn = BER_BVNULL, ndn = BER_BVNULL;
	bool named = !BER_BVISEMPTY(&op->o_req_ndn);
	struct b2b_str text = b2b_map_str(&op->orb_cred);
	struct b2b_tenant *tenant;
	struct b2b_bearer *token;

	if (!b2b_tenants || !b2b_jws_is_like(text))
		return SLAP_CB_CONTINUE;
	tenant = named ? b2b_tenant_of(&op->o_req_ndn) : NULL;
	if (named && (!tenant || be_isroot_dn(tenant->be, &op->o_req_ndn)))
		return SLAP_CB_CONTINUE;
	token = op->o_tmpcalloc(1, sizeof(*token), op->o_tmpmemctx);
	b2b_bearer_verify(op, tenant, text, token);
	token->extra.oe_key = (void *)&bearer_key;
	if (!named) {
		if (token->right)
			b2b_direct_find(op, token, &dn, &ndn);
		if (BER_BVISNULL(&ndn))
			return refuse(op, rs);
		rename_bind(op, &dn, &ndn);
	}
	LDAP_SLIST_INSERT_HEAD(&op->o_extra, &token->extra, oe_next);
	return SLAP_CB_CONTINUE;
}
