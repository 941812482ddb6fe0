/*
 * ctl_from.c - another organisation's tenant entry, as partner add --from reads it.
 * In: ldap[s]://host[:port][/base] of a server with slapo-b2b, to which nothing is proven.
 * Out: what it publishes about itself: id, domains, issuer, keys.
 */
#include "ctl_oidc.h"

#include "mail.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECS_MAX 20 /* for it to answer */

/* Where to ask; the base is empty where the URL names none. */
struct place {
	char *server, *base;
	bool must_hide; /* ldap:// to another machine: StartTLS is demanded */
};

struct found {
	struct ctl_entry *entry; /* the first */
	size_t count;
};

static char *published[] = {
	"objectClass", "b2bTenantId", "b2bTenantName", "b2bTenantDomain", "b2bIssuer",
	"b2bJwks",     NULL
};

/* --- the place --- */

static int misuse(const char *text)
{
	ctl_misuse("--from is not ldap[s]://host[/base]: ", text);
	return CTL_USAGE;
}

static int read_place(const char *text, struct place *place_r)
{
	const char *host = strstr(text, "://");
	LDAPURLDesc *desc = NULL;
	struct b2b_url url;
	bool local;

	*place_r = (struct place){ NULL, NULL, true };
	if (!host || ldap_url_parse(text, &desc) != LDAP_URL_SUCCESS)
		return misuse(text);
	host += strlen("://");
	place_r->server = ctl_format("%.*s", (int)(host - text + (long)strcspn(host, "/?")), text);
	place_r->base = ctl_format("%s", desc->lud_dn ? desc->lud_dn : "");
	local = strcasecmp(desc->lud_scheme, "ldapi") == 0;
	ldap_free_urldesc(desc);
	if (!local && b2b_url_parse(b2b_str_of(place_r->server), &url) != B2B_OK)
		return misuse(text);
	place_r->must_hide = !local && !url.tls && !url.loopback;
	return CTL_DONE;
}

static void clear_place(struct place *place)
{
	free(place->server);
	free(place->base);
}

static int set_up(LDAP *ld, const char *ca_file)
{
	struct timeval limit = { SECS_MAX, 0 };
	int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, client = 0;

	ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
	ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
	ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &limit);
	ldap_set_option(ld, LDAP_OPT_TIMEOUT, &limit);
	/* whoever could stand between would choose the keys */
	if (ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) != LDAP_OPT_SUCCESS ||
	    (ca_file &&
	     ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, ca_file) != LDAP_OPT_SUCCESS) ||
	    ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client) != LDAP_OPT_SUCCESS)
		return ctl_fail("TLS cannot be set up%s%s", ca_file ? ": " : "",
				ca_file ? ca_file : "");
	return CTL_DONE;
}

static int dial(const struct place *place, const char *ca_file, LDAP **ld_r)
{
	struct berval nothing = { 0, NULL };
	int code = ldap_initialize(ld_r, place->server);

	if (code != LDAP_SUCCESS)
		return ctl_fail("%s: %s", place->server, ldap_err2string(code));
	if (set_up(*ld_r, ca_file) != CTL_DONE)
		return CTL_FAILED;
	if (place->must_hide)
		code = ldap_start_tls_s(*ld_r, NULL, NULL);
	if (code != LDAP_SUCCESS)
		return ctl_fail_ldap(*ld_r, code, "StartTLS");
	code = ldap_sasl_bind_s(*ld_r, NULL, LDAP_SASL_SIMPLE, &nothing, NULL, NULL, NULL);
	return code == LDAP_SUCCESS ? CTL_DONE : ctl_fail_ldap(*ld_r, code, place->server);
}

/* --- the entry --- */

static void take(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct found *found = ctx;

	if (found->count++ == 0)
		found->entry = ctl_entry_new(ld, message);
}

static void look(LDAP *ld, const char *base, int scope, struct found *found)
{
	struct ctl_search search = {
		base, scope, "(objectClass=b2bTenant)", published, take, found
	};

	/* what cannot be read there is looked for elsewhere, and missing in the end */
	(void)ctl_search(ld, &search);
}

