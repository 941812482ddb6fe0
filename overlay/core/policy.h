/*
 * policy.h - policy entries, compiled: our tenant, the default policy, partners, applications.
 * In: directory entries (struct b2b_source).  Out: immutable, reference-counted rules that
 * snapshot.h collects and decide.h reads.
 */
#ifndef B2B_POLICY_H
#define B2B_POLICY_H

#include "base.h"
#include "text.h"

struct b2b_jwks; /* jose.h */

enum b2b_access { /* what a half of a setting says; zero: it is not set */
		  B2B_ACCESS_UNSET = 0,
		  B2B_ACCESS_ALLOWED,
		  B2B_ACCESS_BLOCKED,
};

enum b2b_scope { /* index into the settings of a rule */
		 B2B_COLLAB_IN = 0,
		 B2B_COLLAB_OUT,
		 B2B_DIRECT_IN,
		 B2B_DIRECT_OUT,
		 B2B_SCOPE_COUNT
};

struct b2b_target {
	char *value;
	size_t len;    /* of value, without its NUL */
	uint64_t hash; /* b2b_str_hash_similar */
	bool is_group; /* named by b2bGroupTarget too */
};

struct b2b_half { /* users half or applications half of one setting */
	enum b2b_access access;
	bool all;                   /* no target, or AllUsers / AllApplications among them */
	struct b2b_target *targets; /* one block with their values */
	size_t count;
};

struct b2b_setting {
	struct b2b_half users;
	struct b2b_half apps;
};

enum b2b_tristate { B2B_UNSET = 0, B2B_NO, B2B_YES };

struct b2b_settings {
	struct b2b_setting scope[B2B_SCOPE_COUNT];
	enum b2b_tristate trust_mfa, trust_compliant_device, trust_hybrid_joined;
	enum b2b_tristate auto_redeem_in, auto_redeem_out, sync_in;
};

enum b2b_idp { /* bits */
	       B2B_IDP_NONE = 0,
	       B2B_IDP_OIDC = 1,
	       B2B_IDP_SAML = 2,
	       B2B_IDP_LDAP = 4,
	       B2B_IDP_PASSCODE = 8,
};

struct b2b_claim { /* "name=value"; true, false and numbers are compared as JSON writes them */
	char *name;
	char *value; /* in one block with name */
};

struct b2b_claims {
	struct b2b_claim *list;
	size_t count;
};

/* What a partner's tokens must be like (token.h). */
struct b2b_token_settings {
	char *issuer;     /* or NULL: no token of this partner is right */
	char **audiences; /* b2bAudience */
	size_t audience_count;
	struct b2b_jwks *keys;    /* or NULL: none */
	unsigned algs;            /* bits of enum b2b_alg; all where the entry says nothing */
	char *subject_claim;      /* "sub" where the entry says nothing */
	char *groups_claim;       /* "groups" where the entry says nothing */
	struct b2b_claims tenant; /* every name must be there with one of its values */
	/* Any of them is enough.  mfa has amr=mfa,
	 * amr=http://schemas.microsoft.com/claims/multipleauthn and
	 * acr=https://refeds.org/profile/mfa where the entry says nothing. */
	struct b2b_claims mfa, compliant_device, hybrid_joined;
	bool once;
};

struct b2b_list { /* lower-case names, or normalised DNs sorted by strcmp */
	char **list;
	size_t count;
};

enum b2b_guest_access { B2B_SEES_RESTRICTED = 0, B2B_SEES_LIMITED, B2B_SEES_MEMBER };

struct b2b_guest_level { /* b2bGuestAccess where it may be absent */
	bool set;
	enum b2b_guest_access access;
};

struct b2b_partner {
	char *tenant_id;      /* lower case */
	uint64_t tenant_hash; /* b2b_str_hash_similar */
	struct b2b_settings settings;
	enum b2b_idp idps[4]; /* in order, B2B_IDP_NONE ends */
	unsigned idp_mask;
	char **home_uris; /* in order; count home_uri_count */
	size_t home_uri_count;
	char *home_bind_dn; /* pattern or NULL */
	bool home_start_tls;
	char *home_ca_file; /* or NULL */
	struct b2b_list
		domains; /* b2bTenantDomain; "*" among them: everybody without another partner */
	struct b2b_token_settings token;
	struct b2b_guest_level guest_level;
	char *max_label; /* or NULL */
};

