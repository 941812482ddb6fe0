/*
 * check_graph_review.c - unit tests of graph_review.c and graph_query.c.
 * In: Microsoft's own sample (tests/data/graph), definitions written here, hostile texts.
 * Out: libcheck's summary.
 */
#include "graph_review_show.h"

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
	tcase_add_test(tcase, test_graph_review_read__stages);
	tcase_add_test(tcase, test_graph_review_read__several);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
