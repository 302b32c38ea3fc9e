/* pace.h: a connection's answers from files held back to so many bytes a second (--rate). */
#ifndef SLUICE_TOOLS_SERVE_PACE_H
#define SLUICE_TOOLS_SERVE_PACE_H

#include <stdbool.h>
#include <sluice/op.h>

struct serve_conn;
struct serve_content;

/* What is left of the answer. */
struct serve_pace {
	struct sl_op timer;
	bool holds;		       /* the next request has to wait */
	struct serve_content *content; /* counted; NULL: all of it has been queued */
	uint64_t off;
	uint64_t left;
	bool due; /* the time of the next part has come; the peer has not taken the last one */
};

/* Queues a part of a file, all of it at once or little by little. The reference is taken. With
 * --rate it must be the last of its answer. */
void serve_pace_file(struct serve_conn *conn, struct serve_content *content, uint64_t off,
		     uint64_t len);

/* So much of a file was queued from memory: with --rate the next request waits as long as it would
 * have taken. */
void serve_pace_memory(struct serve_conn *conn, uint64_t len);

/* All that was queued is with the kernel. */
void serve_pace_drained(struct serve_conn *conn);

/* The connection closes; serve_conn_release() is called once more from the timer. */
void serve_pace_stop(struct serve_conn *conn);

#endif
