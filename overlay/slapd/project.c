/*
 * project.c - projects (b2bCollaboration): when one ends, its guests lose the membership, and those
 * with nothing else are disabled.
 * In: a project that b2bNextDue found.  Out: groups without guests, guests that are off.
 */
#include "life.h"

/* --- its guests --- */

struct guests {
	struct berval *list;
	size_t count, room;
};

static void note_guest(struct guests *guests, const struct berval *ndn)
{
	if (guests->count == guests->room) {
		guests->room = guests->room ? 2 * guests->room : 16;
		guests->list = ch_realloc(guests->list, guests->room * sizeof(*guests->list));
	}
	ber_dupbv(&guests->list[guests->count++], (struct berval *)ndn);
}

static void free_guests(struct guests *guests)
{
	for (size_t i = 0; i < guests->count; i++)
		ch_free(guests->list[i].bv_val);
	ch_free(guests->list);
}

static time_t end_of(Entry *e)
{
	struct b2b_source source = b2b_map_source(e);
	struct b2b_str value;
	time_t end = 0;

	if (source.value(e, B2B_ATTR_VALID_UNTIL, 0, &value) &&
	    b2b_time_parse(value, &end) == B2B_OK)
		return end ? end : 1;
	return 0;
}

struct others {
	const struct b2b_sweep *sweep;
	const struct berval *but;
	bool found;
};

/* A project that is not over. */
static bool note_other(void *ctx, Entry *e)
{
	struct others *others = ctx;
	time_t end = end_of(e);

	others->found = !bvmatch(&e->e_nname, others->but) && (!end || end > others->sweep->now);
	return !others->found;
}

static bool has_other_project(struct b2b_sweep *sweep, const struct berval *guest,
			      const struct berval *project)
{
	struct others others = { sweep, project, false };
	char *value = b2b_inner_escape(sweep->op, guest);
	size_t size = 2 * strlen(value) + 128;
	char *filter = ch_malloc(size);
	BackendDB *be = sweep->tenant->be;

	snprintf(filter, size, "(&(objectClass=b2bCollaboration)(|(member=%s)(uniqueMember=%s)))",
		 value, value);
	for (int i = 0; !BER_BVISNULL(&be->be_nsuffix[i]) && !others.found; i++)
		b2b_inner_search(
			sweep->op, sweep->tenant,
			&(struct b2b_where){ &be->be_nsuffix[i], LDAP_SCOPE_SUBTREE, filter },
			note_other, &others);
	ch_free(filter);
	return others.found;
}

/* Assigned by its name, or by a group, but not by way of the project. */
static bool has_application(struct b2b_sweep *sweep, const struct berval *guest,
			    const struct berval *project)
{
	const struct b2b_rule *app;
	bool has = false;

	for (size_t i = 0; !has && (app = b2b_snapshot_app_at(sweep->snapshot, i)); i++) {
		struct b2b_list assignees = { app->u.app.assignees, app->u.app.assignee_count };

		has = b2b_person_is_else_among(sweep->op, sweep->tenant, guest, &assignees,
					       project);
	}
	return has;
}

static bool has_something_else(struct b2b_sweep *sweep, const struct berval *guest,
			       const struct berval *project)
{
	return has_other_project(sweep, guest, project) || has_application(sweep, guest, project);
}

static bool is_guest(struct b2b_sweep *sweep, const struct berval *ndn)
{
	Entry *e = b2b_entry_get(sweep->op, sweep->tenant, (struct berval *)ndn);

	if (!e)
		return false;
	bool guest = b2b_map_is_guest(e);
	b2b_entry_release(sweep->op, sweep->tenant, e);
	return guest;
}

/* Disabled first, out of the group then: whatever happens in between, the next run finds it. */
static bool dismiss(struct b2b_sweep *sweep, const struct berval *guest,
		    const struct berval *project)
{
	if (!has_something_else(sweep, guest, project) &&
	    b2b_guest_disable(sweep, guest, "project-ended") != LDAP_SUCCESS)
		return false;
	return b2b_group_remove(sweep->op, sweep->tenant, project, guest) == LDAP_SUCCESS;
}

/* The guests among the members. */
static void find_guests(struct b2b_sweep *sweep, Entry *project, struct guests *guests)
{
	static const char *const types[] = { "member", "uniqueMember" };

	for (size_t i = 0; i < 2; i++) {
		AttributeDescription *ad = NULL;
		const char *why;
		Attribute *a = slap_str2ad(types[i], &ad, &why) == LDAP_SUCCESS
				       ? attr_find(project->e_attrs, ad)
				       : NULL;

		for (unsigned j = 0; a && j < a->a_numvals; j++) {
			if (is_guest(sweep, &a->a_nvals[j]))
				note_guest(guests, &a->a_nvals[j]);
		}
	}
}

