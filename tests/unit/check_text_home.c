/*
 * check_text_home.c - unit tests of text_url.c and text_pattern.c: how a guest's home is named.
 * In: tables of URLs and patterns, good, bad and hostile.
 * Out: libcheck's summary.
 */
#include "entry.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define BYTES(literal) ((struct b2b_str){ literal, sizeof(literal) - 1 })

static struct b2b_str str(const char *text)
{
	return b2b_str_of(text);
}

/* text_url.c */

START_TEST(test_url_parse__good)
{
	static const struct {
		const char *text, *host;
		unsigned port;
		bool tls, loopback;
	} cases[] = {
		{ "ldap://home.example", "home.example", 389, false, false },
		{ "ldaps://home.example", "home.example", 636, true, false },
		{ "LDAPS://Home.Example/", "Home.Example", 636, true, false },
		{ "ldap://home.example:1389/", "home.example", 1389, false, false },
		{ "ldap://localhost:65535", "localhost", 65535, false, true },
		{ "ldap://LOCALHOST:1", "LOCALHOST", 1, false, true },
		{ "ldap://127.0.0.1", "127.0.0.1", 389, false, true },
		{ "ldap://127.9.9.9", "127.9.9.9", 389, false, true },
		{ "ldap://128.0.0.1", "128.0.0.1", 389, false, false },
		{ "ldap://[::1]:636", "::1", 636, false, true },
		{ "ldaps://[2001:db8::1]", "2001:db8::1", 636, true, false },
		{ "ldap://localhost.evil.example", "localhost.evil.example", 389, false, false },
		{ "ldap://127.0.0.1.evil.example", "127.0.0.1.evil.example", 389, false, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_url url;

		ck_assert_msg(b2b_url_parse(str(cases[i].text), &url) == B2B_OK, "%s",
			      cases[i].text);
		ck_assert_str_eq(url.host, cases[i].host);
		ck_assert_uint_eq(url.port, cases[i].port);
		ck_assert(url.tls == cases[i].tls && url.loopback == cases[i].loopback);
	}
}
END_TEST

static const char *const bad_urls[] = {
	"",
	"ldap",
	"ldap:",
	"ldap://",
	"ldap:///",
	"http://a",
	"ldapi://a",
	"ldapi:///",
	"ldaps:/a",
	" ldap://a",
	"ldap://a ",
	"ldap://a b",
	"ldap://a\n",
	"ldap://a\tb",
	"ldap://u@a",
	"ldap://u:p@a",
	"ldap://a/dc=x",
	"ldap://a//",
	"ldap://a?x",
	"ldap://a#x",
	"ldap://a:",
	"ldap://a:0",
	"ldap://a:65536",
	"ldap://a:-1",
	"ldap://a:+1",
	"ldap://a:1x",
	"ldap://a:0389",
	"ldap://a:389389389",
	"ldap://a:4294967685",
	"ldap://[::1",
	"ldap://[]",
	"ldap://[127.0.0.1]",
	"ldap://[::1]x",
	"ldap://[::1%lo]",
	"ldap://::1",
	"ldap://.a",
	"ldap://a.",
	"ldap://a..b",
	"ldap://-a",
	"ldap://a/:1",
	"ldap://127.1",
	"ldap://2130706433",
	"ldap://0x7f000001",
	"ldap://0x7f.1",
	"ldap://256.1.1.1",
	"ldap://a%2eb",
	"ldap://a\\b",
	"ldap://m\303\274ller",
	"ldap://a,b",
	"ldap://a;b",
	"ldap://a'b",
};

START_TEST(test_url_parse__bad)
{
	struct b2b_url url;
	char longest[400] = "ldap://";

	for (size_t i = 0; i < COUNT(bad_urls); i++)
		ck_assert_msg(b2b_url_parse(str(bad_urls[i]), &url) == B2B_ERR_INVALID, "%s",
			      bad_urls[i]);
	ck_assert_int_eq(b2b_url_parse(BYTES("ldap://a\0.evil"), &url), B2B_ERR_INVALID);
	memset(longest + 7, 'a', 300);
	ck_assert_int_eq(b2b_url_parse(str(longest), &url), B2B_ERR_INVALID);
}
END_TEST

/* text_pattern.c */

struct person {
	const char *name;
	struct b2b_str value;
};

static bool look_up(const void *ctx, const char *attribute, struct b2b_str *value_r)
{
	const struct person *person = ctx;

	if (strcmp(attribute, person->name) != 0)
		return false;
	*value_r = person->value;
	return true;
}

START_TEST(test_pattern_check__good)
{
	static const char *const cases[] = { "uid=%u,dc=home",
					     "%s",
					     "%u@home.example",
					     "%m",
					     "%{employeeNumber}",
					     "100%%-%u",
					     "cn=%{cn}+uid=%u,ou=a\\,b,dc=home" };
	struct b2b_error error;

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(b2b_pattern_check(str(cases[i]), &error) == B2B_OK, "%s: %s",
			      cases[i], error.text);
}
END_TEST

START_TEST(test_pattern_check__bad)
{
	static const char *const cases[] = {
		"",
		"uid=admin,dc=home",
		"admin",
		"%",
		"uid=%",
		"uid=%x,dc=home",
		"uid=%{},dc=home",
		"uid=%{uid,dc=h",
		"uid=%{u d}",
		"uid=%{1a}",
		"uid=%{uid;x}",
		"%s,dc=home",
		"%u=a,dc=home",
		"uid=a,%u=b",
		"uid=a+%u=b",
		"uid=%u\n,dc=home",
		"%%",
		"uid=a\\%u",
		"uid=%{-a},dc=h",
	};
	char longest[1200];
	struct b2b_error error;

	for (size_t i = 0; i < COUNT(cases); i++) {
		error.text[0] = '\0';
		ck_assert_msg(b2b_pattern_check(str(cases[i]), &error) == B2B_ERR_INVALID, "%s",
			      cases[i]);
		ck_assert_str_ne(error.text, "");
	}
	ck_assert_int_eq(b2b_pattern_check(BYTES("uid=%u\0"), NULL), B2B_ERR_INVALID);
	memset(longest, 'a', sizeof longest);
	memcpy(longest, "uid=%u", 6);
	longest[sizeof longest - 1] = '\0';
	ck_assert_int_eq(b2b_pattern_check(str(longest), NULL), B2B_ERR_INVALID);
}
END_TEST

START_TEST(test_pattern_expand__escapes)
{
	static const struct {
		const char *pattern, *name, *value, *expected;
	} cases[] = {
		{ "uid=%u,dc=home", "uid", "bob", "uid=bob,dc=home" },
		{ "uid=%u,dc=home", "uid", "bob,dc=evil", "uid=bob\\,dc\\=evil,dc=home" },
		{ "uid=%u,dc=home", "uid", "a+cn=b", "uid=a\\+cn\\=b,dc=home" },
		{ "uid=%u,dc=home", "uid", " a ", "uid=\\ a\\ ,dc=home" },
		{ "uid=%u,dc=home", "uid", "a b", "uid=a b,dc=home" },
		{ "uid=%u,dc=home", "uid", "#a#", "uid=\\#a#,dc=home" },
		{ "uid=%u,dc=home", "uid", "\\2c\";<>", "uid=\\\\2c\\\"\\;\\<\\>,dc=home" },
		{ "uid=%u,dc=home", "uid", "a\nb", "uid=a\\0Ab,dc=home" },
		{ "uid=%u,dc=home", "uid", " ", "uid=\\ ,dc=home" },
		{ "uid=%u,dc=home", "uid", "*)(", "uid=*)(,dc=home" },
		{ "uid=%u,dc=home", "uid", "%{mail}", "uid=%{mail},dc=home" },
		{ "cn=%{cn},dc=home", "cn", "M\303\274ller", "cn=M\303\274ller,dc=home" },
		{ "%s", "b2bHomeSubject", "uid=bob,dc=home", "uid=bob,dc=home" },
		{ "%u@home", "uid", "bob", "bob@home" },
		{ "%m", "mail", "bob@home", "bob@home" },
		{ "%%%u", "uid", "x", "%x" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct person person = { cases[i].name, str(cases[i].value) };
		struct b2b_error error;
		char *name;

		ck_assert_msg(b2b_pattern_expand(str(cases[i].pattern), look_up, &person, &name,
						 &error) == B2B_OK,
			      "%s: %s", cases[i].pattern, error.text);
		ck_assert_str_eq(name, cases[i].expected);
		free(name);
	}
}
END_TEST

START_TEST(test_pattern_expand__refuses)
{
	static const struct {
		const char *pattern, *name;
		struct b2b_str value;
	} cases[] = {
		{ "uid=%u,dc=home", "mail", BYTES("x") }, /* no such value */
		{ "uid=%u,dc=home", "uid", BYTES("") },
		{ "uid=%u,dc=home", "uid", BYTES("a\0b") },
		{ "%u@home", "uid", BYTES("a\0b") },
		{ "%u@home", "uid", BYTES("a\nb") },
		{ "%u@home", "uid", BYTES("") },
		{ "uid=admin,dc=home", "uid", BYTES("x") }, /* malformed patterns */
		{ "%", "uid", BYTES("x") },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct person person = { cases[i].name, cases[i].value };
		struct b2b_error error = { "" };
		char *name = error.text;

		ck_assert_msg(b2b_pattern_expand(str(cases[i].pattern), look_up, &person, &name,
						 &error) == B2B_ERR_INVALID,
			      "%zu", i);
		ck_assert_ptr_null(name);
		ck_assert_str_ne(error.text, "");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("text_home");
	TCase *url = tcase_create("url"), *pattern = tcase_create("pattern");

	tcase_add_test(url, test_url_parse__good);
	tcase_add_test(url, test_url_parse__bad);
	tcase_add_test(pattern, test_pattern_check__good);
	tcase_add_test(pattern, test_pattern_check__bad);
	tcase_add_test(pattern, test_pattern_expand__escapes);
	tcase_add_test(pattern, test_pattern_expand__refuses);
	suite_add_tcase(suite, url);
	suite_add_tcase(suite, pattern);
	return test_run(suite);
}
