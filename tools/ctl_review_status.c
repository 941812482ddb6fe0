/*
 * ctl_review_status.c - review status: how far reviews by definition have come.
 * In: the definitions in cn=reviews and their items.
 * Out: a line for each, with the stage of its last instance and what became of that one's items; which
 * failed and why.
 */
#include "ctl_life.h"
#include "review.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FAILURES_MAX 1000u /* that are named */

enum state { ASKED, ANSWERED, APPLIED, FAILED, STATES };
static const char *const state_names[STATES] = { "asked", "answered", "applied", "failed" };

enum column {
	NAME,
	INSTANCE,
	STAGE,
	OPENED,
	CLOSES,
	NEXT,
	COUNTS,
	FAILURES = COUNTS + STATES,
	DN,
	COLUMNS
};
static const struct ctl_column columns[COLUMNS] = {
	[NAME] = { "REVIEW", "review", CTL_CELL_TEXT },
	[INSTANCE] = { "INSTANCE", "instance", CTL_CELL_NUMBER },
	[STAGE] = { "STAGE", "stage", CTL_CELL_TEXT },
	[OPENED] = { "OPENED", "opened", CTL_CELL_TIME },
	[CLOSES] = { "CLOSES", "closes", CTL_CELL_TIME },
	[NEXT] = { "NEXT", "next", CTL_CELL_TIME },
	[COUNTS + ASKED] = { "ASKED", "asked", CTL_CELL_NUMBER },
	[COUNTS + ANSWERED] = { "ANSWERED", "answered", CTL_CELL_NUMBER },
	[COUNTS + APPLIED] = { "APPLIED", "applied", CTL_CELL_NUMBER },
	[COUNTS + FAILED] = { "FAILED", "failed", CTL_CELL_NUMBER },
	[FAILURES] = { NULL, "failures", CTL_CELL_LIST },
	[DN] = { NULL, "dn", CTL_CELL_TEXT },
};

struct status {
	struct ctl_session session;
	struct ctl_table table;
	struct ctl_entry **definitions;
	size_t definition_count;
	size_t counts[STATES]; /* of the definition at hand */
	char *failures;        /* of it, lines */
	size_t named;          /* how many those are */
	char *told;            /* failures for a table, lines */
};

static unsigned number_of(const struct ctl_entry *entry, enum b2b_attr attr)
{
	unsigned number = 0;

	b2b_number_parse(ctl_entry_first(entry, attr), 0, 999999999, &number);
	return number;
}

static time_t time_of(const struct ctl_entry *entry, enum b2b_attr attr)
{
	time_t when = 0;

	if (b2b_time_parse(ctl_entry_first(entry, attr), &when) != B2B_OK)
		return 0;
	return when;
}

static void take_definition(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct status *status = ctx;

	status->definitions = ctl_grow(status->definitions, status->definition_count,
				       sizeof *status->definitions);
	status->definitions[status->definition_count++] = ctl_entry_new(ld, message);
}

static void note_failure(struct status *status, const struct ctl_entry *entry)
{
	struct b2b_str guest = ctl_entry_first(entry, B2B_ATTR_REVIEW_GUEST);
	struct b2b_str why = ctl_entry_first(entry, B2B_ATTR_REVIEW_ITEM_ERROR);
	char *line;

	if (status->named == FAILURES_MAX)
		return;
	line = ctl_format("%.*s: %.*s", (int)guest.len, guest.s, (int)why.len, why.s);
	ctl_cell_add(&status->failures, line, strlen(line));
	status->named++;
	free(line);
}

static void take_item(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct status *status = ctx;
	struct ctl_entry *entry = ctl_entry_new(ld, message);
	struct b2b_str state = ctl_entry_first(entry, B2B_ATTR_REVIEW_ITEM_STATE);

	for (int i = 0; i < STATES; i++)
		if (b2b_str_equal_nocase(state, b2b_str_of(state_names[i])))
			status->counts[i]++;
	if (b2b_str_equal_nocase(state, b2b_str_of(state_names[FAILED])))
		note_failure(status, entry);
	ctl_entry_free(&entry);
}

static char *time_cell(time_t when)
{
	return when ? ctl_time(when) : NULL;
}

static char *number_cell(size_t number)
{
	return ctl_format("%zu", number);
}

static void fill_state(const struct status *status, const struct ctl_entry *entry, char **cells)
{
	struct b2b_source source = ctl_entry_source(entry);
	struct b2b_review_state state = {
		.instance = number_of(entry, B2B_ATTR_REVIEW_INSTANCE),
		.opened = time_of(entry, B2B_ATTR_REVIEW_OPENED),
		.closes = time_of(entry, B2B_ATTR_REVIEW_CLOSES),
		.open = ctl_entry_first(entry, B2B_ATTR_REVIEW_STAGE).len > 0,
		.stage = number_of(entry, B2B_ATTR_REVIEW_STAGE),
		.created = time_of(entry, B2B_ATTR_CREATE_TIMESTAMP),
	};
	struct b2b_rule *rule = NULL;
	const struct b2b_review_policy *policy;

	b2b_rule_compile(B2B_RULE_REVIEW, &source, &rule, NULL);
	policy = rule && !rule->invalid ? rule->u.review : NULL;
	if (state.open && policy)
		cells[STAGE] = ctl_format("%u of %u", state.stage + 1, policy->stage_count);
	else
		cells[STAGE] = ctl_format("%s", state.open ? "open" : policy ? "" : "not in order");
	cells[OPENED] = time_cell(state.opened);
	cells[CLOSES] = time_cell(state.open ? state.closes : 0);
	if (policy)
		cells[NEXT] = time_cell(b2b_review_next_start(policy, &state, status->session.now));
	b2b_rule_unref(&rule);
}

