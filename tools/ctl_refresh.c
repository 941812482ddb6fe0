/*
 * ctl_refresh.c - partner add --refresh: fetches keys again, for cron.
 * In: b2bJwksUri of one partner or of all.
 * Out: b2bJwks where the keys are others than before; good keys are never replaced by none.
 */
#include "ctl_oidc.h"

#include <stdlib.h>
#include <string.h>

struct refresh {
	struct ctl_options *options;
	LDAP *ld;
	struct ctl_tenant tenant;
	struct ctl_partners partners;
};

/* One partner's keys, before and after. */
struct renewal {
	const struct ctl_entry *entry;
	char *clean;          /* the set to be written */
	struct ctl_keys keys; /* of clean */
	struct ctl_list notes;
};

static char *first_text(const struct ctl_entry *entry, enum b2b_attr attr)
{
	struct b2b_str value = ctl_entry_first(entry, attr);

	return ctl_format("%.*s", (int)value.len, value.s);
}

/* Whether what an entry has are the keys that were fetched. */
static bool has_keys(const struct ctl_entry *entry, const struct ctl_keys *keys)
{
	struct b2b_str have = ctl_entry_first(entry, B2B_ATTR_JWKS);
	struct ctl_keys old = { 0 };
	char *clean = NULL;
	bool same = have.len > 0 && b2b_jwks_clean(have, NULL, NULL, &clean, NULL) == B2B_OK &&
		    ctl_keys_parse(clean, &old) == CTL_DONE && ctl_keys_equal(&old, keys);

	ctl_keys_clear(&old);
	free(clean);
	return same;
}

/* The entry with the new keys, as the server will see it. */
static int check_result(const struct renewal *renewal)
{
	struct b2b_graph_entry want = { .tenant_id =
						first_text(renewal->entry, B2B_ATTR_TENANT_ID) };
	struct ctl_plan plan = { .want = &want, .dn = ctl_format("%s", renewal->entry->dn) };
	unsigned algs;
	char *text;
	int result;

	ctl_want(&want, B2B_ATTR_JWKS, b2b_str_of(renewal->clean));
	plan.old = (struct ctl_entry *)renewal->entry; /* lent */
	result = ctl_plan_make(&plan);
	if (result == CTL_DONE) {
		algs = plan.rule->u.partner.token.algs;
		if (!(algs & ctl_keys_algs(&renewal->keys))) {
			text = ctl_algs_text(algs);
			result = ctl_fail("no published key fits b2bTokenAlgorithm (%s)", text);
			free(text);
		}
	}
	plan.old = NULL;
	ctl_plan_clear(&plan);
	ctl_want_clear(&want);
	return result;
}

/* "(name=value)", or that there is none; caller frees. */
static char *is_still(const struct ctl_entry *entry, enum b2b_attr attr)
{
	const char *name = b2b_attr_name(attr);
	char *text = first_text(entry, attr), *escaped = ctl_escape(text);
	char *filter = *text ? ctl_format("(%s=%s)", name, escaped) : ctl_format("(!(%s=*))", name);

	free(escaped);
	free(text);
	return filter;
}

/* Keys are written only beside the issuer and the URL that they were fetched for. */
static char *unchanged_filter(const struct ctl_entry *entry)
{
	bool had_keys = ctl_entry_first(entry, B2B_ATTR_JWKS).len > 0;
	char *issuer = is_still(entry, B2B_ATTR_ISSUER);
	char *uri = is_still(entry, B2B_ATTR_JWKS_URI);
	char *filter = ctl_format("(&%s%s%s)", issuer, uri, had_keys ? "" : "(!(b2bJwks=*))");

	free(uri);
	free(issuer);
	return filter;
}

static int send_keys(LDAP *ld, const struct renewal *renewal)
{
	char *old = first_text(renewal->entry, B2B_ATTR_JWKS), *new = renewal->clean;
	char *filter = unchanged_filter(renewal->entry);
	LDAPMod **mods = ctl_alloc(3, sizeof *mods);
	LDAPControl *control = NULL, *controls[2] = { NULL, NULL };
	size_t count = 0;
	int code;

	/* The old value goes by value: of two that write at once, one fails. */
	if (*old)
		mods[count++] = ctl_mod(LDAP_MOD_DELETE, "b2bJwks", &old, 1);
	mods[count++] = ctl_mod(LDAP_MOD_ADD, "b2bJwks", &new, 1);
	code = ldap_create_assertion_control(ld, filter, 1, &control);
	controls[0] = control;
	if (code == LDAP_SUCCESS)
		code = ldap_modify_ext_s(ld, renewal->entry->dn, mods, controls, NULL);
	ldap_control_free(control);
	ldap_mods_free(mods, 1);
	free(filter);
	free(old);
	return code;
}

