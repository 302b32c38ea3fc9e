/* test_recorders.c: the recorders beside the FUSE server: what seccomp and a ring see, and that all
 * see the same. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sluice/crash.h>
#include <sluice/ring.h>

#include "record_support.h"
#include "tests/support/harness.h"

#define NOBODY 65534

/* ---- programs of this test alone ----------------------- */

static int put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -1;
	return close(fd);
}

/* Refused, and then it does without. */
static int own_maps(void)
{
	int fd = open("m", O_RDWR | O_CREAT, 0600);
	void *at;

	if (fd < 0 || ftruncate(fd, 4096) < 0)
		return 1;
	at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at != MAP_FAILED || errno != ENODEV)
		return 2;
	at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	return at == MAP_FAILED || pwrite(fd, "done without", 12, 0) != 12;
}

static int own_absolute(void)
{
	const char *dir = getenv("SLUICE_DIR");
	char path[4200];

	if (!dir)
		return 1;
	snprintf(path, sizeof(path), "%s/sub", dir);
	if (mkdir(path, 0700) < 0)
		return 2;
	snprintf(path, sizeof(path), "%s/sub/../link", dir);
	if (symlink("sub/f", path) < 0)
		return 3;
	if (put_file(path, "through a link") < 0)
		return 4;
	snprintf(path, sizeof(path), "%s/sub/f", dir);
	if (access(path, F_OK) < 0)
		return 5;
	snprintf(path, sizeof(path), "%s/../outside-%d", dir, (int)getpid());
	if (put_file(path, "not in the trace") < 0 || unlink(path) < 0)
		return 6;
	return rename("link", "sub/link") < 0 ? 7 : 0;
}

/* What belongs to nobody but the directory itself, which is untouched. */
static int own_changes_original(void)
{
	return put_file(getenv("ORIGINAL"), "changed") == 0 || errno != EROFS;
}

static int own_on_ring(void)
{
	const struct sl_open_how create = { O_WRONLY | O_CREAT | O_CLOEXEC, 0600, 0 };
	struct sl_ring *ring = NULL;
	struct sl_op op = { 0 };
	int fd;

	if (sl_ring_open(NULL, &ring))
		return 1;
	fd = (int)sl_ring_do(ring, sl_op_open(&op, AT_FDCWD, "f", &create));
	if (fd < 0 || sl_ring_do(ring, sl_op_write(&op, fd, "hello", 5, 0)) != 5)
		return 2;
	if (sl_ring_do(ring, sl_op_fdatasync(&op, fd)))
		return 3;
	printf("said\n");
	fflush(stdout);
	if (sl_crash_ack("acked", 5))
		return 4;
	if (sl_ring_do(ring, sl_op_unlink(&op, AT_FDCWD, "f", 0)) ||
	    sl_ring_do(ring, sl_op_close(&op, fd)))
		return 5;
	sl_ring_close(ring);
	printf("last");
	return 0;
}

