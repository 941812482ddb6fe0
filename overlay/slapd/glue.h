/*
 * glue.h - what the hooks share: tenants, sessions, passages, the translator.
 * In: slapd's structures (slap.h).  Out: included by all of overlay/slapd, by nobody else.
 *
 * Lock order: tenant->policy_mutex, then tenant->snapshot_mutex; a session stripe and the
 * mutex of groups.c are held alone.
 * policy_mutex alone is held across calls into slapd, and those only read.  The list of tenants
 * and all configuration change with the pool paused only.
 */
#ifndef B2B_GLUE_H
#define B2B_GLUE_H

#include "portable.h"

#include <stdatomic.h>
#include <stdio.h>

#include <ac/string.h>
#include <ac/time.h>

#include "slap.h"

#include "slap-config.h"

#include "../core/decide.h"
#include "../core/guest.h"
#include "../core/jose.h"
#include "../core/limit.h"
#include "../core/replay.h"
#include "../core/seal.h"
#include "../core/snapshot.h"
#include "../core/ticket.h"
#include "../core/token.h"
#include "home.h"

#define B2B_OID "2.25.197761738801757102242170991844305268053" /* as in schema/b2b.schema */

/* One `overlay b2b`: the tenant of one database. */
struct b2b_tenant {
	struct b2b_tenant *next;
	BackendDB *be; /* the database itself, never a copy of it */
	bool open;     /* hooks act only while it is; false for ever once closed for good */

	struct berval base, nbase; /* DN of the tenant entry; derived where not configured */
	bool base_configured;
	unsigned sweep_interval_secs, sweep_batch;
	unsigned home_timeout_secs, home_concurrency;
	char *key_file;
	/* of key_file; NULL: none is configured, or it cannot be used */
	struct b2b_seal *seal;
	struct b2b_mint *mint;     /* of tickets and mailed codes */
	struct b2b_signer *signer; /* of tokens for our members; it changes with the pool paused */
	struct b2b_limits *limits; /* how often strangers may ask */

	ldap_pvt_thread_mutex_t snapshot_mutex; /* guards snapshot, the pointer */
	struct b2b_snapshot *snapshot;
	_Atomic uint64_t published;           /* how many snapshots were, this one among them */
	ldap_pvt_thread_mutex_t policy_mutex; /* from reading policy entries to publishing them */
	struct b2b_homes *homes;
	struct b2b_groups *groups; /* never NULL */
	struct b2b_replay *replay; /* tokens of partners with b2bTokenOnce that were used */
	struct re_s *task;
	_Atomic bool woken;    /* the task runs once more as soon as it has ended */
	_Atomic bool repaired; /* no guest has a wrong b2bNextDue, as far as the task knows */
	bool incomplete;       /* the policy published is not all there is; under policy_mutex */
	ID swept;              /* where the task goes on in its next run; 0: at the beginning */
	struct b2b_gone *_Atomic gone; /* sponsor.c: people who were deleted or locked */
	struct b2b_gone *_Atomic left; /* leave.c: guests who were deleted */
	_Atomic unsigned refs; /* the overlay's own, and one for each bind that waits for a home */
};

extern struct b2b_tenant *b2b_tenants; /* all open tenants */

/* tenant.c */
int b2b_tenant_register(void);
/* The tenant whose database holds ndn, or NULL. */
struct b2b_tenant *b2b_tenant_of(const struct berval *ndn);
/* A reference on the current policy; release with b2b_snapshot_unref. Never NULL. */
struct b2b_snapshot *b2b_tenant_snapshot(struct b2b_tenant *tenant);
void b2b_tenant_publish(struct b2b_tenant *tenant, struct b2b_snapshot *snapshot); /* moved */
void b2b_tenant_release(struct b2b_tenant **tenant);
/* The same as b2b_entry_get, told apart: noSuchObject where there is no entry, any other code where
 * that is not known. */
int b2b_entry_read(Operation *op, struct b2b_tenant *tenant, struct berval *ndn, Entry **e_r);
/* Fetches an entry of a tenant's database without regard to access control.  Release with
 * b2b_entry_release; hold it across nothing that waits.  NULL where there is none. */
