/* sink.h: the receiving end of file-to-socket workloads: a thread that counts and discards. */
#ifndef SLUICE_TOOLS_BENCH_SINK_H
#define SLUICE_TOOLS_BENCH_SINK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct sink;

/**
 * sink_open - connect a TCP pair over loopback and start the receiver.
 * @ret_sink: written on success.
 *
 * The receiver takes bytes with MSG_TRUNC, which discards them without copying them out.
 *
 * Return: 0 or -errno.
 */
int sink_open(struct sink **ret_sink);

/**
 * sink_fd - the sending end.
 * @s: borrowed.
 *
 * Return: a blocking TCP socket; stays the sink's.
 */
int sink_fd(const struct sink *s);

/**
 * sink_expect - wait until everything sent so far has arrived.
 * @s: borrowed.
 * @sent: bytes the caller has sent since the last call.
 *
 * Return: 0, or -EPIPE when the receiver has ended.
 */
int sink_expect(struct sink *s, uint64_t sent);

/**
 * sink_cpu_clock - the receiver's CPU clock, to be left out of the sender's account.
 * @s: borrowed; may be NULL.
 * @ret_clock: written on success.
 *
 * Return: whether there is one.
 */
bool sink_cpu_clock(const struct sink *s, clockid_t *ret_clock);

/**
 * sink_shut - close the socket and wait for the receiver.
 * @s: may be NULL.
 */
void sink_shut(struct sink *s);

#endif
