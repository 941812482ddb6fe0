/*
 * bind.c - a guest's simple bind: its password is shown to its home server, and nowhere else.
 * In: simple binds in a tenant's database, after slapd's own restrictions.  Out: success that the
 * frontend answers, or invalidCredentials without a word; unavailable where home is down; the
 * reason is in the log, and in the answer only once the proof was right.
 */
#include "glue.h"

/* What a bind needs while it waits; all in op's memory or references of its own. */
struct guest_bind {
	struct b2b_tenant *tenant; /* reference */
	struct b2b_snapshot *snapshot;
	struct b2b_guest guest;
	struct b2b_door door;
	const struct b2b_rule *app, *partner;
	char *home_name;     /* from b2b_pattern_expand or NULL */
	struct berval proof; /* what the guest proves (b2b_map_proof) */
};

static int fail(Operation *op, SlapReply *rs, int err)
{
	send_ldap_error(op, rs, err, NULL);
	return err;
}

static int deny(Operation *op, SlapReply *rs, const struct guest_bind *bind,
		struct b2b_verdict verdict)
{
	b2b_map_log_denial(op, &bind->guest, b2b_map_app_id(bind->app), &verdict);
	return fail(op, rs, LDAP_INVALID_CREDENTIALS);
}

static struct b2b_verdict denial(enum b2b_reason reason, const char *rule)
{
	return (struct b2b_verdict){ .effect = B2B_DENY, .reason = reason, .rule = rule };
}

/* --- what policy says by itself --- */

static struct b2b_verdict decide(Operation *op, struct guest_bind *bind)
{
	return b2b_passage_decide(op, bind->tenant, bind->snapshot, &bind->guest, bind->app);
}

/* Whether this guest may prove itself by the password of its home directory. */
static struct b2b_verdict decide_proof(Operation *op, const struct guest_bind *bind)
{
	const struct b2b_rule *tenant = b2b_snapshot_tenant(bind->snapshot);
	const struct b2b_partner *partner = &bind->partner->u.partner;

	if (!tenant || (tenant->u.tenant.require_tls && !b2b_map_is_protected(op)))
		return denial(B2B_REASON_TLS_REQUIRED, tenant ? tenant->dn : NULL);
	if (!(partner->idp_mask & B2B_IDP_LDAP))
		return denial(B2B_REASON_POLICY_INVALID, bind->partner->dn);
	if (bind->guest.pinned != B2B_IDP_NONE && bind->guest.pinned != B2B_IDP_LDAP)
		return denial(B2B_REASON_POLICY_INVALID, bind->guest.dn);
	return (struct b2b_verdict){ .effect = B2B_ALLOW, .reason = B2B_REASON_NONE };
}

/* --- the name at home --- */

static bool look_up(const void *ctx, const char *attribute, struct b2b_str *value_r)
{
	const Entry *e = ctx;
	AttributeDescription *ad = NULL;
	const char *why;
	Attribute *a;

	if (slap_str2ad(attribute, &ad, &why) != LDAP_SUCCESS)
		return false;
	a = attr_find(e->e_attrs, ad);
	if (!a || a->a_numvals != 1)
		return false;
	*value_r = b2b_map_str(&a->a_vals[0]);
	return true;
}

static bool is_dn(struct b2b_str value)
{
	struct berval bv = { value.len, (char *)value.s };

	return value.len && !dnValidate(NULL, &bv);
}

/* The subject where it is a DN, else the partner's pattern. */
static bool find_home_name(struct guest_bind *bind, Entry *e)
{
	const char *pattern = bind->partner->u.partner.home_bind_dn;
	struct b2b_error error = { "" };

	if (is_dn(bind->guest.home_subject)) {
		bind->home_name = b2b_str_dup(bind->guest.home_subject);
	} else if (!pattern) {
		b2b_error_set(&error, "b2bHomeSubject is no DN and the partner has no "
				      "b2bHomeBindDn");
	} else if (b2b_pattern_expand(b2b_str_of(pattern), look_up, e, &bind->home_name, &error) !=
		   B2B_OK) {
		bind->home_name = NULL;
	}
	if (!bind->home_name)
		Debug(LDAP_DEBUG_ANY, "b2b: guest=\"%s\": no name at home: %s\n", e->e_nname.bv_val,
		      error.text);
	return bind->home_name != NULL;
}

/* --- home --- */

