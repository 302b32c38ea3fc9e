/* server.h: all workers of a proxy, what they share, and the signals that tell them what to do. */
#ifndef SLUICE_TOOLS_PROXY_SERVER_H
#define SLUICE_TOOLS_PROXY_SERVER_H

#include "tools/proxy/config.h"

/* Runs it until a signal has ended it. Return: an exit code. */
int proxy_server_run(const struct proxy_config *config);

#endif
