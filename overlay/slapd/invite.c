/*
 * invite.c - who may invite, and with what: extended operation .3.1, and the ticket of a guest that
 * was added by ldapadd.
 * In: {"mail":...} and more (README); guests' entries that clients add; post-reads (RFC 4527).
 * Out: {"dn":...,"ticket":...,"url":...,"state":...,"expires":...}; refusals; b2bTicket.
 */
#include "life.h"

#include <openssl/crypto.h>

/* --- who may --- */

static struct berval guest_base(struct b2b_tenant *tenant, const struct b2b_tenant_policy *policy)
{
	struct berval base;

	if (policy && policy->guest_base)
		ber_str2bv(policy->guest_base, 0, 0, &base);
	else
		dnParent(&tenant->nbase, &base);
	return base;
}

/* Administrators are those whom slapd's access control lets add entries where guests stand. */
static bool is_administrator(Operation *op, struct b2b_tenant *tenant,
			     const struct b2b_tenant_policy *policy)
{
	struct berval base = guest_base(tenant, policy);
	BackendDB *saved = op->o_bd;
	Entry *e;

	if (be_isroot_dn(tenant->be, &op->o_ndn))
		return true;
	e = b2b_entry_get(op, tenant, &base);
	if (!e)
		return false;
	op->o_bd = tenant->be;
	bool may = access_allowed(op, e, slap_schema.si_ad_children, NULL, ACL_WADD, NULL) != 0;
	op->o_bd = saved;
	b2b_entry_release(op, tenant, e);
	return may;
}

bool b2b_invite_may(Operation *op, struct b2b_tenant *tenant,
		    const struct b2b_tenant_policy *policy)
{
	struct b2b_session session;

	if (BER_BVISEMPTY(&op->o_ndn))
		return false;
	b2b_session_find(op, &session);
	if (session.who != B2B_WHO_OTHER)
		return false;
	switch (policy ? policy->inviters_are : B2B_INVITES_ADMINS) {
	case B2B_INVITES_MEMBERS:
		return b2b_tenant_of(&op->o_ndn) == tenant || is_administrator(op, tenant, policy);
	case B2B_INVITES_INVITERS:
		return b2b_person_is_among(op, tenant, &op->o_ndn, &policy->inviters) ||
		       is_administrator(op, tenant, policy);
	case B2B_INVITES_ADMINS:
		return is_administrator(op, tenant, policy);
	case B2B_INVITES_NONE:
	default:
		return false;
	}
}

/* --- by ldapadd --- */

/* Policy that cannot be read permits nothing; where there is none, the defaults count. */
static bool is_broken(const struct b2b_snapshot *snapshot)
{
	const struct b2b_rule *rule = b2b_snapshot_tenant(snapshot);

	return rule && rule->invalid;
}

static int check_who(Operation *op, struct b2b_tenant *tenant, const struct b2b_snapshot *snapshot,
		     struct b2b_error *error)
{
	const struct b2b_tenant_policy *policy = b2b_record_policy(snapshot);
	enum b2b_inviters who = policy ? policy->inviters_are : B2B_INVITES_ADMINS;
	bool may = !is_broken(snapshot);

	if (who == B2B_INVITES_NONE)
		may = false;
	else if (who == B2B_INVITES_INVITERS)
		may = may && b2b_invite_may(op, tenant, policy);
	if (may)
		return LDAP_SUCCESS;
	b2b_error_set(error, "b2bAllowInvitesFrom: you may not invite");
	return LDAP_INSUFFICIENT_ACCESS;
}

static Attribute *mail_of(Entry *e)
{
	AttributeDescription *ad = NULL;
	const char *why;

	return slap_str2ad("mail", &ad, &why) == LDAP_SUCCESS ? attr_find(e->e_attrs, ad) : NULL;
}

static int check_domains(const struct b2b_tenant_policy *policy, Entry *e, struct b2b_error *error)
{
	Attribute *a = mail_of(e);
	unsigned i = 0;

	if (!policy)
		return LDAP_SUCCESS;
	/* without an address nobody knows its domain: where domains matter, that is none of them */
	do {
		struct b2b_str mail = a ? b2b_map_str(&a->a_vals[i]) : b2b_str_of(NULL);

		if (b2b_invite_domain(policy, mail, error) != B2B_OK)
			return LDAP_CONSTRAINT_VIOLATION;
	} while (a && ++i < a->a_numvals);
	return LDAP_SUCCESS;
}