static enum b2b_home_answer ask_home(Operation *op, const struct guest_bind *bind)
{
	const struct b2b_partner *partner = &bind->partner->u.partner;
	struct b2b_error why = { "" };
	struct b2b_home_request request = {
		.partner = partner->tenant_id,
		.uris = (const char *const *)partner->home_uris,
		.uri_count = partner->home_uri_count,
		.start_tls = partner->home_start_tls,
		.ca_file = partner->home_ca_file,
		.name = bind->home_name,
		.password = b2b_map_str(&op->orb_cred),
	};
	enum b2b_home_answer answer = b2b_homes_prove(bind->tenant->homes, &request, &why);

	if (why.text[0])
		Debug(LDAP_DEBUG_ANY, "%s b2b: home of tenant=%s: %s\n", op->o_log_prefix,
		      partner->tenant_id, why.text);
	return answer;
}

/* The first proof redeems the invitation, where automatic redemption let the guest come so far. */
static void redeem(Operation *op, struct guest_bind *bind)
{
	Modifications *mods = NULL;
	struct b2b_record_read read;
	int rc;

	if (bind->guest.accepted || !b2b_tenant_is_writable(bind->tenant) ||
	    !b2b_record_read(op, bind->tenant, &op->o_req_ndn, &read))
		return;
	b2b_record_set(&mods, B2B_ATTR_USER_STATE, "Accepted");
	b2b_record_set_time(&mods, B2B_ATTR_USER_STATE_CHANGED, slap_get_time());
	rc = b2b_keeper_write(op, bind->tenant, &read, mods);
	/* not written is not lost: the next proof redeems */
	if (rc != LDAP_SUCCESS && rc != LDAP_ASSERTION_FAILED)
		Debug(LDAP_DEBUG_ANY,
		      "%s b2b: guest=\"%s\": redemption could not be written (%d)\n",
		      op->o_log_prefix, bind->guest.dn, rc);
}

/* --- the bind --- */

/* Whether this is the same person's entry as when home was asked. */
static bool is_same(Operation *op, struct guest_bind *bind, Entry *e)
{
	struct berval proof = b2b_map_proof(op, e);
	bool same = BER_BVISNULL(&bind->proof) || bvmatch(&bind->proof, &proof);

	bind->proof = proof;
	return same;
}

/* Reads guest, policy and circumstances of this moment.  False: it is no guest any more, or
 * another one. */
static bool prepare(Operation *op, struct guest_bind *bind)
{
	Entry *e = b2b_entry_get(op, bind->tenant, &op->o_req_ndn);

	if (!e)
		return false;
	bool guest = b2b_map_is_guest(e) && is_same(op, bind, e);
	if (guest) {
		b2b_snapshot_unref(&bind->snapshot);
		bind->snapshot = b2b_tenant_snapshot(bind->tenant);
		b2b_map_guest(op, e, &bind->guest);
		bind->app = b2b_snapshot_app(bind->snapshot, &bind->door);
		bind->partner = b2b_snapshot_partner(bind->snapshot, bind->guest.home_tenant);
		if (!bind->home_name && bind->partner && !bind->partner->invalid)
			find_home_name(bind, e);
	}
	b2b_entry_release(op, bind->tenant, e);
	return guest;
}

/* The proof was right: judge once more, for home was asked at leisure, and let the guest in. */
static int admit(Operation *op, SlapReply *rs, struct guest_bind *bind)
{
	struct b2b_verdict verdict;
	char text[64];

	if (!prepare(op, bind))
		return fail(op, rs, LDAP_INVALID_CREDENTIALS);
	verdict = decide(op, bind);
	if (verdict.effect != B2B_ALLOW) {
		b2b_map_log_denial(op, &bind->guest, b2b_map_app_id(bind->app), &verdict);
		snprintf(text, sizeof(text), "b2b: %s", b2b_reason_name(verdict.reason));
		send_ldap_error(op, rs, LDAP_UNWILLING_TO_PERFORM, text);
		return rs->sr_err;
	}
	redeem(op, bind);
	b2b_session_proved(op, &bind->proof);
	Debug(LDAP_DEBUG_STATS, "b2b: %s guest=\"%s\" tenant=%s app=%s verdict=allow\n",
	      op->o_log_prefix, bind->guest.dn, bind->partner->u.partner.tenant_id,
	      b2b_map_app_id(bind->app));
	rs->sr_err = LDAP_SUCCESS;
	return LDAP_SUCCESS; /* the frontend answers */
}

