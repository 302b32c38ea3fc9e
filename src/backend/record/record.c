/* SPDX-License-Identifier: MIT */
/*
 * record.c - a backend around another one: passes everything on, and logs what changes files.
 *
 * The engine tells of every transfer, whoever carries it out (backend.h, began and
 * ended). An end is logged when the engine dispatches it, before the callback runs:
 * what the program does because of it comes later in the trace, and what it may not
 * yet build upon does not count as having been before.
 *
 *	began   remembers how many ops had ended, and what a name stood for
 *	ended   >= 0: one op of the trace (see note.c); < 0: nothing, but for a sync
 *
 * The name is "record:INNER,trace=PATH,dir=PATH[,acks=PATH][,out=PATH][,bytes=N]": INNER
 * is the backend to wrap, or empty for the best one; docs/decisions/0040 says why so.
 */
#include "backend/record/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/record/note.h"
#include "base/layout.h"

struct record {
	const struct sl_backend *inner;
	void *inner_state;
	struct recorder recorder;
	struct sl_allocator allocator;
	size_t bytes;
};

/* ---- options ----------------------- */

/* A copy of the options, cut at its commas. */
struct parsed {
	struct log_opts opts;
	char text[3 * PATH_MAX];
};

static bool take_option(struct parsed *parsed, char *item)
{
	struct log_opts *opts = &parsed->opts;
	char *value = strchr(item, '=');
	char *end = item;

	if (!value)
		return false;
	*value++ = '\0';
	if (strcmp(item, "trace") == 0)
		opts->trace = value;
	else if (strcmp(item, "dir") == 0)
		opts->dir = value;
	else if (strcmp(item, "acks") == 0)
		opts->source[0] = value;
	else if (strcmp(item, "out") == 0)
		opts->source[1] = value;
	else if (strcmp(item, "bytes") == 0)
		opts->bytes_max = strtoull(value, &end, 10);
	else
		return false;
	return *value && (end == item || !*end);
}

static int parse(const char *options, struct parsed *ret_parsed, char *why)
{
	char *rest = ret_parsed->text;
	char *item;

	ret_parsed->opts = (struct log_opts){ .trace = NULL };
	if (strlen(options) >= sizeof(ret_parsed->text)) {
		snprintf(why, 256, "record: its options are too long");
		return -ENAMETOOLONG;
	}
	strcpy(ret_parsed->text, options);
	while ((item = strsep(&rest, ","))) {
		if (*item && !take_option(ret_parsed, item)) {
			snprintf(why, 256,
				 "record: knows no option '%.100s'; there are trace=, "
				 "dir=, acks=, out= and bytes=",
				 item);
			return -EINVAL;
		}
	}
	if (ret_parsed->opts.trace && ret_parsed->opts.dir)
		return 0;
	snprintf(why, 256, "record: needs to be told where: record:,trace=FILE,dir=DIRECTORY");
	return -EINVAL;
}

/* ---- opening ----------------------- */

static struct record *record_create(const struct sl_backend_open *args)
{
	size_t bytes = 0, marks, chunk;
	struct record *record;
	char *base;

	sl_layout_part(&bytes, sizeof(*record));
	marks = sl_layout_part(&bytes, args->depth * sizeof(struct record_mark));
	chunk = sl_layout_part(&bytes, LOG_CHUNK_BYTES);
	base = args->allocator->alloc(args->allocator->ctx, bytes, SL_LAYOUT_ALIGN);
	if (!base)
		return NULL;
	memset(base, 0, bytes);
	record = (struct record *)(void *)base;
	record->recorder.marks = (struct record_mark *)(void *)(base + marks);
	record->recorder.log.chunk = base + chunk;
	record->allocator = *args->allocator;
	record->bytes = bytes;
	return record;
}

static int open_log(struct record *record, const char *options, char *why)
{
	struct parsed *parsed = record->allocator.alloc(record->allocator.ctx, sizeof(*parsed), 64);
	int err;

	if (!parsed)
		return -ENOMEM;
	err = parse(options, parsed, why);
	if (!err)
		err = log_open(&record->recorder.log, &parsed->opts, record->recorder.log.chunk,
			       why);
	record->allocator.free(record->allocator.ctx, parsed, sizeof(*parsed));
	return err;
}

static void record_free(struct record *record)
{
	struct sl_allocator allocator = record->allocator;

	allocator.free(allocator.ctx, record, record->bytes);
}

static int record_open(const struct sl_backend_open *args, void **ret_state,
		       struct sl_backend_caps *ret_caps, char *why)
{
	struct sl_backend_open inner_args = *args;
	struct record *record;
	int err;

