/* plan.h: what a run consists of: workloads, sizes, depths. */
#ifndef SLUICE_TOOLS_BENCH_PLAN_H
#define SLUICE_TOOLS_BENCH_PLAN_H

#include "contender.h"

#define PLAN_WORKLOADS_MAX 24
#define PLAN_DEPTHS_MAX	   8

/**
 * struct plan - the wishes of the command line, then what comes of them.
 *
 * @rw: fio's words: randread, read, randrw, rw, randwrite, write; NULL for all workloads.
 * @only: names of workloads and contenders, separated by commas, * matches; NULL for all.
 * @net: files to sockets, by file size, and nothing else.
 * @block_bytes: instead of each workload's own; 0 for those. With @net it is the one file size.
 * @read_only: the user's file is read: nothing that writes.
 * @full: every depth and every mechanism everywhere.
 * @every: those workloads as well that run only when they are named (--list).
 */
struct plan {
	const char *rw;
	const char *only;
	bool net;
	uint32_t block_bytes;
	bool read_only;
	bool full;
	bool every;

	unsigned depths[PLAN_DEPTHS_MAX];
	size_t nr_depths;
	struct workload workloads[PLAN_WORKLOADS_MAX];
	size_t nr;
};

/**
 * plan_depths - read a list of queue depths.
 * @p: its depths are written.
 * @text: "1,8,32"; NULL for the default.
 *
 * Return: 0, or -EINVAL: not numbers in 1..128, or more than PLAN_DEPTHS_MAX.
 */
int plan_depths(struct plan *p, const char *text);

/**
 * plan_make - choose the workloads.
 * @p: its wishes are set.
 * @ret_word: the word nobody knows, borrowed from @only or @rw; untouched else.
 *
 * Return: 0; -EINVAL: an unknown word; -ENODATA: each wish can be met, but not all together.
 */
int plan_make(struct plan *p, const char **ret_word);

/**
 * plan_wants - whether a contender takes part.
 * @p: made.
 * @c: the contender.
 *
 * Return: whether it does.
 */
bool plan_wants(const struct plan *p, const struct contender *c);

/**
 * plan_sits_out - whether one that takes part only does so when it is named, or with --full.
 * @p: made.
 * @c: a contender that plan_wants() wants.
 *
 * Return: whether it says nothing new in its workload and nobody has asked for it.
 */
bool plan_sits_out(const struct plan *p, const struct contender *c);

/**
 * plan_rw_words - what --rw may be.
 *
 * Return: words separated by blanks and commas; static.
 */
const char *plan_rw_words(void);

/**
 * plan_needs_file - whether any workload needs the data file.
 * @p: made.
 *
 * Return: whether one does.
 */
bool plan_needs_file(const struct plan *p);

/**
 * plan_bytes - "4 KiB", "512 B", "1 MiB".
 * @bytes: a size.
 * @buf: at least 16 bytes; written.
 *
 * Return: @buf.
 */
const char *plan_bytes(uint64_t bytes, char *buf);

#endif
