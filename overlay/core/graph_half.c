/*
 * graph_half.c - reads one half of a setting: whom it names and whether they are let in.
 * In: {"accessType": .., "targets": [..]} of usersAndGroups or applications.
 * Out: the Access and Target attributes, and at last which targets are groups.
 */
#include "graph_parts.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
/* Entra's own policies are far smaller; the check of groups costs the square of it. */
#define TARGETS_MAX 1000

struct half {
	enum b2b_attr access;
	bool apps;
	bool blocked;
	struct b2b_graph_value *target; /* borrowed from the entry until another one is added */
};

void b2b_graph_names_clear(struct b2b_graph_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i].value);
	free(names->items);
	*names = (struct b2b_graph_names){ 0 };
}

static enum b2b_err add_name(struct b2b_graph_names *names, struct b2b_str value, bool is_group)
{
	if (names->count == names->room) {
		size_t room = names->room ? names->room * 2 : 8;
		struct b2b_graph_name *grown = realloc(names->items, room * sizeof *grown);

		if (!grown)
			return B2B_ERR_MEMORY;
		names->items = grown;
		names->room = room;
	}
	names->items[names->count].value = b2b_str_dup(value);
	names->items[names->count].is_group = is_group;
	if (!names->items[names->count].value)
		return B2B_ERR_MEMORY;
	names->count++;
	return B2B_OK;
}

static enum b2b_err add_target(struct b2b_graph_value *target, struct b2b_str value)
{
	for (size_t i = 0; i < target->count; i++)
		if (b2b_str_equal(b2b_str_of(target->values[i]), value))
			return B2B_OK;
	target->values[target->count] = b2b_str_dup(value);
	if (!target->values[target->count])
		return B2B_ERR_MEMORY;
	target->count++;
	return B2B_OK;
}

/* What a targetType says; on a kind that we lack *known_r is false. */
static enum b2b_err read_kind(struct b2b_graph_reader *reader, json_t *value,
			      const struct half *half, bool *group_r, bool *known_r)
{
	struct b2b_str kind;

	*group_r = false;
	*known_r = true;
	if (!value || json_is_null(value))
		return B2B_OK;
	if (!json_is_string(value))
		return b2b_graph_fail(reader, "targetType must be a text");
	kind = b2b_graph_trim(json_string_value(value), json_string_length(value));
	if (b2b_graph_is(kind, "unknownFutureValue"))
		return b2b_graph_fail(reader, "targetType is unknownFutureValue: whom it means "
					      "cannot be known");
	*group_r = b2b_graph_is(kind, "group");
	if (*group_r || b2b_graph_is(kind, "user"))
		return half->apps ? b2b_graph_fail(reader, "targetType %.*s among applications",
						   (int)kind.len, kind.s)
				  : B2B_OK;
	if (b2b_graph_is(kind, "application"))
		return half->apps ? B2B_OK
				  : b2b_graph_fail(reader, "targetType application among users");
	*known_r = false;
	return B2B_OK;
}

static bool is_suite(struct b2b_str value)
{
	static const char *const suites[] = { "Office365", "MicrosoftAdminPortals", "All", "None" };

	for (size_t i = 0; i < COUNT(suites); i++)
		if (b2b_graph_is(value, suites[i]))
			return true;
	return false;
}

static enum b2b_err note_target(struct b2b_graph_reader *reader, const struct half *half,
				struct b2b_str value, bool kind_known)
{
	int bytes = value.len > 100 ? 100 : (int)value.len;

	if (half->apps && (!kind_known || is_suite(value)))
		return b2b_graph_note(reader,
				      half->blocked
					      ? "\"%.*s\" blocks nothing unless an application "
						"has that very id"
					      : "\"%.*s\" matches only an application of that id",
				      bytes, value.s);
	if (!kind_known)
		return b2b_graph_note(reader,
				      "\"%.*s\" has a targetType that is not known; it matches "
				      "only a user, group or tenant of that id",
				      bytes, value.s);
	return B2B_OK;
}

