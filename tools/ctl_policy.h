/*
 * ctl_policy.h - our tenant's whole policy, as the server has it, in this program.
 * In: the policy entries of the directory.
 * Out: a snapshot that the core decides by.
 */
#ifndef B2B_CTL_POLICY_H
#define B2B_CTL_POLICY_H

#include "ctl.h"
#include "decide.h"

struct ctl_policy {
	struct b2b_snapshot *all;
};

/* Reads and compiles every policy entry.  What the server would not honour is noted.  The tenant has
 * an entry.  Complains. */
int ctl_policy_read(LDAP *ld, const struct ctl_tenant *tenant, struct ctl_policy *policy_r);
void ctl_policy_clear(struct ctl_policy *policy);

#endif
