/*
 * redeem.c - extended operation .3.2: a guest accepts its invitation, or newer terms.
 * In: {"ticket":...} or {"guest":<DN or mail>}; one of "token", "password", "passcode"; "terms",
 * "totp".  Out: {"dn":...,"state":"Accepted"}; invalidCredentials without a word while ticket or
 * proof are wrong; then what a bind would answer.
 *
 * Who has the ticket alone has nothing: it says which guest is meant, the proof says who comes.  What
 * is judged is judged again when the proof, which may take its time, is known to be right; and is
 * written only onto the guest as it was read.
 */
#include "proof.h"

#define PEER_MOST 30u  /* in a minute, with whatever ticket */
#define TICKET_MOST 5u /* wrong proofs in an hour */
#define DAY_SECS 86400u
#define WRITES 3

struct redemption {
	struct b2b_exop *exop;
	Operation *op;
	struct b2b_hint hint;
	const char *token, *password, *passcode, *totp, *terms;
	time_t invited_at; /* the ticket's moment */
	struct b2b_admission admission;
	struct b2b_bearer bearer;
	struct b2b_proof proof;
};

/* --- the request --- */

static int refuse_request(struct redemption *r, const char *text)
{
	return b2b_exop_refuse(r->exop, LDAP_PROTOCOL_ERROR, text);
}

/* A DN of this tenant, or else an address. */
static void take_guest(struct redemption *r, const char *guest)
{
	struct berval dn, ndn;

	ber_str2bv(guest, 0, 0, &dn);
	if (dnNormalize(0, NULL, NULL, &dn, &ndn, r->op->o_tmpmemctx) == LDAP_SUCCESS &&
	    b2b_tenant_of(&ndn) == r->exop->tenant)
		r->hint.ndn = b2b_map_str(&ndn);
	else
		r->hint.mail = b2b_str_of(guest);
}

static bool is_code(const char *text)
{
	return strlen(text) == B2B_TOTP_DIGITS && strspn(text, "0123456789") == B2B_TOTP_DIGITS;
}

static int read_request(struct redemption *r)
{
	const char *ticket, *guest;
	struct {
		const char *member;
		const char **text_r;
	} texts[] = { { "ticket", &ticket },        { "guest", &guest },
		      { "token", &r->token },       { "password", &r->password },
		      { "passcode", &r->passcode }, { "totp", &r->totp },
		      { "terms", &r->terms } };
	int rc = LDAP_SUCCESS;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && rc == LDAP_SUCCESS; i++)
		rc = b2b_exop_text(r->exop, texts[i].member, texts[i].text_r);
	if (rc != LDAP_SUCCESS)
		return rc;
	if (!ticket == !guest)
		return refuse_request(r, "b2b: ticket is wanted, or guest");
	if (!r->token + !r->password + !r->passcode != 2)
		return refuse_request(r, "b2b: one of token, password and passcode is wanted");
	if (r->totp && !is_code(r->totp))
		return refuse_request(r, "b2b: totp: six digits are wanted");
	if (ticket)
		r->hint.ticket = b2b_str_of(ticket);
	else
		take_guest(r, guest);
	return LDAP_SUCCESS;
}

/* --- whose it is --- */

/* The guest as it is now, if it may still redeem this. */
static bool read_guest(struct redemption *r)
{
	struct b2b_admission *a = &r->admission;

	if (!b2b_admission_read(r->op, a))
		return false;
	return !a->by_ticket || b2b_find_is_invited(&a->guest, b2b_record_policy(a->snapshot),
						    r->invited_at, slap_get_time());
}

static int fail(struct redemption *r, const char *why)
{
	Debug(LDAP_DEBUG_STATS, "b2b: %s redemption refused: %s\n", r->op->o_log_prefix, why);
	return b2b_exop_refuse(r->exop, LDAP_INVALID_CREDENTIALS, NULL);
}

static bool is_peer_within_limit(struct redemption *r)
{
	struct b2b_addr room;

	return b2b_limits_take(r->exop->tenant->limits, "redeem-peer",
			       b2b_find_peer(&r->admission.door, &room), PEER_MOST, 60,
			       slap_get_time());
}

/* What proofs are counted by; the guest variant needs none, for binds have none. */
static bool ticket_key(const struct redemption *r, char *key_r, size_t size)
{
	if (!r->admission.by_ticket)
		return false;
	snprintf(key_r, size, "%lld %s", (long long)r->invited_at, r->admission.ndn.bv_val);
	return true;
}

/* Counted before it is looked at: of several at once, none is had for nothing. */
static bool is_ticket_within_limit(struct redemption *r, time_t now)
{
	char key[1024];

	return !ticket_key(r, key, sizeof(key)) ||
	       b2b_limits_take(r->exop->tenant->limits, "redeem-ticket", b2b_str_of(key),
			       TICKET_MOST, 3600, now);
}

static void give_try_back(struct redemption *r, time_t now)
{
	char key[1024];

	if (ticket_key(r, key, sizeof(key)))
		b2b_limits_give_back(r->exop->tenant->limits, "redeem-ticket", b2b_str_of(key),
				     3600, now);
}

