/* log.h: lines of a log, written in batches by the ring. */
#ifndef SLUICE_TOOLS_SERVER_LOG_H
#define SLUICE_TOOLS_SERVER_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/op.h>

#include "tools/server/counter.h"

#define SERVER_LOG_BYTES    65536 /* of each of the two buffers */
#define SERVER_LOG_LINE_MAX 10240

/*
 * One buffer is filled while the other is written. When both are full, lines are lost, and counted:
 * a slow disk does not stop the server.
 */
struct server_log {
	struct sl_ring *ring;
	struct sl_op op;
	int fd; /* the file, set by the owner; < 0: none, and no line is kept */
	char *buf[2];
	uint32_t len[2];
	uint32_t nr[2];
	uint8_t filling;
	uint32_t written; /* of the other one */
	uint64_t lines;	  /* written; both may be read by any thread */
	uint64_t lost;
};

int server_log_open(struct server_log *log, struct sl_ring *ring);

/* Writes what is left, waiting for it; one that was never opened is left alone. */
void server_log_close(struct server_log *log);

/* Where to put the next line, SERVER_LOG_LINE_MAX bytes; NULL without a file or room. */
char *server_log_line(struct server_log *log);

/* Adds the line put there; 0 bytes: it did not fit, and is lost. */
void server_log_add(struct server_log *log, size_t len);

/* Begins to write what there is. */
void server_log_flush(struct server_log *log);

#endif
