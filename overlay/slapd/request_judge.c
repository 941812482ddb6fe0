/*
 * request_judge.c - who may do what to a request by ldapadd and ldapmodify.
 * In: writes of clients in cn=requests, as the keeper hands them over.
 * Out: a refusal; or who decided is noted, and the task finds it.
 *
 * checking -> pending, blocked or invalid: who may manage b2bRequestState, as the mail daemon may;
 * pending -> approved or denied: approvers, of others' requests; nothing else by clients.
 */
#include "request.h"

static int refuse(struct b2b_error *error, int err, const char *text)
{
	b2b_error_set(error, "%s", text);
	return err;
}

static time_t due_now(void)
{
	time_t now = slap_get_time();

	return b2b_time_due(now, now);
}

/* --- adding --- */

static int judge_add(Operation *op, struct b2b_tenant *tenant,
		     const struct b2b_tenant_policy *policy, Entry *e, struct b2b_error *error)
{
	bool hook = policy && policy->request_hook;
	enum b2b_request_state state = b2b_request_state_of(e);
	struct b2b_source source = b2b_map_source(e);
	struct b2b_str text = { NULL, 0 };

	if (!b2b_access_may_manage(op, e, b2b_ad[B2B_ATTR_REQUEST_STATE]))
		return refuse(error, LDAP_INSUFFICIENT_ACCESS,
			      "objectClass: requests are made by extended operation");
	source.value(e, B2B_ATTR_REQUEST_MAIL, 0, &text);
	if (b2b_mail_check(text, error) != B2B_OK)
		return LDAP_CONSTRAINT_VIOLATION;
	if (source.value(e, B2B_ATTR_REQUEST_NAME, 0, &text) &&
	    b2b_name_check("b2bRequestName", text, error) != B2B_OK)
		return LDAP_CONSTRAINT_VIOLATION;
	if (state == B2B_REQUEST_UNKNOWN &&
	    !attr_find(e->e_attrs, b2b_ad[B2B_ATTR_REQUEST_STATE])) {
		state = hook ? B2B_REQUEST_CHECKING : B2B_REQUEST_PENDING;
		b2b_entry_put(e, "b2bRequestState", b2b_request_state_name(state));
	}
	if (state != B2B_REQUEST_CHECKING && state != B2B_REQUEST_PENDING)
		return refuse(error, LDAP_CONSTRAINT_VIOLATION,
			      "b2bRequestState: a request begins as checking or pending");
	b2b_entry_put(e, "b2bRequestBy", op->o_ndn.bv_val);
	if (state == B2B_REQUEST_PENDING)
		b2b_entry_put_time(e, "b2bNextDue", due_now());
	return LDAP_SUCCESS;
}

/* --- deciding --- */

static int check_attributes(const Modifications *m, struct b2b_error *error)
{
	for (; m; m = m->sml_next) {
		if (m->sml_desc == b2b_ad[B2B_ATTR_REQUEST_STATE] ||
		    m->sml_desc == b2b_ad[B2B_ATTR_REQUEST_ANSWER] ||
		    is_at_operational(m->sml_desc->ad_type))
			continue;
		b2b_error_set(error, "%s: of a request the state and the answer are changed alone",
			      m->sml_desc->ad_cname.bv_val);
		return LDAP_CONSTRAINT_VIOLATION;
	}
	return LDAP_SUCCESS;
}

static bool is_approver(Operation *op, struct b2b_tenant *tenant,
			const struct b2b_tenant_policy *policy)
{
	struct b2b_session session;

	if (BER_BVISEMPTY(&op->o_ndn))
		return false;
	if (be_isroot(op))
		return true;
	b2b_session_find(op, &session);
	if (session.who != B2B_WHO_OTHER)
		return false;
	if (policy && policy->approvers.count)
		return b2b_person_is_among(op, tenant, &op->o_ndn, &policy->approvers);
	return b2b_invite_may(op, tenant, policy);
}

static bool has_mail(Operation *op, struct b2b_tenant *tenant, struct b2b_str mail)
{
	AttributeDescription *ad = NULL;
	const char *why;
	bool has = false;

	if (slap_str2ad("mail", &ad, &why) != LDAP_SUCCESS || b2b_tenant_of(&op->o_ndn) != tenant)
		return false;
	Entry *e = b2b_entry_get(op, tenant, &op->o_ndn);
	if (!e)
		return false;
	Attribute *a = attr_find(e->e_attrs, ad);
	for (unsigned i = 0; a && i < a->a_numvals; i++)
		has = has || b2b_str_equal_nocase(b2b_map_str(&a->a_vals[i]), mail);
	b2b_entry_release(op, tenant, e);
	return has;
}

