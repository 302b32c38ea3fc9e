/*
 * power.c: power cuts in the simulator, thousands of them, each followed by recovery.
 *
 * A run is a world with one log. In each of its lives the log is opened, read
 * and appended to by several committers, flushed now and then, in some lives
 * archived too, until the power is cut: at any moment, while it is opened and
 * recovered too. After the last cut it is opened and read once more. What must
 * hold after every recovery:
 *
 *  - every record that was acknowledged, in whatever life, is there;
 *  - there is no record that was not appended, no half, none twice;
 *  - they are in order, from one not after the last truncation;
 *  - what one recovery has found the next one finds too.
 *
 * With faults, reads, writes and syncs fail too, at any moment, an opening among them:
 * the log then ends, its program with it, and the next life begins with or
 * without a power cut. Not with one if the log is direct: what a failed sync
 * left in the cache alone must not be taken for durable.
 *
 * A run that fails prints what replays it: SLUICE_SEED, and the number of the run.
 */
#include "wal_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sluice/sim.h>

#define CUTS_WANTED	10500
#define FAILURES_WANTED 2000
#define LIVES		6
#define COMMITTERS	3
#define RECORD_MAX	5000

struct run {
	struct sl_sim *sim;
	struct sl_ring *ring;
	struct sl_wal *wal;
	uint64_t state; /* of the run's own chance */
	uint64_t next_nr;
	uint64_t last_lsn;  /* of what was appended in this life */
	uint64_t acked;	    /* records before it are acknowledged */
	uint64_t truncated; /* records from it on are needed */
	uint64_t full_lsn;  /* segments before it are full, and to be archived */
	const char *wrong;
	bool faulty; /* things fail by themselves */
	bool failed; /* ... and did in this life */
	bool buffered;
	bool archived;
	struct sl_op cut;
	struct {
		struct sl_wal_wait wait;
		uint64_t nr;
	} committers[COMMITTERS];
};

struct tally {
	uint64_t cuts;
	uint64_t cuts_in_recovery;
	uint64_t recoveries;
	uint64_t records;
	uint64_t failures; /* lives that a fault ended */
	uint64_t restarts; /* of the program alone */
	uint64_t ends;	   /* runs whose log was whole after the last cut */
	uint64_t flushes;
	uint64_t archivings;
};

static const char *const profiles[] = { "posix", "ext4", "xfs", "btrfs" };

static uint64_t chance(struct run *run, uint64_t below)
{
	return support_random(&run->state) % below;
}

static void wrong(struct run *run, const char *what)
{
	if (!run->wrong)
		run->wrong = what;
}

static bool has_power(const struct run *run)
{
	return sl_sim_has_power(run->sim, 0);
}

/* Something failed: with the power on that takes a fault. */
static void failed(struct run *run, const char *what)
{
	if (!has_power(run))
		return;
	if (run->faulty)
		run->failed = true;
	else
		wrong(run, what);
}

/* ---- the cut ------------------------------------------------------------------------- */

static void cut_now(struct sl_ring *ring, struct sl_op *op)
{
	struct run *run = op->user;

	(void)ring;
	if (op->res == 0)
		sl_sim_power_cut(run->sim, 0);
}

/* The power goes within the next so many nanoseconds. */
static void plan_cut(struct run *run, uint64_t within_ns)
{
	int64_t when = sl_ring_clock(run->ring) + 1 + (int64_t)chance(run, within_ns);

	memset(&run->cut, 0, sizeof(run->cut));
	sl_op_timer(&run->cut, when, 0);
	run->cut.done = cut_now;
	run->cut.user = run;
	if (sl_ring_submit(run->ring, &run->cut) < 0)
		wrong(run, "no timer");
}

/* ---- a life -------------------------------------------------------------------------- */

