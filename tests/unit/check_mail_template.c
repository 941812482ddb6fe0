/*
 * check_mail_template.c - templates, the languages they are in, and letters made of them.
 * In: sources and values, hostile ones among them; the templates that are shipped.
 * Out: texts; the line of each mistake.
 */
#include "entry.h"

#include "mail_make.h"
#include "text.h"

#include <stdio.h>

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))
#define NAMES "name reason message empty"

static struct mail_values values;

static void start(void)
{
	values.count = 0;
	mail_values_put(&values, "name", b2b_str_of("Al<ice"));
	mail_values_put(&values, "reason", b2b_str_of("Expired"));
	mail_values_put(&values, "message", b2b_str_of("one\ntwo"));
	mail_values_put(&values, "empty", b2b_str_of(""));
}

static const struct {
	const char *source, *text, *html;
} fills[] = {
	{ "plain", "plain", "plain" },
	{ "%{name}", "Al<ice", "Al&lt;ice" },
	{ "a %{name} b %{name}", "a Al<ice b Al<ice", "a Al&lt;ice b Al&lt;ice" },
	{ "100% %s %% %{empty}.", "100% %s %% .", "100% %s %% ." },
	{ "%%{name} %%%{name}", "%{name} %%{name}", "%{name} %%{name}" },
	{ "%{quote message}", "> one\n> two", "one<br>\ntwo" },
	{ "%{message}", "one two", "one two" },
	{ "%{if name}yes%{end}", "yes", "yes" },
	{ "%{if empty}yes%{end}.", ".", "." },
	{ "%{if empty}yes%{else}no%{end}", "no", "no" },
	{ "%{if reason=expired}1%{end}%{if reason=other}2%{end}", "1", "1" },
	{ "%{if empty=}1%{end}%{if name=}2%{end}", "1", "1" },
	{ "%{if name}a%{if empty}b%{else}c%{end}d%{else}e%{end}f", "acdf", "acdf" },
	{ "%{if empty}a%{if name}b%{else}c%{end}d%{else}e%{end}f", "ef", "ef" },
	/* lines that hold nothing but these leave none */
	{ "a\n%{if name}\nb\n%{end}\nc\n", "a\nb\nc\n", "a\nb\nc\n" },
	{ "a\n  %{if empty}\t\nb\n  %{else} \nx\n%{end}\nc\n", "a\nx\nc\n", "a\nx\nc\n" },
	{ "%{if name}\na\n%{end}", "a\n", "a\n" },
	{ "%{if name} \n%{if name}\na\n%{end}\n%{end}\n", "a\n", "a\n" },
	{ "a %{if name}\nb%{end}\n", "a \nb\n", "a \nb\n" },
};

START_TEST(test_mail_template_fill__table)
{
	struct mail_text text = { NULL, 0, 0, false };
	struct b2b_error error = { "" };
	struct mail_template *template;

	ck_assert_msg(mail_template_new(b2b_str_of(fills[_i].source), 1, NAMES, &template,
					&error) == B2B_OK,
		      "%s", error.text);
	mail_template_fill(template, MAIL_TEXT, &values, &text);
	ck_assert_str_eq(text.s ? text.s : "", fills[_i].text);
	mail_text_clear(&text);
	mail_template_fill(template, MAIL_HTML, &values, &text);
	ck_assert_str_eq(text.s ? text.s : "", fills[_i].html);
	mail_text_clear(&text);
	mail_template_fill(template, MAIL_SUBJECT, &values, &text);
	ck_assert_ptr_null(text.s && !strchr(fills[_i].source, '\n') ? strchr(text.s, '\n') : NULL);
	mail_text_clear(&text);
	mail_template_free(&template);
	ck_assert_ptr_null(template);
	mail_template_free(&template);
}
END_TEST

