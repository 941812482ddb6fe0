/*
 * totp.c - one-time passwords of ours (RFC 6238), for guests whose home asks for one factor only.
 * In: six digits that came with a proof that was right; enrolments (totp_enrol.c makes secrets).
 * Out: right or wrong.  Each code is good once: the step it stands for is written only onto the
 * entry as it was read, so that of two binds at once, and of several servers, one succeeds.
 */
#include "totp.h"

#include <liboath/oath.h>
#include <openssl/crypto.h>

#define WINDOW_STEPS 1 /* a clock may be wrong by one step */
#define FAILURES_MAX 5
#define LOCK_SECS 900
#define TRIES 3

bool b2b_totp_split(struct b2b_str text, struct b2b_str *rest_r, struct b2b_str *code_r)
{
	if (text.len <= B2B_TOTP_DIGITS)
		return false;
	for (size_t i = text.len - B2B_TOTP_DIGITS; i < text.len; i++) {
		if (text.s[i] < '0' || text.s[i] > '9')
			return false;
	}
	*rest_r = (struct b2b_str){ text.s, text.len - B2B_TOTP_DIGITS };
	*code_r = (struct b2b_str){ text.s + rest_r->len, B2B_TOTP_DIGITS };
	return true;
}

/* What stands in the guest's entry. */
struct state {
	struct b2b_record_read read;
	uint8_t secret[B2B_SEAL_SECRET_MAX];
	size_t secret_bytes;
	long long last_step, failures;
	time_t locked_until;
};

static long long number_of(struct b2b_source *source, enum b2b_attr attr)
{
	struct b2b_str value;
	char text[24];

	if (!source->value(source->entry, attr, 0, &value) || value.len >= sizeof(text))
		return 0;
	memcpy(text, value.s, value.len);
	text[value.len] = '\0';
	return strtoll(text, NULL, 10);
}

static bool open_secret(struct b2b_tenant *tenant, struct b2b_source *source, Entry *e,
			struct state *state)
{
	struct berval owner = b2b_totp_owner(e);
	struct b2b_str sealed;

	if (!source->value(source->entry, B2B_ATTR_TOTP_SECRET, 0, &sealed))
		return false;
	if (b2b_seal_open(tenant->seal, b2b_map_str(&owner), sealed, state->secret,
			  &state->secret_bytes) == B2B_OK)
		return true;
	Debug(LDAP_DEBUG_ANY,
	      "b2b: guest=\"%s\": b2bTotpSecret cannot be opened: another key, or another "
	      "entry's\n",
	      e->e_nname.bv_val);
	return false;
}

/* False: there is no such guest, or it has no secret that could be used. */
static bool read_state(Operation *op, struct b2b_tenant *tenant, struct berval *ndn,
		       struct state *state)
{
	struct b2b_str value;
	Entry *e;

	memset(state, 0, sizeof(*state));
	if (!b2b_record_read(op, tenant, ndn, &state->read) ||
	    !(e = b2b_entry_get(op, tenant, ndn)))
		return false;
	struct b2b_source source = b2b_map_source(e);
	bool usable = open_secret(tenant, &source, e, state);
	state->last_step = number_of(&source, B2B_ATTR_TOTP_LAST_STEP);
	state->failures = number_of(&source, B2B_ATTR_TOTP_FAILURES);
	if (source.value(source.entry, B2B_ATTR_TOTP_LOCKED_UNTIL, 0, &value) &&
	    b2b_time_parse(value, &state->locked_until) != B2B_OK)
		usable = false;
	b2b_entry_release(op, tenant, e);
	return usable;
}