/* Reads all that the log holds; it must be what the run remembers. */
static void check_records(struct run *run)
{
	static unsigned char bytes[RECORD_MAX + 1];
	struct sl_wal_reader *reader = NULL;
	struct sl_wal_record record;
	uint64_t nr = UINT64_MAX;
	int rc;

	if (sl_wal_reader_open(run->wal, NULL, &reader) < 0) {
		failed(run, "no reader");
		return;
	}
	while ((rc = sl_wal_reader_next(reader, 0, &record)) == 0 && !run->wrong) {
		uint64_t found = UINT64_MAX;
		uint32_t len;

		if (record.len >= sizeof(found))
			memcpy(&found, record.data, sizeof(found));
		if (nr == UINT64_MAX && found <= run->truncated)
			nr = found;
		len = wal_test_record(nr, RECORD_MAX, bytes);
		if (found != nr)
			wrong(run, "a record is out of order, or comes too late");
		else if (record.len != len || memcmp(record.data, bytes, len) != 0)
			wrong(run, "a record is not what was appended");
		nr++;
	}
	sl_wal_reader_close(reader);
	if (!has_power(run) || run->wrong)
		return;
	if (nr == UINT64_MAX)
		nr = run->truncated;
	if (rc != -EAGAIN) {
		failed(run, "the reader fails");
		return;
	}
	if (nr < run->acked)
		wrong(run, "an acknowledged record is gone");
	else if (nr > run->next_nr)
		wrong(run, "there is a record that was never appended");
	/* What was recovered is acknowledged; the others are gone for good. */
	run->acked = nr;
	run->next_nr = nr;
}

static void go_on(struct run *run, struct sl_wal_wait *wait);

static void told(struct sl_wal *wal, struct sl_wal_wait *wait)
{
	struct run *run = wait->user;

	(void)wal;
	if (wait->res < 0) {
		failed(run, "a commit fails with the power on");
		return;
	}
	for (unsigned i = 0; i < COMMITTERS; i++) {
		if (&run->committers[i].wait == wait && run->committers[i].nr >= run->acked)
			run->acked = run->committers[i].nr + 1;
	}
	if (chance(run, 8) == 0 && sl_wal_truncate(run->wal, wait->lsn) == 0) {
		for (unsigned i = 0; i < COMMITTERS; i++) {
			if (&run->committers[i].wait == wait &&
			    run->committers[i].nr > run->truncated)
				run->truncated = run->committers[i].nr;
		}
	}
	go_on(run, wait);
}

/* Appends a few records and commits the last one. */
static void go_on(struct run *run, struct sl_wal_wait *wait)
{
	static unsigned char bytes[RECORD_MAX + 1];
	uint64_t lsn = 0, nr = 0;
	int rc = 0;

	for (uint64_t i = chance(run, 3) + 1; i && rc == 0; i--) {
		uint32_t len = wal_test_record(run->next_nr, RECORD_MAX, bytes);

		rc = sl_wal_append(run->wal, bytes, len, &lsn);
		if (rc == 0)
			nr = run->next_nr++;
		if (rc == 0)
			run->last_lsn = lsn;
	}
	if (rc < 0 && rc != -EAGAIN && rc != -ENOSPC)
		failed(run, "an append fails with the power on");
	if (!lsn)
		return;
	for (unsigned i = 0; i < COMMITTERS; i++) {
		if (&run->committers[i].wait == wait)
			run->committers[i].nr = nr;
	}
	wait->lsn = lsn;
	wait->done = told;
	wait->user = run;
	rc = sl_wal_commit(run->wal, wait);
	if (rc < 0)
		failed(run, "a commit is refused with the power on");
}

/* All that is appended now is acknowledged when this answers 0; others go on meanwhile. */
static void flush(struct run *run, struct tally *tally)
{
	uint64_t nr = run->next_nr;

	if (sl_wal_flush(run->wal) < 0) {
		failed(run, "a flush fails with the power on");
		return;
	}
	if (run->acked < nr)
		run->acked = nr;
	tally->flushes++;
}

static void on_full(void *ctx, struct sl_wal *wal, const struct sl_wal_segment *segment)
{
	struct run *run = ctx;

	(void)wal;
	run->full_lsn = segment->end_lsn;
}

/* Some time after it was told: until then no segment may be used again. */
static void archive(struct run *run, struct tally *tally)
{
	uint64_t lsn = run->full_lsn;

	if (!lsn || chance(run, 4))
		return;
	run->full_lsn = 0;
	if (sl_wal_archived(run->wal, lsn) < 0)
		failed(run, "an archived segment is refused with the power on");
	tally->archivings++;
}

