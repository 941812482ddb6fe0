/*
 * home_fake.h - home servers that misbehave, each a thread on a port of its own; and real ones.
 * In: how to misbehave.  Out: a port, and what was seen there; to check_home*.c.
 */
#ifndef B2B_HOME_FAKE_H
#define B2B_HOME_FAKE_H

#include "home.h"

#include <arpa/inet.h>
#include <check.h>
#include <lber.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum fake_manner {
	FAKE_ANSWER,      /* each bind with .code */
	FAKE_BY_PASSWORD, /* success for "right", 49 for others */
	FAKE_HANG,        /* takes the connection and says nothing */
	FAKE_CLOSE,
	FAKE_GARBAGE,
	FAKE_GIANT,        /* announces 2 GB and begins to send them */
	FAKE_TRICKLE,      /* an endless message, byte by byte */
	FAKE_TRICKLE_TLS,  /* an endless TLS record, byte by byte */
	FAKE_REFERRAL,     /* to .refer_to */
	FAKE_WRONG_ID,     /* success, but for another message */
	FAKE_WRONG_TYPE,   /* success, but a searchResDone */
	FAKE_TRUNCATED,    /* a bindResponse without a result code */
	FAKE_NOTICE,       /* an unsolicited notice without a name */
	FAKE_DISCONNECT,   /* notice of disconnection in place of an answer */
	FAKE_ONCE,         /* one success, then closes */
	FAKE_MUTE,         /* one success a connection, then silence on it */
	FAKE_STARTTLS_NO,  /* refuses StartTLS, says yes to all binds */
	FAKE_STARTTLS_LIE, /* accepts StartTLS with a bindResponse pushed in, goes on in plain */
};

#define FAKE_CONNECTIONS_MAX 64

struct fake {
	atomic_int manner;  /* may change while it runs */
	unsigned char code; /* FAKE_ANSWER */
	const char *refer_to;
	unsigned delay_ms; /* before each answer */
	char uri[64];
	int port, listener;
	pthread_t thread, handlers[FAKE_CONNECTIONS_MAX];
	pthread_mutex_t mutex; /* guards fds and handler_count */
	int fds[FAKE_CONNECTIONS_MAX];
	unsigned handler_count;
	atomic_uint connections, binds, at_once, most_at_once;
	atomic_bool stopping, saw_password;
	atomic_uint bare_binds; /* without any control */
	char asked[128]; /* the last bind's one control: "<OID> <value>"; else what is wrong */
};

struct fake_connection {
	struct fake *fake;
	unsigned index;
	int fd;
};

#define FAKE_PASSWORD "right"

static inline uint64_t fake_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline void fake_pause(const struct fake *fake, unsigned ms)
{
	for (uint64_t end = fake_now_ms() + ms; !fake->stopping && fake_now_ms() < end;)
		usleep(5000);
}

/* Until the client goes away or the fake is stopped. */
static inline void fake_wait_for_end(int fd)
{
	char bytes[512];

	while (recv(fd, bytes, sizeof bytes, 0) > 0)
		;
}