static int own_acks(void)
{
	int fd = open(getenv("SLUICE_CRASH_ACK"), O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(STDOUT_FILENO, "one\ntwo\nthr", 11) != 11 || put_file("between", "x"))
		return 1;
	if (write(STDOUT_FILENO, "ee\n\nrest", 8) != 8 || write(fd, "direct\n", 7) != 7 ||
	    sl_crash_ack("by call", 7))
		return 2;
	close(fd);
	fd = open("./.sluice/ack", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return fd < 0 || write(fd, "magic\n", 6) != 6;
}

/* One that gets its name last, by either of the two ways. */
static int own_nameless(void)
{
	char link[64];

	for (unsigned i = 0; i < 2; i++) {
		int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

		if (fd < 0 || write(fd, "whole", 5) != 5 || fsync(fd) < 0)
			return 1;
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (i ? linkat(fd, "", AT_FDCWD, "second", AT_EMPTY_PATH) < 0 && errno != ENOENT :
			linkat(AT_FDCWD, link, AT_FDCWD, "first", AT_SYMLINK_FOLLOW) < 0)
			return 2;
		close(fd);
	}
	printf("digest %016llx\n", (unsigned long long)digest_dir("."));
	return 0;
}

static int own_nameless_on_ring(void)
{
	const struct sl_open_how how = { O_TMPFILE | O_RDWR | O_CLOEXEC, 0600, 0 };
	struct sl_ring *ring = NULL;
	struct sl_name_pair pair = { NULL, "named", AT_FDCWD, AT_SYMLINK_FOLLOW };
	struct sl_op op = { 0 };
	char link[64];
	int fd;

	if (sl_ring_open(NULL, &ring))
		return 1;
	fd = (int)sl_ring_do(ring, sl_op_open(&op, AT_FDCWD, ".", &how));
	if (fd < 0 || sl_ring_do(ring, sl_op_write(&op, fd, "whole", 5, 0)) != 5 ||
	    sl_ring_do(ring, sl_op_fsync(&op, fd)))
		return 2;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	pair.source = link;
	if (sl_ring_do(ring, sl_op_link(&op, AT_FDCWD, &pair)))
		return 3;
	sl_ring_close(ring);
	return 0;
}

/* What stays is what its trace makes. */
static int own_stays_on_ring(void)
{
	const struct sl_open_how create = { O_RDWR | O_CREAT | O_CLOEXEC, 0600, 0 };
	const struct sl_open_how append = { O_WRONLY | O_APPEND | O_CLOEXEC, 0, 0 };
	const struct sl_name_pair move = { "a", "sub/b", AT_FDCWD, 0 };
	const struct sl_name_pair hard = { "sub/b", "c", AT_FDCWD, 0 };
	struct sl_ring *ring = NULL;
	struct sl_op op = { 0 };
	static char bytes[300000];
	int64_t res;
	int fd;

	if (sl_ring_open(NULL, &ring))
		return 1;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 >> 3);
	fd = (int)sl_ring_do(ring, sl_op_open(&op, AT_FDCWD, "a", &create));
	res = sl_ring_do(ring, sl_op_write(&op, fd, bytes, sizeof(bytes), 1000));
	res |= sl_ring_do(ring, sl_op_truncate(&op, fd, 200000)) < 0;
	res |= sl_ring_do(ring, sl_op_close(&op, fd)) < 0;
	fd = (int)sl_ring_do(ring, sl_op_open(&op, AT_FDCWD, "a", &append));
	res |= sl_ring_do(ring, sl_op_write(&op, fd, "tail", 4, 0)) != 4;
	res |= sl_ring_do(ring, sl_op_close(&op, fd)) < 0;
	res |= sl_ring_do(ring, sl_op_mkdir(&op, AT_FDCWD, "sub", 0700)) < 0;
	res |= sl_ring_do(ring, sl_op_rename(&op, AT_FDCWD, &move)) < 0;
	res |= sl_ring_do(ring, sl_op_link(&op, AT_FDCWD, &hard)) < 0;
	sl_ring_close(ring);
	printf("digest %016llx\n", (unsigned long long)digest_dir("."));
	return res != sizeof(bytes);
}

/* The first sync fails, the second does not; the second write is cut short. */
static int own_meets_faults(void)
{
	int fd = open("f", O_WRONLY | O_CREAT, 0600);

	if (fd < 0 || pwrite(fd, "hello", 5, 0) != 5)
		return 1;
	if (fsync(fd) == 0 || errno != EIO || fsync(fd) < 0)
		return 2;
	if (pwrite(fd, "0123456789", 10, 0) >= 10)
		return 3;
	if (pwrite(fd, "x", 1, 0) >= 0 || errno != ENOSPC)
		return 4;
	return 0;
}

static int own_no_ring(void)
{
	return put_file("f", "plain");
}

static int own_writes(void)
{
	static char bytes[4096];
	int fd = open("f", O_WRONLY | O_CREAT, 0600);

	for (unsigned i = 0; i < 20000; i++) {
		if (pwrite(fd, bytes, sizeof(bytes), 0) != sizeof(bytes))
			return 1;
	}
	return 0;
}

static int run_own(const char *name)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} owns[] = {
		{ "acks", own_acks },
		{ "maps", own_maps },
		{ "absolute", own_absolute },
		{ "changes-original", own_changes_original },
		{ "on-ring", own_on_ring },
		{ "nameless", own_nameless },
		{ "nameless-on-ring", own_nameless_on_ring },
		{ "stays-on-ring", own_stays_on_ring },
		{ "meets-faults", own_meets_faults },
		{ "no-ring", own_no_ring },
		{ "writes", own_writes },
	};

	for (unsigned i = 0; i < sizeof(owns) / sizeof(owns[0]); i++) {
		if (!strcmp(owns[i].name, name))
			return owns[i].run();
	}
	return 99;
}

