/*
 * mail_text.c - texts that grow, and values of foreign origin made fit for a mail.
 * In: bytes.
 * Out: text that neither hides nor steers anything.
 */
#include "mail_make.h"

#include <openssl/crypto.h>
#include <string.h>

void mail_text_put(struct mail_text *text, const char *s, size_t len)
{
	size_t room = text->room ? text->room : 256;
	char *longer;

	if (text->failed || len > SIZE_MAX / 4 - text->len) {
		text->failed = true;
		return;
	}
	while (room < text->len + len + 1)
		room *= 2;
	if (room != text->room) {
		longer = OPENSSL_clear_realloc(text->s, text->room, room);
		if (!longer) {
			text->failed = true;
			return;
		}
		text->s = longer;
		text->room = room;
	}
	if (len > 0)
		memcpy(text->s + text->len, s, len);
	text->len += len;
	text->s[text->len] = '\0';
}

void mail_text_puts(struct mail_text *text, const char *s)
{
	mail_text_put(text, s, strlen(s));
}

void mail_text_clear(struct mail_text *text)
{
	OPENSSL_clear_free(text->s, text->room);
	*text = (struct mail_text){ NULL, 0, 0, false };
}

/* Controls, what hides or turns text around, and what is no character. */
static bool is_shown(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xad || code == 0x61c)
		return false;
	if ((code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e))
		return false;
	if ((code >= 0x2060 && code <= 0x206f) || (code >= 0xfff9 && code <= 0xffff))
		return false;
	return code != 0xfeff && code < 0xe0000;
}

size_t mail_text_char(struct b2b_str value, size_t *skip_r)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)value.s;
	size_t bytes = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t code = bytes == 1 ? s[0] : s[0] & (0x7fu >> bytes);

	*skip_r = 1;
	if (bytes == 0 || bytes > value.len || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < bytes; i++) {
		if ((s[i] & 0xc0u) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3fu);
	}
	if (code < least[bytes] || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff)
		return 0;
	*skip_r = bytes;
	return is_shown(code) ? bytes : 0;
}

static void put_html_char(struct mail_text *text, const char *s, size_t bytes)
{
	const char *reference = *s == '&'    ? "&amp;"
				: *s == '<'  ? "&lt;"
				: *s == '>'  ? "&gt;"
				: *s == '"'  ? "&quot;"
				: *s == '\'' ? "&#39;"
					     : NULL;

	if (reference)
		mail_text_puts(text, reference);
	else
		mail_text_put(text, s, bytes);
}

/* One character of value, or what stands for it; answers how many bytes it was. */
static size_t put_char(struct mail_text *text, struct b2b_str value, bool html)
{
	size_t skip, bytes = mail_text_char(value, &skip);
	unsigned char first = (unsigned char)*value.s;

	if (bytes > 0 && html)
		put_html_char(text, value.s, bytes);
	else if (bytes > 0)
		mail_text_put(text, value.s, bytes);
	else if (first < 0x20 || first == 0x7f)
		mail_text_puts(text, " ");
	else if (skip == 1)
		mail_text_puts(text, "?");
	return skip;
}

static void put_all(struct mail_text *text, struct b2b_str value, bool html)
{
	while (value.len > 0) {
		size_t skip = put_char(text, value, html);

		value.s += skip;
		value.len -= skip;
	}
}

void mail_text_put_line(struct mail_text *text, struct b2b_str value)
{
	put_all(text, value, false);
}

void mail_text_put_html(struct mail_text *text, struct b2b_str value)
{
	put_all(text, value, true);
}

void mail_text_put_quote(struct mail_text *text, struct b2b_str value, bool html)
{
	bool first = true;

	while (value.len > 0 && (value.s[value.len - 1] == '\n' || value.s[value.len - 1] == '\r'))
		value.len--;
	do {
		const char *end = value.len > 0 ? memchr(value.s, '\n', value.len) : NULL;
		struct b2b_str line = { value.s, end ? (size_t)(end - value.s) : value.len };

		if (!first)
			mail_text_puts(text, html ? "<br>\n" : "\n");
		first = false;
		if (!html)
			mail_text_puts(text, "> ");
		value.s += line.len + (end ? 1 : 0);
		value.len -= line.len + (end ? 1 : 0);
		if (line.len > 0 && line.s[line.len - 1] == '\r')
			line.len--;
		put_all(text, line, html);
	} while (value.len > 0);
}
