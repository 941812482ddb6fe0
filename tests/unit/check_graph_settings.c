/*
 * check_graph_settings.c - unit tests of graph_settings.c and graph_recur.c.
 * In: definitions of access reviews written here.
 * Out: libcheck's summary.
 */
#include "graph_review_show.h"

#define SET(settings) BASE(",\"settings\":{" settings "}")
#define SET_REFUSED(settings, words)                                                               \
	{                                                                                          \
		SET(settings), "settings." words                                                   \
	}

START_TEST(test_graph_review_read__settings_refused)
{
	static const struct {
		const char *json, *words;
	} cases[] = {
		SET_REFUSED("\"mailNotificationsEnabled\":1", "mailNotificationsEnabled: must be"),
		SET_REFUSED("\"instanceDurationInDays\":0", "instanceDurationInDays: must be"),
		SET_REFUSED("\"instanceDurationInDays\":367", "instanceDurationInDays: must be"),
		SET_REFUSED("\"instanceDurationInDays\":\"3\"", "instanceDurationInDays: must be"),
		SET_REFUSED("\"defaultDecisionEnabled\":1", "defaultDecisionEnabled: must be"),
		SET_REFUSED("\"defaultDecisionEnabled\":true", "defaultDecision: must be"),
		SET_REFUSED("\"defaultDecisionEnabled\":true,\"defaultDecision\":\"Maybe\"",
			    "defaultDecision: must be Approve, Deny or Recommendation"),
		SET_REFUSED("\"recommendationsEnabled\":0", "recommendationsEnabled: must be"),
		SET_REFUSED("\"recommendationLookBackDuration\":\"x\"",
			    "recommendationLookBackDuration: must be a duration"),
		SET_REFUSED("\"applyActions\":{}", "applyActions: must be a list"),
		SET_REFUSED("\"applyActions\":[{}]", "applyActions[0]: has no @odata.type"),
		SET_REFUSED("\"applyActions\":[{},{}]", "applyActions: more than one"),
		SET_REFUSED("\"recurrence\":1", "recurrence: must be an object"),
		SET_REFUSED("\"recurrence\":{\"pattern\":{}}", "recurrence.pattern: type: must be"),
		SET_REFUSED("\"recurrence\":{\"pattern\":{\"type\":\"hourly\"}}",
			    "recurrence.pattern: type: must be"),
		SET_REFUSED("\"recurrence\":{\"pattern\":{\"type\":\"daily\",\"interval\":0}}",
			    "recurrence.pattern.interval: must be a number from 1 to 366"),
		SET_REFUSED("\"recurrence\":{\"pattern\":{\"type\":\"absoluteYearly\","
			    "\"interval\":31}}",
			    "recurrence.pattern.interval: must be a number from 1 to 30"),
		SET_REFUSED("\"recurrence\":{\"range\":{\"startDate\":\"tomorrow\"}}",
			    "recurrence.range.startDate: must be a date"),
		SET_REFUSED("\"recurrence\":{\"range\":{\"startDate\":\"2030-02-30\"}}",
			    "recurrence.range.startDate: must be a date"),
		SET_REFUSED("\"recurrence\":{\"pattern\":{\"type\":\"daily\"},\"range\":{\"type\":"
			    "\"endDate\"}}",
			    "recurrence.range.endDate: must be a date"),
		SET_REFUSED("\"recurrence\":{\"pattern\":{\"type\":\"daily\"},\"range\":{\"type\":"
			    "\"numbered\",\"numberOfOccurrences\":0}}",
			    "recurrence.range.numberOfOccurrences: must be a number"),
		SET_REFUSED("\"recurrence\":{\"pattern\":{\"type\":\"daily\"},\"range\":{\"type\":"
			    "\"never\"}}",
			    "recurrence.range: type: must be"),
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		refuse_review(cases[i].json, cases[i].words);
}
END_TEST

START_TEST(test_graph_review_read__settings)
{
	static const struct {
		const char *json, *wanted, *notes[3];
	} cases[] = {
		{ SET("\"mailNotificationsEnabled\":false,\"autoApplyDecisionsEnabled\":false"),
		  "cn: R\n",
		  { "settings.mailNotificationsEnabled: reviewers are always asked by mail",
		    "settings.autoApplyDecisionsEnabled: decisions are always applied" } },
		{ SET("\"reminderNotificationsEnabled\":true,\"instanceDurationInDays\":1"),
		  "b2bReviewDuration: 1\ncn: R\n",
		  { NULL } },
		{ SET("\"reminderNotificationsEnabled\":true"),
		  "b2bReviewReminder: 7\ncn: R\n",
		  { NULL } },
		{ SET("\"justificationRequiredOnApproval\":false"),
		  "b2bReviewJustify: FALSE\ncn: R\n",
		  { NULL } },
		{ SET("\"defaultDecisionEnabled\":true,\"defaultDecision\":\"recommendation\""),
		  "b2bReviewDefault: Recommendation\ncn: R\n",
		  { NULL } },
		{ SET("\"defaultDecisionEnabled\":true,\"defaultDecision\":\"approve\""),
		  "b2bReviewDefault: Approve\ncn: R\n",
		  { NULL } },
		/* said outright that silence changes nothing */
		{ SET("\"defaultDecisionEnabled\":false,\"defaultDecision\":\"Deny\""),
		  "b2bReviewDefault: Approve\ncn: R\n",
		  { "settings: there is no default decision, so silence approves" } },
		/* not said: silence denies */
		{ SET("\"defaultDecision\":\"Approve\""), "cn: R\n", { NULL } },
		{ SET("\"recommendationsEnabled\":false,\"recommendationLookBackDuration\":"
		      "\"P10D\""),
		  "b2bReviewRecommend: 0\ncn: R\n",
		  { NULL } },
		{ SET("\"recommendationsEnabled\":true,\"recommendationLookBackDuration\":"
		      "\"PT25H\",\"recommendationInsightSettings\":[]"),
		  "b2bReviewRecommend: 2\ncn: R\n",
		  { NULL } },
		{ SET("\"applyActions\":[{\"@odata.type\":\"#microsoft.graph."
		      "disableAndDeleteUserApplyAction\"}]"),
		  "b2bReviewOnDeny: delete\ncn: R\n",
		  { NULL } },
		{ SET("\"applyActions\":[{\"@odata.type\":\"#microsoft.graph."
		      "removeAccessApplyAction\"}]"),
		  "cn: R\n",
		  { "settings.applyActions[0]: there is no group" } },
		{ SET("\"applyActions\":[{\"@odata.type\":\"#x\"}]"),
		  "cn: R\n",
		  { "settings.applyActions[0]: not known" } },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char wanted[256];

		snprintf(wanted, sizeof wanted, SELF "%s", cases[i].wanted);
		expect_review(cases[i].json, wanted, cases[i].notes);
	}
}
END_TEST

#define RECURS(pattern, range)                                                                     \
	SET("\"recurrence\":{\"pattern\":" pattern                                                 \
	    ",\"range\":{\"startDate\":\"2030-01-15\"," range "}}")

START_TEST(test_graph_review_read__recurrence)
{
	static const struct {
		const char *json, *wanted, *notes[2];
	} cases[] = {
		{ RECURS("null", "\"type\":\"endDate\",\"endDate\":\"2030-02-01\""),
		  "b2bReviewRecurrence: once\nb2bReviewStart: 20300115000000Z\n",
		  { NULL } },
		{ RECURS("{\"type\":\"daily\",\"interval\":10}",
			 "\"type\":\"numbered\",\"numberOfOccurrences\":4"),
		  "b2bReviewOccurrences: 4\nb2bReviewRecurrence: days=10\n"
		  "b2bReviewStart: 20300115000000Z\n",
		  { NULL } },
		/* 2030-01-15 is a Tuesday; its Friday is three days later; the last day counts */
		{ RECURS("{\"type\":\"weekly\",\"interval\":2,\"daysOfWeek\":[\"Friday\"]}",
			 "\"type\":\"endDate\",\"endDate\":\"2030-12-31\""),
		  "b2bReviewEnd: 20310101000000Z\nb2bReviewRecurrence: weeks=2\n"
		  "b2bReviewStart: 20300118000000Z\n",
		  { NULL } },
		{ RECURS("{\"type\":\"weekly\",\"daysOfWeek\":[\"monday\",\"friday\"]}",
			 "\"type\":\"noEnd\",\"endDate\":\"9999-12-31\""),
		  "b2bReviewRecurrence: weeks=1\nb2bReviewStart: 20300121000000Z\n",
		  { "settings.recurrence.pattern: daysOfWeek: one day" } },
		{ RECURS("{\"type\":\"absoluteMonthly\",\"dayOfMonth\":31}",
			 "\"recurrenceTimeZone\":\"UTC\""),
		  "b2bReviewRecurrence: months=1\nb2bReviewStart: 20300131000000Z\n",
		  { NULL } },
		{ RECURS("{\"type\":\"absoluteMonthly\",\"dayOfMonth\":0,\"month\":0,\"index\":"
			 "\"first\",\"daysOfWeek\":[],\"firstDayOfWeek\":\"sunday\"}",
			 "\"recurrenceTimeZone\":\"Pacific Standard Time\""),
		  "b2bReviewRecurrence: months=1\nb2bReviewStart: 20300115000000Z\n",
		  { "settings.recurrence.range: recurrenceTimeZone" } },
		{ RECURS("{\"type\":\"absoluteYearly\",\"interval\":1,\"month\":1,\"dayOfMonth\":"
			 "14}",
			 "\"type\":\"noEnd\""),
		  "b2bReviewRecurrence: months=12\nb2bReviewStart: 20310114000000Z\n",
		  { NULL } },
		{ RECURS("{\"type\":\"relativeMonthly\",\"daysOfWeek\":[\"monday\"]}",
			 "\"type\":\"noEnd\""),
		  "b2bReviewRecurrence: months=1\nb2bReviewStart: 20300115000000Z\n",
		  { "settings.recurrence.pattern: type: the day of the month" } },
		{ SET("\"recurrence\":{\"range\":{\"startDate\":\"2030-01-15T01:30:00.000+02:00\"}"
		      "}"),
		  "b2bReviewRecurrence: once\nb2bReviewStart: 20300114233000Z\n",
		  { NULL } },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char wanted[256];

		snprintf(wanted, sizeof wanted, SELF "%scn: R\n", cases[i].wanted);
		expect_review(cases[i].json, wanted, cases[i].notes);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("graph_settings");
	TCase *tcase = tcase_create("graph_settings");

	tcase_add_test(tcase, test_graph_review_read__settings_refused);
	tcase_add_test(tcase, test_graph_review_read__settings);
	tcase_add_test(tcase, test_graph_review_read__recurrence);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
