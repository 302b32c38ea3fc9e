/* watch.c: the main thread while workers run; see watch.h. */
#include "tools/server/watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "tools/server/manager.h"

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void begin_drain(struct server_watch *watch)
{
	watch->draining = true;
	watch->limit_ms = now_ms() + (int64_t)(watch->drain_ns / 1000000);
	server_manager_tell("STOPPING=1\nSTATUS=draining");
	watch->drain(watch->ctx);
}

static void end_now(struct server_watch *watch)
{
	watch->cutting = true;
	watch->cut(watch->ctx);
}

static void on_signal(struct server_watch *watch)
{
	struct signalfd_siginfo info;

	if (read(watch->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		watch->reload(watch->ctx);
	else if (watch->draining)
		end_now(watch);
	else
		begin_drain(watch);
}

static int wait_ms(const struct server_watch *watch)
{
	int64_t left = watch->limit_ms - now_ms();

	if (!watch->draining || watch->cutting)
		return -1;
	if (left < 0)
		return 0;
	return left < INT32_MAX ? (int)left : INT32_MAX;
}

/* Until all workers have ended. */
void server_watch_run(struct server_watch *watch)
{
	struct pollfd fds[2] = { { .fd = watch->signal_fd, .events = POLLIN },
				 { .fd = watch->ended_fd, .events = POLLIN } };
	uint64_t nr;

	while (watch->ended < watch->workers) {
		int rc = poll(fds, 2, wait_ms(watch));

		if (rc == 0)
			end_now(watch);
		if (rc > 0 && fds[0].revents)
			on_signal(watch);
		if (rc > 0 && fds[1].revents && read(watch->ended_fd, &nr, sizeof(nr)) > 0) {
			watch->ended += (unsigned)nr;
			/* A worker whose ring broke takes the others with it. */
			if (!watch->draining && watch->ended < watch->workers)
				begin_drain(watch);
		}
	}
}

int server_watch_open(struct server_watch *watch)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	watch->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	watch->ended_fd = eventfd(0, EFD_CLOEXEC);
	if (watch->signal_fd < 0 || watch->ended_fd < 0)
		return -errno;
	return 0;
}

void server_watch_close(struct server_watch *watch)
{
	if (watch->signal_fd >= 0)
		close(watch->signal_fd);
	if (watch->ended_fd >= 0)
		close(watch->ended_fd);
}

void server_watch_tell(struct server_watch *watch)
{
	uint64_t one = 1;

	if (write(watch->ended_fd, &one, sizeof(one)) < 0)
		abort(); /* an eventfd takes it */
}

void server_watch_give_up(struct server_watch *watch)
{
	begin_drain(watch);
	end_now(watch);
}
