/*
 * crash_record.c - what recording costs a program: microseconds of wall time an operation.
 *
 * A worker (this program again) does an operation many times in a directory, plain
 * and under the recorder of `sluice crash`, in turns. The difference is what the recorder
 * adds: requests through /dev/fuse, the copy, the trace. Medians of several rounds, with
 * the spread from the lowest to the highest. Wanted: at most 30 added. The recorder does not
 * wait for the disk, so syncs are cheaper with it.
 *
 *	bench_crash_record [DIR [OPS]]		DIR: for the data, the copy and the trace; $TMPDIR
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crash/record.h"

#define ROUNDS	   7
#define OPS	   20000
#define FILE_PAGES 256
#define PAGE	   4096

struct work {
	const char *name;
	int (*one)(int fd, unsigned nr);
};

static char page[PAGE];

static off_t place(unsigned nr)
{
	return (off_t)((nr * 2654435761u >> 8) % FILE_PAGES) * PAGE;
}

static int write_page(int fd, unsigned nr)
{
	return pwrite(fd, page, PAGE, place(nr)) != PAGE;
}

static int write_bytes(int fd, unsigned nr)
{
	return pwrite(fd, page, 100, place(nr)) != 100;
}

static int sync_data(int fd, unsigned nr)
{
	(void)nr;
	return fdatasync(fd);
}

static int read_page(int fd, unsigned nr)
{
	return pread(fd, page, PAGE, place(nr)) != PAGE;
}

static int make_name(int fd, unsigned nr)
{
	int made;

	(void)fd;
	if (nr % 2)
		return unlink("name");
	made = open("name", O_WRONLY | O_CREAT | O_EXCL, 0600);
	return made < 0 || close(made);
}

static const struct work works[] = {
	{ "write of 4 KiB", write_page },  { "write of 100 bytes", write_bytes },
	{ "fdatasync", sync_data },	   { "read of 4 KiB, cached", read_page },
	{ "create or unlink", make_name },
};

#define WORKS (sizeof(works) / sizeof(works[0]))

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int fill(int fd)
{
	for (unsigned i = 0; i < FILE_PAGES; i++) {
		if (pwrite(fd, page, PAGE, (off_t)i * PAGE) != PAGE)
			return -1;
	}
	return 0;
}

/* In the directory: the operations, and what one took to the descriptor. */
static int worker(const struct work *work, unsigned ops, int out)
{
	int fd = open("data", O_RDWR | O_CREAT, 0600);
	double begin;

	if (fd < 0 || fill(fd) < 0)
		return 1;
	begin = now_us();
	for (unsigned i = 0; i < ops; i++) {
		if (work->one(fd, i))
			return 1;
	}
	begin = (now_us() - begin) / ops;
	return write(out, &begin, sizeof(begin)) != sizeof(begin);
}

static int run_plain(const char *dir, char **argv)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (!chdir(dir))
			execv(argv[0], argv);
		_exit(127);
	}
	return pid < 0 || waitpid(pid, &status, 0) < 0 || status;
}

static int run_recorded(const char *dir, char **argv)
{
	struct crash_record_report report;
	struct crash_record_opts opts = { .dir = dir, .argv = argv };
	char parent[4200];
	struct crash_trace *trace;
	int err;

	snprintf(parent, sizeof(parent), "%s/..", dir);
	opts.scratch_dir = parent;
	if (crash_trace_create(NULL, NULL, &trace) || chdir(dir))
		return -1;
	err = crash_record(&opts, trace, &report);
	if (err)
		fprintf(stderr, "recording: %s\n%s", strerror(-err), report.why);
	crash_trace_close(trace);
	return err || report.status;
}

/* Microseconds an operation, or < 0. */
static double measure(const char *dir, const char *self, size_t work, unsigned ops, int recorded)
{
	char texts[3][16];
	char word[] = "--worker";
	char *argv[] = { (char *)(uintptr_t)self, word, texts[0], texts[1], texts[2], NULL };
	double us = -1;
	int pair[2];

	if (pipe(pair) < 0)
		return -1;
	snprintf(texts[0], sizeof(texts[0]), "%zu", work);
	snprintf(texts[1], sizeof(texts[1]), "%u", ops);
	snprintf(texts[2], sizeof(texts[2]), "%d", pair[1]);
	if ((recorded ? run_recorded(dir, argv) : run_plain(dir, argv)) ||
	    read(pair[0], &us, sizeof(us)) != sizeof(us))
		us = -1;
	close(pair[0]);
	close(pair[1]);
	return us;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int compare_work(const char *dir, const char *self, size_t work, unsigned ops)
{
	double plain[ROUNDS], recorded[ROUNDS], added[ROUNDS];

	for (unsigned i = 0; i < ROUNDS; i++) {
		plain[i] = measure(dir, self, work, ops, 0);
		recorded[i] = measure(dir, self, work, ops, 1);
		added[i] = recorded[i] - plain[i];
		if (plain[i] < 0 || recorded[i] < 0)
			return 1;
	}
	qsort(plain, ROUNDS, sizeof(plain[0]), compare);
	qsort(recorded, ROUNDS, sizeof(plain[0]), compare);
	qsort(added, ROUNDS, sizeof(plain[0]), compare);
	printf("%-24s %8.2f %8.2f %8.2f (%.2f .. %.2f)\n", works[work].name, plain[ROUNDS / 2],
	       recorded[ROUNDS / 2], added[ROUNDS / 2], added[0], added[ROUNDS - 1]);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	const char *parent = argc > 1 ? argv[1] : getenv("TMPDIR");
	unsigned ops = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : OPS;
	char *self = realpath("/proc/self/exe", NULL), *whole;
	char dir[4096], path[4200];
	int failed = 0;

	if (argc == 5 && !strcmp(argv[1], "--worker"))
		return worker(&works[strtoul(argv[2], NULL, 10) % WORKS],
			      (unsigned)strtoul(argv[3], NULL, 10), atoi(argv[4]));
	/* Whole, since recording changes the directory. */
	whole = realpath(parent ? parent : "/var/tmp", NULL);
	snprintf(dir, sizeof(dir), "%s/bench-crash-XXXXXX", whole ? whole : parent);
	if (!self || !ops || !whole || !mkdtemp(dir)) {
		perror(dir);
		return 1;
	}
	setenv("TMPDIR", whole, 1);
	printf("%-24s %8s %8s %8s   us an operation, want <= 30 added; median of %d rounds of "
	       "%u\n",
	       "record", "plain", "recorded", "added", ROUNDS, ops);
	for (size_t i = 0; !failed && i < WORKS; i++)
		failed = compare_work(dir, self, i, ops);
	snprintf(path, sizeof(path), "%s/data", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/name", dir);
	unlink(path);
	if (chdir("/") || rmdir(dir))
		perror(dir);
	free(whole);
	free(self);
	return failed;
}
