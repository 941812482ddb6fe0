/*
 * direct.c - direct connect: those whom a token lets in though no entry of ours stands for them.
 * In: a token that is right and no guest's; a name below cn=direct,<tenant entry>.  Out: that name,
 * who stands behind it, whether its home lets it out.  Nothing is stored.
 */
#include "proof.h"

static const struct berval direct_rdn = BER_BVC("cn=direct");

/* --- names --- */

/* Whether a normalised DN is cn=direct below base, or stands below that. */
static bool is_below(const struct berval *ndn, const struct berval *base)
{
	ber_len_t tail = direct_rdn.bv_len + 1 + base->bv_len;

	if (ndn->bv_len < tail || !dnIsSuffix(ndn, base))
		return false;
	const char *at = ndn->bv_val + ndn->bv_len - tail;
	/* a comma that is part of a value is written as \2C */
	return !strncmp(at, direct_rdn.bv_val, direct_rdn.bv_len) &&
	       (at == ndn->bv_val || at[-1] == ',');
}

struct b2b_tenant *b2b_direct_tenant(const struct berval *ndn)
{
	for (struct b2b_tenant *t = b2b_tenants; t; t = t->next) {
		if (!BER_BVISEMPTY(ndn) && is_below(ndn, &t->nbase))
			return t;
	}
	return NULL;
}

static char *put_escaped(char *at, struct b2b_str value)
{
	for (size_t i = 0; i < value.len; i++)
		at += sprintf(at, "\\%02x", (unsigned char)value.s[i]);
	return at;
}

/* Whether the first part of a normalised name has these very values.  What slapd takes for the same
 * (blanks, composed letters) are other people at home, who must not share a name. */
static bool says(Operation *op, const struct berval *ndn, struct b2b_str tenant_id,
		 struct b2b_str subject)
{
	LDAPRDN rdn = NULL;
	unsigned right = 0;
	const char *end;

	if (ldap_bv2rdn_x((struct berval *)ndn, &rdn, (char **)&end, LDAP_DN_FORMAT_LDAP,
			  op->o_tmpmemctx))
		return false;
	for (int i = 0; rdn[i]; i++) {
		struct b2b_str value = b2b_map_str(&rdn[i]->la_value);

		if (!strcasecmp(rdn[i]->la_attr.bv_val, b2b_attr_name(B2B_ATTR_SUBJECT)))
			right += b2b_str_equal(value, subject);
		else
			right += b2b_str_equal_nocase(value, tenant_id);
	}
	ldap_rdnfree_x(rdn, op->o_tmpmemctx);
	return right == 2;
}

/* False: the subject cannot be a name. */
static bool make_name(Operation *op, const struct b2b_bearer *token, struct berval *dn_r,
		      struct berval *ndn_r)
{
	struct berval *base = &token->tenant->base, plain;
	size_t size = 3 * (token->subject.len + token->tenant_id.len) + base->bv_len + 64;
	char *at;

	/* every byte is escaped, and slapd's own rules (RFC 4514) make a name of it */
	plain.bv_val = op->o_tmpalloc(size, op->o_tmpmemctx);
	at = plain.bv_val + sprintf(plain.bv_val, "%s=", b2b_attr_name(B2B_ATTR_SUBJECT));
	at = put_escaped(at, token->subject);
	at += sprintf(at, "+%s=", b2b_attr_name(B2B_ATTR_TENANT_ID));
	at = put_escaped(at, token->tenant_id);
	at += sprintf(at, ",%s,%s", direct_rdn.bv_val, base->bv_val);
	plain.bv_len = (ber_len_t)(at - plain.bv_val);
	if (dnPrettyNormal(NULL, &plain, dn_r, ndn_r, op->o_tmpmemctx) == LDAP_SUCCESS) {
		if (says(op, ndn_r, token->tenant_id, token->subject) &&
		    !be_isroot_dn(token->tenant->be, ndn_r))
			return true;
		op->o_tmpfree(dn_r->bv_val, op->o_tmpmemctx);
		op->o_tmpfree(ndn_r->bv_val, op->o_tmpmemctx);
	}
	BER_BVZERO(dn_r);
	BER_BVZERO(ndn_r);
	Debug(LDAP_DEBUG_STATS, "b2b: %s token refused: its subject cannot be a name\n",
	      op->o_log_prefix);
	return false;
}

