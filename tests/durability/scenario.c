/* scenario.c: see scenario.h. A play says what a program would do; an error in it is a failure. */
#include "tests/durability/scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BYTES 8192 /* of one letter */

const char *const scenario_profiles[PROFILES_NR] = { "posix", "ext4", "xfs", "btrfs" };

/* ---- what programs do ---------------------------------------------------------------- */

static int64_t do_op(struct stage *stage, struct sl_op *op)
{
	return sl_ring_do(stage->ring, op);
}

static int64_t try_open(struct stage *stage, const char *name, uint64_t flags)
{
	const struct sl_open_how how = { .flags = flags | O_CLOEXEC,
					 .mode = flags & O_CREAT ? 0644 : 0 };
	struct sl_op op = { 0 };

	return do_op(stage, sl_op_open(&op, stage->dir, name, &how));
}

static void close_fd(struct stage *stage, int fd)
{
	struct sl_op op = { 0 };

	assert_int_equal(do_op(stage, sl_op_close(&op, fd)), 0);
}

/* Stays open until the power is cut. */
static int open_at(struct stage *stage, const char *name, uint64_t flags)
{
	int64_t fd = try_open(stage, name, flags);

	if (fd < 0)
		fail_msg("cannot open %s: %s", name, sl_err_name((int)fd));
	assert_true(stage->fds_nr < sizeof(stage->fds) / sizeof(stage->fds[0]));
	stage->fds[stage->fds_nr++] = (int)fd;
	return (int)fd;
}

static void spell(char *bytes, char letter)
{
	memset(bytes, letter, BYTES);
}

static void fill(struct stage *stage, int fd, uint64_t off, char letter)
{
	char bytes[BYTES];
	struct sl_op op = { 0 };

	spell(bytes, letter);
	assert_int_equal(do_op(stage, sl_op_write(&op, fd, bytes, BYTES, off)), BYTES);
}

static void fill_dsync(struct stage *stage, int fd, uint64_t off, char letter)
{
	char bytes[BYTES];
	struct sl_op op = { 0 };

	spell(bytes, letter);
	sl_op_write(&op, fd, bytes, BYTES, off);
	op.flags |= SL_OP_DSYNC;
	assert_int_equal(do_op(stage, &op), BYTES);
}

static struct sl_file *open_file(struct stage *stage, const char *name, unsigned io)
{
	const struct sl_file_opts opts = { .open_flags = O_RDWR, .io = io };
	struct sl_file *file = NULL;

	assert_int_equal(sl_file_open(stage->ring, stage->dir, name, &opts, &file), 0);
	return file;
}

/* By direct I/O, from memory that is aligned for it. */
static void fill_file(struct sl_file *file, uint64_t off, char letter, unsigned flags)
{
	struct sl_file_req req = { .len = BYTES, .off = off, .flags = flags };

	assert_int_equal(posix_memalign(&req.buf, 4096, BYTES), 0);
	spell(req.buf, letter);
	assert_int_equal(sl_file_do(file, SL_FILE_WRITE, &req), BYTES);
	free(req.buf);
}

static void sync_file(struct sl_file *file)
{
	struct sl_file_req req = { 0 };

	assert_int_equal(sl_file_do(file, SL_FILE_SYNC, &req), 0);
}

static void sync_fd(struct stage *stage, int fd)
{
	struct sl_op op = { 0 };

	assert_int_equal(do_op(stage, sl_op_fsync(&op, fd)), 0);
}

static void data_sync_fd(struct stage *stage, int fd)
{
	struct sl_op op = { 0 };

	assert_int_equal(do_op(stage, sl_op_fdatasync(&op, fd)), 0);
}

static void sync_dir(struct stage *stage, const char *name)
{
	int64_t fd = try_open(stage, name, O_RDONLY | O_DIRECTORY);
	struct sl_op op = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(do_op(stage, sl_op_sync_dir(&op, (int)fd)), 0);
	close_fd(stage, (int)fd);
}

static void truncate_fd(struct stage *stage, int fd, uint64_t size)
{
	struct sl_op op = { 0 };

	assert_int_equal(do_op(stage, sl_op_truncate(&op, fd, size)), 0);
}

static void rename_at(struct stage *stage, const char *source, const char *target)
{
	const struct sl_name_pair pair = { source, target, stage->dir, 0 };
	struct sl_op op = { 0 };

	assert_int_equal(do_op(stage, sl_op_rename(&op, stage->dir, &pair)), 0);
}

