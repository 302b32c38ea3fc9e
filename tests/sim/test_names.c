/* test_names.c - the names of a simulated disk: what openat2(2) and its kin say, by ops alone. */
#include "fixture.h"

#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/xattr.h>

static struct sl_sim *sim;
static struct sl_ring *ring;
static int root;

static int setup(void **state)
{
	(void)state;
	sim = world_of(5);
	ring = ring_on(sim, 0);
	root = (int)do_open(ring, "/", O_RDONLY | O_DIRECTORY);
	return root < 0;
}

static int teardown(void **state)
{
	(void)state;
	end_world(sim, ring);
	return 0;
}

static int64_t open_how(const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	const struct sl_open_how how = { flags, mode, resolve };
	struct sl_op op = { 0 };

	return sl_ring_do(ring, sl_op_open(&op, root, path, &how));
}

static void make(const char *path)
{
	struct sl_op op = { 0 };
	int64_t fd = open_how(path, O_WRONLY | O_CREAT | O_EXCL, 0600, 0);

	assert_true(fd >= 0);
	assert_int_equal(sl_ring_do(ring, sl_op_close(&op, (int)fd)), 0);
}

static int64_t do_mkdir(const char *path)
{
	struct sl_op op = { 0 };

	return sl_ring_do(ring, sl_op_mkdir(&op, root, path, 0700));
}

static int64_t do_unlink(const char *path, int flags)
{
	struct sl_op op = { 0 };

	return sl_ring_do(ring, sl_op_unlink(&op, root, path, flags));
}

static int64_t do_rename(const char *source, const char *target, unsigned flags)
{
	const struct sl_name_pair pair = { source, target, root, flags };
	struct sl_op op = { 0 };

	return sl_ring_do(ring, sl_op_rename(&op, root, &pair));
}

static int64_t do_link(const char *source, const char *target)
{
	const struct sl_name_pair pair = { source, target, root, 0 };
	struct sl_op op = { 0 };

	return sl_ring_do(ring, sl_op_link(&op, root, &pair));
}

static int64_t do_symlink(const char *target, const char *path)
{
	struct sl_op op = { 0 };

	return sl_ring_do(ring, sl_op_symlink(&op, target, root, path));
}

static int64_t do_stat(const char *path, int flags, struct statx *stx)
{
	struct sl_op op = { 0 };

	return sl_ring_do(ring, sl_op_stat(&op, root, path, flags, STATX_BASIC_STATS, stx));
}

static void open_creates_finds_and_refuses(void **state)
{
	struct statx stx;

	(void)state;
	assert_int_equal(open_how("absent", O_RDONLY, 0, 0), -ENOENT);
	make("new");
	assert_int_equal(open_how("new", O_RDWR | O_CREAT | O_EXCL, 0600, 0), -EEXIST);
	assert_int_equal(open_how("new/below", O_RDONLY, 0, 0), -ENOTDIR);
	assert_int_equal(open_how("new/", O_RDONLY, 0, 0), -ENOTDIR);
	assert_int_equal(open_how("new", O_RDONLY | O_DIRECTORY, 0, 0), -ENOTDIR);
	assert_int_equal(open_how("/", O_RDWR, 0, 0), -EISDIR);
	assert_int_equal(open_how("new", O_RDONLY, 0600, 0), -EINVAL);
	assert_int_equal(open_how("new", UINT64_C(1) << 62, 0, 0), -EINVAL);
	assert_int_equal(open_how("new", O_RDONLY, 0, UINT64_C(1) << 40), -EINVAL);
	assert_int_equal(open_how("", O_RDONLY, 0, 0), -ENOENT);
	assert_int_equal(do_stat("new", 0, &stx), 0);
	assert_int_equal(stx.stx_mode, S_IFREG | 0600);
	assert_int_equal(stx.stx_nlink, 1);
}

static void the_mode_of_a_handle_is_kept(void **state)
{
	char byte = 'x';
	int in, out;

	(void)state;
	make("f");
	in = (int)open_how("f", O_RDONLY, 0, 0);
	out = (int)open_how("f", O_WRONLY | O_APPEND, 0, 0);
	assert_int_equal(do_write(ring, in, &byte, 1, 0), -EBADF);
	assert_int_equal(do_read(ring, out, &byte, 1, 0), -EBADF);
	assert_int_equal(do_read(ring, root, &byte, 1, 0), -EISDIR);
	assert_int_equal(do_write(ring, out, "abc", 3, 0), 3);
	assert_int_equal(do_write(ring, out, "def", 3, 0), 3);
	assert_int_equal(do_read(ring, in, &byte, 1, 5), 1);
	assert_int_equal(byte, 'f');
}

