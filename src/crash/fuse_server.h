/* SPDX-License-Identifier: MIT */
/*
 * fuse_server.h - a file system that keeps a trace of what is done to it.
 *
 *	program --system call--> kernel --request--> /dev/fuse --> handler: tree, object, trace
 *	                                  <--answer--
 *
 * One thread reads requests and answers them (fuse_server_run()). The recording thread, called
 * the keeper, does the few that must not be done there: those before which dirty pages of
 * shared mappings have to be seen. A process in the sandbox, the washer, makes the kernel write
 * them to the server, and the keeper waits for it; so the server's thread may never wait.
 * (FUSE_NOTIFY_INVAL_INODE does the same without a washer, but whoever waits in it cannot be
 * killed and keeps the connection open: a recorder killed there would never go away.)
 *
 * Invariants:
 *  F1. tree, scratch and handles are touched with the lock held, and by nobody outside.
 *  F2. an op is in the trace before its answer is sent: whoever has seen it end comes after it.
 *  F3. an op's begin is taken when its request is read, and all that are waiting are read
 *      before the first that changes something is done: of requests that overlap none covers
 *      another. The kernel holds an inode's or directory's lock while a request changes it, so that
 *the order of ops in the trace is that of their effects. F4. once the trace takes nothing more,
 *every change fails: there is no effect without a record but that of the op that found the trace
 *full, and the recording ends there. F5. dirty pages exist only of nodes on the list of mapped
 *ones, or when the supervisor of mmap(2) cannot be had, of those open for reading and writing: they
 *are on it then.
 */
#ifndef SLUICE_CRASH_FUSE_SERVER_H
#define SLUICE_CRASH_FUSE_SERVER_H

#include <assert.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "crash/record.h"
#include "crash/scratch.h"
#include "crash/tree.h"

/* Files that are no part of the state: DIR/.sluice and what is in it. */
enum magic_number {
	MAGIC_DIR = 1,
	MAGIC_ACK,
	MAGIC_STDOUT, /* the program's standard output */
	MAGIC_PROBE,  /* shows whether the kernel syncs after a durable write */
};

#define MAGIC_BIT	  (UINT64_C(1) << 62)
#define MAGIC_STDOUT_NAME "stdout"
#define MAGIC_PROBE_NAME  "probe"
#define MAGIC_NUMBER_SIGN '#' /* .sluice/#NUMBER is a file by its number, for the washer */

#define FUSE_WRITE_BYTES (1u << 20)
#define FUSE_BATCH	 8
#define PIDS_SEEN	 1024

struct fuse_line {
	uint32_t len;
	bool cut;
	char text[CRASH_ACK_MAX];
};

struct fuse_listing;

struct fuse_handle {
	LIST_ENTRY(fuse_handle) in_server;
	struct tree_node *node; /* NULL: a magic file */
	uint32_t flags;		/* of open(2) */
	uint32_t sync_errors;	/* of its node, when it was last told */
	uint64_t durable;	/* the last durable write through it: its request */
	struct fuse_listing *listing;
	struct fuse_line *line; /* begun, and not ended */
};

struct fuse_request {
	int fd; /* that it was read from: the answer goes there */
	const struct fuse_in_header *in;
	const void *arg;
	size_t arg_len;
	uint64_t begin;
	uint64_t before; /* the previous request of the same thread; 0: not known */
	/* The answer. */
	void *data;
	size_t data_len;
	bool data_owned; /* to be freed */
	struct fuse_out_header out;
	char small[256]; /* right behind: header and small data are written as one */
};

static_assert(offsetof(struct fuse_request, small) ==
			      offsetof(struct fuse_request, out) + sizeof(struct fuse_out_header) &&
		      offsetof(struct fuse_request, small) % 8 == 0,
	      "an answer is whole");

/* A request that the keeper does. */
struct fuse_job {
	STAILQ_ENTRY(fuse_job) next;
	int fd;
	uint64_t before;
	char bytes[]; /* the request */
};

struct fuse_server {
	int fd;	      /* of /dev/fuse; a read waits for a request */
	int clone_fd; /* of the same file system; a read does not wait */
	int wake_fd;  /* eventfd: there are jobs, or an error */
	int out_fd;   /* standard output of the caller, or -1 */
	int wash_fd;  /* to the washer, or -1; the sandbox's */
	const struct crash_record_opts *opts;
	struct crash_record_report *report;
	struct crash_trace *trace;
	struct tree tree;
	struct scratch scratch;
	bool squash; /* other users' files are shown as the caller's: they are not mapped */
	uint32_t uid, gid;

	pthread_mutex_t lock;
	int error; /* of the trace */
	unsigned fault_notes;
	bool ending; /* everything is being killed: wait for nobody */
	bool all_mapped;
	TAILQ_HEAD(, tree_node) mapped;
	STAILQ_HEAD(, fuse_job) jobs;
	LIST_HEAD(, fuse_handle) handles;
	char *requests; /* room for what is read */
	bool inited;
	bool dsync_probing;
	bool dsync_followed; /* the kernel sends a sync of its own after a durable write */
	struct {
		uint32_t pid;
		uint64_t unique;
	} seen[PIDS_SEEN];
};

typedef int (*fuse_handler)(struct fuse_server *server, struct fuse_request *req);

enum {
	FUSE_NO_ANSWER = 1, /* from a handler: there is none, or somebody else gives it */
};

/* ---- fuse_server.c ---- */

