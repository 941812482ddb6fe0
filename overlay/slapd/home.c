/*
 * home.c - a guest's password is shown to its home: who may ask now, which server, how long.
 * In: requests of bind.c.  Out: the home's answer, or none; the operator's text.
 * One deadline covers the wait for a place and all servers; servers share what is left evenly.
 */
#include "home.h"

#include "home_pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One prove call. */
struct asking {
	struct b2b_homes *homes;
	const struct b2b_home_request *request;
	struct b2b_homes_limits limits; /* as they were when it began */
	struct b2b_home_partner *partner;
	struct b2b_home_server **servers; /* one for each URI */
	uint64_t deadline_ms;
	struct b2b_error *why;
};

/* --- the set of homes --- */

struct b2b_homes *b2b_homes_new(const struct b2b_homes_limits *limits)
{
	struct b2b_homes *homes = calloc(1, sizeof *homes);

	if (!homes || pthread_mutex_init(&homes->mutex, NULL)) {
		free(homes);
		return NULL;
	}
	homes->limits = *limits;
	homes->refs = 1;
	homes->tidied_ms = b2b_home_now_ms();
	return homes;
}

/* Locked. */
static void wake_all(struct b2b_homes *homes)
{
	for (size_t i = 0; i < B2B_HOME_BUCKETS; i++)
		for (struct b2b_home_partner *p = homes->partners[i]; p; p = p->next)
			pthread_cond_broadcast(&p->place_free);
}

void b2b_homes_set_limits(struct b2b_homes *homes, const struct b2b_homes_limits *limits)
{
	pthread_mutex_lock(&homes->mutex);
	homes->limits = *limits;
	wake_all(homes);
	pthread_mutex_unlock(&homes->mutex);
}

static void unref(struct b2b_homes *homes)
{
	bool last;

	pthread_mutex_lock(&homes->mutex);
	last = --homes->refs == 0;
	pthread_mutex_unlock(&homes->mutex);
	if (last)
		b2b_home_pool_free(homes);
}

void b2b_homes_free(struct b2b_homes **homesp)
{
	struct b2b_homes *homes = *homesp;

	*homesp = NULL;
	if (!homes)
		return;
	pthread_mutex_lock(&homes->mutex);
	homes->closed = true;
	wake_all(homes);
	pthread_mutex_unlock(&homes->mutex);
	unref(homes);
}

void b2b_homes_tidy(struct b2b_homes *homes)
{
	struct b2b_home_link *dead;

	pthread_mutex_lock(&homes->mutex);
	dead = b2b_home_pool_sweep(homes, b2b_home_now_ms());
	pthread_mutex_unlock(&homes->mutex);
	b2b_home_link_close_all(dead);
}

static void tidy_now_and_then(struct b2b_homes *homes)
{
	bool due;

	pthread_mutex_lock(&homes->mutex);
	due = b2b_home_now_ms() - homes->tidied_ms >= B2B_HOME_KEEP_MS / 2;
	pthread_mutex_unlock(&homes->mutex);
	if (due)
		b2b_homes_tidy(homes);
}

/* --- one server --- */

/* A connection that waited may have died unseen: it is tried with half of the time, and what it
 * fails at is tried again on a new one. */
static enum b2b_home_answer ask_server(const struct asking *asking, struct b2b_home_server *server,
				       const struct b2b_url *url, uint64_t deadline_ms,
				       struct b2b_error *why)
{
	uint64_t now = b2b_home_now_ms();
	uint64_t half_ms = now + (deadline_ms > now ? (deadline_ms - now) / 2 : 0);
	enum b2b_home_answer answer = B2B_HOME_UNAVAILABLE;
	struct b2b_home_link *link = b2b_home_pool_take(asking->homes, server);
	bool again = true;

	if (link) {
		answer = b2b_home_link_bind(link, asking->request, half_ms, why);
		again = !link->answered;
	}
	if (again) {
		if (link)
			b2b_home_pool_drop(asking->homes, server);
		b2b_home_link_close(&link);
		link = b2b_home_link_open(url, asking->request, deadline_ms, why);
		if (link)
			answer = b2b_home_link_bind(link, asking->request, deadline_ms, why);
	}
	if (link && answer != B2B_HOME_UNAVAILABLE)
		b2b_home_pool_give(asking->homes, server, link);
	else
		b2b_home_link_close(&link);
	return answer;
}

/* --- all servers --- */

