/*
 * ktls.c: `sluice serve` where the kernel makes the TLS records.
 *
 * Runs the command that lies beside it, as a client made of OpenSSL sees it. What the kernel did is
 * read from the server's metrics and from /proc/net/tls_stat. The machine needs the module tls.
 */
#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/serve/peer.h"

#define LARGE (6u << 20)
#define SMALL 3000
#define NOTES 64

static struct service {
	pid_t pid;
	unsigned port;
	unsigned metrics;
	bool by_kernel;
} service;

static const char *root;

/* ---- files ---------------------------------------------------------------------------------- */

/* What byte there is at a place of a file: the same for all files, and of no short period. */
static unsigned char byte_at(uint64_t at)
{
	uint64_t x = at * UINT64_C(0x9e3779b97f4a7c15);

	return (unsigned char)(x >> 40 ^ x >> 56);
}

static void write_file(const char *name, unsigned len)
{
	char *data = malloc(len);
	int fd = open(support_path(root, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_non_null(data);
	for (unsigned i = 0; i < len; i++)
		data[i] = (char)byte_at(i);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(fsync(fd), 0);
	close(fd);
	free(data);
}

static void forget_pages(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "3", 1) != 1)
		SKIP("the page cache cannot be dropped: %s", strerror(errno));
	close(fd);
}

/* ---- the server ----------------------------------------------------------------------------- */

static void start_child(int out, const char *cert, const char *key)
{
	dup2(out, STDERR_FILENO);
	execl("./sluice", "sluice", "serve", root, "--direct-file", "1M", "--listen", "127.0.0.1:0",
	      "--metrics", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--writable",
	      "--workers", "1", NULL);
	_exit(127);
}

/* Reads what it says until it is ready. */
static int start_service(void **state)
{
	const char *dir = support_tmpdir(), *cert, *key;
	char line[512];
	int ends[2];
	FILE *said;

	(void)state;
	root = strdup(dir);
	cert = support_path(dir, ".cert.pem");
	key = support_path(dir, ".key.pem");
	peer_write_certificate(cert, key);
	write_file("large", LARGE);
	write_file("small", SMALL);
	assert_int_equal(pipe(ends), 0);
	service.pid = fork();
	if (service.pid == 0)
		start_child(ends[1], cert, key);
	close(ends[1]);
	said = fdopen(ends[0], "r");
	while ((!service.port || !service.metrics) && fgets(line, sizeof(line), said)) {
		const char *where = strstr(line, " on 127.0.0.1:");
		unsigned port = where ? (unsigned)atoi(where + strlen(" on 127.0.0.1:")) : 0;

		printf("# %s", line);
		service.by_kernel |= strstr(line, "made by the kernel") != NULL;
		*(strstr(line, "metrics on") ? &service.metrics : &service.port) = port;
	}
	/* The pipe stays open: the server may have more to say. */
	return service.port && service.metrics ? 0 : -1;
}

static int end_service(void **state)
{
	int status = -1;

	(void)state;
	kill(service.pid, SIGTERM);
	waitpid(service.pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int reach(unsigned port, int receive)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = 60 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (receive)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof(receive));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static long long metric(const char *name)
{
	static const char request[] =
		"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	static char answer[65536];
	char wanted[128];
	int fd = reach(service.metrics, 0);
	size_t len = 0;
	ssize_t got;
	const char *at;

	assert_int_equal(write(fd, request, sizeof(request) - 1), sizeof(request) - 1);
	while ((got = read(fd, answer + len, sizeof(answer) - 1 - len)) > 0)
		len += (size_t)got;
	close(fd);
	answer[len] = '\0';
	snprintf(wanted, sizeof(wanted), "\nsluice_serve_%s ", name);
	at = strstr(answer, wanted);
	assert_non_null(at);
	return atoll(at + strlen(wanted));
}

/* A counter of the kernel. */
static long kernel_counts(const char *name)
{
	char line[128], label[64];
	FILE *file = fopen("/proc/net/tls_stat", "r");
	long value = -1, here;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %ld", label, &here) == 2 && strcmp(label, name) == 0)
			value = here;
	}
	fclose(file);
	return value;
}

/* ---- a client ------------------------------------------------------------------------------- */

struct client {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
};

static void join(struct client *client, SSL_SESSION *session, int receive)
{
	client->fd = reach(service.port, receive);
	client->ssl = SSL_new(client->ctx);
	SSL_set_fd(client->ssl, client->fd);
	if (session)
		SSL_set_session(client->ssl, session);
	ERR_clear_error();
	assert_int_equal(SSL_connect(client->ssl), 1);
}

static void leave(struct client *client)
{
	SSL_shutdown(client->ssl);
	SSL_free(client->ssl);
	close(client->fd);
}

