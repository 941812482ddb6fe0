/*
 * invite_make.c - makes a guest of who is invited, or sends the invitation of one who is there again.
 * In: an invitation (extended operation .3.1, an approved request).  Out: the guest's entry, which
 * the task then hands to the mail daemon; its assignments; or a refusal that names member and value.
 */
#include "life.h"

enum { TRIES = 3, MESSAGE_MAX = 2048, SUBJECT_MAX = 1024, LANGUAGE_MAX = 256 };

struct making {
	Operation *op;
	struct b2b_tenant *tenant;
	const struct b2b_invitation *in;
	struct b2b_snapshot *snapshot;
	const struct b2b_tenant_policy *policy; /* NULL: defaults */
	const struct b2b_partner *partner;
	time_t now;
	struct b2b_name guest; /* in op's memory */
	struct b2b_error *error;
};

/* Of two invitations of one person at once the second finds what the first has made. */
static ldap_pvt_thread_mutex_t one_at_a_time;

int b2b_invite_open(void)
{
	return ldap_pvt_thread_mutex_init(&one_at_a_time);
}

static int refuse(struct making *m, const char *member, const char *value, const char *what)
{
	b2b_error_set(m->error, "%s: value \"%.200s\" %s", member, value, what);
	return LDAP_CONSTRAINT_VIOLATION;
}

/* --- what was given --- */

/* Text that may have lines, but no other control character. */
static bool is_readable(const char *text, size_t most, bool lines)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		bool line = *c == '\n' || *c == '\r' || *c == '\t';

		if ((*c < ' ' && !(lines && line)) || *c == 0x7f)
			return false;
	}
	return strlen(text) <= most;
}

