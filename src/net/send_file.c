/* SPDX-License-Identifier: MIT */
/*
 * send_file.c - a file onto a connection: out of the page cache where it is there, else read.
 *
 * Each slice is asked for by SL_OP_SENDFILE, which sends what is cached and never
 * waits for a disk. A cold slice is read by the ring, into a buffer of the pump,
 * and sent without waiting: what the peer does not take at once is dropped, and
 * asked for again when it takes more. Read past the page cache (direct_fd) nobody
 * reads ahead for us, so the next parts are read while one is being sent.
 */
#include <poll.h>

#include "base/bits.h"
#include "net/address.h"
#include "net/send.h"

#define BLOCK 4096
/* Parts of a file read at once besides the one being sent: a disk wants to be asked for several. */
#define AHEAD_MAX 3
/* So many of them after a look that found nothing cached, twice as many after each further one, up
 * to so many: then it is looked again, since what comes next may be cached. */
#define COLD_RUN     4
#define COLD_RUN_MAX 128

enum {
	MODE_UNKNOWN = 0,
	MODE_NONBLOCK,
	MODE_OTHER,
};

static uint64_t left_of(const struct sl_sock_piece *piece)
{
	return piece->len - piece->done_len;
}

static uint64_t offset_of(const struct sl_sock_piece *piece)
{
	return piece->off + piece->done_len;
}

static bool is_direct(const struct sl_sock_piece *piece)
{
	return piece->direct_fd > 0;
}

/* Asked once: whether the socket needs to be looked at before each slice. */
static bool is_nonblock(struct sl_sock_sender *sender)
{
	struct sl_desc desc;

	if (sender->nonblock == MODE_UNKNOWN) {
		sender->nonblock = MODE_OTHER;
		if (!sl_ring_describe(sender->pump->ring, sender->fd, &desc) &&
		    desc.flags & SL_DESC_NONBLOCK)
			sender->nonblock = MODE_NONBLOCK;
	}
	return sender->nonblock == MODE_NONBLOCK;
}

/* ---- what is cached ----------------------------------------------------------------- */

int net_file_go(struct sl_sock_sender *sender)
{
	struct sl_sock_piece *piece = sender->head;
	uint64_t len = left_of(piece);

	if (len > net_file_slice(sender)) {
		len = sender->slice_bytes;
		net_sender_cork(sender);
	}
	sl_op_sendfile(&sender->op, sender->fd, piece->file_fd, offset_of(piece), len);
	if (is_nonblock(sender))
		sender->op.flags = SL_OP_NOWAIT;
	return net_sender_submit(sender, SENDER_SLICE);
}

/* Waits until the peer takes more. */
static int await_room(struct sl_sock_sender *sender)
{
	pump_count(sender->pump, stalls, 1);
	sl_op_poll(&sender->op, sender->fd, POLLOUT);
	return net_sender_submit(sender, SENDER_ROOM);
}

static void room(struct sl_sock_sender *sender)
{
	int err = await_room(sender);

	if (err)
		net_sender_fail(sender, err);
}

static void grow_slice(struct sl_sock_sender *sender)
{
	uint64_t twice = (uint64_t)sender->slice_bytes * 2;

	sender->slice_bytes = twice < sender->pump->hot_bytes ? (uint32_t)twice :
								sender->pump->hot_bytes;
}

static void slice_sent(struct sl_sock_sender *sender, uint64_t bytes)
{
	bool all = bytes == sender->op.len;

	sender->cold_run = 0;
	pump_count(sender->pump, hot_slices, 1);
	pump_count(sender->pump, hot_bytes, bytes);
	if (all)
		grow_slice(sender);
	net_sender_sent(sender, bytes);
	if (sender->err)
		net_sender_fail(sender, sender->err);
	else if (all || sender->nonblock != MODE_NONBLOCK)
		net_sender_go(sender);
	else
		room(sender);
}

/* ---- what is not -------------------------------------------------------------------- */

/* A read of the next part of a file, from off on. */
static void prepare_read(const struct sl_sock_sender *sender, struct sl_op *op, void *buf,
			 uint64_t off)
{
	const struct sl_sock_piece *piece = sender->head;
	uint64_t left = piece->off + piece->len - off;
	uint64_t skew = is_direct(piece) ? off & (BLOCK - 1) : 0;
	uint64_t len = left + skew;

	if (is_direct(piece))
		len = sl_round_up(len, BLOCK);
	if (len > sender->pump->read_bytes)
		len = sender->pump->read_bytes;
	sl_op_read(op, is_direct(piece) ? piece->direct_fd : piece->file_fd, buf, len, off - skew);
}

