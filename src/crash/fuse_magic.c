/* SPDX-License-Identifier: MIT */
/*
 * fuse_magic.c - DIR/.sluice: acknowledgements, the program's standard output, a probe.
 *
 * Standard output is a file of ours and no pipe: a write to it is a request, which is answered
 * once its lines are in the trace. So an acknowledgement stands exactly where the program
 * made it, before whatever it does next.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash/fuse_server.h"
#include "sys/sigpipe.h"

#define PASS_BYTES   4096 /* what a pipe that polls writable takes without waiting */
#define PASS_POLL_MS 100

struct magic {
	const char *name;
	uint32_t mode;
};

static const struct magic magics[] = {
	[MAGIC_DIR] = { CRASH_MAGIC_DIR, S_IFDIR | 0777 },
	[MAGIC_ACK] = { "ack", S_IFREG | 0666 },
	[MAGIC_STDOUT] = { MAGIC_STDOUT_NAME, S_IFREG | 0666 },
	[MAGIC_PROBE] = { MAGIC_PROBE_NAME, S_IFREG | 0666 },
};

#define MAGICS (sizeof(magics) / sizeof(magics[0]))

/* ---- names and attributes ----------------------------------------------------------- */

uint64_t fuse_magic_find(uint64_t dir, const char *name)
{
	if (dir == CRASH_ROOT && !strcmp(name, CRASH_MAGIC_DIR))
		return MAGIC_BIT | MAGIC_DIR;
	for (uint64_t i = MAGIC_ACK; dir == (MAGIC_BIT | MAGIC_DIR) && i < MAGICS; i++) {
		if (!strcmp(name, magics[i].name))
			return MAGIC_BIT | i;
	}
	return 0;
}

static void fill_attr(const struct fuse_server *server, uint64_t magic, struct fuse_attr *attr)
{
	*attr = (struct fuse_attr){
		.ino = magic,
		.mode = magics[magic & ~MAGIC_BIT].mode,
		.nlink = 1,
		.uid = server->uid,
		.gid = server->gid,
		.blksize = 4096,
	};
}

/* The file that a name like "#12" is, or NULL. */
static struct tree_node *find_numbered(const struct fuse_server *server, uint64_t dir,
				       const char *name)
{
	struct tree_node *node;

	if (dir != (MAGIC_BIT | MAGIC_DIR) || name[0] != MAGIC_NUMBER_SIGN)
		return NULL;
	node = tree_find(&server->tree, strtoull(name + 1, NULL, 10));
	return node && S_ISREG(node->mode) ? node : NULL;
}

static int lookup(struct fuse_server *server, struct fuse_request *req)
{
	uint64_t magic = fuse_magic_find(req->in->nodeid, req->arg);
	struct tree_node *node = find_numbered(server, req->in->nodeid, req->arg);
	struct fuse_entry_out *out;

	if (magic)
		return fuse_magic_lookup(server, req, magic);
	if (!node)
		return -ENOENT;
	out = fuse_answer(req, sizeof(*out));
	fuse_fill_entry(server, node, out);
	out->entry_valid = 0;
	return 0;
}

int fuse_magic_lookup(const struct fuse_server *server, struct fuse_request *req, uint64_t magic)
{
	struct fuse_entry_out *out = fuse_answer(req, sizeof(*out));

	out->nodeid = magic;
	fill_attr(server, magic, &out->attr);
	return 0;
}

static int answer_attr(const struct fuse_server *server, struct fuse_request *req)
{
	struct fuse_attr_out *out = fuse_answer(req, sizeof(*out));

	fill_attr(server, req->in->nodeid, &out->attr);
	return 0;
}

/* ---- lines -------------------------------------------------------------------------- */

static int record_line(struct fuse_server *server, const struct fuse_request *req, const char *text,
		       size_t len)
{
	struct crash_op op = { .code = CRASH_ACK, .data_len = (uint32_t)len };

	if (!len)
		return 0;
	server->report->nr_acks++;
	return fuse_record(server, req, &op, text);
}

/* The first len bytes of what is left of a line's room. */
static void keep_part(struct fuse_server *server, struct fuse_line *line, const char *text,
		      size_t len)
{
	size_t room = sizeof(line->text) - line->len;

	if (len > room && !line->cut) {
		line->cut = true;
		crash_record_note(server->report, server->trace,
				  "an acknowledgement is longer than %d bytes; it was cut",
				  CRASH_ACK_MAX);
	}
	len = len < room ? len : room;
	memcpy(line->text + line->len, text, len);
	line->len += (uint32_t)len;
}

static int end_line(struct fuse_server *server, const struct fuse_request *req,
		    struct fuse_line *line)
{
	int err = record_line(server, req, line->text, line->len);

	line->len = 0;
	line->cut = false;
	return err;
}

