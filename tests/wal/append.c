/* append.c: what is appended is there again, in order, across blocks, segments and openings. */
#include "tests.h"

#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store/wal/format.h"

#define MAKERS 3

void a_record_is_there_after_reopening(void **state)
{
	struct sl_ring *ring = wal_test_ring();
	const char *path = wal_test_path();
	struct sl_wal *wal = wal_test_open(ring, path, NULL);
	uint64_t lsn = wal_test_append(ring, wal, 1, 100);

	(void)state;
	assert_true(lsn >= SMALL_SEGMENT + 4096);
	assert_int_equal(wal_test_read(wal, 0, 1, 100), 0);
	assert_int_equal(sl_wal_flush(wal), 0);
	assert_int_equal(wal_test_read(wal, 0, 1, 100), 1);
	sl_wal_close(wal);
	wal = wal_test_open(ring, path, NULL);
	assert_int_equal(wal_test_info(wal).epoch, 2);
	assert_int_equal(wal_test_read(wal, 0, 1, 100), 1);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

void records_keep_their_order_across_segments_and_openings(void **state)
{
	struct sl_wal_opts opts = wal_test_opts();
	struct sl_ring *ring = wal_test_ring();
	const char *path = wal_test_path();
	uint64_t seed = support_seed();
	uint64_t nr = 0, before = 0;

	(void)state;
	opts.segments_max = 100;
	for (unsigned opening = 0; opening < 12; opening++) {
		struct sl_wal *wal = wal_test_open(ring, path, &opts);
		unsigned count = (unsigned)(support_random(&seed) % 60);

		assert_int_equal(wal_test_read(wal, 0, 0, 3000), nr);
		for (unsigned i = 0; i < count; i++) {
			uint64_t lsn = wal_test_append(ring, wal, nr++, 3000);

			assert_true(lsn > before);
			before = lsn;
			if (support_random(&seed) % 3 == 0)
				assert_int_equal(sl_wal_flush(wal), 0);
		}
		assert_int_equal(sl_wal_flush(wal), 0);
		sl_wal_close(wal);
	}
	sl_ring_close(ring);
}

void records_of_every_length_fit_where_they_should(void **state)
{
	struct sl_wal_opts opts = wal_test_opts();
	struct sl_ring *ring = wal_test_ring();
	struct sl_wal *wal;
	static unsigned char bytes[SMALL_BUFFER + 1];
	struct sl_wal_reader *reader = NULL;
	struct sl_wal_record record;
	uint32_t max;

	(void)state;
	opts.segments_max = 1000;
	wal = wal_test_open(ring, wal_test_path(), &opts);
	max = wal_test_info(wal).record_max;
	assert_int_equal(max, SMALL_BUFFER - 32);
	assert_int_equal(sl_wal_append(wal, bytes, max + 1, NULL), -EMSGSIZE);
	assert_int_equal(sl_wal_append(wal, NULL, 1, NULL), -EINVAL);
	for (uint32_t len = 0; len <= max; len += 13) {
		while (sl_wal_append(wal, bytes, len, NULL) == -EAGAIN)
			sl_ring_run(ring, 0);
	}
	while (sl_wal_append(wal, bytes, max, NULL) == -EAGAIN)
		sl_ring_run(ring, 0);
	assert_int_equal(sl_wal_flush(wal), 0);
	assert_int_equal(sl_wal_reader_open(wal, NULL, &reader), 0);
	for (uint32_t len = 0; len <= max; len += 13) {
		assert_int_equal(sl_wal_reader_next(reader, 0, &record), 0);
		assert_int_equal(record.len, len);
	}
	assert_int_equal(sl_wal_reader_next(reader, 0, &record), 0);
	assert_int_equal(record.len, max);
	assert_int_equal(sl_wal_reader_next(reader, 0, &record), -EAGAIN);
	sl_wal_reader_close(reader);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

void pieces_become_one_record(void **state)
{
	char write[] = "write", ahead[] = "-ahead";
	struct iovec iov[3] = { { write, 5 }, { NULL, 0 }, { ahead, 6 } };
	struct sl_ring *ring = wal_test_ring();
	struct sl_wal *wal = wal_test_open(ring, wal_test_path(), NULL);
	struct sl_wal_reader *reader = NULL;
	struct sl_wal_record record;
	uint64_t lsn;

	(void)state;
	assert_int_equal(sl_wal_appendv(wal, iov, 3, &lsn), 0);
	assert_int_equal(sl_wal_flush(wal), 0);
	assert_int_equal(sl_wal_reader_open(wal, NULL, &reader), 0);
	assert_int_equal(sl_wal_reader_next(reader, 0, &record), 0);
	assert_int_equal(record.lsn, lsn);
	assert_int_equal(record.len, 11);
	assert_memory_equal(record.data, "write-ahead", 11);
	sl_wal_reader_close(reader);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

void options_out_of_bounds_are_refused(void **state)
{
	const struct sl_wal_opts bad[] = {
		{ .flags = 1u << 31 },
		{ .permissions = 010000 },
		{ .flags = SL_WAL_CREATE, .buffers = 1 },
		{ .flags = SL_WAL_CREATE, .buffers = 65 },
		{ .flags = SL_WAL_CREATE, .segments_max = 1 },
		{ .flags = SL_WAL_CREATE, .block_bytes = 512 },
		{ .flags = SL_WAL_CREATE, .block_bytes = 5000 },
		{ .flags = SL_WAL_CREATE, .buffer_bytes = 5000 },
		{ .flags = SL_WAL_CREATE, .segment_bytes = 4096 },
		{ .flags = SL_WAL_CREATE, .segment_bytes = UINT64_C(1) << 40 },
		{ .flags = SL_WAL_CREATE, .commit_delay_ns = UINT64_C(2000000000) },
	};
	struct sl_ring *ring = wal_test_ring();
	const char *path = wal_test_path();
	struct sl_wal *wal = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(sl_wal_open(ring, AT_FDCWD, path, &bad[i], &wal), -EINVAL);
	assert_int_equal(sl_wal_open(ring, AT_FDCWD, path, NULL, &wal), -ENOENT);
	assert_null(wal);
	assert_int_equal(access(path, F_OK), -1);
	sl_ring_close(ring);
}

void a_log_has_one_writer(void **state)
{
	struct sl_ring *ring = wal_test_ring();
	const char *path = wal_test_path();
	struct sl_wal *wal = wal_test_open(ring, path, NULL);
	struct sl_wal *other = NULL;

	(void)state;
	assert_int_equal(sl_wal_open(ring, AT_FDCWD, path, NULL, &other), -EBUSY);
	sl_wal_close(wal);
	wal = wal_test_open(ring, path, NULL);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

static unsigned count_records(struct sl_wal *wal)
{
	struct sl_wal_reader *reader = NULL;
	struct sl_wal_record record;
	unsigned nr = 0;

	assert_int_equal(sl_wal_reader_open(wal, NULL, &reader), 0);
	while (sl_wal_reader_next(reader, 0, &record) == 0)
		nr++;
	sl_wal_reader_close(reader);
	return nr;
}

/* In a child: a record of its own, as soon as the log can be had. */
static void append_when_free(const char *path, unsigned char who, int go)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct sl_wal_opts opts = wal_test_opts();
	struct sl_ring *ring = wal_test_ring();
	struct sl_wal *wal = NULL;
	int rc;

	if (read(go, &rc, 1) != 0) /* all at once */
		_exit(1);
	while ((rc = sl_wal_open(ring, AT_FDCWD, path, &opts, &wal)) == -EBUSY)
		nanosleep(&pause, NULL);
	if (rc == 0)
		rc = sl_wal_append(wal, &who, 1, NULL);
	if (rc == 0)
		rc = sl_wal_flush(wal);
	if (rc < 0)
		printf("# %u: %s\n", who, strerror(-rc));
	fflush(stdout);
	_exit(rc < 0);
}

void a_log_that_several_make_at_once_is_made_once(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 12; round++) {
		struct sl_wal_opts opts = wal_test_opts();
		const char *path = wal_test_path();
		struct sl_ring *ring;
		struct sl_wal *wal;
		int go[2], status;

		assert_int_equal(pipe(go), 0);
		for (unsigned char who = 1; who <= MAKERS; who++) {
			pid_t child = fork();

			assert_true(child >= 0);
			if (!child) {
				close(go[1]);
				append_when_free(path, who, go[0]);
			}
		}
		close(go[0]);
		close(go[1]);
		for (unsigned i = 0; i < MAKERS; i++) {
			assert_true(wait(&status) > 0);
			assert_int_equal(status, 0);
		}
		ring = wal_test_ring();
		wal = wal_test_open(ring, path, &opts);
		assert_int_equal(count_records(wal), MAKERS);
		sl_wal_close(wal);
		sl_ring_close(ring);
	}
}

void a_log_goes_through_the_page_cache_if_asked(void **state)
{
	struct sl_wal_opts opts = wal_test_opts();
	struct sl_ring *ring = wal_test_ring();
	const char *path = wal_test_path();
	struct sl_wal *wal;

	(void)state;
	opts.flags |= SL_WAL_BUFFERED;
	wal = wal_test_open(ring, path, &opts);
	for (unsigned i = 0; i < 50; i++)
		wal_test_append(ring, wal, i, 2000);
	assert_int_equal(sl_wal_flush(wal), 0);
	sl_wal_close(wal);
	wal = wal_test_open(ring, path, &opts);
	assert_int_equal(wal_test_read(wal, 0, 0, 2000), 50);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

/* ---- commits ------------------------------------------------------------------------ */

struct committer {
	struct sl_wal_wait wait;
	unsigned rounds;
	unsigned told;
	uint64_t *next_nr;
};

static void commit_again(struct sl_wal *wal, struct sl_wal_wait *wait)
{
	struct committer *me = wait->user;
	unsigned char bytes[256];
	uint32_t len;

	assert_int_equal(wait->res, 0);
	assert_true(wal_test_info(wal).durable_lsn > wait->lsn);
	me->told++;
	if (!me->rounds--)
		return;
	len = wal_test_record((*me->next_nr)++, 200, bytes);
	assert_int_equal(sl_wal_append(wal, bytes, len, &wait->lsn), 0);
	assert_int_equal(sl_wal_commit(wal, wait), 0);
}

void many_committers_share_one_write(void **state)
{
	struct sl_wal_opts opts = wal_test_opts();
	struct sl_ring *ring = wal_test_ring();
	struct committer committers[64] = { 0 };
	struct sl_wal_info info;
	uint64_t nr = 0;
	struct sl_wal *wal;

	(void)state;
	opts.segment_bytes = 1 << 20;
	opts.buffer_bytes = 65536;
	wal = wal_test_open(ring, wal_test_path(), &opts);
	for (unsigned i = 0; i < 64; i++) {
		unsigned char bytes[256];
		uint32_t len = wal_test_record(nr++, 200, bytes);
		struct committer *me = &committers[i];

		me->rounds = 9;
		me->next_nr = &nr;
		me->wait.done = commit_again;
		me->wait.user = me;
		assert_int_equal(sl_wal_append(wal, bytes, len, &me->wait.lsn), 0);
		assert_int_equal(sl_wal_commit(wal, &me->wait), 0);
	}
	while (wal_test_info(wal).commits < 640)
		assert_true(sl_ring_run(ring, 0) >= 0);
	info = wal_test_info(wal);
	/* One for the epoch, one for the first committer, one for each round of the others. */
	assert_true(info.writes <= 2 + 2 * 10);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(committers[i].told, 10);
	assert_int_equal(wal_test_read(wal, 0, 0, 200), 640);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

static void count(struct sl_wal *wal, struct sl_wal_wait *wait)
{
	(void)wal;
	assert_int_equal(wait->res, 0);
	(*(unsigned *)wait->user)++;
}

void a_single_committer_is_never_held_back(void **state)
{
	struct sl_wal_opts opts = wal_test_opts();
	struct sl_ring *ring = wal_test_ring();
	struct sl_wal *wal;
	unsigned told = 0;

	(void)state;
	opts.commit_delay_ns = 1000000000;
	wal = wal_test_open(ring, wal_test_path(), &opts);
	for (unsigned i = 0; i < 20; i++) {
		struct sl_wal_wait wait = { .done = count, .user = &told };

		wait.lsn = wal_test_append(ring, wal, i, 100);
		assert_int_equal(sl_wal_commit(wal, &wait), 0);
		while (told == i)
			assert_true(sl_ring_run(ring, 0) >= 0);
	}
	assert_int_equal(wal_test_info(wal).delays, 0);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

void a_commit_waits_for_those_who_came_lately_but_not_for_ever(void **state)
{
	struct sl_wal_opts opts = wal_test_opts();
	struct sl_ring *ring = wal_test_ring();
	struct sl_wal_wait waits[8];
	struct sl_wal *wal;
	unsigned told = 0;
	int64_t begun;

	(void)state;
	opts.commit_delay_ns = 20000000;
	wal = wal_test_open(ring, wal_test_path(), &opts);
	memset(waits, 0, sizeof(waits));
	for (unsigned i = 0; i < 8; i++) {
		waits[i].done = count;
		waits[i].user = &told;
		waits[i].lsn = wal_test_append(ring, wal, i, 100);
		assert_int_equal(sl_wal_commit(wal, &waits[i]), 0);
	}
	while (told < 8)
		assert_true(sl_ring_run(ring, 0) >= 0);
	begun = sl_ring_clock(ring);
	waits[0].lsn = wal_test_append(ring, wal, 8, 100);
	assert_int_equal(sl_wal_commit(wal, &waits[0]), 0);
	while (told < 9)
		assert_true(sl_ring_run(ring, 0) >= 0);
	assert_true(sl_ring_clock(ring) - begun >= 20000000);
	assert_int_equal(wal_test_info(wal).delays, 1);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

void commits_are_checked(void **state)
{
	struct sl_ring *ring = wal_test_ring();
	struct sl_wal *wal = wal_test_open(ring, wal_test_path(), NULL);
	unsigned told = 0;
	struct sl_wal_wait wait = { .done = count, .user = &told };

	(void)state;
	assert_int_equal(sl_wal_commit(wal, &wait), -EINVAL);
	wait.lsn = wal_test_info(wal).tail_lsn;
	assert_int_equal(sl_wal_commit(wal, &wait), -EINVAL);
	wait.lsn = wal_test_append(ring, wal, 0, 100);
	wait.done = NULL;
	assert_int_equal(sl_wal_commit(wal, &wait), -EINVAL);
	wait.done = count;
	assert_int_equal(sl_wal_commit(wal, &wait), 0);
	assert_int_equal(sl_wal_commit(wal, &wait), -EINVAL);
	assert_int_equal(sl_wal_flush(wal), 0);
	assert_int_equal(told, 1);
	assert_int_equal(sl_wal_commit(wal, &wait), 1);
	assert_int_equal(told, 1);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

void closing_waits_for_commits_that_were_asked_for(void **state)
{
	struct sl_ring *ring = wal_test_ring();
	const char *path = wal_test_path();
	struct sl_wal *wal = wal_test_open(ring, path, NULL);
	unsigned told = 0;
	struct sl_wal_wait wait = { .done = count, .user = &told };

	(void)state;
	wait.lsn = wal_test_append(ring, wal, 0, 100);
	assert_int_equal(sl_wal_commit(wal, &wait), 0);
	sl_wal_close(wal);
	assert_int_equal(told, 1);
	wal = wal_test_open(ring, path, NULL);
	assert_int_equal(wal_test_read(wal, 0, 0, 100), 1);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

void buffers_are_bounded_and_room_is_told(void **state)
{
	struct sl_wal_opts opts = wal_test_opts();
	struct sl_ring *ring = wal_test_ring();
	unsigned char bytes[SMALL_BUFFER / 2] = { 0 };
	unsigned told = 0, accepted = 0;
	struct sl_wal_wait wait = { .done = count, .user = &told };
	struct sl_wal *wal;

	(void)state;
	opts.segment_bytes = 1 << 20;
	opts.buffers = 2;
	wal = wal_test_open(ring, wal_test_path(), &opts);
	while (sl_wal_append(wal, bytes, sizeof(bytes), NULL) == 0)
		accepted++;
	assert_in_range(accepted, 2, 4);
	assert_int_equal(sl_wal_append(wal, bytes, sizeof(bytes), NULL), -EAGAIN);
	assert_int_equal(sl_wal_room(wal, &wait), 0);
	assert_int_equal(told, 0);
	while (!told)
		assert_true(sl_ring_run(ring, 0) >= 0);
	assert_int_equal(sl_wal_append(wal, bytes, sizeof(bytes), NULL), 0);
	sl_wal_close(wal);
	sl_ring_close(ring);
}
