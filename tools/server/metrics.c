/* metrics.c: numbers in the text format of Prometheus; see metrics.h. */
#include "tools/server/metrics.h"

void server_put_metric_head(struct server_writer *out, const struct server_metric *metric)
{
	server_put_string(out, "# HELP ");
	server_put_string(out, metric->name);
	server_put(out, " ", 1);
	server_put_string(out, metric->help);
	server_put_string(out, "\n# TYPE ");
	server_put_string(out, metric->name);
	server_put(out, " ", 1);
	server_put_string(out, metric->type);
	server_put(out, "\n", 1);
}

void server_put_metric(struct server_writer *out, const struct server_metric *metric)
{
	server_put_metric_head(out, metric);
	server_put_string(out, metric->name);
	server_put(out, " ", 1);
	server_put_number(out, metric->value);
	server_put(out, "\n", 1);
}
