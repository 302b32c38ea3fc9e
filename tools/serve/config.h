/* config.h: what `sluice serve` was told to do; fixed for the life of the process. */
#ifndef SLUICE_TOOLS_SERVE_CONFIG_H
#define SLUICE_TOOLS_SERVE_CONFIG_H

#include "tools/cli.h"

enum serve_log_format {
	SERVE_LOG_COMBINED = 0,
	SERVE_LOG_COMMON,
	SERVE_LOG_JSON,
};

struct serve_config {
	const char *root;
	struct cli_list listen;
	const char *metrics;
	const char *health; /* path that answers "ok" on the served addresses too; NULL: none */
	struct cli_list index;
	const char *error_pages;
	const char *access_log;
	enum serve_log_format log_format;
	const char *user;
	const char *types;
	struct cli_list tls_certs;
	struct cli_list tls_keys; /* as many */
	const char *tls_min;
	bool no_ktls;
	bool writable;
	bool follow;
	bool list;
	bool hidden;
	bool plain; /* do not look for precompressed files */
	bool unconfined;
	const char *confine_to; /* instead of root; NULL: root */
	const char *backend;	/* of rings; NULL: the best that works */
	uint64_t workers;
	uint64_t connections_max; /* of all workers; 0: as many as are usual and possible */
	uint64_t client_max;	  /* connections of one address; 0: no limit */
	uint64_t rate;		  /* bytes a second of files on a connection; 0: no limit */
	uint64_t upload_max;
	uint64_t cache_files;
	uint64_t cache_bytes;
	uint64_t cache_file_bytes;
	uint64_t cache_valid_ns;
	uint64_t direct_bytes; /* smallest file that is read past the page cache; 0: none is */
	uint64_t header_ns;
	uint64_t idle_ns;
	uint64_t stall_ns; /* longest time without progress of a body or an answer */
	uint64_t drain_ns;
};

#endif
