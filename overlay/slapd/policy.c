/*
 * policy.c - policy entries of the directory, read into snapshots.
 * In: the subtree of the tenant entry, at the start and after each write to it.  Out: a published
 * snapshot; for keeper.c, whether an entry may be written.
 */
#include "life.h"

static const struct berval default_rdn = BER_BVC("cn=default");
static const struct berval partners_rdn = BER_BVC("cn=partners");
static const struct berval apps_rdn = BER_BVC("cn=applications");
static const struct berval access_rdn = BER_BVC("cn=conditional-access");
static const struct berval reviews_rdn = BER_BVC("cn=reviews");
static const struct berval outbox_rdn = BER_BVC("cn=outbox");
static const struct berval requests_rdn = BER_BVC("cn=requests");
static const struct berval direct_rdn = BER_BVC("cn=direct");

/* True if ndn is rdn directly below parent. */
static bool is_child(const struct berval *ndn, const struct berval *rdn,
		     const struct berval *parent)
{
	return ndn->bv_len == rdn->bv_len + 1 + parent->bv_len &&
	       !strncmp(ndn->bv_val, rdn->bv_val, rdn->bv_len) && dnIsSuffix(ndn, parent);
}

/* The kind of rule that the place of an entry demands; NONE: any entry but ours may stand here. */
static enum b2b_rule_kind kind_by_place(struct b2b_tenant *tenant, const struct berval *ndn)
{
	struct berval parent;

	if (dn_match(ndn, &tenant->nbase))
		return B2B_RULE_TENANT;
	if (!dnIsSuffix(ndn, &tenant->nbase))
		return B2B_RULE_NONE;
	if (is_child(ndn, &default_rdn, &tenant->nbase))
		return B2B_RULE_DEFAULT;
	dnParent((struct berval *)ndn, &parent);
	if (is_child(&parent, &partners_rdn, &tenant->nbase))
		return B2B_RULE_PARTNER;
	if (is_child(&parent, &apps_rdn, &tenant->nbase))
		return B2B_RULE_APP;
	if (is_child(&parent, &access_rdn, &tenant->nbase))
		return B2B_RULE_ACCESS;
	if (is_child(&parent, &reviews_rdn, &tenant->nbase))
		return B2B_RULE_REVIEW;
	return B2B_RULE_NONE;
}

enum b2b_place b2b_policy_place(struct b2b_tenant *tenant, const struct berval *ndn)
{
	struct berval parent, above;

	if (!dnIsSuffix(ndn, &tenant->nbase) || dn_match(ndn, &tenant->nbase))
		return B2B_PLACE_OTHER;
	dnParent((struct berval *)ndn, &parent);
	if (is_child(&parent, &outbox_rdn, &tenant->nbase))
		return B2B_PLACE_OUTBOX;
	if (is_child(&parent, &requests_rdn, &tenant->nbase))
		return B2B_PLACE_REQUESTS;
	if (!dnIsSuffix(&parent, &tenant->nbase) || dn_match(&parent, &tenant->nbase))
		return B2B_PLACE_OTHER;
	dnParent(&parent, &above);
	return is_child(&above, &reviews_rdn, &tenant->nbase) ? B2B_PLACE_ITEMS : B2B_PLACE_OTHER;
}

bool b2b_policy_is_private(struct b2b_tenant *tenant, const struct berval *ndn)
{
	static const struct berval *const rdns[] = { &outbox_rdn, &requests_rdn, &reviews_rdn,
						     &direct_rdn };
	struct berval at = *ndn;

	/* the name directly below the tenant entry */
	while (at.bv_len > tenant->nbase.bv_len) {
		struct berval parent;

		for (size_t i = 0; i < sizeof(rdns) / sizeof(rdns[0]); i++) {
			if (is_child(&at, rdns[i], &tenant->nbase))
				return true;
		}
		dnParent(&at, &parent);
		at = parent;
	}
	return false;
}

static enum b2b_rule_kind kind_by_class(Entry *e)
{
	if (is_entry_objectclass(e, b2b_oc_tenant, 0))
		return B2B_RULE_TENANT;
	if (is_entry_objectclass(e, b2b_oc_default, 0))
		return B2B_RULE_DEFAULT;
	if (is_entry_objectclass(e, b2b_oc_partner, 0))
		return B2B_RULE_PARTNER;
	if (is_entry_objectclass(e, b2b_oc_app, 0))
		return B2B_RULE_APP;
	if (is_entry_objectclass(e, b2b_oc_access, 0))
		return B2B_RULE_ACCESS;
	if (is_entry_objectclass(e, b2b_oc_review, 0))
		return B2B_RULE_REVIEW;
	return B2B_RULE_NONE;
}

