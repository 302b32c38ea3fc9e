/* sim_world.c - see sim_world.h. */
#include "tests/contract/sim_world.h"
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

static struct sl_sim *sim;
static struct sl_ring *outside;

static void make_world(const char *options)
{
	struct sl_sim_opts opts = { .flags = SL_SIM_THREADS };
	const char *seed = strstr(options, "seed=");

	opts.seed = seed ? strtoull(seed + 5, NULL, 0) : support_seed();
	assert_int_equal(sl_sim_create(&opts, &sim), 0);
}

static int64_t from_outside(struct sl_op *op)
{
	if (!sim)
		make_world("");
	if (!outside)
		assert_int_equal(sl_sim_ring_open(sim, 0, NULL, &outside), 0);
	return sl_ring_do(outside, op);
}

int sim_world_ring(const struct sl_ring_opts *opts, const char *options, struct sl_ring **ret_ring)
{
	uint32_t faults[SL_SIM_FAULTS] = { 0 };

	if (!sim)
		make_world(options);
	if (strstr(options, "short"))
		faults[SL_SIM_SHORT] = 1000000;
	sl_sim_chances(sim, faults);
	return sl_sim_ring_open(sim, 0, opts, ret_ring);
}

int sim_world_open(const char *name, int flags)
{
	const struct sl_open_how how = { .flags = (uint64_t)flags,
					 .mode = flags & O_CREAT ? 0600 : 0 };
	struct sl_op op = { 0 };

	return (int)from_outside(sl_op_open(&op, AT_FDCWD, name, &how));
}

int sim_world_file(void)
{
	static unsigned turn;
	char name[32];

	snprintf(name, sizeof(name), "file-%u", turn++);
	return sim_world_open(name, O_RDWR | O_CREAT | O_EXCL);
}

static int new_socket(void)
{
	struct sl_op op = { 0 };

	return (int)from_outside(sl_op_socket(&op, AF_UNIX, SOCK_STREAM, 0));
}

/* A listener for the moment, in the name of the first end. */
void sim_world_pair(int ret_handles[2])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int client, listener;
	struct sl_op op = { 0 };

	client = new_socket();
	listener = new_socket();
	snprintf(address.sun_path + 1, 32, "pair-of-%d", client);
	assert_int_equal(from_outside(sl_op_bind(&op, listener, (const void *)&address, 40)), 0);
	assert_int_equal(from_outside(sl_op_listen(&op, listener, 1)), 0);
	assert_int_equal(from_outside(sl_op_connect(&op, client, (const void *)&address, 40)), 0);
	ret_handles[0] = client;
	ret_handles[1] = (int)from_outside(sl_op_accept(&op, listener, NULL, NULL, 0));
	assert_true(ret_handles[1] >= 0);
	assert_int_equal(from_outside(sl_op_close(&op, listener)), 0);
}

void sim_world_close(int handle)
{
	struct sl_op op = { 0 };

	assert_int_equal(from_outside(sl_op_close(&op, handle)), 0);
}

int64_t sim_world_put(int handle, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct sl_op op = { 0 };
		int64_t n = from_outside(sl_op_send(&op, handle, (const char *)buf + done,
						    len - done, MSG_DONTWAIT));

		if (n < 0)
			return done ? (int64_t)done : n;
		done += (size_t)n;
	}
	return (int64_t)done;
}

size_t sim_world_take(int handle, void *buf, size_t len)
{
	struct sl_op op = { 0 };
	int64_t n = from_outside(sl_op_recv(&op, handle, buf, len, MSG_DONTWAIT));

	return n > 0 ? (size_t)n : 0;
}
