/*
 * gate.c - overlay "b2bgate" on the frontend: the door every operation of every connection passes.
 * In: binds (SASL too) and all operations.  Out: sessions; a guest's operation judged again, refused
 * or let on with its passage; answers that tell hidden and missing entries apart made alike.
 */
#include "glue.h"

static bool gate_is_open;
static slap_overinst b2b_gate;

static ConfigOCs gate_classes[] = {
	{ .co_def = "( " B2B_OID ".6.2 NAME 'olcB2bGateConfig' "
		    "DESC 'The door for guests of partner organisations, on the frontend' "
		    "SUP olcOverlayConfig MAY olcB2bNarrow )",
	  .co_type = Cft_Overlay,
	  .co_table = b2b_narrow_options },
	{ .co_def = NULL }
};

/* --- operations --- */

static void push_callback(Operation *op, slap_response *response, void *ctx)
{
	slap_callback *cb = op->o_tmpcalloc(1, sizeof(*cb), op->o_tmpmemctx);

	cb->sc_response = response;
	cb->sc_private = ctx;
	cb->sc_next = op->o_callback;
	op->o_callback = cb;
}

/* Controls a guest may send; any other, critical or not, is refused: what a control that is not
 * known here lets its user see is not known either. */
static const char *const guest_controls[] = {
	LDAP_CONTROL_PAGEDRESULTS,   LDAP_CONTROL_MANAGEDSAIT,
	LDAP_CONTROL_SUBENTRIES,     LDAP_CONTROL_VALUESRETURNFILTER,
	LDAP_CONTROL_X_DOMAIN_SCOPE, LDAP_CONTROL_X_SESSION_TRACKING,
};

static bool has_other_control(Operation *op)
{
	/* one who may act as a guest (authzTo) is judged as that guest; guests themselves may not */
	bool acting = op->o_conn && !b2b_map_is_own_name(op);

	for (LDAPControl **c = op->o_ctrls; c && *c; c++) {
		bool known = acting && !strcmp((*c)->ldctl_oid, LDAP_CONTROL_PROXY_AUTHZ);

		for (size_t i = 0; i < sizeof(guest_controls) / sizeof(guest_controls[0]); i++)
			known = known || !strcmp((*c)->ldctl_oid, guest_controls[i]);
		if (!known)
			return true;
	}
	return false;
}

/* Redemption brings its own proof and asks policy itself: a guest may so accept newer terms, without
 * which policy lets it do nothing. */
static bool is_redemption(Operation *op)
{
	static const struct berval redeem = BER_BVC(B2B_OID ".3.2");

	return op->o_tag == LDAP_REQ_EXTENDED && bvmatch(&op->ore_reqoid, &redeem);
}

/* What a guest may do; of writing only the answer to its own review is among a guest's rights, and of
 * one without an entry not even that. */
static bool is_guest_operation(Operation *op, bool direct)
{
	static const struct berval whoami = BER_BVC(LDAP_EXOP_WHO_AM_I);
	static const struct berval cancel = BER_BVC(LDAP_EXOP_CANCEL);
	static const struct berval starttls = BER_BVC(LDAP_EXOP_START_TLS);
	static const struct berval totp = BER_BVC(B2B_OID ".3.7");

	if (is_redemption(op))
		return true;
	switch (op->o_tag) {
	case LDAP_REQ_SEARCH:
	case LDAP_REQ_COMPARE:
		return true;
	case LDAP_REQ_MODIFY:
		return !direct && b2b_review_may_answer(op);
	case LDAP_REQ_EXTENDED:
		return bvmatch(&op->ore_reqoid, &whoami) || bvmatch(&op->ore_reqoid, &cancel) ||
		       bvmatch(&op->ore_reqoid, &starttls) ||
		       (bvmatch(&op->ore_reqoid, &totp) && !direct);
	default:
		return false;
	}
}

static int refuse(Operation *op, SlapReply *rs, int err, const char *text)
{
	slap_overinst *on = (slap_overinst *)op->o_bd->bd_info;

	op->o_bd->bd_info = (BackendInfo *)on->on_info;
	send_ldap_error(op, rs, err, text);
	op->o_bd->bd_info = (BackendInfo *)on;
	return rs->sr_err;
}

static int refuse_verdict(Operation *op, SlapReply *rs, const struct b2b_passage *passage)
{
	char text[B2B_ANSWER_SIZE];

	b2b_map_log_denial(op, &passage->guest, passage->app_id, &passage->verdict);
	b2b_map_answer(passage->verdict.reason, text);
	return refuse(op, rs, b2b_map_code(passage->verdict.reason), text);
}