static void link_at(struct stage *stage, const char *source, const char *target)
{
	const struct sl_name_pair pair = { source, target, stage->dir, 0 };
	struct sl_op op = { 0 };

	assert_int_equal(do_op(stage, sl_op_link(&op, stage->dir, &pair)), 0);
}

static void unlink_at(struct stage *stage, const char *name)
{
	struct sl_op op = { 0 };

	assert_int_equal(do_op(stage, sl_op_unlink(&op, stage->dir, name, 0)), 0);
}

static void make_dir(struct stage *stage, const char *name)
{
	struct sl_op op = { 0 };

	assert_int_equal(do_op(stage, sl_op_mkdir(&op, stage->dir, name, 0755)), 0);
}

/* ---- what was there before ----------------------------------------------------------- */

/* Durable, content and name; of as many letters as asked for. */
static void old_file(struct stage *stage, const char *name, const char *dir, unsigned nr)
{
	int fd = open_at(stage, name, O_RDWR | O_CREAT);

	for (unsigned i = 0; i < nr; i++)
		fill(stage, fd, (uint64_t)i * BYTES, 'o');
	sync_fd(stage, fd);
	sync_dir(stage, dir);
	stage->fds_nr--;
	close_fd(stage, fd);
}

static void old_dir(struct stage *stage, const char *name)
{
	make_dir(stage, name);
	sync_dir(stage, ".");
}

static void begins(struct stage *stage)
{
	if (stage->begins)
		stage->begins(stage);
}

/* A durable file, opened for what the sentence is about. */
static int begin_with(struct stage *stage, const char *name)
{
	int fd;

	old_file(stage, name, ".", 1);
	fd = open_at(stage, name, O_RDWR);
	begins(stage);
	return fd;
}

/* A file that is written and not synced. */
static int new_file(struct stage *stage, const char *name)
{
	int fd = open_at(stage, name, O_RDWR | O_CREAT);

	fill(stage, fd, 0, 'n');
	return fd;
}

/* ---- writes -------------------------------------------------------------------------- */

static void overwrite(struct stage *stage)
{
	fill(stage, begin_with(stage, "f"), 0, 'n');
}

static void overwrite_directly(struct stage *stage)
{
	struct sl_file *file;

	old_file(stage, "f", ".", 1);
	file = open_file(stage, "f", SL_FILE_DIRECT);
	begins(stage);
	fill_file(file, 0, 'n', 0);
	sl_file_close(file);
}

static void overwrite_and_close(struct stage *stage)
{
	overwrite(stage);
	close_fd(stage, stage->fds[--stage->fds_nr]);
}

static void overwrite_two_and_sync_the_second(struct stage *stage)
{
	int f, g;

	old_file(stage, "f", ".", 1);
	old_file(stage, "g", ".", 1);
	f = open_at(stage, "f", O_RDWR);
	g = open_at(stage, "g", O_RDWR);
	begins(stage);
	fill(stage, f, 0, 'n');
	fill(stage, g, 0, 'n');
	data_sync_fd(stage, g);
}

static void overwrite_by_range(struct stage *stage)
{
	int fd = begin_with(stage, "f");

	fill(stage, fd, 0, 'n');
	assert_int_equal(sync_file_range(fd, 0, 0,
					 SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
						 SYNC_FILE_RANGE_WAIT_AFTER),
			 0);
}

static void store(struct stage *stage)
{
	int fd = begin_with(stage, "f");
	char *bytes = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(bytes, MAP_FAILED);
	spell(bytes, 'n');
	assert_int_equal(msync(bytes, BYTES, MS_ASYNC), 0);
	munmap(bytes, BYTES);
}

static void store_and_sync(struct stage *stage)
{
	store(stage);
	data_sync_fd(stage, stage->fds[stage->fds_nr - 1]);
}

/* ---- syncs --------------------------------------------------------------------------- */

/* f by the op, g by sl_file: one overwritten, one appended to. */
static void sync_two(struct stage *stage)
{
	struct sl_file *file;
	int fd;

	old_file(stage, "g", ".", 1);
	fd = begin_with(stage, "f");
	fill(stage, fd, 0, 'n');
	data_sync_fd(stage, fd);
	file = open_file(stage, "g", SL_FILE_BUFFERED);
	fill_file(file, BYTES, 'n', 0);
	sync_file(file);
	sl_file_close(file);
}

