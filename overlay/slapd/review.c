/*
 * review.c - the life of an access review: started, reminded of, handed on, closed, applied.
 * In: a definition that b2bNextDue found.  Out: items, notices, and the definition's state.
 *
 * Each step does its items and notices first and writes the definition last, only onto what it read:
 * a server that dies in between, or is second, does the rest of it, or nothing.
 */
#include "review_parts.h"

#define DAY_SECS ((time_t)86400)

/* --- the definition's state --- */

/* Writes changes of the state with the next date; false: not written. */
static bool write_state(struct b2b_definition *review, Modifications *mods)
{
	struct b2b_sweep *sweep = review->sweep;
	time_t due = sweep->now + DAY_SECS; /* one that means nothing is complained of once a day */
	int rc;

	if (review->valid)
		due = b2b_review_next_due(review->policy, &review->state, sweep->now);
	if (!mods && due == review->next_due)
		return false;
	if (due)
		b2b_record_set_time(&mods, B2B_ATTR_NEXT_DUE, due);
	else
		b2b_record_set(&mods, B2B_ATTR_NEXT_DUE, NULL);
	rc = b2b_inner_modify(sweep->op, sweep->tenant, &review->name, review->csn, mods, false);
	if (rc != LDAP_SUCCESS && rc != LDAP_ASSERTION_FAILED && rc != LDAP_NO_SUCH_OBJECT)
		Debug(LDAP_DEBUG_ANY, "b2b: review \"%s\": not written (%d)\n",
		      review->name.dn.bv_val, rc);
	return rc == LDAP_SUCCESS;
}

static void set_number(Modifications **mods, enum b2b_attr attr, unsigned number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	b2b_record_set(mods, attr, text);
}

/* What could not be done now is done by a later sweep: b2bNextDue stays as it is. */
static bool leave(const struct b2b_definition *review, const char *what, int rc)
{
	if (rc != LDAP_BUSY)
		Debug(LDAP_DEBUG_ANY, "b2b: review \"%s\": %s (%d), tried again\n",
		      review->name.dn.bv_val, what, rc);
	return false;
}

/* Does something with each of a list; LDAP_BUSY where the sweep must end before. */
typedef int each_item(struct b2b_definition *review, const struct b2b_review_found *item,
		      void *ctx);

static int for_each(struct b2b_definition *review, const struct b2b_review_list *list,
		    each_item *each, void *ctx)
{
	int rc = LDAP_SUCCESS;

	for (size_t i = 0; i < list->count && rc == LDAP_SUCCESS; i++) {
		rc = b2b_sweep_must_end(review->sweep) ? LDAP_BUSY
						       : each(review, &list->list[i], ctx);
		b2b_sweep_renew(review->sweep);
	}
	return rc;
}

/* --- start --- */

static int delete_former(struct b2b_definition *review, const struct b2b_review_found *item,
			 void *ctx)
{
	const unsigned *instance = ctx;
	struct b2b_sweep *sweep = review->sweep;
	char start[32];

	snprintf(start, sizeof(start), "cn=%u-", *instance);
	if (!strncmp(item->name.ndn.bv_val, start, strlen(start)))
		return LDAP_SUCCESS;
	int rc = b2b_inner_delete(sweep->op, sweep->tenant, &item->name, NULL);
	return rc == LDAP_NO_SUCH_OBJECT ? LDAP_SUCCESS : rc;
}

static int ask(struct b2b_definition *review, const struct b2b_review_found *guest, void *ctx)
{
	return b2b_review_ask(review, *(const unsigned *)ctx, guest);
}

static int make_items(struct b2b_definition *review, unsigned instance, size_t *count_r)
{
	struct b2b_sweep *sweep = review->sweep;
	struct b2b_review_list old = { 0 }, guests = { 0 };
	int rc = b2b_review_children(sweep->op, sweep->tenant, &review->name.ndn, &old);

	if (rc == LDAP_SUCCESS)
		rc = for_each(review, &old, delete_former, &instance);
	if (rc == LDAP_SUCCESS)
		rc = b2b_review_scope(review, &guests);
	if (rc == LDAP_SUCCESS)
		rc = for_each(review, &guests, ask, &instance);
	*count_r = guests.count;
	b2b_review_forget(&old);
	b2b_review_forget(&guests);
	return rc;
}

