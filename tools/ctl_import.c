/*
 * ctl_import.c - policy import and policy check: a Graph JSON document into the directory.
 * In: a file, or standard input; our tenant's entries.
 * Out: entries added and changed, one line each; nothing is written before all is checked.
 */
#include "ctl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Up to here the partners are asked for by name, beyond it all are read. */
#define ASK_BY_NAME 32

struct partner_list {
	struct ctl_entry **entries; /* sorted by tenant id */
	size_t count;
};

struct import {
	struct ctl_options *options;
	struct b2b_graph *graph;
	LDAP *ld;
	struct ctl_tenant tenant;
	char *container; /* DN of cn=partners */
	struct partner_list partners;
	struct ctl_plan *plans;
	size_t written;
};

/* --partner says whose policy a document is that does not say it itself. */
static int apply_partner(const struct ctl_options *options, struct b2b_graph *graph)
{
	struct b2b_graph_entry *entry = &graph->entries[0];

	if (!options->partner)
		return CTL_DONE;
	if (graph->count != 1)
		return ctl_fail("--partner: the document has %zu policies, not one", graph->count);
	if (!entry->tenant_id)
		entry->tenant_id = ctl_format("%s", options->partner);
	if (strcasecmp(entry->tenant_id, options->partner) != 0)
		return ctl_fail("--partner %s: the document is the policy of %s", options->partner,
				entry->tenant_id);
	return CTL_DONE;
}

/* What needs no server. */
static int read_document(struct ctl_options *options, struct b2b_graph **graph_r)
{
	const char *path = options->words[0];
	struct b2b_error error;
	char *text;
	size_t bytes;
	enum b2b_err err;

	if (ctl_read_file(path, B2B_GRAPH_MAX_BYTES, &text, &bytes) != CTL_DONE)
		return CTL_FAILED;
	err = b2b_graph_read(text, bytes, options->setting, graph_r, &error);
	free(text);
	if (err != B2B_OK)
		return ctl_fail("%s: %s", path,
				err == B2B_ERR_MEMORY ? "out of memory" : error.text);
	for (size_t i = 0; i < (*graph_r)->note_count; i++)
		ctl_note("%s", (*graph_r)->notes[i]);
	return apply_partner(options, *graph_r);
}

int ctl_policy_check(struct ctl_options *options)
{
	struct b2b_graph *graph = NULL;
	int result = read_document(options, &graph);

	for (size_t i = 0; result == CTL_DONE && i < graph->count; i++) {
		struct ctl_plan plan = { .want = &graph->entries[i] };

		plan.dn = ctl_format("%s", plan.want->tenant_id ? plan.want->tenant_id : "default");
		result = ctl_plan_make(&plan);
		ctl_plan_clear(&plan);
	}
	if (result == CTL_DONE)
		printf("in order: %zu %s\n", graph->count,
		       graph->count == 1 ? "policy" : "policies");
	b2b_graph_free(&graph);
	return result;
}

static int by_tenant(const void *a, const void *b)
{
	const struct ctl_entry *x = *(struct ctl_entry *const *)a;
	const struct ctl_entry *y = *(struct ctl_entry *const *)b;
	struct b2b_str left = ctl_entry_first(x, B2B_ATTR_TENANT_ID);
	struct b2b_str right = ctl_entry_first(y, B2B_ATTR_TENANT_ID);
	size_t shorter = left.len < right.len ? left.len : right.len;
	int order = strncasecmp(left.s, right.s, shorter);

	return order ? order : (left.len > right.len) - (left.len < right.len);
}

static void take_partner(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct partner_list *list = ctx;

	list->entries = ctl_grow(list->entries, list->count, sizeof(struct ctl_entry *));
	list->entries[list->count++] = ctl_entry_new(ld, message);
}

