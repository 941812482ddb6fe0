/*
 * ctl_text.c - messages, escaping, times, files.
 * In: texts of foreign origin.
 * Out: texts that a terminal, a filter or a DN may carry.
 */
#include "ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_FROM 50u
#define BAR_COLUMNS 40u

static void out_of_memory(void)
{
	fputs(CTL_NAME ": out of memory\n", stderr);
	exit(CTL_FAILED);
}

void *ctl_alloc(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (!memory)
		out_of_memory();
	return memory;
}

void *ctl_grow(void *list, size_t count, size_t size)
{
	/* Room is doubled whenever the count reaches a power of two. */
	if ((count & (count - 1)) != 0)
		return list;
	list = reallocarray(list, count ? count * 2 : 1, size);
	if (!list)
		out_of_memory();
	return list;
}

__attribute__((format(printf, 1, 0))) static char *vformat(const char *fmt, va_list args)
{
	char *text;

	if (vasprintf(&text, fmt, args) < 0)
		out_of_memory();
	return text;
}

char *ctl_format(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = vformat(fmt, args);
	va_end(args);
	return text;
}

/* What is on the line of the terminal where messages go, too. */
static bool progress_shown;

static void clear_progress(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

void ctl_progress(size_t done, size_t all)
{
	char bar[BAR_COLUMNS + 1];
	size_t filled;

	if ((all > 0 && all < PROGRESS_FROM) || !isatty(STDERR_FILENO))
		return;
	if (done == all || done % PROGRESS_FROM != 0) {
		if (done == all)
			clear_progress();
		return;
	}
	if (all == 0) {
		fprintf(stderr, "\r" CTL_NAME ": %zu", done);
	} else {
		filled = done < all ? done * BAR_COLUMNS / all : BAR_COLUMNS;
		memset(bar, '.', BAR_COLUMNS);
		memset(bar, '#', filled);
		bar[BAR_COLUMNS] = '\0';
		fprintf(stderr, "\r" CTL_NAME ": [%s] %zu of %zu", bar, done, all);
	}
	progress_shown = true;
	fflush(stderr);
}

__attribute__((format(printf, 2, 0))) static void say(const char *kind, const char *fmt,
						      va_list args)
{
	char *text = vformat(fmt, args), *shown = ctl_shown(text, strlen(text));

	fflush(stdout); /* so that the two keep their order in one file */
	clear_progress();
	fprintf(stderr, "%s: %s%s\n", CTL_NAME, kind, shown);
	free(shown);
	free(text);
}

void ctl_say(const char *fmt, ...)
{
	va_list args;
	char *text, *shown;

	va_start(args, fmt);
	text = vformat(fmt, args);
	va_end(args);
	shown = ctl_shown(text, strlen(text));
	clear_progress();
	puts(shown);
	free(shown);
	free(text);
}

int ctl_fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("", fmt, args);
	va_end(args);
	return CTL_FAILED;
}

void ctl_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("note: ", fmt, args);
	va_end(args);
}

int ctl_fail_ldap(LDAP *ld, int code, const char *what)
{
	char *text = NULL;

	ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
	ctl_fail("%s: %s (%d)%s%s", what, ldap_err2string(code), code, text && *text ? ": " : "",
		 text ? text : "");
	ldap_memfree(text);
	return CTL_FAILED;
}

/* Controls, and what hides or turns text around. */
static bool is_shown(unsigned code)
{
	if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xad)
		return false;
	if ((code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	    (code >= 0x2060 && code <= 0x206f) || (code >= 0xd800 && code <= 0xdfff))
		return false;
	return code != 0xfeff && !(code >= 0xfff9 && code <= 0xffff) && code < 0xe0000;
}

/* Bytes of the character at s that may be shown, 0 where there is none. */
static size_t shown_bytes(const unsigned char *s, size_t room)
{
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t bytes = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	unsigned code = bytes == 1 ? s[0] : s[0] & (0x7fu >> bytes);

	if (bytes == 0 || bytes > room || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < bytes; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3fu);
	}
	return code >= least[bytes] && is_shown(code) ? bytes : 0;
}

char *ctl_shown(const char *text, size_t bytes)
{
	char *shown = ctl_alloc(bytes + 1, 1);

	if (bytes > 0)
		memcpy(shown, text, bytes);
	for (size_t i = 0; i < bytes;) {
		size_t step = shown_bytes((const unsigned char *)shown + i, bytes - i);

		if (step == 0) {
			shown[i] = '?';
			step = 1;
		}
		i += step;
	}
	return shown;
}

char *ctl_escape(const char *text)
{
	char *escaped = ctl_alloc(strlen(text) * 3 + 1, 1), *end = escaped;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    c == '-' || c == '.' || c == '_')
			*end++ = (char)c;
		else
			end += sprintf(end, "\\%02X", c);
	}
	return escaped;
}

char *ctl_time(time_t when)
{
	struct tm parts;
	char text[64];

	if (!gmtime_r(&when, &parts) ||
	    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		return ctl_format("?");
	return ctl_format("%s", text);
}

static int read_stream(FILE *file, const char *path, size_t max_bytes, char **text_r,
		       size_t *bytes_r)
{
	size_t room = 65536, bytes = 0, got;
	char *text = ctl_alloc(room, 1);

	while ((got = fread(text + bytes, 1, room - bytes, file)) > 0 && bytes + got <= max_bytes) {
		bytes += got;
		if (bytes < room)
			continue;
		room *= 2;
		text = reallocarray(text, room, 1);
		if (!text)
			out_of_memory();
	}
	bytes += got;
	if (ferror(file)) {
		free(text);
		return ctl_fail("%s: %s", path, strerror(errno));
	}
	*text_r = text;
	*bytes_r = bytes;
	return CTL_DONE;
}

int ctl_read_file(const char *path, size_t max_bytes, char **text_r, size_t *bytes_r)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	int result;

	if (!file)
		return ctl_fail("%s: %s", path, strerror(errno));
	result = read_stream(file, path, max_bytes, text_r, bytes_r);
	if (file != stdin)
		fclose(file);
	return result;
}
