/*
 * check_mail.c - unit tests of mail.c: what strangers give for an address, a domain, a name.
 * In: texts, hostile ones above all.
 * Out: libcheck's summary.
 */
#include "entry.h"

#include "mail.h"
#include "text.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define BARE "is not a bare address such as name@example.org"
#define NO_DOMAIN "names no domain such as example.org"
#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A63 A50 "aaaaaaaaaaaaa"
#define A64 A63 "a"

/* Checks a copy that ends where the text does, so that a sanitizer sees a read past it. */
static enum b2b_err check_exactly(const char *text, size_t bytes, struct b2b_error *error)
{
	char *exact = malloc(bytes ? bytes : 1);
	struct b2b_str mail = { exact, bytes };
	enum b2b_err err;

	memcpy(exact, text, bytes);
	*error = (struct b2b_error){ "" };
	err = b2b_mail_check(mail, error);
	ck_assert((err == B2B_OK) == (error->text[0] == '\0'));
	for (const char *c = error->text; *c; c++)
		ck_assert_msg((unsigned char)*c >= 0x20 && *c != 0x7f, "%s", error->text);
	free(exact);
	return err;
}

START_TEST(test_mail_check__good)
{
	static const char *const good[] = {
		"bob@fabrikam.example",
		"Bob.B@Fabrikam.Example",
		"a@b.cc",
		"bob+wiki@mail.fabrikam.example",
		"o'neill@fabrikam.example",
		"!#$%&'*+-/=?^_`{|}~@fabrikam.example",
		"1@1.example",
		"bob@xn--bcher-kva.example",
		"bob@a-b.example",
		"bob@example.xn--p1ai",
		(A64 "@example.org"),
		("a@" A63 "." A63 "." A50 ".example"),
	};
	struct b2b_error error;

	for (size_t i = 0; i < COUNT(good); i++)
		ck_assert_msg(check_exactly(good[i], strlen(good[i]), &error) == B2B_OK, "%s",
			      error.text);
}
END_TEST

#define BAD(text, words)                                                                           \
	{                                                                                          \
		text, sizeof text - 1, words                                                       \
	}

static const struct {
	const char *text;
	size_t bytes;
	const char *words;
} bad[] = {
	BAD("", "mail: value \"\" is empty"),
	BAD("bob", "mail: value \"bob\" has no '@'"),
	BAD("@fabrikam.example", "has nothing before the '@'"),
	BAD("bob@", NO_DOMAIN),
	BAD("@", "has nothing before"),
	/* lines of a header, or of the dialogue with a mail server */
	BAD("bob@fabrikam.example\r\nBcc: eve@evil.example", BARE),
	BAD("bob@fabrikam.example\r\n", NO_DOMAIN),
	BAD("bob@fabrikam.example\n", NO_DOMAIN),
	BAD("bob\r\nRCPT TO:<eve@evil.example>", BARE),
	BAD("\nbob@fabrikam.example", BARE),
	BAD("bob\t@fabrikam.example", BARE),
	BAD("bob@fabrikam.example\0", NO_DOMAIN),
	BAD("bob\0@fabrikam.example", BARE),
	BAD("bob@fabrikam\0.example", NO_DOMAIN),
	BAD("bob\x7f@fabrikam.example", BARE),
	/* more than an address */
	BAD("Bob <bob@fabrikam.example>", BARE),
	BAD("<bob@fabrikam.example>", BARE),
	BAD("bob@fabrikam.example>", NO_DOMAIN),
	BAD("bob@fabrikam.example (Bob)", NO_DOMAIN),
	BAD("bob(x)@fabrikam.example", BARE),
	BAD("bob@fabrikam.example,eve@evil.example", BARE),
	BAD("bob@fabrikam.example;", NO_DOMAIN),
	BAD("mailto:bob@fabrikam.example", BARE),
	BAD(" bob@fabrikam.example", BARE),
	BAD("bob@fabrikam.example ", NO_DOMAIN),
	BAD("bob @fabrikam.example", BARE),
	BAD("bob@ fabrikam.example", NO_DOMAIN),
	/* two '@': whichever is taken, the other one is read by somebody */
	BAD("bob@evil.example@fabrikam.example", BARE),
	BAD("bob@@fabrikam.example", BARE),
	BAD("\"bob@evil.example\"@fabrikam.example", BARE),
	BAD("\"bob\"@fabrikam.example", BARE),
	BAD("bo\\b@fabrikam.example", BARE),
	BAD("@relay.example:bob@fabrikam.example", BARE),
	BAD(".bob@fabrikam.example", BARE),
	BAD("bob.@fabrikam.example", BARE),
	BAD("b..ob@fabrikam.example", BARE),
	/* domains */
	BAD("bob@fabrikam.example.", NO_DOMAIN),
	BAD("bob@.fabrikam.example", NO_DOMAIN),
	BAD("bob@fabrikam..example", NO_DOMAIN),
	BAD("bob@localhost", NO_DOMAIN),
	BAD("bob@[192.0.2.1]", NO_DOMAIN),
	BAD("bob@192.0.2.1", NO_DOMAIN),
	BAD("bob@-fabrikam.example", NO_DOMAIN),
	BAD("bob@fabrikam-.example", NO_DOMAIN),
	BAD("bob@fab_rikam.example", NO_DOMAIN),
	BAD("bob@fab/rikam.example", NO_DOMAIN),
	BAD("bob@*", NO_DOMAIN),
	BAD("bob@b\xc3\xbc"
	    "cher.example",
	    "names a domain that is not ASCII; write it as xn--..."),
	BAD("bob@fabrikam\xef\xbc\x8e"
	    "example",
	    "write it as xn--..."), /* a wide full stop */
	BAD("bob@f\xd0\xb0"
	    "brikam.example",
	    "write it as xn--..."), /* a Cyrillic a */
	BAD("bob@fabrikam.example\xe2\x80\xae", "write it as xn--..."),
	BAD("b\xc3\xbc"
	    "b@fabrikam.example",
	    "before the '@' that is not ASCII"),
	BAD("bob\xff@fabrikam.example", "before the '@' that is not ASCII"),
	/* too long */
	BAD(A64 "a@example.org", "has more than 64 bytes before the '@'"),
	BAD("a@" A64 ".example", NO_DOMAIN),
	BAD("a@" A63 "." A63 "." A63 "." A63, "has more than 254 bytes"),
};

