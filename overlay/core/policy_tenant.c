/*
 * policy_tenant.c - our own tenant's entry: guest defaults, domains, labels.
 * In: the b2bTenant entry.
 * Out: struct b2b_tenant_policy, with the defaults of the design where the entry is silent.
 */
#include "policy_parts.h"
#include "mail.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool has_label(const struct b2b_tenant_policy *tenant, struct b2b_str label)
{
	for (size_t i = 0; i < tenant->label_count; i++)
		if (b2b_str_similar(b2b_str_of(tenant->labels[i]), label))
			return true;
	return false;
}

static void read_labels(struct b2b_reader *reader, struct b2b_tenant_policy *tenant)
{
	const enum b2b_attr attr = B2B_ATTR_LABEL_ORDER;
	struct b2b_ordered *list;
	size_t count;

	b2b_read_ordered(reader, attr, &list, &count);
	for (size_t i = 0; i < count; i++) {
		bool same_index = i > 0 && list[i].prefixed && list[i - 1].index == list[i].index;

		if (!list[i].prefixed && count > 1)
			b2b_read_refuse(reader, attr, list[i].value, "has no {n} prefix");
		else if (same_index)
			b2b_read_refuse(reader, attr, list[i].value, "repeats a prefix");
		else if (has_label(tenant, list[i].rest))
			b2b_read_refuse(reader, attr, list[i].value, "repeats a label");
		else
			b2b_read_append(reader, list[i].rest, &tenant->labels,
					&tenant->label_count);
	}
	free(list);
	if (b2b_read_text(reader, B2B_ATTR_DEFAULT_LABEL, &tenant->default_label) &&
	    !has_label(tenant, b2b_str_of(tenant->default_label)))
		b2b_read_refuse(reader, B2B_ATTR_DEFAULT_LABEL, b2b_str_of(tenant->default_label),
				"is not in b2bLabelOrder");
}

