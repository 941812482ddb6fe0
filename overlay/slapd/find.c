/*
 * find.c - the guest that a request is about.
 * In: a ticket, a name or a mail address, as a stranger gave it.  Out: the name of the guest's entry;
 * whether its invitation is open; where the stranger comes from, for counting.
 */
#include "proof.h"

struct found {
	Operation *op; /* in whose memory the name is kept */
	struct berval ndn;
	unsigned count;
};

static bool note_guest(void *ctx, Entry *e)
{
	struct found *found = ctx;

	if (!b2b_map_is_guest(e))
		return true;
	if (found->count++ == 0)
		ber_dupbv_x(&found->ndn, &e->e_nname, found->op->o_tmpmemctx);
	return found->count < 2;
}

/* The one guest that a filter finds in the tenant's database. */
static bool search(Operation *op, struct b2b_tenant *tenant, const char *filter,
		   struct berval *ndn_r)
{
	struct found found = { .op = op };

	for (int i = 0; !BER_BVISNULL(&tenant->be->be_nsuffix[i]); i++)
		b2b_inner_search(op, tenant,
				 &(struct b2b_where){ &tenant->be->be_nsuffix[i],
						      LDAP_SCOPE_SUBTREE, filter },
				 note_guest, &found);
	*ndn_r = found.ndn;
	return found.count == 1;
}

static bool find_by_ticket(Operation *op, struct b2b_tenant *tenant, struct b2b_str ticket,
			   struct berval *ndn_r, time_t *invited_at_r)
{
	char uuid[B2B_UUID_SIZE], filter[B2B_UUID_SIZE + 16];

	if (!tenant->mint || b2b_ticket_open(tenant->mint, b2b_map_str(&tenant->nbase), ticket,
					     uuid, invited_at_r) != B2B_OK)
		return false;
	snprintf(filter, sizeof(filter), "(entryUUID=%s)", uuid);
	return search(op, tenant, filter, ndn_r);
}

/* A guest's address is its mail, or its subject at home where that is one. */
static bool find_by_mail(Operation *op, struct b2b_tenant *tenant, struct b2b_str mail,
			 struct berval *ndn_r)
{
	struct berval plain = { mail.len, (char *)b2b_map_copy_str(op, mail).s };
	const char *given = b2b_inner_escape(op, &plain), *lower;
	char *filter;
	size_t size;

	for (size_t i = 0; i < plain.bv_len; i++)
		plain.bv_val[i] = b2b_lower(plain.bv_val[i]);
	lower = b2b_inner_escape(op, &plain);
	size = strlen(given) + strlen(lower) + 80;
	filter = op->o_tmpalloc(size, op->o_tmpmemctx);
	snprintf(filter, size, "(&(objectClass=b2bGuest)(|(mail=%s)(b2bHomeSubject=%s)))", given,
		 lower);
	return search(op, tenant, filter, ndn_r);
}

bool b2b_find_guest(Operation *op, struct b2b_tenant *tenant, const struct b2b_hint *hint,
		    struct berval *ndn_r, time_t *invited_at_r)
{
	BER_BVZERO(ndn_r);
	*invited_at_r = 0;
	if (hint->ticket.len)
		return find_by_ticket(op, tenant, hint->ticket, ndn_r, invited_at_r);
	if (hint->mail.len)
		return find_by_mail(op, tenant, hint->mail, ndn_r);
	struct b2b_str copy = b2b_map_copy_str(op, hint->ndn);
	*ndn_r = (struct berval){ copy.len, (char *)copy.s };
	return copy.len && b2b_tenant_of(ndn_r) == tenant;
}

bool b2b_find_is_invited(const struct b2b_guest *guest, const struct b2b_tenant_policy *policy,
			 time_t invited_at, time_t now)
{
	time_t end = b2b_guest_invitation_end(guest, policy);

	return guest->enabled && !guest->accepted && invited_at &&
	       guest->invited_at == invited_at && (!end || now < end);
}

struct b2b_str b2b_find_peer(const struct b2b_door *door, struct b2b_addr *room)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	*room = door->peer;
	if (!room->set)
		return b2b_str_of("here");
	return (struct b2b_str){ (const char *)room->bytes,
				 memcmp(room->bytes, mapped, sizeof(mapped)) ? 8 : 16 };
}
