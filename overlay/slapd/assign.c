/*
 * assign.c - applications that a guest was assigned to by name, when nobody has that name any more.
 * In: guests that were deleted or renamed.  Out: b2bAppAssignee without the name, which the next guest
 * to have it would otherwise inherit; or with the new one.
 */
#include "life.h"

static bool is_assigned(const struct b2b_app *app, const struct berval *ndn)
{
	for (size_t i = 0; i < app->assignee_count; i++) {
		if (!strcmp(app->assignees[i], ndn->bv_val))
			return true;
	}
	return false;
}

static Modifications *replace_name(const struct berval *ndn, const struct berval *new_ndn)
{
	Modifications *mods = NULL;

	b2b_record_set_bytes(&mods, B2B_ATTR_APP_ASSIGNEE, ndn);
	mods->sml_op = LDAP_MOD_DELETE;
	if (new_ndn) {
		b2b_record_set_bytes(&mods, B2B_ATTR_APP_ASSIGNEE, new_ndn);
		mods->sml_next->sml_op = SLAP_MOD_SOFTADD;
	}
	return mods;
}

/* False: it has none any more. */
static bool find_new_name(Operation *op, const struct berval *ndn, struct berval *new_ndn_r)
{
	struct berval parent;

	if (op->o_tag != LDAP_REQ_MODRDN)
		return false;
	if (op->orr_nnewSup)
		parent = *op->orr_nnewSup;
	else
		dnParent((struct berval *)ndn, &parent);
	build_new_dn(new_ndn_r, &parent, &op->orr_nnewrdn, op->o_tmpmemctx);
	return true;
}

void b2b_assign_follow(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn)
{
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(tenant);
	const struct b2b_rule *app;
	struct berval new_ndn;
	bool renamed = find_new_name(op, ndn, &new_ndn);

	for (size_t i = 0; (app = b2b_snapshot_app_at(snapshot, i)); i++) {
		struct b2b_name name;

		if (!is_assigned(&app->u.app, ndn))
			continue;
		ber_str2bv(app->dn, 0, 0, &name.ndn);
		name.dn = name.ndn;
		int rc = b2b_inner_modify(op, tenant, &name, NULL,
					  replace_name(ndn, renamed ? &new_ndn : NULL), false);
		if (rc != LDAP_SUCCESS && rc != LDAP_NO_SUCH_ATTRIBUTE)
			Debug(LDAP_DEBUG_ANY,
			      "b2b: \"%s\": b2bAppAssignee still names \"%s\", who is gone (%d)\n",
			      app->dn, ndn->bv_val, rc);
	}
	b2b_snapshot_unref(&snapshot);
}
