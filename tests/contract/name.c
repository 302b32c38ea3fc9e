/* name.c - OPEN, STAT, LINK, SYMLINK, RENAME, UNLINK, MKDIR, READDIR, xattrs, SYNC_DIR. */
#include "tests/contract/suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct sl_ring *ring;
static int dir;

static void setup(void)
{
	ring = ring_open(8);
	dir = world_dir();
	assert_true(dir >= 0);
}

static int64_t do_open(const char *name, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	const struct sl_open_how how = { flags, mode, resolve };
	struct sl_op op = { 0 };

	return sl_ring_do(ring, sl_op_open(&op, dir, name, &how));
}

static void make(const char *name)
{
	int64_t fd = do_open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600, 0);

	assert_true(fd >= 0);
	world_close((int)fd);
}

static int64_t do_stat(const char *name, struct statx *stx)
{
	struct sl_op op = { 0 };

	return sl_ring_do(ring, sl_op_stat(&op, dir, name, 0, STATX_BASIC_STATS, stx));
}

static void open_creates_and_finds_files(void **state)
{
	struct stat st;
	int64_t fd;

	(void)state;
	setup();
	assert_int_equal(do_open("absent", O_RDONLY | O_CLOEXEC, 0, 0), -ENOENT);
	fd = do_open("new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640, 0);
	assert_true(fd >= 0);
	assert_int_equal(fstat((int)fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640 & ~umask(022));
	assert_int_equal(fcntl((int)fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(do_open("new", O_RDWR | O_CREAT | O_EXCL, 0640, 0), -EEXIST);
	assert_int_equal(do_open("new/below", O_RDONLY, 0, 0), -ENOTDIR);
	sl_ring_close(ring);
}

static void open_refuses_what_openat2_refuses(void **state)
{
	(void)state;
	setup();
	make("plain");
	/* a mode without O_CREAT, an unknown flag: openat2(2) is strict */
	assert_int_equal(do_open("plain", O_RDONLY, 0600, 0), -EINVAL);
	assert_int_equal(do_open("plain", UINT64_C(1) << 62, 0, 0), -EINVAL);
	assert_int_equal(do_open("plain", O_RDONLY, 0, UINT64_C(1) << 40), -EINVAL);
	sl_ring_close(ring);
}

static void open_stays_beneath_when_told_to(void **state)
{
	(void)state;
	setup();
	make("inside");
	assert_int_equal(do_open("../x", O_RDONLY, 0, RESOLVE_BENEATH), -EXDEV);
	assert_int_equal(do_open("/etc", O_RDONLY, 0, RESOLVE_BENEATH), -EXDEV);
	assert_true(do_open("inside", O_RDONLY | O_CLOEXEC, 0, RESOLVE_BENEATH) >= 0);
	sl_ring_close(ring);
}

static void make_fifo(const char *name)
{
	if (mkfifoat(dir, name, 0600) < 0)
		SKIP("no FIFOs on the file system of the tests: %s", strerror(errno));
}

static void opening_a_fifo_never_waits_for_the_other_end(void **state)
{
	int64_t in, out;

	(void)state;
	setup();
	make_fifo("fifo");
	assert_int_equal(do_open("fifo", O_WRONLY | O_CLOEXEC, 0, 0), -ENXIO);
	in = do_open("fifo", O_RDONLY | O_CLOEXEC, 0, 0);
	assert_true(in >= 0);
	out = do_open("fifo", O_WRONLY | O_CLOEXEC, 0, 0);
	assert_true(out >= 0);
	assert_int_equal(fcntl((int)in, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl((int)out, F_GETFL) & O_NONBLOCK, 0);
	sl_ring_close(ring);
}

static void a_fifo_opened_nonblocking_stays_so(void **state)
{
	int64_t in;

	(void)state;
	setup();
	make_fifo("fifo");
	in = do_open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0, 0);
	assert_true(in >= 0);
	assert_int_equal(fcntl((int)in, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	sl_ring_close(ring);
}

static void many_fifo_opens_do_not_hold_up_a_stat(void **state)
{
	enum {
		NR_OPENS = 20
	};
	const struct sl_open_how how = { O_RDONLY | O_CLOEXEC, 0, 0 };
	static struct sl_op ops[NR_OPENS];
	struct sl_op stat = { 0 };
	struct statx stx;

	(void)state;
	setup();
	make_fifo("fifo");
	sl_ring_close(ring);
	ring = ring_open(NR_OPENS + 1);
	for (unsigned i = 0; i < NR_OPENS; i++) {
		ops[i].done = note;
		submit(ring, sl_op_open(&ops[i], dir, "fifo", &how));
	}
	expect_res(ring, sl_op_stat(&stat, dir, "fifo", 0, STATX_MODE, &stx), 0);
	ring_until(ring, &trace.ended, NR_OPENS);
	for (unsigned i = 0; i < NR_OPENS; i++)
		assert_true(ops[i].res >= 0);
	sl_ring_close(ring);
}

static void stat_tells_what_statx_tells(void **state)
{
	struct sl_op op = { 0 };
	struct statx stx, self;
	int64_t fd;

	(void)state;
	setup();
	fd = do_open("told", O_RDWR | O_CREAT | O_CLOEXEC, 0600, 0);
	assert_true(fd >= 0);
	expect_res(ring, sl_op_write(&op, (int)fd, "12345", 5, 0), 5);
	expect_res(ring, sl_op_stat(&op, dir, "told", 0, STATX_SIZE | STATX_INO, &stx), 0);
	assert_int_equal(stx.stx_size, 5);
	expect_res(ring, sl_op_stat(&op, (int)fd, "", AT_EMPTY_PATH, STATX_INO, &self), 0);
	assert_int_equal(stx.stx_ino, self.stx_ino);
	expect_res(ring, sl_op_stat(&op, dir, "absent", 0, STATX_SIZE, &stx), -ENOENT);
	expect_res(ring, sl_op_stat(&op, world_bad_fd(), "x", 0, STATX_SIZE, &stx), -EBADF);
	sl_ring_close(ring);
}

static void names_are_linked_renamed_and_removed(void **state)
{
	struct sl_name_pair pair = { "one", "two", 0, 0 };
	struct sl_op op = { 0 };

	(void)state;
	setup();
	pair.target_dirfd = dir;
	make("one");
	expect_res(ring, sl_op_link(&op, dir, &pair), 0);
	expect_res(ring, sl_op_link(&op, dir, &pair), -EEXIST);
	pair.target = "three";
	expect_res(ring, sl_op_rename(&op, dir, &pair), 0);
	assert_int_equal(do_open("one", O_RDONLY, 0, 0), -ENOENT);
	pair = (struct sl_name_pair){ "two", "three", dir, RENAME_NOREPLACE };
	expect_res(ring, sl_op_rename(&op, dir, &pair), -EEXIST);
	expect_res(ring, sl_op_unlink(&op, dir, "two", 0), 0);
	expect_res(ring, sl_op_unlink(&op, dir, "two", 0), -ENOENT);
	expect_res(ring, sl_op_unlink(&op, dir, "three", 0), 0);
	sl_ring_close(ring);
}

static void a_symbolic_link_points_where_told(void **state)
{
	struct sl_op op = { 0 };
	char target[16] = "";

	(void)state;
	setup();
	expect_res(ring, sl_op_symlink(&op, "nowhere", dir, "pointer"), 0);
	assert_int_equal(readlinkat(dir, "pointer", target, sizeof(target)), 7);
	assert_string_equal(target, "nowhere");
	expect_res(ring, sl_op_symlink(&op, "nowhere", dir, "pointer"), -EEXIST);
	assert_int_equal(do_open("pointer", O_RDONLY, 0, RESOLVE_NO_SYMLINKS), -ELOOP);
	sl_ring_close(ring);
}

static void directories_are_made_and_removed(void **state)
{
	struct sl_op op = { 0 };
	struct statx stx;

	(void)state;
	setup();
	expect_res(ring, sl_op_mkdir(&op, dir, "sub", 0700), 0);
	expect_res(ring, sl_op_mkdir(&op, dir, "sub", 0700), -EEXIST);
	assert_int_equal(do_stat("sub", &stx), 0);
	assert_true(S_ISDIR(stx.stx_mode));
	assert_int_equal(stx.stx_mode & 0777, 0700);
	make("sub/file");
	expect_res(ring, sl_op_unlink(&op, dir, "sub", AT_REMOVEDIR), -ENOTEMPTY);
	expect_res(ring, sl_op_unlink(&op, dir, "sub", 0), -EISDIR);
	expect_res(ring, sl_op_unlink(&op, dir, "sub/file", 0), 0);
	expect_res(ring, sl_op_unlink(&op, dir, "sub", AT_REMOVEDIR), 0);
	sl_ring_close(ring);
}

/* What getdents64(2) fills in. */
struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

static void readdir_names_every_entry_once(void **state)
{
	static char buf[512];
	unsigned seen[50] = { 0 }, dots = 0;
	struct sl_op op = { 0 };
	int64_t n;

	(void)state;
	setup();
	for (unsigned i = 0; i < 50; i++) {
		char name[16];

		snprintf(name, sizeof(name), "entry-%u", i);
		make(name);
	}
	while ((n = sl_ring_do(ring, sl_op_readdir(&op, dir, buf, sizeof(buf)))) > 0) {
		assert_int_equal(op.done_len, n);
		for (int64_t at = 0; at < n;) {
			const struct entry *entry = (const void *)(buf + at);

			if (entry->name[0] == '.')
				dots++;
			else
				seen[atoi(entry->name + 6)]++;
			at += entry->len;
		}
	}
	assert_int_equal(n, 0);
	assert_int_equal(dots, 2);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(seen[i], 1);
	expect_res(ring, sl_op_readdir(&op, world_file(), buf, sizeof(buf)), -ENOTDIR);
	sl_ring_close(ring);
}

static void extended_attributes_are_kept(void **state)
{
	struct sl_op op = { 0 };
	char buf[16] = "";
	int file;
	int64_t rc;

	(void)state;
	setup();
	file = world_file();
	rc = sl_ring_do(ring, sl_op_setxattr(&op, file, "user.colour", "green", 5, 0));
	if (rc == -EOPNOTSUPP)
		SKIP("the file system of the tests has no extended attributes");
	assert_int_equal(rc, 0);
	expect_res(ring, sl_op_getxattr(&op, file, "user.colour", buf, sizeof(buf)), 5);
	assert_string_equal(buf, "green");
	expect_res(ring, sl_op_getxattr(&op, file, "user.colour", buf, 2), -ERANGE);
	expect_res(ring, sl_op_getxattr(&op, file, "user.taste", buf, 16), -ENODATA);
	expect_res(ring, sl_op_setxattr(&op, file, "user.colour", "red", 3, XATTR_CREATE), -EEXIST);
	expect_res(ring, sl_op_setxattr(&op, file, "user.x", "1", 1, XATTR_REPLACE), -ENODATA);
	sl_ring_close(ring);
}

static void a_directory_is_synced(void **state)
{
	struct sl_op op = { 0 };

	(void)state;
	setup();
	make("durable");
	expect_res(ring, sl_op_sync_dir(&op, dir), 0);
	expect_res(ring, sl_op_sync_dir(&op, world_bad_fd()), -EBADF);
	sl_ring_close(ring);
}

static void a_path_that_cannot_be_read_is_an_error(void **state)
{
	const struct sl_open_how how = { O_RDONLY, 0, 0 };
	struct sl_op op = { 0 };

	(void)state;
	setup();
	expect_res(ring, sl_op_open(&op, dir, (const char *)8, &how), -EFAULT);
	expect_res(ring, sl_op_mkdir(&op, dir, (const char *)8, 0700), -EFAULT);
	expect_res(ring, sl_op_unlink(&op, dir, "", 0), -ENOENT);
	sl_ring_close(ring);
}

static void a_file_is_created_written_synced_and_named_by_one_chain(void **state)
{
	struct sl_name_pair pair = { "temp", "final", 0, 0 };
	struct sl_op ops[4] = { 0 }, *chain[4] = { &ops[0], &ops[1], &ops[2], &ops[3] };
	struct statx stx;
	int64_t fd;

	(void)state;
	setup();
	pair.target_dirfd = dir;
	fd = do_open("temp", O_WRONLY | O_CREAT | O_CLOEXEC, 0600, 0);
	sl_op_write(&ops[0], (int)fd, "content", 7, 0)->flags |= SL_OP_LINKED;
	sl_op_fdatasync(&ops[1], (int)fd)->flags |= SL_OP_LINKED;
	sl_op_rename(&ops[2], dir, &pair)->flags |= SL_OP_LINKED;
	sl_op_sync_dir(&ops[3], dir);
	assert_int_equal(sl_ring_submitv(ring, chain, 4), 0);
	ring_settle(ring);
	for (unsigned i = 0; i < 4; i++)
		assert_true(ops[i].res >= 0);
	assert_int_equal(do_stat("final", &stx), 0);
	assert_int_equal(stx.stx_size, 7);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(open_creates_and_finds_files, NAME, ON_KERNEL),
	T(open_refuses_what_openat2_refuses, NAME, 0),
	T(open_stays_beneath_when_told_to, NAME, 0),
	T(opening_a_fifo_never_waits_for_the_other_end, NAME, ON_KERNEL),
	T(a_fifo_opened_nonblocking_stays_so, NAME, ON_KERNEL),
	T(many_fifo_opens_do_not_hold_up_a_stat, NAME, ON_KERNEL),
	T(stat_tells_what_statx_tells, NAME, 0),
	T(names_are_linked_renamed_and_removed, NAME, 0),
	T(a_symbolic_link_points_where_told, NAME, ON_KERNEL),
	T(directories_are_made_and_removed, NAME, 0),
	T(readdir_names_every_entry_once, NAME, 0),
	T(extended_attributes_are_kept, NAME, 0),
	T(a_directory_is_synced, NAME, 0),
	T(a_path_that_cannot_be_read_is_an_error, NAME, ON_KERNEL),
	T(a_file_is_created_written_synced_and_named_by_one_chain, NAME | BLOCK, 0),
};

const struct contract_group name_tests = GROUP(tests);