static const struct {
	const char *source, *error;
} mistakes[] = {
	{ "%{nobody}", "5: unknown placeholder: %{nobody}" },
	{ "a\n\n%{nam}", "7: unknown placeholder: %{nam}" },
	{ "%{}", "5: unknown placeholder: %{}" },
	{ "%{ name}", "5: unknown placeholder: %{ name}" },
	{ "%{name }", "5: unknown placeholder: %{name }" },
	{ "%{Name}", "5: unknown placeholder: %{Name}" },
	{ "%{name reason}", "5: unknown placeholder: %{name reason}" },
	{ "%{quote}", "5: unknown placeholder: %{quote}" },
	{ "%{quote nobody}", "5: unknown placeholder: %{quote nobody}" },
	{ "%{if nobody}%{end}", "5: unknown placeholder: %{if nobody}" },
	{ "%{if}%{end}", "5: unknown placeholder: %{if}" },
	{ "\n%{name", "6: no } in this line" },
	{ "%{name\n}", "5: no } in this line" },
	{ "%{if name}\na\n\n", "8: an %{if} without its %{end}" },
	{ "%{if name}a%{else}\n", "6: an %{if} without its %{end}" },
	{ "a%{end}", "5: nothing is open: %{end}" },
	{ "a\n%{else}", "6: nothing is open: %{else}" },
	{ "%{if name}\n%{else}\n%{else}\n%{end}", "7: a second else: %{else}" },
	{ "%{if name}%{if name}%{if name}%{if name}%{if name}%{if name}%{if name}%{if name}"
	  "%{if reason}",
	  "5: too deep: %{if reason}" },
};

START_TEST(test_mail_template_new__mistakes)
{
	struct b2b_error error = { "" };
	struct mail_template *template = (void *)1;

	ck_assert_int_eq(
		mail_template_new(b2b_str_of(mistakes[_i].source), 5, NAMES, &template, &error),
		B2B_ERR_INVALID);
	ck_assert_ptr_null(template);
	ck_assert_msg(strncmp(error.text, mistakes[_i].error, strlen(mistakes[_i].error)) == 0,
		      "%s", error.text);
}
END_TEST

START_TEST(test_mail_values_put__first_stays)
{
	char names[MAIL_VALUES_MAX][8];

	ck_assert(mail_values_put(&values, "name", b2b_str_of("other")));
	ck_assert_str_eq(values.list[0].value.s, "Al<ice");
	for (size_t i = values.count; i < MAIL_VALUES_MAX; i++) {
		snprintf(names[i], sizeof names[i], "n%zu", i);
		ck_assert(mail_values_put(&values, names[i], b2b_str_of("")));
	}
	ck_assert(!mail_values_put(&values, "more", b2b_str_of("")));
	ck_assert(mail_values_put(&values, "name", b2b_str_of("")));
}
END_TEST

/* --- languages (RFC 3282, 3; RFC 4647, 3.4) --- */

static const struct {
	const char *text, *tags;
} languages[] = {
	{ "da, en-gb;q=0.8, en;q=0.7", "da en-gb en" },
	{ "en;q=0.1,de;q=0.9,fr", "fr de en" },
	{ "DE-ch", "de-ch" },
	{ "de;q=0, en;q=0.000", "" },
	{ "de;q=1.001", "" },
	{ "de;q=2, en", "en" },
	{ "de;q=0.5555", "" },
	{ "de ; q=0.5 , en", "en de" },
	{ "de;q=", "" },
	{ "de;x=1", "" },
	{ "*, de;q=0.5", "de" },
	{ "../../etc", "" },
	{ "d\r\ne", "" },
	{ "", "" },
	{ NULL, "" },
	{ ",,;,", "" },
	{ "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz, de", "de" },
	{ "a1,a2,a3,a4,a5,a6,a7,a8,a9,b1,b2,b3,b4,b5,b6,b7,b8,b9",
	  "a1 a2 a3 a4 a5 a6 a7 a8 a9 b1 b2 b3 b4 b5 b6 b7" },
};

START_TEST(test_mail_languages_read__table)
{
	struct mail_languages found;
	char tags[1024] = "";

	mail_languages_read(languages[_i].text, &found);
	for (size_t i = 0; i < found.count; i++) {
		strcat(tags, i ? " " : "");
		strcat(tags, found.list[i].tag);
	}
	ck_assert_str_eq(tags, languages[_i].tags);
}
END_TEST

START_TEST(test_mail_language_shorten__steps)
{
	char tag[MAIL_TAG_SIZE] = "zh-hant-x-private";

	ck_assert(mail_language_shorten(tag));
	ck_assert_str_eq(tag, "zh-hant");
	ck_assert(mail_language_shorten(tag));
	ck_assert_str_eq(tag, "zh");
	ck_assert(!mail_language_shorten(tag));
}
END_TEST

/* --- letters --- */

static const struct {
	const char *base, *url;
} urls[] = {
	{ "https://a.example/r", "https://a.example/r?ticket=T" },
	{ "HTTP://a.example/", "HTTP://a.example/?ticket=T" },
	{ "https://a.example/?x=1", "https://a.example/?x=1&ticket=T" },
	{ "https://a.example/#x?y", "https://a.example/?ticket=T#x?y" },
	{ "https://", NULL },
	{ "b2b:redeem", NULL },
	{ "javascript:alert(1)", NULL },
	{ "https://a.example/ x", NULL },
	{ "https://a.example/\r\nx", NULL },
	{ "", NULL },
};

