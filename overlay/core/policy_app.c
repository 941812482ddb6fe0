/*
 * policy_app.c - an application's entry: how it is told apart, and who may use it.
 * In: a b2bApplication entry.
 * Out: struct b2b_app; what identifies the application is kept even if the rest is wrong.
 */
#include "policy_parts.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void read_app_id(struct b2b_reader *reader, struct b2b_app *app)
{
	const struct b2b_str none = { 0 };
	enum b2b_attr attr = B2B_ATTR_APP_ID;
	struct b2b_str value;
	size_t index = 0;

	if (!b2b_read_next(reader, attr, &index, &value))
		attr = B2B_ATTR_CN;
	if (!b2b_policy_read_id(reader, attr, &app->id)) {
		b2b_read_refuse(reader, B2B_ATTR_APP_ID, none,
				"is missing, and there is not one cn");
		return;
	}
	value = b2b_str_of(app->id);
	app->id_len = value.len;
	app->id_hash = b2b_str_hash_similar(value);
	if (b2b_str_similar(value, b2b_str_of("AllApplications")))
		b2b_read_refuse(reader, attr, value, "is a keyword");
}

static bool is_listener(struct b2b_str value)
{
	static const char *const schemes[] = { "ldap://", "ldaps://", "ldapi://" };

	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.s[i] <= ' ' || value.s[i] == 0x7f)
			return false;
	for (size_t i = 0; i < COUNT(schemes); i++) {
		struct b2b_str scheme = b2b_str_of(schemes[i]), head = { value.s, scheme.len };

		if (value.len > scheme.len && b2b_str_equal_nocase(head, scheme))
			return true;
	}
	return false;
}

static void read_listeners(struct b2b_reader *reader, struct b2b_app *app)
{
	struct b2b_str value;

	for (size_t index = 0; b2b_read_next(reader, B2B_ATTR_APP_LISTENER, &index, &value);) {
		if (!is_listener(value))
			b2b_read_refuse(reader, B2B_ATTR_APP_LISTENER, value,
					"is not a listener's URL");
		else
			b2b_read_append(reader, value, &app->listeners, &app->listener_count);
	}
}

void b2b_policy_read_app(struct b2b_reader *reader, struct b2b_app *app)
{
	read_app_id(reader, app);
	b2b_read_list(reader, B2B_ATTR_APP_SERVICE_DN, &app->service_dns, &app->service_dn_count);
	read_listeners(reader, app);
	b2b_policy_read_networks(reader, B2B_ATTR_APP_PEER, &app->peers, &app->peer_count);
	b2b_read_list(reader, B2B_ATTR_APP_AUDIENCE, &app->audiences, &app->audience_count);
	b2b_read_bool(reader, B2B_ATTR_APP_ASSIGNMENT_REQUIRED, &app->assignment_required);
	b2b_policy_read_dns(reader, B2B_ATTR_APP_ASSIGNEE, &app->assignees, &app->assignee_count);
	b2b_read_list(reader, B2B_ATTR_APP_SCOPE, &app->scopes, &app->scope_count);
	b2b_read_text(reader, B2B_ATTR_APP_MAX_LABEL, &app->max_label);
}