/* Languages as in preferredLanguage (RFC 3282): "de, en;q=0.5". */
static bool is_language(const char *text)
{
	static const char known[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-*,;=. ";

	return strspn(text, known) == strlen(text) && strlen(text) <= LANGUAGE_MAX;
}

static int check_texts(struct making *m)
{
	const struct b2b_invitation *in = m->in;

	if (!in->mail) {
		b2b_error_set(m->error, "mail: is missing");
		return LDAP_CONSTRAINT_VIOLATION;
	}
	if (b2b_mail_check(b2b_str_of(in->mail), m->error) != B2B_OK)
		return LDAP_CONSTRAINT_VIOLATION;
	if (in->display_name &&
	    b2b_name_check("displayName", b2b_str_of(in->display_name), m->error) != B2B_OK)
		return LDAP_CONSTRAINT_VIOLATION;
	if (in->uid && b2b_name_check("uid", b2b_str_of(in->uid), m->error) != B2B_OK)
		return LDAP_CONSTRAINT_VIOLATION;
	if (in->subject && !is_readable(in->subject, SUBJECT_MAX, false))
		return refuse(m, "subject", in->subject, "is too long or has control characters");
	if (in->message && !is_readable(in->message, MESSAGE_MAX, true))
		return refuse(m, "message", in->message, "is too long or has control characters");
	if (in->language && !is_language(in->language))
		return refuse(m, "language", in->language, "is no list of languages (RFC 3282)");
	return LDAP_SUCCESS;
}

static int check_times(struct making *m)
{
	char text[B2B_TIME_SIZE];

	if (!m->in->valid_until || m->in->valid_until > m->now)
		return LDAP_SUCCESS;
	b2b_time_format(m->in->valid_until, text);
	return refuse(m, "validUntil", text, "is past");
}

/* --- policy --- */

static int judge(struct making *m)
{
	const struct b2b_invitation *in = m->in;
	struct b2b_invitee invitee = { .mail = b2b_str_of(in->mail),
				       .tenant_id = b2b_str_of(in->tenant_id),
				       .subject = b2b_str_of(in->subject),
				       .apps = in->apps,
				       .app_count = in->app_count };
	const struct b2b_rule *rule = NULL;
	enum b2b_reason reason = B2B_REASON_NONE;

	if (b2b_invite_judge(m->snapshot, &invitee, m->now, &rule, &reason, m->error) == B2B_OK &&
	    rule) {
		m->partner = &rule->u.partner;
		return LDAP_SUCCESS;
	}
	Debug(LDAP_DEBUG_STATS, "b2b: %s invitation of \"%s\" verdict=deny reason=%s\n",
	      m->op->o_log_prefix, in->mail, b2b_reason_name(reason));
	if (!m->error->text[0])
		b2b_error_set(m->error, "%s", b2b_reason_name(reason));
	return LDAP_CONSTRAINT_VIOLATION;
}

/* --- sponsors --- */

/* What keeps somebody from answering for a guest; NULL: nothing. */
static const char *sponsor_fault(struct making *m, const struct berval *ndn, bool named)
{
	Entry *e = NULL;
	bool ours = b2b_tenant_of(ndn) == m->tenant;
	bool root = be_isroot_dn(m->tenant->be, (struct berval *)ndn);

	if (b2b_session_is_service(ndn))
		return "is an application, which cannot answer for a guest: name a person";
	if (ours)
		e = b2b_entry_get(m->op, m->tenant, (struct berval *)ndn);
	bool guest = e && b2b_map_is_guest(e);
	if (e)
		b2b_entry_release(m->op, m->tenant, e);
	if (guest)
		return "is a guest";
	/* who invites without an entry of its own may stand as sponsor, but is not named as one */
	if (named && !e)
		return "is nobody of this directory";
	if (!root && ours && !e)
		return "has no entry: name a person as sponsor";
	return b2b_person_is_active(m->op, m->tenant, ndn) ? NULL : "is locked";
}

static int check_sponsors(struct making *m)
{
	const struct berval *list = m->in->sponsors;
	bool named = list && !BER_BVISNULL(&list[0]);

	if (!named) {
		const char *what = sponsor_fault(m, m->in->who, false);

		return what ? refuse(m, "sponsor", m->in->who->bv_val, what) : LDAP_SUCCESS;
	}
	for (size_t i = 0; !BER_BVISNULL(&list[i]); i++) {
		const char *what = i < B2B_SPONSORS_MAX
					   ? sponsor_fault(m, &list[i], true)
					   : "is one more than the five sponsors a guest may have";

		if (what)
			return refuse(m, "sponsor", list[i].bv_val, what);
	}
	return LDAP_SUCCESS;
}

/* --- who is there already --- */

struct look {
	struct making *m;
	struct berval guest; /* invited before; BVNULL: none */
	bool several, elsewhere, other_mail, uid_taken;
};

static bool holds(Entry *e, const char *attribute, const char *value)
{
	AttributeDescription *ad = NULL;
	const char *why;

	if (slap_str2ad(attribute, &ad, &why) != LDAP_SUCCESS)
		return false;
	Attribute *a = attr_find(e->e_attrs, ad);
	for (unsigned i = 0; a && i < a->a_numvals; i++) {
		if (!strcasecmp(a->a_vals[i].bv_val, value))
			return true;
	}
	return false;
}

static bool sort_out(void *ctx, Entry *e)
{
	struct look *look = ctx;
	struct making *m = look->m;
	bool guest = b2b_map_is_guest(e), mail = holds(e, "mail", m->in->mail);
	bool tenant = holds(e, "b2bHomeTenant", m->partner->tenant_id);

	if (guest && mail && tenant) {
		look->several = look->several || !BER_BVISNULL(&look->guest);
		ber_dupbv_x(&look->guest, &e->e_nname, m->op->o_tmpmemctx);
	} else if (guest && mail) {
		look->elsewhere = true;
	} else if (guest && tenant && m->in->subject &&
		   holds(e, "b2bHomeSubject", m->in->subject)) {
		look->other_mail = true;
	} else {
		look->uid_taken = true;
	}
	return true;
}

static const char *escaped(struct making *m, const char *text)
{
	struct berval value;

	ber_str2bv(text, 0, 0, &value);
	return b2b_inner_escape(m->op, &value);
}

static char *make_filter(struct making *m, const char *uid)
{
	const char *mail = escaped(m, m->in->mail), *name = escaped(m, uid);
	const char *subject = m->in->subject ? escaped(m, m->in->subject) : "";
	const char *tenant = escaped(m, m->partner->tenant_id);
	size_t size = strlen(mail) + strlen(name) + strlen(subject) + strlen(tenant) + 160;
	char *filter = m->op->o_tmpalloc(size, m->op->o_tmpmemctx);
	int used =
		snprintf(filter, size, "(|(&(objectClass=b2bGuest)(mail=%s))(uid=%s)", mail, name);

	if (*subject)
		used += snprintf(filter + used, size - (size_t)used,
				 "(&(objectClass=b2bGuest)(b2bHomeTenant=%s)(b2bHomeSubject=%s))",
				 tenant, subject);
	snprintf(filter + used, size - (size_t)used, ")");
	return filter;
}

/* LDAP_SUCCESS: look->guest is who was invited before, or BVNULL. */
static int look_around(struct making *m, const char *uid, struct look *look)
{
	int rc = b2b_inner_search(m->op, m->tenant,
				  &(struct b2b_where){ &m->tenant->be->be_nsuffix[0],
						       LDAP_SCOPE_SUBTREE, make_filter(m, uid) },
				  sort_out, look);

	if (rc != LDAP_SUCCESS) {
		b2b_error_set(m->error, "the directory could not be searched");
		return LDAP_UNAVAILABLE;
	}
	if (look->several)
		return refuse(m, "mail", m->in->mail, "is that of several guests");
	if (!BER_BVISNULL(&look->guest))
		return LDAP_SUCCESS;
	if (look->elsewhere)
		return refuse(m, "mail", m->in->mail, "is that of a guest from another tenant");
	if (look->other_mail)
		return refuse(m, "subject", m->in->subject,
			      "is that of a guest with another mail address");
	if (look->uid_taken)
		return refuse(m, "uid", uid, "is taken");
	return LDAP_SUCCESS;
}

/* --- once more --- */

static Modifications *invite_again(struct making *m, const struct b2b_record_read *read)
{
	struct b2b_guest guest = read->guest;
	Modifications *mods = NULL;

	guest.invited_at = m->now > guest.invited_at ? m->now : guest.invited_at + 1;
	guest.state_changed = m->now;
	b2b_record_set_time(&mods, B2B_ATTR_INVITED_AT, guest.invited_at);
	b2b_record_set_time(&mods, B2B_ATTR_USER_STATE_CHANGED, m->now);
	if (m->in->message)
		b2b_record_set(&mods, B2B_ATTR_INVITATION_MESSAGE, m->in->message);
	b2b_record_set_due(read, b2b_guest_next_due(&guest, m->policy, m->now), &mods);
	return mods;
}

/* noSuchObject: the guest has gone meanwhile. */
static int send_again(struct making *m, struct berval *ndn)
{
	struct b2b_record_read read;
	time_t end;
	int rc = LDAP_BUSY;

	for (int i = 0; i < TRIES; i++) {
		if (!b2b_record_read(m->op, m->tenant, ndn, &read))
			return LDAP_NO_SUCH_OBJECT;
		m->guest = (struct b2b_name){ read.dn, read.ndn };
		end = b2b_guest_end(&read.guest, m->policy);
		if (!read.guest.enabled || (end && end <= m->now)) {
			b2b_error_set(m->error, read.guest.enabled ? "expired" : "disabled");
			return LDAP_UNWILLING_TO_PERFORM;
		}
		if (read.guest.accepted ||
		    (m->in->not_before && read.guest.invited_at >= m->in->not_before))
			return LDAP_SUCCESS;
		rc = b2b_keeper_write(m->op, m->tenant, &read, invite_again(m, &read));
		if (rc != LDAP_ASSERTION_FAILED)
			return rc;
	}
	return LDAP_BUSY;
}

/* --- for the first time --- */

static struct b2b_name guest_base(struct making *m)
{
	struct b2b_name base = { BER_BVNULL, BER_BVNULL };

	if (m->policy && m->policy->guest_base) {
		ber_str2bv(m->policy->guest_base, 0, 0, &base.dn);
		base.ndn = base.dn;
		return base;
	}
	dnParent(&m->tenant->base, &base.dn);
	dnParent(&m->tenant->nbase, &base.ndn);
	return base;
}

static void put_person(struct making *m, Entry *e, const char *uid)
{
	const struct b2b_invitation *in = m->in;
	const char *name = in->display_name ? in->display_name : in->mail;

	b2b_entry_put(e, "objectClass", "b2bGuest");
	b2b_entry_put(e, "uid", uid);
	b2b_entry_put(e, "cn", name);
	b2b_entry_put(e, "sn", name);
	b2b_entry_put(e, "displayName", in->display_name);
	b2b_entry_put(e, "mail", in->mail);
	b2b_entry_put(e, "preferredLanguage", in->language);
}

static Entry *make_entry(struct making *m, const char *uid)
{
	const struct b2b_invitation *in = m->in;
	Entry *e = b2b_entry_new(&m->guest.dn, &m->guest.ndn, "inetOrgPerson");
	struct b2b_record_change change = { .policy = m->policy, .now = m->now, .who = in->who };

	put_person(m, e, uid);
	b2b_entry_put(e, "b2bHomeTenant", m->partner->tenant_id);
	b2b_entry_put(e, "b2bHomeSubject", in->subject);
	for (const struct berval *s = in->sponsors; s && !BER_BVISNULL(s); s++)
		b2b_entry_put(e, "b2bSponsor", s->bv_val);
	b2b_entry_put(e, "b2bInvitedBy", in->who->bv_val);
	b2b_entry_put_time(e, "b2bInvitedAt", m->now);
	b2b_entry_put(e, "b2bInvitationMessage", in->message);
	if (in->valid_until)
		b2b_entry_put_time(e, "b2bValidUntil", in->valid_until);
	b2b_record_complete(&change, e);
	return e;
}

static int make_guest(struct making *m, const char *uid)
{
	struct b2b_name base = guest_base(m);
	int rc;

	m->guest = b2b_entry_name(m->op, "uid", uid, &base);
	if (BER_BVISNULL(&m->guest.dn))
		return refuse(m, "uid", uid, "cannot be part of a name");
	rc = b2b_inner_add(m->op, m->tenant, make_entry(m, uid));
	if (rc == LDAP_NO_SUCH_OBJECT) {
		b2b_error_set(m->error, "b2bGuestBase: value \"%.200s\" does not exist",
			      base.dn.bv_val);
		return LDAP_UNWILLING_TO_PERFORM;
	}
	return rc;
}

static char *lower(struct making *m, const char *text)
{
	char *copy = (char *)b2b_map_copy(m->op, text);

	for (char *c = copy; *c; c++)
		*c = b2b_lower(*c);
	return copy;
}

/* Somebody may have added or deleted the guest since we looked (another server, another client). */
static int find_or_make(struct making *m)
{
	const char *uid = m->in->uid ? m->in->uid : lower(m, m->in->mail);
	int rc = LDAP_BUSY;

	for (int i = 0; i < TRIES; i++) {
		struct look look = { .m = m };

		rc = look_around(m, uid, &look);
		if (rc != LDAP_SUCCESS)
			return rc;
		rc = BER_BVISNULL(&look.guest) ? make_guest(m, uid) : send_again(m, &look.guest);
		if (rc != LDAP_ALREADY_EXISTS && rc != LDAP_NO_SUCH_OBJECT)
			return rc;
	}
	return LDAP_BUSY;
}

/* --- applications --- */

static int assign(struct making *m, struct b2b_str id)
{
	const struct b2b_rule *app = b2b_snapshot_app_by_id(m->snapshot, id);
	Modifications *mods = NULL;
	struct b2b_name name;

	if (!app)
		return LDAP_SUCCESS; /* "directory", which nobody is assigned to */
	ber_str2bv(app->dn, 0, 0, &name.ndn);
	name.dn = name.ndn;
	b2b_record_set_bytes(&mods, B2B_ATTR_APP_ASSIGNEE, &m->guest.ndn);
	mods->sml_op = LDAP_MOD_ADD;
	int rc = b2b_inner_modify(m->op, m->tenant, &name, NULL, mods, false);
	if (rc == LDAP_SUCCESS || rc == LDAP_TYPE_OR_VALUE_EXISTS)
		return LDAP_SUCCESS;
	b2b_error_set(m->error, "applications: value \"%.*s\": the guest could not be assigned",
		      (int)id.len, id.s);
	return rc;
}

/* --- all of it --- */

static int make(struct making *m)
{
	int rc = check_texts(m);

	if (rc == LDAP_SUCCESS)
		rc = check_times(m);
	if (rc == LDAP_SUCCESS)
		rc = judge(m);
	if (rc == LDAP_SUCCESS)
		rc = check_sponsors(m);
	if (rc != LDAP_SUCCESS)
		return rc;
	ldap_pvt_thread_mutex_lock(&one_at_a_time);
	rc = find_or_make(m);
	ldap_pvt_thread_mutex_unlock(&one_at_a_time);
	for (size_t i = 0; rc == LDAP_SUCCESS && i < m->in->app_count; i++)
		rc = assign(m, m->in->apps[i]);
	return rc;
}

int b2b_invite_make(Operation *op, struct b2b_tenant *tenant,
		    const struct b2b_invitation *invitation, struct b2b_name *guest_r,
		    struct b2b_error *error)
{
	struct making m = {
		.op = op, .tenant = tenant, .in = invitation, .now = slap_get_time(), .error = error
	};
	int rc;

	error->text[0] = '\0';
	if (!tenant->mint) {
		b2b_error_set(error, "b2b-key-file is not configured: tickets cannot be signed");
		return LDAP_UNWILLING_TO_PERFORM;
	}
	m.snapshot = b2b_tenant_snapshot(tenant);
	m.policy = b2b_record_policy(m.snapshot);
	rc = make(&m);
	b2b_snapshot_unref(&m.snapshot);
	*guest_r = m.guest;
	Debug(LDAP_DEBUG_STATS, "b2b: %s invitation guest=\"%s\" by=\"%s\": %s (%d)\n",
	      op->o_log_prefix, m.guest.dn.bv_val ? m.guest.dn.bv_val : "", invitation->who->bv_val,
	      rc == LDAP_SUCCESS ? "made" : error->text, rc);
	if (rc == LDAP_SUCCESS)
		b2b_task_wake(tenant);
	return rc;
}
