/*
 * check_breaker.c - the circuit breaker, with a clock of the test's own.
 * In: overlay/core/breaker.h.  Out: TAP or text by libcheck; non-zero exit on failure.
 */
#include "breaker.h"

#include <check.h>
#include <stdlib.h>

#define START 1000000u

/* Enters and reports; false if it was not let in. */
static bool attempt(struct b2b_breaker *breaker, uint64_t now, bool works)
{
	b2b_breaker_ticket ticket = b2b_breaker_enter(breaker, now);

	if (!ticket)
		return false;
	if (works)
		b2b_breaker_success(breaker, ticket);
	else
		b2b_breaker_fault(breaker, ticket, now);
	return true;
}

static struct b2b_breaker opened(void)
{
	struct b2b_breaker breaker = { 0 };

	for (int i = 0; i < B2B_BREAKER_FAULTS; i++)
		ck_assert(attempt(&breaker, START, false));
	return breaker;
}

START_TEST(test_b2b_breaker_enter__zeroed_is_closed)
{
	struct b2b_breaker breaker = { 0 };

	ck_assert(b2b_breaker_is_ready(&breaker, 0));
	ck_assert_uint_ne(b2b_breaker_enter(&breaker, 0), 0);
	ck_assert_int_eq(breaker.state, B2B_BREAKER_CLOSED);
}
END_TEST

START_TEST(test_b2b_breaker_fault__three_in_a_row_open)
{
	struct b2b_breaker breaker = { 0 };

	ck_assert(attempt(&breaker, START, false));
	ck_assert(attempt(&breaker, START, false));
	ck_assert(attempt(&breaker, START, true));
	ck_assert(attempt(&breaker, START, false));
	ck_assert(attempt(&breaker, START, false));
	ck_assert_int_eq(breaker.state, B2B_BREAKER_CLOSED);
	ck_assert(attempt(&breaker, START, false));
	ck_assert_int_eq(breaker.state, B2B_BREAKER_OPEN);
	ck_assert(!b2b_breaker_is_ready(&breaker, START));
	ck_assert_uint_eq(b2b_breaker_enter(&breaker, START), 0);
	ck_assert(!attempt(&breaker, START + B2B_BREAKER_PAUSE_MS - 1, true));
}
END_TEST

START_TEST(test_b2b_breaker_enter__one_probe_only)
{
	struct b2b_breaker breaker = opened();
	uint64_t later = START + B2B_BREAKER_PAUSE_MS;
	b2b_breaker_ticket probe = b2b_breaker_enter(&breaker, later);

	ck_assert_uint_ne(probe, 0);
	ck_assert_int_eq(breaker.state, B2B_BREAKER_HALF_OPEN);
	ck_assert(!b2b_breaker_is_ready(&breaker, later));
	ck_assert_uint_eq(b2b_breaker_enter(&breaker, later), 0);
	b2b_breaker_success(&breaker, probe);
	ck_assert_int_eq(breaker.state, B2B_BREAKER_CLOSED);
	ck_assert(attempt(&breaker, later, true));
}
END_TEST

START_TEST(test_b2b_breaker_fault__pause_doubles_up_to_the_most)
{
	static const uint64_t pauses[] = { 10000, 20000, 40000, 60000, 60000 };
	struct b2b_breaker breaker = opened();
	uint64_t now = START;

	for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
		ck_assert_uint_eq(breaker.pause_ms, pauses[i]);
		ck_assert(!attempt(&breaker, now + pauses[i] - 1, true));
		now += pauses[i];
		ck_assert(attempt(&breaker, now, false));
		ck_assert_int_eq(breaker.state, B2B_BREAKER_OPEN);
	}
}
END_TEST

START_TEST(test_b2b_breaker_success__next_opening_is_short_again)
{
	struct b2b_breaker breaker = opened();
	uint64_t now = START + B2B_BREAKER_PAUSE_MS;

	ck_assert(attempt(&breaker, now, false)); /* 20 s */
	now += 20000;
	ck_assert(attempt(&breaker, now, true));
	for (int i = 0; i < B2B_BREAKER_FAULTS; i++)
		ck_assert(attempt(&breaker, now, false));
	ck_assert_uint_eq(breaker.pause_ms, B2B_BREAKER_PAUSE_MS);
}
END_TEST

