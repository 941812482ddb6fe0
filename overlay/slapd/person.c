/*
 * person.c - people of our directory: who is there, who belongs to a list, who reviews a guest.
 * In: normalised DNs, lists of persons and groups.  Out: yes or no; lists in the operation's memory.
 */
#include "life.h"

static Attribute *find(Entry *e, const char *attribute)
{
	AttributeDescription *ad = NULL;
	const char *why;

	if (slap_str2ad(attribute, &ad, &why) != LDAP_SUCCESS)
		return NULL;
	return attr_find(e->e_attrs, ad);
}

static bool says(Entry *e, const char *attribute, const char *word)
{
	Attribute *a = find(e, attribute);

	return a && !strcasecmp(a->a_vals[0].bv_val, word);
}

static bool is_locked(Entry *e)
{
	/* for good (draft-behera-ldap-password-policy, 5.3.3), by an administrator: any other value comes
	 * of wrong passwords, which a stranger can give too */
	return says(e, "pwdAccountLockedTime", "000001010000Z") ||
	       says(e, "nsAccountLock", "TRUE") || says(e, "b2bAccountEnabled", "FALSE");
}

/* -1: it cannot be looked up; 0: gone or locked; 1: there. */
static int look_up(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn)
{
	Entry *e;
	int rc = b2b_entry_read(op, tenant, (struct berval *)ndn, &e);

	if (!e)
		return rc == LDAP_NO_SUCH_OBJECT ? 0 : -1;
	bool locked = is_locked(e);
	b2b_entry_release(op, tenant, e);
	return !locked;
}

/* Who stands outside of our database, and its rootdn, cannot be missed there. */
static bool is_outside(struct b2b_tenant *tenant, const struct berval *ndn)
{
	return be_isroot_dn(tenant->be, (struct berval *)ndn) ||
	       !be_issubordinate(tenant->be, (struct berval *)ndn);
}

bool b2b_person_is_active(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn)
{
	return is_outside(tenant, ndn) || look_up(op, tenant, ndn) != 0;
}

/* --- lists of names --- */

struct b2b_gone *b2b_gone_new(const struct berval *ndn)
{
	struct b2b_gone *gone = ch_malloc(sizeof(*gone) + ndn->bv_len + 1);

	gone->next = NULL;
	gone->ndn.bv_val = (char *)(gone + 1);
	gone->ndn.bv_len = ndn->bv_len;
	memcpy(gone->ndn.bv_val, ndn->bv_val, ndn->bv_len);
	gone->ndn.bv_val[ndn->bv_len] = '\0';
	return gone;
}

void b2b_gone_add(struct b2b_gone *_Atomic *list, const struct berval *ndn)
{
	struct b2b_gone *gone = b2b_gone_new(ndn);

	gone->next = atomic_load(list);
	while (!atomic_compare_exchange_weak(list, &gone->next, gone))
		;
}

void b2b_gone_forget(struct b2b_gone *_Atomic *list)
{
	struct b2b_gone *gone = atomic_exchange(list, NULL);

	while (gone) {
		struct b2b_gone *next = gone->next;

		ch_free(gone);
		gone = next;
	}
}

/* --- groups --- */

bool b2b_person_is_among(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn,
			 const struct b2b_list *list)
{
	return b2b_person_is_else_among(op, tenant, ndn, list, NULL);
}

bool b2b_person_is_else_among(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn,
			      const struct b2b_list *list, const struct berval *but)
{
	for (size_t i = 0; i < list->count; i++) {
		if (ndn->bv_len == strlen(list->list[i]) && !strcmp(ndn->bv_val, list->list[i]))
			return true;
	}
	return b2b_groups_lead_to(op, tenant, list, ndn, but);
}

/* --- reviewers --- */

/* Those who have an entry, and so can be asked. */
static struct berval *keep_active(Operation *op, struct b2b_tenant *tenant,
				  const struct berval *ndns, size_t count, const struct berval *but)
{
	struct berval *list = op->o_tmpcalloc(count + 1, sizeof(*list), op->o_tmpmemctx);
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (!bvmatch(&ndns[i], but) && look_up(op, tenant, &ndns[i]) != 0)
			ber_dupbv_x(&list[n++], (struct berval *)&ndns[i], op->o_tmpmemctx);
	}
	return list;
}

struct berval *b2b_person_reviewers(Operation *op, struct b2b_tenant *tenant,
				    const struct b2b_tenant_policy *policy, Entry *guest)
{
	Attribute *a = attr_find(guest->e_attrs, b2b_ad[B2B_ATTR_REVIEWER]);
	struct berval *list = NULL, *fallback;
	size_t count = policy ? policy->fallback_reviewers.count : 0;

	if (!a)
		a = attr_find(guest->e_attrs, b2b_ad[B2B_ATTR_SPONSOR]);
	if (a)
		list = keep_active(op, tenant, a->a_nvals, a->a_numvals, &guest->e_nname);
	if (list && !BER_BVISNULL(list))
		return list;
	fallback = op->o_tmpcalloc(count + 1, sizeof(*fallback), op->o_tmpmemctx);
	for (size_t i = 0; i < count; i++)
		ber_str2bv(policy->fallback_reviewers.list[i], 0, 0, &fallback[i]);
	return keep_active(op, tenant, fallback, count, &guest->e_nname);
}
