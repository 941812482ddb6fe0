/*
 * ctl_connect.c - opens the connection: URI, StartTLS, password, bind.
 * In: ldapsearch's options; ldap.conf through libldap.
 * Out: a bound LDAP handle.
 */
#include "ctl.h"

#include <openssl/crypto.h>
#include <sasl/sasl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_MAX 4096

void ctl_wipe_password(struct ctl_options *options)
{
	if (options->password)
		OPENSSL_cleanse(options->password, options->password_bytes);
	free(options->password);
	options->password = NULL;
	options->password_bytes = 0;
}

static int read_password_file(struct ctl_options *options)
{
	struct stat status;

	if (stat(options->password_file, &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)))
		ctl_note("%s: others than you may read the password", options->password_file);
	/* The whole file is the password, a newline at its end too, as for ldapsearch. */
	return ctl_read_file(options->password_file, PASSWORD_MAX, &options->password,
			     &options->password_bytes);
}

int ctl_prompt(const char *question, char **text_r)
{
	FILE *terminal = fopen("/dev/tty", "r+");
	char line[PASSWORD_MAX] = "";
	struct termios before, quiet;
	bool got;

	*text_r = NULL;
	if (!terminal)
		return ctl_fail("there is no terminal to ask on");
	if (tcgetattr(fileno(terminal), &before) != 0) {
		fclose(terminal);
		return ctl_fail("there is no terminal to ask on");
	}
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(fileno(terminal), TCSAFLUSH, &quiet);
	fputs(question, terminal);
	fflush(terminal);
	got = fgets(line, sizeof line, terminal) != NULL;
	tcsetattr(fileno(terminal), TCSAFLUSH, &before);
	fputs("\n", terminal);
	fclose(terminal);
	line[strcspn(line, "\r\n")] = '\0';
	*text_r = ctl_format("%s", line);
	OPENSSL_cleanse(line, sizeof line);
	return got ? CTL_DONE : ctl_fail("nothing was entered");
}

static int prompt_password(struct ctl_options *options)
{
	int result = ctl_prompt("Enter LDAP Password: ", &options->password);

	options->password_bytes = options->password ? strlen(options->password) : 0;
	return result;
}

static int get_password(struct ctl_options *options)
{
	if (options->password_file)
		return read_password_file(options);
	return options->prompt ? prompt_password(options) : CTL_DONE;
}

/* Gives Cyrus what the command line and ldap.conf know; it is never asked on the terminal. */
static int answer_sasl(LDAP *ld, unsigned flags, void *defaults, void *questions)
{
	static const struct {
		unsigned long id;
		int option;
	} known[CTL_SASL_ANSWERS] = {
		{ SASL_CB_AUTHNAME, LDAP_OPT_X_SASL_AUTHCID },
		{ SASL_CB_USER, LDAP_OPT_X_SASL_AUTHZID },
		{ SASL_CB_GETREALM, LDAP_OPT_X_SASL_REALM },
	};
	struct ctl_options *options = defaults;

	for (sasl_interact_t *question = questions; question->id != SASL_CB_LIST_END; question++) {
		question->result = "";
		question->len = 0;
		if (question->id == SASL_CB_PASS && options->password) {
			question->result = options->password;
			question->len = (unsigned)options->password_bytes;
		}
		for (size_t i = 0; i < CTL_SASL_ANSWERS; i++) {
			if (question->id != known[i].id)
				continue;
			if (!options->sasl_answers[i])
				ldap_get_option(ld, known[i].option, &options->sasl_answers[i]);
			if (options->sasl_answers[i]) {
				question->result = options->sasl_answers[i];
				question->len = (unsigned)strlen(options->sasl_answers[i]);
			}
		}
	}
	return LDAP_SUCCESS;
}

bool ctl_is_ldapi(LDAP *ld)
{
	char *uri = NULL;
	bool local;

	if (ldap_get_option(ld, LDAP_OPT_URI, &uri) != LDAP_OPT_SUCCESS || !uri)
		return false;
	local = strncasecmp(uri, "ldapi:", strlen("ldapi:")) == 0;
	ldap_memfree(uri);
	return local;
}

static int start_tls(struct ctl_options *options, LDAP *ld)
{
	int code;

	if (options->start_tls == 0)
		return CTL_DONE;
	code = ldap_start_tls_s(ld, NULL, NULL);
	if (code == LDAP_SUCCESS)
		return CTL_DONE;
	ctl_fail_ldap(ld, code, "StartTLS");
	if (options->start_tls > 1)
		return CTL_FAILED;
	if (options->password)
		return ctl_fail("the password is not sent without TLS");
	return CTL_DONE;
}

static int bind_now(struct ctl_options *options, LDAP *ld)
{
	const char *mech = options->mech;
	struct berval password = { options->password_bytes, options->password };
	int code;

	if (!mech && !options->simple && !options->bind_dn && ctl_is_ldapi(ld))
		mech = "EXTERNAL";
	if (mech)
		code = ldap_sasl_interactive_bind_s(ld, options->bind_dn, mech, NULL, NULL,
						    LDAP_SASL_QUIET, answer_sasl, options);
	else
		code = ldap_sasl_bind_s(ld, options->bind_dn, LDAP_SASL_SIMPLE, &password, NULL,
					NULL, NULL);
	if (code == LDAP_SUCCESS)
		return CTL_DONE;
	return ctl_fail_ldap(ld, code, code == LDAP_SERVER_DOWN ? "cannot connect" : "bind");
}

static int prepare(struct ctl_options *options, LDAP *ld)
{
	int version = LDAP_VERSION3;

	ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
	/* What is written goes to the server that was named, not to one that it names. */
	ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
	if (options->bind_dn && !options->mech && options->password_bytes == 0)
		return ctl_fail("the password is empty, which proves nothing");
	if (start_tls(options, ld) != CTL_DONE)
		return CTL_FAILED;
	return bind_now(options, ld);
}

int ctl_connect(struct ctl_options *options, LDAP **ld_r)
{
	LDAP *ld = NULL;
	int result, code;

	*ld_r = NULL;
	result = get_password(options);
	if (result == CTL_DONE) {
		code = ldap_initialize(&ld, options->uri);
		result = code == LDAP_SUCCESS
				 ? prepare(options, ld)
				 : ctl_fail("%s: %s", options->uri ? options->uri : "ldap.conf",
					    ldap_err2string(code));
	}
	ctl_wipe_password(options);
	for (size_t i = 0; i < CTL_SASL_ANSWERS; i++) {
		ldap_memfree(options->sasl_answers[i]);
		options->sasl_answers[i] = NULL;
	}
	if (result != CTL_DONE && ld)
		ldap_unbind_ext_s(ld, NULL, NULL);
	else
		*ld_r = ld;
	return result;
}