static bool start(struct b2b_definition *review)
{
	struct b2b_sweep *sweep = review->sweep;
	struct b2b_review_telling telling = {
		.instance = review->state.instance + 1,
		.due = sweep->now + (time_t)review->policy->duration_days * DAY_SECS,
	};
	Modifications *mods = NULL;
	size_t count;
	int rc = make_items(review, telling.instance, &count);

	if (rc == LDAP_SUCCESS)
		rc = b2b_review_tell(review, &telling);
	if (rc != LDAP_SUCCESS)
		return leave(review, "not started", rc);
	review->state.instance = telling.instance;
	review->state.opened = sweep->now;
	review->state.closes = telling.due;
	review->state.open = true;
	review->state.stage = 0;
	review->state.failed = false;
	set_number(&mods, B2B_ATTR_REVIEW_INSTANCE, telling.instance);
	b2b_record_set_time(&mods, B2B_ATTR_REVIEW_OPENED, sweep->now);
	b2b_record_set_time(&mods, B2B_ATTR_REVIEW_CLOSES, telling.due);
	set_number(&mods, B2B_ATTR_REVIEW_STAGE, 0);
	b2b_record_set(&mods, B2B_ATTR_REVIEW_ITEM_ERROR, NULL);
	if (!write_state(review, mods))
		return false;
	Debug(LDAP_DEBUG_STATS, "b2b: task review=\"%s\" started instance=%u guests=%lu\n",
	      review->name.dn.bv_val, telling.instance, (unsigned long)count);
	return true;
}

/* --- while it is open --- */

static bool remind(struct b2b_definition *review, unsigned days)
{
	struct b2b_review_telling telling = { .instance = review->state.instance,
					      .stage = review->state.stage,
					      .due = review->state.closes,
					      .reminder = days };
	Modifications *mods = NULL;
	int rc = b2b_review_tell(review, &telling);

	if (rc != LDAP_SUCCESS)
		return leave(review, "not reminded of", rc);
	review->state.reminded = review->sweep->now;
	b2b_record_set_time(&mods, B2B_ATTR_REVIEW_REMINDED, review->sweep->now);
	return write_state(review, mods);
}

static int pass_on(struct b2b_definition *review, const struct b2b_review_found *item, void *ctx)
{
	return b2b_review_pass_on(review, *(const unsigned *)ctx, item);
}

static bool advance(struct b2b_definition *review)
{
	struct b2b_sweep *sweep = review->sweep;
	struct b2b_review_telling telling = {
		.instance = review->state.instance,
		.stage = review->state.stage + 1,
		.due = sweep->now + (time_t)review->policy->duration_days * DAY_SECS,
	};
	struct b2b_review_list items = { 0 };
	Modifications *mods = NULL;
	int rc = b2b_review_items(review, telling.instance, NULL, &items);

	if (rc == LDAP_SUCCESS)
		rc = for_each(review, &items, pass_on, &telling.stage);
	b2b_review_forget(&items);
	if (rc == LDAP_SUCCESS)
		rc = b2b_review_tell(review, &telling);
	if (rc != LDAP_SUCCESS)
		return leave(review, "not handed on", rc);
	review->state.stage = telling.stage;
	review->state.closes = telling.due;
	set_number(&mods, B2B_ATTR_REVIEW_STAGE, telling.stage);
	b2b_record_set_time(&mods, B2B_ATTR_REVIEW_CLOSES, telling.due);
	if (!write_state(review, mods))
		return false;
	Debug(LDAP_DEBUG_STATS, "b2b: task review=\"%s\" instance=%u stage=%u\n",
	      review->name.dn.bv_val, telling.instance, telling.stage);
	return true;
}

/* --- end --- */

static int apply(struct b2b_definition *review, const struct b2b_review_found *item, void *ctx)
{
	unsigned *failures = ctx;
	bool failed;
	int rc = b2b_review_apply(review, item, &failed);

	*failures += failed;
	return rc;
}

/* Carries out the items that wait for it (state NULL: all that are not yet), and says in the
 * definition how many could not be. */
static bool apply_all(struct b2b_definition *review, const char *state, Modifications **mods)
{
	struct b2b_sweep *sweep = review->sweep;
	struct b2b_review_list items = { 0 };
	unsigned stops = 0, failures = 0;
	char text[64];
	int rc = b2b_review_items(review, review->state.instance, state, &items);

	if (rc == LDAP_SUCCESS)
		rc = b2b_review_count_stops(review, &items, &stops);
	if (rc == LDAP_SUCCESS && stops && !b2b_sweep_may_stop(sweep, stops))
		rc = LDAP_BUSY; /* more than were counted before the sweep began */
	if (rc == LDAP_SUCCESS)
		rc = for_each(review, &items, apply, &failures);
	b2b_review_forget(&items);
	if (rc != LDAP_SUCCESS)
		return leave(review, "not closed", rc);
	review->state.failed = failures != 0;
	snprintf(text, sizeof(text), "decisions that could not be carried out: %u", failures);
	b2b_record_set(mods, B2B_ATTR_REVIEW_ITEM_ERROR, failures ? text : NULL);
	return true;
}

