/* workload.c: see workload.h. Every block and record tells its number and is filled by it. */
#include "tests/vm/workload.h"

#include "harness.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/file.h>
#include <sluice/ring.h>

#define ROUNDS	    20
#define BLOCK	    4096
#define RECORD	    1000
#define CONTENT_MAX (BLOCK * (ROUNDS + 2))

static const char *path_in(const char *folder, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static struct sl_ring *ring_open(void)
{
	struct sl_ring *ring = NULL;

	assert_int_equal(sl_ring_open(NULL, &ring), 0);
	return ring;
}

static struct sl_file *file_open(struct sl_ring *ring, const char *folder, unsigned io)
{
	const struct sl_file_opts opts = { .open_flags = O_RDWR, .io = io };
	struct sl_file *file = NULL;

	assert_int_equal(sl_file_open(ring, AT_FDCWD, path_in(folder, "data"), &opts, &file), 0);
	return file;
}

/* Bytes that depend on a number and on where they stand. */
static void fill(unsigned char *bytes, size_t len, unsigned nr)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)(nr * 37 + i % 251 + 1);
}

static bool holds(const unsigned char *bytes, size_t len, unsigned nr)
{
	unsigned char want[CONTENT_MAX];

	fill(want, len, nr);
	return memcmp(bytes, want, len) == 0;
}

static ssize_t slurp(const char *folder, unsigned char *bytes)
{
	int fd = open(path_in(folder, "data"), O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -1;
	len = read(fd, bytes, CONTENT_MAX);
	close(fd);
	return len;
}

static void prepare_empty(const char *folder)
{
	int fd = open(path_in(folder, "data"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	close(fd);
}

/* ---- replace ------------------------------------------------------------------------- */

static size_t content_len(unsigned nr)
{
	return (size_t)nr * BLOCK + 100;
}

static void replace(struct sl_ring *ring, const char *folder, unsigned nr)
{
	unsigned char content[CONTENT_MAX];

	fill(content, content_len(nr), nr);
	assert_int_equal(sl_file_replace(ring, AT_FDCWD, path_in(folder, "data"), content,
					 content_len(nr), NULL),
			 0);
}

static void prepare_replace(const char *folder)
{
	struct sl_ring *ring = ring_open();

	replace(ring, folder, 0);
	sl_ring_close(ring);
}

static void run_replace(const char *folder)
{
	struct sl_ring *ring = ring_open();

	for (unsigned nr = 1; nr <= ROUNDS; nr++) {
		replace(ring, folder, nr);
		workload_acknowledge(nr);
	}
	sl_ring_close(ring);
}

static const char *check_replace(const char *folder, unsigned acknowledged)
{
	unsigned char content[CONTENT_MAX];
	ssize_t len = slurp(folder, content);

	if (len < 0)
		return "the name is gone";
	for (unsigned nr = acknowledged; nr <= acknowledged + 1; nr++) {
		if ((size_t)len == content_len(nr) && holds(content, (size_t)len, nr))
			return NULL;
	}
	return "the content is neither the old nor the new one";
}

/* ---- direct writes ------------------------------------------------------------------- */

/* Two rounds over the same blocks: nr 1 to ROUNDS, then ROUNDS + 1 to 2 * ROUNDS. */
static void run_dsync(const char *folder)
{
	struct sl_ring *ring = ring_open();
	struct sl_file *file = file_open(ring, folder, SL_FILE_DIRECT);
	void *block = NULL;

	assert_int_equal(posix_memalign(&block, BLOCK, BLOCK), 0);
	for (unsigned nr = 1; nr <= 2 * ROUNDS; nr++) {
		struct sl_file_req req = { .buf = block,
					   .len = BLOCK,
					   .off = (uint64_t)((nr - 1) % ROUNDS) * BLOCK,
					   .flags = SL_FILE_DSYNC };

		fill(block, BLOCK, nr);
		assert_int_equal(sl_file_do(file, SL_FILE_WRITE, &req), BLOCK);
		workload_acknowledge(nr);
	}
	free(block);
	sl_file_close(file);
	sl_ring_close(ring);
}

static const char *check_dsync(const char *folder, unsigned acknowledged)
{
	unsigned char content[CONTENT_MAX];
	ssize_t len = slurp(folder, content);

	for (unsigned block = 0; block < ROUNDS && block < acknowledged; block++) {
		const unsigned char *bytes = content + (size_t)block * BLOCK;
		unsigned nr = acknowledged - (acknowledged - 1 - block) % ROUNDS;
		unsigned next = nr + ROUNDS;

		if ((ssize_t)(block + 1) * BLOCK > len)
			return "the file ends before an acknowledged block";
		/* The one under way may be there, whole or in part: a block is no atom. */
		if (!holds(bytes, BLOCK, nr) && next != acknowledged + 1)
			return "an acknowledged block is not there";
	}
	return NULL;
}

/* ---- appended records ---------------------------------------------------------------- */

static void append(const char *folder, bool sync)
{
	struct sl_ring *ring = ring_open();
	struct sl_file *file = file_open(ring, folder, SL_FILE_BUFFERED);
	unsigned char record[RECORD];

	for (unsigned nr = 1; nr <= ROUNDS; nr++) {
		struct sl_file_req write = { .buf = record,
					     .len = RECORD,
					     .off = (uint64_t)(nr - 1) * RECORD };
		struct sl_file_req end = { 0 };

		fill(record, RECORD, nr);
		assert_int_equal(sl_file_do(file, SL_FILE_WRITE, &write), RECORD);
		if (sync)
			assert_int_equal(sl_file_do(file, SL_FILE_SYNC, &end), 0);
		workload_acknowledge(nr);
	}
	sl_file_close(file);
	sl_ring_close(ring);
}

static void run_append(const char *folder)
{
	append(folder, true);
}

static void run_careless(const char *folder)
{
	append(folder, false);
}

static const char *check_append(const char *folder, unsigned acknowledged)
{
	unsigned char content[CONTENT_MAX];
	ssize_t len = slurp(folder, content);

	if (len < (ssize_t)acknowledged * RECORD)
		return "the file is shorter than what was acknowledged";
	for (unsigned nr = 1; nr <= acknowledged; nr++) {
		if (!holds(content + (size_t)(nr - 1) * RECORD, RECORD, nr))
			return "an acknowledged record is not there";
	}
	return NULL;
}

const struct workload workload_replace = { "replace", prepare_replace, run_replace, check_replace };
const struct workload workload_dsync = { "dsync", prepare_empty, run_dsync, check_dsync };
const struct workload workload_append = { "append", prepare_empty, run_append, check_append };
const struct workload workload_careless = { "careless", prepare_empty, run_careless, check_append };
