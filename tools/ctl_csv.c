/*
 * ctl_csv.c - reads CSV (RFC 4180), record by record.
 * In: a text of foreign origin.
 * Out: fields, with the line that they begin on.
 */
#include "ctl_life.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 64

static void clear_fields(struct ctl_csv *csv)
{
	for (size_t i = 0; i < csv->count; i++)
		free(csv->fields[i]);
	csv->count = 0;
}

void ctl_csv_clear(struct ctl_csv *csv)
{
	clear_fields(csv);
	free(csv->fields);
	csv->fields = NULL;
}

static void add_field(struct ctl_csv *csv, const char *text, size_t bytes)
{
	if (csv->count == 0) {
		free(csv->fields);
		csv->fields = NULL;
	}
	csv->fields = ctl_grow(csv->fields, csv->count, sizeof *csv->fields);
	csv->fields[csv->count++] = ctl_format("%.*s", (int)bytes, text);
}

static void skip_line(struct ctl_csv *csv)
{
	while (csv->at < csv->end && *csv->at != '\n')
		csv->at++;
	if (csv->at < csv->end) {
		csv->at++;
		csv->line++;
	}
}

/* A field in quotes, in which a quote stands twice; false: it does not end, or goes on behind. */
static bool take_quoted(struct ctl_csv *csv)
{
	char *text = ctl_alloc((size_t)(csv->end - csv->at), 1), *to = text;
	const char *from = csv->at + 1;
	bool ended = false;

	for (; from < csv->end; from++) {
		if (*from == '"') {
			if (from + 1 == csv->end || from[1] != '"') {
				ended = true;
				break;
			}
			from++;
		}
		*to++ = *from;
	}
	ended = ended && (from + 1 == csv->end || strchr(",\r\n", from[1]));
	if (ended) {
		add_field(csv, text, (size_t)(to - text));
		for (const char *c = csv->at; c < from; c++)
			csv->line += *c == '\n';
		csv->at = from + 1;
	}
	free(text);
	return ended;
}

static bool take_plain(struct ctl_csv *csv)
{
	const char *from = csv->at;

	while (csv->at < csv->end && *csv->at != ',' && *csv->at != '\n') {
		if (*csv->at == '"')
			return false;
		csv->at++;
	}
	while (csv->at > from && csv->at[-1] == '\r' && (csv->at == csv->end || *csv->at == '\n'))
		csv->at--;
	add_field(csv, from, (size_t)(csv->at - from));
	return true;
}

/* Behind a field: another one follows, or the line ends. */
static bool take_end(struct ctl_csv *csv)
{
	while (csv->at < csv->end && *csv->at == '\r')
		csv->at++;
	if (csv->at == csv->end)
		return true;
	csv->line += *csv->at == '\n';
	return *csv->at++ == '\n';
}

static bool is_blank(const struct ctl_csv *csv)
{
	return csv->at < csv->end &&
	       (*csv->at == '\n' ||
		(*csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n'));
}

static enum ctl_csv_result wrong(struct ctl_csv *csv, const char *why, struct b2b_error *error)
{
	b2b_error_set(error, "%s", why);
	skip_line(csv);
	return CTL_CSV_WRONG;
}

enum ctl_csv_result ctl_csv_next(struct ctl_csv *csv, struct b2b_error *error)
{
	clear_fields(csv);
	while (is_blank(csv))
		skip_line(csv);
	csv->first = csv->line;
	if (csv->at == csv->end)
		return CTL_CSV_END;
	for (;;) {
		bool quoted = csv->at < csv->end && *csv->at == '"';

		if (csv->count == FIELDS_MAX)
			return wrong(csv, "too many fields", error);
		if (quoted ? !take_quoted(csv) : !take_plain(csv))
			return wrong(csv,
				     quoted ? "a quoted field does not end, or text follows it"
					    : "a quote inside a field that does not begin with one",
				     error);
		if (take_end(csv))
			return CTL_CSV_RECORD;
	}
}
