/*
 * check_seal.c - secrets that are sealed open for their owner under the tenant's key, and for nobody
 * else.
 * In: keys made here.  Out: sealed secrets, opened, changed, exchanged.
 */
#include "entry.h"

#include "seal.h"
#include "text.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>

static const uint8_t nonce[B2B_SEAL_NONCE] = { 1, 2, 3 };
static const struct b2b_str owner = { "8b0c", 4 }, secret = { "a secret of 20 bytes", 20 };

/* A new private key as PEM; the caller frees. */
static char *make_key(const char *type, bool encrypted)
{
	EVP_PKEY *key =
		strcmp(type, "EC") == 0 ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(NULL, NULL, type);
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text;
	long bytes;

	ck_assert(key && bio);
	ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, key, encrypted ? EVP_aes_128_cbc() : NULL,
						  (const unsigned char *)(encrypted ? "pw" : NULL),
						  encrypted ? 2 : 0, NULL, NULL),
			 1);
	bytes = BIO_get_mem_data(bio, &data);
	text = calloc(1, (size_t)bytes + 1);
	memcpy(text, data, (size_t)bytes);
	BIO_free(bio);
	EVP_PKEY_free(key);
	return text;
}

static struct b2b_seal *make_seal(const char *type)
{
	char *pem = make_key(type, false);
	struct b2b_error error = { "" };
	struct b2b_seal *seal;

	ck_assert_msg(b2b_seal_new(b2b_str_of(pem), &seal, &error) == B2B_OK, "%s", error.text);
	free(pem);
	return seal;
}

static size_t close_it(const struct b2b_seal *seal, uint8_t sealed[B2B_SEAL_MAX])
{
	size_t bytes;

	ck_assert_int_eq(b2b_seal_close(seal, owner, secret, nonce, sealed, &bytes), B2B_OK);
	return bytes;
}

/* Whether it opens, to what was closed. */
static bool opens(const struct b2b_seal *seal, struct b2b_str of, const uint8_t *sealed,
		  size_t bytes)
{
	struct b2b_str text = { (const char *)sealed, bytes };
	uint8_t opened[B2B_SEAL_SECRET_MAX];
	size_t opened_bytes;

	if (b2b_seal_open(seal, of, text, opened, &opened_bytes) != B2B_OK) {
		ck_assert_uint_eq(opened_bytes, 0);
		return false;
	}
	ck_assert_uint_eq(opened_bytes, secret.len);
	ck_assert_int_eq(memcmp(opened, secret.s, secret.len), 0);
	return true;
}

START_TEST(test_seal_open__own)
{
	static const char *const types[] = { "ED25519", "EC" };
	struct b2b_seal *seal = make_seal(types[_i]);
	uint8_t sealed[B2B_SEAL_MAX];
	size_t bytes = close_it(seal, sealed);

	ck_assert(opens(seal, owner, sealed, bytes));
	for (size_t i = 0; i + secret.len <= bytes; i++)
		ck_assert_int_ne(memcmp(sealed + i, secret.s, secret.len), 0);
	b2b_seal_free(&seal);
	ck_assert_ptr_null(seal);
	b2b_seal_free(&seal);
}
END_TEST

START_TEST(test_seal_open__foreign)
{
	struct b2b_seal *seal = make_seal("ED25519"), *other = make_seal("ED25519");
	struct b2b_str another = { "8b0d", 4 };
	uint8_t sealed[B2B_SEAL_MAX];
	size_t bytes = close_it(seal, sealed);

	ck_assert(!opens(other, owner, sealed, bytes));
	ck_assert(!opens(NULL, owner, sealed, bytes));
	ck_assert(!opens(seal, another, sealed, bytes)); /* copied into another entry */
	b2b_seal_free(&seal);
	b2b_seal_free(&other);
}
END_TEST

START_TEST(test_seal_open__changed)
{
	struct b2b_seal *seal = make_seal("ED25519");
	uint8_t sealed[B2B_SEAL_MAX];
	size_t bytes = close_it(seal, sealed);

	for (size_t i = 0; i < bytes; i++) {
		sealed[i] ^= 0x80;
		ck_assert(!opens(seal, owner, sealed, bytes));
		sealed[i] ^= 0x80;
	}
	for (size_t len = 0; len < bytes; len++) {
		uint8_t *exact = malloc(len ? len : 1);

		memcpy(exact, sealed, len);
		ck_assert(!opens(seal, owner, exact, len));
		free(exact);
	}
	ck_assert(opens(seal, owner, sealed, bytes));
	b2b_seal_free(&seal);
}
END_TEST

START_TEST(test_seal_close__sizes)
{
	struct b2b_seal *seal = make_seal("ED25519");
	char text[B2B_SEAL_SECRET_MAX + 1] = "x";
	uint8_t sealed[B2B_SEAL_MAX];
	struct b2b_str none = { text, 0 }, most = { text, B2B_SEAL_SECRET_MAX },
		       more = { text, B2B_SEAL_SECRET_MAX + 1 };
	size_t bytes;

	ck_assert_int_eq(b2b_seal_close(seal, owner, none, nonce, sealed, &bytes), B2B_ERR_INVALID);
	ck_assert_int_eq(b2b_seal_close(seal, owner, more, nonce, sealed, &bytes), B2B_ERR_INVALID);
	ck_assert_int_eq(b2b_seal_close(NULL, owner, more, nonce, sealed, &bytes), B2B_ERR_INVALID);
	ck_assert_int_eq(b2b_seal_close(seal, owner, most, nonce, sealed, &bytes), B2B_OK);
	ck_assert_uint_eq(bytes, B2B_SEAL_MAX);
	b2b_seal_free(&seal);
}
END_TEST

START_TEST(test_seal_close__in_the_clear)
{
	struct b2b_seal *seal = make_seal("ED25519");
	uint8_t sealed[B2B_SEAL_MAX];
	size_t bytes = close_it(NULL, sealed);

	ck_assert_uint_eq(bytes, secret.len + 1);
	ck_assert(opens(NULL, owner, sealed, bytes));
	ck_assert(opens(seal, owner, sealed, bytes)); /* a key that was configured later */
	b2b_seal_free(&seal);
}
END_TEST

START_TEST(test_seal_new__wrong)
{
	char *encrypted = make_key("ED25519", true);
	const char *const texts[] = { "", "no key", "-----BEGIN PRIVATE KEY-----\n", encrypted };
	struct b2b_seal *seal;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct b2b_error error = { "" };

		ck_assert_int_eq(b2b_seal_new(b2b_str_of(texts[i]), &seal, &error),
				 B2B_ERR_INVALID);
		ck_assert_ptr_null(seal);
		ck_assert_str_ne(error.text, "");
	}
	free(encrypted);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seal");
	TCase *tcase = tcase_create("seal");

	tcase_add_loop_test(tcase, test_seal_open__own, 0, 2);
	tcase_add_test(tcase, test_seal_open__foreign);
	tcase_add_test(tcase, test_seal_open__changed);
	tcase_add_test(tcase, test_seal_close__sizes);
	tcase_add_test(tcase, test_seal_close__in_the_clear);
	tcase_add_test(tcase, test_seal_new__wrong);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
