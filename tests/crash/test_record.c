/* test_record.c: what the recorder sees of programs, what they see of it, and what it leaves. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record_support.h"
#include "tests/support/harness.h"

/* ---- support -------------------------------------------------------------------------- */

static unsigned count_entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned nr = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		nr += entry->d_name[0] != '.';
	closedir(dir);
	return nr;
}

static uint64_t count_mounts(void)
{
	char line[4096];
	FILE *file = fopen("/proc/self/mounts", "r");
	uint64_t nr = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		nr++;
	fclose(file);
	return nr;
}

static void write_file(const char *dir, const char *name, const char *text)
{
	int fd = open(support_path(dir, name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* What the program saw in the end is what the trace makes. */
static void assert_replays(const struct recording *recording)
{
	char line[64];

	snprintf(line, sizeof(line), "digest %016llx",
		 (unsigned long long)recording_replay(recording));
	recording_ack(recording, line);
}

static void record_and_replay(const char *program)
{
	struct recording recording;

	recording_begin(&recording, program);
	recording_run(&recording);
	recording_assert_good(&recording);
	assert_replays(&recording);
	assert_int_equal(count_entries(recording.dir), 0);
	assert_int_equal(count_entries(recording.scratch), 0);
	recording_end(&recording);
}

/* ---- what is seen --------------------------------------------------------------------- */

struct expected {
	uint32_t code, flags;
	uint64_t inode;
	const char *name;
	uint64_t len;
};

static void system_calls_are_recorded_one_by_one(void **state)
{
	static const struct expected expected[] = {
		{ CRASH_CREATE, 0, 2, "a" },
		{ CRASH_WRITE, 0, 2, "", 5 },
		{ CRASH_SYNC, CRASH_DATA_ONLY, 2, "" },
		{ CRASH_SYNC, 0, 2, "" },
		{ CRASH_TRUNCATE, 0, 2, "", 3 },
		{ CRASH_RENAME, 0, 2, "a" },
		{ CRASH_SYNC, 0, CRASH_ROOT, "" },
		{ CRASH_ACK, 0, 0, "" },
		{ CRASH_LINK, 0, 2, "c" },
		{ CRASH_UNLINK, 0, 2, "b" },
		{ CRASH_MKDIR, 0, 3, "d" },
		{ CRASH_RMDIR, 0, 3, "d" },
		{ CRASH_SYMLINK, 0, 4, "s" },
		{ CRASH_CHMOD, 0, 2, "" },
		{ CRASH_CLOSE, 0, 2, "" },
		{ CRASH_ACK, 0, 0, "" },
	};
	struct recording recording;

	(void)state;
	recording_begin(&recording, "psync");
	recording_run(&recording);
	recording_assert_good(&recording);
	assert_int_equal(crash_trace_nr(recording.trace), sizeof(expected) / sizeof(expected[0]));
	for (uint64_t i = 0; i < crash_trace_nr(recording.trace); i++) {
		const struct crash_op *op = crash_trace_op(recording.trace, i);

		assert_string_equal(crash_code_name(op->code), crash_code_name(expected[i].code));
		assert_int_equal(op->flags, expected[i].flags);
		assert_int_equal(op->inode, expected[i].inode);
		assert_string_equal(op->name, expected[i].name);
		/* The kernel tells of a close when it likes to; the next call overlaps it. */
		if (i && expected[i - 1].code == CRASH_CLOSE)
			assert_in_range(op->begin, i - 1, i);
		else
			assert_int_equal(op->begin, i);
		if (op->code == CRASH_WRITE || op->code == CRASH_TRUNCATE)
			assert_int_equal(op->len, expected[i].len);
		if (op->code != CRASH_CLOSE)
			assert_int_equal(op->pid, 2);
	}
	recording_end(&recording);
}

static void names_replay_into_what_the_program_saw(void **state)
{
	(void)state;
	record_and_replay("names");
}

static void a_file_without_a_name_is_recorded_from_its_creation_on(void **state)
{
	struct recording recording;

	(void)state;
	recording_begin(&recording, "tmpfile");
	recording_run(&recording);
	recording_assert_good(&recording);
	if (!recording_count(&recording, CRASH_CREATE)) {
		recording_ack(&recording, "no O_TMPFILE");
		recording_end(&recording);
		SKIP("this kernel's FUSE has no O_TMPFILE (Linux 6.2)");
	}
	assert_int_equal(recording_find(&recording, CRASH_CREATE, 0)->dir, 0);
	assert_true(recording_find(&recording, CRASH_SYNC, 0)->seq <
		    recording_find(&recording, CRASH_LINK, 0)->seq);
	assert_replays(&recording);
	recording_end(&recording);
}

static void locks_work_as_everywhere(void **state)
{
	(void)state;
	record_and_replay("locks");
}

static void space_replays_into_what_the_program_saw(void **state)
{
	(void)state;
	record_and_replay("space");
}

static void direct_writes_are_seen_as_such(void **state)
{
	struct recording recording;

	(void)state;
	recording_begin(&recording, "direct");
	recording_run(&recording);
	recording_assert_good(&recording);
	assert_replays(&recording);
	assert_int_equal(recording_count(&recording, CRASH_WRITE), 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(recording_find(&recording, CRASH_WRITE, i)->flags, CRASH_DIRECT);
	recording_end(&recording);
}

static void aio_is_seen_and_its_sync_covers_what_had_ended(void **state)
{
	struct recording recording;
	const struct crash_op *sync;

	(void)state;
	recording_begin(&recording, "aio");
	recording_run(&recording);
	recording_assert_good(&recording);
	assert_replays(&recording);
	assert_int_equal(recording_count(&recording, CRASH_WRITE), 8);
	assert_int_equal(recording_count(&recording, CRASH_SYNC), 1);
	sync = recording_find(&recording, CRASH_SYNC, 0);
	assert_int_equal(sync->flags, CRASH_DATA_ONLY);
	for (unsigned i = 0; i < 8; i++)
		assert_true(recording_find(&recording, CRASH_WRITE, i)->seq <= sync->begin);
	recording_end(&recording);
}

static void uring_is_seen_write_by_write_and_sync_by_sync(void **state)
{
	struct recording recording;

	(void)state;
	recording_begin(&recording, "uring");
	recording_run(&recording);
	recording_assert_good(&recording);
	if (recording_says(&recording, recording_find(&recording, CRASH_ACK, 0), "no io_uring")) {
		recording_end(&recording);
		SKIP("io_uring is not permitted here");
	}
	assert_replays(&recording);
	assert_int_equal(recording_count(&recording, CRASH_WRITE), 16);
	assert_int_equal(recording_count(&recording, CRASH_SYNC), 16);
	recording_end(&recording);
}

/* The last write before an op that has these bytes at that place. */
static bool written_before(const struct recording *recording, const struct crash_op *op,
			   const char *text, uint64_t off)
{
	char buf[256];
	size_t len = strlen(text);

	for (uint64_t i = op->seq - 1; i-- > 0;) {
		const struct crash_op *write = crash_trace_op(recording->trace, i);

		if (write->code != CRASH_WRITE || !(write->flags & CRASH_MAPPED) ||
		    write->off > off || off + len > write->off + write->len)
			continue;
		assert_int_equal(crash_trace_data(recording->trace, write,
						  (uint32_t)(off - write->off), buf, (uint32_t)len),
				 0);
		return !memcmp(buf, text, len);
	}
	return false;
}

static void stores_to_mapped_memory_are_seen_before_what_follows_them(void **state)
{
	struct recording recording;
	const struct crash_op *op;

	(void)state;
	recording_begin(&recording, "mmap");
	recording_run(&recording);
	recording_assert_good(&recording);
	assert_replays(&recording);
	op = recording_ack(&recording, "acked");
	assert_true(written_before(&recording, op, "before the ack", 0));
	assert_false(written_before(&recording, op, "before the sync of another", 4096));
	op = recording_find(&recording, CRASH_SYNC, 0);
	assert_true(written_before(&recording, op, "before the sync of another", 4096));
	op = recording_find(&recording, CRASH_RENAME, 0);
	assert_true(written_before(&recording, op, "before the rename", 2 * 4096));
	assert_false(written_before(&recording, op, "before its own sync", 100));
	op = recording_find(&recording, CRASH_SYNC, 1);
	assert_true(written_before(&recording, op, "before its own sync", 100));
	op = recording_find(&recording, CRASH_SYNC_ALL, 0);
	assert_non_null(op);
	assert_true(written_before(&recording, op, "before syncfs", 3 * 4096));
	assert_int_equal(op->pid, 2);
	recording_end(&recording);
}

static void a_store_outside_of_what_is_synced_comes_after_the_sync(void **state)
{
	struct recording recording;
	const struct crash_op *op;

	(void)state;
	recording_begin(&recording, "msync-part");
	recording_run(&recording);
	recording_assert_good(&recording);
	op = recording_find(&recording, CRASH_SYNC, 0);
	assert_true(written_before(&recording, op, "within", 0));
	assert_false(written_before(&recording, op, "outside", 4096));
	op = recording_ack(&recording, "synced");
	assert_true(written_before(&recording, op, "outside", 4096));
	recording_end(&recording);
}

static void a_durable_write_is_one_op_and_no_sync(void **state)
{
	struct recording recording;

	(void)state;
	recording_begin(&recording, "dsync");
	recording_run(&recording);
	recording_assert_good(&recording);
	assert_int_equal(recording_count(&recording, CRASH_WRITE), 3);
	assert_int_equal(recording_find(&recording, CRASH_WRITE, 0)->flags, 0);
	assert_int_equal(recording_find(&recording, CRASH_WRITE, 1)->flags, CRASH_DSYNC);
	assert_int_equal(recording_find(&recording, CRASH_WRITE, 2)->flags, CRASH_DSYNC);
	/* The one that the program asked for. */
	assert_int_equal(recording_count(&recording, CRASH_SYNC), 1);
	assert_true(recording_find(&recording, CRASH_SYNC, 0)->seq >
		    recording_find(&recording, CRASH_WRITE, 2)->seq);
	recording_end(&recording);
}

static void threads_that_race_replay_into_what_they_saw(void **state)
{
	char seed[32];

	(void)state;
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)support_seed());
	setenv("SLUICE_SEED", seed, 1);
	record_and_replay("threads");
}

static void children_that_append_are_all_recorded(void **state)
{
	(void)state;
	record_and_replay("fork");
}

static void a_daemon_is_recorded_until_it_ends(void **state)
{
	struct recording recording;

	(void)state;
	recording_begin(&recording, "daemon");
	recording_run(&recording);
	assert_int_equal(recording.err, 0);
	assert_true(WIFEXITED(recording.report.status));
	assert_int_equal(WEXITSTATUS(recording.report.status), 5);
	assert_replays(&recording);
	assert_string_equal(recording_find(&recording, CRASH_CREATE, 0)->name, "by the daemon");
	recording_end(&recording);
}

/* ---- acknowledgements ------------------------------------------------------------------ */

static void an_acknowledgement_stands_where_its_line_ended(void **state)
{
	struct recording recording;
	const struct crash_op *made;

	(void)state;
	recording_begin(&recording, "acks");
	recording_run(&recording);
	recording_assert_good(&recording);
	made = recording_find(&recording, CRASH_CREATE, 0);
	assert_true(recording_ack(&recording, "one")->seq < made->seq);
	assert_true(recording_ack(&recording, "two")->seq < made->seq);
	assert_true(recording_ack(&recording, "three")->seq > made->seq);
	assert_true(recording_ack(&recording, "magic")->seq >
		    recording_ack(&recording, "three")->seq);
	/* A line without an end is one when the program ends. */
	assert_true(recording_ack(&recording, "rest")->seq >
		    recording_ack(&recording, "magic")->seq);
	assert_int_equal(recording_count(&recording, CRASH_ACK), 5);
	assert_int_equal(recording.report.nr_acks, 5);
	/* .sluice is no part of the state. */
	assert_int_equal(recording_count(&recording, CRASH_CREATE), 1);
	assert_int_equal(recording_count(&recording, CRASH_MKDIR), 0);
	recording_end(&recording);
}

static void a_program_shares_one_processor_with_the_recorder_unless_it_may_spread(void **state)
{
	struct recording recording;
	char all[16];
	cpu_set_t mine;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(mine), &mine), 0);
	snprintf(all, sizeof(all), "%d", CPU_COUNT(&mine));
	for (unsigned spread = 0; spread < 2; spread++) {
		recording_begin(&recording, "processors");
		recording.opts.spread = spread;
		recording_run(&recording);
		recording_assert_good(&recording);
		if (strcmp(recording.report.recorder, "fuse") == 0)
			recording_ack(&recording, spread ? all : "1");
		recording_end(&recording);
	}
}

