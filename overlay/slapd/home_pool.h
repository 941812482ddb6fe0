/*
 * home_pool.h - what a tenant remembers of its partners' home servers.
 * In: names of partners and servers.  Out: places, breakers and idle connections; to home.c.
 * All of it is guarded by b2b_homes.mutex: functions here that say "locked" want it held.
 */
#ifndef B2B_HOME_POOL_H
#define B2B_HOME_POOL_H

#include "../core/breaker.h"
#include "home_link.h"

#include <pthread.h>

#define B2B_HOME_KEEP_MS 60000      /* an unused connection */
#define B2B_HOME_LINK_AGE_MS 600000 /* a used one, so that changed CA files come to count */
#define B2B_HOME_FORGET_MS 600000   /* a server that nobody asked for */
#define B2B_HOME_BUCKETS 256

/* One server under one set of TLS settings. */
struct b2b_home_server {
	struct b2b_home_server *next;
	struct b2b_breaker breaker;
	struct b2b_home_link *idle; /* newest first */
	unsigned idle_count;
	uint64_t used_ms;
	char key[]; /* URL and TLS settings: other settings, other server */
};

struct b2b_home_partner {
	struct b2b_home_partner *next;
	struct b2b_home_server *servers;
	pthread_cond_t place_free; /* CLOCK_MONOTONIC */
	unsigned running, waiting; /* prove calls; while there are any it is not freed */
	char id[];
};

struct b2b_homes {
	pthread_mutex_t mutex; /* guards all of this and what hangs on it */
	struct b2b_homes_limits limits;
	unsigned refs;
	bool closed;    /* the owner is gone */
	unsigned count; /* prove calls that run or wait, over all partners */
	uint64_t tidied_ms;
	struct b2b_home_partner *partners[B2B_HOME_BUCKETS];
};

/* Locked: finds or makes; NULL without memory. */
struct b2b_home_partner *b2b_home_pool_partner(struct b2b_homes *homes, const char *id);
struct b2b_home_server *b2b_home_pool_server(struct b2b_homes *homes,
					     struct b2b_home_partner *partner, const char *uri,
					     const struct b2b_home_request *request);
/* Not locked: an idle connection that is still good, or NULL. */
struct b2b_home_link *b2b_home_pool_take(struct b2b_homes *homes, struct b2b_home_server *server);
/* Not locked: moved; kept for the next bind, or closed. */
void b2b_home_pool_give(struct b2b_homes *homes, struct b2b_home_server *server,
			struct b2b_home_link *link);
/* Not locked: closes all idle connections of a server. */
void b2b_home_pool_drop(struct b2b_homes *homes, struct b2b_home_server *server);
/* Locked: takes out what is too old; the caller closes it once the lock is open. */
struct b2b_home_link *b2b_home_pool_sweep(struct b2b_homes *homes, uint64_t now_ms);
/* The last reference is gone: frees all. */
void b2b_home_pool_free(struct b2b_homes *homes);

#endif
