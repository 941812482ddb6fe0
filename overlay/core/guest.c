/*
 * guest.c - a guest's record: read, checked, and when the task must look at it.
 * In: a guest's entry, or the entry as it would be after a write.
 * Out: struct b2b_guest; a value that cannot be read leaves it not well-formed, which denies.
 */
#include "guest.h"
#include "policy_parts.h"

#define DAY_SECS ((time_t)86400)
#define HOUR_SECS ((time_t)3600)
#define DEFAULT_LIFETIME_DAYS 90u
#define COUNT(array) (sizeof(array) / sizeof *(array))

static void read_keywords(struct b2b_reader *reader, struct b2b_guest *guest)
{
	static const struct b2b_word idps[] = { { "oidc", B2B_IDP_OIDC },
						{ "saml", B2B_IDP_SAML },
						{ "ldap", B2B_IDP_LDAP },
						{ "passcode", B2B_IDP_PASSCODE } };
	static const struct b2b_word types[] = { { "Guest", B2B_USER_GUEST },
						 { "Member", B2B_USER_MEMBER } };
	static const struct b2b_word states[] = { { "PendingAcceptance", 0 }, { "Accepted", 1 } };
	static const struct b2b_word decisions[] = { { "Approve", B2B_REVIEW_APPROVED },
						     { "Deny", B2B_REVIEW_DENIED },
						     { "DontKnow", B2B_REVIEW_UNDECIDED } };
	int word;

	if (b2b_read_word(reader, B2B_ATTR_IDENTITY_PROVIDER, idps, COUNT(idps), &word))
		guest->pinned = (enum b2b_idp)word;
	if (b2b_read_word(reader, B2B_ATTR_USER_TYPE, types, COUNT(types), &word))
		guest->user_type = (enum b2b_user_type)word;
	if (b2b_read_word(reader, B2B_ATTR_USER_STATE, states, COUNT(states), &word))
		guest->accepted = word == 1;
	if (b2b_read_word(reader, B2B_ATTR_REVIEW_DECISION, decisions, COUNT(decisions), &word))
		guest->review = (enum b2b_review)word;
}

static void read_life(struct b2b_reader *reader, struct b2b_guest *guest)
{
	struct b2b_str reason;

	b2b_read_time(reader, B2B_ATTR_INVITED_AT, &guest->invited_at);
	b2b_read_time(reader, B2B_ATTR_INVITATION_SENT, &guest->invitation_sent);
	b2b_read_time(reader, B2B_ATTR_USER_STATE_CHANGED, &guest->state_changed);
	b2b_read_time(reader, B2B_ATTR_ENABLED_AT, &guest->enabled_at);
	b2b_read_time(reader, B2B_ATTR_LAST_SIGN_IN, &guest->last_sign_in);
	b2b_read_time(reader, B2B_ATTR_REVIEW_ASKED, &guest->review_asked);
	b2b_read_time(reader, B2B_ATTR_REVIEW_REMINDED, &guest->review_reminded);
	b2b_read_time(reader, B2B_ATTR_REVIEWED_AT, &guest->reviewed_at);
	b2b_read_time(reader, B2B_ATTR_DELETE_AFTER, &guest->delete_after);
	if (b2b_read_one(reader, B2B_ATTR_DISABLED_REASON, &reason))
		guest->disabled_by_admin =
			b2b_str_equal_nocase(reason, b2b_str_of("administrator"));
}

static void read_guest(struct b2b_reader *reader, struct b2b_guest *guest)
{
	struct b2b_str sponsor;

	guest->dn = reader->source->dn;
	b2b_read_one(reader, B2B_ATTR_HOME_TENANT, &guest->home_tenant);
	b2b_read_one(reader, B2B_ATTR_HOME_SUBJECT, &guest->home_subject);
	read_keywords(reader, guest);
	b2b_read_bool(reader, B2B_ATTR_ACCOUNT_ENABLED, &guest->enabled);
	b2b_read_time(reader, B2B_ATTR_VALID_FROM, &guest->valid_from);
	b2b_read_time(reader, B2B_ATTR_VALID_UNTIL, &guest->valid_until);
	b2b_read_time(reader, B2B_ATTR_CREATE_TIMESTAMP, &guest->created);
	b2b_read_time(reader, B2B_ATTR_REVIEW_DUE, &guest->review_due);
	b2b_read_time(reader, B2B_ATTR_NEXT_DUE, &guest->next_due);
	b2b_read_one(reader, B2B_ATTR_CLEARANCE, &guest->clearance);
	b2b_policy_read_level(reader, &guest->level);
	b2b_read_one(reader, B2B_ATTR_TERMS_ACCEPTED, &guest->terms_accepted);
	for (size_t index = 0; b2b_read_next(reader, B2B_ATTR_SPONSOR, &index, &sponsor);)
		guest->sponsor_count++;
	read_life(reader, guest);
}

