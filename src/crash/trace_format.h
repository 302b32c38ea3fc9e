/* SPDX-License-Identifier: MIT */
/* trace_format.h - every byte of a trace's file; told in docs/format/trace.md. */
#ifndef SLUICE_CRASH_TRACE_FORMAT_H
#define SLUICE_CRASH_TRACE_FORMAT_H

#include <assert.h>
#include <stdint.h>

#include "base/bits.h"
#include "crash/trace.h"

#define TRACE_MAGIC	   "SLUICTRC"
#define TRACE_VERSION	   1
#define TRACE_RECORD_MAGIC UINT32_C(0x504f5254) /* "TROP" */
#define TRACE_ALIGN	   8
#define TRACE_OPS_MAX	   (UINT64_C(1) << 24)

/* The first bytes of the file; written once. */
struct trace_header {
	char magic[8];
	uint32_t version;
	uint32_t sector;
	uint64_t id; /* a number no other trace has; checksums begin from it */
	uint8_t reserved[36];
	uint32_t crc; /* over the bytes before it */
};

/* What is before each op's names and payload, at a multiple of TRACE_ALIGN. */
struct trace_record {
	uint32_t magic;
	uint32_t crc;	   /* over what is behind this field: the rest, the names, their zeros */
	uint32_t data_crc; /* over the payload and its zeros */
	uint32_t data_len;
	uint64_t seq;
	uint64_t begin;
	uint64_t inode;
	uint64_t dir;
	uint64_t dir2;
	uint64_t off;
	uint64_t len;
	uint32_t code;
	uint32_t flags;
	int32_t res;
	uint32_t mode;
	uint32_t flags2;
	uint32_t pid;
	uint16_t name_len;
	uint16_t name2_len;
	uint32_t reserved;
};

static_assert(sizeof(struct trace_header) == 64, "the header of a trace");
static_assert(sizeof(struct trace_record) == 104, "the header of a record");

/* The checksums' register at their beginning: never zero. */
static inline uint32_t trace_seed(uint64_t id)
{
	return (uint32_t)(id ^ id >> 32) | 1;
}

/* Both names and the zeros that follow them. */
static inline uint64_t trace_names_bytes(const struct trace_record *record)
{
	return sl_round_up((uint64_t)record->name_len + record->name2_len, TRACE_ALIGN);
}

static inline uint64_t trace_data_bytes(const struct trace_record *record)
{
	return sl_round_up(record->data_len, TRACE_ALIGN);
}

/* The op of a record, whose names lie at names, ends in 0 included; what they point to is
 * the caller's. */
static inline void trace_op_of(const struct trace_record *record, struct crash_op *ret_op)
{
	*ret_op = (struct crash_op){
		.seq = record->seq,
		.begin = record->begin,
		.code = record->code,
		.flags = record->flags,
		.res = record->res,
		.mode = record->mode,
		.flags2 = record->flags2,
		.pid = record->pid,
		.inode = record->inode,
		.dir = record->dir,
		.dir2 = record->dir2,
		.off = record->off,
		.len = record->len,
		.data_len = record->data_len,
	};
}

/* NULL, or what is wrong with an op by itself, whatever was done before it. */
const char *trace_op_wrong(const struct crash_op *op);

/* A trace that is only read, and its ops and names in memory; of trace.c. */
struct crash_trace *trace_new(int fd);
int trace_keep(struct crash_trace *trace, const struct crash_op *op);
void trace_set_end(struct crash_trace *trace, uint64_t end, uint32_t sector, bool torn);

#endif
