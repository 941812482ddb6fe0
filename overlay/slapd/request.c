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

#include "proof.h"

enum {
	PER_CALLER = 5,
	PER_SERVER = 60,
	HOUR_SECS = 3600,
	REASON_MAX = 2048,
	ATTRIBUTES_MAX = 16,
	ATTRIBUTE_MAX = 1024,
	APPS_MAX = 16
};

struct asking {
	struct b2b_exop *exop;
	struct b2b_asking pub;
	bool stranger;
};

static int refuse(struct asking *asking, const char *member, const char *what)
{
	struct b2b_error error = { "" };

	b2b_error_set(&error, "%s: %s", member, what);
	return b2b_exop_refuse_with(asking->exop, LDAP_CONSTRAINT_VIOLATION, &error);
}

static void begin(struct asking *asking, struct b2b_snapshot *snapshot)
{
	asking->pub.op = asking->exop->op;
	asking->pub.tenant = asking->exop->tenant;
	asking->pub.snapshot = snapshot;
	asking->pub.policy = b2b_record_policy(snapshot);
	asking->pub.by =
		BER_BVISEMPTY(&asking->exop->op->o_ndn) ? "" : asking->exop->op->o_ndn.bv_val;
	asking->pub.now = slap_get_time();
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
	switch (asking->pub.policy ? asking->pub.policy->self_service : B2B_ASKS_NONE) {
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

/* What all may first: a caller is remembered for an hour, and one with many addresses would else fill
 * the table, which then says no to everybody. */
static bool take(struct asking *asking, const char *kind_of_all, const char *kind,
		 struct b2b_str caller)
{
	struct b2b_limits *limits = asking->exop->tenant->limits;
	struct b2b_str all = b2b_str_of("all");
	time_t now = asking->pub.now;

	if (!b2b_limits_take(limits, kind_of_all, all, PER_SERVER, HOUR_SECS, now))
		return false;
	if (b2b_limits_take(limits, kind, caller, PER_CALLER, HOUR_SECS, now))
		return true;
	b2b_limits_give_back(limits, kind_of_all, all, HOUR_SECS, now);
	return false;
}

/* Strangers and members have limits of their own, so that those cannot use up these's. */
static int check_limits(struct asking *asking)
{
	Operation *op = asking->exop->op;
	struct b2b_door door = b2b_map_door(op, NULL);
	struct b2b_addr room;
	bool within;

	if (asking->stranger)
		within = take(asking, "request-strangers", "request-peer",
			      b2b_find_peer(&door, &room));
	else
		within = take(asking, "request-members", "request-member", b2b_map_str(&op->o_ndn));
	return within ? LDAP_SUCCESS
		      : b2b_exop_refuse(asking->exop, LDAP_BUSY,
					"b2b: too many requests: ask again later");
}

/* --- what is asked --- */

static int read_members(struct asking *asking)
{
	struct b2b_exop *exop = asking->exop;
	int rc = b2b_exop_text(exop, "mail", &asking->pub.mail);

	if (rc == LDAP_SUCCESS)
		rc = b2b_exop_text(exop, "displayName", &asking->pub.name);
	if (rc == LDAP_SUCCESS)
		rc = b2b_exop_text(exop, "tenant", &asking->pub.tenant_id);
	if (rc == LDAP_SUCCESS)
		rc = b2b_exop_text(exop, "reason", &asking->pub.reason);
	if (rc == LDAP_SUCCESS)
		rc = b2b_exop_texts(exop, "applications", &asking->pub.apps,
				    &asking->pub.app_count);
	asking->pub.attributes = json_object_get(exop->in, "attributes");
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

	if (!asking->pub.attributes)
		return LDAP_SUCCESS;
	if (!json_is_object(asking->pub.attributes) ||
	    json_object_size(asking->pub.attributes) > ATTRIBUTES_MAX)
		return refuse(asking, "attributes", "an object of 16 texts at most is wanted");
	json_object_foreach (asking->pub.attributes, name, value) {
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
		return !is_blank(asking->pub.name);
	if (!strcasecmp(wanted, "reason"))
		return !is_blank(asking->pub.reason);
	if (!strcasecmp(wanted, "tenant"))
		return !is_blank(asking->pub.tenant_id);
	if (!strcasecmp(wanted, "applications"))
		return asking->pub.app_count > 0;
	json_object_foreach (asking->pub.attributes, name, value) {
		if (!strcasecmp(name, wanted))
			return !is_blank(json_string_value(value));
	}
	return false;
}

static int check_required(struct asking *asking)
{
	const struct b2b_list *wanted = &asking->pub.policy->request_requires;

	for (size_t i = 0; i < wanted->count; i++) {
		if (strcasecmp(wanted->list[i], "mail") != 0 && !brings(asking, wanted->list[i]))
			return refuse(asking, wanted->list[i], "is asked for and not there");
	}
	return LDAP_SUCCESS;
}

static int check_members(struct asking *asking)
{
	struct b2b_error error = { "" };

	if (!asking->pub.mail)
		return refuse(asking, "mail", "is missing");
	if (b2b_mail_check(b2b_str_of(asking->pub.mail), &error) != B2B_OK ||
	    (asking->pub.name &&
	     b2b_name_check("displayName", b2b_str_of(asking->pub.name), &error) != B2B_OK))
		return b2b_exop_refuse_with(asking->exop, LDAP_CONSTRAINT_VIOLATION, &error);
	if (asking->pub.reason && !is_readable(asking->pub.reason, REASON_MAX))
		return refuse(asking, "reason", "is too long or has control characters");
	if (asking->pub.tenant_id &&
	    b2b_name_check("tenant", b2b_str_of(asking->pub.tenant_id), &error) != B2B_OK)
		return b2b_exop_refuse_with(asking->exop, LDAP_CONSTRAINT_VIOLATION, &error);
	if (asking->pub.app_count > APPS_MAX)
		return refuse(asking, "applications", "too many values");
	int rc = check_attributes(asking);
	return rc == LDAP_SUCCESS ? check_required(asking) : rc;
}

/* --- policy and the entry --- */

static int permit_and_store(struct asking *asking, char name_r[B2B_REQUEST_NAME_SIZE],
			    enum b2b_request_state *state_r, struct b2b_error *error)
{
	int rc = b2b_request_permit(&asking->pub, error);

	if (rc == LDAP_SUCCESS) {
		rc = b2b_request_store(&asking->pub, name_r, state_r);
		if (rc == LDAP_BUSY)
			b2b_error_set(error, "too many requests for this address");
		else if (rc != LDAP_SUCCESS)
			b2b_error_set(error, "the request could not be stored (%d)", rc);
		if (rc != LDAP_SUCCESS && rc != LDAP_BUSY)
			rc = LDAP_UNAVAILABLE;
	}
	if (rc == LDAP_SUCCESS && *state_r == B2B_REQUEST_PENDING)
		b2b_task_wake(asking->exop->tenant);
	Debug(LDAP_DEBUG_STATS, "b2b: %s request of \"%s\" by=\"%s\": %s (%d)\n",
	      asking->pub.op->o_log_prefix, asking->pub.mail, asking->pub.by,
	      rc == LDAP_SUCCESS ? b2b_request_state_name(*state_r) : error->text, rc);
	return rc;
}

/* --- strangers --- */

/* Where nobody waits: how long it takes tells nothing.  What a crash takes away of it was promised to
 * nobody who could be named. */
static void store_later(Operation *op, struct b2b_tenant *tenant, void *what)
{
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(tenant);
	json_t *all = json_loads(what, JSON_REJECT_DUPLICATES, NULL);
	SlapReply rs = { REP_RESULT };
	struct b2b_exop exop = { op, &rs, json_object_get(all, "in"), tenant };
	struct asking asking = { .exop = &exop, .stranger = true };
	char name[B2B_REQUEST_NAME_SIZE];
	enum b2b_request_state state;
	struct b2b_error error = { "" };

	begin(&asking, snapshot);
	asking.pub.by = json_string_value(json_object_get(all, "by"));
	if (asking.pub.policy && read_members(&asking) == LDAP_SUCCESS &&
	    check_members(&asking) == LDAP_SUCCESS)
		permit_and_store(&asking, name, &state, &error);
	json_decref(all);
	b2b_snapshot_unref(&snapshot);
}

static int leave_to_later(struct asking *asking)
{
	json_t *all = json_pack("{s:O,s:s}", "in", asking->exop->in, "by", asking->pub.by);
	char *text = json_dumps(all, JSON_COMPACT);

	json_decref(all);
	if (!text)
		return b2b_exop_refuse(asking->exop, LDAP_UNAVAILABLE, NULL);
	b2b_later(asking->exop->tenant, store_later, ch_strdup(text));
	free(text);
	return b2b_exop_answer(asking->exop, json_pack("{s:s}", "state", "pending"));
}

/* --- all of it --- */

static int store_now(struct asking *asking)
{
	char name[B2B_REQUEST_NAME_SIZE];
	enum b2b_request_state state;
	struct b2b_error error = { "" };
	int rc = permit_and_store(asking, name, &state, &error);

	if (rc != LDAP_SUCCESS)
		return b2b_exop_refuse_with(asking->exop, rc, &error);
	return b2b_exop_answer(asking->exop, json_pack("{s:s,s:s}", "request", name, "state",
						       b2b_request_state_name(state)));
}

static int ask(struct asking *asking)
{
	int rc = check_who(asking);

	if (rc == LDAP_SUCCESS)
		rc = check_limits(asking);
	if (rc == LDAP_SUCCESS)
		rc = read_members(asking);
	if (rc == LDAP_SUCCESS)
		rc = check_members(asking);
	if (rc != LDAP_SUCCESS)
		return rc;
	return asking->stranger ? leave_to_later(asking) : store_now(asking);
}

int b2b_request_exop(struct b2b_exop *exop)
{
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(exop->tenant);
	struct asking asking = { .exop = exop };
	int rc;

	begin(&asking, snapshot);
	rc = ask(&asking);
	b2b_snapshot_unref(&snapshot);
	return rc;
}
