/* task.h: a request that needs the disk: its own copy of what was asked, until it is answered. */
#ifndef SLUICE_TOOLS_SERVE_TASK_H
#define SLUICE_TOOLS_SERVE_TASK_H

#include "tools/serve/conn.h"

struct serve_listing;

struct serve_task {
	struct serve_conn *conn; /* NULL: the connection has gone */
	struct serve_worker *worker;
	struct http_request request; /* its texts are in head */
	struct http_path path;	     /* and in names */
	struct serve_listing *listing;
	int64_t start_ns;
	unsigned loads;
	char *head;
	char names[HTTP_PATH_BYTES];
};

/* A GET or HEAD: answered at once from what is known, or by a task (the connection is busy). */
void serve_task_get(struct serve_conn *conn, const struct http_request *request,
		    const struct http_path *path);

/* A copy of request and path, for what goes on after the bytes have gone; NULL without memory. */
struct serve_task *serve_task_new(struct serve_conn *conn, const struct http_request *request,
				  const struct http_path *path);
void serve_task_free(struct serve_task *task);

#endif
