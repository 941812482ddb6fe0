/*
 * check_text.c - unit tests of base.c and text.c.
 * In: tables of texts, good, bad and hostile.
 * Out: libcheck's summary.
 */
#include "entry.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define BYTES(literal) ((struct b2b_str){ literal, sizeof(literal) - 1 })

static struct b2b_str str(const char *text)
{
	return b2b_str_of(text);
}

/* base.c */

START_TEST(test_attr_find__every_name_both_ways)
{
	char upper[64];

	for (int i = 1; i < B2B_ATTR_COUNT; i++) {
		const char *name = b2b_attr_name((enum b2b_attr)i);
		size_t length = strlen(name);

		ck_assert_uint_gt(length, 0);
		ck_assert_int_eq(b2b_attr_find(name), i);
		for (size_t j = 0; j <= length; j++)
			upper[j] =
				(char)(name[j] >= 'a' && name[j] <= 'z' ? name[j] - 32 : name[j]);
		ck_assert_int_eq(b2b_attr_find(upper), i);
	}
	ck_assert_int_eq(b2b_attr_find("b2bNothing"), B2B_ATTR_NONE);
	ck_assert_int_eq(b2b_attr_find(""), B2B_ATTR_NONE);
	ck_assert_int_eq(b2b_attr_find(NULL), B2B_ATTR_NONE);
	ck_assert_str_eq(b2b_attr_name(B2B_ATTR_COUNT), "");
	ck_assert_str_eq(b2b_attr_name((enum b2b_attr) - 1), "");
}
END_TEST

START_TEST(test_error_set__shows_no_control_characters)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain text", "plain text" },
		{ "a\nb\tc\033[31m\177", "a?b?c?[31m?" },
		{ "M\303\274ller \346\227\245", "M\303\274ller \346\227\245" },
		{ "\302\233", "??" },           /* C1 control */
		{ "\300\257", "??" },           /* overlong '/' */
		{ "\355\240\200", "???" },      /* surrogate */
		{ "\342\200\256x", "???x" },    /* right-to-left override */
		{ "\364\220\200\200", "????" }, /* above U+10FFFF */
		{ "cut \303", "cut ?" },
		{ "\377\376", "??" },
	};
	struct b2b_error error;

	for (size_t i = 0; i < COUNT(cases); i++) {
		ck_assert_int_eq(b2b_error_set(&error, "%s", cases[i].in), B2B_ERR_INVALID);
		ck_assert_str_eq(error.text, cases[i].out);
	}
	ck_assert_int_eq(b2b_error_set(NULL, "x"), B2B_ERR_INVALID);
}
END_TEST

START_TEST(test_error_set__cuts)
{
	struct b2b_error error;
	char text[2000];

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	b2b_error_set(&error, "%s", text);
	ck_assert_uint_eq(strlen(error.text), sizeof error.text - 1);
}
END_TEST

/* text.c: strings */

