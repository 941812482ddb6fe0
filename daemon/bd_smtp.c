/*
 * bd_smtp.c - hands one letter to the mail server, by libcurl.
 * In: a letter.
 * Out: whether the server has it; if not, whether another attempt makes sense.
 */
#include "bd.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* When told to stop while the server holds a whole mail, its answer is waited for that long. */
#define GRACE_SECS 1
/* A whole mail may take that many times the time-out. */
#define WHOLE_TIMES 3

/* What the client said last; the answer that a failure names is the answer to that. */
enum phase { HELLO, MAIL, RCPT, DATA, BODY };

struct bd_smtp {
	const struct bd_config *config;
	CURL *curl;
	enum phase phase;
	bool bye;         /* QUIT was said: what is answered to that is of no interest */
	char answer[256]; /* the server's last line */
	char why[CURL_ERROR_SIZE];
	time_t stop_at;
};

struct bd_smtp *bd_smtp_new(const struct bd_config *config)
{
	struct bd_smtp *smtp = bd_alloc(sizeof *smtp);

	smtp->config = config;
	return smtp;
}

void bd_smtp_rest(struct bd_smtp *smtp)
{
	curl_easy_cleanup(smtp->curl);
	smtp->curl = NULL;
}

void bd_smtp_free(struct bd_smtp **smtp)
{
	if (*smtp)
		bd_smtp_rest(*smtp);
	free(*smtp);
	*smtp = NULL;
}

static bool starts_with(const char *data, size_t bytes, const char *word)
{
	size_t length = strlen(word);

	return bytes >= length && strncasecmp(data, word, length) == 0;
}

/* libcurl tells what it says and hears; nothing of it is kept but the kind of command and the last
 * answer, for passwords pass here too. */
static int listen_in(CURL *curl, curl_infotype type, char *data, size_t bytes, void *ctx)
{
	struct bd_smtp *smtp = ctx;

	(void)curl;
	if (type == CURLINFO_HEADER_OUT) {
		smtp->bye = starts_with(data, bytes, "QUIT");
		smtp->phase = starts_with(data, bytes, "MAIL ")   ? MAIL
			      : starts_with(data, bytes, "RCPT ") ? RCPT
			      : starts_with(data, bytes, "DATA")  ? DATA
			      : smtp->bye                         ? smtp->phase
								  : HELLO;
	} else if (type == CURLINFO_DATA_OUT) {
		smtp->phase = BODY;
	} else if (type == CURLINFO_HEADER_IN && bytes > 3 && !smtp->bye) {
		size_t kept = bytes < sizeof smtp->answer ? bytes : sizeof smtp->answer - 1;

		memcpy(smtp->answer, data, kept);
		smtp->answer[kept] = '\0';
		smtp->answer[strcspn(smtp->answer, "\r\n")] = '\0';
	}
	return 0;
}

static int watch(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct bd_smtp *smtp = ctx;

	(void)a, (void)b, (void)c, (void)d;
	if (!bd_wish.stop)
		return 0;
	if (smtp->phase < DATA)
		return 1;
	if (smtp->stop_at == 0)
		smtp->stop_at = bd_clock() + GRACE_SECS;
	return bd_clock() >= smtp->stop_at;
}

static size_t swallow(char *data, size_t size, size_t count, void *ctx)
{
	(void)data, (void)ctx;
	return size * count;
}

static bool set_tls(struct bd_smtp *smtp)
{
	const struct bd_config *config = smtp->config;
	bool plain = config->smtp_loopback && !config->smtp_ca_file;
	CURL *curl = smtp->curl;
	bool right;

	right = curl_easy_setopt(curl, CURLOPT_USE_SSL,
				 (long)(plain ? CURLUSESSL_NONE : CURLUSESSL_ALL)) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_SSLVERSION,
					  (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
	/* the file is trusted in place of the system's authorities, not beside them */
	if (config->smtp_ca_file)
		right = right &&
			curl_easy_setopt(curl, CURLOPT_CAINFO, config->smtp_ca_file) == CURLE_OK &&
			curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK;
	return right;
}

static bool set_login(struct bd_smtp *smtp, struct b2b_error *error)
{
	const char *path = smtp->config->smtp_password_file;
	char *password;
	size_t bytes;
	bool right;

	if (!path)
		return true;
	if (!bd_file_read(path, true, &password, &bytes, error))
		return false;
	right = curl_easy_setopt(smtp->curl, CURLOPT_USERNAME, smtp->config->smtp_user) ==
			CURLE_OK &&
		curl_easy_setopt(smtp->curl, CURLOPT_PASSWORD, password) == CURLE_OK;
	bd_wipe(&password);
	return right;
}

/* What holds for every mail to this server. */
static bool prepare(struct bd_smtp *smtp, struct b2b_error *error)
{
	const struct bd_config *config = smtp->config;
	long secs = (long)config->timeout_secs;
	const char *slash = config->smtp_url[strlen(config->smtp_url) - 1] == '/' ? "" : "/";
	/* the path is the name that EHLO tells */
	char *url = bd_format("%s%s%s", config->smtp_url, slash, config->domain);
	CURL *curl = smtp->curl = curl_easy_init();
	bool right = curl && curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK;

	free(url);
	right = right && curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps") == CURLE_OK;
	right = right && set_tls(smtp);
	right = right && curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, secs) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, secs) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, secs) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_TIMEOUT, secs * WHOLE_TIMES) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, listen_in) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_DEBUGDATA, smtp) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, swallow) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_XFERINFODATA, smtp) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, smtp->why) == CURLE_OK;
	if (!right)
		b2b_error_set(error, "libcurl lacks what is needed to send mail");
	right = right && set_login(smtp, error);
	if (!right)
		bd_smtp_rest(smtp);
	return right;
}

