/*
 * request.c - extended operation .3.6: somebody asks to become a guest.
 * In: {"mail":...,"displayName":...,"tenant":...,"applications":...,"reason":...,"attributes":{...}}
 * from members, or from anybody where the tenant says so.
 * Out: a b2bRequest in cn=requests, one open one for each address; {"request":...,"state":...}.
 *
 * Strangers hear {"state":"pending"} of everybody: whether who they name is a guest, is blocked, or
 * has asked before is not theirs to know.
 */
#include "request.h"

#include <openssl/evp.h>

enum {
	PER_CALLER = 5,
	PER_SERVER = 60,
	PER_MAIL = 3,
	HOUR_SECS = 3600,
	DAY_SECS = 86400,
	GENERATIONS = 1000, /* of requests of one address */
	REASON_MAX = 2048,
	ATTRIBUTES_MAX = 16,
	ATTRIBUTE_MAX = 1024,
	APPS_MAX = 16
};

#define HASH_BYTES 32u
#define NAME_SIZE 33 /* 16 bytes in hexadecimal digits, and the NUL */

struct asking {
	struct b2b_exop *exop;
	const struct b2b_snapshot *snapshot;
	const struct b2b_tenant_policy *policy;
	bool stranger;
	const char *mail, *name, *tenant_id, *reason;
	struct b2b_str *apps;
	size_t app_count;
	json_t *attributes; /* or NULL */
	time_t now;
};

static const char *const states[] = { "",        "checking", "pending", "approved", "denied",
				      "blocked", "invalid",  "invited", "failed" };

const char *b2b_request_state_name(enum b2b_request_state state)
{
	return states[state];
}

enum b2b_request_state b2b_request_state_of(Entry *e)
{
	struct b2b_source source = b2b_map_source(e);
	struct b2b_str text;

	if (!source.value(e, B2B_ATTR_REQUEST_STATE, 0, &text))
		return B2B_REQUEST_UNKNOWN;
	for (unsigned i = 1; i < sizeof(states) / sizeof(states[0]); i++) {
		if (b2b_str_equal_nocase(text, b2b_str_of(states[i])))
			return (enum b2b_request_state)i;
	}
	return B2B_REQUEST_UNKNOWN;
}

static int refuse(struct asking *asking, const char *member, const char *what)
{
	struct b2b_error error = { "" };

	b2b_error_set(&error, "%s: %s", member, what);
	return b2b_exop_refuse_with(asking->exop, LDAP_CONSTRAINT_VIOLATION, &error);
}

/* --- who, and how often --- */

static bool is_member(struct asking *asking)
{
	struct b2b_exop *exop = asking->exop;
	struct b2b_session session;

	if (BER_BVISEMPTY(&exop->op->o_ndn))
		return false;
	b2b_session_find(exop->op, &session);
	return session.who == B2B_WHO_OTHER && b2b_tenant_of(&exop->op->o_ndn) == exop->tenant;
}

static int check_who(struct asking *asking)
{
	asking->stranger = !is_member(asking);
	switch (asking->policy ? asking->policy->self_service : B2B_ASKS_NONE) {
	case B2B_ASKS_ANONYMOUS:
		return LDAP_SUCCESS;
	case B2B_ASKS_MEMBERS:
		if (!asking->stranger)
			return LDAP_SUCCESS;
		return b2b_exop_refuse(asking->exop, LDAP_INSUFFICIENT_ACCESS, NULL);
	case B2B_ASKS_NONE:
	default:
		return b2b_exop_refuse(asking->exop, LDAP_UNWILLING_TO_PERFORM,
				       "b2b: b2bSelfService: nobody may ask here");
	}
}

static struct b2b_str peer_of(Operation *op, const struct b2b_addr *addr)
{
	if (addr->set)
		return (struct b2b_str){ (const char *)addr->bytes, sizeof(addr->bytes) };
	return b2b_map_str(&op->o_conn->c_peer_name); /* a path */
}

static bool take(struct asking *asking, const char *kind, struct b2b_str key, unsigned most,
		 unsigned secs)
{
	struct b2b_limits *limits = asking->exop->tenant->limits;

	return limits && b2b_limits_take(limits, kind, key, most, secs, asking->now);
}

/* Strangers and members have limits of their own, so that those cannot use up these's. */
static int check_limits(struct asking *asking)
{
	Operation *op = asking->exop->op;
	struct b2b_addr peer = b2b_map_door(op, NULL).peer;
	bool within;

	if (asking->stranger)
		within =
			take(asking, "request-peer", peer_of(op, &peer), PER_CALLER, HOUR_SECS) &&
			take(asking, "request-strangers", b2b_str_of("all"), PER_SERVER, HOUR_SECS);
	else
		within = take(asking, "request-member", b2b_map_str(&op->o_ndn), PER_CALLER,
			      HOUR_SECS) &&
			 take(asking, "request-members", b2b_str_of("all"), PER_SERVER, HOUR_SECS);
	return within ? LDAP_SUCCESS
		      : b2b_exop_refuse(asking->exop, LDAP_BUSY,
					"b2b: too many requests: ask again later");
}

