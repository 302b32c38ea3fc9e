/*
 * A file whose reads come back short, because its server (a thread of ours, over FUSE) says so.
 *
 * The mount is detached and lives as long as this process; a killed process closes /dev/fuse,
 * which aborts the connection: nobody can hang on it, nothing remains.
 */
#ifndef PROBE_SHORT_FILE_H
#define PROBE_SHORT_FILE_H

#include <pthread.h>
#include <stdint.h>

/**
 * struct short_file - one file of 65536 bytes on a file system of its own.
 * @answer_len: bytes the server gives to any read; written by the owner, read by the server's
 *              thread, atomically: no other data hangs on it.
 */
struct short_file {
	uint32_t answer_len;
	/* private: */
	int dev;
	int mount;
	pthread_t server;
};

/* Mount and serve. Returns 0 or -errno (-ENOENT, -EPERM: no FUSE, no privilege). */
int short_file_start(struct short_file *file);

/* The file, opened with these flags. Returns fd or -errno. */
int short_file_open(const struct short_file *file, int flags);

/* Set what the next reads return. */
void short_file_answer(struct short_file *file, uint32_t len);

/* Unmount and end the server. All descriptors of the file must be closed. */
void short_file_stop(struct short_file *file);

#endif
