/* SPDX-License-Identifier: MIT */
/* file.c - READ, WRITE, syncs, ALLOCATE and TRUNCATE on the files of a simulated disk. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include "backend/sim/world.h"
#include "base/bits.h"

/* Where in the file, and how much of it, a transfer moves. */
struct move {
	struct sim_pieces pieces;
	uint64_t off;
	uint64_t limit;
	bool out;
	bool direct;
};

static bool is_readable(const struct sim_handle *handle)
{
	return (handle->flags & O_ACCMODE) != O_WRONLY && !(handle->flags & O_PATH);
}

static bool is_writable(const struct sim_handle *handle)
{
	return (handle->flags & O_ACCMODE) != O_RDONLY && !(handle->flags & O_PATH);
}

static struct model_volume *volume_of(const struct sim_handle *handle)
{
	return handle->machine->volume;
}

static bool is_misaligned(const struct sim_handle *handle, const struct move *move)
{
	uint64_t align = volume_of(handle)->opts.sector;
	uint64_t bits = move->off;

	for (size_t i = 0; i < move->pieces.nr; i++)
		bits |= move->pieces.iov[i].iov_len |
			((uintptr_t)move->pieces.iov[i].iov_base & (MODEL_SECTOR_BYTES - 1));
	return bits & (align - 1);
}

static int prepare(const struct sim_task *task, const struct sim_handle *handle, struct move *move)
{
	const struct sl_slot *slot = task->slot;

	sim_pieces(slot, &move->pieces);
	move->out = slot->code == SL_OP_WRITE;
	move->direct = handle->flags & O_DIRECT;
	move->off = slot->off == SL_OFF_CURRENT ? handle->position : slot->off;
	if (slot->code != SL_OP_READ && slot->code != SL_OP_WRITE)
		return -ENOTSOCK;
	if (move->out ? !is_writable(handle) : !is_readable(handle))
		return -EBADF;
	if (handle->kind == SIM_DIRECTORY)
		return -EISDIR;
	if (move->off > INT64_MAX)
		return -EINVAL;
	if (move->out && handle->flags & O_APPEND)
		move->off = handle->inode->cache.size;
	move->limit = sim_pieces_bytes(&move->pieces);
	return move->direct && is_misaligned(handle, move) ? -EINVAL : 0;
}

/* An error of the device, or 0. */
static int strike(const struct sim_task *task, const struct sim_handle *handle,
		  const struct move *move)
{
	struct model_random *random = &task->ring->sim->random;

	if (sim_fault(task, SL_SIM_AGAIN))
		return -EAGAIN;
	if (move->out) {
		if (sim_fault(task, SL_SIM_WRITE_EIO))
			return -EIO;
		return sim_fault(task, SL_SIM_NO_SPACE) ? -ENOSPC : 0;
	}
	if (handle->inode->cache.size && sim_fault(task, SL_SIM_ROT))
		model_rot(volume_of(handle), handle->inode,
			  model_random_below(random, handle->inode->cache.size * 8));
	if (sim_fault(task, SL_SIM_READ_EIO))
		return -EIO;
	return sim_fault(task, SL_SIM_READ_ENODATA) ? -ENODATA : 0;
}

static int64_t read_piece(const struct sim_handle *handle, const struct move *move, void *buf,
			  uint64_t len, uint64_t off)
{
	if (move->direct)
		return model_read_disk(volume_of(handle), handle->inode, off, buf, len);
	return (int64_t)model_read(handle->inode, off, buf, len);
}

/* The page where a write goes instead: another one of the same file. */
static bool goes_astray(const struct sim_task *task, const struct sim_handle *handle, uint64_t off,
			uint64_t *ret_idx)
{
	uint64_t nr = handle->inode->cache.size / MODEL_PAGE_BYTES;
	uint64_t idx = off / MODEL_PAGE_BYTES;

	if (nr < 2 || !sim_fault(task, SL_SIM_ASTRAY))
		return false;
	*ret_idx = model_random_below(&task->ring->sim->random, nr - 1);
	*ret_idx += *ret_idx >= idx;
	return true;
}

static int64_t write_piece(const struct sim_task *task, const struct sim_handle *handle,
			   const struct move *move, const void *buf, uint64_t len, uint64_t off)
{
	struct model_volume *volume = volume_of(handle);
	uint64_t done = len, astray;
	int err;

	if (goes_astray(task, handle, off, &astray)) {
		err = model_write_astray(volume, handle->inode, off, buf, len, astray);
		if (!err && move->direct)
			err = model_drop_cache(volume, handle->inode);
		return err ? err : (int64_t)len;
	}
	err = model_write(volume, handle->inode, off, buf, len, &done);
	return done ? (int64_t)done : err;
}

static int64_t move_all(const struct sim_task *task, const struct sim_handle *handle,
			const struct move *move)
{
	uint64_t left = move->limit;
	int64_t total = 0;

	for (size_t i = 0; i < move->pieces.nr && left; i++) {
		char *buf = move->pieces.iov[i].iov_base;
		uint64_t len = move->pieces.iov[i].iov_len < left ? move->pieces.iov[i].iov_len :
								    left;
		uint64_t off = move->off + (uint64_t)total;
		int64_t n = 0;

		if (len && move->out)
			n = write_piece(task, handle, move, buf, len, off);
		else if (len)
			n = read_piece(handle, move, buf, len, off);
		if (n < 0)
			return total ? total : n;
		total += n;
		left -= (uint64_t)n;
		if ((uint64_t)n < len)
			break;
	}
	return total;
}