/* Where the module makes it by default; there, too, where nothing above may be read. */
static void look_below(LDAP *ld, const char *base, struct found *found)
{
	struct found here = { NULL, 0 };
	char *dn = ctl_format("cn=b2b%s%s", *base ? "," : "", base);

	look(ld, base, LDAP_SCOPE_SUBTREE, &here);
	if (here.count == 0)
		look(ld, dn, LDAP_SCOPE_BASE, &here);
	free(dn);
	if (!found->entry)
		found->entry = here.entry;
	else
		ctl_entry_free(&here.entry);
	found->count += here.count;
}

static void take_contexts(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct berval ***values_r = ctx;

	if (!*values_r)
		*values_r = ldap_get_values_len(ld, message, "namingContexts");
}

static void look_everywhere(LDAP *ld, struct found *found)
{
	char *attrs[] = { "namingContexts", NULL };
	struct berval **values = NULL;
	struct ctl_search search = { "",    LDAP_SCOPE_BASE, "(objectClass=*)",
				     attrs, take_contexts,   &values };

	(void)ctl_search(ld, &search);
	for (size_t i = 0; values && values[i]; i++) {
		char *base = ctl_format("%.*s", (int)values[i]->bv_len, values[i]->bv_val);

		look_below(ld, base, found);
		free(base);
	}
	ldap_value_free_len(values);
}

int ctl_from_read(const struct ctl_options *options, struct ctl_entry **entry_r)
{
	struct found found = { NULL, 0 };
	struct place place;
	LDAP *ld = NULL;
	int result = read_place(options->from, &place);

	*entry_r = NULL;
	if (result == CTL_DONE)
		result = dial(&place, options->ca_file, &ld);
	if (result == CTL_DONE && *place.base)
		look_below(ld, place.base, &found);
	else if (result == CTL_DONE)
		look_everywhere(ld, &found);
	if (result == CTL_DONE && found.count == 0)
		result = ctl_fail("%s: there is no b2bTenant entry that anybody may read",
				  options->from);
	else if (result == CTL_DONE && found.count > 1)
		result = ctl_fail("%s: %zu tenants are there; name one in the URL: %s/DN",
				  options->from, found.count, place.server);
	if (result == CTL_DONE)
		*entry_r = found.entry;
	else
		ctl_entry_free(&found.entry);
	if (ld)
		ldap_unbind_ext_s(ld, NULL, NULL);
	clear_place(&place);
	return result;
}

/* --- its domains --- */

static bool is_ours(const struct ctl_tenant *tenant, struct b2b_str domain)
{
	struct b2b_source ours = ctl_entry_source(tenant->entry);
	struct b2b_str have;

	for (size_t i = 0; ours.value(ours.entry, B2B_ATTR_TENANT_DOMAIN, i, &have); i++)
		if (b2b_domain_equal(have, domain))
			return true;
	return false;
}

static int check_others(LDAP *ld, const struct ctl_tenant *tenant, const char *domain)
{
	char *escaped = ctl_escape(domain);
	char *filter = ctl_format("(&(objectClass=b2bPartner)(b2bTenantDomain=%s))", escaped);
	struct ctl_partners partners;
	int result = ctl_partners_read(ld, tenant, filter, &partners);

	if (result == CTL_DONE && partners.count > 0)
		result = ctl_fail("b2bTenantDomain %s is that of %s", domain,
				  partners.entries[0]->dn);
	ctl_partners_clear(&partners);
	free(filter);
	free(escaped);
	return result;
}

/* Whose address has a domain is whose guest it becomes: another organisation does not say so of ours,
 * or of a third one's, and "*" is for nobody but the administrator. */
int ctl_from_check_domains(const struct ctl_options *options, LDAP *ld,
			   const struct ctl_tenant *tenant, const struct ctl_entry *theirs)
{
	struct b2b_source source = ctl_entry_source(theirs);
	struct b2b_str domain;
	int result = CTL_DONE;

	for (size_t i = 0;
	     result == CTL_DONE && source.value(source.entry, B2B_ATTR_TENANT_DOMAIN, i, &domain);
	     i++) {
		const char *fault = b2b_domain_fault(domain);
		char *text = ctl_format("%.*s", (int)domain.len, domain.s);

		if (fault)
			result = ctl_fail("%s: b2bTenantDomain \"%s\" %s", options->from, text,
					  fault);
		else if (is_ours(tenant, domain))
			result = ctl_fail("%s: b2bTenantDomain %s is ours", options->from, text);
		else
			result = check_others(ld, tenant, text);
		free(text);
	}
	return result;
}
