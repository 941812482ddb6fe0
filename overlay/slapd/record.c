/*
 * record.c - what a guest's entry must be, and what the server writes into it by itself.
 * In: the entry before and after a change.  Out: a refusal, or the changes that follow.
 */
#include "glue.h"

/* --- passwords --- */

/* Besides every attribute type with "password" or "passwd" in a name: Kerberos keys (RFC 4120
 * realms in LDAP), Samba's and Active Directory's hashes, Cyrus SASL secrets, pwdHistory of
 * draft-behera-ldap-password-policy. */
static const char *const secrets[] = { "krbPrincipalKey",   "krb5Key",   "pwdHistory",
				       "unicodePwd",        "dBCSPwd",   "ntPwdHistory",
				       "lmPwdHistory",      "ipaNTHash", "supplementalCredentials",
				       "ipaKrbPrincipalKey" };

static bool is_secret_name(const char *name)
{
	if (strcasestr(name, "password") || strcasestr(name, "passwd") ||
	    strcasestr(name, "cmusaslsecret"))
		return true;
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		if (!strcasecmp(name, secrets[i]))
			return true;
	}
	return false;
}

/* A subtype of a password attribute is one too. */
static bool is_password(const AttributeDescription *ad)
{
	for (const AttributeType *at = ad->ad_type; at; at = at->sat_sup) {
		for (char **name = at->sat_names; name && *name; name++) {
			if (is_secret_name(*name))
				return true;
		}
	}
	return false;
}

static bool is_ours(const AttributeDescription *ad)
{
	return !strncasecmp(ad->ad_type->sat_cname.bv_val, "b2b", 3);
}

enum b2b_err b2b_record_check(Entry *e, struct b2b_error *error)
{
	struct b2b_source source = b2b_map_source(e);

	for (Attribute *a = e->e_attrs; a; a = a->a_next) {
		if (is_password(a->a_desc))
			return b2b_error_set(error,
					     "%s: a guest proves itself at home, no password may "
					     "stand in its entry",
					     a->a_desc->ad_cname.bv_val);
	}
	return b2b_guest_check(&source, error);
}

/* slapd takes the values of a name into its entry after the hooks: a password, or anything of the
 * record, must not come that way. */
enum b2b_err b2b_record_check_name(const struct berval *dn, struct b2b_error *error)
{
	enum b2b_err err = B2B_OK;
	const char *why;
	LDAPRDN rdn;

	if (ldap_bv2rdn((struct berval *)dn, &rdn, (char **)&why, LDAP_DN_FORMAT_LDAP) !=
	    LDAP_SUCCESS)
		return b2b_error_set(error, "the name cannot be read");
	for (size_t i = 0; rdn && rdn[i]; i++) {
		AttributeDescription *ad = NULL;

		if (slap_bv2ad(&rdn[i]->la_attr, &ad, &why) == LDAP_SUCCESS &&
		    (is_password(ad) || is_ours(ad)))
			err = b2b_error_set(error, "%s: cannot be part of a guest's name",
					    ad->ad_cname.bv_val);
	}
	ldap_rdnfree(rdn);
	return err;
}

/* --- the server's own changes --- */

static Modifications *append(Modifications **mods, AttributeDescription *ad)
{
	Modifications *m = ch_calloc(1, sizeof(*m));

	m->sml_op = LDAP_MOD_REPLACE;
	m->sml_flags = SLAP_MOD_INTERNAL;
	m->sml_desc = ad;
	m->sml_type = ad->ad_cname;
	while (*mods)
		mods = &(*mods)->sml_next;
	*mods = m;
	return m;
}

void b2b_record_set_bytes(Modifications **mods, enum b2b_attr attr, const struct berval *value)
{
	Modifications *m = append(mods, b2b_ad[attr]);

	if (!value)
		return; /* a replacement by nothing deletes and never fails */
	m->sml_numvals = 1;
	m->sml_values = ch_calloc(2, sizeof(struct berval));
	ber_dupbv(&m->sml_values[0], (struct berval *)value);
	if (attr_normalize(m->sml_desc, m->sml_values, &m->sml_nvalues, NULL) != LDAP_SUCCESS)
		m->sml_nvalues = NULL;
}

