/*
 * ctl_when.c - what people write on a command line: dates, addresses, messages, yes or no.
 * In: words of the command line, a terminal.
 * Out: times, addresses in ASCII, text.
 */
#include "ctl_life.h"
#include "mail.h"

#include <idn2.h>
#include <stdlib.h>
#include <string.h>

#define DAY_SECS 86400
#define DAYS_MAX 36500
#define TEXT_MAX 65536u

/* "2027-01-31": the first moment behind that day. */
static bool read_day(const char *text, time_t *when_r)
{
	char compact[B2B_TIME_SIZE];
	unsigned year, month, day;
	int end = 0;

	if (strspn(text, "0123456789-") != 10 ||
	    sscanf(text, "%4u-%2u-%2u%n", &year, &month, &day, &end) != 3 || end != 10 || text[10])
		return false;
	snprintf(compact, sizeof compact, "%04u%02u%02u000000Z", year, month % 100, day % 100);
	if (b2b_time_parse(b2b_str_of(compact), when_r) != B2B_OK)
		return false;
	*when_r += DAY_SECS;
	return true;
}

/* "2027-01-31T12:00:00+01:00" (RFC 3339) is GeneralizedTime but for its punctuation. */
static bool read_moment(const char *text, time_t *when_r)
{
	char compact[32];
	size_t bytes = 0;
	bool dashed = strlen(text) > 19 && text[4] == '-' && text[7] == '-' &&
		      (text[10] == 'T' || text[10] == 't' || text[10] == ' ');

	for (size_t i = 0; text[i]; i++) {
		bool dropped = dashed && (i == 4 || i == 7 || i == 10 || text[i] == ':');

		if (bytes + 1 == sizeof compact)
			return false;
		if (!dropped)
			compact[bytes++] = text[i] == 'z' ? 'Z' : text[i];
	}
	compact[bytes] = '\0';
	return b2b_time_parse(b2b_str_of(compact), when_r) == B2B_OK;
}

enum b2b_err ctl_when(const char *text, time_t now, time_t *when_r, struct b2b_error *error)
{
	unsigned days;

	if (*text == '+') {
		if (b2b_number_parse(b2b_str_of(text + 1), 1, DAYS_MAX, &days) != B2B_OK)
			return b2b_error_set(error, "\"%s\" is not + and a number of days", text);
		*when_r = now + (time_t)days * DAY_SECS;
		return B2B_OK;
	}
	if (!read_day(text, when_r) && !read_moment(text, when_r))
		return b2b_error_set(error,
				     "\"%s\" is no date: 2027-01-31, 2027-01-31T12:00:00Z, "
				     "20270131120000Z or +90 (days)",
				     text);
	if (*when_r <= now)
		return b2b_error_set(error, "%s is past", text);
	return B2B_OK;
}

char *ctl_mail_ascii(const char *given, struct b2b_error *error)
{
	const char *at = strrchr(given, '@');
	char *domain = NULL, *mail;
	int code;

	if (!at) {
		b2b_error_set(error, "mail: \"%s\" has no @", given);
		return NULL;
	}
	for (const char *c = at + 1; *c; c++)
		if ((unsigned char)*c > 0x7f) {
			code = idn2_to_ascii_8z(at + 1, &domain,
						IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
			if (code != IDN2_OK) {
				b2b_error_set(error, "mail: the domain of \"%s\": %s", given,
					      idn2_strerror(code));
				return NULL;
			}
			break;
		}
	mail = ctl_format("%.*s@%s", (int)(at - given), given, domain ? domain : at + 1);
	idn2_free(domain);
	if (b2b_mail_check(b2b_str_of(mail), error) == B2B_OK)
		return mail;
	free(mail);
	return NULL;
}

int ctl_confirm(const struct ctl_options *options, const char *question)
{
	FILE *terminal;
	char line[16] = "", *shown;

	if (options->yes)
		return CTL_DONE;
	terminal = fopen("/dev/tty", "r+");
	if (!terminal)
		return ctl_fail("there is no terminal to ask on; --yes does it without a question");
	shown = ctl_shown(question, strlen(question));
	fprintf(terminal, "%s [y/N] ", shown);
	fflush(terminal);
	free(shown);
	if (!fgets(line, sizeof line, terminal))
		line[0] = '\0';
	fclose(terminal);
	line[strcspn(line, "\r\n")] = '\0';
	if (strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0)
		return CTL_DONE;
	return ctl_fail("nothing was done");
}

int ctl_text_or_file(const char *given, char **text_r)
{
	char *text = NULL;
	size_t bytes;

	if (*given != '@') {
		*text_r = ctl_format("%s", given);
		return CTL_DONE;
	}
	if (ctl_read_file(given + 1, TEXT_MAX, &text, &bytes) != CTL_DONE)
		return CTL_FAILED;
	if (bytes > TEXT_MAX || memchr(text, '\0', bytes)) {
		free(text);
		return ctl_fail("%s: %s", given + 1,
				bytes > TEXT_MAX ? "too long" : "not a text: it has a zero byte");
	}
	while (bytes > 0 && strchr("\r\n", text[bytes - 1]))
		bytes--;
	*text_r = ctl_format("%.*s", (int)bytes, text);
	free(text);
	return CTL_DONE;
}
