/*
 * check_policy_review.c - unit tests of policy_review.c: which definitions compile, which not.
 * In: entries as text.
 * Out: libcheck's summary.
 */
#include "entry.h"
#include "review.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

START_TEST(test_rule_compile__review_whole)
{
	struct b2b_rule *rule = test_rule(B2B_RULE_REVIEW, "cn=r,cn=reviews",
					  "b2bReviewScopeBase: ou=guests\n"
					  "b2bReviewScopeFilter: (mail=*)\n"
					  "b2bReviewScopePartner: Fab\n"
					  "b2bReviewScopePartner: contoso\n"
					  "b2bReviewScopeGroup: cn=g\n"
					  "b2bReviewScopeInactive: 30\n"
					  "b2bReviewBy: {2}uid=z,ou=p\n"
					  "b2bReviewBy: {0}Sponsor\n"
					  "b2bReviewBy: {1}owner\n"
					  "b2bReviewBy: {1}MANAGER\n"
					  "b2bReviewBy: {2}cn=a\n"
					  "b2bReviewBy: {2}self\n"
					  "b2bReviewFallback: uid=z\n"
					  "b2bReviewFallback: uid=a\n"
					  "b2bReviewRecurrence: Months=3\n"
					  "b2bReviewStart: 20300105000000Z\n"
					  "b2bReviewEnd: 20320105000000Z\n"
					  "b2bReviewOccurrences: 8\n"
					  "b2bReviewDuration: 7\n"
					  "b2bReviewReminder: 6\n"
					  "b2bReviewReminder: 1\n"
					  "b2bReviewReminder: 3\n"
					  "b2bReviewReminder: 2\n"
					  "b2bReviewJustify: FALSE\n"
					  "b2bReviewDefault: recommendation\n"
					  "b2bReviewOnDeny: Delete\n"
					  "b2bReviewRecommend: 60\n"
					  "b2bReviewInstructions: Be strict");
	const struct b2b_review_policy *policy = rule->u.review;

	ck_assert_str_eq(policy->scope_base, "ou=guests");
	ck_assert_str_eq(policy->scope_filter, "(mail=*)");
	ck_assert_str_eq(policy->scope_group, "cn=g");
	ck_assert_uint_eq(policy->scope_partners.count, 2);
	ck_assert_str_eq(policy->scope_partners.list[0], "fab");
	ck_assert_uint_eq(policy->scope_inactive_days, 30);
	ck_assert_uint_eq(policy->stage_count, 3);
	ck_assert_uint_eq(policy->stages[0].kinds, B2B_BY_SPONSOR);
	ck_assert_uint_eq(policy->stages[1].kinds, B2B_BY_MANAGER | B2B_BY_OWNER);
	ck_assert_uint_eq(policy->stages[2].kinds, B2B_BY_SELF);
	ck_assert_uint_eq(policy->stages[0].reviewers.count, 0);
	ck_assert_uint_eq(policy->stages[2].reviewers.count, 2);
	ck_assert_str_eq(policy->stages[2].reviewers.list[0], "uid=z,ou=p");
	ck_assert_uint_eq(policy->fallback.count, 2);
	ck_assert_str_eq(policy->fallback.list[0], "uid=a");
	ck_assert_int_eq(policy->unit, B2B_EVERY_MONTHS);
	ck_assert_uint_eq(policy->every, 3);
	ck_assert_int_eq(policy->start, 1893801600);
	ck_assert_int_eq(policy->end, 1956873600);
	ck_assert_uint_eq(policy->occurrences, 8);
	ck_assert_uint_eq(policy->duration_days, 7);
	ck_assert_mem_eq(policy->reminders, ((unsigned[4]){ 1, 2, 3, 6 }), 4 * sizeof(unsigned));
	ck_assert(!policy->justify);
	ck_assert_int_eq(policy->silence, B2B_SILENCE_RECOMMENDS);
	ck_assert_int_eq(policy->deny, B2B_DENY_DELETES);
	ck_assert_uint_eq(policy->recommend_days, 60);
	ck_assert_str_eq(policy->instructions, "Be strict");
	b2b_rule_unref(&rule);
}
END_TEST

