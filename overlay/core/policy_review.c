/*
 * policy_review.c - access review definitions: whose access, reviewed by whom, how often.
 * In: a b2bReviewDefinition entry.
 * Out: struct b2b_review_policy (review.h); refused is what nobody could answer or carry out.
 */
#include "policy_parts.h"
#include "review.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define DURATION_DAYS 14u /* where the entry says nothing, as for reviews of single guests */
#define RECOMMEND_DAYS 30u
#define DAYS_MAX 366u
#define OCCURRENCES_MAX 9999u

/* Refuses the attribute's first value. */
static void refuse_first(struct b2b_reader *reader, enum b2b_attr attr, const char *what)
{
	struct b2b_str value = { 0 };

	reader->source->value(reader->source->entry, attr, 0, &value);
	b2b_read_refuse(reader, attr, value, what);
}

/* --- scope --- */

static void read_scope(struct b2b_reader *reader, struct b2b_review_policy *policy)
{
	b2b_read_text(reader, B2B_ATTR_REVIEW_SCOPE_BASE, &policy->scope_base);
	b2b_read_text(reader, B2B_ATTR_REVIEW_SCOPE_GROUP, &policy->scope_group);
	b2b_read_text(reader, B2B_ATTR_REVIEW_SCOPE_FILTER, &policy->scope_filter);
	b2b_read_list(reader, B2B_ATTR_REVIEW_SCOPE_PARTNER, &policy->scope_partners.list,
		      &policy->scope_partners.count);
	for (size_t i = 0; i < policy->scope_partners.count; i++)
		for (char *c = policy->scope_partners.list[i]; *c; c++)
			*c = b2b_lower(*c);
	b2b_read_days(reader, B2B_ATTR_REVIEW_SCOPE_INACTIVE, &policy->scope_inactive_days);
}

/* --- reviewers --- */

static unsigned kind_of(struct b2b_str value)
{
	static const struct b2b_word kinds[] = { { "sponsor", B2B_BY_SPONSOR },
						 { "manager", B2B_BY_MANAGER },
						 { "owner", B2B_BY_OWNER },
						 { "self", B2B_BY_SELF } };

	for (size_t i = 0; i < COUNT(kinds); i++)
		if (b2b_str_equal_nocase(value, b2b_str_of(kinds[i].text)))
			return (unsigned)kinds[i].value;
	return 0;
}

static void read_reviewer(struct b2b_reader *reader, const struct b2b_ordered *value,
			  struct b2b_review_policy *policy)
{
	const enum b2b_attr attr = B2B_ATTR_REVIEW_BY;
	unsigned kind = kind_of(value->rest), stage = value->prefixed ? value->index : 0;

	if (stage >= B2B_REVIEW_STAGES) {
		b2b_read_refuse(reader, attr, value->value, "names none of the stages 0, 1 and 2");
		return;
	}
	/* they come in order */
	if (stage > policy->stage_count)
		b2b_read_refuse(reader, attr, value->value,
				"leaves a gap: no value names the stage before");
	policy->stage_count = stage + 1;
	if (kind == B2B_BY_OWNER && !policy->scope_group)
		b2b_read_refuse(reader, attr, value->value, "needs a b2bReviewScopeGroup");
	if (kind)
		policy->stages[stage].kinds |= kind;
	else if (memchr(value->rest.s, '=', value->rest.len))
		b2b_read_append(reader, value->rest, &policy->stages[stage].reviewers.list,
				&policy->stages[stage].reviewers.count);
	else
		b2b_read_refuse(reader, attr, value->value,
				"is neither sponsor, manager, owner, self nor a DN");
}

static void read_reviewers(struct b2b_reader *reader, struct b2b_review_policy *policy)
{
	const struct b2b_str none = { 0 };
	struct b2b_ordered *list;
	size_t count;

	b2b_read_ordered(reader, B2B_ATTR_REVIEW_BY, &list, &count);
	for (size_t i = 0; i < count; i++) {
		if (list[i].prefixed != list[0].prefixed)
			b2b_read_refuse(reader, B2B_ATTR_REVIEW_BY, list[i].value,
					"has no {n} prefix, and others have one");
		else
			read_reviewer(reader, &list[i], policy);
	}
	if (count == 0)
		b2b_read_refuse(reader, B2B_ATTR_REVIEW_BY, none, "is missing");
	free(list);
	b2b_policy_read_dns(reader, B2B_ATTR_REVIEW_FALLBACK, &policy->fallback.list,
			    &policy->fallback.count);
}

/* --- calendar --- */

static void read_recurrence(struct b2b_reader *reader, struct b2b_review_policy *policy)
{
	static const struct b2b_word units[] = { { "days=", B2B_EVERY_DAYS },
						 { "weeks=", B2B_EVERY_WEEKS },
						 { "months=", B2B_EVERY_MONTHS } };
	const enum b2b_attr attr = B2B_ATTR_REVIEW_RECURRENCE;
	struct b2b_str value;

	if (!b2b_read_one(reader, attr, &value) || b2b_str_equal_nocase(value, b2b_str_of("once")))
		return;
	for (size_t i = 0; i < COUNT(units); i++) {
		struct b2b_str head = value, unit = b2b_str_of(units[i].text), rest;

		if (value.len <= unit.len)
			continue;
		head.len = unit.len;
		rest.s = value.s + unit.len;
		rest.len = value.len - unit.len;
		if (!b2b_str_equal_nocase(head, unit) ||
		    b2b_number_parse(rest, 1, DAYS_MAX, &policy->every) != B2B_OK)
			continue;
		policy->unit = (enum b2b_review_unit)units[i].value;
		return;
	}
	b2b_read_refuse(reader, attr, value,
			"is neither once nor days=, weeks= or months= with a number from 1 to 366");
}

