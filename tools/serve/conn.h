/*
 * conn.h: one connection: requests in, answers out, in their order.
 *
 *	           +--- more of it is needed ---+
 *	           v                            |
 *	bytes --> head --whole--> answer from memory -----------------> queue --> peer
 *	           ^   |                                                 ^
 *	           |   +--> task (busy): look, list, upload, remove -----+
 *	           +----------------- the next request ------------------+
 *
 * Invariants:
 *  C1. Answers are queued in the order of the requests: while a task is under way (busy) no further
 *      request is read; its bytes wait in the buffer, and receiving is paused when they are many.
 *  C2. At most SERVE_PIECES_MAX pieces are queued; beyond that no further request is read either.
 *  C3. A connection whose end is sure (last) reads no further request. When all is sent it says
 *      so to the peer, reads on for a moment so that the last answer is not lost, and closes.
 *  C4. A connection is always in exactly one list of those that wait, until it is closing.
 */
#ifndef SLUICE_TOOLS_SERVE_CONN_H
#define SLUICE_TOOLS_SERVE_CONN_H

#include "tools/serve/chunked.h"
#include "tools/serve/pace.h"
#include "tools/serve/worker.h"

#define SERVE_PIECES_MAX   64
#define SERVE_SKIP_MAX	   65536 /* of a body that nobody wants, to keep the connection */
#define SERVE_LINGER_BYTES 262144

struct serve_task;
struct serve_upload;

/* What is done with the bytes behind a head. */
enum serve_body {
	SERVE_BODY_NONE = 0,
	SERVE_BODY_SKIP,
	SERVE_BODY_UPLOAD,
};

struct serve_conn {
	struct serve_worker *worker;
	struct serve_stream stream;
	struct serve_conn *next; /* of those that wait, or of the free ones */
	struct serve_conn *prev;
	int64_t due_ns;
	uint64_t sent_mark; /* what was sent when it began to wait for its peer */
	uint64_t got_mark;
	uint64_t untaken; /* bytes that the kernel held for it when it was last found idle */
	uint64_t got;	  /* bytes received */
	uint8_t wait;	  /* enum serve_wait */
	uint8_t body;	  /* enum serve_body */
	bool admin;
	bool listed;
	bool busy;
	bool consuming; /* bytes are being read: nobody called from there begins again */
	bool last;
	bool ended; /* the peer has finished */
	bool lingering;
	bool closing;
	bool paused;
	bool sending;
	bool counted; /* among those of its address */
	unsigned pieces;

	char *in; /* bytes not read yet; NULL: none */
	size_t in_at;
	size_t in_len;
	size_t in_cap;
	size_t scanned;

	bool chunked;
	uint64_t body_left;
	uint64_t skipped;
	struct http_chunked chunks;
	struct serve_task *task;
	struct serve_upload *upload;
	uint32_t peer_len; /* 0: not asked for yet */
	char peer[56];
	struct sl_sock_addr *addr; /* NULL: not known */

	struct serve_pace pace; /* while it holds nothing is read, as while busy */
	bool closed;		/* the stream; the timer of the pace may still be on its way */
};

/* A piece on its way, and what it keeps alive. */
struct serve_piece {
	struct sl_sock_piece piece;
	struct serve_conn *conn;
	struct serve_wire *wire;
	struct serve_content *content;
	struct serve_piece *next;
};

/* A connection was accepted; the descriptor is the connection's from now on. */
void serve_conn_start(struct serve_worker *worker, struct serve_door *door, int fd);

/* Closes it as it is. */
void serve_conn_cut(struct serve_conn *conn);

/* No request after the one that is being answered; idle ones are closed. */
void serve_conn_drain(struct serve_conn *conn);

/* Its time has come; moves on or closes it. */
void serve_conn_due(struct serve_conn *conn);

/* Queue what a wire holds, or a part of a file. The references are taken, also on failure. */
void serve_conn_send_wire(struct serve_conn *conn, struct serve_wire *wire, uint64_t off,
			  uint64_t len);
void serve_conn_send_file(struct serve_conn *conn, struct serve_content *content, uint64_t off,
			  uint64_t len);

/* Whether an answer is under way that is not whole in the queue: no further request is read. */
static inline bool serve_conn_is_busy(const struct serve_conn *conn)
{
	return conn->busy || conn->pace.holds;
}

/* A task has answered: on to the next request. */
void serve_conn_go_on(struct serve_conn *conn);

/* The stream or the timer of the pace has ended: after the last of them the memory is free. */
void serve_conn_release(struct serve_conn *conn);

/* For the log. */
struct http_text serve_conn_peer(struct serve_conn *conn);

void serve_conn_free_all(struct serve_worker *worker);

#endif
