/* Ring operations on sockets, over loopback. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/probe/sockets.h"
#include "tools/probe/trial.h"

#define TEXT	 "sluice"
#define TEXT_LEN 6U
#define GROUP	 3
#define BUFFERS	 4U
#define BUF_LEN	 2048U

static void close_both(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static int64_t step_socket(struct trial_env *env, struct check *check)
{
	int64_t fd = ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_SOCKET,
								 .fd = AF_INET,
								 .off = SOCK_STREAM });

	(void)check;
	if (fd >= 0)
		close((int)fd);
	return fd;
}

static int64_t step_bind_listen(struct trial_env *env, struct check *check)
{
	struct sockaddr_in *addr = (struct sockaddr_in *)(void *)env->box->mem;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t err;

	(void)check;
	if (fd < 0)
		return -errno;
	*addr = (struct sockaddr_in){ .sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	err = ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_BIND,
							  .fd = fd,
							  .addr = ringbox_addr(addr),
							  .off = sizeof(*addr) });
	if (err >= 0)
		err = ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_LISTEN,
								  .fd = fd,
								  .len = 4 });
	close(fd);
	return err;
}

static int client_to(const struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd < 0 ? -errno : fd;
}

static int64_t step_connect(struct trial_env *env, struct check *check)
{
	struct sockaddr_in *addr = (struct sockaddr_in *)(void *)env->box->mem;
	int listener = sockets_listen(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t err = listener < 0 ? listener : fd < 0 ? -errno : 0;

	(void)check;
	if (!err)
		err = ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_CONNECT,
								  .fd = fd,
								  .addr = ringbox_addr(addr),
								  .off = sizeof(*addr) });
	if (listener >= 0)
		close(listener);
	if (fd >= 0)
		close(fd);
	return err;
}

/* Accept `times` connections with one request. */
static int64_t accept_times(struct trial_env *env, int listener, const struct sockaddr_in *addr,
			    uint16_t ioprio, int times)
{
	struct sl_uring_cqe cqe;
	int64_t err,
		id = ringbox_start(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_ACCEPT,
								    .fd = listener,
								    .ioprio = ioprio,
								    .op_flags = SOCK_CLOEXEC });

	err = id < 0 ? id : 0;
	for (int i = 0; err >= 0 && i < times; i++) {
		int client = client_to(addr);

		if (client < 0)
			return client;
		err = ringbox_wait(env->box, id, &cqe);
		if (err >= 0)
			err = cqe.res;
		if (err >= 0)
			close(cqe.res);
		close(client);
	}
	return err;
}

static int64_t do_accept(struct trial_env *env, uint16_t ioprio, int times)
{
	struct sockaddr_in addr;
	int listener = sockets_listen(&addr);
	int64_t err;

	if (listener < 0)
		return listener;
	err = accept_times(env, listener, &addr, ioprio, times);
	close(listener);
	return err;
}

static int64_t step_accept(struct trial_env *env, struct check *check)
{
	(void)check;
	return do_accept(env, 0, 1);
}

static int64_t step_accept_multishot(struct trial_env *env, struct check *check)
{
	int64_t res = do_accept(env, SL_URING_ACCEPT_MULTISHOT, 2);

	if (res >= 0)
		check_say(check, "two connections by one request");
	return res;
}

static int64_t do_send(struct trial_env *env, int fd)
{
	memcpy(env->box->mem, TEXT, TEXT_LEN);
	return ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_SEND,
							   .fd = fd,
							   .addr = ringbox_addr(env->box->mem),
							   .len = TEXT_LEN,
							   .op_flags = MSG_NOSIGNAL });
}

static int64_t step_send(struct trial_env *env, struct check *check)
{
	int fds[2];
	int64_t err = sockets_pair(fds);

	(void)check;
	if (err < 0)
		return err;
	err = do_send(env, fds[0]);
	close_both(fds);
	return err == TEXT_LEN ? 0 : err < 0 ? err : -EIO;
}

static int64_t step_recv(struct trial_env *env, struct check *check)
{
	int fds[2];
	int64_t err = sockets_pair(fds);

	(void)check;
	if (err < 0)
		return err;
	if (send(fds[1], TEXT, TEXT_LEN, MSG_NOSIGNAL) == TEXT_LEN)
		err = ringbox_do(env->box,
				 (struct sl_uring_sqe){ .opcode = SL_URING_OP_RECV,
							.fd = fds[0],
							.addr = ringbox_addr(env->box->mem),
							.len = BUF_LEN });
	close_both(fds);
	return err == TEXT_LEN ? 0 : err < 0 ? err : -EIO;
}

