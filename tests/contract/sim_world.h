/*
 * sim_world.h - the contract's descriptors in a simulated world.
 *
 * One world for the process. What the tests do from outside of the ring under
 * test is done by ops on a second ring of the same machine. The option "short"
 * lets every transfer that can stop somewhere; "seed=N" is the world's seed.
 */
#ifndef SLUICE_TESTS_CONTRACT_SIM_WORLD_H
#define SLUICE_TESTS_CONTRACT_SIM_WORLD_H

#include <stddef.h>
#include <stdint.h>
#include <sluice/ring.h>

int sim_world_ring(const struct sl_ring_opts *opts, const char *options, struct sl_ring **ret_ring);
int sim_world_file(void);
int sim_world_open(const char *name, int flags);
void sim_world_pair(int ret_handles[2]);
void sim_world_close(int handle);
/* Bytes moved, or -EAGAIN when full. */
int64_t sim_world_put(int handle, const void *buf, size_t len);
size_t sim_world_take(int handle, void *buf, size_t len);

#endif
