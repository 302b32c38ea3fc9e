/* record_programs.c: programs that are recorded; each works in the current directory. */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <sluice/ring.h>

#include "record_support.h"
#include "sys/aio.h"

#define PAGE 4096

/* Ends the program, saying where: the test shows the line of standard error. */
#define MUST(cond)                                                                 \
	((cond) ? (void)0 :                                                        \
		  (fprintf(stderr, "# %s:%d: %s: %s\n", __FILE__, __LINE__, #cond, \
			   strerror(errno)),                                       \
		   _exit(3)))

static char page[16 * PAGE] __attribute__((aligned(PAGE)));

/* One line, out at once. */
static void ack(const char *line)
{
	printf("%s\n", line);
	MUST(!fflush(stdout));
}

/* What the program sees in the end, for the test to compare. */
static void ack_digest(void)
{
	printf("digest %016llx\n", (unsigned long long)digest_dir("."));
	MUST(!fflush(stdout));
}

static int create(const char *name, int flags)
{
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0644);

	MUST(fd >= 0);
	return fd;
}

static void put(int fd, const char *text, off_t off)
{
	MUST(pwrite(fd, text, strlen(text), off) == (ssize_t)strlen(text));
}

static void sync_dir(const char *name)
{
	int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	MUST(fd >= 0 && !fsync(fd) && !close(fd));
}

/* ---- calls one by one ----------------------------------------------------------------- */

/* The test knows this one op by op. */
static void do_psync(void)
{
	int fd = create("a", 0);

	put(fd, "first", 0);
	MUST(!fdatasync(fd));
	MUST(!fsync(fd));
	MUST(!ftruncate(fd, 3));
	MUST(!rename("a", "b"));
	sync_dir(".");
	ack("moved");
	MUST(!link("b", "c"));
	MUST(!unlink("b"));
	MUST(!mkdir("d", 0755) && !rmdir("d"));
	MUST(!symlink("c", "s"));
	MUST(!fchmod(fd, 0600));
	MUST(!close(fd));
	ack("end");
}

static void do_names(void)
{
	char longest[256];
	struct stat st, st2;
	int fd = create("one", 0), fd2 = create("two", 0);

	memset(longest, 'n', 255);
	longest[255] = '\0';
	put(fd, "1", 0);
	put(fd2, "22", 0);
	MUST(!renameat2(AT_FDCWD, "one", AT_FDCWD, "two", RENAME_EXCHANGE));
	MUST(renameat2(AT_FDCWD, "one", AT_FDCWD, "two", RENAME_NOREPLACE) < 0 && errno == EEXIST);
	MUST(!mkdir("dir", 0755) && !mkdir("dir/sub", 0755));
	MUST(rmdir("dir") < 0 && errno == ENOTEMPTY);
	MUST(rename("dir", "dir/sub/x") < 0 && errno == EINVAL);
	MUST(!rename("two", "dir/sub/two") && !link("one", longest));
	MUST(!stat("one", &st) && !stat(longest, &st2));
	MUST(st.st_ino == st2.st_ino && st.st_nlink == 2 && st2.st_nlink == 2);
	MUST(!mkfifo("fifo", 0600) && !rename("dir", "moved"));
	MUST(!access("moved/sub/two", F_OK) && access("dir", F_OK) < 0);
	MUST(open("one", O_CREAT | O_EXCL | O_WRONLY, 0600) < 0 && errno == EEXIST);
	MUST(!mkdir("empty", 0755) && !mkdir("over", 0755) && !rename("over", "empty"));
	MUST(!setxattr("one", "user.key", "value", 5, 0));
	MUST(getxattr("one", "user.key", page, 100) == 5 && !memcmp(page, "value", 5));
	MUST(listxattr("one", page, 100) == 9 && !removexattr("one", "user.key"));
	MUST(getxattr("one", "user.key", page, 100) < 0 && errno == ENODATA);
	/* What has no name any more goes on. */
	MUST(!unlink("one") && !unlink(longest));
	put(fd2, "after its end", 0);
	MUST(pread(fd2, page, 100, 0) == 13 && !fstat(fd2, &st) && st.st_nlink == 0);
	MUST(!close(fd) && !close(fd2));
	ack_digest();
}

