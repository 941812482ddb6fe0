/*
 * passage.c - what is known of the operation under way: whose it is, and for a guest the verdict.
 * In: an operation as it passes the gate, or runs where no gate stands (syncprov's persist phase,
 * other overlays).  Out: struct b2b_passage for gate.c and access.c.
 */
#include "life.h"

static const char passage_key = 0;

/* Whether the guest is assigned to the application, by name or by group. */
static bool is_assigned(Operation *op, struct b2b_tenant *tenant, const struct b2b_rule *app,
			const char *guest_dn)
{
	struct berval ndn;

	if (!app || !app->u.app.assignment_required)
		return false;
	ber_str2bv(guest_dn, 0, 0, &ndn);
	return b2b_groups_have(op, tenant, app->u.app.assignees, app->u.app.assignee_count, &ndn);
}

static struct b2b_verdict denial(enum b2b_reason reason, const char *rule)
{
	return (struct b2b_verdict){ .effect = B2B_DENY, .reason = reason, .rule = rule };
}

struct b2b_verdict b2b_passage_decide(Operation *op, struct b2b_tenant *tenant,
				      const struct b2b_snapshot *snapshot,
				      const struct b2b_guest *guest, const struct b2b_rule *app,
				      struct b2b_context *context)
{
	struct b2b_verdict verdict;
	const char *rule;

	context->assigned = is_assigned(op, tenant, app, guest->dn);
	verdict = b2b_decide(snapshot, guest, app, context);
	if (verdict.effect == B2B_ALLOW && context->scope == B2B_DIRECT_IN &&
	    !b2b_direct_may_leave(op, tenant, snapshot, guest, app, &rule))
		return denial(B2B_REASON_DIRECT_CONNECT, rule);
	return verdict;
}

struct b2b_context b2b_passage_context(Operation *op, const struct b2b_proof *proof)
{
	struct b2b_context context = b2b_map_context(op, B2B_STAGE_SIGNED_IN);

	if (!proof)
		return context;
	if (proof->direct)
		context.scope = B2B_DIRECT_IN;
	context.sign_in = proof->sign_in;
	context.home_groups = proof->groups;
	context.home_group_count = proof->group_count;
	context.home_groups_known = proof->groups_known;
	return context;
}

/* The application that the token was for, else what the connection tells; who has no entry is let in
 * to what its token names, and to nothing else. */
static const struct b2b_rule *find_app(Operation *op, const struct b2b_session *session,
				       const struct b2b_snapshot *snapshot,
				       const struct b2b_proof *proof, bool *lost_r)
{
	struct b2b_door door = b2b_map_door(op, &session->service_ndn);
	const struct b2b_rule *app;

	*lost_r = false;
	if (proof && proof->direct && BER_BVISNULL(&proof->app_dn))
		return NULL;
	if (!proof || BER_BVISNULL(&proof->app_dn))
		return b2b_snapshot_app(snapshot, &door);
	app = b2b_snapshot_rule(snapshot, proof->app_dn.bv_val);
	*lost_r = !app || app->kind != B2B_RULE_APP;
	return *lost_r ? NULL : app;
}

/* Whether the partner still takes this kind of proof. */
static bool takes_proof(const struct b2b_snapshot *snapshot, const struct b2b_guest *guest,
			const struct b2b_proof *proof)
{
	const struct b2b_rule *partner = b2b_snapshot_partner(snapshot, guest->home_tenant);

	if (!partner || partner->invalid)
		return true; /* the decision denies by itself */
	if (proof->kind == B2B_IDP_PASSCODE && !b2b_invite_by_passcode(partner, guest->pinned))
		return false;
	return (partner->u.partner.idp_mask & (unsigned)proof->kind) &&
	       (guest->pinned == B2B_IDP_NONE || guest->pinned == proof->kind);
}

void b2b_passage_suppose(Operation *op, const struct b2b_snapshot *snapshot,
			 const struct b2b_rule *app, struct b2b_context *context,
			 struct b2b_passage *passage)
{
	passage->extra.oe_key = (void *)&passage_key;
	passage->who = B2B_WHO_GUEST;
	passage->app_id = b2b_map_app_id(app);
	passage->app_dn = app ? b2b_map_copy(op, app->dn) : NULL;
	passage->published = atomic_load(&passage->tenant->published);
	passage->guests = b2b_session_epoch();
	if (passage->verdict.effect == B2B_ALLOW)
		b2b_view_prepare(op, passage, snapshot, app, context);
}

