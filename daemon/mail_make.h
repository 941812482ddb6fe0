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

/* mail_template.c: one template, compiled; mail_values: what it is filled in with. */
enum mail_form { MAIL_TEXT, MAIL_HTML, MAIL_SUBJECT };
#define MAIL_VALUES_MAX 48
struct mail_values {
	struct mail_value {
		const char *name; /* borrowed */
		struct b2b_str value;
	} list[MAIL_VALUES_MAX];
	size_t count;
};
/* The first of a name stays.  False: there is no room. */
bool mail_values_put(struct mail_values *values, const char *name, struct b2b_str value);
struct mail_template; /* immutable */
/*
 * "%{name}" stands for a value, in one line; "%{quote name}" for one with its lines, marked as
 * somebody's words; "%{if name}" or "%{if name=word}" ... "%{else}" ... "%{end}" for what is
 * there only where the value is not empty, or is that word.  "%%{" is "%{".  A line that holds
 * nothing but if, else or end leaves no line.  names: those that may be used, blanks between them.
 * B2B_ERR_INVALID: error says "<line>: what"; first_line is the number of the first.  source lives
 * as long as the template.
 */
enum b2b_err mail_template_new(struct b2b_str source, unsigned first_line, const char *names,
			       struct mail_template **template_r, struct b2b_error *error);
void mail_template_free(struct mail_template **template);
void mail_template_fill(const struct mail_template *template, enum mail_form form,
			const struct mail_values *values, struct mail_text *text);

/* mail_folder.c: all templates of a folder.  <type>.txt, whose first line is "Subject: ...", and
 * <type>.html in the language "en"; <language>/<type>.txt and .html in others. */
#define MAIL_ROOT_LANGUAGE "en" /* of templates that stand in no language's folder */
#define MAIL_TYPE_MAX 32
struct mail_pair {
	const char *type;  /* static */
	char language[36]; /* as Content-Language wants it */
	struct mail_template *subject, *text, *html;
	char *sources[2]; /* what the templates point into */
};
struct mail_folder;
/* B2B_ERR_INVALID: error names file and line.  All types must be there in "en". */
enum b2b_err mail_folder_new(const char *path, struct mail_folder **folder_r,
			     struct b2b_error *error);
void mail_folder_free(struct mail_folder **folder);
/* The template of a type in the best of languages (RFC 3282; may be NULL) for which there is one,
 * else in that of fallback, else in English; NULL: no such type. */
const struct mail_pair *mail_folder_pick(const struct mail_folder *folder, const char *type,
					 const char *languages, const char *fallback);

/* mail_language.c: Accept-Language as people's entries hold it (RFC 3282, RFC 4647 3.4). */
#define MAIL_LANGUAGES_MAX 16
#define MAIL_TAG_SIZE 36
struct mail_languages {
	struct mail_wish {
		char tag[MAIL_TAG_SIZE]; /* in lower case */
		unsigned thousandths;    /* 1 to 1000 */
	} list[MAIL_LANGUAGES_MAX];      /* the dearest first */
	size_t count;
};
void mail_languages_read(const char *text, struct mail_languages *languages_r);
/* Cuts "de-ch-1996" to "de-ch", "de"; false where nothing is left. */
bool mail_language_shorten(char tag[MAIL_TAG_SIZE]);

/* mail_build.c */
#define MAIL_HEADERS_MAX 12
struct mail_letter {
	char to[256]; /* the envelope's recipient */
	struct mail_text headers[MAIL_HEADERS_MAX];
	size_t header_count;
	struct mail_text text, html;
};
struct mail_order {
	const char *id; /* what stands before the '@' of the Message-ID */
	const char *type, *to;
	const char *name, *languages; /* may be NULL */
	const char *fallback;         /* language */
	const char *domain;
	const struct mail_sender *from;
	time_t now;
	struct mail_values values; /* "name" and "mail" are added */
};
/* B2B_ERR_INVALID: this will never be a mail; error says why.  *letter_r: the caller clears. */
enum b2b_err mail_build(const struct mail_folder *folder, struct mail_order *order,
			struct mail_letter *letter_r, struct b2b_error *error);
void mail_letter_clear(struct mail_letter *letter); /* wipes */
/* GeneralizedTime as people read it, in hours that are whole; anything else as it is. */
void mail_put_time(struct mail_text *text, struct b2b_str value);
/* base with "ticket=..." in its query; false: base is no web address, and nothing is put. */
bool mail_put_url(struct mail_text *text, struct b2b_str base, const char *ticket);

#endif