/* Whether op may add an entry where its own stands, or take that one away. */
static bool may_write_at_parent(Operation *op, struct b2b_tenant *tenant)
{
	slap_access_t right = op->o_tag == LDAP_REQ_ADD ? ACL_WADD : ACL_WDEL;
	BackendDB *saved = op->o_bd;
	struct berval parent;

	if (op->o_tag == LDAP_REQ_MODRDN && !op->orr_nnewSup)
		right = ACL_WRITE;
	dnParent(&op->o_req_ndn, &parent);
	Entry *e = b2b_entry_get(op, tenant, &parent);
	if (!e)
		return false;
	op->o_bd = tenant->be;
	bool may = access_allowed(op, e, slap_schema.si_ad_children, NULL, right, NULL) != 0;
	op->o_bd = saved;
	b2b_entry_release(op, tenant, e);
	return may;
}

/* Answers as slapd does for an entry that is not there, by the same steps. */
static int refuse_missing(Operation *op, SlapReply *rs, struct b2b_tenant *tenant)
{
	BackendDB *saved = op->o_bd;

	op->o_bd = tenant->be;
	int rc = backend_check_restrictions(op, rs, NULL);
	op->o_bd = saved;
	if (rc != LDAP_SUCCESS)
		return refuse(op, rs, rs->sr_err, rs->sr_text);
	return refuse(op, rs, LDAP_NO_SUCH_OBJECT, NULL);
}

/* Whether op renames what would stand below a hidden guest. */
static bool renames_below_hidden(Operation *op, struct b2b_tenant *tenant)
{
	struct berval parent;

	if (op->o_tag != LDAP_REQ_MODRDN || !tenant)
		return false;
	dnParent(&op->o_req_ndn, &parent);
	return b2b_access_is_hidden_guest(op, tenant, &parent);
}

/* What the account sees no value of, an entry does not have. */
static int say_no_attribute(Operation *op, SlapReply *rs)
{
	if (rs->sr_type == REP_RESULT && rs->sr_err == LDAP_COMPARE_FALSE)
		rs->sr_err = LDAP_NO_SUCH_ATTRIBUTE;
	return SLAP_CB_CONTINUE;
}

/* An operation of a service account.  Writes to a guest that it does not find are answered as slapd
 * answers those to a missing entry. */
static int gate_service(Operation *op, SlapReply *rs, const struct b2b_passage *passage)
{
	bool write = op->o_tag == LDAP_REQ_MODIFY || op->o_tag == LDAP_REQ_DELETE ||
		     op->o_tag == LDAP_REQ_MODRDN || op->o_tag == LDAP_REQ_ADD;
	struct b2b_tenant *tenant = write ? b2b_tenant_of(&op->o_req_ndn) : NULL;
	bool hidden = tenant && b2b_access_is_hidden_guest(op, tenant, &op->o_req_ndn);
	/* a consumer refers every write, whatever the name, to its provider; in a transaction nothing
	 * is looked up before its end, where keeper.c sees to it */
	bool later = tenant && (SLAP_SINGLE_SHADOW(tenant->be) || op->o_txnSpec);
	bool may = hidden && may_write_at_parent(op, tenant);
	bool add = op->o_tag == LDAP_REQ_ADD; /* who may add hears that the name is taken */

	/* to rename, slapd asks for the right at the parent before it looks for the entry */
	if (!later && ((hidden && !add && (may || op->o_tag != LDAP_REQ_MODRDN)) ||
		       renames_below_hidden(op, tenant)))
		return refuse_missing(op, rs, tenant);
	if (b2b_filter_sorts_hidden(op))
		return refuse(op, rs, LDAP_UNAVAILABLE_CRITICAL_EXTENSION,
			      "b2b: applications may not sort by this attribute");
	b2b_filter_narrow(op, passage);
	b2b_filter_close(op);
	if (b2b_filter_compares_hidden(op, passage))
		push_callback(op, say_no_attribute, NULL);
	b2b_alike_answers(op, hidden && add && !may);
	return SLAP_CB_CONTINUE;
}

/* Whether the connection itself belongs to a guest, whatever name the operation runs under. */
static bool is_guest_in_disguise(Operation *op)
{
	struct b2b_session session;
	Connection *conn = op->o_conn;
	struct berval ndn = op->o_ndn, bound = BER_BVNULL;

	if (!conn || conn->c_conn_idx < 0 || b2b_map_is_own_name(op))
		return false;
	ldap_pvt_thread_mutex_lock(&conn->c_mutex);
	if (!BER_BVISEMPTY(&conn->c_ndn))
		ber_dupbv_x(&bound, &conn->c_ndn, op->o_tmpmemctx);
	ldap_pvt_thread_mutex_unlock(&conn->c_mutex);
	if (BER_BVISNULL(&bound))
		return false;
	op->o_ndn = bound;
	b2b_session_find(op, &session);
	op->o_ndn = ndn;
	return session.who == B2B_WHO_GUEST;
}

