/*
 * replay.c - for each issuer a hash table of sets of sixteen slots that forgets only what has expired.
 * In: issuers and ids out of tokens whose signature was right.
 * Out: fresh, seen, or full; whoever chooses ids cannot aim at a set, for a secret key places them.
 */
#include "replay.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SET_SLOTS 16u
#define KEY_BYTES 32u

struct slot {
	uint64_t id[2]; /* zero: never used */
	time_t until;   /* zero too */
};

/* What is remembered of one issuer. */
struct memory {
	struct memory *next;
	uint64_t issuer[2]; /* its digest */
	struct slot slots[];
};

struct shard {
	pthread_mutex_t lock;
	struct memory *memories; /* under lock; of the issuers that were seen */
};

struct b2b_replay {
	uint8_t key[KEY_BYTES];
	size_t shard_count; /* a power of two */
	size_t set_count;   /* of each issuer */
	size_t locks;       /* that have been made */
	struct shard shards[];
};

/* Where an id belongs. */
struct place {
	size_t shard, set;
	uint64_t issuer[2], id[2];
};

struct b2b_replay *b2b_replay_new(size_t shards, size_t entries)
{
	struct b2b_replay *replay;

	if (shards == 0 || (shards & (shards - 1)) != 0 || entries == 0 ||
	    entries % SET_SLOTS != 0 || shards > SIZE_MAX / 2 / sizeof(struct shard) ||
	    entries > SIZE_MAX / 2 / sizeof(struct slot))
		return NULL;
	replay = calloc(1, sizeof *replay + shards * sizeof(struct shard));
	if (!replay)
		return NULL;
	replay->shard_count = shards;
	replay->set_count = entries / SET_SLOTS;
	while (replay->locks < shards &&
	       pthread_mutex_init(&replay->shards[replay->locks].lock, NULL) == 0)
		replay->locks++;
	if (replay->locks < shards || RAND_bytes(replay->key, sizeof replay->key) != 1)
		b2b_replay_free(&replay);
	return replay;
}

static void free_memories(struct memory *memory)
{
	while (memory) {
		struct memory *next = memory->next;

		free(memory);
		memory = next;
	}
}

void b2b_replay_free(struct b2b_replay **replay)
{
	struct b2b_replay *gone = replay ? *replay : NULL;

	if (!gone)
		return;
	*replay = NULL;
	for (size_t i = 0; i < gone->locks; i++) {
		pthread_mutex_destroy(&gone->shards[i].lock);
		free_memories(gone->shards[i].memories);
	}
	OPENSSL_cleanse(gone->key, sizeof gone->key);
	free(gone);
}

/* SHA-256 over the key, the issuer with its length before it, and the id (or nothing). */
static bool digest(const struct b2b_replay *replay, struct b2b_str issuer, const struct b2b_str *id,
		   uint64_t digest_r[4])
{
	uint64_t head[2] = { id ? 1 : 0, issuer.len };
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned length = 0;
	unsigned char bytes[EVP_MAX_MD_SIZE];
	bool done;

	done = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
	       EVP_DigestUpdate(context, replay->key, sizeof replay->key) == 1 &&
	       EVP_DigestUpdate(context, head, sizeof head) == 1 &&
	       EVP_DigestUpdate(context, issuer.s, issuer.len) == 1 &&
	       (!id || EVP_DigestUpdate(context, id->s, id->len) == 1) &&
	       EVP_DigestFinal_ex(context, bytes, &length) == 1 && length == 4 * sizeof(uint64_t);
	if (done)
		memcpy(digest_r, bytes, 4 * sizeof(uint64_t));
	EVP_MD_CTX_free(context);
	return done;
}

static bool find_place(const struct b2b_replay *replay, struct b2b_str issuer, struct b2b_str id,
		       struct place *place_r)
{
	uint64_t of_issuer[4], of_id[4];

	if (!digest(replay, issuer, NULL, of_issuer) || !digest(replay, issuer, &id, of_id))
		return false;
	place_r->shard = (size_t)of_issuer[0] & (replay->shard_count - 1);
	memcpy(place_r->issuer, of_issuer, sizeof place_r->issuer);
	place_r->id[0] = of_id[0];
	place_r->id[1] = of_id[1];
	place_r->set = (size_t)(of_id[2] % replay->set_count);
	if (place_r->id[0] == 0 && place_r->id[1] == 0)
		place_r->id[0] = 1;
	return true;
}

static bool is_used(const struct slot *slot)
{
	return slot->id[0] != 0 || slot->id[1] != 0;
}

/* Of two slots without a living entry the one to write to: what expired first, should the clock
 * step back; an unused one has always expired. */
static struct slot *better(struct slot *a, struct slot *b)
{
	return !a || b->until < a->until ? b : a;
}

/* The issuer's memory, made if there is none; NULL without room for it.  Pages that nobody has
 * written to cost nothing. */
static struct memory *memory_of(const struct b2b_replay *replay, struct shard *shard,
				const struct place *place)
{
	struct memory *memory = shard->memories;

	while (memory && memcmp(memory->issuer, place->issuer, sizeof place->issuer) != 0)
		memory = memory->next;
	if (memory)
		return memory;
	memory =
		calloc(1, sizeof *memory + replay->set_count * SET_SLOTS * sizeof memory->slots[0]);
	if (!memory)
		return NULL;
	memcpy(memory->issuer, place->issuer, sizeof memory->issuer);
	memory->next = shard->memories;
	shard->memories = memory;
	return memory;
}

static enum b2b_replay_answer use(struct memory *memory, const struct place *place, time_t now,
				  time_t until)
{
	struct slot *set = memory->slots + place->set * SET_SLOTS, *room = NULL;

	for (size_t i = 0; i < SET_SLOTS; i++) {
		struct slot *slot = &set[i];
		bool alive = is_used(slot) && slot->until >= now;

		if (slot->id[0] == place->id[0] && slot->id[1] == place->id[1]) {
			if (alive)
				return B2B_REPLAY_SEEN;
			room = slot;
			break;
		}
		if (!alive)
			room = better(room, slot);
	}
	if (!room)
		return B2B_REPLAY_FULL;
	memcpy(room->id, place->id, sizeof room->id);
	room->until = until;
	return B2B_REPLAY_FRESH;
}

enum b2b_replay_answer b2b_replay_use(struct b2b_replay *replay, struct b2b_str issuer,
				      struct b2b_str id, time_t now, time_t until)
{
	enum b2b_replay_answer answer = B2B_REPLAY_FULL;
	struct memory *memory;
	struct shard *shard;
	struct place place;

	/* what is past already would be forgotten at once */
	if (until < now || !find_place(replay, issuer, id, &place))
		return B2B_REPLAY_FULL;
	shard = &replay->shards[place.shard];
	pthread_mutex_lock(&shard->lock);
	memory = memory_of(replay, shard, &place);
	if (memory)
		answer = use(memory, &place, now, until);
	pthread_mutex_unlock(&shard->lock);
	return answer;
}
