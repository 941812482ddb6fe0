/*
 * review_ask.c - who reviews a guest, and the item that asks.
 * In: a definition, a guest in its scope.  Out: one b2bReviewItem a guest, handed on from stage to
 * stage.
 */
#include "review_parts.h"

/* --- reviewers --- */

struct choice {
	struct b2b_definition *review;
	Operation *op;
	struct b2b_tenant *tenant;
	const struct berval *guest;
	struct b2b_review_names there, gone;
};

static void consider(struct choice *choice, const struct berval *ndn)
{
	if (bvmatch(ndn, choice->guest))
		return;
	b2b_review_add_name(b2b_person_is_active(choice->op, choice->tenant, ndn) ? &choice->there
										  : &choice->gone,
			    ndn);
}

static void consider_values(struct choice *choice, Entry *guest, AttributeDescription *ad)
{
	Attribute *a = ad ? attr_find(guest->e_attrs, ad) : NULL;

	for (unsigned i = 0; a && i < a->a_numvals; i++)
		consider(choice, &a->a_nvals[i]);
}

static void consider_list(struct choice *choice, const struct b2b_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct berval ndn;

		ber_str2bv(list->list[i], 0, 0, &ndn);
		consider(choice, &ndn);
	}
}

/* Fills there with the guest's reviewers in a stage.  Those that are gone, or the guest itself, do
 * not count; where none is left it is the fallback's turn, and true is answered. */
static bool choose(struct choice *choice, unsigned stage, Entry *guest)
{
	const struct b2b_review_policy *policy = choice->review->policy;
	const struct b2b_review_stage *by = &policy->stages[stage];
	const struct b2b_tenant_policy *tenant = choice->review->tenant;
	AttributeDescription *manager = NULL;
	const char *why;

	if (by->kinds & B2B_BY_SPONSOR)
		consider_values(choice, guest, b2b_ad[B2B_ATTR_SPONSOR]);
	if ((by->kinds & B2B_BY_MANAGER) && slap_str2ad("manager", &manager, &why) == LDAP_SUCCESS)
		consider_values(choice, guest, manager);
	if (by->kinds & B2B_BY_OWNER)
		consider_list(choice, &choice->review->owners);
	consider_list(choice, &by->reviewers);
	if (by->kinds & B2B_BY_SELF)
		b2b_review_add_name(&choice->there, choice->guest);
	bool none = choice->there.count == 0;
	if (none)
		consider_list(choice, &policy->fallback);
	if (choice->there.count == 0 && tenant)
		consider_list(choice, &tenant->fallback_reviewers);
	b2b_review_sort_names(&choice->there);
	b2b_review_sort_names(&choice->gone);
	if (choice->there.count == 0)
		Debug(LDAP_DEBUG_ANY,
		      "b2b: review \"%s\" guest=\"%s\" stage=%u: nobody is left to review\n",
		      choice->review->name.dn.bv_val, guest->e_name.bv_val, stage);
	return none;
}

static void end_choice(struct choice *choice)
{
	b2b_review_drop_names(&choice->there);
	b2b_review_drop_names(&choice->gone);
}

/* "<time> stage <n> reviewers gone: "<dn>" ..." for the item's history, and the notice after it. */
static char *tell_gone(Operation *op, const struct choice *choice, unsigned stage, time_t now)
{
	enum { SHOWN = 10 };
	size_t shown = choice->gone.count < SHOWN ? choice->gone.count : SHOWN;
	size_t room = B2B_TIME_SIZE + sizeof(B2B_REVIEW_GONE) + 32, used;
	char when[B2B_TIME_SIZE], *text;

	for (size_t i = 0; i < shown; i++)
		room += choice->gone.list[i].bv_len + 3;
	text = op->o_tmpalloc(room, op->o_tmpmemctx);
	b2b_time_format(now, when);
	used = (size_t)snprintf(text, room, "%s stage %u %s", when, stage, B2B_REVIEW_GONE);
	for (size_t i = 0; i < shown; i++)
		used += (size_t)snprintf(text + used, room - used, " \"%s\"",
					 choice->gone.list[i].bv_val);
	return text;
}

/* --- items --- */

static const char *recommendation(const struct b2b_definition *review, Entry *guest)
{
	static const char *const words[] = { NULL, "Approve", "Deny" };
	struct b2b_source source = b2b_map_source(guest);
	struct b2b_guest parsed;

	b2b_guest_parse(&source, &parsed, NULL);
	return words[b2b_review_recommend(review->policy, &parsed, review->sweep->now)];
}

static bool is_same(Entry *e, const char *uuid)
{
	Attribute *a = attr_find(e->e_attrs, slap_schema.si_ad_entryUUID);

	return a && !strcmp(a->a_vals[0].bv_val, uuid);
}

static Entry *make_item(struct choice *choice, unsigned instance, Entry *guest, const char *uuid)
{
	struct b2b_definition *review = choice->review;
	Operation *op = choice->op;
	char text[64];

	snprintf(text, sizeof(text), "%u-%s", instance, uuid);
	struct b2b_name name = b2b_entry_name(op, "cn", text, &review->name);
	Entry *item = b2b_entry_new(&name.dn, &name.ndn, "b2bReviewItem");
	b2b_entry_put(item, "cn", text);
	b2b_entry_put(item, "b2bReviewGuest", guest->e_name.bv_val);
	b2b_entry_put(item, "b2bReviewStage", "0");
	b2b_entry_put(item, "b2bReviewItemState", "asked");
	b2b_entry_put(item, "b2bReviewRecommendation", recommendation(review, guest));
	if (choose(choice, 0, guest))
		b2b_entry_put(item, "b2bReviewHistory",
			      tell_gone(op, choice, 0, review->sweep->now));
	for (size_t i = 0; i < choice->there.count; i++)
		b2b_entry_put(item, "b2bReviewer", choice->there.list[i].bv_val);
	return item;
}

