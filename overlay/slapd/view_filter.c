/*
 * view_filter.c - what a service account asks, as if the values that name hidden guests were not there;
 * and filters of guests that name no attribute.
 * In: their filters (search, assertion control), comparisons and sort keys.
 * Out: the same in the operation, with nothing in them that such a value could make true or false.
 *
 * Access control hides a value from an answer, but what a filter says of an entry it can only leave
 * undefined, which a negation tells from false.
 */
#include "glue.h"

/* An assertion whose rule knows nothing of hidden values.  slapd frees it as one block. */
struct asked {
	MatchingRuleAssertion mra; /* first */
	MatchingRule rule;         /* a copy of base with its own match function */
	MatchingRule *base;
	SubstringsAssertion *sub; /* of a substring filter, or NULL */
	bool present;             /* any value that is not hidden will do */
	const Syntax *uids;       /* of memberUid, whose values may be among them; or NULL */
	Operation *op;
	const struct b2b_passage *p;
};

static int match(int *match_r, slap_mask_t flags, Syntax *syntax, MatchingRule *rule,
		 struct berval *value, void *assertion)
{
	struct asked *asked = (void *)((char *)rule - offsetof(struct asked, rule));
	int rc = LDAP_SUCCESS;

	*match_r = 0;
	if (asked->sub)
		rc = asked->base->smr_match(match_r, SLAP_MR_SUBSTR, syntax, asked->base, value,
					    asked->sub);
	else if (!asked->present)
		rc = asked->base->smr_match(match_r, flags, syntax, asked->base, value, assertion);
	/* of many values few match: whom they name is looked up last */
	if ((rc == LDAP_SUCCESS && *match_r) ||
	    !(b2b_values_are_names(syntax) || syntax == asked->uids))
		return rc;
	if (b2b_values_hide(asked->op, asked->p, &asked->op->o_req_ndn, syntax, value)) {
		*match_r = 1;
		return LDAP_SUCCESS;
	}
	return rc;
}

static struct asked *new_asked(Operation *op, const struct b2b_passage *p, MatchingRule *base,
			       AttributeDescription *desc)
{
	struct asked *asked = op->o_tmpcalloc(1, sizeof(*asked), op->o_tmpmemctx);
	AttributeType *uids = at_find("memberUid");

	asked->op = op;
	asked->p = p;
	asked->base = base;
	asked->rule = *base;
	asked->rule.smr_match = match;
	asked->mra.ma_desc = desc;
	asked->mra.ma_rule = &asked->rule;
	if (!desc || b2b_values_concern(desc))
		asked->uids = uids ? uids->sat_syntax : NULL;
	return asked;
}

static void put_asked(Filter *f, struct asked *asked)
{
	f->f_choice = LDAP_FILTER_EXT;
	f->f_mra = &asked->mra;
}

static void leave_undefined(Filter *f)
{
	f->f_choice = SLAPD_FILTER_COMPUTED;
	f->f_result = SLAPD_COMPARE_UNDEFINED;
}

/* slapo-syncprov keeps a filter longer than the operation lives; and of a type with subtypes slapd's
 * rules hold for each of these, which is not asked where a rule is named. */
static bool can_ask(Operation *op, const AttributeDescription *desc)
{
	return op->o_sync <= SLAP_CONTROL_IGNORED && (!desc || !desc->ad_type->sat_subtypes);
}

/* Where all values are hidden access control leaves it undefined, which only a negation tells from
 * false. */
static void narrow_present(Operation *op, const struct b2b_passage *p, Filter *f, bool negated)
{
	AttributeDescription *desc = f->f_desc;
	MatchingRule *base = desc->ad_type->sat_equality;

	if (!negated || !b2b_values_concern(desc))
		return;
	if (!can_ask(op, desc) || !base) {
		leave_undefined(f);
		return;
	}
	struct asked *asked = new_asked(op, p, base, desc);
	ber_str2bv("", 0, 1, &asked->mra.ma_value);
	asked->present = true;
	put_asked(f, asked);
}

static void narrow_substrings(Operation *op, const struct b2b_passage *p, Filter *f)
{
	AttributeDescription *desc = f->f_sub_desc;
	MatchingRule *base = desc->ad_type->sat_substr;

	if (!b2b_values_concern(desc))
		return;
	if (!can_ask(op, desc) || !base) {
		leave_undefined(f);
		return;
	}
	struct asked *asked = new_asked(op, p, base, desc);
	if (desc->ad_type->sat_equality) { /* values are compared as they are kept for it */
		asked->rule.smr_normalize = desc->ad_type->sat_equality->smr_normalize;
		asked->rule.smr_syntax = desc->ad_type->sat_equality->smr_syntax;
	}
	ber_str2bv("", 0, 1, &asked->mra.ma_value);
	asked->sub = f->f_sub;
	put_asked(f, asked);
}

