/* SPDX-License-Identifier: MIT */
/* note.h - from the transfers of a ring to ops of the trace. */
#ifndef SLUICE_BACKEND_RECORD_NOTE_H
#define SLUICE_BACKEND_RECORD_NOTE_H

#include "backend/record/log.h"
#include "engine/backend.h"

/* What was so when a transfer began; one for each slot. */
struct record_mark {
	uint64_t begin;
	uint64_t dir, dir2;	  /* of the names; 0: not ours */
	struct log_inode *entry;  /* what the name or descriptor stands for; NULL: not ours */
	struct log_inode *entry2; /* what the second name stands for */
};

struct recorder {
	struct sl_ring *ring;
	struct log log;
	struct record_mark *marks; /* depth of them */
	bool told;		   /* the ring's log knows that the trace has ended */
};

void recorder_began(struct recorder *rec, const struct sl_slot *slot);
void recorder_ended(struct recorder *rec, const struct sl_slot *slot, int64_t res);

#endif
