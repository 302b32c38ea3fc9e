/* logs.h: records in a file, one after the other, and a reader that stops at the first bad one. */
#ifndef SLUICE_TESTS_CRASH_LOGS_H
#define SLUICE_TESTS_CRASH_LOGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOG_PAYLOAD_MAX 4096
#define LOG_SEED	2166136261u

struct log_head {
	uint32_t sum; /* of what follows it, payload included */
	uint32_t nr;  /* 1, 2 ... */
	uint32_t len; /* of the payload: len times the letter of nr */
};

struct log_record {
	struct log_head head;
	char payload[LOG_PAYLOAD_MAX];
};

/* How much of a record is there to be written. */
static inline size_t log_bytes(const struct log_record *record)
{
	return sizeof(record->head) + record->head.len;
}

/* The record nr, with a payload of len bytes. */
void log_fill(struct log_record *record, uint32_t nr, uint32_t len, uint32_t seed);
/* Whether it is what log_fill() made. */
bool log_is_own(const struct log_record *record);

/* A reader over the bytes of a file. */
struct log_reader {
	const char *name;
	bool sums; /* it looks at sum; else any len that fits will do */
	uint32_t seed;
	off_t off; /* where the next record begins: the end, when log_next() says false */
};

bool log_next(struct log_reader *reader, struct log_record *ret_record);

/* Reads the log of a state: every record in it must be the next, and own; at least acked of them
 * there. */
int log_check(struct log_reader *reader, uint32_t acked);
/* The number of the last acknowledged record, of lines "record N". */
uint32_t log_acked(const char *acks);
void log_ack(uint32_t nr);

#endif