/* --- who --- */

static bool is_set(const struct b2b_settings *settings)
{
	const struct b2b_setting *setting = &settings->scope[B2B_DIRECT_IN];

	return setting->users.access != B2B_ACCESS_UNSET ||
	       setting->apps.access != B2B_ACCESS_UNSET;
}

/* Whether policy has a word on direct connect with this partner.  Where it has none a subject
 * without an entry is an account that is not known, and hears no more than that. */
static bool is_heard_of(const struct b2b_bearer *token)
{
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(token->tenant);
	const struct b2b_rule *partner = b2b_snapshot_partner(snapshot, token->tenant_id);
	const struct b2b_rule *defaults = b2b_snapshot_default(snapshot);
	bool heard = partner && !partner->invalid && is_set(&partner->u.partner.settings);

	heard = heard || (defaults && (defaults->invalid || is_set(&defaults->u.defaults)));
	b2b_snapshot_unref(&snapshot);
	return heard;
}

void b2b_direct_find(Operation *op, const struct b2b_bearer *token, struct berval *dn_r,
		     struct berval *ndn_r)
{
	if (b2b_bearer_find_guest(op, token, dn_r, ndn_r) != B2B_OWNER_NONE)
		return;
	if (is_heard_of(token))
		make_name(op, token, dn_r, ndn_r);
	else
		Debug(LDAP_DEBUG_STATS, "b2b: %s token of tenant=%s: no guest is this subject\n",
		      op->o_log_prefix, token->tenant_id.s);
}

/* A guest that nothing is known of but tenant and subject. */
static struct b2b_guest guest_of(const struct b2b_stranger *stranger, const char *ndn)
{
	return (struct b2b_guest){ .dn = ndn,
				   .home_tenant = stranger->tenant_id,
				   .home_subject = stranger->subject,
				   .well_formed = true };
}

/* The values of a name of the first part; the others are none of ours. */
static bool take_values(Operation *op, LDAPRDN rdn, struct b2b_stranger *stranger_r)
{
	unsigned count = 0;

	for (; rdn[count]; count++) {
		struct b2b_str value = b2b_map_copy_str(op, b2b_map_str(&rdn[count]->la_value));

		if (!strcasecmp(rdn[count]->la_attr.bv_val, b2b_attr_name(B2B_ATTR_SUBJECT)))
			stranger_r->subject = value;
		else if (!strcasecmp(rdn[count]->la_attr.bv_val, b2b_attr_name(B2B_ATTR_TENANT_ID)))
			stranger_r->tenant_id = value;
	}
	return count == 2 && stranger_r->subject.len && stranger_r->tenant_id.len;
}

bool b2b_direct_read(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn,
		     struct b2b_guest *guest_r)
{
	struct b2b_stranger stranger = { .expires = 0 };
	struct berval above, higher;
	LDAPRDN rdn = NULL;
	const char *end;
	bool right;

	dnParent((struct berval *)ndn, &above);
	dnParent(&above, &higher);
	if (b2b_direct_tenant(&above) != tenant || !dn_match(&higher, &tenant->nbase) ||
	    ldap_bv2rdn_x((struct berval *)ndn, &rdn, (char **)&end, LDAP_DN_FORMAT_LDAP,
			  op->o_tmpmemctx))
		return false;
	right = take_values(op, rdn, &stranger);
	ldap_rdnfree_x(rdn, op->o_tmpmemctx);
	*guest_r = guest_of(&stranger, ndn->bv_val);
	return right;
}

const char *b2b_direct_obstacle(Operation *op, const struct b2b_bearer *token)
{
	struct berval dn, ndn;

	if (!is_heard_of(token))
		return "no DirectIn setting has a word on this partner: an unknown account";
	return b2b_bearer_find_guest(op, token, &dn, &ndn) == B2B_OWNER_NONE
		       ? NULL
		       : "the subject, or its address, is a guest's that has an entry";
}

