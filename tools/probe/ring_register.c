/* What can be registered with a ring, ways of waiting, and the polled modes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tools/probe/cost.h"
#include "tools/probe/trial.h"

#define LEN 4096U

static int64_t step_buffers(struct trial_env *env, struct check *check)
{
	struct iovec iov = { .iov_base = env->box->mem, .iov_len = RINGBOX_BYTES };
	int err = uring_queue_register(&env->box->queue, SL_URING_REGISTER_BUFFERS, &iov, 1);

	if (err == -ENOMEM)
		check_fix(check, "ulimit -l 131072 (kB), or LimitMEMLOCK=128M in the unit");
	return err;
}

static int64_t step_buffers_update(struct trial_env *env, struct check *check)
{
	struct iovec iov = { .iov_base = env->box->mem, .iov_len = RINGBOX_BYTES };
	int err = uring_queue_buffers_sparse(&env->box->queue, 4);

	(void)check;
	return err < 0 ? err : uring_queue_buffers_update(&env->box->queue, 1, &iov, NULL, 1);
}

static int64_t step_clone_buffers(struct trial_env *env, struct check *check)
{
	struct sl_uring_clone_buffers clone = { 0 };
	struct ringbox other;
	int64_t err = step_buffers(env, check);

	if (err >= 0)
		err = ringbox_open(&other, 0, 0);
	if (err < 0)
		return err;
	clone.src_fd = (uint32_t)env->box->queue.fd;
	err = uring_queue_register(&other.queue, SL_URING_REGISTER_CLONE_BUFFERS, &clone, 1);
	ringbox_close(&other);
	return err;
}

static int64_t step_files(struct trial_env *env, struct check *check)
{
	int err = uring_queue_files_sparse(&env->box->queue, 4);

	(void)check;
	if (err >= 0)
		err = uring_queue_files_update(&env->box->queue, 2, &env->file, NULL, 1);
	if (err < 0)
		return err;
	return ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_READ,
							   .flags = SL_URING_SQE_FIXED_FILE,
							   .fd = 2,
							   .addr = ringbox_addr(env->box->mem),
							   .len = LEN });
}

static int64_t open_direct_descriptor(struct trial_env *env)
{
	int err = uring_queue_files_sparse(&env->box->queue, 4);

	if (err < 0)
		return err;
	strcpy((char *)env->box->mem, "/");
	return ringbox_do(env->box,
			  (struct sl_uring_sqe){ .opcode = SL_URING_OP_OPENAT,
						 .fd = AT_FDCWD,
						 .addr = ringbox_addr(env->box->mem),
						 .op_flags = O_RDONLY | O_DIRECTORY,
						 .file_index = SL_URING_FILE_INDEX_ALLOC });
}

static int64_t step_direct_descriptor(struct trial_env *env, struct check *check)
{
	int64_t slot = open_direct_descriptor(env);

	(void)check;
	if (slot < 0)
		return slot;
	return ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_CLOSE,
							   .file_index = (uint32_t)slot + 1 });
}

static int64_t step_fd_install(struct trial_env *env, struct check *check)
{
	int64_t fd, slot = open_direct_descriptor(env);

	(void)check;
	if (slot < 0)
		return slot;
	fd = ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_FIXED_FD_INSTALL,
							 .flags = SL_URING_SQE_FIXED_FILE,
							 .fd = (int32_t)slot });
	if (fd >= 0)
		close((int)fd);
	return fd;
}

static int64_t step_eventfd(struct trial_env *env, struct check *check)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t count = 0;
	int64_t err;

	(void)check;
	if (fd < 0)
		return -errno;
	err = uring_queue_register(&env->box->queue, SL_URING_REGISTER_EVENTFD, &fd, 1);
	if (err >= 0)
		err = ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_NOP });
	if (err >= 0 && (read(fd, &count, sizeof(count)) != sizeof(count) || !count))
		err = -EIO;
	close(fd);
	return err;
}

static int64_t step_ring_fd(struct trial_env *env, struct check *check)
{
	(void)check;
	return env->box->report.ring_fd_error;
}

/* The queue cannot follow a resize: nothing but closing comes after it. */
static int64_t step_resize(struct trial_env *env, struct check *check)
{
	struct sl_uring_params params = { .sq_entries = 64, .cq_entries = 256 };
	int err =
		uring_queue_register(&env->box->queue, SL_URING_REGISTER_RESIZE_RINGS, &params, 1);

	if (err >= 0)
		check_say(check, "%u and %u entries became %u and %u", env->box->report.sq_entries,
			  env->box->report.cq_entries, params.sq_entries, params.cq_entries);
	return err;
}

static int64_t step_sync_msg(struct trial_env *env, struct check *check)
{
	const struct sl_uring_cqe *cqe;
	int err = uring_msg_send(env->box->queue.fd, 4711, 42);

	(void)check;
	if (err < 0)
		return err;
	uring_queue_submit(&env->box->queue, &(struct uring_queue_wait){ 0 });
	cqe = uring_queue_peek(&env->box->queue);
	return cqe && cqe->user_data == 4711 && cqe->res == 42 ? 0 : -EIO;
}

static int64_t step_sync_cancel(struct trial_env *env, struct check *check)
{
	struct sl_uring_timespec *ts = (struct sl_uring_timespec *)(void *)env->box->mem;
	struct sl_uring_cqe cqe;
	int64_t id, err;

	(void)check;
	*ts = (struct sl_uring_timespec){ .tv_sec = 60 };
	id = ringbox_start(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_TIMEOUT,
							    .addr = ringbox_addr(ts),
							    .len = 1 });
	if (id < 0)
		return id;
	err = uring_queue_cancel_sync(&env->box->queue, (uint64_t)id, -1, 0, 1000000000);
	if (err >= 0)
		err = ringbox_wait(env->box, id, &cqe);
	return err < 0 ? err : cqe.res == -ECANCELED ? 0 : -EIO;
}

