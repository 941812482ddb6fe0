/*
 * check_graph.c - unit tests of graph.c and graph_clean.c: documents, shapes, bytes.
 * In: Microsoft's own samples (tests/data/graph), hostile texts.
 * Out: libcheck's summary.
 */
#include "graph_show.h"

/* samples */

START_TEST(test_graph_read__samples_default)
{
	expect_file("00-restricted-cross-tenant-access.jsonc", NULL,
		    "[default]\n"
		    "b2bCollabInAppsAccess: allowed\n"
		    "b2bCollabInAppsTarget: app-id-here\n"
		    "b2bCollabInUsersAccess: allowed\n"
		    "b2bCollabInUsersTarget: tenant-id-here\n"
		    "b2bCollabOutAppsAccess: blocked\n"
		    "b2bCollabOutAppsTarget: -\n"
		    "b2bCollabOutUsersAccess: blocked\n"
		    "b2bCollabOutUsersTarget: -\n"
		    "b2bGroupTarget: -\n",
		    0);
	expect_file("01-xtap-default-get-response.jsonc", NULL,
		    "[default]\n"
		    "b2bCollabInAppsAccess: allowed\nb2bCollabInAppsTarget: -\n"
		    "b2bCollabInUsersAccess: allowed\nb2bCollabInUsersTarget: -\n"
		    "b2bCollabOutAppsAccess: allowed\nb2bCollabOutAppsTarget: -\n"
		    "b2bCollabOutUsersAccess: allowed\nb2bCollabOutUsersTarget: -\n"
		    "b2bDirectInAppsAccess: blocked\nb2bDirectInAppsTarget: -\n"
		    "b2bDirectInUsersAccess: blocked\nb2bDirectInUsersTarget: -\n"
		    "b2bDirectOutAppsAccess: blocked\nb2bDirectOutAppsTarget: -\n"
		    "b2bDirectOutUsersAccess: blocked\nb2bDirectOutUsersTarget: -\n"
		    "b2bGroupTarget: -\n"
		    "b2bTrustCompliantDevice: FALSE\n"
		    "b2bTrustHybridJoined: FALSE\n"
		    "b2bTrustMfa: FALSE\n",
		    0);
	expect_file("02-xtap-default-update-block-outbound-group.json", NULL,
		    "[default]\n"
		    "b2bCollabOutAppsAccess: blocked\n"
		    "b2bCollabOutAppsTarget: -\n"
		    "b2bCollabOutUsersAccess: blocked\n"
		    "b2bCollabOutUsersTarget: 0be493dc-cb56-4a53-936f-9cf64410b8b0\n"
		    "b2bGroupTarget: 0be493dc-cb56-4a53-936f-9cf64410b8b0\n",
		    0);
	expect_file("07-xtap-partner-update-trust.json", NULL,
		    "[default]\n"
		    "b2bTrustCompliantDevice: TRUE\n"
		    "b2bTrustHybridJoined: TRUE\n"
		    "b2bTrustMfa: TRUE\n",
		    0);
}
END_TEST

#define PARTNER_05                                                                                 \
	"b2bDirectInAppsAccess: allowed\n"                                                         \
	"b2bDirectInAppsTarget: Office365\n"                                                       \
	"b2bDirectOutUsersAccess: blocked\n"                                                       \
	"b2bDirectOutUsersTarget: 6f546279-4da5-4b53-a095-09ea0cef9971\n"                          \
	"b2bGroupTarget: 6f546279-4da5-4b53-a095-09ea0cef9971\n"

