/*
 * check_home_tls.c - the home server client against a real slapd: plain, LDAPS and StartTLS.
 * In: slapd and openssl from the path; skipped, and said so, where either is missing.
 * Out: text by libcheck; non-zero exit on failure.  The servers end with the program.
 */
#include "home_fake.h"

#include <ftw.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define NAME "cn=guest,cn=home"
#define RIGHT "correct horse"
#define PATH "PATH=$PATH:/usr/sbin:/sbin:/usr/lib/openldap; "

/* One slapd; its certificate is for 127.0.0.1, ::1 and home.test. */
struct home {
	pid_t pid;
	int plain_port, tls_port;
};

static char folder[64];
static struct home good, expired;
static struct b2b_homes *homes;
static struct b2b_error why;

/* --- the servers --- */

static void shell(const char *command)
{
	char line[2048];

	ck_assert_int_lt(snprintf(line, sizeof line, "cd %s && exec >>log 2>&1 && " PATH "%s",
				  folder, command),
			 (int)sizeof line);
	ck_assert_msg(system(line) == 0, "failed: %s", command);
}

static int free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static bool is_up(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool up = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;

	close(fd);
	return up;
}

/* Not every machine has an IPv6 loopback, and slapd starts on all its addresses or not at all. */
static bool has_ipv6(void)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool has = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

/* certificate: the stem of the files' names; more: further lines of slapd.conf. */
static void home_start(struct home *home, const char *certificate, const char *more)
{
	char line[1024], urls[256];

	home->plain_port = free_port();
	home->tls_port = free_port();
	snprintf(line, sizeof line,
		 "mkdir %s.db && printf 'pidfile %%s/%s.pid\\nTLSCertificateFile %%s/%s.pem\\n"
		 "TLSCertificateKeyFile %%s/%s.key\\n%sdatabase ldif\\ndirectory %%s/%s.db\\n"
		 "suffix cn=home\\nrootdn \"" NAME "\"\\nrootpw \"" RIGHT "\"\\n' "
		 "$PWD $PWD $PWD $PWD > %s.conf",
		 certificate, certificate, certificate, certificate, more, certificate,
		 certificate);
	shell(line);
	snprintf(urls, sizeof urls, "ldap://127.0.0.1:%d ldaps://127.0.0.1:%d ldaps://127.0.0.2:%d",
		 home->plain_port, home->tls_port, home->tls_port);
	if (has_ipv6())
		snprintf(urls + strlen(urls), sizeof urls - strlen(urls), " ldaps://[::1]:%d",
			 home->tls_port);
	snprintf(line, sizeof line,
		 "cd %s && " PATH "exec slapd -h '%s' -f %s.conf -d 0 >>log 2>&1", folder, urls,
		 certificate);
	home->pid = fork();
	if (home->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* not even a crash of ours leaves it behind */
		execl("/bin/sh", "sh", "-c", line, (char *)NULL);
		_exit(127);
	}
	for (uint64_t end = fake_now_ms() + 20000; !is_up(home->tls_port); usleep(20000))
		ck_assert_msg(fake_now_ms() < end, "slapd did not start, see %s/log", folder);
}

static void home_stop(struct home *home)
{
	if (home->pid <= 0)
		return;
	kill(home->pid, SIGTERM);
	waitpid(home->pid, NULL, 0);
	home->pid = 0;
}

