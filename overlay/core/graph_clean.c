/*
 * graph_clean.c - makes strict JSON of what people save: comments, trailing commas, a BOM.
 * In: the bytes of a file of foreign origin.
 * Out: bytes for Jansson, each at the line and column it had; to graph.c.
 */
#include "graph_parts.h"

#include <stdlib.h>
#include <string.h>

struct cleaner {
	char *text;
	size_t bytes;
	size_t at;
	unsigned line;
	unsigned depth;
	size_t comma; /* a comma outside strings that nothing has followed yet */
	bool comma_open;
	char before; /* last character that was neither blank nor comment */
	struct b2b_error *error;
};

/* Skips a string, so that what looks like a comment or a comma in it stays. */
static void skip_string(struct cleaner *c)
{
	for (c->at++; c->at < c->bytes && c->text[c->at] != '"'; c->at++) {
		if (c->text[c->at] == '\n') /* Jansson refuses it; counting lines goes on */
			c->line++;
		if (c->text[c->at] == '\\' && c->at + 1 < c->bytes)
			c->at++;
	}
}

static void blank_comment(struct cleaner *c)
{
	while (c->at < c->bytes && c->text[c->at] != '\n' && c->text[c->at] != '\r')
		c->text[c->at++] = ' ';
	c->at--; /* the caller steps over one character */
}

static enum b2b_err see_bracket(struct cleaner *c, char bracket)
{
	if (bracket == '{' || bracket == '[') {
		if (++c->depth > B2B_GRAPH_MAX_DEPTH)
			return b2b_error_set(c->error, "line %u: nested deeper than %d levels",
					     c->line, B2B_GRAPH_MAX_DEPTH);
		return B2B_OK;
	}
	if (c->comma_open)
		c->text[c->comma] = ' ';
	if (c->depth > 0) /* a surplus bracket is for Jansson to refuse */
		c->depth--;
	return B2B_OK;
}

static enum b2b_err see(struct cleaner *c)
{
	char now = c->text[c->at];
	char before = c->before;
	enum b2b_err err = B2B_OK;

	switch (now) {
	case '\n':
		c->line++;
		return B2B_OK;
	case ' ':
	case '\t':
	case '\r':
		return B2B_OK;
	case '/':
		if (c->at + 1 < c->bytes && c->text[c->at + 1] == '/') {
			blank_comment(c);
			return B2B_OK;
		}
		break;
	case '"':
		skip_string(c);
		break;
	case '{':
	case '[':
	case '}':
	case ']':
		err = see_bracket(c, now);
		break;
	default:
		break;
	}
	/* Only a comma behind a value can be a trailing one: "[,]" stays an error. */
	c->comma_open =
		now == ',' && before != '[' && before != '{' && before != ':' && before != '\0';
	c->comma = c->at;
	c->before = now;
	return err;
}

static enum b2b_err check_bytes(const char *json, size_t bytes, struct b2b_error *error)
{
	const char *nul;
	unsigned line = 1;

	if (bytes > B2B_GRAPH_MAX_BYTES)
		return b2b_error_set(error, "larger than %u MiB", B2B_GRAPH_MAX_BYTES >> 20);
	nul = bytes ? memchr(json, '\0', bytes) : NULL;
	if (!nul)
		return B2B_OK;
	for (const char *p = json; p < nul; p++)
		line += *p == '\n';
	return b2b_error_set(error, "line %u: a NUL byte; JSON is UTF-8 text", line);
}

enum b2b_err b2b_graph_clean(const char *json, size_t json_bytes, char **clean_r,
			     size_t *clean_bytes_r, struct b2b_error *error)
{
	struct cleaner c = { .line = 1, .error = error };
	enum b2b_err err = check_bytes(json, json_bytes, error);

	*clean_r = NULL;
	*clean_bytes_r = 0;
	if (err != B2B_OK)
		return err;
	if (json_bytes >= 3 && memcmp(json, "\xef\xbb\xbf", 3) == 0) {
		json += 3;
		json_bytes -= 3;
	}
	c.text = malloc(json_bytes + 1);
	if (!c.text)
		return B2B_ERR_MEMORY;
	if (json_bytes > 0)
		memcpy(c.text, json, json_bytes);
	c.text[json_bytes] = '\0';
	c.bytes = json_bytes;
	for (; c.at < c.bytes; c.at++) {
		err = see(&c);
		if (err != B2B_OK) {
			free(c.text);
			return err;
		}
	}
	*clean_r = c.text;
	*clean_bytes_r = c.bytes;
	return B2B_OK;
}