static inline bool fake_send(int fd, const void *bytes, size_t size)
{
	return send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static inline bool fake_result(int fd, int id, unsigned char tag, unsigned char code)
{
	unsigned char answer[] = { 0x30, 12, 2, 1, (unsigned char)id, tag, 7, 10, 1, code,
				   4,    0,  4, 0 };

	return fake_send(fd, answer, sizeof answer);
}

static inline void fake_refer(int fd, int id, const char *to)
{
	unsigned char answer[128] = { 0x30, 0, 2, 1, (unsigned char)id, 0x61, 0, 10, 1, 10,
				      4,    0, 4, 0 };
	size_t length = strlen(to);

	answer[14] = 0xa3;
	answer[15] = (unsigned char)(length + 2);
	answer[16] = 4;
	answer[17] = (unsigned char)length;
	memcpy(answer + 18, to, length);
	answer[6] = (unsigned char)(7 + 4 + length);
	answer[1] = (unsigned char)(answer[6] + 5);
	fake_send(fd, answer, 18 + length);
}

static inline void fake_notify(int fd, const char *oid)
{
	size_t length = strlen(oid);
	unsigned char notice[64] = { 0x30, 0, 2, 1, 0, 0x78, 0, 10, 1, 52, 4, 0, 4, 0, 0x8a };

	notice[15] = (unsigned char)length;
	memcpy(notice + 16, oid, length);
	notice[6] = (unsigned char)(7 + 2 + length);
	notice[1] = (unsigned char)(notice[6] + 5);
	fake_send(fd, notice, 16 + length);
}

/* Sends start, then one zero a time until nobody listens. */
static inline void fake_trickle(const struct fake *fake, int fd, const void *start, size_t size)
{
	if (!fake_send(fd, start, size))
		return;
	while (!fake->stopping && fake_send(fd, "", 1))
		fake_pause(fake, 20);
}

/* True: go on with this connection. */
static inline bool fake_bind(struct fake *fake, int fd, int id, struct berval password,
			     unsigned nth)
{
	static const unsigned char empty_answer[] = { 0x30, 5, 2, 1, 1, 0x61, 0 };
	bool right = password.bv_len == strlen(FAKE_PASSWORD) &&
		     memcmp(password.bv_val, FAKE_PASSWORD, password.bv_len) == 0;

	fake->binds++;
	if (right)
		fake->saw_password = true;
	fake_pause(fake, fake->delay_ms);
	switch ((enum fake_manner)fake->manner) {
	case FAKE_BY_PASSWORD:
		return fake_result(fd, id, 0x61, right ? 0 : 49);
	case FAKE_REFERRAL:
		fake_refer(fd, id, fake->refer_to);
		return true;
	case FAKE_WRONG_ID:
		return fake_result(fd, id + 1, 0x61, 0);
	case FAKE_WRONG_TYPE:
		return fake_result(fd, id, 0x65, 0);
	case FAKE_TRUNCATED:
		return fake_send(fd, empty_answer, sizeof empty_answer);
	case FAKE_DISCONNECT:
		fake_notify(fd, "1.3.6.1.4.1.1466.20036");
		return false;
	case FAKE_NOTICE:
		fake_notify(fd, "");
		return true;
	case FAKE_ONCE:
		fake_result(fd, id, 0x61, 0);
		return false;
	case FAKE_MUTE:
		return nth > 1 || fake_result(fd, id, 0x61, 0);
	default:
		return fake_result(fd, id, 0x61, fake->code);
	}
}

static inline bool fake_start_tls(const struct fake *fake, int fd, int id)
{
	if (fake->manner != FAKE_STARTTLS_LIE)
		return fake_result(fd, id, 0x78, 52);
	/* the answer to the bind that is to follow, before there is TLS */
	return fake_result(fd, id + 1, 0x61, 0) && fake_result(fd, id, 0x78, 0) &&
	       fake_result(fd, id + 1, 0x61, 0);
}

/* What stands behind a bind: nothing, or one control that is not critical (RFC 4511, 4.1.11). */
static inline void fake_note_controls(struct fake *fake, BerElement *ber)
{
	struct berval oid, value;
	ber_len_t length;

	if (ber_peek_tag(ber, &length) == LBER_DEFAULT) {
		fake->bare_binds++;
		return;
	}
	/* a criticality would come in the value's place */
	if (ber_peek_tag(ber, &length) != 0xa0 ||
	    ber_scanf(ber, "{{mm}}", &oid, &value) == LBER_ERROR ||
	    ber_peek_tag(ber, &length) != LBER_DEFAULT)
		snprintf(fake->asked, sizeof fake->asked, "no control");
	else
		snprintf(fake->asked, sizeof fake->asked, "%.*s %.*s", (int)oid.bv_len, oid.bv_val,
			 (int)value.bv_len, value.bv_val);
}

/* One request; false: the connection is done with. */
static inline bool fake_request(struct fake *fake, Sockbuf *sockbuf, int fd, unsigned *nth)
{
	BerElement *ber = ber_alloc_t(LBER_USE_DER);
	struct berval name, password;
	ber_len_t length;
	ber_int_t id, version;
	bool more = false;

	if (ber_get_next(sockbuf, &length, ber) == 0x30 && ber_scanf(ber, "i", &id) != LBER_ERROR) {
		ber_tag_t tag = ber_peek_tag(ber, &length);

		if (tag == 0x60 &&
		    ber_scanf(ber, "{imm}", &version, &name, &password) != LBER_ERROR) {
			fake_note_controls(fake, ber);
			more = fake_bind(fake, fd, id, password, ++*nth);
		} else if (tag == 0x77)
			more = fake_start_tls(fake, fd, id);
	}
	ber_free(ber, 1);
	return more;
}

static inline void fake_speak(struct fake *fake, int fd)
{
	Sockbuf *sockbuf = ber_sockbuf_alloc();
	int copy = dup(fd);
	unsigned nth = 0;

	ber_sockbuf_ctrl(sockbuf, LBER_SB_OPT_SET_FD, &copy);
	ber_sockbuf_add_io(sockbuf, &ber_sockbuf_io_tcp, LBER_SBIOD_LEVEL_PROVIDER, &copy);
	while (!fake->stopping && fake_request(fake, sockbuf, fd, &nth))
		;
	ber_sockbuf_free(sockbuf);
}

static inline void *fake_handle(void *arg)
{
	struct fake_connection *connection = arg;
	struct fake *fake = connection->fake;
	static const unsigned char giant[] = { 0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 2, 1, 1, 0x61 };
	static const unsigned char huge[] = { 0x30, 0x82, 0x7f, 0xff, 2,   1,
					      1,    0x61, 0x82, 0x7f, 0xf0 };
	static const unsigned char record[] = { 0x16, 3, 3, 0x3f, 0xff, 2, 0, 0x3f, 0xfb, 3, 3 };
	unsigned now = ++fake->at_once;

	/* a race could only make it too small */
	if (now > fake->most_at_once)
		fake->most_at_once = now;
	switch ((enum fake_manner)fake->manner) {
	case FAKE_HANG:
		fake_wait_for_end(connection->fd);
		break;
	case FAKE_CLOSE:
		break;
	case FAKE_GARBAGE:
		fake_send(connection->fd, "HTTP/1.0 200 OK\r\n\r\nsuccess", 26);
		fake_wait_for_end(connection->fd);
		break;
	case FAKE_GIANT:
		fake_trickle(fake, connection->fd, giant, sizeof giant);
		break;
	case FAKE_TRICKLE:
		fake_trickle(fake, connection->fd, huge, sizeof huge);
		break;
	case FAKE_TRICKLE_TLS:
		fake_trickle(fake, connection->fd, record, sizeof record);
		break;
	default:
		fake_speak(fake, connection->fd);
	}
	pthread_mutex_lock(&fake->mutex);
	close(connection->fd);
	fake->fds[connection->index] = -1;
	pthread_mutex_unlock(&fake->mutex);
	fake->at_once--;
	free(connection);
	return NULL;
}

static inline void *fake_accept(void *arg)
{
	struct fake *fake = arg;
	int fd;

	while ((fd = accept(fake->listener, NULL, NULL)) >= 0) {
		struct fake_connection *connection = malloc(sizeof *connection);

		fake->connections++;
		pthread_mutex_lock(&fake->mutex);
		ck_assert_uint_lt(fake->handler_count, FAKE_CONNECTIONS_MAX);
		*connection = (struct fake_connection){ fake, fake->handler_count, fd };
		fake->fds[fake->handler_count] = fd;
		pthread_create(&fake->handlers[fake->handler_count++], NULL, fake_handle,
			       connection);
		pthread_mutex_unlock(&fake->mutex);
	}
	return NULL;
}

/* Fills the rest in and starts it; fake->manner and what belongs to it are set. */
static inline void fake_start(struct fake *fake)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;

	pthread_mutex_init(&fake->mutex, NULL);
	fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fake->listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(fake->listener, 64), 0);
	ck_assert_int_eq(getsockname(fake->listener, (struct sockaddr *)&address, &size), 0);
	fake->port = ntohs(address.sin_port);
	snprintf(fake->uri, sizeof fake->uri, "ldap://127.0.0.1:%d", fake->port);
	ck_assert_int_eq(pthread_create(&fake->thread, NULL, fake_accept, fake), 0);
}