/* The tree and the scratch must be there. 0 or -errno; fini takes a zeroed one too. */
int fuse_server_init(struct fuse_server *server);
void fuse_server_fini(struct fuse_server *server);
/* Answers requests until the file system is unmounted. The thread can be cancelled while it waits
 * for one. */
void fuse_server_run(struct fuse_server *server);
/* The keeper's part: does the jobs that wait. */
void fuse_server_work(struct fuse_server *server);
/* The keeper: has the dirty pages of all mapped nodes but one written to the server. */
void fuse_server_launder(struct fuse_server *server, uint64_t but);

/* Adds an op to the trace: begin and pid are the request's. 0, or the trace's error. */
int fuse_record(struct fuse_server *server, const struct fuse_request *req, struct crash_op *op,
		const void *data);

/* ---- fuse_attr.c ---- */

void fuse_fill_attr(const struct fuse_server *server, const struct tree_node *node,
		    struct fuse_attr *attr);
void fuse_fill_entry(const struct fuse_server *server, struct tree_node *node,
		     struct fuse_entry_out *entry);
/* Sets the answer to zeroed bytes of req->small. */
void *fuse_answer(struct fuse_request *req, size_t len);
int fuse_getattr(struct fuse_server *server, struct fuse_request *req);
int fuse_setattr(struct fuse_server *server, struct fuse_request *req);
int fuse_statfs(struct fuse_server *server, struct fuse_request *req);
int fuse_getxattr(struct fuse_server *server, struct fuse_request *req);
int fuse_listxattr(struct fuse_server *server, struct fuse_request *req);
int fuse_setxattr(struct fuse_server *server, struct fuse_request *req);
int fuse_removexattr(struct fuse_server *server, struct fuse_request *req);

/* ---- fuse_name.c ---- */

/* The node of a request; NULL: there is none. */
struct tree_node *fuse_node(const struct fuse_server *server, const struct fuse_request *req);
void fuse_forget_node(struct fuse_server *server, uint64_t number, uint64_t lookups);
/* Frees the node, if nothing holds it any more, and its object. */
void fuse_put_node(struct fuse_server *server, struct tree_node *node);
int fuse_lookup(struct fuse_server *server, struct fuse_request *req);
int fuse_readlink(struct fuse_server *server, struct fuse_request *req);
int fuse_symlink(struct fuse_server *server, struct fuse_request *req);
int fuse_mknod(struct fuse_server *server, struct fuse_request *req);
int fuse_mkdir(struct fuse_server *server, struct fuse_request *req);
int fuse_create(struct fuse_server *server, struct fuse_request *req);
int fuse_tmpfile(struct fuse_server *server, struct fuse_request *req);
int fuse_link(struct fuse_server *server, struct fuse_request *req);
int fuse_unlink(struct fuse_server *server, struct fuse_request *req);
int fuse_rmdir(struct fuse_server *server, struct fuse_request *req);
int fuse_rename(struct fuse_server *server, struct fuse_request *req);
int fuse_rename2(struct fuse_server *server, struct fuse_request *req);

/* ---- fuse_file.c ---- */

struct fuse_handle *fuse_handle_new(struct fuse_server *server, struct tree_node *node,
				    uint32_t flags);
void fuse_handle_free(struct fuse_handle *handle);
uint32_t fuse_open_flags(const struct fuse_server *server, const struct tree_node *node);
int fuse_open(struct fuse_server *server, struct fuse_request *req);
int fuse_read(struct fuse_server *server, struct fuse_request *req);
int fuse_write(struct fuse_server *server, struct fuse_request *req);
int fuse_fsync(struct fuse_server *server, struct fuse_request *req);
int fuse_fsyncdir(struct fuse_server *server, struct fuse_request *req);
int fuse_fallocate(struct fuse_server *server, struct fuse_request *req);
int fuse_lseek(struct fuse_server *server, struct fuse_request *req);
int fuse_release(struct fuse_server *server, struct fuse_request *req);
/* The size of a file becomes len: SETATTR. */
int fuse_truncate(struct fuse_server *server, const struct fuse_request *req,
		  struct tree_node *node, uint64_t len);
/* From now on shared memory may have stores to it; the lock is held. */
void fuse_set_mapped(struct fuse_server *server, struct tree_node *node);
/* Nobody says any more what is mapped: all that could be is taken to be. Takes the lock. */
void fuse_map_all(struct fuse_server *server);
/* syncfs(2) and sync(2), which the kernel does not send: the keeper calls this. */
int fuse_sync_all(struct fuse_server *server, uint32_t pid);

/* ---- fuse_list.c ---- */

int fuse_opendir(struct fuse_server *server, struct fuse_request *req);
int fuse_readdir(struct fuse_server *server, struct fuse_request *req);
int fuse_readdirplus(struct fuse_server *server, struct fuse_request *req);
int fuse_releasedir(struct fuse_server *server, struct fuse_request *req);
void fuse_listing_free(struct fuse_listing *listing);

/* ---- fuse_magic.c ---- */

/* Looks up a magic name: its number with MAGIC_BIT, or 0. */
uint64_t fuse_magic_find(uint64_t dir, const char *name);
int fuse_magic_lookup(const struct fuse_server *server, struct fuse_request *req, uint64_t magic);
/* Any request about a magic file. */
int fuse_magic(struct fuse_server *server, struct fuse_request *req);
/* The end of a line that has no newline. */
void fuse_magic_flush(struct fuse_server *server, const struct fuse_request *req,
		      struct fuse_handle *handle);

#endif
