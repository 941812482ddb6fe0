/*
 * policy_settings.c - cross-tenant access settings: four settings of two halves, trust, consent.
 * In: the default policy's or a partner's entry.
 * Out: struct b2b_settings; contradictions and unclear targets are refused.
 */
#include "policy_parts.h"

#include <stdlib.h>
#include <string.h>

static enum b2b_attr half_attr(enum b2b_scope scope, bool apps, bool target)
{
	unsigned offset = (unsigned)scope * 4u + (apps ? 2u : 0u) + (target ? 1u : 0u);

	return (enum b2b_attr)((unsigned)B2B_ATTR_COLLAB_IN_USERS_ACCESS + offset);
}

static bool is_word(struct b2b_str value, const char *word)
{
	return b2b_str_similar(value, b2b_str_of(word));
}

static bool is_group(struct b2b_reader *reader, struct b2b_str target)
{
	struct b2b_str value;

	for (size_t index = 0; b2b_read_next(reader, B2B_ATTR_GROUP_TARGET, &index, &value);)
		if (b2b_str_similar(value, target))
			return true;
	return false;
}

/* A value of a Target attribute that names somebody or something; keywords and what is refused
 * are seen to and passed over. */
static bool next_target(struct b2b_reader *reader, enum b2b_attr attr, bool apps, size_t *index,
			struct b2b_half *half, struct b2b_str *value_r)
{
	const char *all = apps ? "AllApplications" : "AllUsers";
	const char *foreign = apps ? "AllUsers" : "AllApplications";

	while (b2b_read_next(reader, attr, index, value_r)) {
		if (half->access == B2B_ACCESS_UNSET)
			b2b_read_refuse(reader, attr, *value_r, "is a target without its access");
		else if (is_word(*value_r, foreign))
			b2b_read_refuse(reader, attr, *value_r, "belongs to the other half");
		else if (is_word(*value_r, all))
			half->all = true;
		else
			return true;
	}
	return false;
}

/* One block holds the targets and behind them their values, for the decision reads both. */
static void read_targets(struct b2b_reader *reader, enum b2b_attr attr, bool apps,
			 struct b2b_half *half)
{
	struct b2b_str value;
	size_t count = 0, bytes = 0, index = 0;
	char *text;

	while (next_target(reader, attr, apps, &index, half, &value)) {
		count++;
		bytes += value.len + 1;
	}
	if (count == 0)
		return;
	half->targets = malloc(count * sizeof *half->targets + bytes);
	if (!half->targets) {
		reader->no_memory = true;
		return;
	}
	text = (char *)(half->targets + count);
	index = 0;
	while (half->count < count && next_target(reader, attr, apps, &index, half, &value)) {
		struct b2b_target *target = &half->targets[half->count++];

		memcpy(text, value.s, value.len);
		text[value.len] = '\0';
		target->value = text;
		target->len = value.len;
		target->hash = b2b_str_hash_similar(value);
		target->is_group = !apps && is_group(reader, value);
		text += value.len + 1;
	}
}

static void read_half(struct b2b_reader *reader, enum b2b_scope scope, bool apps,
		      struct b2b_half *half)
{
	static const struct b2b_word words[] = { { "allowed", B2B_ACCESS_ALLOWED },
						 { "blocked", B2B_ACCESS_BLOCKED } };
	enum b2b_attr attr = half_attr(scope, apps, true);
	int access = B2B_ACCESS_UNSET;
	struct b2b_str value;
	size_t index = 0;

	if (b2b_read_word(reader, half_attr(scope, apps, false), words, 2, &access))
		half->access = (enum b2b_access)access;
	read_targets(reader, attr, apps, half);
	if (half->access != B2B_ACCESS_UNSET && !b2b_read_next(reader, attr, &index, &value))
		half->all = true;
}

static void read_setting(struct b2b_reader *reader, enum b2b_scope scope,
			 struct b2b_setting *setting)
{
	const struct b2b_half *users = &setting->users, *apps = &setting->apps;

	read_half(reader, scope, false, &setting->users);
	read_half(reader, scope, true, &setting->apps);
	if (users->access == B2B_ACCESS_BLOCKED && users->all && apps->access == B2B_ACCESS_ALLOWED)
		b2b_read_refuse(reader, half_attr(scope, false, false), b2b_str_of("blocked"),
				"blocks all users while applications are allowed");
	if (apps->access == B2B_ACCESS_BLOCKED && apps->all && users->access == B2B_ACCESS_ALLOWED)
		b2b_read_refuse(reader, half_attr(scope, true, false), b2b_str_of("blocked"),
				"blocks all applications while users are allowed");
}

static bool names_target(const struct b2b_settings *settings, struct b2b_str group)
{
	for (size_t i = 0; i < B2B_SCOPE_COUNT; i++) {
		const struct b2b_half *users = &settings->scope[i].users;

		for (size_t j = 0; j < users->count; j++)
			if (b2b_str_similar(b2b_str_of(users->targets[j].value), group))
				return true;
	}
	return false;
}

/* A group that is mistyped here would leave its target an ordinary name, and a block unheard. */
static void check_groups(struct b2b_reader *reader, const struct b2b_settings *settings)
{
	struct b2b_str value;

	for (size_t index = 0; b2b_read_next(reader, B2B_ATTR_GROUP_TARGET, &index, &value);)
		if (!names_target(settings, value))
			b2b_read_refuse(reader, B2B_ATTR_GROUP_TARGET, value,
					"is not among the users targets of this entry");
}

static enum b2b_tristate read_tristate(struct b2b_reader *reader, enum b2b_attr attr)
{
	bool flag;

	if (!b2b_read_bool(reader, attr, &flag))
		return B2B_UNSET;
	return flag ? B2B_YES : B2B_NO;
}

void b2b_policy_read_settings(struct b2b_reader *reader, struct b2b_settings *settings)
{
	for (unsigned i = 0; i < B2B_SCOPE_COUNT; i++)
		read_setting(reader, (enum b2b_scope)i, &settings->scope[i]);
	check_groups(reader, settings);
	settings->trust_mfa = read_tristate(reader, B2B_ATTR_TRUST_MFA);
	settings->trust_compliant_device = read_tristate(reader, B2B_ATTR_TRUST_COMPLIANT_DEVICE);
	settings->trust_hybrid_joined = read_tristate(reader, B2B_ATTR_TRUST_HYBRID_JOINED);
	settings->auto_redeem_in = read_tristate(reader, B2B_ATTR_AUTO_REDEEM_IN);
	settings->auto_redeem_out = read_tristate(reader, B2B_ATTR_AUTO_REDEEM_OUT);
	settings->sync_in = read_tristate(reader, B2B_ATTR_SYNC_IN);
}

void b2b_policy_free_settings(struct b2b_settings *settings)
{
	for (size_t i = 0; i < B2B_SCOPE_COUNT; i++) {
		free(settings->scope[i].users.targets);
		free(settings->scope[i].apps.targets);
	}
}