/* The step whose code this is; 0: of none that is near. */
static long long step_of(const struct state *state, struct b2b_str code, time_t now)
{
	char otp[B2B_TOTP_DIGITS + 1];
	uint64_t step = 0;
	int offset, rc;

	memcpy(otp, code.s, B2B_TOTP_DIGITS);
	otp[B2B_TOTP_DIGITS] = '\0';
	rc = oath_totp_validate4((const char *)state->secret, state->secret_bytes, now,
				 OATH_TOTP_DEFAULT_TIME_STEP_SIZE, OATH_TOTP_DEFAULT_START_TIME,
				 WINDOW_STEPS, &offset, &step, 0, otp);
	OPENSSL_cleanse(otp, sizeof(otp));
	return rc >= 0 ? (long long)step : 0;
}

static void set_number(Modifications **mods, enum b2b_attr attr, long long number)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", number);
	b2b_record_set(mods, attr, text);
}

static Modifications *note_right(long long step)
{
	Modifications *mods = NULL;

	set_number(&mods, B2B_ATTR_TOTP_LAST_STEP, step);
	b2b_record_set(&mods, B2B_ATTR_TOTP_FAILURES, NULL);
	b2b_record_set(&mods, B2B_ATTR_TOTP_LOCKED_UNTIL, NULL);
	return mods;
}

/* The count goes on past a lock: until a code is right, each further failure locks again. */
static Modifications *note_wrong(const struct state *state, time_t now)
{
	Modifications *mods = NULL;

	set_number(&mods, B2B_ATTR_TOTP_FAILURES, state->failures + 1);
	if (state->failures + 1 >= FAILURES_MAX)
		b2b_record_set_time(&mods, B2B_ATTR_TOTP_LOCKED_UNTIL, now + LOCK_SECS);
	return mods;
}

static void log_refusal(Operation *op, const struct state *state, const char *why)
{
	Debug(LDAP_DEBUG_STATS, "b2b: %s guest=\"%s\" one-time password refused: %s\n",
	      op->o_log_prefix, state->read.ndn.bv_val, why);
}

/* One look at the entry and one write; LDAP_ASSERTION_FAILED: somebody else wrote in between. */
static int try_code(Operation *op, struct b2b_tenant *tenant, struct state *state,
		    struct b2b_str code, enum b2b_totp_answer *answer_r)
{
	time_t now = slap_get_time();
	long long step;
	int rc;

	*answer_r = B2B_TOTP_WRONG;
	if (state->locked_until > now) {
		log_refusal(op, state, "locked after too many wrong ones");
		return LDAP_SUCCESS;
	}
	step = step_of(state, code, now);
	if (step && step <= state->last_step) {
		log_refusal(op, state, "it was used before");
		step = 0;
	} else if (!step) {
		log_refusal(op, state, "it is wrong");
	}
	rc = b2b_keeper_write(op, tenant, &state->read,
			      step ? note_right(step) : note_wrong(state, now));
	if (rc == LDAP_SUCCESS && step)
		*answer_r = B2B_TOTP_RIGHT;
	return rc;
}

enum b2b_totp_answer b2b_totp_use(Operation *op, struct b2b_tenant *tenant, struct berval *ndn,
				  struct b2b_str code)
{
	enum b2b_totp_answer answer = B2B_TOTP_WRONG;
	int rc = LDAP_OTHER;
	struct state state;

	if (code.len != B2B_TOTP_DIGITS || !b2b_tenant_is_writable(tenant)) {
		Debug(LDAP_DEBUG_ANY,
		      "%s b2b: one-time passwords need a server that may write, to be good once\n",
		      op->o_log_prefix);
		return B2B_TOTP_WRONG;
	}
	for (int i = 0; i < TRIES; i++) {
		if (!read_state(op, tenant, ndn, &state))
			break;
		rc = try_code(op, tenant, &state, code, &answer);
		if (rc != LDAP_ASSERTION_FAILED)
			break;
	}
	OPENSSL_cleanse(state.secret, sizeof(state.secret));
	if (rc != LDAP_SUCCESS)
		Debug(LDAP_DEBUG_ANY,
		      "%s b2b: guest=\"%s\": a one-time password could not be noted (%d)\n",
		      op->o_log_prefix, ndn->bv_val, rc);
	return answer;
}