/* --- home, where it is one of ours --- */

static bool is_home(struct b2b_tenant *home, struct b2b_str tenant_id)
{
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(home);
	const struct b2b_rule *rule = b2b_snapshot_tenant(snapshot);
	bool is = rule && rule->u.tenant.tenant_id &&
		  b2b_str_equal_nocase(b2b_str_of(rule->u.tenant.tenant_id), tenant_id);

	b2b_snapshot_unref(&snapshot);
	return is;
}

struct members {
	Entry *first; /* a copy */
	unsigned count;
};

static bool note_member(void *ctx, Entry *e)
{
	struct members *members = ctx;

	if (members->count++ > 0)
		return false;
	members->first = entry_dup(e);
	return true;
}

/* The one member whose entryUUID the subject is, as a copy; NULL: there is none. */
static Entry *find_member(Operation *op, struct b2b_tenant *home, struct b2b_str subject)
{
	struct berval value = { subject.len, (char *)subject.s };
	const char *uuid = b2b_inner_escape(op, &value);
	size_t size = strlen(uuid) + sizeof("(entryUUID=)");
	char *filter = op->o_tmpalloc(size, op->o_tmpmemctx);
	struct members members = { NULL, 0 };

	snprintf(filter, size, "(entryUUID=%s)", uuid);
	for (int i = 0; !BER_BVISNULL(&home->be->be_nsuffix[i]); i++)
		b2b_inner_search(
			op, home,
			&(struct b2b_where){ &home->be->be_nsuffix[i], LDAP_SCOPE_SUBTREE, filter },
			note_member, &members);
	if (members.count > 1) {
		entry_free(members.first);
		members.first = NULL;
	}
	return members.first;
}

static struct b2b_verdict denial(enum b2b_reason reason, const char *rule)
{
	return (struct b2b_verdict){ .effect = B2B_DENY, .reason = reason, .rule = rule };
}

/* What home's own policy says of its member now. */
static struct b2b_verdict ask_home(Operation *op, struct b2b_tenant *home, struct b2b_str our_id,
				   const struct b2b_guest *guest, struct b2b_str app_id)
{
	struct b2b_verdict verdict = denial(B2B_REASON_DIRECT_CONNECT, NULL);
	Entry *member = find_member(op, home, guest->home_subject);

	if (!member)
		return verdict;
	if (b2b_person_is_active(op, home, &member->e_nname))
		verdict = b2b_out_judge(op, home, member, our_id, app_id, B2B_DIRECT_OUT);
	entry_free(member);
	return verdict;
}

bool b2b_direct_may_leave(Operation *op, struct b2b_tenant *tenant,
			  const struct b2b_snapshot *snapshot, const struct b2b_guest *guest,
			  const struct b2b_rule *app, const char **rule_r)
{
	const struct b2b_rule *ours = b2b_snapshot_tenant(snapshot);
	struct b2b_str our_id =
		b2b_str_of(ours && !ours->invalid ? ours->u.tenant.tenant_id : NULL);
	struct b2b_str app_id = b2b_str_of(app ? app->u.app.id : NULL);

	*rule_r = NULL;
	for (struct b2b_tenant *home = b2b_tenants; home; home = home->next) {
		struct b2b_verdict verdict;

		if (home == tenant || !is_home(home, guest->home_tenant))
			continue;
		verdict = ask_home(op, home, our_id, guest, app_id);
		*rule_r = verdict.rule;
		if (verdict.effect != B2B_ALLOW)
			return false;
	}
	return true;
}

/* --- the bind --- */

/* Whether the name is the token's, and nobody's who has an entry. */
static bool is_its_name(Operation *op, const struct b2b_bearer *token, const struct berval *ndn,
			struct berval *dn_r)
{
	struct berval own;

	return is_heard_of(token) &&
	       b2b_bearer_find_guest(op, token, dn_r, &own) == B2B_OWNER_NONE &&
	       make_name(op, token, dn_r, &own) && bvmatch(&own, ndn);
}

