/*
 * ctl_review_find.c - finds open reviews: guests' own, and items of definitions.
 * In: the directory; whose they are to be.
 * Out: struct ctl_review for each.
 */
#include "ctl_review.h"

#include <stdlib.h>
#include <string.h>

#define DAY_SECS 86400
#define DURATION_DAYS 14u
#define NAMES_MAX 200u
#define NESTING 8

struct definition {
	char *dn, *name;
	char *closes; /* GeneralizedTime, or empty */
};

struct walk {
	struct ctl_reviews *reviews;
	struct definition *definitions;
	size_t count;
	const struct definition *last; /* that an item belonged to */
};

/* --- guests' own --- */

static enum b2b_attr reviewers_of(const struct ctl_entry *entry)
{
	if (ctl_entry_first(entry, B2B_ATTR_REVIEWER).len)
		return B2B_ATTR_REVIEWER;
	return ctl_entry_first(entry, B2B_ATTR_SPONSOR).len ? B2B_ATTR_SPONSOR
							    : B2B_ATTR_FALLBACK_REVIEWER;
}

/* A review is open from so long before its deadline on that the reviewers have their time. */
static bool is_open(const struct ctl_session *session, const struct b2b_guest *guest)
{
	const struct b2b_tenant_policy *policy = ctl_session_policy(session);
	unsigned days = policy ? policy->review_duration_days : DURATION_DAYS;
	time_t start = guest->review_due - (time_t)days * DAY_SECS;

	return guest->enabled && guest->review_due && guest->review == B2B_REVIEW_UNDECIDED &&
	       (guest->review_asked >= start || start <= session->now);
}

static void take_guest(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct walk *walk = ctx;
	const struct ctl_session *session = walk->reviews->session;
	struct ctl_entry *entry = ctl_entry_new(ld, message);
	struct b2b_source source = ctl_entry_source(entry), tenant = source;
	struct ctl_review review = {
		.dn = entry->dn,
		.guest = entry->dn,
		.review = "",
		.due = ctl_entry_first(entry, B2B_ATTR_REVIEW_DUE),
		.decision = ctl_entry_first(entry, B2B_ATTR_REVIEW_DECISION),
		.reviewers = reviewers_of(entry),
		.entry = &source,
	};
	struct b2b_guest guest;

	b2b_guest_parse(&source, &guest, NULL);
	if (review.reviewers == B2B_ATTR_FALLBACK_REVIEWER && session->tenant.entry) {
		tenant = ctl_entry_source(session->tenant.entry);
		review.entry = &tenant;
	}
	if (is_open(session, &guest))
		walk->reviews->each(walk->reviews->ctx, &review);
	ctl_entry_free(&entry);
}

/* mine stands for every attribute that may name who answers. */
static char *guest_filter(const struct ctl_reviews *reviews)
{
	static const char own[] = "(objectClass=b2bGuest)(b2bReviewDue=*)"
				  "(!(b2bReviewDecision=Approve))(!(b2bReviewDecision=Deny))";

	if (!reviews->mine)
		return ctl_format("(&%s)", own);
	return ctl_format("(&%s(|%s))", own, reviews->mine);
}

static int walk_guests(struct walk *walk)
{
	const struct ctl_session *session = walk->reviews->session;
	const char *one = walk->reviews->guest;
	char *base = one ? ctl_format("%s", one) : ctl_guest_base(&session->tenant);
	char *filter = guest_filter(walk->reviews), *attrs[] = { "*", "+", NULL };
	struct ctl_search search = { base,       one ? LDAP_SCOPE_BASE : LDAP_SCOPE_SUBTREE,
				     filter,     attrs,
				     take_guest, walk };
	int code = ctl_search(session->ld, &search);

	if (code != LDAP_SUCCESS)
		ctl_fail_ldap(session->ld, code, base);
	free(filter);
	free(base);
	return code == LDAP_SUCCESS ? CTL_DONE : CTL_FAILED;
}

/* --- items --- */