void b2b_record_set(Modifications **mods, enum b2b_attr attr, const char *value)
{
	struct berval text;

	if (value)
		ber_str2bv(value, 0, 0, &text);
	b2b_record_set_bytes(mods, attr, value ? &text : NULL);
}

void b2b_record_set_time(Modifications **mods, enum b2b_attr attr, time_t when)
{
	char text[B2B_TIME_SIZE];

	b2b_time_format(when, text);
	b2b_record_set(mods, attr, text);
}

static void set_dn(Modifications **mods, enum b2b_attr attr, const struct berval *dn)
{
	if (dn && !BER_BVISEMPTY(dn))
		b2b_record_set(mods, attr, dn->bv_val);
}

static Modifications *last(Modifications *mods)
{
	while (mods->sml_next)
		mods = mods->sml_next;
	return mods;
}

static bool has(Entry *e, enum b2b_attr attr)
{
	return attr_find(e->e_attrs, b2b_ad[attr]) != NULL;
}

/* An invitation as of now, later than any before, for tickets are told apart by this moment; the
 * task hands it to the mail daemon.  Where no ticket can be made there is none, and nothing lapses. */
static void invite(const struct b2b_record_change *change, struct b2b_guest *guest,
		   Modifications **mods)
{
	if (!change->signs)
		return;
	guest->invited_at = guest->invited_at < change->now ? change->now : guest->invited_at + 1;
	b2b_record_set_time(mods, B2B_ATTR_INVITED_AT, guest->invited_at);
}

/* What a new guest lacks; guest is brought up to date with it. */
static void add_defaults(const struct b2b_record_change *change, Entry *e, struct b2b_guest *guest,
			 Modifications **mods)
{
	unsigned lifetime_days = change->policy ? change->policy->guest_lifetime_days : 90;

	if (!has(e, B2B_ATTR_USER_TYPE))
		b2b_record_set(mods, B2B_ATTR_USER_TYPE, "Guest");
	if (!has(e, B2B_ATTR_USER_STATE))
		b2b_record_set(mods, B2B_ATTR_USER_STATE, "PendingAcceptance");
	if (!has(e, B2B_ATTR_USER_STATE_CHANGED)) {
		guest->state_changed = change->now;
		b2b_record_set_time(mods, B2B_ATTR_USER_STATE_CHANGED, change->now);
	}
	if (!has(e, B2B_ATTR_INVITED_BY))
		set_dn(mods, B2B_ATTR_INVITED_BY, change->who);
	if (!has(e, B2B_ATTR_INVITED_AT) && !guest->accepted)
		invite(change, guest, mods);
	if (!has(e, B2B_ATTR_SPONSOR))
		set_dn(mods, B2B_ATTR_SPONSOR, change->who);
	if (!has(e, B2B_ATTR_ACCOUNT_ENABLED)) {
		b2b_record_set(mods, B2B_ATTR_ACCOUNT_ENABLED, "TRUE");
		guest->enabled = true;
	}
	if (!has(e, B2B_ATTR_VALID_UNTIL) && lifetime_days) {
		guest->valid_until = change->now + (time_t)lifetime_days * 86400;
		b2b_record_set_time(mods, B2B_ATTR_VALID_UNTIL, guest->valid_until);
	}
}

const struct b2b_tenant_policy *b2b_record_policy(const struct b2b_snapshot *snapshot)
{
	const struct b2b_rule *rule = b2b_snapshot_tenant(snapshot);

	return rule && !rule->invalid ? &rule->u.tenant : NULL;
}

