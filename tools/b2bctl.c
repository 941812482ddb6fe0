/*
 * b2bctl.c - the command line of b2bctl: which command, which options.
 * In: argv.
 * Out: struct ctl_options for the command's own file; the exit code.
 */
#include "ctl.h"

#include <getopt.h>
#include <openssl/crypto.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum option_id { /* options of commands; a command knows a set of them, as bits */
		 OPT_APP,
		 OPT_AUDIENCE,
		 OPT_CA_FILE,
		 OPT_CLAIMS,
		 OPT_DEFAULT,
		 OPT_DISCOVERY,
		 OPT_DRY_RUN,
		 OPT_FILTER,
		 OPT_FORMAT,
		 OPT_GUEST,
		 OPT_ISSUER,
		 OPT_KEYS,
		 OPT_NO_QR,
		 OPT_PARTNER,
		 OPT_PEER,
		 OPT_QR,
		 OPT_REFRESH,
		 OPT_SETTING,
		 OPT_SSF,
		 OPT_SUBJECT_CLAIM,
		 OPT_TENANT_CLAIM,
		 OPT_TOKEN,
		 OPT_COUNT
};
#define BIT(id) (1u << (id))

enum option_kind { FLAG, TEXT, LIST };

struct option_row {
	const char *name;
	enum option_kind kind;
	size_t at; /* where in struct ctl_options it goes: bool, const char *, struct ctl_list */
};

#define AT(member) offsetof(struct ctl_options, member)
static const struct option_row option_rows[OPT_COUNT] = {
	[OPT_APP] = { "app", TEXT, AT(app) },
	[OPT_AUDIENCE] = { "audience", LIST, AT(audiences) },
	[OPT_CA_FILE] = { "ca-file", TEXT, AT(ca_file) },
	[OPT_CLAIMS] = { "claims", TEXT, AT(claims) },
	[OPT_DEFAULT] = { "default", FLAG, AT(only_default) },
	[OPT_DISCOVERY] = { "discovery", TEXT, AT(discovery) },
	[OPT_DRY_RUN] = { "dry-run", FLAG, AT(dry_run) },
	[OPT_FILTER] = { "filter", TEXT, AT(filter) },
	[OPT_FORMAT] = { "format", TEXT, AT(format) },
	[OPT_GUEST] = { "guest", TEXT, AT(guest) },
	[OPT_ISSUER] = { "issuer", TEXT, AT(issuer) },
	[OPT_KEYS] = { "keys", TEXT, AT(keys) },
	[OPT_NO_QR] = { "no-qr", FLAG, AT(no_qr) },
	[OPT_PARTNER] = { "partner", TEXT, AT(partner) },
	[OPT_PEER] = { "peer", TEXT, AT(peer) },
	[OPT_QR] = { "qr", FLAG, AT(qr) },
	[OPT_REFRESH] = { "refresh", FLAG, AT(refresh) },
	[OPT_SETTING] = { "setting", TEXT, AT(setting) },
	[OPT_SSF] = { "ssf", TEXT, AT(ssf) },
	[OPT_SUBJECT_CLAIM] = { "subject-claim", TEXT, AT(subject_claim) },
	[OPT_TENANT_CLAIM] = { "tenant-claim", LIST, AT(tenant_claims) },
	[OPT_TOKEN] = { "token", TEXT, AT(token) },
};

struct command {
	const char *group, *name; /* name is NULL where the group is the whole command */
	const char *usage;
	int (*run)(struct ctl_options *options);
	unsigned options; /* bits of those it knows */
	int words;        /* how many it wants */
};

