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
	uint64_t published; /* of the tenant, when the policy was taken up */
	uint32_t bound;     /* of labels there */
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
					 .direct = it->direct,
					 .guest = it->guest,
					 .verdict = it->verdict };
	looking->published = atomic_load(&it->exop->tenant->published);
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

/* Whether the hook shows it, and why. */
static const char *judge(struct looking *looking, bool *shows_r)
{
	static const char *const whys[] = {
		[B2B_VIEW_HIDDEN] = "neither its own nor in a scope that it may see",
		[B2B_VIEW_LABEL] = "its label is above the bound",
		[B2B_VIEW_OWN] = "own entry",
		[B2B_VIEW_SCOPE] = "scope",
		[B2B_VIEW_MEMBER] = "member",
		[B2B_VIEW_NAME] = "naming attributes",
	};
	enum b2b_view view;

	*shows_r = hook_shows(looking);
	if (!*shows_r) {
		look_at_base(looking);
		*shows_r = hook_shows(looking);
	}
	view = b2b_view_entry(looking->op, &looking->passage, looking->e, &looking->bound);
	if (*shows_r && (view == B2B_VIEW_HIDDEN || view == B2B_VIEW_LABEL))
		return "its own review";
	return whys[view];
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

static void add_labels(struct b2b_explaining *it, const struct looking *looking, json_t *out)
{
	const struct b2b_view_labels *labels = &looking->passage.labels;
	const char *own = b2b_entry_text(it->op, looking->e, "b2bLabel");
	size_t bound = looking->bound < labels->count ? looking->bound : labels->count - 1;

	if (!labels->count)
		return;
	if (!own && labels->unlabelled < labels->count)
		own = labels->names[labels->unlabelled].s;
	if (own)
		json_object_set_new(out, "label", json_string(own));
	json_object_set_new(out, "bound", json_string(labels->names[bound].s));
}

/* What a search of the guest would show. */
static json_t *look(struct b2b_explaining *it, struct looking *looking)
{
	struct b2b_tenant *tenant = it->exop->tenant;
	bool shows, visible;
	const char *by = judge(looking, &shows);
	json_t *out;

	visible = shows && sees(looking, slap_schema.si_ad_entry);
	if (shows && !visible)
		by = "slapd's access control hides it";
	out = answer(it, visible, by);
	if (visible)
		json_object_set_new(out, "hidden", hidden_attributes(looking));
	add_labels(it, looking, out);
	if (atomic_load(&tenant->published) == looking->published)
		return out;
	/* the hook judged anew, by what is known of the one who asks */
	json_decref(out);
	return answer(it, false, "the policy was changed meanwhile: ask again");
}

json_t *b2b_explain_entry(struct b2b_explaining *it)
{
	struct looking looking = { .bound = 0 };
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
		out = look(it, &looking);
		filter_free_x(looking.op, looking.op->ors_filter, 1);
	}
	entry_free(looking.e);
	return out;
}
