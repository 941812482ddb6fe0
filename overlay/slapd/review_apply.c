/*
 * review_apply.c - what a closed review comes to, guest by guest.
 * In: the items of a review that closes.  Out: guests approved, disabled, or out of the group; each
 * item says so, or why not.  Done twice it is done once.
 */
#include "review_parts.h"

/* --- guests --- */

struct search {
	Operation *op;
	struct b2b_name *name;
	bool found;
};

static bool take_name(void *ctx, Entry *e)
{
	struct search *search = ctx;

	ber_dupbv_x(&search->name->dn, &e->e_name, search->op->o_tmpmemctx);
	ber_dupbv_x(&search->name->ndn, &e->e_nname, search->op->o_tmpmemctx);
	search->found = true;
	return false;
}

static bool is_there(struct b2b_sweep *sweep, const struct berval *ndn, struct b2b_str uuid,
		     struct b2b_name *name_r)
{
	Entry *e = b2b_entry_get(sweep->op, sweep->tenant, (struct berval *)ndn);
	Attribute *a = e ? attr_find(e->e_attrs, slap_schema.si_ad_entryUUID) : NULL;
	struct search search = { sweep->op, name_r, false };

	if (a && b2b_str_equal_nocase(b2b_map_str(&a->a_vals[0]), uuid))
		take_name(&search, e);
	if (e)
		b2b_entry_release(sweep->op, sweep->tenant, e);
	return search.found;
}

int b2b_review_guest(struct b2b_sweep *sweep, const struct berval *ndn, struct b2b_str uuid,
		     struct b2b_name *name_r)
{
	struct search search = { sweep->op, name_r, false };
	struct berval text = { uuid.len, (char *)uuid.s }, *suffix = sweep->tenant->be->be_nsuffix;
	char filter[128];
	int rc = LDAP_SUCCESS;

	if (ndn && is_there(sweep, ndn, uuid, name_r))
		return LDAP_SUCCESS;
	/* renamed, or gone */
	snprintf(filter, sizeof(filter), "(entryUUID=%s)", b2b_inner_escape(sweep->op, &text));
	for (; !BER_BVISNULL(suffix) && rc == LDAP_SUCCESS && !search.found; suffix++)
		rc = b2b_inner_search(sweep->op, sweep->tenant,
				      &(struct b2b_where){ suffix, LDAP_SCOPE_SUBTREE, filter },
				      take_name, &search);
	return rc == LDAP_SUCCESS && !search.found ? LDAP_NO_SUCH_OBJECT : rc;
}

static const struct berval *guest_ndn(Entry *item)
{
	Attribute *a = attr_find(item->e_attrs, b2b_ad[B2B_ATTR_REVIEW_GUEST]);

	return a ? &a->a_nvals[0] : NULL;
}

/* --- how many --- */

static enum b2b_review conclude(const struct b2b_definition *review,
				const struct b2b_review_item *item)
{
	/* what was tried before stands */
	if (item->state == B2B_ITEM_FAILED)
		return item->decision == B2B_REVIEW_APPROVED ? B2B_REVIEW_APPROVED
							     : B2B_REVIEW_DENIED;
	return b2b_review_item_conclude(review->policy, &review->state, item);
}

static bool would_stop(struct b2b_definition *review, Entry *item)
{
	struct b2b_sweep *sweep = review->sweep;
	struct b2b_source source = b2b_map_source(item);
	struct b2b_review_item is;
	struct b2b_record_read read;
	struct b2b_name name;

	b2b_review_item_read(&source, &is);
	if (is.state == B2B_ITEM_APPLIED || conclude(review, &is) != B2B_REVIEW_DENIED ||
	    b2b_review_guest(sweep, guest_ndn(item), is.uuid, &name) != LDAP_SUCCESS ||
	    !b2b_record_read(sweep->op, sweep->tenant, &name.ndn, &read) || !read.guest.enabled)
		return false;
	b2b_sweep_expect(sweep, &name.ndn);
	return true;
}

int b2b_review_count_stops(struct b2b_definition *review, const struct b2b_review_list *items,
			   unsigned *count_r)
{
	struct b2b_sweep *sweep = review->sweep;

	*count_r = 0;
	for (size_t i = 0; i < items->count; i++) {
		int rc;
		Entry *e = b2b_review_copy(sweep->op, sweep->tenant, &items->list[i].name.ndn, &rc);

		if (e && review->policy->deny != B2B_DENY_REMOVES && would_stop(review, e))
			++*count_r;
		if (e)
			entry_free(e);
		else if (rc != LDAP_NO_SUCH_OBJECT)
			return rc;
		if (b2b_sweep_must_end(sweep))
			return LDAP_BUSY;
		b2b_sweep_renew(sweep);
	}
	return LDAP_SUCCESS;
}

/* --- what is done to the guest --- */

