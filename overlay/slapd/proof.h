/*
 * proof.h - what binds, redemptions and requests for codes share: whose a proof is, whether it may be
 * given, what a redemption writes, what is left for later.
 * In: life.h.  Out: included by those files of overlay/slapd that deal with proofs.
 */
#ifndef B2B_PROOF_H
#define B2B_PROOF_H

#include "life.h"

/* admit.c: from a proof to a guest that is in, or to the word that it is not */
struct b2b_admission {
	struct b2b_tenant *tenant;      /* a reference of the caller's */
	struct berval ndn;              /* whose entry it is */
	const struct b2b_bearer *token; /* NULL: the proof is another one */
	struct b2b_snapshot *snapshot;  /* reference; b2b_admission_clear releases it */
	struct b2b_guest guest;
	struct b2b_door door;
	const struct b2b_rule *app, *partner;
	bool has_totp;
	struct berval person;    /* whom the proof is about; BVNULL before the first reading */
	char *home_name;         /* for a proof by the home directory: its name there, or NULL */
	bool home_is_subject;    /* that name follows from b2bHomeSubject */
	struct b2b_str address;  /* for a proof by mailed code: where it goes, or empty */
	struct b2b_str passcode; /* a code that was right, to be used up by success; or empty */
	/* For a redemption: */
	bool by_ticket;       /* that it is yet to redeem is not held against the guest */
	struct b2b_str terms; /* what it accepts along with its proof, or empty */
};
/* Reads guest, policy and circumstances of this moment.  False: it is no guest (any more), or another
 * person's. */
bool b2b_admission_read(Operation *op, struct b2b_admission *admission);
void b2b_admission_clear(struct b2b_admission *admission);
/* Decides in these circumstances. */
struct b2b_verdict b2b_admission_decide(Operation *op, struct b2b_admission *admission,
					struct b2b_context *context);
/* The log line of a guest that stays outside; the client hears nothing of it (49, no text). */
int b2b_admission_deny(Operation *op, const struct b2b_admission *admission,
		       const struct b2b_verdict *verdict);
/* Whether the same person is a guest already, and off: it does not come in again by being invited
 * under another address.  Where it cannot be found out, nobody comes in. */
bool b2b_admission_is_off(Operation *op, const struct b2b_admission *admission, enum b2b_idp kind);
/* The proof was right, and the guest was read after it: judges as below, uses tokens and codes up
 * that are good once, and says what policies that only report would have done. */
int b2b_admission_judge(Operation *op, struct b2b_admission *admission, struct b2b_proof *proof,
			struct b2b_str code, char text_r[B2B_ANSWER_SIZE]);
/* The proof was right, and the guest was read after it: judges, wants a one-time password of ours
 * where policy does, lets in.  code: what came with the proof, or empty.  Answers an LDAP code; text_r
 * is empty or what to say. */
int b2b_admission_admit(Operation *op, struct b2b_admission *admission, struct b2b_proof *proof,
			struct b2b_str code, char text_r[B2B_ANSWER_SIZE]);
/* All of it for a token that is right. */
int b2b_admission_by_token(Operation *op, const struct b2b_bearer *token, const struct berval *ndn,
			   char text_r[B2B_ANSWER_SIZE]);

/* later.c: what no client waits for.  run gets an operation of its own; what is one block of memory,
 * moved, freed after run, which happens once, or never where too much waits already. */
typedef void b2b_later_run(Operation *op, struct b2b_tenant *tenant, void *what);
void b2b_later(struct b2b_tenant *tenant, b2b_later_run *run, void *what);
int b2b_later_register(void);

/* find.c: the guest that a request is about, by what it says of it: one of these */
struct b2b_hint {
	struct b2b_str ticket;
	struct b2b_str ndn;  /* normalised */
	struct b2b_str mail; /* an address, in any case */
};
/* A name where a guest may stand (for ndn it is not looked at), in op's memory.  A ticket is
 * verified before anything is looked up; invited_at_r is its moment, 0 for the others.  False: none,
 * or several. */
bool b2b_find_guest(Operation *op, struct b2b_tenant *tenant, const struct b2b_hint *hint,
		    struct berval *ndn_r, time_t *invited_at_r);
/* Whether an invitation of this moment is still to be redeemed by the guest. */
bool b2b_find_is_invited(const struct b2b_guest *guest, const struct b2b_tenant_policy *policy,
			 time_t invited_at, time_t now);
/* Where the peer of a connection counts as one that asks: its address, of which IPv6 the network
 * (/64), for one customer has all of it.  room holds what is borrowed. */
struct b2b_str b2b_find_peer(const struct b2b_door *door, struct b2b_addr *room);

/* prove.c */
/* Whether this guest may give this kind of proof, on a connection that is protected or not. */
struct b2b_verdict b2b_prove_may(const struct b2b_admission *admission, enum b2b_idp kind,
				 bool is_protected);
/* Whether it may come so far that a proof of this kind is looked at: record, policy and the above; if
 * not, the log says why. */
bool b2b_prove_before(Operation *op, struct b2b_admission *admission, enum b2b_idp kind);
/* Whether the guest proves itself by mailed codes. */
bool b2b_prove_by_passcode(const struct b2b_admission *admission);
/* The one at home whom a proof of this kind is about; borrowed, or in op's memory; empty: nobody. */
struct b2b_str b2b_prove_subject(Operation *op, const struct b2b_admission *admission,
				 enum b2b_idp kind);
/* Asks home, which may take its time: hold no entry.  LDAP_SUCCESS: the password is the guest's;
 * invalidCredentials, busy, unavailable.  oi: the overlays of the database whose hook this is, or
 * NULL. */
int b2b_prove_at_home(Operation *op, const struct b2b_admission *admission, struct b2b_str password,
		      const struct slap_overinfo *oi);

/* accept.c */
/* Writes that the guest accepted, as which subject, and which terms, onto the guest as it was read;
 * the ticket is void from then on.  Answers an LDAP code. */
int b2b_accept_write(Operation *op, const struct b2b_admission *admission, enum b2b_idp kind,
		     struct b2b_record_read *read);
/* The first proof redeems the invitation, where automatic redemption let the guest come so far.
 * False: it became another's. */
bool b2b_accept_first(Operation *op, struct b2b_admission *admission, enum b2b_idp kind);

/* passcode.c: whether a bind's password asks for a code */
static inline bool b2b_passcode_is_asked(const struct berval *password)
{
	return password->bv_len == 1 && password->bv_val[0] == '?';
}

/* passcode_use.c: tries a code, which counts whether it is right or not, so that no more than five
 * are ever compared.  spent_r: it was the last try, so the code is used up by it already. */
bool b2b_passcode_try(Operation *op, struct b2b_admission *admission, struct b2b_str code,
		      bool *spent_r);
/* Uses the admission's code up; false: it is not right any more. */
bool b2b_passcode_use(Operation *op, struct b2b_admission *admission);

#endif
