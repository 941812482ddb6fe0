/*
 * explain.c - extended operation .3.5: what policy makes of a guest and circumstances, rule by rule.
 * In: {"guest","application","peer","ssf","claims","entry"}, from who may write the tenant entry.
 * Out: {"verdict","reason","rule","until","application","steps","entry"}; nothing is written,
 * counted or remembered.
 */
#include "explain_parts.h"

#define SSF_ASSUMED 256 /* TLS, where nothing else was said */
#define SSF_MAX 65535

/* --- who may, and what is asked --- */

/* Whoever slapd's access control lets write the tenant entry itself. */
static bool may_ask(struct b2b_exop *exop)
{
	struct b2b_passage *passage = b2b_passage_find(exop->op);

	if (!passage || passage->who != B2B_WHO_OTHER || passage->service)
		return false;
	if (be_isroot(exop->op))
		return true;
	Entry *e = b2b_entry_get(exop->op, exop->tenant, &exop->tenant->nbase);
	if (!e)
		return false;
	bool may = access_allowed(exop->op, e, slap_schema.si_ad_entry, NULL, ACL_WRITE, NULL) != 0;
	b2b_entry_release(exop->op, exop->tenant, e);
	return may;
}

static int refuse(struct b2b_explaining *it, int err, const char *member, const char *what)
{
	struct b2b_error error = { "" };

	b2b_error_set(&error, "%s: %s", member, what);
	return b2b_exop_refuse_with(it->exop, err, &error);
}

static int read_circumstances(struct b2b_explaining *it)
{
	json_t *ssf = json_object_get(it->exop->in, "ssf");
	const char *peer;
	int rc = b2b_exop_text(it->exop, "peer", &peer);

	if (rc != LDAP_SUCCESS)
		return rc;
	if (ssf && (!json_is_integer(ssf) || json_integer_value(ssf) < 0 ||
		    json_integer_value(ssf) > SSF_MAX))
		return refuse(it, LDAP_PROTOCOL_ERROR, "ssf", "a number of bits is wanted");
	it->context = b2b_map_context(it->op, B2B_STAGE_SIGNED_IN);
	/* of who asks, nothing but the moment */
	it->context.peer = (struct b2b_addr){ .set = false };
	it->context.ssf = ssf ? (unsigned)json_integer_value(ssf) : SSF_ASSUMED;
	it->context.is_protected = it->context.ssf > 1; /* 1 is integrity alone */
	it->context.sign_in.when = it->context.now;
	if (peer && b2b_addr_parse(b2b_str_of(peer), &it->context.peer) != B2B_OK)
		return refuse(it, LDAP_PROTOCOL_ERROR, "peer", "an address is wanted");
	return LDAP_SUCCESS;
}

static int read_request(struct b2b_explaining *it)
{
	int rc = b2b_exop_dn(it->exop, "guest", &it->ndn);

	if (rc == LDAP_SUCCESS)
		rc = b2b_exop_dn(it->exop, "entry", &it->entry);
	if (rc == LDAP_SUCCESS)
		rc = b2b_exop_text(it->exop, "application", &it->app_id);
	if (rc == LDAP_SUCCESS)
		rc = read_circumstances(it);
	if (rc != LDAP_SUCCESS)
		return rc;
	it->claims = json_object_get(it->exop->in, "claims");
	if (BER_BVISNULL(&it->ndn))
		return refuse(it, LDAP_PROTOCOL_ERROR, "guest", "a DN is wanted");
	if (it->claims && !json_is_object(it->claims))
		return refuse(it, LDAP_PROTOCOL_ERROR, "claims", "an object is wanted");
	return LDAP_SUCCESS;
}

static int refuse_guest(struct b2b_explaining *it)
{
	return refuse(it, LDAP_NO_SUCH_OBJECT, "guest", "there is no guest of this name");
}

/* By direct connect nobody has an entry, and the name tells who it is. */
static int find_direct(struct b2b_explaining *it)
{
	if (!b2b_direct_read(it->op, it->exop->tenant, &it->ndn, &it->guest))
		return refuse_guest(it);
	it->direct = true;
	it->context.scope = B2B_DIRECT_IN;
	it->partner = b2b_snapshot_partner(it->snapshot, it->guest.home_tenant);
	return LDAP_SUCCESS;
}

