/*
 * fuzz_text.c - throws bytes at the readers of text, and at whole entries made of them.
 * In: bytes; the first says which reader, the rest is the value (entries: "name: value" lines).
 * Out: nothing, unless a reader breaks a promise of its header: then it aborts.
 */
#include "guest.h"
#include "policy.h"
#include "text.h"
#include "fuzz_main.h"

static void promise(bool kept)
{
	if (!kept)
		abort();
}

static void try_time(struct b2b_str value)
{
	char text[B2B_TIME_SIZE];
	time_t when, again;

	if (b2b_time_parse(value, &when) != B2B_OK)
		return;
	b2b_time_format(when, text);
	promise(b2b_time_parse(b2b_str_of(text), &again) == B2B_OK);
	/* a leap second at the end of 9999 has no year to go to */
	promise(again == when || when > (time_t)253402300799);
	promise(b2b_time_round_up_hour(when) >= when && b2b_time_round_up_hour(when) % 3600 == 0);
}

static void try_url(struct b2b_str value)
{
	struct b2b_url url;

	if (b2b_url_parse(value, &url) != B2B_OK)
		return;
	promise(url.port >= 1 && url.port <= 65535 && url.host[0]);
	promise(strlen(url.host) < sizeof url.host && !strpbrk(url.host, "/@?# []%\\"));
}

static void try_cidr(struct b2b_str value)
{
	struct b2b_cidr cidr;
	struct b2b_addr addr;

	if (b2b_cidr_parse(value, &cidr) == B2B_OK)
		promise(cidr.prefix_bits <= 128 && b2b_cidr_contains(&cidr, &cidr.net));
	if (b2b_addr_parse(value, &addr) == B2B_OK)
		promise(addr.set);
}

/* Every attribute has the bytes behind the first NUL for its value. */
static bool look_up(const void *ctx, const char *attribute, struct b2b_str *value_r)
{
	promise(attribute[0] != '\0');
	*value_r = *(const struct b2b_str *)ctx;
	return value_r->len > 0;
}

static size_t count_unescaped(const char *name, char wanted)
{
	size_t count = 0;

	for (; *name; name++) {
		if (*name == '\\' && name[1])
			name++;
		else if (*name == wanted)
			count++;
	}
	return count;
}

static void try_pattern(struct b2b_str value)
{
	const char *nul = value.len ? memchr(value.s, '\0', value.len) : NULL;
	struct b2b_str pattern = value, attribute = { NULL, 0 };
	struct b2b_error error;
	char *name = NULL, *copy;

	if (nul) {
		pattern.len = (size_t)(nul - value.s);
		attribute.s = nul + 1;
		attribute.len = value.len - pattern.len - 1;
	}
	if (b2b_pattern_expand(pattern, look_up, &attribute, &name, &error) != B2B_OK) {
		promise(name == NULL);
		return;
	}
	promise(name[0] != '\0' && b2b_pattern_check(pattern, NULL) == B2B_OK);
	copy = b2b_str_dup(pattern);
	/* a value adds no part to a DN */
	if (copy && strchr(copy, '=')) {
		promise(count_unescaped(name, ',') == count_unescaped(copy, ','));
		promise(count_unescaped(name, '+') == count_unescaped(copy, '+'));
		promise(count_unescaped(name, '=') == count_unescaped(copy, '='));
	}
	free(copy);
	free(name);
}

/* A hash that differs is taken for proof that the strings do. */
static void try_hash(struct b2b_str a, struct b2b_str b)
{
	bool alike = b2b_str_similar(a, b) || b2b_str_equal_nocase(a, b);

	promise(!alike || b2b_str_hash_similar(a) == b2b_str_hash_similar(b));
}

static void try_ordered(struct b2b_str value)
{
	struct b2b_str first = { value.s, value.len / 2 };
	struct b2b_str second = { value.s + value.len / 2, value.len - value.len / 2 };
	struct b2b_str rest;
	unsigned index, days;
	bool flag;

	promise(b2b_ordered_parse(value, &index, &rest) || b2b_str_equal(rest, value));
	promise(rest.len <= value.len);
	promise(b2b_str_similar(value, value) && b2b_str_similar(rest, rest));
	try_hash(value, rest);
	try_hash(first, second);
	if (b2b_days_parse(value, &days) == B2B_OK)
		promise(days <= 36500);
	if (b2b_bool_parse(value, &flag) == B2B_OK)
		promise(value.len == 4 || value.len == 5);
}

static bool line_value(const void *entry, enum b2b_attr attr, size_t index, struct b2b_str *value_r)
{
	struct b2b_str rest = *(const struct b2b_str *)entry;

	while (rest.len) {
		const char *end = memchr(rest.s, '\n', rest.len);
		size_t length = end ? (size_t)(end - rest.s) : rest.len;
		const char *colon = length ? memchr(rest.s, ':', length) : NULL;
		char name[64] = "";

		if (colon && (size_t)(colon - rest.s) < sizeof name) {
			memcpy(name, rest.s, (size_t)(colon - rest.s));
			if (b2b_attr_find(name) == attr && index-- == 0) {
				value_r->s = colon + 1;
				value_r->len = length - (size_t)(colon + 1 - rest.s);
				if (value_r->len && value_r->s[0] == ' ') {
					value_r->s++;
					value_r->len--;
				}
				return true;
			}
		}
		length += end ? 1 : 0;
		rest.s += length;
		rest.len -= length;
	}
	return false;
}

static void try_entry(struct b2b_str value, enum b2b_rule_kind kind)
{
	struct b2b_source source = { "cn=fuzz", &value, line_value };
	struct b2b_error error;
	struct b2b_guest guest;
	struct b2b_rule *rule;
	enum b2b_err err = b2b_rule_compile(kind, &source, &rule, &error);

	promise(err == B2B_ERR_MEMORY || (rule && rule->invalid == (err == B2B_ERR_INVALID)));
	promise(err != B2B_ERR_INVALID || (error.text[0] && !strpbrk(error.text, "\n\r\033")));
	b2b_rule_unref(&rule);
	b2b_guest_parse(&source, &guest, &error);
	promise(guest.well_formed == (error.text[0] == '\0'));
	b2b_guest_check(&source, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct b2b_str value = { (const char *)data + 1, size - 1 };

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 't':
		try_time(value);
		break;
	case 'u':
		try_url(value);
		break;
	case 'c':
		try_cidr(value);
		break;
	case 'p':
		try_pattern(value);
		break;
	case 'o':
		try_ordered(value);
		break;
	default:
		try_entry(value, (enum b2b_rule_kind)(data[0] % (B2B_RULE_REVIEW + 1)));
		break;
	}
	return 0;
}
