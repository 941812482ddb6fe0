/*
 * ctl_partner.c - partner add: a provider's issuer, keys and algorithms into a partner's entry.
 * In: a discovery document and a key set, from the provider or from files; or a tenant entry (--from).
 * Out: the partner's entry added or completed; nothing is written before all is checked.
 */
#include "ctl_oidc.h"

#include "snapshot.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

struct adding {
	struct ctl_options *options;
	LDAP *ld;
	struct ctl_tenant tenant;
	struct ctl_provider provider;
	char *keys; /* the cleaned set */
	struct ctl_keys parsed;
	unsigned algs;
	struct ctl_entry *theirs; /* the tenant entry of --from */
	char *id;                 /* of the partner */
	struct b2b_graph_entry want;
	struct ctl_plan plan;
};

static int check_usage(const struct ctl_options *options)
{
	bool adds = options->discovery || options->keys || options->issuer ||
		    options->subject_claim || options->audiences.count > 0 ||
		    options->tenant_claims.count > 0;

	if (options->refresh)
		return adds || options->from || options->home_uri || options->update
			       ? ctl_misuse("--refresh goes with --partner, --ca-file and "
					    "--dry-run alone",
					    "")
			       : CTL_DONE;
	if (options->from && (adds || (options->home_uri && options->update)))
		return ctl_misuse("--from goes with --partner, --home or --update, --ca-file and "
				  "--dry-run alone",
				  "");
	if (options->from)
		return CTL_DONE;
	if (options->home_uri || options->update)
		return ctl_misuse("--home and --update go with --from", "");
	if (!options->partner)
		return ctl_misuse("partner add wants --partner", "");
	if (options->discovery && options->issuer)
		return ctl_misuse("--discovery and --issuer exclude each other", "");
	if (!options->discovery && !(options->keys && options->issuer))
		return ctl_misuse("partner add wants --discovery, or --keys and --issuer", "");
	return CTL_DONE;
}

/* The algorithms to accept: those that the provider says it signs with, as far as they are ours. */
static int choose_algs(struct adding *adding)
{
	unsigned fit = ctl_keys_algs(&adding->parsed);
	char *text;

	adding->algs = adding->provider.names_algs ? adding->provider.algs : fit;
	if (adding->algs == 0)
		return ctl_fail("%s: none of the algorithms that it signs with is accepted here",
				adding->options->discovery);
	if (adding->algs & fit)
		return CTL_DONE;
	text = ctl_algs_text(adding->algs);
	ctl_fail("no key fits the algorithms that the provider signs with (%s)", text);
	free(text);
	return CTL_FAILED;
}

/* Whom an entry trusts, and how, is not changed by the way. */
static int check_old(const struct adding *adding, const struct ctl_entry *old)
{
	struct b2b_str issuer = ctl_entry_first(old, B2B_ATTR_ISSUER);

	if (issuer.len == 0 || b2b_str_equal(issuer, b2b_str_of(adding->provider.issuer)))
		return CTL_DONE;
	return ctl_fail("%s: has another issuer, \"%.*s\", not \"%s\"; where that is right, take "
			"b2bIssuer away first",
			old->dn, (int)issuer.len, issuer.s, adding->provider.issuer);
}

/* Algorithms that were chosen by hand stay, and must fit what the provider has. */
static int check_algs(const struct adding *adding)
{
	unsigned algs = adding->plan.rule->u.partner.token.algs;
	unsigned fit = adding->algs & ctl_keys_algs(&adding->parsed);
	char *ours, *theirs;

	if (algs & fit)
		return CTL_DONE;
	ours = ctl_algs_text(algs);
	theirs = ctl_algs_text(fit);
	ctl_fail("%s: b2bTokenAlgorithm (%s) has none of those that the provider uses (%s)",
		 adding->plan.dn, ours, theirs);
	free(theirs);
	free(ours);
	return CTL_FAILED;
}

