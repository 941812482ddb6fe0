/*
 * policy_parts.h - what policy.c, its parts and guest.c share; nobody else includes it.
 * In: a reader on a policy entry.  Out: the part of a rule that the entry describes.
 */
#ifndef B2B_POLICY_PARTS_H
#define B2B_POLICY_PARTS_H

#include "policy.h"
#include "read.h"

/* All fill memory that is zeroed, and go on after a mistake (see read.h). */
void b2b_policy_read_settings(struct b2b_reader *reader, struct b2b_settings *settings);
void b2b_policy_read_tenant(struct b2b_reader *reader, struct b2b_tenant_policy *tenant);
void b2b_policy_read_partner(struct b2b_reader *reader, struct b2b_partner *partner);
void b2b_policy_read_app(struct b2b_reader *reader, struct b2b_app *app);
void b2b_policy_read_token(struct b2b_reader *reader, struct b2b_token_settings *token);
void b2b_policy_read_access(struct b2b_reader *reader, struct b2b_access_policy *access);
/* On the heap; NULL only without memory. */
void b2b_policy_read_review(struct b2b_reader *reader, struct b2b_review_policy **review_r);

void b2b_policy_free_settings(struct b2b_settings *settings);
void b2b_policy_free_token(struct b2b_token_settings *token);
void b2b_policy_free_access(struct b2b_access_policy *access);
void b2b_policy_free_review(struct b2b_review_policy **review); /* sets NULL; accepts NULL */
void b2b_policy_free_list(char **list, size_t count);
/* Appends DNs, and sorts the whole by strcmp. */
void b2b_policy_read_dns(struct b2b_reader *reader, enum b2b_attr attr, char ***list,
			 size_t *count);
/* Appends networks written as CIDR; one block on the heap. */
void b2b_policy_read_networks(struct b2b_reader *reader, enum b2b_attr attr, struct b2b_cidr **list,
			      size_t *count);
/* Appends mail domains in lower case; "*" (everybody's) is one only where star. */
void b2b_policy_read_domains(struct b2b_reader *reader, enum b2b_attr attr, bool star,
			     struct b2b_list *list);
/* b2bGuestAccess; what cannot be read is restricted. */
void b2b_policy_read_level(struct b2b_reader *reader, struct b2b_guest_level *level);
/* Reads a text and puts it in lower case (ASCII). */
bool b2b_policy_read_id(struct b2b_reader *reader, enum b2b_attr attr, char **id_r);

#endif