bool b2b_record_take(Operation *op, Entry *e, struct b2b_record_read *read_r)
{
	Attribute *a = attr_find(e->e_attrs, slap_schema.si_ad_entryCSN);

	if (!b2b_map_is_guest(e) || !a || a->a_nvals[0].bv_len >= sizeof(read_r->csn))
		return false;
	snprintf(read_r->csn, sizeof(read_r->csn), "%s", a->a_nvals[0].bv_val);
	ber_dupbv_x(&read_r->dn, &e->e_name, op->o_tmpmemctx);
	ber_dupbv_x(&read_r->ndn, &e->e_nname, op->o_tmpmemctx);
	b2b_map_guest(op, e, &read_r->guest);
	read_r->next_due[0] = '\0';
	a = attr_find(e->e_attrs, b2b_ad[B2B_ATTR_NEXT_DUE]);
	if (a)
		snprintf(read_r->next_due, sizeof(read_r->next_due), "%s", a->a_nvals[0].bv_val);
	return true;
}

bool b2b_record_read(Operation *op, struct b2b_tenant *tenant, struct berval *ndn,
		     struct b2b_record_read *read_r)
{
	Entry *e = b2b_entry_get(op, tenant, ndn);

	if (!e)
		return false;
	bool guest = b2b_record_take(op, e, read_r);
	b2b_entry_release(op, tenant, e);
	return guest;
}

void b2b_record_set_due(const struct b2b_record_read *read, time_t due, Modifications **mods)
{
	if (due == read->guest.next_due)
		return;
	if (read->next_due[0]) {
		b2b_record_set(mods, B2B_ATTR_NEXT_DUE, read->next_due);
		last(*mods)->sml_op = LDAP_MOD_DELETE;
	}
	if (due) {
		b2b_record_set_time(mods, B2B_ATTR_NEXT_DUE, due);
		last(*mods)->sml_op = LDAP_MOD_ADD;
	}
}

time_t b2b_record_disable(const struct b2b_tenant_policy *policy, const char *reason, time_t now,
			  Modifications **mods)
{
	unsigned grace_days = policy ? policy->delete_grace_days : 30;
	time_t delete_after = now + (time_t)grace_days * 86400;

	b2b_record_set(mods, B2B_ATTR_DISABLED_REASON, reason);
	b2b_record_set_time(mods, B2B_ATTR_DISABLED_AT, now);
	b2b_record_set_time(mods, B2B_ATTR_DELETE_AFTER, delete_after);
	return delete_after;
}

#define HISTORY_TEXT 1024

void b2b_record_note_history(time_t now, const char *who, const char *decision,
			     const char *justification, Modifications **mods)
{
	char when[B2B_TIME_SIZE], text[HISTORY_TEXT];

	b2b_time_format(now, when);
	snprintf(text, sizeof(text), "%s %s by \"%s\": %s", when, decision, who, justification);
	b2b_str_cut(text);
	b2b_record_set(mods, B2B_ATTR_REVIEW_HISTORY, text);
	last(*mods)->sml_op = SLAP_MOD_SOFTADD; /* the same twice in one second is one */
}

void b2b_record_note_review(time_t now, const char *who, const char *decision,
			    const char *justification, Modifications **mods)
{
	b2b_record_set(mods, B2B_ATTR_REVIEWED_BY, *who ? who : NULL);
	b2b_record_set_time(mods, B2B_ATTR_REVIEWED_AT, now);
	b2b_record_note_history(now, who, decision, justification, mods);
}

static void set_next_due(const struct b2b_record_change *change, const struct b2b_guest *guest,
			 Modifications **mods)
{
	time_t due = b2b_guest_next_due(guest, change->policy, change->now);

	if (due == guest->next_due)
		return;
	if (due)
		b2b_record_set_time(mods, B2B_ATTR_NEXT_DUE, due);
	else
		b2b_record_set(mods, B2B_ATTR_NEXT_DUE, NULL);
}

static bool owes_invitation(const struct b2b_guest *guest)
{
	return guest->enabled && !guest->accepted && guest->invitation_sent < guest->invited_at;
}

