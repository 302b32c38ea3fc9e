/* The page cache: what an operation leaves in it, and whether one can look. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "sys/rw.h"
#include "tools/probe/topics.h"

/* Read 64 KiB buffered so that its pages are cached, then ask both ways. */
static void try_looking(struct probe *probe)
{
	struct check *stat =
		check_add(&probe->checks, "cache.cachestat", "cachestat tells the truth");
	struct check *core = check_add(&probe->checks, "cache.mincore", "mincore tells the truth");
	struct scratch *scratch = &probe->scratch;
	int64_t want = (int64_t)(SCRATCH_CHUNK / scratch->page), by_stat, by_core;

	sl_sys_pread(scratch->fd, scratch->buf, SCRATCH_CHUNK, 0, 0);
	by_stat = scratch_cachestat(scratch, 0, SCRATCH_CHUNK);
	by_core = scratch_mincore(scratch, 0, SCRATCH_CHUNK);
	if (by_stat < 0)
		check_set(stat, CHECK_NO, "%s", check_errno(by_stat));
	else
		check_set(stat, by_stat == want ? CHECK_YES : CHECK_NO,
			  "%lld of %lld cached pages seen", (long long)by_stat, (long long)want);
	if (by_stat == 0 && by_core == want)
		check_say(stat, "it looks at the wrong file here (an overlay does that)");
	if (by_core < 0)
		check_set(core, CHECK_NO, "%s", check_errno(by_core));
	else
		check_set(core, by_core == want ? CHECK_YES : CHECK_NO,
			  "%lld of %lld cached pages seen", (long long)by_core, (long long)want);
}

static void try_drop(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "cache.drop", "POSIX_FADV_DONTNEED evicts");
	int err = probe_scratch_drop(&probe->scratch);
	int64_t left = scratch_cached(&probe->scratch, 0, SCRATCH_BYTES);

	if (err < 0)
		check_set(check, CHECK_NO, "%s", check_errno(err));
	else if (left < 0)
		check_set(check, CHECK_UNKNOWN, "nothing can look into the cache: %s",
			  check_errno(left));
	else
		check_set(check, left ? CHECK_NO : CHECK_YES, "%lld pages left", (long long)left);
}

