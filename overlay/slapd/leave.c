/*
 * leave.c - how guests leave groups: one by one, or all that were deleted, whoever deleted them.
 * In: a guest that goes, or names of guests that are gone.  Out: groups and applications without them.
 */
#include "life.h"

enum { AT_ONCE = 100 }; /* names looked for by one search */

static const char *const member_types[] = { "member", "uniqueMember", "roleOccupant",
					    "b2bAppAssignee" };
#define MEMBER_TYPES (sizeof(member_types) / sizeof(member_types[0]))

static AttributeDescription *find_description(const char *attribute)
{
	AttributeDescription *ad = NULL;
	const char *why;

	return slap_str2ad(attribute, &ad, &why) == LDAP_SUCCESS ? ad : NULL;
}

/* --- leaving a group --- */

static void append(Modifications **mods, AttributeDescription *ad, int how,
		   const struct berval *value)
{
	Modifications *m = ch_calloc(1, sizeof(*m));

	m->sml_op = how;
	m->sml_flags = SLAP_MOD_INTERNAL;
	m->sml_desc = ad;
	m->sml_type = ad->ad_cname;
	m->sml_numvals = 1;
	m->sml_values = ch_calloc(2, sizeof(struct berval));
	ber_dupbv(&m->sml_values[0], (struct berval *)value);
	if (attr_normalize(ad, m->sml_values, &m->sml_nvalues, NULL) != LDAP_SUCCESS)
		m->sml_nvalues = NULL;
	while (*mods)
		mods = &(*mods)->sml_next;
	*mods = m;
}

/* Who may not be the last to leave: its class wants a member. */
static bool wants_member(Entry *e)
{
	static const char *const classes[] = { "groupOfNames", "groupOfUniqueNames" };

	for (size_t i = 0; i < 2; i++) {
		ObjectClass *oc = oc_find(classes[i]);

		if (oc && is_entry_objectclass(e, oc, 0))
			return true;
	}
	return false;
}

/* The value as it stands in a list, or NULL. */
static const struct berval *find_value(Attribute *a, const struct berval *ndn)
{
	unsigned at;

	if (attr_valfind(a,
			 SLAP_MR_ATTRIBUTE_VALUE_NORMALIZED_MATCH |
				 SLAP_MR_ASSERTED_VALUE_NORMALIZED_MATCH,
			 (struct berval *)ndn, &at, NULL) != LDAP_SUCCESS)
		return NULL;
	return &a->a_vals[at];
}

struct names {
	const struct berval *list; /* normalised */
	size_t count;
};

/* What takes them off one attribute; a name below the tenant entry, where no person can ever stand,
 * takes the place of the last one. */
static void leave(Operation *op, struct b2b_tenant *tenant, Entry *e, Attribute *a,
		  const struct names *names, Modifications **mods)
{
	struct b2b_name base = { tenant->base, tenant->nbase };
	AttributeDescription *ad = a->a_desc;
	Modifications *leaving = NULL;
	unsigned count = 0;

	for (size_t i = 0; i < names->count; i++) {
		const struct berval *value = find_value(a, &names->list[i]);

		if (value) {
			append(&leaving, ad, LDAP_MOD_DELETE, value);
			count++;
		}
	}
	if (count == a->a_numvals && wants_member(e)) {
		struct b2b_name nobody = b2b_entry_name(op, "cn", "nobody", &base);

		append(mods, ad, LDAP_MOD_ADD, &nobody.dn);
	}
	while (*mods)
		mods = &(*mods)->sml_next;
	*mods = leaving;
}

/* In one modification: servers that do the same at the same moment write the same. */
static int remove_names(Operation *op, struct b2b_tenant *tenant, const struct berval *group_ndn,
			const struct names *names)
{
	Entry *e, *copy;
	struct b2b_name name;
	Modifications *mods = NULL;
	int rc = b2b_entry_read(op, tenant, (struct berval *)group_ndn, &e);

	if (!e)
		return rc;
	copy = entry_dup(e);
	b2b_entry_release(op, tenant, e);
	name = (struct b2b_name){ copy->e_name, copy->e_nname };
	for (size_t i = 0; i < MEMBER_TYPES; i++) {
		AttributeDescription *ad = find_description(member_types[i]);
		Attribute *a = ad ? attr_find(copy->e_attrs, ad) : NULL;

		if (a)
			leave(op, tenant, copy, a, names, &mods);
	}
	if (mods)
		rc = b2b_inner_modify(op, tenant, &name, NULL, mods, false);
	entry_free(copy);
	return rc;
}

int b2b_group_remove(Operation *op, struct b2b_tenant *tenant, const struct berval *group_ndn,
		     const struct berval *member_ndn)
{
	struct names one = { member_ndn, 1 };
	int rc = remove_names(op, tenant, group_ndn, &one);

	/* somebody else was faster */
	return rc == LDAP_NO_SUCH_ATTRIBUTE ? LDAP_SUCCESS : rc;
}

/* --- leaving all groups --- */

