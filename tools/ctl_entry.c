/*
 * ctl_entry.c - reads entries: one by its DN, many page by page, and our tenant's.
 * In: a bound LDAP handle.
 * Out: entries that the core can read (struct b2b_source).
 */
#include "ctl.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_SIZE 500

struct ctl_entry *ctl_entry_new(LDAP *ld, LDAPMessage *message)
{
	struct ctl_entry *entry = ctl_alloc(1, sizeof *entry);
	char *dn = ldap_get_dn(ld, message);
	BerElement *ber = NULL;

	entry->dn = ctl_format("%s", dn ? dn : "");
	ldap_memfree(dn);
	for (char *name = ldap_first_attribute(ld, message, &ber); name;
	     name = ldap_next_attribute(ld, message, ber)) {
		enum b2b_attr attr = b2b_attr_find(name);

		if (attr != B2B_ATTR_NONE && !entry->values[attr])
			entry->values[attr] = ldap_get_values_len(ld, message, name);
		ldap_memfree(name);
	}
	ber_free(ber, 0);
	return entry;
}

void ctl_entry_free(struct ctl_entry **entry)
{
	if (!*entry)
		return;
	for (int i = 0; i < B2B_ATTR_COUNT; i++)
		ldap_value_free_len((*entry)->values[i]);
	free((*entry)->dn);
	free(*entry);
	*entry = NULL;
}

static bool entry_value(const void *data, enum b2b_attr attr, size_t index, struct b2b_str *value_r)
{
	const struct ctl_entry *entry = data;
	struct berval **values = entry->values[attr];

	for (size_t i = 0; values && values[i]; i++)
		if (i == index) {
			*value_r = (struct b2b_str){ values[i]->bv_val, values[i]->bv_len };
			return true;
		}
	return false;
}

struct b2b_source ctl_entry_source(const struct ctl_entry *entry)
{
	return (struct b2b_source){ entry->dn, entry, entry_value };
}

struct b2b_str ctl_entry_first(const struct ctl_entry *entry, enum b2b_attr attr)
{
	struct b2b_str value = { "", 0 };

	entry_value(entry, attr, 0, &value);
	return value;
}

/* Hands the entries of one page on and takes the cookie for the next; returns the result. */
static int take_page(LDAP *ld, const struct ctl_search *search, LDAPMessage *page,
		     struct berval *cookie)
{
	LDAPControl **controls = NULL, *control;
	ber_int_t estimate;
	int code = LDAP_SUCCESS, parsed;

	for (LDAPMessage *entry = ldap_first_entry(ld, page); entry;
	     entry = ldap_next_entry(ld, entry))
		search->each(ld, entry, search->ctx);
	ber_memfree(cookie->bv_val);
	*cookie = (struct berval){ 0, NULL };
	parsed = ldap_parse_result(ld, page, &code, NULL, NULL, NULL, &controls, 0);
	if (parsed != LDAP_SUCCESS)
		return parsed;
	control = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, NULL);
	if (code == LDAP_SUCCESS && control)
		code = ldap_parse_pageresponse_control(ld, control, &estimate, cookie);
	ldap_controls_free(controls);
	return code;
}

int ctl_search(LDAP *ld, const struct ctl_search *search)
{
	struct berval cookie = { 0, NULL };
	int code;

	do {
		LDAPControl *control = NULL, *controls[2] = { NULL, NULL };
		LDAPMessage *page = NULL;

		/* Not critical: a server without it gives all at once. */
		code = ldap_create_page_control(ld, PAGE_SIZE, &cookie, 0, &control);
		if (code != LDAP_SUCCESS)
			break;
		controls[0] = control;
		code = ldap_search_ext_s(ld, search->base, search->scope, search->filter,
					 search->attrs, 0, controls, NULL, NULL, LDAP_NO_LIMIT,
					 &page);
		ldap_control_free(control);
		if (page) {
			int parsed = take_page(ld, search, page, &cookie);

			code = code == LDAP_SUCCESS ? parsed : code;
		}
		ldap_msgfree(page);
	} while (code == LDAP_SUCCESS && cookie.bv_len > 0);
	ber_memfree(cookie.bv_val);
	return code;
}

static void take_entry(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct ctl_entry **entry_r = ctx;

	if (!*entry_r)
		*entry_r = ctl_entry_new(ld, message);
}

int ctl_read(LDAP *ld, const char *dn, const char *filter, struct ctl_entry **entry_r)
{
	char *attrs[] = { "*", "+", NULL };
	struct ctl_search search = { dn, LDAP_SCOPE_BASE, filter, attrs, take_entry, entry_r };
	int code;

	*entry_r = NULL;
	code = ctl_search(ld, &search);
	return code == LDAP_NO_SUCH_OBJECT ? LDAP_SUCCESS : code;
}

static void take_contexts(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct berval ***values_r = ctx;

	if (!*values_r)
		*values_r = ldap_get_values_len(ld, message, "namingContexts");
}

/* The naming context of a server that has one. */
static int find_context(LDAP *ld, char **base_r)
{
	char *attrs[] = { "namingContexts", NULL };
	struct berval **values = NULL;
	struct ctl_search search = { "",    LDAP_SCOPE_BASE, "(objectClass=*)",
				     attrs, take_contexts,   &values };
	int code = ctl_search(ld, &search), count = values ? ldap_count_values_len(values) : 0;

	if (code == LDAP_SUCCESS && count == 1)
		*base_r = ctl_format("%.*s", (int)values[0]->bv_len, values[0]->bv_val);
	ldap_value_free_len(values);
	if (code != LDAP_SUCCESS)
		return ctl_fail_ldap(ld, code, "root DSE");
	if (count != 1)
		return ctl_fail("the server has %d naming contexts; name one with -b", count);
	return CTL_DONE;
}

static int find_base(LDAP *ld, const struct ctl_options *options, char **base_r)
{
	char *configured = NULL;

	if (options->base) {
		*base_r = ctl_format("%s", options->base);
		return CTL_DONE;
	}
	ldap_get_option(ld, LDAP_OPT_DEFBASE, &configured);
	if (!configured)
		return find_context(ld, base_r);
	*base_r = ctl_format("%s", configured);
	ldap_memfree(configured);
	return CTL_DONE;
}

int ctl_tenant_find(LDAP *ld, const struct ctl_options *options, struct ctl_tenant *tenant_r)
{
	const char *filter = "(objectClass=b2bTenant)";
	int code;

	*tenant_r = (struct ctl_tenant){ 0 };
	if (find_base(ld, options, &tenant_r->base) != CTL_DONE)
		return CTL_FAILED;
	code = ctl_read(ld, tenant_r->base, filter, &tenant_r->entry);
	if (code == LDAP_SUCCESS && !tenant_r->entry) {
		char *below = ctl_format("cn=b2b%s%s", *tenant_r->base ? "," : "", tenant_r->base);

		code = ctl_read(ld, below, filter, &tenant_r->entry);
		free(below);
	}
	if (code != LDAP_SUCCESS) {
		ctl_fail_ldap(ld, code, tenant_r->base);
		ctl_tenant_clear(tenant_r);
		return CTL_FAILED;
	}
	return CTL_DONE;
}

int ctl_tenant_demand(const struct ctl_tenant *tenant)
{
	if (tenant->entry)
		return CTL_DONE;
	return ctl_fail("there is no b2bTenant entry at %s nor at cn=b2b below it, or you may not "
			"read it",
			tenant->base);
}

void ctl_tenant_clear(struct ctl_tenant *tenant)
{
	ctl_entry_free(&tenant->entry);
	free(tenant->base);
	tenant->base = NULL;
}
