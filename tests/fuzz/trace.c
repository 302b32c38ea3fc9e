/*
 * trace.c: whatever bytes a trace's file holds, reading it ends, and what is read is consistent.
 *
 * The first byte of an input says which checksums are made right before it is read, so
 * that changes behind a checksum are reached; the rest is the file.
 */
#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "crash/trace_format.h"

#define FIX_HEADER  1
#define FIX_RECORDS 2

static void fix_header(unsigned char *bytes, struct trace_header *ret_header)
{
	memcpy(ret_header, bytes, sizeof(*ret_header));
	ret_header->crc = sl_crc32c_update(trace_seed(ret_header->id), ret_header,
					   offsetof(struct trace_header, crc));
	memcpy(bytes, ret_header, sizeof(*ret_header));
}

/* Each record where the one before says that it ends. */
static void fix_records(unsigned char *bytes, size_t len, uint32_t seed)
{
	size_t from = offsetof(struct trace_record, data_crc);
	size_t at = sizeof(struct trace_header);

	while (at + sizeof(struct trace_record) <= len) {
		struct trace_record record;
		uint64_t names, data;

		memcpy(&record, bytes + at, sizeof(record));
		names = trace_names_bytes(&record);
		data = trace_data_bytes(&record);
		if (names + data > len - at - sizeof(record))
			break;
		record.data_crc = sl_crc32c_update(seed, bytes + at + sizeof(record) + names, data);
		memcpy(bytes + at, &record, sizeof(record));
		record.crc =
			sl_crc32c_update(seed, bytes + at + from, sizeof(record) - from + names);
		memcpy(bytes + at, &record, sizeof(record));
		at += sizeof(record) + names + data;
	}
}

/* Everything that is handed out is looked at. */
static void look(const struct crash_trace *trace)
{
	const char *why;
	uint64_t seq;
	char buf[16];

	if (crash_trace_check(trace, &seq, &why))
		abort();
	for (uint64_t i = 0; i < crash_trace_nr(trace); i++) {
		const struct crash_op *op = crash_trace_op(trace, i);
		uint32_t len = op->data_len < sizeof(buf) ? op->data_len : sizeof(buf);

		if (op->seq != i + 1 || op->begin >= op->seq || strlen(op->name) > CRASH_NAME_MAX)
			abort();
		if (crash_trace_data(trace, op, op->data_len - len, buf, len))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = size ? size - 1 : 0;
	unsigned char *bytes = malloc(len + 1);
	int fd = memfd_create("trace", MFD_CLOEXEC);
	struct crash_trace *trace;
	struct trace_header header;

	if (!bytes || fd < 0)
		abort();
	if (len)
		memcpy(bytes, data + 1, len);
	if (len >= sizeof(header) && data[0] & FIX_HEADER) {
		fix_header(bytes, &header);
		if (data[0] & FIX_RECORDS)
			fix_records(bytes, len, trace_seed(header.id));
	}
	if (write(fd, bytes, len) != (ssize_t)len)
		abort();
	if (crash_trace_open_fd(fd, &trace) == 0) {
		look(trace);
		crash_trace_close(trace);
	}
	free(bytes);
	return 0;
}

static void put(struct crash_trace *trace, struct crash_op op, const char *data)
{
	op.begin = crash_trace_now(trace);
	if (crash_trace_append(trace, &op, data))
		abort();
}

size_t fuzz_seed(uint8_t *buf, size_t bytes)
{
	static char payload[6000];
	struct crash_trace *trace;
	ssize_t len;

	if (crash_trace_create(NULL, NULL, &trace))
		abort();
	put(trace,
	    (struct crash_op){
		    .code = CRASH_BASE, .inode = 2, .dir = 1, .name = "db", .mode = S_IFREG },
	    NULL);
	put(trace,
	    (struct crash_op){
		    .code = CRASH_CREATE, .inode = 3, .dir = 1, .name = "j", .mode = S_IFREG },
	    NULL);
	put(trace,
	    (struct crash_op){ .code = CRASH_WRITE, .inode = 3, .len = 6000, .data_len = 6000 },
	    payload);
	put(trace,
	    (struct crash_op){ .code = CRASH_RENAME,
			       .inode = 3,
			       .dir = 1,
			       .name = "j",
			       .dir2 = 1,
			       .name2 = "db" },
	    NULL);
	put(trace, (struct crash_op){ .code = CRASH_SYNC, .inode = 1 }, NULL);
	put(trace, (struct crash_op){ .code = CRASH_ACK, .data_len = 4 }, "done");
	buf[0] = 0;
	len = pread(crash_trace_fd(trace), buf + 1, bytes - 1, 0);
	crash_trace_close(trace);
	return len < 0 ? 0 : (size_t)len + 1;
}
