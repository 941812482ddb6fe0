/*
 * replay.h - which tokens have been used: a bounded memory, in shards.
 * In: who issued a token, its id, until when it could be used again.  Out: whether this is the first
 * time.  Nothing is ever pushed out before its time: a full memory refuses.
 */
#ifndef B2B_REPLAY_H
#define B2B_REPLAY_H

#include "base.h"

struct b2b_replay; /* opaque; locks of its own, one a shard, all leaves */

enum b2b_replay_answer {
	B2B_REPLAY_FULL = 0, /* no room to remember it, or past until: it must not be used */
	B2B_REPLAY_SEEN,
	B2B_REPLAY_FRESH, /* and from now on it is seen */
};

/* shards: a power of two, how many issuers may be at work at once.  entries: for each issuer, a
 * multiple of 16; room for one may be short from about half of them on, for others never.  An
 * issuer's room is taken when it is first used and kept: issuers are those of the policy, so there is
 * a bound to them.  NULL without memory. */
struct b2b_replay *b2b_replay_new(size_t shards, size_t entries);
void b2b_replay_free(struct b2b_replay **replay); /* sets NULL; accepts NULL */

/* Any thread; of two that use one id at once, one is FRESH.  An entry is forgotten once now is past
 * until.  Ids are kept as the first 128 bits of their SHA-256, keyed by random bytes of the memory. */
enum b2b_replay_answer b2b_replay_use(struct b2b_replay *replay, struct b2b_str issuer,
				      struct b2b_str id, time_t now, time_t until);

#endif
