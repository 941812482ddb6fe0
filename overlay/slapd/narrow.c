/*
 * narrow.c - a search by one who sees little costs what it returns, not what the directory holds.
 * In: a guest's search at the gate.  Out: SLAP_CB_CONTINUE, it goes its ordinary way; or its answer, put
 * together from searches of what the guest may see.  What is left out the access hook hides anyway.
 *
 * back-mdb has no index of subtrees (an entryDN:dnSubtreeMatch:= term makes every entry a candidate),
 * but it walks the subtree of the base where that is smaller than the list of candidates.  So the
 * search is run once for each part that is visible, from the part's own top: the guest's entry, the
 * scopes of its applications, reviews that it answers itself.  Parts are disjoint; they share limits,
 * counts and the one result at the end.  Whatever could make a difference goes the ordinary way.
 */
#include "life.h"

#define MAX_PARTS 64    /* more would cost what they save */
#define MANY_HIDDEN 100 /* refused checks from which on a filter was not selective */

/* Whether searches are narrowed; configured: somebody said so.  Changed with the pool paused. */
static struct {
	bool off, configured;
} setting;

void b2b_narrow_reset(void)
{
	memset(&setting, 0, sizeof(setting));
}

static int configure(ConfigArgs *c)
{
	if (c->op == SLAP_CONFIG_EMIT) {
		c->value_int = !setting.off;
		return setting.configured ? 0 : 1;
	}
	setting.configured = c->op != LDAP_MOD_DELETE;
	setting.off = setting.configured && !c->value_int;
	return 0;
}

ConfigTable b2b_narrow_options[] = {
	{ "b2b-narrow",
	  "on|off",
	  2,
	  2,
	  0,
	  ARG_ON_OFF | ARG_MAGIC,
	  configure,
	  "( " B2B_OID ".5.7 NAME 'olcB2bNarrow' "
	  "DESC 'Whether searches of guests who see little look at that alone; TRUE where absent' "
	  "EQUALITY booleanMatch SYNTAX OMsBoolean SINGLE-VALUE )",
	  NULL,
	  { .v_int = 0 } },
	{ NULL, NULL, 0, 0, 0, ARG_IGNORED }
};

struct part {
	struct berval ndn; /* borrowed from the passage, or in op's memory */
	int scope;
};

struct narrowing {
	Operation *op;
	struct b2b_passage *passage;
	struct b2b_tenant *tenant; /* the passage's, as long as its policy is what it was */
	struct berval ndn;         /* the base asked for */
	int scope;                 /* likewise */
	struct part parts[MAX_PARTS];
	size_t count;
	bool differs; /* the parts would not give what the whole gives */
	bool goes_on; /* the part under way ended as parts do */
	slap_overinst *gate;
};

/* --- filters that need no help --- */

/* By attribute type and kind of filter: such a one was once found to pass over many hidden entries.
 * Two that share a place are both narrowed, which is right if not always cheaper. */
static _Atomic bool is_broad[256];

static _Atomic bool *broad_at(const Filter *f, const AttributeDescription *desc)
{
	size_t hash = (size_t)(uintptr_t)desc->ad_type / 16 + 31 * f->f_choice;

	return &is_broad[(hash ^ hash / 256) % 256];
}

/* What a filter that an index may serve asks for, or NULL. */
static const AttributeDescription *indexed_desc(const Filter *f)
{
	switch (f->f_choice) {
	case LDAP_FILTER_EQUALITY:
	case LDAP_FILTER_APPROX:
		return f->f_av_desc;
	case LDAP_FILTER_SUBSTRINGS:
		return f->f_sub_desc;
	default:
		return NULL;
	}
}

/* Which indices there are the frontend cannot know; it starts with the guess that they are what they
 * should be, and learns. */
