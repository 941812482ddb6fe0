/*
 * access.c - the access hook: what a guest, or an application's service account, may not see.
 * In: every access check of every operation on every database.  Out: 0, "as if it were not
 * there", or SLAP_CB_CONTINUE: slapd's own access control decides.  It never grants.
 *
 * The hook stands in both roles: the frontend's is asked inside a backend's own operation, the
 * database's in syncprov's persist phase.
 */
#include "glue.h"

/* Whether an entry is an ancestor of what the guest may see.  A search may start there, or a
 * program that searches from the suffix would find nothing; the entry itself stays hidden. */
static bool is_way_to(const struct b2b_passage *p, const struct berval *ndn)
{
	if (dnIsSuffix(&p->ndn, ndn))
		return true;
	for (const struct berval *scope = p->scopes; scope && !BER_BVISNULL(scope); scope++) {
		if (dnIsSuffix(scope, ndn))
			return true;
	}
	return false;
}

static bool in_scope(const struct b2b_passage *p, const struct berval *ndn)
{
	for (const struct berval *scope = p->scopes; scope && !BER_BVISNULL(scope); scope++) {
		if (dnIsSuffix(ndn, scope))
			return true;
	}
	return false;
}

static bool label_permits(const struct b2b_passage *p, Entry *e)
{
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(p->tenant);
	const struct b2b_rule *app = p->app_dn ? b2b_snapshot_rule(snapshot, p->app_dn) : NULL;
	struct b2b_source source = b2b_map_source(e);
	struct b2b_str label = { NULL, 0 };
	bool permits = !p->app_dn || app; /* the application is gone: nothing is known */

	source.value(e, B2B_ATTR_LABEL, 0, &label);
	permits =
		permits && b2b_decide_label(snapshot, &p->guest, app, p->verdict.label_cap, label);
	b2b_snapshot_unref(&snapshot);
	return permits;
}

static bool is_ours(const AttributeDescription *desc)
{
	return !strncasecmp(desc->ad_type->sat_cname.bv_val, "b2b", 3);
}

/* Requests, notices and reviews are about persons: neither guests nor applications find them. */
static bool is_private(Entry *e)
{
	for (struct b2b_tenant *t = b2b_tenants; t; t = t->next) {
		if (dnIsSuffix(&e->e_nname, &t->nbase))
			return b2b_policy_is_private(t, &e->e_nname);
	}
	return false;
}

static bool guest_sees(struct b2b_passage *p, Entry *e, AttributeDescription *desc,
		       slap_access_t access)
{
	if (p->verdict.effect != B2B_ALLOW || !p->tenant || !p->tenant->open)
		return false;
	if (b2b_tenant_of(&e->e_nname) != p->tenant)
		return false;
	if (dnIsSuffix(&e->e_nname, &p->tenant->nbase) &&
	    b2b_review_is_own(&p->ndn, e, desc, access))
		return true;
	if (ACL_LEVEL(access) > ACL_READ)
		return false;
	if (dn_match(&e->e_nname, &p->ndn))
		return true;
	if (is_private(e))
		return false;
	if (p->access == B2B_SEES_MEMBER || in_scope(p, &e->e_nname))
		return !(is_ours(desc) && b2b_map_is_guest(e)) &&
		       (p->unlabelled || label_permits(p, e));
	return desc == slap_schema.si_ad_entry && ACL_LEVEL(access) == ACL_SEARCH &&
	       is_way_to(p, &e->e_nname);
}

/* Whether a service account finds this guest. */
static bool service_sees(Operation *op, const struct b2b_passage *p, Entry *e)
{
	struct b2b_tenant *tenant = b2b_tenant_of(&e->e_nname);
	struct b2b_guest guest;
	bool sees = true;

	if (!tenant)
		return true;
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(tenant);
	const struct b2b_rule *app = b2b_snapshot_app_by_service(snapshot, b2b_map_str(&p->ndn));
	if (app) {
		struct b2b_source source = b2b_map_source(e);
		struct b2b_context context = b2b_map_context(op, B2B_STAGE_ELSEWHERE);

		b2b_guest_parse(&source, &guest, NULL);
		sees = b2b_passage_decide(op, tenant, snapshot, &guest, app, &context).effect ==
		       B2B_ALLOW;
	}
	b2b_snapshot_unref(&snapshot);
	return sees;
}

bool b2b_access_is_hidden_guest(Operation *op, struct b2b_tenant *tenant, struct berval *ndn)
{
	struct b2b_passage here, *p = b2b_passage_find(op);
	bool hidden = false;

	if (be_isroot_dn(tenant->be, &op->o_ndn))
		return false;
	if (!p) { /* a step of a transaction */
		b2b_passage_judge(op, &here);
		p = &here;
	}
	Entry *e = p->service ? b2b_entry_get(op, tenant, ndn) : NULL;
	if (e) {
		hidden = b2b_map_is_guest(e) && !service_sees(op, p, e);
		b2b_entry_release(op, tenant, e);
	}
	return hidden;
}

