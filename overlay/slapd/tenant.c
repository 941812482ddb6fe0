/*
 * tenant.c - overlay "b2b": one tenant on one database, and its life.
 * In: the database opening and closing.  Out: struct b2b_tenant with its
 * policy loaded and its task running; the write hooks (keeper.c) and the bind (bind.c).
 */
#include "life.h"

struct b2b_tenant *b2b_tenants;
static struct b2b_tenant *_Atomic retired; /* closed for good, kept to say so */
static slap_overinst b2b_overlay;

/* Used tokens that are remembered of each partner: at most some 800 KiB. */
enum { REPLAY_SHARDS = 64, REPLAY_ENTRIES = 32768 };
/* Strangers whose asking is counted. */
enum { LIMIT_KEYS = 65536 };

/* --- references --- */

struct b2b_tenant *b2b_tenant_of(const struct berval *ndn)
{
	/* a glued subordinate counts as its superior; a database of its own inside our suffix not */
	BackendDB *be = select_backend((struct berval *)ndn, 1);

	for (struct b2b_tenant *t = b2b_tenants; be && t; t = t->next) {
		if (t->be == be)
			return t;
	}
	return NULL;
}

struct b2b_snapshot *b2b_tenant_snapshot(struct b2b_tenant *tenant)
{
	ldap_pvt_thread_mutex_lock(&tenant->snapshot_mutex);
	struct b2b_snapshot *snapshot = b2b_snapshot_ref(tenant->snapshot);
	ldap_pvt_thread_mutex_unlock(&tenant->snapshot_mutex);
	return snapshot;
}

void b2b_tenant_publish(struct b2b_tenant *tenant, struct b2b_snapshot *snapshot)
{
	/* before: a list of the new one may stand where one of an older stood */
	b2b_groups_changed(tenant);
	ldap_pvt_thread_mutex_lock(&tenant->snapshot_mutex);
	struct b2b_snapshot *old = tenant->snapshot;
	tenant->snapshot = snapshot;
	atomic_fetch_add(&tenant->published, 1);
	ldap_pvt_thread_mutex_unlock(&tenant->snapshot_mutex);
	b2b_session_guests_changed();
	b2b_snapshot_unref(&old);
}

void b2b_tenant_release(struct b2b_tenant **tenantp)
{
	struct b2b_tenant *tenant = *tenantp;

	*tenantp = NULL;
	if (!tenant || atomic_fetch_sub(&tenant->refs, 1) != 1)
		return;
	bool was_open = tenant->homes != NULL;
	b2b_homes_free(&tenant->homes);
	b2b_replay_free(&tenant->replay);
	b2b_gone_forget(&tenant->gone);
	b2b_gone_forget(&tenant->left);
	b2b_seal_free(&tenant->seal);
	b2b_mint_free(&tenant->mint);
	b2b_signer_free(&tenant->signer);
	b2b_limits_free(&tenant->limits);
	b2b_snapshot_unref(&tenant->snapshot);
	ch_free(tenant->base.bv_val);
	ch_free(tenant->nbase.bv_val);
	ch_free(tenant->key_file);
	BER_BVZERO(&tenant->base);
	BER_BVZERO(&tenant->nbase);
	tenant->key_file = NULL;
	if (was_open && !slapd_shutdown) {
		/* operations that slapd keeps waiting for their client ask once more if it is open */
		tenant->next = atomic_load(&retired);
		while (!atomic_compare_exchange_weak(&retired, &tenant->next, tenant))
			;
		return;
	}
	ldap_pvt_thread_mutex_destroy(&tenant->snapshot_mutex);
	ldap_pvt_thread_mutex_destroy(&tenant->policy_mutex);
	b2b_groups_free(&tenant->groups);
	ch_free(tenant);
}

bool b2b_tenant_is_writable(const struct b2b_tenant *tenant)
{
	return !SLAP_SINGLE_SHADOW(tenant->be) &&
	       !((tenant->be->be_restrictops | frontendDB->be_restrictops) &
		 (SLAP_RESTRICT_OP_MODIFY | SLAP_RESTRICT_READONLY));
}

