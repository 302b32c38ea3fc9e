/* Ring operations that are about the ring itself, other tasks, or readiness. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/probe/cost.h"
#include "tools/probe/trial.h"

/* futex2 flags (Linux 6.7; include/uapi/linux/futex.h). */
#define FUTEX_32_PRIVATE (0x02 | 0x80)

static int64_t do_nop(void *ctx)
{
	return ringbox_do(ctx, (struct sl_uring_sqe){ .opcode = SL_URING_OP_NOP });
}

static int64_t step_nop(struct trial_env *env, struct check *check)
{
	int64_t err = do_nop(env->box);

	if (!err)
		check_cost(check, cost_median_ns(15, &err, do_nop, env->box));
	return err;
}

static int64_t start_timeout(struct trial_env *env, int64_t nsec)
{
	struct sl_uring_timespec *ts = (struct sl_uring_timespec *)(void *)env->box->mem;

	*ts = (struct sl_uring_timespec){ .tv_sec = nsec / 1000000000,
					  .tv_nsec = nsec % 1000000000 };
	return ringbox_start(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_TIMEOUT,
							      .addr = ringbox_addr(ts),
							      .len = 1 });
}

static int64_t step_timeout(struct trial_env *env, struct check *check)
{
	struct sl_uring_cqe cqe;
	int64_t id = start_timeout(env, 1000000);
	int64_t err = id < 0 ? id : ringbox_wait(env->box, id, &cqe);

	(void)check;
	return err < 0 ? err : cqe.res == -ETIME ? 0 : cqe.res < 0 ? cqe.res : -EIO;
}

static int64_t step_cancel(struct trial_env *env, struct check *check)
{
	struct sl_uring_cqe cqe;
	int64_t id = start_timeout(env, 60LL * 1000000000), err;

	(void)check;
	if (id < 0)
		return id;
	err = ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_ASYNC_CANCEL,
							  .addr = (uint64_t)id });
	if (err >= 0)
		err = ringbox_wait(env->box, id, &cqe);
	return err < 0 ? err : cqe.res == -ECANCELED ? 0 : -EIO;
}

static int64_t step_poll_multishot(struct trial_env *env, struct check *check)
{
	struct sl_uring_cqe cqe;
	int fds[2];
	int64_t id, err;

	(void)check;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	id = ringbox_start(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_POLL_ADD,
							    .fd = fds[0],
							    .len = SL_URING_POLL_ADD_MULTI,
							    .op_flags = POLLIN });
	err = id < 0 ? id : write(fds[1], "x", 1) == 1 ? 0 : -EIO;
	if (err >= 0)
		err = ringbox_wait(env->box, id, &cqe);
	if (err >= 0 && cqe.res >= 0)
		err = cqe.flags & SL_URING_CQE_F_MORE && cqe.res & POLLIN ? 0 : -EIO;
	else if (err >= 0)
		err = cqe.res;
	close(fds[0]);
	close(fds[1]);
	return err;
}

static int64_t step_msg_ring(struct trial_env *env, struct check *check)
{
	struct ringbox other;
	const struct sl_uring_cqe *cqe;
	int64_t err = ringbox_open(&other, 0, 0);

	(void)check;
	if (err < 0)
		return err;
	err = ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_MSG_RING,
							  .fd = other.queue.fd,
							  .len = 42,
							  .off = 4711 });
	if (err >= 0) {
		cqe = uring_queue_peek(&other.queue);
		err = cqe && cqe->res == 42 && cqe->user_data == 4711 ? 0 : -EIO;
	}
	ringbox_close(&other);
	return err;
}

static int64_t step_pipe(struct trial_env *env, struct check *check)
{
	int *fds = (int *)(void *)env->box->mem;
	int64_t err;

	(void)check;
	fds[0] = fds[1] = -1;
	err = ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_PIPE,
							  .addr = ringbox_addr(fds),
							  .op_flags = O_CLOEXEC });
	if (fds[0] >= 0)
		close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
	return err;
}

static int64_t step_futex(struct trial_env *env, struct check *check)
{
	uint32_t *word = (uint32_t *)(void *)env->box->mem;
	struct sl_uring_cqe cqe;
	int64_t id, err;

	(void)check;
	*word = 7;
	id = ringbox_start(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_FUTEX_WAIT,
							    .fd = FUTEX_32_PRIVATE,
							    .addr = ringbox_addr(word),
							    .off = 7,
							    .addr3 = UINT32_MAX });
	if (id < 0)
		return id;
	err = ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_FUTEX_WAKE,
							  .fd = FUTEX_32_PRIVATE,
							  .addr = ringbox_addr(word),
							  .off = 1,
							  .addr3 = UINT32_MAX });
	if (err >= 0)
		err = ringbox_wait(env->box, id, &cqe);
	return err < 0 ? err : cqe.res;
}

static int64_t step_waitid(struct trial_env *env, struct check *check)
{
	siginfo_t *info = (siginfo_t *)(void *)env->box->mem;
	pid_t pid = fork();
	int64_t err;

	(void)check;
	if (!pid)
		_exit(3);
	if (pid < 0)
		return -errno;
	memset(info, 0, sizeof(*info));
	err = ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_WAITID,
							  .fd = pid,
							  .len = P_PID,
							  .file_index = WEXITED,
							  .off = ringbox_addr(info) });
	if (err < 0) {
		waitpid(pid, NULL, 0);
		return err;
	}
	return info->si_pid == pid && info->si_status == 3 ? 0 : -EIO;
}

static int64_t step_epoll_wait(struct trial_env *env, struct check *check)
{
	struct epoll_event want = { .events = EPOLLIN };
	int fds[2], ep = epoll_create1(EPOLL_CLOEXEC);
	int64_t err = -EIO;

	(void)check;
	if (ep < 0)
		return -errno;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		close(ep);
		return -EMFILE;
	}
	if (!epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &want) && write(fds[1], "x", 1) == 1)
		err = ringbox_do(env->box,
				 (struct sl_uring_sqe){ .opcode = SL_URING_OP_EPOLL_WAIT,
							.fd = ep,
							.addr = ringbox_addr(env->box->mem),
							.len = 4 });
	close(fds[0]);
	close(fds[1]);
	close(ep);
	return err == 1 ? 0 : err < 0 ? err : -EIO;
}

const struct trial trial_core_ops[] = {
	{ "ring.op.nop", "nop", "5.1", step_nop },
	{ "ring.op.timeout", "timeout", "5.4", step_timeout },
	{ "ring.op.cancel", "cancel", "5.5", step_cancel },
	{ "ring.op.poll_multishot", "multishot poll", "5.13", step_poll_multishot },
	{ "ring.op.msg_ring", "message to another ring", "5.18", step_msg_ring },
	{ "ring.op.pipe", "pipe", "6.16", step_pipe },
	{ "ring.op.futex", "futex wait and wake", "6.7", step_futex },
	{ "ring.op.waitid", "waitid", "6.7", step_waitid },
	{ "ring.op.epoll_wait", "epoll_wait", "6.15", step_epoll_wait },
	{ NULL },
};