static void lines_are_passed_on_to_standard_output(void **state)
{
	struct recording recording;
	char buf[100] = "";
	int pair[2], saved = dup(STDOUT_FILENO);

	(void)state;
	recording_begin(&recording, "acks");
	recording.opts.stdout_quiet = false;
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	dup2(pair[1], STDOUT_FILENO);
	assert_int_equal(crash_trace_create(NULL, NULL, &recording.trace), 0);
	recording.err = crash_record(&recording.opts, recording.trace, &recording.report);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(pair[1]);
	if (recording.err == -EPERM)
		SKIP("%s", recording.report.why);
	assert_true(read(pair[0], buf, sizeof(buf) - 1) > 0);
	assert_string_equal(buf, "one\ntwo\nthree\n\nrest");
	close(pair[0]);
	recording_end(&recording);
}

static void standard_output_can_be_left_alone(void **state)
{
	struct recording recording;
	int saved = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY);

	(void)state;
	recording_begin(&recording, "acks");
	recording.opts.stdout_plain = true;
	assert_int_equal(crash_trace_create(NULL, NULL, &recording.trace), 0);
	dup2(null, STDOUT_FILENO);
	recording.err = crash_record(&recording.opts, recording.trace, &recording.report);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(null);
	if (recording.err == -EPERM)
		SKIP("%s", recording.report.why);
	recording_assert_good(&recording);
	assert_int_equal(recording_count(&recording, CRASH_ACK), 1);
	recording_ack(&recording, "magic");
	recording_end(&recording);
}

