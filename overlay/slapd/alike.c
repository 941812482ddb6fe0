/*
 * alike.c - what is hidden and what does not exist: the same answers.
 * In: an operation of a guest or of a service account.  Out: a callback that mends what slapd
 * answers.
 */
#include "glue.h"

/* A search may wait for its client for as long as that one likes.  If the gate was taken away meanwhile,
 * nobody hides anything any more: it ends. */
static bool is_unguarded(Operation *op)
{
	return op->o_tag == LDAP_REQ_SEARCH && !b2b_gate_stands();
}

/* A guest whose access ended during its operation, so that it does not even see where that began, hears
 * what its next one would. */
static void say_denial(Operation *op, SlapReply *rs)
{
	struct b2b_passage *p = b2b_passage_find(op);
	char text[B2B_ANSWER_SIZE];

	if (!p || p->who != B2B_WHO_GUEST || p->verdict.effect == B2B_ALLOW)
		return;
	b2b_map_answer(p->verdict.reason, text);
	rs->sr_err = b2b_map_code(p->verdict.reason);
	rs->sr_text = b2b_map_copy(op, text);
}

/* Makes the answers about hidden and missing entries alike. */
static int hide_existence(Operation *op, SlapReply *rs)
{
	bool adds_in_vain = op->o_callback->sc_private != NULL;

	if (rs->sr_type != REP_RESULT)
		return is_unguarded(op) ? LDAP_BUSY : SLAP_CB_CONTINUE;
	if (is_unguarded(op))
		rs->sr_err = LDAP_BUSY;
	if (op->o_tag == LDAP_REQ_SEARCH)
		b2b_narrow_learn(op);
	/* slapd looks for the name before it asks whether the account may add at all */
	if (rs->sr_err == LDAP_ALREADY_EXISTS && adds_in_vain) {
		rs->sr_err = LDAP_INSUFFICIENT_ACCESS;
		rs->sr_text = "no write access to parent";
	}
	/* where an alias leads to a hidden entry, the search is told that there is none */
	if (rs->sr_err == LDAP_ALIAS_PROBLEM) {
		rs->sr_err = LDAP_NO_SUCH_OBJECT;
		rs->sr_text = NULL;
	}
	/* of a hidden entry it comes without a matched DN, of a missing one with */
	if (rs->sr_err == LDAP_NO_SUCH_OBJECT && rs->sr_matched) {
		if (rs->sr_flags & REP_MATCHED_MUSTBEFREED) {
			ch_free((char *)rs->sr_matched);
			rs->sr_flags &= ~(slap_mask_t)REP_MATCHED_MUSTBEFREED;
		}
		rs->sr_matched = NULL;
	}
	if (rs->sr_err == LDAP_NO_SUCH_OBJECT &&
	    (op->o_tag == LDAP_REQ_SEARCH || op->o_tag == LDAP_REQ_COMPARE))
		say_denial(op, rs);
	return SLAP_CB_CONTINUE;
}

void b2b_alike_answers(Operation *op, bool adds_in_vain)
{
	slap_callback *cb = op->o_tmpcalloc(1, sizeof(*cb), op->o_tmpmemctx);

	cb->sc_response = hide_existence;
	cb->sc_private = adds_in_vain ? cb : NULL;
	cb->sc_next = op->o_callback;
	op->o_callback = cb;
}
