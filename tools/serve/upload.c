/*
 * upload.c: PUT and DELETE: the file system changed, and told so only when the change will last.
 *
 *	PUT:    open the directory -> stat the name, conditions -> a file without a name
 *	        -> body: two buffers, one filled while the other is written
 *	        -> fsync -> link it in (replacing: under another name, then rename) -> fsync the
 *directory DELETE: open the directory -> stat the name, conditions -> unlink -> fsync the directory
 *
 * Invariants:
 *  U1. Until the link or rename nothing can be seen of an upload; a file without a name goes with
 *      its descriptor, whatever kills the process. Where the file system has none such, the name is
 *      ".NAME.HEX.new", hidden, and removed on failure.
 *  U2. 201 and 204 come after the directory's fsync, never before.
 *  U3. One op is in flight or the upload waits for its peer; abandoned, it ends with that op.
 */
#include "tools/serve/upload.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/serve/answer.h"
#include "tools/serve/intake.h"
#include "tools/serve/load.h"
#include "tools/serve/server.h"

#define BUF_BYTES  262144
#define OPEN_TRIES 16
#define NAME_ROOM  300
#define KEPT_NAME  200 /* what is kept of a long name in a temporary one */

struct serve_upload {
	struct sl_op op;
	struct serve_task *task;
	struct sl_open_how how;
	struct sl_name_pair pair;
	struct statx stx;
	char dir[HTTP_PATH_BYTES];
	const char *name;
	char temp[NAME_ROOM]; /* "": none */
	char source[40];      /* the file without a name */
	int dir_fd;
	int fd;
	unsigned tries;
	bool remove;
	bool exists;
	bool named;   /* the file has the temporary name */
	bool waiting; /* for the body */
	bool writing;
	bool complete; /* the body has ended */
	bool over;     /* the body was refused; the answer waits for the write under way */
	uint64_t off;
	unsigned status; /* what to answer after a failure that still needs steps */
	char *buf[2];
	uint32_t len[2];
	uint8_t filling;
};

/* ---- the end ---------------------------------------------------------------------------- */

static void release(struct serve_upload *upload)
{
	if (upload->fd >= 0)
		close(upload->fd);
	if (upload->dir_fd >= 0)
		close(upload->dir_fd);
	free(upload->buf[0]);
	free(upload->buf[1]);
	serve_task_free(upload->task);
	free(upload);
}

/* What is left of the body is read and thrown away, unless it was not told to come, or is long. */
static void leave_body(struct serve_upload *upload, struct serve_conn *conn)
{
	const struct http_request *request = &upload->task->request;
	bool body = request->chunked || request->length;

	conn->body = upload->complete || !body ? SERVE_BODY_NONE : SERVE_BODY_SKIP;
	conn->skipped = 0;
	if (conn->body && (request->expects_continue || conn->body_left > SERVE_SKIP_MAX))
		conn->last = true;
}

/* The answer, and on to the next request. */
static void answer(struct serve_upload *upload, unsigned status, const char *extra)
{
	struct serve_task *task = upload->task;
	struct serve_conn *conn = task->conn;
	bool refused = status >= 300;

	if (refused && !upload->remove)
		server_count(&task->worker->counters.uploads_failed, 1);
	if (conn) {
		conn->upload = NULL;
		conn->busy = false;
		if (!upload->remove)
			leave_body(upload, conn);
		if (refused)
			serve_answer_status(conn, &task->request, status, extra);
		else
			serve_answer_done(conn, &task->request, status, extra);
	}
	release(upload);
	if (conn)
		serve_conn_go_on(conn);
}

static void submit(struct serve_upload *upload, sl_op_fn *done);

static void on_temp_gone(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_upload *upload = sl_op_of(op, struct serve_upload, op);

	(void)ring;
	upload->named = false;
	answer(upload, upload->status, NULL);
}

static void refuse(struct serve_upload *upload, unsigned status)
{
	if (!upload->named) {
		answer(upload, status, NULL);
		return;
	}
	upload->status = status;
	upload->named = false; /* so that a failure of this ends it */
	sl_op_unlink(&upload->op, upload->dir_fd, upload->temp, 0);
	submit(upload, on_temp_gone);
}

static void submit(struct serve_upload *upload, sl_op_fn *done)
{
	int err;

	upload->op.flags |= SL_OP_PARK;
	upload->op.done = done;
	err = sl_ring_submit(upload->task->worker->ring, &upload->op);
	if (err)
		refuse(upload, serve_status_of(err));
}

/* Whether to go on after a step. */
static bool went_well(struct serve_upload *upload, const struct sl_op *op)
{
	if (op->res >= 0 && upload->task->conn)
		return true;
	refuse(upload, op->res < 0 ? serve_status_of((int)op->res) : 503);
	return false;
}

