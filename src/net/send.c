/* SPDX-License-Identifier: MIT */
/* send.c - pieces in their order onto a connection; see send.h for the states. */
#include <netinet/tcp.h>

#include "net/address.h"
#include "net/send.h"

#define CORK_MIN    131072 /* of a file: from here on it saves more than its two calls cost */
#define PIECE_FLAGS (SL_SOCK_PIECE_FILE | SL_SOCK_PIECE_STABLE | SL_SOCK_PIECE_MORE)

enum piece_state {
	PIECE_IDLE = 0,
	PIECE_QUEUED,
	PIECE_FLYING, /* first in the queue, its own op in flight */
	PIECE_SENT,   /* the same, and told how much was sent */
	PIECE_LEFT,   /* not in the queue any more, its own op in flight */
	PIECE_ENDED,  /* its callback is next */
};

static bool is_file(const struct sl_sock_piece *piece)
{
	return piece->flags & SL_SOCK_PIECE_FILE;
}

/* ---- the queue ---------------------------------------------------------------------- */

static void end_piece(struct sl_sock_sender *sender, struct sl_sock_piece *piece)
{
	piece->state = PIECE_ENDED;
	piece->next = NULL;
	*sender->ended_tail = piece;
	sender->ended_tail = &piece->next;
	pump_count(sender->pump, pieces, 1);
}

/* The first piece leaves the queue; one that flies ends when it has landed. */
static void leave(struct sl_sock_sender *sender, int32_t res)
{
	struct sl_sock_piece *piece = sender->head;

	sender->head = piece->next;
	if (!sender->head)
		sender->tail = &sender->head;
	sender->queued_bytes -= piece->len - piece->done_len;
	piece->res = res;
	piece->next = NULL;
	if (piece->state == PIECE_QUEUED)
		end_piece(sender, piece);
	else
		piece->state = PIECE_LEFT;
}

void net_sender_sent(struct sl_sock_sender *sender, uint64_t bytes)
{
	struct sl_sock_piece *piece = sender->head;

	piece->done_len += bytes;
	sender->queued_bytes -= bytes;
	sender->sent_bytes += bytes;
	if (piece->done_len == piece->len)
		leave(sender, 0);
}

void net_sender_fail(struct sl_sock_sender *sender, int64_t err)
{
	if (err == -ESHUTDOWN)
		err = -ECANCELED; /* the ring drains */
	if (!sender->err)
		sender->err = (int32_t)err;
	while (sender->head)
		leave(sender, sender->err);
	sender->state = net_file_release(sender) ? SENDER_IDLE : SENDER_DROP;
}

/* ---- callbacks ---------------------------------------------------------------------- */

static struct sl_sock_piece *take_ended(struct sl_sock_sender *sender)
{
	struct sl_sock_piece *piece = sender->ended;

	sender->ended = NULL;
	sender->ended_tail = &sender->ended;
	return piece;
}

static bool is_idle(const struct sl_sock_sender *sender)
{
	return sender->state == SENDER_IDLE && !sender->head && !sl_op_busy(&sender->cork);
}

void net_sender_settle(struct sl_sock_sender *sender)
{
	struct sl_sock_piece *piece = take_ended(sender), *next;
	bool tell = sender->drained && sender->untold && is_idle(sender);

	sender->settling = 1;
	for (; piece; piece = next) {
		bool last = !piece->next && !tell;

		next = piece->next;
		piece->state = PIECE_IDLE;
		if (last)
			sender->settling = 0;
		if (piece->done)
			piece->done(sender, piece);
		if (last)
			return;
		if (!next)
			next = take_ended(sender);
	}
	sender->settling = 0;
	if (!tell || !is_idle(sender))
		return;
	sender->untold = 0;
	sender->drained(sender);
}

/* ---- memory ------------------------------------------------------------------------- */

static void *rest_of(const struct sl_sock_piece *piece)
{
	return (char *)(uintptr_t)piece->data + piece->done_len;
}

static bool may_fly(const struct sl_sock_sender *sender, const struct sl_sock_piece *piece)
{
	return piece->flags & SL_SOCK_PIECE_STABLE && piece->state == PIECE_QUEUED &&
	       sender->pump->zc_able && piece->len - piece->done_len >= sender->pump->zc_min_bytes;
}

static void distribute(struct sl_sock_sender *sender, uint64_t bytes)
{
	while (bytes) {
		uint64_t left = sender->head->len - sender->head->done_len;
		uint64_t part = bytes < left ? bytes : left;

		net_sender_sent(sender, part);
		bytes -= part;
	}
}

/* Bytes of a zero-copy send that were handed over; more of them may be to come. */
static void flown(struct sl_sock_sender *sender, struct sl_sock_piece *piece, int64_t res)
{
	piece->state = PIECE_SENT;
	pump_count(sender->pump, memory_bytes, (uint64_t)res);
	net_sender_sent(sender, (uint64_t)res);
	if (sender->err)
		net_sender_fail(sender, sender->err);
	else
		net_sender_go(sender);
}