static struct choice begin_choice(struct b2b_definition *review, const struct berval *guest)
{
	return (struct choice){ .review = review,
				.op = review->sweep->op,
				.tenant = review->sweep->tenant,
				.guest = guest };
}

int b2b_review_ask(struct b2b_definition *review, unsigned instance,
		   const struct b2b_review_found *guest)
{
	struct b2b_sweep *sweep = review->sweep;
	int rc;
	Entry *e = b2b_review_copy(sweep->op, sweep->tenant, &guest->name.ndn, &rc);

	/* deleted since, or another one under its name */
	if (!e)
		return rc == LDAP_NO_SUCH_OBJECT ? LDAP_SUCCESS : rc;
	if (is_same(e, guest->uuid)) {
		struct choice choice = begin_choice(review, &e->e_nname);

		rc = b2b_inner_add(sweep->op, sweep->tenant,
				   make_item(&choice, instance, e, guest->uuid));
		end_choice(&choice);
	}
	entry_free(e);
	return rc == LDAP_ALREADY_EXISTS ? LDAP_SUCCESS : rc;
}

/* --- the next stage --- */

static void set_names(Modifications **mods, enum b2b_attr attr,
		      const struct b2b_review_names *names)
{
	Modifications *m;

	b2b_record_set(mods, attr, NULL); /* takes away what stands there */
	for (m = *mods; m->sml_next;)
		m = m->sml_next;
	if (!names->count)
		return;
	m->sml_numvals = (unsigned)names->count;
	m->sml_values = ch_calloc(names->count + 1, sizeof(struct berval));
	for (size_t i = 0; i < names->count; i++)
		ber_dupbv(&m->sml_values[i], &names->list[i]);
	if (attr_normalize(m->sml_desc, m->sml_values, &m->sml_nvalues, NULL) != LDAP_SUCCESS)
		m->sml_nvalues = NULL;
}

static void set_history(Modifications **mods, const char *text)
{
	Modifications *m;

	b2b_record_set(mods, B2B_ATTR_REVIEW_HISTORY, text);
	for (m = *mods; m->sml_next;)
		m = m->sml_next;
	m->sml_op = SLAP_MOD_SOFTADD;
}

static Modifications *hand_over(struct choice *choice, unsigned stage, Entry *guest)
{
	static const enum b2b_attr cleared[] = { B2B_ATTR_REVIEW_DECISION,
						 B2B_ATTR_REVIEW_JUSTIFICATION,
						 B2B_ATTR_REVIEWED_BY, B2B_ATTR_REVIEWED_AT };
	struct b2b_definition *review = choice->review;
	Modifications *mods = NULL;
	char number[16];

	for (size_t i = 0; i < sizeof(cleared) / sizeof(cleared[0]); i++)
		b2b_record_set(&mods, cleared[i], NULL);
	snprintf(number, sizeof(number), "%u", stage);
	b2b_record_set(&mods, B2B_ATTR_REVIEW_STAGE, number);
	b2b_record_set(&mods, B2B_ATTR_REVIEW_ITEM_STATE, "asked");
	b2b_record_set(&mods, B2B_ATTR_REVIEW_RECOMMENDATION, recommendation(review, guest));
	if (choose(choice, stage, guest))
		set_history(&mods, tell_gone(choice->op, choice, stage, review->sweep->now));
	set_names(&mods, B2B_ATTR_REVIEWER, &choice->there);
	return mods;
}

/* The guest of an item where it was when the item was made; a copy, or NULL. */
static Entry *guest_of(struct b2b_definition *review, Entry *item, struct b2b_str uuid, int *rc_r)
{
	Attribute *a = attr_find(item->e_attrs, b2b_ad[B2B_ATTR_REVIEW_GUEST]);
	struct b2b_name name;

	*rc_r = b2b_review_guest(review->sweep, a ? &a->a_nvals[0] : NULL, uuid, &name);
	return *rc_r == LDAP_SUCCESS
		       ? b2b_review_copy(review->sweep->op, review->sweep->tenant, &name.ndn, rc_r)
		       : NULL;
}

int b2b_review_pass_on(struct b2b_definition *review, unsigned stage,
		       const struct b2b_review_found *item)
{
	struct b2b_sweep *sweep = review->sweep;
	struct b2b_review_item is;
	int rc;
	Entry *e = b2b_review_copy(sweep->op, sweep->tenant, &item->name.ndn, &rc);

	if (!e) /* an administrator took it away */
		return rc == LDAP_NO_SUCH_OBJECT ? LDAP_SUCCESS : rc;
	struct b2b_source source = b2b_map_source(e);
	b2b_review_item_read(&source, &is);
	bool wants = is.stage < stage && is.decision != B2B_REVIEW_DENIED &&
		     (is.state == B2B_ITEM_ASKED || is.state == B2B_ITEM_ANSWERED);
	Entry *guest = wants ? guest_of(review, e, is.uuid, &rc) : NULL;
	if (guest) {
		struct choice choice = begin_choice(review, &guest->e_nname);

		rc = b2b_inner_modify(sweep->op, sweep->tenant, &item->name, b2b_review_csn(e),
				      hand_over(&choice, stage, guest), false);
		end_choice(&choice);
		entry_free(guest);
	}
	entry_free(e);
	return rc == LDAP_NO_SUCH_OBJECT ? LDAP_SUCCESS : rc;
}
