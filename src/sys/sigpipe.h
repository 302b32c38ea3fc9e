/*
 * SIGPIPE of one thread, kept from it for the length of a call that may raise it.
 *
 * A write to a pipe or socket that nobody reads any more raises SIGPIPE in the
 * thread that makes it. A library must not change what the process does with
 * signals, so the guard works on this thread alone and leaves no trace: it
 * blocks SIGPIPE, and at the end takes away the one that came in between and
 * restores the mask. One that was pending before stays pending.
 */
#ifndef SL_SYS_SIGPIPE_H
#define SL_SYS_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

/** struct sl_sigpipe_guard - what the thread's signals were like before */
struct sl_sigpipe_guard {
	/* private: */
	sigset_t mask;
	bool was_pending;
};

/**
 * sl_sigpipe_begin - keep SIGPIPE away from this thread
 * @guard: filled in; caller memory
 *
 * Context: any thread; guards nest. One system call, two where SIGPIPE is blocked.
 */
void sl_sigpipe_begin(struct sl_sigpipe_guard *guard);

/**
 * sl_sigpipe_end - drop a SIGPIPE that came meanwhile, and let signals be as before
 * @guard: from the begin on the same thread
 *
 * Context: the thread of the begin. At most two system calls.
 * Return: whether a SIGPIPE was dropped.
 */
bool sl_sigpipe_end(const struct sl_sigpipe_guard *guard);

/**
 * sl_sigpipe_restore - let signals be as before, when none can have come
 * @guard: from the begin on the same thread
 *
 * Context: the thread of the begin. At most one system call.
 */
void sl_sigpipe_restore(const struct sl_sigpipe_guard *guard);

#endif
