/*
 * fuzz_token.c - throws bytes at what reads tokens and their claims, under a fixed policy.
 * In: bytes; the first says how: 't' a whole token, 's' claims to be signed first, 'f' or 'o' claims
 * of that partner; the rest is the text.
 * Out: nothing, unless a promise of token.h is broken: then it aborts.
 */
#include "fuzz_main.h"
#include "text.h"
#include "token.h"

#include <openssl/evp.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define NOW ((time_t)1800000000)
#define HEADER "eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ" /* {"alg":"EdDSA","kid":"k"} */

/* Partner fab has an issuer of its own; one and two have a common one.  The only key is that whose
 * secret half is 32 zero bytes, so that tokens can be signed here and in the corpus. */
static const char keys[] = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":"
			   "\"O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik\"}]}";
static const struct {
	enum b2b_rule_kind kind;
	const char *dn, *lines;
} entries[] = {
	{ B2B_RULE_PARTNER, "b2btenantid=fab,cn=partners",
	  "b2bTenantId: fab\nb2bIdp: oidc\nb2bIssuer: https://fab.example\nb2bAudience: directory\n"
	  "b2bMfaClaim: amr=mfa\nb2bMfaClaim: loa=3\nb2bMfaClaim: strong=true\n"
	  "b2bCompliantDeviceClaim: iscompliant=true\nb2bHybridJoinedClaim: trust=ServerAd\n" },
	{ B2B_RULE_PARTNER, "b2btenantid=one,cn=partners",
	  "b2bTenantId: one\nb2bIdp: oidc\nb2bIssuer: https://shared.example\n"
	  "b2bAudience: directory\nb2bTenantClaim: hd=1\nb2bTenantClaim: hd=one.example\n"
	  "b2bSubjectClaim: oid\nb2bGroupsClaim: roles\n" },
	{ B2B_RULE_PARTNER, "b2btenantid=two,cn=partners",
	  "b2bTenantId: two\nb2bIdp: oidc\nb2bIssuer: https://shared.example\n"
	  "b2bAudience: directory\nb2bTenantClaim: hd=2\nb2bTenantClaim: paid=true\n" },
	{ B2B_RULE_APP, "cn=wiki", "cn: wiki\nb2bAppAudience: api://wiki\nb2bAppAudience: wiki" },
	{ B2B_RULE_APP, "cn=pay", "cn: pay\nb2bAppAudience: api://pay" },
};

struct scene {
	struct b2b_snapshot *snapshot;
	EVP_PKEY *pair;
};

static void promise(bool kept)
{
	if (!kept)
		abort();
}

/* entry: lines "name: value". */
static bool line_value(const void *entry, enum b2b_attr attr, size_t index, struct b2b_str *value_r)
{
	for (const char *line = entry; *line; line += *line == '\n') {
		size_t name_length = strcspn(line, ":"), length = strcspn(line, "\n");
		char name[64] = "";

		promise(name_length < sizeof name && name_length + 2 < length);
		memcpy(name, line, name_length);
		if (b2b_attr_find(name) == attr && index-- == 0) {
			value_r->s = line + name_length + 2;
			value_r->len = length - name_length - 2;
			return true;
		}
		line += length;
	}
	return false;
}

static void add(struct scene *scene, size_t number)
{
	bool partner = entries[number].kind == B2B_RULE_PARTNER;
	struct b2b_source source = { entries[number].dn, NULL, line_value };
	struct b2b_snapshot *next;
	struct b2b_rule *rule;
	char text[1024];

	snprintf(text, sizeof text, "%s%s%s", entries[number].lines, partner ? "b2bJwks: " : "",
		 partner ? keys : "");
	source.entry = text;
	promise(b2b_rule_compile(entries[number].kind, &source, &rule, NULL) == B2B_OK);
	next = b2b_snapshot_with(scene->snapshot, rule);
	b2b_snapshot_unref(&scene->snapshot);
	b2b_rule_unref(&rule);
	scene->snapshot = next;
}

/* Made once; the program's end frees it. */
static const struct scene *set_scene(void)
{
	static const unsigned char secret[32];
	static struct scene scene;

	if (scene.snapshot)
		return &scene;
	scene.snapshot = b2b_snapshot_new();
	for (size_t i = 0; i < COUNT(entries); i++)
		add(&scene, i);
	scene.pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof secret);
	promise(scene.pair != NULL);
	return &scene;
}

static bool is_plain(const char *text)
{
	if (strlen(text) < 1 || strlen(text) > 1024)
		return false;
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			return false;
	return true;
}

