/*
 * task.c: which file answers a GET: the path itself, an index in it, or a compressed twin.
 *
 * The choice is made from the cache alone, from the beginning each time. What the cache does not
 * know is loaded, and the choice made again; what was looked at since the task began counts as
 * known.
 */
#include "tools/serve/task.h"

#include <stdio.h>
#include <stdlib.h>

#include "tools/serve/answer.h"
#include "tools/serve/listing.h"
#include "tools/serve/load.h"
#include "tools/serve/server.h"

#define LOADS_MAX 64

enum verdict {
	ANSWERED = 0,
	LOAD, /* look at what is wanted, then choose again */
	LIST, /* make a page of the directory */
};

/* One choice being made. */
struct choice {
	struct serve_conn *conn;
	const struct http_request *request;
	const struct http_path *path;
	int64_t since_ns;
	struct serve_wanted wanted;
	char *name; /* where a longer name than the path's is put together */
};

#define NAME_BYTES (HTTP_PATH_BYTES + 300)

static struct serve_content *find(struct choice *choice, struct http_text key, const char *type,
				  unsigned coding)
{
	struct serve_content *stale;
	struct serve_content *found = serve_cache_find(&choice->conn->worker->cache, key, coding,
						       choice->since_ns, &stale);

	if (!found)
		choice->wanted = (struct serve_wanted){ key, type, coding, stale };
	return found;
}

static struct http_text join(struct choice *choice, struct http_text left, const char *middle,
			     const char *right)
{
	int len = snprintf(choice->name, NAME_BYTES, "%.*s%s%s", (int)left.len, left.at, middle,
			   right);

	return (struct http_text){ choice->name, len < NAME_BYTES ? (uint32_t)len : 0 };
}

/* A compressed twin that the client takes and that is no older than the file. */
static enum verdict choose_coding(struct choice *choice, struct serve_content *content)
{
	struct http_text base = { content->key, content->key_len };
	uint8_t codings[HTTP_CODINGS];
	unsigned nr = http_codings(&choice->request->accept_encoding, codings);

	for (unsigned i = 0; i < nr; i++) {
		struct http_text key = join(choice, base, "", http_coding_suffix[codings[i]]);
		struct serve_content *twin =
			key.len ? find(choice, key, content->type, codings[i]) : content;

		if (!twin)
			return LOAD;
		if (twin->kind == SERVE_FILE && twin != content &&
		    twin->modified >= content->modified) {
			content = twin;
			break;
		}
	}
	serve_answer_content(choice->conn, choice->request, content);
	return ANSWERED;
}

static enum verdict answer_file(struct choice *choice, struct serve_content *content)
{
	if (!choice->conn->worker->config->plain && choice->request->accept_encoding.nr)
		return choose_coding(choice, content);
	serve_answer_content(choice->conn, choice->request, content);
	return ANSWERED;
}

/* A directory asked for without its slash: links in its page would lead elsewhere. */
static void redirect(struct choice *choice)
{
	char extra[3 * HTTP_PATH_BYTES + HTTP_TARGET_MAX + 32];
	struct server_writer out = server_writer(extra, sizeof(extra) - 1);

	server_put_string(&out, "Location: /");
	out.at += http_escape_path(choice->path->path, out.at, (size_t)(out.end - out.at));
	server_put(&out, "/", 1);
	if (choice->path->query.at) {
		server_put(&out, "?", 1);
		server_put_text(&out, choice->path->query);
	}
	server_put(&out, "\r\n", 2);
	*out.at = '\0';
	serve_answer_status(choice->conn, choice->request, out.full ? 414 : 301,
			    out.full ? NULL : extra);
}

static enum verdict answer_directory(struct choice *choice)
{
	const struct serve_config *config = choice->conn->worker->config;

	if (!choice->path->directory) {
		redirect(choice);
		return ANSWERED;
	}
	for (uint32_t i = 0; i < config->index.nr; i++) {
		struct http_text key =
			join(choice, choice->path->path, "/", config->index.value[i]);
		struct serve_content *content;

		/* Beneath the root itself names have no "./" before them: one key for one file. */
		if (choice->path->path.len == 1 && choice->path->path.at[0] == '.')
			key = (struct http_text){ key.at + 2, key.len - 2 };
		content = find(choice, key, NULL, HTTP_CODINGS);
		if (!content)
			return LOAD;
		if (content->kind == SERVE_FILE)
			return answer_file(choice, content);
	}
	if (config->list)
		return LIST;
	serve_answer_status(choice->conn, choice->request, 404, NULL);
	return ANSWERED;
}

static enum verdict choose(struct choice *choice)
{
	struct serve_content *content = find(choice, choice->path->path, NULL, HTTP_CODINGS);

