/*
 * bd_config.c - the configuration file: lines of a key and a value.
 * In: /etc/slapo-b2b/b2bd.conf.
 * Out: struct bd_config, or which line and word is wrong.
 */
#include "bd.h"

#include "../overlay/core/mail.h"
#include "../overlay/core/text.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define FILE_MAX 65536u
#define DAY_SECS 86400u

enum form { TEXT, YES_NO, SECS };

struct row {
	const char *key;
	enum form form;
	size_t at;
	unsigned least, most; /* seconds */
};
#define AT(member) offsetof(struct bd_config, member)
static const struct row rows[] = {
	{ "uri", TEXT, AT(uri), 0, 0 },
	{ "bind-dn", TEXT, AT(bind_dn), 0, 0 },
	{ "password-file", TEXT, AT(password_file), 0, 0 },
	{ "starttls", YES_NO, AT(starttls), 0, 0 },
	{ "ca-file", TEXT, AT(ca_file), 0, 0 },
	{ "base", TEXT, AT(base), 0, 0 },
	{ "key-file", TEXT, AT(key_file), 0, 0 },
	{ "smtp-url", TEXT, AT(smtp_url), 0, 0 },
	{ "smtp-user", TEXT, AT(smtp_user), 0, 0 },
	{ "smtp-password-file", TEXT, AT(smtp_password_file), 0, 0 },
	{ "smtp-ca-file", TEXT, AT(smtp_ca_file), 0, 0 },
	{ "from", TEXT, AT(from), 0, 0 },
	{ "domain", TEXT, AT(domain), 0, 0 },
	{ "templates", TEXT, AT(templates), 0, 0 },
	{ "language", TEXT, AT(language), 0, 0 },
	{ "give-up", SECS, AT(give_up_secs), 1, 365 * DAY_SECS },
	{ "retry", SECS, AT(retry_secs), 1, 4 * 3600 },
	{ "request-hook", TEXT, AT(hook), 0, 0 },
	{ "request-hook-ca-file", TEXT, AT(hook_ca_file), 0, 0 },
	{ "timeout", SECS, AT(timeout_secs), 1, 3600 },
	{ "user", TEXT, AT(user), 0, 0 },
};
#define ROWS (sizeof rows / sizeof *rows)

