/*
 * load.c: looks at a path beneath the root.
 *
 *	open --a directory--> close --+
 *	  |                           +--> into the cache --> told
 *	  +--a file--> stat --as it was before--------------^
 *	                 |                                  |
 *	                 +--large--> open past the cache----+
 *	                 |                                  |
 *	                 +--small--> read --> stat: the same as before the read
 *
 * openat2(2) with RESOLVE_BENEATH: whatever links and names do meanwhile, what is opened was
 * beneath the root. A small file is kept in memory, head and all; one that changes while it is read
 * is read again, and after some tries sent as it is and not kept.
 */
#include "tools/serve/load.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/serve/head.h"

#define OPEN_TRIES 16
#define READ_TRIES 3
#define HEAD_BYTES 1024
/* Where the pump's buffers lie, and what it reads in multiples of. */
#define DIRECT_ALIGN 4096

struct serve_load {
	struct sl_op op;
	struct serve_worker *worker;
	serve_load_fn *done;
	void *ctx;
	char type[SERVE_TYPE_BYTES]; /* "": by the path */
	struct serve_content *stale; /* counted */
	struct serve_content *content;
	struct sl_open_how how;
	struct statx stx;
	int64_t start_ns;
	unsigned tries;
	unsigned reads;
	bool changing;
};

unsigned serve_status_of(int err)
{
	switch (-err) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
	case ELOOP:
	case EXDEV: /* it leads out of the root */
	case EINVAL:
	case ENXIO:
	case EILSEQ:
		return 404;
	case EACCES:
	case EPERM:
	case EROFS:
		return 403;
	case ENOSPC:
	case EDQUOT:
		return 507;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN:
	case ESHUTDOWN:
	case ECANCELED:
		return 503;
	default:
		return 500;
	}
}

static void finish(struct serve_load *load, struct serve_content *content)
{
	serve_load_fn *done = load->done;
	void *ctx = load->ctx;

	serve_content_get(content);
	serve_content_put(load->stale);
	serve_content_put(load->content);
	free(load);
	done(ctx, content);
	serve_content_put(content);
}

static void keep(struct serve_load *load)
{
	serve_cache_add(&load->worker->cache, load->content, load->start_ns);
	finish(load, load->content);
}

static void fail(struct serve_load *load, int err)
{
	struct serve_content *content = load->content;

	content->kind = SERVE_NOTHING;
	content->status = (uint16_t)serve_status_of(err);
	if (content->fd >= 0)
		close(content->fd);
	content->fd = -1;
	serve_wire_put(content->wire);
	content->wire = NULL;
	if (content->status == 404 || content->status == 403)
		keep(load);
	else
		finish(load, content);
}

static void submit(struct serve_load *load, sl_op_fn *done)
{
	int err;

	load->op.flags |= SL_OP_PARK;
	load->op.done = done;
	err = sl_ring_submit(load->worker->ring, &load->op);
	if (err < 0)
		fail(load, err);
}

/* ---- what it is ----------------------------------------------------------------------- */

static int64_t ns_of(const struct statx_timestamp *stamp)
{
	return stamp->tv_sec * INT64_C(1000000000) + stamp->tv_nsec;
}

