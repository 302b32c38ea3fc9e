/* upload.h: PUT and DELETE: the file system changed, and told so only when the change will last. */
#ifndef SLUICE_TOOLS_SERVE_UPLOAD_H
#define SLUICE_TOOLS_SERVE_UPLOAD_H

#include "tools/serve/task.h"

/* Begins a PUT: the connection is busy, and its body goes to the upload once it is wanted. */
void serve_upload_begin(struct serve_conn *conn, const struct http_request *request,
			const struct http_path *path);

/* How much of so many bytes may be given now, 0: none until the connection is told to go on. */
uint32_t serve_upload_room(struct serve_upload *upload, uint32_t len);

/* A piece of the body, within the room. */
void serve_upload_data(struct serve_upload *upload, struct http_text data);

/* The body has ended (1), or was malformed (-400) or too long (-413). */
void serve_upload_end(struct serve_upload *upload, int rc);

/* The connection has gone: nothing changes. */
void serve_upload_abandon(struct serve_upload *upload);

/* Begins a DELETE. */
void serve_remove_begin(struct serve_conn *conn, const struct http_request *request,
			const struct http_path *path);

#endif
