/*
 * check_invite_settings.c - unit tests of invite.c: what cross-tenant settings and conditional access
 * say to an invitation.
 * In: policies as text, people to be invited.  Out: libcheck's summary.
 */
#include "invite_scene.h"

static const struct plan settings[] = {
	/* users half */
	{ .fab = FAB "\n" ONLY_SOME ALL_APPS,
	  .subject = "uid=bob,dc=home",
	  .says = FAB_DN,
	  .reason = B2B_REASON_NONE },
	{ .fab = FAB "\n" ONLY_SOME ALL_APPS,
	  .subject = "uid=eve,dc=home",
	  .says = "inbound-users, by " FAB_DN,
	  .reason = B2B_REASON_INBOUND_USERS },
	{ .fab = FAB "\n" ONLY_SOME ALL_APPS,
	  .says = "inbound-users",
	  .reason = B2B_REASON_INBOUND_USERS },
	{ .fab = FAB "\n" NOT_SOME ALL_APPS,
	  .subject = "uid=eve,dc=home",
	  .says = FAB_DN,
	  .reason = B2B_REASON_NONE },
	{ .fab = FAB "\n" NOT_SOME ALL_APPS,
	  .subject = "UID=Bob, DC=home",
	  .says = "inbound-users",
	  .reason = B2B_REASON_INBOUND_USERS },
	/* somebody without a subject may be the one who is blocked */
	{ .fab = FAB "\n" NOT_SOME ALL_APPS,
	  .says = "inbound-users",
	  .reason = B2B_REASON_INBOUND_USERS },
	/* and of a blocked group */
	{ .fab = FAB "\nb2bCollabInUsersAccess: blocked\nb2bCollabInUsersTarget: g1\n"
		     "b2bGroupTarget: g1\n" ALL_APPS,
	  .subject = "uid=bob,dc=home",
	  .says = "inbound-users",
	  .reason = B2B_REASON_INBOUND_USERS },
	{ .fab = FAB "\nb2bCollabInUsersAccess: allowed\nb2bCollabInUsersTarget: g1\n"
		     "b2bGroupTarget: g1\n" ALL_APPS,
	  .subject = "uid=bob,dc=home",
	  .says = "inbound-users",
	  .reason = B2B_REASON_INBOUND_USERS },
	/* the partner's setting goes before the default's, which else holds */
	{ .defaults = BLOCKED,
	  .says = "inbound-users, by " DEFAULT_DN,
	  .reason = B2B_REASON_INBOUND_USERS },
	{ .defaults = BLOCKED,
	  .fab = FAB "\nb2bCollabInUsersAccess: allowed\n" ALL_APPS,
	  .says = FAB_DN,
	  .reason = B2B_REASON_NONE },
	{ .defaults = "b2bCollabInUsersAccess: blocked\nb2bCollabInUsersTarget: fab\n" ALL_APPS,
	  .says = "inbound-users, by " DEFAULT_DN,
	  .reason = B2B_REASON_INBOUND_USERS },
	{ .defaults = "b2bCollabInUsersAccess: allowed\nb2bCollabInUsersTarget: fab\n" ALL_APPS,
	  .says = FAB_DN,
	  .reason = B2B_REASON_NONE },
	{ .defaults = "b2bCollabInUsersAccess: allowed\nb2bCollabInUsersTarget: con\n" ALL_APPS,
	  .says = "inbound-users, by " DEFAULT_DN,
	  .reason = B2B_REASON_INBOUND_USERS },
	{ .defaults = BLOCKED,
	  .fab = FAB "\nb2bCollabInUsersAccess: allowed", /* one half: the default's counts too */
	  .says = "inbound-users, by " DEFAULT_DN,
	  .reason = B2B_REASON_INBOUND_USERS },
	/* outbound settings have no say */
	{ .fab = FAB "\nb2bCollabOutUsersAccess: blocked\nb2bCollabOutAppsAccess: blocked",
	  .says = FAB_DN,
	  .reason = B2B_REASON_NONE },
	/* applications, each */
	{ .apps = { "wiki", "PAY", "directory" }, .says = FAB_DN, .reason = B2B_REASON_NONE },
	{ .fab = FAB "\nb2bCollabInUsersAccess: allowed\nb2bCollabInAppsAccess: allowed\n"
		     "b2bCollabInAppsTarget: wiki",
	  .apps = { "wiki" },
	  .says = FAB_DN,
	  .reason = B2B_REASON_NONE },
	{ .fab = FAB "\nb2bCollabInUsersAccess: allowed\nb2bCollabInAppsAccess: allowed\n"
		     "b2bCollabInAppsTarget: wiki",
	  .apps = { "wiki", "pay" },
	  .says = "application \"pay\": inbound-apps, by " FAB_DN,
	  .reason = B2B_REASON_INBOUND_APPS },
	{ .fab = FAB "\nb2bCollabInUsersAccess: allowed\nb2bCollabInAppsAccess: allowed\n"
		     "b2bCollabInAppsTarget: wiki",
	  .apps = { "directory" },
	  .says = "application \"directory\": inbound-apps",
	  .reason = B2B_REASON_INBOUND_APPS },
	/* without applications it is enough that there may be one */
	{ .fab = FAB "\nb2bCollabInUsersAccess: allowed\nb2bCollabInAppsAccess: allowed\n"
		     "b2bCollabInAppsTarget: wiki",
	  .says = FAB_DN,
	  .reason = B2B_REASON_NONE },
	{ .fab = FAB "\nb2bCollabInUsersAccess: blocked\nb2bCollabInAppsAccess: blocked\n"
		     "b2bCollabInAppsTarget: wiki",
	  .says = FAB_DN,
	  .reason = B2B_REASON_NONE },
	{ .fab = FAB "\nb2bCollabInUsersAccess: blocked\nb2bCollabInAppsAccess: blocked\n"
		     "b2bCollabInAppsTarget: wiki",
	  .apps = { "pay", "wiki" },
	  .says = "application \"wiki\": inbound-apps",
	  .reason = B2B_REASON_INBOUND_APPS },
	{ .apps = { "wiki", "unheard" },
	  .says = "applications: value \"unheard\" is no application",
	  .reason = B2B_REASON_INBOUND_APPS },
	{ .apps = { "" },
	  .says = "applications: value \"\" is no application",
	  .reason = B2B_REASON_INBOUND_APPS },
	/* conditional access: what blocks whoever comes is known now, what a proof or a place
	 * may satisfy is not held against anybody */
	{ .access = "b2bCaState: enabled\nb2bCaIncludeApp: wiki\nb2bCaGrant: block",
	  .apps = { "pay" },
	  .says = FAB_DN,
	  .reason = B2B_REASON_NONE },
	{ .access = "b2bCaState: enabled\nb2bCaIncludeApp: wiki\nb2bCaGrant: block",
	  .apps = { "wiki" },
	  .says = "application \"wiki\": blocked, by cn=ca",
	  .reason = B2B_REASON_BLOCKED },
	{ .access = "b2bCaState: enabled\nb2bCaExcludeNetwork: 192.0.2.0/24\nb2bCaGrant: block",
	  .apps = { "wiki" },
	  .says = FAB_DN,
	  .reason = B2B_REASON_NONE },
	{ .access = "b2bCaState: enabled\nb2bCaGrant: mfa",
	  .apps = { "wiki" },
	  .says = FAB_DN,
	  .reason = B2B_REASON_NONE },
	/* terms are accepted when the invitation is redeemed, where there are any */
	{ .tenant = OURS "\nb2bTermsVersion: 7",
	  .access = "b2bCaState: enabled\nb2bCaGrant: terms",
	  .apps = { "wiki" },
	  .says = FAB_DN,
	  .reason = B2B_REASON_NONE },
	{ .access = "b2bCaState: enabled\nb2bCaGrant: terms",
	  .apps = { "wiki" },
	  .says = "application \"wiki\": terms-required, by cn=ca",
	  .reason = B2B_REASON_TERMS_REQUIRED },
	/* somebody new is none of those that a policy names */
	{ .access = "b2bCaState: enabled\nb2bCaIncludeGuest: uid=eve\nb2bCaGrant: block",
	  .apps = { "wiki" },
	  .says = FAB_DN,
	  .reason = B2B_REASON_NONE },
	{ .access = "b2bCaState: enabled\nb2bCaIncludeUserType: Guest\nb2bCaGrant: block",
	  .apps = { "wiki" },
	  .says = "blocked, by cn=ca",
	  .reason = B2B_REASON_BLOCKED },
};

