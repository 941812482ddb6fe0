/*
 * review_item.c - who may answer for a guest in an access review by definition.
 * In: a client's write of a b2bReviewItem.  Out: a refusal; or who answered, when, and the history.
 */
#include "review_parts.h"

static int refuse(struct b2b_error *error, int err, const char *text)
{
	b2b_error_set(error, "%s", text);
	return err;
}

static bool is_answer(const AttributeDescription *ad)
{
	return ad == b2b_ad[B2B_ATTR_REVIEW_DECISION] ||
	       ad == b2b_ad[B2B_ATTR_REVIEW_JUSTIFICATION];
}

/* --- guests that review themselves --- */

static bool names(Entry *e, enum b2b_attr attr, const struct berval *ndn)
{
	Attribute *a = attr_find(e->e_attrs, b2b_ad[attr]);

	for (unsigned i = 0; a && i < a->a_numvals; i++) {
		if (bvmatch(&a->a_nvals[i], ndn))
			return true;
	}
	return false;
}

/* Neither who else reviews nor what was said before. */
static bool is_shown(const AttributeDescription *ad)
{
	static const enum b2b_attr shown[] = { B2B_ATTR_CN, B2B_ATTR_REVIEW_GUEST,
					       B2B_ATTR_REVIEW_STAGE, B2B_ATTR_REVIEW_ITEM_STATE };

	if (ad == slap_schema.si_ad_entry || ad == slap_schema.si_ad_objectClass || is_answer(ad))
		return true;
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		if (ad == b2b_ad[shown[i]])
			return true;
	}
	return false;
}

bool b2b_review_is_own(const struct berval *guest_ndn, Entry *e, const AttributeDescription *desc,
		       slap_access_t access)
{
	bool writes = ACL_LEVEL(access) > ACL_READ;

	return (writes ? is_answer(desc) && ACL_LEVEL(access) == ACL_LEVEL(ACL_WRITE)
		       : is_shown(desc)) &&
	       names(e, B2B_ATTR_REVIEW_GUEST, guest_ndn) &&
	       names(e, B2B_ATTR_REVIEWER, guest_ndn) && is_entry_objectclass(e, b2b_oc_item, 0);
}

bool b2b_review_may_answer(Operation *op)
{
	struct b2b_tenant *tenant = b2b_tenant_of(&op->o_req_ndn);
	Entry *e = tenant && b2b_policy_place(tenant, &op->o_req_ndn) == B2B_PLACE_ITEMS
			   ? b2b_entry_get(op, tenant, &op->o_req_ndn)
			   : NULL;
	bool may =
		e && b2b_review_is_own(&op->o_ndn, e, b2b_ad[B2B_ATTR_REVIEW_DECISION], ACL_WRITE);

	if (e)
		b2b_entry_release(op, tenant, e);
	return may;
}

/* --- what --- */

/* Only what a reviewer may say is in it.  What slapd itself adds to a change is no client's. */
static int check_attributes(const Modifications *m, struct b2b_error *error)
{
	for (; m; m = m->sml_next) {
		if ((m->sml_flags & SLAP_MOD_INTERNAL) || is_answer(m->sml_desc))
			continue;
		b2b_error_set(error,
			      "%s: of a b2bReviewItem only b2bReviewDecision and "
			      "b2bReviewJustification are written",
			      m->sml_desc->ad_cname.bv_val);
		return LDAP_CONSTRAINT_VIOLATION;
	}
	return LDAP_SUCCESS;
}

/* --- who --- */

/* Whether op's name is the guest of the item, however it is called by now. */
static bool is_guest_itself(Operation *op, struct b2b_tenant *tenant, Entry *item,
			    const struct b2b_review_item *is)
{
	Attribute *a = attr_find(item->e_attrs, b2b_ad[B2B_ATTR_REVIEW_GUEST]);
	bool itself = !a || bvmatch(&a->a_nvals[0], &op->o_ndn);
	Entry *e = b2b_entry_get(op, tenant, &op->o_ndn);

	a = e ? attr_find(e->e_attrs, slap_schema.si_ad_entryUUID) : NULL;
	if (a && b2b_str_equal_nocase(b2b_map_str(&a->a_vals[0]), is->uuid))
		itself = true;
	if (e)
		b2b_entry_release(op, tenant, e);
	return itself;
}

static int check_reviewer(Operation *op, struct b2b_tenant *tenant, Entry *item,
			  const struct b2b_definition *review, const struct b2b_review_item *is,
			  struct b2b_error *error)
{
	Attribute *a = attr_find(item->e_attrs, b2b_ad[B2B_ATTR_REVIEWER]);
	struct b2b_list named = { NULL, 0 };

