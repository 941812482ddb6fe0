/*
 * check_jwks_set.c - unit tests of jose_jwks.c: whole sets that are good or not, and their cleaning.
 * In: what RFCs print, and sets that are made here.
 * Out: libcheck's summary.
 */
#include "entry.h"
#include "jose_scene.h"
#include "jose_vectors.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define BYTES(literal) ((struct b2b_str){ literal, sizeof(literal) - 1 })

/* Where Jansson sees a fault depends on its version. */
static void expect_end(const char *text, const char *end)
{
	ck_assert_int_eq(text != NULL, end != NULL);
	if (!text)
		return;
	ck_assert_uint_ge(strlen(text), strlen(end));
	ck_assert_str_eq(text + strlen(text) - strlen(end), end);
}

START_TEST(test_jwks_parse__sets)
{
	static const char no_list[] = "the key set has no list \"keys\"";
	static const char no_key[] = "the key set has no key that is usable";
	static const struct {
		struct b2b_str json;
		const char *why;
	} cases[] = {
#define CASE(json, why) { BYTES(json), why }
		CASE(SET(GOOD), NULL),
		CASE(" \r\n\t{ \"keys\" : [ " GOOD " ] , \"more\" : 1 } \n", NULL),
		CASE("{\"keys\":[]}", no_key),
		CASE("{}", no_list),
		CASE("[]", no_list),
		CASE("[" GOOD "]", no_list),
		CASE(GOOD, no_list),
		CASE("{\"keys\":" GOOD "}", no_list),
		CASE("{\"keys\":null}", no_list),
		CASE("{\"keys\":{}}", no_list),
		CASE("{\"Keys\":[" GOOD "]}", no_list),
		CASE("", "it is not JSON"),
		CASE(" ", "it is not JSON"),
		CASE("null", "it is not JSON"),
		CASE("{\"keys\":[],\"keys\":[]}", "a member stands there twice"),
		CASE("{\"keys\":[],\"a\":{\"b\":1,\"b\":1}}", "a member stands there twice"),
		CASE("{\"keys\":[]}x", "something stands behind its end"),
		CASE("{\"keys\":[]}\0", "something stands behind its end"),
		CASE("{\"keys\":[\"\\u0000\"]}", "\\u0000 stands there"),
		CASE("{\"keys\":[\"\0\"]}", "it is not JSON"),
		CASE("{\"keys\":[\"\xff\"]}", "it is not JSON"),
		CASE("{\"keys\":[],}", "it is not JSON"),
		CASE("{\"keys\":[]/**/}", "it is not JSON"),
		CASE("\xef\xbb\xbf{\"keys\":[]}", "it is not JSON"),
		CASE("{\"keys\":[1e999]}", "it is not JSON"),
#undef CASE
	};
	size_t count;

	for (size_t i = 0; i < COUNT(cases); i++)
		expect_end(test_set(cases[i].json, &count), cases[i].why);
	ck_assert_uint_eq(b2b_jwks_count(NULL), 0);
	b2b_jwks_free(NULL);
	ck_assert_ptr_nonnull(test_set(b2b_str_of(NULL), &count));
}
END_TEST

START_TEST(test_jwks_parse__size)
{
	static char json[B2B_JWKS_MAX_BYTES + 1] = SET(GOOD);
	struct b2b_str text = { json, sizeof json - 1 };
	size_t count;

	memset(json + strlen(json), ' ', sizeof json - strlen(json));
	ck_assert_pstr_eq(test_set(text, &count), NULL);
	text.len++;
	ck_assert_pstr_eq(test_set(text, &count), "the key set has more than 131072 bytes");
}
END_TEST

/* So many good keys, each with a kid of its own. */
static char *set_of(unsigned count)
{
	char *json = test_text("{\"keys\":[");

	for (unsigned i = 0; i < count; i++)
		json = test_text("%s%s{\"kid\":\"%u\"," RSA_NUMBERS "}", json, i ? "," : "", i);
	return test_text("%s]}", json);
}

START_TEST(test_jwks_parse__number_of_keys)
{
	size_t count;

	ck_assert_pstr_eq(test_set(b2b_str_of(set_of(64)), &count), NULL);
	ck_assert_uint_eq(count, 64);
	ck_assert_pstr_eq(test_set_text(set_of(65)), "the key set has more than 64 keys");
}
END_TEST

