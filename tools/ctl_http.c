/*
 * ctl_http.c - fetches a document from a provider's web server, or reads it from a file.
 * In: a URL or a file's name.
 * Out: at most 1 MiB of whatever origin; nothing in it is trusted.
 */
#include "ctl_oidc.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_SECS 5L
#define TOTAL_SECS 15L

struct body {
	char *text;
	size_t bytes, room;
	bool too_large;
	char why[CURL_ERROR_SIZE]; /* libcurl's own words */
};

bool ctl_is_url(const char *text)
{
	return strstr(text, "://") != NULL;
}

static bool is_loopback(const char *host)
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

/* What libcurl, which will fetch it, takes a URL for. */
static int take_apart(const char *url, CURLU *parts, struct ctl_url *url_r)
{
	char *scheme = NULL, *host = NULL, *query = NULL;
	CURLUcode code;

	for (const char *c = url; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return ctl_fail("%s: a URL has no blanks or control characters", url);
	code = curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER);
	if (code == CURLUE_USER_NOT_ALLOWED)
		return ctl_fail("the URL holds a user's name, which does not belong there");
	if (code != CURLUE_OK || strchr(url, '#') ||
	    curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
		curl_free(scheme);
		return ctl_fail("%s: not a URL that could be fetched", url);
	}
	url_r->https = strcmp(scheme, "https") == 0;
	url_r->http = strcmp(scheme, "http") == 0;
	url_r->loopback = is_loopback(host);
	url_r->query = curl_url_get(parts, CURLUPART_QUERY, &query, 0) == CURLUE_OK;
	curl_free(query);
	curl_free(host);
	curl_free(scheme);
	return CTL_DONE;
}

int ctl_url_check(const char *url, struct ctl_url *url_r)
{
	CURLU *parts = curl_url();
	int result;

	*url_r = (struct ctl_url){ 0 };
	if (!parts)
		return ctl_fail("out of memory");
	result = take_apart(url, parts, url_r);
	curl_url_cleanup(parts);
	if (result == CTL_DONE && !url_r->https && !(url_r->http && url_r->loopback))
		return ctl_fail("%s: only https:// is fetched, and http:// from this machine "
				"itself",
				url);
	return result;
}

static size_t take_bytes(char *data, size_t size, size_t count, void *ctx)
{
	struct body *body = ctx;
	size_t bytes = size * count;

	if (bytes > CTL_DOCUMENT_MAX - body->bytes) {
		body->too_large = true;
		return 0;
	}
	if (body->bytes + bytes > body->room) {
		char *longer;

		body->room = body->room * 2 + bytes;
		longer = realloc(body->text, body->room);
		if (!longer)
			return 0;
		body->text = longer;
	}
	if (bytes > 0)
		memcpy(body->text + body->bytes, data, bytes);
	body->bytes += bytes;
	return bytes;
}

/* False where libcurl was built without what we rely on, and then nothing may be fetched. */
static bool set_rules(CURL *curl, const struct ctl_url *url, const char *ca_file)
{
	bool right = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, url->https ? "https" : "http") ==
		     CURLE_OK;

	right = right && curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_SSLVERSION,
					  (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECS) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_TIMEOUT, TOTAL_SECS) == CURLE_OK;
	right = right && curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
	/* what is in the clear goes to this machine, not to a proxy */
	if (!url->https)
		right = right && curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") == CURLE_OK;
	/* the file is trusted in place of the system's authorities, not beside them */
	if (ca_file)
		right = right && curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file) == CURLE_OK &&
			curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK;
	return right;
}

/* status_r: 0 where there was no answer. */
static int judge_answer(CURL *curl, CURLcode code, const char *url, const struct body *body,
			long *status_r)
{
	char *to = NULL;

	if (body->too_large)
		return ctl_fail("%s: larger than %u KiB", url, CTL_DOCUMENT_MAX >> 10);
	if (code != CURLE_OK)
		return ctl_fail("%s: %s", url, *body->why ? body->why : curl_easy_strerror(code));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status_r);
	curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &to);
	if (*status_r >= 300 && *status_r < 400)
		return ctl_fail("%s: redirects to %s, which is not followed; give that URL "
				"yourself if it is the provider's",
				url, to ? to : "nowhere");
	if (*status_r != 200)
		return ctl_fail("%s: HTTP status %ld", url, *status_r);
	return CTL_DONE;
}

static int fetch(const char *url, const struct ctl_url *kind, const struct ctl_fetch *how,
		 struct body *body)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
	CURL *curl = curl_easy_init();
	int result = CTL_FAILED;
	CURLcode code;

	if (!curl || !headers || !set_rules(curl, kind, how->ca_file)) {
		ctl_fail("%s: libcurl lacks what is needed to fetch it", url);
	} else {
		curl_easy_setopt(curl, CURLOPT_URL, url);
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(curl, CURLOPT_USERAGENT, CTL_NAME "/" B2B_VERSION);
		curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, body->why);
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
		code = curl_easy_perform(curl);
		result = judge_answer(curl, code, url, body, how->status_r);
	}
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return result;
}

static int fetch_url(const char *url, const struct ctl_fetch *how, struct body *body)
{
	static bool ready; /* for as long as the program lives */
	struct ctl_url kind;

	if (ctl_url_check(url, &kind) != CTL_DONE)
		return CTL_FAILED;
	if (!ready && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return ctl_fail("libcurl does not start");
	ready = true;
	return fetch(url, &kind, how, body);
}

int ctl_document(const char *place, const struct ctl_fetch *how, char **text_r, size_t *bytes_r)
{
	long status = 0;
	struct ctl_fetch with_status = { how->ca_file, how->status_r ? how->status_r : &status };
	struct body body = { 0 };
	int result;

	*text_r = NULL;
	if (ctl_is_url(place)) {
		result = fetch_url(place, &with_status, &body);
	} else {
		result = ctl_read_file(place, CTL_DOCUMENT_MAX, &body.text, &body.bytes);
		if (result == CTL_DONE && body.bytes > CTL_DOCUMENT_MAX)
			result = ctl_fail("%s: larger than %u KiB", place, CTL_DOCUMENT_MAX >> 10);
	}
	if (result != CTL_DONE) {
		free(body.text);
		return result;
	}
	*text_r = body.text ? body.text : ctl_format("%s", "");
	*bytes_r = body.bytes;
	return CTL_DONE;
}
