/* SIGPIPE of one thread; see sigpipe.h. */
#include <pthread.h>
#include <time.h>

#include "sys/sigpipe.h"

void sl_sigpipe_begin(struct sl_sigpipe_guard *guard)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, &guard->mask);
	guard->was_pending = false;
	if (!sigismember(&guard->mask, SIGPIPE))
		return;
	/* Only a signal that was blocked before can be pending: then one more would
	 * merge with the one that is not ours. */
	sigpending(&set);
	guard->was_pending = sigismember(&set, SIGPIPE) == 1;
}

bool sl_sigpipe_end(const struct sl_sigpipe_guard *guard)
{
	const struct timespec now = { 0, 0 };
	bool dropped;
	sigset_t set;

	if (guard->was_pending)
		return false;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	dropped = sigtimedwait(&set, NULL, &now) == SIGPIPE;
	sl_sigpipe_restore(guard);
	return dropped;
}

void sl_sigpipe_restore(const struct sl_sigpipe_guard *guard)
{
	if (!sigismember(&guard->mask, SIGPIPE))
		pthread_sigmask(SIG_SETMASK, &guard->mask, NULL);
}
