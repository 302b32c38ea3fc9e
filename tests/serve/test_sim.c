/*
 * test_sim.c: the file server in a world whose power is cut, and whose links lose, delay and reset.
 *
 * Machine 0 has the server, machine 1 clients. Each puts version after version of a file of its
 * own, and gets it back each time. Whatever happens: an answer is that of the version put last; and
 * on the disk is, whole, the last version acknowledged, or one that was sent after it.
 *
 * The simulated disk knows no files without a name, so these uploads go by way of a temporary name,
 * as on file systems that know none either. Files without a name are put under real power cuts by
 * tests/vm/powercut.c.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/sluice.h>

#include "tools/serve/server.h"

#define MS	 INT64_C(1000000)
#define SECOND	 (1000 * MS)
#define PORT	 80
#define CLIENTS	 3
#define VERSIONS 10
#define LEN_MAX	 200000
#define ROOM	 (LEN_MAX + 1024)
#define PATIENT	 (60 * SECOND)

struct client {
	struct sl_sock_connect connect;
	struct sl_op op;
	struct world *world;
	unsigned idx;
	int fd;
	unsigned sent;	/* the version put last */
	unsigned acked; /* the last one acknowledged */
	bool getting;
	bool ended;
	bool wrong;
	size_t out_at, out_len, in_len;
	char out[ROOM];
	char in[ROOM];
};

struct world {
	struct sl_sim *sim;
	struct sl_ring *ring; /* of the clients */
	struct sl_sock_addr address;
	struct client client[CLIENTS];
	struct serve_server server;
	struct serve_worker worker;
};

static struct serve_config config = {
	.writable = true,
	.workers = 1,
	.connections_max = 2 * CLIENTS,
	.upload_max = 1 << 20,
	.cache_files = 64,
	.cache_bytes = 1 << 20,
	.cache_file_bytes = 16384, /* some versions are sent from memory, others from the file */
	.cache_valid_ns = SECOND,
	.header_ns = 10 * SECOND,
	.idle_ns = 60 * SECOND,
	.stall_ns = 30 * SECOND,
};

/* ---- contents ---------------------------------------------------------------------------- */

static size_t len_of(unsigned version)
{
	static const size_t lens[] = { 0, 1, 511, 5000, 16384, 70000, LEN_MAX };

	return lens[version * 5 % 7];
}

static char byte_at(unsigned who, unsigned version, size_t off)
{
	return (char)(who * 101 + version * 37 + off * 31 + (off >> 9));
}

static bool holds(unsigned who, unsigned version, const char *data, size_t len)
{
	if (len != len_of(version))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (data[i] != byte_at(who, version, i))
			return false;
	}
	return true;
}

/* ---- the clients ------------------------------------------------------------------------- */

static void submit(struct client *client, sl_op_fn *done)
{
	client->op.done = done;
	client->op.user = client;
	client->op.deadline_ns = sl_ring_now(client->world->ring) + PATIENT;
	assert_int_equal(sl_ring_submit(client->world->ring, &client->op), 0);
}

static void on_closed(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	((struct client *)op->user)->ended = true;
}

static void hang_up(struct client *client)
{
	sl_op_close(&client->op, client->fd);
	submit(client, on_closed);
}

static void ask(struct client *client);

/* Return: whether all of an answer is there. */
static bool read_answer(const struct client *client, unsigned *ret_status, const char **ret_body,
			size_t *ret_len)
{
	const char *end = strstr(client->in, "\r\n\r\n"), *length;

	if (!end)
		return false;
	*ret_status = (unsigned)atoi(client->in + 9);
	length = strstr(client->in, "Content-Length: ");
	*ret_len = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
	*ret_body = end + 4;
	return client->in_len >= (size_t)(end + 4 - client->in) + *ret_len;
}

