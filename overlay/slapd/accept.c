/*
 * accept.c - what a redemption writes: that the guest accepted, who it is at home for ever, and which
 * terms it accepted.
 * In: an admission whose proof was right and which policy let in.  Out: one modification, onto the
 * guest as it was read and nothing else.
 */
#include "proof.h"

/* The ticket of an invitation is good once: it is not that of the invitation any more, whatever else
 * becomes of the guest, and nothing is left to be mailed. */
static void use_ticket_up(const struct b2b_guest *guest, Modifications **mods)
{
	if (!guest->invited_at)
		return;
	b2b_record_set_time(mods, B2B_ATTR_INVITED_AT, guest->invited_at + 1);
	b2b_record_set_time(mods, B2B_ATTR_INVITATION_SENT, guest->invited_at + 1);
}

static void set_due(const struct b2b_admission *admission, const struct b2b_record_read *read,
		    time_t now, Modifications **mods)
{
	struct b2b_guest guest = read->guest;

	if (!guest.accepted)
		guest.state_changed = now;
	guest.accepted = true;
	b2b_record_set_due(read,
			   b2b_guest_next_due(&guest, b2b_record_policy(admission->snapshot), now),
			   mods);
}

int b2b_accept_write(Operation *op, const struct b2b_admission *admission, enum b2b_idp kind,
		     struct b2b_record_read *read)
{
	struct b2b_str subject = b2b_prove_subject(op, admission, kind);
	time_t now = slap_get_time();
	Modifications *mods = NULL;

	if (!read->guest.accepted) {
		b2b_record_set(&mods, B2B_ATTR_USER_STATE, "Accepted");
		b2b_record_set_time(&mods, B2B_ATTR_USER_STATE_CHANGED, now);
		use_ticket_up(&read->guest, &mods);
		if (!read->guest.home_subject.len && subject.len)
			b2b_record_set(&mods, B2B_ATTR_HOME_SUBJECT, subject.s);
	}
	if (admission->terms.len)
		b2b_record_set(&mods, B2B_ATTR_TERMS_ACCEPTED, admission->terms.s);
	set_due(admission, read, now, &mods);
	return mods ? b2b_keeper_write(op, admission->tenant, read, mods) : LDAP_SUCCESS;
}

bool b2b_accept_first(Operation *op, struct b2b_admission *admission, enum b2b_idp kind)
{
	const struct b2b_guest *guest = &admission->guest;
	struct b2b_str subject = b2b_prove_subject(op, admission, kind);
	bool binds = subject.len && !guest->home_subject.len;
	struct b2b_record_read read;
	int rc;

	if (guest->accepted || !b2b_tenant_is_writable(admission->tenant))
		return true;
	if (!b2b_record_read(op, admission->tenant, &admission->ndn, &read))
		return false;
	/* onto nothing but the guest that was judged: since then somebody may have been faster */
	if (!read.guest.accepted && b2b_str_equal(read.guest.home_subject, guest->home_subject)) {
		rc = b2b_accept_write(op, admission, kind, &read);
		/* not written is not lost: the next proof redeems */
		if (rc != LDAP_SUCCESS && rc != LDAP_ASSERTION_FAILED)
			Debug(LDAP_DEBUG_ANY,
			      "%s b2b: guest=\"%s\": redemption could not be written (%d)\n",
			      op->o_log_prefix, guest->dn, rc);
	}
	if (!binds)
		return true;
	/* if it has a subject now, it must be the proof's */
	BER_BVZERO(&admission->person);
	return b2b_admission_read(op, admission) &&
	       (!guest->home_subject.len || b2b_str_equal(guest->home_subject, subject));
}
