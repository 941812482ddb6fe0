/*
 * ctl_policy.h - our tenant's whole policy, as the server has it, in this program.
 * In: the policy entries of the directory.
 * Out: snapshots that the core decides by.
 */
#ifndef B2B_CTL_POLICY_H
#define B2B_CTL_POLICY_H

#include "ctl.h"
#include "decide.h"

enum ctl_condition { /* groups of a conditional access policy's conditions */
		     CTL_ON_GUEST,
		     CTL_ON_APP,
		     CTL_ON_NETWORK,
		     CTL_ON_STRENGTH,
		     CTL_CONDITIONS
};

/* A policy with one group of its conditions alone, so that it can be told which are met. */
struct ctl_probes {
	char *dn;
	struct b2b_rule *rules[CTL_CONDITIONS]; /* NULL: the policy has no such condition */
};

struct ctl_policy {
	struct b2b_snapshot *all;
	struct b2b_snapshot *settings; /* all but conditional access, to tell the two apart */
	struct ctl_probes *probes;
	size_t probe_count;
};

/* Reads and compiles every policy entry.  What the server would not honour is noted.  guest_dn,
 * which may be NULL: that guest is found among assignees, included and excluded guests by the
 * server's own comparison of DNs.  The tenant has an entry.  Complains. */
int ctl_policy_read(LDAP *ld, const struct ctl_tenant *tenant, const char *guest_dn,
		    struct ctl_policy *policy_r);
void ctl_policy_clear(struct ctl_policy *policy);
/* Those of a policy that is valid; NULL for others. */
const struct ctl_probes *ctl_policy_probes(const struct ctl_policy *policy, const char *dn);

#endif
