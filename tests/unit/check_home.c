/*
 * check_home.c - the home server client against servers that misbehave.
 * In: overlay/slapd/home.h, fakes of home_fake.h.  Out: text by libcheck; non-zero exit on failure.
 * Time is bounded from above only, and generously.
 */
#include "home_fake.h"

#define TIMEOUT_MS 600
#define AT_MOST_MS (5 * TIMEOUT_MS)
#define MANY 12

static struct fake fakes[2];
static struct b2b_homes *homes;
static atomic_int idle_depth, idle_calls;
static struct b2b_error why;

static void count_idle(void *ctx)
{
	ck_assert_ptr_eq(ctx, &idle_depth);
	idle_depth++;
	idle_calls++;
}

static void count_unidle(void *ctx)
{
	ck_assert_ptr_eq(ctx, &idle_depth);
	idle_depth--;
}

static struct b2b_homes_limits usual_limits(void)
{
	return (struct b2b_homes_limits){.timeout_ms = TIMEOUT_MS,
					 .per_partner = 2,
					 .total = 16,
					 .idle = count_idle,
					 .unidle = count_unidle,
					 .idle_ctx = &idle_depth};
}

static void setup(void)
{
	struct b2b_homes_limits limits = usual_limits();

	memset(fakes, 0, sizeof fakes);
	idle_depth = 0;
	idle_calls = 0;
	homes = b2b_homes_new(&limits);
	ck_assert_ptr_nonnull(homes);
}

static void teardown(void)
{
	b2b_homes_free(&homes);
	ck_assert_ptr_null(homes);
	ck_assert_int_eq(idle_depth, 0);
	for (size_t i = 0; i < 2; i++)
		if (fakes[i].port)
			fake_stop(&fakes[i]);
}

static void start(size_t index, enum fake_manner manner)
{
	fakes[index].manner = manner;
	fake_start(&fakes[index]);
}

static enum b2b_home_answer ask(const char *password)
{
	const char *uris[] = {fakes[0].uri, fakes[1].port ? fakes[1].uri : NULL, NULL};

	return fake_ask(homes, uris, password, &why);
}

/* --- what answers mean --- */

START_TEST(test_b2b_homes_prove__right_and_wrong_password)
{
	start(0, FAKE_BY_PASSWORD);
	ck_assert_int_eq(ask("wrong"), B2B_HOME_REFUSED);
	ck_assert_str_eq(why.text, "");
	ck_assert_int_eq(ask(FAKE_PASSWORD), B2B_HOME_PROVED);
	ck_assert_str_eq(why.text, "");
	ck_assert_int_eq(ask("wrong"), B2B_HOME_REFUSED);
	ck_assert_uint_eq(fakes[0].connections, 1); /* kept for the next, also after a no */
	ck_assert_uint_eq(fakes[0].binds, 3);
	ck_assert_int_eq(idle_calls, 3);
}
END_TEST

static const struct {
	unsigned char code;
	enum b2b_home_answer answer;
} codes[] = {
	{0, B2B_HOME_PROVED},       {49, B2B_HOME_REFUSED},     {48, B2B_HOME_REFUSED},
	{53, B2B_HOME_REFUSED},     {19, B2B_HOME_REFUSED},     {32, B2B_HOME_REFUSED},
	{34, B2B_HOME_REFUSED},     {50, B2B_HOME_REFUSED},     {8, B2B_HOME_REFUSED},
	{7, B2B_HOME_REFUSED},      {2, B2B_HOME_REFUSED},      {10, B2B_HOME_REFUSED},
	{14, B2B_HOME_REFUSED},     {51, B2B_HOME_UNAVAILABLE}, {52, B2B_HOME_UNAVAILABLE},
	{80, B2B_HOME_UNAVAILABLE}, {1, B2B_HOME_UNAVAILABLE},  {3, B2B_HOME_UNAVAILABLE},
	{5, B2B_HOME_UNAVAILABLE},  {6, B2B_HOME_UNAVAILABLE},  {118, B2B_HOME_UNAVAILABLE},
	{255, B2B_HOME_UNAVAILABLE},
};

START_TEST(test_b2b_homes_prove__result_codes)
{
	fakes[0].code = codes[_i].code;
	start(0, FAKE_ANSWER);
	ck_assert_int_eq(ask(FAKE_PASSWORD), codes[_i].answer);
	ck_assert_int_eq(why.text[0] == '\0', codes[_i].code == 0 || codes[_i].code == 49);
	ck_assert_ptr_null(strstr(why.text, FAKE_PASSWORD));
}
END_TEST

