/*
 * policy_token.c - a partner's entry: what its tokens must be like, and what their claims mean.
 * In: a b2bPartner entry.
 * Out: struct b2b_token_settings; what cannot be read never makes a token right.
 */
#include "jose.h"
#include "policy_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const mfa_defaults[] = { "amr=mfa",
					    "amr=http://schemas.microsoft.com/claims/multipleauthn",
					    "acr=https://refeds.org/profile/mfa" };

static void free_claims(struct b2b_claims *claims)
{
	for (size_t i = 0; i < claims->count; i++)
		free(claims->list[i].name);
	free(claims->list);
	claims->list = NULL;
	claims->count = 0;
}

void b2b_policy_free_token(struct b2b_token_settings *token)
{
	free(token->issuer);
	b2b_policy_free_list(token->audiences, token->audience_count);
	b2b_jwks_free(&token->keys);
	free(token->subject_claim);
	free(token->groups_claim);
	free_claims(&token->tenant);
	free_claims(&token->mfa);
	free_claims(&token->compliant_device);
	free_claims(&token->hybrid_joined);
}

/* text is "name=value", both of one character at least. */
static void append_claim(struct b2b_reader *reader, struct b2b_str text, struct b2b_claims *claims)
{
	struct b2b_claim *longer = realloc(claims->list, (claims->count + 1) * sizeof *longer);
	char *name = b2b_str_dup(text), *equals = name ? strchr(name, '=') : NULL;

	if (longer)
		claims->list = longer;
	if (!longer || !equals) {
		free(name);
		reader->no_memory = true;
		return;
	}
	*equals = '\0';
	longer[claims->count].name = name;
	longer[claims->count++].value = equals + 1;
}

/* Returns whether the entry says anything. */
static bool read_claims(struct b2b_reader *reader, enum b2b_attr attr, struct b2b_claims *claims)
{
	struct b2b_str value;
	size_t index = 0;

	while (b2b_read_next(reader, attr, &index, &value)) {
		const char *equals = memchr(value.s, '=', value.len);

		if (!equals || equals == value.s || equals + 1 == value.s + value.len)
			b2b_read_refuse(reader, attr, value, "is not name=value");
		else
			append_claim(reader, value, claims);
	}
	return index > 1;
}

/* Where one of them cannot be read, none is kept: the entry may then mean any tenant of its issuer,
 * and no other partner's tokens are taken for those of a tenant that may be this one. */
static void read_tenant_claims(struct b2b_reader *reader, struct b2b_claims *claims)
{
	struct b2b_error error = { "" };
	struct b2b_reader here = { .source = reader->source, .error = &error };

	read_claims(&here, B2B_ATTR_TENANT_CLAIM, claims);
	reader->no_memory = reader->no_memory || here.no_memory;
	if (!here.invalid)
		return;
	free_claims(claims);
	if (!reader->invalid && reader->error)
		*reader->error = error;
	reader->invalid = true;
}

static void read_mfa_claims(struct b2b_reader *reader, struct b2b_claims *claims)
{
	if (read_claims(reader, B2B_ATTR_MFA_CLAIM, claims))
		return;
	for (size_t i = 0; i < COUNT(mfa_defaults); i++)
		append_claim(reader, b2b_str_of(mfa_defaults[i]), claims);
}

static void read_keys(struct b2b_reader *reader, struct b2b_token_settings *token)
{
	struct b2b_error why = { "" };
	struct b2b_str value;
	char what[sizeof why.text + 32];

	if (!b2b_read_one(reader, B2B_ATTR_JWKS, &value))
		return;
	switch (b2b_jwks_parse(value, &token->keys, &why)) {
	case B2B_OK:
		return;
	case B2B_ERR_MEMORY:
		reader->no_memory = true;
		return;
	case B2B_ERR_INVALID:
		break;
	}
	snprintf(what, sizeof what, "is no good key set: %s", why.text);
	b2b_read_refuse(reader, B2B_ATTR_JWKS, value, what);
}

static unsigned read_algs(struct b2b_reader *reader)
{
	struct b2b_str value;
	unsigned algs = 0;
	size_t index = 0;

	while (b2b_read_next(reader, B2B_ATTR_TOKEN_ALGORITHM, &index, &value)) {
		enum b2b_alg alg = b2b_alg_find(value);

		if (alg == B2B_ALG_NONE)
			b2b_read_refuse(reader, B2B_ATTR_TOKEN_ALGORITHM, value,
					"is not a signature algorithm such as RS256 or ES256");
		algs |= (unsigned)alg;
	}
	return index > 1 ? algs : B2B_ALGS_ALL;
}

static void read_claim_name(struct b2b_reader *reader, enum b2b_attr attr, const char *otherwise,
			    char **name_r)
{
	if (b2b_read_text(reader, attr, name_r))
		return;
	*name_r = b2b_str_dup(b2b_str_of(otherwise));
	if (!*name_r)
		reader->no_memory = true;
}

/* Whoever can change what comes over the network makes the keys; loopback is no network. */
static void read_keys_uri(struct b2b_reader *reader)
{
	struct b2b_str value;

	if (b2b_read_one(reader, B2B_ATTR_JWKS_URI, &value) && !b2b_link_is_web(value))
		b2b_read_refuse(reader, B2B_ATTR_JWKS_URI, value,
				"is not https://host[:port]/path (http:// is for loopback)");
}

void b2b_policy_read_token(struct b2b_reader *reader, struct b2b_token_settings *token)
{
	b2b_read_text(reader, B2B_ATTR_ISSUER, &token->issuer);
	b2b_read_list(reader, B2B_ATTR_AUDIENCE, &token->audiences, &token->audience_count);
	read_keys(reader, token);
	read_keys_uri(reader);
	token->algs = read_algs(reader);
	read_claim_name(reader, B2B_ATTR_SUBJECT_CLAIM, "sub", &token->subject_claim);
	read_claim_name(reader, B2B_ATTR_GROUPS_CLAIM, "groups", &token->groups_claim);
	read_tenant_claims(reader, &token->tenant);
	read_mfa_claims(reader, &token->mfa);
	read_claims(reader, B2B_ATTR_COMPLIANT_DEVICE_CLAIM, &token->compliant_device);
	read_claims(reader, B2B_ATTR_HYBRID_JOINED_CLAIM, &token->hybrid_joined);
	b2b_read_bool(reader, B2B_ATTR_TOKEN_ONCE, &token->once);
}
