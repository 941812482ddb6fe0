/*
 * ctl_command.c - the commands of b2bctl and their options, as tables.
 * In: nothing.
 * Out: what b2bctl.c reads the command line by.
 */
#include "ctl_command.h"

#include "ctl_life.h"

#include <stddef.h>

#define BIT(id) CTL_BIT(CTL_OPT_##id)
#define AT(member) offsetof(struct ctl_options, member)

const struct ctl_option ctl_option_rows[CTL_OPTIONS] = {
	[CTL_OPT_ANSWER] = { "answer", CTL_TEXT, AT(answer) },
	[CTL_OPT_APP] = { "app", CTL_LIST, AT(apps) },
	[CTL_OPT_ATTRIBUTE] = { "attribute", CTL_LIST, AT(attributes) },
	[CTL_OPT_AUDIENCE] = { "audience", CTL_LIST, AT(audiences) },
	[CTL_OPT_CA_FILE] = { "ca-file", CTL_TEXT, AT(ca_file) },
	[CTL_OPT_CLAIMS] = { "claims", CTL_TEXT, AT(claims) },
	[CTL_OPT_DAYS] = { "days", CTL_TEXT, AT(days) },
	[CTL_OPT_DEFAULT] = { "default", CTL_FLAG, AT(only_default) },
	[CTL_OPT_DISCOVERY] = { "discovery", CTL_TEXT, AT(discovery) },
	[CTL_OPT_DRY_RUN] = { "dry-run", CTL_FLAG, AT(dry_run) },
	[CTL_OPT_ENTRY] = { "entry", CTL_TEXT, AT(entry) },
	[CTL_OPT_FILE] = { "file", CTL_TEXT, AT(file) },
	[CTL_OPT_FILTER] = { "filter", CTL_TEXT, AT(filter) },
	[CTL_OPT_FORMAT] = { "format", CTL_TEXT, AT(format) },
	[CTL_OPT_FROM] = { "from", CTL_TEXT, AT(from) },
	[CTL_OPT_GROUP] = { "group", CTL_LIST, AT(groups) },
	[CTL_OPT_GUEST] = { "guest", CTL_TEXT, AT(guest) },
	[CTL_OPT_HOME] = { "home", CTL_TEXT, AT(home_uri) },
	[CTL_OPT_ISSUER] = { "issuer", CTL_TEXT, AT(issuer) },
	[CTL_OPT_JUSTIFICATION] = { "justification", CTL_TEXT, AT(justification) },
	[CTL_OPT_KEYS] = { "keys", CTL_TEXT, AT(keys) },
	[CTL_OPT_LANGUAGE] = { "language", CTL_TEXT, AT(language) },
	[CTL_OPT_MAIL] = { "mail", CTL_TEXT, AT(mail) },
	[CTL_OPT_MAP] = { "map", CTL_LIST, AT(maps) },
	[CTL_OPT_MESSAGE] = { "message", CTL_TEXT, AT(message) },
	[CTL_OPT_MINE] = { "mine", CTL_FLAG, AT(mine) },
	[CTL_OPT_NAME] = { "name", CTL_TEXT, AT(name) },
	[CTL_OPT_NO_QR] = { "no-qr", CTL_FLAG, AT(no_qr) },
	[CTL_OPT_PARTNER] = { "partner", CTL_TEXT, AT(partner) },
	[CTL_OPT_PASSCODE] = { "passcode", CTL_TEXT, AT(passcode) },
	[CTL_OPT_PASSWORD_FILE] = { "password-file", CTL_TEXT, AT(proof_file) },
	[CTL_OPT_PEER] = { "peer", CTL_TEXT, AT(peer) },
	[CTL_OPT_QR] = { "qr", CTL_FLAG, AT(qr) },
	[CTL_OPT_REASON] = { "reason", CTL_TEXT, AT(reason) },
	[CTL_OPT_REFRESH] = { "refresh", CTL_FLAG, AT(refresh) },
	[CTL_OPT_SETTING] = { "setting", CTL_TEXT, AT(setting) },
	[CTL_OPT_SHOW_TICKET] = { "show-ticket", CTL_FLAG, AT(show_ticket) },
	[CTL_OPT_SPONSOR] = { "sponsor", CTL_LIST, AT(sponsors) },
	[CTL_OPT_SSF] = { "ssf", CTL_TEXT, AT(ssf) },
	[CTL_OPT_STATE] = { "state", CTL_TEXT, AT(state) },
	[CTL_OPT_SUBJECT] = { "subject", CTL_TEXT, AT(subject) },
	[CTL_OPT_SUBJECT_CLAIM] = { "subject-claim", CTL_TEXT, AT(subject_claim) },
	[CTL_OPT_TENANT] = { "tenant", CTL_TEXT, AT(home_tenant) },
	[CTL_OPT_TENANT_CLAIM] = { "tenant-claim", CTL_LIST, AT(tenant_claims) },
	[CTL_OPT_TERMS] = { "terms", CTL_TEXT, AT(terms) },
	[CTL_OPT_TOKEN] = { "token", CTL_TEXT, AT(token) },
	[CTL_OPT_TOTP] = { "totp", CTL_TEXT, AT(totp) },
	[CTL_OPT_UID] = { "uid", CTL_TEXT, AT(uid) },
	[CTL_OPT_UNTIL] = { "until", CTL_TEXT, AT(until) },
	[CTL_OPT_UPDATE] = { "update", CTL_FLAG, AT(update) },
	[CTL_OPT_WHAT] = { "what", CTL_TEXT, AT(what) },
	[CTL_OPT_YES] = { "yes", CTL_FLAG, AT(yes) },
};