static void set_own(struct recording *recording, const char *name)
{
	static char word[] = "--own";

	recording_set_program(recording, name);
	recording->argv[1] = word;
}

/* ---- seccomp ------------------------------------------------------------------------- */

static void begin_seccomp(struct recording *recording, const char *program)
{
	recording_begin(recording, program);
	recording->opts.recorder = "seccomp";
}

static void assert_replays(const struct recording *recording)
{
	char line[64];

	snprintf(line, sizeof(line), "digest %016llx",
		 (unsigned long long)recording_replay(recording));
	recording_ack(recording, line);
}

static void replays_under_seccomp(const char *program)
{
	struct recording recording;

	begin_seccomp(&recording, program);
	recording_run(&recording);
	recording_assert_good(&recording);
	assert_replays(&recording);
	recording_end(&recording);
}

static void names_under_seccomp_replay_into_what_the_program_saw(void **state)
{
	(void)state;
	replays_under_seccomp("names");
}

static void space_under_seccomp_replays_into_what_the_program_saw(void **state)
{
	(void)state;
	replays_under_seccomp("space");
}

static void locks_under_seccomp_work_as_everywhere(void **state)
{
	(void)state;
	replays_under_seccomp("locks");
}

static void threads_under_seccomp_replay_into_what_they_saw(void **state)
{
	char seed[32];

	(void)state;
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)support_seed());
	setenv("SLUICE_SEED", seed, 1);
	replays_under_seccomp("threads");
}

static void children_under_seccomp_are_all_recorded(void **state)
{
	(void)state;
	replays_under_seccomp("fork");
}

static void a_daemon_under_seccomp_is_recorded_until_it_ends(void **state)
{
	struct recording recording;

	(void)state;
	begin_seccomp(&recording, "daemon");
	recording_run(&recording);
	assert_int_equal(recording.err, 0);
	assert_int_equal(WEXITSTATUS(recording.report.status), 5);
	assert_replays(&recording);
	assert_string_equal(recording_find(&recording, CRASH_CREATE, 0)->name, "by the daemon");
	recording_end(&recording);
}

/* The path of the one thing in a directory; "" if there is none. */
static const char *only_entry(const char *dir)
{
	static char path[8192];
	DIR *at = opendir(dir);
	const struct dirent *entry;

	*path = '\0';
	while (at && (entry = readdir(at))) {
		if (entry->d_name[0] != '.')
			snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
	}
	if (at)
		closedir(at);
	return path;
}

static void a_program_that_does_not_end_is_ended(void **state)
{
	struct recording recording;

	(void)state;
	begin_seccomp(&recording, "sleep");
	recording.opts.timeout_ns = 300000000;
	recording_run(&recording);
	assert_int_equal(recording.err, 0);
	assert_int_equal(recording.report.limits, CRASH_LIMIT_TIME);
	recording_end(&recording);
	assert_int_equal(rmdir(recording.scratch), 0); /* nothing is left in it */
}

/* As a killed recorder leaves it; the next one clears up. */
static void what_a_killed_recorder_left_is_removed(void **state)
{
	struct recording recording;
	char path[8192];
	pid_t pid;
	int status;

	(void)state;
	begin_seccomp(&recording, "sleep");
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		recording_run(&recording);
		_exit(0);
	}
	do
		snprintf(path, sizeof(path), "%s/copy", only_entry(recording.scratch));
	while (access(path, F_OK) < 0);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(access(path, F_OK), 0);
	recording.opts.timeout_ns = 200000000;
	/* What it had started dies after it, and holds the lock until then. */
	do {
		recording_run(&recording);
		assert_int_equal(recording.err, 0);
		recording_end(&recording);
	} while (access(path, F_OK) == 0);
	assert_int_equal(rmdir(recording.scratch), 0);
}

static void a_shared_mapping_to_be_written_is_refused_with_a_note(void **state)
{
	struct recording recording;

	(void)state;
	begin_seccomp(&recording, "");
	set_own(&recording, "maps");
	recording_run(&recording);
	recording_assert_good(&recording);
	assert_non_null(strstr(recording.report.notes, "shared mapping"));
	assert_int_equal(recording_find(&recording, CRASH_WRITE, 0)->len, 12);
	recording_end(&recording);
}