static int check_partner(const struct b2b_snapshot *snapshot, Entry *e, struct b2b_error *error)
{
	struct b2b_source source = b2b_map_source(e);
	struct b2b_str tenant = { NULL, 0 }, subject = { NULL, 0 };
	enum b2b_reason reason;

	source.value(e, B2B_ATTR_HOME_TENANT, 0, &tenant);
	source.value(e, B2B_ATTR_HOME_SUBJECT, 0, &subject);
	reason = b2b_invite_partner(snapshot, tenant, subject);
	/* guests of a partner that is yet to be added wait for it outside */
	if (reason == B2B_REASON_NONE || reason == B2B_REASON_PARTNER_UNKNOWN)
		return LDAP_SUCCESS;
	b2b_error_set(error, "b2bHomeTenant: value \"%.*s\": %s", (int)tenant.len,
		      tenant.s ? tenant.s : "", b2b_reason_name(reason));
	return LDAP_CONSTRAINT_VIOLATION;
}

int b2b_invite_check_add(Operation *op, struct b2b_tenant *tenant, Entry *e,
			 struct b2b_error *error)
{
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(tenant);
	int rc = check_who(op, tenant, snapshot, error);

	if (rc == LDAP_SUCCESS)
		rc = check_domains(b2b_record_policy(snapshot), e, error);
	/* where no ticket can be made it is no invitation; a bind is denied then */
	if (rc == LDAP_SUCCESS && tenant->mint)
		rc = check_partner(snapshot, e, error);
	b2b_snapshot_unref(&snapshot);
	return rc;
}

int b2b_invite_check_mail(struct b2b_tenant *tenant, Entry *before, Entry *after,
			  struct b2b_error *error)
{
	Attribute *was = mail_of(before), *is = mail_of(after);
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(tenant);
	const struct b2b_tenant_policy *policy = b2b_record_policy(snapshot);
	int rc = LDAP_SUCCESS;

	for (unsigned i = 0; policy && is && i < is->a_numvals && rc == LDAP_SUCCESS; i++) {
		if (was && attr_valfind(was,
					SLAP_MR_ATTRIBUTE_VALUE_NORMALIZED_MATCH |
						SLAP_MR_ASSERTED_VALUE_NORMALIZED_MATCH,
					&is->a_nvals[i], NULL, NULL) == LDAP_SUCCESS)
			continue;
		if (b2b_invite_domain(policy, b2b_map_str(&is->a_vals[i]), error) != B2B_OK)
			rc = LDAP_CONSTRAINT_VIOLATION;
	}
	b2b_snapshot_unref(&snapshot);
	return rc;
}

/* --- tickets --- */

/* False: there is none for this guest now. */
static bool make_ticket(struct b2b_tenant *tenant, Entry *e, char ticket_r[B2B_TICKET_SIZE])
{
	Attribute *uuid = attr_find(e->e_attrs, slap_schema.si_ad_entryUUID);
	struct b2b_source source = b2b_map_source(e);
	struct b2b_guest guest;

	b2b_guest_parse(&source, &guest, NULL);
	if (!tenant->mint || !uuid || !b2b_map_is_guest(e) || !guest.well_formed ||
	    !guest.invited_at || guest.accepted || !guest.enabled)
		return false;
	return b2b_ticket_make(tenant->mint, b2b_map_str(&tenant->nbase),
			       b2b_map_str(&uuid->a_vals[0]), guest.invited_at, ticket_r) == B2B_OK;
}

static bool is_asked_for(const AttributeName *names)
{
	for (; names && !BER_BVISNULL(&names->an_name); names++) {
		if (names->an_desc == b2b_ad[B2B_ATTR_TICKET])
			return true;
	}
	return false;
}

/* slapd asks for the post-read within the add or modify, in the client's name. */
int b2b_invite_operational(Operation *op, SlapReply *rs)
{
	struct b2b_tenant *tenant = b2b_tenant_here(op);
	char ticket[B2B_TICKET_SIZE];
	struct berval value;
	Attribute **last;

	if ((op->o_tag != LDAP_REQ_ADD && op->o_tag != LDAP_REQ_MODIFY) ||
	    op->o_postread <= SLAP_CONTROL_IGNORED || rs->sr_attrs != op->o_postread_attrs ||
	    !is_asked_for(rs->sr_attrs) || !rs->sr_entry || !tenant->open)
		return SLAP_CB_CONTINUE;
	if (!b2b_access_may_manage(op, rs->sr_entry, b2b_ad[B2B_ATTR_TICKET]) ||
	    !make_ticket(tenant, rs->sr_entry, ticket))
		return SLAP_CB_CONTINUE;
	for (last = &rs->sr_operational_attrs; *last; last = &(*last)->a_next)
		;
	ber_str2bv(ticket, 0, 0, &value);
	*last = attr_alloc(b2b_ad[B2B_ATTR_TICKET]);
	attr_valadd(*last, &value, NULL, 1);
	OPENSSL_cleanse(ticket, sizeof(ticket));
	return SLAP_CB_CONTINUE;
}

