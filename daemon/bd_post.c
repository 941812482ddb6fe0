/*
 * bd_post.c - one notice: made into a letter, sent, and deleted or put off.
 * In: an item of the queue that is due.
 * Out: mail; the notice's state in the directory.
 */
#include "bd.h"

#include "../overlay/core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MOST (4u * 3600u)
/* What could not even be written down is put off here. */
#define DEFER_MOST 300u
/* A mail server that is down is asked again that often at least. */
#define SERVER_MOST 60u

void bd_stumble(struct bd *bd, struct bd_item *item, int code, const char *what)
{
	bd->fails++;
	bd_item_defer(item, bd->config->retry_secs, DEFER_MOST);
	if (bd_link_is_lost(code))
		bd_link_down(&bd->link, bd_link_text(&bd->link, code));
	else
		bd_log(LOG_ERR, "\"%s\" %s: %s", item->dn, what, bd_link_text(&bd->link, code));
}

/* Deletes the notice: done with it, for good. */
static void finish(struct bd *bd, struct bd_item *item)
{
	int code = bd_link_delete(&bd->link, item->dn);

	if (code == LDAP_SUCCESS || code == LDAP_NO_SUCH_OBJECT)
		bd_queue_drop(&bd->queue, item);
	else
		bd_stumble(bd, item, code, "is done but cannot be deleted");
}

/* Writes down that it was not sent.  when 0: never again. */
static void put_off(struct bd *bd, struct bd_item *item, const struct bd_notice *notice,
		    time_t when, const char *why)
{
	char retry_at[B2B_TIME_SIZE], attempts[16];
	struct bd_change changes[4] = {
		{ LDAP_MOD_REPLACE, "b2bNoticeAttempts", { attempts, 0 } },
		{ LDAP_MOD_REPLACE, "b2bNoticeError", { why, strlen(why) } },
		{ LDAP_MOD_REPLACE, "b2bNoticeRetryAt", { NULL, 0 } },
	};
	size_t count = 3;
	int code;

	snprintf(attempts, sizeof attempts, "%u", notice->attempts + 1);
	changes[0].value.len = strlen(attempts);
	if (when > 0) {
		b2b_time_format(when, retry_at);
		changes[2].value = b2b_str_of(retry_at);
	} else {
		changes[count++] = (struct bd_change){ LDAP_MOD_REPLACE, "b2bNoticeState",
						       b2b_str_of("failed") };
	}
	code = bd_link_modify(&bd->link, item->dn, changes, count, NULL);
	if (code == LDAP_SUCCESS) {
		bd->fails++;
		item->fruitless = 0;
		item->retry_at = when;
		item->off = when == 0;
	} else if (code == LDAP_NO_SUCH_OBJECT) {
		bd_queue_drop(&bd->queue, item);
	} else {
		bd_stumble(bd, item, code, "cannot be put off");
	}
}

static void sent(struct bd *bd, struct bd_item *item, const struct bd_notice *notice)
{
	bd_log(LOG_INFO, "sent notice=%s type=%s to=<%s>", notice->cn, notice->type, notice->to);
	bd->smtp_failures = 0;
	item->sent = true;
	finish(bd, item);
}

static void moot(struct bd *bd, struct bd_item *item, const struct bd_notice *notice,
		 const char *why)
{
	bd_log(LOG_NOTICE, "dropped notice=%s type=%s to=<%s>: %s", notice->cn, notice->type,
	       notice->to, why);
	item->sent = true;
	finish(bd, item);
}

static void failed(struct bd *bd, struct bd_item *item, const struct bd_notice *notice,
		   enum bd_fate fate, const char *why)
{
	time_t now = time(NULL);
	unsigned wait_secs = bd_backoff(bd->config->retry_secs, notice->attempts + 1, RETRY_MOST);
	bool ends =
		fate == BD_REFUSED ||
		(notice->created > 0 && now - notice->created >= (time_t)bd->config->give_up_secs);

	if (fate == BD_NO_SERVER) {
		bd->smtp_failures++;
		bd->smtp_try_at =
			bd_clock() + (time_t)bd_backoff(1, bd->smtp_failures, SERVER_MOST);
	}
	if (ends)
		bd_log(LOG_ERR, "gave up notice=%s type=%s to=<%s> attempts=%u: %s",
		       notice->cn ? notice->cn : item->dn, notice->type ? notice->type : "?",
		       notice->to ? notice->to : "?", notice->attempts + 1, why);
	else
		bd_log(LOG_WARNING, "put off notice=%s type=%s to=<%s> attempts=%u next=%us: %s",
		       notice->cn, notice->type, notice->to, notice->attempts + 1, wait_secs, why);
	put_off(bd, item, notice, ends ? 0 : now + (time_t)wait_secs, why);
}

static enum bd_fate post(struct bd *bd, const struct bd_notice *notice, struct b2b_error *error)
{
	struct mail_letter letter = { .header_count = 0 };
	struct bd_facts facts;
	enum bd_fate fate = bd_facts_make(bd, notice, &facts, error);
	enum b2b_err err;

	if (fate == BD_DONE) {
		err = mail_build(bd->templates, &facts.order, &letter, error);
		fate = err == B2B_OK           ? bd_smtp_send(bd->smtp, &letter, error)
		       : err == B2B_ERR_MEMORY ? BD_UNCLEAR
					       : BD_REFUSED;
		mail_letter_clear(&letter);
	}
	bd_facts_clear(&facts);
	if (!*error->text)
		b2b_error_set(error, "out of memory");
	return fate;
}

static void handle(struct bd *bd, struct bd_item *item, LDAPMessage *entry)
{
	struct b2b_error error = { "" };
	struct bd_notice notice;
	enum bd_fate fate = BD_REFUSED;

	if (bd_notice_read(bd->link.ld, entry, &notice, &error))
		fate = notice.state ? BD_UNCLEAR : post(bd, &notice, &error);
	if (notice.state)
		item->off = true;
	else if (fate == BD_DONE)
		sent(bd, item, &notice);
	else if (fate == BD_MOOT)
		moot(bd, item, &notice, error.text);
	else if (fate == BD_LOST)
		bd_stumble(bd, item, LDAP_SERVER_DOWN, error.text);
	else if (fate == BD_REFUSED ||
		 !bd_wish.stop) /* told to stop, it was not the mail's fault */
		failed(bd, item, &notice, fate, error.text);
	bd_notice_clear(&notice);
}

void bd_post(struct bd *bd, struct bd_item *item)
{
	static char *attributes[] = { "*", "createTimestamp", NULL };
	LDAPMessage *entry;
	int code;

	if (item->sent) {
		finish(bd, item);
		return;
	}
	code = bd_link_read(&bd->link, item->dn, attributes, &entry);
	if (code == LDAP_NO_SUCH_OBJECT)
		bd_queue_drop(&bd->queue, item);
	else if (code != LDAP_SUCCESS)
		bd_stumble(bd, item, code, "cannot be read");
	else
		handle(bd, item, ldap_first_entry(bd->link.ld, entry));
	ldap_msgfree(entry);
}
