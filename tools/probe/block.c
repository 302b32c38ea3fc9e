/* Reads of one aligned block, and content to read. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/probe/block.h"

/* One block of memory for the reads, present and aligned. */
unsigned char *block_open(void)
{
	void *map = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return map == MAP_FAILED ? NULL : map;
}

/* Bytes of one direct read of a block, or -errno. */
long block_read(int direct, off_t off)
{
	unsigned char *buf = block_open();
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	n = pread(direct, buf, BLOCK_BYTES, off);
	if (n < 0)
		n = -errno;
	munmap(buf, BLOCK_BYTES);
	return n;
}

int block_write_zeros(int fd, size_t len)
{
	char zeros[BLOCK_BYTES] = { 0 };

	for (size_t done = 0; done < len;) {
		size_t part = len - done < sizeof(zeros) ? len - done : sizeof(zeros);
		ssize_t n = pwrite(fd, zeros, part, (off_t)done);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}
