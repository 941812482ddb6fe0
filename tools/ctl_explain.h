/*
 * ctl_explain.h - what the files of explain share.
 * In: a guest, an application, circumstances.
 * Out: lines that say what each part of the policy has to say.
 */
#ifndef B2B_CTL_EXPLAIN_H
#define B2B_CTL_EXPLAIN_H

#include "ctl_policy.h"
#include "token.h"

struct explaining {
	struct ctl_options *options;
	LDAP *ld;
	struct ctl_tenant tenant;
	struct ctl_entry *entry; /* the guest's */
	struct ctl_list mails;   /* its mail values */
	struct b2b_guest guest;
	struct ctl_policy policy;
	const struct b2b_rule *app;     /* or NULL: directory */
	const struct b2b_rule *partner; /* or NULL: none */
	struct b2b_identity *identity;  /* what the claims say, or NULL */
	struct b2b_context context;
	char *group;         /* DN of an assignee group with the guest in it, or NULL */
	const char *refused; /* why the sign-in itself would not succeed, or NULL */
};

/* ctl_explain_access.c */

/* A line for each conditional access policy. */
void ctl_explain_access(const struct explaining *explaining);
/* The labels that the guest may see. */
void ctl_explain_labels(const struct explaining *explaining, uint32_t cap);

#endif
