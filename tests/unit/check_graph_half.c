/*
 * check_graph_half.c - unit tests of graph_entry.c and graph_half.c: what members mean.
 * In: documents that are clear, unclear, or only partly to be honoured.
 * Out: libcheck's summary.
 */
#include "graph_show.h"

/* meaning */

#define USERS(half) "{\"b2bCollaborationInbound\":{\"usersAndGroups\":" half "}}"
#define APPS(half) "{\"b2bCollaborationInbound\":{\"applications\":" half "}}"
#define TARGETS(targets) "{\"accessType\":\"blocked\",\"targets\":" targets "}"

START_TEST(test_graph_read__unknown_future_value)
{
	refuse(USERS("{\"accessType\":\"unknownFutureValue\"}"),
	       "b2bCollaborationInbound.usersAndGroups.accessType: unknownFutureValue");
	refuse(USERS("{\"accessType\":\" UNKNOWNFUTUREVALUE \"}"), "unknownFutureValue");
	refuse(USERS(TARGETS("[{\"target\":\"a\",\"targetType\":\"unknownFutureValue\"}]")),
	       "b2bCollaborationInbound.usersAndGroups.targets[0]: targetType is unknown");
	refuse(APPS(TARGETS("[{\"target\":\"a\",\"targetType\":\"UnknownFutureValue\"}]")),
	       "applications.targets[0]: targetType is unknown");
	refuse(APPS(TARGETS("[\"ok\",\"unknownFutureValue\"]")), "targets[1]: unknownFutureValue");
}
END_TEST

static const struct {
	const char *json, *words;
} unclear[] = {
	{ USERS(TARGETS("[]")), "an empty list would mean everybody" },
	{ APPS(TARGETS("[]")), "an empty list would mean everybody" },
	{ USERS(TARGETS("true")), "must be a list" },
	{ USERS(TARGETS("\"a\"")), "must be a list" },
	{ USERS(TARGETS("[\"\"]")), "targets[0]: empty" },
	{ USERS(TARGETS("[\"  \"]")), "targets[0]: empty" },
	{ USERS(TARGETS("[\"a\\nb\"]")), "control characters" },
	{ USERS(TARGETS("[\"a\\u007f\"]")), "control characters" },
	{ USERS(TARGETS("[7]")), "targets[0]: must be a text" },
	{ USERS(TARGETS("[null]")), "targets[0]: must be a text" },
	{ USERS(TARGETS("[{}]")), "targets[0]: must be a text" },
	{ USERS(TARGETS("[{\"target\":\"a\",\"targetType\":1}]")), "must be a text" },
	{ USERS(TARGETS("[\"AllApplications\"]")), "targets[0]: AllApplications belongs" },
	{ APPS(TARGETS("[\"allUSERS\"]")), "targets[0]: AllUsers belongs" },
	{ USERS(TARGETS("[{\"target\":\"AllUsers\",\"targetType\":\"group\"}]")),
	  "is not a group" },
	{ USERS(TARGETS("[{\"target\":\"a\",\"targetType\":\"application\"}]")),
	  "application among users" },
	{ APPS(TARGETS("[{\"target\":\"a\",\"targetType\":\"group\"}]")), "among applications" },
	{ USERS("{\"targets\":[\"a\"]}"), "accessType is missing" },
	{ USERS("{\"accessType\":null,\"targets\":[\"a\"]}"), "accessType: must be" },
	{ USERS("{\"accessType\":\"permitted\"}"), "neither allowed nor blocked" },
	{ USERS("{\"accessType\":true}"), "accessType: must be" },
	{ USERS("true"), "must be an object or null" },
	{ "{\"b2bCollaborationInbound\":[]}", "must be an object or null" },
	{ "{\"inboundTrust\":true}", "must be an object or null" },
	{ "{\"inboundTrust\":{\"isMfaAccepted\":\"true\"}}", "must be true, false" },
	{ "{\"inboundTrust\":{\"isMfaAccepted\":1}}", "must be true, false" },
	{ "{\"automaticUserConsentSettings\":7}", "must be an object or null" },
	{ "{\"identitySynchronization\":{\"userSyncInbound\":7}}", "must be an object" },
	{ "{\"tenantId\":\"a\",\"identitySynchronization\":{\"tenantId\":\"b\"}}",
	  "is not the partner's tenantId" },
	/* one name that is a group here and a user there, whatever its case */
	{ USERS(TARGETS("[\"Bob\",{\"target\":\"bob\",\"targetType\":\"group\"}]")),
	  "is named as a group and as something else" },
	{ "{\"b2bCollaborationInbound\":{\"usersAndGroups\":" TARGETS(
		  "[{\"target\":\"b\",\"targetType\":\"user\"}]") "},"
								  "\"b2bDirectConnectInboun"
								  "d\":{"
								  "\"usersAndGroups\""
								  ":" TARGETS("[{\"target\":"
									      "\"b\","
									      "\"targetType\":"
									      "\"group\"}]") "}"
											     "}",
	  "is named as a group and as something else" },
	/* contradictions */
	{ "{\"b2bCollaborationInbound\":{\"usersAndGroups\":{\"accessType\":\"blocked\"},"
	  "\"applications\":{\"accessType\":\"allowed\"}}}",
	  "b2bCollabInUsersAccess" },
	{ "{\"b2bDirectConnectOutbound\":{\"usersAndGroups\":{\"accessType\":\"allowed\"},"
	  "\"applications\":{\"accessType\":\"blocked\"}}}",
	  "b2bDirectOutAppsAccess" },
	{ "{\"partners\":[{\"tenantId\":\"t\",\"b2bCollaborationInbound\":{"
	  "\"usersAndGroups\":{\"accessType\":\"blocked\",\"targets\":[\"AllUsers\",\"x\"]}"
	  ","
	  "\"applications\":{\"accessType\":\"allowed\",\"targets\":[\"a\"]}}}]}",
	  "partners[0]: b2bCollabInUsersAccess" },
};

