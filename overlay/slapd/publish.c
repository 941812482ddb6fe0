/*
 * publish.c - the public keys of our tokens, where partners read them.
 * In: the key file's public set; the tenant entry as the task finds it.
 * Out: b2bJwks of the tenant entry, written where it is another one; it replicates like any write.
 */
#include "life.h"

/* Whether the entry has this set alone, byte by byte; the attribute is the server's to write. */
static bool has_set(Entry *e, const struct berval *set)
{
	Attribute *a = attr_find(e->e_attrs, b2b_ad[B2B_ATTR_JWKS]);

	return a && a->a_numvals == 1 && bvmatch(&a->a_vals[0], set);
}

void b2b_publish_run(struct b2b_sweep *sweep)
{
	struct b2b_tenant *tenant = sweep->tenant;
	struct b2b_name name = { tenant->base, tenant->nbase };
	Modifications *mods = NULL;
	struct berval set;

	if (!tenant->signer)
		return;
	b2b_sweep_renew(sweep);
	ber_str2bv(b2b_signer_jwks(tenant->signer), 0, 0, &set);
	Entry *e = b2b_entry_get(sweep->op, tenant, &tenant->nbase);
	if (!e)
		return;
	bool done = !is_entry_objectclass(e, b2b_oc_tenant, 0) || has_set(e, &set);
	b2b_entry_release(sweep->op, tenant, e);
	if (done)
		return;
	b2b_record_set(&mods, B2B_ATTR_JWKS, set.bv_val);
	int rc = b2b_inner_modify(sweep->op, tenant, &name, NULL, mods, false);
	if (rc == LDAP_SUCCESS)
		Debug(LDAP_DEBUG_STATS, "b2b: task: \"%s\" publishes its keys; %s signs\n",
		      tenant->nbase.bv_val, b2b_signer_kid(tenant->signer));
	else
		Debug(LDAP_DEBUG_ANY, "b2b: task: \"%s\": its keys cannot be published (%d)\n",
		      tenant->nbase.bv_val, rc);
}
