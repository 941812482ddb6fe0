/*
 * policy_tenant.c - our own tenant's entry: guest defaults, domains, labels.
 * In: the b2bTenant entry.
 * Out: struct b2b_tenant_policy, with the defaults of the design where the entry is silent.
 */
#include "policy_parts.h"

#include <stdlib.h>

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

/* Letters, digits and hyphens between single dots; a domain that can never match guards nothing. */
static bool is_domain(struct b2b_str value)
{
	size_t label = 0;

	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)b2b_lower(value.s[i]);
		bool name =
			(c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c >= 0x80;

		if (c == '.' ? label == 0 : !name)
			return false;
		label = c == '.' ? 0 : label + 1;
	}
	return label > 0 && value.len <= 253;
}

static size_t check_domains(struct b2b_reader *reader, enum b2b_attr attr, struct b2b_str *first_r)
{
	struct b2b_str value;
	size_t count = 0;

	for (size_t index = 0; b2b_read_next(reader, attr, &index, &value); count++) {
		if (!is_domain(value))
			b2b_read_refuse(reader, attr, value, "is not a domain name");
		if (count == 0)
			*first_r = value;
	}
	return count;
}

static void read_domains(struct b2b_reader *reader)
{
	struct b2b_str allowed, blocked;
	size_t allowed_count = check_domains(reader, B2B_ATTR_ALLOWED_DOMAIN, &allowed);

	if (check_domains(reader, B2B_ATTR_BLOCKED_DOMAIN, &blocked) && allowed_count)
		b2b_read_refuse(
			reader, B2B_ATTR_BLOCKED_DOMAIN, blocked,
			"stands beside b2bAllowedDomain, and only one of the two may be used");
	check_domains(reader, B2B_ATTR_TENANT_DOMAIN, &allowed);
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
	static const struct b2b_word sees[] = { { "restricted", B2B_SEES_RESTRICTED },
						{ "limited", B2B_SEES_LIMITED },
						{ "member", B2B_SEES_MEMBER } };
	static const struct b2b_word inviters[] = {
		{ "none", 0 }, { "admins", 1 }, { "inviters", 2 }, { "members", 3 }
	};
	static const enum b2b_attr carried[] = { B2B_ATTR_INVITER };
	int word = B2B_SEES_LIMITED, ignored;

	b2b_policy_read_id(reader, B2B_ATTR_TENANT_ID, &tenant->tenant_id);
	b2b_read_text(reader, B2B_ATTR_GUEST_BASE, &tenant->guest_base);
	read_days(reader, tenant);
	b2b_read_word(reader, B2B_ATTR_GUEST_ACCESS, sees, COUNT(sees), &word);
	tenant->guest_access = (enum b2b_guest_access)word;
	b2b_read_word(reader, B2B_ATTR_ALLOW_INVITES_FROM, inviters, COUNT(inviters), &ignored);
	tenant->require_tls = true;
	b2b_read_bool(reader, B2B_ATTR_REQUIRE_TLS, &tenant->require_tls);
	b2b_read_text(reader, B2B_ATTR_TERMS_VERSION, &tenant->terms_version);
	read_domains(reader);
	read_labels(reader, tenant);
	b2b_read_skim(reader, carried, COUNT(carried));
}
