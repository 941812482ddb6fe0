/*
 * entry.c - entries as the server makes them, and what stands in others'.
 * In: names and values as text.  Out: Entry structures, names, texts in the operation's memory.
 */
#include "life.h"

#include <openssl/evp.h>

static AttributeDescription *find_description(const char *attribute)
{
	AttributeDescription *ad = NULL;
	const char *why;

	return slap_str2ad(attribute, &ad, &why) == LDAP_SUCCESS ? ad : NULL;
}

static bool has_value(Entry *e, AttributeDescription *ad, struct berval *value)
{
	Attribute *a = attr_find(e->e_attrs, ad);

	return a && attr_valfind(a, SLAP_MR_EQUALITY | SLAP_MR_VALUE_OF_ASSERTION_SYNTAX, value,
				 NULL, NULL) == LDAP_SUCCESS;
}

/* slapd looks for values that come twice where clients' writes come in, which ours do not pass; a
 * server that follows us looks too, and takes neither such an entry nor anything after it. */
void b2b_entry_put(Entry *e, const char *attribute, const char *value)
{
	AttributeDescription *ad = find_description(attribute);
	struct berval bv;

	if (!ad || !value || !*value)
		return;
	ber_str2bv(value, 0, 0, &bv);
	if (!has_value(e, ad, &bv) && attr_merge_normalize_one(e, ad, &bv, NULL) != LDAP_SUCCESS)
		Debug(LDAP_DEBUG_ANY, "b2b: \"%s\": no value for %s: \"%s\"\n", e->e_nname.bv_val,
		      attribute, value);
}

void b2b_entry_put_time(Entry *e, const char *attribute, time_t when)
{
	char text[B2B_TIME_SIZE];

	b2b_time_format(when, text);
	b2b_entry_put(e, attribute, text);
}

Entry *b2b_entry_new(const struct berval *dn, const struct berval *ndn, const char *object_class)
{
	Entry *e = entry_alloc();

	ber_dupbv(&e->e_name, (struct berval *)dn);
	ber_dupbv(&e->e_nname, (struct berval *)ndn);
	b2b_entry_put(e, "objectClass", object_class);
	return e;
}

/* Every byte that is not a letter, digit, '-', '.', '_' or '@' as a backslash and two digits. */
static size_t put_escaped(char *to, const char *text)
{
	size_t n = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			     (c >= 'a' && c <= 'z') || strchr("-._@", c);

		n += (size_t)sprintf(to + n, plain ? "%c" : "\\%02X", c);
	}
	return n;
}

struct b2b_name b2b_entry_name(Operation *op, const char *rdn_attr, const char *name,
			       const struct b2b_name *parent)
{
	struct b2b_name made = { BER_BVNULL, BER_BVNULL };
	struct berval whole;
	size_t size = strlen(rdn_attr) + 1 + 3 * strlen(name) + 1;
	struct berval rdn = { 0, op->o_tmpalloc(size, op->o_tmpmemctx) };
	size_t n = (size_t)sprintf(rdn.bv_val, "%s=", rdn_attr);

	rdn.bv_len = n + put_escaped(rdn.bv_val + n, name);
	rdn.bv_val[rdn.bv_len] = '\0';
	build_new_dn(&whole, (struct berval *)&parent->dn, &rdn, op->o_tmpmemctx);
	dnPrettyNormal(NULL, &whole, &made.dn, &made.ndn, op->o_tmpmemctx);
	return made;
}

const char *b2b_entry_text(Operation *op, Entry *e, const char *attribute)
{
	AttributeDescription *ad = find_description(attribute);
	Attribute *a = ad ? attr_find(e->e_attrs, ad) : NULL;

	return a ? b2b_map_copy_str(op, b2b_map_str(&a->a_vals[0])).s : NULL;
}

/* The same on every server: of two that make a container at once neither must lose what stands in it. */
static void put_uuid(Entry *e)
{
	unsigned char h[32];
	unsigned bytes = sizeof(h);
	char text[40];

	if (EVP_Digest(e->e_nname.bv_val, e->e_nname.bv_len, h, &bytes, EVP_sha256(), NULL) != 1)
		return; /* slapd makes one */
	snprintf(text, sizeof(text),
		 "%02x%02x%02x%02x-%02x%02x-8%01x%02x-a%01x%02x-%02x%02x%02x%02x%02x%02x", h[0],
		 h[1], h[2], h[3], h[4], h[5], h[6] & 15, h[7], h[8] & 15, h[9], h[10], h[11],
		 h[12], h[13], h[14], h[15]);
	b2b_entry_put(e, "entryUUID", text);
}

int b2b_entry_container(Operation *op, struct b2b_tenant *tenant, const char *what,
			struct b2b_name *name_r)
{
	struct b2b_name base = { tenant->base, tenant->nbase };
	Entry *e;
	int rc;

	*name_r = b2b_entry_name(op, "cn", what, &base);
	rc = b2b_entry_read(op, tenant, &name_r->ndn, &e);
	if (e)
		b2b_entry_release(op, tenant, e);
	if (rc != LDAP_NO_SUCH_OBJECT)
		return rc;
	e = b2b_entry_new(&name_r->dn, &name_r->ndn, "b2bContainer");
	b2b_entry_put(e, "cn", what);
	put_uuid(e);
	rc = b2b_inner_add(op, tenant, e);
	return rc == LDAP_ALREADY_EXISTS ? LDAP_SUCCESS : rc;
}
