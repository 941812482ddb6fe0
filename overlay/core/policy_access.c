/*
 * policy_access.c - a conditional access policy's entry: whom it is about, what it asks for.
 * In: a b2bAccessPolicy entry.
 * Out: struct b2b_access_policy; refused is what asks for nothing, or for what nobody can show.
 */
#include "policy_parts.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SIGN_IN_SECS_MAX 31536000u /* a year */
#define SSF_MAX 65535u

/* Adds up the bits of an attribute's keywords. */
static unsigned read_bits(struct b2b_reader *reader, enum b2b_attr attr,
			  const struct b2b_word *words, size_t count)
{
	struct b2b_str value;
	unsigned bits = 0;

	for (size_t index = 0; b2b_read_next(reader, attr, &index, &value);) {
		unsigned bit = 0;

		for (size_t i = 0; i < count && !bit; i++)
			if (b2b_str_equal_nocase(value, b2b_str_of(words[i].text)))
				bit = (unsigned)words[i].value;
		if (!bit)
			b2b_read_refuse(reader, attr, value, "is not a keyword of this attribute");
		bits |= bit;
	}
	return bits;
}

static void read_state(struct b2b_reader *reader, struct b2b_access_policy *access)
{
	static const struct b2b_word states[] = { { "enabled", B2B_CA_ENABLED },
						  { "disabled", B2B_CA_DISABLED },
						  { "reportOnly", B2B_CA_REPORT_ONLY } };
	const struct b2b_str none = { 0 };
	int word;

	if (b2b_read_word(reader, B2B_ATTR_CA_STATE, states, COUNT(states), &word))
		access->state = (enum b2b_ca_state)word;
	else
		b2b_read_refuse(reader, B2B_ATTR_CA_STATE, none, "is missing");
}

static void read_names(struct b2b_reader *reader, enum b2b_attr attr, struct b2b_names *names)
{
	b2b_read_list(reader, attr, &names->list, &names->count);
	if (names->count == 0)
		return;
	names->hashes = calloc(names->count, sizeof *names->hashes);
	if (!names->hashes) {
		reader->no_memory = true;
		return;
	}
	for (size_t i = 0; i < names->count; i++)
		names->hashes[i] = b2b_str_hash_similar(b2b_str_of(names->list[i]));
}

/* The bits that no name has. */
static uint64_t others_than(const struct b2b_names *names)
{
	uint64_t mask = 0;

	for (size_t i = 0; names->hashes && i < names->count; i++)
		mask |= UINT64_C(1) << names->hashes[i] % 64;
	return ~mask;
}

static void free_names(struct b2b_names *names)
{
	b2b_policy_free_list(names->list, names->count);
	free(names->hashes);
}

static void read_whom(struct b2b_reader *reader, struct b2b_access_policy *access)
{
	static const struct b2b_word types[] = { { "Guest", 1 << B2B_USER_GUEST },
						 { "Member", 1 << B2B_USER_MEMBER } };

	read_names(reader, B2B_ATTR_CA_INCLUDE_PARTNER, &access->include_partners);
	read_names(reader, B2B_ATTR_CA_EXCLUDE_PARTNER, &access->exclude_partners);
	b2b_policy_read_dns(reader, B2B_ATTR_CA_INCLUDE_GUEST, &access->include_guests.list,
			    &access->include_guests.count);
	b2b_policy_read_dns(reader, B2B_ATTR_CA_EXCLUDE_GUEST, &access->exclude_guests.list,
			    &access->exclude_guests.count);
	access->include_types =
		read_bits(reader, B2B_ATTR_CA_INCLUDE_USER_TYPE, types, COUNT(types));
	access->exclude_types =
		read_bits(reader, B2B_ATTR_CA_EXCLUDE_USER_TYPE, types, COUNT(types));
	if (access->include_partners.count || access->exclude_partners.count ||
	    access->include_guests.count || access->exclude_guests.count || access->include_types ||
	    access->exclude_types)
		access->conditions |= B2B_CA_ON_GUEST;
	/* guests are included whatever their tenant */
	if (access->include_partners.count && !access->include_guests.count)
		access->other_partners = others_than(&access->include_partners);
}

static bool is_all_apps(struct b2b_str value)
{
	return b2b_str_similar(value, b2b_str_of("AllApplications"));
}