int b2b_entry_read(Operation *op, struct b2b_tenant *tenant, struct berval *ndn, Entry **e_r)
{
	BackendDB *saved = op->o_bd;

	*e_r = NULL;
	/* back-mdb takes the end of any name for its suffix, which a shorter one does not have */
	if (!be_issubordinate(tenant->be, ndn))
		return LDAP_NO_SUCH_OBJECT;
	op->o_bd = tenant->be;
	int rc = be_entry_get_rw(op, ndn, NULL, NULL, 0, e_r);
	op->o_bd = saved;
	if (rc != LDAP_SUCCESS)
		*e_r = NULL;
	return rc;
}

void b2b_entry_release(Operation *op, struct b2b_tenant *tenant, Entry *e)
{
	BackendDB *saved = op->o_bd;

	op->o_bd = tenant->be;
	be_entry_release_r(op, e);
	op->o_bd = saved;
}

int b2b_tenant_refuse(Operation *op, SlapReply *rs, int err, const char *text)
{
	slap_overinst *on = (slap_overinst *)op->o_bd->bd_info;

	op->o_bd->bd_info = (BackendInfo *)on->on_info;
	send_ldap_error(op, rs, err, text);
	op->o_bd->bd_info = (BackendInfo *)on;
	return rs->sr_err;
}

/* --- life --- */

static int b2b_db_init(BackendDB *be, ConfigReply *cr)
{
	slap_overinst *on = (slap_overinst *)be->bd_info;

	if (SLAP_ISGLOBALOVERLAY(be)) {
		snprintf(cr->msg, sizeof(cr->msg),
			 "b2b: this overlay stands on a database; on the frontend stands b2bgate");
		Debug(LDAP_DEBUG_ANY, "%s\n", cr->msg);
		return 1;
	}
	struct b2b_tenant *tenant = ch_calloc(1, sizeof(*tenant));
	tenant->be = be->bd_self;
	b2b_config_default(tenant);
	tenant->snapshot = b2b_snapshot_new();
	tenant->groups = b2b_groups_new();
	atomic_init(&tenant->refs, 1);
	ldap_pvt_thread_mutex_init(&tenant->snapshot_mutex);
	ldap_pvt_thread_mutex_init(&tenant->policy_mutex);
	on->on_bi.bi_private = tenant;
	return tenant->snapshot ? 0 : 1;
}

static int refuse_open(ConfigReply *cr, const char *msg)
{
	Debug(LDAP_DEBUG_ANY, "%s\n", msg);
	if (cr)
		snprintf(cr->msg, sizeof(cr->msg), "%.*s", (int)sizeof(cr->msg) - 1, msg);
	return 1;
}

static int refuse_start(BackendDB *be, ConfigReply *cr)
{
	char msg[512];

	snprintf(msg, sizeof(msg),
		 "b2b: database \"%s\" has overlay b2b but the server has no gate: add "
		 "\"database frontend\" and \"overlay b2bgate\" to slapd.conf (in cn=config: "
		 "olcOverlay=b2bgate,olcDatabase={-1}frontend,cn=config)",
		 be->be_suffix ? be->be_suffix[0].bv_val : "");
	return refuse_open(cr, msg);
}

static int b2b_db_open(BackendDB *be, ConfigReply *cr)
{
	struct b2b_tenant *tenant = ((slap_overinst *)be->bd_info)->on_bi.bi_private;

	/* slapd opens a second time when olcDisabled is written */
	if ((slapMode & SLAP_TOOL_MODE) || tenant->open)
		return 0;
	if (!be->be_nsuffix || BER_BVISNULL(&be->be_nsuffix[0]))
		return refuse_open(cr, "b2b: the database needs a suffix before overlay b2b");
	if (BER_BVISEMPTY(&be->be_rootndn))
		return refuse_open(
			cr, "b2b: the database needs a rootdn, in whose name overlay b2b works");
	if (!b2b_gate_stands())
		return refuse_start(be, cr);
	struct b2b_homes_limits limits = b2b_config_home_limits(tenant);
	if (!tenant->homes)
		tenant->homes = b2b_homes_new(&limits);
	if (!tenant->replay)
		tenant->replay = b2b_replay_new(REPLAY_SHARDS, REPLAY_ENTRIES);
	if (!tenant->limits)
		tenant->limits = b2b_limits_new(LIMIT_KEYS);
	b2b_config_derive_base(tenant);
	b2b_config_load_key(tenant);
	/* at run time slapd opens an overlay with itself in the database's place */
	BackendInfo *saved = tenant->be->bd_info;
	tenant->be->bd_info = (BackendInfo *)((slap_overinst *)be->bd_info)->on_info;
	int rc = tenant->homes && tenant->replay && tenant->limits ? b2b_policy_load(tenant) : 1;
	tenant->be->bd_info = saved;
	if (rc)
		return rc;
	tenant->open = true;
	tenant->next = b2b_tenants;
	b2b_tenants = tenant;
	b2b_session_guests_changed();
	return b2b_task_start(tenant);
}

