/*
 * review_tell.c - notices about a review: to reviewers, once for all their items, and to those who
 * stand in for others.
 * In: the items of a stage.  Out: notices in cn=outbox, of types review, reminder, reviewer-gone.
 */
#include "review_parts.h"

/* Somebody who is to be told, and of what. */
struct addressee {
	struct berval ndn;
	unsigned items;
	char *guest, *item, *recommendation; /* of the first of them */
};

struct addressees {
	struct addressee *list; /* by name */
	size_t count, room;
};

struct tally {
	struct b2b_definition *review;
	const struct b2b_review_telling *telling;
	struct addressees reviewers, standing_in;
	struct b2b_review_names gone;
};

/* --- who --- */

static struct addressee *find(struct addressees *all, const struct berval *ndn)
{
	size_t low = 0, high = all->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(all->list[middle].ndn.bv_val, ndn->bv_val);

		if (order == 0)
			return &all->list[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (all->count == all->room) {
		all->room = all->room ? 2 * all->room : 16;
		all->list = ch_realloc(all->list, all->room * sizeof(*all->list));
	}
	memmove(&all->list[low + 1], &all->list[low], (all->count - low) * sizeof(*all->list));
	memset(&all->list[low], 0, sizeof(*all->list));
	ber_dupbv(&all->list[low].ndn, (struct berval *)ndn);
	all->count++;
	return &all->list[low];
}

static void drop(struct addressees *all)
{
	for (size_t i = 0; i < all->count; i++) {
		ch_free(all->list[i].ndn.bv_val);
		ch_free(all->list[i].guest);
		ch_free(all->list[i].item);
		ch_free(all->list[i].recommendation);
	}
	ch_free(all->list);
	memset(all, 0, sizeof(*all));
}

static void count_item(struct addressee *who, unsigned items, const char *guest, const char *item,
		       const char *recommendation)
{
	if (!who->items) {
		who->guest = ch_strdup(guest);
		who->item = ch_strdup(item);
		who->recommendation = ch_strdup(recommendation);
	}
	who->items += items;
}

static const char *first(Entry *e, enum b2b_attr attr)
{
	Attribute *a = attr_find(e->e_attrs, b2b_ad[attr]);

	return a ? a->a_vals[0].bv_val : "";
}

/* Takes what stands in quotes behind the words of review_ask.c, of this stage. */
static bool find_gone(Entry *item, unsigned stage, struct b2b_review_names *gone)
{
	Attribute *a = attr_find(item->e_attrs, b2b_ad[B2B_ATTR_REVIEW_HISTORY]);
	char words[64];
	bool found = false;

	snprintf(words, sizeof(words), "Z stage %u %s", stage, B2B_REVIEW_GONE);
	for (unsigned i = 0; a && i < a->a_numvals; i++) {
		const char *at = strstr(a->a_vals[i].bv_val, words), *open, *close;

		/* right behind the time: no justification can pretend to be one */
		if (at != a->a_vals[i].bv_val + B2B_TIME_SIZE - 2)
			continue;
		found = true;
		for (at += strlen(words);
		     (open = strchr(at, '"')) && (close = strchr(open + 1, '"')); at = close + 1) {
			struct berval ndn = { (ber_len_t)(close - open - 1), (char *)open + 1 };

			b2b_review_add_name(gone, &ndn);
		}
	}
	return found;
}

static void tally_item(struct tally *tally, Entry *e)
{
	struct b2b_source source = b2b_map_source(e);
	Attribute *a = attr_find(e->e_attrs, b2b_ad[B2B_ATTR_REVIEWER]);
	bool reminds = tally->telling->reminder != 0;
	struct b2b_review_item item;

	b2b_review_item_read(&source, &item);
	if (item.stage != tally->telling->stage ||
	    (item.state != B2B_ITEM_ASKED && (reminds || item.state != B2B_ITEM_ANSWERED)))
		return;
	bool gone = !reminds && find_gone(e, item.stage, &tally->gone);
	for (unsigned i = 0; a && i < a->a_numvals; i++) {
		Attribute *about = attr_find(e->e_attrs, b2b_ad[B2B_ATTR_REVIEW_GUEST]);
		const char *guest = about ? about->a_nvals[0].bv_val : "";
		const char *advice = first(e, B2B_ATTR_REVIEW_RECOMMENDATION);

		count_item(find(&tally->reviewers, &a->a_nvals[i]), 1, guest, e->e_name.bv_val,
			   advice);
		if (gone)
			count_item(find(&tally->standing_in, &a->a_nvals[i]), 1, guest,
				   e->e_name.bv_val, advice);
	}
	if (tally->gone.count > 100)
		b2b_review_sort_names(&tally->gone);
}

/* Puts the members of groups in the groups' place. */
static void open_groups(struct b2b_sweep *sweep, struct addressees *all)
{
	struct addressees persons = { 0 };

	for (size_t i = 0; i < all->count; i++) {
		struct addressee *who = &all->list[i];
		struct b2b_review_names members = { 0 };
		Entry *e = b2b_review_copy(sweep->op, sweep->tenant, &who->ndn, NULL);

		if (e && b2b_review_is_group(e))
			b2b_review_expand(sweep->op, sweep->tenant, &who->ndn, &members, NULL);
		else
			b2b_review_add_name(&members, &who->ndn);
		for (size_t j = 0; j < members.count; j++)
			count_item(find(&persons, &members.list[j]), who->items, who->guest,
				   who->item, who->recommendation);
		b2b_review_drop_names(&members);
		if (e)
			entry_free(e);
		b2b_sweep_renew(sweep);
	}
	drop(all);
	*all = persons;
}

/* --- what they are told --- */

static void set_text(json_t *data, const char *member, const char *text)
{
	if (text && *text)
		json_object_set_new(data, member, json_string(text));
}

/* Of one guest the notice is about that guest; of several it says how many there are. */
static json_t *make_data(const struct tally *tally, const struct addressee *who)
{
	static const char *const silences[] = { "Deny", "Approve", "Recommendation" };
	const struct b2b_definition *review = tally->review;
	char due[B2B_TIME_SIZE], count[16];
	json_t *data = json_object();

	b2b_time_format(tally->telling->due, due);
	snprintf(count, sizeof(count), "%u", who->items);
	set_text(data, "due", due);
	set_text(data, "review", review->cn);
	set_text(data, "instructions", review->policy->instructions);
	set_text(data, "silence", silences[review->policy->silence]);
	set_text(data, "item", who->items == 1 ? who->item : review->name.dn.bv_val);
	if (who->items == 1)
		set_text(data, "recommendation", who->recommendation);
	else
		set_text(data, "count", count);
	return data;
}

static int tell_one(struct tally *tally, const struct addressee *who, const char *type,
		    json_t *data)
{
	const struct b2b_review_telling *telling = tally->telling;
	struct b2b_sweep *sweep = tally->review->sweep;
	struct berval guest;
	char key[128];
	struct b2b_notice notice = { .type = type, .key = key, .to = &who->ndn, .data = data };

	snprintf(key, sizeof(key), "%s/%u/%u/%u", tally->review->uuid, telling->instance,
		 telling->stage, telling->reminder);
	if (who->items == 1) {
		ber_str2bv(who->guest, 0, 0, &guest);
		notice.guest = &guest;
	}
	return b2b_outbox_put(sweep->op, sweep->tenant, &notice);
}

/* The names of who is gone, as many as one reads. */
static char *list_gone(const struct b2b_review_names *gone)
{
	enum { SHOWN = 10 };
	size_t room = 8, used = 0;
	char *text;

	for (size_t i = 0; i < gone->count && i < SHOWN; i++)
		room += gone->list[i].bv_len + 2;
	text = ch_calloc(1, room);
	for (size_t i = 0; i < gone->count && i < SHOWN; i++)
		used += (size_t)snprintf(text + used, room - used, "%s%s", i ? "; " : "",
					 gone->list[i].bv_val);
	if (gone->count > SHOWN)
		snprintf(text + used, room - used, "; ...");
	return text;
}

static int tell_all(struct tally *tally, const struct addressees *all, const char *type,
		    const char *gone)
{
	struct b2b_sweep *sweep = tally->review->sweep;
	int rc = LDAP_SUCCESS;

	for (size_t i = 0; i < all->count && rc == LDAP_SUCCESS; i++) {
		json_t *data = make_data(tally, &all->list[i]);

		/* empty where there never was any */
		if (gone)
			json_object_set_new(data, "reviewer", json_string(gone));
		rc = b2b_sweep_must_end(sweep) ? LDAP_BUSY
					       : tell_one(tally, &all->list[i], type, data);
		json_decref(data);
		b2b_sweep_renew(sweep);
	}
	return rc;
}

int b2b_review_tell(struct b2b_definition *review, const struct b2b_review_telling *telling)
{
	struct tally tally = { .review = review, .telling = telling };
	struct b2b_sweep *sweep = review->sweep;
	struct b2b_review_list items = { 0 };
	char *gone = NULL;
	int rc = b2b_review_items(review, telling->instance, NULL, &items);

	for (size_t i = 0; i < items.count && rc == LDAP_SUCCESS; i++) {
		Entry *e = b2b_review_copy(sweep->op, sweep->tenant, &items.list[i].name.ndn, &rc);

		if (e)
			tally_item(&tally, e);
		if (e)
			entry_free(e);
		if (rc == LDAP_NO_SUCH_OBJECT)
			rc = LDAP_SUCCESS;
		if (b2b_sweep_must_end(sweep))
			rc = LDAP_BUSY;
		b2b_sweep_renew(sweep);
	}
	open_groups(sweep, &tally.reviewers);
	open_groups(sweep, &tally.standing_in);
	b2b_review_sort_names(&tally.gone);
	gone = list_gone(&tally.gone);
	if (rc == LDAP_SUCCESS)
		rc = tell_all(&tally, &tally.standing_in, "reviewer-gone", gone);
	if (rc == LDAP_SUCCESS)
		rc = tell_all(&tally, &tally.reviewers, telling->reminder ? "reminder" : "review",
			      NULL);
	ch_free(gone);
	drop(&tally.reviewers);
	drop(&tally.standing_in);
	b2b_review_drop_names(&tally.gone);
	b2b_review_forget(&items);
	return rc;
}