/* Who made it, or whom it is for. */
static bool is_own(Operation *op, struct b2b_tenant *tenant, Entry *e)
{
	Attribute *by = attr_find(e->e_attrs, b2b_ad[B2B_ATTR_REQUEST_BY]);
	struct b2b_source source = b2b_map_source(e);
	struct b2b_str mail = { NULL, 0 };

	if (by && bvmatch(&by->a_nvals[0], &op->o_ndn))
		return true;
	return source.value(e, B2B_ATTR_REQUEST_MAIL, 0, &mail) && has_mail(op, tenant, mail);
}

static bool is_step(enum b2b_request_state from, enum b2b_request_state to)
{
	switch (from) {
	case B2B_REQUEST_CHECKING:
		return to == B2B_REQUEST_PENDING || to == B2B_REQUEST_BLOCKED ||
		       to == B2B_REQUEST_INVALID;
	case B2B_REQUEST_PENDING:
		return to == B2B_REQUEST_APPROVED || to == B2B_REQUEST_DENIED;
	default:
		return false;
	}
}

static int judge_step(Operation *op, struct b2b_tenant *tenant,
		      const struct b2b_tenant_policy *policy, Entry *before, Entry *after,
		      struct b2b_error *error)
{
	enum b2b_request_state from = b2b_request_state_of(before);
	enum b2b_request_state to = b2b_request_state_of(after);

	if (from == B2B_REQUEST_CHECKING &&
	    !b2b_access_may_manage(op, before, b2b_ad[B2B_ATTR_REQUEST_STATE]))
		return refuse(error, LDAP_INSUFFICIENT_ACCESS,
			      "b2bRequestState: this request is being checked");
	if (from != B2B_REQUEST_CHECKING && !is_approver(op, tenant, policy))
		return refuse(error, LDAP_INSUFFICIENT_ACCESS,
			      "b2bRequestState: approvers decide about requests");
	if (!is_step(from, to)) {
		b2b_error_set(error, "b2bRequestState: value \"%s\" does not follow \"%s\"",
			      b2b_request_state_name(to), b2b_request_state_name(from));
		return LDAP_CONSTRAINT_VIOLATION;
	}
	if (to == B2B_REQUEST_APPROVED && is_own(op, tenant, before))
		return refuse(error, LDAP_INSUFFICIENT_ACCESS,
			      "b2bRequestState: nobody approves its own request");
	return LDAP_SUCCESS;
}

static Modifications *last(Modifications *mods)
{
	while (mods->sml_next)
		mods = mods->sml_next;
	return mods;
}

/* Of two that decide at once one succeeds: the state that was judged must still be there. */
static void demand_state(Entry *before, Modifications **mods)
{
	const char *state = b2b_request_state_name(b2b_request_state_of(before));
	Modifications *first = NULL;

	b2b_record_set(&first, B2B_ATTR_REQUEST_STATE, state);
	first->sml_op = LDAP_MOD_DELETE;
	b2b_record_set(&first, B2B_ATTR_REQUEST_STATE, state);
	last(first)->sml_op = LDAP_MOD_ADD;
	last(first)->sml_next = *mods;
	*mods = first;
}

/* What follows from a decision that may be made. */
static void follow(Operation *op, Entry *before, Entry *after, Modifications **mods)
{
	demand_state(before, mods);
	if (b2b_request_state_of(after) != B2B_REQUEST_PENDING)
		b2b_record_set(mods, B2B_ATTR_REQUEST_DECIDED_BY, op->o_dn.bv_val);
	b2b_record_set_time(mods, B2B_ATTR_NEXT_DUE, due_now());
}

int b2b_request_judge(Operation *op, struct b2b_tenant *tenant, Entry *before, Entry *after,
		      Modifications **mods, struct b2b_error *error)
{
	struct b2b_snapshot *snapshot;
	int rc;

	if (!after || (get_relax(op) && be_isroot(op)))
		return LDAP_SUCCESS;
	snapshot = b2b_tenant_snapshot(tenant);
	const struct b2b_tenant_policy *policy = b2b_record_policy(snapshot);
	rc = before ? check_attributes(*mods, error) : judge_add(op, tenant, policy, after, error);
	if (before && rc == LDAP_SUCCESS)
		rc = judge_step(op, tenant, policy, before, after, error);
	if (before && rc == LDAP_SUCCESS)
		follow(op, before, after, mods);
	b2b_snapshot_unref(&snapshot);
	return rc;
}
