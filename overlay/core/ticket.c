/*
 * ticket.c - redemption tickets and one-time codes under keys that only the tenant's servers have.
 * In: the tenant's private key; entryUUIDs, moments, names of notices.
 * Out: text for a mail, and whether text that came back is what was sent.
 */
#include "ticket.h"
#include "draw.h"
#include "jose_parts.h"
#include "mail.h"
#include "text.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#define UUID_BYTES 16u
#define MOMENT_BYTES 8u
#define MAC_BYTES 32u
#define TICKET_BYTES (UUID_BYTES + MOMENT_BYTES + MAC_BYTES)
#define TICKET_CHARS 75u /* base64url of TICKET_BYTES */

struct b2b_mint {
	EVP_MAC *hmac;
	uint8_t ticket_key[B2B_DRAW_BYTES], code_key[B2B_DRAW_BYTES], hash_key[B2B_DRAW_BYTES];
};

enum b2b_err b2b_mint_new(struct b2b_str pem, struct b2b_mint **mint_r, struct b2b_error *error)
{
	struct b2b_mint *mint = calloc(1, sizeof *mint);
	enum b2b_err err = B2B_ERR_MEMORY;

	*mint_r = NULL;
	if (mint)
		mint->hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	if (mint && mint->hmac) {
		struct b2b_draw draws[] = { { "slapo-b2b ticket 1", mint->ticket_key },
					    { "slapo-b2b passcode 1", mint->code_key },
					    { "slapo-b2b passcode hash 1", mint->hash_key } };

		err = b2b_draw_keys(pem, draws, sizeof draws / sizeof *draws, error);
	}
	if (err == B2B_OK)
		*mint_r = mint;
	else
		b2b_mint_free(&mint);
	return err;
}

void b2b_mint_free(struct b2b_mint **mint)
{
	struct b2b_mint *gone = mint ? *mint : NULL;

	if (!gone)
		return;
	*mint = NULL;
	EVP_MAC_free(gone->hmac);
	OPENSSL_cleanse(gone, sizeof *gone);
	free(gone);
}

/* HMAC-SHA-256 over head and then rest. */
static bool sum(const struct b2b_mint *mint, const uint8_t key[B2B_DRAW_BYTES], struct b2b_str head,
		struct b2b_str rest, uint8_t mac_r[MAC_BYTES])
{
	char digest[] = "SHA256";
	OSSL_PARAM params[2] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
				 OSSL_PARAM_construct_end() };
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mint->hmac);
	size_t bytes = 0;
	bool done = ctx && EVP_MAC_init(ctx, key, B2B_DRAW_BYTES, params) == 1 &&
		    EVP_MAC_update(ctx, (const unsigned char *)head.s, head.len) == 1 &&
		    (rest.len == 0 ||
		     EVP_MAC_update(ctx, (const unsigned char *)rest.s, rest.len) == 1) &&
		    EVP_MAC_final(ctx, mac_r, &bytes, MAC_BYTES) == 1 && bytes == MAC_BYTES;

	EVP_MAC_CTX_free(ctx);
	return done;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = b2b_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_dash_place(size_t place)
{
	return place == 8 || place == 13 || place == 18 || place == 23;
}

static bool read_uuid(struct b2b_str text, uint8_t uuid_r[UUID_BYTES])
{
	size_t nibbles = 0;

	if (text.len != B2B_UUID_SIZE - 1)
		return false;
	memset(uuid_r, 0, UUID_BYTES);
	for (size_t i = 0; i < text.len; i++) {
		int value = hex_value(text.s[i]);

		if (is_dash_place(i)) {
			if (text.s[i] != '-')
				return false;
			continue;
		}
		if (value < 0)
			return false;
		uuid_r[nibbles / 2] = (uint8_t)(uuid_r[nibbles / 2] << 4 | value);
		nibbles++;
	}
	return true;
}

static void write_uuid(const uint8_t uuid[UUID_BYTES], char text_r[B2B_UUID_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	size_t nibbles = 0;

	for (size_t i = 0; i < B2B_UUID_SIZE - 1; i++) {
		uint8_t byte = uuid[nibbles / 2];

		if (is_dash_place(i)) {
			text_r[i] = '-';
			continue;
		}
		text_r[i] = digits[nibbles % 2 ? byte & 15 : byte >> 4];
		nibbles++;
	}
	text_r[B2B_UUID_SIZE - 1] = '\0';
}

static void write_base64url(const uint8_t *bytes, size_t count, char *text_r)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	unsigned waiting = 0;

	for (size_t i = 0; i < count; i++) {
		bits = (bits << 8 | bytes[i]) & 0xffff;
		for (waiting += 8; waiting >= 6; waiting -= 6)
			*text_r++ = alphabet[bits >> (waiting - 6) & 63];
	}
	if (waiting)
		*text_r++ = alphabet[bits << (6 - waiting) & 63];
	*text_r = '\0';
}