/* --- what is asked --- */

static int read_members(struct asking *asking)
{
	struct b2b_exop *exop = asking->exop;
	int rc = b2b_exop_text(exop, "mail", &asking->mail);

	if (rc == LDAP_SUCCESS)
		rc = b2b_exop_text(exop, "displayName", &asking->name);
	if (rc == LDAP_SUCCESS)
		rc = b2b_exop_text(exop, "tenant", &asking->tenant_id);
	if (rc == LDAP_SUCCESS)
		rc = b2b_exop_text(exop, "reason", &asking->reason);
	if (rc == LDAP_SUCCESS)
		rc = b2b_exop_texts(exop, "applications", &asking->apps, &asking->app_count);
	asking->attributes = json_object_get(exop->in, "attributes");
	return rc;
}

/* Lines may be in a text that people read, other control characters may not. */
static bool is_readable(const char *text, size_t most)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if ((*c < ' ' && *c != '\n' && *c != '\r' && *c != '\t') || *c == 0x7f)
			return false;
	}
	return strlen(text) <= most;
}

static bool is_attribute_name(const char *name)
{
	static const char known[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-";
	size_t length = strlen(name);

	return length >= 1 && length <= 64 && strspn(name, known) == length;
}

static int check_attributes(struct asking *asking)
{
	const char *name;
	json_t *value;

	if (!asking->attributes)
		return LDAP_SUCCESS;
	if (!json_is_object(asking->attributes) ||
	    json_object_size(asking->attributes) > ATTRIBUTES_MAX)
		return refuse(asking, "attributes", "an object of 16 texts at most is wanted");
	json_object_foreach (asking->attributes, name, value) {
		if (!is_attribute_name(name))
			return refuse(asking, "attributes",
				      "a name is 1 to 64 letters, digits and hyphens");
		if (!json_is_string(value) ||
		    !is_readable(json_string_value(value), ATTRIBUTE_MAX - 65))
			return refuse(asking, name,
				      "is no text, too long or has control characters");
	}
	return LDAP_SUCCESS;
}

static bool is_blank(const char *text)
{
	return !text || text[strspn(text, " \t\r\n")] == '\0';
}

/* Whether the request brings what the tenant asks for, as an attribute or as a member. */
static bool brings(struct asking *asking, const char *wanted)
{
	const char *name;
	json_t *value;

	if (!strcasecmp(wanted, "displayName"))
		return !is_blank(asking->name);
	if (!strcasecmp(wanted, "reason"))
		return !is_blank(asking->reason);
	if (!strcasecmp(wanted, "tenant"))
		return !is_blank(asking->tenant_id);
	if (!strcasecmp(wanted, "applications"))
		return asking->app_count > 0;
	json_object_foreach (asking->attributes, name, value) {
		if (!strcasecmp(name, wanted))
			return !is_blank(json_string_value(value));
	}
	return false;
}

static int check_required(struct asking *asking)
{
	const struct b2b_list *wanted = &asking->policy->request_requires;

	for (size_t i = 0; i < wanted->count; i++) {
		if (strcasecmp(wanted->list[i], "mail") != 0 && !brings(asking, wanted->list[i]))
			return refuse(asking, wanted->list[i], "is asked for and not there");
	}
	return LDAP_SUCCESS;
}

static int check_members(struct asking *asking)
{
	struct b2b_error error = { "" };

	if (!asking->mail)
		return refuse(asking, "mail", "is missing");
	if (b2b_mail_check(b2b_str_of(asking->mail), &error) != B2B_OK ||
	    (asking->name &&
	     b2b_name_check("displayName", b2b_str_of(asking->name), &error) != B2B_OK))
		return b2b_exop_refuse_with(asking->exop, LDAP_CONSTRAINT_VIOLATION, &error);
	if (asking->reason && !is_readable(asking->reason, REASON_MAX))
		return refuse(asking, "reason", "is too long or has control characters");
	if (asking->tenant_id &&
	    b2b_name_check("tenant", b2b_str_of(asking->tenant_id), &error) != B2B_OK)
		return b2b_exop_refuse_with(asking->exop, LDAP_CONSTRAINT_VIOLATION, &error);
	if (asking->app_count > APPS_MAX)
		return refuse(asking, "applications", "too many values");
	int rc = check_attributes(asking);
	return rc == LDAP_SUCCESS ? check_required(asking) : rc;
}

/* --- policy --- */

struct known {
	bool guest, disabled;
};

static bool note_guest(void *ctx, Entry *e)
{
	struct known *known = ctx;
	struct b2b_source source = b2b_map_source(e);
	struct b2b_guest guest;

	b2b_guest_parse(&source, &guest, NULL);
	known->disabled = known->disabled || !guest.enabled;
	known->guest = known->guest || guest.accepted;
	return true;
}

/* Who is off stays off, and who is a guest already needs no request unless for applications. */
static int judge_known(struct asking *asking, struct b2b_error *error)
{
	struct b2b_exop *exop = asking->exop;
	struct berval mail;
	struct known known = { false, false };
	char filter[3 * B2B_MAIL_MAX + 64];

	ber_str2bv(asking->mail, 0, 0, &mail);
	snprintf(filter, sizeof(filter), "(&(objectClass=b2bGuest)(mail=%s))",
		 b2b_inner_escape(exop->op, &mail));
	if (b2b_inner_search(exop->op, exop->tenant, &exop->tenant->be->be_nsuffix[0],
			     LDAP_SCOPE_SUBTREE, filter, note_guest, &known) != LDAP_SUCCESS)
		return LDAP_UNAVAILABLE;
	if (known.disabled) {
		b2b_error_set(error, "disabled");
		return LDAP_UNWILLING_TO_PERFORM;
	}
	if (known.guest && !asking->app_count) {
		b2b_error_set(error, "mail: value \"%s\" is that of a guest already", asking->mail);
		return LDAP_ALREADY_EXISTS;
	}
	return LDAP_SUCCESS;
}

static int judge(struct asking *asking, struct b2b_error *error)
{
	struct b2b_invitee invitee = { .mail = b2b_str_of(asking->mail),
				       .tenant_id = b2b_str_of(asking->tenant_id),
				       .apps = asking->apps,
				       .app_count = asking->app_count };
	const struct b2b_rule *partner;
	enum b2b_reason reason;

	if (b2b_invite_judge(asking->snapshot, &invitee, asking->now, &partner, &reason, error) !=
	    B2B_OK)
		return LDAP_CONSTRAINT_VIOLATION;
	return judge_known(asking, error);
}

/* --- the entry --- */

static bool make_name(struct asking *asking, unsigned generation, char name_r[NAME_SIZE])
{
	unsigned char hash[HASH_BYTES];
	char text[B2B_MAIL_MAX + 32];
	unsigned bytes = sizeof(hash);
	int length = snprintf(text, sizeof(text), "%u %s", generation, asking->mail);

	for (int i = 0; i < length; i++)
		text[i] = b2b_lower(text[i]);
	if (EVP_Digest(text, (size_t)length, hash, &bytes, EVP_sha256(), NULL) != 1)
		return false;
	for (unsigned i = 0; i < (NAME_SIZE - 1) / 2; i++)
		snprintf(name_r + 2 * i, 3, "%02x", hash[i]);
	return true;
}

static void put_attributes(Entry *e, json_t *attributes)
{
	char text[ATTRIBUTE_MAX + 1];
	const char *name;
	json_t *value;

	json_object_foreach (attributes, name, value) {
		snprintf(text, sizeof(text), "%s=%s", name, json_string_value(value));
		b2b_entry_put(e, "b2bRequestAttribute", text);
	}
}

static Entry *make_entry(struct asking *asking, const struct b2b_name *name,
			 enum b2b_request_state state)
{
	Entry *e = b2b_entry_new(&name->dn, &name->ndn, "b2bRequest");

	b2b_entry_put(e, "b2bRequestMail", asking->mail);
	b2b_entry_put(e, "b2bRequestName", asking->name);
	b2b_entry_put(e, "b2bHomeTenant", asking->tenant_id);
	b2b_entry_put(e, "b2bRequestReason", asking->reason);
	for (size_t i = 0; i < asking->app_count; i++)
		b2b_entry_put(e, "b2bRequestApp", asking->apps[i].s);
	put_attributes(e, asking->attributes);
	b2b_entry_put(e, "b2bRequestBy", asking->exop->op->o_ndn.bv_val);
	b2b_entry_put(e, "b2bRequestState", b2b_request_state_name(state));
	if (state == B2B_REQUEST_PENDING)
		b2b_entry_put_time(e, "b2bNextDue", b2b_time_due(asking->now, asking->now));
	return e;
}

/* noSuchObject: there is none of this name. */
static int read_state(struct asking *asking, struct b2b_name *name, enum b2b_request_state *state_r)
{
	Entry *e;
	int rc = b2b_entry_read(asking->exop->op, asking->exop->tenant, &name->ndn, &e);

	*state_r = B2B_REQUEST_UNKNOWN;
	if (e) {
		*state_r = b2b_request_state_of(e);
		b2b_entry_release(asking->exop->op, asking->exop->tenant, e);
	}
	return rc;
}

static int add(struct asking *asking, const struct b2b_name *name, enum b2b_request_state *state_r)
{
	char mail[B2B_MAIL_MAX + 1];
	int length = snprintf(mail, sizeof(mail), "%s", asking->mail);

	for (int i = 0; i < length; i++)
		mail[i] = b2b_lower(mail[i]);
	if (!take(asking, "request-mail", b2b_str_of(mail), PER_MAIL, DAY_SECS))
		return LDAP_BUSY;
	*state_r = asking->policy->request_hook ? B2B_REQUEST_CHECKING : B2B_REQUEST_PENDING;
	return b2b_inner_add(asking->exop->op, asking->exop->tenant,
			     make_entry(asking, name, *state_r));
}

/* Who asks again while a request is open finds that one: its name follows from the address, and from
 * how many were closed before. */
static int find_or_add(struct asking *asking, char text_r[NAME_SIZE],
		       enum b2b_request_state *state_r)
{
	struct b2b_exop *exop = asking->exop;
	struct b2b_name requests, name;
	int rc = b2b_entry_container(exop->op, exop->tenant, "requests", &requests);

	for (unsigned i = 0; rc == LDAP_SUCCESS && i < GENERATIONS; i++) {
		if (!make_name(asking, i, text_r))
			return LDAP_OTHER;
		name = b2b_entry_name(exop->op, "cn", text_r, &requests);
		rc = read_state(asking, &name, state_r);
		if (rc == LDAP_NO_SUCH_OBJECT) {
			rc = add(asking, &name, state_r);
			if (rc != LDAP_ALREADY_EXISTS)
				return rc;
			rc = read_state(asking, &name, state_r);
		}
		if (rc == LDAP_SUCCESS && *state_r <= B2B_REQUEST_APPROVED)
			return LDAP_SUCCESS;
	}
	return rc == LDAP_SUCCESS ? LDAP_BUSY : rc;
}

/* --- all of it --- */

static int tell_stranger(struct asking *asking)
{
	return b2b_exop_answer(asking->exop, json_pack("{s:s}", "state", "pending"));
}

static int store(struct asking *asking)
{
	enum b2b_request_state state;
	char name[NAME_SIZE];
	int rc = find_or_add(asking, name, &state);

	if (rc == LDAP_SUCCESS && state == B2B_REQUEST_PENDING)
		b2b_task_wake(asking->exop->tenant);
	Debug(LDAP_DEBUG_STATS, "b2b: %s request of \"%s\": %s (%d)\n",
	      asking->exop->op->o_log_prefix, asking->mail,
	      rc == LDAP_SUCCESS ? b2b_request_state_name(state) : "not stored", rc);
	if (rc == LDAP_BUSY && !asking->stranger)
		return b2b_exop_refuse(asking->exop, rc, "b2b: too many requests for this address");
	if (rc != LDAP_SUCCESS && rc != LDAP_BUSY)
		return b2b_exop_refuse(asking->exop, LDAP_UNAVAILABLE,
				       "b2b: the request could not be stored");
	if (asking->stranger)
		return tell_stranger(asking);
	return b2b_exop_answer(asking->exop, json_pack("{s:s,s:s}", "request", name, "state",
						       b2b_request_state_name(state)));
}

static int ask(struct asking *asking)
{
	struct b2b_error error = { "" };
	int rc = check_who(asking);

	if (rc == LDAP_SUCCESS)
		rc = check_limits(asking);
	if (rc == LDAP_SUCCESS)
		rc = read_members(asking);
	if (rc == LDAP_SUCCESS)
		rc = check_members(asking);
	if (rc != LDAP_SUCCESS)
		return rc;
	rc = judge(asking, &error);
	if (rc == LDAP_SUCCESS)
		return store(asking);
	Debug(LDAP_DEBUG_STATS, "b2b: %s request of \"%s\" refused: %s (%d)\n",
	      asking->exop->op->o_log_prefix, asking->mail, error.text, rc);
	return asking->stranger ? tell_stranger(asking)
				: b2b_exop_refuse_with(asking->exop, rc, &error);
}

int b2b_request_exop(struct b2b_exop *exop)
{
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(exop->tenant);
	struct asking asking = { .exop = exop,
				 .snapshot = snapshot,
				 .policy = b2b_record_policy(snapshot),
				 .now = slap_get_time() };
	int rc = ask(&asking);

	b2b_snapshot_unref(&snapshot);
	return rc;
}
