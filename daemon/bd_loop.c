/*
 * bd_loop.c - the one loop: connect, listen, handle what is due, rest.
 * In: struct bd, filled in by b2bd.c.
 * Out: mail; 0, or 1 where -1 could not do all.
 */
#include "bd.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* The clock may be set, and a machine may sleep: what is due is looked at that often. */
#define REST_MOST_SECS 5
#define REST_SHORT_MS 200

static struct bd_follow *follow_of(struct bd *bd, int msgid)
{
	for (size_t i = 0; i < BD_KINDS; i++)
		if (bd->follows[i].msgid == msgid && bd->follows[i].base)
			return &bd->follows[i];
	return NULL;
}

static bool start_follows(struct bd *bd)
{
	for (size_t i = 0; i < BD_KINDS; i++) {
		int code = bd->follows[i].base
				   ? bd_follow_start(&bd->follows[i], &bd->link, &bd->queue)
				   : LDAP_SUCCESS;

		if (code != LDAP_SUCCESS) {
			bd_link_down(&bd->link, bd_link_text(&bd->link, code));
			return false;
		}
	}
	return true;
}

/* Takes what slapd has said; never waits. */
static void listen_now(struct bd *bd)
{
	while (bd->link.ld && !bd_wish.stop) {
		struct timeval none = { 0, 0 };
		LDAPMessage *message = NULL;
		struct bd_follow *follow;
		int code = LDAP_SUCCESS,
		    type = ldap_result(bd->link.ld, LDAP_RES_ANY, LDAP_MSG_ONE, &none, &message);

		if (type == 0)
			return;
		if (type < 0) {
			ldap_get_option(bd->link.ld, LDAP_OPT_RESULT_CODE, &code);
			bd_link_down(&bd->link, bd_link_text(&bd->link, code));
			return;
		}
		follow = follow_of(bd, ldap_msgid(message));
		if (follow)
			code = bd_follow_take(follow, &bd->link, &bd->queue, message);
		ldap_msgfree(message);
		if (code != LDAP_SUCCESS)
			bd_link_down(&bd->link, bd_link_text(&bd->link, code));
	}
}

/* Until something is due, or might be. */
static int rest_ms(struct bd *bd)
{
	time_t least = REST_MOST_SECS, clock = bd_clock(), now = time(NULL);

	if (!bd->link.ld)
		return REST_SHORT_MS;
	for (size_t i = 0; i < BD_KINDS; i++)
		if (bd->follows[i].base && bd->follows[i].msgid == -1)
			return REST_SHORT_MS;
	for (const struct bd_item *item = bd->queue.first; item; item = item->next) {
		time_t wait = item->retry_at - now, ours = item->not_before - clock;

		if (item->kind == BD_NOTICE && bd->smtp_try_at - clock > ours)
			ours = bd->smtp_try_at - clock;
		wait = wait > ours ? wait : ours;
		if (!item->off && wait < least)
			least = wait > 0 ? wait : 0;
	}
	return least > 0 ? (int)least * 1000 : REST_SHORT_MS;
}

static void rest(struct bd *bd)
{
	struct pollfd fds[] = { { .fd = -1, .events = POLLIN },
				{ .fd = bd_wish.pipe[0], .events = POLLIN } };
	char byte;

	if (bd->link.ld)
		ldap_get_option(bd->link.ld, LDAP_OPT_DESC, &fds[0].fd);
	bd_smtp_rest(bd->smtp);
	if (poll(fds, 2, rest_ms(bd)) > 0 && fds[1].revents)
		while (read(bd_wish.pipe[0], &byte, 1) > 0)
			;
}

static bool connect_now(struct bd *bd)
{
	if (bd->link.ld)
		return true;
	for (size_t i = 0; i < BD_KINDS; i++) {
		bd->follows[i].msgid = -1;
		bd->follows[i].try_at = 0;
	}
	return bd_link_up(&bd->link);
}

static void reload(struct bd *bd)
{
	struct mail_folder *templates;
	struct b2b_error error = { "out of memory" };

	bd_wish.reload = 0;
	if (mail_folder_new(bd->config->templates, &templates, &error) != B2B_OK) {
		bd_log(LOG_ERR, "%s; the templates from before stay", error.text);
		return;
	}
	mail_folder_free(&bd->templates);
	bd->templates = templates;
	bd_log(LOG_INFO, "read the templates again");
}

/* Whether all that was there is known. */
static bool is_known(const struct bd *bd)
{
	for (size_t i = 0; i < BD_KINDS; i++)
		if (bd->follows[i].base && !bd->follows[i].refreshed && !bd->follows[i].absent)
			return false;
	return bd->link.ld != NULL;
}

static struct bd_item *next_item(struct bd *bd)
{
	time_t clock = bd_clock();
	unsigned kinds = 1u << BD_REQUEST;

	if (!bd->link.ld)
		return NULL;
	if (clock >= bd->smtp_try_at)
		kinds |= 1u << BD_NOTICE;
	return bd_queue_next(&bd->queue, kinds, time(NULL), clock);
}

int bd_loop(struct bd *bd)
{
	while (!bd_wish.stop) {
		struct bd_item *item;

		if (bd_wish.reload)
			reload(bd);
		if (connect_now(bd) && start_follows(bd))
			listen_now(bd);
		item = next_item(bd);
		if (item && item->kind == BD_NOTICE)
			bd_post(bd, item);
		else if (item)
			bd_hook(bd, item);
		else if (bd->once && (is_known(bd) || bd->link.wait_secs > 0))
			return !bd->link.ld || bd->fails > 0;
		else if (!bd_wish.stop)
			rest(bd);
	}
	return bd->once;
}
