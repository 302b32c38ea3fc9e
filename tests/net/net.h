/* net.h - what the tests of sockets and relays share: a ring on the backend under test, peers. */
#ifndef SLUICE_TESTS_NET_NET_H
#define SLUICE_TESTS_NET_NET_H

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/sluice.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))
#define MS	  INT64_C(1000000)
#define SECOND	  (1000 * MS)

/* "uring", "epoll", "sim" ... */
void net_choose(const char *backend);
bool net_on_sim(void);

/* The ring of this test, opened at its first use; closed by the end of the test. */
struct sl_ring *net_ring(void);
struct sl_ring *net_ring_with(const struct sl_ring_opts *opts);
struct sl_sim *net_sim(void);
int net_setup(void **state);
int net_teardown(void **state);

/* Turns until a condition holds; a test that waits for ever fails. */
#define UNTIL(condition)                               \
	do {                                           \
		unsigned turns_ = 0;                   \
		while (!(condition))                   \
			net_turn(&turns_, #condition); \
	} while (0)
void net_turn(unsigned *turns, const char *what);
/* Lets what is on its way arrive: turns for a while. */
void net_quiesce(void);

/* ---- straight-line calls on the ring ------------------------------------------------ */

int64_t net_do(struct sl_op *op);
int net_listen(struct sl_sock_addr *ret_addr);
/* Two ends of a TCP connection, O_NONBLOCK. */
void net_join(int ret_fds[2]);
int net_connect(const struct sl_sock_addr *addr);
void net_close(int fd);
void net_put(int fd, const void *data, size_t len);
/* Receives until len bytes, the end (then fewer) or an error (negative). */
int64_t net_take(int fd, void *data, size_t len);
/* Expects the end of the stream. */
void net_expect_end(int fd);
/* Sends until nothing more is taken; how much it was. */
uint64_t net_clog(int fd);

/* ---- bytes and files ---------------------------------------------------------------- */

/* The byte at off of every pattern. */
unsigned char net_byte(uint64_t off);
void net_fill(unsigned char *data, size_t len, uint64_t off);
void net_expect(const unsigned char *data, size_t len, uint64_t off);
/* A file of that pattern, in the directory of the test. */
int net_file(const char *name, size_t len);
int net_open(const char *name, uint64_t flags);
void net_truncate(int fd, uint64_t size);

#endif
