/*
 * life.h - what the hooks share about the life of a guest: invitations, mail, reviews, projects.
 * In: slapd's structures.  Out: included by those files of overlay/slapd that deal with it.
 *
 * Everything here that reads or writes runs as the server itself (the rootdn's name, no access
 * control, no hook of ours refuses it); whoever calls asks first whether a client may.
 */
#ifndef B2B_LIFE_H
#define B2B_LIFE_H

#include "glue.h"

#include <jansson.h>

#include "../core/invite.h"
#include "../core/limit.h"
#include "../core/mail.h"
#include "../core/review.h"
#include "../core/ticket.h"

/* inner.c: whole operations of the server's own.  All answer LDAP codes; entries and mods are moved. */
struct b2b_name {
	struct berval dn, ndn;
};
int b2b_inner_add(Operation *op, struct b2b_tenant *tenant, Entry *e);
/* csn: only if entryCSN is still this one (assertionFailed else); NULL: whatever it is.  quiet: as
 * by slapd's own housekeeping, modifiersName and modifyTimestamp stay what they are. */
int b2b_inner_modify(Operation *op, struct b2b_tenant *tenant, const struct b2b_name *name,
		     const char *csn, Modifications *mods, bool quiet);
/* csn as above. */
int b2b_inner_delete(Operation *op, struct b2b_tenant *tenant, const struct b2b_name *name,
		     const char *csn);
/* found is called for each entry (borrowed, with all its attributes); false stops.  It must not
 * write: collect what is to be done, then do it. */
typedef bool b2b_inner_found(void *ctx, Entry *e);
struct b2b_where {
	const struct berval *base_ndn;
	int scope;
	const char *filter;
	/* as clients see entries: what overlays make of them (slapo-dynlist) included; and within op's own
	 * reading of the database, for an op that is a search under way */
	bool as_seen;
};
int b2b_inner_search(Operation *op, struct b2b_tenant *tenant, const struct b2b_where *where,
		     b2b_inner_found *found, void *ctx);
/* Appends text to a filter, escaped (RFC 4515, 3); in op's memory. */
char *b2b_inner_escape(Operation *op, const struct berval *value);

/* entry.c: entries as the server makes them, and what stands in them */
Entry *b2b_entry_new(const struct berval *dn, const struct berval *ndn, const char *object_class);
/* "cn=<name>,<parent>", name escaped (RFC 4514); in op's memory. */
struct b2b_name b2b_entry_name(Operation *op, const char *rdn_attr, const char *name,
			       const struct b2b_name *parent);
/* NULL or "", and what stands there already: nothing */
void b2b_entry_put(Entry *e, const char *attribute, const char *value);
void b2b_entry_put_time(Entry *e, const char *attribute, time_t when);
/* First value of an attribute that need not be ours (mail, displayName, ...): a copy in op's
 * memory, or NULL. */
const char *b2b_entry_text(Operation *op, Entry *e, const char *attribute);
/* cn=<what>,<tenant entry>, made if it is not there: "outbox", "requests", "reviews".  Answers an
 * LDAP code. */
int b2b_entry_container(Operation *op, struct b2b_tenant *tenant, const char *what,
			struct b2b_name *name_r);

/* person.c: people of our directory */
/* A name on a list that any thread adds to, and the task takes whole. */
struct b2b_gone {
	struct b2b_gone *next;
	struct berval ndn; /* normalised; its text stands behind the struct */
};
struct b2b_gone *b2b_gone_new(const struct berval *ndn); /* ch_free */
void b2b_gone_add(struct b2b_gone *_Atomic *list, const struct berval *ndn);
void b2b_gone_forget(struct b2b_gone *_Atomic *list);
/* There, and not locked: pwdAccountLockedTime 000001010000Z, nsAccountLock TRUE, b2bAccountEnabled FALSE.
 * The rootdn and names outside of the tenant's database count as there. */
bool b2b_person_is_active(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn);
/* Is one of the list, or member of a group of the list (groups.c). */
bool b2b_person_is_among(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn,
			 const struct b2b_list *list);
