/*
 * mail_template.c - templates: literal text, values, and what is there only with a value.
 * In: a template's source, values of foreign origin.
 * Out: text, HTML or a subject, in which a value is nothing but text.
 */
#include "mail_make.h"

#include "../overlay/core/text.h"

#include <stdlib.h>
#include <string.h>

enum kind { LITERAL, VALUE, QUOTE, IF, ELSE, END };

struct node {
	enum kind kind;
	struct b2b_str text; /* literal, or the value's name */
	struct b2b_str word; /* of "if name=word" */
	bool has_word;
	size_t jump; /* IF: behind its else or end; ELSE: its end */
};

struct mail_template {
	struct node *nodes;
	size_t count;
};

struct parser {
	struct mail_template *template;
	const char *at, *end;
	unsigned line;
	const char *names;
	size_t open[8]; /* nodes that wait for their end */
	size_t depth;
	struct b2b_error *error;
	bool no_memory;
};

bool mail_values_put(struct mail_values *values, const char *name, struct b2b_str value)
{
	for (size_t i = 0; i < values->count; i++)
		if (strcmp(values->list[i].name, name) == 0)
			return true;
	if (values->count == MAIL_VALUES_MAX)
		return false;
	values->list[values->count++] = (struct mail_value){ name, value };
	return true;
}

static struct b2b_str find_value(const struct mail_values *values, struct b2b_str name)
{
	for (size_t i = 0; i < values->count; i++)
		if (b2b_str_equal(b2b_str_of(values->list[i].name), name))
			return values->list[i].value;
	return (struct b2b_str){ "", 0 };
}

static bool is_known(const char *names, struct b2b_str name)
{
	while (*names) {
		size_t len = strcspn(names, " ");

		if (b2b_str_equal((struct b2b_str){ names, len }, name))
			return true;
		names += len + strspn(names + len, " ");
	}
	return false;
}

static bool refuse(struct parser *parser, const char *what, struct b2b_str tag)
{
	b2b_error_set(parser->error, "%u: %s: %%{%.*s}", parser->line, what,
		      (int)(tag.len < 80 ? tag.len : 80), tag.s);
	return false;
}

static bool add(struct parser *parser, struct node node)
{
	struct mail_template *template = parser->template;
	size_t count = template->count;

	if ((count & (count - 1)) == 0) { /* room doubles at each power of two */
		struct node *longer =
			reallocarray(template->nodes, count ? count * 2 : 1, sizeof *longer);

		if (!longer) {
			parser->no_memory = true;
			return false;
		}
		template->nodes = longer;
	}
	template->nodes[template->count++] = node;
	return true;
}

/* Cuts a word off; what remains is behind the blanks. */
static struct b2b_str cut_word(struct b2b_str *rest)
{
	struct b2b_str word = { rest->s, 0 };

	while (word.len < rest->len && word.s[word.len] != ' ')
		word.len++;
	rest->s += word.len;
	rest->len -= word.len;
	while (rest->len > 0 && *rest->s == ' ') {
		rest->s++;
		rest->len--;
	}
	return word;
}

static bool open_if(struct parser *parser, struct b2b_str tag, struct b2b_str rest)
{
	struct node node = { .kind = IF, .text = rest };
	const char *equals = rest.len > 0 ? memchr(rest.s, '=', rest.len) : NULL;

	if (equals) {
		node.text.len = (size_t)(equals - rest.s);
		node.word = (struct b2b_str){ equals + 1, rest.len - node.text.len - 1 };
		node.has_word = true;
	}
	if (!is_known(parser->names, node.text))
		return refuse(parser, "unknown placeholder", tag);
	if (parser->depth == sizeof parser->open / sizeof *parser->open)
		return refuse(parser, "too deep", tag);
	parser->open[parser->depth++] = parser->template->count;
	return add(parser, node);
}

static bool close_if(struct parser *parser, struct b2b_str tag, enum kind kind)
{
	struct node *nodes = parser->template->nodes;
	size_t here = parser->template->count, opened;

	if (parser->depth == 0)
		return refuse(parser, "nothing is open", tag);
	opened = parser->open[parser->depth - 1];
	if (kind == ELSE && nodes[opened].kind == ELSE)
		return refuse(parser, "a second else", tag);
	/* an if goes on behind the else, an else at the end */
	nodes[opened].jump = kind == ELSE ? here + 1 : here;
	if (kind == ELSE)
		parser->open[parser->depth - 1] = here;
	else
		parser->depth--;
	return add(parser, (struct node){ .kind = kind });
}

/* What stands between "%{" and "}". */
static bool take_tag(struct parser *parser, struct b2b_str tag, bool *control_r)
{
	struct b2b_str rest = tag, word = cut_word(&rest);
	bool quote = b2b_str_equal(word, b2b_str_of("quote"));

	*control_r = true;
	if (b2b_str_equal(word, b2b_str_of("if")))
		return open_if(parser, tag, rest);
	if (b2b_str_equal(tag, b2b_str_of("else")))
		return close_if(parser, tag, ELSE);
	if (b2b_str_equal(tag, b2b_str_of("end")))
		return close_if(parser, tag, END);
	*control_r = false;
	if (!is_known(parser->names, quote ? rest : tag))
		return refuse(parser, "unknown placeholder", tag);
	return add(parser,
		   (struct node){ .kind = quote ? QUOTE : VALUE, .text = quote ? rest : tag });
}

