/*
 * links.c: a file server behind a relay, in a world whose links lose, delay, part and reset.
 *
 * Machine 0 asks, machine 1 relays, machine 2 sends a file. Whatever the seed does to them: the
 * client gets a beginning of the file and never a wrong byte; all of it if nobody failed; and
 * everything ends, with nothing held.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/sluice.h>

#define MS	INT64_C(1000000)
#define SECOND	(1000 * MS)
#define PORT	80
#define CLIENTS 3
#define LEN	300000
#define QUERY	"GET"

struct client {
	struct sl_sock_connect connect;
	struct sl_sock_receiver receiver;
	struct sl_op send, close;
	uint64_t got;
	bool ended;
	bool wrong;
	int64_t res;
};

struct session {
	struct sl_sock_receiver receiver;
	struct sl_sock_sender sender;
	struct sl_sock_piece piece;
	struct sl_op shut, close;
	bool heard_end, used, closed;
};

struct passage {
	struct sl_relay relay;
	struct sl_sock_connect connect;
	struct sl_op close[2];
	unsigned closes;
	bool used;
};

struct world {
	struct sl_sim *sim;
	struct sl_ring *ring[3];
	struct sl_buf_pool *pool[3];
	struct sl_sock_pump *pump;
	struct sl_relay_pool *relays;
	struct sl_sock_addr address[3];
	struct sl_sock_acceptor door[3];
	int file;
	struct client client[CLIENTS];
	struct session session[CLIENTS];
	struct passage passage[CLIENTS];
	unsigned sessions, passages;
};

static unsigned char byte_at(uint64_t off)
{
	return (unsigned char)(off * 31 + (off >> 8) * 7 + (off >> 16));
}

static void nothing(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	(void)op;
}

static void close_fd(struct sl_ring *ring, struct sl_op *op, int fd)
{
	sl_op_close(op, fd)->done = nothing;
	assert_int_equal(sl_ring_submit(ring, op), 0);
}

/* ---- the server --------------------------------------------------------------------- */

static void hang_up(struct world *world, struct session *session)
{
	if (session->closed || !session->heard_end || sl_sock_sender_busy(&session->sender))
		return;
	session->closed = true;
	close_fd(world->ring[2], &session->close, session->receiver.fd);
}

static void on_sent(struct sl_sock_sender *sender)
{
	struct session *session = sl_op_of(sender, struct session, sender);
	struct world *world = sender->user;

	if (sender->err) {
		sl_sock_recv_stop(&session->receiver);
	} else if (!session->shut.state) {
		sl_op_shutdown(&session->shut, sender->fd, SHUT_WR)->done = nothing;
		sl_ring_submit(world->ring[2], &session->shut);
	}
	hang_up(world, session);
}

static void on_query(struct sl_sock_receiver *receiver, void *data, int64_t res)
{
	struct session *session = sl_op_of(receiver, struct session, receiver);
	struct world *world = receiver->user;

	if (res <= 0) {
		session->heard_end = true;
		if (res < 0)
			sl_sock_sender_stop(&session->sender);
		hang_up(world, session);
		return;
	}
	sl_sock_recv_put(receiver, data);
	if (session->piece.len)
		return;
	session->piece.flags = SL_SOCK_PIECE_FILE;
	session->piece.file_fd = world->file;
	session->piece.len = LEN;
	if (!sl_sock_send(&session->sender, &session->piece))
		assert_int_equal(sl_sock_flush(&session->sender), 0);
}

static void on_session(struct sl_sock_acceptor *acceptor, int fd)
{
	struct world *world = acceptor->user;
	struct session *session = &world->session[world->sessions++];

	assert_true(world->sessions <= CLIENTS);
	session->used = true;
	session->sender.fd = session->receiver.fd = fd;
	session->sender.pump = world->pump;
	session->sender.timeout_ns = 5 * SECOND;
	session->sender.drained = on_sent;
	session->receiver.pool = world->pool[2];
	session->receiver.received = on_query;
	session->receiver.timeout_ns = 20 * SECOND;
	session->sender.user = session->receiver.user = world;
	sl_sock_sender_init(&session->sender);
	assert_int_equal(sl_sock_recv(world->ring[2], &session->receiver), 0);
}

/* ---- the relay ---------------------------------------------------------------------- */

static void on_passed(struct sl_relay *relay)
{
	struct passage *passage = sl_op_of(relay, struct passage, relay);
	struct world *world = relay->user;

	for (unsigned i = 0; i < 2; i++)
		close_fd(world->ring[1], &passage->close[i], relay->fd[i]);
}

