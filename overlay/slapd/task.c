/*
 * task.c - the internal task: disables guests whose time is over, in slapd itself.
 * In: slapd's run queue, every olcB2bSweepInterval seconds; guests with b2bNextDue in the past.
 * Out: ordinary modifications in the rootdn's name, replicated and logged like any other.
 */
#include "glue.h"

#include "ldap_rq.h"

struct found {
	struct berval ndn;
	struct found *next;
};

struct sweep {
	Operation *op;
	struct b2b_tenant *tenant;
	struct b2b_snapshot *snapshot;
	struct found *found; /* newest first */
	unsigned count, limit;
	bool repair; /* only guests whose b2bNextDue is wrong */
	ID last;     /* the last entry found */
	void *ctx;
	OperationBuffer opbuf;
	Connection conn;
};

/* Each search and each guest gets an operation, and memory, of its own: what the last one left
 * behind is gone. */
static void renew(struct sweep *sweep)
{
	memset(&sweep->conn, 0, sizeof(sweep->conn));
	connection_fake_init2(&sweep->conn, &sweep->opbuf, sweep->ctx, 1);
	sweep->op = &sweep->opbuf.ob_op;
	sweep->op->o_bd = sweep->tenant->be;
	sweep->op->o_dn = sweep->tenant->be->be_rootdn;
	sweep->op->o_ndn = sweep->tenant->be->be_rootndn;
}

static bool must_stop(const struct sweep *sweep)
{
	return slapd_shutdown || !sweep->tenant->open ||
	       ldap_pvt_thread_pool_pausing(&connection_pool) > 0;
}

static bool is_due_right(const struct sweep *sweep, Entry *e)
{
	struct b2b_source source = b2b_map_source(e);
	struct b2b_guest guest;

	b2b_guest_parse(&source, &guest, NULL);
	return b2b_guest_next_due(&guest, b2b_record_policy(sweep->snapshot), slap_get_time()) ==
	       guest.next_due;
}

static int note_guest(Operation *op, SlapReply *rs)
{
	struct sweep *sweep = op->o_callback->sc_private;
	struct found *found;

	if (rs->sr_type != REP_SEARCH)
		return 0;
	/* a backend without numbers has them all at 0 or NOID */
	ID id = rs->sr_entry->e_id == NOID ? 0 : rs->sr_entry->e_id;
	if (id && id <= sweep->tenant->swept)
		return 0;
	if (sweep->count >= sweep->limit || slapd_shutdown)
		return LDAP_SIZELIMIT_EXCEEDED;
	if (sweep->repair && is_due_right(sweep, rs->sr_entry))
		return 0;
	found = ch_malloc(sizeof(*found));
	ber_dupbv(&found->ndn, &rs->sr_entry->e_nname);
	found->next = sweep->found;
	sweep->found = found;
	sweep->count++;
	if (id > sweep->last)
		sweep->last = id;
	return 0;
}

/* Collects up to one batch of guests that match below one suffix. */
static void search(struct sweep *sweep, const char *filter, int suffix)
{
	SlapReply rs = { REP_RESULT };
	slap_callback cb = { .sc_response = note_guest, .sc_private = sweep };
	Operation *op;

	renew(sweep);
	op = sweep->op;
	op->o_tag = LDAP_REQ_SEARCH;
	op->o_callback = &cb;
	op->o_req_dn = sweep->tenant->be->be_suffix[suffix];
	op->o_req_ndn = sweep->tenant->be->be_nsuffix[suffix];
	op->o_managedsait = SLAP_CONTROL_CRITICAL;
	op->o_do_not_cache = 1;
	memset(&op->oq_search, 0, sizeof(op->oq_search));
	op->ors_scope = LDAP_SCOPE_SUBTREE;
	op->ors_deref = LDAP_DEREF_NEVER;
	op->ors_slimit = SLAP_NO_LIMIT;
	op->ors_tlimit = SLAP_NO_LIMIT;
	op->ors_attrs = slap_anlist_no_attrs;
	op->ors_filter = str2filter_x(op, filter);
	if (!op->ors_filter)
		return;
	ber_str2bv(filter, 0, 0, &op->ors_filterstr);
	op->o_bd->be_search(op, &rs);
	filter_free_x(op, op->ors_filter, 1);
}

