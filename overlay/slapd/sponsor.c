/*
 * sponsor.c - sponsors who are gone: the others are told; where none is left, a review starts.
 * In: names of people who were deleted or locked (keeper.c), or all sponsors once after a start.
 * Out: b2bSponsor without them, notices, a review that is due.
 */
#include "life.h"

#include "ldap_avl.h"

enum { AT_ONCE = 100 }; /* people looked for by one search */

void b2b_sponsor_gone(struct b2b_tenant *tenant, const struct berval *ndn)
{
	/* nobody would ever take them off the list */
	if (tenant->sweep_interval_secs && b2b_tenant_is_writable(tenant))
		b2b_gone_add(&tenant->gone, ndn);
}

bool b2b_sponsor_may_lock(const Modifications *mods)
{
	static const char *const marks[] = { "pwdAccountLockedTime", "nsAccountLock",
					     "b2bAccountEnabled" };

	for (; mods; mods = mods->sml_next) {
		for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
			if (!strcasecmp(mods->sml_desc->ad_cname.bv_val, marks[i]))
				return true;
		}
	}
	return false;
}

/* --- one entry that has lost a sponsor --- */

static bool is_among(const struct berval *ndn, struct b2b_gone *const *gone, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (bvmatch(ndn, &gone[i]->ndn))
			return true;
	}
	return false;
}

static int tell_others(struct b2b_sweep *sweep, Entry *e, const struct berval *gone,
		       struct b2b_gone *const *all, size_t count)
{
	Attribute *sponsors = attr_find(e->e_attrs, b2b_ad[B2B_ATTR_SPONSOR]);
	char *key = ch_malloc(e->e_nname.bv_len + gone->bv_len + 2);
	json_t *data = json_pack("{s:s}", "sponsor", gone->bv_val);
	struct b2b_notice notice = {
		.type = "sponsor-gone", .key = key, .guest = &e->e_nname, .data = data
	};
	int rc = LDAP_SUCCESS;

	sprintf(key, "%s %s", e->e_nname.bv_val, gone->bv_val);
	for (unsigned i = 0; i < sponsors->a_numvals; i++) {
		notice.to = &sponsors->a_nvals[i];
		if (rc == LDAP_SUCCESS && !is_among(notice.to, all, count))
			rc = b2b_outbox_put(sweep->op, sweep->tenant, &notice);
	}
	json_decref(data);
	ch_free(key);
	return rc;
}

static Modifications *take_away(Modifications **mods, const struct berval *sponsor)
{
	Modifications *m;

	b2b_record_set(mods, B2B_ATTR_SPONSOR, sponsor->bv_val);
	for (m = *mods; m->sml_next; m = m->sml_next)
		;
	m->sml_op = LDAP_MOD_DELETE; /* by value: of several servers one succeeds */
	return m;
}

/* With nobody left to answer for it, a guest is reviewed at once, by the fallback. */
static void start_review(struct b2b_sweep *sweep, const struct b2b_record_read *read,
			 Modifications **mods)
{
	unsigned days = sweep->policy ? sweep->policy->review_duration_days : 14;
	struct b2b_guest guest = read->guest;

	days = days ? days : 1;

	if (!guest.enabled || !guest.accepted)
		return;
	b2b_record_set(mods, B2B_ATTR_REVIEW_DECISION, NULL);
	b2b_record_set_time(mods, B2B_ATTR_REVIEW_DUE, sweep->now + (time_t)days * 86400);
	b2b_record_set(mods, B2B_ATTR_REVIEW_ASKED, NULL);
	b2b_record_set_due(read, b2b_time_due(sweep->now, sweep->now), mods);
}

/* What takes those who are gone off an entry, once the others are told; an LDAP code. */
static int take_off(struct b2b_sweep *sweep, Entry *e, struct b2b_gone *const *gone, size_t count,
		    Modifications **mods)
{
	Attribute *sponsors = attr_find(e->e_attrs, b2b_ad[B2B_ATTR_SPONSOR]);
	unsigned left = sponsors ? sponsors->a_numvals : 0;
	struct b2b_record_read read;
	int rc = LDAP_SUCCESS;

	for (unsigned i = 0; sponsors && i < sponsors->a_numvals && rc == LDAP_SUCCESS; i++) {
		if (!is_among(&sponsors->a_nvals[i], gone, count))
			continue;
		Debug(LDAP_DEBUG_STATS, "b2b: task \"%s\": sponsor \"%s\" is gone\n",
		      e->e_nname.bv_val, sponsors->a_nvals[i].bv_val);
		rc = tell_others(sweep, e, &sponsors->a_nvals[i], gone, count);
		take_away(mods, &sponsors->a_vals[i]);
		left--;
	}
	if (*mods && !left && b2b_record_take(sweep->op, e, &read))
		start_review(sweep, &read, mods);
	return rc;
}

/* False: look again. */
static bool release(struct b2b_sweep *sweep, Entry *e, struct b2b_gone *const *gone, size_t count)
{
	Attribute *csn = attr_find(e->e_attrs, slap_schema.si_ad_entryCSN);
	struct b2b_name name = { e->e_name, e->e_nname };
	Modifications *mods = NULL;
	int rc = take_off(sweep, e, gone, count, &mods);

	if (!mods)
		return true;
	if (rc != LDAP_SUCCESS) {
		slap_mods_free(mods, 1);
		return false;
	}
	rc = b2b_inner_modify(sweep->op, sweep->tenant, &name, csn ? csn->a_vals[0].bv_val : NULL,
			      mods, false);
	/* whoever was faster may have written something else */
	if (rc != LDAP_SUCCESS && rc != LDAP_ASSERTION_FAILED)
		Debug(LDAP_DEBUG_ANY, "b2b: task \"%s\": sponsors not written (%d)\n",
		      e->e_nname.bv_val, rc);
	return rc != LDAP_ASSERTION_FAILED;
}

