/*
 * keeper.c - the write hooks: guests' records and policy entries stay lawful.
 * In: add, modify, modrdn and delete on a tenant's database, from clients, other overlays, syncrepl
 * and the task.  Out: a refusal that names attribute and value; or the write goes on, and once it
 * has succeeded the policy is published anew and sessions look their guest up again.
 */
#include "life.h"

/* What a write under way will have touched; lives in the operation's memory. */
struct write {
	slap_callback cb;
	struct b2b_tenant *tenant;
	struct berval policy; /* policy entry to read again; BVNULL: none */
	struct berval guest;  /* guest whose b2bNextDue to look at again; BVNULL: none */
	struct berval person; /* who may have gone; BVNULL: nobody */
	struct berval name;   /* that a guest has no more; BVNULL: none */
	bool guests;          /* a guest was made, changed or removed */
	bool wake;            /* there is something for the task to do at once */
	bool reload;          /* whole subtrees moved */
};

/* Two writers that changed a guest at once may each have computed b2bNextDue from what the other
 * replaced: what stands now decides, and is written only onto the entry that it was read from. */
static void settle(Operation *op, struct b2b_tenant *tenant, struct berval *ndn)
{
	for (int tries = 0; tries < 3; tries++) {
		struct b2b_snapshot *snapshot = b2b_tenant_snapshot(tenant);
		struct b2b_record_read read;
		int rc = LDAP_SUCCESS;

		if (b2b_record_read(op, tenant, ndn, &read)) {
			Modifications *mods = NULL;

			b2b_record_set_due(&read,
					   b2b_guest_next_due(&read.guest,
							      b2b_record_policy(snapshot),
							      slap_get_time()),
					   &mods);
			if (mods)
				rc = b2b_keeper_write(op, tenant, &read, mods);
		}
		b2b_snapshot_unref(&snapshot);
		if (rc != LDAP_ASSERTION_FAILED)
			return;
	}
}

/* Whether slapd missed a value that we delete by value: the task, or another client, was faster.  Other
 * values are the client's own condition, whose answer it awaits. */
static bool lost_race(Operation *op, const SlapReply *rs)
{
	return rs->sr_type == REP_RESULT && rs->sr_err == LDAP_NO_SUCH_ATTRIBUTE && rs->sr_text &&
	       strstr(rs->sr_text, b2b_attr_name(B2B_ATTR_DELETE_AFTER)) && !b2b_inner_is(op);
}

static int write_done(Operation *op, SlapReply *rs)
{
	struct write *write = op->o_callback->sc_private;

	if (lost_race(op, rs)) {
		rs->sr_err = LDAP_BUSY;
		rs->sr_text = "b2b: the entry was changed at the same moment: try again";
	}
	if (rs->sr_type != REP_RESULT || rs->sr_err != LDAP_SUCCESS || op->o_noop ||
	    !write->tenant->open)
		return SLAP_CB_CONTINUE;
	b2b_groups_wrote(op, write->tenant);
	if (write->reload)
		b2b_policy_load(write->tenant);
	else if (!BER_BVISNULL(&write->policy))
		b2b_policy_refresh(op, write->tenant, &write->policy);
	if (write->guests)
		b2b_session_guests_changed();
	if (!BER_BVISNULL(&write->guest))
		settle(op, write->tenant, &write->guest);
	if (!BER_BVISNULL(&write->name) && !be_shadow_update(op))
		b2b_assign_follow(op, write->tenant, &write->name);
	if (!BER_BVISNULL(&write->name))
		b2b_leave_note(op, write->tenant, &write->name);
	if (!BER_BVISNULL(&write->person))
		b2b_sponsor_gone(write->tenant, &write->person);
	if (write->wake)
		b2b_task_wake(write->tenant);
	return SLAP_CB_CONTINUE;
}

static struct write *follow_write(Operation *op, struct b2b_tenant *tenant)
{
	struct write *write = op->o_tmpcalloc(1, sizeof(*write), op->o_tmpmemctx);

	write->tenant = tenant;
	write->cb.sc_response = write_done;
	write->cb.sc_private = write;
	write->cb.sc_next = op->o_callback;
	op->o_callback = &write->cb;
	return write;
}

