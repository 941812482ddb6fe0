/*
 * outbox.c - what is to be mailed: entries in cn=outbox that the mail daemon follows and deletes.
 * In: a template's name, a recipient, what it is about.  Out: one b2bNotice each, whose name follows
 * from these three, so that what is put twice stands once.
 */
#include "life.h"

#include <openssl/evp.h>

#define HASH_BYTES 32u

struct recipient {
	const char *mail, *name, *language;
};

static void find_recipient(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn,
			   struct recipient *recipient)
{
	Entry *e = b2b_entry_get(op, tenant, (struct berval *)ndn);

	if (!e)
		return;
	recipient->mail = b2b_entry_text(op, e, "mail");
	recipient->name = b2b_entry_text(op, e, "displayName");
	if (!recipient->name)
		recipient->name = b2b_entry_text(op, e, "cn");
	recipient->language = b2b_entry_text(op, e, "preferredLanguage");
	b2b_entry_release(op, tenant, e);
}

/* "<type>-<hash>": a NUL stands between what is hashed. */
static bool make_name(const struct b2b_notice *notice, const char *mail, char *name_r, size_t size)
{
	unsigned char hash[HASH_BYTES];
	size_t type = strlen(notice->type) + 1, key = strlen(notice->key) + 1;
	size_t to = strlen(mail) + 1;
	char *all = ch_malloc(type + key + to);
	unsigned bytes = sizeof(hash);

	memcpy(all, notice->type, type);
	memcpy(all + type, notice->key, key);
	memcpy(all + type + key, mail, to);
	int done = EVP_Digest(all, type + key + to, hash, &bytes, EVP_sha256(), NULL);
	ch_free(all);
	if (done != 1)
		return false;
	int used = snprintf(name_r, size, "%s-", notice->type);
	for (unsigned i = 0; i < 16; i++)
		used += snprintf(name_r + used, size - (size_t)used, "%02x", hash[i]);
	return true;
}

static void set_text(json_t *data, const char *member, const char *text)
{
	if (text && !json_object_get(data, member))
		json_object_set_new(data, member, json_string(text));
}

/* The tenant's name as people know it. */
static const char *tenant_name(Operation *op, struct b2b_tenant *tenant)
{
	Entry *e = b2b_entry_get(op, tenant, &tenant->nbase);
	const char *name;

	if (!e)
		return "";
	name = b2b_entry_text(op, e, "b2bTenantName");
	if (!name)
		name = b2b_entry_text(op, e, "b2bTenantId");
	b2b_entry_release(op, tenant, e);
	return name ? name : "";
}

