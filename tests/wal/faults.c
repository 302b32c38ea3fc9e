/* faults.c: the first write or sync that fails ends the log, whichever it is; a full disk does not.
 */
#include "tests.h"

#include <stdlib.h>
#include <unistd.h>

#include "engine/backend.h"
#include "tests/file/fault.h"

struct plan {
	unsigned code;	/* SL_OP_WRITE, SL_OP_FDATASYNC or SL_OP_FSYNC */
	unsigned skip;	/* how many of them pass first */
	int64_t answer; /* instead of the one after them */
	unsigned struck;
};

static int64_t judge(struct fault *fault, struct sl_slot *slot, unsigned nr)
{
	struct plan *plan = fault->user;

	(void)nr;
	if (slot->code != plan->code || plan->struck)
		return FAULT_PASS;
	if (plan->skip) {
		plan->skip--;
		return FAULT_PASS;
	}
	plan->struck++;
	return plan->answer;
}

static void note(struct sl_wal *wal, struct sl_wal_wait *wait)
{
	(void)wal;
	*(int *)wait->user = wait->res;
}

/* Appends and commits until the log fails; how many were acknowledged. */
static uint64_t append_until_failed(struct sl_ring *ring, struct sl_wal *wal, int *ret_err)
{
	for (uint64_t nr = 0;; nr++) {
		unsigned char bytes[2048];
		uint32_t len = wal_test_record(nr, 1500, bytes);
		struct sl_wal_wait wait = { .done = note, .user = ret_err };
		int rc;

		while ((rc = sl_wal_append(wal, bytes, len, &wait.lsn)) == -EAGAIN)
			assert_true(sl_ring_run(ring, 0) >= 0);
		*ret_err = rc;
		if (rc < 0)
			return nr;
		*ret_err = 1;
		assert_int_equal(sl_wal_commit(wal, &wait), 0);
		while (*ret_err == 1)
			assert_true(sl_ring_run(ring, 0) >= 0);
		if (*ret_err < 0)
			return nr;
		assert_true(nr < 500);
	}
}

/* Every call answers the first error from now on. */
static void expect_poison(struct sl_ring *ring, struct sl_wal *wal, int err)
{
	struct sl_wal_wait wait = { .lsn = SMALL_SEGMENT + 4096, .done = note };

	while (sl_ring_inflight(ring))
		assert_true(sl_ring_run(ring, 0) >= 0);
	assert_int_equal(wal_test_info(wal).error, err);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(sl_wal_append(wal, "x", 1, NULL), err);
		assert_int_equal(sl_wal_commit(wal, &wait), err);
		assert_int_equal(sl_wal_flush(wal), err);
		assert_int_equal(sl_wal_room(wal, &wait), err);
		assert_int_equal(sl_wal_truncate(wal, 0), err);
		assert_true(sl_ring_run(ring, SL_RING_POLL) >= 0);
	}
}

static void fail_one(unsigned code, unsigned skip, int64_t answer)
{
	struct fault *fault = calloc(1, sizeof(*fault));
	struct plan plan = { .code = code, .skip = skip, .answer = answer };
	const char *path = wal_test_path();
	struct sl_wal *wal = NULL;
	struct sl_wal_opts opts = wal_test_opts();
	struct sl_ring *ring;
	uint64_t acked, nr;
	unsigned writes;
	int err = 0;

	assert_non_null(fault);
	fault->user = &plan;
	ring = fault_ring(fault);
	opts.segments_max = 500;
	wal = wal_test_open(ring, path, &opts);
	fault->judge = judge;
	acked = append_until_failed(ring, wal, &err);
	assert_int_equal(plan.struck, 1);
	assert_int_equal(err, answer);
	expect_poison(ring, wal, (int)answer);
	writes = fault_count(fault, SL_OP_WRITE);
	expect_poison(ring, wal, (int)answer);
	assert_int_equal(fault_count(fault, SL_OP_WRITE), writes);
	sl_wal_close(wal);
	fault->judge = NULL;
	wal = wal_test_open(ring, path, &opts);
	nr = wal_test_read(wal, 0, 0, 1500);
	assert_in_range(nr, acked, acked + 1);
	sl_wal_close(wal);
	sl_ring_close(ring);
	free(fault);
}

void any_failed_write_ends_the_log_with_its_error(void **state)
{
	(void)state;
	for (unsigned skip = 0; skip < 30; skip++)
		fail_one(SL_OP_WRITE, skip, skip % 2 ? -EIO : -ENODATA);
}

void a_failed_sync_ends_the_log_with_its_error(void **state)
{
	(void)state;
	fail_one(SL_OP_FDATASYNC, 0, -EIO);
	fail_one(SL_OP_FDATASYNC, 2, -EIO);
}