static void do_tmpfile(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char path[64];

	if (fd < 0 && errno == EOPNOTSUPP) {
		ack("no O_TMPFILE");
		return;
	}
	MUST(fd >= 0);
	put(fd, "whole before it has a name", 0);
	MUST(!fsync(fd));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	MUST(!linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	/* And one that never gets a name. */
	MUST(write(open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), "x", 1) == 1);
	ack_digest();
}

static void do_locks(void)
{
	int fd = create("lock", 0), other = create("lock", 0), status;
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
	pid_t pid;

	MUST(!flock(fd, LOCK_EX) && flock(other, LOCK_EX | LOCK_NB) < 0);
	MUST(!flock(fd, LOCK_UN) && !flock(other, LOCK_EX | LOCK_NB));
	MUST(!fcntl(fd, F_SETLK, &lock));
	pid = fork();
	if (!pid)
		_exit(fcntl(fd, F_SETLK, &lock) < 0 && errno == EAGAIN ? 0 : 1);
	MUST(waitpid(pid, &status, 0) == pid && !status);
	ack_digest();
}

static void do_space(void)
{
	int fd = create("space", 0), copy = create("copy", 0);
	loff_t from = 0, to = 0;

	MUST(!fallocate(fd, 0, 0, 4 * PAGE));
	put(fd, "in it", PAGE);
	MUST(!fallocate(fd, FALLOC_FL_KEEP_SIZE, 4 * PAGE, PAGE));
	MUST(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
	MUST(lseek(fd, 0, SEEK_DATA) >= 0);
	MUST(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE) < 0 && errno == EOPNOTSUPP);
	MUST(!ftruncate(fd, 100 * PAGE) && !ftruncate(fd, 3 * PAGE + 5));
	while (to < 3 * PAGE + 5)
		MUST(copy_file_range(fd, &from, copy, &to, 3 * PAGE + 5 - (size_t)to, 0) > 0);
	MUST(pread(copy, page, PAGE, PAGE) == PAGE && !memcmp(page, "in it", 5));
	ack_digest();
}

/* ---- other ways to write --------------------------------------------------------------- */

static void do_dsync(void)
{
	struct iovec iov = { page, 100 };
	int fd = create("f", 0), durable = create("f", O_DSYNC);

	put(fd, "plain", 0);
	MUST(pwritev2(fd, &iov, 1, PAGE, RWF_DSYNC) == 100);
	put(durable, "durable", 2 * PAGE);
	MUST(!fdatasync(durable));
	ack("end");
}

static void do_direct(void)
{
	int fd = create("f", O_DIRECT);

	for (int i = 0; i < 8; i++) {
		memset(page, 'a' + i, sizeof(page));
		MUST(pwrite(fd, page, 2 * PAGE, (off_t)i * PAGE) == 2 * PAGE);
	}
	MUST(pread(fd, page, PAGE, 3 * PAGE) == PAGE && page[0] == 'd');
	MUST(!fdatasync(fd));
	ack_digest();
}

static void do_aio(void)
{
	aio_context_t context = 0;
	struct iocb blocks[8] = { 0 }, *list[8], last = { 0 }, *one = &last;
	struct io_event events[8];
	int fd = create("f", O_DIRECT);

	MUST(!sl_sys_aio_setup(8, &context));
	for (unsigned i = 0; i < 8; i++) {
		list[i] = &blocks[i];
		blocks[i] = (struct iocb){ .aio_lio_opcode = IOCB_CMD_PWRITE,
					   .aio_fildes = (uint32_t)fd,
					   .aio_buf = (uintptr_t)page + i * PAGE,
					   .aio_nbytes = PAGE,
					   .aio_offset = i * PAGE };
		memset(page + i * PAGE, 'A' + (int)i, PAGE);
	}
	MUST(sl_sys_aio_submit(context, 8, list) == 8);
	MUST(sl_sys_aio_getevents(context, 8, 8, events, NULL) == 8);
	last = (struct iocb){ .aio_lio_opcode = IOCB_CMD_FDSYNC, .aio_fildes = (uint32_t)fd };
	MUST(sl_sys_aio_submit(context, 1, &one) == 1);
	MUST(sl_sys_aio_getevents(context, 1, 1, events, NULL) == 1 && !events[0].res);
	sl_sys_aio_destroy(context);
	ack_digest();
}