/* ---- the directory --------------------------------------------------------------------- */

static void make_base(const char *dir)
{
	write_file(dir, "kept", "base content");
	write_file(dir, "gone", "to be removed");
	write_file(dir, "short", "to be cut");
	write_file(dir, "same", "never opened");
	assert_int_equal(link(support_path(dir, "same"), support_path(dir, "hard")), 0);
	assert_int_equal(symlink("kept", support_path(dir, "link")), 0);
	assert_int_equal(mkdir(support_path(dir, "empty"), 0700), 0);
}

static void the_directory_itself_is_left_untouched(void **state)
{
	struct recording recording;
	struct stat before, after;
	uint64_t digest;

	(void)state;
	recording_begin(&recording, "base");
	make_base(recording.dir);
	digest = digest_dir(recording.dir);
	assert_int_equal(stat(recording.dir, &before), 0);
	recording_run(&recording);
	recording_assert_good(&recording);
	assert_int_equal(digest_dir(recording.dir), digest);
	assert_int_equal(stat(recording.dir, &after), 0);
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
	recording_end(&recording);
}

static void the_base_is_told_first_and_replays(void **state)
{
	struct recording recording;
	const struct crash_op *op;

	(void)state;
	recording_begin(&recording, "base");
	make_base(recording.dir);
	recording_run(&recording);
	recording_assert_good(&recording);
	assert_int_equal(recording_count(&recording, CRASH_BASE), 7);
	for (unsigned i = 0; i < 7; i++) {
		op = crash_trace_op(recording.trace, i);
		assert_int_equal(op->code, CRASH_BASE);
		if (!strcmp(op->name, "kept"))
			assert_int_equal(op->len, strlen("base content"));
		if (!strcmp(op->name, "link"))
			assert_true(recording_says(&recording, op, "kept"));
	}
	assert_replays(&recording);
	recording_end(&recording);
}

