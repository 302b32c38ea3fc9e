/*
 * faults.c: what sl_file says when the device fails, on the file system of $SLUICE_VM_FS.
 *
 * The first disk fails by device mapper tables that are changed under the mounted
 * file system, the last one by QEMU (its first flush fails), scsi_debug by itself.
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

#define DISK   "/dev/vda"
#define FOLDER "/tmp/faulty"
#define DATA   FOLDER "/data"
#define BLOCK  4096

struct world {
	struct sl_ring *ring;
	struct sl_file *file;
	unsigned char *block;
	uint64_t sectors;
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

/* A file of one block of 'O' that is on the disk for certain. */
static void world_up(struct world *w, unsigned io)
{
	const char *fs = file_system();

	w->sectors = mapper_sectors(DISK);
	assert_int_equal(posix_memalign((void **)&w->block, BLOCK, BLOCK), 0);
	memset(w->block, 'O', BLOCK);
	mapper_create("faulty", "0 %llu linear " DISK " 0\n", (unsigned long long)w->sectors);
	mapper_format(fs, "/dev/mapper/faulty");
	assert_int_equal(mapper_mount(fs, "/dev/mapper/faulty", FOLDER), 0);
	open_file(w, DATA, O_RDWR | O_CREAT, io);
	assert_int_equal(transfer(w, SL_FILE_WRITE, 0), BLOCK);
	assert_int_equal(sync_file(w), 0);
	mapper_run("sync");
	memset(w->block, 'N', BLOCK);
}

static void writes_fail(const struct world *w)
{
	mapper_switch("faulty", "0 %llu flakey " DISK " 0 0 3600 1 error_writes\n",
		      (unsigned long long)w->sectors);
}

static void healthy(const struct world *w)
{
	mapper_switch("faulty", "0 %llu linear " DISK " 0\n", (unsigned long long)w->sectors);
}

static void world_down(struct world *w)
{
	close_file(w);
	free(w->block);
	mapper_unmount(FOLDER);
	mapper_remove("faulty");
}

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
	world_up(&w, SL_FILE_BUFFERED);
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
	world_down(&w);
}

static void a_failed_dsync_write_is_final(void **state)
{
	struct world w;
	int64_t res;

	(void)state;
	world_up(&w, SL_FILE_DIRECT);
	writes_fail(&w);
	res = transfer(&w, SL_FILE_WRITE, SL_FILE_DSYNC);
	assert_int_equal(res, -EIO);
	assert_poisoned(&w, (int)res);
	healthy(&w);
	assert_poisoned(&w, (int)res);
	world_down(&w);
}

static void a_failed_flush_is_final(void **state)
{
	struct world w = { 0 };
	const char *device = getenv("SLUICE_VM_FLUSH_FAILS");

	(void)state;
	if (!device)
		SKIP("no disk whose first flush fails: SLUICE_VM_FLUSH_FAILS is not set");
	assert_int_equal(posix_memalign((void **)&w.block, BLOCK, BLOCK), 0);
	memset(w.block, 'N', BLOCK);
	open_file(&w, device, O_RDWR, SL_FILE_DIRECT);
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
	mapper_create("holed",
		      "0 2058 linear " DISK " 0\n2058 1 error\n2059 2037 linear " DISK " 2059\n");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_failed_sync_is_final_though_the_kernel_forgets_it),
		TEST(a_failed_dsync_write_is_final),
		TEST(a_failed_flush_is_final),
		TEST(a_read_says_how_far_an_error_segment_is_good),
		TEST(a_read_says_how_far_a_bad_medium_is_good),
	};

	return RUN_TESTS(tests);
}
