/*
 * ctl_report_partners.c - how many guests each partner has.
 * In: partners, guests.
 * Out: a row for each home tenant, in order; one counter each is kept in memory.
 */
#include "ctl_report.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STEP 500u

struct partner {
	char *id; /* as first seen, fit to be shown */
	size_t guests, accepted, pending, disabled, ending;
	bool known; /* there is a partner's entry */
};

static int by_id(const void *a, const void *b)
{
	return strcasecmp(((const struct partner *)a)->id, ((const struct partner *)b)->id);
}

static void free_partner(void *partner)
{
	free(((struct partner *)partner)->id);
	free(partner);
}

static struct partner *partner_of(struct ctl_report *report, LDAP *ld, LDAPMessage *message,
				  const char *name)
{
	struct partner *partner = ctl_alloc(1, sizeof *partner), **found;

	partner->id = ctl_first_shown(ld, message, name);
	found = tsearch(partner, &report->partners, by_id);
	if (!found)
		exit(ctl_fail("out of memory"));
	if (*found != partner)
		free_partner(partner);
	return *found;
}

static void take_partner(LDAP *ld, LDAPMessage *message, void *ctx)
{
	partner_of(ctx, ld, message, "b2bTenantId")->known = true;
}

static void take_guest(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct ctl_report *report = ctx;
	struct ctl_entry *entry = ctl_entry_new(ld, message);
	struct b2b_source source = ctl_entry_source(entry);
	struct partner *partner = partner_of(report, ld, message, "b2bHomeTenant");
	struct b2b_guest guest;
	time_t end;

	b2b_guest_parse(&source, &guest, NULL);
	end = b2b_guest_end(&guest, ctl_session_policy(&report->session));
	partner->guests++;
	partner->accepted += guest.enabled && guest.accepted;
	partner->pending += guest.enabled && !guest.accepted;
	partner->disabled += !guest.enabled;
	partner->ending += guest.enabled && end && end <= report->until;
	ctl_entry_free(&entry);
	if (++report->seen % STEP == 0)
		ctl_progress(report->seen, 0);
}

static void print_partner(const void *node, VISIT visit, void *ctx)
{
	const struct partner *partner = *(struct partner *const *)node;
	char *cells[CTL_REPORT_CELLS] = { NULL };

	if (visit != postorder && visit != leaf)
		return;
	cells[CTL_REPORT_HOME] = ctl_format("%s", partner->id);
	cells[CTL_REPORT_WHY] = ctl_format("%s", partner->known ? "" : "no partner of ours");
	cells[CTL_REPORT_GUESTS] = ctl_format("%zu", partner->guests);
	cells[CTL_REPORT_ACCEPTED] = ctl_format("%zu", partner->accepted);
	cells[CTL_REPORT_PENDING] = ctl_format("%zu", partner->pending);
	cells[CTL_REPORT_DISABLED] = ctl_format("%zu", partner->disabled);
	cells[CTL_REPORT_ENDING] = ctl_format("%zu", partner->ending);
	ctl_report_row(ctx, cells);
}

static int search_all(struct ctl_report *report, const struct ctl_search *search)
{
	int code = ctl_search(report->session.ld, search);

	if (code == LDAP_SUCCESS || code == LDAP_NO_SUCH_OBJECT)
		return CTL_DONE;
	return ctl_fail_ldap(report->session.ld, code, search->base);
}

int ctl_report_partners(struct ctl_report *report)
{
	char *base = ctl_guest_base(&report->session.tenant), *partners = NULL;
	char *ids[] = { "b2bTenantId", NULL };
	char *attrs[] = { "b2bHomeTenant", "b2bUserState",    "b2bAccountEnabled",
			  "b2bValidUntil", "createTimestamp", NULL };
	struct ctl_search search = { base,  LDAP_SCOPE_SUBTREE, "(objectClass=b2bGuest)",
				     attrs, take_guest,         report };
	struct ctl_search known = { NULL, LDAP_SCOPE_SUBTREE, "(objectClass=b2bPartner)",
				    ids,  take_partner,       report };
	int result = CTL_DONE;

	report->seen = 0;
	if (report->session.tenant.entry) {
		known.base = partners = ctl_partners_dn(&report->session.tenant);
		result = search_all(report, &known);
	}
	if (result == CTL_DONE)
		result = search_all(report, &search);
	ctl_progress(report->seen, report->seen);
	if (result == CTL_DONE)
		twalk_r(report->partners, print_partner, report);
	tdestroy(report->partners, free_partner);
	report->partners = NULL;
	free(partners);
	free(base);
	return result;
}
