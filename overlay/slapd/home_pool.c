/*
 * home_pool.c - partners, their home servers, and connections that wait for the next bind.
 * In: names and links of home.c.  Out: the same, found again; what is old is closed.
 */
#include "home_pool.h"

#include <stdlib.h>
#include <string.h>

static uint64_t keep_ms(const struct b2b_homes *homes)
{
	return homes->limits.keep_ms ? homes->limits.keep_ms : B2B_HOME_KEEP_MS;
}

/* FNV-1a */
static struct b2b_home_partner **bucket_of(struct b2b_homes *homes, const char *id)
{
	uint32_t hash = 2166136261u;

	for (; *id; id++)
		hash = (hash ^ (unsigned char)*id) * 16777619u;
	return &homes->partners[hash % B2B_HOME_BUCKETS];
}

static bool init_place_free(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	bool fine;

	if (pthread_condattr_init(&attr))
		return false;
	fine = !pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) &&
	       !pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
	return fine;
}

struct b2b_home_partner *b2b_home_pool_partner(struct b2b_homes *homes, const char *id)
{
	struct b2b_home_partner **bucket = bucket_of(homes, id), *partner;
	size_t bytes = strlen(id) + 1;

	for (partner = *bucket; partner; partner = partner->next)
		if (strcmp(partner->id, id) == 0)
			return partner;
	partner = calloc(1, sizeof *partner + bytes);
	if (!partner || !init_place_free(&partner->place_free)) {
		free(partner);
		return NULL;
	}
	memcpy(partner->id, id, bytes);
	partner->next = *bucket;
	*bucket = partner;
	return partner;
}

/* "tls-setting uri ca-file": a URL has no blank. */
static char *write_key(char *key, const char *uri, const struct b2b_home_request *request)
{
	key = stpcpy(key, request->start_tls ? "starttls " : "direct ");
	key = stpcpy(stpcpy(key, uri), " ");
	return stpcpy(key, request->ca_file ? request->ca_file : "");
}

struct b2b_home_server *b2b_home_pool_server(struct b2b_homes *homes,
					     struct b2b_home_partner *partner, const char *uri,
					     const struct b2b_home_request *request)
{
	size_t bytes = strlen(uri) + (request->ca_file ? strlen(request->ca_file) : 0) + 16;
	struct b2b_home_server *made = calloc(1, sizeof *made + bytes), *server;

	if (!made)
		return NULL;
	write_key(made->key, uri, request);
	for (server = partner->servers; server; server = server->next)
		if (strcmp(server->key, made->key) == 0)
			break;
	if (server) {
		free(made);
	} else {
		server = made;
		server->breaker.first_pause_ms = homes->limits.first_pause_ms;
		server->next = partner->servers;
		partner->servers = server;
	}
	server->used_ms = b2b_home_now_ms();
	return server;
}

struct b2b_home_link *b2b_home_pool_take(struct b2b_homes *homes, struct b2b_home_server *server)
{
	uint64_t now = b2b_home_now_ms();
	struct b2b_home_link *link, *dead = NULL;
	bool fresh;

	do {
		pthread_mutex_lock(&homes->mutex);
		link = server->idle;
		fresh = link && now - link->idle_since_ms < keep_ms(homes);
		if (link) {
			server->idle = link->next;
			server->idle_count--;
		}
		pthread_mutex_unlock(&homes->mutex);
		if (link && (!fresh || !b2b_home_link_is_quiet(link))) {
			link->next = dead;
			dead = link;
			link = NULL;
			continue;
		}
		break;
	} while (true);
	b2b_home_link_close_all(dead);
	return link;
}

void b2b_home_pool_give(struct b2b_homes *homes, struct b2b_home_server *server,
			struct b2b_home_link *link)
{
	uint64_t now = b2b_home_now_ms();

	pthread_mutex_lock(&homes->mutex);
	if (!homes->closed && server->idle_count < homes->limits.per_partner &&
	    now - link->opened_ms < B2B_HOME_LINK_AGE_MS) {
		link->idle_since_ms = now;
		link->next = server->idle;
		server->idle = link;
		server->idle_count++;
		link = NULL;
	}
	pthread_mutex_unlock(&homes->mutex);
	b2b_home_link_close(&link);
}

void b2b_home_pool_drop(struct b2b_homes *homes, struct b2b_home_server *server)
{
	struct b2b_home_link *list;

	pthread_mutex_lock(&homes->mutex);
	list = server->idle;
	server->idle = NULL;
	server->idle_count = 0;
	pthread_mutex_unlock(&homes->mutex);
	b2b_home_link_close_all(list);
}

/* Newest come first: all behind the first that is too old are too old as well. */
static void sweep_idle(struct b2b_home_server *server, uint64_t keep, uint64_t now_ms,
		       struct b2b_home_link **dead)
{
	struct b2b_home_link **place = &server->idle;
	unsigned kept = 0;

	while (*place && now_ms - (*place)->idle_since_ms < keep) {
		place = &(*place)->next;
		kept++;
	}
	while (*place) {
		struct b2b_home_link *link = *place;

		*place = link->next;
		link->next = *dead;
		*dead = link;
	}
	server->idle_count = kept;
}

struct b2b_home_link *b2b_home_pool_sweep(struct b2b_homes *homes, uint64_t now_ms)
{
	struct b2b_home_link *dead = NULL;

	homes->tidied_ms = now_ms;
	for (size_t i = 0; i < B2B_HOME_BUCKETS; i++) {
		struct b2b_home_partner **place = &homes->partners[i], *partner;

		while ((partner = *place)) {
			bool busy = partner->running || partner->waiting;
			struct b2b_home_server **link = &partner->servers, *server;

			while ((server = *link)) {
				sweep_idle(server, keep_ms(homes), now_ms, &dead);
				if (!busy && !server->idle &&
				    now_ms - server->used_ms >= B2B_HOME_FORGET_MS) {
					*link = server->next;
					free(server);
				} else {
					link = &server->next;
				}
			}
			if (!busy && !partner->servers) {
				*place = partner->next;
				pthread_cond_destroy(&partner->place_free);
				free(partner);
			} else {
				place = &partner->next;
			}
		}
	}
	return dead;
}

void b2b_home_pool_free(struct b2b_homes *homes)
{
	for (size_t i = 0; i < B2B_HOME_BUCKETS; i++) {
		while (homes->partners[i]) {
			struct b2b_home_partner *partner = homes->partners[i];

			homes->partners[i] = partner->next;
			while (partner->servers) {
				struct b2b_home_server *server = partner->servers;

				partner->servers = server->next;
				b2b_home_link_close_all(server->idle);
				free(server);
			}
			pthread_cond_destroy(&partner->place_free);
			free(partner);
		}
	}
	pthread_mutex_destroy(&homes->mutex);
	free(homes);
}
