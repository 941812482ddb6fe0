/*
 * view_guest.c - what a guest sees: its own entry, and what its applications, its access level and the
 * labels leave.
 * In: an access check of a guest's operation.  Out: false, "as if it were not there", or true: slapd's
 * own access control decides.
 */
#include "glue.h"

/* --- once an operation --- */

static uint32_t lower(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void add_scopes(Operation *op, struct b2b_passage *p, const struct b2b_rule *app,
		       uint32_t bound)
{
	for (size_t i = 0; i < app->u.app.scope_count; i++) {
		struct b2b_view_scope *scope = &p->scopes[p->scope_count++];

		ber_str2bv(b2b_map_copy(op, app->u.app.scopes[i]), 0, 0, &scope->ndn);
		scope->bound = bound;
	}
}

/* Whether an application's scope is of interest: who has no entry sees that of the application it came
 * in by alone. */
static bool has_scope(const struct b2b_passage *p, const struct b2b_rule *app)
{
	if (p->direct && (!p->app_dn || strcmp(app->dn, p->app_dn) != 0))
		return false;
	return app->u.app.scope_count > 0;
}

/* The scopes of the applications that a limited guest may use. */
static void find_scopes(Operation *op, struct b2b_passage *p, const struct b2b_snapshot *snapshot,
			struct b2b_context *context)
{
	const struct b2b_rule *app;
	struct b2b_verdict verdict;
	size_t total = 0;
	uint32_t bound;

	for (size_t i = 0; (app = b2b_snapshot_app_at(snapshot, i)); i++)
		total += app->u.app.scope_count;
	p->scopes = op->o_tmpcalloc(total + 1, sizeof(*p->scopes), op->o_tmpmemctx);
	for (size_t i = 0; (app = b2b_snapshot_app_at(snapshot, i)); i++) {
		if (!has_scope(p, app))
			continue;
		verdict = b2b_passage_decide(op, p->tenant, snapshot, &p->guest, app, context);
		if (verdict.effect == B2B_ALLOW &&
		    b2b_decide_reach(snapshot, &p->guest, app, verdict.label_cap, &bound))
			add_scopes(op, p, app, lower(bound, p->bound));
	}
}

static void find_labels(Operation *op, struct b2b_passage *p, const struct b2b_snapshot *snapshot)
{
	const struct b2b_tenant_policy *tenant = b2b_record_policy(snapshot);
	struct b2b_view_labels *labels = &p->labels;

	if (!tenant || !tenant->label_count)
		return;
	labels->names =
		op->o_tmpcalloc(tenant->label_count, sizeof(*labels->names), op->o_tmpmemctx);
	labels->count = tenant->label_count;
	labels->unlabelled = b2b_snapshot_label_rank(snapshot, (struct b2b_str){ NULL, 0 });
	for (size_t i = 0; i < tenant->label_count; i++)
		labels->names[i] = b2b_map_copy_str(op, b2b_str_of(tenant->labels[i]));
	p->types = op->o_tmpcalloc(tenant->attribute_label_count + 1, sizeof(*p->types),
				   op->o_tmpmemctx);
	for (size_t i = 0; i < tenant->attribute_label_count; i++) {
		const struct b2b_attribute_label *label = &tenant->attribute_labels[i];

		p->types[p->type_count++] = (struct b2b_view_type){
			at_find(label->type),
			b2b_snapshot_label_rank(snapshot, b2b_str_of(label->label)),
		};
	}
}

void b2b_view_prepare(Operation *op, struct b2b_passage *p, const struct b2b_snapshot *snapshot,
		      const struct b2b_rule *app, struct b2b_context *context)
{
	p->access = p->direct ? B2B_SEES_LIMITED : b2b_decide_access_level(snapshot, &p->guest);
	if (!b2b_decide_reach(snapshot, &p->guest, app, p->verdict.label_cap, &p->bound))
		p->access = B2B_SEES_RESTRICTED;
	find_labels(op, p, snapshot);
	if (p->access == B2B_SEES_LIMITED)
		find_scopes(op, p, snapshot, context);
}

/* --- each entry --- */

/* Whether an entry is an ancestor of what the guest may see.  A search may start there, or a
 * program that searches from the suffix would find nothing; the entry itself stays hidden. */
static bool is_way_to(const struct b2b_passage *p, const struct berval *ndn)
{
	if (!p->direct && dnIsSuffix(&p->ndn, ndn))
		return true;
	for (size_t i = 0; i < p->scope_count; i++) {
		if (dnIsSuffix(&p->scopes[i].ndn, ndn))
			return true;
	}
	return false;
}

/* As b2b_snapshot_label_rank has it. */
static uint32_t rank_of(const struct b2b_view_labels *labels, const struct berval *label)
{
	for (size_t i = 0; i < labels->count; i++) {
		if (b2b_str_equal_nocase(labels->names[i], b2b_map_str(label)))
			return (uint32_t)i;
	}
	return B2B_RANK_UNKNOWN;
}

/* The rank of an entry's label; with options there may be several, of which the highest counts. */
static uint32_t label_rank(const struct b2b_passage *p, Entry *e)
{
	AttributeDescription *desc = b2b_ad[B2B_ATTR_LABEL];
	Attribute *a = p->labels.count ? attrs_find(e->e_attrs, desc) : NULL;
	uint32_t highest = a || !p->labels.count ? 0 : p->labels.unlabelled;

	for (; a; a = attrs_find(a->a_next, desc)) {
		for (unsigned i = 0; i < a->a_numvals; i++) {
			uint32_t rank = rank_of(&p->labels, &a->a_vals[i]);

			highest = rank > highest ? rank : highest;
		}
	}
	return highest;
}

/* Whether e lies in a scope; *bound_r is the highest bound of those that it lies in. */
static bool in_scope(const struct b2b_passage *p, const struct berval *ndn, uint32_t *bound_r)
{
	bool found = false;

	*bound_r = 0;
	for (size_t i = 0; i < p->scope_count; i++) {
		if (!dnIsSuffix(ndn, &p->scopes[i].ndn))
			continue;
		found = true;
		if (p->scopes[i].bound > *bound_r)
			*bound_r = p->scopes[i].bound;
	}
	return found;
}

static bool is_of_class(Entry *e, const char *name)
{
	ObjectClass *class = oc_find(name);

	return class && is_entry_objectclass_or_sub(e, class);
}

/* Whether op reads this one entry by its name, and it is a person. */
static bool is_named(Operation *op, const struct b2b_passage *p, Entry *e)
{
	return p->access == B2B_SEES_LIMITED && !p->direct && !p->narrowed &&
	       op->o_tag == LDAP_REQ_SEARCH && op->ors_scope == LDAP_SCOPE_BASE &&
	       dn_match(&op->o_req_ndn, &e->e_nname) &&
	       (is_of_class(e, "person") || is_of_class(e, "account"));
}

enum b2b_view b2b_view_entry(Operation *op, const struct b2b_passage *p, Entry *e,
			     uint32_t *bound_r)
{
	enum b2b_view view = B2B_VIEW_HIDDEN;

	*bound_r = p->bound;
	if (!p->direct && dn_match(&e->e_nname, &p->ndn))
		return B2B_VIEW_OWN;
	if (b2b_access_is_private(e))
		return B2B_VIEW_HIDDEN;
	if (in_scope(p, &e->e_nname, bound_r)) {
		if (label_rank(p, e) <= *bound_r)
			return B2B_VIEW_SCOPE;
		view = B2B_VIEW_LABEL;
	} else {
		*bound_r = p->bound;
	}
	if (p->access == B2B_SEES_MEMBER)
		view = B2B_VIEW_MEMBER;
	else if (is_named(op, p, e))
		view = B2B_VIEW_NAME;
	else
		return view;
	*bound_r = p->bound;
	return label_rank(p, e) <= p->bound ? view : B2B_VIEW_LABEL;
}

/* --- each attribute --- */

static bool is_ours(const AttributeDescription *desc)
{
	return !strncasecmp(desc->ad_type->sat_cname.bv_val, "b2b", 3);
}

bool b2b_view_hides_type(const struct b2b_passage *p, const AttributeDescription *desc,
			 uint32_t bound)
{
	for (size_t i = 0; i < p->type_count; i++) {
		const struct b2b_view_type *type = &p->types[i];

		if (type->rank > bound && (!type->type || is_at_subtype(desc->ad_type, type->type)))
			return true;
	}
	return false;
}

/* Whether a filter or a compare on desc could find values of a hidden subtype: slapd asks about those
 * again, but not in an extensible match, and who compares hears that there are some (measured). */
static bool finds_hidden(const struct b2b_passage *p, const AttributeDescription *desc,
			 uint32_t bound)
{
	for (size_t i = 0; i < p->type_count; i++) {
		if (p->types[i].rank > bound && is_at_subtype(p->types[i].type, desc->ad_type))
			return true;
	}
	return false;
}

/* What a base search for a person shows; that there is an object class may be asked, not which. */
static bool is_naming(const AttributeDescription *desc, const struct berval *val,
		      slap_access_t access)
{
	static const char *const names[] = { "displayName", "cn",        "mail",
					     "uid",         "jpegPhoto", "photo" };

	if (desc == slap_schema.si_ad_entry)
		return true;
	if (desc == slap_schema.si_ad_objectClass)
		return ACL_LEVEL(access) == ACL_SEARCH && !val;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcasecmp(desc->ad_type->sat_cname.bv_val, names[i]))
			return true;
	}
	return false;
}

