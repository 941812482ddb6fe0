/*
 * check_replay.c - unit tests of replay.c: one use is fresh, nothing living is pushed out.
 * In: issuers, ids and moments.
 * Out: libcheck's summary.
 */
#include "replay.h"
#include "text.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW ((time_t)1800000000)
#define THREADS 16
#define IDS 400

static enum b2b_replay_answer use(struct b2b_replay *replay, const char *issuer, const char *id,
				  time_t now, time_t until)
{
	return b2b_replay_use(replay, b2b_str_of(issuer), b2b_str_of(id), now, until);
}

static struct b2b_replay *make(size_t shards, size_t entries)
{
	struct b2b_replay *replay = b2b_replay_new(shards, entries);

	ck_assert_ptr_nonnull(replay);
	return replay;
}

START_TEST(test_replay_new__sizes)
{
	static const struct {
		size_t shards, entries;
		bool good;
	} cases[] = { { 1, 16, true },
		      { 8, 4096, true },
		      { 0, 16, false },
		      { 3, 16, false },
		      { 1, 0, false },
		      { 1, 15, false },
		      { 1, 17, false },
		      { 2, 24, false },
		      { SIZE_MAX, 16, false },
		      { SIZE_MAX / 2 + 1, 16, false },
		      { 1, SIZE_MAX / 16 * 16, false } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct b2b_replay *replay = b2b_replay_new(cases[i].shards, cases[i].entries);

		ck_assert_msg((replay != NULL) == cases[i].good, "%zu, %zu", cases[i].shards,
			      cases[i].entries);
		b2b_replay_free(&replay);
		ck_assert_ptr_null(replay);
	}
	b2b_replay_free(NULL);
}
END_TEST

START_TEST(test_replay_use__once)
{
	struct b2b_replay *replay = make(1, 64);

	ck_assert_int_eq(use(replay, "a", "1", NOW, NOW + 10), B2B_REPLAY_FRESH);
	ck_assert_int_eq(use(replay, "a", "1", NOW, NOW + 10), B2B_REPLAY_SEEN);
	ck_assert_int_eq(use(replay, "a", "1", NOW, NOW + 99), B2B_REPLAY_SEEN);
	ck_assert_int_eq(use(replay, "a", "2", NOW, NOW + 10), B2B_REPLAY_FRESH);
	ck_assert_int_eq(use(replay, "b", "1", NOW, NOW + 10), B2B_REPLAY_FRESH);
	/* what issuer and id are together does not say where one ends */
	ck_assert_int_eq(use(replay, "ab", "1", NOW, NOW + 10), B2B_REPLAY_FRESH);
	ck_assert_int_eq(use(replay, "a", "b1", NOW, NOW + 10), B2B_REPLAY_FRESH);
	ck_assert_int_eq(use(replay, "", "", NOW, NOW + 10), B2B_REPLAY_FRESH);
	ck_assert_int_eq(use(replay, "", "", NOW, NOW + 10), B2B_REPLAY_SEEN);
	b2b_replay_free(&replay);
}
END_TEST

START_TEST(test_replay_use__forgotten_once_past_until)
{
	struct b2b_replay *replay = make(1, 16);

	ck_assert_int_eq(use(replay, "a", "1", NOW, NOW + 10), B2B_REPLAY_FRESH);
	ck_assert_int_eq(use(replay, "a", "1", NOW + 10, NOW + 10), B2B_REPLAY_SEEN);
	ck_assert_int_eq(use(replay, "a", "1", NOW + 11, NOW + 20), B2B_REPLAY_FRESH);
	ck_assert_int_eq(use(replay, "a", "1", NOW + 20, NOW + 20), B2B_REPLAY_SEEN);
	b2b_replay_free(&replay);
}
END_TEST

/* A moment of use is the last one at most; what could not be remembered is refused. */
START_TEST(test_replay_use__past_already)
{
	struct b2b_replay *replay = make(1, 16);

	ck_assert_int_eq(use(replay, "a", "1", NOW, NOW - 1), B2B_REPLAY_FULL);
	ck_assert_int_eq(use(replay, "a", "1", NOW, NOW), B2B_REPLAY_FRESH);
	ck_assert_int_eq(use(replay, "a", "1", NOW, NOW), B2B_REPLAY_SEEN);
	b2b_replay_free(&replay);
}
END_TEST

/* When the clock steps back, what has not been written over is alive once more. */
START_TEST(test_replay_use__clock_steps_back)
{
	struct b2b_replay *replay = make(1, 16);

	ck_assert_int_eq(use(replay, "a", "first", NOW, NOW + 10), B2B_REPLAY_FRESH);
	ck_assert_int_eq(use(replay, "a", "second", NOW + 100, NOW + 110), B2B_REPLAY_FRESH);
	ck_assert_int_eq(use(replay, "a", "first", NOW + 5, NOW + 10), B2B_REPLAY_SEEN);
	ck_assert_int_eq(use(replay, "a", "second", NOW + 5, NOW + 110), B2B_REPLAY_SEEN);
	ck_assert_int_eq(use(replay, "a", "first", -5, NOW + 10), B2B_REPLAY_SEEN);
	b2b_replay_free(&replay);
}
END_TEST

static void fill(struct b2b_replay *replay, const char *issuer, int count, time_t until)
{
	char id[16];

	for (int i = 0; i < count; i++) {
		snprintf(id, sizeof id, "id%d", i);
		ck_assert_int_eq(use(replay, issuer, id, NOW, until + i), B2B_REPLAY_FRESH);
	}
}