static void say(struct client *client, const char *text)
{
	assert_int_equal(SSL_write(client->ssl, text, (int)strlen(text)), strlen(text));
}

static void ask(struct client *client, const char *path, const char *fields)
{
	char text[512];

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, fields);
	say(client, text);
}

/* Reads a head to its end, byte by byte. Return: the status. */
static int read_head(struct client *client, char head[4096])
{
	int len = 0, status = 0;

	do {
		assert_true(len < 4095);
		assert_int_equal(SSL_read(client->ssl, head + len, 1), 1);
		head[++len] = '\0';
	} while (len < 4 || strcmp(head + len - 4, "\r\n\r\n") != 0);
	assert_int_equal(sscanf(head, "HTTP/1.1 %d", &status), 1);
	return status;
}

/* An answer that holds len bytes of a file from off on. */
static void expect_answer(struct client *client, int status, uint64_t off, uint64_t len)
{
	char head[4096], length[64];
	static unsigned char data[65536];

	assert_int_equal(read_head(client, head), status);
	snprintf(length, sizeof(length), "Content-Length: %llu\r\n", (unsigned long long)len);
	assert_non_null(strstr(head, length));
	while (len) {
		int got = SSL_read(client->ssl, data,
				   len < sizeof(data) ? (int)len : (int)sizeof(data));

		assert_true(got > 0);
		for (int i = 0; i < got; i++) {
			if (data[i] != byte_at(off + (uint64_t)i))
				fail_msg("byte %llu is wrong",
					 (unsigned long long)off + (unsigned)i);
		}
		off += (uint64_t)got;
		len -= (uint64_t)got;
	}
}

static void expect_close_notify(struct client *client)
{
	char byte;
	int rc = SSL_read(client->ssl, &byte, 1);

	assert_true(rc <= 0);
	assert_int_equal(SSL_get_error(client->ssl, rc), SSL_ERROR_ZERO_RETURN);
}

static void begin(struct client *client, unsigned suite)
{
	if (!service.by_kernel)
		fail_msg("the server does not say that the kernel makes the records");
	*client = (struct client){ .ctx = peer_context(peer_suites[suite].version,
						       peer_suites[suite].cipher) };
}

/* One of each version. */
static const unsigned some[] = { 0, 3 };

/* ---- tests ---------------------------------------------------------------------------------- */

static void the_kernel_seals_files_by_every_cipher(void **state)
{
	(void)state;
	for (unsigned i = 0; i < peer_suites_nr; i++) {
		long long kernel = metric("tls_kernel_total"), hot = metric("hot_bytes_total");
		long sealed = kernel_counts("TlsTxSw");
		struct client client;

		printf("# %s\n", peer_suites[i].cipher);
		begin(&client, i);
		join(&client, NULL, 0);
		assert_string_equal(SSL_get_cipher_name(client.ssl), peer_suites[i].cipher);
		ask(&client, "/large", "");
		ask(&client, "/small", "");
		ask(&client, "/large", "Range: bytes=100001-5000000\r\n");
		ask(&client, "/large", "Range: bytes=-1\r\nConnection: close\r\n");
		expect_answer(&client, 200, 0, LARGE);
		expect_answer(&client, 200, 0, SMALL);
		expect_answer(&client, 206, 100001, 4900000);
		expect_answer(&client, 206, LARGE - 1, 1);
		expect_close_notify(&client);
		assert_int_equal(metric("tls_kernel_total"), kernel + 1);
		assert_int_equal(kernel_counts("TlsTxSw"), sealed + 1);
		assert_true(metric("hot_bytes_total") >= hot + LARGE + 4900000);
		leave(&client);
		SSL_CTX_free(client.ctx);
	}
	assert_int_equal(metric("tls_user_total"), 0);
	assert_int_equal(metric("tls_user_bytes_total"), 0);
}

static void a_cold_file_is_read_and_sealed_by_the_kernel_too(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		long long hot = metric("hot_bytes_total"), cold = metric("cold_bytes_total");
		long long direct = metric("direct_bytes_total");
		struct client client;

		begin(&client, some[i]);
		join(&client, NULL, 0);
		forget_pages();
		ask(&client, "/large", "");
		expect_answer(&client, 200, 0, LARGE);
		assert_int_equal(metric("hot_bytes_total") + metric("cold_bytes_total"),
				 hot + cold + LARGE);
		/* Past the page cache, which is for those who come again. */
		assert_int_equal(metric("direct_bytes_total"), direct + (i ? 0 : LARGE));
		leave(&client);
		SSL_CTX_free(client.ctx);
	}
}