enum b2b_err b2b_guest_parse(const struct b2b_source *source, struct b2b_guest *guest_r,
			     struct b2b_error *error)
{
	struct b2b_reader reader = { .source = source, .error = error };
	struct b2b_guest guest = { 0 };

	if (error)
		error->text[0] = '\0';
	read_guest(&reader, &guest);
	guest.well_formed = !reader.invalid;
	*guest_r = guest;
	return reader.invalid ? B2B_ERR_INVALID : B2B_OK;
}

static void refuse_value(struct b2b_reader *reader, enum b2b_attr attr, size_t index,
			 const char *what)
{
	struct b2b_str value;

	if (reader->source->value(reader->source->entry, attr, index, &value))
		b2b_read_refuse(reader, attr, value, what);
}

enum b2b_err b2b_guest_check(const struct b2b_source *source, struct b2b_error *error)
{
	struct b2b_reader reader = { .source = source, .error = error };
	const struct b2b_str none = { 0 };
	struct b2b_guest guest = { 0 };

	if (error)
		error->text[0] = '\0';
	read_guest(&reader, &guest);
	if (guest.home_tenant.len == 0)
		b2b_read_refuse(&reader, B2B_ATTR_HOME_TENANT, none, "is missing");
	if (guest.sponsor_count > B2B_SPONSORS_MAX)
		refuse_value(&reader, B2B_ATTR_SPONSOR, B2B_SPONSORS_MAX,
			     "is one more than the five sponsors a guest may have");
	if (guest.valid_until && guest.valid_until <= guest.valid_from)
		refuse_value(&reader, B2B_ATTR_VALID_UNTIL, 0, "does not come after b2bValidFrom");
	return reader.invalid ? B2B_ERR_INVALID : B2B_OK;
}

time_t b2b_guest_end(const struct b2b_guest *guest, const struct b2b_tenant_policy *tenant)
{
	unsigned days = tenant ? tenant->guest_lifetime_days : DEFAULT_LIFETIME_DAYS;

	if (guest->valid_until)
		return guest->valid_until;
	if (days == 0)
		return 0;
	return guest->created ? guest->created + (time_t)days * DAY_SECS : 1;
}

/* --- what is due --- */

struct moments { /* of everything that may be due; 0: never */
	time_t end, review_end, review_start, remind, inactive, unredeemed, invite, delete;
};

static time_t later(time_t a, time_t b)
{
	return a > b ? a : b;
}

static time_t after(time_t when, unsigned days)
{
	return when + (time_t)days * DAY_SECS;
}

time_t b2b_guest_invitation_end(const struct b2b_guest *guest,
				const struct b2b_tenant_policy *tenant)
{
	unsigned days = tenant ? tenant->invitation_lifetime_days : 30;
	time_t since = guest->invited_at;

	if (guest->state_changed && guest->state_changed < since)
		since = guest->state_changed;
	return since && days ? after(since, days) : 0;
}

static time_t inactive_from(const struct b2b_guest *guest, unsigned days)
{
	time_t seen = later(guest->last_sign_in, later(guest->state_changed, guest->enabled_at));

	if (!days || !guest->accepted)
		return 0;
	seen = seen ? seen : guest->created;
	return seen ? after(seen, days) : 0;
}

/* Who was reset, or enabled again, has as much time to redeem as who is new, even if its last invitation
 * is long over. */
