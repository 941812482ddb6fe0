/*
 * jose_jws.c - takes a compact JWS apart (RFC 7515, 5.2, steps 1 to 7).
 * In: a token of any origin.
 * Out: its algorithm, key id, payload and signature, to jose_check.c and token.c; nothing verified.
 */
#include "jose_parts.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

struct parts {
	struct b2b_str header, payload, signature;
};

static bool split(struct b2b_str token, struct parts *parts_r)
{
	const char *first = token.len ? memchr(token.s, '.', token.len) : NULL, *second, *end;

	if (!first)
		return false;
	end = token.s + token.len;
	second = memchr(first + 1, '.', (size_t)(end - first - 1));
	if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
		return false;
	parts_r->header = (struct b2b_str){ token.s, (size_t)(first - token.s) };
	parts_r->payload = (struct b2b_str){ first + 1, (size_t)(second - first - 1) };
	parts_r->signature = (struct b2b_str){ second + 1, (size_t)(end - second - 1) };
	return true;
}

static bool is_typ_of_token(struct b2b_str typ)
{
	const struct b2b_str prefix = b2b_str_of("application/");
	struct b2b_str start = { typ.s, prefix.len };

	if (typ.len > prefix.len && b2b_str_equal_nocase(start, prefix)) {
		typ.s += prefix.len;
		typ.len -= prefix.len;
	}
	return b2b_str_equal_nocase(typ, b2b_str_of("JWT")) ||
	       b2b_str_equal_nocase(typ, b2b_str_of("at+jwt"));
}

/* Keys that the token brings along, and what would change what is signed. */
static enum b2b_err refuse_members(const json_t *header, struct b2b_error *why)
{
	static const char *const members[] = { "crit", "jwk", "jku", "x5u", "x5c", "zip", "b64" };

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (json_object_get(header, members[i]))
			return b2b_error_set(why, "its header has %s", members[i]);
	return B2B_OK;
}

/* kid_room: for the kid and its NUL; the header's own text has more. */
static enum b2b_err read_header(const json_t *header, char *kid_room, struct b2b_jws *jws,
				struct b2b_error *why)
{
	const json_t *alg = json_object_get(header, "alg"), *kid = json_object_get(header, "kid");
	const json_t *typ = json_object_get(header, "typ");
	struct b2b_str alg_text = { json_string_value(alg), json_string_length(alg) };
	struct b2b_str typ_text = { json_string_value(typ), json_string_length(typ) };

	if (!json_is_object(header))
		return b2b_error_set(why, "its header is no JSON object");
	if (refuse_members(header, why) != B2B_OK)
		return B2B_ERR_INVALID;
	if (kid && !json_is_string(kid))
		return b2b_error_set(why, "its header has a kid that is no text");
	if (typ && !json_is_string(typ))
		return b2b_error_set(why, "its header has a typ that is no text");
	jws->alg = b2b_alg_find(alg_text);
	if (jws->alg == B2B_ALG_NONE)
		return b2b_error_set(why, "its header has no algorithm that we know");
	jws->typ_fits = !typ || is_typ_of_token(typ_text);
	if (kid) {
		memcpy(kid_room, json_string_value(kid), json_string_length(kid) + 1);
		jws->kid = kid_room;
		jws->has_kid = true;
	}
	return B2B_OK;
}

/* One block for all: the header, which the kid later replaces; the payload and a NUL; the
 * signature. */
static enum b2b_err decode(const struct parts *parts, struct b2b_jws *jws, struct b2b_error *why)
{
	size_t header_len = b2b_jose_decoded_len(parts->header.len);
	uint8_t *block;

	jws->payload_len = b2b_jose_decoded_len(parts->payload.len);
	jws->signature_len = b2b_jose_decoded_len(parts->signature.len);
	block = malloc(header_len + jws->payload_len + 1 + jws->signature_len);
	if (!block)
		return B2B_ERR_MEMORY;
	jws->block = block;
	jws->payload = (char *)block + header_len;
	jws->payload[jws->payload_len] = '\0';
	jws->signature = block + header_len + jws->payload_len + 1;
	if (!b2b_jose_decode(parts->header, block) ||
	    !b2b_jose_decode(parts->payload, block + header_len) ||
	    !b2b_jose_decode(parts->signature, jws->signature))
		return b2b_error_set(why, "it has a part that is not canonical base64url");
	return B2B_OK;
}

static enum b2b_err take_apart(struct b2b_str token, struct b2b_jws *jws, struct b2b_error *why)
{
	struct b2b_str header_text;
	json_t *header = NULL;
	struct parts parts;
	enum b2b_err err;

	if (token.len > B2B_TOKEN_MAX_BYTES)
		return b2b_error_set(why, "it has more than %u bytes", B2B_TOKEN_MAX_BYTES);
	if (!split(token, &parts))
		return b2b_error_set(why, "it is not three parts with dots between them");
	if (parts.header.len == 0 || parts.signature.len == 0)
		return b2b_error_set(why, "it has no header or no signature");
	err = decode(&parts, jws, why);
	if (err != B2B_OK)
		return err;
	jws->signing_input.s = token.s;
	jws->signing_input.len = token.len - parts.signature.len - 1;
	header_text.s = jws->block;
	header_text.len = b2b_jose_decoded_len(parts.header.len);
	err = b2b_jose_json(header_text, &header, NULL);
	if (err == B2B_ERR_INVALID)
		return b2b_error_set(why, "its header is not strict JSON");
	if (err == B2B_OK)
		err = read_header(header, jws->block, jws, why);
	json_decref(header);
	return err;
}

enum b2b_err b2b_jws_parse(struct b2b_str token, struct b2b_jws *jws_r, struct b2b_error *why)
{
	enum b2b_err err;

	memset(jws_r, 0, sizeof *jws_r);
	err = take_apart(token, jws_r, why);
	if (err != B2B_OK)
		b2b_jws_clear(jws_r);
	return err;
}

void b2b_jws_clear(struct b2b_jws *jws)
{
	free(jws->block);
	memset(jws, 0, sizeof *jws);
}