/* The entry is copied: others are read later, and none may be held meanwhile. */
static int find_guest(struct b2b_explaining *it)
{
	if (b2b_direct_tenant(&it->ndn))
		return find_direct(it);
	bool ours = b2b_tenant_of(&it->ndn) == it->exop->tenant;
	Entry *e = ours ? b2b_entry_get(it->op, it->exop->tenant, &it->ndn) : NULL;

	if (e && b2b_map_is_guest(e))
		it->e = entry_dup(e);
	if (e)
		b2b_entry_release(it->op, it->exop->tenant, e);
	if (!it->e)
		return refuse_guest(it);
	b2b_map_guest(it->op, it->e, &it->guest);
	it->partner = b2b_snapshot_partner(it->snapshot, it->guest.home_tenant);
	return LDAP_SUCCESS;
}

/* --- steps --- */

static void append(struct b2b_explaining *it, const char *rule, const char *dn, const char *reason,
		   const char *detail)
{
	json_t *step = json_pack("{s:s,s:b,s:s}", "rule", rule, "passed", reason == NULL, "detail",
				 detail);

	if (dn)
		json_object_set_new(step, "dn", json_string(dn));
	if (reason)
		json_object_set_new(step, "reason", json_string(reason));
	json_array_append_new(it->steps, step);
}

static void note(void *ctx, const struct b2b_explain_step *step)
{
	append(ctx, step->rule, step->dn, step->passed ? NULL : b2b_reason_name(step->reason),
	       step->detail.text);
}

void b2b_explain_note(struct b2b_explaining *it, const char *rule, const char *dn,
		      const char *reason, const char *detail)
{
	struct b2b_error shown = { "" };

	b2b_error_set(&shown, "%s", detail);
	append(it, rule, dn, reason, shown.text);
	if (!reason || it->refused)
		return;
	it->refused = reason;
	it->refused_by = dn;
}

/* --- the decision --- */

/* A token's audience, what the request says, where the guest comes from: as for a sign-in; by direct
 * connect not the last. */
static int find_app(struct b2b_explaining *it)
{
	struct b2b_door door = { .peer = it->context.peer };
	struct b2b_str id = b2b_str_of(it->app_id);

	if (!it->app_id && it->identity && it->identity->app)
		it->app = it->identity->app;
	else if (!it->app_id)
		it->app = it->direct ? NULL : b2b_snapshot_app(it->snapshot, &door);
	else if (!b2b_str_equal_nocase(id, b2b_str_of("directory")))
		it->app = b2b_snapshot_app_by_id(it->snapshot, id);
	else
		return LDAP_SUCCESS;
	if (it->app_id && !it->app)
		return refuse(it, LDAP_NO_SUCH_OBJECT, "application",
			      "there is no such application");
	return LDAP_SUCCESS;
}

static void note_direct(struct b2b_explaining *it)
{
	struct b2b_bearer bearer = { .right = true,
				     .tenant = it->exop->tenant,
				     .tenant_id = it->guest.home_tenant,
				     .subject = it->guest.home_subject,
				     .email = b2b_str_of(it->identity ? it->identity->email
								      : NULL) };
	const char *obstacle = b2b_direct_obstacle(it->op, &bearer);

	b2b_explain_note(it, "direct connect", it->partner ? it->partner->dn : NULL,
			 obstacle ? "proof" : NULL, obstacle ? obstacle : "without an entry");
}

/* What one without an entry sees goes up to its application's label, as long as its token lives. */
static void narrow(struct b2b_explaining *it)
{
	time_t end = it->identity ? it->identity->expires + B2B_TOKEN_LEEWAY_SECS : 0;

	if (end && (!it->verdict.until || it->verdict.until > end))
		it->verdict.until = end;
}

/* As at the door: home judged no application. */
static void note_door(struct b2b_explaining *it)
{
	if (!it->direct && it->identity && it->identity->out_said && !it->identity->app && it->app)
		b2b_explain_note(
			it, "claims", it->app->dn, b2b_reason_name(B2B_REASON_OUTBOUND_APPS),
			"its home gave the token for no application (b2b_out without azp)");
}

