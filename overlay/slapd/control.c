/*
 * control.c - the control with which a partner's server says for whom it asks about a password.
 * In: simple binds that bring it.  Out: the bind goes on where the Out settings let the member be a
 * guest there; else under a name where nothing stands, so that slapd answers as for anybody unknown
 * and nobody looks at the password.
 */
#include "life.h"

#include <openssl/rand.h>

#define VALUE_MAX 4096

struct asking {
	struct b2b_str tenant_id, app_id; /* app_id empty: "directory" */
};

static int control_id; /* slapd's number of the control */

/* A text that is there and not empty, in op's memory; *seen counts it. */
static bool read_text(Operation *op, const json_t *value, struct b2b_str *text_r, size_t *seen)
{
	const json_t *text = json_object_get(value, text_r->s);

	*text_r = (struct b2b_str){ NULL, 0 };
	if (!text)
		return true;
	if (!json_is_string(text) || !json_string_length(text))
		return false;
	*text_r = b2b_map_copy_str(
		op, (struct b2b_str){ json_string_value(text), json_string_length(text) });
	(*seen)++;
	return true;
}

static bool read_value(Operation *op, const struct berval *value, struct asking *asking_r)
{
	json_t *in;
	size_t seen = 0;
	bool right;

	if (BER_BVISNULL(value) || value->bv_len > VALUE_MAX)
		return false;
	in = json_loadb(value->bv_val, value->bv_len, JSON_REJECT_DUPLICATES, NULL);
	asking_r->tenant_id = b2b_str_of("tenant");
	asking_r->app_id = b2b_str_of("application");
	right = json_is_object(in) && read_text(op, in, &asking_r->tenant_id, &seen) &&
		read_text(op, in, &asking_r->app_id, &seen) && asking_r->tenant_id.len &&
		json_object_size(in) == seen;
	json_decref(in);
	return right;
}

static int parse(Operation *op, SlapReply *rs, LDAPControl *control)
{
	struct asking *asking;

	if (op->o_ctrlflag[control_id] != SLAP_CONTROL_NONE) {
		rs->sr_text = "b2b: control specified multiple times";
		return LDAP_PROTOCOL_ERROR;
	}
	/* nobody would ask policy */
	if (!b2b_gate_stands()) {
		if (!control->ldctl_iscritical)
			return LDAP_SUCCESS;
		rs->sr_text = "b2b: the gate is missing";
		return LDAP_UNAVAILABLE;
	}
	asking = op->o_tmpcalloc(1, sizeof(*asking), op->o_tmpmemctx);
	if (!read_value(op, &control->ldctl_value, asking)) {
		rs->sr_text = "b2b: the control's value is not right";
		return LDAP_PROTOCOL_ERROR;
	}
	op->o_controls[control_id] = asking;
	op->o_ctrlflag[control_id] =
		control->ldctl_iscritical ? SLAP_CONTROL_CRITICAL : SLAP_CONTROL_NONCRITICAL;
	return LDAP_SUCCESS;
}

bool b2b_control_is_here(Operation *op)
{
	return op->o_ctrlflag[control_id] > SLAP_CONTROL_IGNORED;
}

/* Whether somebody who is asked for may be a guest there. */
static struct b2b_verdict judge(Operation *op, const struct asking *asking)
{
	struct b2b_tenant *tenant = b2b_tenant_of(&op->o_req_ndn);
	struct b2b_verdict verdict = { .effect = B2B_DENY, .reason = B2B_REASON_POLICY_INVALID };
	Entry *e, *copy;

	if (!tenant)
		return verdict;
	verdict.reason = B2B_REASON_OUTBOUND_USERS;
	e = b2b_entry_get(op, tenant, &op->o_req_ndn);
	if (!e)
		return verdict;
	/* groups are read meanwhile */
	copy = entry_dup(e);
	b2b_entry_release(op, tenant, e);
	verdict =
		b2b_out_judge(op, tenant, copy, asking->tenant_id, asking->app_id, B2B_COLLAB_OUT);
	entry_free(copy);
	return verdict;
}

/* The bind goes on under a name that nobody can have given to an entry: below its own, in the same
 * database.  slapd frees both names with the operation. */
static bool divert(Operation *op)
{
	unsigned char bytes[16];
	char text[3 + 2 * sizeof(bytes) + 1] = "cn=";
	struct berval rdn = { sizeof(text) - 1, text }, dn, ndn;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(text + 3 + 2 * i, 3, "%02x", bytes[i]);
	build_new_dn(&dn, &op->o_req_dn, &rdn, op->o_tmpmemctx);
	build_new_dn(&ndn, &op->o_req_ndn, &rdn, op->o_tmpmemctx);
	op->o_tmpfree(op->o_req_dn.bv_val, op->o_tmpmemctx);
	op->o_tmpfree(op->o_req_ndn.bv_val, op->o_tmpmemctx);
	op->o_req_dn = dn;
	op->o_req_ndn = ndn;
	return true;
}

static int refuse(Operation *op, SlapReply *rs)
{
	slap_overinst *on = (slap_overinst *)op->o_bd->bd_info;

	b2b_oauth_cancel(op);
	op->o_bd->bd_info = (BackendInfo *)on->on_info;
	send_ldap_error(op, rs, LDAP_INVALID_CREDENTIALS, NULL);
	op->o_bd->bd_info = (BackendInfo *)on;
	return rs->sr_err;
}

int b2b_control_bind(Operation *op, SlapReply *rs)
{
	const struct asking *asking = op->o_controls[control_id];
	struct b2b_verdict verdict = { .effect = B2B_DENY, .reason = B2B_REASON_POLICY_INVALID };
	bool simple = op->orb_method == LDAP_AUTH_SIMPLE;

	/* who has no name is nobody's member, and slapd's to answer */
	if (simple && BER_BVISEMPTY(&op->o_req_ndn))
		return SLAP_CB_CONTINUE;
	if (simple)
		verdict = judge(op, asking);
	if (verdict.effect == B2B_ALLOW)
		return SLAP_CB_CONTINUE;
	b2b_map_log_out(op, &op->o_req_ndn, asking->tenant_id, asking->app_id, &verdict);
	/* a SASL mechanism tells only at its end whose password it was */
	return simple && divert(op) ? SLAP_CB_CONTINUE : refuse(op, rs);
}

struct b2b_str b2b_control_value(Operation *op, const struct b2b_snapshot *snapshot,
				 const struct b2b_rule *app)
{
	const struct b2b_rule *tenant = b2b_snapshot_tenant(snapshot);
	struct b2b_str value = { NULL, 0 };
	json_t *out;
	char *text;

	if (!tenant || tenant->invalid || !tenant->u.tenant.tenant_id)
		return value;
	out = json_pack("{s:s, s:s*}", "tenant", tenant->u.tenant.tenant_id, "application",
			app ? app->u.app.id : NULL);
	text = out ? json_dumps(out, JSON_COMPACT) : NULL;
	if (text)
		value = b2b_map_copy_str(op, b2b_str_of(text));
	free(text);
	json_decref(out);
	return value;
}

int b2b_control_register(void)
{
	return register_supported_control(B2B_HOME_CONTROL, SLAP_CTRL_GLOBAL | SLAP_CTRL_BIND, NULL,
					  parse, &control_id);
}
