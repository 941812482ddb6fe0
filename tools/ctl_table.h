/*
 * ctl_table.h - lists as a table for people, as CSV (RFC 4180) or as JSON.
 * In: columns, and rows of text that may be shown.
 * Out: standard output; of a table a thousand rows are kept in memory at most.
 */
#ifndef B2B_CTL_TABLE_H
#define B2B_CTL_TABLE_H

#include "ctl.h"

enum ctl_format { CTL_FORMAT_TABLE, CTL_FORMAT_CSV, CTL_FORMAT_JSON };

enum ctl_cell { /* what JSON makes of a cell; an empty one is null */
		CTL_CELL_TEXT,
		CTL_CELL_TIME,   /* null where it is a word that says why there is none */
		CTL_CELL_FLAG,   /* "yes" or "no" */
		CTL_CELL_NUMBER, /* decimal */
		CTL_CELL_LIST,   /* lines */
		CTL_CELL_DNS,    /* lines, each a DN, of which a table shows the first value */
};

struct ctl_column {
	const char *title; /* NULL: a table leaves it out */
	const char *name;
	enum ctl_cell kind;
};

#define CTL_COLUMNS_MAX 20

struct ctl_table {
	const struct ctl_column *columns; /* borrowed */
	size_t column_count;              /* CTL_COLUMNS_MAX at most */
	enum ctl_format format;
	bool inner;     /* JSON: no newline behind the list, somebody goes on */
	size_t count;   /* rows so far */
	char ***held;   /* rows of a table whose widths are not known yet */
	size_t *widths; /* NULL until they are */
	size_t held_count;
};

/* What --format says; complains and returns CTL_USAGE where that is no format. */
int ctl_format_take(const char *given, enum ctl_format *format_r);
/* Prints what stands before the first row. */
void ctl_table_start(struct ctl_table *table);
/* cells: column_count texts on the heap, or NULL where there is nothing to say; their memory is
 * moved, the array is borrowed.  All must have passed ctl_shown. */
void ctl_table_row(struct ctl_table *table, char **cells);
/* Prints the rest and frees. */
void ctl_table_end(struct ctl_table *table);
/* Appends a line to a cell of kind LIST or DNS; text passes ctl_shown here. */
void ctl_cell_add(char **cell, const char *text, size_t bytes);

#endif
