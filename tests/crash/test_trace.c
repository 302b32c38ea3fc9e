/* test_trace.c: what is appended is read back; what is no trace, or a damaged one, is refused. */
#include "builder.h"

#include <errno.h>
#include <stdio.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "crash/names.h"
#include "crash/trace_format.h"

static const char *new_path(void)
{
	static char path[4096];
	static unsigned nr;
	char name[32];

	snprintf(name, sizeof(name), "trace-%u", nr++);
	return strcpy(path, support_path(support_tmpdir(), name));
}

/* A small trace with every kind of record, in a file; its size. */
static off_t write_one(const char *path)
{
	struct story story = { 0 };
	struct stat st;

	assert_int_equal(crash_trace_create(path, NULL, &story.trace), 0);
	story_base(&story, "old", S_IFREG | 0600, 10);
	story_mkdir(&story, "a");
	story_create(&story, "a/f");
	story_write(&story, "a/f", 3, "hello", 5, CRASH_DSYNC);
	story_rename(&story, "a/f", "old");
	story_symlink(&story, "s", "target");
	story_sync(&story, "", 0);
	story_ack(&story, "done");
	assert_int_equal(crash_trace_nr(story.trace), 8);
	story_end(&story);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static int open_code(const char *path)
{
	struct crash_trace *trace = NULL;
	int err = crash_trace_open(path, &trace);

	crash_trace_close(trace);
	return err;
}

static void poke(const char *path, off_t off, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, off), len);
	close(fd);
}

static void what_is_appended_is_read_back(void **state)
{
	const char *path = new_path();
	struct crash_trace *trace;
	const struct crash_op *op;
	char data[8] = "";

	(void)state;
	write_one(path);
	assert_int_equal(crash_trace_open(path, &trace), 0);
	assert_int_equal(crash_trace_nr(trace), 8);
	assert_int_equal(crash_trace_sector(trace), 512);
	assert_false(crash_trace_torn(trace));
	op = crash_trace_op(trace, 3);
	assert_int_equal(op->seq, 4);
	assert_int_equal(op->begin, 3);
	assert_int_equal(op->code, CRASH_WRITE);
	assert_int_equal(op->flags, CRASH_DSYNC);
	assert_int_equal(op->off, 3);
	assert_int_equal(op->pid, 7);
	assert_int_equal(crash_trace_data(trace, op, 0, data, 5), 0);
	assert_string_equal(data, "hello");
	assert_int_equal(crash_trace_data(trace, op, 1, data, 5), -EINVAL);
	op = crash_trace_op(trace, 4);
	assert_string_equal(op->name, "f");
	assert_string_equal(op->name2, "old");
	assert_int_equal(op->dir2, CRASH_ROOT);
	assert_int_equal(crash_trace_append(trace, &(struct crash_op){ .code = CRASH_SYNC_ALL },
					    NULL),
			 -EROFS);
	crash_trace_close(trace);
}

static void a_trace_cut_short_ends_where_its_last_whole_op_does(void **state)
{
	const char *path = new_path();
	off_t size = write_one(path);
	uint64_t before = 8;

	(void)state;
	while (--size >= (off_t)sizeof(struct trace_header)) {
		struct crash_trace *trace;

		assert_int_equal(truncate(path, size), 0);
		assert_int_equal(crash_trace_open(path, &trace), 0);
		assert_true(crash_trace_nr(trace) == before || crash_trace_nr(trace) == before - 1);
		before = crash_trace_nr(trace);
		crash_trace_close(trace);
	}
	assert_int_equal(before, 0);
}

static void a_file_that_is_no_trace_is_refused(void **state)
{
	const char *path = new_path();
	static char zeros[4096];
	int fd = open(path, O_CREAT | O_RDWR, 0600);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(open_code(path), -ENODATA);
	assert_int_equal(write(fd, "SLUICTRC", 8), 8);
	assert_int_equal(open_code(path), -EILSEQ); /* not even a header */
	assert_int_equal(pwrite(fd, zeros, sizeof(zeros), 0), sizeof(zeros));
	assert_int_equal(open_code(path), -EILSEQ);
	close(fd);
	assert_int_equal(open_code(support_path(support_tmpdir(), "not there")), -ENOENT);
	assert_int_equal(open_code("/"), -EILSEQ);
	assert_int_equal(open_code("/dev/null"), -EILSEQ);
}

static void a_later_version_is_refused_before_its_checksum_is_looked_at(void **state)
{
	const char *path = new_path();
	uint32_t version = TRACE_VERSION + 1;

	(void)state;
	write_one(path);
	poke(path, offsetof(struct trace_header, version), &version, sizeof(version));
	assert_int_equal(open_code(path), -EOPNOTSUPP);
}

