/*
 * ctl_report_guests.c - the report's guests: expiring, lapsed, orphaned, unredeemed; and notices that
 * could not be sent.
 * In: paged searches that find little more than what is asked for.
 * Out: a row for each.
 */
#include "ctl_report.h"

#include <stdlib.h>
#include <string.h>

#define DAY_SECS 86400
#define INVITATION_DAYS 30u
#define STEP 500u

static char *number_cell(long long number)
{
	return ctl_format("%lld", number);
}

/* Whole days; what lies behind is negative. */
static long long days_between(time_t from, time_t to)
{
	long long secs = (long long)to - (long long)from;

	return secs >= 0 ? secs / DAY_SECS : -((-secs + DAY_SECS - 1) / DAY_SECS);
}

static void set_time(const struct ctl_report *report, time_t when, char **cells)
{
	if (!when)
		return;
	cells[CTL_REPORT_WHEN] = ctl_time(when);
	cells[CTL_REPORT_DAYS] = number_cell(days_between(report->session.now, when));
}

static bool take_expiring(struct ctl_report *report, const struct b2b_guest *guest, char **cells)
{
	time_t end = b2b_guest_end(guest, ctl_session_policy(&report->session));

	if (end == 0 || end > report->until)
		return false;
	set_time(report, end > 1 ? end : 0, cells);
	return true;
}

static bool take_lapsed(struct ctl_report *report, const struct b2b_guest *guest, char **cells)
{
	set_time(report, guest->delete_after, cells);
	return true;
}

static bool take_unredeemed(struct ctl_report *report, const struct b2b_guest *guest, char **cells)
{
	const struct b2b_tenant_policy *policy = ctl_session_policy(&report->session);
	unsigned days = policy ? policy->invitation_lifetime_days : INVITATION_DAYS;
	time_t since = guest->invited_at ? guest->invited_at : guest->created;

	/* What was never invited, as by slapadd, does not lapse. */
	if (guest->invited_at && days)
		cells[CTL_REPORT_WHEN] = ctl_time(guest->invited_at + (time_t)days * DAY_SECS);
	if (since)
		cells[CTL_REPORT_DAYS] = number_cell(days_between(since, report->session.now));
	if (!guest->invited_at)
		cells[CTL_REPORT_WHY] = ctl_format("never invited");
	else if (guest->invitation_sent < guest->invited_at)
		cells[CTL_REPORT_WHY] = ctl_format("no mail yet");
	return true;
}

static bool take_orphaned(struct ctl_report *report, const struct ctl_entry *entry, char **cells)
{
	struct b2b_source source = ctl_entry_source(entry);
	struct b2b_str sponsor;
	size_t count = 0, gone = 0;

	while (source.value(source.entry, B2B_ATTR_SPONSOR, count, &sponsor)) {
		gone += ctl_sponsor_is_gone(report, sponsor);
		count++;
	}
	if (count > 0 && gone == 0)
		return false;
	cells[CTL_REPORT_WHY] = count == 0     ? ctl_format("no sponsor")
				: gone < count ? ctl_format("%zu of %zu sponsors gone", gone, count)
					       : ctl_format("no sponsor is left");
	return true;
}

static void fill(LDAP *ld, LDAPMessage *message, const struct ctl_entry *entry, char **cells)
{
	struct b2b_source source = ctl_entry_source(entry);
	struct b2b_str sponsor;

	cells[CTL_REPORT_UID] = ctl_guest_name(ld, message, entry->dn);
	cells[CTL_REPORT_MAIL] = ctl_first_shown(ld, message, "mail");
	cells[CTL_REPORT_HOME] = ctl_first_shown(ld, message, "b2bHomeTenant");
	cells[CTL_REPORT_DN] = ctl_shown(entry->dn, strlen(entry->dn));
	for (size_t i = 0; source.value(source.entry, B2B_ATTR_SPONSOR, i, &sponsor); i++)
		ctl_cell_add(&cells[CTL_REPORT_SPONSORS], sponsor.s, sponsor.len);
}

