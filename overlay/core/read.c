/*
 * read.c - typed attribute values, the first mistake kept.
 * In: values of any bytes from an entry.
 * Out: see read.h; messages name attribute and value for whoever wrote them.
 */
#include "read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void b2b_read_refuse(struct b2b_reader *reader, enum b2b_attr attr, struct b2b_str value,
		     const char *what)
{
	if (reader->invalid)
		return;
	reader->invalid = true;
	b2b_error_value(reader->error, b2b_attr_name(attr), value, what);
}

bool b2b_read_next(struct b2b_reader *reader, enum b2b_attr attr, size_t *index,
		   struct b2b_str *value_r)
{
	const struct b2b_source *source = reader->source;
	struct b2b_str value;

	while (source->value(source->entry, attr, (*index)++, &value)) {
		if (!value.s)
			value = b2b_str_of("");
		if (value.len == 0) {
			b2b_read_refuse(reader, attr, value, "is empty");
		} else if (memchr(value.s, '\0', value.len)) {
			b2b_read_refuse(reader, attr, value, "has a NUL byte");
		} else {
			*value_r = value;
			return true;
		}
	}
	return false;
}

bool b2b_read_one(struct b2b_reader *reader, enum b2b_attr attr, struct b2b_str *value_r)
{
	struct b2b_str second;
	size_t index = 0;

	if (!b2b_read_next(reader, attr, &index, value_r))
		return false;
	if (b2b_read_next(reader, attr, &index, &second)) {
		b2b_read_refuse(reader, attr, second, "is a second one where one may stand");
		return false;
	}
	return true;
}

bool b2b_read_bool(struct b2b_reader *reader, enum b2b_attr attr, bool *flag_r)
{
	struct b2b_str value;

	if (!b2b_read_one(reader, attr, &value))
		return false;
	if (b2b_bool_parse(value, flag_r) == B2B_OK)
		return true;
	b2b_read_refuse(reader, attr, value, "is neither TRUE nor FALSE");
	return false;
}

bool b2b_read_number(struct b2b_reader *reader, enum b2b_attr attr, unsigned least, unsigned most,
		     unsigned *number_r)
{
	struct b2b_str value;
	char what[64];

	if (!b2b_read_one(reader, attr, &value))
		return false;
	if (b2b_number_parse(value, least, most, number_r) == B2B_OK)
		return true;
	snprintf(what, sizeof what, "is not a number from %u to %u", least, most);
	b2b_read_refuse(reader, attr, value, what);
	return false;
}

bool b2b_read_days(struct b2b_reader *reader, enum b2b_attr attr, unsigned *days_r)
{
	struct b2b_str value;

	if (!b2b_read_one(reader, attr, &value))
		return false;
	if (b2b_days_parse(value, days_r) == B2B_OK)
		return true;
	b2b_read_refuse(reader, attr, value, "is not a number of days from 0 to 36500");
	return false;
}

bool b2b_read_time(struct b2b_reader *reader, enum b2b_attr attr, time_t *time_r)
{
	struct b2b_str value;

	if (!b2b_read_one(reader, attr, &value))
		return false;
	if (b2b_time_parse(value, time_r) == B2B_OK) {
		if (*time_r == 0)
			*time_r = 1;
		return true;
	}
	b2b_read_refuse(reader, attr, value, "is not a time such as 20301231235959Z");
	return false;
}

bool b2b_read_word(struct b2b_reader *reader, enum b2b_attr attr, const struct b2b_word *words,
		   size_t count, int *value_r)
{
	struct b2b_str value;

	if (!b2b_read_one(reader, attr, &value))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (b2b_str_equal_nocase(value, b2b_str_of(words[i].text))) {
			*value_r = words[i].value;
			return true;
		}
	}
	b2b_read_refuse(reader, attr, value, "is not a keyword of this attribute");
	return false;
}

bool b2b_read_text(struct b2b_reader *reader, enum b2b_attr attr, char **text_r)
{
	struct b2b_str value;

	if (!b2b_read_one(reader, attr, &value))
		return false;
	*text_r = b2b_str_dup(value);
	if (!*text_r)
		reader->no_memory = true;
	return *text_r != NULL;
}

void b2b_read_append(struct b2b_reader *reader, struct b2b_str value, char ***list, size_t *count)
{
	char **longer = *list;
	char *copy = b2b_str_dup(value);

	/* room grows in powers of two, so it is full whenever the count is one */
	if (copy && (*count & (*count - 1)) == 0)
		longer = realloc(*list, (*count ? *count * 2 : 1) * sizeof *longer);
	if (!copy || !longer) {
		free(copy);
		reader->no_memory = true;
		return;
	}
	longer[*count] = copy;
	*list = longer;
	++*count;
}

void b2b_read_list(struct b2b_reader *reader, enum b2b_attr attr, char ***list, size_t *count)
{
	struct b2b_str value;

	for (size_t index = 0; b2b_read_next(reader, attr, &index, &value);)
		b2b_read_append(reader, value, list, count);
}

/* Insertion keeps values of one rank as they came. */
static void insert_ordered(struct b2b_ordered *list, size_t count, const struct b2b_ordered *value)
{
	size_t at = count;

	for (; at > 0 && value->prefixed; at--) {
		if (list[at - 1].prefixed && list[at - 1].index <= value->index)
			break;
		list[at] = list[at - 1];
	}
	list[at] = *value;
}

void b2b_read_ordered(struct b2b_reader *reader, enum b2b_attr attr, struct b2b_ordered **list_r,
		      size_t *count_r)
{
	struct b2b_ordered *list = NULL, *longer, value;
	size_t count = 0, index = 0;

	while (b2b_read_next(reader, attr, &index, &value.value)) {
		value.prefixed = b2b_ordered_parse(value.value, &value.index, &value.rest);
		if (value.rest.len == 0) {
			b2b_read_refuse(reader, attr, value.value, "has nothing behind its prefix");
			continue;
		}
		longer = realloc(list, (count + 1) * sizeof *list);
		if (!longer) {
			reader->no_memory = true;
			break;
		}
		list = longer;
		insert_ordered(list, count++, &value);
	}
	*list_r = list;
	*count_r = count;
}

void b2b_read_skim(struct b2b_reader *reader, const enum b2b_attr *attrs, size_t count)
{
	struct b2b_str value;

	for (size_t i = 0; i < count; i++)
		for (size_t index = 0; b2b_read_next(reader, attrs[i], &index, &value);)
			continue;
}
