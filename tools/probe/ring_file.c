/* Ring operations on files and names. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/statx.h"
#include "tools/probe/trial.h"

#define LEN 4096U

static int64_t expect_len(int64_t res)
{
	return res == LEN || res < 0 ? res : -EIO;
}

static int64_t step_read(struct trial_env *env, struct check *check)
{
	(void)check;
	return expect_len(ringbox_do(env->box, (struct sl_uring_sqe){
						       .opcode = SL_URING_OP_READ,
						       .fd = env->file,
						       .addr = ringbox_addr(env->box->mem),
						       .len = LEN,
					       }));
}

static int64_t step_write(struct trial_env *env, struct check *check)
{
	(void)check;
	return expect_len(ringbox_do(env->box, (struct sl_uring_sqe){
						       .opcode = SL_URING_OP_WRITE,
						       .fd = env->file,
						       .addr = ringbox_addr(env->box->mem),
						       .len = LEN,
					       }));
}

/* The vector lies behind the data, in memory that outlives the request. */
static int64_t do_vector(struct trial_env *env, uint8_t opcode)
{
	struct iovec *iov = (struct iovec *)(void *)(env->box->mem + LEN);

	iov[0] = (struct iovec){ .iov_base = env->box->mem, .iov_len = LEN / 2 };
	iov[1] = (struct iovec){ .iov_base = env->box->mem + LEN / 2, .iov_len = LEN / 2 };
	return expect_len(ringbox_do(env->box, (struct sl_uring_sqe){
						       .opcode = opcode,
						       .fd = env->file,
						       .addr = ringbox_addr(iov),
						       .len = 2,
					       }));
}

static int64_t step_readv(struct trial_env *env, struct check *check)
{
	(void)check;
	return do_vector(env, SL_URING_OP_READV);
}

static int64_t step_writev(struct trial_env *env, struct check *check)
{
	(void)check;
	return do_vector(env, SL_URING_OP_WRITEV);
}

static int64_t register_mem(struct ringbox *box)
{
	struct iovec iov = { .iov_base = box->mem, .iov_len = RINGBOX_BYTES };

	return uring_queue_register(&box->queue, SL_URING_REGISTER_BUFFERS, &iov, 1);
}

static int64_t do_fixed(struct trial_env *env, uint8_t opcode)
{
	int64_t err = register_mem(env->box);

	if (err < 0)
		return err;
	return expect_len(ringbox_do(env->box, (struct sl_uring_sqe){
						       .opcode = opcode,
						       .fd = env->file,
						       .addr = ringbox_addr(env->box->mem),
						       .len = LEN,
					       }));
}

static int64_t step_read_fixed(struct trial_env *env, struct check *check)
{
	(void)check;
	return do_fixed(env, SL_URING_OP_READ_FIXED);
}

static int64_t step_write_fixed(struct trial_env *env, struct check *check)
{
	(void)check;
	return do_fixed(env, SL_URING_OP_WRITE_FIXED);
}

static int64_t step_readv_fixed(struct trial_env *env, struct check *check)
{
	int64_t err = register_mem(env->box);

	(void)check;
	return err < 0 ? err : do_vector(env, SL_URING_OP_READV_FIXED);
}

static int64_t step_writev_fixed(struct trial_env *env, struct check *check)
{
	int64_t err = register_mem(env->box);

	(void)check;
	return err < 0 ? err : do_vector(env, SL_URING_OP_WRITEV_FIXED);
}

static int64_t step_fsync(struct trial_env *env, struct check *check)
{
	(void)check;
	return ringbox_do(env->box,
			  (struct sl_uring_sqe){ .opcode = SL_URING_OP_FSYNC, .fd = env->file });
}

static int64_t step_fallocate(struct trial_env *env, struct check *check)
{
	(void)check;
	return ringbox_do(env->box, (struct sl_uring_sqe){
					    .opcode = SL_URING_OP_FALLOCATE,
					    .fd = env->file,
					    .addr = LEN,
				    });
}

