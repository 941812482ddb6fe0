/*
 * ctl_find.c - finds what a command line names: a guest, a partner, all partners.
 * In: a DN, uid, mail or tenant id; the directory.
 * Out: the one entry that is meant, or what is wrong.
 */
#include "ctl_life.h"

#include <stdlib.h>
#include <string.h>

#define NAMED_MAX 10

char *ctl_top_dn(const struct ctl_tenant *tenant)
{
	LDAPDN dn = NULL;
	char *above = NULL, *result;

	if (tenant->entry &&
	    ldap_str2dn(tenant->entry->dn, &dn, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS && dn)
		ldap_dn2str(dn + 1, &above, LDAP_DN_FORMAT_LDAPV3);
	result = ctl_format("%s", above ? above : tenant->base);
	ldap_memfree(above);
	ldap_dnfree(dn);
	return result;
}

char *ctl_guest_base(const struct ctl_tenant *tenant)
{
	struct b2b_str base;

	if (!tenant->entry)
		return ctl_format("%s", tenant->base);
	base = ctl_entry_first(tenant->entry, B2B_ATTR_GUEST_BASE);
	return base.len > 0 ? ctl_format("%.*s", (int)base.len, base.s) : ctl_top_dn(tenant);
}

struct found {
	ctl_each_fn *first;
	void *ctx;
	char *dns;
	struct ctl_entry *entry;
	size_t count;
};

static void take_found(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct found *found = ctx;
	char *longer;

	if (found->count++ == 0) {
		found->entry = ctl_entry_new(ld, message);
		found->dns = ctl_format("%s", found->entry->dn);
		if (found->first)
			found->first(ld, message, found->ctx);
	} else if (found->count <= NAMED_MAX) {
		char *dn = ldap_get_dn(ld, message);

		longer = ctl_format("%s; %s", found->dns, dn ? dn : "");
		free(found->dns);
		found->dns = longer;
		ldap_memfree(dn);
	}
}

static int search_guest(LDAP *ld, const struct ctl_tenant *tenant, const char *word,
			struct found *found)
{
	char *base, *filter, *escaped = ctl_escape(word);
	char *attrs[] = { "*", "+", NULL };
	LDAPDN dn = NULL;
	bool is_dn = strchr(word, '=') &&
		     ldap_str2dn(word, &dn, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS && dn;
	struct ctl_search search = { NULL,       is_dn ? LDAP_SCOPE_BASE : LDAP_SCOPE_SUBTREE,
				     NULL,       attrs,
				     take_found, found };
	int code;

	base = is_dn ? ctl_format("%s", word) : ctl_guest_base(tenant);
	filter = is_dn ? ctl_format("(objectClass=b2bGuest)")
		       : ctl_format("(&(objectClass=b2bGuest)(|(uid=%s)(mail=%s)))", escaped,
				    escaped);
	search.base = base;
	search.filter = filter;
	code = ctl_search(ld, &search);
	ldap_dnfree(dn);
	free(escaped);
	free(filter);
	free(base);
	if (code != LDAP_SUCCESS && code != LDAP_NO_SUCH_OBJECT)
		return ctl_fail_ldap(ld, code, word);
	return CTL_DONE;
}

int ctl_guest_find(LDAP *ld, const struct ctl_tenant *tenant, const char *word, ctl_each_fn *first,
		   void *ctx, struct ctl_entry **entry_r)
{
	struct found found = { .first = first, .ctx = ctx };
	int result = search_guest(ld, tenant, word, &found);

	if (result == CTL_DONE && found.count == 0)
		result = ctl_fail("there is no guest %s", word);
	else if (result == CTL_DONE && found.count > 1)
		result = ctl_fail("%s is %zu guests; name one by its DN: %s", word, found.count,
				  found.dns);
	free(found.dns);
	if (result != CTL_DONE)
		ctl_entry_free(&found.entry);
	*entry_r = found.entry;
	return result;
}

char *ctl_person_find(LDAP *ld, const struct ctl_tenant *tenant, const char *word,
		      struct b2b_error *error)
{
	char *base, *filter, *escaped, *attrs[] = { "1.1", NULL }, *dn = NULL;
	struct found found = { 0 };
	struct ctl_search search = {
		.scope = LDAP_SCOPE_SUBTREE, .attrs = attrs, .each = take_found, .ctx = &found
	};
	int code;

	if (strchr(word, '='))
		return ctl_format("%s", word);
	escaped = ctl_escape(word);
	search.base = base = ctl_top_dn(tenant);
	search.filter = filter =
		ctl_format("(&(|(uid=%s)(mail=%s))(!(objectClass=b2bGuest)))", escaped, escaped);
	code = ctl_search(ld, &search);
	if (code != LDAP_SUCCESS && code != LDAP_NO_SUCH_OBJECT)
		b2b_error_set(error, "%s: %s", word, ldap_err2string(code));
	else if (found.count == 0)
		b2b_error_set(error, "there is nobody %s", word);
	else if (found.count > 1)
		b2b_error_set(error, "%s is %zu people; name one by its DN: %s", word, found.count,
			      found.dns);
	else
		dn = ctl_format("%s", found.entry->dn);
	ctl_entry_free(&found.entry);
	free(found.dns);
	free(filter);
	free(base);
	free(escaped);
	return dn;
}

char *ctl_partners_dn(const struct ctl_tenant *tenant)
{
	return ctl_format("cn=partners,%s", tenant->entry->dn);
}

char *ctl_partner_dn(const struct ctl_tenant *tenant, const char *id)
{
	char *escaped = ctl_escape(id), *above = ctl_partners_dn(tenant);
	char *dn = ctl_format("b2bTenantId=%s,%s", escaped, above);

	free(above);
	free(escaped);
	return dn;
}

static void take_partner(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct ctl_partners *partners = ctx;

	partners->entries = ctl_grow(partners->entries, partners->count, sizeof *partners->entries);
	partners->entries[partners->count++] = ctl_entry_new(ld, message);
}

int ctl_partners_read(LDAP *ld, const struct ctl_tenant *tenant, const char *filter,
		      struct ctl_partners *partners_r)
{
	char *base = ctl_partners_dn(tenant);
	char *attrs[] = { "*", NULL };
	struct ctl_search search = { base,  LDAP_SCOPE_SUBTREE, filter,
				     attrs, take_partner,       partners_r };
	int code, result = CTL_DONE;

	*partners_r = (struct ctl_partners){ 0 };
	code = ctl_search(ld, &search);
	if (code != LDAP_SUCCESS && code != LDAP_NO_SUCH_OBJECT)
		result = ctl_fail_ldap(ld, code, base);
	free(base);
	return result;
}

void ctl_partners_clear(struct ctl_partners *partners)
{
	for (size_t i = 0; i < partners->count; i++)
		ctl_entry_free(&partners->entries[i]);
	free(partners->entries);
	*partners = (struct ctl_partners){ 0 };
}

char *ctl_partner_filter(const char *id)
{
	char *escaped = ctl_escape(id);
	char *filter = ctl_format("(&(objectClass=b2bPartner)(b2bTenantId=%s))", escaped);

	free(escaped);
	return filter;
}

int ctl_partner_find(LDAP *ld, const struct ctl_tenant *tenant, const char *id,
		     struct ctl_entry **entry_r)
{
	struct ctl_partners partners;
	char *filter = ctl_partner_filter(id);
	int result = ctl_partners_read(ld, tenant, filter, &partners);

	free(filter);
	*entry_r = NULL;
	if (result == CTL_DONE && partners.count > 1)
		result = ctl_fail("there are %zu partners %s: %s, %s%s", partners.count, id,
				  partners.entries[0]->dn, partners.entries[1]->dn,
				  partners.count > 2 ? " ..." : "");
	if (result == CTL_DONE && partners.count == 1) {
		*entry_r = partners.entries[0];
		partners.count = 0;
	}
	ctl_partners_clear(&partners);
	return result;
}