static bool finish(struct b2b_definition *review)
{
	Modifications *mods = NULL;

	if (!apply_all(review, NULL, &mods))
		return false;
	review->state.open = false;
	review->state.closes = review->sweep->now;
	b2b_record_set(&mods, B2B_ATTR_REVIEW_STAGE, NULL);
	b2b_record_set_time(&mods, B2B_ATTR_REVIEW_CLOSES, review->sweep->now);
	if (!write_state(review, mods))
		return false;
	Debug(LDAP_DEBUG_STATS, "b2b: task review=\"%s\" closed instance=%u%s\n",
	      review->name.dn.bv_val, review->state.instance,
	      review->state.failed ? " with failures" : "");
	return true;
}

static bool try_again(struct b2b_definition *review)
{
	Modifications *mods = NULL;

	return apply_all(review, "failed", &mods) && write_state(review, mods);
}

/* --- what is due --- */

static bool step(struct b2b_definition *review)
{
	const struct b2b_review_state *state = &review->state;
	time_t now = review->sweep->now, when;
	unsigned days;

	if (!review->valid) {
		Debug(LDAP_DEBUG_ANY, "b2b: review \"%s\": %s: nothing is done about it\n",
		      review->name.dn.bv_val, review->error.text);
		return write_state(review, NULL);
	}
	if (state->open && state->closes <= now)
		return state->stage + 1 < review->policy->stage_count ? advance(review)
								      : finish(review);
	if (state->open) {
		when = b2b_review_next_reminder(review->policy, state, now, &days);
		return when && when <= now ? remind(review, days) : write_state(review, NULL);
	}
	when = b2b_review_next_start(review->policy, state, now);
	if (when && when <= now)
		return start(review);
	if (state->failed && now < state->closes + B2B_REVIEW_RETRY_SECS)
		return try_again(review);
	return write_state(review, NULL);
}

/* Whether decisions are to be carried out now: of items in a state, NULL: of all. */
static bool is_applying(const struct b2b_definition *review, const char **state_r)
{
	const struct b2b_review_state *state = &review->state;
	time_t now = review->sweep->now;

	*state_r = state->open ? NULL : "failed";
	if (!review->valid)
		return false;
	if (state->open)
		return state->closes <= now && state->stage + 1 >= review->policy->stage_count;
	return state->failed && now < state->closes + B2B_REVIEW_RETRY_SECS;
}

void b2b_review_count(struct b2b_sweep *sweep, const struct berval *ndn)
{
	struct b2b_review_list items = { 0 };
	struct b2b_definition review;
	const char *state;
	unsigned stops;

	if (b2b_review_get(sweep->op, sweep->tenant, ndn, &review)) {
		review.sweep = sweep;
		if (is_applying(&review, &state) &&
		    b2b_review_items(&review, review.state.instance, state, &items) == LDAP_SUCCESS)
			b2b_review_count_stops(&review, &items, &stops);
		b2b_review_forget(&items);
	}
	b2b_review_clear(&review);
}

bool b2b_review_run(struct b2b_sweep *sweep, const struct berval *ndn)
{
	struct b2b_definition review;
	bool written = false;

	if (b2b_review_get(sweep->op, sweep->tenant, ndn, &review)) {
		review.sweep = sweep;
		review.snapshot = b2b_tenant_snapshot(sweep->tenant);
		review.tenant = b2b_record_policy(review.snapshot);
		written = step(&review);
	}
	b2b_review_clear(&review);
	return written;
}

/* --- the end of a definition --- */

static bool will_go(Operation *op, struct b2b_tenant *tenant)
{
	Entry *e = b2b_entry_get(op, tenant, &op->o_req_ndn);
	bool will = e && is_entry_objectclass(e, b2b_oc_review, 0) && !op->o_noop &&
		    (!get_assert(op) || test_filter(op, e, get_assertion(op)) == LDAP_COMPARE_TRUE);

	if (e)
		b2b_entry_release(op, tenant, e);
	return will && b2b_access_may_write(op, tenant);
}

int b2b_review_drop(Operation *op, struct b2b_tenant *tenant)
{
	struct b2b_review_list items = { 0 };
	int rc;

	if (!will_go(op, tenant))
		return LDAP_SUCCESS;
	rc = b2b_review_children(op, tenant, &op->o_req_ndn, &items);
	for (size_t i = 0; i < items.count && rc == LDAP_SUCCESS; i++) {
		rc = b2b_inner_delete(op, tenant, &items.list[i].name, NULL);
		if (rc == LDAP_NO_SUCH_OBJECT)
			rc = LDAP_SUCCESS;
	}
	b2b_review_forget(&items);
	return rc;
}
