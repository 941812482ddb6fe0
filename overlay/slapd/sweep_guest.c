/*
 * sweep_guest.c - what is due for one guest: its invitation, a review, the end.
 * In: a guest that b2bNextDue found.  Out: first the notices, whose names follow from what they are
 * about, then one change of the entry, onto what was read; so whatever stops a server in between,
 * the next run makes up for it, and nothing is done twice.
 */
#include "life.h"

struct case_file { /* one guest, as it was read */
	struct b2b_sweep *sweep;
	Entry *e; /* a copy */
	struct b2b_record_read read;
	const char *uuid;
};

static bool open_case(struct b2b_sweep *sweep, const struct berval *ndn, struct case_file *file)
{
	Entry *e = b2b_entry_get(sweep->op, sweep->tenant, (struct berval *)ndn);

	*file = (struct case_file){ .sweep = sweep };
	if (!e)
		return false;
	file->e = entry_dup(e);
	b2b_entry_release(sweep->op, sweep->tenant, e);
	file->uuid = b2b_entry_text(sweep->op, file->e, "entryUUID");
	if (file->uuid && b2b_record_take(sweep->op, file->e, &file->read))
		return true;
	entry_free(file->e);
	return false;
}

static void close_case(struct case_file *file)
{
	entry_free(file->e);
}

/* One word for what a notice is about: this entry, and the moment that makes it another each time. */
static const char *make_key(struct case_file *file, time_t moment)
{
	size_t size = strlen(file->uuid) + B2B_TIME_SIZE + 1;
	char *key = file->sweep->op->o_tmpalloc(size, file->sweep->op->o_tmpmemctx);
	char when[B2B_TIME_SIZE];

	b2b_time_format(moment, when);
	snprintf(key, size, "%s %s", file->uuid, when);
	return key;
}

static void set_time(json_t *data, const char *member, time_t when)
{
	char text[B2B_TIME_SIZE];

	b2b_time_format(when, text);
	json_object_set_new(data, member, json_string(text));
}

/* --- invitations --- */

static json_t *invitation_data(struct case_file *file)
{
	struct b2b_sweep *sweep = file->sweep;
	const struct b2b_tenant_policy *policy = sweep->policy;
	time_t end = b2b_guest_invitation_end(&file->read.guest, policy);
	Attribute *sponsor = attr_find(file->e->e_attrs, b2b_ad[B2B_ATTR_SPONSOR]);
	const char *message = b2b_entry_text(sweep->op, file->e, "b2bInvitationMessage");
	json_t *data = json_object();
	const char *name = NULL;
	Entry *e = sponsor ? b2b_entry_get(sweep->op, sweep->tenant, &sponsor->a_nvals[0]) : NULL;

	if (e) {
		name = b2b_entry_text(sweep->op, e, "displayName");
		name = name ? name : b2b_entry_text(sweep->op, e, "cn");
		b2b_entry_release(sweep->op, sweep->tenant, e);
	}
	json_object_set_new(data, "uuid", json_string(file->uuid));
	set_time(data, "invitedAt", file->read.guest.invited_at);
	if (end)
		set_time(data, "expires", end);
	else
		json_object_set_new(data, "expires", json_string(""));
	json_object_set_new(data, "redemptionUrl",
			    json_string(policy && policy->redemption_url ? policy->redemption_url
									 : "b2b:redeem"));
	json_object_set_new(data, "message", json_string(message ? message : ""));
	json_object_set_new(data, "sponsorName", json_string(name ? name : ""));
	return data;
}

static int invite(struct case_file *file, Modifications **mods)
{
	if (!file->sweep->tenant->mint)
		return LDAP_UNAVAILABLE; /* no ticket can be made now: later */
	json_t *data = invitation_data(file);
	struct b2b_notice notice = { .type = "invitation",
				     .key = make_key(file, file->read.guest.invited_at),
				     .to = &file->e->e_nname,
				     .guest = &file->e->e_nname,
				     .data = data };
	int rc = b2b_outbox_put(file->sweep->op, file->sweep->tenant, &notice);

	json_decref(data);
	file->read.guest.invitation_sent = file->read.guest.invited_at;
	b2b_record_set_time(mods, B2B_ATTR_INVITATION_SENT, file->read.guest.invited_at);
	return rc;
}

