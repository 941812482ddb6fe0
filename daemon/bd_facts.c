/*
 * bd_facts.c - all that a letter says: the notice's data, and tickets and codes, which stand in no
 * entry.
 * In: a notice; the tenant's key.
 * Out: an order for mail_build.c; the hash of a passcode in the guest's entry.
 */
#include "bd.h"

#include "../overlay/core/text.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const time_names[] = { "expires", "due", "deleteAfter", "lastSignIn" };

static struct b2b_str member(const struct bd_notice *notice, const char *name)
{
	const json_t *value = json_object_get(notice->data, name);

	return json_is_string(value)
		       ? (struct b2b_str){ json_string_value(value), json_string_length(value) }
		       : (struct b2b_str){ "", 0 };
}

static enum bd_fate want_key(const struct bd *bd, struct b2b_error *error)
{
	if (bd->mint)
		return BD_DONE;
	b2b_error_set(error, "key-file is not configured: neither tickets nor codes can be made");
	return BD_UNCLEAR;
}

static enum bd_fate make_ticket(struct bd *bd, const struct bd_notice *notice,
				struct bd_facts *facts, struct b2b_error *error)
{
	struct mail_values *values = &facts->order.values;
	time_t invited_at;
	enum b2b_err err;

	if (want_key(bd, error) != BD_DONE)
		return BD_UNCLEAR;
	if (b2b_time_parse(member(notice, "invitedAt"), &invited_at) != B2B_OK) {
		b2b_error_set(error, "b2bNoticeData: invitedAt is no time");
		return BD_REFUSED;
	}
	err = b2b_ticket_make(bd->mint, member(notice, "base"), member(notice, "uuid"), invited_at,
			      facts->ticket);
	if (err != B2B_OK) {
		b2b_error_set(error, "b2bNoticeData: no ticket can be made of base and uuid");
		return err == B2B_ERR_MEMORY ? BD_UNCLEAR : BD_REFUSED;
	}
	mail_values_put(values, "ticket", b2b_str_of(facts->ticket));
	if (!mail_put_url(&facts->url, member(notice, "redemptionUrl"), facts->ticket))
		mail_text_puts(&facts->url, "");
	mail_values_put(values, "url", (struct b2b_str){ facts->url.s, facts->url.len });
	return facts->url.failed ? BD_UNCLEAR : BD_DONE;
}

/* What may not be seen is not compared either: then slapd says that a condition does not hold. */
static bool may_see_until(struct bd *bd, const char *guest)
{
	char *attributes[] = { "b2bPasscodeUntil", NULL };
	struct berval **values = NULL;
	LDAPMessage *entry;

	if (bd_link_read(&bd->link, guest, attributes, &entry) == LDAP_SUCCESS)
		values = ldap_get_values_len(bd->link.ld, ldap_first_entry(bd->link.ld, entry),
					     attributes[0]);
	ldap_msgfree(entry);
	ldap_value_free_len(values);
	return values != NULL;
}

/* The same notice has the same code, however often it is sent; it is stored once, or a code that was
 * used would be good again by a mail that is sent again.  The time that stands with it, and stays there,
 * tells: it follows from the notice, and a later one's is later. */
static enum bd_fate store_hash(struct bd *bd, const struct bd_notice *notice, const char *code_text,
			       struct b2b_error *error)
{
	uint8_t hash[B2B_PASSCODE_HASH];
	char until[B2B_TIME_SIZE], not_yet[sizeof "(!(b2bPasscodeUntil>=))" + B2B_TIME_SIZE];
	struct bd_change changes[] = {
		{ LDAP_MOD_REPLACE, "b2bPasscodeHash", { (char *)hash, sizeof hash } },
		{ LDAP_MOD_REPLACE, "b2bPasscodeUntil", { until, 0 } },
		{ LDAP_MOD_REPLACE, "b2bPasscodeTries", { "0", 1 } },
	};
	int code;

