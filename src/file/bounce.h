/* bounce.h - a few aligned buffers of a file, and the requests that wait for one. */
#ifndef SLUICE_FILE_BOUNCE_H
#define SLUICE_FILE_BOUNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_file_req;
struct sl_ring;

struct bounce_set {
	struct sl_ring *ring; /* whose allocator the memory is from */
	void *memory;	      /* all buffers, one after the other */
	void **free;	      /* stack of those not in use */
	uint32_t count;
	uint32_t free_nr;
	size_t bytes; /* of each */
	struct sl_file_req *waiting;
	struct sl_file_req **waiting_tail;
};

/* 0 or -ENOMEM; the memory is touched, so that it is there when it is needed. */
int sl_bounce_init(struct bounce_set *set, struct sl_ring *ring, uint32_t count, size_t bytes,
		   size_t align);
void sl_bounce_fini(struct bounce_set *set);

/* Gives req a buffer, or puts it at the end of the queue and says false. */
bool sl_bounce_get(struct bounce_set *set, struct sl_file_req *req);

/* Takes the buffer back; the request that got it instead, or NULL. */
struct sl_file_req *sl_bounce_put(struct bounce_set *set, struct sl_file_req *req);

#endif
