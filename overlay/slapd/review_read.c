/*
 * review_read.c - access review definitions and their items, read from the directory.
 * In: normalised names.  Out: struct b2b_definition on the heap, lists of items; for keeper.c, whether a
 * definition means something to this server.
 */
#include "review_parts.h"

/* --- what only slapd can tell --- */

/* The first part of a filter that can never match because slapd does not know its attribute, or not
 * that value of it. */
static bool is_undefined(const Filter *f)
{
	switch (f->f_choice & SLAPD_FILTER_MASK) {
	case LDAP_FILTER_AND:
	case LDAP_FILTER_OR:
		for (const Filter *part = f->f_list; part; part = part->f_next) {
			if (is_undefined(part))
				return true;
		}
		return false;
	case LDAP_FILTER_NOT:
		return is_undefined(f->f_not);
	case SLAPD_FILTER_COMPUTED:
		return f->f_result == SLAPD_COMPARE_UNDEFINED;
	default:
		return (f->f_choice & SLAPD_FILTER_UNDEFINED) != 0;
	}
}

static enum b2b_err check_filter(const struct b2b_review_policy *policy, struct b2b_error *error)
{
	const char *text = policy->scope_filter;
	Filter *f = text ? str2filter(text) : NULL;

	if (!text)
		return B2B_OK;
	if (!f)
		return b2b_error_set(error,
				     "b2bReviewScopeFilter: value \"%s\" is no filter "
				     "(RFC 4515)",
				     text);
	bool undefined = is_undefined(f);
	filter_free(f);
	if (undefined)
		return b2b_error_set(error,
				     "b2bReviewScopeFilter: value \"%s\" names an attribute or "
				     "value that this server does not know",
				     text);
	return B2B_OK;
}

/* Names of persons and groups as they are compared. */
static enum b2b_err normalise(struct b2b_list *list, struct b2b_error *error)
{
	for (size_t i = 0; i < list->count; i++) {
		struct berval dn, ndn;

		ber_str2bv(list->list[i], 0, 0, &dn);
		if (dnNormalize(0, NULL, NULL, &dn, &ndn, NULL) != LDAP_SUCCESS)
			return b2b_error_set(error, "b2bReviewBy: value \"%s\" is no DN",
					     list->list[i]);
		char *copy = strdup(ndn.bv_val);
		ch_free(ndn.bv_val);
		if (!copy)
			return b2b_error_set(error, "out of memory");
		free(list->list[i]);
		list->list[i] = copy;
	}
	return B2B_OK;
}

enum b2b_err b2b_review_check(struct b2b_tenant *tenant, struct b2b_rule *rule,
			      struct b2b_error *error)
{
	struct b2b_review_policy *policy = rule->u.review;
	static const char outside[] = "%s: value \"%s\" is not in this database";
	struct berval ndn;
	enum b2b_err err;

	for (unsigned i = 0; i < policy->stage_count; i++) {
		err = normalise(&policy->stages[i].reviewers, error);
		if (err != B2B_OK)
			return err;
	}
	ber_str2bv(policy->scope_base ? policy->scope_base : "", 0, 0, &ndn);
	if (policy->scope_base && !be_issuffix(tenant->be, &ndn) &&
	    !be_issubordinate(tenant->be, &ndn))
		return b2b_error_set(error, outside, "b2bReviewScopeBase", ndn.bv_val);
	ber_str2bv(policy->scope_group ? policy->scope_group : "", 0, 0, &ndn);
	if (policy->scope_group && !be_issubordinate(tenant->be, &ndn))
		return b2b_error_set(error, outside, "b2bReviewScopeGroup", ndn.bv_val);
	return check_filter(policy, error);
}

/* --- definitions --- */

static char *text_of(Entry *e, AttributeDescription *ad)
{
	Attribute *a = attr_find(e->e_attrs, ad);

	return ch_strdup(a ? a->a_vals[0].bv_val : "");
}

const char *b2b_review_csn(Entry *e)
{
	Attribute *a = attr_find(e->e_attrs, slap_schema.si_ad_entryCSN);

	return a ? a->a_nvals[0].bv_val : NULL;
}

Entry *b2b_review_copy(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn,
		       int *rc_r)
{
	Entry *e, *copy = NULL;
	int rc = b2b_entry_read(op, tenant, (struct berval *)ndn, &e);

	if (e) {
		copy = entry_dup(e);
		b2b_entry_release(op, tenant, e);
	}
	if (rc_r)
		*rc_r = rc;
	return copy;
}

