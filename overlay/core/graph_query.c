/*
 * graph_query.c - reads the queries of an access review: what is reviewed, and by whom.
 * In: Graph URLs such as "/groups/{id}/members" and "./manager" in objects of a definition.
 * Out: scope and reviewers in the entry at hand; notes on what is not known here.
 */
#include "graph_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define QUERY_MAX 2048
#define SEGMENTS_MAX 4

/* A query taken apart.  Segments point into text, which is in clear but for "?" and what follows. */
struct query {
	char text[QUERY_MAX + 1];
	char *segments[SEGMENTS_MAX];
	size_t count;  /* SEGMENTS_MAX + 1: more than there is room for */
	bool relative; /* "./..." */
	char *filter;  /* what follows '?', in lower case; empty: nothing */
};

static int hex_value(char c)
{
	c = b2b_lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes %XX and, in what follows '?', '+'; in place. */
static void decode(char *text, bool plus)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		char c = *from;

		if (c == '%' && hex_value(from[1]) >= 0 && hex_value(from[2]) >= 0 &&
		    (hex_value(from[1]) || hex_value(from[2]))) {
			c = (char)(hex_value(from[1]) * 16 + hex_value(from[2]));
			from += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		*to++ = c;
	}
	*to = '\0';
}

static bool starts_with(const char *text, const char *prefix)
{
	struct b2b_str head = { text, strlen(prefix) };

	return strlen(text) >= head.len && b2b_graph_is(head, prefix);
}

static char *skip_service(char *text)
{
	static const char *const prefixes[] = { "https://graph.microsoft.com", "/v1.0/", "/beta/" };

	for (size_t i = 0; i < COUNT(prefixes); i++)
		if (starts_with(text, prefixes[i]))
			text += strlen(prefixes[i]) - (i > 0);
	return text;
}

/* Casts ("microsoft.graph.user") say nothing that the query does not. */
static void split_path(struct query *query, char *path)
{
	char *rest = NULL;

	query->relative = starts_with(path, "./");
	if (query->relative)
		path += 2;
	for (char *part = strtok_r(path, "/", &rest); part; part = strtok_r(NULL, "/", &rest)) {
		if (starts_with(part, "microsoft.graph."))
			continue;
		if (query->count == SEGMENTS_MAX) {
			query->count++;
			return;
		}
		decode(part, false);
		query->segments[query->count++] = part;
	}
}

static enum b2b_err read_query(struct b2b_graph_reader *reader, json_t *object, struct query *query)
{
	json_t *value = b2b_graph_get(object, "query");
	size_t mark = b2b_graph_push(reader, "query", SIZE_MAX);
	struct b2b_str text;
	char *options;

	*query = (struct query){ .filter = query->text };
	if (!value || !b2b_graph_text(value, &text))
		return b2b_graph_fail(reader, "must be a text");
	if (!b2b_graph_is_value(text, QUERY_MAX))
		return b2b_graph_fail(reader,
				      "empty, longer than %d bytes, or with control "
				      "characters",
				      QUERY_MAX);
	memcpy(query->text, text.s, text.len);
	options = strchr(query->text, '?');
	if (options) {
		*options++ = '\0';
		decode(options, true);
		for (char *c = options; *c; c++)
			*c = b2b_lower(*c);
		query->filter = options;
	} else {
		query->filter = query->text + text.len; /* its NUL */
	}
	split_path(query, skip_service(query->text));
	b2b_graph_pop(reader, mark);
	return B2B_OK;
}

static bool is_path(const struct query *query, bool relative, size_t count, const char *last)
{
	return query->relative == relative && query->count == count &&
	       b2b_graph_is(b2b_str_of(query->segments[count - 1]), last);
}

static bool is_of(const struct query *query, const char *kind, size_t count)
{
	return !query->relative && query->count == count &&
	       b2b_graph_is(b2b_str_of(query->segments[0]), kind);
}

static bool names_members(const struct query *query, bool relative, size_t count)
{
	return is_path(query, relative, count, "members") ||
	       is_path(query, relative, count, "transitiveMembers");
}

/* Asks the caller what this one is called here.  *dn_r stays NULL where nobody knows. */
static enum b2b_err look_up(struct b2b_graph_reader *reader, const char *kind, const char *id,
			    char **dn_r)
{
	struct b2b_graph_review *review = reader->review;

	*dn_r = NULL;
	if (!review->map || !review->map(review->ctx, kind, id, dn_r))
		*dn_r = NULL;
	if (!*dn_r || b2b_graph_is_value(b2b_str_of(*dn_r), B2B_GRAPH_VALUE_MAX))
		return B2B_OK;
	free(*dn_r);
	*dn_r = NULL;
	return B2B_OK;
}

