/*
 * ctl_guest_delete.c - guest delete: takes a guest out of groups and applications, then its entry
 * away.
 * In: the guest, a confirmation.
 * Out: modify operations, one delete; a guest that somebody kept in a group is not deleted.
 */
#include "ctl_life.h"

#include <stdlib.h>
#include <string.h>

/* Whoever got this name later would have what is left under it. */
static const char *const attributes[] = { "member", "uniqueMember", "roleOccupant",
					  "b2bAppAssignee" };
#define ATTRIBUTES (sizeof attributes / sizeof *attributes)

struct held { /* an entry that names the guest */
	char *dn;
	const char *attribute;
};

struct deleting {
	struct ctl_session session;
	struct ctl_entry *entry;
	const char *attribute; /* that is searched for */
	struct held *held;
	size_t count;
};

static void take_held(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct deleting *deleting = ctx;
	char *dn = ldap_get_dn(ld, message);

	deleting->held = ctl_grow(deleting->held, deleting->count, sizeof *deleting->held);
	deleting->held[deleting->count++] =
		(struct held){ ctl_format("%s", dn ? dn : ""), deleting->attribute };
	ldap_memfree(dn);
}

/* Without the values, which may be many thousands. */
static int find_held(struct deleting *deleting)
{
	char *base = ctl_top_dn(&deleting->session.tenant), *attrs[] = { "1.1", NULL };
	char *dn = ctl_escape(deleting->entry->dn);
	int code = LDAP_SUCCESS;

	for (size_t i = 0; code == LDAP_SUCCESS && i < ATTRIBUTES; i++) {
		char *filter = ctl_format("(%s=%s)", attributes[i], dn);
		struct ctl_search search = { base,  LDAP_SCOPE_SUBTREE, filter,
					     attrs, take_held,          deleting };

		deleting->attribute = attributes[i];
		code = ctl_search(deleting->session.ld, &search);
		free(filter);
	}
	if (code != LDAP_SUCCESS)
		ctl_fail_ldap(deleting->session.ld, code, base);
	free(dn);
	free(base);
	return code == LDAP_SUCCESS ? CTL_DONE : CTL_FAILED;
}

static int take_out_of(struct deleting *deleting, const char *dn, const char *attribute)
{
	LDAP *ld = deleting->session.ld;
	struct ctl_mods mods = { 0 };
	int code;

	ctl_mods_add_name(&mods, LDAP_MOD_DELETE, attribute, deleting->entry->dn);
	code = ctl_mods_send(ld, dn, &mods);
	/* A group that must not be empty; no person can ever stand below the tenant entry. */
	if (code == LDAP_OBJECT_CLASS_VIOLATION && deleting->session.tenant.entry) {
		char *nobody = ctl_format("cn=nobody,%s", deleting->session.tenant.entry->dn);

		ctl_mods_add_name(&mods, LDAP_MOD_DELETE, attribute, deleting->entry->dn);
		ctl_mods_add_name(&mods, LDAP_MOD_ADD, attribute, nobody);
		code = ctl_mods_send(ld, dn, &mods);
		free(nobody);
	}
	/* Somebody else was faster. */
	if (code == LDAP_NO_SUCH_ATTRIBUTE || code == LDAP_NO_SUCH_OBJECT)
		return CTL_DONE;
	if (code != LDAP_SUCCESS)
		return ctl_fail_ldap(ld, code, dn);
	ctl_say("taken out of %s", dn);
	return CTL_DONE;
}

static int take_out(struct deleting *deleting)
{
	int result = CTL_DONE;

	for (size_t i = 0; result == CTL_DONE && i < deleting->count; i++)
		result = take_out_of(deleting, deleting->held[i].dn, deleting->held[i].attribute);
	if (result != CTL_DONE)
		ctl_fail("%s was not deleted", deleting->entry->dn);
	return result;
}

static int delete_guest(struct deleting *deleting)
{
	LDAP *ld = deleting->session.ld;
	char *question = ctl_format("Delete %s, which cannot be undone?", deleting->entry->dn);
	int result = ctl_confirm(deleting->session.options, question), code;

	free(question);
	if (result == CTL_DONE)
		result = find_held(deleting);
	if (result == CTL_DONE)
		result = take_out(deleting);
	if (result != CTL_DONE)
		return result;
	code = ldap_delete_ext_s(ld, deleting->entry->dn, NULL, NULL);
	if (code != LDAP_SUCCESS)
		return ctl_fail_ldap(ld, code, deleting->entry->dn);
	ctl_say("deleted %s", deleting->entry->dn);
	return CTL_DONE;
}

int ctl_guest_delete(struct ctl_options *options)
{
	struct deleting deleting = { 0 };
	int result = ctl_session_open(options, &deleting.session);

	if (result == CTL_DONE)
		result = ctl_guest_find(deleting.session.ld, &deleting.session.tenant,
					options->words[0], NULL, NULL, &deleting.entry);
	if (result == CTL_DONE)
		result = delete_guest(&deleting);
	for (size_t i = 0; i < deleting.count; i++)
		free(deleting.held[i].dn);
	free(deleting.held);
	ctl_entry_free(&deleting.entry);
	ctl_session_close(&deleting.session);
	return result;
}