/* --- all entries that name some people --- */

struct names {
	struct b2b_gone *list;
};

static bool note_name(void *ctx, Entry *e)
{
	struct names *names = ctx;
	struct b2b_gone *one = b2b_gone_new(&e->e_nname);

	one->next = names->list;
	names->list = one;
	return true;
}

/* "(|(b2bSponsor=a)(b2bSponsor=b)...)"; the caller frees. */
static char *make_filter(struct b2b_sweep *sweep, struct b2b_gone *const *gone, size_t count)
{
	size_t size = 8, used;
	char *filter, *values[AT_ONCE];

	for (size_t i = 0; i < count; i++) {
		values[i] = b2b_inner_escape(sweep->op, &gone[i]->ndn);
		size += strlen(values[i]) + sizeof("(b2bSponsor=)");
	}
	filter = ch_malloc(size);
	used = (size_t)snprintf(filter, size, "(|");
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(filter + used, size - used, "(b2bSponsor=%s)", values[i]);
	snprintf(filter + used, size - used, ")");
	return filter;
}

static bool release_one(struct b2b_sweep *sweep, struct berval *ndn, struct b2b_gone *const *gone,
			size_t count)
{
	Entry *e, *copy;
	int rc = b2b_entry_read(sweep->op, sweep->tenant, ndn, &e);

	if (!e)
		return rc == LDAP_NO_SUCH_OBJECT;
	copy = entry_dup(e);
	b2b_entry_release(sweep->op, sweep->tenant, e);
	bool done = release(sweep, copy, gone, count);
	entry_free(copy);
	return done;
}

static void release_all(struct b2b_sweep *sweep, struct b2b_gone *const *gone, size_t count)
{
	struct names names = { NULL };
	BackendDB *be = sweep->tenant->be;
	bool done = true;
	char *filter;

	if (!count)
		return;
	b2b_sweep_renew(sweep);
	filter = make_filter(sweep, gone, count);
	for (int i = 0; done && !BER_BVISNULL(&be->be_nsuffix[i]); i++)
		done = b2b_inner_search(sweep->op, sweep->tenant,
					&(struct b2b_where){ &be->be_nsuffix[i], LDAP_SCOPE_SUBTREE,
							     filter },
					note_name, &names) == LDAP_SUCCESS;
	ch_free(filter);
	while (names.list) {
		struct b2b_gone *one = names.list;

		names.list = one->next;
		b2b_sweep_renew(sweep);
		done = !b2b_sweep_must_end(sweep) && release_one(sweep, &one->ndn, gone, count) &&
		       done;
		ch_free(one);
	}
	for (size_t i = 0; !done && i < count; i++)
		b2b_sponsor_gone(sweep->tenant, &gone[i]->ndn);
}

/* Takes the whole list, and looks who of them is still gone. */
static void release_list(struct b2b_sweep *sweep, struct b2b_gone *list)
{
	struct b2b_gone *batch[AT_ONCE];
	size_t count = 0;

	while (list || count) {
		struct b2b_gone *one = list;

		if (one) {
			list = one->next;
			if (b2b_person_is_active(sweep->op, sweep->tenant, &one->ndn))
				ch_free(one); /* it came back, or was no lock */
			else
				batch[count++] = one;
		}
		if (count == AT_ONCE || (!list && count)) {
			release_all(sweep, batch, count);
			while (count)
				ch_free(batch[--count]);
		}
	}
}

/* --- every sponsor there is --- */

static int compare(const void *a, const void *b)
{
	const struct b2b_gone *left = a, *right = b;

	return ber_bvcmp(&left->ndn, &right->ndn);
}

static bool note_sponsors(void *ctx, Entry *e)
{
	Avlnode **seen = ctx;
	Attribute *a = attr_find(e->e_attrs, b2b_ad[B2B_ATTR_SPONSOR]);

	for (unsigned i = 0; a && i < a->a_numvals; i++) {
		struct b2b_gone *one = b2b_gone_new(&a->a_nvals[i]);

		if (ldap_avl_insert(seen, one, compare, ldap_avl_dup_error))
			ch_free(one);
	}
	return !slapd_shutdown;
}

static int push(void *data, void *ctx)
{
	struct b2b_gone **list = ctx, *one = data;

	one->next = *list;
	*list = one;
	return 0;
}

void b2b_sponsor_run(struct b2b_sweep *sweep, bool all)
{
	BackendDB *be = sweep->tenant->be;
	struct b2b_gone *list = atomic_exchange(&sweep->tenant->gone, NULL);
	Avlnode *seen = NULL;

	b2b_sweep_renew(sweep);
	for (int i = 0; all && !BER_BVISNULL(&be->be_nsuffix[i]); i++)
		b2b_inner_search(sweep->op, sweep->tenant,
				 &(struct b2b_where){ &be->be_nsuffix[i], LDAP_SCOPE_SUBTREE,
						      "(b2bSponsor=*)" },
				 note_sponsors, &seen);
	ldap_avl_apply(seen, push, &list, -1, AVL_INORDER);
	ldap_avl_free(seen, NULL);
	release_list(sweep, list);
}
