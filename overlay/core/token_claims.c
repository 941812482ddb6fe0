/*
 * token_claims.c - the claims of a token: when, for whom, who, and how home made sure.
 * In: claims as a JSON object; the partner's settings.
 * Out: struct b2b_identity; what the partner's settings or a standard demand and is not there is
 * refused, what is merely told and cannot be read is not known.
 */
#include "token_parts.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATE_LIMIT 9007199254740992.0 /* 2^53: below, a double is exact to the second */
#define TEXT_BYTES_MAX 1024u
#define GROUPS_MAX 1000u
#define SHA256_BYTES 32u

/* Jansson lets no string with a NUL through. */
static bool equals(const json_t *value, const char *text)
{
	return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static bool has_value(const json_t *value, const char *text)
{
	char number[32];

	switch (json_typeof(value)) {
	case JSON_STRING:
		return equals(value, text);
	case JSON_TRUE:
		return strcmp(text, "true") == 0;
	case JSON_FALSE:
		return strcmp(text, "false") == 0;
	case JSON_INTEGER:
		snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return strcmp(text, number) == 0;
	case JSON_REAL:
	case JSON_NULL:
	case JSON_ARRAY:
	case JSON_OBJECT:
	default:
		return false;
	}
}

bool b2b_token_has_claim(const json_t *claims, const struct b2b_claim *claim)
{
	const json_t *value = json_object_get(claims, claim->name);

	if (!value)
		return false;
	if (!json_is_array(value))
		return has_value(value, claim->value);
	for (size_t i = 0; i < json_array_size(value); i++)
		if (has_value(json_array_get(value, i), claim->value))
			return true;
	return false;
}

static bool has_any_claim(const json_t *claims, const struct b2b_claims *wanted)
{
	for (size_t i = 0; i < wanted->count; i++)
		if (b2b_token_has_claim(claims, &wanted->list[i]))
			return true;
	return false;
}

/* A text of 1 to 1024 bytes without control characters (Unicode: Cc). */
static bool is_plain(const json_t *value)
{
	const unsigned char *s = (const unsigned char *)json_string_value(value);
	size_t length = json_string_length(value);

	if (length == 0 || length > TEXT_BYTES_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (s[i] < 0x20 || s[i] == 0x7f || (s[i] == 0xc2 && s[i + 1] < 0xa0))
			return false;
	return true;
}

static enum b2b_err copy(const json_t *value, char **copy_r)
{
	*copy_r = b2b_str_dup(
		(struct b2b_str){ json_string_value(value), json_string_length(value) });
	return *copy_r ? B2B_OK : B2B_ERR_MEMORY;
}

/* A NumericDate (RFC 7519, 2): seconds, with a fraction or without; 0 where there is none. */
static enum b2b_err read_date(const struct b2b_token_matter *matter, const char *name,
			      double *date_r)
{
	const json_t *value = json_object_get(matter->claims, name);
	double date = json_number_value(value);

	*date_r = 0;
	if (!value)
		return B2B_OK;
	/* what is no number has the value 0 */
	if (!(date > 0 && date < DATE_LIMIT))
		return b2b_error_set(matter->why, "its %s is not a moment", name);
	*date_r = date;
	return B2B_OK;
}

/* A moment that must not lie in the future. */
static enum b2b_err read_past(const struct b2b_token_matter *matter, const char *name,
			      double *date_r)
{
	enum b2b_err err = read_date(matter, name, date_r);

	if (err == B2B_OK && *date_r > (double)matter->now + B2B_TOKEN_LEEWAY_SECS)
		err = b2b_error_set(matter->why, "its %s is in the future", name);
	return err;
}

static enum b2b_err fill_times(const struct b2b_token_matter *matter, struct b2b_identity *identity)
{
	double now = (double)matter->now, expires, not_before, issued, authenticated;
	enum b2b_err err = read_date(matter, "exp", &expires);

	if (err == B2B_OK && expires == 0)
		err = b2b_error_set(matter->why, "it has no exp");
	if (err == B2B_OK && now >= expires + B2B_TOKEN_LEEWAY_SECS)
		err = b2b_error_set(matter->why, "it has expired");
	if (err == B2B_OK)
		err = read_past(matter, "nbf", &not_before);
	if (err == B2B_OK)
		err = read_past(matter, "iat", &issued);
	if (err == B2B_OK)
		err = read_past(matter, "auth_time", &authenticated);
	if (err != B2B_OK)
		return err;
	if (expires <= issued)
		return b2b_error_set(matter->why, "it expired before it was issued");
	if (authenticated == 0)
		authenticated = issued;
	identity->expires = (time_t)expires;
	identity->authenticated = (time_t)(authenticated < now ? authenticated : now);
	return B2B_OK;
}

/* One audience of a token.  What is no text is none of ours. */
static enum b2b_err see_audience(const struct b2b_token_matter *matter, const json_t *audience,
				 struct b2b_identity *identity, bool *ours)
{
	const struct b2b_token_settings *settings = &matter->partner->u.partner.token;
	struct b2b_str text = { json_string_value(audience), json_string_length(audience) };
	const struct b2b_rule *app = b2b_snapshot_app_by_audience(matter->snapshot, text);

	for (size_t i = 0; i < settings->audience_count && !*ours; i++)
		*ours = equals(audience, settings->audiences[i]);
	if (!app)
		return B2B_OK;
	*ours = true;
	if (identity->app && identity->app != app)
		return b2b_error_set(matter->why, "its audiences are several applications");
	identity->app = app;
	return B2B_OK;
}

static enum b2b_err see_audiences(const struct b2b_token_matter *matter, const json_t *list,
				  struct b2b_identity *identity)
{
	enum b2b_err err = B2B_OK;
	bool ours = false;

	if (json_is_string(list))
		err = see_audience(matter, list, identity, &ours);
	for (size_t i = 0; err == B2B_OK && i < json_array_size(list); i++) {
		if (!json_is_string(json_array_get(list, i)))
			return b2b_error_set(matter->why, "one of its audiences is no text");
		err = see_audience(matter, json_array_get(list, i), identity, &ours);
	}
	if (err == B2B_OK && !ours)
		err = b2b_error_set(matter->why, "its audience is not ours");
	return err;
}

/* RFC 7519, 4.1.3; OpenID Connect Core 1.0, 3.1.3.7, 3 to 5. */
static enum b2b_err fill_audience(const struct b2b_token_matter *matter,
				  struct b2b_identity *identity)
{
	const json_t *list = json_object_get(matter->claims, "aud");
	const json_t *party = json_object_get(matter->claims, "azp");
	enum b2b_err err = see_audiences(matter, list, identity);
	bool ours = false;

	if (err != B2B_OK)
		return err;
	if (!party && json_array_size(list) > 1)
		return b2b_error_set(matter->why, "it has several audiences and no azp");
	if (!party)
		return B2B_OK;
	err = see_audience(matter, party, identity, &ours);
	if (err == B2B_OK && !ours)
		err = b2b_error_set(matter->why, "its azp is not ours");
	return err;
}

static enum b2b_err fill_subject(const struct b2b_token_matter *matter,
				 struct b2b_identity *identity)
{
	const char *name = matter->partner->u.partner.token.subject_claim;
	const json_t *subject = json_object_get(matter->claims, name);

	if (!is_plain(subject))
		return b2b_error_set(matter->why,
				     "its subject claim is not a text of 1 to %u bytes without "
				     "control characters",
				     TEXT_BYTES_MAX);
	return copy(subject, &identity->subject);
}

/* A token that only its holder may use, or that tells of something else than a sign-in. */
static enum b2b_err check_kind(const struct b2b_token_matter *matter)
{
	if (json_object_get(matter->claims, "cnf"))
		return b2b_error_set(matter->why, "it is bound to a key (cnf)");
	if (json_object_get(matter->claims, "events"))
		return b2b_error_set(matter->why, "it is a security event");
	return B2B_OK;
}

/* OpenID Connect Core 1.0, 5.1; xms_edov is how Entra ID says that the domain's owner vouches. */
static bool is_email_verified(const json_t *claims)
{
	const json_t *verified = json_object_get(claims, "email_verified");
	const json_t *vouched = json_object_get(claims, "xms_edov");

	if (verified)
		return json_is_true(verified) || equals(verified, "true");
	return json_is_true(vouched) || equals(vouched, "true") || equals(vouched, "1") ||
	       (json_is_integer(vouched) && json_integer_value(vouched) == 1);
}

static enum b2b_err fill_email(const struct b2b_token_matter *matter, struct b2b_identity *identity)
{
	const json_t *email = json_object_get(matter->claims, "email");

	if (!is_plain(email) || !is_email_verified(matter->claims))
		return B2B_OK;
	return copy(email, &identity->email);
}

/* Entra ID leaves groups out where there are too many, and says so. */
static bool are_groups_elsewhere(const json_t *claims, const char *name)
{
	const json_t *elsewhere = json_object_get(claims, "_claim_names");
	const json_t *has = json_object_get(claims, "hasgroups");

	return (elsewhere && (!json_is_object(elsewhere) || json_object_get(elsewhere, name))) ||
	       (has && !json_is_false(has));
}

/* The number of groups and the bytes of all with their NULs; false unless all are texts. */
static bool measure_groups(const json_t *groups, size_t *count_r, size_t *bytes_r)
{
	*count_r = json_is_string(groups) ? 1 : json_array_size(groups);
	*bytes_r = json_is_string(groups) ? json_string_length(groups) + 1 : 0;
	if (*count_r > GROUPS_MAX)
		return false;
	for (size_t i = 0; i < json_array_size(groups); i++) {
		const json_t *group = json_array_get(groups, i);

		if (!json_is_string(group))
			return false;
		*bytes_r += json_string_length(group) + 1;
	}
	return json_is_string(groups) || json_is_array(groups);
}

static enum b2b_err fill_groups(const struct b2b_token_matter *matter,
				struct b2b_identity *identity)
{
	const char *name = matter->partner->u.partner.token.groups_claim;
	const json_t *groups = json_object_get(matter->claims, name);
	size_t count, bytes;
	char *at;

	if (are_groups_elsewhere(matter->claims, name) || !measure_groups(groups, &count, &bytes))
		return B2B_OK;
	/* one block: the list, and behind it the texts */
	identity->groups = malloc(count * sizeof *identity->groups + bytes + 1);
	if (!identity->groups)
		return B2B_ERR_MEMORY;
	at = (char *)(identity->groups + count);
	for (size_t i = 0; i < count; i++) {
		const json_t *group = json_is_string(groups) ? groups : json_array_get(groups, i);
		struct b2b_str *copied = &identity->groups[i];

		copied->s = at;
		copied->len = json_string_length(group);
		memcpy(at, json_string_value(group), copied->len + 1);
		at += copied->len + 1;
	}
	identity->group_count = count;
	identity->groups_known = true;
	return B2B_OK;
}

static unsigned out_bit(const json_t *word)
{
	if (equals(word, "collaboration"))
		return B2B_OUT_COLLAB;
	return equals(word, "direct") ? B2B_OUT_DIRECT : 0;
}

/* A text alone is a list of one; words that are not known permit nothing. */
static unsigned read_out(const json_t *claims)
{
	const json_t *list = json_object_get(claims, "b2b_out");
	unsigned out = out_bit(list);

	if (!list)
		return B2B_OUT_ALL;
	for (size_t i = 0; i < json_array_size(list); i++)
		out |= out_bit(json_array_get(list, i));
	return out;
}

static enum b2b_err write_hash(struct b2b_str text, char id_r[2 * SHA256_BYTES + 1])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned length = 0;

	if (EVP_Digest(text.s, text.len, hash, &length, EVP_sha256(), NULL) != 1 ||
	    length != SHA256_BYTES)
		return B2B_ERR_MEMORY;
	for (size_t i = 0; i < SHA256_BYTES; i++)
		snprintf(id_r + 2 * i, 3, "%02x", (unsigned)hash[i]);
	return B2B_OK;
}

/* The signature is left out of the hash: of an ECDSA signature anyone can make a second one. */
static enum b2b_err fill_id(const struct b2b_token_matter *matter, struct b2b_identity *identity)
{
	const json_t *jti = json_object_get(matter->claims, "jti");
	char hash[2 * SHA256_BYTES + 1] = "", *id = NULL;
	bool named = is_plain(jti);

	if (!named && write_hash(matter->signed_text, hash) != B2B_OK)
		return B2B_ERR_MEMORY;
	if (asprintf(&id, "%s%s",
		     named ? "jti:" : "sha256:", named ? json_string_value(jti) : hash) < 0)
		return B2B_ERR_MEMORY;
	identity->id = id;
	return B2B_OK;
}

enum b2b_err b2b_token_fill(const struct b2b_token_matter *matter, struct b2b_identity *identity)
{
	static enum b2b_err (*const parts[])(const struct b2b_token_matter *,
					     struct b2b_identity *) = {
		fill_times, fill_audience, fill_subject, fill_email, fill_groups, fill_id,
	};
	const struct b2b_token_settings *settings = &matter->partner->u.partner.token;
	enum b2b_err err = B2B_OK;

	for (size_t i = 0; err == B2B_OK && i < sizeof parts / sizeof *parts; i++)
		err = parts[i](matter, identity);
	if (err == B2B_OK)
		err = check_kind(matter);
	identity->out = read_out(matter->claims);
	identity->out_said = json_object_get(matter->claims, "b2b_out") != NULL;
	identity->mfa = has_any_claim(matter->claims, &settings->mfa);
	identity->compliant_device = has_any_claim(matter->claims, &settings->compliant_device);
	identity->hybrid_joined = has_any_claim(matter->claims, &settings->hybrid_joined);
	return err;
}