struct b2b_app {
	char *id;         /* b2bAppId, else cn; lower case */
	size_t id_len;    /* without its NUL */
	uint64_t id_hash; /* b2b_str_hash_similar */
	bool assignment_required;
	char **service_dns; /* normalised DNs */
	size_t service_dn_count;
	char **listeners;
	size_t listener_count;
	struct b2b_cidr *peers;
	size_t peer_count;
	char **audiences;
	size_t audience_count;
	char **assignees; /* normalised DNs, sorted by strcmp */
	size_t assignee_count;
	char **scopes; /* normalised DNs */
	size_t scope_count;
	char *max_label; /* or NULL */
};

enum b2b_user_type { B2B_USER_GUEST = 0, B2B_USER_MEMBER };

enum b2b_inviters { /* who may invite, besides administrators; zero: nobody, they neither */
		    B2B_INVITES_NONE = 0,
		    B2B_INVITES_ADMINS,
		    B2B_INVITES_INVITERS,
		    B2B_INVITES_MEMBERS
};

enum b2b_self_service { B2B_ASKS_NONE = 0, B2B_ASKS_MEMBERS, B2B_ASKS_ANONYMOUS };

/* How much the task may take away in one sweep (b2bMassLimit). */
struct b2b_mass_limit {
	unsigned guests;  /* 0: the entry gives a percentage */
	unsigned percent; /* 0: the entry gives a number */
	/* both: the default, 500 guests or 20 per cent, whichever is less, but 25 guests at least */
};

struct b2b_attribute_label { /* of b2bAttributeLabel */
	char *type;          /* name or OID of an attribute type */
	char *label;         /* in one block with type */
};

struct b2b_tenant_policy {
	char *tenant_id;  /* or NULL */
	char *issuer;     /* of our own tokens, or NULL: tenant_id */
	char *guest_base; /* normalised DN or NULL */
	unsigned guest_lifetime_days, review_interval_days, review_duration_days;
	unsigned invitation_lifetime_days, delete_grace_days, inactivity_days;
	enum b2b_guest_access guest_access; /* limited where the entry says nothing */
	bool require_tls;                   /* true where the entry says nothing */
	char *terms_version;                /* or NULL: nobody can have accepted it */
	char **labels;                      /* lowest first */
	size_t label_count;
	char *default_label; /* or NULL: the lowest */
	struct b2b_attribute_label *attribute_labels;
	size_t attribute_label_count;
	enum b2b_inviters inviters_are;                   /* admins where the entry says nothing */
	struct b2b_list inviters;                         /* DNs of persons and groups */
	struct b2b_list domains;                          /* our own */
	struct b2b_list allowed_domains, blocked_domains; /* at most one has any */
	struct b2b_list fallback_reviewers, approvers;    /* DNs */
	struct b2b_mass_limit mass_limit;
	unsigned mass_confirm; /* 0: nothing is confirmed */
	char *redemption_url;  /* or NULL */
	enum b2b_self_service self_service;
	struct b2b_list request_requires; /* names of attributes */
	bool request_hook;
};

enum b2b_ca_state { B2B_CA_ENABLED = 0, B2B_CA_REPORT_ONLY, B2B_CA_DISABLED };

enum b2b_ca_grant { /* bits */
		    B2B_GRANT_BLOCK = 1,
		    B2B_GRANT_MFA = 2,
		    B2B_GRANT_COMPLIANT_DEVICE = 4,
		    B2B_GRANT_HYBRID_JOINED = 8,
		    B2B_GRANT_TERMS = 16,
		    B2B_GRANT_TLS = 32,
};

enum b2b_ca_condition { /* bits */
			B2B_CA_ON_GUEST = 1,
			B2B_CA_ON_APP = 2,
			B2B_CA_ON_NETWORK = 4,
			B2B_CA_ON_SSF = 8,
};

struct b2b_names { /* plain names, or normalised DNs sorted by strcmp */
	char **list;
	size_t count;
	uint64_t *hashes; /* of names: b2b_str_hash_similar; of DNs: NULL */
};

struct b2b_networks {
	struct b2b_cidr *list;
	size_t count;
};

