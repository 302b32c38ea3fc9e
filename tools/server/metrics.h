/* metrics.h: numbers in the text format of Prometheus (version 0.0.4). */
#ifndef SLUICE_TOOLS_SERVER_METRICS_H
#define SLUICE_TOOLS_SERVER_METRICS_H

#include "tools/server/writer.h"

#define SERVER_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct server_metric {
	const char *name; /* with its prefix */
	const char *type;
	const char *help;
	uint64_t value;
};

/* What it is, ahead of its values. */
void server_put_metric_head(struct server_writer *out, const struct server_metric *metric);

/* The same and its one value. */
void server_put_metric(struct server_writer *out, const struct server_metric *metric);

#endif
