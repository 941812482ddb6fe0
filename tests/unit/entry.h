/*
 * entry.h - directory entries written as text, and a main function, for the unit tests.
 * In: lines "attribute: value".  Out: struct b2b_source, compiled rules, an exit code.
 * Included once by each check program.
 */
#ifndef B2B_TEST_ENTRY_H
#define B2B_TEST_ENTRY_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

struct test_entry {
	struct {
		enum b2b_attr attr;
		struct b2b_str value;
	} values[64];
	size_t count;
};

static inline bool test_value(const void *data, enum b2b_attr attr, size_t index,
			      struct b2b_str *value_r)
{
	const struct test_entry *entry = data;

	for (size_t i = 0; i < entry->count; i++) {
		if (entry->values[i].attr == attr && index-- == 0) {
			*value_r = entry->values[i].value;
			return true;
		}
	}
	return false;
}

static inline void test_add(struct test_entry *entry, enum b2b_attr attr, const char *bytes,
			    size_t length)
{
	ck_assert_uint_lt(entry->count, 64);
	entry->values[entry->count].attr = attr;
	entry->values[entry->count].value.s = bytes;
	entry->values[entry->count++].value.len = length;
}

/* lines must outlive the source.  Values may be empty; names must be known. */
static inline struct b2b_source test_source(struct test_entry *entry, const char *dn,
					    const char *lines)
{
	struct b2b_source source = { dn, entry, test_value };

	entry->count = 0;
	while (*lines) {
		size_t length = strcspn(lines, "\n"), name_length = strcspn(lines, ":");
		char name[64] = "";

		ck_assert_uint_lt(name_length, sizeof name);
		memcpy(name, lines, name_length);
		ck_assert_msg(b2b_attr_find(name) != B2B_ATTR_NONE, "no attribute %s", name);
		test_add(entry, b2b_attr_find(name), lines + name_length + 2,
			 length - name_length - 2);
		lines += length + (lines[length] == '\n');
	}
	return source;
}

static inline struct b2b_rule *test_rule(enum b2b_rule_kind kind, const char *dn, const char *lines)
{
	struct test_entry entry;
	struct b2b_source source = test_source(&entry, dn, lines);
	struct b2b_error error;
	struct b2b_rule *rule;

	ck_assert_msg(b2b_rule_compile(kind, &source, &rule, &error) == B2B_OK, "%s", error.text);
	return rule;
}

/* A rule that is expected to be invalid. */
static inline struct b2b_rule *test_broken(enum b2b_rule_kind kind, const char *dn,
					   const char *lines)
{
	struct test_entry entry;
	struct b2b_source source = test_source(&entry, dn, lines);
	struct b2b_rule *rule;

	ck_assert_int_eq(b2b_rule_compile(kind, &source, &rule, NULL), B2B_ERR_INVALID);
	ck_assert(rule && rule->invalid);
	return rule;
}

static inline int test_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
