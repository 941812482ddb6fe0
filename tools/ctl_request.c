/*
 * ctl_request.c - request add, list, approve and deny: who wants to become a guest.
 * In: what is asked for, by members or by nobody in particular; approvers' decisions.
 * Out: the server's extended operation; a list; a decision, which the server checks.
 */
#include "ctl_life.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OPERATION "3.6"
#define NAMED_MAX 10

/* --- add --- */

static bool set(json_t *object, const char *name, const char *text)
{
	if (!text || json_object_set_new(object, name, json_string(text)) == 0)
		return true;
	ctl_fail("%s: not in UTF-8", name);
	return false;
}

static bool set_apps(json_t *object, const struct ctl_list *apps)
{
	json_t *list = json_array();

	for (size_t i = 0; i < apps->count; i++)
		if (json_array_append_new(list, json_string(apps->values[i])) != 0) {
			json_decref(list);
			ctl_fail("--app: not in UTF-8");
			return false;
		}
	if (apps->count > 0)
		json_object_set(object, "applications", list);
	json_decref(list);
	return true;
}

static int check_attributes(const struct ctl_list *attributes)
{
	for (size_t i = 0; i < attributes->count; i++) {
		const char *text = attributes->values[i], *equals = strchr(text, '=');
		size_t bytes = equals ? (size_t)(equals - text) : 0;
		bool right = bytes > 0 && equals[1];

		for (size_t j = 0; right && j < i; j++)
			right = strncasecmp(attributes->values[j], text, bytes + 1) != 0;
		if (!right)
			return ctl_misuse("--attribute: NAME=VALUE, each name once, not ", text);
	}
	return CTL_DONE;
}

static bool set_attributes(json_t *object, const struct ctl_list *attributes)
{
	json_t *all = json_object();
	bool right = true;

	for (size_t i = 0; right && i < attributes->count; i++) {
		const char *text = attributes->values[i], *equals = strchr(text, '=');
		char *name = ctl_format("%.*s", equals ? (int)(equals - text) : 0, text);

		right = equals && !json_object_get(all, name) && set(all, name, equals + 1);
		free(name);
	}
	if (right && attributes->count > 0)
		json_object_set(object, "attributes", all);
	json_decref(all);
	return right;
}

static json_t *make_request(const struct ctl_options *options)
{
	struct b2b_error error;
	char *mail = ctl_mail_ascii(options->mail, &error);
	json_t *object;
	bool right;

	if (!mail) {
		ctl_fail("%s", error.text);
		return NULL;
	}
	object = json_object();
	right = set(object, "mail", mail) && set(object, "displayName", options->name) &&
		set(object, "tenant", options->home_tenant) &&
		set(object, "reason", options->reason) && set(object, "suffix", options->base) &&
		set_apps(object, &options->apps) && set_attributes(object, &options->attributes);
	free(mail);
	if (right)
		return object;
	json_decref(object);
	return NULL;
}

static int send_request(LDAP *ld, const json_t *request)
{
	json_t *answer = NULL;
	int code = ctl_exop(ld, OPERATION, request, &answer);
	const char *name = ctl_exop_text(answer, "request");

	if (code == LDAP_SUCCESS)
		ctl_say("asked%s%s: %s", *name ? " as " : "", name, ctl_exop_text(answer, "state"));
	else
		ctl_fail_ldap(ld, code, ctl_exop_text(request, "mail"));
	json_decref(answer);
	return code == LDAP_SUCCESS ? CTL_DONE : CTL_FAILED;
}

int ctl_request_add(struct ctl_options *options)
{
	LDAP *ld = NULL;
	json_t *request;
	int result;

	if (!options->mail)
		return ctl_misuse("request add wants --mail", "");
	if (check_attributes(&options->attributes) != CTL_DONE)
		return CTL_USAGE;
	request = make_request(options);
	result = request ? ctl_connect(options, &ld) : CTL_FAILED;
	if (result == CTL_DONE)
		result = send_request(ld, request);
	json_decref(request);
	if (ld)
		ldap_unbind_ext_s(ld, NULL, NULL);
	return result;
}

