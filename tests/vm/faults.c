/*
 * faults.c: what files and logs say when the device fails, on the file system of $SLUICE_VM_FS.
 *
 * The first disk fails by device mapper tables that are changed under the mounted
 * file system. Of the others QEMU lets one flush fail, for which device mapper is
 * no help: it forgets the error of a flush that comes with a write, as a journal's
 * commit does. scsi_debug has a bad medium by itself.
 *
 * A trial does one thing again and again until it fails. Then the device is made
 * healthy, the file system mounted anew, and looked at what a reopening finds.
 */
#include "tests/vm/mapper.h"

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/file.h>
#include <sluice/ring.h>
#include <sluice/wal.h>

#define FOLDER "/tmp/faulty"
#define DATA   FOLDER "/data"
#define LOG    FOLDER "/log"
#define BLOCK  4096
#define ACKED  5   /* rounds before device mapper lets something fail */
#define ROUNDS 250 /* within which a flush of the disk fails by itself */

struct world {
	struct sl_ring *ring;
	struct sl_file *file;
	struct sl_wal *wal;
	unsigned char *block;
	const char *device; /* of the file system */
	uint64_t sectors;
	uint64_t lsn; /* of the last record */
};

static const char *file_system(void)
{
	const char *fs = getenv("SLUICE_VM_FS");

	if (!fs)
		SKIP("no disks to break: SLUICE_VM_FS is not set, see tests/vm/README.md");
	return fs;
}

static void open_file(struct world *w, const char *path, unsigned open_flags, unsigned io)
{
	const struct sl_file_opts opts = { .open_flags = open_flags, .io = io };

	assert_int_equal(sl_ring_open(NULL, &w->ring), 0);
	assert_int_equal(sl_file_open(w->ring, AT_FDCWD, path, &opts, &w->file), 0);
}

static void close_file(struct world *w)
{
	sl_file_close(w->file);
	sl_ring_close(w->ring);
}

static int64_t transfer(struct world *w, enum sl_file_code code, unsigned flags)
{
	struct sl_file_req req = { .buf = w->block, .len = BLOCK, .flags = flags };

	return sl_file_do(w->file, code, &req);
}

static int64_t sync_file(struct world *w)
{
	struct sl_file_req req = { 0 };

	return sl_file_do(w->file, SL_FILE_SYNC, &req);
}

/* An empty file system on a disk that is healthy; the first one lies under device mapper. */
static void mount_up(struct world *w, unsigned disk)
{
	const char *fs = file_system();

	w->sectors = mapper_sectors(mapper_disk(0));
	if (disk == 0)
		mapper_create("faulty", "0 %llu linear %s 0\n", (unsigned long long)w->sectors,
			      mapper_disk(0));
	w->device = disk ? mapper_disk(disk) : "/dev/mapper/faulty";
	mapper_format(fs, w->device);
	assert_int_equal(mapper_mount(fs, w->device, FOLDER), 0);
}

static void mount_anew(const struct world *w)
{
	mapper_unmount(FOLDER);
	assert_int_equal(mapper_mount(file_system(), w->device, FOLDER), 0);
}

static void mount_down(const struct world *w)
{
	mapper_unmount(FOLDER);
	if (strncmp(w->device, "/dev/mapper/", 12) == 0)
		mapper_remove("faulty");
}

/* A file of one block of 'O' that is on the disk for certain. */
static void world_up(struct world *w, unsigned disk, unsigned io)
{
	mount_up(w, disk);
	assert_int_equal(posix_memalign((void **)&w->block, BLOCK, BLOCK), 0);
	memset(w->block, 'O', BLOCK);
	open_file(w, DATA, O_RDWR | O_CREAT, io);
	assert_int_equal(transfer(w, SL_FILE_WRITE, 0), BLOCK);
	assert_int_equal(sync_file(w), 0);
	sync();
	memset(w->block, 'N', BLOCK);
}

/* Opened again the file is no longer poisoned; what it holds is on the disk. */
static char reopened_byte(struct world *w)
{
	close_file(w);
	mount_anew(w);
	open_file(w, DATA, O_RDWR, SL_FILE_DIRECT);
	assert_int_equal(sl_file_poison(w->file), 0);
	assert_int_equal(transfer(w, SL_FILE_READ, 0), BLOCK);
	for (unsigned i = 0; i < BLOCK; i++)
		assert_int_equal(w->block[i], w->block[0]);
	return (char)w->block[0];
}

static void world_down(struct world *w)
{
	close_file(w);
	free(w->block);
	mount_down(w);
}

/* ---- ways to fail ---------------------------------------------------------------------- */