static void note(struct b2b_error *why, const char *uri, const char *text)
{
	struct b2b_error before;

	if (!why || !*text)
		return;
	before = *why;
	b2b_error_set(why, "%s%s%s: %s", before.text, *before.text ? "; " : "", uri, text);
}

/* How many of the servers from the first on may be asked; locked. */
static size_t count_ready(const struct asking *asking, size_t first, uint64_t now_ms)
{
	size_t ready = 0;

	for (size_t i = first; i < asking->request->uri_count; i++)
		ready += b2b_breaker_is_ready(&asking->servers[i]->breaker, now_ms) ? 1 : 0;
	return ready;
}

static void report(const struct asking *asking, struct b2b_home_server *server,
		   b2b_breaker_ticket ticket, enum b2b_home_answer answer, bool fair)
{
	pthread_mutex_lock(&asking->homes->mutex);
	if (answer != B2B_HOME_UNAVAILABLE)
		b2b_breaker_success(&server->breaker, ticket);
	else if (fair)
		b2b_breaker_fault(&server->breaker, ticket, b2b_home_now_ms());
	else
		b2b_breaker_cancel(&server->breaker, ticket, b2b_home_now_ms());
	pthread_mutex_unlock(&asking->homes->mutex);
}

/* One server, if its breaker lets us. */
static enum b2b_home_answer try_server(const struct asking *asking, size_t index)
{
	const struct b2b_home_request *request = asking->request;
	struct b2b_home_server *server = asking->servers[index];
	const char *uri = request->uris[index];
	enum b2b_home_answer answer = B2B_HOME_UNAVAILABLE;
	struct b2b_error why = { "" };
	b2b_breaker_ticket ticket = 0;
	uint64_t now = b2b_home_now_ms(), share = 0;
	struct b2b_url url;
	size_t ready;

	pthread_mutex_lock(&asking->homes->mutex);
	ready = count_ready(asking, index, now);
	if (now < asking->deadline_ms)
		ticket = b2b_breaker_enter(&server->breaker, now);
	pthread_mutex_unlock(&asking->homes->mutex);
	if (!ticket) {
		note(asking->why, uri,
		     now < asking->deadline_ms ? "resting after failures"
					       : "no time was left for it");
		return B2B_HOME_UNAVAILABLE;
	}
	share = (asking->deadline_ms - now) / (ready ? ready : 1);
	if (b2b_url_parse(b2b_str_of(uri), &url) == B2B_OK)
		answer = ask_server(asking, server, &url, now + share, &why);
	else
		b2b_error_set(&why, "this is no address of a home server");
	/* what had little time, because the call had waited for its place, failed by no fault of
	 * the server */
	report(asking, server, ticket, answer,
	       share >= asking->limits.timeout_ms / request->uri_count / 2);
	note(asking->why, uri, why.text);
	return answer;
}

static enum b2b_home_answer try_all(const struct asking *asking)
{
	enum b2b_home_answer answer = B2B_HOME_UNAVAILABLE;

	for (size_t i = 0; i < asking->request->uri_count && answer == B2B_HOME_UNAVAILABLE; i++)
		answer = try_server(asking, i);
	return answer;
}

/* --- places --- */

/* Locked. */
static void leave(struct b2b_homes *homes, unsigned *place)
{
	(*place)--;
	homes->count--;
}

static enum b2b_home_answer run(const struct asking *asking)
{
	enum b2b_home_answer answer = try_all(asking);

	pthread_mutex_lock(&asking->homes->mutex);
	leave(asking->homes, &asking->partner->running);
	pthread_cond_signal(&asking->partner->place_free);
	pthread_mutex_unlock(&asking->homes->mutex);
	return answer;
}

/* Waits for a place among the running; false: none came free in time. */
static bool wait_for_place(const struct asking *asking)
{
	struct b2b_homes *homes = asking->homes;
	struct b2b_home_partner *partner = asking->partner;
	struct timespec until = { (time_t)(asking->deadline_ms / 1000),
				  (long)(asking->deadline_ms % 1000) * 1000000L };
	bool got;
	int rc = 0;

	pthread_mutex_lock(&homes->mutex);
	while (!homes->closed && partner->running >= homes->limits.per_partner && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&partner->place_free, &homes->mutex, &until);
	got = !homes->closed && partner->running < homes->limits.per_partner;
	if (got) {
		partner->waiting--;
		partner->running++;
		if (partner->running < homes->limits.per_partner)
			pthread_cond_signal(&partner->place_free);
	} else {
		leave(homes, &partner->waiting);
	}
	pthread_mutex_unlock(&homes->mutex);
	return got;
}

