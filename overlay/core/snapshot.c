/*
 * snapshot.c - the policy of a tenant at one moment, made from the one before.
 * In: a rule that is new, changed or gone.
 * Out: a snapshot that shares with the old one what did not change; lookups that deny when unsure.
 */
#include "snapshot_parts.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static char several_tenants[] = "(several tenant entries)";
static char several_defaults[] = "(several default policies)";
static char several_partners[] = "(several partners with one b2bTenantId)";
static char several_apps[] = "(several applications)";

/* Stands for rules that claim the same thing: who is right is unclear, so all are denied. */
static const struct b2b_rule unclear[B2B_RULE_ACCESS + 1] = {
	[B2B_RULE_TENANT] = { .kind = B2B_RULE_TENANT, .dn = several_tenants, .invalid = true },
	[B2B_RULE_DEFAULT] = { .kind = B2B_RULE_DEFAULT, .dn = several_defaults, .invalid = true },
	[B2B_RULE_PARTNER] = { .kind = B2B_RULE_PARTNER, .dn = several_partners, .invalid = true },
	[B2B_RULE_APP] = { .kind = B2B_RULE_APP, .dn = several_apps, .invalid = true },
};

static const struct b2b_rule *find(const struct b2b_snapshot *snapshot, enum b2b_index index,
				   struct b2b_table_key key)
{
	const struct b2b_rule *rule;
	bool several;

	if (key.text.len == 0)
		return NULL;
	rule = b2b_table_find(snapshot->tables[index], key, &several);
	return several ? &unclear[rule->kind] : rule;
}

struct b2b_snapshot *b2b_snapshot_new(void)
{
	struct b2b_snapshot *snapshot = calloc(1, sizeof *snapshot);

	if (!snapshot)
		return NULL;
	atomic_init(&snapshot->refs, 1);
	snapshot->generation = 1;
	return snapshot;
}

struct b2b_snapshot *b2b_snapshot_ref(struct b2b_snapshot *snapshot)
{
	if (snapshot)
		atomic_fetch_add_explicit(&snapshot->refs, 1, memory_order_relaxed);
	return snapshot;
}

void b2b_snapshot_unref(struct b2b_snapshot **snapshot)
{
	struct b2b_snapshot *gone = snapshot ? *snapshot : NULL;

	if (!gone)
		return;
	*snapshot = NULL;
	if (atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) != 1)
		return;
	b2b_snapshot_rules_unref(&gone->apps);
	b2b_snapshot_rules_unref(&gone->access);
	b2b_snapshot_peers_unref(&gone->peers);
	for (size_t i = 0; i < B2B_INDEX_COUNT; i++)
		b2b_table_unref(&gone->tables[i]);
	free(gone);
}

static struct b2b_snapshot *draft_of(const struct b2b_snapshot *old)
{
	struct b2b_snapshot *draft = b2b_snapshot_new();

	if (!draft)
		return NULL;
	draft->generation = old->generation + 1;
	memcpy(draft->counts, old->counts, sizeof draft->counts);
	for (size_t i = 0; i < B2B_INDEX_COUNT; i++)
		draft->tables[i] = b2b_table_ref(old->tables[i]);
	draft->apps = b2b_snapshot_rules_ref(old->apps);
	draft->access = b2b_snapshot_rules_ref(old->access);
	draft->peers = b2b_snapshot_peers_ref(old->peers);
	return draft;
}

static bool remove_rule(struct b2b_snapshot *draft, const struct b2b_rule *rule)
{
	struct b2b_handle handle;

	for (size_t i = 0; b2b_snapshot_handle_at(rule, i, &handle); i++)
		if (!b2b_table_remove(&draft->tables[handle.index], handle.key, rule))
			return false;
	draft->counts[rule->kind]--;
	return true;
}

