/*
 * ticket.h - redemption tickets and one-time codes: what only the tenant's servers can make.
 * In: the tenant's private key (PEM), whom a ticket or code is for.  Out: tickets, codes, hashes.
 *
 * Three keys are drawn from the private key by HKDF-SHA-256 (RFC 5869), each for one purpose; all
 * else is HMAC-SHA-256 (RFC 2104) under them.  Nothing of a ticket need be stored.
 */
#ifndef B2B_TICKET_H
#define B2B_TICKET_H

#include "base.h"

struct b2b_mint; /* immutable, any thread */

/* pem: a private key (RFC 7468), unencrypted; nothing of it is kept but what is drawn from it.
 * *mint_r: caller frees; NULL unless B2B_OK. */
enum b2b_err b2b_mint_new(struct b2b_str pem, struct b2b_mint **mint_r, struct b2b_error *error);
void b2b_mint_free(struct b2b_mint **mint); /* wipes, sets NULL, accepts NULL */

/*
 * A ticket is base64url of 16 bytes entryUUID, 8 bytes of the moment (big-endian) and 32 bytes of
 * MAC, which covers the tenant as well: 75 characters that need no escaping in a URL.
 */
#define B2B_TICKET_SIZE 80
#define B2B_UUID_SIZE 37 /* "0b6e3c26-....", NUL included */
/* tenant: the normalised DN of the tenant entry.  uuid: entryUUID as text (RFC 4530). */
enum b2b_err b2b_ticket_make(const struct b2b_mint *mint, struct b2b_str tenant,
			     struct b2b_str uuid, time_t invited_at,
			     char ticket_r[B2B_TICKET_SIZE]);
/* B2B_ERR_INVALID: it is not one of this tenant; nothing else is said.  uuid_r in lower case. */
enum b2b_err b2b_ticket_open(const struct b2b_mint *mint, struct b2b_str tenant,
			     struct b2b_str ticket, char uuid_r[B2B_UUID_SIZE],
			     time_t *invited_at_r);

/* One-time codes by mail: eight digits that follow from the name of the notice (its cn), so that a
 * notice that is sent twice holds one code. */
#define B2B_PASSCODE_DIGITS 8u
#define B2B_PASSCODE_SECS 1800
#define B2B_PASSCODE_TRIES 5u
#define B2B_PASSCODE_HASH 32u
enum b2b_err b2b_passcode_make(const struct b2b_mint *mint, struct b2b_str notice,
			       char code_r[B2B_PASSCODE_DIGITS + 1]);
/* What is stored of it: bound to the guest's entry, and to the address it is mailed to (in any case),
 * so that it is worth nothing once codes go to another one. */
enum b2b_err b2b_passcode_hash(const struct b2b_mint *mint, struct b2b_str uuid, struct b2b_str to,
			       struct b2b_str code, uint8_t hash_r[B2B_PASSCODE_HASH]);
/* Whether text is eight ASCII digits. */
bool b2b_passcode_is_like(struct b2b_str text);

#endif
