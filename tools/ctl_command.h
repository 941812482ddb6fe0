/*
 * ctl_command.h - what commands and options b2bctl has.
 * In: nothing.
 * Out: tables that b2bctl.c reads the command line by.
 */
#ifndef B2B_CTL_COMMAND_H
#define B2B_CTL_COMMAND_H

#include "ctl.h"

enum ctl_option_id { /* options of commands; a command knows a set of them, as bits */
		     CTL_OPT_ANSWER,
		     CTL_OPT_APP,
		     CTL_OPT_ATTRIBUTE,
		     CTL_OPT_AUDIENCE,
		     CTL_OPT_CA_FILE,
		     CTL_OPT_CLAIMS,
		     CTL_OPT_DAYS,
		     CTL_OPT_DEFAULT,
		     CTL_OPT_DISCOVERY,
		     CTL_OPT_DRY_RUN,
		     CTL_OPT_ENTRY,
		     CTL_OPT_FILE,
		     CTL_OPT_FILTER,
		     CTL_OPT_FORMAT,
		     CTL_OPT_FROM,
		     CTL_OPT_GROUP,
		     CTL_OPT_GUEST,
		     CTL_OPT_HOME,
		     CTL_OPT_ISSUER,
		     CTL_OPT_JUSTIFICATION,
		     CTL_OPT_KEYS,
		     CTL_OPT_LANGUAGE,
		     CTL_OPT_MAIL,
		     CTL_OPT_MAP,
		     CTL_OPT_MESSAGE,
		     CTL_OPT_MINE,
		     CTL_OPT_NAME,
		     CTL_OPT_NO_QR,
		     CTL_OPT_PARTNER,
		     CTL_OPT_PASSCODE,
		     CTL_OPT_PASSWORD_FILE,
		     CTL_OPT_PEER,
		     CTL_OPT_QR,
		     CTL_OPT_REASON,
		     CTL_OPT_REFRESH,
		     CTL_OPT_SETTING,
		     CTL_OPT_SHOW_TICKET,
		     CTL_OPT_SPONSOR,
		     CTL_OPT_SSF,
		     CTL_OPT_STATE,
		     CTL_OPT_SUBJECT,
		     CTL_OPT_SUBJECT_CLAIM,
		     CTL_OPT_TENANT,
		     CTL_OPT_TENANT_CLAIM,
		     CTL_OPT_TERMS,
		     CTL_OPT_TOKEN,
		     CTL_OPT_TOTP,
		     CTL_OPT_UID,
		     CTL_OPT_UNTIL,
		     CTL_OPT_UPDATE,
		     CTL_OPT_WHAT,
		     CTL_OPT_YES,
		     CTL_OPTIONS
};
_Static_assert(CTL_OPTIONS <= 64, "a set of options has 64 bits");
#define CTL_BIT(id) (UINT64_C(1) << (id))

enum ctl_option_kind { CTL_FLAG, CTL_TEXT, CTL_LIST };

struct ctl_option {
	const char *name;
	enum ctl_option_kind kind;
	size_t at; /* where in struct ctl_options it goes: bool, const char *, struct ctl_list */
};
extern const struct ctl_option ctl_option_rows[CTL_OPTIONS];

struct ctl_command {
	const char *group, *name; /* name is NULL where the group is the whole command */
	const char *usage;
	int (*run)(struct ctl_options *options);
	uint64_t options;   /* bits of those it knows */
	int words;          /* how many it wants */
	int optional_words; /* and how many more it takes */
};
extern const struct ctl_command ctl_commands[]; /* ends with a group that is NULL */

#endif
