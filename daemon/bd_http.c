/*
 * bd_http.c - posts JSON to the web hook.
 * In: a JSON text; request-hook and its CA file of the configuration.
 * Out: the answer, at most 64 KiB of whatever origin; nothing in it is trusted.
 */
#include "bd.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

struct answer {
	char *text;
	size_t bytes;
	bool too_large;
	char why[CURL_ERROR_SIZE];
};

static size_t take(char *data, size_t size, size_t count, void *ctx)
{
	struct answer *answer = ctx;
	size_t bytes = size * count;

	if (bytes > BD_HOOK_MAX - answer->bytes) {
		answer->too_large = true;
		return 0;
	}
	memcpy(answer->text + answer->bytes, data, bytes);
	answer->bytes += bytes;
	return bytes;
}

static int watch(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)ctx, (void)a, (void)b, (void)c, (void)d;
	return bd_wish.stop;
}

/* False where libcurl was built without what we rely on, and then nothing may be sent. */
static bool prepare(CURL *curl, const struct bd_config *config, struct answer *answer)
{
	long secs = (long)config->timeout_secs;
	bool https = strncasecmp(config->hook, "https:", 6) == 0;
	bool right = curl_easy_setopt(curl, CURLOPT_URL, config->hook) == CURLE_OK;

	right = right &&
		curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, https ? "https" : "http") == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_SSLVERSION,
					  (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, secs) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_TIMEOUT, secs) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, answer->why) == CURLE_OK;
	right = right &&
		curl_easy_setopt(curl, CURLOPT_USERAGENT, BD_NAME "/" B2B_VERSION) == CURLE_OK;
	/* what is in the clear goes to this machine, not to a proxy */
	if (!https)
		right = right && curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") == CURLE_OK;
	/* the file is trusted in place of the system's authorities, not beside them */
	if (config->hook_ca_file)
		right = right &&
			curl_easy_setopt(curl, CURLOPT_CAINFO, config->hook_ca_file) == CURLE_OK &&
			curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK;
	return right;
}

bool bd_http_post(const struct bd_config *config, const char *body, long *status_r, char **answer_r,
		  size_t *bytes_r, struct b2b_error *error)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	struct answer answer = { .text = bd_alloc(BD_HOOK_MAX + 1) };
	CURL *curl = curl_easy_init();
	CURLcode code = CURLE_FAILED_INIT;

	*status_r = 0;
	if (curl && headers && prepare(curl, config, &answer) &&
	    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body) == CURLE_OK)
		code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status_r);
	else if (answer.too_large)
		b2b_error_set(error, "the answer is larger than %u KiB", BD_HOOK_MAX >> 10);
	else
		b2b_error_set(error, "%s", *answer.why ? answer.why : curl_easy_strerror(code));
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	if (code != CURLE_OK) {
		free(answer.text);
		answer = (struct answer){ NULL };
	}
	*answer_r = answer.text;
	*bytes_r = answer.bytes;
	return code == CURLE_OK;
}
