/*
 * mass.c - the mass stop: where one sweep would disable or delete more guests than it may, it does nothing.
 * In: what is due, b2bMassLimit, b2bMassConfirm.  Out: yes, or a halt that the log, the tenant's entry
 * and a notice tell of.
 */
#include "sweep_parts.h"

/* The default b2bMassLimit lets so many go in a small tenant, where a fifth of all is nothing. */
enum { MASS_FLOOR = 25 };

static bool count_guest(void *ctx, Entry *e)
{
	((struct b2b_whole_sweep *)ctx)->guests++;
	return !slapd_shutdown;
}

/* How many guests may go in one sweep; all are counted only where that is asked for. */
static unsigned find_limit(struct b2b_whole_sweep *sweep, unsigned n)
{
	static const struct b2b_mass_limit absent = { 500, 20 };
	const struct b2b_tenant_policy *policy = sweep->pub.policy;
	struct b2b_mass_limit limit = policy ? policy->mass_limit : absent;
	unsigned share;

	if (!limit.percent)
		return limit.guests;
	if (limit.guests && n <= MASS_FLOOR)
		return MASS_FLOOR;
	if (!sweep->guests)
		b2b_sweep_search(sweep, "(objectClass=b2bGuest)", count_guest);
	share = (unsigned)((unsigned long long)sweep->guests * limit.percent / 100);
	if (!limit.guests)
		return share;
	share = share > MASS_FLOOR ? share : MASS_FLOOR;
	return share < limit.guests ? share : limit.guests;
}

static void write_tenant(struct b2b_whole_sweep *sweep, Modifications *mods)
{
	struct b2b_tenant *tenant = sweep->pub.tenant;
	struct b2b_name base = { tenant->base, tenant->nbase };

	b2b_sweep_renew(&sweep->pub);
	b2b_inner_modify(sweep->pub.op, tenant, &base, NULL, mods, false);
}