/* Somebody else wrote meanwhile; all is well if it was the same. */
static int judge_race(LDAP *ld, const struct renewal *renewal)
{
	struct ctl_entry *now = NULL;
	int code = ctl_read(ld, renewal->entry->dn, "(objectClass=b2bPartner)", &now), result;

	if (code != LDAP_SUCCESS)
		result = ctl_fail_ldap(ld, code, renewal->entry->dn);
	else if (now && has_keys(now, &renewal->keys))
		result = CTL_DONE;
	else
		result = ctl_fail("%s: changed by somebody else meanwhile, not written",
				  renewal->entry->dn);
	ctl_entry_free(&now);
	return result;
}

static int write_keys(const struct refresh *refresh, const struct renewal *renewal)
{
	const char *dn = renewal->entry->dn;
	int code;

	if (refresh->options->dry_run) {
		ctl_say("would change %s", dn);
		return CTL_DONE;
	}
	code = send_keys(refresh->ld, renewal);
	switch (code) {
	case LDAP_SUCCESS:
		ctl_say("changed %s", dn);
		return CTL_DONE;
	case LDAP_NO_SUCH_ATTRIBUTE:
	case LDAP_ASSERTION_FAILED:
		return judge_race(refresh->ld, renewal);
	case LDAP_CONSTRAINT_VIOLATION: /* a second value, where there was none before */
		if (ctl_entry_first(renewal->entry, B2B_ATTR_JWKS).len == 0)
			return judge_race(refresh->ld, renewal);
		break;
	default:
		break;
	}
	return ctl_fail_ldap(refresh->ld, code, dn);
}

static int renew(const struct refresh *refresh, struct renewal *renewal)
{
	struct ctl_fetch how = { refresh->options->ca_file, NULL };
	char *uri = first_text(renewal->entry, B2B_ATTR_JWKS_URI);
	int result = CTL_FAILED;

	if (!*uri)
		ctl_fail("%s has no b2bJwksUri", renewal->entry->dn);
	else if (!ctl_is_url(uri))
		ctl_fail("%s: b2bJwksUri is not a URL", renewal->entry->dn);
	else
		result = ctl_keys_read(uri, &how, &renewal->clean, &renewal->notes);
	free(uri);
	return result == CTL_DONE ? ctl_keys_parse(renewal->clean, &renewal->keys) : result;
}

static int refresh_one(const struct refresh *refresh, const struct ctl_entry *entry)
{
	struct renewal renewal = { .entry = entry };
	int result = renew(refresh, &renewal);
	bool same = result == CTL_DONE && has_keys(entry, &renewal.keys);

	ctl_notes_clear(&renewal.notes, same && !refresh->options->verbose);
	if (same && refresh->options->verbose)
		ctl_say("unchanged %s", entry->dn);
	if (result == CTL_DONE && !same)
		result = check_result(&renewal);
	if (result != CTL_DONE)
		ctl_fail("%s: the keys that it has stay", entry->dn);
	else if (!same)
		result = write_keys(refresh, &renewal);
	ctl_keys_clear(&renewal.keys);
	free(renewal.clean);
	return result;
}

static int refresh_all(struct refresh *refresh)
{
	const char *id = refresh->options->partner;
	char *filter = id ? ctl_partner_filter(id)
			  : ctl_format("(&(objectClass=b2bPartner)(b2bJwksUri=*))");
	int result = ctl_tenant_demand(&refresh->tenant);

	if (result == CTL_DONE)
		result = ctl_partners_read(refresh->ld, &refresh->tenant, filter,
					   &refresh->partners);
	free(filter);
	if (result == CTL_DONE && id && refresh->partners.count == 0)
		return ctl_fail("there is no partner %s", id);
	if (result != CTL_DONE && refresh->partners.count > 0)
		ctl_fail("not all partners could be read; those that were are seen to");
	for (size_t i = 0; i < refresh->partners.count; i++)
		if (refresh_one(refresh, refresh->partners.entries[i]) != CTL_DONE)
			result = CTL_FAILED;
	return result;
}

int ctl_partner_refresh(struct ctl_options *options)
{
	struct refresh refresh = { .options = options };
	int result = ctl_connect(options, &refresh.ld);

	if (result == CTL_DONE)
		result = ctl_tenant_find(refresh.ld, options, &refresh.tenant);
	if (result == CTL_DONE)
		result = refresh_all(&refresh);
	ctl_partners_clear(&refresh.partners);
	ctl_tenant_clear(&refresh.tenant);
	if (refresh.ld)
		ldap_unbind_ext_s(refresh.ld, NULL, NULL);
	return result;
}
