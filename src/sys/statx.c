/* statx(2), called raw: glibc's struct ends before the fields wanted here. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/statx.h"

static_assert(sizeof(struct sl_sys_statx) == 256, "struct statx is 256 bytes");
static_assert(offsetof(struct sl_sys_statx, ino) == 0x20, "ABI");
static_assert(offsetof(struct sl_sys_statx, atime) == 0x40, "ABI");
static_assert(offsetof(struct sl_sys_statx, rdev_major) == 0x80, "ABI");
static_assert(offsetof(struct sl_sys_statx, dio_mem_align) == 0x98, "ABI");
static_assert(offsetof(struct sl_sys_statx, atomic_write_unit_min) == 0xa8, "ABI");
static_assert(offsetof(struct sl_sys_statx, dio_read_offset_align) == 0xb4, "ABI");
static_assert(offsetof(struct sl_sys_statx, pad2) == 0xc0, "ABI");

int sl_sys_statx(int dirfd, const char *path, int flags, uint32_t mask, struct sl_sys_statx *ret)
{
	struct sl_sys_statx stx;

	if (syscall(SYS_statx, dirfd, path, flags, mask, &stx) < 0)
		return -errno;
	*ret = stx;
	return 0;
}

int sl_sys_fstatx(int fd, uint32_t mask, struct sl_sys_statx *ret)
{
	return sl_sys_statx(fd, "", AT_EMPTY_PATH, mask, ret);
}
