/*
 * request_store.c - whether somebody may ask to become a guest, and the entry that says so.
 * In: what was asked, checked in form.  Out: a b2bRequest in cn=requests, one open one for each
 * address.
 */
#include "request.h"

#include <openssl/evp.h>

enum {
	PER_MAIL = 3,
	DAY_SECS = 86400,
	GENERATIONS = 1000, /* of requests of one address */
	ATTRIBUTE_MAX = 1024
};

#define HASH_BYTES 32u

/* Of several that ask for one person at once, the others find what the first has stored, and are not
 * counted. */
static ldap_pvt_thread_mutex_t one_at_a_time;

int b2b_request_open(void)
{
	return ldap_pvt_thread_mutex_init(&one_at_a_time);
}

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
static int judge_known(struct b2b_asking *asking, struct b2b_error *error)
{
	struct berval mail;
	struct known known = { false, false };
	char filter[3 * B2B_MAIL_MAX + 64];

	ber_str2bv(asking->mail, 0, 0, &mail);
	snprintf(filter, sizeof(filter), "(&(objectClass=b2bGuest)(mail=%s))",
		 b2b_inner_escape(asking->op, &mail));
	if (b2b_inner_search(asking->op, asking->tenant,
			     &(struct b2b_where){ &asking->tenant->be->be_nsuffix[0],
						  LDAP_SCOPE_SUBTREE, filter },
			     note_guest, &known) != LDAP_SUCCESS)
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

int b2b_request_permit(struct b2b_asking *asking, struct b2b_error *error)
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

static bool make_name(struct b2b_asking *asking, unsigned generation,
		      char name_r[B2B_REQUEST_NAME_SIZE])
{
	unsigned char hash[HASH_BYTES];
	char text[B2B_MAIL_MAX + 32];
	unsigned bytes = sizeof(hash);
	int length = snprintf(text, sizeof(text), "%u %s", generation, asking->mail);

	for (int i = 0; i < length; i++)
		text[i] = b2b_lower(text[i]);
	if (EVP_Digest(text, (size_t)length, hash, &bytes, EVP_sha256(), NULL) != 1)
		return false;
	for (unsigned i = 0; i < (B2B_REQUEST_NAME_SIZE - 1) / 2; i++)
		snprintf(name_r + (size_t)2 * i, 3, "%02x", hash[i]);
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

static Entry *make_entry(struct b2b_asking *asking, const struct b2b_name *name,
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
	b2b_entry_put(e, "b2bRequestBy", asking->by);
	b2b_entry_put(e, "b2bRequestState", b2b_request_state_name(state));
	if (state == B2B_REQUEST_PENDING)
		b2b_entry_put_time(e, "b2bNextDue", b2b_time_due(asking->now, asking->now));
	return e;
}

/* noSuchObject: there is none of this name. */
static int read_state(struct b2b_asking *asking, struct b2b_name *name,
		      enum b2b_request_state *state_r)
{
	Entry *e;
	int rc = b2b_entry_read(asking->op, asking->tenant, &name->ndn, &e);

	*state_r = B2B_REQUEST_UNKNOWN;
	if (e) {
		*state_r = b2b_request_state_of(e);
		b2b_entry_release(asking->op, asking->tenant, e);
	}
	return rc;
}

static int add(struct b2b_asking *asking, const struct b2b_name *name,
	       enum b2b_request_state *state_r)
{
	struct b2b_limits *limits = asking->tenant->limits;
	char mail[B2B_MAIL_MAX + 1];
	int length = snprintf(mail, sizeof(mail), "%s", asking->mail);

	for (int i = 0; i < length; i++)
		mail[i] = b2b_lower(mail[i]);
	if (!limits || !b2b_limits_take(limits, "request-mail", b2b_str_of(mail), PER_MAIL,
					DAY_SECS, asking->now))
		return LDAP_BUSY;
	*state_r = asking->policy->request_hook ? B2B_REQUEST_CHECKING : B2B_REQUEST_PENDING;
	return b2b_inner_add(asking->op, asking->tenant, make_entry(asking, name, *state_r));
}

/* Who asks again while a request is open finds that one: its name follows from the address, and from
 * how many were closed before. */
static int find_or_add(struct b2b_asking *asking, char text_r[B2B_REQUEST_NAME_SIZE],
		       enum b2b_request_state *state_r)
{
	struct b2b_name requests, name;
	int rc = b2b_entry_container(asking->op, asking->tenant, "requests", &requests);

	for (unsigned i = 0; rc == LDAP_SUCCESS && i < GENERATIONS; i++) {
		if (!make_name(asking, i, text_r))
			return LDAP_OTHER;
		name = b2b_entry_name(asking->op, "cn", text_r, &requests);
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

int b2b_request_store(struct b2b_asking *asking, char name_r[B2B_REQUEST_NAME_SIZE],
		      enum b2b_request_state *state_r)
{
	ldap_pvt_thread_mutex_lock(&one_at_a_time);
	int rc = find_or_add(asking, name_r, state_r);
	ldap_pvt_thread_mutex_unlock(&one_at_a_time);
	return rc;
}
