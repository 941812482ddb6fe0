/*
 * life.c - what is asked of a write because of the life of guests: who may invite, who may answer a
 * review, who may enable again; what stands where below the tenant entry.
 * In: an entry before and after a client's write.  Out: an LDAP code, and what follows for the entry.
 */
#include "life.h"

static int refuse(struct b2b_error *error, int err, const char *text)
{
	b2b_error_set(error, "%s", text);
	return err;
}

/* --- places --- */

struct rule {
	enum b2b_place place;
	ObjectClass **class;
	b2b_judge *judge;
	const char *elsewhere;
};

static const struct rule rules[] = {
	{ B2B_PLACE_OUTBOX, &b2b_oc_notice, b2b_outbox_judge,
	  "objectClass: a b2bNotice stands in cn=outbox of the tenant entry, and nothing else "
	  "does" },
	{ B2B_PLACE_REQUESTS, &b2b_oc_request, b2b_request_judge,
	  "objectClass: a b2bRequest stands in cn=requests of the tenant entry, and nothing else "
	  "does" },
	{ B2B_PLACE_ITEMS, &b2b_oc_item, b2b_item_judge,
	  "objectClass: a b2bReviewItem stands below a definition in cn=reviews, and nothing else "
	  "does" },
};

static int judge_place(Operation *op, struct b2b_tenant *tenant, Entry *before, Entry *after,
		       Modifications **mods, struct b2b_error *error)
{
	Entry *e = after ? after : before;
	enum b2b_place place = b2b_policy_place(tenant, &e->e_nname);
	struct berval parent;

	/* it would stand in the way when that one is deleted */
	dnParent(&e->e_nname, &parent);
	if (!before && b2b_policy_place(tenant, &parent) != B2B_PLACE_OTHER)
		return refuse(error, LDAP_CONSTRAINT_VIOLATION,
			      "objectClass: nothing stands below a notice, a request or an item");
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		bool here = rules[i].place == place;

		if (here != (is_entry_objectclass(e, *rules[i].class, 0) != 0)) {
			/* what has the wrong class may go */
			if (!after)
				return LDAP_SUCCESS;
			return refuse(error, LDAP_CONSTRAINT_VIOLATION, rules[i].elsewhere);
		}
		if (here)
			return rules[i].judge(op, tenant, before, after, mods, error);
	}
	return LDAP_SUCCESS;
}

/* --- projects --- */

static void set_due(Entry *after, Modifications **mods, time_t due)
{
	if (mods) {
		if (due)
			b2b_record_set_time(mods, B2B_ATTR_NEXT_DUE, due);
		else
			b2b_record_set(mods, B2B_ATTR_NEXT_DUE, NULL);
		return;
	}
	attr_delete(&after->e_attrs, b2b_ad[B2B_ATTR_NEXT_DUE]);
	if (due)
		b2b_entry_put_time(after, "b2bNextDue", due);
}

/* When a project ends, for the task; 0: never. */
static time_t project_due(Entry *e)
{
	struct b2b_source source = b2b_map_source(e);
	struct b2b_str value;
	time_t end;

	if (!is_entry_objectclass(e, b2b_oc_project, 0) ||
	    !source.value(e, B2B_ATTR_VALID_UNTIL, 0, &value) ||
	    b2b_time_parse(value, &end) != B2B_OK)
		return 0;
	return b2b_time_due(end ? end : 1, slap_get_time());
}

static int judge_project(Entry *before, Entry *after, Modifications **mods, struct b2b_error *error)
{
	Attribute *a = attr_find(after->e_attrs, b2b_ad[B2B_ATTR_SPONSOR]);
	bool was = before && is_entry_objectclass(before, b2b_oc_project, 0);

	if (!was && !is_entry_objectclass(after, b2b_oc_project, 0))
		return LDAP_SUCCESS;
	if (a && a->a_numvals > B2B_SPONSORS_MAX)
		return refuse(error, LDAP_CONSTRAINT_VIOLATION,
			      "b2bSponsor: a project has five sponsors at most");
	/* b2bNextDue would be the project's, and nobody would look at the guest */
	if (b2b_map_is_guest(after))
		return refuse(error, LDAP_CONSTRAINT_VIOLATION,
			      "objectClass: a guest is no project");
	set_due(after, mods, project_due(after));
	return LDAP_SUCCESS;
}