static inline void fake_stop(struct fake *fake)
{
	fake->stopping = true;
	shutdown(fake->listener, SHUT_RDWR);
	pthread_join(fake->thread, NULL);
	close(fake->listener);
	pthread_mutex_lock(&fake->mutex);
	for (unsigned i = 0; i < fake->handler_count; i++)
		if (fake->fds[i] >= 0)
			shutdown(fake->fds[i], SHUT_RDWR);
	pthread_mutex_unlock(&fake->mutex);
	for (unsigned i = 0; i < fake->handler_count; i++)
		pthread_join(fake->handlers[i], NULL);
	pthread_mutex_destroy(&fake->mutex);
}

/* --- asking --- */

/* One prove call on uris (NULL ends) with everything else as usual. */
static inline enum b2b_home_answer fake_ask(struct b2b_homes *homes, const char *const *uris,
					    const char *password, struct b2b_error *why)
{
	struct b2b_home_request request = { .partner = "partner.example", .uris = uris };

	while (uris[request.uri_count])
		request.uri_count++;
	request.name = "uid=guest,dc=home";
	request.password = (struct b2b_str){ password, strlen(password) };
	return b2b_homes_prove(homes, &request, why);
}

/* What a hostile ldap.conf, .ldaprc or environment might say; before libldap is used first. */
static inline void fake_hostile_environment(void)
{
	setenv("LDAPTLS_REQCERT", "never", 1);
	setenv("LDAPTLS_REQSAN", "never", 1);
	setenv("LDAPTLS_CACERT", "/nonexistent/ca.pem", 1);
	setenv("LDAPTLS_PROTOCOL_MIN", "3.0", 1);
	setenv("LDAPREFERRALS", "on", 1);
	setenv("LDAPURI", "ldap://127.0.0.1:9", 1);
	setenv("LDAPTIMEOUT", "1", 1);
	setenv("LDAPNETWORK_TIMEOUT", "1", 1);
}

#endif
