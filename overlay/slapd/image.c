/*
 * image.c - what a modify would make of an entry.
 * In: a modify under way in a write hook.  Out: the entry as it stands and as it will be, for
 * keeper.c to judge.
 */
#include "glue.h"

static int apply_one(Operation *op, Entry *e, Modifications *m)
{
	Modification mod = m->sml_mod;
	int permissive = get_permissiveModify(op);
	char buf[SLAP_TEXT_BUFLEN];
	const char *text;

	switch (mod.sm_op) {
	case LDAP_MOD_ADD:
		return modify_add_values(e, &mod, permissive, &text, buf, sizeof(buf));
	case LDAP_MOD_DELETE:
		return modify_delete_values(e, &mod, permissive, &text, buf, sizeof(buf));
	case LDAP_MOD_REPLACE:
		return modify_replace_values(e, &mod, permissive, &text, buf, sizeof(buf));
	case LDAP_MOD_INCREMENT:
		return modify_increment_values(e, &mod, permissive, &text, buf, sizeof(buf));
	case SLAP_MOD_SOFTADD:
		mod.sm_op = LDAP_MOD_ADD;
		modify_add_values(e, &mod, 1, &text, buf, sizeof(buf));
		return LDAP_SUCCESS;
	case SLAP_MOD_SOFTDEL:
		mod.sm_op = LDAP_MOD_DELETE;
		modify_delete_values(e, &mod, 1, &text, buf, sizeof(buf));
		return LDAP_SUCCESS;
	case SLAP_MOD_ADD_IF_NOT_PRESENT:
		if (attr_find(e->e_attrs, mod.sm_desc))
			return LDAP_SUCCESS;
		mod.sm_op = LDAP_MOD_ADD;
		return modify_add_values(e, &mod, permissive, &text, buf, sizeof(buf));
	default:
		return LDAP_OTHER;
	}
}

/* What before becomes by op's changes; NULL if they do not apply (slapd then says why).  Caller
 * frees with entry_free. */
static Entry *apply(Operation *op, Entry *before)
{
	Entry *after = entry_dup(before);

	for (Modifications *m = op->orm_modlist; m; m = m->sml_next) {
		if (apply_one(op, after, m) != LDAP_SUCCESS) {
			entry_free(after);
			return NULL;
		}
	}
	after->e_ocflags = 0; /* classes may have changed */
	return after;
}

bool b2b_image_get(Operation *op, struct b2b_tenant *tenant, Entry **before_r, Entry **after_r,
		   struct b2b_error *error)
{
	Entry *e;
	int rc = b2b_entry_read(op, tenant, &op->o_req_ndn, &e);

	*before_r = *after_r = NULL;
	if (!e) {
		if (rc != LDAP_NO_SUCH_OBJECT)
			b2b_error_set(error, "the entry cannot be read (%d)", rc);
		return false;
	}
	*before_r = entry_dup(e);
	b2b_entry_release(op, tenant, e);
	*after_r = apply(op, *before_r);
	if (*after_r)
		return true;
	entry_free(*before_r);
	*before_r = NULL;
	return false;
}
