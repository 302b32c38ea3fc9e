/*
 * sink.c: a TCP receiver in a thread of its own.
 *
 * @arrived is written by the receiver and read by the sender, both under @lock; the sender
 * sleeps on @moved until what it sent has arrived. That wait happens once per block. @proving and
 * @proof are under @lock too: the receiver takes part in the proof until the sender ends it, and
 * touches neither file nor stream afterwards.
 *
 * Whoever sends over loopback also wakes the receiver. SO_RCVLOWAT would let bytes gather first;
 * on a busy machine it changed the sender's CPU by less than the noise, so it is left alone.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ktls.h"
#include "sink.h"

#define TAKE_BYTES (1u << 20)
#define ACK_TRIES  400

struct sink {
	int sender, receiver;
	bool tls;
	unsigned char *buf;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	uint64_t arrived, wanted, sent;
	bool ended, proving;
	int error;
	struct proof proof;
};

/* Whether the proof goes on; with it the file is changed behind the bytes that wait. */
static bool await_proof(struct sink *s)
{
	struct pollfd p = { .fd = s->receiver, .events = POLLIN };
	bool proving;

	pthread_mutex_lock(&s->lock);
	proving = s->proving;
	pthread_mutex_unlock(&s->lock);
	if (!proving)
		return false;
	poll(&p, 1, -1);
	pthread_mutex_lock(&s->lock);
	if (s->proving)
		proof_change(&s->proof);
	pthread_mutex_unlock(&s->lock);
	return true;
}

/* Bytes taken, counted and, at first, compared; false at the end. */
static bool take(struct sink *s, bool proving)
{
	bool keep = proving || s->tls;
	ssize_t n = recv(s->receiver, s->buf, TAKE_BYTES, keep ? 0 : MSG_TRUNC);
	int err = n < 0 ? -errno : 0;

	if (err == -EINTR)
		return true;
	pthread_mutex_lock(&s->lock);
	if (n > 0 && s->proving)
		proof_take(&s->proof, s->buf, (size_t)n);
	s->arrived += n > 0 ? (uint64_t)n : 0;
	s->ended = n <= 0;
	s->error = err;
	if (s->ended || (s->wanted && s->arrived >= s->wanted))
		pthread_cond_signal(&s->moved);
	pthread_mutex_unlock(&s->lock);
	return n > 0;
}

static void *receive(void *arg)
{
	struct sink *s = arg;
	bool proving = true;

	do {
		proving = proving && await_proof(s);
	} while (take(s, proving));
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
		setsockopt(*ret_sender, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
		*ret_receiver = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		err = *ret_receiver < 0 ? -errno : 0;
		if (err)
			close(*ret_sender);
	}
	close(listener);
	return err;
}

/* What only some contenders want of their sockets. */
static int prepare(struct sink *s, const struct sink_opts *opts)
{
	s->tls = opts->tls;
	s->buf = malloc(TAKE_BYTES);
	if (!s->buf)
		return -ENOMEM;
	if (opts->nonblocking && fcntl(s->sender, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	s->proving = true;
	return proof_begin(&s->proof, opts->file, opts->stream);
}

static void give_up(struct sink *s)
{
	close(s->sender);
	close(s->receiver);
	proof_end(&s->proof);
	free(s->buf);
	free(s);
}

int sink_open(const struct sink_opts *opts, struct sink **ret_sink)
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
	err = opts->tls ? ktls_start(s->sender, s->receiver) : 0;
	if (!err)
		err = prepare(s, opts);
	if (!err) {
		pthread_mutex_init(&s->lock, NULL);
		pthread_cond_init(&s->moved, NULL);
		err = -pthread_create(&s->thread, NULL, receive, s);
	}
	if (err) {
		give_up(s);
		return err;
	}
	place_receiver(opts->place, s->thread);
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
	err = s->arrived == s->sent ? 0 : s->error ? s->error : -EPIPE;
	pthread_mutex_unlock(&s->lock);
	return err;
}

uint64_t sink_proved(struct sink *s, enum proof_page *ret_page)
{
	uint64_t wrong;

	pthread_mutex_lock(&s->lock);
	s->proving = false;
	*ret_page = s->proof.page;
	wrong = s->proof.wrong;
	pthread_mutex_unlock(&s->lock);
	return wrong;
}

/* A datagram to ourselves. */
static void send_packet(void)
{
	struct sockaddr_in self = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(self);

	if (fd < 0)
		return;
	if (bind(fd, (struct sockaddr *)&self, len) == 0 &&
	    getsockname(fd, (struct sockaddr *)&self, &len) == 0)
		sendto(fd, "", 1, MSG_DONTWAIT, (struct sockaddr *)&self, len);
	close(fd);
}

void sink_let_go(const struct sink *s)
{
	static const struct timespec pause = { .tv_nsec = 500000 };
	int unacknowledged = 0, one = 1;

	/* Else an acknowledgement may be some 40 ms late. */
	setsockopt(s->receiver, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
	for (int i = 0; i < ACK_TRIES; i++) {
		if (ioctl(s->sender, SIOCOUTQ, &unacknowledged) < 0 || unacknowledged == 0)
			break;
		nanosleep(&pause, NULL);
	}
	send_packet();
}

bool sink_cpu_clock(const struct sink *s, clockid_t *ret_clock)
{
	return s && pthread_getcpuclockid(s->thread, ret_clock) == 0;
}

void sink_congestion(const struct sink *s, char name[16])
{
	socklen_t len = 16;

	if (getsockopt(s->sender, IPPROTO_TCP, TCP_CONGESTION, name, &len) < 0)
		strcpy(name, "?");
	name[15] = '\0';
}

void sink_shut(struct sink *s)
{
	if (!s)
		return;
	shutdown(s->sender, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	pthread_cond_destroy(&s->moved);
	pthread_mutex_destroy(&s->lock);
	give_up(s);
}