static void answered(struct client *client, unsigned status, const char *body, size_t len)
{
	if (client->getting) {
		client->wrong |= status != 200 || !holds(client->idx, client->sent, body, len);
	} else {
		client->wrong |= status != (client->sent == 1 ? 201 : 204);
		client->acked = client->sent;
	}
	client->getting = !client->getting;
	if (client->wrong || (!client->getting && client->sent == VERSIONS))
		hang_up(client);
	else
		ask(client);
}

static void on_received(struct sl_ring *ring, struct sl_op *op);

static void hear(struct client *client)
{
	sl_op_recv(&client->op, client->fd, client->in + client->in_len, ROOM - 1 - client->in_len,
		   0);
	submit(client, on_received);
}

static void on_received(struct sl_ring *ring, struct sl_op *op)
{
	struct client *client = op->user;
	const char *body;
	unsigned status;
	size_t len;

	(void)ring;
	if (op->res <= 0) {
		hang_up(client);
		return;
	}
	client->in_len += (size_t)op->res;
	client->in[client->in_len] = '\0';
	if (read_answer(client, &status, &body, &len))
		answered(client, status, body, len);
	else
		hear(client);
}

static void on_sent(struct sl_ring *ring, struct sl_op *op);

static void say(struct client *client)
{
	sl_op_send(&client->op, client->fd, client->out + client->out_at,
		   client->out_len - client->out_at, 0);
	submit(client, on_sent);
}

static void on_sent(struct sl_ring *ring, struct sl_op *op)
{
	struct client *client = op->user;

	(void)ring;
	if (op->res <= 0) {
		hang_up(client);
		return;
	}
	client->out_at += (size_t)op->res;
	if (client->out_at < client->out_len)
		say(client);
	else
		hear(client);
}

/* The next request: what was put is asked for, then the next version put. */
static void ask(struct client *client)
{
	size_t len = client->getting ? 0 : len_of(++client->sent);
	char *out = client->out;

	if (client->getting)
		out += sprintf(out, "GET /f%u HTTP/1.1\r\nHost: x\r\n\r\n", client->idx);
	else
		out += sprintf(out, "PUT /f%u HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
			       client->idx, len);
	for (size_t i = 0; i < len; i++)
		*out++ = byte_at(client->idx, client->sent, i);
	client->out_at = client->in_len = 0;
	client->out_len = (size_t)(out - client->out);
	say(client);
}

static void on_connected(struct sl_sock_connect *req)
{
	struct client *client = sl_op_of(req, struct client, connect);

	client->fd = (int)req->res;
	if (req->res < 0)
		client->ended = true;
	else
		ask(client);
}

/* ---- the world --------------------------------------------------------------------------- */

static int64_t open_at(struct sl_ring *ring, int dir, const char *path, uint64_t flags)
{
	const struct sl_open_how how = { .flags = flags };
	struct sl_op op = { 0 };

	return sl_ring_do(ring, sl_op_open(&op, dir, path, &how));
}

static struct sl_ring *ring_on(struct sl_sim *sim, unsigned machine)
{
	const struct sl_ring_opts opts = { .depth = 512 };
	struct sl_ring *ring;

	assert_int_equal(sl_sim_ring_open(sim, machine, &opts, &ring), 0);
	return ring;
}

/* The first cut may come before the server has begun: then it fails, and may. */
static void may_fail(const struct world *world, int64_t res)
{
	assert_true(res >= 0 || !sl_sim_has_power(world->sim, 0));
}

