/*
 * check_ticket.c - unit tests of draw.c and ticket.c: what the tenant's servers made opens, nothing else.
 * In: the private key of RFC 8410, 10.3; values that were calculated apart from OpenSSL.
 * Out: libcheck's summary.
 */
#include "entry.h"

#include "draw.h"
#include "text.h"
#include "ticket.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define NOW ((time_t)1800000000)

/* RFC 8410, 10.3; and the same written in another way. */
static const char key_pem[] = "-----BEGIN PRIVATE KEY-----\n"
			      "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
			      "-----END PRIVATE KEY-----\n";
static const char windows_pem[] =
	"Made on 2030-01-01\r\n"
	"-----BEGIN PRIVATE KEY-----\r\n"
	"MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06\r\n/nwoy/HU++CXqI9EdVhC\r\n"
	"-----END PRIVATE KEY-----\r\n";
static const struct b2b_str tenant = { "cn=b2b,dc=ours,dc=example", 25 };
static const struct b2b_str uuid = { "0b6e3c26-93a1-4d9e-8f53-2a7c51c0de42", 36 };
static const struct b2b_str to = { "alice@home.example", 18 };
static const char ticket_text[] =
	"C248JpOhTZ6PUyp8UcDeQgAAAABrSdIAvAg_iDbl113RpZTfnV-g6yu7280y2FC6sqH5bVnjRIk";

static struct b2b_mint *make_mint(const char *pem)
{
	struct b2b_error error = { "" };
	struct b2b_mint *mint;

	ck_assert_msg(b2b_mint_new(b2b_str_of(pem), &mint, &error) == B2B_OK, "%s", error.text);
	return mint;
}

static struct b2b_mint *make_other(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	struct b2b_mint *mint;
	char *data, *text;
	long bytes;

	ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	bytes = BIO_get_mem_data(bio, &data);
	text = calloc(1, (size_t)bytes + 1);
	memcpy(text, data, (size_t)bytes);
	mint = make_mint(text);
	free(text);
	BIO_free(bio);
	EVP_PKEY_free(key);
	return mint;
}

/* Whether the ticket opens; if it does, to what it was made from. */
static bool opens(const struct b2b_mint *mint, struct b2b_str of, const char *text, size_t bytes)
{
	char *exact = malloc(bytes ? bytes : 1), uuid_r[B2B_UUID_SIZE] = "untouched";
	struct b2b_str ticket = { exact, bytes };
	time_t when = -1;
	enum b2b_err err;

	memcpy(exact, text, bytes);
	err = b2b_ticket_open(mint, of, ticket, uuid_r, &when);
	free(exact);
	if (err != B2B_OK) {
		ck_assert_int_eq(err, B2B_ERR_INVALID);
		ck_assert_str_eq(uuid_r, "");
		ck_assert_int_eq(when, 0);
		return false;
	}
	ck_assert_str_eq(uuid_r, uuid.s);
	ck_assert_int_eq(when, NOW);
	return true;
}

static void show_hex(const uint8_t *bytes, size_t count, char *text_r)
{
	for (size_t i = 0; i < count; i++)
		snprintf(text_r + 2 * i, 3, "%02x", bytes[i]);
}

/* Seals and tickets that were made before must open tomorrow: the keys are these and no others. */
START_TEST(test_draw_keys__hkdf)
{
	static const char *const pems[] = { key_pem, windows_pem };
	uint8_t seal[B2B_DRAW_BYTES], same[B2B_DRAW_BYTES], other[B2B_DRAW_BYTES];
	struct b2b_draw draws[] = { { "slapo-b2b seal 1", seal },
				    { "slapo-b2b seal 1", same },
				    { "slapo-b2b seal 2", other } };
	struct b2b_error error = { "" };
	char text[2 * B2B_DRAW_BYTES + 1];

	ck_assert_msg(b2b_draw_keys(b2b_str_of(pems[_i]), draws, COUNT(draws), &error) == B2B_OK,
		      "%s", error.text);
	show_hex(seal, sizeof seal, text);
	ck_assert_str_eq(text, "7e3c5e455572492d40b27b457008bb8be8404321ba3c92c9589a1b4cd52b7f7c");
	ck_assert_int_eq(memcmp(seal, same, sizeof seal), 0);
	ck_assert_int_ne(memcmp(seal, other, sizeof seal), 0);
}
END_TEST

