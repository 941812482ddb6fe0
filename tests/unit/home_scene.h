/*
 * home_scene.h - one set of homes and up to two fakes, as most tests of check_home*.c want them.
 * In: home_fake.h.  Out: setup and teardown for libcheck, and short ways to ask.
 * Time is bounded from above only, and generously.
 */
#ifndef B2B_HOME_SCENE_H
#define B2B_HOME_SCENE_H

#include "home_fake.h"

#define TIMEOUT_MS 600
#define AT_MOST_MS (5 * TIMEOUT_MS)

static struct fake fakes[2];
static struct b2b_homes *homes;
static atomic_int idle_depth, idle_calls;
static struct b2b_error why;

static inline void count_idle(void *ctx)
{
	ck_assert_ptr_eq(ctx, &idle_depth);
	idle_depth++;
	idle_calls++;
}

static inline void count_unidle(void *ctx)
{
	ck_assert_ptr_eq(ctx, &idle_depth);
	idle_depth--;
}

static inline struct b2b_homes_limits usual_limits(void)
{
	return (struct b2b_homes_limits){ .timeout_ms = TIMEOUT_MS,
					  .per_partner = 2,
					  .total = 16,
					  .idle = count_idle,
					  .unidle = count_unidle,
					  .idle_ctx = &idle_depth };
}

static inline void setup(void)
{
	struct b2b_homes_limits limits = usual_limits();

	memset(fakes, 0, sizeof fakes);
	idle_depth = 0;
	idle_calls = 0;
	homes = b2b_homes_new(&limits);
	ck_assert_ptr_nonnull(homes);
}

static inline void teardown(void)
{
	b2b_homes_free(&homes);
	ck_assert_ptr_null(homes);
	ck_assert_int_eq(idle_depth, 0);
	for (size_t i = 0; i < 2; i++)
		if (fakes[i].port)
			fake_stop(&fakes[i]);
}

static inline void start(size_t index, enum fake_manner manner)
{
	fakes[index].manner = manner;
	fake_start(&fakes[index]);
}

static inline enum b2b_home_answer ask(const char *password)
{
	const char *uris[] = { fakes[0].uri, fakes[1].port ? fakes[1].uri : NULL, NULL };

	return fake_ask(homes, uris, password, &why);
}

/* Whether all connections to a fake get closed. */
static inline bool is_left_alone(struct fake *fake)
{
	for (uint64_t end = fake_now_ms() + 5000; fake->at_once && fake_now_ms() < end;)
		usleep(1000);
	return fake->at_once == 0;
}

/* Runs one case as a program of its own. */
static inline int run_case(const char *name, TCase *tcase)
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int failed;

	fake_hostile_environment();
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