/* What was checked where it was first written, or is written by us, is not checked again. */
static bool is_trusted(Operation *op)
{
	return be_shadow_update(op) || b2b_inner_is(op);
}

static bool concerns_policy(struct b2b_tenant *tenant, const struct berval *ndn)
{
	return dnIsSuffix(ndn, &tenant->nbase) != 0;
}

/* Notes a policy entry that is to be read again. */
static void follow_policy(Operation *op, struct write *write)
{
	if (!b2b_policy_is_private(write->tenant, &op->o_req_ndn))
		ber_dupbv_x(&write->policy, &op->o_req_ndn, op->o_tmpmemctx);
}

/* A refusal tells what stands there: nobody hears it whom slapd would not let write. */
static int refuse_with(Operation *op, SlapReply *rs, int err, const char *text)
{
	if (!b2b_access_may_write(op, b2b_tenant_here(op)))
		return b2b_tenant_refuse(op, rs, LDAP_INSUFFICIENT_ACCESS, NULL);
	return b2b_tenant_refuse(op, rs, err, text);
}

static int refuse(Operation *op, SlapReply *rs, int err, const struct b2b_error *error)
{
	char text[sizeof(error->text) + 8];

	snprintf(text, sizeof(text), "b2b: %s", error->text);
	Debug(LDAP_DEBUG_STATS, "%s b2b: refused write to \"%s\": %s\n", op->o_log_prefix,
	      op->o_req_ndn.bv_val, error->text);
	return refuse_with(op, rs, err, text);
}

/* Guests and policy are written one by one: inside a transaction (RFC 5805) what a later step is
 * checked against could still be taken back. */
static bool in_transaction(Operation *op)
{
	return op->o_txnSpec != 0;
}

static int refuse_transaction(Operation *op, SlapReply *rs)
{
	return refuse_with(op, rs, LDAP_UNWILLING_TO_PERFORM,
			   "b2b: guests and policy cannot be written in a transaction");
}

static bool has_gate(Operation *op)
{
	return b2b_gate_stands() || be_isroot(op) || be_shadow_update(op);
}

static int refuse_gate(Operation *op, SlapReply *rs)
{
	return b2b_tenant_refuse(op, rs, LDAP_UNAVAILABLE, "b2b: the gate is missing");
}

static bool has_policy_class(Entry *e)
{
	return is_entry_objectclass(e, b2b_oc_tenant, 0) ||
	       is_entry_objectclass(e, b2b_oc_default, 0) ||
	       is_entry_objectclass(e, b2b_oc_partner, 0) ||
	       is_entry_objectclass(e, b2b_oc_app, 0) ||
	       is_entry_objectclass(e, b2b_oc_access, 0) ||
	       is_entry_objectclass(e, b2b_oc_review, 0);
}

static struct b2b_record_change record_change(Operation *op, struct b2b_tenant *tenant,
					      struct b2b_snapshot *snapshot)
{
	return (struct b2b_record_change){
		.policy = b2b_record_policy(snapshot),
		.now = slap_get_time(),
		.who = &op->o_dn,
		.relaxed = get_relax(op) && be_isroot(op), /* any client can ask for it */
		.signs = tenant->mint != NULL,
	};
}

static bool is_guest(Operation *op, struct b2b_tenant *tenant, struct berval *ndn)
{
	Entry *e;
	int rc = b2b_entry_read(op, tenant, ndn, &e);

	if (!e)
		return rc != LDAP_NO_SUCH_OBJECT; /* unreadable: judged as a guest */
	bool guest = b2b_map_is_guest(e);
	b2b_entry_release(op, tenant, e);
	return guest;
}

/* --- add --- */

static enum b2b_err check_entry(struct b2b_tenant *tenant, Entry *e, bool guest, bool policy,
				struct b2b_error *error)
{
	enum b2b_err err = B2B_OK;

	if (guest)
		err = b2b_record_check(e, error);
	if (err == B2B_OK && policy)
		err = b2b_policy_check(tenant, e, error);
	return err;
}

/* A guest's entry is a leaf: what stood below it could be found by programs that may not find the
 * guest.  Those hear from slapd that there is no such parent. */
