/*
 * task.c - the internal task: finds what is due, and stops where too much is.
 * In: slapd's run queue, every olcB2bSweepInterval seconds, or woken; entries with b2bNextDue in the
 * past.  Out: ordinary writes in the rootdn's name, replicated and logged like any other.
 */
#include "life.h"

#include "ldap_rq.h"

/* The default b2bMassLimit lets so many go in a small tenant, where a fifth of all is nothing. */
enum { MASS_FLOOR = 25 };

/* What b2bNextDue can stand on. */
enum kind { KIND_GUEST = 0, KIND_PROJECT, KIND_REQUEST, KIND_REVIEW };

struct found {
	struct berval ndn;
	enum kind kind;
	struct found *next;
};

struct sweep {
	struct b2b_sweep pub; /* first: those who do what is due see no more of it */
	struct found *found;  /* newest first */
	unsigned count, limit;
	bool repair;                 /* only entries whose b2bNextDue is wrong */
	bool halted;                 /* more guests would go than b2bMassLimit lets */
	unsigned guests, may, going; /* all there are, how many may go, how many will */
	ID last;                     /* the last entry found */
	void *ctx;
	OperationBuffer opbuf;
	Connection conn;
};

/* Each search and each entry gets an operation, and memory, of its own: what the last one left
 * behind is gone. */
void b2b_sweep_renew(struct b2b_sweep *pub)
{
	struct sweep *sweep = (struct sweep *)pub;

	memset(&sweep->conn, 0, sizeof(sweep->conn));
	connection_fake_init2(&sweep->conn, &sweep->opbuf, sweep->ctx, 1);
	pub->op = &sweep->opbuf.ob_op;
	pub->op->o_bd = pub->tenant->be;
	pub->op->o_dn = pub->tenant->be->be_rootdn;
	pub->op->o_ndn = pub->tenant->be->be_rootndn;
	pub->now = slap_get_time();
}

bool b2b_sweep_must_end(const struct b2b_sweep *pub)
{
	return slapd_shutdown || !pub->tenant->open || ((const struct sweep *)pub)->halted ||
	       ldap_pvt_thread_pool_pausing(&connection_pool) > 0;
}

static void search(struct sweep *sweep, const char *filter, b2b_inner_found *found)
{
	BackendDB *be = sweep->pub.tenant->be;

	for (int i = 0; !BER_BVISNULL(&be->be_nsuffix[i]); i++) {
		b2b_sweep_renew(&sweep->pub);
		b2b_inner_search(sweep->pub.op, sweep->pub.tenant, &be->be_nsuffix[i],
				 LDAP_SCOPE_SUBTREE, filter, found, sweep);
	}
}

/* --- the mass stop --- */

static bool count_guest(void *ctx, Entry *e)
{
	((struct sweep *)ctx)->guests++;
	return !slapd_shutdown;
}

/* How many guests may go in one sweep; all are counted only where that is asked for. */
static unsigned find_limit(struct sweep *sweep, unsigned n)
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
		search(sweep, "(objectClass=b2bGuest)", count_guest);
	share = (unsigned)((unsigned long long)sweep->guests * limit.percent / 100);
	if (!limit.guests)
		return share;
	share = share > MASS_FLOOR ? share : MASS_FLOOR;
	return share < limit.guests ? share : limit.guests;
}

static void write_tenant(struct sweep *sweep, Modifications *mods)
{
	struct b2b_tenant *tenant = sweep->pub.tenant;
	struct b2b_name base = { tenant->base, tenant->nbase };

	b2b_sweep_renew(&sweep->pub);
	b2b_inner_modify(sweep->pub.op, tenant, &base, NULL, mods, false);
}

/* How many stood in the way when the task halted last; 0: it did not. */
static unsigned read_halted(struct sweep *sweep)
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

static void tell_halted(struct sweep *sweep, unsigned n, const char *number)
{
	const struct b2b_tenant_policy *policy = sweep->pub.policy;
	struct b2b_notice notice = { .type = "halted", .key = number };
	char day[B2B_TIME_SIZE], key[64];
	struct berval to;

	b2b_time_format(sweep->pub.now, day);
	day[8] = '\0';
	snprintf(key, sizeof(key), "%u %s", n, day);
	notice.key = key;
	notice.data = json_pack("{s:s}", "count", number);
	notice.to = &to;
	for (size_t i = 0; policy && i < policy->fallback_reviewers.count; i++) {
		ber_str2bv(policy->fallback_reviewers.list[i], 0, 0, &to);
		b2b_outbox_put(sweep->pub.op, sweep->pub.tenant, &notice);
	}
	json_decref(notice.data);
}