static char *partner_filter(const struct b2b_graph *graph)
{
	char *filter = ctl_format("(&(objectClass=b2bPartner)(|");

	for (size_t i = 0; i < graph->count; i++) {
		const char *id = graph->entries[i].tenant_id;
		char *escaped = ctl_escape(id ? id : ""), *longer;

		if (!id) {
			free(escaped);
			continue;
		}
		longer = ctl_format("%s(b2bTenantId=%s)", filter, escaped);
		free(escaped);
		free(filter);
		filter = longer;
	}
	char *closed = ctl_format("%s))", filter);

	free(filter);
	return closed;
}

static int read_partners(struct import *import)
{
	char *filter = import->graph->count > ASK_BY_NAME ? ctl_format("(objectClass=b2bPartner)")
							  : partner_filter(import->graph);
	char *attrs[] = { "*", NULL };
	struct ctl_search search = { import->container, LDAP_SCOPE_SUBTREE, filter, attrs,
				     take_partner,      &import->partners };
	int code = ctl_search(import->ld, &search);

	free(filter);
	if (code != LDAP_SUCCESS && code != LDAP_NO_SUCH_OBJECT)
		return ctl_fail_ldap(import->ld, code, import->container);
	if (import->partners.count > 0)
		qsort(import->partners.entries, import->partners.count, sizeof(struct ctl_entry *),
		      by_tenant);
	return CTL_DONE;
}

/* Takes the entry of this tenant out of the list; NULL where there is none. */
static struct ctl_entry *take_old(struct partner_list *list, const char *tenant_id)
{
	size_t low = 0, high = list->count;
	struct ctl_entry key = { 0 }, *wanted = &key;
	struct berval id = { strlen(tenant_id), (char *)tenant_id }, *values[] = { &id, NULL };

	key.values[B2B_ATTR_TENANT_ID] = values;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = by_tenant(&wanted, &list->entries[middle]);

