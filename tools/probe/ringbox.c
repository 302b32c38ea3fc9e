/* One request at a time over a raw ring. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "tools/probe/cost.h"
#include "tools/probe/ringbox.h"

#define WAIT_NS	       (RINGBOX_WAIT_MS * 1000000ULL)
#define MEMORY_TRIES   100
#define MEMORY_WAIT_NS 2000000

static void wait_for_memory(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = MEMORY_WAIT_NS }, NULL);
}

int ringbox_setup(uint32_t entries, struct sl_uring_params *params)
{
	const struct sl_uring_params asked = *params;
	int fd = -ENOMEM;

	for (int i = 0; i < MEMORY_TRIES && fd == -ENOMEM; i++) {
		*params = asked;
		fd = sl_sys_uring_setup(entries, params);
		if (fd == -ENOMEM)
			wait_for_memory();
	}
	return fd;
}

int ringbox_open(struct ringbox *box, uint32_t flags, uint32_t flags_wanted)
{
	struct uring_queue_opts opts = { .sq_entries = 16,
					 .cq_entries = 64,
					 .flags = flags,
					 .flags_wanted = flags_wanted,
					 .sq_idle_ms = 1 };
	int err = -ENOMEM;

	*box = (struct ringbox){ 0 };
	box->mem = mmap(NULL, RINGBOX_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (box->mem == MAP_FAILED) {
		*box = (struct ringbox){ 0 };
		return -ENOMEM;
	}
	for (int i = 0; i < MEMORY_TRIES && err == -ENOMEM; i++) {
		err = uring_queue_open(&box->queue, &opts, &box->report);
		if (err == -ENOMEM)
			wait_for_memory();
	}
	if (err < 0) {
		munmap(box->mem, RINGBOX_BYTES);
		*box = (struct ringbox){ 0 };
	}
	return err;
}

void ringbox_close(struct ringbox *box)
{
	int left;

	if (!box->mem)
		return;
	left = uring_queue_cancel_sync(&box->queue, 0, -1,
				       SL_URING_CANCEL_ANY | SL_URING_CANCEL_ALL, WAIT_NS);
	uring_queue_close(&box->queue);
	if (left != -ETIME)
		munmap(box->mem, RINGBOX_BYTES);
	*box = (struct ringbox){ 0 };
}

int64_t ringbox_start(struct ringbox *box, struct sl_uring_sqe sqe)
{
	int res;

	sqe.user_data = ++box->last_id;
	if (!uring_queue_push(&box->queue, &sqe))
		return -EBUSY;
	res = uring_queue_submit(&box->queue, NULL);
	return res < 0 ? res : (int64_t)box->last_id;
}

static bool from_stash(struct ringbox *box, int64_t id, struct sl_uring_cqe *ret_cqe)
{
	for (unsigned i = 0; i < box->stash_nr; i++) {
		if (box->stash[i].user_data != (uint64_t)id)
			continue;
		*ret_cqe = box->stash[i];
		box->stash_nr--;
		memmove(&box->stash[i], &box->stash[i + 1],
			(box->stash_nr - i) * sizeof(box->stash[0]));
		return true;
	}
	return false;
}

/* Completions nobody waits for are dropped when the stash is full: they were cancelled or stale. */
static void collect(struct ringbox *box)
{
	const struct sl_uring_cqe *cqe;

	while ((cqe = uring_queue_peek(&box->queue))) {
		if (box->stash_nr < RINGBOX_STASH)
			box->stash[box->stash_nr++] = *cqe;
		uring_queue_seen(&box->queue, 1);
	}
}

int ringbox_wait(struct ringbox *box, int64_t id, struct sl_uring_cqe *ret_cqe)
{
	uint64_t deadline_ns = cost_now_ns() + WAIT_NS;
	struct uring_queue_wait wait = { .nr = 1, .deadline_ns = deadline_ns };

	for (;;) {
		int res;

		collect(box);
		if (from_stash(box, id, ret_cqe))
			return 0;
		if (cost_now_ns() >= deadline_ns)
			return -ETIMEDOUT;
		res = uring_queue_submit(&box->queue, &wait);
		if (res < 0 && res != -ETIME && res != -EINTR && res != -EAGAIN)
			return res;
	}
}

int64_t ringbox_do(struct ringbox *box, struct sl_uring_sqe sqe)
{
	struct sl_uring_cqe cqe;
	int64_t id = ringbox_start(box, sqe);
	int err = id < 0 ? (int)id : ringbox_wait(box, id, &cqe);

	return err < 0 ? err : cqe.res;
}
