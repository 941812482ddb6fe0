/*
 * ctl_explain.c - explain: may this guest use that application now, and why (not)?
 * In: a guest, circumstances of the command line; the server's word on them (operation .3.5).
 * Out: what each rule says, and the verdict with the rule that decided.
 */
#include "ctl_life.h"

#include "token.h"

#include <stdlib.h>
#include <string.h>

#define OPERATION "3.5"
#define SSF_MAX 65535ul

static int check_usage(const struct ctl_options *options, enum ctl_format *format_r)
{
	struct b2b_addr peer;
	char *end = NULL;

	if (!options->guest || !*options->guest)
		return ctl_misuse("explain wants --guest", "");
	if (options->ssf && (options->ssf[0] < '0' || options->ssf[0] > '9' ||
			     strtoul(options->ssf, &end, 10) > SSF_MAX || *end))
		return ctl_misuse("--ssf: a number of bits, such as 256, or 0 for none", "");
	if (options->peer && b2b_addr_parse(b2b_str_of(options->peer), &peer) != B2B_OK)
		return ctl_misuse("--peer: not an address: ", options->peer);
	if (ctl_format_take(options->format, format_r) != CTL_DONE)
		return CTL_USAGE;
	if (*format_r == CTL_FORMAT_CSV)
		return ctl_misuse("explain has no format csv", "");
	return CTL_DONE;
}

/* --- the request --- */

static int add_claims(json_t *request, const char *place)
{
	char *text = NULL;
	size_t bytes = 0;
	json_t *claims;

	if (ctl_read_file(place, B2B_TOKEN_MAX_BYTES, &text, &bytes) != CTL_DONE)
		return CTL_FAILED;
	claims = bytes > B2B_TOKEN_MAX_BYTES
			 ? NULL
			 : json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	if (!json_is_object(claims)) {
		json_decref(claims);
		return ctl_fail("%s: one JSON object of %u bytes at most is wanted", place,
				B2B_TOKEN_MAX_BYTES);
	}
	json_object_set_new(request, "claims", claims);
	return CTL_DONE;
}

static int fill_request(const struct ctl_options *options, const char *suffix, json_t *request)
{
	const struct ctl_list *apps = &options->apps;

	if (suffix)
		json_object_set_new(request, "suffix", json_string(suffix));
	if (apps->count)
		json_object_set_new(request, "application",
				    json_string(apps->values[apps->count - 1]));
	if (options->peer)
		json_object_set_new(request, "peer", json_string(options->peer));
	if (options->entry)
		json_object_set_new(request, "entry", json_string(options->entry));
	if (options->ssf)
		json_object_set_new(request, "ssf", json_integer(atol(options->ssf)));
	return options->claims ? add_claims(request, options->claims) : CTL_DONE;
}

/* --- the answer --- */

enum { COLUMN_RULE, COLUMN_PASSED, COLUMN_ENTRY, COLUMN_WHY, COLUMNS };

static const struct ctl_column columns[COLUMNS] = {
	[COLUMN_RULE] = { "RULE", "rule", CTL_CELL_TEXT },
	[COLUMN_PASSED] = { "PASSED", "passed", CTL_CELL_FLAG },
	[COLUMN_ENTRY] = { "ENTRY", "dn", CTL_CELL_DNS },
	[COLUMN_WHY] = { "WHY", "detail", CTL_CELL_TEXT },
};

static void say_step(struct ctl_table *table, const json_t *step)
{
	const char *names[COLUMNS] = { ctl_exop_text(step, "rule"),
				       json_is_true(json_object_get(step, "passed")) ? "yes" : "NO",
				       ctl_exop_text(step, "dn"), ctl_exop_text(step, "detail") };
	char *cells[COLUMNS] = { NULL };

	for (size_t i = 0; i < COLUMNS; i++)
		if (*names[i])
			ctl_cell_add(&cells[i], names[i], strlen(names[i]));
	ctl_table_row(table, cells);
}

static void say_steps(const json_t *steps)
{
	struct ctl_table table = { .columns = columns, .column_count = COLUMNS };

	ctl_table_start(&table);
	for (size_t i = 0; i < json_array_size(steps); i++)
		say_step(&table, json_array_get(steps, i));
	ctl_table_end(&table);
}

/* A list of texts as one, with commas; caller frees. */
static char *joined(const json_t *list)
{
	char *text = ctl_format("%s", ""), *longer;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *word = json_string_value(json_array_get(list, i));

		longer = ctl_format("%s%s%s", text, *text ? ", " : "", word ? word : "?");
		free(text);
		text = longer;
	}
	return text;
}