	if (b2b_passcode_hash(bd->mint, member(notice, "uuid"), b2b_str_of(notice->to),
			      b2b_str_of(code_text), hash) != B2B_OK) {
		b2b_error_set(error, "b2bNoticeData: uuid is none, or b2bNoticeTo no address");
		return BD_REFUSED;
	}
	b2b_time_format(notice->created + B2B_PASSCODE_SECS, until);
	changes[1].value.len = strlen(until);
	snprintf(not_yet, sizeof not_yet, "(!(b2bPasscodeUntil>=%s))", until);
	code = bd_link_modify(&bd->link, notice->guest, changes, 3, not_yet);
	if (code == LDAP_SUCCESS ||
	    (code == LDAP_ASSERTION_FAILED && may_see_until(bd, notice->guest)))
		return BD_DONE;
	b2b_error_set(error, "the code cannot be stored in \"%s\": %s", notice->guest,
		      bd_link_text(&bd->link, code));
	if (code == LDAP_NO_SUCH_OBJECT)
		return BD_MOOT;
	return bd_link_is_lost(code) ? BD_LOST : BD_UNCLEAR;
}

static enum bd_fate make_code(struct bd *bd, const struct bd_notice *notice, struct bd_facts *facts,
			      struct b2b_error *error)
{
	struct mail_values *values = &facts->order.values;

	if (want_key(bd, error) != BD_DONE)
		return BD_UNCLEAR;
	if (time(NULL) - notice->created > B2B_PASSCODE_SECS) {
		b2b_error_set(error, "older than a code may be");
		return BD_MOOT;
	}
	if (!notice->guest) {
		b2b_error_set(error, "b2bNoticeGuest: no value");
		return BD_REFUSED;
	}
	if (b2b_passcode_make(bd->mint, b2b_str_of(notice->cn), facts->code) != B2B_OK)
		return BD_UNCLEAR;
	snprintf(facts->minutes, sizeof facts->minutes, "%d", B2B_PASSCODE_SECS / 60);
	mail_values_put(values, "code", b2b_str_of(facts->code));
	mail_values_put(values, "minutes", b2b_str_of(facts->minutes));
	return store_hash(bd, notice, facts->code, error);
}

static bool put_members(const struct bd_notice *notice, struct bd_facts *facts)
{
	struct mail_values *values = &facts->order.values;
	struct b2b_str guest = member(notice, "guestMail");
	const char *name;
	json_t *value;
	bool room = true;

	if (b2b_str_equal_nocase(guest, b2b_str_of(notice->to)))
		mail_values_put(values, "self", b2b_str_of("yes"));
	for (size_t i = 0; i < sizeof time_names / sizeof *time_names; i++) {
		if (member(notice, time_names[i]).len == 0)
			continue;
		mail_put_time(&facts->times[i], member(notice, time_names[i]));
		mail_values_put(values, time_names[i],
				(struct b2b_str){ facts->times[i].s, facts->times[i].len });
	}
	json_object_foreach (notice->data, name, value)
		room = room && mail_values_put(values, name, member(notice, name));
	return room;
}

enum bd_fate bd_facts_make(struct bd *bd, const struct bd_notice *notice, struct bd_facts *facts,
			   struct b2b_error *error)
{
	enum bd_fate fate = BD_DONE;

	*facts = (struct bd_facts){ .order = { .id = notice->cn,
					       .type = notice->type,
					       .to = notice->to,
					       .name = notice->name,
					       .languages = notice->language,
					       .fallback = bd->config->language,
					       .domain = bd->config->domain,
					       .from = &bd->config->sender,
					       .now = time(NULL) } };
	/* Ours come first: what comes later does not replace them. */
	if (strcasecmp(notice->type, "invitation") == 0)
		fate = make_ticket(bd, notice, facts, error);
	else if (strcasecmp(notice->type, "passcode") == 0)
		fate = make_code(bd, notice, facts, error);
	if (fate == BD_DONE && !put_members(notice, facts)) {
		b2b_error_set(error, "b2bNoticeData: too many members");
		fate = BD_REFUSED;
	}
	return fate;
}

void bd_facts_clear(struct bd_facts *facts)
{
	mail_text_clear(&facts->url);
	for (size_t i = 0; i < sizeof facts->times / sizeof *facts->times; i++)
		mail_text_clear(&facts->times[i]);
	OPENSSL_cleanse(facts, sizeof *facts);
}