static void take_definition(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct walk *walk = ctx;
	struct ctl_entry *entry = ctl_entry_new(ld, message);
	struct b2b_str name = ctl_entry_first(entry, B2B_ATTR_CN);
	struct b2b_str closes = ctl_entry_first(entry, B2B_ATTR_REVIEW_CLOSES);
	struct definition definition = {
		.dn = ctl_format("%s", entry->dn),
		.name = ctl_format("%.*s", (int)name.len, name.s),
		.closes = ctl_format("%.*s", (int)closes.len, closes.s),
	};

	walk->definitions = ctl_grow(walk->definitions, walk->count, sizeof definition);
	walk->definitions[walk->count++] = definition;
	ctl_entry_free(&entry);
}

/* Items come definition by definition, mostly. */
static const struct definition *definition_of(struct walk *walk, const char *item)
{
	const char *above = strchr(item, ',');

	above = above ? above + 1 : "";
	if (walk->last && strcasecmp(walk->last->dn, above) == 0)
		return walk->last;
	for (size_t i = 0; i < walk->count; i++)
		if (strcasecmp(walk->definitions[i].dn, above) == 0)
			return walk->last = &walk->definitions[i];
	return NULL;
}

static void take_item(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct walk *walk = ctx;
	struct ctl_entry *entry = ctl_entry_new(ld, message);
	struct b2b_source source = ctl_entry_source(entry);
	const struct definition *definition = definition_of(walk, entry->dn);
	struct b2b_str guest = ctl_entry_first(entry, B2B_ATTR_REVIEW_GUEST);
	char *guest_dn = ctl_format("%.*s", (int)guest.len, guest.s);
	struct ctl_review review = {
		.dn = entry->dn,
		.guest = guest_dn,
		.review = definition ? definition->name : "?",
		.due = b2b_str_of(definition ? definition->closes : ""),
		.decision = ctl_entry_first(entry, B2B_ATTR_REVIEW_DECISION),
		.recommendation = ctl_entry_first(entry, B2B_ATTR_REVIEW_RECOMMENDATION),
		.reviewers = B2B_ATTR_REVIEWER,
		.entry = &source,
	};

	walk->reviews->each(walk->reviews->ctx, &review);
	free(guest_dn);
	ctl_entry_free(&entry);
}

static char *item_filter(const struct ctl_reviews *reviews)
{
	const char *states = reviews->answered ? "(|(b2bReviewItemState=asked)"
						 "(b2bReviewItemState=answered))"
					       : "(b2bReviewItemState=asked)";
	char *guest = ctl_escape(reviews->guest ? reviews->guest : "");
	char *filter = ctl_format("(&(objectClass=b2bReviewItem)%s%s%s%s%s%s%s)", states,
				  *guest ? "(b2bReviewGuest=" : "", guest, *guest ? ")" : "",
				  reviews->mine ? "(|" : "", reviews->mine ? reviews->mine : "",
				  reviews->mine ? ")" : "");

	free(guest);
	return filter;
}

static int walk_items(struct walk *walk)
{
	const struct ctl_session *session = walk->reviews->session;
	char *base, *filter, *attrs[] = { "*", "+", NULL };
	struct ctl_search search = { .scope = LDAP_SCOPE_SUBTREE, .attrs = attrs, .ctx = walk };
	int code;

	if (!session->tenant.entry)
		return CTL_DONE;
	search.base = base = ctl_format("cn=reviews,%s", session->tenant.entry->dn);
	search.filter = "(objectClass=b2bReviewDefinition)";
	search.each = take_definition;
	code = ctl_search(session->ld, &search);
	search.filter = filter = item_filter(walk->reviews);
	search.each = take_item;
	if (code == LDAP_SUCCESS)
		code = ctl_search(session->ld, &search);
	if (code != LDAP_SUCCESS && code != LDAP_NO_SUCH_OBJECT)
		ctl_fail_ldap(session->ld, code, base);
	free(filter);
	free(base);
	return code == LDAP_SUCCESS || code == LDAP_NO_SUCH_OBJECT ? CTL_DONE : CTL_FAILED;
}

