/*
 * bd_loop.c - the one loop: connect, listen, handle what is due, rest.
 * In: struct bd, filled in by b2bd.c.
 * Out: mail; 0, or 1 where -1 could not do all.
 */
#include "bd.h"

#include <errno.h>
#include <poll.h>

/* The clock may be set, and a machine may sleep: what is due is looked at that often. */
#define REST_MOST_MS 5000
#define REST_DOWN_MS 200

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

static void rest(struct bd *bd)
{
	struct pollfd slapd = { .fd = -1, .events = POLLIN };

	if (bd->link.ld)
		ldap_get_option(bd->link.ld, LDAP_OPT_DESC, &slapd.fd);
	bd_smtp_rest(bd->smtp);
	poll(&slapd, 1, bd->link.ld ? REST_MOST_MS : REST_DOWN_MS);
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

int bd_loop(struct bd *bd)
{
	while (!bd_wish.stop) {
		struct bd_item *item = NULL;

		if (connect_now(bd) && start_follows(bd))
			listen_now(bd);
		if (bd->link.ld)
			item = bd_queue_next(&bd->queue, 1u << BD_NOTICE, time(NULL), bd_clock());
		if (item)
			bd_post(bd, item);
		else if (!bd_wish.stop)
			rest(bd);
	}
	return 0;
}