static void every_changed_byte_is_noticed(void **state)
{
	const char *path = new_path();
	off_t size = write_one(path);
	int fd = open(path, O_RDWR);

	(void)state;
	assert_true(fd >= 0);
	for (off_t off = 0; off < size; off++) {
		struct crash_trace *trace = NULL;
		char was, is;
		int err;

		assert_int_equal(pread(fd, &was, 1, off), 1);
		is = (char)(was ^ 0x20);
		assert_int_equal(pwrite(fd, &is, 1, off), 1);
		err = crash_trace_open(path, &trace);
		/* The last record, when damaged, is one that was cut short. */
		if (!err && crash_trace_nr(trace) >= 8)
			fail_msg("byte %d was changed", (int)off);
		if (err && err != -EBADMSG && err != -EILSEQ && err != -EOPNOTSUPP)
			fail_msg("byte %d: %d", (int)off, err);
		crash_trace_close(trace);
		assert_int_equal(pwrite(fd, &was, 1, off), 1);
	}
	assert_int_equal(open_code(path), 0);
	close(fd);
}

static void a_record_of_another_trace_is_no_record(void **state)
{
	const char *path = new_path(), *other;
	char mine[4096], record[4096];
	off_t size = write_one(path);
	int fd;

	(void)state;
	strcpy(mine, path);
	other = new_path();
	write_one(other);
	fd = open(other, O_RDONLY);
	assert_int_equal(pread(fd, record, (size_t)size - 64, 64), size - 64);
	close(fd);
	poke(mine, 64, record, (size_t)size - 64);
	{
		struct crash_trace *trace;

		assert_int_equal(crash_trace_open(mine, &trace), 0);
		assert_int_equal(crash_trace_nr(trace), 0);
		assert_true(crash_trace_torn(trace));
		crash_trace_close(trace);
	}
}

static void an_op_that_is_none_is_not_appended(void **state)
{
	struct crash_op good = {
		.code = CRASH_WRITE, .inode = 2, .len = 4, .data_len = 4, .flags = CRASH_DIRECT
	};
	struct crash_op bad[12];
	struct story story;
	size_t nr = 0;

	(void)state;
	story_begin(&story, 4096);
	for (size_t i = 0; i < 12; i++)
		bad[i] = good;
	bad[nr++].code = 0;
	bad[nr++].code = CRASH_CODES;
	bad[nr++].flags = CRASH_EXCHANGE;
	bad[nr++].inode = 0;
	bad[nr++].name = "f";
	bad[nr++].dir = 1;
	bad[nr++].len = 5;
	bad[nr++].off = UINT64_MAX;
	bad[nr++].begin = 1; /* in the future */
	bad[nr] = (struct crash_op){ .code = CRASH_UNLINK, .inode = 2, .dir = 1, .name = ".." };
	nr++;
	bad[nr] = (struct crash_op){ .code = CRASH_UNLINK, .inode = 2, .dir = 1, .name = "a/b" };
	nr++;
	bad[nr] = (struct crash_op){ .code = CRASH_ALLOCATE, .inode = 2, .len = 1, .flags2 = 8 };
	nr++;
	for (size_t i = 0; i < nr; i++) {
		if (crash_trace_append(story.trace, &bad[i], "data") != -EINVAL)
			fail_msg("op %d was appended", (int)i);
	}
	assert_int_equal(crash_trace_append(story.trace, &good, NULL), -EINVAL);
	assert_int_equal(crash_trace_append(story.trace, &good, "data"), 0);
	assert_int_equal(good.seq, 1);
	assert_int_equal(crash_trace_create(NULL, &(struct crash_trace_opts){ .sector = 1024 },
					    &story.trace),
			 -EINVAL);
	story_end(&story);
}

static void a_trace_that_is_full_takes_nothing_more(void **state)
{
	const struct crash_trace_opts opts = { .bytes_max = 400 };
	struct crash_op op = { .code = CRASH_ACK, .data_len = 100 };
	struct crash_trace *trace;
	char line[100] = "";

	(void)state;
	assert_int_equal(crash_trace_create(NULL, &opts, &trace), 0);
	assert_int_equal(crash_trace_append(trace, &op, line), 0);
	assert_int_equal(crash_trace_append(trace, &op, line), -EFBIG);
	op.data_len = 1;
	assert_int_equal(crash_trace_append(trace, &op, line), -EFBIG);
	assert_int_equal(crash_trace_error(trace), -EFBIG);
	assert_int_equal(crash_trace_nr(trace), 1);
	crash_trace_close(trace);
}

static void a_new_trace_does_not_replace_a_file(void **state)
{
	const char *path = new_path();
	struct crash_trace *trace;

	(void)state;
	write_one(path);
	assert_int_equal(crash_trace_create(path, NULL, &trace), -EEXIST);
	assert_int_equal(open_code(path), 0);
}

/* ---- contradictions ----------------------------------------------------------------- */

static struct crash_op name_op(uint32_t code, uint64_t inode, const char *name)
{
	return (struct crash_op){
		.code = code, .inode = inode, .dir = CRASH_ROOT, .name = name, .mode = S_IFREG
	};
}

static struct crash_op rename_op(uint64_t inode, const char *name, uint64_t dir2, const char *name2)
{
	struct crash_op op = name_op(CRASH_RENAME, inode, name);

	op.dir2 = dir2;
	op.name2 = name2;
	return op;
}