static bool add_literal(struct parser *parser, const char *from, const char *to)
{
	if (from == to)
		return true;
	return add(parser, (struct node){ .kind = LITERAL, .text = { from, (size_t)(to - from) } });
}

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

/* The next tag from at on, or the end; "%%{" is passed by. */
static const char *find_tag(const char *at, const char *end)
{
	for (; at + 1 < end; at++) {
		if (at[0] != '%')
			continue;
		if (at[1] == '{')
			return at;
		if (at[1] == '%' && at + 2 < end && at[2] == '{')
			return at;
	}
	return end;
}

static void count_lines(struct parser *parser, const char *from, const char *to)
{
	for (; from < to; from++)
		parser->line += *from == '\n';
}

static bool take_next(struct parser *parser, const char *source)
{
	const char *from = parser->at, *tag = find_tag(from, parser->end), *close, *left, *right;
	struct node *last;
	bool control, alone;

	count_lines(parser, from, tag);
	if (tag == parser->end)
		return parser->at = tag, add_literal(parser, from, tag);
	if (tag[1] == '%') /* "%%{" */
		return parser->at = tag + 3,
		       add_literal(parser, from, tag) && add_literal(parser, tag + 1, tag + 3);
	close = memchr(tag, '}', (size_t)(parser->end - tag));
	if (!close || memchr(tag, '\n', (size_t)(close - tag)))
		return refuse(parser, "no } in this line", (struct b2b_str){ tag + 2, 0 });
	parser->at = close + 1;
	for (left = tag; left > from && (left[-1] == ' ' || left[-1] == '\t'); left--)
		;
	right = skip_blanks(parser->at, parser->end);
	alone = (left == source || left[-1] == '\n') && (right == parser->end || *right == '\n');
	if (!add_literal(parser, from, tag))
		return false;
	last = tag > from ? &parser->template->nodes[parser->template->count - 1] : NULL;
	if (!take_tag(parser, (struct b2b_str){ tag + 2, (size_t)(close - tag - 2) }, &control))
		return false;
	if (control && alone) {
		last = last ? &parser->template->nodes[parser->template->count - 2] : NULL;
		if (last)
			last->text.len -= (size_t)(tag - left);
		parser->line += right < parser->end;
		parser->at = right + (right < parser->end);
	}
	return true;
}

enum b2b_err mail_template_new(struct b2b_str source, unsigned first_line, const char *names,
			       struct mail_template **template_r, struct b2b_error *error)
{
	struct mail_template *template = calloc(1, sizeof *template);
	struct parser parser = { .template = template,
				 .at = source.s,
				 .line = first_line,
				 .end = source.s + source.len,
				 .names = names,
				 .error = error };
	bool good = template != NULL;

	*template_r = NULL;
	parser.no_memory = !template;
	while (good && parser.at < parser.end)
		good = take_next(&parser, source.s);
	if (good && parser.depth > 0) {
		b2b_error_set(error, "%u: an %%{if} without its %%{end}", parser.line);
		good = false;
	}
	if (good)
		*template_r = template;
	else
		mail_template_free(&template);
	return good ? B2B_OK : parser.no_memory ? B2B_ERR_MEMORY : B2B_ERR_INVALID;
}

void mail_template_free(struct mail_template **template)
{
	if (*template)
		free((*template)->nodes);
	free(*template);
	*template = NULL;
}

static void put_value(enum mail_form form, struct mail_text *text, struct b2b_str value)
{
	if (form == MAIL_HTML)
		mail_text_put_html(text, value);
	else
		mail_text_put_line(text, value);
}

void mail_template_fill(const struct mail_template *template, enum mail_form form,
			const struct mail_values *values, struct mail_text *text)
{
	for (size_t i = 0; i < template->count; i++) {
		const struct node *node = &template->nodes[i];
		struct b2b_str value = find_value(values, node->text);
		bool holds =
			node->has_word ? b2b_str_equal_nocase(value, node->word) : value.len > 0;

		switch (node->kind) {
		case LITERAL:
			mail_text_put(text, node->text.s, node->text.len);
			break;
		case VALUE:
			put_value(form, text, value);
			break;
		case QUOTE:
			if (form == MAIL_SUBJECT)
				put_value(form, text, value);
			else
				mail_text_put_quote(text, value, form == MAIL_HTML);
			break;
		case IF:
			/* the loop goes on behind what is named here */
			if (!holds)
				i = node->jump - 1;
			break;
		case ELSE:
			i = node->jump - 1;
			break;
		case END:
			break;
		}
	}
}
