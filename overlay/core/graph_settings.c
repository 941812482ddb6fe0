/*
 * graph_settings.c - reads the settings of an access review: how long, what silence and denials mean.
 * In: accessReviewScheduleSettings.
 * Out: attributes of the entry at hand; notes on what is always so here.
 */
#include "graph_parts.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define DAYS_MAX 366u /* of a stage */

/* arg 1: of a stage.  One length for all, so the longest. */
enum b2b_err b2b_graph_read_duration(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	struct b2b_graph_review *review = reader->review;
	unsigned days;
	enum b2b_err err;

	if (!arg && review->has_stages && review->days)
		return B2B_OK; /* theirs count */
	err = b2b_graph_number(reader, value, DAYS_MAX, &days);
	if (err != B2B_OK)
		return err;
	if (review->days && days != review->days)
		err = b2b_graph_note(reader, "all stages have the length of the longest");
	if (days > review->days)
		review->days = days;
	return err;
}

static enum b2b_err read_flag(struct b2b_graph_reader *reader, json_t *value, bool *flag_r)
{
	*flag_r = json_is_true(value);
	if (!json_is_boolean(value))
		return b2b_graph_fail(reader, "must be true, false or null");
	return B2B_OK;
}

/* What is always so here. */
static enum b2b_err read_always(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	static const char *const notes[] = {
		"reviewers are always asked by mail",
		"decisions are always applied when the review ends",
	};
	bool flag;
	enum b2b_err err = read_flag(reader, value, &flag);

	return err == B2B_OK && !flag ? b2b_graph_note(reader, "%s", notes[arg]) : err;
}

static enum b2b_err read_remind(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	(void)arg;
	return read_flag(reader, value, &reader->review->remind);
}

static enum b2b_err read_justify(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	bool flag;
	enum b2b_err err = read_flag(reader, value, &flag);

	(void)arg;
	return err == B2B_OK ? b2b_graph_put(reader->entry, B2B_ATTR_REVIEW_JUSTIFY,
					     flag ? "TRUE" : "FALSE")
			     : err;
}

/* Without a default decision whoever was not reviewed keeps access. */
static enum b2b_err read_silence(struct b2b_graph_reader *reader, json_t *object)
{
	static const char *const decisions[] = { "Deny", "Approve", "Recommendation" };
	json_t *enabled = b2b_graph_get(object, "defaultDecisionEnabled");
	json_t *value = b2b_graph_get(object, "defaultDecision");
	size_t mark = reader->at_len;
	struct b2b_str word;

	if (enabled && !json_is_boolean(enabled) && !json_is_null(enabled)) {
		b2b_graph_push(reader, "defaultDecisionEnabled", SIZE_MAX);
		return b2b_graph_fail(reader, "must be true, false or null");
	}
	if (!json_is_boolean(enabled))
		return B2B_OK; /* the document does not say: silence denies */
	b2b_graph_push(reader, "defaultDecision", SIZE_MAX);
	if (json_is_true(enabled)) {
		if (!b2b_graph_text(value, &word))
			return b2b_graph_fail(reader, "must be Approve, Deny or Recommendation");
		for (size_t i = 0; i < COUNT(decisions); i++) {
			if (!b2b_graph_is(word, decisions[i]))
				continue;
			b2b_graph_pop(reader, mark);
			return b2b_graph_put(reader->entry, B2B_ATTR_REVIEW_DEFAULT, decisions[i]);
		}
		if (!b2b_graph_is(word, "None"))
			return b2b_graph_fail(reader, "must be Approve, Deny or Recommendation");
	}
	b2b_graph_pop(reader, mark);
	if (b2b_graph_note(reader, "there is no default decision, so silence approves") != B2B_OK)
		return B2B_ERR_MEMORY;
	return b2b_graph_put(reader->entry, B2B_ATTR_REVIEW_DEFAULT, "Approve");
}

static enum b2b_err read_recommend(struct b2b_graph_reader *reader, json_t *object)
{
	json_t *enabled = b2b_graph_get(object, "recommendationsEnabled");
	json_t *back = b2b_graph_get(object, "recommendationLookBackDuration");
	struct b2b_str text;
	unsigned days;

