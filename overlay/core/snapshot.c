/*
 * snapshot.c - the policy of a tenant at one moment, made from the one before.
 * In: a rule that is new, changed or gone.
 * Out: a snapshot that shares with the old one what did not change; lookups that deny when unsure.
 */
#include "snapshot.h"
#include "table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum index { BY_DN, BY_ROLE, BY_PARTNER, BY_APP_ID, BY_SERVICE, BY_LISTENER, INDEX_COUNT };

struct peer {
	struct b2b_cidr cidr;
	const struct b2b_rule *rule;
};

/* All applications; shared by snapshots until an application changes. */
struct apps {
	_Atomic unsigned refs;
	size_t count, peer_count;
	struct peer *peers;             /* the longest prefix first, then by DN */
	const struct b2b_rule *rules[]; /* by DN; the BY_DN table holds the references */
};

struct b2b_snapshot {
	_Atomic unsigned refs;
	uint64_t generation;
	size_t counts[B2B_RULE_APP + 1];
	struct b2b_table *tables[INDEX_COUNT]; /* BY_DN owns the rules, the others borrow */
	struct apps *apps;                     /* NULL: none */
	const struct b2b_rule *tenant, *defaults;
};

static char several_tenants[] = "(several tenant entries)";
static char several_defaults[] = "(several default policies)";
static char several_partners[] = "(several partners with one b2bTenantId)";
static char several_apps[] = "(several applications)";

/* Stands for rules that claim the same thing: who is right is unclear, so all are denied. */
static const struct b2b_rule unclear[B2B_RULE_APP + 1] = {
	[B2B_RULE_TENANT] = { .kind = B2B_RULE_TENANT, .dn = several_tenants, .invalid = true },
	[B2B_RULE_DEFAULT] = { .kind = B2B_RULE_DEFAULT, .dn = several_defaults, .invalid = true },
	[B2B_RULE_PARTNER] = { .kind = B2B_RULE_PARTNER, .dn = several_partners, .invalid = true },
	[B2B_RULE_APP] = { .kind = B2B_RULE_APP, .dn = several_apps, .invalid = true },
};

/* One thing that a rule is found by. */
struct claim {
	enum index index;
	struct b2b_table_key key;
	enum b2b_attr attr; /* where it is written; B2B_ATTR_NONE: not in an attribute */
};

static struct b2b_table_key any_case(struct b2b_str text)
{
	struct b2b_table_key key = { text, false };

	return key;
}

static struct b2b_table_key exactly(struct b2b_str text)
{
	struct b2b_table_key key = { text, true };

	return key;
}

/* slapd writes a listener with or without the last '/'. */
static struct b2b_table_key listener_key(struct b2b_str url)
{
	if (url.len && url.s[url.len - 1] == '/')
		url.len--;
	return any_case(url);
}

static struct b2b_table_key role_key(enum b2b_rule_kind kind)
{
	return exactly(b2b_str_of(kind == B2B_RULE_TENANT ? "tenant" : "default"));
}

static bool app_claim(const struct b2b_app *app, size_t number, struct claim *claim_r)
{
	if (number == 0) {
		claim_r->index = BY_APP_ID;
		claim_r->key = any_case(b2b_str_of(app->id));
		claim_r->attr = B2B_ATTR_APP_ID;
		return true;
	}
	number--;
	if (number < app->service_dn_count) {
		claim_r->index = BY_SERVICE;
		claim_r->key = exactly(b2b_str_of(app->service_dns[number]));
		claim_r->attr = B2B_ATTR_APP_SERVICE_DN;
		return true;
	}
	number -= app->service_dn_count;
	if (number >= app->listener_count)
		return false;
	claim_r->index = BY_LISTENER;
	claim_r->key = listener_key(b2b_str_of(app->listeners[number]));
	claim_r->attr = B2B_ATTR_APP_LISTENER;
	return true;
}

/* The number-th claim of a rule, its DN first; false past the last.  A broken rule may have a
 * claim with an empty key, which finds nothing. */
static bool claim_at(const struct b2b_rule *rule, size_t number, struct claim *claim_r)
{
	claim_r->attr = B2B_ATTR_NONE;
	if (number == 0) {
		claim_r->index = BY_DN;
		claim_r->key = exactly(b2b_str_of(rule->dn));
		return true;
	}
	if (rule->kind == B2B_RULE_APP)
		return app_claim(&rule->u.app, number - 1, claim_r);
	if (number > 1)
		return false;
	if (rule->kind == B2B_RULE_PARTNER) {
		claim_r->index = BY_PARTNER;
		claim_r->key = any_case(b2b_str_of(rule->u.partner.tenant_id));
		claim_r->attr = B2B_ATTR_TENANT_ID;
		return true;
	}
	claim_r->index = BY_ROLE;
	claim_r->key = role_key(rule->kind);
	return rule->kind == B2B_RULE_TENANT || rule->kind == B2B_RULE_DEFAULT;
}

