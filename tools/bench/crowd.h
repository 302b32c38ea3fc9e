/* crowd.h: many idle descriptors, of which one becomes ready at a time. */
#ifndef SLUICE_TOOLS_BENCH_CROWD_H
#define SLUICE_TOOLS_BENCH_CROWD_H

#include <stdint.h>

/**
 * struct crowd - eventfds nobody writes to, but for the one that is woken.
 *
 * @fd: blocking eventfds (io_uring answers -EAGAIN at once on nonblocking ones); the numbers of a
 * large crowd reach beyond FD_SETSIZE.
 * @fd_max: the highest of them.
 */
struct crowd {
	unsigned nr;
	int fd_max;
	int *fd;
};

/**
 * crowd_open - open the descriptors, raising the soft limit on open files if need be.
 * @c: written.
 * @nr: how many.
 *
 * Return: 0; -EMFILE when the hard limit is too low, -ENFILE, -ENOMEM.
 */
int crowd_open(struct crowd *c, unsigned nr);

/**
 * crowd_shut - close them.
 * @c: may be zeroed.
 */
void crowd_shut(struct crowd *c);

#endif
