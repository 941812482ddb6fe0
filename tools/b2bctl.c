/*
 * b2bctl.c - the command line of b2bctl: which command, which options.
 * In: argv.
 * Out: struct ctl_options for the command's own file; the exit code.
 */
#include "ctl.h"

#include <getopt.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

enum { /* options of commands, as bits; their getopt values start beyond the letters */
       OPT_PARTNER = 1,
       OPT_SETTING = 2,
       OPT_DRY_RUN = 4,
       OPT_DEFAULT = 8,
       OPT_FILTER = 16,
       OPT_FORMAT = 32,
       OPT_LONG = 0x1000,
       OPT_HELP = OPT_LONG,
       OPT_VERSION
};

struct command {
	const char *group, *name, *usage;
	int (*run)(struct ctl_options *options);
	int options; /* bits of those it knows */
	int words;   /* how many it wants */
};

static const struct command commands[] = {
	{ "policy", "import", "[--partner ID] [--setting NAME] [--dry-run] FILE|-",
	  ctl_policy_import, OPT_PARTNER | OPT_SETTING | OPT_DRY_RUN, 1 },
	{ "policy", "check", "[--partner ID] [--setting NAME] FILE|-", ctl_policy_check,
	  OPT_PARTNER | OPT_SETTING, 1 },
	{ "policy", "export", "[--partner ID | --default]", ctl_policy_export,
	  OPT_PARTNER | OPT_DEFAULT, 0 },
	{ "guest", "list", "[--filter FILTER] [--format table|csv|json]", ctl_guest_list,
	  OPT_FILTER | OPT_FORMAT, 0 },
	{ "guest", "show", "DN|UID|MAIL", ctl_guest_show, 0, 1 },
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void print_help(FILE *file)
{
	fputs("usage: " CTL_NAME " [options] command\n\ncommands:\n", file);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(file, "  %s %s %s\n", commands[i].group, commands[i].name,
			commands[i].usage);
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
	      file);
}

static int misuse(const char *what, const char *which)
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

/* One option; a negative answer means that getopt has complained already. */
static int take_option(struct ctl_options *options, int option, char *value, int *given)
{
	switch (option) {
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
	case OPT_LONG | OPT_PARTNER << 4:
		options->partner = value;
		break;
	case OPT_LONG | OPT_SETTING << 4:
		options->setting = value;
		break;
	case OPT_LONG | OPT_DRY_RUN << 4:
		options->dry_run = true;
		break;
	case OPT_LONG | OPT_DEFAULT << 4:
		options->only_default = true;
		break;
	case OPT_LONG | OPT_FILTER << 4:
		options->filter = value;
		break;
	case OPT_LONG | OPT_FORMAT << 4:
		options->format = value;
		break;
	default:
		return misuse("wrong option", "");
	}
	*given |= (option & ~OPT_LONG) >> 4;
	return CTL_DONE;
}

static int check_options(const struct ctl_options *options)
{
	int passwords =
		(options->password != NULL) + options->prompt + (options->password_file != NULL);

	if (passwords > 1)
		return misuse("-w, -W and -y exclude each other", "");
	if (options->simple && options->mech)
		return misuse("-x and -Y exclude each other", "");
	if (options->bind_dn && !options->mech && passwords == 0)
		return misuse("-D needs a password: -w, -W or -y", "");
	if (options->partner && options->only_default)
		return misuse("--partner and --default exclude each other", "");
	if (options->partner && !*options->partner)
		return misuse("--partner: the id is empty", "");
	return CTL_DONE;
}

static int run_command(struct ctl_options *options, int given)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *command = &commands[i];

		if (options->word_count < 2 || strcmp(options->words[0], command->group) != 0 ||
		    strcmp(options->words[1], command->name) != 0)
			continue;
		options->words += 2;
		options->word_count -= 2;
		if (options->word_count != command->words)
			return misuse("wants: ", command->usage);
		if (given & ~command->options)
			return misuse("an option of another command; wants: ", command->usage);
		return command->run(options);
	}
	return misuse(options->word_count ? "unknown command " : "no command",
		      options->word_count ? options->words[0] : "");
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "partner", required_argument, NULL, OPT_LONG | OPT_PARTNER << 4 },
		{ "setting", required_argument, NULL, OPT_LONG | OPT_SETTING << 4 },
		{ "dry-run", no_argument, NULL, OPT_LONG | OPT_DRY_RUN << 4 },
		{ "default", no_argument, NULL, OPT_LONG | OPT_DEFAULT << 4 },
		{ "filter", required_argument, NULL, OPT_LONG | OPT_FILTER << 4 },
		{ "format", required_argument, NULL, OPT_LONG | OPT_FORMAT << 4 },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ NULL, 0, NULL, 0 }
	};
	struct ctl_options options = { 0 };
	int option, given = 0, result = CTL_DONE;

	while (result == CTL_DONE &&
	       (option = getopt_long(argc, argv, "H:D:w:Wy:Y:Zxb:v", longs, NULL)) != -1) {
		if (option == OPT_HELP || option == OPT_VERSION) {
			ctl_wipe_password(&options);
			if (option == OPT_HELP)
				print_help(stdout);
			else
				puts(CTL_NAME " (slapo-b2b) " B2B_VERSION);
			return CTL_DONE;
		}
		result = take_option(&options, option, optarg, &given);
	}
	options.words = argv + optind;
	options.word_count = argc - optind;
	if (result == CTL_DONE)
		result = check_options(&options);
	if (result == CTL_DONE)
		result = run_command(&options, given);
	ctl_wipe_password(&options);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror(CTL_NAME ": standard output");
		result = result == CTL_DONE ? CTL_FAILED : result;
	}
	return result;
}
