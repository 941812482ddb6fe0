/*
 * graph_write.c - writes policy entries as strict Microsoft Graph JSON.
 * In: the default policy's and the partners' entries (struct b2b_source).
 * Out: {"default":{..},"partners":[..]}, in a stable order; graph.c reads it back.
 */
#include "graph_parts.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The entry being written, and its b2bGroupTarget values in order. */
struct writer {
	const struct b2b_source *source;
	struct b2b_error *error;
	struct b2b_str *groups;
	size_t group_count;
	bool no_memory;
};

struct flag {
	const char *name;
	enum b2b_attr attr;
};

static bool get(const struct writer *w, enum b2b_attr attr, size_t index, struct b2b_str *value_r)
{
	return w->source->value(w->source->entry, attr, index, value_r);
}

static json_t *refuse(const struct writer *w, enum b2b_attr attr, struct b2b_str value,
		      const char *what)
{
	b2b_error_set(w->error, "%.200s: %s: value \"%.*s\" %s", w->source->dn, b2b_attr_name(attr),
		      value.len > 100 ? 100 : (int)value.len, value.s, what);
	return NULL;
}

static json_t *text(struct writer *w, enum b2b_attr attr, struct b2b_str value)
{
	json_t *json;

	if (!b2b_graph_is_value(value, B2B_GRAPH_VALUE_MAX))
		return refuse(w, attr, value, "is empty, too long, or has control characters");
	json = json_stringn(value.s, value.len);
	return json ? json : refuse(w, attr, value, "is not UTF-8");
}

/* Takes value over; false (and value is gone) where there is none. */
static bool put(struct writer *w, json_t *object, const char *name, json_t *value)
{
	if (!value)
		return false;
	if (json_object_set_new(object, name, value) == 0)
		return true;
	w->no_memory = true;
	return false;
}

static bool append(struct writer *w, json_t *list, json_t *value)
{
	if (!value)
		return false;
	if (json_array_append_new(list, value) == 0)
		return true;
	w->no_memory = true;
	return false;
}

static json_t *fresh(struct writer *w, json_t *made)
{
	if (!made)
		w->no_memory = true;
	return made;
}

