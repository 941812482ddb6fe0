/*
 * bd_notice.c - reads an entry of cn=outbox.
 * In: the entry, as slapd sends it; nothing in it is trusted.
 * Out: struct bd_notice.
 */
#include "bd.h"

#include "../overlay/core/text.h"

#include <stdlib.h>
#include <string.h>

/* NULL where there is no value, and where it holds a NUL, which makes *good false. */
static char *take_text(LDAP *ld, LDAPMessage *entry, const char *attribute, bool *good,
		       struct b2b_error *error)
{
	struct berval **values = ldap_get_values_len(ld, entry, attribute);
	char *text = NULL;

	if (values && values[0]) {
		if (!memchr(values[0]->bv_val, '\0', values[0]->bv_len)) {
			text = bd_copy(values[0]->bv_val, values[0]->bv_len);
		} else {
			b2b_error_set(error, "%s: a NUL in the value", attribute);
			*good = false;
		}
	}
	ldap_value_free_len(values);
	return text;
}

static bool take_data(const char *text, json_t **data_r, struct b2b_error *error)
{
	json_error_t fault;
	const char *key;
	json_t *value;

	*data_r = text ? json_loads(text, JSON_REJECT_DUPLICATES, &fault) : json_object();
	if (!json_is_object(*data_r)) {
		b2b_error_set(error, "b2bNoticeData: no JSON object");
		return false;
	}
	json_object_foreach (*data_r, key, value) {
		if (!json_is_string(value)) {
			b2b_error_set(error, "b2bNoticeData: \"%s\" is no string", key);
			return false;
		}
	}
	return true;
}

static bool take_rest(LDAP *ld, LDAPMessage *entry, struct bd_notice *notice,
		      struct b2b_error *error)
{
	bool good = true;
	char *created = take_text(ld, entry, "createTimestamp", &good, error);
	char *attempts = take_text(ld, entry, "b2bNoticeAttempts", &good, error);
	char *data = take_text(ld, entry, "b2bNoticeData", &good, error);

	good = good && take_data(data, &notice->data, error);
	if (!created || b2b_time_parse(b2b_str_of(created), &notice->created) != B2B_OK)
		notice->created = 0;
	if (!attempts ||
	    b2b_number_parse(b2b_str_of(attempts), 0, 999999999, &notice->attempts) != B2B_OK)
		notice->attempts = 0;
	free(attempts);
	free(created);
	free(data);
	return good;
}

bool bd_notice_read(LDAP *ld, LDAPMessage *entry, struct bd_notice *notice, struct b2b_error *error)
{
	const struct {
		const char *attribute;
		char **text;
		bool must;
	} rows[] = {
		{ "b2bNoticeState", &notice->state, false },
		{ "cn", &notice->cn, true },
		{ "b2bNoticeType", &notice->type, true },
		{ "b2bNoticeTo", &notice->to, true },
		{ "b2bNoticeName", &notice->name, false },
		{ "b2bNoticeLanguage", &notice->language, false },
		{ "b2bNoticeGuest", &notice->guest, false },
	};
	char *dn = ldap_get_dn(ld, entry);
	bool good = true;

	*notice = (struct bd_notice){ .dn = bd_copy(dn ? dn : "", dn ? strlen(dn) : 0) };
	ldap_memfree(dn);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		*rows[i].text = take_text(ld, entry, rows[i].attribute, &good, error);
		if (good && rows[i].must && !*rows[i].text) {
			b2b_error_set(error, "%s: no value", rows[i].attribute);
			good = false;
		}
	}
	return take_rest(ld, entry, notice, error) && good;
}

void bd_notice_clear(struct bd_notice *notice)
{
	free(notice->dn);
	free(notice->cn);
	free(notice->type);
	free(notice->to);
	free(notice->name);
	free(notice->language);
	free(notice->guest);
	free(notice->state);
	json_decref(notice->data);
	*notice = (struct bd_notice){ NULL };
}