START_TEST(test_invite_judge__settings)
{
	judge(&settings[_i], (size_t)_i);
}
END_TEST

START_TEST(test_invite_partner__users_half)
{
	static const struct {
		struct plan plan;
		enum b2b_reason reason;
	} cases[] = {
		{ { .tenant_id = "FAB" }, B2B_REASON_NONE },
		{ { .tenant_id = "nobody" }, B2B_REASON_PARTNER_UNKNOWN },
		{ { .tenant_id = "" }, B2B_REASON_PARTNER_UNKNOWN },
		{ { .tenant_id = "fab", .fab = FAB "\n" BLOCKED }, B2B_REASON_INBOUND_USERS },
		{ { .tenant_id = "fab", .defaults = BLOCKED }, B2B_REASON_INBOUND_USERS },
		{ { .tenant_id = "fab", .fab = FAB "\n" NOT_SOME ALL_APPS, .subject = "uid=eve" },
		  B2B_REASON_NONE },
		{ { .tenant_id = "fab",
		    .fab = FAB "\n" NOT_SOME ALL_APPS,
		    .subject = "uid=bob,dc=home" },
		  B2B_REASON_INBOUND_USERS },
		/* blocked for some applications alone: the users half by itself does not block */
		{ { .tenant_id = "fab",
		    .fab = FAB "\n" NOT_SOME NO_APPS "\nb2bCollabInAppsTarget: wiki",
		    .subject = "uid=bob,dc=home" },
		  B2B_REASON_NONE },
		{ { .tenant_id = "fab",
		    .fab = FAB "\n" NOT_SOME NO_APPS "\nb2bCollabInAppsTarget: directory",
		    .subject = "uid=bob,dc=home" },
		  B2B_REASON_NONE },
		/* the applications half alone is the partner's own: the default has its say on users */
		{ { .tenant_id = "fab",
		    .fab = FAB "\n" ALL_APPS "\nb2bCollabInAppsTarget: wiki",
		    .defaults = BLOCKED },
		  B2B_REASON_INBOUND_USERS },
		{ { .tenant_id = "fab", .fab = FAB "\n" ALL_APPS "\nb2bCollabInAppsTarget: wiki" },
		  B2B_REASON_NONE },
		{ { .tenant_id = "fab",
		    .fab = FAB "\n" NOT_SOME NO_APPS,
		    .subject = "uid=bob,dc=home" },
		  B2B_REASON_INBOUND_USERS },
		{ { .tenant_id = "fab", .fab = FAB "\nb2bIdp: pigeon" },
		  B2B_REASON_POLICY_INVALID },
		{ { .tenant_id = "fab", .defaults = "b2bTrustMfa: x" }, B2B_REASON_POLICY_INVALID },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_snapshot *snapshot = make(&cases[i].plan);
		enum b2b_reason reason =
			b2b_invite_partner(snapshot, b2b_str_of(cases[i].plan.tenant_id),
					   b2b_str_of(cases[i].plan.subject));

		ck_assert_msg(reason == cases[i].reason, "%zu: %s", i, b2b_reason_name(reason));
		b2b_snapshot_unref(&snapshot);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("invite_settings");
	TCase *tcase = tcase_create("settings");

	tcase_add_loop_test(tcase, test_invite_judge__settings, 0, (int)COUNT(settings));
	tcase_add_test(tcase, test_invite_partner__users_half);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
