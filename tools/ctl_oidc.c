/*
 * ctl_oidc.c - reads a provider's discovery document (OpenID Connect Discovery 1.0) and key set.
 * In: URLs or files.
 * Out: issuer, where the keys are, algorithms; a cleaned key set.
 */
#include "ctl_oidc.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WELL_KNOWN "/.well-known/openid-configuration"

static bool ends_with(const char *text, const char *end)
{
	size_t bytes = strlen(text), end_bytes = strlen(end);

	return bytes >= end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

/* The URL in front of the well-known part, without a '/' at its end (Discovery 1.0, 4). */
static char *issuer_part(const char *url)
{
	size_t bytes = strlen(url);

	if (ends_with(url, WELL_KNOWN))
		bytes -= strlen(WELL_KNOWN);
	else if (bytes > 0 && url[bytes - 1] == '/')
		bytes--;
	return ctl_format("%.*s", (int)bytes, url);
}

/* Whether the issuer is the one whose document stands at that URL (Discovery 1.0, 4.3); the '/' that
 * some providers end it with does not change where that is. */
static bool is_issuer_of(const char *issuer, const char *part)
{
	size_t bytes = strlen(part);

	return strncmp(issuer, part, bytes) == 0 &&
	       (issuer[bytes] == '\0' || strcmp(issuer + bytes, "/") == 0);
}

static int check_issuer(const char *place, const char *part, const char *issuer,
			struct ctl_url *url_r)
{
	if (strcasestr(issuer, "{tenantid}"))
		return ctl_fail("%s: the issuer \"%s\" is a template that stands for all tenants "
				"of the provider; use the URL of the tenant itself, with its id in "
				"place of common or organizations",
				place, issuer);
	if (ctl_url_check(issuer, url_r) != CTL_DONE)
		return ctl_fail("%s: its issuer is not acceptable", place);
	if (url_r->query)
		return ctl_fail("%s: the issuer \"%s\" has a query", place, issuer);
	if (part && !is_issuer_of(issuer, part))
		return ctl_fail("%s: the issuer \"%s\" is not the one whose document this is "
				"(\"%s\")",
				place, issuer, part);
	return CTL_DONE;
}

static void take_algs(const json_t *names, struct ctl_provider *provider)
{
	size_t index;
	json_t *name;

	provider->names_algs = json_is_array(names);
	json_array_foreach (names, index, name) {
		struct b2b_str text = { json_string_value(name), json_string_length(name) };

		if (text.s)
			provider->algs |= (unsigned)b2b_alg_find(text);
	}
}

static int take_document(const char *place, const char *part, const json_t *document,
			 struct ctl_provider *provider)
{
	const char *issuer = json_string_value(json_object_get(document, "issuer"));
	const char *uri = json_string_value(json_object_get(document, "jwks_uri"));
	const json_t *algs = json_object_get(document, "id_token_signing_alg_values_supported");
	struct ctl_url issuer_url = { 0 }, keys_url = { 0 };

	if (!issuer || !*issuer)
		return ctl_fail("%s: names no issuer", place);
	if (check_issuer(place, part, issuer, &issuer_url) != CTL_DONE)
		return CTL_FAILED;
	if (!uri || !*uri)
		return ctl_fail("%s: names no jwks_uri", place);
	if (ctl_url_check(uri, &keys_url) != CTL_DONE)
		return ctl_fail("%s: its jwks_uri is not acceptable", place);
	/* what is published with TLS does not send us to where there is none */
	if (keys_url.http && !issuer_url.http)
		return ctl_fail("%s: the jwks_uri \"%s\" is not https:// as the issuer is", place,
				uri);
	if (algs && !json_is_array(algs))
		return ctl_fail("%s: id_token_signing_alg_values_supported is not a list", place);
	provider->issuer = ctl_format("%s", issuer);
	provider->jwks_uri = ctl_format("%s", uri);
	take_algs(algs, provider);
	return CTL_DONE;
}

static int parse_document(const char *place, const char *part, struct b2b_str text,
			  struct ctl_provider *provider)
{
	json_error_t error;
	json_t *document = json_loadb(text.s, text.len, JSON_REJECT_DUPLICATES, &error);
	int result;

	if (!document)
		return ctl_fail("%s: not JSON: line %d: %s", place, error.line, error.text);
	result = json_is_object(document) ? take_document(place, part, document, provider)
					  : ctl_fail("%s: not a discovery document", place);
	json_decref(document);
	return result;
}

int ctl_provider_read(const char *place, const struct ctl_fetch *how,
		      struct ctl_provider *provider_r)
{
	char *part = ctl_is_url(place) ? issuer_part(place) : NULL;
	char *url = part ? ctl_format("%s" WELL_KNOWN, part) : ctl_format("%s", place);
	struct ctl_url kind = { 0 };
	char *text = NULL;
	size_t bytes = 0;
	int result = CTL_DONE;

	*provider_r = (struct ctl_provider){ 0 };
	if (part)
		result = ctl_url_check(url, &kind);
	if (result == CTL_DONE && (kind.query || (part && strchr(part, '?'))))
		result = ctl_fail("%s: an issuer's URL has no query", place);
	if (result == CTL_DONE)
		result = ctl_document(url, how, &text, &bytes);
	if (result == CTL_DONE)
		result = parse_document(url, part, (struct b2b_str){ text, bytes }, provider_r);
	free(text);
	free(url);
	free(part);
	return result;
}

void ctl_provider_clear(struct ctl_provider *provider)
{
	free(provider->issuer);
	free(provider->jwks_uri);
	*provider = (struct ctl_provider){ 0 };
}

struct notes {
	const char *place;
	struct ctl_list *list;
};

static void note_left_out(void *ctx, const char *which, const char *why)
{
	struct notes *notes = ctx;
	struct ctl_list *list = notes->list;

	list->values = ctl_grow(list->values, list->count, sizeof *list->values);
	list->values[list->count++] =
		ctl_format("%s: key %s is left out: %s", notes->place, which, why);
}

void ctl_notes_clear(struct ctl_list *notes, bool quiet)
{
	for (size_t i = 0; i < notes->count; i++) {
		if (!quiet)
			ctl_note("%s", notes->values[i]);
		free(notes->values[i]);
	}
	free(notes->values);
	*notes = (struct ctl_list){ 0 };
}

int ctl_keys_read(const char *place, const struct ctl_fetch *how, char **keys_r,
		  struct ctl_list *notes_r)
{
	struct notes notes = { place, notes_r };
	struct b2b_error error = { "" };
	char *text = NULL;
	size_t bytes = 0;
	enum b2b_err err;

	*keys_r = NULL;
	if (ctl_document(place, how, &text, &bytes) != CTL_DONE)
		return CTL_FAILED;
	err = b2b_jwks_clean((struct b2b_str){ text, bytes }, note_left_out, &notes, keys_r,
			     &error);
	free(text);
	if (err != B2B_OK)
		return ctl_fail("%s: %s", place,
				err == B2B_ERR_MEMORY ? "out of memory" : error.text);
	return CTL_DONE;
}
