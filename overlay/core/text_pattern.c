/*
 * text_pattern.c - bind name patterns: the name by which a guest is known at home.
 * In: the partner's pattern, and the guest's attributes by a lookup function.
 * Out: a name with every value escaped, for the home server client.
 */
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define PATTERN_BYTES_MAX 1024
#define ATTRIBUTE_BYTES_MAX 63

/* One step through a pattern: a literal character or an attribute's name. */
struct piece {
	bool is_attribute;
	char literal;
	char attribute[ATTRIBUTE_BYTES_MAX + 1];
};

static bool is_control(char c)
{
	unsigned char u = (unsigned char)c;

	return u < 0x20 || u == 0x7f;
}

static bool is_attribute_name(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		char c = b2b_lower(name[i]);
		bool letter = c >= 'a' && c <= 'z';

		if (!letter && (i == 0 || (c != '-' && (c < '0' || c > '9'))))
			return false;
	}
	return length > 0;
}

static const char *short_name(char letter)
{
	return letter == 's'   ? "b2bHomeSubject"
	       : letter == 'u' ? "uid"
	       : letter == 'm' ? "mail"
			       : NULL;
}

/* Takes the next piece off a pattern that is not empty; false if it is malformed. */
static bool next_piece(struct b2b_str *rest, struct piece *piece_r)
{
	const char *name, *end;
	size_t length, used;

	piece_r->is_attribute = false;
	piece_r->literal = rest->s[0];
	used = 1;
	if (rest->s[0] == '%') {
		if (rest->len < 2)
			return false;
		used = 2;
		if (rest->s[1] != '%') {
			name = short_name(rest->s[1]);
			length = name ? strlen(name) : 0;
			if (rest->s[1] == '{') {
				name = rest->s + 2;
				end = memchr(name, '}', rest->len - 2);
				length = end ? (size_t)(end - name) : 0;
				used = length + 3;
			}
			if (!name || length > ATTRIBUTE_BYTES_MAX ||
			    !is_attribute_name(name, length))
				return false;
			memcpy(piece_r->attribute, name, length);
			piece_r->attribute[length] = '\0';
			piece_r->is_attribute = true;
		}
	}
	rest->s += used;
	rest->len -= used;
	return true;
}

static bool makes_dn(struct b2b_str pattern)
{
	return pattern.len && memchr(pattern.s, '=', pattern.len);
}

/* Whether a literal character leaves the pattern behind the '=' of an attribute type. */
static bool still_in_value(bool in_value, bool escaped, char c)
{
	if (escaped)
		return in_value;
	if (c == '=')
		return true;
	return in_value && c != ',' && c != '+' && c != ';';
}

enum b2b_err b2b_pattern_check(struct b2b_str pattern, struct b2b_error *error)
{
	bool dn = makes_dn(pattern), in_value = false, escaped = false, named = false;
	struct piece piece;

	if (pattern.len == 0 || pattern.len > PATTERN_BYTES_MAX)
		return b2b_error_set(error, "is empty or longer than %d bytes", PATTERN_BYTES_MAX);
	for (size_t i = 0; i < pattern.len; i++)
		if (is_control(pattern.s[i]))
			return b2b_error_set(error, "has a control character");
	while (pattern.len) {
		if (!next_piece(&pattern, &piece))
			return b2b_error_set(error,
					     "has a '%%' without one of {attribute} s u m %%");
		if (piece.is_attribute && dn && (!in_value || escaped))
			return b2b_error_set(error, "names %s where no attribute value stands",
					     piece.attribute);
		named = named || piece.is_attribute;
		if (!piece.is_attribute) {
			in_value = still_in_value(in_value, escaped, piece.literal);
			escaped = !escaped && piece.literal == '\\';
		}
	}
	if (!named)
		return b2b_error_set(error,
				     "names no attribute, so all guests would share one name");
	return B2B_OK;
}

/* A growing text; broken once memory ran out. */
struct sink {
	char *text;
	size_t length, size;
	bool broken;
};

static void put(struct sink *sink, char c)
{
	if (sink->broken)
		return;
	if (sink->length + 1 >= sink->size) {
		size_t size = sink->size * 2 + 64;
		char *text = realloc(sink->text, size);

		if (!text) {
			sink->broken = true;
			return;
		}
		sink->text = text;
		sink->size = size;
	}
	sink->text[sink->length++] = c;
	sink->text[sink->length] = '\0';
}

static void put_escaped(struct sink *sink, struct b2b_str value)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < value.len; i++) {
		char c = value.s[i];
		unsigned char u = (unsigned char)c;
		bool edge = i == 0 || i + 1 == value.len;

		if (is_control(c)) {
			put(sink, '\\');
			put(sink, hex[u >> 4]);
			put(sink, hex[u & 15u]);
			continue;
		}
		if (strchr("\"+,;<>\\=", c) || (c == '#' && i == 0) || (c == ' ' && edge))
			put(sink, '\\');
		put(sink, c);
	}
}

static enum b2b_err put_attribute(struct sink *sink, bool dn, const char *attribute,
				  struct b2b_str value, struct b2b_error *error)
{
	if (value.len == 0 || memchr(value.s, '\0', value.len))
		return b2b_error_set(error, "%s is empty or has a NUL byte", attribute);
	if (dn) {
		put_escaped(sink, value);
		return B2B_OK;
	}
	for (size_t i = 0; i < value.len; i++) {
		if (is_control(value.s[i]))
			return b2b_error_set(error, "%s has a control character", attribute);
		put(sink, value.s[i]);
	}
	return B2B_OK;
}

enum b2b_err b2b_pattern_expand(struct b2b_str pattern, b2b_pattern_lookup *lookup, const void *ctx,
				char **name_r, struct b2b_error *error)
{
	bool dn = makes_dn(pattern);
	struct sink sink = { 0 };
	struct piece piece;
	struct b2b_str value;
	enum b2b_err err = b2b_pattern_check(pattern, error);

	*name_r = NULL;
	while (err == B2B_OK && pattern.len) {
		if (!next_piece(&pattern, &piece))
			err = b2b_error_set(error, "is malformed");
		else if (!piece.is_attribute)
			put(&sink, piece.literal);
		else if (!lookup(ctx, piece.attribute, &value))
			err = b2b_error_set(error, "%s has no value, or several", piece.attribute);
		else
			err = put_attribute(&sink, dn, piece.attribute, value, error);
	}
	if (err == B2B_OK && sink.broken)
		err = B2B_ERR_MEMORY;
	if (err != B2B_OK) {
		free(sink.text);
		return err;
	}
	*name_r = sink.text;
	return B2B_OK;
}
