/*
 * home_link.c - one connection to one home server: TLS, then binds.
 * In: a server's address, CA file, a name and a password.  Out: what the server said.
 * Nothing that ldap.conf, .ldaprc or the environment say may weaken it: all is set here.  libldap
 * does the TLS alone; its reader of answers must never see what a foreign server sends, for an
 * unsolicited notice without a name aborts the process in an assert (2.5.13, ldap_result).
 */
#include "home_link.h"

#include <openldap.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MAX_BYTES 65536

/* --- options --- */

static bool set_int(LDAP *ld, int option, int value)
{
	return ldap_set_option(ld, option, &value) == LDAP_OPT_SUCCESS;
}

static bool set(LDAP *ld, int option, const void *value)
{
	return ldap_set_option(ld, option, value) == LDAP_OPT_SUCCESS;
}

static bool set_tls_options(LDAP *ld, const char *ca_file)
{
	const struct timeval forever = { .tv_sec = -1 }; /* the wire has the deadline */

	if (!ca_file)
		ca_file = B2B_HOME_SYSTEM_CA_FILE;
	(void)set(ld, LDAP_OPT_X_TLS_PEERKEY_HASH, NULL); /* no pins: refused where unknown */
	return set(ld, LDAP_OPT_CONNECT_ASYNC, LDAP_OPT_OFF) &&
	       set(ld, LDAP_OPT_NETWORK_TIMEOUT, &forever) &&
	       set_int(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, LDAP_OPT_X_TLS_DEMAND) &&
	       set_int(ld, LDAP_OPT_X_TLS_REQUIRE_SAN, LDAP_OPT_X_TLS_TRY) &&
	       set_int(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, LDAP_OPT_X_TLS_PROTOCOL_TLS1_2) &&
	       set(ld, LDAP_OPT_X_TLS_CACERTDIR, NULL) &&
	       set(ld, LDAP_OPT_X_TLS_CACERTFILE, ca_file) &&
	       set(ld, LDAP_OPT_X_TLS_CERTFILE, NULL) && set(ld, LDAP_OPT_X_TLS_KEYFILE, NULL) &&
	       set(ld, LDAP_OPT_X_TLS_CIPHER_SUITE, NULL) &&
	       set(ld, LDAP_OPT_X_TLS_CRLFILE, NULL) && set(ld, LDAP_OPT_X_TLS_CONNECT_CB, NULL) &&
	       set_int(ld, LDAP_OPT_X_TLS_NEWCTX, 0);
}

/* libldap starts its TLS library at first need, and not safely so in two threads at once. */
static void start_tls_library(void)
{
	LDAP *ld = NULL;

	if (ldap_create(&ld) != LDAP_SUCCESS)
		return;
	(void)set_int(ld, LDAP_OPT_X_TLS_NEWCTX, 0);
	ldap_unbind_ext(ld, NULL, NULL);
}

/* --- messages --- */

/* Sends a request, and wipes it here: a bind has a password in it.  Takes ber. */
static bool send_request(struct b2b_home_link *link, BerElement *ber, struct b2b_error *why)
{
	struct berval bytes = { 0, NULL };
	bool sent = ber_flush2(link->sockbuf, ber, LBER_FLUSH_FREE_NEVER) == 0;

	if (ber_flatten2(ber, &bytes, 0) == 0 && bytes.bv_val)
		explicit_bzero(bytes.bv_val, bytes.bv_len);
	ber_free(ber, 1);
	if (!sent)
		b2b_error_set(why, "the request could not be sent");
	return sent;
}

/* Reads one whole message. */
static bool read_message(struct b2b_home_link *link, BerElement *ber, struct b2b_error *why)
{
	ber_len_t length;
	ber_tag_t tag;

	do { /* ber_get_next gives up after each piece of a message */
		errno = 0;
		tag = ber_get_next(link->sockbuf, &length, ber);
	} while (tag == LBER_DEFAULT && errno == EWOULDBLOCK &&
		 b2b_home_now_ms() < link->wire.deadline_ms);
	if (tag == LDAP_TAG_MESSAGE)
		return true;
	if (b2b_home_now_ms() >= link->wire.deadline_ms)
		b2b_error_set(why, "no answer in time");
	else
		b2b_error_set(why, "the connection was lost, or no LDAP was spoken on it");
	return false;
}

/* The result code of the answer to the last request, or -1 and why.  RFC 4511, 4.1.9: what stands
 * behind the code is not looked at, referrals neither. */
static int read_result(struct b2b_home_link *link, ber_tag_t type, struct b2b_error *why)
{
	BerElement *ber = ber_alloc_t(LBER_USE_DER);
	struct berval matched, text;
	ber_int_t id, code;
	ber_len_t length;
	int result = -1;

	if (!ber) {
		b2b_error_set(why, "no memory");
		return -1;
	}
	if (read_message(link, ber, why)) {
		if (ber_scanf(ber, "i", &id) == LBER_ERROR || id != link->last_id ||
		    ber_peek_tag(ber, &length) != type)
			b2b_error_set(why, "something else came in place of an answer");
		else if (ber_scanf(ber, "{emm", &code, &matched, &text) == LBER_ERROR || code < 0)
			b2b_error_set(why, "the answer cannot be read");
		else
			result = code;
	}
	ber_free(ber, 1);
	return result;
}

