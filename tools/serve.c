/* sluice serve: an HTTP/1.1 server for the files beneath a directory. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "serve/server.h"
#include "server/crew.h"

#define SECOND UINT64_C(1000000000)
#define HOUR   (3600 * SECOND)

static int choose_format(const char *name, struct serve_config *config)
{
	static const char *const names[] = { "combined", "common", "json" };

	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(name, names[i]) == 0) {
			config->log_format = (enum serve_log_format)i;
			return CLI_DONE;
		}
	}
	return cli_usage("--log-format", "want combined, common or json");
}

/* An index is a name, not a path: paths would lead out of the directory. */
static int check_index(struct serve_config *config)
{
	if (!config->index.nr) {
		config->index.value[0] = "index.html";
		config->index.nr = 1;
	}
	for (uint32_t i = 0; i < config->index.nr; i++) {
		const char *name = config->index.value[i];

		if (!name[0] || strchr(name, '/') || strlen(name) > 255)
			return cli_usage("--index", "want the name of a file, such as index.html");
	}
	return CLI_DONE;
}

static int check_tls(const struct serve_config *config)
{
	if (config->tls_certs.nr != config->tls_keys.nr)
		return cli_usage(config->tls_keys.nr < config->tls_certs.nr ? "--tls-cert" :
									      "--tls-key",
				 "want a --tls-key for each --tls-cert, in the same order");
	if (config->tls_min && strcmp(config->tls_min, "1.2") && strcmp(config->tls_min, "1.3"))
		return cli_usage("--tls-min", "want 1.2 or 1.3");
	if ((config->tls_min || config->no_ktls) && !config->tls_certs.nr)
		return cli_usage(config->tls_min ? "--tls-min" : "--no-ktls",
				 "want --tls-cert too");
	return CLI_DONE;
}

static int check_confinement(const struct serve_config *config)
{
	if (config->confine_to && config->unconfined)
		return cli_usage("--confine-to", "want either this or --unconfined");
	return CLI_DONE;
}

static const char notes[] =
	"ADDRESS is 127.0.0.1:8080, [::1]:8080, :8080 (all of the machine's), a port of 0 for a\n"
	"free one, or unix:PATH; without any it is 127.0.0.1:8080. Sockets passed by systemd are\n"
	"served too. A line on stderr says where it listens.\n\n"
	"SIGHUP opens the directory, the log, the types, the error pages and the certificates\n"
	"anew. SIGTERM and SIGINT drain: requests under way are finished, then it ends with 0; a\n"
	"second one, or the limit of --drain, ends it at once and says how many connections were\n"
	"cut.\n\n"
	"Nothing outside DIR is served: links that lead out are not followed, unless --follow.\n"
	"PUT answers 201 or 204 when the file will survive a power cut, and not before.";

static const char example[] = "sluice serve /srv/www --listen :8080 --access-log /var/log/www.log\n"
			      "sluice serve . --list\n"
			      "curl -T backup.tar http://127.0.0.1:8080/backup.tar\n";

static struct serve_config config = {
	.upload_max = UINT64_C(1) << 40,
	.cache_files = 4096,
	.cache_bytes = 64 << 20,
	.cache_file_bytes = 64 << 10,
	.cache_valid_ns = SECOND,
	.direct_bytes = 8 << 20,
	.header_ns = 10 * SECOND,
	.idle_ns = 60 * SECOND,
	.stall_ns = 30 * SECOND,
	.drain_ns = 30 * SECOND,
};

static const char *log_format = "combined";