/* How much one without an entry sees: what is its application's, up to that one's label (the lowest,
 * where it names none), as long as its token lives. */
static void narrow(Operation *op, struct b2b_passage *passage, const struct b2b_rule *app,
		   const struct b2b_proof *proof)
{
	time_t end = proof->stranger.expires + B2B_TOKEN_LEEWAY_SECS;

	if (app && app->u.app.max_label)
		passage->guest.clearance = b2b_str_of(b2b_map_copy(op, app->u.app.max_label));
	if (!passage->verdict.until || passage->verdict.until > end)
		passage->verdict.until = end;
}

/* Judges by the policy of this moment; proof is NULL for one who acts as the guest. */
static void judge_policy(Operation *op, const struct b2b_session *session,
			 const struct b2b_proof *proof, struct b2b_passage *passage)
{
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(passage->tenant);
	struct b2b_context context = b2b_passage_context(op, proof);
	bool lost;
	const struct b2b_rule *app = find_app(op, session, snapshot, proof, &lost);

	passage->app_id = b2b_map_copy(op, b2b_map_app_id(app));
	passage->app_dn = app ? b2b_map_copy(op, app->dn) : NULL;
	if (proof && lost)
		passage->verdict = denial(B2B_REASON_POLICY_INVALID, proof->app_dn.bv_val);
	else if (proof && !takes_proof(snapshot, &passage->guest, proof))
		passage->verdict = denial(B2B_REASON_SIGN_IN_TOO_OLD, passage->guest.dn);
	else
		passage->verdict = b2b_passage_decide(op, passage->tenant, snapshot,
						      &passage->guest, app, &context);
	if (passage->verdict.rule)
		passage->verdict.rule = b2b_map_copy(op, passage->verdict.rule);
	if (passage->direct && proof)
		narrow(op, passage, app, proof);
	if (passage->verdict.effect == B2B_ALLOW)
		b2b_view_prepare(op, passage, snapshot, app, &context);
	b2b_snapshot_unref(&snapshot);
}

static void judge_guest(Operation *op, const struct b2b_session *session,
			struct b2b_passage *passage)
{
	struct b2b_tenant *tenant = b2b_tenant_of(&op->o_ndn);
	struct b2b_proof proof;

	passage->guest.dn = op->o_ndn.bv_val;
	passage->app_id = b2b_map_app_id(NULL);
	passage->verdict = denial(B2B_REASON_DISABLED, NULL);
	passage->tenant = tenant;
	passage->guests = b2b_session_epoch();
	if (tenant)
		passage->published = atomic_load(&tenant->published);
	if (b2b_direct_tenant(&op->o_ndn)) {
		if (b2b_direct_recognise(op, passage, &proof))
			judge_policy(op, session, &proof, passage);
		return;
	}
	Entry *e = tenant ? b2b_entry_get(op, tenant, &op->o_ndn) : NULL;
	if (!e)
		return; /* it was deleted, or its tenant was */
	bool still_guest = b2b_map_is_guest(e);
	bool has_totp = attr_find(e->e_attrs, b2b_ad[B2B_ATTR_TOTP_SECRET]) != NULL;
	struct berval person = b2b_map_person(op, e);
	if (still_guest)
		b2b_map_guest(op, e, &passage->guest);
	b2b_entry_release(op, tenant, e);
	if (!still_guest)
		return;
	bool own_name = b2b_map_is_own_name(op);
	bool proved = own_name && b2b_session_proof(op, &person, &proof);

	/* a device whose secret was taken away vouches for nobody any more */
	if (proved && !has_totp)
		proof.sign_in.own_mfa = false;
	judge_policy(op, session, proved ? &proof : NULL, passage);
	/* bound under this name, yet not by a proof from home (a password of ours, a SASL mapping), or
	 * by one that was about another: the entry was made anew or handed to somebody else */
	if (own_name && !proved)
		passage->verdict = denial(session->proven ? B2B_REASON_SIGN_IN_TOO_OLD
							  : B2B_REASON_POLICY_INVALID,
					  passage->guest.dn);
}

