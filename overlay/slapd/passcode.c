/*
 * passcode.c - a guest without a provider asks for a one-time code: by a bind with the password "?",
 * or by the extended operation .3.3.
 * In: {"guest":<DN>}, {"mail":<address>} or {"ticket":<ticket>}.  Out: {}, whoever asks for whom.
 *
 * At the door no more is done than to count who asks; whether there is such a guest, and may have a
 * code, a job finds out that nobody waits for.  The mail daemon makes the code.
 */
#include "proof.h"

#include <openssl/rand.h>

#define PEER_MOST 10u /* in a minute */
#define SERVER_MOST 100u
#define GUEST_MOST 1u
#define GUEST_HOUR_MOST 5u
#define KEY_BYTES 16u
#define HINT_MAX 4096u

/* Who asked, for whom, and from where; texts stand behind it, in one block. */
struct ask {
	struct b2b_hint hint;
	struct b2b_door door;
	struct b2b_context context;
};

/* --- the job --- */

/* Whether the guest may come so far that a code could help it. */
static bool may_have(Operation *op, const struct ask *ask, struct b2b_admission *admission,
		     time_t invited_at)
{
	struct b2b_context context = ask->context;
	struct b2b_verdict verdict;

	/* "?" is a password like any other where guests have one */
	if (!b2b_admission_read(op, admission) || !b2b_prove_by_passcode(admission))
		return false;
	admission->by_ticket = ask->hint.ticket.len != 0;
	if (admission->by_ticket &&
	    !b2b_find_is_invited(&admission->guest, b2b_record_policy(admission->snapshot),
				 invited_at, context.now))
		return false;
	verdict = b2b_admission_decide(op, admission, &context);
	if (verdict.effect == B2B_ALLOW)
		verdict = b2b_prove_may(admission, B2B_IDP_PASSCODE, context.is_protected);
	if (verdict.effect != B2B_ALLOW)
		b2b_admission_deny(op, admission, &verdict);
	return verdict.effect == B2B_ALLOW;
}

static bool is_within_limits(const struct b2b_admission *admission, time_t now)
{
	struct b2b_limits *limits = admission->tenant->limits;
	struct b2b_str guest = b2b_map_str(&admission->ndn);

	if (b2b_limits_take(limits, "passcode-minute", guest, GUEST_MOST, 60, now) &&
	    b2b_limits_take(limits, "passcode-hour", guest, GUEST_HOUR_MOST, 3600, now))
		return true;
	Debug(LDAP_DEBUG_STATS, "b2b: guest=\"%s\" asks for codes too often\n",
	      admission->ndn.bv_val);
	return false;
}

static bool can_be_made(const struct b2b_tenant *tenant)
{
	if (tenant->mint && b2b_tenant_is_writable(tenant))
		return true;
	Debug(LDAP_DEBUG_ANY,
	      "b2b: %s: no code can be mailed: that needs b2b-key-file, and a "
	      "server that may write\n",
	      tenant->base.bv_val);
	return false;
}

/* A notice of its own each time: the code follows from its name. */
static bool make_key(char key_r[2 * KEY_BYTES + 1])
{
	unsigned char bytes[KEY_BYTES];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(key_r + 2 * i, 3, "%02x", bytes[i]);
	return true;
}

static void send_code(Operation *op, const struct b2b_admission *admission)
{
	Entry *e = b2b_entry_get(op, admission->tenant, (struct berval *)&admission->ndn);
	struct b2b_notice notice = { .type = "passcode", .guest = &admission->ndn };
	char key[2 * KEY_BYTES + 1];
	const char *uuid;

	if (!e)
		return;
	notice.mail = admission->address.s;
	notice.name = b2b_entry_text(op, e, "displayName");
	if (!notice.name)
		notice.name = b2b_entry_text(op, e, "cn");
	notice.language = b2b_entry_text(op, e, "preferredLanguage");
	uuid = b2b_entry_text(op, e, "entryUUID");
	b2b_entry_release(op, admission->tenant, e);
	if (!uuid || !make_key(key))
		return;
	notice.key = key;
	notice.data = json_pack("{s:s}", "uuid", uuid);
	b2b_outbox_put(op, admission->tenant, &notice);
	json_decref(notice.data);
}

