/*
 * graph_recur.c - reads when an access review starts, and how long things last.
 * In: patternedRecurrence, ISO 8601 dates and durations.
 * Out: recurrence, start, end and count in the entry at hand.
 */
#include "graph_parts.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define DAY_SECS ((time_t)86400)
#define EVERY_MAX 366u

/* A whole number off the front; false where there is none or it is too long. */
static bool take_number(struct b2b_str *rest, unsigned *number_r)
{
	size_t digits = 0;

	*number_r = 0;
	for (; digits < rest->len && rest->s[digits] >= '0' && rest->s[digits] <= '9'; digits++) {
		if (digits == 6)
			return false;
		*number_r = *number_r * 10 + (unsigned)(rest->s[digits] - '0');
	}
	rest->s += digits;
	rest->len -= digits;
	return digits > 0;
}

bool b2b_graph_days_of(struct b2b_str text, unsigned *days_r)
{
	static const char units[] = "YMWDHMS"; /* in this order; 'T' stands before the last three */
	static const uint64_t secs[] = { 31536000, 2592000, 604800, 86400, 3600, 60, 1 };
	uint64_t total = 0;
	size_t unit = 0;
	bool timed = false;

	if (text.len < 3 || b2b_lower(text.s[0]) != 'p')
		return false;
	text.s++;
	text.len--;
	while (text.len) {
		unsigned number;

		if (b2b_lower(text.s[0]) == 't' && !timed) {
			timed = true;
			unit = 4;
			text.s++;
			text.len--;
		}
		if (!take_number(&text, &number) || text.len == 0)
			return false;
		while (unit < (timed ? 7u : 4u) && b2b_lower(units[unit]) != b2b_lower(text.s[0]))
			unit++;
		if (unit == (timed ? 7u : 4u))
			return false;
		total += number * secs[unit++];
		text.s++;
		text.len--;
	}
	total = (total + 86399) / 86400;
	if (total > 36500)
		return false;
	*days_r = (unsigned)total;
	return true;
}

/* "2020-05-04", or with "T00:00:00.000Z" behind it. */
static bool time_of(struct b2b_str text, time_t *when_r)
{
	char plain[64];
	size_t used = 0;

	if (text.len < 10 || text.len > 40 || text.s[4] != '-' || text.s[7] != '-')
		return false;
	if (text.len > 10 && b2b_lower(text.s[10]) != 't')
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (i != 4 && i != 7 && i != 10 && text.s[i] != ':')
			plain[used++] = text.s[i];
	plain[used] = '\0';
	if (used == 8)
		memcpy(plain + used, "000000Z", sizeof "000000Z");
	else if (!strpbrk(plain, "Zz+-"))
		memcpy(plain + used, "Z", sizeof "Z");
	return b2b_time_parse(b2b_str_of(plain), when_r) == B2B_OK;
}

enum b2b_err b2b_graph_number(struct b2b_graph_reader *reader, json_t *value, unsigned most,
			      unsigned *number_r)
{
	json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;

	if (number < 1 || number > most)
		return b2b_graph_fail(reader, "must be a number from 1 to %u", most);
	*number_r = (unsigned)number;
	return B2B_OK;
}

enum unit { UNIT_NONE = 0, UNIT_DAYS, UNIT_WEEKS, UNIT_MONTHS };

struct recurrence {
	enum unit unit;
	unsigned every;
	unsigned day_of_month; /* 0: that of the start */
	unsigned month;        /* likewise */
	int weekday;           /* 0 is Sunday, -1: that of the start */
	time_t start, end;     /* 0: none */
	unsigned occurrences;  /* 0: no bound */
};

static bool falls_on(const struct recurrence *recurrence, time_t when)
{
	char text[B2B_TIME_SIZE];
	unsigned month, day;

	b2b_time_format(when, text);
	month = (unsigned)(text[4] - '0') * 10 + (unsigned)(text[5] - '0');
	day = (unsigned)(text[6] - '0') * 10 + (unsigned)(text[7] - '0');
	return (!recurrence->day_of_month || day == recurrence->day_of_month) &&
	       (!recurrence->month || month == recurrence->month) &&
	       (recurrence->weekday < 0 || (when / DAY_SECS + 4) % 7 == recurrence->weekday);
}

/* The first day from the start on that the pattern means; ours goes on from there. */
static void move_start(struct recurrence *recurrence)
{
	time_t when = recurrence->start;

	for (int days = 0; when && days < 4 * 366; days++, when += DAY_SECS) {
		if (falls_on(recurrence, when)) {
			recurrence->start = when;
			return;
		}
	}
}

