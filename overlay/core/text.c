/*
 * text.c - strings, times, booleans and numbers.
 * In: attribute values, of any bytes.
 * Out: plain values for policy.c, guest.c and the hooks; refused is what is not understood whole.
 */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_SECS 86400

bool b2b_str_equal(struct b2b_str a, struct b2b_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.s, b.s, a.len) == 0);
}

static bool same_word(const char *a, const char *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x == y || b2b_lower8(x) == b2b_lower8(y);
}

bool b2b_str_equal_nocase(struct b2b_str a, struct b2b_str b)
{
	size_t i = 0, word = sizeof(uint64_t);

	if (a.len != b.len)
		return false;
	for (; i + word <= a.len; i += word)
		if (!same_word(a.s + i, b.s + i))
			return false;
	if (a.len >= word) /* the last word overlaps the one before */
		return same_word(a.s + a.len - word, b.s + a.len - word);
	for (; i < a.len; i++)
		if (b2b_lower(a.s[i]) != b2b_lower(b.s[i]))
			return false;
	return true;
}

/* Bytes of the blank that text begins with: ASCII's, Unicode's spaces and separators, and what has
 * no width; 0: it begins with none. */
static size_t blank_bytes(struct b2b_str text)
{
	const unsigned char *s = (const unsigned char *)text.s;

	if (text.len && (s[0] <= ' ' || s[0] == 0x7f))
		return 1;
	/* U+0080 to U+00A0, U+00AD */
	if (text.len >= 2 && s[0] == 0xc2 && (s[1] <= 0xa0 || s[1] == 0xad))
		return 2;
	if (text.len < 3)
		return 0;
	switch ((unsigned)s[0] << 16 | (unsigned)s[1] << 8 | s[2]) {
	case 0xe19a80: /* U+1680 */
	case 0xe1a08e: /* U+180E */
	case 0xe280a8: /* U+2028 */
	case 0xe280a9:
	case 0xe280af: /* U+202F */
	case 0xe2819f: /* U+205F */
	case 0xe281a0: /* U+2060 */
	case 0xe2a080: /* U+2800 */
	case 0xe38080: /* U+3000 */
	case 0xe385a4: /* U+3164 */
	case 0xefbbbf: /* U+FEFF */
		return 3;
	default: /* U+2000 to U+200F */
		return s[0] == 0xe2 && s[1] == 0x80 && s[2] <= 0x8f ? 3 : 0;
	}
}

bool b2b_str_is_blank(struct b2b_str text)
{
	while (text.len) {
		size_t blank = blank_bytes(text);

		if (!blank)
			return false;
		text.s += blank;
		text.len -= blank;
	}
	return true;
}

void b2b_str_cut(char *text)
{
	size_t len = strlen(text), back = 0;

	while (back < len && back < 4 && ((unsigned char)text[len - 1 - back] & 0xc0) == 0x80)
		back++;
	if (back >= len)
		return;
	unsigned char lead = (unsigned char)text[len - 1 - back];
	size_t wants = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;

	if (wants > back)
		text[len - 1 - back] = '\0';
}

struct b2b_str b2b_str_of(const char *s)
{
	struct b2b_str str = { s, s ? strlen(s) : 0 };

	return str;
}

char *b2b_str_dup(struct b2b_str value)
{
	char *copy = malloc(value.len + 1);

	if (!copy)
		return NULL;
	if (value.len)
		memcpy(copy, value.s, value.len);
	copy[value.len] = '\0';
	return copy;
}

static int digit_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : -1;
}

