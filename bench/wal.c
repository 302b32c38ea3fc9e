/*
 * What a durable commit costs: the log with 1, 8 and 64 committers, against the device and SQLite.
 *
 * The device's own rate is one write of a block with RWF_DSYNC over blocks that
 * were written before, one after the other: nothing can commit alone faster.
 * Each committer appends 256 bytes, commits, and does so again when told.
 * SQLite (in WAL mode, synchronous=FULL) commits one row of 256 bytes a
 * transaction, LevelDB one put with sync; its committers are threads.
 *
 * Usage: bench_wal [DIRECTORY [ROUNDS]]
 */
#include "wal_peer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <sluice/ring.h>
#include <sluice/wal.h>

#include "pairs.h"

#define RECORD_BYTES  256
#define BLOCK_BYTES   4096
#define DEVICE_BYTES  (4 << 20)
#define BLOCK_COMMITS 150 /* of one committer in one block of a round */
#define COMMITTERS    64

struct committer {
	struct sl_wal_wait wait;
	struct load *load;
};

struct load {
	struct sl_ring *ring;
	struct sl_wal *wal;
	unsigned committers;
	unsigned left;
	unsigned told;
	int err;
	struct committer who[COMMITTERS];
};

struct device {
	int fd;
	uint64_t off;
	unsigned char *block;
};

static unsigned char record[RECORD_BYTES];

static void commit(struct load *load, struct sl_wal_wait *wait)
{
	int rc = sl_wal_append(load->wal, record, sizeof(record), &wait->lsn);

	if (rc == 0)
		rc = sl_wal_commit(load->wal, wait);
	if (rc < 0)
		load->err = rc;
}

static void told(struct sl_wal *wal, struct sl_wal_wait *wait)
{
	struct committer *me = wait->user;
	struct load *load = me->load;

	load->told++;
	if (wait->res < 0)
		load->err = wait->res;
	if (load->told % 64 == 0)
		sl_wal_truncate(wal, wait->lsn);
	if (load->left) {
		load->left--;
		commit(load, wait);
	}
}

static int run_wal(void *ctx, struct pairs_cost *ret_cost)
{
	struct load *load = ctx;
	unsigned total = load->committers * BLOCK_COMMITS;
	struct pairs_cost begin = pairs_watch();

	load->told = 0;
	load->left = total - load->committers;
	for (unsigned i = 0; i < load->committers; i++)
		commit(load, &load->who[i].wait);
	while (load->told < total && !load->err) {
		int rc = sl_ring_run(load->ring, 0);

		if (rc < 0)
			return rc;
	}
	*ret_cost = pairs_cost_since(&begin, total);
	return load->err;
}

static int run_device(void *ctx, struct pairs_cost *ret_cost)
{
	struct pairs_cost begin = pairs_watch();
	struct device *device = ctx;

	for (unsigned i = 0; i < BLOCK_COMMITS; i++) {
		struct iovec iov = { device->block, BLOCK_BYTES };

		if (pwritev2(device->fd, &iov, 1, (off_t)device->off, RWF_DSYNC) != BLOCK_BYTES)
			return -1;
		device->off = (device->off + BLOCK_BYTES) % DEVICE_BYTES;
	}
	*ret_cost = pairs_cost_since(&begin, BLOCK_COMMITS);
	return 0;
}

struct peer {
	const struct wal_peer *kind;
	unsigned committers;
	void *state;
};

static int run_peer(void *ctx, struct pairs_cost *ret_cost)
{
	struct pairs_cost begin = pairs_watch();
	struct peer *peer = ctx;

	if (peer->kind->commit(peer->state, record, sizeof(record), BLOCK_COMMITS))
		return -1;
	*ret_cost = pairs_cost_since(&begin, (uint64_t)BLOCK_COMMITS * peer->committers);
	return 0;
}

static int open_device(struct device *device, const char *dir)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/device", dir);
	device->fd = open(path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
	if (device->fd < 0 || posix_memalign((void **)&device->block, BLOCK_BYTES, BLOCK_BYTES))
		return -1;
	memset(device->block, 0x5a, BLOCK_BYTES);
	for (off_t off = 0; off < DEVICE_BYTES; off += BLOCK_BYTES) {
		if (pwrite(device->fd, device->block, BLOCK_BYTES, off) != BLOCK_BYTES)
			return -1;
	}
	return fsync(device->fd);
}

static int open_load(struct load *load, const char *dir, unsigned committers)
{
	struct sl_wal_opts opts = { .flags = SL_WAL_CREATE, .segment_bytes = 4 << 20 };
	char path[512];
	int rc;

	snprintf(path, sizeof(path), "%s/log-%u", dir, committers);
	load->committers = committers;
	for (unsigned i = 0; i < committers; i++) {
		load->who[i].load = load;
		load->who[i].wait.done = told;
		load->who[i].wait.user = &load->who[i];
	}
	rc = sl_ring_open(NULL, &load->ring);
	return rc < 0 ? rc : sl_wal_open(load->ring, AT_FDCWD, path, &opts, &load->wal);
}

