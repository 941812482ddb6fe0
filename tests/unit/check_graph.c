/*
 * check_graph.c - unit tests of graph.c, graph_clean.c, graph_entry.c, graph_half.c, graph_write.c.
 * In: Microsoft's own samples (tests/data/graph), hostile texts, random policies.
 * Out: libcheck's summary.
 */
#include "entry.h"
#include "graph.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What was read, as text: "[tenant or default]", then sorted "attribute: value" lines; a "-" for
 * an attribute that goes. */
struct shown {
	char *lines[512];
	size_t count;
	char text[65536];
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_line(struct shown *shown, const char *attr, const char *value)
{
	ck_assert_uint_lt(shown->count, COUNT(shown->lines));
	ck_assert_int_gt(asprintf(&shown->lines[shown->count++], "%s: %s\n", attr, value), 0);
}

static void show_entry(struct shown *shown, const struct b2b_graph_entry *entry, bool absent)
{
	strcat(shown->text, "[");
	strcat(shown->text, entry->tenant_id ? entry->tenant_id : "default");
	strcat(shown->text, "]\n");
	shown->count = 0;
	for (size_t i = 0; i < entry->count; i++) {
		const struct b2b_graph_value *value = &entry->values[i];

		if (value->count == 0 && absent)
			show_line(shown, b2b_attr_name(value->attr), "-");
		for (size_t j = 0; j < value->count; j++)
			show_line(shown, b2b_attr_name(value->attr), value->values[j]);
	}
	qsort(shown->lines, shown->count, sizeof *shown->lines, by_text);
	for (size_t i = 0; i < shown->count; i++) {
		ck_assert_uint_lt(strlen(shown->text) + strlen(shown->lines[i]),
				  sizeof shown->text);
		strcat(shown->text, shown->lines[i]);
		free(shown->lines[i]);
	}
}

static const char *show(const struct b2b_graph *graph, bool absent)
{
	static struct shown shown;

	shown.text[0] = '\0';
	for (size_t i = 0; i < graph->count; i++)
		show_entry(&shown, &graph->entries[i], absent);
	return shown.text;
}

static struct b2b_graph *read_bytes(const char *json, size_t bytes, const char *setting)
{
	struct b2b_graph *graph = NULL;
	struct b2b_error error;
	enum b2b_err err = b2b_graph_read(json, bytes, setting, &graph, &error);