static int64_t do_message(struct trial_env *env, uint8_t opcode, int fd)
{
	struct msghdr *msg = (struct msghdr *)(void *)(env->box->mem + BUF_LEN);
	struct iovec *iov = (struct iovec *)(void *)(msg + 1);

	memcpy(env->box->mem, TEXT, TEXT_LEN);
	*iov = (struct iovec){ .iov_base = env->box->mem, .iov_len = TEXT_LEN };
	*msg = (struct msghdr){ .msg_iov = iov, .msg_iovlen = 1 };
	return ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = opcode,
							   .fd = fd,
							   .addr = ringbox_addr(msg),
							   .len = 1,
							   .op_flags = MSG_NOSIGNAL });
}

static int64_t step_message(struct trial_env *env, struct check *check)
{
	int fds[2];
	int64_t err = sockets_pair(fds);

	(void)check;
	if (err < 0)
		return err;
	err = do_message(env, SL_URING_OP_SENDMSG, fds[0]);
	if (err == TEXT_LEN)
		err = do_message(env, SL_URING_OP_RECVMSG, fds[1]);
	close_both(fds);
	return err == TEXT_LEN ? 0 : err < 0 ? err : -EIO;
}

static int64_t step_shutdown(struct trial_env *env, struct check *check)
{
	int fds[2];
	int64_t err = sockets_pair(fds);

	(void)check;
	if (err < 0)
		return err;
	err = ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_SHUTDOWN,
							  .fd = fds[0],
							  .len = SHUT_RDWR });
	close_both(fds);
	return err;
}

static int64_t step_setsockopt(struct trial_env *env, struct check *check)
{
	int *value = (int *)(void *)env->box->mem;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t err;

	(void)check;
	if (fd < 0)
		return -errno;
	*value = 1;
	uint32_t where[2] = { SOL_SOCKET,
			      SO_KEEPALIVE }; /* level and name share the address field */
	uint64_t level_and_name;

	memcpy(&level_and_name, where, sizeof(level_and_name));
	err = ringbox_do(env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_URING_CMD,
							  .fd = fd,
							  .off = SL_URING_SOCKET_SETSOCKOPT,
							  .addr = level_and_name,
							  .file_index = sizeof(*value),
							  .addr3 = ringbox_addr(value) });
	close(fd);
	return err;
}

/* The ring of provided buffers: its entries on the first page, the buffers behind it. */
static int64_t provide(struct trial_env *env, uint16_t flags)
{
	struct sl_uring_buf *ring = (struct sl_uring_buf *)(void *)env->box->mem;
	uint16_t tail = 0;
	int64_t err;

	memset(ring, 0, 4096);
	err = uring_queue_buf_ring_register(&env->box->queue, ring, BUFFERS, GROUP, flags);
	if (err < 0)
		return err;
	for (uint16_t i = 0; i < BUFFERS; i++) {
		struct sl_uring_buf buf = { .addr = ringbox_addr(env->box->mem + 4096 +
								 i * BUF_LEN),
					    .len = BUF_LEN,
					    .bid = i };

		uring_buf_ring_add(ring, BUFFERS, &tail, &buf);
	}
	uring_buf_ring_publish(ring, tail);
	return 0;
}

/* Two messages received by one request, each in a buffer of its own (or after the other). */
static int64_t receive_twice(struct trial_env *env, const int fds[2], uint16_t ioprio,
			     uint32_t *ret_flags)
{
	struct sl_uring_cqe cqe;
	int64_t err, id = ringbox_start(env->box,
					(struct sl_uring_sqe){ .opcode = SL_URING_OP_RECV,
							       .fd = fds[0],
							       .ioprio = ioprio,
							       .flags = SL_URING_SQE_BUFFER_SELECT,
							       .buf_index = GROUP });

	err = id < 0 ? id : 0;
	for (int i = 0; err >= 0 && i < 2; i++) {
		if (send(fds[1], TEXT, TEXT_LEN, MSG_NOSIGNAL) != TEXT_LEN)
			return -EIO;
		err = ringbox_wait(env->box, id, &cqe);
		if (err >= 0)
			err = cqe.res == TEXT_LEN ? 0 : cqe.res < 0 ? cqe.res : -EIO;
		if (err >= 0 && !(cqe.flags & SL_URING_CQE_F_BUFFER))
			err = -EIO;
	}
	if (err >= 0)
		*ret_flags = cqe.flags;
	return err;
}

