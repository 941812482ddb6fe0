/*
 * request.h - what the files about self-service requests share.
 * In: life.h.  Out: included by request.c, request_judge.c and request_run.c alone.
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

const char *b2b_request_state_name(enum b2b_request_state state); /* "" for UNKNOWN */
enum b2b_request_state b2b_request_state_of(Entry *e);

#endif
