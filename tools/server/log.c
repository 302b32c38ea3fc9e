/* log.c: lines of a log, written in batches by the ring; see log.h. */
#include "tools/server/log.h"

#include <errno.h>
#include <stdlib.h>

#include <sluice/ring.h>

static void on_written(struct sl_ring *ring, struct sl_op *op)
{
	struct server_log *log = op->user;
	unsigned idx = !log->filling;

	if (op->res > 0)
		log->written += (uint32_t)op->res;
	if (op->res > 0 && log->written < log->len[idx]) {
		sl_op_write(op, op->fd, log->buf[idx] + log->written, log->len[idx] - log->written,
			    SL_OFF_CURRENT);
		op->flags = SL_OP_PARK;
		if (sl_ring_submit(ring, op) == 0)
			return;
	}
	server_count(log->written < log->len[idx] ? &log->lost : &log->lines, log->nr[idx]);
	log->len[idx] = log->nr[idx] = 0;
}

void server_log_flush(struct server_log *log)
{
	unsigned idx = log->filling;

	if (!log->len[idx] || sl_op_busy(&log->op))
		return;
	sl_op_write(&log->op, log->fd, log->buf[idx], log->len[idx], SL_OFF_CURRENT);
	log->op.flags = SL_OP_PARK;
	if (sl_ring_submit(log->ring, &log->op) < 0)
		return;
	log->written = 0;
	log->filling = !idx;
}

static bool has_room(const struct server_log *log)
{
	return log->len[log->filling] + SERVER_LOG_LINE_MAX <= SERVER_LOG_BYTES;
}

char *server_log_line(struct server_log *log)
{
	if (log->fd < 0)
		return NULL;
	if (!has_room(log))
		server_log_flush(log);
	if (!has_room(log)) {
		server_count(&log->lost, 1);
		return NULL;
	}
	return log->buf[log->filling] + log->len[log->filling];
}

void server_log_add(struct server_log *log, size_t len)
{
	if (!len) {
		server_count(&log->lost, 1);
		return;
	}
	log->len[log->filling] += (uint32_t)len;
	log->nr[log->filling]++;
	if (!has_room(log))
		server_log_flush(log);
}

int server_log_open(struct server_log *log, struct sl_ring *ring)
{
	log->ring = ring;
	log->op.done = on_written;
	log->op.user = log;
	for (unsigned i = 0; i < 2; i++) {
		log->buf[i] = malloc(SERVER_LOG_BYTES);
		if (!log->buf[i])
			return -ENOMEM;
	}
	return 0;
}

void server_log_close(struct server_log *log)
{
	for (unsigned i = 0; i < 2 && log->ring && log->buf[1]; i++) {
		server_log_flush(log);
		while (sl_op_busy(&log->op) && sl_ring_run(log->ring, 0) >= 0)
			;
	}
	free(log->buf[0]);
	free(log->buf[1]);
	log->buf[0] = log->buf[1] = NULL;
}