static struct serve_identity identity_of(const struct statx *stx)
{
	return (struct serve_identity){
		.dev = (uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor,
		.ino = stx->stx_ino,
		.size = stx->stx_size,
		.modified_ns = ns_of(&stx->stx_mtime),
		.changed_ns = ns_of(&stx->stx_ctime),
	};
}

static bool same(const struct serve_identity *a, const struct serve_identity *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

static void stat_file(struct serve_load *load, sl_op_fn *done)
{
	sl_op_stat(&load->op, load->content->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &load->stx);
	submit(load, done);
}

/* Fills in what a head says, and writes that head. Return: 0 or -ENOMEM. */
static int describe(struct serve_load *load, bool with_body)
{
	struct serve_content *content = load->content;
	struct serve_wire *wire;
	char head[HEAD_BYTES];
	size_t len;

	content->identity = identity_of(&load->stx);
	content->modified = load->stx.stx_mtime.tv_sec;
	snprintf(content->type, sizeof(content->type), "%s",
		 load->type[0] ?
			 load->type :
			 serve_mime_type(load->worker->site->mime, http_text(content->key)));
	serve_content_tag(content, load->worker->config->writable);
	len = serve_head_plain(load->worker, content, head, sizeof(head));
	wire = serve_wire_new(len + (with_body ? content->identity.size : 0));
	if (!wire)
		return -ENOMEM;
	memcpy(wire->bytes, head, len);
	wire->head_len = (uint32_t)len;
	wire->second = load->worker->second;
	serve_wire_put(content->wire);
	content->wire = wire;
	return 0;
}

/* ---- a small file --------------------------------------------------------------------- */

static void read_file(struct serve_load *load);

static void on_read_over(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_load *load = sl_op_of(op, struct serve_load, op);
	struct serve_identity now = identity_of(&load->stx);

	(void)ring;
	if (op->res < 0) {
		fail(load, (int)op->res);
		return;
	}
	if (same(&now, &load->content->identity) && !load->changing) {
		close(load->content->fd);
		load->content->fd = -1;
		keep(load);
	} else if (++load->reads < READ_TRIES) {
		load->changing = false;
		read_file(load);
	} else {
		fail(load, -EAGAIN);
	}
}

static void on_read(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_load *load = sl_op_of(op, struct serve_load, op);

	(void)ring;
	if (op->res < 0) {
		fail(load, (int)op->res);
		return;
	}
	load->changing = (uint64_t)op->res != load->content->identity.size;
	stat_file(load, on_read_over);
}

static void read_file(struct serve_load *load)
{
	struct serve_content *content = load->content;
	int err = describe(load, true);

	if (err) {
		fail(load, err);
		return;
	}
	sl_op_read(&load->op, content->fd, content->wire->bytes + content->wire->head_len,
		   content->identity.size, 0);
	submit(load, on_read);
}

/* ---- a large file --------------------------------------------------------------------- */

/* By now the name may be another file's; and not every file can be read directly. */
static bool is_direct_twin(const struct serve_load *load, int fd)
{
	struct sl_ring *ring = load->worker->ring;
	struct sl_desc direct, desc;

	return sl_ring_describe(ring, fd, &direct) == 0 &&
	       sl_ring_describe(ring, load->content->fd, &desc) == 0 && direct.dev == desc.dev &&
	       direct.ino == desc.ino && direct.read_align && direct.read_align <= DIRECT_ALIGN &&
	       direct.mem_align <= DIRECT_ALIGN;
}

static void on_open_direct(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_load *load = sl_op_of(op, struct serve_load, op);
	int fd = (int)op->res;

	(void)ring;
	if (fd > 0 && is_direct_twin(load, fd))
		serve_content_set_direct(load->content, fd);
	else if (fd >= 0)
		close(fd);
	keep(load);
}

/* Once more, to be read past the page cache where it is cold. */
static void open_direct(struct serve_load *load)
{
	load->how.flags |= O_DIRECT;
	sl_op_open(&load->op, load->worker->site->root_fd, load->content->key, &load->how);
	submit(load, on_open_direct);
}

/* ---- open and look -------------------------------------------------------------------- */

/* What was known is still so: it stays, and counts as looked at now. */
static void renew(struct serve_load *load)
{
	load->stale->checked_ns = load->start_ns;
	finish(load, load->stale);
}

static void on_stat(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_load *load = sl_op_of(op, struct serve_load, op);
	struct serve_content *content = load->content;
	struct serve_identity now = identity_of(&load->stx);

	(void)ring;
	if (op->res < 0) {
		fail(load, (int)op->res);
		return;
	}
	if (S_ISDIR(load->stx.stx_mode)) {
		content->kind = SERVE_DIRECTORY;
		close(content->fd);
		content->fd = -1;
		keep(load);
		return;
	}
	if (!S_ISREG(load->stx.stx_mode)) {
		fail(load, -ENOENT);
		return;
	}
	content->kind = SERVE_FILE;
	if (load->stale && load->stale->kind == SERVE_FILE && same(&load->stale->identity, &now)) {
		renew(load);
		return;
	}
	if (now.size && now.size <= load->worker->config->cache_file_bytes) {
		read_file(load);
		return;
	}
	if (describe(load, false) < 0)
		fail(load, -ENOMEM);
	else if (load->worker->config->direct_bytes &&
		 now.size >= load->worker->config->direct_bytes)
		open_direct(load);
	else
		keep(load);
}

static void open_file(struct serve_load *load);

static void on_open(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_load *load = sl_op_of(op, struct serve_load, op);

	(void)ring;
	/* EAGAIN: names moved while the path was walked. */
	if (op->res == -EAGAIN && ++load->tries < OPEN_TRIES) {
		open_file(load);
		return;
	}
	if (op->res < 0) {
		fail(load, (int)op->res);
		return;
	}
	load->content->fd = (int)op->res;
	stat_file(load, on_stat);
}

static void open_file(struct serve_load *load)
{
	load->how = (struct sl_open_how){
		.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS,
	};
	if (!load->worker->config->follow)
		load->how.resolve |= RESOLVE_BENEATH;
	sl_op_open(&load->op, load->worker->site->root_fd, load->content->key, &load->how);
	submit(load, on_open);
}

/* The first step is made from the ring too, so that nobody is told from within the start. */
static void on_start(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_load *load = sl_op_of(op, struct serve_load, op);

	(void)ring;
	if (op->res < 0)
		fail(load, (int)op->res);
	else
		open_file(load);
}

int serve_load_start(struct serve_worker *worker, const struct serve_wanted *wanted,
		     serve_load_fn *done, void *ctx)
{
	struct serve_load *load = calloc(1, sizeof(*load));
	int err = -ENOMEM;

	if (load)
		load->content = serve_content_new(wanted->path, wanted->coding);
	if (load && load->content) {
		load->worker = worker;
		load->done = done;
		load->ctx = ctx;
		load->start_ns = sl_ring_now(worker->ring);
		snprintf(load->type, sizeof(load->type), "%s", wanted->type ? wanted->type : "");
		if (wanted->stale)
			load->stale = serve_content_get(wanted->stale);
		sl_op_nop(&load->op)->flags = SL_OP_PARK;
		load->op.done = on_start;
		err = sl_ring_submit(worker->ring, &load->op);
		if (err == 0)
			return 0;
		serve_content_put(load->stale);
		serve_content_put(load->content);
	}
	free(load);
	return err;
}
