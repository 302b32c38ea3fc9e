/* echo.c - an echo server: one op accepts all connections, and an idle one holds no buffer. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sluice/sluice.h>

/* Receives, sends it all back, receives again: a slow reader stops its own sender, nobody else. */
struct conn {
	struct sl_op op;
	void *buf;
};

static struct sl_ring *server;
static struct sl_buf_pool *pool;
static volatile sig_atomic_t stop;

static void hang_up(struct conn *conn)
{
	sl_buf_put(pool, conn->buf);
	close(conn->op.fd);
	free(conn);
}

static void on_event(struct sl_ring *ring, struct sl_op *op)
{
	struct conn *conn = sl_op_of(op, struct conn, op);

	if (op->res < 0 || (op->code == SL_OP_RECV && op->res == 0))
		return hang_up(conn); /* an error, or the peer has finished */
	if (op->code == SL_OP_RECV) { /* the buffer is ours until it is put back */
		conn->buf = op->buf;
		sl_op_send(op, op->fd, op->buf, op->done_len, 0);
	} else if (op->done_len < op->len) { /* a stream takes what fits: send the rest */
		sl_op_send(op, op->fd, (char *)op->buf + op->res, op->len - op->done_len, 0);
	} else {
		sl_buf_put(pool, conn->buf);
		conn->buf = NULL;
		sl_op_recv_pooled(op, op->fd, pool);
	}
	if (sl_ring_submit(ring, op) < 0)
		hang_up(conn);
}

static void on_accept(struct sl_ring *ring, struct sl_op *op)
{
	struct conn *conn = op->res < 0 ? NULL : calloc(1, sizeof(*conn));

	stop |= !conn; /* out of descriptors, out of memory, or drained */
	if (!conn)
		return;
	sl_op_recv_pooled(&conn->op, (int)op->res, pool)->done = on_event;
	if (sl_ring_submit(ring, &conn->op) < 0)
		hang_up(conn); /* the ring is full */
}

static void on_signal(int number)
{
	stop = number;
	sl_ring_wake(server);
}

static int listen_on(int port)
{
	struct in_addr here = { htonl(INADDR_LOOPBACK) };
	struct sockaddr_in addr = { AF_INET, htons((uint16_t)port), here, { 0 } };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, 128) < 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return perror("echo"), exit(1), -1;
	printf("listening on port %d\n", ntohs(addr.sin_port));
	return fflush(stdout), fd;
}

int main(int argc, char **argv)
{
	struct sl_ring_opts opts = { .depth = 4096 };
	struct sl_buf_pool_opts shape = { .flags = SL_BUF_RECV, .count = 256, .buf_bytes = 16384 };
	struct sl_op op = { .done = on_accept };
	int fd, err = sl_ring_open(&opts, &server);

	if (err == 0)
		err = sl_buf_pool_create(server, &shape, &pool);
	if (err < 0)
		return fprintf(stderr, "echo: no ring: %s\n", sl_err_text(err)), 1;
	signal(SIGTERM, on_signal);
	fd = listen_on(argc > 1 ? atoi(argv[1]) : 0);
	sl_op_accept(&op, fd, NULL, NULL, SOCK_CLOEXEC)->flags = SL_OP_MULTI;
	err = sl_ring_submit(server, &op);
	while (err >= 0 && !stop)
		err = sl_ring_run(server, 0);
	sl_ring_drain(server, 0); /* every callback hangs up */
	sl_buf_pool_destroy(pool);
	sl_ring_close(server);
	return err < 0 && fprintf(stderr, "echo: %s\n", sl_err_text(err));
}