static void open_server(struct world *world)
{
	struct serve_server *server = &world->server;
	struct serve_site *site = calloc(1, sizeof(*site));
	struct server_listener *listener = &server->listeners.listener[0];

	site->refs = 1;
	site->log_fd = -1;
	assert_int_equal(serve_mime_load(NULL, &site->mime), 0);
	world->worker.ring = ring_on(world->sim, 0);
	site->root_fd = (int)open_at(world->worker.ring, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
	may_fail(world, site->root_fd);
	listener->fd[0] = sl_sock_listen(world->worker.ring, &world->address, NULL);
	listener->fd[1] = -1;
	may_fail(world, listener->fd[0]);
	*server = (struct serve_server){ .config = &config,
					 .site = site,
					 .listeners = server->listeners,
					 .worker = &world->worker,
					 .workers = 1 };
	server->listeners.nr = 1;
	world->worker.server = server;
	world->worker.config = &config;
	world->worker.conns_max = 2 * CLIENTS;
	may_fail(world, serve_worker_open(&world->worker));
}

static void close_server(struct world *world)
{
	serve_worker_close(&world->worker);
	/* Its descriptors are of the world, and end with the ring. */
	world->server.site->root_fd = -1;
	serve_site_put(world->server.site);
}

static void build(struct world *world, struct sl_sim *sim)
{
	memset(world, 0, sizeof(*world));
	world->sim = sim;
	world->ring = ring_on(sim, 1);
	sl_sim_address(0, PORT, (struct sockaddr_in *)&world->address.storage);
	world->address.len = sizeof(struct sockaddr_in);
	open_server(world);
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client *client = &world->client[i];

		client->world = world;
		client->idx = i;
		client->connect.addrs = &world->address;
		client->connect.nr = 1;
		client->connect.deadline_ns = sl_ring_now(world->ring) + 30 * SECOND;
		client->connect.done = on_connected;
		assert_int_equal(sl_sock_connect(world->ring, &client->connect), 0);
	}
}

/* ---- what must be ------------------------------------------------------------------------ */

/* What a file holds is the last version acknowledged, or one that was sent later. */
static bool is_kept(struct sl_ring *ring, const struct client *client)
{
	static char data[ROOM];
	struct sl_op op = { 0 };
	char name[16];
	int64_t fd, len;

	snprintf(name, sizeof(name), "f%u", client->idx);
	fd = open_at(ring, AT_FDCWD, name, O_RDONLY);
	if (fd == -ENOENT)
		return client->acked == 0;
	len = fd < 0 ? fd : sl_ring_do(ring, sl_op_read(&op, (int)fd, data, sizeof(data), 0));
	for (unsigned version = client->acked ? client->acked : 1; version <= client->sent;
	     version++) {
		if (len >= 0 && holds(client->idx, version, data, (size_t)len))
			return true;
	}
	return false;
}

/* 0 when all is as it must be. */
static int check(const struct world *world, struct sl_ring *ring)
{
	int bad = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		const struct client *client = &world->client[i];

		bad |= client->wrong || !client->ended || !is_kept(ring, client);
	}
	return bad;
}

static void run_for(struct sl_sim *sim, int64_t ns)
{
	struct sl_sim_info info;

	sl_sim_info(sim, &info);
	sl_sim_run(sim, info.now_ns + ns);
}

static uint64_t acknowledged; /* uploads, of all runs: that none is lost must mean something */

static void count(const struct world *world)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		acknowledged += world->client[i].acked;
}

/* What is on the disk once power is back. A cut of the world's own may still come, while we look:
 * then nothing was seen, and the disk is looked at again. */
static int look_at_disk(struct world *world)
{
	struct sl_ring *ring;
	int res;

	do {
		assert_int_equal(sl_sim_restart(world->sim, 0), 0);
		ring = ring_on(world->sim, 0);
		run_for(world->sim, 300 * SECOND);
		res = check(world, ring);
		sl_ring_close(ring);
	} while (!sl_sim_has_power(world->sim, 0));
	return res;
}

/* The power is cut where the world says, or when all has been done. */
static int run_cut(struct sl_sim *sim, void *ctx)
{
	static struct world world;
	int res;

	(void)ctx;
	build(&world, sim);
	run_for(sim, 30 * SECOND);
	if (sl_sim_has_power(sim, 0))
		sl_sim_power_cut(sim, 0);
	sl_sim_chances(sim, NULL); /* what is looked at is the disk, not how it reads */
	close_server(&world);
	res = look_at_disk(&world);
	count(&world);
	sl_ring_close(world.ring);
	return res;
}

