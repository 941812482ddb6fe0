/*
 * ctl_review_import.c - review import: Microsoft Graph's access review definitions into cn=reviews.
 * In: a file, or standard input; --map for the people and groups that it names by id.
 * Out: definitions added and changed, one line each; nothing is written before all is checked.
 */
#include "ctl_life.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct import {
	struct ctl_session session;
	struct b2b_graph *graph;
	struct b2b_graph_entry
		*wanted; /* the document's, once for each --group where it needs one */
	struct ctl_plan *plans;
	size_t count; /* of both */
};

/* --map ID=DN */
static bool map_id(void *ctx, const char *kind, const char *id, char **dn_r)
{
	const struct ctl_list *maps = ctx;
	size_t bytes = strlen(id);

	(void)kind;
	for (size_t i = 0; i < maps->count; i++) {
		const char *map = maps->values[i];

		if (strncasecmp(map, id, bytes) != 0 || map[bytes] != '=')
			continue;
		/* The reader frees it with free(). */
		*dn_r = ctl_format("%s", map + bytes + 1);
		return true;
	}
	return false;
}

static int check_maps(const struct ctl_list *maps)
{
	for (size_t i = 0; i < maps->count; i++) {
		const char *equals = strchr(maps->values[i], '=');
		LDAPDN dn = NULL;
		bool right = equals && equals > maps->values[i] && equals[1] &&
			     ldap_str2dn(equals + 1, &dn, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS &&
			     dn;

		ldap_dnfree(dn);
		if (!right)
			return ctl_misuse("--map: ID=DN, not ", maps->values[i]);
	}
	return CTL_DONE;
}

static int read_document(struct ctl_options *options, struct b2b_graph **graph_r)
{
	const char *path = options->words[0];
	struct b2b_error error;
	char *text;
	size_t bytes;
	enum b2b_err err;

	if (ctl_read_file(path, B2B_GRAPH_MAX_BYTES, &text, &bytes) != CTL_DONE)
		return CTL_FAILED;
	err = b2b_graph_review_read(text, bytes, map_id, &options->maps, graph_r, &error);
	free(text);
	if (err != B2B_OK)
		return ctl_fail("%s: %s", path,
				err == B2B_ERR_MEMORY ? "out of memory" : error.text);
	for (size_t i = 0; i < (*graph_r)->note_count; i++)
		ctl_note("%s", (*graph_r)->notes[i]);
	return CTL_DONE;
}

/* --- groups --- */

static const struct b2b_graph_value *value_of(const struct b2b_graph_entry *entry,
					      enum b2b_attr attr)
{
	for (size_t i = 0; i < entry->count; i++)
		if (entry->values[i].attr == attr && entry->values[i].count > 0)
			return &entry->values[i];
	return NULL;
}

static const char *name_of(const struct b2b_graph_entry *entry)
{
	const struct b2b_graph_value *name = value_of(entry, B2B_ATTR_CN);

	return name ? name->values[0] : "";
}

/* What a DN begins with, without its attribute's name. */
static char *first_value(const char *dn)
{
	const char *equals = strchr(dn, '=');
	char *text = ctl_format("%s", equals ? equals + 1 : dn);

	text[strcspn(text, ",+")] = '\0';
	return text;
}

static void copy_entry(const struct b2b_graph_entry *from, struct b2b_graph_entry *to)
{
	for (size_t i = 0; i < from->count; i++) {
		for (size_t j = 0; j < from->values[i].count; j++)
			ctl_want(to, from->values[i].attr, b2b_str_of(from->values[i].values[j]));
		if (from->values[i].count > 0)
			continue;
		to->values = ctl_grow(to->values, to->count, sizeof *to->values);
		to->values[to->count++] = (struct b2b_graph_value){ .attr = from->values[i].attr };
	}
}

static struct b2b_graph_entry *add_wanted(struct import *import, const struct b2b_graph_entry *from)
{
	struct b2b_graph_entry *to;

	import->wanted = ctl_grow(import->wanted, import->count, sizeof *import->wanted);
	to = &import->wanted[import->count++];
	*to = (struct b2b_graph_entry){ 0 };
	copy_entry(from, to);
	return to;
}

/* One definition for this group; where there are several, the group is in its name. */
static void add_for_group(struct import *import, const struct b2b_graph_entry *from,
			  const char *group, bool several)
{
	struct b2b_graph_entry *to = add_wanted(import, from);
	char *value = first_value(group), *name;

	ctl_want(to, B2B_ATTR_REVIEW_SCOPE_GROUP, b2b_str_of(group));
	for (size_t i = 0; several && i < to->count; i++)
		if (to->values[i].attr == B2B_ATTR_CN && to->values[i].count > 0) {
			name = to->values[i].values[0];
			to->values[i].values[0] = ctl_format("%s (%s)", name, value);
			free(name);
		}
	free(value);
}

static void apply_groups(struct import *import)
{
	const struct ctl_list *groups = &import->session.options->groups;

	for (size_t i = 0; i < import->graph->count; i++) {
		const struct b2b_graph_entry *entry = &import->graph->entries[i];

		if (groups->count == 0 || value_of(entry, B2B_ATTR_REVIEW_SCOPE_GROUP))
			add_wanted(import, entry);
		else
			for (size_t j = 0; j < groups->count; j++)
				add_for_group(import, entry, groups->values[j], groups->count > 1);
	}
}

/* --- writing --- */

static int plan_entry(struct import *import, size_t at)
{
	struct ctl_plan *plan = &import->plans[at];
	const char *name;
	char *escaped;
	int code;

	plan->want = &import->wanted[at];
	plan->review = true;
	name = name_of(plan->want);
	for (size_t i = 0; i < at; i++)
		if (strcasecmp(name_of(import->plans[i].want), name) == 0)
			return ctl_fail("two reviews would be named \"%s\"", name);
	escaped = ctl_escape(name);
	plan->dn = ctl_format("cn=%s,cn=reviews,%s", escaped, import->session.tenant.entry->dn);
	free(escaped);
	code = ctl_read(import->session.ld, plan->dn, "(objectClass=b2bReviewDefinition)",
			&plan->old);
	if (code != LDAP_SUCCESS)
		return ctl_fail_ldap(import->session.ld, code, plan->dn);
	return ctl_plan_make(plan);
}

static int write_plans(struct import *import)
{
	struct ctl_writer writer = { .ld = import->session.ld,
				     .options = import->session.options,
				     .tenant = &import->session.tenant };
	int result = ctl_tenant_demand(&import->session.tenant);

	if (result != CTL_DONE)
		return result;
	apply_groups(import);
	import->plans = ctl_alloc(import->count, sizeof *import->plans);
	for (size_t i = 0; result == CTL_DONE && i < import->count; i++)
		result = plan_entry(import, i);
	for (size_t i = 0; result == CTL_DONE && i < import->count; i++)
		result = ctl_write_plan(&writer, &import->plans[i]);
	return result;
}

int ctl_review_import(struct ctl_options *options)
{
	struct import import = { .session.options = options };
	int result = check_maps(&options->maps);

	if (result == CTL_DONE)
		result = read_document(options, &import.graph);
	if (result == CTL_DONE)
		result = ctl_session_open(options, &import.session);
	if (result == CTL_DONE)
		result = write_plans(&import);
	for (size_t i = 0; import.plans && i < import.count; i++)
		ctl_plan_clear(&import.plans[i]);
	for (size_t i = 0; i < import.count; i++)
		ctl_want_clear(&import.wanted[i]);
	free(import.plans);
	free(import.wanted);
	b2b_graph_free(&import.graph);
	ctl_session_close(&import.session);
	return result;
}
