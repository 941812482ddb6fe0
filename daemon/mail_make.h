/*
 * mail_make.h - how a mail is made: texts, headers, templates, languages.
 * In: templates of the administrator, values of foreign origin.
 * Out: a letter for bd_smtp.c.  daemon/mail_*.c know libc, OpenSSL and the core only.
 */
#ifndef B2B_MAIL_MAKE_H
#define B2B_MAIL_MAKE_H

#include "../overlay/core/base.h"

/* mail_text.c: a text that grows.  It may hold secrets: what it leaves behind is wiped. */
struct mail_text {
	char *s; /* NUL-terminated; NULL while it is empty */
	size_t len, room;
	bool failed; /* no memory; what was put since is not there */
};
void mail_text_put(struct mail_text *text, const char *s, size_t len);
void mail_text_puts(struct mail_text *text, const char *s);
void mail_text_clear(struct mail_text *text);
/* value in one line: blanks for control characters and line ends, nothing for what hides or turns
 * text around, '?' for what is no UTF-8. */
void mail_text_put_line(struct mail_text *text, struct b2b_str value);
/* The same for HTML: & < > " ' as references. */
void mail_text_put_html(struct mail_text *text, struct b2b_str value);
/* value with its line ends: in text each line behind "> ", in HTML with <br>. */
void mail_text_put_quote(struct mail_text *text, struct b2b_str value, bool html);
/* Bytes of the first character of value that may be shown, 0 where it is none; *skip_r: how many
 * bytes to go on by. */
size_t mail_text_char(struct b2b_str value, size_t *skip_r);

/* mail_header.c: "Name: value" without the line end at its end, folded (RFC 5322, 2.2.3). */
struct mail_sender {
	struct b2b_str mail, name; /* name may be empty */
};
/* Text as it may stand behind "Subject:" or in a display name: as it is where it is harmless
 * ASCII, else as encoded words (RFC 2047) in UTF-8, base64.  phrase: stricter, for a name. */
void mail_header_words(struct mail_text *header, struct b2b_str value, bool phrase);
/* "To: name <mail>" */
void mail_header_person(struct mail_text *header, const char *field, const struct mail_sender *who);
void mail_header_date(struct mail_text *header, time_t when);
/* The name of a notice as it may stand in a Message-ID. */
bool mail_id_is_good(struct b2b_str id);
bool mail_domain_is_good(const char *domain);

/* mail_build.c */
#define MAIL_ROOT_LANGUAGE "en" /* of templates that stand in no language's folder */
#define MAIL_HEADERS_MAX 12
struct mail_letter {
	char to[256]; /* the envelope's recipient */
	struct mail_text headers[MAIL_HEADERS_MAX];
	size_t header_count;
	struct mail_text text, html;
};
void mail_letter_clear(struct mail_letter *letter); /* wipes */

#endif
