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
	struct ctl_partners partners;
};

static int read_partners(struct export *export)
{
	const char *id = export->options->partner;
	char *filter = id ? ctl_partner_filter(id) : ctl_format("(objectClass=b2bPartner)");
	int result = ctl_partners_read(export->ld, &export->tenant, filter, &export->partners);

	free(filter);
	if (result == CTL_DONE && id && export->partners.count == 0)
		result = ctl_fail("there is no partner %s", id);
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

/* The home identity provider and what bounds the guests' view are ours alone; Graph has no word for
 * them. */
static void note_left_out(const struct export *export)
{
	static const enum b2b_attr ours[] = { B2B_ATTR_TENANT_DOMAIN,
					      B2B_ATTR_IDP,
					      B2B_ATTR_ISSUER,
					      B2B_ATTR_AUDIENCE,
					      B2B_ATTR_JWKS,
					      B2B_ATTR_JWKS_URI,
					      B2B_ATTR_SUBJECT_CLAIM,
					      B2B_ATTR_TENANT_CLAIM,
					      B2B_ATTR_GROUPS_CLAIM,
					      B2B_ATTR_MFA_CLAIM,
					      B2B_ATTR_COMPLIANT_DEVICE_CLAIM,
					      B2B_ATTR_HYBRID_JOINED_CLAIM,
					      B2B_ATTR_TOKEN_ALGORITHM,
					      B2B_ATTR_TOKEN_ONCE,
					      B2B_ATTR_HOME_URI,
					      B2B_ATTR_HOME_BIND_DN,
					      B2B_ATTR_HOME_START_TLS,
					      B2B_ATTR_HOME_CA_FILE,
					      B2B_ATTR_GUEST_ACCESS,
					      B2B_ATTR_MAX_LABEL };

	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
		size_t count = 0;

		for (size_t j = 0; j < export->partners.count; j++)
			count += export->partners.entries[j]->values[ours[i]] != NULL;
		if (count > 0)
			ctl_note("%s of %zu %s has no place in Graph JSON, not exported",
				 b2b_attr_name(ours[i]), count,
				 count == 1 ? "partner" : "partners");
	}
}

static int write_json(const struct export *export)
{
	struct b2b_source *sources = ctl_alloc(export->partners.count, sizeof *sources);
	struct b2b_source first;
	struct b2b_error error;
	char *json = NULL;
	enum b2b_err err;

	if (export->default_entry)
		first = ctl_entry_source(export->default_entry);
	for (size_t i = 0; i < export->partners.count; i++)
		sources[i] = ctl_entry_source(export->partners.entries[i]);
	err = b2b_graph_write(export->default_entry ? &first : NULL, sources,
			      export->partners.count, &json, &error);
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
	if (ctl_tenant_demand(&export->tenant) != CTL_DONE)
		return CTL_FAILED;
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
	ctl_partners_clear(&export.partners);
	ctl_tenant_clear(&export.tenant);
	if (export.ld)
		ldap_unbind_ext_s(export.ld, NULL, NULL);
	return result;
}