	for (unsigned i = 0; a && i < a->a_numvals; i++) {
		if (!named.list)
			named.list = op->o_tmpcalloc(a->a_numvals, sizeof(char *), op->o_tmpmemctx);
		named.list[named.count++] = a->a_nvals[i].bv_val;
	}
	if (!b2b_person_is_among(op, tenant, &op->o_ndn, &named))
		return refuse(error, LDAP_INSUFFICIENT_ACCESS,
			      "b2bReviewDecision: only those whom b2bReviewer names may answer");
	if (!(review->policy->stages[is->stage].kinds & B2B_BY_SELF) &&
	    is_guest_itself(op, tenant, item, is))
		return refuse(error, LDAP_INSUFFICIENT_ACCESS,
			      "b2bReviewDecision: nobody reviews itself in this review");
	return LDAP_SUCCESS;
}

/* --- when and what --- */

static int check_open(const struct b2b_definition *review, const struct b2b_review_item *is,
		      struct b2b_error *error)
{
	const struct b2b_review_state *state = &review->state;

	if (!review->valid)
		return refuse(error, LDAP_UNWILLING_TO_PERFORM,
			      "b2bReviewDecision: the definition of this review cannot be read");
	if (!state->open || is->instance != state->instance || is->stage != state->stage ||
	    state->closes <= slap_get_time() || is->state == B2B_ITEM_APPLIED ||
	    is->state == B2B_ITEM_FAILED)
		return refuse(error, LDAP_UNWILLING_TO_PERFORM,
			      "b2bReviewDecision: this review is closed");
	return LDAP_SUCCESS;
}

static struct b2b_str value_of(Entry *e, enum b2b_attr attr)
{
	Attribute *a = attr_find(e->e_attrs, b2b_ad[attr]);

	return a ? b2b_map_str(&a->a_vals[0]) : b2b_str_of("");
}

static int check_answer(const struct b2b_definition *review, Entry *after, struct b2b_error *error)
{
	struct b2b_str decision = value_of(after, B2B_ATTR_REVIEW_DECISION);
	struct b2b_str why = value_of(after, B2B_ATTR_REVIEW_JUSTIFICATION);
	bool approves = b2b_str_equal_nocase(decision, b2b_str_of("Approve"));

	if (!approves && !b2b_str_equal_nocase(decision, b2b_str_of("Deny")) &&
	    !b2b_str_equal_nocase(decision, b2b_str_of("DontKnow"))) {
		b2b_error_set(error,
			      "b2bReviewDecision: value \"%.*s\" is neither Approve, Deny nor "
			      "DontKnow",
			      (int)decision.len, decision.s);
		return LDAP_CONSTRAINT_VIOLATION;
	}
	if (approves && review->policy->justify && b2b_str_is_blank(why))
		return refuse(error, LDAP_CONSTRAINT_VIOLATION,
			      "b2bReviewJustification: an approval says why");
	return LDAP_SUCCESS;
}

static void note_answer(Operation *op, Entry *after, const struct b2b_review_item *is,
			Modifications **mods)
{
	struct b2b_str decision = value_of(after, B2B_ATTR_REVIEW_DECISION);
	char text[64];

	snprintf(text, sizeof(text), "%.*s (stage %u)", (int)decision.len, decision.s, is->stage);
	b2b_record_set(mods, B2B_ATTR_REVIEW_ITEM_STATE, "answered");
	b2b_record_note_review(slap_get_time(), op->o_ndn.bv_val, text,
			       value_of(after, B2B_ATTR_REVIEW_JUSTIFICATION).s, mods);
}

static int judge_answer(Operation *op, struct b2b_tenant *tenant, Entry *before, Entry *after,
			Modifications **mods, struct b2b_error *error)
{
	struct b2b_source source = b2b_map_source(before);
	struct b2b_review_item is;
	struct b2b_definition review;
	struct berval parent;
	int rc = check_attributes(*mods, error);

	b2b_review_item_read(&source, &is);
	dnParent(&before->e_nname, &parent);
	if (!b2b_review_get(op, tenant, &parent, &review) && rc == LDAP_SUCCESS)
		rc = refuse(error, LDAP_UNWILLING_TO_PERFORM,
			    "b2bReviewDecision: this item belongs to no review");
	if (rc == LDAP_SUCCESS)
		rc = check_open(&review, &is, error);
	if (rc == LDAP_SUCCESS)
		rc = check_reviewer(op, tenant, before, &review, &is, error);
	if (rc == LDAP_SUCCESS)
		rc = check_answer(&review, after, error);
	if (rc == LDAP_SUCCESS)
		note_answer(op, after, &is, mods);
	b2b_review_clear(&review);
	return rc;
}

int b2b_item_judge(Operation *op, struct b2b_tenant *tenant, Entry *before, Entry *after,
		   Modifications **mods, struct b2b_error *error)
{
	if (get_relax(op) && be_isroot(op))
		return LDAP_SUCCESS;
	if (!before)
		return refuse(error, LDAP_CONSTRAINT_VIOLATION,
			      "objectClass: items of a review are made by the server alone");
	if (after)
		return judge_answer(op, tenant, before, after, mods, error);
	if (be_isroot(op) || b2b_access_may_manage(op, before, b2b_ad[B2B_ATTR_REVIEW_ITEM_STATE]))
		return LDAP_SUCCESS;
	return refuse(error, LDAP_INSUFFICIENT_ACCESS,
		      "who may manage b2bReviewItemState takes items of a review away");
}
