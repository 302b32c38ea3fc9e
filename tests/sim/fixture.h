/* fixture.h - a world, rings on it, and straight-line calls for the tests of the simulator. */
#ifndef SLUICE_TESTS_SIM_FIXTURE_H
#define SLUICE_TESTS_SIM_FIXTURE_H

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sluice/file.h>
#include <sluice/ring.h>
#include <sluice/sim.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))
#define MS	  INT64_C(1000000)
#define SECOND	  (1000 * MS)

static const char *const profiles[] = { "posix", "ext4", "xfs", "btrfs" };

static inline struct sl_sim *make_world(const struct sl_sim_opts *opts)
{
	struct sl_sim *sim;

	assert_int_equal(sl_sim_create(opts, &sim), 0);
	return sim;
}

static inline struct sl_sim *world_of(uint64_t seed)
{
	return make_world(&(struct sl_sim_opts){ .seed = seed });
}

static inline struct sl_ring *ring_on(struct sl_sim *sim, unsigned machine)
{
	struct sl_ring *ring;

	assert_int_equal(sl_sim_ring_open(sim, machine, NULL, &ring), 0);
	return ring;
}

static inline int64_t do_open(struct sl_ring *ring, const char *path, uint64_t flags)
{
	const struct sl_open_how how = { .flags = flags, .mode = flags & O_CREAT ? 0644 : 0 };
	struct sl_op op = { 0 };

	return sl_ring_do(ring, sl_op_open(&op, AT_FDCWD, path, &how));
}

static inline int open_file(struct sl_ring *ring, const char *path)
{
	int64_t fd = do_open(ring, path, O_RDWR | O_CREAT);

	assert_true(fd >= 0);
	return (int)fd;
}

static inline int64_t do_write(struct sl_ring *ring, int fd, const void *buf, size_t len,
			       uint64_t off)
{
	struct sl_op op = { 0 };

	return sl_ring_do(ring, sl_op_write(&op, fd, buf, len, off));
}

static inline int64_t do_read(struct sl_ring *ring, int fd, void *buf, size_t len, uint64_t off)
{
	struct sl_op op = { 0 };

	return sl_ring_do(ring, sl_op_read(&op, fd, buf, len, off));
}

static inline int64_t do_sync(struct sl_ring *ring, int fd)
{
	struct sl_op op = { 0 };

	return sl_ring_do(ring, sl_op_fdatasync(&op, fd));
}

/* Makes the names in the root directory durable. */
static inline int64_t sync_root(struct sl_ring *ring)
{
	struct sl_op op = { 0 };
	int64_t dir = do_open(ring, "/", O_RDONLY | O_DIRECTORY);
	int64_t res = sl_ring_do(ring, sl_op_sync_dir(&op, (int)dir));

	sl_ring_do(ring, sl_op_close(&op, (int)dir));
	return res;
}

/* Power off and on; the ring is closed and a new one opened. */
static inline struct sl_ring *cut_and_restart(struct sl_sim *sim, struct sl_ring *ring)
{
	assert_int_equal(sl_sim_power_cut(sim, 0), 0);
	sl_ring_close(ring);
	assert_int_equal(sl_sim_restart(sim, 0), 0);
	return ring_on(sim, 0);
}

static inline void end_world(struct sl_sim *sim, struct sl_ring *ring)
{
	sl_ring_close(ring);
	sl_sim_destroy(sim);
}

static inline struct sl_sim_info info_of(const struct sl_sim *sim)
{
	struct sl_sim_info info;

	sl_sim_info(sim, &info);
	return info;
}

#endif
