/* SPDX-License-Identifier: MIT */
/* optable.h - the one authoritative table of operations. */
#ifndef SLUICE_ENGINE_OPTABLE_H
#define SLUICE_ENGINE_OPTABLE_H

#include <stdint.h>
#include <sluice/caps.h>
#include <sluice/op.h>

enum sl_op_trait {
	SL_OP_READS = 1 << 0,	  /* bytes flow to the caller */
	SL_OP_WRITES = 1 << 1,	  /* bytes flow from the caller */
	SL_OP_ON_FD = 1 << 2,	  /* fd names what the op is on (cancel_fd, close) */
	SL_OP_AT_OFF = 1 << 3,	  /* off is a file offset; explicit means "run to the end" */
	SL_OP_STREAM_IN = 1 << 4, /* ordered with others when the descriptor is kept */
	SL_OP_STREAM_OUT = 1 << 5,
};

struct sl_op_info {
	const char *name;
	uint8_t group;	/* enum sl_group */
	uint8_t route;	/* enum sl_route where the backend does not take it */
	uint8_t traits; /* enum sl_op_trait */
	uint16_t flags; /* enum sl_op_flag it knows */
};

extern const struct sl_op_info sl_op_table[SL_OP_CODES];

#endif
