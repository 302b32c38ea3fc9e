/* harness.c: the shared part of every C test; see harness.h. */
#include "harness.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXIT_ALL_SKIPPED 77
#define TMPDIR_MAX	 32

static size_t nr_skipped;
static size_t nr_tmpdirs;
static char tmpdirs[TMPDIR_MAX][PATH_MAX];
static pid_t tmpdirs_owner;

void support_say_skip(const char *format, ...)
{
	va_list args;

	nr_skipped++;
	printf("# SKIP-REASON ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

void support_begin(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
}

int support_verdict(int failed, size_t nr_tests)
{
	fflush(stdout);
	if (failed != 0)
		return 1;
	return nr_skipped == nr_tests ? EXIT_ALL_SKIPPED : 0;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void remove_tmpdirs(void)
{
	if (getpid() != tmpdirs_owner)
		return;
	for (size_t i = 0; i < nr_tmpdirs; i++)
		nftw(tmpdirs[i], remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static const char *tmp_root(void)
{
	const char *root = getenv("SLUICE_TEST_DIR");

	if (!root || !*root)
		root = getenv("TMPDIR");
	return root && *root ? root : "/var/tmp";
}

const char *support_tmpdir(void)
{
	char *dir;

	assert_true(nr_tmpdirs < TMPDIR_MAX);
	dir = tmpdirs[nr_tmpdirs];
	snprintf(dir, PATH_MAX, "%s/sluice-test-XXXXXX", tmp_root());
	if (!mkdtemp(dir))
		fail_msg("cannot make a directory %s: %s", dir, strerror(errno));
	if (nr_tmpdirs++ == 0) {
		tmpdirs_owner = getpid();
		atexit(remove_tmpdirs);
	}
	return dir;
}

const char *support_path(const char *dir, const char *name)
{
	static char paths[8][PATH_MAX];
	static unsigned int turn;
	char *path = paths[turn++ % 8];

	if (snprintf(path, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
		fail_msg("path too long: %s/%s", dir, name);
	return path;
}

uint64_t support_seed(void)
{
	static uint64_t seed;
	static int known;
	const char *text;
	struct timespec now;

	if (known)
		return seed;
	known = 1;
	text = getenv("SLUICE_SEED");
	if (text && *text) {
		seed = strtoull(text, NULL, 0);
	} else {
		clock_gettime(CLOCK_REALTIME, &now);
		seed = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	}
	printf("# SLUICE_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

uint64_t support_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}
