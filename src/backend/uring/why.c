/* Why a ring could not be set up: the likely cause and its fix, in one sentence. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "backend/uring/uring.h"

#define WHY_BYTES 256

/* 0, 1 or 2; -1 where the kernel has no such switch. */
static int disabled_switch(void)
{
	int fd = open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC);
	char digit = 0;
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read(fd, &digit, 1);
	close(fd);
	return got == 1 && digit >= '0' && digit <= '9' ? digit - '0' : -1;
}

static void explain_forbidden(int err, char *why)
{
	switch (disabled_switch()) {
	case 2:
		snprintf(why, WHY_BYTES,
			 "uring: %s: the sysctl kernel.io_uring_disabled is 2, which forbids it to "
			 "everyone; set it to 0",
			 sl_err_name(err));
		break;
	case 1:
		snprintf(why, WHY_BYTES,
			 "uring: %s: the sysctl kernel.io_uring_disabled is 1, which forbids it to "
			 "processes outside kernel.io_uring_group; join it or set it to 0",
			 sl_err_name(err));
		break;
	default:
		snprintf(why, WHY_BYTES,
			 "uring: %s: likely a seccomp filter, as containers have by default; allow "
			 "io_uring_setup, io_uring_enter and io_uring_register in its profile",
			 sl_err_name(err));
	}
}

static void explain_memory(size_t ring_bytes, char *why)
{
	struct rlimit limit = { 0, 0 };

	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (limit.rlim_cur == RLIM_INFINITY)
		snprintf(why, WHY_BYTES, "uring: ENOMEM: no memory for a ring of %zu KiB",
			 ring_bytes / 1024);
	else
		snprintf(why, WHY_BYTES,
			 "uring: ENOMEM: a ring of %zu KiB does not fit into RLIMIT_MEMLOCK, "
			 "%llu KiB for all of this user's pinned memory; raise memlock in "
			 "limits.conf, with ulimit -l or LimitMEMLOCK=",
			 ring_bytes / 1024, (unsigned long long)limit.rlim_cur / 1024);
}

void uring_explain(int err, size_t ring_bytes, char *why)
{
	switch (err) {
	case -EPERM:
	case -EACCES:
		explain_forbidden(err, why);
		break;
	case -ENOSYS:
		snprintf(why, WHY_BYTES,
			 "uring: ENOSYS: the kernel has no io_uring, or one older than Linux 5.11, "
			 "or a seccomp filter says so");
		break;
	case -ENOMEM:
		explain_memory(ring_bytes, why);
		break;
	default:
		snprintf(why, WHY_BYTES, "uring: %s: cannot set up a ring: %s", sl_err_name(err),
			 sl_err_text(err));
	}
}