static void halt(struct sweep *sweep, unsigned n)
{
	Modifications *mods = NULL;
	char number[16];

	sweep->halted = true;
	snprintf(number, sizeof(number), "%u", n);
	if (read_halted(sweep) == n)
		return; /* said already */
	Debug(LDAP_DEBUG_ANY,
	      "b2b: task HALTED: %u guests were to be disabled or deleted at once, %u may be "
	      "(b2bMassLimit); nothing is done until b2bMassConfirm: %u stands in \"%s\"\n",
	      n, sweep->may, n, sweep->pub.tenant->base.bv_val);
	tell_halted(sweep, n, number);
	b2b_record_set(&mods, B2B_ATTR_MASS_HALTED, number);
	write_tenant(sweep, mods);
}

bool b2b_sweep_may_stop(struct b2b_sweep *pub, unsigned n)
{
	struct sweep *sweep = (struct sweep *)pub;
	unsigned all = sweep->going + n;
	unsigned confirmed = pub->policy ? pub->policy->mass_confirm : 0;

	if (sweep->halted)
		return false;
	sweep->may = find_limit(sweep, all);
	if (all > sweep->may && all > confirmed) {
		halt(sweep, all);
		return false;
	}
	sweep->going = all;
	return true;
}

/* What an administrator confirmed is used up, and a halt that is over is no longer shown. */
static void forget_halt(struct sweep *sweep)
{
	Modifications *mods = NULL;

	if (b2b_sweep_must_end(&sweep->pub))
		return;
	if (sweep->pub.policy && sweep->pub.policy->mass_confirm)
		b2b_record_set(&mods, B2B_ATTR_MASS_CONFIRM, NULL);
	if (read_halted(sweep))
		b2b_record_set(&mods, B2B_ATTR_MASS_HALTED, NULL);
	if (mods)
		write_tenant(sweep, mods);
}

static bool count_leaving(void *ctx, Entry *e)
{
	struct sweep *sweep = ctx;
	struct b2b_source source = b2b_map_source(e);
	struct b2b_guest guest;

	if (!b2b_map_is_guest(e))
		return true;
	b2b_guest_parse(&source, &guest, NULL);
	switch (b2b_guest_step(&guest, sweep->pub.policy, slap_get_time(), NULL)) {
	case B2B_STEP_DISABLE:
	case B2B_STEP_DROP:
	case B2B_STEP_DELETE:
		sweep->count++;
		break;
	default:
		break;
	}
	return !slapd_shutdown;
}

/* --- what is due --- */

static enum kind kind_of(Entry *e)
{
	if (b2b_map_is_guest(e))
		return KIND_GUEST;
	if (is_entry_objectclass(e, b2b_oc_review, 0))
		return KIND_REVIEW;
	return is_entry_objectclass(e, b2b_oc_request, 0) ? KIND_REQUEST : KIND_PROJECT;
}

static bool is_due_right(const struct sweep *sweep, Entry *e)
{
	struct b2b_source source = b2b_map_source(e);
	struct b2b_guest guest;

	/* there are few of the others */
	if (kind_of(e) != KIND_GUEST)
		return false;
	b2b_guest_parse(&source, &guest, NULL);
	return b2b_guest_next_due(&guest, sweep->pub.policy, slap_get_time()) == guest.next_due;
}

static bool note_entry(void *ctx, Entry *e)
{
	struct sweep *sweep = ctx;
	struct found *found;

	/* a backend without numbers has them all at 0 or NOID */
	ID id = e->e_id == NOID ? 0 : e->e_id;
	if (id && id <= sweep->pub.tenant->swept)
		return true;
	if (sweep->count >= sweep->limit || slapd_shutdown)
		return false;
	if (sweep->repair && is_due_right(sweep, e))
		return true;
	found = ch_malloc(sizeof(*found));
	ber_dupbv(&found->ndn, &e->e_nname);
	found->kind = kind_of(e);
	found->next = sweep->found;
	sweep->found = found;
	sweep->count++;
	if (id > sweep->last)
		sweep->last = id;
	return true;
}

static bool handle(struct sweep *sweep, const struct found *found)
{
	static bool (*const run[])(struct b2b_sweep *, const struct berval *) = {
		[KIND_GUEST] = b2b_guest_run,
		[KIND_PROJECT] = b2b_project_run,
		[KIND_REQUEST] = b2b_request_run,
		[KIND_REVIEW] = b2b_review_run,
	};

	b2b_sweep_renew(&sweep->pub);
	return run[found->kind](&sweep->pub, &found->ndn);
}

/* Handles one batch of what a filter finds; false when there is no more to do for now.  Entries come
 * in the order of their numbers: after a batch of which nothing could be written the next run goes
 * on behind it, so that such entries do not stand in the way of others. */
static bool handle_batch(struct sweep *sweep, const char *filter)
{
	bool written = false;

	sweep->count = 0;
	search(sweep, filter, note_entry);
	while (sweep->found) {
		struct found *found = sweep->found;

		sweep->found = found->next;
		if (!b2b_sweep_must_end(&sweep->pub) && handle(sweep, found))
			written = true;
		ch_free(found->ndn.bv_val);
		ch_free(found);
	}
	bool more = sweep->count >= sweep->limit && !b2b_sweep_must_end(&sweep->pub);
	sweep->pub.tenant->swept = more ? sweep->last : 0;
	return more && written;
}

