/*
 * check_token_says.c - unit tests of token_claims.c: what a good token says of its bearer.
 * In: claims as JSON, a partner that is given.
 * Out: libcheck's summary.
 */
#include "token_scene.h"

START_TEST(test_token_read_claims__application)
{
	static const struct {
		const char *changes, *app;
	} cases[] = {
		{ "{}", NULL },
		{ "{\"aud\":\"api://wiki\"}", "cn=wiki" },
		{ "{\"aud\":[\"api://pay\"]}", "cn=pay" },
		{ "{\"azp\":\"api://wiki\"}", "cn=wiki" },
		{ "{\"aud\":\"directory-2\"}", "cn=both" },
		{ "{\"aud\":\"directory-2\",\"azp\":\"client-2\"}", "cn=both" },
		{ "{\"aud\":[\"directory\",\"else\",\"api://wiki\"],\"azp\":\"api://wiki-2\"}",
		  "cn=wiki" },
	};
	struct b2b_snapshot *snapshot = token_policy("");

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_identity *identity = read_good(snapshot, cases[i].changes);
		const struct b2b_rule *app =
			cases[i].app ? b2b_snapshot_rule(snapshot, cases[i].app) : NULL;

		ck_assert_msg(identity->app == app, "%s", cases[i].changes);
		b2b_identity_free(&identity);
	}
	b2b_snapshot_unref(&snapshot);
}
END_TEST