static void check_identity(const struct b2b_snapshot *snapshot, const struct b2b_identity *identity)
{
	const struct b2b_rule *app = identity->app;

	promise(identity->partner->kind == B2B_RULE_PARTNER && !identity->partner->invalid);
	promise(!app || app == b2b_snapshot_rule(snapshot, app->dn));
	promise(is_plain(identity->subject) && (!identity->email || is_plain(identity->email)));
	promise(strncmp(identity->id, "jti:", 4) == 0 ||
		(strncmp(identity->id, "sha256:", 7) == 0 && strlen(identity->id) == 7 + 64));
	promise(identity->expires > NOW - B2B_TOKEN_LEEWAY_SECS - 1);
	promise(identity->authenticated >= 0 && identity->authenticated <= NOW);
	promise(identity->groups_known || identity->group_count == 0);
	promise(identity->group_count <= 1000);
	for (size_t i = 0; i < identity->group_count; i++)
		promise(strlen(identity->groups[i].s) == identity->groups[i].len);
}

static void check_answer(const struct b2b_snapshot *snapshot, enum b2b_err err,
			 const struct b2b_identity *identity, const struct b2b_error *why)
{
	promise((err == B2B_OK) == (identity != NULL));
	promise((err == B2B_OK) == (why->text[0] == '\0') && err != B2B_ERR_MEMORY);
	promise(!strpbrk(why->text, "\n\r\033"));
	if (identity)
		check_identity(snapshot, identity);
}

static enum b2b_err try_claims(const char *dn, struct b2b_str claims)
{
	const struct b2b_snapshot *snapshot = set_scene()->snapshot;
	struct b2b_identity *identity;
	struct b2b_error why = { "untouched" };
	enum b2b_err err = b2b_token_read_claims(snapshot, b2b_snapshot_rule(snapshot, dn), claims,
						 NOW, &identity, &why);

	check_answer(snapshot, err, identity, &why);
	promise(err != B2B_OK || strcmp(identity->partner->dn, dn) == 0);
	b2b_identity_free(&identity);
	return err;
}

/* Gives back a copy of the partner's DN, or "" where the token is refused. */
static void try_token(struct b2b_str token, char dn_r[64])
{
	const struct b2b_snapshot *snapshot = set_scene()->snapshot;
	struct b2b_identity *identity;
	struct b2b_error why = { "untouched" };
	enum b2b_err err = b2b_token_verify(snapshot, token, NOW, &identity, &why);

	check_answer(snapshot, err, identity, &why);
	snprintf(dn_r, 64, "%s", identity ? identity->partner->dn : "");
	b2b_identity_free(&identity);
}

/* Appends base64url without padding; returns the end. */
static char *append(char *end, const unsigned char *bytes, size_t length)
{
	char *start = end;

	end += EVP_EncodeBlock((unsigned char *)end, bytes, (int)length);
	while (end[-1] == '=')
		*--end = '\0';
	for (char *c = start; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	return end;
}

/* Claims that are signed are right for one partner at most, and as they are without a signature. */
static void try_signed(struct b2b_str claims)
{
	const struct scene *scene = set_scene();
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char signature[64];
	size_t length = sizeof signature, right = 0;
	char *token = malloc(claims.len * 2 + 512), *end = token, dn[64];

	if (claims.len == 0 || claims.len > B2B_TOKEN_MAX_BYTES || !token || !context)
		goto done;
	end += sprintf(token, "%s.", HEADER);
	end = append(end, (const unsigned char *)claims.s, claims.len);
	promise(EVP_DigestSignInit(context, NULL, NULL, NULL, scene->pair) == 1);
	promise(EVP_DigestSign(context, signature, &length, (unsigned char *)token,
			       (size_t)(end - token)) == 1);
	*end++ = '.';
	end = append(end, signature, length);
	try_token((struct b2b_str){ token, (size_t)(end - token) }, dn);
	if (end - token > (ptrdiff_t)B2B_TOKEN_MAX_BYTES)
		goto done;
	for (size_t i = 0; i < 3; i++) {
		bool good = try_claims(entries[i].dn, claims) == B2B_OK;

		right += good ? 1 : 0;
		promise(good || strcmp(dn, entries[i].dn) != 0);
		/* what could be of two partners is refused, whatever each of them would say */
		promise(!good || strcmp(dn, entries[i].dn) == 0 || (i > 0 && !*dn));
	}
	promise(right == 1 || !*dn);
done:
	EVP_MD_CTX_free(context);
	free(token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct b2b_str text = { (const char *)data + 1, size - 1 };
	char dn[64];

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 't':
		try_token(text, dn);
		break;
	case 's':
		try_signed(text);
		break;
	case 'o':
		try_claims(entries[1].dn, text);
		break;
	default:
		try_claims(entries[0].dn, text);
		break;
	}
	return 0;
}
