/*
 * breaker.c - closed, open, half-open: when a home server that failed may be asked again.
 * In: reports of attempts by home.c, with the time in milliseconds of a clock that never goes back.
 * Out: tickets for further attempts.
 */
#include "breaker.h"

static void change(struct b2b_breaker *breaker, enum b2b_breaker_state state)
{
	breaker->state = state;
	breaker->faults = 0;
	breaker->round++;
}

static b2b_breaker_ticket ticket_of(const struct b2b_breaker *breaker)
{
	return breaker->round == UINT32_MAX ? 1 : breaker->round + 1;
}

static void open_until(struct b2b_breaker *breaker, uint64_t now_ms, uint64_t pause_ms)
{
	change(breaker, B2B_BREAKER_OPEN);
	breaker->pause_ms = pause_ms;
	breaker->until_ms = now_ms + pause_ms;
}

static uint64_t first_pause(const struct b2b_breaker *breaker)
{
	return breaker->first_pause_ms ? breaker->first_pause_ms : B2B_BREAKER_PAUSE_MS;
}

bool b2b_breaker_is_ready(const struct b2b_breaker *breaker, uint64_t now_ms)
{
	return breaker->state == B2B_BREAKER_CLOSED || now_ms >= breaker->until_ms;
}

b2b_breaker_ticket b2b_breaker_enter(struct b2b_breaker *breaker, uint64_t now_ms)
{
	if (!b2b_breaker_is_ready(breaker, now_ms))
		return 0;
	if (breaker->state != B2B_BREAKER_CLOSED) {
		change(breaker, B2B_BREAKER_HALF_OPEN);
		breaker->until_ms = now_ms + B2B_BREAKER_PAUSE_MAX_MS;
	}
	return ticket_of(breaker);
}

void b2b_breaker_success(struct b2b_breaker *breaker, b2b_breaker_ticket ticket)
{
	if (ticket == 0 || ticket != ticket_of(breaker))
		return;
	breaker->faults = 0;
	if (breaker->state != B2B_BREAKER_CLOSED)
		change(breaker, B2B_BREAKER_CLOSED);
}

void b2b_breaker_fault(struct b2b_breaker *breaker, b2b_breaker_ticket ticket, uint64_t now_ms)
{
	uint64_t pause_ms = breaker->pause_ms;

	if (ticket == 0 || ticket != ticket_of(breaker))
		return;
	switch (breaker->state) {
	case B2B_BREAKER_CLOSED:
		if (++breaker->faults >= B2B_BREAKER_FAULTS)
			open_until(breaker, now_ms, first_pause(breaker));
		return;
	case B2B_BREAKER_HALF_OPEN:
		pause_ms = pause_ms < B2B_BREAKER_PAUSE_MAX_MS / 2 ? pause_ms * 2
								   : B2B_BREAKER_PAUSE_MAX_MS;
		open_until(breaker, now_ms, pause_ms);
		return;
	case B2B_BREAKER_OPEN:
	default:
		return; /* no ticket is given out in this state */
	}
}

void b2b_breaker_cancel(struct b2b_breaker *breaker, b2b_breaker_ticket ticket, uint64_t now_ms)
{
	if (ticket == 0 || ticket != ticket_of(breaker))
		return;
	if (breaker->state == B2B_BREAKER_HALF_OPEN) {
		change(breaker, B2B_BREAKER_OPEN);
		breaker->until_ms = now_ms; /* the next one may probe */
	}
}
