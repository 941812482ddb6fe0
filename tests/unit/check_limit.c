/*
 * check_limit.c - unit tests of limit.c: how many in a window, who shares one, what a full table says.
 * In: keys and moments.
 * Out: libcheck's summary.
 */
#include "limit.h"
#include "text.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW ((time_t)1800000000)
#define THREADS 16

static struct b2b_limits *make(size_t keys)
{
	struct b2b_limits *limits = b2b_limits_new(keys);

	ck_assert_ptr_nonnull(limits);
	return limits;
}

static bool take(struct b2b_limits *limits, const char *key, unsigned most, time_t now)
{
	return b2b_limits_take(limits, "guest", b2b_str_of(key), most, 60, now);
}

/* How many of 10 are taken. */
static unsigned take_ten(struct b2b_limits *limits, const char *key, unsigned most, time_t now)
{
	unsigned taken = 0;

	for (int i = 0; i < 10; i++)
		taken += take(limits, key, most, now);
	return taken;
}

START_TEST(test_limits_new__sizes)
{
	struct b2b_limits *limits;

	ck_assert_ptr_null(b2b_limits_new(0));
	ck_assert_ptr_null(b2b_limits_new(UINT32_MAX));
	ck_assert_ptr_null(b2b_limits_new(SIZE_MAX));
	limits = make(1);
	b2b_limits_free(&limits);
	ck_assert_ptr_null(limits);
	b2b_limits_free(&limits);
	b2b_limits_free(NULL);
}
END_TEST

START_TEST(test_limits_take__window)
{
	struct b2b_limits *limits = make(8);

	ck_assert_uint_eq(take_ten(limits, "a", 3, NOW), 3);
	ck_assert_uint_eq(take_ten(limits, "a", 3, NOW + 59), 0);
	ck_assert_uint_eq(take_ten(limits, "a", 3, NOW + 60), 3);
	/* the window is the first one's, refusals do not make it longer */
	ck_assert_uint_eq(take_ten(limits, "a", 3, NOW + 119), 0);
	ck_assert(take(limits, "a", 3, NOW + 120));
	ck_assert(take(limits, "a", 3, NOW + 179));
	ck_assert(take(limits, "a", 3, NOW + 179));
	ck_assert(!take(limits, "a", 3, NOW + 179));
	ck_assert_uint_eq(take_ten(limits, "b", 1, NOW), 1);
	b2b_limits_free(&limits);
}
END_TEST

START_TEST(test_limits_take__nothing_is_no)
{
	struct b2b_limits *limits = make(8);

	ck_assert(!b2b_limits_take(NULL, "k", b2b_str_of("a"), 1, 60, NOW));
	ck_assert(!b2b_limits_take(limits, "k", b2b_str_of("a"), 0, 60, NOW));
	ck_assert(!b2b_limits_take(limits, "k", b2b_str_of("a"), 1, 0, NOW));
	ck_assert(!b2b_limits_take(limits, "k", b2b_str_of("a"), 1, 60, 0));
	ck_assert(b2b_limits_take(limits, "k", b2b_str_of("a"), 1, 60, NOW));
	b2b_limits_free(&limits);
}
END_TEST

/* Where kind ends and key begins counts, and every byte of a key does. */
START_TEST(test_limits_take__keys_apart)
{
	struct b2b_limits *limits = make(64);
	struct b2b_str nul = { "a\0b", 3 }, other = { "a\0c", 3 };

	ck_assert(b2b_limits_take(limits, "ab", b2b_str_of("c"), 1, 60, NOW));
	ck_assert(b2b_limits_take(limits, "a", b2b_str_of("bc"), 1, 60, NOW));
	ck_assert(b2b_limits_take(limits, "a", b2b_str_of("BC"), 1, 60, NOW));
	ck_assert(b2b_limits_take(limits, "", b2b_str_of("abc"), 1, 60, NOW));
	ck_assert(b2b_limits_take(limits, "abc", b2b_str_of(""), 1, 60, NOW));
	ck_assert(b2b_limits_take(limits, "a", nul, 1, 60, NOW));
	ck_assert(b2b_limits_take(limits, "a", other, 1, 60, NOW));
	ck_assert(b2b_limits_take(limits, "a", b2b_str_of("bc"), 1, 3600, NOW)); /* by the hour */
	ck_assert(!b2b_limits_take(limits, "a", b2b_str_of("bc"), 1, 60, NOW));
	ck_assert(!b2b_limits_take(limits, "a", nul, 1, 60, NOW));
	ck_assert(!b2b_limits_take(limits, "a", b2b_str_of("bc"), 1, 3600, NOW + 60));
	b2b_limits_free(&limits);
}
END_TEST