static bool is_selective(const Filter *f)
{
	const AttributeDescription *desc = indexed_desc(f);
	bool is_and = f->f_choice == LDAP_FILTER_AND;

	if (f->f_choice & SLAPD_FILTER_UNDEFINED)
		return true; /* it matches nothing */
	if (desc)
		return desc != slap_schema.si_ad_objectClass && !*broad_at(f, desc);
	if (!is_and && f->f_choice != LDAP_FILTER_OR)
		return false;
	for (f = f->f_list; f; f = f->f_next) {
		if (is_selective(f) == is_and)
			return is_and;
	}
	return !is_and;
}

static void mark_broad(const Filter *f)
{
	const AttributeDescription *desc = indexed_desc(f);

	if (desc)
		*broad_at(f, desc) = true;
	if (f->f_choice != LDAP_FILTER_AND && f->f_choice != LDAP_FILTER_OR)
		return;
	for (f = f->f_list; f; f = f->f_next)
		mark_broad(f);
}

void b2b_narrow_learn(Operation *op)
{
	struct b2b_passage *passage = b2b_passage_find(op);

	if (passage && passage->guessed && passage->hidden >= MANY_HIDDEN)
		mark_broad(op->ors_filter);
}

/* --- parts --- */

static bool is_in_scope(const struct narrowing *n, const struct berval *ndn)
{
	struct berval parent;

	if (n->scope == LDAP_SCOPE_ONELEVEL) {
		dnParent((struct berval *)ndn, &parent);
		return dn_match(&parent, &n->ndn);
	}
	return dnIsSuffix(ndn, &n->ndn) &&
	       (n->scope == LDAP_SCOPE_SUBTREE || !dn_match(ndn, &n->ndn));
}

/* 1: a search may start there and means the same as one from above; 0: there is nothing; -1: it does
 * not (the guest may not search there, only below; a referral, ...) */
static int may_start(struct narrowing *n, struct berval *ndn)
{
	Operation *op = n->op;
	BackendDB *saved = op->o_bd;
	Entry *e;
	int rc = b2b_entry_read(op, n->tenant, ndn, &e);

	if (rc == LDAP_NO_SUCH_OBJECT)
		return 0;
	if (rc != LDAP_SUCCESS || !e)
		return -1;
	bool may = !is_entry_referral(e) && !is_entry_alias(e) && !is_entry_subentry(e) &&
		   !is_entry_glue(e);
	op->o_bd = n->tenant->be;
	may = may && access_allowed(op, e, slap_schema.si_ad_entry, NULL, ACL_SEARCH, NULL);
	op->o_bd = saved;
	b2b_entry_release(op, n->tenant, e);
	return may ? 1 : -1;
}

static void add_part(struct narrowing *n, struct berval *ndn, int scope)
{
	if (n->differs || b2b_tenant_of(ndn) != n->tenant)
		return; /* of another database nothing is visible */
	int start = may_start(n, ndn);
	if (start == 0)
		return;
	if (start < 0 || n->count == MAX_PARTS)
		n->differs = true;
	else
		n->parts[n->count++] = (struct part){ *ndn, scope };
}

/* Whether a scope before or around this one has it already. */
static bool is_covered(const struct b2b_passage *p, size_t which)
{
	const struct berval *ndn = &p->scopes[which].ndn;

	for (size_t i = 0; i < p->scope_count; i++) {
		bool same = dn_match(&p->scopes[i].ndn, ndn);

		if (i != which && dnIsSuffix(ndn, &p->scopes[i].ndn) && (!same || i < which))
			return true;
	}
	return false;
}

static bool is_below_scope(const struct b2b_passage *p, const struct berval *ndn)
{
	for (size_t i = 0; i < p->scope_count; i++) {
		if (dnIsSuffix(ndn, &p->scopes[i].ndn))
			return true;
	}
	return false;
}

static void add_scopes(struct narrowing *n)
{
	const struct b2b_passage *p = n->passage;
	bool deep = n->scope != LDAP_SCOPE_ONELEVEL;

	if (p->scope_count > 4UL * MAX_PARTS)
		n->differs = true; /* each is compared with each */
	for (size_t i = 0; i < p->scope_count && !n->differs; i++) {
		struct berval ndn = p->scopes[i].ndn;

		if (is_in_scope(n, &ndn) && !is_covered(p, i))
			add_part(n, &ndn, deep ? LDAP_SCOPE_SUBTREE : LDAP_SCOPE_BASE);
	}
}

