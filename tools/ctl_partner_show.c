/*
 * ctl_partner_show.c - partner show: one partner's entry in words.
 * In: the partner's entry and the default policy's.
 * Out: settings, proofs, issuer, keys and trust, and what is amiss.
 */
#include "ctl_oidc.h"

#include <stdlib.h>
#include <string.h>

struct showing {
	struct ctl_options *options;
	LDAP *ld;
	struct ctl_tenant tenant;
	struct ctl_entry *entry;
	struct ctl_entry *default_entry; /* or NULL */
	struct b2b_rule *rule, *default_rule;
};

/* Line by line, or all in one with commas between. */
static void say_values(const struct ctl_entry *entry, enum b2b_attr attr, const char *title,
		       const char *without)
{
	struct b2b_source source = ctl_entry_source(entry);
	char *text = ctl_format("%s", ""), *longer;
	struct b2b_str value;

	for (size_t i = 0; source.value(source.entry, attr, i, &value); i++) {
		longer = ctl_format("%s%s%.*s", text, i ? ", " : "", (int)value.len, value.s);
		free(text);
		text = longer;
	}
	if (*text || without)
		ctl_say("%s: %s", title, *text ? text : without);
	free(text);
}

static char *half_text(const struct b2b_half *half, const char *whom)
{
	char *text = ctl_format("%s %s: ", whom,
				half->access == B2B_ACCESS_ALLOWED ? "allowed" : "blocked");
	char *longer;

	for (size_t i = 0; i < half->count; i++) {
		longer = ctl_format("%s%s%s%s", text, i ? ", " : "", half->targets[i].value,
				    half->targets[i].is_group ? " (group)" : "");
		free(text);
		text = longer;
	}
	if (!half->all)
		return text;
	longer = ctl_format("%sall", half->count ? "" : text);
	if (half->count) {
		free(longer);
		longer = ctl_format("%s, all", text);
	}
	free(text);
	return longer;
}

static void say_setting(const struct b2b_setting *setting, const char *title)
{
	bool has_users = setting->users.access != B2B_ACCESS_UNSET;
	bool has_apps = setting->apps.access != B2B_ACCESS_UNSET;
	char *users = has_users ? half_text(&setting->users, "users") : ctl_format("%s", "");
	char *apps = has_apps ? half_text(&setting->apps, "applications") : ctl_format("%s", "");

	if (!has_users && !has_apps)
		ctl_say("%s: as the default", title);
	else
		ctl_say("%s: %s%s%s%s", title, users, has_users && has_apps ? "; " : "", apps,
			has_users != has_apps ? "; and the default must permit" : "");
	free(apps);
	free(users);
}

static void say_flag(const char *title, enum b2b_tristate own, enum b2b_tristate inherited)
{
	if (own != B2B_UNSET)
		ctl_say("%s: %s", title, own == B2B_YES ? "yes" : "no");
	else
		ctl_say("%s: %s, as the default", title, inherited == B2B_YES ? "yes" : "no");
}

static void say_settings(const struct showing *showing)
{
	static const struct b2b_settings silent;
	const struct b2b_settings *own = &showing->rule->u.partner.settings;
	const struct b2b_settings *other = showing->default_rule && !showing->default_rule->invalid
						   ? &showing->default_rule->u.defaults
						   : &silent;

	say_setting(&own->scope[B2B_COLLAB_IN], "inbound collaboration");
	say_setting(&own->scope[B2B_COLLAB_OUT], "outbound collaboration");
	say_setting(&own->scope[B2B_DIRECT_IN], "inbound direct connect");
	say_setting(&own->scope[B2B_DIRECT_OUT], "outbound direct connect");
	say_flag("trusts several factors of home", own->trust_mfa, other->trust_mfa);
	say_flag("trusts compliant devices of home", own->trust_compliant_device,
		 other->trust_compliant_device);
	say_flag("trusts hybrid joined devices of home", own->trust_hybrid_joined,
		 other->trust_hybrid_joined);
	say_flag("redeems inbound invitations by itself", own->auto_redeem_in,
		 other->auto_redeem_in);
	say_flag("redeems outbound invitations by itself", own->auto_redeem_out,
		 other->auto_redeem_out);
	say_flag("synchronizes inbound", own->sync_in, other->sync_in);
}

static void say_left_out(void *ctx, const char *which, const char *why)
{
	ctl_say("key %s: passed over: %s", which, why);
}

static void say_keys(const struct ctl_entry *entry)
{
	struct b2b_str have = ctl_entry_first(entry, B2B_ATTR_JWKS);
	struct ctl_keys keys = { 0 };
	struct b2b_error error = { "" };
	char *clean = NULL;

	if (have.len == 0)
		return;
	if (b2b_jwks_clean(have, say_left_out, NULL, &clean, &error) != B2B_OK) {
		ctl_say("keys: none that could be used: %s", error.text);
		return;
	}
	if (ctl_keys_parse(clean, &keys) == CTL_DONE)
		for (size_t i = 0; i < keys.count; i++) {
			const struct ctl_key *key = &keys.list[i];

			ctl_say("key %s%s%s: %s%s%s", key->kid ? "\"" : "",
				key->kid ? key->kid : "without kid", key->kid ? "\"" : "",
				key->kind, key->alg ? ", for " : "", key->alg ? key->alg : "");
		}
	ctl_keys_clear(&keys);
	free(clean);
}

