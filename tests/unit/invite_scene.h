/*
 * invite_scene.h - a policy with three partners, and people to be invited, for the unit tests of invite.c.
 * In: rows of what the policy says and who comes.
 * Out: checks that fail; included once by each check program on invite.c.
 */
#ifndef B2B_TEST_INVITE_SCENE_H
#define B2B_TEST_INVITE_SCENE_H

#include "scene.h"

#include "invite.h"

#define FAB_DN "b2btenantid=fab,cn=partners"
#define CON_DN "b2btenantid=con,cn=partners"
#define ANY_DN "b2btenantid=any,cn=partners"
#define OURS "b2bTenantId: ours\nb2bTenantDomain: Ours.example"
#define FAB "b2bTenantId: Fab\nb2bTenantDomain: Fabrikam.example\nb2bTenantDomain: fab.example"
#define CON "b2bTenantId: con\nb2bTenantDomain: contoso.example"
#define ANY "b2bTenantId: any\nb2bTenantDomain: *"
#define ONLY_SOME "b2bCollabInUsersAccess: allowed\nb2bCollabInUsersTarget: uid=bob,dc=home\n"
#define NOT_SOME "b2bCollabInUsersAccess: blocked\nb2bCollabInUsersTarget: uid=bob,dc=home\n"
#define ALL_APPS "b2bCollabInAppsAccess: allowed"
#define NO_APPS "b2bCollabInAppsAccess: blocked"
#define BLOCKED "b2bCollabInUsersAccess: blocked\nb2bCollabInAppsAccess: blocked"
#define WIKI "cn: wiki\nb2bAppAssignmentRequired: TRUE"

/* The policy and who is to be invited into it; what is NULL is not there. */
struct plan {
	const char *tenant, *defaults, *fab, *con, *any, *access;
	const char *mail, *tenant_id, *subject;
	const char *apps[3];
	enum b2b_reason reason;
	const char *says; /* the partner's DN, or words of the refusal */
};

static inline struct b2b_snapshot *make(const struct plan *plan)
{
	struct b2b_snapshot *snapshot = b2b_snapshot_new();

	put(&snapshot, B2B_RULE_TENANT, TENANT_DN, plan->tenant ? plan->tenant : OURS);
	put(&snapshot, B2B_RULE_DEFAULT, DEFAULT_DN, plan->defaults);
	put(&snapshot, B2B_RULE_PARTNER, FAB_DN, plan->fab ? plan->fab : FAB);
	put(&snapshot, B2B_RULE_PARTNER, CON_DN, plan->con);
	put(&snapshot, B2B_RULE_PARTNER, ANY_DN, plan->any);
	put(&snapshot, B2B_RULE_APP, "cn=wiki", WIKI);
	put(&snapshot, B2B_RULE_APP, "cn=pay", "cn: pay");
	put(&snapshot, B2B_RULE_ACCESS, "cn=ca", plan->access);
	return snapshot;
}

static inline void judge(const struct plan *plan, size_t number)
{
	struct b2b_snapshot *snapshot = make(plan);
	struct b2b_str apps[3];
	struct b2b_invitee invitee = {
		.mail = b2b_str_of(plan->mail ? plan->mail : "bob@fabrikam.example"),
		.tenant_id = b2b_str_of(plan->tenant_id),
		.subject = b2b_str_of(plan->subject),
		.apps = apps,
	};
	const struct b2b_rule *partner = (void *)1;
	enum b2b_reason reason = B2B_REASON_COUNT;
	struct b2b_error error = { "old" };
	enum b2b_err err;

	for (; invitee.app_count < 3 && plan->apps[invitee.app_count]; invitee.app_count++)
		apps[invitee.app_count] = b2b_str_of(plan->apps[invitee.app_count]);
	err = b2b_invite_judge(snapshot, &invitee, NOW, &partner, &reason, &error);
	ck_assert_msg(reason == plan->reason, "%zu: %s, not %s: %s", number,
		      b2b_reason_name(reason), b2b_reason_name(plan->reason), error.text);
	ck_assert((err == B2B_OK) == (reason == B2B_REASON_NONE));
	ck_assert((partner != NULL) == (err == B2B_OK));
	if (partner)
		ck_assert_msg(strcmp(partner->dn, plan->says) == 0, "%zu: %s", number, partner->dn);
	else
		ck_assert_msg(strstr(error.text, plan->says) != NULL, "%zu: %s", number,
			      error.text);
	ck_assert((error.text[0] == '\0') == (err == B2B_OK));
	ck_assert_int_eq(b2b_invite_judge(snapshot, &invitee, NOW, &partner, &reason, NULL), err);
	b2b_snapshot_unref(&snapshot);
}

#endif
