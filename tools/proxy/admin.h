/* admin.h: /metrics and /health over HTTP, one request a connection. */
#ifndef SLUICE_TOOLS_PROXY_ADMIN_H
#define SLUICE_TOOLS_PROXY_ADMIN_H

#include <stdbool.h>

#include <sluice/op.h>

#include "tools/server/writer.h"

#define PROXY_ASKERS_MAX    16
#define PROXY_ASK_BYTES	    2048
#define PROXY_METRICS_BYTES 262144

struct proxy_worker;

/* One who asks; fd <= 0: none. */
struct proxy_asker {
	struct proxy_worker *worker;
	struct sl_op op;
	int fd;
	bool used;
	size_t len;
	size_t at;
	char *out; /* the answer; NULL: still asking */
	char in[PROXY_ASK_BYTES];
};

/* A connection was accepted where the metrics are. */
void proxy_admin_start(struct proxy_worker *worker, int fd);

void proxy_admin_cut(struct proxy_worker *worker);
bool proxy_admin_busy(const struct proxy_worker *worker);

#endif
