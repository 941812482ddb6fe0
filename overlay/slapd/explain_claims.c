/*
 * explain_claims.c - explain: claims as a token of the guest's partner would have them.
 * In: claims of the request.
 * Out: steps, and the circumstances that the claims make; the signature is taken for right.
 */
#include "explain_parts.h"

#define LIFE_SECS 300 /* of claims that say nothing of it */

static void set_new(json_t *claims, const char *name, json_t *value)
{
	if (json_object_get(claims, name))
		json_decref(value);
	else
		json_object_set_new(claims, name, value);
}

/* An audience that a token of the partner may have; NULL: there is none. */
static const char *any_audience(const struct b2b_explaining *it)
{
	const struct b2b_token_settings *token = &it->partner->u.partner.token;
	const struct b2b_rule *app;
	const char *audience = token->audience_count ? token->audiences[0] : NULL;

	for (size_t i = 0; !audience && (app = b2b_snapshot_app_at(it->snapshot, i)); i++)
		audience = app->u.app.audience_count ? app->u.app.audiences[0] : NULL;
	return audience;
}

/* Claims that say nothing of what tells one token from another (whose, for whom, until when) are
 * completed as a token of this guest would be: what is asked is what the others change.  True: they
 * were. */
static bool complete(struct b2b_explaining *it)
{
	const struct b2b_token_settings *token = &it->partner->u.partner.token;
	const char *const own[] = { "iss", "aud", "exp", token->subject_claim };
	struct b2b_str subject = it->guest.home_subject;
	const char *audience = any_audience(it);

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (json_object_get(it->claims, own[i]))
			return false;
	}
	set_new(it->claims, "iss", json_string(token->issuer ? token->issuer : ""));
	set_new(it->claims, "aud", json_string(audience ? audience : ""));
	set_new(it->claims, "exp", json_integer(it->context.now + LIFE_SECS));
	set_new(it->claims, "iat", json_integer(it->context.now));
	set_new(it->claims, token->subject_claim,
		subject.len ? json_stringn(subject.s, subject.len) : json_string("-"));
	for (size_t i = 0; i < token->tenant.count; i++)
		set_new(it->claims, token->tenant.list[i].name,
			json_string(token->tenant.list[i].value));
	return true;
}

static enum b2b_err read_claims(struct b2b_explaining *it, struct b2b_error *why)
{
	char *text = json_dumps(it->claims, JSON_COMPACT);
	enum b2b_err err = B2B_ERR_MEMORY;

	if (text)
		err = b2b_token_read_claims(it->snapshot, it->partner, b2b_str_of(text),
					    it->context.now, &it->identity, why);
	free(text);
	return err;
}

/* Whether the guest may give tokens at all. */
static bool may_give(const struct b2b_explaining *it)
{
	struct b2b_admission admission = { .snapshot = it->snapshot,
					   .guest = it->guest,
					   .partner = it->partner };

	return b2b_prove_may(&admission, B2B_IDP_OIDC, true).effect == B2B_ALLOW;
}

/* Whose proof it is; completed claims are of the guest. */
static bool judge_subject(struct b2b_explaining *it, bool completed)
{
	struct b2b_bearer bearer = { .right = true,
				     .tenant_id = it->guest.home_tenant,
				     .subject = b2b_str_of(it->identity->subject),
				     .email = b2b_str_of(it->identity->email) };
	struct b2b_admission admission = { .tenant = it->exop->tenant,
					   .ndn = it->ndn,
					   .token = &bearer,
					   .snapshot = it->snapshot,
					   .guest = it->guest,
					   .partner = it->partner };

	if (!completed && !b2b_bearer_is_of(&bearer, &it->guest, it->e)) {
		b2b_explain_note(it, "claims", it->guest.dn, "proof",
				 "this would be another's proof");
		return false;
	}
	if (!completed && b2b_admission_is_off(it->op, &admission, B2B_IDP_OIDC)) {
		b2b_explain_note(it, "claims", it->guest.dn, b2b_reason_name(B2B_REASON_DISABLED),
				 "the same person is a guest under another name, which is off");
		return false;
	}
	return true;
}

/* What home says of the sign-in, and whether it counts; b2b_error has room for all of it. */
static void note_identity(struct b2b_explaining *it)
{
	const struct b2b_identity *identity = it->identity;
	unsigned trust = b2b_access_trust(it->snapshot, it->guest.home_tenant);
	const struct {
		const char *name;
		bool told;
		unsigned bit;
	} proofs[] = {
		{ "several factors", identity->mfa, B2B_GRANT_MFA },
		{ "a compliant device", identity->compliant_device, B2B_GRANT_COMPLIANT_DEVICE },
		{ "a hybrid joined device", identity->hybrid_joined, B2B_GRANT_HYBRID_JOINED },
	};
	char when[B2B_EXPLAIN_TIME_SIZE], text[sizeof(((struct b2b_error *)0)->text)];
	size_t used;

	b2b_explain_time(identity->authenticated, when);
	snprintf(text, sizeof(text), "signed in at home: %s", when[0] ? when : "unknown");
	for (size_t i = 0; i < sizeof(proofs) / sizeof(proofs[0]); i++) {
		used = strlen(text);
		if (proofs[i].told)
			snprintf(text + used, sizeof(text) - used, "; %s, which is %s",
				 proofs[i].name,
				 trust & proofs[i].bit ? "trusted" : "not trusted of this partner");
	}
	used = strlen(text);
	if (identity->groups_known)
		snprintf(text + used, sizeof(text) - used, "; %zu home %s", identity->group_count,
			 identity->group_count == 1 ? "group" : "groups");
	else
		snprintf(text + used, sizeof(text) - used,
			 "; home groups unknown: whom groups block is taken to be in them");
	b2b_explain_note(it, "claims", it->partner->dn, NULL, text);
}

static void take_identity(struct b2b_explaining *it)
{
	const struct b2b_identity *identity = it->identity;
	struct b2b_context *context = &it->context;

	context->sign_in = (struct b2b_sign_in){ .when = identity->authenticated,
						 .mfa = identity->mfa,
						 .compliant_device = identity->compliant_device,
						 .hybrid_joined = identity->hybrid_joined };
	context->home_groups = identity->groups;
	context->home_group_count = identity->group_count;
	context->home_groups_known = identity->groups_known;
}

void b2b_explain_claims(struct b2b_explaining *it)
{
	struct b2b_error why = { "" };
	bool completed;

	/* the decision denies by itself */
	if (!it->partner || it->partner->invalid) {
		b2b_explain_note(it, "claims", NULL, NULL,
				 "not read, as there is no partner by whose entry to read them");
		return;
	}
	if (!may_give(it)) {
		b2b_explain_note(it, "claims", it->partner->dn, "proof",
				 "oidc is not among the proofs of the partner or of the guest");
		return;
	}
	completed = complete(it);
	if (read_claims(it, &why) != B2B_OK) {
		b2b_explain_note(it, "claims", it->partner->dn, "proof", why.text);
		return;
	}
	take_identity(it);
	if (judge_subject(it, completed))
		note_identity(it);
}