/* The same, if one group (NULL: none) were empty. */
bool b2b_person_is_else_among(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn,
			      const struct b2b_list *list, const struct berval *but);
/* Those of the guest's reviewers (b2bReviewer, else b2bSponsor) that are active; where there are
 * none, those of the tenant's fallback.  In op's memory, BVNULL ends. */
struct berval *b2b_person_reviewers(Operation *op, struct b2b_tenant *tenant,
				    const struct b2b_tenant_policy *policy, Entry *guest);

/* outbox.c: cn=outbox, from which the mail daemon takes what it sends */
struct b2b_notice {
	const char *type; /* the template's name */
	const char *key;  /* what it is about, as one word: one type, key and recipient make one
				    notice, however often it is put */
	const struct berval *to;            /* recipient by its entry (normalised DN), or NULL: */
	const char *mail, *name, *language; /* recipient by address; all but mail may be NULL */
	const struct berval *guest;         /* normalised DN of the guest it is about, or NULL */
	json_t *data;                       /* object of strings, borrowed, or NULL */
};
/* LDAP_SUCCESS also where the notice stands already, and where the recipient has no address, which
 * is logged.  To what data says it adds: tenant (its name), base (normalised DN of the tenant entry),
 * guestName, guestMail. */
int b2b_outbox_put(Operation *op, struct b2b_tenant *tenant, const struct b2b_notice *notice);
/* The same for each of the guest's sponsors, and for the guest itself where to_guest; about says type,
 * key and data.  guest is a copy. */
void b2b_outbox_tell(Operation *op, struct b2b_tenant *tenant, Entry *guest,
		     const struct b2b_notice *about, bool to_guest);

/* Write rules for what stands in cn=outbox, cn=requests and below definitions of cn=reviews.  before
 * is NULL for an add, after for a delete; in an add after may be added to, in a modify mods may be
 * appended to.  LDAP_SUCCESS: go on; else error holds the text. */
typedef int b2b_judge(Operation *op, struct b2b_tenant *tenant, Entry *before, Entry *after,
		      Modifications **mods, struct b2b_error *error);
b2b_judge b2b_outbox_judge;  /* outbox.c */
b2b_judge b2b_request_judge; /* request.c */
b2b_judge b2b_item_judge;    /* review_item.c: b2bReviewItem */

/* life.c: all of them, by place and class, and what is asked of guests and projects besides: who may
 * invite, who may answer a review, who may enable again.  As b2b_judge. */
b2b_judge b2b_life_judge;
/* Whether an entry that is neither guest nor policy is ours to judge: a project, a notice, ... */
bool b2b_life_concerns(struct b2b_tenant *tenant, Entry *e);
/* The same of what has this name, and whether it is a guest; true where nobody can tell. */
bool b2b_life_concerns_name(Operation *op, struct b2b_tenant *tenant, struct berval *ndn);
/* Whether the task should see to it at once. */
bool b2b_life_hurries(Entry *e);

struct b2b_sweep;

/* assign.c: assignments of a guest follow op, which deleted it or gave it another name. */
void b2b_assign_follow(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn);

/* sponsor.c */
/* Notes that a person was deleted or locked; the next sweep looks whose sponsor it was. */
void b2b_sponsor_gone(struct b2b_tenant *tenant, const struct berval *ndn);
/* Whether a change could lock a person. */
bool b2b_sponsor_may_lock(const Modifications *mods);
/* Deals with all that were noted; and, where every sponsor of every guest is to be looked at, with
 * them too. */
void b2b_sponsor_run(struct b2b_sweep *sweep, bool all);

/* task.c: a sweep, as those see it who do what is due */
struct b2b_sweep {
	Operation *op; /* fresh for each entry that is handled */
	struct b2b_tenant *tenant;
	struct b2b_snapshot *snapshot;
	const struct b2b_tenant_policy *policy; /* NULL: defaults */
	time_t now;
};
/* Whether n guests more may be disabled or deleted in this sweep: no more than were counted before it
 * began (b2bMassLimit).  Who is one too many is left to the next sweep. */
