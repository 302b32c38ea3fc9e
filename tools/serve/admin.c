/* admin.c: what the server says of itself, in the text format of Prometheus (version 0.0.4). */
#include "tools/serve/admin.h"

#include <stdlib.h>

#include "tools/serve/answer.h"
#include "tools/serve/server.h"
#include "tools/server/metrics.h"

#define METRICS_BYTES 65536
#define PREFIX	      "sluice_serve_"

/* The sum over all workers of the counter at an offset. */
static uint64_t sum(const struct serve_server *server, size_t offset)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < server->workers; i++)
		value += server_count_read(
			(const uint64_t *)((const char *)&server->worker[i] + offset));
	return value;
}

#define SUM(server, member) sum(server, offsetof(struct serve_worker, member))

static void put_counters(struct server_writer *out, const struct serve_server *server)
{
#define METRIC(member, name, type, help)                                         \
	server_put_metric(out, &(struct server_metric){ PREFIX name, type, help, \
							SUM(server, counters.member) });
	SERVE_COUNTERS(METRIC)
#undef METRIC
	server_put_metric(out, &(struct server_metric){ PREFIX "log_lines_total", "counter",
							"Lines written to the access log",
							SUM(server, log.lines) });
	server_put_metric(out,
			  &(struct server_metric){
				  PREFIX "log_lines_lost_total", "counter",
				  "Lines lost, since the log took them too slowly or not at all",
				  SUM(server, log.lost) });
}

static void put_statuses(struct server_writer *out, const struct serve_server *server)
{
	server_put_metric_head(out, &(struct server_metric){ PREFIX "responses_total", "counter",
							     "Answers by class", 0 });
	for (unsigned class = 1; class < 6; class ++) {
		server_put_string(out, PREFIX "responses_total{class=\"");
		server_put_number(out, class);
		server_put_string(out, "xx\"} ");
		server_put_number(out, SUM(server, counters.status[class]));
		server_put(out, "\n", 1);
	}
}

static void put_cache(struct server_writer *out, const struct serve_server *server)
{
#define CACHE(member, name, type, help)                                          \
	server_put_metric(out, &(struct server_metric){ PREFIX name, type, help, \
							SUM(server, cache.stats.member) });
	CACHE(hits, "cache_hits_total", "counter", "Names answered from the cache of open files")
	CACHE(misses, "cache_misses_total", "counter", "Names that were not in it")
	CACHE(stale, "cache_stale_total", "counter", "Names that were looked at again")
	CACHE(evicted, "cache_evicted_total", "counter", "Entries pushed out")
	CACHE(entries, "cache_entries", "gauge", "Entries now")
	CACHE(bytes, "cache_bytes", "gauge", "Bytes in memory now")
#undef CACHE
}

static void put_tls(struct server_writer *out, const struct serve_server *server,
		    const struct server_tls *tls)
{
#define SECURE(member, name, type, help)                                         \
	server_put_metric(out, &(struct server_metric){ PREFIX name, type, help, \
							SUM(server, secures.member) });
	SERVE_SECURE_COUNTERS(SECURE)
#undef SECURE
	server_put_metric(out, &(struct server_metric){
				       PREFIX "tls_certificate_expires_seconds", "gauge",
				       "When the first of the certificates expires, since 1970",
				       (uint64_t)server_tls_expires(tls) });
}

/* How the bytes of files went out: from the page cache, or read around or into it. */
static void put_pump(struct server_writer *out, const struct serve_server *server)
{
	struct sl_sock_pump_stats stats = { 0 };

	for (unsigned i = 0; i < server->workers; i++) {
		if (server->worker[i].streams.pump)
			sl_sock_pump_stats(server->worker[i].streams.pump, &stats);
	}
#define PUMP(member, name, help)                                                               \
	server_put_metric(out, &(struct server_metric){ PREFIX name "_total", "counter", help, \
							stats.member });
	PUMP(memory_bytes, "memory_bytes", "Bytes sent from memory")
	PUMP(hot_bytes, "hot_bytes", "Bytes sent from the page cache without a copy")
	PUMP(cold_bytes, "cold_bytes", "Bytes read from files, then sent")
	PUMP(direct_bytes, "direct_bytes", "Of these: read past the page cache")
	PUMP(hot_slices, "hot_slices", "Parts of files found in the page cache")
	PUMP(cold_slices, "cold_slices", "Parts of files found not there")
	PUMP(stalls, "stalls", "Times that a peer did not take what was sent")
#undef PUMP
}

static void answer_metrics(struct serve_conn *conn, const struct http_request *request)
{
	const struct serve_server *server = conn->worker->server;
	char *buf = malloc(METRICS_BYTES);
	struct server_writer out;

	if (!buf) {
		serve_answer_status(conn, request, 503, NULL);
		return;
	}
	out = server_writer(buf, METRICS_BYTES);
	put_counters(&out, server);
	put_statuses(&out, server);
	put_cache(&out, server);
	put_pump(&out, server);
	if (conn->worker->site->tls)
		put_tls(&out, server, conn->worker->site->tls);
	server_put_metric(&out, &(struct server_metric){ PREFIX "workers", "gauge",
							 "Worker threads", server->workers });
	server_crew_put_metrics(&server->crew, &out, PREFIX);
	server_put_metric(&out, &(struct server_metric){
					PREFIX "reloads_total", "counter", "Reloads done",
					__atomic_load_n(&server->crew.reloads, __ATOMIC_RELAXED) });
	serve_answer_text(conn, request, 200, SERVER_METRICS_TYPE,
			  (struct http_text){ buf, (uint32_t)server_written(&out) });
	free(buf);
}

static bool is(const struct http_request *request, const char *path)
{
	return request->target.len == strlen(path) &&
	       memcmp(request->target.at, path, request->target.len) == 0;
}

void serve_admin_health(struct serve_conn *conn, const struct http_request *request)
{
	bool draining = conn->worker->draining;

	serve_answer_text(conn, request, draining ? 503 : 200, "text/plain; charset=utf-8",
			  http_text(draining ? "draining\n" : "ok\n"));
}

void serve_admin_answer(struct serve_conn *conn, const struct http_request *request)
{
	if (is(request, "/metrics"))
		answer_metrics(conn, request);
	else if (is(request, "/health"))
		serve_admin_health(conn, request);
	else
		serve_answer_status(conn, request, 404, NULL);
}