START_TEST(test_mail_put_url__table)
{
	struct mail_text text = { NULL, 0, 0, false };

	ck_assert_int_eq(mail_put_url(&text, b2b_str_of(urls[_i].base), "T"), urls[_i].url != NULL);
	if (urls[_i].url)
		ck_assert_str_eq(text.s, urls[_i].url);
	else
		ck_assert_ptr_null(text.s);
	mail_text_clear(&text);
}
END_TEST

START_TEST(test_mail_put_time__forms)
{
	struct mail_text text = { NULL, 0, 0, false };

	mail_put_time(&text, b2b_str_of("20261124180159Z"));
	mail_text_puts(&text, ", ");
	mail_put_time(&text, b2b_str_of("soon"));
	ck_assert_str_eq(text.s, "2026-11-24 18:00 UTC, soon");
	mail_text_clear(&text);
}
END_TEST

static struct mail_sender from;

static struct mail_order order_of(const char *id, const char *to, const char *name)
{
	from = (struct mail_sender){ b2b_str_of("guests@ours.example"), b2b_str_of("Ours") };
	return (struct mail_order){ .id = id,
				    .type = "deleted",
				    .to = to,
				    .name = name,
				    .fallback = "en",
				    .domain = "ours.example",
				    .from = &from };
}

static const struct {
	const char *id, *to, *name, *error;
} orders[] = {
	{ "n-1", "a@b.example", "Alice", NULL },
	{ "n-1", "a@b.example", NULL, NULL },
	{ "n 1", "a@b.example", "Alice", "Message-ID" },
	{ "n-1", "a@b.example\r\nBcc: c@d.example", "Alice", "b2bNoticeTo" },
	{ "n-1", "a@b.example> <c@d.example", "Alice", "b2bNoticeTo" },
	{ "n-1", "", "Alice", "b2bNoticeTo" },
	{ "n-1", "a@b.example", "Alice\r\nBcc: c@d.example", "b2bNoticeName" },
	{ "n-1", "a@b.example", "Alice\n", "b2bNoticeName" },
	{ "n-1", "a@b.example", "\xff", "b2bNoticeName" },
};

START_TEST(test_mail_build__table)
{
	struct mail_order order = order_of(orders[_i].id, orders[_i].to, orders[_i].name);
	struct b2b_error error = { "" };
	struct mail_folder *folder;
	struct mail_letter letter;
	enum b2b_err err;

	ck_assert_msg(mail_folder_new("templates", &folder, &error) == B2B_OK, "%s", error.text);
	mail_values_put(&order.values, "tenant", b2b_str_of("Ours\r\nBcc: c@d.example"));
	err = mail_build(folder, &order, &letter, &error);
	ck_assert_int_eq(err, orders[_i].error ? B2B_ERR_INVALID : B2B_OK);
	if (orders[_i].error) {
		ck_assert_ptr_nonnull(strstr(error.text, orders[_i].error));
		ck_assert_uint_eq(letter.header_count, 0);
	} else {
		ck_assert_str_eq(letter.to, "a@b.example");
		ck_assert_ptr_nonnull(strstr(letter.text.s, "Ours  Bcc: c@d.example"));
	}
	/* within a header a line end stands only before a blank */
	for (size_t i = 0; i < letter.header_count; i++)
		for (const char *c = letter.headers[i].s; *c; c++)
			ck_assert(*c != '\n' || c[1] == ' ');
	for (const char *c = letter.text.s; c && *c; c++)
		ck_assert(*c != '\n' || c[-1] == '\r');
	mail_letter_clear(&letter);
	mail_folder_free(&folder);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mail_template");
	TCase *tcase = tcase_create("mail_template");

	tcase_add_checked_fixture(tcase, start, NULL);
	tcase_add_loop_test(tcase, test_mail_template_fill__table, 0, COUNT(fills));
	tcase_add_loop_test(tcase, test_mail_template_new__mistakes, 0, COUNT(mistakes));
	tcase_add_test(tcase, test_mail_values_put__first_stays);
	tcase_add_loop_test(tcase, test_mail_languages_read__table, 0, COUNT(languages));
	tcase_add_test(tcase, test_mail_language_shorten__steps);
	tcase_add_loop_test(tcase, test_mail_put_url__table, 0, COUNT(urls));
	tcase_add_test(tcase, test_mail_put_time__forms);
	tcase_add_loop_test(tcase, test_mail_build__table, 0, COUNT(orders));
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
