/*
 * oauth.h - the messages of SASL OAUTHBEARER (RFC 7628) and the names in them.
 * In: a client's message, of any bytes.  Out: its parts, borrowed from it.
 */
#ifndef B2B_OAUTH_H
#define B2B_OAUTH_H

#include "base.h"

#define B2B_OAUTH_AUTHZID_MAX 1024u

struct b2b_oauth {
	char authzid[B2B_OAUTH_AUTHZID_MAX + 1]; /* decoded; empty: none was given */
	struct b2b_str token;                    /* behind "Bearer " */
	struct b2b_str host, port, code;         /* empty where not given; code: six digits */
};

/*
 * gs2-header, then key=value pairs between 0x01 (RFC 7628, 3.1).  The header is "n,," or "y,,", with
 * "a=" an authzid (RFC 5801, 4: =2C and =3D alone are escapes); channel binding is refused.  auth
 * is "Bearer" (any case, RFC 9110) and a b64token (RFC 6750, 2.1); host and port must be well-formed
 * where given; totp is our own key.  Other keys are passed over, as the RFC wants; a key given
 * twice is refused.  B2B_ERR_INVALID: malformed; error says how, nothing of the message.
 */
enum b2b_err b2b_oauth_parse(struct b2b_str message, struct b2b_oauth *oauth_r,
			     struct b2b_error *error);

#endif