START_TEST(test_mail_check__bad)
{
	struct b2b_error error;

	ck_assert_msg(check_exactly(bad[_i].text, bad[_i].bytes, &error) == B2B_ERR_INVALID,
		      "taken: %s", bad[_i].text);
	ck_assert_msg(strncmp(error.text, "mail: value \"", 13) == 0, "%s", error.text);
	ck_assert_msg(strstr(error.text, bad[_i].words) != NULL, "%s", error.text);
}
END_TEST

/* The longest of all: 254 bytes pass, one more does not. */
START_TEST(test_mail_check__longest)
{
	char text[300] = "a@" A63 "." A63 "." A63 "." A50;
	struct b2b_error error;

	strcat(text, "aaaaaa.aa");
	ck_assert_uint_eq(strlen(text), 253);
	ck_assert_int_eq(check_exactly(text, 253, &error), B2B_OK);
	strcat(text, "a");
	ck_assert_int_eq(check_exactly(text, 254, &error), B2B_OK);
	strcat(text, "a");
	ck_assert_int_eq(check_exactly(text, 255, &error), B2B_ERR_INVALID);
}
END_TEST

/* Whoever has no error to fill gets the same answer. */
START_TEST(test_mail_check__no_error_wanted)
{
	struct b2b_str nothing = { NULL, 0 };

	ck_assert_int_eq(b2b_mail_check(b2b_str_of("bob@fabrikam.example"), NULL), B2B_OK);
	ck_assert_int_eq(b2b_mail_check(b2b_str_of("bob"), NULL), B2B_ERR_INVALID);
	ck_assert_int_eq(b2b_mail_check(nothing, NULL), B2B_ERR_INVALID);
}
END_TEST

START_TEST(test_mail_domain__last_at)
{
	static const struct {
		const char *mail, *domain;
	} cases[] = {
		{ "bob@fabrikam.example", "fabrikam.example" },
		{ "bob@evil.example@fabrikam.example", "fabrikam.example" },
		{ "bob", "" },
		{ "", "" },
		{ "bob@", "" },
		{ "@x.example", "x.example" },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert(b2b_str_equal(b2b_mail_domain(b2b_str_of(cases[i].mail)),
					b2b_str_of(cases[i].domain)));
	ck_assert_uint_eq(b2b_mail_domain((struct b2b_str){ NULL, 0 }).len, 0);
}
END_TEST

START_TEST(test_domain_equal__case_and_root)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{ "fabrikam.example", "Fabrikam.EXAMPLE", true },
		{ "fabrikam.example.", "fabrikam.example", true },
		{ "fabrikam.example..", "fabrikam.example", false },
		{ "mail.fabrikam.example", "fabrikam.example", false },
		{ "fabrikam.example", "fabrikam.exampl", false },
		{ "f\xc3\xa4"
		  "b.example",
		  "f\xc3\x84"
		  "b.example",
		  false },
		{ "", "", true },
		{ "", ".", true },
		{ "", "a", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_str a = b2b_str_of(cases[i].a), b = b2b_str_of(cases[i].b);

		ck_assert_msg(b2b_domain_equal(a, b) == cases[i].equal, "%s, %s", a.s, b.s);
		ck_assert_msg(b2b_domain_equal(b, a) == cases[i].equal, "%s, %s", b.s, a.s);
	}
}
END_TEST

#define NAME_BAD(text, words)                                                                      \
	{                                                                                          \
		text, sizeof text - 1, words                                                       \
	}