static void flakey(const struct world *w, const char *how)
{
	mapper_switch("faulty", "0 %llu flakey %s 0 0 3600 1 %s\n", (unsigned long long)w->sectors,
		      mapper_disk(0), how);
}

static void writes_fail(const struct world *w)
{
	flakey(w, "error_writes");
}

/* Nobody hears of it. */
static void writes_vanish(const struct world *w)
{
	flakey(w, "drop_writes");
}

static void all_fails(const struct world *w)
{
	mapper_switch("faulty", "0 %llu error\n", (unsigned long long)w->sectors);
}

static void healthy(const struct world *w)
{
	if (strncmp(w->device, "/dev/mapper/", 12) != 0)
		return;
	mapper_switch("faulty", "0 %llu linear %s 0\n", (unsigned long long)w->sectors,
		      mapper_disk(0));
}

/* What goes wrong in a trial, on which disk. */
struct failure {
	const char *name;
	void (*begin)(const struct world *w); /* NULL: the disk does it by itself */
	unsigned disk;
};

static const struct failure writes = { "writes fail", writes_fail, 0 };
static const struct failure everything = { "all fails", all_fails, 0 };

/* A disk for each trial: one flush of each fails. */
static const struct failure flush_of_file = { "a flush fails", NULL, 2 };
static const struct failure flush_of_replace = { "a flush fails", NULL, 3 };
static const struct failure flush_of_log = { "a flush fails", NULL, 4 };

/* Does something for rounds 1, 2, ... until it fails: the round. It ends with a healthy device. */
static unsigned fail_in_round(struct world *w, const struct failure *failure,
			      int (*act)(struct world *w, unsigned round), int *ret_err)
{
	for (unsigned round = 1; round <= ROUNDS; round++) {
		if (failure->begin && round == ACKED + 1)
			failure->begin(w);
		*ret_err = act(w, round);
		if (*ret_err < 0)
			return round;
	}
	fail_msg("%s, and nobody heard of it in %d rounds", failure->name, ROUNDS);
	return 0;
}

/* The failed round may be on the disk if only its flush failed; nobody promised either. */
static void assert_last_round(const struct failure *failure, unsigned failed, unsigned found)
{
	printf("# %s in round %u: the disk has round %u\n", failure->name, failed, found);
	assert_true(found == failed - 1 || (found == failed && !failure->begin));
}

/* ---- files ------------------------------------------------------------------------------ */

/* The first byte of the file by another descriptor. */
static char first_byte(void)
{
	int fd = open(DATA, O_RDONLY | O_CLOEXEC);
	char first = 0;

	assert_true(fd >= 0);
	assert_int_equal(read(fd, &first, 1), 1);
	close(fd);
	return first;
}

static void assert_poisoned(struct world *w, int err)
{
	assert_int_equal(sl_file_poison(w->file), err);
	assert_int_equal(sync_file(w), err);
	assert_int_equal(transfer(w, SL_FILE_WRITE, 0), err);
	assert_int_equal(transfer(w, SL_FILE_WRITE, SL_FILE_DSYNC), err);
}

static void a_failed_sync_is_final_though_the_kernel_forgets_it(void **state)
{
	struct world w;

	(void)state;
	world_up(&w, 0, SL_FILE_BUFFERED);
	writes_fail(&w);
	assert_int_equal(transfer(&w, SL_FILE_WRITE, 0), BLOCK);
	assert_int_equal(sync_file(&w), -EIO);
	assert_poisoned(&w, -EIO);
	healthy(&w);
	/* The kernel has told its one error, and now says that all is well. */
	assert_int_equal(fsync(sl_file_fd(w.file)), 0);
	assert_poisoned(&w, -EIO);
	/* btrfs may drop the page. */
	printf("# after the failure the page cache has %c\n", first_byte());
	if (strcmp(file_system(), "btrfs") != 0)
		assert_int_equal(first_byte(), 'N');
	mapper_run("echo 3 >/proc/sys/vm/drop_caches");
	assert_int_equal(first_byte(), 'O');
	assert_int_equal(reopened_byte(&w), 'O');
	world_down(&w);
}

static int write_and_sync(struct world *w, unsigned round)
{
	memset(w->block, (int)round, BLOCK);
	assert_int_equal(transfer(w, SL_FILE_WRITE, 0), BLOCK);
	return (int)sync_file(w);
}

/* Some file systems refuse all after it, others say that all is well. */
static void expect_final(const struct failure *failure)
{
	struct world w;
	unsigned round;
	int err, later;

	world_up(&w, failure->disk, SL_FILE_BUFFERED);
	round = fail_in_round(&w, failure, write_and_sync, &err);
	assert_int_equal(err, -EIO);
	assert_poisoned(&w, err);
	healthy(&w);
	later = fsync(sl_file_fd(w.file)) < 0 ? -errno : 0;
	printf("# %s: later the kernel's own fsync says %s\n", failure->name,
	       later ? sl_err_name(later) : "that all is well");
	assert_poisoned(&w, err);
	assert_last_round(failure, round, (unsigned char)reopened_byte(&w));
	world_down(&w);
}