/* What slapadd loaded has no b2bNextDue, or another's: looked for once after each start, and when the
 * tenant's defaults changed; all in one batch, for no key says where to go on. */
static void repair(struct sweep *sweep)
{
	if (sweep->pub.tenant->repaired)
		return;
	sweep->pub.tenant->repaired = true;
	sweep->repair = true;
	sweep->limit = UINT_MAX;
	b2b_sponsor_run(&sweep->pub, true);
	handle_batch(sweep, "(|(objectClass=b2bGuest)(objectClass=b2bCollaboration)"
			    "(objectClass=b2bReviewDefinition))");
	sweep->repair = false;
	if (b2b_sweep_must_end(&sweep->pub))
		sweep->pub.tenant->repaired = false;
}

static void sweep_tenant(struct sweep *sweep)
{
	char now[B2B_TIME_SIZE], filter[64];

	b2b_time_format(slap_get_time(), now);
	snprintf(filter, sizeof(filter), "(b2bNextDue<=%s)", now);
	sweep->count = 0;
	search(sweep, sweep->pub.tenant->repaired ? filter : "(objectClass=b2bGuest)",
	       count_leaving);
	if (sweep->count && !b2b_sweep_may_stop(&sweep->pub, sweep->count))
		return;
	repair(sweep);
	b2b_sponsor_run(&sweep->pub, false);
	sweep->limit = sweep->pub.tenant->sweep_batch;
	while (handle_batch(sweep, filter))
		;
	forget_halt(sweep);
}

/* At the next turn of the listener, instead of an interval from now; rq_mutex is held. */
static void run_soon(struct re_s *task)
{
	struct timeval interval = task->interval;

	task->interval.tv_sec = 0;
	ldap_pvt_runqueue_resched(&slapd_rq, task, 0);
	task->interval = interval;
}

static void *run(void *ctx, void *arg)
{
	struct re_s *task = arg;
	struct b2b_tenant *tenant = task->arg;

	tenant->woken = false;
	/* a consumer gets what its provider's task writes */
	if (tenant->open && !slapd_shutdown && b2b_tenant_is_writable(tenant)) {
		struct sweep sweep = { .pub = { .tenant = tenant }, .ctx = ctx };

		sweep.pub.snapshot = b2b_tenant_snapshot(tenant);
		sweep.pub.policy = b2b_record_policy(sweep.pub.snapshot);
		sweep_tenant(&sweep);
		b2b_snapshot_unref(&sweep.pub.snapshot);
	}
	ldap_pvt_thread_mutex_lock(&slapd_rq.rq_mutex);
	if (ldap_pvt_runqueue_isrunning(&slapd_rq, task))
		ldap_pvt_runqueue_stoptask(&slapd_rq, task);
	if (tenant->task != task)
		ldap_pvt_runqueue_remove(&slapd_rq, task); /* stopped while it ran */
	else if (tenant->woken && !slapd_shutdown)
		run_soon(task);
	else
		ldap_pvt_runqueue_resched(&slapd_rq, task, 0);
	ldap_pvt_thread_mutex_unlock(&slapd_rq.rq_mutex);
	return NULL;
}

void b2b_task_wake(struct b2b_tenant *tenant)
{
	ldap_pvt_thread_mutex_lock(&slapd_rq.rq_mutex);
	tenant->woken = true;
	if (tenant->open && tenant->task && !ldap_pvt_runqueue_isrunning(&slapd_rq, tenant->task))
		run_soon(tenant->task);
	ldap_pvt_thread_mutex_unlock(&slapd_rq.rq_mutex);
	slap_wake_listener();
}

int b2b_task_start(struct b2b_tenant *tenant)
{
	if (!tenant->sweep_interval_secs || tenant->task)
		return 0;
	ldap_pvt_thread_mutex_lock(&slapd_rq.rq_mutex);
	tenant->task = ldap_pvt_runqueue_insert(&slapd_rq, (time_t)tenant->sweep_interval_secs, run,
						tenant, "b2b", tenant->be->be_suffix[0].bv_val);
	ldap_pvt_thread_mutex_unlock(&slapd_rq.rq_mutex);
	return tenant->task ? 0 : 1;
}

void b2b_task_stop(struct b2b_tenant *tenant)
{
	struct re_s *task = tenant->task;

	if (!task)
		return;
	ldap_pvt_thread_mutex_lock(&slapd_rq.rq_mutex);
	tenant->task = NULL;
	bool running = ldap_pvt_runqueue_isrunning(&slapd_rq, task);
	/* it may still wait for a thread; once it has one, it goes by itself */
	if (running && ldap_pvt_thread_pool_retract(task->pool_cookie) > 0) {
		ldap_pvt_runqueue_stoptask(&slapd_rq, task);
		running = false;
	}
	if (!running)
		ldap_pvt_runqueue_remove(&slapd_rq, task);
	ldap_pvt_thread_mutex_unlock(&slapd_rq.rq_mutex);
}
