/*
 * ctl_policy.c - reads our tenant's policy subtree and compiles it as the server does.
 * In: the entries at and below the tenant's.
 * Out: snapshots of the core.
 */
#include "ctl_policy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Attributes with guests' DNs, which only the server can compare as it does. */
static const enum b2b_attr guest_attrs[] = { B2B_ATTR_APP_ASSIGNEE, B2B_ATTR_CA_INCLUDE_GUEST,
					     B2B_ATTR_CA_EXCLUDE_GUEST };
#define GUEST_ATTRS (sizeof guest_attrs / sizeof *guest_attrs)

struct reading {
	struct ctl_policy *policy;
	const struct ctl_tenant *tenant;
	const char *guest_dn;                  /* or NULL */
	struct ctl_list mentions[GUEST_ATTRS]; /* DNs of the entries that name the guest */
	bool no_memory;
};

/* One policy entry, where the guest goes by the DN that its own entry has. */
struct view {
	const struct reading *reading;
	const struct ctl_entry *entry;
};

static bool is_mentioned(const struct view *view, enum b2b_attr attr)
{
	for (size_t i = 0; i < GUEST_ATTRS; i++) {
		const struct ctl_list *list = &view->reading->mentions[i];

		for (size_t j = 0; guest_attrs[i] == attr && j < list->count; j++)
			if (strcmp(list->values[j], view->entry->dn) == 0)
				return true;
	}
	return false;
}

static bool view_value(const void *data, enum b2b_attr attr, size_t index, struct b2b_str *value_r)
{
	const struct view *view = data;
	struct b2b_source source = ctl_entry_source(view->entry);

	if (is_mentioned(view, attr)) {
		if (index == 0) {
			*value_r = b2b_str_of(view->reading->guest_dn);
			return true;
		}
		index--;
	}
	return source.value(source.entry, attr, index, value_r);
}

struct probe {
	const struct view *view;
	enum ctl_condition condition;
};

static bool is_condition(enum b2b_attr attr, enum ctl_condition condition)
{
	static const enum b2b_attr attrs[CTL_CONDITIONS][6] = {
		[CTL_ON_GUEST] = { B2B_ATTR_CA_INCLUDE_PARTNER, B2B_ATTR_CA_EXCLUDE_PARTNER,
				   B2B_ATTR_CA_INCLUDE_USER_TYPE, B2B_ATTR_CA_EXCLUDE_USER_TYPE,
				   B2B_ATTR_CA_INCLUDE_GUEST, B2B_ATTR_CA_EXCLUDE_GUEST },
		[CTL_ON_APP] = { B2B_ATTR_CA_INCLUDE_APP, B2B_ATTR_CA_EXCLUDE_APP },
		[CTL_ON_NETWORK] = { B2B_ATTR_CA_INCLUDE_NETWORK, B2B_ATTR_CA_EXCLUDE_NETWORK },
		[CTL_ON_STRENGTH] = { B2B_ATTR_CA_BELOW_SSF },
	};

	for (size_t i = 0; i < 6; i++)
		if (attr != B2B_ATTR_NONE && attrs[condition][i] == attr)
			return true;
	return false;
}

/* The conditions of one group, under a policy that shows whether it applies. */
static bool probe_value(const void *data, enum b2b_attr attr, size_t index, struct b2b_str *value_r)
{
	const struct probe *probe = data;

	if (attr == B2B_ATTR_CA_STATE || attr == B2B_ATTR_CA_GRANT) {
		*value_r = b2b_str_of(attr == B2B_ATTR_CA_STATE ? "enabled" : "block");
		return index == 0;
	}
	return is_condition(attr, probe->condition) &&
	       view_value(probe->view, attr, index, value_r);
}

static bool has_condition(const struct view *view, enum ctl_condition condition)
{
	struct b2b_str value;

	for (enum b2b_attr attr = B2B_ATTR_NONE; attr < B2B_ATTR_COUNT; attr++)
		if (is_condition(attr, condition) && view_value(view, attr, 0, &value))
			return true;
	return false;
}

static void take_probes(struct reading *reading, const struct view *view)
{
	struct ctl_policy *policy = reading->policy;
	struct ctl_probes *probes;

	policy->probes = ctl_grow(policy->probes, policy->probe_count, sizeof *probes);
	probes = &policy->probes[policy->probe_count++];
	*probes = (struct ctl_probes){ .dn = ctl_format("%s", view->entry->dn) };
	for (enum ctl_condition condition = 0; condition < CTL_CONDITIONS; condition++) {
		struct probe probe = { view, condition };
		struct b2b_source source = { view->entry->dn, &probe, probe_value };

		if (has_condition(view, condition))
			b2b_rule_compile(B2B_RULE_ACCESS, &source, &probes->rules[condition], NULL);
	}
}