static void note_connection(struct b2b_explaining *it)
{
	const struct b2b_rule *tenant = b2b_snapshot_tenant(it->snapshot);
	bool demands = tenant && !tenant->invalid && tenant->u.tenant.require_tls;
	const char *dn = tenant ? tenant->dn : NULL;

	if (demands && !it->context.is_protected)
		b2b_explain_note(it, "connection", dn, b2b_reason_name(B2B_REASON_TLS_REQUIRED),
				 "the tenant demands TLS of its guests (b2bRequireTls)");
	else
		b2b_explain_note(it, "connection", dn, NULL,
				 it->context.is_protected ? "protected" : "not protected");
}

/* The assigned group that the guest belongs to, the first of several. */
static const char *find_group(const struct b2b_explaining *it)
{
	const struct b2b_app *app = &it->app->u.app;

	for (size_t i = 0; i < app->assignee_count; i++) {
		struct b2b_list one = { &app->assignees[i], 1 };

		if (b2b_groups_lead_to(it->op, it->exop->tenant, &one, &it->ndn, NULL))
			return app->assignees[i];
	}
	return NULL;
}

static void decide(struct b2b_explaining *it)
{
	struct b2b_explained what = { it->snapshot, &it->guest, it->app, &it->context, NULL };
	struct b2b_verdict verdict;

	if (it->direct && it->app && it->app->u.app.max_label)
		it->guest.clearance = b2b_str_of(it->app->u.app.max_label);
	/* which finds out whether the guest is assigned, too */
	verdict = b2b_passage_decide(it->op, it->exop->tenant, it->snapshot, &it->guest, it->app,
				     &it->context);
	if (it->context.assigned && it->app)
		what.assigned_by = find_group(it);
	it->verdict = b2b_explain(&what, note, it);
	if (it->direct)
		narrow(it);
	if (it->verdict.effect != B2B_ALLOW || verdict.effect == B2B_ALLOW)
		return;
	append(it, "home", verdict.rule, b2b_reason_name(verdict.reason),
	       "denied by its home, a tenant of this server too");
	it->verdict = verdict;
}

/* --- the answer --- */

static int answer(struct b2b_explaining *it)
{
	bool allow = !it->refused && it->verdict.effect == B2B_ALLOW;
	const char *reason = it->refused ? it->refused : b2b_reason_name(it->verdict.reason);
	const char *rule = it->refused ? it->refused_by : it->verdict.rule;
	const char *app_id = b2b_map_app_id(it->app);
	json_t *out = json_pack("{s:s,s:s,s:s,s:s}", "verdict", allow ? "allow" : "deny", "reason",
				allow ? b2b_reason_name(B2B_REASON_NONE) : reason, "application",
				app_id ? app_id : "", "guest", it->guest.dn);
	char until[B2B_EXPLAIN_TIME_SIZE] = "";

	if (rule)
		json_object_set_new(out, "rule", json_string(rule));
	if (allow)
		b2b_explain_time(it->verdict.until, until);
	if (until[0])
		json_object_set_new(out, "until", json_string(until));
	json_object_set(out, "steps", it->steps);
	if (!BER_BVISNULL(&it->entry))
		json_object_set_new(out, "entry", b2b_explain_entry(it));
	return b2b_exop_answer(it->exop, out);
}

static int explain(struct b2b_explaining *it)
{
	int rc = read_request(it);

	if (rc == LDAP_SUCCESS)
		rc = find_guest(it);
	if (rc != LDAP_SUCCESS)
		return rc;
	if (it->claims)
		b2b_explain_claims(it);
	else
		b2b_explain_note(it, "sign-in", NULL, NULL,
				 "without claims: just now, with one factor");
	rc = find_app(it);
	if (rc != LDAP_SUCCESS)
		return rc;
	if (it->direct)
		note_direct(it);
	note_door(it);
	note_connection(it);
	decide(it);
	return answer(it);
}

int b2b_explain_exop(struct b2b_exop *exop)
{
	struct b2b_explaining it = { .exop = exop, .op = exop->op };
	int rc;

	if (!may_ask(exop))
		return b2b_exop_refuse(exop, LDAP_INSUFFICIENT_ACCESS, NULL);
	it.snapshot = b2b_tenant_snapshot(exop->tenant);
	it.steps = json_array();
	rc = explain(&it);
	json_decref(it.steps);
	b2b_identity_free(&it.identity);
	if (it.e)
		entry_free(it.e);
	b2b_snapshot_unref(&it.snapshot);
	return rc;
}
