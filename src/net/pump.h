/* SPDX-License-Identifier: MIT */
/* pump.h - what the senders of a ring share, from inside. */
#ifndef SLUICE_NET_PUMP_H
#define SLUICE_NET_PUMP_H

#include <stdbool.h>
#include <sluice/buf.h>
#include <sluice/ring.h>
#include <sluice/sock.h>

#include "net/counter.h"

/* A buffer, and the op that fills it where that is done ahead. */
struct sl_sock_read {
	struct sl_op op;
	unsigned char *buf;
	struct sl_sock_sender *sender; /* who has it */
	struct sl_sock_read *next;     /* of those that are spare, or of the sender's */
};

struct sl_sock_pump {
	struct sl_ring *ring;
	struct sl_buf_pool *pool;
	struct sl_sock_read *reads; /* an array, of read_count */
	struct sl_sock_read *spare;
	uint32_t read_count;
	uint32_t read_bytes;
	uint32_t hot_bytes;
	uint32_t zc_min_bytes;
	bool zc_able;
	uint32_t zc_seen;		/* notifications in the window now */
	uint32_t zc_bad;		/* of these: copied */
	uint32_t zc_skip;		/* so many sends are not asked to be without a copy */
	uint32_t short_nr;		/* answers without a file behind them */
	struct sl_sock_sender *waiting; /* for a buffer, in their order */
	struct sl_sock_sender **waiting_tail;
	struct sl_sock_pump_stats stats;
};

#define pump_count(pump, what, value) counter_add(&(pump)->stats.what, (value))

/* A buffer for a sender, or NULL: then it is told by net_file_got_read(). */
struct sl_sock_read *pump_get(struct sl_sock_pump *pump, struct sl_sock_sender *sender);
/* One more only if nobody waits for it. */
struct sl_sock_read *pump_get_spare(struct sl_sock_pump *pump, struct sl_sock_sender *sender);
/* Its op is idle; NULL is ignored. */
void pump_put(struct sl_sock_pump *pump, struct sl_sock_read *read);
/* The sender does not want one any more. */
void pump_unwait(struct sl_sock_pump *pump, struct sl_sock_sender *sender);

/* Whether a piece of so many bytes is sent without a copy. */
bool pump_zc_wanted(struct sl_sock_pump *pump, uint64_t len);
/* What came of it. */
void pump_zc_told(struct sl_sock_pump *pump, bool copied);

#endif
