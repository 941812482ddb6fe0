/*
 * jose_jwks.c - JSON Web Key Sets (RFC 7517, 5): read for checking, or cleaned for keeping.
 * In: a partner's set, any bytes.
 * Out: keys for jose_check.c; or the same set with nothing in it that we do not use.
 */
#include "jose_parts.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

/* What is done with each key of a set. */
struct reader {
	struct b2b_jwks *jwks; /* those that are usable so far */
	json_t *clean;         /* NULL: a key that is refused ends the reading */
	b2b_jwks_note *note;   /* or NULL */
	void *ctx;
	struct b2b_error *error;
};

static struct b2b_jwks *jwks_new(size_t room)
{
	static const char *const names[B2B_JOSE_HASH_COUNT] = { "SHA256", "SHA384", "SHA512" };
	struct b2b_jwks *jwks = calloc(1, sizeof *jwks + room * sizeof jwks->keys[0]);

	for (size_t i = 0; jwks && i < B2B_JOSE_HASH_COUNT; i++) {
		jwks->hashes[i] = EVP_MD_fetch(NULL, names[i], NULL);
		if (!jwks->hashes[i])
			b2b_jwks_free(&jwks);
	}
	return jwks;
}

void b2b_jwks_free(struct b2b_jwks **jwks)
{
	struct b2b_jwks *gone = jwks ? *jwks : NULL;

	if (!gone)
		return;
	*jwks = NULL;
	for (size_t i = 0; i < gone->count; i++)
		b2b_jose_key_clear(&gone->keys[i]);
	for (size_t i = 0; i < B2B_JOSE_HASH_COUNT; i++)
		EVP_MD_free(gone->hashes[i]);
	free(gone);
}

size_t b2b_jwks_count(const struct b2b_jwks *jwks)
{
	return jwks ? jwks->count : 0;
}

/* A person finds a key by its kid, or else by its place in the set. */
static void name_key(const json_t *jwk, size_t place, struct b2b_error *name_r)
{
	const char *kid = json_string_value(json_object_get(jwk, "kid"));

	if (kid)
		b2b_error_set(name_r, "key \"%.64s\"", kid);
	else
		b2b_error_set(name_r, "key %zu", place + 1);
}

static bool is_same_type(enum b2b_jose_kind a, enum b2b_jose_kind b)
{
	bool a_is_ec = a == B2B_JOSE_P256 || a == B2B_JOSE_P384 || a == B2B_JOSE_P521;
	bool b_is_ec = b == B2B_JOSE_P256 || b == B2B_JOSE_P384 || b == B2B_JOSE_P521;

	return a == b || (a_is_ec && b_is_ec);
}

static bool is_second(const struct b2b_jwks *jwks, const struct b2b_jose_key *key)
{
	for (size_t i = 0; i < jwks->count; i++)
		if (key->kid && jwks->keys[i].kid && strcmp(key->kid, jwks->keys[i].kid) == 0 &&
		    is_same_type(key->kind, jwks->keys[i].kind))
			return true;
	return false;
}

/* Copies what we know of a key that is usable. */
static bool append_clean(json_t *clean, const json_t *jwk, enum b2b_jose_kind kind)
{
	static const char *const members[] = {
		"kty", "kid", "use", "alg", "crv", "n", "e", "x", "y"
	};
	json_t *copy = json_object();

	for (size_t i = 0; copy && i < sizeof members / sizeof *members; i++) {
		json_t *value = json_object_get(jwk, members[i]);
		bool is_rsa_own = strchr("ne", members[i][0]) && !members[i][1];
		bool is_curve_own = strcmp(members[i], "crv") == 0 || strchr("xy", members[i][0]);

		if (!value || (is_rsa_own && kind != B2B_JOSE_RSA) ||
		    (is_curve_own && kind == B2B_JOSE_RSA) ||
		    (members[i][0] == 'y' && kind == B2B_JOSE_ED25519))
			continue;
		if (json_object_set(copy, members[i], value)) {
			json_decref(copy);
			return false;
		}
	}
	return copy && json_array_append_new(clean, copy) == 0;
}

static enum b2b_err leave_out(const struct reader *reader, const struct b2b_error *name,
			      const char *why)
{
	if (!reader->clean)
		return b2b_error_set(reader->error, "%s %s", name->text, why);
	if (reader->note)
		reader->note(reader->ctx, name->text, why);
	return B2B_OK;
}