/* A review must be over before the next starts. */
static void check_duration(struct b2b_reader *reader, const struct b2b_review_policy *policy)
{
	static const unsigned unit_days[] = { 0, 1, 7, 31 };
	unsigned all = policy->duration_days * policy->stage_count;
	char text[64];

	if (policy->unit == B2B_EVERY_NEVER || all <= policy->every * unit_days[policy->unit])
		return;
	snprintf(text, sizeof text, "comes again before %u days of review are over", all);
	refuse_first(reader, B2B_ATTR_REVIEW_RECURRENCE, text);
}

static int by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x > y) - (x < y);
}

static void read_reminders(struct b2b_reader *reader, struct b2b_review_policy *policy)
{
	const enum b2b_attr attr = B2B_ATTR_REVIEW_REMINDER;
	struct b2b_str value;
	size_t count = 0;

	for (size_t index = 0; b2b_read_next(reader, attr, &index, &value);) {
		unsigned days;

		if (b2b_number_parse(value, 1, DAYS_MAX, &days) != B2B_OK)
			b2b_read_refuse(reader, attr, value, "is not a number from 1 to 366");
		else if (days >= policy->duration_days)
			b2b_read_refuse(reader, attr, value,
					"is not shorter than the stage itself (b2bReviewDuration)");
		else if (count == COUNT(policy->reminders))
			b2b_read_refuse(reader, attr, value,
					"is one more than the four reminders there may be");
		else
			policy->reminders[count++] = days;
	}
	qsort(policy->reminders, count, sizeof *policy->reminders, by_number);
}

static void read_calendar(struct b2b_reader *reader, struct b2b_review_policy *policy)
{
	read_recurrence(reader, policy);
	b2b_read_time(reader, B2B_ATTR_REVIEW_START, &policy->start);
	if (b2b_read_time(reader, B2B_ATTR_REVIEW_END, &policy->end) &&
	    policy->end <= policy->start)
		refuse_first(reader, B2B_ATTR_REVIEW_END, "does not come after b2bReviewStart");
	if (b2b_read_number(reader, B2B_ATTR_REVIEW_OCCURRENCES, 1, OCCURRENCES_MAX,
			    &policy->occurrences) &&
	    policy->occurrences > 1 && policy->unit == B2B_EVERY_NEVER)
		refuse_first(reader, B2B_ATTR_REVIEW_OCCURRENCES,
			     "is more than a b2bReviewRecurrence of once gives");
	policy->duration_days = DURATION_DAYS;
	b2b_read_number(reader, B2B_ATTR_REVIEW_DURATION, 1, DAYS_MAX, &policy->duration_days);
	check_duration(reader, policy);
	read_reminders(reader, policy);
}

/* --- outcome --- */

static void read_outcome(struct b2b_reader *reader, struct b2b_review_policy *policy)
{
	static const struct b2b_word silences[] = { { "Deny", B2B_SILENCE_DENIES },
						    { "Approve", B2B_SILENCE_APPROVES },
						    { "Recommendation", B2B_SILENCE_RECOMMENDS } };
	static const struct b2b_word denies[] = { { "remove", B2B_DENY_REMOVES },
						  { "disable", B2B_DENY_DISABLES },
						  { "delete", B2B_DENY_DELETES } };
	int word;

	policy->justify = true;
	b2b_read_bool(reader, B2B_ATTR_REVIEW_JUSTIFY, &policy->justify);
	policy->recommend_days = RECOMMEND_DAYS;
	b2b_read_days(reader, B2B_ATTR_REVIEW_RECOMMEND, &policy->recommend_days);
	if (b2b_read_word(reader, B2B_ATTR_REVIEW_DEFAULT, silences, COUNT(silences), &word))
		policy->silence = (enum b2b_review_default)word;
	if (policy->silence == B2B_SILENCE_RECOMMENDS && !policy->recommend_days)
		refuse_first(reader, B2B_ATTR_REVIEW_DEFAULT,
			     "needs recommendations, and b2bReviewRecommend is 0");
	policy->deny = policy->scope_group ? B2B_DENY_REMOVES : B2B_DENY_DISABLES;
	if (b2b_read_word(reader, B2B_ATTR_REVIEW_ON_DENY, denies, COUNT(denies), &word))
		policy->deny = (enum b2b_review_deny)word;
	if (policy->deny == B2B_DENY_REMOVES && !policy->scope_group)
		refuse_first(reader, B2B_ATTR_REVIEW_ON_DENY, "needs a b2bReviewScopeGroup");
	b2b_read_text(reader, B2B_ATTR_REVIEW_INSTRUCTIONS, &policy->instructions);
}

void b2b_policy_read_review(struct b2b_reader *reader, struct b2b_review_policy **review_r)
{
	struct b2b_review_policy *policy = calloc(1, sizeof *policy);

	*review_r = policy;
	if (!policy) {
		reader->no_memory = true;
		return;
	}
	read_scope(reader, policy);
	read_reviewers(reader, policy);
	read_calendar(reader, policy);
	read_outcome(reader, policy);
}

static void free_list(struct b2b_list *list)
{
	b2b_policy_free_list(list->list, list->count);
}

void b2b_policy_free_review(struct b2b_review_policy **review)
{
	struct b2b_review_policy *policy = *review;

	*review = NULL;
	if (!policy)
		return;
	free(policy->scope_base);
	free(policy->scope_group);
	free(policy->scope_filter);
	free_list(&policy->scope_partners);
	for (size_t i = 0; i < B2B_REVIEW_STAGES; i++)
		free_list(&policy->stages[i].reviewers);
	free_list(&policy->fallback);
	free(policy->instructions);
	free(policy);
}
