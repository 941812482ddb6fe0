/*
 * graph.h - Microsoft Graph JSON: cross-tenant access policies, read and written; access reviews, read.
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

/* One policy entry: the default (tenant_id NULL) or a partner; or a review definition (NULL). */
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

/* What a person or a group of the document is called here.  kind: "user" or "group"; id: as the
 * document has it.  True: *dn_r is its DN, on the heap, which the reader frees. */
typedef bool b2b_graph_map(void *ctx, const char *kind, const char *id, char **dn_r);

/*
 * Reads an accessReviewScheduleDefinition, or {"value":[..]} with several.  Each becomes an entry of
 * b2bReviewDefinition's attributes: cn (displayName), description (descriptionForAdmins), b2bReviewBy
 * ("{stage}sponsor", "{stage}<DN>", ...), and so on; what the document leaves out is left out.
 * map (may be NULL) is asked for every user and group that a query names by id; one that stays unknown
 * is a note with the JSON path.  All that cannot be honoured is a note.  A definition of which no
 * reviewer is left is B2B_ERR_INVALID, as a malformed document is, and *graph_r is NULL.
 */
enum b2b_err b2b_graph_review_read(const char *json, size_t json_bytes, b2b_graph_map *map,
				   void *ctx, struct b2b_graph **graph_r, struct b2b_error *error);

#endif
