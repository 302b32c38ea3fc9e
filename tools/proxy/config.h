/* config.h: what `sluice proxy` was told to do; fixed for the life of the process. */
#ifndef SLUICE_TOOLS_PROXY_CONFIG_H
#define SLUICE_TOOLS_PROXY_CONFIG_H

#include "tools/cli.h"
#include "tools/proxy/balance.h"

struct proxy_config {
	char **upstreams; /* the operands */
	unsigned upstreams_nr;
	struct cli_list sni;
	const char *file; /* more of both, read again by a reload; NULL: none */
	struct cli_list listen;
	struct cli_list proxy_from; /* ADDRESS[/BITS]: peers that begin with a PROXY header */
	unsigned send_proxy;	    /* version; 0: none */
	enum proxy_balance balance;
	const char *metrics;
	const char *access_log;
	bool json;
	const char *user;
	bool unconfined;
	bool copy;	     /* no splice */
	const char *backend; /* of rings; NULL: the best that works */
	uint64_t workers;
	uint64_t connections_max; /* of all workers; 0: as many as are usual and possible */
	uint64_t client_max;	  /* connections of one address; 0: no limit */
	uint64_t retries;
	uint64_t check_ns; /* between active checks; 0: none */
	uint64_t rise;
	uint64_t fall;
	uint64_t rest_ns; /* without active checks: how long one that failed is left alone */
	uint64_t connect_ns;
	uint64_t hello_ns;
	uint64_t idle_ns;
	uint64_t half_ns;
	uint64_t drain_ns;
};

#endif
