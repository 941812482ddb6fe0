/*
 * exop.c - the frame of our extended operations, each of which carries one JSON object in and one
 * out.
 * In: requests from clients, strangers among them.  Out: the request as an object with known members
 * and the tenant it is about, handed to who does the work; its answer.
 */
#include "life.h"

#include <openssl/crypto.h>

#define REQUEST_BYTES_MAX 65536 /* a token with many groups is the longest thing that is sent */

struct kind {
	struct berval oid;
	int (*run)(struct b2b_exop *exop);
	const char *const *members;
	const char *about; /* member that may name an entry of the tenant, or NULL */
	bool by_strangers; /* who is not bound may ask: it brings its own proof, or asks for a thing
			      that is told to everybody alike */
	bool writes; /* it is an update, which a server that does not write refers elsewhere */
};

static const char *const invite_members[] = { "mail",    "tenant",       "displayName",
					      "sponsor", "applications", "validUntil",
					      "message", "language",     "uid",
					      "subject", "suffix",       NULL };
static const char *const redeem_members[] = { "ticket", "guest", "token",  "password", "passcode",
					      "totp",   "terms", "suffix", NULL };
static const char *const passcode_members[] = { "guest", "mail", "ticket", "suffix", NULL };
static const char *const issue_members[] = { "tenant", "application", "suffix", NULL };
static const char *const explain_members[] = { "guest",  "application", "peer",   "ssf",
					       "claims", "entry",       "suffix", NULL };
static const char *const request_members[] = { "mail",   "displayName", "tenant", "applications",
					       "reason", "attributes",  "suffix", NULL };
static const char *const totp_members[] = { "action", "guest", NULL };

static const struct kind kinds[] = {
	{ BER_BVC(B2B_OID ".3.1"), b2b_invite_exop, invite_members, NULL, false, true },
	{ BER_BVC(B2B_OID ".3.2"), b2b_redeem_exop, redeem_members, "guest", true, true },
	{ BER_BVC(B2B_OID ".3.3"), b2b_passcode_exop, passcode_members, "guest", true, true },
	{ BER_BVC(B2B_OID ".3.4"), b2b_issue_exop, issue_members, NULL, false, false },
	{ BER_BVC(B2B_OID ".3.5"), b2b_explain_exop, explain_members, "guest", false, false },
	{ BER_BVC(B2B_OID ".3.6"), b2b_request_exop, request_members, NULL, true, true },
	{ BER_BVC(B2B_OID ".3.7"), b2b_totp_exop, totp_members, "guest", false, true },
};

/* --- answers --- */

int b2b_exop_refuse(struct b2b_exop *exop, int err, const char *text)
{
	exop->rs->sr_text = text;
	return exop->rs->sr_err = err;
}

int b2b_exop_refuse_with(struct b2b_exop *exop, int err, const struct b2b_error *error)
{
	char text[sizeof(error->text) + 8];

	if (!error->text[0])
		return b2b_exop_refuse(exop, err, NULL);
	snprintf(text, sizeof(text), "b2b: %s", error->text);
	return b2b_exop_refuse(exop, err, b2b_map_copy(exop->op, text));
}

/* rs takes the data over; slapd frees it. */
int b2b_exop_answer(struct b2b_exop *exop, json_t *out)
{
	char *text = json_dumps(out, JSON_COMPACT);

	json_decref(out);
	if (!text)
		return b2b_exop_refuse(exop, LDAP_OTHER, "b2b: no answer could be written");
	exop->rs->sr_rspdata = ch_malloc(sizeof(struct berval));
	ber_str2bv(text, 0, 1, exop->rs->sr_rspdata);
	OPENSSL_cleanse(text, strlen(text));
	free(text);
	return exop->rs->sr_err = LDAP_SUCCESS;
}

/* --- the request --- */

static bool is_known(const char *const *members, const char *name)
{
	for (; *members; members++) {
		if (!strcmp(*members, name))
			return true;
	}
	return false;
}

static int read_request(struct b2b_exop *exop, const struct kind *kind)
{
	struct berval *data = exop->op->ore_reqdata;
	struct b2b_error error = { "" };
	const char *name;
	json_t *value;

	if (data && data->bv_len > REQUEST_BYTES_MAX)
		return b2b_exop_refuse(exop, LDAP_PROTOCOL_ERROR, "b2b: the request is too long");
	if (data)
		exop->in = json_loadb(data->bv_val, data->bv_len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(exop->in))
		return b2b_exop_refuse(exop, LDAP_PROTOCOL_ERROR,
				       "b2b: the request is no JSON object");
	json_object_foreach (exop->in, name, value) {
		if (is_known(kind->members, name))
			continue;
		b2b_error_set(&error, "%s: unknown member", name);
		return b2b_exop_refuse_with(exop, LDAP_PROTOCOL_ERROR, &error);
	}
	return LDAP_SUCCESS;
}

/* Passwords, tickets and codes come in requests. */
static void wipe_request(json_t *in)
{
	const char *name;
	json_t *value;

	json_object_foreach (in, name, value) {
		if (json_is_string(value))
			OPENSSL_cleanse((char *)json_string_value(value),
					json_string_length(value));
	}
	json_decref(in);
}

/* --- which tenant --- */

static struct b2b_tenant *only_tenant(void)
{
	return b2b_tenants && !b2b_tenants->next ? b2b_tenants : NULL;
}

/* The tenant that a DN lies in; NULL where text is none, or lies in none. */
static struct b2b_tenant *tenant_by_name(struct b2b_exop *exop, const char *text)
{
	struct berval dn, ndn;

