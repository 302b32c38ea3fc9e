/* SPDX-License-Identifier: MIT */
/* seccomp_file.c - calls on a descriptor beside writes: syncs, sizes, modes, mappings, copies in
 * the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "crash/seccomp.h"

/* A file of the copy behind a descriptor of the caller's. */
struct target {
	int fd;
	struct inode *inode;
	struct stat st;
};

/* False: it is none, the call goes on. */
static bool take(struct call *call, uint64_t fd, struct target *ret_target)
{
	ret_target->inode = NULL;
	ret_target->fd = call_fd(call, (int)fd);
	if (ret_target->fd < 0)
		return false;
	if (!fstat(ret_target->fd, &ret_target->st))
		ret_target->inode = call_inode(call, &ret_target->st);
	if (!ret_target->inode)
		close(ret_target->fd);
	return ret_target->inode != NULL;
}

/* ---- syncs ----------------------- */

/* The copy need not be durable: nothing is written to a disk. */
static int64_t sync_file(struct call *call, uint32_t flags)
{
	const struct crash_record_opts *opts = call->watch->session->opts;
	struct crash_fault_at at = { .call = CRASH_FAULT_SYNC };
	struct crash_op op = { .code = CRASH_SYNC, .flags = flags };
	struct crash_fault_verdict verdict = { .kind = CRASH_FAULT_NONE };
	char path[TREE_PATH_MAX];
	struct target target;

	if (!take(call, call->args[0], &target))
		return CALL_CONTINUE;
	if (fcntl(target.fd, F_GETFL) & O_PATH) {
		close(target.fd);
		return -EBADF;
	}
	if (opts->nr_faults && !target.inode->ignored) {
		call_path(call, target.fd, path);
		at.path = path;
		at.size = (uint64_t)target.st.st_size;
		crash_fault_decide(opts->faults, opts->nr_faults, &at, &verdict);
	}
	op.inode = target.inode->number;
	op.res = verdict.res;
	if (verdict.res) {
		op.flags |= CRASH_FAULT;
		op.flags2 = crash_fault_mark(CRASH_FAULT_SYNC, verdict.kind);
	}
	if (!target.inode->ignored)
		call_tell(call, &op, NULL);
	close(target.fd);
	return verdict.res;
}

int64_t call_fsync(struct call *call)
{
	return sync_file(call, 0);
}

int64_t call_fdatasync(struct call *call)
{
	return sync_file(call, CRASH_DATA_ONLY);
}

int64_t call_sync(struct call *call)
{
	struct crash_op op = { .code = CRASH_SYNC_ALL };

	call_tell(call, &op, NULL);
	return 0;
}

int64_t call_syncfs(struct call *call)
{
	struct crash_op op = { .code = CRASH_SYNC_ALL };
	struct target target;

	if (!take(call, call->args[0], &target))
		return CALL_CONTINUE;
	close(target.fd);
	call_tell(call, &op, NULL);
	return 0;
}

/* Never durability: nothing to tell, and nothing to do. */
int64_t call_sync_range(struct call *call)
{
	struct target target;

	if (!take(call, call->args[0], &target))
		return CALL_CONTINUE;
	close(target.fd);
	return 0;
}

/* ---- sizes and modes ----------------------- */

static void tell_size(struct call *call, const struct inode *inode, uint64_t size)
{
	struct crash_op op = { .code = CRASH_TRUNCATE, .inode = inode->number, .len = size };

	if (!inode->ignored)
		call_tell(call, &op, NULL);
}

static int64_t truncate_fd(struct call *call, const struct target *target, uint64_t size)
{
	if (call_is_late(call))
		return -EIO;
	if (ftruncate(target->fd, (off_t)size) < 0)
		return -errno;
	tell_size(call, target->inode, size);
	return 0;
}

int64_t call_ftruncate(struct call *call)
{
	struct target target;
	int64_t res;

	if (!take(call, call->args[0], &target))
		return CALL_CONTINUE;
	res = truncate_fd(call, &target, call->args[1]);
	close(target.fd);
	return res;
}

