/* send_zerocopy.c: a cached file to a TCP socket by MSG_ZEROCOPY and its error queue. */
#include <time.h>

/* <linux/errqueue.h> uses struct timespec without declaring it. */
#include <errno.h>
#include <linux/errqueue.h>
#include <poll.h>
#include <sys/socket.h>

#include "sender.h"

static int open_msg_zerocopy(struct contender *c)
{
	static const struct sender_opts opts = { .copies = 1, .buffered = true };
	int one = 1, err = sender_open(c, &opts);

	if (err)
		return err;
	if (setsockopt(sink_fd(c->sink), SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) < 0)
		return contender_lacks_errno(c, "SO_ZEROCOPY", -errno);
	return 0;
}

/* One message of the error queue can release a range of sends. */
static int take_notification(struct contender *c, struct sender *s)
{
	union {
		char bytes[256];
		struct cmsghdr align;
	} control;
	struct msghdr msg = { .msg_control = control.bytes, .msg_controllen = sizeof(control) };
	const struct sock_extended_err *e;
	struct cmsghdr *cm;
	uint32_t nr;

	c->calls++;
	if (recvmsg(sink_fd(c->sink), &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return -errno;
	cm = CMSG_FIRSTHDR(&msg);
	if (!cm)
		return -EBADMSG;
	e = (const struct sock_extended_err *)CMSG_DATA(cm);
	if (e->ee_origin != SO_EE_ORIGIN_ZEROCOPY)
		return -EBADMSG;
	nr = e->ee_data - e->ee_info + 1;
	s->held -= nr < s->held ? nr : s->held;
	s->sends += nr;
	s->copied += e->ee_code & SO_EE_CODE_ZEROCOPY_COPIED ? nr : 0;
	return 0;
}

static int release_messages(struct contender *c, struct sender *s, unsigned keep)
{
	while (s->held > keep) {
		struct pollfd p = { .fd = sink_fd(c->sink) };
		int err = take_notification(c, s);

		if (err && err != -EAGAIN)
			return err;
		if (err) {
			c->calls++;
			poll(&p, 1, 1000);
		}
	}
	return 0;
}

static int by_msg_zerocopy(struct contender *c, struct sender *s, uint64_t off, size_t len)
{
	unsigned char *buf = sender_buffer(s);
	size_t left = len;
	int err = release_messages(c, s, SENDER_BUFFERS - 1);

	if (!err)
		err = sender_read(c, buf, off, len);
	while (!err && left) {
		ssize_t n = send(sink_fd(c->sink), buf + (len - left), left,
				 MSG_ZEROCOPY | MSG_NOSIGNAL);

		c->calls++;
		if (n < 0)
			return -errno;
		left -= (size_t)n;
		s->held++;
	}
	return err;
}

static int run_msg_zerocopy(struct contender *c, uint64_t nr)
{
	struct sender *s = c->state;
	int err = sender_run(c, nr, by_msg_zerocopy);

	if (!err)
		err = release_messages(c, s, 0);
	if (!err)
		sender_account(c);
	if (err == -ENOBUFS)
		return contender_lacks(c, "the pages it sends from count as locked memory, whose "
					  "limit is reached; raise `ulimit -l`");
	return err;
}

const struct mechanism mechanism_msg_zerocopy = {
	.name = "MSG_ZEROCOPY",
	.about = "pread(2), then send(2) with MSG_ZEROCOPY and its notifications",
	.why = "the network card takes the bytes from your buffer",
	.unless = "the route is loopback or the sends are small",
	.simplicity = 6,
	.kind = WORKLOAD_SEND,
	.open = open_msg_zerocopy,
	.run = run_msg_zerocopy,
	.shut = sender_shut,
};
