/* SPDX-License-Identifier: MIT */
/*
 * relay.h - two sockets joined: bytes go both ways until both sides have finished.
 *
 * A relay moves what one socket receives to the other one, in both directions at
 * once. Small messages go through a pooled buffer: receive, send. Once a
 * direction fills whole buffers it changes over to a pipe from a small pool
 * and splice(2), so the bytes stay in the kernel; when the flow ebbs the pipe
 * goes back. An idle relay holds neither. Without pipes (none left, a backend
 * that cannot splice) buffers do it all, with the same result.
 *
 *	        +--> empty: wait for bytes --EOF--> shutdown(2) of the other side --> over
 *	sent it |          | got some
 *	        +----- holding: send until the other side took all, then read on
 *
 *  1. Backpressure: a direction reads only when all it holds has been sent, and
 *     into a pipe no more than its reader's socket has room for (64 KiB where that
 *     is less, or not known). A slow reader stops its own sender, and nobody else:
 *     what it left in a pipe moves to memory of its own within 10 ms, and what it
 *     left in a buffer does when buffers are scarce. So a stalled direction holds
 *     at most 64 KiB, or a buffer's worth where buffers are larger, and no pipe.
 *     (A socket may take less than it had room for: what is left then moves there, too,
 *     as long as all of it is no more than the pool's pipes would hold.)
 *  2. Half-close: end of file on one side becomes shutdown(2) on the other, after
 *     all bytes before it; the opposite direction goes on.
 *  3. Order is kept and no byte is lost or sent twice, whichever way they go.
 *
 * Memory of a relay: sizeof(struct sl_relay), one buffer or pipe or 64 KiB for each
 * direction that has bytes in it, and the kernel's socket buffers. A simulated ring
 * has no pipes: there a relay copies.
 */
#ifndef SLUICE_RELAY_H
#define SLUICE_RELAY_H

#include <sluice/err.h>
#include <sluice/op.h>

SL_BEGIN_DECLS

struct sl_buf_pool;
struct sl_relay;
struct sl_relay_pool;
struct sl_ring;

enum sl_relay_pool_flag {
	SL_RELAY_NO_SPLICE = 1 << 0, /* copy only */
};

/**
 * struct sl_relay_pool_opts - what the relays of a ring share; zero: the default
 * @size: sizeof(struct sl_relay_pool_opts), or 0 for the fields of version 0.1
 * @flags: enum sl_relay_pool_flag
 * @pipes_max: pipes, at most; made when first needed; default 8, most 1024.
 *	Mind the kernel's limit for users without privileges: 64 of 1 MiB
 *	(fs.pipe-user-pages-soft); beyond it pipes are small and then useless, and
 *	the pool stops there.
 * @pipe_bytes: size of each; default 1 MiB
 * @bufs: buffers; default 256, most 32768
 * @buf_bytes: bytes of each; default 16384. A direction that fills one at a time
 *	asks for a pipe.
 */
struct sl_relay_pool_opts {
	size_t size;
	uint32_t flags;
	uint32_t pipes_max;
	uint32_t pipe_bytes;
	uint32_t bufs;
	uint32_t buf_bytes;
};

/**
 * struct sl_relay_stats - what the relays of a pool have done so far
 * @started: relays started
 * @ended: relays ended
 * @failed: of these: not by both sides finishing
 * @bytes: moved, both ways
 * @spliced_bytes: of these: without a copy
 * @pipe_misses: times that a pipe was wanted and none was to be had
 * @stalls: times that a direction waited for its reader
 * @spills: times that bytes of a stalled direction moved to memory of their own
 * @spilled_bytes: held so now
 * @pipes: pipes that exist now
 * @pipes_used: of these: with a relay now
 */
struct sl_relay_stats {
	uint64_t started;
	uint64_t ended;
	uint64_t failed;
	uint64_t bytes;
	uint64_t spliced_bytes;
	uint64_t pipe_misses;
	uint64_t stalls;
	uint64_t spills;
	uint64_t spilled_bytes;
	uint64_t pipes;
	uint64_t pipes_used;
};

/**
 * sl_relay_pool_create - make what the relays of a ring share
 * @ring: the ring
 * @opts: how, copied; NULL means all defaults
 * @ret_pool: to be ended by sl_relay_pool_destroy() before the ring
 *
 * Context: owner thread; allocates.
 * Return: 0; -EINVAL for an unknown flag or a number out of bounds; -ENOMEM;
 * -EAGAIN when the ring can take no more buffer pools; -EPERM or -ESTALE.
 */
