/* turn.h: what the runner has a contender do: open, run one block under proof, shut. */
#ifndef SLUICE_TOOLS_BENCH_TURN_H
#define SLUICE_TOOLS_BENCH_TURN_H

#include "contender.h"

/**
 * turn_open - make its buffer, descriptor and whatever its mechanism needs.
 * @c: its @env set; unavailable or void afterwards when something is missing.
 */
void turn_open(struct contender *c);

/**
 * turn_prove - of those that send: let the receiver compare the first operations, byte by byte.
 * @c: opened, CONTENDER_RAN; others than senders are left alone.
 *
 * Who sends anything but the file, or claims a copy that never was, is void; who copies where it
 * need not says so from now on.
 */
void turn_prove(struct contender *c);

/**
 * turn_run - run one block from the workload's state of the page cache.
 * @c: opened, CONTENDER_RAN.
 * @nr: operations.
 * @cell: what it cost; written when the block is valid.
 *
 * A failure, or a proof that it did not do what its name says, settles its status.
 *
 * Return: whether the block is valid.
 */
bool turn_run(struct contender *c, uint64_t nr, struct meter_cell *cell);

/**
 * turn_shut - undo turn_open().
 * @c: opened or not.
 */
void turn_shut(struct contender *c);

#endif