static void a_path_is_walked_and_stays_beneath_when_told_to(void **state)
{
	(void)state;
	assert_int_equal(do_mkdir("a"), 0);
	assert_int_equal(do_mkdir("a/b"), 0);
	make("a/b/f");
	assert_true(open_how("a/../a/./b//f", O_RDONLY, 0, 0) > 0);
	assert_true(open_how("../../a/b/f", O_RDONLY, 0, 0) > 0);
	assert_int_equal(open_how("../x", O_RDONLY, 0, RESOLVE_BENEATH), -EXDEV);
	assert_int_equal(open_how("/a", O_RDONLY, 0, RESOLVE_BENEATH), -EXDEV);
	assert_true(open_how("a/b/../b/f", O_RDONLY, 0, RESOLVE_BENEATH) > 0);
	assert_int_equal(open_how("a/c/f", O_RDONLY, 0, 0), -ENOENT);
}

static void a_symbolic_link_leads_on(void **state)
{
	struct statx stx;

	(void)state;
	assert_int_equal(do_mkdir("dir"), 0);
	make("dir/file");
	assert_int_equal(do_symlink("dir", "d"), 0);
	assert_int_equal(do_symlink("d/file", "f"), 0);
	assert_int_equal(do_symlink("loop", "loop"), 0);
	assert_int_equal(do_symlink("x", "f"), -EEXIST);
	assert_true(open_how("f", O_RDONLY, 0, 0) > 0);
	assert_true(open_how("d/file", O_RDONLY, 0, 0) > 0);
	assert_int_equal(open_how("f", O_RDONLY, 0, RESOLVE_NO_SYMLINKS), -ELOOP);
	assert_int_equal(open_how("f", O_RDONLY | O_NOFOLLOW, 0, 0), -ELOOP);
	assert_int_equal(open_how("loop", O_RDONLY, 0, 0), -ELOOP);
	assert_int_equal(do_stat("d", AT_SYMLINK_NOFOLLOW, &stx), 0);
	assert_true(S_ISLNK(stx.stx_mode));
	assert_int_equal(do_stat("d", 0, &stx), 0);
	assert_true(S_ISDIR(stx.stx_mode));
}

