/*
 * ctl_table.c - prints lists: a table, CSV (RFC 4180) or JSON.
 * In: rows of cells.
 * Out: standard output.
 */
#include "ctl_table.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HELD_MAX 1000

int ctl_format_take(const char *given, enum ctl_format *format_r)
{
	static const char *const formats[] = { "table", "csv", "json" };

	*format_r = CTL_FORMAT_TABLE;
	for (int i = 0; given && i < 3; i++)
		if (strcasecmp(given, formats[i]) == 0) {
			*format_r = (enum ctl_format)i;
			return CTL_DONE;
		}
	if (!given)
		return CTL_DONE;
	ctl_fail("--format: table, csv or json");
	return CTL_USAGE;
}

void ctl_cell_add(char **cell, const char *text, size_t bytes)
{
	char *shown = ctl_shown(text, bytes), *before = *cell;

	*cell = ctl_format("%s%s%s", before && *before ? before : "", before && *before ? "\n" : "",
			   shown);
	free(before);
	free(shown);
}

static bool is_lines(enum ctl_cell kind)
{
	return kind == CTL_CELL_LIST || kind == CTL_CELL_DNS;
}

/* The lines of a cell with something else between them. */
static char *joined(const char *cell, const char *between)
{
	char *text = ctl_format("%s", ""), *longer;

	while (*cell) {
		int bytes = (int)strcspn(cell, "\n");

		longer = ctl_format("%s%s%.*s", text, *text ? between : "", bytes, cell);
		free(text);
		text = longer;
		cell += bytes;
		cell += *cell == '\n';
	}
	return text;
}

/* The values that DNs begin with. */
static char *first_values(const char *cell)
{
	char *text = ctl_format("%s", ""), *longer;

	while (*cell) {
		int bytes = (int)strcspn(cell, "\n"), end = (int)strcspn(cell, ",\n");
		int start = (int)strcspn(cell, "=\n");

		start = start < end ? start + 1 : 0;
		longer = ctl_format("%s%s%.*s", text, *text ? ", " : "", end - start, cell + start);
		free(text);
		text = longer;
		cell += bytes;
		cell += *cell == '\n';
	}
	return text;
}

/* A cell as a table or CSV shows it; caller frees. */
static char *plain(const struct ctl_table *table, size_t column, const char *cell)
{
	enum ctl_cell kind = table->columns[column].kind;

	if (!cell)
		return ctl_format("%s", "");
	if (kind == CTL_CELL_DNS && table->format == CTL_FORMAT_TABLE)
		return first_values(cell);
	return is_lines(kind) ? joined(cell, "; ") : ctl_format("%s", cell);
}

static void print_field(const char *text, bool first)
{
	fputs(first ? "" : ",", stdout);
	if (!strpbrk(text, ",\"\r\n ")) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (; *text; text++) {
		putchar(*text);
		if (*text == '"')
			putchar('"');
	}
	putchar('"');
}

static void print_csv(const struct ctl_table *table, char *const *cells)
{
	for (size_t i = 0; i < table->column_count; i++) {
		char *text = plain(table, i, cells[i]);

		print_field(text, i == 0);
		free(text);
	}
	fputs("\r\n", stdout);
}

static json_t *lines_of(const char *cell)
{
	json_t *list = json_array();

	while (*cell) {
		size_t bytes = strcspn(cell, "\n");

		json_array_append_new(list, json_stringn(cell, bytes));
		cell += bytes;
		cell += *cell == '\n';
	}
	return list;
}

static json_t *value_of(enum ctl_cell kind, const char *cell)
{
	if (is_lines(kind))
		return lines_of(cell ? cell : "");
	if (!cell || !*cell || (kind == CTL_CELL_TIME && !strchr(cell, 'T')))
		return json_null();
	if (kind == CTL_CELL_FLAG)
		return json_boolean(strcmp(cell, "yes") == 0);
	if (kind == CTL_CELL_NUMBER)
		return json_integer(strtoll(cell, NULL, 10));
	return json_string(cell);
}

