/*
 * graph.h - Microsoft Graph cross-tenant access policy JSON, read and written.
 * In: a JSON text of foreign origin.  Out: policy entries as attribute values; and back.
 * Tolerant reader, strict writer.  Pure: the caller does the files and the directory.
 */
#ifndef B2B_GRAPH_H
#define B2B_GRAPH_H

#include "base.h"

#define B2B_GRAPH_MAX_BYTES (8u << 20)
#define B2B_GRAPH_MAX_DEPTH 32

/* One attribute to set; count 0: remove it (JSON null: back to inheriting). */
struct b2b_graph_value {
	enum b2b_attr attr;
	char **values;
	size_t count;
};

/* One policy entry: the default (tenant_id NULL) or a partner. */
struct b2b_graph_entry {
	char *tenant_id;
	struct b2b_graph_value *values;
	size_t count;
};

/* What was read.  notes: one line each for what cannot be honoured, "<JSON path>: <why>". */
struct b2b_graph {
	struct b2b_graph_entry *entries;
	size_t count;
	char **notes;
	size_t note_count;
};

/*
 * Reads a document: a bare default, a bare partner (it has tenantId), {"default":..,"partners":[..]}
 * or {"value":[..]}.  setting: what the member "b2bSetting" stands for (one of the four setting
 * names) or NULL.  On B2B_ERR_INVALID error names the JSON path or line, and *graph_r is NULL.
 * Caller frees with b2b_graph_free.
 */
enum b2b_err b2b_graph_read(const char *json, size_t json_bytes, const char *setting,
			    struct b2b_graph **graph_r, struct b2b_error *error);
void b2b_graph_free(struct b2b_graph **graph); /* sets NULL; accepts NULL */

/*
 * Writes strict Graph JSON, {"default":{..},"partners":[..]}, from policy entries (default_source
 * may be NULL).  *json_r: NUL-terminated, caller frees with free().
 */
enum b2b_err b2b_graph_write(const struct b2b_source *default_source,
			     const struct b2b_source *partners, size_t partner_count, char **json_r,
			     struct b2b_error *error);

#endif
