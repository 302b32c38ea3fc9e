/* memory_world.h - the files, streams and listeners behind the memory backend. */
#ifndef SLUICE_TESTS_CONTRACT_MEMORY_WORLD_H
#define SLUICE_TESTS_CONTRACT_MEMORY_WORLD_H

#include "engine/backend.h"

/* A limit on the bytes of one transfer, chosen by the caller. */
#define MEMORY_ALL UINT64_MAX

/* Whether the transfer of slot would end now (with bytes or an error). */
bool memory_ready(const struct sl_slot *slot);

/* Carries it out, at most limit bytes; res as a system call would give it. */
int64_t memory_perform(struct sl_slot *slot, uint64_t limit);

/* Bytes that the transfer of slot asks for. */
uint64_t memory_asked(const struct sl_slot *slot);

/* The least that a transfer of slot moves: a sector of a direct file, else 1. */
uint32_t memory_sector(const struct sl_slot *slot);

int memory_describe(int handle, struct sl_desc *ret_desc);

#endif
