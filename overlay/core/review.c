/*
 * review.c - the calendar of access reviews, and what a decision comes to.
 * In: a compiled definition, its state, the time.
 * Out: when the next review, reminder or end of a stage is; recommendations and conclusions.
 */
#include "review.h"
#include "read.h"

#include <string.h>

#define DAY_SECS ((time_t)86400)
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- starts --- */

/* Days since 1970-01-01 of a day of the Gregorian calendar, and back; from the definition of the
 * calendar, counted in years that begin in March, so that the leap day is the last. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	int64_t era_year = month > 2 ? year : year - 1;
	unsigned from_march = month > 2 ? month - 3 : month + 9;

	/* 719468: days from 0000-03-01 to 1970-01-01 */
	return era_year * 365 + era_year / 4 - era_year / 100 + era_year / 400 +
	       (153 * (int64_t)from_march + 2) / 5 + day - 1 - 719468;
}

static unsigned days_in(int64_t year, unsigned month)
{
	int64_t next_year = month == 12 ? year + 1 : year;
	unsigned next_month = month == 12 ? 1 : month + 1;

	return (unsigned)(days_of(next_year, next_month, 1) - days_of(year, month, 1));
}

/* start plus so many months: the same day and time of day, or the month's last day. */
static time_t add_months(time_t start, uint64_t months)
{
	int64_t days = start / DAY_SECS, year = days / 366 + 1970;
	unsigned month = 1, day;

	while (days_of(year + 1, 1, 1) <= days)
		year++;
	while (month < 12 && days_of(year, month + 1, 1) <= days)
		month++;
	day = (unsigned)(days - days_of(year, month, 1)) + 1;
	months += month - 1;
	year += (int64_t)(months / 12);
	month = (unsigned)(months % 12) + 1;
	if (day > days_in(year, month))
		day = days_in(year, month);
	return (time_t)(days_of(year, month, day) * DAY_SECS) + start % DAY_SECS;
}

static time_t nth_start(const struct b2b_review_policy *policy, time_t start, uint64_t n)
{
	uint64_t steps = n * policy->every;

	switch (policy->unit) {
	case B2B_EVERY_DAYS:
		return start + (time_t)steps * DAY_SECS;
	case B2B_EVERY_WEEKS:
		return start + (time_t)steps * 7 * DAY_SECS;
	case B2B_EVERY_MONTHS:
		return add_months(start, steps);
	case B2B_EVERY_NEVER:
		break;
	}
	return start;
}

/* How many starts there are up to when, that included. */
static uint64_t count_starts(const struct b2b_review_policy *policy, time_t start, time_t when)
{
	static const uint64_t longest_days[] = { 0, 1, 7, 31 };
	uint64_t n;

	if (when < start)
		return 0;
	if (policy->unit == B2B_EVERY_NEVER)
		return 1;
	n = (uint64_t)((when - start) / DAY_SECS) / (longest_days[policy->unit] * policy->every);
	while (nth_start(policy, start, n) <= when)
		n++;
	return n;
}

time_t b2b_review_next_start(const struct b2b_review_policy *policy,
			     const struct b2b_review_state *state, time_t now)
{
	time_t start = policy->start ? policy->start : state->created, next;
	uint64_t had, missed;

	if (policy->occurrences && state->instance >= policy->occurrences)
		return 0;
	if (policy->unit == B2B_EVERY_NEVER && state->instance > 0)
		return 0;
	/* "at once" is not later than now, even if clocks of two kinds differ by a moment */
	if (start == 0 || (!policy->start && start > now))
		start = now;
	had = state->instance ? count_starts(policy, start, state->opened) : 0;
	if (state->instance && !policy->start && !had)
		had = 1; /* opened that moment before */
	missed = count_starts(policy, start, now);
	next = nth_start(policy, start, missed > had ? missed - 1 : had);
	return policy->end && (next >= policy->end || now >= policy->end) ? 0 : next;
}

/* --- while a stage is open --- */

time_t b2b_review_next_reminder(const struct b2b_review_policy *policy,
				const struct b2b_review_state *state, time_t now, unsigned *days_r)
{
	time_t next = 0;

	if (days_r)
		*days_r = 0;
	if (!state->open)
		return 0;
	for (size_t i = 0; i < COUNT(policy->reminders) && policy->reminders[i]; i++) {
		time_t moment = state->closes - (time_t)policy->reminders[i] * DAY_SECS;

		if (moment <= state->reminded)
			continue;
		/* of several that are past the last is enough: they come in ascending days */
		if (next && next <= now)
			continue;
		next = moment;
		if (days_r)
			*days_r = policy->reminders[i];
	}
	return next;
}

time_t b2b_review_next_due(const struct b2b_review_policy *policy,
			   const struct b2b_review_state *state, time_t now)
{
	time_t due, reminder, retry;

	if (!state->open) {
		due = b2b_review_next_start(policy, state, now);
		due = due ? b2b_time_due(due, now) : 0;
		retry = b2b_time_round_up_hour(now + 1);
		if (state->failed && retry < state->closes + B2B_REVIEW_RETRY_SECS &&
		    (!due || retry < due))
			due = retry;
		return due;
	}
	due = state->closes;
	reminder = b2b_review_next_reminder(policy, state, now, NULL);
	if (reminder && reminder < due)
		due = reminder;
	return b2b_time_due(due, now);
}

/* --- decisions --- */

