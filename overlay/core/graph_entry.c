/*
 * graph_entry.c - reads one policy object: the default's or a partner's.
 * In: a JSON object of a document that graph.c took apart.
 * Out: one struct b2b_graph_entry, checked as the server will check it.
 */
#include "graph_parts.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct b2b_graph_value *b2b_graph_set(struct b2b_graph_entry *entry, enum b2b_attr attr,
				      size_t count)
{
	struct b2b_graph_value *grown;

	/* Room is doubled whenever the count reaches a power of two. */
	if ((entry->count & (entry->count - 1)) == 0) {
		size_t room = entry->count ? entry->count * 2 : 1;

		grown = realloc(entry->values, room * sizeof *grown);
		if (!grown)
			return NULL;
		entry->values = grown;
	}
	grown = &entry->values[entry->count];
	*grown = (struct b2b_graph_value){ .attr = attr };
	if (count > 0) {
		grown->values = calloc(count, sizeof *grown->values);
		if (!grown->values)
			return NULL;
	}
	entry->count++;
	return grown;
}

enum b2b_err b2b_graph_put(struct b2b_graph_entry *entry, enum b2b_attr attr, const char *text)
{
	struct b2b_graph_value *value = b2b_graph_set(entry, attr, text ? 1 : 0);

	if (!value)
		return B2B_ERR_MEMORY;
	if (!text)
		return B2B_OK;
	value->values[0] = strdup(text);
	if (!value->values[0])
		return B2B_ERR_MEMORY;
	value->count = 1;
	return B2B_OK;
}

/* null: every attribute from first on goes. */
static enum b2b_err remove_attrs(struct b2b_graph_reader *reader, unsigned first, unsigned count)
{
	enum b2b_err err = B2B_OK;

	for (unsigned attr = first; attr < first + count && err == B2B_OK; attr++)
		err = b2b_graph_put(reader->entry, (enum b2b_attr)attr, NULL);
	return err;
}

static enum b2b_err read_setting(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	const struct b2b_graph_member rows[] = {
		{ "usersAndGroups", b2b_graph_read_half, arg },
		{ "applications", b2b_graph_read_half, arg + 2 },
	};

	if (json_is_null(value)) {
		reader->users_touched = true;
		return remove_attrs(reader, arg, 4);
	}
	if (!json_is_object(value))
		return b2b_graph_fail(reader, "must be an object or null");
	return b2b_graph_walk(reader, value, rows, COUNT(rows));
}

static enum b2b_err read_flag(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	if (json_is_null(value))
		return b2b_graph_put(reader->entry, (enum b2b_attr)arg, NULL);
	if (!json_is_boolean(value))
		return b2b_graph_fail(reader, "must be true, false or null");
	return b2b_graph_put(reader->entry, (enum b2b_attr)arg,
			     json_is_true(value) ? "TRUE" : "FALSE");
}

static enum b2b_err read_trust(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	static const struct b2b_graph_member rows[] = {
		{ "isMfaAccepted", read_flag, B2B_ATTR_TRUST_MFA },
		{ "isCompliantDeviceAccepted", read_flag, B2B_ATTR_TRUST_COMPLIANT_DEVICE },
		{ "isHybridAzureADJoinedDeviceAccepted", read_flag, B2B_ATTR_TRUST_HYBRID_JOINED },
	};

	(void)arg;
	if (json_is_null(value))
		return remove_attrs(reader, B2B_ATTR_TRUST_MFA, 3);
	if (!json_is_object(value))
		return b2b_graph_fail(reader, "must be an object or null");
	return b2b_graph_walk(reader, value, rows, COUNT(rows));
}

static enum b2b_err read_consent(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	static const struct b2b_graph_member rows[] = {
		{ "inboundAllowed", read_flag, B2B_ATTR_AUTO_REDEEM_IN },
		{ "outboundAllowed", read_flag, B2B_ATTR_AUTO_REDEEM_OUT },
	};

	(void)arg;
	if (json_is_null(value))
		return remove_attrs(reader, B2B_ATTR_AUTO_REDEEM_IN, 2);
	if (!json_is_object(value))
		return b2b_graph_fail(reader, "must be an object or null");
	return b2b_graph_walk(reader, value, rows, COUNT(rows));
}

