/*
 * ctl_report.c - report: what wants somebody's attention.
 * In: which sections, how many days ahead, which format.
 * Out: first what went wrong (a halted task, notices that could not be sent), then the sections.
 */
#include "ctl_report.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DAYS 30u
#define DAYS_MAX 36500u
#define DAY_SECS 86400

static const struct ctl_column all_columns[CTL_REPORT_CELLS] = {
	[CTL_REPORT_WHAT] = { NULL, "what", CTL_CELL_TEXT },
	[CTL_REPORT_UID] = { "GUEST", "uid", CTL_CELL_TEXT },
	[CTL_REPORT_MAIL] = { "MAIL", "mail", CTL_CELL_TEXT },
	[CTL_REPORT_HOME] = { "HOME TENANT", "homeTenant", CTL_CELL_TEXT },
	[CTL_REPORT_WHEN] = { "WHEN", "when", CTL_CELL_TIME },
	[CTL_REPORT_DAYS] = { "DAYS", "days", CTL_CELL_NUMBER },
	[CTL_REPORT_WHY] = { "WHY", "why", CTL_CELL_TEXT },
	[CTL_REPORT_SPONSORS] = { "SPONSORS", "sponsors", CTL_CELL_DNS },
	[CTL_REPORT_GUESTS] = { "GUESTS", "guests", CTL_CELL_NUMBER },
	[CTL_REPORT_ACCEPTED] = { "ACCEPTED", "accepted", CTL_CELL_NUMBER },
	[CTL_REPORT_PENDING] = { "PENDING", "pending", CTL_CELL_NUMBER },
	[CTL_REPORT_DISABLED] = { "DISABLED", "disabled", CTL_CELL_NUMBER },
	[CTL_REPORT_ENDING] = { "EXPIRING", "expiring", CTL_CELL_NUMBER },
	[CTL_REPORT_DN] = { NULL, "dn", CTL_CELL_TEXT },
};

/* Which cells a section has, and what a table calls them. */
struct view {
	enum ctl_report_cell cell;
	const char *title; /* NULL: as all call it */
};

struct section {
	const char *name; /* --what, JSON's member, CSV's first field */
	const char *heading;
	int (*run)(struct ctl_report *report);
	size_t count;
	struct view views[9];
};

static const struct section sections[CTL_REPORT_SECTIONS] = {
	[CTL_REPORT_NOTICES] = { "failedNotices",
				 "Mail that could not be sent",
				 ctl_report_notices,
				 3,
				 { { CTL_REPORT_MAIL, "TO" },
				   { CTL_REPORT_WHY, NULL },
				   { CTL_REPORT_DN, NULL } } },
	[CTL_REPORT_EXPIRING] = { "expiring",
				  "Guests whose time is over soon",
				  ctl_report_guests,
				  7,
				  { { CTL_REPORT_UID, NULL },
				    { CTL_REPORT_HOME, NULL },
				    { CTL_REPORT_WHEN, "VALID UNTIL" },
				    { CTL_REPORT_DAYS, "DAYS LEFT" },
				    { CTL_REPORT_SPONSORS, NULL },
				    { CTL_REPORT_MAIL, NULL },
				    { CTL_REPORT_DN, NULL } } },
	[CTL_REPORT_LAPSED] = { "lapsed",
				"Guests that are disabled",
				ctl_report_guests,
				8,
				{ { CTL_REPORT_UID, NULL },
				  { CTL_REPORT_HOME, NULL },
				  { CTL_REPORT_WHY, "REASON" },
				  { CTL_REPORT_WHEN, "DELETED AFTER" },
				  { CTL_REPORT_DAYS, "DAYS LEFT" },
				  { CTL_REPORT_SPONSORS, NULL },
				  { CTL_REPORT_MAIL, NULL },
				  { CTL_REPORT_DN, NULL } } },
	[CTL_REPORT_ORPHANED] = { "orphaned",
				  "Guests whose sponsors are gone",
				  ctl_report_guests,
				  6,
				  { { CTL_REPORT_UID, NULL },
				    { CTL_REPORT_HOME, NULL },
				    { CTL_REPORT_WHY, NULL },
				    { CTL_REPORT_SPONSORS, NULL },
				    { CTL_REPORT_MAIL, NULL },
				    { CTL_REPORT_DN, NULL } } },
	[CTL_REPORT_UNREDEEMED] = { "unredeemed",
				    "Invitations that nobody has redeemed",
				    ctl_report_guests,
				    8,
				    { { CTL_REPORT_UID, NULL },
				      { CTL_REPORT_HOME, NULL },
				      { CTL_REPORT_DAYS, "DAYS OLD" },
				      { CTL_REPORT_WHEN, "EXPIRES" },
				      { CTL_REPORT_WHY, NULL },
				      { CTL_REPORT_SPONSORS, NULL },
				      { CTL_REPORT_MAIL, NULL },
				      { CTL_REPORT_DN, NULL } } },
	[CTL_REPORT_PARTNERS] = { "partners",
				  "Partners and their guests",
				  ctl_report_partners,
				  7,
				  { { CTL_REPORT_HOME, "PARTNER" },
				    { CTL_REPORT_GUESTS, NULL },
				    { CTL_REPORT_ACCEPTED, NULL },
				    { CTL_REPORT_PENDING, NULL },
				    { CTL_REPORT_DISABLED, NULL },
				    { CTL_REPORT_ENDING, NULL },
				    { CTL_REPORT_WHY, "" } } },
};

