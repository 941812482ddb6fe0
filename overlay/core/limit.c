/*
 * limit.c - a hash table of keys and how often each came in its window.
 * In: keys of any bytes; only a digest under a secret key is kept, so nobody can aim at a chain.
 * Out: yes or no; a key whose window is over gives its place to another.
 */
#include "limit.h"
#include "text.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 32u
#define NOWHERE UINT32_MAX

struct slot {
	uint64_t id[2];
	time_t until; /* end of its window; 0: free */
	uint32_t window_secs, count;
	uint32_t next; /* of its chain, or of the free ones */
};

struct b2b_limits {
	pthread_mutex_t lock; /* of all that follows */
	uint8_t key[KEY_BYTES];
	size_t size;
	uint32_t free;
	time_t nothing_until; /* no window is over before, unless the clock steps back */
	time_t last;          /* the time when it was asked last */
	uint32_t *chains;     /* size of them */
	struct slot slots[];
};

struct b2b_limits *b2b_limits_new(size_t keys)
{
	struct b2b_limits *limits;

	if (keys == 0 || keys >= NOWHERE || keys > SIZE_MAX / 2 / sizeof(struct slot))
		return NULL;
	limits = calloc(1, sizeof *limits + keys * sizeof(struct slot));
	if (!limits)
		return NULL;
	limits->size = keys;
	limits->chains = malloc(keys * sizeof *limits->chains);
	if (!limits->chains || RAND_bytes(limits->key, sizeof limits->key) != 1 ||
	    pthread_mutex_init(&limits->lock, NULL) != 0) {
		free(limits->chains);
		free(limits);
		return NULL;
	}
	for (uint32_t i = 0; i < keys; i++) {
		limits->chains[i] = NOWHERE;
		limits->slots[i].next = i + 1 < keys ? i + 1 : NOWHERE;
	}
	return limits;
}

void b2b_limits_free(struct b2b_limits **limits)
{
	struct b2b_limits *gone = limits ? *limits : NULL;

	if (!gone)
		return;
	*limits = NULL;
	pthread_mutex_destroy(&gone->lock);
	OPENSSL_cleanse(gone->key, sizeof gone->key);
	free(gone->chains);
	free(gone);
}

/* SHA-256 over the secret key, the window, the kind with its length before it, and the key. */
static bool digest(const struct b2b_limits *limits, struct b2b_str kind, struct b2b_str key,
		   unsigned window_secs, uint64_t id_r[2])
{
	uint64_t head[2] = { window_secs, kind.len };
	unsigned char bytes[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned length = 0;
	bool done = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
		    EVP_DigestUpdate(ctx, limits->key, sizeof limits->key) == 1 &&
		    EVP_DigestUpdate(ctx, head, sizeof head) == 1 &&
		    EVP_DigestUpdate(ctx, kind.s, kind.len) == 1 &&
		    EVP_DigestUpdate(ctx, key.s, key.len) == 1 &&
		    EVP_DigestFinal_ex(ctx, bytes, &length) == 1 && length >= 2 * sizeof *id_r;

	if (done)
		memcpy(id_r, bytes, 2 * sizeof *id_r);
	EVP_MD_CTX_free(ctx);
	return done;
}

/* A window that ends later than one that begins now was opened by a clock that ran ahead. */
static bool is_over(const struct slot *slot, time_t now)
{
	return slot->until <= now || slot->until - now > (time_t)slot->window_secs;
}

/* Takes all keys whose window is over out of their chains. */
static void reclaim(struct b2b_limits *limits, time_t now)
{
	limits->nothing_until = 0;
	for (size_t i = 0; i < limits->size; i++) {
		for (uint32_t *at = &limits->chains[i]; *at != NOWHERE;) {
			struct slot *slot = &limits->slots[*at];
			uint32_t gone = *at;

			if (is_over(slot, now)) {
				*at = slot->next;
				slot->next = limits->free;
				limits->free = gone;
				continue;
			}
			if (limits->nothing_until == 0 || slot->until < limits->nothing_until)
				limits->nothing_until = slot->until;
			at = &slot->next;
		}
	}
}

static struct slot *find(struct b2b_limits *limits, const uint64_t id[2])
{
	uint32_t at = limits->chains[id[0] % limits->size];

	while (at != NOWHERE && memcmp(limits->slots[at].id, id, sizeof limits->slots[at].id) != 0)
		at = limits->slots[at].next;
	return at == NOWHERE ? NULL : &limits->slots[at];
}

/* A place of its own for a key that has none; NULL: the table is full. */
static struct slot *claim(struct b2b_limits *limits, const uint64_t id[2], time_t now)
{
	uint32_t *chain = &limits->chains[id[0] % limits->size], at;
	struct slot *slot;

	if (limits->free == NOWHERE && now >= limits->nothing_until)
		reclaim(limits, now);
	at = limits->free;
	if (at == NOWHERE)
		return NULL;
	slot = &limits->slots[at];
	limits->free = slot->next;
	memcpy(slot->id, id, sizeof slot->id);
	slot->until = 0;
	slot->next = *chain;
	*chain = at;
	return slot;
}

static bool take(struct b2b_limits *limits, const uint64_t id[2], unsigned most,
		 unsigned window_secs, time_t now)
{
	struct slot *slot = find(limits, id);

	if (now < limits->last)
		limits->nothing_until = 0;
	limits->last = now;
	if (!slot)
		slot = claim(limits, id, now);
	if (!slot)
		return false;
	if (is_over(slot, now)) {
		slot->count = 0;
		slot->window_secs = window_secs;
		slot->until = now + (time_t)window_secs;
		if (slot->until < limits->nothing_until)
			limits->nothing_until = slot->until;
	}
	if (slot->count >= most)
		return false;
	slot->count++;
	return true;
}

bool b2b_limits_take(struct b2b_limits *limits, const char *kind, struct b2b_str key, unsigned most,
		     unsigned window_secs, time_t now)
{
	uint64_t id[2];
	bool taken;

	if (!limits || most == 0 || window_secs == 0 || now <= 0 ||
	    !digest(limits, b2b_str_of(kind), key, window_secs, id))
		return false;
	pthread_mutex_lock(&limits->lock);
	taken = take(limits, id, most, window_secs, now);
	pthread_mutex_unlock(&limits->lock);
	return taken;
}

void b2b_limits_give_back(struct b2b_limits *limits, const char *kind, struct b2b_str key,
			  unsigned window_secs, time_t now)
{
	struct slot *slot;
	uint64_t id[2];

	if (!limits || !digest(limits, b2b_str_of(kind), key, window_secs, id))
		return;
	pthread_mutex_lock(&limits->lock);
	slot = find(limits, id);
	if (slot && slot->count && !is_over(slot, now))
		slot->count--;
	pthread_mutex_unlock(&limits->lock);
}
