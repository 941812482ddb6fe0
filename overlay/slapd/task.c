/*
 * task.c - the internal task: finds what is due.
 * In: slapd's run queue, every olcB2bSweepInterval seconds, or woken; entries with b2bNextDue in the
 * past.  Out: ordinary writes in the rootdn's name, replicated and logged like any other.
 */
#include "sweep_parts.h"

#include "ldap_rq.h"

/* Each search and each entry gets an operation, and memory, of its own: what the last one left
 * behind is gone. */
void b2b_sweep_renew(struct b2b_sweep *pub)
{
	struct b2b_whole_sweep *sweep = (struct b2b_whole_sweep *)pub;

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
	return slapd_shutdown || !pub->tenant->open ||
	       ldap_pvt_thread_pool_pausing(&connection_pool) > 0;
}

bool b2b_sweep_search(struct b2b_whole_sweep *sweep, const char *filter, b2b_inner_found *found)
{
	BackendDB *be = sweep->pub.tenant->be;
	int rc = LDAP_SUCCESS;

	for (int i = 0; rc == LDAP_SUCCESS && !BER_BVISNULL(&be->be_nsuffix[i]); i++) {
		b2b_sweep_renew(&sweep->pub);
		rc = b2b_inner_search(
			sweep->pub.op, sweep->pub.tenant,
			&(struct b2b_where){ &be->be_nsuffix[i], LDAP_SCOPE_SUBTREE, filter },
			found, sweep);
		if (rc == LDAP_NO_SUCH_OBJECT)
			rc = LDAP_SUCCESS;
	}
	if (rc != LDAP_SUCCESS)
		Debug(LDAP_DEBUG_ANY, "b2b: task: \"%s\" cannot be searched (%d)\n",
		      be->be_suffix[0].bv_val, rc);
	return rc == LDAP_SUCCESS;
}

/* --- what is due --- */

static enum b2b_due_kind kind_of(Entry *e)
{
	if (b2b_map_is_guest(e))
		return B2B_DUE_GUEST;
	if (is_entry_objectclass(e, b2b_oc_review, 0))
		return B2B_DUE_REVIEW;
	return is_entry_objectclass(e, b2b_oc_request, 0) ? B2B_DUE_REQUEST : B2B_DUE_PROJECT;
}

static bool is_due_right(const struct b2b_whole_sweep *sweep, Entry *e)
{
	struct b2b_source source = b2b_map_source(e);
	struct b2b_guest guest;

	/* there are few of the others */
	if (kind_of(e) != B2B_DUE_GUEST)
		return false;
	b2b_guest_parse(&source, &guest, NULL);
	return b2b_guest_next_due(&guest, sweep->pub.policy, slap_get_time()) == guest.next_due;
}

void b2b_sweep_remember(struct b2b_whole_sweep *sweep, Entry *e)
{
	struct b2b_found *found = ch_malloc(sizeof(*found));

	ber_dupbv(&found->ndn, &e->e_nname);
	found->kind = kind_of(e);
	found->next = sweep->found;
	sweep->found = found;
}

struct b2b_found *b2b_sweep_recall(struct b2b_whole_sweep *sweep)
{
	struct b2b_found *found = sweep->found;

	if (found)
		sweep->found = found->next;
	return found;
}

void b2b_sweep_forget(struct b2b_found *found)
{
	ch_free(found->ndn.bv_val);
	ch_free(found);
}

static bool note_entry(void *ctx, Entry *e)
{
	struct b2b_whole_sweep *sweep = ctx;

	/* a backend without numbers has them all at 0 or NOID */
	ID id = e->e_id == NOID ? 0 : e->e_id;
	if (id && id <= sweep->pub.tenant->swept)
		return true;
	if (sweep->count >= sweep->limit || slapd_shutdown)
		return false;
	if (sweep->repair && is_due_right(sweep, e))
		return true;
	b2b_sweep_remember(sweep, e);
	sweep->count++;
	if (id > sweep->last)
		sweep->last = id;
	return true;
}

static bool handle(struct b2b_whole_sweep *sweep, const struct b2b_found *found)
{
	static bool (*const run[])(struct b2b_sweep *, const struct berval *) = {
		[B2B_DUE_GUEST] = b2b_guest_run,
		[B2B_DUE_PROJECT] = b2b_project_run,
		[B2B_DUE_REQUEST] = b2b_request_run,
		[B2B_DUE_REVIEW] = b2b_review_run,
	};

	b2b_sweep_renew(&sweep->pub);
	return run[found->kind](&sweep->pub, &found->ndn);
}

/* Handles one batch of what a filter finds; false when there is no more to do for now.  Entries come
 * in the order of their numbers: after a batch of which nothing could be written the next run goes
 * on behind it, so that such entries do not stand in the way of others. */
static bool handle_batch(struct b2b_whole_sweep *sweep, const char *filter)
{
	struct b2b_found *found;
	bool written = false;

	sweep->count = 0;
	sweep->last = 0;
	if (!b2b_sweep_search(sweep, filter, note_entry) && sweep->repair)
		sweep->pub.tenant->repaired = false;
	while ((found = b2b_sweep_recall(sweep))) {
		if (!b2b_sweep_must_end(&sweep->pub) && handle(sweep, found))
			written = true;
		b2b_sweep_forget(found);
	}
	bool more = sweep->count >= sweep->limit && !b2b_sweep_must_end(&sweep->pub);
	sweep->pub.tenant->swept = more ? sweep->last : 0;
	return more && written;
}

/* All that may be due. */
static const char whole[] = "(|(objectClass=b2bGuest)(objectClass=b2bCollaboration)"
			    "(objectClass=b2bReviewDefinition))";

/* What slapadd loaded has no b2bNextDue, or another's: looked for once after each start, and when the
 * tenant's defaults changed; all in one batch, for no key says where to go on. */
static void repair(struct b2b_whole_sweep *sweep)
{
	if (sweep->pub.tenant->repaired)
		return;
	sweep->pub.tenant->repaired = true;
	sweep->pub.tenant->swept = 0;
	sweep->repair = true;
	sweep->limit = UINT_MAX;
	b2b_sponsor_run(&sweep->pub, true);
	handle_batch(sweep, whole);
	sweep->repair = false;
	if (b2b_sweep_must_end(&sweep->pub))
		sweep->pub.tenant->repaired = false;
}

static void sweep_tenant(struct b2b_whole_sweep *sweep)
{
	char now[B2B_TIME_SIZE], filter[64];

	b2b_time_format(slap_get_time(), now);
	snprintf(filter, sizeof(filter), "(b2bNextDue<=%s)", now);
	b2b_publish_run(&sweep->pub);
	b2b_leave_run(&sweep->pub); /* nobody goes by it: a halt does not concern it */
	if (!b2b_mass_may_begin(sweep, sweep->pub.tenant->repaired ? filter : whole))
		return;
	repair(sweep);
	b2b_sponsor_run(&sweep->pub, false);
	sweep->limit = sweep->pub.tenant->sweep_batch;
	while (handle_batch(sweep, filter))
		;
	if (sweep->left)
		sweep->pub.tenant->swept = 0;
	/* what was confirmed holds for those behind a batch of which nothing could be written, too */
	if (!sweep->pub.tenant->swept)
		b2b_mass_forget_halt(sweep);
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
		struct b2b_whole_sweep sweep = { .pub = { .tenant = tenant }, .ctx = ctx };

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