/* --- the guest's own review --- */

static void set_sign_in(json_t *data, const struct b2b_guest *guest)
{
	if (guest->last_sign_in)
		set_time(data, "lastSignIn", guest->last_sign_in);
}

/* moment tells this review from others: not due, which a run that makes up for one that was stopped
 * may set anew. */
static int tell_reviewers(struct case_file *file, const char *type, time_t moment, time_t due)
{
	struct b2b_sweep *sweep = file->sweep;
	const struct berval *who =
		b2b_person_reviewers(sweep->op, sweep->tenant, sweep->policy, file->e);
	json_t *data = json_pack("{s:s,s:s}", "review", "", "item", file->e->e_nname.bv_val);
	struct b2b_notice notice = { .type = type,
				     .key = make_key(file, moment),
				     .guest = &file->e->e_nname,
				     .data = data };
	int rc = LDAP_SUCCESS;

	set_time(data, "due", due);
	set_sign_in(data, &file->read.guest);
	if (BER_BVISNULL(who))
		Debug(LDAP_DEBUG_ANY,
		      "b2b: task guest=\"%s\": nobody is left to review it: b2bFallbackReviewer of "
		      "the tenant entry names who would\n",
		      file->e->e_nname.bv_val);
	for (; !BER_BVISNULL(who) && rc == LDAP_SUCCESS; who++) {
		notice.to = who;
		rc = b2b_outbox_put(sweep->op, sweep->tenant, &notice);
	}
	json_decref(data);
	return rc;
}

/* Whether a named reviewer, or a sponsor, is no longer there. */
static const struct berval *gone_reviewer(struct case_file *file)
{
	Attribute *a = attr_find(file->e->e_attrs, b2b_ad[B2B_ATTR_REVIEWER]);

	for (unsigned i = 0; a && i < a->a_numvals; i++) {
		if (!b2b_person_is_active(file->sweep->op, file->sweep->tenant, &a->a_nvals[i]))
			return &a->a_nvals[i];
	}
	return NULL;
}

static int report_gone(struct case_file *file, time_t moment)
{
	const struct berval *gone = gone_reviewer(file);
	struct b2b_sweep *sweep = file->sweep;
	const struct berval *who;
	struct b2b_notice notice = { .type = "reviewer-gone",
				     .key = make_key(file, moment),
				     .guest = &file->e->e_nname };
	int rc = LDAP_SUCCESS;

	if (!gone)
		return rc;
	Debug(LDAP_DEBUG_STATS, "b2b: task guest=\"%s\": reviewer \"%s\" is gone\n",
	      file->e->e_nname.bv_val, gone->bv_val);
	notice.data = json_pack("{s:s}", "reviewer", gone->bv_val);
	who = b2b_person_reviewers(sweep->op, sweep->tenant, sweep->policy, file->e);
	for (; !BER_BVISNULL(who) && rc == LDAP_SUCCESS; who++) {
		notice.to = who;
		rc = b2b_outbox_put(sweep->op, sweep->tenant, &notice);
	}
	json_decref(notice.data);
	return rc;
}

/* What a review without a date of its own is counted from. */
static time_t last_word(const struct b2b_guest *guest)
{
	time_t last = guest->reviewed_at;

	if (last < guest->state_changed)
		last = guest->state_changed;
	if (last < guest->enabled_at)
		last = guest->enabled_at;
	return last ? last : guest->created;
}

