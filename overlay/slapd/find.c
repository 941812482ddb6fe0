/*
 * find.c - the guest that a request is about.
 * In: a ticket, a name or a mail address, as a stranger gave it.  Out: the name of the guest's entry;
 * whether its invitation is open; where the stranger comes from, for counting.
 */
#include "proof.h"

struct found {
	Operation *op;                       /* in whose memory the name is kept */
	const struct b2b_snapshot *snapshot; /* NULL: not looked for by subject */
	struct berval ndn;
	unsigned count;
};

/* A subject is an address where codes are mailed to it; elsewhere it is whatever a partner's provider
 * says, which must not stand in the way of who has that address. */
static bool has_mail_for_subject(const struct b2b_snapshot *snapshot, Entry *e)
{
	struct b2b_source source = b2b_map_source(e);
	struct b2b_guest guest;

	b2b_guest_parse(&source, &guest, NULL);
	return b2b_invite_by_passcode(b2b_snapshot_partner(snapshot, guest.home_tenant),
				      guest.pinned);
}

static bool note_guest(void *ctx, Entry *e)
{
	struct found *found = ctx;

	if (!b2b_map_is_guest(e) || (found->snapshot && !has_mail_for_subject(found->snapshot, e)))
		return true;
	if (found->count++ == 0)
		ber_dupbv_x(&found->ndn, &e->e_nname, found->op->o_tmpmemctx);
	return found->count < 2;
}

/* How many guests a filter finds in the tenant's database: 0, 1 or 2; the name is the first one's. */
static unsigned search(struct found *found, struct b2b_tenant *tenant, const char *filter)
{
	*found = (struct found){ .op = found->op, .snapshot = found->snapshot };
	for (int i = 0; !BER_BVISNULL(&tenant->be->be_nsuffix[i]); i++)
		b2b_inner_search(found->op, tenant,
				 &(struct b2b_where){ &tenant->be->be_nsuffix[i],
						      LDAP_SCOPE_SUBTREE, filter },
				 note_guest, found);
	return found->count;
}

static bool find_by_ticket(Operation *op, struct b2b_tenant *tenant, struct b2b_str ticket,
			   struct berval *ndn_r, time_t *invited_at_r)
{
	char uuid[B2B_UUID_SIZE], filter[B2B_UUID_SIZE + 16];
	struct found found = { .op = op };

	if (!tenant->mint || b2b_ticket_open(tenant->mint, b2b_map_str(&tenant->nbase), ticket,
					     uuid, invited_at_r) != B2B_OK)
		return false;
	snprintf(filter, sizeof(filter), "(entryUUID=%s)", uuid);
	search(&found, tenant, filter);
	*ndn_r = found.ndn;
	return found.count == 1;
}

static char *guest_with(Operation *op, const char *attribute, struct berval *value)
{
	const char *escaped = b2b_inner_escape(op, value);
	size_t size = strlen(escaped) + strlen(attribute) + 40;
	char *filter = op->o_tmpalloc(size, op->o_tmpmemctx);

	snprintf(filter, size, "(&(objectClass=b2bGuest)(%s=%s))", attribute, escaped);
	return filter;
}

/* A guest's address is its mail, or its subject at home where that is one. */
static bool find_by_mail(Operation *op, struct b2b_tenant *tenant, struct b2b_str mail,
			 struct berval *ndn_r)
{
	struct berval plain = { mail.len, (char *)b2b_map_copy_str(op, mail).s };
	struct b2b_snapshot *snapshot = b2b_tenant_snapshot(tenant);
	struct found found = { .op = op };

	if (search(&found, tenant, guest_with(op, "mail", &plain)) == 0) {
		for (size_t i = 0; i < plain.bv_len; i++)
			plain.bv_val[i] = b2b_lower(plain.bv_val[i]);
		found.snapshot = snapshot;
		search(&found, tenant, guest_with(op, "b2bHomeSubject", &plain));
	}
	b2b_snapshot_unref(&snapshot);
	*ndn_r = found.ndn;
	return found.count == 1;
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