	ck_assert_msg(err == B2B_OK, "%.60s: %s", json, error.text);
	ck_assert_ptr_nonnull(graph);
	return graph;
}

static struct b2b_graph *read_text(const char *json)
{
	return read_bytes(json, strlen(json), NULL);
}

static void expect(const char *json, const char *wanted)
{
	struct b2b_graph *graph = read_text(json);

	ck_assert_str_eq(show(graph, true), wanted);
	b2b_graph_free(&graph);
	ck_assert_ptr_null(graph);
}

/* The text is refused, nothing is left over, and the error has these words. */
static void refuse_bytes(const char *json, size_t bytes, const char *setting, const char *words)
{
	struct b2b_graph *graph = (void *)1;
	struct b2b_error error;

	ck_assert_msg(b2b_graph_read(json, bytes, setting, &graph, &error) == B2B_ERR_INVALID,
		      "taken: %.200s", json);
	ck_assert_ptr_null(graph);
	ck_assert_msg(strstr(error.text, words) != NULL, "\"%s\" is not in \"%s\"", words,
		      error.text);
	for (const char *c = error.text; *c; c++)
		ck_assert_msg((unsigned char)*c >= 0x20, "control character in the error");
}

static void refuse(const char *json, const char *words)
{
	refuse_bytes(json, strlen(json), NULL, words);
}

static char *load(const char *name, size_t *bytes_r)
{
	char path[256], *text = malloc(65536);
	FILE *file;

	snprintf(path, sizeof path, "%s/graph/%s", B2B_TEST_DATA, name);
	file = fopen(path, "rb");
	ck_assert_msg(file != NULL, "%s is missing", path);
	*bytes_r = fread(text, 1, 65536, file);
	fclose(file);
	return text;
}

static void expect_file(const char *name, const char *setting, const char *wanted, size_t notes)
{
	size_t bytes;
	char *text = load(name, &bytes);
	struct b2b_graph *graph = read_bytes(text, bytes, setting);

	ck_assert_str_eq(show(graph, true), wanted);
	ck_assert_msg(graph->note_count == notes, "%s: %zu notes, first: %s", name,
		      graph->note_count, graph->note_count ? graph->notes[0] : "");
	b2b_graph_free(&graph);
	free(text);
}

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

START_TEST(test_graph_read__unclear_halves_are_refused)
{
	static const struct {
		const char *json, *words;
	} rows[] = {
		{ USERS(TARGETS("[]")), "an empty list would mean everybody" },
		{ APPS(TARGETS("[]")), "an empty list would mean everybody" },
		{ USERS(TARGETS("null")), "must be a list" },
		{ USERS(TARGETS("\"a\"")), "must be a list" },
		{ USERS(TARGETS("[\"\"]")), "targets[0]: empty" },
		{ USERS(TARGETS("[\"  \"]")), "targets[0]: empty" },
		{ USERS(TARGETS("[\"a\\nb\"]")), "control characters" },
		{ USERS(TARGETS("[\"a\\u007f\"]")), "control characters" },
		{ USERS(TARGETS("[7]")), "targets[0]: must be a text" },
		{ USERS(TARGETS("[null]")), "targets[0]: must be a text" },
		{ USERS(TARGETS("[{}]")), "targets[0]: must be a text" },
		{ USERS(TARGETS("[{\"target\":\"a\",\"targetType\":1}]")), "must be a text" },
		{ USERS(TARGETS("[\"AllApplications\"]")), "belongs to the other half" },
		{ APPS(TARGETS("[\"allUSERS\"]")), "belongs to the other half" },
		{ USERS(TARGETS("[{\"target\":\"AllUsers\",\"targetType\":\"group\"}]")),
		  "is not a group" },
		{ USERS(TARGETS("[{\"target\":\"a\",\"targetType\":\"application\"}]")),
		  "application among users" },
		{ APPS(TARGETS("[{\"target\":\"a\",\"targetType\":\"group\"}]")),
		  "among applications" },
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
									  ":" TARGETS(
										  "[{\"target\":"
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

	for (size_t i = 0; i < COUNT(rows); i++)
		refuse(rows[i].json, rows[i].words);
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

/* writing */

START_TEST(test_graph_write__text)
{
	struct test_entry default_entry, partner_entry[2];
	struct b2b_source default_source, partners[2];
	struct b2b_error error;
	char *json;

	default_source = test_source(&default_entry, "cn=default",
				     "b2bCollabInUsersAccess: Allowed\n"
				     "b2bTrustMfa: TRUE\n"
				     "b2bSyncIn: FALSE\n");
	partners[0] = test_source(&partner_entry[0], "cn=b", "b2bTenantId: b\n");
	partners[1] = test_source(&partner_entry[1], "cn=a",
				  "b2bTenantId: a\n"
				  "b2bDirectOutUsersAccess: blocked\n"
				  "b2bDirectOutUsersTarget: u\n"
				  "b2bDirectOutUsersTarget: g\n"
				  "b2bDirectOutAppsAccess: blocked\n"
				  "b2bGroupTarget: g\n"
				  "b2bAutoRedeemIn: TRUE\n");
	ck_assert_int_eq(b2b_graph_write(&default_source, partners, 2, &json, &error), B2B_OK);
	ck_assert_str_eq(json, "{\n"
			       "  \"default\": {\n"
			       "    \"b2bCollaborationInbound\": {\n"
			       "      \"usersAndGroups\": {\n"
			       "        \"accessType\": \"allowed\",\n"
			       "        \"targets\": [\n"
			       "          {\n"
			       "            \"target\": \"AllUsers\",\n"
			       "            \"targetType\": \"user\"\n"
			       "          }\n"
			       "        ]\n"
			       "      }\n"
			       "    },\n"
			       "    \"inboundTrust\": {\n"
			       "      \"isMfaAccepted\": true\n"
			       "    },\n"
			       "    \"identitySynchronization\": {\n"
			       "      \"userSyncInbound\": {\n"
			       "        \"isSyncAllowed\": false\n"
			       "      }\n"
			       "    }\n"
			       "  },\n"
			       "  \"partners\": [\n"
			       "    {\n"
			       "      \"tenantId\": \"a\",\n"
			       "      \"b2bDirectConnectOutbound\": {\n"
			       "        \"usersAndGroups\": {\n"
			       "          \"accessType\": \"blocked\",\n"
			       "          \"targets\": [\n"
			       "            {\n"
			       "              \"target\": \"g\",\n"
			       "              \"targetType\": \"group\"\n"
			       "            },\n"
			       "            {\n"
			       "              \"target\": \"u\",\n"
			       "              \"targetType\": \"user\"\n"
			       "            }\n"
			       "          ]\n"
			       "        },\n"
			       "        \"applications\": {\n"
			       "          \"accessType\": \"blocked\",\n"
			       "          \"targets\": [\n"
			       "            {\n"
			       "              \"target\": \"AllApplications\",\n"
			       "              \"targetType\": \"application\"\n"
			       "            }\n"
			       "          ]\n"
			       "        }\n"
			       "      },\n"
			       "      \"automaticUserConsentSettings\": {\n"
			       "        \"inboundAllowed\": true\n"
			       "      }\n"
			       "    },\n"
			       "    {\n"
			       "      \"tenantId\": \"b\"\n"
			       "    }\n"
			       "  ]\n"
			       "}");
	free(json);
	ck_assert_int_eq(b2b_graph_write(NULL, NULL, 0, &json, &error), B2B_OK);
	ck_assert_str_eq(json, "{\n  \"partners\": []\n}");
	free(json);
}
END_TEST

START_TEST(test_graph_write__refuses_what_it_cannot_say)
{
	static const struct {
		const char *lines, *words;
	} rows[] = {
		{ "b2bCollabInUsersAccess: perhaps", "b2bCollabInUsersAccess: value \"perhaps\"" },
		{ "b2bCollabInUsersAccess: allowed\nb2bCollabInUsersAccess: blocked",
		  "is one too many" },
		{ "b2bCollabInUsersTarget: a", "is a target without its access" },
		{ "b2bCollabInUsersAccess: allowed\nb2bCollabInUsersTarget: ", "is empty" },
		{ "b2bCollabInUsersAccess: allowed\nb2bCollabInUsersTarget: a\xff",
		  "is not UTF-8" },
		{ "b2bTrustMfa: yes", "b2bTrustMfa: value \"yes\" is neither TRUE nor FALSE" },
	};
	struct test_entry entry;
	struct b2b_source source;
	struct b2b_error error;
	char *json;

	for (size_t i = 0; i < COUNT(rows); i++) {
		source = test_source(&entry, "cn=x", rows[i].lines);
		json = (char *)1;
		ck_assert_int_eq(b2b_graph_write(&source, NULL, 0, &json, &error), B2B_ERR_INVALID);
		ck_assert_ptr_null(json);
		ck_assert_msg(strstr(error.text, rows[i].words) && strstr(error.text, "cn=x"), "%s",
			      error.text);
	}
	source = test_source(&entry, "cn=x", "b2bTrustMfa: TRUE");
	ck_assert_int_eq(b2b_graph_write(NULL, &source, 1, &json, &error), B2B_ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(error.text, "b2bTenantId"));
}
END_TEST

/* Random policies: a small generator of its own, so that a failure can be seen again. */
static unsigned seed;

static unsigned dice(unsigned sides)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % sides;
}

static void random_half(char *lines, enum b2b_attr access, bool apps, char groups[8])
{
	static const char *const users[] = { "u1", "uid=a\\2Cb,dc=x", "\xc3\xa9ve", "t\"q\\", "g1",
					     "g2", "//no comment",    ",]" };
	unsigned kind = dice(4), pick;
	char used[8] = "";

	if (kind == 0)
		return;
	sprintf(lines + strlen(lines), "%s: %s\n", b2b_attr_name(access),
		dice(2) ? "allowed" : "blocked");
	for (unsigned i = kind == 1 ? 0 : 1 + dice(3); i > 0; i--) {
		pick = dice(8);
		if (used[pick]++)
			continue;
		sprintf(lines + strlen(lines), "%s: %s\n", b2b_attr_name(access + 1), users[pick]);
		if (!apps && (pick == 4 || pick == 5))
			groups[pick] = 1;
	}
}

static void random_policy(char *lines, bool partner)
{
	static const char *const flags[] = { "b2bTrustMfa",          "b2bTrustCompliantDevice",
					     "b2bTrustHybridJoined", "b2bAutoRedeemIn",
					     "b2bAutoRedeemOut",     "b2bSyncIn" };
	char groups[8] = "";

	lines[0] = '\0';
	if (partner)
		sprintf(lines, "b2bTenantId: t%u\n", dice(1000));
	for (unsigned i = 0; i < 8; i++)
		random_half(lines, (enum b2b_attr)(B2B_ATTR_COLLAB_IN_USERS_ACCESS + 2 * i),
			    (i & 1) != 0, groups);
	if (groups[4])
		strcat(lines, "b2bGroupTarget: g1\n");
	if (groups[5])
		strcat(lines, "b2bGroupTarget: g2\n");
	for (size_t i = 0; i < COUNT(flags); i++)
		if (dice(2))
			sprintf(lines + strlen(lines), "%s: %s\n", flags[i],
				dice(2) ? "TRUE" : "FALSE");
}

static const char *show_source(const struct test_entry *entry)
{
	static struct shown shown;
	struct b2b_str value = { "default", 7 };

	test_value(entry, B2B_ATTR_TENANT_ID, 0, &value);
	sprintf(shown.text, "[%.*s]\n", (int)value.len, value.s);
	shown.count = 0;
	for (size_t i = 0; i < entry->count; i++) {
		char copy[256];

		value = entry->values[i].value;
		snprintf(copy, sizeof copy, "%.*s", (int)value.len, value.s);
		if (entry->values[i].attr != B2B_ATTR_TENANT_ID)
			show_line(&shown, b2b_attr_name(entry->values[i].attr), copy);
	}
	qsort(shown.lines, shown.count, sizeof *shown.lines, by_text);
	for (size_t i = 0; i < shown.count; i++) {
		strcat(shown.text, shown.lines[i]);
		free(shown.lines[i]);
	}
	return shown.text;
}

START_TEST(test_graph_write__is_read_back)
{
	unsigned good = 0;

	for (seed = 1; good < 3000;) {
		char lines[8192], *json;
		struct test_entry entry;
		struct b2b_source source;
		struct b2b_error error;
		struct b2b_rule *rule;
		struct b2b_graph *graph;
		bool partner = dice(2);
		enum b2b_err err;

		random_policy(lines, partner);
		source = test_source(&entry, "cn=x", lines);
		err = b2b_rule_compile(partner ? B2B_RULE_PARTNER : B2B_RULE_DEFAULT, &source,
				       &rule, NULL);
		b2b_rule_unref(&rule);
		if (err != B2B_OK) /* contradictory */
			continue;
		good++;
		ck_assert_msg(b2b_graph_write(partner ? NULL : &source, &source, partner, &json,
					      &error) == B2B_OK,
			      "%s\n%s", error.text, lines);
		graph = read_bytes(json, strlen(json), NULL);
		ck_assert_uint_eq(graph->note_count, 0);
		ck_assert_str_eq(show(graph, false), show_source(&entry));
		b2b_graph_free(&graph);
		free(json);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("graph");
	TCase *samples = tcase_create("samples"), *text = tcase_create("text");
	TCase *meaning = tcase_create("meaning"), *writing = tcase_create("writing");

	tcase_add_test(samples, test_graph_read__samples_default);
	tcase_add_test(samples, test_graph_read__samples_partner);
	tcase_add_test(samples, test_graph_read__nameless_setting);
	tcase_add_test(samples, test_graph_read__foreign_documents_are_named);
	tcase_add_test(text, test_graph_read__shapes);
	tcase_add_test(text, test_graph_read__case_and_blanks);
	tcase_add_test(text, test_graph_read__duplicates_by_case);
	tcase_add_test(text, test_graph_read__comments_commas_bom);
	tcase_add_test(text, test_graph_read__truncated_at_every_byte);
	tcase_add_test(text, test_graph_read__too_large);
	tcase_add_test(text, test_graph_read__too_deep);
	tcase_add_test(text, test_graph_read__bad_bytes);
	tcase_add_test(meaning, test_graph_read__unknown_future_value);
	tcase_add_test(meaning, test_graph_read__unclear_halves_are_refused);
	tcase_add_test(meaning, test_graph_read__too_many_targets);
	tcase_add_test(meaning, test_graph_read__null_removes);
	tcase_add_test(meaning, test_graph_read__notes_name_what_is_not_honoured);
	tcase_add_test(writing, test_graph_write__text);
	tcase_add_test(writing, test_graph_write__refuses_what_it_cannot_say);
	tcase_add_test(writing, test_graph_write__is_read_back);
	suite_add_tcase(suite, samples);
	suite_add_tcase(suite, text);
	suite_add_tcase(suite, meaning);
	suite_add_tcase(suite, writing);
	return test_run(suite);
}
