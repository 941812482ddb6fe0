/*
 * ctl_plan.c - merges what a document wants of one entry into what the directory has of it.
 * In: struct b2b_graph_entry and the entry as it stands.
 * Out: the modifications to send, checked by the core as the server will check them.
 */
#include "ctl.h"

#include <stdlib.h>
#include <string.h>

#define SETTINGS 4

static const struct b2b_graph_value *wanted(const struct ctl_plan *plan, enum b2b_attr attr)
{
	if (attr == B2B_ATTR_GROUP_TARGET && plan->has_groups)
		return &plan->groups;
	for (size_t i = 0; i < plan->want->count; i++)
		if (plan->want->values[i].attr == attr)
			return &plan->want->values[i];
	return NULL;
}

/* The entry as it will be. */
static bool merged_value(const void *data, enum b2b_attr attr, size_t index,
			 struct b2b_str *value_r)
{
	const struct ctl_plan *plan = data;
	const struct b2b_graph_value *value = wanted(plan, attr);
	struct b2b_source old;

	if (value) {
		if (index >= value->count)
			return false;
		*value_r = b2b_str_of(value->values[index]);
		return true;
	}
	if (plan->old) {
		old = ctl_entry_source(plan->old);
		return old.value(old.entry, attr, index, value_r);
	}
	if (attr != B2B_ATTR_TENANT_ID || index > 0 || !plan->want->tenant_id)
		return false;
	*value_r = b2b_str_of(plan->want->tenant_id);
	return true;
}

static bool names_group(const struct b2b_source *source, struct b2b_str name)
{
	struct b2b_str group;

	for (size_t i = 0; source->value(source->entry, B2B_ATTR_GROUP_TARGET, i, &group); i++)
		if (b2b_str_similar(group, name))
			return true;
	return false;
}

static void add_group(struct b2b_graph_value *groups, struct b2b_str name)
{
	for (size_t i = 0; i < groups->count; i++)
		if (b2b_str_equal(b2b_str_of(groups->values[i]), name))
			return;
	groups->values = ctl_grow(groups->values, groups->count, sizeof *groups->values);
	groups->values[groups->count++] = ctl_format("%.*s", (int)name.len, name.s);
}

/* Whether the document names this target, as a group or as something else. */
static bool wants_target(const struct ctl_plan *plan, struct b2b_str name, bool as_group)
{
	const struct b2b_graph_value *groups = NULL, *value;
	bool found = false, group = false;

	for (int i = 0; i < SETTINGS && !found; i++) {
		value = wanted(plan, B2B_ATTR_COLLAB_IN_USERS_TARGET + 4 * i);
		for (size_t j = 0; value && j < value->count && !found; j++)
			found = b2b_str_similar(b2b_str_of(value->values[j]), name);
	}
	for (size_t i = 0; i < plan->want->count; i++)
		if (plan->want->values[i].attr == B2B_ATTR_GROUP_TARGET)
			groups = &plan->want->values[i];
	for (size_t i = 0; groups && i < groups->count; i++)
		group = group || b2b_str_similar(b2b_str_of(groups->values[i]), name);
	return found && group == as_group;
}

/* A users half that the document leaves alone keeps its groups; b2bGroupTarget serves all. */
static int keep_groups(struct ctl_plan *plan, enum b2b_attr target)
{
	struct b2b_source old = ctl_entry_source(plan->old);
	struct b2b_str name, group;

	for (size_t i = 0; old.value(old.entry, target, i, &name); i++) {
		bool is_group = names_group(&old, name);

		if (wants_target(plan, name, !is_group))
			return ctl_fail("%s: \"%.*s\" is %s in %s and %s in the document; one of "
					"them would no longer be matched",
					plan->dn, (int)name.len, name.s,
					is_group ? "a group" : "no group", b2b_attr_name(target),
					is_group ? "none" : "one");
		for (size_t j = 0;
		     is_group && old.value(old.entry, B2B_ATTR_GROUP_TARGET, j, &group); j++)
			if (b2b_str_similar(group, name))
				add_group(&plan->groups, group);
	}
	return CTL_DONE;
}

static int merge_groups(struct ctl_plan *plan)
{
	const struct b2b_graph_value *groups = wanted(plan, B2B_ATTR_GROUP_TARGET);

	if (!groups)
		return CTL_DONE;
	plan->groups.attr = B2B_ATTR_GROUP_TARGET;
	for (size_t i = 0; i < groups->count; i++)
		add_group(&plan->groups, b2b_str_of(groups->values[i]));
	for (int i = 0; plan->old && i < SETTINGS; i++) {
		enum b2b_attr target = B2B_ATTR_COLLAB_IN_USERS_TARGET + 4 * i;

		if (!wanted(plan, target) && keep_groups(plan, target) != CTL_DONE)
			return CTL_FAILED;
	}
	plan->has_groups = true;
	return CTL_DONE;
}

