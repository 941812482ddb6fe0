/*
 * mail.h - mail addresses and names as they come from strangers.
 * In: text of foreign origin.  Out: whether it may stand in an entry and in a mail's header.
 */
#ifndef B2B_MAIL_H
#define B2B_MAIL_H

#include "base.h"

#define B2B_MAIL_MAX 254 /* RFC 5321, 4.5.3.1.3, without the angle brackets */
#define B2B_DISPLAY_NAME_MAX 256

/* A bare addr-spec (RFC 5321 Mailbox) in ASCII: dot-string local part of at most 64 bytes, one '@',
 * a domain of at least two labels.  No quoted local part, no comment, no address literal, no display
 * name, no blank or control character.  An internationalised domain must be given as xn--...; the
 * refusal says so.  error names what is wrong and where: "mail: value \"...\" ...". */
enum b2b_err b2b_mail_check(struct b2b_str mail, struct b2b_error *error);
/* Behind the '@'; empty where there is none. */
struct b2b_str b2b_mail_domain(struct b2b_str mail);
/* What is wrong with a domain name (at least two labels of letters, digits and hyphens, in ASCII, without
 * a dot at the end), as words behind "value ..."; static; NULL: nothing. */
const char *b2b_domain_fault(struct b2b_str domain);
/* Without a dot at the end. */
struct b2b_str b2b_domain_bare(struct b2b_str domain);
/* Domains are compared without regard to ASCII case and to a dot at the end. */
bool b2b_domain_equal(struct b2b_str a, struct b2b_str b);
/* A name that may stand in a header: valid UTF-8, no control character (C0, DEL, C1), none that
 * turns the direction of writing (U+202A..U+202E, U+2066..U+2069), not blank, B2B_DISPLAY_NAME_MAX
 * bytes at most; no separator of lines or paragraphs (U+2028, U+2029).  what names the member in the error. */
enum b2b_err b2b_name_check(const char *what, struct b2b_str name, struct b2b_error *error);

#endif
