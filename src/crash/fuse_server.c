/* SPDX-License-Identifier: MIT */
/* fuse_server.c - reading requests, finding their handlers, answering; the keeper's jobs. */
#include <errno.h>
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

enum trait {
	QUIET = 1,   /* it adds nothing to the trace that a sync could cover */
	LAUNDERS = 2 /* after what shared memory holds has been seen: a keeper's job */
};

struct route {
	fuse_handler handler;
	size_t arg_min;
	unsigned names; /* that follow the argument, each ended by a zero */
	enum trait trait;
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
	[FUSE_LOOKUP] = { fuse_lookup, 0, 1, QUIET },
	[FUSE_FORGET] = { forget, sizeof(struct fuse_forget_in), 0, QUIET },
	[FUSE_GETATTR] = { fuse_getattr, 0, 0, QUIET },
	[FUSE_SETATTR] = { fuse_setattr, sizeof(struct fuse_setattr_in), 0, 0 },
	[FUSE_READLINK] = { fuse_readlink, 0, 0, QUIET },
	[FUSE_SYMLINK] = { fuse_symlink, 0, 2, 0 },
	[FUSE_MKNOD] = { fuse_mknod, sizeof(struct fuse_mknod_in), 1, 0 },
	[FUSE_MKDIR] = { fuse_mkdir, sizeof(struct fuse_mkdir_in), 1, 0 },
	[FUSE_UNLINK] = { fuse_unlink, 0, 1, 0 },
	[FUSE_RMDIR] = { fuse_rmdir, 0, 1, 0 },
	[FUSE_RENAME] = { fuse_rename, sizeof(struct fuse_rename_in), 2, LAUNDERS },
	[FUSE_LINK] = { fuse_link, sizeof(struct fuse_link_in), 1, 0 },
	[FUSE_OPEN] = { fuse_open, sizeof(struct fuse_open_in), 0, QUIET },
	[FUSE_READ] = { fuse_read, sizeof(struct fuse_read_in), 0, QUIET },
	[FUSE_WRITE] = { fuse_write, sizeof(struct fuse_write_in), 0, 0 },
	[FUSE_STATFS] = { fuse_statfs, 0, 0, QUIET },
	[FUSE_RELEASE] = { fuse_release, sizeof(struct fuse_release_in), 0, 0 },
	[FUSE_FSYNC] = { fuse_fsync, sizeof(struct fuse_fsync_in), 0, LAUNDERS },
	[FUSE_SETXATTR] = { fuse_setxattr, FUSE_COMPAT_SETXATTR_IN_SIZE, 1, 0 },
	[FUSE_GETXATTR] = { fuse_getxattr, sizeof(struct fuse_getxattr_in), 1, QUIET },
	[FUSE_LISTXATTR] = { fuse_listxattr, sizeof(struct fuse_getxattr_in), 0, QUIET },
	[FUSE_REMOVEXATTR] = { fuse_removexattr, 0, 1, 0 },
	[FUSE_INIT] = { init, 16, 0, QUIET },
	[FUSE_OPENDIR] = { fuse_opendir, sizeof(struct fuse_open_in), 0, QUIET },
	[FUSE_READDIR] = { fuse_readdir, sizeof(struct fuse_read_in), 0, QUIET },
	[FUSE_RELEASEDIR] = { fuse_releasedir, sizeof(struct fuse_release_in), 0, QUIET },
	[FUSE_FSYNCDIR] = { fuse_fsyncdir, sizeof(struct fuse_fsync_in), 0, LAUNDERS },
	[FUSE_CREATE] = { fuse_create, sizeof(struct fuse_create_in), 1, 0 },
	[FUSE_TMPFILE] = { fuse_tmpfile, sizeof(struct fuse_create_in), 0, 0 },
	[FUSE_INTERRUPT] = { interrupt, 0, 0, QUIET },
	[FUSE_DESTROY] = { destroy, 0, 0, QUIET },
	[FUSE_BATCH_FORGET] = { forget_many, sizeof(struct fuse_batch_forget_in), 0, QUIET },
	[FUSE_FALLOCATE] = { fuse_fallocate, sizeof(struct fuse_fallocate_in), 0, 0 },
	[FUSE_READDIRPLUS] = { fuse_readdirplus, sizeof(struct fuse_read_in), 0, QUIET },
	[FUSE_RENAME2] = { fuse_rename2, sizeof(struct fuse_rename2_in), 2, LAUNDERS },
	[FUSE_LSEEK] = { fuse_lseek, sizeof(struct fuse_lseek_in), 0, QUIET },
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

/* The kernel pins the memory of each piece: small answers are of one. */
static void answer(struct fuse_request *req, int res)
{
	size_t len = res ? 0 : req->data_len;
	struct iovec iov[2] = { { &req->out, sizeof(req->out) }, { req->data, len } };
	bool whole = !len || req->data == req->small;
	ssize_t n;

	req->out = (struct fuse_out_header){
		.len = (uint32_t)(sizeof(req->out) + len),
		.error = res,
		.unique = req->in->unique,
	};
	/* -ENOENT: whoever asked was killed; -ENODEV: unmounted. Nobody else needs the answer. */
	n = whole ? write(req->fd, &req->out, req->out.len) : writev(req->fd, iov, 2);
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
		answer(req, res);
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

static bool has_trait(const struct fuse_in_header *in, enum trait trait)
{
	return in->opcode < sizeof(routes) / sizeof(routes[0]) && routes[in->opcode].trait == trait;
}

/* True: it was left to the keeper. */
static bool defer(struct fuse_server *server, int fd, const struct fuse_in_header *in,
		  uint64_t before)
{
	const uint64_t one = 1;
	struct fuse_job *job;
	bool mapped;

	if (!has_trait(in, LAUNDERS) && !is_ack(in))
		return false;
	pthread_mutex_lock(&server->lock);
	mapped = !TAILQ_EMPTY(&server->mapped);
	job = mapped ? malloc(sizeof(*job) + in->len) : NULL;
	if (job) {
		job->fd = fd;
		job->before = before;
		memcpy(job->bytes, in, in->len);
		STAILQ_INSERT_TAIL(&server->jobs, job, next);
	}
	pthread_mutex_unlock(&server->lock);
	return job && write(server->wake_fd, &one, sizeof(one)) == sizeof(one);
}

/* ---- the server's thread ------------------------------------------------------------ */

struct waiting {
	int fd;
	const char *bytes;
	uint64_t begin;
	uint64_t before;
};

static void serve_bytes(struct fuse_server *server, const struct waiting *waiting)
{
	const struct fuse_in_header *in = (const void *)waiting->bytes;
	struct fuse_request req = {
		.fd = waiting->fd,
		.in = in,
		.arg = waiting->bytes + sizeof(*in),
		.arg_len = in->len - sizeof(*in),
		.begin = waiting->begin,
		.before = waiting->before,
	};

	serve(server, &req);
}

/* Reads one request. False: there is none now, or unmounted. */
static bool read_one(int fd, char *bytes)
{
	ssize_t n;

	do
		n = read(fd, bytes, REQUEST_BYTES);
	while (n < 0 && (errno == EINTR || errno == ENOENT)); /* ENOENT: taken back meanwhile */
	return n >= (ssize_t)sizeof(struct fuse_in_header);
}

static bool wait_for_one(int fd, char *bytes)
{
	int state;
	bool there;

	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	there = read_one(fd, bytes);
	pthread_setcancelstate(state, NULL);
	return there;
}

/* Waits for a request, and reads those that wait beside it if that makes a difference to their
 * begins. How many; 0: unmounted. */
static int read_batch(const struct fuse_server *server, struct waiting *batch)
{
	char *bytes = server->requests;
	bool there = wait_for_one(server->fd, bytes);
	int nr = 0;

	while (there) {
		batch[nr].fd = nr ? server->clone_fd : server->fd;
		batch[nr].bytes = bytes;
		batch[nr++].begin = crash_trace_now(server->trace);
		if (nr == FUSE_BATCH || has_trait((const void *)server->requests, QUIET))
			break;
		bytes += REQUEST_BYTES;
		there = read_one(server->clone_fd, bytes);
	}
	return nr;
}

static void serve_batch(struct fuse_server *server, struct waiting *batch, int nr)
{
	for (int i = 0; i < nr; i++) {
		const struct fuse_in_header *in = (const void *)batch[i].bytes;

		batch[i].before = remember(server, in);
		if (!defer(server, batch[i].fd, in, batch[i].before))
			serve_bytes(server, &batch[i]);
	}
}

void fuse_server_run(struct fuse_server *server)
{
	struct waiting batch[FUSE_BATCH];
	int nr, state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	while ((nr = read_batch(server, batch)))
		serve_batch(server, batch, nr);
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
		serve_bytes(server,
			    &(struct waiting){ job->fd, job->bytes, crash_trace_now(server->trace),
					       job->before });
		free(job);
	}
}

/* ---- beginning and end -------------------------------------------------------------- */

int fuse_server_init(struct fuse_server *server)
{
	server->fd = -1;
	server->clone_fd = -1;
	server->wash_fd = -1;
	server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	server->requests = malloc((size_t)FUSE_BATCH * REQUEST_BYTES);
	TAILQ_INIT(&server->mapped);
	STAILQ_INIT(&server->jobs);
	LIST_INIT(&server->handles);
	pthread_mutex_init(&server->lock, NULL);
	if (!server->requests)
		return -ENOMEM;
	return server->wake_fd < 0 ? -EMFILE : 0;
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
	if (server->clone_fd >= 0)
		close(server->clone_fd);
	if (server->wake_fd >= 0)
		close(server->wake_fd);
	free(server->requests);
	pthread_mutex_destroy(&server->lock);
}
