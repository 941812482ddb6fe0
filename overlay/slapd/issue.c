/*
 * issue.c - extended operation .3.4: a token with which a member proves itself at a partner.
 * In: {"tenant":<its b2bTenantId>,"application":<there, or absent>}, from the member itself.
 * Out: {"token":...,"expires":...}, where the Out settings let it; nothing is stored.
 */
#include "life.h"

#include "../core/mail.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#define TOKEN_SECS 300
#define APP_BYTES_MAX 256
#define JTI_BYTES 16

struct issuing {
	struct b2b_exop *exop;
	Operation *op;
	struct b2b_tenant *tenant;
	struct b2b_snapshot *snapshot; /* reference */
	Entry *member;                 /* a copy */
	struct b2b_str partner_id, app_id;
	unsigned out; /* bits of enum b2b_token_out: what is permitted */
	time_t now;
	char jti[2 * JTI_BYTES + 1];
};

static int refuse(struct issuing *it, int err, const char *text)
{
	return b2b_exop_refuse(it->exop, err, text);
}

/* --- who asks, and for what --- */

static int read_text(struct issuing *it, const char *member, struct b2b_str *text_r)
{
	const char *text = NULL;
	struct b2b_error error = { "" };
	int rc = b2b_exop_text(it->exop, member, &text);

	*text_r = b2b_str_of(text ? text : "");
	if (rc != LDAP_SUCCESS || text_r->len <= APP_BYTES_MAX)
		return rc;
	b2b_error_set(&error, "%s: more than %d bytes", member, APP_BYTES_MAX);
	return b2b_exop_refuse_with(it->exop, LDAP_PROTOCOL_ERROR, &error);
}

static int read_request(struct issuing *it)
{
	int rc = read_text(it, "tenant", &it->partner_id);

	if (rc == LDAP_SUCCESS)
		rc = read_text(it, "application", &it->app_id);
	if (rc == LDAP_SUCCESS && !it->partner_id.len)
		return refuse(it, LDAP_PROTOCOL_ERROR, "b2b: tenant: a partner's id is wanted");
	return rc;
}

/* A person of this very database, in its own name: nobody gets a token that says that it is somebody
 * else (slapd refuses proxied authorization here; should it not, this does).  An application's account
 * is no person. */
static bool is_member(struct issuing *it)
{
	Operation *op = it->op;
	struct b2b_passage *passage = b2b_passage_find(op);

	return passage && passage->who == B2B_WHO_OTHER && !passage->service &&
	       b2b_map_is_own_name(op) && b2b_tenant_of(&op->o_ndn) == it->tenant;
}

/* The entry is copied: groups are read later, and nothing may be held meanwhile. */
static int find_member(struct issuing *it)
{
	Entry *e = is_member(it) ? b2b_entry_get(it->op, it->tenant, &it->op->o_ndn) : NULL;

	if (!e)
		return refuse(it, LDAP_INSUFFICIENT_ACCESS, NULL);
	it->member = entry_dup(e);
	b2b_entry_release(it->op, it->tenant, e);
	if (!b2b_person_is_active(it->op, it->tenant, &it->op->o_ndn))
		return refuse(it, LDAP_INSUFFICIENT_ACCESS, NULL);
	return LDAP_SUCCESS;
}

/* --- what policy says --- */

static int judge(struct issuing *it)
{
	static const struct {
		enum b2b_scope scope;
		unsigned bit;
	} ways[] = { { B2B_DIRECT_OUT, B2B_OUT_DIRECT }, { B2B_COLLAB_OUT, B2B_OUT_COLLAB } };
	char text[B2B_ANSWER_SIZE];
	struct b2b_verdict verdict;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		verdict = b2b_out_judge(it->op, it->tenant, it->member, it->partner_id, it->app_id,
					ways[i].scope);
		if (verdict.effect == B2B_ALLOW)
			it->out |= ways[i].bit;
	}
	if (it->out)
		return LDAP_SUCCESS;
	b2b_map_log_out(it->op, &it->op->o_ndn, it->partner_id, it->app_id, &verdict);
	b2b_map_answer(verdict.reason, text);
	return refuse(it, b2b_map_code(verdict.reason), b2b_map_copy(it->op, text));
}

/* --- the token --- */

static const char *text_of(struct issuing *it, const char *attribute)
{
	const char *text = b2b_entry_text(it->op, it->member, attribute);

	return text && *text ? text : NULL;
}

static bool is_ours(const struct b2b_tenant_policy *policy, struct b2b_str domain)
{
	for (size_t i = 0; i < policy->domains.count; i++)
		if (b2b_domain_equal(b2b_str_of(policy->domains.list[i]), domain))
			return true;
	return false;
}