static const struct b2b_rule *find(const struct b2b_snapshot *snapshot, enum index index,
				   struct b2b_table_key key)
{
	const struct b2b_rule *rule;
	bool several;

	if (key.text.len == 0)
		return NULL;
	rule = b2b_table_find(snapshot->tables[index], key, &several);
	return several ? &unclear[rule->kind] : rule;
}

static struct apps *apps_new(size_t count, size_t peer_count)
{
	struct apps *apps = calloc(1, sizeof *apps + count * sizeof(struct b2b_rule *));

	if (!apps)
		return NULL;
	atomic_init(&apps->refs, 1);
	apps->peers = calloc(peer_count ? peer_count : 1, sizeof *apps->peers);
	if (!apps->peers) {
		free(apps);
		return NULL;
	}
	return apps;
}

static void apps_unref(struct apps *apps)
{
	if (!apps || atomic_fetch_sub_explicit(&apps->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(apps->peers);
	free(apps);
}

static void apps_append(struct apps *apps, const struct b2b_rule *rule)
{
	apps->rules[apps->count++] = rule;
	for (size_t i = 0; i < rule->u.app.peer_count; i++) {
		apps->peers[apps->peer_count].cidr = rule->u.app.peers[i];
		apps->peers[apps->peer_count++].rule = rule;
	}
}

static int by_prefix(const void *a, const void *b)
{
	const struct peer *x = a, *y = b;

	if (x->cidr.prefix_bits != y->cidr.prefix_bits)
		return x->cidr.prefix_bits > y->cidr.prefix_bits ? -1 : 1;
	return strcmp(x->rule->dn, y->rule->dn);
}

/* Replaces the applications by a copy without gone and with added; either may be NULL. */
static bool apps_change(struct b2b_snapshot *draft, const struct b2b_rule *gone,
			const struct b2b_rule *added)
{
	const struct apps *old = draft->apps;
	size_t count = old ? old->count : 0, peers = old ? old->peer_count : 0;
	struct apps *apps = apps_new(count + 1, peers + (added ? added->u.app.peer_count : 0));

	if (!apps)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (old->rules[i] == gone)
			continue;
		if (added && strcmp(old->rules[i]->dn, added->dn) > 0) {
			apps_append(apps, added);
			added = NULL;
		}
		apps_append(apps, old->rules[i]);
	}
	if (added)
		apps_append(apps, added);
	qsort(apps->peers, apps->peer_count, sizeof *apps->peers, by_prefix);
	apps_unref(draft->apps);
	draft->apps = apps;
	return true;
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
	apps_unref(gone->apps);
	for (size_t i = 0; i < INDEX_COUNT; i++)
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
	for (size_t i = 0; i < INDEX_COUNT; i++)
		draft->tables[i] = b2b_table_ref(old->tables[i]);
	draft->apps = old->apps;
	if (draft->apps)
		atomic_fetch_add_explicit(&draft->apps->refs, 1, memory_order_relaxed);
	return draft;
}

static bool remove_rule(struct b2b_snapshot *draft, const struct b2b_rule *rule)
{
	struct claim claim;

	for (size_t i = 0; claim_at(rule, i, &claim); i++)
		if (!b2b_table_remove(&draft->tables[claim.index], claim.key, rule))
			return false;
	draft->counts[rule->kind]--;
	return true;
}

static bool add_rule(struct b2b_snapshot *draft, struct b2b_rule *rule)
{
	struct claim claim;

	for (size_t i = 0; claim_at(rule, i, &claim); i++) {
		if (claim.key.text.len == 0 && claim.index != BY_DN)
			continue;
		if (!b2b_table_add(&draft->tables[claim.index], claim.key, rule,
				   claim.index == BY_DN))
			return false;
	}
	draft->counts[rule->kind]++;
	return true;
}

/* old without gone and with added; either may be NULL. */
static struct b2b_snapshot *change(const struct b2b_snapshot *old, const struct b2b_rule *gone,
				   struct b2b_rule *added)
{
	struct b2b_snapshot *draft = draft_of(old);
	const struct b2b_rule *gone_app = gone && gone->kind == B2B_RULE_APP ? gone : NULL;
	const struct b2b_rule *new_app = added && added->kind == B2B_RULE_APP ? added : NULL;

	if (!draft)
		return NULL;
	if ((gone && !remove_rule(draft, gone)) || (added && !add_rule(draft, added)) ||
	    ((gone_app || new_app) && !apps_change(draft, gone_app, new_app))) {
		b2b_snapshot_unref(&draft);
		return NULL;
	}
	draft->tenant = find(draft, BY_ROLE, role_key(B2B_RULE_TENANT));
	draft->defaults = find(draft, BY_ROLE, role_key(B2B_RULE_DEFAULT));
	return draft;
}

static const struct b2b_rule *rule_of_dn(const struct b2b_snapshot *snapshot, const char *dn)
{
	bool several;

	return b2b_table_find(snapshot->tables[BY_DN], exactly(b2b_str_of(dn)), &several);
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
	return (size_t)kind <= B2B_RULE_APP ? snapshot->counts[kind] : 0;
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
	return find(snapshot, BY_PARTNER, any_case(tenant_id));
}

const struct b2b_rule *b2b_snapshot_rule(const struct b2b_snapshot *snapshot, const char *dn)
{
	return rule_of_dn(snapshot, dn);
}

const struct b2b_rule *b2b_snapshot_app_by_service(const struct b2b_snapshot *snapshot,
						   struct b2b_str service_ndn)
{
	return find(snapshot, BY_SERVICE, exactly(service_ndn));
}

const struct b2b_rule *b2b_snapshot_app_by_id(const struct b2b_snapshot *snapshot,
					      struct b2b_str id)
{
	return find(snapshot, BY_APP_ID, any_case(id));
}

const struct b2b_rule *b2b_snapshot_app_at(const struct b2b_snapshot *snapshot, size_t index)
{
	return snapshot->apps && index < snapshot->apps->count ? snapshot->apps->rules[index]
							       : NULL;
}

static const struct b2b_rule *app_by_peer(const struct b2b_snapshot *snapshot,
					  const struct b2b_addr *peer)
{
	const struct apps *apps = snapshot->apps;
	const struct peer *found = NULL;

	for (size_t i = 0; apps && peer->set && i < apps->peer_count; i++) {
		const struct peer *here = &apps->peers[i];

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
	const struct b2b_rule *rule = find(snapshot, BY_LISTENER, listener_key(door->listener));

	if (!rule)
		rule = b2b_snapshot_app_by_service(snapshot, door->service_ndn);
	return rule ? rule : app_by_peer(snapshot, &door->peer);
}

/* A rule of another DN under the same claim. */
static const struct b2b_rule *rival(const struct b2b_snapshot *snapshot, const struct claim *claim,
				    const struct b2b_rule *rule)
{
	const struct b2b_rule *other = NULL;
	bool several = false;

	if (claim->index != BY_DN && claim->key.text.len)
		other = b2b_table_find(snapshot->tables[claim->index], claim->key, &several);
	if (!other || (strcmp(other->dn, rule->dn) == 0 && !several))
		return NULL;
	return other;
}

static enum b2b_err peer_conflict(const struct b2b_snapshot *snapshot, const struct b2b_rule *rule,
				  struct b2b_error *error)
{
	const struct apps *apps = snapshot->apps;

	for (size_t i = 0; apps && i < rule->u.app.peer_count; i++) {
		const struct b2b_cidr *mine = &rule->u.app.peers[i];

		for (size_t j = 0; j < apps->peer_count; j++) {
			const struct peer *peer = &apps->peers[j];

			if (peer->cidr.prefix_bits == mine->prefix_bits &&
			    memcmp(peer->cidr.net.bytes, mine->net.bytes, sizeof mine->net.bytes) ==
				    0 &&
			    strcmp(peer->rule->dn, rule->dn) != 0)
				return b2b_error_set(
					error, "%s: a network of this entry belongs to %s",
					b2b_attr_name(B2B_ATTR_APP_PEER), peer->rule->dn);
		}
	}
	return B2B_OK;
}

enum b2b_err b2b_snapshot_conflict(const struct b2b_snapshot *snapshot, const struct b2b_rule *rule,
				   struct b2b_error *error)
{
	const struct b2b_rule *other;
	struct claim claim;

	if (error)
		error->text[0] = '\0';
	for (size_t i = 0; claim_at(rule, i, &claim); i++) {
		other = rival(snapshot, &claim, rule);
		if (other && claim.index == BY_ROLE)
			return b2b_error_set(error, "there is a %.*s policy already: %s",
					     (int)claim.key.text.len, claim.key.text.s, other->dn);
		if (other)
			return b2b_error_set(error, "%s: value \"%.200s\" belongs to %s already",
					     b2b_attr_name(claim.attr), claim.key.text.s,
					     other->dn);
	}
	return rule->kind == B2B_RULE_APP ? peer_conflict(snapshot, rule, error) : B2B_OK;
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
