/*
 * groups.c - who belongs to lists of names and groups: nested ones, and those that slapo-dynlist makes.
 * In: normalised DNs of a tenant's, groups' entries.  Out: yes or no, from the closure of a list: all
 * names that it leads to, kept until a write may have changed it.
 */
#include "life.h"

#include <ldap_avl.h>

/* Of nested groups: how deep, and how many names one list may lead to. */
enum { NESTING = 8, NAMES = 1 << 20 };

struct name {
	struct name *next; /* in the order in which they were found */
	int depth;         /* of groups that lead to it */
	struct berval ndn; /* its text stands behind the struct */
};

/* All names that a list leads to.  Immutable once it is published. */
struct closure {
	struct closure *next;
	/* which one: a list lives as long as its snapshot; NULL: the group that is first */
	char *const *list;
	size_t count;
	uint64_t group_writes, writes; /* as they were before anything was read */
	bool dynamic;                  /* any write may change it, not those to groups alone */
	bool unclear;                  /* somebody may be missing */
	Avlnode *tree;
	struct name *first, **end;
	size_t names;
};

struct b2b_groups {
	ldap_pvt_thread_mutex_t mutex; /* guards closures and what they hold */
	struct closure *closures;
	_Atomic uint64_t group_writes, writes;
	_Atomic bool complained; /* of what is not clear, which is said once until it is clear */
};

/* A search for a dynamic group may run in the name of an application (dgIdentity), whose view would ask
 * here again. */
static _Thread_local bool collecting;

static int compare_names(const void *a, const void *b)
{
	const struct name *one = a, *other = b;
	int by_length =
		(one->ndn.bv_len > other->ndn.bv_len) - (one->ndn.bv_len < other->ndn.bv_len);

	return by_length ? by_length : memcmp(one->ndn.bv_val, other->ndn.bv_val, one->ndn.bv_len);
}

static void closure_free(struct closure *closure)
{
	struct name *name = closure->first;

	ldap_avl_free(closure->tree, NULL);
	while (name) {
		struct name *next = name->next;

		ch_free(name);
		name = next;
	}
	ch_free(closure);
}

static bool closure_has(const struct closure *closure, const struct berval *ndn)
{
	const struct name wanted = { .ndn = *ndn };

	return ldap_avl_find(closure->tree, &wanted, compare_names) != NULL;
}

/* --- collecting --- */

struct collection {
	Operation *op;
	struct b2b_tenant *tenant;
	const struct berval *but; /* a group that does not count, or NULL */
	struct closure *closure;
	int depth;           /* of what is found */
	const char *unclear; /* why somebody may be missing; NULL: nobody is */
};

static void put_name(struct collection *c, const struct berval *ndn)
{
	struct name *name;

	if (c->closure->names >= NAMES) {
		c->unclear = "it leads to too many names";
		return;
	}
	name = ch_malloc(sizeof(*name) + ndn->bv_len + 1);
	*name = (struct name){ .depth = c->depth, .ndn = { ndn->bv_len, (char *)(name + 1) } };
	memcpy(name->ndn.bv_val, ndn->bv_val, ndn->bv_len);
	name->ndn.bv_val[ndn->bv_len] = '\0';
	if (ldap_avl_insert(&c->closure->tree, name, compare_names, ldap_avl_dup_error)) {
		ch_free(name);
		return;
	}
	*c->closure->end = name;
	c->closure->end = &name->next;
	c->closure->names++;
}

struct berval b2b_groups_name(const struct berval *value)
{
	struct berval name = *value;
	const char *bits = strrchr(value->bv_val, '#');

	/* NameAndOptionalUID (RFC 4517, 3.3.21): a name, and bits that tell its bearers apart */
	if (bits && bits[1] == '\'' && value->bv_len > 2 &&
	    !strcmp(value->bv_val + value->bv_len - 2, "'B"))
		name.bv_len = (ber_len_t)(bits - value->bv_val);
	return name;
}

static void put_members(struct collection *c, Entry *e)
{
	static const char *const types[] = { "member", "uniqueMember" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		AttributeDescription *ad = NULL;
		const char *why;

		if (slap_str2ad(types[i], &ad, &why) != LDAP_SUCCESS)
			continue;
		for (Attribute *a = attrs_find(e->e_attrs, ad); a; a = attrs_find(a->a_next, ad)) {
			if (c->depth > NESTING) {
				c->unclear = "its groups are nested too deep";
				return;
			}
			for (unsigned j = 0; j < a->a_numvals; j++) {
				struct berval name = b2b_groups_name(&a->a_nvals[j]);

				put_name(c, &name);
			}
		}
	}
}

static bool put_found(void *ctx, Entry *e)
{
	put_members(ctx, e);
	return true;
}

/* Whether slapo-dynlist may make members of an entry: it takes URLs of subtypes of labeledURI alone. */
static bool may_be_dynamic(struct b2b_tenant *tenant, Entry *e)
{
	return overlay_is_inst(tenant->be, "dynlist") &&
	       attrs_find(e->e_attrs, slap_schema.si_ad_labeledURI);
}

