/*
 * contender.h: one mechanism, at one depth, in one workload.
 *
 * A mechanism is a table of functions; a contender is its instance. The runner calls
 *
 *     open -> { begin -> run(nr) -> end } for every block -> shut
 *
 * and measures run() alone. A mechanism
 *  1. does exactly `nr` operations of the workload in run(), all of them finished when it returns;
 *  2. counts every system call it makes there in @calls;
 *  3. checks that the data is right (contender_check()) and calls contender_void() when anything
 *     shows that it did not do what its name says;
 *  4. says in contender_lacks() what the machine lacks when open() cannot succeed.
 * Rings, threads and registrations are made in open() or begin(), never inside the measurement.
 */
#ifndef SLUICE_TOOLS_BENCH_CONTENDER_H
#define SLUICE_TOOLS_BENCH_CONTENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "datafile.h"
#include "latency.h"
#include "meter.h"
#include "workload.h"

#define CONTENDER_DEPTH_MAX 128

enum contender_status {
	CONTENDER_RAN,
	CONTENDER_VOID,
	CONTENDER_UNAVAILABLE,
};

/* How the number of copies is known. */
enum contender_evidence {
	COPIES_REASONED, /* by what the calls are defined to do */
	COPIES_SEEN,	 /* the file was changed while its bytes were under way: proof.h */
	COPIES_REPORTED, /* by the kernel, of zero-copy sends */
	COPIES_COUNTED,	 /* by the contender, of each way it took */
};

/* How a mechanism reaches the data; a workload asks for some of them. */
enum mechanism_mode {
	MODE_BUFFERED = 1,
	MODE_DIRECT = 2,
	MODE_DONTCACHE = 4,
};

struct contender;

/**
 * struct mechanism - one way of doing a kind of work.
 *
 * @name: as in the report, "pread".
 * @about: what it is in a few words, for --list and the report's tooltips.
 * @why: what one gains by it, as the end of a sentence "because ...".
 * @unless: when not to use it.
 * @simplicity: lower is simpler to use; decides between equals.
 * @kind: which kind of workload it can do.
 * @modes: mechanism_mode bits it can do; 0 for kinds other than WORKLOAD_BLOCKS.
 * @queued: keeps many operations in flight: takes part once per depth.
 * @open: makes what is needed; 0 or -errno with contender_lacks() called.
 * @begin: before each block, outside the measurement; may be NULL.
 * @run: does the work; 0 or -errno.
 * @end: after each block, outside the measurement; may be NULL.
 * @shut: undoes open(), also a half-done one; may be NULL.
 */
struct mechanism {
	const char *name;
	const char *about;
	const char *why;
	const char *unless;
	unsigned simplicity;
	enum workload_kind kind;
	unsigned modes;
	bool queued;
	int (*open)(struct contender *c);
	int (*begin)(struct contender *c);
	int (*run)(struct contender *c, uint64_t nr);
	void (*end)(struct contender *c);
	void (*shut)(struct contender *c);
};

/**
 * struct contender - a mechanism taking part.
 *
 * @reason: why it is void, unavailable or left out; "" while nothing speaks against it.
 * @dropped: takes no part in further rounds.
 * @sits_out: takes no part unless asked for: unavailable from the start, see contender_sit_out().
 * @buf: @depth blocks of the workload's size, page aligned and touched, so that direct requests
 *       never fault.
 * @fd: opened by the runner in the contender's mode for WORKLOAD_BLOCKS and WORKLOAD_APPEND.
 * @copies: bytes the CPU copied per byte moved; set by open(), corrected by run() where only the
 *          kernel knows (zero-copy send).
 * @calls: system calls made in the current block; @calls_unknown where a library hides them.
 * @wrong: blocks that did not hold what the file holds.
 * @unproven: nothing contradicts that it was direct, but nothing here could prove it.
 * @sink: its own connection, for WORKLOAD_SEND.
 * @evidence: where @copies comes from.
 * @stride: every stride-th operation is timed.
 * @block_ops: operations per block, found by calibration.
 * @turn_ns: wall time of its latest block with all that surrounds it.
 * @cells: one per round.
 */
struct contender {
	const struct mechanism *mech;
	const struct workload *work;
	struct workload_env *env;
	enum mechanism_mode mode;
	unsigned depth;
	char name[64];
	char settings[160];

	enum contender_status status;
	char reason[256];
	bool dropped, sits_out;

	int fd;
	unsigned char *buf;
	double copies;
	void *state;

	uint64_t calls;
	bool calls_unknown;
	uint64_t wrong;
	bool unproven;
	struct sink *sink;
	enum contender_evidence evidence;
	struct latency *latency;
	uint32_t stride, stride_left;
	uint64_t started_ns[CONTENDER_DEPTH_MAX];

	uint64_t block_ops;
	uint64_t turn_ns;
	struct meter_cell *cells;
};

/**
 * contender_lacks - say why it cannot take part; it becomes unavailable.
 * @c: the contender.
 * @format: printf format of the reason.
 *
 * Return: always -ENOSYS, so that open() can return it.
 */
int contender_lacks(struct contender *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * contender_sit_out - leave it out of a run that nobody asked to be complete; it becomes
 * unavailable.
 * @c: the contender, not opened yet.
 */
void contender_sit_out(struct contender *c);

/**
 * contender_try_again - whether to make a ring once more, after a short sleep.
 * @err: what making it came to.
 * @tries: how often it was made anew; 0 at first.
 *
 * The kernel gives the locked memory of a closed ring back some 10 ms later, and all processes
 * of a user share the limit: want of memory may pass. After 100 ms it counts as lasting.
 *
 * Return: true for -ENOMEM and -EAGAIN while there is hope.
 */
bool contender_try_again(int err, unsigned *tries);

/**
 * contender_void - say what shows that it did not do what its name says; it is not ranked.
 * @c: the contender; the first reason stays.
 * @format: printf format of the reason.
 */
void contender_void(struct contender *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * contender_block - where the operation's data goes.
 * @c: the contender.
 * @slot: 0..depth-1.
 *
 * Return: one block of its buffer.
 */
static inline unsigned char *contender_block(const struct contender *c, unsigned slot)
{
	return c->buf + (size_t)slot * c->work->block_bytes;
}

/* contender_check - count a read that brought the wrong bytes. */
static inline void contender_check(struct contender *c, const void *buf, uint64_t off)
{
	c->wrong += !datafile_holds(c->env->file, buf, off);
}

/**
 * contender_start - the operation in a slot begins; every stride-th is timed.
 * @c: the contender.
 * @slot: 0..depth-1.
 *
 * Two clock reads cost 42 ns: of fast operations one in seven is timed, a number prime to
 * every depth, so that all places in a batch get their turn.
 */
static inline void contender_start(struct contender *c, unsigned slot)
{
	if (--c->stride_left) {
		c->started_ns[slot] = 0;
		return;
	}
	c->stride_left = c->stride;
	c->started_ns[slot] = clock_now_ns();
}

/* contender_finish - the operation in a slot is done. */
static inline void contender_finish(struct contender *c, unsigned slot)
{
	if (c->started_ns[slot])
		latency_add(c->latency, clock_now_ns() - c->started_ns[slot]);
}

#endif
