/* SPDX-License-Identifier: MIT */
/* stat.c - STAT: what statx(2) would say of a simulated file. */
#include <limits.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <string.h>

#include "backend/sim/world.h"

/* inode(7); <linux/stat.h> has it only without a C library. */
#define MODE_SOCKET 0140000

#define FLAGS_KNOWN (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE)

int64_t sim_stat_fill(const struct sim_machine *machine, const struct model_inode *inode,
		      void *statx)
{
	const struct statx_timestamp time = {
		.tv_sec = inode->changed_ns / 1000000000,
		.tv_nsec = (uint32_t)(inode->changed_ns % 1000000000),
	};
	struct statx *stx = statx;

	memset(stx, 0, sizeof(*stx));
	stx->stx_mask = STATX_BASIC_STATS;
	stx->stx_blksize = MODEL_PAGE_BYTES;
	stx->stx_nlink = inode->links;
	stx->stx_mode = (uint16_t)inode->mode;
	stx->stx_ino = inode->number;
	stx->stx_size = inode->target ? strlen(inode->target) : inode->cache.size;
	for (uint64_t i = 0; i < inode->cache.nr; i++)
		stx->stx_blocks += inode->cache.page[i] ? MODEL_PAGE_BYTES / 512 : 0;
	stx->stx_atime = stx->stx_mtime = stx->stx_ctime = time;
	stx->stx_dev_minor = machine->number + 1;
	return 0;
}

static int64_t stat_socket(const struct sim_machine *machine, void *statx)
{
	const struct model_inode none = { .mode = MODE_SOCKET | 0777, .links = 1 };

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
