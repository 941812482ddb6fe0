/*
 * ctl_explain.c - explain: may this guest use that application now, and why (not)?
 * In: our tenant's whole policy, the guest's entry, circumstances of the command line.
 * Out: what each stage of the decision says, and the verdict with the rule that decided.
 */
#include "ctl_explain.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SSF_ASSUMED 256u /* TLS, where nothing else was said */
#define SSF_MAX 65535ul
#define CLAIMS_MAX B2B_TOKEN_MAX_BYTES

static int read_numbers(struct explaining *explaining)
{
	const struct ctl_options *options = explaining->options;
	struct b2b_context *context = &explaining->context;
	char *end = NULL;
	unsigned long ssf = SSF_ASSUMED;

	if (options->ssf) {
		ssf = strtoul(options->ssf, &end, 10);
		if (options->ssf[0] < '0' || options->ssf[0] > '9' || *end || ssf > SSF_MAX)
			return ctl_misuse("--ssf: a number of bits, such as 256, or 0 for none",
					  "");
	}
	context->ssf = (unsigned)ssf;
	context->is_protected = ssf > 1; /* 1 is integrity alone */
	if (options->peer && b2b_addr_parse(b2b_str_of(options->peer), &context->peer) != B2B_OK)
		return ctl_misuse("--peer: not an address: ", options->peer);
	return CTL_DONE;
}

static int check_usage(struct explaining *explaining)
{
	if (!explaining->options->guest || !*explaining->options->guest)
		return ctl_misuse("explain wants --guest", "");
	return read_numbers(explaining);
}

static void take_mails(LDAP *ld, LDAPMessage *message, void *ctx)
{
	struct ctl_list *mails = ctx;
	struct berval **values = ldap_get_values_len(ld, message, "mail");

	for (size_t i = 0; values && values[i]; i++) {
		mails->values = ctl_grow(mails->values, mails->count, sizeof *mails->values);
		mails->values[mails->count++] = ctl_format("%s", values[i]->bv_val);
	}
	ldap_value_free_len(values);
}

static int read_directory(struct explaining *explaining)
{
	struct ctl_options *options = explaining->options;
	struct b2b_source source;

	if (ctl_connect(options, &explaining->ld) != CTL_DONE ||
	    ctl_tenant_find(explaining->ld, options, &explaining->tenant) != CTL_DONE ||
	    ctl_tenant_demand(&explaining->tenant) != CTL_DONE ||
	    ctl_guest_find(explaining->ld, &explaining->tenant, options->guest, take_mails,
			   &explaining->mails, &explaining->entry) != CTL_DONE ||
	    ctl_policy_read(explaining->ld, &explaining->tenant, explaining->entry->dn,
			    &explaining->policy) != CTL_DONE)
		return CTL_FAILED;
	source = ctl_entry_source(explaining->entry);
	b2b_guest_parse(&source, &explaining->guest, NULL);
	explaining->partner =
		b2b_snapshot_partner(explaining->policy.all, explaining->guest.home_tenant);
	return CTL_DONE;
}

/* Whether partner and guest leave room for a kind of proof. */
static bool takes(const struct explaining *explaining, enum b2b_idp idp)
{
	const struct b2b_rule *partner = explaining->partner;
	enum b2b_idp pinned = explaining->guest.pinned;

	return partner && !partner->invalid && (partner->u.partner.idp_mask & (unsigned)idp) &&
	       (pinned == B2B_IDP_NONE || pinned == idp);
}

/* Claims are taken as home's word; where they would not be, that is the explanation. */
static int read_claims(struct explaining *explaining)
{
	const char *place = explaining->options->claims;
	const struct b2b_rule *partner = explaining->partner;
	struct b2b_error why = { "" };
	char *text = NULL;
	size_t bytes = 0;
	enum b2b_err err;

	if (ctl_read_file(place, CLAIMS_MAX, &text, &bytes) != CTL_DONE)
		return CTL_FAILED;
	if (bytes > CLAIMS_MAX) {
		free(text);
		return ctl_fail("%s: larger than %u bytes", place, CLAIMS_MAX);
	}
	explaining->refused = "these claims would not be believed";
	if (!takes(explaining, B2B_IDP_OIDC)) {
		free(text);
		ctl_say("claims: refused: %s",
			!partner ? "there is no such partner"
			: partner->invalid
				? "the partner's entry is invalid"
				: "oidc is not among the proofs of the partner or of the guest");
		return CTL_DONE;
	}
	err = b2b_token_read_claims(explaining->policy.all, partner,
				    (struct b2b_str){ text, bytes }, explaining->context.now,
				    &explaining->identity, &why);
	free(text);
	if (err == B2B_ERR_MEMORY)
		return ctl_fail("out of memory");
	if (err != B2B_OK)
		ctl_say("claims: refused: %s", why.text);
	else
		explaining->refused = NULL;
	return CTL_DONE;
}

