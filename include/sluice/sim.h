/* SPDX-License-Identifier: MIT */
/*
 * sim.h - a world in memory behind the ring: disks, links and a clock, all by one seed.
 *
 * A program that does its I/O on a ring runs unchanged on a simulated one. One
 * seed decides every latency, the order of completions, which faults strike
 * and what a power cut leaves of the disk; the same seed and the same program
 * give the same run, to the last bit of sl_sim_hash(). So a bug that shows once
 * in a million runs can be run again under a debugger.
 *
 *	sl_sim_create -> sl_sim_ring_open -> ... ops ... -> sl_sim_power_cut
 *		-> sl_ring_close -> sl_sim_restart -> sl_sim_ring_open -> look
 *
 * A world has up to SL_SIM_MACHINES machines, each with a disk and power of its
 * own, joined by links. All rings of a world belong to one thread, the one that
 * created it. Its clock moves only while a ring waits: a run of hours takes
 * milliseconds. The calls of ring.h keep their contracts, with these additions:
 *
 *  - handles are the world's own, from 2^30 on, and belong to their machine.
 *    AT_FDCWD is the root directory of the machine's disk.
 *  - SL_OP_WORK runs inline, at a time that the seed decides.
 *  - sl_ring_run() without a deadline answers -EDEADLK, and the ring is broken,
 *    when nothing in the world can happen any more (see SL_SIM_THREADS).
 *  - sockets are streams and datagrams, AF_INET between machines and AF_UNIX
 *    within one. The machine with number m has the address 10.0.0.(m + 1). A
 *    datagram arrives whole, in any order, or (a link that loses or is parted, a
 *    full queue) not at all.
 *
 * What is written is durable as the profile says (posix, ext4, xfs, btrfs) and
 * no more. At a power cut the seed chooses one of the states that a disk with
 * that file system could hold: unsynced data lost, torn at sectors or there,
 * names lost, old or new. Ops in flight may or may not have taken effect; they
 * end with -EIO, and so does everything submitted to that machine's rings from
 * then on: close them. Its connections are silent until it is restarted, and
 * then reset.
 *
 * A failed sync behaves as Linux was measured to: -EIO once, then 0; the cache
 * holds the new bytes, the disk the old ones, until sl_sim_drop_caches() or a
 * restart shows it.
 */
#ifndef SLUICE_SIM_H
#define SLUICE_SIM_H

#include <sluice/err.h>

SL_BEGIN_DECLS

struct sl_ring;
struct sl_ring_opts;
struct sl_sim;
struct sockaddr_in;

#define SL_SIM_MACHINES 16

/* What can go wrong by itself. */
enum sl_sim_fault {
	SL_SIM_SHORT = 0,    /* a transfer stops somewhere in between */
	SL_SIM_AGAIN,	     /* a read or write says -EAGAIN: the ring tries again */
	SL_SIM_READ_EIO,     /* a read fails with -EIO */
	SL_SIM_READ_ENODATA, /* a read fails with -ENODATA: a medium error */
	SL_SIM_WRITE_EIO,    /* a write fails with -EIO and writes nothing */
	SL_SIM_NO_SPACE,     /* a write or new name fails with -ENOSPC */
	SL_SIM_SYNC_EIO,     /* a sync fails, and the data never reaches the disk */
	SL_SIM_ROT,	     /* before a read a bit of the file flips for good */
	SL_SIM_ASTRAY,	     /* a write is reported done, and lies in another page */
	SL_SIM_SLOW,	     /* an op takes a hundred times as long */
	SL_SIM_DROP,	     /* a packet is lost and sent again after 200 ms */
	SL_SIM_RESET,	     /* a connection is reset */
	SL_SIM_FAULTS,	     /* how many there are; not a fault */
};

enum sl_sim_flag {
	/* Other threads post to the rings: sleep for them instead of -EDEADLK. Their
	 * timing is not the seed's. */
	SL_SIM_THREADS = 1 << 0,
};

/* A range of latencies; 0, 0 means the default. */
struct sl_sim_range {
	uint32_t min_ns;
	uint32_t max_ns;
};

/**
 * typedef sl_sim_trace_fn - told of every op that ends, in order
 * @ctx: the trace_ctx of the options
 * @line: time, machine, op, its arguments and its result, without a newline
 */
typedef void sl_sim_trace_fn(void *ctx, const char *line);

/**
 * struct sl_sim_opts - how a world is; zero means the default everywhere
 * @size: sizeof(struct sl_sim_opts), or 0 for the fields of version 0.1
 * @flags: enum sl_sim_flag
 * @sector: what a disk writes whole: 512 (the default) or 4096 bytes
 * @seed: of all chance
 * @profile: "posix" (the default), "ext4", "xfs" or "btrfs"; borrowed
 * @replay: what sl_sim_repro() printed: overrides @seed, @cut and @cut_max, and
 *	of the faults that @faults would give lets only those listed strike;
 *	borrowed during the call
 * @transfer: latency of reads and writes of files; default 5 to 50 us
 * @sync: of syncs; default 100 to 1000 us
 * @name: of the operations on names, and of work; default 2 to 20 us
 * @link: one way between machines; default 50 to 500 us; within one a tenth
 * @disk_bytes: what the files of a machine may hold; default 1 GiB
 * @unsynced_max: changes that may wait for a sync; then the oldest go to the
 *	disk, as in a kernel under pressure; default 16384
 * @faults: chance of each enum sl_sim_fault where it can strike, in a million
 * @faults_max: how many of them strike at most; default 0: no bound
 * @cut: the power of machine 0 is cut when this many ops have ended; 0: never
 * @cut_max: the seed picks @cut from 1 .. @cut_max; 0: @cut counts
 * @trace: told of every op; NULL: nobody
 * @trace_ctx: passed to @trace
 */