struct items {
	struct narrowing *n;
	struct berval ndn[MAX_PARTS];
	size_t count;
};

static bool take_item(void *ctx, Entry *e)
{
	struct items *items = ctx;
	const struct b2b_passage *p = items->n->passage;

	if (!b2b_review_is_own(&p->ndn, e, slap_schema.si_ad_entry, ACL_READ) ||
	    is_below_scope(p, &e->e_nname))
		return true;
	if (items->count == MAX_PARTS) {
		items->n->differs = true;
		return false;
	}
	ber_dupbv_x(&items->ndn[items->count++], &e->e_nname, items->n->op->o_tmpmemctx);
	return true;
}

/* A guest may be asked about itself in a review. */
static void add_items(struct narrowing *n)
{
	Operation *op = n->op;
	struct berval rdn = BER_BVC("cn=reviews"), reviews;
	const char *own;
	char *filter;

	build_new_dn(&reviews, &n->tenant->nbase, &rdn, op->o_tmpmemctx);
	if (n->scope == LDAP_SCOPE_ONELEVEL || !is_in_scope(n, &reviews))
		return;
	struct items *items = op->o_tmpcalloc(1, sizeof(*items), op->o_tmpmemctx);
	items->n = n;
	own = b2b_inner_escape(op, &n->passage->ndn);
	filter = op->o_tmpalloc(strlen(own) + 20, op->o_tmpmemctx);
	snprintf(filter, strlen(own) + 20, "(b2bReviewGuest=%s)", own);
	int rc = b2b_inner_search(op, n->tenant,
				  &(struct b2b_where){ &reviews, LDAP_SCOPE_SUBTREE, filter },
				  take_item, items);
	if (rc != LDAP_SUCCESS && rc != LDAP_NO_SUCH_OBJECT)
		n->differs = true;
	for (size_t i = 0; i < items->count; i++)
		add_part(n, &items->ndn[i], LDAP_SCOPE_BASE);
}

/* --- one search as several --- */

/* Keeps the results of parts from the client and from those that asked before the gate. */
static int end_part(Operation *op, SlapReply *rs)
{
	struct narrowing *n = op->o_callback->sc_private;

	/* a gate that went away while slapd waited for the client has no further parts */
	if (rs->sr_type == REP_RESULT && !b2b_gate_is(n->gate))
		rs->sr_err = LDAP_BUSY;
	/* a part that did has no entries */
	if (rs->sr_type != REP_RESULT || op->o_abandon ||
	    (rs->sr_err != LDAP_SUCCESS && rs->sr_err != LDAP_NO_SUCH_OBJECT))
		return SLAP_CB_CONTINUE;
	n->goes_on = true;
	return LDAP_SUCCESS;
}

/* Runs after the overlays of the database cleared up for this part, and before those that have the
 * rest of the search before them. */
static int hide_end(Operation *op, SlapReply *rs)
{
	struct narrowing *n = op->o_callback->sc_private;

	if (n->goes_on && rs->sr_type == REP_RESULT)
		rs->sr_type = REP_INTERMEDIATE;
	return LDAP_SUCCESS;
}

static slap_callback **find_callback(Operation *op, const slap_callback *wanted)
{
	slap_callback **at = &op->o_callback;

	while (*at && *at != wanted)
		at = &(*at)->sc_next;
	return *at ? at : NULL;
}

static void clear_reply(SlapReply *rs)
{
	int entries = rs->sr_nentries;

	rs_reinit(rs, REP_RESULT);
	rs->sr_nentries = entries; /* the size limit counts over all parts */
}

