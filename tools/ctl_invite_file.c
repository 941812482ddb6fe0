/*
 * ctl_invite_file.c - invite --file: a guest for every line of a CSV file.
 * In: columns mail, name, tenant, sponsor, app, until and others; what a line leaves out is taken
 * from the command line.
 * Out: invitations; a message with file and line for each that failed, and the others go on.
 */
#include "ctl_life.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_MAX (64u << 20)
#define BETWEEN ';' /* values of one field */

enum column { MAIL, NAME, TENANT, SPONSOR, APP, UNTIL, MESSAGE, LANGUAGE, SUBJECT, UID, COLUMNS };
static const char *const names[COLUMNS] = { "mail",  "name",    "tenant",   "sponsor", "app",
					    "until", "message", "language", "subject", "uid" };

struct file {
	struct ctl_inviting *inviting;
	const char *path;
	struct ctl_csv csv;
	enum column *order; /* of the fields */
	size_t fields;
	size_t lines, failed, done; /* records; lines: how many the file has */
	void *seen;                 /* addresses, a tree of struct seen */
};

struct seen {
	char *mail;
	unsigned long line;
};

static int by_mail(const void *a, const void *b)
{
	return strcasecmp(((const struct seen *)a)->mail, ((const struct seen *)b)->mail);
}

static void free_seen(void *seen)
{
	free(((struct seen *)seen)->mail);
	free(seen);
}

/* A second invitation would make the first one's ticket void: it is a mistake in the file. */
static bool is_first(struct file *file, const char *mail, unsigned long line,
		     struct b2b_error *error)
{
	struct seen *seen = ctl_alloc(1, sizeof *seen), **found;

	seen->mail = ctl_format("%s", mail);
	seen->line = line;
	found = tsearch(seen, &file->seen, by_mail);
	if (found && *found == seen)
		return true;
	if (found)
		b2b_error_set(error, "%s was in line %lu already", mail, (*found)->line);
	else
		b2b_error_set(error, "out of memory");
	free_seen(seen);
	return false;
}

static int read_header(struct file *file)
{
	struct b2b_error error;
	unsigned named = 0;
	enum ctl_csv_result got = ctl_csv_next(&file->csv, &error);

	if (got != CTL_CSV_RECORD)
		return ctl_fail("%s:1: %s", file->path,
				got == CTL_CSV_END ? "the file is empty" : error.text);
	file->fields = file->csv.count;
	file->order = ctl_alloc(file->fields, sizeof *file->order);
	for (size_t i = 0; i < file->fields; i++) {
		int column = 0;

		while (column < COLUMNS && strcasecmp(file->csv.fields[i], names[column]) != 0)
			column++;
		if (column == COLUMNS)
			return ctl_fail(
				"%s:1: column \"%s\" is not known; columns are separated by "
				"commas: mail, name, tenant, sponsor, app, until, message, "
				"language, subject, uid",
				file->path, file->csv.fields[i]);
		if (named & 1u << column)
			return ctl_fail("%s:1: column \"%s\" is there twice", file->path,
					names[column]);
		named |= 1u << column;
		file->order[i] = (enum column)column;
	}
	return named & 1u << MAIL ? CTL_DONE
				  : ctl_fail("%s:1: there is no column \"mail\"", file->path);
}

/* Cuts a field into its values, in place; blanks around them do not count. */
static void split(char *field, struct ctl_list *list)
{
	while (field) {
		char *next = strchr(field, BETWEEN), *end;

		if (next)
			*next++ = '\0';
		field += strspn(field, " \t");
		for (end = field + strlen(field); end > field && strchr(" \t", end[-1]); end--)
			end[-1] = '\0';
		if (*field) {
			list->values = ctl_grow(list->values, list->count, sizeof *list->values);
			list->values[list->count++] = field;
		}
		field = next;
	}
}

static const char * or (const char *field, const char *given)
{
	return field && *field ? field : given;
}

