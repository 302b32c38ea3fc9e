/* model_fixture.h - a volume driven by plain names, for the tests of src/model. */
#ifndef SLUICE_TESTS_UNIT_MODEL_FIXTURE_H
#define SLUICE_TESTS_UNIT_MODEL_FIXTURE_H

#include "harness.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "model/volume.h"

#define FILE_BYTES 8192

static struct model_volume *volume;

static inline void begin(const struct model_profile *profile, uint32_t sector)
{
	const struct model_volume_opts opts = { .profile = profile, .sector = sector };

	model_volume_destroy(volume);
	volume = NULL;
	assert_int_equal(model_volume_create(&opts, &volume), 0);
}

static inline void end(void)
{
	model_volume_destroy(volume);
	volume = NULL;
}

/* The entry of a name in a directory, which must be there. */
static inline struct model_entry *entry_at(struct model_inode *dir, const char *name)
{
	struct model_entry *entry = model_lookup(volume, dir, name, strlen(name));

	assert_non_null(entry);
	return entry;
}

static inline struct model_inode *at(struct model_inode *dir, const char *name)
{
	return entry_at(dir, name)->cache;
}

static inline struct model_inode *make(struct model_inode *dir, const char *name, uint32_t mode)
{
	struct model_inode *inode = model_inode_create(volume, mode);

	assert_non_null(inode);
	assert_int_equal(model_add(volume, dir, name, strlen(name), inode), 0);
	model_inode_drop(volume, inode); /* the name holds it */
	return inode;
}

static inline struct model_inode *make_file(const char *name)
{
	return make(volume->root, name, S_IFREG | 0644);
}

static inline void write_at(struct model_inode *inode, uint64_t off, const void *buf, uint64_t len)
{
	uint64_t done;

	assert_int_equal(model_write(volume, inode, off, buf, len, &done), 0);
	assert_int_equal(done, len);
}

/* FILE_BYTES of one letter, from off on. */
static inline void fill(struct model_inode *inode, uint64_t off, char letter)
{
	char buf[FILE_BYTES];

	memset(buf, letter, sizeof(buf));
	write_at(inode, off, buf, sizeof(buf));
}

static inline void rename_to(struct model_inode *from, const char *name, struct model_inode *to,
			     const char *target)
{
	assert_int_equal(
		model_rename(volume, entry_at(from, name), to, target, strlen(target), false), 0);
}

static inline void sync_of(struct model_inode *inode)
{
	assert_int_equal(model_sync(volume, inode, false, model_now(volume)), 0);
}

static inline void data_sync_of(struct model_inode *inode)
{
	assert_int_equal(model_sync(volume, inode, true, model_now(volume)), 0);
}

#endif