static bool add_rule(struct b2b_snapshot *draft, struct b2b_rule *rule)
{
	struct b2b_handle handle;

	for (size_t i = 0; b2b_snapshot_handle_at(rule, i, &handle); i++) {
		if (handle.key.text.len == 0 && handle.index != B2B_BY_DN)
			continue;
		if (!b2b_table_add(&draft->tables[handle.index], handle.key, rule,
				   handle.index == B2B_BY_DN))
			return false;
	}
	draft->counts[rule->kind]++;
	return true;
}

static const struct b2b_rule *if_kind(const struct b2b_rule *rule, enum b2b_rule_kind kind)
{
	return rule && rule->kind == kind ? rule : NULL;
}

/* Either may be NULL; a rule of another kind changes nothing here. */
static bool change_lists(struct b2b_snapshot *draft, const struct b2b_rule *gone,
			 const struct b2b_rule *added)
{
	const struct b2b_rule *gone_app = if_kind(gone, B2B_RULE_APP);
	const struct b2b_rule *new_app = if_kind(added, B2B_RULE_APP);
	const struct b2b_rule *gone_access = if_kind(gone, B2B_RULE_ACCESS);
	const struct b2b_rule *new_access = if_kind(added, B2B_RULE_ACCESS);

	if ((gone_access || new_access) &&
	    !b2b_snapshot_rules_change(&draft->access, gone_access, new_access))
		return false;
	if (!gone_app && !new_app)
		return true;
	if (!b2b_snapshot_rules_change(&draft->apps, gone_app, new_app))
		return false;
	b2b_snapshot_peers_unref(&draft->peers);
	draft->peers = b2b_snapshot_peers_new(draft->apps);
	return draft->peers != NULL;
}

/* old without gone and with added; either may be NULL. */
static struct b2b_snapshot *change(const struct b2b_snapshot *old, const struct b2b_rule *gone,
				   struct b2b_rule *added)
{
	struct b2b_snapshot *draft = draft_of(old);

	if (!draft)
		return NULL;
	if ((gone && !remove_rule(draft, gone)) || (added && !add_rule(draft, added)) ||
	    !change_lists(draft, gone, added)) {
		b2b_snapshot_unref(&draft);
		return NULL;
	}
	draft->tenant = find(draft, B2B_BY_ROLE, b2b_snapshot_role_key(B2B_RULE_TENANT));
	draft->defaults = find(draft, B2B_BY_ROLE, b2b_snapshot_role_key(B2B_RULE_DEFAULT));
	return draft;
}

static const struct b2b_rule *rule_of_dn(const struct b2b_snapshot *snapshot, const char *dn)
{
	bool several;

	return b2b_table_find(snapshot->tables[B2B_BY_DN], b2b_key_exactly(b2b_str_of(dn)),
			      &several);
}

struct b2b_snapshot *b2b_snapshot_with(const struct b2b_snapshot *old, struct b2b_rule *rule)
{
	return change(old, rule_of_dn(old, rule->dn), rule);
}

struct b2b_snapshot *b2b_snapshot_without(const struct b2b_snapshot *old, const char *dn)
{
	return change(old, rule_of_dn(old, dn), NULL);
}

uint64_t b2b_snapshot_generation(const struct b2b_snapshot *snapshot)
{
	return snapshot->generation;
}

size_t b2b_snapshot_count(const struct b2b_snapshot *snapshot, enum b2b_rule_kind kind)
{
	return (size_t)kind <= B2B_RULE_ACCESS ? snapshot->counts[kind] : 0;
}

const struct b2b_rule *b2b_snapshot_tenant(const struct b2b_snapshot *snapshot)
{
	return snapshot->tenant;
}

const struct b2b_rule *b2b_snapshot_default(const struct b2b_snapshot *snapshot)
{
	return snapshot->defaults;
}

const struct b2b_rule *b2b_snapshot_partner(const struct b2b_snapshot *snapshot,
					    struct b2b_str tenant_id)
{
	return find(snapshot, B2B_BY_PARTNER, b2b_key_any_case(tenant_id));
}

const struct b2b_rule *b2b_snapshot_rule(const struct b2b_snapshot *snapshot, const char *dn)
{
	return rule_of_dn(snapshot, dn);
}

