/*
 * graph_review.c - reads Microsoft Graph's accessReviewScheduleDefinition.
 * In: JSON text of foreign origin, made strict by graph_clean.c.
 * Out: entries of b2bReviewDefinition's attributes, and notes on what they cannot say.
 */
#include "graph_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TEXT_MAX 4096 /* bytes of b2bReviewInstructions, as in the schema */
#define STAGES_MAX 3

bool b2b_graph_text(json_t *value, struct b2b_str *text_r)
{
	if (!json_is_string(value))
		return false;
	*text_r = b2b_graph_trim(json_string_value(value), json_string_length(value));
	return true;
}

enum b2b_err b2b_graph_put_number(struct b2b_graph_entry *entry, enum b2b_attr attr,
				  unsigned number)
{
	char text[16];

	snprintf(text, sizeof text, "%u", number);
	return b2b_graph_put(entry, attr, text);
}

enum b2b_err b2b_graph_read_rows(struct b2b_graph_reader *reader, json_t *object,
				 const struct b2b_graph_member *rows, size_t row_count)
{
	struct b2b_graph_member known[32] = { { NULL, NULL, 0 } };
	enum b2b_err err;

	if (!json_is_object(object))
		return b2b_graph_fail(reader, "must be an object");
	for (size_t i = 0; i < row_count; i++)
		known[i].name = rows[i].name;
	err = b2b_graph_walk(reader, object, known, row_count);
	for (size_t i = 0; i < row_count && err == B2B_OK; i++) {
		json_t *value = rows[i].read ? b2b_graph_get(object, rows[i].name) : NULL;
		size_t mark;

		if (!value || json_is_null(value))
			continue;
		mark = b2b_graph_push(reader, rows[i].name, SIZE_MAX);
		err = rows[i].read(reader, value, rows[i].arg);
		if (err == B2B_OK)
			b2b_graph_pop(reader, mark);
	}
	return err;
}

/* A text of several lines becomes one of one line. */
static enum b2b_err read_text(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	struct b2b_str text;
	enum b2b_err err;
	char *line;

	if (!b2b_graph_text(value, &text))
		return b2b_graph_fail(reader, "must be a text");
	if (text.len == 0 && arg != B2B_ATTR_CN)
		return B2B_OK;
	line = b2b_str_dup(text);
	if (!line)
		return B2B_ERR_MEMORY;
	for (char *c = line; *c; c++)
		if (*c == '\n' || *c == '\r' || *c == '\t')
			*c = ' ';
	if (b2b_graph_is_value(b2b_str_of(line), arg == B2B_ATTR_CN ? 256 : TEXT_MAX))
		err = b2b_graph_put(reader->entry, (enum b2b_attr)arg, line);
	else
		err = b2b_graph_fail(reader,
				     "empty, longer than %d bytes, or with control "
				     "characters",
				     arg == B2B_ATTR_CN ? 256 : TEXT_MAX);
	free(line);
	return err;
}

static enum b2b_err read_recipients(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	(void)arg;
	if (json_is_array(value) && json_array_size(value) == 0)
		return B2B_OK;
	return b2b_graph_note(reader, "reviewers alone are told, not imported");
}

/* Nobody named: everybody reviews itself. */
static enum b2b_err self_if_none(struct b2b_graph_reader *reader, json_t *object)
{
	json_t *reviewers = b2b_graph_get(object, "reviewers");

	if (json_is_array(reviewers) && json_array_size(reviewers) > 0)
		return B2B_OK;
	if (reviewers && !json_is_null(reviewers) && !json_is_array(reviewers))
		return B2B_OK; /* read_reviewers has refused it */
	return b2b_graph_add_reviewer(reader, "self");
}

static bool has_reviewer(const struct b2b_graph_review *review)
{
	char prefix[16];

	snprintf(prefix, sizeof prefix, "{%u}", review->stage);
	for (size_t i = 0; i < review->by.count; i++)
		if (strncmp(review->by.values[i], prefix, strlen(prefix)) == 0)
			return true;
	return false;
}

static enum b2b_err check_reviewers(struct b2b_graph_reader *reader)
{
	if (has_reviewer(reader->review))
		return B2B_OK;
	if (reader->review->has_stages)
		return b2b_graph_fail(reader,
				      "no reviewer is left, for none of them is known here");
	return b2b_graph_fail(reader, "reviewers: no reviewer is left, for none of them is known "
				      "here");
}

