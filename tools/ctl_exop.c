/*
 * ctl_exop.c - sends the server's extended operations that carry JSON objects.
 * In: an object, a bound connection.
 * Out: the object that is answered; secrets in either are wiped from memory where that is asked.
 */
#include "ctl_life.h"

#include <openssl/crypto.h>
#include <sasl/sasl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define OID_ROOT "2.25.197761738801757102242170991844305268053"

/* A secret passes Jansson's memory, which forgets it only like this. */
struct block {
	size_t bytes;
	max_align_t memory[];
};

static void *wiped_alloc(size_t bytes)
{
	struct block *block = malloc(sizeof *block + bytes);

	if (!block)
		return NULL;
	block->bytes = bytes;
	/* cppcheck-suppress memleak ; wiped_free takes it from there */
	return block->memory;
}

static void wiped_free(void *memory)
{
	struct block *block;

	if (!memory)
		return;
	block = (struct block *)((char *)memory - offsetof(struct block, memory));
	OPENSSL_cleanse(memory, block->bytes);
	free(block);
}

void ctl_exop_wipes(void)
{
	json_set_alloc_funcs(wiped_alloc, wiped_free);
}

bool ctl_is_protected(LDAP *ld)
{
	sasl_ssf_t ssf = 0;

	if (ldap_tls_inplace(ld) || ctl_is_ldapi(ld))
		return true;
	return ldap_get_option(ld, LDAP_OPT_X_SASL_SSF, &ssf) == LDAP_OPT_SUCCESS && ssf > 1;
}

static json_t *answer_object(const struct berval *answer)
{
	json_t *object =
		answer ? json_loadb(answer->bv_val, answer->bv_len, JSON_REJECT_DUPLICATES, NULL)
		       : NULL;

	if (json_is_object(object))
		return object;
	json_decref(object);
	return NULL;
}

/* libldap's and TLS's own buffers cannot be reached from here. */
int ctl_exop(LDAP *ld, const char *number, const json_t *in, json_t **out_r)
{
	struct berval request, *answer = NULL;
	char *text = json_dumps(in, JSON_COMPACT), *answer_oid = NULL, *oid;
	json_malloc_t unused;
	json_free_t release;
	int code;

	*out_r = NULL;
	json_get_alloc_funcs(&unused, &release);
	if (!text)
		return LDAP_NO_MEMORY;
	request = (struct berval){ strlen(text), text };
	oid = ctl_format("%s.%s", OID_ROOT, number);
	code = ldap_extended_operation_s(ld, oid, &request, NULL, NULL, &answer_oid, &answer);
	if (code == LDAP_SUCCESS) {
		*out_r = answer_object(answer);
		code = *out_r ? LDAP_SUCCESS : LDAP_DECODING_ERROR;
	}
	if (answer)
		OPENSSL_cleanse(answer->bv_val, answer->bv_len);
	ber_bvfree(answer);
	ldap_memfree(answer_oid);
	free(oid);
	release(text);
	return code;
}

const char *ctl_exop_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}
