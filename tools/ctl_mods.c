/*
 * ctl_mods.c - changes of one entry, collected and sent.
 * In: attributes and values.
 * Out: one modify operation.
 */
#include "ctl_life.h"

#include <stdlib.h>

void ctl_mods_add(struct ctl_mods *mods, int op, enum b2b_attr attr, const char *value)
{
	ctl_mods_add_name(mods, op, b2b_attr_name(attr), value);
}

void ctl_mods_add_name(struct ctl_mods *mods, int op, const char *name, const char *value)
{
	char *copy = value ? ctl_format("%s", value) : NULL;

	/* Room for the NULL at the end too. */
	mods->list = reallocarray(mods->list, mods->count + 2, sizeof *mods->list);
	if (!mods->list)
		exit(ctl_fail("out of memory"));
	mods->list[mods->count++] = ctl_mod(op, name, &copy, copy ? 1 : 0);
	mods->list[mods->count] = NULL;
	free(copy);
}

void ctl_mods_add_time(struct ctl_mods *mods, enum b2b_attr attr, time_t when)
{
	char text[B2B_TIME_SIZE];

	b2b_time_format(when, text);
	ctl_mods_add(mods, LDAP_MOD_REPLACE, attr, text);
}

int ctl_mods_send(LDAP *ld, const char *dn, struct ctl_mods *mods)
{
	int code = mods->count ? ldap_modify_ext_s(ld, dn, mods->list, NULL, NULL) : LDAP_SUCCESS;

	if (mods->count)
		ldap_mods_free(mods->list, 1);
	*mods = (struct ctl_mods){ 0 };
	return code;
}
