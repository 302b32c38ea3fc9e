/* test_mount.c: which of several mounts a path lies in. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "sys/statx.h"
#include "tests/support/harness.h"
#include "tools/mount.h"

/* The disk of / is mounted at three other places, one of them read-only and the last of all. */
static const char table[] =
	"21 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro\n"
	"22 21 0:5 / /dev rw,nosuid - devtmpfs udev rw,size=1g\n"
	"30 21 254:1 /home /mnt/a\\040b ro,noatime - ext4 /dev/vda1 rw,errors=remount-ro\n"
	"31 21 0:40 / /mnt rw - tmpfs first rw\n"
	"32 21 0:41 / /mnt rw - tmpfs second rw\n"
	"33 21 254:1 /netns /run/netns ro,nosuid - ext4 /dev/vda1 rw,errors=remount-ro\n"
	"34 21 0:42 / /bare rw -  \n"
	"no row at all\n";

static int find(uint64_t id, const char *path, struct mount *ret)
{
	FILE *rows = fmemopen((void *)table, sizeof(table) - 1, "r");
	int err;

	assert_non_null(rows);
	err = mount_find(rows, id, path, ret);
	fclose(rows);
	return err;
}

static void the_id_decides_whatever_the_path_says(void **state)
{
	struct mount m;

	(void)state;
	assert_int_equal(find(21, "/run/netns", &m), 0);
	assert_string_equal(m.point, "/");
	assert_string_equal(m.file_system, "ext4");
	assert_string_equal(m.source, "/dev/vda1");
	assert_string_equal(m.options, "rw,relatime,rw,errors=remount-ro");
	assert_int_equal(find(30, NULL, &m), 0);
	assert_string_equal(m.point, "/mnt/a b");
	assert_string_equal(m.options, "ro,noatime,rw,errors=remount-ro");
	assert_int_equal(find(99, "/", &m), -ENOENT);
}

static void without_an_id_the_longest_mount_point_decides(void **state)
{
	struct mount m;

	(void)state;
	assert_int_equal(find(0, "/home/me", &m), 0);
	assert_string_equal(m.point, "/");
	assert_int_equal(find(0, "/mnt/a b/c", &m), 0);
	assert_string_equal(m.point, "/mnt/a b");
	assert_int_equal(find(0, "/mnt/other", &m), 0);
	assert_string_equal(m.source, "second");
	assert_int_equal(find(0, "/mntother", &m), 0);
	assert_string_equal(m.point, "/");
	assert_int_equal(find(0, "/run/netns", &m), 0);
	assert_string_equal(m.point, "/run/netns");
	assert_int_equal(find(0, NULL, &m), -ENOENT);
}

static void a_path_of_this_machine_has_the_same_mount_either_way(void **state)
{
	struct mount by_id = { "" }, by_path = { "" };
	struct sl_sys_statx st;

	(void)state;
	assert_int_equal(mount_of("/proc/self/status", 0, &by_path), 0);
	assert_string_equal(by_path.file_system, "proc");
	assert_int_equal(sl_sys_statx(AT_FDCWD, "/proc/self/status", 0, SL_STATX_MNT_ID, &st), 0);
	if (!(st.mask & SL_STATX_MNT_ID))
		SKIP("this kernel tells no mount id");
	assert_int_equal(mount_of("/proc/self/status", st.mnt_id, &by_id), 0);
	assert_string_equal(by_id.point, by_path.point);
	assert_string_equal(by_id.options, by_path.options);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_id_decides_whatever_the_path_says),
		TEST(without_an_id_the_longest_mount_point_decides),
		TEST(a_path_of_this_machine_has_the_same_mount_either_way),
	};

	return RUN_TESTS(tests);
}