const struct b2b_rule *b2b_snapshot_app_by_service(const struct b2b_snapshot *snapshot,
						   struct b2b_str service_ndn)
{
	return find(snapshot, B2B_BY_SERVICE, b2b_key_exactly(service_ndn));
}

const struct b2b_rule *b2b_snapshot_app_by_id(const struct b2b_snapshot *snapshot,
					      struct b2b_str id)
{
	return find(snapshot, B2B_BY_APP_ID, b2b_key_any_case(id));
}

const struct b2b_rule *b2b_snapshot_app_by_audience(const struct b2b_snapshot *snapshot,
						    struct b2b_str audience)
{
	return find(snapshot, B2B_BY_AUDIENCE, b2b_key_exactly(audience));
}

const struct b2b_rule *b2b_snapshot_partner_by_issuer(const struct b2b_snapshot *snapshot,
						      struct b2b_str issuer, size_t index)
{
	return b2b_table_find_at(snapshot->tables[B2B_BY_ISSUER], b2b_key_exactly(issuer), index);
}

const struct b2b_rule *b2b_snapshot_partner_by_domain(const struct b2b_snapshot *snapshot,
						      struct b2b_str domain, size_t index)
{
	if (domain.len == 0)
		return NULL;
	return b2b_table_find_at(snapshot->tables[B2B_BY_DOMAIN], b2b_key_any_case(domain), index);
}

static const struct b2b_rule *rule_at(const struct b2b_rules *rules, size_t index)
{
	return rules && index < rules->count ? rules->list[index] : NULL;
}

const struct b2b_rule *b2b_snapshot_app_at(const struct b2b_snapshot *snapshot, size_t index)
{
	return rule_at(snapshot->apps, index);
}

size_t b2b_snapshot_access(const struct b2b_snapshot *snapshot,
			   const struct b2b_rule *const **list_r)
{
	const struct b2b_rules *rules = snapshot->access;

	*list_r = rules ? rules->list : NULL;
	return rules ? rules->count : 0;
}

const struct b2b_rule *b2b_snapshot_access_at(const struct b2b_snapshot *snapshot, size_t index)
{
	return rule_at(snapshot->access, index);
}

static const struct b2b_rule *app_by_peer(const struct b2b_snapshot *snapshot,
					  const struct b2b_addr *peer)
{
	const struct b2b_peers *peers = snapshot->peers;
	const struct b2b_peer *found = NULL;

	for (size_t i = 0; peers && peer->set && i < peers->count; i++) {
		const struct b2b_peer *here = &peers->list[i];

		if (found && here->cidr.prefix_bits != found->cidr.prefix_bits)
			break;
		if (!b2b_cidr_contains(&here->cidr, peer))
			continue;
		if (found && here->rule != found->rule)
			return &unclear[B2B_RULE_APP];
		found = here;
	}
	return found ? found->rule : NULL;
}

const struct b2b_rule *b2b_snapshot_app(const struct b2b_snapshot *snapshot,
					const struct b2b_door *door)
{
	const struct b2b_rule *rule =
		find(snapshot, B2B_BY_LISTENER, b2b_snapshot_listener_key(door->listener));

	if (!rule)
		rule = b2b_snapshot_app_by_service(snapshot, door->service_ndn);
	return rule ? rule : app_by_peer(snapshot, &door->peer);
}

uint32_t b2b_snapshot_label_rank(const struct b2b_snapshot *snapshot, struct b2b_str label)
{
	const struct b2b_rule *rule = snapshot->tenant;
	const struct b2b_tenant_policy *tenant;

	if (!rule || rule->invalid)
		return B2B_RANK_UNKNOWN;
	tenant = &rule->u.tenant;
	if (tenant->label_count == 0)
		return 0;
	if (label.len == 0)
		label = b2b_str_of(tenant->default_label);
	if (label.len == 0)
		return 0;
	for (size_t i = 0; i < tenant->label_count; i++)
		if (b2b_str_equal_nocase(b2b_str_of(tenant->labels[i]), label))
			return (uint32_t)i;
	return B2B_RANK_UNKNOWN;
}
