/*
 * review.h - access reviews by definition (b2bReviewDefinition), compiled; when they start; what a
 * decision comes to.
 * In: the definition's entry, what was decided, the time.  Out: plain values for the task.  Pure.
 */
#ifndef B2B_REVIEW_H
#define B2B_REVIEW_H

#include "guest.h"

#define B2B_REVIEW_STAGES 3u
#define B2B_REVIEW_RETRY_SECS 86400

enum b2b_reviewer_kind { /* bits */
			 B2B_BY_SPONSOR = 1,
			 B2B_BY_MANAGER = 2,
			 B2B_BY_OWNER = 4, /* of the scope's group */
			 B2B_BY_SELF = 8,
};

struct b2b_review_stage {
	unsigned kinds;            /* bits of enum b2b_reviewer_kind */
	struct b2b_list reviewers; /* normalised DNs of persons and groups */
};

enum b2b_review_default { B2B_SILENCE_DENIES = 0, B2B_SILENCE_APPROVES, B2B_SILENCE_RECOMMENDS };
enum b2b_review_deny { B2B_DENY_REMOVES = 0, B2B_DENY_DISABLES, B2B_DENY_DELETES };
enum b2b_review_unit { B2B_EVERY_NEVER = 0, B2B_EVERY_DAYS, B2B_EVERY_WEEKS, B2B_EVERY_MONTHS };

struct b2b_review_policy {
	char *scope_base, *scope_group; /* normalised DNs or NULL */
	char *scope_filter;             /* or NULL; whether it is a filter the glue finds out */
	struct b2b_list scope_partners; /* tenant ids, lower case; none: all */
	unsigned scope_inactive_days;   /* 0: active ones too */
	struct b2b_review_stage stages[B2B_REVIEW_STAGES];
	unsigned stage_count; /* 1 to 3, without gaps */
	struct b2b_list fallback;
	enum b2b_review_unit unit;
	unsigned every;         /* of unit, 1 to 366 */
	time_t start, end;      /* 0: none; a review starts at start + n * every < end */
	unsigned occurrences;   /* 0: no bound */
	unsigned duration_days; /* of each stage, 1 to 366; 14 where the entry says nothing */
	unsigned reminders[4];  /* days before the end of a stage, ascending; 0 ends */
	bool justify;           /* true where the entry says nothing */
	enum b2b_review_default silence;
	enum b2b_review_deny deny; /* removes where there is a group, else disables */
	unsigned recommend_days;   /* 0: no recommendations */
	char *instructions;        /* or NULL */
};

/* The definition's state, which the server keeps in its entry. */
struct b2b_review_state {
	unsigned instance; /* 0: there was none yet */
	time_t opened, closes;
	bool open;
	unsigned stage; /* while open */
	time_t created;
	time_t reminded; /* when reviewers were reminded last, 0: never */
	bool failed; /* not open: decisions could not be applied; tried for a day from closes on */
};

enum b2b_item_state { B2B_ITEM_ASKED = 0, B2B_ITEM_ANSWERED, B2B_ITEM_APPLIED, B2B_ITEM_FAILED };

/* The decision about one guest; strings are borrowed from the source. */
struct b2b_review_item {
	unsigned instance;   /* 0: its name is none that the server gave */
	struct b2b_str uuid; /* of the guest */
	unsigned stage;      /* in which it was asked last */
	enum b2b_item_state state;
	enum b2b_review decision, recommendation;
	time_t reviewed_at; /* 0: not yet */
};

/* Both are filled whatever the content; what cannot be read is 0. */
void b2b_review_state_read(const struct b2b_source *source, struct b2b_review_state *state_r);
void b2b_review_item_read(const struct b2b_source *source, struct b2b_review_item *item_r);

/* When the next instance starts, given that state->instance were started; 0: never again.  A start
 * that was missed (the server was down) is made up for once, not once for each. Months keep the day
 * of start, or the month's last. */
time_t b2b_review_next_start(const struct b2b_review_policy *policy,
			     const struct b2b_review_state *state, time_t now);
/* When the task must look at the definition next: next start, reminder or end of the open stage;
 * rounded as b2b_guest_next_due; 0: never. */
time_t b2b_review_next_due(const struct b2b_review_policy *policy,
			   const struct b2b_review_state *state, time_t now);
/* When reviewers of the open stage are to be reminded next, at or before now: at once; of several
 * moments that were missed the last stands for all.  0: not again in this stage.  *days_r (may be
 * NULL): which of the reminders. */
time_t b2b_review_next_reminder(const struct b2b_review_policy *policy,
				const struct b2b_review_state *state, time_t now, unsigned *days_r);

/* What the last sign-in recommends: denied where it is longer ago than recommend_days, and so is the
 * guest's acceptance or restoration; undecided where recommendations are off. */
enum b2b_review b2b_review_recommend(const struct b2b_review_policy *policy,
				     const struct b2b_guest *guest, time_t now);
/* What an item comes to at the end of the last stage. Never undecided. */
enum b2b_review b2b_review_conclude(const struct b2b_review_policy *policy,
				    enum b2b_review decision, enum b2b_review recommendation);
/* The same for an item, while its review is open or was just closed: an approval counts in the last
 * stage only, a denial in each. */
enum b2b_review b2b_review_item_conclude(const struct b2b_review_policy *policy,
					 const struct b2b_review_state *state,
					 const struct b2b_review_item *item);
/* Whether the guest has been away for scope_inactive_days; true where that is 0. */
bool b2b_review_is_inactive(const struct b2b_review_policy *policy, const struct b2b_guest *guest,
			    time_t now);

#endif
