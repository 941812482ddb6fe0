/*
 * check_jws.c - unit tests of jose_jws.c, jose_base64.c and jose_alg.c: published vectors, names,
 * the shape of tokens.
 * In: what RFCs print; tokens that are written here.  Out: libcheck's summary.
 */
#include "entry.h"
#include "jose_scene.h"
#include "jose_vectors.h"

#define HEADER "eyJhbGciOiJSUzI1NiJ9" /* {"alg":"RS256"} */
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define BYTES(literal) ((struct b2b_str){ literal, sizeof(literal) - 1 })

/* vectors */

START_TEST(test_jws_check__published_vectors)
{
	static const struct {
		const char *name, *keys, *token, *payload;
		enum b2b_alg alg;
	} cases[] = {
		{ "7515 A.2", SET(RFC7515_A2_KEY), RFC7515_A2_TOKEN, RFC7515_PAYLOAD,
		  B2B_ALG_RS256 },
		{ "7515 A.3", SET(RFC7515_A3_KEY), RFC7515_A3_TOKEN, RFC7515_PAYLOAD,
		  B2B_ALG_ES256 },
		{ "7515 A.4", SET(RFC7515_A4_KEY), RFC7515_A4_TOKEN, "Payload", B2B_ALG_ES512 },
		{ "7520 4.1", SET(RFC7520_RSA_KEY), RFC7520_41_TOKEN, RFC7520_PAYLOAD,
		  B2B_ALG_RS256 },
		{ "7520 4.2", SET(RFC7520_RSA_KEY), RFC7520_42_TOKEN, RFC7520_PAYLOAD,
		  B2B_ALG_PS384 },
		{ "7520 4.3", SET(RFC7520_EC_KEY), RFC7520_43_TOKEN, RFC7520_PAYLOAD,
		  B2B_ALG_ES512 },
		{ "8037 A.4", SET(RFC8037_KEY), RFC8037_TOKEN, RFC8037_PAYLOAD, B2B_ALG_EDDSA },
		{ "two keys of one kid", SET(RFC7520_EC_KEY "," RFC7520_RSA_KEY), RFC7520_41_TOKEN,
		  RFC7520_PAYLOAD, B2B_ALG_RS256 },
	};
	struct b2b_error why;
	struct b2b_jws jws;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_jwks *keys = test_keys(cases[i].keys);

		ck_assert_msg(b2b_jws_parse(b2b_str_of(cases[i].token), &jws, &why) == B2B_OK,
			      "%s: %s", cases[i].name, why.text);
		ck_assert_int_eq(jws.alg, cases[i].alg);
		ck_assert_str_eq(jws.payload, cases[i].payload);
		ck_assert_uint_eq(jws.payload_len, strlen(cases[i].payload));
		ck_assert_msg(b2b_jws_check(&jws, keys, cases[i].alg, &why) == B2B_OK, "%s: %s",
			      cases[i].name, why.text);
		ck_assert_msg(b2b_jws_check(&jws, keys, B2B_ALGS_ALL & ~(unsigned)cases[i].alg,
					    &why) == B2B_ERR_INVALID,
			      "%s", cases[i].name);
		ck_assert_str_eq(why.text, "its algorithm is not accepted");
		jws.payload[0] ^= 1; /* a copy: what was signed is the token's text */
		jws.signature[jws.signature_len / 2] ^= 1;
		ck_assert_msg(b2b_jws_check(&jws, keys, B2B_ALGS_ALL, &why) == B2B_ERR_INVALID,
			      "%s", cases[i].name);
		ck_assert_str_eq(why.text, "the signature is not one of the key's");
		b2b_jws_clear(&jws);
		b2b_jwks_free(&keys);
		ck_assert_ptr_null(keys);
	}
}
END_TEST

START_TEST(test_jws_parse__published_vectors_refused)
{
	static const char *const tokens[] = { RFC7515_A1_TOKEN, RFC7515_A5_TOKEN,
					      RFC7520_44_TOKEN };
	struct b2b_error why;
	struct b2b_jws jws;

	for (size_t i = 0; i < COUNT(tokens); i++)
		ck_assert_int_eq(b2b_jws_parse(b2b_str_of(tokens[i]), &jws, &why), B2B_ERR_INVALID);
}
END_TEST

/* jose_alg.c */