/* Appends until the power goes. */
static void work(struct run *run, struct tally *tally)
{
	memset(run->committers, 0, sizeof(run->committers));
	while (has_power(run) && !run->wrong && !run->failed) {
		archive(run, tally);
		if (chance(run, 16) == 0)
			flush(run, tally);
		for (unsigned i = 0; i < COMMITTERS; i++) {
			if (!run->committers[i].wait.busy)
				go_on(run, &run->committers[i].wait);
		}
		/* A log that is full of what is needed: all of it was only a test. */
		if (has_power(run) && sl_ring_inflight(run->ring) <= 1) {
			struct sl_wal_info info = wal_test_info(run->wal);

			if (info.durable_lsn > run->last_lsn) {
				sl_wal_truncate(run->wal, info.durable_lsn);
				run->acked = run->next_nr;
				run->truncated = run->next_nr;
			}
		}
		sl_ring_run(run->ring, 0);
	}
}

static int open_log(struct run *run, uint32_t block)
{
	struct sl_wal_opts opts = {
		.flags = SL_WAL_CREATE | (run->buffered ? SL_WAL_BUFFERED : 0),
		.buffers = 2 + (uint32_t)chance(run, 3),
		.segments_max = 5,
		.block_bytes = block,
		.buffer_bytes = 2 * block,
		.segment_bytes = 5 * (uint64_t)block,
		.log_id = 7,
		.archive = run->archived ? on_full : NULL,
		.ctx = run,
	};

	return sl_wal_open(run->ring, AT_FDCWD, "log", &opts, &run->wal);
}

/* A log, and what it holds, which also is in the archive then. */
static int recover(struct run *run)
{
	int rc;

	run->wal = NULL;
	run->last_lsn = 0;
	run->full_lsn = 0;
	run->failed = false;
	run->buffered = chance(run, 4) == 0;
	run->archived = chance(run, 2) == 0;
	rc = open_log(run, 4096);
	if (rc < 0) {
		failed(run, "the log does not open");
		return rc;
	}
	check_records(run);
	run->full_lsn = run->archived ? wal_test_info(run->wal).durable_lsn : 0;
	return 0;
}

/* The power goes if it has not gone; of a program that failed, perhaps only the program. */
static void end_life(struct run *run, struct tally *tally)
{
	bool stays = has_power(run) && run->failed && !run->buffered && chance(run, 2);

	tally->failures += run->failed;
	tally->restarts += stays;
	if (has_power(run) && !stays)
		sl_sim_power_cut(run->sim, 0);
	sl_ring_close(run->ring);
	if (!stays)
		sl_sim_restart(run->sim, 0);
}

/* From power to no power, or to a failure. */
static void live(struct run *run, struct tally *tally, unsigned life)
{
	bool early = life > 0 && chance(run, 3) == 0;

	if (sl_sim_ring_open(run->sim, 0, NULL, &run->ring) < 0) {
		wrong(run, "no ring");
		return;
	}
	plan_cut(run, early ? 3000000 : 30000000);
	if (recover(run) == 0) {
		tally->recoveries += has_power(run);
		work(run, tally);
	} else {
		tally->cuts_in_recovery += life > 0;
	}
	sl_wal_close(run->wal);
	end_life(run, tally);
}

/* After its last cut. A fault may be in the way; then the lives before have shown enough. */
static void look_once_more(struct run *run, struct tally *tally)
{
	if (sl_sim_ring_open(run->sim, 0, NULL, &run->ring) < 0) {
		wrong(run, "no ring");
		return;
	}
	recover(run);
	tally->ends += !run->failed;
	sl_wal_close(run->wal);
	sl_ring_close(run->ring);
}

