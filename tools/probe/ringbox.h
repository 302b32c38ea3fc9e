/* A ring for trying operations one at a time, each wait bounded, memory included. */
#ifndef PROBE_RINGBOX_H
#define PROBE_RINGBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/uring/queue.h"

#define RINGBOX_BYTES	(64U * 1024)
#define RINGBOX_WAIT_MS 1000
#define RINGBOX_STASH	16

/**
 * struct ringbox - a queue, memory for its requests, and completions that came early.
 * @queue: the ring.
 * @report: what the kernel made of the wishes.
 * @mem: RINGBOX_BYTES, page-aligned, present, for buffers and operands alike: if the kernel
 *       keeps a request, this memory is leaked instead of reused.
 */
struct ringbox {
	struct uring_queue queue;
	struct uring_queue_report report;
	unsigned char *mem;
	/* private: */
	uint64_t last_id;
	struct sl_uring_cqe stash[RINGBOX_STASH];
	unsigned stash_nr;
};

/*
 * io_uring_setup(2), again for a moment while it says ENOMEM: locked memory of
 * a ring closed just before is given back late, by a kernel worker. fd or -errno.
 */
int ringbox_setup(uint32_t entries, struct sl_uring_params *params);

/* Open with flags that are required and flags that may be dropped. 0 or -errno. */
int ringbox_open(struct ringbox *box, uint32_t flags, uint32_t flags_wanted);

/* Cancel what is in flight, wait for it, close. Takes a zeroed one too. */
void ringbox_close(struct ringbox *box);

/* Submit one request; its user_data is chosen here and returned (> 0), or -errno. */
int64_t ringbox_start(struct ringbox *box, struct sl_uring_sqe sqe);

/* Wait for the next completion of a request: 0, or -ETIMEDOUT, or the ring's own -errno. */
int ringbox_wait(struct ringbox *box, int64_t id, struct sl_uring_cqe *ret_cqe);

/* Start and wait; the result of the operation, or -ETIMEDOUT. */
int64_t ringbox_do(struct ringbox *box, struct sl_uring_sqe sqe);

/* Memory as a number, for the address fields of a request. */
static inline uint64_t ringbox_addr(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

#endif
