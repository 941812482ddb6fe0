/*
 * mail_build.c - a letter from templates and values.
 * In: what a notice says; nothing in it is trusted.
 * Out: headers and two bodies, or why this can never be a mail.
 */
#include "mail_make.h"

#include "../overlay/core/mail.h"
#include "../overlay/core/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SUBJECT_MAX 200

void mail_letter_clear(struct mail_letter *letter)
{
	for (size_t i = 0; i < letter->header_count; i++)
		mail_text_clear(&letter->headers[i]);
	letter->header_count = 0;
	mail_text_clear(&letter->text);
	mail_text_clear(&letter->html);
}

/* Hours that are whole: where a server died between a notice and what it tells of, the next one takes
 * the moment anew, and who is told twice should hear the same. */
void mail_put_time(struct mail_text *text, struct b2b_str value)
{
	struct tm parts = { 0 };
	char shown[64];
	time_t when;

	if (b2b_time_parse(value, &when) != B2B_OK || !gmtime_r(&when, &parts)) {
		mail_text_put(text, value.s, value.len);
		return;
	}
	snprintf(shown, sizeof shown, "%04d-%02d-%02d %02d:00 UTC", parts.tm_year + 1900,
		 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour);
	mail_text_puts(text, shown);
}

bool mail_put_url(struct mail_text *text, struct b2b_str base, const char *ticket)
{
	const char *hash = base.len > 0 ? memchr(base.s, '#', base.len) : NULL;
	size_t len = hash ? (size_t)(hash - base.s) : base.len;
	bool web = (base.len > 8 && strncasecmp(base.s, "https://", 8) == 0) ||
		   (base.len > 7 && strncasecmp(base.s, "http://", 7) == 0);

	for (size_t i = 0; i < base.len; i++)
		web = web && base.s[i] > ' ' && base.s[i] <= '~';
	if (!web)
		return false;
	mail_text_put(text, base.s, len);
	mail_text_puts(text, memchr(base.s, '?', len) ? "&ticket=" : "?ticket=");
	mail_text_puts(text, ticket);
	mail_text_put(text, base.s + len, base.len - len);
	return true;
}

/* Lines end as mail wants it. */
static void put_lines(struct mail_text *to, const struct mail_text *from)
{
	const char *at = from->s ? from->s : "", *end;

	for (; (end = strchr(at, '\n')); at = end + 1) {
		mail_text_put(to, at, (size_t)(end - at));
		mail_text_puts(to, "\r\n");
	}
	mail_text_puts(to, at);
	to->failed = to->failed || from->failed;
}

static void fill_body(const struct mail_template *template, enum mail_form form,
		      const struct mail_values *values, struct mail_text *body)
{
	struct mail_text plain = { NULL, 0, 0, false };

	mail_template_fill(template, form, values, &plain);
	put_lines(body, &plain);
	mail_text_clear(&plain);
}

static struct mail_text *next_header(struct mail_letter *letter)
{
	struct mail_text *header = &letter->headers[letter->header_count++];

	*header = (struct mail_text){ NULL, 0, 0, false };
	return header;
}

static void put_subject(const struct mail_template *template, const struct mail_values *values,
			struct mail_letter *letter)
{
	struct mail_text *header = next_header(letter), subject = { NULL, 0, 0, false };
	size_t len = 0, skip;

	mail_template_fill(template, MAIL_SUBJECT, values, &subject);
	for (; len < subject.len; len += skip) { /* whole characters */
		mail_text_char((struct b2b_str){ subject.s + len, subject.len - len }, &skip);
		if (len + skip > SUBJECT_MAX)
			break;
	}
	mail_text_puts(header, "Subject: ");
	mail_header_words(header, (struct b2b_str){ subject.s, len }, false);
	header->failed = header->failed || subject.failed;
	mail_text_clear(&subject);
}

static void put_headers(const struct mail_order *order, const struct mail_pair *pair,
			struct mail_letter *letter)
{
	struct mail_sender to = { b2b_str_of(order->to), b2b_str_of(order->name) };
	struct mail_text *header;

	mail_header_person(next_header(letter), "From", order->from);
	mail_header_person(next_header(letter), "To", &to);
	put_subject(pair->subject, &order->values, letter);
	mail_header_date(next_header(letter), order->now);
	header = next_header(letter);
	mail_text_puts(header, "Message-ID: <");
	mail_text_puts(header, order->id);
	mail_text_puts(header, "@");
	mail_text_puts(header, order->domain);
	mail_text_puts(header, ">");
	mail_text_puts(next_header(letter), "Auto-Submitted: auto-generated");
	header = next_header(letter);
	mail_text_puts(header, "Content-Language: ");
	mail_text_puts(header, pair->language);
	mail_text_puts(next_header(letter), "Content-Type: multipart/alternative");
}

static enum b2b_err judge(const struct mail_order *order, struct b2b_error *error)
{
	struct b2b_error inner = { "" };
	struct b2b_str to = b2b_str_of(order->to), name = b2b_str_of(order->name);

	if (!mail_id_is_good(b2b_str_of(order->id)))
		return b2b_error_set(error, "cn: \"%s\" cannot stand in a Message-ID", order->id);
	if (b2b_mail_check(to, &inner) != B2B_OK || to.len > B2B_MAIL_MAX)
		return b2b_error_set(error, "b2bNoticeTo: %s", inner.text);
	if (name.len > 0 && b2b_name_check("name", name, &inner) != B2B_OK)
		return b2b_error_set(error, "b2bNoticeName: %s", inner.text);
	return B2B_OK;
}

enum b2b_err mail_build(const struct mail_folder *folder, struct mail_order *order,
			struct mail_letter *letter_r, struct b2b_error *error)
{
	const struct mail_pair *pair;
	bool failed;

	*letter_r = (struct mail_letter){ .header_count = 0 };
	if (judge(order, error) != B2B_OK)
		return B2B_ERR_INVALID;
	pair = mail_folder_pick(folder, order->type, order->languages, order->fallback);
	if (!pair)
		return b2b_error_set(error, "b2bNoticeType: there is no template \"%s\"",
				     order->type);
	if (!mail_values_put(&order->values, "name", b2b_str_of(order->name)) ||
	    !mail_values_put(&order->values, "mail", b2b_str_of(order->to)))
		return b2b_error_set(error, "b2bNoticeData: too many members");
	snprintf(letter_r->to, sizeof letter_r->to, "%s", order->to);
	put_headers(order, pair, letter_r);
	fill_body(pair->text, MAIL_TEXT, &order->values, &letter_r->text);
	fill_body(pair->html, MAIL_HTML, &order->values, &letter_r->html);
	failed = letter_r->text.failed || letter_r->html.failed;
	for (size_t i = 0; i < letter_r->header_count; i++)
		failed = failed || letter_r->headers[i].failed;
	return failed ? B2B_ERR_MEMORY : B2B_OK;
}