/* What needs no directory. */
static int read_provider(struct adding *adding)
{
	struct ctl_options *options = adding->options;
	struct ctl_fetch how = { options->ca_file, NULL };
	struct ctl_list notes = { 0 };
	const char *place;
	int result;

	if (options->discovery) {
		if (ctl_provider_read(options->discovery, &how, &adding->provider) != CTL_DONE)
			return CTL_FAILED;
	} else {
		adding->provider.issuer = ctl_format("%s", options->issuer);
	}
	if (options->keys && ctl_is_url(options->keys)) {
		free(adding->provider.jwks_uri);
		adding->provider.jwks_uri = ctl_format("%s", options->keys);
	}
	place = options->keys ? options->keys : adding->provider.jwks_uri;
	result = ctl_keys_read(place, &how, &adding->keys, &notes);
	ctl_notes_clear(&notes, false);
	if (result == CTL_DONE)
		result = ctl_keys_parse(adding->keys, &adding->parsed);
	return result == CTL_DONE ? choose_algs(adding) : result;
}

/* --- another organisation with slapo-b2b --- */

/* Ids are compared without regard to case, and tokens carry them in lower case. */
static char *lower_text(const struct ctl_entry *entry, enum b2b_attr attr)
{
	struct b2b_str value = ctl_entry_first(entry, attr);
	char *text = ctl_format("%.*s", (int)value.len, value.s);

	for (char *c = text; *c; c++)
		*c = b2b_lower(*c);
	return text;
}

static int take_keys(struct adding *adding, struct b2b_str set)
{
	struct b2b_error error = { "" };

	adding->algs = B2B_ALG_EDDSA | B2B_ALG_ES256; /* whatever its next key is */
	if (set.len == 0)
		return ctl_fail("%s: %s has no b2bJwks, so it signs no tokens",
				adding->options->from, adding->theirs->dn);
	if (b2b_jwks_clean(set, NULL, NULL, &adding->keys, &error) != B2B_OK)
		return ctl_fail("%s: b2bJwks: %s", adding->options->from, error.text);
	if (ctl_keys_parse(adding->keys, &adding->parsed) != CTL_DONE)
		return CTL_FAILED;
	if (adding->algs & ctl_keys_algs(&adding->parsed))
		return CTL_DONE;
	return ctl_fail("%s: b2bJwks has no key for EdDSA or ES256", adding->options->from);
}

static int read_theirs(struct adding *adding)
{
	const char *wanted = adding->options->partner;
	struct b2b_str issuer;
	int result = ctl_from_read(adding->options, &adding->theirs);

	if (result != CTL_DONE)
		return result;
	adding->id = lower_text(adding->theirs, B2B_ATTR_TENANT_ID);
	if (!*adding->id)
		return ctl_fail("%s: %s has no b2bTenantId", adding->options->from,
				adding->theirs->dn);
	if (wanted && !b2b_str_equal_nocase(b2b_str_of(wanted), b2b_str_of(adding->id)))
		return ctl_fail("%s: that is %s, not %s", adding->options->from, adding->id,
				wanted);
	issuer = ctl_entry_first(adding->theirs, B2B_ATTR_ISSUER);
	adding->provider.issuer = issuer.len ? ctl_format("%.*s", (int)issuer.len, issuer.s)
					     : ctl_format("%s", adding->id);
	return take_keys(adding, ctl_entry_first(adding->theirs, B2B_ATTR_JWKS));
}

/* --- what is wanted --- */

static void want_text(struct adding *adding, enum b2b_attr attr, const char *text)
{
	if (text)
		ctl_want(&adding->want, attr, b2b_str_of(text));
}

