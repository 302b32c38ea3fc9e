/*
 * powercut.c: what is acknowledged survives a power cut, on the file system of $SLUICE_VM_FS.
 *
 * A workload runs on a file system over dm-log-writes and marks the log each
 * time something was acknowledged. Then the states that a cut may leave are put
 * on another device, mounted, and compared with the marks before the cut. At a
 * place in the log everything before the last flush is there, and so is every
 * FUA write; of the other writes since that flush any may be missing, in whole
 * or in part, and so may be the one that is under way. At each flush and each
 * FUA write of the workload two states are looked at: with none of these, and
 * with a random part. Of the guest's disks the first is worked on, the second
 * has the log, the third the states; a snapshot in memory takes what a mount
 * changes.
 *
 * Without a sync the same way finds losses, or this test would prove nothing.
 * A pattern as argument picks tests by name; $SLUICE_VM_STATES bounds how many
 * states of each workload are looked at, evenly spread.
 */
#include "tests/vm/mapper.h"
#include "tests/vm/workload.h"
#include "tests/vm/writelog.h"

#include "harness.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#define FOLDER	   "/tmp/cut"
#define SCRATCH	   "/dev/ram0"
#define STATES_MAX 120
#define STATES_MIN 20

struct cut {
	const char *fs;
	const struct workload *work;
	struct writelog log;
	size_t start;	/* the entry where the workload begins */
	int base;	/* the device with all that is durable so far */
	size_t durable; /* entries applied to it */
	uint64_t seed;
	unsigned states, bad;
};

static const char *file_system(void)
{
	const char *fs = getenv("SLUICE_VM_FS");

	if (!fs)
		SKIP("no disks to break: SLUICE_VM_FS is not set, see tests/vm/README.md");
	return fs;
}

void workload_acknowledge(unsigned nr)
{
	char text[32];

	snprintf(text, sizeof(text), "mark ack-%u", nr);
	mapper_message("log", text);
}

static void record(const struct cut *cut)
{
	mapper_create("log", "0 %llu log-writes %s %s\n",
		      (unsigned long long)mapper_sectors(mapper_disk(0)), mapper_disk(0),
		      mapper_disk(1));
	mapper_format(cut->fs, "/dev/mapper/log");
	assert_int_equal(mapper_mount(cut->fs, "/dev/mapper/log", FOLDER), 0);
	cut->work->prepare(FOLDER);
	sync();
	mapper_message("log", "mark start");
	cut->work->run(FOLDER);
	mapper_message("log", "mark end");
	mapper_unmount(FOLDER);
	mapper_remove("log");
}

/* The last thing acknowledged before an entry. */
static unsigned acknowledged(const struct cut *cut, size_t idx)
{
	unsigned nr = 0;

	for (size_t i = cut->start; i < idx; i++)
		sscanf(cut->log.entries[i].mark, "ack-%u", &nr);
	return nr;
}

static void make_durable(struct cut *cut, size_t idx)
{
	while (cut->durable < idx)
		writelog_apply(&cut->log, cut->durable++, cut->base);
}

/* One of which a part may be there when the cut interrupts it. One that begins with a flush
 * has no part on the disk before all that the flush covers is there. */
static bool can_tear(const struct writelog_entry *entry)
{
	return entry->len && !(entry->flags & (WRITELOG_FLUSH | WRITELOG_DISCARD));
}

/* What was written since the last flush: FUA writes, and of the rest what chance keeps. */
static void keep_some(struct cut *cut, size_t end, bool any)
{
	int fd = open("/dev/mapper/state", O_WRONLY | O_DIRECT | O_CLOEXEC);

	assert_true(fd >= 0);
	for (size_t i = cut->durable; i < end; i++) {
		uint64_t dice = any ? support_random(&cut->seed) % 4 : 0;

		if (cut->log.entries[i].flags & WRITELOG_FUA || dice >= 2)
			writelog_apply(&cut->log, i, fd);
		else if (dice == 1)
			writelog_tear(&cut->log, i, fd, &cut->seed);
	}
	if (any && can_tear(&cut->log.entries[end]))
		writelog_tear(&cut->log, end, fd, &cut->seed);
	close(fd);
}