/* An audience of two applications is that of a rule that denies. */
START_TEST(test_token_read_claims__audience_of_two_applications)
{
	struct b2b_snapshot *snapshot = token_policy("");
	struct b2b_identity *identity;

	put(&snapshot, B2B_RULE_APP, "cn=pay2", "cn: pay2\nb2bAppAudience: api://pay");
	identity = read_good(snapshot, "{\"aud\":\"api://pay\"}");
	ck_assert(identity->app && identity->app->invalid);
	b2b_identity_free(&identity);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_read_claims__moments)
{
	static const struct {
		const char *changes;
		time_t expires, authenticated;
	} cases[] = {
		{ "{}", 1800000900, 1799999900 },
		{ "{\"exp\":1800000900.75,\"iat\":1799999900.75}", 1800000900, 1799999900 },
		{ "{\"iat\":null}", 1800000900, 0 },
		{ "{\"iat\":1800000060}", 1800000900, NOW },
		{ "{\"auth_time\":1700000000}", 1800000900, 1700000000 },
		{ "{\"auth_time\":1800000060,\"iat\":1700000000}", 1800000900, NOW },
		{ "{\"auth_time\":5,\"iat\":null}", 1800000900, 5 },
	};
	struct b2b_snapshot *snapshot = token_policy("");

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_identity *identity = read_good(snapshot, cases[i].changes);

		ck_assert_msg(identity->expires == cases[i].expires, "%s", cases[i].changes);
		ck_assert_msg(identity->authenticated == cases[i].authenticated, "%s",
			      cases[i].changes);
		b2b_identity_free(&identity);
	}
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_read_claims__subject)
{
	struct b2b_snapshot *snapshot = token_policy("");
	struct b2b_identity *identity = read_good(snapshot, "{}");
	char long_sub[1100], changes[1200], *text;
	struct b2b_error why;

	ck_assert_str_eq(identity->subject, "mallory-0815");
	b2b_identity_free(&identity);
	memset(long_sub, 'x', sizeof long_sub);
	snprintf(changes, sizeof changes, "{\"sub\":\"%.1024s\"}", long_sub);
	identity = read_good(snapshot, changes);
	ck_assert_uint_eq(strlen(identity->subject), 1024);
	b2b_identity_free(&identity);
	snprintf(changes, sizeof changes, "{\"sub\":\"%.1025s\"}", long_sub);
	text = claims_with(changes);
	ck_assert_int_eq(read_text(snapshot, "fab", text, &identity, &why), B2B_ERR_INVALID);
	free(text);
	/* another claim is the subject, and sub is not looked at */
	put_partner(&snapshot, "fab", "",
		    "b2bIdp: oidc\nb2bIssuer: " FAB_ISSUER
		    "\nb2bAudience: directory\nb2bSubjectClaim: oid");
	ck_assert_int_eq(read_text(snapshot, "fab", GOOD_CLAIMS, &identity, &why), B2B_ERR_INVALID);
	identity = read_good(snapshot, "{\"oid\":\"o-1\",\"sub\":5}");
	ck_assert_str_eq(identity->subject, "o-1");
	b2b_identity_free(&identity);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_read_claims__email)
{
	static const struct {
		const char *changes;
		bool known;
	} cases[] = {
		{ "{\"email\":\"m@fab.example\"}", false },
		{ "{\"email\":\"m@fab.example\",\"email_verified\":true}", true },
		{ "{\"email\":\"m@fab.example\",\"email_verified\":\"true\"}", true },
		{ "{\"email\":\"m@fab.example\",\"email_verified\":false}", false },
		{ "{\"email\":\"m@fab.example\",\"email_verified\":\"false\"}", false },
		{ "{\"email\":\"m@fab.example\",\"email_verified\":1}", false },
		{ "{\"email\":\"m@fab.example\",\"email_verified\":\"TRUE\"}", false },
		{ "{\"email\":\"m@fab.example\",\"email_verified\":[true]}", false },
		{ "{\"email\":\"m@fab.example\",\"xms_edov\":true}", true },
		{ "{\"email\":\"m@fab.example\",\"xms_edov\":\"true\"}", true },
		{ "{\"email\":\"m@fab.example\",\"xms_edov\":\"1\"}", true },
		{ "{\"email\":\"m@fab.example\",\"xms_edov\":1}", true },
		{ "{\"email\":\"m@fab.example\",\"xms_edov\":2}", false },
		{ "{\"email\":\"m@fab.example\",\"xms_edov\":1.0}", false },
		{ "{\"email\":\"m@fab.example\",\"xms_edov\":false}", false },
		{ "{\"email\":\"m@fab.example\",\"xms_edov\":\"0\"}", false },
		{ "{\"email\":\"m@fab.example\",\"email_verified\":false,\"xms_edov\":1}", false },
		{ "{\"email\":[\"m@fab.example\"],\"email_verified\":true}", false },
		{ "{\"email\":\"\",\"email_verified\":true}", false },
		{ "{\"email\":\"m@fab.example\\n\",\"email_verified\":true}", false },
		{ "{\"email_verified\":true}", false },
	};
	struct b2b_snapshot *snapshot = token_policy("");

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_identity *identity = read_good(snapshot, cases[i].changes);

		ck_assert_msg((identity->email != NULL) == cases[i].known, "%s", cases[i].changes);
		if (cases[i].known)
			ck_assert_str_eq(identity->email, "m@fab.example");
		b2b_identity_free(&identity);
	}
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_read_claims__groups)
{
	static const struct {
		const char *changes;
		int count; /* -1: not known */
	} cases[] = {
		{ "{}", -1 },
		{ "{\"groups\":[]}", 0 },
		{ "{\"groups\":\"first\"}", 1 },
		{ "{\"groups\":[\"first\",\"\\u00e4\",\"\"]}", 3 },
		{ "{\"groups\":[\"first\",5]}", -1 },
		{ "{\"groups\":[[\"first\"]]}", -1 },
		{ "{\"groups\":5}", -1 },
		{ "{\"groups\":{\"first\":1}}", -1 },
		{ "{\"groups\":true}", -1 },
		{ "{\"groups\":[\"first\"],\"hasgroups\":true}", -1 },
		{ "{\"groups\":[\"first\"],\"hasgroups\":\"true\"}", -1 },
		{ "{\"groups\":[\"first\"],\"hasgroups\":false}", 1 },
		{ "{\"groups\":[\"first\"],\"_claim_names\":{\"groups\":\"src1\"}}", -1 },
		{ "{\"groups\":[\"first\"],\"_claim_names\":{\"roles\":\"src1\"}}", 1 },
		{ "{\"groups\":[\"first\"],\"_claim_names\":[\"groups\"]}", -1 },
		{ "{\"_claim_names\":{\"groups\":\"src1\"},\"_claim_sources\":{\"src1\":{}}}", -1 },
	};
	struct b2b_snapshot *snapshot = token_policy("");

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_identity *identity = read_good(snapshot, cases[i].changes);
		int count = identity->groups_known ? (int)identity->group_count : -1;

		ck_assert_msg(count == cases[i].count, "%s", cases[i].changes);
		if (count > 0)
			ck_assert_str_eq(identity->groups[0].s, "first");
		if (count > 1)
			ck_assert_str_eq(identity->groups[1].s, "\xc3\xa4");
		b2b_identity_free(&identity);
	}
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_read_claims__number_of_groups)
{
	struct b2b_snapshot *snapshot = token_policy("");

	for (int count = 999; count <= 1001; count++) {
		char changes[8192] = "{\"groups\":[\"g\"";
		struct b2b_identity *identity;

		for (int i = 1; i < count; i++)
			strcat(changes, ",\"g\"");
		strcat(changes, "]}");
		identity = read_good(snapshot, changes);
		ck_assert_int_eq(identity->groups_known, count <= 1000);
		ck_assert_int_eq((int)identity->group_count, count <= 1000 ? count : 0);
		b2b_identity_free(&identity);
	}
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_read_claims__groups_claim)
{
	struct b2b_snapshot *snapshot = token_policy("");
	struct b2b_identity *identity;

	put_partner(&snapshot, "fab", "",
		    "b2bIdp: oidc\nb2bIssuer: " FAB_ISSUER
		    "\nb2bAudience: directory\nb2bGroupsClaim: roles");
	identity = read_good(snapshot, "{\"groups\":[\"a\"],\"roles\":[\"b\",\"c\"],"
				       "\"_claim_names\":{\"groups\":\"src1\"}}");
	ck_assert(identity->groups_known && identity->group_count == 2);
	ck_assert_str_eq(identity->groups[0].s, "b");
	b2b_identity_free(&identity);
	identity = read_good(snapshot, "{\"roles\":[\"b\"],\"_claim_names\":{\"roles\":\"src1\"}}");
	ck_assert(!identity->groups_known);
	b2b_identity_free(&identity);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

/* What the settings call several factors, or a device: by the type of JSON value. */
START_TEST(test_token_read_claims__mfa_and_devices)
{
	static const char lines[] = "b2bIdp: oidc\nb2bIssuer: " FAB_ISSUER
				    "\nb2bAudience: directory\nb2bMfaClaim: loa=3\n"
				    "b2bMfaClaim: strong=true\nb2bMfaClaim: weak=false\n"
				    "b2bMfaClaim: acr=urn:x=y\nb2bMfaClaim: minus=-7\n"
				    "b2bMfaClaim: half=0.5\nb2bMfaClaim: nothing=null\n"
				    "b2bCompliantDeviceClaim: http://ms.example/iscompliant=true\n"
				    "b2bHybridJoinedClaim: trustType=ServerAd";
	static const struct {
		const char *changes;
		bool mfa, compliant, joined;
	} cases[] = {
		{ "{}", false, false, false },
		{ "{\"amr\":[\"mfa\"],\"acr\":\"https://refeds.org/profile/mfa\"}", false, false,
		  false },
		{ "{\"loa\":3}", true, false, false },
		{ "{\"loa\":\"3\"}", true, false, false },
		{ "{\"loa\":3.0}", false, false, false },
		{ "{\"loa\":33}", false, false, false },
		{ "{\"loa\":[1,3]}", true, false, false },
		{ "{\"loa\":[[3]]}", false, false, false },
		{ "{\"loa\":{\"3\":3}}", false, false, false },
		{ "{\"strong\":true}", true, false, false },
		{ "{\"strong\":\"true\"}", true, false, false },
		{ "{\"strong\":\"True\"}", false, false, false },
		{ "{\"strong\":1}", false, false, false },
		{ "{\"strong\":false}", false, false, false },
		{ "{\"weak\":false}", true, false, false },
		{ "{\"weak\":true}", false, false, false },
		{ "{\"acr\":\"urn:x=y\"}", true, false, false },
		{ "{\"acr\":\"urn:x=y \"}", false, false, false },
		{ "{\"minus\":-7}", true, false, false },
		{ "{\"half\":0.5}", false, false, false },
		{ "{\"nothing\":\"null\"}", true, false, false },
		{ "{\"nothing\":[null]}", false, false, false },
		{ "{\"http://ms.example/iscompliant\":true}", false, true, false },
		{ "{\"trustType\":\"ServerAd\"}", false, false, true },
		{ "{\"trustType\":\"serverad\"}", false, false, false },
	};
	struct b2b_snapshot *snapshot = token_policy("");

	put_partner(&snapshot, "fab", "", lines);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_identity *identity = read_good(snapshot, cases[i].changes);

		ck_assert_msg(identity->mfa == cases[i].mfa &&
				      identity->compliant_device == cases[i].compliant &&
				      identity->hybrid_joined == cases[i].joined,
			      "%s", cases[i].changes);
		b2b_identity_free(&identity);
	}
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_read_claims__mfa_where_the_entry_says_nothing)
{
	static const struct {
		const char *changes;
		bool mfa;
	} cases[] = {
		{ "{}", false },
		{ "{\"amr\":\"mfa\"}", true },
		{ "{\"amr\":[\"pwd\",\"mfa\"]}", true },
		{ "{\"amr\":[\"pwd\",\"otp\"]}", false },
		{ "{\"amr\":[\"http://schemas.microsoft.com/claims/multipleauthn\"]}", true },
		{ "{\"acr\":\"https://refeds.org/profile/mfa\"}", true },
		{ "{\"acr\":\"mfa\"}", false },
		{ "{\"iscompliant\":true,\"trustType\":\"ServerAd\"}", false },
	};
	struct b2b_snapshot *snapshot = token_policy("");

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_identity *identity = read_good(snapshot, cases[i].changes);

		ck_assert_msg(identity->mfa == cases[i].mfa, "%s", cases[i].changes);
		ck_assert(!identity->compliant_device && !identity->hybrid_joined);
		b2b_identity_free(&identity);
	}
	b2b_snapshot_unref(&snapshot);
}
END_TEST

