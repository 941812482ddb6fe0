/*
 * check_review.c - unit tests of review.c: when reviews start, what decisions come to.
 * In: tables of definitions, states and times.
 * Out: libcheck's summary.
 */
#include "entry.h"
#include "review.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define DAY 86400

static time_t at(const char *text)
{
	time_t when = 0;

	if (*text)
		ck_assert_msg(b2b_time_parse(b2b_str_of(text), &when) == B2B_OK, "%s", text);
	return when;
}

static const char *shown(time_t when)
{
	static char text[2][B2B_TIME_SIZE];
	static int turn;

	turn = !turn;
	b2b_time_format(when, text[turn]);
	return when ? text[turn] : "";
}

/* --- starts --- */

static const struct {
	enum b2b_review_unit unit;
	unsigned every, occurrences;
	const char *start, *end;
	unsigned instance;
	const char *opened, *now, *next;
} starts[] = {
	/* once: at the start, late if need be, and never again */
	{ 0, 0, 0, "20300101000000Z", "", 0, "", "20290101000000Z", "20300101000000Z" },
	{ 0, 0, 0, "20300101000000Z", "", 0, "", "20300301000000Z", "20300101000000Z" },
	{ 0, 0, 0, "20300101000000Z", "", 1, "20300101000500Z", "20300301000000Z", "" },
	{ 0, 0, 0, "20300101000000Z", "", 1, "20290101000500Z", "20300301000000Z", "" },
	/* without a start: when the entry was made (19700101 + 1000 s below) */
	{ 0, 0, 0, "", "", 0, "", "20300101000000Z", "19700101001640Z" },
	/* days and weeks */
	{ B2B_EVERY_DAYS, 10, 0, "20300101120000Z", "", 1, "20300101120000Z", "20300105000000Z",
	  "20300111120000Z" },
	{ B2B_EVERY_WEEKS, 2, 0, "20300101120000Z", "", 1, "20300101130000Z", "20300105000000Z",
	  "20300115120000Z" },
	/* opened late, which moves no later start */
	{ B2B_EVERY_DAYS, 10, 0, "20300101120000Z", "", 1, "20300110000000Z", "20300110000000Z",
	  "20300111120000Z" },
	/* missed ones are made up for once: the last of them */
	{ B2B_EVERY_DAYS, 10, 0, "20300101000000Z", "", 1, "20300101000000Z", "20300205000000Z",
	  "20300131000000Z" },
	{ B2B_EVERY_DAYS, 10, 0, "20300101000000Z", "", 2, "20300205000000Z", "20300205000001Z",
	  "20300210000000Z" },
	{ B2B_EVERY_DAYS, 10, 0, "20300101000000Z", "", 0, "", "20300205000000Z",
	  "20300131000000Z" },
	/* months keep the day, or the last */
	{ B2B_EVERY_MONTHS, 1, 0, "20300131080000Z", "", 1, "20300131080000Z", "20300131090000Z",
	  "20300228080000Z" },
	{ B2B_EVERY_MONTHS, 1, 0, "20300131080000Z", "", 2, "20300228080000Z", "20300228080000Z",
	  "20300331080000Z" },
	{ B2B_EVERY_MONTHS, 1, 0, "20300131080000Z", "", 3, "20300331080000Z", "20300331080000Z",
	  "20300430080000Z" },
	{ B2B_EVERY_MONTHS, 1, 0, "20320131080000Z", "", 1, "20320131080000Z", "20320131080000Z",
	  "20320229080000Z" }, /* a leap year */
	{ B2B_EVERY_MONTHS, 12, 0, "20320229000000Z", "", 1, "20320229000000Z", "20320301000000Z",
	  "20330228000000Z" },
	{ B2B_EVERY_MONTHS, 12, 0, "20320229000000Z", "", 4, "20350228000000Z", "20350301000000Z",
	  "20360229000000Z" },
	{ B2B_EVERY_MONTHS, 1, 0, "20991231000000Z", "", 2, "21000131000000Z", "21000131000000Z",
	  "21000228000000Z" }, /* no leap year */
	{ B2B_EVERY_MONTHS, 3, 0, "20301130235959Z", "", 1, "20301130235959Z", "20301201000000Z",
	  "20310228235959Z" },
	{ B2B_EVERY_MONTHS, 1, 0, "20301215000000Z", "", 1, "20301215000000Z", "20301216000000Z",
	  "20310115000000Z" },
	{ B2B_EVERY_MONTHS, 3, 0, "20200504000000Z", "", 1, "20200504000000Z", "20260601000000Z",
	  "20260504000000Z" },
	/* an end, and a number */
	{ B2B_EVERY_DAYS, 10, 0, "20300101000000Z", "20300111000000Z", 1, "20300101000000Z",
	  "20300102000000Z", "" },
	{ B2B_EVERY_DAYS, 10, 0, "20300101000000Z", "20300111000001Z", 1, "20300101000000Z",
	  "20300102000000Z", "20300111000000Z" },
	{ B2B_EVERY_DAYS, 10, 0, "20300101000000Z", "20300111000001Z", 1, "20300101000000Z",
	  "20300112000000Z", "" },
	{ 0, 0, 0, "20300101000000Z", "20300102000000Z", 0, "", "20300102000000Z", "" },
	{ 0, 0, 0, "20300101000000Z", "20300102000000Z", 0, "", "20300101000000Z",
	  "20300101000000Z" },
	{ B2B_EVERY_DAYS, 10, 2, "20300101000000Z", "", 1, "20300101000000Z", "20300101000000Z",
	  "20300111000000Z" },
	{ B2B_EVERY_DAYS, 10, 2, "20300101000000Z", "", 2, "20300111000000Z", "20300111000000Z",
	  "" },
	/* the start was moved behind what was opened */
	{ B2B_EVERY_DAYS, 10, 0, "20310101000000Z", "", 3, "20300111000000Z", "20300112000000Z",
	  "20310101000000Z" },
};

