/* wal_support.h: what the tests of the log share: rings, small logs, records that say who they are.
 */
#ifndef SLUICE_TESTS_WAL_SUPPORT_H
#define SLUICE_TESTS_WAL_SUPPORT_H

#include "harness.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sluice/ring.h>
#include <sluice/wal.h>

/* Small enough that a few records cross segments, buffers and blocks. */
#define SMALL_BUFFER  8192
#define SMALL_SEGMENT 32768

struct sl_ring *wal_test_ring(void);

/* A log of small segments; fails the test. */
struct sl_wal_opts wal_test_opts(void);
struct sl_wal *wal_test_open(struct sl_ring *ring, const char *path,
			     const struct sl_wal_opts *opts);

/* A fresh path in a directory that goes with the process. */
const char *wal_test_path(void);

/* The bytes of record number nr: its length and all its bytes follow from nr. */
uint32_t wal_test_record(uint64_t nr, uint32_t max, unsigned char *bytes);

/* Appends record nr; runs the ring while there is no room. The LSN. */
uint64_t wal_test_append(struct sl_ring *ring, struct sl_wal *wal, uint64_t nr, uint32_t max);

/* Reads from lsn (0: the first) to the durable end: checks that the records are
 * those from first_nr on, in order; how many there were. */
uint64_t wal_test_read(struct sl_wal *wal, uint64_t lsn, uint64_t first_nr, uint32_t max);

struct sl_wal_info wal_test_info(const struct sl_wal *wal);

/* Bytes of the file under test, by the system's own calls. */
void wal_test_peek(const char *path, void *bytes, size_t len, uint64_t off);
void wal_test_poke(const char *path, const void *bytes, size_t len, uint64_t off);
void wal_test_copy(const char *from, const char *to);

#endif
