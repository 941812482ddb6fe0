/*
 * config.c - the options of overlay "b2b", in slapd.conf and cn=config.
 * In: values as an administrator writes them, at the start or while slapd runs.  Out: struct
 * b2b_tenant, and what runs follows; a refusal names option and value and changes nothing.
 */
#include "life.h"

#include <ac/errno.h>

#include <openssl/crypto.h>

enum {
	CFG_BASE = 1,
	CFG_KEY_FILE,
	CFG_SWEEP_INTERVAL, /* from here on, numbers */
	CFG_SWEEP_BATCH,
	CFG_TIMEOUT,
	CFG_CONCURRENCY
};

static ConfigDriver configure;

static ConfigTable b2b_options[] = {
	{ "b2b-base",
	  "dn",
	  2,
	  2,
	  0,
	  ARG_DN | ARG_QUOTE | ARG_MAGIC | CFG_BASE,
	  configure,
	  "( " B2B_OID ".5.1 NAME 'olcB2bBase' "
	  "DESC 'DN of the tenant entry, cn=b2b,<suffix> where absent' "
	  "EQUALITY distinguishedNameMatch SYNTAX OMsDN SINGLE-VALUE )",
	  NULL,
	  { .v_int = 0 } },
	{ "b2b-sweep-interval",
	  "seconds",
	  2,
	  2,
	  0,
	  ARG_UINT | ARG_MAGIC | CFG_SWEEP_INTERVAL,
	  configure,
	  "( " B2B_OID ".5.2 NAME 'olcB2bSweepInterval' "
	  "DESC 'Seconds between two runs of the internal task, 60 where absent; 0 switches it "
	  "off' "
	  "EQUALITY integerMatch SYNTAX OMsInteger SINGLE-VALUE )",
	  NULL,
	  { .v_int = 0 } },
	{ "b2b-sweep-batch",
	  "guests",
	  2,
	  2,
	  0,
	  ARG_UINT | ARG_MAGIC | CFG_SWEEP_BATCH,
	  configure,
	  "( " B2B_OID ".5.3 NAME 'olcB2bSweepBatch' "
	  "DESC 'Guests the internal task handles between two looks at the clock, 1000 where "
	  "absent' "
	  "EQUALITY integerMatch SYNTAX OMsInteger SINGLE-VALUE )",
	  NULL,
	  { .v_int = 0 } },
	{ "b2b-key-file",
	  "file",
	  2,
	  2,
	  0,
	  ARG_STRING | ARG_QUOTE | ARG_MAGIC | CFG_KEY_FILE,
	  configure,
	  "( " B2B_OID ".5.4 NAME 'olcB2bKeyFile' "
	  "DESC 'Private key of the tenant, PEM: one-time password secrets are sealed with it, "
	  "tickets and codes made' "
	  "EQUALITY caseExactMatch SYNTAX OMsDirectoryString SINGLE-VALUE )",
	  NULL,
	  { .v_int = 0 } },
	{ "b2b-home-timeout",
	  "seconds",
	  2,
	  2,
	  0,
	  ARG_UINT | ARG_MAGIC | CFG_TIMEOUT,
	  configure,
	  "( " B2B_OID ".5.5 NAME 'olcB2bHomeTimeout' "
	  "DESC 'Seconds a sign-in waits for the home servers of a partner, 5 where absent' "
	  "EQUALITY integerMatch SYNTAX OMsInteger SINGLE-VALUE )",
	  NULL,
	  { .v_int = 0 } },
	{ "b2b-home-concurrency",
	  "number",
	  2,
	  2,
	  0,
	  ARG_UINT | ARG_MAGIC | CFG_CONCURRENCY,
	  configure,
	  "( " B2B_OID ".5.6 NAME 'olcB2bHomeConcurrency' "
	  "DESC 'Sign-ins of one partner that may ask its home servers at once, 4 where absent' "
	  "EQUALITY integerMatch SYNTAX OMsInteger SINGLE-VALUE )",
	  NULL,
	  { .v_int = 0 } },
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

struct b2b_homes_limits b2b_config_home_limits(const struct b2b_tenant *tenant)
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

void b2b_config_derive_base(struct b2b_tenant *tenant)
{
	struct berval cn = BER_BVC("cn=b2b");

	if (tenant->base_configured)
		return;
	ch_free(tenant->base.bv_val);
	ch_free(tenant->nbase.bv_val);
	build_new_dn(&tenant->base, &tenant->be->be_suffix[0], &cn, NULL);
	build_new_dn(&tenant->nbase, &tenant->be->be_nsuffix[0], &cn, NULL);
}

#define KEY_FILE_MAX 65536

/* The whole file into text_r, which the caller wipes; false: errno says why. */
static bool read_key_file(const char *path, char text_r[KEY_FILE_MAX], size_t *bytes_r)
{
	FILE *file = fopen(path, "r");

	if (!file)
		return false;
	*bytes_r = fread(text_r, 1, KEY_FILE_MAX, file);
	bool whole = !ferror(file);
	fclose(file);
	return whole;
}

static void note_key(void *ctx, const char *which, const char *why)
{
	const struct b2b_tenant *tenant = ctx;

	Debug(LDAP_DEBUG_ANY, "b2b: b2b-key-file \"%s\": %s %s\n", tenant->key_file, which, why);
}

static void load_signer(struct b2b_tenant *tenant, struct b2b_str pem)
{
	struct b2b_error error = { "" };

	if (b2b_signer_new(pem, note_key, tenant, &tenant->signer, &error) != B2B_OK)
		Debug(LDAP_DEBUG_ANY,
		      "b2b: b2b-key-file \"%s\": %s: no tokens are signed, no keys published\n",
		      tenant->key_file, error.text[0] ? error.text : "out of memory");
}

void b2b_config_load_key(struct b2b_tenant *tenant)
{
	struct b2b_error error = { "" };
	char *text;
	size_t bytes = 0;

	b2b_seal_free(&tenant->seal);
	b2b_mint_free(&tenant->mint);
	b2b_signer_free(&tenant->signer);
	if (!tenant->key_file)
		return;
	text = ch_malloc(KEY_FILE_MAX);
	if (!read_key_file(tenant->key_file, text, &bytes))
		b2b_error_set(&error, "%s", strerror(errno));
	else if (b2b_seal_new((struct b2b_str){ text, bytes }, &tenant->seal, &error) == B2B_OK)
		b2b_mint_new((struct b2b_str){ text, bytes }, &tenant->mint, &error);
	if (tenant->mint)
		load_signer(tenant, (struct b2b_str){ text, bytes });
	OPENSSL_cleanse(text, KEY_FILE_MAX);
	ch_free(text);
	if (!tenant->mint)
		Debug(LDAP_DEBUG_ANY,
		      "b2b: b2b-key-file \"%s\": %s: nothing is sealed, opened or signed\n",
		      tenant->key_file, error.text);
}

/* What runs must follow what was configured; the pool is paused. */
static int follow_configuration(struct b2b_tenant *tenant, int type)
{
	struct b2b_homes_limits limits = b2b_config_home_limits(tenant);

	if (!tenant->open || (slapMode & SLAP_TOOL_MODE))
		return 0;
	switch (type) {
	case CFG_BASE:
		b2b_config_derive_base(tenant);
		return b2b_policy_load(tenant);
	case CFG_SWEEP_INTERVAL:
	case CFG_SWEEP_BATCH:
		b2b_task_stop(tenant);
		return b2b_task_start(tenant);
	case CFG_TIMEOUT:
	case CFG_CONCURRENCY:
		b2b_homes_set_limits(tenant->homes, &limits);
		return 0;
	case CFG_KEY_FILE:
		b2b_config_load_key(tenant);
		b2b_task_wake(tenant);
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
		b2b_config_derive_base(tenant);
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

void b2b_config_default(struct b2b_tenant *tenant)
{
	for (int type = CFG_SWEEP_INTERVAL; type <= CFG_CONCURRENCY; type++) {
		struct number number = find_number(tenant, type);

		*number.value = number.absent;
	}
}

int b2b_config_register(BackendInfo *bi)
{
	bi->bi_cf_ocs = b2b_classes;
	return config_register_schema(b2b_options, b2b_classes);
}