int ctl_reviews_walk(struct ctl_reviews *reviews)
{
	struct walk walk = { .reviews = reviews };
	int result = walk_guests(&walk);

	if (result == CTL_DONE)
		result = walk_items(&walk);
	for (size_t i = 0; i < walk.count; i++) {
		free(walk.definitions[i].dn);
		free(walk.definitions[i].name);
		free(walk.definitions[i].closes);
	}
	free(walk.definitions);
	return result;
}

/* --- whose --- */

struct names {
	char **list;
	size_t count;
};

static void add_name(struct names *names, const char *dn)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcasecmp(names->list[i], dn) == 0)
			return;
	names->list = ctl_grow(names->list, names->count, sizeof *names->list);
	names->list[names->count++] = ctl_format("%s", dn);
}

static void take_group(LDAP *ld, LDAPMessage *message, void *ctx)
{
	char *dn = ldap_get_dn(ld, message);

	if (dn)
		add_name(ctx, dn);
	ldap_memfree(dn);
}

/* Groups that name whom is in the list from start on. */
static int add_groups(const struct ctl_session *session, struct names *names, size_t start)
{
	char *base = ctl_top_dn(&session->tenant), *attrs[] = { "1.1", NULL };
	size_t end = names->count;
	int code = LDAP_SUCCESS;

	for (size_t i = start; i < end && code == LDAP_SUCCESS; i++) {
		char *dn = ctl_escape(names->list[i]);
		char *filter = ctl_format("(|(member=%s)(uniqueMember=%s))", dn, dn);
		struct ctl_search search = { base,  LDAP_SCOPE_SUBTREE, filter,
					     attrs, take_group,         names };

		code = ctl_search(session->ld, &search);
		free(filter);
		free(dn);
	}
	if (code != LDAP_SUCCESS)
		ctl_fail_ldap(session->ld, code, base);
	free(base);
	return code == LDAP_SUCCESS ? CTL_DONE : CTL_FAILED;
}

static char *names_filter(const struct ctl_session *session, const struct names *names)
{
	char *text = ctl_format("%s", ""), *longer;

	for (size_t i = 0; i < names->count; i++) {
		char *dn = ctl_escape(names->list[i]);

		longer = ctl_format("%s(b2bReviewer=%s)(&(!(b2bReviewer=*))(b2bSponsor=%s))", text,
				    dn, dn);
		free(text);
		free(dn);
		text = longer;
	}
	/* Who stands in for reviewers that there are none of. */
	for (size_t i = 0; i < names->count; i++) {
		struct b2b_source tenant;
		struct b2b_str value;

		if (!session->tenant.entry)
			break;
		tenant = ctl_entry_source(session->tenant.entry);
		for (size_t j = 0;
		     tenant.value(tenant.entry, B2B_ATTR_FALLBACK_REVIEWER, j, &value); j++) {
			if (!b2b_str_similar(value, b2b_str_of(names->list[i])))
				continue;
			longer = ctl_format("%s(&(objectClass=b2bGuest)(!(b2bReviewer=*))"
					    "(!(b2bSponsor=*)))",
					    text);
			free(text);
			text = longer;
		}
	}
	return text;
}

int ctl_reviews_mine(struct ctl_reviews *reviews)
{
	const struct ctl_session *session = reviews->session;
	struct names names = { 0 };
	struct berval *who = NULL;
	int code = ldap_whoami_s(session->ld, &who, NULL, NULL), result = CTL_DONE;
	bool named = code == LDAP_SUCCESS && who && who->bv_len > 3 &&
		     strncasecmp(who->bv_val, "dn:", 3) == 0;

	if (code != LDAP_SUCCESS)
		result = ctl_fail_ldap(session->ld, code, "who am I");
	else if (!named)
		result = ctl_fail("--mine: nobody is bound");
	else
		add_name(&names, who->bv_val + 3);
	ber_bvfree(who);
	for (size_t depth = 0, done = 0; result == CTL_DONE && depth < NESTING; depth++) {
		size_t start = done;

		done = names.count;
		if (start == done || done > NAMES_MAX)
			break;
		result = add_groups(session, &names, start);
	}
	if (result == CTL_DONE)
		reviews->mine = names_filter(session, &names);
	for (size_t i = 0; i < names.count; i++)
		free(names.list[i]);
	free(names.list);
	return result;
}
