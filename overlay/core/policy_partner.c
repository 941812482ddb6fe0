/*
 * policy_partner.c - a partner's entry: its settings, its proofs and its home servers.
 * In: a b2bPartner entry.
 * Out: struct b2b_partner; a home server that would see a password in the clear is refused.
 */
#include "policy_parts.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum b2b_idp b2b_idp_parse(struct b2b_str value)
{
	static const struct {
		const char *name;
		enum b2b_idp idp;
	} idps[] = { { "oidc", B2B_IDP_OIDC },
		     { "saml", B2B_IDP_SAML },
		     { "ldap", B2B_IDP_LDAP },
		     { "passcode", B2B_IDP_PASSCODE } };

	for (size_t i = 0; i < COUNT(idps); i++)
		if (b2b_str_equal_nocase(value, b2b_str_of(idps[i].name)))
			return idps[i].idp;
	return B2B_IDP_NONE;
}

static void read_idps(struct b2b_reader *reader, struct b2b_partner *partner)
{
	struct b2b_ordered *list;
	size_t count, used = 0;

	b2b_read_ordered(reader, B2B_ATTR_IDP, &list, &count);
	for (size_t i = 0; i < count; i++) {
		enum b2b_idp idp = b2b_idp_parse(list[i].rest);

		if (idp == B2B_IDP_NONE) {
			b2b_read_refuse(reader, B2B_ATTR_IDP, list[i].value,
					"is none of oidc, saml, ldap, passcode");
		} else if (partner->idp_mask & (unsigned)idp) {
			b2b_read_refuse(reader, B2B_ATTR_IDP, list[i].value, "repeats a proof");
		} else {
			partner->idp_mask |= (unsigned)idp;
			partner->idps[used++] = idp;
		}
	}
	free(list);
}

static void read_uri(struct b2b_reader *reader, struct b2b_partner *partner, struct b2b_str uri)
{
	struct b2b_url url;

	if (b2b_url_parse(uri, &url) != B2B_OK)
		b2b_read_refuse(reader, B2B_ATTR_HOME_URI, uri,
				"is not ldaps://host[:port] or ldap://host[:port]");
	else if (!url.tls && !url.loopback && !partner->home_start_tls)
		b2b_read_refuse(
			reader, B2B_ATTR_HOME_URI, uri,
			"would carry passwords in the clear; use ldaps:// or b2bHomeStartTls");
	else
		b2b_read_append(reader, uri, &partner->home_uris, &partner->home_uri_count);
}

static void read_uris(struct b2b_reader *reader, struct b2b_partner *partner)
{
	struct b2b_ordered *list;
	size_t count;

	b2b_read_ordered(reader, B2B_ATTR_HOME_URI, &list, &count);
	for (size_t i = 0; i < count; i++) {
		struct b2b_str rest = list[i].rest, uri;
		size_t found = 0;

		while (rest.len) {
			uri = rest;
			for (uri.len = 0; uri.len < rest.len && rest.s[uri.len] != ' ';)
				uri.len++;
			rest.s += uri.len;
			rest.len -= uri.len;
			if (uri.len) {
				read_uri(reader, partner, uri);
				found++;
			} else {
				rest.s++;
				rest.len--;
			}
		}
		if (found == 0)
			b2b_read_refuse(reader, B2B_ATTR_HOME_URI, list[i].value,
					"names no server");
	}
	free(list);
}

static void read_home(struct b2b_reader *reader, struct b2b_partner *partner)
{
	struct b2b_error why;

	b2b_read_bool(reader, B2B_ATTR_HOME_START_TLS, &partner->home_start_tls);
	read_uris(reader, partner);
	if (b2b_read_text(reader, B2B_ATTR_HOME_BIND_DN, &partner->home_bind_dn) &&
	    b2b_pattern_check(b2b_str_of(partner->home_bind_dn), &why) != B2B_OK)
		b2b_read_refuse(reader, B2B_ATTR_HOME_BIND_DN, b2b_str_of(partner->home_bind_dn),
				why.text);
	if (b2b_read_text(reader, B2B_ATTR_HOME_CA_FILE, &partner->home_ca_file) &&
	    partner->home_ca_file[0] != '/')
		b2b_read_refuse(reader, B2B_ATTR_HOME_CA_FILE, b2b_str_of(partner->home_ca_file),
				"is not an absolute path");
	if ((partner->idp_mask & B2B_IDP_LDAP) && partner->home_uri_count == 0)
		b2b_read_refuse(reader, B2B_ATTR_IDP, b2b_str_of("ldap"), "needs b2bHomeUri");
}

void b2b_policy_read_partner(struct b2b_reader *reader, struct b2b_partner *partner)
{
	const struct b2b_str none = { 0 };

	if (!b2b_policy_read_id(reader, B2B_ATTR_TENANT_ID, &partner->tenant_id))
		b2b_read_refuse(reader, B2B_ATTR_TENANT_ID, none, "is missing");
	partner->tenant_hash = b2b_str_hash_similar(b2b_str_of(partner->tenant_id));
	b2b_policy_read_settings(reader, &partner->settings);
	read_idps(reader, partner);
	read_home(reader, partner);
	b2b_policy_read_token(reader, &partner->token);
	b2b_policy_read_level(reader, &partner->guest_level);
	b2b_read_text(reader, B2B_ATTR_MAX_LABEL, &partner->max_label);
	b2b_policy_read_domains(reader, B2B_ATTR_TENANT_DOMAIN, true, &partner->domains);
}
