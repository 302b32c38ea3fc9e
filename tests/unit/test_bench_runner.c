/* test_bench_runner.c: contenders that lie, read the wrong bytes or fail are found out and not
 * ranked. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/harness.h"
#include "tools/bench/advice.h"
#include "tools/bench/mechanisms.h"
#include "tools/bench/runner.h"

#define FILE_BYTES (8u << 20)
#define BLOCK	   4096

static struct datafile file;

static int make_file(void **state)
{
	(void)state;
	return datafile_make(&file, support_tmpdir(), FILE_BYTES, 99, NULL, NULL);
}

static int shut_file(void **state)
{
	(void)state;
	datafile_shut(&file);
	return 0;
}

/* Reads the blocks of the stream through a descriptor, @shift bytes from where they lie. */
static int read_blocks(struct contender *c, uint64_t nr, int fd, uint64_t shift)
{
	for (uint64_t i = 0; i < nr; i++) {
		struct stream_op op = stream_at(c->env->stream, i);

		contender_start(c, 0);
		if (pread(fd, c->buf, BLOCK, (off_t)((op.off + shift) % FILE_BYTES)) != BLOCK)
			return -EIO;
		contender_finish(c, 0);
		c->calls++;
		contender_check(c, c->buf, op.off);
	}
	return 0;
}

static int run_honest(struct contender *c, uint64_t nr)
{
	return read_blocks(c, nr, c->fd, 0);
}

/* Says O_DIRECT and reads through the buffered descriptor of the file. */
static int run_liar(struct contender *c, uint64_t nr)
{
	return read_blocks(c, nr, c->env->file->fd, 0);
}

static int run_astray(struct contender *c, uint64_t nr)
{
	return read_blocks(c, nr, c->fd, BLOCK);
}

static int run_failing(struct contender *c, uint64_t nr)
{
	return c->block_ops ? -EIO : run_honest(c, nr);
}

/* One operation takes longer than a block should. */
static int run_slow(struct contender *c, uint64_t nr)
{
	const struct timespec pause = { .tv_nsec = 30000000 };

	for (uint64_t i = 0; i < nr; i++)
		nanosleep(&pause, NULL);
	return run_honest(c, nr);
}

static int open_lacking(struct contender *c)
{
	return contender_lacks(c, "no such thing here");
}

/* Long before each block, outside the measurement: so that a busy machine is no match for it. */
static int begin_stalling(struct contender *c)
{
	const struct timespec pause = { .tv_nsec = 500000000 };

	/* Calibration is none of its concern. */
	if (c->block_ops)
		nanosleep(&pause, NULL);
	return 0;
}

/* As when another process of this user has taken the locked memory meanwhile. */
static int begin_starved(struct contender *c)
{
	return c->block_ops ? contender_lacks_uring(c, -ENOMEM) : 0;
}

static const struct mechanism honest = { .name = "honest", .run = run_honest };
static const struct mechanism liar = { .name = "liar", .run = run_liar };
static const struct mechanism astray = { .name = "astray", .run = run_astray };
static const struct mechanism failing = { .name = "failing", .run = run_failing };
static const struct mechanism slow = { .name = "slow", .run = run_slow };
static const struct mechanism stalling = { .name = "stalling",
					   .begin = begin_stalling,
					   .run = run_honest };
static const struct mechanism starved = { .name = "starved",
					  .begin = begin_starved,
					  .run = run_honest };
static const struct mechanism lacking = { .name = "lacking",
					  .open = open_lacking,
					  .run = run_honest };

/* How the next field begins. */
static bool all_lacking, one_sits_out;

/* A field of two or three: the honest one and another; the shortest run there is. */
static struct field *run_field(const struct mechanism *other, size_t nr, enum workload_cache cache,
			       enum mechanism_mode mode)
{
	static struct contender contenders[3];
	static struct latency latency[3];
	static struct meter_cell cells[3][FIELD_ROUNDS_MAX];
	static struct score scores[3];
	static size_t order[3];
	static struct field field;
	const struct runner_opts opts = { .budget_ns = 1, .seed = 3 };

