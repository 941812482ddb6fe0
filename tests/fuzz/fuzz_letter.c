/*
 * fuzz_letter.c - throws bytes at what the mail daemon puts into letters: names, words, languages,
 * templates.
 * In: bytes; the first says which, the rest is the value.
 * Out: nothing, unless a promise of mail_make.h is broken: then it aborts.
 */
#include "mail_make.h"
#include "text.h"
#include "fuzz_main.h"

static void promise(bool kept)
{
	if (!kept)
		abort();
}

/* A header is ASCII, and goes on behind a line end only with a blank. */
static void check_header(const struct mail_text *header)
{
	size_t line = 0;

	for (size_t i = 0; i < header->len; i++) {
		char c = header->s[i];

		promise((c >= ' ' && c <= '~') || c == '\r' || c == '\n');
		promise(c != '\r' || header->s[i + 1] == '\n');
		promise(c != '\n' || (header->s[i - 1] == '\r' && header->s[i + 1] == ' '));
		line = c == '\n' ? 0 : line + 1;
		promise(line <= 160);
	}
}

static void try_header(struct b2b_str value)
{
	struct mail_sender who = { { "a@b.example", 11 }, value };
	struct mail_text header = { NULL, 0, 0, false };

	mail_header_words(&header, value, false);
	check_header(&header);
	mail_text_clear(&header);
	mail_header_person(&header, "To", &who);
	check_header(&header);
	mail_text_clear(&header);
}

static void try_texts(struct b2b_str value)
{
	struct mail_text text = { NULL, 0, 0, false };

	mail_text_put_line(&text, value);
	for (size_t i = 0; i < text.len; i++)
		promise((unsigned char)text.s[i] >= ' ' && text.s[i] != 0x7f);
	mail_text_clear(&text);
	mail_text_put_html(&text, value);
	promise(!text.s || !strpbrk(text.s, "<>\"'\n"));
	mail_text_clear(&text);
	mail_text_put_quote(&text, value, false);
	for (const char *line = text.s; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		promise(line[0] == '>' && line[1] == ' ');
	}
	mail_text_clear(&text);
}

static void try_languages(struct b2b_str value)
{
	char *text = b2b_str_dup(value);
	struct mail_languages languages;

	mail_languages_read(text, &languages);
	promise(languages.count <= MAIL_LANGUAGES_MAX);
	for (size_t i = 0; i < languages.count; i++) {
		struct mail_wish *wish = &languages.list[i];

		promise(wish->thousandths >= 1 && wish->thousandths <= 1000);
		promise(i == 0 || wish[-1].thousandths >= wish->thousandths);
		promise(*wish->tag && !strpbrk(wish->tag, "/. \r\n"));
		while (mail_language_shorten(wish->tag))
			promise(*wish->tag);
	}
	free(text);
}

/* Source and value, a NUL between them. */
static void try_template(struct b2b_str value)
{
	const char *nul = value.len ? memchr(value.s, '\0', value.len) : NULL;
	struct b2b_str source = { value.s, nul ? (size_t)(nul - value.s) : value.len };
	struct mail_values values = { .count = 0 };
	struct mail_text text = { NULL, 0, 0, false };
	struct mail_template *template;
	struct b2b_error error = { "" };

	if (nul)
		mail_values_put(&values, "a",
				(struct b2b_str){ nul + 1, value.len - source.len - 1 });
	mail_values_put(&values, "b", b2b_str_of("x"));
	if (mail_template_new(source, 1, "a b c", &template, &error) != B2B_OK) {
		promise(!template && (error.text[0] >= '1' && error.text[0] <= '9'));
		return;
	}
	for (enum mail_form form = MAIL_TEXT; form <= MAIL_SUBJECT; form++) {
		mail_template_fill(template, form, &values, &text);
		mail_text_clear(&text);
	}
	mail_template_free(&template);
}

static void try_small(struct b2b_str value)
{
	struct mail_text text = { NULL, 0, 0, false };
	char *domain = b2b_str_dup(value);

	if (mail_put_url(&text, value, "T"))
		promise(strstr(text.s, "ticket=T") && !strpbrk(text.s, " \r\n"));
	mail_text_clear(&text);
	mail_put_time(&text, value);
	mail_text_clear(&text);
	if (mail_id_is_good(value))
		for (size_t i = 0; i < value.len; i++)
			promise(!strchr("<>@ \r\n", value.s[i]));
	promise(domain && (!mail_domain_is_good(domain) || !strpbrk(domain, "<>@ \r\n/")));
	free(domain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct b2b_str value = { (const char *)data + 1, size > 0 ? size - 1 : 0 };

	if (size == 0)
		return 0;
	switch (data[0] % 5) {
	case 0:
		try_header(value);
		break;
	case 1:
		try_texts(value);
		break;
	case 2:
		try_languages(value);
		break;
	case 3:
		try_template(value);
		break;
	default:
		try_small(value);
	}
	return 0;
}