START_TEST(test_mint_new__wrong)
{
	static const char empty[] =
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
	static const char *const pems[] = { "", "no key", "-----BEGIN PRIVATE KEY-----\n", empty };

	for (size_t i = 0; i < COUNT(pems); i++) {
		struct b2b_mint *mint = (void *)1;
		struct b2b_error error = { "" };

		ck_assert_int_eq(b2b_mint_new(b2b_str_of(pems[i]), &mint, &error), B2B_ERR_INVALID);
		ck_assert_ptr_null(mint);
		ck_assert_str_eq(error.text, "is no unencrypted private key in PEM");
		b2b_mint_free(&mint);
	}
	b2b_mint_free(NULL);
}
END_TEST

START_TEST(test_ticket_make__known)
{
	struct b2b_mint *mint = make_mint(key_pem);
	struct b2b_str upper = { "0B6E3C26-93A1-4D9E-8F53-2A7C51C0DE42", 36 };
	char ticket[B2B_TICKET_SIZE];

	ck_assert_int_eq(b2b_ticket_make(mint, tenant, uuid, NOW, ticket), B2B_OK);
	ck_assert_str_eq(ticket, ticket_text);
	ck_assert_int_eq(b2b_ticket_make(mint, tenant, upper, NOW, ticket), B2B_OK);
	ck_assert_str_eq(ticket, ticket_text);
	ck_assert(opens(mint, tenant, ticket, strlen(ticket)));
	b2b_mint_free(&mint);
	ck_assert_ptr_null(mint);
}
END_TEST

START_TEST(test_ticket_make__wrong)
{
	static const char *const uuids[] = { "",
					     "0b6e3c26-93a1-4d9e-8f53-2a7c51c0de4",
					     "0b6e3c26-93a1-4d9e-8f53-2a7c51c0de422",
					     "0b6e3c26x93a1-4d9e-8f53-2a7c51c0de42",
					     "0b6e3c2g-93a1-4d9e-8f53-2a7c51c0de42",
					     "0b6e3c2--93a1-4d9e-8f53-2a7c51c0de42",
					     "0b6e3c2693a1-4d9e-8f53-2a7c51c0de421" };
	struct b2b_mint *mint = make_mint(key_pem);
	char ticket[B2B_TICKET_SIZE] = "x";

	for (size_t i = 0; i < COUNT(uuids); i++)
		ck_assert_int_eq(b2b_ticket_make(mint, tenant, b2b_str_of(uuids[i]), NOW, ticket),
				 B2B_ERR_INVALID);
	ck_assert_int_eq(b2b_ticket_make(mint, b2b_str_of(""), uuid, NOW, ticket), B2B_ERR_INVALID);
	ck_assert_int_eq(b2b_ticket_make(mint, tenant, uuid, 0, ticket), B2B_ERR_INVALID);
	ck_assert_int_eq(b2b_ticket_make(mint, tenant, uuid, -1, ticket), B2B_ERR_INVALID);
	ck_assert_str_eq(ticket, "");
	b2b_mint_free(&mint);
}
END_TEST

START_TEST(test_ticket_open__foreign)
{
	struct b2b_mint *mint = make_mint(key_pem), *other = make_other();
	char theirs[B2B_TICKET_SIZE];

	ck_assert_int_eq(b2b_ticket_make(other, tenant, uuid, NOW, theirs), B2B_OK);
	ck_assert(opens(other, tenant, theirs, strlen(theirs)));
	ck_assert(!opens(mint, tenant, theirs, strlen(theirs)));
	ck_assert(!opens(other, tenant, ticket_text, strlen(ticket_text)));
	/* one server, one key, two tenants */
	ck_assert(!opens(mint, b2b_str_of("cn=b2b,dc=ours,dc=exampl"), ticket_text, 75));
	ck_assert(!opens(mint, b2b_str_of("cn=b2b,dc=ours,dc=example2"), ticket_text, 75));
	ck_assert(!opens(mint, b2b_str_of("CN=b2b,dc=ours,dc=example"), ticket_text, 75));
	ck_assert(!opens(mint, b2b_str_of(""), ticket_text, 75));
	b2b_mint_free(&mint);
	b2b_mint_free(&other);
}
END_TEST

