/*
 * Registered descriptors: a table in the kernel, and a stack of its free slots.
 *
 * A slot may be filled anew at once: the engine gives one back only when nothing
 * on it is in flight, so no entry that names it is left behind.
 */
#include <errno.h>

#include "backend/uring/uring.h"

#define FILES_MIN 16

/* A smaller table, or none, where RLIMIT_NOFILE or memory refuse a larger one. */
void uring_files_init(struct uring *u, uint32_t nr)
{
	for (; nr; nr = nr > FILES_MIN ? nr / 2 : 0)
		if (!uring_queue_files_sparse(&u->q, nr))
			break;
	u->files_nr = nr;
	for (uint32_t i = 0; i < nr; i++)
		u->free_files[i] = (int32_t)(nr - 1 - i);
	u->free_files_nr = nr;
}

int uring_keep(void *state, int fd)
{
	struct uring *u = state;
	int ret, idx;

	if (!u->files_nr)
		return -EOPNOTSUPP;
	if (!u->free_files_nr)
		return -EAGAIN;
	idx = u->free_files[u->free_files_nr - 1];
	ret = uring_queue_files_update(&u->q, (uint32_t)idx, &fd, NULL, 1);
	if (ret != 1)
		return ret < 0 ? ret : -EBADF;
	u->free_files_nr--;
	return idx;
}

void uring_unkeep(void *state, int idx, int fd)
{
	struct uring *u = state;
	const int none = -1;

	(void)fd;
	uring_queue_files_update(&u->q, (uint32_t)idx, &none, NULL, 1);
	u->free_files[u->free_files_nr++] = idx;
}