/* hasSubordinates tells of hidden entries too, so its compare has one answer, whatever the name.
 * slapd must not be the one to deny it: it keeps hold of the entry, and dies at the next
 * operation in that thread. */
static bool compares_subordinates(Operation *op)
{
	return op->o_tag == LDAP_REQ_COMPARE &&
	       op->orc_ava->aa_desc == slap_schema.si_ad_hasSubordinates;
}

/* Whether a guest's operation is about a name outside its tenant's database.  Not every backend asks
 * the access hook: cn=config asks slapd's access control alone.  What tells nothing about entries,
 * the root DSE and the schema, is everybody's. */
static bool is_elsewhere(Operation *op, const struct b2b_passage *passage)
{
	const struct berval *ndn = &op->o_req_ndn;

	if (op->o_tag == LDAP_REQ_EXTENDED)
		return false;
	if (BER_BVISEMPTY(ndn)) {
		if (op->o_tag != LDAP_REQ_SEARCH || op->ors_scope == LDAP_SCOPE_BASE)
			return false;
		ndn = &default_search_nbase;
	}
	return !bvmatch(ndn, &frontendDB->be_schemandn) && b2b_tenant_of(ndn) != passage->tenant;
}

static int gate_operation(Operation *op, SlapReply *rs)
{
	/* as slapd says it of its own mechanisms */
	if (b2b_session_is_binding(op))
		return refuse(op, rs, LDAP_OPERATIONS_ERROR, "SASL bind in progress");
	if (is_guest_in_disguise(op))
		return refuse(op, rs, LDAP_INSUFFICIENT_ACCESS,
			      "b2b: guests may not use proxied authorization");
	b2b_groups_follow(op);
	struct b2b_passage *passage = b2b_passage_enter(op);
	if (passage->who == B2B_WHO_GUEST) {
		if (passage->verdict.effect != B2B_ALLOW && !is_redemption(op))
			return refuse_verdict(op, rs, passage);
		if (!is_guest_operation(op, passage->direct))
			return refuse(op, rs, LDAP_INSUFFICIENT_ACCESS,
				      "b2b: guests may not use this operation");
		if (has_other_control(op))
			return refuse(op, rs, LDAP_INSUFFICIENT_ACCESS,
				      "b2b: guests may not use this control");
		if (compares_subordinates(op))
			return refuse(op, rs, LDAP_INSUFFICIENT_ACCESS, NULL);
		if (is_elsewhere(op, passage))
			return refuse(op, rs, LDAP_NO_SUCH_OBJECT, NULL);
		/* where an alias leads is found out before access is checked */
		if (op->o_tag == LDAP_REQ_SEARCH)
			op->ors_deref = LDAP_DEREF_NEVER;
		b2b_filter_close(op);
		b2b_alike_answers(op, false);
		if (op->o_tag == LDAP_REQ_SEARCH)
			return b2b_narrow_search(op, rs, passage);
	} else if (passage->service) {
		if (compares_subordinates(op))
			return refuse(op, rs, LDAP_INSUFFICIENT_ACCESS, NULL);
		return gate_service(op, rs, passage);
	}
	return SLAP_CB_CONTINUE;
}

/* --- binds --- */

/* Whether a SASL mechanism of slapd's own is about to make a guest of somebody. */
static bool is_guest_by_sasl(Operation *op)
{
	struct b2b_tenant *tenant;

	if (op->orb_method != LDAP_AUTH_SASL || BER_BVISEMPTY(&op->orb_edn) ||
	    b2b_session_is_proving(op))
		return false;
	tenant = b2b_tenant_of(&op->orb_edn);
	return tenant && b2b_session_is_guest(op, tenant, &op->orb_edn);
}

static int bind_response(Operation *op, SlapReply *rs)
{
	if (rs->sr_type != REP_RESULT && rs->sr_type != REP_SASL)
		return SLAP_CB_CONTINUE;
	if (rs->sr_err != LDAP_SUCCESS)
		return SLAP_CB_CONTINUE;
	if (is_guest_by_sasl(op)) {
		Debug(LDAP_DEBUG_STATS,
		      "b2b: %s guest=\"%s\" verdict=deny: a guest proves itself at home, not by "
		      "SASL %s\n",
		      op->o_log_prefix, op->orb_edn.bv_val, op->orb_mech.bv_val);
		rs->sr_err = LDAP_INVALID_CREDENTIALS;
		rs->sr_text = NULL;
		return SLAP_CB_CONTINUE;
	}
	b2b_session_bound(op, op->orb_method == LDAP_AUTH_SASL ? &op->orb_edn : &op->o_conn->c_ndn);
	return SLAP_CB_CONTINUE;
}