START_TEST(test_jwks_parse__equal_kids)
{
	static const char second[] = "key \"a\" is the second of its kid and type";
	static const struct {
		const char *keys, *why;
	} cases[] = {
		{ SET(RSA_KEY("\"kty\":\"RSA\",\"kid\":\"a\"") "," RSA_KEY(
			  "\"kty\":\"RSA\",\"kid\":\"a\",\"alg\":\"PS256\"")),
		  second },
		{ SET("{\"kid\":\"a\"," P256_NUMBERS "},{\"kid\":\"a\"," P521_NUMBERS "}"),
		  second },
		{ SET("{\"kid\":\"a\"," ED_NUMBERS "},{\"kid\":\"\\u0061\"," ED_NUMBERS "}"),
		  second },
		{ SET("{\"kid\":\"a\"," P256_NUMBERS "},{\"kid\":\"a\"," RSA_NUMBERS
		      "},{\"kid\":\"a\"," ED_NUMBERS "}"),
		  NULL },
		{ SET("{\"kid\":\"a\"," RSA_NUMBERS "},{\"kid\":\"A\"," RSA_NUMBERS "}"), NULL },
		{ SET("{" RSA_NUMBERS "},{" RSA_NUMBERS "}"), NULL },
		{ SET("{\"kid\":\"a\"," RSA_NUMBERS "},{\"kid\":\"a\",\"use\":\"enc\"," RSA_NUMBERS
		      "}"),
		  NULL },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_pstr_eq(test_set_text(cases[i].keys), cases[i].why);
}
END_TEST

/* b2b_jwks_clean */

static void write_note(void *ctx, const char *which, const char *why)
{
	strcat(strcat(strcat(strcat(ctx, which), " "), why), "\n");
}

START_TEST(test_jwks_clean__sets)
{
	static const struct {
		const char *json, *clean, *notes; /* clean NULL: notes has the error */
	} cases[] = {
		{ SET("{" RSA_NUMBERS "}"), SET("{" RSA_NUMBERS "}"), "" },
		{ " { \"more\" : [ ] , \"keys\" : [ { \"x5c\":[\"AAAA\"], \"kid\" : "
		  "\"a\\/\\u00e9\", "
		  "\"x5t\":\"A\", " RSA_NUMBERS " , \"key_ops\":[\"verify\"], \"y\":\"AA\", "
		  "\"alg\":\"RS256\", \"use\":\"sig\", \"crv\":\"any\" } ] } ",
		  SET("{" RSA_KTY
		      ",\"kid\":\"a/\303\251\",\"use\":\"sig\",\"alg\":\"RS256\"," RSA_N_E "}"),
		  "" },
		{ SET("{\"n\":\"a\",\"e\":\"b\"," P256_NUMBERS "},{\"y\":\"\",\"n\":1," ED_NUMBERS
		      "}"),
		  SET("{" P256_NUMBERS "},{" ED_NUMBERS "}"), "" },
		{ SET("{\"kid\":\"p\",\"d\":\"AQ\"," RSA_NUMBERS "},{\"kid\":\"r\"," RSA_NUMBERS
		      "},{\"use\":\"enc\"," RSA_NUMBERS "},{\"kid\":\"r\"," RSA_NUMBERS
		      "},7,{\"kty\":\"oct\",\"k\":\"AQ\"},{\"kty\":\"EC\",\"crv\":\"P-1\"}"),
		  SET("{" RSA_KTY ",\"kid\":\"r\"," RSA_N_E "}"),
		  "key \"p\" is private or symmetric: only public keys belong there\n"
		  "key 3 is not for signatures\n"
		  "key \"r\" is the second of its kid and type\n"
		  "key 5 is no JSON object\n"
		  "key 6 is private or symmetric: only public keys belong there\n"
		  "key 7 is of another kind or curve\n" },
		{ SET("7"), NULL,
		  "key 1 is no JSON object\nthe key set has no key that is usable" },
		{ "{\"keys\":[]}", NULL, "the key set has no key that is usable" },
		{ "[]", NULL, "the key set has no list \"keys\"" },
		{ "{", NULL, "the key set is not strict JSON: line 1, column 1: it is not JSON" },
	};
	struct b2b_error error;
	char notes[2000], *clean;

	for (size_t i = 0; i < COUNT(cases); i++) {
		enum b2b_err err;

		notes[0] = '\0';
		err = b2b_jwks_clean(b2b_str_of(cases[i].json), write_note, notes, &clean, &error);
		ck_assert_int_eq(err, cases[i].clean ? B2B_OK : B2B_ERR_INVALID);
		ck_assert_pstr_eq(clean, cases[i].clean);
		if (!clean)
			strcat(notes, error.text);
		ck_assert_str_eq(notes, cases[i].notes);
		if (clean)
			ck_assert_pstr_eq(test_set_text(clean), NULL);
		free(clean);
		ck_assert_int_eq(
			b2b_jwks_clean(b2b_str_of(cases[i].json), NULL, NULL, &clean, NULL), err);
		free(clean);
	}
	ck_assert_int_eq(b2b_jwks_clean(b2b_str_of(set_of(65)), NULL, NULL, &clean, &error),
			 B2B_ERR_INVALID);
	ck_assert_str_eq(error.text, "the key set has more than 64 keys");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("jwks set");
	TCase *sets = tcase_create("sets");

	tcase_add_test(sets, test_jwks_parse__sets);
	tcase_add_test(sets, test_jwks_parse__size);
	tcase_add_test(sets, test_jwks_parse__number_of_keys);
	tcase_add_test(sets, test_jwks_parse__equal_kids);
	tcase_add_test(sets, test_jwks_clean__sets);
	suite_add_tcase(suite, sets);
	return test_run(suite);
}
