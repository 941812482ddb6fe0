/*
 * later.c - what no client needs to wait for, nor should be able to measure: done by a job of slapd's
 * pool, one thing after another.
 * In: a function and what it needs, in one block.  Out: it runs once, with an operation of its own in
 * the rootdn's name; or not at all, where too much waits already or the tenant is gone.
 */
#include "proof.h"

#define WAITING_MAX 512

struct later {
	struct later *next;
	struct b2b_tenant *tenant; /* a reference */
	b2b_later_run *run;
	void *what;
};

/* mutex guards what follows; it is a leaf */
static ldap_pvt_thread_mutex_t mutex;
static struct later *first, **last = &first;
static unsigned waiting;
static bool is_working; /* a job is there that will look again */

int b2b_later_register(void)
{
	return ldap_pvt_thread_mutex_init(&mutex);
}

static void forget(struct later *later)
{
	b2b_tenant_release(&later->tenant);
	ch_free(later->what);
	ch_free(later);
}

/* The next one; NULL, and no job is there any more: there is none. */
static struct later *take(void)
{
	struct later *later;

	ldap_pvt_thread_mutex_lock(&mutex);
	later = first;
	if (later) {
		first = later->next;
		waiting--;
	} else {
		is_working = false;
	}
	if (!first)
		last = &first;
	ldap_pvt_thread_mutex_unlock(&mutex);
	return later;
}

/* Memory of its own each time: what the last one left behind is gone. */
static void run(void *ctx, struct later *later)
{
	struct b2b_tenant *tenant = later->tenant;
	OperationBuffer buffer;
	Connection conn;
	Operation *op = &buffer.ob_op;

	if (!tenant->open || slapd_shutdown)
		return;
	memset(&conn, 0, sizeof(conn));
	connection_fake_init2(&conn, &buffer, ctx, 1);
	op->o_bd = tenant->be;
	op->o_dn = tenant->be->be_rootdn;
	op->o_ndn = tenant->be->be_rootndn;
	later->run(op, tenant, later->what);
}

static void *work(void *ctx, void *arg)
{
	struct later *later;

	while ((later = take())) {
		run(ctx, later);
		forget(later);
		/* a change of configuration waits for nobody's leftovers; a job that comes after it
		 * goes on with them */
		if (ldap_pvt_thread_pool_pausing(&connection_pool) > 0 &&
		    ldap_pvt_thread_pool_submit(&connection_pool, work, NULL) == 0)
			break;
	}
	return NULL;
}

void b2b_later(struct b2b_tenant *tenant, b2b_later_run *run_it, void *what)
{
	struct later *later = ch_malloc(sizeof(*later));
	bool fits, starts = false;

	*later = (struct later){ .tenant = tenant, .run = run_it, .what = what };
	atomic_fetch_add(&tenant->refs, 1);
	ldap_pvt_thread_mutex_lock(&mutex);
	fits = waiting < WAITING_MAX;
	if (fits) {
		*last = later;
		last = &later->next;
		waiting++;
		starts = !is_working;
		is_working = true;
	}
	ldap_pvt_thread_mutex_unlock(&mutex);
	if (!fits) {
		Debug(LDAP_DEBUG_ANY, "b2b: too much is left for later: something was dropped\n");
		forget(later);
	}
	if (starts && ldap_pvt_thread_pool_submit(&connection_pool, work, NULL) != 0) {
		ldap_pvt_thread_mutex_lock(&mutex);
		is_working = false; /* the pool is closing */
		ldap_pvt_thread_mutex_unlock(&mutex);
	}
}