bool b2b_sweep_may_stop(struct b2b_sweep *sweep, unsigned n);
/* One was. */
void b2b_sweep_stopped(struct b2b_sweep *sweep);
/* A guest that is enabled will be disabled in this sweep, for the end of something else than itself:
 * said while all are counted, before anything is done. */
void b2b_sweep_expect(struct b2b_sweep *sweep, const struct berval *ndn);
/* True: the sweep must end now (shutdown, a pause). */
bool b2b_sweep_must_end(const struct b2b_sweep *sweep);
/* A fresh operation, and the time of this moment, for the next thing to be done. */
void b2b_sweep_renew(struct b2b_sweep *sweep);
/* Runs the task at once; any thread. */
void b2b_task_wake(struct b2b_tenant *tenant);

/* What is due for an entry that b2bNextDue found; false: nothing could be written. */
bool b2b_guest_run(struct b2b_sweep *sweep, const struct berval *ndn);   /* sweep_guest.c */
bool b2b_project_run(struct b2b_sweep *sweep, const struct berval *ndn); /* project.c */
bool b2b_request_run(struct b2b_sweep *sweep, const struct berval *ndn); /* request.c */
bool b2b_review_run(struct b2b_sweep *sweep, const struct berval *ndn);  /* review.c: definitions */
/* Says b2b_sweep_expect of each guest that these would disable now. */
void b2b_project_count(struct b2b_sweep *sweep, const struct berval *ndn);
void b2b_review_count(struct b2b_sweep *sweep, const struct berval *ndn);
/* Of a client's deletion: where it is that of a definition, and will be done, its items go first.  An
 * LDAP code. */
int b2b_review_drop(Operation *op, struct b2b_tenant *tenant);
/* What only slapd can tell of a compiled definition: its filter, its names, whether its scope is ours.
 * Names are normalised.  review_read.c. */
enum b2b_err b2b_review_check(struct b2b_tenant *tenant, struct b2b_rule *rule,
			      struct b2b_error *error);
/* Off with a guest, for a reason, with its notices; an LDAP code.  Nothing is done to one that is off
 * already. */
int b2b_guest_disable(struct b2b_sweep *sweep, const struct berval *ndn, const char *reason);
/* Away with it and its memberships. */
int b2b_guest_delete(struct b2b_sweep *sweep, const struct berval *ndn, const char *reason);
/* Takes a guest out of a group by value; a group that must not be empty gets a placeholder. */
int b2b_group_remove(Operation *op, struct b2b_tenant *tenant, const struct berval *group_ndn,
		     const struct berval *member_ndn); /* leave.c */
/* Out of every group, and of every application it is assigned to by name. */
int b2b_group_remove_all(struct b2b_sweep *sweep, const struct berval *member_ndn);
/* Notes that op deleted a guest or gave it another name; the next sweep sees that no group has the old
 * one any more. */
void b2b_leave_note(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn);
void b2b_leave_run(struct b2b_sweep *sweep);
/* publish.c: b2bJwks of the tenant entry becomes what the key file holds. */
void b2b_publish_run(struct b2b_sweep *sweep);

