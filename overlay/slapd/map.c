/*
 * map.c - the only translator between slapd's structures and the core's.
 * In: entries, operations, connections.  Out: struct b2b_source, b2b_guest, b2b_door; the schema;
 * the log line of a denial.
 */
#include "glue.h"

#include <ac/ctype.h>

#include "schema.inc"

AttributeDescription *b2b_ad[B2B_ATTR_COUNT];
ObjectClass *b2b_oc_guest, *b2b_oc_tenant, *b2b_oc_default, *b2b_oc_partner, *b2b_oc_app,
	*b2b_oc_access, *b2b_oc_review, *b2b_oc_item, *b2b_oc_project, *b2b_oc_notice,
	*b2b_oc_request;

static const struct {
	ObjectClass **class;
	const char *name;
} classes[] = {
	{ &b2b_oc_guest, "b2bGuest" },
	{ &b2b_oc_tenant, "b2bTenant" },
	{ &b2b_oc_default, "b2bDefaultPolicy" },
	{ &b2b_oc_partner, "b2bPartner" },
	{ &b2b_oc_app, "b2bApplication" },
	{ &b2b_oc_access, "b2bAccessPolicy" },
	{ &b2b_oc_review, "b2bReviewDefinition" },
	{ &b2b_oc_item, "b2bReviewItem" },
	{ &b2b_oc_project, "b2bCollaboration" },
	{ &b2b_oc_notice, "b2bNotice" },
	{ &b2b_oc_request, "b2bRequest" },
};

static int find_descriptions(void)
{
	for (int i = B2B_ATTR_NONE + 1; i < B2B_ATTR_COUNT; i++) {
		const char *why;

		/* slap_str2ad() asserts that it is given NULL */
		if (!b2b_ad[i] && slap_str2ad(b2b_attr_name(i), &b2b_ad[i], &why)) {
			Debug(LDAP_DEBUG_ANY, "b2b: attribute type %s: %s\n", b2b_attr_name(i),
			      why);
			return 1;
		}
	}
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		*classes[i].class = oc_find(classes[i].name);
		if (!*classes[i].class)
			return 1;
	}
	return 0;
}

int b2b_map_register_schema(void)
{
	for (size_t i = 0; i < sizeof(b2b_schema_attrs) / sizeof(b2b_schema_attrs[0]); i++) {
		AttributeDescription *ad = NULL;

		if (register_at(b2b_schema_attrs[i], &ad, 1))
			return 1;
		/* with this flag the relax control may set what the server alone writes */
		if (is_at_no_user_mod(ad->ad_type))
			ad->ad_type->sat_flags |= SLAP_AT_MANAGEABLE;
	}
	for (size_t i = 0; i < sizeof(b2b_schema_classes) / sizeof(b2b_schema_classes[0]); i++) {
		if (register_oc(b2b_schema_classes[i], NULL, 1))
			return 1;
	}
	return find_descriptions();
}

static bool source_value(const void *entry, enum b2b_attr attr, size_t index,
			 struct b2b_str *value_r)
{
	const Entry *e = entry;
	Attribute *a = attr_find(e->e_attrs, b2b_ad[attr]);

	if (!a || index >= a->a_numvals)
		return false;
	bool is_dn = a->a_desc->ad_type->sat_syntax == slap_schema.si_syn_distinguishedName;
	*value_r = b2b_map_str(is_dn ? &a->a_nvals[index] : &a->a_vals[index]);
	return true;
}

struct b2b_source b2b_map_source(Entry *e)
{
	return (struct b2b_source){ .dn = e->e_nname.bv_val, .entry = e, .value = source_value };
}

bool b2b_map_is_guest(Entry *e)
{
	Attribute *a = attr_find(e->e_attrs, slap_schema.si_ad_objectClass);
	const struct berval *name = &b2b_oc_guest->soc_cname;

	/* Nearly every entry is told by the names of its classes; slapd's own way looks each of
	 * them up. */
	for (unsigned i = 0; a && i < a->a_numvals; i++) {
		const struct berval *value = &a->a_vals[i];

		if (value->bv_len && isdigit((unsigned char)value->bv_val[0]))
			return is_entry_objectclass(e, b2b_oc_guest, 0);
		if (value->bv_len == name->bv_len &&
		    !strncasecmp(value->bv_val, name->bv_val, name->bv_len))
			return true;
	}
	/* a class derived from ours has another name, and must have this attribute as well; a request
	 * to become a guest may have it */
	return attr_find(e->e_attrs, b2b_ad[B2B_ATTR_HOME_TENANT]) &&
	       (!is_entry_objectclass(e, b2b_oc_request, 0) ||
		is_entry_objectclass(e, b2b_oc_guest, SLAP_OCF_CHECK_SUP));
}