/* Members of name, if it is a group. */
static void look_into(struct collection *c, struct berval *name)
{
	Entry *e;
	int rc = b2b_entry_read(c->op, c->tenant, name, &e);

	if (!e) {
		if (rc != LDAP_NO_SUCH_OBJECT)
			c->unclear = "an entry cannot be read";
		return;
	}
	bool dynamic = may_be_dynamic(c->tenant, e);
	if (!dynamic)
		put_members(c, e);
	b2b_entry_release(c->op, c->tenant, e);
	if (!dynamic)
		return;
	struct b2b_where where = { name, LDAP_SCOPE_BASE, "(objectClass=*)", true };
	c->closure->dynamic = true;
	collecting = true;
	if (b2b_inner_search(c->op, c->tenant, &where, put_found, c) != LDAP_SUCCESS)
		c->unclear = "a dynamic group cannot be read";
	collecting = false;
}

static struct closure *collect(Operation *op, struct b2b_tenant *tenant, char *const *list,
			       size_t count, const struct berval *but)
{
	struct b2b_groups *groups = tenant->groups;
	struct closure *closure = ch_calloc(1, sizeof(*closure));
	struct collection c = { op, tenant, but, closure, 0, NULL };

	closure->list = list;
	closure->count = count;
	closure->end = &closure->first;
	closure->group_writes = atomic_load(&groups->group_writes);
	closure->writes = atomic_load(&groups->writes);
	for (size_t i = 0; i < count; i++) {
		struct berval ndn;

		ber_str2bv(list[i], 0, 0, &ndn);
		put_name(&c, &ndn);
	}
	/* breadth first: who stands in it stands there by the shortest way */
	for (struct name *name = closure->first; name; name = name->next) {
		c.depth = name->depth + 1;
		if (!but || !bvmatch(&name->ndn, but))
			look_into(&c, &name->ndn);
	}
	if (c.unclear && !atomic_exchange(&groups->complained, true))
		Debug(LDAP_DEBUG_ANY, "b2b: groups \"%s\"%s: %s: who is missing is no member\n",
		      count ? list[0] : "", count > 1 ? " and others" : "", c.unclear);
	else if (!c.unclear)
		atomic_store(&groups->complained, false);
	closure->unclear = c.unclear != NULL;
	return closure;
}

/* --- closures that are kept --- */

static bool is_fresh(const struct b2b_groups *groups, const struct closure *closure)
{
	return closure->group_writes == atomic_load(&groups->group_writes) &&
	       (!closure->dynamic || closure->writes == atomic_load(&groups->writes));
}

/* 1: it is there, 0: it is not, -1: the closure is not known. */
static int look_up(struct b2b_groups *groups, char *const *list, size_t count,
		   const struct berval *ndn)
{
	int found = -1;

	ldap_pvt_thread_mutex_lock(&groups->mutex);
	for (struct closure *c = groups->closures; c && found < 0; c = c->next) {
		if (c->list == list && c->count == count && is_fresh(groups, c))
			found = closure_has(c, ndn);
	}
	ldap_pvt_thread_mutex_unlock(&groups->mutex);
	return found;
}

/* Whether both are of one list. */
static bool are_same(const struct closure *one, const struct closure *other)
{
	return one->list == other->list &&
	       (one->list || bvmatch(&one->first->ndn, &other->first->ndn));
}

static void drop_stale(struct b2b_groups *groups, const struct closure *newer)
{
	struct closure **p = &groups->closures;

	while (*p) {
		struct closure *closure = *p;

		if (is_fresh(groups, closure) && (!newer || !are_same(closure, newer))) {
			p = &closure->next;
			continue;
		}
		*p = closure->next;
		closure_free(closure);
	}
}

static void keep(struct b2b_groups *groups, struct closure *closure)
{
	ldap_pvt_thread_mutex_lock(&groups->mutex);
	drop_stale(groups, closure);
	closure->next = groups->closures;
	groups->closures = closure;
	ldap_pvt_thread_mutex_unlock(&groups->mutex);
}

bool b2b_groups_have(Operation *op, struct b2b_tenant *tenant, char *const *groups, size_t count,
		     const struct berval *ndn)
{
	int found;

	if (!count || collecting)
		return false;
	found = look_up(tenant->groups, groups, count, ndn);
	if (found >= 0)
		return found;
	struct closure *closure = collect(op, tenant, groups, count, NULL);
	found = closure_has(closure, ndn);
	keep(tenant->groups, closure);
	return found;
}

static int answer(const struct closure *closure, const struct berval *ndn)
{
	if (closure_has(closure, ndn))
		return 1;
	return closure->unclear ? -1 : 0;
}