SL_EXPORT int sl_relay_pool_create(struct sl_ring *ring, const struct sl_relay_pool_opts *opts,
				   struct sl_relay_pool **ret_pool);

/**
 * sl_relay_pool_destroy - close the pipes and free it
 * @pool: the pool, whose relays have all ended; NULL is ignored
 *
 * Context: owner thread, not from a callback; runs the ring.
 */
SL_EXPORT void sl_relay_pool_destroy(struct sl_relay_pool *pool);

/**
 * sl_relay_pool_stats - numbers so far
 * @pool: the pool
 * @ret_stats: the numbers are added to what is there: zero it first, then ask
 *	the pool of every ring for the sum of all
 *
 * Context: any thread, while the pool lives.
 */
SL_EXPORT void sl_relay_pool_stats(const struct sl_relay_pool *pool,
				   struct sl_relay_stats *ret_stats);

/* One direction; private. */
struct sl_relay_way {
	/* private: */
	struct sl_op op;
	union {
		struct sl_splice_ends ends;
		uint32_t meminfo[6];
	};
	struct sl_relay *relay;
	struct sl_relay_pipe *pipe;
	struct sl_relay_pipe *mirror_pipe;
	unsigned char *buf;
	unsigned char *spill;
	uint64_t at;
	uint64_t len;
	uint64_t mirrored;
	uint64_t piped;
	uint64_t teed;
	int64_t moved_ns;
	uint32_t chunk_bytes;
	uint32_t room;
	uint8_t state;
	uint8_t bulk;
	uint8_t small;
	uint8_t splices;
	uint8_t waits;
	uint8_t again;
};

/**
 * struct sl_relay - two joined sockets, in caller memory
 * @fd: the two sides: streams, O_NONBLOCK if splicing is to be used on them
 * @first: bytes that were received from fd[i] before the relay began, and are to
 *	be sent to the other side first; borrowed until the end. iov_len 0: none
 * @mirror_fd: a stream that gets a copy of what fd[i] sends, by tee(2) where that
 *	is spliced; a slow one slows the relay, one that fails is left out from then
 *	on; 0: none
 * @idle_ns: longest time without a byte in either direction, then -ETIMEDOUT; 0:
 *	for ever
 * @half_ns: the same once one side has finished; 0: as idle_ns
 * @done: told of the end; the caller then closes both sides
 * @user: the caller's own
 * @res: 0: both sides have finished; -ETIMEDOUT; -ECANCELED; or the error of one
 *	of the connections
 * @side: with an error: on which side, 0 or 1
 * @mirror_err: what the mirror of each side failed with, or 0
 * @bytes: received from fd[i] and sent to the other side
 * @spliced: of these: without a copy
 *
 * Zero it once, fill in the request, start it. Between the start and the end
 * bytes and spliced may be read at any time.
 */
struct sl_relay {
	int32_t fd[2];
	struct iovec first[2];
	int32_t mirror_fd[2];
	int64_t idle_ns;
	int64_t half_ns;
	void (*done)(struct sl_relay *relay);
	void *user;

	int64_t res;
	int32_t side;
	int32_t mirror_err[2];
	uint64_t bytes[2];
	uint64_t spliced[2];

	/* private: */
	struct sl_relay_pool *pool;
	struct sl_relay_way way[2];
	uint8_t state;
};

/**
 * sl_relay_start - join two sockets
 * @pool: the pool
 * @relay: an idle one, with its request filled in
 *
 * Context: owner thread, also from a callback; does not sleep or allocate.
 * Return: 0; -EINVAL for a relay that is not idle or has no callback; -EAGAIN
 * when the ring is full (a relay takes two ops); -ESHUTDOWN; -EPERM or -ESTALE.
 */
SL_EXPORT int sl_relay_start(struct sl_relay_pool *pool, struct sl_relay *relay);

/**
 * sl_relay_stop - end it; the callback comes with -ECANCELED
 * @relay: the relay; an idle one is left alone
 *
 * Bytes that a direction holds are lost.
 *
 * Context: owner thread, also from a callback.
 */
SL_EXPORT void sl_relay_stop(struct sl_relay *relay);

/**
 * sl_relay_busy - whether the library still uses the relay
 * @relay: the relay
 *
 * Context: owner thread.
 * Return: 1 from its start until its callback, else 0.
 */
SL_EXPORT int sl_relay_busy(const struct sl_relay *relay);

SL_END_DECLS

#endif