/* However the client spelled it, a simple bind ends with the name as we write it. */
static void spell(Operation *op, const struct berval *dn)
{
	if (op->orb_method != LDAP_AUTH_SIMPLE)
		return;
	op->o_tmpfree(op->o_req_dn.bv_val, op->o_tmpmemctx);
	op->o_req_dn = *dn;
}

int b2b_direct_admit(Operation *op, const struct b2b_bearer *token, const struct berval *ndn,
		     char text_r[B2B_ANSWER_SIZE])
{
	struct b2b_admission admission = { .tenant = token->tenant, .ndn = *ndn, .token = token };
	struct b2b_proof proof = token->proof;
	struct berval dn;
	int rc;

	text_r[0] = '\0';
	if (!is_its_name(op, token, ndn, &dn)) {
		Debug(LDAP_DEBUG_STATS, "b2b: %s token refused: the name is not its own\n",
		      op->o_log_prefix);
		return LDAP_INVALID_CREDENTIALS;
	}
	proof.direct = true;
	proof.person = *ndn;
	proof.stranger = (struct b2b_stranger){ token->tenant_id, token->subject, token->email,
						token->expires };
	admission.guest = guest_of(&proof.stranger, ndn->bv_val);
	admission.snapshot = b2b_tenant_snapshot(token->tenant);
	admission.partner = b2b_snapshot_partner(admission.snapshot, token->tenant_id);
	if (!BER_BVISNULL(&proof.app_dn))
		admission.app = b2b_snapshot_rule(admission.snapshot, proof.app_dn.bv_val);
	rc = b2b_admission_judge(op, &admission, &proof, (struct b2b_str){ NULL, 0 }, text_r);
	if (rc == LDAP_SUCCESS) {
		b2b_session_proved(op, &proof);
		spell(op, &dn);
		Debug(LDAP_DEBUG_STATS, "b2b: %s guest=\"%s\" tenant=%s app=%s verdict=allow\n",
		      op->o_log_prefix, ndn->bv_val, token->tenant_id.s,
		      b2b_map_app_id(admission.app));
	}
	b2b_admission_clear(&admission);
	return rc;
}

/* --- each operation --- */

/* Whether somebody is now a guest whose name has been bound as one without an entry.  Searched for
 * again only if a guest, or policy, changed since. */
static bool became_guest(Operation *op, struct b2b_tenant *tenant,
			 const struct b2b_stranger *stranger)
{
	struct b2b_bearer token = { .right = true,
				    .tenant = tenant,
				    .tenant_id = stranger->tenant_id,
				    .subject = stranger->subject,
				    .email = stranger->email };
	uint64_t epoch = b2b_session_epoch();
	struct berval dn, ndn;

	if (b2b_session_is_stranger(op, epoch))
		return false;
	if (b2b_bearer_find_guest(op, &token, &dn, &ndn) != B2B_OWNER_NONE)
		return true;
	b2b_session_note_stranger(op, epoch);
	return false;
}

bool b2b_direct_recognise(Operation *op, struct b2b_passage *passage, struct b2b_proof *proof_r)
{
	passage->direct = true;
	passage->guest.dn = op->o_ndn.bv_val;
	passage->tenant = b2b_direct_tenant(&op->o_ndn);
	/* nobody acts as one of these, and no password or mapping of ours makes one */
	passage->verdict = denial(B2B_REASON_DIRECT_CONNECT, op->o_ndn.bv_val);
	if (!passage->tenant || !b2b_map_is_own_name(op) ||
	    !b2b_session_proof(op, &op->o_ndn, proof_r) || !proof_r->direct)
		return false;
	passage->guest = guest_of(&proof_r->stranger, op->o_ndn.bv_val);
	if (slap_get_time() >= proof_r->stranger.expires + B2B_TOKEN_LEEWAY_SECS) {
		passage->verdict.reason = B2B_REASON_SIGN_IN_TOO_OLD;
		return false;
	}
	return !became_guest(op, passage->tenant, &proof_r->stranger);
}
