/*
 * ctl_report.h - what the parts of report share: sections, and rows of any section.
 * In: guests, notices, partners, as they are read.
 * Out: rows; in CSV all sections have the same columns.
 */
#ifndef B2B_CTL_REPORT_H
#define B2B_CTL_REPORT_H

#include "ctl_life.h"

enum ctl_report_section {
	CTL_REPORT_NOTICES, /* always looked at: what went wrong */
	CTL_REPORT_EXPIRING,
	CTL_REPORT_LAPSED,
	CTL_REPORT_ORPHANED,
	CTL_REPORT_UNREDEEMED,
	CTL_REPORT_PARTNERS,
	CTL_REPORT_SECTIONS
};

enum ctl_report_cell {
	CTL_REPORT_WHAT,
	CTL_REPORT_UID,
	CTL_REPORT_MAIL,
	CTL_REPORT_HOME,
	CTL_REPORT_WHEN,
	CTL_REPORT_DAYS,
	CTL_REPORT_WHY,
	CTL_REPORT_SPONSORS,
	CTL_REPORT_GUESTS,
	CTL_REPORT_ACCEPTED,
	CTL_REPORT_PENDING,
	CTL_REPORT_DISABLED,
	CTL_REPORT_ENDING,
	CTL_REPORT_DN,
	CTL_REPORT_CELLS
};

struct ctl_report {
	struct ctl_session session;
	enum ctl_format format;
	enum ctl_report_section section; /* at hand */
	struct ctl_table table;          /* its own, or CSV's for all */
	time_t until;                    /* what ends before is expiring */
	unsigned days;                   /* from now to then */
	size_t seen;                     /* guests read, for the progress */
	void *sponsors;                  /* those that were looked up */
	char *self;                      /* DN of who is bound, or NULL */
	bool unsure;                     /* a sponsor could not be read */
	void *partners;                  /* counts by tenant id */
};

/* cells: CTL_REPORT_CELLS texts on the heap or NULL; all are moved. */
void ctl_report_row(struct ctl_report *report, char **cells);

/* ctl_report_guests.c: sections of guests; they complain where something is missing */
int ctl_report_guests(struct ctl_report *report);
int ctl_report_notices(struct ctl_report *report);
/* ctl_report_partners.c */
int ctl_report_partners(struct ctl_report *report);

/* ctl_sponsor.c: whether a sponsor is gone or locked.  Asks once for each. */
bool ctl_sponsor_is_gone(struct ctl_report *report, struct b2b_str dn);
void ctl_sponsor_clear(struct ctl_report *report);

#endif
