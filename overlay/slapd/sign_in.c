/*
 * sign_in.c - when a guest came last (b2bLastSignIn), noted once a day at most.
 * In: every bind that let a guest in.  Out: a comparison of two times; and once a day a write that
 * the guest does not wait for, which leaves modifiersName and modifyTimestamp as they are.
 */
#include "proof.h"

#define DAY_SECS 86400
#define TRIES 3

struct signed_in {
	time_t when;
	struct berval ndn; /* behind this, in one block */
};

/* One look and one write; LDAP_ASSERTION_FAILED: somebody else wrote in between. */
static int write_once(Operation *op, struct b2b_tenant *tenant, struct signed_in *signed_in)
{
	struct b2b_record_read read;
	Modifications *mods = NULL;
	struct b2b_name name;

	if (!b2b_record_read(op, tenant, &signed_in->ndn, &read) ||
	    signed_in->when - read.guest.last_sign_in < DAY_SECS)
		return LDAP_SUCCESS;
	b2b_record_set_time(&mods, B2B_ATTR_LAST_SIGN_IN, signed_in->when);
	name = (struct b2b_name){ read.dn, read.ndn };
	return b2b_inner_modify(op, tenant, &name, read.csn, mods, true);
}

static void write_sign_in(Operation *op, struct b2b_tenant *tenant, void *what)
{
	struct signed_in *signed_in = what;
	int rc = LDAP_ASSERTION_FAILED;

	for (int i = 0; i < TRIES && rc == LDAP_ASSERTION_FAILED; i++)
		rc = write_once(op, tenant, signed_in);
	/* not written is not lost: the next sign-in is noted */
	if (rc != LDAP_SUCCESS && rc != LDAP_ASSERTION_FAILED)
		Debug(LDAP_DEBUG_ANY, "b2b: guest=\"%s\": the sign-in could not be noted (%d)\n",
		      signed_in->ndn.bv_val, rc);
}

void b2b_admission_note(Operation *op, struct b2b_tenant *tenant, struct berval *ndn,
			time_t last_sign_in)
{
	time_t now = slap_get_time();
	struct signed_in *signed_in;

	if (now - last_sign_in < DAY_SECS || !b2b_tenant_is_writable(tenant))
		return;
	signed_in = ch_malloc(sizeof(*signed_in) + ndn->bv_len + 1);
	signed_in->when = now;
	signed_in->ndn.bv_len = ndn->bv_len;
	signed_in->ndn.bv_val = (char *)(signed_in + 1);
	memcpy(signed_in->ndn.bv_val, ndn->bv_val, ndn->bv_len + 1);
	b2b_later(tenant, write_sign_in, signed_in);
}
