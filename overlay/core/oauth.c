/*
 * oauth.c - takes an OAUTHBEARER message apart, strictly.
 * In: bytes of any origin.
 * Out: struct b2b_oauth for the gate.
 */
#include "oauth.h"
#include "text.h"

#include <string.h>

#define SEPARATOR '\x01'

static bool is_digits(struct b2b_str value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.s[i] < '0' || value.s[i] > '9')
			return false;
	return value.len > 0;
}

/* Takes what stands before the first c off the front; false where there is no c. */
static bool take_until(struct b2b_str *rest, char c, struct b2b_str *part_r)
{
	const char *end = rest->len ? memchr(rest->s, c, rest->len) : NULL;

	if (!end)
		return false;
	part_r->s = rest->s;
	part_r->len = (size_t)(end - rest->s);
	rest->s = end + 1;
	rest->len -= part_r->len + 1;
	return true;
}

/* saslname of RFC 5801: UTF-8 without NUL, ',' and '='; =2C and =3D stand for the last two. */
static bool read_authzid(struct b2b_str text, char authzid_r[B2B_OAUTH_AUTHZID_MAX + 1])
{
	size_t used = 0;

	if (text.len == 0)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.s[i];

		if ((unsigned char)c < ' ' || c == 0x7f || used == B2B_OAUTH_AUTHZID_MAX)
			return false;
		if (c == '=') {
			struct b2b_str code = { text.s + i, 3 };

			if (text.len - i < 3)
				return false;
			if (b2b_str_equal_nocase(code, b2b_str_of("=2C")))
				c = ',';
			else if (!b2b_str_equal_nocase(code, b2b_str_of("=3D")))
				return false;
			i += 2;
		}
		authzid_r[used++] = c;
	}
	authzid_r[used] = '\0';
	return true;
}

static bool read_header(struct b2b_str *rest, struct b2b_oauth *oauth)
{
	struct b2b_str flag, name;

	if (!take_until(rest, ',', &flag) || flag.len != 1 || (*flag.s != 'n' && *flag.s != 'y'))
		return false;
	if (!take_until(rest, ',', &name))
		return false;
	if (name.len == 0)
		return true;
	if (name.len < 3 || memcmp(name.s, "a=", 2) != 0)
		return false;
	name.s += 2;
	name.len -= 2;
	return read_authzid(name, oauth->authzid);
}

/* b64token (RFC 6750, 2.1); whether it is a JWT is for others to see. */
static bool is_token(struct b2b_str value)
{
	for (size_t i = 0; i < value.len; i++) {
		char c = b2b_lower(value.s[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      (c && strchr("-._~+/=", c))))
			return false;
	}
	return value.len > 0;
}

static bool read_auth(struct b2b_str value, struct b2b_str *token_r)
{
	struct b2b_str scheme = { value.s, strlen("Bearer ") };

	if (value.len <= scheme.len || !b2b_str_equal_nocase(scheme, b2b_str_of("Bearer ")))
		return false;
	value.s += scheme.len;
	value.len -= scheme.len;
	while (value.len && *value.s == ' ') {
		value.s++;
		value.len--;
	}
	*token_r = value;
	return is_token(value);
}

static bool read_host(struct b2b_str value, struct b2b_str *host_r)
{
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.s[i] <= ' ' || value.s[i] == 0x7f)
			return false;
	*host_r = value;
	return value.len > 0 && value.len <= 255;
}

static bool read_port(struct b2b_str value, struct b2b_str *port_r)
{
	unsigned long port = 0;

	for (size_t i = 0; i < value.len && i < 6; i++)
		port = port * 10 + (unsigned long)(value.s[i] - '0');
	*port_r = value;
	return is_digits(value) && value.len <= 5 && port >= 1 && port <= 65535;
}

static bool read_code(struct b2b_str value, struct b2b_str *code_r)
{
	*code_r = value;
	return is_digits(value) && value.len == 6;
}

enum key { AUTH, HOST, PORT, CODE, KEYS };

static bool read_pair(struct b2b_str key, struct b2b_str value, struct b2b_oauth *oauth,
		      unsigned *seen)
{
	static const char *const names[KEYS] = { "auth", "host", "port", "totp" };
	unsigned which = 0;

	for (size_t i = 0; i < key.len; i++)
		if (b2b_lower(key.s[i]) < 'a' || b2b_lower(key.s[i]) > 'z')
			return false;
	while (which < KEYS && !b2b_str_equal(key, b2b_str_of(names[which])))
		which++;
	if (which == KEYS)
		return key.len > 0;
	if (*seen & 1u << which)
		return false;
	*seen |= 1u << which;
	switch ((enum key)which) {
	case AUTH:
		return read_auth(value, &oauth->token);
	case HOST:
		return read_host(value, &oauth->host);
	case PORT:
		return read_port(value, &oauth->port);
	case CODE:
		return read_code(value, &oauth->code);
	case KEYS:
		break;
	}
	return false;
}

static enum b2b_err read_pairs(struct b2b_str rest, struct b2b_oauth *oauth,
			       struct b2b_error *error)
{
	struct b2b_str pair, key;
	unsigned seen = 0;

	for (;;) {
		if (!take_until(&rest, SEPARATOR, &pair))
			return b2b_error_set(error, "it does not end as RFC 7628 wants");
		if (pair.len == 0)
			break; /* the end */
		if (!take_until(&pair, '=', &key) || !read_pair(key, pair, oauth, &seen))
			return b2b_error_set(error, "a key or its value is malformed");
	}
	if (rest.len)
		return b2b_error_set(error, "something stands behind its end");
	if (!(seen & 1u << AUTH))
		return b2b_error_set(error, "there is no token");
	return B2B_OK;
}

enum b2b_err b2b_oauth_parse(struct b2b_str message, struct b2b_oauth *oauth_r,
			     struct b2b_error *error)
{
	struct b2b_str rest = message, nothing;

	*oauth_r = (struct b2b_oauth){ .authzid = "" };
	if (!read_header(&rest, oauth_r))
		return b2b_error_set(error, "the GS2 header is malformed or wants channel binding");
	if (!take_until(&rest, SEPARATOR, &nothing) || nothing.len != 0)
		return b2b_error_set(error, "no separator stands behind the GS2 header");
	return read_pairs(rest, oauth_r, error);
}