static enum b2b_err note_unknown(struct b2b_graph_reader *reader, const char *kind, const char *id,
				 const char *what_then)
{
	return b2b_graph_note(reader, "%s %.80s is not known here; its DN is wanted%s", kind, id,
			      what_then);
}

static enum b2b_err take_group(struct b2b_graph_reader *reader, const char *id)
{
	struct b2b_graph_review *review = reader->review;
	enum b2b_err err;
	char *dn;

	if (review->group_id[0]) {
		if (b2b_graph_is(b2b_str_of(id), review->group_id))
			return B2B_OK;
		return b2b_graph_fail(reader, "names another group than instanceEnumerationScope");
	}
	snprintf(review->group_id, sizeof review->group_id, "%s", id);
	err = look_up(reader, "group", id, &dn);
	if (err == B2B_OK && dn) {
		review->has_group = true;
		err = b2b_graph_put(reader->entry, B2B_ATTR_REVIEW_SCOPE_GROUP, dn);
	} else if (err == B2B_OK) {
		err = note_unknown(
			reader, "group", id,
			" (b2bReviewScopeGroup), for without it all guests are reviewed");
	}
	free(dn);
	return err;
}

/* Of options and filter all may go that only says "guests". */
static enum b2b_err note_filter(struct b2b_graph_reader *reader, const char *filter)
{
	static const char *const guests[] = {
		"$count=true", "usertype eq 'guest'", "$filter=", "(", ")", "&", " "
	};
	bool has_guests = strstr(filter, guests[1]) != NULL;

	while (*filter) {
		size_t known = 0;

		for (size_t i = 0; i < COUNT(guests) && !known; i++)
			if (starts_with(filter, guests[i]))
				known = strlen(guests[i]);
		if (!known)
			return b2b_graph_note(reader,
					      "what \"%.80s\" says is not imported; "
					      "b2bReviewScopeFilter may say it",
					      filter);
		filter += known;
	}
	if (has_guests)
		return B2B_OK;
	return b2b_graph_note(reader, "guests alone are reviewed, no members");
}

/* The groups of which each has a review of its own. */
static enum b2b_err take_enumeration(struct b2b_graph_reader *reader, const struct query *query)
{
	reader->review->enumerated = true;
	if (is_of(query, "groups", 1))
		return b2b_graph_note(
			reader, "is about many groups; each wants a definition with its "
				"b2bReviewScopeGroup, and without it all guests are reviewed");
	if (is_of(query, "groups", 2))
		return take_group(reader, query->segments[1]);
	return b2b_graph_fail(reader, "is not about groups");
}

static enum b2b_err take_scope(struct b2b_graph_reader *reader, const struct query *query)
{
	enum b2b_err err = B2B_OK;

	if (names_members(query, true, 1) && !reader->review->enumerated)
		return b2b_graph_fail(reader,
				      "is relative, and instanceEnumerationScope is missing");
	if (is_of(query, "groups", 3) && names_members(query, false, 3))
		err = take_group(reader, query->segments[1]);
	else if (!is_of(query, "users", 1) && !names_members(query, true, 1))
		return b2b_graph_fail(reader, "is not about users or the members of a group");
	return err == B2B_OK ? note_filter(reader, query->filter) : err;
}

static enum b2b_err read_inactive(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	struct b2b_str text;
	unsigned days;

	(void)arg;
	if (!b2b_graph_text(value, &text) || !b2b_graph_days_of(text, &days) || days == 0)
		return b2b_graph_fail(reader, "must be a duration such as P30D");
	return b2b_graph_put_number(reader->entry, B2B_ATTR_REVIEW_SCOPE_INACTIVE, days);
}

static bool is_typed(json_t *object, const char *type)
{
	struct b2b_str text;

	if (!b2b_graph_text(b2b_graph_get(object, "@odata.type"), &text))
		return false;
	if (text.len && text.s[0] == '#') {
		text.s++;
		text.len--;
	}
	return b2b_graph_is(text, type);
}

