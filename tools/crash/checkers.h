/* checkers.h: checkers for well-known programs, made of the programs' own tools. */
#ifndef SLUICE_TOOLS_CRASH_CHECKERS_H
#define SLUICE_TOOLS_CRASH_CHECKERS_H

struct crash_setting;

/* Turns --checker NAME[:PATH] into a command for sh -c and adds what such a program keeps that is
 * no data to
 * --ignore. CLI_DONE, also without --checker; CLI_USAGE; or CLI_MACHINE when a tool is not
 * installed. */
int checker_choose(struct crash_setting *setting);

#endif