bool b2b_record_complete(const struct b2b_record_change *change, Entry *e)
{
	struct b2b_source source = b2b_map_source(e);
	struct b2b_guest guest;
	Modifications *mods = NULL;

	b2b_guest_parse(&source, &guest, NULL);
	add_defaults(change, e, &guest, &mods);
	if (!guest.created)
		guest.created = change->now;
	set_next_due(change, &guest, &mods);
	for (Modifications *m = mods; m; m = m->sml_next) {
		if (m->sml_values)
			attr_merge(e, m->sml_desc, m->sml_values, m->sml_nvalues);
	}
	slap_mods_free(mods, 1);
	return owes_invitation(&guest);
}

static bool same_str(struct b2b_str a, struct b2b_str b)
{
	return a.len == b.len && (!a.len || !memcmp(a.s, b.s, a.len));
}

static bool is_other_person(const struct b2b_guest *before, const struct b2b_guest *after)
{
	return !same_str(before->home_tenant, after->home_tenant) ||
	       !same_str(before->home_subject, after->home_subject);
}

static const struct berval *mail_of(Entry *e)
{
	AttributeDescription *ad = NULL;
	const char *why;
	Attribute *a =
		slap_str2ad("mail", &ad, &why) == LDAP_SUCCESS ? attr_find(e->e_attrs, ad) : NULL;

	return a ? &a->a_nvals[0] : NULL;
}

static bool has_other_mail(Entry *before, Entry *after)
{
	const struct berval *was = mail_of(before), *is = mail_of(after);

	return was && is ? !bvmatch(was, is) : was != is;
}

/* A code that was mailed to the other, or to the address before, is nobody's now; its time stays, or
 * the mail daemon would take it for one that was never stored. */
static void follow_passcode(Entry *before, Entry *after, bool other_person, Modifications **mods)
{
	static const enum b2b_attr passcode[] = { B2B_ATTR_PASSCODE_HASH, B2B_ATTR_PASSCODE_TRIES };

	if (!other_person && !has_other_mail(before, after))
		return;
	for (size_t i = 0; i < sizeof(passcode) / sizeof(passcode[0]); i++) {
		if (has(before, passcode[i]) && has(after, passcode[i]))
			b2b_record_set(mods, passcode[i], NULL);
	}
}

/* The other's one-time passwords are not the new one's. */
static void follow_totp(const struct b2b_guest *before, const struct b2b_guest *after, Entry *e,
			Modifications **mods)
{
	static const enum b2b_attr totp[] = { B2B_ATTR_TOTP_SECRET, B2B_ATTR_TOTP_LAST_STEP,
					      B2B_ATTR_TOTP_FAILURES, B2B_ATTR_TOTP_LOCKED_UNTIL };

	for (size_t i = 0; is_other_person(before, after) && i < sizeof(totp) / sizeof(totp[0]);
	     i++) {
		if (has(e, totp[i]))
			b2b_record_set(mods, totp[i], NULL);
	}
}

static void follow_state(const struct b2b_record_change *change, const struct b2b_guest *before,
			 struct b2b_guest *after, Modifications **mods)
{
	bool other_person = is_other_person(before, after);

	/* who accepted was another; the new one has yet to */
	if (other_person && after->accepted && !change->relaxed) {
		b2b_record_set(mods, B2B_ATTR_USER_STATE, "PendingAcceptance");
		after->accepted = false;
	}
	if (other_person && !after->accepted)
		invite(change, after, mods);
	if (before->accepted == after->accepted && (after->accepted || !other_person))
		return;
	after->state_changed = change->now;
	b2b_record_set_time(mods, B2B_ATTR_USER_STATE_CHANGED, change->now);
}

/* Whether a change gives an attribute a value. */
static bool gives(const Modifications *m, enum b2b_attr attr)
{
	for (; m; m = m->sml_next) {
		if (m->sml_desc == b2b_ad[attr] && m->sml_numvals)
			return true;
	}
	return false;
}

