/*
 * bench_jose.c - how many signed tokens a second of CPU can be checked.
 * In: nothing; keys and tokens are made here.
 * Out: for each algorithm: tokens a second through jose.h, bare EVP_DigestVerify of the same bytes,
 * and the ratio of the two, which take turns.
 */
#include "jose.h"
#include "text.h"

#include "../unit/jose_make.h"

#include <time.h>

#define ROUNDS 20u
#define PAYLOAD                                                                                    \
	"{\"iss\":\"https://login.partner.example/6f1c2d3e-0001-4b5a-9c8d-000000000001/v2.0\","    \
	"\"sub\":\"AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ\",\"aud\":\"6cb04018-a3f5-46a7-"    \
	"b995-940c78f5aef3\",\"exp\":1800003600,\"iat\":1800000000,\"nbf\":1800000000,\"auth_"     \
	"time\":1799999990,\"name\":\"Abe Lincoln\",\"preferred_username\":\"abeli@partner."       \
	"example\",\"email\":\"abeli@partner.example\",\"email_verified\":true,\"amr\":[\"pwd\","  \
	"\"mfa\"],\"groups\":[\"staff\",\"audit\"],\"jti\":\"0a4d11d8-2f6b-4e0c-9a52-"             \
	"0b6f7c31a9d25\"}"

struct subject {
	EVP_PKEY *pkey;
	struct test_signer signer;
	struct b2b_jwks *keys;
	struct b2b_str token;
	struct b2b_str input;
	uint8_t signature[TEST_SIGNATURE_MAX]; /* as OpenSSL has it */
	size_t signature_len;
};

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void check(const struct subject *subject)
{
	struct b2b_jws jws;

	test_need(b2b_jws_parse(subject->token, &jws, NULL) == B2B_OK);
	test_need(b2b_jws_check(&jws, subject->keys, B2B_ALGS_ALL, NULL) == B2B_OK);
	b2b_jws_clear(&jws);
}

static void verify(const struct subject *subject)
{
	const struct test_signer *signer = &subject->signer;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;

	test_need(ctx && EVP_DigestVerifyInit_ex(ctx, &pctx, signer->hash, NULL, NULL,
						 subject->pkey, NULL) > 0);
	if (signer->padding == RSA_PKCS1_PSS_PADDING)
		test_need(EVP_PKEY_CTX_set_rsa_padding(pctx, signer->padding) > 0 &&
			  EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) > 0);
	test_need(EVP_DigestVerify(ctx, subject->signature, subject->signature_len,
				   (const uint8_t *)subject->input.s, subject->input.len) == 1);
	EVP_MD_CTX_free(ctx);
}

static double time_of(void (*work)(const struct subject *), const struct subject *subject,
		      unsigned count)
{
	double start = now_ns();

	for (unsigned i = 0; i < count; i++)
		work(subject);
	return now_ns() - start;
}

static void make(struct subject *subject, const char *type, const char *alg)
{
	const char *header = test_text("{\"typ\":\"JWT\",\"alg\":\"%s\",\"kid\":\"%s\"}", alg,
				       "-KI3Q9nNR7bRofxmeZoXqbHZGew");
	char *input = test_input(header, PAYLOAD);
	uint8_t raw[TEST_SIGNATURE_MAX] = { 0 };

	subject->pkey = test_new_key(type);
	subject->signer = test_signer(subject->pkey, alg);
	subject->signer.der = true;
	subject->signature_len = test_sign(&subject->signer, input, subject->signature);
	subject->input = b2b_str_of(input);
	if (EVP_PKEY_is_a(subject->pkey, "EC"))
		subject->token =
			b2b_str_of(test_join(input, raw,
					     test_raw_ecdsa(subject->pkey, subject->signature,
							    subject->signature_len, raw)));
	else
		subject->token =
			b2b_str_of(test_join(input, subject->signature, subject->signature_len));
	test_need(b2b_jwks_parse(b2b_str_of(test_text(
					 "{\"keys\":[%s]}",
					 test_jwk(subject->pkey,
						  "\"kid\":\"-KI3Q9nNR7bRofxmeZoXqbHZGew\","))),
				 &subject->keys, NULL) == B2B_OK);
}

int main(void)
{
	static const struct {
		const char *alg, *type;
		unsigned count; /* of checks in a turn */
	} cases[] = {
		{ "RS256", "RSA2048", 1000 },
		{ "PS256", "RSA2048", 1000 },
		{ "ES256", "P-256", 400 },
		{ "EdDSA", "ED25519", 400 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		double ours = 0, bare = 0, total = ROUNDS * 1e9 * cases[i].count;
		struct subject subject;

		make(&subject, cases[i].type, cases[i].alg);
		for (unsigned round = 0; round < ROUNDS; round++) {
			ours += time_of(check, &subject, cases[i].count);
			bare += time_of(verify, &subject, cases[i].count);
		}
		printf("%s: %.0f tokens a second (payload of %zu bytes), EVP_DigestVerify %.0f, "
		       "ratio %.2f\n",
		       cases[i].alg, total / ours, strlen(PAYLOAD), total / bare, bare / ours);
		b2b_jwks_free(&subject.keys);
		EVP_PKEY_free(subject.pkey);
	}
	return EXIT_SUCCESS;
}
