/*
 * ctl_guest_life.c - guest disable, restore and reset: one guest goes off, comes back, or is to
 * prove itself anew.
 * In: the guest's entry.
 * Out: one modify operation; for a reset also an invitation.
 */
#include "ctl_life.h"

#include <stdlib.h>
#include <string.h>

#define DAY_SECS 86400
#define LIFETIME_DAYS 90u
#define DURATION_DAYS 14u
#define INVITE "3.1"

struct handling {
	struct ctl_session session;
	struct ctl_entry *entry;
	struct b2b_guest guest;
};

static int start(struct ctl_options *options, struct handling *handling)
{
	struct b2b_source source;
	int result = ctl_session_open(options, &handling->session);

	handling->entry = NULL;
	if (result == CTL_DONE)
		result = ctl_guest_find(handling->session.ld, &handling->session.tenant,
					options->words[0], NULL, NULL, &handling->entry);
	if (result == CTL_DONE) {
		source = ctl_entry_source(handling->entry);
		b2b_guest_parse(&source, &handling->guest, NULL);
	}
	return result;
}

static void end(struct handling *handling)
{
	ctl_entry_free(&handling->entry);
	ctl_session_close(&handling->session);
}

static int send_mods(struct handling *handling, struct ctl_mods *mods)
{
	LDAP *ld = handling->session.ld;
	int code = ctl_mods_send(ld, handling->entry->dn, mods);

	if (code != LDAP_SUCCESS)
		ctl_fail_ldap(ld, code, handling->entry->dn);
	return code;
}

/* guest disable */

static int disable(struct handling *handling)
{
	struct b2b_str why = ctl_entry_first(handling->entry, B2B_ATTR_DISABLED_REASON);
	struct ctl_mods mods = { 0 };

	if (!handling->guest.enabled) {
		ctl_say("unchanged %s: disabled already%s%.*s%s", handling->entry->dn,
			why.len ? " (" : "", (int)why.len, why.s, why.len ? ")" : "");
		return CTL_DONE;
	}
	ctl_mods_add(&mods, LDAP_MOD_REPLACE, B2B_ATTR_ACCOUNT_ENABLED, "FALSE");
	if (send_mods(handling, &mods) != LDAP_SUCCESS)
		return CTL_FAILED;
	ctl_say("disabled %s", handling->entry->dn);
	return CTL_DONE;
}

int ctl_guest_disable(struct ctl_options *options)
{
	struct handling handling;
	int result = start(options, &handling);

	if (result == CTL_DONE)
		result = disable(&handling);
	end(&handling);
	return result;
}

/* guest restore */

static void extend(const struct handling *handling, time_t until, struct ctl_mods *mods,
		   time_t *end_r)
{
	const struct b2b_tenant_policy *policy = ctl_session_policy(&handling->session);
	unsigned lifetime_days = policy ? policy->guest_lifetime_days : LIFETIME_DAYS;
	time_t now = handling->session.now;

	*end_r = b2b_guest_end(&handling->guest, policy);
	if (!until && (*end_r == 0 || *end_r > now))
		return;
	if (!until && lifetime_days == 0) {
		ctl_mods_add(mods, LDAP_MOD_REPLACE, B2B_ATTR_VALID_UNTIL, NULL);
		*end_r = 0;
		return;
	}
	*end_r = until ? until : now + (time_t)lifetime_days * DAY_SECS;
	ctl_mods_add_time(mods, B2B_ATTR_VALID_UNTIL, *end_r);
}

/* Whether the review is what keeps the guest out; then a new one is opened. */
static bool reopen(const struct handling *handling, struct ctl_mods *mods)
{
	const struct b2b_tenant_policy *policy = ctl_session_policy(&handling->session);
	const struct b2b_guest *guest = &handling->guest;
	unsigned days = policy ? policy->review_duration_days : DURATION_DAYS;
	time_t now = handling->session.now;
	bool lapsed = guest->review_due && guest->review_due <= now &&
		      guest->review != B2B_REVIEW_APPROVED;

	if (!lapsed && guest->review != B2B_REVIEW_DENIED)
		return false;
	ctl_mods_add(mods, LDAP_MOD_REPLACE, B2B_ATTR_REVIEW_DECISION, NULL);
	ctl_mods_add(mods, LDAP_MOD_REPLACE, B2B_ATTR_REVIEW_JUSTIFICATION, NULL);
	ctl_mods_add_time(mods, B2B_ATTR_REVIEW_DUE, now + (time_t)(days ? days : 1) * DAY_SECS);
	return true;
}

static void say_restored(const struct handling *handling, time_t until, bool reopened)
{
	char *text = until > 1 ? ctl_time(until) : ctl_format("%s", until ? "unknown" : "no end");

	ctl_say("restored %s (valid until: %s)%s", handling->entry->dn, text,
		reopened ? "; its review is open again" : "");
	free(text);
}

