/*
 * explain_entry.c - explain: whether the guest sees an entry, by what, and what of it is hidden.
 * In: an entry's name, the verdict.  Out: a JSON object for the answer.
 *
 * The access checks are those of a search of the guest's, made for it: hooks, labels, slapd's own
 * access control.  Rules of the latter about a connection see that of who asks.
 */
#include "explain_parts.h"

/* The guest's search, as its access checks see it. */
struct looking {
	struct b2b_inner inner;
	Operation *op;
	struct b2b_passage passage;
	Entry *e;
};

static json_t *answer(const struct b2b_explaining *it, bool visible, const char *by)
{
	return json_pack("{s:s,s:b,s:s}", "dn", it->entry.bv_val, "visible", (int)visible, "by",
			 by);
}

/* The entry is copied: access control may read others, and none is held meanwhile. */
static Entry *read_entry(struct b2b_explaining *it)
{
	bool ours = b2b_tenant_of(&it->entry) == it->exop->tenant;
	Entry *e = ours ? b2b_entry_get(it->op, it->exop->tenant, &it->entry) : NULL;
	Entry *copy = e ? entry_dup(e) : NULL;

	if (e)
		b2b_entry_release(it->op, it->exop->tenant, e);
	return copy;
}

static bool begin(struct b2b_explaining *it, struct looking *looking)
{
	struct b2b_passage *passage = &looking->passage;
	Operation *op;

	*passage = (struct b2b_passage){ .ndn = it->ndn,
					 .tenant = it->exop->tenant,
					 .guest = it->guest,
					 .verdict = it->verdict };
	b2b_passage_suppose(it->op, it->snapshot, it->app, &it->context, passage);
	looking->op = op =
		b2b_inner_begin(&looking->inner, it->op, it->exop->tenant, LDAP_REQ_SEARCH);
	op->o_dn = op->o_ndn = it->ndn;
	op->o_req_dn = op->o_req_ndn = it->exop->tenant->be->be_nsuffix[0];
	op->ors_scope = LDAP_SCOPE_SUBTREE;
	op->ors_attrs = NULL;
	op->ors_filter = str2filter_x(op, "(objectClass=*)");
	LDAP_SLIST_INSERT_HEAD(&op->o_extra, &passage->extra, oe_next);
	return op->ors_filter != NULL;
}

static bool sees(struct looking *looking, AttributeDescription *desc)
{
	return access_allowed(looking->op, looking->e, desc, NULL, ACL_READ, NULL) != 0;
}

static bool hook_shows(struct looking *looking)
{
	return b2b_view_guest(looking->op, &looking->passage, looking->e, slap_schema.si_ad_entry,
			      NULL, ACL_READ);
}

/* Naming attributes are for who reads that very entry. */
static void look_at_base(struct looking *looking)
{
	looking->op->ors_scope = LDAP_SCOPE_BASE;
	looking->op->o_req_dn = looking->e->e_name;
	looking->op->o_req_ndn = looking->e->e_nname;
}

static const char *why_seen(const struct looking *looking)
{
	if (dn_match(&looking->e->e_nname, &looking->passage.ndn))
		return "own entry";
	return looking->passage.access == B2B_SEES_MEMBER ? "member" : "scope";
}

static const char *judge(struct looking *looking, bool *visible_r)
{
	bool shows = hook_shows(looking);
	const char *by = why_seen(looking);

	if (!shows) {
		by = "naming attributes";
		look_at_base(looking);
		shows = hook_shows(looking);
	}
	*visible_r = shows && sees(looking, slap_schema.si_ad_entry);
	if (!shows)
		return "neither its own entry nor in a scope, or the label is too high";
	return *visible_r ? by : "slapd's access control hides it";
}

static json_t *hidden_attributes(struct looking *looking)
{
	json_t *hidden = json_array();

	for (const Attribute *a = looking->e->e_attrs; a; a = a->a_next) {
		if (!sees(looking, a->a_desc))
			json_array_append_new(hidden, json_string(a->a_desc->ad_cname.bv_val));
	}
	return hidden;
}

static void add_labels(struct b2b_explaining *it, Entry *e, json_t *out)
{
	const struct b2b_rule *tenant = b2b_snapshot_tenant(it->snapshot);
	const char *bound =
		b2b_explain_highest_label(it->snapshot, &it->guest, it->app, it->verdict.label_cap);
	const char *own = b2b_entry_text(it->op, e, "b2bLabel");
	const struct b2b_tenant_policy *policy = tenant ? &tenant->u.tenant : NULL;

	if (!policy || tenant->invalid || !policy->label_count)
		return;
	if (!own)
		own = policy->default_label ? policy->default_label : policy->labels[0];
	json_object_set_new(out, "label", json_string(own));
	if (bound)
		json_object_set_new(out, "bound", json_string(bound));
}

json_t *b2b_explain_entry(struct b2b_explaining *it)
{
	bool visible = false;
	struct looking looking;
	json_t *out;

	if (b2b_tenant_of(&it->entry) != it->exop->tenant)
		return answer(it, false, "it is none of this tenant's database");
	looking.e = read_entry(it);
	if (!looking.e)
		return answer(it, false, "there is no such entry");
	if (it->refused || it->verdict.effect != B2B_ALLOW) {
		out = answer(it, false, "the verdict denies");
	} else if (!begin(it, &looking)) {
		out = answer(it, false, "out of memory");
	} else {
		const char *by = judge(&looking, &visible);

		out = answer(it, visible, by);
		if (visible)
			json_object_set_new(out, "hidden", hidden_attributes(&looking));
		filter_free_x(looking.op, looking.op->ors_filter, 1);
	}
	add_labels(it, looking.e, out);
	entry_free(looking.e);
	return out;
}
