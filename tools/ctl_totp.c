/*
 * ctl_totp.c - totp enroll and totp reset: a guest's generator of one-time passwords.
 * In: whose; the server's answer to its extended operation.
 * Out: an otpauth URI and a QR code, which hold the secret; it is wiped from memory.
 */
#include "ctl.h"
#include "ctl_qr.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <sasl/sasl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define TOTP_OID "2.25.197761738801757102242170991844305268053.3.7"
#define URI_START "otpauth://totp/"

/* The secret passes Jansson's memory, which forgets it only like this. */
struct block {
	size_t bytes;
	max_align_t memory[];
};

static void *wiped_alloc(size_t bytes)
{
	struct block *block = malloc(sizeof *block + bytes);

	if (!block)
		return NULL;
	block->bytes = bytes;
	/* cppcheck-suppress memleak ; wiped_free takes it from there */
	return block->memory;
}

static void wiped_free(void *memory)
{
	struct block *block;

	if (!memory)
		return;
	block = (struct block *)((char *)memory - offsetof(struct block, memory));
	OPENSSL_cleanse(memory, block->bytes);
	free(block);
}

/* TLS, a socket of this machine, or a SASL layer that encrypts. */
static bool is_protected(LDAP *ld)
{
	char *uri = NULL;
	sasl_ssf_t ssf = 0;
	bool local;

	if (ldap_tls_inplace(ld))
		return true;
	if (ldap_get_option(ld, LDAP_OPT_X_SASL_SSF, &ssf) == LDAP_OPT_SUCCESS && ssf > 1)
		return true;
	if (ldap_get_option(ld, LDAP_OPT_URI, &uri) != LDAP_OPT_SUCCESS || !uri)
		return false;
	local = strncasecmp(uri, "ldapi:", strlen("ldapi:")) == 0;
	ldap_memfree(uri);
	return local;
}

static char *request_text(const char *action, const char *guest_dn)
{
	json_t *request = json_object();
	char *dumped, *text;

	json_object_set_new(request, "action", json_string(action));
	if (guest_dn)
		json_object_set_new(request, "guest", json_string(guest_dn));
	dumped = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	text = ctl_format("%s", dumped ? dumped : "");
	wiped_free(dumped);
	return text;
}

static bool is_uri(const char *uri)
{
	if (!uri || strncmp(uri, URI_START, strlen(URI_START)) != 0)
		return false;
	for (const char *c = uri; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return true;
}

static int show_uri(const struct ctl_options *options, const char *uri)
{
	bool terminal = isatty(STDOUT_FILENO);

	puts(uri);
	if (options->no_qr || !(terminal || options->qr))
		return CTL_DONE;
	return ctl_qr_print(uri, terminal);
}

/* What the server answers: {"guest":...}, and {"secret":...,"uri":...} where there is a secret. */
static int show_answer(const struct ctl_options *options, const struct berval *answer, bool wanted)
{
	json_t *object;
	const char *guest, *uri;
	int result = CTL_DONE;

	object = answer ? json_loadb(answer->bv_val, answer->bv_len, JSON_REJECT_DUPLICATES, NULL)
			: NULL;
	guest = json_string_value(json_object_get(object, "guest"));
	uri = json_string_value(json_object_get(object, "uri"));
	if (!guest || (wanted && !is_uri(uri))) {
		result = ctl_fail("the server's answer is not to be understood");
	} else {
		ctl_say("%s %s", wanted ? "enrolled" : "reset", guest);
		if (wanted)
			result = show_uri(options, uri);
	}
	json_decref(object);
	return result;
}

/* libldap's and TLS's own buffers cannot be reached from here. */
static int ask(const struct ctl_options *options, LDAP *ld, const char *action, const char *dn)
{
	bool wanted = strcmp(action, "enroll") == 0;
	char *text = request_text(action, dn), *oid = NULL;
	struct berval request = { strlen(text), text }, *answer = NULL;
	int code, result;

	code = ldap_extended_operation_s(ld, TOTP_OID, &request, NULL, NULL, &oid, &answer);
	if (code == LDAP_SUCCESS)
		result = show_answer(options, answer, wanted);
	else
		result = ctl_fail_ldap(ld, code, dn ? dn : "self");
	if (answer)
		OPENSSL_cleanse(answer->bv_val, answer->bv_len);
	ber_bvfree(answer);
	ldap_memfree(oid);
	free(text);
	return result;
}

static int find_and_ask(struct ctl_options *options, LDAP *ld, const char *action, bool self)
{
	struct ctl_tenant tenant = { 0 };
	struct ctl_entry *entry = NULL;
	int result;

	if (!is_protected(ld))
		return ctl_fail("a secret is not sent over a connection without TLS; see -Z");
	if (self)
		return ask(options, ld, action, NULL);
	result = ctl_tenant_find(ld, options, &tenant);
	if (result == CTL_DONE)
		result = ctl_guest_find(ld, &tenant, options->words[0], NULL, NULL, &entry);
	if (result == CTL_DONE)
		result = ask(options, ld, action, entry->dn);
	ctl_entry_free(&entry);
	ctl_tenant_clear(&tenant);
	return result;
}

static int run(struct ctl_options *options, const char *action, bool self)
{
	static char buffer[BUFSIZ]; /* of standard output, so that it can be wiped */
	LDAP *ld = NULL;
	int result;

	setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
	json_set_alloc_funcs(wiped_alloc, wiped_free);
	result = ctl_connect(options, &ld);
	if (result == CTL_DONE)
		result = find_and_ask(options, ld, action, self);
	if (fflush(stdout) != 0) {
		perror(CTL_NAME ": standard output");
		result = CTL_FAILED;
	}
	OPENSSL_cleanse(buffer, sizeof buffer);
	if (ld)
		ldap_unbind_ext_s(ld, NULL, NULL);
	return result;
}

int ctl_totp_enroll(struct ctl_options *options)
{
	return run(options, "enroll", strcmp(options->words[0], "self") == 0);
}

int ctl_totp_reset(struct ctl_options *options)
{
	return run(options, "reset", false);
}