START_TEST(test_graph_read__samples_partner)
{
	expect_file("05-xtap-partner-create-request.json", NULL,
		    "[3d0f5dec-5d3d-455c-8016-e2af1ae4d31a]\n" PARTNER_05, 1);
	expect_file("06-xtap-partner-create-response.json", NULL,
		    "[3d0f5dec-5d3d-455c-8016-e2af1ae4d31a]\n"
		    "b2bCollabInAppsAccess: -\nb2bCollabInAppsTarget: -\n"
		    "b2bCollabInUsersAccess: -\nb2bCollabInUsersTarget: -\n"
		    "b2bCollabOutAppsAccess: -\nb2bCollabOutAppsTarget: -\n"
		    "b2bCollabOutUsersAccess: -\nb2bCollabOutUsersTarget: -\n" PARTNER_05
		    "b2bTrustCompliantDevice: -\nb2bTrustHybridJoined: -\nb2bTrustMfa: -\n",
		    1);
}
END_TEST

START_TEST(test_graph_read__nameless_setting)
{
	const char *name = "10-xtap-interpretation-allow-g1-block-a1.json";
	size_t bytes;
	char *text = load(name, &bytes);

	refuse_bytes(text, bytes, NULL, "--setting NAME");
	refuse_bytes(text, bytes, "b2bEverything", "is no setting");
	free(text);
	expect_file(name, "B2BdirectConnectInbound",
		    "[default]\n"
		    "b2bDirectInAppsAccess: blocked\n"
		    "b2bDirectInAppsTarget: a1\n"
		    "b2bDirectInUsersAccess: allowed\n"
		    "b2bDirectInUsersTarget: g1\n"
		    "b2bGroupTarget: g1\n",
		    0);
	text = strdup("{\"inboundTrust\":null}");
	refuse_bytes(text, strlen(text), "b2bCollaborationInbound", "no member b2bSetting");
	free(text);
	text = strdup("{\"b2bSetting\":null,\"b2bCollaborationInbound\":null}");
	refuse_bytes(text, strlen(text), "b2bCollaborationInbound", "is given too");
	free(text);
}
END_TEST

START_TEST(test_graph_read__foreign_documents_are_named)
{
	size_t bytes;
	char *text = load("13-access-review-inactive-guests-request.json", &bytes);

	refuse_bytes(text, bytes, NULL, "looks like an access review definition");
	free(text);
	text = load("15-ca-mfa-outside-trusted.json", &bytes);
	refuse_bytes(text, bytes, NULL, "looks like a conditional access policy");
	free(text);
	refuse("{}", "sets nothing");
	refuse("{\"b2bCollaborationInbound\":{}}", "sets nothing");
	refuse("{\"value\":[{\"conditions\":{}}]}",
	       "value[0]: looks like a conditional access policy");
}
END_TEST

/* shapes */

START_TEST(test_graph_read__shapes)
{
	expect("{\"default\":{\"inboundTrust\":{\"isMfaAccepted\":true}},"
	       "\"partners\":[{\"tenantId\":\"t1\"},"
	       "{\"tenantId\":\" T2 \",\"inboundTrust\":{\"isMfaAccepted\":null}}]}",
	       "[default]\nb2bTrustMfa: TRUE\n[t1]\n[T2]\nb2bTrustMfa: -\n");
	expect("{\"@odata.context\":\"x\",\"value\":[{\"tenantId\":\"t1\",\"id\":4,"
	       "\"isServiceProvider\":false,\"isInMultiTenantOrganization\":false}]}",
	       "[t1]\n");
	expect("{\"partners\":[]}", "");
	expect("{\"default\":{}}", "[default]\n");
	refuse("{\"value\":[{\"inboundTrust\":null}]}", "value[0]: tenantId is missing");
	refuse("{\"value\":{\"tenantId\":\"t\"}}", "value: must be a list");
	refuse("{\"default\":{\"tenantId\":\"t\"}}", "the default has no tenantId");
	refuse("{\"default\":null}", "default: must be an object");
	refuse("{\"partners\":[{\"tenantId\":\"t\"},{\"tenantId\":\"T\"}]}",
	       "\"T\" stands in two partners");
	refuse("{\"partners\":[{\"tenantId\":\"t\"}],\"value\":[{\"tenantId\":\"T\"}]}",
	       "stands in two partners");
	refuse("[]", "not a JSON object");
	refuse("{\"tenantId\":\"\"}", "tenantId: empty");
	refuse("{\"tenantId\":7}", "tenantId: must be a text");
	refuse("{\"tenantId\":\"t\\u000ax\"}", "tenantId: empty, longer");
}
END_TEST

