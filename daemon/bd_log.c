/*
 * bd_log.c - the daemon's log, and memory that is there or ends it.
 * In: printf arguments that may carry foreign bytes.
 * Out: lines to syslog or stderr.
 */
#include "bd.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool on_stderr = true;

void bd_log_open(bool to_stderr)
{
	on_stderr = to_stderr;
	if (!to_stderr)
		openlog(BD_NAME, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

void bd_log(int priority, const char *fmt, ...)
{
	struct b2b_error line = { "" };
	va_list args;
	char *text;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	b2b_error_set(&line, "%s", text ? text : "out of memory");
	free(text);
	if (on_stderr)
		fprintf(stderr, "%s[%d]: %s%s\n", BD_NAME, (int)getpid(),
			priority <= LOG_ERR       ? "error: "
			: priority == LOG_WARNING ? "warning: "
						  : "",
			line.text);
	else
		syslog(priority, "%s", line.text);
}

static void *or_end(void *memory)
{
	if (!memory) {
		bd_log(LOG_CRIT, "out of memory");
		_exit(1); /* nothing is lost: all that counts stands in the directory */
	}
	return memory;
}

void *bd_alloc(size_t bytes)
{
	return or_end(calloc(1, bytes ? bytes : 1));
}

char *bd_copy(const char *text, size_t bytes)
{
	char *copy = bd_alloc(bytes + 1);

	if (bytes > 0)
		memcpy(copy, text, bytes);
	return copy;
}

char *bd_format(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	return or_end(text);
}

void bd_wipe(char **secret)
{
	if (*secret)
		OPENSSL_cleanse(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}