static void say_proofs(const struct b2b_identity *identity, unsigned trust)
{
	static const struct {
		const char *name;
		unsigned bit;
	} proofs[] = { { "several factors", B2B_GRANT_MFA },
		       { "a compliant device", B2B_GRANT_COMPLIANT_DEVICE },
		       { "a hybrid joined device", B2B_GRANT_HYBRID_JOINED } };
	const bool told[] = { identity->mfa, identity->compliant_device, identity->hybrid_joined };

	for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++)
		if (told[i])
			ctl_say("claims: home says %s, which %s", proofs[i].name,
				trust & proofs[i].bit ? "is trusted"
						      : "is not trusted of this partner");
}

/* Whose the subject is; an invitation goes to an address, and who has it at home was invited. */
static void judge_subject(struct explaining *explaining)
{
	const struct b2b_identity *identity = explaining->identity;
	const struct b2b_guest *guest = &explaining->guest;
	const char *subject = identity->subject;
	bool invited = false;

	for (size_t i = 0; identity->email && i < explaining->mails.count; i++)
		invited = invited || strcasecmp(explaining->mails.values[i], identity->email) == 0;
	if (b2b_str_equal(guest->home_subject, b2b_str_of(subject))) {
		ctl_say("claims: subject %s, as b2bHomeSubject of the guest", subject);
	} else if (guest->home_subject.len == 0 && !guest->accepted && invited) {
		ctl_say("claims: subject %s, which is bound to the guest as its address is "
			"verified",
			subject);
	} else {
		ctl_say("claims: subject %s, which is not that of the guest", subject);
		explaining->refused = "this would be another's proof";
	}
}

/* The context that the claims make. */
static void take_identity(struct explaining *explaining)
{
	const struct b2b_identity *identity = explaining->identity;
	struct b2b_context *context = &explaining->context;
	unsigned trust = b2b_access_trust(explaining->policy.all, explaining->guest.home_tenant);
	char *when =
		identity->authenticated ? ctl_time(identity->authenticated) : ctl_format("unknown");

	judge_subject(explaining);
	ctl_say("claims: signed in at home: %s", when);
	free(when);
	say_proofs(identity, trust);
	if (identity->groups_known)
		ctl_say("claims: %zu home %s", identity->group_count,
			identity->group_count == 1 ? "group" : "groups");
	else
		ctl_say("claims: home groups unknown: whom groups block is taken to be in them");
	context->sign_in = (struct b2b_sign_in){ .when = identity->authenticated,
						 .mfa = identity->mfa,
						 .compliant_device = identity->compliant_device,
						 .hybrid_joined = identity->hybrid_joined };
	context->home_groups = identity->groups;
	context->home_group_count = identity->group_count;
	context->home_groups_known = identity->groups_known;
}

static int choose_proof(struct explaining *explaining)
{
	if (!explaining->options->claims) {
		explaining->context.sign_in.when = explaining->context.now;
		ctl_say("sign-in: by the home password, now, with one factor (see --claims)");
		if (!takes(explaining, B2B_IDP_LDAP))
			ctl_say("sign-in: this guest may not use it, as ldap is not among the "
				"proofs of the partner or of the guest");
		return CTL_DONE;
	}
	if (read_claims(explaining) != CTL_DONE)
		return CTL_FAILED;
	if (explaining->identity)
		take_identity(explaining);
	return CTL_DONE;
}

