/* SPDX-License-Identifier: MIT */
/*
 * crash.h - tell a crash test what is durable from now on.
 *
 * A crash test runs a program, records what it does to its files, and asks of
 * every state that a power cut may leave whether it is a good one. It can judge
 * whether something was lost only if it knows what the program had promised:
 * each acknowledgement is such a promise, at the place in the program where it
 * would tell its own client.
 *
 * Where nobody records, which is always but in a test, a call costs a look at a
 * flag and does nothing; a program may keep its acknowledgements in.
 */
#ifndef SLUICE_CRASH_H
#define SLUICE_CRASH_H

#include <sluice/err.h>

SL_BEGIN_DECLS

/* Most bytes of one acknowledgement: with its newline a pipe takes it whole. */
#define SL_CRASH_ACK_MAX 4095

/**
 * sl_crash_ack - say that something is durable now
 * @line: what the checker is to be told, borrowed during the call: any bytes
 *	but newline and NUL
 * @len: bytes at @line, 1..SL_CRASH_ACK_MAX
 *
 * Writes the line and a newline, in one write(2), to where $SLUICE_CRASH_ACK
 * says: a number is an open descriptor, anything else the path of a file or
 * FIFO that exists. The variable is read once, at the first call, and not at
 * all in a program that runs with more rights than its caller
 * (secure_getenv(3)). Without it nothing is done.
 *
 * Context: any thread, also from a callback; allocates nothing; may sleep in
 * write(2). No SIGPIPE is raised.
 * Return: 0; -EINVAL for a line that is empty, too long or holds a newline or
 * NUL, also where nobody records; -ENAMETOOLONG for a path beyond PATH_MAX; -EIO
 * when only a part could be written; or what open(2) or write(2) said.
 */
SL_EXPORT int sl_crash_ack(const char *line, size_t len);

SL_END_DECLS

#endif
