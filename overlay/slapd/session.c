/*
 * session.c - who is bound on each connection, kept beside slapd's own table of connections.
 * In: successful binds (gate.c) and home proofs (bind.c).  Out: member, guest or service account,
 * without an entry look-up as long as nobody's guesthood changed.
 *
 * slapd calls no hook of a frontend overlay when a connection ends, so a slot is believed only
 * while it carries the connection's own id (c_connid is never used twice).
 */
#include "glue.h"

#include "lutil.h"

enum { STRIPES = 64, MEMBERS = 1 << 14 };

struct slot {
	unsigned long connid;
	struct berval ndn; /* who is bound, normalised; empty: anonymous */
	uint64_t epoch;    /* guests_epoch when who and service were found out */
	enum b2b_who who;
	bool service; /* ndn is an application's service account */
	bool proven;
	unsigned long proving;     /* 1 + o_opid of the bind that was proved at home; 0: none */
	struct b2b_proof *proof;   /* what that proof told, one block; NULL: none */
	uint64_t stranger_epoch;   /* guests_epoch when ndn was found to be no guest; 0: never */
	struct berval service_ndn; /* last application service account bound here */
	struct b2b_ending ending;  /* of a SASL bind that is not over */
};

static struct slot *slots;
static int slot_count;
static ldap_pvt_thread_mutex_t stripes[STRIPES];
static _Atomic uint64_t guests_epoch;
/* Names that were looked up and are no guests, as hashes with the epoch mixed in.  Anybody may have
 * a name looked up, so what a name hashes to must be a secret: who forged a guest's would lock it
 * out, and see as a member what he may do in its name. */
static _Atomic uint64_t members[MEMBERS];
static uint64_t secret[2];

/* Between two gates binds were not seen. */
static void forget_proofs(void)
{
	for (int i = 0; i < slot_count; i++) {
		ldap_pvt_thread_mutex_lock(&stripes[i % STRIPES]);
		if (slots[i].proven)
			slots[i].who = B2B_WHO_GUEST;
		slots[i].proven = false;
		ldap_pvt_thread_mutex_unlock(&stripes[i % STRIPES]);
	}
}

int b2b_session_open(void)
{
	b2b_session_guests_changed();
	if (slots) {
		forget_proofs();
		return 0;
	}
	if (lutil_entropy((unsigned char *)secret, sizeof(secret)) < 0)
		return 1;
	slot_count = dtblsize;
	slots = ch_calloc((ber_len_t)slot_count, sizeof(*slots));
	for (int i = 0; i < STRIPES; i++)
		ldap_pvt_thread_mutex_init(&stripes[i]);
	return 0;
}

void b2b_session_close(void)
{
	/* the gate may come back, and who came in as a guest must be known then: its entry may be
	 * gone by that time */
	if (!slots || !slapd_shutdown)
		return;
	for (int i = 0; i < slot_count; i++) {
		ch_free(slots[i].ndn.bv_val);
		ch_free(slots[i].proof);
		ch_free(slots[i].service_ndn.bv_val);
	}
	ch_free(slots);
	slots = NULL;
	for (int i = 0; i < STRIPES; i++)
		ldap_pvt_thread_mutex_destroy(&stripes[i]);
}

void b2b_session_guests_changed(void)
{
	atomic_fetch_add(&guests_epoch, 1);
}

/* The slot of op's connection, locked; NULL for internal operations. */
static struct slot *slot_lock(Operation *op)
{
	int i = op->o_conn ? op->o_conn->c_conn_idx : -1;

	if (i < 0 || i >= slot_count || !slots)
		return NULL;
	ldap_pvt_thread_mutex_lock(&stripes[i % STRIPES]);
	struct slot *slot = &slots[i];
	if (slot->connid != op->o_connid) {
		ch_free(slot->ndn.bv_val);
		ch_free(slot->proof);
		ch_free(slot->service_ndn.bv_val);
		*slot = (struct slot){ .connid = op->o_connid };
	}
	return slot;
}

static void slot_unlock(const struct slot *slot)
{
	ldap_pvt_thread_mutex_unlock(&stripes[(slot - slots) % STRIPES]);
}

bool b2b_session_is_service(const struct berval *ndn)
{
	bool found = false;

	for (struct b2b_tenant *t = b2b_tenants; t && !found; t = t->next) {
		struct b2b_snapshot *snapshot = b2b_tenant_snapshot(t);

		found = b2b_snapshot_app_by_service(snapshot, b2b_map_str(ndn)) != NULL;
		b2b_snapshot_unref(&snapshot);
	}
	return found;
}

void b2b_session_bound(Operation *op, const struct berval *ndn)
{
	bool service = !BER_BVISEMPTY(ndn) && b2b_session_is_service(ndn);
	struct slot *slot = slot_lock(op);

	if (!slot)
		return;
	if (BER_BVISEMPTY(ndn)) {
		ch_free(slot->ndn.bv_val);
		BER_BVZERO(&slot->ndn);
	} else {
		ber_bvreplace(&slot->ndn, ndn);
	}
	slot->who = B2B_WHO_UNKNOWN;
	slot->stranger_epoch = 0;
	slot->proven = slot->proving && slot->proving == op->o_opid + 1;
	slot->proving = 0;
	if (service) {
		ch_free(slot->service_ndn.bv_val);
		ber_dupbv(&slot->service_ndn, (struct berval *)ndn);
	}
	slot_unlock(slot);
}