static void say_tokens(const struct showing *showing)
{
	const struct ctl_entry *entry = showing->entry;

	say_values(entry, B2B_ATTR_ISSUER, "issuer", "none");
	say_values(entry, B2B_ATTR_AUDIENCE, "audiences", "none");
	say_values(entry, B2B_ATTR_TENANT_CLAIM, "tenant claims", NULL);
	say_values(entry, B2B_ATTR_SUBJECT_CLAIM, "subject claim", "sub");
	say_values(entry, B2B_ATTR_GROUPS_CLAIM, "groups claim", "groups");
	say_values(entry, B2B_ATTR_MFA_CLAIM, "several factors are told by", NULL);
	say_values(entry, B2B_ATTR_COMPLIANT_DEVICE_CLAIM, "a compliant device is told by", NULL);
	say_values(entry, B2B_ATTR_HYBRID_JOINED_CLAIM, "a hybrid joined device is told by", NULL);
	say_values(entry, B2B_ATTR_TOKEN_ALGORITHM, "algorithms", "all that are known");
	say_values(entry, B2B_ATTR_TOKEN_ONCE, "tokens are good for one sign-in", NULL);
	say_values(entry, B2B_ATTR_JWKS_URI, "keys are published at", NULL);
	say_keys(entry);
}

static bool warn(bool amiss, const char *text)
{
	if (amiss)
		ctl_say("warning: %s", text);
	return amiss;
}

/* What would keep every token out, or is seldom meant. */
static void say_warnings(const struct showing *showing)
{
	const struct b2b_partner *partner = &showing->rule->u.partner;
	const struct b2b_token_settings *token = &partner->token;
	bool oidc = partner->idp_mask & B2B_IDP_OIDC;
	bool prepared = token->issuer || token->keys;
	struct ctl_keys keys = { 0 };
	struct b2b_str have = ctl_entry_first(showing->entry, B2B_ATTR_JWKS);
	char *clean = NULL;

	if (showing->rule->invalid) {
		ctl_say("warning: the entry is invalid, and every guest of this partner is denied: "
			"%s",
			showing->rule->error.text);
		return;
	}
	warn(partner->idp_mask == 0, "no b2bIdp: no guest of this partner can sign in");
	warn(prepared && !oidc, "oidc is not among b2bIdp: no token is accepted");
	if (!oidc)
		return;
	warn(!token->issuer, "no b2bIssuer: no token is accepted");
	warn(token->audience_count == 0,
	     "no b2bAudience: only tokens for an application's b2bAppAudience are accepted");
	if (warn(!token->keys, "no b2bJwks: no token is accepted"))
		return;
	if (b2b_jwks_clean(have, NULL, NULL, &clean, NULL) == B2B_OK &&
	    ctl_keys_parse(clean, &keys) == CTL_DONE)
		warn(!(ctl_keys_algs(&keys) & token->algs),
		     "no key fits b2bTokenAlgorithm: no token is accepted");
	ctl_keys_clear(&keys);
	free(clean);
}

static int read_entries(struct showing *showing)
{
	struct ctl_options *options = showing->options;
	struct b2b_source source;
	char *dn;
	int code;

	if (ctl_connect(options, &showing->ld) != CTL_DONE ||
	    ctl_tenant_find(showing->ld, options, &showing->tenant) != CTL_DONE ||
	    ctl_tenant_demand(&showing->tenant) != CTL_DONE ||
	    ctl_partner_find(showing->ld, &showing->tenant, options->words[0], &showing->entry) !=
		    CTL_DONE)
		return CTL_FAILED;
	if (!showing->entry)
		return ctl_fail("there is no partner %s", options->words[0]);
	dn = ctl_format("cn=default,%s", showing->tenant.entry->dn);
	code = ctl_read(showing->ld, dn, "(objectClass=b2bDefaultPolicy)", &showing->default_entry);
	if (code != LDAP_SUCCESS)
		ctl_fail_ldap(showing->ld, code, dn);
	free(dn);
	source = ctl_entry_source(showing->entry);
	b2b_rule_compile(B2B_RULE_PARTNER, &source, &showing->rule, NULL);
	if (showing->default_entry) {
		source = ctl_entry_source(showing->default_entry);
		b2b_rule_compile(B2B_RULE_DEFAULT, &source, &showing->default_rule, NULL);
	}
	if (!showing->rule)
		return ctl_fail("out of memory");
	return code == LDAP_SUCCESS ? CTL_DONE : CTL_FAILED;
}

static void show(const struct showing *showing)
{
	ctl_say("dn: %s", showing->entry->dn);
	say_values(showing->entry, B2B_ATTR_TENANT_ID, "partner", NULL);
	say_values(showing->entry, B2B_ATTR_TENANT_DOMAIN, "domains", NULL);
	say_settings(showing);
	say_values(showing->entry, B2B_ATTR_IDP, "signs in by", "nothing");
	say_values(showing->entry, B2B_ATTR_HOME_URI, "home servers", NULL);
	say_values(showing->entry, B2B_ATTR_GUEST_ACCESS, "its guests see", NULL);
	say_values(showing->entry, B2B_ATTR_MAX_LABEL, "labels up to", NULL);
	say_tokens(showing);
	say_warnings(showing);
}

int ctl_partner_show(struct ctl_options *options)
{
	struct showing showing = { .options = options };
	int result = read_entries(&showing);

	if (result == CTL_DONE)
		show(&showing);
	b2b_rule_unref(&showing.rule);
	b2b_rule_unref(&showing.default_rule);
	ctl_entry_free(&showing.entry);
	ctl_entry_free(&showing.default_entry);
	ctl_tenant_clear(&showing.tenant);
	if (showing.ld)
		ldap_unbind_ext_s(showing.ld, NULL, NULL);
	return result;
}