	if (!args->inner || args->inner->owns_world) {
		snprintf(why, 256,
			 "record: wraps a backend of the kernel; a simulated world has "
			 "power cuts of its own");
		return -EINVAL;
	}
	record = record_create(args);
	if (!record)
		return -ENOMEM;
	inner_args.options = args->inner_options;
	inner_args.inner = NULL;
	err = open_log(record, args->options, why);
	if (err)
		goto err_free;
	err = args->inner->open(&inner_args, &record->inner_state, ret_caps, why);
	if (err)
		goto err_close;
	record->inner = args->inner;
	record->recorder.ring = args->ring;
	ret_caps->memory_bytes += record->bytes;
	*ret_state = record;
	return 0;
err_close:
	log_close(&record->recorder.log);
err_free:
	record_free(record);
	return err;
}

static void record_close(void *state, bool forked)
{
	struct record *record = state;

	record->inner->close(record->inner_state, forked);
	if (!forked)
		log_drain(&record->recorder.log);
	log_close(&record->recorder.log);
	record_free(record);
}

/* ---- passed on ----------------------- */

static int record_start(void *state, struct sl_slot *slot)
{
	struct record *record = state;

	return record->inner->start(record->inner_state, slot);
}

static void record_cancel(void *state, struct sl_slot *slot)
{
	struct record *record = state;

	record->inner->cancel(record->inner_state, slot);
}

static int record_flush(void *state)
{
	struct record *record = state;

	return record->inner->flush(record->inner_state);
}

static int record_wait(void *state, unsigned nr, int64_t deadline_ns)
{
	struct record *record = state;

	return record->inner->wait(record->inner_state, nr, deadline_ns);
}

static void record_wake(void *state)
{
	struct record *record = state;

	record->inner->wake(record->inner_state);
}

static int64_t record_now(void *state)
{
	struct record *record = state;

	return record->inner->now(record->inner_state);
}

static int record_pool_add(void *state, void *base, uint32_t buf_bytes, uint32_t count)
{
	struct record *record = state;

	return record->inner->pool_add(record->inner_state, base, buf_bytes, count);
}

static void record_pool_remove(void *state, int pool_id)
{
	struct record *record = state;

	record->inner->pool_remove(record->inner_state, pool_id);
}

static void record_pool_recycle(void *state, int pool_id, uint16_t buf_id)
{
	struct record *record = state;

	record->inner->pool_recycle(record->inner_state, pool_id, buf_id);
}

static int record_map(void *state, void *base, size_t bytes)
{
	struct record *record = state;

	return record->inner->map(record->inner_state, base, bytes);
}

static void record_unmap(void *state, int idx)
{
	struct record *record = state;

	record->inner->unmap(record->inner_state, idx);
}

static int record_keep(void *state, int fd)
{
	struct record *record = state;

	return record->inner->keep(record->inner_state, fd);
}

static void record_unkeep(void *state, int idx, int fd)
{
	struct record *record = state;

	record->inner->unkeep(record->inner_state, idx, fd);
}

static int record_fd(void *state)
{
	struct record *record = state;

	return record->inner->fd(record->inner_state);
}

static void record_stats(void *state, struct sl_backend_stats *ret_stats)
{
	struct record *record = state;

	record->inner->stats(record->inner_state, ret_stats);
}

/* ---- and noted ----------------------- */

static void record_began(void *state, const struct sl_slot *slot)
{
	struct record *record = state;

	recorder_began(&record->recorder, slot);
}

static void record_ended(void *state, const struct sl_slot *slot, int64_t res)
{
	struct record *record = state;

	recorder_ended(&record->recorder, slot, res);
}

const struct sl_backend sl_backend_record = {
	.name = "record",
	.groups = SL_GROUP_CORE | SL_GROUP_BLOCK | SL_GROUP_FILE | SL_GROUP_NAME | SL_GROUP_NET |
		  SL_GROUP_PROCESS,
	.open = record_open,
	.close = record_close,
	.start = record_start,
	.cancel = record_cancel,
	.flush = record_flush,
	.wait = record_wait,
	.wake = record_wake,
	.now = record_now,
	.pool_add = record_pool_add,
	.pool_remove = record_pool_remove,
	.pool_recycle = record_pool_recycle,
	.map = record_map,
	.unmap = record_unmap,
	.keep = record_keep,
	.unkeep = record_unkeep,
	.fd = record_fd,
	.stats = record_stats,
	.began = record_began,
	.ended = record_ended,
};
