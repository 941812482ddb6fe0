/*
 * request_run.c - what the task does about requests: approvers are told, who was approved is invited,
 * who was not is told, and what is closed is deleted after the tenant's grace.
 * In: requests that b2bNextDue found.  Out: notices, guests, states.
 *
 * Each step may be done again after a crash: notices have names of their own, who was invited since
 * the approval is not invited once more, and each change is made onto the entry as it was read.
 */
#include "request.h"

enum { NESTING = 8, APPROVERS_MAX = 100 };

#define DAY_SECS ((time_t)86400)

struct request {
	struct b2b_sweep *sweep;
	struct b2b_name name; /* all in op's memory */
	char csn[LDAP_PVT_CSNSTR_BUFSIZE];
	const char *cn, *mail, *display_name, *tenant_id, *reason, *answer;
	struct b2b_str *apps;
	size_t app_count;
	struct berval by, decided_by; /* BVNULL: nobody */
	enum b2b_request_state state;
	time_t modified, delete_after; /* 0: never */
};

/* --- reading --- */

static const char *text_of(Operation *op, Entry *e, enum b2b_attr attr)
{
	return b2b_entry_text(op, e, b2b_attr_name(attr));
}

static time_t time_of(Entry *e, AttributeDescription *ad)
{
	Attribute *a = attr_find(e->e_attrs, ad);
	time_t when = 0;

	if (a && b2b_time_parse(b2b_map_str(&a->a_vals[0]), &when) != B2B_OK)
		when = 0;
	return when;
}

static struct berval dn_of(Operation *op, Entry *e, enum b2b_attr attr)
{
	Attribute *a = attr_find(e->e_attrs, b2b_ad[attr]);
	struct berval dn = BER_BVNULL;

	if (a)
		ber_dupbv_x(&dn, &a->a_nvals[0], op->o_tmpmemctx);
	return dn;
}

static void read_apps(Operation *op, Entry *e, struct request *request)
{
	Attribute *a = attr_find(e->e_attrs, b2b_ad[B2B_ATTR_REQUEST_APP]);

	request->app_count = a ? a->a_numvals : 0;
	request->apps =
		op->o_tmpcalloc(request->app_count + 1, sizeof(*request->apps), op->o_tmpmemctx);
	for (size_t i = 0; i < request->app_count; i++)
		request->apps[i] = b2b_map_copy_str(op, b2b_map_str(&a->a_vals[i]));
}

static void read_entry(Operation *op, Entry *e, struct request *request)
{
	Attribute *csn = attr_find(e->e_attrs, slap_schema.si_ad_entryCSN);

	snprintf(request->csn, sizeof(request->csn), "%s", csn ? csn->a_nvals[0].bv_val : "");
	ber_dupbv_x(&request->name.dn, &e->e_name, op->o_tmpmemctx);
	ber_dupbv_x(&request->name.ndn, &e->e_nname, op->o_tmpmemctx);
	request->cn = text_of(op, e, B2B_ATTR_CN);
	request->mail = text_of(op, e, B2B_ATTR_REQUEST_MAIL);
	request->display_name = text_of(op, e, B2B_ATTR_REQUEST_NAME);
	request->tenant_id = text_of(op, e, B2B_ATTR_HOME_TENANT);
	request->reason = text_of(op, e, B2B_ATTR_REQUEST_REASON);
	request->answer = text_of(op, e, B2B_ATTR_REQUEST_ANSWER);
	read_apps(op, e, request);
	request->by = dn_of(op, e, B2B_ATTR_REQUEST_BY);
	request->decided_by = dn_of(op, e, B2B_ATTR_REQUEST_DECIDED_BY);
	request->state = b2b_request_state_of(e);
	request->modified = time_of(e, slap_schema.si_ad_modifyTimestamp);
	request->delete_after = time_of(e, b2b_ad[B2B_ATTR_DELETE_AFTER]);
}

/* --- writing --- */

/* quiet: the time of the decision, which modifyTimestamp holds, stays. */
static bool write_back(struct request *request, Modifications *mods, bool quiet)
{
	int rc = b2b_inner_modify(request->sweep->op, request->sweep->tenant, &request->name,
				  request->csn, mods, quiet);

	if (rc != LDAP_SUCCESS && rc != LDAP_ASSERTION_FAILED)
		Debug(LDAP_DEBUG_ANY, "b2b: request \"%s\": not written (%d)\n",
		      request->name.dn.bv_val, rc);
	return rc == LDAP_SUCCESS;
}

static bool rest(struct request *request)
{
	Modifications *mods = NULL;

	b2b_record_set(&mods, B2B_ATTR_NEXT_DUE, NULL);
	return write_back(request, mods, true);
}

