/*
 * Direct I/O: not "does open(O_DIRECT) succeed" but "did the bytes pass the page cache by?".
 *
 * Seven kinds of evidence, because each is blind somewhere:
 * A statx: supported, not supported (alignment 0), or silent (btrfs, tmpfs, FUSE).
 * B an RWF_NOWAIT read of uncached data that succeeds cannot have been buffered.
 * C pages cached after a direct read: a fallback. cachestat says 0 on overlay; mincore does not.
 * D read_bytes of this thread grow again on a second read: it went to a block device twice.
 * E a cached page overwritten by a direct write stays cached only if the write was buffered.
 * F an RWF_NOWAIT direct write that succeeds; its refusal proves nothing.
 * G a misaligned request that is accepted was buffered (or is FUSE, which passes it on).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/rw.h"
#include "sys/statx.h"
#include "tools/probe/cost.h"
#include "tools/probe/proc.h"
#include "tools/probe/topics.h"

#define SEED_DIRECT 0x5ca1ab1eU

static int64_t device_bytes_read(void)
{
	return proc_field("/proc/thread-self/io", "read_bytes", -1);
}

/* A: what the kernel says of this file. */
static enum check_status say_alignment(const struct sl_sys_statx *stx, struct check *check)
{
	if (!(stx->mask & SL_STATX_DIOALIGN)) {
		check_set(check, CHECK_UNKNOWN, "A: statx is silent");
		return CHECK_UNKNOWN;
	}
	if (!stx->dio_mem_align || !stx->dio_offset_align) {
		check_set(check, CHECK_NO, "A: statx says alignment 0: not done for this file");
		return CHECK_NO;
	}
	check_set(check, CHECK_YES, "A: statx: memory %u, offset %u", stx->dio_mem_align,
		  stx->dio_offset_align);
	if (stx->mask & SL_STATX_DIO_READ_ALIGN && stx->dio_read_offset_align)
		check_say(check, "read offset %u", stx->dio_read_offset_align);
	return CHECK_YES;
}

static enum check_status try_alignment(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "direct.alignment", "alignment known");
	const struct place *place = &probe->place;
	struct sl_sys_statx stx = { 0 };
	enum check_status says;
	int err = sl_sys_fstatx(probe->scratch.fd,
				SL_STATX_BASIC | SL_STATX_DIOALIGN | SL_STATX_DIO_READ_ALIGN, &stx);

	if (err < 0) {
		check_set(check, CHECK_UNKNOWN, "statx: %s", check_errno(err));
		return CHECK_UNKNOWN;
	}
	says = say_alignment(&stx, check);
	if (place->queue[0])
		check_say(check, "device %s: logical %lld, physical %lld", place->device,
			  (long long)place_queue_number(place, "logical_block_size", -1),
			  (long long)place_queue_number(place, "physical_block_size", -1));
	check_say(check, "multiples of %u are safe everywhere",
		  stx.blksize > SCRATCH_PAGE && stx.blksize <= SCRATCH_CHUNK ? stx.blksize :
									       SCRATCH_PAGE);
	return says;
}

/* B: returns 1 proven direct, 0 nothing proven. */
static int nowait_read_proves(const struct scratch *scratch, struct check *check)
{
	ssize_t n;

	if (probe_scratch_drop(scratch) < 0 || scratch_cached(scratch, 0, SCRATCH_PAGE) != 0) {
		check_say(check, "B: not tried, the page cannot be evicted");
		return 0;
	}
	n = sl_sys_pread(scratch->direct, scratch->buf, SCRATCH_PAGE, 0, SL_RWF_NOWAIT);
	if (n == SCRATCH_PAGE) {
		check_say(check, "B: an uncached RWF_NOWAIT read was served");
		return 1;
	}
	check_say(check, "B: RWF_NOWAIT read: %s", check_errno(n));
	return 0;
}

/* C and D: pages left behind, and whether the device was read twice. */
static ssize_t read_twice(const struct scratch *scratch, struct check *check, int64_t *ret_left,
			  int64_t *ret_grew)
{
	ssize_t n;
	int64_t before, after, by_mincore;

	probe_scratch_drop(scratch);
	memset(scratch->buf, 0, SCRATCH_CHUNK);
	n = sl_sys_pread(scratch->direct, scratch->buf, SCRATCH_CHUNK, 0, 0);
	if (n < 0)
		return n;
	*ret_left = scratch_cachestat(scratch, 0, SCRATCH_CHUNK);
	by_mincore = scratch_mincore(scratch, 0, SCRATCH_CHUNK);
	before = device_bytes_read();
	sl_sys_pread(scratch->direct, scratch->buf, SCRATCH_CHUNK, 0, 0);
	after = device_bytes_read();
	*ret_grew = before < 0 ? 0 : after - before;
	check_say(check, "C: %lld pages cached after 64 KiB (mincore %lld)", (long long)*ret_left,
		  (long long)by_mincore);
	if (by_mincore > *ret_left)
		*ret_left = by_mincore;
	check_say(check, "D: %lld bytes from the device on the second read", (long long)*ret_grew);
	return n;
}

