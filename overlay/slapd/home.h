/*
 * home.h - asks a guest's home organisation whether a password is the guest's.
 * In: a partner's home servers, a name, a password.  Out: proved, refused, unavailable or busy.
 * Needs libldap's public interface and threads, nothing of slapd: a test runs it alone.
 *
 * Lock order: one lock, that of struct b2b_homes; it is a leaf.  It is never held across the
 * network, a wait for it, opening or closing a connection, idle or unidle.  (Name look-ups have
 * a lock of their own, home_dial.c; neither is taken within the other.)
 */
#ifndef B2B_HOME_H
#define B2B_HOME_H

#include "../core/base.h"

enum b2b_home_answer {
	B2B_HOME_UNAVAILABLE = 0, /* no server answered */
	B2B_HOME_REFUSED,         /* home said no */
	B2B_HOME_PROVED,          /* home said yes */
	B2B_HOME_BUSY,            /* too many binds are waiting for this partner or in all */
};

struct b2b_homes; /* all home servers of one tenant: connections, caps, breakers */

/* A zero in the first three leaves no room for any bind. */
struct b2b_homes_limits {
	unsigned timeout_ms;  /* for one prove call, over all servers and the wait for a place */
	unsigned per_partner; /* binds on their way at once; as many again may wait */
	unsigned total;       /* binds on their way and waiting, over all partners */
	/* Called around all that waits, once each in a prove call; may be NULL. */
	void (*idle)(void *ctx);
	void (*unidle)(void *ctx);
	void *idle_ctx;          /* borrowed; outlives every prove call */
	unsigned keep_ms;        /* how long an unused connection is kept; 0: 60 s */
	unsigned first_pause_ms; /* how long a breaker opens at first; 0: 10 s */
};

/* All borrowed for the time of the call. */
struct b2b_home_request {
	const char *partner;     /* the partner's tenant id: connections and caps are by it */
	const char *const *uris; /* in the order to try them: ldap[s]://host[:port] */
	size_t uri_count;
	bool start_tls;      /* demanded on ldap://; a server that refuses it is not asked */
	const char *ca_file; /* PEM; NULL: the system's, B2B_HOME_SYSTEM_CA_FILE */
	const char *name;    /* bind name at home */
	struct b2b_str password;
	struct b2b_str asking; /* value of B2B_HOME_CONTROL; empty: the bind goes without it */
};

/* Tells a home that knows it for whom we ask; not critical, so that others pass over it. */
#define B2B_HOME_CONTROL "2.25.197761738801757102242170991844305268053.4.1"

/* What Debian's ca-certificates writes. */
#ifndef B2B_HOME_SYSTEM_CA_FILE
#define B2B_HOME_SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"
#endif

/* NULL without memory.  Release with b2b_homes_free. */
struct b2b_homes *b2b_homes_new(const struct b2b_homes_limits *limits);
/* Any thread; holds for what is asked from now on. */
void b2b_homes_set_limits(struct b2b_homes *homes, const struct b2b_homes_limits *limits);
/*
 * Drops the owner's reference, sets NULL, accepts NULL.  Does not wait: prove calls that run hold
 * references of their own and end by their deadlines, those that wait for a place end at once.
 */
void b2b_homes_free(struct b2b_homes **homes);

/*
 * Asks the servers in order until one has said yes or no (success is yes; invalidCredentials and
 * the like, referral too, are no), within the deadline.  One that hangs takes its share of the
 * time only.  A name or password that is empty or holds a NUL byte is refused without a word to
 * anybody.  The password goes over verified TLS or, where the partner's URL is plain, to an
 * address of this machine.  why (may be NULL) is empty or tells an operator, in one line and
 * without name and password, what failed on the way; it may be set in a proved answer too, when
 * an earlier server failed.  What a server writes in its answers is never passed on.
 *
 * The encoded request is wiped once it was sent.  TLS keeps buffers of its own for as long as the
 * connection, and the kernel what was not yet sent: neither can be reached from here.
 *
 * Any thread; blocks for limits.timeout_ms at most.
 */
enum b2b_home_answer b2b_homes_prove(struct b2b_homes *homes,
				     const struct b2b_home_request *request, struct b2b_error *why);

/* Closes what was unused for too long and forgets partners that nobody asked for.  Prove calls
 * do so too, now and then.  Any thread. */
void b2b_homes_tidy(struct b2b_homes *homes);

#endif