static bool is_below_guest(Operation *op, struct b2b_tenant *tenant, Entry *e)
{
	struct berval dn, ndn, rdn;

	dnParent(&e->e_name, &dn);
	dnParent(&e->e_nname, &ndn);
	if (!is_guest(op, tenant, &ndn))
		return false;
	if (!b2b_access_divert(op, tenant, &dn, &ndn))
		return true;
	dnRdn(&e->e_name, &rdn);
	build_new_dn(&op->o_req_dn, &dn, &rdn, op->o_tmpmemctx);
	dnRdn(&e->e_nname, &rdn);
	build_new_dn(&op->o_req_ndn, &ndn, &rdn, op->o_tmpmemctx);
	ber_bvreplace(&e->e_name, &op->o_req_dn);
	ber_bvreplace(&e->e_nname, &op->o_req_ndn);
	return false;
}

static int refuse_below_guest(Operation *op, SlapReply *rs)
{
	return refuse_with(op, rs, LDAP_CONSTRAINT_VIOLATION,
			   "b2b: no entry may stand below a guest");
}

int b2b_keeper_add(Operation *op, SlapReply *rs)
{
	struct b2b_tenant *tenant = b2b_tenant_here(op);
	Entry *e = op->ora_e;
	struct b2b_error error = { "" };

	if (!tenant->open)
		return SLAP_CB_CONTINUE;
	if (!has_gate(op))
		return refuse_gate(op, rs);
	if (!is_trusted(op) && is_below_guest(op, tenant, e))
		return refuse_below_guest(op, rs);
	bool guest = b2b_map_is_guest(e);
	bool policy = concerns_policy(tenant, &e->e_nname) || has_policy_class(e);
	if (!guest && !policy && !b2b_life_concerns(tenant, e)) {
		follow_write(op, tenant);
		return SLAP_CB_CONTINUE;
	}
	if (in_transaction(op))
		return refuse_transaction(op, rs);
	/* without its tenant slapd itself refuses the guest (objectClassViolation) */
	bool complete = guest && attr_find(e->e_attrs, b2b_ad[B2B_ATTR_HOME_TENANT]);
	bool wake = false;

	if (!is_trusted(op)) {
		if (guest && b2b_record_check_name(&e->e_name, &error) != B2B_OK)
			return refuse(op, rs, LDAP_CONSTRAINT_VIOLATION, &error);
		if (check_entry(tenant, e, complete, policy, &error) != B2B_OK)
			return refuse(op, rs, LDAP_CONSTRAINT_VIOLATION, &error);
		if (complete) {
			struct b2b_snapshot *snapshot = b2b_tenant_snapshot(tenant);
			struct b2b_record_change change = record_change(op, tenant, snapshot);

			wake = b2b_record_complete(&change, e);
			b2b_snapshot_unref(&snapshot);
		}
		int rc = b2b_life_judge(op, tenant, NULL, e, NULL, &error);
		if (rc != LDAP_SUCCESS)
			return refuse(op, rs, rc, &error);
	}
	struct write *write = follow_write(op, tenant);
	write->guests = guest;
	write->wake = wake || b2b_life_hurries(e);
	if (policy)
		follow_policy(op, write);
	return SLAP_CB_CONTINUE;
}

/* --- modify --- */

/* Whether a change could make a guest of another entry. */
static bool changes_class(const Modifications *m)
{
	for (; m; m = m->sml_next) {
		if (m->sml_desc == slap_schema.si_ad_objectClass)
			return true;
	}
	return false;
}

static bool has_children(Operation *op, struct b2b_tenant *tenant)
{
	BackendDB *saved = op->o_bd;
	int has = LDAP_COMPARE_FALSE;
	Entry *e = b2b_entry_get(op, tenant, &op->o_req_ndn);

	if (!e)
		return false;
	op->o_bd = tenant->be;
	if (op->o_bd->be_has_subordinates)
		op->o_bd->be_has_subordinates(op, e, &has);
	op->o_bd = saved;
	b2b_entry_release(op, tenant, e);
	return has == LDAP_COMPARE_TRUE;
}

/* What follows for a guest from a change that may be made; true: there is an invitation to mail. */
static bool follow_record(Operation *op, struct b2b_tenant *tenant, Entry *before, Entry *after)
{
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(tenant);
	struct b2b_record_change change = record_change(op, tenant, snapshot);
	bool mails = b2b_record_follow(&change, before, after, &op->orm_modlist);

	b2b_snapshot_unref(&snapshot);
	return mails;
}

