/* SPDX-License-Identifier: MIT */
/*
 * seccomp.h - the recorder that does the program's file calls itself.
 *
 *	program --write(2)--> kernel: seccomp filter --notification--> supervisor
 *	        <-----------------result or descriptor---------------- reads the bytes, does the
 *	                                                               call, appends to the trace
 *
 * The filter chooses calls by number and flags. The supervisor takes a copy of the descriptor
 * (pidfd_getfd(2)): if it is no file of the copy, the call goes on as it is (CONTINUE), and the
 *kernel does it. Otherwise it reads the program's memory once, does the call with these bytes, and
 * tells the trace what it did with what result, before the program hears of it.
 *
 * Invariants:
 *  S1. one call is done at a time, so the order of the trace is that of the effects.
 *  S2. what is written is what is in the trace: the program cannot change it in between.
 *  S3. a file of the copy is known by its device and inode, by whatever path or descriptor it
 *      was reached; one that is not known was made by a call that the filter does not see, and is
 *      told of in a note.
 *  S4. below the directory itself (not its copy) nothing is changed: such a call is answered EROFS.
 *
 * Not seen, and so refused: io_uring and AIO (ENOSYS: programs do without), shared writable
 * mappings of the directory's files (ENODEV), reflinks (EOPNOTSUPP), splice(2) into files (EINVAL),
 * fallocate(2) that moves bytes (EOPNOTSUPP). A mapping made for reading and changed by mprotect(2)
 *to be written is not noticed.
 */
#ifndef SLUICE_CRASH_SECCOMP_H
#define SLUICE_CRASH_SECCOMP_H

#include <linux/filter.h>
#include <sys/stat.h>

#include "crash/session.h"
#include "sys/supervise.h"

#define WATCH_BYTES ((size_t)1 << 20) /* of one piece of a write */
#define WATCH_ALIGN 4096

struct watch_line {
	uint32_t len;
	char text[CRASH_ACK_MAX];
};

struct watch {
	struct session *session;
	int listener;
	int pidfd; /* of the thread whose call was last, or -1 */
	pid_t pidfd_tid;
	int inotify; /* tells when a file is no more open for writing */
	uint64_t ack_ino, out_ino, out_dev;
	char *buf;	   /* WATCH_ALIGN + WATCH_BYTES, aligned */
	uint64_t bytes;	   /* that the copy has grown to, and never shrinks from */
	uint64_t *watched; /* inode numbers of the file system by inotify's, NULL-able */
	size_t nr_watched;
	struct watch_line ack, out;
	bool mapping_told, outside_told, original_told, unreadable_told;
};

/* One call that waits. */
struct call {
	struct watch *watch;
	const struct seccomp_notif *notif;
	const uint64_t *args;
	pid_t tid;
};

/* What a handler answers beside >= 0 and -errno. */
#define CALL_CONTINUE INT64_MIN
#define CALL_ANSWERED (INT64_MIN + 1)

typedef int64_t call_handler(struct call *call);

/* ---- seccomp_filter.c ---- */

/* Valid until the program ends. */
const struct sock_fprog *watch_filter(void);
/* NULL: none, the call goes on. */
call_handler *watch_handler(int nr);

/* ---- seccomp_call.c: what handlers do with a call ---- */

/* A copy of the caller's descriptor, or -errno. */
int call_fd(struct call *call, int fd);
/* A string of the caller's: 0, -ENAMETOOLONG, -EFAULT. */
int call_string(const struct call *call, uint64_t from, char text[TREE_PATH_MAX]);
int call_memory(const struct call *call, uint64_t from, void *to, size_t len);
mode_t call_umask(const struct call *call);
/* The inode of a file of the copy, or NULL. */
struct inode *call_inode(const struct call *call, const struct stat *st);
/* Appends; pid and begin are set here. */
void call_tell(const struct call *call, struct crash_op *op, const void *data);
/* Whether the trace can take no more; then nothing may be changed. */
bool call_is_late(const struct call *call);
/* False: the copy is full. */
bool call_reserve(const struct call *call, uint64_t old_size, uint64_t end);

/* ---- seccomp_path.c ---- */

/* A directory as the caller sees it, and a name in it. */
struct call_place {
	int fd;		   /* O_PATH, or -1 */
	struct inode *dir; /* NULL: not in the copy */
	uint64_t dir_number;
	bool dir_ignored;
	bool in_original; /* below the directory itself */
	char name[CRASH_NAME_MAX + 1];
};

/* 0; CALL_CONTINUE: the kernel may do it, it is not about the copy; -errno. place->fd is to be
 * closed by call_leave() in any case. */
int64_t call_locate(struct call *call, int dirfd, const char *path, struct call_place *ret_place);
void call_leave(struct call_place *place);
/* The path of a descriptor of ours; "" if it has none. */
void call_read_path(int fd, char path[TREE_PATH_MAX]);
/* The same below the directory, without a leading slash. */
void call_path(const struct call *call, int fd, char path[TREE_PATH_MAX]);
/* -EROFS, with a note the first time. */
int64_t call_refuse_original(struct call *call);
/* Whether a new file of this name is part of the state. */
bool call_is_ignored(const struct call *call, const struct call_place *place);

/* ---- seccomp_open.c ---- */

/* Opens a path of the caller's, for ourselves: 0, CALL_CONTINUE or -errno. */
int64_t call_open_path(struct call *call, uint64_t path, int flags, int *ret_fd);

/* ---- seccomp_close.c ---- */

/* A file was opened for writing. */
void watch_writer(struct watch *watch, struct inode *inode, int fd);
/* Tells of files that nobody can write to any more. */
void watch_closes(struct watch *watch);

/* ---- handlers ---- */

call_handler call_write, call_pwrite, call_writev, call_pwritev, call_pwritev2;
call_handler call_fsync, call_fdatasync, call_sync, call_syncfs, call_sync_range;
call_handler call_ftruncate, call_truncate, call_fallocate, call_fchmod;
call_handler call_mmap, call_sendfile, call_splice, call_copy_range;
call_handler call_open, call_openat, call_openat2, call_creat;
call_handler call_mkdir, call_mkdirat, call_mknod, call_mknodat;
call_handler call_unlink, call_rmdir, call_unlinkat;
call_handler call_rename, call_renameat, call_renameat2;
call_handler call_link, call_linkat, call_symlink, call_symlinkat;
call_handler call_chmod, call_fchmodat;

#endif