	if (!content)
		return LOAD;
	if (content->kind == SERVE_DIRECTORY)
		return answer_directory(choice);
	if (content->kind == SERVE_FILE && !choice->path->directory)
		return answer_file(choice, content);
	serve_answer_status(choice->conn, choice->request,
			    content->kind == SERVE_FILE ? 404 : content->status, NULL);
	return ANSWERED;
}

/* ---- tasks ------------------------------------------------------------------------------ */

struct serve_task *serve_task_new(struct serve_conn *conn, const struct http_request *request,
				  const struct http_path *path)
{
	struct serve_task *task = malloc(sizeof(*task));
	ptrdiff_t moved;

	if (!task)
		return NULL;
	memset(task, 0, offsetof(struct serve_task, names));
	task->head = malloc(request->head.len);
	if (!task->head) {
		free(task);
		return NULL;
	}
	memcpy(task->head, request->head.at, request->head.len);
	http_request_parse(task->head, request->head.len, &task->request);
	memcpy(task->names, path->path.at, path->path.len + 1);
	task->path = *path;
	task->path.path.at = task->names;
	moved = task->head - request->head.at;
	if (path->query.at)
		task->path.query.at += moved;
	task->conn = conn;
	task->worker = conn->worker;
	task->start_ns = sl_ring_now(conn->worker->ring);
	return task;
}

void serve_task_free(struct serve_task *task)
{
	free(task->head);
	free(task);
}

static void run(struct serve_task *task);

/* The connection may have gone meanwhile: what was loaded is in the cache, and that is all. */
static void on_loaded(void *ctx, struct serve_content *content)
{
	struct serve_task *task = ctx;
	struct serve_conn *conn = task->conn;

	if (!conn) {
		serve_task_free(task);
		return;
	}
	/* What is not kept cannot be found by another choice. */
	if (content->listed) {
		run(task);
		return;
	}
	conn->task = NULL;
	conn->busy = false;
	serve_answer_status(conn, &task->request, content->status, NULL);
	serve_task_free(task);
	serve_conn_go_on(conn);
}

static void on_listed(struct serve_task *task)
{
	struct serve_conn *conn = task->conn;

	serve_task_free(task);
	if (!conn)
		return;
	conn->task = NULL;
	conn->busy = false;
	serve_conn_go_on(conn);
}

/* Return: whether the task goes on. */
static bool go_on(struct serve_task *task, struct choice *choice, enum verdict verdict)
{
	int err = 0;

	if (verdict == LOAD && ++task->loads > LOADS_MAX)
		err = -EAGAIN;
	else if (verdict == LOAD)
		err = serve_load_start(task->worker, &choice->wanted, on_loaded, task);
	else if (verdict == LIST)
		err = serve_listing_start(task, on_listed);
	else
		return false;
	if (err)
		serve_answer_status(task->conn, &task->request, serve_status_of(err), NULL);
	return err == 0;
}

static void run(struct serve_task *task)
{
	struct serve_conn *conn = task->conn;
	char name[NAME_BYTES];
	struct choice choice = {
		.conn = conn,
		.request = &task->request,
		.path = &task->path,
		.since_ns = task->start_ns,
		.name = name,
	};

	if (go_on(task, &choice, choose(&choice)))
		return;
	conn->task = NULL;
	conn->busy = false;
	serve_task_free(task);
	serve_conn_go_on(conn);
}

/* Something was put or removed, perhaps by another worker: what was known before is old. */
static void notice_changes(struct serve_worker *worker)
{
	/* Pairs with the release in upload.c: the change itself is seen by who sees the number. */
	uint32_t changes = __atomic_load_n(&worker->server->changes, __ATOMIC_ACQUIRE);

	if (changes == worker->changes)
		return;
	worker->changes = changes;
	worker->cache.floor_ns = sl_ring_clock(worker->ring);
}

void serve_task_get(struct serve_conn *conn, const struct http_request *request,
		    const struct http_path *path)
{
	char name[NAME_BYTES];
	struct choice choice = {
		.conn = conn,
		.request = request,
		.path = path,
		.since_ns = sl_ring_now(conn->worker->ring),
		.name = name,
	};
	struct serve_task *task;
	enum verdict verdict;

	notice_changes(conn->worker);
	verdict = choose(&choice);

	if (verdict == ANSWERED)
		return;
	task = serve_task_new(conn, request, path);
	if (!task) {
		serve_answer_status(conn, request, 503, NULL);
		return;
	}
	if (go_on(task, &choice, verdict)) {
		conn->task = task;
		conn->busy = true;
	} else {
		serve_task_free(task);
	}
}
