/*
 * test_sim.c: the proxy in a world whose links lose, delay, part and reset.
 *
 * Machine 0 has clients, machine 1 the proxy, machine 2 an upstream that pours, machine 3 none. Who
 * gets a clean end has got everything; nobody gets a wrong byte; and in the end nothing is held.
 */
#include "harness.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>
#include <sluice/sluice.h>

#include "tools/proxy/worker.h"

#define MS	INT64_C(1000000)
#define SECOND	(1000 * MS)
#define PORT	80
#define CLIENTS 5
#define LEN	200000
#define PATIENT (60 * SECOND)

struct client {
	struct sl_sock_connect connect;
	struct sl_op op;
	int fd;
	uint64_t got;
	int64_t res;
	bool ended;
	bool wrong;
	unsigned char data[4096];
};

/* A connection of the upstream. */
struct pouring {
	struct sl_op op;
	int fd;
	uint64_t sent;
	bool closed;
	unsigned char data[8192];
};

struct world {
	struct sl_sim *sim;
	struct sl_ring *ring[3];
	struct sl_sock_addr address;
	struct sl_sock_acceptor door;
	struct client client[CLIENTS];
	struct pouring pouring[8 * CLIENTS];
	unsigned pourings;
	struct proxy_worker worker;
	struct proxy_plan *plan;
	struct server_clients clients;
	int listener;
};

static unsigned char byte_at(uint64_t off)
{
	return (unsigned char)(off * 31 + (off >> 8) * 7 + (off >> 16));
}

static void submit(struct sl_ring *ring, struct sl_op *op, sl_op_fn *done)
{
	op->done = done;
	assert_int_equal(sl_ring_submit(ring, op), 0);
}

/* ---- the upstream ------------------------------------------------------------------------ */

static void on_poured_closed(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	((struct pouring *)op->user)->closed = true;
}

static void on_hears_end(struct sl_ring *ring, struct sl_op *op)
{
	struct pouring *pouring = op->user;

	if (op->res > 0) {
		sl_op_recv(op, pouring->fd, pouring->data, sizeof(pouring->data), 0);
		op->deadline_ns = sl_ring_now(ring) + PATIENT;
		submit(ring, op, on_hears_end);
		return;
	}
	sl_op_close(op, pouring->fd);
	submit(ring, op, on_poured_closed);
}

static void pour(struct sl_ring *ring, struct pouring *pouring);

static void on_poured(struct sl_ring *ring, struct sl_op *op)
{
	struct pouring *pouring = op->user;

	if (op->res <= 0) {
		sl_op_close(op, pouring->fd);
		submit(ring, op, on_poured_closed);
		return;
	}
	pouring->sent += (uint64_t)op->res;
	pour(ring, pouring);
}

static void pour(struct sl_ring *ring, struct pouring *pouring)
{
	uint64_t left = LEN - pouring->sent;
	size_t part = left < sizeof(pouring->data) ? (size_t)left : sizeof(pouring->data);

	if (!left) {
		sl_op_shutdown(&pouring->op, pouring->fd, SHUT_WR);
		pouring->op.deadline_ns = 0;
		submit(ring, &pouring->op, on_hears_end);
		return;
	}
	for (size_t i = 0; i < part; i++)
		pouring->data[i] = byte_at(pouring->sent + i);
	sl_op_send(&pouring->op, pouring->fd, pouring->data, part, 0);
	pouring->op.deadline_ns = sl_ring_now(ring) + PATIENT;
	submit(ring, &pouring->op, on_poured);
}

static void on_upstream(struct sl_sock_acceptor *acceptor, int fd)
{
	struct world *world = acceptor->user;
	struct pouring *pouring = &world->pouring[world->pourings++];

	assert_true(world->pourings <= 8 * CLIENTS);
	pouring->fd = fd;
	pouring->op.user = pouring;
	pour(world->ring[2], pouring);
}

/* ---- the clients ------------------------------------------------------------------------- */

static void on_client_closed(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	((struct client *)op->user)->ended = true;
}

static void listen_on(struct sl_ring *ring, struct client *client);