static enum b2b_err read_user_sync(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	static const struct b2b_graph_member rows[] = {
		{ "isSyncAllowed", read_flag, B2B_ATTR_SYNC_IN },
	};

	(void)arg;
	if (json_is_null(value))
		return b2b_graph_put(reader->entry, B2B_ATTR_SYNC_IN, NULL);
	if (!json_is_object(value))
		return b2b_graph_fail(reader, "must be an object or null");
	return b2b_graph_walk(reader, value, rows, COUNT(rows));
}

static enum b2b_err read_tenant_id(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	struct b2b_str id;
	char *copy;

	(void)arg;
	if (!json_is_string(value))
		return b2b_graph_fail(reader, "must be a text");
	id = b2b_graph_trim(json_string_value(value), json_string_length(value));
	if (!b2b_graph_is_value(id, B2B_GRAPH_TENANT_MAX))
		return b2b_graph_fail(reader,
				      "empty, longer than %d bytes, or with control "
				      "characters",
				      B2B_GRAPH_TENANT_MAX);
	if (reader->entry->tenant_id) { /* identitySynchronization repeats it */
		if (!b2b_graph_is(id, reader->entry->tenant_id))
			return b2b_graph_fail(reader, "is not the partner's tenantId");
		return B2B_OK;
	}
	copy = b2b_str_dup(id);
	if (!copy)
		return B2B_ERR_MEMORY;
	reader->entry->tenant_id = copy;
	return B2B_OK;
}

static enum b2b_err read_sync(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	static const struct b2b_graph_member rows[] = {
		{ "userSyncInbound", read_user_sync, 0 },
		{ "tenantId", read_tenant_id, 0 },
		{ "displayName", NULL, 0 },
	};

	(void)arg;
	if (json_is_null(value))
		return b2b_graph_put(reader->entry, B2B_ATTR_SYNC_IN, NULL);
	if (!json_is_object(value))
		return b2b_graph_fail(reader, "must be an object or null");
	return b2b_graph_walk(reader, value, rows, COUNT(rows));
}

/* A statement that costs nothing while it is false. */
static enum b2b_err read_unless_false(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	(void)arg;
	if (json_is_false(value) || json_is_null(value))
		return B2B_OK;
	return b2b_graph_note(reader, "not known, not imported");
}

static enum b2b_err read_nameless(struct b2b_graph_reader *reader, json_t *value, unsigned arg)
{
	(void)arg;
	if (!reader->setting)
		return b2b_graph_fail(reader, "is a placeholder; say with --setting NAME which "
					      "setting it stands for (b2bCollaborationInbound, "
					      "b2bCollaborationOutbound, b2bDirectConnectInbound, "
					      "b2bDirectConnectOutbound)");
	for (size_t i = 0; i < B2B_GRAPH_SETTINGS; i++)
		if (strcmp(reader->setting, b2b_graph_settings[i].name) == 0) {
			reader->setting_used = true;
			return read_setting(reader, value, b2b_graph_settings[i].users_access);
		}
	return b2b_graph_fail(reader, "no such setting");
}

static enum b2b_err read_members(struct b2b_graph_reader *reader, json_t *object)
{
	static const struct b2b_graph_member rows[] = {
		{ "b2bCollaborationInbound", read_setting, B2B_ATTR_COLLAB_IN_USERS_ACCESS },
		{ "b2bCollaborationOutbound", read_setting, B2B_ATTR_COLLAB_OUT_USERS_ACCESS },
		{ "b2bDirectConnectInbound", read_setting, B2B_ATTR_DIRECT_IN_USERS_ACCESS },
		{ "b2bDirectConnectOutbound", read_setting, B2B_ATTR_DIRECT_OUT_USERS_ACCESS },
		{ "b2bSetting", read_nameless, 0 },
		{ "inboundTrust", read_trust, 0 },
		{ "automaticUserConsentSettings", read_consent, 0 },
		{ "identitySynchronization", read_sync, 0 },
		{ "tenantId", NULL, 0 }, /* read before all others */
		{ "isServiceProvider", read_unless_false, 0 },
		{ "isInMultiTenantOrganization", read_unless_false, 0 },
		{ "isServiceDefault", NULL, 0 },
		{ "id", NULL, 0 },
		{ "displayName", NULL, 0 },
		{ "deletedDateTime", NULL, 0 },
	};