/* Judges a client's change and appends what follows from it; error says why it is refused. */
static int judge_images(Operation *op, struct b2b_tenant *tenant, Entry *before, Entry *after,
			bool *wake_r, struct b2b_error *error)
{
	bool policy = concerns_policy(tenant, &op->o_req_ndn) || has_policy_class(after);
	bool guest = b2b_map_is_guest(after);
	bool complete = guest && attr_find(after->e_attrs, b2b_ad[B2B_ATTR_HOME_TENANT]);
	int rc;

	if (check_entry(tenant, after, complete, policy, error) != B2B_OK)
		return LDAP_CONSTRAINT_VIOLATION;
	if (guest && !b2b_map_is_guest(before) && has_children(op, tenant)) {
		b2b_error_set(error, "objectClass: an entry with others below it cannot become a "
				     "guest");
		return LDAP_CONSTRAINT_VIOLATION;
	}
	rc = b2b_life_judge(op, tenant, before, after, &op->orm_modlist, error);
	if (rc != LDAP_SUCCESS)
		return rc;
	*wake_r = b2b_life_hurries(after);
	if (complete)
		*wake_r |= follow_record(op, tenant, before, after);
	if (!guest && b2b_map_is_guest(before))
		b2b_record_forget(after, &op->orm_modlist);
	return LDAP_SUCCESS;
}

static int judge_modify(Operation *op, struct b2b_tenant *tenant, bool *wake_r,
			struct b2b_error *error)
{
	Entry *before, *after;
	int rc;

	if (!b2b_image_get(op, tenant, &before, &after, error))
		return error->text[0] ? LDAP_CONSTRAINT_VIOLATION : LDAP_SUCCESS;
	rc = judge_images(op, tenant, before, after, wake_r, error);
	entry_free(before);
	entry_free(after);
	return rc;
}

int b2b_keeper_modify(Operation *op, SlapReply *rs)
{
	struct b2b_tenant *tenant = b2b_tenant_here(op);
	struct b2b_error error = { "" };
	bool wake = false;

	if (!tenant->open)
		return SLAP_CB_CONTINUE;
	if (!has_gate(op))
		return refuse_gate(op, rs);
	struct write *write = follow_write(op, tenant);
	if (b2b_sponsor_may_lock(op->orm_modlist))
		ber_dupbv_x(&write->person, &op->o_req_ndn, op->o_tmpmemctx);
	bool policy = concerns_policy(tenant, &op->o_req_ndn);
	if (!policy && !changes_class(op->orm_modlist) &&
	    !b2b_life_concerns_name(op, tenant, &op->o_req_ndn))
		return SLAP_CB_CONTINUE;
	bool trusted = is_trusted(op);
	/* by the password modify operation, which names it late, or in a transaction */
	if (!trusted && b2b_access_divert(op, tenant, &op->o_req_dn, &op->o_req_ndn))
		return SLAP_CB_CONTINUE;
	if (in_transaction(op))
		return refuse_transaction(op, rs);
	int rc = trusted ? LDAP_SUCCESS : judge_modify(op, tenant, &wake, &error);
	if (rc != LDAP_SUCCESS)
		return refuse(op, rs, rc, &error);
	write->guests = true;
	write->wake = wake;
	if (policy)
		follow_policy(op, write);
	if (!trusted)
		ber_dupbv_x(&write->guest, &op->o_req_ndn, op->o_tmpmemctx);
	return SLAP_CB_CONTINUE;
}

/* --- modrdn, delete --- */

/* What a client may not rename; LDAP_SUCCESS: it may. */
static int judge_rename(Operation *op, SlapReply *rs, struct b2b_tenant *tenant, bool policy)
{
	struct b2b_error error = { "" };
	bool guest = is_guest(op, tenant, &op->o_req_ndn);

	if (op->orr_nnewSup && is_guest(op, tenant, op->orr_nnewSup) &&
	    !b2b_access_divert(op, tenant, op->orr_newSup, op->orr_nnewSup))
		return refuse_below_guest(op, rs);
	if (policy)
		return b2b_tenant_refuse(op, rs, LDAP_UNWILLING_TO_PERFORM,
					 "b2b: policy entries are not renamed: add the new one, "
					 "delete the old one");
	if (in_transaction(op) && (guest || has_children(op, tenant)))
		return refuse_transaction(op, rs);
	if (guest && b2b_record_check_name(&op->orr_newrdn, &error) != B2B_OK)
		return refuse(op, rs, LDAP_CONSTRAINT_VIOLATION, &error);
	return LDAP_SUCCESS;
}

