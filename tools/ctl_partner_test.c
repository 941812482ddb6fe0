/*
 * ctl_partner_test.c - partner test: is a partner's entry right, are its keys those of today, and
 * is a token believed?
 * In: the partner's entry, what the provider publishes, a token.
 * Out: a line for each finding, "ok" or "wrong"; never a byte of the token itself.
 */
#include "ctl_oidc.h"
#include "ctl_policy.h"
#include "token.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct testing {
	struct ctl_options *options;
	LDAP *ld;
	struct ctl_tenant tenant;
	struct ctl_entry *entry;
	struct ctl_policy policy;
	const struct b2b_rule *rule; /* the partner's, of the policy */
	bool wrong;
};

__attribute__((format(printf, 2, 3))) static void say_wrong(struct testing *testing,
							    const char *fmt, ...)
{
	va_list args;
	char *text;

	testing->wrong = true;
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	ctl_say("wrong: %s", text ? text : "out of memory");
	free(text);
}

static int read_directory(struct testing *testing)
{
	struct ctl_options *options = testing->options;

	if (ctl_connect(options, &testing->ld) != CTL_DONE ||
	    ctl_tenant_find(testing->ld, options, &testing->tenant) != CTL_DONE ||
	    ctl_tenant_demand(&testing->tenant) != CTL_DONE ||
	    ctl_partner_find(testing->ld, &testing->tenant, options->words[0], &testing->entry) !=
		    CTL_DONE)
		return CTL_FAILED;
	if (!testing->entry)
		return ctl_fail("there is no partner %s", options->words[0]);
	if (ctl_policy_read(testing->ld, &testing->tenant, &testing->policy) != CTL_DONE)
		return CTL_FAILED;
	testing->rule = b2b_snapshot_rule(testing->policy.all, testing->entry->dn);
	if (!testing->rule)
		return ctl_fail("%s: does not stand where partners do", testing->entry->dn);
	return CTL_DONE;
}

static void test_entry(struct testing *testing)
{
	const struct b2b_rule *rule = testing->rule;
	const struct b2b_token_settings *token = &rule->u.partner.token;
	struct b2b_error error = { "" };

	if (rule->invalid) {
		say_wrong(testing, "entry: %s", rule->error.text);
		return;
	}
	if (b2b_snapshot_conflict(testing->policy.all, rule, &error) != B2B_OK)
		say_wrong(testing, "entry: %s", error.text);
	else
		ctl_say("ok: entry");
	if (!(rule->u.partner.idp_mask & B2B_IDP_OIDC))
		say_wrong(testing, "entry: oidc is not among b2bIdp: no token is accepted");
	if (!token->issuer)
		say_wrong(testing, "entry: no b2bIssuer: no token is accepted");
	if (!token->keys)
		say_wrong(testing, "entry: no b2bJwks: no token is accepted");
}

/* The issuer's own word on where its keys are. */
static void test_discovery(struct testing *testing, const char *uri)
{
	const struct b2b_token_settings *token = &testing->rule->u.partner.token;
	long status = 0;
	struct ctl_fetch how = { testing->options->ca_file, &status };
	struct ctl_provider provider = { 0 };
	char *algs;

	if (!token->issuer || !ctl_is_url(token->issuer))
		return;
	if (ctl_provider_read(token->issuer, &how, &provider) != CTL_DONE) {
		if (status == 404)
			ctl_say("note: discovery: the issuer publishes no document");
		else
			say_wrong(testing, "discovery: the document could not be read");
		return;
	}
	algs = ctl_algs_text(provider.algs);
	if (strcmp(provider.issuer, token->issuer) != 0)
		say_wrong(testing, "discovery: the issuer is now %s", provider.issuer);
	else if (strcmp(provider.jwks_uri, uri) != 0)
		say_wrong(testing, "discovery: the keys are published at %s", provider.jwks_uri);
	else if (provider.names_algs && !(provider.algs & token->algs))
		say_wrong(testing,
			  "discovery: the provider signs with %s, which the entry does "
			  "not accept",
			  algs);
	else
		ctl_say("ok: discovery");
	free(algs);
	ctl_provider_clear(&provider);
}

