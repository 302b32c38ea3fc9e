/* call.h: a checker's function called once, as a command would be run: to record what it does, and
 * to try it on one state. */
#ifndef TOOLS_CRASH_CALL_H
#define TOOLS_CRASH_CALL_H

#include <stdbool.h>

/* `sluice crash call LIB:FUNC`, for this command's own use: the function is called with
 * $SLUICE_STATE and $SLUICE_ACKS. Whether argv is of that; the exit code. */
bool call_is_asked(int argc, char *const *argv, int *ret_exit);

/* The argv for that, ended by NULL; valid as long as check_so is. */
const char *const *call_argv(const char *check_so);

/* Calls it in this process, which it may end: an exit code. */
int call_here(const char *check_so, const char *dir, const char *acks);

#endif