START_TEST(test_graph_read__case_and_blanks)
{
	expect("{\" B2BCollaborationINBOUND \":{\"USERSANDGROUPS\":{\"accesstype\":\" Allowed \","
	       "\"TARGETS \":[{\"Target\":\" u 1 \",\"TARGETTYPE\":\"USER\"},"
	       "{\"target\":\"g\",\"targetType\":\" Group\"}]}}}",
	       "[default]\n"
	       "b2bCollabInUsersAccess: allowed\n"
	       "b2bCollabInUsersTarget: g\n"
	       "b2bCollabInUsersTarget: u 1\n"
	       "b2bGroupTarget: g\n");
	expect("{\"b2bCollaborationInbound\":{\"usersAndGroups\":{\"accessType\":\"BLOCKED\","
	       "\"targets\":[\"allusers\"]}}}",
	       "[default]\n"
	       "b2bCollabInUsersAccess: blocked\nb2bCollabInUsersTarget: -\nb2bGroupTarget: -\n");
}
END_TEST

START_TEST(test_graph_read__duplicates_by_case)
{
	refuse("{\"inboundTrust\":null,\"inboundTrust\":null}", "duplicate");
	refuse("{\"inboundTrust\":null,\"InboundTrust\":null}", "inboundTrust: given twice");
	refuse("{\"inboundTrust\":null,\" inboundTrust\":null}", "inboundTrust: given twice");
	refuse("{\"tenantId\":\"a\",\"TENANTID\":\"b\"}", "tenantId: given twice");
	refuse("{\"b2bCollaborationInbound\":{\"usersAndGroups\":{\"accessType\":\"blocked\","
	       "\"AccessType\":\"allowed\"}}}",
	       "accessType: given twice");
	refuse("{\"b2bCollaborationInbound\":{\"usersAndGroups\":{\"accessType\":\"blocked\","
	       "\"targets\":[{\"target\":\"a\",\"Target\":\"b\"}]}}}",
	       "targets[0].target: given twice");
	refuse("{\"default\":{},\"Default\":{}}", "default: given twice");
}
END_TEST

/* text */

START_TEST(test_graph_read__comments_commas_bom)
{
	expect("\xef\xbb\xbf// first\r\n{ // \"a\n\"inboundTrust\"// "
	       ",}\n:\n{\"isMfaAccepted\":true,"
	       "// last,\n},\n}\n// end",
	       "[default]\nb2bTrustMfa: TRUE\n");
	expect("{\"b2bCollaborationInbound\":{\"applications\":{\"accessType\":\"allowed\","
	       "\"targets\":[\"http://x,]\",\"a\\\"//,}\",],},},}",
	       "[default]\n"
	       "b2bCollabInAppsAccess: allowed\n"
	       "b2bCollabInAppsTarget: a\"//,}\n"
	       "b2bCollabInAppsTarget: http://x,]\n");
	refuse("{,}", "line 1");
	refuse("{\"inboundTrust\":null,,}", "line 1");
	refuse("{\"partners\":[,]}", "line 1");
	refuse("{\"inboundTrust\":,}", "line 1");
	refuse("{\"inboundTrust\":null},", "line 1");
	refuse("// only\n", "line");
	refuse("", "line");
	refuse("{\n\"a\": // x\n\n nope}", "line 4");
}
END_TEST

START_TEST(test_graph_read__truncated_at_every_byte)
{
	size_t bytes;
	char *text = load("05-xtap-partner-create-request.json", &bytes), *copy;
	struct b2b_graph *graph;
	struct b2b_error error;

	while (bytes > 0 && strchr(" \r\n", text[bytes - 1]))
		bytes--;
	for (size_t i = 0; i < bytes; i++) {
		copy = malloc(i + 1); /* of its own, for the sanitizers */
		memcpy(copy, text, i);
		ck_assert_int_eq(b2b_graph_read(copy, i, NULL, &graph, &error), B2B_ERR_INVALID);
		ck_assert_ptr_null(graph);
		ck_assert_str_ne(error.text, "");
		free(copy);
	}
	free(text);
}
END_TEST