int b2b_keeper_modrdn(Operation *op, SlapReply *rs)
{
	struct b2b_tenant *tenant = b2b_tenant_here(op);

	if (!tenant->open)
		return SLAP_CB_CONTINUE;
	if (!has_gate(op))
		return refuse_gate(op, rs);
	if (in_transaction(op) && b2b_access_divert(op, tenant, &op->o_req_dn, &op->o_req_ndn))
		return SLAP_CB_CONTINUE;
	bool from = concerns_policy(tenant, &op->o_req_ndn) ||
		    dnIsSuffix(&tenant->nbase, &op->o_req_ndn);
	bool into = op->orr_nnewSup && concerns_policy(tenant, op->orr_nnewSup);
	if (!is_trusted(op)) {
		int rc = judge_rename(op, rs, tenant, from || into);

		if (rc != LDAP_SUCCESS)
			return rc;
	}
	/* guests below a renamed entry get other names too */
	struct write *write = follow_write(op, tenant);
	if (is_guest(op, tenant, &op->o_req_ndn))
		ber_dupbv_x(&write->name, &op->o_req_ndn, op->o_tmpmemctx);
	write->guests = true;
	write->reload = from || into;
	return SLAP_CB_CONTINUE;
}

/* What a client may not delete; LDAP_SUCCESS: it may. */
static int judge_delete(Operation *op, SlapReply *rs, struct b2b_tenant *tenant)
{
	struct b2b_error error = { "" };
	Entry *e = b2b_entry_get(op, tenant, &op->o_req_ndn), *before;
	int rc;

	if (!e)
		return LDAP_SUCCESS; /* slapd says so */
	before = entry_dup(e);
	b2b_entry_release(op, tenant, e);
	rc = b2b_life_judge(op, tenant, before, NULL, NULL, &error);
	entry_free(before);
	return rc == LDAP_SUCCESS ? rc : refuse(op, rs, rc, &error);
}

int b2b_keeper_delete(Operation *op, SlapReply *rs)
{
	struct b2b_tenant *tenant = b2b_tenant_here(op);
	int rc;

	if (!tenant->open)
		return SLAP_CB_CONTINUE;
	if (!has_gate(op))
		return refuse_gate(op, rs);
	if (in_transaction(op) && b2b_access_divert(op, tenant, &op->o_req_dn, &op->o_req_ndn))
		return SLAP_CB_CONTINUE;
	bool policy = concerns_policy(tenant, &op->o_req_ndn);
	bool guest = !policy && is_guest(op, tenant, &op->o_req_ndn);
	if ((policy || guest) && in_transaction(op))
		return refuse_transaction(op, rs);
	if (policy && !is_trusted(op) && (rc = judge_delete(op, rs, tenant)) != LDAP_SUCCESS)
		return rc;
	if (policy && !is_trusted(op) && (rc = b2b_review_drop(op, tenant)) != LDAP_SUCCESS)
		return refuse_with(op, rs, rc, "b2b: the items of this review cannot be deleted");
	struct write *write = follow_write(op, tenant);
	if (guest)
		ber_dupbv_x(&write->name, &op->o_req_ndn, op->o_tmpmemctx);
	write->guests = guest || (policy && !b2b_policy_is_private(tenant, &op->o_req_ndn));
	if (policy)
		follow_policy(op, write);
	else
		ber_dupbv_x(&write->person, &op->o_req_ndn, op->o_tmpmemctx);
	return SLAP_CB_CONTINUE;
}

/* --- the server's own writes --- */

int b2b_keeper_write(Operation *op, struct b2b_tenant *tenant, struct b2b_record_read *read,
		     Modifications *mods)
{
	struct b2b_name name = { read->dn, read->ndn };

	return b2b_inner_modify(op, tenant, &name, read->csn, mods, false);
}
