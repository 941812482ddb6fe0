/*
 * jose_base64.c - base64url as RFC 7515 wants it (RFC 4648, 5, without padding), strictly.
 * In: a part of a token or a member of a key, any bytes; bytes of ours.
 * Out: the bytes it stands for; of two texts, at most one stands for the same bytes.  Text of ours.
 */
#include "jose_parts.h"

#include <string.h>

#define XX 0x80 /* not of the alphabet */

static const uint8_t sextets[256] = {
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, 62, XX, XX, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, XX, XX, XX, XX, XX, XX, XX, 0,
	1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
	23, 24, 25, XX, XX, XX, XX, 63, XX, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38,
	39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
};

static unsigned sextet(char c)
{
	return sextets[(unsigned char)c];
}

bool b2b_jose_decode(struct b2b_str text, uint8_t *bytes_r)
{
	const char *s = text.s;
	unsigned seen = 0, cut = 0;
	size_t left = text.len;

	for (; left >= 4; left -= 4, s += 4) {
		unsigned a = sextet(s[0]), b = sextet(s[1]), c = sextet(s[2]), d = sextet(s[3]);

		seen |= a | b | c | d;
		*bytes_r++ = (uint8_t)(a << 2 | b >> 4);
		*bytes_r++ = (uint8_t)(b << 4 | c >> 2);
		*bytes_r++ = (uint8_t)(c << 6 | d);
	}
	if (left == 1)
		return false;
	if (left >= 2) {
		unsigned a = sextet(s[0]), b = sextet(s[1]), c = left == 3 ? sextet(s[2]) : 0;

		seen |= a | b | c;
		*bytes_r++ = (uint8_t)(a << 2 | b >> 4);
		if (left == 3)
			*bytes_r = (uint8_t)(b << 4 | c >> 2);
		cut = left == 3 ? c & 0x03 : b & 0x0f;
	}
	return !(seen & XX) && cut == 0;
}

void b2b_jose_encode(const uint8_t *bytes, size_t len, char *text_r)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	unsigned waiting = 0;

	for (size_t i = 0; i < len; i++) {
		bits = (bits << 8 | bytes[i]) & 0xffff;
		for (waiting += 8; waiting >= 6; waiting -= 6)
			*text_r++ = alphabet[bits >> (waiting - 6) & 63];
	}
	if (waiting)
		*text_r++ = alphabet[bits << (6 - waiting) & 63];
	*text_r = '\0';
}

bool b2b_jws_is_like(struct b2b_str text)
{
	const char *dot = text.len ? memchr(text.s, '.', text.len) : NULL, *second;
	size_t head_len = dot ? (size_t)(dot - text.s) : 0, left = text.len - head_len;

	/* the six bits of the second character end those of '{' */
	if (head_len < 2 || text.s[0] != 'e' || (sextet(text.s[1]) & (XX | 0x30)) != 0x30)
		return false;
	for (size_t i = 2; i < head_len; i++)
		if (sextet(text.s[i]) & XX)
			return false;
	second = memchr(dot + 1, '.', left - 1);
	return second && !memchr(second + 1, '.', left - 1 - (size_t)(second - dot));
}