static bool note_group(void *ctx, Entry *e)
{
	struct b2b_gone **groups = ctx, *group = b2b_gone_new(&e->e_nname);

	group->next = *groups;
	*groups = group;
	return true;
}

/* All groups below any suffix of the tenant's database that hold any of these; LDAP_SUCCESS: that is all
 * of them. */
static int find_groups(struct b2b_sweep *sweep, const struct names *names,
		       struct b2b_gone **groups_r)
{
	BackendDB *be = sweep->tenant->be;
	size_t size = 8, used;
	char *filter;
	int rc = LDAP_SUCCESS;

	for (size_t i = 0; i < names->count; i++)
		size += MEMBER_TYPES * (3 * names->list[i].bv_len + 32);
	filter = ch_malloc(size);
	used = (size_t)snprintf(filter, size, "(|");
	for (size_t i = 0; i < names->count; i++) {
		const char *value = b2b_inner_escape(sweep->op, &names->list[i]);

		for (size_t j = 0; j < MEMBER_TYPES; j++)
			used += (size_t)snprintf(filter + used, size - used, "(%s=%s)",
						 member_types[j], value);
	}
	snprintf(filter + used, size - used, ")");
	*groups_r = NULL;
	for (int i = 0; rc == LDAP_SUCCESS && !BER_BVISNULL(&be->be_nsuffix[i]); i++)
		rc = b2b_inner_search(
			sweep->op, sweep->tenant,
			&(struct b2b_where){ &be->be_nsuffix[i], LDAP_SCOPE_SUBTREE, filter },
			note_group, groups_r);
	ch_free(filter);
	return rc;
}

int b2b_group_remove_all(struct b2b_sweep *sweep, const struct berval *member_ndn)
{
	struct names one = { member_ndn, 1 };
	struct b2b_gone *groups;
	int rc = find_groups(sweep, &one, &groups);

	while (groups) {
		struct b2b_gone *group = groups;

		groups = group->next;
		if (rc == LDAP_SUCCESS)
			rc = b2b_group_remove(sweep->op, sweep->tenant, &group->ndn, member_ndn);
		if (rc != LDAP_SUCCESS)
			Debug(LDAP_DEBUG_ANY, "b2b: task guest=\"%s\": stays in \"%s\" (%d)\n",
			      member_ndn->bv_val, group->ndn.bv_val, rc);
		ch_free(group);
	}
	return rc;
}

/* --- guests that are gone --- */

static void note_gone(struct b2b_tenant *tenant, const struct berval *ndn)
{
	/* nobody would ever take them off the list */
	if (tenant->sweep_interval_secs && b2b_tenant_is_writable(tenant))
		b2b_gone_add(&tenant->left, ndn);
}

void b2b_leave_note(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn)
{
	/* the task has seen to it already, but where there are other servers not for good */
	if (b2b_inner_is(op) && !SLAP_SHADOW(tenant->be))
		return;
	note_gone(tenant, ndn);
	if (op->o_tag == LDAP_REQ_DELETE && !be_shadow_update(op) && !b2b_inner_is(op))
		b2b_task_wake(tenant);
}

/* False: look again.  That something was done is no proof: where servers write the same group at once,
 * what one took out another may put back (RFC 4533 has whole entries). */
static bool clean(struct b2b_sweep *sweep, const struct names *names)
{
	struct b2b_gone *groups;
	bool done = find_groups(sweep, names, &groups) == LDAP_SUCCESS && !groups;

	while (groups) {
		struct b2b_gone *group = groups;
		int rc;

		groups = group->next;
		b2b_sweep_renew(sweep);
		rc = b2b_sweep_must_end(sweep)
			     ? LDAP_BUSY
			     : remove_names(sweep->op, sweep->tenant, &group->ndn, names);
		Debug(LDAP_DEBUG_STATS,
		      "b2b: task group=\"%s\": without guests that are gone (%d)\n",
		      group->ndn.bv_val, rc);
		ch_free(group);
	}
	return done;
}

/* A guest that was deleted, and is not there again: its name must open nothing to the next one who gets
 * it. */
void b2b_leave_run(struct b2b_sweep *sweep)
{
	struct b2b_gone *list = atomic_exchange(&sweep->tenant->left, NULL);
	struct berval batch[AT_ONCE];

	while (list) {
		struct names names = { batch, 0 };
		struct b2b_gone *first = list;
		bool done;

		b2b_sweep_renew(sweep);
		for (; list && names.count < AT_ONCE; list = list->next) {
			Entry *e;

			if (b2b_entry_read(sweep->op, sweep->tenant, &list->ndn, &e) ==
			    LDAP_NO_SUCH_OBJECT)
				batch[names.count++] = list->ndn;
			else if (e)
				b2b_entry_release(sweep->op, sweep->tenant, e);
		}
		done = !names.count || (!b2b_sweep_must_end(sweep) && clean(sweep, &names));
		for (size_t i = 0; !done && i < names.count; i++)
			note_gone(sweep->tenant, &batch[i]);
		while (first != list) {
			struct b2b_gone *one = first;

			first = one->next;
			ch_free(one);
		}
	}
}