static void sync_a_direct_write(struct stage *stage)
{
	struct sl_file *file;

	old_file(stage, "f", ".", 1);
	file = open_file(stage, "f", SL_FILE_DIRECT);
	begins(stage);
	fill_file(file, 0, 'n', 0);
	sync_file(file);
	sl_file_close(file);
}

static void sync_in_a_chain(struct stage *stage)
{
	struct sl_op ops[2] = { { 0 }, { 0 } };
	struct sl_op *chain[2] = { &ops[0], &ops[1] };
	char bytes[BYTES];
	int fd = begin_with(stage, "f");

	spell(bytes, 'n');
	sl_op_write(&ops[0], fd, bytes, BYTES, 0);
	ops[0].flags |= SL_OP_LINKED;
	sl_op_fdatasync(&ops[1], fd);
	assert_int_equal(sl_ring_submitv(stage->ring, chain, 2), 0);
	assert_ptr_equal(sl_ring_next(stage->ring, 0), &ops[0]);
	assert_ptr_equal(sl_ring_next(stage->ring, 0), &ops[1]);
	assert_int_equal(ops[0].res, BYTES);
	assert_int_equal(ops[1].res, 0);
}

/* Through the cache over old content, and past it at the end of the file. */
static void write_dsync(struct stage *stage)
{
	struct sl_file *file;
	int fd;

	old_file(stage, "f", ".", 1);
	old_file(stage, "g", ".", 1);
	fd = open_at(stage, "f", O_RDWR);
	file = open_file(stage, "g", SL_FILE_DIRECT);
	begins(stage);
	fill_dsync(stage, fd, 0, 'n');
	fill_file(file, BYTES, 'n', SL_FILE_DSYNC);
	sl_file_close(file);
}

static void write_dsync_behind_another(struct stage *stage)
{
	int fd;

	old_file(stage, "f", ".", 2);
	fd = open_at(stage, "f", O_RDWR);
	begins(stage);
	fill(stage, fd, 0, 'n');
	fill_dsync(stage, fd, BYTES, 'n');
}

/* ---- names --------------------------------------------------------------------------- */

static void new_file_from_its_data_up(struct stage *stage)
{
	make_dir(stage, "a");
	data_sync_fd(stage, new_file(stage, "a/f"));
	sync_dir(stage, "a");
	sync_dir(stage, ".");
}

static void new_file_synced(struct stage *stage)
{
	make_dir(stage, "a");
	make_dir(stage, "a/b");
	sync_fd(stage, new_file(stage, "a/b/f"));
}

static void two_new_files_the_second_synced(struct stage *stage)
{
	new_file(stage, "f");
	sync_fd(stage, new_file(stage, "g"));
}

static void two_new_names(struct stage *stage)
{
	open_at(stage, "f", O_RDWR | O_CREAT);
	open_at(stage, "g", O_RDWR | O_CREAT);
}

static void unlinked(struct stage *stage)
{
	old_file(stage, "f", ".", 1);
	begins(stage);
	unlink_at(stage, "f");
}

static void unlinked_and_synced(struct stage *stage)
{
	unlinked(stage);
	sync_dir(stage, ".");
}

static void unlinked_and_another_synced(struct stage *stage)
{
	unlinked(stage);
	sync_fd(stage, new_file(stage, "g"));
}

static void renamed(struct stage *stage)
{
	old_file(stage, "f", ".", 1);
	begins(stage);
	rename_at(stage, "f", "g");
}

static void renamed_and_synced(struct stage *stage)
{
	renamed(stage);
	sync_dir(stage, ".");
}

static void renamed_over(struct stage *stage)
{
	old_file(stage, "f", ".", 1);
	begins(stage);
	sync_fd(stage, new_file(stage, "t"));
	rename_at(stage, "t", "f");
}

static void renamed_over_without_its_data(struct stage *stage)
{
	old_file(stage, "f", ".", 1);
	begins(stage);
	new_file(stage, "t");
	rename_at(stage, "t", "f");
	sync_dir(stage, ".");
}

static void renamed_without_its_data(struct stage *stage)
{
	new_file(stage, "t");
	rename_at(stage, "t", "f");
	sync_dir(stage, ".");
}