/* Keys of one set that the other lacks. */
static void tell_missing(struct testing *testing, const struct ctl_keys *keys,
			 const struct ctl_keys *others, const char *what)
{
	for (size_t i = 0; i < keys->count; i++) {
		char *name = ctl_key_name(&keys->list[i]);

		if (!ctl_keys_has(others, &keys->list[i]))
			say_wrong(testing, "keys: %s %s", name, what);
		free(name);
	}
}

static void test_keys(struct testing *testing, const char *uri)
{
	struct ctl_fetch how = { testing->options->ca_file, NULL };
	struct b2b_str have = ctl_entry_first(testing->entry, B2B_ATTR_JWKS);
	struct ctl_keys published = { 0 }, stored = { 0 };
	struct ctl_list notes = { 0 };
	char *clean = NULL, *old = NULL;

	if (!ctl_is_url(uri) || ctl_keys_read(uri, &how, &clean, &notes) != CTL_DONE ||
	    ctl_keys_parse(clean, &published) != CTL_DONE)
		say_wrong(testing, "keys: the published ones could not be read");
	else if (b2b_jwks_clean(have, NULL, NULL, &old, NULL) != B2B_OK ||
		 ctl_keys_parse(old, &stored) != CTL_DONE)
		say_wrong(testing, "keys: the stored ones are no key set");
	else if (ctl_keys_equal(&published, &stored))
		ctl_say("ok: keys: the stored ones are the published ones");
	tell_missing(testing, &published, &stored, "is published, but not stored");
	if (published.count > 0)
		tell_missing(testing, &stored, &published, "is stored, but no longer published");
	ctl_notes_clear(&notes, !testing->options->verbose);
	ctl_keys_clear(&published);
	ctl_keys_clear(&stored);
	free(clean);
	free(old);
}

static void test_provider(struct testing *testing)
{
	struct b2b_str value = ctl_entry_first(testing->entry, B2B_ATTR_JWKS_URI);
	char *uri;

	if (value.len == 0) {
		ctl_say("note: keys: no b2bJwksUri, so they are not compared with published ones");
		return;
	}
	uri = ctl_format("%.*s", (int)value.len, value.s);
	test_discovery(testing, uri);
	test_keys(testing, uri);
	free(uri);
}

static void say_trust(const struct testing *testing, bool told, unsigned bit, const char *what)
{
	unsigned trust = b2b_access_trust(testing->policy.all,
					  b2b_str_of(testing->rule->u.partner.tenant_id));

	if (!told)
		ctl_say("token: %s: home does not say so", what);
	else
		ctl_say("token: %s: home says so, %s", what,
			trust & bit ? "and is trusted" : "but is not trusted in this");
}

struct guests {
	size_t count;
	char *dn;
};

static void take_guest(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct guests *guests = ctx;
	char *dn = ldap_get_dn(ld, message);

	if (guests->count++ == 0)
		guests->dn = ctl_format("%s", dn ? dn : "");
	ldap_memfree(dn);
}

/* Whom the token would prove. */
static void say_guest(const struct testing *testing, const char *subject)
{
	char *base = ctl_guest_base(&testing->tenant);
	char *tenant = ctl_escape(testing->rule->u.partner.tenant_id);
	char *escaped = ctl_escape(subject);
	char *filter = ctl_format("(&(objectClass=b2bGuest)(b2bHomeTenant=%s)(b2bHomeSubject=%s))",
				  tenant, escaped);
	char *attrs[] = { LDAP_NO_ATTRS, NULL };
	struct guests guests = { 0 };
	struct ctl_search search = { base, LDAP_SCOPE_SUBTREE, filter, attrs, take_guest, &guests };
	int code = ctl_search(testing->ld, &search);

	if (code != LDAP_SUCCESS)
		ctl_fail_ldap(testing->ld, code, base);
	else if (guests.count == 1)
		ctl_say("token: guest: %s", guests.dn);
	else
		ctl_say("token: guest: %zu guests have this subject", guests.count);
	free(guests.dn);
	free(filter);
	free(escaped);
	free(tenant);
	free(base);
}

