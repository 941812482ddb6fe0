/*
 * ctl.h - what the files of b2bctl share: options, output, the directory, the commands.
 * In: the command line.  Out: exit codes 0 (done), 1 (failed), 2 (wrong usage).
 * Everything foreign passes ctl_shown on its way to a terminal.
 */
#ifndef B2B_CTL_H
#define B2B_CTL_H

#include <ldap.h>
#include <stdio.h>

#include "base.h"
#include "graph.h"
#include "policy.h"

#define CTL_NAME "b2bctl"
#ifndef B2B_VERSION
#define B2B_VERSION "0.1"
#endif

enum ctl_exit { CTL_DONE = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

#define CTL_SASL_ANSWERS 3

struct ctl_list { /* what an option was given, as often as it was */
	char **values;
	size_t count;
};

struct ctl_options {
	const char *uri;           /* -H, or NULL: ldap.conf */
	const char *bind_dn;       /* -D */
	const char *mech;          /* -Y */
	const char *base;          /* -b */
	const char *password_file; /* -y */
	char *password;            /* -w, -W or -y; on the heap, wiped after the bind */
	size_t password_bytes;
	char *sasl_answers[CTL_SASL_ANSWERS]; /* of ldap.conf, while the bind lasts */
	bool prompt, simple, verbose;
	int start_tls; /* how often -Z was given */
	/* Options of commands; NULL, false or empty where they were not given. */
	const char *partner, *setting, *filter, *format;
	const char *discovery, *from, *home_uri, *keys, *issuer, *subject_claim, *ca_file, *token;
	const char *guest, *peer, *claims, *ssf, *entry;
	const char *mail, *home_tenant, *name, *until, *message, *language, *subject, *uid, *file;
	const char *terms, *proof_file, *passcode, *totp;
	const char *justification, *reason, *answer, *state, *what, *days;
	struct ctl_list apps, attributes, audiences, groups, maps, sponsors, tenant_claims;
	bool dry_run, only_default, refresh, update, qr, no_qr, show_ticket, mine, yes;
	bool only_help, only_version;
	char **words; /* what stands behind the command */
	int word_count;
};

/* b2bctl.c */

/* Says what is wrong with the command line and returns CTL_USAGE. */
int ctl_misuse(const char *what, const char *which);

/* ctl_text.c */

/* Prints "b2bctl: ..." on stderr and returns CTL_FAILED. */
int ctl_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same with what the server said to the operation before. */
int ctl_fail_ldap(LDAP *ld, int code, const char *what);
void ctl_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* One line on standard output, whose text passes ctl_shown. */
void ctl_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A copy in which bytes that are not UTF-8, or steer a terminal, are '?'.  Caller frees.  Ends
 * the program where memory is out, as all that follow. */
char *ctl_shown(const char *text, size_t bytes);
char *ctl_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void *ctl_alloc(size_t count, size_t size);
void *ctl_grow(void *list, size_t count, size_t size); /* room for one more of count */
/* Every byte that is not a letter, digit, '-', '.' or '_' as a backslash and two hexadecimal
 * digits: right in a filter (RFC 4515) and in a DN (RFC 4514).  Caller frees. */
char *ctl_escape(const char *text);
/* "2027-01-31T00:00:00Z"; caller frees. */
char *ctl_time(time_t when);
/* One line on stderr where that is a terminal and the work is long; all is 0 where nobody knows how
 * long.  The last call has done == all, which takes the line away; so does any message. */
void ctl_progress(size_t done, size_t all);
/* A whole file, "-" for standard input; caller frees.  Reads one byte more than max at most. */
int ctl_read_file(const char *path, size_t max_bytes, char **text_r, size_t *bytes_r);

/* ctl_connect.c */

/* Connects and binds; on CTL_DONE the caller ends it with ldap_unbind_ext_s. */
int ctl_connect(struct ctl_options *options, LDAP **ld_r);
void ctl_wipe_password(struct ctl_options *options);
bool ctl_is_ldapi(LDAP *ld);
/* Asks on the terminal, without an echo, for text on the heap, which is there whatever this answers
 * unless there is no terminal. */
int ctl_prompt(const char *question, char **text_r);

/* ctl_entry.c */

/* An entry as it came; what the core does not know is left out. */
struct ctl_entry {
	char *dn;
	struct berval **values[B2B_ATTR_COUNT];
};
struct ctl_entry *ctl_entry_new(LDAP *ld, LDAPMessage *message);
void ctl_entry_free(struct ctl_entry **entry); /* sets NULL; accepts NULL */
struct b2b_source ctl_entry_source(const struct ctl_entry *entry);
/* The first value of an attribute; borrowed; empty where there is none. */
struct b2b_str ctl_entry_first(const struct ctl_entry *entry, enum b2b_attr attr);

/* Calls each for every entry, page by page; returns the LDAP result. */
typedef void ctl_each_fn(LDAP *ld, LDAPMessage *message, void *ctx);
struct ctl_search {
	const char *base;
	int scope;
	const char *filter;
	char **attrs;
	ctl_each_fn *each;
	void *ctx;
};
int ctl_search(LDAP *ld, const struct ctl_search *search);
/* One entry by its DN and a filter; *entry_r is NULL, with LDAP_SUCCESS, where there is none. */
int ctl_read(LDAP *ld, const char *dn, const char *filter, struct ctl_entry **entry_r);

/* Where our tenant is. */
struct ctl_tenant {
	char *base;              /* -b, ldap.conf's, or the only naming context */
	struct ctl_entry *entry; /* the b2bTenant entry, or NULL */
};
int ctl_tenant_find(LDAP *ld, const struct ctl_options *options, struct ctl_tenant *tenant_r);
/* Complains where there is no tenant entry. */
int ctl_tenant_demand(const struct ctl_tenant *tenant);
void ctl_tenant_clear(struct ctl_tenant *tenant);

/* ctl_find.c */

/* Where the guests are: b2bGuestBase, else the entry above our tenant's, else -b itself.  Caller
 * frees, as all that follow. */
char *ctl_guest_base(const struct ctl_tenant *tenant);
/* The one guest whose DN, uid or mail word is; complains where it is none or several.  first, which
 * may be NULL, is called with its message. */
int ctl_guest_find(LDAP *ld, const struct ctl_tenant *tenant, const char *word, ctl_each_fn *first,
		   void *ctx, struct ctl_entry **entry_r);

struct ctl_partners {
	struct ctl_entry **entries;
	size_t count;
};
/* DNs and filters; the tenant has an entry. */
char *ctl_partners_dn(const struct ctl_tenant *tenant);
char *ctl_partner_dn(const struct ctl_tenant *tenant, const char *id);
char *ctl_partner_filter(const char *id);
int ctl_partners_read(LDAP *ld, const struct ctl_tenant *tenant, const char *filter,
		      struct ctl_partners *partners_r);
void ctl_partners_clear(struct ctl_partners *partners);
/* *entry_r is NULL, with CTL_DONE, where there is no such partner. */
int ctl_partner_find(LDAP *ld, const struct ctl_tenant *tenant, const char *id,
		     struct ctl_entry **entry_r);

/* ctl_plan.c */

/* One policy entry to be written. */
struct ctl_plan {
	const struct b2b_graph_entry *want; /* borrowed */
	struct ctl_entry *old;              /* NULL: it is to be added */
	bool review;                        /* a review definition, in cn=reviews */
	char *dn;
	struct b2b_graph_value groups; /* b2bGroupTarget, with what other halves need of it */
	bool has_groups;
	struct b2b_rule *rule; /* the entry as it will be, compiled */
};
/* Merges what is wanted into what is there and checks the whole as the server will. */
int ctl_plan_make(struct ctl_plan *plan);
/* A value to be set; text is copied.  Free what was added with ctl_want_clear. */
void ctl_want(struct b2b_graph_entry *want, enum b2b_attr attr, struct b2b_str text);
void ctl_want_clear(struct b2b_graph_entry *want);
/* What must be written; NULL where nothing differs.  Caller frees with ldap_mods_free. */
LDAPMod **ctl_plan_mods(const struct ctl_plan *plan);
LDAPMod *ctl_mod(int op, const char *name, char *const *values, size_t count);
void ctl_plan_clear(struct ctl_plan *plan);

/* ctl_write.c */

struct ctl_writer {
	LDAP *ld;
	const struct ctl_options *options;
	const struct ctl_tenant *tenant;
	bool contained; /* cn=partners, or cn=reviews, is there */
	size_t written;
};
/* Writes, or with --dry-run does not, and says a line. */
int ctl_write_plan(struct ctl_writer *writer, const struct ctl_plan *plan);

/* commands */
int ctl_policy_import(struct ctl_options *options);
int ctl_policy_check(struct ctl_options *options);
int ctl_policy_export(struct ctl_options *options);
int ctl_guest_list(struct ctl_options *options);
int ctl_guest_show(struct ctl_options *options);
int ctl_partner_add(struct ctl_options *options);
int ctl_partner_show(struct ctl_options *options);
int ctl_partner_test(struct ctl_options *options);
int ctl_totp_enroll(struct ctl_options *options);
int ctl_totp_reset(struct ctl_options *options);
int ctl_explain(struct ctl_options *options);
int ctl_token(struct ctl_options *options);

#endif
