/*
 * review_scope.c - whom an access review is about; who belongs to a group.
 * In: a definition; a group's DN.  Out: lists of guests, of persons, of groups, on the heap.
 */
#include "review_parts.h"

/* Of nested groups: how deep, and how many. */
enum { NESTING = 8, GROUPS_MAX = 5000 };

/* --- lists of names --- */

void b2b_review_add_name(struct b2b_review_names *names, const struct berval *ndn)
{
	if (names->count == names->room) {
		names->room = names->room ? 2 * names->room : 64;
		names->list = ch_realloc(names->list, names->room * sizeof(*names->list));
	}
	ber_dupbv(&names->list[names->count++], (struct berval *)ndn);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct berval *)a)->bv_val, ((const struct berval *)b)->bv_val);
}

void b2b_review_sort_names(struct b2b_review_names *names)
{
	size_t kept = 0;

	if (!names->count)
		return;
	qsort(names->list, names->count, sizeof(*names->list), by_name);
	for (size_t i = 1; i < names->count; i++) {
		if (bvmatch(&names->list[i], &names->list[kept]))
			ch_free(names->list[i].bv_val);
		else
			names->list[++kept] = names->list[i];
	}
	names->count = kept + 1;
}

void b2b_review_drop_names(struct b2b_review_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		ch_free(names->list[i].bv_val);
	ch_free(names->list);
	memset(names, 0, sizeof(*names));
}

/* --- groups --- */

static Attribute *members(Entry *e, int which)
{
	static const char *const names[] = { "member", "uniqueMember" };
	AttributeDescription *ad = NULL;
	const char *why;

	return slap_str2ad(names[which], &ad, &why) == LDAP_SUCCESS ? attr_find(e->e_attrs, ad)
								    : NULL;
}

bool b2b_review_is_group(Entry *e)
{
	return members(e, 0) || members(e, 1);
}

static bool has_name(const struct b2b_review_names *names, const struct berval *ndn)
{
	for (size_t i = 0; i < names->count; i++) {
		if (bvmatch(&names->list[i], ndn))
			return true;
	}
	return false;
}

/* Sorts what a group has into groups, which are looked at in turn, and others. */
static void take_members(Operation *op, struct b2b_tenant *tenant, Entry *group,
			 struct b2b_review_names *groups, struct b2b_review_names *persons)
{
	for (int which = 0; which < 2; which++) {
		Attribute *a = members(group, which);

		for (unsigned i = 0; a && i < a->a_numvals; i++) {
			Entry *e = b2b_entry_get(op, tenant, &a->a_nvals[i]);
			bool nested = e && b2b_review_is_group(e);

			if (e)
				b2b_entry_release(op, tenant, e);
			if (!nested && persons)
				b2b_review_add_name(persons, &a->a_nvals[i]);
			if (nested && groups->count < GROUPS_MAX &&
			    !has_name(groups, &a->a_nvals[i]))
				b2b_review_add_name(groups, &a->a_nvals[i]);
		}
	}
}

void b2b_review_expand(Operation *op, struct b2b_tenant *tenant, const struct berval *group,
		       struct b2b_review_names *persons, struct b2b_review_names *groups)
{
	struct b2b_review_names own = { 0 }, *all = groups ? groups : &own;
	size_t next = 0;

	b2b_review_add_name(all, group);
	for (int depth = 0; depth < NESTING && next < all->count; depth++) {
		for (size_t end = all->count; next < end; next++) {
			struct berval ndn = all->list[next];
			Entry *e = b2b_review_copy(op, tenant, &ndn, NULL);

			if (e) {
				take_members(op, tenant, e, all, persons);
				entry_free(e);
			}
		}
	}
	if (persons)
		b2b_review_sort_names(persons);
	b2b_review_drop_names(&own);
}

/* --- guests --- */

struct looking {
	struct b2b_definition *review;
	struct b2b_review_list *list;
};

static bool note_guest(void *ctx, Entry *e)
{
	struct looking *looking = ctx;
	struct b2b_source source = b2b_map_source(e);
	struct b2b_guest guest;

	b2b_guest_parse(&source, &guest, NULL);
	if (b2b_map_is_guest(e) && guest.enabled && guest.accepted &&
	    b2b_review_is_inactive(looking->review->policy, &guest, looking->review->sweep->now))
		b2b_review_note(looking->list, e);
	return !slapd_shutdown;
}

