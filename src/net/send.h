/* SPDX-License-Identifier: MIT */
/*
 * send.h - the sender from inside: what send.c and send_file.c share.
 *
 *	IDLE --flush--> by the kind of the first piece:
 *	   memory: GATHER (one op for up to SL_SOCK_GATHER pieces), or FLIGHT (no copy,
 *	           by the piece's own op, until it is sent)
 *	   a file: SLICE --hot--> SLICE ... --peer is full--> ROOM --> SLICE
 *	             |cold
 *	             +--> [LINE] --> LOAD --> COPY --all taken--> SLICE, or AHEAD --> COPY
 *	                                        |
 *	                                        +--not all: drop it--> [DROP] --> ROOM
 *	... until nothing is queued: [UNCORK] --> IDLE
 *
 * Invariants:
 *  N1. Unless IDLE one op is in flight that moves the sender on: its op, in FLIGHT
 *      that of the piece, in AHEAD the first of the reads ahead, in DROP the last that ends
 *      of them. In LINE it is a timer
 *      that never comes, cancelled when there is a buffer. Calls from outside
 *      only queue, note and cancel.
 *  N2. Buffers of the pump are held in LOAD, COPY, AHEAD and DROP only, never in
 *      ROOM: a peer that stalls costs no buffer. What was read for it is in the page
 *      cache, or is read again.
 *  N3. A piece leaves the queue when all of it was handed over or failed, and ends
 *      when besides its own op is idle. Callbacks run last, in net_sender_settle(),
 *      and after the last of them nothing here is touched.
 */
#ifndef SLUICE_NET_SEND_H
#define SLUICE_NET_SEND_H

#include "net/pump.h"

enum sender_state {
	SENDER_IDLE = 0,
	SENDER_GATHER,
	SENDER_FLIGHT,
	SENDER_SLICE,
	SENDER_ROOM,
	SENDER_LINE,
	SENDER_LOAD,
	SENDER_COPY,
	SENDER_AHEAD,
	SENDER_DROP,
	SENDER_UNCORK,
	SENDER_STOP, /* a NOP brings the end of what was never flushed */
};

/* ---- send.c ------------------------------------------------------------------------- */

/* Hands sender->op to the ring; 0 or -errno. */
int net_sender_submit(struct sl_sock_sender *sender, unsigned state);
/* Bytes of the first piece were handed over; it leaves when that was all. */
void net_sender_sent(struct sl_sock_sender *sender, uint64_t bytes);
/* The first failure: all that is queued leaves with it, and what is held is given back. */
void net_sender_fail(struct sl_sock_sender *sender, int64_t err);
/* Begins with what is first in the queue. */
void net_sender_go(struct sl_sock_sender *sender);
/* From now on packets that are not full are held back, until the queue is empty. */
void net_sender_cork(struct sl_sock_sender *sender);
/* Runs the callbacks of what has ended. */
void net_sender_settle(struct sl_sock_sender *sender);

/* ---- send_file.c -------------------------------------------------------------------- */

/* Begins with, or goes on with, the file that is first in the queue; 0 or -errno. */
int net_file_go(struct sl_sock_sender *sender);
/* Bytes of a file that are sent before others get their turn: few while there are others whose
 * answers are short. */
static inline uint32_t net_file_slice(struct sl_sock_sender *sender)
{
	if (!sender->slice_bytes || sender->short_seen != sender->pump->short_nr)
		sender->slice_bytes = sender->pump->read_bytes;
	sender->short_seen = sender->pump->short_nr;
	return sender->slice_bytes;
}
/* sender->op has completed, in one of the states of files. */
void net_file_landed(struct sl_sock_sender *sender);
/* A buffer for a sender in LINE. */
void net_file_got_read(struct sl_sock_sender *sender, struct sl_sock_read *read);
/* Gives back what the sender holds of the pump; false: a read is still under way. */
bool net_file_release(struct sl_sock_sender *sender);
/* Has the reads ahead end soon. */
void net_file_cancel_ahead(struct sl_sock_sender *sender);

#endif