START_TEST(test_rule_compile__review_least)
{
	struct b2b_rule *rule = test_rule(B2B_RULE_REVIEW, "cn=r", "b2bReviewBy: sponsor");
	const struct b2b_review_policy *policy = rule->u.review;

	ck_assert(!policy->scope_base && !policy->scope_group && !policy->scope_filter);
	ck_assert_uint_eq(policy->stage_count, 1);
	ck_assert_int_eq(policy->unit, B2B_EVERY_NEVER);
	ck_assert_int_eq(policy->start, 0);
	ck_assert_int_eq(policy->end, 0);
	ck_assert_uint_eq(policy->occurrences, 0);
	ck_assert_uint_eq(policy->duration_days, 14);
	ck_assert_uint_eq(policy->reminders[0], 0);
	ck_assert(policy->justify);
	ck_assert_int_eq(policy->silence, B2B_SILENCE_DENIES);
	ck_assert_int_eq(policy->deny, B2B_DENY_DISABLES);
	ck_assert_uint_eq(policy->recommend_days, 30);
	b2b_rule_unref(&rule);
	rule = test_rule(B2B_RULE_REVIEW, "cn=r",
			 "b2bReviewBy: owner\nb2bReviewBy: uid=x\nb2bReviewScopeGroup: cn=g\n"
			 "b2bReviewRecurrence: ONCE\nb2bReviewOccurrences: 1");
	ck_assert_int_eq(rule->u.review->deny, B2B_DENY_REMOVES);
	ck_assert_uint_eq(rule->u.review->stages[0].kinds, B2B_BY_OWNER);
	ck_assert_uint_eq(rule->u.review->stages[0].reviewers.count, 1);
	ck_assert_uint_eq(rule->u.review->stage_count, 1);
	b2b_rule_unref(&rule);
}
END_TEST

#define BY(lines) "b2bReviewBy: sponsor\n" lines

static const struct {
	const char *lines, *error; /* the beginning of the message */
} refused[] = {
	{ "b2bReviewDuration: 3", "b2bReviewBy: is missing" },
	{ "b2bReviewBy: ", "b2bReviewBy: value \"\" is empty" },
	{ "b2bReviewBy: {0}", "b2bReviewBy: value \"{0}\" has nothing" },
	{ "b2bReviewBy: sponsors", "b2bReviewBy: value \"sponsors\" is neither" },
	{ "b2bReviewBy: {0}boss", "b2bReviewBy: value \"{0}boss\" is neither" },
	{ "b2bReviewBy: {0}sponsor\nb2bReviewBy: {2}self",
	  "b2bReviewBy: value \"{2}self\" leaves a gap" },
	{ "b2bReviewBy: {1}sponsor", "b2bReviewBy: value \"{1}sponsor\" leaves a gap" },
	{ "b2bReviewBy: {0}self\nb2bReviewBy: {1}self\nb2bReviewBy: {2}self\nb2bReviewBy: {3}self",
	  "b2bReviewBy: value \"{3}self\" names none of the stages" },
	{ "b2bReviewBy: {999999999}self", "b2bReviewBy: value \"{999999999}self\" names none" },
	{ "b2bReviewBy: {0}sponsor\nb2bReviewBy: uid=x",
	  "b2bReviewBy: value \"uid=x\" has no {n} prefix" },
	{ "b2bReviewBy: owner", "b2bReviewBy: value \"owner\" needs a b2bReviewScopeGroup" },
	{ "b2bReviewBy: {0}self\nb2bReviewBy: {1}Owner", "b2bReviewBy: value \"{1}Owner\" needs" },
	{ BY("b2bReviewOnDeny: remove"), "b2bReviewOnDeny: value \"remove\" needs" },
	{ BY("b2bReviewOnDeny: nothing"), "b2bReviewOnDeny: value \"nothing\" is not a keyword" },
	{ BY("b2bReviewDefault: Nothing"), "b2bReviewDefault: value \"Nothing\" is not a keyword" },
	{ BY("b2bReviewDefault: DontKnow"), "b2bReviewDefault: value \"DontKnow\" is not" },
	{ BY("b2bReviewDefault: Recommendation\nb2bReviewRecommend: 0"),
	  "b2bReviewDefault: value \"Recommendation\" needs recommendations" },
	{ BY("b2bReviewRecommend: -1"), "b2bReviewRecommend: value \"-1\"" },
	{ BY("b2bReviewRecurrence: yearly"), "b2bReviewRecurrence: value \"yearly\" is neither" },
	{ BY("b2bReviewRecurrence: days"), "b2bReviewRecurrence: value \"days\" is neither" },
	{ BY("b2bReviewRecurrence: days="), "b2bReviewRecurrence: value \"days=\" is neither" },
	{ BY("b2bReviewRecurrence: days=0"), "b2bReviewRecurrence: value \"days=0\" is neither" },
	{ BY("b2bReviewRecurrence: days=367"), "b2bReviewRecurrence: value \"days=367\"" },
	{ BY("b2bReviewRecurrence: days=-1"), "b2bReviewRecurrence: value \"days=-1\"" },
	{ BY("b2bReviewRecurrence: weeks=1 "), "b2bReviewRecurrence: value \"weeks=1 \"" },
	{ BY("b2bReviewRecurrence: months=1.5"), "b2bReviewRecurrence: value \"months=1.5\"" },
	{ BY("b2bReviewRecurrence: months=99999999999"), "b2bReviewRecurrence: value \"months=" },
	{ BY("b2bReviewRecurrence: days=13"),
	  "b2bReviewRecurrence: value \"days=13\" comes again before 14 days" },
	{ "b2bReviewBy: {0}self\nb2bReviewBy: {1}self\nb2bReviewDuration: 4\n"
	  "b2bReviewRecurrence: weeks=1",
	  "b2bReviewRecurrence: value \"weeks=1\" comes again before 8 days" },
	{ BY("b2bReviewRecurrence: months=1\nb2bReviewDuration: 32"),
	  "b2bReviewRecurrence: value \"months=1\" comes again" },
	{ BY("b2bReviewStart: tomorrow"), "b2bReviewStart: value \"tomorrow\" is not a time" },
	{ BY("b2bReviewEnd: 2030"), "b2bReviewEnd: value \"2030\" is not a time" },
	{ BY("b2bReviewStart: 20300101000000Z\nb2bReviewEnd: 20300101000000Z"),
	  "b2bReviewEnd: value \"20300101000000Z\" does not come after" },
	{ BY("b2bReviewStart: 20300101000000Z\nb2bReviewEnd: 20291231000000Z"), "b2bReviewEnd:" },
	{ BY("b2bReviewOccurrences: 0"),
	  "b2bReviewOccurrences: value \"0\" is not a number from 1" },
	{ BY("b2bReviewOccurrences: 10000"), "b2bReviewOccurrences: value \"10000\"" },
	{ BY("b2bReviewOccurrences: 2"), "b2bReviewOccurrences: value \"2\" is more than" },
	{ BY("b2bReviewDuration: 0"), "b2bReviewDuration: value \"0\" is not a number from 1" },
	{ BY("b2bReviewDuration: 367"), "b2bReviewDuration: value \"367\"" },
	{ BY("b2bReviewReminder: 0"), "b2bReviewReminder: value \"0\" is not a number from 1" },
	{ BY("b2bReviewReminder: 14"), "b2bReviewReminder: value \"14\" is not shorter" },
	{ BY("b2bReviewDuration: 3\nb2bReviewReminder: 1\nb2bReviewReminder: 3"),
	  "b2bReviewReminder: value \"3\" is not shorter" },
	{ BY("b2bReviewReminder: 1\nb2bReviewReminder: 2\nb2bReviewReminder: 3\n"
	     "b2bReviewReminder: 4\nb2bReviewReminder: 5"),
	  "b2bReviewReminder: value \"5\" is one more than the four" },
	{ BY("b2bReviewJustify: yes"), "b2bReviewJustify: value \"yes\" is neither" },
	{ BY("b2bReviewScopeInactive: many"), "b2bReviewScopeInactive: value \"many\"" },
	{ BY("b2bReviewScopePartner: "), "b2bReviewScopePartner: value \"\" is empty" },
	{ BY("b2bReviewScopeFilter: "), "b2bReviewScopeFilter: value \"\" is empty" },
	{ BY("b2bReviewFallback: "), "b2bReviewFallback: value \"\" is empty" },
	{ BY("b2bReviewInstructions: "), "b2bReviewInstructions: value \"\" is empty" },
};