static int b2b_db_close(BackendDB *be, ConfigReply *cr)
{
	struct b2b_tenant *tenant = ((slap_overinst *)be->bd_info)->on_bi.bi_private;

	if (!tenant || !tenant->open)
		return 0;
	bool paused = b2b_gate_pause(be);
	b2b_task_stop(tenant);
	tenant->open = false;
	for (struct b2b_tenant **p = &b2b_tenants; *p; p = &(*p)->next) {
		if (*p == tenant) {
			*p = tenant->next;
			break;
		}
	}
	b2b_session_guests_changed();
	if (paused)
		ldap_pvt_thread_pool_resume(&connection_pool);
	return 0;
}

static int b2b_db_destroy(BackendDB *be, ConfigReply *cr)
{
	slap_overinst *on = (slap_overinst *)be->bd_info;
	struct b2b_tenant *tenant = on->on_bi.bi_private;

	on->on_bi.bi_private = NULL;
	b2b_tenant_release(&tenant);
	return 0;
}

/* A tenant whose gate was taken away serves nobody but its rootdn: a half-configured border must
 * not look like a border. */
static int need_gate(Operation *op, SlapReply *rs)
{
	if (b2b_gate_stands() || !b2b_tenant_here(op)->open || be_isroot(op))
		return SLAP_CB_CONTINUE;
	Debug(LDAP_DEBUG_ANY,
	      "%s b2b: refused, overlay b2bgate is missing on the frontend of this server\n",
	      op->o_log_prefix);
	if (op->o_tag != LDAP_REQ_EXTENDED)
		return b2b_tenant_refuse(op, rs, LDAP_UNAVAILABLE, "b2b: the gate is missing");
	rs->sr_text = "b2b: the gate is missing"; /* slapd answers */
	return rs->sr_err = LDAP_UNAVAILABLE;
}

int b2b_tenant_register(void)
{
	b2b_overlay.on_bi.bi_type = "b2b";
	b2b_overlay.on_bi.bi_flags = SLAPO_BFLAG_SINGLE;
	b2b_overlay.on_bi.bi_db_init = b2b_db_init;
	b2b_overlay.on_bi.bi_db_open = b2b_db_open;
	b2b_overlay.on_bi.bi_db_close = b2b_db_close;
	b2b_overlay.on_bi.bi_db_destroy = b2b_db_destroy;
	b2b_overlay.on_bi.bi_op_bind = b2b_bind;
	b2b_overlay.on_bi.bi_op_search = need_gate;
	b2b_overlay.on_bi.bi_op_compare = need_gate;
	b2b_overlay.on_bi.bi_extended = need_gate;
	b2b_overlay.on_bi.bi_op_add = b2b_keeper_add;
	b2b_overlay.on_bi.bi_op_modify = b2b_keeper_modify;
	b2b_overlay.on_bi.bi_op_modrdn = b2b_keeper_modrdn;
	b2b_overlay.on_bi.bi_op_delete = b2b_keeper_delete;
	b2b_overlay.on_bi.bi_access_allowed = b2b_access_allowed;
	b2b_overlay.on_bi.bi_operational = b2b_invite_operational;

	int rc = b2b_config_register(&b2b_overlay.on_bi);
	return rc ? rc : overlay_register(&b2b_overlay);
}