/* The kernel has let go of the memory, or the send has failed. */
static void landed(struct sl_sock_sender *sender, struct sl_sock_piece *piece)
{
	int64_t res = piece->op.res;

	sender->flying--;
	piece->zero_copy = piece->op.aux ? 2 : 1;
	if (res >= 0 || piece->state != PIECE_FLYING)
		pump_zc_told(sender->pump, piece->op.aux);
	if (piece->state == PIECE_LEFT) {
		end_piece(sender, piece);
	} else if (piece->state == PIECE_FLYING && res < 0) {
		piece->state = PIECE_QUEUED;
		net_sender_fail(sender, res);
	} else if (piece->state == PIECE_FLYING) {
		flown(sender, piece, res); /* sent and let go of in one */
		if (piece->state == PIECE_LEFT)
			end_piece(sender, piece);
		else
			piece->state = PIECE_QUEUED;
	} else {
		piece->state = PIECE_QUEUED; /* the rest of it is being copied */
	}
}

static void on_flight(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_sock_piece *piece = sl_op_of(op, struct sl_sock_piece, op);
	struct sl_sock_sender *sender = piece->sender;

	(void)ring;
	if (op->more)
		flown(sender, piece, op->res);
	else
		landed(sender, piece);
	net_sender_settle(sender);
}

static int fly(struct sl_sock_sender *sender, struct sl_sock_piece *piece)
{
	struct sl_op *op = &piece->op;
	bool more = piece->next || piece->flags & SL_SOCK_PIECE_MORE;
	int err;

	sl_op_send(op, sender->fd, rest_of(piece), piece->len - piece->done_len,
		   more ? MSG_MORE : 0);
	op->flags = SL_OP_ZC | SL_OP_PARK;
	op->done = on_flight;
	if (sender->timeout_ns)
		op->deadline_ns = sl_ring_now(sender->pump->ring) + sender->timeout_ns;
	err = sl_ring_submit(sender->pump->ring, op);
	if (err)
		return err;
	piece->state = PIECE_FLYING;
	sender->flying++;
	sender->state = SENDER_FLIGHT;
	return 0;
}

/* As many memory pieces as one call takes, into iov; what comes after them. */
static struct sl_sock_piece *gather(struct sl_sock_sender *sender, bool *ret_more)
{
	struct sl_sock_piece *piece = sender->head;
	unsigned nr = 0;

	do {
		*ret_more = piece->flags & SL_SOCK_PIECE_MORE;
		sender->iov[nr].iov_base = rest_of(piece);
		sender->iov[nr++].iov_len = piece->len - piece->done_len;
		piece = piece->next;
	} while (piece && nr < SL_SOCK_GATHER && !is_file(piece) && !may_fly(sender, piece));
	sender->gathered = (uint16_t)nr;
	*ret_more |= piece != NULL;
	return piece;
}

static int memory_go(struct sl_sock_sender *sender)
{
	struct sl_sock_piece *after;
	bool more;

	if (may_fly(sender, sender->head) &&
	    pump_zc_wanted(sender->pump, sender->head->len - sender->head->done_len))
		return fly(sender, sender->head);
	after = gather(sender, &more);
	if (after && is_file(after) && after->len > CORK_MIN)
		net_sender_cork(sender);
	sender->pump->short_nr += !after;
	sl_op_send(&sender->op, sender->fd, sender->iov[0].iov_base, sender->iov[0].iov_len,
		   more ? MSG_MORE : 0);
	if (sender->gathered > 1) {
		sender->op.buf = sender->iov;
		sender->op.len = sender->gathered;
		sender->op.flags = SL_OP_VEC;
	}
	return net_sender_submit(sender, SENDER_GATHER);
}

static void gathered(struct sl_sock_sender *sender, int64_t res)
{
	uint64_t asked = 0;

	if (res < 0) {
		net_sender_fail(sender, res);
		return;
	}
	for (unsigned i = 0; i < sender->gathered; i++)
		asked += sender->iov[i].iov_len;
	if ((uint64_t)res < asked)
		pump_count(sender->pump, stalls, 1);
	pump_count(sender->pump, memory_bytes, (uint64_t)res);
	distribute(sender, (uint64_t)res);
	if (sender->err)
		net_sender_fail(sender, sender->err);
	else
		net_sender_go(sender);
}

/* ---- corking ------------------------------------------------------------------------ */

/* On a kernel it is made before anything submitted after it, and told of before that;
 * in a simulated world it takes its time, and the end of all may have waited for it. */
static void on_cork(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_sock_sender *sender = sl_op_of(op, struct sl_sock_sender, cork);

	(void)ring;
	if (op->res < 0) {
		sender->corked = 0;
		sender->no_cork = 1; /* not TCP */
	}
	if (sender->state == SENDER_IDLE && !sender->head && !sender->err)
		net_sender_go(sender);
	net_sender_settle(sender);
}

