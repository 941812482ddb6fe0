/*
 * ctl_export.c - policy export: our tenant's policy as strict Graph JSON.
 * In: the default policy's and the partners' entries.
 * Out: JSON on standard output; what has no place in it is named on standard error.
 */
#include "ctl.h"

#include <stdlib.h>
#include <string.h>

struct export
{
	struct ctl_options *options;
	LDAP *ld;
	struct ctl_tenant tenant;
	struct ctl_entry *default_entry;
	struct ctl_entry **partners;
	size_t partner_count;
};

static void take_partner(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct export *export = ctx;

	export->partners = ctl_grow(export->partners, export->partner_count, sizeof(void *));
	export->partners[export->partner_count++] = ctl_entry_new(ld, message);
}

static int read_partners(struct export *export)
{
	const char *id = export->options->partner;
	char *base = ctl_format("cn=partners,%s", export->tenant.entry->dn);
	char *escaped = ctl_escape(id ? id : "");
	char *filter = id ? ctl_format("(&(objectClass=b2bPartner)(b2bTenantId=%s))", escaped)
			  : ctl_format("(objectClass=b2bPartner)");
	char *attrs[] = { "*", NULL };
	struct ctl_search search = {
		base, LDAP_SCOPE_SUBTREE, filter, attrs, take_partner, export
	};
	int code = ctl_search(export->ld, &search), result = CTL_DONE;

	if (code != LDAP_SUCCESS && code != LDAP_NO_SUCH_OBJECT)
		result = ctl_fail_ldap(export->ld, code, base);
	else if (id && export->partner_count == 0)
		result = ctl_fail("there is no partner %s", id);
	free(filter);
	free(escaped);
	free(base);
	return result;
}

static int read_default(struct export *export)
{
	char *dn = ctl_format("cn=default,%s", export->tenant.entry->dn);
	int code =
		ctl_read(export->ld, dn, "(objectClass=b2bDefaultPolicy)", &export->default_entry);
	int result = code == LDAP_SUCCESS ? CTL_DONE : ctl_fail_ldap(export->ld, code, dn);

	if (result == CTL_DONE && !export->default_entry && export->options->only_default)
		result = ctl_fail("there is no %s", dn);
	free(dn);
	return result;
}

/* The home identity provider is ours alone; Graph has no word for it. */
static void note_left_out(const struct export *export)
{
	static const enum b2b_attr ours[] = { B2B_ATTR_TENANT_DOMAIN, B2B_ATTR_IDP,
					      B2B_ATTR_ISSUER,        B2B_ATTR_AUDIENCE,
					      B2B_ATTR_JWKS,          B2B_ATTR_JWKS_URI,
					      B2B_ATTR_SUBJECT_CLAIM, B2B_ATTR_HOME_URI,
					      B2B_ATTR_HOME_BIND_DN,  B2B_ATTR_HOME_START_TLS,
					      B2B_ATTR_HOME_CA_FILE };

	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
		size_t count = 0;

		for (size_t j = 0; j < export->partner_count; j++)
			count += export->partners[j]->values[ours[i]] != NULL;
		if (count > 0)
			ctl_note("%s of %zu %s has no place in Graph JSON, not exported",
				 b2b_attr_name(ours[i]), count,
				 count == 1 ? "partner" : "partners");
	}
}

static int write_json(const struct export *export)
{
	struct b2b_source *sources = ctl_alloc(export->partner_count, sizeof *sources);
	struct b2b_source first;
	struct b2b_error error;
	char *json = NULL;
	enum b2b_err err;

	if (export->default_entry)
		first = ctl_entry_source(export->default_entry);
	for (size_t i = 0; i < export->partner_count; i++)
		sources[i] = ctl_entry_source(export->partners[i]);
	err = b2b_graph_write(export->default_entry ? &first : NULL, sources, export->partner_count,
			      &json, &error);
	free(sources);
	if (err != B2B_OK)
		return ctl_fail("%s", err == B2B_ERR_MEMORY ? "out of memory" : error.text);
	puts(json);
	free(json);
	note_left_out(export);
	return CTL_DONE;
}

static int read_all(struct export *export)
{
	if (!export->tenant.entry)
		return ctl_fail("there is no b2bTenant entry at %s nor at cn=b2b below it, or you "
				"may not read it",
				export->tenant.base);
	if (!export->options->partner && read_default(export) != CTL_DONE)
		return CTL_FAILED;
	return export->options->only_default ? CTL_DONE : read_partners(export);
}

int ctl_policy_export(struct ctl_options *options)
{
	struct export export = { .options = options };
	int result = ctl_connect(options, &export.ld);

	if (result == CTL_DONE)
		result = ctl_tenant_find(export.ld, options, &export.tenant);
	if (result == CTL_DONE)
		result = read_all(&export);
	if (result == CTL_DONE)
		result = write_json(&export);
	ctl_entry_free(&export.default_entry);
	for (size_t i = 0; i < export.partner_count; i++)
		ctl_entry_free(&export.partners[i]);
	free(export.partners);
	ctl_tenant_clear(&export.tenant);
	if (export.ld)
		ldap_unbind_ext_s(export.ld, NULL, NULL);
	return result;
}