static void renamed_across(struct stage *stage)
{
	old_dir(stage, "a");
	old_dir(stage, "b");
	old_file(stage, "a/f", "a", 1);
	begins(stage);
	rename_at(stage, "a/f", "b/f");
	sync_dir(stage, "b");
}

static void renamed_across_and_both_synced(struct stage *stage)
{
	renamed_across(stage);
	sync_dir(stage, "a");
}

static void linked(struct stage *stage)
{
	old_file(stage, "f", ".", 1);
	begins(stage);
	link_at(stage, "f", "g");
}

static void linked_and_synced(struct stage *stage)
{
	linked(stage);
	sync_dir(stage, ".");
}

/* ---- sizes --------------------------------------------------------------------------- */

static void append(struct stage *stage)
{
	fill(stage, begin_with(stage, "f"), BYTES, 'n');
}

static void truncated(struct stage *stage)
{
	truncate_fd(stage, begin_with(stage, "f"), 0);
}

/* f to half of it, g to twice of it. */
static void truncated_and_synced(struct stage *stage)
{
	int f, g;

	old_file(stage, "f", ".", 2);
	old_file(stage, "g", ".", 1);
	f = open_at(stage, "f", O_RDWR);
	g = open_at(stage, "g", O_RDWR);
	begins(stage);
	truncate_fd(stage, f, BYTES);
	truncate_fd(stage, g, 2 * (uint64_t)BYTES);
	data_sync_fd(stage, f);
	data_sync_fd(stage, g);
}

/* As an editor does that saves in place, while others sync. */
static void rewritten_and_another_synced(struct stage *stage)
{
	int64_t fd;

	old_file(stage, "f", ".", 1);
	begins(stage);
	fd = try_open(stage, "f", O_RDWR | O_TRUNC);
	assert_true(fd >= 0);
	fill(stage, (int)fd, 0, 'n');
	close_fd(stage, (int)fd);
	sync_fd(stage, new_file(stage, "g"));
}

static void write_into_reserved_blocks(struct stage *stage)
{
	struct sl_file_req req = { .len = 2 * (uint64_t)BYTES };
	struct sl_file *file;

	old_file(stage, "f", ".", 1);
	file = open_file(stage, "f", SL_FILE_DIRECT);
	assert_int_equal(sl_file_do(file, SL_FILE_ALLOCATE, &req), 0);
	sync_file(file);
	begins(stage);
	fill_file(file, BYTES, 'n', SL_FILE_DSYNC);
	sl_file_close(file);
}

/* ---- replacing, reading again -------------------------------------------------------- */

static void replaced(struct stage *stage)
{
	char bytes[BYTES];

	old_file(stage, "f", ".", 1);
	begins(stage);
	spell(bytes, 'n');
	assert_int_equal(sl_file_replace(stage->ring, stage->dir, "f", bytes, BYTES, NULL), 0);
}

static void assert_reads(struct stage *stage, int fd, char letter)
{
	struct sl_op op = { 0 };
	char byte = 0;

	assert_int_equal(do_op(stage, sl_op_read(&op, fd, &byte, 1, 0)), 1);
	assert_int_equal(byte, letter);
}

/* A program ends without a sync; its successor reads what it left. */
static void read_without_a_sync(struct stage *stage)
{
	overwrite_and_close(stage);
	assert_reads(stage, open_at(stage, "f", O_RDWR), 'n');
}

static void read_after_a_sync(struct stage *stage)
{
	int fd;

	close_fd(stage, new_file(stage, "f"));
	stage->fds_nr--;
	fd = open_at(stage, "f", O_RDWR);
	data_sync_fd(stage, fd);
	sync_dir(stage, ".");
	assert_reads(stage, fd, 'n');
}

/* ---- the table ----------------------------------------------------------------------- */

#define SCENARIO(nr, fn, looked_at, lost_with, ...) \
	[SCENARIO_##nr] = {                         \
		.name = #nr,                        \
		.play = fn,                         \
		.files = looked_at,                 \
		.loss = lost_with,                  \
		.of = { __VA_ARGS__ },              \
	}

#define CACHE  LOST_WITH_THE_PAGE_CACHE
#define DEVICE LOST_WITH_THE_DEVICE_CACHE

/* What may be seen, and what must be: on ext4 and xfs; everywhere. */
#define BOTH(among, lost)   \
	{ among, lost },    \
	{                   \
		among, lost \
	}
#define ALL(among, lost) BOTH(among, lost), BOTH(among, lost)

