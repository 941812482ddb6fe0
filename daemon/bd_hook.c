/*
 * bd_hook.c - asks the web hook about a sign-up before anybody decides about it.
 * In: an entry of cn=requests whose state is checking.
 * Out: its state as the hook says: pending, blocked or invalid; nothing where it says nothing clear.
 */
#include "bd.h"

#include "../overlay/core/text.h"

#include <stdlib.h>
#include <string.h>

#define HOOK_MOST 900u
#define ANSWER_MAX 1000u

/* What the hook may say: our words, and those that API connectors of Entra External ID use. */
static const struct verdict {
	const char *action, *connector, *state;
} verdicts[] = {
	{ "continue", "Continue", "pending" },
	{ "block", "ShowBlockPage", "blocked" },
	{ "validation-error", "ValidationError", "invalid" },
};
#define INVALID (&verdicts[2])

/* All values of an attribute as JSON strings; an empty list where there are none. */
static json_t *values_of(LDAP *ld, LDAPMessage *entry, const char *attribute)
{
	struct berval **values = ldap_get_values_len(ld, entry, attribute);
	json_t *list = json_array();

	for (size_t i = 0; values && values[i]; i++)
		json_array_append_new(list, json_stringn(values[i]->bv_val, values[i]->bv_len));
	ldap_value_free_len(values);
	return list;
}

static void put_single(json_t *object, const char *name, LDAP *ld, LDAPMessage *entry,
		       const char *attribute)
{
	json_t *list = values_of(ld, entry, attribute);

	if (json_array_size(list) > 0)
		json_object_set(object, name, json_array_get(list, 0));
	json_decref(list);
}

/* "name=value" values as an object; a name that comes twice has a list. */
static json_t *attributes_of(LDAP *ld, LDAPMessage *entry)
{
	json_t *list = values_of(ld, entry, "b2bRequestAttribute"), *object = json_object();
	json_t *value;
	size_t i;

	json_array_foreach (list, i, value) {
		const char *text = json_string_value(value),
			   *equals = text ? strchr(text, '=') : NULL;
		char *name = equals ? bd_copy(text, (size_t)(equals - text)) : NULL;
		json_t *before = name ? json_object_get(object, name) : NULL;

		if (json_is_array(before))
			json_array_append_new(before, json_string(equals + 1));
		else if (before)
			json_object_set_new(object, name, json_pack("[O,s]", before, equals + 1));
		else if (name)
			json_object_set_new(object, name, json_string(equals + 1));
		free(name);
	}
	json_decref(list);
	return object;
}

static char *make_body(const struct bd *bd, LDAP *ld, LDAPMessage *entry)
{
	json_t *object = json_object();
	char *text;

	put_single(object, "request", ld, entry, "cn");
	put_single(object, "mail", ld, entry, "b2bRequestMail");
	put_single(object, "displayName", ld, entry, "b2bRequestName");
	put_single(object, "tenant", ld, entry, "b2bHomeTenant");
	put_single(object, "reason", ld, entry, "b2bRequestReason");
	json_object_set_new(object, "applications", values_of(ld, entry, "b2bRequestApp"));
	json_object_set_new(object, "attributes", attributes_of(ld, entry));
	json_object_set_new(object, "base", json_string(bd->config->base));
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return text;
}

