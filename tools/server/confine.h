/* confine.h: gives up what no server needs once it listens: the user, and most system calls. */
#ifndef SLUICE_TOOLS_SERVER_CONFINE_H
#define SLUICE_TOOLS_SERVER_CONFINE_H

/* Becomes a user; NULL: stays who it is. Return: an exit code. */
int server_become(const char *name);

/* Allows no running of programs, tracing, mounting, loading of code. Return: 0 or -errno. */
int server_confine_calls(void);

#endif