enum b2b_err b2b_graph_read_scope(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	static const struct b2b_graph_member rows[] = {
		{ "query", NULL, 0 },
		{ "queryType", NULL, 0 },
		{ "queryRoot", NULL, 0 },
		{ "inactiveDuration", read_inactive, 0 },
	};
	struct query query;
	enum b2b_err err;
	size_t mark;

	if (!json_is_object(value))
		return b2b_graph_fail(reader, "must be an object");
	if (is_typed(value, "microsoft.graph.principalResourceMembershipsScope"))
		return b2b_graph_fail(reader, "principalResourceMembershipsScope is not supported; "
					      "make a definition for each group");
	if (is_typed(value, "microsoft.graph.accessReviewInactiveUsersQueryScope") &&
	    !b2b_graph_get(value, "inactiveDuration"))
		return b2b_graph_fail(reader, "inactiveDuration is missing");
	err = b2b_graph_read_rows(reader, value, rows, COUNT(rows));
	if (err == B2B_OK)
		err = read_query(reader, value, &query);
	if (err != B2B_OK)
		return err;
	mark = b2b_graph_push(reader, "query", SIZE_MAX);
	err = arg ? take_enumeration(reader, &query) : take_scope(reader, &query);
	if (err == B2B_OK)
		b2b_graph_pop(reader, mark);
	return err;
}

static enum b2b_err add(struct b2b_graph_reader *reader, struct b2b_graph_people *people,
			const char *value)
{
	for (size_t i = 0; i < people->count; i++)
		if (strcmp(people->values[i], value) == 0)
			return B2B_OK;
	if (people->count == B2B_GRAPH_REVIEWERS_MAX)
		return b2b_graph_fail(reader, "more than %d people", B2B_GRAPH_REVIEWERS_MAX);
	people->values[people->count] = strdup(value);
	if (!people->values[people->count])
		return B2B_ERR_MEMORY;
	people->count++;
	return B2B_OK;
}

enum b2b_err b2b_graph_add_reviewer(struct b2b_graph_reader *reader, const char *word)
{
	char value[B2B_GRAPH_VALUE_MAX + 16];

	snprintf(value, sizeof value, "{%u}%s", reader->review->stage, word);
	return add(reader, &reader->review->by, value);
}

/* Whose word it is that a relative query leads to; NULL: it is not one of ours. */
static const char *word_of(const struct query *query, const struct b2b_graph_review *review)
{
	static const char *const words[][2] = { { "owners", "owner" },
						{ "manager", "manager" },
						{ "sponsors", "sponsor" },
						{ "sponsor", "sponsor" } };

	for (size_t i = 0; i < COUNT(words); i++)
		if (is_path(query, true, 1, words[i][0]))
			return words[i][1];
	/* the owners of the very group under review */
	if (is_of(query, "groups", 3) && is_path(query, false, 3, "owners") &&
	    review->group_id[0] && b2b_graph_is(b2b_str_of(query->segments[1]), review->group_id))
		return "owner";
	return NULL;
}

/* A person or the members of a group; NULL: it names neither. */
static const char *kind_of(const struct query *query)
{
	if (is_of(query, "users", 2))
		return "user";
	if (is_of(query, "groups", 2) ||
	    (is_of(query, "groups", 3) && names_members(query, false, 3)))
		return "group";
	return NULL;
}

static enum b2b_err take_reviewer(struct b2b_graph_reader *reader, const struct query *query,
				  bool fallback)
{
	struct b2b_graph_review *review = reader->review;
	const char *word = fallback ? NULL : word_of(query, review), *kind = kind_of(query);
	enum b2b_err err;
	char *dn;

	if (word) {
		review->owners = review->owners || strcmp(word, "owner") == 0;
		return b2b_graph_add_reviewer(reader, word);
	}
	if (!kind)
		return b2b_graph_note(reader, "is not understood, not imported");
	err = look_up(reader, kind, query->segments[1], &dn);
	if (err == B2B_OK && !dn)
		err = note_unknown(reader, kind, query->segments[1],
				   fallback ? " (b2bReviewFallback)" : " (b2bReviewBy)");
	else if (err == B2B_OK)
		err = fallback ? add(reader, &review->fallback, dn)
			       : b2b_graph_add_reviewer(reader, dn);
	free(dn);
	return err;
}

enum b2b_err b2b_graph_read_reviewers(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	static const struct b2b_graph_member rows[] = {
		{ "query", NULL, 0 },
		{ "queryType", NULL, 0 },
		{ "queryRoot", NULL, 0 },
	};
	size_t index;
	json_t *item;

	if (!json_is_array(value))
		return b2b_graph_fail(reader, "must be a list");
	json_array_foreach (value, index, item) {
		size_t mark = b2b_graph_push(reader, NULL, index);
		struct query query;
		enum b2b_err err = b2b_graph_read_rows(reader, item, rows, COUNT(rows));

		if (err == B2B_OK)
			err = read_query(reader, item, &query);
		if (err != B2B_OK)
			return err;
		b2b_graph_push(reader, "query", SIZE_MAX);
		err = take_reviewer(reader, &query, arg == 1);
		if (err != B2B_OK)
			return err;
		b2b_graph_pop(reader, mark);
	}
	return B2B_OK;
}
