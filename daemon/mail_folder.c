/*
 * mail_folder.c - the templates of a folder, all read and checked before the first is used.
 * In: <type>.txt and <type>.html, and the same in a folder for each language.
 * Out: the pair for a type and somebody's languages, or which file is wrong in which line.
 */
#include "mail_make.h"

#include "../overlay/core/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define SOURCE_MAX 65536u
/* self: "yes" where the guest itself is the recipient */
#define COMMON "tenant base name mail guestName guestMail self "

/* Every kind of notice, and what it may say. */
static const struct {
	const char *type, *names;
} types[] = {
	{ "invitation", COMMON "sponsorName message expires url ticket" },
	{ "passcode", COMMON "code minutes" },
	{ "review", COMMON "due recommendation review item lastSignIn instructions "
			   "count silence" },
	{ "reminder", COMMON "due recommendation review item lastSignIn instructions "
			     "count silence" },
	{ "lapsed", COMMON "reason deleteAfter" },
	{ "disabled", COMMON "reason deleteAfter" },
	{ "deleted", COMMON "reason" },
	{ "sponsor-gone", COMMON "sponsor" },
	{ "reviewer-gone", COMMON "reviewer review count" },
	{ "wrong-person", COMMON "person personTenant" },
	{ "halted", COMMON "count" },
	{ "request", COMMON "request reason answer applications" },
	{ "refused", COMMON "request reason answer applications" },
};
#define TYPES (sizeof types / sizeof *types)

struct mail_folder {
	struct mail_pair *pairs; /* by folder, English first, in each by type */
	size_t count;
};

static enum b2b_err read_source(const char *path, char **source_r, struct b2b_error *error)
{
	FILE *file = fopen(path, "rb");
	size_t bytes = 0, kept = 0;
	char *text;

	*source_r = NULL;
	if (!file)
		return b2b_error_set(error, "%s: %s", path, strerror(errno));
	text = calloc(1, SOURCE_MAX + 2);
	if (text)
		bytes = fread(text, 1, SOURCE_MAX + 1, file);
	fclose(file);
	if (!text)
		return B2B_ERR_MEMORY;
	for (size_t i = 0, skip; i < bytes; i += skip) {
		/* tabs and line ends may stand here, other controls may not */
		bool good = mail_text_char((struct b2b_str){ text + i, bytes - i }, &skip) > 0 ||
			    text[i] == '\n' || text[i] == '\r' || text[i] == '\t';

		if (!good || bytes > SOURCE_MAX) {
			free(text);
			return b2b_error_set(error, "%s: %s", path,
					     good ? "too large" : "not a text in UTF-8");
		}
		for (size_t j = 0; text[i] != '\r' && j < skip; j++)
			text[kept++] = text[i + j];
	}
	text[kept] = '\0';
	*source_r = text;
	return B2B_OK;
}

static enum b2b_err compile(const char *path, struct b2b_str source, unsigned first_line,
			    size_t type, struct mail_template **template_r, struct b2b_error *error)
{
	struct b2b_error inner = { "" };
	enum b2b_err err =
		mail_template_new(source, first_line, types[type].names, template_r, &inner);

	if (err == B2B_ERR_INVALID)
		b2b_error_set(error, "%s:%s", path, inner.text);
	return err;
}

/* "Subject: ..." and, behind an empty line or at once, the text. */
static enum b2b_err read_text(const char *path, size_t type, struct mail_pair *pair,
			      struct b2b_error *error)
{
	static const char field[] = "Subject: ";
	const char *text, *body;
	struct b2b_str subject;
	unsigned line = 2;
	enum b2b_err err = read_source(path, &pair->sources[0], error);

	text = pair->sources[0];
	if (err != B2B_OK || !text)
		return err;
	if (strncmp(text, field, sizeof field - 1) != 0)
		return b2b_error_set(error, "%s:1: the first line is no \"Subject: ...\"", path);
	text += sizeof field - 1;
	subject = (struct b2b_str){ text, strcspn(text, "\n") };
	body = text + subject.len;
	body += *body == '\n';
	if (*body == '\n') {
		body++;
		line++;
	}
	if (subject.len == 0 || *body == '\0')
		return b2b_error_set(error, "%s: %s", path,
				     subject.len == 0 ? "an empty subject" : "no text");
	err = compile(path, subject, 1, type, &pair->subject, error);
	if (err == B2B_OK)
		err = compile(path, b2b_str_of(body), line, type, &pair->text, error);
	return err;
}

static enum b2b_err read_html(const char *path, size_t type, struct mail_pair *pair,
			      struct b2b_error *error)
{
	enum b2b_err err = read_source(path, &pair->sources[1], error);

	if (err == B2B_OK)
		err = compile(path, b2b_str_of(pair->sources[1]), 1, type, &pair->html, error);
	return err;
}

static void clear_pair(struct mail_pair *pair)
{
	mail_template_free(&pair->subject);
	mail_template_free(&pair->text);
	mail_template_free(&pair->html);
	free(pair->sources[0]);
	free(pair->sources[1]);
}

static struct mail_pair *add_pair(struct mail_folder *folder, size_t type, const char *language)
{
	struct mail_pair *longer = reallocarray(folder->pairs, folder->count + 1,
						sizeof *folder->pairs),
			 *pair;

	if (!longer)
		return NULL;
	folder->pairs = longer;
	pair = &longer[folder->count++];
	*pair = (struct mail_pair){ .type = types[type].type };
	snprintf(pair->language, sizeof pair->language, "%s", language);
	return pair;
}

