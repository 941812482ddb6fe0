/*
 * ctl_invite.c - invite: makes a guest of a person, or sends its invitation again.
 * In: who, by whom, for what and until when; --file for many at once.
 * Out: the server's extended operation; the guest's name and where it redeems.
 */
#include "ctl_life.h"

#include <stdlib.h>
#include <string.h>

#define OPERATION "3.1"

static const char *find_sponsor(struct ctl_inviting *inviting, const char *word,
				struct b2b_error *error)
{
	char *dn;

	for (size_t i = 0; i < inviting->known; i++)
		if (strcmp(inviting->words[i], word) == 0)
			return inviting->dns[i];
	dn = ctl_person_find(inviting->session.ld, &inviting->session.tenant, word, error);
	if (!dn)
		return NULL;
	inviting->words = ctl_grow(inviting->words, inviting->known, sizeof *inviting->words);
	inviting->dns = ctl_grow(inviting->dns, inviting->known, sizeof *inviting->dns);
	inviting->words[inviting->known] = ctl_format("%s", word);
	inviting->dns[inviting->known++] = dn;
	return dn;
}

static bool set_text(json_t *object, const char *name, const char *text, struct b2b_error *error)
{
	if (!text || !*text)
		return true;
	if (json_object_set_new(object, name, json_string(text)) == 0)
		return true;
	b2b_error_set(error, "%s: not in UTF-8", name);
	return false;
}

static bool add_text(json_t *list, const char *name, const char *text, struct b2b_error *error)
{
	if (json_array_append_new(list, json_string(text)) == 0)
		return true;
	b2b_error_set(error, "%s: not in UTF-8", name);
	return false;
}

static bool set_lists(struct ctl_inviting *inviting, const struct ctl_invitee *who, json_t *object,
		      struct b2b_error *error)
{
	json_t *sponsors = json_array(), *apps = json_array();
	bool right = true;

	for (size_t i = 0; right && i < who->sponsors.count; i++) {
		const char *dn = find_sponsor(inviting, who->sponsors.values[i], error);

		right = dn && add_text(sponsors, "sponsor", dn, error);
	}
	for (size_t i = 0; right && i < who->apps.count; i++)
		right = add_text(apps, "applications", who->apps.values[i], error);
	if (json_array_size(sponsors) > 0)
		json_object_set(object, "sponsor", sponsors);
	if (json_array_size(apps) > 0)
		json_object_set(object, "applications", apps);
	json_decref(sponsors);
	json_decref(apps);
	return right;
}

static bool set_until(const struct ctl_inviting *inviting, const char *until, json_t *object,
		      struct b2b_error *error)
{
	char text[B2B_TIME_SIZE];
	struct b2b_error why;
	time_t when;

	if (!until || !*until)
		return true;
	if (ctl_when(until, inviting->session.now, &when, &why) != B2B_OK) {
		b2b_error_set(error, "until: %s", why.text);
		return false;
	}
	b2b_time_format(when, text);
	return set_text(object, "validUntil", text, error);
}

json_t *ctl_invite_request(struct ctl_inviting *inviting, const struct ctl_invitee *who,
			   struct b2b_error *error)
{
	char *mail = ctl_mail_ascii(who->mail, error);
	const char *base = inviting->session.options->base;
	json_t *object;
	bool right;

	if (!mail)
		return NULL;
	object = json_object();
	right = set_text(object, "mail", mail, error) &&
		set_text(object, "tenant", who->tenant, error) &&
		set_text(object, "displayName", who->name, error) &&
		set_text(object, "message", who->message, error) &&
		set_text(object, "language", who->language, error) &&
		set_text(object, "subject", who->subject, error) &&
		set_text(object, "uid", who->uid, error) &&
		set_text(object, "suffix", base, error) &&
		set_until(inviting, who->until, object, error) &&
		set_lists(inviting, who, object, error);
	free(mail);
	if (right)
		return object;
	json_decref(object);
	return NULL;
}

/* Without a ticket there is no invitation: the guest has accepted one before. */
static void show_lines(const struct ctl_options *options, const json_t *answer)
{
	const char *dn = ctl_exop_text(answer, "dn"), *url = ctl_exop_text(answer, "url");
	const char *ticket = ctl_exop_text(answer, "ticket");

	if (!*ticket) {
		ctl_say("unchanged %s: %s", dn, ctl_exop_text(answer, "state"));
		return;
	}
	ctl_say("invited %s", dn);
	if (*url)
		ctl_say("  url: %s", url);
	if (options->show_ticket)
		ctl_say("  ticket: %s", ticket);
}

static const struct ctl_column columns[] = {
	{ "GUEST", "dn", CTL_CELL_TEXT },        { "STATE", "state", CTL_CELL_TEXT },
	{ "EXPIRES", "expires", CTL_CELL_TIME }, { "URL", "url", CTL_CELL_TEXT },
	{ "TICKET", "ticket", CTL_CELL_TEXT },
};
#define COLUMNS (sizeof columns / sizeof *columns)

