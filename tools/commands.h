/* commands.h: the entry point of every command; each returns an exit code of cli.h. */
#ifndef SLUICE_TOOLS_COMMANDS_H
#define SLUICE_TOOLS_COMMANDS_H

/* argv[0] is the command's name, so that cli_parse() can be called at once. */
int bench_main(int argc, char **argv);
int crash_main(int argc, char **argv);
int probe_main(int argc, char **argv);
int proxy_main(int argc, char **argv);
int serve_main(int argc, char **argv);
int wal_main(int argc, char **argv);

#endif
