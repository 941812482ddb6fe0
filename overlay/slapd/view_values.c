/*
 * view_values.c - values that name a guest whom an application's service account does not find.
 * In: an attribute of an entry at hand, and a value.  Out: whether the value names such a guest, by its
 * DN or, in memberUid, by its uid.
 */
#include "life.h"

bool b2b_values_are_names(const Syntax *syntax)
{
	return syntax == slap_schema.si_syn_distinguishedName ||
	       !strcmp(syntax->ssyn_oid, SLAPD_NAMEUID_SYNTAX);
}

/* By name: the type may come and go with its schema, and is asked for at every check. */
static bool is_of_uids(const AttributeType *at)
{
	for (; at; at = at->sat_sup) {
		if (!strcasecmp(at->sat_cname.bv_val, "memberUid"))
			return true;
	}
	return false;
}

bool b2b_values_concern(const AttributeDescription *desc)
{
	/* an entry's own name is hidden with the entry */
	if (desc == slap_schema.si_ad_entryDN || desc == slap_schema.si_ad_subschemaSubentry)
		return false;
	return b2b_values_are_names(desc->ad_type->sat_syntax) || is_of_uids(desc->ad_type);
}

static bool names_hidden_dn(Operation *op, const struct b2b_passage *p, const struct berval *value)
{
	struct berval part = b2b_groups_name(value), ndn;

	ber_dupbv_x(&ndn, &part, op->o_tmpmemctx);
	struct b2b_tenant *tenant = b2b_tenant_of(&ndn);
	bool hidden = tenant && b2b_session_is_guest(op, tenant, &ndn) &&
		      !b2b_view_finds(op, p, tenant, &ndn);
	op->o_tmpfree(ndn.bv_val, op->o_tmpmemctx);
	return hidden;
}

/* --- uids --- */

struct uids {
	Operation *op;
	const struct b2b_passage *p;
	bool hidden,
		found; /* guests of that uid whom the account does not find, and whoever else has it */
};

static bool judge_uid(void *ctx, Entry *e)
{
	struct uids *uids = ctx;

	if (!b2b_map_is_guest(e) || b2b_view_finds_entry(uids->op, uids->p, e))
		uids->found = true;
	else
		uids->hidden = true;
	return !uids->found;
}

/* Of several with one uid, members of ours among them, the value may name each. */
static bool names_hidden_uid(Operation *op, const struct b2b_passage *p, struct b2b_tenant *tenant,
			     const struct berval *value)
{
	struct uids uids = { op, p, false, false };
	char *escaped = b2b_inner_escape(op, value), *filter;
	size_t size = strlen(escaped) + sizeof("(uid=)");

	if (BER_BVISEMPTY(value))
		return false;
	filter = op->o_tmpalloc(size, op->o_tmpmemctx);
	snprintf(filter, size, "(uid=%s)", escaped);
	struct b2b_where where = { &tenant->be->be_nsuffix[0], LDAP_SCOPE_SUBTREE, filter, true };
	int rc = b2b_inner_search(op, tenant, &where, judge_uid, &uids);
	op->o_tmpfree(filter, op->o_tmpmemctx);
	op->o_tmpfree(escaped, op->o_tmpmemctx);
	return rc != LDAP_SUCCESS || (uids.hidden && !uids.found);
}

bool b2b_values_hide(Operation *op, const struct b2b_passage *p, const struct berval *entry_ndn,
		     const Syntax *syntax, const struct berval *value)
{
	struct b2b_tenant *tenant;
	bool hidden = false;

	if (b2b_values_are_names(syntax))
		return names_hidden_dn(op, p, value);
	tenant = b2b_tenant_of(entry_ndn);
	if (tenant)
		return names_hidden_uid(op, p, tenant, value);
	/* a search from above looks into several */
	for (tenant = b2b_tenants; tenant && !hidden; tenant = tenant->next)
		hidden = names_hidden_uid(op, p, tenant, value);
	return hidden;
}

/* Values of attributes that slapd makes for an answer are not normalised. */
static bool hides_as_read(Operation *op, const struct b2b_passage *p, Entry *e,
			  AttributeDescription *desc, struct berval *value)
{
	struct berval ndn = BER_BVNULL;
	bool hidden;

	if (!is_at_operational(desc->ad_type) || !b2b_values_are_names(desc->ad_type->sat_syntax) ||
	    dnNormalize(SLAP_MR_VALUE_OF_ATTRIBUTE_SYNTAX, NULL, NULL, value, &ndn,
			op->o_tmpmemctx) != LDAP_SUCCESS)
		return b2b_values_hide(op, p, &e->e_nname, desc->ad_type->sat_syntax, value);
	hidden = b2b_values_hide(op, p, &e->e_nname, desc->ad_type->sat_syntax, &ndn);
	op->o_tmpfree(ndn.bv_val, op->o_tmpmemctx);
	return hidden;
}

bool b2b_values_are_hidden(Operation *op, const struct b2b_passage *p, Entry *e,
			   AttributeDescription *desc)
{
	bool any = false;

	for (Attribute *a = attrs_find(e->e_attrs, desc); a; a = attrs_find(a->a_next, desc)) {
		for (unsigned i = 0; i < a->a_numvals; i++) {
			if (!b2b_values_concern(a->a_desc) ||
			    !b2b_values_hide(op, p, &e->e_nname, a->a_desc->ad_type->sat_syntax,
					     &a->a_nvals[i]))
				return false;
			any = true;
		}
	}
	return any;
}

/* slapd keeps the answer for the first value of an attribute for all of them, but where it thinks that
 * one of its rules is about values: told so, it asks for each, and goes through its rules from the
 * first on. */
static void ask_for_each(AttributeDescription *desc, slap_access_t access,
			 AccessControlState *state)
{
	static const AccessControlState initial = ACL_STATE_INIT;

	*state = initial;
	state->as_desc = desc;
	state->as_access = access;
	state->as_vd_acl_present = 1;
	ACL_INIT(state->as_vd_mask);
}

bool b2b_values_view(Operation *op, const struct b2b_passage *p, Entry *e,
		     AttributeDescription *desc, struct berval *val, slap_access_t access,
		     AccessControlState *state)
{
	if (ACL_LEVEL(access) > ACL_READ || !b2b_values_concern(desc))
		return true;
	if (state)
		ask_for_each(desc, access, state);
	return val ? !hides_as_read(op, p, e, desc, val) : !b2b_values_are_hidden(op, p, e, desc);
}
