/*
 * appender.h: what every contender that appends durably shares: a nameless file of its own.
 *
 * The file is emptied before each block. After the block nothing of it may be dirty or on its
 * way to the device: whoever leaves that is void.
 */
#ifndef SLUICE_TOOLS_BENCH_APPENDER_H
#define SLUICE_TOOLS_BENCH_APPENDER_H

#include <stdbool.h>

#include "mechanisms.h"

/* What is overwritten in a circle by contenders that do not let the file grow. */
#define APPENDER_CIRCLE_BYTES (4u << 20)

/**
 * struct appender - the state of a contender that appends.
 *
 * @keeps_content: the file is filled beforehand and overwritten instead of growing.
 * @written: bytes in this block.
 * @executor: whatever else the contender needs.
 */
struct appender {
	struct datafile file;
	bool keeps_content;
	uint64_t written;
	void *executor;
};

/**
 * appender_open - make the file and open it for the contender.
 * @c: its state becomes a struct appender.
 * @flags: O_DSYNC, O_DIRECT, on top of O_RDWR.
 * @keeps_content: fill it, to be overwritten.
 *
 * Return: 0, or -errno with contender_lacks() or contender_void() called.
 */
int appender_open(struct contender *c, int flags, bool keeps_content);

/* appender_begin, appender_end, appender_shut - for the mechanism's table. */
int appender_begin(struct contender *c);
void appender_end(struct contender *c);
void appender_shut(struct contender *c);

/* Makes one record durable at an offset; 0 or -errno. */
typedef int appender_fn(struct contender *c, const void *buf, uint64_t off);

/**
 * appender_run - append records, each durable before the next.
 * @c: the contender.
 * @nr: how many.
 * @append: of the mechanism; inlined.
 *
 * Return: 0 or the first -errno.
 */
static inline __attribute__((always_inline)) int appender_run(struct contender *c, uint64_t nr,
							      appender_fn *append)
{
	struct appender *s = c->state;

	for (uint64_t i = 0; i < nr; i++) {
		uint64_t off = s->keeps_content ? s->written % APPENDER_CIRCLE_BYTES : s->written;
		int err;

		contender_start(c, 0);
		err = append(c, c->buf, off);
		contender_finish(c, 0);
		if (err)
			return err;
		s->written += c->work->block_bytes;
	}
	return 0;
}

#endif
