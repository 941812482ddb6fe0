/*
 * check_home_caps.c - the home server client under load and beside servers that fail.
 * In: overlay/slapd/home.h, fakes of home_fake.h.  Out: text by libcheck; non-zero exit on failure.
 * Nobody but the two who ask and the two who wait is ever held up by a home that hangs.
 */
#include "home_scene.h"

#define MANY 12

/* --- caps --- */

static atomic_uint answers[4];
static atomic_ullong slowest_busy_ms;

static void *ask_once(void *partner)
{
	const char *uris[] = { fakes[0].uri };
	struct b2b_home_request request = { .partner = partner, .uris = uris, .uri_count = 1 };
	struct b2b_error error;
	uint64_t begun = fake_now_ms();
	enum b2b_home_answer answer;

	request.name = "uid=guest";
	request.password = (struct b2b_str){ FAKE_PASSWORD, strlen(FAKE_PASSWORD) };
	answer = b2b_homes_prove(homes, &request, &error);
	answers[answer]++;
	if (answer == B2B_HOME_BUSY && fake_now_ms() - begun > slowest_busy_ms)
		slowest_busy_ms = fake_now_ms() - begun;
	return NULL;
}

static void ask_many(unsigned count, const char *const partners[2])
{
	pthread_t threads[MANY];

	for (unsigned i = 0; i < count; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, ask_once, (void *)partners[i % 2]), 0);
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

/* Against a server that hangs: two ask, two wait, the others are told at once, without waiting. */
START_TEST(test_b2b_homes_prove__busy_comes_at_once)
{
	struct b2b_homes_limits limits = usual_limits();
	pthread_t running[4];
	uint64_t begun;

	limits.timeout_ms = 20000;
	b2b_homes_set_limits(homes, &limits);
	start(0, FAKE_HANG);
	for (size_t i = 0; i < 4; i++)
		pthread_create(&running[i], NULL, ask_once, (void *)"a");
	while (idle_calls < 4)
		usleep(1000);
	begun = fake_now_ms();
	ask_many(MANY, (const char *const[2]){ "a", "a" });
	ck_assert_uint_lt(fake_now_ms() - begun, 5000);
	ck_assert_uint_eq(answers[B2B_HOME_BUSY], MANY);
	ck_assert_int_eq(idle_calls, 4);
	ck_assert_uint_le(fakes[0].most_at_once, 2);
	/* whoever waits for a place ends at once when the tenant goes, the others by themselves */
	b2b_homes_free(&homes);
	while (answers[B2B_HOME_BUSY] < MANY + 2 && fake_now_ms() - begun < 10000)
		usleep(1000);
	ck_assert_uint_eq(answers[B2B_HOME_BUSY], MANY + 2);
	fake_stop(&fakes[0]);
	fakes[0].port = 0;
	for (size_t i = 0; i < 4; i++)
		pthread_join(running[i], NULL);
	ck_assert_uint_lt(fake_now_ms() - begun, 15000);
	ck_assert_uint_eq(answers[B2B_HOME_UNAVAILABLE], 2);
}
END_TEST

START_TEST(test_b2b_homes_prove__cap_over_all)
{
	struct b2b_homes_limits limits = usual_limits();

	limits.total = 3;
	limits.timeout_ms = 3000;
	b2b_homes_set_limits(homes, &limits);
	start(0, FAKE_HANG);
	ask_many(MANY, (const char *const[2]){ "a", "b" });
	ck_assert_uint_le(fakes[0].most_at_once, 3);
	ck_assert_uint_ge(answers[B2B_HOME_BUSY], MANY - 3);
	ck_assert_int_le(idle_calls, 3);
}
END_TEST

START_TEST(test_b2b_homes_prove__who_waits_is_served)
{
	struct b2b_homes_limits limits = usual_limits();

	limits.timeout_ms = 20000;
	limits.per_partner = 3;
	b2b_homes_set_limits(homes, &limits);
	fakes[0].delay_ms = 50;
	start(0, FAKE_BY_PASSWORD);
	ask_many(6, (const char *const[2]){ "a", "a" });
	ck_assert_uint_eq(answers[B2B_HOME_PROVED], 6);
	ck_assert_uint_le(fakes[0].most_at_once, 3);
}
END_TEST

START_TEST(test_b2b_homes_set_limits__zero_leaves_no_room)
{
	struct b2b_homes_limits limits = { 0 };

	start(0, FAKE_ANSWER);
	b2b_homes_set_limits(homes, &limits);
	ck_assert_int_eq(ask(FAKE_PASSWORD), B2B_HOME_BUSY);
	ck_assert_uint_eq(fakes[0].connections, 0);
}
END_TEST

/* --- the breaker --- */

START_TEST(test_b2b_homes_prove__breaker_opens_and_closes)
{
	struct b2b_homes_limits limits = usual_limits();

	limits.first_pause_ms = 300;
	b2b_homes_set_limits(homes, &limits);
	start(0, FAKE_CLOSE);
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert_int_eq(ask(FAKE_PASSWORD), B2B_HOME_UNAVAILABLE);
		ck_assert_uint_eq(fakes[0].connections, i);
	}
	idle_calls = 0;
	ck_assert_int_eq(ask(FAKE_PASSWORD), B2B_HOME_UNAVAILABLE);
	ck_assert_uint_eq(fakes[0].connections, 3);
	ck_assert_int_eq(idle_calls, 0);
	ck_assert_str_eq(why.text, "all home servers rest after failures");
	fakes[0].manner = FAKE_BY_PASSWORD;
	usleep(310000);
	ck_assert_int_eq(ask("wrong"), B2B_HOME_REFUSED); /* a no is a sign of life */
	ck_assert_int_eq(ask(FAKE_PASSWORD), B2B_HOME_PROVED);
}
END_TEST

START_TEST(test_b2b_homes_prove__resting_server_is_passed_over)
{
	start(0, FAKE_HANG);
	start(1, FAKE_BY_PASSWORD);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(ask(FAKE_PASSWORD), B2B_HOME_PROVED);
	ck_assert_uint_eq(fakes[0].connections, 3);
	ck_assert_ptr_nonnull(strstr(why.text, "resting after failures"));
}
END_TEST

/* A wrong password, however often, is no reason to stop asking. */
START_TEST(test_b2b_homes_prove__refusals_open_nothing)
{
	start(0, FAKE_BY_PASSWORD);
	for (unsigned i = 0; i < 6; i++)
		ck_assert_int_eq(ask("wrong"), B2B_HOME_REFUSED);
	ck_assert_int_eq(ask(FAKE_PASSWORD), B2B_HOME_PROVED);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("home_caps");

	tcase_add_test(tcase, test_b2b_homes_prove__busy_comes_at_once);
	tcase_add_test(tcase, test_b2b_homes_prove__cap_over_all);
	tcase_add_test(tcase, test_b2b_homes_prove__who_waits_is_served);
	tcase_add_test(tcase, test_b2b_homes_set_limits__zero_leaves_no_room);
	tcase_add_test(tcase, test_b2b_homes_prove__breaker_opens_and_closes);
	tcase_add_test(tcase, test_b2b_homes_prove__resting_server_is_passed_over);
	tcase_add_test(tcase, test_b2b_homes_prove__refusals_open_nothing);
	return run_case("home_caps", tcase);
}
