/*
 * check_decide_view.c - unit tests of what a guest may see: access levels, and what bounds labels.
 * In: policies and guests as text.  Out: libcheck's summary.
 */
#include "scene.h"

#include <stdio.h>

#define ORDER "b2bLabelOrder: {0}Public\nb2bLabelOrder: {1}General\nb2bLabelOrder: {2}Secret\n"
#define RANKS 3u

static const char *const labels[RANKS] = { "Public", "General", "Secret" };

/* --- access levels --- */

static const char *const levels[] = { "restricted", "limited", "member" };

/* One of them, or nothing for the fourth. */
static const char *line_of(char *buffer, size_t size, const char *before, size_t level)
{
	snprintf(buffer, size, "%s%s%s", before, level < COUNT(levels) ? "\nb2bGuestAccess: " : "",
		 level < COUNT(levels) ? levels[level] : "");
	return buffer;
}

static enum b2b_guest_access level_of(const char *tenant, const char *partner, const char *guest)
{
	struct policy policy = { tenant, NULL, partner, NULL };
	struct scene scene = set_scene(&policy);
	struct test_entry entry;
	struct b2b_source source = test_source(&entry, GUEST_DN, guest);
	enum b2b_guest_access level;

	b2b_guest_parse(&source, &scene.guest, NULL);
	level = b2b_decide_access_level(scene.snapshot, &scene.guest);
	b2b_snapshot_unref(&scene.snapshot);
	return level;
}

/* The guest's word, else the partner's, else the tenant's, else limited: all that they can say. */
START_TEST(test_access_level__all_combinations)
{
	char tenant[80], partner[80], guest[80];

	for (size_t t = 0; t <= COUNT(levels); t++)
		for (size_t p = 0; p <= COUNT(levels); p++)
			for (size_t g = 0; g <= COUNT(levels); g++) {
				size_t wanted = g < COUNT(levels)   ? g
						: p < COUNT(levels) ? p
						: t < COUNT(levels) ? t
								    : 1;

				line_of(tenant, sizeof tenant, "cn: b2b", t);
				line_of(partner, sizeof partner, "b2bTenantId: fab", p);
				line_of(guest, sizeof guest, "b2bHomeTenant: fab", g);
				ck_assert_msg(level_of(tenant, partner, guest) ==
						      (enum b2b_guest_access)wanted,
					      "%zu %zu %zu", t, p, g);
			}
}
END_TEST