static const struct cli_option table[] = {
	{ "listen", CLI_LIST, &config.listen, "ADDRESS", "serve here (again for more)" },
	{ "writable", CLI_FLAG, &config.writable, NULL, "allow PUT and DELETE" },
	{ "list", CLI_FLAG, &config.list, NULL, "show directories without an index" },
	{ "index", CLI_LIST, &config.index, "NAME", "index of a directory [index.html]" },
	{ "hidden", CLI_FLAG, &config.hidden, NULL, "serve names that begin with a dot" },
	{ "follow", CLI_FLAG, &config.follow, NULL, "follow links that lead out of DIR" },
	{ "no-precompressed", CLI_FLAG, &config.plain, NULL,
	  "do not send FILE.zst, .br or .gz in place of FILE" },
	{ "types", CLI_STRING, &config.types, "FILE", "media types, as in mime.types(5)" },
	{ "error-pages", CLI_STRING, &config.error_pages, "DIR",
	  "take error pages from DIR/404.html and so on" },
	{ "access-log", CLI_STRING, &config.access_log, "FILE",
	  "write a line for each request; - is stdout" },
	{ "log-format", CLI_STRING, &log_format, "FORMAT", "combined, common or json" },
	{ "metrics", CLI_STRING, &config.metrics, "ADDRESS", "serve /metrics and /health here" },
	{ "health", CLI_STRING, &config.health, "PATH",
	  "answer this path with ok on the served addresses too" },
	{ "user", CLI_STRING, &config.user, "NAME", "become this user once listening" },
	{ "tls-cert", CLI_LIST, &config.tls_certs, "FILE",
	  "speak TLS, with this certificate chain (again for more names)" },
	{ "tls-key", CLI_LIST, &config.tls_keys, "FILE",
	  "the private key of the certificate, in the same order" },
	{ "tls-min", CLI_STRING, &config.tls_min, "VERSION", "oldest TLS: 1.2 or 1.3 [1.2]" },
	{ "no-ktls", CLI_FLAG, &config.no_ktls, NULL,
	  "make TLS records in user space, also where the kernel can" },
	{ "unconfined", CLI_FLAG, &config.unconfined, NULL, "do without Landlock and seccomp" },
	{ "confine-to", CLI_STRING, &config.confine_to, "DIR",
	  "reloads may take any directory beneath this one" },
	{ "backend", CLI_STRING, &config.backend, "NAME",
	  "uring, epoll or poll, and none else [the best that works]" },
	{ "workers", CLI_COUNT, &config.workers, "N",
	  "threads, each with a ring [one per processor]", 1, SERVER_WORKERS_MAX },
	{ "max-connections", CLI_COUNT, &config.connections_max, "N",
	  "connections at a time [10000]", 1, 1000000 },
	{ "max-per-client", CLI_COUNT, &config.client_max, "N",
	  "of these from one address [no limit]", 1, 1000000 },
	{ "max-upload", CLI_SIZE, &config.upload_max, "SIZE", "largest PUT [1T]", 1, 0 },
	{ "rate", CLI_SIZE, &config.rate, "SIZE",
	  "bytes a second of files on each connection [no limit]", 1024, UINT64_C(1) << 40 },
	{ "cache-files", CLI_COUNT, &config.cache_files, "N",
	  "files kept open by each worker [4096]", 64, 1000000 },
	{ "cache-memory", CLI_SIZE, &config.cache_bytes, "SIZE",
	  "memory for small files, of each worker [64M]", 1 << 20, 0 },
	{ "cache-file", CLI_SIZE, &config.cache_file_bytes, "SIZE",
	  "largest file kept in memory [64K]", 0, 16 << 20 },
	{ "cache-valid", CLI_DURATION, &config.cache_valid_ns, "TIME",
	  "look at a file again after [1s]", 0, HOUR },
	{ "direct-file", CLI_SIZE, &config.direct_bytes, "SIZE",
	  "read cold files from this size on past the page cache; 0: none [8M]", 0, 0 },
	{ "header-timeout", CLI_DURATION, &config.header_ns, "TIME",
	  "a request's head must be there within [10s]", SECOND, HOUR },
	{ "idle-timeout", CLI_DURATION, &config.idle_ns, "TIME",
	  "the next request must begin within [60s]", SECOND, HOUR },
	{ "stall-timeout", CLI_DURATION, &config.stall_ns, "TIME",
	  "cut peers below 1 KiB/s for so long [30s]", SECOND, HOUR },
	{ "drain", CLI_DURATION, &config.drain_ns, "TIME", "finish what is under way within [30s]",
	  0, HOUR },
	{ NULL },
};

int serve_main(int argc, char **argv)
{
	const struct cli_command command = {
		.name = "serve",
		.summary = "an HTTP server for the files beneath a directory",
		.operands = "DIR",
		.operands_min = 1,
		.operands_max = 1,
		.options = table,
		.notes = notes,
		.example = example,
	};
	int code, first;

	config.workers = server_processors();
	first = cli_parse(&command, argc, argv, &code);
	if (first < 0)
		return code;
	config.root = argv[first];
	code = choose_format(log_format, &config);
	if (code == CLI_DONE)
		code = check_index(&config);
	if (code == CLI_DONE)
		code = check_tls(&config);
	if (code == CLI_DONE)
		code = check_confinement(&config);
	return code == CLI_DONE ? serve_server_run(&config) : code;
}