static void on_answer(struct sl_ring *ring, struct sl_op *op)
{
	struct client *client = op->user;

	if (op->res <= 0) {
		client->res = op->res;
		sl_op_close(op, client->fd);
		submit(ring, op, on_client_closed);
		return;
	}
	for (int64_t i = 0; i < op->res; i++)
		client->wrong |= client->data[i] != byte_at(client->got + (uint64_t)i);
	client->got += (uint64_t)op->res;
	listen_on(ring, client);
}

static void listen_on(struct sl_ring *ring, struct client *client)
{
	sl_op_recv(&client->op, client->fd, client->data, sizeof(client->data), 0);
	client->op.deadline_ns = sl_ring_now(ring) + PATIENT;
	submit(ring, &client->op, on_answer);
}

static void on_finished(struct sl_ring *ring, struct sl_op *op)
{
	listen_on(ring, op->user);
}

static void on_connected(struct sl_sock_connect *req)
{
	struct client *client = sl_op_of(req, struct client, connect);
	struct world *world = req->user;

	client->op.user = client;
	client->fd = (int)req->res;
	if (req->res < 0) {
		client->res = req->res;
		client->ended = true;
		return;
	}
	sl_op_shutdown(&client->op, client->fd, SHUT_WR);
	submit(world->ring[0], &client->op, on_finished);
}

/* ---- the world --------------------------------------------------------------------------- */

static char first_upstream[] = "10.0.0.4:80", second_upstream[] = "10.0.0.3:80";
static char *upstreams[] = { first_upstream, second_upstream };
static struct proxy_config config = {
	.upstreams = upstreams,
	.upstreams_nr = 2,
	.retries = 3,
	.rise = 1,
	.fall = 2,
	.rest_ns = SECOND,
	.connect_ns = 2 * SECOND,
	.hello_ns = SECOND,
	.idle_ns = 20 * SECOND,
	.half_ns = 20 * SECOND,
};

static struct proxy_plan *get_plan(void *ctx)
{
	return proxy_plan_get(ctx);
}

static int listen_at(struct world *world, unsigned machine, struct sl_sock_addr *ret_addr)
{
	int fd;

	memset(ret_addr, 0, sizeof(*ret_addr));
	sl_sim_address(machine, PORT, (struct sockaddr_in *)&ret_addr->storage);
	ret_addr->len = sizeof(struct sockaddr_in);
	fd = sl_sock_listen(world->ring[machine], ret_addr, NULL);
	assert_true(fd >= 0);
	return fd;
}

static void build(struct world *world, struct sl_sim *sim)
{
	const struct sl_ring_opts opts = { .depth = 512 };
	struct proxy_worker_opts worker = { .config = &config,
					    .clients = &world->clients,
					    .conns_max = 3, /* fewer than there are clients */
					    .pipes_max = 2,
					    .get_plan = get_plan };
	struct sl_sock_addr upstream;

	memset(world, 0, sizeof(*world));
	world->sim = sim;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(sl_sim_ring_open(sim, i, &opts, &world->ring[i]), 0);
	assert_int_equal(proxy_plan_open(&config, NULL, &world->plan), CLI_DONE);
	worker.ctx = world->plan;
	assert_int_equal(proxy_worker_open(&world->worker, &worker, world->ring[1]), 0);
	world->listener = listen_at(world, 1, &world->address);
	assert_int_equal(proxy_worker_accept(&world->worker, world->listener, NULL), 0);
	world->door = (struct sl_sock_acceptor){ .fd = listen_at(world, 2, &upstream),
						 .accepted = on_upstream,
						 .user = world };
	assert_int_equal(sl_sock_accept(world->ring[2], &world->door), 0);
}

static void begin(struct world *world)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client *client = &world->client[i];

		client->connect.addrs = &world->address;
		client->connect.nr = 1;
		client->connect.deadline_ns = sl_ring_now(world->ring[0]) + 30 * SECOND;
		client->connect.done = on_connected;
		client->connect.user = world;
		assert_int_equal(sl_sock_connect(world->ring[0], &client->connect), 0);
	}
}

static void take_down(struct world *world)
{
	proxy_worker_close(&world->worker);
	proxy_plan_put(world->plan);
	for (unsigned i = 0; i < 3; i++)
		sl_ring_close(world->ring[i]);
}