static int load(struct sl_sock_sender *sender)
{
	prepare_read(sender, &sender->op, sender->read->buf, offset_of(sender->head));
	return net_sender_submit(sender, SENDER_LOAD);
}

static uint16_t twice_as_cold(uint16_t run)
{
	return run < COLD_RUN_MAX / 2 ? (uint16_t)(run * 2) : COLD_RUN_MAX;
}

static int load_or_line_up(struct sl_sock_sender *sender)
{
	int err;

	sender->slice_bytes = sender->pump->read_bytes;
	sender->cold_run = sender->cold_run ? twice_as_cold(sender->cold_run) : COLD_RUN;
	sender->cold_left = sender->cold_run;
	pump_count(sender->pump, cold_slices, 1);
	sender->read = pump_get(sender->pump, sender);
	if (sender->read)
		return load(sender);
	sl_op_timer(&sender->op, INT64_MAX, 0);
	err = net_sender_submit(sender, SENDER_LINE);
	if (err)
		pump_unwait(sender->pump, sender);
	return err;
}

void net_file_got_read(struct sl_sock_sender *sender, struct sl_sock_read *read)
{
	sender->read = read;
	sl_ring_cancel(sender->pump->ring, &sender->op);
}

static void on_ahead(struct sl_ring *ring, struct sl_op *op);

/* One more, of what begins at off. Return: it, or NULL. */
static struct sl_sock_read *begin_ahead(struct sl_sock_sender *sender, uint64_t off)
{
	struct sl_sock_read *read;

	if (!sender->cold_left)
		return NULL;
	read = pump_get_spare(sender->pump, sender);
	if (!read)
		return NULL;
	prepare_read(sender, &read->op, read->buf, off);
	read->op.flags = SL_OP_PARK;
	read->op.done = on_ahead;
	if (sl_ring_submit(sender->pump->ring, &read->op) == 0) {
		sender->cold_left--;
		return read;
	}
	pump_put(sender->pump, read);
	return NULL;
}

/* What comes after off, and after what is being read already. */
static void read_ahead(struct sl_sock_sender *sender, uint64_t off)
{
	const struct sl_sock_piece *piece = sender->head;
	struct sl_sock_read **at = &sender->ahead;

	for (unsigned nr = 0; nr < AHEAD_MAX; nr++, at = &(*at)->next) {
		if (!*at && off < piece->off + piece->len)
			*at = begin_ahead(sender, off);
		if (!*at)
			return;
		off = (*at)->op.off + (*at)->op.len;
	}
}

static int copy(struct sl_sock_sender *sender)
{
	struct sl_sock_piece *piece = sender->head;
	bool more = left_of(piece) > sender->buf_len || piece->next;

	sl_op_send(&sender->op, sender->fd, sender->read->buf + sender->buf_at, sender->buf_len,
		   MSG_DONTWAIT | (more ? MSG_MORE : 0));
	return net_sender_submit(sender, SENDER_COPY);
}

/* A read from read_off on has brought res bytes. */
static void loaded(struct sl_sock_sender *sender, int64_t res, uint64_t read_off)
{
	struct sl_sock_piece *piece = sender->head;
	uint64_t skew = offset_of(piece) - read_off, end;
	int err;

	if (sender->err || res < 0 || (uint64_t)res <= skew) {
		net_sender_fail(sender, res < 0 ? res : -ENODATA);
		return;
	}
	end = (uint64_t)res - skew < left_of(piece) ? (uint64_t)res : skew + left_of(piece);
	sender->buf_at = (uint32_t)skew;
	sender->buf_len = (uint32_t)(end - skew);
	err = copy(sender);
	if (err)
		net_sender_fail(sender, err);
	else if (is_direct(piece) && left_of(piece) > sender->buf_len)
		read_ahead(sender, offset_of(piece) + sender->buf_len);
}

/* The first of those ahead is there, and its turn has come. */
static void use_ahead(struct sl_sock_sender *sender)
{
	struct sl_sock_read *read = sender->ahead;

	sender->ahead = read->next;
	sender->read = read;
	loaded(sender, read->op.res, read->op.off);
}

static void put_read(struct sl_sock_sender *sender)
{
	struct sl_sock_read *read = sender->read;

	sender->read = NULL;
	pump_put(sender->pump, read);
}

/* All of the buffer was taken: what comes next may have been read already. */
static void copied(struct sl_sock_sender *sender)
{
	put_read(sender);
	if (!sender->ahead)
		net_sender_go(sender);
	else if (sl_op_busy(&sender->ahead->op))
		sender->state = SENDER_AHEAD;
	else
		use_ahead(sender);
}

