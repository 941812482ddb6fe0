/*
 * b2bd.c - the mail daemon of slapo-b2b: command line, signals, start and end.
 * In: argv, the configuration.
 * Out: bd_loop.c runs; the exit code.
 */
#include "bd.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
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
	int before = errno;

	if (number == SIGHUP) {
		bd_wish.reload = 1;
	} else if (number == SIGALRM) {
		if (bd_wish.stop)
			_exit(0);
	} else {
		bd_wish.stop = 1;
		alarm(STOP_SECS);
	}
	if (write(bd_wish.pipe[1], "", 1) < 0)
		errno = 0; /* it is full: who waits wakes anyway */
	errno = before;
}

static bool set_signals(void)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGALRM };
	struct sigaction action;

	if (pipe2(bd_wish.pipe, O_CLOEXEC | O_NONBLOCK) != 0)
		return false;
	memset(&action, 0, sizeof action);
	sigemptyset(&action.sa_mask);
	action.sa_handler = on_signal; /* without SA_RESTART: who waits is woken */
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaction(numbers[i], &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	return true;
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

/* The tenant's key; what the file held is wiped. */
static bool read_key(const char *path, struct b2b_mint **mint_r, struct b2b_error *error)
{
	struct b2b_error inner = { "" };
	enum b2b_err err;
	size_t bytes;
	char *pem;

	if (!path)
		return true;
	if (!bd_file_read(path, false, &pem, &bytes, error))
		return false;
	err = b2b_mint_new((struct b2b_str){ pem, bytes }, mint_r, &inner);
	bd_wipe(&pem);
	if (err != B2B_OK)
		b2b_error_set(error, "%s: %s", path,
			      err == B2B_ERR_MEMORY ? "out of memory" : inner.text);
	return err == B2B_OK;
}

/* What is opened only when it is needed is looked at now. */
static bool may_read(const struct bd_config *config, struct b2b_error *error)
{
	const char *paths[] = { config->password_file, config->smtp_password_file, config->ca_file,
				config->smtp_ca_file, config->hook_ca_file };

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (paths[i] && access(paths[i], R_OK) != 0) {
			b2b_error_set(error, "%s: %s", paths[i], strerror(errno));
			return false;
		}
	return true;
}

static int run(struct bd *bd)
{
	int code;

	bd->link.config = bd->config;
	bd->smtp = bd_smtp_new(bd->config);
	bd_follow_init(&bd->follows[BD_NOTICE], BD_NOTICE, bd->config->base);
	if (bd->config->hook)
		bd_follow_init(&bd->follows[BD_REQUEST], BD_REQUEST, bd->config->base);
	bd_log(LOG_INFO, "started, for %s", bd->config->base);
	code = bd_loop(bd);
	bd_log(LOG_INFO, "ended");
	bd_link_close(&bd->link);
	bd_queue_clear(&bd->queue);
	bd_smtp_free(&bd->smtp);
	for (size_t i = 0; i < BD_KINDS; i++)
		free(bd->follows[i].base);
	return code;
}

static int start(const struct choices *choices, struct bd_config *config)
{
	struct bd bd = { .config = config, .once = choices->once };
	struct b2b_error error = { "out of memory" };
	int code = 1;

	if (!bd_config_read(choices->path, config, &error) ||
	    !bd_user_become(config->user, &error) || !may_read(config, &error) ||
	    !read_key(config->key_file, &bd.mint, &error) ||
	    mail_folder_new(config->templates, &bd.templates, &error) != B2B_OK)
		bd_log(LOG_CRIT, "%s", error.text);
	else if (choices->check)
		code = fprintf(stderr, "%s: configuration and templates are good\n",
			       choices->path) < 0;
	else
		code = run(&bd);
	mail_folder_free(&bd.templates);
	b2b_mint_free(&bd.mint);
	return code;
}

int main(int argc, char **argv)
{
	struct bd_config config = { NULL };
	struct choices choices;
	int code = read_options(argc, argv, &choices);

	if (code >= 0)
		return code;
	umask(077);
	bd_log_open(choices.to_stderr || choices.check);
	if (!set_signals() || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		bd_log(LOG_CRIT, "neither a pipe nor libcurl: this cannot start");
		return 1;
	}
	code = start(&choices, &config);
	bd_config_free(&config);
	curl_global_cleanup();
	return code;
}
