/*
 * home_dial.c - reaching a home server: names, sockets, and bytes under a deadline.
 * In: a host and port.  Out: a connected socket, and the lowest layer of libldap's connection.
 * libldap 2.5 has no deadline of its own that holds in a TLS handshake; here each byte has one.
 */
#include "home_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ADDRESSES_MAX 8
#define STUCK_MAX 12 /* look-ups that may outlive their askers; glibc has 20 threads for them */

uint64_t b2b_home_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int left_ms(uint64_t deadline_ms)
{
	uint64_t now = b2b_home_now_ms();

	if (now >= deadline_ms)
		return 0;
	return deadline_ms - now > 3600000 ? 3600000 : (int)(deadline_ms - now);
}

/* True once fd is ready for events, false at the deadline. */
static bool wait_for(int fd, short events, uint64_t deadline_ms)
{
	struct pollfd item = { .fd = fd, .events = events };
	int rc;

	do
		rc = poll(&item, 1, left_ms(deadline_ms));
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		errno = ETIMEDOUT;
	return rc > 0;
}

/* --- the layer under libldap --- */

static struct b2b_home_wire *wire_of(Sockbuf_IO_Desc *desc)
{
	return desc->sbiod_pvt;
}

static int wire_setup(Sockbuf_IO_Desc *desc, void *arg)
{
	desc->sbiod_pvt = arg;
	return 0;
}

static int wire_ctrl(Sockbuf_IO_Desc *desc, int option, void *arg)
{
	(void)desc;
	(void)option;
	(void)arg;
	return 0;
}

/* Never EAGAIN: libldap would try again without end. */
static ber_slen_t wire_read(Sockbuf_IO_Desc *desc, void *buffer, ber_len_t size)
{
	struct b2b_home_wire *wire = wire_of(desc);
	ssize_t got;

	do {
		if (!wait_for(wire->fd, POLLIN, wire->deadline_ms))
			return -1;
		got = recv(wire->fd, buffer, size, MSG_DONTWAIT);
	} while (got < 0 && (errno == EINTR || errno == EAGAIN));
	if (got >= 0)
		errno = 0; /* an end must not look like "try again" */
	return got;
}

