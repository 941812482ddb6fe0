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

/* Deletes the notice: done with it, for good. */
static void finish(struct bd *bd, struct bd_item *item)
{
	int code = bd_link_delete(&bd->link, item->dn);

	if (code == LDAP_SUCCESS || code == LDAP_NO_SUCH_OBJECT) {
		bd_queue_drop(&bd->queue, item);
		return;
	}
	if (bd_link_is_lost(code)) {
		bd_link_down(&bd->link, bd_link_text(&bd->link, code));
		return;
	}
	bd->fails++;
	bd_log(LOG_ERR, "notice=\"%s\" is sent but cannot be deleted: %s", item->dn,
	       bd_link_text(&bd->link, code));
	bd_item_defer(item, bd->config->retry_secs, DEFER_MOST);
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
	bd->fails++;
	code = bd_link_modify(&bd->link, item->dn, changes, count, false);
	if (code == LDAP_SUCCESS) {
		item->retry_at = when;
		item->off = when == 0;
	} else if (code == LDAP_NO_SUCH_OBJECT) {
		bd_queue_drop(&bd->queue, item);
	} else if (bd_link_is_lost(code)) {
		bd_item_defer(item, bd->config->retry_secs, DEFER_MOST);
		bd_link_down(&bd->link, bd_link_text(&bd->link, code));
	} else {
		bd_log(LOG_ERR, "notice=\"%s\" cannot be put off: %s", item->dn,
		       bd_link_text(&bd->link, code));
		bd_item_defer(item, bd->config->retry_secs, DEFER_MOST);
	}
}

static void judge(struct bd *bd, struct bd_item *item, const struct bd_notice *notice,
		  enum bd_fate fate, const struct b2b_error *error)
{
	time_t now = time(NULL);
	unsigned wait_secs = bd_backoff(bd->config->retry_secs, notice->attempts + 1, RETRY_MOST);

	if (fate == BD_DONE) {
		bd_log(LOG_INFO, "sent notice=%s type=%s to=<%s>", notice->cn, notice->type,
		       notice->to);
		item->sent = true;
		finish(bd, item);
		return;
	}
	if (fate != BD_REFUSED && bd_wish.stop)
		return; /* it was not the mail's fault */
	if (fate == BD_REFUSED || now - notice->created >= (time_t)bd->config->give_up_secs) {
		bd_log(LOG_ERR, "gave up notice=%s type=%s to=<%s> attempts=%u: %s", notice->cn,
		       notice->type, notice->to, notice->attempts + 1, error->text);
		put_off(bd, item, notice, 0, error->text);
		return;
	}
	bd_log(LOG_WARNING, "put off notice=%s type=%s to=<%s> attempts=%u next=%us: %s",
	       notice->cn, notice->type, notice->to, notice->attempts + 1, wait_secs, error->text);
	put_off(bd, item, notice, now + (time_t)wait_secs, error->text);
}

static void post(struct bd *bd, struct bd_item *item, const struct bd_notice *notice)
{
	struct mail_letter letter = { .header_count = 5 };
	struct mail_sender to = { b2b_str_of(notice->to), b2b_str_of(notice->name) };
	struct b2b_error error = { "" };
	enum bd_fate fate;

	snprintf(letter.to, sizeof letter.to, "%s", notice->to);
	mail_header_person(&letter.headers[0], "From", &bd->config->sender);
	mail_header_person(&letter.headers[1], "To", &to);
	mail_text_puts(&letter.headers[2], "Subject: ");
	mail_header_words(&letter.headers[2], b2b_str_of(notice->type), false);
	mail_header_date(&letter.headers[3], time(NULL));
	mail_text_puts(&letter.headers[4], "Message-ID: <");
	mail_text_puts(&letter.headers[4], notice->cn);
	mail_text_puts(&letter.headers[4], "@");
	mail_text_puts(&letter.headers[4], bd->config->domain);
	mail_text_puts(&letter.headers[4], ">");
	mail_text_put_line(&letter.text, b2b_str_of(notice->type));
	fate = bd_smtp_send(bd->smtp, &letter, &error);
	mail_letter_clear(&letter);
	judge(bd, item, notice, fate, &error);
}

void bd_post(struct bd *bd, struct bd_item *item)
{
	static char *attributes[] = { "*", "createTimestamp", NULL };
	struct b2b_error error = { "" };
	struct bd_notice notice;
	LDAPMessage *entry;
	int code;

	if (item->sent) {
		finish(bd, item);
		return;
	}
	code = bd_link_read(&bd->link, item->dn, attributes, &entry);
	if (code == LDAP_NO_SUCH_OBJECT) {
		bd_queue_drop(&bd->queue, item);
		return;
	}
	if (code != LDAP_SUCCESS) {
		bd_link_down(&bd->link, bd_link_text(&bd->link, code));
		return;
	}
	if (!bd_notice_read(bd->link.ld, ldap_first_entry(bd->link.ld, entry), &notice, &error))
		judge(bd, item, &notice, BD_REFUSED, &error);
	else if (notice.state)
		item->off = true;
	else
		post(bd, item, &notice);
	bd_notice_clear(&notice);
	ldap_msgfree(entry);
}