/* --- by extended operation --- */

static int read_invitation(struct b2b_exop *exop, struct b2b_invitation *in)
{
	const struct {
		const char *member, **text_r;
	} texts[] = {
		{ "mail", &in->mail },       { "tenant", &in->tenant_id },
		{ "message", &in->message }, { "displayName", &in->display_name },
		{ "uid", &in->uid },         { "language", &in->language },
		{ "subject", &in->subject },
	};
	struct berval *sponsors = NULL;
	struct b2b_str *apps = NULL;
	int rc = LDAP_SUCCESS;

	for (size_t i = 0; rc == LDAP_SUCCESS && i < sizeof(texts) / sizeof(texts[0]); i++)
		rc = b2b_exop_text(exop, texts[i].member, texts[i].text_r);
	if (rc == LDAP_SUCCESS)
		rc = b2b_exop_dns(exop, "sponsor", &sponsors);
	if (rc == LDAP_SUCCESS)
		rc = b2b_exop_texts(exop, "applications", &apps, &in->app_count);
	if (rc == LDAP_SUCCESS)
		rc = b2b_exop_time(exop, "validUntil", &in->valid_until);
	in->sponsors = sponsors;
	in->apps = apps;
	in->who = &exop->op->o_ndn;
	return rc;
}

static void add_ticket(const struct b2b_tenant_policy *policy, Entry *e, const char *ticket,
		       json_t *out)
{
	const char *base = policy && policy->redemption_url ? policy->redemption_url : "b2b:redeem";
	struct b2b_source source = b2b_map_source(e);
	char expires[B2B_TIME_SIZE] = "";
	struct b2b_guest guest;
	time_t end;

	b2b_guest_parse(&source, &guest, NULL);
	end = b2b_guest_invitation_end(&guest, policy);
	if (end)
		b2b_time_format(end, expires);
	json_object_set_new(out, "ticket", json_string(ticket));
	json_object_set_new(
		out, "url",
		json_sprintf("%s%cticket=%s", base, strchr(base, '?') ? '&' : '?', ticket));
	json_object_set_new(out, "expires", json_string(expires));
}

static int answer(struct b2b_exop *exop, const struct b2b_tenant_policy *policy,
		  struct b2b_name *guest)
{
	Entry *e = b2b_entry_get(exop->op, exop->tenant, &guest->ndn);
	struct b2b_source source;
	struct b2b_str state = { NULL, 0 };
	char ticket[B2B_TICKET_SIZE];
	json_t *out;

	if (!e)
		return b2b_exop_refuse(exop, LDAP_BUSY, NULL); /* deleted again */
	out = json_object();
	source = b2b_map_source(e);
	source.value(e, B2B_ATTR_USER_STATE, 0, &state);
	json_object_set_new(out, "dn", json_stringn(guest->dn.bv_val, guest->dn.bv_len));
	json_object_set_new(out, "state", json_stringn(state.s ? state.s : "", state.len));
	if (make_ticket(exop->tenant, e, ticket))
		add_ticket(policy, e, ticket, out);
	OPENSSL_cleanse(ticket, sizeof(ticket));
	b2b_entry_release(exop->op, exop->tenant, e);
	return b2b_exop_answer(exop, out);
}

static int invite(struct b2b_exop *exop, const struct b2b_tenant_policy *policy)
{
	struct b2b_invitation in = { 0 };
	struct b2b_error error = { "" };
	struct b2b_name guest;
	int rc;

	if (!b2b_invite_may(exop->op, exop->tenant, policy))
		return b2b_exop_refuse(exop, LDAP_INSUFFICIENT_ACCESS, "b2b: you may not invite");
	rc = read_invitation(exop, &in);
	if (rc != LDAP_SUCCESS)
		return rc;
	rc = b2b_invite_make(exop->op, exop->tenant, &in, &guest, &error);
	return rc == LDAP_SUCCESS ? answer(exop, policy, &guest)
				  : b2b_exop_refuse_with(exop, rc, &error);
}

int b2b_invite_exop(struct b2b_exop *exop)
{
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(exop->tenant);
	int rc;

	if (is_broken(snapshot))
		rc = b2b_exop_refuse(exop, LDAP_UNWILLING_TO_PERFORM, "b2b: policy-invalid");
	else
		rc = invite(exop, b2b_record_policy(snapshot));
	b2b_snapshot_unref(&snapshot);
	return rc;
}
