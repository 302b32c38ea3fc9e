/* remedy.c - why the kernel refused io_uring: sysctl, seccomp, limits; and the fix of each. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "backend/remedy.h"
#include "base/bits.h"

/* The beginning of a small file, as a string; false when it cannot be read. */
static bool read_text(const char *path, char *ret_text, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, ret_text, bytes - 1);
	close(fd);
	if (n < 0)
		return false;
	ret_text[n] = 0;
	return true;
}

static int read_uring_disabled(void)
{
	char text[16];

	if (!read_text("/proc/sys/kernel/io_uring_disabled", text, sizeof(text)))
		return -1;
	return (int)strtol(text, NULL, 10);
}

static int read_seccomp(void)
{
	static const char key[] = "\nSeccomp:";
	char text[4096];
	const char *at;

	if (!read_text("/proc/thread-self/status", text, sizeof(text)))
		return -1;
	at = strstr(text, key);
	return at ? (int)strtol(at + sizeof(key) - 1, NULL, 10) : -1;
}

static uint64_t limit_of(int resource)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return REMEDY_UNLIMITED;
	return limit.rlim_cur;
}

void remedy_read(struct remedy_facts *ret_facts)
{
	*ret_facts = (struct remedy_facts){
		.uring_disabled = read_uring_disabled(),
		.seccomp = read_seccomp(),
		.root = geteuid() == 0,
		.memlock_bytes = limit_of(RLIMIT_MEMLOCK),
		.nofile = limit_of(RLIMIT_NOFILE),
	};
}

uint64_t remedy_ring_bytes(uint32_t depth)
{
	uint64_t entries = sl_pow2_from(depth);

	/* 64 bytes for each submission; 16 for each completion, four for each submission. */
	return sl_round_up(entries * 64, 4096) + sl_round_up(entries * 4 * 16 + 64, 4096);
}

static const char *not_permitted(const struct remedy_facts *facts)
{
	if (facts->uring_disabled == 2)
		return "sysctl kernel.io_uring_disabled is 2, which forbids it to everybody; "
		       "root can allow it: sysctl -w kernel.io_uring_disabled=0";
	if (facts->uring_disabled == 1 && !facts->root)
		return "sysctl kernel.io_uring_disabled is 1: only for CAP_SYS_ADMIN and the "
		       "group kernel.io_uring_group; join it, or have it set to 0";
	if (facts->seccomp == 2)
		return "likely a seccomp filter, as containers have: allow io_uring_setup, "
		       "io_uring_enter and io_uring_register in its profile "
		       "(--security-opt seccomp=FILE)";
	return "likely a security module (SELinux, AppArmor): see its audit log";
}

static const char *no_such_call(const struct remedy_facts *facts)
{
	if (facts->seccomp == 2)
		return "a seccomp filter hides it (allow io_uring_setup, io_uring_enter and "
		       "io_uring_register), or the kernel is older than 5.11 or built without it";
	return "the kernel is older than 5.11 or built without CONFIG_IO_URING: use a newer one";
}

void remedy_text(const struct remedy_facts *facts, int err, uint32_t depth, char *ret_text,
		 size_t bytes)
{
	switch (err) {
	case -EPERM:
	case -EACCES:
		snprintf(ret_text, bytes, "%s", not_permitted(facts));
		break;
	case -ENOSYS:
		snprintf(ret_text, bytes, "%s", no_such_call(facts));
		break;
	case -ENOMEM:
		if (facts->memlock_bytes == REMEDY_UNLIMITED) {
			snprintf(ret_text, bytes, "the kernel has no memory for it");
			break;
		}
		snprintf(ret_text, bytes,
			 "RLIMIT_MEMLOCK is %llu KiB for all of this user, a ring of depth %u "
			 "takes about %llu KiB: raise it (ulimit -l, LimitMEMLOCK=, "
			 "--ulimit memlock=)",
			 (unsigned long long)facts->memlock_bytes / 1024, depth,
			 (unsigned long long)remedy_ring_bytes(depth) / 1024);
		break;
	case -EMFILE:
		snprintf(ret_text, bytes, "RLIMIT_NOFILE is %llu: raise it (ulimit -n)",
			 (unsigned long long)facts->nofile);
		break;
	default:
		*ret_text = 0;
	}
}