static struct sl_op *cork_op(struct sl_sock_sender *sender, struct sl_op *op, int value)
{
	sender->cork_value = value;
	sl_op_setsockopt(op, sender->fd, IPPROTO_TCP, TCP_CORK, &sender->cork_value,
			 sizeof(sender->cork_value));
	op->flags = SL_OP_PARK;
	return op;
}

void net_sender_cork(struct sl_sock_sender *sender)
{
	if (sender->corked || sender->no_cork || sl_op_busy(&sender->cork))
		return;
	cork_op(sender, &sender->cork, 1)->done = on_cork;
	if (!sl_ring_submit(sender->pump->ring, &sender->cork))
		sender->corked = 1;
}

/* ---- moving on ---------------------------------------------------------------------- */

static void on_op(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_sock_sender *sender = sl_op_of(op, struct sl_sock_sender, op);

	(void)ring;
	switch (sender->state) {
	case SENDER_GATHER:
		gathered(sender, op->res);
		break;
	case SENDER_UNCORK:
		sender->corked = 0;
		net_sender_go(sender);
		break;
	case SENDER_STOP:
		net_sender_fail(sender, -ECANCELED);
		break;
	default:
		net_file_landed(sender);
	}
	net_sender_settle(sender);
}

int net_sender_submit(struct sl_sock_sender *sender, unsigned state)
{
	struct sl_op *op = &sender->op;
	bool on_peer = state != SENDER_LOAD && state != SENDER_LINE && state != SENDER_STOP;
	int err;

	op->flags |= SL_OP_PARK;
	op->done = on_op;
	if (sender->timeout_ns && on_peer)
		op->deadline_ns = sl_ring_now(sender->pump->ring) + sender->timeout_ns;
	err = sl_ring_submit(sender->pump->ring, op);
	if (!err)
		sender->state = (uint8_t)state;
	return err;
}

static int begin(struct sl_sock_sender *sender)
{
	while (sender->head && sender->head->done_len == sender->head->len)
		leave(sender, 0); /* empty ones end in their turn */
	if (sender->head)
		return is_file(sender->head) ? net_file_go(sender) : memory_go(sender);
	if (sender->corked && !sl_op_busy(&sender->cork)) {
		cork_op(sender, &sender->op, 0);
		return net_sender_submit(sender, SENDER_UNCORK);
	}
	return 0;
}

void net_sender_go(struct sl_sock_sender *sender)
{
	int err;

	sender->state = SENDER_IDLE;
	err = begin(sender);
	if (err)
		net_sender_fail(sender, err);
}

/* ---- the calls ---------------------------------------------------------------------- */

void sl_sock_sender_init(struct sl_sock_sender *sender)
{
	sender->tail = &sender->head;
	sender->ended_tail = &sender->ended;
}

int sl_sock_send(struct sl_sock_sender *sender, struct sl_sock_piece *piece)
{
	if (sender->err)
		return sender->err;
	if (piece->state != PIECE_IDLE || piece->flags & ~(uint32_t)PIECE_FLAGS ||
	    (!is_file(piece) && piece->len && !piece->data) || piece->off > INT64_MAX ||
	    piece->len > INT64_MAX - piece->off)
		return -EINVAL;
	piece->res = 0;
	piece->done_len = 0;
	piece->direct_len = 0;
	piece->zero_copy = 0;
	piece->state = PIECE_QUEUED;
	piece->sender = sender;
	piece->next = NULL;
	*sender->tail = piece;
	sender->tail = &piece->next;
	sender->queued_bytes += piece->len;
	sender->untold = 1;
	return 0;
}

/* Something that needs no op has nobody to tell of its end: a NOP brings it there. */
static int bring_end(struct sl_sock_sender *sender, unsigned state)
{
	sl_op_nop(&sender->op);
	return net_sender_submit(sender, state);
}

int sl_sock_flush(struct sl_sock_sender *sender)
{
	if (sender->state != SENDER_IDLE || !sender->head || sender->err)
		return 0;
	if (!sender->head->len)
		return bring_end(sender, SENDER_UNCORK);
	return begin(sender);
}

static void cancel_flight(struct sl_sock_sender *sender)
{
	if (sender->state == SENDER_AHEAD || sender->state == SENDER_DROP)
		net_file_cancel_ahead(sender);
	else if (sender->state == SENDER_FLIGHT)
		sl_ring_cancel(sender->pump->ring, &sender->head->op);
	else
		sl_ring_cancel(sender->pump->ring, &sender->op);
}

void sl_sock_sender_stop(struct sl_sock_sender *sender)
{
	if (!sender->err)
		sender->err = -ECANCELED;
	if (sender->state != SENDER_IDLE) {
		cancel_flight(sender);
		return;
	}
	if (!sender->head || !bring_end(sender, SENDER_STOP))
		return;
	/* The ring drains and takes nothing: so the end is told here. */
	net_sender_fail(sender, -ECANCELED);
	if (!sender->settling)
		net_sender_settle(sender);
}

int sl_sock_sender_busy(const struct sl_sock_sender *sender)
{
	return !is_idle(sender) || sender->flying || sender->settling || sender->ended;
}
