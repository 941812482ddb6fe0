/*
 * b2bd.c - the mail daemon of slapo-b2b: command line, signals, start and end.
 * In: argv, the configuration.
 * Out: bd_loop.c runs; the exit code.
 */
#include "bd.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Told to stop, it ends by itself at once; if not (a name server that hangs), after that long.
 * Nothing is lost then: what counts stands in the directory. */
#define STOP_SECS 3

struct bd_wish bd_wish;

struct choices {
	const char *path;
	bool check, to_stderr, once;
};

static void on_signal(int number)
{
	if (number == SIGHUP) {
		bd_wish.reload = 1;
	} else if (number == SIGALRM) {
		if (bd_wish.stop)
			_exit(0);
	} else {
		bd_wish.stop = 1;
		alarm(STOP_SECS);
	}
}

static void set_signals(void)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGALRM };
	struct sigaction action;

	memset(&action, 0, sizeof action);
	sigemptyset(&action.sa_mask);
	action.sa_handler = on_signal; /* without SA_RESTART: who waits is woken */
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaction(numbers[i], &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

static int usage(void)
{
	fputs("usage: " BD_NAME " [-1dt] [-f file]\n"
	      "  -f file  configuration (" BD_CONFIG ")\n"
	      "  -t       check configuration and templates, and end\n"
	      "  -d       log to stderr\n"
	      "  -1       send what is due, and end\n",
	      stderr);
	return 2;
}

static int read_options(int argc, char **argv, struct choices *choices)
{
	int option;

	*choices = (struct choices){ .path = BD_CONFIG };
	while ((option = getopt(argc, argv, "1df:tV")) != -1) {
		switch (option) {
		case '1':
			choices->once = true;
			break;
		case 'd':
			choices->to_stderr = true;
			break;
		case 'f':
			choices->path = optarg;
			break;
		case 't':
			choices->check = true;
			break;
		case 'V':
			puts(BD_NAME " (slapo-b2b) " B2B_VERSION);
			return 0;
		default:
			return usage();
		}
	}
	return optind == argc ? -1 : usage();
}

static int run(struct bd *bd)
{
	int code;

	bd->link.config = bd->config;
	bd->smtp = bd_smtp_new(bd->config);
	bd_follow_init(&bd->follows[BD_NOTICE], BD_NOTICE, bd->config->base);
	bd_log(LOG_INFO, "started, for %s", bd->config->base);
	code = bd_loop(bd);
	bd_log(LOG_INFO, "ended");
	bd_link_close(&bd->link);
	bd_queue_clear(&bd->queue);
	bd_smtp_free(&bd->smtp);
	free(bd->follows[BD_NOTICE].base);
	return code;
}

int main(int argc, char **argv)
{
	struct b2b_error error = { "" };
	struct bd_config config;
	struct choices choices;
	struct bd bd = { .config = &config };
	int code = read_options(argc, argv, &choices);

	if (code >= 0)
		return code;
	umask(077);
	set_signals();
	bd_log_open(choices.to_stderr || choices.check);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		bd_log(LOG_CRIT, "libcurl does not start");
		return 1;
	}
	code = 1;
	bd.once = choices.once;
	if (!bd_config_read(choices.path, &config, &error) || !bd_user_become(config.user, &error))
		bd_log(LOG_CRIT, "%s", error.text);
	else
		code = run(&bd);
	bd_config_free(&config);
	curl_global_cleanup();
	return code;
}
