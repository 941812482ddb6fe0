/*
 * totp.h - what the two files about one-time passwords share.
 * In: glue.h.  Out: included by totp.c and totp_enrol.c alone.
 */
#ifndef B2B_TOTP_H
#define B2B_TOTP_H

#include "glue.h"

/* What a sealed secret is bound to: this very entry (entryUUID), borrowed. */
static inline struct berval b2b_totp_owner(Entry *e)
{
	Attribute *a = attr_find(e->e_attrs, slap_schema.si_ad_entryUUID);

	return a ? a->a_nvals[0] : (struct berval)BER_BVNULL;
}

#endif