static char *make_data(Operation *op, struct b2b_tenant *tenant, const struct b2b_notice *notice)
{
	json_t *data = notice->data ? json_copy(notice->data) : json_object();
	struct recipient guest = { NULL, NULL, NULL };
	char *text;

	if (notice->guest)
		find_recipient(op, tenant, notice->guest, &guest);
	set_text(data, "tenant", tenant_name(op, tenant));
	set_text(data, "base", tenant->nbase.bv_val);
	set_text(data, "guestName", guest.name ? guest.name : "");
	set_text(data, "guestMail", guest.mail ? guest.mail : "");
	text = json_dumps(data, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(data);
	return text;
}

static Entry *make_entry(Operation *op, struct b2b_tenant *tenant, const struct b2b_notice *notice,
			 const struct recipient *recipient, const struct b2b_name *name)
{
	Entry *e = b2b_entry_new(&name->dn, &name->ndn, "b2bNotice");
	char *data = make_data(op, tenant, notice);

	b2b_entry_put(e, "b2bNoticeType", notice->type);
	b2b_entry_put(e, "b2bNoticeTo", recipient->mail);
	b2b_entry_put(e, "b2bNoticeName", recipient->name);
	b2b_entry_put(e, "b2bNoticeLanguage", recipient->language);
	b2b_entry_put(e, "b2bNoticeGuest", notice->guest ? notice->guest->bv_val : NULL);
	b2b_entry_put(e, "b2bNoticeData", data);
	free(data);
	return e;
}

int b2b_outbox_put(Operation *op, struct b2b_tenant *tenant, const struct b2b_notice *notice)
{
	struct recipient recipient = { notice->mail, notice->name, notice->language };
	struct b2b_error error = { "" };
	struct b2b_name outbox, name;
	char text[128];
	int rc;

	if (notice->to)
		find_recipient(op, tenant, notice->to, &recipient);
	if (!recipient.mail || b2b_str_is_blank(b2b_str_of(recipient.mail))) {
		Debug(LDAP_DEBUG_STATS, "b2b: notice type=%s to=\"%s\": no mail address\n",
		      notice->type, notice->to ? notice->to->bv_val : "");
		return LDAP_SUCCESS;
	}
	/* a name that cannot stand in a header would keep the mail from being sent at all */
	if (recipient.name && b2b_name_check("name", b2b_str_of(recipient.name), &error) != B2B_OK)
		recipient.name = NULL;
	rc = b2b_entry_container(op, tenant, "outbox", &outbox);
	if (rc != LDAP_SUCCESS || !make_name(notice, recipient.mail, text, sizeof(text))) {
		Debug(LDAP_DEBUG_ANY, "b2b: notice type=%s: cn=outbox cannot be made (%d)\n",
		      notice->type, rc);
		return rc ? rc : LDAP_OTHER;
	}
	name = b2b_entry_name(op, "cn", text, &outbox);
	rc = b2b_inner_add(op, tenant, make_entry(op, tenant, notice, &recipient, &name));
	if (rc == LDAP_ALREADY_EXISTS)
		return LDAP_SUCCESS;
	if (rc != LDAP_SUCCESS)
		Debug(LDAP_DEBUG_ANY, "b2b: notice \"%s\": not written (%d)\n", name.dn.bv_val, rc);
	else
		Debug(LDAP_DEBUG_STATS, "b2b: notice \"%s\" type=%s to=\"%s\"\n", name.dn.bv_val,
		      notice->type, recipient.mail);
	return rc;
}

void b2b_outbox_tell(Operation *op, struct b2b_tenant *tenant, Entry *guest,
		     const struct b2b_notice *about, bool to_guest)
{
	Attribute *sponsors = attr_find(guest->e_attrs, b2b_ad[B2B_ATTR_SPONSOR]);
	struct b2b_notice notice = *about;

	notice.guest = &guest->e_nname;
	for (unsigned i = 0; sponsors && i < sponsors->a_numvals; i++) {
		notice.to = &sponsors->a_nvals[i];
		b2b_outbox_put(op, tenant, &notice);
	}
	notice.to = &guest->e_nname;
	if (to_guest)
		b2b_outbox_put(op, tenant, &notice);
}

/* --- who may write here --- */

/* What the mail daemon, and an administrator, may change of a notice. */
static bool is_progress(const AttributeDescription *ad)
{
	return ad == b2b_ad[B2B_ATTR_NOTICE_STATE] || ad == b2b_ad[B2B_ATTR_NOTICE_ATTEMPTS] ||
	       ad == b2b_ad[B2B_ATTR_NOTICE_RETRY_AT] || ad == b2b_ad[B2B_ATTR_NOTICE_ERROR];
}

int b2b_outbox_judge(Operation *op, struct b2b_tenant *tenant, Entry *before, Entry *after,
		     Modifications **mods, struct b2b_error *error)
{
	if (get_relax(op) && be_isroot(op))
		return LDAP_SUCCESS;
	if (!before) {
		b2b_error_set(error, "objectClass: notices are made by the server alone");
		return LDAP_CONSTRAINT_VIOLATION;
	}
	for (const Modifications *m = after && mods ? *mods : NULL; m; m = m->sml_next) {
		if (is_progress(m->sml_desc) || is_at_operational(m->sml_desc->ad_type))
			continue;
		b2b_error_set(error, "%s: a notice is not changed", m->sml_desc->ad_cname.bv_val);
		return LDAP_CONSTRAINT_VIOLATION;
	}
	return LDAP_SUCCESS;
}
