/*
 * admit.c - from a proof that was right to a guest that is in.
 * In: whose proof it was, and what it told.  Out: success, with the session told and the invitation
 * redeemed; or a code with the reason, which only who proved itself hears.
 */
#include "proof.h"

#define DAY_SECS 86400

/* --- reading --- */

struct naming {
	Entry *e;
	bool *uses_subject_r;
};

static bool look_up(const void *ctx, const char *attribute, struct b2b_str *value_r)
{
	const struct naming *naming = ctx;
	AttributeDescription *ad = NULL;
	const char *why;
	Attribute *a;

	if (slap_str2ad(attribute, &ad, &why) != LDAP_SUCCESS)
		return false;
	if (ad == b2b_ad[B2B_ATTR_HOME_SUBJECT])
		*naming->uses_subject_r = true;
	a = attr_find(naming->e->e_attrs, ad);
	if (!a || a->a_numvals != 1)
		return false;
	*value_r = b2b_map_str(&a->a_vals[0]);
	return true;
}

static bool is_dn(struct b2b_str value)
{
	struct berval bv = { value.len, (char *)value.s };

	return value.len && !dnValidate(NULL, &bv);
}

/* The name at home: the subject where it is a DN, else the partner's pattern. */
static void find_home_name(struct b2b_admission *admission, Entry *e)
{
	const char *pattern = admission->partner->u.partner.home_bind_dn;
	struct naming naming = { e, &admission->home_is_subject };
	struct b2b_error error = { "" };

	admission->home_is_subject = is_dn(admission->guest.home_subject);
	if (admission->home_is_subject) {
		admission->home_name = b2b_str_dup(admission->guest.home_subject);
	} else if (!pattern) {
		b2b_error_set(&error, "b2bHomeSubject is no DN and the partner has no "
				      "b2bHomeBindDn");
	} else if (b2b_pattern_expand(b2b_str_of(pattern), look_up, &naming, &admission->home_name,
				      &error) != B2B_OK) {
		admission->home_name = NULL;
	}
	if (!admission->home_name)
		Debug(LDAP_DEBUG_ANY, "b2b: guest=\"%s\": no name at home: %s\n", e->e_nname.bv_val,
		      error.text);
}

/* Where codes go: the subject at home where that is an address, else mail. */
static struct b2b_str find_address(Operation *op, Entry *e, const struct b2b_guest *guest)
{
	struct b2b_str mail = b2b_str_of(b2b_entry_text(op, e, "mail"));

	if (guest->home_subject.len && b2b_mail_check(guest->home_subject, NULL) == B2B_OK)
		return guest->home_subject;
	return mail.len && b2b_mail_check(mail, NULL) == B2B_OK ? mail
								: (struct b2b_str){ NULL, 0 };
}

/* Whether this is the same person's entry as when it was read first. */
static bool is_same(Operation *op, struct b2b_admission *admission, Entry *e)
{
	struct berval person = b2b_map_person(op, e);
	bool same = BER_BVISNULL(&admission->person) || bvmatch(&admission->person, &person);

	admission->person = person;
	return same;
}

static const struct b2b_rule *find_app(const struct b2b_admission *admission)
{
	const struct b2b_bearer *token = admission->token;

	if (!token || BER_BVISNULL(&token->proof.app_dn))
		return b2b_snapshot_app(admission->snapshot, &admission->door);
	return b2b_snapshot_rule(admission->snapshot, token->proof.app_dn.bv_val);
}

static void read_guest(Operation *op, struct b2b_admission *admission, Entry *e)
{
	b2b_snapshot_unref(&admission->snapshot);
	admission->snapshot = b2b_tenant_snapshot(admission->tenant);
	b2b_map_guest(op, e, &admission->guest);
	admission->app = find_app(admission);
	admission->partner =
		b2b_snapshot_partner(admission->snapshot, admission->guest.home_tenant);
	admission->has_totp = attr_find(e->e_attrs, b2b_ad[B2B_ATTR_TOTP_SECRET]) != NULL;
	if (!admission->token && !admission->home_name && admission->partner &&
	    !admission->partner->invalid && (admission->partner->u.partner.idp_mask & B2B_IDP_LDAP))
		find_home_name(admission, e);
	if (!admission->token && b2b_prove_by_passcode(admission))
		admission->address = find_address(op, e, &admission->guest);
}

