/* session.h: one crash test from the recording to the report, and what a signal does to it. */
#ifndef SLUICE_TOOLS_CRASH_SESSION_H
#define SLUICE_TOOLS_CRASH_SESSION_H

#include <stdbool.h>

#include "crash/trace.h"
#include "tools/crash/setting.h"

/* From here on SIGINT, SIGTERM and SIGHUP are noted, so that everything can be put away first. */
void session_catch_signals(void);
/* Not 0 once a signal came: which. */
const volatile int *session_stop(void);
/* Ends the process by the signal that came, if one did; else hands the exit code back. */
int session_leave(int code);

/* Opens a recording that was kept: an exit code. */
int session_read(const char *path, struct crash_trace **ret_trace);
/* Records or reads, explores, reports: an exit code. *ret_told: a report was begun. */
int session_run(const struct crash_setting *setting, bool *ret_told);
/* Makes one state again, and checks it if there is a checker: an exit code. */
int session_replay(const struct crash_setting *setting);

#endif
