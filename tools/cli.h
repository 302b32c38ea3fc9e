/* cli.h: the command line as a table: options, help, numbers with units, errors with a remedy. */
#ifndef SLUICE_TOOLS_CLI_H
#define SLUICE_TOOLS_CLI_H

#include <stdbool.h>
#include <stdint.h>

/* Exit codes of every command. */
enum {
	CLI_DONE = 0,	 /* done */
	CLI_BAD = 1,	 /* the answer is bad news */
	CLI_USAGE = 2,	 /* wrong usage */
	CLI_MACHINE = 3, /* the machine or its permissions do not allow it */
	CLI_IO = 4,	 /* an I/O error, a full disk, a closed output */
};

/* What an option's value is, and the type its value pointer has. */
enum cli_kind {
	CLI_FLAG,     /* bool: no argument */
	CLI_STRING,   /* const char *: borrowed from argv */
	CLI_COUNT,    /* uint64_t: a plain number, within min..max */
	CLI_SIZE,     /* uint64_t: bytes, "4096", "64K", "1M", "2G", within min..max */
	CLI_DURATION, /* uint64_t: nanoseconds, "30s", "5ms", plain = seconds, within min..max */
	CLI_LIST,     /* struct cli_list: may be given several times */
};

#define CLI_LIST_MAX 32

/* The values of an option, in their order; borrowed from argv, ended by NULL. */
struct cli_list {
	const char *value[CLI_LIST_MAX + 1];
	uint32_t nr;
};

struct cli_option {
	const char *name; /* without dashes; NULL ends the table */
	enum cli_kind kind;
	void *value;	     /* where the answer goes; untouched when the option is absent */
	const char *metavar; /* what --help calls the argument; NULL for a flag */
	const char *help;    /* one line, no full stop */
	uint64_t min, max;   /* inclusive; max 0 means no limit above */
};

struct cli_command {
	const char *name;		  /* "bench" */
	const char *summary;		  /* one line, no full stop */
	const char *operands;		  /* "[PATH]", or NULL for none */
	int operands_min, operands_max;	  /* how many are accepted */
	bool operands_last;		  /* options behind the first operand are operands too */
	const struct cli_option *options; /* ended by a NULL name; --help is added */
	const char *notes;		  /* paragraphs under the options; may be NULL */
	const char *example;		  /* lines to type, each ended by '\n'; required */
};

/**
 * cli_parse() - read a command's options and operands.
 * @command: borrowed for the rest of the process (cli_fail() uses its name).
 * @argc: main's, with argv[0] being the command's name.
 * @argv: reordered: the operands are moved to its end.
 * @ret_exit: the exit code to end with when the result is negative: CLI_DONE after --help,
 *            CLI_USAGE after a message about wrong usage.
 *
 * Return: the index in @argv of the first operand (argc when there is none), or -1: end now.
 */
int cli_parse(const struct cli_command *command, int argc, char **argv, int *ret_exit);

/* cli_help() - print a command's help to stdout. */
void cli_help(const struct cli_command *command);

/**
 * cli_usage() - say what is wrong with the usage of the command that was parsed, and where its help
 * is.
 * @what: the option or operand.
 * @cause: what is wrong with it.
 *
 * Return: CLI_USAGE.
 */
int cli_usage(const char *what, const char *cause);

/**
 * cli_size() - read a number of bytes: digits, then perhaps K M G or T (times 1024), B or iB.
 * @text: the text; no sign, no space, no fraction.
 * @ret_bytes: the answer; untouched on failure.
 *
 * Return: 0, -EINVAL when it is no size, -ERANGE when it does not fit.
 */
int cli_size(const char *text, uint64_t *ret_bytes);

/**
 * cli_duration() - read a span of time: digits, perhaps a fraction, then ns us ms s m or h.
 * @text: the text; no unit means seconds; "1.5s" is fine, a sign is not.
 * @ret_ns: the answer in nanoseconds; untouched on failure.
 *
 * Return: 0, -EINVAL when it is no duration, -ERANGE when it does not fit.
 */
int cli_duration(const char *text, uint64_t *ret_ns);

/**
 * cli_fail() - say what failed on stderr: "sluice CMD: what: cause; remedy".
 * @exit_code: handed back, so that a command can `return cli_fail(...)`.
 * @what: the path, option or step that failed.
 * @cause: what went wrong, e.g. strerror(-err).
 * @remedy: "likely not yours, try ..."; NULL when there is none to give.
 *
 * Return: @exit_code.
 */
int cli_fail(int exit_code, const char *what, const char *cause, const char *remedy);

/* cli_failure() - what cli_fail() said last, without the command's name; "" when nothing was. */
const char *cli_failure(void);

/**
 * cli_fail_errno() - cli_fail() with cause, exit code and usual remedy taken from an error number.
 * @what: the path, option or step that failed.
 * @err: errno or -errno.
 * @remedy: what to say instead of the usual remedy; NULL for the usual one.
 *
 * Return: CLI_USAGE, CLI_MACHINE or CLI_IO, whichever @err calls for.
 */
int cli_fail_errno(const char *what, int err, const char *remedy);

/**
 * cli_finish() - flush stdout and settle the exit code; main() calls it last.
 * @exit_code: what the command returned.
 *
 * Return: @exit_code, or CLI_IO when the output could not be written (said on stderr, but for a
 *         reader that went away or an output closed from the start, which are silent).
 */
int cli_finish(int exit_code);

/* cli_begin() - main() calls it first: SIGPIPE becomes an error, closed descriptors are filled. */
void cli_begin(void);

#endif