void b2b_passage_judge(Operation *op, struct b2b_passage *passage_r)
{
	struct b2b_session session;

	memset(passage_r, 0, sizeof(*passage_r));
	passage_r->extra.oe_key = (void *)&passage_key;
	passage_r->ndn = op->o_ndn;
	passage_r->who = B2B_WHO_OTHER;
	if (BER_BVISEMPTY(&op->o_ndn))
		return;
	b2b_session_find(op, &session);
	passage_r->who = session.who;
	if (session.who == B2B_WHO_GUEST)
		judge_guest(op, &session, passage_r);
	else
		passage_r->service = session.service;
}

static void renew(Operation *op, struct b2b_passage *passage)
{
	OpExtra extra = passage->extra;
	struct berval ndn = passage->ndn;
	bool narrowed = passage->narrowed;

	b2b_passage_judge(op, passage);
	passage->extra = extra;
	passage->ndn = ndn;
	passage->narrowed = narrowed;
	/* who is a guest no more may do what members may from its next operation on */
	if (passage->who != B2B_WHO_GUEST)
		passage->verdict = denial(B2B_REASON_DISABLED, NULL);
	passage->who = B2B_WHO_GUEST;
}

/* Whether the record, read anew, lets the guest go on.  Takes no memory of op's, which grows until
 * the search ends. */
static bool may_go_on(Operation *op, const struct b2b_passage *passage)
{
	struct b2b_snapshot *snapshot;
	struct b2b_source source;
	struct berval ndn = passage->ndn;
	struct b2b_guest guest;
	Entry *e = b2b_entry_get(op, passage->tenant, &ndn);

	if (!e)
		return false;
	snapshot = b2b_tenant_snapshot(passage->tenant);
	source = b2b_map_source(e);
	bool may = b2b_map_is_guest(e) && b2b_guest_parse(&source, &guest, NULL) == B2B_OK &&
		   b2b_decide_record(&guest, b2b_record_policy(snapshot), slap_get_time()) ==
			   B2B_REASON_NONE;
	b2b_snapshot_unref(&snapshot);
	b2b_entry_release(op, passage->tenant, e);
	return may;
}

void b2b_passage_keep_up(Operation *op, struct b2b_passage *passage)
{
	uint64_t guests = b2b_session_epoch();
	time_t until = passage->verdict.until;

	if (passage->verdict.effect != B2B_ALLOW)
		return;
	if (atomic_load(&passage->tenant->published) != passage->published) {
		renew(op, passage);
		return;
	}
	if (until && slap_get_time() >= until) {
		passage->verdict = denial(B2B_REASON_EXPIRED, NULL);
	} else if (!passage->direct && passage->guests != guests) {
		passage->guests = guests;
		if (!may_go_on(op, passage))
			passage->verdict = denial(B2B_REASON_DISABLED, NULL);
	}
}

struct b2b_passage *b2b_passage_enter(Operation *op)
{
	struct b2b_passage *passage = op->o_tmpalloc(sizeof(*passage), op->o_tmpmemctx);

	b2b_passage_judge(op, passage);
	/* back-mdb never frees an added entry while it finds a stranger's mark on the operation
	 * (measured); the few access checks of an add judge for themselves */
	if (op->o_tag != LDAP_REQ_ADD)
		LDAP_SLIST_INSERT_HEAD(&op->o_extra, &passage->extra, oe_next);
	return passage;
}

/* At each check of access, and mostly one and the same string. */
static bool is_same(const struct berval *a, const struct berval *b)
{
	return a->bv_len == b->bv_len &&
	       (a->bv_val == b->bv_val || !memcmp(a->bv_val, b->bv_val, a->bv_len));
}

struct b2b_passage *b2b_passage_find(Operation *op)
{
	OpExtra *extra;

	LDAP_SLIST_FOREACH(extra, &op->o_extra, oe_next)
	{
		struct b2b_passage *passage = (struct b2b_passage *)extra;

		if (extra->oe_key == &passage_key && is_same(&passage->ndn, &op->o_ndn))
			return passage;
	}
	return NULL;
}
