/*
 * view_service.c - what an application's service account sees: no guest that may not use it, and no
 * value that names one.
 * In: an access check of a service account's operation.  Out: false, "as if it were not there", or
 * true: slapd's own access control decides.
 */
#include "glue.h"

/* Whether policy lets a service account find this guest. */
static bool judge(Operation *op, const struct b2b_passage *p, struct b2b_tenant *tenant, Entry *e)
{
	struct b2b_guest guest;
	bool sees = true;
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

bool b2b_view_finds_entry(Operation *op, const struct b2b_passage *p, Entry *e)
{
	struct b2b_tenant *tenant = b2b_tenant_of(&e->e_nname);

	return !tenant || judge(op, p, tenant, e);
}

/* Whether a service account finds this guest.  A search checks an entry's attributes one after the
 * other: they share one verdict, of the policy that is published now. */
static bool service_sees(Operation *op, struct b2b_passage *p, Entry *e)
{
	struct b2b_tenant *tenant = b2b_tenant_of(&e->e_nname);
	struct b2b_passage_seen *seen = &p->seen;

	if (!tenant)
		return true;
	/* a search that stays (RFC 4533) outlives changes of the entry */
	if (op->o_tag != LDAP_REQ_SEARCH || op->o_sync > SLAP_CONTROL_IGNORED || !e->e_id ||
	    e->e_id == NOID)
		return judge(op, p, tenant, e);
	uint64_t published = atomic_load(&tenant->published);
	const void *database = op->o_bd->be_private;
	if (seen->id != e->e_id || seen->tenant != tenant || seen->database != database ||
	    seen->published != published)
		*seen = (struct b2b_passage_seen){ tenant, database, e->e_id, published,
						   judge(op, p, tenant, e) };
	return seen->sees;
}

bool b2b_view_finds(Operation *op, const struct b2b_passage *p, struct b2b_tenant *tenant,
		    struct berval *ndn)
{
	Entry *e;
	int rc = b2b_entry_read(op, tenant, ndn, &e);

	if (!e)
		return rc == LDAP_NO_SUCH_OBJECT;
	bool finds = !b2b_map_is_guest(e) || b2b_view_finds_entry(op, p, e);
	b2b_entry_release(op, tenant, e);
	return finds;
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
		hidden = b2b_map_is_guest(e) && !b2b_view_finds_entry(op, p, e);
		b2b_entry_release(op, tenant, e);
	}
	return hidden;
}

/* Beside what is hidden, not below it, where the right at the parent would be asked of it; and by an
 * attribute that no client may write. */
static struct berval nowhere_at(Operation *op, struct berval *dn)
{
	struct berval nowhere = BER_BVC("vendorName=nowhere"), parent, made;

	dnParent(dn, &parent);
	build_new_dn(&made, &parent, &nowhere, op->o_tmpmemctx);
	return made;
}

bool b2b_access_divert(Operation *op, struct b2b_tenant *tenant, struct berval *dn,
		       struct berval *ndn)
{
	struct berval below = BER_BVC("vendorName=nowhere"), parent, nparent;

	if (b2b_access_is_hidden_guest(op, tenant, ndn)) {
		*dn = nowhere_at(op, dn);
		*ndn = nowhere_at(op, ndn);
		return true;
	}
	dnParent(dn, &parent);
	dnParent(ndn, &nparent);
	if (!b2b_access_is_hidden_guest(op, tenant, &nparent))
		return false;
	parent = nowhere_at(op, &parent);
	nparent = nowhere_at(op, &nparent);
	build_new_dn(dn, &parent, &below, op->o_tmpmemctx);
	build_new_dn(ndn, &nparent, &below, op->o_tmpmemctx);
	return true;
}

bool b2b_view_service(Operation *op, struct b2b_passage *p, Entry *e, AttributeDescription *desc,
		      struct berval *val, slap_access_t access, AccessControlState *state)
{
	if (b2b_access_is_private(e))
		return false;
	if (!b2b_map_is_guest(e))
		return b2b_values_view(op, p, e, desc, val, access, state);
	/* an application may invite: what it is about to add cannot be hidden from it */
	if (op->o_tag == LDAP_REQ_ADD && e == op->ora_e)
		return true;
	return service_sees(op, p, e) && b2b_values_view(op, p, e, desc, val, access, state);
}