/* A home that says yes to everything is not even asked. */
START_TEST(test_b2b_homes_prove__empty_never_leaves_us)
{
	struct b2b_home_request request = {.partner = "p", .uri_count = 1, .name = "uid=x"};
	const char *uris[] = {fakes[0].uri};

	request.uris = uris;
	start(0, FAKE_ANSWER);
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_REFUSED);
	request.password = (struct b2b_str){"", 0};
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_REFUSED);
	request.password = (struct b2b_str){"\0right", 6};
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_REFUSED);
	request.password = (struct b2b_str){"right\0", 6};
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_REFUSED);
	request.password = (struct b2b_str){"right", 5};
	request.name = "";
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_REFUSED);
	request.name = NULL;
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_REFUSED);
	ck_assert_uint_eq(fakes[0].connections, 0);
	ck_assert_int_eq(idle_calls, 0);
	request.name = "uid=x";
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_PROVED);
	request.uri_count = 0;
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_UNAVAILABLE);
}
END_TEST

START_TEST(test_b2b_homes_prove__referral_is_not_chased)
{
	start(1, FAKE_ANSWER);
	fakes[0].refer_to = fakes[1].uri;
	start(0, FAKE_REFERRAL);
	const char *uris[] = {fakes[0].uri, NULL};
	ck_assert_int_eq(fake_ask(homes, uris, FAKE_PASSWORD, &why), B2B_HOME_REFUSED);
	ck_assert_uint_eq(fakes[0].binds, 1);
	ck_assert_uint_eq(fakes[1].connections, 0);
}
END_TEST

/* --- servers that do not answer as they should --- */

static const enum fake_manner bad_manners[] = {
	FAKE_HANG,     FAKE_CLOSE,      FAKE_GARBAGE,   FAKE_GIANT,      FAKE_TRICKLE,
	FAKE_WRONG_ID, FAKE_WRONG_TYPE, FAKE_TRUNCATED, FAKE_DISCONNECT, FAKE_TRICKLE_TLS,
};
#define BAD_MANNERS ((int)(sizeof bad_manners / sizeof bad_manners[0]))

START_TEST(test_b2b_homes_prove__bad_manners)
{
	uint64_t begun = fake_now_ms();

	start(0, bad_manners[_i]);
	ck_assert_int_eq(ask(FAKE_PASSWORD), B2B_HOME_UNAVAILABLE);
	ck_assert_uint_lt(fake_now_ms() - begun, AT_MOST_MS);
	ck_assert_ptr_nonnull(strstr(why.text, fakes[0].uri));
	ck_assert_ptr_null(strstr(why.text, FAKE_PASSWORD));
	ck_assert_int_eq(idle_calls, 1);
}
END_TEST

START_TEST(test_b2b_homes_prove__bad_manners_in_the_handshake)
{
	uint64_t begun = fake_now_ms();
	char uri[64];
	const char *uris[] = {uri, NULL};

	start(0, bad_manners[_i]);
	snprintf(uri, sizeof uri, "ldaps://127.0.0.1:%d", fakes[0].port);
	ck_assert_int_eq(fake_ask(homes, uris, FAKE_PASSWORD, &why), B2B_HOME_UNAVAILABLE);
	ck_assert_uint_lt(fake_now_ms() - begun, AT_MOST_MS);
	ck_assert_uint_eq(fakes[0].binds, 0);
}
END_TEST

/* The first is bad, the second good: proved, whatever is wrong with the first. */
START_TEST(test_b2b_homes_prove__next_server_answers)
{
	uint64_t begun = fake_now_ms();

	start(0, bad_manners[_i]);
	start(1, FAKE_BY_PASSWORD);
	ck_assert_int_eq(ask(FAKE_PASSWORD), B2B_HOME_PROVED);
	ck_assert_uint_lt(fake_now_ms() - begun, AT_MOST_MS);
	ck_assert_uint_eq(fakes[1].binds, 1);
	ck_assert_ptr_nonnull(strstr(why.text, fakes[0].uri));
	ck_assert_int_eq(idle_calls, 1);
}
END_TEST

START_TEST(test_b2b_homes_prove__order_of_servers)
{
	char dead[64];
	const char *uris[] = {dead, fakes[0].uri, fakes[1].uri, NULL};

	start(0, FAKE_BY_PASSWORD);
	start(1, FAKE_ANSWER); /* says yes to everything */
	ck_assert_int_eq(ask("wrong"), B2B_HOME_REFUSED);
	ck_assert_uint_eq(fakes[1].connections, 0); /* a no is final */
	snprintf(dead, sizeof dead, "ldap://127.0.0.1:1");
	ck_assert_int_eq(fake_ask(homes, uris, "wrong", &why), B2B_HOME_REFUSED);
	ck_assert_uint_eq(fakes[1].connections, 0);
	ck_assert_ptr_nonnull(strstr(why.text, "ldap://127.0.0.1:1: no connection"));
}
END_TEST