static void do_uring(void)
{
	const struct sl_ring_opts opts = { .backend = "uring", .flags = SL_RING_NO_FALLBACK };
	int fd = create("f", 0);
	struct sl_ring *ring;
	struct sl_op op;

	if (sl_ring_open(&opts, &ring) < 0) {
		ack("no io_uring");
		return;
	}
	for (unsigned i = 0; i < 16; i++) {
		memset(page, 'a' + (int)i, PAGE);
		op = (struct sl_op){ 0 };
		MUST(sl_ring_do(ring, sl_op_write(&op, fd, page, PAGE, i * PAGE)) == PAGE);
		op = (struct sl_op){ 0 };
		MUST(!sl_ring_do(ring, sl_op_fdatasync(&op, fd)));
	}
	sl_ring_close(ring);
	ack_digest();
}

static void do_mmap(void)
{
	int fd = create("map", 0), other = create("other", 0);
	char *map;

	MUST(!ftruncate(fd, 4 * PAGE));
	map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(map != MAP_FAILED && !close(fd));
	strcpy(map, "before the ack");
	ack("acked");
	strcpy(map + PAGE, "before the sync of another");
	put(other, "x", 0);
	MUST(!fsync(other));
	strcpy(map + 2 * PAGE, "before the rename");
	MUST(!rename("other", "renamed"));
	strcpy(map + 100, "before its own sync");
	MUST(!msync(map, 4 * PAGE, MS_SYNC));
	strcpy(map + 3 * PAGE, "before syncfs");
	MUST(!syncfs(other));
	strcpy(map + 200, "never synced");
	ack_digest();
}

/* The page that is synced, and the one that is not. */
static void do_msync_part(void)
{
	int fd = create("map", 0);
	char *map;

	MUST(!ftruncate(fd, 2 * PAGE));
	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(map != MAP_FAILED && !close(fd));
	strcpy(map + PAGE, "outside");
	strcpy(map, "within");
	MUST(!msync(map, PAGE, MS_SYNC));
	ack("synced");
	ack_digest();
}

/* ---- several at once -------------------------------------------------------------------- */

struct random_work {
	uint64_t state;
	int dir;
	pthread_t thread;
};

static uint64_t roll(struct random_work *work, uint64_t below)
{
	work->state = work->state * 6364136223846793005u + 1442695040888963407u;
	return (work->state >> 33) % below;
}

static void random_file(struct random_work *work, const char *name)
{
	int fd = openat(work->dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
			0600);

	if (fd < 0)
		return;
	switch (roll(work, 4)) {
	case 0:
		MUST(!ftruncate(fd, (off_t)roll(work, sizeof(page))));
		break;
	case 1:
		MUST(!fsync(fd));
		break;
	default:
		memset(page, (int)roll(work, 256), 1); /* racy on purpose: any byte will do */
		MUST(pwrite(fd, page, roll(work, sizeof(page)), (off_t)roll(work, sizeof(page))) >=
		     0);
	}
	close(fd);
}

/* Whatever it does may fail: names come and go under it. */
static void *work_randomly(void *ctx)
{
	struct random_work *work = ctx;

	for (int i = 0; i < 300; i++) {
		char name[32], other[32];

		snprintf(name, sizeof(name), "%llu", (unsigned long long)roll(work, 8));
		snprintf(other, sizeof(other), "%llu", (unsigned long long)roll(work, 8));
		switch (roll(work, 9)) {
		case 0:
			mkdirat(work->dir, name, 0700);
			break;
		case 1:
			unlinkat(work->dir, name, 0);
			break;
		case 2:
			unlinkat(work->dir, name, AT_REMOVEDIR);
			break;
		case 3:
			renameat2(work->dir, name, work->dir, other,
				  roll(work, 2) ? RENAME_EXCHANGE : 0);
			break;
		case 4:
			linkat(work->dir, name, work->dir, other, 0);
			break;
		case 5:
			symlinkat(other, work->dir, name);
			break;
		default:
			random_file(work, name);
		}
	}
	return NULL;
}