/* --- list --- */

enum column {
	MAIL,
	NAME,
	STATE,
	HOME,
	APPS,
	MADE,
	BY,
	REASON,
	ATTRIBUTES,
	ANSWER,
	DECIDED_BY,
	GUEST,
	CN,
	COLUMNS
};
static const struct ctl_column columns[COLUMNS] = {
	[MAIL] = { "MAIL", "mail", CTL_CELL_TEXT },
	[NAME] = { "NAME", "displayName", CTL_CELL_TEXT },
	[STATE] = { "STATE", "state", CTL_CELL_TEXT },
	[HOME] = { "HOME TENANT", "homeTenant", CTL_CELL_TEXT },
	[APPS] = { "APPLICATIONS", "applications", CTL_CELL_LIST },
	[MADE] = { "MADE", "made", CTL_CELL_TIME },
	[BY] = { "BY", "by", CTL_CELL_DNS },
	[REASON] = { "REASON", "reason", CTL_CELL_TEXT },
	[ATTRIBUTES] = { NULL, "attributes", CTL_CELL_LIST },
	[ANSWER] = { "ANSWER", "answer", CTL_CELL_TEXT },
	[DECIDED_BY] = { NULL, "decidedBy", CTL_CELL_DNS },
	[GUEST] = { NULL, "guest", CTL_CELL_TEXT },
	[CN] = { NULL, "request", CTL_CELL_TEXT },
};
static const char *const sources[COLUMNS] = { "b2bRequestMail",
					      "b2bRequestName",
					      "b2bRequestState",
					      "b2bHomeTenant",
					      "b2bRequestApp",
					      "createTimestamp",
					      "b2bRequestBy",
					      "b2bRequestReason",
					      "b2bRequestAttribute",
					      "b2bRequestAnswer",
					      "b2bRequestDecidedBy",
					      "b2bRequestGuest",
					      "cn" };

static void take_request(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct ctl_table *table = ctx;
	char *cells[COLUMNS], *stamp;

	for (int i = 0; i < COLUMNS; i++)
		cells[i] = ctl_all_shown(ld, message, sources[i]);
	stamp = cells[MADE];
	cells[MADE] = ctl_time_shown(b2b_str_of(stamp));
	free(stamp);
	ctl_table_row(table, cells);
}

static char *requests_dn(const struct ctl_session *session)
{
	return ctl_format("cn=requests,%s", session->tenant.entry->dn);
}

static int list(const struct ctl_session *session, struct ctl_table *table)
{
	const char *state = session->options->state;
	char *base, *escaped, *filter, *attrs[] = { "*", "+", NULL };
	struct ctl_search search = {
		.scope = LDAP_SCOPE_ONELEVEL, .attrs = attrs, .each = take_request, .ctx = table
	};
	int code;

	if (ctl_tenant_demand(&session->tenant) != CTL_DONE)
		return CTL_FAILED;
	escaped = ctl_escape(state ? state : "");
	search.base = base = requests_dn(session);
	search.filter = filter =
		state ? ctl_format("(&(objectClass=b2bRequest)(b2bRequestState=%s))", escaped)
		      : ctl_format("(objectClass=b2bRequest)");
	ctl_table_start(table);
	code = ctl_search(session->ld, &search);
	ctl_table_end(table);
	if (code != LDAP_SUCCESS && code != LDAP_NO_SUCH_OBJECT) {
		ctl_fail_ldap(session->ld, code, base);
		if (table->count > 0)
			ctl_fail("the list is not complete");
	}
	free(escaped);
	free(filter);
	free(base);
	return code == LDAP_SUCCESS || code == LDAP_NO_SUCH_OBJECT ? CTL_DONE : CTL_FAILED;
}

static int check_state(const char *state)
{
	static const char *const states[] = { "checking", "pending", "approved", "denied",
					      "blocked",  "invalid", "invited",  "failed" };

	for (size_t i = 0; state && i < sizeof states / sizeof *states; i++)
		if (strcasecmp(state, states[i]) == 0)
			return CTL_DONE;
	return state ? ctl_misuse("--state: checking, pending, approved, denied, blocked, invalid, "
				  "invited or failed",
				  "")
		     : CTL_DONE;
}