static bool is_type_char(char c)
{
	c = b2b_lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

/* "type=label"; "type: label" and "type label" mean the same. */
static void split_attribute_label(struct b2b_str value, struct b2b_str *type_r,
				  struct b2b_str *label_r)
{
	size_t at = 0, end;

	while (at < value.len && is_type_char(value.s[at]))
		at++;
	*type_r = (struct b2b_str){ value.s, at };
	end = at;
	while (at < value.len && value.s[at] == ' ')
		at++;
	if (at < value.len && (value.s[at] == '=' || value.s[at] == ':'))
		at++;
	while (at < value.len && value.s[at] == ' ')
		at++;
	*label_r = (struct b2b_str){ value.s + at, at > end ? value.len - at : 0 };
}

static bool has_attribute_label(const struct b2b_tenant_policy *tenant, struct b2b_str type)
{
	for (size_t i = 0; i < tenant->attribute_label_count; i++)
		if (b2b_str_equal_nocase(b2b_str_of(tenant->attribute_labels[i].type), type))
			return true;
	return false;
}

static void append_attribute_label(struct b2b_reader *reader, struct b2b_tenant_policy *tenant,
				   struct b2b_str type, struct b2b_str label)
{
	struct b2b_attribute_label *list = tenant->attribute_labels, *here;
	size_t count = tenant->attribute_label_count;
	char *text = malloc(type.len + label.len + 2);

	list = realloc(list, (count + 1) * sizeof *list);
	if (list)
		tenant->attribute_labels = list;
	if (!list || !text) {
		free(text);
		reader->no_memory = true;
		return;
	}
	here = &list[tenant->attribute_label_count++];
	here->type = text;
	here->label = text + type.len + 1;
	memcpy(here->type, type.s, type.len);
	here->type[type.len] = '\0';
	memcpy(here->label, label.s, label.len);
	here->label[label.len] = '\0';
}

static void read_attribute_labels(struct b2b_reader *reader, struct b2b_tenant_policy *tenant)
{
	const enum b2b_attr attr = B2B_ATTR_ATTRIBUTE_LABEL;
	struct b2b_str value, type, label;

	for (size_t index = 0; b2b_read_next(reader, attr, &index, &value);) {
		split_attribute_label(value, &type, &label);
		if (type.len == 0 || label.len == 0)
			b2b_read_refuse(reader, attr, value, "is not <attribute type>=<label>");
		else if (!has_label(tenant, label))
			b2b_read_refuse(reader, attr, value, "has a label not in b2bLabelOrder");
		else if (has_attribute_label(tenant, type))
			b2b_read_refuse(reader, attr, value, "labels a type a second time");
		else
			append_attribute_label(reader, tenant, type, label);
	}
}

void b2b_policy_read_level(struct b2b_reader *reader, struct b2b_guest_level *level)
{
	static const struct b2b_word words[] = { { "restricted", B2B_SEES_RESTRICTED },
						 { "limited", B2B_SEES_LIMITED },
						 { "member", B2B_SEES_MEMBER } };
	int word = B2B_SEES_RESTRICTED;
	struct b2b_str value;

	level->set = b2b_read_one(reader, B2B_ATTR_GUEST_ACCESS, &value);
	b2b_read_word(reader, B2B_ATTR_GUEST_ACCESS, words, COUNT(words), &word);
	level->access = (enum b2b_guest_access)word;
}

/* A list that reads "*" would be taken for "all" by whoever wrote it, and match nobody. */
void b2b_policy_read_domains(struct b2b_reader *reader, enum b2b_attr attr, bool star,
			     struct b2b_list *list)
{
	struct b2b_str value;

	for (size_t index = 0; b2b_read_next(reader, attr, &index, &value);) {
		bool is_star = b2b_str_equal(value, b2b_str_of("*"));
		const char *fault = star && is_star ? NULL : b2b_domain_fault(value);

		if (fault)
			b2b_read_refuse(reader, attr, value, fault);
		else
			b2b_read_append(reader, value, &list->list, &list->count);
	}
	for (size_t i = 0; i < list->count; i++)
		for (char *c = list->list[i]; *c; c++)
			*c = b2b_lower(*c);
}

static void read_domains(struct b2b_reader *reader, struct b2b_tenant_policy *tenant)
{
	struct b2b_list *blocked = &tenant->blocked_domains;

	b2b_policy_read_domains(reader, B2B_ATTR_ALLOWED_DOMAIN, false, &tenant->allowed_domains);
	b2b_policy_read_domains(reader, B2B_ATTR_BLOCKED_DOMAIN, false, blocked);
	b2b_policy_read_domains(reader, B2B_ATTR_TENANT_DOMAIN, false, &tenant->domains);
	if (tenant->allowed_domains.count && blocked->count)
		b2b_read_refuse(
			reader, B2B_ATTR_BLOCKED_DOMAIN, b2b_str_of(blocked->list[0]),
			"stands beside b2bAllowedDomain, and only one of the two may be used");
}

/* "500" or "20%" */
static void read_mass_limit(struct b2b_reader *reader, struct b2b_mass_limit *limit)
{
	struct b2b_str value, number;
	bool is_percent;

	limit->guests = 500;
	limit->percent = 20;
	if (!b2b_read_one(reader, B2B_ATTR_MASS_LIMIT, &value))
		return;
	number = value;
	is_percent = value.s[value.len - 1] == '%';
	if (is_percent)
		number.len--;
	limit->guests = limit->percent = 0;
	if (b2b_number_parse(number, 1, is_percent ? 100 : 999999999,
			     is_percent ? &limit->percent : &limit->guests) == B2B_OK)
		return;
	limit->guests = 1; /* nothing but the entry's mending goes on */
	b2b_read_refuse(reader, B2B_ATTR_MASS_LIMIT, value,
			"is neither a number such as 500 nor a percentage such as 20%");
}

static void read_redemption_url(struct b2b_reader *reader, struct b2b_tenant_policy *tenant)
{
	const enum b2b_attr attr = B2B_ATTR_REDEMPTION_URL;
	struct b2b_str value;

	if (!b2b_read_one(reader, attr, &value))
		return;
	if (b2b_link_is_safe(value))
		b2b_read_text(reader, attr, &tenant->redemption_url);
	else
		b2b_read_refuse(reader, attr, value,
				"is neither https://... nor an URI such as b2b:redeem");
}

static void read_people(struct b2b_reader *reader, struct b2b_tenant_policy *tenant)
{
	static const struct b2b_word inviters[] = { { "none", B2B_INVITES_NONE },
						    { "admins", B2B_INVITES_ADMINS },
						    { "inviters", B2B_INVITES_INVITERS },
						    { "members", B2B_INVITES_MEMBERS } };
	static const struct b2b_word asks[] = { { "none", B2B_ASKS_NONE },
						{ "members", B2B_ASKS_MEMBERS },
						{ "anonymous", B2B_ASKS_ANONYMOUS } };
	int word = B2B_INVITES_ADMINS;

	b2b_read_word(reader, B2B_ATTR_ALLOW_INVITES_FROM, inviters, COUNT(inviters), &word);
	tenant->inviters_are = (enum b2b_inviters)word;
	word = B2B_ASKS_NONE;
	b2b_read_word(reader, B2B_ATTR_SELF_SERVICE, asks, COUNT(asks), &word);
	tenant->self_service = (enum b2b_self_service)word;
	b2b_policy_read_dns(reader, B2B_ATTR_INVITER, &tenant->inviters.list,
			    &tenant->inviters.count);
	b2b_policy_read_dns(reader, B2B_ATTR_FALLBACK_REVIEWER, &tenant->fallback_reviewers.list,
			    &tenant->fallback_reviewers.count);
	b2b_policy_read_dns(reader, B2B_ATTR_APPROVER, &tenant->approvers.list,
			    &tenant->approvers.count);
}

static bool is_attribute_name(const char *name)
{
	const char *rest = name + 1;

	if (!(b2b_lower(*name) >= 'a' && b2b_lower(*name) <= 'z'))
		return false;
	while ((b2b_lower(*rest) >= 'a' && b2b_lower(*rest) <= 'z') ||
	       (*rest >= '0' && *rest <= '9') || *rest == '-')
		rest++;
	return *rest == '\0';
}

static void read_requests(struct b2b_reader *reader, struct b2b_tenant_policy *tenant)
{
	struct b2b_list *names = &tenant->request_requires;

	b2b_read_list(reader, B2B_ATTR_REQUEST_REQUIRES, &names->list, &names->count);
	for (size_t i = 0; i < names->count; i++) {
		if (!is_attribute_name(names->list[i]))
			b2b_read_refuse(reader, B2B_ATTR_REQUEST_REQUIRES,
					b2b_str_of(names->list[i]),
					"is not the name of an attribute");
		for (char *c = names->list[i]; *c; c++)
			*c = b2b_lower(*c);
	}
	b2b_read_bool(reader, B2B_ATTR_REQUEST_HOOK, &tenant->request_hook);
}

static void read_days(struct b2b_reader *reader, struct b2b_tenant_policy *tenant)
{
	tenant->guest_lifetime_days = 90;
	tenant->review_interval_days = 90;
	tenant->review_duration_days = 14;
	tenant->invitation_lifetime_days = 30;
	tenant->delete_grace_days = 30;
	b2b_read_days(reader, B2B_ATTR_GUEST_LIFETIME, &tenant->guest_lifetime_days);
	b2b_read_days(reader, B2B_ATTR_REVIEW_INTERVAL, &tenant->review_interval_days);
	b2b_read_days(reader, B2B_ATTR_REVIEW_DURATION, &tenant->review_duration_days);
	b2b_read_days(reader, B2B_ATTR_INVITATION_LIFETIME, &tenant->invitation_lifetime_days);
	b2b_read_days(reader, B2B_ATTR_DELETE_GRACE, &tenant->delete_grace_days);
	b2b_read_days(reader, B2B_ATTR_INACTIVITY, &tenant->inactivity_days);
}

void b2b_policy_read_tenant(struct b2b_reader *reader, struct b2b_tenant_policy *tenant)
{
	struct b2b_guest_level level = { false, B2B_SEES_LIMITED };

	b2b_policy_read_id(reader, B2B_ATTR_TENANT_ID, &tenant->tenant_id);
	/* b2bJwks beside it is the server's own, for others to read */
	b2b_read_text(reader, B2B_ATTR_ISSUER, &tenant->issuer);
	b2b_read_text(reader, B2B_ATTR_GUEST_BASE, &tenant->guest_base);
	read_days(reader, tenant);
	b2b_policy_read_level(reader, &level);
	tenant->guest_access = level.set ? level.access : B2B_SEES_LIMITED;
	tenant->require_tls = true;
	b2b_read_bool(reader, B2B_ATTR_REQUIRE_TLS, &tenant->require_tls);
	b2b_read_text(reader, B2B_ATTR_TERMS_VERSION, &tenant->terms_version);
	read_domains(reader, tenant);
	read_labels(reader, tenant);
	read_attribute_labels(reader, tenant);
	read_people(reader, tenant);
	read_mass_limit(reader, &tenant->mass_limit);
	b2b_read_number(reader, B2B_ATTR_MASS_CONFIRM, 1, 999999999, &tenant->mass_confirm);
	read_redemption_url(reader, tenant);
	read_requests(reader, tenant);
}