struct sl_sim_opts {
	size_t size;
	uint32_t flags;
	uint32_t sector;
	uint64_t seed;
	const char *profile;
	const char *replay;
	struct sl_sim_range transfer;
	struct sl_sim_range sync;
	struct sl_sim_range name;
	struct sl_sim_range link;
	uint64_t disk_bytes;
	uint32_t unsynced_max;
	uint32_t faults[SL_SIM_FAULTS];
	uint32_t faults_max;
	uint64_t cut;
	uint64_t cut_max;
	sl_sim_trace_fn *trace;
	void *trace_ctx;
};

/**
 * struct sl_sim_link - how a link between two machines is
 * @latency: one way; 0, 0: that of the options
 * @drop: packets lost and sent again after 200 ms, in a million
 * @parted: 1: nothing passes, until the link is set anew
 */
struct sl_sim_link {
	struct sl_sim_range latency;
	uint32_t drop;
	uint32_t parted;
};

/**
 * struct sl_sim_info - what a world has seen so far
 * @hash: of the trace: equal for equal runs
 * @ops: ops ended
 * @now_ns: its clock
 * @cuts: power cuts
 * @faults: faults that struck, of each kind
 */
struct sl_sim_info {
	uint64_t hash;
	uint64_t ops;
	int64_t now_ns;
	uint64_t cuts;
	uint64_t faults[SL_SIM_FAULTS];
};

/**
 * sl_sim_create - make a world
 * @opts: how it is, copied; NULL means all defaults
 * @ret_sim: the world, to be ended by sl_sim_destroy()
 *
 * Context: the calling thread owns the world; allocates.
 * Return: 0; -EINVAL for an unknown flag, profile, sector, range or replay text;
 * -ENOMEM.
 */
SL_EXPORT int sl_sim_create(const struct sl_sim_opts *opts, struct sl_sim **ret_sim);

/**
 * sl_sim_destroy - end a world
 * @sim: the world; NULL is ignored. Its rings have been closed.
 *
 * Context: owner thread.
 */
SL_EXPORT void sl_sim_destroy(struct sl_sim *sim);

/**
 * sl_sim_ring_open - open a ring on a machine of the world
 * @sim: the world
 * @machine: 0 .. SL_SIM_MACHINES - 1
 * @opts: as for sl_ring_open(), whose backend is not looked at; NULL: defaults
 * @ret_ring: the ring, to be ended by sl_ring_close() before the world
 *
 * Context: owner thread; allocates.
 * Return: 0; -EINVAL for no such machine; -EHOSTDOWN when it has no power; or
 * as sl_ring_open().
 */
SL_EXPORT int sl_sim_ring_open(struct sl_sim *sim, unsigned machine,
			       const struct sl_ring_opts *opts, struct sl_ring **ret_ring);

/**
 * sl_sim_run - run all rings of the world in turn
 * @sim: the world
 * @deadline_ns: absolute time on its clock to stop at; 0: when no ring has
 *	anything more to do
 *
 * For programs of several rings: a ring that runs alone would wait for what
 * another one is to do. Callbacks run as in sl_ring_run().
 *
 * Context: owner thread, not from a callback.
 * Return: how many completions were dispatched; what sl_ring_run() failed with.
 */
SL_EXPORT int64_t sl_sim_run(struct sl_sim *sim, int64_t deadline_ns);

/**
 * sl_sim_fail - let a fault strike at a place of the caller's choice
 * @sim: the world
 * @fault: enum sl_sim_fault
 * @after: how many chances it lets pass first: 0 is the next one
 *
 * Strikes whatever the options and the replay text say; one at a time for each
 * fault.
 *
 * Context: owner thread, also from a callback.
 * Return: 0; -EINVAL for an unknown fault.
 */
SL_EXPORT int sl_sim_fail(struct sl_sim *sim, unsigned fault, uint64_t after);

/**
 * sl_sim_chances - set the chances of all faults anew
 * @sim: the world
 * @faults: as in the options, SL_SIM_FAULTS of them, copied; NULL: none
 *
 * For programs that first set up in peace.
 *
 * Context: owner thread, also from a callback.
 */
SL_EXPORT void sl_sim_chances(struct sl_sim *sim, const uint32_t *faults);