	field = (struct field){
		.contenders = contenders, .scores = scores, .order = order, .nr = nr
	};
	field.work = (struct workload){ .name = "test",
					.kind = WORKLOAD_BLOCKS,
					.cache = cache,
					.modes = mode,
					.block_bytes = BLOCK };
	field.env = (struct workload_env){ .file = &file };
	for (size_t i = 0; i < nr; i++) {
		contenders[i] = (struct contender){ .mech = i == 1 || all_lacking ? other : &honest,
						    .work = &field.work,
						    .env = &field.env,
						    .mode = mode,
						    .depth = 1,
						    .fd = -1,
						    .latency = &latency[i],
						    .cells = cells[i] };
		memset(&latency[i], 0, sizeof(latency[i]));
		for (int r = 0; r < FIELD_ROUNDS_MAX; r++)
			cells[i][r].cpu_ns = cells[i][r].wall_ns = __builtin_nan("");
	}
	if (one_sits_out)
		contender_sit_out(&contenders[1]);
	assert_int_equal(runner_run(&field, &opts), 0);
	field_score(&field, 3);
	return &field;
}

static struct field *run_against(const struct mechanism *other, enum workload_cache cache,
				 enum mechanism_mode mode)
{
	return run_field(other, 2, cache, mode);
}

static struct field *run_three(const struct mechanism *other)
{
	return run_field(other, 3, CACHE_WARM, MODE_BUFFERED);
}

static int entries_of(const char *path)
{
	DIR *dir = opendir(path);
	int nr = -2;

	while (dir && readdir(dir))
		nr++;
	if (dir)
		closedir(dir);
	return nr;
}

static void the_file_has_no_name(void **state)
{
	(void)state;
	assert_int_equal(entries_of(support_tmpdir()), 0);
}

/* What open(2) answers on a file system without nameless files: a filter stands for it. */
static int forbid_nameless_files(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_openat, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_TMPFILE & ~O_DIRECTORY, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 ? -errno : 0;
}

/* Exit code: 0, 77 where a process may not filter its calls, or the number of the step. */
static int make_without_nameless_files(const char *dir)
{
	unsigned char buf[DATAFILE_SECTOR];
	struct datafile other;
	sigset_t none, held;
	struct stat st;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (forbid_nameless_files() < 0)
		return 77;
	if (open(dir, O_TMPFILE | O_RDWR, 0600) >= 0 || errno != EOPNOTSUPP)
		return 1;
	if (datafile_make(&other, dir, 1 << 20, 5, NULL, NULL) < 0)
		return 2;
	if (fstat(other.fd, &st) < 0 || st.st_nlink != 0 || st.st_size != 1 << 20)
		return 3;
	if (entries_of(dir) != 0)
		return 4;
	if (pread(other.fd, buf, sizeof(buf), 8192) != sizeof(buf) ||
	    !datafile_holds(&other, buf, 8192))
		return 5;
	datafile_shut(&other);
	sigprocmask(SIG_SETMASK, NULL, &held);
	if (sigismember(&held, SIGINT))
		return 6;
	return datafile_make(&other, "/nonexistent", 1 << 20, 5, NULL, NULL) == -ENOENT ? 0 : 7;
}

static void without_nameless_files_the_name_is_taken_away_at_once(void **state)
{
	const char *dir = support_tmpdir();
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(make_without_nameless_files(dir));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		SKIP("no seccomp filter may be set here");
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(entries_of(dir), 0);
}

static void every_sector_says_where_it_lies(void **state)
{
	unsigned char buf[DATAFILE_SECTOR];

	(void)state;
	for (uint64_t off = 0; off < FILE_BYTES; off += 37 * DATAFILE_SECTOR) {
		assert_int_equal(pread(file.fd, buf, sizeof(buf), (off_t)off), sizeof(buf));
		assert_true(datafile_holds(&file, buf, off));
		assert_false(datafile_holds(&file, buf, off + DATAFILE_SECTOR));
	}
}