/* --- opening --- */

static bool ask_for_tls(struct b2b_home_link *link, struct b2b_error *why)
{
	BerElement *ber = ber_alloc_t(LBER_USE_DER);
	struct pollfd item = { .fd = link->wire.fd, .events = POLLIN };
	int code;

	if (!ber || ber_printf(ber, "{it{ts}N}", ++link->last_id, LDAP_REQ_EXTENDED,
			       LDAP_TAG_EXOP_REQ_OID, LDAP_EXOP_START_TLS) < 0) {
		ber_free(ber, 1);
		b2b_error_set(why, "no memory");
		return false;
	}
	if (!send_request(link, ber, why))
		return false;
	code = read_result(link, LDAP_RES_EXTENDED, why);
	if (code > 0)
		b2b_error_set(why, "StartTLS was refused with result code %d", code);
	if (code != LDAP_SUCCESS)
		return false;
	/* it is our turn: what is here already was put in by somebody in between */
	if (poll(&item, 1, 0) != 0) {
		b2b_error_set(why, "more than the answer to StartTLS came");
		return false;
	}
	return true;
}

static bool is_new_tls(LDAP *ld)
{
	char *version = NULL;
	bool fine;

	if (ldap_get_option(ld, LDAP_OPT_X_TLS_VERSION, &version) != LDAP_OPT_SUCCESS || !version)
		return false;
	/* TLS1.2 by GnuTLS, TLSv1.2 by OpenSSL */
	fine = strstr(version, "1.2") || strstr(version, "1.3");
	ldap_memfree(version);
	return fine;
}

/* libldap does not say what it has against a certificate when it uses GnuTLS. */
static void explain_tls(struct b2b_home_link *link, int rc, struct b2b_error *why)
{
	char *detail = NULL;

	(void)ldap_get_option(link->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &detail);
	if (b2b_home_now_ms() >= link->wire.deadline_ms)
		b2b_error_set(why, "no TLS in time");
	else if (detail && strstr(detail, "unknown error"))
		b2b_error_set(why, "its certificate was refused: wrong CA, wrong name, or expired");
	else
		b2b_error_set(why, "no TLS: %s", detail ? detail : ldap_err2string(rc));
	ldap_memfree(detail);
}

static bool shake_hands(struct b2b_home_link *link, struct b2b_error *why)
{
	int rc = ldap_install_tls(link->ld);

	if (rc != LDAP_SUCCESS) {
		explain_tls(link, rc, why);
		return false;
	}
	if (!ldap_tls_inplace(link->ld) || !is_new_tls(link->ld)) {
		b2b_error_set(why, "TLS is older than 1.2");
		return false;
	}
	return true;
}

/* Gives link->wire to libldap. */
static bool adopt(struct b2b_home_link *link, const struct b2b_url *url)
{
	ber_len_t most = ANSWER_MAX_BYTES;
	char text[300];
	bool v6 = strchr(url->host, ':') != NULL;

	snprintf(text, sizeof text, "ldap://%s%s%s:%u", v6 ? "[" : "", url->host, v6 ? "]" : "",
		 url->port);
	/* the URL is the name that the certificate must have */
	if (ldap_init_fd(link->wire.fd, LDAP_PROTO_EXT, text, &link->ld) != LDAP_SUCCESS) {
		link->ld = NULL;
		return false;
	}
	return ldap_get_option(link->ld, LDAP_OPT_SOCKBUF, &link->sockbuf) == LDAP_OPT_SUCCESS &&
	       link->sockbuf &&
	       ber_sockbuf_add_io(link->sockbuf, &b2b_home_wire_io, LBER_SBIOD_LEVEL_PROVIDER,
				  &link->wire) == 0 &&
	       ber_sockbuf_ctrl(link->sockbuf, LBER_SB_OPT_SET_MAX_INCOMING, &most) == 1;
}

static bool secure(struct b2b_home_link *link, const struct b2b_url *url,
		   const struct b2b_home_request *request, struct b2b_error *why)
{
	if (link->plain)
		return true;
	if (!set_tls_options(link->ld, request->ca_file)) {
		b2b_error_set(why, "the CA file %s cannot be used",
			      request->ca_file ? request->ca_file : B2B_HOME_SYSTEM_CA_FILE);
		return false;
	}
	return (url->tls || ask_for_tls(link, why)) && shake_hands(link, why);
}

