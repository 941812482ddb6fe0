/*
 * check_jws_header.c - unit tests of jose_jws.c: headers that are good, hostile, deep; what looks
 * like a token.
 * In: header texts.  Out: libcheck's summary.
 */
#include "entry.h"
#include "jose_scene.h"
#include "jose_vectors.h"

#include <pthread.h>

#define DEEP_STACK_BYTES (512u * 1024)
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define BYTES(literal) ((struct b2b_str){ literal, sizeof(literal) - 1 })

/* jose_jws.c: headers */

static enum b2b_err parse_header(struct b2b_str header, struct b2b_jws *jws_r,
				 struct b2b_error *why_r)
{
	char *token = test_text("%s.e30.AAAA", test_base64(header.s, header.len));

	return test_parse(b2b_str_of(token), jws_r, why_r);
}

#define STRICT "its header is not strict JSON"
#define NO_ALG "its header has no algorithm that we know"
static const struct {
	struct b2b_str header;
	const char *why; /* NULL: good */
} header_cases[] = {
#define CASE(header, why)                                                                          \
	{                                                                                          \
		BYTES(header), why                                                                 \
	}
	CASE("{\"alg\":\"RS256\"}", NULL),
	CASE(" {\r\n\t\"alg\" : \"RS256\" } \n", NULL),
	CASE("{\"alg\":\"RS256\",\"x5t\":1,\"nonce\":[{}],\"cty\":null}", NULL),
	CASE("{\"alg\":\"\\u0052S256\"}", NULL),
	CASE("{}", NO_ALG),
	CASE("{\"alg\":\"none\"}", NO_ALG),
	CASE("{\"alg\":\"nOnE\"}", NO_ALG),
	CASE("{\"alg\":\"\"}", NO_ALG),
	CASE("{\"alg\":\"HS256\"}", NO_ALG),
	CASE("{\"alg\":\"RS256 \"}", NO_ALG),
	CASE("{\"alg\":\"rs256\"}", NO_ALG),
	CASE("{\"alg\":256}", NO_ALG),
	CASE("{\"alg\":null}", NO_ALG),
	CASE("{\"alg\":[\"RS256\"]}", NO_ALG),
	CASE("{\"Alg\":\"RS256\"}", NO_ALG),
	CASE("[{\"alg\":\"RS256\"}]", "its header is no JSON object"),
	CASE("\"alg\"", STRICT),
	CASE("null", STRICT),
	CASE("", "it has no header or no signature"),
	CASE("{\"alg\":\"RS256\"", STRICT),
	CASE("{\"alg\":\"RS256\",}", STRICT),
	CASE("{\"alg\":\"RS256\"}x", STRICT),
	CASE("{\"alg\":\"RS256\"}{}", STRICT),
	CASE("{\"alg\":\"RS256\"}\0", STRICT),
	CASE("\0{\"alg\":\"RS256\"}", STRICT),
	CASE("\357\273\277{\"alg\":\"RS256\"}", STRICT),
	CASE("{'alg':'RS256'}", STRICT),
	CASE("{\"alg\":\"RS256\"/**/}", STRICT),
	CASE("{\"alg\":\"RS256\",\"alg\":\"RS256\"}", STRICT),
	CASE("{\"alg\":\"RS256\",\"alg\":\"none\"}", STRICT),
	CASE("{\"alg\":\"none\",\"\\u0061lg\":\"RS256\"}", STRICT),
	CASE("{\"alg\":\"RS256\",\"kid\":\"a\",\"kid\":\"b\"}", STRICT),
	CASE("{\"alg\":\"RS256\",\"a\":{\"b\":1,\"b\":1}}", STRICT),
	CASE("{\"alg\":\"RS256\\u0000\"}", STRICT),
	CASE("{\"alg\":\"RS256\",\"kid\":\"a\\u0000b\"}", STRICT),
	CASE("{\"alg\":\"RS256\",\"a\\u0000\":1}", STRICT),
	CASE("{\"alg\":\"RS256\0\"}", STRICT),
	CASE("{\"alg\":\"RS256\",\"kid\":\"\377\"}", STRICT),
	CASE("{\"alg\":\"RS256\",\"kid\":\"\\ud800\"}", STRICT),
	CASE("{\"alg\":\"RS256\",\"a\":99999999999999999999}", STRICT),
	CASE("{\"alg\":\"RS256\",\"kid\":7}", "its header has a kid that is no text"),
	CASE("{\"alg\":\"RS256\",\"kid\":null}", "its header has a kid that is no text"),
	CASE("{\"alg\":\"RS256\",\"kid\":{}}", "its header has a kid that is no text"),
	CASE("{\"alg\":\"RS256\",\"typ\":7}", "its header has a typ that is no text"),
	CASE("{\"alg\":\"RS256\",\"crit\":[]}", "its header has crit"),
	CASE("{\"alg\":\"RS256\",\"crit\":null}", "its header has crit"),
	CASE("{\"alg\":\"RS256\",\"crit\":[\"exp\"],\"exp\":1}", "its header has crit"),
	CASE("{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":false}", "its header has crit"),
	CASE("{\"alg\":\"RS256\",\"b64\":true}", "its header has b64"),
	CASE("{\"alg\":\"RS256\",\"zip\":\"DEF\"}", "its header has zip"),
	CASE("{\"jwk\":" RFC7515_A2_KEY ",\"alg\":\"RS256\"}", "its header has jwk"),
	CASE("{\"jku\":\"https://evil.example/\",\"alg\":\"RS256\"}", "its header has jku"),
	CASE("{\"x5u\":\"https://evil.example/\",\"alg\":\"RS256\"}", "its header has x5u"),
	CASE("{\"x5c\":[\"AAAA\"],\"alg\":\"RS256\"}", "its header has x5c"),
	CASE("{\"x5c\":false,\"alg\":\"RS256\"}", "its header has x5c"),
#undef CASE
};

