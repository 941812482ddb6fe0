/*
 * ctl_guest.c - guest list and guest show.
 * In: the guests' entries.
 * Out: a table, CSV (RFC 4180) or JSON; one guest with all that is known and a word on it.
 */
#include "ctl.h"

#include "decide.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum column { UID, HOME, STATE, ENABLED, UNTIL, REVIEW, REASON, DN, COLUMNS };
#define TABLE_COLUMNS DN /* the table leaves the DN out: it would not fit */

static const char *const titles[COLUMNS] = { "GUEST",           "HOME TENANT", "STATE",
					     "ENABLED",         "VALID UNTIL", "REVIEW DUE",
					     "DISABLED REASON", "DN" };
static const char *const names[COLUMNS] = { "uid",        "homeTenant", "state",          "enabled",
					    "validUntil", "reviewDue",  "disabledReason", "dn" };

enum format { TABLE, CSV, JSON };

struct row {
	char *cells[COLUMNS]; /* "" where there is nothing to say */
};

struct guests {
	struct ctl_options *options;
	LDAP *ld;
	struct ctl_tenant tenant;
	struct b2b_rule *rule; /* our tenant, compiled, or NULL */
	enum format format;
	struct row *rows; /* the table's, whose widths are known at the end */
	size_t count;
	bool enabled; /* of the row at hand */
};

static const struct b2b_tenant_policy *policy(const struct guests *guests)
{
	return guests->rule && !guests->rule->invalid ? &guests->rule->u.tenant : NULL;
}

/* The first value of any attribute, fit to be shown; caller frees. */
static char *first_shown(LDAP *ld, LDAPMessage *message, const char *name)
{
	struct berval **values = ldap_get_values_len(ld, message, name);
	char *shown = values && values[0] ? ctl_shown(values[0]->bv_val, values[0]->bv_len)
					  : ctl_format("%s", "");

	ldap_value_free_len(values);
	return shown;
}

