/*
 * tenant.c - overlay "b2b": one tenant on one database, its configuration and its life.
 * In: slapd.conf or cn=config, the database opening and closing.  Out: struct b2b_tenant with its
 * policy loaded and its task running; the write hooks (keeper.c) and the bind (bind.c).
 */
#include "glue.h"

#define B2B_OID "2.25.197761738801757102242170991844305268053"

struct b2b_tenant *b2b_tenants;
static struct b2b_tenant *_Atomic retired; /* closed for good, kept to say so */
static slap_overinst b2b_overlay;

enum { CFG_BASE = 1, CFG_SWEEP_INTERVAL, CFG_SWEEP_BATCH, CFG_KEY_FILE, CFG_TIMEOUT, CFG_CONCURRENCY };

static ConfigDriver configure;

static ConfigTable b2b_options[] = {
	{ "b2b-base", "dn", 2, 2, 0, ARG_DN | ARG_QUOTE | ARG_MAGIC | CFG_BASE, configure,
	  "( " B2B_OID ".5.1 NAME 'olcB2bBase' "
	  "DESC 'DN of the tenant entry, cn=b2b,<suffix> where absent' "
	  "EQUALITY distinguishedNameMatch SYNTAX OMsDN SINGLE-VALUE )",
	  NULL, { .v_int = 0 } },
	{ "b2b-sweep-interval", "seconds", 2, 2, 0, ARG_UINT | ARG_MAGIC | CFG_SWEEP_INTERVAL,
	  configure,
	  "( " B2B_OID ".5.2 NAME 'olcB2bSweepInterval' "
	  "DESC 'Seconds between two runs of the internal task, 60 where absent; 0 switches it off' "
	  "EQUALITY integerMatch SYNTAX OMsInteger SINGLE-VALUE )",
	  NULL, { .v_int = 0 } },
	{ "b2b-sweep-batch", "guests", 2, 2, 0, ARG_UINT | ARG_MAGIC | CFG_SWEEP_BATCH, configure,
	  "( " B2B_OID ".5.3 NAME 'olcB2bSweepBatch' "
	  "DESC 'Guests the internal task handles between two looks at the clock, 1000 where absent' "
	  "EQUALITY integerMatch SYNTAX OMsInteger SINGLE-VALUE )",
	  NULL, { .v_int = 0 } },
	{ "b2b-key-file", "file", 2, 2, 0, ARG_STRING | ARG_QUOTE | ARG_MAGIC | CFG_KEY_FILE,
	  configure,
	  "( " B2B_OID ".5.4 NAME 'olcB2bKeyFile' "
	  "DESC 'Signing key of the tenant, PEM' "
	  "EQUALITY caseExactMatch SYNTAX OMsDirectoryString SINGLE-VALUE )",
	  NULL, { .v_int = 0 } },
	{ "b2b-home-timeout", "seconds", 2, 2, 0, ARG_UINT | ARG_MAGIC | CFG_TIMEOUT, configure,
	  "( " B2B_OID ".5.5 NAME 'olcB2bHomeTimeout' "
	  "DESC 'Seconds a sign-in waits for the home servers of a partner, 5 where absent' "
	  "EQUALITY integerMatch SYNTAX OMsInteger SINGLE-VALUE )",
	  NULL, { .v_int = 0 } },
	{ "b2b-home-concurrency", "number", 2, 2, 0, ARG_UINT | ARG_MAGIC | CFG_CONCURRENCY,
	  configure,
	  "( " B2B_OID ".5.6 NAME 'olcB2bHomeConcurrency' "
	  "DESC 'Sign-ins of one partner that may ask its home servers at once, 4 where absent' "
	  "EQUALITY integerMatch SYNTAX OMsInteger SINGLE-VALUE )",
	  NULL, { .v_int = 0 } },
	{ NULL, NULL, 0, 0, 0, ARG_IGNORED }
};

