/* SPDX-License-Identifier: MIT */
/* pump.h - what the senders of a ring share, from inside. */
#ifndef SLUICE_NET_PUMP_H
#define SLUICE_NET_PUMP_H

#include <stdbool.h>
#include <sluice/buf.h>
#include <sluice/ring.h>
#include <sluice/sock.h>

#include "net/counter.h"

struct sl_sock_pump {
	struct sl_ring *ring;
	struct sl_buf_pool *pool;
	uint32_t read_bytes;
	uint32_t hot_bytes;
	uint32_t zc_min_bytes;
	bool zc_able;
	uint32_t zc_seen;		/* notifications in the window now */
	uint32_t zc_bad;		/* of these: copied */
	uint32_t zc_skip;		/* so many sends are not asked to be without a copy */
	struct sl_sock_sender *waiting; /* for a buffer, in their order */
	struct sl_sock_sender **waiting_tail;
	struct sl_sock_pump_stats stats;
};

#define pump_count(pump, what, value) counter_add(&(pump)->stats.what, (value))

/* A read buffer, or NULL: then the sender is told by net_file_got_buffer(). */
void *pump_get(struct sl_sock_pump *pump, struct sl_sock_sender *sender);
/* One more only if nobody waits for it. */
void *pump_get_spare(struct sl_sock_pump *pump);
void pump_put(struct sl_sock_pump *pump, void *buf);
/* The sender does not want one any more. */
void pump_unwait(struct sl_sock_pump *pump, struct sl_sock_sender *sender);

/* Whether a piece of so many bytes is sent without a copy. */
bool pump_zc_wanted(struct sl_sock_pump *pump, uint64_t len);
/* What came of it. */
void pump_zc_told(struct sl_sock_pump *pump, bool copied);

#endif
