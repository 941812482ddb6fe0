/*
 * check_graph_review.c - unit tests of graph_review.c, graph_query.c, graph_settings.c, graph_recur.c.
 * In: Microsoft's own sample (tests/data/graph), definitions written here, hostile texts.
 * Out: libcheck's summary.
 */
#include "graph_show.h"

/* What this directory calls one user and one group. */
static bool map_some(void *ctx, const char *kind, const char *id, char **dn_r)
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

static struct b2b_graph *read_review(const char *json, size_t bytes, b2b_graph_map *map)
{
	struct b2b_graph *graph = NULL;
	struct b2b_error error;
	enum b2b_err err = b2b_graph_review_read(json, bytes, map, NULL, &graph, &error);

	ck_assert_msg(err == B2B_OK, "%.200s: %s", json, error.text);
	ck_assert_ptr_nonnull(graph);
	return graph;
}

static bool has_note(const struct b2b_graph *graph, const char *words)
{
	for (size_t i = 0; i < graph->note_count; i++)
		if (strstr(graph->notes[i], words))
			return true;
	return false;
}

static void expect_review(const char *json, const char *wanted, const char *const *notes)
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

static void refuse_review(const char *json, const char *words)
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

#define SAMPLE_HEAD                                                                                \
	"[default]\n"                                                                              \
	"b2bReviewBy: {0}owner\n"                                                                  \
	"b2bReviewDefault: Deny\n"                                                                 \
	"b2bReviewDuration: 3\n"
#define SAMPLE_TAIL                                                                                \
	"b2bReviewInstructions: Information security is everyone's responsibility. Review our "    \
	"access policy for more.\n"                                                                \
	"b2bReviewJustify: TRUE\n"                                                                 \
	"b2bReviewRecurrence: months=3\n"                                                          \
	"b2bReviewReminder: 1\n"                                                                   \
	"b2bReviewScopeInactive: 30\n"                                                             \
	"b2bReviewStart: 20200505000000Z\n"                                                        \
	"cn: Review inactive guests on teams\n"                                                    \
	"description: Control guest user access to our teams.\n"

/* Microsoft's sample: with nobody known here its fallback reviewer is a note, mapped it is one. */
START_TEST(test_graph_review_read__sample)
{
	size_t bytes;
	char *text = load("13-access-review-inactive-guests-request.json", &bytes);
	struct b2b_graph *graph = read_review(text, bytes, NULL);

	ck_assert_str_eq(show(graph, true), SAMPLE_HEAD SAMPLE_TAIL);
	ck_assert(has_note(graph, "instanceEnumerationScope.query: is about many groups"));
	ck_assert(has_note(graph, "fallbackReviewers[0].query: user "
				  "fc9a2c2b-1ddc-486d-a211-5fe8ca77fa1f is not known here; its DN "
				  "is wanted (b2bReviewFallback)"));
	ck_assert(has_note(graph, "reviewers: owners are those of the group under review"));
	ck_assert_uint_eq(graph->note_count, 3);
	b2b_graph_free(&graph);
	graph = read_review(text, bytes, map_some);
	ck_assert_str_eq(show(graph, true),
			 SAMPLE_HEAD "b2bReviewFallback: uid=fay,ou=people,dc=ours\n" SAMPLE_TAIL);
	ck_assert_uint_eq(graph->note_count, 2);
	b2b_graph_free(&graph);
	free(text);
}
END_TEST

#define USERS "\"scope\":{\"query\":\"/users?$filter=userType eq 'Guest'\"}"
#define BASE(rest) "{\"displayName\":\"R\"," USERS rest "}"
#define SELF "[default]\nb2bReviewBy: {0}self\n"

START_TEST(test_graph_review_read__nobody_named_is_self)
{
	static const char *const documents[] = {
		BASE(""),
		BASE(",\"reviewers\":[]"),
		BASE(",\"reviewers\":null"),
		BASE(",\"stageSettings\":[]"),
		"{\"DISPLAYNAME\":\"R\",\"Scope\":{\"QUERY\":\"/"
		"Users?$FILTER=usertype+EQ+'guest'\","
		"},\"settings\":null,}",
		"\xef\xbb\xbf// a comment\n" BASE(",\"id\":\"x\",\"@odata.context\":\"y\""),
		BASE(",\"scope@odata.type\":1,\"settings\":{}"),
		"{\"value\":[" BASE("") ",]}",
	};

	for (size_t i = 0; i < COUNT(documents); i++)
		expect_review(documents[i], SELF "cn: R\n", NULL);
}
END_TEST

