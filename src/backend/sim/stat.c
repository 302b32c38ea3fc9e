/* SPDX-License-Identifier: MIT */
/* stat.c - STAT: what statx(2) would say of a simulated file. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/sim/world.h"
#include "sys/statx.h"

#define FLAGS_KNOWN (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE)

int64_t sim_stat_fill(const struct sim_machine *machine, const struct model_inode *inode,
		      void *statx)
{
	const struct sl_sys_statx_time time = {
		.sec = inode->changed_ns / 1000000000,
		.nsec = (uint32_t)(inode->changed_ns % 1000000000),
	};
	struct sl_sys_statx *stx = statx; /* the kernel's layout, as is the caller's */

	memset(stx, 0, sizeof(*stx));
	stx->mask = SL_STATX_BASIC;
	stx->blksize = MODEL_PAGE_BYTES;
	stx->nlink = inode->links;
	stx->mode = (uint16_t)inode->mode;
	stx->ino = inode->number;
	stx->size = inode->target ? strlen(inode->target) : inode->cache.size;
	for (uint64_t i = 0; i < inode->cache.nr; i++)
		stx->blocks += inode->cache.page[i] ? MODEL_PAGE_BYTES / 512 : 0;
	stx->atime = stx->mtime = stx->ctime = time;
	stx->dev_minor = machine->number + 1;
	return 0;
}

static int64_t stat_socket(const struct sim_machine *machine, void *statx)
{
	const struct model_inode none = { .mode = S_IFSOCK | 0777, .links = 1 };

	return sim_stat_fill(machine, &none, statx);
}

int64_t sim_name_stat(const struct sim_task *task)
{
	const struct sl_slot *slot = task->slot;
	const struct sim_machine *machine = task->ring->machine;
	unsigned flags = (unsigned)slot->off;
	struct sim_path_request request = { .dirfd = slot->fd, .path = slot->buf };
	const struct sim_handle *handle = sim_handle_find(machine, slot->fd);
	struct sim_path path;
	char buf[PATH_MAX];
	int err;

	if (flags & ~(unsigned)FLAGS_KNOWN)
		return -EINVAL;
	if (!(flags & AT_SYMLINK_NOFOLLOW))
		request.flags |= SIM_PATH_FOLLOW;
	if (flags & AT_EMPTY_PATH)
		request.flags |= SIM_PATH_EMPTY;
	if (handle && handle->socket && flags & AT_EMPTY_PATH && !*request.path)
		return stat_socket(machine, slot->op->arg);
	err = sim_path_find(task->ring->machine, &request, buf, &path);
	if (!err && !path.inode)
		err = -ENOENT;
	return err ? err : sim_stat_fill(machine, path.inode, slot->op->arg);
}