/* In a million. No bit rot and no write gone astray: those are lost, and found by the CRC. */
static const uint32_t fault_chances[SL_SIM_FAULTS] = {
	[SL_SIM_SHORT] = 50000,	      [SL_SIM_AGAIN] = 50000,	 [SL_SIM_READ_EIO] = 2000,
	[SL_SIM_READ_ENODATA] = 2000, [SL_SIM_WRITE_EIO] = 5000, [SL_SIM_NO_SPACE] = 5000,
	[SL_SIM_SYNC_EIO] = 10000,    [SL_SIM_SLOW] = 10000,
};

static void run_one(uint64_t seed, uint64_t nr, bool faulty, struct tally *tally)
{
	struct sl_sim_opts opts = {
		.seed = seed + nr,
		.profile = profiles[nr % 4],
		.sector = nr / 4 % 2 ? 4096 : 512,
	};
	struct run run = { .state = seed + nr, .faulty = faulty };
	struct sl_sim_info info;

	if (faulty)
		memcpy(opts.faults, fault_chances, sizeof(opts.faults));

	assert_int_equal(sl_sim_create(&opts, &run.sim), 0);
	for (unsigned life = 0; life < LIVES && !run.wrong; life++)
		live(&run, tally, life);
	if (!run.wrong)
		look_once_more(&run, tally);
	sl_sim_info(run.sim, &info);
	tally->cuts += info.cuts;
	tally->records += run.acked;
	sl_sim_destroy(run.sim);
	if (run.wrong) {
		printf("# %s: SLUICE_SEED=%llu SLUICE_WAL_RUN=%llu, profile %s, sector %u\n",
		       run.wrong, (unsigned long long)seed, (unsigned long long)nr, opts.profile,
		       opts.sector);
		fail();
	}
}

static void ten_thousand_power_cuts_lose_nothing_that_was_acknowledged(void **state)
{
	const char *only = getenv("SLUICE_WAL_RUN");
	uint64_t seed = support_seed();
	struct tally tally = { 0 };
	uint64_t runs = 0;

	(void)state;
	for (uint64_t nr = only ? strtoull(only, NULL, 0) : 0; tally.cuts < CUTS_WANTED; nr++) {
		run_one(seed, nr, false, &tally);
		runs++;
		if (only)
			return;
	}
	printf("# %llu power cuts, %llu of them in a recovery; %llu recoveries, %llu records\n",
	       (unsigned long long)tally.cuts, (unsigned long long)tally.cuts_in_recovery,
	       (unsigned long long)(tally.recoveries + tally.ends),
	       (unsigned long long)tally.records);
	/* Each cut was followed by a recovery, or by a second cut in it and one after that. */
	assert_int_equal(tally.ends, runs);
	assert_true(tally.cuts_in_recovery > CUTS_WANTED / 20);
	assert_true(tally.recoveries + tally.cuts_in_recovery + runs > CUTS_WANTED * 9 / 10);
	assert_true(tally.flushes > CUTS_WANTED / 4);
	assert_true(tally.archivings > CUTS_WANTED / 20);
	assert_true(tally.records > CUTS_WANTED);
}

static void faults_and_power_cuts_lose_nothing_that_was_acknowledged(void **state)
{
	const char *only = getenv("SLUICE_WAL_RUN");
	uint64_t seed = support_seed();
	struct tally tally = { 0 };

	(void)state;
	for (uint64_t nr = only ? strtoull(only, NULL, 0) : 0; tally.failures < FAILURES_WANTED;
	     nr++) {
		run_one(seed, nr, true, &tally);
		if (only)
			return;
	}
	printf("# %llu failures, %llu restarts with the power on, %llu power cuts, %llu records\n",
	       (unsigned long long)tally.failures, (unsigned long long)tally.restarts,
	       (unsigned long long)tally.cuts, (unsigned long long)tally.records);
	assert_true(tally.restarts > FAILURES_WANTED / 10);
	assert_true(tally.recoveries > FAILURES_WANTED / 4);
	assert_true(tally.records > FAILURES_WANTED);
}

static const struct CMUnitTest tests[] = {
	TEST(ten_thousand_power_cuts_lose_nothing_that_was_acknowledged),
	TEST(faults_and_power_cuts_lose_nothing_that_was_acknowledged),
};

int main(void)
{
	return RUN_TESTS(tests);
}
