/*
 * limit.h - how often something may be done: fixed windows in memory, by key.
 * In: a key (a guest's DN, a peer's address, a word), how often in how long, the time.
 * Out: yes or no.  Restarting forgets; a table that is full says no.
 */
#ifndef B2B_LIMIT_H
#define B2B_LIMIT_H

#include "base.h"

struct b2b_limits; /* any thread */

/* keys: how many are remembered at most (memory: some 32 bytes each).  NULL without memory. */
struct b2b_limits *b2b_limits_new(size_t keys);
void b2b_limits_free(struct b2b_limits **limits); /* sets NULL; accepts NULL */

/* Counts one, and says whether that is still within most in window_secs.  kind keeps the keys of
 * different limits apart.  What is refused is not counted. */
bool b2b_limits_take(struct b2b_limits *limits, const char *kind, struct b2b_str key, unsigned most,
		     unsigned window_secs, time_t now);
/* Takes one back that was taken, as long as its window is open. */
void b2b_limits_give_back(struct b2b_limits *limits, const char *kind, struct b2b_str key,
			  unsigned window_secs, time_t now);

#endif