bool b2b_admission_read(Operation *op, struct b2b_admission *admission)
{
	Entry *e = b2b_entry_get(op, admission->tenant, &admission->ndn);

	if (!e)
		return false;
	bool fits = b2b_map_is_guest(e) && is_same(op, admission, e);
	if (fits)
		read_guest(op, admission, e);
	if (fits && admission->token)
		fits = b2b_bearer_is_of(admission->token, &admission->guest, e);
	b2b_entry_release(op, admission->tenant, e);
	return fits;
}

void b2b_admission_clear(struct b2b_admission *admission)
{
	free(admission->home_name);
	admission->home_name = NULL;
	b2b_snapshot_unref(&admission->snapshot);
}

/* --- judging --- */

static struct b2b_verdict denial(enum b2b_reason reason, const char *rule)
{
	return (struct b2b_verdict){ .effect = B2B_DENY, .reason = reason, .rule = rule };
}

/* Whether home lets whom the token is about do this at all, as far as the token says so. */
static bool may_leave(const struct b2b_bearer *token, enum b2b_scope scope)
{
	return token->out & (scope == B2B_DIRECT_IN ? B2B_OUT_DIRECT : B2B_OUT_COLLAB);
}

/* Whether home judged another application than the one whose door this is: a token of its that names
 * none was given for the directory. */
static bool is_of_another_door(const struct b2b_admission *admission)
{
	const struct b2b_bearer *token = admission->token;

	return token && token->out_said && admission->app && BER_BVISNULL(&token->proof.app_dn);
}

struct b2b_verdict b2b_admission_decide(Operation *op, struct b2b_admission *admission,
					struct b2b_context *context)
{
	/* the token's application is gone: what holds for it is not known */
	if (admission->token && !BER_BVISNULL(&admission->token->proof.app_dn) &&
	    (!admission->app || admission->app->kind != B2B_RULE_APP)) {
		admission->app = NULL;
		return denial(B2B_REASON_POLICY_INVALID, admission->token->proof.app_dn.bv_val);
	}
	if (admission->token && !may_leave(admission->token, context->scope))
		return denial(context->scope == B2B_DIRECT_IN ? B2B_REASON_DIRECT_CONNECT
							      : B2B_REASON_OUTBOUND_USERS,
			      admission->partner ? admission->partner->dn : NULL);
	if (is_of_another_door(admission))
		return denial(B2B_REASON_OUTBOUND_APPS, admission->app->dn);
	struct b2b_guest guest = admission->guest;
	if (admission->by_ticket)
		guest.accepted = true;
	if (admission->terms.len)
		guest.terms_accepted = admission->terms;
	return b2b_passage_decide(op, admission->tenant, admission->snapshot, &guest,
				  admission->app, context);
}

int b2b_admission_deny(Operation *op, const struct b2b_admission *admission,
		       const struct b2b_verdict *verdict)
{
	b2b_map_log_denial(op, &admission->guest, b2b_map_app_id(admission->app), verdict);
	return LDAP_INVALID_CREDENTIALS;
}

static int refuse(Operation *op, const struct b2b_admission *admission,
		  const struct b2b_verdict *verdict, char text_r[B2B_ANSWER_SIZE])
{
	b2b_admission_deny(op, admission, verdict);
	b2b_map_answer(verdict->reason, text_r);
	return b2b_map_code(verdict->reason);
}

/* Judges with what the proof told, and with a one-time password of ours where one came along: it is
 * looked at only if nothing but the want of it keeps the guest outside. */
static struct b2b_verdict judge(Operation *op, struct b2b_admission *admission,
				struct b2b_proof *proof, struct b2b_str code)
{
	struct b2b_context context = b2b_passage_context(op, proof);
	struct b2b_verdict verdict = b2b_admission_decide(op, admission, &context);

