/* main.c: `sluice`, one binary: finds the command by its name and runs it. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "commands.h"

static const struct {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "probe", "what this kernel, file system and device can do", probe_main },
	{ "bench", "which way of doing I/O is best here, and why", bench_main },
	{ "serve", "an HTTP server for the files beneath a directory", serve_main },
	{ "proxy", "hands TCP connections on to other servers, without copying", proxy_main },
	{ "crash", "what a power cut could leave of a program's files", crash_main },
	{ "wal", "look at a write-ahead log: what is in it, is it whole", wal_main },
	{ NULL, NULL, NULL },
};

static int print_help(void)
{
	printf("sluice: moves data between storage, network and memory with the least CPU\n\n"
	       "usage: sluice COMMAND [OPTION]... [OPERAND]...\n\ncommands:\n");
	for (size_t i = 0; commands[i].name; i++)
		printf("  %-12s %s\n", commands[i].name, commands[i].summary);
	printf("  %-12s %s\n\n", "help", "explain one command: sluice help COMMAND");
	printf("options:\n  --help       show this and exit\n"
	       "  --version    show the version and exit\n\n"
	       "example:\n  sluice probe .\n");
	return CLI_DONE;
}

static int run(const char *name, int argc, char **argv)
{
	for (size_t i = 0; commands[i].name; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return commands[i].run(argc, argv);
	}
	return cli_fail(CLI_USAGE, name, "no such command", "try `sluice --help`");
}

static int explain(char *name)
{
	static char option[] = "--help";
	char *argv[] = { name, option, NULL };

	return run(name, 2, argv);
}

static int dispatch(int argc, char **argv)
{
	if (argc < 2)
		return cli_fail(CLI_USAGE, "COMMAND", "missing", "try `sluice --help`");
	if (strcmp(argv[1], "--version") == 0) {
		printf("sluice %s\n", SLUICE_VERSION);
		return CLI_DONE;
	}
	if (strcmp(argv[1], "help") == 0 && argc > 2)
		return explain(argv[2]);
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0)
		return print_help();
	if (argv[1][0] == '-')
		return cli_fail(CLI_USAGE, argv[1], "unknown option", "try `sluice --help`");
	return run(argv[1], argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	cli_begin();
	return cli_finish(dispatch(argc, argv));
}
