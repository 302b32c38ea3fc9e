/* SPDX-License-Identifier: MIT */
/*
 * append.c - records into buffers, in order; a segment's end and a buffer's end are met here.
 *
 * Everything that could refuse a record is looked at before anything is changed,
 * but for sealing a buffer early, which does no harm.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/assert.h"
#include "store/wal/log.h"

static uint32_t buffer_room(const struct sl_wal *wal, const struct wal_buffer *buffer)
{
	return buffer->sealed ? 0 : wal->shape.buffer_bytes - buffer->used;
}

/* The header of a record at the tail, and its closing zeros. Its bytes are in place. */
static void seal_record(struct sl_wal *wal, struct wal_buffer *buffer, enum sl_wal_kind kind,
			uint32_t len)
{
	struct wal_record_header header = {
		.len = len,
		.lsn = wal->tail,
		.epoch = wal->epoch,
		.kind = (uint8_t)kind,
		.slots = (uint16_t)wal->slots_used,
		.durable = wal->durable,
	};

	SL_ASSERT_CMP(buffer->start + buffer->used, ==, wal->tail);
	wal_record_seal(buffer->mem + buffer->used, &wal->shape, &header);
	buffer->used += (uint32_t)wal_extent(len);
	wal->tail += wal_extent(len);
	if (wal->tail % wal->shape.segment_bytes == 0) {
		buffer->sealed = true;
		wal->tail = wal_normal(&wal->shape, wal->tail);
	}
}

/* A record that fills the block. */
static void fill_block(struct sl_wal *wal, struct wal_buffer *buffer, enum sl_wal_kind kind)
{
	uint32_t block = wal->shape.block_bytes;
	uint32_t len = block - (buffer->used & (block - 1)) - WAL_ALIGN;

	memset(buffer->mem + buffer->used + WAL_ALIGN, 0, len);
	seal_record(wal, buffer, kind, len);
}

void wal_buffer_seal(struct sl_wal *wal, struct wal_buffer *buffer)
{
	if (buffer->sealed)
		return;
	if (buffer->used & (wal->shape.block_bytes - 1))
		fill_block(wal, buffer, SL_WAL_PAD);
	buffer->sealed = true;
}

/* A fresh buffer at the tail; there must be one. */
static struct wal_buffer *next_buffer(struct sl_wal *wal)
{
	struct wal_buffer *buffer;

	SL_ASSERT_CMP(wal->count, <, wal->opts.buffers);
	wal->count++;
	buffer = wal_newest(wal);
	buffer->start = wal->tail;
	buffer->used = 0;
	buffer->sealed = false;
	wal_waits_init(&buffer->waits);
	return buffer;
}

/* The buffer that the next record goes to, if extent bytes still fit. */
static struct wal_buffer *open_buffer(struct sl_wal *wal, uint64_t extent)
{
	struct wal_buffer *buffer = wal_newest(wal);

	return buffer && buffer_room(wal, buffer) >= extent ? buffer : NULL;
}

static uint64_t segment_room(const struct sl_wal *wal)
{
	return wal_segment_end(&wal->shape, wal->tail) - wal->tail;
}

/* Ends the segment: what is left of it stays unused. */
static int leave_segment(struct sl_wal *wal)
{
	uint64_t end = wal_segment_end(&wal->shape, wal->tail);
	struct wal_buffer *buffer = open_buffer(wal, WAL_ALIGN);

	if (!buffer && wal->count == wal->opts.buffers)
		return -EAGAIN;
	if (!buffer)
		buffer = next_buffer(wal);
	fill_block(wal, buffer, SL_WAL_END);
	buffer->sealed = true;
	wal->tail = wal_normal(&wal->shape, end);
	return 0;
}

/* One step to a tail where extent bytes fit, in a buffer and in a segment: 1 when
 * they do, 0 when there is more to do. */
static int step_to_room(struct sl_wal *wal, uint64_t extent)
{
	if (wal_seq(&wal->shape, wal->tail) > wal->newest_seq)
		return wal_no_segment(wal);
	if (extent > segment_room(wal)) {
		if (wal_seq(&wal->shape, wal->tail) == wal->newest_seq)
			return wal_no_segment(wal);
		return leave_segment(wal);
	}
	if (open_buffer(wal, extent))
		return 1;
	if (wal->count && !wal_newest(wal)->sealed) {
		wal_buffer_seal(wal, wal_newest(wal));
		return 0;
	}
	if (wal->count == wal->opts.buffers)
		return -EAGAIN;
	next_buffer(wal);
	return 1;
}

static int make_room(struct sl_wal *wal, uint64_t extent)
{
	int rc;

	do
		rc = step_to_room(wal, extent);
	while (rc == 0);
	return rc < 0 ? rc : 0;
}

static int total_of(const struct sl_wal *wal, const struct iovec *iov, unsigned nr, size_t *ret)
{
	size_t total = 0;

	for (unsigned i = 0; i < nr; i++) {
		if (iov[i].iov_len && !iov[i].iov_base)
			return -EINVAL;
		if (iov[i].iov_len > wal_record_max(&wal->shape) - total)
			return -EMSGSIZE;
		total += iov[i].iov_len;
	}
	*ret = total;
	return 0;
}

int wal_append_kind(struct sl_wal *wal, enum sl_wal_kind kind, const struct iovec *iov, unsigned nr,
		    uint64_t *ret_lsn)
{
	struct wal_buffer *buffer;
	unsigned char *to;
	size_t len;
	int rc;

	if (wal->error)
		return wal->error;
	rc = total_of(wal, iov, nr, &len);
	if (rc == 0)
		rc = make_room(wal, wal_extent(len));
	if (rc < 0) {
		/* Sealed buffers are on their way even if nobody commits. */
		wal_write(wal);
		return rc;
	}
	buffer = wal_newest(wal);
	to = buffer->mem + buffer->used + sizeof(struct wal_record_header);
	for (unsigned i = 0; i < nr; i++) {
		if (iov[i].iov_len)
			memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	if (ret_lsn)
		*ret_lsn = wal->tail;
	seal_record(wal, buffer, kind, (uint32_t)len);
	if (wal->count > 1)
		wal_write(wal);
	return 0;
}

int wal_begin_epoch(struct sl_wal *wal)
{
	int rc;

	if (wal->epoch_lsn == UINT64_MAX) {
		rc = wal_append_kind(wal, SL_WAL_EPOCH, NULL, 0, &wal->epoch_lsn);
		if (rc < 0)
			return rc;
		wal->wanted = wal->tail;
	}
	if (wal->durable > wal->epoch_lsn)
		return 0;
	wal_write(wal);
	return wal->error ? wal->error : -EAGAIN;
}

int sl_wal_appendv(struct sl_wal *wal, const struct iovec *iov, unsigned nr, uint64_t *ret_lsn)
{
	int rc = wal->durable > wal->epoch_lsn ? 0 : wal_begin_epoch(wal);

	if (rc == 0)
		rc = wal_append_kind(wal, SL_WAL_DATA, iov, nr, ret_lsn);
	if (rc == 0)
		wal->stats.records++;
	return rc;
}

int sl_wal_append(struct sl_wal *wal, const void *data, size_t len, uint64_t *ret_lsn)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };

	return sl_wal_appendv(wal, &iov, 1, ret_lsn);
}
