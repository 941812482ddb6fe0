/*
 * ctl_redeem.c - guest redeem and guest passcode: what a guest itself does.
 * In: a ticket, or the URL that ends with it; a proof from a file, standard input or the terminal.
 * Out: the server's extended operations; no secret is printed, and all are wiped from memory.
 */
#include "ctl_life.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define REDEEM "3.2"
#define PASSCODE "3.3"
#define TICKET_BYTES 75u /* ticket.h */
#define SECRET_MAX 65536u

/* Taken from what was read on standard input, which has a newline at its end, as files of tokens. */
static void trim(char *text)
{
	size_t bytes = strlen(text);

	while (bytes > 0 && strchr(" \t\r\n", text[bytes - 1]))
		text[--bytes] = '\0';
}

static void wipe(char *text)
{
	if (text)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}

/* The whole of a file; caller wipes. */
static int read_secret(const char *path, char **text_r)
{
	char *raw = NULL;
	size_t bytes = 0;
	int result;

	*text_r = NULL;
	if (ctl_read_file(path, SECRET_MAX, &raw, &bytes) != CTL_DONE)
		return CTL_FAILED;
	if (bytes == 0 || bytes > SECRET_MAX || memchr(raw, '\0', bytes))
		result = ctl_fail("%s: %s", path,
				  bytes == 0 ? "empty" : "too long, or not a text: a zero byte");
	else
		result = CTL_DONE;
	if (result == CTL_DONE)
		*text_r = ctl_format("%.*s", (int)bytes, raw);
	OPENSSL_cleanse(raw, bytes);
	free(raw);
	return result;
}

/* "-", a ticket, or a URL that ends with one; caller wipes. */
static int read_ticket(const char *word, char **ticket_r)
{
	size_t bytes;

	if (strcmp(word, "-") != 0)
		*ticket_r = ctl_format("%s", word);
	else if (read_secret(word, ticket_r) != CTL_DONE)
		return CTL_FAILED;
	trim(*ticket_r);
	bytes = strlen(*ticket_r);
	if (strchr(*ticket_r, ':') && bytes > TICKET_BYTES)
		memmove(*ticket_r, *ticket_r + bytes - TICKET_BYTES, TICKET_BYTES + 1);
	return CTL_DONE;
}

static int set(json_t *request, const char *name, const char *text)
{
	if (json_object_set_new(request, name, json_string(text)) == 0)
		return CTL_DONE;
	return ctl_fail("%s: not in UTF-8", name);
}

/* The one proof that was given, or a password that is asked for. */
static int set_proof(const struct ctl_options *options, json_t *request)
{
	const char *file = options->token ? options->token : options->proof_file;
	const char *name = options->token ? "token" : options->passcode ? "passcode" : "password";
	char *secret = NULL;
	int result;

	if (options->passcode && strcmp(options->passcode, "-") != 0)
		return set(request, name, options->passcode);
	if (options->passcode)
		file = options->passcode;
	result = file ? read_secret(file, &secret)
		      : ctl_prompt("Password at your own organisation: ", &secret);
	if (result == CTL_DONE && (options->token || options->passcode))
		trim(secret);
	if (result == CTL_DONE && !*secret)
		result = ctl_fail("the proof is empty");
	if (result == CTL_DONE)
		result = set(request, name, secret);
	wipe(secret);
	return result;
}

static int set_whom(const struct ctl_options *options, json_t *request)
{
	char *ticket = NULL;
	int result;

	if (options->word_count == 0)
		return set(request, "guest", options->guest);
	result = read_ticket(options->words[0], &ticket);
	if (result == CTL_DONE)
		result = set(request, "ticket", ticket);
	wipe(ticket);
	return result;
}

static int make_redeem(const struct ctl_options *options, json_t *request)
{
	int result = set_whom(options, request);

	if (result == CTL_DONE && options->terms)
		result = set(request, "terms", options->terms);
	if (result == CTL_DONE && options->totp)
		result = set(request, "totp", options->totp);
	if (result == CTL_DONE && options->base)
		result = set(request, "suffix", options->base);
	return result == CTL_DONE ? set_proof(options, request) : result;
}

