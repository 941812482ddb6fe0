/*
 * ctl_guest.c - guest list and guest show.
 * In: the guests' entries.
 * Out: a table, CSV (RFC 4180) or JSON; one guest with all that is known and a word on it.
 */
#include "ctl_life.h"

#include "decide.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum column { UID, HOME, STATE, ENABLED, UNTIL, REVIEW, SIGN_IN, REASON, DN, COLUMNS };
static const struct ctl_column columns[COLUMNS] = {
	[UID] = { "GUEST", "uid", CTL_CELL_TEXT },
	[HOME] = { "HOME TENANT", "homeTenant", CTL_CELL_TEXT },
	[STATE] = { "STATE", "state", CTL_CELL_TEXT },
	[ENABLED] = { "ENABLED", "enabled", CTL_CELL_FLAG },
	[UNTIL] = { "VALID UNTIL", "validUntil", CTL_CELL_TIME },
	[REVIEW] = { "REVIEW DUE", "reviewDue", CTL_CELL_TIME },
	[SIGN_IN] = { "LAST SIGN-IN", "lastSignIn", CTL_CELL_TIME },
	[REASON] = { "DISABLED REASON", "disabledReason", CTL_CELL_TEXT },
	[DN] = { NULL, "dn", CTL_CELL_TEXT }, /* it would not fit into a table */
};

struct guests {
	struct ctl_session session;
	struct ctl_table table;
};

char *ctl_guest_name(LDAP *ld, LDAPMessage *message, const char *dn)
{
	char *uid = ctl_first_shown(ld, message, "uid"), *end;

	if (*uid)
		return uid;
	free(uid);
	uid = ctl_shown(dn, strlen(dn));
	end = strchr(uid, ',');
	if (end)
		*end = '\0';
	return uid;
}

/* A guest whose end nobody can tell has none that could be trusted: 1 stands for that. */
static char *end_text(time_t end)
{
	if (end == 0)
		return ctl_format("no end");
	return end == 1 ? ctl_format("unknown") : ctl_time(end);
}

static char *time_text(time_t when)
{
	return when ? ctl_time(when) : NULL;
}

static void take_guest(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct guests *guests = ctx;
	struct ctl_entry *entry = ctl_entry_new(ld, message);
	struct b2b_source source = ctl_entry_source(entry);
	char *cells[COLUMNS];
	struct b2b_guest guest;

	b2b_guest_parse(&source, &guest, NULL);
	cells[UID] = ctl_guest_name(ld, message, entry->dn);
	cells[HOME] = ctl_first_shown(ld, message, "b2bHomeTenant");
	cells[STATE] = ctl_first_shown(ld, message, "b2bUserState");
	cells[ENABLED] = ctl_format("%s", guest.enabled ? "yes" : "no");
	cells[UNTIL] = end_text(b2b_guest_end(&guest, ctl_session_policy(&guests->session)));
	cells[REVIEW] = time_text(guest.review_due);
	cells[SIGN_IN] = time_text(guest.last_sign_in);
	cells[REASON] = ctl_first_shown(ld, message, "b2bDisabledReason");
	cells[DN] = ctl_shown(entry->dn, strlen(entry->dn));
	ctl_table_row(&guests->table, cells);
	ctl_entry_free(&entry);
}

/* --state, as a filter; complains and answers NULL where there is no such state. */
static const char *state_filter(const char *state)
{
	static const struct {
		const char *name, *filter;
	} states[] = {
		{ "pending", "(b2bUserState=PendingAcceptance)" },
		{ "accepted", "(b2bUserState=Accepted)" },
		{ "enabled", "(b2bAccountEnabled=TRUE)" },
		{ "disabled", "(!(b2bAccountEnabled=TRUE))" },
	};

	if (!state)
		return "";
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (strcasecmp(state, states[i].name) == 0)
			return states[i].filter;
	ctl_misuse("--state: pending, accepted, enabled or disabled", "");
	return NULL;
}

static char *list_filter(const struct ctl_options *options, const char *state)
{
	const char *filter = options->filter ? options->filter : "";
	char *escaped = ctl_escape(options->partner ? options->partner : "");
	char *text = ctl_format("(&(objectClass=b2bGuest)%s%s%s%s%s%s%s)", state,
				*escaped ? "(b2bHomeTenant=" : "", escaped, *escaped ? ")" : "",
				*filter && *filter != '(' ? "(" : "", filter,
				*filter && *filter != '(' ? ")" : "");

	free(escaped);
	return text;
}

