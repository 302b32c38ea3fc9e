/* SPDX-License-Identifier: MIT */
/* log.c - opening, locking and appending; see log.h. */
#include "backend/record/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sluice/crash.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "crash/trace_image.h"
#include "sys/call.h"

/* ---- appending ----------------------- */

static int write_at(int fd, const void *buf, size_t len, uint64_t off)
{
	const char *bytes = buf;

	while (len) {
		int64_t n = sl_sys_answer(pwrite(fd, bytes, len, (off_t)off));

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		bytes += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* How much of the i-th piece counts: len bytes in all. */
static size_t piece_len(const struct iovec *piece, uint64_t len)
{
	return piece->iov_len < len ? piece->iov_len : (size_t)len;
}

static int write_payload(struct log *log, const struct iovec *data, uint64_t len, uint64_t off)
{
	int err = 0;

	for (; !err && len; data++) {
		size_t piece = piece_len(data, len);

		err = write_at(log->trace_fd, data->iov_base, piece, off);
		off += piece;
		len -= piece;
	}
	return err;
}

static uint32_t checksum(uint32_t crc, const struct iovec *data, uint64_t len)
{
	for (; len; data++) {
		size_t piece = piece_len(data, len);

		crc = sl_crc32c_update(crc, data->iov_base, piece);
		len -= piece;
	}
	return crc;
}

/* The image's record last: until it is whole nothing is there. */
static int write_record(struct log *log, const struct trace_image *image, const struct iovec *data)
{
	uint64_t at = log->state->end + sizeof(image->record);
	uint64_t names = trace_names_bytes(&image->record);
	uint64_t padded = trace_data_bytes(&image->record);
	char head[sizeof(image->record) + sizeof(image->names)];
	int err;

	if (at + names + padded > log->state->bytes_max)
		return -EFBIG;
	err = write_payload(log, data, image->record.data_len, at + names);
	if (!err)
		err = write_at(log->trace_fd, image->zeros, padded - image->record.data_len,
			       at + names + image->record.data_len);
	if (err)
		return err;
	memcpy(head, &image->record, sizeof(image->record));
	memcpy(head + sizeof(image->record), image->names, names);
	err = write_at(log->trace_fd, head, sizeof(image->record) + names, log->state->end);
	if (!err)
		log->state->end = at + names + padded;
	return err;
}

static void append_one(struct log *log, struct crash_op *op, const struct iovec *data)
{
	struct log_state *state = log->state;
	uint32_t seed = trace_seed(state->id);
	struct trace_image image;
	int err;

	if (state->error)
		return;
	op->seq = state->nr + 1;
	if (!op->pid)
		op->pid = log->pid;
	SL_ASSERT_CMP(op->begin, <, op->seq);
	trace_image_fill(&image, op);
	trace_image_seal(&image, seed, checksum(seed, data, op->data_len));
	err = write_record(log, &image, data);
	if (err) {
		log_fail(log, err);
		return;
	}
	/* Pairs with the load in log_now(): an op that begins later is later. */
	__atomic_store_n(&state->nr, state->nr + 1, __ATOMIC_RELEASE);
}

/* ---- acknowledgements ----------------------- */

static void append_ack(struct log *log, char *line, size_t len)
{
	struct crash_op op = {
		.code = CRASH_ACK,
		.begin = log->state->nr,
		.data_len = (uint32_t)len,
	};

	if (len)
		append_one(log, &op, &(struct iovec){ line, len });
}

/* Takes one line of a source; false: there is no whole one. */
static bool take_line(struct log *log, int fd, struct log_source *source)
{
	char line[SL_CRASH_ACK_MAX + 1];
	int64_t n = sl_sys_answer(pread(fd, line, sizeof(line), (off_t)source->off));
	char *end = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;
	size_t len;

	if (!end && n < (int64_t)sizeof(line))
		return false;
	len = end ? (size_t)(end - line) : sizeof(line);
	if (!source->skip)
		append_ack(log, line, len);
	source->skip = !end;
	source->off += len + (end != NULL);
	return true;
}

static void take_acks(struct log *log)
{
	for (unsigned i = 0; i < LOG_SOURCES; i++) {
		if (log->source_fd[i] < 0)
			continue;
		while (take_line(log, log->source_fd[i], &log->state->sources[i]))
			continue;
	}
}

/* ---- what the rest calls ----------------------- */

uint64_t log_now(const struct log *log)
{
	return __atomic_load_n(&log->state->nr, __ATOMIC_ACQUIRE);
}

void log_fail(struct log *log, int err)
{
	if (!log->state->error)
		__atomic_store_n(&log->state->error, err, __ATOMIC_RELAXED);
}

bool log_lock(struct log *log)
{
	int err;

	if (__atomic_load_n(&log->state->error, __ATOMIC_RELAXED))
		return false;
	err = pthread_mutex_lock(&log->state->lock);
	/* Its owner died. What he was at is behind the end, or counts for nothing. */
	if (err == EOWNERDEAD)
		err = pthread_mutex_consistent(&log->state->lock);
	if (err) {
		log_fail(log, -err);
		return false;
	}
	return true;
}

void log_unlock(struct log *log)
{
	pthread_mutex_unlock(&log->state->lock);
}

void log_append(struct log *log, struct crash_op *op, const struct iovec *data)
{
	take_acks(log);
	append_one(log, op, data);
}

void log_drain(struct log *log)
{
	if (!log_lock(log))
		return;
	take_acks(log);
	log_unlock(log);
}

void log_note(struct log *log, const char *format, ...)
{
	struct crash_op op = { .code = CRASH_NOTE, .begin = log->state->nr };
	char line[512];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	op.data_len = (uint32_t)(len < (int)sizeof(line) ? len : (int)sizeof(line) - 1);
	log_append(log, &op, &(struct iovec){ line, op.data_len });
}

/* ---- opening ----------------------- */

static int init_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;
	int err;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	err = pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return -err;
}

/* The trace is empty, or its maker wrote the header and nothing else. */
static int begin_trace(struct log *log)
{
	struct trace_header header;
	int64_t n = sl_sys_answer(pread(log->trace_fd, &header, sizeof(header), 0));
	struct stat st;

	if (n < 0 || fstat(log->trace_fd, &st) < 0)
		return n < 0 ? (int)n : -errno;
	if (n && st.st_size != sizeof(header))
		return -EEXIST;
	if (n && (memcmp(header.magic, TRACE_MAGIC, sizeof(header.magic)) ||
		  header.version != TRACE_VERSION))
		return -EILSEQ;
	if (!n) {
		uint64_t id;

		if (getrandom(&id, sizeof(id), 0) != sizeof(id))
			return -EIO;
		trace_header_fill(&header, id, 512);
		n = write_at(log->trace_fd, &header, sizeof(header), 0);
		if (n < 0)
			return (int)n;
	}
	log->state->id = header.id;
	log->state->end = sizeof(header);
	return 0;
}

static int begin_state(struct log *log, const struct log_opts *opts, char *why)
{
	struct log_state *state = log->state;
	int err = init_lock(&state->lock);

	if (!err)
		err = begin_trace(log);
	if (err) {
		snprintf(why, 256, "record: cannot begin a trace in %.120s: %s%s", opts->trace,
			 sl_err_text(err),
			 err == -EEXIST ? "; it holds one already: name another file" : "");
		return err;
	}
	state->bytes_max = opts->bytes_max ? opts->bytes_max : CRASH_TRACE_MAX;
	state->next_inode = CRASH_ROOT;
	err = log_scan(log, why);
	if (!err && state->error) {
		err = (int)state->error;
		snprintf(why, 256, "record: cannot write the trace %.120s: %s", opts->trace,
			 sl_err_text(err));
	}
	if (!err)
		__atomic_store_n(&state->magic, LOG_STATE_MAGIC, __ATOMIC_RELEASE);
	return err;
}

/* One of several that come at once begins, the others wait for him. */
static int map_state(struct log *log, int fd, const struct log_opts *opts, char *why)
{
	void *at;

	if (flock(fd, LOCK_EX) < 0 || ftruncate(fd, sizeof(struct log_state)) < 0)
		return -errno;
	at = mmap(NULL, sizeof(struct log_state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	log->state = at;
	if (log->state->magic != LOG_STATE_MAGIC)
		return begin_state(log, opts, why);
	if (log->state->error)
		snprintf(why, 256, "record: the trace %.120s has ended: %s", opts->trace,
			 sl_err_text((int)log->state->error));
	return (int)log->state->error;
}

static int open_state(struct log *log, const struct log_opts *opts, char *why)
{
	char path[PATH_MAX];
	int fd, err;

	if (snprintf(path, sizeof(path), "%s" LOG_STATE_SUFFIX, opts->trace) >= PATH_MAX)
		return -ENAMETOOLONG;
	fd = (int)sl_sys_answer(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	if (fd < 0)
		return fd;
	err = map_state(log, fd, opts, why);
	flock(fd, LOCK_UN); /* the mapping keeps the file open beyond the close */
	close(fd);
	return err;
}

static int open_files(struct log *log, const struct log_opts *opts, char *why)
{
	log->root_fd = (int)sl_sys_answer(open(opts->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (log->root_fd < 0) {
		snprintf(why, 256, "record: cannot open the directory %.120s: %s", opts->dir,
			 sl_err_text(log->root_fd));
		return log->root_fd;
	}
	log->trace_fd = (int)sl_sys_answer(open(opts->trace, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	if (log->trace_fd < 0) {
		snprintf(why, 256, "record: cannot open the trace %.120s: %s", opts->trace,
			 sl_err_text(log->trace_fd));
		return log->trace_fd;
	}
	for (unsigned i = 0; i < LOG_SOURCES; i++) {
		if (!opts->source[i])
			continue;
		log->source_fd[i] = (int)sl_sys_answer(open(opts->source[i], O_RDONLY | O_CLOEXEC));
		if (log->source_fd[i] < 0) {
			snprintf(why, 256, "record: cannot read acknowledgements from %.120s: %s",
				 opts->source[i], sl_err_text(log->source_fd[i]));
			return log->source_fd[i];
		}
	}
	return 0;
}

int log_open(struct log *log, const struct log_opts *opts, char *chunk, char *why)
{
	int err;

	*log = (struct log){
		.trace_fd = -1,
		.root_fd = -1,
		.source_fd = { -1, -1 },
		.pid = (uint32_t)getpid(),
		.chunk = chunk,
	};
	why[0] = '\0';
	err = open_files(log, opts, why);
	if (!err)
		err = open_state(log, opts, why);
	if (!err)
		return 0;
	if (!why[0])
		snprintf(why, 256, "record: cannot keep the state of %.120s: %s", opts->trace,
			 sl_err_text(err));
	log_close(log);
	return err;
}

void log_close(struct log *log)
{
	if (log->state)
		munmap(log->state, sizeof(*log->state));
	for (unsigned i = 0; i < LOG_SOURCES; i++) {
		if (log->source_fd[i] >= 0)
			close(log->source_fd[i]);
	}
	if (log->trace_fd >= 0)
		close(log->trace_fd);
	if (log->root_fd >= 0)
		close(log->root_fd);
	*log = (struct log){ .trace_fd = -1, .root_fd = -1, .source_fd = { -1, -1 } };
}