static int ask(struct case_file *file, Modifications **mods)
{
	const struct b2b_tenant_policy *policy = file->sweep->policy;
	unsigned days = policy ? policy->review_duration_days : 14;
	struct b2b_guest *guest = &file->read.guest;
	time_t due = guest->review_due, moment = due ? due : last_word(guest);
	int rc;

	if (moment < guest->enabled_at)
		moment = guest->enabled_at;
	if (due <= file->sweep->now)
		due = file->sweep->now + (time_t)(days ? days : 1) * 86400;
	rc = report_gone(file, moment);
	if (rc == LDAP_SUCCESS)
		rc = tell_reviewers(file, "review", moment, due);
	guest->review = B2B_REVIEW_UNDECIDED;
	guest->review_due = due;
	guest->review_asked = file->sweep->now;
	b2b_record_set(mods, B2B_ATTR_REVIEW_DECISION, NULL);
	b2b_record_set(mods, B2B_ATTR_REVIEW_JUSTIFICATION, NULL);
	b2b_record_set_time(mods, B2B_ATTR_REVIEW_DUE, due);
	b2b_record_set_time(mods, B2B_ATTR_REVIEW_ASKED, file->sweep->now);
	return rc;
}

static int remind(struct case_file *file, Modifications **mods)
{
	file->read.guest.review_reminded = file->sweep->now;
	b2b_record_set_time(mods, B2B_ATTR_REVIEW_REMINDED, file->sweep->now);
	return tell_reviewers(file, "reminder", file->read.guest.review_due,
			      file->read.guest.review_due);
}

/* --- the end --- */

static int write_case(struct case_file *file, Modifications *mods)
{
	struct b2b_sweep *sweep = file->sweep;
	int rc;

	b2b_record_set_due(&file->read,
			   b2b_guest_next_due(&file->read.guest, sweep->policy, sweep->now), &mods);
	if (!mods)
		return LDAP_SUCCESS;
	rc = b2b_keeper_write(sweep->op, sweep->tenant, &file->read, mods);
	/* another server, or a client, was faster */
	if (rc != LDAP_SUCCESS && rc != LDAP_ASSERTION_FAILED && rc != LDAP_NO_SUCH_ATTRIBUTE)
		Debug(LDAP_DEBUG_ANY, "b2b: task guest=\"%s\": not written (%d)\n",
		      file->e->e_nname.bv_val, rc);
	return rc;
}

static int disable(struct case_file *file, const char *reason)
{
	struct b2b_sweep *sweep = file->sweep;
	struct b2b_guest *guest = &file->read.guest;
	Modifications *mods = NULL;
	bool lapsed = !strcmp(reason, "review-lapsed");
	struct b2b_notice about;
	json_t *data;
	int rc;

	if (!b2b_sweep_may_stop(sweep, 1))
		return LDAP_BUSY;
	data = json_pack("{s:s}", "reason", reason);
	b2b_record_set(&mods, B2B_ATTR_ACCOUNT_ENABLED, "FALSE");
	guest->delete_after = b2b_record_disable(sweep->policy, reason, sweep->now, &mods);
	set_time(data, "deleteAfter", guest->delete_after);
	about = (struct b2b_notice){
		.type = lapsed ? "lapsed" : "disabled",
		.key = make_key(file, guest->enabled_at ? guest->enabled_at : guest->created),
		.data = data,
	};
	b2b_outbox_tell(sweep->op, sweep->tenant, file->e, &about, true);
	json_decref(data);
	guest->enabled = false;
	rc = write_case(file, mods);
	if (rc != LDAP_SUCCESS)
		return rc;
	b2b_sweep_stopped(sweep);
	Debug(LDAP_DEBUG_STATS, "b2b: task guest=\"%s\" disabled reason=%s\n",
	      file->e->e_nname.bv_val, reason);
	return rc;
}

/* From here on nobody enables it again: who is restored has not lost its memberships meanwhile. */
static int condemn(struct case_file *file, const char *reason)
{
	struct b2b_sweep *sweep = file->sweep;
	struct b2b_guest *guest = &file->read.guest;
	Modifications *mods = NULL;
	int rc;

	if (!guest->enabled && guest->delete_after == B2B_DELETING)
		return LDAP_SUCCESS;
	b2b_record_set(&mods, B2B_ATTR_ACCOUNT_ENABLED, "FALSE");
	if (guest->enabled)
		b2b_record_disable(sweep->policy, reason, sweep->now, &mods);
	b2b_record_set_time(&mods, B2B_ATTR_DELETE_AFTER, B2B_DELETING);
	guest->enabled = false;
	guest->delete_after = B2B_DELETING;
	rc = write_case(file, mods);
	if (rc == LDAP_SUCCESS &&
	    !b2b_record_read(sweep->op, sweep->tenant, &file->e->e_nname, &file->read))
		return LDAP_NO_SUCH_OBJECT;
	return rc;
}