static void a_failed_flush_under_a_file_system_is_final(void **state)
{
	(void)state;
	expect_final(&flush_of_file);
}

static void a_device_that_was_gone_for_a_while_is_final(void **state)
{
	(void)state;
	expect_final(&everything);
}

/* The one failure that no program can see: the device says yes. The page cache shows what is
 * not there; only reading the disk tells. */
static void a_device_that_drops_writes_is_believed_until_it_is_read(void **state)
{
	struct world w;

	(void)state;
	world_up(&w, 0, SL_FILE_BUFFERED);
	writes_vanish(&w);
	assert_int_equal(transfer(&w, SL_FILE_WRITE, 0), BLOCK);
	assert_int_equal(sync_file(&w), 0);
	assert_int_equal(sl_file_poison(w.file), 0);
	assert_int_equal(first_byte(), 'N');
	close_file(&w);
	mapper_unmount(FOLDER);
	healthy(&w);
	assert_int_equal(mapper_mount(file_system(), w.device, FOLDER), 0);
	open_file(&w, DATA, O_RDWR, SL_FILE_DIRECT);
	assert_int_equal(reopened_byte(&w), 'O');
	world_down(&w);
}

static int replace(struct world *w, unsigned round)
{
	memset(w->block, (int)round, BLOCK);
	return sl_file_replace(w->ring, AT_FDCWD, DATA, w->block, BLOCK, NULL);
}

static void expect_one_of_two(const struct failure *failure)
{
	struct world w;
	unsigned round;
	int err;

	world_up(&w, failure->disk, SL_FILE_BUFFERED);
	round = fail_in_round(&w, failure, replace, &err);
	healthy(&w);
	assert_last_round(failure, round, (unsigned char)reopened_byte(&w));
	world_down(&w);
}

static void a_replacement_that_fails_says_so_and_leaves_one_of_the_two(void **state)
{
	(void)state;
	expect_one_of_two(&writes);
	expect_one_of_two(&everything);
	expect_one_of_two(&flush_of_replace);
}

static void a_failed_dsync_write_is_final(void **state)
{
	struct world w;
	int64_t res;

	(void)state;
	world_up(&w, 0, SL_FILE_DIRECT);
	writes_fail(&w);
	res = transfer(&w, SL_FILE_WRITE, SL_FILE_DSYNC);
	assert_int_equal(res, -EIO);
	assert_poisoned(&w, (int)res);
	healthy(&w);
	assert_poisoned(&w, (int)res);
	assert_int_equal(reopened_byte(&w), 'O');
	world_down(&w);
}

static void a_failed_flush_of_a_device_is_final(void **state)
{
	struct world w = { 0 };

	(void)state;
	assert_int_equal(posix_memalign((void **)&w.block, BLOCK, BLOCK), 0);
	memset(w.block, 'N', BLOCK);
	open_file(&w, mapper_disk(1), O_RDWR, SL_FILE_DIRECT);
	assert_int_equal(transfer(&w, SL_FILE_WRITE, 0), BLOCK);
	assert_int_equal(sync_file(&w), -EIO);
	assert_poisoned(&w, -EIO);
	assert_int_equal(fsync(sl_file_fd(w.file)), 0);
	assert_poisoned(&w, -EIO);
	close_file(&w);
	free(w.block);
}

/* Reads 64 KiB with one bad sector in it. */
static void assert_good_up_to(const char *device, uint64_t off, uint64_t bad, int err)
{
	struct world w;
	struct sl_file_req req = { .len = 65536, .off = off };
	int64_t res;

	assert_int_equal(posix_memalign(&req.buf, BLOCK, req.len), 0);
	open_file(&w, device, O_RDONLY, SL_FILE_DIRECT);
	res = sl_file_do(w.file, SL_FILE_READ, &req);
	printf("# %s: %s, %llu bytes good\n", device, sl_err_name((int)res),
	       (unsigned long long)req.done_len);
	assert_int_equal(res, err);
	assert_int_equal(req.done_len, bad - off);
	close_file(&w);
	free(req.buf);
}

static void a_read_says_how_far_an_error_segment_is_good(void **state)
{
	(void)state;
	file_system();
	mapper_create("holed", "0 2058 linear %s 0\n2058 1 error\n2059 2037 linear %s 2059\n",
		      mapper_disk(0), mapper_disk(0));
	assert_good_up_to("/dev/mapper/holed", 2048 * 512, 2058 * 512, -EIO);
	mapper_remove("holed");
}