/* Every bit of it counts: each character is replaced by each other one of the alphabet. */
START_TEST(test_ticket_open__changed)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. ";
	struct b2b_mint *mint = make_mint(key_pem);
	char text[] = "C248JpOhTZ6PUyp8UcDeQgAAAABrSdIAvAg_iDbl113RpZTfnV-g6yu7280y2FC6sqH5bVnjRIk";

	for (size_t i = 0; text[i]; i++) {
		char was = text[i];

		for (const char *c = alphabet; *c; c++) {
			text[i] = *c;
			ck_assert_msg(opens(mint, tenant, text, 75) == (*c == was), "%zu: %c", i,
				      *c);
		}
		text[i] = '\0';
		ck_assert(!opens(mint, tenant, text, 75));
		text[i] = was;
	}
	ck_assert(opens(mint, tenant, text, 75));
	b2b_mint_free(&mint);
}
END_TEST

START_TEST(test_ticket_open__length)
{
	struct b2b_mint *mint = make_mint(key_pem);
	char text[160] = "";

	for (size_t length = 0; length < 75; length++)
		ck_assert(!opens(mint, tenant, ticket_text, length));
	snprintf(text, sizeof text, "%s=%s", ticket_text, ticket_text);
	for (size_t length = 76; length <= 151; length++)
		ck_assert(!opens(mint, tenant, text, length));
	snprintf(text, sizeof text, " %s", ticket_text);
	ck_assert(!opens(mint, tenant, text, 75));
	b2b_mint_free(&mint);
}
END_TEST

/* Each key has one purpose: what one made is nothing under another. */
START_TEST(test_passcode_make__known)
{
	struct b2b_mint *mint = make_mint(key_pem);
	char code[B2B_PASSCODE_DIGITS + 1];
	uint8_t hash[B2B_PASSCODE_HASH];
	char text[2 * B2B_PASSCODE_HASH + 1];

	ck_assert_int_eq(b2b_passcode_make(mint, b2b_str_of("passcode-7f3a"), code), B2B_OK);
	ck_assert_str_eq(code, "46598772");
	ck_assert_int_eq(b2b_passcode_make(mint, b2b_str_of("passcode-2"), code), B2B_OK);
	ck_assert_str_eq(code, "05268944"); /* the zero stays */
	ck_assert_int_eq(b2b_passcode_hash(mint, uuid, to, b2b_str_of("46598772"), hash), B2B_OK);
	show_hex(hash, sizeof hash, text);
	ck_assert_str_eq(text, "bec72a6673ecdffe5d35347540b95e016d25d3d017560b805f803b211eb6a897");
	ck_assert_int_eq(b2b_passcode_make(mint, b2b_str_of(""), code), B2B_ERR_INVALID);
	ck_assert_str_eq(code, "");
	b2b_mint_free(&mint);
}
END_TEST

/* All digits come at all places; 4000 codes hardly ever repeat (birthday: some 0.08). */
START_TEST(test_passcode_make__spread)
{
	struct b2b_mint *mint = make_mint(key_pem);
	unsigned seen[B2B_PASSCODE_DIGITS][10] = { { 0 } };

	for (int i = 0; i < 4000; i++) {
		char code[B2B_PASSCODE_DIGITS + 1], name[32];

		snprintf(name, sizeof name, "n-%d", i);
		ck_assert_int_eq(b2b_passcode_make(mint, b2b_str_of(name), code), B2B_OK);
		ck_assert(b2b_passcode_is_like(b2b_str_of(code)));
		for (size_t place = 0; place < B2B_PASSCODE_DIGITS; place++)
			seen[place][code[place] - '0']++;
	}
	/* 400 of each are expected, with a deviation of 19 */
	for (size_t place = 0; place < B2B_PASSCODE_DIGITS; place++)
		for (size_t digit = 0; digit < 10; digit++)
			ck_assert_msg(seen[place][digit] > 280 && seen[place][digit] < 520,
				      "%zu at %zu: %u", digit, place, seen[place][digit]);
	b2b_mint_free(&mint);
}
END_TEST

