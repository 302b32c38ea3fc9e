/* test_ring.c: what a program on a ring does to its files, as the recording backend tells it to a
 * trace. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sluice/crash.h>
#include <sluice/file.h>
#include <sluice/ring.h>

#include "crash/trace.h"

/* A directory to record, and beside it the trace. */
struct place {
	char dir[512];
	char trace[512];
	char acks[512];
	char backend[2048];
};

static struct place new_place(const char *inner, const char *more)
{
	const char *dir = support_tmpdir();
	struct place place;

	snprintf(place.dir, sizeof(place.dir), "%s/data", dir);
	snprintf(place.trace, sizeof(place.trace), "%s/trace", dir);
	snprintf(place.acks, sizeof(place.acks), "%s/acks", dir);
	snprintf(place.backend, sizeof(place.backend), "record:%s,trace=%s,dir=%s%s", inner,
		 place.trace, place.dir, more);
	assert_int_equal(mkdir(place.dir, 0700), 0);
	return place;
}

/* Skips where this machine has no such backend. */
static struct sl_ring *open_ring(const struct place *place)
{
	const struct sl_ring_opts opts = {
		.size = sizeof(opts),
		.backend = place->backend,
		.flags = SL_RING_NO_FALLBACK,
	};
	struct sl_ring *ring = NULL;
	int err = sl_ring_open(&opts, &ring);

	if (err == -ENOSYS || err == -EPERM)
		SKIP("no %s here: %s", place->backend, sl_err_text(err));
	assert_int_equal(err, 0);
	assert_string_equal(sl_ring_caps(ring)->backend, "record");
	return ring;
}

static int64_t run(struct sl_ring *ring, struct sl_op *op)
{
	int64_t res = sl_ring_do(ring, op);

	if (res < 0)
		fail_msg("%s: %s", sl_op_name(op->code), sl_err_name((int)res));
	return res;
}

static int ring_open_file(struct sl_ring *ring, const char *path, uint64_t flags)
{
	const struct sl_open_how how = {
		.flags = flags | O_CLOEXEC,
		.mode = flags & O_CREAT ? 0600 : 0,
	};
	struct sl_op op = { 0 };

	return (int)run(ring, sl_op_open(&op, AT_FDCWD, path, &how));
}

/* ---- the trace in words ------------------------------- */

static void add(char *text, size_t max, const char *format, ...)
{
	size_t len = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + len, max - len, format, args);
	va_end(args);
}

static void tell_op(const struct crash_trace *trace, const struct crash_op *op, char *text,
		    size_t max)
{
	char data[64] = "";
	uint32_t len = op->data_len < sizeof(data) - 1 ? op->data_len : sizeof(data) - 1;

	assert_int_equal(crash_trace_data(trace, op, 0, data, len), 0);
	add(text, max, "%s", crash_code_name(op->code));
	if (op->inode)
		add(text, max, " #%llu", (unsigned long long)op->inode);
	if (*op->name)
		add(text, max, " %llu/%s", (unsigned long long)op->dir, op->name);
	if (*op->name2)
		add(text, max, " to %llu/%s", (unsigned long long)op->dir2, op->name2);
	if (op->code == CRASH_WRITE)
		assert_int_equal(op->res, op->len);
	if (op->code == CRASH_WRITE || op->code == CRASH_TRUNCATE || op->code == CRASH_ALLOCATE)
		add(text, max, " %llu+%llu", (unsigned long long)op->off,
		    (unsigned long long)op->len);
	if (op->data_len && op->code != CRASH_NOTE)
		add(text, max, " '%s'", data);
	if (op->flags & CRASH_DSYNC)
		add(text, max, " dsync");
	if (op->flags & CRASH_DATA_ONLY)
		add(text, max, " data");
	if (op->flags & CRASH_EXCHANGE)
		add(text, max, " exchange");
	if (op->res < 0)
		add(text, max, " res %d", op->res);
	add(text, max, "\n");
}