/* Keys that are the same in another order are left as they stand. */
static void want_keys(struct adding *adding, const struct ctl_entry *old)
{
	struct b2b_str have = old ? ctl_entry_first(old, B2B_ATTR_JWKS) : b2b_str_of("");
	struct ctl_keys keys = { 0 };
	char *clean = NULL;

	if (have.len > 0 && b2b_jwks_clean(have, NULL, NULL, &clean, NULL) == B2B_OK &&
	    ctl_keys_parse(clean, &keys) == CTL_DONE && ctl_keys_equal(&keys, &adding->parsed))
		ctl_want(&adding->want, B2B_ATTR_JWKS, have);
	else
		want_text(adding, B2B_ATTR_JWKS, adding->keys);
	ctl_keys_clear(&keys);
	free(clean);
}

/* Adds oidc behind the proofs that the entry has, which keep their order. */
static void want_idp(struct adding *adding, const struct ctl_entry *old)
{
	struct berval **have = old ? old->values[B2B_ATTR_IDP] : NULL;
	bool all_ordered = have && have[0];
	unsigned index, next = 0;
	struct b2b_str rest;
	char *text;

	for (size_t i = 0; have && have[i]; i++) {
		struct b2b_str value = { have[i]->bv_val, have[i]->bv_len };
		bool ordered = b2b_ordered_parse(value, &index, &rest);

		if (b2b_idp_parse(rest) == B2B_IDP_OIDC)
			return;
		all_ordered = all_ordered && ordered;
		if (ordered && index >= next)
			next = index + 1;
	}
	for (size_t i = 0; have && have[i]; i++)
		ctl_want(&adding->want, B2B_ATTR_IDP,
			 (struct b2b_str){ have[i]->bv_val, have[i]->bv_len });
	text = all_ordered ? ctl_format("{%u}oidc", next) : ctl_format("oidc");
	want_text(adding, B2B_ATTR_IDP, text);
	free(text);
}

static void want_list(struct adding *adding, enum b2b_attr attr, const struct ctl_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		want_text(adding, attr, list->values[i]);
}

static void note_surprises(const struct adding *adding, const struct ctl_entry *old)
{
	struct b2b_str uri;

	if (adding->options->audiences.count == 0 &&
	    (!old || ctl_entry_first(old, B2B_ATTR_AUDIENCE).len == 0))
		ctl_note("the partner has no b2bAudience: only tokens for an application's "
			 "b2bAppAudience are accepted");
	if (!old)
		return;
	uri = ctl_entry_first(old, B2B_ATTR_JWKS_URI);
	if (uri.len > 0 && !adding->provider.jwks_uri)
		ctl_note("b2bJwksUri stays, and --refresh will take keys from there: %.*s",
			 (int)uri.len, uri.s);
}

static void want_all(struct adding *adding, const struct ctl_entry *old)
{
	bool has_algs = old && old->values[B2B_ATTR_TOKEN_ALGORITHM];

	want_text(adding, B2B_ATTR_ISSUER, adding->provider.issuer);
	want_text(adding, B2B_ATTR_JWKS_URI, adding->provider.jwks_uri);
	want_keys(adding, old);
	for (unsigned bit = 1; !has_algs && bit <= B2B_ALGS_ALL; bit <<= 1)
		if (adding->algs & bit)
			want_text(adding, B2B_ATTR_TOKEN_ALGORITHM,
				  b2b_alg_name((enum b2b_alg)bit));
	want_idp(adding, old);
	want_list(adding, B2B_ATTR_AUDIENCE, &adding->options->audiences);
	want_list(adding, B2B_ATTR_TENANT_CLAIM, &adding->options->tenant_claims);
	want_text(adding, B2B_ATTR_SUBJECT_CLAIM, adding->options->subject_claim);
}

/* Of a partner that is there what the administrator set stays: keys alone are renewed, and what a
 * token needs is added where it is missing. */
