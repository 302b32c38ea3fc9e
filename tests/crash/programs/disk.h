/* disk.h: what the programs do to files, in one word each; a call that fails ends the program. */
#ifndef SLUICE_TESTS_CRASH_DISK_H
#define SLUICE_TESTS_CRASH_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- in a program ------------------------------------------------------------------- */

int disk_open(const char *name, int flags);
void disk_write(int fd, const void *data, size_t len, off_t off);
void disk_append(int fd, const void *data, size_t len);
void disk_sync(int fd);
void disk_sync_dir(const char *name);
void disk_close(int fd);
void disk_rename(const char *from, const char *to);
void disk_unlink(const char *name);
void disk_mkdir(const char *name);
/* A file of len bytes, all of them letter; what it had is gone. */
void disk_put(const char *name, char letter, size_t len, bool sync);
/* A file of these bytes. */
void disk_put_bytes(const char *name, const void *data, size_t len, bool sync);
/* One line on standard output, at once: what it says is promised to be durable. */
void disk_ack(const char *line);

/* ---- in a checker ------------------------------------------------------------------- */

/* The first max bytes of a file: how many there are, or -1 if there is no such file. */
ssize_t disk_read(const char *name, void *buf, size_t max);
/* Whether a file is len bytes, all of them letter. */
bool disk_is(const char *name, char letter, size_t len);
/* Whether acks, lines of text, has this line. */
bool disk_acked(const char *acks, const char *line);
/* Says what is wrong with the state; 1. */
int disk_bad(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* FNV-1a. Of zeros with a seed of 0 it is 0: a checksum as bad as many in use. */
uint32_t disk_digest(uint32_t seed, const void *data, size_t len);

#endif
