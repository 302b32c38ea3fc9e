/*
 * workload_log.c: a write-ahead log whose power is cut; see workload.h.
 *
 * Record nr has a length and bytes that follow from nr. A round is one group
 * commit of several committers, each with a few records; after it all but the
 * last KEPT records are needed no more, so that segments are used again.
 */
#include "tests/vm/workload.h"

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <sluice/ring.h>
#include <sluice/wal.h>

#define ROUNDS	      20
#define COMMITTERS    3
#define RECORDS_EACH  2
#define KEPT	      12
#define RECORD_MAX    2600
#define BUFFER_BYTES  16384
#define SEGMENT_BYTES 32768
#define SEGMENTS_MAX  4
#define TOTAL	      (ROUNDS * COMMITTERS * RECORDS_EACH)

struct committer {
	struct sl_wal_wait wait;
	unsigned nr; /* of its last record */
};

static unsigned acknowledged_nr;

static uint32_t record_of(unsigned nr, unsigned char *bytes)
{
	uint32_t len = (uint32_t)sizeof(nr) + nr * 977 % (RECORD_MAX - sizeof(nr));

	memcpy(bytes, &nr, sizeof(nr));
	for (uint32_t i = sizeof(nr); i < len; i++)
		bytes[i] = (unsigned char)(nr * 37 + i % 251);
	return len;
}

static int open_log(struct sl_ring *ring, const char *folder, unsigned flags,
		    struct sl_wal **ret_wal)
{
	const struct sl_wal_opts opts = { .flags = flags,
					  .segments_max = SEGMENTS_MAX,
					  .buffer_bytes = BUFFER_BYTES,
					  .segment_bytes = SEGMENT_BYTES,
					  .log_id = 7 };
	char path[256];

	snprintf(path, sizeof(path), "%s/log", folder);
	return sl_wal_open(ring, AT_FDCWD, path, &opts, ret_wal);
}

/* ---- the work -------------------------------------------------------------------------- */

static uint64_t append(struct sl_ring *ring, struct sl_wal *wal, unsigned nr)
{
	unsigned char bytes[RECORD_MAX];
	uint32_t len = record_of(nr, bytes);
	uint64_t lsn = 0;
	int err;

	while ((err = sl_wal_append(wal, bytes, len, &lsn)) == -EAGAIN)
		assert_true(sl_ring_run(ring, 0) >= 0);
	assert_int_equal(err, 0);
	return lsn;
}

/* The log exists is 1, record nr is durable is 1 + nr. */
static void durable(struct sl_wal *wal, struct sl_wal_wait *wait)
{
	const struct committer *committer = wait->user;

	(void)wal;
	assert_int_equal(wait->res, 0);
	if (committer->nr > acknowledged_nr) {
		acknowledged_nr = committer->nr;
		workload_acknowledge(1 + acknowledged_nr);
	}
}

static void round_of_commits(struct sl_ring *ring, struct sl_wal *wal, uint64_t *lsns, unsigned nr)
{
	struct committer committers[COMMITTERS] = { 0 };

	for (unsigned i = 0; i < COMMITTERS; i++) {
		struct committer *c = &committers[i];

		for (unsigned n = 0; n < RECORDS_EACH; n++, nr++)
			lsns[nr] = append(ring, wal, nr);
		c->nr = nr - 1;
		c->wait = (struct sl_wal_wait){ .lsn = lsns[c->nr], .done = durable, .user = c };
		assert_true(sl_wal_commit(wal, &c->wait) >= 0);
	}
	for (unsigned i = 0; i < COMMITTERS; i++) {
		while (committers[i].wait.busy)
			assert_true(sl_ring_run(ring, 0) >= 0);
	}
}

static void prepare(const char *folder)
{
	(void)folder;
	acknowledged_nr = 0;
}

static void run(const char *folder)
{
	uint64_t lsns[TOTAL + 1];
	struct sl_ring *ring = NULL;
	struct sl_wal *wal = NULL;

	assert_int_equal(sl_ring_open(NULL, &ring), 0);
	assert_int_equal(open_log(ring, folder, SL_WAL_CREATE, &wal), 0);
	workload_acknowledge(1);
	for (unsigned nr = 1; nr <= TOTAL; nr += COMMITTERS * RECORDS_EACH) {
		round_of_commits(ring, wal, lsns, nr);
		if (acknowledged_nr > KEPT)
			assert_int_equal(sl_wal_truncate(wal, lsns[acknowledged_nr - KEPT + 1]), 0);
	}
	assert_int_equal(acknowledged_nr, TOTAL);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

/* ---- what must be left ------------------------------------------------------------------ */

struct found {
	unsigned first, last; /* 0: no records */
};

/* Reads all records: they must be whole and in order, without a gap. */
static const char *read_all(struct sl_wal *wal, struct found *found)
{
	unsigned char want[RECORD_MAX];
	struct sl_wal_reader *reader = NULL;
	struct sl_wal_record record;
	const char *problem = NULL;
	unsigned nr = 0;
	int err;

	assert_int_equal(sl_wal_reader_open(wal, NULL, &reader), 0);
	while ((err = sl_wal_reader_next(reader, 0, &record)) == 0 && !problem) {
		if (record.len < sizeof(nr)) {
			problem = "a record is none of ours";
			break;
		}
		memcpy(&nr, record.data, sizeof(nr));
		if (found->last && nr != found->last + 1)
			problem = "a record is out of order";
		else if (record.len != record_of(nr, want) || memcmp(record.data, want, record.len))
			problem = "a record is not what was appended";
		found->first = found->first ? found->first : nr;
		found->last = nr;
	}
	sl_wal_reader_close(reader);
	if (!problem && err != -EAGAIN)
		problem = "the log cannot be read to its end";
	return problem;
}

static const char *judge(const struct found *found, unsigned durable_nr)
{
	unsigned needed = durable_nr > KEPT ? durable_nr - KEPT + 1 : 1;

	if (found->last < durable_nr)
		return "an acknowledged record is gone";
	if (found->last > TOTAL)
		return "there is a record that was never appended";
	if (found->first > needed)
		return "a record that is still needed is gone";
	return NULL;
}

/* What was recovered goes on: it takes a record and keeps it. */
static const char *go_on(struct sl_ring *ring, struct sl_wal *wal, unsigned nr)
{
	append(ring, wal, nr);
	return sl_wal_flush(wal) == 0 ? NULL : "the recovered log takes no more records";
}

static const char *check(const char *folder, unsigned acknowledged)
{
	struct found found = { 0 };
	struct sl_ring *ring = NULL;
	struct sl_wal *wal = NULL;
	const char *problem = NULL;
	int err;

	assert_int_equal(sl_ring_open(NULL, &ring), 0);
	err = open_log(ring, folder, 0, &wal);
	if (err < 0 && (err != -ENOENT || acknowledged))
		problem = err == -ENOENT ? "the log is gone" : "the log cannot be opened";
	if (err == 0) {
		problem = read_all(wal, &found);
		if (!problem && acknowledged)
			problem = judge(&found, acknowledged - 1);
		if (!problem)
			problem = go_on(ring, wal, found.last + 1);
	}
	sl_wal_close(wal);
	sl_ring_close(ring);
	return problem;
}

const struct workload workload_log = { "log", prepare, run, check };