static const char *kind_class(enum b2b_rule_kind kind)
{
	static const char *const names[] = { "no",
					     "a b2bTenant",
					     "a b2bDefaultPolicy",
					     "a b2bPartner",
					     "a b2bApplication",
					     "a b2bAccessPolicy",
					     "a b2bReviewDefinition" };

	return names[kind];
}

enum b2b_err b2b_policy_kind(struct b2b_tenant *tenant, Entry *e, enum b2b_rule_kind *kind_r,
			     struct b2b_error *error)
{
	enum b2b_rule_kind place = kind_by_place(tenant, &e->e_nname);
	enum b2b_rule_kind class = kind_by_class(e);

	*kind_r = place;
	if (place == class)
		return B2B_OK;
	if (place != B2B_RULE_NONE)
		return b2b_error_set(error, "objectClass: only %s entry may have this name",
				     kind_class(place));
	return b2b_error_set(
		error,
		"objectClass: %s entry has no meaning here; the tenant entry is \"%s\", "
		"below it cn=default, and entries in cn=partners, cn=applications, "
		"cn=conditional-access and cn=reviews",
		kind_class(class), tenant->nbase.bv_val);
}

/* What only slapd can tell of labels of attribute types: whether there is such a type, and whether two
 * names are of one. */
static enum b2b_err check_attribute_labels(const struct b2b_rule *rule, struct b2b_error *error)
{
	const struct b2b_tenant_policy *tenant = &rule->u.tenant;

	for (size_t i = 0; i < tenant->attribute_label_count; i++) {
		const char *type = tenant->attribute_labels[i].type;
		AttributeType *at = at_find(type);

		if (!at)
			return b2b_error_set(error,
					     "b2bAttributeLabel: \"%s\" is no attribute type of this "
					     "server",
					     type);
		for (size_t j = 0; j < i; j++) {
			if (at_find(tenant->attribute_labels[j].type) == at)
				return b2b_error_set(error,
						     "b2bAttributeLabel: \"%s\" and \"%s\" are one "
						     "attribute type",
						     tenant->attribute_labels[j].type, type);
		}
	}
	return B2B_OK;
}

enum b2b_err b2b_policy_check(struct b2b_tenant *tenant, Entry *e, struct b2b_error *error)
{
	struct b2b_source source = b2b_map_source(e);
	struct b2b_rule *rule = NULL;
	enum b2b_rule_kind kind;
	enum b2b_err err;

	if (b2b_direct_tenant(&e->e_nname))
		return b2b_error_set(error,
				     "cn=direct: no entry may stand here: these are the names "
				     "of those who have none");
	err = b2b_policy_kind(tenant, e, &kind, error);
	if (err != B2B_OK || kind == B2B_RULE_NONE)
		return err;
	err = b2b_rule_compile(kind, &source, &rule, error);
	if (err == B2B_OK && kind == B2B_RULE_REVIEW) {
		err = b2b_review_check(tenant, rule, error);
	} else if (err == B2B_OK) {
		if (kind == B2B_RULE_TENANT)
			err = check_attribute_labels(rule, error);
	}
	if (err == B2B_OK && kind != B2B_RULE_REVIEW) {
		struct b2b_snapshot *snapshot = b2b_tenant_snapshot(tenant);

		err = b2b_snapshot_conflict(snapshot, rule, error);
		b2b_snapshot_unref(&snapshot);
	}
	b2b_rule_unref(&rule);
	return err;
}

/* A setting with one half only is lawful but seldom meant. */
static void warn_half_set(const struct b2b_rule *rule)
{
	static const char *const names[B2B_SCOPE_COUNT] = { "b2bCollabIn", "b2bCollabOut",
							    "b2bDirectIn", "b2bDirectOut" };
	const struct b2b_settings *settings =
		rule->kind == B2B_RULE_PARTNER ? &rule->u.partner.settings : &rule->u.defaults;

	if (rule->kind != B2B_RULE_PARTNER && rule->kind != B2B_RULE_DEFAULT)
		return;
	for (int i = 0; i < B2B_SCOPE_COUNT; i++) {
		bool users = settings->scope[i].users.access != B2B_ACCESS_UNSET;
		bool apps = settings->scope[i].apps.access != B2B_ACCESS_UNSET;

		if (users != apps)
			Debug(LDAP_DEBUG_ANY,
			      "b2b: policy entry \"%s\": %s has its %s half only: the default must "
			      "permit as well\n",
			      rule->dn, names[i], users ? "users" : "applications");
	}
}

