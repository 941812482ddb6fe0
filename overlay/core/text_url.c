/*
 * text_url.c - addresses of home servers, of key sets, and where guests redeem invitations.
 * In: one URL as it stands in b2bHomeUri, b2bJwksUri or b2bRedemptionUrl.
 * Out: struct b2b_url for policy.c, which weighs it, and for the client that connects.
 */
#include "text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool take_prefix(struct b2b_str *rest, const char *prefix)
{
	struct b2b_str head = { rest->s, strlen(prefix) };

	if (rest->len < head.len || !b2b_str_equal_nocase(head, b2b_str_of(prefix)))
		return false;
	rest->s += head.len;
	rest->len -= head.len;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_character(char c)
{
	char lower = b2b_lower(c);

	return is_digit(c) || (lower >= 'a' && lower <= 'z') || c == '-' || c == '_';
}

/* Labels of 1 to 63 characters between single dots. */
static bool is_host_name(const char *host)
{
	size_t label = 0;

	if (strlen(host) > 253)
		return false;
	for (const char *c = host; *c; c++) {
		if (*c == '.' && (label == 0 || c[1] == '\0'))
			return false;
		if (*c != '.' && (!is_name_character(*c) || (label == 0 && *c == '-')))
			return false;
		label = *c == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return *host != '\0';
}

/* Resolvers read "127.1", "0x7f.1" and "2130706433" as addresses; only the plain form is one. */
static bool looks_like_number(const char *host)
{
	const char *dot = strrchr(host, '.');
	const char *last = dot ? dot + 1 : host;

	return strspn(last, "0123456789") == strlen(last) ||
	       (last[0] == '0' && b2b_lower(last[1]) == 'x');
}

static bool check_host(struct b2b_url *url, bool bracketed)
{
	unsigned char v4[4], v6[16];
	static const unsigned char loopback_v6[16] = { [15] = 1 };

	if (bracketed) {
		if (inet_pton(AF_INET6, url->host, v6) != 1)
			return false;
		url->loopback = memcmp(v6, loopback_v6, sizeof v6) == 0;
		return true;
	}
	if (!is_host_name(url->host))
		return false;
	if (inet_pton(AF_INET, url->host, v4) == 1)
		url->loopback = v4[0] == 127;
	else if (looks_like_number(url->host))
		return false;
	else
		url->loopback =
			b2b_str_equal_nocase(b2b_str_of(url->host), b2b_str_of("localhost"));
	return true;
}

static bool take_host(struct b2b_str *rest, struct b2b_url *url)
{
	bool bracketed = rest->len > 0 && rest->s[0] == '[';
	size_t skip = bracketed ? 1 : 0, length = 0;

	rest->s += skip;
	rest->len -= skip;
	while (length < rest->len && (bracketed ? rest->s[length] != ']'
						: rest->s[length] != ':' && rest->s[length] != '/'))
		length++;
	if (length == 0 || length >= sizeof url->host || memchr(rest->s, '\0', length) ||
	    (bracketed && length == rest->len))
		return false;
	memcpy(url->host, rest->s, length);
	url->host[length] = '\0';
	rest->s += length + skip;
	rest->len -= length + skip;
	return check_host(url, bracketed);
}

static bool take_port(struct b2b_str *rest, struct b2b_url *url)
{
	unsigned port = 0;
	size_t digits = 0;

	if (rest->len == 0 || rest->s[0] != ':')
		return true;
	rest->s++;
	rest->len--;
	for (; digits < rest->len && is_digit(rest->s[digits]); digits++) {
		if (digits == 5 || (digits == 0 && rest->s[0] == '0'))
			return false;
		port = port * 10 + (unsigned)(rest->s[digits] - '0');
	}
	rest->s += digits;
	rest->len -= digits;
	url->port = port;
	return digits > 0 && port <= 65535;
}

enum b2b_err b2b_url_parse(struct b2b_str value, struct b2b_url *url_r)
{
	struct b2b_url url = { .port = 389 };

	if (take_prefix(&value, "ldaps://")) {
		url.tls = true;
		url.port = 636;
	} else if (!take_prefix(&value, "ldap://")) {
		return B2B_ERR_INVALID;
	}
	if (!take_host(&value, &url) || !take_port(&value, &url))
		return B2B_ERR_INVALID;
	if (value.len > 1 || (value.len == 1 && value.s[0] != '/'))
		return B2B_ERR_INVALID;
	*url_r = url;
	return B2B_OK;
}

static bool is_printable(struct b2b_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.s[i] <= ' ' || text.s[i] > '~')
			return false;
	return true;
}

bool b2b_link_is_web(struct b2b_str value)
{
	bool tls = take_prefix(&value, "https://");
	struct b2b_url url;
	char server[sizeof url.host + 32];
	size_t length = 0;

	if ((!tls && !take_prefix(&value, "http://")) || !is_printable(value))
		return false;
	while (length < value.len && value.s[length] != '/' && value.s[length] != '?')
		length++;
	if (length > sizeof server - sizeof "ldap://")
		return false;
	snprintf(server, sizeof server, "ldap://%.*s", (int)length, value.s);
	return b2b_url_parse(b2b_str_of(server), &url) == B2B_OK && (tls || url.loopback);
}

/* Bytes of "scheme:" at the front; 0: there is none. */
static size_t scheme_bytes(struct b2b_str value)
{
	size_t length = 0;

	for (; length < value.len && value.s[length] != ':'; length++) {
		char lower = b2b_lower(value.s[length]);

		if ((lower < 'a' || lower > 'z') &&
		    (length == 0 || (!is_digit(lower) && !strchr("+-.", lower))))
			return 0;
	}
	return length && length < value.len ? length + 1 : 0;
}

bool b2b_link_is_safe(struct b2b_str value)
{
	static const char *const others[] = { "http:", "https:", "javascript:", "vbscript:",
					      "data:", "file:",  "blob:",       "about:" };
	struct b2b_str scheme = { value.s, scheme_bytes(value) };

	if (!is_printable(value))
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (strchr("\"<>\\^`{|}", value.s[i]))
			return false;
	if (b2b_link_is_web(value))
		return true;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (b2b_str_equal_nocase(scheme, b2b_str_of(others[i])))
			return false;
	return scheme.len && scheme.len < value.len;
}