static enum b2b_err see_key(const struct reader *reader, const json_t *jwk, size_t place)
{
	struct b2b_jwks *jwks = reader->jwks;
	struct b2b_jose_key *key = &jwks->keys[jwks->count];
	struct b2b_error name;
	const char *why;

	name_key(jwk, place, &name);
	switch (b2b_jose_key_read(jwk, jwks->hashes, key, &why)) {
	case B2B_JOSE_NO_MEMORY:
		return B2B_ERR_MEMORY;
	case B2B_JOSE_PASSED_OVER:
		return reader->clean ? leave_out(reader, &name, why) : B2B_OK;
	case B2B_JOSE_REFUSED:
		return leave_out(reader, &name, why);
	case B2B_JOSE_USABLE:
		break;
	}
	if (is_second(jwks, key)) {
		b2b_jose_key_clear(key);
		return leave_out(reader, &name, "is the second of its kid and type");
	}
	if (reader->clean && !append_clean(reader->clean, jwk, key->kind)) {
		b2b_jose_key_clear(key);
		return B2B_ERR_MEMORY;
	}
	jwks->count++;
	return B2B_OK;
}

static enum b2b_err see_keys(struct reader *reader, const json_t *keys)
{
	size_t place, count = json_array_size(keys);
	enum b2b_err err = B2B_OK;
	const json_t *jwk;

	if (!json_is_array(keys))
		return b2b_error_set(reader->error, "the key set has no list \"keys\"");
	if (count > B2B_JWKS_MAX_KEYS)
		return b2b_error_set(reader->error, "the key set has more than %u keys",
				     B2B_JWKS_MAX_KEYS);
	reader->jwks = jwks_new(count);
	if (!reader->jwks)
		return B2B_ERR_MEMORY;
	ERR_set_mark();
	json_array_foreach (keys, place, jwk) {
		err = see_key(reader, jwk, place);
		if (err != B2B_OK)
			break;
	}
	ERR_pop_to_mark(); /* slapd's TLS takes what is left there for its own */
	if (err == B2B_OK && reader->jwks->count == 0)
		err = b2b_error_set(reader->error, "the key set has no key that is usable");
	return err;
}

static enum b2b_err see_set(struct reader *reader, struct b2b_str json)
{
	struct b2b_error fault = { "" };
	json_t *root = NULL;
	enum b2b_err err;

	if (json.len > B2B_JWKS_MAX_BYTES)
		return b2b_error_set(reader->error, "the key set has more than %u bytes",
				     B2B_JWKS_MAX_BYTES);
	err = b2b_jose_json(json, &root, &fault);
	if (err == B2B_ERR_INVALID)
		return b2b_error_set(reader->error, "the key set is not strict JSON: %s",
				     fault.text);
	if (err == B2B_OK)
		err = see_keys(reader, json_object_get(root, "keys"));
	json_decref(root);
	return err;
}

enum b2b_err b2b_jwks_parse(struct b2b_str json, struct b2b_jwks **jwks_r, struct b2b_error *error)
{
	struct reader reader = { .error = error };
	enum b2b_err err = see_set(&reader, json);

	if (err != B2B_OK)
		b2b_jwks_free(&reader.jwks);
	*jwks_r = reader.jwks;
	return err;
}

enum b2b_err b2b_jwks_clean(struct b2b_str json, b2b_jwks_note *note, void *ctx, char **clean_r,
			    struct b2b_error *error)
{
	struct reader reader = { .clean = json_array(), .note = note, .ctx = ctx, .error = error };
	json_t *root = NULL;
	enum b2b_err err = B2B_ERR_MEMORY;

	*clean_r = NULL;
	if (!reader.clean)
		return err;
	err = see_set(&reader, json);
	b2b_jwks_free(&reader.jwks);
	if (err == B2B_OK) {
		root = json_pack("{s:O}", "keys", reader.clean);
		*clean_r = root ? json_dumps(root, JSON_COMPACT) : NULL;
		err = *clean_r ? B2B_OK : B2B_ERR_MEMORY;
	}
	json_decref(root);
	json_decref(reader.clean);
	return err;
}