static const struct {
	const char *text;
	size_t bytes;
	const char *words;
} bad_names[] = {
	NAME_BAD("", "is blank"),
	NAME_BAD("   ", "is blank"),
	NAME_BAD("\xc2\xa0\xe2\x80\x8b\xe3\x80\x80", "is blank"), /* blanks of all widths */
	NAME_BAD("\xe2\x80\x8f\xef\xbb\xbf", "is blank"),
	NAME_BAD("Bob\r\nBcc: eve@evil.example", "control character"),
	NAME_BAD("Bob\n", "control character"),
	NAME_BAD("Bob\tB", "control character"),
	NAME_BAD("Bob\0", "control character"),
	NAME_BAD("\x1b[31mBob", "control character"),
	NAME_BAD("Bob\x7f", "control character"),
	NAME_BAD("Bob\xc2\x80", "control character"), /* C1: the first and the last */
	NAME_BAD("Bob\xc2\x9f", "control character"),
	NAME_BAD("Bob\xc2\x85"
		 "B",
		 "control character"), /* NEL, a line's end */
	NAME_BAD("Bob\xe2\x80\xa8"
		 "B",
		 "control character"),
	NAME_BAD("Bob\xe2\x80\xa9"
		 "B",
		 "control character"),
	NAME_BAD("Bob \xe2\x80\xaegpj.exe", "turns the direction of writing"),
	NAME_BAD("\xe2\x80\xaa"
		 "Bob",
		 "turns the direction of writing"),
	NAME_BAD("\xe2\x81\xa6"
		 "Bob",
		 "turns the direction of writing"),
	NAME_BAD("\xe2\x81\xa9"
		 "Bob",
		 "turns the direction of writing"),
	NAME_BAD("Bob\xff", "is not UTF-8"),
	NAME_BAD("Bob\x80", "is not UTF-8"),
	NAME_BAD("Bob\xc3", "is not UTF-8"),
	NAME_BAD("Bob\xc0\x8a", "is not UTF-8"), /* a line feed in too many bytes */
	NAME_BAD("Bob\xe0\x80\x8a", "is not UTF-8"),
	NAME_BAD("Bob\xed\xa0\x80", "is not UTF-8"),     /* half of a pair */
	NAME_BAD("Bob\xf4\x90\x80\x80", "is not UTF-8"), /* beyond U+10FFFF */
	NAME_BAD("Bob\xf8\x88\x80\x80\x80", "is not UTF-8"),
};

START_TEST(test_name_check__bad)
{

	for (size_t i = 0; i < COUNT(bad_names); i++) {
		char *exact = malloc(bad_names[i].bytes ? bad_names[i].bytes : 1);
		struct b2b_str name = { exact, bad_names[i].bytes };
		struct b2b_error error = { "" };

		memcpy(exact, bad_names[i].text, bad_names[i].bytes);
		ck_assert_msg(b2b_name_check("displayName", name, &error) == B2B_ERR_INVALID,
			      "%zu taken", i);
		ck_assert_msg(strncmp(error.text, "displayName: value \"", 20) == 0, "%s",
			      error.text);
		ck_assert_msg(strstr(error.text, bad_names[i].words) != NULL, "%s", error.text);
		free(exact);
	}
}
END_TEST

START_TEST(test_name_check__good)
{
	static const char *const good[] = {
		"Bob",
		"O'Neill, Bob (Fabrikam) \"B\"",
		"J\xc3\xbcrgen Gro\xc3\x9f",
		"\xd7\x93\xd7\x95\xd7\x93 \xe2\x80\x8f(x)", /* Hebrew, with its mark */
		"\xe5\xb1\xb1\xe7\x94\xb0 \xe8\x8a\xb1",
		"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", /* two joined to one */
	};
	char text[B2B_DISPLAY_NAME_MAX + 2];
	struct b2b_error error;

	for (size_t i = 0; i < COUNT(good); i++) {
		error.text[0] = '\0';
		ck_assert_msg(b2b_name_check("displayName", b2b_str_of(good[i]), &error) == B2B_OK,
			      "%s", error.text);
	}
	memset(text, 'a', sizeof text);
	ck_assert_int_eq(b2b_name_check("x", (struct b2b_str){ text, 256 }, NULL), B2B_OK);
	ck_assert_int_eq(b2b_name_check("x", (struct b2b_str){ text, 257 }, &error),
			 B2B_ERR_INVALID);
	ck_assert(strstr(error.text, "has more than 256 bytes") != NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mail");
	TCase *tcase = tcase_create("mail");

	tcase_add_test(tcase, test_mail_check__good);
	tcase_add_loop_test(tcase, test_mail_check__bad, 0, (int)COUNT(bad));
	tcase_add_test(tcase, test_mail_check__longest);
	tcase_add_test(tcase, test_mail_check__no_error_wanted);
	tcase_add_test(tcase, test_mail_domain__last_at);
	tcase_add_test(tcase, test_domain_equal__case_and_root);
	tcase_add_test(tcase, test_name_check__bad);
	tcase_add_test(tcase, test_name_check__good);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