START_TEST(test_alg_find__names)
{
	static const char *const names[] = { "RS256", "RS384", "RS512", "PS256", "PS384",
					     "PS512", "ES256", "ES384", "ES512", "EdDSA" };
	static const char *const others[] = { "",      "none",  "None",    "HS256", "HS384",
					      "HS512", "rs256", "RS256 ",  "RS25",  "RS2567",
					      "EDDSA", "Ed448", "Ed25519", "ES256K" };

	for (unsigned i = 0; i < COUNT(names); i++) {
		enum b2b_alg alg = b2b_alg_find(b2b_str_of(names[i]));

		ck_assert_int_eq(alg, 1 << i);
		ck_assert_str_eq(b2b_alg_name(alg), names[i]);
	}
	for (size_t i = 0; i < COUNT(others); i++)
		ck_assert_int_eq(b2b_alg_find(b2b_str_of(others[i])), B2B_ALG_NONE);
	ck_assert_int_eq(b2b_alg_find(BYTES("RS256\0")), B2B_ALG_NONE);
	ck_assert_ptr_null(b2b_alg_name(B2B_ALG_NONE));
	ck_assert_ptr_null(b2b_alg_name((enum b2b_alg)(B2B_ALG_RS256 | B2B_ALG_ES256)));
	ck_assert_ptr_null(b2b_alg_name((enum b2b_alg)1024));
}
END_TEST

/* jose_base64.c, jose_jws.c: shapes */

#define NOT_THREE "it is not three parts with dots between them"
#define NO_PART "it has no header or no signature"

START_TEST(test_jws_parse__shapes)
{
	static const struct {
		const char *token;
		const char *why; /* NULL: good */
	} cases[] = {
		{ HEADER ".e30.AAAA", NULL },
		{ HEADER "..AAAA", NULL }, /* RFC 7515 knows of no least payload */
		{ HEADER ".e30.AA", NULL },
		{ HEADER ".e30.AAA", NULL },
		{ "", NOT_THREE },
		{ ".", NOT_THREE },
		{ "..", NO_PART },
		{ "...", NOT_THREE },
		{ HEADER, NOT_THREE },
		{ HEADER ".", NOT_THREE },
		{ HEADER ".e30", NOT_THREE },
		{ HEADER ".e30.", NO_PART },
		{ HEADER "..", NO_PART },
		{ ".e30.AAAA", NO_PART },
		{ "..AAAA", NO_PART },
		{ HEADER ".e30.AAAA.", NOT_THREE },
		{ HEADER ".e30.AAAA.AAAA", NOT_THREE },
		{ HEADER ".e30..AAAA", NOT_THREE },
		{ "." HEADER ".e30.AAAA", NOT_THREE },
		{ HEADER ".e30.AAAA.AAAA.AAAA", NOT_THREE },
		{ "{\"payload\":\"e30\",\"protected\":\"" HEADER "\",\"signature\":\"AAAA\"}",
		  NOT_THREE },
	};
	struct b2b_error why;
	struct b2b_jws jws;

	for (size_t i = 0; i < COUNT(cases); i++) {
		enum b2b_err err = test_parse(b2b_str_of(cases[i].token), &jws, &why);

		ck_assert_msg(err == (cases[i].why ? B2B_ERR_INVALID : B2B_OK), "%s: %s",
			      cases[i].token, why.text);
		ck_assert_str_eq(why.text, cases[i].why ? cases[i].why : "");
		b2b_jws_clear(&jws);
		b2b_jws_clear(&jws);
	}
	ck_assert_int_eq(b2b_jws_parse(b2b_str_of(NULL), &jws, NULL), B2B_ERR_INVALID);
}
END_TEST

START_TEST(test_jws_parse__base64_is_canonical)
{
	static const char *const good[] = { "", "AA", "AQ", "AAA", "AAE", "_-8", "-_-_" };
	static const char *const bad[] = {
		"A",    "AAAAA", "AB",   "AP",    "AAB",   "AAD",   "AA==",    "AAA=",    "AAAA=",
		"====", "=",     " AAA", "AAA ",  "AA AA", "AAA\n", "\nAAA",   "AA\r\n",  "A+AA",
		"A/AA", "AA+",   "AA/",  "A\tAA", "A,AA",  "%41AA", "AAA\302", "\377\377"
	};
	struct b2b_error why;
	struct b2b_jws jws;
	char token[128];

	for (size_t i = 0; i < COUNT(good); i++) {
		snprintf(token, sizeof token, HEADER ".%s.AAAA", good[i]);
		ck_assert_msg(test_parse(b2b_str_of(token), &jws, &why) == B2B_OK, "%s", token);
		b2b_jws_clear(&jws);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		const char *const forms[] = { HEADER "%s.AAAA.AAAA", HEADER ".%s.AAAA",
					      HEADER ".AAAA%s.AAAA", HEADER ".AAAA.%s",
					      HEADER ".AAAA.AAAA%s" };

		for (size_t j = 0; j < COUNT(forms); j++) {
			char *at = strstr(strcpy(token, forms[j]), "%s");

			strcpy(at, bad[i]);
			strcat(token, strstr(forms[j], "%s") + 2);
			ck_assert_msg(test_parse(b2b_str_of(token), &jws, &why) == B2B_ERR_INVALID,
				      "%s", token);
		}
	}
}
END_TEST

