/*
 * base.c - error texts that are safe to log, and the table of attribute names.
 * In: printf arguments that may carry foreign bytes; attribute names.
 * Out: struct b2b_error, enum b2b_attr; to everybody.
 */
#include "base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_BYTES_MAX 160 /* of a value in a message */

static const char *const attr_names[B2B_ATTR_COUNT] = {
	[B2B_ATTR_NONE] = "",
#define B2B_ATTR(id, name) [B2B_ATTR_##id] = name,
#include "attrs.def"
#undef B2B_ATTR
};

const char *b2b_attr_name(enum b2b_attr attr)
{
	size_t index = (size_t)attr;

	return index < B2B_ATTR_COUNT ? attr_names[index] : "";
}

static bool same_name(const char *a, const char *b)
{
	for (;; a++, b++) {
		unsigned char x = (unsigned char)*a, y = (unsigned char)*b;

		if (x >= 'A' && x <= 'Z')
			x = (unsigned char)(x | 0x20u);
		if (y >= 'A' && y <= 'Z')
			y = (unsigned char)(y | 0x20u);
		if (x != y)
			return false;
		if (x == '\0')
			return true;
	}
}

enum b2b_attr b2b_attr_find(const char *name)
{
	if (!name || !*name)
		return B2B_ATTR_NONE;
	for (size_t i = 1; i < B2B_ATTR_COUNT; i++)
		if (same_name(attr_names[i], name))
			return (enum b2b_attr)i;
	return B2B_ATTR_NONE;
}

/* Characters that steer a terminal or the direction of writing have no place in a log. */
static bool is_shown(uint32_t code)
{
	if (code < 0xa0)
		return code >= 0x20 && code < 0x7f;
	if ((code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e))
		return false;
	if ((code >= 0x2060 && code <= 0x206f) || (code >= 0xd800 && code <= 0xdfff))
		return false;
	if (code == 0xfeff || (code >= 0xfff9 && code <= 0xffff) || code == 0xad)
		return false;
	return code <= 0x10ffff && code < 0xe0000;
}

bool b2b_utf8_take(struct b2b_str *rest, uint32_t *code_r)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)rest->s;
	size_t bytes;
	uint32_t code;

	if (rest->len == 0 || s[0] >= 0xf8 || (s[0] >= 0x80 && s[0] < 0xc0))
		return false;
	bytes = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (bytes > rest->len)
		return false;
	code = bytes == 1 ? s[0] : s[0] & (0x7fu >> bytes);
	for (size_t i = 1; i < bytes; i++) {
		if ((s[i] & 0xc0u) != 0x80)
			return false;
		code = code << 6 | (s[i] & 0x3fu);
	}
	if (code < least[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return false;
	rest->s += bytes;
	rest->len -= bytes;
	*code_r = code;
	return true;
}

static void hide(char *text)
{
	struct b2b_str rest = { text, strlen(text) };

	while (rest.len) {
		char *here = text + (rest.s - text);
		uint32_t code;

		if (b2b_utf8_take(&rest, &code)) {
			if (is_shown(code))
				continue;
			/* the whole character, for nothing may be left that is none */
			for (; here < rest.s; here++)
				*here = '?';
			continue;
		}
		*here = '?';
		rest.s++;
		rest.len--;
	}
}

enum b2b_err b2b_error_set(struct b2b_error *error, const char *fmt, ...)
{
	va_list args;
	int length;

	if (!error)
		return B2B_ERR_INVALID;
	va_start(args, fmt);
	length = vsnprintf(error->text, sizeof error->text, fmt, args);
	va_end(args);
	if (length < 0)
		error->text[0] = '\0';
	hide(error->text);
	return B2B_ERR_INVALID;
}

enum b2b_err b2b_error_value(struct b2b_error *error, const char *what, struct b2b_str value,
			     const char *why)
{
	char shown[SHOWN_BYTES_MAX + 1];
	size_t length = value.len < SHOWN_BYTES_MAX ? value.len : SHOWN_BYTES_MAX;

	if (!value.s)
		return b2b_error_set(error, "%s: %s", what, why);
	memcpy(shown, value.s, length);
	shown[length] = '\0';
	for (size_t i = 0; i < length; i++)
		if (shown[i] == '\0')
			shown[i] = '?';
	return b2b_error_set(error, "%s: value \"%s%s\" %s", what, shown,
			     length < value.len ? "..." : "", why);
}
