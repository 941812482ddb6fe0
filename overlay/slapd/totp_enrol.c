/*
 * totp_enrol.c - extended operation .3.7: gives a guest a secret for one-time passwords, or takes it
 * away.
 * In: {"action":"enroll"|"reset","guest":"<DN>"}; without guest it is about who asks.
 * Out: {"guest":...,"secret":<base32>,"uri":"otpauth://totp/..."}, once; the entry keeps it sealed.
 *
 * An administrator is who may manage b2bTotpSecret by slapd's access control.  A guest may enrol
 * itself on a connection where policy lets it in, if it has no secret yet.
 */
#include "totp.h"

#include "life.h"

#include <liboath/oath.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#define SECRET_BYTES 20 /* RFC 4226, 4 R6: 160 bits */
#define RESPONSE_MAX 4096

struct enrolment {
	struct b2b_exop *exop;
	Operation *op;
	bool reset;
	struct berval ndn; /* of the guest, in op's memory */
	struct b2b_tenant *tenant;
	struct b2b_record_read read; /* what was judged, and alone is written on */
	char name[256], issuer[256]; /* as a person's device shows them */
};

static int refuse(struct enrolment *enrolment, int err, const char *text)
{
	return b2b_exop_refuse(enrolment->exop, err, text);
}

static int read_request(struct enrolment *enrolment)
{
	struct b2b_exop *exop = enrolment->exop;
	const char *action;
	int rc = b2b_exop_text(exop, "action", &action);

	if (rc == LDAP_SUCCESS)
		rc = b2b_exop_dn(exop, "guest", &enrolment->ndn);
	if (rc != LDAP_SUCCESS)
		return rc;
	enrolment->reset = action && strcmp(action, "reset") == 0;
	if (!action || (!enrolment->reset && strcmp(action, "enroll") != 0))
		return refuse(enrolment, LDAP_PROTOCOL_ERROR, "b2b: action: enroll or reset");
	if (BER_BVISNULL(&enrolment->ndn))
		ber_dupbv_x(&enrolment->ndn, &exop->op->o_ndn, exop->op->o_tmpmemctx);
	if (b2b_tenant_of(&enrolment->ndn) != enrolment->tenant)
		return refuse(enrolment, LDAP_INSUFFICIENT_ACCESS, NULL);
	return LDAP_SUCCESS;
}

/* --- who may --- */

static bool is_administrator(struct enrolment *enrolment, Entry *e)
{
	return b2b_access_may_manage(enrolment->op, e, b2b_ad[B2B_ATTR_TOTP_SECRET]);
}

static void take_text(Entry *e, const char *attribute, char *text_r, size_t size)
{
	AttributeDescription *ad = NULL;
	const char *why;

	text_r[0] = '\0';
	if (slap_str2ad(attribute, &ad, &why) != LDAP_SUCCESS)
		return;
	Attribute *a = attr_find(e->e_attrs, ad);
	if (a && a->a_vals[0].bv_len < size)
		snprintf(text_r, size, "%s", a->a_vals[0].bv_val);
}

/* Whether it is the guest itself that asks, on its own connection: not one who acts for it. */
static bool is_self(const struct enrolment *enrolment)
{
	return bvmatch(&enrolment->ndn, &enrolment->op->o_ndn) &&
	       b2b_map_is_own_name(enrolment->op);
}

/* Judges by the entry; who may not, and where there is no guest, hear the same. */
static int judge_entry(struct enrolment *enrolment, Entry *e)
{
	bool enrolled = attr_find(e->e_attrs, b2b_ad[B2B_ATTR_TOTP_SECRET]) != NULL;

	if (!b2b_map_is_guest(e) ||
	    (!(is_self(enrolment) && !enrolment->reset) && !is_administrator(enrolment, e)))
		return refuse(enrolment, LDAP_INSUFFICIENT_ACCESS, NULL);
	if (!enrolment->reset && enrolled)
		return refuse(enrolment, LDAP_ALREADY_EXISTS,
			      "b2b: the guest has a secret: it must be reset first");
	take_text(e, "mail", enrolment->name, sizeof(enrolment->name));
	if (!enrolment->name[0])
		take_text(e, "uid", enrolment->name, sizeof(enrolment->name));
	return LDAP_SUCCESS;
}

static int judge(struct enrolment *enrolment)
{
	Operation *op = enrolment->op;
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(enrolment->tenant);
	const struct b2b_rule *rule = b2b_snapshot_tenant(snapshot);
	int rc;

	snprintf(enrolment->issuer, sizeof(enrolment->issuer), "%s",
		 rule && rule->u.tenant.tenant_id ? rule->u.tenant.tenant_id : "slapo-b2b");
	b2b_snapshot_unref(&snapshot);
	if (!b2b_record_read(op, enrolment->tenant, &enrolment->ndn, &enrolment->read))
		return refuse(enrolment, LDAP_INSUFFICIENT_ACCESS, NULL);
	Entry *e = b2b_entry_get(op, enrolment->tenant, &enrolment->ndn);
	if (!e)
		return refuse(enrolment, LDAP_INSUFFICIENT_ACCESS, NULL);
	rc = judge_entry(enrolment, e);
	b2b_entry_release(op, enrolment->tenant, e);
	return rc;
}

/* --- the secret --- */