/* A partner whose tokens can never be right is lawful too: keys may be on their way. */
static void warn_no_token(const struct b2b_rule *rule)
{
	const struct b2b_token_settings *token = &rule->u.partner.token;

	if (rule->kind != B2B_RULE_PARTNER || rule->invalid ||
	    !(rule->u.partner.idp_mask & B2B_IDP_OIDC) || (token->issuer && token->keys))
		return;
	Debug(LDAP_DEBUG_ANY, "b2b: policy entry \"%s\": no token is accepted until %s is there\n",
	      rule->dn, token->issuer ? "b2bJwks" : "b2bIssuer");
}

/* snapshot with e in it, or without what e's name had; NULL without memory. */
static struct b2b_snapshot *with_entry(struct b2b_tenant *tenant, struct b2b_snapshot *snapshot,
				       Entry *e)
{
	struct b2b_source source = b2b_map_source(e);
	struct b2b_error error = { "" };
	struct b2b_rule *rule = NULL;
	struct b2b_snapshot *next;
	enum b2b_rule_kind kind;

	bool misplaced = b2b_policy_kind(tenant, e, &kind, &error) != B2B_OK;
	if (misplaced)
		Debug(LDAP_DEBUG_ANY, "b2b: policy entry \"%s\": %s\n", e->e_nname.bv_val,
		      error.text);
	if (kind == B2B_RULE_NONE)
		return b2b_snapshot_without(snapshot, e->e_nname.bv_val);
	if (b2b_rule_compile(kind, &source, &rule, &error) != B2B_OK)
		Debug(LDAP_DEBUG_ANY, "b2b: policy entry \"%s\": %s: whom it governs is denied\n",
		      e->e_nname.bv_val, error.text);
	if (!rule)
		return NULL;
	/* an entry of another class says nothing of what stands here otherwise */
	rule->invalid = rule->invalid || misplaced;
	if (kind == B2B_RULE_TENANT && !rule->invalid &&
	    check_attribute_labels(rule, &error) != B2B_OK) {
		Debug(LDAP_DEBUG_ANY, "b2b: policy entry \"%s\": %s: every guest is denied\n",
		      e->e_nname.bv_val, error.text);
		rule->invalid = true;
	}
	warn_half_set(rule);
	warn_no_token(rule);
	next = b2b_snapshot_with(snapshot, rule);
	b2b_rule_unref(&rule);
	return next;
}

struct load {
	struct b2b_tenant *tenant;
	struct b2b_snapshot *snapshot; /* NULL: out of memory */
};

static int load_entry(Operation *op, SlapReply *rs)
{
	struct load *load = op->o_callback->sc_private;

	if (rs->sr_type == REP_SEARCH && load->snapshot &&
	    !b2b_policy_is_private(load->tenant, &rs->sr_entry->e_nname)) {
		struct b2b_snapshot *next = with_entry(load->tenant, load->snapshot, rs->sr_entry);
		b2b_snapshot_unref(&load->snapshot);
		load->snapshot = next;
	}
	return 0;
}

static int publish_load(struct b2b_tenant *tenant, struct load *load, const SlapReply *rs)
{
	if (!load->snapshot) {
		Debug(LDAP_DEBUG_ANY, "b2b: out of memory while reading the policy\n");
		return 1;
	}
	if (rs->sr_err != LDAP_SUCCESS && rs->sr_err != LDAP_NO_SUCH_OBJECT) {
		Debug(LDAP_DEBUG_ANY, "b2b: policy below \"%s\" cannot be read: %s (%d)\n",
		      tenant->base.bv_val, rs->sr_text ? rs->sr_text : "search failed", rs->sr_err);
		b2b_snapshot_unref(&load->snapshot);
		return 1;
	}
	if (!b2b_snapshot_tenant(load->snapshot))
		Debug(LDAP_DEBUG_ANY,
		      "b2b: no tenant entry \"%s\": every guest is denied until there is one\n",
		      tenant->base.bv_val);
	tenant->incomplete = false;
	b2b_tenant_publish(tenant, load->snapshot);
	tenant->repaired = false;
	return 0;
}