static void make_certificates(void)
{
	shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key "
	      "-out ca.pem -days 2 -subj /CN=ca -addext keyUsage=critical,keyCertSign");
	shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "
	      "other.key "
	      "-out other.pem -days 2 -subj /CN=ca -addext keyUsage=critical,keyCertSign");
	shell("printf 'subjectAltName=IP:127.0.0.1,IP:::1,DNS:home.test\\n' > ext");
	shell("mkdir newcerts; : > index; printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=index\\n"
	      "rand_serial=yes\\nnew_certs_dir=newcerts\\ndefault_md=sha256\\npolicy=p\\n"
	      "unique_subject=no\\n[p]\\ncommonName=supplied\\n' > ca.conf");
	for (int i = 0; i < 2; i++) {
		const char *stem = i ? "expired" : "good";
		char line[512];

		snprintf(line, sizeof line,
			 "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
			 "-keyout %s.key -out %s.csr -subj /CN=home.test",
			 stem, stem);
		shell(line);
		snprintf(line, sizeof line,
			 "openssl ca -batch -notext -config ca.conf -cert ca.pem -keyfile ca.key "
			 "-extfile ext -in %s.csr -out %s.pem %s",
			 stem, stem,
			 i ? "-startdate 200101000000Z -enddate 200102000000Z" : "-days 2");
		shell(line);
	}
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static void start_homes(void)
{
	snprintf(folder, sizeof folder, "/tmp/b2b-home-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	make_certificates();
	home_start(&good, "good", "");
	home_start(&expired, "expired", "");
}

static void stop_homes(void)
{
	home_stop(&good);
	home_stop(&expired);
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- asking --- */

static void setup(void)
{
	struct b2b_homes_limits limits = { .timeout_ms = 10000, .per_partner = 4, .total = 16 };

	homes = b2b_homes_new(&limits);
}

static void teardown(void)
{
	b2b_homes_free(&homes);
}

/* ca: the stem of a file in our folder, or NULL */
static enum b2b_home_answer ask(const char *uri, bool start_tls, const char *ca,
				const char *password)
{
	struct b2b_home_request request = { .partner = "p", .uris = &uri, .uri_count = 1 };
	char file[128];

	snprintf(file, sizeof file, "%s/%s.pem", folder, ca ? ca : "");
	request.ca_file = ca ? file : NULL;
	request.start_tls = start_tls;
	request.name = NAME;
	request.password = (struct b2b_str){ password, strlen(password) };
	return b2b_homes_prove(homes, &request, &why);
}

enum way { PLAIN, LDAPS, STARTTLS };

static const char *uri_of(enum way way, const char *host, const struct home *home)
{
	static char uri[128];

	snprintf(uri, sizeof uri, "ldap%s://%s:%d", way == LDAPS ? "s" : "", host,
		 way == LDAPS ? home->tls_port : home->plain_port);
	return uri;
}

/* --- tests: each for every way --- */

START_TEST(test_b2b_homes_prove__real_home)
{
	enum way way = (enum way)_i;
	const char *uri = uri_of(way, "127.0.0.1", &good);

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(ask(uri, way == STARTTLS, "ca", "wrong"), B2B_HOME_REFUSED);
		ck_assert_str_eq(why.text, "");
		ck_assert_int_eq(ask(uri, way == STARTTLS, "ca", RIGHT), B2B_HOME_PROVED);
		ck_assert_str_eq(why.text, "");
	}
	ck_assert_int_eq(ask(uri, way == STARTTLS, "ca", ""), B2B_HOME_REFUSED);
}
END_TEST

START_TEST(test_b2b_homes_prove__ipv6)
{
	ck_assert_int_eq(ask(uri_of(LDAPS, "[::1]", &good), false, "ca", RIGHT), B2B_HOME_PROVED);
}
END_TEST

/* The environment says that no certificate needs to be right. */
START_TEST(test_b2b_homes_prove__wrong_ca)
{
	const char *uri = uri_of(_i ? STARTTLS : LDAPS, "127.0.0.1", &good);

	ck_assert_int_eq(ask(uri, _i, "other", RIGHT), B2B_HOME_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(why.text, "certificate"));
	ck_assert_int_eq(ask(uri, _i, NULL, RIGHT), B2B_HOME_UNAVAILABLE);
	ck_assert_int_eq(ask(uri, _i, "missing", RIGHT), B2B_HOME_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(why.text, "missing.pem cannot be used"));
	ck_assert_int_eq(ask(uri, _i, "ca", RIGHT), B2B_HOME_PROVED);
	/* a connection that one CA vouched for is none for another */
	ck_assert_int_eq(ask(uri, _i, "other", RIGHT), B2B_HOME_UNAVAILABLE);
}
END_TEST

START_TEST(test_b2b_homes_prove__wrong_host)
{
	/* the same slapd by an address that its certificate does not name */
	ck_assert_int_eq(ask(uri_of(LDAPS, "127.0.0.2", &good), false, "ca", RIGHT),
			 B2B_HOME_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(why.text, "certificate"));
	ck_assert_int_eq(ask(uri_of(LDAPS, "127.0.0.1", &good), false, "ca", RIGHT),
			 B2B_HOME_PROVED);
}
END_TEST

START_TEST(test_b2b_homes_prove__expired)
{
	const char *uri = uri_of(_i ? STARTTLS : LDAPS, "127.0.0.1", &expired);

	ck_assert_int_eq(ask(uri, _i, "ca", RIGHT), B2B_HOME_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(why.text, "certificate"));
}
END_TEST

/* TLS where plain is spoken, and the reverse. */
START_TEST(test_b2b_homes_prove__wrong_port)
{
	char uri[64];

	snprintf(uri, sizeof uri, "ldaps://127.0.0.1:%d", good.plain_port);
	ck_assert_int_eq(ask(uri, false, "ca", RIGHT), B2B_HOME_UNAVAILABLE);
	snprintf(uri, sizeof uri, "ldap://127.0.0.1:%d", good.tls_port);
	ck_assert_int_eq(ask(uri, true, "ca", RIGHT), B2B_HOME_UNAVAILABLE);
}
END_TEST

/* slapd restarts: the connection that is kept is dead, and nobody notices. */
START_TEST(test_b2b_homes_prove__home_restarts)
{
	struct home home;
	const char *uri;
	char line[64];

	shell("cp good.pem again.pem; cp good.key again.key");
	home_start(&home, "again", "");
	uri = uri_of(LDAPS, "127.0.0.1", &home);
	ck_assert_int_eq(ask(uri, false, "ca", RIGHT), B2B_HOME_PROVED);
	home_stop(&home);
	ck_assert_int_eq(ask(uri, false, "ca", RIGHT), B2B_HOME_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(why.text, "no connection"));
	snprintf(line, sizeof line, "rm -r again.db");
	shell(line);
	home_start(&home, "again", "");
	uri = uri_of(LDAPS, "127.0.0.1", &home);
	ck_assert_int_eq(ask(uri, false, "ca", RIGHT), B2B_HOME_PROVED);
	home_stop(&home);
}
END_TEST

/* A home that knows TLS 1.1 at most. */
START_TEST(test_b2b_homes_prove__old_tls)
{
	struct home home;

	shell("cp good.pem old.pem; cp good.key old.key");
	home_start(&home, "old", "TLSCipherSuite NORMAL:-VERS-ALL:+VERS-TLS1.1:%%COMPAT\\n");
	ck_assert_int_eq(ask(uri_of(LDAPS, "127.0.0.1", &home), false, "ca", RIGHT),
			 B2B_HOME_UNAVAILABLE);
	home_stop(&home);
}
END_TEST

static void *ask_often(void *arg)
{
	const char *uri = arg;

	for (int i = 0; i < 25; i++) {
		struct b2b_home_request request = { .partner = "p", .uris = &uri, .uri_count = 1 };
		const char *password = i % 2 ? RIGHT : "wrong";
		char file[128];

		snprintf(file, sizeof file, "%s/ca.pem", folder);
		request.ca_file = file;
		request.name = NAME;
		request.password = (struct b2b_str){ password, strlen(password) };
		if (b2b_homes_prove(homes, &request, NULL) !=
		    (i % 2 ? B2B_HOME_PROVED : B2B_HOME_REFUSED))
			return arg;
	}
	return NULL;
}

/* Many threads over few connections: nobody gets the answer of another. */
START_TEST(test_b2b_homes_prove__answers_are_not_mixed_up)
{
	const char *uri = uri_of(LDAPS, "127.0.0.1", &good);
	pthread_t threads[6];
	void *failed;

	for (size_t i = 0; i < 6; i++)
		pthread_create(&threads[i], NULL, ask_often, (void *)uri);
	for (size_t i = 0; i < 6; i++) {
		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
}
END_TEST

static bool is_missing(const char *program)
{
	char line[128];

	snprintf(line, sizeof line, PATH "command -v %s >/dev/null", program);
	return system(line) != 0;
}

int main(void)
{
	Suite *suite = suite_create("home_tls");
	TCase *tcase = tcase_create("home_tls");
	SRunner *runner;
	int failed;

	if (is_missing("slapd") || is_missing("openssl")) {
		printf("check_home_tls: skipped: slapd or openssl is missing\n");
		return EXIT_SUCCESS;
	}
	fake_hostile_environment();
	tcase_set_timeout(tcase, 120);
	tcase_add_unchecked_fixture(tcase, start_homes, stop_homes);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, test_b2b_homes_prove__real_home, PLAIN, STARTTLS + 1);
	if (has_ipv6())
		tcase_add_test(tcase, test_b2b_homes_prove__ipv6);
	tcase_add_loop_test(tcase, test_b2b_homes_prove__wrong_ca, 0, 2);
	tcase_add_test(tcase, test_b2b_homes_prove__wrong_host);
	tcase_add_loop_test(tcase, test_b2b_homes_prove__expired, 0, 2);
	tcase_add_test(tcase, test_b2b_homes_prove__wrong_port);
	tcase_add_test(tcase, test_b2b_homes_prove__home_restarts);
	tcase_add_test(tcase, test_b2b_homes_prove__old_tls);
	tcase_add_test(tcase, test_b2b_homes_prove__answers_are_not_mixed_up);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
