/*
 * read.h - reads typed attribute values of an entry and keeps what was wrong first.
 * In: an entry (struct b2b_source).  Out: plain values for policy.c and guest.c.
 * A reader goes on after a mistake, so that what identifies a broken entry is still found.
 */
#ifndef B2B_READ_H
#define B2B_READ_H

#include "text.h"

struct b2b_reader {
	const struct b2b_source *source; /* borrowed */
	struct b2b_error *error;         /* borrowed, may be NULL; holds the first refusal */
	bool invalid;
	bool no_memory;
};

struct b2b_word { /* a keyword, compared without regard to case */
	const char *text;
	int value;
};

/* Writes "<attribute>: value \"<value>\" <what>", without the value where value.s is NULL. */
void b2b_read_refuse(struct b2b_reader *reader, enum b2b_attr attr, struct b2b_str value,
		     const char *what);

/* The next value from *index on, which moves; empty values and those with a NUL byte are refused
 * and passed over.  False past the last. */
bool b2b_read_next(struct b2b_reader *reader, enum b2b_attr attr, size_t *index,
		   struct b2b_str *value_r);
/* The only value; a second one is refused.  All that follow are false, and leave the output as
 * it was, where there is no value or it was refused. */
bool b2b_read_one(struct b2b_reader *reader, enum b2b_attr attr, struct b2b_str *value_r);
bool b2b_read_bool(struct b2b_reader *reader, enum b2b_attr attr, bool *flag_r);
bool b2b_read_number(struct b2b_reader *reader, enum b2b_attr attr, unsigned least, unsigned most,
		     unsigned *number_r);
bool b2b_read_days(struct b2b_reader *reader, enum b2b_attr attr, unsigned *days_r);
/* Never 0, which stands for "absent": the first second of 1970 reads as 1. */
bool b2b_read_time(struct b2b_reader *reader, enum b2b_attr attr, time_t *time_r);
bool b2b_read_word(struct b2b_reader *reader, enum b2b_attr attr, const struct b2b_word *words,
		   size_t count, int *value_r);

/* Copies to the heap; the caller frees. */
bool b2b_read_text(struct b2b_reader *reader, enum b2b_attr attr, char **text_r);
void b2b_read_list(struct b2b_reader *reader, enum b2b_attr attr, char ***list, size_t *count);
/* Appends a copy of value to a list on the heap; no_memory is set if that fails. */
void b2b_read_append(struct b2b_reader *reader, struct b2b_str value, char ***list, size_t *count);

/* One value of an attribute whose values carry "{n}" prefixes. */
struct b2b_ordered {
	struct b2b_str value; /* whole, for messages */
	struct b2b_str rest;  /* behind the prefix, not empty */
	unsigned index;
	bool prefixed;
};
/* All values by their prefix, those without one last as they come.  The caller frees *list_r. */
void b2b_read_ordered(struct b2b_reader *reader, enum b2b_attr attr, struct b2b_ordered **list_r,
		      size_t *count_r);

/* Refuses what b2b_read_next refuses, for attributes that are only carried. */
void b2b_read_skim(struct b2b_reader *reader, const enum b2b_attr *attrs, size_t count);

#endif