static void ignored_names_are_no_part_of_the_trace(void **state)
{
	static const char *const globs[] = { "*-shm", "tmp" };
	struct recording recording;

	(void)state;
	recording_begin(&recording, "ignored");
	recording.opts.ignore = globs;
	recording.opts.nr_ignore = 2;
	recording_run(&recording);
	recording_assert_good(&recording);
	assert_int_equal(recording_count(&recording, CRASH_CREATE), 1);
	assert_int_equal(recording_count(&recording, CRASH_WRITE), 1);
	assert_int_equal(recording_count(&recording, CRASH_MKDIR), 0);
	assert_int_equal(recording_count(&recording, CRASH_RENAME), 0);
	assert_string_equal(recording_find(&recording, CRASH_CREATE, 0)->name, "db");
	recording_end(&recording);
}

/* ---- refusals -------------------------------------------------------------------------- */

static void what_cannot_be_recorded_is_refused(void **state)
{
	struct recording recording;
	char below[4200];

	(void)state;
	recording_begin(&recording, "psync");
	snprintf(below, sizeof(below), "%s/below", recording.dir);
	assert_int_equal(mkdir(below, 0700), 0);
	recording.opts.scratch_dir = below;
	recording_run(&recording);
	assert_int_equal(recording.err, -EINVAL);
	crash_trace_close(recording.trace);

	recording.opts.scratch_dir = recording.scratch;
	recording.opts.dir = support_path(recording.dir, "nowhere");
	recording_run(&recording);
	assert_int_equal(recording.err, -ENOENT);
	crash_trace_close(recording.trace);

	write_file(recording.dir, "file", "");
	recording.opts.dir = support_path(recording.dir, "file");
	recording_run(&recording);
	assert_int_equal(recording.err, -ENOTDIR);
	crash_trace_close(recording.trace);

	recording.opts.dir = recording.dir;
	recording.opts.recorder = "telepathy";
	recording_run(&recording);
	assert_int_equal(recording.err, -EINVAL);
	recording_end(&recording);
}

