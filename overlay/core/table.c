/*
 * table.c - a persistent hash table: 256 reference-counted buckets, each sorted by hash.
 * In: rules and their keys, from those who administer the policy; keys of any origin to look up.
 * Out: rules, to snapshot.c.
 */
#include "table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 256u

struct entry {
	uint64_t hash;
	struct b2b_rule *rule;
};

struct bucket {
	_Atomic unsigned refs;
	bool owning; /* entries hold references */
	bool mixed;  /* entries of one hash may differ in key, or be one rule twice */
	size_t count;
	struct b2b_str *keys;   /* of the entries, borrowed from the rules; behind them */
	struct entry entries[]; /* by hash, then by DN, rising */
};

struct b2b_table {
	_Atomic unsigned refs;
	struct bucket *buckets[BUCKETS]; /* NULL: empty */
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

/* Over the key in lower case, eight characters at a time; the last eight may overlap. */
static uint64_t hash_of(struct b2b_str key)
{
	uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), key.len), word = 0;

	for (size_t i = 0; i + sizeof word < key.len; i += sizeof word) {
		memcpy(&word, key.s + i, sizeof word);
		hash = mix(hash, b2b_lower8(word));
	}
	word = 0;
	if (key.len >= sizeof word)
		memcpy(&word, key.s + key.len - sizeof word, sizeof word);
	else if (key.len)
		memcpy(&word, key.s, key.len);
	return mix(mix(hash, b2b_lower8(word)), 0);
}

static bool same_key(const struct bucket *bucket, size_t at, struct b2b_table_key key)
{
	struct b2b_str text = bucket->keys[at];

	return key.exact ? b2b_str_equal(text, key.text) : b2b_str_equal_nocase(text, key.text);
}

/* The first entry that does not come before hash and dn. */
static size_t place_for(const struct bucket *bucket, uint64_t hash, const char *dn)
{
	size_t from = 0, to = bucket ? bucket->count : 0;

	while (from < to) {
		size_t at = from + (to - from) / 2;
		const struct entry *entry = &bucket->entries[at];

		if (entry->hash < hash || (entry->hash == hash && strcmp(entry->rule->dn, dn) < 0))
			from = at + 1;
		else
			to = at;
	}
	return from;
}

#define STEPS_MAX 16

/* The first entry whose hash is not below hash.  Hashes spread evenly, so its share of the range
 * says where it is but for a few places, unless many rules have one key. */
static size_t lower_bound(const struct bucket *bucket, uint64_t hash)
{
	size_t at, steps = 0, count = bucket ? bucket->count : 0;

	if (count == 0)
		return 0;
	at = (size_t)((hash >> 32) * count >> 32);
	for (; at < count && bucket->entries[at].hash < hash && steps < STEPS_MAX; steps++)
		at++;
	for (; at > 0 && bucket->entries[at - 1].hash >= hash && steps < STEPS_MAX; steps++)
		at--;
	return steps < STEPS_MAX ? at : place_for(bucket, hash, "");
}

static void bucket_unref(struct bucket *bucket)
{
	if (!bucket || atomic_fetch_sub_explicit(&bucket->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; bucket->owning && i < bucket->count; i++)
		b2b_rule_unref(&bucket->entries[i].rule);
	free(bucket);
}

struct b2b_table *b2b_table_ref(struct b2b_table *table)
{
	if (table)
		atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed);
	return table;
}