static inline Entry *b2b_entry_get(Operation *op, struct b2b_tenant *tenant, struct berval *ndn)
{
	Entry *e;

	b2b_entry_read(op, tenant, ndn, &e);
	return e;
}
void b2b_entry_release(Operation *op, struct b2b_tenant *tenant, Entry *e);
/* Whether the task and a redemption may write here: no consumer, not read-only. */
bool b2b_tenant_is_writable(const struct b2b_tenant *tenant);
static inline struct b2b_tenant *b2b_tenant_here(Operation *op)
{
	return ((slap_overinst *)op->o_bd->bd_info)->on_bi.bi_private;
}
/* Answers from a hook of the database role, past the hooks below it; returns err. */
int b2b_tenant_refuse(Operation *op, SlapReply *rs, int err, const char *text);

/* config.c: the options */
int b2b_config_register(BackendInfo *bi);
void b2b_config_default(struct b2b_tenant *tenant);
void b2b_config_derive_base(struct b2b_tenant *tenant);
/* Reads the key file again; what is wrong with it is logged. */
void b2b_config_load_key(struct b2b_tenant *tenant);
struct b2b_homes_limits b2b_config_home_limits(const struct b2b_tenant *tenant);

/* policy.c: reads policy entries into snapshots */
/* Compiles the whole policy of a tenant from its database; logs what does not parse. */
int b2b_policy_load(struct b2b_tenant *tenant);
/* Reads one entry again after a write and publishes the policy with it, or without. */
void b2b_policy_refresh(Operation *op, struct b2b_tenant *tenant, struct berval *ndn);
/* Which kind of rule an entry is by class and place.  B2B_ERR_INVALID: one of our classes where
 * it has no meaning, or another class where only ours has. */
enum b2b_err b2b_policy_kind(struct b2b_tenant *tenant, Entry *e, enum b2b_rule_kind *kind_r,
			     struct b2b_error *error);
enum b2b_err b2b_policy_check(struct b2b_tenant *tenant, Entry *e, struct b2b_error *error);
/* What stands below the tenant entry and is no rule of the snapshot: directly in cn=outbox, directly
 * in cn=requests, or below a definition in cn=reviews. */
enum b2b_place { B2B_PLACE_OTHER = 0, B2B_PLACE_OUTBOX, B2B_PLACE_REQUESTS, B2B_PLACE_ITEMS };
enum b2b_place b2b_policy_place(struct b2b_tenant *tenant, const struct berval *ndn);
/* Whether ndn is one of these containers (cn=reviews among them, and cn=direct, where nothing should
 * be) or stands in one: nothing there is
 * part of a snapshot, and nothing there is for guests and programs. */
bool b2b_policy_is_private(struct b2b_tenant *tenant, const struct berval *ndn);

/* record.c: what a guest's entry must be */
struct b2b_record_change {
	const struct b2b_tenant_policy *policy; /* may be NULL: defaults */
	time_t now;
	const struct berval *who; /* who writes */
	bool relaxed;             /* the writer may set what the server alone writes */
	bool signs;               /* tickets can be made, so invitations are mailed */
};
/* A guest as it was read, to be written back only if nobody changed it meanwhile. */
struct b2b_record_read {
	struct berval dn, ndn; /* in op's memory */
	char csn[LDAP_PVT_CSNSTR_BUFSIZE];
	struct b2b_guest guest;
	char next_due[B2B_TIME_SIZE]; /* b2bNextDue as it stands; empty: absent */
};
/* The tenant's settings, or NULL where its entry is missing or invalid. */
const struct b2b_tenant_policy *b2b_record_policy(const struct b2b_snapshot *snapshot);
/* False: there is no such guest. */
bool b2b_record_read(Operation *op, struct b2b_tenant *tenant, struct berval *ndn,
		     struct b2b_record_read *read_r);
/* The same of an entry at hand, which is held or a copy. */
bool b2b_record_take(Operation *op, Entry *e, struct b2b_record_read *read_r);
/* Fills in what a new guest lacks.  True: there is an invitation to mail. */
bool b2b_record_complete(const struct b2b_record_change *change, Entry *e);
/* Whether e may be written, and if not, what is wrong. */
enum b2b_err b2b_record_check(Entry *e, struct b2b_error *error);
/* Whether the first part of a name may name a guest. */
enum b2b_err b2b_record_check_name(const struct berval *dn, struct b2b_error *error);
/* Appends what takes the server's own attributes off an entry that is a guest no longer. */
void b2b_record_forget(Entry *after, Modifications **mods);
/* Appends to mods what follows from changing before (no guest: it becomes one) into after;
 * true as above. */
