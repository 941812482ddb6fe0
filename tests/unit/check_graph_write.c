/*
 * check_graph_write.c - unit tests of graph_write.c: what is written, and that it is read back.
 * In: policy entries, good, broken and random.
 * Out: libcheck's summary.
 */
#include "graph_show.h"

/* writing */

static const char written[] = "{\n"
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
			      "}";

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
	ck_assert_str_eq(json, written);
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
	Suite *suite = suite_create("graph_write");
	TCase *writing = tcase_create("writing");

	tcase_add_test(writing, test_graph_write__text);
	tcase_add_test(writing, test_graph_write__refuses_what_it_cannot_say);
	tcase_add_test(writing, test_graph_write__is_read_back);
	suite_add_tcase(suite, writing);
	return test_run(suite);
}