static int hex_value(char c)
{
	int digit = digit_value(c);

	c = b2b_lower(c);
	return digit >= 0 ? digit : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_blank(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Reads a string the way b2b_str_similar sees it. */
struct folder {
	struct b2b_str rest;
	int pending; /* read already and next in turn; 0: none, for a NUL never waits */
	bool glued;  /* what came last swallows blanks */
};

/* The next character with escapes undone and in lower case, -1 at the end. */
static int folder_take(struct b2b_str *rest)
{
	char c;
	size_t used = 1;

	if (rest->len == 0)
		return -1;
	c = rest->s[0];
	if (c == '\\' && rest->len >= 3 && hex_value(rest->s[1]) >= 0 &&
	    hex_value(rest->s[2]) >= 0) {
		c = (char)(hex_value(rest->s[1]) * 16 + hex_value(rest->s[2]));
		used = 3;
	} else if (c == '\\' && rest->len >= 2) {
		c = rest->s[1];
		used = 2;
	}
	rest->s += used;
	rest->len -= used;
	return (unsigned char)(c == ';' ? ',' : b2b_lower(c));
}

static bool swallows_blanks(int c)
{
	return c == ',' || c == '=' || c == '+';
}

static int folder_next(struct folder *folder)
{
	int c = folder->pending;
	bool blank;

	folder->pending = 0;
	if (c == 0)
		c = folder_take(&folder->rest);
	blank = is_blank(c);
	while (is_blank(c))
		c = folder_take(&folder->rest);
	if (blank && !folder->glued && c > 0 && !swallows_blanks(c)) {
		folder->pending = c;
		folder->glued = true;
		return ' ';
	}
	folder->glued = swallows_blanks(c);
	return c;
}

bool b2b_str_similar(struct b2b_str a, struct b2b_str b)
{
	struct folder x = { a, 0, true }, y = { b, 0, true };

	for (;;) {
		int c = folder_next(&x);

		if (c != folder_next(&y))
			return false;
		if (c == -1)
			return true;
	}
}

uint64_t b2b_str_hash_similar(struct b2b_str value)
{
	struct folder folder = { value, 0, true };
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (int c; (c = folder_next(&folder)) != -1;)
		hash = (hash ^ (uint64_t)c) * UINT64_C(0x100000001b3);
	return hash;
}

/* Takes exactly count digits off the front. */
static bool take_digits(struct b2b_str *rest, size_t count, int *number_r)
{
	int number = 0;

	if (rest->len < count)
		return false;
	for (size_t i = 0; i < count; i++) {
		int digit = digit_value(rest->s[i]);

		if (digit < 0)
			return false;
		number = number * 10 + digit;
	}
	rest->s += count;
	rest->len -= count;
	*number_r = number;
	return true;
}

static bool starts_with_digit(const struct b2b_str *rest)
{
	return rest->len > 0 && digit_value(rest->s[0]) >= 0;
}

/* A number of at most max_digits digits and nothing else, without leading zeros. */
static bool whole_number(struct b2b_str value, size_t max_digits, int *number_r)
{
	size_t digits = value.len;

	if (digits == 0 || digits > max_digits || (digits > 1 && value.s[0] == '0'))
		return false;
	return take_digits(&value, digits, number_r);
}

struct clock_face {
	int year, month, day, hour, minute, second;
};

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
	static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static int64_t seconds_of(const struct clock_face *face)
{
	int years = face->year - 1;
	/* 719162: days from 0001-01-01 to 1970-01-01 in the Gregorian calendar */
	int64_t days = (int64_t)years * 365 + years / 4 - years / 100 + years / 400 - 719162;

	for (int month = 1; month < face->month; month++)
		days += days_in_month(face->year, month);
	days += face->day - 1;
	return days * DAY_SECS + (int64_t)face->hour * 3600 + (int64_t)face->minute * 60 +
	       face->second;
}

/* YYYYMMDDHH[MM[SS]] */
static bool take_clock_face(struct b2b_str *rest, struct clock_face *face_r)
{
	struct clock_face face = { 0 };

	if (!take_digits(rest, 4, &face.year) || !take_digits(rest, 2, &face.month) ||
	    !take_digits(rest, 2, &face.day) || !take_digits(rest, 2, &face.hour))
		return false;
	if (starts_with_digit(rest)) {
		if (!take_digits(rest, 2, &face.minute))
			return false;
		if (starts_with_digit(rest) && !take_digits(rest, 2, &face.second))
			return false;
	}
	if (face.year < 1970 || face.month < 1 || face.month > 12 || face.day < 1 ||
	    face.day > days_in_month(face.year, face.month))
		return false;
	if (face.hour > 23 || face.minute > 59 || face.second > 60) /* 60: a leap second */
		return false;
	*face_r = face;
	return true;
}

/* [(.|,)digits] */
static bool skip_fraction(struct b2b_str *rest)
{
	if (rest->len == 0 || (rest->s[0] != '.' && rest->s[0] != ','))
		return true;
	rest->s++;
	rest->len--;
	if (!starts_with_digit(rest))
		return false;
	while (starts_with_digit(rest)) {
		rest->s++;
		rest->len--;
	}
	return true;
}

/* Z, or (+|-)HH[MM], and the end. */
static bool take_zone(struct b2b_str rest, int *offset_secs_r)
{
	int hours, minutes = 0;
	char sign;

	if (rest.len == 1 && rest.s[0] == 'Z') {
		*offset_secs_r = 0;
		return true;
	}
	if (rest.len == 0 || (rest.s[0] != '+' && rest.s[0] != '-'))
		return false;
	sign = rest.s[0];
	rest.s++;
	rest.len--;
	if (!take_digits(&rest, 2, &hours) || (rest.len && !take_digits(&rest, 2, &minutes)))
		return false;
	if (rest.len || hours > 23 || minutes > 59)
		return false;
	*offset_secs_r = (hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
	return true;
}

enum b2b_err b2b_time_parse(struct b2b_str value, time_t *time_r)
{
	struct clock_face face;
	int offset_secs;
	int64_t seconds;

	if (!take_clock_face(&value, &face) || !skip_fraction(&value) ||
	    !take_zone(value, &offset_secs))
		return B2B_ERR_INVALID;
	seconds = seconds_of(&face) - offset_secs;
	if (seconds < 0 || (int64_t)(time_t)seconds != seconds)
		return B2B_ERR_INVALID;
	*time_r = (time_t)seconds;
	return B2B_OK;
}

static void put_number(char *text, size_t digits, int number)
{
	while (digits-- > 0) {
		text[digits] = (char)('0' + number % 10);
		number /= 10;
	}
}

void b2b_time_format(time_t when, char text_r[B2B_TIME_SIZE])
{
	static const int64_t last = 253402300799; /* 9999-12-31 23:59:59 */
	int64_t seconds = when < 0 ? 0 : (int64_t)when > last ? last : (int64_t)when;
	int days = (int)(seconds / DAY_SECS), clock = (int)(seconds % DAY_SECS);
	int year = 1970, month = 1;

	for (; days >= (is_leap(year) ? 366 : 365); year++)
		days -= is_leap(year) ? 366 : 365;
	for (; days >= days_in_month(year, month); month++)
		days -= days_in_month(year, month);
	put_number(text_r, 4, year);
	put_number(text_r + 4, 2, month);
	put_number(text_r + 6, 2, days + 1);
	put_number(text_r + 8, 2, clock / 3600);
	put_number(text_r + 10, 2, clock / 60 % 60);
	put_number(text_r + 12, 2, clock % 60);
	text_r[14] = 'Z';
	text_r[15] = '\0';
}

time_t b2b_time_round_up_hour(time_t when)
{
	time_t past = when % 3600;

	if (past == 0)
		return when;
	return past < 0 ? when - past : when - past + 3600;
}

time_t b2b_time_due(time_t when, time_t now)
{
	if (when > now)
		return b2b_time_round_up_hour(when);
	/* an hour that is past, so that the next sweep finds it */
	when -= when % 3600;
	return when > 0 ? when : 3600;
}

enum b2b_err b2b_bool_parse(struct b2b_str value, bool *flag_r)
{
	bool yes = b2b_str_equal(value, b2b_str_of("TRUE"));

	if (!yes && !b2b_str_equal(value, b2b_str_of("FALSE")))
		return B2B_ERR_INVALID;
	*flag_r = yes;
	return B2B_OK;
}

enum b2b_err b2b_number_parse(struct b2b_str value, unsigned least, unsigned most,
			      unsigned *number_r)
{
	int number;

	if (!whole_number(value, 9, &number) || (unsigned)number < least || (unsigned)number > most)
		return B2B_ERR_INVALID;
	*number_r = (unsigned)number;
	return B2B_OK;
}

enum b2b_err b2b_days_parse(struct b2b_str value, unsigned *days_r)
{
	return b2b_number_parse(value, 0, 36500, days_r);
}

bool b2b_ordered_parse(struct b2b_str value, unsigned *index_r, struct b2b_str *rest_r)
{
	const char *end = value.len ? memchr(value.s, '}', value.len) : NULL;
	struct b2b_str number;
	int index;

	*index_r = 0;
	*rest_r = value;
	if (!end || value.s[0] != '{')
		return false;
	number.s = value.s + 1;
	number.len = (size_t)(end - number.s);
	if (!whole_number(number, 9, &index))
		return false;
	*index_r = (unsigned)index;
	rest_r->s = end + 1;
	rest_r->len = value.len - number.len - 2;
	return true;
}