void b2b_table_unref(struct b2b_table **table)
{
	struct b2b_table *gone = *table;

	*table = NULL;
	if (!gone || atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		bucket_unref(gone->buckets[i]);
	free(gone);
}

/* Makes *table one that nobody else sees; its buckets stay shared. */
static bool make_own(struct b2b_table **table)
{
	struct b2b_table *old = *table, *copy;

	if (old && atomic_load_explicit(&old->refs, memory_order_acquire) == 1)
		return true;
	copy = calloc(1, sizeof *copy);
	if (!copy)
		return false;
	atomic_init(&copy->refs, 1);
	for (size_t i = 0; old && i < BUCKETS; i++) {
		copy->buckets[i] = old->buckets[i];
		if (copy->buckets[i])
			atomic_fetch_add_explicit(&copy->buckets[i]->refs, 1, memory_order_relaxed);
	}
	b2b_table_unref(table);
	*table = copy;
	return true;
}

static struct bucket *bucket_new(size_t count, bool owning)
{
	struct bucket *bucket =
		malloc(sizeof *bucket + count * (sizeof(struct entry) + sizeof(struct b2b_str)));

	if (!bucket)
		return NULL;
	atomic_init(&bucket->refs, 1);
	bucket->owning = owning;
	bucket->mixed = false;
	bucket->count = 0;
	bucket->keys = (struct b2b_str *)(void *)(bucket->entries + count);
	return bucket;
}

static void append(struct bucket *bucket, const struct entry *entry, struct b2b_str key)
{
	const struct entry *last = bucket->count ? &bucket->entries[bucket->count - 1] : NULL;

	if (last && last->hash == entry->hash &&
	    (last->rule == entry->rule || !b2b_str_equal(bucket->keys[bucket->count - 1], key)))
		bucket->mixed = true;
	bucket->keys[bucket->count] = key;
	bucket->entries[bucket->count++] = *entry;
	if (bucket->owning)
		b2b_rule_ref(entry->rule);
}

bool b2b_table_add(struct b2b_table **table, struct b2b_table_key key, struct b2b_rule *rule,
		   bool owning)
{
	const struct entry added = { hash_of(key.text), rule };
	struct bucket *old, *copy, **place;
	size_t at, count;

	if (!make_own(table))
		return false;
	place = &(*table)->buckets[added.hash % BUCKETS];
	old = *place;
	count = old ? old->count : 0;
	copy = bucket_new(count + 1, owning);
	if (!copy)
		return false;
	at = place_for(old, added.hash, rule->dn);
	for (size_t i = 0; i < count; i++) {
		if (i == at)
			append(copy, &added, key.text);
		append(copy, &old->entries[i], old->keys[i]);
	}
	if (at == count)
		append(copy, &added, key.text);
	bucket_unref(old);
	*place = copy;
	return true;
}

/* Where rule stands under key; the bucket's count if it does not. */
static size_t place_of(const struct bucket *bucket, uint64_t hash, struct b2b_table_key key,
		       const struct b2b_rule *rule)
{
	size_t at = lower_bound(bucket, hash);

	while (at < bucket->count && bucket->entries[at].hash == hash) {
		if (bucket->entries[at].rule == rule && same_key(bucket, at, key))
			return at;
		at++;
	}
	return bucket->count;
}

bool b2b_table_remove(struct b2b_table **table, struct b2b_table_key key,
		      const struct b2b_rule *rule)
{
	uint64_t hash = hash_of(key.text);
	struct bucket *old = *table ? (*table)->buckets[hash % BUCKETS] : NULL, *copy = NULL;
	size_t at = old ? place_of(old, hash, key, rule) : 0;

	if (!old || at == old->count)
		return true;
	if (!make_own(table))
		return false;
	if (old->count > 1) {
		copy = bucket_new(old->count - 1, old->owning);
		if (!copy)
			return false;
		for (size_t i = 0; i < old->count; i++)
			if (i != at)
				append(copy, &old->entries[i], old->keys[i]);
	}
	bucket_unref(old);
	(*table)->buckets[hash % BUCKETS] = copy;
	return true;
}

struct b2b_rule *b2b_table_find(const struct b2b_table *table, struct b2b_table_key key,
				bool *several_r)
{
	uint64_t hash = hash_of(key.text);
	const struct bucket *bucket = table ? table->buckets[hash % BUCKETS] : NULL;
	struct b2b_rule *rule = NULL;

	*several_r = false;
	for (size_t at = lower_bound(bucket, hash); bucket && at < bucket->count; at++) {
		if (bucket->entries[at].hash != hash)
			break;
		if (!same_key(bucket, at, key))
			continue;
		if (!rule)
			rule = bucket->entries[at].rule;
		else if (bucket->entries[at].rule != rule)
			*several_r = true;
	}
	return rule;
}

struct b2b_rule *b2b_table_find_at(const struct b2b_table *table, struct b2b_table_key key,
				   size_t index)
{
	uint64_t hash = hash_of(key.text);
	const struct bucket *bucket = table ? table->buckets[hash % BUCKETS] : NULL;
	size_t at = lower_bound(bucket, hash);
	struct b2b_rule *last = NULL;

	/* past the run, and past the range of size_t too, stands another hash or nothing */
	if (bucket && !bucket->mixed) {
		at += index;
		index = 0;
	}
	for (; bucket && at < bucket->count; at++) {
		struct b2b_rule *rule = bucket->entries[at].rule;

		if (bucket->entries[at].hash != hash)
			break;
		/* one that says the same thing twice stands side by side with itself */
		if (rule == last || !same_key(bucket, at, key))
			continue;
		if (index-- == 0)
			return rule;
		last = rule;
	}
	return NULL;
}
