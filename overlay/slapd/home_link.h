/*
 * home_link.h - one connection to one home server, and how it is dialled.
 * In: an address and a deadline.  Out: a verified connection that binds; to home.c, home_pool.c.
 * Deadlines are absolute, in milliseconds of b2b_home_now_ms; none of this takes home.h's lock.
 */
#ifndef B2B_HOME_LINK_H
#define B2B_HOME_LINK_H

#include "../core/text.h"
#include "home.h"

#include <lber.h>
#include <ldap.h>

/* Milliseconds of a clock that never goes back. */
uint64_t b2b_home_now_ms(void);

/* --- home_dial.c --- */

/* A socket and until when it may be waited for: the lowest layer of a connection.  Reading and
 * writing past the deadline fails, however the bytes trickle in. */
struct b2b_home_wire {
	int fd; /* -1: closed */
	uint64_t deadline_ms;
};
extern Sockbuf_IO b2b_home_wire_io; /* argument: struct b2b_home_wire, borrowed */

/* Connects a non-blocking socket.  local_only: to addresses of this machine and no other.
 * -1, and why, where that fails. */
int b2b_home_dial(const struct b2b_url *url, bool local_only, uint64_t deadline_ms,
		  struct b2b_error *why);

/* --- home_link.c --- */

struct b2b_home_link {
	struct b2b_home_link *next; /* the pool's */
	uint64_t opened_ms, idle_since_ms;
	LDAP *ld;
	Sockbuf *sockbuf; /* of ld */
	ber_int_t last_id;
	struct b2b_home_wire wire;
	bool plain;    /* permitted, for the server is this machine */
	bool answered; /* the last bind got an answer of whatever kind */
};

/* Connects, with TLS unless url is plain and this machine.  NULL, and why.  Close it. */
struct b2b_home_link *b2b_home_link_open(const struct b2b_url *url,
					 const struct b2b_home_request *request,
					 uint64_t deadline_ms, struct b2b_error *why);
/* Binds; B2B_HOME_UNAVAILABLE: the link must be closed. */
enum b2b_home_answer b2b_home_link_bind(struct b2b_home_link *link,
					const struct b2b_home_request *request,
					uint64_t deadline_ms, struct b2b_error *why);
/* Whether the other side neither closed it nor said anything unasked. */
bool b2b_home_link_is_quiet(struct b2b_home_link *link);
void b2b_home_link_close(struct b2b_home_link **link); /* sets NULL; accepts NULL */
void b2b_home_link_close_all(struct b2b_home_link *list);

#endif
