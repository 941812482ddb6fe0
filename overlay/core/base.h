/*
 * base.h - words that every part of the core shares: strings, errors, entries.
 * In: nothing.  Out: included by all of overlay/core and by those who call it.
 * The core knows libc, OpenSSL and Jansson; time, randomness and I/O are arguments.
 */
#ifndef B2B_BASE_H
#define B2B_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Borrowed bytes; s may hold any byte and need not end in NUL. */
struct b2b_str {
	const char *s;
	size_t len;
};

enum b2b_err {
	B2B_OK = 0,
	B2B_ERR_INVALID, /* what was given is wrong; struct b2b_error says what */
	B2B_ERR_MEMORY,
};

/* What was wrong, for the person who wrote it. */
struct b2b_error {
	char text[512]; /* NUL-terminated, one line; empty while there is no error */
};

/* Writes one line into error (which may be NULL) and returns B2B_ERR_INVALID.  Bytes that
 * are not printable ASCII or UTF-8 letters are replaced by '?', the text is cut to fit. */
enum b2b_err b2b_error_set(struct b2b_error *error, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The same with "<what>: value \"<value>\" <why>", a long value cut; without a value where value.s is
 * NULL. */
enum b2b_err b2b_error_value(struct b2b_error *error, const char *what, struct b2b_str value,
			     const char *why);

/* Takes one character off the front of UTF-8 text (RFC 3629); false at the end, and where the next
 * bytes are none: then rest stays as it is. */
bool b2b_utf8_take(struct b2b_str *rest, uint32_t *code_r);

/* The attributes of section 4 that the core reads, in no particular order. */
enum b2b_attr {
	B2B_ATTR_NONE = 0,
#define B2B_ATTR(id, name) B2B_ATTR_##id,
#include "attrs.def"
#undef B2B_ATTR
	B2B_ATTR_COUNT
};

/* Returns the attribute's name as the schema spells it; borrowed, static; "" for others. */
const char *b2b_attr_name(enum b2b_attr attr);
/* Finds an attribute by name, without regard to case; B2B_ATTR_NONE where there is none. */
enum b2b_attr b2b_attr_find(const char *name);

/*
 * An entry, wherever it lives: value() fetches the index-th value of attr (from 0) and
 * returns false past the last.  dn is the normalised DN (NUL-terminated).  Everything is
 * borrowed for as long as the source itself.
 */
struct b2b_source {
	const char *dn;
	const void *entry;
	bool (*value)(const void *entry, enum b2b_attr attr, size_t index, struct b2b_str *value_r);
};

#endif