/* --- definitions --- */

/* The task looks at a definition that was written at once. */
static void touch_definition(Entry *after, Modifications **mods)
{
	time_t now = slap_get_time(); /* once: the second may be over in between */

	if (is_entry_objectclass(after, b2b_oc_review, 0))
		set_due(after, mods, b2b_time_due(now, now));
}

/* --- guests --- */

static bool sets(const Modifications *m, enum b2b_attr attr)
{
	for (; m; m = m->sml_next) {
		if (m->sml_desc == b2b_ad[attr])
			return true;
	}
	return false;
}

static bool is_enabled(Entry *e)
{
	Attribute *a = attr_find(e->e_attrs, b2b_ad[B2B_ATTR_ACCOUNT_ENABLED]);

	return a && !strcmp(a->a_nvals[0].bv_val, "TRUE");
}

static struct b2b_guest parse(Entry *e)
{
	struct b2b_source source = b2b_map_source(e);
	struct b2b_guest guest;

	b2b_guest_parse(&source, &guest, NULL);
	return guest;
}

/* Whether the writer is one of the guest's own people. */
static bool answers_for(Operation *op, Entry *guest)
{
	static const enum b2b_attr attrs[] = { B2B_ATTR_SPONSOR, B2B_ATTR_REVIEWER };

	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		Attribute *a = attr_find(guest->e_attrs, b2b_ad[attrs[i]]);

		for (unsigned j = 0; a && j < a->a_numvals; j++) {
			if (bvmatch(&a->a_nvals[j], &op->o_ndn))
				return !be_isroot(op);
		}
	}
	return false;
}

/* What an administrator disabled its own people do not enable: nor do they step aside, or make it no
 * guest, to do so then. */
static int judge_word(Operation *op, Entry *before, Entry *after, struct b2b_error *error)
{
	struct b2b_guest was = parse(before);

	if (!was.disabled_by_admin || is_enabled(before) || !answers_for(op, before) ||
	    b2b_access_may_manage(op, before, b2b_ad[B2B_ATTR_DISABLED_REASON]))
		return LDAP_SUCCESS;
	if (!is_enabled(after) && answers_for(op, after) && b2b_map_is_guest(after))
		return LDAP_SUCCESS;
	return refuse(error, LDAP_INSUFFICIENT_ACCESS,
		      "b2bAccountEnabled: an administrator disabled this guest, and its sponsors "
		      "do not enable it again");
}

/* The partner's block beats everybody who would enable a guest again. */
static int judge_restore(Operation *op, struct b2b_tenant *tenant, Entry *before, Entry *after,
			 struct b2b_error *error)
{
	struct b2b_guest was = parse(before), is = parse(after);
	struct b2b_snapshot *snapshot;
	enum b2b_reason reason;

	if (is_enabled(before) || !is_enabled(after))
		return LDAP_SUCCESS;
	if (was.delete_after == B2B_DELETING && !(get_relax(op) && be_isroot(op)))
		return refuse(error, LDAP_UNWILLING_TO_PERFORM,
			      "b2bAccountEnabled: this guest is being deleted");
	snapshot = b2b_tenant_snapshot(tenant);
	reason = b2b_invite_partner(snapshot, is.home_tenant, is.home_subject);
	b2b_snapshot_unref(&snapshot);
	if (reason == B2B_REASON_NONE || reason == B2B_REASON_PARTNER_UNKNOWN)
		return LDAP_SUCCESS;
	b2b_error_set(error, "%s", b2b_reason_name(reason));
	return LDAP_UNWILLING_TO_PERFORM;
}

static bool is_reviewer(Operation *op, struct b2b_tenant *tenant, Entry *guest)
{
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(tenant);
	const struct berval *who =
		b2b_person_reviewers(op, tenant, b2b_record_policy(snapshot), guest);
	bool found = false;

	for (; who && !BER_BVISNULL(who) && !found; who++)
		found = bvmatch(who, &op->o_ndn);
	b2b_snapshot_unref(&snapshot);
	return found;
}

static bool is_blank(Entry *e, enum b2b_attr attr)
{
	Attribute *a = attr_find(e->e_attrs, b2b_ad[attr]);

	return !a || b2b_str_is_blank(b2b_map_str(&a->a_vals[0]));
}