int b2b_groups_holds(Operation *op, struct b2b_tenant *tenant, const struct berval *group,
		     const struct berval *ndn)
{
	struct b2b_groups *groups = tenant->groups;
	char *const list[] = { group->bv_val };
	bool kept = false;
	int found = -1;

	if (collecting)
		return -1;
	ldap_pvt_thread_mutex_lock(&groups->mutex);
	for (struct closure *c = groups->closures; c && !kept; c = c->next) {
		kept = !c->list && bvmatch(&c->first->ndn, group) && is_fresh(groups, c);
		if (kept)
			found = answer(c, ndn);
	}
	ldap_pvt_thread_mutex_unlock(&groups->mutex);
	if (kept)
		return found;
	struct closure *closure = collect(op, tenant, list, 1, NULL);
	closure->list = NULL;
	found = answer(closure, ndn);
	keep(groups, closure);
	return found;
}

bool b2b_groups_lead_to(Operation *op, struct b2b_tenant *tenant, const struct b2b_list *list,
			const struct berval *ndn, const struct berval *but)
{
	if (!list->count || collecting)
		return false;
	struct closure *closure = collect(op, tenant, list->list, list->count, but);
	bool found = closure_has(closure, ndn);
	closure_free(closure);
	return found;
}

/* --- what changes them --- */

/* Whether an attribute makes groups. */
static bool is_of_groups(const AttributeDescription *ad)
{
	static const char *const types[] = { "member", "uniqueMember" };

	if (is_at_subtype(ad->ad_type, slap_schema.si_ad_labeledURI->ad_type))
		return true;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		AttributeType *at = at_find(types[i]);

		if (at && is_at_subtype(ad->ad_type, at))
			return true;
	}
	return false;
}

static bool concerns_groups(Operation *op)
{
	if (op->o_tag == LDAP_REQ_ADD && op->ora_e) {
		for (const Attribute *a = op->ora_e->e_attrs; a; a = a->a_next) {
			if (is_of_groups(a->a_desc))
				return true;
		}
		return false;
	}
	if (op->o_tag != LDAP_REQ_MODIFY)
		return true; /* a group may have gone, or have another name */
	for (const Modifications *m = op->orm_modlist; m; m = m->sml_next) {
		/* slapo-dynlist goes by the class */
		if (m->sml_desc == slap_schema.si_ad_objectClass || is_of_groups(m->sml_desc))
			return true;
	}
	return false;
}

void b2b_groups_wrote(Operation *op, struct b2b_tenant *tenant)
{
	/* after the write: who reads in between builds what is stale at once */
	atomic_fetch_add(&tenant->groups->writes, 1);
	if (concerns_groups(op))
		b2b_groups_changed(tenant);
}

void b2b_groups_changed(struct b2b_tenant *tenant)
{
	atomic_fetch_add(&tenant->groups->writes, 1);
	atomic_fetch_add(&tenant->groups->group_writes, 1);
}

static int forget_all(Operation *op, SlapReply *rs)
{
	for (struct b2b_tenant *t = b2b_tenants; t; t = t->next)
		b2b_groups_changed(t);
	b2b_session_guests_changed(); /* of a glued database, too */
	return SLAP_CB_CONTINUE;
}

/* Whether a name stands in a database that is glued to a tenant's, whose write hooks are not asked. */
static bool is_glued(struct berval *ndn)
{
	struct b2b_tenant *tenant = b2b_tenant_of(ndn);

	return tenant && select_backend(ndn, 0) != tenant->be;
}

/* The steps of a transaction say that they succeeded before anybody can read what they wrote; and
 * cn=config says whether a database has dynamic groups. */
void b2b_groups_follow(Operation *op)
{
	static const struct berval commit = BER_BVC(LDAP_EXOP_TXN_END),
				   config = BER_BVC("cn=config");
	slap_callback *cb;

	if (op->o_tag == LDAP_REQ_SEARCH || op->o_tag == LDAP_REQ_COMPARE)
		return;
	if (op->o_tag == LDAP_REQ_EXTENDED
		    ? !bvmatch(&op->ore_reqoid, &commit)
		    : !dnIsSuffix(&op->o_req_ndn, &config) && !is_glued(&op->o_req_ndn))
		return;
	cb = op->o_tmpcalloc(1, sizeof(*cb), op->o_tmpmemctx);
	cb->sc_response = forget_all;
	cb->sc_next = op->o_callback;
	op->o_callback = cb;
}

struct b2b_groups *b2b_groups_new(void)
{
	struct b2b_groups *groups = ch_calloc(1, sizeof(*groups));

	ldap_pvt_thread_mutex_init(&groups->mutex);
	return groups;
}

void b2b_groups_free(struct b2b_groups **groups)
{
	if (!*groups)
		return;
	while ((*groups)->closures) {
		struct closure *closure = (*groups)->closures;

		(*groups)->closures = closure->next;
		closure_free(closure);
	}
	ldap_pvt_thread_mutex_destroy(&(*groups)->mutex);
	ch_free(*groups);
	*groups = NULL;
}
