/*
 * graph_show.h - reads Graph JSON and shows what was read as text, for the unit tests.
 * In: JSON texts, and what is expected of them.
 * Out: checks that fail; included once by each check_graph program.
 */
#ifndef B2B_TEST_GRAPH_SHOW_H
#define B2B_TEST_GRAPH_SHOW_H

#include "entry.h"
#include "graph.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What was read, as text: "[tenant or default]", then sorted "attribute: value" lines; a "-" for
 * an attribute that goes. */
struct shown {
	char *lines[512];
	size_t count;
	char text[65536];
};

static inline int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void show_line(struct shown *shown, const char *attr, const char *value)
{
	ck_assert_uint_lt(shown->count, COUNT(shown->lines));
	ck_assert_int_gt(asprintf(&shown->lines[shown->count++], "%s: %s\n", attr, value), 0);
}

static inline void show_entry(struct shown *shown, const struct b2b_graph_entry *entry, bool absent)
{
	strcat(shown->text, "[");
	strcat(shown->text, entry->tenant_id ? entry->tenant_id : "default");
	strcat(shown->text, "]\n");
	shown->count = 0;
	for (size_t i = 0; i < entry->count; i++) {
		const struct b2b_graph_value *value = &entry->values[i];

		if (value->count == 0 && absent)
			show_line(shown, b2b_attr_name(value->attr), "-");
		for (size_t j = 0; j < value->count; j++)
			show_line(shown, b2b_attr_name(value->attr), value->values[j]);
	}
	qsort(shown->lines, shown->count, sizeof *shown->lines, by_text);
	for (size_t i = 0; i < shown->count; i++) {
		ck_assert_uint_lt(strlen(shown->text) + strlen(shown->lines[i]),
				  sizeof shown->text);
		strcat(shown->text, shown->lines[i]);
		free(shown->lines[i]);
	}
}

static inline const char *show(const struct b2b_graph *graph, bool absent)
{
	static struct shown shown;

	shown.text[0] = '\0';
	for (size_t i = 0; i < graph->count; i++)
		show_entry(&shown, &graph->entries[i], absent);
	return shown.text;
}

static inline struct b2b_graph *read_bytes(const char *json, size_t bytes, const char *setting)
{
	struct b2b_graph *graph = NULL;
	struct b2b_error error;
	enum b2b_err err = b2b_graph_read(json, bytes, setting, &graph, &error);

	ck_assert_msg(err == B2B_OK, "%.60s: %s", json, error.text);
	ck_assert_ptr_nonnull(graph);
	return graph;
}

static inline struct b2b_graph *read_text(const char *json)
{
	return read_bytes(json, strlen(json), NULL);
}

static inline void expect(const char *json, const char *wanted)
{
	struct b2b_graph *graph = read_text(json);

	ck_assert_str_eq(show(graph, true), wanted);
	b2b_graph_free(&graph);
	ck_assert_ptr_null(graph);
}

/* The text is refused, nothing is left over, and the error has these words. */
static inline void refuse_bytes(const char *json, size_t bytes, const char *setting,
				const char *words)
{
	struct b2b_graph *graph = (void *)1;
	struct b2b_error error;

	ck_assert_msg(b2b_graph_read(json, bytes, setting, &graph, &error) == B2B_ERR_INVALID,
		      "taken: %.200s", json);
	ck_assert_ptr_null(graph);
	ck_assert_msg(strstr(error.text, words) != NULL, "\"%s\" is not in \"%s\"", words,
		      error.text);
	for (const char *c = error.text; *c; c++)
		ck_assert_msg((unsigned char)*c >= 0x20, "control character in the error");
}

static inline void refuse(const char *json, const char *words)
{
	refuse_bytes(json, strlen(json), NULL, words);
}

static inline char *load(const char *name, size_t *bytes_r)
{
	char path[256], *text = malloc(65536);
	FILE *file;

	snprintf(path, sizeof path, "%s/graph/%s", B2B_TEST_DATA, name);
	file = fopen(path, "rb");
	ck_assert_msg(file != NULL, "%s is missing", path);
	*bytes_r = fread(text, 1, 65536, file);
	fclose(file);
	return text;
}

static inline void expect_file(const char *name, const char *setting, const char *wanted,
			       size_t notes)
{
	size_t bytes;
	char *text = load(name, &bytes);
	struct b2b_graph *graph = read_bytes(text, bytes, setting);

	ck_assert_str_eq(show(graph, true), wanted);
	ck_assert_msg(graph->note_count == notes, "%s: %zu notes, first: %s", name,
		      graph->note_count, graph->note_count ? graph->notes[0] : "");
	b2b_graph_free(&graph);
	free(text);
}

#endif