static int redeem(LDAP *ld, const struct ctl_options *options)
{
	json_t *request = json_object(), *answer = NULL;
	int result = make_redeem(options, request), code;

	if (result == CTL_DONE) {
		code = ctl_exop(ld, REDEEM, request, &answer);
		if (code == LDAP_SUCCESS)
			ctl_say("redeemed %s: %s", ctl_exop_text(answer, "dn"),
				ctl_exop_text(answer, "state"));
		else
			result = ctl_fail_ldap(ld, code, "redeem");
	}
	json_decref(answer);
	json_decref(request);
	return result;
}

static bool reads_input(const char *path)
{
	return path && strcmp(path, "-") == 0;
}

static int check_redeem(const struct ctl_options *options)
{
	int proofs = !!options->token + !!options->proof_file + !!options->passcode;
	int inputs = reads_input(options->token) + reads_input(options->proof_file) +
		     reads_input(options->passcode);

	if (options->word_count == 1)
		inputs += reads_input(options->words[0]);
	if (proofs > 1)
		return ctl_misuse("--token, --password-file and --passcode exclude each other", "");
	if (!options->guest == (options->word_count == 0))
		return ctl_misuse("redeem wants a ticket, or --guest with newer --terms", "");
	if (options->guest && !options->terms)
		return ctl_misuse("--guest wants --terms", "");
	if (inputs > 1)
		return ctl_misuse("standard input holds one thing, not two", "");
	return CTL_DONE;
}

int ctl_guest_redeem(struct ctl_options *options)
{
	LDAP *ld = NULL;
	int result = check_redeem(options);

	ctl_exop_wipes();
	if (result == CTL_DONE)
		result = ctl_connect(options, &ld);
	if (result == CTL_DONE && !ctl_is_protected(ld))
		result = ctl_fail("a proof is not sent over a connection without TLS; see -Z");
	if (result == CTL_DONE)
		result = redeem(ld, options);
	if (ld)
		ldap_unbind_ext_s(ld, NULL, NULL);
	return result;
}

/* guest passcode */

/* A DN, an address, or a ticket; each is told by its letters. */
static int make_passcode(const struct ctl_options *options, json_t *request)
{
	const char *word = options->words[0];
	struct b2b_error error;
	char *text = NULL;
	int result = CTL_DONE;

	if (strchr(word, '@')) {
		text = ctl_mail_ascii(word, &error);
		result = text ? set(request, "mail", text) : ctl_fail("%s", error.text);
	} else if (strchr(word, '=') && !strchr(word, ':')) {
		result = set(request, "guest", word);
	} else {
		result = read_ticket(word, &text);
		if (result == CTL_DONE)
			result = set(request, "ticket", text);
	}
	wipe(text);
	if (result == CTL_DONE && options->base)
		result = set(request, "suffix", options->base);
	return result;
}

static int ask_passcode(LDAP *ld, const struct ctl_options *options)
{
	json_t *request = json_object(), *answer = NULL;
	int result = make_passcode(options, request), code;

	if (result == CTL_DONE && json_object_get(request, "ticket") && !ctl_is_protected(ld))
		result = ctl_fail("a ticket is not sent over a connection without TLS; see -Z");
	if (result == CTL_DONE) {
		code = ctl_exop(ld, PASSCODE, request, &answer);
		if (code == LDAP_SUCCESS)
			ctl_say("asked: a guest who may have a code gets it by mail");
		else
			result = ctl_fail_ldap(ld, code, "passcode");
	}
	json_decref(answer);
	json_decref(request);
	return result;
}

int ctl_guest_passcode(struct ctl_options *options)
{
	LDAP *ld = NULL;
	int result;

	ctl_exop_wipes();
	result = ctl_connect(options, &ld);
	if (result == CTL_DONE)
		result = ask_passcode(ld, options);
	if (ld)
		ldap_unbind_ext_s(ld, NULL, NULL);
	return result;
}