START_TEST(test_str_similar__pairs)
{
	static const struct {
		const char *a, *b;
		bool similar;
	} cases[] = {
		{ "", "", true },
		{ "uid=bob,dc=home", "UID = Bob ,  DC=Home", true },
		{ " uid=bob,dc=home ", "uid=bob,dc=home", true },
		{ "cn=a+sn=b,dc=x", "cn=a + sn=b , dc=x", true },
		{ "cn=a  b,dc=x", "cn=a b,dc=x", true },
		{ "cn=ab,dc=x", "cn=a b,dc=x", false },
		{ "cn=a;dc=x", "cn=a,dc=x", true },
		{ "cn=a\\2cb", "cn=a\\,b", true },
		{ "cn=M\\C3\\BCller", "cn=M\303\274ller", true },
		{ "cn=\\61lice", "cn=alice", true },
		{ "uid=bob", "uid=bo", false },
		{ "uid=bo", "uid=bob", false },
		{ "uid=bob", "uid=rob", false },
		{ "a\\", "a\\", true },
		{ "", " ", true },
		{ "x", "", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_str a = str(cases[i].a), b = str(cases[i].b);

		ck_assert_msg(b2b_str_similar(a, b) == cases[i].similar, "%s | %s", a.s, b.s);
		ck_assert_msg(b2b_str_similar(b, a) == cases[i].similar, "%s | %s", b.s, a.s);
		ck_assert(b2b_str_similar(a, a));
		ck_assert_msg((b2b_str_hash_similar(a) == b2b_str_hash_similar(b)) ==
				      cases[i].similar,
			      "%s | %s", a.s, b.s);
	}
	ck_assert(!b2b_str_similar(BYTES("a"), BYTES("a\0b")));
	ck_assert(!b2b_str_similar(BYTES("a \0"), BYTES("a ")));
}
END_TEST

START_TEST(test_str_equal__case_and_length)
{
	ck_assert(b2b_str_equal(str("aB"), str("aB")));
	ck_assert(!b2b_str_equal(str("aB"), str("ab")));
	ck_assert(!b2b_str_equal(BYTES("a\0x"), BYTES("a\0y")));
	ck_assert(b2b_str_equal_nocase(str("aB1-"), str("Ab1-")));
	ck_assert(!b2b_str_equal_nocase(str("ab"), str("abc")));
	ck_assert(!b2b_str_equal_nocase(str("["), str("{")));
	ck_assert(b2b_str_equal_nocase(str("ABCDEFGHIJ"), str("abcdefghij")));
	ck_assert(!b2b_str_equal_nocase(str("abcdefghij"), str("abcdefghix")));
	ck_assert(!b2b_str_equal_nocase(str("xbcdefghij"), str("abcdefghij")));
	ck_assert(b2b_str_equal(str(NULL), str("")));
	ck_assert(b2b_str_equal_nocase(str(NULL), str("")));
}
END_TEST

/* Every byte in every place of a word. */
START_TEST(test_lower8__like_one_at_a_time)
{
	for (unsigned byte = 0; byte < 256; byte++) {
		for (size_t place = 0; place < 8; place++) {
			char bytes[8] = { '@', 'A', 'Z', '[', '\300', '\332', 'z', '\0' };
			char expected[8];
			uint64_t word;

			bytes[place] = (char)byte;
			for (size_t i = 0; i < 8; i++)
				expected[i] = b2b_lower(bytes[i]);
			memcpy(&word, bytes, sizeof word);
			word = b2b_lower8(word);
			ck_assert_int_eq(memcmp(&word, expected, sizeof word), 0);
		}
	}
}
END_TEST

START_TEST(test_str_dup__keeps_bytes)
{
	char *copy = b2b_str_dup(BYTES("a\0b"));
	char *empty = b2b_str_dup(str(NULL));

	ck_assert_int_eq(memcmp(copy, "a\0b", 4), 0);
	ck_assert_str_eq(empty, "");
	free(copy);
	free(empty);
}
END_TEST

/* text.c: times, booleans, numbers */

START_TEST(test_time_parse__good)
{
	static const struct {
		const char *text;
		long long seconds;
	} cases[] = {
		{ "19700101000000Z", 0 },
		{ "1970010100Z", 0 },
		{ "197001010001Z", 60 },
		{ "20000229120000Z", 951825600 },
		{ "20240229000000Z", 1709164800 },
		{ "20380119031408Z", 2147483648LL },
		{ "20261231235959.999Z", 1798761599 },
		{ "20261231235959,9Z", 1798761599 },
		{ "20261231235960Z", 1798761600 },
		{ "20260101020000+0200", 1767225600 },
		{ "20251231190000-0500", 1767225600 },
		{ "20260101053000+0530", 1767225600 },
		{ "2026010101+01", 1767225600 },
		{ "99991231235959Z", 253402300799LL },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		time_t when = -1;

		ck_assert_msg(b2b_time_parse(str(cases[i].text), &when) == B2B_OK, "%s",
			      cases[i].text);
		ck_assert_msg((long long)when == cases[i].seconds, "%s: %lld", cases[i].text,
			      (long long)when);
	}
}
END_TEST

START_TEST(test_time_parse__bad)
{
	static const char *const cases[] = {
		"",
		"Z",
		"2026",
		"20260101Z",
		"20260101000000",
		"20260101000000z",
		"20260101000000Z ",
		" 20260101000000Z",
		"20261301000000Z",
		"20260001000000Z",
		"20260100000000Z",
		"20260132000000Z",
		"20260229000000Z",
		"21000229000000Z",
		"20260431000000Z",
		"20260101240000Z",
		"20260101006000Z",
		"20260101000061Z",
		"19691231235959Z",
		"00000101000000Z",
		"1970010100+0100",
		"20260101000000.Z",
		"20260101000000.5",
		"20260101000000+",
		"20260101000000+1",
		"20260101000000+2400",
		"20260101000000+0060",
		"2026010100000Z",
		"202601010Z",
		"-2026010100000Z",
		"20260101000000ZZ",
		"20260101000000+01000",
		"2026010a000000Z",
		"100000101000000Z",
		"20260101000000.5+",
	};
	time_t when = 7;

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(b2b_time_parse(str(cases[i]), &when) == B2B_ERR_INVALID, "%s",
			      cases[i]);
	ck_assert_int_eq(b2b_time_parse(BYTES("20260101000000\0Z"), &when), B2B_ERR_INVALID);
	ck_assert_int_eq(b2b_time_parse(BYTES("20260101000000Z\0"), &when), B2B_ERR_INVALID);
	ck_assert_int_eq(when, 7);
}
END_TEST

START_TEST(test_time_format__is_read_back)
{
	char text[B2B_TIME_SIZE], expected[64];
	struct tm parts;
	time_t again;

	for (long long when = 0; when <= 253402300799LL; when += 86400LL * 97 + 12345) {
		time_t moment = (time_t)when;

		b2b_time_format(moment, text);
		gmtime_r(&moment, &parts);
		strftime(expected, sizeof expected, "%Y%m%d%H%M%SZ", &parts);
		ck_assert_str_eq(text, expected);
		ck_assert_int_eq(b2b_time_parse(str(text), &again), B2B_OK);
		ck_assert_int_eq(again, moment);
	}
	b2b_time_format(-5, text);
	ck_assert_str_eq(text, "19700101000000Z");
	b2b_time_format((time_t)253402300800LL, text);
	ck_assert_str_eq(text, "99991231235959Z");
}
END_TEST

START_TEST(test_time_round_up_hour__edges)
{
	ck_assert_int_eq(b2b_time_round_up_hour(0), 0);
	ck_assert_int_eq(b2b_time_round_up_hour(1), 3600);
	ck_assert_int_eq(b2b_time_round_up_hour(3599), 3600);
	ck_assert_int_eq(b2b_time_round_up_hour(3600), 3600);
	ck_assert_int_eq(b2b_time_round_up_hour(3601), 7200);
	ck_assert_int_eq(b2b_time_round_up_hour(-1), 0);
	ck_assert_int_eq(b2b_time_round_up_hour(-3601), -3600);
}
END_TEST

START_TEST(test_bool_parse__only_the_two_words)
{
	static const char *const bad[] = { "", "true", "False", "TRUE ", "T", "1", "YES" };
	bool flag = false;

	ck_assert_int_eq(b2b_bool_parse(str("TRUE"), &flag), B2B_OK);
	ck_assert(flag);
	ck_assert_int_eq(b2b_bool_parse(str("FALSE"), &flag), B2B_OK);
	ck_assert(!flag);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_int_eq(b2b_bool_parse(str(bad[i]), &flag), B2B_ERR_INVALID);
	ck_assert_int_eq(b2b_bool_parse(BYTES("TRUE\0"), &flag), B2B_ERR_INVALID);
	ck_assert(!flag);
}
END_TEST

START_TEST(test_number_parse__range)
{
	static const char *const bad[] = { "",           "0",         "5",  "6001", "10000",
					   "+6",         "-6",        " 6", "6 ",   "06",
					   "6.0",        "0x6",       "6e", "six",  "\xd9\xa6",
					   "4294967302", "1000000000" };
	unsigned number = 7;

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(b2b_number_parse(str(bad[i]), 6, 6000, &number) == B2B_ERR_INVALID,
			      "%s", bad[i]);
	ck_assert_uint_eq(number, 7);
	ck_assert_int_eq(b2b_number_parse(str("6"), 6, 6000, &number), B2B_OK);
	ck_assert_uint_eq(number, 6);
	ck_assert_int_eq(b2b_number_parse(str("6000"), 6, 6000, &number), B2B_OK);
	ck_assert_uint_eq(number, 6000);
	ck_assert_int_eq(b2b_number_parse(str("999999999"), 0, 4000000000u, &number), B2B_OK);
	ck_assert_uint_eq(number, 999999999);
}
END_TEST

START_TEST(test_days_parse__range)
{
	static const char *const bad[] = {
		"",      "-1",         "+1",  "1.5", " 1",   "1 ", "36501",
		"99999", "4294967296", "007", "1d",  "0x10", "00", "99999999999999999999"
	};
	unsigned days = 7;

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(b2b_days_parse(str(bad[i]), &days) == B2B_ERR_INVALID, "%s", bad[i]);
	ck_assert_uint_eq(days, 7);
	ck_assert_int_eq(b2b_days_parse(str("0"), &days), B2B_OK);
	ck_assert_uint_eq(days, 0);
	ck_assert_int_eq(b2b_days_parse(str("36500"), &days), B2B_OK);
	ck_assert_uint_eq(days, 36500);
}
END_TEST

START_TEST(test_ordered_parse__prefixes)
{
	static const struct {
		const char *value, *rest;
		bool prefixed;
		unsigned index;
	} cases[] = {
		{ "{0}a", "a", true, 0 },
		{ "{12}a b", "a b", true, 12 },
		{ "{999999999}x", "x", true, 999999999 },
		{ "{0}", "", true, 0 },
		{ "a{0}", "a{0}", false, 0 },
		{ "{}a", "{}a", false, 0 },
		{ "{-1}a", "{-1}a", false, 0 },
		{ "{1a", "{1a", false, 0 },
		{ "{ 1}a", "{ 1}a", false, 0 },
		{ "{4294967296}a", "{4294967296}a", false, 0 },
		{ "{01}a", "{01}a", false, 0 },
		{ "", "", false, 0 },
		{ "}", "}", false, 0 },
		{ "{1}{2}a", "{2}a", true, 1 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_str rest;
		unsigned index = 77;

		ck_assert_msg(b2b_ordered_parse(str(cases[i].value), &index, &rest) ==
				      cases[i].prefixed,
			      "%s", cases[i].value);
		ck_assert_uint_eq(index, cases[i].index);
		ck_assert(b2b_str_equal(rest, str(cases[i].rest)));
	}
}
END_TEST

/* text.c: networks */

START_TEST(test_cidr_contains__pairs)
{
	static const struct {
		const char *cidr, *addr;
		bool inside;
	} cases[] = {
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.7", "192.0.2.7", true },
		{ "192.0.2.7", "192.0.2.6", false },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "192.0.2.1", true },
		{ "2001:db8::/32", "2001:db8:ffff::1", true },
		{ "2001:db8::/32", "2001:db9::1", false },
		{ "2001:db8::1", "2001:db8::1", true },
		{ "::ffff:192.0.2.0/120", "192.0.2.9", true },
		{ "192.0.2.0/24", "::ffff:192.0.2.9", true },
		{ "10.0.0.0/7", "11.255.0.1", true },
		{ "10.0.0.0/7", "12.0.0.0", false },
		{ "2001:db8:0:1::/64", "2001:db8:0:1:ffff::1", true },
		{ "2001:db8:0:1::/64", "2001:db8:0:0:ffff::1", false },
		{ "2001:db8:0:1:8000::/65", "2001:db8:0:1:ffff::", true },
		{ "2001:db8:0:1:8000::/65", "2001:db8:0:1:7fff::", false },
		{ "2001:db8:0:1:8000::/65", "2001:db8:0:2:ffff::", false },
		{ "8000::/1", "ffff::", true },
		{ "8000::/1", "7fff::", false },
	};
	struct b2b_cidr cidr;
	struct b2b_addr addr, none = { { 0 }, false };

	for (size_t i = 0; i < COUNT(cases); i++) {
		ck_assert_int_eq(b2b_cidr_parse(str(cases[i].cidr), &cidr), B2B_OK);
		ck_assert_int_eq(b2b_addr_parse(str(cases[i].addr), &addr), B2B_OK);
		ck_assert_msg(b2b_cidr_contains(&cidr, &addr) == cases[i].inside, "%s %s",
			      cases[i].cidr, cases[i].addr);
		ck_assert(!b2b_cidr_contains(&cidr, &none));
	}
	memset(&cidr, 0, sizeof cidr);
	ck_assert(!b2b_cidr_contains(&cidr, &addr));
}
END_TEST

START_TEST(test_cidr_parse__bad)
{
	static const char *const cases[] = {
		"",
		"/",
		"/24",
		"192.0.2.0/",
		"192.0.2.0/33",
		"192.0.2.1/24",
		"192.0.2/24",
		"192.0.2.0/-1",
		"192.0.2.0/ 24",
		"192.0.2.0/024",
		"192.0.2.0/24/",
		"2001:db8::/129",
		"2001:db8::1/32",
		"localhost",
		"1.2.3.4.5",
		"01.2.3.4",
		"256.0.0.1",
		"::1%lo",
		"[::1]",
		"192.0.2.0/4294967320",
		" 192.0.2.0/24",
		"0x7f.0.0.1",
	};
	struct b2b_cidr cidr;

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(b2b_cidr_parse(str(cases[i]), &cidr) == B2B_ERR_INVALID, "%s",
			      cases[i]);
	ck_assert_int_eq(b2b_cidr_parse(BYTES("192.0.2.0\0/24"), &cidr), B2B_ERR_INVALID);
	ck_assert_int_eq(b2b_cidr_parse(BYTES("192.0.2.0/24\0"), &cidr), B2B_ERR_INVALID);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("text");
	TCase *base = tcase_create("base"), *text = tcase_create("text");

	tcase_add_test(base, test_attr_find__every_name_both_ways);
	tcase_add_test(base, test_error_set__shows_no_control_characters);
	tcase_add_test(base, test_error_set__cuts);
	tcase_add_test(text, test_str_similar__pairs);
	tcase_add_test(text, test_str_equal__case_and_length);
	tcase_add_test(text, test_lower8__like_one_at_a_time);
	tcase_add_test(text, test_str_dup__keeps_bytes);
	tcase_add_test(text, test_time_parse__good);
	tcase_add_test(text, test_time_parse__bad);
	tcase_add_test(text, test_time_format__is_read_back);
	tcase_add_test(text, test_time_round_up_hour__edges);
	tcase_add_test(text, test_bool_parse__only_the_two_words);
	tcase_add_test(text, test_number_parse__range);
	tcase_add_test(text, test_days_parse__range);
	tcase_add_test(text, test_ordered_parse__prefixes);
	tcase_add_test(text, test_cidr_contains__pairs);
	tcase_add_test(text, test_cidr_parse__bad);
	suite_add_tcase(suite, base);
	suite_add_tcase(suite, text);
	return test_run(suite);
}