/* False: the client was answered, or is gone. */
static bool run_parts(struct narrowing *n, SlapReply *rs)
{
	Operation *op = n->op;
	slap_overinst *on = n->gate;
	slap_callback cb = { .sc_response = end_part, .sc_cleanup = hide_end, .sc_private = n };
	slap_callback **at = NULL;
	int slimit = op->ors_slimit, tlimit = op->ors_tlimit;

	cb.sc_next = op->o_callback;
	op->o_callback = &cb;
	for (size_t i = 0; i < n->count; i++) {
		op->o_req_dn = op->o_req_ndn = n->parts[i].ndn;
		op->ors_scope = n->parts[i].scope;
		op->ors_slimit = slimit; /* slapd puts its own limits in */
		op->ors_tlimit = tlimit;
		clear_reply(rs);
		n->goes_on = false;
		overlay_op_walk(op, rs, op_search, on->on_info, on->on_next);
		op->o_bd->bd_info = (BackendInfo *)on;
		/* an overlay that answers itself takes all callbacks of the search with it */
		at = find_callback(op, &cb);
		if (!n->goes_on || !at)
			break;
	}
	if (at)
		*at = cb.sc_next;
	return n->goes_on;
}

static int run(struct narrowing *n, SlapReply *rs)
{
	Operation *op = n->op;
	slap_overinst *on = (slap_overinst *)op->o_bd->bd_info;
	struct berval dn = op->o_req_dn, ndn = op->o_req_ndn;

	n->passage->narrowed = true;
	n->gate = on;
	bool goes_on = run_parts(n, rs);
	op->o_req_dn = dn;
	op->o_req_ndn = ndn;
	op->ors_scope = n->scope;
	if (goes_on) {
		clear_reply(rs);
		op->o_bd->bd_info = (BackendInfo *)on->on_info;
		send_ldap_result(op, rs);
		op->o_bd->bd_info = (BackendInfo *)on;
	}
	return rs->sr_err;
}

/* Whether the whole search is one that parts can stand for. */
static bool is_divisible(Operation *op, const struct b2b_passage *p, const struct berval *ndn)
{
	return op->ors_scope != LDAP_SCOPE_BASE && p->verdict.effect == B2B_ALLOW && p->tenant &&
	       p->tenant->open && (p->access != B2B_SEES_MEMBER || p->direct) &&
	       !dn_match(ndn, &p->ndn) && /* nothing stands below a guest */
	       /* a page ends where the next one finds its place again */
	       get_pagedresults(op) <= SLAP_CONTROL_IGNORED &&
	       /* references come with the result in LDAPv2 */
	       op->o_protocol >= LDAP_VERSION3 && b2b_tenant_of(ndn) == p->tenant &&
	       !SLAP_GLUE_INSTANCE(p->tenant->be) && !is_below_scope(p, ndn);
}

int b2b_narrow_search(Operation *op, SlapReply *rs, struct b2b_passage *passage)
{
	bool by_default = BER_BVISEMPTY(&op->o_req_ndn);
	struct berval base = by_default ? default_search_nbase : op->o_req_ndn;

	if (setting.off || BER_BVISEMPTY(&base) || !is_divisible(op, passage, &base))
		return SLAP_CB_CONTINUE;
	passage->guessed = is_selective(op->ors_filter);
	if (passage->guessed)
		return SLAP_CB_CONTINUE;
	uint64_t published = passage->published;
	struct narrowing *n = op->o_tmpcalloc(1, sizeof(*n), op->o_tmpmemctx);
	n->op = op;
	n->passage = passage;
	n->tenant = passage->tenant;
	n->ndn = base;
	n->scope = op->ors_scope;
	/* where a search may not start it ends at once, by itself */
	if (may_start(n, &base) != 1)
		return SLAP_CB_CONTINUE;
	if (is_in_scope(n, &passage->ndn) && !is_below_scope(passage, &passage->ndn))
		add_part(n, &passage->ndn, LDAP_SCOPE_BASE);
	add_scopes(n);
	add_items(n);
	/* checks of access judge anew where policy was published meanwhile */
	if (n->differs || passage->published != published)
		return SLAP_CB_CONTINUE;
	if (n->count == 0) /* the base is hidden, and slapd says the rest */
		n->parts[n->count++] = (struct part){ base, LDAP_SCOPE_BASE };
	return run(n, rs);
}
