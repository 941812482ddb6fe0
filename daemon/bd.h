/*
 * bd.h - what the files of the mail daemon share: configuration, log, directory, queue, sending.
 * In: the configuration file, what slapd tells of cn=outbox and cn=requests.
 * Out: included by daemon/bd_*.c and b2bd.c.
 *
 * One thread.  What must survive a crash stands in the directory and nowhere else.
 */
#ifndef B2B_BD_H
#define B2B_BD_H

#include <jansson.h>
#include <ldap.h>
#include <signal.h>
#include <syslog.h>

#include "../overlay/core/base.h"
#include "../overlay/core/ticket.h"
#include "mail_make.h"

#define BD_NAME "b2bd"
#ifndef B2B_VERSION
#define B2B_VERSION "0.1"
#endif
#define BD_CONFIG "/etc/slapo-b2b/b2bd.conf"
#define BD_TEMPLATES "/usr/share/slapo-b2b/templates"

/* bd_log.c: to syslog, or to stderr; bytes that do not belong in a log become '?'. */
void bd_log_open(bool to_stderr);
void bd_log(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Memory: these do not come back without it. */
void *bd_alloc(size_t bytes); /* zeroed */
char *bd_copy(const char *text, size_t bytes);
char *bd_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void bd_wipe(char **secret); /* wipes, frees, sets NULL; accepts NULL */

/* bd_config.c */
struct bd_config {
	char *uri, *bind_dn, *password_file, *ca_file, *base; /* the directory */
	char *key_file;
	char *smtp_url, *smtp_user, *smtp_password_file, *smtp_ca_file;
	char *from, *domain, *templates, *language;
	char *hook, *hook_ca_file; /* hook is NULL: requests are left alone */
	char *user;
	bool starttls;
	unsigned give_up_secs, retry_secs, timeout_secs;
	struct mail_sender sender; /* from, taken apart; points into from_text */
	char *from_text;
	bool smtp_loopback; /* no TLS is demanded */
};
/* False: error names file, line and word.  What config holds is freed by the other in any case. */
bool bd_config_read(const char *path, struct bd_config *config, struct b2b_error *error);
void bd_config_free(struct bd_config *config);
/* A file as text, at most 64 KiB; trim: without the newline at its end.  The caller wipes. */
bool bd_file_read(const char *path, bool trim, char **text_r, size_t *bytes_r,
		  struct b2b_error *error);
bool bd_is_loopback(const char *host);
/* Seconds that neither stop nor jump. */
time_t bd_clock(void);

/* bd_user.c: gives up root; false: error says why. */
bool bd_user_become(const char *name, struct b2b_error *error);

/* What the signals want; written by their handlers alone. */
struct bd_wish {
	volatile sig_atomic_t stop, reload;
	int pipe[2]; /* holds a byte once there is a wish: who waits wakes */
};
extern struct bd_wish bd_wish;

/* bd_link.c: the connection to slapd.  Codes are LDAP's. */
struct bd_link {
	const struct bd_config *config;
	LDAP *ld; /* NULL: not connected */
	time_t try_at;
	unsigned wait_secs; /* back-off, 1 to 60 */
	bool told;          /* that it is down */
};
/* Connects if that is due; false: not now. */
bool bd_link_up(struct bd_link *link);
/* Closes it and waits before the next attempt; why is logged once. */
void bd_link_down(struct bd_link *link, const char *why);
void bd_link_close(struct bd_link *link);
/* Whether a code means that the connection is of no use any more. */
bool bd_link_is_lost(int code);
struct bd_change {
	int op; /* LDAP_MOD_ADD, LDAP_MOD_DELETE or LDAP_MOD_REPLACE */
	const char *attribute;
	struct b2b_str value; /* s NULL: no value */
};
#define BD_CHANGES_MAX 8
/* only_if: NULL; or a filter of the entries that are changed (assertionFailed else), with the control
 * that lets the server's own attributes be written. */
int bd_link_modify(struct bd_link *link, const char *dn, const struct bd_change *changes,
		   size_t count, const char *only_if);
int bd_link_delete(struct bd_link *link, const char *dn);
/* *entry_r: the caller frees with ldap_msgfree; NULL unless LDAP_SUCCESS. */
int bd_link_read(struct bd_link *link, const char *dn, char **attributes, LDAPMessage **entry_r);
/* "code (n): what the server said"; static memory. */
const char *bd_link_text(struct bd_link *link, int code);

/* bd_queue.c: what is known to be there, by entryUUID */
#define BD_UUID 16
enum bd_kind { BD_NOTICE, BD_REQUEST, BD_KINDS };
struct bd_item {
	uint8_t uuid[BD_UUID];
	enum bd_kind kind;
	char *dn;
	bool off;           /* not ours to handle: failed, or decided */
	bool urgent;        /* somebody waits for it */
	bool sent;          /* all that is left is to delete it */
	bool seen;          /* by the refresh that is under way */
	time_t retry_at;    /* as the entry says; 0: at once */
	time_t not_before;  /* as we say, by bd_clock: what we could not write down */
	unsigned fruitless; /* how often that was */
	struct bd_item *next, *prev;
};
struct bd_queue {
	void *tree;
	struct bd_item *first;
	size_t count;
};
struct bd_item *bd_queue_put(struct bd_queue *queue, const uint8_t uuid[BD_UUID], enum bd_kind kind,
			     const char *dn);
struct bd_item *bd_queue_find(struct bd_queue *queue, const uint8_t uuid[BD_UUID]);
void bd_queue_drop(struct bd_queue *queue, struct bd_item *item);
void bd_queue_unsee(struct bd_queue *queue, enum bd_kind kind);
void bd_queue_drop_unseen(struct bd_queue *queue, enum bd_kind kind);
void bd_queue_clear(struct bd_queue *queue);
/* What comes next of those that are due (by the time of day, and by bd_clock), or NULL; kinds: bits
 * of those that may be handled. */
struct bd_item *bd_queue_next(struct bd_queue *queue, unsigned kinds, time_t now, time_t clock);
/* Not again before a while, longer each time. */
void bd_item_defer(struct bd_item *item, unsigned base_secs, unsigned most_secs);
/* base doubled after each attempt, most at most. */
unsigned bd_backoff(unsigned base_secs, unsigned attempts, unsigned most_secs);

/* bd_follow.c: RFC 4533 by hand.  libldap's ldap_sync_poll takes the first of several messages that
 * came together for all of them, and ldap_sync_init cannot be interrupted. */
struct bd_follow {
	enum bd_kind kind;
	const char *container; /* "outbox" */
	char *base;            /* its DN */
	int msgid;             /* -1: no search is under way */
	bool refreshed;        /* what was there before is known */
	time_t try_at;
	bool absent; /* it is not there, which was said */
};
void bd_follow_init(struct bd_follow *follow, enum bd_kind kind, const char *base);
/* Starts the search if that is due. */
int bd_follow_start(struct bd_follow *follow, struct bd_link *link, struct bd_queue *queue);
/* Takes one message of the search.  Other than LDAP_SUCCESS: the connection is of no use. */
int bd_follow_take(struct bd_follow *follow, struct bd_link *link, struct bd_queue *queue,
		   LDAPMessage *message);

/* bd_notice.c: an entry of cn=outbox; texts are NULL where there is no value */
struct bd_notice {
	char *dn, *cn, *type, *to, *name, *language, *guest, *state;
	json_t *data;
	time_t created;
	unsigned attempts;
};
/* False: error says what is malformed; what could be read is there. */
bool bd_notice_read(LDAP *ld, LDAPMessage *entry, struct bd_notice *notice,
		    struct b2b_error *error);
void bd_notice_clear(struct bd_notice *notice);

/* bd_smtp.c */
enum bd_fate {
	BD_UNCLEAR = 0, /* later again */
	BD_NO_SERVER,   /* later again, and the next mail will not fare better */
	BD_LOST,        /* slapd went away meanwhile */
	BD_REFUSED,     /* never */
	BD_MOOT,        /* nobody wants it any more */
	BD_DONE
};
struct bd_smtp; /* the connection to the mail server, kept while there is something to send */
struct bd_smtp *bd_smtp_new(const struct bd_config *config);
void bd_smtp_free(struct bd_smtp **smtp);
void bd_smtp_rest(struct bd_smtp *smtp); /* nothing to send: hang up */
enum bd_fate bd_smtp_send(struct bd_smtp *smtp, const struct mail_letter *letter,
			  struct b2b_error *error);

/* bd_loop.c: all of it */
struct bd {
	const struct bd_config *config;
	struct bd_link link;
	struct bd_queue queue;
	struct bd_follow follows[BD_KINDS]; /* base is NULL: not followed */
	struct mail_folder *templates;
	struct b2b_mint *mint; /* NULL: no key file */
	struct bd_smtp *smtp;
	time_t smtp_try_at; /* by bd_clock */
	unsigned smtp_failures;
	bool once;      /* -1 */
	unsigned fails; /* what was due and could not be done */
};
int bd_loop(struct bd *bd); /* 0; with -1: 1 if something failed */

/* bd_facts.c: all that a letter says, and what only the daemon may know of it */
struct bd_facts {
	struct mail_order order; /* points into the notice and into what follows */
	char ticket[B2B_TICKET_SIZE], code[B2B_PASSCODE_DIGITS + 1], minutes[8];
	struct mail_text url, times[4];
};
/* BD_DONE: facts are complete, and the hash of a passcode stands in the guest.  The caller clears
 * in any case. */
enum bd_fate bd_facts_make(struct bd *bd, const struct bd_notice *notice, struct bd_facts *facts,
			   struct b2b_error *error);
void bd_facts_clear(struct bd_facts *facts); /* wipes */

/* bd_post.c: a notice from the entry to the mail server */
void bd_post(struct bd *bd, struct bd_item *item);
/* Changes of what is done with an item, where the directory did not take them. */
void bd_stumble(struct bd *bd, struct bd_item *item, int code, const char *what);

/* bd_hook.c: a request from the entry to the web hook; bd_http.c: over the net */
void bd_hook(struct bd *bd, struct bd_item *item);
#define BD_HOOK_MAX 65536u
/* Posts a JSON text.  *status_r: of HTTP; *answer_r: the caller frees.  False: error says why. */
bool bd_http_post(const struct bd_config *config, const char *body, long *status_r, char **answer_r,
		  size_t *bytes_r, struct b2b_error *error);

#endif
