/*
 * table.c - a persistent hash table: 256 reference-counted buckets, each sorted by hash.
 * In: keys of any origin; a bucket is searched by halves, so no key makes it slow.
 * Out: rules, to snapshot.c.
 */
#include "table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 256u

struct entry {
	uint64_t hash;
	struct b2b_str key; /* borrowed from rule */
	struct b2b_rule *rule;
};

struct bucket {
	_Atomic unsigned refs;
	bool owning; /* entries hold references */
	size_t count;
	struct entry entries[];
};

struct b2b_table {
	_Atomic unsigned refs;
	struct bucket *buckets[BUCKETS]; /* NULL: empty */
};

/* FNV-1a, 64 bits, over the key in lower case. */
static uint64_t hash_of(struct b2b_str key)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (unsigned char)b2b_lower(key.s[i])) * UINT64_C(0x100000001b3);
	return hash;
}

static bool same_key(const struct entry *entry, uint64_t hash, struct b2b_table_key key)
{
	if (entry->hash != hash)
		return false;
	return key.exact ? b2b_str_equal(entry->key, key.text)
			 : b2b_str_equal_nocase(entry->key, key.text);
}

/* The first entry whose hash is not below hash. */
static size_t lower_bound(const struct bucket *bucket, uint64_t hash)
{
	size_t low = 0, high = bucket ? bucket->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (bucket->entries[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
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
	struct bucket *bucket = malloc(sizeof *bucket + count * sizeof bucket->entries[0]);

	if (!bucket)
		return NULL;
	atomic_init(&bucket->refs, 1);
	bucket->owning = owning;
	bucket->count = 0;
	return bucket;
}

static void append(struct bucket *bucket, const struct entry *entry)
{
	bucket->entries[bucket->count++] = *entry;
	if (bucket->owning)
		b2b_rule_ref(entry->rule);
}

bool b2b_table_add(struct b2b_table **table, struct b2b_table_key key, struct b2b_rule *rule,
		   bool owning)
{
	const struct entry added = {hash_of(key.text), key.text, rule};
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
	for (at = lower_bound(old, added.hash); at < count; at++)
		if (old->entries[at].hash != added.hash ||
		    strcmp(old->entries[at].rule->dn, rule->dn) > 0)
			break;
	for (size_t i = 0; i < count; i++) {
		if (i == at)
			append(copy, &added);
		append(copy, &old->entries[i]);
	}
	if (at == count)
		append(copy, &added);
	bucket_unref(old);
	*place = copy;
	return true;
}

bool b2b_table_remove(struct b2b_table **table, struct b2b_table_key key,
		      const struct b2b_rule *rule)
{
	uint64_t hash = hash_of(key.text);
	const struct bucket *found = *table ? (*table)->buckets[hash % BUCKETS] : NULL;
	struct bucket *copy = NULL, **place;
	size_t at = lower_bound(found, hash);

	while (found && at < found->count &&
	       !(same_key(&found->entries[at], hash, key) && found->entries[at].rule == rule))
		at++;
	if (!found || at == found->count)
		return true;
	if (!make_own(table))
		return false;
	if (found->count > 1) {
		copy = bucket_new(found->count - 1, found->owning);
		if (!copy)
			return false;
		for (size_t i = 0; i < found->count; i++)
			if (i != at)
				append(copy, &found->entries[i]);
	}
	place = &(*table)->buckets[hash % BUCKETS];
	bucket_unref(*place);
	*place = copy;
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
		const struct entry *entry = &bucket->entries[at];

		if (entry->hash != hash)
			break;
		if (!same_key(entry, hash, key))
			continue;
		if (!rule)
			rule = entry->rule;
		else if (entry->rule != rule)
			*several_r = true;
	}
	return rule;
}