void ctl_report_row(struct ctl_report *report, char **cells)
{
	const struct section *section = &sections[report->section];
	char *chosen[CTL_COLUMNS_MAX] = { NULL };

	if (report->format == CTL_FORMAT_CSV) {
		cells[CTL_REPORT_WHAT] = ctl_format("%s", section->name);
		ctl_table_row(&report->table, cells);
		return;
	}
	for (size_t i = 0; i < section->count; i++) {
		chosen[i] = cells[section->views[i].cell];
		cells[section->views[i].cell] = NULL;
	}
	for (size_t i = 0; i < CTL_REPORT_CELLS; i++)
		free(cells[i]);
	if (report->table.count == 0 && report->format == CTL_FORMAT_TABLE)
		printf("%s\n\n", section->heading);
	ctl_table_row(&report->table, chosen);
}

/* In a table, a section without a row is one line; that nothing failed is not worth one. */
static void end_section(struct ctl_report *report, const struct section *section)
{
	if (report->format == CTL_FORMAT_CSV)
		return;
	if (report->format == CTL_FORMAT_TABLE && report->table.count == 0) {
		if (report->section != CTL_REPORT_NOTICES)
			printf("%s: none\n\n", section->heading);
		return;
	}
	ctl_table_end(&report->table);
	if (report->format == CTL_FORMAT_TABLE)
		putchar('\n');
}

static int run_section(struct ctl_report *report)
{
	const struct section *section = &sections[report->section];
	struct ctl_column columns[CTL_COLUMNS_MAX];
	int result;

	for (size_t i = 0; i < section->count; i++) {
		columns[i] = all_columns[section->views[i].cell];
		if (section->views[i].title)
			columns[i].title = section->views[i].title;
	}
	if (report->format != CTL_FORMAT_CSV) {
		report->table = (struct ctl_table){ .columns = columns,
						    .column_count = section->count,
						    .format = report->format,
						    .inner = true };
		if (report->format == CTL_FORMAT_JSON)
			printf(",\n\"%s\": ", section->name);
		ctl_table_start(&report->table);
	}
	result = section->run(report);
	end_section(report, section);
	return result;
}

/* --- what went wrong --- */