static const char *const bad_uris[] = {
	"ldap://192.0.2.1",  "ldap://home.invalid",      "ldap://127.0.0.1.home.invalid", "http://x",
	"ldapi://%2Ftmp%2Fx", "ldap://127.0.0.1:1 ldap://", "",
};

/* Plain LDAP to another machine, or no LDAP at all: nothing is sent. */
START_TEST(test_b2b_homes_prove__bad_uris)
{
	const char *uris[] = {bad_uris[_i], NULL};
	uint64_t begun = fake_now_ms();

	ck_assert_int_eq(fake_ask(homes, uris, FAKE_PASSWORD, &why), B2B_HOME_UNAVAILABLE);
	ck_assert_uint_lt(fake_now_ms() - begun, AT_MOST_MS);
	ck_assert_str_ne(why.text, "");
	if (_i == 0)
		ck_assert_ptr_nonnull(strstr(why.text, "is not this machine and has no TLS"));
}
END_TEST

/* StartTLS that is refused, or accepted in bad faith: the password stays here. */
START_TEST(test_b2b_homes_prove__starttls_is_not_optional)
{
	struct b2b_home_request request = {.partner = "p", .uri_count = 1, .start_tls = true};
	const char *uris[] = {fakes[0].uri};

	request.uris = uris;
	request.name = "uid=guest";
	request.password = (struct b2b_str){FAKE_PASSWORD, strlen(FAKE_PASSWORD)};
	start(0, _i == 0 ? FAKE_STARTTLS_NO : FAKE_STARTTLS_LIE);
	request.ca_file = "/etc/ssl/certs/ca-certificates.crt";
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_UNAVAILABLE);
	ck_assert_uint_eq(fakes[0].connections, 1);
	ck_assert_uint_eq(fakes[0].binds, 0);
	ck_assert(!fakes[0].saw_password);
	request.start_tls = false; /* and a connection for it is none for plain */
	fakes[0].code = 0;
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_PROVED);
	ck_assert_uint_eq(fakes[0].connections, 2);
}
END_TEST

/* --- connections that are kept --- */

START_TEST(test_b2b_homes_prove__stale_connection_is_replaced)
{
	start(0, _i == 0 ? FAKE_ONCE : FAKE_MUTE);
	for (unsigned i = 1; i <= 5; i++) {
		ck_assert_int_eq(ask(FAKE_PASSWORD), B2B_HOME_PROVED);
		ck_assert_uint_eq(fakes[0].connections, i);
		usleep(20000); /* the closing may be seen before, or by the bind: both must do */
	}
}
END_TEST

START_TEST(test_b2b_homes_prove__partners_and_settings_share_nothing)
{
	const char *uris[] = {fakes[0].uri};
	struct b2b_home_request request = {.partner = "a", .uris = uris, .uri_count = 1};

	request.name = "uid=guest";
	request.password = (struct b2b_str){FAKE_PASSWORD, strlen(FAKE_PASSWORD)};
	start(0, FAKE_BY_PASSWORD);
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_PROVED);
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_PROVED);
	ck_assert_uint_eq(fakes[0].connections, 1);
	request.partner = "b";
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_PROVED);
	ck_assert_uint_eq(fakes[0].connections, 2);
	request.ca_file = "/other";
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_PROVED);
	ck_assert_uint_eq(fakes[0].connections, 3);
}
END_TEST

START_TEST(test_b2b_homes_tidy__closes_what_is_old)
{
	struct b2b_homes_limits limits = usual_limits();

	limits.keep_ms = 50;
	b2b_homes_set_limits(homes, &limits);
	start(0, FAKE_BY_PASSWORD);
	ck_assert_int_eq(ask(FAKE_PASSWORD), B2B_HOME_PROVED);
	ck_assert_uint_eq(fakes[0].at_once, 1);
	usleep(60000);
	b2b_homes_tidy(homes);
	for (uint64_t end = fake_now_ms() + 5000; fakes[0].at_once && fake_now_ms() < end;)
		usleep(1000);
	ck_assert_uint_eq(fakes[0].at_once, 0);
	ck_assert_int_eq(ask(FAKE_PASSWORD), B2B_HOME_PROVED);
	usleep(60000);
	ck_assert_int_eq(ask(FAKE_PASSWORD), B2B_HOME_PROVED); /* too old to be used */
	ck_assert_uint_eq(fakes[0].connections, 3);
}
END_TEST

/* --- caps --- */

static atomic_uint answers[4];
static atomic_ullong slowest_busy_ms;

