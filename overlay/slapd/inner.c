/*
 * inner.c - operations of the server's own, within one of a client's or of the task.
 * In: that operation, of which they take connection, thread and memory.
 * Out: an operation in the rootdn's name, with nothing of the client's request in it.
 */
#include "life.h"

Operation *b2b_inner_begin(struct b2b_inner *inner, Operation *op, struct b2b_tenant *tenant,
			   ber_tag_t tag)
{
	Operation *own = &inner->op;

	inner->op = *op;
	inner->header = *op->o_hdr;
	memset(inner->controls, 0, sizeof(inner->controls));
	/* no control, no transaction, no authorization that was asked for */
	memset(own->o_ctrlflag, 0, sizeof(own->o_ctrlflag));
	own->o_controls = inner->controls;
	own->o_ctrls = NULL;
	own->o_hdr = &inner->header;
	own->o_tag = tag;
	own->o_bd = tenant->be;
	own->o_dn = tenant->be->be_rootdn;
	own->o_ndn = tenant->be->be_rootndn;
	own->o_callback = NULL;
	own->o_is_auth_check = 0;
	own->o_acl_priv = ACL_NONE;
	own->o_dont_replicate = 0;
	own->o_managedsait = SLAP_CONTROL_CRITICAL;
	LDAP_SLIST_INIT(&own->o_extra);
	/* without these two a consumer lost 3 of 4 changes and accesslog 3 of 4 records (measured) */
	BER_BVZERO(&own->o_csn);
	slap_op_time(&own->o_time, &own->o_tincr);
	memset(&own->o_request, 0, sizeof(own->o_request));
	return own;
}

/* Says nothing to the client; and marks a write as the server's own. */
static int keep_quiet(Operation *op, SlapReply *rs)
{
	return LDAP_SUCCESS;
}

bool b2b_inner_is(const Operation *op)
{
	for (const slap_callback *cb = op->o_callback; cb; cb = cb->sc_next) {
		if (cb->sc_response == keep_quiet)
			return true;
	}
	return false;
}

static void forget_csn(Operation *own)
{
	if (!BER_BVISNULL(&own->o_csn))
		own->o_tmpfree(own->o_csn.bv_val, own->o_tmpmemctx);
	BER_BVZERO(&own->o_csn);
}

/* The entry must still be as it was read (RFC 4528). */
static bool demand(Operation *own, const char *csn)
{
	char assertion[LDAP_PVT_CSNSTR_BUFSIZE + 16];

	if (!csn)
		return true;
	snprintf(assertion, sizeof(assertion), "(entryCSN=%s)", csn);
	own->o_assertion = str2filter_x(own, assertion);
	own->o_assert = SLAP_CONTROL_CRITICAL;
	return own->o_assertion != NULL;
}

static void forget_demand(Operation *own)
{
	if (own->o_assert && own->o_assertion)
		filter_free_x(own, own->o_assertion, 1);
}

int b2b_inner_add(Operation *op, struct b2b_tenant *tenant, Entry *e)
{
	SlapReply rs = { REP_RESULT };
	slap_callback cb = { .sc_response = keep_quiet };
	struct b2b_inner inner;
	Operation *own = b2b_inner_begin(&inner, op, tenant, LDAP_REQ_ADD);

	own->o_req_dn = e->e_name;
	own->o_req_ndn = e->e_nname;
	own->o_callback = &cb;
	own->ora_e = e;
	own->o_bd->be_add(own, &rs);
	if (own->ora_e == e)
		entry_free(e);
	forget_csn(own);
	return rs.sr_err;
}

static void keep_value(const Attribute *a, Modifications **mods)
{
	Modifications *m = ch_calloc(1, sizeof(*m));

	m->sml_op = LDAP_MOD_REPLACE;
	m->sml_flags = SLAP_MOD_INTERNAL;
	m->sml_desc = a->a_desc;
	m->sml_type = a->a_desc->ad_cname;
	m->sml_numvals = 1;
	m->sml_values = ch_calloc(2, sizeof(struct berval));
	ber_dupbv(&m->sml_values[0], &a->a_vals[0]);
	if (a->a_nvals != a->a_vals) {
		m->sml_nvalues = ch_calloc(2, sizeof(struct berval));
		ber_dupbv(&m->sml_nvalues[0], &a->a_nvals[0]);
	}
	m->sml_next = *mods;
	*mods = m;
}

/* slapd leaves alone what a change itself says of its author; its stamp (entryCSN) slapd makes within
 * the write, as it must: one that was made before makes other servers lose a change that is written
 * beside this one. */