/* Whoever fills the table is refused, and locks nobody out who stands in it; once windows are over
 * their places are used again. */
START_TEST(test_limits_take__full)
{
	struct b2b_limits *limits = make(100);
	char key[16];

	for (int round = 0; round < 3; round++) {
		time_t now = NOW + round * 1000;

		for (int i = 0; i < 100; i++) {
			snprintf(key, sizeof key, "%d-%d", round, i);
			ck_assert_msg(take(limits, key, 2, now + i % 10), "%s", key);
		}
		ck_assert(!take(limits, "late", 2, now + 9));
		ck_assert(!take(limits, "late", 2, now + 59));
		snprintf(key, sizeof key, "%d-5", round);
		ck_assert(take(limits, key, 2, now + 9));
		ck_assert(!take(limits, key, 2, now + 9));
		/* ten windows are over: ten places, and not eleven */
		for (int i = 0; i < 11; i++) {
			snprintf(key, sizeof key, "late-%d-%d", round, i);
			ck_assert_msg(take(limits, key, 2, now + 60) == (i < 10), "%s", key);
		}
	}
	b2b_limits_free(&limits);
}
END_TEST

/* A clock that ran a year ahead does not lock anybody out for a year. */
START_TEST(test_limits_take__clock_steps_back)
{
	struct b2b_limits *limits = make(1);

	ck_assert(take(limits, "a", 1, NOW + 31536000));
	ck_assert(!take(limits, "b", 1, NOW + 31536000));
	ck_assert(take(limits, "b", 1, NOW));
	ck_assert(!take(limits, "b", 1, NOW));
	ck_assert(!take(limits, "c", 1, NOW + 59));
	ck_assert(take(limits, "c", 1, NOW + 60));
	b2b_limits_free(&limits);
	limits = make(8);
	ck_assert(take(limits, "a", 1, NOW + 31536000));
	ck_assert(take(limits, "a", 1, NOW));
	ck_assert(!take(limits, "a", 1, NOW));
	b2b_limits_free(&limits);
}
END_TEST

START_TEST(test_limits_give_back__open_window)
{
	struct b2b_limits *limits = make(8);

	b2b_limits_give_back(NULL, "guest", b2b_str_of("a"), 60, NOW);
	b2b_limits_give_back(limits, "guest", b2b_str_of("a"), 60, NOW);
	ck_assert_uint_eq(take_ten(limits, "a", 2, NOW), 2); /* nothing was in advance */
	b2b_limits_give_back(limits, "guest", b2b_str_of("a"), 60, NOW + 59);
	b2b_limits_give_back(limits, "other", b2b_str_of("a"), 60, NOW + 59);
	ck_assert_uint_eq(take_ten(limits, "a", 2, NOW + 59), 1);
	for (int i = 0; i < 5; i++)
		b2b_limits_give_back(limits, "guest", b2b_str_of("a"), 60, NOW + 59);
	ck_assert_uint_eq(take_ten(limits, "a", 2, NOW + 59), 2);
	b2b_limits_give_back(limits, "guest", b2b_str_of("a"), 60, NOW + 60);
	ck_assert_uint_eq(take_ten(limits, "a", 2, NOW + 60), 2);
	b2b_limits_free(&limits);
}
END_TEST

struct worker {
	struct b2b_limits *limits;
	unsigned taken;
};

static void *work(void *arg)
{
	struct worker *worker = arg;
	char key[16];

	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof key, "%d", i % 20);
		worker->taken +=
			b2b_limits_take(worker->limits, "t", b2b_str_of(key), 500, 60, NOW + i % 2);
	}
	return NULL;
}

/* 16 threads want 1600 of each of 20 keys, and get 500. */
START_TEST(test_limits_take__threads)
{
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	struct b2b_limits *limits = make(20);
	unsigned taken = 0;

	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ limits, 0 };
		ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		taken += workers[i].taken;
	}
	ck_assert_uint_eq(taken, 20 * 500);
	b2b_limits_free(&limits);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("limit");
	TCase *tcase = tcase_create("limit");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_limits_new__sizes);
	tcase_add_test(tcase, test_limits_take__window);
	tcase_add_test(tcase, test_limits_take__nothing_is_no);
	tcase_add_test(tcase, test_limits_take__keys_apart);
	tcase_add_test(tcase, test_limits_take__full);
	tcase_add_test(tcase, test_limits_take__clock_steps_back);
	tcase_add_test(tcase, test_limits_give_back__open_window);
	tcase_add_test(tcase, test_limits_take__threads);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