struct b2b_home_link *b2b_home_link_open(const struct b2b_url *url,
					 const struct b2b_home_request *request,
					 uint64_t deadline_ms, struct b2b_error *why)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct b2b_home_link *link = calloc(1, sizeof *link);
	bool fine = false;

	if (!link) {
		b2b_error_set(why, "no memory");
		return NULL;
	}
	pthread_once(&once, start_tls_library);
	link->plain = !url->tls && !request->start_tls;
	link->opened_ms = b2b_home_now_ms();
	link->wire.deadline_ms = deadline_ms;
	link->wire.fd = b2b_home_dial(url, link->plain, deadline_ms, why);
	if (link->wire.fd >= 0) {
		fine = adopt(link, url);
		if (!fine)
			b2b_error_set(why, "libldap did not take the connection");
		fine = fine && secure(link, url, request, why);
	}
	if (!fine)
		b2b_home_link_close(&link);
	return link;
}

/* --- binding --- */

static enum b2b_home_answer judge(int code, struct b2b_error *why)
{
	switch (code) {
	case LDAP_SUCCESS:
		return B2B_HOME_PROVED;
	case LDAP_INVALID_CREDENTIALS:
		return B2B_HOME_REFUSED;
	case LDAP_INAPPROPRIATE_AUTH:
	case LDAP_UNWILLING_TO_PERFORM:
	case LDAP_CONSTRAINT_VIOLATION:
	case LDAP_NO_SUCH_OBJECT:
	case LDAP_INVALID_DN_SYNTAX:
	case LDAP_INSUFFICIENT_ACCESS:
	case LDAP_STRONG_AUTH_REQUIRED:
	case LDAP_AUTH_METHOD_NOT_SUPPORTED:
	case LDAP_PROTOCOL_ERROR:
	case LDAP_REFERRAL:
	case LDAP_SASL_BIND_IN_PROGRESS:
		b2b_error_set(why, "the bind was refused with result code %d (%s)", code,
			      ldap_err2string(code));
		return B2B_HOME_REFUSED;
	default:
		b2b_error_set(why, "the bind failed with result code %d (%s)", code,
			      ldap_err2string(code));
		return B2B_HOME_UNAVAILABLE;
	}
}

/* An LDAPMessage with a BindRequest (RFC 4511, 4.2) and, behind it, the control (4.1.11), whose
 * criticality is FALSE and so, in DER, not there.  NULL without memory. */
static BerElement *write_bind(ber_int_t id, const struct b2b_home_request *request)
{
	BerElement *ber = ber_alloc_t(LBER_USE_DER);
	int rc;

	if (!ber)
		return NULL;
	rc = ber_printf(ber, "{it{istoN}", id, LDAP_REQ_BIND, LDAP_VERSION3, request->name,
			LDAP_AUTH_SIMPLE, request->password.s, (ber_len_t)request->password.len);
	if (rc >= 0 && request->asking.len)
		rc = ber_printf(ber, "t{{soN}N}", LDAP_TAG_CONTROLS, B2B_HOME_CONTROL,
				request->asking.s, (ber_len_t)request->asking.len);
	if (rc >= 0)
		rc = ber_printf(ber, "N}");
	if (rc >= 0)
		return ber;
	ber_free(ber, 1);
	return NULL;
}

enum b2b_home_answer b2b_home_link_bind(struct b2b_home_link *link,
					const struct b2b_home_request *request,
					uint64_t deadline_ms, struct b2b_error *why)
{
	BerElement *ber;
	int code;

	link->answered = false;
	link->wire.deadline_ms = deadline_ms;
	if (!link->plain && !ldap_tls_inplace(link->ld)) {
		b2b_error_set(why, "the connection has lost its TLS");
		return B2B_HOME_UNAVAILABLE;
	}
	ber = write_bind(++link->last_id, request);
	if (!ber) {
		b2b_error_set(why, "no memory");
		return B2B_HOME_UNAVAILABLE;
	}
	if (!send_request(link, ber, why))
		return B2B_HOME_UNAVAILABLE;
	code = read_result(link, LDAP_RES_BIND, why);
	if (code < 0)
		return B2B_HOME_UNAVAILABLE;
	link->answered = true;
	return judge(code, why);
}

bool b2b_home_link_is_quiet(struct b2b_home_link *link)
{
	struct pollfd item = { .fd = link->wire.fd, .events = POLLIN };

	return link->wire.fd >= 0 && poll(&item, 1, 0) == 0 &&
	       ber_sockbuf_ctrl(link->sockbuf, LBER_SB_OPT_DATA_READY, NULL) == 0;
}

void b2b_home_link_close(struct b2b_home_link **linkp)
{
	struct b2b_home_link *link = *linkp;

	*linkp = NULL;
	if (!link)
		return;
	link->wire.deadline_ms = 0; /* farewells that cannot be sent at once are not sent */
	if (link->ld)
		ldap_unbind_ext(link->ld, NULL, NULL);
	if (link->wire.fd >= 0)
		close(link->wire.fd);
	free(link);
}

void b2b_home_link_close_all(struct b2b_home_link *list)
{
	while (list) {
		struct b2b_home_link *link = list;

		list = link->next;
		b2b_home_link_close(&link);
	}
}
