/*
 * check_oauth.c - OAUTHBEARER messages: the RFC's own, and those that are not quite.
 * In: bytes as a client sends them.  Out: their parts, or a refusal.
 */
#include "entry.h"

#include "oauth.h"
#include "text.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MESSAGE(text)                                                                              \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

struct good {
	struct b2b_str message;
	const char *authzid, *token, *host, *port, *code;
};

static const struct good goods[] = {
	/* RFC 7628, 4.1 and 4.2 */
	{ MESSAGE("n,a=user@example.com,\x01host=server.example.com\x01port=143\x01"
		  "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"),
	  "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", "server.example.com",
	  "143", "" },
	{ MESSAGE("n,,\x01"
		  "auth=Bearer a.b-c_d~e+f/g=\x01\x01"),
	  "", "a.b-c_d~e+f/g=", "", "", "" },
	{ MESSAGE("y,,\x01"
		  "auth=bEARER x\x01\x01"),
	  "", "x", "", "", "" },
	{ MESSAGE("n,a=dn:uid=3Dann=2Cdc=3Dx,\x01"
		  "auth=Bearer  x\x01totp=123456\x01\x01"),
	  "dn:uid=ann,dc=x", "x", "", "", "123456" },
	{ MESSAGE("n,,\x01"
		  "auth=Bearer x\x01port=65535\x01mthd=GET\x01qs=\x01host=[::1]\x01\x01"),
	  "", "x", "[::1]", "65535", "" },
};

START_TEST(test_oauth_parse__right)
{
	const struct good *good = &goods[_i];
	struct b2b_error error = { "" };
	struct b2b_oauth oauth;

	ck_assert_msg(b2b_oauth_parse(good->message, &oauth, &error) == B2B_OK, "%d: %s", _i,
		      error.text);
	ck_assert_str_eq(oauth.authzid, good->authzid);
	ck_assert(b2b_str_equal(oauth.token, b2b_str_of(good->token)));
	ck_assert(b2b_str_equal(oauth.host, b2b_str_of(good->host)));
	ck_assert(b2b_str_equal(oauth.port, b2b_str_of(good->port)));
	ck_assert(b2b_str_equal(oauth.code, b2b_str_of(good->code)));
}
END_TEST

static const struct b2b_str bads[] = {
	MESSAGE(""),
	MESSAGE("\x01"),
	MESSAGE("n"),
	MESSAGE("n,"),
	MESSAGE("n,,"),
	MESSAGE("n,,\x01"),
	MESSAGE("n,,\x01\x01"), /* no token */
	MESSAGE("n,,\x01host=a\x01\x01"),
	MESSAGE("n,,auth=Bearer x\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer x"),
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01"), /* the end is missing */
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01\x01\x01"), /* something behind it */
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01\x01n,,\x01"),
	MESSAGE("p=tls-unique,,\x01"
		"auth=Bearer x\x01\x01"), /* channel binding */
	MESSAGE("F,n,,\x01"
		"auth=Bearer x\x01\x01"), /* non-standard flag of RFC 5801 */
	MESSAGE("N,,\x01"
		"auth=Bearer x\x01\x01"),
	MESSAGE("n,a=,\x01"
		"auth=Bearer x\x01\x01"),
	MESSAGE("n,user,\x01"
		"auth=Bearer x\x01\x01"),
	MESSAGE("n,a=x=2,\x01"
		"auth=Bearer x\x01\x01"),
	MESSAGE("n,a=x=41,\x01"
		"auth=Bearer x\x01\x01"), /* an escape of what needs none */
	MESSAGE("n,a=x\0y,\x01"
		"auth=Bearer x\x01\x01"),
	MESSAGE("n,a=x\ny,\x01"
		"auth=Bearer x\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Basic x\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer \x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer a b\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer a\0b\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer \xc3\xa4\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01"
		"auth=Bearer y\x01\x01"), /* two tokens */
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01port=1\x01port=1\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01port=0\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01port=65536\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01port=00000000001\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01port=-1\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01port=\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01host=\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01host=a b\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01totp=12345\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01totp=1234567\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01totp=12345a\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01=y\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01key\x01\x01"),
	MESSAGE("n,,\x01"
		"auth=Bearer x\x01k3y=1\x01\x01"),
};

START_TEST(test_oauth_parse__wrong)
{
	struct b2b_error error = { "" };
	struct b2b_oauth oauth;

	ck_assert_msg(b2b_oauth_parse(bads[_i], &oauth, &error) == B2B_ERR_INVALID, "%d passed",
		      _i);
	ck_assert_str_ne(error.text, "");
}
END_TEST

/* Every beginning of a right message is a wrong one. */
START_TEST(test_oauth_parse__cut_short)
{
	struct b2b_oauth oauth;

	for (size_t i = 0; i < COUNT(goods); i++) {
		for (size_t len = 0; len < goods[i].message.len; len++) {
			char *exact = malloc(len ? len : 1);
			struct b2b_str message = { exact, len };

			memcpy(exact, goods[i].message.s, len);
			ck_assert_int_eq(b2b_oauth_parse(message, &oauth, NULL), B2B_ERR_INVALID);
			free(exact);
		}
	}
}
END_TEST

START_TEST(test_oauth_parse__authzid_too_long)
{
	static char text[2 * B2B_OAUTH_AUTHZID_MAX];
	struct b2b_oauth oauth;

	for (size_t extra = 0; extra < 2; extra++) {
		size_t len = B2B_OAUTH_AUTHZID_MAX + extra;
		int bytes = sprintf(text,
				    "n,a=%0*d,\x01"
				    "auth=Bearer x\x01\x01",
				    (int)len, 1);
		struct b2b_str message = { text, (size_t)bytes };

		ck_assert_int_eq(b2b_oauth_parse(message, &oauth, NULL),
				 extra ? B2B_ERR_INVALID : B2B_OK);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("oauth");
	TCase *tcase = tcase_create("parse");

	tcase_add_loop_test(tcase, test_oauth_parse__right, 0, (int)COUNT(goods));
	tcase_add_loop_test(tcase, test_oauth_parse__wrong, 0, (int)COUNT(bads));
	tcase_add_test(tcase, test_oauth_parse__cut_short);
	tcase_add_test(tcase, test_oauth_parse__authzid_too_long);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