static void say_entry(const json_t *entry)
{
	static const char *const members[] = { "by", "label", "bound" };
	char *hidden = joined(json_object_get(entry, "hidden"));

	if (!entry)
		return;
	ctl_say("entry: %s: %s", ctl_exop_text(entry, "dn"),
		json_is_true(json_object_get(entry, "visible")) ? "visible" : "HIDDEN");
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (*ctl_exop_text(entry, members[i]))
			ctl_say("entry: %s: %s", members[i], ctl_exop_text(entry, members[i]));
	if (*hidden)
		ctl_say("entry: hidden attributes: %s", hidden);
	free(hidden);
}

static void say_answer(const json_t *answer)
{
	const char *until = ctl_exop_text(answer, "until"), *rule = ctl_exop_text(answer, "rule");
	bool allow = strcmp(ctl_exop_text(answer, "verdict"), "allow") == 0;

	ctl_say("guest: %s", ctl_exop_text(answer, "guest"));
	ctl_say("application: %s", ctl_exop_text(answer, "application"));
	say_steps(json_object_get(answer, "steps"));
	say_entry(json_object_get(answer, "entry"));
	ctl_say("verdict: %s%s%s%s%s%s%s", allow ? "allow" : "deny", allow ? "" : ": ",
		allow ? "" : ctl_exop_text(answer, "reason"), *rule ? ", by " : "", rule,
		*until ? ", until " : "", until);
}

static int show(const json_t *answer, enum ctl_format format)
{
	char *text;

	if (format != CTL_FORMAT_JSON) {
		say_answer(answer);
		return CTL_DONE;
	}
	/* nothing but ASCII: it may be a terminal that is written to */
	text = json_dumps(answer, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	if (!text)
		return ctl_fail("out of memory");
	puts(text);
	free(text);
	return CTL_DONE;
}

static int ask(LDAP *ld, const struct ctl_options *options, const char *dn, const char *suffix,
	       enum ctl_format format)
{
	json_t *request = json_pack("{s:s}", "guest", dn), *answer = NULL;
	int result = fill_request(options, suffix, request), code;
	char *text = NULL;

	if (result == CTL_DONE) {
		code = ctl_exop(ld, OPERATION, request, &answer);
		if (code == LDAP_PROTOCOL_ERROR)
			ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
		/* every word of ours starts so */
		if (code == LDAP_PROTOCOL_ERROR && (!text || strncmp(text, "b2b: ", 5) != 0))
			result = ctl_fail("the server does not explain (operation .%s): it has an "
					  "older slapo-b2b, or none",
					  OPERATION);
		else if (code != LDAP_SUCCESS)
			result = ctl_fail_ldap(ld, code, dn);
		else
			result = show(answer, format);
	}
	ldap_memfree(text);
	json_decref(answer);
	json_decref(request);
	return result;
}

/* --- whom it is about --- */

/* A DN is taken as it stands: one of direct connect has no entry. */
static bool is_dn(const char *word)
{
	LDAPDN dn = NULL;
	bool is = strchr(word, '=') &&
		  ldap_str2dn(word, &dn, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS && dn;

	ldap_dnfree(dn);
	return is;
}

static int find_and_ask(LDAP *ld, struct ctl_options *options, enum ctl_format format)
{
	struct ctl_tenant tenant = { 0 };
	struct ctl_entry *entry = NULL;
	int result;

	if (is_dn(options->guest))
		return ask(ld, options, options->guest, options->base, format);
	result = ctl_tenant_find(ld, options, &tenant);
	if (result == CTL_DONE)
		result = ctl_guest_find(ld, &tenant, options->guest, NULL, NULL, &entry);
	if (result == CTL_DONE)
		result = ask(ld, options, entry->dn, options->base, format);
	ctl_entry_free(&entry);
	ctl_tenant_clear(&tenant);
	return result;
}

int ctl_explain(struct ctl_options *options)
{
	enum ctl_format format = CTL_FORMAT_TABLE;
	LDAP *ld = NULL;
	int result = check_usage(options, &format);

	if (result == CTL_DONE)
		result = ctl_connect(options, &ld);
	if (result == CTL_DONE)
		result = find_and_ask(ld, options, format);
	if (ld)
		ldap_unbind_ext_s(ld, NULL, NULL);
	return result;
}