static void a_file_is_warm_and_cold_when_it_is_made_so(void **state)
{
	(void)state;
	if (datafile_resident(&file) < 0)
		SKIP("nothing here tells what is in the page cache");
	assert_int_equal(datafile_warm(&file), 0);
	assert_int_equal(datafile_resident(&file), FILE_BYTES);
	assert_int_equal(datafile_resident_range(&file, FILE_BYTES - 8192, 16384), 16384);
	if (datafile_cool(&file) < 0)
		SKIP("the file system of the test directory keeps its files in memory");
	assert_int_equal(datafile_resident(&file), 0);
}

static void the_honest_one_is_ranked_and_counted(void **state)
{
	struct field *f = run_against(&honest, CACHE_WARM, MODE_BUFFERED);

	(void)state;
	assert_int_equal(f->contenders[0].status, CONTENDER_RAN);
	assert_true(f->rounds >= STATS_ROUNDS_MIN);
	assert_int_equal(f->scores[0].cpu_ns.nr + f->nr_disturbed, f->rounds);
	assert_true(f->scores[0].calls == 1);
	assert_true(f->scores[0].cpu_ns.median > 0);
	assert_true(f->contenders[0].block_ops > 1);
	assert_true(f->contenders[0].latency->count > 0);
}

static void who_fills_the_page_cache_is_void(void **state)
{
	struct field *f;

	(void)state;
	if (datafile_cool(&file) < 0)
		SKIP("the file system of the test directory keeps its files in memory");
	f = run_against(&liar, CACHE_COLD, MODE_DIRECT);
	if (f->contenders[0].status != CONTENDER_RAN)
		SKIP("no direct I/O in the test directory: %s", f->contenders[0].reason);
	assert_int_equal(f->contenders[1].status, CONTENDER_VOID);
	assert_non_null(strstr(f->contenders[1].reason, "O_DIRECT filled the page cache"));
	assert_int_equal(f->scores[1].rank, 0);
	assert_int_equal(f->best, 0);
}

static void who_reads_other_bytes_is_void(void **state)
{
	struct field *f = run_against(&astray, CACHE_WARM, MODE_BUFFERED);

	(void)state;
	assert_int_equal(f->contenders[1].status, CONTENDER_VOID);
	assert_non_null(strstr(f->contenders[1].reason, "did not hold what the file holds"));
	assert_int_equal(f->scores[1].rank, 0);
}

static void who_fails_or_lacks_something_is_unavailable(void **state)
{
	struct field *f = run_against(&failing, CACHE_WARM, MODE_BUFFERED);

	(void)state;
	assert_int_equal(f->contenders[1].status, CONTENDER_UNAVAILABLE);
	assert_string_equal(f->contenders[1].reason, "it failed while running: Input/output error");
	f = run_against(&lacking, CACHE_WARM, MODE_BUFFERED);
	assert_int_equal(f->contenders[1].status, CONTENDER_UNAVAILABLE);
	assert_string_equal(f->contenders[1].reason, "no such thing here");
	assert_int_equal(f->best, 0);
}

static void who_finds_no_locked_memory_is_told_what_to_raise(void **state)
{
	struct field *f = run_against(&starved, CACHE_WARM, MODE_BUFFERED);

	(void)state;
	assert_int_equal(f->contenders[1].status, CONTENDER_UNAVAILABLE);
	assert_non_null(strstr(f->contenders[1].reason, "raise `ulimit -l`"));
	assert_int_equal(f->scores[1].rank, 0);
	assert_int_equal(f->best, 0);
}

static void want_of_memory_may_pass_and_nothing_else_does(void **state)
{
	unsigned tries = 0;

	(void)state;
	assert_false(contender_try_again(0, &tries));
	assert_false(contender_try_again(-EPERM, &tries));
	assert_int_equal(tries, 0);
	assert_true(contender_try_again(-EAGAIN, &tries));
	while (contender_try_again(-ENOMEM, &tries))
		assert_in_range(tries, 1, 100);
}