/* A value that nothing has, in the place of one that names a hidden guest. */
static void divert_value(Operation *op, const Syntax *syntax, struct berval *value)
{
	static const struct berval nowhere = BER_BVC("cn=nowhere"), none = BER_BVC("\x01");
	struct berval other, name = b2b_groups_name(value);

	if (b2b_values_are_names(syntax)) {
		struct berval parent;

		ber_dupbv_x(&parent, &name, op->o_tmpmemctx);
		build_new_dn(&other, &parent, (struct berval *)&nowhere, op->o_tmpmemctx);
		op->o_tmpfree(parent.bv_val, op->o_tmpmemctx);
	} else {
		other.bv_len = value->bv_len + none.bv_len;
		other.bv_val = op->o_tmpalloc(other.bv_len + 1, op->o_tmpmemctx);
		memcpy(other.bv_val, value->bv_val, value->bv_len);
		memcpy(other.bv_val + value->bv_len, none.bv_val, none.bv_len + 1);
	}
	op->o_tmpfree(value->bv_val, op->o_tmpmemctx);
	*value = other;
}

static void narrow_asserted(Operation *op, const struct b2b_passage *p, const Syntax *syntax,
			    struct berval *value)
{
	if (b2b_values_hide(op, p, &op->o_req_ndn, syntax, value))
		divert_value(op, syntax, value);
}

static void narrow_value(Operation *op, const struct b2b_passage *p, AttributeAssertion *ava)
{
	if (b2b_values_concern(ava->aa_desc))
		narrow_asserted(op, p, ava->aa_desc->ad_type->sat_syntax, &ava->aa_value);
}

/* "Sounds like" is another question than "is"; only where there is no rule for it are they one. */
static void narrow_approx(Operation *op, const struct b2b_passage *p, Filter *f)
{
	if (!f->f_av_desc->ad_type->sat_approx)
		narrow_value(op, p, f->f_ava);
	else if (b2b_values_concern(f->f_av_desc))
		leave_undefined(f);
}

/* slapd asks for the right to the value asserted, of each attribute that is looked at: what is asserted
 * must name nobody who is hidden. */
static void narrow_mra(Operation *op, const struct b2b_passage *p, MatchingRuleAssertion *mra)
{
	MatchingRule *rule = mra->ma_rule;
	struct berval value;

	if (mra->ma_desc) {
		narrow_asserted(op, p, mra->ma_desc->ad_type->sat_syntax, &mra->ma_value);
		return;
	}
	/* of no attribute: slapd normalises it later */
	if (!b2b_values_are_names(rule->smr_syntax) || !rule->smr_normalize ||
	    rule->smr_normalize(SLAP_MR_VALUE_OF_ASSERTION_SYNTAX, rule->smr_syntax, rule,
				&mra->ma_value, &value, op->o_tmpmemctx) != LDAP_SUCCESS)
		return;
	op->o_tmpfree(mra->ma_value.bv_val, op->o_tmpmemctx);
	mra->ma_value = value;
	narrow_asserted(op, p, rule->smr_syntax, &mra->ma_value);
}

static void narrow_rule(Operation *op, const struct b2b_passage *p, Filter *f)
{
	MatchingRuleAssertion *mra = f->f_mra;

	if (!mra->ma_rule || (mra->ma_desc && !b2b_values_concern(mra->ma_desc)))
		return;
	if (op->o_sync > SLAP_CONTROL_IGNORED) {
		leave_undefined(f);
		return;
	}
	narrow_mra(op, p, mra);
	struct asked *asked = new_asked(op, p, mra->ma_rule, mra->ma_desc);
	asked->mra.ma_value = mra->ma_value; /* moved */
	asked->mra.ma_rule_text = mra->ma_rule_text;
	asked->mra.ma_dnattrs = mra->ma_dnattrs;
	put_asked(f, asked);
	op->o_tmpfree(mra, op->o_tmpmemctx);
}

/* negated: by an odd number of negations around it. */
static void narrow(Operation *op, const struct b2b_passage *p, Filter *f, bool negated)
{
	if (f->f_choice & SLAPD_FILTER_UNDEFINED)
		return;
	switch (f->f_choice) {
	case LDAP_FILTER_NOT:
		narrow(op, p, f->f_not, !negated);
		break;
	case LDAP_FILTER_AND:
	case LDAP_FILTER_OR:
		for (Filter *part = f->f_list; part; part = part->f_next)
			narrow(op, p, part, negated);
		break;
	case LDAP_FILTER_PRESENT:
		narrow_present(op, p, f, negated);
		break;
	case LDAP_FILTER_EQUALITY:
		narrow_value(op, p, f->f_ava);
		break;
	case LDAP_FILTER_APPROX:
		narrow_approx(op, p, f);
		break;
	case LDAP_FILTER_GE:
	case LDAP_FILTER_LE:
		if (b2b_values_concern(f->f_av_desc))
			leave_undefined(f);
		break;
	case LDAP_FILTER_SUBSTRINGS:
		narrow_substrings(op, p, f);
		break;
	case LDAP_FILTER_EXT:
		narrow_rule(op, p, f);
		break;
	default:
		break;
	}
}