static enum b2b_err check_keyword(struct b2b_graph_reader *reader, const struct half *half,
				  struct b2b_str *value, bool is_group)
{
	const char *own = half->apps ? B2B_GRAPH_ALL_APPS : B2B_GRAPH_ALL_USERS;
	const char *other = half->apps ? B2B_GRAPH_ALL_USERS : B2B_GRAPH_ALL_APPS;

	if (b2b_graph_is(*value, "unknownFutureValue"))
		return b2b_graph_fail(reader, "unknownFutureValue: whom it means cannot be known");
	/* Compared as the policy compares, or a value could mean more there than here. */
	if (b2b_str_similar(*value, b2b_str_of(other)))
		return b2b_graph_fail(reader, "%s belongs to the other half", other);
	if (!b2b_str_similar(*value, b2b_str_of(own)))
		return B2B_OK;
	if (is_group)
		return b2b_graph_fail(reader, "%s is not a group", own);
	*value = b2b_str_of(own);
	return B2B_OK;
}

static enum b2b_err read_target(struct b2b_graph_reader *reader, struct half *half, json_t *item)
{
	json_t *name = item, *kind = NULL;
	struct b2b_str value;
	bool is_group, known;
	enum b2b_err err;

	if (json_is_object(item)) {
		static const struct b2b_graph_member rows[] = { { "target", NULL, 0 },
								{ "targetType", NULL, 0 } };

		err = b2b_graph_walk(reader, item, rows, COUNT(rows));
		if (err != B2B_OK)
			return err;
		name = b2b_graph_get(item, "target");
		kind = b2b_graph_get(item, "targetType");
	}
	if (!json_is_string(name))
		return b2b_graph_fail(reader, "must be a text, or an object with target and "
					      "targetType");
	value = b2b_graph_trim(json_string_value(name), json_string_length(name));
	if (!b2b_graph_is_value(value, B2B_GRAPH_VALUE_MAX))
		return b2b_graph_fail(reader,
				      "empty, longer than %d bytes, or with control "
				      "characters",
				      B2B_GRAPH_VALUE_MAX);
	err = read_kind(reader, kind, half, &is_group, &known);
	if (err == B2B_OK)
		err = check_keyword(reader, half, &value, is_group);
	if (err == B2B_OK)
		err = note_target(reader, half, value, known);
	if (err == B2B_OK && !half->apps)
		err = add_name(&reader->users, value, is_group);
	return err == B2B_OK ? add_target(half->target, value) : err;
}

static enum b2b_err read_targets(struct b2b_graph_reader *reader, struct half *half, json_t *list)
{
	const char *all = half->apps ? B2B_GRAPH_ALL_APPS : B2B_GRAPH_ALL_USERS;
	size_t mark = b2b_graph_push(reader, "targets", SIZE_MAX);
	enum b2b_err err;
	size_t index;
	json_t *item;

	if (!json_is_array(list))
		return b2b_graph_fail(reader,
				      "must be a list; leave it out, or name %s, to mean "
				      "everybody",
				      all);
	if (json_array_size(list) == 0)
		return b2b_graph_fail(reader,
				      "an empty list would mean everybody; name %s if "
				      "that is meant",
				      all);
	if (json_array_size(list) > TARGETS_MAX)
		return b2b_graph_fail(reader, "more than %d targets", TARGETS_MAX);
	half->target = b2b_graph_set(reader->entry, half->access + 1, json_array_size(list));
	if (!half->target)
		return B2B_ERR_MEMORY;
	json_array_foreach (list, index, item) {
		size_t inner = b2b_graph_push(reader, NULL, index);

		err = read_target(reader, half, item);
		if (err != B2B_OK)
			return err;
		b2b_graph_pop(reader, inner);
	}
	b2b_graph_pop(reader, mark);
	/* Everybody is what no target says; the writer turns it back. */
	if (half->target->count == 1 && strcmp(half->target->values[0], all) == 0) {
		free(half->target->values[0]);
		half->target->count = 0;
	}
	return B2B_OK;
}