static void look(struct cut *cut, size_t end, bool any)
{
	unsigned acked = acknowledged(cut, end);
	const char *problem = "it cannot be mounted";
	int mounted;

	mapper_create("state", "0 %llu snapshot %s " SCRATCH " N 8\n",
		      (unsigned long long)mapper_sectors(mapper_disk(2)), mapper_disk(2));
	keep_some(cut, end, any);
	mounted = mapper_mount(cut->fs, "/dev/mapper/state", FOLDER) == 0;
	if (mounted) {
		problem = cut->work->check(FOLDER, acked);
		mapper_unmount(FOLDER);
	}
	mapper_remove("state");
	cut->states++;
	if (!problem)
		return;
	if (!cut->bad++)
		printf("# cut at entry %zu of %zu, %u acknowledged, %s: %s\n", end, cut->log.nr,
		       acked, any ? "a random part of the rest" : "nothing of the rest", problem);
}

static bool is_cut(const struct cut *cut, size_t idx, size_t end)
{
	return idx == end || cut->log.entries[idx].flags & (WRITELOG_FLUSH | WRITELOG_FUA);
}

static size_t states_max(void)
{
	const char *text = getenv("SLUICE_VM_STATES");

	return text ? strtoul(text, NULL, 10) : STATES_MAX;
}

static void cut_everywhere(struct cut *cut)
{
	size_t end = writelog_find(&cut->log, "end");
	size_t nr = 0, seen = 0, step;

	for (size_t i = cut->start; i <= end; i++)
		nr += is_cut(cut, i, end);
	step = nr * 2 / states_max() + 1;
	for (size_t i = cut->start; i <= end; i++) {
		if (is_cut(cut, i, end) && (i == end || seen++ % step == 0)) {
			look(cut, i, false);
			look(cut, i, true);
		}
		if (cut->log.entries[i].flags & WRITELOG_FLUSH)
			make_durable(cut, i);
	}
}

static struct cut cut_power(const struct workload *work)
{
	struct cut cut = { .fs = file_system(), .work = work, .seed = support_seed() };
	uint64_t all[2] = { 0, mapper_sectors(mapper_disk(2)) * 512 };

	mapper_run("dd if=/dev/zero of=%s bs=4096 count=1 conv=fsync 2>/dev/null", mapper_disk(1));
	record(&cut);
	writelog_open(&cut.log, mapper_disk(1));
	cut.start = writelog_find(&cut.log, "start");
	cut.base = open(mapper_disk(2), O_WRONLY | O_DIRECT | O_CLOEXEC);
	assert_true(cut.base >= 0);
	assert_int_equal(ioctl(cut.base, BLKZEROOUT, all), 0);
	make_durable(&cut, cut.start);
	cut_everywhere(&cut);
	printf("# %s on %s: %u states of %zu log entries, %u bad\n", work->name, cut.fs, cut.states,
	       cut.log.nr, cut.bad);
	close(cut.base);
	writelog_close(&cut.log);
	return cut;
}

static void assert_survives(const struct workload *work)
{
	struct cut cut = cut_power(work);

	assert_int_equal(cut.bad, 0);
	assert_true(cut.states >= STATES_MIN);
}

static void a_replaced_file_is_the_old_or_the_new_one(void **state)
{
	(void)state;
	assert_survives(&workload_replace);
}

static void an_acknowledged_dsync_write_is_there(void **state)
{
	(void)state;
	assert_survives(&workload_dsync);
}

static void what_was_appended_and_synced_is_there(void **state)
{
	(void)state;
	assert_survives(&workload_append);
}

static void what_a_log_has_acknowledged_is_recovered(void **state)
{
	(void)state;
	assert_survives(&workload_log);
}

static void an_acknowledged_upload_is_whole(void **state)
{
	(void)state;
	assert_survives(&workload_put);
}

static void without_a_sync_the_loss_is_found(void **state)
{
	(void)state;
	assert_true(cut_power(&workload_careless).bad > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_replaced_file_is_the_old_or_the_new_one),
		TEST(an_acknowledged_dsync_write_is_there),
		TEST(what_was_appended_and_synced_is_there),
		TEST(what_a_log_has_acknowledged_is_recovered),
		TEST(an_acknowledged_upload_is_whole),
		TEST(without_a_sync_the_loss_is_found),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);

	return RUN_TESTS(tests);
}