/* NULL: the answer is none.  message_r is cleared by the caller. */
static const struct verdict *read_answer(long status, const char *text, size_t bytes,
					 struct mail_text *message_r, struct b2b_error *error)
{
	json_t *answer = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL), *message;
	const char *action = json_string_value(json_object_get(answer, "action"));
	const struct verdict *verdict = NULL;

	for (size_t i = 0; action && i < sizeof verdicts / sizeof *verdicts; i++)
		if (strcmp(action, verdicts[i].action) == 0 ||
		    strcmp(action, verdicts[i].connector) == 0)
			verdict = &verdicts[i];
	/* API connectors answer what is not valid with status 400 */
	if (status != 200 && !(status == 400 && verdict == INVALID)) {
		b2b_error_set(error, "HTTP status %ld", status);
		verdict = NULL;
	} else if (!verdict) {
		b2b_error_set(error, "the answer is no {\"action\":\"continue\"}, \"block\" or "
				     "\"validation-error\"");
	}
	message = json_object_get(answer, "message");
	if (!json_is_string(message))
		message = json_object_get(answer, "userMessage");
	if (verdict && json_is_string(message)) {
		struct b2b_str line = { json_string_value(message), json_string_length(message) };

		line.len = line.len < ANSWER_MAX ? line.len : ANSWER_MAX;
		mail_text_put_line(message_r, line);
	}
	json_decref(answer);
	return verdict;
}

/* By value: if somebody was faster, theirs stands. */
static void write_state(struct bd *bd, struct bd_item *item, const struct verdict *verdict,
			const struct mail_text *message)
{
	struct bd_change changes[3] = {
		{ LDAP_MOD_DELETE, "b2bRequestState", b2b_str_of("checking") },
		{ LDAP_MOD_ADD, "b2bRequestState", b2b_str_of(verdict->state) },
		{ LDAP_MOD_REPLACE, "b2bRequestAnswer", { message->s, message->len } },
	};
	int code = bd_link_modify(&bd->link, item->dn, changes, message->len > 0 ? 3 : 2, NULL);

	if (code == LDAP_SUCCESS)
		bd_log(LOG_INFO, "request=\"%s\" state=%s", item->dn, verdict->state);
	if (code == LDAP_SUCCESS || code == LDAP_NO_SUCH_ATTRIBUTE)
		item->off = true;
	else if (code == LDAP_NO_SUCH_OBJECT)
		bd_queue_drop(&bd->queue, item);
	else
		bd_stumble(bd, item, code, "cannot be answered");
}

static void ask(struct bd *bd, struct bd_item *item, LDAPMessage *entry)
{
	struct mail_text message = { NULL, 0, 0, false };
	struct b2b_error error = { "" };
	const struct verdict *verdict = NULL;
	char *body = make_body(bd, bd->link.ld, entry), *answer = NULL;
	size_t bytes;
	long status;

	if (!body)
		b2b_error_set(&error, "the request cannot be put as JSON");
	else if (bd_http_post(bd->config, body, &status, &answer, &bytes, &error))
		verdict = read_answer(status, answer, bytes, &message, &error);
	if (verdict) {
		write_state(bd, item, verdict, &message);
	} else if (!bd_wish.stop) {
		bd->fails++;
		bd_item_defer(item, bd->config->retry_secs, HOOK_MOST);
		bd_log(LOG_WARNING, "request-hook request=\"%s\" attempts=%u next=%us: %s",
		       item->dn, item->fruitless, (unsigned)(item->not_before - bd_clock()),
		       error.text);
	}
	mail_text_clear(&message);
	free(answer);
	free(body);
}

void bd_hook(struct bd *bd, struct bd_item *item)
{
	static char *attributes[] = { "*", NULL };
	char state[32] = "";
	LDAPMessage *message, *entry;
	struct berval **values;
	int code = bd_link_read(&bd->link, item->dn, attributes, &message);

	if (code == LDAP_NO_SUCH_OBJECT) {
		bd_queue_drop(&bd->queue, item);
		return;
	}
	if (code != LDAP_SUCCESS) {
		bd_stumble(bd, item, code, "cannot be read");
		return;
	}
	entry = ldap_first_entry(bd->link.ld, message);
	values = ldap_get_values_len(bd->link.ld, entry, "b2bRequestState");
	if (values && values[0] && values[0]->bv_len < sizeof state)
		memcpy(state, values[0]->bv_val, values[0]->bv_len);
	ldap_value_free_len(values);
	if (strcasecmp(state, "checking") == 0)
		ask(bd, item, entry);
	else
		item->off = true;
	ldap_msgfree(message);
}
