/*
 * fuzz_graph.c - feeds foreign bytes to the Graph JSON reader, and what it takes to the writer.
 * In: libFuzzer's bytes, or files named as arguments where B2B_FUZZ_REPLAY is defined.
 * Out: nothing but a crash, where there is one.
 */
#include "graph.h"
#include "fuzz_main.h"

static bool entry_value(const void *entry, enum b2b_attr attr, size_t index,
			struct b2b_str *value_r)
{
	const struct b2b_graph_entry *from = entry;

	if (attr == B2B_ATTR_TENANT_ID && from->tenant_id && index == 0) {
		*value_r = (struct b2b_str){ from->tenant_id, __builtin_strlen(from->tenant_id) };
		return true;
	}
	for (size_t i = 0; i < from->count; i++)
		if (from->values[i].attr == attr && index < from->values[i].count) {
			const char *value = from->values[i].values[index];

			*value_r = (struct b2b_str){ value, __builtin_strlen(value) };
			return true;
		}
	return false;
}

/* Whatever was taken can be written, and the text is taken again. */
static void write_back(const struct b2b_graph *graph)
{
	struct b2b_graph *again = NULL;
	struct b2b_error error;
	char *json = NULL;

	for (size_t i = 0; i < graph->count; i++) {
		struct b2b_source source = { "cn=x", &graph->entries[i], entry_value };
		bool partner = graph->entries[i].tenant_id != NULL;

		if (b2b_graph_write(partner ? NULL : &source, &source, partner, &json, &error) !=
			    B2B_OK ||
		    b2b_graph_read(json, __builtin_strlen(json), NULL, &again, &error) != B2B_OK) {
			fprintf(stderr, "%s\n%s\n", error.text, json ? json : "");
			abort();
		}
		free(json);
		b2b_graph_free(&again);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const char *const settings[] = { NULL, "b2bCollaborationInbound" };
	struct b2b_graph *graph = NULL;
	struct b2b_error error;

	for (int i = 0; i < 2; i++) {
		if (b2b_graph_read((const char *)data, bytes, settings[i], &graph, &error) ==
		    B2B_OK)
			write_back(graph);
		else if (graph)
			abort();
		b2b_graph_free(&graph);
	}
	return 0;
}
