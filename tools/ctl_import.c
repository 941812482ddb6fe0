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

struct import {
	struct ctl_options *options;
	struct b2b_graph *graph;
	LDAP *ld;
	struct ctl_tenant tenant;
	struct ctl_partners partners; /* sorted by tenant id */
	struct ctl_plan *plans;
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
	int result = ctl_partners_read(import->ld, &import->tenant, filter, &import->partners);

	free(filter);
	if (import->partners.count > 0)
		qsort(import->partners.entries, import->partners.count, sizeof(struct ctl_entry *),
		      by_tenant);
	return result;
}

/* Takes the entry of this tenant out of the list; NULL where there is none. */
static struct ctl_entry *take_old(struct ctl_partners *list, const char *tenant_id)
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
	plan->dn = plan->old ? ctl_format("%s", plan->old->dn)
			     : ctl_partner_dn(&import->tenant, plan->want->tenant_id);
	return ctl_plan_make(plan);
}

static int make_plans(struct import *import)
{
	bool partners = false;

	if (ctl_tenant_demand(&import->tenant) != CTL_DONE)
		return CTL_FAILED;
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

static int write_plans(struct import *import)
{
	struct ctl_writer writer = { .ld = import->ld,
				     .options = import->options,
				     .tenant = &import->tenant };

	for (size_t i = 0; i < import->graph->count; i++) {
		if (ctl_write_plan(&writer, &import->plans[i]) != CTL_DONE)
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
	ctl_partners_clear(&import->partners);
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
