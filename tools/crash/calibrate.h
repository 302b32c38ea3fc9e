/* calibrate.h: `sluice crash calibrate`: what this kernel's file systems keep of a crash, against
 * the profiles. */
#ifndef SLUICE_TOOLS_CRASH_CALIBRATE_H
#define SLUICE_TOOLS_CRASH_CALIBRATE_H

/* argv[0] is "calibrate". */
int calibrate_main(int argc, char **argv);

#endif
