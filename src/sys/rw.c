/* preadv2(2) and pwritev2(2), called raw: some C libraries refuse flags they do not know. */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/rw.h"

/* The kernel takes the offset in two halves; the high one is ignored where long has 64 bits. */
static long high_half(int64_t off)
{
	return sizeof(long) == 8 ? 0 : (long)((uint64_t)off >> 32);
}

ssize_t sl_sys_preadv2(int fd, const struct iovec *iov, int nr, int64_t off, int flags)
{
	long n = syscall(SYS_preadv2, fd, iov, nr, (long)off, high_half(off), flags);

	return n < 0 ? -errno : n;
}

ssize_t sl_sys_pwritev2(int fd, const struct iovec *iov, int nr, int64_t off, int flags)
{
	long n = syscall(SYS_pwritev2, fd, iov, nr, (long)off, high_half(off), flags);

	return n < 0 ? -errno : n;
}

ssize_t sl_sys_pread(int fd, void *buf, size_t len, int64_t off, int flags)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };

	return sl_sys_preadv2(fd, &iov, 1, off, flags);
}

ssize_t sl_sys_pwrite(int fd, const void *buf, size_t len, int64_t off, int flags)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)buf, .iov_len = len };

	return sl_sys_pwritev2(fd, &iov, 1, off, flags);
}
