/*
 * check_sign.c - tokens of our own: RFC vectors, key files of several keys, and our own verifier.
 * In: vectors of RFC 7638 and RFC 8037; keys made here.  Out: thumbprints, sets, tokens.
 */
#include "entry.h"
#include "jose_make.h"
#include "jose_vectors.h"

#include "seal.h"
#include "text.h"
#include "ticket.h"

#include <openssl/pem.h>

#define NO_KEY "holds no key that is Ed25519 or P-256"

static char *pem_of(EVP_PKEY *pkey, bool encrypted)
{
	BIO *bio = BIO_new(BIO_s_mem());
	unsigned char word[] = "pw";
	char *data, *text;
	long bytes;

	ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, pkey, encrypted ? EVP_aes_128_cbc() : NULL,
						  encrypted ? word : NULL, encrypted ? 2 : 0, NULL,
						  NULL),
			 1);
	bytes = BIO_get_mem_data(bio, &data);
	text = test_text("%.*s", (int)bytes, data);
	BIO_free(bio);
	return text;
}

static char *make_pem(const char *type)
{
	EVP_PKEY *pkey = test_new_key(type);
	char *text = pem_of(pkey, false);

	EVP_PKEY_free(pkey);
	return text;
}

/* RFC 8037, A.1: the private key, in hexadecimal. */
static char *rfc8037_pem(void)
{
	const char d[] = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
	long len;
	unsigned char *raw = OPENSSL_hexstr2buf(d, &len);
	EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, raw, (size_t)len);
	char *text = pem_of(pkey, false);

	EVP_PKEY_free(pkey);
	OPENSSL_free(raw);
	return text;
}

static char *notes;

static void note(void *ctx, const char *which, const char *why)
{
	ck_assert_ptr_eq(ctx, &notes);
	notes = test_text("%s%s %s;", notes, which, why);
}

static struct b2b_signer *make_signer(const char *pem)
{
	struct b2b_signer *signer;
	struct b2b_error error = { "" };

	notes = test_text("%s", "");
	ck_assert_msg(b2b_signer_new(b2b_str_of(pem), note, &notes, &signer, &error) == B2B_OK,
		      "%s", error.text);
	return signer;
}

static char *kid_of(const char *pem)
{
	struct b2b_signer *signer = make_signer(pem);
	char *kid = test_text("%s", b2b_signer_kid(signer));

	b2b_signer_free(&signer);
	return kid;
}

/* Whether a set verifies a token. */
static bool believes(const char *set, const char *token)
{
	struct b2b_jwks *keys;
	struct b2b_jws jws;
	struct b2b_error error = { "" };
	bool right;

	ck_assert_msg(b2b_jwks_parse(b2b_str_of(set), &keys, &error) == B2B_OK, "%s", error.text);
	ck_assert_int_eq(b2b_jws_parse(b2b_str_of(token), &jws, &error), B2B_OK);
	ck_assert(jws.typ_fits && jws.has_kid);
	right = b2b_jws_check(&jws, keys, B2B_ALGS_ALL, &error) == B2B_OK;
	b2b_jws_clear(&jws);
	b2b_jwks_free(&keys);
	return right;
}