enum place { PLACE_NONE = 0, PLACE_WAIT, PLACE_RUN };

/* Locked. */
static enum place take_place(struct b2b_homes *homes, struct b2b_home_partner *partner)
{
	enum place place = PLACE_NONE;

	if (homes->closed || homes->count >= homes->limits.total)
		return PLACE_NONE;
	if (partner->running < homes->limits.per_partner && partner->waiting == 0)
		place = PLACE_RUN; /* and past nobody who waits */
	else if (partner->waiting < homes->limits.per_partner)
		place = PLACE_WAIT;
	if (place == PLACE_NONE)
		return PLACE_NONE;
	homes->count++;
	*(place == PLACE_RUN ? &partner->running : &partner->waiting) += 1;
	return place;
}

/* --- a prove call --- */

/* Finds the partner and its servers; false without memory.  Locked. */
static bool find_servers(struct asking *asking)
{
	const struct b2b_home_request *request = asking->request;
	struct b2b_homes *homes = asking->homes;

	asking->partner = b2b_home_pool_partner(homes, request->partner);
	if (!asking->partner)
		return false;
	for (size_t i = 0; i < request->uri_count; i++) {
		asking->servers[i] =
			b2b_home_pool_server(homes, asking->partner, request->uris[i], request);
		if (!asking->servers[i])
			return false;
	}
	return true;
}

/* What can be said without waiting; PLACE_NONE: *answer_r is final. */
static enum place prepare(struct asking *asking, enum b2b_home_answer *answer_r)
{
	struct b2b_homes *homes = asking->homes;
	enum place place = PLACE_NONE;

	*answer_r = B2B_HOME_UNAVAILABLE;
	pthread_mutex_lock(&homes->mutex);
	homes->refs++;
	asking->limits = homes->limits;
	asking->deadline_ms = b2b_home_now_ms() + homes->limits.timeout_ms;
	if (!find_servers(asking)) {
		b2b_error_set(asking->why, "no memory");
	} else if (count_ready(asking, 0, b2b_home_now_ms()) == 0) {
		b2b_error_set(asking->why, "all home servers rest after failures");
	} else {
		place = take_place(homes, asking->partner);
		if (place == PLACE_NONE) {
			*answer_r = B2B_HOME_BUSY;
			b2b_error_set(asking->why, "too many binds are waiting for home servers");
		}
	}
	pthread_mutex_unlock(&homes->mutex);
	return place;
}

/* The part that waits: no lock is held around idle and unidle. */
static enum b2b_home_answer ask(const struct asking *asking, enum place place)
{
	const struct b2b_homes_limits *limits = &asking->limits;
	enum b2b_home_answer answer = B2B_HOME_BUSY;

	if (limits->idle)
		limits->idle(limits->idle_ctx);
	if (place == PLACE_RUN || wait_for_place(asking))
		answer = run(asking);
	else
		b2b_error_set(asking->why, "no home server came free in time");
	tidy_now_and_then(asking->homes);
	if (limits->unidle)
		limits->unidle(limits->idle_ctx);
	return answer;
}

static bool is_lawful(const struct b2b_home_request *request)
{
	return request->name && *request->name && request->password.s && request->password.len &&
	       !memchr(request->password.s, '\0', request->password.len);
}

enum b2b_home_answer b2b_homes_prove(struct b2b_homes *homes,
				     const struct b2b_home_request *request, struct b2b_error *why)
{
	struct asking asking = { .homes = homes, .request = request, .why = why };
	enum b2b_home_answer answer;
	enum place place;

	if (why)
		why->text[0] = '\0';
	if (!is_lawful(request))
		return B2B_HOME_REFUSED;
	if (request->uri_count == 0) {
		b2b_error_set(why, "the partner has no home server");
		return B2B_HOME_UNAVAILABLE;
	}
	asking.servers = calloc(request->uri_count, sizeof *asking.servers);
	if (!asking.servers) {
		b2b_error_set(why, "no memory");
		return B2B_HOME_UNAVAILABLE;
	}
	place = prepare(&asking, &answer);
	if (place != PLACE_NONE)
		answer = ask(&asking, place);
	unref(homes);
	free(asking.servers);
	return answer;
}