static bool entry_sees(Operation *op, struct b2b_passage *p, Entry *e, AttributeDescription *desc,
		       struct berval *val, slap_access_t access)
{
	uint32_t bound;
	enum b2b_view view = b2b_view_entry(op, p, e, &bound);

	if (view == B2B_VIEW_HIDDEN || view == B2B_VIEW_LABEL)
		return desc == slap_schema.si_ad_entry && ACL_LEVEL(access) == ACL_SEARCH &&
		       is_way_to(p, &e->e_nname);
	if (view == B2B_VIEW_NAME && !is_naming(desc, val, access))
		return false;
	if (view != B2B_VIEW_OWN && is_ours(desc) && b2b_map_is_guest(e))
		return false;
	return !b2b_view_hides_type(p, desc, bound) &&
	       (ACL_LEVEL(access) == ACL_READ || !finds_hidden(p, desc, bound));
}

bool b2b_view_guest(Operation *op, struct b2b_passage *p, Entry *e, AttributeDescription *desc,
		    struct berval *val, slap_access_t access)
{
	if (desc == slap_schema.si_ad_entry && p->tenant && p->tenant->open)
		b2b_passage_keep_up(op, p);
	if (p->verdict.effect != B2B_ALLOW || !p->tenant || !p->tenant->open)
		return false;
	if (b2b_tenant_of(&e->e_nname) != p->tenant)
		return false;
	if (!p->direct && dnIsSuffix(&e->e_nname, &p->tenant->nbase) &&
	    b2b_review_is_own(&p->ndn, e, desc, access))
		return true;
	if (ACL_LEVEL(access) > ACL_READ)
		return false;
	return entry_sees(op, p, e, desc, val, access);
}
