/* sluice proxy: hands connections on to other servers. */
#include <string.h>

#include "commands.h"
#include "proxy/server.h"
#include "server/crew.h"
#include "server/listen.h"

#define SECOND UINT64_C(1000000000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

static int choose_balance(const char *name, struct proxy_config *config)
{
	static const char *const names[] = { "round-robin", "least-connections", "hash" };

	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(name, names[i]) == 0) {
			config->balance = (enum proxy_balance)i;
			return CLI_DONE;
		}
	}
	return cli_usage("--balance", "want round-robin, least-connections or hash");
}

static int choose_version(const char *name, struct proxy_config *config)
{
	if (!name)
		return CLI_DONE;
	if (strcmp(name, "v1") != 0 && strcmp(name, "v2") != 0)
		return cli_usage("--send-proxy", "want v1 or v2");
	config->send_proxy = (unsigned)(name[1] - '0');
	return CLI_DONE;
}

static int choose_format(const char *name, struct proxy_config *config)
{
	config->json = strcmp(name, "json") == 0;
	if (!config->json && strcmp(name, "common") != 0)
		return cli_usage("--log-format", "want common or json");
	return CLI_DONE;
}

static const char notes[] =
	"UPSTREAM is 127.0.0.1:8000, [::1]:8000, name:8000 or unix:PATH, and perhaps ,weight=3\n"
	"behind it. ADDRESS is 127.0.0.1:443, [::1]:443, :443 (all of the machine's), a port\n"
	"of 0 for a free one, or unix:PATH. Sockets passed by systemd are served too. A line\n"
	"on stderr says where it listens.\n\n"
	"SIGHUP reads --config again, looks names up anew and opens the log anew. SIGTERM and\n"
	"SIGINT drain: no more is accepted, connections go on to their end, then it ends with\n"
	"0; a second one, or the limit of --drain, cuts what is left and says how many.\n\n"
	"With --sni connections must begin with TLS, which is not decrypted; names without a\n"
	"route go to UPSTREAM, or are closed where there is none.";

static const char example[] =
	"sluice proxy --listen :80 10.0.0.1:8080 10.0.0.2:8080 --check 2s\n"
	"sluice proxy --listen :443 --sni example.com=10.0.0.1:443 --sni '*.example.com=b:443'\n"
	"sluice proxy --listen :5432 --config pool.conf --balance hash --send-proxy v2\n";

static struct proxy_config config = {
	.retries = 3,
	.rise = 2,
	.fall = 3,
	.rest_ns = 10 * SECOND,
	.connect_ns = 5 * SECOND,
	.hello_ns = 3 * SECOND,
	.idle_ns = 600 * SECOND,
	.half_ns = 60 * SECOND,
	.drain_ns = 30 * SECOND,
};

/* What is a word on the command line. */
static const char *balance = "round-robin";
static const char *format = "common";
static const char *version;

static const struct cli_option table[] = {
	{ "listen", CLI_LIST, &config.listen, "ADDRESS", "accept here (again for more)" },
	{ "config", CLI_STRING, &config.file, "FILE",
	  "more upstreams and NAME=UPSTREAM, one a line" },
	{ "sni", CLI_LIST, &config.sni, "NAME=UPSTREAM",
	  "for TLS clients that ask for NAME or *.DOMAIN" },
	{ "balance", CLI_STRING, &balance, "HOW",
	  "round-robin, least-connections or hash [round-robin]" },
	{ "retries", CLI_COUNT, &config.retries, "N",
	  "other upstreams to try when one does not answer [3]", 0, 63 },
	{ "check", CLI_DURATION, &config.check_ns, "TIME",
	  "connect to each upstream so often to see if it is up [never]", SECOND / 10, HOUR },
	{ "rise", CLI_COUNT, &config.rise, "N", "checks in a row that make it up [2]", 1, 1000 },
	{ "fall", CLI_COUNT, &config.fall, "N", "failures in a row that make it down [3]", 1,
	  1000 },
	{ "rest", CLI_DURATION, &config.rest_ns, "TIME",
	  "without --check: leave one that is down alone for [10s]", SECOND / 10, HOUR },
	{ "proxy-from", CLI_LIST, &config.proxy_from, "RANGE",
	  "peers that begin with a PROXY header: 10.0.0.0/8, unix" },
	{ "send-proxy", CLI_STRING, &version, "VERSION", "begin with a PROXY header, v1 or v2" },
	{ "access-log", CLI_STRING, &config.access_log, "FILE",
	  "write a line for each connection; - is stdout" },
	{ "log-format", CLI_STRING, &format, "FORMAT", "common or json" },
	{ "metrics", CLI_STRING, &config.metrics, "ADDRESS", "serve /metrics and /health here" },
	{ "user", CLI_STRING, &config.user, "NAME", "become this user once listening" },
	{ "unconfined", CLI_FLAG, &config.unconfined, NULL, "do without seccomp" },
	{ "no-splice", CLI_FLAG, &config.copy, NULL, "copy, through buffers" },
	{ "backend", CLI_STRING, &config.backend, "NAME",
	  "uring, epoll or poll, and none else [the best that works]" },
	{ "workers", CLI_COUNT, &config.workers, "N",
	  "threads, each with a ring [one per processor]", 1, SERVER_WORKERS_MAX },
	{ "max-connections", CLI_COUNT, &config.connections_max, "N",
	  "connections at a time [10000]", 1, 1000000 },
	{ "max-per-client", CLI_COUNT, &config.client_max, "N",
	  "of these from one address [no limit]", 1, 1000000 },
	{ "connect-timeout", CLI_DURATION, &config.connect_ns, "TIME",
	  "an upstream must answer within [5s]", SECOND / 100, HOUR },
	{ "hello-timeout", CLI_DURATION, &config.hello_ns, "TIME",
	  "PROXY header and TLS hello must be there within [3s]", SECOND / 100, HOUR },
	{ "idle-timeout", CLI_DURATION, &config.idle_ns, "TIME",
	  "end connections that are silent for [10m]", SECOND / 100, 365 * DAY },
	{ "half-timeout", CLI_DURATION, &config.half_ns, "TIME",
	  "the same, once one side has finished [1m]", SECOND / 100, 365 * DAY },
	{ "drain", CLI_DURATION, &config.drain_ns, "TIME", "let connections end within [30s]", 0,
	  DAY },
	{ NULL },
};

int proxy_main(int argc, char **argv)
{
	const struct cli_command command = {
		.name = "proxy",
		.summary = "hands TCP connections on to other servers, without copying",
		.operands = "[UPSTREAM]...",
		.operands_min = 0,
		.operands_max = 64,
		.options = table,
		.notes = notes,
		.example = example,
	};
	int code, first;

	config.workers = server_processors();
	first = cli_parse(&command, argc, argv, &code);
	if (first < 0)
		return code;
	config.upstreams = argv + first;
	config.upstreams_nr = (unsigned)(argc - first);
	code = choose_balance(balance, &config);
	if (code == CLI_DONE)
		code = choose_version(version, &config);
	if (code == CLI_DONE)
		code = choose_format(format, &config);
	return code == CLI_DONE ? proxy_server_run(&config) : code;
}
