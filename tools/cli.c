/* cli.c: command lines, help and errors, the same for every command; see cli.h. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPTIONS_MAX 48

static const char *command_name;
static char failure[4096];

/* -- numbers ------------------------------------------------------------------------------- */

static int parse_digits(const char **text, uint64_t *ret_value)
{
	const char *p = *text;
	uint64_t value = 0;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return -ERANGE;
	}
	*text = p;
	*ret_value = value;
	return 0;
}

int cli_size(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	const char *unit;
	uint64_t value;
	unsigned int shift = 0;
	int err;

	err = parse_digits(&text, &value);
	if (err)
		return err;
	unit = *text ? strchr(units, *text & ~0x20) : NULL;
	if (unit) {
		shift = 10 * (unsigned int)(unit - units + 1);
		text++;
	}
	if (*text && strcmp(text, "B") != 0 && !(unit && strcmp(text, "iB") == 0))
		return -EINVAL;
	if (shift && value >> (64 - shift))
		return -ERANGE;
	*ret_bytes = value << shift;
	return 0;
}

static int unit_ns(const char *unit, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "", 1000000000 }, { "s", 1000000000 },  { "ms", 1000000 },	  { "us", 1000 },
		{ "ns", 1 },	    { "m", 60000000000 }, { "h", 3600000000000 },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(unit, units[i].name) == 0) {
			*ret_ns = units[i].ns;
			return 0;
		}
	}
	return -EINVAL;
}

int cli_duration(const char *text, uint64_t *ret_ns)
{
	uint64_t whole, unit, ns, part = 0;
	const char *fraction = NULL;
	int err;

	err = parse_digits(&text, &whole);
	if (err)
		return err;
	if (*text == '.') {
		fraction = ++text;
		text += strspn(text, "0123456789");
		if (text == fraction)
			return -EINVAL;
	}
	err = unit_ns(text, &unit);
	if (err)
		return err;
	if (fraction) {
		for (uint64_t place = unit / 10; place && fraction < text; place /= 10)
			part += place * (uint64_t)(*fraction++ - '0');
	}
	if (__builtin_mul_overflow(whole, unit, &ns) || __builtin_add_overflow(ns, part, &ns))
		return -ERANGE;
	*ret_ns = ns;
	return 0;
}