static void on_upstream(struct sl_sock_connect *connect)
{
	struct passage *passage = sl_op_of(connect, struct passage, connect);
	struct world *world = connect->user;

	if (connect->res < 0) {
		close_fd(world->ring[1], &passage->close[0], passage->relay.fd[0]);
		return;
	}
	passage->relay.fd[1] = (int)connect->res;
	passage->relay.idle_ns = 10 * SECOND;
	passage->relay.half_ns = 5 * SECOND;
	passage->relay.done = on_passed;
	passage->relay.user = world;
	assert_int_equal(sl_relay_start(world->relays, &passage->relay), 0);
}

static void on_passage(struct sl_sock_acceptor *acceptor, int fd)
{
	struct world *world = acceptor->user;
	struct passage *passage = &world->passage[world->passages++];

	assert_true(world->passages <= CLIENTS);
	passage->used = true;
	passage->relay.fd[0] = fd;
	passage->connect.addrs = &world->address[2];
	passage->connect.nr = 1;
	passage->connect.deadline_ns = sl_ring_now(world->ring[1]) + 3 * SECOND;
	passage->connect.done = on_upstream;
	passage->connect.user = world;
	assert_int_equal(sl_sock_connect(world->ring[1], &passage->connect), 0);
}

/* ---- the clients -------------------------------------------------------------------- */

static void on_answer(struct sl_sock_receiver *receiver, void *data, int64_t res)
{
	struct client *client = sl_op_of(receiver, struct client, receiver);
	const unsigned char *bytes = data;
	struct world *world = receiver->user;

	if (res <= 0) {
		client->ended = true;
		client->res = res;
		close_fd(world->ring[0], &client->close, receiver->fd);
		return;
	}
	for (int64_t i = 0; i < res; i++)
		client->wrong |= bytes[i] != byte_at(client->got + (uint64_t)i);
	client->got += (uint64_t)res;
	sl_sock_recv_put(receiver, data);
}

static void on_connected(struct sl_sock_connect *connect)
{
	struct client *client = sl_op_of(connect, struct client, connect);
	struct world *world = connect->user;

	if (connect->res < 0) {
		client->ended = true;
		client->res = connect->res;
		return;
	}
	client->receiver.fd = (int)connect->res;
	client->receiver.pool = world->pool[0];
	client->receiver.received = on_answer;
	client->receiver.timeout_ns = 30 * SECOND;
	client->receiver.user = world;
	sl_op_send(&client->send, client->receiver.fd, QUERY, strlen(QUERY), 0)->done = nothing;
	assert_int_equal(sl_ring_submit(world->ring[0], &client->send), 0);
	assert_int_equal(sl_sock_recv(world->ring[0], &client->receiver), 0);
}

/* ---- the world ---------------------------------------------------------------------- */

static void address_of(unsigned machine, struct sl_sock_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	sl_sim_address(machine, PORT, (struct sockaddr_in *)&ret->storage);
	ret->len = sizeof(struct sockaddr_in);
}

static void make_file(struct world *world)
{
	const struct sl_open_how how = { .flags = O_RDWR | O_CREAT, .mode = 0644 };
	unsigned char *data = malloc(LEN);
	struct sl_op op = { 0 };

	assert_non_null(data);
	for (uint64_t i = 0; i < LEN; i++)
		data[i] = byte_at(i);
	world->file = (int)sl_ring_do(world->ring[2], sl_op_open(&op, AT_FDCWD, "file", &how));
	assert_int_equal(sl_ring_do(world->ring[2], sl_op_write(&op, world->file, data, LEN, 0)),
			 LEN);
	free(data);
}

static void build(struct world *world, struct sl_sim *sim)
{
	const struct sl_ring_opts opts = { .depth = 256 };
	const struct sl_buf_pool_opts shape = { .flags = SL_BUF_RECV,
						.count = 8,
						.buf_bytes = 4096 };
	const struct sl_sock_pump_opts pump = { .read_count = 2, .read_bytes = 16384 };
	const struct sl_relay_pool_opts relays = { .bufs = 4 };

	memset(world, 0, sizeof(*world));
	world->sim = sim;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(sl_sim_ring_open(sim, i, &opts, &world->ring[i]), 0);
		assert_int_equal(sl_buf_pool_create(world->ring[i], &shape, &world->pool[i]), 0);
		address_of(i, &world->address[i]);
	}
	assert_int_equal(sl_sock_pump_create(world->ring[2], &pump, &world->pump), 0);
	assert_int_equal(sl_relay_pool_create(world->ring[1], &relays, &world->relays), 0);
	make_file(world);
	for (unsigned i = 1; i < 3; i++) {
		world->door[i].fd = sl_sock_listen(world->ring[i], &world->address[i], NULL);
		assert_true(world->door[i].fd >= 0);
		world->door[i].accepted = i == 1 ? on_passage : on_session;
		world->door[i].user = world;
		assert_int_equal(sl_sock_accept(world->ring[i], &world->door[i]), 0);
	}
}

