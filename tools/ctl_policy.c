/*
 * ctl_policy.c - reads our tenant's policy subtree and compiles it as the server does.
 * In: the entries at and below the tenant's.
 * Out: a snapshot of the core.
 */
#include "ctl_policy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct reading {
	struct ctl_policy *policy;
	const struct ctl_tenant *tenant;
	bool no_memory;
};

/* The number of RDNs by which dn stands below base; -1 where it does not. */
static int depth_below(LDAPDN dn, LDAPDN base)
{
	int count = 0, base_count = 0;

	while (dn && dn[count])
		count++;
	while (base && base[base_count])
		base_count++;
	return count - base_count;
}

static bool is_rdn(LDAPRDN rdn, const char *value)
{
	struct berval name = { 2, "cn" };
	LDAPAVA *ava = rdn[0];

	return ava && !rdn[1] && ava->la_attr.bv_len == name.bv_len &&
	       strncasecmp(ava->la_attr.bv_val, name.bv_val, name.bv_len) == 0 &&
	       ava->la_value.bv_len == strlen(value) &&
	       strncasecmp(ava->la_value.bv_val, value, ava->la_value.bv_len) == 0;
}

/* What an entry of this place is to the server; what stands elsewhere is no policy. */
static enum b2b_rule_kind kind_by_place(const struct reading *reading, const char *text)
{
	static const struct {
		const char *container;
		enum b2b_rule_kind kind;
	} places[] = { { "partners", B2B_RULE_PARTNER },
		       { "applications", B2B_RULE_APP },
		       { "conditional-access", B2B_RULE_ACCESS } };
	enum b2b_rule_kind kind = B2B_RULE_NONE;
	LDAPDN dn = NULL, base = NULL;
	int depth;

	ldap_str2dn(text, &dn, LDAP_DN_FORMAT_LDAPV3);
	ldap_str2dn(reading->tenant->entry->dn, &base, LDAP_DN_FORMAT_LDAPV3);
	depth = dn && base ? depth_below(dn, base) : -1;
	if (depth == 0)
		kind = B2B_RULE_TENANT;
	else if (depth == 1 && is_rdn(dn[0], "default"))
		kind = B2B_RULE_DEFAULT;
	for (size_t i = 0; depth == 2 && i < sizeof places / sizeof *places; i++)
		if (is_rdn(dn[1], places[i].container))
			kind = places[i].kind;
	ldap_dnfree(base);
	ldap_dnfree(dn);
	return kind;
}

static bool has_class(LDAP *ld, LDAPMessage *message, enum b2b_rule_kind kind)
{
	static const char *const classes[] = { "",           "b2bTenant",      "b2bDefaultPolicy",
					       "b2bPartner", "b2bApplication", "b2bAccessPolicy" };
	struct berval **values = ldap_get_values_len(ld, message, "objectClass");
	bool found = false;

	for (size_t i = 0; values && values[i]; i++)
		found = found || strcasecmp(values[i]->bv_val, classes[kind]) == 0;
	ldap_value_free_len(values);
	return found;
}

static void put(struct reading *reading, struct b2b_rule *rule)
{
	struct b2b_snapshot **all = &reading->policy->all;
	struct b2b_snapshot *next = *all ? b2b_snapshot_with(*all, rule) : NULL;

	reading->no_memory = reading->no_memory || !next;
	b2b_snapshot_unref(all);
	*all = next;
}

static void take_entry(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct reading *reading = ctx;
	struct ctl_entry *entry = ctl_entry_new(ld, message);
	enum b2b_rule_kind kind = kind_by_place(reading, entry->dn);
	struct b2b_source source = ctl_entry_source(entry);
	struct b2b_error error = { "" };
	struct b2b_rule *rule = NULL;

	if (kind == B2B_RULE_NONE) {
		ctl_note("%s: means nothing in this place", entry->dn);
		ctl_entry_free(&entry);
		return;
	}
	if (b2b_rule_compile(kind, &source, &rule, &error) != B2B_OK)
		ctl_note("%s: %s: whom it governs is denied", entry->dn, error.text);
	if (rule && !has_class(ld, message, kind)) {
		rule->invalid = true;
		ctl_note("%s: not of the class of its place: whom it governs is denied", entry->dn);
	}
	reading->no_memory = reading->no_memory || !rule;
	if (rule)
		put(reading, rule);
	b2b_rule_unref(&rule);
	ctl_entry_free(&entry);
}

int ctl_policy_read(LDAP *ld, const struct ctl_tenant *tenant, struct ctl_policy *policy_r)
{
	struct reading reading = { .policy = policy_r, .tenant = tenant };
	char *attrs[] = { "*", NULL };
	struct ctl_search search = { tenant->entry->dn,
				     LDAP_SCOPE_SUBTREE,
				     "(|(objectClass=b2bTenant)(objectClass=b2bDefaultPolicy)"
				     "(objectClass=b2bPartner)(objectClass=b2bApplication)"
				     "(objectClass=b2bAccessPolicy))",
				     attrs,
				     take_entry,
				     &reading };
	int code;

	*policy_r = (struct ctl_policy){ .all = b2b_snapshot_new() };
	code = ctl_search(ld, &search);
	if (code != LDAP_SUCCESS) {
		ctl_fail_ldap(ld, code, tenant->entry->dn);
		return ctl_fail("the policy could not be read in whole");
	}
	return reading.no_memory ? ctl_fail("out of memory") : CTL_DONE;
}

void ctl_policy_clear(struct ctl_policy *policy)
{
	b2b_snapshot_unref(&policy->all);
}
