/*
 * ctl_oidc.h - what a provider publishes: its discovery document and its keys.
 * In: URLs and files that an administrator names.
 * Out: an issuer, keys and algorithms that may be written into a partner's entry.
 */
#ifndef B2B_CTL_OIDC_H
#define B2B_CTL_OIDC_H

#include "ctl.h"
#include "jose.h"

/* ctl_http.c */

#define CTL_DOCUMENT_MAX (1u << 20)

struct ctl_url {
	bool https, http, loopback, query;
};
bool ctl_is_url(const char *text);
/* Complains unless it may be fetched: https, or http on this machine. */
int ctl_url_check(const char *url, struct ctl_url *url_r);

struct ctl_fetch {
	const char *ca_file; /* trusted in place of the system's authorities, or NULL */
	long *status_r;      /* the HTTP status, 0 where there was none; or NULL */
};
/* Fetches a URL, or reads a file ("-": standard input).  *text_r: caller frees; not
 * NUL-terminated.  Complains. */
int ctl_document(const char *place, const struct ctl_fetch *how, char **text_r, size_t *bytes_r);

/* ctl_oidc.c */

struct ctl_provider {
	char *issuer;
	char *jwks_uri; /* or NULL */
	bool names_algs;
	unsigned algs; /* bits of enum b2b_alg: those of the document that are ours */
};
/* Reads a discovery document: the issuer's URL, the document's URL, or a file.  Complains. */
int ctl_provider_read(const char *place, const struct ctl_fetch *how,
		      struct ctl_provider *provider_r);
void ctl_provider_clear(struct ctl_provider *provider);

/* Reads a key set and cleans it.  notes_r: a line for each key that is left out; caller clears it
 * with ctl_notes_clear, whatever the result.  *keys_r: caller frees.  Complains. */
int ctl_keys_read(const char *place, const struct ctl_fetch *how, char **keys_r,
		  struct ctl_list *notes_r);
/* Prints the notes, unless quiet, and frees them. */
void ctl_notes_clear(struct ctl_list *notes, bool quiet);

/* ctl_keys.c */

struct ctl_key {
	char *kid;     /* or NULL */
	char *kind;    /* "RSA 2048 bits", "EC P-256", "OKP Ed25519" */
	char *alg;     /* or NULL */
	unsigned algs; /* bits of enum b2b_alg that it can verify */
	char *text;    /* canonical JSON, for comparing */
};
struct ctl_keys {
	struct ctl_key *list;
	size_t count;
};
/* From a cleaned set. */
int ctl_keys_parse(const char *clean, struct ctl_keys *keys_r);
void ctl_keys_clear(struct ctl_keys *keys);
unsigned ctl_keys_algs(const struct ctl_keys *keys);
/* Whether the two hold the same keys, in whatever order. */
bool ctl_keys_equal(const struct ctl_keys *a, const struct ctl_keys *b);
bool ctl_keys_has(const struct ctl_keys *keys, const struct ctl_key *key);
/* A name for a key: its kid in quotes, or what it is; caller frees. */
char *ctl_key_name(const struct ctl_key *key);
/* "RS256, ES256"; "none" for 0; caller frees. */
char *ctl_algs_text(unsigned algs);

/* ctl_from.c */

/* The tenant entry of --from, with what it publishes.  *entry_r: ctl_entry_free.  Complains. */
int ctl_from_read(const struct ctl_options *options, struct ctl_entry **entry_r);
/* Whether a new partner may have the domains that it says are its own.  Complains. */
int ctl_from_check_domains(const struct ctl_options *options, LDAP *ld,
			   const struct ctl_tenant *tenant, const struct ctl_entry *theirs);

/* ctl_refresh.c */

int ctl_partner_refresh(struct ctl_options *options);

#endif