static int restore(struct handling *handling, time_t until)
{
	struct ctl_mods mods = { 0 };
	bool reopened;
	time_t ends;
	int code;

	extend(handling, until, &mods, &ends);
	reopened = reopen(handling, &mods);
	if (!handling->guest.enabled)
		ctl_mods_add(&mods, LDAP_MOD_REPLACE, B2B_ATTR_ACCOUNT_ENABLED, "TRUE");
	if (mods.count == 0) {
		ctl_say("unchanged %s: it is enabled", handling->entry->dn);
		return CTL_DONE;
	}
	code = send_mods(handling, &mods);
	if (code == LDAP_SUCCESS)
		say_restored(handling, ends, reopened);
	else if (reopened &&
		 (code == LDAP_INSUFFICIENT_ACCESS || code == LDAP_CONSTRAINT_VIOLATION))
		ctl_note(
			"its review lapsed or was answered with Deny: one of its reviewers, or who "
			"may manage the entry, opens it again");
	return code == LDAP_SUCCESS ? CTL_DONE : CTL_FAILED;
}

int ctl_guest_restore(struct ctl_options *options)
{
	struct b2b_error error;
	struct handling handling;
	time_t until = 0;
	int result;

	if (options->until && ctl_when(options->until, time(NULL), &until, &error) != B2B_OK)
		return ctl_misuse("--until: ", error.text);
	result = start(options, &handling);
	if (result == CTL_DONE)
		result = restore(&handling, until);
	end(&handling);
	return result;
}

/* guest reset */

static char *mail_of(struct handling *handling)
{
	char *attrs[] = { "mail", NULL }, *mail = NULL;
	LDAPMessage *message = NULL, *entry;
	struct berval **values;
	int code = ldap_search_ext_s(handling->session.ld, handling->entry->dn, LDAP_SCOPE_BASE,
				     "(objectClass=*)", attrs, 0, NULL, NULL, NULL, LDAP_NO_LIMIT,
				     &message);

	entry = code == LDAP_SUCCESS ? ldap_first_entry(handling->session.ld, message) : NULL;
	values = entry ? ldap_get_values_len(handling->session.ld, entry, "mail") : NULL;
	if (values && values[0])
		mail = ctl_format("%.*s", (int)values[0]->bv_len, values[0]->bv_val);
	ldap_value_free_len(values);
	ldap_msgfree(message);
	return mail;
}

/* The ticket goes by mail; it is not for who resets. */
static int invite_again(struct handling *handling, const char *mail)
{
	struct b2b_str home = handling->guest.home_tenant;
	json_t *request = json_object(), *answer = NULL;
	int code;

	json_object_set_new(request, "mail", json_string(mail));
	if (home.len)
		json_object_set_new(request, "tenant", json_stringn(home.s, home.len));
	json_object_set_new(request, "suffix", json_string(handling->entry->dn));
	code = ctl_exop(handling->session.ld, INVITE, request, &answer);
	if (code == LDAP_SUCCESS)
		ctl_say("invited %s again", ctl_exop_text(answer, "dn"));
	else
		ctl_fail_ldap(handling->session.ld, code, "invitation");
	json_decref(answer);
	json_decref(request);
	if (code == LDAP_SUCCESS)
		return CTL_DONE;
	return ctl_fail(
		"the guest was reset but not invited; " CTL_NAME " invite --mail %s does it", mail);
}

static int check_reset(const struct handling *handling, const char *mail)
{
	const char *dn = handling->entry->dn;

	if (!handling->guest.enabled)
		return ctl_fail("%s is disabled: restore it first", dn);
	if (!mail)
		return ctl_fail("%s has no mail address to invite, or you may not read it", dn);
	if (!ctl_is_protected(handling->session.ld))
		return ctl_fail("a ticket is not asked for over a connection without TLS; see -Z");
	return CTL_DONE;
}

static int reset(struct handling *handling)
{
	char *mail = mail_of(handling);
	struct ctl_mods mods = { 0 };
	int result = check_reset(handling, mail);

	/* The server takes state and one-time passwords away with the person. */
	if (result == CTL_DONE && handling->guest.home_subject.len) {
		ctl_mods_add(&mods, LDAP_MOD_DELETE, B2B_ATTR_HOME_SUBJECT, NULL);
		result = send_mods(handling, &mods) == LDAP_SUCCESS ? CTL_DONE : CTL_FAILED;
		if (result == CTL_DONE)
			ctl_say("reset %s", handling->entry->dn);
	} else if (result == CTL_DONE && handling->guest.accepted) {
		result = ctl_fail("%s has no b2bHomeSubject: it is bound to nobody",
				  handling->entry->dn);
	}
	if (result == CTL_DONE)
		result = invite_again(handling, mail);
	free(mail);
	return result;
}

int ctl_guest_reset(struct ctl_options *options)
{
	struct handling handling;
	int result;

	ctl_exop_wipes();
	result = start(options, &handling);
	if (result == CTL_DONE)
		result = reset(&handling);
	end(&handling);
	return result;
}