static void a_command_that_is_not_there_is_said_to_be(void **state)
{
	static char command[] = "/nonexistent/command";
	static char *const missing[] = { command, NULL };
	struct recording recording;

	(void)state;
	recording_begin(&recording, "psync");
	recording.opts.argv = missing;
	recording_run(&recording);
	assert_int_equal(recording.err, -ENOENT);
	assert_non_null(strstr(recording.report.why, "/nonexistent/command"));
	assert_int_equal(count_entries(recording.scratch), 0);
	recording_end(&recording);
}

/* ---- limits ---------------------------------------------------------------------------- */

static void a_program_that_fills_the_copy_sees_enospc(void **state)
{
	struct recording recording;

	(void)state;
	recording_begin(&recording, "fill");
	recording.opts.bytes_max = 8 << 20;
	recording_run(&recording);
	recording_assert_good(&recording);
	assert_int_equal(recording.report.limits, CRASH_LIMIT_BYTES);
	assert_non_null(strstr(recording.report.notes, "ENOSPC"));
	assert_replays(&recording);
	recording_end(&recording);
}

static void a_full_trace_ends_the_recording_there(void **state)
{
	struct recording recording;

	(void)state;
	recording_begin(&recording, "endless");
	recording.trace_opts.bytes_max = 1 << 20;
	recording_run(&recording);
	assert_int_equal(recording.err, 0);
	assert_int_equal(recording.report.limits, CRASH_LIMIT_TRACE);
	assert_int_equal(recording.report.status, -1);
	assert_non_null(strstr(recording.report.notes, "trace is full"));
	assert_int_equal(crash_trace_error(recording.trace), -EFBIG);
	assert_true(crash_trace_nr(recording.trace) > 100);
	recording_end(&recording);
}