START_TEST(test_graph_read__unclear_halves_are_refused)
{
	for (size_t i = 0; i < COUNT(unclear); i++)
		refuse(unclear[i].json, unclear[i].words);
}
END_TEST

START_TEST(test_graph_read__too_many_targets)
{
	static char text[40000];
	size_t used = (size_t)sprintf(text, "{\"b2bCollaborationInbound\":{\"usersAndGroups\":"
					    "{\"accessType\":\"blocked\",\"targets\":[");
	struct b2b_graph *graph;
	size_t cut = 0;

	for (unsigned i = 0; i <= 1000; i++) {
		used += (size_t)sprintf(text + used,
					"%s{\"target\":\"g%u\",\"targetType\":\"group\"}",
					i ? "," : "", i);
		cut = i == 999 ? used : cut;
	}
	strcpy(text + used, "]}}}");
	refuse(text, "more than 1000 targets");
	strcpy(text + cut, "]}}}");
	graph = read_text(text);
	ck_assert_uint_eq(graph->entries[0].values[1].count, 1000);
	ck_assert_uint_eq(graph->entries[0].values[2].count, 1000);
	b2b_graph_free(&graph);
}
END_TEST

START_TEST(test_graph_read__null_removes)
{
	expect("{\"b2bCollaborationInbound\":{\"usersAndGroups\":null}}",
	       "[default]\n"
	       "b2bCollabInUsersAccess: -\nb2bCollabInUsersTarget: -\nb2bGroupTarget: -\n");
	expect("{\"b2bCollaborationInbound\":{\"applications\":{\"accessType\":null}}}",
	       "[default]\nb2bCollabInAppsAccess: -\nb2bCollabInAppsTarget: -\n");
	expect(APPS(TARGETS("null")),
	       "[default]\nb2bCollabInAppsAccess: blocked\nb2bCollabInAppsTarget: -\n");
	expect("{\"automaticUserConsentSettings\":null,\"identitySynchronization\":null}",
	       "[default]\nb2bAutoRedeemIn: -\nb2bAutoRedeemOut: -\nb2bSyncIn: -\n");
	expect("{\"automaticUserConsentSettings\":{\"inboundAllowed\":true,"
	       "\"outboundAllowed\":false},\"identitySynchronization\":{\"userSyncInbound\":"
	       "{\"isSyncAllowed\":true}}}",
	       "[default]\nb2bAutoRedeemIn: TRUE\nb2bAutoRedeemOut: FALSE\nb2bSyncIn: TRUE\n");
}
END_TEST

static void expect_note(const char *json, size_t count, const char *note)
{
	struct b2b_graph *graph = read_text(json);

	ck_assert_uint_eq(graph->note_count, count);
	ck_assert_str_eq(graph->notes[0], note);
	b2b_graph_free(&graph);
}

START_TEST(test_graph_read__notes_name_what_is_not_honoured)
{
	expect_note("{\"tenantId\":\"t\",\"tenantRestrictions\":{\"x\":1}}", 1,
		    "tenantRestrictions: not known, not imported");
	expect_note("{\"value\":[{\"tenantId\":\"t\",\"isServiceProvider\":true}]}", 1,
		    "value[0].isServiceProvider: not known, not imported");
	expect_note("{\"tenantId\":\"t\",\"b2bCollabrationInbound\":null}", 1,
		    "b2bCollabrationInbound: not known, not imported");
	expect_note("{\"value\":[{\"tenantId\":\"t\"}],\"@odata.nextLink\":\"x\"}", 1,
		    "@odata.nextLink: there are more pages; only this one is imported");
	expect_note(APPS("{\"accessType\":\"allowed\",\"targets\":[\"Office365\"]}"), 1,
		    "b2bCollaborationInbound.applications.targets[0]: \"Office365\" matches only "
		    "an application of that id");
	expect_note(APPS(TARGETS("[{\"target\":\"office365\",\"targetType\":\"application\"}]")), 1,
		    "b2bCollaborationInbound.applications.targets[0]: \"office365\" blocks nothing "
		    "unless an application has that very id");
	expect_note(APPS(TARGETS("[\"a\",{\"target\":\"b\",\"targetType\":\"suite\"}]")), 1,
		    "b2bCollaborationInbound.applications.targets[1]: \"b\" blocks nothing unless "
		    "an application has that very id");
	expect_note(USERS(TARGETS("[{\"target\":\"b\",\"targetType\":\"robot\"}]")), 1,
		    "b2bCollaborationInbound.usersAndGroups.targets[0]: \"b\" has a targetType "
		    "that is not known; it matches only a user, group or tenant of that id");
	expect_note(USERS("{\"accessType\":\"blocked\",\"why\":1}"), 1,
		    "b2bCollaborationInbound.usersAndGroups.why: not known, not imported");
	expect_note("{\"tenantId\":\"t\",\"\\u001b[2J\":1}", 1, "?[2J: not known, not imported");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("graph_half");
	TCase *meaning = tcase_create("meaning");

	tcase_add_test(meaning, test_graph_read__unknown_future_value);
	tcase_add_test(meaning, test_graph_read__unclear_halves_are_refused);
	tcase_add_test(meaning, test_graph_read__too_many_targets);
	tcase_add_test(meaning, test_graph_read__null_removes);
	tcase_add_test(meaning, test_graph_read__notes_name_what_is_not_honoured);
	suite_add_tcase(suite, meaning);
	return test_run(suite);
}
