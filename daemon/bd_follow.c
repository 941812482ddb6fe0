/*
 * bd_follow.c - follows a container by content synchronization (RFC 4533, refreshAndPersist).
 * In: entries and states as slapd sends them; each time a whole refresh, for there is little.
 * Out: what is there and when it is due, in the queue.
 */
#include "bd.h"

#include "../overlay/core/text.h"

#include <stdlib.h>
#include <string.h>

/* A container that is not there is looked for again; that costs slapd next to nothing. */
#define LOOK_SECS 2

static char *notice_attributes[] = { "b2bNoticeType", "b2bNoticeState", "b2bNoticeRetryAt", NULL };
static char *request_attributes[] = { "b2bRequestState", NULL };

void bd_follow_init(struct bd_follow *follow, enum bd_kind kind, const char *base)
{
	*follow = (struct bd_follow){ .kind = kind, .msgid = -1 };
	follow->container = kind == BD_NOTICE ? "outbox" : "requests";
	follow->base = bd_format("cn=%s,%s", follow->container, base);
}

static struct berval *make_request(void)
{
	BerElement *ber = ber_alloc_t(LBER_USE_DER);
	struct berval *value = NULL;

	if (ber && ber_printf(ber, "{e}", LDAP_SYNC_REFRESH_AND_PERSIST) != -1)
		ber_flatten(ber, &value);
	ber_free(ber, 1);
	return value;
}

int bd_follow_start(struct bd_follow *follow, struct bd_link *link, struct bd_queue *queue)
{
	LDAPControl control = { .ldctl_oid = LDAP_CONTROL_SYNC, .ldctl_iscritical = 1 };
	LDAPControl *controls[] = { &control, NULL };
	bool notices = follow->kind == BD_NOTICE;
	struct berval *value;
	int code;

	if (follow->msgid != -1 || bd_clock() < follow->try_at)
		return LDAP_SUCCESS;
	value = make_request();
	if (!value)
		return LDAP_NO_MEMORY;
	control.ldctl_value = *value;
	code = ldap_search_ext(link->ld, follow->base, LDAP_SCOPE_ONELEVEL,
			       notices ? "(objectClass=b2bNotice)" : "(objectClass=b2bRequest)",
			       notices ? notice_attributes : request_attributes, 0, controls, NULL,
			       NULL, LDAP_NO_LIMIT, &follow->msgid);
	ber_bvfree(value);
	follow->refreshed = false;
	bd_queue_unsee(queue, follow->kind);
	return code;
}

/* The first value, or false. */
static bool has_value(LDAP *ld, LDAPMessage *entry, const char *attribute, char *text_r,
		      size_t room)
{
	struct berval **values = ldap_get_values_len(ld, entry, attribute);
	bool there = values && values[0] && values[0]->bv_len < room;

	*text_r = '\0';
	if (there) {
		memcpy(text_r, values[0]->bv_val, values[0]->bv_len);
		text_r[values[0]->bv_len] = '\0';
	}
	ldap_value_free_len(values);
	return there;
}

static void note_entry(struct bd_follow *follow, LDAP *ld, struct bd_item *item, LDAPMessage *entry)
{
	char text[65];
	time_t when = 0;

	if (follow->kind == BD_REQUEST) {
		item->off = !has_value(ld, entry, "b2bRequestState", text, sizeof text) ||
			    strcasecmp(text, "checking") != 0;
		return;
	}
	item->off = has_value(ld, entry, "b2bNoticeState", text, sizeof text);
	if (has_value(ld, entry, "b2bNoticeRetryAt", text, sizeof text) &&
	    b2b_time_parse(b2b_str_of(text), &when) != B2B_OK)
		when = 0;
	item->retry_at = when;
	item->urgent = has_value(ld, entry, "b2bNoticeType", text, sizeof text) &&
		       strcasecmp(text, "passcode") == 0;
}

/* State and UUID of an entry, from the control that must come with it. */
static int read_state(LDAP *ld, LDAPMessage *entry, int *state_r, uint8_t uuid_r[BD_UUID])
{
	LDAPControl **controls = NULL, *control;
	struct berval uuid = { 0, NULL };
	BerElement *ber = NULL;
	int code = ldap_get_entry_controls(ld, entry, &controls);

	control = code == LDAP_SUCCESS ? ldap_control_find(LDAP_CONTROL_SYNC_STATE, controls, NULL)
				       : NULL;
	if (control)
		ber = ber_init(&control->ldctl_value);
	if (ber && ber_scanf(ber, "{em", state_r, &uuid) != LBER_ERROR && uuid.bv_len == BD_UUID)
		memcpy(uuid_r, uuid.bv_val, BD_UUID);
	else
		code = LDAP_DECODING_ERROR;
	ber_free(ber, 1);
	ldap_controls_free(controls);
	return code;
}

static int take_entry(struct bd_follow *follow, struct bd_link *link, struct bd_queue *queue,
		      LDAPMessage *entry)
{
	uint8_t uuid[BD_UUID];
	struct bd_item *item;
	int state = -1, code = read_state(link->ld, entry, &state, uuid);
	char *dn;

	if (code != LDAP_SUCCESS)
		return code;
	if (state == LDAP_SYNC_DELETE) {
		item = bd_queue_find(queue, uuid);
		if (item)
			bd_queue_drop(queue, item);
		return LDAP_SUCCESS;
	}
	dn = ldap_get_dn(link->ld, entry);
	if (!dn)
		return LDAP_DECODING_ERROR;
	item = bd_queue_put(queue, uuid, follow->kind, dn);
	ldap_memfree(dn);
	if (state != LDAP_SYNC_PRESENT)
		note_entry(follow, link->ld, item, entry);
	return LDAP_SUCCESS;
}