START_TEST(test_b2b_breaker_fault__late_reports_change_nothing)
{
	struct b2b_breaker breaker = { 0 };
	b2b_breaker_ticket early = b2b_breaker_enter(&breaker, START), probe;

	for (int i = 0; i < B2B_BREAKER_FAULTS; i++)
		ck_assert(attempt(&breaker, START, false));
	b2b_breaker_success(&breaker, early);
	ck_assert_int_eq(breaker.state, B2B_BREAKER_OPEN);
	b2b_breaker_fault(&breaker, early, START + 5000);
	ck_assert_uint_eq(breaker.until_ms, START + B2B_BREAKER_PAUSE_MS);
	probe = b2b_breaker_enter(&breaker, START + B2B_BREAKER_PAUSE_MS);
	ck_assert_uint_ne(probe, 0);
	b2b_breaker_fault(&breaker, early, START + B2B_BREAKER_PAUSE_MS);
	b2b_breaker_success(&breaker, early);
	ck_assert_int_eq(breaker.state, B2B_BREAKER_HALF_OPEN);
	b2b_breaker_success(&breaker, 0);
	b2b_breaker_fault(&breaker, 0, START);
	ck_assert_int_eq(breaker.state, B2B_BREAKER_HALF_OPEN);
}
END_TEST

START_TEST(test_b2b_breaker_cancel__lets_the_next_one_probe)
{
	struct b2b_breaker breaker = opened();
	uint64_t later = START + B2B_BREAKER_PAUSE_MS;
	b2b_breaker_ticket probe = b2b_breaker_enter(&breaker, later);

	b2b_breaker_cancel(&breaker, probe, later);
	ck_assert_int_eq(breaker.state, B2B_BREAKER_OPEN);
	ck_assert_uint_eq(breaker.pause_ms, B2B_BREAKER_PAUSE_MS);
	ck_assert(attempt(&breaker, later, true));
	ck_assert_int_eq(breaker.state, B2B_BREAKER_CLOSED);

	/* while closed it counts neither for nor against */
	ck_assert(attempt(&breaker, later, false));
	ck_assert(attempt(&breaker, later, false));
	b2b_breaker_cancel(&breaker, b2b_breaker_enter(&breaker, later), later);
	ck_assert_int_eq(breaker.state, B2B_BREAKER_CLOSED);
	ck_assert(attempt(&breaker, later, false));
	ck_assert_int_eq(breaker.state, B2B_BREAKER_OPEN);
}
END_TEST

START_TEST(test_b2b_breaker_enter__a_lost_probe_is_replaced)
{
	struct b2b_breaker breaker = opened();
	uint64_t later = START + B2B_BREAKER_PAUSE_MS;
	b2b_breaker_ticket lost = b2b_breaker_enter(&breaker, later), second;

	ck_assert_uint_eq(b2b_breaker_enter(&breaker, later + B2B_BREAKER_PAUSE_MAX_MS - 1), 0);
	second = b2b_breaker_enter(&breaker, later + B2B_BREAKER_PAUSE_MAX_MS);
	ck_assert_uint_ne(second, 0);
	ck_assert_uint_ne(second, lost);
	b2b_breaker_success(&breaker, lost);
	ck_assert_int_eq(breaker.state, B2B_BREAKER_HALF_OPEN);
	b2b_breaker_success(&breaker, second);
	ck_assert_int_eq(breaker.state, B2B_BREAKER_CLOSED);
}
END_TEST

START_TEST(test_b2b_breaker_enter__rounds_wrap_without_a_zero_ticket)
{
	struct b2b_breaker breaker = { .round = UINT32_MAX - 1 };

	for (int i = 0; i < 4; i++) {
		ck_assert_uint_ne(b2b_breaker_enter(&breaker, START), 0);
		breaker.round++;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("breaker");
	TCase *tcase = tcase_create("breaker");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_b2b_breaker_enter__zeroed_is_closed);
	tcase_add_test(tcase, test_b2b_breaker_fault__three_in_a_row_open);
	tcase_add_test(tcase, test_b2b_breaker_enter__one_probe_only);
	tcase_add_test(tcase, test_b2b_breaker_fault__pause_doubles_up_to_the_most);
	tcase_add_test(tcase, test_b2b_breaker_success__next_opening_is_short_again);
	tcase_add_test(tcase, test_b2b_breaker_fault__late_reports_change_nothing);
	tcase_add_test(tcase, test_b2b_breaker_cancel__lets_the_next_one_probe);
	tcase_add_test(tcase, test_b2b_breaker_enter__a_lost_probe_is_replaced);
	tcase_add_test(tcase, test_b2b_breaker_enter__rounds_wrap_without_a_zero_ticket);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