static void keep_author(Operation *op, struct b2b_tenant *tenant, const struct b2b_name *name,
			Modifications **mods)
{
	AttributeDescription *const kept[] = { slap_schema.si_ad_modifiersName,
					       slap_schema.si_ad_modifyTimestamp };
	struct berval ndn = name->ndn;
	Entry *e = b2b_entry_get(op, tenant, &ndn);

	if (!e)
		return;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		const Attribute *a = attr_find(e->e_attrs, kept[i]);

		if (a)
			keep_value(a, mods);
	}
	b2b_entry_release(op, tenant, e);
}

int b2b_inner_modify(Operation *op, struct b2b_tenant *tenant, const struct b2b_name *name,
		     const char *csn, Modifications *mods, bool quiet)
{
	SlapReply rs = { REP_RESULT };
	slap_callback cb = { .sc_response = keep_quiet };
	struct b2b_inner inner;
	Operation *own = b2b_inner_begin(&inner, op, tenant, LDAP_REQ_MODIFY);

	own->o_req_dn = name->dn;
	own->o_req_ndn = name->ndn;
	own->o_callback = &cb;
	if (!demand(own, csn)) {
		slap_mods_free(mods, 1);
		return LDAP_OTHER;
	}
	if (quiet)
		keep_author(op, tenant, name, &mods);
	own->orm_modlist = mods;
	own->o_bd->be_modify(own, &rs);
	slap_mods_free(own->orm_modlist, 1);
	forget_demand(own);
	forget_csn(own);
	return rs.sr_err;
}

int b2b_inner_delete(Operation *op, struct b2b_tenant *tenant, const struct b2b_name *name,
		     const char *csn)
{
	SlapReply rs = { REP_RESULT };
	slap_callback cb = { .sc_response = keep_quiet };
	struct b2b_inner inner;
	Operation *own = b2b_inner_begin(&inner, op, tenant, LDAP_REQ_DELETE);

	own->o_req_dn = name->dn;
	own->o_req_ndn = name->ndn;
	own->o_callback = &cb;
	if (!demand(own, csn))
		return LDAP_OTHER;
	own->o_bd->be_delete(own, &rs);
	forget_demand(own);
	forget_csn(own);
	return rs.sr_err;
}

/* --- searches --- */

struct looking {
	b2b_inner_found *found;
	void *ctx;
};

static int give_entry(Operation *op, SlapReply *rs)
{
	struct looking *looking = op->o_callback->sc_private;

	if (rs->sr_type != REP_SEARCH)
		return LDAP_SUCCESS;
	/* slapd goes on for ever unless the callback says that there is no more */
	return looking->found(looking->ctx, rs->sr_entry) ? LDAP_SUCCESS : LDAP_SIZELIMIT_EXCEEDED;
}

int b2b_inner_search(Operation *op, struct b2b_tenant *tenant, const struct b2b_where *where,
		     b2b_inner_found *found, void *ctx)
{
	struct looking looking = { found, ctx };
	slap_callback cb = { .sc_response = give_entry, .sc_private = &looking };
	SlapReply rs = { REP_RESULT };
	struct b2b_inner inner;
	Operation *own = b2b_inner_begin(&inner, op, tenant, LDAP_REQ_SEARCH);

	if (where->as_seen) {
		own->o_managedsait = SLAP_CONTROL_NONE;
		/* back-mdb has one reading a thread, and finds it here (measured) */
		own->o_extra = op->o_extra;
	}
	own->o_req_dn = *where->base_ndn;
	own->o_req_ndn = *where->base_ndn;
	own->o_callback = &cb;
	own->o_do_not_cache = 1;
	own->ors_scope = where->scope;
	own->ors_deref = LDAP_DEREF_NEVER;
	own->ors_slimit = SLAP_NO_LIMIT;
	own->ors_tlimit = SLAP_NO_LIMIT;
	own->ors_attrs = slap_anlist_all_attributes;
	own->ors_filter = str2filter_x(own, where->filter);
	if (!own->ors_filter)
		return LDAP_FILTER_ERROR;
	ber_str2bv(where->filter, 0, 0, &own->ors_filterstr);
	own->o_bd->be_search(own, &rs);
	filter_free_x(own, own->ors_filter, 1);
	return rs.sr_err == LDAP_SIZELIMIT_EXCEEDED ? LDAP_SUCCESS : rs.sr_err;
}

char *b2b_inner_escape(Operation *op, const struct berval *value)
{
	struct berval escaped;

	/* without "in place" it would hand out memory of another kind where nothing is to be escaped */
	if (ldap_bv2escaped_filter_value_x((struct berval *)value, &escaped, 1, op->o_tmpmemctx) ||
	    BER_BVISNULL(&escaped))
		return (char *)b2b_map_copy(op, "");
	return (char *)b2b_map_copy_str(op, b2b_map_str(&escaped)).s;
}