static ConfigOCs b2b_classes[] = {
	{ .co_def = "( " B2B_OID ".6.1 NAME 'olcB2bConfig' "
		    "DESC 'Guests of partner organisations on this database' "
		    "SUP olcOverlayConfig "
		    "MAY ( olcB2bBase $ olcB2bSweepInterval $ olcB2bSweepBatch $ olcB2bKeyFile $ "
		    "olcB2bHomeTimeout $ olcB2bHomeConcurrency ) )",
	  .co_type = Cft_Overlay,
	  .co_table = b2b_options },
	{ .co_def = NULL }
};

struct number { /* a numeric option: where it stands, what it is where absent, its bounds */
	unsigned *value;
	unsigned absent, min, max;
};

static struct number find_number(struct b2b_tenant *tenant, int type)
{
	switch (type) {
	case CFG_SWEEP_INTERVAL:
		return (struct number){ &tenant->sweep_interval_secs, 60, 0, 86400 };
	case CFG_SWEEP_BATCH:
		return (struct number){ &tenant->sweep_batch, 1000, 1, 1000000 };
	case CFG_TIMEOUT:
		return (struct number){ &tenant->home_timeout_secs, 5, 1, 300 };
	default:
		return (struct number){ &tenant->home_concurrency, 4, 1, 256 };
	}
}

static void pool_idle(void *pool)
{
	ldap_pvt_thread_pool_idle(pool);
}

static void pool_unidle(void *pool)
{
	ldap_pvt_thread_pool_unidle(pool);
}

static struct b2b_homes_limits home_limits(const struct b2b_tenant *tenant)
{
	/* half of the threads at most wait for homes, so that members are served meanwhile */
	unsigned total = connection_pool_max > 1 ? (unsigned)connection_pool_max / 2 : 1;

	return (struct b2b_homes_limits){ .timeout_ms = tenant->home_timeout_secs * 1000,
					  .per_partner = tenant->home_concurrency,
					  .total = total,
					  .idle = pool_idle,
					  .unidle = pool_unidle,
					  .idle_ctx = &connection_pool };
}

static void derive_base(struct b2b_tenant *tenant)
{
	struct berval cn = BER_BVC("cn=b2b");

	if (tenant->base_configured)
		return;
	ch_free(tenant->base.bv_val);
	ch_free(tenant->nbase.bv_val);
	build_new_dn(&tenant->base, &tenant->be->be_suffix[0], &cn, NULL);
	build_new_dn(&tenant->nbase, &tenant->be->be_nsuffix[0], &cn, NULL);
}

/* What runs must follow what was configured; the pool is paused. */
static int follow_configuration(struct b2b_tenant *tenant, int type)
{
	struct b2b_homes_limits limits = home_limits(tenant);

	if (!tenant->open || (slapMode & SLAP_TOOL_MODE))
		return 0;
	switch (type) {
	case CFG_BASE:
		derive_base(tenant);
		return b2b_policy_load(tenant);
	case CFG_SWEEP_INTERVAL:
	case CFG_SWEEP_BATCH:
		b2b_task_stop(tenant);
		return b2b_task_start(tenant);
	case CFG_TIMEOUT:
	case CFG_CONCURRENCY:
		b2b_homes_set_limits(tenant->homes, &limits);
		return 0;
	default:
		return 0;
	}
}

static int emit_option(ConfigArgs *c, struct b2b_tenant *tenant)
{
	struct number number;

	switch (c->type) {
	case CFG_BASE:
		if (!tenant->base_configured)
			return 1;
		value_add_one(&c->rvalue_vals, &tenant->base);
		value_add_one(&c->rvalue_nvals, &tenant->nbase);
		return 0;
	case CFG_KEY_FILE:
		if (!tenant->key_file)
			return 1;
		c->value_string = ch_strdup(tenant->key_file);
		return 0;
	default:
		number = find_number(tenant, c->type);
		if (*number.value == number.absent)
			return 1;
		c->value_uint = *number.value;
		return 0;
	}
}

