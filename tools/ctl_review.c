/*
 * ctl_review.c - review list, review approve and review deny.
 * In: open reviews; which one is meant.
 * Out: a list; an answer, which the server checks.
 */
#include "ctl_review.h"

#include <stdlib.h>
#include <string.h>

enum column { GUEST, REVIEW, DUE, RECOMMENDATION, ANSWER, REVIEWERS, DN, COLUMNS };
static const struct ctl_column columns[COLUMNS] = {
	[GUEST] = { "GUEST", "guest", CTL_CELL_TEXT },
	[REVIEW] = { "REVIEW", "review", CTL_CELL_TEXT },
	[DUE] = { "ANSWER UNTIL", "due", CTL_CELL_TIME },
	[RECOMMENDATION] = { "RECOMMENDED", "recommendation", CTL_CELL_TEXT },
	[ANSWER] = { "ANSWER", "decision", CTL_CELL_TEXT },
	[REVIEWERS] = { "REVIEWERS", "reviewers", CTL_CELL_DNS },
	[DN] = { NULL, "dn", CTL_CELL_TEXT },
};

static char *shown(struct b2b_str text)
{
	return ctl_shown(text.s, text.len);
}

/* A table has no room for DNs. */
static char *guest_cell(const struct ctl_table *table, const char *dn)
{
	char *text = ctl_shown(dn, strlen(dn)), *start = strchr(text, '='), *end;

	if (table->format != CTL_FORMAT_TABLE || !start)
		return text;
	end = strchr(start, ',');
	start = ctl_format("%.*s", end ? (int)(end - start - 1) : (int)strlen(start + 1),
			   start + 1);
	free(text);
	return start;
}

static void take_row(void *ctx, const struct ctl_review *review)
{
	struct ctl_table *table = ctx;
	char *cells[COLUMNS] = { NULL };
	struct b2b_str reviewer;

	cells[GUEST] = guest_cell(table, review->guest);
	cells[REVIEW] = ctl_shown(review->review, strlen(review->review));
	cells[DUE] = ctl_time_shown(review->due);
	cells[RECOMMENDATION] = shown(review->recommendation);
	cells[ANSWER] = shown(review->decision);
	for (size_t i = 0;
	     review->entry->value(review->entry->entry, review->reviewers, i, &reviewer); i++)
		ctl_cell_add(&cells[REVIEWERS], reviewer.s, reviewer.len);
	cells[DN] = ctl_shown(review->dn, strlen(review->dn));
	ctl_table_row(table, cells);
}

static int list(const struct ctl_session *session, struct ctl_table *table)
{
	struct ctl_reviews reviews = { .session = session, .each = take_row, .ctx = table };
	int result = session->options->mine ? ctl_reviews_mine(&reviews) : CTL_DONE;

	if (result != CTL_DONE)
		return result;
	ctl_table_start(table);
	result = ctl_reviews_walk(&reviews);
	ctl_table_end(table);
	if (result != CTL_DONE && table->count > 0)
		ctl_fail("the list is not complete");
	free(reviews.mine);
	return result;
}

int ctl_review_list(struct ctl_options *options)
{
	struct ctl_table table = { .columns = columns, .column_count = COLUMNS };
	struct ctl_session session = { .options = options };
	int result = ctl_format_take(options->format, &table.format);

	if (result == CTL_DONE)
		result = ctl_session_open(options, &session);
	if (result == CTL_DONE)
		result = list(&session, &table);
	ctl_session_close(&session);
	return result;
}

/* --- answers --- */

struct targets {
	char *dn; /* of the first */
	char *names;
	size_t count;
};

static void take_target(void *ctx, const struct ctl_review *review)
{
	struct targets *targets = ctx;
	char *before = targets->names;

	if (targets->count++ == 0)
		targets->dn = ctl_format("%s", review->dn);
	targets->names = ctl_format("%s\n  %s%s%s", before ? before : "", review->dn,
				    *review->review ? "  " : "", review->review);
	free(before);
}

/* Lines of their own, for ctl_fail makes one of all. */
static void print_names(const char *names)
{
	while (*names == '\n') {
		size_t bytes = strcspn(++names, "\n");
		char *line = ctl_shown(names, bytes);

		fprintf(stderr, "%s\n", line);
		free(line);
		names += bytes;
	}
}

static int choose(struct ctl_session *session, const char *word, char **dn_r)
{
	struct targets targets = { 0 };
	struct ctl_reviews reviews = {
		.session = session, .answered = true, .each = take_target, .ctx = &targets
	};
	struct ctl_entry *guest = NULL;
	int result = ctl_guest_find(session->ld, &session->tenant, word, NULL, NULL, &guest);

	if (result == CTL_DONE) {
		reviews.guest = guest->dn;
		result = ctl_reviews_walk(&reviews);
	}
	if (result == CTL_DONE && targets.count == 0)
		result = ctl_fail("%s: no review is open", word);
	/* A guest's own review has the guest's name. */
	if (result == CTL_DONE && targets.count > 1 &&
	    !(strchr(word, '=') && strcasecmp(targets.dn, guest->dn) == 0)) {
		result = ctl_fail("%s: %zu reviews are open; name one by its DN:", word,
				  targets.count);
		print_names(targets.names);
	}
	if (result == CTL_DONE)
		*dn_r = targets.dn;
	else
		free(targets.dn);
	free(targets.names);
	ctl_entry_free(&guest);
	return result;
}

/* The DN of an item, else what a guest's name or DN leads to. */
static int find_target(struct ctl_session *session, const char *word, char **dn_r)
{
	struct ctl_entry *item = NULL;
	int code = LDAP_SUCCESS;

	if (strchr(word, '='))
		code = ctl_read(session->ld, word, "(objectClass=b2bReviewItem)", &item);
	if (code != LDAP_SUCCESS)
		return ctl_fail_ldap(session->ld, code, word);
	if (!item)
		return choose(session, word, dn_r);
	*dn_r = ctl_format("%s", item->dn);
	ctl_entry_free(&item);
	return CTL_DONE;
}

static int answer(struct ctl_session *session, const char *decision, const char *said)
{
	const struct ctl_options *options = session->options;
	struct ctl_mods mods = { 0 };
	char *dn = NULL;
	int code;

	if (find_target(session, options->words[0], &dn) != CTL_DONE)
		return CTL_FAILED;
	ctl_mods_add(&mods, LDAP_MOD_REPLACE, B2B_ATTR_REVIEW_DECISION, decision);
	ctl_mods_add(&mods, LDAP_MOD_REPLACE, B2B_ATTR_REVIEW_JUSTIFICATION,
		     options->justification);
	code = ctl_mods_send(session->ld, dn, &mods);
	if (code == LDAP_SUCCESS)
		ctl_say("%s %s", said, dn);
	else
		ctl_fail_ldap(session->ld, code, dn);
	free(dn);
	return code == LDAP_SUCCESS ? CTL_DONE : CTL_FAILED;
}

static int run(struct ctl_options *options, const char *decision, const char *said)
{
	struct ctl_session session;
	int result;

	if (options->justification && b2b_str_is_blank(b2b_str_of(options->justification)))
		return ctl_misuse("--justification: it is blank", "");
	result = ctl_session_open(options, &session);
	if (result == CTL_DONE)
		result = answer(&session, decision, said);
	ctl_session_close(&session);
	return result;
}

int ctl_review_approve(struct ctl_options *options)
{
	return run(options, "Approve", "approved");
}

int ctl_review_deny(struct ctl_options *options)
{
	return run(options, "Deny", "denied");
}