static time_t later(time_t a, time_t b)
{
	return a > b ? a : b;
}

/* Whether the guest has not been seen for so many days: signed in, accepted or enabled again. */
static bool is_away(const struct b2b_guest *guest, unsigned days, time_t now)
{
	time_t seen = later(guest->last_sign_in, later(guest->state_changed, guest->enabled_at));

	seen = seen ? seen : guest->created;
	return !seen || now - seen > (time_t)days * DAY_SECS;
}

enum b2b_review b2b_review_recommend(const struct b2b_review_policy *policy,
				     const struct b2b_guest *guest, time_t now)
{
	if (!policy->recommend_days)
		return B2B_REVIEW_UNDECIDED;
	return is_away(guest, policy->recommend_days, now) ? B2B_REVIEW_DENIED
							   : B2B_REVIEW_APPROVED;
}

enum b2b_review b2b_review_conclude(const struct b2b_review_policy *policy,
				    enum b2b_review decision, enum b2b_review recommendation)
{
	if (decision == B2B_REVIEW_APPROVED || decision == B2B_REVIEW_DENIED)
		return decision;
	if (policy->silence == B2B_SILENCE_APPROVES)
		return B2B_REVIEW_APPROVED;
	if (policy->silence == B2B_SILENCE_RECOMMENDS && recommendation == B2B_REVIEW_APPROVED)
		return B2B_REVIEW_APPROVED;
	return B2B_REVIEW_DENIED;
}

enum b2b_review b2b_review_item_conclude(const struct b2b_review_policy *policy,
					 const struct b2b_review_state *state,
					 const struct b2b_review_item *item)
{
	enum b2b_review decision = item->decision;

	if (decision == B2B_REVIEW_APPROVED && item->stage < state->stage)
		decision = B2B_REVIEW_UNDECIDED;
	return b2b_review_conclude(policy, decision, item->recommendation);
}

bool b2b_review_is_inactive(const struct b2b_review_policy *policy, const struct b2b_guest *guest,
			    time_t now)
{
	return !policy->scope_inactive_days || is_away(guest, policy->scope_inactive_days, now);
}

/* --- what stands in entries --- */

void b2b_review_state_read(const struct b2b_source *source, struct b2b_review_state *state_r)
{
	struct b2b_reader reader = { .source = source };
	struct b2b_review_state state = { 0 };
	struct b2b_str value;

	b2b_read_number(&reader, B2B_ATTR_REVIEW_INSTANCE, 0, 999999999, &state.instance);
	b2b_read_time(&reader, B2B_ATTR_REVIEW_OPENED, &state.opened);
	b2b_read_time(&reader, B2B_ATTR_REVIEW_CLOSES, &state.closes);
	b2b_read_time(&reader, B2B_ATTR_REVIEW_REMINDED, &state.reminded);
	b2b_read_time(&reader, B2B_ATTR_CREATE_TIMESTAMP, &state.created);
	state.open = b2b_read_number(&reader, B2B_ATTR_REVIEW_STAGE, 0, B2B_REVIEW_STAGES - 1,
				     &state.stage);
	state.failed = b2b_read_one(&reader, B2B_ATTR_REVIEW_ITEM_ERROR, &value);
	*state_r = state;
}

/* "<instance>-<uuid>" */
static void read_item_name(struct b2b_reader *reader, struct b2b_review_item *item)
{
	struct b2b_str name, number;
	const char *dash;

	if (!b2b_read_one(reader, B2B_ATTR_CN, &name))
		return;
	dash = memchr(name.s, '-', name.len);
	if (!dash)
		return;
	number.s = name.s;
	number.len = (size_t)(dash - name.s);
	item->uuid.s = dash + 1;
	item->uuid.len = name.len - number.len - 1;
	if (b2b_number_parse(number, 1, 999999999, &item->instance) != B2B_OK)
		item->instance = 0;
}

void b2b_review_item_read(const struct b2b_source *source, struct b2b_review_item *item_r)
{
	static const struct b2b_word states[] = { { "asked", B2B_ITEM_ASKED },
						  { "answered", B2B_ITEM_ANSWERED },
						  { "applied", B2B_ITEM_APPLIED },
						  { "failed", B2B_ITEM_FAILED } };
	static const struct b2b_word decisions[] = { { "Approve", B2B_REVIEW_APPROVED },
						     { "Deny", B2B_REVIEW_DENIED },
						     { "DontKnow", B2B_REVIEW_UNDECIDED } };
	struct b2b_reader reader = { .source = source };
	struct b2b_review_item item = { 0 };
	int word;

	read_item_name(&reader, &item);
	b2b_read_number(&reader, B2B_ATTR_REVIEW_STAGE, 0, B2B_REVIEW_STAGES - 1, &item.stage);
	if (b2b_read_word(&reader, B2B_ATTR_REVIEW_ITEM_STATE, states, COUNT(states), &word))
		item.state = (enum b2b_item_state)word;
	if (b2b_read_word(&reader, B2B_ATTR_REVIEW_DECISION, decisions, COUNT(decisions), &word))
		item.decision = (enum b2b_review)word;
	if (b2b_read_word(&reader, B2B_ATTR_REVIEW_RECOMMENDATION, decisions, 2, &word))
		item.recommendation = (enum b2b_review)word;
	b2b_read_time(&reader, B2B_ATTR_REVIEWED_AT, &item.reviewed_at);
	*item_r = item;
}

/* --- text --- */
