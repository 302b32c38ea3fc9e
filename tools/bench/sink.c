/*
 * sink.c: a TCP receiver in a thread of its own.
 *
 * @arrived is written by the receiver and read by the sender, both under @lock; the sender
 * sleeps on @moved until what it sent has arrived. That wait happens once per block.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sink.h"

#define TAKE_BYTES (1u << 20)

struct sink {
	int sender, receiver;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	uint64_t arrived, wanted, sent;
	bool ended;
};

static void *receive(void *arg)
{
	struct sink *s = arg;
	bool open = true;

	while (open) {
		ssize_t n = recv(s->receiver, NULL, TAKE_BYTES, MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			continue;
		open = n > 0;
		pthread_mutex_lock(&s->lock);
		s->arrived += open ? (uint64_t)n : 0;
		s->ended = !open;
		if (s->ended || (s->wanted && s->arrived >= s->wanted))
			pthread_cond_signal(&s->moved);
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

static int connect_to(int listener)
{
	struct sockaddr_in where;
	socklen_t len = sizeof(where);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (getsockname(listener, (struct sockaddr *)&where, &len) < 0 ||
	    connect(fd, (struct sockaddr *)&where, len) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static int connect_pair(int *ret_sender, int *ret_receiver)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, err = 0;

	if (listener < 0)
		return -errno;
	if (bind(listener, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(listener, 1) < 0)
		err = -errno;
	if (!err) {
		*ret_sender = connect_to(listener);
		err = *ret_sender < 0 ? *ret_sender : 0;
	}
	if (!err) {
		setsockopt(*ret_sender, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		*ret_receiver = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		err = *ret_receiver < 0 ? -errno : 0;
		if (err)
			close(*ret_sender);
	}
	close(listener);
	return err;
}

int sink_open(struct sink **ret_sink)
{
	struct sink *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	err = connect_pair(&s->sender, &s->receiver);
	if (err) {
		free(s);
		return err;
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->moved, NULL);
	err = -pthread_create(&s->thread, NULL, receive, s);
	if (err) {
		close(s->sender);
		close(s->receiver);
		free(s);
		return err;
	}
	*ret_sink = s;
	return 0;
}

int sink_fd(const struct sink *s)
{
	return s->sender;
}

int sink_expect(struct sink *s, uint64_t sent)
{
	int err;

	s->sent += sent;
	pthread_mutex_lock(&s->lock);
	s->wanted = s->sent;
	while (s->arrived < s->wanted && !s->ended)
		pthread_cond_wait(&s->moved, &s->lock);
	s->wanted = 0;
	err = s->arrived == s->sent ? 0 : -EPIPE;
	pthread_mutex_unlock(&s->lock);
	return err;
}

bool sink_cpu_clock(const struct sink *s, clockid_t *ret_clock)
{
	return s && pthread_getcpuclockid(s->thread, ret_clock) == 0;
}

void sink_shut(struct sink *s)
{
	if (!s)
		return;
	shutdown(s->sender, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->sender);
	close(s->receiver);
	pthread_cond_destroy(&s->moved);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
