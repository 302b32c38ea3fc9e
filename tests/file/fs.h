/* fs.h: what the file tests share: a ring, files in the directory under test, straight-line
 * requests. */
#ifndef SLUICE_TESTS_FILE_FS_H
#define SLUICE_TESTS_FILE_FS_H

#include "harness.h"

#include <stdbool.h>
#include <sluice/file.h>
#include <sluice/ring.h>

/* Which file system images.sh has mounted ("ext4-512", "tmpfs" ...), or "" when
 * the tests run in whatever directory they were given. */
const char *fs_name(void);
bool fs_is(const char *prefix);

/* A directory on it, made once. */
const char *fs_dir(void);

/* The path of a name in it; see support_path(). */
const char *fs_path(const char *name);

/* The best ring of this machine; fails the test. */
struct sl_ring *fs_ring(void);

/* Opens a name in fs_dir(); fails the test. */
struct sl_file *fs_open(struct sl_ring *ring, const char *name, unsigned open_flags, unsigned io);

int64_t fs_read(struct sl_file *file, void *buf, size_t len, uint64_t off);
int64_t fs_write(struct sl_file *file, const void *buf, size_t len, uint64_t off);
int64_t fs_sync(struct sl_file *file);
int64_t fs_truncate(struct sl_file *file, uint64_t size);

/* The file's bytes through another, buffered descriptor; their number. */
size_t fs_slurp(const char *path, void *buf, size_t bytes_max);

/* Makes a file of len bytes of a pattern that fs_pattern() tells. */
void fs_fill(const char *path, size_t len);
unsigned char fs_pattern(uint64_t off);

/* A zeroed buffer at skew bytes behind a 4096 boundary; free() of *ret_base. */
unsigned char *fs_buffer(size_t bytes, size_t skew, void **ret_base);

/* How many names are in fs_dir(). */
unsigned fs_names(void);

#endif
