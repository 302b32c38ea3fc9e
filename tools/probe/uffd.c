/*
 * userfaultfd: which kinds of fault can be served in user space.
 *
 * Every kind but the first is tried in SIGBUS mode, so that nothing can hang: the
 * touch either works or raises SIGBUS, which is caught around that one touch.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/uffd.h"
#include "tools/probe/cost.h"
#include "tools/probe/proc.h"
#include "tools/probe/topics.h"

#define WAIT_MS 1000
#define NOBODY	65534

/* The one thing a signal handler can reach; used only between sigsetjmp and the touch. */
static _Thread_local sigjmp_buf caught;

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(caught, 1);
}

/* Load or store one byte. Returns the byte, or -EFAULT when that raised SIGBUS. */
static int touch(volatile unsigned char *at, bool store)
{
	struct sigaction action = { .sa_handler = on_sigbus }, old;
	volatile int res = -EFAULT;

	sigaction(SIGBUS, &action, &old);
	if (!sigsetjmp(caught, 1)) {
		if (store)
			*at = 0x77;
		res = *at;
	}
	sigaction(SIGBUS, &old, NULL);
	return res;
}

/* The ways to get a descriptor, most able first. */
static int open_best(const char **ret_how)
{
	int fd = sl_sys_uffd_open_device(O_CLOEXEC | O_NONBLOCK);

	*ret_how = "/dev/userfaultfd";
	if (fd >= 0)
		return fd;
	fd = sl_sys_uffd_open(O_CLOEXEC | O_NONBLOCK);
	*ret_how = "userfaultfd(2)";
	if (fd >= 0)
		return fd;
	*ret_how = "userfaultfd(2) with UFFD_USER_MODE_ONLY";
	return sl_sys_uffd_open(O_CLOEXEC | O_NONBLOCK | SL_UFFD_USER_MODE_ONLY);
}

/* One page each: the registered one and one to take content from. */
struct pages {
	int fd;
	size_t len;
	unsigned char *target;
	unsigned char *source;
};

static unsigned char *map_page(size_t len)
{
	void *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? NULL : map;
}

static void pages_close(struct pages *pages)
{
	if (pages->fd >= 0)
		close(pages->fd);
	if (pages->target)
		munmap(pages->target, pages->len);
	if (pages->source)
		munmap(pages->source, pages->len);
}

/* A descriptor with these features and two fresh pages, the source filled with 0x5a. */
static int pages_open(struct pages *pages, uint64_t features)
{
	const char *how;
	uint64_t has;
	int err;

	*pages = (struct pages){ .fd = open_best(&how), .len = (size_t)sysconf(_SC_PAGESIZE) };
	pages->target = map_page(pages->len);
	pages->source = map_page(pages->len);
	err = pages->fd < 0 ? pages->fd : sl_sys_uffd_api(pages->fd, features, &has);
	if (!err && (!pages->target || !pages->source))
		err = -ENOMEM;
	if (err < 0) {
		pages_close(pages);
		return err;
	}
	memset(pages->source, 0x5a, pages->len);
	return 0;
}

static void *toucher(void *ctx)
{
	const struct pages *pages = ctx;

	return (void *)(uintptr_t) * (volatile unsigned char *)pages->target;
}

/* Wait for the other thread's fault and fill the page. Closing the descriptor frees the thread. */
static int64_t serve_one(struct pages *pages)
{
	struct pollfd ready = { .fd = pages->fd, .events = POLLIN };
	struct uffd_msg msg;

	if (poll(&ready, 1, WAIT_MS) != 1)
		return -ETIMEDOUT;
	if (read(pages->fd, &msg, sizeof(msg)) != sizeof(msg))
		return -EIO;
	if (msg.event != UFFD_EVENT_PAGEFAULT)
		return -EPROTO;
	return sl_sys_uffd_copy(pages->fd, pages->target, pages->source, pages->len);
}