/* Growing writes zeros without SL_OP_DSYNC. */
static int64_t no_space(struct fault *fault, struct sl_slot *slot, unsigned nr)
{
	(void)fault;
	(void)nr;
	if (slot->code == SL_OP_WRITE && !(slot->flags & SL_OP_DSYNC))
		return -ENOSPC;
	return FAULT_PASS;
}

void a_full_disk_is_told_and_forgiven(void **state)
{
	struct fault *fault = calloc(1, sizeof(*fault));
	struct sl_wal_opts opts = wal_test_opts();
	const char *path = wal_test_path();
	struct sl_wal *wal = NULL;
	struct sl_ring *ring;
	uint64_t accepted;
	int err = 0;

	(void)state;
	assert_non_null(fault);
	ring = fault_ring(fault);
	opts.segments_max = 500;
	wal = wal_test_open(ring, path, &opts);
	fault->judge = no_space;
	accepted = append_until_failed(ring, wal, &err);
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(wal_test_info(wal).error, 0);
	assert_int_equal(sl_wal_flush(wal), 0);
	assert_int_equal(wal_test_read(wal, 0, 0, 1500), accepted);
	/* Somebody makes room. */
	fault->judge = NULL;
	for (uint64_t nr = 0; nr < 100; nr++) {
		char bytes[1500] = { 0 };
		int rc;

		while ((rc = sl_wal_append(wal, bytes, sizeof(bytes), NULL)) == -EAGAIN ||
		       rc == -ENOSPC)
			assert_true(sl_ring_run(ring, 0) >= 0);
		assert_int_equal(rc, 0);
	}
	assert_int_equal(sl_wal_flush(wal), 0);
	assert_int_equal(wal_test_info(wal).records, accepted + 100);
	sl_wal_close(wal);
	sl_ring_close(ring);
	free(fault);
}

static unsigned first_of(const struct fault *fault, unsigned code)
{
	unsigned nr = 0;

	while (nr < fault->nr && fault->log[nr].code != code)
		nr++;
	assert_true(nr < fault->nr);
	return nr;
}

/* A writer that was killed may have left records that only the page cache has: what
 * recovery then counts on must not go with the power. */
void opening_makes_durable_what_it_is_going_to_read(void **state)
{
	struct fault *fault = calloc(1, sizeof(*fault));
	const char *path = wal_test_path();
	struct sl_wal_opts opts = wal_test_opts();
	struct sl_ring *ring;
	unsigned read;

	(void)state;
	assert_non_null(fault);
	ring = fault_ring(fault);
	sl_wal_close(wal_test_open(ring, path, &opts));
	fault->nr = 0;
	sl_wal_close(wal_test_open(ring, path, &opts));
	read = first_of(fault, SL_OP_READ);
	assert_true(first_of(fault, SL_OP_FSYNC) < read);
	assert_true(first_of(fault, SL_OP_SYNC_DIR) < read);
	sl_ring_close(ring);
	free(fault);
}

struct step {
	unsigned nr;
	int64_t answer;
};

static int64_t fail_step(struct fault *fault, struct sl_slot *slot, unsigned nr)
{
	struct step *step = fault->user;

	return nr == step->nr && slot->code != SL_OP_CLOSE ? step->answer : FAULT_PASS;
}

/* Opens with the nr-th operation failing, then as it should; whether it came to it. */
static bool fail_opening(struct sl_ring *ring, struct fault *fault, const char *path, unsigned nr)
{
	struct sl_wal_opts opts = wal_test_opts();
	struct step step = { .nr = nr, .answer = -EIO };
	struct sl_wal *wal = NULL;
	bool reached;

	fault->user = &step;
	fault->judge = fail_step;
	fault->nr = 0;
	if (sl_wal_open(ring, AT_FDCWD, path, &opts, &wal) == 0)
		sl_wal_close(wal);
	reached = fault->nr > nr;
	fault->judge = NULL;
	assert_int_equal(sl_ring_inflight(ring), 0);
	wal = wal_test_open(ring, path, &opts);
	assert_int_equal(wal_test_read(wal, 0, 0, 100), 0);
	sl_wal_close(wal);
	return reached;
}

void opening_fails_at_every_step_without_harm(void **state)
{
	struct fault *fault = calloc(1, sizeof(*fault));
	const char *path = wal_test_path();
	struct sl_ring *ring;
	unsigned nr;

	(void)state;
	assert_non_null(fault);
	ring = fault_ring(fault);
	for (nr = 0; fail_opening(ring, fault, path, nr); nr++)
		assert_int_equal(unlink(path), 0);
	assert_true(nr > 20);
	for (nr = 0; fail_opening(ring, fault, path, nr); nr++) {
		assert_int_equal(unlink(path), 0);
		sl_wal_close(wal_test_open(ring, path, NULL));
	}
	assert_true(nr > 10);
	sl_ring_close(ring);
	free(fault);
}
