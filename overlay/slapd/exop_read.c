/*
 * exop_read.c - what stands in the request of an extended operation of ours.
 * In: a JSON object of a client's.  Out: texts, lists of texts, names, times; or a refusal that
 * names member and value.
 */
#include "life.h"

#define LIST_MAX 64

static int refuse(struct b2b_exop *exop, int err, const char *member, const char *what)
{
	struct b2b_error error = { "" };

	b2b_error_set(&error, "%s: %s", member, what);
	return b2b_exop_refuse_with(exop, err, &error);
}

static int refuse_value(struct b2b_exop *exop, int err, const char *member, const char *value,
			const char *what)
{
	struct b2b_error error = { "" };

	b2b_error_set(&error, "%s: value \"%.128s\" %s", member, value, what);
	return b2b_exop_refuse_with(exop, err, &error);
}

int b2b_exop_text(struct b2b_exop *exop, const char *member, const char **text_r)
{
	json_t *value = json_object_get(exop->in, member);

	*text_r = NULL;
	if (!value)
		return LDAP_SUCCESS;
	if (!json_is_string(value) || !json_string_length(value))
		return refuse(exop, LDAP_PROTOCOL_ERROR, member,
			      "a text that is not empty is wanted");
	*text_r = json_string_value(value);
	return LDAP_SUCCESS;
}

int b2b_exop_texts(struct b2b_exop *exop, const char *member, struct b2b_str **list_r,
		   size_t *count_r)
{
	json_t *value = json_object_get(exop->in, member), *one;
	size_t i, count = json_is_array(value) ? json_array_size(value) : value != NULL;
	struct b2b_str *list;

	*count_r = 0;
	*list_r = list =
		exop->op->o_tmpcalloc(count + 1, sizeof(struct b2b_str), exop->op->o_tmpmemctx);
	if (!value)
		return LDAP_SUCCESS;
	if (count > LIST_MAX)
		return refuse(exop, LDAP_PROTOCOL_ERROR, member, "too many values");
	for (i = 0; i < count; i++) {
		one = json_is_array(value) ? json_array_get(value, i) : value;
		if (!json_is_string(one) || !json_string_length(one))
			return refuse(exop, LDAP_PROTOCOL_ERROR, member,
				      "a text or a list of texts is wanted, none of them empty");
		list[i] = (struct b2b_str){ json_string_value(one), json_string_length(one) };
	}
	*count_r = count;
	return LDAP_SUCCESS;
}

static int normalise(struct b2b_exop *exop, const char *member, struct b2b_str text,
		     struct berval *ndn_r)
{
	struct berval dn = { text.len, (char *)text.s };

	if (dnNormalize(0, NULL, NULL, &dn, ndn_r, exop->op->o_tmpmemctx) == LDAP_SUCCESS &&
	    !BER_BVISEMPTY(ndn_r))
		return LDAP_SUCCESS;
	BER_BVZERO(ndn_r);
	return refuse_value(exop, LDAP_INVALID_DN_SYNTAX, member, text.s, "is no DN");
}

int b2b_exop_dn(struct b2b_exop *exop, const char *member, struct berval *ndn_r)
{
	const char *text;
	int rc = b2b_exop_text(exop, member, &text);

	BER_BVZERO(ndn_r);
	if (rc != LDAP_SUCCESS || !text)
		return rc;
	return normalise(exop, member, b2b_str_of(text), ndn_r);
}

int b2b_exop_dns(struct b2b_exop *exop, const char *member, struct berval **list_r)
{
	struct b2b_str *texts;
	size_t count;
	int rc = b2b_exop_texts(exop, member, &texts, &count);

	*list_r = exop->op->o_tmpcalloc(count + 1, sizeof(struct berval), exop->op->o_tmpmemctx);
	for (size_t i = 0; rc == LDAP_SUCCESS && i < count; i++)
		rc = normalise(exop, member, texts[i], &(*list_r)[i]);
	return rc;
}

/* --- times --- */

/* "2026-01-31T12:00:00.5+01:00" (RFC 3339, 5.6) as "20260131120000.5+0100"; anything else as it
 * stands. */
static void without_marks(const char *text, char *plain_r, size_t size)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	size_t used = 0;

	for (size_t i = 0; i < sizeof(shape) - 1; i++) {
		bool digit = text[i] >= '0' && text[i] <= '9';

		if (shape[i] == 'd' ? !digit : text[i] != shape[i]) {
			snprintf(plain_r, size, "%s", text);
			return;
		}
	}
	for (size_t i = 0; text[i] && used + 1 < size; i++) {
		bool mark = i < sizeof(shape) - 1 ? shape[i] != 'd' : text[i] == ':';

		if (!mark)
			plain_r[used++] = text[i];
	}
	plain_r[used] = '\0';
}

int b2b_exop_time(struct b2b_exop *exop, const char *member, time_t *when_r)
{
	const char *text;
	char plain[64];
	int rc = b2b_exop_text(exop, member, &text);

	*when_r = 0;
	if (rc != LDAP_SUCCESS || !text)
		return rc;
	without_marks(text, plain, sizeof(plain));
	if (strlen(text) >= sizeof(plain) || b2b_time_parse(b2b_str_of(plain), when_r) != B2B_OK)
		return refuse_value(exop, LDAP_PROTOCOL_ERROR, member, text,
				    "is no time such as 20300131120000Z or 2030-01-31T12:00:00Z");
	return LDAP_SUCCESS;
}