static void *op_memory(Operation *op, const void *bytes, size_t length)
{
	char *copy = op->o_tmpalloc(length + 1, op->o_tmpmemctx);

	if (length)
		memcpy(copy, bytes, length);
	copy[length] = '\0';
	return copy;
}

struct b2b_str b2b_map_copy_str(Operation *op, struct b2b_str value)
{
	if (!value.s)
		return value;
	return (struct b2b_str){ op_memory(op, value.s, value.len), value.len };
}

void b2b_map_guest(Operation *op, Entry *e, struct b2b_guest *guest_r)
{
	struct b2b_source source = b2b_map_source(e);
	struct b2b_error error = { "" };

	if (b2b_guest_parse(&source, guest_r, &error) != B2B_OK)
		Debug(LDAP_DEBUG_ANY, "%s b2b: guest=\"%s\": %s\n", op->o_log_prefix,
		      e->e_nname.bv_val, error.text);
	guest_r->dn = op_memory(op, e->e_nname.bv_val, e->e_nname.bv_len);
	guest_r->home_tenant = b2b_map_copy_str(op, guest_r->home_tenant);
	guest_r->home_subject = b2b_map_copy_str(op, guest_r->home_subject);
	guest_r->clearance = b2b_map_copy_str(op, guest_r->clearance);
	guest_r->terms_accepted = b2b_map_copy_str(op, guest_r->terms_accepted);
}

/* "IP=127.0.0.1:389" or "IP=[::1]:389"; anything else (PATH=) has no address. */
static struct b2b_addr peer_address(const struct berval *peer_name)
{
	struct b2b_addr addr = { .set = false };
	struct b2b_str text = b2b_map_str(peer_name);
	const char *end;

	if (text.len < 3 || strncmp(text.s, "IP=", 3) != 0)
		return addr;
	text.s += 3;
	text.len -= 3;
	if (text.len && *text.s == '[') {
		text.s++;
		text.len--;
		end = memchr(text.s, ']', text.len);
	} else {
		end = memchr(text.s, ':', text.len);
	}
	if (!end)
		return addr;
	text.len = (size_t)(end - text.s);
	if (b2b_addr_parse(text, &addr) != B2B_OK)
		addr.set = false;
	return addr;
}

struct b2b_door b2b_map_door(Operation *op, const struct berval *service_ndn)
{
	Connection *conn = op->o_conn;
	struct b2b_door door = { .service_ndn = { NULL, 0 } };

	if (service_ndn && !BER_BVISEMPTY(service_ndn))
		door.service_ndn = b2b_map_str(service_ndn);
	if (conn && conn->c_conn_idx >= 0) {
		if (conn->c_listener)
			door.listener = b2b_map_str(&conn->c_listener_url);
		door.peer = peer_address(&conn->c_peer_name);
	}
	return door;
}

bool b2b_map_is_own_name(Operation *op)
{
	Connection *conn = op->o_conn;

	if (!conn)
		return false;
	/* a bind that follows at once takes the name away */
	ldap_pvt_thread_mutex_lock(&conn->c_mutex);
	bool own = bvmatch(&conn->c_ndn, &op->o_ndn);
	ldap_pvt_thread_mutex_unlock(&conn->c_mutex);
	return own;
}

bool b2b_map_is_protected(Operation *op)
{
	Connection *conn = op->o_conn;

	if (!conn || conn->c_conn_idx < 0)
		return false;
#ifdef HAVE_TLS
	if (conn->c_is_tls)
		return true;
#endif
	if (!strncmp(conn->c_peer_name.bv_val, "PATH=", 5))
		return true;
	return conn->c_sasl_ssf > 1; /* 1 is integrity alone */
}

struct b2b_context b2b_map_context(Operation *op, enum b2b_stage stage)
{
	struct b2b_context context = { .now = slap_get_time(),
				       .scope = B2B_COLLAB_IN,
				       .stage = stage };
	Connection *conn = op->o_conn;

	if (stage == B2B_STAGE_ELSEWHERE || !conn || conn->c_conn_idx < 0)
		return context;
	context.peer = peer_address(&conn->c_peer_name);
	context.ssf = conn->c_ssf;
	context.is_protected = b2b_map_is_protected(op);
	return context;
}

int b2b_map_code(enum b2b_reason reason)
{
	return reason == B2B_REASON_MFA_REQUIRED ? LDAP_STRONG_AUTH_REQUIRED
						 : LDAP_UNWILLING_TO_PERFORM;
}