static void take_guest(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct ctl_report *report = ctx;
	struct ctl_entry *entry = ctl_entry_new(ld, message);
	struct b2b_source source = ctl_entry_source(entry);
	char *cells[CTL_REPORT_CELLS] = { NULL };
	struct b2b_guest guest;
	bool wanted;

	b2b_guest_parse(&source, &guest, NULL);
	switch (report->section) {
	case CTL_REPORT_EXPIRING:
		wanted = take_expiring(report, &guest, cells);
		break;
	case CTL_REPORT_LAPSED:
		wanted = take_lapsed(report, &guest, cells);
		cells[CTL_REPORT_WHY] = ctl_first_shown(ld, message, "b2bDisabledReason");
		break;
	case CTL_REPORT_UNREDEEMED:
		wanted = take_unredeemed(report, &guest, cells);
		break;
	default:
		wanted = take_orphaned(report, entry, cells);
	}
	if (wanted) {
		fill(ld, message, entry, cells);
		ctl_report_row(report, cells);
	}
	ctl_entry_free(&entry);
	if (++report->seen % STEP == 0)
		ctl_progress(report->seen, 0);
}

static char *guests_filter(const struct ctl_report *report)
{
	char until[B2B_TIME_SIZE];

	switch (report->section) {
	case CTL_REPORT_EXPIRING:
		b2b_time_format(report->until, until);
		return ctl_format("(&(objectClass=b2bGuest)(b2bAccountEnabled=TRUE)"
				  "(|(b2bValidUntil<=%s)(!(b2bValidUntil=*))))",
				  until);
	case CTL_REPORT_LAPSED:
		return ctl_format("(&(objectClass=b2bGuest)(!(b2bAccountEnabled=TRUE)))");
	case CTL_REPORT_UNREDEEMED:
		return ctl_format("(&(objectClass=b2bGuest)(b2bAccountEnabled=TRUE)"
				  "(!(b2bUserState=Accepted)))");
	default:
		return ctl_format("(&(objectClass=b2bGuest)(b2bAccountEnabled=TRUE))");
	}
}

int ctl_report_guests(struct ctl_report *report)
{
	char *base = ctl_guest_base(&report->session.tenant), *filter = guests_filter(report);
	char *attrs[] = { "uid",
			  "mail",
			  "b2bHomeTenant",
			  "b2bUserState",
			  "b2bAccountEnabled",
			  "b2bValidUntil",
			  "b2bSponsor",
			  "b2bDisabledReason",
			  "b2bDeleteAfter",
			  "b2bInvitedAt",
			  "b2bInvitationSent",
			  "createTimestamp",
			  NULL };
	struct ctl_search search = { base, LDAP_SCOPE_SUBTREE, filter, attrs, take_guest, report };
	int code;

	report->seen = 0;
	code = ctl_search(report->session.ld, &search);
	ctl_progress(report->seen, report->seen);
	if (code != LDAP_SUCCESS)
		ctl_fail_ldap(report->session.ld, code, base);
	free(filter);
	free(base);
	return code == LDAP_SUCCESS ? CTL_DONE : CTL_FAILED;
}

/* --- notices --- */

static void take_notice(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct ctl_report *report = ctx;
	char *cells[CTL_REPORT_CELLS] = { NULL }, *dn = ldap_get_dn(ld, message);
	char *type = ctl_first_shown(ld, message, "b2bNoticeType");
	char *why = ctl_first_shown(ld, message, "b2bNoticeError");

	cells[CTL_REPORT_MAIL] = ctl_first_shown(ld, message, "b2bNoticeTo");
	cells[CTL_REPORT_WHY] = ctl_format("%s%s%s", type, *why ? ": " : "", why);
	cells[CTL_REPORT_DN] = ctl_shown(dn ? dn : "", dn ? strlen(dn) : 0);
	ctl_report_row(report, cells);
	ldap_memfree(dn);
	free(type);
	free(why);
}

int ctl_report_notices(struct ctl_report *report)
{
	char *attrs[] = { "b2bNoticeType", "b2bNoticeTo", "b2bNoticeError", NULL }, *base;
	struct ctl_search search = { .scope = LDAP_SCOPE_ONELEVEL,
				     .filter = "(&(objectClass=b2bNotice)(b2bNoticeState=failed))",
				     .attrs = attrs,
				     .each = take_notice,
				     .ctx = report };
	int code;

	if (!report->session.tenant.entry)
		return CTL_DONE;
	search.base = base = ctl_format("cn=outbox,%s", report->session.tenant.entry->dn);
	code = ctl_search(report->session.ld, &search);
	if (code == LDAP_NO_SUCH_OBJECT)
		code = LDAP_SUCCESS;
	if (code != LDAP_SUCCESS)
		ctl_fail_ldap(report->session.ld, code, base);
	free(base);
	return code == LDAP_SUCCESS ? CTL_DONE : CTL_FAILED;
}