START_TEST(test_graph_read__too_large)
{
	size_t bytes = (size_t)50 << 20, most = B2B_GRAPH_MAX_BYTES;
	char *text = malloc(bytes);
	struct b2b_graph *graph;

	memset(text, ' ', bytes);
	memcpy(text, "{\"tenantId\":\"t\"}", 16);
	refuse_bytes(text, bytes, NULL, "larger than 8 MiB");
	refuse_bytes(text, most + 1, NULL, "larger than 8 MiB");
	graph = read_bytes(text, most, NULL);
	b2b_graph_free(&graph);
	free(text);
}
END_TEST

START_TEST(test_graph_read__too_deep)
{
	static char text[200100];

	for (size_t levels = 31; levels <= 100000; levels += levels < 40 ? 1 : 30000) {
		size_t used = (size_t)sprintf(text, "{\"tenantId\":\"t\",\"x\":");

		memset(text + used, '[', levels);
		memset(text + used + levels, ']', levels);
		strcpy(text + used + 2 * levels, "}");
		if (levels + 1 <= B2B_GRAPH_MAX_DEPTH)
			expect(text, "[t]\n");
		else
			refuse(text, "nested deeper than 32");
	}
	memset(text, '[', 100000);
	refuse_bytes(text, 100000, NULL, "nested deeper than 32");
}
END_TEST

START_TEST(test_graph_read__bad_bytes)
{
	refuse_bytes("{\"tenantId\":\"t\"}\0", 17, NULL, "a NUL byte");
	refuse_bytes("{\0\"\0", 4, NULL, "a NUL byte");
	refuse("{\"tenantId\":\"t\\u0000\"}", "line 1");
	refuse("{\"tenantId\":\"\\ud800\"}", "line 1");
	refuse("{\"tenantId\":\"\\udc00x\"}", "line 1");
	refuse("{\"tenantId\":\"\xc3\"}", "line 1");
	refuse("{\"tenantId\":\"\xed\xa0\x80\"}", "line 1");
	refuse("{\"tenantId\":\"a\\u001bb\"}", "tenantId: empty, longer");
	refuse("{\"tenantId\":\"a\\u009bb\"}", "tenantId: empty, longer");
	refuse("{\"tenantId\":\"t\",\"x\":1234567890123456789012345678901234567890}", "line 1");
	refuse("{\"tenantId\":\"t\",\"x\":1e999}", "line 1");
	refuse("{\"tenantId\":\"t\"} x", "line 1");
	refuse("{\"tenantId\":\"t\x1b[2J\"}", "line 1");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("graph");
	TCase *samples = tcase_create("samples");
	TCase *shapes = tcase_create("shapes");
	TCase *text = tcase_create("text");

	tcase_add_test(samples, test_graph_read__samples_default);
	tcase_add_test(samples, test_graph_read__samples_partner);
	tcase_add_test(samples, test_graph_read__nameless_setting);
	tcase_add_test(samples, test_graph_read__foreign_documents_are_named);
	tcase_add_test(shapes, test_graph_read__shapes);
	tcase_add_test(shapes, test_graph_read__case_and_blanks);
	tcase_add_test(shapes, test_graph_read__duplicates_by_case);
	tcase_add_test(text, test_graph_read__comments_commas_bom);
	tcase_add_test(text, test_graph_read__truncated_at_every_byte);
	tcase_add_test(text, test_graph_read__too_large);
	tcase_add_test(text, test_graph_read__too_deep);
	tcase_add_test(text, test_graph_read__bad_bytes);
	suite_add_tcase(suite, samples);
	suite_add_tcase(suite, shapes);
	suite_add_tcase(suite, text);
	return test_run(suite);
}