/* How many stood in the way when the task halted last; 0: it did not. */
static unsigned read_halted(struct b2b_whole_sweep *sweep)
{
	struct b2b_tenant *tenant = sweep->pub.tenant;
	const char *text;
	Entry *e;

	b2b_sweep_renew(&sweep->pub);
	e = b2b_entry_get(sweep->pub.op, tenant, &tenant->nbase);
	if (!e)
		return 0;
	text = b2b_entry_text(sweep->pub.op, e, "b2bMassHalted");
	b2b_entry_release(sweep->pub.op, tenant, e);
	return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

static int tell_halted(struct b2b_whole_sweep *sweep, unsigned n, const char *number)
{
	const struct b2b_tenant_policy *policy = sweep->pub.policy;
	struct b2b_notice notice = { .type = "halted", .key = number };
	char day[B2B_TIME_SIZE], key[64];
	int rc = LDAP_SUCCESS;
	struct berval to;

	b2b_time_format(sweep->pub.now, day);
	day[8] = '\0';
	snprintf(key, sizeof(key), "%u %s", n, day);
	notice.key = key;
	notice.data = json_pack("{s:s}", "count", number);
	notice.to = &to;
	for (size_t i = 0; policy && i < policy->fallback_reviewers.count; i++) {
		ber_str2bv(policy->fallback_reviewers.list[i], 0, 0, &to);
		if (rc == LDAP_SUCCESS)
			rc = b2b_outbox_put(sweep->pub.op, sweep->pub.tenant, &notice);
	}
	json_decref(notice.data);
	return rc;
}

static void halt(struct b2b_whole_sweep *sweep)
{
	unsigned n = sweep->leaving;
	Modifications *mods = NULL;
	char number[16];

	snprintf(number, sizeof(number), "%u", n);
	if (read_halted(sweep) == n)
		return; /* said already */
	Debug(LDAP_DEBUG_ANY,
	      "b2b: task HALTED: %u guests were to be disabled or deleted at once, %u may be "
	      "(b2bMassLimit); nothing is done until b2bMassConfirm: %u stands in \"%s\"\n",
	      n, sweep->may, n, sweep->pub.tenant->base.bv_val);
	if (tell_halted(sweep, n, number) != LDAP_SUCCESS)
		return; /* the next sweep tells */
	b2b_record_set(&mods, B2B_ATTR_MASS_HALTED, number);
	write_tenant(sweep, mods);
}

bool b2b_sweep_may_stop(struct b2b_sweep *pub, unsigned n)
{
	struct b2b_whole_sweep *sweep = (struct b2b_whole_sweep *)pub;
	bool may = n <= sweep->leaving && sweep->gone <= sweep->leaving - n;

	sweep->left = sweep->left || !may;
	return may;
}

void b2b_sweep_stopped(struct b2b_sweep *pub)
{
	((struct b2b_whole_sweep *)pub)->gone++;
}

static bool is_confirmed(struct b2b_whole_sweep *sweep)
{
	unsigned confirmed = sweep->pub.policy ? sweep->pub.policy->mass_confirm : 0;

	if (!sweep->leaving)
		return true;
	sweep->may = find_limit(sweep, sweep->leaving);
	return sweep->leaving <= sweep->may || sweep->leaving <= confirmed;
}

void b2b_mass_forget_halt(struct b2b_whole_sweep *sweep)
{
	unsigned confirmed = sweep->pub.policy ? sweep->pub.policy->mass_confirm : 0;
	Modifications *mods = NULL;
	char number[16];

	if (b2b_sweep_must_end(&sweep->pub))
		return;
	if (confirmed) {
		snprintf(number, sizeof(number), "%u", confirmed);
		b2b_record_set(&mods, B2B_ATTR_MASS_CONFIRM, number);
		mods->sml_op = LDAP_MOD_DELETE; /* by value: another one may stand there by now */
	}
	if (read_halted(sweep))
		b2b_record_set(&mods, B2B_ATTR_MASS_HALTED, NULL);
	if (mods)
		write_tenant(sweep, mods);
}

/* --- how many will go --- */

static bool is_leaving(const struct b2b_whole_sweep *sweep, Entry *e)
{
	struct b2b_source source = b2b_map_source(e);
	struct b2b_guest guest;

	b2b_guest_parse(&source, &guest, NULL);
	switch (b2b_guest_step(&guest, sweep->pub.policy, slap_get_time(), NULL)) {
	case B2B_STEP_DISABLE:
	case B2B_STEP_DROP:
	case B2B_STEP_DELETE:
		return true;
	default:
		return false;
	}
}

static int compare(const void *a, const void *b)
{
	return ber_bvcmp((const struct berval *)a, (const struct berval *)b);
}

void b2b_sweep_expect(struct b2b_sweep *pub, const struct berval *ndn)
{
	struct b2b_whole_sweep *sweep = (struct b2b_whole_sweep *)pub;
	struct berval *name;
	Entry *e;

	if (!sweep->counting)
		return;
	e = b2b_entry_get(pub->op, pub->tenant, (struct berval *)ndn);
	if (!e)
		return;
	bool counted = is_leaving(sweep, e); /* among those found by their own time */
	b2b_entry_release(pub->op, pub->tenant, e);
	if (counted)
		return;
	name = ber_bvdup((struct berval *)ndn);
	if (ldap_avl_insert(&sweep->expected, name, compare, ldap_avl_dup_error))
		ber_bvfree(name);
	else
		sweep->leaving++;
}

static void free_name(void *name)
{
	ber_bvfree(name);
}

static bool note_leaving(void *ctx, Entry *e)
{
	struct b2b_whole_sweep *sweep = ctx;

	if (!b2b_map_is_guest(e))
		b2b_sweep_remember(sweep, e);
	else if (is_leaving(sweep, e))
		sweep->leaving++;
	return !slapd_shutdown;
}

bool b2b_mass_may_begin(struct b2b_whole_sweep *sweep, const char *filter)
{
	struct b2b_found *found;
	bool done;

	sweep->counting = true;
	done = b2b_sweep_search(sweep, filter, note_leaving);
	while ((found = b2b_sweep_recall(sweep))) {
		b2b_sweep_renew(&sweep->pub);
		if (found->kind == B2B_DUE_PROJECT)
			b2b_project_count(&sweep->pub, &found->ndn);
		else if (found->kind == B2B_DUE_REVIEW)
			b2b_review_count(&sweep->pub, &found->ndn);
		b2b_sweep_forget(found);
	}
	sweep->counting = false;
	ldap_avl_free(sweep->expected, free_name);
	sweep->expected = NULL;
	if (!done || b2b_sweep_must_end(&sweep->pub))
		return false;
	if (is_confirmed(sweep))
		return true;
	halt(sweep);
	return false;
}
