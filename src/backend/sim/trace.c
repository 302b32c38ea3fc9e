/* SPDX-License-Identifier: MIT */
/*
 * trace.c - what happened, as a hash always and as lines for those who ask.
 *
 * The hash takes in time, machine, operation, arguments and result of every op,
 * and of a write the first and last bytes: runs that differ in anything that
 * matters differ in it.
 */
#include <stdio.h>
#include <string.h>

#include "backend/sim/world.h"

static void mix(struct sl_sim *sim, uint64_t value)
{
	sim->info.hash = (sim->info.hash ^ value) * 0x9e3779b97f4a7c15u;
	sim->info.hash ^= sim->info.hash >> 29;
}

static void mix_bytes(struct sl_sim *sim, const void *buf, uint64_t len)
{
	uint64_t first = 0, last = 0;
	size_t nr = len < 8 ? len : 8;

	memcpy(&first, buf, nr);
	memcpy(&last, (const char *)buf + len - nr, nr);
	mix(sim, first);
	mix(sim, last);
}

static void mix_text(struct sl_sim *sim, const char *text)
{
	while (*text)
		mix(sim, (unsigned char)*text++);
}

/* The path of an operation on names, or NULL. */
static const char *path_of(const struct sim_task *task)
{
	const struct sl_op *op = task->slot->op;

	switch (op->code) {
	case SL_OP_OPEN:
	case SL_OP_STAT:
	case SL_OP_SYMLINK:
	case SL_OP_UNLINK:
	case SL_OP_MKDIR:
		return op->buf;
	case SL_OP_LINK:
	case SL_OP_RENAME:
		return ((const struct sl_name_pair *)op->buf)->target;
	default:
		return NULL;
	}
}

static bool moves_one_buffer(const struct sl_slot *slot)
{
	return (slot->code == SL_OP_WRITE || slot->code == SL_OP_SEND) &&
	       !(slot->flags & SL_OP_VEC);
}

static void tell(struct sl_sim *sim, const struct sim_task *task, const char *path)
{
	const struct sl_slot *slot = task->slot;
	char line[256];

	snprintf(line, sizeof(line), "%.3f us m%u %s fd=%d off=%lld len=%llu%s%s = %lld%s%s",
		 (double)(sim->now_ns - SIM_CLOCK_START) / 1000, task->ring->machine->number,
		 sl_op_name(slot->code), slot->fd, (long long)slot->off,
		 (unsigned long long)slot->len, path ? " " : "", path ? path : "",
		 (long long)task->res, task->res < 0 ? " " : "",
		 task->res < 0 ? sl_err_name((int)task->res) : "");
	sim->opts.trace(sim->opts.trace_ctx, line);
}

void sim_trace(struct sl_sim *sim, const struct sim_task *task)
{
	const struct sl_slot *slot = task->slot;
	const char *path = path_of(task);

	mix(sim, (uint64_t)sim->now_ns);
	mix(sim, (uint64_t)slot->code << 32 | task->ring->machine->number);
	mix(sim, (uint64_t)(uint32_t)slot->fd << 32 ^ slot->len);
	mix(sim, slot->off);
	mix(sim, (uint64_t)task->res);
	if (moves_one_buffer(slot) && slot->len && task->res > 0)
		mix_bytes(sim, slot->buf, slot->len);
	if (path)
		mix_text(sim, path);
	if (sim->opts.trace)
		tell(sim, task, path);
}

void sim_trace_event(struct sl_sim *sim, const char *what, unsigned machine)
{
	char line[128];

	mix(sim, (uint64_t)sim->now_ns);
	mix_text(sim, what);
	if (!sim->opts.trace)
		return;
	snprintf(line, sizeof(line), "%.3f us m%u %s",
		 (double)(sim->now_ns - SIM_CLOCK_START) / 1000, machine, what);
	sim->opts.trace(sim->opts.trace_ctx, line);
}
