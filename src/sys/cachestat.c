/* cachestat(2), called by number: Debian 12's headers stop at 6.1. */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/cachestat.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* the same number on every architecture; Linux 6.5 */
#endif

struct range {
	uint64_t off;
	uint64_t len;
};

int sl_sys_cachestat(int fd, uint64_t off, uint64_t len, struct sl_sys_cachestat *ret)
{
	struct range range = { .off = off, .len = len };
	struct sl_sys_cachestat counts;

	if (syscall(SYS_cachestat, fd, &range, &counts, 0U) < 0)
		return -errno;
	*ret = counts;
	return 0;
}