/* ---- durable ---------------------------------------------------------------------------- */

static void on_dir_synced(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_upload *upload = sl_op_of(op, struct serve_upload, op);
	struct serve_worker *worker = upload->task->worker;
	int64_t res = op->res;

	(void)ring;
	/* What other workers know is old from here on. */
	__atomic_fetch_add(&worker->server->changes, 1, __ATOMIC_RELEASE);
	upload->named = false;
	if (res < 0) {
		answer(upload, 500, NULL); /* it is there, and nobody knows whether it will stay */
		return;
	}
	server_count(upload->remove ? &worker->counters.deletes : &worker->counters.uploads, 1);
	if (!upload->remove)
		server_count(&worker->counters.upload_bytes, upload->off);
	answer(upload, upload->remove || upload->exists ? 204 : 201, NULL);
}

static void sync_dir(struct serve_upload *upload)
{
	sl_op_sync_dir(&upload->op, upload->dir_fd);
	submit(upload, on_dir_synced);
}

static void on_renamed(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_upload *upload = sl_op_of(op, struct serve_upload, op);

	(void)ring;
	if (op->res < 0) {
		refuse(upload, op->res == -EISDIR ? 409 : serve_status_of((int)op->res));
		return;
	}
	upload->named = false;
	sync_dir(upload);
}

/* Puts the temporary name in the place of the name. */
static void rename_file(struct serve_upload *upload)
{
	upload->pair = (struct sl_name_pair){ upload->temp, upload->name, upload->dir_fd, 0 };
	sl_op_rename(&upload->op, upload->dir_fd, &upload->pair);
	submit(upload, on_renamed);
}

static void on_temp_linked(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_upload *upload = sl_op_of(op, struct serve_upload, op);

	(void)ring;
	if (op->res < 0) {
		refuse(upload, serve_status_of((int)op->res));
		return;
	}
	upload->named = true;
	rename_file(upload);
}

static void link_file(struct serve_upload *upload, const char *name, sl_op_fn *done)
{
	upload->pair =
		(struct sl_name_pair){ upload->source, name, upload->dir_fd, AT_SYMLINK_FOLLOW };
	sl_op_link(&upload->op, AT_FDCWD, &upload->pair);
	submit(upload, done);
}

static void on_linked(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_upload *upload = sl_op_of(op, struct serve_upload, op);

	(void)ring;
	if (op->res == -EEXIST && upload->task->request.if_none_match.nr) {
		refuse(upload, 412); /* somebody was faster, and it was to be new */
	} else if (op->res == -EEXIST) {
		upload->exists = true;
		link_file(upload, upload->temp, on_temp_linked);
	} else if (op->res < 0) {
		refuse(upload, serve_status_of((int)op->res));
	} else {
		sync_dir(upload);
	}
}

static void on_synced(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_upload *upload = sl_op_of(op, struct serve_upload, op);

	(void)ring;
	if (!went_well(upload, op))
		return;
	if (upload->named)
		rename_file(upload);
	else if (upload->exists)
		link_file(upload, upload->temp, on_temp_linked);
	else
		link_file(upload, upload->name, on_linked);
}

/* ---- the body --------------------------------------------------------------------------- */

static void move_on(struct serve_upload *upload);

static void on_written(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_upload *upload = sl_op_of(op, struct serve_upload, op);

	(void)ring;
	upload->writing = false;
	if (upload->over) {
		refuse(upload, upload->status);
		return;
	}
	if (!went_well(upload, op))
		return;
	upload->off += (uint64_t)op->res;
	upload->len[!upload->filling] = 0;
	move_on(upload);
}

static void write_out(struct serve_upload *upload)
{
	unsigned idx = upload->filling;

	upload->filling = !idx;
	upload->writing = true;
	sl_op_write(&upload->op, upload->fd, upload->buf[idx], upload->len[idx], upload->off);
	submit(upload, on_written);
}

/* Called when a write has ended, or the body: something else may be done now. */
static void move_on(struct serve_upload *upload)
{
	struct serve_conn *conn = upload->task->conn;
	uint32_t len = upload->len[upload->filling];

	if (upload->writing)
		return;
	if (len && (len == BUF_BYTES || upload->complete)) {
		write_out(upload);
		if (upload->complete)
			return;
	} else if (upload->complete) {
		sl_op_fsync(&upload->op, upload->fd);
		submit(upload, on_synced);
		return;
	}
	if (conn && upload->waiting && conn->busy) {
		conn->busy = false;
		serve_conn_go_on(conn);
	}
}

uint32_t serve_upload_room(struct serve_upload *upload, uint32_t len)
{
	uint32_t room = BUF_BYTES - upload->len[upload->filling];

	upload->task->conn->busy = room == 0;
	return room < len ? room : len;
}