static int take_lines(struct fuse_server *server, const struct fuse_request *req,
		      struct fuse_handle *handle, const char *text, size_t len)
{
	int err = 0;

	if (!handle->line)
		handle->line = calloc(1, sizeof(*handle->line));
	if (!handle->line)
		return -ENOMEM;
	while (!err && len) {
		const char *end = memchr(text, '\n', len);
		size_t part = end ? (size_t)(end - text) : len;

		keep_part(server, handle->line, text, part);
		if (end)
			err = end_line(server, req, handle->line);
		part += end != NULL;
		text += part;
		len -= part;
	}
	return err;
}

void fuse_magic_flush(struct fuse_server *server, const struct fuse_request *req,
		      struct fuse_handle *handle)
{
	if (handle->line)
		end_line(server, req, handle->line);
}

/* ---- passing on --------------------------------------------------------------------- */

static bool wait_writable(const struct fuse_server *server)
{
	const volatile int *stop = server->opts->stop;
	struct pollfd poll_fd = { server->out_fd, POLLOUT, 0 };

	while (poll(&poll_fd, 1, PASS_POLL_MS) <= 0) {
		if ((stop && __atomic_load_n(stop, __ATOMIC_RELAXED)) ||
		    __atomic_load_n(&server->ending, __ATOMIC_RELAXED))
			return false;
	}
	return true;
}

/* Whoever reads our standard output may be slow, which slows the program as it would without
 * us; or gone, which is no failure of the recording. */
static void pass_on(struct fuse_server *server, const char *text, size_t len)
{
	struct sl_sigpipe_guard guard;

	if (server->out_fd < 0)
		return;
	sl_sigpipe_begin(&guard);
	while (len && wait_writable(server)) {
		ssize_t n = write(server->out_fd, text, len < PASS_BYTES ? len : PASS_BYTES);

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0) {
			server->out_fd = -1;
			break;
		}
		text += n;
		len -= (size_t)n;
	}
	sl_sigpipe_end(&guard);
}

/* ---- requests ----------------------------------------------------------------------- */

static int open_file(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_open_in *in = req->arg;
	struct fuse_handle *handle = fuse_handle_new(server, NULL, in->flags);
	struct fuse_open_out *out = fuse_answer(req, sizeof(*out));

	if (!handle)
		return -ENOMEM;
	out->fh = (uintptr_t)handle;
	out->open_flags = FOPEN_DIRECT_IO;
	if (req->in->nodeid == (MAGIC_BIT | MAGIC_STDOUT))
		out->open_flags |= FOPEN_STREAM;
	if (req->in->nodeid == (MAGIC_BIT | MAGIC_PROBE))
		out->open_flags = 0;
	return 0;
}

static int write_file(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_write_in *in = req->arg;
	struct fuse_handle *handle = (struct fuse_handle *)(uintptr_t)in->fh;
	const char *text = (const char *)(in + 1);
	struct fuse_write_out *out;
	int err = 0;

	if (in->size > req->arg_len - sizeof(*in))
		return -EIO;
	if (req->in->nodeid == (MAGIC_BIT | MAGIC_PROBE))
		server->dsync_probing = in->flags & O_DSYNC;
	else
		err = take_lines(server, req, handle, text, in->size);
	if (err)
		return err;
	if (req->in->nodeid == (MAGIC_BIT | MAGIC_STDOUT))
		pass_on(server, text, in->size);
	out = fuse_answer(req, sizeof(*out));
	out->size = in->size;
	return 0;
}

/* A sync of the probe that nobody asked for: it follows a durable write. */
static int sync_file(struct fuse_server *server, const struct fuse_request *req)
{
	if (req->in->nodeid == (MAGIC_BIT | MAGIC_PROBE) && server->dsync_probing)
		server->dsync_followed = true;
	return 0;
}

static int release(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_release_in *in = req->arg;
	struct fuse_handle *handle = (struct fuse_handle *)(uintptr_t)in->fh;

	fuse_magic_flush(server, req, handle);
	fuse_handle_free(handle);
	return 0;
}

int fuse_magic(struct fuse_server *server, struct fuse_request *req)
{
	switch (req->in->opcode) {
	case FUSE_LOOKUP:
		return lookup(server, req);
	case FUSE_GETATTR:
	case FUSE_SETATTR: /* O_TRUNC */
		return answer_attr(server, req);
	case FUSE_OPEN:
		return open_file(server, req);
	case FUSE_WRITE:
		return write_file(server, req);
	case FUSE_FSYNC:
		return sync_file(server, req);
	case FUSE_RELEASE:
		return release(server, req);
	case FUSE_READ:
		return 0;
	case FUSE_GETXATTR:
		return -ENODATA;
	default:
		return -EPERM;
	}
}