static int gate_bind(Operation *op, SlapReply *rs)
{
	slap_callback *cb;

	cb = op->o_tmpcalloc(1, sizeof(*cb), op->o_tmpmemctx);
	cb->sc_response = bind_response;
	cb->sc_next = op->o_callback;
	op->o_callback = cb;
	bool asked = b2b_control_is_here(op);
	if (!asked && b2b_oauth_is_here(op))
		return b2b_oauth_bind(op, rs);
	b2b_oauth_forget(op);
	if (asked)
		return b2b_control_bind(op, rs);
	return op->orb_method == LDAP_AUTH_SIMPLE ? b2b_bearer_gate(op, rs) : SLAP_CB_CONTINUE;
}

/* --- life --- */

bool b2b_gate_stands(void)
{
	/* taken out of the list with the pool paused, closed only later */
	return gate_is_open && overlay_is_inst(frontendDB, "b2bgate");
}

bool b2b_gate_is(const slap_overinst *on)
{
	const slap_overinst *other = NULL;

	if (b2b_gate_stands())
		other = ((slap_overinfo *)frontendDB->bd_info->bi_private)->oi_list;
	while (other && other != on)
		other = other->on_next;
	return other != NULL;
}

bool b2b_gate_pause(BackendDB *be)
{
	slap_overinst *on = (slap_overinst *)be->bd_info;

	if (slapd_shutdown)
		return false;
	for (slap_overinst *other = on->on_info->oi_list; other; other = other->on_next) {
		if (other == on)
			return false;
	}
	return ldap_pvt_thread_pool_pause(&connection_pool) == 0;
}

static int gate_db_init(BackendDB *be, ConfigReply *cr)
{
	if (SLAP_ISGLOBALOVERLAY(be)) {
		b2b_narrow_reset();
		return 0;
	}
	snprintf(cr->msg, sizeof(cr->msg),
		 "b2b: overlay b2bgate stands on the frontend; on a database stands b2b");
	Debug(LDAP_DEBUG_ANY, "%s\n", cr->msg);
	return 1;
}

static int gate_db_open(BackendDB *be, ConfigReply *cr)
{
	if (slapMode & SLAP_TOOL_MODE)
		return 0;
	if (!gate_is_open)
		b2b_oauth_announce(true);
	gate_is_open = true;
	return b2b_session_open();
}

static int gate_db_close(BackendDB *be, ConfigReply *cr)
{
	bool paused = b2b_gate_pause(be);

	/* another one may have been added since this one was deleted */
	if (paused && overlay_is_inst(frontendDB, "b2bgate")) {
		ldap_pvt_thread_pool_resume(&connection_pool);
		return 0;
	}
	if (gate_is_open && b2b_tenants && !slapd_shutdown)
		Debug(LDAP_DEBUG_ANY, "b2b: the gate was taken away: databases with overlay b2b "
				      "serve their rootdn alone\n");
	if (gate_is_open)
		b2b_oauth_announce(false);
	gate_is_open = false;
	b2b_session_close();
	if (paused)
		ldap_pvt_thread_pool_resume(&connection_pool);
	return 0;
}

int b2b_gate_register(void)
{
	b2b_gate.on_bi.bi_type = "b2bgate";
	b2b_gate.on_bi.bi_flags = SLAPO_BFLAG_SINGLE;
	b2b_gate.on_bi.bi_db_init = gate_db_init;
	b2b_gate.on_bi.bi_db_open = gate_db_open;
	b2b_gate.on_bi.bi_db_close = gate_db_close;
	b2b_gate.on_bi.bi_op_bind = gate_bind;
	b2b_gate.on_bi.bi_op_search = gate_operation;
	b2b_gate.on_bi.bi_op_compare = gate_operation;
	b2b_gate.on_bi.bi_op_add = gate_operation;
	b2b_gate.on_bi.bi_op_delete = gate_operation;
	b2b_gate.on_bi.bi_op_modify = gate_operation;
	b2b_gate.on_bi.bi_op_modrdn = gate_operation;
	b2b_gate.on_bi.bi_extended = gate_operation;
	b2b_gate.on_bi.bi_access_allowed = b2b_access_allowed;
	b2b_gate.on_bi.bi_cf_ocs = gate_classes;

	int rc = config_register_schema(b2b_narrow_options, gate_classes);
	return rc ? rc : overlay_register(&b2b_gate);
}