/* The body is of no use; the answer waits for the write under way. */
static void refuse_body(struct serve_upload *upload, unsigned status)
{
	struct serve_conn *conn = upload->task->conn;

	upload->waiting = false;
	upload->over = true;
	upload->status = status;
	conn->last = true;
	conn->body = SERVE_BODY_SKIP;
	conn->busy = true;
	if (!upload->writing)
		refuse(upload, status);
}

void serve_upload_data(struct serve_upload *upload, struct http_text data)
{
	unsigned idx = upload->filling;

	if (upload->off + upload->len[!idx] + upload->len[idx] + data.len >
	    upload->task->worker->config->upload_max) {
		refuse_body(upload, 413);
		return;
	}
	memcpy(upload->buf[idx] + upload->len[idx], data.at, data.len);
	upload->len[idx] += data.len;
	if (upload->len[idx] == BUF_BYTES && !upload->writing)
		write_out(upload);
}

void serve_upload_end(struct serve_upload *upload, int rc)
{
	upload->waiting = false;
	upload->task->conn->busy = true;
	if (rc < 0) {
		refuse_body(upload, (unsigned)-rc);
		return;
	}
	upload->task->conn->body = SERVE_BODY_NONE;
	upload->complete = true;
	move_on(upload);
}

/* The connection has gone; what is in flight ends first. */
void serve_upload_abandon(struct serve_upload *upload)
{
	upload->task->conn = NULL;
	if (!sl_op_busy(&upload->op))
		refuse(upload, 503);
}

static void begin_body(struct serve_upload *upload)
{
	struct serve_conn *conn = upload->task->conn;
	const struct http_request *request = &upload->task->request;
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct serve_wire *wire;

	for (unsigned i = 0; i < 2; i++) {
		upload->buf[i] = malloc(BUF_BYTES);
		if (!upload->buf[i]) {
			refuse(upload, 503);
			return;
		}
	}
	if (request->expects_continue) {
		wire = serve_wire_new(sizeof(go_on) - 1);
		if (!wire) {
			refuse(upload, 503);
			return;
		}
		memcpy(wire->bytes, go_on, sizeof(go_on) - 1);
		serve_conn_send_wire(conn, wire, 0, wire->len);
		if (conn->closing)
			return;
		upload->task->request.expects_continue = false;
	}
	conn->body = SERVE_BODY_UPLOAD;
	conn->busy = false;
	upload->waiting = true;
	if (!request->chunked && !request->length)
		serve_upload_end(upload, 1);
	else
		serve_conn_go_on(conn);
}

/* ---- before the body -------------------------------------------------------------------- */

static void on_temp_open(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_upload *upload = sl_op_of(op, struct serve_upload, op);

	(void)ring;
	if (op->res >= 0) {
		upload->fd = (int)op->res;
		upload->named = true;
	}
	if (went_well(upload, op))
		begin_body(upload);
}

static uint64_t mode_of(const struct serve_upload *upload)
{
	return upload->exists ? upload->stx.stx_mode & 0777 : 0666;
}

static void on_nameless_open(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_upload *upload = sl_op_of(op, struct serve_upload, op);

	(void)ring;
	if (op->res == -EOPNOTSUPP || op->res == -EISDIR || op->res == -ENOENT) {
		upload->how = (struct sl_open_how){
			.flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			.mode = mode_of(upload),
		};
		sl_op_open(op, upload->dir_fd, upload->temp, &upload->how);
		submit(upload, on_temp_open);
		return;
	}
	if (op->res >= 0) {
		upload->fd = (int)op->res;
		snprintf(upload->source, sizeof(upload->source), "/proc/self/fd/%d", upload->fd);
	}
	if (went_well(upload, op))
		begin_body(upload);
}

static void name_temp(struct serve_upload *upload)
{
	snprintf(upload->temp, sizeof(upload->temp), ".%.*s.%x-%llx.new", KEPT_NAME, upload->name,
		 (unsigned)getpid(),
		 (unsigned long long)__atomic_add_fetch(&upload->task->worker->server->uploads, 1,
							__ATOMIC_RELAXED));
}

static void open_nameless(struct serve_upload *upload)
{
	name_temp(upload);
	upload->how = (struct sl_open_how){
		.flags = O_TMPFILE | O_WRONLY | O_CLOEXEC,
		.mode = mode_of(upload),
	};
	sl_op_open(&upload->op, upload->dir_fd, ".", &upload->how);
	submit(upload, on_nameless_open);
}

static void on_unlinked(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_upload *upload = sl_op_of(op, struct serve_upload, op);

	(void)ring;
	if (op->res < 0)
		refuse(upload, serve_status_of((int)op->res));
	else
		sync_dir(upload);
}