static void read_apps(struct b2b_reader *reader, struct b2b_access_policy *access)
{
	const struct b2b_names *names = &access->include_apps;
	struct b2b_str value;

	read_names(reader, B2B_ATTR_CA_INCLUDE_APP, &access->include_apps);
	access->all_apps = names->count == 0;
	for (size_t i = 0; i < names->count; i++)
		if (is_all_apps(b2b_str_of(names->list[i])))
			access->all_apps = true;
	if (!access->all_apps)
		access->other_apps = others_than(names);
	read_names(reader, B2B_ATTR_CA_EXCLUDE_APP, &access->exclude_apps);
	if (!access->all_apps || access->exclude_apps.count)
		access->conditions |= B2B_CA_ON_APP;
	for (size_t index = 0; b2b_read_next(reader, B2B_ATTR_CA_EXCLUDE_APP, &index, &value);)
		if (is_all_apps(value))
			b2b_read_refuse(reader, B2B_ATTR_CA_EXCLUDE_APP, value,
					"would leave no application to be about");
}

static void read_connection(struct b2b_reader *reader, struct b2b_access_policy *access)
{
	b2b_policy_read_networks(reader, B2B_ATTR_CA_INCLUDE_NETWORK,
				 &access->include_networks.list, &access->include_networks.count);
	b2b_policy_read_networks(reader, B2B_ATTR_CA_EXCLUDE_NETWORK,
				 &access->exclude_networks.list, &access->exclude_networks.count);
	if (access->include_networks.count || access->exclude_networks.count)
		access->conditions |= B2B_CA_ON_NETWORK;
	if (b2b_read_number(reader, B2B_ATTR_CA_BELOW_SSF, 1, SSF_MAX, &access->below_ssf))
		access->conditions |= B2B_CA_ON_SSF;
}

static void read_grants(struct b2b_reader *reader, struct b2b_access_policy *access)
{
	static const struct b2b_word grants[] = {
		{ "block", B2B_GRANT_BLOCK },
		{ "mfa", B2B_GRANT_MFA },
		{ "compliantDevice", B2B_GRANT_COMPLIANT_DEVICE },
		{ "hybridJoinedDevice", B2B_GRANT_HYBRID_JOINED },
		{ "terms", B2B_GRANT_TERMS },
		{ "tls", B2B_GRANT_TLS },
	};
	static const struct b2b_word operators[] = { { "AND", false }, { "OR", true } };
	struct b2b_str value;
	size_t index = 0;
	int word;

	access->grants = read_bits(reader, B2B_ATTR_CA_GRANT, grants, COUNT(grants));
	if ((access->grants & B2B_GRANT_BLOCK) && access->grants != B2B_GRANT_BLOCK)
		b2b_read_refuse(reader, B2B_ATTR_CA_GRANT, b2b_str_of("block"),
				"stands beside another grant");
	if (b2b_read_word(reader, B2B_ATTR_CA_GRANT_OPERATOR, operators, COUNT(operators), &word))
		access->any_grant = word;
	if (!access->grants && b2b_read_next(reader, B2B_ATTR_CA_GRANT_OPERATOR, &index, &value))
		b2b_read_refuse(reader, B2B_ATTR_CA_GRANT_OPERATOR, value,
				"joins grants, and there is no b2bCaGrant");
}

void b2b_policy_read_access(struct b2b_reader *reader, struct b2b_access_policy *access)
{
	const struct b2b_str none = { 0 };

	read_state(reader, access);
	read_whom(reader, access);
	read_apps(reader, access);
	read_connection(reader, access);
	read_grants(reader, access);
	b2b_read_number(reader, B2B_ATTR_CA_SIGN_IN_FREQUENCY, 1, SIGN_IN_SECS_MAX,
			&access->sign_in_secs);
	b2b_read_text(reader, B2B_ATTR_CA_MAX_LABEL, &access->max_label);
	if (!access->grants && !access->sign_in_secs && !access->max_label)
		b2b_read_refuse(reader, B2B_ATTR_CA_GRANT, none,
				"is missing, as are b2bCaSignInFrequency and b2bCaMaxLabel: this "
				"policy would do nothing");
}

void b2b_policy_free_access(struct b2b_access_policy *access)
{
	free_names(&access->include_partners);
	free_names(&access->exclude_partners);
	free_names(&access->include_guests);
	free_names(&access->exclude_guests);
	free_names(&access->include_apps);
	free_names(&access->exclude_apps);
	free(access->include_networks.list);
	free(access->exclude_networks.list);
	free(access->max_label);
}
