/* accept.c: acceptors: many connections, pause, exhaustion, every way to end. */
#include "tests/net/tests.h"

#include <sys/resource.h>
#include <unistd.h>

struct door {
	struct sl_sock_acceptor acceptor;
	struct sl_sock_addr addr;
	int got[64];
	unsigned nr;
	unsigned ends;
	int err;
};

static void on_connection(struct sl_sock_acceptor *acceptor, int fd)
{
	struct door *door = acceptor->user;

	assert_true(door->nr < NR(door->got));
	door->got[door->nr++] = fd;
}

static void on_end(struct sl_sock_acceptor *acceptor, int err)
{
	struct door *door = acceptor->user;

	door->ends++;
	door->err = err;
}

static void open_door(struct door *door)
{
	memset(door, 0, sizeof(*door));
	door->acceptor.fd = net_listen(&door->addr);
	door->acceptor.accepted = on_connection;
	door->acceptor.ended = on_end;
	door->acceptor.user = door;
	assert_int_equal(sl_sock_accept(net_ring(), &door->acceptor), 0);
}

static void end_door(struct door *door)
{
	sl_sock_accept_stop(&door->acceptor);
	UNTIL(door->ends);
	assert_int_equal(door->err, -ECANCELED);
	assert_int_equal(door->ends, 1);
}

void one_acceptor_takes_all_connections(void **state)
{
	struct door door;

	(void)state;
	open_door(&door);
	for (unsigned i = 0; i < 20; i++)
		net_connect(&door.addr);
	UNTIL(door.nr == 20);
	assert_int_equal(door.acceptor.accepted_nr, 20);
	net_put(door.got[7], "x", 1);
	end_door(&door);
}

void an_acceptor_that_is_paused_leaves_connections_in_the_backlog(void **state)
{
	struct door door;

	(void)state;
	open_door(&door);
	net_connect(&door.addr);
	UNTIL(door.nr == 1);
	sl_sock_accept_pause(&door.acceptor);
	net_quiesce();
	net_connect(&door.addr);
	net_quiesce();
	assert_int_equal(door.nr, 1);
	sl_sock_accept_resume(&door.acceptor);
	UNTIL(door.nr == 2);
	sl_sock_accept_pause(&door.acceptor);
	sl_sock_accept_resume(&door.acceptor);
	sl_sock_accept_pause(&door.acceptor);
	sl_sock_accept_resume(&door.acceptor);
	net_connect(&door.addr);
	UNTIL(door.nr == 3);
	assert_int_equal(door.ends, 0);
	sl_sock_accept_pause(&door.acceptor);
	net_quiesce();
	end_door(&door);
}

void an_acceptor_may_begin_anew_after_its_end(void **state)
{
	struct door door;

	(void)state;
	open_door(&door);
	assert_int_equal(sl_sock_accept(net_ring(), &door.acceptor), -EINVAL);
	end_door(&door);
	assert_int_equal(sl_sock_accept(net_ring(), &door.acceptor), 0);
	net_connect(&door.addr);
	UNTIL(door.nr == 1);
	door.ends = 0;
	end_door(&door);
}

void closing_the_listener_ends_its_acceptor(void **state)
{
	struct door door;

	(void)state;
	open_door(&door);
	net_quiesce();
	net_close(door.acceptor.fd);
	UNTIL(door.ends);
	assert_int_equal(door.err, -ECANCELED);
}

void draining_ends_acceptors_in_every_state(void **state)
{
	struct door taking, held;

	(void)state;
	open_door(&taking);
	open_door(&held);
	sl_sock_accept_pause(&held.acceptor);
	net_quiesce();
	assert_int_equal(sl_ring_drain(net_ring(), 0), 0);
	assert_int_equal(taking.ends, 1);
	assert_int_equal(held.ends, 1);
	assert_int_equal(taking.err, -ECANCELED);
	assert_int_equal(held.err, -ECANCELED);
}

void what_cannot_be_accepted_from_ends_with_the_reason(void **state)
{
	struct sl_sock_acceptor acceptor = { .fd = -1 };
	struct door door = { 0 };

	(void)state;
	assert_int_equal(sl_sock_accept(net_ring(), &acceptor), -EINVAL);
	acceptor.accepted = on_connection;
	acceptor.ended = on_end;
	acceptor.user = &door;
	assert_int_equal(sl_sock_accept(net_ring(), &acceptor), 0);
	UNTIL(door.ends);
	assert_int_equal(door.err, -EBADF);
}

/* Takes all descriptors but so many. */
static unsigned use_up(int *fds, unsigned nr_max, unsigned leave)
{
	unsigned nr = 0;

	while (nr < nr_max && (fds[nr] = dup(0)) >= 0)
		nr++;
	while (leave-- && nr)
		close(fds[--nr]);
	return nr;
}

void without_descriptors_accepting_waits_and_recovers(void **state)
{
	struct rlimit before, limit;
	static int fds[256];
	struct door door;
	unsigned nr;
	int client[2];

	(void)state;
	if (net_on_sim())
		SKIP("the simulator's machines have no limit of descriptors");
	open_door(&door);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = 128;
	for (unsigned i = 0; i < 2; i++)
		client[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	nr = use_up(fds, NR(fds), 1);
	assert_true(nr > 1 && nr < NR(fds));
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(connect(client[i], &door.addr.any, door.addr.len), 0);
	UNTIL(door.nr == 1 && door.acceptor.starved_nr);
	while (nr)
		close(fds[--nr]);
	UNTIL(door.nr == 2);
	assert_int_equal(door.ends, 0);
	assert_true(door.acceptor.starved_nr < 20);
	setrlimit(RLIMIT_NOFILE, &before);
	end_door(&door);
}