/* A token's audience, what the command line says, where the guest comes from: design section 5. */
static int choose_app(struct explaining *explaining)
{
	const struct b2b_snapshot *snapshot = explaining->policy.all;
	const struct ctl_list *apps = &explaining->options->apps;
	const char *id = apps->count ? apps->values[apps->count - 1] : NULL;
	struct b2b_door door = { .peer = explaining->context.peer };
	bool directory = id && b2b_str_equal_nocase(b2b_str_of(id), b2b_str_of("directory"));

	if (id) {
		explaining->app = b2b_snapshot_app_by_id(snapshot, b2b_str_of(id));
		if (!explaining->app && !directory)
			return ctl_fail("there is no application %s", id);
	} else if (explaining->identity && explaining->identity->app) {
		explaining->app = explaining->identity->app;
	} else {
		explaining->app = b2b_snapshot_app(snapshot, &door);
	}
	if (explaining->app)
		ctl_say("application: %s (%s)",
			explaining->app->invalid ? "invalid" : explaining->app->u.app.id,
			explaining->app->dn);
	else
		ctl_say("application: directory, as no other is told by %s",
			explaining->identity ? "audience or address" : "the address");
	return CTL_DONE;
}

static void say_connection(struct explaining *explaining)
{
	const struct ctl_options *options = explaining->options;
	const struct b2b_rule *tenant = b2b_snapshot_tenant(explaining->policy.all);

	ctl_say("connection: from %s, strength %u bits%s",
		options->peer ? options->peer : "an address that is not known (see --peer)",
		explaining->context.ssf, options->ssf ? "" : " (see --ssf)");
	if (explaining->context.is_protected || !tenant || tenant->invalid ||
	    !tenant->u.tenant.require_tls)
		return;
	ctl_say("connection: refuses: the tenant demands TLS of its guests (b2bRequireTls)");
	explaining->refused = b2b_reason_name(B2B_REASON_TLS_REQUIRED);
}

static void take_group(LDAP *ld, LDAPMessage *message, void *ctx)
{
	char *dn = ldap_get_dn(ld, message);

	*(char **)ctx = ctl_format("%s", dn ? dn : "");
	ldap_memfree(dn);
}

/* As the server: a group that is assigned, with the guest among its member values. */
static int find_group(struct explaining *explaining)
{
	const struct b2b_rule *app = explaining->app;
	char *attrs[] = { LDAP_NO_ATTRS, NULL };
	char *escaped, *filter;
	int code = LDAP_SUCCESS;

	if (!app || app->invalid || !app->u.app.assignment_required)
		return CTL_DONE;
	escaped = ctl_escape(explaining->entry->dn);
	filter = ctl_format("(member=%s)", escaped);
	for (size_t i = 0; i < app->u.app.assignee_count && !explaining->group; i++) {
		struct ctl_search search = {
			app->u.app.assignees[i], LDAP_SCOPE_BASE, filter, attrs, take_group,
			&explaining->group
		};

		code = ctl_search(explaining->ld, &search);
		if (code != LDAP_SUCCESS && code != LDAP_NO_SUCH_OBJECT)
			break;
		code = LDAP_SUCCESS;
	}
	free(filter);
	free(escaped);
	explaining->context.assigned = explaining->group != NULL;
	return code == LDAP_SUCCESS
		       ? CTL_DONE
		       : ctl_fail_ldap(explaining->ld, code, "reading the assigned groups");
}

/* The record by itself. */
static void say_record(const struct explaining *explaining)
{
	const struct b2b_rule *rule = b2b_snapshot_tenant(explaining->policy.all);
	const struct b2b_tenant_policy *tenant = rule && !rule->invalid ? &rule->u.tenant : NULL;
	const struct b2b_guest *guest = &explaining->guest;
	struct b2b_source source = ctl_entry_source(explaining->entry);
	enum b2b_reason reason = b2b_decide_record(guest, tenant, explaining->context.now);
	time_t end = b2b_guest_end(guest, tenant);
	struct b2b_error error = { "" };
	struct b2b_guest parsed;
	char *until;

	if (b2b_guest_parse(&source, &parsed, &error) != B2B_OK) {
		ctl_say("record: denies: %s", error.text);
		return;
	}
	if (reason != B2B_REASON_NONE) {
		ctl_say("record: denies: %s", b2b_reason_name(reason));
		return;
	}
	until = end ? ctl_time(end) : ctl_format("no end");
	ctl_say("record: in order, until: %s%s", until,
		guest->accepted ? "" : "; the invitation has not been redeemed");
	free(until);
}

/* The settings by themselves: a guest whose record says nothing against it, assigned, and no
 * conditional access. */