int ctl_plan_make(struct ctl_plan *plan)
{
	struct b2b_source source = { plan->dn, plan, merged_value };
	enum b2b_rule_kind kind = plan->review            ? B2B_RULE_REVIEW
				  : plan->want->tenant_id ? B2B_RULE_PARTNER
							  : B2B_RULE_DEFAULT;
	struct b2b_error error;
	enum b2b_err err;

	if (merge_groups(plan) != CTL_DONE)
		return CTL_FAILED;
	err = b2b_rule_compile(kind, &source, &plan->rule, &error);
	if (err != B2B_OK)
		return ctl_fail("%s: %s", plan->dn,
				err == B2B_ERR_MEMORY ? "out of memory" : error.text);
	return CTL_DONE;
}

LDAPMod *ctl_mod(int op, const char *name, char *const *values, size_t count)
{
	LDAPMod *mod = ctl_alloc(1, sizeof *mod);

	mod->mod_op = op;
	mod->mod_type = ctl_format("%s", name);
	if (count > 0) {
		mod->mod_values = ctl_alloc(count + 1, sizeof *mod->mod_values);
		for (size_t i = 0; i < count; i++)
			mod->mod_values[i] = ctl_format("%s", values[i]);
	}
	return mod;
}

static bool holds(const struct b2b_source *old, const struct b2b_graph_value *value, size_t at)
{
	bool is_word = strstr(b2b_attr_name(value->attr), "Access") || value->attr == B2B_ATTR_IDP;
	struct b2b_str have, want = b2b_str_of(value->values[at]);

	for (size_t i = 0; old->value(old->entry, value->attr, i, &have); i++)
		if (is_word ? b2b_str_equal_nocase(have, want) : b2b_str_equal(have, want))
			return true;
	return false;
}

static bool differs(const struct ctl_plan *plan, const struct b2b_graph_value *value)
{
	struct b2b_source old;
	struct b2b_str have;
	size_t count = 0;

	if (!plan->old)
		return value->count > 0;
	if (value->attr == B2B_ATTR_CN)
		return false; /* it was found by this name, in whatever case */
	old = ctl_entry_source(plan->old);
	while (old.value(old.entry, value->attr, count, &have))
		count++;
	if (count != value->count)
		return true;
	for (size_t i = 0; i < value->count; i++)
		if (!holds(&old, value, i))
			return true;
	return false;
}

LDAPMod **ctl_plan_mods(const struct ctl_plan *plan)
{
	/* An entry of two attributes comes with a new one; NULL ends. */
	LDAPMod **mods = ctl_alloc(plan->want->count + 3, sizeof *mods);
	size_t count = 0;

	if (!plan->old && plan->review) {
		char *class = "b2bReviewDefinition";

		mods[count++] = ctl_mod(LDAP_MOD_ADD, "objectClass", &class, 1);
	} else if (!plan->old) {
		char *class = plan->want->tenant_id ? "b2bPartner" : "b2bDefaultPolicy";
		char *name = plan->want->tenant_id ? plan->want->tenant_id : "default";

		mods[count++] = ctl_mod(LDAP_MOD_ADD, "objectClass", &class, 1);
		mods[count++] = ctl_mod(LDAP_MOD_ADD, plan->want->tenant_id ? "b2bTenantId" : "cn",
					&name, 1);
	}
	for (size_t i = 0; i < plan->want->count; i++) {
		const struct b2b_graph_value *value = wanted(plan, plan->want->values[i].attr);

		if (value && differs(plan, value))
			mods[count++] =
				ctl_mod(plan->old ? LDAP_MOD_REPLACE : LDAP_MOD_ADD,
					b2b_attr_name(value->attr), value->values, value->count);
	}
	if (count > 0)
		return mods;
	free(mods);
	return NULL;
}

void ctl_want(struct b2b_graph_entry *want, enum b2b_attr attr, struct b2b_str text)
{
	struct b2b_graph_value *value = want->count ? &want->values[want->count - 1] : NULL;

	if (!value || value->attr != attr) {
		want->values = ctl_grow(want->values, want->count, sizeof *want->values);
		value = &want->values[want->count++];
		*value = (struct b2b_graph_value){ .attr = attr };
	}
	value->values = ctl_grow(value->values, value->count, sizeof *value->values);
	value->values[value->count++] = ctl_format("%.*s", (int)text.len, text.s);
}

void ctl_want_clear(struct b2b_graph_entry *want)
{
	for (size_t i = 0; i < want->count; i++) {
		for (size_t j = 0; j < want->values[i].count; j++)
			free(want->values[i].values[j]);
		free(want->values[i].values);
	}
	free(want->values);
	free(want->tenant_id);
	*want = (struct b2b_graph_entry){ 0 };
}

void ctl_plan_clear(struct ctl_plan *plan)
{
	for (size_t i = 0; i < plan->groups.count; i++)
		free(plan->groups.values[i]);
	free(plan->groups.values);
	ctl_entry_free(&plan->old);
	b2b_rule_unref(&plan->rule);
	free(plan->dn);
	*plan = (struct ctl_plan){ 0 };
}
