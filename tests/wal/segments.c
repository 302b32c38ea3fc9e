/* segments.c: segments are made ready ahead, used again, told to the archiver; readers; kills. */
#include "tests.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

void truncated_segments_are_used_again(void **state)
{
	struct sl_wal_opts opts = wal_test_opts();
	struct sl_ring *ring = wal_test_ring();
	const char *path = wal_test_path();
	struct sl_wal *wal;

	(void)state;
	opts.segments_max = 4;
	wal = wal_test_open(ring, path, &opts);
	for (uint64_t nr = 0; nr < 1000; nr++) {
		uint64_t lsn = wal_test_append(ring, wal, nr, 2000);

		assert_int_equal(sl_wal_flush(wal), 0);
		if (nr % 5 == 4)
			assert_int_equal(sl_wal_truncate(wal, lsn), 0);
	}
	assert_true(wal_test_info(wal).first_lsn > 20 * SMALL_SEGMENT);
	assert_true(wal_test_info(wal).segments <= 4);
	assert_true(size_of(path) <= 4096 + 4 * SMALL_SEGMENT);
	sl_wal_close(wal);
	wal = wal_test_open(ring, path, &opts);
	assert_int_equal(wal_test_info(wal).epoch, 2);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

void what_is_truncated_may_only_be_durable(void **state)
{
	struct sl_ring *ring = wal_test_ring();
	struct sl_wal *wal = wal_test_open(ring, wal_test_path(), NULL);
	uint64_t lsn = wal_test_append(ring, wal, 0, 100);

	(void)state;
	assert_int_equal(sl_wal_truncate(wal, lsn + 1), -EINVAL);
	assert_int_equal(sl_wal_archived(wal, lsn), -EINVAL);
	assert_int_equal(sl_wal_flush(wal), 0);
	assert_int_equal(sl_wal_truncate(wal, lsn), 0);
	assert_int_equal(wal_test_read(wal, 0, 0, 100), 1);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

void a_full_log_refuses_a_record_before_it_takes_it(void **state)
{
	struct sl_wal_opts opts = wal_test_opts();
	struct sl_ring *ring = wal_test_ring();
	const char *path = wal_test_path();
	unsigned char bytes[2000];
	struct sl_wal_wait wait = { 0 };
	struct sl_wal *wal;
	uint64_t nr = 0, lsn, tail;
	int rc;

	(void)state;
	opts.segments_max = 3;
	wal = wal_test_open(ring, path, &opts);
	for (;;) {
		uint32_t len = wal_test_record(nr, 1500, bytes);

		rc = sl_wal_append(wal, bytes, len, &lsn);
		if (rc == -EAGAIN)
			assert_true(sl_ring_run(ring, 0) >= 0);
		else if (rc == 0)
			nr++;
		else
			break;
	}
	assert_int_equal(rc, -ENOSPC);
	tail = wal_test_info(wal).tail_lsn;
	assert_int_equal(sl_wal_append(wal, bytes, 1500, &lsn), -ENOSPC);
	assert_int_equal(wal_test_info(wal).tail_lsn, tail);
	assert_int_equal(sl_wal_flush(wal), 0);
	wait.done = (sl_wal_fn *)(uintptr_t)1;
	assert_int_equal(sl_wal_room(wal, &wait), -ENOSPC);
	assert_int_equal(wal_test_info(wal).error, 0);
	assert_int_equal(wal_test_read(wal, 0, 0, 1500), nr);
	assert_int_equal(sl_wal_truncate(wal, wal_test_info(wal).tail_lsn), 0);
	wal_test_append(ring, wal, nr, 1500);
	assert_int_equal(sl_wal_flush(wal), 0);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

void a_full_log_opens_and_can_be_truncated(void **state)
{
	struct sl_wal_opts opts = wal_test_opts();
	struct sl_ring *ring = wal_test_ring();
	const char *path = wal_test_path();
	struct sl_wal *wal;
	uint32_t epoch;

	(void)state;
	opts.segments_max = 2;
	/* Every opening takes a block, until there is none. */
	for (unsigned opening = 0; opening < 20; opening++) {
		wal = wal_test_open(ring, path, &opts);
		epoch = wal_test_info(wal).epoch;
		sl_wal_close(wal);
	}
	wal = wal_test_open(ring, path, &opts);
	assert_int_equal(sl_wal_append(wal, "x", 1, NULL), -ENOSPC);
	assert_int_equal(sl_wal_flush(wal), 0);
	assert_int_equal(wal_test_read(wal, 0, 0, 100), 0);
	assert_int_equal(sl_wal_truncate(wal, wal_test_info(wal).durable_lsn), 0);
	wal_test_append(ring, wal, 0, 100);
	assert_int_equal(sl_wal_flush(wal), 0);
	sl_wal_close(wal);
	/* All records of the older epochs are gone; their numbers stay taken. */
	wal = wal_test_open(ring, path, &opts);
	assert_true(wal_test_info(wal).epoch > epoch);
	assert_int_equal(wal_test_read(wal, 0, 0, 100), 1);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

struct archive {
	uint64_t told;
	uint64_t next_seq;
};

static void archive(void *ctx, struct sl_wal *wal, const struct sl_wal_segment *segment)
{
	struct archive *archive = ctx;
	struct sl_wal_info info = wal_test_info(wal);

	assert_int_equal(segment->seq, archive->next_seq++);
	assert_int_equal(segment->len, SMALL_SEGMENT);
	assert_int_equal(segment->first_lsn, segment->seq * SMALL_SEGMENT + 4096);
	assert_true(segment->end_lsn <= info.durable_lsn);
	assert_int_equal(segment->off % SMALL_SEGMENT, 4096);
	archive->told = segment->end_lsn;
}

void segments_are_kept_until_they_are_archived(void **state)
{
	struct sl_wal_opts opts = wal_test_opts();
	struct sl_ring *ring = wal_test_ring();
	struct archive told = { .next_seq = 1 };
	struct sl_wal *wal;
	uint64_t nr = 0;

	(void)state;
	opts.archive = archive;
	opts.ctx = &told;
	wal = wal_test_open(ring, wal_test_path(), &opts);
	while (told.next_seq < 6) {
		wal_test_append(ring, wal, nr++, 2000);
		assert_int_equal(sl_wal_flush(wal), 0);
		assert_int_equal(sl_wal_truncate(wal, wal_test_info(wal).durable_lsn), 0);
	}
	assert_int_equal(wal_test_info(wal).first_lsn, SMALL_SEGMENT + 4096);
	assert_int_equal(wal_test_read(wal, 0, 0, 2000), nr);
	assert_int_equal(sl_wal_archived(wal, told.told), 0);
	assert_int_equal(wal_test_info(wal).first_lsn, told.told);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

/* ---- readers ------------------------------------------------------------------------ */

struct follower {
	uint64_t next_nr;
	unsigned calls;
};

static void follow(struct sl_wal_reader *reader, void *ctx)
{
	struct follower *follower = ctx;
	struct sl_wal_record record;
	unsigned char bytes[4096];
	int rc;

	follower->calls++;
	while ((rc = sl_wal_reader_next(reader, SL_RING_POLL, &record)) == 0) {
		uint32_t len = wal_test_record(follower->next_nr++, 2000, bytes);

		assert_int_equal(record.len, len);
		assert_memory_equal(record.data, bytes, len);
	}
	assert_int_equal(rc, -EAGAIN);
}

void a_reader_follows_the_tail(void **state)
{
	struct follower follower = { 0 };
	struct sl_wal_reader_opts opts = { .ready = follow, .ctx = &follower };
	struct sl_ring *ring = wal_test_ring();
	struct sl_wal *wal = wal_test_open(ring, wal_test_path(), NULL);
	struct sl_wal_reader *reader = NULL;

	(void)state;
	assert_int_equal(sl_wal_reader_open(wal, &opts, &reader), 0);
	follow(reader, &follower);
	for (uint64_t nr = 0; nr < 200; nr++) {
		wal_test_append(ring, wal, nr, 2000);
		assert_true(follower.next_nr <= nr);
		if (nr % 7 == 6)
			assert_int_equal(sl_wal_flush(wal), 0);
	}
	assert_int_equal(sl_wal_flush(wal), 0);
	while (follower.next_nr < 200)
		assert_true(sl_ring_run(ring, 0) >= 0);
	assert_true(follower.calls > 10);
	sl_wal_reader_close(reader);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

void a_reader_begins_where_it_is_told(void **state)
{
	struct sl_ring *ring = wal_test_ring();
	struct sl_wal *wal = wal_test_open(ring, wal_test_path(), NULL);
	struct sl_wal_reader_opts opts = { 0 };
	struct sl_wal_reader *reader = NULL;
	uint64_t lsn = 0;

	(void)state;
	for (uint64_t nr = 0; nr < 100; nr++) {
		uint64_t at = wal_test_append(ring, wal, nr, 2000);

		if (nr == 40)
			lsn = at;
	}
	assert_int_equal(sl_wal_flush(wal), 0);
	assert_int_equal(wal_test_read(wal, lsn, 40, 2000), 60);
	opts.lsn = 32;
	assert_int_equal(sl_wal_reader_open(wal, &opts, &reader), -ENOENT);
	opts.lsn = wal_test_info(wal).durable_lsn + 32;
	assert_int_equal(sl_wal_reader_open(wal, &opts, &reader), -EINVAL);
	opts.lsn = lsn + 1;
	assert_int_equal(sl_wal_reader_open(wal, &opts, &reader), -EINVAL);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

void a_reader_left_behind_is_told(void **state)
{
	struct sl_wal_opts opts = wal_test_opts();
	struct sl_ring *ring = wal_test_ring();
	struct sl_wal_reader *reader = NULL;
	struct sl_wal_record record;
	struct sl_wal *wal;

	(void)state;
	opts.segments_max = 3;
	wal = wal_test_open(ring, wal_test_path(), &opts);
	wal_test_append(ring, wal, 0, 2000);
	assert_int_equal(sl_wal_flush(wal), 0);
	assert_int_equal(sl_wal_reader_open(wal, NULL, &reader), 0);
	for (uint64_t nr = 1; nr < 200; nr++) {
		wal_test_append(ring, wal, nr, 2000);
		assert_int_equal(sl_wal_flush(wal), 0);
		assert_int_equal(sl_wal_truncate(wal, wal_test_info(wal).durable_lsn), 0);
	}
	assert_int_equal(sl_wal_reader_next(reader, 0, &record), -ENOENT);
	sl_wal_reader_close(reader);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

/* ---- killed -------------------------------------------------------------------------- */

static void report_commit(struct sl_wal *wal, struct sl_wal_wait *wait)
{
	(void)wal;
	if (wait->res == 0 && write(*(int *)wait->user, &wait->lsn, sizeof(wait->lsn)) < 0)
		_exit(1);
}

/* Appends from first_nr on until it is killed; tells the LSNs of its commits. */
static void append_until_killed(const char *path, uint64_t first_nr, int fd)
{
	struct sl_wal_opts opts = wal_test_opts();
	struct sl_wal_wait wait = { .done = report_commit, .user = &fd };
	struct sl_ring *ring = NULL;
	struct sl_wal *wal = NULL;

	opts.segments_max = 60000;
	if (sl_ring_open(NULL, &ring) < 0 || sl_wal_open(ring, AT_FDCWD, path, &opts, &wal) < 0)
		_exit(1);
	for (uint64_t nr = first_nr;; nr++) {
		unsigned char bytes[4096];
		uint32_t len = wal_test_record(nr, 3000, bytes);
		uint64_t lsn = 0;

		while (sl_wal_append(wal, bytes, len, &lsn) == -EAGAIN)
			sl_ring_run(ring, 0);
		if (nr % 3 == 0 && !wait.busy) {
			wait.lsn = lsn;
			sl_wal_commit(wal, &wait);
		}
		sl_ring_run(ring, SL_RING_POLL);
	}
}

static uint64_t last_lsn(struct sl_wal *wal)
{
	struct sl_wal_reader *reader = NULL;
	struct sl_wal_record record = { 0 };

	assert_int_equal(sl_wal_reader_open(wal, NULL, &reader), 0);
	while (sl_wal_reader_next(reader, 0, &record) == 0)
		;
	sl_wal_reader_close(reader);
	return record.lsn;
}

void a_killed_writer_loses_nothing_it_was_told_is_durable(void **state)
{
	struct sl_wal_opts opts = wal_test_opts();
	const char *path = wal_test_path();
	uint64_t seed = support_seed();
	uint64_t nr = 0;

	(void)state;
	opts.segments_max = 60000;
	for (unsigned round = 0; round < 8; round++) {
		uint64_t acked = 0, lsn;
		struct sl_ring *ring;
		struct sl_wal *wal;
		int fds[2];
		pid_t child;

		assert_int_equal(pipe(fds), 0);
		child = fork();
		assert_true(child >= 0);
		if (!child)
			append_until_killed(path, nr, fds[1]);
		close(fds[1]);
		for (uint64_t i = support_random(&seed) % 60 + 1; i; i--) {
			assert_int_equal(read(fds[0], &lsn, sizeof(lsn)), sizeof(lsn));
			acked = lsn;
		}
		assert_int_equal(kill(child, SIGKILL), 0);
		while (read(fds[0], &lsn, sizeof(lsn)) == sizeof(lsn))
			acked = lsn;
		assert_int_equal(waitpid(child, NULL, 0), child);
		close(fds[0]);
		ring = wal_test_ring();
		wal = wal_test_open(ring, path, &opts);
		nr = wal_test_read(wal, 0, 0, 3000);
		assert_true(last_lsn(wal) >= acked);
		sl_wal_close(wal);
		sl_ring_close(ring);
	}
}