static void add_told(struct status *status, const char *name)
{
	const char *line = status->failures;

	while (line && *line) {
		int bytes = (int)strcspn(line, "\n");
		char *text = ctl_format("%s, %.*s", name, bytes, line);

		ctl_cell_add(&status->told, text, strlen(text));
		free(text);
		line += bytes;
		line += *line == '\n';
	}
}

static void print_row(struct status *status, const struct ctl_entry *entry)
{
	struct b2b_str name = ctl_entry_first(entry, B2B_ATTR_CN);
	unsigned instance = number_of(entry, B2B_ATTR_REVIEW_INSTANCE);
	char *cells[COLUMNS] = { NULL };

	cells[NAME] = ctl_shown(name.s, name.len);
	cells[INSTANCE] = instance ? number_cell(instance) : NULL;
	fill_state(status, entry, cells);
	for (int i = 0; i < STATES; i++)
		cells[COUNTS + i] = number_cell(status->counts[i]);
	cells[DN] = ctl_shown(entry->dn, strlen(entry->dn));
	if (status->table.format == CTL_FORMAT_TABLE)
		add_told(status, cells[NAME]);
	cells[FAILURES] = status->failures;
	status->failures = NULL;
	ctl_table_row(&status->table, cells);
}

/* An item is named "<instance>-<entryUUID>"; of former instances some may be left. */
static int print_definition(struct status *status, const struct ctl_entry *entry)
{
	char *filter = ctl_format("(&(objectClass=b2bReviewItem)(cn=%u-*))",
				  number_of(entry, B2B_ATTR_REVIEW_INSTANCE));
	char *attrs[] = { "b2bReviewItemState", "b2bReviewItemError", "b2bReviewGuest", NULL };
	struct ctl_search search = { entry->dn, LDAP_SCOPE_ONELEVEL, filter,
				     attrs,     take_item,           status };
	int code;

	memset(status->counts, 0, sizeof status->counts);
	status->named = 0;
	code = ctl_search(status->session.ld, &search);
	print_row(status, entry);
	if (code != LDAP_SUCCESS)
		ctl_fail_ldap(status->session.ld, code, entry->dn);
	free(filter);
	return code == LDAP_SUCCESS ? CTL_DONE : CTL_FAILED;
}

static int read_definitions(struct status *status)
{
	const struct ctl_options *options = status->session.options;
	const char *name = options->word_count ? options->words[0] : NULL;
	char *base, *escaped, *filter, *attrs[] = { "*", "+", NULL };
	struct ctl_search search = {
		.scope = LDAP_SCOPE_ONELEVEL, .attrs = attrs, .each = take_definition, .ctx = status
	};
	int code, result = CTL_DONE;

	if (ctl_tenant_demand(&status->session.tenant) != CTL_DONE)
		return CTL_FAILED;
	base = ctl_format("cn=reviews,%s", status->session.tenant.entry->dn);
	escaped = ctl_escape(name ? name : "");
	filter = name ? ctl_format("(&(objectClass=b2bReviewDefinition)(cn=%s))", escaped)
		      : ctl_format("(objectClass=b2bReviewDefinition)");
	search.base = base;
	search.filter = filter;
	code = ctl_search(status->session.ld, &search);
	if (code != LDAP_SUCCESS && code != LDAP_NO_SUCH_OBJECT)
		result = ctl_fail_ldap(status->session.ld, code, base);
	else if (name && status->definition_count == 0)
		result = ctl_fail("there is no review %s", name);
	free(filter);
	free(escaped);
	free(base);
	return result;
}

static void print_told(const struct status *status)
{
	for (const char *line = status->told; line && *line;) {
		int bytes = (int)strcspn(line, "\n");

		printf("failed: %.*s\n", bytes, line);
		line += bytes;
		line += *line == '\n';
	}
}

int ctl_review_status(struct ctl_options *options)
{
	struct status status = { .session.options = options,
				 .table.columns = columns,
				 .table.column_count = COLUMNS };
	int result = ctl_format_take(options->format, &status.table.format);

	if (result == CTL_DONE)
		result = ctl_session_open(options, &status.session);
	if (result == CTL_DONE)
		result = read_definitions(&status);
	if (result == CTL_DONE) {
		ctl_table_start(&status.table);
		for (size_t i = 0; result == CTL_DONE && i < status.definition_count; i++)
			result = print_definition(&status, status.definitions[i]);
		ctl_table_end(&status.table);
		print_told(&status);
	}
	for (size_t i = 0; i < status.definition_count; i++)
		ctl_entry_free(&status.definitions[i]);
	free(status.definitions);
	free(status.told);
	ctl_session_close(&status.session);
	return result;
}