/* Its memberships first: while the entry is there, the next run goes on. */
static int delete_guest(struct case_file *file, const char *reason)
{
	struct b2b_sweep *sweep = file->sweep;
	struct b2b_name name = { file->e->e_name, file->e->e_nname };
	struct b2b_notice about;
	json_t *data;
	int rc;

	if (!b2b_sweep_may_stop(sweep, 1))
		return LDAP_BUSY;
	rc = condemn(file, reason);
	if (rc != LDAP_SUCCESS)
		return rc;
	b2b_sweep_stopped(sweep);
	data = json_pack("{s:s}", "reason", reason);
	about = (struct b2b_notice){ .type = "deleted",
				     .key = make_key(file, file->read.guest.created),
				     .data = data };
	rc = b2b_group_remove_all(sweep, &file->e->e_nname);
	if (rc == LDAP_SUCCESS)
		b2b_outbox_tell(sweep->op, sweep->tenant, file->e, &about, false);
	json_decref(data);
	if (rc == LDAP_SUCCESS)
		rc = b2b_inner_delete(sweep->op, sweep->tenant, &name, file->read.csn);
	if (rc == LDAP_SUCCESS)
		Debug(LDAP_DEBUG_STATS, "b2b: task guest=\"%s\" deleted reason=%s\n",
		      name.ndn.bv_val, reason);
	else if (rc != LDAP_NO_SUCH_OBJECT && rc != LDAP_ASSERTION_FAILED)
		Debug(LDAP_DEBUG_ANY, "b2b: task guest=\"%s\": not deleted (%d)\n", name.ndn.bv_val,
		      rc);
	return rc;
}

int b2b_guest_disable(struct b2b_sweep *sweep, const struct berval *ndn, const char *reason)
{
	struct case_file file;
	int rc;

	if (!open_case(sweep, ndn, &file))
		return LDAP_NO_SUCH_OBJECT;
	rc = file.read.guest.enabled ? disable(&file, reason) : LDAP_SUCCESS;
	close_case(&file);
	return rc;
}

int b2b_guest_delete(struct b2b_sweep *sweep, const struct berval *ndn, const char *reason)
{
	struct case_file file;
	int rc;

	if (!open_case(sweep, ndn, &file))
		return LDAP_NO_SUCH_OBJECT;
	rc = delete_guest(&file, reason);
	close_case(&file);
	return rc;
}

/* --- all --- */

static const char *disabled_reason(struct case_file *file)
{
	const char *reason = b2b_entry_text(file->sweep->op, file->e, "b2bDisabledReason");

	return reason ? reason : "disabled";
}

static int take_step(struct case_file *file)
{
	Modifications *mods = NULL;
	const char *why;
	int rc = LDAP_SUCCESS;

	switch (b2b_guest_step(&file->read.guest, file->sweep->policy, file->sweep->now, &why)) {
	case B2B_STEP_DISABLE:
		return disable(file, why);
	case B2B_STEP_DROP:
		return delete_guest(file, "unredeemed");
	case B2B_STEP_DELETE:
		return delete_guest(file, disabled_reason(file));
	case B2B_STEP_INVITE:
		rc = invite(file, &mods);
		break;
	case B2B_STEP_ASK:
		rc = ask(file, &mods);
		break;
	case B2B_STEP_REMIND:
		rc = remind(file, &mods);
		break;
	case B2B_STEP_NONE:
	default:
		break;
	}
	if (rc == LDAP_SUCCESS)
		return write_case(file, mods);
	slap_mods_free(mods, 1);
	return rc;
}

bool b2b_guest_run(struct b2b_sweep *sweep, const struct berval *ndn)
{
	struct case_file file;
	int rc;

	if (!open_case(sweep, ndn, &file))
		return false;
	rc = take_step(&file);
	close_case(&file);
	return rc == LDAP_SUCCESS;
}