static int parse_count(const char *text, uint64_t *ret_value)
{
	uint64_t value;
	int err = parse_digits(&text, &value);

	if (err)
		return err;
	if (*text)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

/* -- errors -------------------------------------------------------------------------------- */

int cli_fail(int exit_code, const char *what, const char *cause, const char *remedy)
{
	fflush(stdout);
	snprintf(failure, sizeof(failure), "%s: %s%s%s", what, cause, remedy ? "; " : "",
		 remedy ? remedy : "");
	fprintf(stderr, "sluice%s%s: %s: %s%s%s\n", command_name ? " " : "",
		command_name ? command_name : "", what, cause, remedy ? "; " : "",
		remedy ? remedy : "");
	return exit_code;
}

const char *cli_failure(void)
{
	return failure;
}

static const struct {
	int err;
	int exit_code;
	const char *remedy;
} usual_errors[] = {
	{ ENOENT, CLI_USAGE, "nothing has this name, check the spelling" },
	{ ENOTDIR, CLI_USAGE, "a part of the path is not a directory, check the spelling" },
	{ EISDIR, CLI_USAGE, "it is a directory, name a file" },
	{ EINVAL, CLI_USAGE, NULL },
	{ ENAMETOOLONG, CLI_USAGE, "use a shorter path" },
	{ EACCES, CLI_MACHINE, "likely not yours, try another path or another user" },
	{ EPERM, CLI_MACHINE, "likely needs more rights, try as root" },
	{ EROFS, CLI_MACHINE, "the file system is mounted read-only, try another path" },
	{ ENOMEM, CLI_MACHINE, "a memory limit was reached, see `ulimit -a`" },
	{ EMFILE, CLI_MACHINE, "too many open files, raise `ulimit -n`" },
	{ ENOSYS, CLI_MACHINE, "this kernel lacks it or forbids it, see `sluice probe`" },
	{ EOPNOTSUPP, CLI_MACHINE, "this file system or device cannot, see `sluice probe`" },
	{ ENOSPC, CLI_IO, "the file system is full, free some space or try another path" },
	{ EDQUOT, CLI_IO, "the disk quota is used up, free some space or try another path" },
	{ EFBIG, CLI_IO, "a file size limit was reached, see `ulimit -f`" },
};

int cli_fail_errno(const char *what, int err, const char *remedy)
{
	if (err < 0)
		err = -err;
	for (size_t i = 0; i < sizeof(usual_errors) / sizeof(usual_errors[0]); i++) {
		if (usual_errors[i].err == err)
			return cli_fail(usual_errors[i].exit_code, what, strerror(err),
					remedy ? remedy : usual_errors[i].remedy);
	}
	return cli_fail(CLI_IO, what, strerror(err), remedy);
}

/* -- help ---------------------------------------------------------------------------------- */

static void print_option(const char *name, const char *metavar, const char *help)
{
	char left[64];

	snprintf(left, sizeof(left), "--%s%s%s", name, metavar ? " " : "", metavar ? metavar : "");
	printf("  %-22s %s\n", left, help);
}

void cli_help(const struct cli_command *command)
{
	const struct cli_option *option;
	const char *line, *end;

	printf("sluice %s: %s\n\n", command->name, command->summary);
	printf("usage: sluice %s [OPTION]...%s%s\n\noptions:\n", command->name,
	       command->operands ? " " : "", command->operands ? command->operands : "");
	for (option = command->options; option && option->name; option++)
		print_option(option->name, option->metavar, option->help);
	print_option("help", NULL, "show this and exit");
	if (command->notes)
		printf("\n%s\n", command->notes);
	printf("\nexample:\n");
	for (line = command->example; (end = strchr(line, '\n')); line = end + 1)
		printf("  %.*s\n", (int)(end - line), line);
	printf("\nexit codes: 0 done, 1 the answer is bad news, 2 wrong usage,\n"
	       "  3 the machine or its permissions do not allow it, 4 an I/O error\n");
}

/* -- parsing ------------------------------------------------------------------------------- */

int cli_usage(const char *what, const char *cause)
{
	char remedy[96];

	snprintf(remedy, sizeof(remedy), "try `sluice %s --help`", command_name);
	return cli_fail(CLI_USAGE, what, cause, remedy);
}

static int parse_number(const struct cli_option *option, const char *text, uint64_t *ret_value)
{
	switch (option->kind) {
	case CLI_COUNT:
		return parse_count(text, ret_value);
	case CLI_SIZE:
		return cli_size(text, ret_value);
	default:
		return cli_duration(text, ret_value);
	}
}

/* A size or a span of time in the largest unit that leaves it whole, as one would type it. */
static void number_text(enum cli_kind kind, uint64_t value, char *buf, size_t size)
{
	static const struct {
		uint64_t in_one;
		const char *name;
	} sizes[] = { { 1ull << 40, "T" },
		      { 1 << 30, "G" },
		      { 1 << 20, "M" },
		      { 1 << 10, "K" },
		      { 1, "" } },
	  spans[] = { { 3600000000000, "h" }, { 60000000000, "m" }, { 1000000000, "s" },
		      { 1000000, "ms" },      { 1000, "us" },	    { 1, "ns" } };
	size_t i = 0;

	if (kind == CLI_COUNT || !value) {
		snprintf(buf, size, "%llu", (unsigned long long)value);
	} else if (kind == CLI_SIZE) {
		while (value % sizes[i].in_one)
			i++;
		snprintf(buf, size, "%llu%s", (unsigned long long)(value / sizes[i].in_one),
			 sizes[i].name);
	} else {
		while (value % spans[i].in_one)
			i++;
		snprintf(buf, size, "%llu%s", (unsigned long long)(value / spans[i].in_one),
			 spans[i].name);
	}
}

/* The bounds, or where there are none, examples. */
static void say_wanted(const struct cli_option *option, char *buf, size_t size)
{
	static const char *const words[] = {
		[CLI_COUNT] = "a whole number", [CLI_SIZE] = "a size", [CLI_DURATION] = "a duration"
	};
	static const char *const examples[] = {
		[CLI_COUNT] = "32", [CLI_SIZE] = "4096, 64K or 1G", [CLI_DURATION] = "500ms or 30s"
	};
	const char *word = words[option->kind];
	char min[32], max[32];

	number_text(option->kind, option->min, min, sizeof(min));
	number_text(option->kind, option->max, max, sizeof(max));
	if (option->max)
		snprintf(buf, size, "want %s from %s to %s", word, min, max);
	else if (option->min)
		snprintf(buf, size, "want %s, %s or more", word, min);
	else
		snprintf(buf, size, "want %s such as %s", word, examples[option->kind]);
}

static int add_value(const struct cli_option *option, const char *text)
{
	struct cli_list *list = option->value;
	char what[64];

	if (list->nr == CLI_LIST_MAX) {
		snprintf(what, sizeof(what), "--%s", option->name);
		return cli_usage(what, "given too often");
	}
	list->value[list->nr++] = text;
	return CLI_DONE;
}

static int store_value(const struct cli_option *option, const char *text)
{
	char what[64], wanted[96], cause[192];
	uint64_t value = 0;
	int err;

	if (option->kind == CLI_FLAG) {
		*(bool *)option->value = true;
		return CLI_DONE;
	}
	if (option->kind == CLI_STRING) {
		*(const char **)option->value = text;
		return CLI_DONE;
	}
	if (option->kind == CLI_LIST)
		return add_value(option, text);
	err = parse_number(option, text, &value);
	if (!err && (value < option->min || (option->max && value > option->max)))
		err = -ERANGE;
	if (!err) {
		*(uint64_t *)option->value = value;
		return CLI_DONE;
	}
	snprintf(what, sizeof(what), "--%s", option->name);
	say_wanted(option, wanted, sizeof(wanted));
	snprintf(cause, sizeof(cause), "'%.40s' is %s, %s", text,
		 err == -ERANGE ? "out of range" : "not a value", wanted);
	return cli_usage(what, cause);
}

/* Fills getopt's table; the value it returns is the option's index + 256, and 'h' for help. */
static int fill_table(const struct cli_command *command, struct option *table)
{
	int nr = 0;

	for (; command->options && command->options[nr].name; nr++) {
		if (nr == OPTIONS_MAX)
			abort();
		table[nr].name = command->options[nr].name;
		table[nr].val = 256 + nr;
		table[nr].has_arg = command->options[nr].kind == CLI_FLAG ? no_argument :
									    required_argument;
	}
	table[nr++] = (struct option){ .name = "help", .val = 'h' };
	return nr;
}

static int check_operands(const struct cli_command *command, int argc, char **argv, int first)
{
	int nr = argc - first;

	if (nr > command->operands_max)
		return cli_usage(argv[first + command->operands_max], "one operand too many");
	if (nr < command->operands_min)
		return cli_usage(command->operands, "missing");
	return CLI_DONE;
}

int cli_parse(const struct cli_command *command, int argc, char **argv, int *ret_exit)
{
	const char *letters = command->operands_last ? "+:h" : ":h";
	struct option table[OPTIONS_MAX + 2] = { 0 };
	int choice, code = CLI_DONE;

	command_name = command->name;
	fill_table(command, table);
	opterr = 0;
	optind = 0;
	while (code == CLI_DONE && (choice = getopt_long(argc, argv, letters, table, NULL)) != -1) {
		if (choice == 'h') {
			cli_help(command);
			*ret_exit = CLI_DONE;
			return -1;
		}
		if (choice == ':')
			code = cli_usage(argv[optind - 1], "needs a value");
		else if (choice == '?')
			code = cli_usage(argv[optind - 1], "unknown or ambiguous option");
		else
			code = store_value(&command->options[choice - 256], optarg);
	}
	if (code == CLI_DONE)
		code = check_operands(command, argc, argv, optind);
	*ret_exit = code;
	return code == CLI_DONE ? optind : -1;
}

/* -- the process --------------------------------------------------------------------------- */

/*
 * A command started with a closed descriptor 1 would get 1 for the first file it opens, and print
 * into it. Descriptor 1 is filled with something that cannot be written, so the loss is noticed.
 */
void cli_begin(void)
{
	static const int modes[3] = { O_RDONLY, O_RDONLY, O_RDWR };

	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", modes[fd]) != fd)
			_exit(CLI_IO);
	}
	signal(SIGPIPE, SIG_IGN);
}

/* A pipe or socket whose reader went away, or what cli_begin() put in place of a closed output. */
static bool nobody_listens(void)
{
	struct stat st;

	if (fstat(1, &st) < 0 || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
		return true;
	return (fcntl(1, F_GETFL) & O_ACCMODE) == O_RDONLY;
}

int cli_finish(int exit_code)
{
	int failed_before = ferror(stdout);

	errno = 0;
	if (fflush(stdout) == 0 && !failed_before)
		return exit_code;
	if (nobody_listens())
		return CLI_IO;
	return cli_fail(CLI_IO, "output", errno ? strerror(errno) : "cannot be written",
			"is the disk full?");
}
