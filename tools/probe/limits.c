/* Limits that bite: what this process may have, tried where trying is harmless. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sys/aio.h"
#include "tools/probe/proc.h"
#include "tools/probe/ringbox.h"
#include "tools/probe/topics.h"

#define MEMLOCK_WANT (64UL << 20) /* a modest pool of registered buffers */
#define NOFILE_WANT  10000	  /* an ordinary server */
#define NPROC_WANT   1024
#define MAPS_WANT    65530

static const char *amount(rlim_t value, char *out, size_t room)
{
	if (value == RLIM_INFINITY)
		snprintf(out, room, "unlimited");
	else
		snprintf(out, room, "%llu", (unsigned long long)value);
	return out;
}

/* Can 64 MiB be locked? Nothing is touched but the page tables, and it is undone at once. */
static int lock_some(size_t len)
{
	void *map = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err = 0;

	if (map == MAP_FAILED)
		return -ENOMEM;
	if (mlock2(map, len, MLOCK_ONFAULT) < 0)
		err = -errno;
	munmap(map, len);
	return err;
}

static void try_memlock(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "limits.memlock", "lock 64 MiB of memory");
	struct rlimit limit = { 0 };
	char soft[32], hard[32];
	int err = lock_some(MEMLOCK_WANT);

	getrlimit(RLIMIT_MEMLOCK, &limit);
	check_say(check, "ulimit -l: soft %s, hard %s bytes", amount(limit.rlim_cur, soft, 32),
		  amount(limit.rlim_max, hard, 32));
	if (!err) {
		check_set(check, CHECK_YES, "locked%s",
			  limit.rlim_cur < MEMLOCK_WANT ? " beyond the limit, by privilege" : "");
		return;
	}
	check_set(check, CHECK_NO, "%s: registered buffers must be fewer", check_errno(err));
	check_fix(check,
		  "ulimit -l 131072 (kB) before the start, or LimitMEMLOCK=128M in the unit, "
		  "or docker run --ulimit memlock=-1");
}

static void try_nofile(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "limits.nofile", "open descriptors");
	struct rlimit limit = { 0 };
	char soft[32], hard[32];
	int fd;

	getrlimit(RLIMIT_NOFILE, &limit);
	check_say(check, "ulimit -n: soft %s, hard %s", amount(limit.rlim_cur, soft, 32),
		  amount(limit.rlim_max, hard, 32));
	fd = limit.rlim_cur > 4 ? fcntl(0, F_DUPFD_CLOEXEC, (int)limit.rlim_cur - 1) : -1;
	if (fd >= 0) {
		check_say(check, "descriptor %d could be opened", fd);
		close(fd);
	}
	if (limit.rlim_cur >= NOFILE_WANT) {
		check->status = CHECK_YES;
		return;
	}
	check->status = CHECK_PARTLY;
	check_fix(check, "ulimit -n %s before the start, or LimitNOFILE=65536 in the unit",
		  limit.rlim_max < NOFILE_WANT ? "10240 (needs root or a higher hard limit)" :
						 "10240");
}

/* The kernel's worker threads of a ring are bounded by it unless somebody bounds them. */
static void try_nproc(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "limits.nproc", "threads of this user");
	struct rlimit limit = { 0 };
	char soft[32], hard[32];

	getrlimit(RLIMIT_NPROC, &limit);
	check_say(check, "ulimit -u: soft %s, hard %s", amount(limit.rlim_cur, soft, 32),
		  amount(limit.rlim_max, hard, 32));
	check->status = limit.rlim_cur >= NPROC_WANT ? CHECK_YES : CHECK_PARTLY;
	if (check->status != CHECK_YES)
		check_fix(check, "ulimit -u 4096 before the start");
}

static void try_iowq(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "limits.iowq", "bound on kernel workers");
	struct ringbox box;
	uint32_t before[2] = { 0 }, after[2] = { 0 };
	int err = ringbox_open(&box, 0, URING_QUEUE_WANT);

	if (err < 0) {
		check_set(check, CHECK_UNKNOWN, "no ring: %s", check_errno(err));
		return;
	}
	err = uring_queue_iowq_max_workers(&box.queue, 2, 2, before);
	if (err >= 0)
		err = uring_queue_iowq_max_workers(&box.queue, 0, 0, after);
	if (err >= 0 && before[0])
		uring_queue_iowq_max_workers(&box.queue, before[0], before[1], NULL);
	ringbox_close(&box);
	if (err < 0)
		check_result(check, err);
	else
		check_set(check, after[0] == 2 && after[1] == 2 ? CHECK_YES : CHECK_NO,
			  "by default %u for files, %u for everything else", before[0], before[1]);
}

static void try_pipe(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "limits.pipe", "large pipes");
	int64_t max = proc_number("/proc/sys/fs/pipe-max-size", 1 << 20);
	int64_t soft = proc_number("/proc/sys/fs/pipe-user-pages-soft", 0);
	int fds[2], got;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		check_result(check, -errno);
		return;
	}
	got = fcntl(fds[1], F_SETPIPE_SZ, (int)max);
	if (got < 0) {
		check_set(check, CHECK_NO, "%lld bytes: %s", (long long)max, check_errno(-errno));
		check_fix(check, "sysctl -w fs.pipe-user-pages-soft=65536");
	} else {
		check_set(check, CHECK_YES, "one of %d bytes", got);
		if (soft)
			check_say(check, "without privilege %lld of them, then 8 KiB each",
				  (long long)(soft * sysconf(_SC_PAGESIZE) / got));
	}
	close(fds[0]);
	close(fds[1]);
}

static void try_aio(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "limits.aio", "libaio with depth 128");
	aio_context_t context = 0;
	int err = sl_sys_aio_setup(128, &context);

	check_say(check, "fs.aio-nr %lld of fs.aio-max-nr %lld",
		  (long long)proc_number("/proc/sys/fs/aio-nr", -1),
		  (long long)proc_number("/proc/sys/fs/aio-max-nr", -1));
	check_result(check, err);
	if (!err)
		sl_sys_aio_destroy(context);
	else if (err == -EAGAIN)
		check_fix(check, "sysctl -w fs.aio-max-nr=1048576");
}

static void try_maps(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "limits.maps", "memory mappings");
	int64_t max = proc_number("/proc/sys/vm/max_map_count", -1);

	if (max < 0) {
		check_set(check, CHECK_UNKNOWN, "/proc/sys/vm/max_map_count cannot be read");
		return;
	}
	check_set(check, max >= MAPS_WANT ? CHECK_YES : CHECK_PARTLY, "vm.max_map_count %lld",
		  (long long)max);
	if (check->status != CHECK_YES)
		check_fix(check, "sysctl -w vm.max_map_count=262144");
}

void probe_limits(struct probe *probe)
{
	try_memlock(probe);
	try_nofile(probe);
	try_nproc(probe);
	try_iowq(probe);
	try_pipe(probe);
	try_aio(probe);
	try_maps(probe);
}