/* A conditional access policy; decide.h judges by it.  What rules most policies out stands first. */
struct b2b_access_policy {
	enum b2b_ca_state state;
	unsigned conditions; /* bits of enum b2b_ca_condition: those that are not about all */
	/* Bit (hash % 64) is set where it is surely not about a tenant or application. */
	uint64_t other_partners, other_apps;
	unsigned grants;
	bool any_grant;                        /* OR */
	bool all_apps;                         /* AllApplications among the included, or none */
	unsigned sign_in_secs;                 /* 0: no bound */
	char *max_label;                       /* or NULL */
	unsigned below_ssf;                    /* 0: whatever the strength */
	unsigned include_types, exclude_types; /* bits: 1 << enum b2b_user_type */
	struct b2b_names include_partners, exclude_partners;
	struct b2b_names include_guests, exclude_guests; /* DNs */
	struct b2b_names include_apps, exclude_apps;
	struct b2b_networks include_networks, exclude_networks;
	_Atomic uint64_t would_deny; /* sign-ins that it would have denied while reportOnly */
};

struct b2b_review_policy; /* review.h */

enum b2b_rule_kind {
	B2B_RULE_NONE = 0,
	B2B_RULE_TENANT,
	B2B_RULE_DEFAULT,
	B2B_RULE_PARTNER,
	B2B_RULE_APP,
	B2B_RULE_ACCESS,
	B2B_RULE_REVIEW /* stands in no snapshot: the task reads it when it is due */
};

/* One compiled policy entry.  Immutable once made; shared by snapshots. */
struct b2b_rule {
	enum b2b_rule_kind kind;
	_Atomic unsigned refs; /* use ref and unref */
	char *dn;              /* normalised */
	bool invalid;          /* it did not parse: whoever it governs is denied */
	union {
		struct b2b_tenant_policy tenant;
		struct b2b_settings defaults;
		struct b2b_partner partner;
		struct b2b_app app;
		struct b2b_access_policy access;
		struct b2b_review_policy *review; /* or NULL where it is invalid */
	} u;
	struct b2b_error error; /* why it is invalid; last, out of the decision's way */
};

/*
 * Compiles an entry.  On B2B_ERR_INVALID error says "<attribute>: value \"<value>\" <what is
 * wrong>" and *rule_r is still a rule, marked invalid, that carries at least kind, dn, and what
 * identifies it (tenant id, issuer, application id, service DNs, listeners, peers, audiences, state)
 * as far as it could be read, so that a caller who may not refuse the entry can deny by it.  NULL only without memory.
 * Caller releases with b2b_rule_unref.  Any thread.
 *
 * Refused: an unknown keyword; a Target without its Access; AllUsers or AllApplications in the
 * wrong half; all users blocked while applications are allowed, or the reverse, within one
 * setting; a b2bGroupTarget that is no users target; both domain lists; a bad domain, CIDR, URL,
 * bind name pattern, boolean, number; ldap among b2bIdp without b2bHomeUri; plain ldap:// without
 * StartTLS to a host that is not loopback; a CA file without an absolute path; a label order with
 * a duplicate or with a prefix missing, a default label out of order, a label of an attribute type that
 * is not in that order, or of a type named twice; an application without
 * b2bAppId and with several cn; a key set that b2b_jwks_parse refuses, an algorithm that is not
 * ours, a claim that is not name=value, a b2bJwksUri that is neither https:// nor http:// to
 * loopback; a conditional access policy without a state, without a
 * grant, frequency or label, with block beside another grant, with an operator and no grant, with
 * AllApplications among the excluded, with a frequency that is not 1 to 31536000 or a strength that
 * is not 1 to 65535; any value with a NUL byte or that is empty.
 */
enum b2b_err b2b_rule_compile(enum b2b_rule_kind kind, const struct b2b_source *source,
			      struct b2b_rule **rule_r, struct b2b_error *error);
struct b2b_rule *b2b_rule_ref(struct b2b_rule *rule); /* returns rule; NULL is passed through */
void b2b_rule_unref(struct b2b_rule **rule);          /* sets NULL; accepts NULL */

/* "oidc", "saml", "ldap", "passcode" without regard to case; B2B_IDP_NONE for others. */
enum b2b_idp b2b_idp_parse(struct b2b_str value);

#endif