/* --- proofs --- */

/* Where the parts of a proof's copy come to stand: behind it, in one block. */
static char *put_bytes(char **end, const void *bytes, size_t length)
{
	char *at = *end;

	if (length)
		memcpy(at, bytes, length);
	at[length] = '\0';
	*end = at + length + 1;
	return at;
}

static size_t proof_bytes(const struct b2b_proof *proof)
{
	size_t bytes = sizeof(*proof) + proof->group_count * sizeof(*proof->groups);

	bytes += proof->person.bv_len + 1 + proof->app_dn.bv_len + 1;
	bytes += proof->stranger.tenant_id.len + 1 + proof->stranger.subject.len + 1 +
		 proof->stranger.email.len + 1;
	for (size_t i = 0; i < proof->group_count; i++)
		bytes += proof->groups[i].len + 1;
	return bytes;
}

static void put_str(char **end, struct b2b_str *str)
{
	str->s = put_bytes(end, str->s, str->len);
}

/* room has proof_bytes(proof). */
static struct b2b_proof *copy_proof(void *room, const struct b2b_proof *proof)
{
	struct b2b_proof *copy = room;
	char *end = (char *)(copy + 1) + proof->group_count * sizeof(*proof->groups);

	*copy = *proof;
	copy->groups = (struct b2b_str *)(void *)(copy + 1);
	copy->person.bv_val = put_bytes(&end, proof->person.bv_val, proof->person.bv_len);
	if (!BER_BVISNULL(&proof->app_dn))
		copy->app_dn.bv_val = put_bytes(&end, proof->app_dn.bv_val, proof->app_dn.bv_len);
	put_str(&end, &copy->stranger.tenant_id);
	put_str(&end, &copy->stranger.subject);
	put_str(&end, &copy->stranger.email);
	for (size_t i = 0; i < proof->group_count; i++)
		copy->groups[i] =
			(struct b2b_str){ put_bytes(&end, proof->groups[i].s, proof->groups[i].len),
					  proof->groups[i].len };
	return copy;
}

void b2b_session_proved(Operation *op, const struct b2b_proof *proof)
{
	struct b2b_proof *copy = copy_proof(ch_malloc(proof_bytes(proof)), proof);
	struct slot *slot = slot_lock(op);

	if (!slot) {
		ch_free(copy);
		return;
	}
	slot->proving = op->o_opid + 1;
	ch_free(slot->proof);
	slot->proof = copy;
	slot_unlock(slot);
}

bool b2b_session_is_proving(Operation *op)
{
	struct slot *slot = slot_lock(op);
	bool proving;

	if (!slot)
		return false;
	proving = slot->proving && slot->proving == op->o_opid + 1;
	slot_unlock(slot);
	return proving;
}

bool b2b_session_proof(Operation *op, const struct berval *person, struct b2b_proof *proof_r)
{
	struct slot *slot = slot_lock(op);
	bool proved;

	if (!slot)
		return false;
	proved = slot->proven && slot->proof && bvmatch(&slot->ndn, &op->o_ndn) &&
		 slot->proof->person.bv_len == person->bv_len &&
		 !memcmp(slot->proof->person.bv_val, person->bv_val, person->bv_len);
	if (proved)
		*proof_r = *copy_proof(op->o_tmpalloc(proof_bytes(slot->proof), op->o_tmpmemctx),
				       slot->proof);
	slot_unlock(slot);
	return proved;
}

uint64_t b2b_session_epoch(void)
{
	return atomic_load(&guests_epoch);
}

bool b2b_session_is_stranger(Operation *op, uint64_t epoch)
{
	struct slot *slot = slot_lock(op);
	bool is;

	if (!slot)
		return false;
	is = slot->stranger_epoch && slot->stranger_epoch == epoch &&
	     bvmatch(&slot->ndn, &op->o_ndn);
	slot_unlock(slot);
	return is;
}

void b2b_session_note_stranger(Operation *op, uint64_t epoch)
{
	struct slot *slot = slot_lock(op);

	if (!slot)
		return;
	if (bvmatch(&slot->ndn, &op->o_ndn))
		slot->stranger_epoch = epoch;
	slot_unlock(slot);
}

void b2b_session_put_ending(Operation *op, const struct b2b_ending *ending)
{
	struct slot *slot = slot_lock(op);

	if (!slot)
		return;
	slot->ending = *ending;
	slot_unlock(slot);
}

struct b2b_ending b2b_session_take_ending(Operation *op)
{
	struct b2b_ending ending = { .err = LDAP_SUCCESS };
	struct slot *slot = slot_lock(op);

	if (!slot)
		return ending;
	if (slot->ending.err != LDAP_SUCCESS) {
		ending = slot->ending;
		slot->ending.err = LDAP_SUCCESS;
	}
	slot_unlock(slot);
	return ending;
}

