/* promise.h - what the tests of the promises share: rings, ops that count, files and pipes. */
#ifndef SLUICE_TESTS_PROMISES_PROMISE_H
#define SLUICE_TESTS_PROMISES_PROMISE_H

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <sluice/sluice.h>

#define MS 1000000LL

/* An op that counts its completions. */
struct counted {
	struct sl_op op;
	int events; /* completions, whatever more says */
	int ends;   /* completions with more == 0 */
};

static inline void count_completion(struct sl_ring *ring, struct sl_op *op)
{
	struct counted *counted = sl_op_of(op, struct counted, op);

	(void)ring;
	counted->events++;
	counted->ends += op->more == 0;
}

static inline struct sl_ring *open_ring(const struct sl_ring_opts *opts)
{
	struct sl_ring *ring = NULL;

	assert_int_equal(sl_ring_open(opts, &ring), 0);
	assert_non_null(ring);
	return ring;
}

/* Submits an op that is to be counted. */
static inline void submit_counted(struct sl_ring *ring, struct counted *counted)
{
	counted->op.done = count_completion;
	assert_int_equal(sl_ring_submit(ring, &counted->op), 0);
}

static inline void run_until_idle(struct sl_ring *ring)
{
	while (sl_ring_inflight(ring) > 0)
		assert_true(sl_ring_run(ring, 0) >= 0);
}

static inline int64_t soon(struct sl_ring *ring, int64_t ns)
{
	return sl_ring_clock(ring) + ns;
}

static inline void make_pipe(int fds[2])
{
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
}

static inline void close_pair(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

/* A new file of len bytes whose byte at i is (char)i. */
static inline int make_file(size_t len)
{
	int fd = open(support_path(support_tmpdir(), "file"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char *bytes = malloc(len + 1);

	assert_true(fd >= 0);
	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)i;
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	free(bytes);
	return fd;
}

/* Runs fn in a child and returns how it ended, as waitpid(2) tells. */
static inline int in_child(int (*fn)(void *), void *ctx)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn(ctx));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

#endif