static int64_t do_recv_multishot(struct trial_env *env, uint16_t ioprio, uint16_t ring_flags,
				 uint32_t *ret_flags)
{
	int fds[2];
	int64_t err = sockets_pair(fds);

	if (err < 0)
		return err;
	err = provide(env, ring_flags);
	if (err >= 0)
		err = receive_twice(env, fds, SL_URING_RECV_MULTISHOT | ioprio, ret_flags);
	close_both(fds);
	return err;
}

static int64_t step_recv_multishot(struct trial_env *env, struct check *check)
{
	uint32_t flags = 0;
	int64_t err = do_recv_multishot(env, 0, 0, &flags);

	if (err >= 0)
		check_say(check, "two messages by one request, into provided buffers");
	return err;
}

static int64_t step_recv_bundle(struct trial_env *env, struct check *check)
{
	uint32_t flags = 0;

	(void)check;
	return do_recv_multishot(env, SL_URING_RECVSEND_BUNDLE, 0, &flags);
}

static int64_t step_buf_ring_inc(struct trial_env *env, struct check *check)
{
	uint32_t flags = 0;
	int64_t err = do_recv_multishot(env, 0, SL_URING_PBUF_RING_INC, &flags);

	if (err < 0)
		return err;
	if (!(flags & SL_URING_CQE_F_BUF_MORE))
		return -EIO;
	check_say(check, "two messages into one buffer");
	return 0;
}

/* A zero-copy send answers twice: sent, then "the memory is yours again" and whether it copied. */
static int64_t start_send_zc(struct trial_env *env, int fd)
{
	struct sl_uring_cqe cqe;
	int64_t err,
		id = ringbox_start(
			env->box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_SEND_ZC,
							 .fd = fd,
							 .addr = ringbox_addr(env->box->mem),
							 .len = RINGBOX_BYTES / 2,
							 .op_flags = MSG_NOSIGNAL,
							 .ioprio = SL_URING_SEND_ZC_REPORT_USAGE });

	err = id < 0 ? id : ringbox_wait(env->box, id, &cqe);
	if (err >= 0 && cqe.res < 0)
		err = cqe.res;
	if (err >= 0 && !(cqe.flags & SL_URING_CQE_F_MORE))
		return -ENOMSG;
	return err < 0 ? err : id;
}

static int64_t step_send_zc(struct trial_env *env, struct check *check)
{
	struct sl_uring_cqe note;
	int fds[2];
	int64_t id, err = sockets_pair(fds);

	if (err < 0)
		return err;
	id = start_send_zc(env, fds[0]);
	err = id < 0 ? id : 0;
	if (err >= 0) {
		sockets_swallow(fds[1], RINGBOX_BYTES / 2);
		err = ringbox_wait(env->box, id, &note);
	}
	close_both(fds);
	if (err < 0)
		return err;
	if ((uint32_t)note.res & SL_URING_NOTIF_USAGE_ZC_COPIED)
		check_set(check, CHECK_PARTLY,
			  "sent; its notification says copied, as always on loopback");
	else
		check_say(check, "sent; its notification says not copied");
	return 0;
}

const struct trial trial_net_ops[] = {
	{ "ring.op.socket", "socket", "5.19", step_socket },
	{ "ring.op.bind_listen", "bind and listen", "6.11", step_bind_listen },
	{ "ring.op.connect", "connect", "5.5", step_connect },
	{ "ring.op.accept", "accept", "5.5", step_accept },
	{ "ring.op.accept_multishot", "multishot accept", "5.19", step_accept_multishot },
	{ "ring.op.send", "send", "5.6", step_send },
	{ "ring.op.recv", "recv", "5.6", step_recv },
	{ "ring.op.message", "sendmsg and recvmsg", "5.3", step_message },
	{ "ring.op.recv_multishot", "multishot recv", "6.0", step_recv_multishot },
	{ "ring.op.recv_bundle", "recv bundles", "6.10", step_recv_bundle },
	{ "ring.op.buf_ring_inc", "incremental buffers", "6.12", step_buf_ring_inc },
	{ "ring.op.send_zc", "zero-copy send", "6.0", step_send_zc },
	{ "ring.op.shutdown", "shutdown", "5.11", step_shutdown },
	{ "ring.op.setsockopt", "setsockopt", "6.7", step_setsockopt },
	{ NULL },
};