static int64_t try_missing(struct pages *pages)
{
	int64_t res =
		sl_sys_uffd_register(pages->fd, pages->target, pages->len, SL_UFFD_MODE_MISSING);
	pthread_t thread;
	void *seen = NULL;

	if (res < 0)
		return res;
	if (pthread_create(&thread, NULL, toucher, pages))
		return -EAGAIN;
	res = serve_one(pages);
	if (res < 0) {
		close(pages->fd);
		pages->fd = -1;
	}
	pthread_join(thread, &seen);
	return res < 0 ? res : (uintptr_t)seen == 0x5a ? 0 : -EBADMSG;
}

static int64_t try_sigbus(struct pages *pages)
{
	int64_t res =
		sl_sys_uffd_register(pages->fd, pages->target, pages->len, SL_UFFD_MODE_MISSING);

	if (res < 0)
		return res;
	if (touch(pages->target, false) != -EFAULT)
		return -EPROTO;
	res = sl_sys_uffd_copy(pages->fd, pages->target, pages->source, pages->len);
	return res < 0 ? res : touch(pages->target, false) == 0x5a ? 0 : -EBADMSG;
}

static int64_t protect_target(struct pages *pages)
{
	int64_t res;

	memset(pages->target, 1, pages->len);
	res = sl_sys_uffd_register(pages->fd, pages->target, pages->len, SL_UFFD_MODE_WP);
	return res < 0 ? res : sl_sys_uffd_protect(pages->fd, pages->target, pages->len, 1);
}

static int64_t try_wp(struct pages *pages)
{
	int64_t res = protect_target(pages);

	if (res < 0)
		return res;
	if (touch(pages->target, true) != -EFAULT)
		return -EPROTO;
	res = sl_sys_uffd_protect(pages->fd, pages->target, pages->len, 0);
	return res < 0 ? res : touch(pages->target, true) == 0x77 ? 0 : -EBADMSG;
}

/* The kernel lifts the protection by itself and remembers the page as written. */
static int64_t try_wp_async(struct pages *pages)
{
	int64_t res = protect_target(pages);

	if (res < 0)
		return res;
	return touch(pages->target, true) == 0x77 ? 0 : -EPROTO;
}

static int64_t try_minor(struct pages *pages)
{
	int fd = memfd_create("sluice-probe", MFD_CLOEXEC);
	unsigned char *map = MAP_FAILED;
	unsigned char byte = 0x5a;
	int64_t res = fd < 0 ? -errno : 0;

	if (!res && (ftruncate(fd, (off_t)pages->len) < 0 || pwrite(fd, &byte, 1, 0) != 1))
		res = -EIO;
	if (!res)
		map = mmap(NULL, pages->len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!res && map == MAP_FAILED)
		res = -ENOMEM;
	if (!res)
		res = sl_sys_uffd_register(pages->fd, map, pages->len, SL_UFFD_MODE_MINOR);
	if (!res && touch(map, false) != -EFAULT)
		res = -EPROTO;
	if (!res)
		res = sl_sys_uffd_continue(pages->fd, map, pages->len);
	if (res > 0)
		res = touch(map, false) == 0x5a ? 0 : -EBADMSG;
	if (map != MAP_FAILED)
		munmap(map, pages->len);
	if (fd >= 0)
		close(fd);
	return res;
}

static int64_t try_poison(struct pages *pages)
{
	int64_t res =
		sl_sys_uffd_register(pages->fd, pages->target, pages->len, SL_UFFD_MODE_MISSING);

	if (res >= 0)
		res = sl_sys_uffd_poison(pages->fd, pages->target, pages->len);
	return res < 0 ? res : touch(pages->target, false) == -EFAULT ? 0 : -EPROTO;
}

static int64_t try_move(struct pages *pages)
{
	int64_t res =
		sl_sys_uffd_register(pages->fd, pages->target, pages->len, SL_UFFD_MODE_MISSING);

	if (res >= 0)
		res = sl_sys_uffd_move(pages->fd, pages->target, pages->source, pages->len);
	return res < 0 ? res : touch(pages->target, false) == 0x5a ? 0 : -EBADMSG;
}