static enum b2b_err read_access(struct b2b_graph_reader *reader, struct half *half, json_t *value)
{
	size_t mark = b2b_graph_push(reader, "accessType", SIZE_MAX);
	struct b2b_str word;
	enum b2b_err err;

	if (!json_is_string(value))
		return b2b_graph_fail(reader, "must be \"allowed\" or \"blocked\"");
	word = b2b_graph_trim(json_string_value(value), json_string_length(value));
	half->blocked = b2b_graph_is(word, "blocked");
	if (b2b_graph_is(word, "unknownFutureValue"))
		return b2b_graph_fail(reader, "unknownFutureValue: whether it lets in cannot be "
					      "known");
	if (!half->blocked && !b2b_graph_is(word, "allowed"))
		return b2b_graph_fail(reader, "\"%.*s\" is neither allowed nor blocked",
				      word.len > 100 ? 100 : (int)word.len, word.s);
	err = b2b_graph_put(reader->entry, half->access, half->blocked ? "blocked" : "allowed");
	b2b_graph_pop(reader, mark);
	return err;
}

enum b2b_err b2b_graph_read_half(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	static const struct b2b_graph_member rows[] = { { "accessType", NULL, 0 },
							{ "targets", NULL, 0 } };
	struct half half = { .access = (enum b2b_attr)arg };
	json_t *access, *targets;
	enum b2b_err err;

	half.apps = ((arg - B2B_ATTR_COLLAB_IN_USERS_ACCESS) & 2u) != 0;
	if (!json_is_object(value) && !json_is_null(value))
		return b2b_graph_fail(reader, "must be an object or null");
	err = b2b_graph_walk(reader, value, rows, COUNT(rows));
	if (err != B2B_OK)
		return err;
	access = b2b_graph_get(value, "accessType");
	targets = b2b_graph_get(value, "targets");
	if (json_is_object(value) && !access && !targets)
		return b2b_graph_note(reader, "sets nothing, left as it is");
	reader->users_touched = reader->users_touched || !half.apps;
	if ((!access || json_is_null(access)) && (!targets || json_is_null(targets))) {
		err = b2b_graph_put(reader->entry, half.access, NULL);
		return err == B2B_OK ? b2b_graph_put(reader->entry, half.access + 1, NULL) : err;
	}
	if (!access)
		return b2b_graph_fail(reader, "accessType is missing");
	err = read_access(reader, &half, access);
	if (err != B2B_OK)
		return err;
	if (targets && !json_is_null(targets))
		return read_targets(reader, &half, targets);
	return b2b_graph_put(reader->entry, half.access + 1, NULL);
}

/* A name that is a group in one place and not in another: b2bGroupTarget governs the whole
 * entry, so one of the two would no longer be matched, and a block would go unheard. */
static enum b2b_err check_names(struct b2b_graph_reader *reader)
{
	const struct b2b_graph_names *users = &reader->users;

	for (size_t i = 0; i < users->count; i++) {
		if (!users->items[i].is_group)
			continue;
		for (size_t j = 0; j < users->count; j++)
			if (!users->items[j].is_group &&
			    b2b_str_similar(b2b_str_of(users->items[i].value),
					    b2b_str_of(users->items[j].value)))
				return b2b_graph_fail(reader,
						      "\"%.100s\" is named as a group and as "
						      "something else",
						      users->items[i].value);
	}
	return B2B_OK;
}

enum b2b_err b2b_graph_finish_groups(struct b2b_graph_reader *reader)
{
	struct b2b_graph_names *users = &reader->users;
	struct b2b_graph_value *groups;
	enum b2b_err err = check_names(reader);

	if (err != B2B_OK || !reader->users_touched)
		return err;
	groups = b2b_graph_set(reader->entry, B2B_ATTR_GROUP_TARGET, users->count);
	if (!groups)
		return B2B_ERR_MEMORY;
	for (size_t i = 0; i < users->count && err == B2B_OK; i++)
		if (users->items[i].is_group)
			err = add_target(groups, b2b_str_of(users->items[i].value));
	return err;
}