	if (!code.len || !admission->has_totp ||
	    (verdict.effect != B2B_ALLOW && verdict.reason != B2B_REASON_MFA_REQUIRED))
		return verdict;
	if (b2b_totp_use(op, admission->tenant, &admission->ndn, code) != B2B_TOTP_RIGHT)
		return denial(B2B_REASON_MFA_REQUIRED, admission->guest.dn);
	proof->sign_in.own_mfa = true;
	context.sign_in.own_mfa = true;
	return b2b_admission_decide(op, admission, &context);
}

/* What policies that only report would have done. */
static void report(Operation *op, const struct b2b_admission *admission,
		   const struct b2b_proof *proof)
{
	struct b2b_context context = b2b_passage_context(op, proof);
	const struct b2b_rule *rule;

	for (size_t i = 0; (rule = b2b_snapshot_access_at(admission->snapshot, i)); i++) {
		struct b2b_access_finding finding;

		if (rule->u.access.state != B2B_CA_REPORT_ONLY)
			continue;
		finding = b2b_access_judge(admission->snapshot, rule, &admission->guest,
					   admission->app, &context);
		if (!finding.applies || finding.reason == B2B_REASON_NONE)
			continue;
		unsigned long long count =
			1 + atomic_fetch_add(&((struct b2b_rule *)rule)->u.access.would_deny, 1);
		Debug(LDAP_DEBUG_STATS,
		      "b2b: %s guest=\"%s\" tenant=%s app=%s would=deny reason=%s count=%llu "
		      "policy=\"%s\"\n",
		      op->o_log_prefix, admission->guest.dn,
		      admission->partner->u.partner.tenant_id, b2b_map_app_id(admission->app),
		      b2b_reason_name(finding.reason), count, rule->dn);
	}
}

/* --- letting in --- */

/* A token that is good for one sign-in is used up by this one. */
static bool use_token_up(Operation *op, const struct b2b_admission *admission)
{
	const struct b2b_bearer *token = admission->token;
	time_t now = slap_get_time();
	const char *why = NULL;

	if (!token || !token->once)
		return true;
	if (token->expires > now + DAY_SECS) {
		why = "it lives for more than a day, which is too long to remember it";
	} else {
		switch (b2b_replay_use(admission->tenant->replay, token->tenant_id, token->id, now,
				       token->expires + B2B_TOKEN_LEEWAY_SECS)) {
		case B2B_REPLAY_FRESH:
			break;
		case B2B_REPLAY_SEEN:
			why = "it was used before";
			break;
		case B2B_REPLAY_FULL:
		default:
			why = "no room is left to remember it";
			/* an operator's business: this partner has too many, or lives too fast */
			Debug(LDAP_DEBUG_ANY, "b2b: tenant=%s: no room for its used tokens\n",
			      token->tenant_id.s);
			break;
		}
	}
	if (why)
		Debug(LDAP_DEBUG_STATS, "b2b: %s guest=\"%s\" token refused: %s\n",
		      op->o_log_prefix, admission->guest.dn, why);
	return !why;
}

/* --- who is off under another name --- */

struct namesake {
	const struct berval *ndn; /* the guest's own */
	bool is_off;
};

static bool note_namesake(void *ctx, Entry *e)
{
	struct namesake *namesake = ctx;
	struct b2b_source source = b2b_map_source(e);
	struct b2b_guest guest;

	b2b_guest_parse(&source, &guest, NULL);
	if (!dn_match(&e->e_nname, namesake->ndn) && !guest.enabled)
		namesake->is_off = true;
	return !namesake->is_off;
}

static const char *escaped(Operation *op, struct b2b_str text)
{
	struct berval value = { text.len, (char *)text.s };

	return b2b_inner_escape(op, &value);
}