static int delete_option(ConfigArgs *c, struct b2b_tenant *tenant)
{
	struct number number;

	switch (c->type) {
	case CFG_BASE:
		tenant->base_configured = false;
		derive_base(tenant);
		break;
	case CFG_KEY_FILE:
		ch_free(tenant->key_file);
		tenant->key_file = NULL;
		break;
	default:
		number = find_number(tenant, c->type);
		*number.value = number.absent;
		break;
	}
	return follow_configuration(tenant, c->type);
}

static int refuse_option(ConfigArgs *c, const char *why)
{
	snprintf(c->cr_msg, sizeof(c->cr_msg), "b2b: %s: %s", c->argv[0], why);
	Debug(LDAP_DEBUG_ANY, "%s: %s\n", c->log, c->cr_msg);
	c->reply.err = LDAP_CONSTRAINT_VIOLATION;
	return ARG_BAD_CONF;
}

static int set_base(ConfigArgs *c, struct b2b_tenant *tenant)
{
	if (!tenant->be->be_nsuffix || !dnIsSuffix(&c->value_ndn, &tenant->be->be_nsuffix[0])) {
		char why[256];

		snprintf(why, sizeof(why), "\"%.180s\" is not below the suffix of this database",
			 c->value_dn.bv_val);
		int rc = refuse_option(c, why);
		ch_free(c->value_dn.bv_val);
		ch_free(c->value_ndn.bv_val);
		return rc;
	}
	ch_free(tenant->base.bv_val);
	ch_free(tenant->nbase.bv_val);
	tenant->base = c->value_dn;
	tenant->nbase = c->value_ndn;
	tenant->base_configured = true;
	return 0;
}

static int set_number(ConfigArgs *c, struct b2b_tenant *tenant)
{
	struct number number = find_number(tenant, c->type);

	if (c->value_uint < number.min || c->value_uint > number.max) {
		char why[64];

		snprintf(why, sizeof(why), "%u is not between %u and %u", c->value_uint, number.min,
			 number.max);
		return refuse_option(c, why);
	}
	*number.value = c->value_uint;
	return 0;
}

static int configure(ConfigArgs *c)
{
	struct b2b_tenant *tenant = ((slap_overinst *)c->bi)->on_bi.bi_private;
	int rc = 0;

	if (c->op == SLAP_CONFIG_EMIT)
		return emit_option(c, tenant);
	if (c->op == LDAP_MOD_DELETE)
		return delete_option(c, tenant);
	if (c->type == CFG_BASE) {
		rc = set_base(c, tenant);
	} else if (c->type == CFG_KEY_FILE) {
		ch_free(tenant->key_file);
		tenant->key_file = c->value_string;
	} else {
		rc = set_number(c, tenant);
	}
	return rc ? rc : follow_configuration(tenant, c->type);
}

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
	ldap_pvt_thread_mutex_lock(&tenant->snapshot_mutex);
	struct b2b_snapshot *old = tenant->snapshot;
	tenant->snapshot = snapshot;
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
	tenant->sweep_interval_secs = find_number(tenant, CFG_SWEEP_INTERVAL).absent;
	tenant->sweep_batch = find_number(tenant, CFG_SWEEP_BATCH).absent;
	tenant->home_timeout_secs = find_number(tenant, CFG_TIMEOUT).absent;
	tenant->home_concurrency = find_number(tenant, CFG_CONCURRENCY).absent;
	tenant->snapshot = b2b_snapshot_new();
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
	struct b2b_homes_limits limits = home_limits(tenant);
	if (!tenant->homes)
		tenant->homes = b2b_homes_new(&limits);
	derive_base(tenant);
	/* at run time slapd opens an overlay with itself in the database's place */
	BackendInfo *saved = tenant->be->bd_info;
	tenant->be->bd_info = (BackendInfo *)((slap_overinst *)be->bd_info)->on_info;
	int rc = tenant->homes ? b2b_policy_load(tenant) : 1;
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
	b2b_overlay.on_bi.bi_cf_ocs = b2b_classes;

	int rc = config_register_schema(b2b_options, b2b_classes);
	return rc ? rc : overlay_register(&b2b_overlay);
}