static void expect_contradiction(struct story *story, struct crash_op op, const void *data)
{
	struct crash_trace *trace;
	const char *why = "";
	uint64_t seq = 0;

	story_put(story, op, data);
	assert_int_equal(crash_trace_check(story->trace, &seq, &why), -EILSEQ);
	assert_int_equal(seq, story_now(story));
	assert_true(*why != '\0');
	assert_int_equal(crash_trace_open_fd(dup(crash_trace_fd(story->trace)), &trace), -EILSEQ);
	story_end(story);
}

/* A story with a file, a directory, and a file in it. */
static void begin_again(struct story *story)
{
	story_begin(story, 512);
	story_create(story, "f");   /* 2 */
	story_mkdir(story, "a");    /* 3 */
	story_create(story, "a/g"); /* 4 */
}

static void ops_that_contradict_each_other_are_refused(void **state)
{
	const struct crash_op bad[] = {
		name_op(CRASH_CREATE, 9, "f"),	/* the name is taken */
		name_op(CRASH_CREATE, 2, "h"),	/* the inode is */
		name_op(CRASH_UNLINK, 2, "h"),	/* no such name */
		name_op(CRASH_UNLINK, 4, "f"),	/* of another inode */
		name_op(CRASH_UNLINK, 3, "a"),	/* a directory */
		name_op(CRASH_RMDIR, 3, "a"),	/* not empty */
		name_op(CRASH_LINK, 3, "h"),	/* a directory */
		name_op(CRASH_BASE, 9, "late"), /* after what was done */
		{ .code = CRASH_CREATE, .inode = 9, .dir = 2, .name = "x", .mode = S_IFREG },
		{ .code = CRASH_CREATE, .inode = 9, .dir = 77, .name = "x", .mode = S_IFREG },
		{ .code = CRASH_TRUNCATE, .inode = 3 },
		{ .code = CRASH_TRUNCATE, .inode = 77 },
		{ .code = CRASH_SYNC, .inode = 77 },
		rename_op(3, "a", 3, "b"),
		rename_op(2, "f", 1, "a"),
		rename_op(4, "g", 1, "b"),
		{ .code = CRASH_RENAME,
		  .inode = 2,
		  .dir = 1,
		  .name = "f",
		  .dir2 = 1,
		  .name2 = "b",
		  .flags = CRASH_EXCHANGE },
	};
	struct story story;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin_again(&story);
		expect_contradiction(&story, bad[i], NULL);
	}
}

static void failed_ops_change_nothing(void **state)
{
	struct crash_op failed = name_op(CRASH_CREATE, 2, "f");
	struct crash_trace *trace;
	struct story story;

	(void)state;
	begin_again(&story);
	failed.res = -EEXIST;
	story_put(&story, failed, NULL);
	failed = name_op(CRASH_UNLINK, 0, "nothing");
	failed.res = -ENOENT;
	story_put(&story, failed, NULL);
	trace = story_read(&story);
	assert_int_equal(crash_trace_nr(trace), 5);
	crash_trace_close(trace);
	story_end(&story);
}

static void names_follow_renames_and_exchanges(void **state)
{
	struct crash_names *names;
	struct story story;
	const char *why;
	char path[64], small[8];

	(void)state;
	begin_again(&story);
	story_rename(&story, "a/g", "g");
	story_exchange(&story, "a", "g");
	story_create(&story, "g/new");
	assert_int_equal(crash_names_create(&names), 0);
	for (uint64_t i = 0; i < story_now(&story); i++)
		assert_int_equal(crash_names_apply(names, crash_trace_op(story.trace, i), &why), 0);
	assert_int_equal(crash_names_find(names, CRASH_ROOT, "a")->inode, 4);
	assert_int_equal(crash_names_find(names, CRASH_ROOT, "g")->inode, 3);
	assert_string_equal(crash_names_path(crash_names_node(names, 5), path, sizeof(path)),
			    "/g/new");
	assert_string_equal(crash_names_path(crash_names_node(names, CRASH_ROOT), path, 64), "/");
	assert_string_equal(crash_names_path(crash_names_node(names, 5), small, sizeof(small)),
			    "...");
	crash_names_destroy(names);
	story_end(&story);
}

static const struct CMUnitTest tests[] = {
	TEST(what_is_appended_is_read_back),
	TEST(a_trace_cut_short_ends_where_its_last_whole_op_does),
	TEST(a_file_that_is_no_trace_is_refused),
	TEST(a_later_version_is_refused_before_its_checksum_is_looked_at),
	TEST(every_changed_byte_is_noticed),
	TEST(a_record_of_another_trace_is_no_record),
	TEST(an_op_that_is_none_is_not_appended),
	TEST(a_trace_that_is_full_takes_nothing_more),
	TEST(a_new_trace_does_not_replace_a_file),
	TEST(ops_that_contradict_each_other_are_refused),
	TEST(failed_ops_change_nothing),
	TEST(names_follow_renames_and_exchanges),
};

int main(void)
{
	return RUN_TESTS(tests);
}