#define BY(query) BASE(",\"reviewers\":[{\"query\":\"" query "\"}]")

START_TEST(test_graph_review_read__reviewers)
{
	static const struct {
		const char *query, *by;
	} cases[] = {
		{ "./manager", "manager" },
		{ "./MANAGER", "manager" },
		{ "./microsoft.graph.user/manager", "manager" },
		{ "./sponsors", "sponsor" },
		{ "./sponsors/", "sponsor" },
		{ "/users/fc9a2c2b-1ddc-486d-a211-5fe8ca77fa1f", "uid=fay,ou=people,dc=ours" },
		{ "/v1.0/users/fc9a2c2b-1ddc-486d-a211-5fe8ca77fa1f", "uid=fay,ou=people,dc=ours" },
		{ "https://graph.microsoft.com/beta/users/fc9a2c2b-1ddc-486d-a211-5fe8ca77fa1f",
		  "uid=fay,ou=people,dc=ours" },
		{ "/groups/g-1", "cn=wiki,ou=groups,dc=ours" },
		{ "/groups/g%2D1/members", "cn=wiki,ou=groups,dc=ours" },
		{ "/groups/g-1/transitiveMembers/microsoft.graph.user",
		  "cn=wiki,ou=groups,dc=ours" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char json[512], wanted[256];

		snprintf(json, sizeof json, BASE(",\"reviewers\":[{\"query\":\"%s\"}]"),
			 cases[i].query);
		snprintf(wanted, sizeof wanted, "[default]\nb2bReviewBy: {0}%s\ncn: R\n",
			 cases[i].by);
		expect_review(json, wanted, NULL);
	}
}
END_TEST

/* Where nobody of those named is left, the definition must not go over to reviewing by oneself. */
START_TEST(test_graph_review_read__no_reviewer_left)
{
	static const char *const documents[] = {
		BY("/users/stranger"),
		BY("/groups/stranger"),
		BY("/groups/g-1/owners"),
		BY("/me"),
		BY("./broken"),
		BY("manager"),
		BY("/users/a/manager"),
		BY("/groups/broken"), /* what the map gave has a line of its own in it */
		BASE(",\"stageSettings\":[{\"stageId\":\"1\",\"reviewers\":[{\"query\":\"./"
		     "manager\"}]},{\"stageId\":\"2\",\"reviewers\":[{\"query\":\"/users/x\"}]}]"),
	};

	for (size_t i = 0; i < COUNT(documents); i++)
		refuse_review(documents[i], "no reviewer is left");
	refuse_review(documents[COUNT(documents) - 1], "stageSettings[1]: no reviewer");
}
END_TEST

START_TEST(test_graph_review_read__scopes)
{
	static const struct {
		const char *json, *wanted, *notes[4];
	} cases[] = {
		{ "{\"displayName\":\"R\",\"scope\":{\"query\":\"/groups/g-1/transitiveMembers/"
		  "microsoft.graph.user/?$count=true&$filter=(userType%20eq%20'Guest')\"}}",
		  SELF "b2bReviewScopeGroup: cn=wiki,ou=groups,dc=ours\ncn: R\n",
		  { NULL } },
		{ "{\"displayName\":\"R\",\"scope\":{\"query\":\"/groups/zz/members?"
		  "$filter=(userType eq 'Guest')\"}}",
		  SELF "cn: R\n",
		  { "scope.query: group zz is not known here; its DN is wanted" } },
		{ "{\"displayName\":\"R\",\"scope\":{\"query\":\"/groups/g-1/members\"},"
		  "\"reviewers\":[{\"query\":\"/groups/G-1/owners\"}]}",
		  "[default]\nb2bReviewBy: {0}owner\n"
		  "b2bReviewScopeGroup: cn=wiki,ou=groups,dc=ours\ncn: R\n",
		  { "scope.query: guests alone are reviewed" } },
		{ "{\"displayName\":\"R\",\"scope\":{\"query\":\"./members?$filter=(userType eq "
		  "'Guest')\"},\"instanceEnumerationScope\":{\"query\":\"/groups/g-1\"}}",
		  SELF "b2bReviewScopeGroup: cn=wiki,ou=groups,dc=ours\ncn: R\n",
		  { NULL } },
		{ "{\"displayName\":\"R\",\"scope\":{\"query\":\"/users?$filter=(userType eq "
		  "'Guest' and department eq 'x')\"}}",
		  SELF "cn: R\n",
		  { "scope.query: what \"and department" } },
		{ "{\"displayName\":\"R\",\"scope\":{\"@odata.type\":\"#microsoft.graph."
		  "accessReviewInactiveUsersQueryScope\",\"query\":\"/users?$filter=(userType eq "
		  "'Guest')\",\"inactiveDuration\":\"P1Y2M1W3DT1S\"}}",
		  SELF "b2bReviewScopeInactive: 436\ncn: R\n",
		  { NULL } },
		{ "{\"displayName\":\"R\"," USERS ",\"future\":1,"
		  "\"additionalNotificationRecipients\":[{}]}",
		  SELF "cn: R\n",
		  { "future: not known", "additionalNotificationRecipients: reviewers alone" } },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		expect_review(cases[i].json, cases[i].wanted, cases[i].notes);
}
END_TEST

#define SCOPE(scope) "{\"displayName\":\"R\",\"scope\":" scope "}"

/* What would review something else than was meant is refused, and where it stands is said. */
START_TEST(test_graph_review_read__refused)
{
	static const struct {
		const char *json, *words;
	} cases[] = {
		{ "", "line 1" },
		{ "[]", "not a JSON object" },
		{ "{}", "displayName is missing" },
		{ "{\"tenantId\":\"x\",\"inboundTrust\":{}}", "not an access review definition" },
		{ "{\"displayName\":\"R\"}", "scope is missing" },
		{ "{\"displayName\":\" \"," USERS "}", "displayName: empty" },
		{ "{\"displayName\":\"a\\u0007b\"," USERS "}", "displayName: empty" },
		{ "{\"displayName\":7," USERS "}", "displayName: must be a text" },
		{ "{\"displayName\":\"R\",\"DisplayName\":\"S\"," USERS "}", "given twice" },
		{ "{\"value\":[7]}", "value[0]: not a JSON object" },
		{ SCOPE("[]"), "scope: must be an object" },
		{ SCOPE("{}"), "scope.query: must be a text" },
		{ SCOPE("{\"query\":\"\"}"), "scope.query: empty" },
		{ SCOPE("{\"query\":\"/servicePrincipals/x\"}"),
		  "scope.query: is not about users or the members of a group" },
		{ SCOPE("{\"query\":\"/groups/g-1/owners\"}"), "scope.query: is not about" },
		{ SCOPE("{\"query\":\"/users/fc9a2c2b\"}"), "scope.query: is not about" },
		{ SCOPE("{\"query\":\"/a/b/c/d/e/f/members\"}"), "scope.query: is not about" },
		{ SCOPE("{\"query\":\"./members\"}"), "instanceEnumerationScope is missing" },
		{ SCOPE("{\"@odata.type\":\"#microsoft.graph.principalResourceMembershipsScope\","
			"\"principalScopes\":[],\"resourceScopes\":[]}"),
		  "scope: principalResourceMembershipsScope is not supported" },
		{ SCOPE("{\"@odata.type\":\"#microsoft.graph.accessReviewInactiveUsersQueryScope\""
			",\"query\":\"/users\"}"),
		  "scope: inactiveDuration is missing" },
		{ SCOPE("{\"query\":\"/users\",\"inactiveDuration\":\"P0D\"}"), "such as P30D" },
		{ SCOPE("{\"query\":\"/users\",\"inactiveDuration\":\"30\"}"), "such as P30D" },
		{ SCOPE("{\"query\":\"/users\",\"inactiveDuration\":\"P1D1Y\"}"), "such as P30D" },
		{ SCOPE("{\"query\":\"/users\",\"inactiveDuration\":\"PT\"}"), "such as P30D" },
		{ SCOPE("{\"query\":\"/users\",\"inactiveDuration\":\"P1H\"}"), "such as P30D" },
		{ SCOPE("{\"query\":\"/users\",\"inactiveDuration\":\"P9999999D\"}"),
		  "such as P30D" },
		{ "{\"displayName\":\"R\",\"scope\":{\"query\":\"/groups/a/members\"},"
		  "\"instanceEnumerationScope\":{\"query\":\"/groups/b\"}}",
		  "names another group" },
		{ "{\"displayName\":\"R\"," USERS
		  ",\"instanceEnumerationScope\":{\"query\":\"/servicePrincipals\"}}",
		  "instanceEnumerationScope.query: is not about groups" },
		{ BASE(",\"reviewers\":{}"), "reviewers: must be a list" },
		{ BASE(",\"reviewers\":[7]"), "reviewers[0]: must be an object" },
		{ BASE(",\"reviewers\":[{}]"), "reviewers[0].query: must be a text" },
		{ BASE(",\"stageSettings\":[{},{},{},{}]"), "stageSettings: more than 3 stages" },
		{ BASE(",\"stageSettings\":[7]"), "stageSettings[0]: must be an object" },
		{ BASE(",\"settings\":[]"), "settings: must be an object" },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		refuse_review(cases[i].json, cases[i].words);
}
END_TEST

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

START_TEST(test_graph_review_read__stages)
{
	static const char *const notes[] = {
		"reviewers: the reviewers of the stages are asked",
		"stageSettings[1].durationInDays: all stages have the length of the longest",
		"stageSettings[0].decisionsThatWillMoveToNextStage: every guest goes on", NULL
	};

	expect_review(BASE(",\"reviewers\":[{\"query\":\"./sponsors\"}],\"stageSettings\":["
			   "{\"stageId\":\"1\",\"durationInDays\":3,\"reviewers\":[{\"query\":"
			   "\"./sponsors\"},{\"query\":\"./sponsors\"}],"
			   "\"decisionsThatWillMoveToNextStage\":[\"Approve\"]},"
			   "{\"stageId\":\"2\",\"dependsOn\":[\"1\"],\"durationInDays\":5,"
			   "\"reviewers\":[{\"query\":\"/groups/g-1\"}],\"fallbackReviewers\":"
			   "[{\"query\":\"/users/fc9a2c2b-1ddc-486d-a211-5fe8ca77fa1f\"}]},"
			   "{\"stageId\":\"3\",\"reviewers\":[]}],"
			   "\"settings\":{\"instanceDurationInDays\":20}"),
		      "[default]\n"
		      "b2bReviewBy: {0}sponsor\n"
		      "b2bReviewBy: {1}cn=wiki,ou=groups,dc=ours\n"
		      "b2bReviewBy: {2}self\n"
		      "b2bReviewDuration: 5\n"
		      "b2bReviewFallback: uid=fay,ou=people,dc=ours\n"
		      "cn: R\n",
		      notes);
}
END_TEST

START_TEST(test_graph_review_read__several)
{
	struct b2b_graph *graph;
	const char *json = "{\"@odata.count\":2,\"value\":[" BASE("") "," BY("./manager") "]}";

	graph = read_review(json, strlen(json), NULL);
	ck_assert_uint_eq(graph->count, 2);
	ck_assert_str_eq(show(graph, true),
			 SELF "cn: R\n[default]\nb2bReviewBy: {0}manager\ncn: R\n");
	b2b_graph_free(&graph);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("graph_review");
	TCase *tcase = tcase_create("graph_review");

	tcase_add_test(tcase, test_graph_review_read__sample);
	tcase_add_test(tcase, test_graph_review_read__nobody_named_is_self);
	tcase_add_test(tcase, test_graph_review_read__reviewers);
	tcase_add_test(tcase, test_graph_review_read__no_reviewer_left);
	tcase_add_test(tcase, test_graph_review_read__scopes);
	tcase_add_test(tcase, test_graph_review_read__refused);
	tcase_add_test(tcase, test_graph_review_read__settings_refused);
	tcase_add_test(tcase, test_graph_review_read__settings);
	tcase_add_test(tcase, test_graph_review_read__recurrence);
	tcase_add_test(tcase, test_graph_review_read__stages);
	tcase_add_test(tcase, test_graph_review_read__several);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