START_TEST(test_token_read_claims__id)
{
	struct b2b_snapshot *snapshot = token_policy("");
	char changes[1200], name[1026];
	static const struct {
		int length;
		const char *start;
	} lengths[] = { { 1, "jti:" }, { 1024, "jti:" }, { 1025, "sha256:" }, { 0, "sha256:" } };
	struct b2b_identity *identity = read_good(snapshot, "{}"), *other;

	ck_assert_str_eq(identity->id, "jti:j-4711");
	b2b_identity_free(&identity);
	memset(name, 'j', sizeof name);
	for (size_t i = 0; i < COUNT(lengths); i++) {
		snprintf(changes, sizeof changes, "{\"jti\":\"%.*s\"}", lengths[i].length, name);
		identity = read_good(snapshot, changes);
		ck_assert_int_eq(strncmp(identity->id, lengths[i].start, strlen(lengths[i].start)),
				 0);
		b2b_identity_free(&identity);
	}
	identity = read_good(snapshot, "{\"jti\":null}");
	ck_assert_uint_eq(strlen(identity->id), strlen("sha256:") + 64);
	ck_assert_uint_eq(strspn(identity->id + 7, "0123456789abcdef"), 64);
	other = read_good(snapshot, "{\"jti\":4711}");
	ck_assert_int_eq(strncmp(other->id, "sha256:", 7), 0);
	ck_assert_str_ne(other->id, identity->id);
	b2b_identity_free(&other);
	other = read_good(snapshot, "{\"jti\":\"a\\nb\"}");
	ck_assert_int_eq(strncmp(other->id, "sha256:", 7), 0);
	b2b_identity_free(&other);
	b2b_identity_free(&identity);
	b2b_snapshot_unref(&snapshot);
}
END_TEST