static json_t *make_request(struct file *file, struct b2b_error *error)
{
	const struct ctl_options *options = file->inviting->session.options;
	struct ctl_list sponsors = { 0 }, apps = { 0 };
	char *fields[COLUMNS] = { NULL };
	json_t *request;

	for (size_t i = 0; i < file->fields; i++)
		fields[file->order[i]] = file->csv.fields[i];
	split(fields[SPONSOR], &sponsors);
	split(fields[APP], &apps);
	struct ctl_invitee who = {
		.mail = fields[MAIL],
		.tenant = or (fields[TENANT], options->home_tenant),
		.name = fields[NAME],
		.until = or (fields[UNTIL], options->until),
		.message = or (fields[MESSAGE], file->inviting->message),
		.language = or (fields[LANGUAGE], options->language),
		.subject = fields[SUBJECT],
		.uid = fields[UID],
		.sponsors = sponsors.count ? sponsors : options->sponsors,
		.apps = apps.count ? apps : options->apps,
	};
	request = ctl_invite_request(file->inviting, &who, error);
	free(sponsors.values);
	free(apps.values);
	return request;
}

/* LDAP_SUCCESS, or what ended the connection: then nothing more can be done. */
static int invite_line(struct file *file, unsigned long line)
{
	struct b2b_error error;
	json_t *request = NULL;
	char *what;
	int code = LDAP_SUCCESS;

	if (file->csv.count != file->fields)
		b2b_error_set(&error, "%zu fields, the header has %zu", file->csv.count,
			      file->fields);
	else
		request = make_request(file, &error);
	if (request && !is_first(file, ctl_exop_text(request, "mail"), line, &error)) {
		json_decref(request);
		request = NULL;
	}
	if (!request) {
		file->failed++;
		ctl_fail("%s:%lu: %s", file->path, line, error.text);
		return LDAP_SUCCESS;
	}
	code = ctl_invite_send(file->inviting, request);
	if (code != LDAP_SUCCESS) {
		file->failed++;
		what = ctl_format("%s:%lu: %s", file->path, line, ctl_exop_text(request, "mail"));
		ctl_fail_ldap(file->inviting->session.ld, code, what);
		free(what);
	}
	json_decref(request);
	/* libldap's own codes are negative; what does not concern the connection is our mistake. */
	return code == LDAP_SERVER_DOWN || code == LDAP_TIMEOUT ? code : LDAP_SUCCESS;
}

static int invite_lines(struct file *file)
{
	int code = LDAP_SUCCESS;

	while (code == LDAP_SUCCESS) {
		struct b2b_error error;
		unsigned long line;
		enum ctl_csv_result got = ctl_csv_next(&file->csv, &error);

		if (got == CTL_CSV_END)
			break;
		line = file->csv.first;
		if (got == CTL_CSV_WRONG) {
			file->failed++;
			ctl_fail("%s:%lu: %s", file->path, line, error.text);
		} else {
			code = invite_line(file, line);
		}
		ctl_progress(file->csv.line - 1, file->lines);
		file->done++;
	}
	ctl_progress(file->lines, file->lines);
	if (code != LDAP_SUCCESS)
		return ctl_fail("%s: stopped there; what follows was not tried", file->path);
	if (file->failed > 0)
		return ctl_fail("%s: %zu of %zu failed", file->path, file->failed, file->done);
	return CTL_DONE;
}

int ctl_invite_file(struct ctl_inviting *inviting)
{
	struct file file = { .inviting = inviting, .path = inviting->session.options->file };
	char *text = NULL;
	size_t bytes = 0;
	int result = ctl_read_file(file.path, FILE_MAX, &text, &bytes);

	if (result == CTL_DONE && (bytes > FILE_MAX || memchr(text, '\0', bytes)))
		result = ctl_fail("%s: %s", file.path,
				  bytes > FILE_MAX ? "larger than 64 MiB"
						   : "not a text: it has a zero byte");
	if (result == CTL_DONE) {
		bool marked = bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;

		file.csv = (struct ctl_csv){ .at = text + (marked ? 3 : 0),
					     .end = text + bytes,
					     .line = 1 };
		for (size_t i = 0; i < bytes; i++)
			file.lines += text[i] == '\n';
		result = read_header(&file);
	}
	if (result == CTL_DONE)
		result = invite_lines(&file);
	tdestroy(file.seen, free_seen);
	ctl_csv_clear(&file.csv);
	free(file.order);
	free(text);
	return result;
}