static const struct command commands[] = {
	{ "policy", "import", "[--partner ID] [--setting NAME] [--dry-run] FILE|-",
	  ctl_policy_import, BIT(OPT_PARTNER) | BIT(OPT_SETTING) | BIT(OPT_DRY_RUN), 1 },
	{ "policy", "check", "[--partner ID] [--setting NAME] FILE|-", ctl_policy_check,
	  BIT(OPT_PARTNER) | BIT(OPT_SETTING), 1 },
	{ "policy", "export", "[--partner ID | --default]", ctl_policy_export,
	  BIT(OPT_PARTNER) | BIT(OPT_DEFAULT), 0 },
	{ "partner", "add",
	  "--partner ID (--discovery URL|FILE [--keys URL|FILE] | --keys URL|FILE --issuer ISSUER) "
	  "[--audience AUDIENCE]... [--tenant-claim NAME=VALUE]... [--subject-claim NAME] "
	  "[--ca-file FILE] [--dry-run], or --refresh [--partner ID] [--ca-file FILE] [--dry-run]",
	  ctl_partner_add,
	  BIT(OPT_PARTNER) | BIT(OPT_DISCOVERY) | BIT(OPT_KEYS) | BIT(OPT_ISSUER) |
		  BIT(OPT_AUDIENCE) | BIT(OPT_TENANT_CLAIM) | BIT(OPT_SUBJECT_CLAIM) |
		  BIT(OPT_CA_FILE) | BIT(OPT_DRY_RUN) | BIT(OPT_REFRESH),
	  0 },
	{ "partner", "show", "ID", ctl_partner_show, 0, 1 },
	{ "partner", "test", "[--token FILE|-] [--ca-file FILE] ID", ctl_partner_test,
	  BIT(OPT_TOKEN) | BIT(OPT_CA_FILE), 1 },
	{ "guest", "list", "[--filter FILTER] [--format table|csv|json]", ctl_guest_list,
	  BIT(OPT_FILTER) | BIT(OPT_FORMAT), 0 },
	{ "guest", "show", "DN|UID|MAIL", ctl_guest_show, 0, 1 },
	{ "totp", "enroll", "[--qr | --no-qr] DN|UID|MAIL|self", ctl_totp_enroll,
	  BIT(OPT_QR) | BIT(OPT_NO_QR), 1 },
	{ "totp", "reset", "DN|UID|MAIL", ctl_totp_reset, 0, 1 },
	{ "explain", NULL,
	  "--guest DN|UID|MAIL [--app ID] [--peer ADDRESS] [--claims FILE|-] [--ssf NUMBER]",
	  ctl_explain,
	  BIT(OPT_GUEST) | BIT(OPT_APP) | BIT(OPT_PEER) | BIT(OPT_CLAIMS) | BIT(OPT_SSF), 0 },
};
#define COMMANDS (sizeof commands / sizeof *commands)
#define HELP_COLUMNS 79

enum { /* getopt's values: the letters, then these */
       OPT_LONG = 0x1000,
       OPT_HELP = OPT_LONG + OPT_COUNT,
       OPT_VERSION
};

/* A command and its usage, broken between words. */
static void print_usage(const struct command *command)
{
	int column = printf("  %s%s%s", command->group, command->name ? " " : "",
			    command->name ? command->name : "");

	for (const char *word = command->usage; *word;) {
		int bytes = (int)strcspn(word, " ");

		if (column + 1 + bytes > HELP_COLUMNS)
			column = printf("\n     ") - 1;
		column += printf(" %.*s", bytes, word);
		word += bytes;
		word += strspn(word, " ");
	}
	putchar('\n');
}

static void print_help(void)
{
	fputs("usage: " CTL_NAME " [options] command\n\ncommands:\n", stdout);
	for (size_t i = 0; i < COMMANDS; i++)
		print_usage(&commands[i]);
	fputs("\noptions, as of ldapsearch(1):\n"
	      "  -H URI     server; default: ldap.conf(5)\n"
	      "  -D DN      bind as this name, with a password\n"
	      "  -w PASS    password\n"
	      "  -W         ask for the password\n"
	      "  -y FILE    password: the whole file\n"
	      "  -x         simple bind\n"
	      "  -Y MECH    SASL mechanism; EXTERNAL by itself over ldapi without -D and -x\n"
	      "  -Z, -ZZ    StartTLS; -ZZ demands it\n"
	      "  -b DN      our suffix, or our tenant entry\n"
	      "  -v         say more\n"
	      "  --version, --help\n",
	      stdout);
}

int ctl_misuse(const char *what, const char *which)
{
	ctl_fail("%s%s; " CTL_NAME " --help says more", what, which);
	return CTL_USAGE;
}

/* Keeps the password and takes it off the command line, where others would read it. */
static void take_password(struct ctl_options *options, char *given)
{
	ctl_wipe_password(options);
	options->password = ctl_format("%s", given);
	options->password_bytes = strlen(given);
	OPENSSL_cleanse(given, strlen(given));
}

static int take_letter(struct ctl_options *options, int letter, char *value)
{
	switch (letter) {
	case 'H':
		options->uri = value;
		return CTL_DONE;
	case 'D':
		options->bind_dn = value;
		return CTL_DONE;
	case 'w':
		take_password(options, value);
		return CTL_DONE;
	case 'W':
		options->prompt = true;
		return CTL_DONE;
	case 'y':
		options->password_file = value;
		return CTL_DONE;
	case 'Y':
		options->mech = value;
		return CTL_DONE;
	case 'Z':
		options->start_tls++;
		return CTL_DONE;
	case 'x':
		options->simple = true;
		return CTL_DONE;
	case 'b':
		options->base = value;
		return CTL_DONE;
	case 'v':
		options->verbose = true;
		return CTL_DONE;
	default: /* getopt has complained already */
		return ctl_misuse("wrong option", "");
	}
}

