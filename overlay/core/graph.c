/*
 * graph.c - reads a Microsoft Graph cross-tenant access document, whatever shape it has.
 * In: JSON text of foreign origin, made strict by graph_clean.c.
 * Out: struct b2b_graph; each policy object goes through graph_entry.c.
 */
#include "graph_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct b2b_graph_setting b2b_graph_settings[B2B_GRAPH_SETTINGS] = {
	{ "b2bCollaborationInbound", B2B_ATTR_COLLAB_IN_USERS_ACCESS },
	{ "b2bCollaborationOutbound", B2B_ATTR_COLLAB_OUT_USERS_ACCESS },
	{ "b2bDirectConnectInbound", B2B_ATTR_DIRECT_IN_USERS_ACCESS },
	{ "b2bDirectConnectOutbound", B2B_ATTR_DIRECT_OUT_USERS_ACCESS },
};

size_t b2b_graph_push(struct b2b_graph_reader *reader, const char *member, size_t index)
{
	size_t mark = reader->at_len, room = sizeof reader->at - mark;
	int more;

	if (index == SIZE_MAX)
		more = snprintf(reader->at + mark, room, "%s%.80s", mark ? "." : "", member);
	else
		more = snprintf(reader->at + mark, room, "[%zu]", index);
	if (more > 0)
		reader->at_len += (size_t)more < room ? (size_t)more : room - 1;
	return mark;
}

void b2b_graph_pop(struct b2b_graph_reader *reader, size_t mark)
{
	reader->at_len = mark;
	reader->at[mark] = '\0';
}

enum b2b_err b2b_graph_fail(struct b2b_graph_reader *reader, const char *fmt, ...)
{
	char text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	return b2b_error_set(reader->error, "%s%s%s", reader->at, reader->at_len ? ": " : "", text);
}

enum b2b_err b2b_graph_note(struct b2b_graph_reader *reader, const char *fmt, ...)
{
	struct b2b_graph *graph = reader->graph;
	struct b2b_error line = { "" }; /* for its way with characters that must not be printed */
	char text[400];
	va_list args;
	char **grown;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	b2b_error_set(&line, "%s: %s", reader->at, text);
	/* Room is doubled whenever the count reaches a power of two. */
	if ((graph->note_count & (graph->note_count - 1)) == 0) {
		size_t room = graph->note_count ? graph->note_count * 2 : 1;

		grown = realloc(graph->notes, room * sizeof *grown);
		if (!grown)
			return B2B_ERR_MEMORY;
		graph->notes = grown;
	}
	graph->notes[graph->note_count] = strdup(line.text);
	if (!graph->notes[graph->note_count])
		return B2B_ERR_MEMORY;
	graph->note_count++;
	return B2B_OK;
}

struct b2b_str b2b_graph_trim(const char *text, size_t bytes)
{
	while (bytes > 0 && strchr(" \t\r\n", text[0]) && text[0]) {
		text++;
		bytes--;
	}
	while (bytes > 0 && strchr(" \t\r\n", text[bytes - 1]) && text[bytes - 1])
		bytes--;
	return (struct b2b_str){ text, bytes };
}

bool b2b_graph_is(struct b2b_str text, const char *name)
{
	return b2b_str_equal_nocase(text, b2b_str_of(name));
}

bool b2b_graph_is_value(struct b2b_str text, size_t max_bytes)
{
	const unsigned char *s = (const unsigned char *)text.s;

	if (text.len == 0 || text.len > max_bytes)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (s[i] < 0x20 || s[i] == 0x7f)
			return false;
		if (s[i] == 0xc2 && i + 1 < text.len && s[i + 1] < 0xa0) /* U+0080 to U+009F */
			return false;
	}
	return true;
}

json_t *b2b_graph_get(json_t *object, const char *name)
{
	const char *key;
	json_t *value;

	json_object_foreach (object, key, value)
		if (b2b_graph_is(b2b_graph_trim(key, strlen(key)), name))
			return value;
	return NULL;
}

static enum b2b_err unknown_member(struct b2b_graph_reader *reader, struct b2b_str key)
{
	const char *odata = memmem(key.s, key.len, "@odata.", strlen("@odata."));
	size_t mark = b2b_graph_push(reader, key.s, SIZE_MAX);
	enum b2b_err err = B2B_OK;

	if (odata && strncmp(odata, "@odata.nextLink", strlen("@odata.nextLink")) == 0)
		err = b2b_graph_note(reader, "there are more pages; only this one is imported");
	else if (!odata)
		err = b2b_graph_note(reader, "not known, not imported");
	b2b_graph_pop(reader, mark);
	return err;
}

enum b2b_err b2b_graph_walk(struct b2b_graph_reader *reader, json_t *object,
			    const struct b2b_graph_member *rows, size_t row_count)
{
	enum b2b_err err = B2B_OK;
	uint32_t seen = 0;
	const char *key;
	json_t *value;

	json_object_foreach (object, key, value) {
		struct b2b_str name = b2b_graph_trim(key, strlen(key));
		size_t row = 0, mark;

		while (row < row_count && !b2b_graph_is(name, rows[row].name))
			row++;
		if (row == row_count) {
			err = unknown_member(reader, name);
			if (err != B2B_OK)
				return err;
			continue;
		}
		mark = b2b_graph_push(reader, rows[row].name, SIZE_MAX);
		if (seen & (UINT32_C(1) << row))
			return b2b_graph_fail(reader, "given twice");
		seen |= UINT32_C(1) << row;
		if (rows[row].read)
			err = rows[row].read(reader, value, rows[row].arg);
		if (err != B2B_OK)
			return err;
		b2b_graph_pop(reader, mark);
	}
	return B2B_OK;
}

