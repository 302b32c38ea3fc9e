/*
 * proxy_peer.c: both ends of what a proxy hands on: an upstream that pours, and clients that take.
 *
 * usage: proxy_peer UPSTREAM_PORT PROXY_PORT CONNECTIONS SECONDS [BYTES]
 *
 * With BYTES a client asks by one byte for so many, and asks again when it has them; without, the
 * upstream pours. Clients receive with MSG_TRUNC, without a copy, so that they are not what is
 * measured. Prints the bytes taken and the seconds it took.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (1 << 20)

static char chunk[CHUNK];
static struct sockaddr_in proxy = { .sin_family = AF_INET };
static int stop;	    /* atomic */
static size_t answer_bytes; /* 0: pour */

static void die(const char *what)
{
	fprintf(stderr, "proxy_peer: %s: %s\n", what, strerror(errno));
	exit(3);
}

/* Return: whether all of it was taken. */
static int send_all(int fd, size_t bytes)
{
	while (bytes) {
		ssize_t sent = send(fd, chunk, bytes < CHUNK ? bytes : CHUNK, MSG_NOSIGNAL);

		if (sent <= 0)
			return 0;
		bytes -= (size_t)sent;
	}
	return 1;
}

static void *pour(void *ctx)
{
	int fd = (int)(long)ctx;
	char ask;

	while ((!answer_bytes || recv(fd, &ask, 1, 0) == 1) &&
	       send_all(fd, answer_bytes ? answer_bytes : CHUNK))
		;
	close(fd);
	return NULL;
}

static void *accept_all(void *ctx)
{
	int listener = (int)(long)ctx, fd;
	pthread_t thread;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		if (pthread_create(&thread, NULL, pour, (void *)(long)fd))
			die("thread");
		pthread_detach(thread);
	}
	return NULL;
}

static void *take(void *ctx)
{
	unsigned long *bytes = ctx;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t left = 0;
	ssize_t got;

	if (fd < 0 || connect(fd, (struct sockaddr *)&proxy, sizeof(proxy)) < 0)
		die("connect to the proxy");
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		if (answer_bytes && !left) {
			left = answer_bytes;
			if (send(fd, chunk, 1, MSG_NOSIGNAL) != 1)
				die("ask");
		}
		got = recv(fd, chunk, CHUNK, MSG_TRUNC);
		if (got <= 0)
			die("receive");
		*bytes += (unsigned long)got;
		left -= answer_bytes ? (size_t)got : 0;
	}
	close(fd);
	return NULL;
}

static int listen_at(unsigned short port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 1024) < 0)
		die("listen");
	return fd;
}

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	unsigned nr = argc == 5 || argc == 6 ? (unsigned)atoi(argv[3]) : 0;
	pthread_t acceptor, *taker = calloc(nr + 1, sizeof(*taker));
	unsigned long *bytes = calloc(nr + 1, sizeof(*bytes)), sum = 0;
	double begin;

	if (!nr || !taker || !bytes) {
		fprintf(stderr, "usage: proxy_peer UPSTREAM_PORT PROXY_PORT CONNECTIONS SECONDS "
				"[BYTES]\n");
		return 2;
	}
	answer_bytes = argc == 6 ? (size_t)strtoul(argv[5], NULL, 10) : 0;
	signal(SIGPIPE, SIG_IGN);
	proxy.sin_port = htons((unsigned short)atoi(argv[2]));
	proxy.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (pthread_create(&acceptor, NULL, accept_all,
			   (void *)(long)listen_at((unsigned short)atoi(argv[1]))))
		die("thread");
	begin = now();
	for (unsigned i = 0; i < nr; i++) {
		if (pthread_create(&taker[i], NULL, take, &bytes[i]))
			die("thread");
	}
	usleep((useconds_t)(atof(argv[4]) * 1e6));
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < nr; i++) {
		pthread_join(taker[i], NULL);
		sum += bytes[i];
	}
	printf("%lu %.6f\n", sum, now() - begin);
	return 0;
}
