/*
 * text.h - small readers of text: times, numbers, networks, URLs, bind name patterns.
 * In: attribute values as they stand in the directory.  Out: plain values, or an error.
 */
#ifndef B2B_TEXT_H
#define B2B_TEXT_H

#include "base.h"

static inline char b2b_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* The same for eight characters at once, in any byte order. */
static inline uint64_t b2b_lower8(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t low = word & 0x7f * ones;
	/* bit 7 of each byte: not below 'A', and not above 'Z', and ASCII */
	uint64_t upper = (low + 0x3f * ones) & ~(low + 0x25 * ones) & ~word & 0x80 * ones;

	return word | upper >> 2;
}

/* Compares without regard to ASCII case. */
bool b2b_str_equal_nocase(struct b2b_str a, struct b2b_str b);
bool b2b_str_equal(struct b2b_str a, struct b2b_str b);
/* Whether there is nothing to be seen: ASCII's and Unicode's blanks and controls, and what has no
 * width. */
bool b2b_str_is_blank(struct b2b_str value);
/* Takes an incomplete last character of UTF-8 off a text that was cut to fit. */
void b2b_str_cut(char *text);
struct b2b_str b2b_str_of(const char *s); /* NULL gives an empty one */
/* True if the two may name the same thing: ASCII case, the number of blanks, blanks at the ends
 * and around , = + and ways of escaping (RFC 4514) are ignored; ';' counts as ','. */
bool b2b_str_similar(struct b2b_str a, struct b2b_str b);
/* Similar strings have one hash; others hardly ever. */
uint64_t b2b_str_hash_similar(struct b2b_str value);
/* Copies to the heap, NUL-terminated; caller frees; NULL without memory. */
char *b2b_str_dup(struct b2b_str value);

/* GeneralizedTime (RFC 4517, 3.3.13) to seconds since 1970 UTC; fractions are cut off, an
 * offset is honoured, minutes and seconds may be missing.  Years 1970 to 9999. */
enum b2b_err b2b_time_parse(struct b2b_str value, time_t *time_r);
#define B2B_TIME_SIZE 16 /* "YYYYmmddHHMMSSZ" and the NUL */
void b2b_time_format(time_t when, char text_r[B2B_TIME_SIZE]);
/* The next full hour, or when itself if it is one. */
time_t b2b_time_round_up_hour(time_t when);
/* For b2bNextDue: when rounded up to the hour, or down where it is past already. */
time_t b2b_time_due(time_t when, time_t now);

/* TRUE or FALSE (RFC 4517, 3.3.3). */
enum b2b_err b2b_bool_parse(struct b2b_str value, bool *flag_r);
/* A decimal number from least to most, at most nine digits, no leading zeros, no sign. */
enum b2b_err b2b_number_parse(struct b2b_str value, unsigned least, unsigned most,
			      unsigned *number_r);
/* A decimal number of days, 0 to 36500. */
enum b2b_err b2b_days_parse(struct b2b_str value, unsigned *days_r);

/* An address of either family, v4 as v4-mapped v6, so that one comparison serves both. */
struct b2b_addr {
	uint8_t bytes[16];
	bool set; /* false: no address, matches no network */
};
struct b2b_cidr {
	struct b2b_addr net;
	unsigned prefix_bits; /* 0 to 128 */
};
/* "192.0.2.0/24", "2001:db8::/32" or a bare address; host bits that are set are refused. */
enum b2b_err b2b_cidr_parse(struct b2b_str value, struct b2b_cidr *cidr_r);
enum b2b_err b2b_addr_parse(struct b2b_str value, struct b2b_addr *addr_r);
bool b2b_cidr_contains(const struct b2b_cidr *cidr, const struct b2b_addr *addr);

/* A home server: ldap://host[:port] or ldaps://host[:port]; nothing may follow but one '/'.
 * The host is a name, an IPv4 address or a bracketed IPv6 address. */
struct b2b_url {
	bool tls;       /* ldaps */
	bool loopback;  /* host is localhost, 127.0.0.0/8 or ::1 */
	char host[256]; /* without brackets */
	unsigned port;  /* 1 to 65535; 389 or 636 where none was given */
};
enum b2b_err b2b_url_parse(struct b2b_str value, struct b2b_url *url_r);

/* https://host[:port][/...], http:// to loopback alone.  The host is read as b2b_url_parse reads it, so
 * strictly, and without a user's name before it; no blank, no control character, ASCII. */
bool b2b_link_is_web(struct b2b_str value);
/* Whether guests may be sent there with a secret behind it: such a link, or an URI of another scheme
 * (RFC 3986) that no browser runs or reads as a file.  Characters of RFC 3986 alone. */
bool b2b_link_is_safe(struct b2b_str value);

/* Splits an "{n}rest" prefix off; returns false and leaves rest whole where there is none. */
bool b2b_ordered_parse(struct b2b_str value, unsigned *index_r, struct b2b_str *rest_r);

/*
 * Bind name patterns: "%{attribute}" stands for the value of that attribute of the guest's
 * entry, "%s" for %{b2bHomeSubject}, "%u" for %{uid}, "%m" for %{mail}, "%%" for '%'.
 * A pattern with '=' makes a DN: values are escaped (RFC 4514, 2.4).  Any other makes a plain
 * name, and values with control characters are refused.  A pattern names one attribute at least
 * (else all guests would share one name), and in a DN only behind an '='.
 */
enum b2b_err b2b_pattern_check(struct b2b_str pattern, struct b2b_error *error);
/* lookup() gives the single value of an attribute or false (absent, or more than one). */
typedef bool b2b_pattern_lookup(const void *ctx, const char *attribute, struct b2b_str *value_r);
/* *name_r: caller frees; never empty on B2B_OK.  A value that is missing, empty, or holds a NUL
 * is B2B_ERR_INVALID. */
enum b2b_err b2b_pattern_expand(struct b2b_str pattern, b2b_pattern_lookup *lookup, const void *ctx,
				char **name_r, struct b2b_error *error);

#endif