static void do_threads(void)
{
	struct random_work works[4];
	const char *seed = getenv("SLUICE_SEED");

	for (unsigned i = 0; i < 4; i++) {
		works[i].state = strtoull(seed ? seed : "1", NULL, 0) + i;
		works[i].dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		MUST(!pthread_create(&works[i].thread, NULL, work_randomly, &works[i]));
	}
	for (unsigned i = 0; i < 4; i++)
		MUST(!pthread_join(works[i].thread, NULL));
	ack_digest();
}

static void do_fork(void)
{
	int fd = create("shared", O_APPEND), status;

	for (int i = 0; i < 4; i++) {
		pid_t pid = fork();

		if (!pid) {
			for (int j = 0; j < 50; j++)
				MUST(write(fd, "line of a child\n", 16) == 16);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		MUST(!status);
	MUST(lseek(fd, 0, SEEK_END) == 4 * 50 * 16);
	ack_digest();
}

/* Goes on after the program has ended. */
static void do_daemon(void)
{
	char byte;
	int pair[2];

	MUST(!pipe(pair));
	if (fork()) {
		ack("parent ends");
		_exit(5);
	}
	/* Until the parent is gone: its end of the pipe is the last but ours. */
	close(pair[1]);
	MUST(setsid() >= 0 && read(pair[0], &byte, 1) == 0);
	MUST(create("by the daemon", 0) >= 0);
	ack_digest();
	_exit(0);
}

/* ---- ends ------------------------------------------------------------------------------- */

static void do_killed(void)
{
	put(create("f", 0), "x", 0);
	raise(SIGKILL);
}

static void do_fill(void)
{
	int fd = create("big", 0);
	ssize_t n;

	do
		n = write(fd, page, sizeof(page));
	while (n > 0);
	MUST(n < 0 && errno == ENOSPC);
	MUST(!mkdir("names go on", 0700));
	ack_digest();
}

static void do_endless(void)
{
	int fd = create("f", 0);

	ack("begun");
	for (;;) {
		MUST(pwrite(fd, page, PAGE, 0) == PAGE);
		MUST(!fsync(fd));
	}
}

static void do_sleep(void)
{
	ack("begun");
	for (;;)
		pause();
}

/* Processes, mappings, names, output: something of everything, for ever. */
static void do_busy(void)
{
	int fd = create("map", 0);
	char *map;

	MUST(!ftruncate(fd, PAGE));
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(map != MAP_FAILED);
	signal(SIGCHLD, SIG_IGN);
	ack("begun");
	for (unsigned i = 0;; i++) {
		if (i % 16 == 0 && !fork())
			for (;;)
				pause();
		map[0]++;
		close(create("new", O_TRUNC));
		MUST(!rename("new", "name"));
		ack("line");
		if (i > 200)
			usleep(1000);
		if (i > 200)
			i = 1;
	}
}

static void do_base(void)
{
	int fd = open("kept", O_RDWR | O_CLOEXEC);

	MUST(fd >= 0 && pread(fd, page, 4, 0) == 4 && !memcmp(page, "base", 4));
	put(fd, "X", 1);
	MUST(!unlink("gone") && !rename("link", "linked"));
	fd = open("short", O_WRONLY | O_TRUNC | O_CLOEXEC);
	MUST(fd >= 0 && !close(fd) && !chmod("short", 0640));
	ack_digest();
}

static void do_acks(void)
{
	int fd = open(getenv(CRASH_ACK_VARIABLE), O_WRONLY | O_CLOEXEC);

	MUST(fd >= 0);
	MUST(write(STDOUT_FILENO, "one\ntwo\nthr", 11) == 11);
	put(create("between", 0), "x", 0);
	MUST(write(STDOUT_FILENO, "ee\n\nrest", 8) == 8);
	MUST(write(fd, "magic\n", 6) == 6);
	MUST(access(CRASH_MAGIC_DIR, F_OK) == 0 && mkdir(CRASH_MAGIC_DIR, 0700) < 0);
}

static void do_processors(void)
{
	cpu_set_t mine;

	MUST(!sched_getaffinity(0, sizeof(mine), &mine));
	MUST(dprintf(STDOUT_FILENO, "%d\n", CPU_COUNT(&mine)) > 0);
}

static void do_ignored(void)
{
	put(create("db", 0), "seen", 0);
	put(create("db-shm", 0), "not seen", 0);
	MUST(!mkdir("tmp", 0700));
	put(create("tmp/x", 0), "not seen", 0);
	MUST(rename("db-shm", "db2") < 0 && errno == EXDEV);
	MUST(!rename("tmp/x", "tmp/y") && !unlink("tmp/y"));
}

static void do_failing_sync(void)
{
	int fd = create("f", 0), other = create("f", 0);

	put(fd, "new", 0);
	MUST(fsync(fd) < 0 && errno == EIO);
	MUST(!fsync(fd));
	MUST(fsync(other) < 0 && errno == EIO);
	MUST(!fsync(other));
	MUST(pread(fd, page, 3, 0) == 3 && !memcmp(page, "new", 3));
	MUST(!fsync(create("f", 0)));
}

static void do_faulty_writes(void)
{
	struct iovec iov = { page, PAGE };
	int fd = create("f", 0);

	memset(page, 'n', sizeof(page));
	MUST(pwrite(fd, page, PAGE, 0) == PAGE);		   /* 1: well */
	MUST(pwrite(fd, page, PAGE, 0) < 0 && errno == EIO);	   /* 2 */
	MUST(pwrite(fd, page, PAGE, PAGE) < 0 && errno == ENOSPC); /* 3 */
	MUST(pwrite(fd, page, PAGE, PAGE) == PAGE / 2);		   /* 4: short */
	MUST(pwrite(fd, page, PAGE, PAGE) == PAGE);		   /* 5: rot */
	MUST(pwrite(fd, page, PAGE, 2 * PAGE) == PAGE);		   /* 6: astray */
	memset(page, 'd', PAGE);
	MUST(pwritev2(fd, &iov, 1, 0, RWF_DSYNC) < 0 && errno == EIO); /* 7 */
	MUST(!fsync(fd) && pread(fd, page, 1, 0) == 1 && page[0] == 'd');
}

static void do_faulty_reads(void)
{
	int fd = create("f", 0);

	memset(page, 'n', sizeof(page));
	MUST(pwrite(fd, page, 2 * PAGE, 0) == 2 * PAGE);
	MUST(pread(fd, page, PAGE, 0) < 0 && errno == EIO); /* 1 */
	MUST(pread(fd, page, PAGE, 0) == PAGE / 2);	    /* 2: short */
	MUST(pread(fd, page, PAGE, 0) == PAGE);		    /* 3: rot */
	MUST(page[PAGE / 2] == ('n' ^ 1));
	MUST(pread(fd, page, PAGE, 0) == PAGE && page[PAGE / 2] == ('n' ^ 1));
	put(create("g", 0), "other files are well", 0);
	MUST(pread(create("g", 0), page, 5, 0) == 5);
	fd = open("f", O_RDWR | O_DIRECT | O_CLOEXEC);
	MUST(fd >= 0 && pread(fd, page, PAGE, 0) < 0 && errno == ENODATA); /* 5 */
}

/* ---- choosing --------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(void);
} programs[] = {
	{ "psync", do_psync },
	{ "names", do_names },
	{ "tmpfile", do_tmpfile },
	{ "locks", do_locks },
	{ "space", do_space },
	{ "dsync", do_dsync },
	{ "direct", do_direct },
	{ "aio", do_aio },
	{ "uring", do_uring },
	{ "mmap", do_mmap },
	{ "msync-part", do_msync_part },
	{ "threads", do_threads },
	{ "fork", do_fork },
	{ "daemon", do_daemon },
	{ "killed", do_killed },
	{ "fill", do_fill },
	{ "endless", do_endless },
	{ "sleep", do_sleep },
	{ "busy", do_busy },
	{ "base", do_base },
	{ "acks", do_acks },
	{ "processors", do_processors },
	{ "ignored", do_ignored },
	{ "failing-sync", do_failing_sync },
	{ "faulty-writes", do_faulty_writes },
	{ "faulty-reads", do_faulty_reads },
};

int record_main(int argc, char **argv)
{
	if (argc != 3 || strcmp(argv[1], "--do") != 0)
		return -1;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		if (!strcmp(programs[i].name, argv[2])) {
			programs[i].run();
			return 0;
		}
	}
	return 4;
}