bool b2b_access_divert(Operation *op, struct b2b_tenant *tenant, struct berval *dn,
		       struct berval *ndn)
{
	struct berval nowhere = BER_BVC("cn=nowhere"), name, nname;

	if (!b2b_access_is_hidden_guest(op, tenant, ndn))
		return false;
	build_new_dn(&name, dn, &nowhere, op->o_tmpmemctx);
	build_new_dn(&nname, ndn, &nowhere, op->o_tmpmemctx);
	*dn = name;
	*ndn = nname;
	return true;
}

/* A deletion needs the right at the parent as well. */
static bool may_delete(Operation *op, struct b2b_tenant *tenant, Entry *e)
{
	struct berval parent;

	if (!access_allowed(op, e, slap_schema.si_ad_entry, NULL, ACL_WDEL, NULL))
		return false;
	dnParent(&op->o_req_ndn, &parent);
	Entry *above = b2b_entry_get(op, tenant, &parent);
	if (!above)
		return false;
	bool may = access_allowed(op, above, slap_schema.si_ad_children, NULL, ACL_WDEL, NULL) != 0;
	b2b_entry_release(op, tenant, above);
	return may;
}

bool b2b_access_may_write(Operation *op, struct b2b_tenant *tenant)
{
	BackendInfo *saved = op->o_bd->bd_info;
	struct berval ndn = op->o_req_ndn;
	bool may = be_isroot(op);

	if (op->o_tag == LDAP_REQ_ADD)
		dnParent(&op->o_req_ndn, &ndn);
	Entry *e = may ? NULL : b2b_entry_get(op, tenant, &ndn);
	if (!e)
		return may;
	op->o_bd->bd_info = (BackendInfo *)((slap_overinst *)saved)->on_info;
	if (op->o_tag == LDAP_REQ_ADD)
		may = access_allowed(op, e, slap_schema.si_ad_children, NULL, ACL_WADD, NULL) &&
		      access_allowed(op, op->ora_e, slap_schema.si_ad_entry, NULL, ACL_WADD, NULL);
	else if (op->o_tag == LDAP_REQ_MODIFY)
		may = acl_check_modlist(op, e, op->orm_modlist);
	else if (op->o_tag == LDAP_REQ_DELETE)
		may = may_delete(op, tenant, e);
	else
		may = access_allowed(op, e, slap_schema.si_ad_entry, NULL, ACL_WRITE, NULL);
	op->o_bd->bd_info = saved;
	b2b_entry_release(op, tenant, e);
	return may;
}

bool b2b_access_may_manage(Operation *op, Entry *e, AttributeDescription *desc)
{
	BackendInfo *saved = op->o_bd->bd_info;

	/* a hook runs with its own overlay in the backend's place, whose answer would be the last */
	if (SLAP_ISOVERLAY(op->o_bd))
		op->o_bd->bd_info = (BackendInfo *)((slap_overinst *)saved)->on_info;
	bool may = access_allowed(op, e, desc, NULL, ACL_MANAGE, NULL) != 0;
	op->o_bd->bd_info = saved;
	return may;
}

/* What one-time passwords and mailed codes are compared with is nobody's to read, the rootdn's neither;
 * servers that follow this one (RFC 4533) get it if they may manage it. */
static bool is_secret(Operation *op, Entry *e, AttributeDescription *desc, slap_access_t access)
{
	if ((desc != b2b_ad[B2B_ATTR_TOTP_SECRET] && desc != b2b_ad[B2B_ATTR_PASSCODE_HASH]) ||
	    ACL_LEVEL(access) > ACL_READ)
		return false;
	if (op->o_tag != LDAP_REQ_SEARCH || op->o_sync <= SLAP_CONTROL_IGNORED)
		return true;
	return !b2b_access_may_manage(op, e, desc);
}

int b2b_access_allowed(Operation *op, Entry *e, AttributeDescription *desc, struct berval *val,
		       slap_access_t access, AccessControlState *state, slap_mask_t *maskp)
{
	struct b2b_passage here, *p;

	if (is_secret(op, e, desc, access))
		return 0;
	/* no password of ours and no SASL mapping makes anybody a guest */
	if (op->o_tag == LDAP_REQ_BIND || op->o_is_auth_check)
		return b2b_tenants && b2b_map_is_guest(e) ? 0 : SLAP_CB_CONTINUE;
	p = b2b_passage_find(op);
	if (!p) {
		if (be_isroot(op))
			return SLAP_CB_CONTINUE;
		b2b_passage_judge(op, &here);
		p = &here;
	}
	if (p->who == B2B_WHO_GUEST)
		return guest_sees(p, e, desc, access) ? SLAP_CB_CONTINUE : 0;
	if (!p->service || be_isroot(op))
		return SLAP_CB_CONTINUE;
	if (is_private(e))
		return 0;
	if (!b2b_map_is_guest(e))
		return SLAP_CB_CONTINUE;
	/* an application may invite: what it is about to add cannot be hidden from it */
	if (op->o_tag == LDAP_REQ_ADD && e == op->ora_e)
		return SLAP_CB_CONTINUE;
	return service_sees(op, p, e) ? SLAP_CB_CONTINUE : 0;
}
