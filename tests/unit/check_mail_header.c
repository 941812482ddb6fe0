/*
 * check_mail_header.c - values of foreign origin in headers, lines, HTML and quotations.
 * In: names and texts, hostile ones among them.  Out: what a mail would hold.
 */
#include "entry.h"

#include "mail_make.h"
#include "text.h"

#include <openssl/evp.h>

static struct mail_text text;

static void start(void)
{
	text = (struct mail_text){ NULL, 0, 0, false };
}

static void finish(void)
{
	mail_text_clear(&text);
}

static struct b2b_str str(const char *s)
{
	return b2b_str_of(s);
}

/* RFC 2047, 5 and 2: plain where nothing could be taken for anything else. */
static const struct {
	const char *value;
	bool phrase;
	const char *header;
} words[] = {
	{ "Alice", true, "Alice" },
	{ "Alice Liddell-Smith", true, "Alice Liddell-Smith" },
	{ "", true, "" },
	{ "Alice, Bob", true, "=?UTF-8?B?QWxpY2UsIEJvYg==?=" },
	{ "Alice, Bob", false, "Alice, Bob" },
	{ "a@b.example", true, "=?UTF-8?B?YUBiLmV4YW1wbGU=?=" },
	{ " Alice", true, "=?UTF-8?B?IEFsaWNl?=" },
	{ "=?UTF-8?B?QQ==?=", false, "=?UTF-8?B?PT9VVEYtOD9CP1FRPT0/PQ==?=" },
	{ "Zo\xc3\xab", true, "=?UTF-8?B?Wm/Dqw==?=" },
	{ "a\r\nBcc: b", false, "a  Bcc: b" },
	{ "a\r\nBcc: b", true, "=?UTF-8?B?YSAgQmNjOiBi?=" },
	{ "\r\n", true, "=?UTF-8?B?ICA=?=" },
	{ "a\xff", true, "=?UTF-8?B?YT8=?=" },
	{ "a\xe2\x80\xae"
	  "b",
	  true, "ab" },
};

START_TEST(test_mail_header_words__table)
{
	mail_header_words(&text, str(words[_i].value), words[_i].phrase);
	ck_assert_str_eq(text.s ? text.s : "", words[_i].header);
}
END_TEST

/* Decodes what mail_header_words made, and checks the form of each word. */
static size_t decode(const char *header, unsigned char *out)
{
	static const char lead[] = "=?UTF-8?B?";
	size_t bytes = 0;

	while (*header) {
		const char *end = strstr(header + sizeof lead - 1, "?=");
		int got;

		ck_assert_int_eq(strncmp(header, lead, sizeof lead - 1), 0);
		ck_assert_ptr_nonnull(end);
		ck_assert_int_le(end + 2 - header, 75);
		header += sizeof lead - 1;
		got = EVP_DecodeBlock(out + bytes, (const unsigned char *)header,
				      (int)(end - header));
		ck_assert_int_gt(got, 0);
		bytes += (size_t)got - (end[-1] == '=') - (end[-2] == '=');
		/* no character is cut: RFC 2047, 5 (3) */
		ck_assert(bytes == 0 || (out[bytes - 1] & 0x80) == 0 ||
			  (out[bytes - 1] & 0xc0) == 0x80);
		header = end + 2;
		if (*header) {
			ck_assert_int_eq(strncmp(header, "\r\n ", 3), 0);
			header += 3;
		}
	}
	return bytes;
}

START_TEST(test_mail_header_words__long)
{
	static const char *const pieces[] = { "a", "\xc3\xab", "\xe6\x84\x9b", "\xf0\x9f\x98\x80" };
	char value[1024] = "";
	unsigned char back[1024];

	for (int i = 0; i < 120; i++)
		strcat(value, pieces[_i]);
	mail_header_words(&text, str(value), true);
	ck_assert_uint_eq(decode(text.s, back), strlen(value));
	ck_assert_int_eq(memcmp(back, value, strlen(value)), 0);
}
END_TEST

START_TEST(test_mail_header_person__folds)
{
	struct mail_sender who = { str("a@b.example"), str("Alice") };

	mail_header_person(&text, "To", &who);
	ck_assert_str_eq(text.s, "To: Alice <a@b.example>");
	mail_text_clear(&text);
	who.name = str("");
	mail_header_person(&text, "To", &who);
	ck_assert_str_eq(text.s, "To: <a@b.example>");
	mail_text_clear(&text);
	who.name = str("abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz");
	who.mail = str("abcdefghijklmnopqrstuvwxyz@b.example");
	mail_header_person(&text, "To", &who);
	ck_assert_ptr_nonnull(strstr(text.s, "\r\n <abc"));
}
END_TEST