struct effect {
	struct b2b_definition *review;
	struct b2b_name guest;
	int rc;           /* LDAP_SUCCESS: done, or nothing is left to do */
	const char *what; /* was not done */
};

static void fail(struct effect *effect, int rc, const char *what)
{
	if (rc != LDAP_SUCCESS && effect->rc == LDAP_SUCCESS) {
		effect->rc = rc;
		effect->what = what;
	}
}

static bool has_member(struct b2b_sweep *sweep, struct berval *group, const struct berval *ndn)
{
	static const char *const names[] = { "member", "uniqueMember" };
	Entry *e = b2b_entry_get(sweep->op, sweep->tenant, group);
	bool has = false;

	for (int i = 0; e && i < 2 && !has; i++) {
		AttributeDescription *ad = NULL;
		const char *why;
		Attribute *a = slap_str2ad(names[i], &ad, &why) == LDAP_SUCCESS
				       ? attr_find(e->e_attrs, ad)
				       : NULL;

		has = a && attr_valfind(a,
					SLAP_MR_ATTRIBUTE_VALUE_NORMALIZED_MATCH |
						SLAP_MR_ASSERTED_VALUE_NORMALIZED_MATCH,
					(struct berval *)ndn, NULL, NULL) == LDAP_SUCCESS;
	}
	if (e)
		b2b_entry_release(sweep->op, sweep->tenant, e);
	return has;
}

/* Out of the scope's group, and of those within it by which the guest belongs to it as well: else
 * the denial would change nothing. */
static void remove_member(struct effect *effect)
{
	struct b2b_sweep *sweep = effect->review->sweep;
	struct b2b_review_names groups = { 0 };
	struct berval group;

	ber_str2bv(effect->review->policy->scope_group, 0, 0, &group);
	b2b_review_expand(sweep->op, sweep->tenant, &group, NULL, &groups);
	for (size_t i = 0; i < groups.count; i++) {
		if (has_member(sweep, &groups.list[i], &effect->guest.ndn))
			fail(effect,
			     b2b_group_remove(sweep->op, sweep->tenant, &groups.list[i],
					      &effect->guest.ndn),
			     "the guest is still in the group");
	}
	b2b_review_drop_names(&groups);
}

static void disable(struct effect *effect)
{
	fail(effect, b2b_guest_disable(effect->review->sweep, &effect->guest.ndn, "review-lapsed"),
	     "the guest was not disabled");
}

/* Deletion is the task's, which asks for the mass limit, and takes memberships away. */
static void mark_for_deletion(struct effect *effect)
{
	struct b2b_sweep *sweep = effect->review->sweep;
	struct b2b_record_read read;
	Modifications *mods = NULL;

	if (effect->rc != LDAP_SUCCESS ||
	    !b2b_record_read(sweep->op, sweep->tenant, &effect->guest.ndn, &read))
		return;
	/* an administrator's decision about a guest stands */
	if (read.guest.enabled || read.guest.disabled_by_admin ||
	    (read.guest.delete_after && read.guest.delete_after <= sweep->now))
		return;
	read.guest.delete_after = sweep->now;
	b2b_record_set_time(&mods, B2B_ATTR_DELETE_AFTER, sweep->now);
	b2b_record_set_due(&read, b2b_guest_next_due(&read.guest, sweep->policy, sweep->now),
			   &mods);
	fail(effect, b2b_keeper_write(sweep->op, sweep->tenant, &read, mods),
	     "the guest was disabled, and not marked for deletion");
}

/* Whether the history that the last of the changes adds to stands there. */
static bool is_noted(Entry *guest, const Modifications *mods)
{
	Attribute *history = attr_find(guest->e_attrs, b2b_ad[B2B_ATTR_REVIEW_HISTORY]);

	while (mods->sml_next)
		mods = mods->sml_next;
	return history &&
	       attr_valfind(history,
			    SLAP_MR_ATTRIBUTE_VALUE_NORMALIZED_MATCH |
				    SLAP_MR_ASSERTED_VALUE_NORMALIZED_MATCH,
			    mods->sml_nvalues ? &mods->sml_nvalues[0] : &mods->sml_values[0], NULL,
			    NULL) == LDAP_SUCCESS;
}

static time_t reviewed_at(Entry *guest)
{
	struct b2b_source source = b2b_map_source(guest);
	struct b2b_guest parsed;

	b2b_guest_parse(&source, &parsed, NULL);
	return parsed.reviewed_at;
}

/* Notes on the guest that it was approved: by the item's own time, so that it stands there once.  What
 * was answered since, in another review, is the last word. */