bool b2b_record_follow(const struct b2b_record_change *change, Entry *before, Entry *after,
		       Modifications **mods);
/* Appends a server's own change; a NULL value deletes the attribute if it is there. */
void b2b_record_set(Modifications **mods, enum b2b_attr attr, const char *value);
void b2b_record_set_bytes(Modifications **mods, enum b2b_attr attr, const struct berval *value);
void b2b_record_set_time(Modifications **mods, enum b2b_attr attr, time_t when);
/* Appends who answered a review, when, and a line of history. */
void b2b_record_note_review(time_t now, const char *who, const char *decision,
			    const char *justification, Modifications **mods);
/* The history alone. */
void b2b_record_note_history(time_t now, const char *who, const char *decision,
			     const char *justification, Modifications **mods);
/* Moves b2bNextDue to due (0: away) if it does not stand there; the old value is deleted by value,
 * so that of several servers one succeeds. */
void b2b_record_set_due(const struct b2b_record_read *read, time_t due, Modifications **mods);
/* Appends what disables a guest for a reason; says when it may be deleted. */
time_t b2b_record_disable(const struct b2b_tenant_policy *policy, const char *reason, time_t now,
			  Modifications **mods);

/* inner.c: operations of the server's own, within a client's */
struct b2b_inner {
	Operation op;
	Opheader header;
	void *controls[SLAP_MAX_CIDS];
};
/* Sets up an operation in the rootdn's name on the tenant's database; the caller adds names, callback
 * and request.  Returns &inner->op, which lives as long as inner and op. */
Operation *b2b_inner_begin(struct b2b_inner *inner, Operation *op, struct b2b_tenant *tenant,
			   ber_tag_t tag);
/* Whether op is a write of the server's own (life.h has them whole). */
bool b2b_inner_is(const Operation *op);

/* keeper.c: the write hooks of the database role */
int b2b_keeper_add(Operation *op, SlapReply *rs);
int b2b_keeper_modify(Operation *op, SlapReply *rs);
int b2b_keeper_modrdn(Operation *op, SlapReply *rs);
int b2b_keeper_delete(Operation *op, SlapReply *rs);
/* Modifies a guest as the server itself, if it still stands as read; mods are moved.  Answers an
 * LDAP code: assertionFailed where somebody was faster. */
int b2b_keeper_write(Operation *op, struct b2b_tenant *tenant, struct b2b_record_read *read,
		     Modifications *mods);

/* image.c: the entry that a modify is about, before and after it; the caller frees both with
 * entry_free.  False: there is none, or the change does not apply (slapd then says why), or, with
 * a text in error, the entry cannot be read. */
bool b2b_image_get(Operation *op, struct b2b_tenant *tenant, Entry **before_r, Entry **after_r,
		   struct b2b_error *error);

/* map.c: the translator */
int b2b_map_register_schema(void);
extern AttributeDescription *b2b_ad[B2B_ATTR_COUNT];
extern ObjectClass *b2b_oc_guest, *b2b_oc_tenant, *b2b_oc_default, *b2b_oc_partner, *b2b_oc_app,
	*b2b_oc_access, *b2b_oc_review, *b2b_oc_item, *b2b_oc_project, *b2b_oc_notice,
	*b2b_oc_request;
/* The core's view of an entry; borrowed.  DN-valued attributes are given normalised. */
struct b2b_source b2b_map_source(Entry *e);
bool b2b_map_is_guest(Entry *e);
/* A guest whose strings live in op's memory, so that the entry may be released. */
void b2b_map_guest(Operation *op, Entry *e, struct b2b_guest *guest_r);
/* Where an operation comes from; strings borrowed from the connection and from service. */
struct b2b_door b2b_map_door(Operation *op, const struct berval *service_ndn);
/* Whether op runs under the very name that its connection is bound as. */
bool b2b_map_is_own_name(Operation *op);
/* TLS, ldapi, or a SASL security layer. */
bool b2b_map_is_protected(Operation *op);
/* What op itself says of the circumstances: time, and at other stages than ELSEWHERE the connection. */
struct b2b_context b2b_map_context(Operation *op, enum b2b_stage stage);
static inline struct b2b_str b2b_map_str(const struct berval *bv)
{
	return (struct b2b_str){ bv->bv_val, bv->bv_len };
}
/* One line at STATS for every denial (design section 11). */
void b2b_map_log_denial(Operation *op, const struct b2b_guest *guest, const char *app_id,
			const struct b2b_verdict *verdict);
