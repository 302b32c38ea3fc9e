/* The socket side outside the ring: zero-copy send, file to socket, kernel TLS. */
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/probe/sockets.h"
#include "tools/probe/topics.h"

#define SEND_BYTES (32 * 1024)
#define WAIT_MS	   2000

/* The notification: 1 when the kernel copied after all, 0 when it did not, or -errno. */
static int was_copied(int fd)
{
	struct pollfd ready = { .fd = fd };
	char control[256];
	struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct sock_extended_err serr;

	if (poll(&ready, 1, WAIT_MS) != 1)
		return -ETIMEDOUT;
	if (recvmsg(fd, &msg, MSG_ERRQUEUE) < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		memcpy(&serr, CMSG_DATA(c), sizeof(serr));
		if (serr.ee_origin == SO_EE_ORIGIN_ZEROCOPY)
			return serr.ee_code & SO_EE_CODE_ZEROCOPY_COPIED;
	}
	return -ENOMSG;
}

static void zerocopy_over(int fds[2], const unsigned char *buf, struct check *check)
{
	ssize_t n;
	int copied, on = 1;

	if (setsockopt(fds[0], SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)) < 0) {
		check_set(check, CHECK_NO, "SO_ZEROCOPY: %s", check_errno(-errno));
		return;
	}
	n = send(fds[0], buf, SEND_BYTES, MSG_ZEROCOPY | MSG_NOSIGNAL);
	if (n < 0) {
		check_set(check, CHECK_NO, "MSG_ZEROCOPY: %s", check_errno(-errno));
		if (errno == ENOBUFS)
			check_fix(check,
				  "raise ulimit -l, or sysctl -w net.core.optmem_max=1048576");
		return;
	}
	sockets_swallow(fds[1], (size_t)n);
	copied = was_copied(fds[0]);
	if (copied < 0)
		check_set(check, CHECK_UNKNOWN, "no notification: %s", check_errno(copied));
	else if (copied)
		check_set(check, CHECK_PARTLY,
			  "sent, but the kernel copied: it always does on loopback; a network "
			  "card with scatter-gather may not");
	else
		check_set(check, CHECK_YES, "sent without a copy");
}

static void try_zerocopy(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "net.zerocopy", "MSG_ZEROCOPY send");
	int fds[2], err = sockets_pair(fds);
	unsigned char *buf = mmap(NULL, SEND_BYTES, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (err < 0 || buf == MAP_FAILED) {
		check_set(check, CHECK_UNKNOWN, "no loopback connection: %s", check_errno(err));
	} else {
		zerocopy_over(fds, buf, check);
	}
	if (err >= 0) {
		close(fds[0]);
		close(fds[1]);
	}
	if (buf != MAP_FAILED)
		munmap(buf, SEND_BYTES);
}

static void try_ktls(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "net.ktls", "kernel TLS");
	int fds[2], err = sockets_pair(fds);

	if (err < 0) {
		check_set(check, CHECK_UNKNOWN, "no loopback connection: %s", check_errno(err));
		return;
	}
	if (!setsockopt(fds[0], IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls"))) {
		check_set(check, CHECK_YES, "a connected socket took the tls protocol");
	} else {
		check_set(check, CHECK_NO, "TCP_ULP: %s", check_errno(-errno));
		if (errno == ENOENT)
			check_fix(check, "modprobe tls (needs a kernel built with CONFIG_TLS)");
	}
	close(fds[0]);
	close(fds[1]);
}

/* The file is in memory: what is tried is the path, not the disk. */
static void try_sendfile(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "net.sendfile", "sendfile to a socket");
	int fds[2], err = sockets_pair(fds), fd = memfd_create("sluice-probe", MFD_CLOEXEC);
	off_t off = 0;
	ssize_t n;

	if (err < 0 || fd < 0 || ftruncate(fd, SEND_BYTES) < 0) {
		check_set(check, CHECK_UNKNOWN, "no file or no loopback connection");
	} else {
		n = sendfile(fds[0], fd, &off, SEND_BYTES);
		check_result(check, n < 0 ? -errno : n);
	}
	if (err >= 0) {
		close(fds[0]);
		close(fds[1]);
	}
	if (fd >= 0)
		close(fd);
}

void probe_net(struct probe *probe)
{
	try_zerocopy(probe);
	try_sendfile(probe);
	try_ktls(probe);
}