/* 0 when all is as it must be. */
static int check(const struct world *world)
{
	int bad = world->worker.conns || world->worker.running || world->worker.waiting;
	struct sl_relay_stats relays = { 0 };

	for (unsigned i = 0; i < CLIENTS; i++) {
		const struct client *client = &world->client[i];

		bad |= client->wrong || !client->ended || client->got > LEN;
		/* A clean end is one of the whole, or of nothing where no upstream was reached. */
		bad |= client->res == 0 && client->got != 0 && client->got != LEN;
	}
	for (unsigned i = 0; i < world->pourings; i++)
		bad |= !world->pouring[i].closed;
	for (unsigned i = 0; i < 2; i++)
		bad |= world->plan->group[0]->upstream[i].state->active != 0;
	sl_relay_pool_stats(world->worker.relays, &relays);
	return bad || relays.started != relays.ended || relays.spilled_bytes || relays.pipes_used;
}

static void part_for_a_while(struct world *world)
{
	const struct sl_sim_link parted = { .parted = 1 };
	struct sl_sim_info info;

	sl_sim_info(world->sim, &info);
	sl_sim_run(world->sim, info.now_ns + 10 * MS);
	sl_sim_link(world->sim, 1, 2, &parted);
	sl_sim_run(world->sim, info.now_ns + 3 * SECOND);
	sl_sim_link(world->sim, 1, 2, NULL);
}

static int run(struct sl_sim *sim, void *ctx)
{
	const uint32_t *faults = ctx;
	static struct world world;
	struct sl_sim_info info;
	int res;

	sl_sim_chances(sim, NULL);
	build(&world, sim);
	sl_sim_chances(sim, faults);
	begin(&world);
	sl_sim_info(sim, &info);
	if (info.hash % 4 == 0)
		part_for_a_while(&world);
	sl_sim_run(sim, info.now_ns + 300 * SECOND);
	res = check(&world);
	sl_sim_chances(sim, NULL);
	take_down(&world);
	return res;
}

/* What the proxy says of its upstreams in each of the worlds is nobody's concern. */
static void search(const uint32_t *faults, uint64_t seeds)
{
	const struct sl_sim_opts opts = { .seed = support_seed() };
	int mine = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC), found;
	void *ctx = (void *)(uintptr_t)faults;
	char repro[512];

	dup2(nowhere, STDERR_FILENO);
	found = sl_sim_search(&opts, seeds, run, ctx, repro, sizeof(repro));
	dup2(mine, STDERR_FILENO);
	close(nowhere);
	close(mine);
	if (found)
		fail_msg("SLUICE_SIM=\"%s\" fails", repro);
}

/* The first upstream does not exist: each connection that is sent there goes to the other one. */
static void all_is_handed_on_over_links_that_are_well(void **state)
{
	static struct world world;
	struct sl_sim *sim;

	(void)state;
	assert_int_equal(sl_sim_create(&(struct sl_sim_opts){ .seed = 5 }, &sim), 0);
	build(&world, sim);
	begin(&world);
	sl_sim_run(sim, 300 * SECOND);
	for (unsigned i = 0; i < CLIENTS; i++) {
		assert_int_equal(world.client[i].res, 0);
		assert_int_equal(world.client[i].got, LEN);
	}
	assert_int_equal(world.pourings, CLIENTS);
	assert_int_equal(world.worker.counters.ends[PROXY_END_DONE], CLIENTS);
	assert_true(world.worker.counters.retries > 0);
	assert_int_equal(check(&world), 0);
	take_down(&world);
	sl_sim_destroy(sim);
}

static void links_that_lose_and_delay_change_nothing_but_time(void **state)
{
	const uint32_t faults[SL_SIM_FAULTS] = {
		[SL_SIM_SHORT] = 100000,
		[SL_SIM_AGAIN] = 20000,
		[SL_SIM_SLOW] = 50000,
		[SL_SIM_DROP] = 50000,
	};

	(void)state;
	search(faults, 60);
}

static void a_reset_is_never_told_as_an_end(void **state)
{
	const uint32_t faults[SL_SIM_FAULTS] = {
		[SL_SIM_SHORT] = 50000,
		[SL_SIM_SLOW] = 20000,
		[SL_SIM_DROP] = 20000,
		[SL_SIM_RESET] = 10000,
	};

	(void)state;
	search(faults, 150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_is_handed_on_over_links_that_are_well),
		TEST(links_that_lose_and_delay_change_nothing_but_time),
		TEST(a_reset_is_never_told_as_an_end),
	};

	return RUN_TESTS(tests);
}
