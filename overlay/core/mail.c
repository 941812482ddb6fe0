/*
 * mail.c - addresses and names that strangers give, before they reach an entry or a mail's header.
 * In: text of any bytes.
 * Out: yes, or what is wrong with it; nothing is repaired.
 */
#include "mail.h"
#include "text.h"

#include <string.h>

#define LOCAL_MAX 64u   /* RFC 5321, 4.5.3.1.1 */
#define DOMAIN_MAX 253u /* RFC 1035 in text, without the dot of the root */
#define LABEL_MAX 63u

static bool is_alnum(char c)
{
	char lower = b2b_lower(c);

	return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
}

/* atext of RFC 5322, 3.2.3 */
static bool is_atext(char c)
{
	return is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* What is wrong with a local part; NULL: nothing. */
static const char *local_fault(struct b2b_str local)
{
	char last = '.';

	if (local.len == 0)
		return "has nothing before the '@'";
	if (local.len > LOCAL_MAX)
		return "has more than 64 bytes before the '@'";
	for (size_t i = 0; i < local.len; last = local.s[i++]) {
		if ((unsigned char)local.s[i] >= 0x80)
			return "has a character before the '@' that is not ASCII";
		if (local.s[i] == '.' ? last == '.' : !is_atext(local.s[i]))
			return "is not a bare address such as name@example.org";
	}
	return last == '.' ? "is not a bare address such as name@example.org" : NULL;
}

static bool is_digits(struct b2b_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.s[i] < '0' || text.s[i] > '9')
			return false;
	return true;
}

static bool is_label(struct b2b_str label)
{
	for (size_t i = 0; i < label.len; i++)
		if (!is_alnum(label.s[i]) && label.s[i] != '-')
			return false;
	return label.len > 0 && label.len <= LABEL_MAX && label.s[0] != '-' &&
	       label.s[label.len - 1] != '-';
}

const char *b2b_domain_fault(struct b2b_str domain)
{
	struct b2b_str label = { domain.s, 0 };
	size_t labels = 0;

	for (size_t i = 0; i < domain.len; i++)
		if ((unsigned char)domain.s[i] >= 0x80)
			return "names a domain that is not ASCII; write it as xn--...";
	if (domain.len > DOMAIN_MAX)
		return "names a domain of more than 253 bytes";
	for (size_t i = 0; i <= domain.len; i++) {
		if (i < domain.len && domain.s[i] != '.')
			continue;
		label.len = (size_t)(domain.s + i - label.s);
		if (!is_label(label))
			return "names no domain such as example.org";
		if (i == domain.len && (labels == 0 || is_digits(label)))
			return "names no domain such as example.org";
		labels++;
		label.s += label.len + 1;
	}
	return NULL;
}

enum b2b_err b2b_mail_check(struct b2b_str mail, struct b2b_error *error)
{
	struct b2b_str domain = b2b_mail_domain(mail), local = mail;
	const char *fault;

	if (!mail.s || mail.len == 0)
		fault = "is empty";
	else if (mail.len > B2B_MAIL_MAX)
		fault = "has more than 254 bytes";
	else if (!memchr(mail.s, '@', mail.len))
		fault = "has no '@'";
	else {
		/* with several '@' the local part has one, which it may not */
		local.len = mail.len - domain.len - 1;
		fault = local_fault(local);
		if (!fault)
			fault = b2b_domain_fault(domain);
	}
	if (!fault)
		return B2B_OK;
	return b2b_error_value(error, "mail", mail.s ? mail : b2b_str_of(""), fault);
}

struct b2b_str b2b_mail_domain(struct b2b_str mail)
{
	const char *at = mail.len ? memrchr(mail.s, '@', mail.len) : NULL;
	struct b2b_str domain = { NULL, 0 };

	if (at) {
		domain.s = at + 1;
		domain.len = (size_t)(mail.s + mail.len - domain.s);
	}
	return domain;
}

struct b2b_str b2b_domain_bare(struct b2b_str domain)
{
	if (domain.len && domain.s[domain.len - 1] == '.')
		domain.len--;
	return domain;
}

bool b2b_domain_equal(struct b2b_str a, struct b2b_str b)
{
	return b2b_str_equal_nocase(b2b_domain_bare(a), b2b_domain_bare(b));
}

static bool turns_writing(uint32_t code)
{
	return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/* C0, DEL, C1, and the separators of lines and paragraphs. */
static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029;
}

/* Characters of which a name may not consist alone: blanks and what takes no room. */
static bool is_blank(uint32_t code)
{
	return code == ' ' || code == 0xa0 || code == 0xad || code == 0x1680 || code == 0x180e ||
	       (code >= 0x2000 && code <= 0x200f) || code == 0x202f ||
	       (code >= 0x205f && code <= 0x2064) || code == 0x3000 || code == 0xfeff;
}

enum b2b_err b2b_name_check(const char *what, struct b2b_str name, struct b2b_error *error)
{
	struct b2b_str rest = name;
	bool blank = true;
	uint32_t code;

	if (name.len > B2B_DISPLAY_NAME_MAX)
		return b2b_error_value(error, what, name, "has more than 256 bytes");
	while (rest.len) {
		if (!b2b_utf8_take(&rest, &code))
			return b2b_error_value(error, what, name, "is not UTF-8");
		if (is_control(code))
			return b2b_error_value(error, what, name, "has a control character");
		if (turns_writing(code))
			return b2b_error_value(error, what, name,
					       "has a character that turns the direction of "
					       "writing");
		blank = blank && is_blank(code);
	}
	if (blank)
		return b2b_error_value(error, what, name.s ? name : b2b_str_of(""), "is blank");
	return B2B_OK;
}
