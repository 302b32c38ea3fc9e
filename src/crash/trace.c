/* SPDX-License-Identifier: MIT */
/*
 * trace.c - appending to a trace, and what is in memory of it.
 *
 * One op is one pwritev of a record: header, names, payload. Records never change
 * once written, so a recorder that is killed leaves whole records and perhaps one
 * that is cut short. The ops and their names are kept in memory, payloads are not.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "crash/trace_image.h"
#include "crash/unnamed.h"

#define OPS_FIRST    1024
#define CHUNK_BYTES  65536
#define SECTOR_FIRST 512

/* Names, one after the other; never moved. */
struct chunk {
	struct chunk *next;
	size_t used;
	char bytes[CHUNK_BYTES];
};

struct crash_trace {
	int fd;
	bool torn;
	int error;
	uint32_t sector;
	uint64_t id;
	uint64_t bytes_max;
	uint64_t end; /* of the file */
	struct crash_op *ops;
	uint64_t nr, room;
	struct chunk *chunks;
	pthread_mutex_t lock; /* of appending */
};

/* ---- in memory ---------------------------------------------------------------------- */

struct crash_trace *trace_new(int fd)
{
	struct crash_trace *trace = calloc(1, sizeof(*trace));

	if (!trace)
		return NULL;
	trace->fd = fd;
	trace->sector = SECTOR_FIRST;
	pthread_mutex_init(&trace->lock, NULL);
	return trace;
}

static const char *keep_name(struct crash_trace *trace, const char *name)
{
	struct chunk *chunk = trace->chunks;
	size_t bytes;
	char *kept;

	if (!name || !*name)
		return "";
	bytes = strlen(name) + 1;
	if (!chunk || CHUNK_BYTES - chunk->used < bytes) {
		chunk = malloc(sizeof(*chunk));
		if (!chunk)
			return NULL;
		chunk->next = trace->chunks;
		chunk->used = 0;
		trace->chunks = chunk;
	}
	kept = chunk->bytes + chunk->used;
	memcpy(kept, name, bytes);
	chunk->used += bytes;
	return kept;
}

static int make_room(struct crash_trace *trace)
{
	uint64_t room = trace->room ? 2 * trace->room : OPS_FIRST;
	struct crash_op *ops;

	if (trace->nr < trace->room)
		return 0;
	if (trace->nr >= TRACE_OPS_MAX)
		return -EFBIG;
	ops = realloc(trace->ops, room * sizeof(*ops));
	if (!ops)
		return -ENOMEM;
	trace->ops = ops;
	trace->room = room;
	return 0;
}

int trace_keep(struct crash_trace *trace, const struct crash_op *op)
{
	int err = make_room(trace);
	struct crash_op *kept;

	if (err)
		return err;
	kept = &trace->ops[trace->nr];
	*kept = *op;
	kept->name = keep_name(trace, op->name);
	kept->name2 = keep_name(trace, op->name2);
	if (!kept->name || !kept->name2)
		return -ENOMEM;
	/* Pairs with the acquire in crash_trace_now(): another thread's op begins after this. */
	__atomic_store_n(&trace->nr, trace->nr + 1, __ATOMIC_RELEASE);
	return 0;
}

void trace_set_end(struct crash_trace *trace, uint64_t end, uint32_t sector, bool torn)
{
	trace->end = end;
	trace->sector = sector;
	trace->torn = torn;
	trace->error = -EROFS; /* it is read */
}

/* ---- appending ---------------------------------------------------------------------- */

static int write_all(int fd, struct iovec *iov, int nr, uint64_t off)
{
	while (nr) {
		ssize_t res = pwritev(fd, iov, nr, (off_t)off);

		if (res < 0 && errno == EINTR)
			continue;
		if (res <= 0)
			return res < 0 ? -errno : -EIO;
		off += (uint64_t)res;
		while (nr && (size_t)res >= iov->iov_len) {
			res -= (ssize_t)iov->iov_len;
			iov++;
			nr--;
		}
		if (nr) {
			iov->iov_base = (char *)iov->iov_base + res;
			iov->iov_len -= (size_t)res;
		}
	}
	return 0;
}

static int write_header(struct crash_trace *trace)
{
	struct trace_header header;
	struct iovec iov = { &header, sizeof(header) };

	trace_header_fill(&header, trace->id, trace->sector);
	trace->end = sizeof(header);
	return write_all(trace->fd, &iov, 1, 0);
}