int b2b_policy_load(struct b2b_tenant *tenant)
{
	struct load load = { tenant, b2b_snapshot_new() };
	Connection conn = { 0 };
	OperationBuffer opbuf;
	SlapReply rs = { REP_RESULT };
	slap_callback cb = { .sc_response = load_entry, .sc_private = &load };
	BackendDB db = *tenant->be;
	Operation *op;

	/* the backend itself: while the database opens, its other overlays are not yet open */
	if (overlay_is_over(&db))
		db.bd_info = ((slap_overinfo *)db.bd_info->bi_private)->oi_orig;
	connection_fake_init2(&conn, &opbuf, ldap_pvt_thread_pool_context(), 0);
	op = &opbuf.ob_op;
	op->o_tag = LDAP_REQ_SEARCH;
	op->o_bd = &db;
	op->o_dn = db.be_rootdn;
	op->o_ndn = db.be_rootndn;
	op->o_req_dn = tenant->base;
	op->o_req_ndn = tenant->nbase;
	op->o_callback = &cb;
	op->o_managedsait = SLAP_CONTROL_CRITICAL;
	op->ors_scope = LDAP_SCOPE_SUBTREE;
	op->ors_deref = LDAP_DEREF_NEVER;
	op->ors_slimit = SLAP_NO_LIMIT;
	op->ors_tlimit = SLAP_NO_LIMIT;
	op->ors_attrs = slap_anlist_all_attributes;
	op->ors_filter = (Filter *)slap_filter_objectClass_pres;
	op->ors_filterstr = *slap_filterstr_objectClass_pres;
	ldap_pvt_thread_mutex_lock(&tenant->policy_mutex);
	db.bd_info->bi_op_search(op, &rs);
	int rc = publish_load(tenant, &load, &rs);
	ldap_pvt_thread_mutex_unlock(&tenant->policy_mutex);
	return rc;
}

/* Whether guests' ends are computed from other numbers now. */
static bool times_differ(const struct b2b_snapshot *before, const struct b2b_snapshot *after)
{
	const struct b2b_tenant_policy *was = b2b_record_policy(before);
	const struct b2b_tenant_policy *is = after ? b2b_record_policy(after) : NULL;

	return !was || !is || was->guest_lifetime_days != is->guest_lifetime_days ||
	       was->review_interval_days != is->review_interval_days ||
	       was->review_duration_days != is->review_duration_days ||
	       was->invitation_lifetime_days != is->invitation_lifetime_days ||
	       was->delete_grace_days != is->delete_grace_days ||
	       was->inactivity_days != is->inactivity_days;
}

void b2b_policy_refresh(Operation *op, struct b2b_tenant *tenant, struct berval *ndn)
{
	struct b2b_snapshot *snapshot, *next = NULL;
	Entry *e;

	ldap_pvt_thread_mutex_lock(&tenant->policy_mutex);
	if (tenant->incomplete) {
		ldap_pvt_thread_mutex_unlock(&tenant->policy_mutex);
		b2b_policy_load(tenant);
		return;
	}
	snapshot = b2b_tenant_snapshot(tenant);
	int rc = b2b_entry_read(op, tenant, ndn, &e);
	if (e) {
		next = with_entry(tenant, snapshot, e);
		b2b_entry_release(op, tenant, e);
	} else if (rc == LDAP_NO_SUCH_OBJECT) {
		next = b2b_snapshot_without(snapshot, ndn->bv_val);
	}
	bool repair = dn_match(ndn, &tenant->nbase) && times_differ(snapshot, next);
	b2b_snapshot_unref(&snapshot);
	if (!next) {
		/* an old policy must not outlive its entry */
		Debug(LDAP_DEBUG_ANY,
		      "b2b: policy entry \"%s\" cannot be read (%d), or out of memory: every guest "
		      "is "
		      "denied until policy is written again\n",
		      ndn->bv_val, rc);
		next = b2b_snapshot_new();
		tenant->incomplete = true;
	}
	if (next)
		b2b_tenant_publish(tenant, next);
	if (repair)
		tenant->repaired = false;
	ldap_pvt_thread_mutex_unlock(&tenant->policy_mutex);
}