static struct crash_trace *read_trace(const struct place *place)
{
	struct crash_trace *trace;
	int err = crash_trace_open(place->trace, &trace);

	if (err)
		fail_msg("the trace cannot be read: %s", sl_err_name(err));
	return trace;
}

static void expect_trace(const struct place *place, const char *expected)
{
	struct crash_trace *trace = read_trace(place);
	char text[8192] = "";

	assert_false(crash_trace_torn(trace));
	for (uint64_t i = 0; i < crash_trace_nr(trace); i++)
		tell_op(trace, crash_trace_op(trace, i), text, sizeof(text));
	crash_trace_close(trace);
	assert_string_equal(text, expected);
}

/* ---- operations ------------------------------- */

static void make_old_tree(const struct place *place)
{
	char path[1024];
	int fd;

	snprintf(path, sizeof(path), "%s/old", place->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/old/f", place->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "base", 4), 4);
	close(fd);
	snprintf(path, sizeof(path), "%s/old/f2", place->dir);
	assert_int_equal(symlink("f", path), 0);
}

/* In the directory, by names relative to it. */
static void use_names(struct sl_ring *ring, const char *dir)
{
	const int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct sl_name_pair to_b = { "sub/a", "b", at, 0 };
	const struct sl_name_pair hard = { "b", "sub/c", at, 0 };
	const struct sl_name_pair swap = { "b", "old", at, RENAME_EXCHANGE };
	const struct sl_open_how create = { O_RDWR | O_CREAT | O_CLOEXEC, 0600, 0 };
	const struct iovec iov[2] = { { (void *)(uintptr_t) "he", 2 },
				      { (void *)(uintptr_t) "llo", 3 } };
	struct sl_op op = { 0 };
	int fd;

	run(ring, sl_op_mkdir(&op, at, "sub/", 0700));
	fd = (int)run(ring, sl_op_open(&op, at, "sub/a", &create));
	run(ring, sl_op_writev(&op, fd, iov, 2, 3));
	sl_op_write(&op, fd, "X", 1, 0)->flags |= SL_OP_DSYNC;
	run(ring, &op);
	run(ring, sl_op_fdatasync(&op, fd));
	run(ring, sl_op_truncate(&op, fd, 6));
	run(ring, sl_op_allocate(&op, fd, 0, 0, 4096));
	run(ring, sl_op_fsync(&op, fd));
	run(ring, sl_op_rename(&op, at, &to_b));
	run(ring, sl_op_link(&op, at, &hard));
	run(ring, sl_op_symlink(&op, "../b", at, "sub/l"));
	run(ring, sl_op_unlink(&op, at, "b", 0));
	run(ring, sl_op_unlink(&op, at, "sub/c", 0));
	run(ring, sl_op_write(&op, fd, "dead", 4, 0)); /* without a name */
	run(ring, sl_op_close(&op, fd));
	run(ring, sl_op_unlink(&op, at, "sub/l", 0));
	fd = (int)run(ring, sl_op_open(&op, at, "b", &create));
	run(ring, sl_op_rename(&op, at, &swap));
	run(ring, sl_op_unlink(&op, at, "sub", AT_REMOVEDIR));
	run(ring, sl_op_sync_dir(&op, at));
	run(ring, sl_op_close(&op, fd));
	close(at);
}

static void each_operation_is_an_op(const char *inner)
{
	struct place place = new_place(inner, "");
	struct sl_ring *ring;

	make_old_tree(&place);
	ring = open_ring(&place);
	use_names(ring, place.dir);
	sl_ring_close(ring);
	expect_trace(&place, "base #2 1/old\n"
			     "base #3 2/f\n"
			     "base #4 2/f2 'f'\n"
			     "mkdir #5 1/sub\n"
			     "create #6 5/a\n"
			     "write #6 3+5 'hello'\n"
			     "write #6 0+1 'X' dsync\n"
			     "sync #6 data\n"
			     "truncate #6 0+6\n"
			     "allocate #6 0+4096\n"
			     "sync #6\n"
			     "rename #6 5/a to 1/b\n"
			     "link #6 5/c\n"
			     "symlink #7 5/l '../b'\n"
			     "unlink #6 1/b\n"
			     "unlink #6 5/c\n"
			     "write #6 0+4 'dead'\n"
			     "close #6\n"
			     "unlink #7 5/l\n"
			     "create #8 1/b\n"
			     "rename #8 1/b to 1/old exchange\n"
			     "rmdir #5 1/sub\n"
			     "sync #1\n"
			     "close #8\n");
}

static void each_operation_on_epoll_is_an_op_of_the_trace(void **state)
{
	(void)state;
	each_operation_is_an_op("epoll");
}

static void each_operation_on_uring_is_an_op_of_the_trace(void **state)
{
	(void)state;
	each_operation_is_an_op("uring");
}

static void each_operation_on_the_best_backend_is_an_op_of_the_trace(void **state)
{
	(void)state;
	each_operation_is_an_op("");
}

static void appends_and_writes_at_the_position_are_told_with_their_offsets(void **state)
{
	struct place place = new_place("epoll", "");
	struct sl_ring *ring = open_ring(&place);
	char path[1024];
	struct sl_op op = { 0 };
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/f", place.dir);
	fd = ring_open_file(ring, path, O_WRONLY | O_CREAT | O_DSYNC);
	run(ring, sl_op_write(&op, fd, "ab", 2, SL_OFF_CURRENT));
	run(ring, sl_op_write(&op, fd, "cd", 2, SL_OFF_CURRENT));
	run(ring, sl_op_close(&op, fd));
	fd = ring_open_file(ring, path, O_WRONLY | O_APPEND);
	run(ring, sl_op_write(&op, fd, "ef", 2, 0));
	run(ring, sl_op_close(&op, fd));
	fd = ring_open_file(ring, path, O_WRONLY | O_TRUNC);
	run(ring, sl_op_close(&op, fd));
	sl_ring_close(ring);
	expect_trace(&place, "create #2 1/f\n"
			     "write #2 0+2 'ab' dsync\n"
			     "write #2 2+2 'cd' dsync\n"
			     "close #2\n"
			     "write #2 4+2 'ef'\n"
			     "close #2\n"
			     "truncate #2 0+0\n"
			     "close #2\n");
}

static void what_lies_outside_is_not_in_the_trace(void **state)
{
	struct place place = new_place("epoll", "");
	struct sl_ring *ring = open_ring(&place);
	const char *outside = support_tmpdir();
	char path[1024], inside[1024];
	const struct sl_name_pair in = { path, inside, AT_FDCWD, 0 };
	const struct sl_name_pair out = { inside, path, AT_FDCWD, 0 };
	struct sl_op op = { 0 };
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/f", outside);
	snprintf(inside, sizeof(inside), "%s/g", place.dir);
	fd = ring_open_file(ring, path, O_WRONLY | O_CREAT);
	run(ring, sl_op_write(&op, fd, "ab", 2, 0));
	run(ring, sl_op_fsync(&op, fd));
	run(ring, sl_op_close(&op, fd));
	run(ring, sl_op_rename(&op, AT_FDCWD, &in)); /* moved in: it comes with what is in it */
	run(ring, sl_op_rename(&op, AT_FDCWD, &out));
	run(ring, sl_op_unlink(&op, AT_FDCWD, path, 0));
	sl_ring_close(ring);
	expect_trace(&place, "create #2 1/g\n"
			     "note\n"
			     "write #2 0+2 'ab'\n"
			     "unlink #2 1/g\n");
}

static void files_made_without_a_ring_come_in_with_a_note(void **state)
{
	struct place place = new_place("epoll", "");
	struct sl_ring *ring = open_ring(&place);
	char path[1024];
	struct sl_op op = { 0 };
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/d", place.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/d/f", place.dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "raw", 3), 3);
	run(ring, sl_op_fsync(&op, fd));
	close(fd);
	sl_ring_close(ring);
	expect_trace(&place, "mkdir #2 1/d\n"
			     "note\n"
			     "create #3 2/f\n"
			     "note\n"
			     "write #3 0+3 'raw'\n"
			     "sync #3\n");
}