/* Every byte in every place of a word of four. */
START_TEST(test_jws_parse__base64_bytes)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct b2b_error why;
	struct b2b_jws jws;

	for (unsigned byte = 0; byte < 256; byte++) {
		const char *sextet = memchr(alphabet, (int)byte, 64);

		for (unsigned place = 0; place < 4; place++) {
			char token[] = HEADER ".AAAA.AAAA";
			unsigned long value;

			token[strlen(HEADER) + 1 + place] = (char)byte;
			if (test_parse((struct b2b_str){ token, strlen(HEADER) + 10 }, &jws,
				       &why) != B2B_OK) {
				ck_assert_ptr_null(sextet);
				continue;
			}
			ck_assert_ptr_nonnull(sextet);
			value = (unsigned long)(sextet - alphabet) << (18 - 6 * place);
			ck_assert_uint_eq(jws.payload_len, 3);
			ck_assert_uint_eq((uint8_t)jws.payload[0], value >> 16);
			ck_assert_uint_eq((uint8_t)jws.payload[1], value >> 8 & 255);
			ck_assert_uint_eq((uint8_t)jws.payload[2], value & 255);
			b2b_jws_clear(&jws);
		}
	}
}
END_TEST

START_TEST(test_jws_parse__payload_of_any_bytes)
{
	uint8_t payload[300];
	struct b2b_error why;
	struct b2b_jws jws;

	for (size_t i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)(i * 7 + i / 256);
	for (size_t len = 0; len <= sizeof payload; len++) {
		char *token;

		token = test_text(HEADER ".%s.AAAA", test_base64(payload, len));
		ck_assert_int_eq(test_parse(b2b_str_of(token), &jws, &why), B2B_OK);
		ck_assert_uint_eq(jws.payload_len, len);
		ck_assert_int_eq(memcmp(jws.payload, payload, len), 0);
		ck_assert_int_eq(jws.payload[len], '\0');
		ck_assert_uint_eq(jws.signature_len, 3);
		ck_assert_int_eq(memcmp(jws.signature, "\0\0", 3), 0);
		b2b_jws_clear(&jws);
	}
}
END_TEST

START_TEST(test_jws_parse__size)
{
	static char token[B2B_TOKEN_MAX_BYTES + 1];
	struct b2b_str text = { token, sizeof token - 1 };
	struct b2b_error why;
	struct b2b_jws jws;

	memset(token, 'A', sizeof token);
	memcpy(token, HEADER ".", strlen(HEADER) + 1);
	memcpy(token + text.len - 5, ".AAAA", 5);
	ck_assert_int_eq(test_parse(text, &jws, &why), B2B_OK);
	ck_assert_uint_eq(jws.signing_input.len, text.len - 5);
	b2b_jws_clear(&jws);
	memcpy(token + text.len - 5, "AAAAA", 5);
	text.len++;
	memcpy(token + text.len - 5, ".AAAA", 5);
	ck_assert_int_eq(test_parse(text, &jws, &why), B2B_ERR_INVALID);
	ck_assert_str_eq(why.text, "it has more than 16384 bytes");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("jws");
	TCase *vectors = tcase_create("vectors"), *shapes = tcase_create("shapes");

	tcase_add_test(vectors, test_jws_check__published_vectors);
	tcase_add_test(vectors, test_jws_parse__published_vectors_refused);
	tcase_add_test(shapes, test_alg_find__names);
	tcase_add_test(shapes, test_jws_parse__shapes);
	tcase_add_test(shapes, test_jws_parse__base64_is_canonical);
	tcase_add_test(shapes, test_jws_parse__base64_bytes);
	tcase_add_test(shapes, test_jws_parse__payload_of_any_bytes);
	tcase_add_test(shapes, test_jws_parse__size);
	suite_add_tcase(suite, vectors);
	suite_add_tcase(suite, shapes);
	return test_run(suite);
}