/* The peer did not take all: no buffer is kept for it. */
static void stalled(struct sl_sock_sender *sender)
{
	uint64_t dropped = sender->buf_len;

	for (const struct sl_sock_read *read = sender->ahead; read; read = read->next) {
		if (!sl_op_busy(&read->op) && read->op.res > 0)
			dropped += (uint64_t)read->op.res;
	}
	pump_count(sender->pump, reread_bytes, dropped);
	if (net_file_release(sender))
		room(sender);
	else
		sender->state = SENDER_DROP;
}

static void copy_sent(struct sl_sock_sender *sender, int64_t res)
{
	struct sl_sock_piece *piece = sender->head;
	uint64_t bytes = res > 0 ? (uint64_t)res : 0;

	if (res < 0 && res != -EAGAIN) {
		net_sender_fail(sender, res);
		return;
	}
	pump_count(sender->pump, cold_bytes, bytes);
	if (is_direct(piece)) {
		piece->direct_len += bytes;
		pump_count(sender->pump, direct_bytes, bytes);
	}
	sender->buf_at += (uint32_t)bytes;
	sender->buf_len -= (uint32_t)bytes;
	if (bytes)
		net_sender_sent(sender, bytes);
	if (sender->err)
		net_sender_fail(sender, sender->err);
	else if (sender->buf_len)
		stalled(sender);
	else
		copied(sender);
}

void net_file_cancel_ahead(struct sl_sock_sender *sender)
{
	for (struct sl_sock_read *read = sender->ahead; read; read = read->next)
		sl_ring_cancel(sender->pump->ring, &read->op);
}

static bool is_reading_ahead(const struct sl_sock_sender *sender)
{
	for (const struct sl_sock_read *read = sender->ahead; read; read = read->next) {
		if (sl_op_busy(&read->op))
			return true;
	}
	return false;
}

bool net_file_release(struct sl_sock_sender *sender)
{
	struct sl_sock_read *read;

	if (sender->state == SENDER_LINE && !sender->read)
		pump_unwait(sender->pump, sender);
	put_read(sender);
	if (is_reading_ahead(sender)) {
		net_file_cancel_ahead(sender);
		return false;
	}
	while ((read = sender->ahead)) {
		sender->ahead = read->next;
		pump_put(sender->pump, read);
	}
	return true;
}

/* All that was read ahead is given back: what failed ends, what was dropped is waited for. */
static void drop_rest(struct sl_sock_sender *sender)
{
	if (!net_file_release(sender))
		return;
	if (sender->err)
		net_sender_fail(sender, sender->err);
	else
		room(sender);
}

static void on_ahead(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_sock_read *read = sl_op_of(op, struct sl_sock_read, op);
	struct sl_sock_sender *sender = read->sender;

	(void)ring;
	if (sender->state == SENDER_AHEAD && read == sender->ahead)
		use_ahead(sender);
	else if (sender->state == SENDER_DROP)
		drop_rest(sender);
	else
		return; /* one is being sent: this one waits for its turn */
	net_sender_settle(sender);
}

/* ---- moving on ---------------------------------------------------------------------- */

static void slice_landed(struct sl_sock_sender *sender, int64_t res)
{
	int err = 0;

	if (res > 0)
		slice_sent(sender, (uint64_t)res);
	else if (sender->err || (res < 0 && res != -EAGAIN))
		net_sender_fail(sender, res < 0 ? res : sender->err);
	else if (res == -EAGAIN)
		room(sender);
	else if (sender->op.aux == SL_SENDFILE_COLD)
		err = load_or_line_up(sender);
	else
		err = -ENODATA; /* the file ends before the piece does */
	if (err)
		net_sender_fail(sender, err);
}

void net_file_landed(struct sl_sock_sender *sender)
{
	int64_t res = sender->op.res;
	int err = 0;

	switch (sender->state) {
	case SENDER_SLICE:
		slice_landed(sender, res);
		break;
	case SENDER_ROOM:
		if (res < 0 || sender->err)
			net_sender_fail(sender, res < 0 ? res : sender->err);
		else
			net_sender_go(sender);
		break;
	case SENDER_LINE:
		err = sender->read && !sender->err ? load(sender) : -ECANCELED;
		break;
	case SENDER_LOAD:
		loaded(sender, res, sender->op.off);
		break;
	default:
		copy_sent(sender, res);
	}
	if (err)
		net_sender_fail(sender, err);
}