static enum b2b_err read_weekdays(struct b2b_graph_reader *reader, json_t *value,
				  struct recurrence *recurrence)
{
	static const char *const days[] = { "sunday",   "monday", "tuesday", "wednesday",
					    "thursday", "friday", "saturday" };
	struct b2b_str text;

	if (!json_is_array(value) || json_array_size(value) == 0)
		return B2B_OK;
	for (size_t i = 0; i < COUNT(days); i++)
		if (b2b_graph_text(json_array_get(value, 0), &text) && b2b_graph_is(text, days[i]))
			recurrence->weekday = (int)i;
	if (json_array_size(value) > 1 || recurrence->weekday < 0)
		return b2b_graph_note(reader, "daysOfWeek: one day is the most, not imported");
	return B2B_OK;
}

static unsigned small_number(json_t *object, const char *name, unsigned most)
{
	json_t *value = b2b_graph_get(object, name);
	json_int_t number = json_is_integer(value) ? json_integer_value(value) : 0;

	return number > 0 && number <= most ? (unsigned)number : 0;
}

static enum b2b_err read_every(struct b2b_graph_reader *reader, json_t *object, unsigned factor,
			       struct recurrence *recurrence)
{
	json_t *value = b2b_graph_get(object, "interval");
	enum b2b_err err;
	size_t mark;

	recurrence->every = factor;
	if (!value || json_is_null(value))
		return B2B_OK;
	mark = b2b_graph_push(reader, "interval", SIZE_MAX);
	err = b2b_graph_number(reader, value, EVERY_MAX / factor, &recurrence->every);
	recurrence->every *= factor;
	if (err == B2B_OK)
		b2b_graph_pop(reader, mark);
	return err;
}

static enum b2b_err read_pattern(struct b2b_graph_reader *reader, json_t *object,
				 struct recurrence *recurrence)
{
	static const struct b2b_graph_member rows[] = {
		{ "type", NULL, 0 },           { "interval", NULL, 0 },   { "dayOfMonth", NULL, 0 },
		{ "month", NULL, 0 },          { "daysOfWeek", NULL, 0 }, { "index", NULL, 0 },
		{ "firstDayOfWeek", NULL, 0 },
	};
	static const struct {
		const char *name;
		enum unit unit;
		unsigned factor;
		bool relative;
	} types[] = {
		{ "daily", UNIT_DAYS, 1, false },
		{ "weekly", UNIT_WEEKS, 1, false },
		{ "absoluteMonthly", UNIT_MONTHS, 1, false },
		{ "relativeMonthly", UNIT_MONTHS, 1, true },
		{ "absoluteYearly", UNIT_MONTHS, 12, false },
		{ "relativeYearly", UNIT_MONTHS, 12, true },
	};
	enum b2b_err err = b2b_graph_read_rows(reader, object, rows, COUNT(rows));
	struct b2b_str type = { NULL, 0 };
	size_t row = 0;

	if (err != B2B_OK)
		return err;
	b2b_graph_text(b2b_graph_get(object, "type"), &type);
	while (row < COUNT(types) && !b2b_graph_is(type, types[row].name))
		row++;
	if (row == COUNT(types))
		return b2b_graph_fail(reader, "type: must be daily, weekly, absoluteMonthly, "
					      "relativeMonthly, absoluteYearly or relativeYearly");
	recurrence->unit = types[row].unit;
	if (types[row].relative)
		err = b2b_graph_note(reader, "type: the day of the month is that of startDate");
	else if (types[row].unit == UNIT_WEEKS)
		err = read_weekdays(reader, b2b_graph_get(object, "daysOfWeek"), recurrence);
	else if (types[row].unit == UNIT_MONTHS)
		recurrence->day_of_month = small_number(object, "dayOfMonth", 31);
	if (types[row].factor == 12 && !types[row].relative)
		recurrence->month = small_number(object, "month", 12);
	return err == B2B_OK ? read_every(reader, object, types[row].factor, recurrence) : err;
}

static enum b2b_err read_date(struct b2b_graph_reader *reader, json_t *object, const char *name,
			      time_t *when_r)
{
	size_t mark = b2b_graph_push(reader, name, SIZE_MAX);
	struct b2b_str text;

	if (!b2b_graph_text(b2b_graph_get(object, name), &text) || !time_of(text, when_r))
		return b2b_graph_fail(reader, "must be a date such as 2030-12-31");
	b2b_graph_pop(reader, mark);
	return B2B_OK;
}

static enum b2b_err read_bounds(struct b2b_graph_reader *reader, json_t *object,
				struct recurrence *recurrence)
{
	struct b2b_str type = { NULL, 0 };
	enum b2b_err err;
	size_t mark;