static void approve(struct effect *effect, Entry *item, const struct b2b_review_item *is)
{
	struct b2b_sweep *sweep = effect->review->sweep;
	Attribute *who = attr_find(item->e_attrs, b2b_ad[B2B_ATTR_REVIEWED_BY]);
	Attribute *why = attr_find(item->e_attrs, b2b_ad[B2B_ATTR_REVIEW_JUSTIFICATION]);
	bool answered = is->decision == B2B_REVIEW_APPROVED && is->reviewed_at;
	time_t when = answered ? is->reviewed_at : effect->review->state.closes;
	Modifications *mods = NULL;
	char decision[256];
	int rc;
	Entry *guest = b2b_review_copy(sweep->op, sweep->tenant, &effect->guest.ndn, &rc);

	if (!guest) {
		fail(effect, rc == LDAP_NO_SUCH_OBJECT ? LDAP_SUCCESS : rc,
		     "the guest cannot be read");
		return;
	}
	snprintf(decision, sizeof(decision), "Approve (%s %u)", effect->review->cn, is->instance);
	(reviewed_at(guest) > when ? b2b_record_note_history : b2b_record_note_review)(
		when, answered && who ? who->a_vals[0].bv_val : "", decision,
		answered && why ? why->a_vals[0].bv_val : "nobody answered", &mods);
	if (is_noted(guest, mods))
		slap_mods_free(mods, 1);
	else
		fail(effect,
		     b2b_inner_modify(sweep->op, sweep->tenant, &effect->guest, NULL, mods, false),
		     "the approval was not noted");
	entry_free(guest);
}

static void carry_out(struct effect *effect, Entry *item, const struct b2b_review_item *is,
		      enum b2b_review decision)
{
	if (decision == B2B_REVIEW_APPROVED) {
		approve(effect, item, is);
		return;
	}
	switch (effect->review->policy->deny) {
	case B2B_DENY_REMOVES:
		remove_member(effect);
		return;
	case B2B_DENY_DISABLES:
		disable(effect);
		return;
	case B2B_DENY_DELETES:
		disable(effect);
		mark_for_deletion(effect);
		return;
	}
}

/* --- what is noted in the item --- */

static Modifications *note(const struct effect *effect, const struct b2b_review_item *is,
			   enum b2b_review decision)
{
	const char *word = decision == B2B_REVIEW_APPROVED ? "Approve" : "Deny";
	Modifications *mods = NULL;
	char text[256];

	/* silence, a reviewer that did not know, an approval of an earlier stage */
	if (is->decision != decision) {
		b2b_record_set(&mods, B2B_ATTR_REVIEW_DECISION, word);
		snprintf(text, sizeof(text), "%s (by default)", word);
		b2b_record_note_review(effect->review->state.closes, "", text, "nobody decided",
				       &mods);
	}
	b2b_record_set(&mods, B2B_ATTR_REVIEW_ITEM_STATE,
		       effect->rc == LDAP_SUCCESS ? "applied" : "failed");
	if (effect->rc == LDAP_SUCCESS) {
		b2b_record_set(&mods, B2B_ATTR_REVIEW_ITEM_ERROR, NULL);
		return mods;
	}
	snprintf(text, sizeof(text), "%s: %s (%d)", effect->what, ldap_err2string(effect->rc),
		 effect->rc);
	b2b_record_set(&mods, B2B_ATTR_REVIEW_ITEM_ERROR, text);
	return mods;
}

static int apply(struct b2b_definition *review, const struct b2b_name *name, Entry *item,
		 const struct b2b_review_item *is, bool *failed_r)
{
	struct effect effect = { .review = review };
	enum b2b_review decision = conclude(review, is);
	struct b2b_sweep *sweep = review->sweep;
	int rc = b2b_review_guest(sweep, guest_ndn(item), is->uuid, &effect.guest);

	if (rc == LDAP_SUCCESS)
		carry_out(&effect, item, is, decision);
	else if (rc != LDAP_NO_SUCH_OBJECT) /* of one that is gone nothing is left to do */
		fail(&effect, rc, "the guest cannot be read");
	*failed_r = effect.rc != LDAP_SUCCESS;
	if (*failed_r)
		Debug(LDAP_DEBUG_ANY, "b2b: review \"%s\": %s (%d)\n", name->dn.bv_val, effect.what,
		      effect.rc);
	return b2b_inner_modify(sweep->op, sweep->tenant, name, b2b_review_csn(item),
				note(&effect, is, decision), false);
}

int b2b_review_apply(struct b2b_definition *review, const struct b2b_review_found *item,
		     bool *failed_r)
{
	struct b2b_sweep *sweep = review->sweep;
	struct b2b_review_item is;
	int rc;
	Entry *e = b2b_review_copy(sweep->op, sweep->tenant, &item->name.ndn, &rc);

	*failed_r = false;
	if (!e) /* an administrator took it away */
		return rc == LDAP_NO_SUCH_OBJECT ? LDAP_SUCCESS : rc;
	struct b2b_source source = b2b_map_source(e);
	b2b_review_item_read(&source, &is);
	if (is.state != B2B_ITEM_APPLIED)
		rc = apply(review, &item->name, e, &is, failed_r);
	entry_free(e);
	return rc;
}
