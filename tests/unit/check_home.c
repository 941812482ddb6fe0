/*
 * check_home.c - the home server client against servers that misbehave.
 * In: overlay/slapd/home.h, fakes of home_fake.h.  Out: text by libcheck; non-zero exit on failure.
 * A password that leaves us where it must not is seen by the fake.
 */
#include "home_scene.h"

#include "text.h"

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
	{ 0, B2B_HOME_PROVED },        { 49, B2B_HOME_REFUSED },     { 48, B2B_HOME_REFUSED },
	{ 53, B2B_HOME_REFUSED },      { 19, B2B_HOME_REFUSED },     { 32, B2B_HOME_REFUSED },
	{ 34, B2B_HOME_REFUSED },      { 50, B2B_HOME_REFUSED },     { 8, B2B_HOME_REFUSED },
	{ 7, B2B_HOME_REFUSED },       { 2, B2B_HOME_REFUSED },      { 10, B2B_HOME_REFUSED },
	{ 14, B2B_HOME_REFUSED },      { 51, B2B_HOME_UNAVAILABLE }, { 52, B2B_HOME_UNAVAILABLE },
	{ 80, B2B_HOME_UNAVAILABLE },  { 1, B2B_HOME_UNAVAILABLE },  { 3, B2B_HOME_UNAVAILABLE },
	{ 5, B2B_HOME_UNAVAILABLE },   { 6, B2B_HOME_UNAVAILABLE },  { 118, B2B_HOME_UNAVAILABLE },
	{ 255, B2B_HOME_UNAVAILABLE },
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
	struct b2b_home_request request = { .partner = "p", .uri_count = 1, .name = "uid=x" };
	const char *uris[] = { fakes[0].uri };

	request.uris = uris;
	start(0, FAKE_ANSWER);
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_REFUSED);
	request.password = (struct b2b_str){ "", 0 };
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_REFUSED);
	request.password = (struct b2b_str){ "\0right", 6 };
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_REFUSED);
	request.password = (struct b2b_str){ "right\0", 6 };
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_REFUSED);
	request.password = (struct b2b_str){ "right", 5 };
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

/* The control is each bind's own: on a connection that is kept it comes and goes. */
START_TEST(test_b2b_homes_prove__says_for_whom_it_asks)
{
	static const char ours[] = "{\"tenant\":\"ours\"}", wiki[] = "{\"application\":\"wiki\"}";
	const char *uris[] = { fakes[0].uri };
	struct b2b_home_request request = { .partner = "p", .uris = uris, .uri_count = 1 };

	start(0, FAKE_BY_PASSWORD);
	request.name = "uid=x";
	request.password = b2b_str_of(FAKE_PASSWORD);
	request.asking = b2b_str_of(ours);
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_PROVED);
	ck_assert_str_eq(fakes[0].asked, B2B_HOME_CONTROL " {\"tenant\":\"ours\"}");
	ck_assert_uint_eq(fakes[0].bare_binds, 0);
	request.asking = (struct b2b_str){ NULL, 0 };
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_PROVED);
	ck_assert_uint_eq(fakes[0].bare_binds, 1);
	request.asking = b2b_str_of(wiki);
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_PROVED);
	ck_assert_str_eq(fakes[0].asked, B2B_HOME_CONTROL " {\"application\":\"wiki\"}");
	ck_assert_uint_eq(fakes[0].connections, 1);
}
END_TEST

START_TEST(test_b2b_homes_prove__referral_is_not_chased)
{
	start(1, FAKE_ANSWER);
	fakes[0].refer_to = fakes[1].uri;
	start(0, FAKE_REFERRAL);
	const char *uris[] = { fakes[0].uri, NULL };
	ck_assert_int_eq(fake_ask(homes, uris, FAKE_PASSWORD, &why), B2B_HOME_REFUSED);
	ck_assert_uint_eq(fakes[0].binds, 1);
	ck_assert_uint_eq(fakes[1].connections, 0);
}
END_TEST

/* --- servers that do not answer as they should --- */

static const enum fake_manner bad_manners[] = {
	FAKE_HANG,    FAKE_CLOSE,      FAKE_GARBAGE,     FAKE_GIANT,
	FAKE_TRICKLE, FAKE_WRONG_ID,   FAKE_WRONG_TYPE,  FAKE_TRUNCATED,
	FAKE_NOTICE,  FAKE_DISCONNECT, FAKE_TRICKLE_TLS,
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
	ck_assert(is_left_alone(&fakes[0])); /* nor does a late answer meet a later question */
	if (bad_manners[_i] == FAKE_GIANT)
		ck_assert_ptr_null(strstr(why.text, "in time")); /* its size alone is enough */
}
END_TEST

START_TEST(test_b2b_homes_prove__bad_manners_in_the_handshake)
{
	uint64_t begun = fake_now_ms();
	char uri[64];
	const char *uris[] = { uri, NULL };

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
	const char *uris[] = { dead, fakes[0].uri, fakes[1].uri, NULL };

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
	"ldap://192.0.2.1",
	"ldap://home.invalid",
	"ldap://127.0.0.1.home.invalid",
	"http://x",
	"ldapi://%2Ftmp%2Fx",
	"ldap://127.0.0.1:1 ldap://",
	"",
};

/* Plain LDAP to another machine, or no LDAP at all: nothing is sent. */
START_TEST(test_b2b_homes_prove__bad_uris)
{
	const char *uris[] = { bad_uris[_i], NULL };
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
	struct b2b_home_request request = { .partner = "p", .uri_count = 1, .start_tls = true };
	const char *uris[] = { fakes[0].uri };

	request.uris = uris;
	request.name = "uid=guest";
	request.password = (struct b2b_str){ FAKE_PASSWORD, strlen(FAKE_PASSWORD) };
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
	const char *uris[] = { fakes[0].uri };
	struct b2b_home_request request = { .partner = "a", .uris = uris, .uri_count = 1 };

	request.name = "uid=guest";
	request.password = (struct b2b_str){ FAKE_PASSWORD, strlen(FAKE_PASSWORD) };
	start(0, FAKE_BY_PASSWORD);
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_PROVED);
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_PROVED);
	ck_assert_uint_eq(fakes[0].connections, 1);
	request.partner = "b";
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_PROVED);
	ck_assert_uint_eq(fakes[0].connections, 2);
	request.start_tls = true; /* this one has none */
	ck_assert_int_eq(b2b_homes_prove(homes, &request, &why), B2B_HOME_UNAVAILABLE);
	ck_assert_uint_eq(fakes[0].binds, 3);
	request.start_tls = false;
	fakes[0].connections = 2;
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
	ck_assert(is_left_alone(&fakes[0]));
	ck_assert_int_eq(ask(FAKE_PASSWORD), B2B_HOME_PROVED);
	usleep(60000);
	ck_assert_int_eq(ask(FAKE_PASSWORD), B2B_HOME_PROVED); /* too old to be used */
	ck_assert_uint_eq(fakes[0].connections, 3);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("home");

	tcase_add_test(tcase, test_b2b_homes_prove__right_and_wrong_password);
	tcase_add_loop_test(tcase, test_b2b_homes_prove__result_codes, 0,
			    (int)(sizeof codes / sizeof codes[0]));
	tcase_add_test(tcase, test_b2b_homes_prove__empty_never_leaves_us);
	tcase_add_test(tcase, test_b2b_homes_prove__says_for_whom_it_asks);
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
	return run_case("home", tcase);
}
