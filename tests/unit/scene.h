/*
 * scene.h - a policy, a guest and the circumstances of a decision, for its unit tests.
 * In: entries as text.  Out: struct scene to decide on, and the usual expectations.
 * Included once by each check program on decide.c.
 */
#ifndef B2B_TEST_SCENE_H
#define B2B_TEST_SCENE_H

#include "decide.h"
#include "entry.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define NOW ((time_t)1800000000)
#define PARTNER_DN "b2btenantid=fab,cn=partners"
#define DEFAULT_DN "cn=default"
#define TENANT_DN "cn=b2b"
#define GUEST_DN "uid=g,ou=guests"

/* A policy under test: entries as text, NULL: there is none. */
struct policy {
	const char *tenant, *defaults, *partner, *app;
};

struct scene {
	struct b2b_snapshot *snapshot;
	const struct b2b_rule *app;
	struct b2b_guest guest;
	struct b2b_context context;
};

static inline void put(struct b2b_snapshot **snapshot, enum b2b_rule_kind kind, const char *dn,
		       const char *lines)
{
	struct test_entry entry;
	struct b2b_source source;
	struct b2b_snapshot *next;
	struct b2b_rule *rule;

	if (!lines)
		return;
	source = test_source(&entry, dn, lines);
	b2b_rule_compile(kind, &source, &rule, NULL);
	next = b2b_snapshot_with(*snapshot, rule);
	b2b_snapshot_unref(snapshot);
	b2b_rule_unref(&rule);
	*snapshot = next;
}

/* A guest whom nothing is held against, and the policy. */
static inline struct scene set_scene(const struct policy *policy)
{
	struct scene scene = {
		.snapshot = b2b_snapshot_new(),
		.guest = { .dn = GUEST_DN,
			   .home_tenant = b2b_str_of("Fab"),
			   .home_subject = b2b_str_of("uid=bob,dc=home"),
			   .well_formed = true,
			   .enabled = true,
			   .accepted = true,
			   .created = NOW - 1000 },
		.context = { .now = NOW, .scope = B2B_COLLAB_IN },
	};

	put(&scene.snapshot, B2B_RULE_TENANT, TENANT_DN, policy->tenant);
	put(&scene.snapshot, B2B_RULE_DEFAULT, DEFAULT_DN, policy->defaults);
	put(&scene.snapshot, B2B_RULE_PARTNER, PARTNER_DN, policy->partner);
	put(&scene.snapshot, B2B_RULE_APP, "cn=wiki", policy->app);
	scene.app = b2b_snapshot_rule(scene.snapshot, "cn=wiki");
	return scene;
}

static inline struct b2b_verdict decide(const struct scene *scene)
{
	return b2b_decide(scene->snapshot, &scene->guest, scene->app, &scene->context);
}

/* Decides once and forgets the scene; the rule's name is checked here, for it goes with it. */
static inline struct b2b_verdict decide_once(const struct policy *policy, const char *rule)
{
	struct scene scene = set_scene(policy);
	struct b2b_verdict verdict = decide(&scene);

	if (rule)
		ck_assert_msg(verdict.rule && strcmp(verdict.rule, rule) == 0, "%s, not %s",
			      verdict.rule ? verdict.rule : "NULL", rule);
	ck_assert((verdict.effect == B2B_ALLOW) == (verdict.reason == B2B_REASON_NONE));
	verdict.rule = NULL;
	verdict.half_set = verdict.half_set ? "set" : NULL;
	b2b_snapshot_unref(&scene.snapshot);
	return verdict;
}

static inline void expect(const struct policy *policy, enum b2b_reason reason, const char *rule)
{
	struct b2b_verdict verdict = decide_once(policy, rule);

	ck_assert_msg(verdict.reason == reason, "%s, not %s (%s | %s)",
		      b2b_reason_name(verdict.reason), b2b_reason_name(reason),
		      policy->partner ? policy->partner : "-",
		      policy->defaults ? policy->defaults : "-");
}

#endif