/* b2bTotpSecret as it is stored; octets, so the value is no text. */
static enum b2b_err seal_secret(struct enrolment *enrolment, const struct berval *owner,
				const uint8_t *secret, struct berval *sealed)
{
	struct b2b_tenant *tenant = enrolment->tenant;
	struct b2b_str plain = { (const char *)secret, SECRET_BYTES };
	uint8_t nonce[B2B_SEAL_NONCE];
	enum b2b_err err;

	if (!tenant->seal && tenant->key_file)
		return B2B_ERR_INVALID; /* it was to be sealed */
	if (!tenant->seal)
		Debug(LDAP_DEBUG_ANY,
		      "%s b2b: without b2b-key-file the secret of a guest is kept in the clear\n",
		      enrolment->op->o_log_prefix);
	if (RAND_bytes(nonce, sizeof(nonce)) != 1)
		return B2B_ERR_MEMORY;
	size_t bytes;
	err = b2b_seal_close(tenant->seal, b2b_map_str(owner), plain, nonce,
			     (uint8_t *)sealed->bv_val, &bytes);
	sealed->bv_len = bytes;
	return err;
}

static void forget_codes(Modifications **mods)
{
	static const enum b2b_attr attrs[] = { B2B_ATTR_TOTP_LAST_STEP, B2B_ATTR_TOTP_FAILURES,
					       B2B_ATTR_TOTP_LOCKED_UNTIL };

	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++)
		b2b_record_set(mods, attrs[i], NULL);
}

static int write_secret(struct enrolment *enrolment, const uint8_t *secret)
{
	Operation *op = enrolment->op;
	char room[B2B_SEAL_MAX];
	struct berval sealed = { 0, room }, owner = BER_BVNULL;
	Modifications *mods = NULL;

	if (secret) {
		Entry *e = b2b_entry_get(op, enrolment->tenant, &enrolment->ndn);

		if (!e)
			return LDAP_NO_SUCH_OBJECT;
		owner = b2b_totp_owner(e);
		enum b2b_err err = seal_secret(enrolment, &owner, secret, &sealed);
		b2b_entry_release(op, enrolment->tenant, e);
		if (err != B2B_OK)
			return LDAP_UNAVAILABLE;
	}
	b2b_record_set_bytes(&mods, B2B_ATTR_TOTP_SECRET, secret ? &sealed : NULL);
	forget_codes(&mods);
	return b2b_keeper_write(op, enrolment->tenant, &enrolment->read, mods);
}

/* --- the answer --- */

/* What is no unreserved character of RFC 3986 as percent and two digits. */
static void put_escaped(char *to, size_t size, const char *text)
{
	size_t used = strlen(to);

	for (; *text && used + 4 < size; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			     (c >= 'a' && c <= 'z') || strchr("-._~", c);

		used += (size_t)snprintf(to + used, size - used, plain ? "%c" : "%%%02X", c);
	}
}

static void make_uri(const struct enrolment *enrolment, const char *secret, char *uri, size_t size)
{
	size_t used;

	snprintf(uri, size, "otpauth://totp/");
	put_escaped(uri, size, enrolment->issuer);
	used = strlen(uri);
	snprintf(uri + used, size - used, ":");
	put_escaped(uri, size, enrolment->name[0] ? enrolment->name : "guest");
	used = strlen(uri);
	snprintf(uri + used, size - used, "?secret=%s&issuer=", secret);
	put_escaped(uri, size, enrolment->issuer);
	used = strlen(uri);
	snprintf(uri + used, size - used, "&algorithm=SHA1&digits=6&period=30");
}

static int answer(struct enrolment *enrolment, const char *secret)
{
	json_t *response = json_object();
	char uri[RESPONSE_MAX] = "";

	json_object_set_new(response, "guest", json_string(enrolment->ndn.bv_val));
	if (secret) {
		make_uri(enrolment, secret, uri, sizeof(uri));
		json_object_set_new(response, "secret", json_string(secret));
		json_object_set_new(response, "uri", json_string(uri));
	}
	OPENSSL_cleanse(uri, sizeof(uri));
	return b2b_exop_answer(enrolment->exop, response);
}

static int enrol(struct enrolment *enrolment)
{
	uint8_t secret[SECRET_BYTES];
	char *text = NULL;
	size_t length;
	int rc;

	if (RAND_bytes(secret, sizeof(secret)) != 1 ||
	    oath_base32_encode((const char *)secret, sizeof(secret), &text, &length) != OATH_OK)
		return refuse(enrolment, LDAP_OTHER, "b2b: no secret could be made");
	rc = write_secret(enrolment, secret);
	if (rc == LDAP_SUCCESS)
		rc = answer(enrolment, text);
	else
		rc = refuse(enrolment, rc,
			    rc == LDAP_UNAVAILABLE ? "b2b: b2b-key-file cannot be used" : NULL);
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(text, strlen(text));
	free(text);
	return rc;
}

static int reset(struct enrolment *enrolment)
{
	int rc = write_secret(enrolment, NULL);

	return rc == LDAP_SUCCESS ? answer(enrolment, NULL) : refuse(enrolment, rc, NULL);
}

int b2b_totp_exop(struct b2b_exop *exop)
{
	struct enrolment enrolment = { .exop = exop, .op = exop->op, .tenant = exop->tenant };
	int rc = read_request(&enrolment);

	if (rc == LDAP_SUCCESS)
		rc = judge(&enrolment);
	if (rc != LDAP_SUCCESS)
		return rc;
	rc = enrolment.reset ? reset(&enrolment) : enrol(&enrolment);
	Debug(LDAP_DEBUG_STATS, "b2b: %s guest=\"%s\" one-time passwords: %s (%d)\n",
	      exop->op->o_log_prefix, enrolment.ndn.bv_val, enrolment.reset ? "reset" : "enrolled",
	      rc);
	return rc;
}

int b2b_totp_register(void)
{
	return oath_init() == OATH_OK ? 0 : 1;
}