		if (order == 0) {
			struct ctl_entry *found = list->entries[middle];

			memmove(&list->entries[middle], &list->entries[middle + 1],
				(list->count - middle - 1) * sizeof(struct ctl_entry *));
			list->count--;
			return found;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static int plan_entry(struct import *import, size_t at)
{
	struct ctl_plan *plan = &import->plans[at];
	char *escaped;
	int code;

	plan->want = &import->graph->entries[at];
	if (!plan->want->tenant_id) {
		plan->dn = ctl_format("cn=default,%s", import->tenant.entry->dn);
		code = ctl_read(import->ld, plan->dn, "(objectClass=b2bDefaultPolicy)", &plan->old);
		if (code != LDAP_SUCCESS)
			return ctl_fail_ldap(import->ld, code, plan->dn);
		return ctl_plan_make(plan);
	}
	plan->old = take_old(&import->partners, plan->want->tenant_id);
	if (plan->old) {
		plan->dn = ctl_format("%s", plan->old->dn);
	} else {
		escaped = ctl_escape(plan->want->tenant_id);
		plan->dn = ctl_format("b2bTenantId=%s,%s", escaped, import->container);
		free(escaped);
	}
	return ctl_plan_make(plan);
}

static int make_plans(struct import *import)
{
	bool partners = false;

	if (!import->tenant.entry)
		return ctl_fail("there is no b2bTenant entry at %s nor at cn=b2b below it, or you "
				"may not read it",
				import->tenant.base);
	import->container = ctl_format("cn=partners,%s", import->tenant.entry->dn);
	import->plans = ctl_alloc(import->graph->count, sizeof *import->plans);
	for (size_t i = 0; i < import->graph->count; i++)
		partners = partners || import->graph->entries[i].tenant_id;
	if (partners && read_partners(import) != CTL_DONE)
		return CTL_FAILED;
	for (size_t i = 0; i < import->graph->count; i++)
		if (plan_entry(import, i) != CTL_DONE)
			return CTL_FAILED;
	return CTL_DONE;
}

static void tell(const struct import *import, const char *done, const char *would, const char *dn)
{
	char *shown = ctl_shown(dn, strlen(dn));

	printf("%s %s\n", import->options->dry_run ? would : done, shown);
	free(shown);
}

static int fail_write(struct import *import, int code, const char *dn)
{
	ctl_fail_ldap(import->ld, code, dn);
	if (import->written == 0)
		return ctl_fail("nothing was written");
	return ctl_fail("%zu %s written before, told above as added or changed; the rest was not "
			"tried",
			import->written, import->written == 1 ? "entry was" : "entries were");
}

static int add_entry(struct import *import, const char *dn, LDAPMod **mods)
{
	int code = import->options->dry_run ? LDAP_SUCCESS
					    : ldap_add_ext_s(import->ld, dn, mods, NULL, NULL);

	if (code != LDAP_SUCCESS)
		return fail_write(import, code, dn);
	import->written++;
	tell(import, "added", "would add", dn);
	return CTL_DONE;
}

static int write_container(struct import *import)
{
	struct ctl_entry *old = NULL;
	char *class = "b2bContainer", *name = "partners";
	LDAPMod **mods;
	int result, code;

	code = ctl_read(import->ld, import->container, "(objectClass=*)", &old);
	if (code != LDAP_SUCCESS)
		return ctl_fail_ldap(import->ld, code, import->container);
	if (old) {
		ctl_entry_free(&old);
		return CTL_DONE;
	}
	mods = ctl_alloc(3, sizeof *mods);
	mods[0] = ctl_mod(LDAP_MOD_ADD, "objectClass", &class, 1);
	mods[1] = ctl_mod(LDAP_MOD_ADD, "cn", &name, 1);
	result = add_entry(import, import->container, mods);
	ldap_mods_free(mods, 1);
	return result;
}

static int write_entry(struct import *import, const struct ctl_plan *plan)
{
	LDAPMod **mods = ctl_plan_mods(plan);
	int code, result = CTL_DONE;

	if (!mods) {
		tell(import, "unchanged", "unchanged", plan->dn);
		return CTL_DONE;
	}
	if (!plan->old) {
		result = add_entry(import, plan->dn, mods);
		ldap_mods_free(mods, 1);
		return result;
	}
	code = import->options->dry_run ? LDAP_SUCCESS
					: ldap_modify_ext_s(import->ld, plan->dn, mods, NULL, NULL);
	if (code == LDAP_SUCCESS) {
		import->written++;
		tell(import, "changed", "would change", plan->dn);
		for (size_t i = 0; import->options->verbose && mods[i]; i++)
			printf("  %s\n", mods[i]->mod_type);
	} else {
		result = fail_write(import, code, plan->dn);
	}
	ldap_mods_free(mods, 1);
	return result;
}

static int write_plans(struct import *import)
{
	bool contained = false;

	for (size_t i = 0; i < import->graph->count; i++) {
		const struct ctl_plan *plan = &import->plans[i];

		if (plan->want->tenant_id && !plan->old && !contained) {
			if (write_container(import) != CTL_DONE)
				return CTL_FAILED;
			contained = true;
		}
		if (write_entry(import, plan) != CTL_DONE)
			return CTL_FAILED;
		ctl_progress(i + 1, import->graph->count);
	}
	return CTL_DONE;
}

static void clear(struct import *import)
{
	for (size_t i = 0; import->plans && i < import->graph->count; i++)
		ctl_plan_clear(&import->plans[i]);
	free(import->plans);
	for (size_t i = 0; i < import->partners.count; i++)
		ctl_entry_free(&import->partners.entries[i]);
	free(import->partners.entries);
	free(import->container);
	ctl_tenant_clear(&import->tenant);
	b2b_graph_free(&import->graph);
	if (import->ld)
		ldap_unbind_ext_s(import->ld, NULL, NULL);
}

int ctl_policy_import(struct ctl_options *options)
{
	struct import import = { .options = options };
	int result = read_document(options, &import.graph);

	if (result == CTL_DONE)
		result = ctl_connect(options, &import.ld);
	if (result == CTL_DONE)
		result = ctl_tenant_find(import.ld, options, &import.tenant);
	if (result == CTL_DONE)
		result = make_plans(&import);
	if (result == CTL_DONE)
		result = write_plans(&import);
	clear(&import);
	return result;
}