static int64_t read_once(void *ctx)
{
	const struct scratch *scratch = ctx;

	return sl_sys_pread(scratch->direct, scratch->buf, SCRATCH_PAGE, SCRATCH_CHUNK, 0);
}

static void try_read(struct probe *probe, enum check_status statx_says)
{
	struct check *check = check_add(&probe->checks, "direct.read", "direct reads are direct");
	struct scratch *scratch = &probe->scratch;
	int64_t left = 0, grew = 0;
	bool proven = nowait_read_proves(scratch, check);
	ssize_t n = read_twice(scratch, check, &left, &grew);

	if (n < 0) {
		check_set(check, CHECK_NO, "read: %s", check_errno(n));
		return;
	}
	if (n == SCRATCH_CHUNK && !scratch_matches(scratch->buf, SCRATCH_CHUNK, 0, 0)) {
		check_set(check, CHECK_NO, "the data read is not the data written");
		check->broken = true;
		return;
	}
	if (statx_says == CHECK_NO || left > 0)
		check_set(check, CHECK_NO, "served by the page cache");
	else if (proven || grew >= SCRATCH_CHUNK)
		check->status = CHECK_YES;
	else
		check_set(check, CHECK_UNKNOWN, "nothing here can prove it");
	check_cost(check, cost_median_ns(9, NULL, read_once, scratch));
}

/* E: 1 = still cached (buffered), 0 = gone (direct), -errno = cannot tell. */
static int64_t canary_survives(const struct scratch *scratch, struct check *check)
{
	uint64_t off = 2 * SCRATCH_CHUNK;
	volatile unsigned char *map =
		mmap(NULL, SCRATCH_PAGE, PROT_READ, MAP_SHARED, scratch->fd, (off_t)off);
	ssize_t n;
	int64_t left = -EAGAIN;

	if (map == MAP_FAILED)
		return -errno;
	(void)map[0];
	scratch_pattern(scratch->buf, SCRATCH_PAGE, off, SEED_DIRECT);
	if (scratch_mincore(scratch, off, SCRATCH_PAGE) == 1) {
		n = sl_sys_pwrite(scratch->direct, scratch->buf, SCRATCH_PAGE, (int64_t)off, 0);
		left = n < 0 ? n : scratch_mincore(scratch, off, SCRATCH_PAGE);
		if (n >= 0)
			check_say(check, "E: a cached page %s a direct write over it",
				  left ? "survived" : "was dropped by");
	}
	munmap((void *)(uintptr_t)map, SCRATCH_PAGE);
	return left;
}

/* F: a success is a proof, a refusal is not. */
static bool nowait_write_proves(const struct scratch *scratch, struct check *check)
{
	ssize_t n;

	probe_scratch_drop(scratch);
	scratch_pattern(scratch->buf, SCRATCH_PAGE, 0, 0);
	n = sl_sys_pwrite(scratch->direct, scratch->buf, SCRATCH_PAGE, 0, SL_RWF_NOWAIT);
	check_say(check, "F: RWF_NOWAIT write: %s", n >= 0 ? "done" : check_errno(n));
	return n == SCRATCH_PAGE;
}

static int64_t write_once(void *ctx)
{
	const struct scratch *scratch = ctx;

	return sl_sys_pwrite(scratch->direct, scratch->buf, SCRATCH_PAGE, 0, 0);
}

static void fix_write(const struct place *place, struct check *check)
{
	if (!strcmp(place->fs, "btrfs"))
		check_fix(check, "chattr +C on the directory before the file is created (turns "
				 "btrfs checksums off for it)");
	else if (place_has_option(place, "data=journal"))
		check_fix(check,
			  "mount -o remount,data=ordered is refused: unmount and mount "
			  "%s with data=ordered",
			  place->mount_point);
	else if (!strcmp(place->fs, "tmpfs"))
		check_fix(check, "tmpfs is memory: name a directory on a disk");
}

