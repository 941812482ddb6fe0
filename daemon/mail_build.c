/*
 * mail_build.c - a letter from templates and values.
 * In: what a notice says.
 * Out: headers and bodies.
 */
#include "mail_make.h"

void mail_letter_clear(struct mail_letter *letter)
{
	for (size_t i = 0; i < letter->header_count; i++)
		mail_text_clear(&letter->headers[i]);
	letter->header_count = 0;
	mail_text_clear(&letter->text);
	mail_text_clear(&letter->html);
}
