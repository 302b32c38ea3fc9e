/* replace.c: new content under a name, with every step made to fail in turn. */
#include "tests/file/tests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/engine.h"

#define OLD "old content, which is longer than the new one"
#define NEW "new content"

static void put_old(const char *name)
{
	int fd = open(fs_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0640), 0);
	assert_int_equal(write(fd, OLD, strlen(OLD)), strlen(OLD));
	close(fd);
}

static bool holds(const char *name, const char *content)
{
	char bytes[200] = { 0 };
	size_t len = fs_slurp(fs_path(name), bytes, sizeof(bytes));

	return len == strlen(content) && memcmp(bytes, content, len) == 0;
}

static int replace(struct sl_ring *ring, const char *name)
{
	return sl_file_replace(ring, AT_FDCWD, fs_path(name), NEW, strlen(NEW), NULL);
}

void replace_puts_new_content_under_the_name(void **state)
{
	struct sl_ring *ring = fs_ring();
	struct stat st;
	unsigned names;
	int dirfd;

	(void)state;
	put_old("config");
	names = fs_names();
	assert_int_equal(replace(ring, "config"), 0);
	assert_true(holds("config", NEW));
	assert_int_equal(fs_names(), names);
	assert_int_equal(stat(fs_path("config"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	/* Relative to a directory descriptor, empty, and where there was nothing. */
	dirfd = open(fs_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(sl_file_replace(ring, dirfd, "fresh", NULL, 0, NULL), 0);
	assert_true(holds("fresh", ""));
	close(dirfd);
	sl_ring_close(ring);
}

static int64_t fail_one(struct fault *fault, struct sl_slot *slot, unsigned nr)
{
	if (nr != *(unsigned *)fault->user)
		return FAULT_PASS;
	/* A descriptor is gone even when its close answers an error. */
	if (slot->code == SL_OP_CLOSE)
		fault_perform(slot);
	return -EIO;
}

/* Whether operation nr, made to fail, left either the old state or the new. */
static void fail_step(struct fault *fault, struct sl_ring *ring, unsigned nr)
{
	unsigned names, codes = nr;
	bool renamed;
	int rc;

	put_old("config");
	names = fs_names();
	fault->nr = 0;
	fault->user = &codes;
	fault->judge = fail_one;
	rc = replace(ring, "config");
	fault->judge = NULL;
	renamed = fault_count(fault, SL_OP_RENAME) && fault->log[nr].code != SL_OP_RENAME;
	assert_true(holds("config", renamed ? NEW : OLD));
	assert_int_equal(fs_names(), names);
	if (!renamed || fault->log[nr].code == SL_OP_SYNC_DIR)
		assert_int_equal(rc, -EIO);
	assert_int_equal(fault_count(fault, SL_OP_OPEN) >= 2 && fault->log[0].code == SL_OP_OPEN,
			 nr != 0);
}

void replace_fails_at_every_step_without_harm(void **state)
{
	struct fault *fault = calloc(1, sizeof(*fault));
	struct sl_ring *ring = fault_ring(fault);
	unsigned steps;

	(void)state;
	put_old("config");
	assert_int_equal(replace(ring, "config"), 0);
	steps = fault->nr;
	/* open dir, stat, open, write, fdatasync, close, rename, sync dir, close */
	assert_true(steps >= 8);
	assert_int_equal(fault_count(fault, SL_OP_FDATASYNC), 1);
	assert_int_equal(fault_count(fault, SL_OP_SYNC_DIR), 1);
	for (unsigned nr = 0; nr < steps; nr++)
		fail_step(fault, ring, nr);
	sl_ring_close(ring);
	free(fault);
}

void replace_can_insist_on_a_new_name(void **state)
{
	struct sl_file_replace_opts opts = { .flags = SL_FILE_REPLACE_NEW };
	struct sl_ring *ring = fs_ring();
	unsigned names;

	(void)state;
	put_old("taken");
	names = fs_names();
	assert_int_equal(sl_file_replace(ring, AT_FDCWD, fs_path("taken"), NEW, strlen(NEW), &opts),
			 -EEXIST);
	assert_true(holds("taken", OLD));
	assert_int_equal(fs_names(), names);
	unlink(fs_path("not-taken"));
	assert_int_equal(
		sl_file_replace(ring, AT_FDCWD, fs_path("not-taken"), NEW, strlen(NEW), &opts), 0);
	assert_true(holds("not-taken", NEW));
	sl_ring_close(ring);
}

void replace_refuses_what_is_no_name(void **state)
{
	struct sl_file_replace_opts odd = { .flags = 1u << 31 };
	struct sl_ring *ring = fs_ring();
	char name[300];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(replace(ring, ""), -EINVAL);
	assert_int_equal(replace(ring, ".."), -EINVAL);
	assert_int_equal(replace(ring, name), -ENAMETOOLONG);
	assert_int_equal(replace(ring, "missing/name"), -ENOENT);
	assert_int_equal(sl_file_replace(ring, AT_FDCWD, fs_path("x"), NEW, 1, &odd), -EINVAL);
	/* The longest name there is has a temporary one that is no longer. */
	name[255] = '\0';
	assert_int_equal(replace(ring, name), 0);
	assert_true(holds(name, NEW));
	unlink(fs_path(name));
	sl_ring_close(ring);
}
