/*
 * out.c - our own members as guests elsewhere: what the Out settings say of one of them.
 * In: a member's entry, a partner's tenant id, an application's id.  Out: a verdict.
 * Targets that are DNs are compared normalised, and may be groups; the core then finds the member
 * under those of them that are its.
 */
#include "glue.h"

/* One decision, while what the targets say of the member is gathered. */
struct gathering {
	Operation *op;
	struct b2b_tenant *tenant;
	Entry *entry;
	struct b2b_member member;
	struct b2b_str *names; /* member.groups, with room */
};

/* Guests are their home's to let out; the rootdn, programs and policy entries are nobody. */
static bool is_member(Operation *op, struct b2b_tenant *tenant, Entry *e)
{
	return !be_isroot_dn(tenant->be, &e->e_nname) && !b2b_map_is_guest(e) &&
	       !dnIsSuffix(&e->e_nname, &tenant->nbase) && !b2b_session_is_service(&e->e_nname);
}

static struct b2b_str subject_of(Operation *op, Entry *e)
{
	Attribute *a = attr_find(e->e_attrs, slap_schema.si_ad_entryUUID);

	/* the normalised value is no text */
	return a ? b2b_map_copy_str(op, b2b_map_str(&a->a_vals[0])) : (struct b2b_str){ NULL, 0 };
}

static bool has_member(Operation *op, struct b2b_tenant *tenant, char *group,
		       const struct berval *ndn)
{
	struct berval group_ndn, value = *ndn;
	AttributeDescription *types[2] = { NULL, NULL };
	const char *why;
	bool found = false;

	ber_str2bv(group, 0, 0, &group_ndn);
	if (dn_match(&group_ndn, ndn))
		return true;
	slap_str2ad("member", &types[0], &why);
	slap_str2ad("uniqueMember", &types[1], &why);
	Entry *e = b2b_entry_get(op, tenant, &group_ndn);
	for (size_t i = 0; e && i < 2; i++) {
		Attribute *a = types[i] ? attr_find(e->e_attrs, types[i]) : NULL;

		found = found || (a && attr_valfind(a,
						    SLAP_MR_ATTRIBUTE_VALUE_NORMALIZED_MATCH |
							    SLAP_MR_ASSERTED_VALUE_NORMALIZED_MATCH,
						    &value, NULL, NULL) == LDAP_SUCCESS);
	}
	if (e)
		b2b_entry_release(op, tenant, e);
	return found;
}

/* Of a group that cannot be read it is not known who is in it. */
static bool is_readable(const struct gathering *it, struct berval *ndn)
{
	Entry *e = b2b_entry_get(it->op, it->tenant, ndn);

	if (e)
		b2b_entry_release(it->op, it->tenant, e);
	return e != NULL;
}

static void doubt(struct gathering *it, const struct b2b_rule *rule,
		  const struct b2b_target *target, const char *what)
{
	it->member.groups_known = false;
	Debug(LDAP_DEBUG_ANY, "%s b2b: policy entry \"%s\": users target \"%s\" %s\n",
	      it->op->o_log_prefix, rule->dn, target->value, what);
}

static void gather_target(struct gathering *it, const struct b2b_rule *rule,
			  const struct b2b_target *target)
{
	struct berval value = { target->len, target->value }, ndn;
	void *memory = it->op->o_tmpmemctx;

	/* a tenant's id, an entryUUID */
	if (!target->is_group && !memchr(target->value, '=', target->len))
		return;
	if (dnNormalize(0, NULL, NULL, &value, &ndn, memory) != LDAP_SUCCESS ||
	    BER_BVISEMPTY(&ndn)) {
		doubt(it, rule, target, "is no DN");
		return;
	}
	if (has_member(it->op, it->tenant, ndn.bv_val, &it->entry->e_nname))
		it->names[it->member.group_count++] =
			b2b_map_copy_str(it->op, (struct b2b_str){ target->value, target->len });
	else if (target->is_group && !is_readable(it, &ndn))
		doubt(it, rule, target, "is a group that cannot be read");
	it->op->o_tmpfree(ndn.bv_val, memory);
}

/* Whom the targets of a partner and of the default policy mean. */
static void gather(struct gathering *it, const struct b2b_snapshot *snapshot,
		   struct b2b_str partner_id, enum b2b_scope scope)
{
	const struct b2b_rule *rules[] = { b2b_snapshot_partner(snapshot, partner_id),
					   b2b_snapshot_default(snapshot) };
	const struct b2b_half *users[] = { NULL, NULL };
	size_t count = 0;

	if (rules[0] && !rules[0]->invalid)
		users[0] = &rules[0]->u.partner.settings.scope[scope].users;
	if (rules[1] && !rules[1]->invalid)
		users[1] = &rules[1]->u.defaults.scope[scope].users;
	for (size_t i = 0; i < 2; i++)
		count += users[i] ? users[i]->count : 0;
	it->names = it->op->o_tmpcalloc(count + 1, sizeof(*it->names), it->op->o_tmpmemctx);
	it->member.groups = it->names;
	it->member.groups_known = true;
	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; users[i] && j < users[i]->count; j++)
			gather_target(it, rules[i], &users[i]->targets[j]);
}

struct b2b_verdict b2b_out_judge(Operation *op, struct b2b_tenant *tenant, Entry *member,
				 struct b2b_str partner_id, struct b2b_str app_id,
				 enum b2b_scope scope)
{
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(tenant);
	struct gathering it = { .op = op, .tenant = tenant, .entry = member };
	struct b2b_verdict verdict;

	if (is_member(op, tenant, member) && (scope == B2B_COLLAB_OUT || scope == B2B_DIRECT_OUT)) {
		it.member.subject = subject_of(op, member);
		gather(&it, snapshot, partner_id, scope);
	}
	verdict = b2b_decide_out(snapshot, partner_id, app_id, &it.member, scope, slap_get_time());
	if (verdict.rule)
		verdict.rule = b2b_map_copy(op, verdict.rule);
	if (verdict.half_set)
		verdict.half_set = b2b_map_copy(op, verdict.half_set);
	b2b_snapshot_unref(&snapshot);
	return verdict;
}
