/* sink.h: the receiving end of file-to-socket workloads: a thread that counts and discards. */
#ifndef SLUICE_TOOLS_BENCH_SINK_H
#define SLUICE_TOOLS_BENCH_SINK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "place.h"
#include "proof.h"

struct sink;

/**
 * struct sink_opts - how to connect, and what will be sent first.
 *
 * @file, @stream: the first operations are compared with these until sink_proved().
 * @place: where the receiver runs; may be NULL.
 * @tls: the kernel encrypts at one end and decrypts at the other.
 * @nonblocking: the sending end never waits.
 */
struct sink_opts {
	const struct datafile *file;
	const struct stream *stream;
	const struct place *place;
	bool tls;
	bool nonblocking;
};

/**
 * sink_open - connect a TCP pair over loopback and start the receiver.
 * @opts: borrowed until sink_shut().
 * @ret_sink: written on success.
 *
 * Congestion control is reno where the kernel lets us choose: others pace, and loopback needs no
 * pace. After sink_proved() the receiver takes bytes with MSG_TRUNC, which discards them without
 * copying them out; of TLS it has to take them in earnest.
 *
 * Return: 0; -ENOENT: no TLS in this kernel; -errno else.
 */
int sink_open(const struct sink_opts *opts, struct sink **ret_sink);

/**
 * sink_fd - the sending end.
 * @s: borrowed.
 *
 * Return: a TCP socket; stays the sink's.
 */
int sink_fd(const struct sink *s);

/**
 * sink_expect - wait until everything sent so far has arrived.
 * @s: borrowed.
 * @sent: bytes the caller has sent since the last call.
 *
 * Return: 0; -EPIPE or the receiver's -errno (-EBADMSG: it could not decrypt) when it has ended.
 */
int sink_expect(struct sink *s, uint64_t sent);

/**
 * sink_proved - end the proof: from now on bytes are counted only.
 * @s: after sink_expect().
 * @ret_page: how the first bytes travelled.
 *
 * Return: how many pieces of what arrived were wrong; 0 is right.
 */
uint64_t sink_proved(struct sink *s, enum proof_page *ret_page);

/**
 * sink_let_go - have the kernel drop its hold on pages that were sent.
 * @s: after sink_expect().
 *
 * What was sent is kept until it is acknowledged, and what was received is freed by the next
 * packet on the sender's processor: a datagram of our own is that packet. Before that such pages
 * cannot leave the page cache.
 */
void sink_let_go(const struct sink *s);

/**
 * sink_cpu_clock - the receiver's CPU clock, to be left out of the sender's account.
 * @s: borrowed; may be NULL.
 * @ret_clock: written on success.
 *
 * Return: whether there is one.
 */
bool sink_cpu_clock(const struct sink *s, clockid_t *ret_clock);

/**
 * sink_congestion - the congestion control in use.
 * @s: borrowed.
 * @name: written; "?" where the kernel does not tell.
 */
void sink_congestion(const struct sink *s, char name[16]);

/**
 * sink_shut - close the socket and wait for the receiver.
 * @s: may be NULL.
 */
void sink_shut(struct sink *s);

#endif
