/* SPDX-License-Identifier: MIT */
/*
 * pump.c - read buffers, the judgement on zero copy, and the counters of a ring's senders.
 *
 * A buffer is held from the read of a cold part until it has been sent, or until
 * the peer would not take it: never while a peer stalls. So few are enough for
 * any number of connections, and who waits for one waits for a disk, not for
 * somebody's peer.
 */
#include "base/bits.h"
#include "net/memory.h"
#include "net/pump.h"
#include "net/send.h"

#define READ_COUNT     16
#define READ_COUNT_MAX 1024
#define READ_BYTES     262144
#define READ_BYTES_MAX (16 << 20)
#define HOT_BYTES      (1 << 20)
#define ZC_MIN_BYTES   16384
#define BLOCK	       4096

/* If most of so many sends were copied, so many are not tried. */
#define ZC_WINDOW 16
#define ZC_PAUSE  1024

static int resolve(const struct sl_sock_pump_opts *opts, struct sl_sock_pump_opts *ret)
{
	*ret = (struct sl_sock_pump_opts){ 0 };
	if (opts && !sl_opts_known(opts, opts->size, sizeof(*ret)))
		return -EINVAL;
	if (opts)
		*ret = *opts;
	if (!ret->read_count)
		ret->read_count = READ_COUNT;
	if (!ret->read_bytes)
		ret->read_bytes = READ_BYTES;
	if (!ret->hot_bytes)
		ret->hot_bytes = HOT_BYTES;
	if (!ret->zc_min_bytes)
		ret->zc_min_bytes = ZC_MIN_BYTES;
	if (ret->read_count > READ_COUNT_MAX || ret->read_bytes > READ_BYTES_MAX ||
	    ret->hot_bytes > INT32_MAX)
		return -EINVAL;
	ret->read_bytes = (uint32_t)sl_round_up(ret->read_bytes, BLOCK);
	if (ret->hot_bytes < ret->read_bytes)
		ret->hot_bytes = ret->read_bytes;
	return 0;
}

/* Each buffer stays with its read. */
static int make_reads(struct sl_sock_pump *pump)
{
	pump->reads = net_alloc(pump->ring, pump->read_count * sizeof(*pump->reads));
	if (!pump->reads)
		return -ENOMEM;
	for (uint32_t i = 0; i < pump->read_count; i++) {
		pump->reads[i].buf = sl_buf_get(pump->pool);
		pump->reads[i].next = pump->spare;
		pump->spare = &pump->reads[i];
	}
	return 0;
}

int sl_sock_pump_create(struct sl_ring *ring, const struct sl_sock_pump_opts *opts,
			struct sl_sock_pump **ret_pump)
{
	struct sl_buf_pool_opts shape = { .align = BLOCK };
	struct sl_sock_pump_opts resolved;
	struct sl_sock_pump *pump;
	int err = resolve(opts, &resolved);

	if (err)
		return err;
	pump = net_alloc(ring, sizeof(*pump));
	if (!pump)
		return -ENOMEM;
	shape.count = resolved.read_count;
	shape.buf_bytes = resolved.read_bytes;
	pump->ring = ring;
	pump->read_count = resolved.read_count;
	err = sl_buf_pool_create(ring, &shape, &pump->pool);
	if (err == 0)
		err = make_reads(pump);
	if (err) {
		sl_sock_pump_destroy(pump);
		return err;
	}
	pump->read_bytes = resolved.read_bytes;
	pump->hot_bytes = resolved.hot_bytes;
	pump->zc_min_bytes = resolved.zc_min_bytes;
	pump->zc_able = sl_ring_caps(ring)->caps & SL_CAP_ZERO_COPY_SEND;
	pump->waiting_tail = &pump->waiting;
	*ret_pump = pump;
	return 0;
}

void sl_sock_pump_destroy(struct sl_sock_pump *pump)
{
	if (!pump)
		return;
	sl_buf_pool_destroy(pump->pool);
	net_free(pump->ring, pump->reads, pump->read_count * sizeof(*pump->reads));
	net_free(pump->ring, pump, sizeof(*pump));
}

void sl_sock_pump_stats(const struct sl_sock_pump *pump, struct sl_sock_pump_stats *ret_stats)
{
	counters_sum((uint64_t *)ret_stats, (const uint64_t *)&pump->stats,
		     sizeof(pump->stats) / sizeof(uint64_t));
}

/* ---- buffers ------------------------------------------------------------------------ */

struct sl_sock_read *pump_get_spare(struct sl_sock_pump *pump, struct sl_sock_sender *sender)
{
	struct sl_sock_read *read = pump->waiting ? NULL : pump->spare;

	if (!read)
		return NULL;
	pump->spare = read->next;
	read->next = NULL;
	read->sender = sender;
	return read;
}

struct sl_sock_read *pump_get(struct sl_sock_pump *pump, struct sl_sock_sender *sender)
{
	struct sl_sock_read *read = pump_get_spare(pump, sender);

	if (read)
		return read;
	pump_count(pump, buffer_waits, 1);
	sender->next = NULL;
	*pump->waiting_tail = sender;
	pump->waiting_tail = &sender->next;
	return NULL;
}

void pump_put(struct sl_sock_pump *pump, struct sl_sock_read *read)
{
	struct sl_sock_sender *heir = pump->waiting;

	if (!read)
		return;
	if (!heir) {
		read->next = pump->spare;
		pump->spare = read;
		return;
	}
	pump->waiting = heir->next;
	if (!pump->waiting)
		pump->waiting_tail = &pump->waiting;
	read->sender = heir;
	net_file_got_read(heir, read);
}

void pump_unwait(struct sl_sock_pump *pump, struct sl_sock_sender *sender)
{
	struct sl_sock_sender **at = &pump->waiting;

	while (*at && *at != sender)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = sender->next;
	if (pump->waiting_tail == &sender->next)
		pump->waiting_tail = at;
}

/* ---- zero copy ---------------------------------------------------------------------- */

bool pump_zc_wanted(struct sl_sock_pump *pump, uint64_t len)
{
	if (!pump->zc_able || len < pump->zc_min_bytes)
		return false;
	if (pump->zc_skip) {
		pump->zc_skip--;
		return false;
	}
	pump_count(pump, zc_sends, 1);
	return true;
}

void pump_zc_told(struct sl_sock_pump *pump, bool copied)
{
	if (copied)
		pump_count(pump, zc_copied, 1);
	pump->zc_bad += copied;
	if (++pump->zc_seen < ZC_WINDOW)
		return;
	if (pump->zc_bad > ZC_WINDOW / 2) {
		pump->zc_skip = ZC_PAUSE;
		pump_count(pump, zc_off, 1);
	}
	pump->zc_seen = pump->zc_bad = 0;
}
