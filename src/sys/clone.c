/* ioctl(FICLONE). */
#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "sys/clone.h"

int sl_sys_clone(int target_fd, int source_fd)
{
	return ioctl(target_fd, FICLONE, source_fd) < 0 ? -errno : 0;
}