bool b2b_session_is_binding(Operation *op)
{
	/* a bind makes the connection nobody's at once */
	struct slot *slot = BER_BVISEMPTY(&op->o_ndn) ? slot_lock(op) : NULL;
	bool binding;

	if (!slot)
		return false;
	binding = slot->ending.err != LDAP_SUCCESS;
	slot_unlock(slot);
	return binding;
}

/* --- who --- */

void b2b_session_service(Operation *op, struct berval *service_ndn_r)
{
	struct slot *slot = slot_lock(op);

	BER_BVZERO(service_ndn_r);
	if (!slot)
		return;
	if (!BER_BVISEMPTY(&slot->service_ndn))
		ber_dupbv_x(service_ndn_r, &slot->service_ndn, op->o_tmpmemctx);
	slot_unlock(slot);
}

/* 64 bits of the name and the epoch, eight bytes at a step, both halves of a product with a secret
 * folded into one; never 0. */
static uint64_t member_hash(const struct berval *ndn, uint64_t epoch)
{
	uint64_t h = secret[0] + (epoch << 32) + ndn->bv_len, word;

	for (ber_len_t i = 0; i < ndn->bv_len; i += sizeof(word)) {
		ber_len_t left = ndn->bv_len - i;

		word = 0;
		memcpy(&word, ndn->bv_val + i, left < sizeof(word) ? left : sizeof(word));
		unsigned __int128 product = (unsigned __int128)(h ^ word) * (secret[1] | 1);
		h = secret[0] ^ (uint64_t)product ^ (uint64_t)(product >> 64);
	}
	return h ? h : 1;
}

/* B2B_WHO_UNKNOWN: the entry could not be read. */
static enum b2b_who look_up(Operation *op, struct b2b_tenant *tenant, struct berval *ndn)
{
	/* the epoch is read before the entry: a change in between makes what is kept stale */
	uint64_t h = member_hash(ndn, atomic_load(&guests_epoch));
	_Atomic uint64_t *kept = &members[h % MEMBERS];

	if (atomic_load(kept) == h)
		return B2B_WHO_OTHER;
	if (b2b_direct_tenant(ndn))
		return B2B_WHO_GUEST;
	Entry *e;
	int rc = b2b_entry_read(op, tenant, ndn, &e);
	bool guest = e && b2b_map_is_guest(e);
	if (e)
		b2b_entry_release(op, tenant, e);
	else if (rc != LDAP_NO_SUCH_OBJECT)
		return B2B_WHO_UNKNOWN;
	if (!guest)
		atomic_store(kept, h);
	return guest ? B2B_WHO_GUEST : B2B_WHO_OTHER;
}

bool b2b_session_is_guest(Operation *op, struct b2b_tenant *tenant, struct berval *ndn)
{
	return look_up(op, tenant, ndn) != B2B_WHO_OTHER;
}

static enum b2b_who find_out(Operation *op)
{
	struct b2b_tenant *tenant = b2b_tenant_of(&op->o_ndn);

	/* whichever database such a name falls to */
	if (b2b_direct_tenant(&op->o_ndn))
		return B2B_WHO_GUEST;
	if (!tenant || BER_BVISEMPTY(&op->o_ndn) || be_isroot_dn(tenant->be, &op->o_ndn))
		return B2B_WHO_OTHER;
	return look_up(op, tenant, &op->o_ndn);
}

void b2b_session_find(Operation *op, struct b2b_session *session_r)
{
	uint64_t epoch = atomic_load(&guests_epoch);
	struct slot *slot = slot_lock(op);
	bool own = false, was_guest = false;

	*session_r = (struct b2b_session){ .who = B2B_WHO_UNKNOWN };
	if (slot) {
		own = bvmatch(&slot->ndn, &op->o_ndn);
		was_guest = own && (slot->proven || slot->who == B2B_WHO_GUEST);
		session_r->proven = own && slot->proven;
		if (own && slot->epoch == epoch) {
			session_r->who = slot->who;
			session_r->service = slot->service;
		}
		if (!BER_BVISEMPTY(&slot->service_ndn) && (was_guest || !own))
			ber_dupbv_x(&session_r->service_ndn, &slot->service_ndn, op->o_tmpmemctx);
		slot_unlock(slot);
	}
	if (session_r->who != B2B_WHO_UNKNOWN)
		return;
	session_r->who = find_out(op);
	bool sure = session_r->who != B2B_WHO_UNKNOWN;
	/* who came in as a guest does not become a member by losing its entry or its class */
	if (was_guest || !sure)
		session_r->who = B2B_WHO_GUEST;
	session_r->service = session_r->who == B2B_WHO_OTHER && b2b_session_is_service(&op->o_ndn);
	if (!own || !sure || !(slot = slot_lock(op)))
		return;
	if (bvmatch(&slot->ndn, &op->o_ndn)) {
		slot->who = session_r->who;
		slot->service = session_r->service;
		slot->epoch = epoch;
	}
	slot_unlock(slot);
}
