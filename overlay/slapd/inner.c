/*
 * inner.c - operations of the server's own, within one of a client's.
 * In: the client's operation, of which they take connection, thread and memory.
 * Out: an operation in the rootdn's name, with nothing of the client's request in it.
 */
#include "glue.h"

Operation *b2b_inner_begin(struct b2b_inner *inner, Operation *op, struct b2b_tenant *tenant,
			   ber_tag_t tag)
{
	Operation *own = &inner->op;

	inner->op = *op;
	inner->header = *op->o_hdr;
	memset(inner->controls, 0, sizeof(inner->controls));
	/* no control, no transaction, no authorization that was asked for */
	memset(own->o_ctrlflag, 0, sizeof(own->o_ctrlflag));
	own->o_controls = inner->controls;
	own->o_ctrls = NULL;
	own->o_hdr = &inner->header;
	own->o_tag = tag;
	own->o_bd = tenant->be;
	own->o_dn = tenant->be->be_rootdn;
	own->o_ndn = tenant->be->be_rootndn;
	own->o_callback = NULL;
	own->o_is_auth_check = 0;
	own->o_acl_priv = ACL_NONE;
	own->o_dont_replicate = 0;
	own->o_managedsait = SLAP_CONTROL_CRITICAL;
	LDAP_SLIST_INIT(&own->o_extra);
	/* without these two a consumer lost 3 of 4 changes and accesslog 3 of 4 records (measured) */
	BER_BVZERO(&own->o_csn);
	slap_op_time(&own->o_time, &own->o_tincr);
	memset(&own->o_request, 0, sizeof(own->o_request));
	return own;
}