static ber_slen_t wire_write(Sockbuf_IO_Desc *desc, void *buffer, ber_len_t size)
{
	struct b2b_home_wire *wire = wire_of(desc);
	ssize_t sent;

	do {
		if (!wait_for(wire->fd, POLLOUT, wire->deadline_ms))
			return -1;
		sent = send(wire->fd, buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && (errno == EINTR || errno == EAGAIN));
	return sent;
}

static int wire_close(Sockbuf_IO_Desc *desc)
{
	struct b2b_home_wire *wire = wire_of(desc);

	if (wire->fd >= 0)
		close(wire->fd);
	wire->fd = -1;
	return 0;
}

Sockbuf_IO b2b_home_wire_io = {
	.sbi_setup = wire_setup,
	.sbi_ctrl = wire_ctrl,
	.sbi_read = wire_read,
	.sbi_write = wire_write,
	.sbi_close = wire_close,
};

/* --- names --- */

struct addresses {
	struct sockaddr_storage address[ADDRESSES_MAX];
	socklen_t bytes[ADDRESSES_MAX];
	size_t count;
};

/* A look-up by glibc's own threads, which cannot be interrupted: one that does not end in time is
 * left behind, and freed by a later one. */
struct lookup {
	struct lookup *next;
	struct gaicb request;
	struct addrinfo hints;
	char host[256], port[8];
};

static pthread_mutex_t stuck_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct lookup *stuck; /* guarded by stuck_mutex */

static void lookup_free(struct lookup *lookup)
{
	if (lookup->request.ar_result)
		freeaddrinfo(lookup->request.ar_result);
	free(lookup);
}

/* Frees the look-ups that have ended since; how many have not. */
static size_t stuck_reap(void)
{
	struct lookup **link = &stuck, *lookup;
	size_t count = 0;

	pthread_mutex_lock(&stuck_mutex);
	while ((lookup = *link)) {
		if (gai_error(&lookup->request) == EAI_INPROGRESS) {
			link = &lookup->next;
			count++;
		} else {
			*link = lookup->next;
			lookup_free(lookup);
		}
	}
	pthread_mutex_unlock(&stuck_mutex);
	return count;
}

static void lookup_abandon(struct lookup *lookup)
{
	if (gai_cancel(&lookup->request) != EAI_NOTCANCELED) {
		lookup_free(lookup);
		return;
	}
	pthread_mutex_lock(&stuck_mutex);
	lookup->next = stuck;
	stuck = lookup;
	pthread_mutex_unlock(&stuck_mutex);
}

static void add_address(struct addresses *list, const void *address, socklen_t bytes)
{
	if (list->count == ADDRESSES_MAX || bytes > sizeof list->address[0])
		return;
	memcpy(&list->address[list->count], address, bytes);
	list->bytes[list->count++] = bytes;
}

static void add_all(struct addresses *list, const struct addrinfo *found)
{
	for (; found; found = found->ai_next)
		add_address(list, found->ai_addr, found->ai_addrlen);
}

/* An EAI code. */
static int look_up(const struct b2b_url *url, uint64_t deadline_ms, struct addresses *list)
{
	struct lookup *lookup;
	const struct gaicb *waiting[1];
	struct gaicb *started[1];
	int rc;

	if (stuck_reap() >= STUCK_MAX)
		return EAI_AGAIN;
	lookup = calloc(1, sizeof *lookup);
	if (!lookup)
		return EAI_MEMORY;
	snprintf(lookup->host, sizeof lookup->host, "%s", url->host);
	snprintf(lookup->port, sizeof lookup->port, "%u", url->port);
	lookup->hints.ai_socktype = SOCK_STREAM;
	lookup->request.ar_name = lookup->host;
	lookup->request.ar_service = lookup->port;
	lookup->request.ar_request = &lookup->hints;
	started[0] = &lookup->request;
	waiting[0] = &lookup->request;
	rc = getaddrinfo_a(GAI_NOWAIT, started, 1, NULL);
	if (rc) {
		lookup_free(lookup);
		return rc;
	}
	while ((rc = gai_error(&lookup->request)) == EAI_INPROGRESS) {
		int left = left_ms(deadline_ms);
		struct timespec wait = { left / 1000, left % 1000 * 1000000L };

		if (left == 0) {
			lookup_abandon(lookup);
			return EAI_INPROGRESS;
		}
		gai_suspend(waiting, 1, &wait);
	}
	if (rc == 0)
		add_all(list, lookup->request.ar_result);
	lookup_free(lookup);
	return rc;
}

/* Numbers and this machine need no look-up. */
static bool is_known(const struct b2b_url *url, struct addresses *list)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)url->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons((uint16_t)url->port) };

	if (b2b_str_equal_nocase(b2b_str_of(url->host), b2b_str_of("localhost"))) {
		v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		v6.sin6_addr = in6addr_loopback;
		add_address(list, &v4, sizeof v4);
		add_address(list, &v6, sizeof v6);
	} else if (inet_pton(AF_INET, url->host, &v4.sin_addr) == 1) {
		add_address(list, &v4, sizeof v4);
	} else if (inet_pton(AF_INET6, url->host, &v6.sin6_addr) == 1) {
		add_address(list, &v6, sizeof v6);
	}
	return list->count > 0;
}

/* --- connecting --- */

static bool is_local(const struct sockaddr_storage *address)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (address->ss_family == AF_INET) {
		memcpy(&v4, address, sizeof v4);
		return ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	}
	if (address->ss_family == AF_INET6) {
		memcpy(&v6, address, sizeof v6);
		return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
	}
	return false;
}

static int connect_to(const struct sockaddr_storage *address, socklen_t bytes, uint64_t deadline_ms)
{
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, error = 0;
	socklen_t size = sizeof error;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	if (connect(fd, (const struct sockaddr *)address, bytes) == 0)
		return fd;
	if (errno != EINPROGRESS || !wait_for(fd, POLLOUT, deadline_ms)) {
		error = errno;
	} else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size)) {
		error = errno;
	}
	if (error == 0)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

int b2b_home_dial(const struct b2b_url *url, bool local_only, uint64_t deadline_ms,
		  struct b2b_error *why)
{
	struct addresses list = { .count = 0 };
	char reason[128] = "the name has no address";
	int rc, fd;

	if (!is_known(url, &list)) {
		rc = look_up(url, deadline_ms, &list);
		if (rc != 0) {
			b2b_error_set(why, "the name could not be looked up: %s",
				      rc == EAI_INPROGRESS ? "no answer in time"
							   : gai_strerror(rc));
			return -1;
		}
	}
	for (size_t i = 0; i < list.count; i++) {
		uint64_t now = b2b_home_now_ms();
		uint64_t left = deadline_ms > now ? deadline_ms - now : 0;

		if (local_only && !is_local(&list.address[i])) {
			snprintf(reason, sizeof reason, "it is not this machine and has no TLS");
			continue;
		}
		fd = connect_to(&list.address[i], list.bytes[i], now + left / (list.count - i));
		if (fd >= 0)
			return fd;
		snprintf(reason, sizeof reason, "%s", strerrordesc_np(errno));
	}
	b2b_error_set(why, "no connection: %s", reason);
	return -1;
}
