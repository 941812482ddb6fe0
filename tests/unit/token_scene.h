/*
 * token_scene.h - partners, applications and the claims of a good token, for the unit tests.
 * In: what a test wants to be different.  Out: a snapshot; claims as JSON text.
 * Included once by each check program; whatever is given back is the caller's to free.
 */
#ifndef B2B_TEST_TOKEN_SCENE_H
#define B2B_TEST_TOKEN_SCENE_H

#include "scene.h"
#include "token.h"

#include <jansson.h>
#include <stdio.h>

#define FAB_ISSUER "https://idp.example/fab"
#define SHARED_ISSUER "https://shared.example"
#define FAB_DN "b2btenantid=fab,cn=partners"
#define GOOD_CLAIMS                                                                                \
	"{\"iss\":\"" FAB_ISSUER "\",\"sub\":\"mallory-0815\",\"aud\":\"directory\","              \
	"\"iat\":1799999900,\"exp\":1800000900,\"jti\":\"j-4711\"}"

/* What lines a partner of that name has beside its keys; name is its tenant's id too. */
static inline void put_partner(struct b2b_snapshot **snapshot, const char *name, const char *jwks,
			       const char *lines)
{
	char dn[128], *text = malloc(strlen(jwks) + strlen(lines) + 128);

	ck_assert_ptr_nonnull(text);
	snprintf(dn, sizeof dn, "b2btenantid=%s,cn=partners", name);
	sprintf(text, "b2bTenantId: %s\n%s%s%s%s", name, *jwks ? "b2bJwks: " : "", jwks,
		*jwks ? "\n" : "", lines);
	put(snapshot, B2B_RULE_PARTNER, dn, text);
	free(text);
}

/* Partner fab with an issuer of its own, one and two with a common one; three applications. */
static inline struct b2b_snapshot *token_policy(const char *jwks)
{
	struct b2b_snapshot *snapshot = b2b_snapshot_new();

	put(&snapshot, B2B_RULE_TENANT, TENANT_DN, "cn: b2b");
	put_partner(&snapshot, "fab", jwks,
		    "b2bIdp: oidc\nb2bIssuer: " FAB_ISSUER
		    "\nb2bAudience: directory\nb2bAudience: directory-2");
	put_partner(&snapshot, "one", jwks,
		    "b2bIdp: oidc\nb2bIssuer: " SHARED_ISSUER "\nb2bAudience: directory\n"
		    "b2bTenantClaim: hd=one.example\nb2bTenantClaim: hd=1.example");
	put_partner(&snapshot, "two", jwks,
		    "b2bIdp: oidc\nb2bIssuer: " SHARED_ISSUER "\nb2bAudience: directory\n"
		    "b2bTenantClaim: hd=two.example\nb2bTenantClaim: tier=3\n"
		    "b2bTenantClaim: paid=true");
	put(&snapshot, B2B_RULE_APP, "cn=wiki",
	    "cn: wiki\nb2bAppAudience: api://wiki\nb2bAppAudience: api://wiki-2");
	put(&snapshot, B2B_RULE_APP, "cn=pay", "cn: pay\nb2bAppAudience: api://pay");
	put(&snapshot, B2B_RULE_APP, "cn=both",
	    "cn: both\nb2bAppAudience: directory-2\nb2bAppAudience: client-2");
	return snapshot;
}

/* The good claims with changes, an object on whose members null stands for "not there". */
static inline char *claims_with(const char *changes)
{
	json_t *claims = json_loads(GOOD_CLAIMS, 0, NULL), *changed, *value;
	json_error_t error;
	const char *name;
	char *text;

	changed = json_loads(changes, 0, &error);
	ck_assert_msg(claims && changed, "%s: %s", changes, error.text);
	json_object_foreach (changed, name, value) {
		if (json_is_null(value))
			json_object_del(claims, name);
		else
			json_object_set(claims, name, value);
	}
	text = json_dumps(claims, JSON_COMPACT | JSON_PRESERVE_ORDER);
	ck_assert_ptr_nonnull(text);
	json_decref(claims);
	json_decref(changed);
	return text;
}

/* What a refusal says is of our making alone: of the token's texts nothing stands in it. */
static inline void expect_refusal(enum b2b_err err, const struct b2b_identity *identity,
				  const struct b2b_error *why, const char *wanted, const char *what)
{
	ck_assert_msg(err == B2B_ERR_INVALID, "accepted: %s", what);
	ck_assert_ptr_null(identity);
	ck_assert_msg(strstr(why->text, wanted) != NULL, "%s: %s, not %s", what, why->text, wanted);
	ck_assert(!strstr(why->text, "mallory") && !strstr(why->text, "4711"));
}

static inline enum b2b_err read_text(const struct b2b_snapshot *snapshot, const char *partner,
				     const char *text, struct b2b_identity **identity_r,
				     struct b2b_error *why)
{
	char dn[64];

	snprintf(dn, sizeof dn, "b2btenantid=%s,cn=partners", partner);
	return b2b_token_read_claims(snapshot, b2b_snapshot_rule(snapshot, dn), b2b_str_of(text),
				     NOW, identity_r, why);
}

/* What fab's claims say with these changes; they must be good. */
static inline struct b2b_identity *read_good(const struct b2b_snapshot *snapshot,
					     const char *changes)
{
	struct b2b_identity *identity;
	struct b2b_error why = { "untouched" };
	char *text = claims_with(changes);

	ck_assert_msg(read_text(snapshot, "fab", text, &identity, &why) == B2B_OK, "%s: %s",
		      changes, why.text);
	ck_assert_str_eq(why.text, "");
	ck_assert_ptr_nonnull(identity);
	free(text);
	return identity;
}

#endif
