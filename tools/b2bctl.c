/*
 * b2bctl.c - the command line of b2bctl: which command, which options.
 * In: argv.
 * Out: struct ctl_options for the command's own file; the exit code.
 */
#include "ctl.h"
#include "ctl_command.h"

#include <getopt.h>
#include <openssl/crypto.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLUMNS 79

enum { /* getopt's values: the letters, then these */
       OPT_LONG = 0x1000,
       OPT_HELP = OPT_LONG + CTL_OPTIONS,
       OPT_VERSION
};

/* A command and its usage, broken between words. */
static void print_usage(const struct ctl_command *command)
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
	for (const struct ctl_command *command = ctl_commands; command->group; command++)
		print_usage(command);
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

static void take_long(struct ctl_options *options, const struct ctl_option *row, char *value)
{
	char *place = (char *)options + row->at;
	struct ctl_list *list;

	switch (row->kind) {
	case CTL_FLAG:
		*(bool *)place = true;
		return;
	case CTL_TEXT:
		*(const char **)place = value;
		return;
	case CTL_LIST:
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

static bool is_command(const struct ctl_command *command, const struct ctl_options *options)
{
	int named = command->name ? 2 : 1;

	return options->word_count >= named && strcmp(options->words[0], command->group) == 0 &&
	       (!command->name || strcmp(options->words[1], command->name) == 0);
}

static bool takes_words(const struct ctl_command *command, int words)
{
	return words >= command->words && words <= command->words + command->optional_words;
}

static int run_command(struct ctl_options *options, uint64_t given)
{
	for (const struct ctl_command *command = ctl_commands; command->group; command++) {
		int named = command->name ? 2 : 1;

		if (!is_command(command, options))
			continue;
		options->words += named;
		options->word_count -= named;
		if (!takes_words(command, options->word_count))
			return ctl_misuse("wants: ", command->usage);
		if (given & ~command->options)
			return ctl_misuse("an option of another command; wants: ", command->usage);
		return command->run(options);
	}
	return ctl_misuse(options->word_count ? "unknown command " : "no command",
			  options->word_count ? options->words[0] : "");
}

static void fill_longs(struct option longs[CTL_OPTIONS + 3])
{
	for (int i = 0; i < CTL_OPTIONS; i++)
		longs[i] = (struct option){ ctl_option_rows[i].name,
					    ctl_option_rows[i].kind == CTL_FLAG ? no_argument
										: required_argument,
					    NULL, OPT_LONG + i };
	longs[CTL_OPTIONS] = (struct option){ "help", no_argument, NULL, OPT_HELP };
	longs[CTL_OPTIONS + 1] = (struct option){ "version", no_argument, NULL, OPT_VERSION };
	longs[CTL_OPTIONS + 2] = (struct option){ NULL, 0, NULL, 0 };
}

static int parse(int argc, char **argv, struct ctl_options *options, uint64_t *given_r)
{
	struct option longs[CTL_OPTIONS + 3];
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
		take_long(options, &ctl_option_rows[option - OPT_LONG], optarg);
		*given_r |= CTL_BIT(option - OPT_LONG);
	}
	options->words = argv + optind;
	options->word_count = argc - optind;
	return result == CTL_DONE ? check_options(options) : result;
}

static void free_lists(struct ctl_options *options)
{
	for (int i = 0; i < CTL_OPTIONS; i++) {
		const struct ctl_option *row = &ctl_option_rows[i];

		if (row->kind == CTL_LIST)
			free(((struct ctl_list *)((char *)options + row->at))->values);
	}
}

int main(int argc, char **argv)
{
	struct ctl_options options = { 0 };
	uint64_t given = 0;
	int result = parse(argc, argv, &options, &given);

	if (options.only_help)
		print_help();
	else if (options.only_version)
		puts(CTL_NAME " (slapo-b2b) " B2B_VERSION);
	else if (result == CTL_DONE)
		result = run_command(&options, given);
	ctl_wipe_password(&options);
	free_lists(&options);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror(CTL_NAME ": standard output");
		result = result == CTL_DONE ? CTL_FAILED : result;
	}
	return result;
}