void b2b_map_answer(enum b2b_reason reason, char text_r[B2B_ANSWER_SIZE])
{
	snprintf(text_r, B2B_ANSWER_SIZE, "b2b: %s", b2b_reason_name(reason));
}

const char *b2b_map_app_id(const struct b2b_rule *app)
{
	return app ? app->u.app.id : "directory";
}

/* Copies for a log line: what could break a line or a quoted value is shown as '?'. */
static const char *printable(char *to, size_t size, struct b2b_str from)
{
	size_t n = from.len < size - 1 ? from.len : size - 1;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)from.s[i];
		to[i] = (char)(c < ' ' || c == '"' || c == 0x7f ? '?' : c);
	}
	to[n] = '\0';
	return to;
}

const char *b2b_map_copy(Operation *op, const char *text)
{
	return op_memory(op, text, strlen(text));
}

struct berval b2b_map_person(Operation *op, Entry *e)
{
	static const enum b2b_attr attrs[] = { B2B_ATTR_HOME_TENANT, B2B_ATTR_HOME_SUBJECT };
	struct b2b_source source = b2b_map_source(e);
	Attribute *a = attr_find(e->e_attrs, slap_schema.si_ad_entryUUID);
	struct b2b_str parts[3] = { { NULL, 0 } };
	size_t length = 0;

	if (a)
		parts[0] = b2b_map_str(&a->a_nvals[0]);
	for (size_t i = 0; i < 2; i++)
		source.value(e, attrs[i], 0, &parts[i + 1]);
	for (size_t i = 0; i < 3; i++)
		length += parts[i].len + 1;
	struct berval proof = { 0, op->o_tmpalloc(length, op->o_tmpmemctx) };
	for (size_t i = 0; i < 3; i++) {
		if (parts[i].len)
			memcpy(proof.bv_val + proof.bv_len, parts[i].s, parts[i].len);
		proof.bv_len += parts[i].len;
		proof.bv_val[proof.bv_len++] = '\0'; /* none of the parts holds one */
	}
	return proof;
}

void b2b_map_log_denial(Operation *op, const struct b2b_guest *guest, const char *app_id,
			const struct b2b_verdict *verdict)
{
	char dn[1024], tenant[256], app[256], rule[1024];

	printable(dn, sizeof(dn), b2b_str_of(guest->dn));
	printable(tenant, sizeof(tenant), guest->home_tenant);
	printable(app, sizeof(app), b2b_str_of(app_id));
	printable(rule, sizeof(rule), b2b_str_of(verdict->rule));
	Debug(LDAP_DEBUG_STATS,
	      "b2b: %s guest=\"%s\" tenant=%s app=%s verdict=deny reason=%s rule=\"%s\"\n",
	      op->o_log_prefix, dn, tenant, app, b2b_reason_name(verdict->reason), rule);
}

/* The same of what stands unquoted in a log line, and comes from a stranger. */
static const char *printable_word(char *to, size_t size, struct b2b_str from)
{
	printable(to, size, from);
	for (char *at = to; *at; at++)
		if (*at == ' ')
			*at = '?';
	return to;
}

void b2b_map_log_token(Operation *op, const struct berval *ndn, struct b2b_str partner_id,
		       struct b2b_str app_id, const char *jti)
{
	char dn[1024], tenant[256], app[256];

	printable(dn, sizeof(dn), b2b_map_str(ndn));
	printable_word(tenant, sizeof(tenant), partner_id);
	printable_word(app, sizeof(app), app_id.len ? app_id : b2b_str_of("directory"));
	Debug(LDAP_DEBUG_STATS, "b2b: %s member=\"%s\" tenant=%s app=%s token jti=%s\n",
	      op->o_log_prefix, dn, tenant, app, jti);
}

void b2b_map_log_out(Operation *op, const struct berval *ndn, struct b2b_str partner_id,
		     struct b2b_str app_id, const struct b2b_verdict *verdict)
{
	char dn[1024], tenant[256], app[256], rule[1024];

	printable(dn, sizeof(dn), b2b_map_str(ndn));
	printable_word(tenant, sizeof(tenant), partner_id);
	printable_word(app, sizeof(app), app_id.len ? app_id : b2b_str_of("directory"));
	printable(rule, sizeof(rule), b2b_str_of(verdict->rule));
	Debug(LDAP_DEBUG_STATS,
	      "b2b: %s member=\"%s\" tenant=%s app=%s verdict=deny reason=%s rule=\"%s\"\n",
	      op->o_log_prefix, dn, tenant, app, b2b_reason_name(verdict->reason), rule);
}
