/*
 * serve_client.c: asks an HTTP server for one file over and over, and throws the answers away
 * unread.
 *
 *	serve_client PORT PATH CONNECTIONS DEPTH SECONDS [IDLE [calm]]
 *
 * One thread, CONNECTIONS connections, DEPTH requests on their way in each, and IDLE connections
 * that have asked once. Answers are all as long as the first one, so their bytes are counted and
 * not looked at (MSG_TRUNC: the kernel drops them without a copy), and the client costs as little
 * as it can. SECONDS 0: one answer; SIGTERM ends it earlier. calm: it sleeps while nothing comes.
 * Prints "REQUESTS BYTES SECONDS P50 P99", the last two in microseconds from asking to the last
 * byte.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX  1024
#define DEPTH_MAX    64
#define CONNS_MAX    1024
#define IDLE_MAX     20000
#define RECV_AT_ONCE (8u << 20)
#define TIMES	     1000000 /* of a tenth of a microsecond; longer ones count as the longest */

struct client {
	struct sockaddr_in addr;
	char requests[REQUEST_MAX * DEPTH_MAX];
	size_t request_len;
	unsigned depth;
	uint64_t answer_len;
	int epoll_fd;
	uint64_t answers;
	uint64_t bytes;
	uint32_t times[TIMES + 1]; /* how many answers took so long */
	bool calm;
};

struct conn {
	int fd;
	double asked;
	uint64_t left; /* bytes of the answers on their way */
};

static void fail(const char *what)
{
	fprintf(stderr, "serve_client: %s: %s\n", what, strerror(errno));
	exit(4);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static volatile sig_atomic_t told_to_end;

static void on_term(int number)
{
	(void)number;
	told_to_end = 1;
}

static int dial(const struct client *client)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || connect(fd, (const struct sockaddr *)&client->addr, sizeof(client->addr)) < 0)
		fail("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* Bytes of an answer, head included: by asking for the head alone, which leaves the cache alone. */
static uint64_t measure(const struct client *client, const char *path)
{
	char head[8192] = "", *end, *length;
	int fd = dial(client);
	size_t got = 0;

	if (dprintf(fd, "HEAD %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path) < 0)
		fail("send");
	while (!(end = strstr(head, "\r\n\r\n")) && got < sizeof(head) - 1) {
		ssize_t n = recv(fd, head + got, sizeof(head) - 1 - got, 0);

		if (n <= 0)
			fail("the first answer");
		got += (size_t)n;
		head[got] = '\0';
	}
	close(fd);
	length = strcasestr(head, "\r\nContent-Length: ");
	if (!end || !length || strncmp(head, "HTTP/1.1 200", 12) != 0) {
		fprintf(stderr, "serve_client: no 200 with a length: %.60s\n", head);
		exit(4);
	}
	return (uint64_t)(end + 4 - head) + strtoull(length + 18, NULL, 10);
}

static void ask(struct client *client, struct conn *conn)
{
	size_t len = client->request_len * client->depth;

	if (send(conn->fd, client->requests, len, MSG_NOSIGNAL) != (ssize_t)len)
		fail("send");
	conn->left = client->answer_len * client->depth;
	conn->asked = now();
}

static void note_time(struct client *client, double seconds)
{
	double tenths = seconds * 1e7;

	client->times[tenths < TIMES ? (unsigned)tenths : TIMES] += client->depth;
}

/* All that has come; asks again when all answers are there. */
static void hear(struct client *client, struct conn *conn)
{
	ssize_t n = recv(conn->fd, NULL, RECV_AT_ONCE, MSG_TRUNC | MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || (uint64_t)n > conn->left)
		fail("recv");
	client->bytes += (uint64_t)n;
	conn->left -= (uint64_t)n;
	if (conn->left)
		return;
	client->answers += client->depth;
	note_time(client, now() - conn->asked);
	ask(client, conn);
}

/* The time that a share of the answers took at most, in microseconds. */
static double percentile(const struct client *client, double share)
{
	uint64_t want = (uint64_t)((double)client->answers * share), seen = 0;
	unsigned i = 0;

	while (i < TIMES && (seen += client->times[i]) < want)
		i++;
	return i / 10.0;
}

/* Each asks once and takes the answer; then it says nothing. */
static void open_idle(const struct client *client, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		uint64_t left = client->answer_len;
		int fd = dial(client);

		if (send(fd, client->requests, client->request_len, 0) < 0)
			fail("send");
		while (left) {
			ssize_t n = recv(fd, NULL, left, MSG_TRUNC);

			if (n <= 0)
				fail("recv of an idle connection");
			left -= (uint64_t)n;
		}
	}
}

static bool goes_on(const struct client *client, double seconds)
{
	return !told_to_end && (seconds > 0 || !client->answers);
}

static void run(struct client *client, struct conn *conns, unsigned nr, double seconds)
{
	struct epoll_event events[64];
	double start;

	for (unsigned i = 0; i < nr; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &conns[i] };

		conns[i].fd = dial(client);
		if (epoll_ctl(client->epoll_fd, EPOLL_CTL_ADD, conns[i].fd, &event) < 0)
			fail("epoll_ctl");
	}
	start = now();
	for (unsigned i = 0; i < nr; i++)
		ask(client, &conns[i]);
	/* It spins unless told: waking it would cost the server an interrupt each time. */
	while (goes_on(client, seconds) && (seconds <= 0 || now() - start < seconds)) {
		int ready = epoll_wait(client->epoll_fd, events, 64, client->calm ? 10 : 0);

		for (int i = 0; i < ready; i++)
			hear(client, events[i].data.ptr);
	}
	printf("%llu %llu %.6f %.1f %.1f\n", (unsigned long long)client->answers,
	       (unsigned long long)client->bytes, now() - start, percentile(client, 0.5),
	       percentile(client, 0.99));
}

int main(int argc, char **argv)
{
	static struct client client;
	static struct conn conns[CONNS_MAX];
	struct rlimit files;
	unsigned nr, idle;

	if (argc < 6 || argc > 8) {
		fprintf(stderr, "usage: serve_client PORT PATH CONNECTIONS DEPTH SECONDS "
				"[IDLE [calm]]\n");
		return 2;
	}
	nr = (unsigned)atoi(argv[3]);
	idle = argc > 6 ? (unsigned)atoi(argv[6]) : 0;
	client.calm = argc > 7;
	client.depth = (unsigned)atoi(argv[4]);
	if (nr < 1 || nr > CONNS_MAX || client.depth < 1 || client.depth > DEPTH_MAX ||
	    idle > IDLE_MAX)
		return fprintf(stderr, "serve_client: at most %d connections, depth %d, %d idle\n",
			       CONNS_MAX, DEPTH_MAX, IDLE_MAX),
		       2;
	signal(SIGTERM, on_term);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	client.addr = (struct sockaddr_in){ .sin_family = AF_INET,
					    .sin_port = htons((uint16_t)atoi(argv[1])),
					    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	client.request_len = (size_t)snprintf(client.requests, REQUEST_MAX,
					      "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
					      argv[2]);
	for (unsigned i = 1; i < client.depth; i++)
		memcpy(client.requests + i * client.request_len, client.requests,
		       client.request_len);
	client.answer_len = measure(&client, argv[2]);
	client.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	open_idle(&client, idle);
	run(&client, conns, nr, atof(argv[5]));
	return 0;
}
