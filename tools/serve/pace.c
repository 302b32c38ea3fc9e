/*
 * pace.c: an answer from a file held back to so many bytes a second.
 *
 *	part, timer --time--> the last part taken? --yes--> the next part, timer --> ...
 *	                          |                               ^
 *	                          +--no: due--> drained ----------+
 *
 * So one part is queued at a time however slow the peer is. The pause after the last part comes
 * before the next request: many small answers are no way around the limit. What is in memory is a
 * last part from the start.
 */
#include "tools/serve/pace.h"

#include "tools/serve/conn.h"

#define PARTS_A_SECOND 8
#define PART_MIN       4096

static void send_part(struct serve_conn *conn);

static void on_time(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_conn *conn = sl_op_of(op, struct serve_conn, pace.timer);

	(void)ring;
	if (conn->closing) {
		serve_conn_release(conn);
		return;
	}
	conn->pace.due = true;
	if (conn->sending)
		return;
	serve_pace_drained(conn);
	serve_conn_go_on(conn);
}

/* Return: 0 or what the ring says. */
static int await_next(struct serve_conn *conn, uint64_t len)
{
	uint64_t rate = conn->worker->config->rate;
	int64_t pause_ns = (int64_t)((double)len / (double)rate * 1e9);
	struct sl_op *timer = &conn->pace.timer;

	sl_op_timer(timer, sl_ring_now(conn->worker->ring) + pause_ns, 0)->flags = SL_OP_PARK;
	timer->done = on_time;
	return sl_ring_submit(conn->worker->ring, timer);
}

static void send_part(struct serve_conn *conn)
{
	struct serve_pace *pace = &conn->pace;
	struct serve_content *content = pace->content;
	uint64_t len = conn->worker->config->rate / PARTS_A_SECOND, off = pace->off;

	len = len < PART_MIN ? PART_MIN : len;
	len = len < pace->left ? len : pace->left;
	pace->off += len;
	pace->left -= len;
	pace->due = false;
	if (await_next(conn, len) < 0) {
		serve_conn_cut(conn);
		return;
	}
	if (pace->left)
		serve_content_get(content);
	else
		pace->content = NULL;
	serve_conn_send_file(conn, content, off, len);
}

void serve_pace_file(struct serve_conn *conn, struct serve_content *content, uint64_t off,
		     uint64_t len)
{
	if (!conn->worker->config->rate || conn->closing) {
		serve_conn_send_file(conn, content, off, len);
		return;
	}
	conn->pace.holds = true;
	conn->pace.content = content;
	conn->pace.off = off;
	conn->pace.left = len;
	send_part(conn);
}

void serve_pace_memory(struct serve_conn *conn, uint64_t len)
{
	if (!conn->worker->config->rate || conn->closing)
		return;
	conn->pace.holds = true;
	conn->pace.due = false;
	if (await_next(conn, len) < 0)
		serve_conn_cut(conn);
}

void serve_pace_drained(struct serve_conn *conn)
{
	if (!conn->pace.holds || !conn->pace.due)
		return;
	if (conn->pace.content)
		send_part(conn);
	else
		conn->pace.holds = false;
}

void serve_pace_stop(struct serve_conn *conn)
{
	serve_content_put(conn->pace.content);
	conn->pace.content = NULL;
	if (sl_op_busy(&conn->pace.timer))
		sl_ring_cancel(conn->worker->ring, &conn->pace.timer);
}