int ctl_request_list(struct ctl_options *options)
{
	struct ctl_table table = { .columns = columns, .column_count = COLUMNS };
	struct ctl_session session = { .options = options };
	int result = check_state(options->state);

	if (result == CTL_DONE)
		result = ctl_format_take(options->format, &table.format);
	if (result == CTL_DONE)
		result = ctl_session_open(options, &session);
	if (result == CTL_DONE)
		result = list(&session, &table);
	ctl_session_close(&session);
	return result;
}

/* --- approve and deny --- */

struct open {
	char *dn, *names; /* of the first; of all that are open */
	size_t count;
	char *closed; /* state of one that is not open */
};

static void take_open(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct open *open = ctx;
	char *state = ctl_first_shown(ld, message, "b2bRequestState");
	char *dn = ldap_get_dn(ld, message), *before = open->names;

	if (*state && strcasecmp(state, "checking") != 0 && strcasecmp(state, "pending") != 0) {
		free(open->closed);
		open->closed = state;
		ldap_memfree(dn);
		return;
	}
	if (open->count++ == 0)
		open->dn = ctl_format("%s", dn ? dn : "");
	if (open->count <= NAMED_MAX) {
		open->names = ctl_format("%s%s%s", before ? before : "", before ? "; " : "",
					 dn ? dn : "");
		free(before);
	}
	ldap_memfree(dn);
	free(state);
}

static int find_open(const struct ctl_session *session, const char *word, struct open *open)
{
	char *base = requests_dn(session), *escaped = ctl_escape(word), *attrs[] = { "*", NULL };
	char *filter = ctl_format("(&(objectClass=b2bRequest)(|(cn=%s)(b2bRequestMail=%s)))",
				  escaped, escaped);
	struct ctl_search search = { base, LDAP_SCOPE_ONELEVEL, filter, attrs, take_open, open };
	int code = ctl_search(session->ld, &search), result = CTL_DONE;

	if (code != LDAP_SUCCESS && code != LDAP_NO_SUCH_OBJECT)
		result = ctl_fail_ldap(session->ld, code, base);
	else if (open->count == 0 && open->closed)
		result = ctl_fail("%s: no request is open; there is one that is %s", word,
				  open->closed);
	else if (open->count == 0)
		result = ctl_fail("there is no request %s", word);
	else if (open->count > 1)
		result = ctl_fail("%s is %zu requests; name one by its cn: %s", word, open->count,
				  open->names);
	free(filter);
	free(escaped);
	free(base);
	return result;
}

static int decide(const struct ctl_session *session, const char *state)
{
	const struct ctl_options *options = session->options;
	struct ctl_mods mods = { 0 };
	struct open open = { 0 };
	int result = ctl_tenant_demand(&session->tenant), code;

	if (result == CTL_DONE)
		result = find_open(session, options->words[0], &open);
	if (result == CTL_DONE) {
		ctl_mods_add(&mods, LDAP_MOD_REPLACE, B2B_ATTR_REQUEST_STATE, state);
		if (options->answer)
			ctl_mods_add(&mods, LDAP_MOD_REPLACE, B2B_ATTR_REQUEST_ANSWER,
				     options->answer);
		code = ctl_mods_send(session->ld, open.dn, &mods);
		if (code == LDAP_SUCCESS)
			ctl_say("%s %s", state, open.dn);
		else
			result = ctl_fail_ldap(session->ld, code, open.dn);
	}
	free(open.dn);
	free(open.names);
	free(open.closed);
	return result;
}

static int run(struct ctl_options *options, const char *state)
{
	struct ctl_session session;
	int result = ctl_session_open(options, &session);

	if (result == CTL_DONE)
		result = decide(&session, state);
	ctl_session_close(&session);
	return result;
}

int ctl_request_approve(struct ctl_options *options)
{
	return run(options, "approved");
}

int ctl_request_deny(struct ctl_options *options)
{
	return run(options, "denied");
}