static void a_program_that_does_not_end_is_killed_in_time(void **state)
{
	struct recording recording;

	(void)state;
	recording_begin(&recording, "sleep");
	recording.opts.timeout_ns = 300000000;
	recording_run(&recording);
	assert_int_equal(recording.err, 0);
	assert_int_equal(recording.report.limits, CRASH_LIMIT_TIME);
	assert_int_equal(recording.report.status, -1);
	recording_ack(&recording, "begun");
	recording_end(&recording);
}

static void a_program_that_is_killed_is_no_failure(void **state)
{
	struct recording recording;

	(void)state;
	recording_begin(&recording, "killed");
	recording_run(&recording);
	assert_int_equal(recording.err, 0);
	assert_true(WIFSIGNALED(recording.report.status));
	assert_int_equal(WTERMSIG(recording.report.status), SIGKILL);
	assert_int_equal(recording_count(&recording, CRASH_WRITE), 1);
	recording_end(&recording);
}

/* ---- leaving nothing -------------------------------------------------------------------- */

struct stopper {
	volatile int stop;
	uint64_t after_us;
	pthread_t thread;
};

static void *stop_later(void *ctx)
{
	struct stopper *stopper = ctx;

	usleep((useconds_t)stopper->after_us);
	__atomic_store_n(&stopper->stop, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* Every process of the program holds the writing end: it can be read to its end only after
 * the last one has ended. */
static void open_leash(int pair[2])
{
	assert_int_equal(pipe(pair), 0);
	fcntl(pair[0], F_SETFD, FD_CLOEXEC);
}

static void assert_all_dead(int pair[2])
{
	struct pollfd fd = { pair[0], POLLIN, 0 };
	char byte;

	close(pair[1]);
	assert_int_equal(poll(&fd, 1, 60000), 1);
	assert_int_equal(read(pair[0], &byte, 1), 0);
	close(pair[0]);
}

static void a_stop_at_any_moment_leaves_nothing(void **state)
{
	uint64_t random = support_seed(), mounts = count_mounts();
	struct recording recording;
	int pair[2];

	(void)state;
	for (int i = 0; i < 12; i++) {
		struct stopper stopper = { 0, support_random(&random) % 400000 };

		recording_begin(&recording, "busy");
		recording.opts.stop = &stopper.stop;
		open_leash(pair);
		assert_int_equal(pthread_create(&stopper.thread, NULL, stop_later, &stopper), 0);
		recording_run(&recording);
		pthread_join(stopper.thread, NULL);
		assert_int_equal(recording.err, -ECANCELED);
		assert_all_dead(pair);
		assert_int_equal(count_entries(recording.scratch), 0);
		assert_int_equal(count_entries(recording.dir), 0);
		assert_int_equal(count_mounts(), mounts);
		recording_end(&recording);
	}
}

/* The recorder in a child of its own, that is killed while the program runs. */
static void kill_recorder(struct recording *recording, uint64_t after_us)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		struct crash_record_report report;

		if (crash_trace_create(NULL, NULL, &recording->trace))
			_exit(1);
		crash_record(&recording->opts, recording->trace, &report);
		_exit(2);
	}
	usleep((useconds_t)after_us);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void a_killed_recorder_takes_its_processes_along(void **state)
{
	uint64_t random = support_seed(), mounts = count_mounts();
	struct recording recording;
	int pair[2];

	(void)state;
	recording_begin(&recording, "psync");
	recording_run(&recording); /* skips where nothing can be recorded */
	recording_end(&recording);
	for (int i = 0; i < 6; i++) {
		recording_begin(&recording, "busy");
		open_leash(pair);
		kill_recorder(&recording, support_random(&random) % 300000);
		assert_all_dead(pair);
		assert_int_equal(count_entries(recording.dir), 0);
		assert_int_equal(count_mounts(), mounts);
		/* What is left of the copy is removed by the next recording. */
		recording_set_program(&recording, "psync");
		recording_run(&recording);
		recording_assert_good(&recording);
		assert_int_equal(count_entries(recording.scratch), 0);
		recording_end(&recording);
	}
}

static void a_recorder_that_is_not_permitted_says_what_is_missing(void **state)
{
	char *why = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct recording recording;
	int status;
	pid_t pid;

	(void)state;
	if (geteuid())
		SKIP("not root: cannot become somebody without FUSE");
	recording_begin(&recording, "psync");
	chmod(recording.dir, 0777);
	chmod(recording.scratch, 0777);
	pid = fork();
	if (!pid) {
		if (setregid(65534, 65534) || setreuid(65534, 65534) ||
		    crash_trace_create(NULL, NULL, &recording.trace))
			_exit(2);
		if (access("/dev/fuse", R_OK | W_OK) == 0)
			_exit(77);
		recording.err = crash_record(&recording.opts, recording.trace, &recording.report);
		memcpy(why, recording.report.why, sizeof(recording.report.why));
		_exit(recording.err != -EPERM || crash_trace_nr(recording.trace) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 77)
		SKIP("/dev/fuse is for everybody here");
	assert_int_equal(status, 0);
	assert_true(strstr(why, "/dev/fuse") || strstr(why, "namespaces"));
	assert_non_null(strstr(why, "try"));
	assert_int_equal(count_entries(recording.scratch), 0);
	recording_end(&recording);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(system_calls_are_recorded_one_by_one),
		TEST(names_replay_into_what_the_program_saw),
		TEST(a_file_without_a_name_is_recorded_from_its_creation_on),
		TEST(locks_work_as_everywhere),
		TEST(space_replays_into_what_the_program_saw),
		TEST(direct_writes_are_seen_as_such),
		TEST(aio_is_seen_and_its_sync_covers_what_had_ended),
		TEST(uring_is_seen_write_by_write_and_sync_by_sync),
		TEST(stores_to_mapped_memory_are_seen_before_what_follows_them),
		TEST(a_store_outside_of_what_is_synced_comes_after_the_sync),
		TEST(a_durable_write_is_one_op_and_no_sync),
		TEST(threads_that_race_replay_into_what_they_saw),
		TEST(children_that_append_are_all_recorded),
		TEST(a_daemon_is_recorded_until_it_ends),
		TEST(an_acknowledgement_stands_where_its_line_ended),
		TEST(a_program_shares_one_processor_with_the_recorder_unless_it_may_spread),
		TEST(lines_are_passed_on_to_standard_output),
		TEST(standard_output_can_be_left_alone),
		TEST(the_directory_itself_is_left_untouched),
		TEST(the_base_is_told_first_and_replays),
		TEST(ignored_names_are_no_part_of_the_trace),
		TEST(what_cannot_be_recorded_is_refused),
		TEST(a_command_that_is_not_there_is_said_to_be),
		TEST(a_program_that_fills_the_copy_sees_enospc),
		TEST(a_full_trace_ends_the_recording_there),
		TEST(a_program_that_does_not_end_is_killed_in_time),
		TEST(a_program_that_is_killed_is_no_failure),
		TEST(a_stop_at_any_moment_leaves_nothing),
		TEST(a_killed_recorder_takes_its_processes_along),
		TEST(a_recorder_that_is_not_permitted_says_what_is_missing),
	};
	int status = record_main(argc, argv);

	return status >= 0 ? status : RUN_TESTS(tests);
}