static int open_new(const char *path)
{
	int fd;

	if (!path)
		return crash_unnamed_open();
	fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int crash_trace_create(const char *path, const struct crash_trace_opts *opts,
		       struct crash_trace **ret_trace)
{
	uint32_t sector = opts && opts->sector ? opts->sector : SECTOR_FIRST;
	struct crash_trace *trace;
	int fd, err;

	if (sector != 512 && sector != 4096)
		return -EINVAL;
	fd = open_new(path);
	if (fd < 0)
		return fd;
	trace = trace_new(fd);
	err = trace ? 0 : -ENOMEM;
	if (trace) {
		trace->sector = sector;
		trace->bytes_max = opts && opts->bytes_max ? opts->bytes_max : CRASH_TRACE_MAX;
		if (getrandom(&trace->id, sizeof(trace->id), 0) != sizeof(trace->id))
			err = -EIO;
		else
			err = write_header(trace);
	}
	if (err) {
		if (path)
			unlink(path);
		if (trace)
			crash_trace_close(trace);
		else
			close(fd);
		return err;
	}
	*ret_trace = trace;
	return 0;
}

static int append(struct crash_trace *trace, struct crash_op *op, const void *data)
{
	uint32_t seed = trace_seed(trace->id);
	struct trace_image image;
	struct iovec iov[4];
	uint64_t names, padded;
	int err;

	op->seq = trace->nr + 1;
	if (op->begin >= op->seq)
		return -EINVAL;
	trace_image_fill(&image, op);
	names = trace_names_bytes(&image.record);
	padded = trace_data_bytes(&image.record);
	op->data_at = trace->end + sizeof(image.record) + names;
	if (op->data_at + padded > trace->bytes_max)
		return trace->error = -EFBIG;
	trace_image_seal(&image, seed, sl_crc32c_update(seed, data, op->data_len));
	iov[0] = (struct iovec){ &image.record, sizeof(image.record) };
	iov[1] = (struct iovec){ image.names, names };
	iov[2] = (struct iovec){ (void *)(uintptr_t)data, op->data_len };
	iov[3] = (struct iovec){ image.zeros, padded - op->data_len };
	err = write_all(trace->fd, iov, 4, trace->end);
	if (!err)
		err = trace_keep(trace, op);
	if (err)
		return trace->error = err;
	trace->end = op->data_at + padded;
	return 0;
}

int crash_trace_append(struct crash_trace *trace, struct crash_op *op, const void *data)
{
	int err;

	if (trace_op_wrong(op) || (op->data_len && !data))
		return -EINVAL;
	pthread_mutex_lock(&trace->lock);
	err = trace->error;
	if (!err)
		err = append(trace, op, data);
	pthread_mutex_unlock(&trace->lock);
	return err;
}

/* ---- looking ------------------------------------------------------------------------ */

uint64_t crash_trace_now(const struct crash_trace *trace)
{
	/* Pairs with the release in trace_keep(). */
	return __atomic_load_n(&trace->nr, __ATOMIC_ACQUIRE);
}

int crash_trace_error(const struct crash_trace *trace)
{
	return trace->error == -EROFS ? 0 : trace->error;
}

int crash_trace_fd(const struct crash_trace *trace)
{
	return trace->fd;
}

bool crash_trace_torn(const struct crash_trace *trace)
{
	return trace->torn;
}

uint32_t crash_trace_sector(const struct crash_trace *trace)
{
	return trace->sector;
}

uint64_t crash_trace_nr(const struct crash_trace *trace)
{
	return trace->nr;
}

const struct crash_op *crash_trace_op(const struct crash_trace *trace, uint64_t idx)
{
	SL_ASSERT_CMP(idx, <, trace->nr);
	return &trace->ops[idx];
}

int crash_trace_data(const struct crash_trace *trace, const struct crash_op *op, uint32_t off,
		     void *buf, uint32_t len)
{
	char *to = buf;

	if (off > op->data_len || len > op->data_len - off)
		return -EINVAL;
	while (len) {
		ssize_t res = pread(trace->fd, to, len, (off_t)(op->data_at + off));

		if (res < 0 && errno == EINTR)
			continue;
		if (res <= 0)
			return -EIO;
		to += res;
		off += (uint32_t)res;
		len -= (uint32_t)res;
	}
	return 0;
}

void crash_trace_close(struct crash_trace *trace)
{
	if (!trace)
		return;
	while (trace->chunks) {
		struct chunk *chunk = trace->chunks;

		trace->chunks = chunk->next;
		free(chunk);
	}
	pthread_mutex_destroy(&trace->lock);
	close(trace->fd);
	free(trace->ops);
	free(trace);
}