/* The same of a member of ours who would be a guest of partner_id. */
void b2b_map_log_out(Operation *op, const struct berval *ndn, struct b2b_str partner_id,
		     struct b2b_str app_id, const struct b2b_verdict *verdict);
/* The line of a token that was given to a member; jti is all of it that is told. */
void b2b_map_log_token(Operation *op, const struct berval *ndn, struct b2b_str partner_id,
		       struct b2b_str app_id, const char *jti);
const char *b2b_map_app_id(const struct b2b_rule *app); /* "directory" for NULL */
/* What the client hears of a denial once the proof was right: the code, and "b2b: <reason>". */
int b2b_map_code(enum b2b_reason reason);
#define B2B_ANSWER_SIZE 64
void b2b_map_answer(enum b2b_reason reason, char text_r[B2B_ANSWER_SIZE]);
/* NUL-terminated copy in op's memory. */
const char *b2b_map_copy(Operation *op, const char *text);
struct b2b_str b2b_map_copy_str(Operation *op, struct b2b_str value);
/* Whom a proof from home is about, in op's memory: this very entry, its home tenant and subject.
 * An entry that was made anew, or handed to another person, gives another one. */
struct berval b2b_map_person(Operation *op, Entry *e);

/* Whom a token is about, though no entry of ours stands for it (direct connect). */
struct b2b_stranger {
	struct b2b_str tenant_id, subject, email; /* email: as home verified it, or empty */
	time_t expires;                           /* of the token, and of all that it opened */
};

/* What a guest's proof told, for as long as the guest stays bound. */
struct b2b_proof {
	enum b2b_idp kind;
	struct berval person; /* whom it is about (b2b_map_person) */
	struct berval app_dn; /* the application a token's audience stands for; BVNULL: none */
	struct b2b_sign_in sign_in;
	bool groups_known;
	struct b2b_str *groups;
	size_t group_count;
	bool direct; /* person is the name bound, and the next is set: */
	struct b2b_stranger stranger;
};

/* session.c: who is bound on a connection */
enum b2b_who { B2B_WHO_UNKNOWN = 0, B2B_WHO_OTHER, B2B_WHO_GUEST };
struct b2b_session {
	enum b2b_who who;
	bool proven;               /* a guest that proved itself at home on this connection */
	bool service;              /* others: op->o_ndn is an application's service account */
	struct berval service_ndn; /* in op's memory; empty: none was bound here */
};
int b2b_session_open(void);
void b2b_session_close(void);
/* Something about guests, or the policy, changed: what sessions and the bind cache know is looked
 * up again. */
void b2b_session_guests_changed(void);
/* Counts what the above told; sampled before what is noted as of then is looked up. */
uint64_t b2b_session_epoch(void);
/* Whether who is bound here was found to be no guest as of epoch; and notes that it is none. */
bool b2b_session_is_stranger(Operation *op, uint64_t epoch);
void b2b_session_note_stranger(Operation *op, uint64_t epoch);
/* Who op->o_ndn is.  Looks an entry up at most once per bind and change. */
void b2b_session_find(Operation *op, struct b2b_session *session_r);
/* Notes that the bind under way was proved at home (copied); then, when a bind succeeded, who it
 * was. */
