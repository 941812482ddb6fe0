/*
 * view_guest.c - what a guest sees: its own entry, and what its applications, its access level and the
 * labels leave.
 * In: an access check of a guest's operation.  Out: false, "as if it were not there", or true: slapd's
 * own access control decides.
 */
#include "glue.h"

/* Whether an entry is an ancestor of what the guest may see.  A search may start there, or a
 * program that searches from the suffix would find nothing; the entry itself stays hidden. */
static bool is_way_to(const struct b2b_passage *p, const struct berval *ndn)
{
	if (!p->direct && dnIsSuffix(&p->ndn, ndn))
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

bool b2b_view_guest(Operation *op, struct b2b_passage *p, Entry *e, AttributeDescription *desc,
		    struct berval *val, slap_access_t access)
{
	if (p->verdict.effect != B2B_ALLOW || !p->tenant || !p->tenant->open)
		return false;
	if (b2b_tenant_of(&e->e_nname) != p->tenant)
		return false;
	if (!p->direct && dnIsSuffix(&e->e_nname, &p->tenant->nbase) &&
	    b2b_review_is_own(&p->ndn, e, desc, access))
		return true;
	if (ACL_LEVEL(access) > ACL_READ)
		return false;
	if (!p->direct && dn_match(&e->e_nname, &p->ndn))
		return true;
	if (b2b_access_is_private(e))
		return false;
	if (p->access == B2B_SEES_MEMBER || in_scope(p, &e->e_nname))
		return !(is_ours(desc) && b2b_map_is_guest(e)) &&
		       (p->unlabelled || label_permits(p, e));
	return desc == slap_schema.si_ad_entry && ACL_LEVEL(access) == ACL_SEARCH &&
	       is_way_to(p, &e->e_nname);
}
