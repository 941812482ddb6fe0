/*
 * guest.c - a guest's record: read, checked, and when the task must look at it.
 * In: a guest's entry, or the entry as it would be after a write.
 * Out: struct b2b_guest; a value that cannot be read leaves it not well-formed, which denies.
 */
#include "guest.h"
#include "read.h"

#define DAY_SECS ((time_t)86400)
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
	b2b_read_one(reader, B2B_ATTR_TERMS_ACCEPTED, &guest->terms_accepted);
	for (size_t index = 0; b2b_read_next(reader, B2B_ATTR_SPONSOR, &index, &sponsor);)
		guest->sponsor_count++;
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

#define HOUR_SECS 3600

time_t b2b_guest_end(const struct b2b_guest *guest, const struct b2b_tenant_policy *tenant)
{
	unsigned days = tenant ? tenant->guest_lifetime_days : DEFAULT_LIFETIME_DAYS;

	if (guest->valid_until)
		return guest->valid_until;
	if (days == 0)
		return 0;
	return guest->created ? guest->created + (time_t)days * DAY_SECS : 1;
}

time_t b2b_guest_next_due(const struct b2b_guest *guest, const struct b2b_tenant_policy *tenant,
			  time_t now)
{
	time_t due = b2b_guest_end(guest, tenant), review = 0;

	if (!guest->enabled)
		return 0;
	if (guest->review == B2B_REVIEW_DENIED)
		review = 1; /* a denial does not wait for the deadline */
	else if (guest->review == B2B_REVIEW_UNDECIDED)
		review = guest->review_due;
	if (review && (due == 0 || review < due))
		due = review;
	if (due == 0)
		return 0;
	if (due > now)
		return b2b_time_round_up_hour(due);
	/* overdue: an hour that is past, so that the next sweep finds it */
	due -= due % HOUR_SECS;
	return due > 0 ? due : HOUR_SECS;
}