void b2b_filter_narrow(Operation *op, const struct b2b_passage *p)
{
	if (op->o_tag == LDAP_REQ_SEARCH && op->ors_filter) {
		narrow(op, p, op->ors_filter, false);
		op->o_tmpfree(op->ors_filterstr.bv_val, op->o_tmpmemctx);
		filter2bv_x(op, op->ors_filter, &op->ors_filterstr);
	}
	if (get_assert(op) && get_assertion(op))
		narrow(op, p, get_assertion(op), false);
	if (op->o_tag == LDAP_REQ_COMPARE && op->orc_ava)
		narrow_value(op, p, op->orc_ava);
}

bool b2b_filter_compares_hidden(Operation *op, const struct b2b_passage *p)
{
	struct b2b_tenant *tenant = b2b_tenant_of(&op->o_req_ndn);

	if (op->o_tag != LDAP_REQ_COMPARE || !tenant || !b2b_values_concern(op->orc_ava->aa_desc))
		return false;
	Entry *e = b2b_entry_get(op, tenant, &op->o_req_ndn);
	if (!e)
		return false;
	bool hidden = b2b_values_are_hidden(op, p, e, op->orc_ava->aa_desc);
	b2b_entry_release(op, tenant, e);
	return hidden;
}

/* --- sort keys --- */

/* Takes the next element off; its tag is not looked at: where slapd read the control it has put NULs
 * behind texts, over the tags that follow (measured).  False: there is none. */
static bool take_element(struct berval *rest, struct berval *element_r)
{
	BerElementBuffer buffer;
	BerElement *ber = (BerElement *)&buffer;

	ber_init2(ber, rest, 0);
	if (ber_skip_element(ber, element_r) == LBER_DEFAULT)
		return false;
	char *end = element_r->bv_val + element_r->bv_len;
	rest->bv_len -= (ber_len_t)(end - rest->bv_val);
	rest->bv_val = end;
	return true;
}

/* Whether one of the keys (RFC 2891) is an attribute whose values may be hidden; or they cannot be
 * read. */
static bool has_hidden_key(const struct berval *value)
{
	struct berval rest = *value, keys, key, name;

	if (BER_BVISEMPTY(value) || !take_element(&rest, &keys))
		return true;
	while (keys.bv_len) {
		AttributeDescription *desc = NULL;
		const char *why;

		if (!take_element(&keys, &key) || !take_element(&key, &name))
			return true;
		if (slap_bv2ad(&name, &desc, &why) == LDAP_SUCCESS && b2b_values_concern(desc))
			return true;
	}
	return false;
}

bool b2b_filter_sorts_hidden(Operation *op)
{
	for (LDAPControl **c = op->o_ctrls; c && *c; c++) {
		int id;

		if (strcmp((*c)->ldctl_oid, LDAP_CONTROL_SORTREQUEST) != 0 ||
		    slap_find_control_id((*c)->ldctl_oid, &id) != LDAP_SUCCESS ||
		    op->o_ctrlflag[id] <= SLAP_CONTROL_IGNORED ||
		    !has_hidden_key(&(*c)->ldctl_value))
			continue;
		if ((*c)->ldctl_iscritical)
			return true;
		op->o_ctrlflag[id] = SLAP_CONTROL_IGNORED;
	}
	return false;
}

/* --- filters that name no attribute: guests' too --- */

/* Whether a part of a filter is decided without an attribute that could be hidden: (&), (|), and
 * an extensible match of any attribute, which is false where it may look at none. */
static bool asks_no_attribute(const Filter *f)
{
	switch (f->f_choice & SLAPD_FILTER_MASK) {
	case LDAP_FILTER_AND:
	case LDAP_FILTER_OR:
		for (const Filter *part = f->f_list; part; part = part->f_next) {
			if (asks_no_attribute(part))
				return true;
		}
		return false;
	case LDAP_FILTER_NOT:
		return asks_no_attribute(f->f_not);
	case LDAP_FILTER_EXT:
		return !f->f_mra->ma_desc;
	case SLAPD_FILTER_COMPUTED:
		return f->f_result != SLAPD_COMPARE_UNDEFINED;
	default:
		return false;
	}
}

/* A filter that is true of a hidden entry would have it counted, in size limits and list views:
 * such a one is asked together with (objectClass=*), which never is. */
void b2b_filter_close(Operation *op)
{
	Filter *all, *class;

	if (op->o_tag != LDAP_REQ_SEARCH || !op->ors_filter || !asks_no_attribute(op->ors_filter))
		return;
	all = op->o_tmpcalloc(1, sizeof(*all), op->o_tmpmemctx);
	class = op->o_tmpcalloc(1, sizeof(*class), op->o_tmpmemctx);
	class->f_choice = LDAP_FILTER_PRESENT;
	class->f_desc = slap_schema.si_ad_objectClass;
	class->f_next = op->ors_filter;
	all->f_choice = LDAP_FILTER_AND;
	all->f_and = class;
	op->ors_filter = all; /* freed with the operation, part by part */
	op->o_tmpfree(op->ors_filterstr.bv_val, op->o_tmpmemctx);
	filter2bv_x(op, op->ors_filter, &op->ors_filterstr);
}
