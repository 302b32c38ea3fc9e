/* confine.h: gives up what a file server does not need: the user, files elsewhere, system calls. */
#ifndef SLUICE_TOOLS_SERVE_CONFINE_H
#define SLUICE_TOOLS_SERVE_CONFINE_H

#include "tools/serve/config.h"

/* Before threads start, which inherit it. Return: CLI_DONE, or an exit code. */
int serve_confine(const struct serve_config *config);

#endif
