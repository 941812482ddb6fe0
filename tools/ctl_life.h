/*
 * ctl_life.h - what the commands about the life of guests share: invitations, reviews, requests.
 * In: a session with the server.
 * Out: extended operations, dates, addresses, confirmations.
 */
#ifndef B2B_CTL_LIFE_H
#define B2B_CTL_LIFE_H

#include "ctl_table.h"
#include "guest.h"

#include <jansson.h>

/* ctl_session.c: a connection, our tenant, and the tenant's settings */
struct ctl_session {
	struct ctl_options *options;
	LDAP *ld;
	struct ctl_tenant tenant;
	struct b2b_rule *rule; /* our tenant, compiled, or NULL */
	time_t now;
};
/* Close it whatever this answers. */
int ctl_session_open(struct ctl_options *options, struct ctl_session *session_r);
void ctl_session_close(struct ctl_session *session);
/* NULL where there are none, or they are not in order: defaults hold. */
const struct b2b_tenant_policy *ctl_session_policy(const struct ctl_session *session);
/* The first value of any attribute, fit to be shown; "" where there is none.  Caller frees. */
char *ctl_first_shown(LDAP *ld, LDAPMessage *message, const char *name);
/* All of them as lines (ctl_table.h). */
char *ctl_all_shown(LDAP *ld, LDAPMessage *message, const char *name);
/* GeneralizedTime as ctl_time shows it; "" where it is none.  Caller frees. */
char *ctl_time_shown(struct b2b_str value);

/* ctl_guest.c: the uid, else what the entry is named by.  Caller frees. */
char *ctl_guest_name(LDAP *ld, LDAPMessage *message, const char *dn);

/* ctl_exop.c */

/* From here on Jansson wipes what it frees: before the first use of it. */
void ctl_exop_wipes(void);
/* TLS, a socket of this machine, or a SASL layer that encrypts. */
bool ctl_is_protected(LDAP *ld);
/* number: "3.1".  Answers an LDAP code, LDAP_DECODING_ERROR where the answer is no JSON object;
 * caller frees *out_r with json_decref. */
int ctl_exop(LDAP *ld, const char *number, const json_t *in, json_t **out_r);
/* A member that is text; "" where there is none.  Borrowed. */
const char *ctl_exop_text(const json_t *object, const char *name);

/* ctl_mods.c */

/* Changes of one entry; zeroed memory has none. */
struct ctl_mods {
	LDAPMod **list;
	size_t count;
};
/* value NULL: none, which deletes or replaces all there are. */
void ctl_mods_add(struct ctl_mods *mods, int op, enum b2b_attr attr, const char *value);
void ctl_mods_add_name(struct ctl_mods *mods, int op, const char *name, const char *value);
void ctl_mods_add_time(struct ctl_mods *mods, enum b2b_attr attr, time_t when); /* replaces */
/* Sends and frees them; an LDAP code. */
int ctl_mods_send(LDAP *ld, const char *dn, struct ctl_mods *mods);

/* ctl_when.c */

/* "+90", "2027-01-31" (to the end of that day, UTC), RFC 3339 or GeneralizedTime; it must lie ahead.
 * error has no name of an option. */
enum b2b_err ctl_when(const char *text, time_t now, time_t *when_r, struct b2b_error *error);
/* An address whose internationalised domain is turned into its xn-- form (RFC 5891); caller frees;
 * NULL: error says why. */
char *ctl_mail_ascii(const char *given, struct b2b_error *error);
/* Asks on the terminal, unless --yes was given. */
int ctl_confirm(const struct ctl_options *options, const char *question);
/* Text, or "@FILE" for what a file holds, without newlines at its end; caller frees. */
int ctl_text_or_file(const char *given, char **text_r);

/* ctl_csv.c */

/* The next record of a text (RFC 4180); *line moves with it. */
struct ctl_csv {
	const char *at, *end;
	unsigned long line;  /* of at, from 1 */
	unsigned long first; /* of the record */
	char **fields;
	size_t count;
};
enum ctl_csv_result { CTL_CSV_END, CTL_CSV_RECORD, CTL_CSV_WRONG };
/* Fields are those of the record until the next call; error where it is wrong, and the text goes on
 * with the next line. */
enum ctl_csv_result ctl_csv_next(struct ctl_csv *csv, struct b2b_error *error);
void ctl_csv_clear(struct ctl_csv *csv);

/* ctl_find.c */

/* The DN of the one person, no guest, whose DN, uid or mail word is; a DN is not looked up.  Caller
 * frees; NULL: error says why. */
char *ctl_person_find(LDAP *ld, const struct ctl_tenant *tenant, const char *word,
		      struct b2b_error *error);
/* The entry above our tenant's: where people, guests and groups are.  Caller frees. */
char *ctl_top_dn(const struct ctl_tenant *tenant);

/* ctl_invite.c */

/* Whom to invite, as on a command line or in a line of a file; NULL where it is not said. */
struct ctl_invitee {
	const char *mail, *tenant, *name, *until, *message, *language, *subject, *uid;
	struct ctl_list sponsors, apps;
};
struct ctl_inviting {
	struct ctl_session session;
	struct ctl_table table; /* of answers */
	char *message;          /* --message */
	char **words, **dns;    /* sponsors that were looked up */
	size_t known;
};
/* The request; NULL: error says what is wrong.  Caller frees with json_decref. */
json_t *ctl_invite_request(struct ctl_inviting *inviting, const struct ctl_invitee *who,
			   struct b2b_error *error);
/* Sends it, or with --dry-run does not, and shows the answer; an LDAP code. */
int ctl_invite_send(struct ctl_inviting *inviting, const json_t *request);
/* ctl_invite_file.c: every line of --file. */
int ctl_invite_file(struct ctl_inviting *inviting);

/* commands */
int ctl_invite(struct ctl_options *options);
int ctl_guest_redeem(struct ctl_options *options);
int ctl_guest_passcode(struct ctl_options *options);
int ctl_guest_reset(struct ctl_options *options);
int ctl_guest_disable(struct ctl_options *options);
int ctl_guest_restore(struct ctl_options *options);
int ctl_guest_delete(struct ctl_options *options);
int ctl_review_list(struct ctl_options *options);
int ctl_review_approve(struct ctl_options *options);
int ctl_review_deny(struct ctl_options *options);
int ctl_review_status(struct ctl_options *options);
int ctl_review_import(struct ctl_options *options);
int ctl_request_add(struct ctl_options *options);
int ctl_request_list(struct ctl_options *options);
int ctl_request_approve(struct ctl_options *options);
int ctl_request_deny(struct ctl_options *options);
int ctl_report(struct ctl_options *options);

#endif