static void try_write(struct probe *probe, enum check_status statx_says)
{
	struct check *check = check_add(&probe->checks, "direct.write", "direct writes are direct");
	struct scratch *scratch = &probe->scratch;
	int64_t canary = canary_survives(scratch, check);
	bool proven = nowait_write_proves(scratch, check);

	if (canary < 0 && canary != -EAGAIN) {
		check_set(check, CHECK_NO, "write: %s", check_errno(canary));
		return;
	}
	if (statx_says == CHECK_NO || canary == 1) {
		check_set(check, CHECK_NO, "written through the page cache");
		fix_write(&probe->place, check);
	} else if (canary == 0 || proven) {
		check->status = CHECK_YES;
	} else {
		check_set(check, CHECK_UNKNOWN, "nothing here can prove it");
	}
	check_cost(check, cost_median_ns(9, NULL, write_once, scratch));
}

static void try_coherent(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "direct.coherent", "buffered reads agree");
	struct scratch *scratch = &probe->scratch;
	uint64_t off = 3 * SCRATCH_CHUNK;
	ssize_t n;

	sl_sys_pread(scratch->fd, scratch->buf, SCRATCH_PAGE, (int64_t)off, 0);
	scratch_pattern(scratch->buf, SCRATCH_PAGE, off, SEED_DIRECT);
	n = sl_sys_pwrite(scratch->direct, scratch->buf, SCRATCH_PAGE, (int64_t)off, 0);
	if (n != SCRATCH_PAGE) {
		check_set(check, CHECK_UNKNOWN, "the write: %s", check_errno(n));
		return;
	}
	memset(scratch->buf, 0, SCRATCH_PAGE);
	n = sl_sys_pread(scratch->fd, scratch->buf, SCRATCH_PAGE, (int64_t)off, 0);
	if (n == SCRATCH_PAGE && scratch_matches(scratch->buf, SCRATCH_PAGE, off, SEED_DIRECT)) {
		check_set(check, CHECK_YES, "a page cached before the write showed the new data");
		return;
	}
	check_set(check, CHECK_NO, "a buffered read after a direct write returned old data");
	check->broken = true;
}

/* G */
static void try_misaligned(struct probe *probe)
{
	struct check *check =
		check_add(&probe->checks, "direct.misaligned", "misaligned requests refused");
	struct scratch *scratch = &probe->scratch;
	const struct {
		const char *what;
		size_t mem, off, len;
	} tries[] = {
		{ "memory + 1", 1, 0, SCRATCH_PAGE },
		{ "offset + 512", 0, 512, SCRATCH_PAGE },
		{ "offset + 1", 0, 1, SCRATCH_PAGE },
		{ "length 1", 0, 0, 1 },
	};
	int refused = 0, total = (int)(sizeof(tries) / sizeof(tries[0]));

	for (int i = 0; i < total; i++) {
		ssize_t n = sl_sys_pread(scratch->direct, scratch->buf + tries[i].mem, tries[i].len,
					 (int64_t)tries[i].off, 0);

		check_say(check, "%s: %s", tries[i].what, n >= 0 ? "accepted" : check_errname(n));
		refused += n == -EINVAL;
	}
	check->status = refused == total ? CHECK_YES : refused ? CHECK_PARTLY : CHECK_NO;
	if (!refused)
		check_say(check, "G: so such requests are buffered (or passed on by FUSE)");
}

/* A raw device: it is read, never written. */
void probe_direct_device(struct probe *probe)
{
	struct check *align = check_add(&probe->checks, "direct.alignment", "alignment known");
	struct check *check = check_add(&probe->checks, "direct.read", "direct reads are direct");
	unsigned char *buf = NULL;
	int fd = open(probe->place.path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	int64_t before;
	ssize_t n;

	say_alignment(&probe->place.stx, align);
	if (fd < 0 || posix_memalign((void **)&buf, SCRATCH_PAGE, SCRATCH_PAGE)) {
		check_set(check, CHECK_UNKNOWN, "open: %s", check_errno(-errno));
	} else {
		memset(buf, 0, SCRATCH_PAGE);
		before = device_bytes_read();
		n = sl_sys_pread(fd, buf, SCRATCH_PAGE, 0, 0);
		check_say(check, "a read of 4096 bytes: %s", n >= 0 ? "done" : check_errno(n));
		check_say(check, "D: %lld bytes from the device",
			  (long long)(device_bytes_read() - before));
		if (n > 0 && before >= 0 && device_bytes_read() - before >= n)
			check->status = CHECK_YES;
	}
	free(buf);
	if (fd >= 0)
		close(fd);
}

void probe_direct(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "direct.open", "open(O_DIRECT)");
	enum check_status says;

	if (probe->scratch.direct == -ENOENT) {
		check_skip(check, "the scratch file cannot be opened again without /proc");
		return;
	}
	check_result(check, probe->scratch.direct);
	if (probe->scratch.direct < 0)
		return;
	says = try_alignment(probe);
	try_read(probe, says);
	try_write(probe, says);
	try_coherent(probe);
	try_misaligned(probe);
}