	ber_str2bv(text, 0, 0, &dn);
	if (dnNormalize(0, NULL, NULL, &dn, &ndn, exop->op->o_tmpmemctx) != LDAP_SUCCESS ||
	    BER_BVISEMPTY(&ndn))
		return NULL;
	return b2b_tenant_of(&ndn);
}

static int find_tenant(struct b2b_exop *exop, const struct kind *kind)
{
	const char *suffix = NULL;
	const char *about =
		kind->about ? json_string_value(json_object_get(exop->in, kind->about)) : NULL;
	struct b2b_error error = { "" };
	int rc = b2b_exop_text(exop, "suffix", &suffix);

	if (rc != LDAP_SUCCESS)
		return rc;
	if (suffix) {
		exop->tenant = tenant_by_name(exop, suffix);
		if (exop->tenant)
			return LDAP_SUCCESS;
		b2b_error_set(&error, "suffix: value \"%s\" is of no tenant of this server",
			      suffix);
		return b2b_exop_refuse_with(exop, LDAP_UNWILLING_TO_PERFORM, &error);
	}
	if (about)
		exop->tenant = tenant_by_name(exop, about);
	if (!exop->tenant && !BER_BVISEMPTY(&exop->op->o_ndn))
		exop->tenant = b2b_tenant_of(&exop->op->o_ndn);
	if (!exop->tenant)
		exop->tenant = only_tenant();
	return exop->tenant ? LDAP_SUCCESS
			    : b2b_exop_refuse(exop, LDAP_UNWILLING_TO_PERFORM,
					      "b2b: suffix: it must be said which tenant");
}

/* --- may it be done here --- */

/* The restrictions of configuration.  slapd takes any extended operation for an update, and has no
 * update by who is not bound; ours that strangers may ask for are asked as by somebody, and those that
 * only read as a search. */
static int check_restrictions(struct b2b_exop *exop, const struct kind *kind)
{
	struct berval somebody = BER_BVC("cn=somebody"), ndn = exop->op->o_ndn;
	ber_tag_t tag = exop->op->o_tag;

	if (BER_BVISEMPTY(&ndn))
		exop->op->o_ndn = somebody;
	if (!kind->writes)
		exop->op->o_tag = LDAP_REQ_SEARCH;
	int rc = backend_check_restrictions(exop->op, exop->rs,
					    (struct berval *)&exop->op->ore_reqoid);
	exop->op->o_tag = tag;
	exop->op->o_ndn = ndn;
	return rc;
}

static bool must_hide(struct b2b_tenant *tenant)
{
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(tenant);
	const struct b2b_tenant_policy *policy = b2b_record_policy(snapshot);
	bool must = !policy || policy->require_tls;

	b2b_snapshot_unref(&snapshot);
	return must;
}

/* A server that follows another one sends the client there, as for any write. */
static int refer(struct b2b_exop *exop)
{
	BerVarray urls = exop->tenant->be->be_update_refs;

	if (!SLAP_SINGLE_SHADOW(exop->tenant->be) || !urls)
		return b2b_exop_refuse(exop, LDAP_UNWILLING_TO_PERFORM,
				       "b2b: this server does not write: ask its provider");
	exop->rs->sr_ref = referral_rewrite(urls, NULL, NULL, LDAP_SCOPE_DEFAULT);
	return exop->rs->sr_err = LDAP_REFERRAL;
}

static int check(struct b2b_exop *exop, const struct kind *kind)
{
	int rc = check_restrictions(exop, kind);

	if (rc != LDAP_SUCCESS)
		return rc;
	if (must_hide(exop->tenant) && !b2b_map_is_protected(exop->op))
		return b2b_exop_refuse(exop, LDAP_CONFIDENTIALITY_REQUIRED,
				       "b2b: this is not done in the clear: use TLS");
	return !kind->writes || b2b_tenant_is_writable(exop->tenant) ? LDAP_SUCCESS : refer(exop);
}

/* --- the operation --- */

static int run(struct b2b_exop *exop, const struct kind *kind)
{
	BackendDB *saved = exop->op->o_bd;
	int rc;

	if (!b2b_gate_stands())
		return b2b_exop_refuse(exop, LDAP_UNAVAILABLE, "b2b: the gate is missing");
	if (!kind->by_strangers && BER_BVISEMPTY(&exop->op->o_ndn))
		return b2b_exop_refuse(exop, LDAP_INSUFFICIENT_ACCESS, NULL);
	rc = read_request(exop, kind);
	if (rc == LDAP_SUCCESS)
		rc = find_tenant(exop, kind);
	if (rc != LDAP_SUCCESS)
		return rc;
	exop->op->o_bd = exop->tenant->be;
	rc = check(exop, kind);
	if (rc == LDAP_SUCCESS)
		rc = kind->run(exop);
	exop->op->o_bd = saved;
	return rc;
}

static int run_any(Operation *op, SlapReply *rs)
{
	struct b2b_exop exop = { .op = op, .rs = rs };
	int rc = LDAP_PROTOCOL_ERROR;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (bvmatch(&kinds[i].oid, &op->ore_reqoid))
			rc = run(&exop, &kinds[i]);
	}
	wipe_request(exop.in);
	return rc;
}

int b2b_exop_register(void)
{
	int rc = b2b_invite_open() || b2b_request_open();

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !rc; i++)
		rc = load_extop2(&kinds[i].oid, kinds[i].writes ? SLAP_EXOP_WRITES : 0, run_any, 0);
	return rc;
}
