/*
 * ctl_totp.c - totp enroll and totp reset: a guest's generator of one-time passwords.
 * In: whose; the server's answer to its extended operation.
 * Out: an otpauth URI and a QR code, which hold the secret; it is wiped from memory.
 */
#include "ctl_life.h"
#include "ctl_qr.h"

#include <openssl/crypto.h>
#include <string.h>
#include <unistd.h>

#define TOTP_OPERATION "3.7"
#define URI_START "otpauth://totp/"

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
static int show_answer(const struct ctl_options *options, const json_t *answer, bool wanted)
{
	const char *guest = ctl_exop_text(answer, "guest"), *uri = ctl_exop_text(answer, "uri");

	if (!*guest || (wanted && !is_uri(uri)))
		return ctl_fail("the server's answer is not to be understood");
	ctl_say("%s %s", wanted ? "enrolled" : "reset", guest);
	return wanted ? show_uri(options, uri) : CTL_DONE;
}

static int ask(const struct ctl_options *options, LDAP *ld, const char *action, const char *dn)
{
	bool wanted = strcmp(action, "enroll") == 0;
	json_t *request = json_object(), *answer = NULL;
	int code, result;

	json_object_set_new(request, "action", json_string(action));
	if (dn)
		json_object_set_new(request, "guest", json_string(dn));
	code = ctl_exop(ld, TOTP_OPERATION, request, &answer);
	if (code == LDAP_SUCCESS)
		result = show_answer(options, answer, wanted);
	else
		result = ctl_fail_ldap(ld, code, dn ? dn : "self");
	json_decref(answer);
	json_decref(request);
	return result;
}

static int find_and_ask(struct ctl_options *options, LDAP *ld, const char *action, bool self)
{
	struct ctl_tenant tenant = { 0 };
	struct ctl_entry *entry = NULL;
	int result;

	if (!ctl_is_protected(ld))
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
	ctl_exop_wipes();
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