/* One completion is there, two are asked for: with min-wait the wait ends soon, without it late. */
static int64_t step_min_wait(struct trial_env *env, struct check *check)
{
	uint64_t start_ns = cost_now_ns(), took_ns;
	struct uring_queue_wait wait = { .nr = 2,
					 .min_wait_us = 5000,
					 .deadline_ns = start_ns + 400000000ULL };
	const struct sl_uring_sqe nop = { .opcode = SL_URING_OP_NOP };

	if (!uring_queue_has(&env->box->queue, SL_URING_FEAT_MIN_TIMEOUT))
		return -EINVAL;
	uring_queue_push(&env->box->queue, &nop);
	uring_queue_submit(&env->box->queue, &wait);
	took_ns = cost_now_ns() - start_ns;
	if (took_ns >= 350000000ULL)
		return -ETIME;
	check_say(check, "a wait for 2 ended with 1 after %.1f ms (asked: 5)",
		  (double)took_ns / 1e6);
	return 0;
}

static int64_t step_abs_timer(struct trial_env *env, struct check *check)
{
	uint64_t deadline_ns = cost_now_ns() + 2000000;
	struct uring_queue_wait wait = { .nr = 1, .deadline_ns = deadline_ns };
	int res;

	(void)check;
	if (!(env->box->report.enter_flags & SL_URING_ENTER_ABS_TIMER))
		return -EINVAL;
	res = uring_queue_submit(&env->box->queue, &wait);
	return res == -ETIME && cost_now_ns() >= deadline_ns ? 0 : -EIO;
}

static int64_t step_no_iowait(struct trial_env *env, struct check *check)
{
	(void)check;
	return env->box->report.enter_flags & SL_URING_ENTER_NO_IOWAIT ? 0 : -EINVAL;
}

static int64_t step_sqpoll(struct trial_env *env, struct check *check)
{
	struct ringbox polled;
	int64_t err = ringbox_open(&polled, SL_URING_SETUP_SQPOLL, 0);

	(void)env;
	if (err < 0)
		return err;
	err = ringbox_do(&polled, (struct sl_uring_sqe){ .opcode = SL_URING_OP_NOP });
	ringbox_close(&polled);
	if (err >= 0 && sysconf(_SC_NPROCESSORS_ONLN) < 3)
		check_set(check, CHECK_PARTLY, "works, but its thread takes one of %ld processors",
			  sysconf(_SC_NPROCESSORS_ONLN));
	return err;
}

static int64_t step_iopoll(struct trial_env *env, struct check *check)
{
	const struct probe *probe = env->probe;
	struct ringbox polled;
	int64_t err;

	if (probe->scratch_err || probe->scratch.direct < 0) {
		check_skip(check, "needs a direct file: there is none here");
		return 0;
	}
	if (check_status_of(&probe->checks, "direct.read") != CHECK_YES) {
		check_skip(check, "direct reads are not direct here: nothing to poll for");
		return 0;
	}
	err = ringbox_open(&polled, SL_URING_SETUP_IOPOLL, 0);
	if (err < 0)
		return err;
	err = ringbox_do(&polled, (struct sl_uring_sqe){ .opcode = SL_URING_OP_READ,
							 .fd = probe->scratch.direct,
							 .addr = ringbox_addr(polled.mem),
							 .len = LEN });
	ringbox_close(&polled);
	if (err == -EOPNOTSUPP || err == -EINVAL) {
		check_set(check, CHECK_NO, "read: %s: the device has no polled queues",
			  check_errno(err));
		if (!strncmp(probe->place.device, "nvme", 4))
			check_fix(check, "nvme.poll_queues=4 on the kernel's command line");
		return 0;
	}
	return err;
}

const struct trial trial_registrations[] = {
	{ "ring.register.buffers", "registered buffers", "5.1", step_buffers },
	{ "ring.register.buffers_update", "buffers one by one", "5.13", step_buffers_update },
	{ "ring.register.clone_buffers", "buffers of another ring", "6.12", step_clone_buffers },
	{ "ring.register.files", "registered files", "5.19", step_files },
	{ "ring.register.direct_descriptor", "direct descriptors", "5.19", step_direct_descriptor },
	{ "ring.register.fd_install", "descriptor from direct one", "6.8", step_fd_install },
	{ "ring.register.eventfd", "eventfd", "5.2", step_eventfd },
	{ "ring.register.ring_fd", "registered ring", "5.18", step_ring_fd },
	{ "ring.register.resize", "ring resize", "6.13", step_resize },
	{ "ring.register.sync_msg", "message without a ring", "6.13", step_sync_msg },
	{ "ring.register.sync_cancel", "synchronous cancel", "6.0", step_sync_cancel },
	{ "ring.wait.min", "min-wait", "6.12", step_min_wait },
	{ "ring.wait.abs_timer", "absolute deadlines", "6.12", step_abs_timer },
	{ "ring.wait.no_iowait", "waits without iowait", "6.15", step_no_iowait },
	{ "ring.sqpoll", "SQPOLL", "5.1", step_sqpoll },
	{ "ring.iopoll", "IOPOLL here", "5.1", step_iopoll },
	{ NULL },
};