static enum b2b_err read_default(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	(void)arg;
	if (!json_is_object(value))
		return b2b_graph_fail(reader, "must be an object");
	return b2b_graph_read_entry(reader, value, false);
}

static int by_tenant(const void *a, const void *b)
{
	const struct b2b_graph_entry *x = *(struct b2b_graph_entry *const *)a;
	const struct b2b_graph_entry *y = *(struct b2b_graph_entry *const *)b;

	return strcasecmp(x->tenant_id, y->tenant_id);
}

static enum b2b_err check_tenants_differ(struct b2b_graph_reader *reader)
{
	const struct b2b_graph *graph = reader->graph;
	const struct b2b_graph_entry **sorted = calloc(graph->count + 1, sizeof(void *));
	enum b2b_err err = B2B_OK;
	size_t count = 0;

	if (!sorted)
		return B2B_ERR_MEMORY;
	for (size_t i = 0; i < graph->count; i++)
		if (graph->entries[i].tenant_id)
			sorted[count++] = &graph->entries[i];
	qsort((void *)sorted, count, sizeof(void *), by_tenant);
	for (size_t i = 1; i < count && err == B2B_OK; i++)
		if (strcasecmp(sorted[i - 1]->tenant_id, sorted[i]->tenant_id) == 0)
			err = b2b_graph_fail(reader, "tenantId \"%.80s\" stands in two partners",
					     sorted[i]->tenant_id);
	free((void *)sorted);
	return err;
}

static enum b2b_err read_partners(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	enum b2b_err err;
	size_t index;
	json_t *item;

	(void)arg;
	if (!json_is_array(value))
		return b2b_graph_fail(reader, "must be a list");
	json_array_foreach (value, index, item) {
		size_t mark = b2b_graph_push(reader, NULL, index);

		if (!json_is_object(item))
			return b2b_graph_fail(reader, "must be an object");
		err = b2b_graph_read_entry(reader, item, true);
		if (err != B2B_OK)
			return err;
		b2b_graph_pop(reader, mark);
	}
	return check_tenants_differ(reader);
}

static enum b2b_err read_document(struct b2b_graph_reader *reader, json_t *root)
{
	static const struct b2b_graph_member rows[] = {
		{ "default", read_default, 0 },
		{ "partners", read_partners, 0 },
		{ "value", read_partners, 0 },
	};

	if (!json_is_object(root))
		return b2b_graph_fail(reader, "not a JSON object");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (b2b_graph_get(root, rows[i].name))
			return b2b_graph_walk(reader, root, rows, sizeof rows / sizeof *rows);
	return b2b_graph_read_entry(reader, root, false);
}

static enum b2b_err check_setting(const char **setting, struct b2b_error *error)
{
	if (!*setting)
		return B2B_OK;
	for (size_t i = 0; i < B2B_GRAPH_SETTINGS; i++)
		if (b2b_graph_is(b2b_str_of(*setting), b2b_graph_settings[i].name)) {
			*setting = b2b_graph_settings[i].name;
			return B2B_OK;
		}
	return b2b_error_set(error,
			     "\"%.80s\" is no setting; there are b2bCollaborationInbound, "
			     "b2bCollaborationOutbound, b2bDirectConnectInbound, "
			     "b2bDirectConnectOutbound",
			     *setting);
}

enum b2b_err b2b_graph_parse(const char *json, size_t json_bytes, json_t **root_r,
			     struct b2b_error *error)
{
	json_error_t where;
	char *clean;
	size_t clean_bytes;
	enum b2b_err err = b2b_graph_clean(json, json_bytes, &clean, &clean_bytes, error);

	if (err != B2B_OK)
		return err;
	*root_r = json_loadb(clean, clean_bytes, JSON_REJECT_DUPLICATES, &where);
	free(clean);
	if (*root_r)
		return B2B_OK;
	if (json_error_code(&where) == json_error_out_of_memory)
		return B2B_ERR_MEMORY;
	return b2b_error_set(error, "line %d, column %d: %s", where.line, where.column, where.text);
}

enum b2b_err b2b_graph_read(const char *json, size_t json_bytes, const char *setting,
			    struct b2b_graph **graph_r, struct b2b_error *error)
{
	struct b2b_graph_reader reader = { .setting = setting, .error = error };
	json_t *root = NULL;
	enum b2b_err err;

	*graph_r = NULL;
	if (error)
		error->text[0] = '\0';
	err = check_setting(&reader.setting, error);
	if (err == B2B_OK)
		err = b2b_graph_parse(json, json_bytes, &root, error);
	if (err != B2B_OK)
		return err;
	reader.graph = calloc(1, sizeof *reader.graph);
	err = reader.graph ? read_document(&reader, root) : B2B_ERR_MEMORY;
	if (err == B2B_OK && reader.setting && !reader.setting_used)
		err = b2b_graph_fail(&reader, "no member b2bSetting that could stand for %s",
				     reader.setting);
	b2b_graph_names_clear(&reader.users);
	json_decref(root);
	if (err != B2B_OK)
		b2b_graph_free(&reader.graph);
	*graph_r = reader.graph;
	return err;
}

void b2b_graph_free(struct b2b_graph **graph)
{
	struct b2b_graph *old = *graph;

	if (!old)
		return;
	for (size_t i = 0; i < old->count; i++) {
		struct b2b_graph_entry *entry = &old->entries[i];

		for (size_t j = 0; j < entry->count; j++) {
			for (size_t k = 0; k < entry->values[j].count; k++)
				free(entry->values[j].values[k]);
			free((void *)entry->values[j].values);
		}
		free(entry->values);
		free(entry->tenant_id);
	}
	free(old->entries);
	for (size_t i = 0; i < old->note_count; i++)
		free(old->notes[i]);
	free((void *)old->notes);
	free(old);
	*graph = NULL;
}