static bool has_guests(struct b2b_sweep *sweep, Entry *project)
{
	struct guests guests = { 0 };

	find_guests(sweep, project, &guests);
	free_guests(&guests);
	return guests.count != 0;
}

/* Each start looks at all projects: what stands there already is not written again. */
static bool set_due(struct b2b_sweep *sweep, Entry *project, time_t due)
{
	Attribute *csn = attr_find(project->e_attrs, slap_schema.si_ad_entryCSN);
	Attribute *stored = attr_find(project->e_attrs, b2b_ad[B2B_ATTR_NEXT_DUE]);
	struct b2b_name name = { project->e_name, project->e_nname };
	Modifications *mods = NULL;
	char text[B2B_TIME_SIZE] = "";

	if (due)
		b2b_time_format(due, text);
	if (!strcmp(text, stored ? stored->a_nvals[0].bv_val : ""))
		return false;
	b2b_record_set(&mods, B2B_ATTR_NEXT_DUE, due ? text : NULL);
	return b2b_inner_modify(sweep->op, sweep->tenant, &name, csn ? csn->a_vals[0].bv_val : NULL,
				mods, false) == LDAP_SUCCESS;
}

/* A copy; NULL: it is gone. */
static Entry *copy_project(struct b2b_sweep *sweep, const struct berval *ndn)
{
	Entry *e = b2b_entry_get(sweep->op, sweep->tenant, (struct berval *)ndn), *copy;

	if (!e)
		return NULL;
	copy = entry_dup(e);
	b2b_entry_release(sweep->op, sweep->tenant, e);
	return copy;
}

/* When it ends or ended; 0: never, or it is no project any more. */
static time_t project_end(Entry *e)
{
	return e && is_entry_objectclass(e, b2b_oc_project, 0) ? end_of(e) : 0;
}

static bool is_over(struct b2b_sweep *sweep, const struct berval *ndn)
{
	Entry *e = b2b_entry_get(sweep->op, sweep->tenant, (struct berval *)ndn);
	time_t end = project_end(e);

	if (e)
		b2b_entry_release(sweep->op, sweep->tenant, e);
	return end && end <= sweep->now;
}

/* One guest that cannot be written does not stand in the way of others. */
static bool end_project(struct b2b_sweep *sweep, Entry *project)
{
	struct guests guests = { 0 };
	bool done = true;

	find_guests(sweep, project, &guests);
	for (size_t i = 0; i < guests.count; i++) {
		b2b_sweep_renew(sweep);
		/* it may have been extended meanwhile */
		if (b2b_sweep_must_end(sweep) || !is_over(sweep, &project->e_nname)) {
			done = false;
			break;
		}
		done = dismiss(sweep, &guests.list[i], &project->e_nname) && done;
	}
	if (done && (guests.count || attr_find(project->e_attrs, b2b_ad[B2B_ATTR_NEXT_DUE])))
		Debug(LDAP_DEBUG_STATS, "b2b: task project=\"%s\" ended\n",
		      project->e_nname.bv_val);
	free_guests(&guests);
	return done;
}

void b2b_project_count(struct b2b_sweep *sweep, const struct berval *ndn)
{
	Entry *project = copy_project(sweep, ndn);
	time_t end = project_end(project);
	struct guests guests = { 0 };

	if (end && end <= sweep->now)
		find_guests(sweep, project, &guests);
	for (size_t i = 0; i < guests.count && !b2b_sweep_must_end(sweep); i++) {
		struct b2b_record_read read;

		b2b_sweep_renew(sweep);
		if (b2b_record_read(sweep->op, sweep->tenant, &guests.list[i], &read) &&
		    read.guest.enabled &&
		    !has_something_else(sweep, &guests.list[i], &project->e_nname))
			b2b_sweep_expect(sweep, &guests.list[i]);
	}
	free_guests(&guests);
	if (project)
		entry_free(project);
}

bool b2b_project_run(struct b2b_sweep *sweep, const struct berval *ndn)
{
	Entry *project = copy_project(sweep, ndn);
	time_t end = project_end(project);
	bool written = false;

	if (end && end <= sweep->now && end_project(sweep, project)) {
		entry_free(project);
		/* as it stands without them: it may have been extended since, or have new ones */
		project = copy_project(sweep, ndn);
		end = project_end(project);
		if (project && end && end <= sweep->now && !has_guests(sweep, project))
			written = set_due(sweep, project, 0);
	}
	if (project && (!end || end > sweep->now))
		written = set_due(sweep, project, end ? b2b_time_due(end, sweep->now) : 0);
	if (project)
		entry_free(project);
	return written;
}