static int list(struct guests *guests, const char *state)
{
	LDAP *ld = guests->session.ld;
	char *base = ctl_guest_base(&guests->session.tenant);
	char *filter = list_filter(guests->session.options, state);
	char *attrs[] = { "*", "+", NULL };
	struct ctl_search search = { base, LDAP_SCOPE_SUBTREE, filter, attrs, take_guest, guests };
	int code;

	ctl_table_start(&guests->table);
	code = ctl_search(ld, &search);
	ctl_table_end(&guests->table);
	if (code == LDAP_FILTER_ERROR)
		ctl_fail("--filter: not an LDAP filter (RFC 4515)");
	else if (code != LDAP_SUCCESS)
		ctl_fail_ldap(ld, code, base);
	if (code != LDAP_SUCCESS && guests->table.count > 0)
		ctl_fail("the list is not complete");
	free(filter);
	free(base);
	return code == LDAP_SUCCESS ? CTL_DONE : CTL_FAILED;
}

int ctl_guest_list(struct ctl_options *options)
{
	struct guests guests = { .table.columns = columns, .table.column_count = COLUMNS };
	const char *state = state_filter(options->state);
	int result = state ? ctl_format_take(options->format, &guests.table.format) : CTL_USAGE;

	if (result == CTL_DONE)
		result = ctl_session_open(options, &guests.session);
	if (result == CTL_DONE)
		result = list(&guests, state);
	ctl_session_close(&guests.session);
	return result;
}

/* guest show */

static int by_text(const void *a, const void *b)
{
	return strcasecmp(*(char *const *)a, *(char *const *)b);
}

/* Every attribute of ours and what names the guest, in order. */
static char *entry_text(LDAP *ld, LDAPMessage *message)
{
	static const char *const others[] = { "cn", "mail", "uid" };
	char **lines = NULL, *text = ctl_format("%s", ""), *longer;
	BerElement *ber = NULL;
	size_t count = 0;

	for (char *name = ldap_first_attribute(ld, message, &ber); name;
	     name = ldap_next_attribute(ld, message, ber)) {
		bool ours = strncasecmp(name, "b2b", 3) == 0;
		struct berval **values = ldap_get_values_len(ld, message, name);

		for (size_t i = 0; i < sizeof others / sizeof *others; i++)
			ours = ours || strcasecmp(name, others[i]) == 0;
		for (size_t i = 0; ours && values && values[i]; i++) {
			char *shown = ctl_shown(values[i]->bv_val, values[i]->bv_len);

			lines = ctl_grow(lines, count, sizeof *lines);
			lines[count++] = ctl_format("%s: %s\n", name, shown);
			free(shown);
		}
		ldap_value_free_len(values);
		ldap_memfree(name);
	}
	ber_free(ber, 0);
	if (count > 0)
		qsort(lines, count, sizeof *lines, by_text);
	for (size_t i = 0; i < count; i++) {
		longer = ctl_format("%s%s", text, lines[i]);
		free(text);
		free(lines[i]);
		text = longer;
	}
	free(lines);
	return text;
}

static void take_text(LDAP *ld, LDAPMessage *message, void *ctx)
{
	char **text_r = ctx;

	*text_r = entry_text(ld, message);
}

static void print_verdict(const struct ctl_session *session, const struct ctl_entry *entry)
{
	struct b2b_source source = ctl_entry_source(entry);
	struct b2b_error error;
	struct b2b_guest guest;
	enum b2b_reason reason;
	struct b2b_str why = ctl_entry_first(entry, B2B_ATTR_DISABLED_REASON);
	char *end, *due;

	b2b_guest_parse(&source, &guest, &error);
	reason = b2b_decide_record(&guest, ctl_session_policy(session), time(NULL));
	end = end_text(b2b_guest_end(&guest, ctl_session_policy(session)));
	due = guest.review_due ? ctl_time(guest.review_due) : NULL;
	if (!guest.well_formed)
		printf("record: not in order: %s\n", error.text);
	else if (reason == B2B_REASON_DISABLED && why.len > 0)
		printf("record: not in order: disabled (%.*s)\n", (int)why.len, why.s);
	else if (reason != B2B_REASON_NONE)
		printf("record: not in order: %s (valid until: %s%s%s)\n", b2b_reason_name(reason),
		       end, due ? ", review due: " : "", due ? due : "");
	else
		printf("record: in order now%s (valid until: %s%s%s)\n",
		       guest.accepted ? "" : ", but the invitation has not been redeemed", end,
		       due ? ", review due: " : "", due ? due : "");
	free(due);
	free(end);
}

int ctl_guest_show(struct ctl_options *options)
{
	struct ctl_session session;
	struct ctl_entry *entry = NULL;
	char *text = NULL;
	int result = ctl_session_open(options, &session);

	if (result == CTL_DONE)
		result = ctl_guest_find(session.ld, &session.tenant, options->words[0], take_text,
					&text, &entry);
	if (result == CTL_DONE) {
		char *shown = ctl_shown(entry->dn, strlen(entry->dn));

		printf("dn: %s\n%s", shown, text);
		print_verdict(&session, entry);
		free(shown);
	}
	ctl_entry_free(&entry);
	free(text);
	ctl_session_close(&session);
	return result;
}
