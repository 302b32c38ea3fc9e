/* place.h: the sender on one processor, the receiver on another, for as long as it is measured. */
#ifndef SLUICE_TOOLS_BENCH_PLACE_H
#define SLUICE_TOOLS_BENCH_PLACE_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

/**
 * struct place - two processors that we may use.
 *
 * @sender, @receiver: their numbers; on different cores where there are any.
 * @apart: there are two; else nobody is bound.
 */
struct place {
	int sender, receiver;
	bool apart;
	/* private: */
	cpu_set_t before;
};

/**
 * place_begin - choose the processors and bind the calling thread to the sender's.
 * @p: written.
 */
void place_begin(struct place *p);

/**
 * place_receiver - bind a thread to the receiver's processor.
 * @p: begun; NULL or not @apart: nothing happens.
 * @thread: of this process.
 */
void place_receiver(const struct place *p, pthread_t thread);

/**
 * place_end - let the calling thread run where it could before.
 * @p: may be zeroed.
 */
void place_end(const struct place *p);

#endif