	if (enabled && !json_is_boolean(enabled) && !json_is_null(enabled)) {
		b2b_graph_push(reader, "recommendationsEnabled", SIZE_MAX);
		return b2b_graph_fail(reader, "must be true, false or null");
	}
	if (json_is_false(enabled))
		return b2b_graph_put(reader->entry, B2B_ATTR_REVIEW_RECOMMEND, "0");
	if (!back || json_is_null(back))
		return B2B_OK;
	if (!b2b_graph_text(back, &text) || !b2b_graph_days_of(text, &days) || days == 0) {
		b2b_graph_push(reader, "recommendationLookBackDuration", SIZE_MAX);
		return b2b_graph_fail(reader, "must be a duration such as P30D");
	}
	return b2b_graph_put_number(reader->entry, B2B_ATTR_REVIEW_RECOMMEND, days);
}

static enum b2b_err read_insights(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	(void)arg;
	if (json_is_array(value) && json_array_size(value) == 0)
		return B2B_OK;
	return b2b_graph_note(reader, "the last sign-in is what recommends, not imported");
}

static enum b2b_err read_action(struct b2b_graph_reader *reader, json_t *action)
{
	json_t *type = b2b_graph_get(action, "@odata.type");
	struct b2b_str name;

	if (!b2b_graph_text(type, &name))
		return b2b_graph_fail(reader, "has no @odata.type");
	if (name.len && name.s[0] == '#') {
		name.s++;
		name.len--;
	}
	if (b2b_graph_is(name, "microsoft.graph.disableAndDeleteUserApplyAction"))
		return b2b_graph_put(reader->entry, B2B_ATTR_REVIEW_ON_DENY, "delete");
	if (!b2b_graph_is(name, "microsoft.graph.removeAccessApplyAction"))
		return b2b_graph_note(reader, "not known, not imported");
	if (reader->review->has_group)
		return b2b_graph_put(reader->entry, B2B_ATTR_REVIEW_ON_DENY, "remove");
	return b2b_graph_note(reader, "there is no group to be removed from, so a denial disables");
}

static enum b2b_err read_actions(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	enum b2b_err err;
	size_t mark;

	(void)arg;
	if (!json_is_array(value))
		return b2b_graph_fail(reader, "must be a list");
	if (json_array_size(value) == 0)
		return B2B_OK;
	if (json_array_size(value) > 1)
		return b2b_graph_fail(reader, "more than one action");
	mark = b2b_graph_push(reader, NULL, 0);
	if (!json_is_object(json_array_get(value, 0)))
		return b2b_graph_fail(reader, "must be an object");
	err = read_action(reader, json_array_get(value, 0));
	if (err == B2B_OK)
		b2b_graph_pop(reader, mark);
	return err;
}

enum b2b_err b2b_graph_read_settings(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	static const struct b2b_graph_member rows[] = {
		{ "mailNotificationsEnabled", read_always, 0 },
		{ "autoApplyDecisionsEnabled", read_always, 1 },
		{ "reminderNotificationsEnabled", read_remind, 0 },
		{ "justificationRequiredOnApproval", read_justify, 0 },
		{ "instanceDurationInDays", b2b_graph_read_duration, 0 },
		{ "recurrence", b2b_graph_read_recurrence, 0 },
		{ "applyActions", read_actions, 0 },
		{ "recommendationInsightSettings", read_insights, 0 },
		{ "defaultDecisionEnabled", NULL, 0 },
		{ "defaultDecision", NULL, 0 },
		{ "recommendationsEnabled", NULL, 0 },
		{ "recommendationLookBackDuration", NULL, 0 },
		{ "decisionHistoriesForReviewersEnabled", NULL, 0 },
	};
	enum b2b_err err = b2b_graph_read_rows(reader, value, rows, COUNT(rows));

	(void)arg;
	if (err == B2B_OK)
		err = read_silence(reader, value);
	return err == B2B_OK ? read_recommend(reader, value) : err;
}