static const struct {
	const char *id, *title, *meaning;
	uint64_t features;
	int64_t (*step)(struct pages *pages);
} kinds[] = {
	{ "uffd.missing", "missing pages", "another thread's fault was served", 0, try_missing },
	{ "uffd.sigbus", "SIGBUS mode", "the faulting thread served itself", SL_UFFD_FEATURE_SIGBUS,
	  try_sigbus },
	{ "uffd.wp", "write protection", "a write was stopped, then let through",
	  SL_UFFD_FEATURE_SIGBUS | SL_UFFD_FEATURE_PAGEFAULT_WP, try_wp },
	{ "uffd.wp_async", "async write protection", "a write went through by itself",
	  SL_UFFD_FEATURE_PAGEFAULT_WP | SL_UFFD_FEATURE_WP_UNPOPULATED | SL_UFFD_FEATURE_WP_ASYNC,
	  try_wp_async },
	{ "uffd.minor", "minor faults", "a cached page was mapped by CONTINUE",
	  SL_UFFD_FEATURE_SIGBUS | SL_UFFD_FEATURE_MINOR_SHMEM, try_minor },
	{ "uffd.poison", "poisoned pages", "a touch raised SIGBUS",
	  SL_UFFD_FEATURE_SIGBUS | SL_UFFD_FEATURE_POISON, try_poison },
	{ "uffd.move", "moving pages", "a page changed its address, not its place",
	  SL_UFFD_FEATURE_SIGBUS | SL_UFFD_FEATURE_MOVE, try_move },
};

static void try_kind(struct probe *probe, size_t idx)
{
	struct check *check = check_add(&probe->checks, kinds[idx].id, kinds[idx].title);
	struct pages pages;
	int64_t res = pages_open(&pages, kinds[idx].features);

	if (res < 0) {
		check_result(check, res);
		return;
	}
	res = kinds[idx].step(&pages);
	pages_close(&pages);
	if (res >= 0)
		check_set(check, CHECK_YES, "%s", kinds[idx].meaning);
	else
		check_result(check, res);
}

/* In a child that gave up its privileges. Exit code: bit 0 plain, bit 1 user mode only. */
static int unprivileged_child(void)
{
	int mask = 0;

	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			       setresuid(NOBODY, NOBODY, NOBODY) < 0))
		return 128;
	if (sl_sys_uffd_open(O_CLOEXEC) >= 0)
		mask |= 1;
	if (sl_sys_uffd_open(O_CLOEXEC | SL_UFFD_USER_MODE_ONLY) >= 0)
		mask |= 2;
	return mask;
}

static void try_unprivileged(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "uffd.unprivileged", "without privileges");
	pid_t pid = fork();
	int status = 0;

	if (!pid)
		_exit(unprivileged_child());
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) ||
	    WEXITSTATUS(status) == 128) {
		check_set(check, CHECK_UNKNOWN, "no child could try it");
		return;
	}
	switch (WEXITSTATUS(status)) {
	case 3:
		check_set(check, CHECK_YES, "all faults");
		break;
	case 2:
		check_set(check, CHECK_PARTLY,
			  "user-mode faults only: system calls on a missing "
			  "page fail with EFAULT");
		check_fix(check, "sysctl -w vm.unprivileged_userfaultfd=1, or give the group "
				 "access to /dev/userfaultfd");
		break;
	default:
		check_set(check, CHECK_NO, "userfaultfd(2) is refused");
	}
}

void probe_uffd(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "uffd.open", "userfaultfd");
	const char *how;
	int fd = open_best(&how);

	if (fd < 0) {
		check_set(check, CHECK_NO, "%s", check_errno(fd));
		if (fd == -EPERM)
			check_fix(check, "sysctl -w vm.unprivileged_userfaultfd=1, or allow "
					 "userfaultfd in the container's seccomp profile");
		return;
	}
	close(fd);
	check_set(check, CHECK_YES, "through %s", how);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		try_kind(probe, i);
	try_unprivileged(probe);
}