/* Text that grows; on the heap. */
struct text {
	char *s;
	size_t len, room;
};

static void put(struct text *text, const char *more)
{
	size_t len = strlen(more);

	if (text->len + len >= text->room) {
		text->room = 2 * (text->len + len) + 64;
		text->s = ch_realloc(text->s, text->room);
	}
	memcpy(text->s + text->len, more, len + 1);
	text->len += len;
}

/* As slapd understood it when it was checked, and writes it: nothing of it reaches beyond. */
static void put_filter(struct text *text, const char *filter)
{
	Filter *f = str2filter(filter);
	struct berval canonical;

	if (!f) {
		put(text, "(!(objectClass=*))");
		return;
	}
	filter2bv(f, &canonical);
	filter_free(f);
	put(text, canonical.bv_val);
	ch_free(canonical.bv_val);
}

static char *make_filter(Operation *op, const struct b2b_review_policy *policy)
{
	struct text text = { 0 };

	put(&text, "(&(objectClass=b2bGuest)(b2bAccountEnabled=TRUE)(b2bUserState=Accepted)");
	if (policy->scope_partners.count)
		put(&text, "(|");
	for (size_t i = 0; i < policy->scope_partners.count; i++) {
		struct berval id;

		ber_str2bv(policy->scope_partners.list[i], 0, 0, &id);
		put(&text, "(b2bHomeTenant=");
		put(&text, b2b_inner_escape(op, &id));
		put(&text, ")");
	}
	if (policy->scope_partners.count)
		put(&text, ")");
	if (policy->scope_filter)
		put_filter(&text, policy->scope_filter);
	put(&text, ")");
	return text.s;
}

/* Of a group each member is looked at, however many guests there are besides. */
static int search_group(struct looking *looking, const char *filter)
{
	struct b2b_sweep *sweep = looking->review->sweep;
	const struct b2b_review_policy *policy = looking->review->policy;
	struct b2b_review_names persons = { 0 };
	struct berval group, base;
	int rc = LDAP_SUCCESS;

	ber_str2bv(policy->scope_group, 0, 0, &group);
	ber_str2bv(policy->scope_base ? policy->scope_base : "", 0, 0, &base);
	b2b_review_expand(sweep->op, sweep->tenant, &group, &persons, NULL);
	for (size_t i = 0; i < persons.count && rc == LDAP_SUCCESS; i++) {
		if (b2b_sweep_must_end(sweep))
			rc = LDAP_BUSY;
		else if (dnIsSuffix(&persons.list[i], &base) &&
			 be_issubordinate(sweep->tenant->be, &persons.list[i]))
			rc = b2b_inner_search(
				sweep->op, sweep->tenant,
				&(struct b2b_where){ &persons.list[i], LDAP_SCOPE_BASE, filter },
				note_guest, looking);
		if (rc == LDAP_NO_SUCH_OBJECT)
			rc = LDAP_SUCCESS;
		b2b_sweep_renew(sweep);
	}
	b2b_review_drop_names(&persons);
	return rc;
}

static int search_tree(struct looking *looking, const char *filter)
{
	struct b2b_sweep *sweep = looking->review->sweep;
	const char *base = looking->review->policy->scope_base;
	struct berval *suffix = sweep->tenant->be->be_nsuffix, given;
	int rc = LDAP_SUCCESS;

	if (base) {
		ber_str2bv(base, 0, 0, &given);
		return b2b_inner_search(sweep->op, sweep->tenant,
					&(struct b2b_where){ &given, LDAP_SCOPE_SUBTREE, filter },
					note_guest, looking);
	}
	for (; !BER_BVISNULL(suffix) && rc == LDAP_SUCCESS; suffix++)
		rc = b2b_inner_search(sweep->op, sweep->tenant,
				      &(struct b2b_where){ suffix, LDAP_SCOPE_SUBTREE, filter },
				      note_guest, looking);
	return rc;
}

int b2b_review_scope(struct b2b_definition *review, struct b2b_review_list *list)
{
	struct looking looking = { review, list };
	char *filter = make_filter(review->sweep->op, review->policy);
	int rc = review->policy->scope_group ? search_group(&looking, filter)
					     : search_tree(&looking, filter);

	ch_free(filter);
	if (slapd_shutdown)
		return LDAP_BUSY;
	/* what is named and not there holds no guest */
	return rc == LDAP_NO_SUCH_OBJECT ? LDAP_SUCCESS : rc;
}