void b2b_session_proved(Operation *op, const struct b2b_proof *proof);
void b2b_session_bound(Operation *op, const struct berval *ndn);
/* Whether the bind under way was proved at home. */
bool b2b_session_is_proving(Operation *op);
/* Whether who is bound here proved to be this person, and how; in op's memory. */
bool b2b_session_proof(Operation *op, const struct berval *person, struct b2b_proof *proof_r);
/* What a SASL bind that is not over will end with; one a connection, taken away by the taking. */
struct b2b_ending {
	int err; /* LDAP_SUCCESS: there is none; LDAP_SASL_BIND_IN_PROGRESS: the client was asked */
	char text[B2B_ANSWER_SIZE];
};
void b2b_session_put_ending(Operation *op, const struct b2b_ending *ending);
struct b2b_ending b2b_session_take_ending(Operation *op);
/* Whether such a bind is not over on op's connection. */
bool b2b_session_is_binding(Operation *op);
/* The service account bound on this connection before, in op's memory. */
void b2b_session_service(Operation *op, struct berval *service_ndn_r);
/* Whether ndn is the service account of an application of any tenant. */
bool b2b_session_is_service(const struct berval *ndn);
/* Whether ndn is a guest (or cannot be looked up), remembering members so that their next bind needs no look-up. */
bool b2b_session_is_guest(Operation *op, struct b2b_tenant *tenant, struct berval *ndn);

#include "view.h"

/* out.c: our own members as guests elsewhere */
/* Whether this member may use an application (empty: "directory") of a partner, by the Out settings of
 * the tenant; scope is B2B_COLLAB_OUT or B2B_DIRECT_OUT.  The verdict's rule lives in op's memory.
 * Groups are read meanwhile: member is a copy, held by no transaction. */
struct b2b_verdict b2b_out_judge(Operation *op, struct b2b_tenant *tenant, Entry *member,
				 struct b2b_str partner_id, struct b2b_str app_id,
				 enum b2b_scope scope);

/* control.c: a partner's server asks for one of our members (control .4.1) */
int b2b_control_register(void);
/* Whether op, a bind, brings the control. */
bool b2b_control_is_here(Operation *op);
/* SLAP_CB_CONTINUE: the bind goes on, under a name where nothing stands if policy denies. */
int b2b_control_bind(Operation *op, SlapReply *rs);
/* What we send along when we ask a home server: that it is us, and for which application (NULL:
 * "directory").  In op's memory; empty where our tenant entry has no b2bTenantId. */
struct b2b_str b2b_control_value(Operation *op, const struct b2b_snapshot *snapshot,
				 const struct b2b_rule *app);

/* review_item.c: items of access reviews that a guest answers itself */
/* Whether a guest sees an attribute of an entry, or writes it, because the entry is the item of its
 * own review and it is among the reviewers. */
bool b2b_review_is_own(const struct berval *guest_ndn, Entry *e, const AttributeDescription *desc,
		       slap_access_t access);
/* Whether a modification by a guest is about such an entry. */
bool b2b_review_may_answer(Operation *op);

/* gate.c */
int b2b_gate_register(void);
/* Whether an enabled overlay b2bgate stands on the frontend now. */
bool b2b_gate_stands(void);
/* Whether it is this one; a search that waited for its client may have lost its own. */
bool b2b_gate_is(const slap_overinst *on);
/* slapd closes an overlay that cn=config deleted only after it has answered, with the pool running
 * again: this pauses it then.  True: the caller resumes with ldap_pvt_thread_pool_resume. */
bool b2b_gate_pause(BackendDB *be);

/* bind.c */
int b2b_bind(Operation *op, SlapReply *rs);

/* bearer.c: a bind's token, verified before anybody knows whose name it is given for */
struct b2b_bearer {
	OpExtra extra;
	bool right;                /* the rest is filled in only if it is */
	struct b2b_tenant *tenant; /* whose partner it is from */
	struct b2b_str tenant_id;  /* the partner's; all strings in op's memory */
	struct b2b_str subject, email, id;
	time_t expires;
	bool once;
	unsigned out;        /* bits of enum b2b_token_out */
	bool out_said;       /* the token has them from its home */
	struct b2b_str code; /* six digits that came with it, or empty */
	struct b2b_proof proof;
};
/* Verifies text against one tenant (NULL: all open ones, of which exactly one must believe it), with
 * six digits behind it or without.  What is wrong is logged, nothing of the text. */
void b2b_bearer_verify(Operation *op, struct b2b_tenant *only, struct b2b_str text,
		       struct b2b_bearer *token_r);
/* Who has a token: one guest, surely no guest, or (zero) neither: several, one of the same mail whose
 * subject is another, or nobody can tell. */
