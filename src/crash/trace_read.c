/* SPDX-License-Identifier: MIT */
/*
 * trace_read.c - a trace that somebody else wrote: checked byte by byte, op by op.
 *
 * What cannot be read as a record at the end is a torn end if no whole record of this
 * trace follows it; else the file is damaged.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "crash/names.h"
#include "crash/trace_format.h"

#define WINDOW_BYTES ((size_t)1 << 20)

struct reader {
	int fd;
	uint64_t size; /* of the file */
	uint64_t id;
	uint32_t seed;
	uint64_t at; /* of the window */
	size_t filled;
	unsigned char *window;
};

/* The next record, its names ended in 0. */
struct parsed {
	struct trace_record record;
	char name[CRASH_NAME_MAX + 1], name2[CRASH_NAME_MAX + 1];
	uint64_t data_at, next;
};

static int fill(struct reader *reader, uint64_t off)
{
	reader->at = off;
	reader->filled = 0;
	while (reader->filled < WINDOW_BYTES) {
		ssize_t res = pread(reader->fd, reader->window + reader->filled,
				    WINDOW_BYTES - reader->filled, (off_t)(off + reader->filled));

		if (res < 0 && errno == EINTR)
			continue;
		if (res < 0)
			return -errno;
		if (res == 0)
			break;
		reader->filled += (size_t)res;
	}
	return 0;
}

/* len bytes at off, len at most a window; -ENODATA: they are not there. */
static int look(struct reader *reader, uint64_t off, size_t len, const unsigned char **ret_bytes)
{
	int err = 0;

	if (off > reader->size || len > reader->size - off)
		return -ENODATA;
	if (off < reader->at || off + len > reader->at + reader->filled)
		err = fill(reader, off);
	if (err)
		return err;
	if (off + len > reader->at + reader->filled)
		return -ENODATA; /* it has become shorter */
	*ret_bytes = reader->window + (off - reader->at);
	return 0;
}

static int checksum(struct reader *reader, uint64_t off, uint64_t len, uint32_t *ret_crc)
{
	uint32_t crc = reader->seed;

	while (len) {
		size_t piece = len < WINDOW_BYTES / 2 ? (size_t)len : WINDOW_BYTES / 2;
		const unsigned char *bytes;
		int err = look(reader, off, piece, &bytes);

		if (err)
			return err;
		crc = sl_crc32c_update(crc, bytes, piece);
		off += piece;
		len -= piece;
	}
	*ret_crc = crc;
	return 0;
}

/* The header of a record and its names: 0, -ENODATA if none is whole here. */
static int look_at_head(struct reader *reader, uint64_t off, struct parsed *ret_parsed)
{
	struct trace_record *record = &ret_parsed->record;
	size_t from = offsetof(struct trace_record, data_crc);
	const unsigned char *bytes;
	uint32_t crc;
	int err = look(reader, off, sizeof(*record), &bytes);

	if (err)
		return err;
	memcpy(record, bytes, sizeof(*record));
	if (record->magic != TRACE_RECORD_MAGIC || record->reserved ||
	    record->name_len > CRASH_NAME_MAX || record->name2_len > CRASH_NAME_MAX ||
	    record->data_len > CRASH_DATA_MAX)
		return -ENODATA;
	err = look(reader, off, sizeof(*record) + trace_names_bytes(record), &bytes);
	if (err)
		return err;
	crc = sl_crc32c_update(reader->seed, bytes + from,
			       sizeof(*record) - from + trace_names_bytes(record));
	if (crc != record->crc)
		return -ENODATA;
	bytes += sizeof(*record);
	memcpy(ret_parsed->name, bytes, record->name_len);
	ret_parsed->name[record->name_len] = '\0';
	memcpy(ret_parsed->name2, bytes + record->name_len, record->name2_len);
	ret_parsed->name2[record->name2_len] = '\0';
	ret_parsed->data_at = off + sizeof(*record) + trace_names_bytes(record);
	ret_parsed->next = ret_parsed->data_at + trace_data_bytes(record);
	return 0;
}

static int look_at_record(struct reader *reader, uint64_t off, struct parsed *ret_parsed)
{
	uint32_t crc;
	int err = look_at_head(reader, off, ret_parsed);

	if (err)
		return err;
	err = checksum(reader, ret_parsed->data_at, ret_parsed->next - ret_parsed->data_at, &crc);
	if (err)
		return err;
	return crc == ret_parsed->record.data_crc ? 0 : -ENODATA;
}