static void who_is_slower_than_a_block_is_ranked_all_the_same(void **state)
{
	struct field *f = run_against(&slow, CACHE_WARM, MODE_BUFFERED);

	(void)state;
	assert_int_equal(f->contenders[1].status, CONTENDER_RAN);
	assert_int_equal(f->contenders[1].block_ops, 1);
	assert_int_equal(f->scores[1].rank, 2);
}

static void who_holds_up_all_others_is_left_out_when_time_is_short(void **state)
{
	struct field *f = run_three(&stalling);
	char reason[512];

	(void)state;
	assert_int_equal(f->contenders[1].status, CONTENDER_RAN);
	assert_true(f->contenders[1].dropped);
	assert_int_equal(f->scores[1].rank, 0);
	assert_int_equal(f->scores[0].rank + f->scores[2].rank, 3);
	advice_reason(f, 1, reason, sizeof(reason));
	assert_int_equal(strncmp(reason, "left out: its turn took ", 24), 0);
	assert_non_null(strstr(reason, "--seconds"));
}

static void where_nobody_can_run_no_round_is_counted(void **state)
{
	struct field *f;
	struct advice a;

	(void)state;
	all_lacking = true;
	f = run_against(&lacking, CACHE_WARM, MODE_BUFFERED);
	all_lacking = false;
	assert_int_equal(f->rounds, 0);
	assert_int_equal(f->best, -1);
	assert_int_equal(field_players(f), 0);
	advice_give(f, &a);
	assert_string_equal(a.noise, "nothing to compare");
}

static int open_forbidden(struct contender *c)
{
	(void)c;
	fail_msg("who sits out is opened");
	return 0;
}

static void who_sits_out_is_neither_opened_nor_forgotten(void **state)
{
	static const struct mechanism idle = { .name = "idle",
					       .open = open_forbidden,
					       .run = run_honest };
	struct field *f;

	(void)state;
	one_sits_out = true;
	f = run_against(&idle, CACHE_WARM, MODE_BUFFERED);
	one_sits_out = false;
	assert_int_equal(f->contenders[1].status, CONTENDER_UNAVAILABLE);
	assert_non_null(strstr(f->contenders[1].reason, "--full runs it"));
	assert_int_equal(f->best, 0);
}

static void a_short_file_of_the_users_is_refused(void **state)
{
	const char *path = support_path(support_tmpdir(), "short");
	struct datafile other;
	FILE *out = fopen(path, "w");

	(void)state;
	assert_non_null(out);
	fputs("short", out);
	fclose(out);
	assert_int_equal(datafile_use(&other, path, FILE_BYTES), -ENODATA);
	assert_int_equal(datafile_use(&other, "/nonexistent/file", FILE_BYTES), -ENOENT);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_file_has_no_name),
		TEST(without_nameless_files_the_name_is_taken_away_at_once),
		TEST(every_sector_says_where_it_lies),
		TEST(a_file_is_warm_and_cold_when_it_is_made_so),
		TEST(the_honest_one_is_ranked_and_counted),
		TEST(who_fills_the_page_cache_is_void),
		TEST(who_reads_other_bytes_is_void),
		TEST(who_fails_or_lacks_something_is_unavailable),
		TEST(who_finds_no_locked_memory_is_told_what_to_raise),
		TEST(want_of_memory_may_pass_and_nothing_else_does),
		TEST(who_is_slower_than_a_block_is_ranked_all_the_same),
		TEST(who_holds_up_all_others_is_left_out_when_time_is_short),
		TEST(where_nobody_can_run_no_round_is_counted),
		TEST(who_sits_out_is_neither_opened_nor_forgotten),
		TEST(a_short_file_of_the_users_is_refused),
	};

	return RUN_TESTS_WITH(tests, make_file, shut_file);
}