START_TEST(test_mail_header_date__rfc_5322)
{
	mail_header_date(&text, 1795543260);
	ck_assert_str_eq(text.s, "Date: Tue, 24 Nov 2026 18:01:00 +0000");
}
END_TEST

static const struct {
	const char *id;
	size_t len;
	bool good;
} ids[] = {
	{ "invitation-0a", 13, true },
	{ "a.b", 3, true },
	{ "", 0, false },
	{ ".a", 2, false },
	{ "a.", 2, false },
	{ "a..b", 4, false },
	{ "a>b", 3, false },
	{ "a b", 3, false },
	{ "a@b", 3, false },
	{ "a\r\nb", 4, false },
	{ "a\0b", 3, false },
	{ "\xc3\xa4", 2, false },
};

START_TEST(test_mail_id_is_good__table)
{
	ck_assert_int_eq(mail_id_is_good((struct b2b_str){ ids[_i].id, ids[_i].len }),
			 ids[_i].good);
}
END_TEST

static const struct {
	const char *value, *line, *html, *quote;
} texts[] = {
	{ "a", "a", "a", "> a" },
	{ "", "", "", "> " },
	{ "a\nb", "a b", "a b", "> a\n> b" },
	{ "a\r\nb\r\n", "a  b  ", "a  b  ", "> a\n> b" },
	{ "\n\na", "  a", "  a", "> \n> \n> a" },
	{ "<&>\"'", "<&>\"'", "&lt;&amp;&gt;&quot;&#39;", "> <&>\"'" },
	{ "a\x1b\x7f", "a  ", "a  ", "> a  " },
	{ "\xe2\x80\xa8x\xe2\x81\xa6\xef\xbb\xbf", "x", "x", "> x" }, /* U+2028, U+2066, U+FEFF */
	{ "\xc2\x85x", "x", "x", "> x" },                             /* U+0085 */
	{ "\xc0\xaf\xed\xa0\x80", "?????", "?????", "> ?????" },      /* overlong, a surrogate */
	{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "> \xf0\x9f\x98\x80" },
	{ "\xf4\x90\x80\x80\xe2\x82", "??????", "??????", "> ??????" }, /* past the last, cut */
};

START_TEST(test_mail_text__table)
{
	mail_text_put_line(&text, str(texts[_i].value));
	ck_assert_str_eq(text.s ? text.s : "", texts[_i].line);
	mail_text_clear(&text);
	mail_text_put_html(&text, str(texts[_i].value));
	ck_assert_str_eq(text.s ? text.s : "", texts[_i].html);
	mail_text_clear(&text);
	mail_text_put_quote(&text, str(texts[_i].value), false);
	ck_assert_str_eq(text.s, texts[_i].quote);
}
END_TEST

START_TEST(test_mail_text_put_quote__html)
{
	mail_text_put_quote(&text, str("a<\r\nb\n\nc"), true);
	ck_assert_str_eq(text.s, "a&lt;<br>\nb<br>\n<br>\nc");
}
END_TEST

START_TEST(test_mail_text_put__too_much)
{
	mail_text_puts(&text, "a");
	mail_text_put(&text, "b", SIZE_MAX / 2);
	ck_assert(text.failed);
	mail_text_puts(&text, "c");
	ck_assert_str_eq(text.s, "a");
}
END_TEST

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

int main(void)
{
	Suite *suite = suite_create("mail_header");
	TCase *tcase = tcase_create("mail_header");

	tcase_add_checked_fixture(tcase, start, finish);
	tcase_add_loop_test(tcase, test_mail_header_words__table, 0, COUNT(words));
	tcase_add_loop_test(tcase, test_mail_header_words__long, 0, 4);
	tcase_add_test(tcase, test_mail_header_person__folds);
	tcase_add_test(tcase, test_mail_header_date__rfc_5322);
	tcase_add_loop_test(tcase, test_mail_id_is_good__table, 0, COUNT(ids));
	tcase_add_loop_test(tcase, test_mail_text__table, 0, COUNT(texts));
	tcase_add_test(tcase, test_mail_text_put_quote__html);
	tcase_add_test(tcase, test_mail_text_put__too_much);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
