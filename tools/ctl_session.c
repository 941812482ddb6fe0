/*
 * ctl_session.c - opens what most commands need: a connection, our tenant, its settings.
 * In: the command line.
 * Out: struct ctl_session; values of entries, fit to be shown.
 */
#include "ctl_life.h"

#include <stdlib.h>

int ctl_session_open(struct ctl_options *options, struct ctl_session *session_r)
{
	struct b2b_source source;

	*session_r = (struct ctl_session){ .options = options, .now = time(NULL) };
	if (ctl_connect(options, &session_r->ld) != CTL_DONE ||
	    ctl_tenant_find(session_r->ld, options, &session_r->tenant) != CTL_DONE)
		return CTL_FAILED;
	if (session_r->tenant.entry) {
		source = ctl_entry_source(session_r->tenant.entry);
		b2b_rule_compile(B2B_RULE_TENANT, &source, &session_r->rule, NULL);
	}
	return CTL_DONE;
}

void ctl_session_close(struct ctl_session *session)
{
	b2b_rule_unref(&session->rule);
	ctl_tenant_clear(&session->tenant);
	if (session->ld)
		ldap_unbind_ext_s(session->ld, NULL, NULL);
	session->ld = NULL;
}

const struct b2b_tenant_policy *ctl_session_policy(const struct ctl_session *session)
{
	return session->rule && !session->rule->invalid ? &session->rule->u.tenant : NULL;
}

char *ctl_first_shown(LDAP *ld, LDAPMessage *message, const char *name)
{
	struct berval **values = ldap_get_values_len(ld, message, name);
	char *shown = values && values[0] ? ctl_shown(values[0]->bv_val, values[0]->bv_len)
					  : ctl_format("%s", "");

	ldap_value_free_len(values);
	return shown;
}

char *ctl_all_shown(LDAP *ld, LDAPMessage *message, const char *name)
{
	struct berval **values = ldap_get_values_len(ld, message, name);
	char *lines = NULL;

	for (size_t i = 0; values && values[i]; i++)
		ctl_cell_add(&lines, values[i]->bv_val, values[i]->bv_len);
	ldap_value_free_len(values);
	return lines ? lines : ctl_format("%s", "");
}

char *ctl_time_shown(struct b2b_str value)
{
	time_t when;

	if (b2b_time_parse(value, &when) != B2B_OK)
		return ctl_format("%s", "");
	return ctl_time(when);
}