static void close_load(struct load *load)
{
	sl_wal_close(load->wal);
	sl_ring_close(load->ring);
}

static void remove_all(const char *dir)
{
	static const char *const names[] = { "device", "log-1", "log-8", "log-64" };
	char path[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

enum {
	DEVICE,
	ONE,
	EIGHT,
	MANY,
	OURS
};

/* Each of theirs, and who of ours has as many committers. */
static struct theirs {
	struct peer peer;
	unsigned ours;
	const char *label;
	unsigned at; /* among the contenders; 0: not here */
} theirs[] = {
	{ { &wal_peer_sqlite, 1, NULL }, ONE, "SQLite, 1", 0 },
	{ { &wal_peer_leveldb, 1, NULL }, ONE, "LevelDB, 1", 0 },
	{ { &wal_peer_leveldb, 8, NULL }, EIGHT, "LevelDB, 8", 0 },
	{ { &wal_peer_leveldb, COMMITTERS, NULL }, MANY, "LevelDB, 64", 0 },
};

#define THEIRS (sizeof(theirs) / sizeof(theirs[0]))

static void open_theirs(struct pairs *p, const char *dir)
{
	for (unsigned i = 0; i < THEIRS; i++) {
		struct peer *peer = &theirs[i].peer;

		if (peer->kind->open(dir, peer->committers, &peer->state)) {
			printf("wal: no %s here (%s)\n", theirs[i].label, peer->kind->library);
			continue;
		}
		theirs[i].at = p->nr;
		p->contenders[p->nr++] =
			(struct pairs_contender){ theirs[i].label, run_peer, peer };
	}
}

static void close_theirs(void)
{
	for (unsigned i = 0; i < THEIRS; i++) {
		if (theirs[i].at)
			theirs[i].peer.kind->close(theirs[i].peer.state);
	}
}

static void print(const struct pairs *p)
{
	const struct pairs_target none = { PAIRS_NONE, 0, 0 };
	const struct pairs_target alone = { PAIRS_AT_LEAST, 0.85, 0.02 };
	const struct pairs_target many = { PAIRS_AT_LEAST, 20, 1 };

	pairs_print_costs(p);
	pairs_print_rate(p, ONE, DEVICE, &alone);
	pairs_print_rate(p, EIGHT, DEVICE, &none);
	pairs_print_rate(p, MANY, DEVICE, &none);
	pairs_print_rate(p, MANY, ONE, &many);
	for (unsigned i = 0; i < THEIRS; i++) {
		if (theirs[i].at) {
			pairs_print_rate(p, theirs[i].ours, theirs[i].at, &none);
			pairs_print_cpu(p, theirs[i].ours, theirs[i].at, &none);
		}
	}
	pairs_print_machine(p);
}

static int compare(struct pairs *p, const char *dir)
{
	static struct load loads[3];
	struct device device = { 0 };
	int failed = open_device(&device, dir) || open_load(&loads[0], dir, 1) ||
		     open_load(&loads[1], dir, 8) || open_load(&loads[2], dir, COMMITTERS);

	p->contenders[DEVICE] = (struct pairs_contender){ "device", run_device, &device };
	p->contenders[ONE] = (struct pairs_contender){ "wal, 1", run_wal, &loads[0] };
	p->contenders[EIGHT] = (struct pairs_contender){ "wal, 8", run_wal, &loads[1] };
	p->contenders[MANY] = (struct pairs_contender){ "wal, 64", run_wal, &loads[2] };
	p->nr = OURS;
	if (!failed) {
		open_theirs(p, dir);
		failed = pairs_run(p);
	}
	if (!failed)
		print(p);
	close_theirs();
	for (unsigned i = 0; i < 3; i++)
		close_load(&loads[i]);
	close(device.fd);
	free(device.block);
	return failed ? 4 : 0;
}

int main(int argc, char **argv)
{
	static struct pairs p = { .title = "wal" };
	char dir[256];
	int code;

	snprintf(dir, sizeof(dir), "%s/bench-wal-XXXXXX", argc > 1 ? argv[1] : ".");
	p.rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 25;
	if (!p.rounds || p.rounds > PAIRS_ROUNDS_MAX) {
		fprintf(stderr, "bench_wal: 1..%u rounds\n", PAIRS_ROUNDS_MAX);
		return 2;
	}
	if (!mkdtemp(dir)) {
		perror(dir);
		return 3;
	}
	pairs_pin("wal");
	code = compare(&p, dir);
	remove_all(dir);
	return code;
}