/* --- proofs --- */

static bool has_mail(const struct redemption *r, Entry *e)
{
	const char *mail = b2b_entry_text(r->op, e, "mail");

	return mail && b2b_str_equal_nocase(b2b_str_of(mail), r->bearer.email);
}

/* Whether the token says that it is somebody else's, rather than too little. */
static bool is_of_another(const struct redemption *r, Entry *e)
{
	const struct b2b_guest *guest = &r->admission.guest;

	if (!b2b_str_equal_nocase(r->bearer.tenant_id, guest->home_tenant))
		return true;
	if (guest->home_subject.len)
		return !b2b_str_equal(r->bearer.subject, guest->home_subject);
	return r->bearer.email.len && !has_mail(r, e);
}

/* Tells the sponsors, once for each person that comes with this invitation. */
static void tell_sponsors(struct redemption *r, Entry *guest)
{
	struct b2b_tenant *tenant = r->exop->tenant;
	struct b2b_str who = r->bearer.email.len ? r->bearer.email : r->bearer.subject;
	size_t size = r->bearer.tenant_id.len + r->bearer.subject.len + guest->e_nname.bv_len + 40;
	char *key = r->op->o_tmpalloc(size, r->op->o_tmpmemctx);
	time_t now = slap_get_time();
	json_t *data;

	snprintf(key, size, "%lld %s %s %s", (long long)r->invited_at, guest->e_nname.bv_val,
		 r->bearer.tenant_id.s, r->bearer.subject.s);
	if (!b2b_limits_take(tenant->limits, "wrong-person", b2b_str_of(key), 1, 90 * DAY_SECS,
			     now))
		return;
	data = json_pack("{s:s, s:s}", "person", who.s, "personTenant", r->bearer.tenant_id.s);
	b2b_outbox_tell(r->op, tenant, guest,
			&(struct b2b_notice){ .type = "wrong-person", .key = key, .data = data },
			false);
	json_decref(data);
}

static int refuse_person(struct redemption *r)
{
	Entry *e = b2b_entry_get(r->op, r->exop->tenant, &r->admission.ndn), *copy = NULL;

	if (e) {
		if (r->admission.by_ticket && is_of_another(r, e))
			copy = entry_dup(e);
		b2b_entry_release(r->op, r->exop->tenant, e);
	}
	if (copy) {
		tell_sponsors(r, copy);
		entry_free(copy);
	}
	return fail(r, "the token is another person's");
}

static int prove_by_token(struct redemption *r)
{
	struct b2b_admission *a = &r->admission;
	struct b2b_verdict verdict;

	b2b_bearer_verify(r->op, r->exop->tenant, b2b_str_of(r->token), &r->bearer);
	if (!r->bearer.right)
		return fail(r, "the token is wrong");
	a->token = &r->bearer;
	r->proof = r->bearer.proof;
	if (!read_guest(r))
		return refuse_person(r);
	verdict = b2b_prove_may(a, B2B_IDP_OIDC, false);
	if (verdict.effect == B2B_ALLOW)
		return LDAP_SUCCESS;
	b2b_admission_deny(r->op, a, &verdict);
	return fail(r, "no token is taken of this guest");
}

static int prove_by_password(struct redemption *r)
{
	int rc;

	if (!b2b_prove_before(r->op, &r->admission, B2B_IDP_LDAP))
		return fail(r, "no password is taken of this guest");
	rc = b2b_prove_at_home(r->op, &r->admission, b2b_str_of(r->password), NULL);
	if (rc == LDAP_INVALID_CREDENTIALS)
		return fail(r, "the password is wrong");
	if (rc != LDAP_SUCCESS)
		return b2b_exop_refuse(r->exop, rc, NULL);
	r->proof.kind = B2B_IDP_LDAP;
	return LDAP_SUCCESS;
}

static int prove_by_passcode(struct redemption *r)
{
	struct b2b_str code = b2b_str_of(r->passcode);
	bool spent;

	if (!b2b_passcode_is_like(code) ||
	    !b2b_prove_before(r->op, &r->admission, B2B_IDP_PASSCODE))
		return fail(r, "no code is taken of this guest");
	if (!b2b_passcode_try(r->op, &r->admission, code, &spent))
		return fail(r, "the code is wrong");
	if (!spent)
		r->admission.passcode = code;
	r->proof.kind = B2B_IDP_PASSCODE;
	return LDAP_SUCCESS;
}

static int prove(struct redemption *r)
{
	int rc;

	if (r->token)
		return prove_by_token(r);
	rc = r->password ? prove_by_password(r) : prove_by_passcode(r);
	r->proof.sign_in.when = slap_get_time();
	if (rc == LDAP_SUCCESS && !read_guest(r))
		return fail(r, "somebody was faster");
	return rc;
}

/* --- what follows --- */