/* Whether a later record of this trace lies behind off. */
static int find_later(struct reader *reader, uint64_t off, uint64_t seq, bool *ret_found)
{
	struct parsed parsed;

	*ret_found = false;
	for (; off + sizeof(struct trace_record) <= reader->size; off += TRACE_ALIGN) {
		int err = look_at_head(reader, off, &parsed);

		if (err && err != -ENODATA)
			return err;
		if (!err && parsed.record.seq > seq) {
			*ret_found = true;
			break;
		}
	}
	return 0;
}

static int keep(struct crash_trace *trace, struct crash_names *names, const struct parsed *parsed)
{
	struct crash_op op;
	const char *why;
	int err;

	trace_op_of(&parsed->record, &op);
	op.name = parsed->name;
	op.name2 = parsed->name2;
	op.data_at = parsed->data_at;
	if (op.seq != crash_trace_nr(trace) + 1 || op.begin >= op.seq ||
	    strlen(op.name) != parsed->record.name_len ||
	    strlen(op.name2) != parsed->record.name2_len || trace_op_wrong(&op))
		return -EILSEQ;
	err = trace_keep(trace, &op);
	/* Of the kept op, whose names last. */
	return err ? err : crash_names_apply(names, crash_trace_op(trace, op.seq - 1), &why);
}

static int read_records(struct reader *reader, struct crash_trace *trace, struct crash_names *names,
			uint32_t sector)
{
	uint64_t off = sizeof(struct trace_header);
	struct parsed parsed;
	bool found = false;
	int err = 0;

	while (off < reader->size) {
		err = look_at_record(reader, off, &parsed);
		if (!err)
			err = keep(trace, names, &parsed);
		if (err)
			break;
		off = parsed.next;
	}
	if (err == -ENODATA) {
		err = find_later(reader, off + TRACE_ALIGN, crash_trace_nr(trace), &found);
		if (!err && found)
			err = -EBADMSG;
	}
	trace_set_end(trace, off, sector, off < reader->size);
	return err;
}

/* 0, and the reader knows the trace; or why not. */
static int read_header(struct reader *reader, uint32_t *ret_sector)
{
	struct trace_header header;
	const unsigned char *bytes;
	struct stat st;
	int err;

	if (fstat(reader->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EILSEQ;
	reader->size = (uint64_t)st.st_size;
	if (!reader->size)
		return -ENODATA;
	err = look(reader, 0, sizeof(header), &bytes);
	if (err)
		return err == -ENODATA ? -EILSEQ : err;
	memcpy(&header, bytes, sizeof(header));
	if (memcmp(header.magic, TRACE_MAGIC, sizeof(header.magic)) != 0)
		return -EILSEQ;
	if (header.version > TRACE_VERSION)
		return -EOPNOTSUPP;
	reader->id = header.id;
	reader->seed = trace_seed(header.id);
	if (header.crc !=
	    sl_crc32c_update(reader->seed, &header, offsetof(struct trace_header, crc)))
		return -EBADMSG;
	if (!header.version || (header.sector != 512 && header.sector != 4096))
		return -EILSEQ;
	*ret_sector = header.sector;
	return 0;
}

static int read_all(struct reader *reader, struct crash_trace *trace)
{
	struct crash_names *names = NULL;
	uint32_t sector = 0;
	int err = read_header(reader, &sector);

	if (!err)
		err = crash_names_create(&names);
	if (!err)
		err = read_records(reader, trace, names, sector);
	crash_names_destroy(names);
	return err;
}

int crash_trace_open_fd(int fd, struct crash_trace **ret_trace)
{
	struct reader reader = { .fd = fd };
	struct crash_trace *trace = trace_new(fd);
	int err = -ENOMEM;

	if (!trace) {
		close(fd);
		return err;
	}
	reader.window = malloc(WINDOW_BYTES);
	if (reader.window)
		err = read_all(&reader, trace);
	free(reader.window);
	if (err) {
		crash_trace_close(trace);
		return err;
	}
	*ret_trace = trace;
	return 0;
}

int crash_trace_open(const char *path, struct crash_trace **ret_trace)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : crash_trace_open_fd(fd, ret_trace);
}

int crash_trace_check(const struct crash_trace *trace, uint64_t *ret_seq, const char **ret_why)
{
	struct crash_names *names = NULL;
	int err = crash_names_create(&names);

	for (uint64_t i = 0; i < crash_trace_nr(trace) && !err; i++) {
		err = crash_names_apply(names, crash_trace_op(trace, i), ret_why);
		*ret_seq = i + 1;
	}
	crash_names_destroy(names);
	return err;
}
