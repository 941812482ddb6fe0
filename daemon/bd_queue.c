/*
 * bd_queue.c - what stands in cn=outbox and cn=requests, and which of it comes next.
 * In: what bd_follow.c is told.
 * Out: one item at a time to bd_loop.c.
 */
#include "bd.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
	const struct bd_item *x = a, *y = b;

	return memcmp(x->uuid, y->uuid, BD_UUID);
}

struct bd_item *bd_queue_find(struct bd_queue *queue, const uint8_t uuid[BD_UUID])
{
	struct bd_item wanted = { .dn = NULL };
	struct bd_item **found;

	memcpy(wanted.uuid, uuid, BD_UUID);
	found = tfind(&wanted, &queue->tree, compare);
	return found ? *found : NULL;
}

struct bd_item *bd_queue_put(struct bd_queue *queue, const uint8_t uuid[BD_UUID], enum bd_kind kind,
			     const char *dn)
{
	struct bd_item *item = bd_queue_find(queue, uuid);

	if (!item) {
		item = bd_alloc(sizeof *item);
		memcpy(item->uuid, uuid, BD_UUID);
		item->kind = kind;
		if (!tsearch(item, &queue->tree, compare)) {
			bd_log(LOG_CRIT, "out of memory");
			_exit(1);
		}
		item->next = queue->first;
		if (queue->first)
			queue->first->prev = item;
		queue->first = item;
		queue->count++;
	}
	if (!item->dn || strcmp(item->dn, dn) != 0) {
		free(item->dn);
		item->dn = bd_copy(dn, strlen(dn));
	}
	item->seen = true;
	return item;
}

void bd_queue_drop(struct bd_queue *queue, struct bd_item *item)
{
	tdelete(item, &queue->tree, compare);
	if (item->next)
		item->next->prev = item->prev;
	if (item->prev)
		item->prev->next = item->next;
	else
		queue->first = item->next;
	queue->count--;
	free(item->dn);
	free(item);
}

void bd_queue_unsee(struct bd_queue *queue, enum bd_kind kind)
{
	for (struct bd_item *item = queue->first; item; item = item->next)
		if (item->kind == kind)
			item->seen = false;
}

void bd_queue_drop_unseen(struct bd_queue *queue, enum bd_kind kind)
{
	for (struct bd_item *item = queue->first, *next; item; item = next) {
		next = item->next;
		if (item->kind == kind && !item->seen)
			bd_queue_drop(queue, item);
	}
}

void bd_queue_clear(struct bd_queue *queue)
{
	while (queue->first)
		bd_queue_drop(queue, queue->first);
}

/* What somebody waits for goes before all else, then what is due longest. */
static bool is_before(const struct bd_item *a, const struct bd_item *b)
{
	if (a->urgent != b->urgent)
		return a->urgent;
	return a->retry_at < b->retry_at;
}

struct bd_item *bd_queue_next(struct bd_queue *queue, unsigned kinds, time_t now, time_t clock)
{
	struct bd_item *best = NULL;

	for (struct bd_item *item = queue->first; item; item = item->next)
		if ((kinds & 1u << item->kind) && !item->off && item->retry_at <= now &&
		    item->not_before <= clock && (!best || !is_before(best, item)))
			best = item;
	return best;
}

unsigned bd_backoff(unsigned base_secs, unsigned attempts, unsigned most_secs)
{
	unsigned secs = base_secs;

	for (unsigned i = 1; i < attempts && secs < most_secs; i++)
		secs *= 2;
	return secs < most_secs ? secs : most_secs;
}

void bd_item_defer(struct bd_item *item, unsigned base_secs, unsigned most_secs)
{
	item->fruitless++;
	item->not_before = bd_clock() + (time_t)bd_backoff(base_secs, item->fruitless, most_secs);
}