/* Requests are about persons: what is closed does not stay for ever. */
static void set_end(struct request *request, Modifications **mods)
{
	const struct b2b_tenant_policy *policy = request->sweep->policy;
	time_t now = request->sweep->now;
	time_t end = now + (time_t)(policy ? policy->delete_grace_days : 30) * DAY_SECS;

	b2b_record_set_time(mods, B2B_ATTR_DELETE_AFTER, end);
	b2b_record_set_time(mods, B2B_ATTR_NEXT_DUE, b2b_time_due(end, now));
}

/* --- notices --- */

static json_t *make_data(struct request *request)
{
	json_t *data = json_object();
	const char *name = request->display_name ? request->display_name : request->mail;
	json_t *apps = json_string("");

	for (size_t i = 0; i < request->app_count; i++) {
		json_t *longer = json_sprintf("%s%s%s", json_string_value(apps), i ? ", " : "",
					      request->apps[i].s);

		json_decref(apps);
		apps = longer;
	}
	json_object_set_new(data, "request", json_string(request->cn));
	json_object_set_new(data, "item", json_string(request->name.dn.bv_val));
	json_object_set_new(data, "guestName", json_string(name));
	json_object_set_new(data, "guestMail", json_string(request->mail));
	json_object_set_new(data, "reason", json_string(request->reason ? request->reason : ""));
	json_object_set_new(data, "answer", json_string(request->answer ? request->answer : ""));
	json_object_set_new(data, "applications", apps);
	return data;
}

struct telling {
	struct request *request;
	struct b2b_notice notice;
	unsigned left; /* entries that may yet be looked at */
	bool cut;      /* there were more */
	int rc;
};

/* Values of member or uniqueMember, no more than can be told, in op's memory; NULL: it is no group.
 * *gone_r: it is not there. */
static struct berval *members_of(struct telling *telling, struct berval *ndn, bool *gone_r)
{
	struct request *request = telling->request;
	Operation *op = request->sweep->op;
	static const char *const types[] = { "member", "uniqueMember" };
	Entry *e = b2b_entry_get(op, request->sweep->tenant, ndn);
	struct berval *list = NULL;

	*gone_r = !e;
	for (size_t i = 0; e && !list && i < 2; i++) {
		AttributeDescription *ad = NULL;
		const char *why;
		Attribute *a = slap_str2ad(types[i], &ad, &why) == LDAP_SUCCESS
				       ? attr_find(e->e_attrs, ad)
				       : NULL;

		if (!a)
			continue;
		list = op->o_tmpcalloc(APPROVERS_MAX + 1, sizeof(*list), op->o_tmpmemctx);
		for (unsigned j = 0; j < a->a_numvals && j <= telling->left && j < APPROVERS_MAX;
		     j++)
			ber_dupbv_x(&list[j], &a->a_nvals[j], op->o_tmpmemctx);
	}
	if (e)
		b2b_entry_release(op, request->sweep->tenant, e);
	return list;
}

/* A person, or everybody in a group; not who asks. */
static void tell(struct telling *telling, struct berval *ndn, int depth)
{
	struct request *request = telling->request;
	struct berval *members;
	bool gone;

	if (b2b_tenant_of(ndn) != request->sweep->tenant || bvmatch(ndn, &request->by))
		return;
	if (!telling->left) {
		telling->cut = true;
		return;
	}
	telling->left--;
	members = members_of(telling, ndn, &gone);
	if (gone)
		return;
	if (!members) {
		telling->notice.to = ndn;
		int rc = b2b_outbox_put(request->sweep->op, request->sweep->tenant,
					&telling->notice);
		telling->rc = telling->rc ? telling->rc : rc;
		return;
	}
	for (; depth < NESTING && !BER_BVISNULL(members); members++)
		tell(telling, members, depth + 1);
}

static bool tell_approvers(struct request *request)
{
	const struct b2b_tenant_policy *policy = request->sweep->policy;
	const struct b2b_list *who = policy && policy->approvers.count ? &policy->approvers
				     : policy                          ? &policy->inviters
								       : NULL;
	struct telling telling = { .request = request, .left = APPROVERS_MAX };

	telling.notice.type = "request";
	telling.notice.key = request->cn;
	telling.notice.data = make_data(request);
	for (size_t i = 0; who && i < who->count; i++) {
		struct berval ndn;

		ber_str2bv(who->list[i], 0, 0, &ndn);
		tell(&telling, &ndn, 1);
	}
	json_decref(telling.notice.data);
	if (telling.cut)
		Debug(LDAP_DEBUG_ANY, "b2b: request \"%s\": not all of its approvers are told\n",
		      request->name.dn.bv_val);
	if (!who || !who->count)
		Debug(LDAP_DEBUG_ANY,
		      "b2b: request \"%s\": nobody is named that could be told "
		      "(b2bApprover, b2bInviter)\n",
		      request->name.dn.bv_val);
	return telling.rc == LDAP_SUCCESS;
}

