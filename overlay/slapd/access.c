/*
 * access.c - the access hook: what a guest, or an application's service account, may not see.
 * In: every access check of every operation on every database.  Out: 0, "as if it were not
 * there", or SLAP_CB_CONTINUE: slapd's own access control decides.  It never grants.
 *
 * The hook stands in both roles: the frontend's is asked inside a backend's own operation, the
 * database's in syncprov's persist phase.
 */
#include "glue.h"

/* Requests, notices and reviews are about persons: neither guests nor applications find them. */
bool b2b_access_is_private(Entry *e)
{
	for (struct b2b_tenant *t = b2b_tenants; t; t = t->next) {
		if (dnIsSuffix(&e->e_nname, &t->nbase))
			return b2b_policy_is_private(t, &e->e_nname);
	}
	return false;
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

static int see(Operation *op, struct b2b_passage *p, Entry *e, AttributeDescription *desc,
	       struct berval *val, slap_access_t access, AccessControlState *state)
{
	/* tells whether there is anything below an entry, hidden or not; below a guest is nothing */
	if ((p->who == B2B_WHO_GUEST || (p->service && !b2b_map_is_guest(e))) && !be_isroot(op) &&
	    desc == slap_schema.si_ad_hasSubordinates)
		return 0;
	if (p->who == B2B_WHO_GUEST) {
		if (b2b_view_guest(op, p, e, desc, val, access))
			return SLAP_CB_CONTINUE;
		p->hidden++;
		return 0;
	}
	if (!p->service || be_isroot(op))
		return SLAP_CB_CONTINUE;
	return b2b_view_service(op, p, e, desc, val, access, state) ? SLAP_CB_CONTINUE : 0;
}

/* Where no gate stood in the way.  Apart, so that members' checks need no room for a passage. */
static __attribute__((noinline)) int see_unjudged(Operation *op, Entry *e,
						  AttributeDescription *desc, struct berval *val,
						  slap_access_t access, AccessControlState *state)
{
	struct b2b_passage here;

	if (be_isroot(op))
		return SLAP_CB_CONTINUE;
	b2b_passage_judge(op, &here);
	return see(op, &here, e, desc, val, access, state);
}

int b2b_access_allowed(Operation *op, Entry *e, AttributeDescription *desc, struct berval *val,
		       slap_access_t access, AccessControlState *state, slap_mask_t *maskp)
{
	struct b2b_passage *p;

	if (is_secret(op, e, desc, access))
		return 0;
	/* no password of ours and no SASL mapping makes anybody a guest */
	if (op->o_tag == LDAP_REQ_BIND || op->o_is_auth_check)
		return b2b_tenants && b2b_map_is_guest(e) ? 0 : SLAP_CB_CONTINUE;
	p = b2b_passage_find(op);
	return p ? see(op, p, e, desc, val, access, state)
		 : see_unjudged(op, e, desc, val, access, state);
}