/* Only of our own domains do we say that an address is the member's. */
static void put_mail(struct issuing *it, const struct b2b_tenant_policy *policy, json_t *claims)
{
	const char *mail = text_of(it, "mail");

	if (!mail || b2b_mail_check(b2b_str_of(mail), NULL) != B2B_OK)
		return;
	json_object_set_new(claims, "email", json_string(mail));
	json_object_set_new(claims, "email_verified",
			    json_boolean(is_ours(policy, b2b_mail_domain(b2b_str_of(mail)))));
}

static void put_ways(const struct issuing *it, json_t *claims)
{
	json_t *ways = json_array();

	if (it->out & B2B_OUT_COLLAB)
		json_array_append_new(ways, json_string("collaboration"));
	if (it->out & B2B_OUT_DIRECT)
		json_array_append_new(ways, json_string("direct"));
	json_object_set_new(claims, "b2b_out", ways);
}

/* When a member signed in slapd does not tell: not before its connection was opened. */
static json_t *make_claims(struct issuing *it, const struct b2b_tenant_policy *policy,
			   const char *partner_id)
{
	Attribute *uuid =
		it->member ? attr_find(it->member->e_attrs, slap_schema.si_ad_entryUUID) : NULL;
	const char *name = uuid ? text_of(it, "displayName") : NULL;
	json_t *claims;

	if (!uuid)
		return NULL;
	claims = json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:s*}", "iss",
			   policy->issuer ? policy->issuer : policy->tenant_id, "sub",
			   uuid->a_vals[0].bv_val, "aud", partner_id, "tid", policy->tenant_id,
			   "jti", it->jti, "iat", (json_int_t)it->now, "nbf", (json_int_t)it->now,
			   "exp", (json_int_t)it->now + TOKEN_SECS, "auth_time",
			   (json_int_t)it->op->o_conn->c_starttime, "azp",
			   it->app_id.len ? it->app_id.s : NULL);

	if (!claims)
		return NULL;
	if (!name)
		name = text_of(it, "cn");
	if (name)
		json_object_set_new(claims, "name", json_string(name));
	put_mail(it, policy, claims);
	put_ways(it, claims);
	return claims;
}

static int sign(struct issuing *it, json_t *claims)
{
	char *payload = claims ? json_dumps(claims, JSON_COMPACT) : NULL, *token = NULL;
	int rc;

	if (!payload || b2b_signer_sign(it->tenant->signer, b2b_str_of(payload), &token) != B2B_OK)
		rc = refuse(it, LDAP_OTHER, "b2b: no token could be made");
	else
		rc = b2b_exop_answer(it->exop, json_pack("{s:s,s:I}", "token", token, "expires",
							 (json_int_t)it->now + TOKEN_SECS));
	if (token)
		OPENSSL_cleanse(token, strlen(token));
	free(token);
	free(payload);
	json_decref(claims);
	return rc;
}

static int make_jti(struct issuing *it)
{
	unsigned char bytes[JTI_BYTES];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return refuse(it, LDAP_OTHER, "b2b: no token could be made");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(it->jti + 2 * i, 3, "%02x", bytes[i]);
	return LDAP_SUCCESS;
}

/* Who we are is what the tenant entry says; without a name of ours nobody could tell. */
static int issue(struct issuing *it)
{
	const struct b2b_tenant_policy *policy = b2b_record_policy(it->snapshot);
	const struct b2b_rule *partner = b2b_snapshot_partner(it->snapshot, it->partner_id);
	int rc;

	if (!it->tenant->signer)
		return refuse(it, LDAP_UNWILLING_TO_PERFORM,
			      "b2b: b2b-key-file has no key that signs tokens");
	if (!policy || !policy->tenant_id || !partner)
		return refuse(it, LDAP_UNWILLING_TO_PERFORM,
			      "b2b: the tenant entry has no b2bTenantId");
	rc = make_jti(it);
	return rc == LDAP_SUCCESS ? sign(it, make_claims(it, policy, partner->u.partner.tenant_id))
				  : rc;
}

int b2b_issue_exop(struct b2b_exop *exop)
{
	struct issuing it = { .exop = exop,
			      .op = exop->op,
			      .tenant = exop->tenant,
			      .snapshot = b2b_tenant_snapshot(exop->tenant),
			      .now = slap_get_time() };
	int rc = read_request(&it);

	if (rc == LDAP_SUCCESS)
		rc = find_member(&it);
	if (rc == LDAP_SUCCESS)
		rc = judge(&it);
	if (rc == LDAP_SUCCESS)
		rc = issue(&it);
	if (rc == LDAP_SUCCESS)
		b2b_map_log_token(it.op, &it.op->o_ndn, it.partner_id, it.app_id, it.jti);
	if (it.member)
		entry_free(it.member);
	b2b_snapshot_unref(&it.snapshot);
	return rc;
}
