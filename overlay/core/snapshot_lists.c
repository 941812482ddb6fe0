/*
 * snapshot_lists.c - rules of one kind by DN, and the networks of applications by length.
 * In: the list of the snapshot before, a rule that is new or gone.
 * Out: reference-counted lists that snapshots share until something in them changes.
 */
#include "snapshot_parts.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct b2b_rules *b2b_snapshot_rules_ref(struct b2b_rules *rules)
{
	if (rules)
		atomic_fetch_add_explicit(&rules->refs, 1, memory_order_relaxed);
	return rules;
}

void b2b_snapshot_rules_unref(struct b2b_rules **rules)
{
	struct b2b_rules *gone = *rules;

	*rules = NULL;
	if (gone && atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) == 1)
		free(gone);
}

bool b2b_snapshot_rules_change(struct b2b_rules **rules, const struct b2b_rule *gone,
			       const struct b2b_rule *added)
{
	const struct b2b_rules *old = *rules;
	size_t count = old ? old->count : 0;
	struct b2b_rules *copy = malloc(sizeof *copy + (count + 1) * sizeof(struct b2b_rule *));

	if (!copy)
		return false;
	atomic_init(&copy->refs, 1);
	copy->count = 0;
	for (size_t i = 0; i < count; i++) {
		if (old->list[i] == gone)
			continue;
		if (added && strcmp(old->list[i]->dn, added->dn) > 0) {
			copy->list[copy->count++] = added;
			added = NULL;
		}
		copy->list[copy->count++] = old->list[i];
	}
	if (added)
		copy->list[copy->count++] = added;
	b2b_snapshot_rules_unref(rules);
	*rules = copy;
	return true;
}

struct b2b_peers *b2b_snapshot_peers_ref(struct b2b_peers *peers)
{
	if (peers)
		atomic_fetch_add_explicit(&peers->refs, 1, memory_order_relaxed);
	return peers;
}

void b2b_snapshot_peers_unref(struct b2b_peers **peers)
{
	struct b2b_peers *gone = *peers;

	*peers = NULL;
	if (gone && atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) == 1)
		free(gone);
}

static int by_prefix(const void *a, const void *b)
{
	const struct b2b_peer *x = a, *y = b;

	if (x->cidr.prefix_bits != y->cidr.prefix_bits)
		return x->cidr.prefix_bits > y->cidr.prefix_bits ? -1 : 1;
	return strcmp(x->rule->dn, y->rule->dn);
}

struct b2b_peers *b2b_snapshot_peers_new(const struct b2b_rules *apps)
{
	struct b2b_peers *peers;
	size_t room = 0;

	for (size_t i = 0; i < apps->count; i++)
		room += apps->list[i]->u.app.peer_count;
	peers = malloc(sizeof *peers + room * sizeof *peers->list);
	if (!peers)
		return NULL;
	atomic_init(&peers->refs, 1);
	peers->count = 0;
	for (size_t i = 0; i < apps->count; i++) {
		const struct b2b_app *app = &apps->list[i]->u.app;

		for (size_t j = 0; j < app->peer_count; j++) {
			struct b2b_peer *peer = &peers->list[peers->count++];

			peer->cidr = app->peers[j];
			peer->rule = apps->list[i];
		}
	}
	qsort(peers->list, peers->count, sizeof *peers->list, by_prefix);
	return peers;
}