static enum b2b_err read_moving(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	(void)arg;
	if (json_is_array(value) && json_array_size(value) == 0)
		return B2B_OK;
	return b2b_graph_note(reader, "every guest goes on to the next stage, not imported");
}

static enum b2b_err note_of_stage(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	(void)value, (void)arg;
	return b2b_graph_note(reader, "is one for all stages, not imported");
}

static enum b2b_err read_stage(struct b2b_graph_reader *reader, json_t *value)
{
	static const struct b2b_graph_member rows[] = {
		{ "stageId", NULL, 0 },
		{ "dependsOn", NULL, 0 },
		{ "reviewers", b2b_graph_read_reviewers, 0 },
		{ "fallbackReviewers", b2b_graph_read_reviewers, 1 },
		{ "durationInDays", b2b_graph_read_duration, 1 },
		{ "recommendationsEnabled", NULL, 0 },
		{ "recommendationLookBackDuration", note_of_stage, 0 },
		{ "recommendationInsightsSettings", note_of_stage, 0 },
		{ "recommendationInsightSettings", note_of_stage, 0 },
		{ "decisionsThatWillMoveToNextStage", read_moving, 0 },
	};
	enum b2b_err err = b2b_graph_read_rows(reader, value, rows, COUNT(rows));

	if (err == B2B_OK)
		err = self_if_none(reader, value);
	return err == B2B_OK ? check_reviewers(reader) : err;
}

static enum b2b_err read_stages(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	size_t index;
	json_t *item;

	(void)arg;
	if (!json_is_array(value))
		return b2b_graph_fail(reader, "must be a list");
	if (json_array_size(value) > STAGES_MAX)
		return b2b_graph_fail(reader, "more than %d stages", STAGES_MAX);
	json_array_foreach (value, index, item) {
		size_t mark = b2b_graph_push(reader, NULL, index);
		enum b2b_err err;

		reader->review->has_stages = true;
		reader->review->stage = (unsigned)index;
		err = read_stage(reader, item);
		if (err != B2B_OK)
			return err;
		b2b_graph_pop(reader, mark);
	}
	reader->review->stage = 0;
	return B2B_OK;
}

/* Where there are stages their reviewers are asked, and these not. */
static enum b2b_err read_own_reviewers(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	if (!reader->review->has_stages)
		return b2b_graph_read_reviewers(reader, value, arg);
	if (json_is_array(value) && json_array_size(value) == 0)
		return B2B_OK;
	return b2b_graph_note(reader, "the reviewers of the stages are asked, not imported");
}

/* Moves the people into the entry. */
static enum b2b_err put_people(struct b2b_graph_entry *entry, enum b2b_attr attr,
			       struct b2b_graph_people *people)
{
	struct b2b_graph_value *value;

	if (people->count == 0)
		return B2B_OK;
	value = b2b_graph_set(entry, attr, people->count);
	if (!value)
		return B2B_ERR_MEMORY;
	for (; value->count < people->count; value->count++) {
		value->values[value->count] = people->values[value->count];
		people->values[value->count] = NULL;
	}
	people->count = 0;
	return B2B_OK;
}

/* Reminders are sent when half of the time is over. */
static enum b2b_err finish(struct b2b_graph_reader *reader)
{
	struct b2b_graph_review *review = reader->review;
	unsigned days = review->days ? review->days : 14;
	enum b2b_err err = B2B_OK;

	if (review->owners && !review->has_group)
		err = b2b_graph_note(reader,
				     "reviewers: owners are those of the group under review, "
				     "so b2bReviewScopeGroup is wanted");
	if (err == B2B_OK && review->days)
		err = b2b_graph_put_number(reader->entry, B2B_ATTR_REVIEW_DURATION, days);
	if (err == B2B_OK && review->remind && days > 1)
		err = b2b_graph_put_number(reader->entry, B2B_ATTR_REVIEW_REMINDER, days / 2);
	if (err == B2B_OK)
		err = put_people(reader->entry, B2B_ATTR_REVIEW_BY, &review->by);
	if (err == B2B_OK)
		err = put_people(reader->entry, B2B_ATTR_REVIEW_FALLBACK, &review->fallback);
	return err;
}