static void print_json(const struct ctl_table *table, char *const *cells)
{
	json_t *object = json_object();
	json_malloc_t unused;
	json_free_t release;
	char *text;

	for (size_t i = 0; i < table->column_count; i++)
		json_object_set_new(object, table->columns[i].name,
				    value_of(table->columns[i].kind, cells[i]));
	text = json_dumps(object, 0);
	json_decref(object);
	printf("%s\n  %s", table->count ? "," : "", text ? text : "null");
	json_get_alloc_funcs(&unused, &release);
	release(text);
}

/* Characters, which is near enough to columns for names. */
static size_t width(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static void print_line(const struct ctl_table *table, const char *const *cells)
{
	size_t last = 0;

	for (size_t i = 0; i < table->column_count; i++)
		if (table->columns[i].title && *cells[i])
			last = i;
	for (size_t i = 0; i <= last; i++) {
		size_t have = width(cells[i]), want = table->widths[i] + 2;

		if (!table->columns[i].title)
			continue;
		/* A later row may be wider than those that the widths were taken from. */
		have = i == last ? want : have + 1 < want ? have : want - 1;
		printf("%s%*s", cells[i], (int)(want - have), "");
	}
	putchar('\n');
}

/* The widths are those of the titles and of the rows that are held; those are printed. */
static void print_held(struct ctl_table *table)
{
	const char *titles[CTL_COLUMNS_MAX];

	for (size_t i = 0; i < CTL_COLUMNS_MAX; i++)
		titles[i] = "";
	table->widths = ctl_alloc(CTL_COLUMNS_MAX, sizeof *table->widths);
	for (size_t i = 0; i < table->column_count; i++) {
		if (table->columns[i].title)
			titles[i] = table->columns[i].title;
		table->widths[i] = width(titles[i]);
		for (size_t j = 0; j < table->held_count; j++)
			if (width(table->held[j][i]) > table->widths[i])
				table->widths[i] = width(table->held[j][i]);
	}
	print_line(table, titles);
	for (size_t j = 0; j < table->held_count; j++) {
		print_line(table, (const char *const *)table->held[j]);
		for (size_t i = 0; i < table->column_count; i++)
			free(table->held[j][i]);
		free(table->held[j]);
	}
	free(table->held);
	table->held = NULL;
	table->held_count = 0;
}

static void take_line(struct ctl_table *table, char *const *cells)
{
	char **line = ctl_alloc(table->column_count, sizeof *line);

	for (size_t i = 0; i < table->column_count; i++)
		line[i] = plain(table, i, cells[i]);
	table->held = ctl_grow(table->held, table->held_count, sizeof *table->held);
	table->held[table->held_count++] = line;
	if (table->widths) {
		print_line(table, (const char *const *)line);
		for (size_t i = 0; i < table->column_count; i++)
			free(line[i]);
		free(line);
		table->held_count = 0;
	} else if (table->held_count == HELD_MAX) {
		print_held(table);
	}
}

void ctl_table_start(struct ctl_table *table)
{
	if (table->format == CTL_FORMAT_JSON)
		putchar('[');
	if (table->format != CTL_FORMAT_CSV)
		return;
	for (size_t i = 0; i < table->column_count; i++)
		print_field(table->columns[i].name, i == 0);
	fputs("\r\n", stdout);
}

void ctl_table_row(struct ctl_table *table, char **cells)
{
	if (table->format == CTL_FORMAT_TABLE)
		take_line(table, cells);
	else if (table->format == CTL_FORMAT_CSV)
		print_csv(table, cells);
	else
		print_json(table, cells);
	table->count++;
	for (size_t i = 0; i < table->column_count; i++)
		free(cells[i]);
}

void ctl_table_end(struct ctl_table *table)
{
	if (table->format == CTL_FORMAT_TABLE && !table->widths)
		print_held(table);
	if (table->format == CTL_FORMAT_JSON)
		printf("%s]%s", table->count ? "\n" : "", table->inner ? "" : "\n");
	free(table->widths);
	free(table->held);
	table->widths = NULL;
	table->held = NULL;
}