static void read_owners(Operation *op, struct b2b_tenant *tenant, struct b2b_definition *review)
{
	AttributeDescription *owner = NULL;
	struct berval ndn;
	const char *why;

	const char *group = review->policy ? review->policy->scope_group : NULL;
	if (!group || slap_str2ad("owner", &owner, &why) != LDAP_SUCCESS)
		return;
	ber_str2bv(group, 0, 0, &ndn);
	Entry *e = b2b_review_copy(op, tenant, &ndn, NULL);
	Attribute *a = e ? attr_find(e->e_attrs, owner) : NULL;
	if (a) {
		review->owners.list = ch_calloc(a->a_numvals, sizeof(char *));
		for (unsigned i = 0; i < a->a_numvals; i++)
			review->owners.list[review->owners.count++] =
				ch_strdup(a->a_nvals[i].bv_val);
	}
	if (e)
		entry_free(e);
}

bool b2b_review_get(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn,
		    struct b2b_definition *review_r)
{
	Entry *e = b2b_review_copy(op, tenant, ndn, NULL);
	const char *csn = e ? b2b_review_csn(e) : NULL;

	memset(review_r, 0, sizeof(*review_r));
	if (!csn || !is_entry_objectclass(e, b2b_oc_review, 0)) {
		if (e)
			entry_free(e);
		return false;
	}
	struct b2b_source source = b2b_map_source(e);
	struct b2b_str due;
	ber_dupbv(&review_r->name.dn, &e->e_name);
	ber_dupbv(&review_r->name.ndn, &e->e_nname);
	snprintf(review_r->csn, sizeof(review_r->csn), "%s", csn);
	review_r->cn = text_of(e, b2b_ad[B2B_ATTR_CN]);
	review_r->uuid = text_of(e, slap_schema.si_ad_entryUUID);
	b2b_review_state_read(&source, &review_r->state);
	if (source.value(e, B2B_ATTR_NEXT_DUE, 0, &due))
		b2b_time_parse(due, &review_r->next_due);
	review_r->valid = b2b_rule_compile(B2B_RULE_REVIEW, &source, &review_r->rule,
					   &review_r->error) == B2B_OK &&
			  b2b_review_check(tenant, review_r->rule, &review_r->error) == B2B_OK;
	review_r->policy = review_r->rule ? review_r->rule->u.review : NULL;
	if (review_r->valid)
		read_owners(op, tenant, review_r);
	entry_free(e);
	return true;
}

void b2b_review_clear(struct b2b_definition *review)
{
	ch_free(review->name.dn.bv_val);
	ch_free(review->name.ndn.bv_val);
	ch_free(review->cn);
	ch_free(review->uuid);
	for (size_t i = 0; i < review->owners.count; i++)
		ch_free(review->owners.list[i]);
	ch_free(review->owners.list);
	b2b_rule_unref(&review->rule);
	b2b_snapshot_unref(&review->snapshot);
	memset(review, 0, sizeof(*review));
}

/* --- lists --- */

void b2b_review_note(struct b2b_review_list *list, Entry *e)
{
	if (list->count == list->room) {
		list->room = list->room ? 2 * list->room : 64;
		list->list = ch_realloc(list->list, list->room * sizeof(*list->list));
	}
	struct b2b_review_found *found = &list->list[list->count++];

	ber_dupbv(&found->name.dn, &e->e_name);
	ber_dupbv(&found->name.ndn, &e->e_nname);
	found->uuid = text_of(e, slap_schema.si_ad_entryUUID);
}

void b2b_review_forget(struct b2b_review_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		ch_free(list->list[i].name.dn.bv_val);
		ch_free(list->list[i].name.ndn.bv_val);
		ch_free(list->list[i].uuid);
	}
	ch_free(list->list);
	memset(list, 0, sizeof(*list));
}

static bool note_any(void *ctx, Entry *e)
{
	b2b_review_note(ctx, e);
	return !slapd_shutdown;
}

int b2b_review_items(struct b2b_definition *review, unsigned instance, const char *state,
		     struct b2b_review_list *list)
{
	char filter[128];

	if (state)
		snprintf(filter, sizeof(filter), "(&(cn=%u-*)(b2bReviewItemState=%s))", instance,
			 state);
	else
		snprintf(filter, sizeof(filter), "(cn=%u-*)", instance);
	return b2b_inner_search(
		review->sweep->op, review->sweep->tenant,
		&(struct b2b_where){ &review->name.ndn, LDAP_SCOPE_ONELEVEL, filter }, note_any,
		list);
}

int b2b_review_children(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn,
			struct b2b_review_list *list)
{
	return b2b_inner_search(op, tenant,
				&(struct b2b_where){ ndn, LDAP_SCOPE_ONELEVEL, "(objectClass=*)" },
				note_any, list);
}