	if (reader->setting && b2b_graph_get(object, reader->setting) &&
	    b2b_graph_get(object, "b2bSetting"))
		return b2b_graph_fail(reader, "b2bSetting stands for %s, which is given too",
				      reader->setting);
	return b2b_graph_walk(reader, object, rows, COUNT(rows));
}

/* The document does not set anything: says what it seems to be. */
static enum b2b_err fail_foreign(struct b2b_graph_reader *reader, json_t *object)
{
	if (b2b_graph_get(object, "reviewers") || b2b_graph_get(object, "instanceEnumerationScope"))
		return b2b_graph_fail(reader, "looks like an access review definition; not a "
					      "cross-tenant access policy");
	if (b2b_graph_get(object, "grantControls") || b2b_graph_get(object, "conditions"))
		return b2b_graph_fail(reader, "looks like a conditional access policy; not a "
					      "cross-tenant access policy");
	return b2b_graph_fail(reader, "sets nothing; not a cross-tenant access policy");
}

static bool entry_value(const void *entry, enum b2b_attr attr, size_t index,
			struct b2b_str *value_r)
{
	const struct b2b_graph_entry *from = entry;

	if (attr == B2B_ATTR_TENANT_ID) {
		*value_r = b2b_str_of(from->tenant_id);
		return index == 0 && from->tenant_id;
	}
	for (size_t i = 0; i < from->count; i++)
		if (from->values[i].attr == attr) {
			if (index >= from->values[i].count)
				return false;
			*value_r = b2b_str_of(from->values[i].values[index]);
			return true;
		}
	return false;
}

static enum b2b_err check_entry(struct b2b_graph_reader *reader)
{
	const struct b2b_graph_entry *entry = reader->entry;
	struct b2b_source source = { .dn = "", .entry = entry, .value = entry_value };
	struct b2b_error why = { "" };
	struct b2b_rule *rule = NULL;
	enum b2b_err err = b2b_rule_compile(entry->tenant_id ? B2B_RULE_PARTNER : B2B_RULE_DEFAULT,
					    &source, &rule, &why);

	b2b_rule_unref(&rule);
	return err == B2B_ERR_INVALID ? b2b_graph_fail(reader, "%s", why.text) : err;
}

enum b2b_err b2b_graph_new_entry(struct b2b_graph_reader *reader)
{
	struct b2b_graph *graph = reader->graph;

	if ((graph->count & (graph->count - 1)) == 0) {
		size_t room = graph->count ? graph->count * 2 : 1;
		struct b2b_graph_entry *grown = realloc(graph->entries, room * sizeof *grown);

		if (!grown)
			return B2B_ERR_MEMORY;
		graph->entries = grown;
	}
	reader->entry = &graph->entries[graph->count++];
	*reader->entry = (struct b2b_graph_entry){ 0 };
	b2b_graph_names_clear(&reader->users);
	reader->users_touched = false;
	return B2B_OK;
}

enum b2b_err b2b_graph_read_entry(struct b2b_graph_reader *reader, json_t *object, bool need_tenant)
{
	json_t *tenant_id = b2b_graph_get(object, "tenantId");
	bool is_default = reader->at_len > 0 && !need_tenant;
	enum b2b_err err = b2b_graph_new_entry(reader);
	size_t mark = reader->at_len;

	if (err != B2B_OK)
		return err;
	if (tenant_id) {
		if (is_default)
			return b2b_graph_fail(reader, "the default has no tenantId");
		b2b_graph_push(reader, "tenantId", SIZE_MAX);
		err = read_tenant_id(reader, tenant_id, 0);
		if (err != B2B_OK)
			return err;
		b2b_graph_pop(reader, mark);
	}
	err = read_members(reader, object);
	if (err == B2B_OK)
		err = b2b_graph_finish_groups(reader);
	if (err != B2B_OK)
		return err;
	if (reader->entry->count == 0 && !tenant_id && !is_default)
		return fail_foreign(reader, object);
	if (need_tenant && !tenant_id)
		return b2b_graph_fail(reader, "tenantId is missing");
	return check_entry(reader);
}