static void a_read_says_how_far_a_bad_medium_is_good(void **state)
{
	char device[32];
	glob_t found;

	(void)state;
	file_system();
	mapper_run("modprobe sd_mod && modprobe scsi_debug dev_size_mb=16 delay=0 opts=2 "
		   "medium_error_start=2058 medium_error_count=1");
	mapper_run("for i in 1 2 3 4 5 6 7 8 9; do"
		   " ls /dev/sda >/dev/null 2>&1 && break; sleep 1; done");
	assert_int_equal(glob("/sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/block/*",
			      0, NULL, &found),
			 0);
	snprintf(device, sizeof(device), "/dev/%s", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	assert_good_up_to(device, 2048 * 512, 2058 * 512, -ENODATA);
}

/* ---- logs ------------------------------------------------------------------------------- */

static void open_log(struct world *w)
{
	const struct sl_wal_opts opts = {
		.flags = SL_WAL_CREATE, .buffer_bytes = 16384, .segment_bytes = 65536, .log_id = 7
	};

	assert_int_equal(sl_ring_open(NULL, &w->ring), 0);
	assert_int_equal(sl_wal_open(w->ring, AT_FDCWD, LOG, &opts, &w->wal), 0);
}

static void close_log(struct world *w)
{
	sl_wal_close(w->wal);
	sl_ring_close(w->ring);
}

/* Record nr is nr a hundred times. */
static int append(struct sl_wal *wal, unsigned nr, uint64_t *ret_lsn)
{
	unsigned char record[100];

	memset(record, (int)nr, sizeof(record));
	return sl_wal_append(wal, record, sizeof(record), ret_lsn);
}

static int append_and_flush(struct world *w, unsigned round)
{
	assert_int_equal(append(w->wal, round, &w->lsn), 0);
	return sl_wal_flush(w->wal);
}

static void assert_log_failed(struct world *w, int err)
{
	struct sl_wal_wait wait = { .lsn = w->lsn, .done = (sl_wal_fn *)abort };
	struct sl_wal_info info;

	sl_wal_info(w->wal, &info);
	assert_int_equal(info.error, err);
	assert_int_equal(append(w->wal, 0, NULL), err);
	assert_int_equal(sl_wal_flush(w->wal), err);
	assert_int_equal(sl_wal_commit(w->wal, &wait), err);
}

/* How many records there are; each is whole and in its place. */
static unsigned count_records(struct sl_wal *wal)
{
	struct sl_wal_reader *reader = NULL;
	struct sl_wal_record record;
	unsigned nr = 0;
	int err;

	assert_int_equal(sl_wal_reader_open(wal, NULL, &reader), 0);
	while ((err = sl_wal_reader_next(reader, 0, &record)) == 0) {
		assert_int_equal(record.len, 100);
		nr++;
		for (unsigned i = 0; i < record.len; i++)
			assert_int_equal(((const unsigned char *)record.data)[i], nr);
	}
	assert_int_equal(err, -EAGAIN);
	sl_wal_reader_close(reader);
	return nr;
}

static void expect_log_keeps(const struct failure *failure)
{
	struct world w = { 0 };
	unsigned round, found;
	int err;

	mount_up(&w, failure->disk);
	open_log(&w);
	round = fail_in_round(&w, failure, append_and_flush, &err);
	assert_log_failed(&w, err);
	healthy(&w);
	assert_log_failed(&w, err);
	close_log(&w);
	mount_anew(&w);
	open_log(&w);
	found = count_records(w.wal);
	assert_last_round(failure, round, found);
	assert_int_equal(append_and_flush(&w, found + 1), 0);
	close_log(&w);
	mount_down(&w);
}

static void a_log_whose_device_fails_ends_and_keeps_what_it_acknowledged(void **state)
{
	(void)state;
	expect_log_keeps(&writes);
	expect_log_keeps(&everything);
	expect_log_keeps(&flush_of_log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_failed_sync_is_final_though_the_kernel_forgets_it),
		TEST(a_failed_dsync_write_is_final),
		TEST(a_failed_flush_under_a_file_system_is_final),
		TEST(a_device_that_was_gone_for_a_while_is_final),
		TEST(a_device_that_drops_writes_is_believed_until_it_is_read),
		TEST(a_replacement_that_fails_says_so_and_leaves_one_of_the_two),
		TEST(a_log_whose_device_fails_ends_and_keeps_what_it_acknowledged),
		TEST(a_failed_flush_of_a_device_is_final),
		TEST(a_read_says_how_far_an_error_segment_is_good),
		TEST(a_read_says_how_far_a_bad_medium_is_good),
	};

	return RUN_TESTS(tests);
}
