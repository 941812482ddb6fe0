/*
 * request.h - what the files about self-service requests share.
 * In: life.h.  Out: included by the files request*.c alone.
 */
#ifndef B2B_REQUEST_H
#define B2B_REQUEST_H

#include "life.h"

enum b2b_request_state { /* b2bRequestState */
			 B2B_REQUEST_UNKNOWN = 0,
			 B2B_REQUEST_CHECKING, /* the web hook has yet to be asked */
			 B2B_REQUEST_PENDING,  /* an approver has yet to decide */
			 B2B_REQUEST_APPROVED, /* the task has yet to invite */
			 B2B_REQUEST_DENIED,
			 B2B_REQUEST_BLOCKED, /* the web hook said no */
			 B2B_REQUEST_INVALID, /* the web hook found fault with what was given */
			 B2B_REQUEST_INVITED,
			 B2B_REQUEST_FAILED /* approved, but nobody could be invited */
};

/* What is asked, as far as it could be read; borrowed from the JSON object. */
struct b2b_asking {
	Operation *op;
	struct b2b_tenant *tenant;
	const struct b2b_snapshot *snapshot;
	const struct b2b_tenant_policy *policy; /* not NULL */
	const char *by;                         /* normalised DN of who asks; empty: nobody knows */
	const char *mail, *name, *tenant_id, *reason;
	struct b2b_str *apps;
	size_t app_count;
	json_t *attributes; /* or NULL */
	time_t now;
};

/* request_store.c */
#define B2B_REQUEST_NAME_SIZE 33 /* 16 bytes in hexadecimal digits, and the NUL */
/* Asks policy, and what is known of the address: an LDAP code with error. */
int b2b_request_permit(struct b2b_asking *asking, struct b2b_error *error);
/* Puts the request into cn=requests, or finds the open one of this address.  Busy: too many. */
int b2b_request_store(struct b2b_asking *asking, char name_r[B2B_REQUEST_NAME_SIZE],
		      enum b2b_request_state *state_r);

const char *b2b_request_state_name(enum b2b_request_state state); /* "" for UNKNOWN */
enum b2b_request_state b2b_request_state_of(Entry *e);

#endif
