/* intake.h: what a connection hears: bytes become heads and bodies, and heads requests. */
#ifndef SLUICE_TOOLS_SERVE_INTAKE_H
#define SLUICE_TOOLS_SERVE_INTAKE_H

#include "tools/serve/conn.h"

/* Bytes came: as many as make sense now are used up, the others kept. Return: 0, or -ENOMEM: there
 * are more than any peer has reason to send. */
int serve_intake_take(struct serve_conn *conn, const char *data, size_t len);

/* What was kept may make sense by now. */
void serve_intake_go_on(struct serve_conn *conn);

/* Nobody will read what was kept. */
void serve_intake_drop(struct serve_conn *conn);

/* The body of a request, if it has one, is read and thrown away; one that is too long for that, or
 * may never come, makes the request the last. */
void serve_intake_skip(struct serve_conn *conn, const struct http_request *request);

/* Answers with a status (-rc) and reads no further request. */
void serve_intake_refuse(struct serve_conn *conn, const struct http_request *request, int rc);

#endif