static time_t unredeemed_from(const struct b2b_guest *guest, const struct b2b_tenant_policy *tenant)
{
	unsigned days = tenant ? tenant->invitation_lifetime_days : 30;
	time_t since = guest->state_changed ? guest->state_changed : guest->invited_at;

	return days ? after(later(since, guest->enabled_at), days) : 0;
}

/* A review that nobody fixed a date for starts an interval after the last one, or after the guest
 * came; one with a date, so long before it that its reviewers have their time. */
static void find_review(const struct b2b_guest *guest, unsigned interval_days,
			unsigned duration_days, struct moments *moments)
{
	time_t start, last = later(guest->reviewed_at, guest->enabled_at);

	if (guest->review == B2B_REVIEW_DENIED)
		moments->review_end = 1; /* a denial does not wait for the deadline */
	else if (guest->review == B2B_REVIEW_UNDECIDED)
		moments->review_end = guest->review_due;
	if (!guest->accepted)
		return;
	if (guest->review_due) {
		start = guest->review_due - (time_t)duration_days * DAY_SECS;
	} else {
		last = later(last, guest->state_changed);
		last = last ? last : guest->created;
		start = last && interval_days ? after(last, interval_days) : 0;
	}
	if (!start)
		return;
	if (guest->review_asked < start || !guest->review_asked)
		moments->review_start = start;
	else if (guest->review == B2B_REVIEW_UNDECIDED && guest->review_due > guest->review_asked &&
		 guest->review_reminded < guest->review_asked)
		moments->remind =
			guest->review_asked + (guest->review_due - guest->review_asked) / 2;
}

static struct moments find_moments(const struct b2b_guest *guest,
				   const struct b2b_tenant_policy *tenant)
{
	struct moments moments = { 0 };

	if (!guest->enabled) {
		moments.delete = guest->delete_after;
		return moments;
	}
	moments.end = b2b_guest_end(guest, tenant);
	moments.inactive = inactive_from(guest, tenant ? tenant->inactivity_days : 0);
	find_review(guest, tenant ? tenant->review_interval_days : 90,
		    tenant ? tenant->review_duration_days : 14, &moments);
	if (!guest->accepted && guest->invited_at) {
		moments.unredeemed = unredeemed_from(guest, tenant);
		/* at once: a second one within a second is dated a second later */
		if (guest->invitation_sent < guest->invited_at)
			moments.invite = guest->invited_at - HOUR_SECS;
	}
	return moments;
}

static bool is_over(time_t moment, time_t now)
{
	return moment && moment <= now;
}

enum b2b_step b2b_guest_step(const struct b2b_guest *guest, const struct b2b_tenant_policy *tenant,
			     time_t now, const char **why_r)
{
	struct moments moments = find_moments(guest, tenant);
	const char *why = NULL;

	if (is_over(moments.end, now))
		why = "expired";
	else if (is_over(moments.review_end, now))
		why = "review-lapsed";
	else if (is_over(moments.inactive, now))
		why = "inactive";
	if (why_r)
		*why_r = why;
	if (is_over(moments.delete, now))
		return B2B_STEP_DELETE;
	if (why)
		return B2B_STEP_DISABLE;
	if (is_over(moments.unredeemed, now))
		return B2B_STEP_DROP;
	if (is_over(moments.invite, now))
		return B2B_STEP_INVITE;
	if (is_over(moments.review_start, now))
		return B2B_STEP_ASK;
	return is_over(moments.remind, now) ? B2B_STEP_REMIND : B2B_STEP_NONE;
}

static void take_earlier(time_t *due, time_t moment)
{
	if (moment && (*due == 0 || moment < *due))
		*due = moment;
}

time_t b2b_guest_next_due(const struct b2b_guest *guest, const struct b2b_tenant_policy *tenant,
			  time_t now)
{
	struct moments moments = find_moments(guest, tenant);
	time_t due = 0;

	take_earlier(&due, moments.delete);
	take_earlier(&due, moments.end);
	take_earlier(&due, moments.review_end);
	take_earlier(&due, moments.inactive);
	take_earlier(&due, moments.unredeemed);
	take_earlier(&due, moments.invite);
	take_earlier(&due, moments.review_start);
	take_earlier(&due, moments.remind);
	return due ? b2b_time_due(due, now) : 0;
}