static int refuse_reason(struct redemption *r, int rc, const char *text)
{
	return b2b_exop_refuse(r->exop, rc, text[0] ? b2b_map_copy(r->op, text) : NULL);
}

/* Terms must be those that the tenant has now. */
static int take_terms(struct redemption *r)
{
	struct b2b_admission *a = &r->admission;
	const struct b2b_tenant_policy *policy = b2b_record_policy(a->snapshot);
	struct b2b_verdict verdict = { .effect = B2B_DENY, .reason = B2B_REASON_TERMS_REQUIRED };
	char text[B2B_ANSWER_SIZE];

	if (!policy || !policy->terms_version)
		return LDAP_SUCCESS;
	a->terms = b2b_str_of(r->terms);
	if (b2b_str_equal(a->terms, b2b_str_of(policy->terms_version)))
		return LDAP_SUCCESS;
	b2b_admission_deny(r->op, a, &verdict);
	b2b_map_answer(verdict.reason, text);
	return refuse_reason(r, b2b_map_code(verdict.reason), text);
}

/* Whether the guest still is the one that was judged. */
static bool is_unchanged(const struct redemption *r, const struct b2b_guest *now)
{
	const struct b2b_admission *a = &r->admission;

	return b2b_str_equal(now->home_subject, a->guest.home_subject) &&
	       (!a->by_ticket || b2b_find_is_invited(now, b2b_record_policy(a->snapshot),
						     r->invited_at, slap_get_time()));
}

/* One look and one write; LDAP_ASSERTION_FAILED: somebody else wrote in between. */
static int write_once(struct redemption *r, struct b2b_record_read *read)
{
	if (!b2b_record_read(r->op, r->exop->tenant, &r->admission.ndn, read) ||
	    !is_unchanged(r, &read->guest))
		return LDAP_INVALID_CREDENTIALS;
	return b2b_accept_write(r->op, &r->admission, r->proof.kind, read);
}

static int finish(struct redemption *r)
{
	struct b2b_str code = r->totp ? b2b_str_of(r->totp) : r->bearer.code;
	int rc = LDAP_ASSERTION_FAILED;
	char text[B2B_ANSWER_SIZE];
	struct b2b_record_read read;

	if (take_terms(r) != LDAP_SUCCESS)
		return r->exop->rs->sr_err;
	rc = b2b_admission_judge(r->op, &r->admission, &r->proof, code, text);
	if (rc != LDAP_SUCCESS)
		return refuse_reason(r, rc, text);
	rc = LDAP_ASSERTION_FAILED;
	for (int i = 0; i < WRITES && rc == LDAP_ASSERTION_FAILED; i++)
		rc = write_once(r, &read);
	if (rc == LDAP_INVALID_CREDENTIALS)
		return fail(r, "somebody was faster");
	if (rc != LDAP_SUCCESS)
		return b2b_exop_refuse(r->exop, rc == LDAP_ASSERTION_FAILED ? LDAP_BUSY : rc, NULL);
	Debug(LDAP_DEBUG_STATS, "b2b: %s guest=\"%s\" tenant=%s accepted%s%s\n",
	      r->op->o_log_prefix, read.ndn.bv_val, r->admission.guest.home_tenant.s,
	      r->admission.by_ticket ? " its invitation" : "",
	      r->admission.terms.len ? " and the terms" : "");
	return b2b_exop_answer(r->exop,
			       json_pack("{s:s, s:s}", "dn", read.dn.bv_val, "state", "Accepted"));
}

static int redeem(struct redemption *r)
{
	struct b2b_admission *a = &r->admission;
	time_t now = slap_get_time();
	int rc;

	if (!is_peer_within_limit(r))
		return b2b_exop_refuse(r->exop, LDAP_BUSY, "b2b: too many attempts from there");
	a->by_ticket = r->hint.ticket.len != 0;
	if (!b2b_find_guest(r->op, r->exop->tenant, &r->hint, &a->ndn, &r->invited_at))
		return fail(r, a->by_ticket ? "no such ticket" : "no such guest");
	if (!read_guest(r))
		return fail(r, a->by_ticket ? "the ticket is not good any more" : "no such guest");
	if (!is_ticket_within_limit(r, now))
		return fail(r, "too many wrong proofs with this ticket");
	rc = prove(r);
	if (rc != LDAP_INVALID_CREDENTIALS)
		give_try_back(r, now);
	return rc ? rc : finish(r);
}

int b2b_redeem_exop(struct b2b_exop *exop)
{
	struct redemption r = { .exop = exop, .op = exop->op };
	struct berval service;
	int rc = read_request(&r);

	if (rc != LDAP_SUCCESS)
		return rc;
	b2b_session_service(exop->op, &service);
	r.admission.door = b2b_map_door(exop->op, &service);
	/* home may take longer to answer than the overlay stands */
	r.admission.tenant = exop->tenant;
	atomic_fetch_add(&exop->tenant->refs, 1);
	rc = redeem(&r);
	b2b_admission_clear(&r.admission);
	b2b_tenant_release(&r.admission.tenant);
	return rc;
}
