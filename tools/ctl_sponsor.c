/*
 * ctl_sponsor.c - whether a guest's sponsors are still there.
 * In: their DNs.
 * Out: yes or no, as the server sees it: gone, or locked; each is read once.
 */
#include "ctl_report.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct sponsor {
	char *dn;
	bool gone;
};

static int by_dn(const void *a, const void *b)
{
	return strcasecmp(((const struct sponsor *)a)->dn, ((const struct sponsor *)b)->dn);
}

static void free_sponsor(void *sponsor)
{
	free(((struct sponsor *)sponsor)->dn);
	free(sponsor);
}

void ctl_sponsor_clear(struct ctl_report *report)
{
	tdestroy(report->sponsors, free_sponsor);
	report->sponsors = NULL;
}

/* Who stands outside of our tree cannot be missed there. */
static bool is_outside(const struct ctl_report *report, const char *dn)
{
	char *top = ctl_top_dn(&report->session.tenant);
	size_t bytes = strlen(dn), tail = strlen(top);
	bool below = bytes > tail && dn[bytes - tail - 1] == ',' &&
		     strcasecmp(dn + bytes - tail, top) == 0;

	free(top);
	return !below;
}

static bool says(LDAP *ld, LDAPMessage *entry, const char *name, const char *word)
{
	struct berval **values = ldap_get_values_len(ld, entry, name);
	bool found = values && values[0] &&
		     (!word ||
		      b2b_str_equal_nocase((struct b2b_str){ values[0]->bv_val, values[0]->bv_len },
					   b2b_str_of(word)));

	ldap_value_free_len(values);
	return found;
}

/* Not by ctl_read: a second paged search would end the one that is under way. */
static bool look_up(struct ctl_report *report, const char *dn)
{
	char *attrs[] = { "pwdAccountLockedTime", "nsAccountLock", "b2bAccountEnabled", NULL };
	LDAP *ld = report->session.ld;
	LDAPMessage *message = NULL, *entry;
	int code = ldap_search_ext_s(ld, dn, LDAP_SCOPE_BASE, "(objectClass=*)", attrs, 0, NULL,
				     NULL, NULL, LDAP_NO_LIMIT, &message);
	bool gone = code == LDAP_NO_SUCH_OBJECT;

	entry = code == LDAP_SUCCESS ? ldap_first_entry(ld, message) : NULL;
	if (entry)
		gone = says(ld, entry, "pwdAccountLockedTime", "000001010000Z") ||
		       says(ld, entry, "nsAccountLock", "TRUE") ||
		       says(ld, entry, "b2bAccountEnabled", "FALSE");
	else if (!gone)
		report->unsure = true;
	ldap_msgfree(message);
	return gone;
}

bool ctl_sponsor_is_gone(struct ctl_report *report, struct b2b_str dn)
{
	struct sponsor *sponsor = ctl_alloc(1, sizeof *sponsor), **found;

	sponsor->dn = ctl_format("%.*s", (int)dn.len, dn.s);
	found = tsearch(sponsor, &report->sponsors, by_dn);
	if (!found)
		exit(ctl_fail("out of memory"));
	if (*found != sponsor) {
		free_sponsor(sponsor);
		return (*found)->gone;
	}
	/* The rootdn need not have an entry: who is bound is there. */
	if (!is_outside(report, sponsor->dn) &&
	    !(report->self && strcasecmp(report->self, sponsor->dn) == 0))
		sponsor->gone = look_up(report, sponsor->dn);
	return sponsor->gone;
}