/* The uid, else what the entry is named by. */
static char *guest_name(LDAP *ld, LDAPMessage *message, const char *dn)
{
	char *uid = first_shown(ld, message, "uid"), *end;

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

static void fill_row(struct guests *guests, LDAPMessage *message, struct row *row)
{
	struct ctl_entry *entry = ctl_entry_new(guests->ld, message);
	struct b2b_source source = ctl_entry_source(entry);
	struct b2b_guest guest;

	b2b_guest_parse(&source, &guest, NULL);
	guests->enabled = guest.enabled;
	row->cells[UID] = guest_name(guests->ld, message, entry->dn);
	row->cells[HOME] = first_shown(guests->ld, message, "b2bHomeTenant");
	row->cells[STATE] = first_shown(guests->ld, message, "b2bUserState");
	row->cells[ENABLED] = ctl_format("%s", guest.enabled ? "yes" : "no");
	row->cells[UNTIL] = end_text(b2b_guest_end(&guest, policy(guests)));
	row->cells[REVIEW] = guest.review_due ? ctl_time(guest.review_due) : ctl_format("%s", "");
	row->cells[REASON] = first_shown(guests->ld, message, "b2bDisabledReason");
	row->cells[DN] = ctl_shown(entry->dn, strlen(entry->dn));
	ctl_entry_free(&entry);
}

static void clear_row(struct row *row)
{
	for (int i = 0; i < COLUMNS; i++)
		free(row->cells[i]);
}

static void print_csv(const struct row *row)
{
	for (int i = 0; i < COLUMNS; i++) {
		const char *cell = row->cells[i];

		fputs(i ? "," : "", stdout);
		if (!strpbrk(cell, ",\"\r\n ")) {
			fputs(cell, stdout);
			continue;
		}
		putchar('"');
		for (; *cell; cell++) {
			putchar(*cell);
			if (*cell == '"')
				putchar('"');
		}
		putchar('"');
	}
	fputs("\r\n", stdout);
}

static void print_json(const struct guests *guests, const struct row *row)
{
	json_t *object = json_object();
	char *text;

	for (int i = 0; i < COLUMNS; i++) {
		const char *cell = row->cells[i];
		bool empty = !*cell || (i == UNTIL && !strchr(cell, 'T'));

		if (i == ENABLED)
			json_object_set_new(object, names[i], json_boolean(guests->enabled));
		else
			json_object_set_new(object, names[i],
					    empty ? json_null() : json_string(cell));
	}
	text = json_dumps(object, 0);
	json_decref(object);
	printf("%s\n  %s", guests->count ? "," : "", text ? text : "null");
	free(text);
}

static void take_guest(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct guests *guests = ctx;
	struct row row = { { NULL } };

	fill_row(guests, message, &row);
	if (guests->format == TABLE) {
		guests->rows = ctl_grow(guests->rows, guests->count, sizeof row);
		guests->rows[guests->count++] = row;
		return;
	}
	if (guests->format == CSV)
		print_csv(&row);
	else
		print_json(guests, &row);
	guests->count++;
	clear_row(&row);
}

/* Characters, which is near enough to columns for names. */
static size_t width(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static void print_cells(const char *const *cells, const size_t *widths)
{
	int last = TABLE_COLUMNS - 1;

	while (last > 0 && !*cells[last])
		last--;
	for (int i = 0; i <= last; i++) {
		size_t pad = i == last ? 0 : widths[i] - width(cells[i]) + 2;

		printf("%s%*s", cells[i], (int)pad, "");
	}
	putchar('\n');
}

static void print_table(struct guests *guests)
{
	size_t widths[TABLE_COLUMNS];

	for (int i = 0; i < TABLE_COLUMNS; i++) {
		widths[i] = width(titles[i]);
		for (size_t j = 0; j < guests->count; j++)
			if (width(guests->rows[j].cells[i]) > widths[i])
				widths[i] = width(guests->rows[j].cells[i]);
	}
	print_cells(titles, widths);
	for (size_t j = 0; j < guests->count; j++)
		print_cells((const char *const *)guests->rows[j].cells, widths);
}

static int open_guests(struct guests *guests)
{
	struct b2b_source source;

	if (ctl_connect(guests->options, &guests->ld) != CTL_DONE ||
	    ctl_tenant_find(guests->ld, guests->options, &guests->tenant) != CTL_DONE)
		return CTL_FAILED;
	if (guests->tenant.entry) {
		source = ctl_entry_source(guests->tenant.entry);
		b2b_rule_compile(B2B_RULE_TENANT, &source, &guests->rule, NULL);
	}
	return CTL_DONE;
}

static void close_guests(struct guests *guests)
{
	b2b_rule_unref(&guests->rule);
	for (size_t i = 0; guests->rows && i < guests->count; i++)
		clear_row(&guests->rows[i]);
	free(guests->rows);
	ctl_tenant_clear(&guests->tenant);
	if (guests->ld)
		ldap_unbind_ext_s(guests->ld, NULL, NULL);
}

static char *list_filter(const char *filter)
{
	if (!filter)
		return ctl_format("(objectClass=b2bGuest)");
	if (*filter == '(')
		return ctl_format("(&(objectClass=b2bGuest)%s)", filter);
	return ctl_format("(&(objectClass=b2bGuest)(%s))", filter);
}

static int list(struct guests *guests)
{
	char *base = ctl_guest_base(&guests->tenant),
	     *filter = list_filter(guests->options->filter);
	char *attrs[] = { "*", "+", NULL };
	struct ctl_search search = { base, LDAP_SCOPE_SUBTREE, filter, attrs, take_guest, guests };
	struct row header = { { NULL } };
	int code;

	for (int i = 0; i < COLUMNS; i++)
		header.cells[i] = (char *)names[i];
	if (guests->format == CSV)
		print_csv(&header);
	else if (guests->format == JSON)
		putchar('[');
	code = ctl_search(guests->ld, &search);
	if (guests->format == TABLE && (code == LDAP_SUCCESS || guests->count > 0))
		print_table(guests);
	else if (guests->format == JSON)
		fputs(guests->count ? "\n]\n" : "]\n", stdout);
	if (code == LDAP_FILTER_ERROR)
		ctl_fail("--filter: not an LDAP filter (RFC 4515)");
	else if (code != LDAP_SUCCESS)
		ctl_fail_ldap(guests->ld, code, base);
	if (code != LDAP_SUCCESS && guests->count > 0)
		ctl_fail("the list is not complete");
	free(filter);
	free(base);
	return code == LDAP_SUCCESS ? CTL_DONE : CTL_FAILED;
}

int ctl_guest_list(struct ctl_options *options)
{
	static const char *const formats[] = { "table", "csv", "json" };
	struct guests guests = { .options = options };
	const char *format = options->format ? options->format : "table";
	int i = 0, result;

	while (i < 3 && strcasecmp(format, formats[i]) != 0)
		i++;
	if (i == 3) {
		ctl_fail("--format: table, csv or json");
		return CTL_USAGE;
	}
	guests.format = (enum format)i;
	result = open_guests(&guests);
	if (result == CTL_DONE)
		result = list(&guests);
	close_guests(&guests);
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

static void print_verdict(const struct guests *guests, const struct ctl_entry *entry)
{
	struct b2b_source source = ctl_entry_source(entry);
	struct b2b_error error;
	struct b2b_guest guest;
	enum b2b_reason reason;
	struct b2b_str why = ctl_entry_first(entry, B2B_ATTR_DISABLED_REASON);
	char *end, *due;

	b2b_guest_parse(&source, &guest, &error);
	reason = b2b_decide_record(&guest, policy(guests), time(NULL));
	end = end_text(b2b_guest_end(&guest, policy(guests)));
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
	struct guests guests = { .options = options };
	struct ctl_entry *entry = NULL;
	char *text = NULL;
	int result = open_guests(&guests);

	if (result == CTL_DONE)
		result = ctl_guest_find(guests.ld, &guests.tenant, options->words[0], take_text,
					&text, &entry);
	if (result == CTL_DONE) {
		char *shown = ctl_shown(entry->dn, strlen(entry->dn));

		printf("dn: %s\n%s", shown, text);
		print_verdict(&guests, entry);
		free(shown);
	}
	ctl_entry_free(&entry);
	free(text);
	close_guests(&guests);
	return result;
}