static void show_answer(struct ctl_inviting *inviting, const json_t *answer)
{
	char *cells[COLUMNS];

	if (inviting->table.format == CTL_FORMAT_TABLE) {
		show_lines(inviting->session.options, answer);
		return;
	}
	for (size_t i = 0; i < inviting->table.column_count; i++) {
		const char *text = ctl_exop_text(answer, columns[i].name);

		cells[i] = columns[i].kind == CTL_CELL_TIME ? ctl_time_shown(b2b_str_of(text))
							    : ctl_shown(text, strlen(text));
	}
	ctl_table_row(&inviting->table, cells);
}

/* The request as it would be sent, where more is to be said. */
static void show_dry(const struct ctl_inviting *inviting, const json_t *request)
{
	json_malloc_t unused;
	json_free_t release;
	char *text;

	ctl_say("would invite %s", ctl_exop_text(request, "mail"));
	if (!inviting->session.options->verbose)
		return;
	json_get_alloc_funcs(&unused, &release);
	text = json_dumps(request, JSON_SORT_KEYS);
	ctl_say("  %s", text ? text : "");
	release(text);
}

int ctl_invite_send(struct ctl_inviting *inviting, const json_t *request)
{
	json_t *answer = NULL;
	int code;

	if (inviting->session.options->dry_run) {
		show_dry(inviting, request);
		return LDAP_SUCCESS;
	}
	code = ctl_exop(inviting->session.ld, OPERATION, request, &answer);
	if (code == LDAP_SUCCESS && !*ctl_exop_text(answer, "dn"))
		code = LDAP_DECODING_ERROR;
	if (code == LDAP_SUCCESS)
		show_answer(inviting, answer);
	json_decref(answer);
	return code;
}

static int invite_one(struct ctl_inviting *inviting)
{
	const struct ctl_options *options = inviting->session.options;
	struct ctl_invitee who = {
		.mail = options->mail,
		.tenant = options->home_tenant,
		.name = options->name,
		.until = options->until,
		.message = inviting->message,
		.language = options->language,
		.subject = options->subject,
		.uid = options->uid,
		.sponsors = options->sponsors,
		.apps = options->apps,
	};
	struct b2b_error error;
	json_t *request = ctl_invite_request(inviting, &who, &error);
	int code;

	if (!request)
		return ctl_fail("%s", error.text);
	code = ctl_invite_send(inviting, request);
	if (code != LDAP_SUCCESS)
		ctl_fail_ldap(inviting->session.ld, code, ctl_exop_text(request, "mail"));
	json_decref(request);
	return code == LDAP_SUCCESS ? CTL_DONE : CTL_FAILED;
}

static int invite(struct ctl_inviting *inviting)
{
	struct ctl_options *options = inviting->session.options;
	bool listed = inviting->table.format != CTL_FORMAT_TABLE && !options->dry_run;
	int result = ctl_session_open(options, &inviting->session);

	/* The answer holds a ticket. */
	if (result == CTL_DONE && !ctl_is_protected(inviting->session.ld))
		result =
			ctl_fail("a ticket is not asked for over a connection without TLS; see -Z");
	if (result != CTL_DONE)
		return result;
	if (listed)
		ctl_table_start(&inviting->table);
	result = options->file ? ctl_invite_file(inviting) : invite_one(inviting);
	if (listed)
		ctl_table_end(&inviting->table);
	return result;
}

static int check_options(const struct ctl_options *options)
{
	if (!options->mail == !options->file)
		return ctl_misuse("invite wants --mail or --file", "");
	if (options->file && (options->name || options->uid || options->subject))
		return ctl_misuse("--name, --uid and --subject are of one guest, not of --file",
				  "");
	return CTL_DONE;
}

static void forget(struct ctl_inviting *inviting)
{
	for (size_t i = 0; i < inviting->known; i++) {
		free(inviting->words[i]);
		free(inviting->dns[i]);
	}
	free(inviting->words);
	free(inviting->dns);
	free(inviting->message);
}

int ctl_invite(struct ctl_options *options)
{
	struct ctl_inviting inviting = { .session.options = options,
					 .table.columns = columns,
					 .table.column_count = COLUMNS };
	int result = check_options(options);

	ctl_exop_wipes();
	if (result == CTL_DONE)
		result = ctl_format_take(options->format, &inviting.table.format);
	/* CSV goes into files that others read: no tickets but where they are asked for. */
	if (inviting.table.format == CTL_FORMAT_CSV && !options->show_ticket)
		inviting.table.column_count -= 2;
	if (result == CTL_DONE && options->message)
		result = ctl_text_or_file(options->message, &inviting.message);
	if (result == CTL_DONE)
		result = invite(&inviting);
	ctl_session_close(&inviting.session);
	forget(&inviting);
	return result;
}