START_TEST(test_review_next_start__cases)
{
	struct b2b_review_policy policy = { .unit = starts[_i].unit,
					    .every = starts[_i].every,
					    .occurrences = starts[_i].occurrences,
					    .start = at(starts[_i].start),
					    .end = at(starts[_i].end) };
	struct b2b_review_state state = { .instance = starts[_i].instance,
					  .opened = at(starts[_i].opened),
					  .created = 1000 };
	time_t next = b2b_review_next_start(&policy, &state, at(starts[_i].now));

	ck_assert_msg(next == at(starts[_i].next), "%s, not %s", shown(next), starts[_i].next);
}
END_TEST

/* The entry was made a moment from now, by a clock that is finer than ours. */
START_TEST(test_review_next_start__at_once)
{
	struct b2b_review_policy policy = { .unit = B2B_EVERY_DAYS, .every = 10 };
	struct b2b_review_state state = { .created = 7201 };

	ck_assert_int_eq(b2b_review_next_start(&policy, &state, 7200), 7200);
	ck_assert_int_eq(b2b_review_next_due(&policy, &state, 7200), 7200);
	state.instance = 1;
	state.opened = 7200;
	ck_assert_int_eq(b2b_review_next_start(&policy, &state, 7202), 7201 + 10 * DAY);
}
END_TEST

START_TEST(test_review_next_start__no_dates_at_all)
{
	struct b2b_review_policy policy = { 0 };
	struct b2b_review_state state = { 0 };

	ck_assert_int_eq(b2b_review_next_start(&policy, &state, 5000), 5000);
}
END_TEST

/* Ten years of each recurrence from each kind of day: starts strictly increase, none is skipped,
 * none stands off its time of day, and months differ by what was asked for. */
START_TEST(test_review_next_start__ten_years)
{
	static const char *const days[] = { "20280131235959Z", "20280229000000Z", "20271231120000Z",
					    "20300430000001Z", "20960115000000Z" };

	for (size_t day = 0; day < COUNT(days); day++) {
		for (unsigned every = 1; every <= 24; every++) {
			struct b2b_review_policy policy = { .unit = (enum b2b_review_unit)_i,
							    .every = every,
							    .start = at(days[day]) };
			struct b2b_review_state state = { 0 };
			time_t end = policy.start + (time_t)3653 * DAY;

			for (time_t now = policy.start - 1, last = 0; now < end;) {
				static const time_t least[] = { 0, DAY, 7 * DAY, 28 * DAY };
				static const time_t most[] = { 0, DAY, 7 * DAY, 31 * DAY };
				time_t next = b2b_review_next_start(&policy, &state, now);

				ck_assert_int_gt(next, now);
				ck_assert_int_eq(next % DAY, policy.start % DAY);
				if (last) {
					ck_assert_int_ge(next - last, least[_i] * every);
					ck_assert_int_le(next - last, most[_i] * every);
				}
				last = now = state.opened = next;
				state.instance++;
			}
		}
	}
}
END_TEST

/* --- what is due --- */

