/* SIGPIPE of one thread; see sigpipe.h. */
#include <pthread.h>
#include <time.h>

#include "sys/sigpipe.h"

void sl_sigpipe_begin(struct sl_sigpipe_guard *guard)
{
	sigset_t set;

	/* Only a blocked signal can be pending: then there is nothing to keep away,
	 * and one more would merge with the one that is not ours. */
	sigpending(&set);
	guard->was_pending = sigismember(&set, SIGPIPE) == 1;
	if (guard->was_pending)
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, &guard->mask);
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
	if (!sigismember(&guard->mask, SIGPIPE))
		pthread_sigmask(SIG_SETMASK, &guard->mask, NULL);
	return dropped;
}