START_TEST(test_jws_parse__headers)
{
	struct b2b_error why;
	struct b2b_jws jws;

	for (size_t i = 0; i < COUNT(header_cases); i++) {
		enum b2b_err err = parse_header(header_cases[i].header, &jws, &why);

		ck_assert_msg(err == (header_cases[i].why ? B2B_ERR_INVALID : B2B_OK), "%s: %s",
			      header_cases[i].header.s, why.text);
		ck_assert_str_eq(why.text, header_cases[i].why ? header_cases[i].why : "");
		b2b_jws_clear(&jws);
	}
}
END_TEST

START_TEST(test_jws_parse__kid_and_typ)
{
	static const struct {
		const char *more, *kid;
		bool typ_fits;
	} cases[] = {
		{ "", NULL, true },
		{ "\"kid\":\"\",", "", true },
		{ "\"kid\":\"a b\\\"\\n\\u20ac\",", "a b\"\n\342\202\254", true },
		{ "\"typ\":\"JWT\",", NULL, true },
		{ "\"typ\":\"jwt\",", NULL, true },
		{ "\"typ\":\"at+JWT\",\"kid\":\"1\",", "1", true },
		{ "\"typ\":\"application/jwt\",", NULL, true },
		{ "\"typ\":\"Application/at+jwt\",", NULL, true },
		{ "\"typ\":\"\",", NULL, false },
		{ "\"typ\":\"JOSE\",", NULL, false },
		{ "\"typ\":\"JWT \",", NULL, false },
		{ "\"typ\":\"logout+jwt\",", NULL, false },
		{ "\"typ\":\"secevent+jwt\",", NULL, false },
		{ "\"typ\":\"application/\",", NULL, false },
		{ "\"typ\":\"application/application/jwt\",", NULL, false },
		{ "\"typ\":\"text/jwt\",", NULL, false },
	};
	struct b2b_error why;
	struct b2b_jws jws;
	char header[256];

	for (size_t i = 0; i < COUNT(cases); i++) {
		snprintf(header, sizeof header, "{%s\"alg\":\"ES256\"}", cases[i].more);
		ck_assert_msg(parse_header(b2b_str_of(header), &jws, &why) == B2B_OK, "%s: %s",
			      header, why.text);
		ck_assert_int_eq(jws.alg, B2B_ALG_ES256);
		ck_assert_msg(jws.typ_fits == cases[i].typ_fits, "%s", header);
		ck_assert_int_eq(jws.has_kid, cases[i].kid != NULL);
		ck_assert_pstr_eq(jws.kid, cases[i].kid);
		ck_assert_str_eq(jws.payload, "{}");
		b2b_jws_clear(&jws);
	}
}
END_TEST

/* As deep as Jansson goes and deeper, with the least stack that a thread may have. */
static void *parse_deep(void *unused)
{
	static char header[16384];
	struct b2b_error why;
	struct b2b_jws jws;

	(void)unused;
	for (size_t depth = 1; depth < 6000; depth = depth * 2 + 1) {
		size_t at = (size_t)sprintf(header, "{\"alg\":\"RS256\",\"a\":");
		enum b2b_err err;

		memset(header + at, '[', depth);
		memset(header + at + depth, ']', depth);
		strcpy(header + at + 2 * depth, "}");
		err = parse_header(b2b_str_of(header), &jws, &why);
		ck_assert_int_eq(err, depth < 2048 ? B2B_OK : B2B_ERR_INVALID);
		b2b_jws_clear(&jws);
	}
	return NULL;
}

START_TEST(test_jws_parse__deep_headers)
{
	pthread_attr_t attr;
	pthread_t thread;

	ck_assert_int_eq(pthread_attr_init(&attr), 0);
	ck_assert_int_eq(pthread_attr_setstacksize(&attr, DEEP_STACK_BYTES), 0);
	ck_assert_int_eq(pthread_create(&thread, &attr, parse_deep, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
}
END_TEST

START_TEST(test_jws_is_like__texts)
{
	static const struct {
		const char *text;
		bool like;
	} cases[] = {
		{ RFC7515_A2_TOKEN, true },
		{ RFC7515_A5_TOKEN, true },
		{ "eyJh..", true },
		{ "ew.x.y", true },
		{ "e_.!.!", true },
		{ "", false },
		{ ".", false },
		{ "..", false },
		{ "e..", false },
		{ "ey", false },
		{ "eyJh", false },
		{ "eyJh.", false },
		{ "eyJh...", false },
		{ "eyJh.a.b.c.d", false }, /* encrypted: we read none of those */
		{ "ev.a.b", false },
		{ "fy.a.b", false },
		{ "ey=.a.b", false },
		{ "ey J.a.b", false },
		{ " eyJh.a.b", false },
		{ "e~.a.b", false },
		{ "correct.horse.battery", false },
		{ "Passw0rd.", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(b2b_jws_is_like(b2b_str_of(cases[i].text)) == cases[i].like, "%s",
			      cases[i].text);
	ck_assert(!b2b_jws_is_like(b2b_str_of(NULL)));
	ck_assert(!b2b_jws_is_like(BYTES("ey\0J.a.b")));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("jws header");
	TCase *headers = tcase_create("headers");

	tcase_add_test(headers, test_jws_parse__headers);
	tcase_add_test(headers, test_jws_parse__kid_and_typ);
	tcase_add_test(headers, test_jws_parse__deep_headers);
	tcase_add_test(headers, test_jws_is_like__texts);
	suite_add_tcase(suite, headers);
	return test_run(suite);
}
