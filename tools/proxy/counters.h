/* counters.h: what a worker counts; written by its thread alone, read by the one that is asked. */
#ifndef SLUICE_TOOLS_PROXY_COUNTERS_H
#define SLUICE_TOOLS_PROXY_COUNTERS_H

#include "tools/server/counter.h"

/* Each: member, name of the metric, type, help. */
#define PROXY_COUNTERS(X)                                                                  \
	X(connections, "connections_accepted_total", "counter", "Connections accepted")    \
	X(connections_now, "connections", "gauge", "Connections open now")                 \
	X(accept_pauses, "accept_pauses_total", "counter",                                 \
	  "Times that accepting stopped, since there were as many connections as allowed") \
	X(accept_starved, "accept_starved_total", "counter",                               \
	  "Times that descriptors or memory ran out in accept")                            \
	X(retries, "connect_retries_total", "counter",                                     \
	  "Attempts to connect beyond the first of a connection")

/* Why connections ended: member, word in logs and metrics. */
#define PROXY_ENDS(X)                       \
	X(DONE, "done")                     \
	X(CLIENT_LIMIT, "client-limit")     \
	X(CLIENT_LEFT, "client-left")       \
	X(BAD_HEADER, "bad-proxy-header")   \
	X(BAD_HELLO, "bad-client-hello")    \
	X(SLOW_HELLO, "slow-hello")         \
	X(NO_ROUTE, "no-route")             \
	X(NO_UPSTREAM, "no-upstream")       \
	X(TIMEOUT, "timeout")               \
	X(CLIENT_ERROR, "client-error")     \
	X(UPSTREAM_ERROR, "upstream-error") \
	X(OVERLOAD, "overload")             \
	X(CUT, "cut")

enum proxy_end {
#define MEMBER(name, word) PROXY_END_##name,
	PROXY_ENDS(MEMBER)
#undef MEMBER
	PROXY_END_NR,
};

struct proxy_counters {
#define MEMBER(member, name, type, help) uint64_t member;
	PROXY_COUNTERS(MEMBER)
#undef MEMBER
	uint64_t ends[PROXY_END_NR];
};

#endif