static void names_are_linked_renamed_and_removed(void **state)
{
	(void)state;
	make("one");
	assert_int_equal(do_link("one", "two"), 0);
	assert_int_equal(do_link("one", "two"), -EEXIST);
	assert_int_equal(do_rename("one", "three", 0), 0);
	assert_int_equal(open_how("one", O_RDONLY, 0, 0), -ENOENT);
	assert_int_equal(do_rename("two", "three", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(do_unlink("two", 0), 0);
	assert_int_equal(do_unlink("two", 0), -ENOENT);
	assert_int_equal(do_unlink("", 0), -ENOENT);
	make("four");
	assert_int_equal(do_rename("three", "four", RENAME_EXCHANGE), 0);
	assert_int_equal(do_rename("three", "four", 0), 0);
	assert_int_equal(do_unlink("three", 0), -ENOENT);
	assert_int_equal(do_unlink("four", 0), 0);
}

static void directories_are_made_moved_and_removed(void **state)
{
	(void)state;
	assert_int_equal(do_mkdir("sub"), 0);
	assert_int_equal(do_mkdir("sub"), -EEXIST);
	make("sub/file");
	assert_int_equal(do_unlink("sub", AT_REMOVEDIR), -ENOTEMPTY);
	assert_int_equal(do_unlink("sub", 0), -EISDIR);
	assert_int_equal(do_unlink("sub/file", AT_REMOVEDIR), -ENOTDIR);
	assert_int_equal(do_rename("sub", "sub/deeper", 0), -EINVAL);
	assert_int_equal(do_mkdir("other"), 0);
	assert_int_equal(do_rename("other", "sub", 0), -ENOTEMPTY);
	assert_int_equal(do_rename("sub/file", "other", 0), -EISDIR);
	assert_int_equal(do_rename("sub", "sub/file", 0), -EINVAL);
	assert_int_equal(do_rename("other", "sub/file", 0), -ENOTDIR);
	assert_int_equal(do_rename("sub", "other", 0), 0);
	assert_true(open_how("other/../other/file", O_RDONLY, 0, 0) > 0);
	assert_int_equal(do_unlink("other/file", 0), 0);
	assert_int_equal(do_unlink("other", AT_REMOVEDIR), 0);
}

static void an_open_file_outlives_its_name(void **state)
{
	char byte = 0;
	int fd = open_file(ring, "f");

	(void)state;
	assert_int_equal(do_write(ring, fd, "x", 1, 0), 1);
	assert_int_equal(do_unlink("f", 0), 0);
	assert_int_equal(do_read(ring, fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 'x');
}

/* What getdents64(2) fills in. */
struct record {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

static void readdir_names_every_entry_once(void **state)
{
	_Alignas(8) static char buf[256];
	unsigned seen[50] = { 0 }, dots = 0;
	struct sl_op op = { 0 };
	int64_t n;

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		char name[16];

		snprintf(name, sizeof(name), "entry-%u", i);
		make(name);
	}
	while ((n = sl_ring_do(ring, sl_op_readdir(&op, root, buf, sizeof(buf)))) > 0) {
		for (int64_t at = 0; at < n;) {
			const struct record *record = (const void *)(buf + at);
			unsigned nr;

			if (sscanf(record->name, "entry-%u", &nr) == 1)
				seen[nr]++;
			else
				dots++;
			at += record->len;
		}
	}
	assert_int_equal(n, 0);
	assert_int_equal(dots, 2);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(seen[i], 1);
	assert_int_equal(sl_ring_do(ring, sl_op_readdir(&op, open_file(ring, "f"), buf, 256)),
			 -ENOTDIR);
}

static void extended_attributes_are_kept(void **state)
{
	struct sl_op op = { 0 };
	char buf[16] = "";
	int fd = open_file(ring, "f");

	(void)state;
	assert_int_equal(sl_ring_do(ring, sl_op_setxattr(&op, fd, "user.a", "green", 5, 0)), 0);
	assert_int_equal(sl_ring_do(ring, sl_op_getxattr(&op, fd, "user.a", buf, 16)), 5);
	assert_string_equal(buf, "green");
	assert_int_equal(sl_ring_do(ring, sl_op_getxattr(&op, fd, "user.a", buf, 2)), -ERANGE);
	assert_int_equal(sl_ring_do(ring, sl_op_getxattr(&op, fd, "user.b", buf, 16)), -ENODATA);
	assert_int_equal(sl_ring_do(ring, sl_op_setxattr(&op, fd, "user.a", "x", 1, XATTR_CREATE)),
			 -EEXIST);
	assert_int_equal(sl_ring_do(ring, sl_op_setxattr(&op, fd, "user.b", "x", 1, XATTR_REPLACE)),
			 -ENODATA);
}

static unsigned granted;

static void count(struct sl_ring *on, struct sl_op *op)
{
	(void)on;
	granted += op->res == 0;
}

static int64_t do_lock(int fd, int kind, uint64_t off, uint64_t len)
{
	struct sl_op op = { 0 };

	sl_op_lock(&op, fd, kind, off, len)->deadline_ns = sl_ring_clock(ring) + MS;
	return sl_ring_do(ring, &op);
}

static void locks_are_granted_in_ranges_and_end_with_their_handle(void **state)
{
	struct sl_op waiting = { .done = count }, op = { 0 };
	int one = open_file(ring, "f"), two = open_file(ring, "f");

	(void)state;
	granted = 0;
	assert_int_equal(do_lock(one, F_WRLCK, 0, 100), 0);
	assert_int_equal(do_lock(two, F_RDLCK, 99, 1), -ETIMEDOUT);
	assert_int_equal(do_lock(two, F_WRLCK, 100, 0), 0);
	assert_int_equal(do_lock(one, F_UNLCK, 40, 20), 0);
	assert_int_equal(do_lock(two, F_WRLCK, 40, 20), 0);
	assert_int_equal(do_lock(two, F_WRLCK, 60, 1), -ETIMEDOUT);
	assert_int_equal(do_lock(two, F_WRLCK, 39, 1), -ETIMEDOUT);
	assert_int_equal(sl_ring_submit(ring, sl_op_lock(&waiting, two, F_WRLCK, 0, 1)), 0);
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + MS), 0);
	assert_int_equal(sl_ring_do(ring, sl_op_close(&op, one)), 0);
	while (!granted)
		assert_true(sl_ring_run(ring, 0) >= 0);
}

static void numbers_come_back_lowest_first(void **state)
{
	struct sl_op op = { 0 };
	int one = open_file(ring, "a"), two = open_file(ring, "b");
	struct sl_desc desc;

	(void)state;
	assert_int_equal(sl_ring_describe(ring, one, &desc), 0);
	assert_int_equal(desc.kind, SL_DESC_REGULAR);
	assert_int_equal(sl_ring_do(ring, sl_op_close(&op, one)), 0);
	assert_int_equal(sl_ring_describe(ring, one, &desc), -EBADF);
	assert_int_equal(sl_ring_do(ring, sl_op_close(&op, one)), -EBADF);
	assert_int_equal(open_file(ring, "c"), one);
	assert_int_equal(open_file(ring, "d"), two + 1);
}

int main(void)
{
#define NAME_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		NAME_TEST(open_creates_finds_and_refuses),
		NAME_TEST(the_mode_of_a_handle_is_kept),
		NAME_TEST(a_path_is_walked_and_stays_beneath_when_told_to),
		NAME_TEST(a_symbolic_link_leads_on),
		NAME_TEST(names_are_linked_renamed_and_removed),
		NAME_TEST(directories_are_made_moved_and_removed),
		NAME_TEST(an_open_file_outlives_its_name),
		NAME_TEST(readdir_names_every_entry_once),
		NAME_TEST(extended_attributes_are_kept),
		NAME_TEST(locks_are_granted_in_ranges_and_end_with_their_handle),
		NAME_TEST(numbers_come_back_lowest_first),
	};

	return RUN_TESTS(tests);
}