/* As open, ftruncate, close would. */
int64_t call_truncate(struct call *call)
{
	struct target target = { .fd = -1 };
	struct stat st;
	int64_t res = call_open_path(call, call->args[0], O_WRONLY | O_CLOEXEC, &target.fd);

	if (res < 0)
		return res;
	target.inode = fstat(target.fd, &st) < 0 ? NULL : call_inode(call, &st);
	res = target.inode ? truncate_fd(call, &target, call->args[1]) : -EROFS;
	close(target.fd);
	return res;
}

static int64_t allocate_fd(struct call *call, const struct target *target)
{
	struct crash_op op = {
		.code = CRASH_ALLOCATE,
		.inode = target->inode->number,
		.flags2 = (uint32_t)call->args[1],
		.off = call->args[2],
		.len = call->args[3],
	};

	if (op.flags2 & ~(uint32_t)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE |
				    FALLOC_FL_ZERO_RANGE | FALLOC_FL_UNSHARE_RANGE))
		return -EOPNOTSUPP; /* what moves bytes */
	if (call_is_late(call))
		return -EIO;
	if (!(op.flags2 & FALLOC_FL_PUNCH_HOLE) &&
	    !call_reserve(call, (uint64_t)target->st.st_size, op.off + op.len))
		return -ENOSPC;
	if (fallocate(target->fd, (int)op.flags2, (off_t)op.off, (off_t)op.len) < 0)
		return -errno;
	if (!target->inode->ignored)
		call_tell(call, &op, NULL);
	return 0;
}

int64_t call_fallocate(struct call *call)
{
	struct target target;
	int64_t res;

	if (!take(call, call->args[0], &target))
		return CALL_CONTINUE;
	res = S_ISREG(target.st.st_mode) ? allocate_fd(call, &target) : CALL_CONTINUE;
	close(target.fd);
	return res;
}

int64_t call_fchmod(struct call *call)
{
	struct crash_op op = { .code = CRASH_CHMOD };
	struct target target;
	int64_t res = 0;

	if (!take(call, call->args[0], &target))
		return CALL_CONTINUE;
	op.inode = target.inode->number;
	op.mode = (target.st.st_mode & S_IFMT) | ((mode_t)call->args[1] & 07777);
	if (fchmod(target.fd, (mode_t)call->args[1] & 07777) < 0)
		res = -errno;
	else if (!target.inode->ignored)
		call_tell(call, &op, NULL);
	close(target.fd);
	return res;
}

/* ---- what cannot be seen ----------------------- */

/* Stores into a shared mapping are no calls. Programs that map do without when the file system
 * cannot: ENODEV, mmap(2). */
int64_t call_mmap(struct call *call)
{
	struct watch *watch = call->watch;
	struct target target;
	bool refused;

	if (!take(call, call->args[4], &target))
		return CALL_CONTINUE;
	close(target.fd);
	refused = S_ISREG(target.st.st_mode) && !target.inode->ignored;
	if (refused && !watch->mapping_told) {
		watch->mapping_told = true;
		crash_record_note(watch->session->report, watch->session->trace,
				  "a shared mapping to be written was refused (ENODEV): this "
				  "recorder cannot see stores. Leave such files out with --ignore, "
				  "or use the fuse recorder");
	}
	return refused ? -ENODEV : CALL_CONTINUE;
}

/* From a pipe, which might wait: programs read and write then, EINVAL being what splice(2) says of
 * file systems that cannot. */
int64_t call_splice(struct call *call)
{
	struct target target;
	struct stat st;
	int64_t res = CALL_CONTINUE;

	if (take(call, call->args[2], &target)) {
		close(target.fd);
		return -EINVAL;
	}
	/* Standard output is no file of the copy, and its lines have to be seen. */
	target.fd = call_fd(call, (int)call->args[2]);
	if (target.fd < 0)
		return CALL_CONTINUE;
	if (!fstat(target.fd, &st) && st.st_ino == call->watch->out_ino &&
	    st.st_dev == call->watch->out_dev)
		res = -EINVAL;
	close(target.fd);
	return res;
}
