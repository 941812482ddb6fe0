/*
 * ctl_token.c - token: what proves a member of our tenant at a partner.
 * In: the partner's tenant id, an application there; the server's answer to its extended operation.
 * Out: the token alone on standard output, for ldapwhoami -w "$(b2bctl token ...)".
 */
#include "ctl_life.h"

#include <openssl/crypto.h>
#include <string.h>

#define TOKEN_OPERATION "3.4"

/* It goes where a password goes: nothing but base64url and two dots. */
static bool is_token(const char *text)
{
	size_t dots = 0;

	for (const char *c = text; *c; c++) {
		bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			      (*c >= '0' && *c <= '9') || *c == '-' || *c == '_';

		if (!letter && *c != '.')
			return false;
		dots += *c == '.';
	}
	return dots == 2;
}

static int ask(const struct ctl_options *options, LDAP *ld)
{
	json_t *request = json_object(), *answer = NULL;
	const char *token;
	int code, result = CTL_DONE;

	if (!ctl_is_protected(ld)) {
		json_decref(request);
		return ctl_fail("a token is not sent over a connection without TLS; see -Z");
	}
	json_object_set_new(request, "tenant", json_string(options->home_tenant));
	if (options->apps.count > 0)
		json_object_set_new(request, "application", json_string(options->apps.values[0]));
	code = ctl_exop(ld, TOKEN_OPERATION, request, &answer);
	token = code == LDAP_SUCCESS ? ctl_exop_text(answer, "token") : "";
	if (code != LDAP_SUCCESS)
		result = ctl_fail_ldap(ld, code, options->home_tenant);
	else if (!is_token(token))
		result = ctl_fail("the server's answer is not to be understood");
	else
		puts(token);
	json_decref(answer);
	json_decref(request);
	return result;
}

int ctl_token(struct ctl_options *options)
{
	static char buffer[BUFSIZ]; /* of standard output, so that it can be wiped */
	LDAP *ld = NULL;
	int result;

	if (!options->home_tenant || !*options->home_tenant)
		return ctl_misuse("token wants --tenant", "");
	if (options->apps.count > 1)
		return ctl_misuse("token takes one --app", "");
	setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
	ctl_exop_wipes();
	result = ctl_connect(options, &ld);
	if (result == CTL_DONE)
		result = ask(options, ld);
	if (fflush(stdout) != 0) {
		perror(CTL_NAME ": standard output");
		result = CTL_FAILED;
	}
	OPENSSL_cleanse(buffer, sizeof buffer);
	if (ld)
		ldap_unbind_ext_s(ld, NULL, NULL);
	return result;
}
