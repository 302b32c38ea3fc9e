/* userfaultfd(2): one function per ioctl. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/uffd.h"

/* Newer than the headers: 6.6 and 6.8. */
struct poison {
	struct uffdio_range range;
	uint64_t mode;
	int64_t updated;
};

struct move {
	uint64_t target;
	uint64_t source;
	uint64_t len;
	uint64_t mode;
	int64_t moved;
};

#define IOC_MOVE   _IOWR(UFFDIO, 0x05, struct move)
#define IOC_POISON _IOWR(UFFDIO, 0x08, struct poison)

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

int sl_sys_uffd_open(int flags)
{
	long fd = syscall(SYS_userfaultfd, flags);

	return fd < 0 ? -errno : (int)fd;
}

int sl_sys_uffd_open_device(int flags)
{
	int dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	int fd;

	if (dev < 0)
		return -errno;
	fd = ioctl(dev, USERFAULTFD_IOC_NEW, flags);
	if (fd < 0)
		fd = -errno;
	close(dev);
	return fd;
}

int sl_sys_uffd_api(int fd, uint64_t features, uint64_t *ret_features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };

	if (ioctl(fd, UFFDIO_API, &api) < 0)
		return -errno;
	*ret_features = api.features;
	return 0;
}

int sl_sys_uffd_register(int fd, void *addr, size_t len, unsigned modes)
{
	struct uffdio_register reg = { .range = { address(addr), len }, .mode = modes };

	return ioctl(fd, UFFDIO_REGISTER, &reg) < 0 ? -errno : 0;
}

int64_t sl_sys_uffd_copy(int fd, void *target, const void *source, size_t len)
{
	struct uffdio_copy copy = { .dst = address(target), .src = address(source), .len = len };

	return ioctl(fd, UFFDIO_COPY, &copy) < 0 ? -errno : copy.copy;
}

int64_t sl_sys_uffd_continue(int fd, void *addr, size_t len)
{
	struct uffdio_continue cont = { .range = { address(addr), len } };

	return ioctl(fd, UFFDIO_CONTINUE, &cont) < 0 ? -errno : cont.mapped;
}

int64_t sl_sys_uffd_poison(int fd, void *addr, size_t len)
{
	struct poison poison = { .range = { address(addr), len } };

	return ioctl(fd, IOC_POISON, &poison) < 0 ? -errno : poison.updated;
}

int64_t sl_sys_uffd_move(int fd, void *target, void *source, size_t len)
{
	struct move move = { .target = address(target), .source = address(source), .len = len };

	return ioctl(fd, IOC_MOVE, &move) < 0 ? -errno : move.moved;
}

int sl_sys_uffd_protect(int fd, void *addr, size_t len, int protect)
{
	struct uffdio_writeprotect wp = { .range = { address(addr), len },
					  .mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0 };

	return ioctl(fd, UFFDIO_WRITEPROTECT, &wp) < 0 ? -errno : 0;
}