static void acknowledgements_under_seccomp_stand_where_they_were_said(void **state)
{
	struct recording recording;
	const struct crash_op *made;

	(void)state;
	begin_seccomp(&recording, "");
	set_own(&recording, "acks");
	recording_run(&recording);
	recording_assert_good(&recording);
	made = recording_find(&recording, CRASH_CREATE, 0);
	assert_true(recording_ack(&recording, "two")->seq < made->seq);
	assert_true(recording_ack(&recording, "three")->seq > made->seq);
	assert_true(recording_ack(&recording, "direct")->seq >
		    recording_ack(&recording, "three")->seq);
	assert_true(recording_ack(&recording, "magic")->seq >
		    recording_ack(&recording, "by call")->seq);
	assert_true(recording_ack(&recording, "rest")->seq >
		    recording_ack(&recording, "magic")->seq);
	assert_int_equal(recording.report.nr_acks, 7);
	assert_int_equal(recording_count(&recording, CRASH_CREATE), 1);
	recording_end(&recording);
}

static void io_uring_is_not_there_under_seccomp(void **state)
{
	struct recording recording;

	(void)state;
	begin_seccomp(&recording, "uring");
	recording_run(&recording);
	recording_assert_good(&recording);
	assert_true(recording_says(&recording, recording_find(&recording, CRASH_ACK, 0),
				   "no io_uring"));
	recording_end(&recording);
}

static void calls_fail_under_seccomp_when_asked_to(void **state)
{
	struct crash_fault faults[4];
	struct recording recording;
	const struct crash_op *op;

	(void)state;
	assert_int_equal(crash_fault_parse("sync:1:EIO", &faults[0]), 0);
	assert_int_equal(crash_fault_parse("write:2:short", &faults[1]), 0);
	assert_int_equal(crash_fault_parse("write:3:ENOSPC:f", &faults[2]), 0);
	assert_int_equal(crash_fault_parse("read:1:EIO", &faults[3]), 0);
	begin_seccomp(&recording, "");
	set_own(&recording, "meets-faults");
	recording.opts.faults = faults;
	recording.opts.nr_faults = 3;
	recording_run(&recording);
	recording_assert_good(&recording);
	op = recording_find(&recording, CRASH_SYNC, 0);
	assert_int_equal(op->res, -EIO);
	assert_int_equal(op->flags, CRASH_FAULT);
	assert_int_equal(recording_find(&recording, CRASH_SYNC, 1)->flags, 0);
	assert_int_equal(recording_find(&recording, CRASH_WRITE, 1)->flags, CRASH_FAULT);
	assert_int_equal(recording_count(&recording, CRASH_WRITE), 3);
	op = recording_find(&recording, CRASH_WRITE, 2); /* as the other recorder tells it */
	assert_int_equal(op->flags, CRASH_FAULT);
	assert_int_equal(op->res, -ENOSPC);
	recording_end(&recording);
	recording.opts.nr_faults = 4;
	assert_int_equal(crash_trace_create(NULL, NULL, &recording.trace), 0);
	assert_int_equal(crash_record(&recording.opts, recording.trace, &recording.report), -EPERM);
	assert_non_null(strstr(recording.report.why, "fuse"));
	recording_end(&recording);
}

/* Made, written, synced, linked: in this order, and with nothing to tell of a copy. */
static void expect_nameless(const struct recording *recording, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		const struct crash_op *made = recording_find(recording, CRASH_CREATE, i);
		const struct crash_op *sync = recording_find(recording, CRASH_SYNC, i);
		const struct crash_op *named = recording_find(recording, CRASH_LINK, i);

		assert_non_null(made);
		assert_string_equal(made->name, "");
		assert_non_null(named);
		assert_int_equal(named->inode, made->inode);
		assert_true(recording_find(recording, CRASH_WRITE, i)->seq <= sync->begin);
		assert_true(sync->seq < named->seq);
	}
	assert_int_equal(recording_count(recording, CRASH_WRITE), nr);
	assert_int_equal(recording_count(recording, CRASH_NOTE), 0);
}

static void a_file_that_gets_its_name_last_is_one_all_along(void **state)
{
	struct recording recording;

	(void)state;
	begin_seccomp(&recording, "");
	set_own(&recording, "nameless");
	recording_run(&recording);
	recording_assert_good(&recording);
	expect_nameless(&recording, 2);
	recording_end(&recording);
	recording.opts.recorder = "ring";
	set_own(&recording, "nameless-on-ring");
	recording_run(&recording);
	recording_assert_good(&recording);
	expect_nameless(&recording, 1);
	recording_end(&recording);
}