/* Which overlays stand on a database, as one number: theirs are the callbacks of an operation. */
static uint64_t overlays_on(const struct slap_overinfo *oi)
{
	uint64_t sum = 0;

	for (const slap_overinst *on = oi->oi_list; on; on = on->on_next)
		sum = sum * 0x100000001b3u + (uintptr_t)on;
	return sum;
}

/* What overlays of a database (and those that stand before it) have put into op's answer points to
 * memory of theirs, and slapd's own callback for them to oi: an overlay that was deleted meanwhile
 * must not be called any more. */
static void forget_overlays(Operation *op, const struct slap_overinfo *oi)
{
	for (slap_callback *cb = op->o_callback; cb; cb = cb->sc_next) {
		if (cb->sc_private == oi) {
			op->o_callback = cb->sc_next;
			return;
		}
	}
}

/* Asks home, which may take its time.  False: overlays came or went meanwhile, and what they left in
 * this operation was forgotten. */
static bool ask_home_safely(Operation *op, const struct guest_bind *bind,
			    const struct slap_overinfo *oi, enum b2b_home_answer *answer_r)
{
	const struct slap_overinfo *front = frontendDB->bd_info->bi_private;
	uint64_t on_database = overlays_on(oi), on_frontend = overlays_on(front);

	*answer_r = ask_home(op, bind);
	/* oi is there as long as this overlay is, front as long as it is the frontend's */
	bool same_database = bind->tenant->open && overlays_on(oi) == on_database;
	bool same_frontend = b2b_gate_stands() && frontendDB->bd_info->bi_private == front &&
			     overlays_on(front) == on_frontend;
	if (!same_database)
		forget_overlays(op, oi);
	if (!same_frontend)
		forget_overlays(op, front);
	return same_database && same_frontend;
}

static int bind_guest(Operation *op, SlapReply *rs, struct guest_bind *bind,
		      const struct slap_overinfo *oi)
{
	struct b2b_verdict verdict;

	if (!prepare(op, bind))
		return fail(op, rs, LDAP_INVALID_CREDENTIALS);
	verdict = decide(op, bind);
	if (verdict.effect == B2B_ALLOW)
		verdict = decide_proof(op, bind);
	if (verdict.effect == B2B_ALLOW && !bind->home_name)
		verdict = denial(B2B_REASON_POLICY_INVALID, bind->guest.dn);
	if (verdict.effect != B2B_ALLOW)
		return deny(op, rs, bind, verdict);

	enum b2b_home_answer answer;
	if (!ask_home_safely(op, bind, oi, &answer))
		return fail(op, rs, LDAP_UNAVAILABLE);
	switch (answer) {
	case B2B_HOME_PROVED:
		return admit(op, rs, bind);
	case B2B_HOME_REFUSED:
		return fail(op, rs, LDAP_INVALID_CREDENTIALS);
	case B2B_HOME_BUSY:
		return fail(op, rs, LDAP_BUSY);
	case B2B_HOME_UNAVAILABLE:
	default:
		return fail(op, rs, LDAP_UNAVAILABLE);
	}
}

int b2b_bind(Operation *op, SlapReply *rs)
{
	slap_overinst *on = (slap_overinst *)op->o_bd->bd_info;
	struct b2b_tenant *tenant = on->on_bi.bi_private;
	struct guest_bind bind = { .tenant = tenant };
	struct berval service;
	int rc;

	if (!tenant->open || be_isroot_dn(op->o_bd, &op->o_req_ndn))
		return SLAP_CB_CONTINUE;
	if (!b2b_gate_stands())
		return b2b_tenant_refuse(op, rs, LDAP_UNAVAILABLE, "b2b: the gate is missing");
	if (op->orb_method != LDAP_AUTH_SIMPLE || !b2b_session_is_guest(op, tenant, &op->o_req_ndn))
		return SLAP_CB_CONTINUE;
	atomic_fetch_add(&tenant->refs, 1);
	b2b_session_service(op, &service);
	bind.door = b2b_map_door(op, &service);
	op->o_bd->bd_info = (BackendInfo *)on->on_info;
	rc = bind_guest(op, rs, &bind, on->on_info);
	op->o_bd->bd_info = (BackendInfo *)on;
	free(bind.home_name);
	b2b_snapshot_unref(&bind.snapshot);
	b2b_tenant_release(&bind.tenant);
	return rc;
}