START_TEST(test_replay_use__full)
{
	struct b2b_replay *replay = make(1, 16);
	char id[16];

	fill(replay, "a", 16, NOW + 10);
	ck_assert_int_eq(use(replay, "a", "more", NOW, NOW + 10), B2B_REPLAY_FULL);
	ck_assert_int_eq(use(replay, "a", "more", NOW + 10, NOW + 99), B2B_REPLAY_FULL);
	for (int i = 0; i < 16; i++) {
		snprintf(id, sizeof id, "id%d", i);
		ck_assert_int_eq(use(replay, "a", id, NOW, NOW + 99), B2B_REPLAY_SEEN);
	}
	/* one has expired, so there is room for one */
	ck_assert_int_eq(use(replay, "a", "more", NOW + 11, NOW + 99), B2B_REPLAY_FRESH);
	ck_assert_int_eq(use(replay, "a", "again", NOW + 11, NOW + 99), B2B_REPLAY_FULL);
	for (int i = 1; i < 16; i++) {
		snprintf(id, sizeof id, "id%d", i);
		ck_assert_int_eq(use(replay, "a", id, NOW + 11, NOW + 99), B2B_REPLAY_SEEN);
	}
	b2b_replay_free(&replay);
}
END_TEST

/* Of several that have expired the first to expire goes, so that the others are still known when
 * the clock steps back. */
START_TEST(test_replay_use__the_longest_expired_goes_first)
{
	struct b2b_replay *replay = make(1, 16);

	fill(replay, "a", 16, NOW + 10);
	ck_assert_int_eq(use(replay, "a", "more", NOW + 100, NOW + 200), B2B_REPLAY_FRESH);
	ck_assert_int_eq(use(replay, "a", "id1", NOW, NOW + 11), B2B_REPLAY_SEEN);
	ck_assert_int_eq(use(replay, "a", "id15", NOW, NOW + 25), B2B_REPLAY_SEEN);
	ck_assert_int_eq(use(replay, "a", "id0", NOW, NOW + 10), B2B_REPLAY_FULL);
	b2b_replay_free(&replay);
}
END_TEST

/* One issuer that has filled its memory takes no room from others, even in one shard. */
START_TEST(test_replay_use__issuers_are_apart)
{
	struct b2b_replay *replay = make(1, 16);
	char issuer[32];

	fill(replay, "greedy", 16, NOW + 10);
	ck_assert_int_eq(use(replay, "greedy", "more", NOW, NOW + 10), B2B_REPLAY_FULL);
	for (int i = 0; i < 64; i++) {
		snprintf(issuer, sizeof issuer, "issuer%d", i);
		ck_assert_int_eq(use(replay, issuer, "more", NOW, NOW + 10), B2B_REPLAY_FRESH);
		ck_assert_int_eq(use(replay, issuer, "more", NOW, NOW + 10), B2B_REPLAY_SEEN);
	}
	b2b_replay_free(&replay);
}
END_TEST

/* Where an id goes cannot be told from outside: two memories fill differently. */
START_TEST(test_replay_use__places_are_keyed)
{
	struct b2b_replay *one = make(1, 64), *two = make(1, 64);
	char id[16];
	int different = 0;

	for (int i = 0; i < 400; i++) {
		snprintf(id, sizeof id, "id%d", i);
		if (use(one, "a", id, NOW, NOW) != use(two, "a", id, NOW, NOW))
			different++;
	}
	ck_assert_int_gt(different, 0);
	b2b_replay_free(&one);
	b2b_replay_free(&two);
}
END_TEST

struct racer {
	pthread_t thread;
	struct b2b_replay *replay;
	pthread_barrier_t *start;
	int fresh, seen;
};

static void *race(void *data)
{
	struct racer *racer = data;
	char id[16];

	pthread_barrier_wait(racer->start);
	for (int i = 0; i < IDS; i++) {
		snprintf(id, sizeof id, "id%d", i);
		switch (use(racer->replay, i % 2 ? "a" : "b", id, NOW, NOW + 10)) {
		case B2B_REPLAY_FRESH:
			racer->fresh++;
			break;
		case B2B_REPLAY_SEEN:
			racer->seen++;
			break;
		case B2B_REPLAY_FULL:
			break;
		}
	}
	return NULL;
}

START_TEST(test_replay_use__sixteen_threads)
{
	struct b2b_replay *replay = make(2, 16384);
	struct racer racers[THREADS];
	pthread_barrier_t start;
	int fresh = 0, seen = 0;

	pthread_barrier_init(&start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++) {
		racers[i] = (struct racer){ .replay = replay, .start = &start };
		ck_assert_int_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(racers[i].thread, NULL);
		fresh += racers[i].fresh;
		seen += racers[i].seen;
	}
	ck_assert_int_eq(fresh, IDS);
	ck_assert_int_eq(seen, IDS * (THREADS - 1));
	pthread_barrier_destroy(&start);
	b2b_replay_free(&replay);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("replay");
	TCase *tcase = tcase_create("replay");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_replay_new__sizes);
	tcase_add_test(tcase, test_replay_use__once);
	tcase_add_test(tcase, test_replay_use__forgotten_once_past_until);
	tcase_add_test(tcase, test_replay_use__past_already);
	tcase_add_test(tcase, test_replay_use__clock_steps_back);
	tcase_add_test(tcase, test_replay_use__full);
	tcase_add_test(tcase, test_replay_use__the_longest_expired_goes_first);
	tcase_add_test(tcase, test_replay_use__issuers_are_apart);
	tcase_add_test(tcase, test_replay_use__places_are_keyed);
	tcase_add_test(tcase, test_replay_use__sixteen_threads);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