static void want_theirs(struct adding *adding, const struct ctl_entry *old)
{
	const char *home = adding->options->home_uri;
	char *ours = lower_text(adding->tenant.entry, B2B_ATTR_TENANT_ID);
	struct b2b_source theirs = ctl_entry_source(adding->theirs);
	struct b2b_str value;

	want_text(adding, B2B_ATTR_ISSUER, adding->provider.issuer);
	want_keys(adding, old);
	if (!old || ctl_entry_first(old, B2B_ATTR_AUDIENCE).len == 0)
		want_text(adding, B2B_ATTR_AUDIENCE, ours);
	free(ours);
	if (old) {
		want_idp(adding, old);
		return;
	}
	want_text(adding, B2B_ATTR_TOKEN_ALGORITHM, b2b_alg_name(B2B_ALG_EDDSA));
	want_text(adding, B2B_ATTR_TOKEN_ALGORITHM, b2b_alg_name(B2B_ALG_ES256));
	for (size_t i = 0; theirs.value(theirs.entry, B2B_ATTR_TENANT_DOMAIN, i, &value); i++)
		ctl_want(&adding->want, B2B_ATTR_TENANT_DOMAIN, value);
	want_text(adding, B2B_ATTR_IDP, home ? "{0}oidc" : "oidc");
	want_text(adding, B2B_ATTR_IDP, home ? "{1}ldap" : NULL);
	want_text(adding, B2B_ATTR_HOME_URI, home);
}

/* Whom this is, before it is written: its keys by their names, the rest as it will stand. */
static void show_theirs(const struct adding *adding, LDAPMod *const *mods)
{
	struct b2b_str name = ctl_entry_first(adding->theirs, B2B_ATTR_TENANT_NAME);

	ctl_say("%s is %s%s%.*s%s, %s", adding->options->from, adding->id, name.len ? " (" : "",
		(int)name.len, name.s, name.len ? ")" : "", adding->theirs->dn);
	for (; mods && *mods; mods++) {
		bool is_keys = strcmp((*mods)->mod_type, b2b_attr_name(B2B_ATTR_JWKS)) == 0;

		for (char **value = (*mods)->mod_values; !is_keys && value && *value; value++)
			ctl_say("  %s: %s", (*mods)->mod_type, *value);
		for (size_t i = 0; is_keys && i < adding->parsed.count; i++) {
			char *key = ctl_key_name(&adding->parsed.list[i]);

			ctl_say("  %s: %s, %s", (*mods)->mod_type, key,
				adding->parsed.list[i].kind);
			free(key);
		}
	}
}

static int check_theirs(const struct adding *adding)
{
	bool update = adding->options->update;
	LDAPMod **mods = ctl_plan_mods(&adding->plan);
	int result = CTL_DONE;

	show_theirs(adding, mods);
	if (update && !adding->plan.old)
		result = ctl_fail("there is no partner %s; without --update it is added",
				  adding->id);
	else if (!update && adding->plan.old && mods)
		result = ctl_fail("%s is there already; see --update", adding->plan.dn);
	if (mods)
		ldap_mods_free(mods, 1);
	return result;
}

static int check_ours(const struct adding *adding)
{
	struct b2b_str ours = ctl_entry_first(adding->tenant.entry, B2B_ATTR_TENANT_ID);

	if (ours.len == 0)
		return ctl_fail("%s has no b2bTenantId, so no token can be meant for it",
				adding->tenant.entry->dn);
	if (b2b_str_equal_nocase(ours, b2b_str_of(adding->id)))
		return ctl_fail("%s: %s is our own b2bTenantId", adding->options->from, adding->id);
	return CTL_DONE;
}

