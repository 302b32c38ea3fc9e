/* counters.h: what a worker counts; written by its thread alone, read by the one that is asked. */
#ifndef SLUICE_TOOLS_SERVE_COUNTERS_H
#define SLUICE_TOOLS_SERVE_COUNTERS_H

#include "tools/server/counter.h"

/* Each: member, name of the metric, type, help. */
#define SERVE_COUNTERS(X)                                                                     \
	X(connections, "connections_accepted_total", "counter", "Connections accepted")       \
	X(connections_now, "connections", "gauge", "Connections open now")                    \
	X(connections_refused, "connections_refused_total", "counter",                        \
	  "Connections answered 503, since their address had too many")                       \
	X(connections_evicted, "connections_evicted_total", "counter",                        \
	  "Idle connections closed to make room for new ones")                                \
	X(connections_timed_out, "connections_timed_out_total", "counter",                    \
	  "Connections ended because the peer was too slow")                                  \
	X(accept_pauses, "accept_pauses_total", "counter",                                    \
	  "Times that accepting stopped, since there were as many connections as allowed")    \
	X(accept_starved, "accept_starved_total", "counter",                                  \
	  "Times that descriptors or memory ran out in accept")                               \
	X(requests, "requests_total", "counter", "Requests answered")                         \
	X(body_bytes, "body_bytes_total", "counter", "Bytes of bodies in answers")            \
	X(uploads, "uploads_total", "counter", "Files made durable by PUT")                   \
	X(upload_bytes, "upload_bytes_total", "counter", "Bytes of these")                    \
	X(uploads_failed, "uploads_failed_total", "counter", "PUT that left the old content") \
	X(deletes, "deletes_total", "counter", "Files removed by DELETE")                     \
	X(files_changed, "files_changed_total", "counter",                                    \
	  "Answers cut short because their file became shorter or could not be read")

struct serve_counters {
#define MEMBER(member, name, type, help) uint64_t member;
	SERVE_COUNTERS(MEMBER)
#undef MEMBER
	uint64_t status[6]; /* by class: 2 is 2xx */
};

#endif