bool b2b_admission_is_off(Operation *op, const struct b2b_admission *admission, enum b2b_idp kind)
{
	struct b2b_str subject = b2b_prove_subject(op, admission, kind);
	struct namesake namesake = { &admission->ndn, false };
	struct b2b_tenant *tenant = admission->tenant;
	int rc = LDAP_SUCCESS;

	if (admission->guest.accepted || !subject.len)
		return false;
	const char *who = escaped(op, subject), *home = escaped(op, admission->guest.home_tenant);
	size_t size = strlen(who) + strlen(home) + 80;
	char *filter = op->o_tmpalloc(size, op->o_tmpmemctx);
	snprintf(filter, size, "(&(objectClass=b2bGuest)(b2bHomeTenant=%s)(b2bHomeSubject=%s))",
		 home, who);
	for (int i = 0; !BER_BVISNULL(&tenant->be->be_nsuffix[i]) && rc == LDAP_SUCCESS; i++)
		rc = b2b_inner_search(op, tenant,
				      &(struct b2b_where){ &tenant->be->be_nsuffix[i],
							   LDAP_SCOPE_SUBTREE, filter },
				      note_namesake, &namesake);
	return namesake.is_off || rc != LDAP_SUCCESS;
}

int b2b_admission_judge(Operation *op, struct b2b_admission *admission, struct b2b_proof *proof,
			struct b2b_str code, char text_r[B2B_ANSWER_SIZE])
{
	struct b2b_verdict verdict;

	text_r[0] = '\0';
	verdict = b2b_admission_is_off(op, admission, proof->kind)
			  ? denial(B2B_REASON_DISABLED, admission->guest.dn)
			  : judge(op, admission, proof, code);
	if (verdict.effect != B2B_ALLOW)
		return refuse(op, admission, &verdict, text_r);
	if (!use_token_up(op, admission))
		return LDAP_INVALID_CREDENTIALS;
	if (admission->passcode.len && !b2b_passcode_use(op, admission))
		return LDAP_INVALID_CREDENTIALS;
	report(op, admission, proof);
	return LDAP_SUCCESS;
}

int b2b_admission_admit(Operation *op, struct b2b_admission *admission, struct b2b_proof *proof,
			struct b2b_str code, char text_r[B2B_ANSWER_SIZE])
{
	int rc = b2b_admission_judge(op, admission, proof, code, text_r);

	if (rc != LDAP_SUCCESS)
		return rc;
	if (!b2b_accept_first(op, admission, proof->kind))
		return LDAP_INVALID_CREDENTIALS;
	proof->person = admission->person;
	b2b_session_proved(op, proof);
	b2b_admission_note(op, admission->tenant, &admission->ndn, admission->guest.last_sign_in);
	Debug(LDAP_DEBUG_STATS, "b2b: %s guest=\"%s\" tenant=%s app=%s verdict=allow\n",
	      op->o_log_prefix, admission->guest.dn, admission->guest.home_tenant.s,
	      b2b_map_app_id(admission->app));
	return LDAP_SUCCESS;
}

int b2b_admission_by_token(Operation *op, const struct b2b_bearer *token, const struct berval *ndn,
			   char text_r[B2B_ANSWER_SIZE])
{
	struct b2b_admission admission = { .tenant = token->tenant, .ndn = *ndn, .token = token };
	struct b2b_proof proof = token->proof;
	struct b2b_verdict verdict;
	struct berval service;
	int rc = LDAP_INVALID_CREDENTIALS;

	text_r[0] = '\0';
	b2b_session_service(op, &service);
	admission.door = b2b_map_door(op, &service);
	if (b2b_admission_read(op, &admission)) {
		verdict = b2b_prove_may(&admission, B2B_IDP_OIDC, false);
		rc = verdict.effect == B2B_ALLOW
			     ? b2b_admission_admit(op, &admission, &proof, token->code, text_r)
			     : b2b_admission_deny(op, &admission, &verdict);
	} else {
		Debug(LDAP_DEBUG_STATS, "b2b: %s token refused: it is another person's\n",
		      op->o_log_prefix);
	}
	b2b_admission_clear(&admission);
	return rc;
}
