/* SPDX-License-Identifier: MIT */
/* fuse_server.c - reading requests, finding their handlers, answering; the keeper's jobs. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "crash/fuse_server.h"
#include "crash/sandbox.h"

#define REQUEST_BYTES	 (FUSE_WRITE_BYTES + 8192)
#define BACKGROUND_MAX	 64
#define ALLOW_SHARED_MAP (UINT64_C(1) << 36) /* FUSE_DIRECT_IO_ALLOW_MMAP of Linux 6.6 */

#define WANTED                                                                             \
	(FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | \
	 FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS |    \
	 FUSE_HANDLE_KILLPRIV_V2 | FUSE_INIT_EXT | ALLOW_SHARED_MAP)

struct route {
	fuse_handler handler;
	size_t arg_min;
	unsigned names; /* that follow the argument, each ended by a zero */
	bool launders;	/* after what shared memory holds has been seen: a keeper's job */
};

/* ---- requests that are about no file ------------------------------------------------- */

static int init(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_init_in *in = req->arg;
	uint64_t flags = in->flags | (in->flags & FUSE_INIT_EXT ? (uint64_t)in->flags2 << 32 : 0);
	struct fuse_init_out *out = fuse_answer(req, sizeof(*out));

	if (in->major != FUSE_KERNEL_VERSION)
		return -EPROTO;
	flags &= WANTED;
	*out = (struct fuse_init_out){
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = in->max_readahead,
		.flags = (uint32_t)flags,
		.flags2 = (uint32_t)(flags >> 32),
		.max_background = BACKGROUND_MAX,
		.congestion_threshold = BACKGROUND_MAX * 3 / 4,
		.max_write = FUSE_WRITE_BYTES,
		.max_pages = FUSE_WRITE_BYTES / 4096,
		.time_gran = 1,
	};
	server->inited = true;
	return 0;
}

static int forget(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_forget_in *in = req->arg;

	fuse_forget_node(server, req->in->nodeid, in->nlookup);
	return FUSE_NO_ANSWER;
}

static int forget_many(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_batch_forget_in *in = req->arg;
	const struct fuse_forget_one *one = (const struct fuse_forget_one *)(in + 1);
	size_t nr = (req->arg_len - sizeof(*in)) / sizeof(*one);

	for (size_t i = 0; i < nr && i < in->count; i++)
		fuse_forget_node(server, one[i].nodeid, one[i].nlookup);
	return FUSE_NO_ANSWER;
}

/* Everything is done at once: there is nothing to interrupt. */
static int interrupt(struct fuse_server *server, struct fuse_request *req)
{
	(void)server;
	(void)req;
	return FUSE_NO_ANSWER;
}

static int destroy(struct fuse_server *server, struct fuse_request *req)
{
	(void)server;
	(void)req;
	return 0;
}