static void say_identity(struct testing *testing, const struct b2b_identity *identity)
{
	char *expires = ctl_time(identity->expires);
	char *when =
		identity->authenticated ? ctl_time(identity->authenticated) : ctl_format("unknown");

	if (strcmp(identity->partner->dn, testing->rule->dn) != 0) {
		say_wrong(testing, "token: is of another partner, %s", identity->partner->dn);
	} else {
		ctl_say("ok: token: signature and claims");
		say_guest(testing, identity->subject);
	}
	ctl_say("token: subject: %s", identity->subject);
	if (identity->email)
		ctl_say("token: mail: %s", identity->email);
	ctl_say("token: application: %s",
		identity->app ? identity->app->u.app.id : "none by its audience");
	ctl_say("token: signed in at home: %s", when);
	ctl_say("token: expires: %s", expires);
	say_trust(testing, identity->mfa, B2B_GRANT_MFA, "several factors");
	say_trust(testing, identity->compliant_device, B2B_GRANT_COMPLIANT_DEVICE,
		  "a compliant device");
	say_trust(testing, identity->hybrid_joined, B2B_GRANT_HYBRID_JOINED,
		  "a hybrid joined device");
	if (!identity->groups_known)
		ctl_say("token: groups: unknown");
	for (size_t i = 0; i < identity->group_count; i++)
		ctl_say("token: group: %.*s", (int)identity->groups[i].len, identity->groups[i].s);
	free(when);
	free(expires);
}

static struct b2b_str trimmed(const char *text, size_t bytes)
{
	while (bytes > 0 && strchr(" \t\r\n", text[bytes - 1]))
		bytes--;
	while (bytes > 0 && strchr(" \t\r\n", *text)) {
		text++;
		bytes--;
	}
	return (struct b2b_str){ text, bytes };
}

static int test_token(struct testing *testing)
{
	struct b2b_identity *identity = NULL;
	struct b2b_error why = { "" };
	char *text = NULL;
	size_t bytes = 0;
	enum b2b_err err;

	if (!testing->options->token)
		return CTL_DONE;
	/* a token that is too long is the core's to refuse; what was read is wiped whole */
	if (ctl_read_file(testing->options->token, B2B_TOKEN_MAX_BYTES + 2, &text, &bytes) !=
	    CTL_DONE)
		return CTL_FAILED;
	err = b2b_token_verify(testing->policy.all, trimmed(text, bytes), time(NULL), &identity,
			       &why);
	OPENSSL_cleanse(text, bytes);
	free(text);
	if (err == B2B_ERR_MEMORY)
		return ctl_fail("out of memory");
	if (err != B2B_OK)
		say_wrong(testing, "token: %s", why.text);
	else
		say_identity(testing, identity);
	b2b_identity_free(&identity);
	return CTL_DONE;
}

int ctl_partner_test(struct ctl_options *options)
{
	struct testing testing = { .options = options };
	int result = read_directory(&testing);

	if (result == CTL_DONE) {
		test_entry(&testing);
		test_provider(&testing);
		result = test_token(&testing);
	}
	if (testing.wrong && result == CTL_DONE)
		result = CTL_FAILED;
	ctl_policy_clear(&testing.policy);
	ctl_entry_free(&testing.entry);
	ctl_tenant_clear(&testing.tenant);
	if (testing.ld)
		ldap_unbind_ext_s(testing.ld, NULL, NULL);
	return result;
}