static void clear_people(struct b2b_graph_people *people)
{
	for (size_t i = 0; i < people->count; i++)
		free(people->values[i]);
	people->count = 0;
}

static enum b2b_err read_members(struct b2b_graph_reader *reader, json_t *object)
{
	static const struct b2b_graph_member rows[] = {
		{ "displayName", read_text, B2B_ATTR_CN },
		{ "descriptionForAdmins", read_text, B2B_ATTR_DESCRIPTION },
		{ "descriptionForReviewers", read_text, B2B_ATTR_REVIEW_INSTRUCTIONS },
		{ "instanceEnumerationScope", b2b_graph_read_scope, 1 },
		{ "scope", b2b_graph_read_scope, 0 },
		{ "stageSettings", read_stages, 0 },
		{ "reviewers", read_own_reviewers, 0 },
		{ "fallbackReviewers", b2b_graph_read_reviewers, 1 },
		{ "backupReviewers", b2b_graph_read_reviewers, 1 },
		{ "settings", b2b_graph_read_settings, 0 },
		{ "additionalNotificationRecipients", read_recipients, 0 },
		{ "id", NULL, 0 },
		{ "status", NULL, 0 },
		{ "createdBy", NULL, 0 },
		{ "createdDateTime", NULL, 0 },
		{ "lastModifiedDateTime", NULL, 0 },
		{ "instances", NULL, 0 },
	};
	static const char *const needed[] = { "displayName", "scope" };
	enum b2b_err err;

	for (size_t i = 0; i < COUNT(needed); i++) {
		json_t *value = b2b_graph_get(object, needed[i]);

		if (!value || json_is_null(value))
			return b2b_graph_fail(reader,
					      "%s is missing; not an access review definition",
					      needed[i]);
	}
	err = b2b_graph_read_rows(reader, object, rows, COUNT(rows));
	if (err == B2B_OK && !reader->review->has_stages) {
		err = self_if_none(reader, object);
		if (err == B2B_OK)
			err = check_reviewers(reader);
	}
	return err == B2B_OK ? finish(reader) : err;
}

static enum b2b_err read_definition(struct b2b_graph_reader *reader, json_t *object)
{
	const struct b2b_graph_review fresh = { .map = reader->review->map,
						.ctx = reader->review->ctx };
	enum b2b_err err;

	if (!json_is_object(object))
		return b2b_graph_fail(reader, "not a JSON object");
	err = b2b_graph_new_entry(reader);
	if (err != B2B_OK)
		return err;
	*reader->review = fresh;
	err = read_members(reader, object);
	clear_people(&reader->review->by);
	clear_people(&reader->review->fallback);
	return err;
}

static enum b2b_err read_list(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	size_t index;
	json_t *item;

	(void)arg;
	if (!json_is_array(value))
		return b2b_graph_fail(reader, "must be a list");
	json_array_foreach (value, index, item) {
		size_t mark = b2b_graph_push(reader, NULL, index);
		enum b2b_err err = read_definition(reader, item);

		if (err != B2B_OK)
			return err;
		b2b_graph_pop(reader, mark);
	}
	return B2B_OK;
}

enum b2b_err b2b_graph_review_read(const char *json, size_t json_bytes, b2b_graph_map *map,
				   void *ctx, struct b2b_graph **graph_r, struct b2b_error *error)
{
	static const struct b2b_graph_member rows[] = { { "value", read_list, 0 } };
	struct b2b_graph_review review = { .map = map, .ctx = ctx };
	struct b2b_graph_reader reader = { .error = error, .review = &review };
	json_t *root = NULL;
	enum b2b_err err;

	*graph_r = NULL;
	if (error)
		error->text[0] = '\0';
	err = b2b_graph_parse(json, json_bytes, &root, error);
	if (err != B2B_OK)
		return err;
	reader.graph = calloc(1, sizeof *reader.graph);
	if (!reader.graph)
		err = B2B_ERR_MEMORY;
	else if (json_is_object(root) && b2b_graph_get(root, "value"))
		err = b2b_graph_read_rows(&reader, root, rows, COUNT(rows));
	else
		err = read_definition(&reader, root);
	json_decref(root);
	if (err != B2B_OK && reader.graph)
		b2b_graph_free(&reader.graph);
	*graph_r = reader.graph;
	return err;
}