/* A direct read into pages that are not there yet: btrfs then reads through the cache. */
static int64_t left_by_absent_buffer(const struct scratch *scratch)
{
	unsigned char *buf = mmap(NULL, SCRATCH_CHUNK, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ssize_t n;

	if (buf == MAP_FAILED)
		return -ENOMEM;
	probe_scratch_drop(scratch);
	n = sl_sys_pread(scratch->direct, buf, SCRATCH_CHUNK, 0, 0);
	munmap(buf, SCRATCH_CHUNK);
	return n < 0 ? n : scratch_cached(scratch, 0, SCRATCH_BYTES);
}

static void try_after_direct(struct probe *probe)
{
	struct check *check =
		check_add(&probe->checks, "cache.after_direct_read", "direct reads cache nothing");
	struct scratch *scratch = &probe->scratch;
	int64_t aligned, absent;
	ssize_t n = scratch->direct;

	probe_scratch_drop(scratch);
	if (n >= 0)
		n = sl_sys_pread(scratch->direct, scratch->buf, SCRATCH_CHUNK, 0, 0);
	if (n < 0) {
		check_set(check, CHECK_UNKNOWN, "no direct read: %s", check_errno(n));
		return;
	}
	aligned = scratch_cached(scratch, 0, SCRATCH_BYTES);
	absent = left_by_absent_buffer(scratch);
	check->status = aligned < 0 ? CHECK_UNKNOWN :
			aligned	    ? CHECK_NO :
			absent	    ? CHECK_PARTLY :
				      CHECK_YES;
	check_say(check, "64 KiB aligned: %lld pages; into memory never touched: %lld pages",
		  (long long)aligned, (long long)absent);
	if (aligned == 0 && absent > 0)
		check_fix(check, "touch the buffer first: mmap with MAP_POPULATE, or register it");
}

/* Dropping happens when write-back ends, a moment after fdatasync returned. */
static int64_t left_after_a_moment(const struct scratch *scratch, uint64_t off)
{
	int64_t left = 0;

	for (int i = 0; i < 20; i++) {
		left = scratch_cached(scratch, off, SCRATCH_CHUNK);
		if (left <= 0)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	}
	return left;
}

static void try_dontcache_read(struct probe *probe)
{
	struct check *check =
		check_add(&probe->checks, "cache.dontcache_read", "RWF_DONTCACHE reads");
	struct scratch *scratch = &probe->scratch;
	ssize_t n;
	int64_t left;

	probe_scratch_drop(scratch);
	n = sl_sys_pread(scratch->fd, scratch->buf, SCRATCH_CHUNK, 0, SL_RWF_DONTCACHE);
	if (n < 0) {
		check_result(check, n);
		return;
	}
	left = left_after_a_moment(scratch, 0);
	check_set(check,
		  left < 0 ? CHECK_UNKNOWN :
		  left	   ? CHECK_PARTLY :
			     CHECK_YES,
		  "%lld of %u pages left in the cache", (long long)left,
		  SCRATCH_CHUNK / SCRATCH_PAGE);
}

/* Pages left by one write that was synced, or -errno. */
static int64_t left_by_write(const struct scratch *scratch, uint64_t off)
{
	ssize_t n;

	probe_scratch_drop(scratch);
	scratch_pattern(scratch->buf, SCRATCH_CHUNK, off, 0);
	n = sl_sys_pwrite(scratch->fd, scratch->buf, SCRATCH_CHUNK, (int64_t)off, SL_RWF_DONTCACHE);
	if (n < 0)
		return n;
	fdatasync(scratch->fd);
	return left_after_a_moment(scratch, off);
}

/* The two end on different paths in the kernel: ext4 drops only pages that were appended. */
static void try_dontcache_write(struct probe *probe)
{
	struct check *check =
		check_add(&probe->checks, "cache.dontcache_write", "RWF_DONTCACHE writes");
	struct scratch *scratch = &probe->scratch;
	int64_t over = left_by_write(scratch, 0), appended = 0;

	if (over < 0) {
		check_result(check, over);
		return;
	}
	appended = left_by_write(scratch, SCRATCH_BYTES);
	if (ftruncate(scratch->fd, SCRATCH_BYTES) < 0)
		check_say(check, "%s", check_errno(-errno));
	check_set(check, over > 0 || appended > 0 ? CHECK_PARTLY : CHECK_YES,
		  "pages left of %u: overwriting %lld, appending %lld",
		  SCRATCH_CHUNK / SCRATCH_PAGE, (long long)over, (long long)appended);
}

/* Useful only if it serves what is cached and refuses what is not. */
static void try_nowait(struct probe *probe)
{
	struct check *check =
		check_add(&probe->checks, "cache.nowait", "RWF_NOWAIT tells what is hot");
	struct scratch *scratch = &probe->scratch;
	ssize_t warm, cold;

	probe_scratch_drop(scratch);
	sl_sys_pread(scratch->fd, scratch->buf, SCRATCH_PAGE, 0, 0);
	warm = sl_sys_pread(scratch->fd, scratch->buf, SCRATCH_PAGE, 0, SL_RWF_NOWAIT);
	probe_scratch_drop(scratch);
	cold = sl_sys_pread(scratch->fd, scratch->buf, SCRATCH_PAGE, 0, SL_RWF_NOWAIT);
	check_say(check, "cached: %s; uncached: %s", warm >= 0 ? "served" : check_errname(warm),
		  cold >= 0 ? "served" : check_errname(cold));
	if (warm < 0)
		check->status = CHECK_NO;
	else
		check->status = cold == -EAGAIN ? CHECK_YES : CHECK_PARTLY;
}

void probe_cache(struct probe *probe)
{
	try_looking(probe);
	try_drop(probe);
	try_after_direct(probe);
	try_nowait(probe);
	try_dontcache_read(probe);
	try_dontcache_write(probe);
}