/* The tag that a GET would show. */
static int check_conditions(struct serve_upload *upload)
{
	struct serve_content *now = serve_content_new(http_text(upload->name), HTTP_CODINGS);
	struct http_validators have = { { NULL, 0 }, 0 };
	int rc;

	if (!now)
		return 503;
	if (upload->exists) {
		now->identity.ino = upload->stx.stx_ino;
		now->identity.size = upload->stx.stx_size;
		now->identity.modified_ns = upload->stx.stx_mtime.tv_sec * INT64_C(1000000000) +
					    upload->stx.stx_mtime.tv_nsec;
		now->modified = upload->stx.stx_mtime.tv_sec;
		serve_content_tag(now, true);
		have = serve_validators(now);
	}
	rc = http_condition(&upload->task->request, &have, upload->task->worker->second);
	serve_content_put(now);
	return rc;
}

static void on_stat(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_upload *upload = sl_op_of(op, struct serve_upload, op);
	int rc;

	(void)ring;
	if (op->res == -ENOENT)
		op->res = 0;
	else
		upload->exists = op->res >= 0;
	if (!went_well(upload, op))
		return;
	rc = check_conditions(upload);
	if (rc) {
		refuse(upload, (unsigned)rc);
	} else if (upload->exists && !S_ISREG(upload->stx.stx_mode)) {
		refuse(upload, 409);
	} else if (!upload->remove) {
		open_nameless(upload);
	} else if (!upload->exists) {
		refuse(upload, 404);
	} else {
		sl_op_unlink(op, upload->dir_fd, upload->name, 0);
		submit(upload, on_unlinked);
	}
}

static void open_dir(struct serve_upload *upload);

static void on_dir_open(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_upload *upload = sl_op_of(op, struct serve_upload, op);

	(void)ring;
	if (op->res == -EAGAIN && ++upload->tries < OPEN_TRIES) {
		open_dir(upload);
		return;
	}
	if ((op->res == -ENOENT || op->res == -ENOTDIR) && !upload->remove) {
		refuse(upload, 409); /* there is no such directory to put it in */
		return;
	}
	if (op->res >= 0)
		upload->dir_fd = (int)op->res;
	if (!went_well(upload, op))
		return;
	sl_op_stat(op, upload->dir_fd, upload->name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
		   &upload->stx);
	submit(upload, on_stat);
}

static void open_dir(struct serve_upload *upload)
{
	struct serve_worker *worker = upload->task->worker;

	upload->how = (struct sl_open_how){
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS,
	};
	if (!worker->config->follow)
		upload->how.resolve |= RESOLVE_BENEATH;
	sl_op_open(&upload->op, worker->site->root_fd, upload->dir, &upload->how);
	submit(upload, on_dir_open);
}

/* ---- beginning -------------------------------------------------------------------------- */

static void begin(struct serve_conn *conn, const struct http_request *request,
		  const struct http_path *path, bool remove)
{
	struct serve_upload *upload = calloc(1, sizeof(*upload));
	char *slash;

	if (upload)
		upload->task = serve_task_new(conn, request, path);
	if (!upload || !upload->task) {
		free(upload);
		conn->last = true;
		serve_answer_status(conn, request, 503, NULL);
		return;
	}
	upload->remove = remove;
	upload->fd = upload->dir_fd = -1;
	memcpy(upload->dir, path->path.at, path->path.len + 1);
	slash = strrchr(upload->dir, '/');
	upload->name = upload->task->path.path.at + (slash ? slash + 1 - upload->dir : 0);
	strcpy(slash ? slash : upload->dir, slash ? "" : ".");
	conn->upload = upload;
	conn->busy = true;
	conn->chunked = request->chunked;
	conn->body_left = request->length;
	conn->chunks = (struct http_chunked){ 0 };
	open_dir(upload);
}

/* Refused before anything is begun: the body comes all the same. */
static void refuse_early(struct serve_conn *conn, const struct http_request *request,
			 unsigned status)
{
	serve_intake_skip(conn, request);
	serve_answer_status(conn, request, status, NULL);
}

void serve_upload_begin(struct serve_conn *conn, const struct http_request *request,
			const struct http_path *path)
{
	if (path->directory)
		refuse_early(conn, request, 409);
	else if (request->content_range.at)
		refuse_early(conn, request, 400);
	else if (request->content_encoding.at)
		refuse_early(conn, request, 415);
	else if (!request->chunked && !request->has_length)
		refuse_early(conn, request, 411);
	else if (request->length > conn->worker->config->upload_max)
		refuse_early(conn, request, 413);
	else
		begin(conn, request, path, false);
}

void serve_remove_begin(struct serve_conn *conn, const struct http_request *request,
			const struct http_path *path)
{
	if (path->directory)
		serve_answer_status(conn, request, 409, NULL);
	else
		begin(conn, request, path, true);
}
