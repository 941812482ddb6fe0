/*
 * token.c - from a token to the partner whose it is, its signature, and what it says.
 * In: a token of any origin, or claims alone; a snapshot; a moment.
 * Out: an identity, once everything is right; else why not, without a byte of the token.
 */
#include "token_parts.h"

#include <stdlib.h>
#include <string.h>

static enum b2b_err parse_claims(struct b2b_str text, json_t **claims_r, struct b2b_error *why)
{
	json_error_t error;

	*claims_r = json_loadb(text.s, text.len, JSON_REJECT_DUPLICATES, &error);
	if (!*claims_r &&
	    (json_error_code(&error) == json_error_out_of_memory ||
	     json_error_code(&error) == json_error_unknown)) /* or what it usually says */
		return B2B_ERR_MEMORY;
	if (!json_is_object(*claims_r))
		return b2b_error_set(why, "its payload is not one JSON object");
	return B2B_OK;
}

static bool has_one_value(const json_t *claims, const struct b2b_claims *wanted, const char *name)
{
	for (size_t i = 0; i < wanted->count; i++)
		if (strcmp(wanted->list[i].name, name) == 0 &&
		    b2b_token_has_claim(claims, &wanted->list[i]))
			return true;
	return false;
}

static bool is_of_tenant(const json_t *claims, const struct b2b_claims *tenant)
{
	for (size_t i = 0; i < tenant->count; i++)
		if (!has_one_value(claims, tenant, tenant->list[i].name))
			return false;
	return true;
}

static enum b2b_err find_issuer(const json_t *claims, struct b2b_str *issuer_r,
				struct b2b_error *why)
{
	const json_t *issuer = json_object_get(claims, "iss");

	issuer_r->s = json_string_value(issuer);
	issuer_r->len = json_string_length(issuer);
	return issuer_r->len ? B2B_OK : b2b_error_set(why, "it has no issuer");
}

static enum b2b_err choose_partner(struct b2b_token_matter *matter)
{
	const struct b2b_rule *rule;
	struct b2b_str issuer;
	enum b2b_err err = find_issuer(matter->claims, &issuer, matter->why);

	matter->partner = NULL;
	for (size_t i = 0; err == B2B_OK; i++) {
		rule = b2b_snapshot_partner_by_issuer(matter->snapshot, issuer, i);
		if (!rule)
			break;
		if (!is_of_tenant(matter->claims, &rule->u.partner.token.tenant))
			continue;
		if (matter->partner)
			err = b2b_error_set(matter->why, "it could be of %s or of %s",
					    matter->partner->dn, rule->dn);
		matter->partner = rule;
	}
	if (err != B2B_OK || matter->partner)
		return err;
	b2b_error_set(matter->why, "its issuer and tenant are those of no partner");
	return B2B_ERR_INVALID;
}

/* The partner of this rule is the one whose tokens these are, and may prove itself so. */
static enum b2b_err check_partner(const struct b2b_token_matter *matter)
{
	const struct b2b_rule *rule = matter->partner;

	if (rule->kind != B2B_RULE_PARTNER || rule->invalid)
		return b2b_error_set(matter->why, "the entry %s is not that of a valid partner",
				     rule->dn);
	if (b2b_snapshot_partner(matter->snapshot, b2b_str_of(rule->u.partner.tenant_id)) != rule)
		return b2b_error_set(matter->why, "the tenant of %s is that of other entries too",
				     rule->dn);
	if (!(rule->u.partner.idp_mask & B2B_IDP_OIDC))
		return b2b_error_set(matter->why, "oidc is not among the proofs of %s", rule->dn);
	return B2B_OK;
}

static enum b2b_err make_identity(const struct b2b_token_matter *matter,
				  struct b2b_identity **identity_r)
{
	struct b2b_identity *identity = calloc(1, sizeof *identity);
	enum b2b_err err;

	if (!identity)
		return B2B_ERR_MEMORY;
	identity->partner = matter->partner;
	err = b2b_token_fill(matter, identity);
	if (err == B2B_OK)
		*identity_r = identity;
	else
		b2b_identity_free(&identity);
	return err;
}

enum b2b_err b2b_token_verify(const struct b2b_snapshot *snapshot, struct b2b_str token, time_t now,
			      struct b2b_identity **identity_r, struct b2b_error *why)
{
	struct b2b_token_matter matter = { .snapshot = snapshot, .now = now, .why = why };
	const struct b2b_token_settings *settings;
	struct b2b_jws jws = { .payload = NULL };
	json_t *claims = NULL;
	enum b2b_err err;

	*identity_r = NULL;
	if (why)
		why->text[0] = '\0';
	err = b2b_jws_parse(token, &jws, why);
	if (err == B2B_OK && !jws.typ_fits)
		err = b2b_error_set(why, "its typ is that of something else");
	if (err != B2B_OK)
		goto done;
	err = parse_claims((struct b2b_str){ jws.payload, jws.payload_len }, &claims, why);
	if (err != B2B_OK)
		goto done;
	matter.claims = claims;
	matter.signed_text = jws.signing_input;
	err = choose_partner(&matter);
	if (err == B2B_OK)
		err = check_partner(&matter);
	if (err != B2B_OK)
		goto done;
	settings = &matter.partner->u.partner.token;
	err = b2b_jws_check(&jws, settings->keys, settings->algs, why);
	if (err == B2B_OK)
		err = make_identity(&matter, identity_r);
done:
	json_decref(claims);
	b2b_jws_clear(&jws);
	return err;
}

static enum b2b_err check_issuer(const struct b2b_token_matter *matter)
{
	const struct b2b_token_settings *settings = &matter->partner->u.partner.token;
	struct b2b_str issuer;
	enum b2b_err err = find_issuer(matter->claims, &issuer, matter->why);

	if (err != B2B_OK)
		return err;
	if (!b2b_str_equal(issuer, b2b_str_of(settings->issuer)) ||
	    !is_of_tenant(matter->claims, &settings->tenant))
		return b2b_error_set(matter->why, "its issuer or tenant is not that of %s",
				     matter->partner->dn);
	return B2B_OK;
}

enum b2b_err b2b_token_read_claims(const struct b2b_snapshot *snapshot,
				   const struct b2b_rule *partner, struct b2b_str claims,
				   time_t now, struct b2b_identity **identity_r,
				   struct b2b_error *why)
{
	struct b2b_token_matter matter = { .snapshot = snapshot,
					   .partner = partner,
					   .signed_text = claims,
					   .now = now,
					   .why = why };
	json_t *object = NULL;
	enum b2b_err err;

	*identity_r = NULL;
	if (why)
		why->text[0] = '\0';
	err = parse_claims(claims, &object, why);
	matter.claims = object;
	if (err == B2B_OK)
		err = check_partner(&matter);
	if (err == B2B_OK)
		err = check_issuer(&matter);
	if (err == B2B_OK)
		err = make_identity(&matter, identity_r);
	json_decref(object);
	return err;
}

void b2b_identity_free(struct b2b_identity **identity)
{
	struct b2b_identity *gone = identity ? *identity : NULL;

	if (!gone)
		return;
	*identity = NULL;
	free(gone->subject);
	free(gone->email);
	free(gone->id);
	free(gone->groups);
	free(gone);
}