/* The socket is full again and again, in the middle of a record too. */
static void a_slow_reader_gets_every_byte(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct client client;

		begin(&client, some[i % 2]);
		join(&client, NULL, 4096);
		if (i >= 2)
			forget_pages();
		ask(&client, "/large", "Range: bytes=1-2000000\r\n");
		ask(&client, "/small", "");
		usleep(200000);
		expect_answer(&client, 206, 1, 2000000);
		expect_answer(&client, 200, 0, SMALL);
		leave(&client);
		SSL_CTX_free(client.ctx);
	}
}

static void an_upload_is_opened_here_and_acknowledged_by_the_kernel(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		char head[256], name[32], answer[4096];
		char *data = malloc(LARGE);
		struct client client;

		for (unsigned k = 0; k < LARGE; k++)
			data[k] = (char)byte_at(k);
		begin(&client, some[i]);
		join(&client, NULL, 0);
		snprintf(name, sizeof(name), "/up%u", i);
		snprintf(head, sizeof(head),
			 "PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: %u\r\n\r\n", name, LARGE);
		say(&client, head);
		for (unsigned at = 0; at < LARGE; at += 1 << 16)
			assert_int_equal(SSL_write(client.ssl, data + at, 1 << 16), 1 << 16);
		assert_int_equal(read_head(&client, answer), 201);
		ask(&client, name, "");
		expect_answer(&client, 200, 0, LARGE);
		leave(&client);
		SSL_CTX_free(client.ctx);
		free(data);
	}
}

static void a_resumed_session_is_the_kernels_too(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		long long kernel = metric("tls_kernel_total");
		SSL_SESSION *session;
		struct client client;

		begin(&client, some[i]);
		join(&client, NULL, 0);
		ask(&client, "/small", "");
		expect_answer(&client, 200, 0, SMALL);
		session = SSL_get1_session(client.ssl);
		leave(&client);
		join(&client, session, 0);
		assert_true(SSL_session_reused(client.ssl));
		ask(&client, "/large", "");
		expect_answer(&client, 200, 0, LARGE);
		assert_int_equal(metric("tls_kernel_total"), kernel + 2);
		leave(&client);
		SSL_SESSION_free(session);
		SSL_CTX_free(client.ctx);
	}
}

static void who_wants_new_keys_is_answered_and_told_that_nothing_follows(void **state)
{
	long long refused = metric("tls_rekeys_refused_total");
	struct client client;

	(void)state;
	begin(&client, some[1]);
	join(&client, NULL, 0);
	ask(&client, "/large", "");
	assert_int_equal(SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	assert_int_equal(SSL_do_handshake(client.ssl), 1);
	expect_answer(&client, 200, 0, LARGE);
	expect_close_notify(&client);
	assert_int_equal(metric("tls_rekeys_refused_total"), refused + 1);
	leave(&client);
	SSL_CTX_free(client.ctx);
}

static void who_begins_anew_is_told_that_nothing_follows(void **state)
{
	struct client client;
	char byte;
	int rc;

	(void)state;
	begin(&client, some[0]);
	join(&client, NULL, 0);
	ask(&client, "/small", "");
	expect_answer(&client, 200, 0, SMALL);
	assert_int_equal(SSL_renegotiate(client.ssl), 1);
	SSL_do_handshake(client.ssl);
	rc = SSL_read(client.ssl, &byte, 1);
	assert_true(rc <= 0);
	leave(&client);
	join(&client, NULL, 0);
	ask(&client, "/small", "");
	expect_answer(&client, 200, 0, SMALL);
	leave(&client);
	SSL_CTX_free(client.ctx);
}

static void a_wrong_record_is_answered_by_an_alert(void **state)
{
	unsigned char record[5 + 64] = { 23, 3, 3, 0, 64 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct client client;
		char byte;

		begin(&client, some[i]);
		join(&client, NULL, 0);
		ask(&client, "/small", "");
		expect_answer(&client, 200, 0, SMALL);
		ERR_clear_error();
		assert_int_equal(write(client.fd, record, sizeof(record)), sizeof(record));
		assert_true(SSL_read(client.ssl, &byte, 1) <= 0);
		assert_int_equal(ERR_GET_REASON(ERR_peek_error()),
				 SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
		ERR_clear_error();
		leave(&client);
		SSL_CTX_free(client.ctx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_kernel_seals_files_by_every_cipher),
		TEST(a_cold_file_is_read_and_sealed_by_the_kernel_too),
		TEST(a_slow_reader_gets_every_byte),
		TEST(an_upload_is_opened_here_and_acknowledged_by_the_kernel),
		TEST(a_resumed_session_is_the_kernels_too),
		TEST(who_wants_new_keys_is_answered_and_told_that_nothing_follows),
		TEST(who_begins_anew_is_told_that_nothing_follows),
		TEST(a_wrong_record_is_answered_by_an_alert),
	};

	signal(SIGPIPE, SIG_IGN);
	return RUN_TESTS_WITH(tests, start_service, end_service);
}