static char *join(const char *path, const char *name, const char *ending)
{
	char *joined;

	return asprintf(&joined, "%s/%s%s", path, name, ending) < 0 ? NULL : joined;
}

static bool is_there(const char *path)
{
	struct stat status;

	return path && stat(path, &status) == 0;
}

static enum b2b_err read_pair(struct mail_folder *folder, const char *path, const char *language,
			      size_t type, struct b2b_error *error)
{
	char *txt = join(path, types[type].type, ".txt");
	char *html = join(path, types[type].type, ".html");
	bool root = strcmp(language, MAIL_ROOT_LANGUAGE) == 0;
	enum b2b_err err = txt && html ? B2B_OK : B2B_ERR_MEMORY;
	struct mail_pair *pair;

	if (err == B2B_OK && (root || is_there(txt) || is_there(html))) {
		pair = add_pair(folder, type, language);
		err = pair ? read_text(txt, type, pair, error) : B2B_ERR_MEMORY;
		if (err == B2B_OK)
			err = read_html(html, type, pair, error);
	}
	free(html);
	free(txt);
	return err;
}

/* A file with a template's ending and the name of none would never be used. */
static enum b2b_err judge_name(const char *path, const char *name, struct b2b_error *error)
{
	const char *ending = strrchr(name, '.');
	size_t len = ending ? (size_t)(ending - name) : 0;

	if (!ending || (strcmp(ending, ".txt") != 0 && strcmp(ending, ".html") != 0))
		return B2B_OK;
	for (size_t i = 0; i < TYPES; i++)
		if (strlen(types[i].type) == len && strncmp(types[i].type, name, len) == 0)
			return B2B_OK;
	return b2b_error_set(error, "%s/%s: there is no such kind of mail", path, name);
}

static bool is_language(const char *path, const char *name)
{
	struct mail_languages one;
	struct stat status;
	char *joined = join(path, name, "");
	bool folder = joined && stat(joined, &status) == 0 && S_ISDIR(status.st_mode);

	free(joined);
	mail_languages_read(name, &one);
	return folder && one.count == 1 && strlen(one.list[0].tag) == strlen(name) &&
	       strcasecmp(name, MAIL_ROOT_LANGUAGE) != 0;
}

static enum b2b_err read_language(struct mail_folder *folder, const char *path,
				  const char *language, struct b2b_error *error);

static enum b2b_err look_around(struct mail_folder *folder, const char *path, bool root,
				struct b2b_error *error)
{
	DIR *stream = opendir(path);
	enum b2b_err err = B2B_OK;
	struct dirent *entry;

	if (!stream)
		return b2b_error_set(error, "%s: %s", path, strerror(errno));
	while (err == B2B_OK && (entry = readdir(stream))) {
		err = judge_name(path, entry->d_name, error);
		if (err == B2B_OK && root && is_language(path, entry->d_name)) {
			char *below = join(path, entry->d_name, "");

			err = below ? read_language(folder, below, entry->d_name, error)
				    : B2B_ERR_MEMORY;
			free(below);
		}
	}
	closedir(stream);
	return err;
}

static enum b2b_err read_language(struct mail_folder *folder, const char *path,
				  const char *language, struct b2b_error *error)
{
	bool root = strcmp(language, MAIL_ROOT_LANGUAGE) == 0;
	enum b2b_err err = B2B_OK;

	for (size_t i = 0; err == B2B_OK && i < TYPES; i++)
		err = read_pair(folder, path, language, i, error);
	return err == B2B_OK ? look_around(folder, path, root, error) : err;
}

enum b2b_err mail_folder_new(const char *path, struct mail_folder **folder_r,
			     struct b2b_error *error)
{
	struct mail_folder *folder = calloc(1, sizeof *folder);
	enum b2b_err err =
		folder ? read_language(folder, path, MAIL_ROOT_LANGUAGE, error) : B2B_ERR_MEMORY;

	*folder_r = NULL;
	if (err == B2B_OK)
		*folder_r = folder;
	else
		mail_folder_free(&folder);
	return err;
}

void mail_folder_free(struct mail_folder **folder)
{
	if (!*folder)
		return;
	for (size_t i = 0; i < (*folder)->count; i++)
		clear_pair(&(*folder)->pairs[i]);
	free((*folder)->pairs);
	free(*folder);
	*folder = NULL;
}

static const struct mail_pair *find(const struct mail_folder *folder, const char *type,
				    const char *language)
{
	for (size_t i = 0; i < folder->count; i++)
		if (strcasecmp(folder->pairs[i].type, type) == 0 &&
		    strcasecmp(folder->pairs[i].language, language) == 0)
			return &folder->pairs[i];
	return NULL;
}

const struct mail_pair *mail_folder_pick(const struct mail_folder *folder, const char *type,
					 const char *languages, const char *fallback)
{
	struct mail_languages wanted;
	const struct mail_pair *pair = NULL;

	mail_languages_read(languages, &wanted);
	for (size_t i = 0; !pair && i < wanted.count; i++) {
		do
			pair = find(folder, type, wanted.list[i].tag);
		while (!pair && mail_language_shorten(wanted.list[i].tag));
	}
	if (!pair)
		pair = find(folder, type, fallback);
	return pair ? pair : find(folder, type, MAIL_ROOT_LANGUAGE);
}