static int64_t step_ftruncate(struct trial_env *env, struct check *check)
{
	struct stat st;
	int64_t res = ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_FTRUNCATE,
								  .fd = env->file,
								  .off = 3 * LEN });

	(void)check;
	if (res < 0)
		return res;
	return !fstat(env->file, &st) && st.st_size == 3 * LEN ? 0 : -EIO;
}

static int64_t open_root(struct trial_env *env)
{
	strcpy((char *)env->box->mem, "/");
	return ringbox_do(env->box, (struct sl_uring_sqe){
					    .opcode = SL_URING_OP_OPENAT,
					    .fd = AT_FDCWD,
					    .addr = ringbox_addr(env->box->mem),
					    .op_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
				    });
}

static int64_t step_openat(struct trial_env *env, struct check *check)
{
	int64_t fd = open_root(env);

	(void)check;
	if (fd >= 0)
		close((int)fd);
	return fd;
}

static int64_t step_close(struct trial_env *env, struct check *check)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int64_t res;

	(void)check;
	if (fd < 0)
		return -errno;
	res = ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_CLOSE, .fd = fd });
	if (res < 0) {
		close(fd);
		return res;
	}
	return fcntl(fd, F_GETFD) < 0 ? 0 : -EBUSY;
}

static int64_t step_statx(struct trial_env *env, struct check *check)
{
	struct sl_sys_statx *stx = (struct sl_sys_statx *)(void *)(env->box->mem + LEN);
	int64_t res;

	(void)check;
	strcpy((char *)env->box->mem, "/");
	memset(stx, 0, sizeof(*stx));
	res = ringbox_do(env->box, (struct sl_uring_sqe){
					   .opcode = SL_URING_OP_STATX,
					   .fd = AT_FDCWD,
					   .addr = ringbox_addr(env->box->mem),
					   .len = SL_STATX_BASIC,
					   .off = ringbox_addr(stx),
				   });
	return res < 0 ? res : S_ISDIR(stx->mode) ? 0 : -EIO;
}

/* An operation that exists refuses an empty name with ENOENT; one that does not says EINVAL. */
static int64_t refuses_empty_name(struct trial_env *env, struct check *check,
				  struct sl_uring_sqe sqe)
{
	int64_t res;

	memset(env->box->mem, 0, 16);
	sqe.fd = AT_FDCWD;
	sqe.addr = ringbox_addr(env->box->mem);
	res = ringbox_do(env->box, sqe);
	if (res != -ENOENT)
		return res < 0 ? res : -EIO;
	check_say(check, "ran: an empty name was refused as it should be");
	return 0;
}

static int64_t step_unlinkat(struct trial_env *env, struct check *check)
{
	return refuses_empty_name(env, check,
				  (struct sl_uring_sqe){ .opcode = SL_URING_OP_UNLINKAT });
}

static int64_t step_mkdirat(struct trial_env *env, struct check *check)
{
	return refuses_empty_name(
		env, check, (struct sl_uring_sqe){ .opcode = SL_URING_OP_MKDIRAT, .len = 0700 });
}

static int64_t step_renameat(struct trial_env *env, struct check *check)
{
	return refuses_empty_name(env, check,
				  (struct sl_uring_sqe){ .opcode = SL_URING_OP_RENAMEAT,
							 .len = (uint32_t)AT_FDCWD,
							 .off = ringbox_addr(env->box->mem + 8) });
}

static int64_t step_linkat(struct trial_env *env, struct check *check)
{
	return refuses_empty_name(env, check,
				  (struct sl_uring_sqe){ .opcode = SL_URING_OP_LINKAT,
							 .len = (uint32_t)AT_FDCWD,
							 .off = ringbox_addr(env->box->mem + 8) });
}