#define KEPT(among) ALL(among, NULL)

#define TORN "O N M"

/* The order of outcomes: posix, ext4, xfs, btrfs. */
const struct scenario scenarios[SCENARIO_NR_MAX] = {
	SCENARIO(D1_a_write_that_completed_is_not_durable, overwrite, "f", CACHE, ALL(TORN, "O")),
	SCENARIO(D2_a_direct_write_is_not_durable, overwrite_directly, "f", DEVICE, ALL(TORN, "O")),
	SCENARIO(D3_closing_a_file_makes_nothing_durable, overwrite_and_close, "f", CACHE,
		 ALL(TORN, "O")),
	SCENARIO(D5_operations_without_a_sync_survive_in_no_order,
		 overwrite_two_and_sync_the_second, "f g", CACHE, ALL("ON NN MN", "ON")),
	SCENARIO(D6_sync_file_range_makes_nothing_durable, overwrite_by_range, "f", DEVICE,
		 ALL(TORN, "O")),
	SCENARIO(D7_a_store_to_mapped_memory_may_be_lost, store, "f", CACHE, ALL(TORN, "O")),
	SCENARIO(D8_a_sync_covers_stores_to_mapped_memory, store_and_sync, "f", CACHE, KEPT("N")),

	SCENARIO(D10_a_sync_makes_data_and_size_durable, sync_two, "f g", CACHE, KEPT("NA")),
	SCENARIO(D11_a_sync_covers_direct_writes, sync_a_direct_write, "f", DEVICE, KEPT("N")),
	SCENARIO(D14_a_sync_in_a_chain_covers_the_write_before_it, sync_in_a_chain, "f", CACHE,
		 KEPT("N")),
	SCENARIO(D15_a_dsync_write_is_durable, write_dsync, "f g", CACHE, KEPT("NA")),
	SCENARIO(D16_a_dsync_write_says_nothing_of_earlier_ones, write_dsync_behind_another, "f",
		 CACHE, { "A B M", "A" }, BOTH("A B M", "A"), { "A B M", NULL }),

	SCENARIO(D20_a_new_file_is_durable_from_its_data_up, new_file_from_its_data_up, "a/f",
		 CACHE, KEPT("N")),
	SCENARIO(D22_the_name_of_a_synced_file_is_kept, new_file_synced, "a/b/f", CACHE, { 0 },
		 BOTH("N", NULL), { "N", NULL }),
	SCENARIO(D23_a_file_made_before_may_be_empty_or_absent, two_new_files_the_second_synced,
		 "f g", CACHE, { 0 }, { "EN NN MN", "EN" }, { "EN NN", "EN" },
		 { "-N EN NN MN", "-N" }),
	SCENARIO(D24_names_survive_in_order_on_ext4_and_xfs, two_new_names, "f g", CACHE,
		 { "-- E- -E EE", "-E" }, BOTH("-- E- EE", "--"), { "-- E- -E EE", "--" }),
	SCENARIO(D25_an_unlinked_name_may_be_back, unlinked, "f", CACHE, ALL("O -", "O")),
	SCENARIO(D26_an_unlinked_name_is_gone_once_synced, unlinked_and_synced, "f", CACHE,
		 KEPT("-")),
	SCENARIO(D27_a_sync_elsewhere_makes_an_unlink_final_or_not, unlinked_and_another_synced,
		 "f", CACHE, { "O -", "O" }, BOTH("-", NULL), { "O -", "O" }),
	SCENARIO(D28_a_renamed_file_has_one_of_its_names, renamed, "f g", CACHE,
		 ALL("O- -O", "O-")),
	SCENARIO(D29_a_rename_is_durable_once_synced, renamed_and_synced, "f g", CACHE, KEPT("-O")),
	SCENARIO(D30_a_rename_over_a_file_shows_one_of_the_two, renamed_over, "f", CACHE,
		 ALL("O N", "O")),
	SCENARIO(D31_a_file_renamed_without_a_sync_may_be_empty, renamed_over_without_its_data, "f",
		 CACHE, { "E N M", "E" }, { "N M", NULL }, { "E N", "E" }, { "E N M", "E" }),
	SCENARIO(D32_under_a_new_name_it_may_be_empty_anywhere, renamed_without_its_data, "f",
		 CACHE, { "E N M", "E" }, { "E N M", "E" }, { "E N", "E" }, { "E N M", "E" }),
	SCENARIO(D33_a_file_may_be_in_both_directories, renamed_across, "a/f b/f", CACHE,
		 { "-O", NULL }, BOTH("-O", NULL), { "OO -O", "OO" }),
	SCENARIO(D34_both_directories_synced_it_is_in_one, renamed_across_and_both_synced,
		 "a/f b/f", CACHE, KEPT("-O")),
	SCENARIO(D35_a_link_may_be_gone, linked, "f g", CACHE, ALL("OO O-", "O-")),
	SCENARIO(D36_a_link_is_durable_once_synced, linked_and_synced, "f g", CACHE, KEPT("OO")),

	SCENARIO(D40_on_xfs_a_grown_size_comes_with_its_data, append, "f", CACHE,
		 { "O A Z M", "M" }, { "O A Z M", "O" }, { "O A", "O" }, { "O A Z M", "O" }),
	SCENARIO(D42_a_truncation_may_be_undone, truncated, "f", CACHE, ALL("O E", "O")),
	SCENARIO(D43_a_truncation_is_durable_once_synced, truncated_and_synced, "f g", CACHE,
		 KEPT("OZ")),
	SCENARIO(D44_a_file_rewritten_without_a_sync_may_be_empty, rewritten_and_another_synced,
		 "f", CACHE, { "O E N M", "E" }, { "N M", NULL }, { "E N", NULL },
		 { "O E N M", "O" }),
	SCENARIO(D51_the_first_write_into_reserved_blocks_is_durable, write_into_reserved_blocks,
		 "f", CACHE, KEPT("A")),

	SCENARIO(D80_a_replaced_file_is_the_new_one, replaced, "f", CACHE, KEPT("N")),
	SCENARIO(D85_what_was_read_may_be_gone_with_the_next_cut, read_without_a_sync, "f", CACHE,
		 ALL(TORN, "O")),
	SCENARIO(D86_what_was_synced_before_it_was_read_is_there, read_after_a_sync, "f", CACHE,
		 KEPT("N")),
};