const struct ctl_probes *ctl_policy_probes(const struct ctl_policy *policy, const char *dn)
{
	for (size_t i = 0; i < policy->probe_count; i++)
		if (strcmp(policy->probes[i].dn, dn) == 0)
			return &policy->probes[i];
	return NULL;
}

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

static void put(struct reading *reading, struct b2b_snapshot **snapshot, struct b2b_rule *rule)
{
	struct b2b_snapshot *next = *snapshot ? b2b_snapshot_with(*snapshot, rule) : NULL;

	reading->no_memory = reading->no_memory || !next;
	b2b_snapshot_unref(snapshot);
	*snapshot = next;
}

static void take_entry(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct reading *reading = ctx;
	struct ctl_entry *entry = ctl_entry_new(ld, message);
	enum b2b_rule_kind kind = kind_by_place(reading, entry->dn);
	struct view view = { reading, entry };
	struct b2b_source source = { entry->dn, &view, view_value };
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
		put(reading, &reading->policy->all, rule);
	if (rule && kind != B2B_RULE_ACCESS)
		put(reading, &reading->policy->settings, rule);
	if (rule && kind == B2B_RULE_ACCESS && !rule->invalid)
		take_probes(reading, &view);
	b2b_rule_unref(&rule);
	ctl_entry_free(&entry);
}

static void take_mention(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct ctl_list *list = ctx;
	char *dn = ldap_get_dn(ld, message);

	list->values = ctl_grow(list->values, list->count, sizeof *list->values);
	list->values[list->count++] = ctl_format("%s", dn ? dn : "");
	ldap_memfree(dn);
}

static int find_mentions(LDAP *ld, struct reading *reading)
{
	char *attrs[] = { LDAP_NO_ATTRS, NULL };
	char *escaped = ctl_escape(reading->guest_dn);
	int code = LDAP_SUCCESS;

	for (size_t i = 0; code == LDAP_SUCCESS && i < GUEST_ATTRS; i++) {
		char *filter = ctl_format("(%s=%s)", b2b_attr_name(guest_attrs[i]), escaped);
		struct ctl_search search = {
			reading->tenant->entry->dn, LDAP_SCOPE_SUBTREE, filter, attrs, take_mention,
			&reading->mentions[i]
		};

		code = ctl_search(ld, &search);
		free(filter);
	}
	free(escaped);
	return code;
}

int ctl_policy_read(LDAP *ld, const struct ctl_tenant *tenant, const char *guest_dn,
		    struct ctl_policy *policy_r)
{
	struct reading reading = { .policy = policy_r, .tenant = tenant, .guest_dn = guest_dn };
	char *attrs[] = { "*", NULL };
	struct ctl_search search = { tenant->entry->dn,
				     LDAP_SCOPE_SUBTREE,
				     "(|(objectClass=b2bTenant)(objectClass=b2bDefaultPolicy)"
				     "(objectClass=b2bPartner)(objectClass=b2bApplication)"
				     "(objectClass=b2bAccessPolicy))",
				     attrs,
				     take_entry,
				     &reading };
	int code = LDAP_SUCCESS;

	*policy_r =
		(struct ctl_policy){ .all = b2b_snapshot_new(), .settings = b2b_snapshot_new() };
	if (guest_dn)
		code = find_mentions(ld, &reading);
	if (code == LDAP_SUCCESS)
		code = ctl_search(ld, &search);
	for (size_t i = 0; i < GUEST_ATTRS; i++) {
		for (size_t j = 0; j < reading.mentions[i].count; j++)
			free(reading.mentions[i].values[j]);
		free(reading.mentions[i].values);
	}
	if (code != LDAP_SUCCESS) {
		ctl_fail_ldap(ld, code, tenant->entry->dn);
		return ctl_fail("the policy could not be read in whole");
	}
	return reading.no_memory ? ctl_fail("out of memory") : CTL_DONE;
}

void ctl_policy_clear(struct ctl_policy *policy)
{
	b2b_snapshot_unref(&policy->all);
	b2b_snapshot_unref(&policy->settings);
	for (size_t i = 0; i < policy->probe_count; i++) {
		for (size_t j = 0; j < CTL_CONDITIONS; j++)
			b2b_rule_unref(&policy->probes[i].rules[j]);
		free(policy->probes[i].dn);
	}
	free(policy->probes);
	policy->probes = NULL;
	policy->probe_count = 0;
}