	b2b_graph_text(b2b_graph_get(object, "type"), &type);
	if (type.len == 0 || b2b_graph_is(type, "noEnd"))
		return B2B_OK;
	if (b2b_graph_is(type, "endDate")) {
		err = read_date(reader, object, "endDate", &recurrence->end);
		/* Graph's last day is one on which a review may start. */
		if (err == B2B_OK)
			recurrence->end += DAY_SECS;
		return err;
	}
	if (!b2b_graph_is(type, "numbered"))
		return b2b_graph_fail(reader, "type: must be noEnd, endDate or numbered");
	mark = b2b_graph_push(reader, "numberOfOccurrences", SIZE_MAX);
	err = b2b_graph_number(reader, b2b_graph_get(object, "numberOfOccurrences"), 9999,
			       &recurrence->occurrences);
	if (err == B2B_OK)
		b2b_graph_pop(reader, mark);
	return err;
}

static enum b2b_err read_range(struct b2b_graph_reader *reader, json_t *object, bool once,
			       struct recurrence *recurrence)
{
	static const struct b2b_graph_member rows[] = {
		{ "type", NULL, 0 },
		{ "startDate", NULL, 0 },
		{ "endDate", NULL, 0 },
		{ "numberOfOccurrences", NULL, 0 },
		{ "recurrenceTimeZone", NULL, 0 },
	};
	enum b2b_err err = b2b_graph_read_rows(reader, object, rows, COUNT(rows));
	struct b2b_str zone = { NULL, 0 };
	json_t *start;

	if (err != B2B_OK)
		return err;
	start = b2b_graph_get(object, "startDate");
	if (start && !json_is_null(start))
		err = read_date(reader, object, "startDate", &recurrence->start);
	if (err == B2B_OK && !once)
		err = read_bounds(reader, object, recurrence);
	b2b_graph_text(b2b_graph_get(object, "recurrenceTimeZone"), &zone);
	if (err == B2B_OK && zone.len && !b2b_graph_is(zone, "UTC"))
		err = b2b_graph_note(reader, "recurrenceTimeZone: days begin at midnight UTC");
	return err;
}

static enum b2b_err put_time(struct b2b_graph_entry *entry, enum b2b_attr attr, time_t when)
{
	char text[B2B_TIME_SIZE];

	if (!when)
		return B2B_OK;
	b2b_time_format(when, text);
	return b2b_graph_put(entry, attr, text);
}

static enum b2b_err put_recurrence(struct b2b_graph_entry *entry,
				   const struct recurrence *recurrence)
{
	static const char *const units[] = { "once", "days", "weeks", "months" };
	char text[32];
	enum b2b_err err;

	if (recurrence->unit)
		snprintf(text, sizeof text, "%s=%u", units[recurrence->unit], recurrence->every);
	err = b2b_graph_put(entry, B2B_ATTR_REVIEW_RECURRENCE,
			    recurrence->unit ? text : units[UNIT_NONE]);
	if (err == B2B_OK)
		err = put_time(entry, B2B_ATTR_REVIEW_START, recurrence->start);
	if (err == B2B_OK)
		err = put_time(entry, B2B_ATTR_REVIEW_END, recurrence->end);
	if (err == B2B_OK && recurrence->occurrences)
		err = b2b_graph_put_number(entry, B2B_ATTR_REVIEW_OCCURRENCES,
					   recurrence->occurrences);
	return err;
}

enum b2b_err b2b_graph_read_recurrence(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	static const struct b2b_graph_member rows[] = {
		{ "pattern", NULL, 0 },
		{ "range", NULL, 0 },
	};
	struct recurrence recurrence = { .weekday = -1 };
	enum b2b_err err = b2b_graph_read_rows(reader, value, rows, COUNT(rows));
	json_t *pattern, *range;
	size_t mark;

	(void)arg;
	if (err != B2B_OK)
		return err;
	pattern = b2b_graph_get(value, "pattern");
	range = b2b_graph_get(value, "range");
	if (pattern && !json_is_null(pattern)) {
		mark = b2b_graph_push(reader, "pattern", SIZE_MAX);
		err = read_pattern(reader, pattern, &recurrence);
		if (err != B2B_OK)
			return err;
		b2b_graph_pop(reader, mark);
	}
	if (range && !json_is_null(range)) {
		mark = b2b_graph_push(reader, "range", SIZE_MAX);
		err = read_range(reader, range, recurrence.unit == UNIT_NONE, &recurrence);
		if (err != B2B_OK)
			return err;
		b2b_graph_pop(reader, mark);
	}
	move_start(&recurrence);
	return put_recurrence(reader->entry, &recurrence);
}