static bool tell_requester(struct request *request)
{
	struct b2b_notice notice = { .type = "refused",
				     .key = request->cn,
				     .mail = request->mail,
				     .name = request->display_name };
	int rc;

	notice.data = make_data(request);
	rc = b2b_outbox_put(request->sweep->op, request->sweep->tenant, &notice);
	json_decref(notice.data);
	return rc == LDAP_SUCCESS;
}

/* --- steps --- */

/* What may be over by the next sweep. */
static bool is_passing(int rc)
{
	return rc == LDAP_BUSY || rc == LDAP_UNAVAILABLE || rc == LDAP_OTHER ||
	       rc == LDAP_ASSERTION_FAILED;
}

static bool invite(struct request *request)
{
	struct b2b_invitation invitation = { .mail = request->mail,
					     .tenant_id = request->tenant_id,
					     .display_name = request->display_name,
					     .apps = request->apps,
					     .app_count = request->app_count,
					     .who = &request->decided_by,
					     .not_before = request->modified };
	struct b2b_name guest;
	struct b2b_error error = { "" };
	Modifications *mods = NULL;
	int rc;

	rc = b2b_invite_make(request->sweep->op, request->sweep->tenant, &invitation, &guest,
			     &error);
	if (is_passing(rc))
		return false;
	if (rc == LDAP_SUCCESS) {
		b2b_record_set_bytes(&mods, B2B_ATTR_REQUEST_GUEST, &guest.dn);
	} else {
		char text[16];

		snprintf(text, sizeof(text), "error %d", rc);
		b2b_record_set(&mods, B2B_ATTR_REQUEST_ANSWER, error.text[0] ? error.text : text);
	}
	b2b_record_set(&mods, B2B_ATTR_REQUEST_STATE,
		       b2b_request_state_name(rc == LDAP_SUCCESS ? B2B_REQUEST_INVITED
								 : B2B_REQUEST_FAILED));
	set_end(request, &mods);
	return write_back(request, mods, false);
}

static bool close_refused(struct request *request)
{
	Modifications *mods = NULL;

	if (!tell_requester(request))
		return false;
	set_end(request, &mods);
	return write_back(request, mods, true);
}

/* Closed, and who asked was told: away with it, or it is looked at again then. */
static bool end(struct request *request)
{
	struct b2b_sweep *sweep = request->sweep;
	Modifications *mods = NULL;

	if (request->delete_after > sweep->now) {
		b2b_record_set_time(&mods, B2B_ATTR_NEXT_DUE,
				    b2b_time_due(request->delete_after, sweep->now));
		return write_back(request, mods, true);
	}
	int rc = b2b_inner_delete(sweep->op, sweep->tenant, &request->name, request->csn);
	Debug(LDAP_DEBUG_STATS, "b2b: request \"%s\" deleted (%d)\n", request->name.dn.bv_val, rc);
	return rc == LDAP_SUCCESS;
}

static bool step(struct request *request)
{
	switch (request->state) {
	case B2B_REQUEST_PENDING:
		return tell_approvers(request) && rest(request);
	case B2B_REQUEST_APPROVED:
		return invite(request);
	case B2B_REQUEST_DENIED:
	case B2B_REQUEST_BLOCKED:
	case B2B_REQUEST_INVALID:
		return request->delete_after ? end(request) : close_refused(request);
	case B2B_REQUEST_INVITED:
	case B2B_REQUEST_FAILED:
		return request->delete_after ? end(request) : rest(request);
	case B2B_REQUEST_CHECKING:
	case B2B_REQUEST_UNKNOWN:
	default:
		return rest(request);
	}
}

bool b2b_request_run(struct b2b_sweep *sweep, const struct berval *ndn)
{
	struct request request = { .sweep = sweep };
	Entry *e = b2b_entry_get(sweep->op, sweep->tenant, (struct berval *)ndn);

	if (!e)
		return false;
	read_entry(sweep->op, e, &request);
	b2b_entry_release(sweep->op, sweep->tenant, e);
	if (!request.mail || !request.cn ||
	    (request.state == B2B_REQUEST_APPROVED && BER_BVISNULL(&request.decided_by)))
		return rest(&request); /* as only a careless hand can have written it */
	return step(&request);
}