static void say_settings(const struct explaining *explaining)
{
	struct b2b_context context = explaining->context;
	struct b2b_guest guest = explaining->guest;
	struct b2b_verdict verdict;

	if (!explaining->partner) {
		ctl_say("partner: none of the id %.*s", (int)guest.home_tenant.len,
			guest.home_tenant.s);
		return;
	}
	ctl_say("partner: %s%s", explaining->partner->dn,
		explaining->partner->invalid ? ": invalid: its guests are denied" : "");
	guest.enabled = guest.accepted = true;
	guest.valid_from = guest.review_due = 0;
	guest.valid_until = context.now + 1;
	guest.review = B2B_REVIEW_APPROVED;
	context.assigned = true;
	verdict = b2b_decide(explaining->policy.settings, &guest, explaining->app, &context);
	ctl_say("cross-tenant: %s%s%s%s", verdict.effect == B2B_ALLOW ? "permits" : "denies: ",
		verdict.effect == B2B_ALLOW ? "" : b2b_reason_name(verdict.reason),
		verdict.rule ? ", by " : "", verdict.rule ? verdict.rule : "");
	if (verdict.half_set)
		ctl_say("cross-tenant: one half alone is set in %s: the default must permit as "
			"well",
			verdict.half_set);
}

static void say_assignment(const struct explaining *explaining)
{
	const struct b2b_rule *app = explaining->app;

	if (!app || app->invalid || !app->u.app.assignment_required) {
		ctl_say("assignment: not required");
		return;
	}
	for (size_t i = 0; i < app->u.app.assignee_count; i++)
		if (strcmp(app->u.app.assignees[i], explaining->guest.dn) == 0) {
			ctl_say("assignment: the guest itself");
			return;
		}
	if (explaining->group)
		ctl_say("assignment: by the group %s", explaining->group);
	else
		ctl_say("assignment: denies: %s", b2b_reason_name(B2B_REASON_NOT_ASSIGNED));
}

static void say_verdict(const struct explaining *explaining)
{
	struct b2b_verdict verdict = b2b_decide(explaining->policy.all, &explaining->guest,
						explaining->app, &explaining->context);
	char *until = verdict.until ? ctl_time(verdict.until) : NULL;

	if (verdict.effect == B2B_ALLOW && !explaining->refused)
		ctl_explain_labels(explaining, verdict.label_cap);
	if (explaining->refused)
		ctl_say("verdict: deny: %s", explaining->refused);
	else if (verdict.effect == B2B_ALLOW)
		ctl_say("verdict: allow%s%s%s%s", verdict.rule ? ", by " : "",
			verdict.rule ? verdict.rule : "", until ? ", until " : "",
			until ? until : "");
	else
		ctl_say("verdict: deny: %s%s%s", b2b_reason_name(verdict.reason),
			verdict.rule ? ", by " : "", verdict.rule ? verdict.rule : "");
	free(until);
}

static int explain(struct explaining *explaining)
{
	explaining->context.now = time(NULL);
	explaining->context.scope = B2B_COLLAB_IN;
	explaining->context.stage = B2B_STAGE_SIGNED_IN;
	ctl_say("guest: %s", explaining->entry->dn);
	if (choose_proof(explaining) != CTL_DONE || choose_app(explaining) != CTL_DONE ||
	    find_group(explaining) != CTL_DONE)
		return CTL_FAILED;
	say_connection(explaining);
	say_record(explaining);
	say_settings(explaining);
	say_assignment(explaining);
	ctl_explain_access(explaining);
	say_verdict(explaining);
	return CTL_DONE;
}

int ctl_explain(struct ctl_options *options)
{
	struct explaining explaining = { .options = options };
	int result = check_usage(&explaining);

	if (result == CTL_DONE)
		result = read_directory(&explaining);
	if (result == CTL_DONE)
		result = explain(&explaining);
	free(explaining.group);
	for (size_t i = 0; i < explaining.mails.count; i++)
		free(explaining.mails.values[i]);
	free(explaining.mails.values);
	b2b_identity_free(&explaining.identity);
	ctl_policy_clear(&explaining.policy);
	ctl_entry_free(&explaining.entry);
	ctl_tenant_clear(&explaining.tenant);
	if (explaining.ld)
		ldap_unbind_ext_s(explaining.ld, NULL, NULL);
	return result;
}
