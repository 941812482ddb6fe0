/*
 * breaker.h - a circuit breaker: when a home server that failed may be asked again.
 * In: what became of each attempt, and the time.  Out: whether another attempt may be made.
 * Pure: no clock, no lock; the caller's lock guards each breaker.  Zeroed memory is closed.
 */
#ifndef B2B_BREAKER_H
#define B2B_BREAKER_H

#include "base.h"

#define B2B_BREAKER_FAULTS 3           /* in a row, then it opens */
#define B2B_BREAKER_PAUSE_MS 10000     /* how long at first, doubled by each failed probe */
#define B2B_BREAKER_PAUSE_MAX_MS 60000 /* up to here */

enum b2b_breaker_state {
	B2B_BREAKER_CLOSED = 0, /* ask */
	B2B_BREAKER_OPEN,       /* do not ask */
	B2B_BREAKER_HALF_OPEN,  /* one probe is on its way */
};

struct b2b_breaker {
	enum b2b_breaker_state state;
	unsigned faults;         /* in a row, while closed */
	uint64_t pause_ms;       /* of the present or last opening */
	uint64_t until_ms;       /* open until; half-open: when the probe counts as lost */
	uint64_t first_pause_ms; /* 0: B2B_BREAKER_PAUSE_MS */
	uint32_t round;          /* changes with each state */
};

/* Goes from b2b_breaker_enter to the report; 0 is "do not ask".  A report of an earlier state
 * (an attempt that began before the breaker opened, say) changes nothing. */
typedef uint32_t b2b_breaker_ticket;

/* Whether b2b_breaker_enter would give a ticket; changes nothing. */
bool b2b_breaker_is_ready(const struct b2b_breaker *breaker, uint64_t now_ms);
/* A ticket for one attempt, or 0.  Each ticket must be reported by one of the three below; a
 * probe that never is counts as lost after B2B_BREAKER_PAUSE_MAX_MS. */
b2b_breaker_ticket b2b_breaker_enter(struct b2b_breaker *breaker, uint64_t now_ms);
/* The server answered, whatever it said. */
void b2b_breaker_success(struct b2b_breaker *breaker, b2b_breaker_ticket ticket);
/* It did not. */
void b2b_breaker_fault(struct b2b_breaker *breaker, b2b_breaker_ticket ticket, uint64_t now_ms);
/* It was not given a fair chance: says nothing about the server. */
void b2b_breaker_cancel(struct b2b_breaker *breaker, b2b_breaker_ticket ticket, uint64_t now_ms);

#endif