static void ask(struct world *world)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client *client = &world->client[i];

		client->connect.addrs = &world->address[1];
		client->connect.nr = 1;
		client->connect.deadline_ns = sl_ring_now(world->ring[0]) + 5 * SECOND;
		client->connect.done = on_connected;
		client->connect.user = world;
		assert_int_equal(sl_sock_connect(world->ring[0], &client->connect), 0);
	}
}

static void take_down(struct world *world)
{
	sl_sock_pump_destroy(world->pump);
	sl_relay_pool_destroy(world->relays);
	for (unsigned i = 0; i < 3; i++) {
		sl_buf_pool_destroy(world->pool[i]);
		sl_ring_close(world->ring[i]);
	}
}

/* 0 when all is as it must be. */
static int check(struct world *world)
{
	struct sl_relay_stats relays = { 0 };
	struct sl_buf_pool_info info;
	int bad = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		const struct client *client = &world->client[i];
		const struct session *session = &world->session[i];

		bad |= client->wrong || !client->ended || client->got > LEN;
		bad |= client->res == 0 && client->got < LEN && !world->sessions;
		bad |= session->used && (!session->closed || session->piece.done_len > LEN);
		bad |= sl_relay_busy(&world->passage[i].relay);
	}
	for (unsigned i = 0; i < 3; i++) {
		sl_buf_pool_info(world->pool[i], &info);
		bad |= sl_ring_inflight(world->ring[i]) != (i != 0);
	}
	sl_relay_pool_stats(world->relays, &relays);
	return bad || relays.started != relays.ended || relays.spilled_bytes;
}

static void part_for_a_while(struct world *world)
{
	const struct sl_sim_link parted = { .parted = 1 };
	struct sl_sim_info info;

	sl_sim_info(world->sim, &info);
	sl_sim_run(world->sim, info.now_ns + 20 * MS);
	sl_sim_link(world->sim, 1, 2, &parted);
	sl_sim_run(world->sim, info.now_ns + 2 * SECOND);
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
	ask(&world);
	sl_sim_info(sim, &info);
	if (info.hash % 4 == 0)
		part_for_a_while(&world);
	sl_sim_run(sim, info.now_ns + 300 * SECOND);
	res = check(&world);
	sl_sim_chances(sim, NULL);
	take_down(&world);
	return res;
}

static void search(const uint32_t *faults, uint64_t seeds)
{
	const struct sl_sim_opts opts = { .seed = support_seed() };
	void *ctx = (void *)(uintptr_t)faults;
	char repro[512];

	if (sl_sim_search(&opts, seeds, run, ctx, repro, sizeof(repro)))
		fail_msg("SLUICE_SIM=\"%s\" fails", repro);
}

static void files_arrive_over_links_that_are_well(void **state)
{
	const uint32_t faults[SL_SIM_FAULTS] = { 0 };
	static struct world world;
	struct sl_sim *sim;

	(void)state;
	assert_int_equal(sl_sim_create(&(struct sl_sim_opts){ .seed = 5 }, &sim), 0);
	build(&world, sim);
	ask(&world);
	sl_sim_run(sim, 300 * SECOND);
	for (unsigned i = 0; i < CLIENTS; i++) {
		assert_int_equal(world.client[i].got, LEN);
		assert_int_equal(world.client[i].res, 0);
		assert_int_equal(world.passage[i].relay.res, 0);
	}
	assert_int_equal(check(&world), 0);
	take_down(&world);
	sl_sim_destroy(sim);
	search(faults, 20);
}

static void files_arrive_over_links_that_lose_and_delay(void **state)
{
	const uint32_t faults[SL_SIM_FAULTS] = {
		[SL_SIM_SHORT] = 100000,
		[SL_SIM_AGAIN] = 20000,
		[SL_SIM_SLOW] = 50000,
		[SL_SIM_DROP] = 50000,
	};

	(void)state;
	search(faults, 150);
}

static void resets_and_disks_that_fail_end_everything_in_order(void **state)
{
	const uint32_t faults[SL_SIM_FAULTS] = { [SL_SIM_SHORT] = 50000,
						 [SL_SIM_READ_EIO] = 5000,
						 [SL_SIM_SLOW] = 20000,
						 [SL_SIM_DROP] = 20000,
						 [SL_SIM_RESET] = 10000 };

	(void)state;
	search(faults, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_arrive_over_links_that_are_well),
		TEST(files_arrive_over_links_that_lose_and_delay),
		TEST(resets_and_disks_that_fail_end_everything_in_order),
	};

	return RUN_TESTS(tests);
}