/* ---- looking ------------------------------------------------------------------------- */

/* The letter that a part of a file is made of, or 0. */
static char letter_of(const char *bytes)
{
	for (size_t i = 1; i < BYTES; i++) {
		if (bytes[i] != bytes[0])
			return 0;
	}
	return bytes[0] ? bytes[0] : 'z';
}

static char state_of(const char *bytes, int64_t len)
{
	char first, second;

	if (len == 0)
		return 'E';
	first = len >= BYTES ? letter_of(bytes) : 0;
	if (len == BYTES && (first == 'o' || first == 'n'))
		return first == 'o' ? 'O' : 'N';
	second = len == 2 * (int64_t)BYTES ? letter_of(bytes + BYTES) : 0;
	if (first == 'o' && second == 'n')
		return 'A';
	if (first == 'n' && second == 'n')
		return 'B';
	return first == 'o' && second == 'z' ? 'Z' : 'M';
}

static char look_at(struct stage *stage, const char *name)
{
	static char bytes[3 * BYTES];
	struct sl_op op = { 0 };
	int64_t fd = try_open(stage, name, O_RDONLY), len;

	if (fd == -ENOENT)
		return '-';
	if (fd < 0)
		fail_msg("cannot open %s: %s", name, sl_err_name((int)fd));
	len = do_op(stage, sl_op_read(&op, (int)fd, bytes, sizeof(bytes), 0));
	assert_true(len >= 0);
	close_fd(stage, (int)fd);
	return state_of(bytes, len);
}

void scenario_look(const struct scenario *scenario, struct stage *stage, char *ret_letters)
{
	char names[64];
	char *rest = names;
	const char *name;
	unsigned nr = 0;

	strcpy(names, scenario->files);
	while ((name = strsep(&rest, " ")))
		ret_letters[nr++] = look_at(stage, name);
	ret_letters[nr] = '\0';
}

bool scenario_is_among(const char *letters, const char *list)
{
	size_t len = strlen(letters);

	for (const char *word = list; word; word = strchr(word, ' ')) {
		word += *word == ' ';
		if (strncmp(word, letters, len) == 0 && (!word[len] || word[len] == ' '))
			return true;
	}
	return false;
}

void stage_end(struct stage *stage)
{
	while (stage->fds_nr)
		close_fd(stage, stage->fds[--stage->fds_nr]);
}
