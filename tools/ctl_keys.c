/*
 * ctl_keys.c - what is to be said of the keys of a set, and whether two sets are one.
 * In: key sets that b2b_jwks_clean has passed.
 * Out: kinds and sizes for people, algorithms that fit, comparisons.
 */
#include "ctl_oidc.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define RSA_ALGS                                                                                   \
	(B2B_ALG_RS256 | B2B_ALG_RS384 | B2B_ALG_RS512 | B2B_ALG_PS256 | B2B_ALG_PS384 |           \
	 B2B_ALG_PS512)

static const char *member(const json_t *key, const char *name)
{
	const char *text = json_string_value(json_object_get(key, name));

	return text ? text : "";
}

/* Bits of a base64url number, whose first octet is not 0 (RFC 7518, 2). */
static size_t number_bits(const char *text)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-_";
	const char *first = *text ? strchr(letters, *text) : NULL;
	const char *second = first && text[1] ? strchr(letters, text[1]) : NULL;
	size_t bits = strlen(text) * 6 / 8 * 8;
	unsigned octet;

	if (!second)
		return 0;
	octet = ((unsigned)(first - letters) << 2 | (unsigned)(second - letters) >> 4) & 0xff;
	for (unsigned top = 0x80; top && !(octet & top); top >>= 1)
		bits--;
	return bits;
}

/* What a key of its type and curve can verify. */
static unsigned algs_of_kind(const char *kty, const char *crv)
{
	static const struct {
		const char *crv;
		enum b2b_alg alg;
	} curves[] = { { "P-256", B2B_ALG_ES256 },
		       { "P-384", B2B_ALG_ES384 },
		       { "P-521", B2B_ALG_ES512 },
		       { "Ed25519", B2B_ALG_EDDSA } };

	if (strcmp(kty, "RSA") == 0)
		return RSA_ALGS;
	for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
		if (strcmp(crv, curves[i].crv) == 0)
			return (unsigned)curves[i].alg;
	return 0;
}

static void describe(const json_t *json, struct ctl_key *key)
{
	const char *kty = member(json, "kty"), *crv = member(json, "crv");
	const char *alg = member(json, "alg");

	if (json_object_get(json, "kid"))
		key->kid = ctl_format("%s", member(json, "kid"));
	if (*alg)
		key->alg = ctl_format("%s", alg);
	key->kind = strcmp(kty, "RSA") == 0
			    ? ctl_format("RSA %zu bits", number_bits(member(json, "n")))
			    : ctl_format("%s %s", kty, crv);
	key->algs = algs_of_kind(kty, crv);
	if (*alg)
		key->algs &= (unsigned)b2b_alg_find(b2b_str_of(alg));
	key->text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
}

int ctl_keys_parse(const char *clean, struct ctl_keys *keys_r)
{
	json_t *set = json_loads(clean, JSON_REJECT_DUPLICATES, NULL);
	json_t *keys = json_object_get(set, "keys"), *key;
	size_t index;

	*keys_r = (struct ctl_keys){ 0 };
	json_array_foreach (keys, index, key) {
		keys_r->list = ctl_grow(keys_r->list, keys_r->count, sizeof *keys_r->list);
		keys_r->list[keys_r->count] = (struct ctl_key){ 0 };
		describe(key, &keys_r->list[keys_r->count]);
		keys_r->count++;
	}
	json_decref(set);
	return keys_r->count > 0 ? CTL_DONE : ctl_fail("not a key set");
}

void ctl_keys_clear(struct ctl_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++) {
		free(keys->list[i].kid);
		free(keys->list[i].kind);
		free(keys->list[i].alg);
		free(keys->list[i].text);
	}
	free(keys->list);
	*keys = (struct ctl_keys){ 0 };
}

unsigned ctl_keys_algs(const struct ctl_keys *keys)
{
	unsigned algs = 0;

	for (size_t i = 0; i < keys->count; i++)
		algs |= keys->list[i].algs;
	return algs;
}

bool ctl_keys_has(const struct ctl_keys *keys, const struct ctl_key *key)
{
	for (size_t i = 0; i < keys->count; i++)
		if (key->text && keys->list[i].text && strcmp(keys->list[i].text, key->text) == 0)
			return true;
	return false;
}

bool ctl_keys_equal(const struct ctl_keys *a, const struct ctl_keys *b)
{
	for (size_t i = 0; i < a->count; i++)
		if (!ctl_keys_has(b, &a->list[i]))
			return false;
	for (size_t i = 0; i < b->count; i++)
		if (!ctl_keys_has(a, &b->list[i]))
			return false;
	return true;
}

char *ctl_key_name(const struct ctl_key *key)
{
	return key->kid ? ctl_format("\"%s\"", key->kid) : ctl_format("(%s)", key->kind);
}

char *ctl_algs_text(unsigned algs)
{
	char *text = ctl_format("%s", ""), *longer;

	for (unsigned bit = 1; bit <= B2B_ALGS_ALL; bit <<= 1) {
		if (!(algs & bit))
			continue;
		longer = ctl_format("%s%s%s", text, *text ? ", " : "",
				    b2b_alg_name((enum b2b_alg)bit));
		free(text);
		text = longer;
	}
	if (*text)
		return text;
	free(text);
	return ctl_format("none");
}
