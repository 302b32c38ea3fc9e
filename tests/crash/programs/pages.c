/* pages.c: programs whose bug is in pages written in place: without a journal, or without one that
 * is durable. */
#include <fcntl.h>
#include <string.h>

#include "tests/crash/programs/disk.h"
#include "tests/crash/programs/program.h"

#define SEED 2166136261u

/* -- 07, 12: two balances, and a log of what both will be ---------------------------------- */

/* One sector, so that it is written whole. */
struct transfer {
	uint32_t sum;
	int32_t a, b;
};

static uint32_t sum_of(const struct transfer *t)
{
	return disk_digest(SEED, &t->a, 2 * sizeof(t->a));
}

static void put_balance(const char *name, int32_t value)
{
	int fd = disk_open(name, O_WRONLY | O_CREAT);

	disk_write(fd, &value, sizeof(value), 0);
	disk_sync(fd);
	disk_close(fd);
}

static void prepare_balances(bool fixed)
{
	struct transfer none = { 0 };

	(void)fixed;
	put_balance("a", 100);
	put_balance("b", 100);
	disk_put_bytes("log", &none, sizeof(none), true);
}

static void move(int log, bool sync_first)
{
	struct transfer t = { .a = 90, .b = 110 };

	t.sum = sum_of(&t);
	if (log >= 0)
		disk_write(log, &t, sizeof(t), 0);
	if (log >= 0 && sync_first)
		disk_sync(log);
	put_balance("a", t.a);
	put_balance("b", t.b);
	if (log >= 0)
		disk_sync(log);
	disk_ack("moved");
}

static int overwrite_before_log(bool fixed)
{
	int log = disk_open("log", O_WRONLY);

	move(log, fixed);
	disk_close(log);
	return 0;
}

static int overwrite_two(bool fixed)
{
	int log = fixed ? disk_open("log", O_WRONLY) : -1;

	move(log, true);
	return 0;
}

static int check_balances(bool fixed, const char *acks)
{
	struct transfer t = { 0 };

	(void)fixed;
	if (disk_read("log", &t, sizeof(t)) != (ssize_t)sizeof(t) || t.sum != sum_of(&t)) {
		if (disk_read("a", &t.a, sizeof(t.a)) != (ssize_t)sizeof(t.a) ||
		    disk_read("b", &t.b, sizeof(t.b)) != (ssize_t)sizeof(t.b))
			return disk_bad("a balance is not there");
	}
	if (t.a + t.b != 200)
		return disk_bad("the balances are %d and %d", t.a, t.b);
	if (disk_acked(acks, "moved") && t.a != 90)
		return disk_bad("the transfer was acknowledged, and is not there");
	return 0;
}

/* -- 08: a page of several sectors --------------------------------------------------------- */

struct meta {
	uint32_t sum;
	uint32_t root; /* the same number as count, in another sector */
	char between[2040];
	uint32_t count;
	char rest[4096 - 2052];
};

_Static_assert(sizeof(struct meta) == 4096, "one page");

static void write_meta(int fd, uint32_t generation, bool fixed)
{
	struct meta meta = { .root = generation, .count = generation };

	meta.sum = disk_digest(SEED, &meta.root, sizeof(meta) - sizeof(meta.sum));
	disk_write(fd, &meta, sizeof(meta), fixed && generation % 2 ? 4096 : 0);
	disk_sync(fd);
}

static void prepare_meta(bool fixed)
{
	int fd = disk_open("meta", O_RDWR | O_CREAT);

	disk_put("meta", 0, 8192, true);
	write_meta(fd, 1, fixed);
	disk_close(fd);
}

static int update_meta(bool fixed)
{
	int fd = disk_open("meta", O_RDWR);

	write_meta(fd, 2, fixed);
	disk_ack("2");
	write_meta(fd, 3, fixed);
	disk_ack("3");
	disk_close(fd);
	return 0;
}

static int check_meta(bool fixed, const char *acks)
{
	uint32_t acked = disk_acked(acks, "3") ? 3 : disk_acked(acks, "2") ? 2 : 1;
	struct meta meta[2], *last = &meta[0];

	if (disk_read("meta", meta, sizeof(meta)) != (ssize_t)sizeof(meta))
		return disk_bad("meta is too short");
	for (int i = 0; i < 2; i++) {
		if (meta[i].sum != disk_digest(SEED, &meta[i].root, sizeof(meta[i]) - 4))
			meta[i].root = fixed ? 0 : meta[i].root;
	}
	if (fixed && meta[1].root > meta[0].root)
		last = &meta[1];
	if (last->root != last->count)
		return disk_bad("the root is of generation %u, the count of %u", last->root,
				last->count);
	if (last->root < acked)
		return disk_bad("generation %u was acknowledged, %u is there", acked, last->root);
	return 0;
}

/* -- 10: a journal that comes back --------------------------------------------------------- */

#define DATA_BYTES 1024

struct journal {
	uint32_t sum;
	char before[DATA_BYTES];
};

static void prepare_data(bool fixed)
{
	(void)fixed;
	disk_put("data", 'o', DATA_BYTES, true);
}

static int commit_by_unlink(bool fixed)
{
	struct journal journal;
	int fd = disk_open("data", O_RDWR);
	char after[DATA_BYTES];

	memset(journal.before, 'o', sizeof(journal.before));
	journal.sum = disk_digest(SEED, journal.before, sizeof(journal.before));
	disk_put_bytes("journal", &journal, sizeof(journal), true);
	disk_sync_dir(".");
	memset(after, 'n', sizeof(after));
	disk_write(fd, after, sizeof(after), 0);
	disk_sync(fd);
	disk_close(fd);
	disk_unlink("journal");
	if (fixed)
		disk_sync_dir(".");
	disk_ack("committed");
	return 0;
}

static int check_journal(bool fixed, const char *acks)
{
	struct journal journal;
	bool hot = disk_read("journal", &journal, sizeof(journal)) == (ssize_t)sizeof(journal) &&
		   journal.sum == disk_digest(SEED, journal.before, sizeof(journal.before));

	(void)fixed;
	if (hot && disk_acked(acks, "committed"))
		return disk_bad("the journal is back and rolls back what was acknowledged");
	if (hot || disk_is("data", 'n', DATA_BYTES))
		return 0;
	if (disk_acked(acks, "committed") || !disk_is("data", 'o', DATA_BYTES))
		return disk_bad("data is neither old nor new, and there is no journal");
	return 0;
}

const struct program programs_of_pages[] = {
	{ "07-order", "pages are overwritten before the log is durable", prepare_balances,
	  overwrite_before_log, check_balances, IN_ALL, NULL },
	{ "08-torn", "a page of several sectors is taken to be written whole", prepare_meta,
	  update_meta, check_meta, IN_ALL, NULL },
	{ "10-journal", "a journal is deleted without a sync of the directory", prepare_data,
	  commit_by_unlink, check_journal, IN_ALL, NULL },
	{ "12-two-files", "two files are updated without a journal", prepare_balances,
	  overwrite_two, check_balances, IN_ALL, NULL },
	{ NULL },
};