START_TEST(test_rule_compile__review_refused)
{
	struct test_entry entry;
	struct b2b_source source = test_source(&entry, "cn=it", refused[_i].lines);
	struct b2b_error error;
	struct b2b_rule *rule;

	ck_assert_msg(b2b_rule_compile(B2B_RULE_REVIEW, &source, &rule, &error) == B2B_ERR_INVALID,
		      "accepted: %s", refused[_i].lines);
	ck_assert_msg(strncmp(error.text, refused[_i].error, strlen(refused[_i].error)) == 0,
		      "%s, not %s", error.text, refused[_i].error);
	ck_assert(rule->invalid && rule->kind == B2B_RULE_REVIEW);
	b2b_rule_unref(&rule);
}
END_TEST

/* What cannot be read never makes a review milder than it is by default. */
START_TEST(test_rule_compile__review_broken_is_strict)
{
	struct b2b_rule *rule = test_broken(B2B_RULE_REVIEW, "cn=r",
					    "b2bReviewDefault: yes\nb2bReviewJustify: no\n"
					    "b2bReviewOnDeny: x\nb2bReviewRecommend: x");

	ck_assert_int_eq(rule->u.review->silence, B2B_SILENCE_DENIES);
	ck_assert(rule->u.review->justify);
	ck_assert_int_eq(rule->u.review->deny, B2B_DENY_DISABLES);
	ck_assert_uint_eq(rule->u.review->stage_count, 0);
	b2b_rule_unref(&rule);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_review");
	TCase *tcase = tcase_create("compile");

	tcase_add_test(tcase, test_rule_compile__review_whole);
	tcase_add_test(tcase, test_rule_compile__review_least);
	tcase_add_loop_test(tcase, test_rule_compile__review_refused, 0, (int)COUNT(refused));
	tcase_add_test(tcase, test_rule_compile__review_broken_is_strict);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
