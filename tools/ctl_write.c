/*
 * ctl_write.c - writes policy entries that were planned, and says a line for each.
 * In: struct ctl_plan.
 * Out: entries added and changed; nothing where the run is dry.
 */
#include "ctl.h"

#include <stdlib.h>
#include <string.h>

static void tell(const struct ctl_writer *writer, const char *done, const char *would,
		 const char *dn)
{
	ctl_say("%s %s", writer->options->dry_run ? would : done, dn);
}

static int fail_write(struct ctl_writer *writer, int code, const char *dn)
{
	ctl_fail_ldap(writer->ld, code, dn);
	if (writer->written == 0)
		return ctl_fail("nothing was written");
	return ctl_fail("%zu %s written before, told above as added or changed; the rest was not "
			"tried",
			writer->written, writer->written == 1 ? "entry was" : "entries were");
}

static int add_entry(struct ctl_writer *writer, const char *dn, LDAPMod **mods)
{
	int code = writer->options->dry_run ? LDAP_SUCCESS
					    : ldap_add_ext_s(writer->ld, dn, mods, NULL, NULL);

	if (code != LDAP_SUCCESS)
		return fail_write(writer, code, dn);
	writer->written++;
	tell(writer, "added", "would add", dn);
	return CTL_DONE;
}

static int add_container(struct ctl_writer *writer, const char *dn, char *name)
{
	struct ctl_entry *old = NULL;
	char *class = "b2bContainer";
	LDAPMod **mods;
	int result, code;

	code = ctl_read(writer->ld, dn, "(objectClass=*)", &old);
	if (code != LDAP_SUCCESS)
		return ctl_fail_ldap(writer->ld, code, dn);
	if (old) {
		ctl_entry_free(&old);
		return CTL_DONE;
	}
	mods = ctl_alloc(3, sizeof *mods);
	mods[0] = ctl_mod(LDAP_MOD_ADD, "objectClass", &class, 1);
	mods[1] = ctl_mod(LDAP_MOD_ADD, "cn", &name, 1);
	result = add_entry(writer, dn, mods);
	ldap_mods_free(mods, 1);
	return result;
}

/* The container of a new partner or review is made once, where it is missing. */
static int prepare_container(struct ctl_writer *writer, const struct ctl_plan *plan)
{
	char *dn;
	int result;

	if ((!plan->want->tenant_id && !plan->review) || plan->old || writer->contained)
		return CTL_DONE;
	dn = plan->review ? ctl_format("cn=reviews,%s", writer->tenant->entry->dn)
			  : ctl_partners_dn(writer->tenant);
	result = add_container(writer, dn, plan->review ? "reviews" : "partners");
	free(dn);
	writer->contained = result == CTL_DONE;
	return result;
}

static int change_entry(struct ctl_writer *writer, const char *dn, LDAPMod **mods)
{
	int code = writer->options->dry_run ? LDAP_SUCCESS
					    : ldap_modify_ext_s(writer->ld, dn, mods, NULL, NULL);

	if (code != LDAP_SUCCESS)
		return fail_write(writer, code, dn);
	writer->written++;
	tell(writer, "changed", "would change", dn);
	for (size_t i = 0; writer->options->verbose && mods[i]; i++)
		printf("  %s\n", mods[i]->mod_type);
	return CTL_DONE;
}

int ctl_write_plan(struct ctl_writer *writer, const struct ctl_plan *plan)
{
	LDAPMod **mods;
	int result;

	if (prepare_container(writer, plan) != CTL_DONE)
		return CTL_FAILED;
	mods = ctl_plan_mods(plan);
	if (!mods) {
		tell(writer, "unchanged", "unchanged", plan->dn);
		return CTL_DONE;
	}
	result = plan->old ? change_entry(writer, plan->dn, mods)
			   : add_entry(writer, plan->dn, mods);
	ldap_mods_free(mods, 1);
	return result;
}
