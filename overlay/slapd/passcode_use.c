/*
 * passcode_use.c - one-time codes that came by mail, tried and used up.
 * In: eight digits, for a guest of which everything else was judged.  Out: right or wrong.  A try is
 * counted before it is compared, by a write onto the entry as it was read: of five tries, over all
 * connections and servers, none is had for nothing.  The fifth takes the code away.
 */
#include "proof.h"

#include <openssl/crypto.h>

/* A writer that is overtaken was overtaken by one of at most five tries and a use. */
#define ATTEMPTS 8

/* What stands in the guest's entry. */
struct state {
	struct b2b_record_read read;
	char uuid[B2B_UUID_SIZE];
	uint8_t hash[B2B_PASSCODE_HASH];
	unsigned tries;
	time_t until;
};

static void log_refusal(Operation *op, const struct berval *ndn, const char *why)
{
	Debug(LDAP_DEBUG_STATS, "b2b: %s guest=\"%s\" mailed code refused: %s\n", op->o_log_prefix,
	      ndn->bv_val, why);
}

static bool take_state(Operation *op, Entry *e, struct state *state)
{
	Attribute *a = attr_find(e->e_attrs, slap_schema.si_ad_entryUUID);
	struct b2b_source source = b2b_map_source(e);
	struct b2b_str value;

	if (!a || a->a_vals[0].bv_len >= sizeof(state->uuid) ||
	    !source.value(e, B2B_ATTR_PASSCODE_HASH, 0, &value) || value.len != sizeof(state->hash))
		return false;
	snprintf(state->uuid, sizeof(state->uuid), "%s", a->a_vals[0].bv_val);
	memcpy(state->hash, value.s, sizeof(state->hash));
	if (!source.value(e, B2B_ATTR_PASSCODE_UNTIL, 0, &value) ||
	    b2b_time_parse(value, &state->until) != B2B_OK)
		return false;
	state->tries = 0;
	if (source.value(e, B2B_ATTR_PASSCODE_TRIES, 0, &value) &&
	    b2b_number_parse(value, 0, B2B_PASSCODE_TRIES, &state->tries) != B2B_OK)
		return false;
	return b2b_record_take(op, e, &state->read);
}

/* False: there is no code that could be right. */
static bool read_state(Operation *op, struct b2b_tenant *tenant, struct berval *ndn,
		       struct state *state)
{
	Entry *e = b2b_entry_get(op, tenant, ndn);

	memset(state, 0, sizeof(*state));
	if (!e)
		return false;
	bool has = take_state(op, e, state);
	b2b_entry_release(op, tenant, e);
	if (!has)
		log_refusal(op, ndn, "there is none");
	else if (state->until <= slap_get_time())
		log_refusal(op, ndn, "its time is over");
	else if (state->tries >= B2B_PASSCODE_TRIES)
		log_refusal(op, ndn, "it was tried too often");
	else
		return true;
	return false;
}

/* A code that was mailed to another address than the guest's is wrong. */
static bool is_right(const struct b2b_admission *admission, const struct state *state,
		     struct b2b_str code)
{
	uint8_t hash[B2B_PASSCODE_HASH];
	bool right = b2b_passcode_hash(admission->tenant->mint, b2b_str_of(state->uuid),
				       admission->address, code, hash) == B2B_OK &&
		     CRYPTO_memcmp(hash, state->hash, sizeof(hash)) == 0;

	OPENSSL_cleanse(hash, sizeof(hash));
	return right;
}

/* Its time stays: by it the mail daemon, which may mail the code again, knows that it was there. */
static Modifications *take_away(void)
{
	Modifications *mods = NULL;

	b2b_record_set(&mods, B2B_ATTR_PASSCODE_HASH, NULL);
	b2b_record_set(&mods, B2B_ATTR_PASSCODE_TRIES, NULL);
	return mods;
}

static Modifications *count(unsigned tries)
{
	Modifications *mods = NULL;
	char text[16];

	snprintf(text, sizeof(text), "%u", tries);
	b2b_record_set(&mods, B2B_ATTR_PASSCODE_TRIES, text);
	return mods;
}

static bool can_be_used(Operation *op, struct b2b_tenant *tenant)
{
	if (tenant->mint && b2b_tenant_is_writable(tenant))
		return true;
	Debug(LDAP_DEBUG_ANY,
	      "%s b2b: mailed codes need b2b-key-file, and a server that may write, to be good "
	      "once\n",
	      op->o_log_prefix);
	return false;
}

static void log_failure(Operation *op, const struct berval *ndn, int rc)
{
	if (rc != LDAP_SUCCESS)
		Debug(LDAP_DEBUG_ANY,
		      "%s b2b: guest=\"%s\": a mailed code could not be noted (%d)\n",
		      op->o_log_prefix, ndn->bv_val, rc);
}

bool b2b_passcode_try(Operation *op, struct b2b_admission *admission, struct b2b_str code,
		      bool *spent_r)
{
	struct b2b_tenant *tenant = admission->tenant;
	struct berval *ndn = &admission->ndn;
	int rc = LDAP_ASSERTION_FAILED;
	struct state state;

	*spent_r = false;
	if (!can_be_used(op, tenant))
		return false;
	for (int i = 0; i < ATTEMPTS && rc == LDAP_ASSERTION_FAILED; i++) {
		if (!read_state(op, tenant, ndn, &state))
			return false;
		*spent_r = state.tries + 1 >= B2B_PASSCODE_TRIES;
		rc = b2b_keeper_write(op, tenant, &state.read,
				      *spent_r ? take_away() : count(state.tries + 1));
	}
	log_failure(op, ndn, rc);
	if (rc != LDAP_SUCCESS)
		return false;
	if (is_right(admission, &state, code))
		return true;
	log_refusal(op, ndn, "it is wrong");
	return false;
}

bool b2b_passcode_use(Operation *op, struct b2b_admission *admission)
{
	struct b2b_tenant *tenant = admission->tenant;
	struct berval *ndn = &admission->ndn;
	int rc = LDAP_ASSERTION_FAILED;
	struct state state;

	if (!can_be_used(op, tenant))
		return false;
	for (int i = 0; i < ATTEMPTS && rc == LDAP_ASSERTION_FAILED; i++) {
		if (!read_state(op, tenant, ndn, &state) ||
		    !is_right(admission, &state, admission->passcode))
			return false;
		rc = b2b_keeper_write(op, tenant, &state.read, take_away());
	}
	log_failure(op, ndn, rc);
	return rc == LDAP_SUCCESS;
}