/* ---- order ------------------------------- */

static const struct crash_op *find_op(const struct crash_trace *trace, uint32_t code, unsigned nth)
{
	for (uint64_t i = 0; i < crash_trace_nr(trace); i++) {
		const struct crash_op *op = crash_trace_op(trace, i);

		if (op->code == code && nth-- == 0)
			return op;
	}
	fail_msg("no %s in the trace", crash_code_name(code));
	return NULL;
}

static void a_sync_covers_no_write_that_the_program_has_not_seen_end(void **state)
{
	struct place place = new_place("epoll", "");
	struct sl_ring *ring = open_ring(&place);
	struct sl_op ops[3] = { 0 };
	struct sl_op *chain[2] = { &ops[0], &ops[1] };
	struct crash_trace *trace;
	char path[1024];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/f", place.dir);
	fd = ring_open_file(ring, path, O_WRONLY | O_CREAT);
	/* At the same time: it may or may not be durable. */
	assert_int_equal(sl_ring_submit(ring, sl_op_write(&ops[0], fd, "a", 1, 0)), 0);
	assert_int_equal(sl_ring_submit(ring, sl_op_fsync(&ops[1], fd)), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_non_null(sl_ring_next(ring, 0));
	/* One after the other, in a chain. */
	sl_op_write(&ops[0], fd, "b", 1, 1)->flags |= SL_OP_LINKED;
	sl_op_fsync(&ops[1], fd);
	assert_int_equal(sl_ring_submitv(ring, chain, 2), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_non_null(sl_ring_next(ring, 0));
	sl_ring_close(ring);
	close(fd);
	trace = read_trace(&place);
	assert_true(find_op(trace, CRASH_SYNC, 0)->begin < find_op(trace, CRASH_WRITE, 0)->seq);
	assert_true(find_op(trace, CRASH_SYNC, 1)->begin >= find_op(trace, CRASH_WRITE, 1)->seq);
	crash_trace_close(trace);
}

static int acks_in_child(const struct place *place)
{
	struct sl_ring *ring = NULL;
	const struct sl_ring_opts opts = { .size = sizeof(opts), .backend = place->backend };
	const struct sl_open_how create = { O_WRONLY | O_CREAT | O_CLOEXEC, 0600, 0 };
	struct sl_op op = { 0 };
	char path[1024];
	int fd;

	setenv("SLUICE_CRASH_ACK", place->acks, 1);
	snprintf(path, sizeof(path), "%s/f", place->dir);
	if (sl_ring_open(&opts, &ring))
		return 1;
	fd = (int)sl_ring_do(ring, sl_op_open(&op, AT_FDCWD, path, &create));
	if (fd < 0 || sl_ring_do(ring, sl_op_write(&op, fd, "a", 1, 0)) != 1)
		return 2;
	if (sl_crash_ack("one", 3) || sl_crash_ack("two", 3))
		return 3;
	if (sl_ring_do(ring, sl_op_write(&op, fd, "b", 1, 1)) != 1)
		return 4;
	sl_ring_close(ring);
	return 0;
}

static void in_child(int (*fn)(const struct place *place), const struct place *place)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn(place));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void acknowledgements_stand_before_what_is_done_after_them(void **state)
{
	struct place place = new_place("epoll", "");
	int fd = open(place.acks, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	close(fd);
	strcat(place.backend, ",acks=");
	strcat(place.backend, place.acks);
	in_child(acks_in_child, &place);
	expect_trace(&place, "create #2 1/f\n"
			     "write #2 0+1 'a'\n"
			     "ack 'one'\n"
			     "ack 'two'\n"
			     "write #2 1+1 'b'\n");
}

/* ---- processes ------------------------------- */

static int appends_one(const struct place *place)
{
	const struct sl_ring_opts opts = { .size = sizeof(opts), .backend = place->backend };
	const struct sl_open_how how = { O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600, 0 };
	struct sl_ring *ring = NULL;
	struct sl_op op = { 0 };
	char path[1024];
	int fd;

	snprintf(path, sizeof(path), "%s/f", place->dir);
	if (sl_ring_open(&opts, &ring))
		return 1;
	fd = (int)sl_ring_do(ring, sl_op_open(&op, AT_FDCWD, path, &how));
	if (fd < 0 || sl_ring_do(ring, sl_op_write(&op, fd, "x", 1, 0)) != 1)
		return 2;
	sl_ring_close(ring);
	return 0;
}

static void processes_one_after_the_other_share_a_trace(void **state)
{
	struct place place = new_place("epoll", "");

	(void)state;
	in_child(appends_one, &place);
	in_child(appends_one, &place);
	expect_trace(&place, "create #2 1/f\n"
			     "write #2 0+1 'x'\n"
			     "write #2 1+1 'x'\n");
}

static int writes_for_ever(const struct place *place)
{
	const struct sl_ring_opts opts = { .size = sizeof(opts), .backend = place->backend };
	const struct sl_open_how how = { O_WRONLY | O_CREAT | O_CLOEXEC, 0600, 0 };
	static char bytes[100000];
	struct sl_ring *ring = NULL;
	struct sl_op op = { 0 };
	char path[1024];
	int fd;

	snprintf(path, sizeof(path), "%s/f%d", place->dir, (int)getpid());
	if (sl_ring_open(&opts, &ring))
		return 1;
	fd = (int)sl_ring_do(ring, sl_op_open(&op, AT_FDCWD, path, &how));
	for (uint64_t off = 0; fd >= 0; off = (off + sizeof(bytes)) % (8 * sizeof(bytes))) {
		if (sl_ring_do(ring, sl_op_write(&op, fd, bytes, sizeof(bytes), off)) < 0)
			break;
	}
	return 2;
}

/* Killed anywhere, also with the lock in hand; the next one goes on. */
static void a_killed_process_leaves_a_trace_that_others_go_on_with(void **state)
{
	struct place place = new_place("epoll", ",bytes=300000000");
	struct crash_trace *trace;
	uint64_t state_of = support_seed();

	(void)state;
	for (unsigned round = 0; round < 8; round++) {
		pid_t pid[2];

		fflush(stdout);
		for (unsigned i = 0; i < 2; i++) {
			pid[i] = fork();
			assert_true(pid[i] >= 0);
			if (pid[i] == 0)
				_exit(writes_for_ever(&place));
		}
		usleep(10000 + (useconds_t)(support_random(&state_of) % 20000));
		for (unsigned i = 0; i < 2; i++) {
			kill(pid[i], SIGKILL);
			waitpid(pid[i], NULL, 0);
		}
	}
	in_child(appends_one, &place);
	trace = read_trace(&place);
	assert_true(crash_trace_nr(trace) > 8);
	assert_int_equal(crash_trace_op(trace, crash_trace_nr(trace) - 1)->len, 1);
	crash_trace_close(trace);
}

/* ---- what ends it ------------------------------- */

struct told {
	char text[1024];
};

static void keep_error(void *ctx, int level, const char *text)
{
	struct told *told = ctx;

	if (level != SL_LOG_INFO)
		snprintf(told->text, sizeof(told->text), "%s", text);
}

static void a_full_trace_ends_and_says_so_and_the_program_goes_on(void **state)
{
	struct place place = new_place("epoll", ",bytes=100000");
	struct told told = { "" };
	const struct sl_ring_opts opts = {
		.size = sizeof(opts),
		.backend = place.backend,
		.log = keep_error,
		.log_ctx = &told,
	};
	static char bytes[30000];
	struct sl_ring *ring;
	struct crash_trace *trace;
	struct sl_op op = { 0 };
	char path[1024];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/f", place.dir);
	assert_int_equal(sl_ring_open(&opts, &ring), 0);
	fd = ring_open_file(ring, path, O_WRONLY | O_CREAT);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(run(ring, sl_op_write(&op, fd, bytes, sizeof(bytes), 0)),
				 sizeof(bytes));
	sl_ring_close(ring);
	close(fd);
	assert_non_null(strstr(told.text, "EFBIG"));
	trace = read_trace(&place);
	assert_int_equal(crash_trace_nr(trace), 4);
	crash_trace_close(trace);
}

static void a_ring_that_cannot_record_does_not_open(void **state)
{
	static const char *const bad[] = {
		"record:",
		"record:epoll,trace=/nowhere/at/all/trace,dir=/",
		"record:epoll,trace=/dev/null,dir=/nowhere/at/all",
		"record:epoll,trace=/tmp/t",
		"record:epoll,speed=9",
		"record:kqueue,trace=/tmp/t,dir=/tmp",
		"record:sim,trace=/tmp/t,dir=/tmp",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct told told = { "" };
		const struct sl_ring_opts opts = {
			.size = sizeof(opts),
			.backend = bad[i],
			.log = keep_error,
			.log_ctx = &told,
		};
		struct sl_ring *ring = NULL;

		assert_true(sl_ring_open(&opts, &ring) < 0);
		assert_null(ring);
		assert_true(told.text[0]);
	}
}

/* A trace that was recorded before is nobody's to write over. */
static void a_trace_of_an_earlier_run_is_refused(void **state)
{
	struct place place = new_place("epoll", "");
	const struct sl_ring_opts opts = { .size = sizeof(opts), .backend = place.backend };
	struct sl_ring *ring = NULL;
	char path[1024];

	(void)state;
	in_child(appends_one, &place);
	snprintf(path, sizeof(path), "%s.state", place.trace);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sl_ring_open(&opts, &ring), -EEXIST);
}

/* ---- the library's own durable deed -------------------------------------------------- */

static void a_replaced_file_is_synced_renamed_and_its_name_synced(void **state)
{
	struct place place = new_place("", "");
	struct crash_trace *trace;
	struct sl_ring *ring;
	char path[1024];
	const struct crash_op *sync, *rename_op;

	(void)state;
	make_old_tree(&place);
	ring = open_ring(&place);
	snprintf(path, sizeof(path), "%s/old/f", place.dir);
	assert_int_equal(sl_file_replace(ring, AT_FDCWD, path, "new", 3, NULL), 0);
	sl_ring_close(ring);
	trace = read_trace(&place);
	rename_op = find_op(trace, CRASH_RENAME, 0);
	assert_string_equal(rename_op->name2, "f");
	sync = find_op(trace, CRASH_SYNC, 0);
	assert_int_equal(sync->inode, rename_op->inode);
	assert_true(sync->seq <= rename_op->begin);
	assert_true(sync->begin >= find_op(trace, CRASH_WRITE, 0)->seq);
	sync = find_op(trace, CRASH_SYNC, 1);
	assert_int_equal(sync->inode, rename_op->dir2);
	assert_true(sync->begin >= rename_op->seq);
	crash_trace_close(trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_operation_on_epoll_is_an_op_of_the_trace),
		TEST(each_operation_on_uring_is_an_op_of_the_trace),
		TEST(each_operation_on_the_best_backend_is_an_op_of_the_trace),
		TEST(appends_and_writes_at_the_position_are_told_with_their_offsets),
		TEST(what_lies_outside_is_not_in_the_trace),
		TEST(files_made_without_a_ring_come_in_with_a_note),
		TEST(a_sync_covers_no_write_that_the_program_has_not_seen_end),
		TEST(acknowledgements_stand_before_what_is_done_after_them),
		TEST(processes_one_after_the_other_share_a_trace),
		TEST(a_killed_process_leaves_a_trace_that_others_go_on_with),
		TEST(a_full_trace_ends_and_says_so_and_the_program_goes_on),
		TEST(a_ring_that_cannot_record_does_not_open),
		TEST(a_trace_of_an_earlier_run_is_refused),
		TEST(a_replaced_file_is_synced_renamed_and_its_name_synced),
	};

	return RUN_TESTS(tests);
}
