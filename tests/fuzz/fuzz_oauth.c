/*
 * fuzz_oauth.c - feeds foreign bytes to the reader of OAUTHBEARER messages.
 * In: libFuzzer's bytes, or files named as arguments where B2B_FUZZ_REPLAY is defined.
 * Out: nothing but a crash, where there is one.
 */
#include "oauth.h"
#include "fuzz_main.h"

static bool is_within(struct b2b_str part, const uint8_t *data, size_t bytes)
{
	const char *start = (const char *)data;

	return part.len == 0 || (part.s >= start && part.s + part.len <= start + bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct b2b_str message = { (const char *)data, bytes };
	struct b2b_error error;
	struct b2b_oauth oauth;

	if (b2b_oauth_parse(message, &oauth, &error) != B2B_OK)
		return 0;
	if (oauth.token.len == 0 || !is_within(oauth.token, data, bytes) ||
	    !is_within(oauth.host, data, bytes) || !is_within(oauth.port, data, bytes) ||
	    (oauth.code.len != 0 && oauth.code.len != 6))
		abort();
	return 0;
}