/**
 * sl_sim_power_cut - cut the power of a machine
 * @sim: the world
 * @machine: the machine
 *
 * See the head of this file for what becomes of its disk, rings and links.
 *
 * Context: owner thread, also from a callback.
 * Return: 0; -EINVAL for no such machine; -EALREADY when it has no power;
 * -ENOMEM.
 */
SL_EXPORT int sl_sim_power_cut(struct sl_sim *sim, unsigned machine);

/**
 * sl_sim_has_power - whether a machine runs
 * @sim: the world
 * @machine: the machine
 *
 * Context: owner thread.
 * Return: 1, or 0 from a power cut until the restart, and for no such machine.
 */
SL_EXPORT int sl_sim_has_power(const struct sl_sim *sim, unsigned machine);

/**
 * sl_sim_restart - give a machine its power back
 * @sim: the world
 * @machine: a machine without power, whose rings have been closed
 *
 * Its disk holds what the power cut has left; no faults of the past remain.
 *
 * Context: owner thread.
 * Return: 0; -EINVAL for no such machine; -EALREADY when it has power; -EBUSY
 * while a ring of it is open.
 */
SL_EXPORT int sl_sim_restart(struct sl_sim *sim, unsigned machine);

/**
 * sl_sim_drop_caches - let a machine forget all that is clean in its cache
 * @sim: the world
 * @machine: the machine
 *
 * Afterwards files read as the disk is: what a failed sync has lost shows.
 *
 * Context: owner thread, also from a callback.
 * Return: 0; -EINVAL for no such machine; -ENOMEM.
 */
SL_EXPORT int sl_sim_drop_caches(struct sl_sim *sim, unsigned machine);

/**
 * sl_sim_link - set the link between two machines, both ways
 * @sim: the world
 * @machine: one of them
 * @other: the other one
 * @link: how it is from now on, copied; NULL: as at first
 *
 * What was under way on a parted link arrives after it is joined again.
 *
 * Context: owner thread, also from a callback.
 * Return: 0; -EINVAL for no such machine or a bad range.
 */
SL_EXPORT int sl_sim_link(struct sl_sim *sim, unsigned machine, unsigned other,
			  const struct sl_sim_link *link);

/**
 * sl_sim_address - the address of a machine
 * @machine: the machine
 * @port: a port, in host order
 * @ret_address: 10.0.0.(machine + 1), @port
 *
 * Context: any thread.
 */
SL_EXPORT void sl_sim_address(unsigned machine, unsigned port, struct sockaddr_in *ret_address);

/**
 * sl_sim_info - what a world has seen so far
 * @sim: the world
 * @ret_info: filled in
 *
 * Context: owner thread, also from a callback.
 */
SL_EXPORT void sl_sim_info(const struct sl_sim *sim, struct sl_sim_info *ret_info);

/**
 * sl_sim_repro - one line that replays this run
 * @sim: the world
 * @buf: the line, such as "seed=42 cut=17 faults=3,12"; for
 *	sl_sim_opts.replay, or in $SLUICE_SIM for sl_sim_search()
 * @bytes: of @buf
 *
 * Context: owner thread.
 * Return: 0; -ENOBUFS when @buf is too small, and the line is cut short.
 */
SL_EXPORT int sl_sim_repro(const struct sl_sim *sim, char *buf, size_t bytes);

/**
 * typedef sl_sim_test_fn - a run of the program under test in a fresh world
 * @sim: the world
 * @ctx: passed through
 *
 * Closes all rings that it opens.
 *
 * Return: 0 when all is as it must be.
 */
typedef int sl_sim_test_fn(struct sl_sim *sim, void *ctx);

/**
 * sl_sim_shrink - look for a smaller run that fails too
 * @opts: the world, with the replay text of a run that fails
 * @test: run several times
 * @ctx: passed to @test
 * @buf: the replay text of the smallest failing run found: fewer faults, an
 *	earlier power cut
 * @bytes: of @buf
 *
 * Context: not from a callback; runs @test up to 256 times.
 * Return: 0; -ENOENT when the run does not fail at all; -ENOBUFS, -EINVAL or
 * -ENOMEM as sl_sim_create() and sl_sim_repro().
 */
SL_EXPORT int sl_sim_shrink(const struct sl_sim_opts *opts, sl_sim_test_fn *test, void *ctx,
			    char *buf, size_t bytes);

/**
 * sl_sim_search - run a test with many seeds until one fails, and shrink it
 * @opts: the world; its seed is the first one; NULL means all defaults
 * @seeds_nr: how many seeds to try
 * @test: run for each
 * @ctx: passed to @test
 * @buf: the replay text of the failing run, or ""
 * @bytes: of @buf, at least 1
 *
 * With $SLUICE_SIM set only the run that it describes is made.
 *
 * Context: not from a callback.
 * Return: 0 when all passed; 1 when one failed and @buf tells which; -ENOBUFS,
 * -EINVAL or -ENOMEM as sl_sim_create() and sl_sim_repro().
 */
SL_EXPORT int sl_sim_search(const struct sl_sim_opts *opts, uint64_t seeds_nr, sl_sim_test_fn *test,
			    void *ctx, char *buf, size_t bytes);

SL_END_DECLS

#endif