/* Whether the partner can be told from others of its issuer. */
static int check_conflict(struct adding *adding)
{
	char *escaped = ctl_escape(adding->provider.issuer);
	char *filter = ctl_format("(&(objectClass=b2bPartner)(b2bIssuer=%s))", escaped);
	struct b2b_snapshot *snapshot = b2b_snapshot_new();
	struct b2b_error error = { "" };
	struct ctl_partners partners;
	int result = ctl_partners_read(adding->ld, &adding->tenant, filter, &partners);

	for (size_t i = 0; snapshot && i < partners.count; i++) {
		struct b2b_source source = ctl_entry_source(partners.entries[i]);
		struct b2b_snapshot *next = NULL;
		struct b2b_rule *rule = NULL;

		b2b_rule_compile(B2B_RULE_PARTNER, &source, &rule, NULL);
		if (rule)
			next = b2b_snapshot_with(snapshot, rule);
		b2b_rule_unref(&rule);
		b2b_snapshot_unref(&snapshot);
		snapshot = next;
	}
	if (!snapshot)
		result = ctl_fail("out of memory");
	else if (result == CTL_DONE &&
		 b2b_snapshot_conflict(snapshot, adding->plan.rule, &error) != B2B_OK)
		result = ctl_fail("%s: %s", adding->plan.dn, error.text);
	b2b_snapshot_unref(&snapshot);
	ctl_partners_clear(&partners);
	free(filter);
	free(escaped);
	return result;
}

static int make_plan(struct adding *adding)
{
	struct ctl_plan *plan = &adding->plan;
	const char *id = adding->id;

	if (ctl_tenant_demand(&adding->tenant) != CTL_DONE ||
	    (adding->theirs && check_ours(adding) != CTL_DONE) ||
	    ctl_partner_find(adding->ld, &adding->tenant, id, &plan->old) != CTL_DONE)
		return CTL_FAILED;
	if (plan->old && check_old(adding, plan->old) != CTL_DONE)
		return CTL_FAILED;
	if (adding->theirs && !plan->old &&
	    ctl_from_check_domains(adding->options, adding->ld, &adding->tenant, adding->theirs) !=
		    CTL_DONE)
		return CTL_FAILED;
	adding->want.tenant_id = ctl_format("%s", id);
	if (adding->theirs)
		want_theirs(adding, plan->old);
	else
		want_all(adding, plan->old);
	plan->want = &adding->want;
	plan->dn =
		plan->old ? ctl_format("%s", plan->old->dn) : ctl_partner_dn(&adding->tenant, id);
	if (ctl_plan_make(plan) != CTL_DONE || check_algs(adding) != CTL_DONE)
		return CTL_FAILED;
	if (check_conflict(adding) != CTL_DONE)
		return CTL_FAILED;
	if (adding->theirs)
		return check_theirs(adding);
	note_surprises(adding, plan->old);
	return CTL_DONE;
}

static void clear(struct adding *adding)
{
	ctl_plan_clear(&adding->plan);
	ctl_want_clear(&adding->want);
	ctl_keys_clear(&adding->parsed);
	free(adding->keys);
	free(adding->id);
	ctl_entry_free(&adding->theirs);
	ctl_provider_clear(&adding->provider);
	ctl_tenant_clear(&adding->tenant);
	if (adding->ld)
		ldap_unbind_ext_s(adding->ld, NULL, NULL);
}

int ctl_partner_add(struct ctl_options *options)
{
	struct adding adding = { .options = options };
	struct ctl_writer writer;
	int result = check_usage(options);

	if (result != CTL_DONE || options->refresh)
		return result == CTL_DONE ? ctl_partner_refresh(options) : result;
	if (!options->from)
		adding.id = ctl_format("%s", options->partner);
	result = options->from ? read_theirs(&adding) : read_provider(&adding);
	if (result == CTL_DONE)
		result = ctl_connect(options, &adding.ld);
	if (result == CTL_DONE)
		result = ctl_tenant_find(adding.ld, options, &adding.tenant);
	if (result == CTL_DONE)
		result = make_plan(&adding);
	if (result == CTL_DONE) {
		writer = (struct ctl_writer){ adding.ld, options, &adding.tenant, false, 0 };
		result = ctl_write_plan(&writer, &adding.plan);
	}
	clear(&adding);
	return result;
}