static void tell_halted(struct ctl_report *report)
{
	struct b2b_str halted = { "", 0 };
	char *cells[CTL_REPORT_CELLS] = { NULL };

	if (report->session.tenant.entry)
		halted = ctl_entry_first(report->session.tenant.entry, B2B_ATTR_MASS_HALTED);
	if (report->format == CTL_FORMAT_JSON) {
		unsigned number = 0;

		if (b2b_number_parse(halted, 0, 999999999, &number) == B2B_OK)
			printf("{\"halted\": %u", number);
		else
			printf("{\"halted\": null");
	} else if (halted.len > 0 && report->format == CTL_FORMAT_TABLE) {
		ctl_say("The task has halted: %.*s guests were to be disabled or deleted at once.",
			(int)halted.len, halted.s);
		ctl_say("b2bMassConfirm: %.*s in the tenant's entry lets it go on.",
			(int)halted.len, halted.s);
		putchar('\n');
	} else if (halted.len > 0) {
		cells[CTL_REPORT_WHAT] = ctl_format("halted");
		cells[CTL_REPORT_GUESTS] = ctl_shown(halted.s, halted.len);
		ctl_table_row(&report->table, cells);
	}
}

static char *who_am_i(LDAP *ld)
{
	struct berval *who = NULL;
	char *dn = NULL;

	if (ldap_whoami_s(ld, &who, NULL, NULL) == LDAP_SUCCESS && who && who->bv_len > 3)
		dn = ctl_format("%.*s", (int)who->bv_len - 3, who->bv_val + 3);
	ber_bvfree(who);
	return dn;
}

static int run(struct ctl_report *report, const bool *wanted)
{
	int result = CTL_DONE;

	if (report->format == CTL_FORMAT_CSV) {
		report->table = (struct ctl_table){ .columns = all_columns,
						    .column_count = CTL_REPORT_CELLS,
						    .format = CTL_FORMAT_CSV };
		ctl_table_start(&report->table);
	}
	tell_halted(report);
	for (int i = 0; i < CTL_REPORT_SECTIONS; i++) {
		report->section = (enum ctl_report_section)i;
		if (wanted[i] && run_section(report) != CTL_DONE)
			result = CTL_FAILED;
	}
	if (report->format == CTL_FORMAT_JSON)
		fputs("}\n", stdout);
	if (report->unsure)
		ctl_note("some sponsors could not be read; they were taken to be there");
	return result == CTL_DONE ? CTL_DONE : ctl_fail("the report is not complete");
}

/* Which sections; CTL_USAGE where there is no such one. */
static int choose(const char *what, bool *wanted)
{
	bool found = false;

	for (int i = 0; i < CTL_REPORT_SECTIONS; i++) {
		bool named =
			i != CTL_REPORT_NOTICES && what && strcasecmp(what, sections[i].name) == 0;

		wanted[i] =
			i == CTL_REPORT_NOTICES || named || !what || strcasecmp(what, "all") == 0;
		found = found || (wanted[i] && i != CTL_REPORT_NOTICES);
	}
	return found ? CTL_DONE
		     : ctl_misuse("--what: expiring, lapsed, orphaned, unredeemed, partners or all",
				  "");
}

int ctl_report(struct ctl_options *options)
{
	struct ctl_report report = { .session.options = options, .days = DAYS };
	bool wanted[CTL_REPORT_SECTIONS];
	int result = choose(options->what, wanted);

	if (result == CTL_DONE && options->days &&
	    b2b_number_parse(b2b_str_of(options->days), 0, DAYS_MAX, &report.days) != B2B_OK)
		result = ctl_misuse("--days: a number from 0 to 36500", "");
	if (result == CTL_DONE)
		result = ctl_format_take(options->format, &report.format);
	if (result == CTL_DONE)
		result = ctl_session_open(options, &report.session);
	if (result == CTL_DONE) {
		report.until = report.session.now + (time_t)report.days * DAY_SECS;
		report.self = who_am_i(report.session.ld);
		result = run(&report, wanted);
	}
	free(report.self);
	ctl_sponsor_clear(&report);
	ctl_session_close(&report.session);
	return result;
}