static const char *text_of(Entry *e, enum b2b_attr attr)
{
	Attribute *a = attr_find(e->e_attrs, b2b_ad[attr]);

	return a ? a->a_vals[0].bv_val : "";
}

static void follow_enabled(const struct b2b_record_change *change, const struct b2b_guest *before,
			   struct b2b_guest *after, Entry *e, Modifications **mods)
{
	static const enum b2b_attr marks[] = { B2B_ATTR_DISABLED_REASON, B2B_ATTR_DISABLED_AT,
					       B2B_ATTR_DELETE_AFTER };

	if (before->enabled && !after->enabled)
		after->delete_after =
			b2b_record_disable(change->policy, "administrator", change->now, mods);
	if (!before->enabled && after->enabled) {
		after->enabled_at = change->now; /* the time it was off counts for nothing */
		b2b_record_set_time(mods, B2B_ATTR_ENABLED_AT, change->now);
	}
	/* a task that just disabled or deletes it has left marks that are not in the image */
	bool says_so = after->enabled && gives(*mods, B2B_ATTR_ACCOUNT_ENABLED);
	for (size_t i = 0; after->enabled && i < sizeof(marks) / sizeof(marks[0]); i++) {
		bool by_value = marks[i] == B2B_ATTR_DELETE_AFTER && has(e, marks[i]);

		if (!says_so && !has(e, marks[i]))
			continue;
		b2b_record_set(mods, marks[i], by_value ? text_of(e, marks[i]) : NULL);
		if (by_value)
			last(*mods)->sml_op = LDAP_MOD_DELETE;
	}
}

/* Notes who answered the review, and when the next one ends. */
static void follow_review(const struct b2b_record_change *change, const struct b2b_guest *before,
			  struct b2b_guest *after, Entry *e, Modifications **mods)
{
	unsigned interval = change->policy ? change->policy->review_interval_days : 90;
	unsigned duration = change->policy ? change->policy->review_duration_days : 14;

	if (!gives(*mods, B2B_ATTR_REVIEW_DECISION) || !has(e, B2B_ATTR_REVIEW_DECISION))
		return;
	b2b_record_note_review(change->now, change->who->bv_val,
			       text_of(e, B2B_ATTR_REVIEW_DECISION),
			       text_of(e, B2B_ATTR_REVIEW_JUSTIFICATION), mods);
	after->reviewed_at = change->now;
	if (after->review != B2B_REVIEW_APPROVED || after->review_due != before->review_due ||
	    !after->accepted)
		return;
	after->review_due = interval ? change->now + (time_t)(interval + duration) * 86400 : 0;
	if (after->review_due)
		b2b_record_set_time(mods, B2B_ATTR_REVIEW_DUE, after->review_due);
	else
		b2b_record_set(mods, B2B_ATTR_REVIEW_DUE, NULL);
}

bool b2b_record_follow(const struct b2b_record_change *change, Entry *before, Entry *after,
		       Modifications **mods)
{
	struct b2b_source source = b2b_map_source(after);
	struct b2b_guest was, is;

	b2b_guest_parse(&source, &is, NULL);
	if (!before || !b2b_map_is_guest(before)) {
		add_defaults(change, after, &is, mods);
	} else {
		source = b2b_map_source(before);
		b2b_guest_parse(&source, &was, NULL);
		follow_state(change, &was, &is, mods);
		follow_totp(&was, &is, after, mods);
		follow_passcode(before, after, is_other_person(&was, &is), mods);
		follow_enabled(change, &was, &is, after, mods);
		follow_review(change, &was, &is, after, mods);
	}
	set_next_due(change, &is, mods);
	return owes_invitation(&is);
}

void b2b_record_forget(Entry *after, Modifications **mods)
{
	for (int i = B2B_ATTR_NONE + 1; i < B2B_ATTR_COUNT; i++) {
		if (is_ours(b2b_ad[i]) && is_at_no_user_mod(b2b_ad[i]->ad_type) && has(after, i))
			b2b_record_set(mods, i, NULL);
	}
}