static void paths_lead_where_they_lead_the_program(void **state)
{
	struct recording recording;
	const struct crash_op *op;

	(void)state;
	begin_seccomp(&recording, "");
	set_own(&recording, "absolute");
	recording_run(&recording);
	recording_assert_good(&recording);
	assert_int_equal(recording_count(&recording, CRASH_CREATE), 1);
	op = recording_find(&recording, CRASH_CREATE, 0);
	assert_string_equal(op->name, "f");
	assert_int_equal(op->dir, recording_find(&recording, CRASH_MKDIR, 0)->inode);
	assert_string_equal(recording_find(&recording, CRASH_RENAME, 0)->name2, "link");
	recording_end(&recording);
}

/* ---- without namespaces -------------------------------------------------------------- */

/* As a sandbox does it that forbids them. */
static int forbid_namespaces(void)
{
	const uint32_t flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flags, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* In a child that is nobody and may have no namespaces. */
static void as_nobody(void (*fn)(struct recording *recording), const char *program)
{
	static char dir[4096], scratch[4096];
	struct recording recording;
	char template[] = "/var/tmp/sluice-test-XXXXXX";
	int status;
	pid_t pid;

	begin_seccomp(&recording, program);
	*strrchr(recording.dir, '/') = '\0'; /* where replays are made, by anybody */
	assert_int_equal(chmod(recording.dir, 01777), 0);
	assert_non_null(mkdtemp(template));
	snprintf(dir, sizeof(dir), "%s/data", template);
	snprintf(scratch, sizeof(scratch), "%s/scratch", template);
	assert_int_equal(mkdir(dir, 0755) | mkdir(scratch, 0755), 0);
	if (!geteuid())
		assert_int_equal(chown(template, NOBODY, NOBODY) | chown(dir, NOBODY, NOBODY) |
					 chown(scratch, NOBODY, NOBODY),
				 0);
	recording.opts.dir = dir;
	recording.opts.scratch_dir = scratch;
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if ((!geteuid() && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)) || chdir(dir) < 0 ||
		    forbid_namespaces() < 0)
			_exit(98);
		prctl(PR_SET_DUMPABLE, 1);
		if (access(recording.self, X_OK) < 0)
			_exit(77);
		fn(&recording);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* The recording has left nothing behind. */
	assert_int_equal(rmdir(scratch), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(rmdir(template), 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		SKIP("another user may not run this test's program, %s", recording.self);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void record_and_replay(struct recording *recording)
{
	recording_run(recording);
	recording_assert_good(recording);
	assert_non_null(strstr(recording->report.notes, "no namespaces here"));
	assert_replays(recording);
	recording_end(recording);
}

static void an_unprivileged_user_without_namespaces_records_too(void **state)
{
	(void)state;
	as_nobody(record_and_replay, "names");
	as_nobody(record_and_replay, "fork");
}

static void record_daemon(struct recording *recording)
{
	recording_run(recording);
	assert_int_equal(recording->err, 0);
	assert_replays(recording);
	recording_end(recording);
}

static void a_daemon_without_namespaces_is_recorded_until_it_ends(void **state)
{
	(void)state;
	as_nobody(record_daemon, "daemon");
}

static void record_sleeper(struct recording *recording)
{
	recording->opts.timeout_ns = 300000000;
	recording_run(recording);
	assert_int_equal(recording->err, 0);
	assert_int_equal(recording->report.limits, CRASH_LIMIT_TIME);
	recording_end(recording);
}

static void without_namespaces_nothing_is_left_running_either(void **state)
{
	(void)state;
	as_nobody(record_sleeper, "sleep");
}

static void record_change(struct recording *recording)
{
	char path[4200];

	set_own(recording, "changes-original");
	snprintf(path, sizeof(path), "%s/./f",
		 recording->opts.dir); /* not begun as the directory is */
	setenv("ORIGINAL", path + 1, 1);
	snprintf(path, sizeof(path), "/../%s/f", recording->opts.dir);
	setenv("ORIGINAL", path, 1);
	recording_run(recording);
	recording_assert_good(recording);
	assert_non_null(strstr(recording->report.notes, "EROFS"));
	assert_int_equal(recording_count(recording, CRASH_CREATE), 0);
	recording_end(recording);
}

static void the_directory_itself_cannot_be_changed(void **state)
{
	(void)state;
	as_nobody(record_change, "");
}

/* ---- one trace as another ------------------------------------------------------------ */

static void add(char *text, size_t max, const char *format, ...)
{
	size_t len = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + len, max - len, format, args);
	va_end(args);
}

/* All that is told but who did it, notes, and closes, whose place is the kernel's to choose. */
static void tell_all(const struct recording *recording, char *text, size_t max)
{
	*text = '\0';
	for (uint64_t i = 0; i < crash_trace_nr(recording->trace); i++) {
		const struct crash_op *op = crash_trace_op(recording->trace, i);

		if (op->code == CRASH_NOTE || op->code == CRASH_CLOSE)
			continue;
		add(text, max,
		    "%s flags %x res %d mode %o/%x #%llu %llu/%s %llu/%s %llu+%llu (%u)\n",
		    crash_code_name(op->code), op->flags, op->res < 0 ? op->res : 0,
		    op->code == CRASH_CREATE || op->code == CRASH_MKDIR ? op->mode : 0, op->flags2,
		    (unsigned long long)op->inode, (unsigned long long)op->dir, op->name,
		    (unsigned long long)op->dir2, op->name2, (unsigned long long)op->off,
		    (unsigned long long)op->len, op->code == CRASH_ACK ? 0 : op->data_len);
	}
}

/* What the program of this name looks for, in the current directory. */
static void make_base(void)
{
	assert_int_equal(put_file("kept", "base content"), 0);
	assert_int_equal(put_file("gone", "soon"), 0);
	assert_int_equal(put_file("short", "will be shorter"), 0);
	assert_int_equal(symlink("kept", "link"), 0);
	assert_int_equal(mkdir("deep", 0755) | mkdir("deep/er", 0700), 0);
	assert_int_equal(put_file("deep/er/file", "far down"), 0);
	assert_int_equal(link("deep/er/file", "near"), 0);
}

static uint64_t record_as(const char *recorder, const char *program, char *text, size_t max)
{
	static const char *const ignore[] = { "*-shm", "tmp" };
	struct recording recording;
	uint64_t closes;

	recording_begin(&recording, program);
	recording.opts.recorder = recorder;
	if (!strcmp(program, "ignored")) {
		recording.opts.ignore = ignore;
		recording.opts.nr_ignore = 2;
	}
	if (!strcmp(program, "base"))
		make_base();
	recording_run(&recording);
	recording_assert_good(&recording);
	tell_all(&recording, text, max);
	closes = recording_count(&recording, CRASH_CLOSE);
	recording_end(&recording);
	return closes;
}

static void seccomp_tells_the_same_as_fuse(void **state)
{
	static const char *const programs[] = {
		"psync", "names", "space", "dsync", "direct", "ignored", "base",
	};
	static char fuse[1 << 20], seccomp[1 << 20];

	(void)state;
	for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		uint64_t closes[2];

		closes[0] = record_as("fuse", programs[i], fuse, sizeof(fuse));
		closes[1] = record_as("seccomp", programs[i], seccomp, sizeof(seccomp));
		print_message("# %s\n", programs[i]);
		assert_string_equal(seccomp, fuse);
		/* Of a file that has lost its last name the kernel may not tell any more; to fuse
		 * it may tell of one at the program's end too late. */
		if (strcmp(programs[i], "names") != 0)
			assert_true(closes[1] >= closes[0]);
	}
}

/* ---- ring ---------------------------------------------------------------------------- */

static void begin_ring(struct recording *recording, const char *own)
{
	recording_begin(recording, "");
	recording->opts.recorder = "ring";
	set_own(recording, own);
	unsetenv("SLUICE_BACKEND");
}

static void a_program_on_a_ring_records_itself(void **state)
{
	static const uint32_t codes[] = {
		CRASH_CREATE, CRASH_WRITE,  CRASH_SYNC,	 CRASH_ACK,
		CRASH_ACK,    CRASH_UNLINK, CRASH_CLOSE, CRASH_ACK,
	};
	struct recording recording;

	(void)state;
	begin_ring(&recording, "on-ring");
	recording_run(&recording);
	recording_assert_good(&recording);
	assert_int_equal(crash_trace_nr(recording.trace), sizeof(codes) / sizeof(codes[0]));
	for (uint64_t i = 0; i < crash_trace_nr(recording.trace); i++)
		assert_string_equal(crash_code_name(crash_trace_op(recording.trace, i)->code),
				    crash_code_name(codes[i]));
	assert_true(recording_ack(&recording, "said")->seq <
		    recording_find(&recording, CRASH_UNLINK, 0)->seq);
	assert_true(recording_ack(&recording, "acked")->seq <
		    recording_find(&recording, CRASH_UNLINK, 0)->seq);
	recording_ack(&recording, "last");
	assert_int_equal(recording.report.nr_acks, 3);
	recording_end(&recording);
	assert_int_equal(rmdir(recording.scratch), 0);
	assert_int_equal(rmdir(recording.dir), 0); /* untouched */
}

static void what_a_ring_has_made_is_what_its_trace_makes(void **state)
{
	struct recording recording;

	(void)state;
	begin_ring(&recording, "stays-on-ring");
	recording_run(&recording);
	recording_assert_good(&recording);
	assert_replays(&recording);
	for (unsigned i = 0; i < recording_count(&recording, CRASH_WRITE); i++) {
		const struct crash_op *op = recording_find(&recording, CRASH_WRITE, i);

		assert_int_equal(op->res, op->data_len);
	}
	recording_end(&recording);
}

static void a_ring_on_epoll_is_recorded_when_the_user_asks_for_epoll(void **state)
{
	struct recording recording;

	(void)state;
	begin_ring(&recording, "on-ring");
	setenv("SLUICE_BACKEND", "epoll", 1);
	recording_run(&recording);
	unsetenv("SLUICE_BACKEND");
	recording_assert_good(&recording);
	assert_int_equal(recording_count(&recording, CRASH_WRITE), 1);
	recording_end(&recording);
}

static void a_program_without_a_ring_is_not_taken_for_one_that_does_nothing(void **state)
{
	struct recording recording;
	int err;

	(void)state;
	begin_ring(&recording, "no-ring");
	assert_int_equal(crash_trace_create(NULL, NULL, &recording.trace), 0);
	err = crash_record(&recording.opts, recording.trace, &recording.report);
	assert_int_equal(err, -EPERM);
	assert_non_null(strstr(recording.report.why, "opened no ring"));
	recording_end(&recording);
}

int main(int argc, char **argv)
{
	int status = record_main(argc, argv);
	const struct CMUnitTest tests[] = {
		TEST(names_under_seccomp_replay_into_what_the_program_saw),
		TEST(space_under_seccomp_replays_into_what_the_program_saw),
		TEST(locks_under_seccomp_work_as_everywhere),
		TEST(threads_under_seccomp_replay_into_what_they_saw),
		TEST(children_under_seccomp_are_all_recorded),
		TEST(a_daemon_under_seccomp_is_recorded_until_it_ends),
		TEST(a_program_that_does_not_end_is_ended),
		TEST(what_a_killed_recorder_left_is_removed),
		TEST(a_shared_mapping_to_be_written_is_refused_with_a_note),
		TEST(acknowledgements_under_seccomp_stand_where_they_were_said),
		TEST(io_uring_is_not_there_under_seccomp),
		TEST(calls_fail_under_seccomp_when_asked_to),
		TEST(a_file_that_gets_its_name_last_is_one_all_along),
		TEST(paths_lead_where_they_lead_the_program),
		TEST(an_unprivileged_user_without_namespaces_records_too),
		TEST(a_daemon_without_namespaces_is_recorded_until_it_ends),
		TEST(without_namespaces_nothing_is_left_running_either),
		TEST(the_directory_itself_cannot_be_changed),
		TEST(seccomp_tells_the_same_as_fuse),
		TEST(a_program_on_a_ring_records_itself),
		TEST(what_a_ring_has_made_is_what_its_trace_makes),
		TEST(a_ring_on_epoll_is_recorded_when_the_user_asks_for_epoll),
		TEST(a_program_without_a_ring_is_not_taken_for_one_that_does_nothing),
	};

	if (status >= 0)
		return status;
	if (argc == 3 && !strcmp(argv[1], "--own"))
		return run_own(argv[2]);
	return RUN_TESTS(tests);
}