START_TEST(test_review_next_due__cases)
{
	static const struct {
		unsigned reminders[4];
		time_t reminded, now, due;
		unsigned days;
	} cases[] = {
		/* a stage that closes on day 20, in hours and days that are full */
		{ { 0 }, 0, 10 * DAY, 20 * DAY, 0 },
		{ { 3 }, 0, 10 * DAY, 17 * DAY, 3 },
		{ { 1, 3, 7 }, 0, 10 * DAY, 13 * DAY, 7 },
		{ { 1, 3, 7 }, 0, 13 * DAY, 13 * DAY, 7 },
		{ { 1, 3, 7 }, 13 * DAY, 13 * DAY, 17 * DAY, 3 },
		{ { 1, 3, 7 }, 13 * DAY + 5, 13 * DAY, 17 * DAY, 3 },
		/* two were missed: one reminder */
		{ { 1, 3, 7 }, 0, 18 * DAY, 17 * DAY, 3 },
		{ { 1, 3, 7 }, 18 * DAY, 18 * DAY, 19 * DAY, 1 },
		{ { 1, 3, 7 }, 19 * DAY, 19 * DAY, 20 * DAY, 0 },
		{ { 1, 3, 7, 9 }, 0, 20 * DAY, 19 * DAY, 1 },
		/* rounded up where it is to come, down where it is past */
		{ { 1 }, 19 * DAY, 20 * DAY + 5000, 20 * DAY, 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_review_policy policy = { 0 };
		struct b2b_review_state state = { .open = true,
						  .closes = 20 * DAY,
						  .reminded = cases[i].reminded };
		unsigned days;

		memcpy(policy.reminders, cases[i].reminders, sizeof policy.reminders);
		ck_assert_msg(b2b_review_next_due(&policy, &state, cases[i].now) == cases[i].due,
			      "%zu: %lld", i,
			      (long long)b2b_review_next_due(&policy, &state, cases[i].now) / DAY);
		b2b_review_next_reminder(&policy, &state, cases[i].now, &days);
		ck_assert_msg(days == cases[i].days, "%zu: %u", i, days);
	}
}
END_TEST

START_TEST(test_review_next_due__not_open)
{
	struct b2b_review_policy policy = { .unit = B2B_EVERY_DAYS, .every = 10, .start = 7201 };
	struct b2b_review_state state = { 0 };
	unsigned days = 7;

	ck_assert_int_eq(b2b_review_next_due(&policy, &state, 0), 10800);
	ck_assert_int_eq(b2b_review_next_due(&policy, &state, 8000), 7200);
	state.instance = 1;
	state.opened = 8000;
	ck_assert_int_eq(b2b_review_next_due(&policy, &state, 8000), 10 * DAY + 10800);
	policy.occurrences = 1;
	ck_assert_int_eq(b2b_review_next_due(&policy, &state, 8000), 0);
	ck_assert_int_eq(b2b_review_next_reminder(&policy, &state, 8000, &days), 0);
	ck_assert_uint_eq(days, 0);
}
END_TEST

/* --- decisions --- */

START_TEST(test_review_recommend__cases)
{
	static const struct {
		unsigned days;
		struct b2b_guest guest;
		enum b2b_review is;
	} cases[] = {
		/* on day 100 */
		{ 30, { .last_sign_in = 70 * DAY, .created = 1 }, B2B_REVIEW_APPROVED },
		{ 30, { .last_sign_in = 70 * DAY - 1, .created = 1 }, B2B_REVIEW_DENIED },
		{ 0, { .last_sign_in = 1 }, B2B_REVIEW_UNDECIDED },
		/* never signed in since */
		{ 30, { .state_changed = 60 * DAY }, B2B_REVIEW_DENIED },
		{ 30, { .state_changed = 95 * DAY }, B2B_REVIEW_APPROVED },
		{ 30, { .enabled_at = 95 * DAY, .last_sign_in = 1 }, B2B_REVIEW_APPROVED },
		{ 30, { .created = 95 * DAY }, B2B_REVIEW_APPROVED },
		{ 30, { .created = 1 }, B2B_REVIEW_DENIED },
		{ 30, { .last_sign_in = 0 }, B2B_REVIEW_DENIED },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_review_policy policy = { .recommend_days = cases[i].days,
						    .scope_inactive_days = cases[i].days };

		ck_assert_msg(b2b_review_recommend(&policy, &cases[i].guest, 100 * DAY) ==
				      cases[i].is,
			      "%zu", i);
		ck_assert_msg(b2b_review_is_inactive(&policy, &cases[i].guest, 100 * DAY) ==
				      (cases[i].is != B2B_REVIEW_APPROVED),
			      "%zu", i);
	}
}
END_TEST

START_TEST(test_review_conclude__cases)
{
	static const enum b2b_review D = B2B_REVIEW_DENIED, A = B2B_REVIEW_APPROVED,
				     U = B2B_REVIEW_UNDECIDED;
	const struct {
		enum b2b_review_default silence;
		enum b2b_review decision, recommendation, is;
	} cases[] = {
		{ B2B_SILENCE_DENIES, A, D, A },     { B2B_SILENCE_DENIES, D, A, D },
		{ B2B_SILENCE_DENIES, U, A, D },     { B2B_SILENCE_APPROVES, U, D, A },
		{ B2B_SILENCE_APPROVES, D, A, D },   { B2B_SILENCE_RECOMMENDS, U, A, A },
		{ B2B_SILENCE_RECOMMENDS, U, D, D }, { B2B_SILENCE_RECOMMENDS, U, U, D },
		{ B2B_SILENCE_RECOMMENDS, D, A, D },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_review_policy policy = { .silence = cases[i].silence };

		ck_assert_msg(b2b_review_conclude(&policy, cases[i].decision,
						  cases[i].recommendation) == cases[i].is,
			      "%zu", i);
	}
}
END_TEST

/* --- entries --- */

START_TEST(test_review_state_read__cases)
{
	struct test_entry entry;
	struct b2b_source source = test_source(&entry, "cn=r",
					       "b2bReviewInstance: 7\n"
					       "b2bReviewOpened: 19700101000010Z\n"
					       "b2bReviewCloses: 19700101000020Z\n"
					       "b2bReviewReminded: 19700101000015Z\n"
					       "createTimestamp: 19700101000005Z\n"
					       "b2bReviewStage: 2");
	struct b2b_review_state state;

	b2b_review_state_read(&source, &state);
	ck_assert_uint_eq(state.instance, 7);
	ck_assert(state.opened == 10 && state.closes == 20 && state.reminded == 15);
	ck_assert(state.created == 5 && state.open && state.stage == 2 && !state.failed);
	source = test_source(&entry, "cn=r", "b2bReviewItemError: 3 failed\nb2bReviewStage: 3");
	b2b_review_state_read(&source, &state);
	ck_assert(state.failed && !state.open && state.instance == 0 && state.closes == 0);
}
END_TEST

START_TEST(test_review_item_read__cases)
{
	static const struct {
		const char *lines;
		unsigned instance;
		const char *uuid;
		unsigned stage;
		enum b2b_item_state state;
		enum b2b_review decision, recommendation;
	} cases[] = {
		{ "cn: 12-ab-cd\nb2bReviewStage: 1\nb2bReviewItemState: answered\n"
		  "b2bReviewDecision: approve\nb2bReviewRecommendation: Deny",
		  12, "ab-cd", 1, B2B_ITEM_ANSWERED, B2B_REVIEW_APPROVED, B2B_REVIEW_DENIED },
		{ "cn: 1-x\nb2bReviewItemState: applied\nb2bReviewDecision: DENY", 1, "x", 0,
		  B2B_ITEM_APPLIED, B2B_REVIEW_DENIED, B2B_REVIEW_UNDECIDED },
		{ "cn: 1-x\nb2bReviewItemState: failed\nb2bReviewDecision: DontKnow\n"
		  "b2bReviewRecommendation: Approve",
		  1, "x", 0, B2B_ITEM_FAILED, B2B_REVIEW_UNDECIDED, B2B_REVIEW_APPROVED },
		/* nothing that cannot be read is an approval, or has an instance */
		{ "cn: 0-x\nb2bReviewDecision: Approved", 0, "x", 0, B2B_ITEM_ASKED,
		  B2B_REVIEW_UNDECIDED, B2B_REVIEW_UNDECIDED },
		{ "cn: 01-x", 0, "x", 0, B2B_ITEM_ASKED, 0, 0 },
		{ "cn: x\nb2bReviewStage: 3", 0, "", 0, B2B_ITEM_ASKED, 0, 0 },
		{ "cn: -x", 0, "x", 0, B2B_ITEM_ASKED, 0, 0 },
		{ "cn: 1\nb2bReviewDecision: Approve\nb2bReviewDecision: Deny", 0, "", 0,
		  B2B_ITEM_ASKED, 0, 0 },
		{ "", 0, "", 0, B2B_ITEM_ASKED, 0, 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct test_entry entry;
		struct b2b_source source = test_source(&entry, "cn=i", cases[i].lines);
		struct b2b_review_item item;

		b2b_review_item_read(&source, &item);
		ck_assert_msg(item.instance == cases[i].instance, "%zu", i);
		ck_assert_msg(b2b_str_equal(item.uuid, b2b_str_of(cases[i].uuid)), "%zu", i);
		ck_assert_msg(item.stage == cases[i].stage, "%zu", i);
		ck_assert_msg(item.state == cases[i].state, "%zu", i);
		ck_assert_msg(item.decision == cases[i].decision, "%zu", i);
		ck_assert_msg(item.recommendation == cases[i].recommendation, "%zu", i);
	}
}
END_TEST

START_TEST(test_review_item_conclude__stages)
{
	const struct b2b_review_policy policy = { .stage_count = 3 };
	const struct b2b_review_state last = { .open = true, .stage = 2 };

	for (unsigned stage = 0; stage < 3; stage++) {
		struct b2b_review_item item = { .stage = stage, .decision = B2B_REVIEW_APPROVED };

		ck_assert_int_eq(b2b_review_item_conclude(&policy, &last, &item),
				 stage == 2 ? B2B_REVIEW_APPROVED : B2B_REVIEW_DENIED);
		item.decision = B2B_REVIEW_DENIED;
		ck_assert_int_eq(b2b_review_item_conclude(&policy, &last, &item),
				 B2B_REVIEW_DENIED);
	}
}
END_TEST

START_TEST(test_review_next_due__failures)
{
	const struct b2b_review_policy policy = { .unit = B2B_EVERY_DAYS, .every = 10, .start = 1 };
	struct b2b_review_state state = {
		.instance = 1, .opened = 1, .closes = 5 * DAY, .failed = true
	};

	ck_assert_int_eq(b2b_review_next_due(&policy, &state, 5 * DAY), 5 * DAY + 3600);
	ck_assert_int_eq(b2b_review_next_due(&policy, &state, 5 * DAY + 22 * 3600),
			 5 * DAY + 23 * 3600);
	ck_assert_int_eq(b2b_review_next_due(&policy, &state, 5 * DAY + 23 * 3600),
			 10 * DAY + 3600);
	state.failed = false;
	ck_assert_int_eq(b2b_review_next_due(&policy, &state, 5 * DAY), 10 * DAY + 3600);
}
END_TEST

START_TEST(test_review_is_blank__cases)
{
	static const struct {
		const char *text;
		bool blank;
	} cases[] = {
		{ "", true },
		{ " ", true },
		{ " \t\r\n\v\f", true },
		{ "\xc2\xa0", true },                             /* no-break space */
		{ "\xc2\x85\xc2\xad", true },                     /* next line, soft hyphen */
		{ "\xe2\x80\x80\xe2\x80\x8b\xe2\x80\x8f", true }, /* spaces, none of any width */
		{ "\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaf", true },
		{ "\xe3\x80\x80\xe1\x9a\x80\xe2\x81\xa0\xef\xbb\xbf", true },
		{ "\xe2\xa0\x80\xe3\x85\xa4\xe1\xa0\x8e\xe2\x81\x9f", true },
		{ ".", false },
		{ " x ", false },
		{ "\xc3\xa9", false },     /* a letter */
		{ "\xc2\xab", false },     /* a quotation mark */
		{ "\xe2\x80\x93", false }, /* a dash */
		{ "\xe2\x80", false },     /* cut off */
		{ "\xc2", false },
		{ "\xe2\x80\x80 \xe4\xb8\xad", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(b2b_str_is_blank(b2b_str_of(cases[i].text)) == cases[i].blank, "%zu",
			      i);
	ck_assert(b2b_str_is_blank((struct b2b_str){ "\0", 1 }));
	ck_assert(b2b_str_is_blank((struct b2b_str){ NULL, 0 }));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("review");
	TCase *tcase = tcase_create("review");

	tcase_add_loop_test(tcase, test_review_next_start__cases, 0, (int)COUNT(starts));
	tcase_add_test(tcase, test_review_next_start__at_once);
	tcase_add_test(tcase, test_review_next_start__no_dates_at_all);
	tcase_add_loop_test(tcase, test_review_next_start__ten_years, B2B_EVERY_DAYS,
			    B2B_EVERY_MONTHS + 1);
	tcase_add_test(tcase, test_review_next_due__cases);
	tcase_add_test(tcase, test_review_next_due__not_open);
	tcase_add_test(tcase, test_review_recommend__cases);
	tcase_add_test(tcase, test_review_conclude__cases);
	tcase_add_test(tcase, test_review_state_read__cases);
	tcase_add_test(tcase, test_review_item_read__cases);
	tcase_add_test(tcase, test_review_item_conclude__stages);
	tcase_add_test(tcase, test_review_next_due__failures);
	tcase_add_test(tcase, test_review_is_blank__cases);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
