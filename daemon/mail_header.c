/*
 * mail_header.c - header fields that no value can break.
 * In: names and subjects of foreign origin.
 * Out: fields in ASCII, folded, encoded where they must be (RFC 2047, RFC 5322).
 */
#include "mail_make.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* An encoded word is 75 characters at most: "=?UTF-8?B?" + 60 of base64 + "?=" carries 45 bytes. */
#define WORD_BYTES 45
#define PLAIN_MAX 60
#define LINE_CHARS 76

static bool is_plain(struct b2b_str value, bool phrase)
{
	if (value.len == 0 || value.len > PLAIN_MAX || value.s[0] == ' ' ||
	    value.s[value.len - 1] == ' ')
		return false;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.s[i];
		bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			    (c >= 'a' && c <= 'z') || c == ' ' || c == '-' || c == '_' || c == '+';

		if (!word && (phrase || c < ' ' || c > '~' || c == '='))
			return false;
	}
	return true;
}

static void put_word(struct mail_text *header, const char *bytes, size_t count)
{
	unsigned char coded[WORD_BYTES / 3 * 4 + 1];

	EVP_EncodeBlock(coded, (const unsigned char *)bytes, (int)count);
	mail_text_puts(header, "=?UTF-8?B?");
	mail_text_puts(header, (const char *)coded);
	mail_text_puts(header, "?=");
}

void mail_header_words(struct mail_text *header, struct b2b_str value, bool phrase)
{
	struct mail_text clean = { NULL, 0, 0, false };
	size_t at = 0;

	mail_text_put_line(&clean, value);
	header->failed = header->failed || clean.failed;
	if (is_plain((struct b2b_str){ clean.s, clean.len }, phrase)) {
		mail_text_put(header, clean.s, clean.len);
		at = clean.len;
	}
	for (size_t from = at; at < clean.len; from = at) {
		/* a word holds whole characters */
		for (size_t skip; at < clean.len; at += skip) {
			mail_text_char((struct b2b_str){ clean.s + at, clean.len - at }, &skip);
			if (at + skip - from > WORD_BYTES)
				break;
		}
		if (from > 0)
			mail_text_puts(header, "\r\n ");
		put_word(header, clean.s + from, at - from);
	}
	mail_text_clear(&clean);
}

void mail_header_person(struct mail_text *header, const char *field, const struct mail_sender *who)
{
	mail_text_puts(header, field);
	mail_text_puts(header, ": ");
	if (who->name.len > 0) {
		mail_header_words(header, who->name, true);
		mail_text_puts(header,
			       header->len + who->mail.len > LINE_CHARS - 3 ? "\r\n <" : " <");
	} else {
		mail_text_puts(header, "<");
	}
	mail_text_put(header, who->mail.s, who->mail.len);
	mail_text_puts(header, ">");
}

void mail_header_date(struct mail_text *header, time_t when)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm parts = { 0 };
	char text[64];

	gmtime_r(&when, &parts);
	/* not by strftime: names of days are English here, whatever the locale */
	snprintf(text, sizeof text, "Date: %s, %02d %s %04d %02d:%02d:%02d +0000",
		 days[parts.tm_wday], parts.tm_mday, months[parts.tm_mon], parts.tm_year + 1900,
		 parts.tm_hour, parts.tm_min, parts.tm_sec);
	mail_text_puts(header, text);
}

static bool is_dot_string(const char *s, size_t len, const char *extra)
{
	for (size_t i = 0; i < len; i++) {
		char c = s[i];
		bool letter =
			(c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

		if (c == '.' && (i == 0 || i + 1 == len || s[i - 1] == '.'))
			return false;
		if (!letter && c != '.' && (c == '\0' || !strchr(extra, c)))
			return false;
	}
	return len > 0;
}

bool mail_id_is_good(struct b2b_str id)
{
	return id.len <= 200 && is_dot_string(id.s, id.len, "-_");
}

bool mail_domain_is_good(const char *domain)
{
	size_t len = strlen(domain);

	return len <= 253 && is_dot_string(domain, len, "-");
}
