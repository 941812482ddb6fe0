/*
 * fuzz_life.c - throws bytes at what strangers send in a guest's life: tickets, codes, addresses, names,
 * links, review definitions of Microsoft Graph.
 * In: bytes; the first says which reader, the rest is the text.
 * Out: nothing, unless a reader breaks a promise of its header: then it aborts.
 */
#include "graph.h"
#include "invite.h"
#include "mail.h"
#include "text.h"
#include "ticket.h"
#include "fuzz_main.h"

/* RFC 8410, 10.3 */
static const char key_pem[] = "-----BEGIN PRIVATE KEY-----\n"
			      "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
			      "-----END PRIVATE KEY-----\n";
static const char uuid[] = "0b6e3c26-93a1-4d9e-8f53-2a7c51c0de42";
static const char tenant_dn[] = "cn=b2b,dc=ours,dc=example";

static void promise(bool kept)
{
	if (!kept)
		abort();
}

static const struct b2b_mint *the_mint(void)
{
	static struct b2b_mint *mint;

	if (!mint && b2b_mint_new(b2b_str_of(key_pem), &mint, NULL) != B2B_OK)
		abort();
	return mint;
}

/* What opens is what would be made of what came out: nothing else is a ticket. */
static void try_ticket(struct b2b_str text)
{
	const struct b2b_mint *mint = the_mint();
	struct b2b_str tenant = b2b_str_of(tenant_dn);
	char opened[B2B_UUID_SIZE], again[B2B_TICKET_SIZE];
	time_t when;

	if (b2b_ticket_open(mint, tenant, text, opened, &when) != B2B_OK) {
		promise(opened[0] == '\0' && when == 0);
		return;
	}
	promise(b2b_ticket_make(mint, tenant, b2b_str_of(opened), when, again) == B2B_OK);
	promise(b2b_str_equal(b2b_str_of(again), text));
}

static void try_code(struct b2b_str text)
{
	uint8_t hash[B2B_PASSCODE_HASH];
	char ticket[B2B_TICKET_SIZE], code[B2B_PASSCODE_DIGITS + 1];
	bool like = b2b_passcode_is_like(text);

	promise((b2b_passcode_hash(the_mint(), b2b_str_of(uuid), b2b_str_of("a@b.example"), text,
				   hash) == B2B_OK) == like);
	if (b2b_passcode_make(the_mint(), text, code) == B2B_OK)
		promise(b2b_passcode_is_like(b2b_str_of(code)));
	if (b2b_ticket_make(the_mint(), b2b_str_of(tenant_dn), text, 1, ticket) == B2B_OK)
		promise(text.len == B2B_UUID_SIZE - 1);
}

static void promise_clean(const struct b2b_error *error)
{
	struct b2b_str rest = b2b_str_of(error->text);
	uint32_t code;

	promise(rest.len > 0);
	while (rest.len)
		promise(b2b_utf8_take(&rest, &code) && code >= 0x20 && code != 0x7f);
}

/* An address that is taken cannot leave the line or the angle brackets of SMTP, or name two domains;
 * its domain may stand in a list, and an address that is in a list's domain is found there. */
static void try_mail(struct b2b_str text)
{
	char *domain = b2b_str_dup(b2b_mail_domain(text));
	struct b2b_tenant_policy tenant = { .blocked_domains = { &domain, 1 } };
	struct b2b_error error = { "" };

	if (!domain)
		abort();
	if (b2b_mail_check(text, &error) != B2B_OK) {
		promise_clean(&error);
		promise(b2b_invite_domain(&tenant, text, NULL) == B2B_ERR_INVALID);
	} else {
		promise(text.len <= B2B_MAIL_MAX && error.text[0] == '\0');
		promise(!b2b_domain_fault(b2b_str_of(domain)));
		for (size_t i = 0; i < text.len; i++)
			promise(text.s[i] > ' ' && text.s[i] < 0x7f &&
				!strchr("<>()[]:;,\\\"", text.s[i]));
		promise(memchr(text.s, '@', text.len) == text.s + (text.len - strlen(domain) - 1));
		promise(b2b_invite_domain(&tenant, text, NULL) == B2B_ERR_INVALID);
	}
	free(domain);
}

static void try_name(struct b2b_str text)
{
	struct b2b_error error = { "" };
	struct b2b_str rest = text;
	uint32_t code;

	if (b2b_name_check("displayName", text, &error) != B2B_OK) {
		promise_clean(&error);
		return;
	}
	promise(text.len > 0 && text.len <= B2B_DISPLAY_NAME_MAX);
	while (rest.len)
		promise(b2b_utf8_take(&rest, &code) && code >= 0x20 &&
			!(code >= 0x7f && code < 0xa0));
}

static void try_link(struct b2b_str text)
{
	if (b2b_link_is_web(text))
		promise(text.len > 8);
	if (!b2b_link_is_safe(text))
		return;
	promise(memchr(text.s, ':', text.len) != NULL);
	for (size_t i = 0; i < text.len; i++)
		promise(text.s[i] > ' ' && text.s[i] < 0x7f && !strchr("\"<>\\", text.s[i]));
}

/* Some are known here, some not. */
static bool map_some(void *ctx, const char *kind, const char *id, char **dn_r)
{
	(void)ctx;
	if (kind[0] == 'g' && id[0] == 'x')
		return false;
	*dn_r = strdup(kind[0] == 'g' ? "cn=group,dc=ours" : "uid=user,dc=ours");
	return *dn_r != NULL;
}

/* Each entry that comes out has a name and reviewers, and no value with a line of its own. */
static void try_review(struct b2b_str text)
{
	struct b2b_graph *graph = NULL;
	struct b2b_error error;

	if (b2b_graph_review_read(text.s, text.len, map_some, NULL, &graph, &error) != B2B_OK) {
		promise(!graph);
		promise_clean(&error);
		return;
	}
	for (size_t i = 0; i < graph->count; i++) {
		const struct b2b_graph_entry *entry = &graph->entries[i];
		bool has_name = false, has_reviewer = false;

		for (size_t j = 0; j < entry->count; j++) {
			const struct b2b_graph_value *value = &entry->values[j];

			has_name |= value->attr == B2B_ATTR_CN && value->count == 1;
			has_reviewer |= value->attr == B2B_ATTR_REVIEW_BY && value->count > 0;
			for (size_t k = 0; k < value->count; k++)
				promise(value->values[k][0] && !strpbrk(value->values[k], "\r\n"));
		}
		promise(has_name && has_reviewer);
	}
	b2b_graph_free(&graph);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct b2b_str text = { (const char *)data + 1, size - 1 };

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 't':
		try_ticket(text);
		break;
	case 'c':
		try_code(text);
		break;
	case 'm':
		try_mail(text);
		break;
	case 'n':
		try_name(text);
		break;
	case 'l':
		try_link(text);
		break;
	default:
		try_review(text);
		break;
	}
	return 0;
}