static void take_long(struct ctl_options *options, const struct option_row *row, char *value)
{
	char *place = (char *)options + row->at;
	struct ctl_list *list;

	switch (row->kind) {
	case FLAG:
		*(bool *)place = true;
		return;
	case TEXT:
		*(const char **)place = value;
		return;
	case LIST:
		list = (struct ctl_list *)place;
		list->values = ctl_grow(list->values, list->count, sizeof *list->values);
		list->values[list->count++] = value;
	}
}

static int check_options(const struct ctl_options *options)
{
	int passwords =
		(options->password != NULL) + options->prompt + (options->password_file != NULL);

	if (passwords > 1)
		return ctl_misuse("-w, -W and -y exclude each other", "");
	if (options->simple && options->mech)
		return ctl_misuse("-x and -Y exclude each other", "");
	if (options->bind_dn && !options->mech && passwords == 0)
		return ctl_misuse("-D needs a password: -w, -W or -y", "");
	if (options->partner && options->only_default)
		return ctl_misuse("--partner and --default exclude each other", "");
	if (options->partner && !*options->partner)
		return ctl_misuse("--partner: the id is empty", "");
	if (options->qr && options->no_qr)
		return ctl_misuse("--qr and --no-qr exclude each other", "");
	return CTL_DONE;
}

static bool is_command(const struct command *command, const struct ctl_options *options)
{
	int named = command->name ? 2 : 1;

	return options->word_count >= named && strcmp(options->words[0], command->group) == 0 &&
	       (!command->name || strcmp(options->words[1], command->name) == 0);
}

static int run_command(struct ctl_options *options, unsigned given)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *command = &commands[i];
		int named = command->name ? 2 : 1;

		if (!is_command(command, options))
			continue;
		options->words += named;
		options->word_count -= named;
		if (options->word_count != command->words)
			return ctl_misuse("wants: ", command->usage);
		if (given & ~command->options)
			return ctl_misuse("an option of another command; wants: ", command->usage);
		return command->run(options);
	}
	return ctl_misuse(options->word_count ? "unknown command " : "no command",
			  options->word_count ? options->words[0] : "");
}

static void fill_longs(struct option longs[OPT_COUNT + 3])
{
	for (int i = 0; i < OPT_COUNT; i++)
		longs[i] = (struct option){ option_rows[i].name,
					    option_rows[i].kind == FLAG ? no_argument
									: required_argument,
					    NULL, OPT_LONG + i };
	longs[OPT_COUNT] = (struct option){ "help", no_argument, NULL, OPT_HELP };
	longs[OPT_COUNT + 1] = (struct option){ "version", no_argument, NULL, OPT_VERSION };
	longs[OPT_COUNT + 2] = (struct option){ NULL, 0, NULL, 0 };
}

static int parse(int argc, char **argv, struct ctl_options *options, unsigned *given_r)
{
	struct option longs[OPT_COUNT + 3];
	int option, result = CTL_DONE;

	fill_longs(longs);
	while (result == CTL_DONE &&
	       (option = getopt_long(argc, argv, "H:D:w:Wy:Y:Zxb:v", longs, NULL)) != -1) {
		if (option == OPT_HELP || option == OPT_VERSION) {
			options->only_help = option == OPT_HELP;
			options->only_version = option == OPT_VERSION;
			return CTL_DONE;
		}
		if (option < OPT_LONG) {
			result = take_letter(options, option, optarg);
			continue;
		}
		take_long(options, &option_rows[option - OPT_LONG], optarg);
		*given_r |= BIT(option - OPT_LONG);
	}
	options->words = argv + optind;
	options->word_count = argc - optind;
	return result == CTL_DONE ? check_options(options) : result;
}

int main(int argc, char **argv)
{
	struct ctl_options options = { 0 };
	unsigned given = 0;
	int result = parse(argc, argv, &options, &given);

	if (options.only_help)
		print_help();
	else if (options.only_version)
		puts(CTL_NAME " (slapo-b2b) " B2B_VERSION);
	else if (result == CTL_DONE)
		result = run_command(&options, given);
	ctl_wipe_password(&options);
	free(options.audiences.values);
	free(options.tenant_claims.values);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror(CTL_NAME ": standard output");
		result = result == CTL_DONE ? CTL_FAILED : result;
	}
	return result;
}
