/* admin.h: what the server says of itself: metrics for Prometheus, and whether it is well. */
#ifndef SLUICE_TOOLS_SERVE_ADMIN_H
#define SLUICE_TOOLS_SERVE_ADMIN_H

#include "tools/serve/conn.h"

/* A request to the address of --metrics: /metrics, /health; anything else is 404. */
void serve_admin_answer(struct serve_conn *conn, const struct http_request *request);

/* 200 "ok", or 503 "draining": a load balancer then sends no more. */
void serve_admin_health(struct serve_conn *conn, const struct http_request *request);

#endif