START_TEST(test_passcode_hash__bound)
{
	const char *const mail = "Alice@home.example";
	char far[256] = { 0 };
	const struct {
		const char *uuid, *to, *code;
		enum b2b_err err;
	} cases[] = {
		{ "0B6E3C26-93A1-4D9E-8F53-2A7C51C0DE42", "aLICE@HOME.example", "46598772",
		  B2B_OK }, /* the same */
		{ "0b6e3c26-93a1-4d9e-8f53-2a7c51c0de43", mail, "46598772", B2B_OK },
		{ "0b6e3c26-93a1-4d9e-8f53-2a7c51c0de42", mail, "46598773", B2B_OK },
		{ "0b6e3c26-93a1-4d9e-8f53-2a7c51c0de42", mail, "4659877", B2B_ERR_INVALID },
		{ "0b6e3c26-93a1-4d9e-8f53-2a7c51c0de42", mail, "465987720", B2B_ERR_INVALID },
		{ "0b6e3c26-93a1-4d9e-8f53-2a7c51c0de42", mail, "4659877x", B2B_ERR_INVALID },
		{ "0b6e3c26-93a1-4d9e-8f53-2a7c51c0de42", mail, "", B2B_ERR_INVALID },
		{ "uid=g", mail, "46598772", B2B_ERR_INVALID },
		{ "0b6e3c26-93a1-4d9e-8f53-2a7c51c0de42", "alice@home.exampl", "46598772", B2B_OK },
		{ "0b6e3c26-93a1-4d9e-8f53-2a7c51c0de42", "", "46598772", B2B_ERR_INVALID },
		{ "0b6e3c26-93a1-4d9e-8f53-2a7c51c0de42", far, "46598772", B2B_ERR_INVALID },
	};
	struct b2b_mint *mint = make_mint(key_pem), *other = make_other();
	uint8_t hash[B2B_PASSCODE_HASH], again[B2B_PASSCODE_HASH];

	memset(far, 'a', sizeof far - 1);
	ck_assert_int_eq(b2b_passcode_hash(mint, uuid, to, b2b_str_of("46598772"), hash), B2B_OK);
	for (size_t i = 0; i < COUNT(cases); i++) {
		ck_assert_int_eq(b2b_passcode_hash(mint, b2b_str_of(cases[i].uuid),
						   b2b_str_of(cases[i].to),
						   b2b_str_of(cases[i].code), again),
				 cases[i].err);
		ck_assert_msg((memcmp(hash, again, sizeof hash) == 0) == (i == 0), "%zu", i);
	}
	ck_assert_int_eq(b2b_passcode_hash(other, uuid, to, b2b_str_of("46598772"), again), B2B_OK);
	ck_assert_int_ne(memcmp(hash, again, sizeof hash), 0);
	b2b_mint_free(&mint);
	b2b_mint_free(&other);
}
END_TEST

START_TEST(test_passcode_is_like__digits)
{
	static const struct {
		const char *text;
		bool like;
	} cases[] = { { "00000000", true },
		      { "99999999", true },
		      { "1234567", false },
		      { "123456789", false },
		      { "", false },
		      { "?", false },
		      { "1234567a", false },
		      { " 1234567", false },
		      { "-1234567", false },
		      { "1234567:", false },
		      { "1234567/", false },
		      { "\xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4", false } /* four digits of Arabic */ };

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(b2b_passcode_is_like(b2b_str_of(cases[i].text)) == cases[i].like,
			      "%s", cases[i].text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ticket");
	TCase *tcase = tcase_create("ticket");

	tcase_add_loop_test(tcase, test_draw_keys__hkdf, 0, 2);
	tcase_add_test(tcase, test_mint_new__wrong);
	tcase_add_test(tcase, test_ticket_make__known);
	tcase_add_test(tcase, test_ticket_make__wrong);
	tcase_add_test(tcase, test_ticket_open__foreign);
	tcase_add_test(tcase, test_ticket_open__changed);
	tcase_add_test(tcase, test_ticket_open__length);
	tcase_add_test(tcase, test_passcode_make__known);
	tcase_add_test(tcase, test_passcode_make__spread);
	tcase_add_test(tcase, test_passcode_hash__bound);
	tcase_add_test(tcase, test_passcode_is_like__digits);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