/* A sync that fails. What was written past the cache is not in there either. */
static int lose(const struct sim_task *task, const struct sim_handle *handle)
{
	struct model_volume *volume = volume_of(handle);

	model_lose(volume, handle->inode, &task->ring->sim->random);
	if (handle->flags & O_DIRECT && model_drop_cache(volume, handle->inode))
		return -ENOMEM;
	return -EIO;
}

/* O_DSYNC: durable before it ends, or not at all. */
static int sync_written(const struct sim_task *task, const struct sim_handle *handle,
			uint64_t before)
{
	struct model_volume *volume = volume_of(handle);

	if (!(task->slot->flags & SL_OP_DSYNC) && !(handle->flags & O_DSYNC))
		return 0;
	if (sim_fault(task, SL_SIM_SYNC_EIO))
		return lose(task, handle);
	return model_sync_write(volume, handle->inode, before);
}

int64_t sim_file_transfer(struct sim_task *task, struct sim_handle *handle)
{
	uint64_t before = volume_of(handle)->seq;
	struct move move;
	int64_t res = prepare(task, handle, &move);

	if (!res)
		res = strike(task, handle, &move);
	if (res)
		return res;
	move.limit = sim_fault_limit(task, move.limit);
	if (move.direct)
		move.limit = sl_round_up(move.limit, volume_of(handle)->opts.sector);
	res = move_all(task, handle, &move);
	if (res <= 0)
		return res;
	if (move.out) {
		int err = sync_written(task, handle, before);

		if (err)
			return err;
		handle->inode->changed_ns = task->ring->sim->now_ns;
	}
	if (task->slot->off == SL_OFF_CURRENT)
		handle->position = move.off + (uint64_t)res;
	return res;
}

void sim_file_half_done(struct sim_task *task)
{
	struct sim_handle *handle = sim_handle_find(task->ring->machine, task->slot->fd);
	struct move move;

	if (task->slot->code != SL_OP_WRITE || !handle || handle->kind != SIM_FILE)
		return;
	if (!prepare(task, handle, &move))
		move_all(task, handle, &move);
}

int64_t sim_file_sync(struct sim_task *task, struct sim_handle *handle)
{
	bool data_only = task->slot->code == SL_OP_FDATASYNC;

	if (handle->flags & O_PATH)
		return -EBADF;
	if (!handle->inode)
		return task->slot->code == SL_OP_SYNC_DIR ? -EOPNOTSUPP : -EINVAL;
	if (sim_fault(task, SL_SIM_SYNC_EIO))
		return lose(task, handle);
	return model_sync(volume_of(handle), handle->inode, data_only, task->seq);
}

static int check_resize(const struct sim_handle *handle)
{
	if (!is_writable(handle))
		return handle->kind == SIM_FILE ? -EBADF : -EINVAL;
	if (handle->kind == SIM_SOCKET)
		return -EINVAL;
	return handle->kind == SIM_FILE ? 0 : -EISDIR;
}

/* Zeros over what the file has of a range. */
static int punch(struct sim_handle *handle, uint64_t off, uint64_t len)
{
	static const char zeros[MODEL_PAGE_BYTES];
	uint64_t size = handle->inode->cache.size;
	uint64_t end = off + len < size ? off + len : size, done = 1;
	int err = 0;

	for (; off < end && !err; off += done) {
		uint64_t piece = end - off < sizeof(zeros) ? end - off : sizeof(zeros);

		err = model_write(volume_of(handle), handle->inode, off, zeros, piece, &done);
	}
	return err;
}

int64_t sim_file_allocate(const struct sim_task *task, struct sim_handle *handle)
{
	unsigned mode = (unsigned)(uintptr_t)task->slot->op->arg;
	uint64_t off = task->slot->off, len = task->slot->len;
	int err = check_resize(handle);

	if (!len || off > INT64_MAX || len > INT64_MAX)
		return -EINVAL;
	if (handle->kind == SIM_SOCKET)
		return -ESPIPE;
	if (err)
		return err == -EISDIR ? -ENODEV : err;
	if (mode & ~(unsigned)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (off + len > MODEL_FILE_MAX)
		return -EFBIG;
	if (sim_fault(task, SL_SIM_NO_SPACE) || off + len > task->ring->sim->opts.disk_bytes)
		return -ENOSPC;
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return mode & FALLOC_FL_KEEP_SIZE ? punch(handle, off, len) : -EOPNOTSUPP;
	if (mode & FALLOC_FL_KEEP_SIZE || off + len <= handle->inode->cache.size)
		return 0;
	return model_truncate(volume_of(handle), handle->inode, off + len);
}

int64_t sim_file_truncate(const struct sim_task *task, struct sim_handle *handle)
{
	int err = check_resize(handle);

	if (task->slot->len > INT64_MAX)
		return -EINVAL;
	if (err)
		return err == -EBADF ? -EINVAL : err;
	return model_truncate(volume_of(handle), handle->inode, task->slot->len);
}