static const struct route routes[] = {
	[FUSE_LOOKUP] = { fuse_lookup, 0, 1, false },
	[FUSE_FORGET] = { forget, sizeof(struct fuse_forget_in), 0, false },
	[FUSE_GETATTR] = { fuse_getattr, 0, 0, false },
	[FUSE_SETATTR] = { fuse_setattr, sizeof(struct fuse_setattr_in), 0, false },
	[FUSE_READLINK] = { fuse_readlink, 0, 0, false },
	[FUSE_SYMLINK] = { fuse_symlink, 0, 2, false },
	[FUSE_MKNOD] = { fuse_mknod, sizeof(struct fuse_mknod_in), 1, false },
	[FUSE_MKDIR] = { fuse_mkdir, sizeof(struct fuse_mkdir_in), 1, false },
	[FUSE_UNLINK] = { fuse_unlink, 0, 1, false },
	[FUSE_RMDIR] = { fuse_rmdir, 0, 1, false },
	[FUSE_RENAME] = { fuse_rename, sizeof(struct fuse_rename_in), 2, true },
	[FUSE_LINK] = { fuse_link, sizeof(struct fuse_link_in), 1, false },
	[FUSE_OPEN] = { fuse_open, sizeof(struct fuse_open_in), 0, false },
	[FUSE_READ] = { fuse_read, sizeof(struct fuse_read_in), 0, false },
	[FUSE_WRITE] = { fuse_write, sizeof(struct fuse_write_in), 0, false },
	[FUSE_STATFS] = { fuse_statfs, 0, 0, false },
	[FUSE_RELEASE] = { fuse_release, sizeof(struct fuse_release_in), 0, false },
	[FUSE_FSYNC] = { fuse_fsync, sizeof(struct fuse_fsync_in), 0, true },
	[FUSE_SETXATTR] = { fuse_setxattr, FUSE_COMPAT_SETXATTR_IN_SIZE, 1, false },
	[FUSE_GETXATTR] = { fuse_getxattr, sizeof(struct fuse_getxattr_in), 1, false },
	[FUSE_LISTXATTR] = { fuse_listxattr, sizeof(struct fuse_getxattr_in), 0, false },
	[FUSE_REMOVEXATTR] = { fuse_removexattr, 0, 1, false },
	[FUSE_INIT] = { init, 16, 0, false },
	[FUSE_OPENDIR] = { fuse_opendir, sizeof(struct fuse_open_in), 0, false },
	[FUSE_READDIR] = { fuse_readdir, sizeof(struct fuse_read_in), 0, false },
	[FUSE_RELEASEDIR] = { fuse_releasedir, sizeof(struct fuse_release_in), 0, false },
	[FUSE_FSYNCDIR] = { fuse_fsyncdir, sizeof(struct fuse_fsync_in), 0, true },
	[FUSE_CREATE] = { fuse_create, sizeof(struct fuse_create_in), 1, false },
	[FUSE_TMPFILE] = { fuse_tmpfile, sizeof(struct fuse_create_in), 0, false },
	[FUSE_INTERRUPT] = { interrupt, 0, 0, false },
	[FUSE_DESTROY] = { destroy, 0, 0, false },
	[FUSE_BATCH_FORGET] = { forget_many, sizeof(struct fuse_batch_forget_in), 0, false },
	[FUSE_FALLOCATE] = { fuse_fallocate, sizeof(struct fuse_fallocate_in), 0, false },
	[FUSE_READDIRPLUS] = { fuse_readdirplus, sizeof(struct fuse_read_in), 0, false },
	[FUSE_RENAME2] = { fuse_rename2, sizeof(struct fuse_rename2_in), 2, true },
	[FUSE_LSEEK] = { fuse_lseek, sizeof(struct fuse_lseek_in), 0, false },
};

/* ---- one request -------------------------------------------------------------------- */

int fuse_record(struct fuse_server *server, const struct fuse_request *req, struct crash_op *op,
		const void *data)
{
	uint64_t one = 1;
	int err;

	op->begin = req->begin;
	op->pid = req->in->pid;
	err = crash_trace_append(server->trace, op, data);
	if (!err || server->error)
		return err;
	server->error = err;
	if (write(server->wake_fd, &one, sizeof(one)) < 0)
		return -errno;
	return err;
}

static const struct route *find_route(const struct fuse_request *req)
{
	const char *at = req->arg, *end = at + req->arg_len;
	const struct route *route;

	if (req->in->opcode >= sizeof(routes) / sizeof(routes[0]))
		return NULL;
	route = &routes[req->in->opcode];
	if (!route->handler || req->arg_len < route->arg_min)
		return NULL;
	at += route->arg_min;
	for (unsigned i = 0; i < route->names; i++) {
		at = memchr(at, '\0', (size_t)(end - at));
		if (!at)
			return NULL;
		at++;
	}
	return route;
}

static void answer(const struct fuse_server *server, const struct fuse_request *req, int res)
{
	struct fuse_out_header out = { .error = res, .unique = req->in->unique };
	struct iovec iov[2] = { { &out, sizeof(out) }, { req->data, res ? 0 : req->data_len } };
	ssize_t n;

	out.len = (uint32_t)(sizeof(out) + iov[1].iov_len);
	/* -ENOENT: whoever asked was killed; -ENODEV: unmounted. Nobody else needs the answer. */
	n = writev(server->fd, iov, 2);
	(void)n;
}