const struct ctl_command ctl_commands[] = {
	{ "policy", "import", "[--partner ID] [--setting NAME] [--dry-run] FILE|-",
	  ctl_policy_import, BIT(PARTNER) | BIT(SETTING) | BIT(DRY_RUN), 1, 0 },
	{ "policy", "check", "[--partner ID] [--setting NAME] FILE|-", ctl_policy_check,
	  BIT(PARTNER) | BIT(SETTING), 1, 0 },
	{ "policy", "export", "[--partner ID | --default]", ctl_policy_export,
	  BIT(PARTNER) | BIT(DEFAULT), 0, 0 },
	{ "partner", "add",
	  "--partner ID (--discovery URL|FILE [--keys URL|FILE] | --keys URL|FILE --issuer ISSUER) "
	  "[--audience AUDIENCE]... [--tenant-claim NAME=VALUE]... [--subject-claim NAME] "
	  "[--ca-file FILE] [--dry-run], or --from ldap[s]://HOST[/BASE] [--partner ID] [--home "
	  "URI] "
	  "[--update] [--ca-file FILE] [--dry-run], or --refresh [--partner ID] [--ca-file FILE] "
	  "[--dry-run]",
	  ctl_partner_add,
	  BIT(PARTNER) | BIT(DISCOVERY) | BIT(KEYS) | BIT(ISSUER) | BIT(AUDIENCE) |
		  BIT(TENANT_CLAIM) | BIT(SUBJECT_CLAIM) | BIT(CA_FILE) | BIT(DRY_RUN) |
		  BIT(REFRESH) | BIT(FROM) | BIT(HOME) | BIT(UPDATE),
	  0, 0 },
	{ "partner", "show", "ID", ctl_partner_show, 0, 1, 0 },
	{ "partner", "test", "[--token FILE|-] [--ca-file FILE] ID", ctl_partner_test,
	  BIT(TOKEN) | BIT(CA_FILE), 1, 0 },
	{ "guest", "list",
	  "[--state pending|accepted|enabled|disabled] [--partner ID] [--filter FILTER] "
	  "[--format table|csv|json]",
	  ctl_guest_list, BIT(STATE) | BIT(PARTNER) | BIT(FILTER) | BIT(FORMAT), 0, 0 },
	{ "guest", "show", "DN|UID|MAIL", ctl_guest_show, 0, 1, 0 },
	{ "totp", "enroll", "[--qr | --no-qr] DN|UID|MAIL|self", ctl_totp_enroll,
	  BIT(QR) | BIT(NO_QR), 1, 0 },
	{ "totp", "reset", "DN|UID|MAIL", ctl_totp_reset, 0, 1, 0 },
	{ "explain", NULL,
	  "--guest DN|UID|MAIL [--app ID] [--peer ADDRESS] [--claims FILE|-] [--ssf NUMBER] "
	  "[--entry DN] [--format table|json]",
	  ctl_explain,
	  BIT(GUEST) | BIT(APP) | BIT(PEER) | BIT(CLAIMS) | BIT(SSF) | BIT(ENTRY) | BIT(FORMAT), 0,
	  0 },
	{ "token", NULL, "--tenant ID [--app ID]", ctl_token, BIT(TENANT) | BIT(APP), 0, 0 },
	{ "invite", NULL,
	  "--mail ADDRESS [--name NAME] [--tenant ID] [--sponsor DN|UID|MAIL]... [--app ID]... "
	  "[--until DATE|+DAYS] [--message TEXT|@FILE] [--language LANGUAGE] [--subject SUBJECT] "
	  "[--uid UID] [--show-ticket] [--format table|csv|json] [--dry-run], or --file FILE|- "
	  "[...]",
	  ctl_invite,
	  BIT(MAIL) | BIT(NAME) | BIT(TENANT) | BIT(SPONSOR) | BIT(APP) | BIT(UNTIL) |
		  BIT(MESSAGE) | BIT(LANGUAGE) | BIT(SUBJECT) | BIT(UID) | BIT(SHOW_TICKET) |
		  BIT(FORMAT) | BIT(DRY_RUN) | BIT(FILE),
	  0, 0 },
	{ "guest", "redeem",
	  "[--token FILE|- | --password-file FILE|- | --passcode CODE|-] [--terms VERSION] "
	  "[--totp CODE] (TICKET|URL|- | --guest DN|MAIL)",
	  ctl_guest_redeem,
	  BIT(TOKEN) | BIT(PASSWORD_FILE) | BIT(PASSCODE) | BIT(TERMS) | BIT(TOTP) | BIT(GUEST), 0,
	  1 },
	{ "guest", "passcode", "DN|MAIL|TICKET|URL|-", ctl_guest_passcode, 0, 1, 0 },
	{ "guest", "reset", "DN|UID|MAIL", ctl_guest_reset, 0, 1, 0 },
	{ "guest", "disable", "DN|UID|MAIL", ctl_guest_disable, 0, 1, 0 },
	{ "guest", "restore", "[--until DATE|+DAYS] DN|UID|MAIL", ctl_guest_restore, BIT(UNTIL), 1,
	  0 },
	{ "guest", "delete", "[--yes] DN|UID|MAIL", ctl_guest_delete, BIT(YES), 1, 0 },
	{ "review", "list", "[--mine] [--format table|csv|json]", ctl_review_list,
	  BIT(MINE) | BIT(FORMAT), 0, 0 },
	{ "review", "approve", "[--justification TEXT] DN|UID|MAIL", ctl_review_approve,
	  BIT(JUSTIFICATION), 1, 0 },
	{ "review", "deny", "[--justification TEXT] DN|UID|MAIL", ctl_review_deny,
	  BIT(JUSTIFICATION), 1, 0 },
	{ "review", "status", "[--format table|csv|json] [NAME]", ctl_review_status, BIT(FORMAT), 0,
	  1 },
	{ "review", "import", "[--map ID=DN]... [--group DN]... [--dry-run] FILE|-",
	  ctl_review_import, BIT(MAP) | BIT(GROUP) | BIT(DRY_RUN), 1, 0 },
	{ "request", "add",
	  "--mail ADDRESS [--name NAME] [--tenant ID] [--app ID]... [--reason TEXT] "
	  "[--attribute NAME=VALUE]...",
	  ctl_request_add,
	  BIT(MAIL) | BIT(NAME) | BIT(TENANT) | BIT(APP) | BIT(REASON) | BIT(ATTRIBUTE), 0, 0 },
	{ "request", "list", "[--state STATE] [--format table|csv|json]", ctl_request_list,
	  BIT(STATE) | BIT(FORMAT), 0, 0 },
	{ "request", "approve", "[--answer TEXT] CN|MAIL", ctl_request_approve, BIT(ANSWER), 1, 0 },
	{ "request", "deny", "[--answer TEXT] CN|MAIL", ctl_request_deny, BIT(ANSWER), 1, 0 },
	{ "report", NULL,
	  "[--what expiring|lapsed|orphaned|unredeemed|partners|all] [--days NUMBER] "
	  "[--format table|csv|json]",
	  ctl_report, BIT(WHAT) | BIT(DAYS) | BIT(FORMAT), 0, 0 },
	{ NULL, NULL, NULL, NULL, 0, 0, 0 },
};