/* The file has no such attribute: ENODATA (or EOPNOTSUPP by the file system) means it was asked. */
static int64_t step_fgetxattr(struct trial_env *env, struct check *check)
{
	int64_t res;

	strcpy((char *)env->box->mem, "user.sluice-probe");
	res = ringbox_do(env->box, (struct sl_uring_sqe){
					   .opcode = SL_URING_OP_FGETXATTR,
					   .fd = env->file,
					   .addr = ringbox_addr(env->box->mem),
					   .off = ringbox_addr(env->box->mem + LEN),
					   .len = 64,
				   });
	if (res != -ENODATA && res != -EOPNOTSUPP)
		return res < 0 ? res : -EIO;
	check_say(check, "ran: %s", check_errno(res));
	return 0;
}

static int64_t step_fadvise(struct trial_env *env, struct check *check)
{
	(void)check;
	return ringbox_do(env->box, (struct sl_uring_sqe){
					    .opcode = SL_URING_OP_FADVISE,
					    .fd = env->file,
					    .len = LEN,
					    .op_flags = POSIX_FADV_WILLNEED,
				    });
}

static int64_t file_to_pipe(struct trial_env *env, const int fds[2])
{
	return ringbox_do(env->box, (struct sl_uring_sqe){
					    .opcode = SL_URING_OP_SPLICE,
					    .fd = fds[1],
					    .off = UINT64_MAX,
					    .addr = 0,
					    .len = LEN,
					    .splice_fd_in = env->file,
				    });
}

static int64_t step_splice(struct trial_env *env, struct check *check)
{
	int fds[2];
	int64_t res;

	(void)check;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	res = expect_len(file_to_pipe(env, fds));
	close(fds[0]);
	close(fds[1]);
	return res;
}

static int64_t step_tee(struct trial_env *env, struct check *check)
{
	int from[2], to[2];
	int64_t res = -EIO;

	(void)check;
	if (pipe2(from, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(to, O_CLOEXEC) < 0) {
		res = -errno;
	} else {
		if (write(from[1], "tee", 3) == 3)
			res = ringbox_do(env->box, (struct sl_uring_sqe){
							   .opcode = SL_URING_OP_TEE,
							   .fd = to[1],
							   .len = 3,
							   .splice_fd_in = from[0],
						   });
		close(to[0]);
		close(to[1]);
	}
	close(from[0]);
	close(from[1]);
	return res;
}

const struct trial trial_file_ops[] = {
	{ "ring.op.read", "read", "5.6", step_read },
	{ "ring.op.write", "write", "5.6", step_write },
	{ "ring.op.readv", "readv", "5.1", step_readv },
	{ "ring.op.writev", "writev", "5.1", step_writev },
	{ "ring.op.read_fixed", "read, registered buffer", "5.1", step_read_fixed },
	{ "ring.op.write_fixed", "write, registered buffer", "5.1", step_write_fixed },
	{ "ring.op.readv_fixed", "readv, registered buffers", "6.15", step_readv_fixed },
	{ "ring.op.writev_fixed", "writev, registered buffers", "6.15", step_writev_fixed },
	{ "ring.op.fsync", "fsync", "5.1", step_fsync },
	{ "ring.op.fallocate", "fallocate", "5.6", step_fallocate },
	{ "ring.op.ftruncate", "ftruncate", "6.9", step_ftruncate },
	{ "ring.op.openat", "openat", "5.6", step_openat },
	{ "ring.op.close", "close", "5.6", step_close },
	{ "ring.op.statx", "statx", "5.6", step_statx },
	{ "ring.op.unlinkat", "unlinkat", "5.11", step_unlinkat },
	{ "ring.op.renameat", "renameat", "5.11", step_renameat },
	{ "ring.op.mkdirat", "mkdirat", "5.15", step_mkdirat },
	{ "ring.op.linkat", "linkat", "5.15", step_linkat },
	{ "ring.op.fgetxattr", "fgetxattr", "5.19", step_fgetxattr },
	{ "ring.op.fadvise", "fadvise", "5.6", step_fadvise },
	{ "ring.op.splice", "splice", "5.7", step_splice },
	{ "ring.op.tee", "tee", "5.8", step_tee },
	{ NULL },
};