static int run_links(struct sl_sim *sim, void *ctx)
{
	static struct world world;
	int res;

	sl_sim_chances(sim, NULL);
	build(&world, sim);
	sl_sim_chances(sim, ctx);
	run_for(sim, 600 * SECOND);
	sl_sim_chances(sim, NULL);
	res = check(&world, world.worker.ring) || world.worker.conns ||
	      world.worker.streams.ring == NULL;
	count(&world);
	close_server(&world);
	sl_ring_close(world.ring);
	return res;
}

static void search(const struct sl_sim_opts *opts, uint64_t seeds, sl_sim_test_fn *test,
		   const uint32_t *faults)
{
	char repro[512];

	acknowledged = 0;
	if (sl_sim_search(opts, seeds, test, (void *)(uintptr_t)faults, repro, sizeof(repro)))
		fail_msg("SLUICE_SIM=\"%s\" fails", repro);
	assert_true(acknowledged > seeds || getenv("SLUICE_SIM"));
}

/* ---- tests ------------------------------------------------------------------------------- */

static void all_is_put_and_got_when_nothing_is_wrong(void **state)
{
	static struct world world;
	struct sl_sim *sim;

	(void)state;
	assert_int_equal(sl_sim_create(&(struct sl_sim_opts){ .seed = 5 }, &sim), 0);
	build(&world, sim);
	run_for(sim, 300 * SECOND);
	for (unsigned i = 0; i < CLIENTS; i++)
		assert_int_equal(world.client[i].acked, VERSIONS);
	assert_int_equal(check(&world, world.worker.ring), 0);
	assert_int_equal(world.worker.conns, 0);
	assert_int_equal(world.worker.counters.uploads, CLIENTS * VERSIONS);
	close_server(&world);
	sl_ring_close(world.ring);
	sl_sim_destroy(sim);
}

static void acknowledged_uploads_survive_a_power_cut(void **state)
{
	static const char *const profiles[] = { "posix", "ext4", "xfs", "btrfs" };

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		search(&(struct sl_sim_opts){ .seed = support_seed(),
					      .profile = profiles[i],
					      .cut_max = 800 },
		       60, run_cut, NULL);
}

static void they_do_on_disks_that_fail_too(void **state)
{
	const struct sl_sim_opts opts = {
		.seed = support_seed(),
		.cut_max = 800,
		.faults = { [SL_SIM_SHORT] = 50000, [SL_SIM_AGAIN] = 10000, [SL_SIM_SLOW] = 10000 }
	};

	(void)state;
	search(&opts, 60, run_cut, NULL);
}

static void links_that_lose_and_delay_change_nothing_but_time(void **state)
{
	const uint32_t faults[SL_SIM_FAULTS] = {
		[SL_SIM_SHORT] = 100000,
		[SL_SIM_AGAIN] = 20000,
		[SL_SIM_SLOW] = 20000,
		[SL_SIM_DROP] = 20000,
	};

	(void)state;
	search(&(struct sl_sim_opts){ .seed = support_seed() }, 60, run_links, faults);
}

static void a_reset_leaves_the_old_file_or_the_new_one(void **state)
{
	const uint32_t faults[SL_SIM_FAULTS] = {
		[SL_SIM_SHORT] = 50000, [SL_SIM_DROP] = 10000, [SL_SIM_RESET] = 3000
	};

	(void)state;
	search(&(struct sl_sim_opts){ .seed = support_seed() }, 150, run_links, faults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_is_put_and_got_when_nothing_is_wrong),
		TEST(acknowledged_uploads_survive_a_power_cut),
		TEST(they_do_on_disks_that_fail_too),
		TEST(links_that_lose_and_delay_change_nothing_but_time),
		TEST(a_reset_leaves_the_old_file_or_the_new_one),
	};

	return RUN_TESTS(tests);
}