static void judge(Operation *op, struct b2b_tenant *tenant, void *what)
{
	const struct ask *ask = what;
	struct b2b_admission admission = { .tenant = tenant, .door = ask->door };
	time_t invited_at;

	if (!b2b_find_guest(op, tenant, &ask->hint, &admission.ndn, &invited_at))
		return;
	if (may_have(op, ask, &admission, invited_at) && can_be_made(tenant) &&
	    is_within_limits(&admission, ask->context.now))
		send_code(op, &admission);
	b2b_admission_clear(&admission);
}

/* --- the door --- */

static struct b2b_str put(char **end, struct b2b_str text)
{
	struct b2b_str copy = { *end, text.len };

	if (text.len)
		memcpy(*end, text.s, text.len);
	(*end)[text.len] = '\0';
	*end += text.len + 1;
	return copy;
}

/* What all may first: one who asks from many addresses would else fill the table, which then says no
 * to everybody. */
static bool may_ask(struct b2b_limits *limits, const struct b2b_door *door)
{
	struct b2b_str all = b2b_str_of("all");
	time_t now = slap_get_time();
	struct b2b_addr room;

	if (!b2b_limits_take(limits, "passcode-server", all, SERVER_MOST, 60, now))
		return false;
	if (b2b_limits_take(limits, "passcode-peer", b2b_find_peer(door, &room), PEER_MOST, 60,
			    now))
		return true;
	b2b_limits_give_back(limits, "passcode-server", all, 60, now);
	return false;
}

static void ask_for(Operation *op, struct b2b_tenant *tenant, const struct b2b_hint *hint)
{
	struct berval service;
	struct b2b_door door;
	struct ask *ask;
	char *end;

	b2b_session_service(op, &service);
	door = b2b_map_door(op, &service);
	if (!may_ask(tenant->limits, &door)) {
		Debug(LDAP_DEBUG_STATS, "b2b: %s codes are asked for too often\n",
		      op->o_log_prefix);
		return;
	}
	ask = ch_calloc(1, sizeof(*ask) + hint->ticket.len + hint->ndn.len + hint->mail.len +
				   door.listener.len + door.service_ndn.len + 5);
	end = (char *)(ask + 1);
	ask->hint = (struct b2b_hint){ put(&end, hint->ticket), put(&end, hint->ndn),
				       put(&end, hint->mail) };
	ask->door = door;
	ask->door.listener = put(&end, door.listener);
	ask->door.service_ndn = put(&end, door.service_ndn);
	ask->context = b2b_map_context(op, B2B_STAGE_BEFORE_PROOF);
	b2b_later(tenant, judge, ask);
}

void b2b_passcode_ask(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn)
{
	struct b2b_hint hint = { .ndn = b2b_map_str(ndn) };

	ask_for(op, tenant, &hint);
}

/* --- the extended operation --- */

int b2b_passcode_exop(struct b2b_exop *exop)
{
	const char *mail, *ticket;
	struct b2b_hint hint;
	struct berval ndn;
	int rc = b2b_exop_dn(exop, "guest", &ndn);

	if (rc == LDAP_SUCCESS)
		rc = b2b_exop_text(exop, "mail", &mail);
	if (rc == LDAP_SUCCESS)
		rc = b2b_exop_text(exop, "ticket", &ticket);
	if (rc != LDAP_SUCCESS)
		return rc;
	hint = (struct b2b_hint){ b2b_str_of(ticket), b2b_map_str(&ndn), b2b_str_of(mail) };
	if ((hint.ticket.len != 0) + (hint.ndn.len != 0) + (hint.mail.len != 0) != 1)
		return b2b_exop_refuse(exop, LDAP_PROTOCOL_ERROR,
				       "b2b: one of guest, mail and ticket is wanted");
	if (hint.ticket.len + hint.ndn.len + hint.mail.len <= HINT_MAX)
		ask_for(exop->op, exop->tenant, &hint);
	return b2b_exop_answer(exop, json_object());
}
