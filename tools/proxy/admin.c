/* admin.c: /metrics and /health over HTTP; see admin.h. */
#include "tools/proxy/admin.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tools/proxy/worker.h"
#include "tools/server/metrics.h"

#define PATIENCE_NS INT64_C(5000000000)

static void on_over(struct sl_ring *ring, struct sl_op *op)
{
	struct proxy_asker *asker = op->user;

	(void)ring;
	free(asker->out);
	asker->out = NULL;
	asker->used = false;
}

static void submit(struct proxy_asker *asker, sl_op_fn *done)
{
	asker->op.done = done;
	asker->op.user = asker;
	asker->op.flags |= SL_OP_PARK;
	if (sl_ring_submit(asker->worker->ring, &asker->op) < 0)
		on_over(asker->worker->ring, &asker->op);
}

static void end(struct proxy_asker *asker)
{
	sl_op_close(&asker->op, asker->fd);
	submit(asker, on_over);
}

static void on_shut(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	end(op->user);
}

static void on_answered(struct sl_ring *ring, struct sl_op *op);

static void answer_more(struct proxy_asker *asker)
{
	sl_op_send(&asker->op, asker->fd, asker->out + asker->at, asker->len - asker->at, 0);
	asker->op.deadline_ns = sl_ring_now(asker->worker->ring) + PATIENCE_NS;
	submit(asker, on_answered);
}

static void on_answered(struct sl_ring *ring, struct sl_op *op)
{
	struct proxy_asker *asker = op->user;

	(void)ring;
	if (op->res <= 0) {
		end(asker);
		return;
	}
	asker->at += (size_t)op->res;
	if (asker->at < asker->len) {
		answer_more(asker);
		return;
	}
	sl_op_shutdown(&asker->op, asker->fd, SHUT_WR);
	submit(asker, on_shut);
}

static void put_head(struct server_writer *out, const char *status, const char *type, size_t len)
{
	server_put_string(out, "HTTP/1.1 ");
	server_put_string(out, status);
	server_put_string(out, "\r\nContent-Type: ");
	server_put_string(out, type);
	server_put_string(out, "\r\nConnection: close\r\nContent-Length: ");
	server_put_number(out, len);
	server_put_string(out, "\r\n\r\n");
}

static bool asks_for(const struct proxy_asker *asker, const char *path)
{
	size_t len = strlen(path);

	return asker->len > 4 + len && memcmp(asker->in, "GET ", 4) == 0 &&
	       memcmp(asker->in + 4, path, len) == 0 && strchr(" ?\r\n", asker->in[4 + len]);
}

static void answer(struct proxy_asker *asker)
{
	struct proxy_worker *worker = asker->worker;
	const char *status = "200 OK", *type = "text/plain; charset=utf-8";
	char *body = malloc(PROXY_METRICS_BYTES), *out = malloc(PROXY_METRICS_BYTES + 512);
	struct server_writer text = server_writer(body, body ? PROXY_METRICS_BYTES : 0), all;

	if (!body || !out) {
		free(body);
		free(out);
		end(asker);
		return;
	}
	if (asks_for(asker, "/metrics")) {
		worker->opts.put_metrics(worker->opts.ctx, &text);
		type = SERVER_METRICS_TYPE;
	} else if (asks_for(asker, "/health")) {
		status = worker->draining ? "503 Service Unavailable" : "200 OK";
		server_put_string(&text, worker->draining ? "draining\n" : "ok\n");
	} else {
		status = "404 Not Found";
		server_put_string(&text, "here are /metrics and /health\n");
	}
	all = server_writer(out, PROXY_METRICS_BYTES + 512);
	put_head(&all, status, type, server_written(&text));
	server_put(&all, body, server_written(&text));
	free(body);
	asker->out = out;
	asker->at = 0;
	asker->len = server_written(&all);
	answer_more(asker);
}

static void ask(struct proxy_asker *asker);

static void on_asked(struct sl_ring *ring, struct sl_op *op)
{
	struct proxy_asker *asker = op->user;

	(void)ring;
	if (op->res <= 0) {
		end(asker);
		return;
	}
	asker->len += (size_t)op->res;
	if (memmem(asker->in, asker->len, "\r\n\r\n", 4) ||
	    memmem(asker->in, asker->len, "\n\n", 2))
		answer(asker);
	else if (asker->len < sizeof(asker->in))
		ask(asker);
	else
		end(asker);
}

static void ask(struct proxy_asker *asker)
{
	sl_op_recv(&asker->op, asker->fd, asker->in + asker->len, sizeof(asker->in) - asker->len,
		   0);
	asker->op.deadline_ns = sl_ring_now(asker->worker->ring) + PATIENCE_NS;
	submit(asker, on_asked);
}

void proxy_admin_start(struct proxy_worker *worker, int fd)
{
	struct proxy_asker *asker = worker->askers;

	while (asker < worker->askers + PROXY_ASKERS_MAX && asker->used)
		asker++;
	if (asker == worker->askers + PROXY_ASKERS_MAX) {
		proxy_worker_refuse(worker, fd);
		return;
	}
	memset(asker, 0, sizeof(*asker));
	asker->worker = worker;
	asker->fd = fd;
	asker->used = true;
	ask(asker);
}

void proxy_admin_cut(struct proxy_worker *worker)
{
	for (unsigned i = 0; i < PROXY_ASKERS_MAX; i++) {
		if (worker->askers[i].used)
			sl_ring_cancel(worker->ring, &worker->askers[i].op);
	}
}

bool proxy_admin_busy(const struct proxy_worker *worker)
{
	for (unsigned i = 0; i < PROXY_ASKERS_MAX; i++) {
		if (worker->askers[i].used)
			return true;
	}
	return false;
}