/* What is due for one guest: off with it, or the next date.  True if it was written. */
static bool handle(struct sweep *sweep, struct berval *ndn)
{
	const struct b2b_tenant_policy *policy = b2b_record_policy(sweep->snapshot);
	time_t now = slap_get_time();
	struct b2b_record_read read;
	Modifications *mods = NULL;
	enum b2b_reason reason;

	renew(sweep);
	if (!b2b_record_read(sweep->op, sweep->tenant, ndn, &read))
		return false;
	/* time can be over before the first day: a review that ends in a denial */
	read.guest.valid_from = 0;
	reason = b2b_decide_record(&read.guest, policy, now);
	bool off = read.guest.enabled &&
		   (reason == B2B_REASON_EXPIRED || reason == B2B_REASON_REVIEW_LAPSED);
	if (off) {
		b2b_record_set(&mods, B2B_ATTR_ACCOUNT_ENABLED, "FALSE");
		b2b_record_disable(policy, b2b_reason_name(reason), now, &mods);
	}
	b2b_record_set_due(&read, off ? 0 : b2b_guest_next_due(&read.guest, policy, now), &mods);
	if (!mods)
		return false;
	int rc = b2b_keeper_write(sweep->op, sweep->tenant, &read, mods);
	if (rc == LDAP_SUCCESS && off)
		Debug(LDAP_DEBUG_STATS, "b2b: task guest=\"%s\" disabled reason=%s\n", ndn->bv_val,
		      b2b_reason_name(reason));
	else if (rc != LDAP_SUCCESS && rc != LDAP_ASSERTION_FAILED && rc != LDAP_NO_SUCH_ATTRIBUTE)
		Debug(LDAP_DEBUG_ANY, "b2b: task guest=\"%s\": not written (%d)\n", ndn->bv_val,
		      rc);
	return rc == LDAP_SUCCESS;
}

/* Handles one batch of what a filter finds; false when there is no more to do for now.  Entries come
 * in the order of their numbers: after a batch of which nothing could be written the next run goes
 * on behind it, so that such guests do not stand in the way of others. */
static bool handle_batch(struct sweep *sweep, const char *filter)
{
	bool written = false;

	sweep->count = 0;
	for (int i = 0; !BER_BVISNULL(&sweep->tenant->be->be_nsuffix[i]); i++)
		search(sweep, filter, i);
	while (sweep->found) {
		struct found *found = sweep->found;

		sweep->found = found->next;
		if (!must_stop(sweep) && handle(sweep, &found->ndn))
			written = true;
		ch_free(found->ndn.bv_val);
		ch_free(found);
	}
	bool more = sweep->count >= sweep->limit && !must_stop(sweep);
	sweep->tenant->swept = more ? sweep->last : 0;
	return more && written;
}

static void sweep_tenant(struct sweep *sweep)
{
	char now[B2B_TIME_SIZE], filter[64];

	/* what slapadd loaded has no b2bNextDue, or another's: looked for once after each start, and
	 * when the tenant's defaults changed; all in one batch, for no key says where to go on */
	if (!sweep->tenant->repaired) {
		sweep->tenant->repaired = true;
		sweep->repair = true;
		sweep->limit = UINT_MAX;
		handle_batch(sweep, "(&(objectClass=b2bGuest)(b2bAccountEnabled=TRUE))");
		sweep->repair = false;
		if (must_stop(sweep))
			sweep->tenant->repaired = false;
	}
	sweep->limit = sweep->tenant->sweep_batch;
	b2b_time_format(slap_get_time(), now);
	snprintf(filter, sizeof(filter), "(b2bNextDue<=%s)", now);
	while (handle_batch(sweep, filter))
		;
}

static void *run(void *ctx, void *arg)
{
	struct re_s *task = arg;
	struct b2b_tenant *tenant = task->arg;

	/* a consumer gets what its provider's task writes */
	if (tenant->open && !slapd_shutdown && b2b_tenant_is_writable(tenant)) {
		struct sweep sweep = { .tenant = tenant, .ctx = ctx };

		sweep.snapshot = b2b_tenant_snapshot(tenant);
		sweep_tenant(&sweep);
		b2b_snapshot_unref(&sweep.snapshot);
	}
	ldap_pvt_thread_mutex_lock(&slapd_rq.rq_mutex);
	if (ldap_pvt_runqueue_isrunning(&slapd_rq, task))
		ldap_pvt_runqueue_stoptask(&slapd_rq, task);
	if (tenant->task == task)
		ldap_pvt_runqueue_resched(&slapd_rq, task, 0);
	else
		ldap_pvt_runqueue_remove(&slapd_rq, task); /* stopped while it ran */
	ldap_pvt_thread_mutex_unlock(&slapd_rq.rq_mutex);
	return NULL;
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
