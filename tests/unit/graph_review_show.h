/*
 * graph_review_show.h - reads Graph's access reviews and compares what came out, for the unit tests.
 * In: JSON texts, and what is expected of them.
 * Out: checks that fail; included once by each check program on graph_review.c and its parts.
 */
#ifndef B2B_TEST_GRAPH_REVIEW_SHOW_H
#define B2B_TEST_GRAPH_REVIEW_SHOW_H

#include "graph_show.h"

/* What this directory calls one user and one group. */
static inline bool map_some(void *ctx, const char *kind, const char *id, char **dn_r)
{
	(void)ctx;
	if (strcmp(kind, "user") == 0 && strcmp(id, "fc9a2c2b-1ddc-486d-a211-5fe8ca77fa1f") == 0)
		*dn_r = strdup("uid=fay,ou=people,dc=ours");
	else if (strcmp(kind, "group") == 0 && strcmp(id, "g-1") == 0)
		*dn_r = strdup("cn=wiki,ou=groups,dc=ours");
	else if (strcmp(id, "broken") == 0)
		*dn_r = strdup("cn=a\nb2bReviewBy: self");
	else
		return false;
	return true;
}

static inline struct b2b_graph *read_review(const char *json, size_t bytes, b2b_graph_map *map)
{
	struct b2b_graph *graph = NULL;
	struct b2b_error error;
	enum b2b_err err = b2b_graph_review_read(json, bytes, map, NULL, &graph, &error);

	ck_assert_msg(err == B2B_OK, "%.200s: %s", json, error.text);
	ck_assert_ptr_nonnull(graph);
	return graph;
}

static inline bool has_note(const struct b2b_graph *graph, const char *words)
{
	for (size_t i = 0; i < graph->note_count; i++)
		if (strstr(graph->notes[i], words))
			return true;
	return false;
}

static inline void expect_review(const char *json, const char *wanted, const char *const *notes)
{
	struct b2b_graph *graph = read_review(json, strlen(json), map_some);
	size_t count = 0;

	ck_assert_str_eq(show(graph, true), wanted);
	for (; notes && notes[count]; count++)
		ck_assert_msg(has_note(graph, notes[count]), "%s: no note %s, first: %s", json,
			      notes[count], graph->note_count ? graph->notes[0] : "");
	ck_assert_msg(graph->note_count == count, "%s: %zu notes, last: %s", json,
		      graph->note_count,
		      graph->note_count ? graph->notes[graph->note_count - 1] : "");
	b2b_graph_free(&graph);
}

static inline void refuse_review(const char *json, const char *words)
{
	struct b2b_graph *graph = (void *)1;
	struct b2b_error error;

	ck_assert_msg(b2b_graph_review_read(json, strlen(json), map_some, NULL, &graph, &error) ==
			      B2B_ERR_INVALID,
		      "taken: %.300s", json);
	ck_assert_ptr_null(graph);
	ck_assert_msg(strstr(error.text, words) != NULL, "\"%s\" is not in \"%s\"", words,
		      error.text);
}

#define USERS "\"scope\":{\"query\":\"/users?$filter=userType eq 'Guest'\"}"
#define BASE(rest) "{\"displayName\":\"R\"," USERS rest "}"
#define SELF "[default]\nb2bReviewBy: {0}self\n"

#endif