START_TEST(test_thumbprint__rfc7638_3_1)
{
	const char *more[] = { "", ",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"" };
	const char n[] = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aP"
			 "FFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl9"
			 "3lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
			 "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3"
			 "XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
	char *jwk = test_text("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"%s}", n, more[_i]);
	char text[B2B_THUMBPRINT_SIZE];

	ck_assert_int_eq(b2b_jwk_thumbprint(b2b_str_of(jwk), text, NULL), B2B_OK);
	ck_assert_str_eq(text, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}
END_TEST

START_TEST(test_thumbprint__rfc8037_a3)
{
	char text[B2B_THUMBPRINT_SIZE];

	ck_assert_int_eq(b2b_jwk_thumbprint(b2b_str_of(RFC8037_KEY), text, NULL), B2B_OK);
	ck_assert_str_eq(text, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}
END_TEST

START_TEST(test_thumbprint__no_key)
{
	const char *texts[] = { "",
				"{}",
				"{\"kty\":\"oct\",\"k\":\"AA\"}",
				"[]",
				"{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}",
				"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":1}" };
	char text[B2B_THUMBPRINT_SIZE];
	struct b2b_error error = { "" };

	ck_assert_int_eq(b2b_jwk_thumbprint(b2b_str_of(texts[_i]), text, &error), B2B_ERR_INVALID);
	ck_assert(error.text[0]);
}
END_TEST

START_TEST(test_signer__rfc8037)
{
	struct b2b_signer *signer = make_signer(rfc8037_pem());
	char *token;

	/* A.2, A.3 */
	ck_assert_str_eq(b2b_signer_kid(signer), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
	ck_assert_ptr_nonnull(strstr(b2b_signer_jwks(signer), "\"x\":\"" RFC8037_X "\""));
	/* A.4 */
	ck_assert_int_eq(b2b_signer_sign_as(signer, b2b_str_of("{\"alg\":\"EdDSA\"}"),
					    b2b_str_of(RFC8037_PAYLOAD), &token),
			 B2B_OK);
	ck_assert_str_eq(token, RFC8037_TOKEN);
	free(token);
	b2b_signer_free(&signer);
}
END_TEST

static const char *const types[] = { "ED25519", "P-256" };

START_TEST(test_signer__round_trip)
{
	/* numbers that begin with zero bytes come by and by */
	for (size_t i = 0; i < 300; i++) {
		struct b2b_signer *signer = make_signer(make_pem(types[_i]));
		const char *set = b2b_signer_jwks(signer);
		char *token, *last;

		ck_assert_int_eq(b2b_signer_sign(signer, b2b_str_of("{\"a\":1}"), &token), B2B_OK);
		ck_assert(believes(set, token));
		ck_assert(b2b_jws_is_like(b2b_str_of(token)));
		last = strchr(token, '.') + 3;
		*last = *last == 'A' ? 'B' : 'A';
		ck_assert(!believes(set, token));
		free(token);
		b2b_signer_free(&signer);
	}
	ck_assert_str_eq(notes, "");
}
END_TEST

/* The set has all, without anything private; the last signs. */
START_TEST(test_signer__several)
{
	const char *a = make_pem("ED25519"), *b = make_pem("P-256"), *c = make_pem("ED25519");
	struct b2b_signer *old = make_signer(test_text("%s%s", a, b));
	struct b2b_signer *new = make_signer(test_text("%s\n# rotated\n%s%s", a, b, c));
	char *before, *after;

	ck_assert_str_eq(b2b_signer_kid(old), kid_of(b));
	ck_assert_str_eq(b2b_signer_kid(new), kid_of(c));
	ck_assert_ptr_null(strstr(b2b_signer_jwks(new), "\"d\""));
	ck_assert_ptr_nonnull(strstr(b2b_signer_jwks(new), kid_of(a)));
	ck_assert_int_eq(b2b_signer_sign(old, b2b_str_of("{}"), &before), B2B_OK);
	ck_assert_int_eq(b2b_signer_sign(new, b2b_str_of("{}"), &after), B2B_OK);
	ck_assert(believes(b2b_signer_jwks(new), before));
	ck_assert(believes(b2b_signer_jwks(new), after));
	ck_assert(!believes(b2b_signer_jwks(old), after));
	free(before);
	free(after);
	b2b_signer_free(&old);
	b2b_signer_free(&new);
}
END_TEST

/* A key that stands there twice is published once, and signs where it is last: so a new one can be
 * published before it signs. */
START_TEST(test_signer__announced)
{
	const char *a = make_pem("ED25519"), *b = make_pem("P-256");
	struct b2b_signer *signer = make_signer(test_text("%s%s%s", a, b, a));
	struct b2b_jwks *keys;

	ck_assert_str_eq(b2b_signer_kid(signer), kid_of(a));
	b2b_signer_free(&signer);
	signer = make_signer(test_text("%s%s%s", a, b, a));
	ck_assert_int_eq(b2b_jwks_parse(b2b_str_of(b2b_signer_jwks(signer)), &keys, NULL), B2B_OK);
	ck_assert_uint_eq(b2b_jwks_count(keys), 2);
	b2b_jwks_free(&keys);
	b2b_signer_free(&signer);
}
END_TEST

START_TEST(test_signer__others)
{
	const char *rsa = make_pem("RSA2048"), *curve = make_pem("P-384"),
		   *ed = make_pem("ED25519");
	struct b2b_signer *signer = make_signer(test_text("%s%s%s", rsa, ed, curve));
	struct b2b_jwks *keys;

	ck_assert_ptr_nonnull(strstr(notes, "key 1 is neither"));
	ck_assert_ptr_nonnull(strstr(notes, "key 3 is neither"));
	ck_assert_int_eq(b2b_jwks_parse(b2b_str_of(b2b_signer_jwks(signer)), &keys, NULL), B2B_OK);
	ck_assert_uint_eq(b2b_jwks_count(keys), 1);
	b2b_jwks_free(&keys);
	b2b_signer_free(&signer);
}
END_TEST

START_TEST(test_signer__refused)
{
	EVP_PKEY *pkey = test_new_key("ED25519");
	const char *ed = pem_of(pkey, false), *broken;
	const struct {
		const char *pem, *error;
	} rows[] = {
		{ "", NO_KEY },
		{ "nothing", NO_KEY },
		{ make_pem("RSA2048"), NO_KEY },
		{ pem_of(pkey, true), "key 1 is encrypted" },
		{ test_text("%s%s", ed, pem_of(pkey, true)), "key 2 is encrypted" },
		{ test_text("%s-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", ed),
		  "key 2 cannot be read" },
		{ test_text("%s-----BEGIN PRIVATE KEY-----\nMC4C", ed),
		  "a block behind key 1 is not PEM" },
	};
	struct b2b_signer *signer;
	struct b2b_error error = { "" };

	broken = rows[_i].pem;
	ck_assert_int_eq(b2b_signer_new(b2b_str_of(broken), NULL, NULL, &signer, &error),
			 B2B_ERR_INVALID);
	ck_assert_ptr_null(signer);
	ck_assert_str_eq(error.text, rows[_i].error);
	b2b_signer_free(&signer);
	EVP_PKEY_free(pkey);
}
END_TEST

/* Tickets, codes and seals are drawn from the first key, whatever comes behind it. */
START_TEST(test_signer__first_key_draws)
{
	const char *first = make_pem(types[_i]), *other = make_pem("ED25519");
	const char *files[] = { first, test_text("%s%s", first, other),
				test_text("%s%s%s", first, make_pem("RSA2048"), other),
				test_text("%s%s", other, first) };
	const struct b2b_str tenant = b2b_str_of("cn=b2b"), secret = b2b_str_of("a secret");
	const struct b2b_str uuid = b2b_str_of("0b6e3c26-0000-4000-8000-000000000001");
	const uint8_t nonce[B2B_SEAL_NONCE] = { 1 };
	uint8_t sealed[B2B_SEAL_MAX], opened[B2B_SEAL_SECRET_MAX];
	char ticket[B2B_TICKET_SIZE], open_uuid[B2B_UUID_SIZE];
	size_t bytes = 0, length;
	time_t when;

	for (size_t i = 0; i < 4; i++) {
		struct b2b_mint *mint;
		struct b2b_seal *seal;
		bool same = i < 3;

		ck_assert_int_eq(b2b_mint_new(b2b_str_of(files[i]), &mint, NULL), B2B_OK);
		ck_assert_int_eq(b2b_seal_new(b2b_str_of(files[i]), &seal, NULL), B2B_OK);
		if (i == 0) {
			ck_assert_int_eq(b2b_ticket_make(mint, tenant, uuid, 1000, ticket), B2B_OK);
			ck_assert_int_eq(
				b2b_seal_close(seal, tenant, secret, nonce, sealed, &bytes),
				B2B_OK);
		}
		ck_assert_int_eq(b2b_ticket_open(mint, tenant, b2b_str_of(ticket), open_uuid,
						 &when) == B2B_OK,
				 same);
		ck_assert_int_eq(b2b_seal_open(seal, tenant,
					       (struct b2b_str){ (const char *)sealed, bytes },
					       opened, &length) == B2B_OK,
				 same);
		b2b_mint_free(&mint);
		b2b_seal_free(&seal);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sign");
	TCase *tcase = tcase_create("sign");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_thumbprint__rfc7638_3_1, 0, 2);
	tcase_add_test(tcase, test_thumbprint__rfc8037_a3);
	tcase_add_loop_test(tcase, test_thumbprint__no_key, 0, 6);
	tcase_add_test(tcase, test_signer__rfc8037);
	tcase_add_loop_test(tcase, test_signer__round_trip, 0, 2);
	tcase_add_test(tcase, test_signer__several);
	tcase_add_test(tcase, test_signer__announced);
	tcase_add_test(tcase, test_signer__others);
	tcase_add_loop_test(tcase, test_signer__refused, 0, 7);
	tcase_add_loop_test(tcase, test_signer__first_key_draws, 0, 2);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
