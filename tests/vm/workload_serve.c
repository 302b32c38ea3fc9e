/*
 * workload_serve.c: uploads to `sluice serve`, whose power is cut; see workload.h.
 *
 * The server runs as a process of its own, on a unix socket; each round replaces one file and makes
 * a new one. Where the file system has files without a name, as these have, the replaced one goes
 * by way of a link, and the new one gets its name at once.
 */
#include "tests/vm/workload.h"

#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/serve/server.h"

#define ROUNDS	    12
#define CONTENT_MAX 70000
#define SOCKET	    "/tmp/serve.sock"
#define SECOND	    INT64_C(1000000000)

static size_t len_of(unsigned nr)
{
	return (size_t)nr * 5003 + 100;
}

static char byte_at(unsigned nr, size_t off)
{
	return (char)(nr * 37 + off % 251 + 1);
}

static bool holds(const char *folder, const char *name, unsigned nr)
{
	static char content[CONTENT_MAX];
	char path[256];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, content, sizeof(content));
	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0; i < len; i++) {
		if (content[i] != byte_at(nr, (size_t)i))
			return false;
	}
	return len == (ssize_t)len_of(nr);
}

static bool is_there(const char *folder, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

/* ---- the server and its client ----------------------------------------------------------- */

static pid_t start_server(const char *folder)
{
	const struct serve_config config = {
		.root = folder,
		.listen = { .value = { "unix:" SOCKET }, .nr = 1 },
		.writable = true,
		.unconfined = true,
		.workers = 2,
		.connections_max = 16,
		.upload_max = 1 << 20,
		.cache_files = 64,
		.cache_bytes = 1 << 20,
		.cache_file_bytes = 4096,
		.cache_valid_ns = SECOND,
		.header_ns = 60 * SECOND,
		.idle_ns = 60 * SECOND,
		.stall_ns = 60 * SECOND,
		.drain_ns = 60 * SECOND,
	};
	pid_t server;

	fflush(NULL);
	server = fork();
	assert_true(server >= 0);
	if (server == 0)
		_exit(serve_server_run(&config));
	return server;
}

static int dial(void)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	for (unsigned tries = 0; tries < 6000; tries++) {
		if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
			return fd;
		usleep(10000);
	}
	fail_msg("the server does not listen");
	return -1;
}

/* Ends when it is acknowledged. */
static void put(int fd, const char *name, unsigned nr)
{
	static char request[CONTENT_MAX + 200];
	int len = sprintf(request, "PUT /%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
			  name, len_of(nr));
	char answer[1024] = "";
	size_t got = 0;

	for (size_t i = 0; i < len_of(nr); i++)
		request[len++] = byte_at(nr, i);
	for (int sent = 0; sent < len;) {
		ssize_t n = write(fd, request + sent, (size_t)(len - sent));

		assert_true(n > 0);
		sent += (int)n;
	}
	while (!strstr(answer, "\r\n\r\n")) {
		ssize_t n = read(fd, answer + got, sizeof(answer) - 1 - got);

		assert_true(n > 0);
		got += (size_t)n;
	}
	if (strncmp(answer, "HTTP/1.1 20", 11) != 0)
		fail_msg("%s: %s", name, answer);
}

/* ---- the workload ------------------------------------------------------------------------ */

static void upload(const char *folder, unsigned first, unsigned last, bool tell)
{
	pid_t server = start_server(folder);
	int fd = dial(), status;
	char name[16];

	for (unsigned nr = first; nr <= last; nr++) {
		put(fd, "data", nr);
		snprintf(name, sizeof(name), "new-%u", nr);
		put(fd, name, nr);
		if (tell)
			workload_acknowledge(nr);
	}
	close(fd);
	kill(server, SIGTERM);
	assert_int_equal(waitpid(server, &status, 0), server);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void prepare_put(const char *folder)
{
	upload(folder, 0, 0, false);
}

static void run_put(const char *folder)
{
	upload(folder, 1, ROUNDS, true);
}

static const char *check_put(const char *folder, unsigned acknowledged)
{
	char name[16];

	if (!holds(folder, "data", acknowledged) && !holds(folder, "data", acknowledged + 1))
		return "the replaced file is neither the old nor the new one";
	for (unsigned nr = 0; nr <= acknowledged; nr++) {
		snprintf(name, sizeof(name), "new-%u", nr);
		if (!holds(folder, name, nr))
			return "an acknowledged new file is not whole";
	}
	snprintf(name, sizeof(name), "new-%u", acknowledged + 1);
	if (is_there(folder, name) && !holds(folder, name, acknowledged + 1))
		return "a new file is there and not whole";
	return NULL;
}

const struct workload workload_put = { "put", prepare_put, run_put, check_put };