static int compare(struct b2b_str a, struct b2b_str b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter ? memcmp(a.s, b.s, shorter) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_bytes(const void *a, const void *b)
{
	return compare(*(const struct b2b_str *)a, *(const struct b2b_str *)b);
}

/* All values of an attribute in order; the caller frees. */
static struct b2b_str *sorted_values(struct writer *w, enum b2b_attr attr, size_t *count_r)
{
	struct b2b_str *list, value;
	size_t count = 0;

	while (get(w, attr, count, &value))
		count++;
	*count_r = count;
	list = calloc(count + 1, sizeof *list);
	if (!list) {
		w->no_memory = true;
		return NULL;
	}
	for (size_t i = 0; i < count; i++)
		get(w, attr, i, &list[i]);
	qsort(list, count, sizeof *list, by_bytes);
	return list;
}

static bool is_group(const struct writer *w, struct b2b_str value)
{
	for (size_t i = 0; i < w->group_count; i++)
		if (b2b_str_similar(w->groups[i], value)) /* as the policy compares */
			return true;
	return false;
}

static json_t *write_target(struct writer *w, enum b2b_attr attr, struct b2b_str value,
			    const char *kind)
{
	json_t *object = fresh(w, json_object());

	if (object && put(w, object, "target", text(w, attr, value)) &&
	    put(w, object, "targetType", fresh(w, json_string(kind))))
		return object;
	json_decref(object);
	return NULL;
}

static json_t *write_targets(struct writer *w, enum b2b_attr attr, bool apps)
{
	struct b2b_str all = b2b_str_of(apps ? B2B_GRAPH_ALL_APPS : B2B_GRAPH_ALL_USERS);
	json_t *list = fresh(w, json_array());
	size_t count;
	struct b2b_str *values = sorted_values(w, attr, &count);
	bool good = list && values;

	if (good && count == 0)
		good = append(w, list, write_target(w, attr, all, apps ? "application" : "user"));
	for (size_t i = 0; good && i < count; i++) {
		const char *kind = apps ? "application" : is_group(w, values[i]) ? "group" : "user";

		good = append(w, list, write_target(w, attr, values[i], kind));
	}
	free(values);
	if (good)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *write_access(struct writer *w, enum b2b_attr attr, struct b2b_str value)
{
	struct b2b_str second;

	if (get(w, attr, 1, &second))
		return refuse(w, attr, second, "is one too many");
	if (b2b_graph_is(value, "allowed"))
		return fresh(w, json_string("allowed"));
	if (b2b_graph_is(value, "blocked"))
		return fresh(w, json_string("blocked"));
	return refuse(w, attr, value, "is neither allowed nor blocked");
}

/* Adds a half to the setting where it is set; false on a fault. */
static bool write_half(struct writer *w, json_t *setting, const char *name, enum b2b_attr access)
{
	bool apps = strcmp(name, "applications") == 0;
	struct b2b_str value;
	json_t *half;

	if (!get(w, access, 0, &value)) {
		if (!get(w, access + 1, 0, &value))
			return true;
		refuse(w, access + 1, value, "is a target without its access");
		return false;
	}
	half = fresh(w, json_object());
	if (half && put(w, half, "accessType", write_access(w, access, value)) &&
	    put(w, half, "targets", write_targets(w, access + 1, apps)))
		return put(w, setting, name, half);
	json_decref(half);
	return false;
}

/* Adds member to object unless it is empty; takes it over. */
static bool put_filled(struct writer *w, json_t *object, const char *name, json_t *member)
{
	if (json_object_size(member) > 0)
		return put(w, object, name, member);
	json_decref(member);
	return true;
}

static bool write_settings(struct writer *w, json_t *object)
{
	for (size_t i = 0; i < B2B_GRAPH_SETTINGS; i++) {
		enum b2b_attr users = b2b_graph_settings[i].users_access;
		json_t *setting = fresh(w, json_object());

		if (!setting || !write_half(w, setting, "usersAndGroups", users) ||
		    !write_half(w, setting, "applications", users + 2)) {
			json_decref(setting);
			return false;
		}
		if (!put_filled(w, object, b2b_graph_settings[i].name, setting))
			return false;
	}
	return true;
}

static bool write_flags(struct writer *w, json_t *object, const struct flag *flags, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct b2b_str value;
		bool flag;

		if (!get(w, flags[i].attr, 0, &value))
			continue;
		if (b2b_bool_parse(value, &flag) != B2B_OK) {
			refuse(w, flags[i].attr, value, "is neither TRUE nor FALSE");
			return false;
		}
		if (!put(w, object, flags[i].name, json_boolean(flag)))
			return false;
	}
	return true;
}

static bool write_group(struct writer *w, json_t *object, const char *name,
			const struct flag *flags, size_t count)
{
	json_t *member = fresh(w, json_object());

	if (member && write_flags(w, member, flags, count))
		return put_filled(w, object, name, member);
	json_decref(member);
	return false;
}

static bool write_sync(struct writer *w, json_t *object)
{
	static const struct flag flags[] = { { "isSyncAllowed", B2B_ATTR_SYNC_IN } };
	json_t *outer = fresh(w, json_object());

	if (outer && write_group(w, outer, "userSyncInbound", flags, COUNT(flags)))
		return put_filled(w, object, "identitySynchronization", outer);
	json_decref(outer);
	return false;
}

static bool write_members(struct writer *w, json_t *object, bool partner)
{
	static const struct flag trust[] = {
		{ "isMfaAccepted", B2B_ATTR_TRUST_MFA },
		{ "isCompliantDeviceAccepted", B2B_ATTR_TRUST_COMPLIANT_DEVICE },
		{ "isHybridAzureADJoinedDeviceAccepted", B2B_ATTR_TRUST_HYBRID_JOINED },
	};
	static const struct flag consent[] = {
		{ "inboundAllowed", B2B_ATTR_AUTO_REDEEM_IN },
		{ "outboundAllowed", B2B_ATTR_AUTO_REDEEM_OUT },
	};
	struct b2b_str id = { 0 };

	if (partner) {
		get(w, B2B_ATTR_TENANT_ID, 0, &id);
		if (!put(w, object, "tenantId", text(w, B2B_ATTR_TENANT_ID, id)))
			return false;
	}
	return write_settings(w, object) &&
	       write_group(w, object, "inboundTrust", trust, COUNT(trust)) &&
	       write_group(w, object, "automaticUserConsentSettings", consent, COUNT(consent)) &&
	       write_sync(w, object);
}

static json_t *write_entry(struct writer *w, const struct b2b_source *source, bool partner)
{
	json_t *object = fresh(w, json_object());
	bool good = object != NULL;

	w->source = source;
	w->groups = sorted_values(w, B2B_ATTR_GROUP_TARGET, &w->group_count);
	good = good && w->groups && write_members(w, object, partner);
	free(w->groups);
	w->groups = NULL;
	if (good)
		return object;
	json_decref(object);
	return NULL;
}

static int by_tenant(const void *a, const void *b)
{
	const struct b2b_source *x = *(const struct b2b_source *const *)a;
	const struct b2b_source *y = *(const struct b2b_source *const *)b;
	struct b2b_str left = { 0 }, right = { 0 };

	x->value(x->entry, B2B_ATTR_TENANT_ID, 0, &left);
	y->value(y->entry, B2B_ATTR_TENANT_ID, 0, &right);
	return compare(left, right);
}

static json_t *write_partners(struct writer *w, const struct b2b_source *partners, size_t count)
{
	const struct b2b_source **sorted = calloc(count + 1, sizeof(void *));
	json_t *list = fresh(w, json_array());
	bool good = sorted && list;

	if (!sorted)
		w->no_memory = true;
	for (size_t i = 0; good && i < count; i++)
		sorted[i] = &partners[i];
	if (good)
		qsort((void *)sorted, count, sizeof(void *), by_tenant);
	for (size_t i = 0; good && i < count; i++)
		good = append(w, list, write_entry(w, sorted[i], true));
	free((void *)sorted);
	if (good)
		return list;
	json_decref(list);
	return NULL;
}

enum b2b_err b2b_graph_write(const struct b2b_source *default_source,
			     const struct b2b_source *partners, size_t partner_count, char **json_r,
			     struct b2b_error *error)
{
	struct writer w = { .error = error };
	json_t *root = fresh(&w, json_object());
	bool good = root != NULL;

	*json_r = NULL;
	if (error)
		error->text[0] = '\0';
	if (good && default_source)
		good = put(&w, root, "default", write_entry(&w, default_source, false));
	if (good)
		good = put(&w, root, "partners", write_partners(&w, partners, partner_count));
	if (good) {
		*json_r = json_dumps(root, JSON_INDENT(2));
		w.no_memory = !*json_r;
	}
	json_decref(root);
	if (w.no_memory)
		return B2B_ERR_MEMORY;
	return good ? B2B_OK : B2B_ERR_INVALID;
}
