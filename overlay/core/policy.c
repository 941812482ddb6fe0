/*
 * policy.c - the life of a rule, and which part reads which kind of entry.
 * In: a policy entry and its kind.
 * Out: a reference-counted rule, marked invalid where the entry is wrong.
 */
#include "policy_parts.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void b2b_policy_free_list(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

static void free_list(struct b2b_list *list)
{
	b2b_policy_free_list(list->list, list->count);
}

static void free_tenant(struct b2b_tenant_policy *tenant)
{
	free(tenant->tenant_id);
	free(tenant->issuer);
	free(tenant->guest_base);
	free(tenant->terms_version);
	b2b_policy_free_list(tenant->labels, tenant->label_count);
	free(tenant->default_label);
	for (size_t i = 0; i < tenant->attribute_label_count; i++)
		free(tenant->attribute_labels[i].type);
	free(tenant->attribute_labels);
	free_list(&tenant->inviters);
	free_list(&tenant->domains);
	free_list(&tenant->allowed_domains);
	free_list(&tenant->blocked_domains);
	free_list(&tenant->fallback_reviewers);
	free_list(&tenant->approvers);
	free(tenant->redemption_url);
	free_list(&tenant->request_requires);
}

static void free_partner(struct b2b_partner *partner)
{
	free(partner->tenant_id);
	b2b_policy_free_settings(&partner->settings);
	b2b_policy_free_list(partner->home_uris, partner->home_uri_count);
	free(partner->home_bind_dn);
	free(partner->home_ca_file);
	free_list(&partner->domains);
	b2b_policy_free_token(&partner->token);
	free(partner->max_label);
}

static void free_app(struct b2b_app *app)
{
	free(app->id);
	b2b_policy_free_list(app->service_dns, app->service_dn_count);
	b2b_policy_free_list(app->listeners, app->listener_count);
	free(app->peers);
	b2b_policy_free_list(app->audiences, app->audience_count);
	b2b_policy_free_list(app->assignees, app->assignee_count);
	b2b_policy_free_list(app->scopes, app->scope_count);
	free(app->max_label);
}

static void free_rule(struct b2b_rule *rule)
{
	switch (rule->kind) {
	case B2B_RULE_TENANT:
		free_tenant(&rule->u.tenant);
		break;
	case B2B_RULE_DEFAULT:
		b2b_policy_free_settings(&rule->u.defaults);
		break;
	case B2B_RULE_PARTNER:
		free_partner(&rule->u.partner);
		break;
	case B2B_RULE_APP:
		free_app(&rule->u.app);
		break;
	case B2B_RULE_ACCESS:
		b2b_policy_free_access(&rule->u.access);
		break;
	case B2B_RULE_REVIEW:
		b2b_policy_free_review(&rule->u.review);
		break;
	case B2B_RULE_NONE:
		break;
	}
	free(rule->dn);
	free(rule);
}

struct b2b_rule *b2b_rule_ref(struct b2b_rule *rule)
{
	if (rule)
		atomic_fetch_add_explicit(&rule->refs, 1, memory_order_relaxed);
	return rule;
}

void b2b_rule_unref(struct b2b_rule **rule)
{
	struct b2b_rule *gone = rule ? *rule : NULL;

	if (!gone)
		return;
	*rule = NULL;
	if (atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) == 1)
		free_rule(gone);
}

static void read_rule(struct b2b_reader *reader, struct b2b_rule *rule)
{
	switch (rule->kind) {
	case B2B_RULE_TENANT:
		b2b_policy_read_tenant(reader, &rule->u.tenant);
		return;
	case B2B_RULE_DEFAULT:
		b2b_policy_read_settings(reader, &rule->u.defaults);
		return;
	case B2B_RULE_PARTNER:
		b2b_policy_read_partner(reader, &rule->u.partner);
		return;
	case B2B_RULE_APP:
		b2b_policy_read_app(reader, &rule->u.app);
		return;
	case B2B_RULE_ACCESS:
		b2b_policy_read_access(reader, &rule->u.access);
		return;
	case B2B_RULE_REVIEW:
		b2b_policy_read_review(reader, &rule->u.review);
		return;
	case B2B_RULE_NONE:
		break;
	}
	reader->invalid = true;
	b2b_error_set(reader->error, "not a policy entry");
}

enum b2b_err b2b_rule_compile(enum b2b_rule_kind kind, const struct b2b_source *source,
			      struct b2b_rule **rule_r, struct b2b_error *error)
{
	struct b2b_rule *rule = calloc(1, sizeof *rule);
	struct b2b_reader reader = { .source = source };

	*rule_r = NULL;
	if (error)
		error->text[0] = '\0';
	if (!rule)
		return B2B_ERR_MEMORY;
	rule->kind = kind;
	atomic_init(&rule->refs, 1);
	rule->dn = b2b_str_dup(b2b_str_of(source->dn));
	reader.error = &rule->error;
	reader.no_memory = !rule->dn;
	read_rule(&reader, rule);
	if (reader.no_memory) {
		b2b_rule_unref(&rule);
		return B2B_ERR_MEMORY;
	}
	rule->invalid = reader.invalid;
	if (reader.invalid && error)
		*error = rule->error;
	*rule_r = rule;
	return reader.invalid ? B2B_ERR_INVALID : B2B_OK;
}

bool b2b_policy_read_id(struct b2b_reader *reader, enum b2b_attr attr, char **id_r)
{
	if (!b2b_read_text(reader, attr, id_r))
		return false;
	for (char *c = *id_r; *c; c++)
		*c = b2b_lower(*c);
	return true;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void b2b_policy_read_dns(struct b2b_reader *reader, enum b2b_attr attr, char ***list, size_t *count)
{
	b2b_read_list(reader, attr, list, count);
	if (*count)
		qsort(*list, *count, sizeof **list, by_text);
}

void b2b_policy_read_networks(struct b2b_reader *reader, enum b2b_attr attr, struct b2b_cidr **list,
			      size_t *count)
{
	struct b2b_cidr cidr, *longer;
	struct b2b_str value;

	for (size_t index = 0; b2b_read_next(reader, attr, &index, &value);) {
		if (b2b_cidr_parse(value, &cidr) != B2B_OK) {
			b2b_read_refuse(reader, attr, value,
					"is not a network such as 192.0.2.0/24");
			continue;
		}
		longer = realloc(*list, (*count + 1) * sizeof *longer);
		if (!longer) {
			reader->no_memory = true;
			return;
		}
		longer[(*count)++] = cidr;
		*list = longer;
	}
}