/* What cannot be read, or is not there, is restricted, whatever the others say. */
START_TEST(test_access_level__unclear_is_restricted)
{
	static const char all[] = "b2bGuestAccess: member";
	static const char fab[] = "b2bTenantId: fab\nb2bGuestAccess: member";
	static const char home[] = "b2bHomeTenant: fab\nb2bGuestAccess: member";
	static const struct {
		const char *tenant, *partner, *guest;
	} cases[] = {
		{ all, fab, "b2bHomeTenant: fab\nb2bGuestAccess: all" },
		{ all, fab, "b2bHomeTenant: fab\nb2bGuestAccess: member\nb2bGuestAccess: limited" },
		{ all, "b2bTenantId: fab\nb2bGuestAccess: all", home },
		{ all, "b2bTenantId: fab\nb2bIdp: pigeon", home },
		{ "b2bGuestAccess: all", fab, home },
		{ NULL, fab, home },
		{ all, NULL, home },
		{ all, fab, "b2bGuestAccess: member" },
		{ all, fab, "b2bHomeTenant: other\nb2bGuestAccess: member" },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(level_of(cases[i].tenant, cases[i].partner, cases[i].guest) ==
				      B2B_SEES_RESTRICTED,
			      "%zu", i);
	ck_assert_int_eq(level_of(all, fab, home), B2B_SEES_MEMBER);
	ck_assert_int_eq(b2b_decide_access_level(NULL, NULL), B2B_SEES_RESTRICTED);
}
END_TEST

/* --- what bounds labels --- */

struct caps { /* a rank, RANKS for one that nobody knows, RANKS + 1 for none */
	uint32_t clearance, partner, app, verdict;
};

static const char *cap_line(char *buffer, size_t size, const char *before, uint32_t cap)
{
	snprintf(buffer, size, "%s%s", before, cap < RANKS ? labels[cap] : "Unheard");
	return buffer;
}

/* The rank to which a cap of the policy bounds. */
static uint32_t bound_of(uint32_t cap)
{
	if (cap == RANKS)
		return 0;
	return cap < RANKS ? cap : B2B_RANK_UNKNOWN;
}

static uint32_t lowest(const struct caps *caps)
{
	uint32_t all[] = { caps->clearance > RANKS ? 0 : bound_of(caps->clearance),
			   bound_of(caps->partner), bound_of(caps->app), caps->verdict };
	uint32_t least = all[0];

	for (size_t i = 1; i < COUNT(all); i++)
		least = all[i] < least ? all[i] : least;
	return least;
}

static void expect_caps(const struct caps *caps)
{
	char partner[80], app[80], clearance[20] = "";
	struct policy policy = { ORDER "cn: b2b", NULL, "b2bTenantId: fab", "cn: wiki" };
	struct scene scene;
	uint32_t reach;

	if (caps->partner <= RANKS)
		policy.partner = cap_line(partner, sizeof partner,
					  "b2bTenantId: fab\nb2bMaxLabel: ", caps->partner);
	if (caps->app <= RANKS)
		policy.app = cap_line(app, sizeof app, "cn: wiki\nb2bAppMaxLabel: ", caps->app);
	if (caps->clearance <= RANKS)
		cap_line(clearance, sizeof clearance, "", caps->clearance);
	scene = set_scene(&policy);
	scene.guest.clearance = b2b_str_of(clearance);
	ck_assert(b2b_decide_reach(scene.snapshot, &scene.guest, scene.app, caps->verdict, &reach));
	ck_assert_msg(reach == lowest(caps), "%u %u %u %u: %u", caps->clearance, caps->partner,
		      caps->app, caps->verdict, reach);
	for (uint32_t rank = 0; rank < RANKS; rank++)
		ck_assert(b2b_decide_label(scene.snapshot, &scene.guest, scene.app, caps->verdict,
					   b2b_str_of(labels[rank])) == (rank <= lowest(caps)));
	ck_assert(!b2b_decide_label(scene.snapshot, &scene.guest, scene.app, caps->verdict,
				    b2b_str_of("Unheard")));
	b2b_snapshot_unref(&scene.snapshot);
}

/* Clearance, partner, application, verdict: whichever is the lowest, whatever the others say. */
START_TEST(test_reach__lowest_cap_wins)
{
	static const uint32_t verdicts[] = { 0, 1, 2, B2B_RANK_UNKNOWN };

	for (uint32_t c = 0; c <= RANKS + 1; c++)
		for (uint32_t p = 0; p <= RANKS + 1; p++)
			for (uint32_t a = 0; a <= RANKS + 1; a++)
				for (size_t v = 0; v < COUNT(verdicts); v++) {
					struct caps caps = { c, p, a, verdicts[v] };

					expect_caps(&caps);
				}
}
END_TEST

/* Without partner or application that could be read nothing is seen at all. */
START_TEST(test_reach__unclear_sees_nothing)
{
	static const struct policy cases[] = {
		{ ORDER "cn: b2b", NULL, NULL, "cn: wiki" },
		{ ORDER "cn: b2b", NULL, "b2bTenantId: fab\nb2bIdp: pigeon", "cn: wiki" },
		{ ORDER "cn: b2b", NULL, "b2bTenantId: other", "cn: wiki" },
		{ ORDER "cn: b2b", NULL, "b2bTenantId: fab", "cn: wiki\nb2bAppPeer: x" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene scene = set_scene(&cases[i]);
		uint32_t reach = 7;

		scene.guest.clearance = b2b_str_of("Secret");
		ck_assert_msg(!b2b_decide_reach(scene.snapshot, &scene.guest, scene.app,
						B2B_RANK_UNKNOWN, &reach),
			      "%zu", i);
		ck_assert_uint_eq(reach, 0);
		ck_assert(!b2b_decide_label(scene.snapshot, &scene.guest, scene.app,
					    B2B_RANK_UNKNOWN, b2b_str_of("Public")));
		b2b_snapshot_unref(&scene.snapshot);
	}
}
END_TEST

/* --- labels of attribute types --- */

START_TEST(test_rule_compile__attribute_labels)
{
	struct b2b_rule *rule =
		test_rule(B2B_RULE_TENANT, "cn=b2b",
			  "b2bLabelOrder: {0}Public\nb2bLabelOrder: {1}Highly Confidential\n"
			  "b2bAttributeLabel: telephoneNumber=Highly Confidential\n"
			  "b2bAttributeLabel: homePhone Highly Confidential\n"
			  "b2bAttributeLabel: 2.5.4.13: public\n"
			  "b2bAttributeLabel: x-y-1  = Public");
	const struct b2b_tenant_policy *tenant = &rule->u.tenant;
	static const char *const wanted[][2] = { { "telephoneNumber", "Highly Confidential" },
						 { "homePhone", "Highly Confidential" },
						 { "2.5.4.13", "public" },
						 { "x-y-1", "Public" } };

	ck_assert_uint_eq(tenant->attribute_label_count, COUNT(wanted));
	for (size_t i = 0; i < COUNT(wanted); i++) {
		ck_assert_str_eq(tenant->attribute_labels[i].type, wanted[i][0]);
		ck_assert_str_eq(tenant->attribute_labels[i].label, wanted[i][1]);
	}
	b2b_rule_unref(&rule);
}
END_TEST

START_TEST(test_rule_compile__attribute_labels_refused)
{
	static const struct {
		const char *lines, *words;
	} cases[] = {
		{ ORDER "b2bAttributeLabel: mail", "b2bAttributeLabel: value \"mail\"" },
		{ ORDER "b2bAttributeLabel: mail=", "b2bAttributeLabel" },
		{ ORDER "b2bAttributeLabel: =Secret", "b2bAttributeLabel" },
		{ ORDER "b2bAttributeLabel:  Secret", "b2bAttributeLabel" },
		{ ORDER "b2bAttributeLabel: cn;lang-de=Secret", "b2bAttributeLabel" },
		{ ORDER "b2bAttributeLabel: cn_x=Secret", "b2bAttributeLabel" },
		{ ORDER "b2bAttributeLabel: mail==Secret", "b2bLabelOrder" },
		{ ORDER "b2bAttributeLabel: mail=Unheard", "b2bLabelOrder" },
		{ "b2bAttributeLabel: mail=Public", "b2bLabelOrder" },
		{ ORDER "b2bAttributeLabel: mail=Secret\nb2bAttributeLabel: MAIL Public",
		  "second time" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b2b_rule *rule = test_broken(B2B_RULE_TENANT, "cn=it", cases[i].lines);

		ck_assert_msg(strstr(rule->error.text, cases[i].words) != NULL, "%zu: %s", i,
			      rule->error.text);
		b2b_rule_unref(&rule);
	}
}
END_TEST

START_TEST(test_rule_compile__partner_caps)
{
	struct b2b_rule *rule = test_rule(B2B_RULE_PARTNER, PARTNER_DN,
					  "b2bTenantId: fab\nb2bMaxLabel: General\n"
					  "b2bGuestAccess: Restricted");

	ck_assert_str_eq(rule->u.partner.max_label, "General");
	ck_assert(rule->u.partner.guest_level.set);
	ck_assert_int_eq(rule->u.partner.guest_level.access, B2B_SEES_RESTRICTED);
	b2b_rule_unref(&rule);
	rule = test_broken(B2B_RULE_PARTNER, PARTNER_DN, "b2bTenantId: fab\nb2bGuestAccess: all");
	ck_assert_msg(strstr(rule->error.text, "b2bGuestAccess: value \"all\"") != NULL, "%s",
		      rule->error.text);
	b2b_rule_unref(&rule);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide_view");
	TCase *tcase = tcase_create("view");

	tcase_add_test(tcase, test_access_level__all_combinations);
	tcase_add_test(tcase, test_access_level__unclear_is_restricted);
	tcase_add_test(tcase, test_reach__lowest_cap_wins);
	tcase_add_test(tcase, test_reach__unclear_sees_nothing);
	tcase_add_test(tcase, test_rule_compile__attribute_labels);
	tcase_add_test(tcase, test_rule_compile__attribute_labels_refused);
	tcase_add_test(tcase, test_rule_compile__partner_caps);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