static void *ask_once(void *partner)
{
	const char *uris[] = {fakes[0].uri};
	struct b2b_home_request request = {.partner = partner, .uris = uris, .uri_count = 1};
	struct b2b_error error;
	uint64_t begun = fake_now_ms();
	enum b2b_home_answer answer;

	request.name = "uid=guest";
	request.password = (struct b2b_str){FAKE_PASSWORD, strlen(FAKE_PASSWORD)};
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
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_once,
						(void *)partners[i % 2]), 0);
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

/* Against a server that hangs: two ask, two wait, the others are told at once. */
START_TEST(test_b2b_homes_prove__cap_of_a_partner)
{
	struct b2b_homes_limits limits = usual_limits();

	limits.timeout_ms = 3000;
	b2b_homes_set_limits(homes, &limits);
	start(0, FAKE_HANG);
	ask_many(MANY, (const char *const[2]){"a", "a"});
	ck_assert_uint_le(fakes[0].most_at_once, 2);
	ck_assert_uint_eq(answers[B2B_HOME_PROVED] + answers[B2B_HOME_REFUSED], 0);
	ck_assert_uint_ge(answers[B2B_HOME_BUSY], MANY - 4);
	ck_assert_uint_ge(answers[B2B_HOME_UNAVAILABLE], 2);
	ck_assert_int_le(idle_calls, 4); /* who is told at once does not wait */
}
END_TEST

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
	ask_many(MANY, (const char *const[2]){"a", "a"});
	ck_assert_uint_lt(fake_now_ms() - begun, 5000);
	ck_assert_uint_eq(answers[B2B_HOME_BUSY], MANY);
	ck_assert_int_eq(idle_calls, 4);
	/* whoever waits for a place ends at once when the tenant goes, the others by themselves */
	shutdown(fakes[0].listener, SHUT_RDWR);
	b2b_homes_free(&homes);
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
	ask_many(MANY, (const char *const[2]){"a", "b"});
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
	ask_many(6, (const char *const[2]){"a", "a"});
	ck_assert_uint_eq(answers[B2B_HOME_PROVED], 6);
	ck_assert_uint_le(fakes[0].most_at_once, 3);
}
END_TEST

START_TEST(test_b2b_homes_set_limits__zero_leaves_no_room)
{
	struct b2b_homes_limits limits = {0};

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

static TCase *tests(void)
{
	TCase *tcase = tcase_create("home");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_b2b_homes_prove__right_and_wrong_password);
	tcase_add_loop_test(tcase, test_b2b_homes_prove__result_codes, 0,
			    (int)(sizeof codes / sizeof codes[0]));
	tcase_add_test(tcase, test_b2b_homes_prove__empty_never_leaves_us);
	tcase_add_test(tcase, test_b2b_homes_prove__referral_is_not_chased);
	tcase_add_loop_test(tcase, test_b2b_homes_prove__bad_manners, 0, BAD_MANNERS);
	tcase_add_loop_test(tcase, test_b2b_homes_prove__bad_manners_in_the_handshake, 0,
			    BAD_MANNERS);
	tcase_add_loop_test(tcase, test_b2b_homes_prove__next_server_answers, 0, BAD_MANNERS);
	tcase_add_test(tcase, test_b2b_homes_prove__order_of_servers);
	tcase_add_loop_test(tcase, test_b2b_homes_prove__bad_uris, 0,
			    (int)(sizeof bad_uris / sizeof bad_uris[0]));
	tcase_add_loop_test(tcase, test_b2b_homes_prove__starttls_is_not_optional, 0, 2);
	tcase_add_loop_test(tcase, test_b2b_homes_prove__stale_connection_is_replaced, 0, 2);
	tcase_add_test(tcase, test_b2b_homes_prove__partners_and_settings_share_nothing);
	tcase_add_test(tcase, test_b2b_homes_tidy__closes_what_is_old);
	tcase_add_test(tcase, test_b2b_homes_prove__cap_of_a_partner);
	tcase_add_test(tcase, test_b2b_homes_prove__busy_comes_at_once);
	tcase_add_test(tcase, test_b2b_homes_prove__cap_over_all);
	tcase_add_test(tcase, test_b2b_homes_prove__who_waits_is_served);
	tcase_add_test(tcase, test_b2b_homes_set_limits__zero_leaves_no_room);
	tcase_add_test(tcase, test_b2b_homes_prove__breaker_opens_and_closes);
	tcase_add_test(tcase, test_b2b_homes_prove__resting_server_is_passed_over);
	tcase_add_test(tcase, test_b2b_homes_prove__refusals_open_nothing);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("home");
	SRunner *runner;
	int failed;

	fake_hostile_environment();
	suite_add_tcase(suite, tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
