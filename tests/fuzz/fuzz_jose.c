/*
 * fuzz_jose.c - throws bytes at the readers of key sets and of signed tokens.
 * In: bytes; the first says which reader ('p'arse, 'c'lean, 'h'eader, 't'oken), the rest is the
 * text.
 * Out: nothing, unless a promise of jose.h is broken: then it aborts.
 */
#include "jose.h"
#include "text.h"
#include "fuzz_main.h"

#include "../unit/jose_vectors.h"

static const char *const tokens[] = { RFC7515_A2_TOKEN, RFC7515_A3_TOKEN, RFC7515_A4_TOKEN,
				      RFC7520_41_TOKEN, RFC7520_42_TOKEN, RFC7520_43_TOKEN,
				      RFC8037_TOKEN };
static const char set[] =
	SET(RFC7515_A2_KEY "," RFC7515_A3_KEY "," RFC7515_A4_KEY "," RFC7520_RSA_KEY
			   "," RFC7520_EC_KEY "," RFC8037_KEY);

static void promise(bool kept)
{
	if (!kept)
		abort();
}

static bool is_one_line(const struct b2b_error *error)
{
	return error->text[0] && !strpbrk(error->text, "\n\r\033");
}

static enum b2b_err try_set(struct b2b_str json)
{
	struct b2b_error error = { "" };
	struct b2b_jwks *keys;
	enum b2b_err err = b2b_jwks_parse(json, &keys, &error);
	size_t count = b2b_jwks_count(keys);

	promise(err != B2B_ERR_MEMORY && (err == B2B_OK) == (keys != NULL));
	promise(err != B2B_OK || (count >= 1 && count <= B2B_JWKS_MAX_KEYS && !error.text[0]));
	promise(err != B2B_ERR_INVALID || is_one_line(&error));
	b2b_jwks_free(&keys);
	promise(keys == NULL);
	return err;
}

static void see_note(void *ctx, const char *which, const char *why)
{
	promise(which[0] && why[0]);
	++*(size_t *)ctx;
}

/* What is cleaned is good, no longer, and cleaned no further. */
static void try_clean(struct b2b_str json)
{
	struct b2b_error error = { "" };
	size_t notes = 0, more_notes = 0;
	char *clean, *again = NULL;
	enum b2b_err err = b2b_jwks_clean(json, see_note, &notes, &clean, &error);

	promise(err != B2B_ERR_MEMORY && (err == B2B_OK) == (clean != NULL));
	promise(err != B2B_ERR_INVALID || is_one_line(&error));
	if (err != B2B_OK) {
		promise(try_set(json) != B2B_OK);
		return;
	}
	promise(notes < B2B_JWKS_MAX_KEYS && strlen(clean) <= json.len);
	promise(try_set(b2b_str_of(clean)) == B2B_OK);
	promise(b2b_jwks_clean(b2b_str_of(clean), see_note, &more_notes, &again, &error) == B2B_OK);
	promise(more_notes == 0 && strcmp(clean, again) == 0);
	free(again);
	free(clean);
}

/* We do not have the keys: nothing else than what the RFCs print can have been signed. */
static bool is_signed_by_rfc(const struct b2b_jws *jws)
{
	for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
		struct b2b_str text = b2b_str_of(tokens[i]);

		text.len = (size_t)(strrchr(tokens[i], '.') - tokens[i]);
		if (b2b_str_equal(jws->signing_input, text))
			return true;
	}
	return false;
}

static void try_token(struct b2b_str token)
{
	static struct b2b_jwks *keys;
	struct b2b_error why = { "" };
	struct b2b_jws jws;
	enum b2b_err err = b2b_jws_parse(token, &jws, &why);

	if (!keys)
		promise(b2b_jwks_parse(b2b_str_of(set), &keys, NULL) == B2B_OK);
	promise(err != B2B_ERR_MEMORY);
	promise(err == B2B_OK || (!jws.alg && !jws.kid && !jws.payload && !jws.signature));
	promise(err != B2B_ERR_INVALID || is_one_line(&why));
	b2b_jws_is_like(token);
	if (err != B2B_OK)
		return;
	promise(token.len <= B2B_TOKEN_MAX_BYTES && b2b_alg_name(jws.alg) && jws.signature_len > 0);
	promise(jws.payload[jws.payload_len] == '\0' && jws.has_kid == (jws.kid != NULL));
	promise(jws.signing_input.s == token.s && token.s[jws.signing_input.len] == '.');
	err = b2b_jws_check(&jws, keys, B2B_ALGS_ALL, &why);
	promise(err != B2B_ERR_MEMORY && (err != B2B_OK || is_signed_by_rfc(&jws)));
	promise(err != B2B_ERR_INVALID || is_one_line(&why));
	promise(b2b_jws_check(&jws, keys, B2B_ALGS_ALL & ~(unsigned)jws.alg, &why) != B2B_OK);
	b2b_jws_clear(&jws);
	promise(!jws.payload && !jws.block);
}

/* A header in the clear, so that what it says is changed and not its base64url. */
static void try_header(struct b2b_str header)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	static const char rest[] = ".e30.AAAA";
	char *token = malloc(header.len / 3 * 4 + 4 + sizeof rest), *end = token;
	unsigned bits = 0, held = 0;

	for (size_t i = 0; token && i < header.len; i++) {
		held = (held << 8 | (uint8_t)header.s[i]) & 0xffff;
		for (bits += 8; bits >= 6; bits -= 6)
			*end++ = alphabet[held >> (bits - 6) & 63];
	}
	if (!token)
		return;
	if (bits)
		*end++ = alphabet[held << (6 - bits) & 63];
	strcpy(end, rest);
	try_token(b2b_str_of(token));
	free(token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct b2b_str text = { (const char *)data + 1, size - 1 };

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'p':
		try_set(text);
		break;
	case 'c':
		try_clean(text);
		break;
	case 'h':
		try_header(text);
		break;
	default:
		try_token(text);
		break;
	}
	return 0;
}
