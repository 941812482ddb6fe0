/*
 * snapshot_keys.c - what a rule is found by, and whether another rule has that already.
 * In: a rule; the snapshot it is to stand in.
 * Out: keys for the tables of snapshot.c; a refusal that names attribute, value and the other rule.
 */
#include "snapshot_parts.h"

#include <string.h>

struct b2b_table_key b2b_snapshot_listener_key(struct b2b_str url)
{
	if (url.len && url.s[url.len - 1] == '/')
		url.len--;
	return b2b_key_any_case(url);
}

struct b2b_table_key b2b_snapshot_role_key(enum b2b_rule_kind kind)
{
	return b2b_key_exactly(b2b_str_of(kind == B2B_RULE_TENANT ? "tenant" : "default"));
}

static bool app_handle(const struct b2b_app *app, size_t number, struct b2b_handle *handle_r)
{
	if (number == 0) {
		handle_r->index = B2B_BY_APP_ID;
		handle_r->key = b2b_key_any_case(b2b_str_of(app->id));
		handle_r->attr = B2B_ATTR_APP_ID;
		return true;
	}
	number--;
	if (number < app->service_dn_count) {
		handle_r->index = B2B_BY_SERVICE;
		handle_r->key = b2b_key_exactly(b2b_str_of(app->service_dns[number]));
		handle_r->attr = B2B_ATTR_APP_SERVICE_DN;
		return true;
	}
	number -= app->service_dn_count;
	if (number < app->listener_count) {
		handle_r->index = B2B_BY_LISTENER;
		handle_r->key = b2b_snapshot_listener_key(b2b_str_of(app->listeners[number]));
		handle_r->attr = B2B_ATTR_APP_LISTENER;
		return true;
	}
	number -= app->listener_count;
	if (number >= app->audience_count)
		return false;
	handle_r->index = B2B_BY_AUDIENCE;
	handle_r->key = b2b_key_exactly(b2b_str_of(app->audiences[number]));
	handle_r->attr = B2B_ATTR_APP_AUDIENCE;
	return true;
}

static bool partner_handle(const struct b2b_partner *partner, size_t number,
			   struct b2b_handle *handle_r)
{
	if (number == 0) {
		handle_r->index = B2B_BY_PARTNER;
		handle_r->key = b2b_key_any_case(b2b_str_of(partner->tenant_id));
		handle_r->attr = B2B_ATTR_TENANT_ID;
		return true;
	}
	handle_r->shared = true;
	if (number == 1) {
		handle_r->index = B2B_BY_ISSUER;
		handle_r->key = b2b_key_exactly(b2b_str_of(partner->token.issuer));
		handle_r->attr = B2B_ATTR_ISSUER;
		return true;
	}
	number -= 2;
	if (number >= partner->domains.count)
		return false;
	handle_r->index = B2B_BY_DOMAIN;
	handle_r->key = b2b_key_any_case(b2b_str_of(partner->domains.list[number]));
	handle_r->attr = B2B_ATTR_TENANT_DOMAIN;
	return true;
}

bool b2b_snapshot_handle_at(const struct b2b_rule *rule, size_t number, struct b2b_handle *handle_r)
{
	handle_r->attr = B2B_ATTR_NONE;
	handle_r->shared = false;
	if (number == 0) {
		handle_r->index = B2B_BY_DN;
		handle_r->key = b2b_key_exactly(b2b_str_of(rule->dn));
		return true;
	}
	if (rule->kind == B2B_RULE_APP)
		return app_handle(&rule->u.app, number - 1, handle_r);
	if (rule->kind == B2B_RULE_PARTNER)
		return partner_handle(&rule->u.partner, number - 1, handle_r);
	handle_r->index = B2B_BY_ROLE;
	handle_r->key = b2b_snapshot_role_key(rule->kind);
	return number == 1 && (rule->kind == B2B_RULE_TENANT || rule->kind == B2B_RULE_DEFAULT);
}

/* A rule of another DN that has the same. */
static const struct b2b_rule *rival(const struct b2b_snapshot *snapshot,
				    const struct b2b_handle *handle, const struct b2b_rule *rule)
{
	const struct b2b_rule *other = NULL;
	bool several = false;

	if (handle->index != B2B_BY_DN && handle->key.text.len)
		other = b2b_table_find(snapshot->tables[handle->index], handle->key, &several);
	if (!other || (strcmp(other->dn, rule->dn) == 0 && !several))
		return NULL;
	return other;
}

