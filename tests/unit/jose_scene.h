/*
 * jose_scene.h - what the check programs of jose.h do again and again: parse, and look at promises.
 * In: texts.
 * Out: key sets and tokens taken apart; libcheck's failures.
 */
#ifndef B2B_TEST_JOSE_SCENE_H
#define B2B_TEST_JOSE_SCENE_H

#include <check.h>

#include "jose_make.h"
#include "text.h"

#include <openssl/err.h>

/* A set that must be good. */
static inline struct b2b_jwks *test_keys(const char *json)
{
	struct b2b_jwks *keys;
	struct b2b_error error;

	ck_assert_msg(b2b_jwks_parse(b2b_str_of(json), &keys, &error) == B2B_OK, "%s: %s", json,
		      error.text);
	return keys;
}

/* NULL: the set is good; else what is wrong with it. */
static inline const char *test_set(struct b2b_str json, size_t *count_r)
{
	static struct b2b_error error;
	char *copy = malloc(json.len ? json.len : 1);
	struct b2b_jwks *keys = (struct b2b_jwks *)&error;
	enum b2b_err err;

	if (json.len)
		memcpy(copy, json.s, json.len);
	error.text[0] = '\0';
	err = b2b_jwks_parse((struct b2b_str){ copy, json.len }, &keys, &error);
	free(copy);
	ck_assert_int_ne(err, B2B_ERR_MEMORY);
	ck_assert_int_eq(err == B2B_OK, keys != NULL);
	ck_assert_int_eq(err == B2B_OK, error.text[0] == '\0');
	ck_assert_uint_eq(ERR_peek_error(), 0);
	*count_r = b2b_jwks_count(keys);
	ck_assert_int_eq(err == B2B_OK, *count_r > 0);
	b2b_jwks_free(&keys);
	ck_assert_ptr_null(keys);
	b2b_jwks_free(&keys);
	return err == B2B_OK ? NULL : error.text;
}

static inline const char *test_set_text(const char *json)
{
	size_t count;

	return test_set(b2b_str_of(json), &count);
}

static inline enum b2b_err test_parse(struct b2b_str token, struct b2b_jws *jws_r,
				      struct b2b_error *why_r)
{
	/* a block of its own, so that a read past its end is seen */
	char *copy = malloc(token.len ? token.len : 1);
	enum b2b_err err;

	memcpy(copy, token.s, token.len);
	why_r->text[0] = '\0';
	err = b2b_jws_parse((struct b2b_str){ copy, token.len }, jws_r, why_r);
	free(copy);
	ck_assert_int_eq(err == B2B_OK, why_r->text[0] == '\0');
	ck_assert_int_eq(err == B2B_OK, jws_r->payload != NULL);
	if (err != B2B_OK)
		ck_assert(!jws_r->kid && !jws_r->has_kid && !jws_r->signature && !jws_r->block);
	return err;
}

#endif