enum b2b_owner { B2B_OWNER_UNCLEAR = 0, B2B_OWNER_NONE, B2B_OWNER_ONE };
/* The guest whose token it is, in op's memory; BVNULL unless it is one. */
enum b2b_owner b2b_bearer_find_guest(Operation *op, const struct b2b_bearer *token,
				     struct berval *dn_r, struct berval *ndn_r);
/* Whether guest and token are one person: the subject, or an invitation to the verified mail. */
bool b2b_bearer_is_of(const struct b2b_bearer *token, const struct b2b_guest *guest, Entry *e);
/* For simple binds at the gate.  SLAP_CB_CONTINUE: the bind goes on, with the token at hand if the
 * password is one. */
int b2b_bearer_gate(Operation *op, SlapReply *rs);
/* What b2b_bearer_gate found; NULL: the password is no token. */
const struct b2b_bearer *b2b_bearer_here(Operation *op);

/* direct.c: direct connect, for those without an entry */
/* The tenant below whose cn=direct a name stands (or is that), or NULL.  Whoever is bound under such a
 * name is a guest for ever. */
struct b2b_tenant *b2b_direct_tenant(const struct berval *ndn);
/* Whom a token lets in, in op's memory: the guest whose it is, else the name of one without an entry
 * where policy has a word on those.  BVNULL: nobody. */
void b2b_direct_find(Operation *op, const struct b2b_bearer *token, struct berval *dn_r,
		     struct berval *ndn_r);
/* Lets it in under that name, as b2b_admission_by_token does guests. */
int b2b_direct_admit(Operation *op, const struct b2b_bearer *token, const struct berval *ndn,
		     char text_r[B2B_ANSWER_SIZE]);
/* Of op's name, which is such a one: true with what its token told, to be judged by policy; false
 * with the passage's verdict, a denial. */
bool b2b_direct_recognise(Operation *op, struct b2b_passage *passage, struct b2b_proof *proof_r);
/* For who explains: whom such a name stands for; false: it is nobody's. */
bool b2b_direct_read(Operation *op, struct b2b_tenant *tenant, const struct berval *ndn,
		     struct b2b_guest *guest_r);
/* Why a right token with these tenant, tenant_id, subject and email does not come in by direct connect
 * before policy is asked; NULL: it does. */
const char *b2b_direct_obstacle(Operation *op, const struct b2b_bearer *token);
/* Whether home, where it is a tenant of this server too, lets its member out to this application
 * (DirectOut); *rule_r is whose word that was, or NULL. */
bool b2b_direct_may_leave(Operation *op, struct b2b_tenant *tenant,
			  const struct b2b_snapshot *snapshot, const struct b2b_guest *guest,
			  const struct b2b_rule *app, const char **rule_r);

/* oauth.c: SASL OAUTHBEARER (RFC 7628), by the gate */
/* Ends what an unfinished OAUTHBEARER bind left on the connection; for every other bind. */
void b2b_oauth_forget(Operation *op);
/* Ends a half-done SASL bind of slapd's own, as slapd does for simple binds: for one that the gate
 * answers before it comes to that. */
void b2b_oauth_cancel(Operation *op);
bool b2b_oauth_is_here(Operation *op);
int b2b_oauth_bind(Operation *op, SlapReply *rs);
void b2b_oauth_announce(bool on);

/* totp.c: one-time passwords of ours (RFC 6238) */
enum b2b_totp_answer { B2B_TOTP_WRONG = 0, B2B_TOTP_RIGHT };
/* Uses a code up, if it is right; counts it, if it is not.  The guest's proof at home must have been
 * right before. */
enum b2b_totp_answer b2b_totp_use(Operation *op, struct b2b_tenant *tenant, struct berval *ndn,
				  struct b2b_str code);
int b2b_totp_register(void);
#define B2B_TOTP_DIGITS 6
/* Whether text ends in six digits; they and what stands before them. */
bool b2b_totp_split(struct b2b_str text, struct b2b_str *rest_r, struct b2b_str *code_r);

/* task.c */
int b2b_task_start(struct b2b_tenant *tenant);
void b2b_task_stop(struct b2b_tenant *tenant);

#endif