static enum b2b_err handle_conflict(const struct b2b_snapshot *snapshot,
				    const struct b2b_handle *handle, const struct b2b_rule *rule,
				    struct b2b_error *error)
{
	const struct b2b_rule *other = rival(snapshot, handle, rule);

	if (!other)
		return B2B_OK;
	if (handle->index == B2B_BY_ROLE)
		return b2b_error_set(error, "there is a %.*s policy already: %s",
				     (int)handle->key.text.len, handle->key.text.s, other->dn);
	return b2b_error_set(error, "%s: value \"%.200s\" belongs to %s already",
			     b2b_attr_name(handle->attr), handle->key.text.s, other->dn);
}

static bool has_claim(const struct b2b_claims *claims, const char *name)
{
	for (size_t i = 0; i < claims->count; i++)
		if (strcmp(claims->list[i].name, name) == 0)
			return true;
	return false;
}

/* Whether both want one value of the claim, values that differ in case alone being taken for one:
 * what tells tenants apart should not hang on that. */
static bool share_value(const struct b2b_claims *a, const struct b2b_claims *b, const char *name)
{
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->list[i].name, name) != 0)
			continue;
		for (size_t j = 0; j < b->count; j++)
			if (strcmp(b->list[j].name, name) == 0 &&
			    b2b_str_equal_nocase(b2b_str_of(a->list[i].value),
						 b2b_str_of(b->list[j].value)))
				return true;
	}
	return false;
}

/* A token that satisfies both would have to have two values of one claim. */
static bool told_apart(const struct b2b_claims *a, const struct b2b_claims *b)
{
	for (size_t i = 0; i < a->count; i++) {
		const char *name = a->list[i].name;

		if (has_claim(b, name) && !share_value(a, b, name))
			return true;
	}
	return false;
}

static enum b2b_err issuer_conflict(const struct b2b_snapshot *snapshot,
				    const struct b2b_rule *rule, struct b2b_error *error)
{
	struct b2b_str issuer = b2b_str_of(rule->u.partner.token.issuer);
	const struct b2b_rule *other;

	for (size_t i = 0; (other = b2b_snapshot_partner_by_issuer(snapshot, issuer, i)); i++)
		if (strcmp(other->dn, rule->dn) != 0 &&
		    !told_apart(&rule->u.partner.token.tenant, &other->u.partner.token.tenant))
			return b2b_error_set(error,
					     "%s: value \"%.200s\" is that of %s too, and no %s "
					     "tells the two apart",
					     b2b_attr_name(B2B_ATTR_ISSUER), issuer.s, other->dn,
					     b2b_attr_name(B2B_ATTR_TENANT_CLAIM));
	return B2B_OK;
}

static bool same_network(const struct b2b_cidr *a, const struct b2b_cidr *b)
{
	return a->prefix_bits == b->prefix_bits &&
	       memcmp(a->net.bytes, b->net.bytes, sizeof a->net.bytes) == 0;
}

static enum b2b_err peer_conflict(const struct b2b_snapshot *snapshot, const struct b2b_rule *rule,
				  struct b2b_error *error)
{
	const struct b2b_peers *peers = snapshot->peers;

	for (size_t i = 0; peers && i < rule->u.app.peer_count; i++) {
		for (size_t j = 0; j < peers->count; j++) {
			const struct b2b_peer *peer = &peers->list[j];

			if (same_network(&peer->cidr, &rule->u.app.peers[i]) &&
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
	struct b2b_handle handle;

	if (error)
		error->text[0] = '\0';
	for (size_t i = 0; b2b_snapshot_handle_at(rule, i, &handle); i++)
		if (!handle.shared && handle_conflict(snapshot, &handle, rule, error) != B2B_OK)
			return B2B_ERR_INVALID;
	if (rule->kind == B2B_RULE_PARTNER)
		return issuer_conflict(snapshot, rule, error);
	return rule->kind == B2B_RULE_APP ? peer_conflict(snapshot, rule, error) : B2B_OK;
}
