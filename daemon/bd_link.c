/*
 * bd_link.c - the connection to slapd: opened again and again, changes, single entries.
 * In: uri, starttls, bind-dn and password-file of the configuration; what is to be written.
 * Out: LDAP codes.
 */
#include "bd.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_LEAST 1u
#define WAIT_MOST 60u
#define KEEPALIVE_SECS 60

bool bd_link_is_lost(int code)
{
	return code == LDAP_SERVER_DOWN || code == LDAP_TIMEOUT || code == LDAP_CONNECT_ERROR ||
	       code == LDAP_UNAVAILABLE || code == LDAP_BUSY || code == LDAP_LOCAL_ERROR ||
	       code == LDAP_DECODING_ERROR || code == LDAP_ENCODING_ERROR;
}

const char *bd_link_text(struct bd_link *link, int code)
{
	static char text[400];
	char *said = NULL;

	if (link->ld)
		ldap_get_option(link->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
	snprintf(text, sizeof text, "%s (%d)%s%s", ldap_err2string(code), code,
		 said && *said ? ": " : "", said ? said : "");
	ldap_memfree(said);
	return text;
}

void bd_link_close(struct bd_link *link)
{
	if (link->ld)
		ldap_unbind_ext_s(link->ld, NULL, NULL);
	link->ld = NULL;
}

static void wait_longer(struct bd_link *link, const char *why)
{
	link->wait_secs = link->wait_secs ? link->wait_secs * 2 : WAIT_LEAST;
	if (link->wait_secs > WAIT_MOST)
		link->wait_secs = WAIT_MOST;
	if (!bd_wish.stop)
		bd_log(link->told ? LOG_INFO : LOG_WARNING, "%s: %s; next attempt in %u s",
		       link->config->uri, why, link->wait_secs);
	link->told = true;
	link->try_at = bd_clock() + (time_t)link->wait_secs;
	bd_link_close(link);
}

void bd_link_down(struct bd_link *link, const char *why)
{
	if (link->ld)
		wait_longer(link, why);
}

static int bind_now(struct bd_link *link, struct b2b_error *error)
{
	const struct bd_config *config = link->config;
	struct berval password = { 0, NULL }, nothing = { 0, "" };
	int code;

	if (!config->bind_dn) {
		/* an empty response, not none: that would be one more round */
		code = ldap_sasl_bind_s(link->ld, NULL, "EXTERNAL", &nothing, NULL, NULL, NULL);
	} else {
		if (!bd_file_read(config->password_file, true, &password.bv_val, &password.bv_len,
				  error))
			return LDAP_PARAM_ERROR;
		if (password.bv_len == 0) {
			free(password.bv_val);
			b2b_error_set(error, "%s: empty", config->password_file);
			return LDAP_PARAM_ERROR;
		}
		code = ldap_sasl_bind_s(link->ld, config->bind_dn, LDAP_SASL_SIMPLE, &password,
					NULL, NULL, NULL);
		OPENSSL_cleanse(password.bv_val, password.bv_len);
		free(password.bv_val);
	}
	if (code != LDAP_SUCCESS)
		b2b_error_set(error, "%s: %s", code == LDAP_SERVER_DOWN ? "cannot connect" : "bind",
			      bd_link_text(link, code));
	return code;
}

static int prepare(struct bd_link *link)
{
	const struct bd_config *config = link->config;
	int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, off = 0;
	int secs = KEEPALIVE_SECS, probes = 3;
	struct timeval limit = { .tv_sec = config->timeout_secs };
	int code = ldap_set_option(link->ld, LDAP_OPT_PROTOCOL_VERSION, &version);

	ldap_set_option(link->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
	ldap_set_option(link->ld, LDAP_OPT_NETWORK_TIMEOUT, &limit);
	ldap_set_option(link->ld, LDAP_OPT_TIMEOUT, &limit);
	/* A peer that went away without a word is noticed, though we wait for hours. */
	ldap_set_option(link->ld, LDAP_OPT_X_KEEPALIVE_IDLE, &secs);
	ldap_set_option(link->ld, LDAP_OPT_X_KEEPALIVE_INTERVAL, &secs);
	ldap_set_option(link->ld, LDAP_OPT_X_KEEPALIVE_PROBES, &probes);
	if (code == LDAP_SUCCESS)
		code = ldap_set_option(link->ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
	if (code == LDAP_SUCCESS && config->ca_file)
		code = ldap_set_option(link->ld, LDAP_OPT_X_TLS_CACERTFILE, config->ca_file);
	if (code == LDAP_SUCCESS)
		code = ldap_set_option(link->ld, LDAP_OPT_X_TLS_NEWCTX, &off);
	return code;
}

bool bd_link_up(struct bd_link *link)
{
	struct b2b_error error = { "" };
	int code;

	if (link->ld || bd_clock() < link->try_at)
		return link->ld != NULL;
	code = ldap_initialize(&link->ld, link->config->uri);
	if (code == LDAP_SUCCESS)
		code = prepare(link);
	if (code == LDAP_SUCCESS && link->config->starttls)
		code = ldap_start_tls_s(link->ld, NULL, NULL);
	if (code != LDAP_SUCCESS)
		b2b_error_set(&error, "cannot connect: %s", bd_link_text(link, code));
	else
		code = bind_now(link, &error);
	if (code != LDAP_SUCCESS) {
		wait_longer(link, error.text);
		return false;
	}
	return true;
}

int bd_link_modify(struct bd_link *link, const char *dn, const struct bd_change *changes,
		   size_t count, const char *only_if)
{
	LDAPControl relaxed = { .ldctl_oid = LDAP_CONTROL_RELAX, .ldctl_iscritical = 1 };
	LDAPControl *controls[] = { only_if ? &relaxed : NULL, NULL, NULL };
	struct berval values[BD_CHANGES_MAX], *lists[BD_CHANGES_MAX][2];
	LDAPMod mods[BD_CHANGES_MAX], *list[BD_CHANGES_MAX + 1] = { NULL };
	int code;

	for (size_t i = 0; i < count && i < BD_CHANGES_MAX; i++) {
		values[i].bv_val = (char *)changes[i].value.s;
		values[i].bv_len = changes[i].value.len;
		lists[i][0] = changes[i].value.s ? &values[i] : NULL;
		lists[i][1] = NULL;
		mods[i].mod_op = changes[i].op | LDAP_MOD_BVALUES;
		mods[i].mod_type = (char *)changes[i].attribute;
		mods[i].mod_bvalues = changes[i].value.s ? lists[i] : NULL;
		list[i] = &mods[i];
	}
	if (!link->ld)
		return LDAP_SERVER_DOWN;
	if (only_if && (code = ldap_create_assertion_control(link->ld, (char *)only_if, 1,
							     &controls[1])) != LDAP_SUCCESS)
		return code;
	code = ldap_modify_ext_s(link->ld, dn, list, controls, NULL);
	ldap_control_free(controls[1]);
	return code;
}

int bd_link_delete(struct bd_link *link, const char *dn)
{
	return !link->ld ? LDAP_SERVER_DOWN : ldap_delete_ext_s(link->ld, dn, NULL, NULL);
}

int bd_link_read(struct bd_link *link, const char *dn, char **attributes, LDAPMessage **entry_r)
{
	int code;

	*entry_r = NULL;
	if (!link->ld)
		return LDAP_SERVER_DOWN;
	code = ldap_search_ext_s(link->ld, dn, LDAP_SCOPE_BASE, "(objectClass=*)", attributes, 0,
				 NULL, NULL, NULL, 1, entry_r);

	if (code == LDAP_SUCCESS && !ldap_first_entry(link->ld, *entry_r))
		code = LDAP_NO_SUCH_OBJECT;
	if (code != LDAP_SUCCESS) {
		ldap_msgfree(*entry_r);
		*entry_r = NULL;
	}
	return code;
}