/* An answer to the guest's own review (design section 9). */
static int judge_answer(Operation *op, struct b2b_tenant *tenant, Entry *before, Entry *after,
			const Modifications *mods, struct b2b_error *error)
{
	bool answers = attr_find(after->e_attrs, b2b_ad[B2B_ATTR_REVIEW_DECISION]) != NULL;

	if ((!sets(mods, B2B_ATTR_REVIEW_DECISION) && !sets(mods, B2B_ATTR_REVIEW_JUSTIFICATION)) ||
	    be_isroot(op))
		return LDAP_SUCCESS;
	if (dn_match(&op->o_ndn, &before->e_nname))
		return refuse(error, LDAP_INSUFFICIENT_ACCESS,
			      "b2bReviewDecision: nobody reviews itself");
	if (!is_reviewer(op, tenant, before) &&
	    (answers || !b2b_access_may_manage(op, before, b2b_ad[B2B_ATTR_REVIEWED_BY])))
		return refuse(error, LDAP_INSUFFICIENT_ACCESS,
			      "b2bReviewDecision: only the reviewers of this guest answer");
	if (parse(after).review == B2B_REVIEW_APPROVED &&
	    is_blank(after, B2B_ATTR_REVIEW_JUSTIFICATION))
		return refuse(error, LDAP_CONSTRAINT_VIOLATION,
			      "b2bReviewJustification: an approval says why");
	return LDAP_SUCCESS;
}

static int judge_guest(Operation *op, struct b2b_tenant *tenant, Entry *before, Entry *after,
		       const Modifications *mods, struct b2b_error *error)
{
	bool was = before && b2b_map_is_guest(before);
	int rc = was ? judge_word(op, before, after, error) : LDAP_SUCCESS;

	if (rc != LDAP_SUCCESS || !b2b_map_is_guest(after))
		return rc;
	if (!was)
		return be_isroot(op) ? LDAP_SUCCESS
				     : b2b_invite_check_add(op, tenant, after, error);
	rc = be_isroot(op) ? LDAP_SUCCESS : b2b_invite_check_mail(tenant, before, after, error);
	if (rc == LDAP_SUCCESS)
		rc = judge_restore(op, tenant, before, after, error);
	return rc ? rc : judge_answer(op, tenant, before, after, mods, error);
}

/* --- all --- */

int b2b_life_judge(Operation *op, struct b2b_tenant *tenant, Entry *before, Entry *after,
		   Modifications **mods, struct b2b_error *error)
{
	int rc = judge_place(op, tenant, before, after, mods, error);

	if (rc != LDAP_SUCCESS || !after)
		return rc;
	touch_definition(after, mods);
	rc = judge_project(before, after, mods, error);
	return rc ? rc : judge_guest(op, tenant, before, after, mods ? *mods : NULL, error);
}

bool b2b_life_concerns(struct b2b_tenant *tenant, Entry *e)
{
	return b2b_tenants && (is_entry_objectclass(e, b2b_oc_project, 0) ||
			       b2b_policy_is_private(tenant, &e->e_nname) ||
			       is_entry_objectclass(e, b2b_oc_notice, 0) ||
			       is_entry_objectclass(e, b2b_oc_request, 0) ||
			       is_entry_objectclass(e, b2b_oc_item, 0));
}

bool b2b_life_concerns_name(Operation *op, struct b2b_tenant *tenant, struct berval *ndn)
{
	Entry *e;
	int rc = b2b_entry_read(op, tenant, ndn, &e);

	if (!e)
		return rc != LDAP_NO_SUCH_OBJECT;
	bool concerns = b2b_map_is_guest(e) || b2b_life_concerns(tenant, e);
	b2b_entry_release(op, tenant, e);
	return concerns;
}

bool b2b_life_hurries(Entry *e)
{
	struct b2b_tenant *tenant;

	if (is_entry_objectclass(e, b2b_oc_request, 0) || is_entry_objectclass(e, b2b_oc_review, 0))
		return true;
	/* of a tenant entry b2bJwks may be another one now: publish.c */
	tenant = is_entry_objectclass(e, b2b_oc_tenant, 0) ? b2b_tenant_of(&e->e_nname) : NULL;
	return tenant && tenant->signer;
}