/* exop.c: extended operations that carry one JSON object in and one out */
struct b2b_exop {
	Operation *op; /* o_bd is the tenant's database */
	SlapReply *rs;
	json_t *in; /* the request, an object that has known members alone */
	struct b2b_tenant
		*tenant; /* writable, where it is an update; TLS is there where it demands it */
};
/* Registers every extended operation of ours. */
int b2b_exop_register(void);
int b2b_invite_exop(struct b2b_exop *exop);   /* invite.c, .3.1 */
int b2b_redeem_exop(struct b2b_exop *exop);   /* redeem.c, .3.2 */
int b2b_passcode_exop(struct b2b_exop *exop); /* passcode.c, .3.3 */
int b2b_explain_exop(struct b2b_exop *exop);  /* explain.c, .3.5 */
int b2b_issue_exop(struct b2b_exop *exop);    /* issue.c, .3.4 */
int b2b_request_exop(struct b2b_exop *exop);  /* request.c, .3.6 */
int b2b_totp_exop(struct b2b_exop *exop);     /* totp_enrol.c, .3.7 */
/* Refuses; text is static or in op's memory, or NULL.  Answers err. */
int b2b_exop_refuse(struct b2b_exop *exop, int err, const char *text);
/* The same with "b2b: " and the error's text (none where it is empty). */
int b2b_exop_refuse_with(struct b2b_exop *exop, int err, const struct b2b_error *error);
/* Answers with a JSON object, which is moved. */
int b2b_exop_answer(struct b2b_exop *exop, json_t *out);

/* exop_read.c: members of the request.  All answer LDAP_SUCCESS, or what they refused with; a member
 * that is not there gives NULL, an empty list, BVNULL, 0. */
int b2b_exop_text(struct b2b_exop *exop, const char *member, const char **text_r); /* in->... */
/* A text alone is a list of one.  In op's memory, the texts in the request's. */
int b2b_exop_texts(struct b2b_exop *exop, const char *member, struct b2b_str **list_r,
		   size_t *count_r);
/* Normalised, in op's memory; it may lie anywhere: ask b2b_tenant_of before it is looked up. */
int b2b_exop_dn(struct b2b_exop *exop, const char *member, struct berval *ndn_r);
int b2b_exop_dns(struct b2b_exop *exop, const char *member,
		 struct berval **list_r); /* BVNULL ends */
/* GeneralizedTime or RFC 3339. */
int b2b_exop_time(struct b2b_exop *exop, const char *member, time_t *when_r);

/* invite.c, invite_make.c */
struct b2b_invitation {
	const char *mail, *tenant_id, *display_name, *message, *uid, *subject, *language;
	const struct berval *sponsors; /* normalised; BVNULL ends; none: the inviter */
	const struct b2b_str *apps;
	size_t app_count;
	time_t valid_until;       /* 0: the tenant's default */
	const struct berval *who; /* the inviter, normalised */
	time_t not_before;        /* a guest invited since then is not sent another invitation */
};
int b2b_invite_open(void); /* once, before all else */
int b2b_request_open(void);
/* Makes the guest, or sends the invitation of the one who is there again; the domain lists and
 * cross-tenant policy are asked, who may invite is not.  Answers an LDAP code with error. */
int b2b_invite_make(Operation *op, struct b2b_tenant *tenant,
		    const struct b2b_invitation *invitation, struct b2b_name *guest_r,
		    struct b2b_error *error);
/* Whether op's name may invite (b2bAllowInvitesFrom, b2bInviter). */
bool b2b_invite_may(Operation *op, struct b2b_tenant *tenant,
		    const struct b2b_tenant_policy *policy);
/* What is asked of an entry that somebody else than the rootdn adds as a guest: who may invite, the
 * domain lists, a partner that is blocked.  An LDAP code. */
int b2b_invite_check_add(Operation *op, struct b2b_tenant *tenant, Entry *e,
			 struct b2b_error *error);
/* The domain lists again, for addresses that a guest did not have before. */
int b2b_invite_check_mail(struct b2b_tenant *tenant, Entry *before, Entry *after,
			  struct b2b_error *error);
/* Hook bi_operational: b2bTicket in a post-read of who may manage it. */
int b2b_invite_operational(Operation *op, SlapReply *rs);

/* passcode.c */
/* Notes that who is bound to come under this name asks for a code; nothing is told, and nothing is
 * done in the caller's time. */
void b2b_passcode_ask(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn);
/* Notes a sign-in, once a day at most (b2bLastSignIn). */
void b2b_admission_note(Operation *op, struct b2b_tenant *tenant, struct berval *ndn,
			time_t last_sign_in);

#endif