/* What the MAC covers: the ticket's own bytes, whose length is fixed, and then the tenant. */
static bool sum_ticket(const struct b2b_mint *mint, const uint8_t *bytes, struct b2b_str tenant,
		       uint8_t mac_r[MAC_BYTES])
{
	struct b2b_str head = { (const char *)bytes, UUID_BYTES + MOMENT_BYTES };

	return sum(mint, mint->ticket_key, head, tenant, mac_r);
}

enum b2b_err b2b_ticket_make(const struct b2b_mint *mint, struct b2b_str tenant,
			     struct b2b_str uuid, time_t invited_at, char ticket_r[B2B_TICKET_SIZE])
{
	uint8_t bytes[TICKET_BYTES];
	uint64_t moment = (uint64_t)invited_at;

	ticket_r[0] = '\0';
	if (!read_uuid(uuid, bytes) || tenant.len == 0 || invited_at <= 0)
		return B2B_ERR_INVALID;
	for (size_t i = 0; i < MOMENT_BYTES; i++)
		bytes[UUID_BYTES + i] = (uint8_t)(moment >> (56 - 8 * i));
	if (!sum_ticket(mint, bytes, tenant, bytes + UUID_BYTES + MOMENT_BYTES))
		return B2B_ERR_MEMORY;
	write_base64url(bytes, sizeof bytes, ticket_r);
	return B2B_OK;
}

enum b2b_err b2b_ticket_open(const struct b2b_mint *mint, struct b2b_str tenant,
			     struct b2b_str ticket, char uuid_r[B2B_UUID_SIZE],
			     time_t *invited_at_r)
{
	uint8_t bytes[TICKET_BYTES], mac[MAC_BYTES];
	uint64_t moment = 0;

	uuid_r[0] = '\0';
	*invited_at_r = 0;
	if (ticket.len != TICKET_CHARS || tenant.len == 0 || !b2b_jose_decode(ticket, bytes))
		return B2B_ERR_INVALID;
	if (!sum_ticket(mint, bytes, tenant, mac))
		return B2B_ERR_MEMORY;
	if (CRYPTO_memcmp(mac, bytes + UUID_BYTES + MOMENT_BYTES, MAC_BYTES) != 0)
		return B2B_ERR_INVALID;
	for (size_t i = 0; i < MOMENT_BYTES; i++)
		moment = moment << 8 | bytes[UUID_BYTES + i];
	write_uuid(bytes, uuid_r);
	*invited_at_r = (time_t)moment;
	return B2B_OK;
}

bool b2b_passcode_is_like(struct b2b_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.s[i] < '0' || text.s[i] > '9')
			return false;
	return text.len == B2B_PASSCODE_DIGITS;
}

enum b2b_err b2b_passcode_make(const struct b2b_mint *mint, struct b2b_str notice,
			       char code_r[B2B_PASSCODE_DIGITS + 1])
{
	const struct b2b_str none = { 0 };
	uint8_t mac[MAC_BYTES];
	uint64_t code = 0;

	code_r[0] = '\0';
	if (notice.len == 0)
		return B2B_ERR_INVALID;
	if (!sum(mint, mint->code_key, notice, none, mac))
		return B2B_ERR_MEMORY;
	/* 256 bits over 10^8: no code is likelier than another by more than 2^-229 */
	for (size_t i = 0; i < sizeof mac; i++)
		code = (code << 8 | mac[i]) % 100000000u;
	for (size_t i = B2B_PASSCODE_DIGITS; i-- > 0; code /= 10)
		code_r[i] = (char)('0' + code % 10);
	code_r[B2B_PASSCODE_DIGITS] = '\0';
	OPENSSL_cleanse(mac, sizeof mac);
	return B2B_OK;
}

enum b2b_err b2b_passcode_hash(const struct b2b_mint *mint, struct b2b_str uuid, struct b2b_str to,
			       struct b2b_str code, uint8_t hash_r[B2B_PASSCODE_HASH])
{
	uint8_t bytes[UUID_BYTES + B2B_PASSCODE_DIGITS]; /* before what has no fixed length */
	struct b2b_str head = { (const char *)bytes, sizeof bytes };
	char lower[B2B_MAIL_MAX];

	memset(hash_r, 0, B2B_PASSCODE_HASH);
	if (!read_uuid(uuid, bytes) || !b2b_passcode_is_like(code) || to.len == 0 ||
	    to.len > sizeof lower)
		return B2B_ERR_INVALID;
	memcpy(bytes + UUID_BYTES, code.s, B2B_PASSCODE_DIGITS);
	for (size_t i = 0; i < to.len; i++)
		lower[i] = b2b_lower(to.s[i]);
	to.s = lower;
	return sum(mint, mint->hash_key, head, to, hash_r) ? B2B_OK : B2B_ERR_MEMORY;
}