static int handle(struct fuse_server *server, struct fuse_request *req, const struct route *route)
{
	if (!route)
		return -ENOSYS;
	if (req->in->nodeid & MAGIC_BIT && route->handler != forget)
		return fuse_magic(server, req);
	return route->handler(server, req);
}

static void serve(struct fuse_server *server, struct fuse_request *req)
{
	const struct route *route = find_route(req);
	int res;

	pthread_mutex_lock(&server->lock);
	if (!server->inited && req->in->opcode != FUSE_INIT)
		res = -EIO;
	else
		res = handle(server, req, route);
	/* What it points to may belong to a node: answered before anything else may change. */
	if (res != FUSE_NO_ANSWER)
		answer(server, req, res);
	pthread_mutex_unlock(&server->lock);
	if (req->data_owned)
		free(req->data);
}

/* What the same thread asked for last. */
static uint64_t remember(struct fuse_server *server, const struct fuse_in_header *in)
{
	uint32_t slot = in->pid % PIDS_SEEN;
	uint64_t before = server->seen[slot].pid == in->pid ? server->seen[slot].unique : 0;

	server->seen[slot].pid = in->pid;
	server->seen[slot].unique = in->unique;
	return before;
}

static bool is_ack(const struct fuse_in_header *in)
{
	return in->opcode == FUSE_WRITE && in->nodeid & MAGIC_BIT;
}

/* True: it was left to the keeper. */
static bool defer(struct fuse_server *server, const struct fuse_in_header *in, uint64_t before)
{
	const uint64_t one = 1;
	struct fuse_job *job;
	bool mapped;

	if (in->opcode >= sizeof(routes) / sizeof(routes[0]) ||
	    !(routes[in->opcode].launders || is_ack(in)))
		return false;
	pthread_mutex_lock(&server->lock);
	mapped = !TAILQ_EMPTY(&server->mapped);
	job = mapped ? malloc(sizeof(*job) + in->len) : NULL;
	if (job) {
		job->before = before;
		memcpy(job->bytes, in, in->len);
		STAILQ_INSERT_TAIL(&server->jobs, job, next);
	}
	pthread_mutex_unlock(&server->lock);
	return job && write(server->wake_fd, &one, sizeof(one)) == sizeof(one);
}

/* ---- the server's thread ------------------------------------------------------------ */

struct waiting {
	char *bytes;
	uint64_t begin;
};

static void serve_bytes(struct fuse_server *server, const char *bytes, uint64_t begin,
			uint64_t before)
{
	const struct fuse_in_header *in = (const struct fuse_in_header *)(const void *)bytes;
	struct fuse_request req = {
		.in = in,
		.arg = bytes + sizeof(*in),
		.arg_len = in->len - sizeof(*in),
		.begin = begin,
		.before = before,
	};

	serve(server, &req);
}

/* Reads what is waiting. How many; -1: unmounted. */
static int read_batch(const struct fuse_server *server, struct waiting *batch)
{
	int nr = 0;

	while (nr < FUSE_BATCH) {
		ssize_t n = read(server->fd, batch[nr].bytes, REQUEST_BYTES);

		if (n < 0 && errno == EAGAIN)
			return nr;
		if (n < 0 && (errno == EINTR || errno == ENOENT))
			continue; /* ENOENT: taken back meanwhile */
		if (n < (ssize_t)sizeof(struct fuse_in_header))
			return nr ? nr : -1;
		batch[nr++].begin = crash_trace_now(server->trace);
	}
	return nr;
}

static void serve_batch(struct fuse_server *server, const struct waiting *batch, int nr)
{
	for (int i = 0; i < nr; i++) {
		const struct fuse_in_header *in = (const void *)batch[i].bytes;
		uint64_t before = remember(server, in);

		if (!defer(server, in, before))
			serve_bytes(server, batch[i].bytes, batch[i].begin, before);
	}
}