static void note_refreshed(struct bd_follow *follow, struct bd_link *link, struct bd_queue *queue)
{
	bd_queue_drop_unseen(queue, follow->kind);
	follow->refreshed = true;
	if (link->told || follow->absent)
		bd_log(LOG_INFO, "%s: following %s", link->config->uri, follow->base);
	link->told = follow->absent = false;
	link->wait_secs = 0;
}

static void drop_set(struct bd_queue *queue, BerVarray set)
{
	for (size_t i = 0; set && set[i].bv_val; i++) {
		struct bd_item *item = NULL;

		if (set[i].bv_len == BD_UUID)
			item = bd_queue_find(queue, (const uint8_t *)set[i].bv_val);
		if (item)
			bd_queue_drop(queue, item);
	}
}

/* syncInfoValue (RFC 4533, 2.5) */
static int take_info(struct bd_follow *follow, struct bd_link *link, struct bd_queue *queue,
		     const struct berval *info)
{
	BerElement *ber = ber_init((struct berval *)info);
	struct berval cookie;
	BerVarray set = NULL;
	ber_int_t flag = 1;
	ber_len_t bytes;
	ber_tag_t tag = ber ? ber_peek_tag(ber, &bytes) : LBER_ERROR;
	bool bad = false;

	if (tag == LDAP_TAG_SYNC_REFRESH_DELETE || tag == LDAP_TAG_SYNC_REFRESH_PRESENT ||
	    tag == LDAP_TAG_SYNC_ID_SET) {
		flag = tag != LDAP_TAG_SYNC_ID_SET;
		bad = ber_scanf(ber, "{") == LBER_ERROR;
		if (!bad && ber_peek_tag(ber, &bytes) == LDAP_TAG_SYNC_COOKIE)
			bad = ber_scanf(ber, "m", &cookie) == LBER_ERROR;
		if (!bad && ber_peek_tag(ber, &bytes) == LDAP_TAG_REFRESHDONE)
			bad = ber_scanf(ber, "b", &flag) == LBER_ERROR;
		if (!bad && tag == LDAP_TAG_SYNC_ID_SET) {
			bad = ber_scanf(ber, "[W]", &set) == LBER_ERROR;
			if (!bad && flag)
				drop_set(queue, set);
			ber_bvarray_free(set);
		} else if (!bad && flag && !follow->refreshed) {
			note_refreshed(follow, link, queue);
		}
	}
	ber_free(ber, 1);
	return bad ? LDAP_DECODING_ERROR : LDAP_SUCCESS;
}

static int take_intermediate(struct bd_follow *follow, struct bd_link *link, struct bd_queue *queue,
			     LDAPMessage *message)
{
	struct berval *info = NULL;
	char *oid = NULL;
	int code = ldap_parse_intermediate(link->ld, message, &oid, &info, NULL, 0);

	if (code == LDAP_SUCCESS && info && oid && strcmp(oid, LDAP_SYNC_INFO) == 0)
		code = take_info(follow, link, queue, info);
	ldap_memfree(oid);
	ber_bvfree(info);
	return code;
}

/* The search ended, which it does only where something is wrong. */
static int take_end(struct bd_follow *follow, struct bd_link *link, LDAPMessage *message)
{
	int code = LDAP_OTHER,
	    parsed = ldap_parse_result(link->ld, message, &code, NULL, NULL, NULL, NULL, 0);

	follow->msgid = -1;
	if (parsed != LDAP_SUCCESS)
		return parsed;
	if (code == LDAP_NO_SUCH_OBJECT) {
		if (!follow->absent)
			bd_log(LOG_INFO, "%s is not there yet, or this account may not see it",
			       follow->base);
		follow->absent = true;
		follow->try_at = bd_clock() + LOOK_SECS;
		return LDAP_SUCCESS;
	}
	if (code == LDAP_SYNC_REFRESH_REQUIRED) {
		follow->try_at = bd_clock() + LOOK_SECS; /* once more from the start */
		return LDAP_SUCCESS;
	}
	if (code == LDAP_SIZELIMIT_EXCEEDED) {
		/* what was shown is handled, which makes room for the rest */
		bd_log(LOG_WARNING, "%s holds more than this account may see at once (limits)",
		       follow->base);
		follow->try_at = bd_clock() + LOOK_SECS;
		return LDAP_SUCCESS;
	}
	if (code == LDAP_UNAVAILABLE_CRITICAL_EXTENSION)
		bd_log(LOG_ERR,
		       "%s: this server does not tell changes of %s: its database needs "
		       "\"overlay syncprov\" (slapo-syncprov(5))",
		       link->config->uri, follow->base);
	return code == LDAP_SUCCESS ? LDAP_OTHER : code;
}

int bd_follow_take(struct bd_follow *follow, struct bd_link *link, struct bd_queue *queue,
		   LDAPMessage *message)
{
	switch (ldap_msgtype(message)) {
	case LDAP_RES_SEARCH_ENTRY:
		return take_entry(follow, link, queue, message);
	case LDAP_RES_INTERMEDIATE:
		return take_intermediate(follow, link, queue, message);
	case LDAP_RES_SEARCH_RESULT:
		return take_end(follow, link, message);
	default:
		return LDAP_SUCCESS; /* a referral is no entry of ours */
	}
}