time_t bd_clock(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

bool bd_file_read(const char *path, bool trim, char **text_r, size_t *bytes_r,
		  struct b2b_error *error)
{
	FILE *file = fopen(path, "rb");
	char *text;
	size_t bytes;
	bool bad;

	*text_r = NULL;
	*bytes_r = 0;
	if (!file) {
		b2b_error_set(error, "%s: %s", path, strerror(errno));
		return false;
	}
	setvbuf(file, NULL, _IONBF, 0); /* no second copy of a secret */
	text = bd_alloc(FILE_MAX + 2);
	bytes = fread(text, 1, FILE_MAX + 1, file);
	bad = ferror(file) || bytes > FILE_MAX || strlen(text) < bytes;
	if (bad)
		b2b_error_set(error, "%s: %s", path,
			      ferror(file)       ? strerror(errno)
			      : bytes > FILE_MAX ? "too large"
						 : "not a text");
	fclose(file);
	while (!bad && trim && bytes > 0 && strchr("\r\n", text[bytes - 1]))
		text[--bytes] = '\0';
	if (bad) {
		OPENSSL_cleanse(text, FILE_MAX + 1);
		free(text);
		return false;
	}
	*text_r = text;
	*bytes_r = bytes;
	return true;
}

bool bd_is_loopback(const char *host)
{
	struct b2b_cidr net = { 0 }, net6 = { 0 };
	struct b2b_addr addr;
	size_t bytes = strlen(host);
	struct b2b_str bare = { host, bytes };

	if (bytes > 2 && host[0] == '[') { /* an IPv6 address as URLs write it */
		bare.s++;
		bare.len -= 2;
	}
	if (strcasecmp(host, "localhost") == 0)
		return true;
	return b2b_addr_parse(bare, &addr) == B2B_OK &&
	       b2b_cidr_parse(b2b_str_of("127.0.0.0/8"), &net) == B2B_OK &&
	       b2b_cidr_parse(b2b_str_of("::1"), &net6) == B2B_OK &&
	       (b2b_cidr_contains(&net, &addr) || b2b_cidr_contains(&net6, &addr));
}

/* "90", "90s", "15m", "4h", "3d" */
static bool read_secs(const char *word, unsigned least, unsigned most, unsigned *secs_r)
{
	static const struct {
		char unit;
		unsigned secs;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', DAY_SECS } };
	size_t digits = strspn(word, "0123456789");
	unsigned factor = word[digits] ? 0 : 1, number;
	struct b2b_str text = { word, digits };

	for (size_t i = 0; i < sizeof units / sizeof *units && word[digits]; i++)
		if (units[i].unit == word[digits] && !word[digits + 1])
			factor = units[i].secs;
	if (factor == 0 || b2b_number_parse(text, 0, most / factor, &number) != B2B_OK)
		return false;
	*secs_r = number * factor;
	return *secs_r >= least;
}

static bool set_value(struct bd_config *config, const struct row *row, const char *value,
		      struct b2b_error *error)
{
	char *at = (char *)config + row->at;

	switch (row->form) {
	case TEXT:
		free(*(char **)at);
		*(char **)at = bd_copy(value, strlen(value));
		return true;
	case YES_NO:
		*(bool *)at = strcmp(value, "yes") == 0;
		if (*(bool *)at || strcmp(value, "no") == 0)
			return true;
		b2b_error_set(error, "%s: \"%s\" is neither yes nor no", row->key, value);
		return false;
	case SECS:
		if (read_secs(value, row->least, row->most, (unsigned *)at))
			return true;
		b2b_error_set(error,
			      "%s: \"%s\" is no time from %u to %u seconds (90, 90s, 15m, 4h, 3d)",
			      row->key, value, row->least, row->most);
		return false;
	}
	return false;
}

/* One line, which is changed. */
static bool read_line(struct bd_config *config, char *line, unsigned *given,
		      struct b2b_error *error)
{
	char *key = line + strspn(line, " \t\r"), *value, *end;

	if (*key == '\0' || *key == '#')
		return true;
	value = key + strcspn(key, " \t\r");
	if (*value)
		*value++ = '\0';
	value += strspn(value, " \t\r");
	for (end = value + strlen(value); end > value && strchr(" \t\r", end[-1]); end--)
		end[-1] = '\0';
	for (const char *c = value; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f) {
			b2b_error_set(error, "%s: a control character in the value", key);
			return false;
		}
	for (size_t i = 0; i < ROWS; i++) {
		if (strcmp(rows[i].key, key) != 0)
			continue;
		if (*given & 1u << i)
			b2b_error_set(error, "%s: given twice", key);
		else if (!*value)
			b2b_error_set(error, "%s: no value", key);
		else
			return *given |= 1u << i, set_value(config, &rows[i], value, error);
		return false;
	}
	b2b_error_set(error, "unknown word \"%s\"", key);
	return false;
}

/* "Name <addr>" or "addr" */
static bool read_sender(struct bd_config *config, struct b2b_error *error)
{
	char *text = config->from_text = bd_copy(config->from, strlen(config->from));
	char *open = strrchr(text, '<'), *end;
	struct b2b_str *mail = &config->sender.mail, *name = &config->sender.name;

	*mail = b2b_str_of(text);
	*name = (struct b2b_str){ "", 0 };
	if (open && text[strlen(text) - 1] == '>') {
		text[strlen(text) - 1] = '\0';
		*mail = b2b_str_of(open + 1);
		for (end = open; end > text && (end[-1] == ' ' || end[-1] == '"'); end--)
			;
		*end = '\0';
		*name = b2b_str_of(text + strspn(text, " \""));
	}
	if (b2b_mail_check(*mail, error) == B2B_OK &&
	    (name->len == 0 || b2b_name_check("name", *name, error) == B2B_OK))
		return true;
	end = bd_copy(error->text, strlen(error->text));
	b2b_error_set(error, "from: %s", end);
	free(end);
	return false;
}

/* Takes a URL apart as libcurl will. */
static bool read_url(const char *url, const char *scheme, const char *tls_scheme, bool *loopback_r,
		     bool *tls_r)
{
	CURLU *parts = curl_url();
	char *found = NULL, *host = NULL;
	bool good = parts && !strpbrk(url, " \t#") &&
		    curl_url_set(parts, CURLUPART_URL, url,
				 CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
		    curl_url_get(parts, CURLUPART_SCHEME, &found, 0) == CURLUE_OK &&
		    curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		    strstr(url, "://");

	*tls_r = good && strcmp(found, tls_scheme) == 0;
	good = good && (*tls_r || strcmp(found, scheme) == 0);
	*loopback_r = good && bd_is_loopback(host);
	curl_free(found);
	curl_free(host);
	curl_url_cleanup(parts);
	return good;
}

static bool judge_urls(struct bd_config *config, struct b2b_error *error)
{
	bool loopback, tls;

	/* its path would be what the server is greeted with */
	if (!read_url(config->smtp_url, "smtp", "smtps", &config->smtp_loopback, &tls) ||
	    strcspn(strstr(config->smtp_url, "://") + 3, "/?") + 1 <
		    strlen(strstr(config->smtp_url, "://") + 3)) {
		b2b_error_set(error, "smtp-url: \"%s\" is no smtp://host[:port] or smtps://...",
			      config->smtp_url);
		return false;
	}
	if (tls)
		config->smtp_loopback = false;
	if (config->hook &&
	    (!read_url(config->hook, "http", "https", &loopback, &tls) || (!tls && !loopback))) {
		b2b_error_set(error, "request-hook: no https:// URL without a user's name");
		return false;
	}
	if (strncasecmp(config->uri, "ldapi:", 6) == 0 || config->starttls)
		return true;
	if (!read_url(config->uri, "ldap", "ldaps", &loopback, &tls) || (!tls && !loopback)) {
		b2b_error_set(error,
			      "uri: \"%s\" is neither ldapi:, ldaps: nor this machine; give "
			      "\"starttls yes\"",
			      config->uri);
		return false;
	}
	return true;
}

static void set_default(char **at, const char *value)
{
	if (!*at)
		*at = bd_copy(value, strlen(value));
}

/* What the lines must be together. */
static bool judge(struct bd_config *config, struct b2b_error *error)
{
	const struct {
		const char *key, *value;
	} musts[] = { { "base", config->base },
		      { "smtp-url", config->smtp_url },
		      { "from", config->from } };
	struct b2b_str domain;

	for (size_t i = 0; i < sizeof musts / sizeof *musts; i++)
		if (!musts[i].value) {
			b2b_error_set(error, "\"%s\" is missing", musts[i].key);
			return false;
		}
	set_default(&config->uri, "ldapi:///");
	set_default(&config->templates, BD_TEMPLATES);
	set_default(&config->language, MAIL_ROOT_LANGUAGE);
	if (!config->bind_dn != !config->password_file) {
		b2b_error_set(error, "bind-dn and password-file belong together");
		return false;
	}
	if (!config->smtp_user != !config->smtp_password_file) {
		b2b_error_set(error, "smtp-user and smtp-password-file belong together");
		return false;
	}
	if (!read_sender(config, error) || !judge_urls(config, error))
		return false;
	domain = b2b_mail_domain(config->sender.mail);
	if (!config->domain)
		config->domain = bd_copy(domain.s, domain.len);
	if (!mail_domain_is_good(config->domain)) {
		b2b_error_set(error, "domain: \"%s\" is no domain's name", config->domain);
		return false;
	}
	return true;
}

bool bd_config_read(const char *path, struct bd_config *config, struct b2b_error *error)
{
	struct b2b_error inner = { "" };
	unsigned number = 0, given = 0;
	char *text, *rest, *line;
	size_t bytes;
	bool good = true;

	*config = (struct bd_config){ .give_up_secs = 3 * DAY_SECS,
				      .retry_secs = 60,
				      .timeout_secs = 60 };
	if (!bd_file_read(path, false, &text, &bytes, error))
		return false;
	for (rest = text; good && (line = strsep(&rest, "\n"));) {
		number++;
		good = read_line(config, line, &given, &inner);
		if (!good)
			b2b_error_set(error, "%s:%u: %s", path, number, inner.text);
	}
	if (good && !judge(config, &inner)) {
		good = false;
		b2b_error_set(error, "%s: %s", path, inner.text);
	}
	free(text);
	return good;
}

void bd_config_free(struct bd_config *config)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].form == TEXT)
			free(*(char **)((char *)config + rows[i].at));
	free(config->from_text);
	*config = (struct bd_config){ 0 };
}