static bool add_part(curl_mime *mime, const struct mail_text *text, const char *type)
{
	curl_mimepart *part = curl_mime_addpart(mime);

	return part && curl_mime_data(part, text->s ? text->s : "", text->len) == CURLE_OK &&
	       curl_mime_type(part, type) == CURLE_OK &&
	       curl_mime_encoder(part, "quoted-printable") == CURLE_OK;
}

static bool add_headers(const struct mail_letter *letter, struct curl_slist **list_r)
{
	for (size_t i = 0; i < letter->header_count; i++) {
		struct curl_slist *longer = curl_slist_append(*list_r, letter->headers[i].s);

		if (!longer)
			return false;
		*list_r = longer;
	}
	return true;
}

/* What became of it: only an answer of the server to this mail is about this mail. */
static enum bd_fate judge(const struct bd_smtp *smtp, CURLcode code, struct b2b_error *error)
{
	long answer = 0;

	if (code == CURLE_OK)
		return BD_DONE;
	curl_easy_getinfo(smtp->curl, CURLINFO_RESPONSE_CODE, &answer);
	if (bd_wish.stop)
		b2b_error_set(error, "stopped");
	else if (answer >= 400)
		b2b_error_set(error, "%s", smtp->answer);
	else
		b2b_error_set(error, "%s%s", *smtp->why ? smtp->why : curl_easy_strerror(code),
			      smtp->phase == BODY ? " (no answer after the mail)" : "");
	if (answer >= 500 && (smtp->phase == RCPT || smtp->phase >= DATA))
		return BD_REFUSED;
	/* 421: the server goes away */
	if (answer >= 400 && answer != 421 && smtp->phase > MAIL)
		return BD_UNCLEAR;
	return BD_NO_SERVER;
}

static enum bd_fate send_now(struct bd_smtp *smtp, const struct mail_letter *letter,
			     struct b2b_error *error)
{
	char *from = bd_format("<%.*s>", (int)smtp->config->sender.mail.len,
			       smtp->config->sender.mail.s);
	char *to = bd_format("<%s>", letter->to);
	struct curl_slist *to_list = curl_slist_append(NULL, to), *headers = NULL;
	curl_mime *mime = curl_mime_init(smtp->curl);
	enum bd_fate fate = BD_UNCLEAR;

	if (to_list && mime && add_headers(letter, &headers) &&
	    add_part(mime, &letter->text, "text/plain; charset=utf-8") &&
	    (letter->html.len == 0 || add_part(mime, &letter->html, "text/html; charset=utf-8")) &&
	    curl_easy_setopt(smtp->curl, CURLOPT_MAIL_FROM, from) == CURLE_OK &&
	    curl_easy_setopt(smtp->curl, CURLOPT_MAIL_RCPT, to_list) == CURLE_OK &&
	    curl_easy_setopt(smtp->curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
	    curl_easy_setopt(smtp->curl, CURLOPT_MIMEPOST, mime) == CURLE_OK) {
		smtp->phase = HELLO;
		smtp->bye = false;
		*smtp->why = *smtp->answer = '\0';
		smtp->stop_at = 0;
		fate = judge(smtp, curl_easy_perform(smtp->curl), error);
	} else {
		b2b_error_set(error, "libcurl does not take this mail");
	}
	curl_easy_setopt(smtp->curl, CURLOPT_MIMEPOST, NULL);
	curl_easy_setopt(smtp->curl, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(smtp->curl, CURLOPT_MAIL_RCPT, NULL);
	curl_mime_free(mime);
	curl_slist_free_all(headers);
	curl_slist_free_all(to_list);
	free(to);
	free(from);
	return fate;
}

enum bd_fate bd_smtp_send(struct bd_smtp *smtp, const struct mail_letter *letter,
			  struct b2b_error *error)
{
	bool held = smtp->curl != NULL; /* a connection that may have died of age */
	enum bd_fate fate;

	if (!held && !prepare(smtp, error))
		return BD_NO_SERVER;
	fate = send_now(smtp, letter, error);
	if (fate == BD_NO_SERVER) {
		bd_smtp_rest(smtp);
		if (held && !bd_wish.stop && prepare(smtp, error))
			fate = send_now(smtp, letter, error);
	}
	if (fate != BD_DONE && smtp->curl)
		bd_smtp_rest(smtp);
	return fate;
}