/* What home permits: without the claim all, and of a claim what can be read. */
START_TEST(test_token_read_claims__out)
{
	static const struct {
		const char *changes;
		unsigned out;
	} cases[] = {
		{ "{}", B2B_OUT_ALL },
		{ "{\"b2b_out\":[\"collaboration\",\"direct\"]}", B2B_OUT_ALL },
		{ "{\"b2b_out\":[\"collaboration\"]}", B2B_OUT_COLLAB },
		{ "{\"b2b_out\":[\"direct\"]}", B2B_OUT_DIRECT },
		{ "{\"b2b_out\":\"direct\"}", B2B_OUT_DIRECT },
		{ "{\"b2b_out\":[7,\"direct\",\"else\"]}", B2B_OUT_DIRECT },
		{ "{\"b2b_out\":[]}", 0 },
		{ "{\"b2b_out\":\"\"}", 0 },
		{ "{\"b2b_out\":true}", 0 },
		{ "{\"b2b_out\":{\"direct\":true}}", 0 },
		{ "{\"b2b_out\":[[\"direct\"]]}", 0 },
		{ "{\"b2b_out\":[\"Direct\",\"direct \"]}", 0 },
	};
	struct b2b_snapshot *snapshot = token_policy("");

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_identity *identity = read_good(snapshot, cases[i].changes);

		ck_assert_msg(identity->out == cases[i].out, "%s", cases[i].changes);
		b2b_identity_free(&identity);
	}
	b2b_snapshot_unref(&snapshot);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("token_says");
	TCase *tcase = tcase_create("token_says");

	tcase_add_test(tcase, test_token_read_claims__application);
	tcase_add_test(tcase, test_token_read_claims__audience_of_two_applications);
	tcase_add_test(tcase, test_token_read_claims__moments);
	tcase_add_test(tcase, test_token_read_claims__subject);
	tcase_add_test(tcase, test_token_read_claims__email);
	tcase_add_test(tcase, test_token_read_claims__groups);
	tcase_add_test(tcase, test_token_read_claims__number_of_groups);
	tcase_add_test(tcase, test_token_read_claims__groups_claim);
	tcase_add_test(tcase, test_token_read_claims__mfa_and_devices);
	tcase_add_test(tcase, test_token_read_claims__mfa_where_the_entry_says_nothing);
	tcase_add_test(tcase, test_token_read_claims__id);
	tcase_add_test(tcase, test_token_read_claims__out);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