void fuse_server_run(struct fuse_server *server)
{
	struct pollfd fds[2] = { { server->fd, POLLIN, 0 }, { server->stop_fd, POLLIN, 0 } };
	struct waiting batch[FUSE_BATCH];
	char *bytes = malloc((size_t)FUSE_BATCH * REQUEST_BYTES);
	int nr = 0;

	for (int i = 0; bytes && i < FUSE_BATCH; i++)
		batch[i].bytes = bytes + (size_t)i * REQUEST_BYTES;
	while (bytes && nr >= 0) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents)
			break;
		nr = read_batch(server, batch);
		if (nr > 0)
			serve_batch(server, batch, nr);
	}
	free(bytes);
}

/* ---- the keeper's part -------------------------------------------------------------- */

/* The numbers of what is mapped, but for one; as many as fit. */
static size_t list_mapped(struct fuse_server *server, uint64_t but, uint64_t *numbers)
{
	struct tree_node *node;
	size_t nr = 0;

	pthread_mutex_lock(&server->lock);
	TAILQ_FOREACH(node, &server->mapped, in_mapped)
	{
		if (nr < SANDBOX_WASH_MAX && node->number != but)
			numbers[nr++] = node->number;
	}
	pthread_mutex_unlock(&server->lock);
	return nr;
}

void fuse_server_launder(struct fuse_server *server, uint64_t but)
{
	uint64_t numbers[SANDBOX_WASH_MAX];
	size_t nr = list_mapped(server, but, numbers);
	char done;

	if (!nr || server->wash_fd < 0)
		return;
	/* It ends when the sandbox does, and then there is nothing left to wash. */
	if (send(server->wash_fd, numbers, nr * sizeof(*numbers), MSG_NOSIGNAL) < 0)
		return;
	while (recv(server->wash_fd, &done, 1, 0) < 0 && errno == EINTR)
		;
}

static struct fuse_job *take_job(struct fuse_server *server)
{
	struct fuse_job *job;

	pthread_mutex_lock(&server->lock);
	job = STAILQ_FIRST(&server->jobs);
	if (job)
		STAILQ_REMOVE_HEAD(&server->jobs, next);
	pthread_mutex_unlock(&server->lock);
	return job;
}

void fuse_server_work(struct fuse_server *server)
{
	struct fuse_job *job;

	while ((job = take_job(server))) {
		const struct fuse_in_header *in = (const void *)job->bytes;

		/* A sync of a file has written its own pages, and msync(2) not all of them. */
		fuse_server_launder(server, in->opcode == FUSE_FSYNC ? in->nodeid : 0);
		serve_bytes(server, job->bytes, crash_trace_now(server->trace), job->before);
		free(job);
	}
}

/* ---- beginning and end -------------------------------------------------------------- */

int fuse_server_init(struct fuse_server *server)
{
	server->fd = -1;
	server->wash_fd = -1;
	server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	TAILQ_INIT(&server->mapped);
	STAILQ_INIT(&server->jobs);
	LIST_INIT(&server->handles);
	pthread_mutex_init(&server->lock, NULL);
	return server->wake_fd < 0 || server->stop_fd < 0 ? -EMFILE : 0;
}

void fuse_server_fini(struct fuse_server *server)
{
	struct fuse_handle *handle;
	struct fuse_job *job;

	while ((job = STAILQ_FIRST(&server->jobs))) {
		STAILQ_REMOVE_HEAD(&server->jobs, next);
		free(job);
	}
	while ((handle = LIST_FIRST(&server->handles)))
		fuse_handle_free(handle);
	if (server->fd >= 0)
		close(server->fd);
	if (server->wake_fd >= 0)
		close(server->wake_fd);
	if (server->stop_fd >= 0)
		close(server->stop_fd);
	pthread_mutex_destroy(&server->lock);
}
