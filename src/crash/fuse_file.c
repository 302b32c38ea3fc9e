/* SPDX-License-Identifier: MIT */
/*
 * fuse_file.c - requests about the bytes of files: open, read, write, sync, allocate, close.
 *
 * Objects are never synced: what is durable is what the trace says is.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash/fuse_server.h"

/* ---- handles ------------------------------------------------------------------------ */

static bool can_write(uint32_t flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

void fuse_set_mapped(struct fuse_server *server, struct tree_node *node)
{
	if (node->mapped)
		return;
	node->mapped = true;
	TAILQ_INSERT_TAIL(&server->mapped, node, in_mapped);
}

static bool could_be_mapped(const struct fuse_handle *handle)
{
	return handle->node && S_ISREG(handle->node->mode) && (handle->flags & O_ACCMODE) == O_RDWR;
}

void fuse_map_all(struct fuse_server *server)
{
	struct fuse_handle *handle;

	pthread_mutex_lock(&server->lock);
	server->all_mapped = true;
	LIST_FOREACH(handle, &server->handles, in_server)
	{
		if (could_be_mapped(handle))
			fuse_set_mapped(server, handle->node);
	}
	pthread_mutex_unlock(&server->lock);
}

struct fuse_handle *fuse_handle_new(struct fuse_server *server, struct tree_node *node,
				    uint32_t flags)
{
	struct fuse_handle *handle = calloc(1, sizeof(*handle));

	if (!handle)
		return NULL;
	handle->node = node;
	handle->flags = flags;
	LIST_INSERT_HEAD(&server->handles, handle, in_server);
	if (!node)
		return handle;
	handle->sync_errors = node->sync_errors;
	node->nr_open++;
	if (S_ISREG(node->mode))
		node->nr_writers += can_write(flags);
	if (server->all_mapped && could_be_mapped(handle))
		fuse_set_mapped(server, node);
	return handle;
}

void fuse_handle_free(struct fuse_handle *handle)
{
	LIST_REMOVE(handle, in_server);
	fuse_listing_free(handle->listing);
	free(handle->line);
	free(handle);
}

/* Reads that shall fail have to come here one by one. Kernels before 6.6 refuse to map such a
 * file shared; fuse_server.c asks for it. */
uint32_t fuse_open_flags(const struct fuse_server *server, const struct tree_node *node)
{
	char path[TREE_PATH_MAX];

	if (!server->opts->nr_faults || tree_path(&server->tree, node, NULL, path) < 0)
		return FOPEN_KEEP_CACHE;
	for (uint32_t i = 0; i < server->opts->nr_faults; i++) {
		const struct crash_fault *fault = &server->opts->faults[i];

		if (fault->call == CRASH_FAULT_READ &&
		    (!*fault->glob || !fnmatch(fault->glob, path, 0)))
			return FOPEN_DIRECT_IO;
	}
	return FOPEN_KEEP_CACHE;
}

int fuse_open(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_open_in *in = req->arg;
	struct tree_node *node = fuse_node(server, req);
	struct fuse_open_out *out;
	struct fuse_handle *handle;
	int err;

	if (!node)
		return -ENOENT;
	err = node->blank ? 0 : scratch_open_node(&server->scratch, node);
	if (err)
		return err;
	handle = fuse_handle_new(server, node, in->flags);
	if (!handle)
		return -ENOMEM;
	out = fuse_answer(req, sizeof(*out));
	out->fh = (uintptr_t)handle;
	out->open_flags = fuse_open_flags(server, node);
	return 0;
}

static int record_close(struct fuse_server *server, const struct fuse_request *req,
			const struct tree_node *node)
{
	struct crash_op op = { .code = CRASH_CLOSE, .inode = node->number };

	return node->ignored ? 0 : fuse_record(server, req, &op, NULL);
}

int fuse_release(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_release_in *in = req->arg;
	struct fuse_handle *handle = (struct fuse_handle *)(uintptr_t)in->fh;
	struct tree_node *node = handle->node;
	int err = 0;

	if (S_ISREG(node->mode) && can_write(handle->flags) && !--node->nr_writers)
		err = record_close(server, req, node);
	if (!--node->nr_open) {
		if (node->mapped) {
			TAILQ_REMOVE(&server->mapped, node, in_mapped);
			node->mapped = false;
		}
		scratch_shut(node);
		fuse_put_node(server, node);
	}
	fuse_handle_free(handle);
	return err;
}

/* ---- faults ------------------------------------------------------------------------- */

static void decide(struct fuse_server *server, const struct tree_node *node,
		   struct crash_fault_at *at, struct crash_fault_verdict *verdict)
{
	char path[TREE_PATH_MAX] = "";

	*verdict = (struct crash_fault_verdict){ .kind = CRASH_FAULT_NONE };
	if (!server->opts->nr_faults || (node && node->ignored))
		return;
	if (node && tree_path(&server->tree, node, NULL, path) < 0)
		*path = '\0';
	at->path = path;
	at->size = node ? node->size : 0;
	crash_fault_decide(server->opts->faults, server->opts->nr_faults, at, verdict);
	at->path = NULL;
}

/* ---- reading ------------------------------------------------------------------------ */

/* The disk loses a bit, and the trace says so. */
static int rot_on_disk(struct fuse_server *server, const struct fuse_request *req,
		       struct tree_node *node, uint64_t off, char *byte)
{
	struct crash_op op = {
		.code = CRASH_WRITE,
		.flags = CRASH_FAULT | CRASH_DSYNC,
		.flags2 = crash_fault_mark(CRASH_FAULT_READ, CRASH_FAULT_ROT),
		.inode = node->number,
		.off = off,
		.len = 1,
		.data_len = 1,
		.res = 1,
	};
	int err = scratch_own(&server->scratch, node, UINT64_MAX);

	if (!err && pwrite(node->fd, byte, 1, (off_t)off) != 1)
		err = -EIO;
	return err ? err : fuse_record(server, req, &op, byte);
}

/* Of a read that did not go well; it changes nothing, and is no op. */
static int note_read(struct fuse_server *server, const struct fuse_request *req,
		     const struct tree_node *node, const struct crash_fault_verdict *verdict)
{
	const struct fuse_read_in *in = req->arg;
	struct crash_op op = { .code = CRASH_NOTE,
			       .flags = CRASH_FAULT,
			       .flags2 = crash_fault_mark(CRASH_FAULT_READ, verdict->kind) };
	char path[TREE_PATH_MAX] = "", line[TREE_PATH_MAX + 160];

	if (server->fault_notes++ >= CRASH_FAULT_NOTES ||
	    tree_path(&server->tree, node, NULL, path) < 0)
		return 0;
	op.data_len = (uint32_t)snprintf(line, sizeof(line), "read %u bytes at %llu of /%s, %s%s",
					 in->size, (unsigned long long)in->offset, path,
					 verdict->res ? "which failed: " : "cut short",
					 verdict->res ? strerror(-verdict->res) : "");
	if (op.data_len > CRASH_ACK_MAX)
		op.data_len = CRASH_ACK_MAX;
	return fuse_record(server, req, &op, line);
}

static int read_bytes(const struct tree_node *node, uint64_t off, size_t len, char *buf)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(node->fd, buf + done, len - done, (off_t)(off + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	return (int)done;
}

int fuse_read(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_read_in *in = req->arg;
	struct tree_node *node = fuse_node(server, req);
	struct crash_fault_at at = { .call = CRASH_FAULT_READ, .off = in->offset };
	struct crash_fault_verdict verdict;
	int n;

	if (!node)
		return -ENOENT;
	n = node->blank ? 0 : scratch_open_node(&server->scratch, node);
	if (n)
		return n;
	req->data = malloc(in->size);
	req->data_owned = true;
	if (!req->data)
		return -ENOMEM;
	n = node->blank ? 0 : read_bytes(node, in->offset, in->size, req->data);
	if (n < 0)
		return n;
	req->data_len = (size_t)n;
	at.len = (uint32_t)n;
	at.flags = in->flags & O_DIRECT ? CRASH_DIRECT : 0;
	decide(server, node, &at, &verdict);
	if (verdict.kind == CRASH_FAULT_NONE)
		return 0;
	if (verdict.kind == CRASH_FAULT_SHORT)
		req->data_len = verdict.len;
	if (verdict.kind == CRASH_FAULT_ROT) {
		char *byte = (char *)req->data + verdict.byte;

		*byte = (char)(*byte ^ verdict.bit);
		return rot_on_disk(server, req, node, in->offset + verdict.byte, byte);
	}
	n = note_read(server, req, node, &verdict);
	return n ? n : verdict.res;
}

int fuse_lseek(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_lseek_in *in = req->arg;
	struct tree_node *node = fuse_node(server, req);
	struct fuse_lseek_out *out;
	off_t off;
	int err = node ? scratch_open_node(&server->scratch, node) : -ENOENT;

	if (err)
		return err;
	off = lseek(node->fd, (off_t)in->offset, (int)in->whence);
	if (off < 0)
		return -errno;
	out = fuse_answer(req, sizeof(*out));
	out->offset = (uint64_t)off;
	return 0;
}

/* ---- changing ----------------------------------------------------------------------- */

static void touch(struct tree_node *node)
{
	clock_gettime(CLOCK_REALTIME, &node->mtime);
	node->ctime = node->mtime;
	if (node->xattrs)
		tree_xattr_remove(node, "security.capability");
}

/* Makes room for len bytes and the node ready to be changed. */
static int prepare(struct fuse_server *server, struct tree_node *node, uint64_t len, uint64_t keep)
{
	int err = server->error;

	if (!err)
		err = scratch_reserve(&server->scratch, len);
	if (!err)
		err = scratch_own(&server->scratch, node, keep);
	if (err == -ENOSPC)
		server->report->limits |= CRASH_LIMIT_BYTES;
	return err;
}

int fuse_truncate(struct fuse_server *server, const struct fuse_request *req,
		  struct tree_node *node, uint64_t len)
{
	struct crash_op op = { .code = CRASH_TRUNCATE, .inode = node->number, .len = len };
	int err;

	if (!S_ISREG(node->mode))
		return -EINVAL;
	err = prepare(server, node, 0, len);
	if (err)
		return err;
	err = ftruncate(node->fd, (off_t)len) < 0 ? -errno : 0;
	if (!node->nr_open)
		scratch_shut(node);
	if (err)
		return err;
	node->size = len;
	touch(node);
	return node->ignored ? 0 : fuse_record(server, req, &op, NULL);
}

int fuse_fallocate(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_fallocate_in *in = req->arg;
	struct tree_node *node = fuse_node(server, req);
	struct crash_op op = { .code = CRASH_ALLOCATE, .off = in->offset, .len = in->length };
	bool takes = !(in->mode & FALLOC_FL_PUNCH_HOLE);
	int err;

	if (!node)
		return -ENOENT;
	if (in->mode &
	    ~(uint32_t)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP; /* collapse and insert: the trace has no words for them */
	err = prepare(server, node, takes ? in->length : 0, UINT64_MAX);
	if (err)
		return err;
	if (fallocate(node->fd, (int)in->mode, (off_t)in->offset, (off_t)in->length) < 0) {
		err = -errno;
		if (err == -ENOSPC)
			server->report->limits |= CRASH_LIMIT_BYTES;
		return err;
	}
	if (!(in->mode & FALLOC_FL_KEEP_SIZE) && in->offset + in->length > node->size)
		node->size = in->offset + in->length;
	touch(node);
	op.inode = node->number;
	op.flags2 = in->mode;
	return node->ignored ? 0 : fuse_record(server, req, &op, NULL);
}

/* ---- writing ------------------------------------------------------------------------ */

struct writing {
	const struct fuse_write_in *in;
	struct tree_node *node;
	uint64_t off;
	uint32_t len;
	char *data;
	uint32_t flags;
	int res;	/* what the program is told */
	uint32_t fault; /* crash_fault_mark(), or 0 */
};

static uint32_t write_flags(const struct fuse_write_in *in)
{
	if (in->write_flags & FUSE_WRITE_CACHE)
		return CRASH_MAPPED;
	return (in->flags & O_DSYNC ? CRASH_DSYNC : 0) | (in->flags & O_DIRECT ? CRASH_DIRECT : 0);
}

/* What a fault makes of the write; true: its bytes reach the object. */
static bool apply_fault(struct writing *writing, const struct crash_fault_verdict *verdict)
{
	if (verdict->kind == CRASH_FAULT_NONE)
		return true;
	writing->flags |= CRASH_FAULT;
	writing->fault = crash_fault_mark(CRASH_FAULT_WRITE, verdict->kind);
	switch (verdict->kind) {
	case CRASH_FAULT_SHORT:
		writing->len = verdict->len;
		writing->res = (int)verdict->len;
		return true;
	case CRASH_FAULT_ROT:
		writing->data[verdict->byte] = (char)(writing->data[verdict->byte] ^ verdict->bit);
		return true;
	case CRASH_FAULT_ASTRAY:
		writing->off = verdict->off;
		return true;
	default:
		writing->res = verdict->res;
		/* Cache new, disk old: what the page cache does when its write-back fails. */
		return writing->flags & CRASH_DSYNC && !(writing->flags & CRASH_DIRECT);
	}
}

static int put_bytes(struct writing *writing)
{
	struct tree_node *node = writing->node;
	uint32_t done = 0;

	while (done < writing->len) {
		ssize_t n = pwrite(node->fd, writing->data + done, writing->len - done,
				   (off_t)(writing->off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 && !done)
			return n < 0 ? -errno : -ENOSPC;
		if (n <= 0)
			break;
		done += (uint32_t)n;
	}
	if (writing->res >= 0 && done < writing->len)
		writing->res = (int)done;
	writing->len = done;
	if (done && writing->off + done > node->size)
		node->size = writing->off + done;
	return 0;
}

static int record_write(struct fuse_server *server, const struct fuse_request *req,
			const struct writing *writing)
{
	struct crash_op op = {
		.code = CRASH_WRITE,
		.flags = writing->flags,
		.flags2 = writing->fault,
		.res = writing->res,
		.inode = writing->node->number,
		.off = writing->off,
		.len = writing->len,
		.data_len = writing->len,
	};

	return writing->node->ignored ? 0 : fuse_record(server, req, &op, writing->data);
}

int fuse_write(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_write_in *in = req->arg;
	struct fuse_handle *handle = (struct fuse_handle *)(uintptr_t)in->fh;
	struct writing writing = { in,		 fuse_node(server, req),      in->offset,
				   in->size,	 (char *)(uintptr_t)(in + 1), write_flags(in),
				   (int)in->size };
	struct crash_fault_at at = { .call = CRASH_FAULT_WRITE,
				     .off = in->offset,
				     .len = in->size };
	struct crash_fault_verdict verdict;
	struct fuse_write_out *out;
	int err;

	if (!writing.node || in->size > req->arg_len - sizeof(*in))
		return -EIO;
	err = prepare(server, writing.node, in->size, UINT64_MAX);
	if (err)
		return err;
	at.flags = writing.flags;
	decide(server, writing.node, &at, &verdict);
	if (apply_fault(&writing, &verdict))
		err = put_bytes(&writing);
	if (err == -ENOSPC)
		server->report->limits |= CRASH_LIMIT_BYTES;
	if (err)
		return err;
	touch(writing.node);
	err = record_write(server, req, &writing);
	if (err || writing.res < 0)
		return err ? err : writing.res;
	if (writing.flags & CRASH_DSYNC)
		handle->durable = req->in->unique;
	out = fuse_answer(req, sizeof(*out));
	out->size = (uint32_t)writing.res;
	return 0;
}

/* ---- syncing ------------------------------------------------------------------------ */

/* A sync that the program did not ask for: the kernel's own after a write that is durable by
 * itself. It would cover earlier writes, and the program's did not. */
static bool is_implied(const struct fuse_server *server, const struct fuse_request *req,
		       struct fuse_handle *handle)
{
	uint64_t durable = handle->durable;

	handle->durable = 0;
	return server->dsync_followed && durable && durable == req->before;
}

static int sync_node(struct fuse_server *server, const struct fuse_request *req,
		     struct tree_node *node, uint32_t flags, struct fuse_handle *handle)
{
	struct crash_op op = { .code = CRASH_SYNC, .flags = flags, .inode = node->number };
	struct crash_fault_at at = { .call = CRASH_FAULT_SYNC };
	struct crash_fault_verdict verdict;
	int err;

	decide(server, node, &at, &verdict);
	if (verdict.res) {
		node->sync_errors++;
		node->sync_error = verdict.res;
		op.flags |= CRASH_FAULT;
		op.flags2 = crash_fault_mark(CRASH_FAULT_SYNC, verdict.kind);
	}
	if (handle->sync_errors != node->sync_errors) {
		handle->sync_errors = node->sync_errors;
		op.res = node->sync_error;
	}
	err = node->ignored ? 0 : fuse_record(server, req, &op, NULL);
	return err ? err : op.res;
}

int fuse_fsync(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_fsync_in *in = req->arg;
	struct fuse_handle *handle = (struct fuse_handle *)(uintptr_t)in->fh;
	struct tree_node *node = fuse_node(server, req);
	uint32_t flags = in->fsync_flags & FUSE_FSYNC_FDATASYNC ? CRASH_DATA_ONLY : 0;

	if (!node)
		return -ENOENT;
	if (is_implied(server, req, handle))
		return 0;
	return sync_node(server, req, node, flags, handle);
}

int fuse_fsyncdir(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_fsync_in *in = req->arg;
	struct tree_node *node = fuse_node(server, req);
	uint32_t flags = in->fsync_flags & FUSE_FSYNC_FDATASYNC ? CRASH_DATA_ONLY : 0;

	if (!node)
		return -ENOENT;
	return sync_node(server, req, node, flags, (struct fuse_handle *)(uintptr_t)in->fh);
}

int fuse_sync_all(struct fuse_server *server, uint32_t pid)
{
	const struct fuse_in_header in = { .pid = pid };
	const struct fuse_request req = { .in = &in, .begin = crash_trace_now(server->trace) };
	struct crash_op op = { .code = CRASH_SYNC_ALL };
	struct crash_fault_at at = { .call = CRASH_FAULT_SYNC };
	struct crash_fault_verdict verdict;
	int err;

	decide(server, NULL, &at, &verdict);
	op.res = verdict.res;
	op.flags = verdict.res ? CRASH_FAULT : 0;
	op.flags2 = verdict.res ? crash_fault_mark(CRASH_FAULT_SYNC, verdict.kind) : 0;
	err = fuse_record(server, &req, &op, NULL);
	return err ? err : verdict.res;
}
