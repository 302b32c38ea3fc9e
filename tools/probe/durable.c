/* Durability: which calls sync, what they cost here, and what stands behind them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/rw.h"
#include "tools/probe/cost.h"
#include "tools/probe/topics.h"

#define SAMPLES 7

static int64_t overwrite(int fd, const struct scratch *scratch, int flags)
{
	ssize_t n = sl_sys_pwrite(fd, scratch->buf, SCRATCH_PAGE, 0, flags);

	return n < 0 ? n : 0;
}

static int64_t write_fsync(void *ctx)
{
	const struct scratch *scratch = ctx;
	int64_t err = overwrite(scratch->fd, scratch, 0);

	if (err < 0)
		return err;
	return fsync(scratch->fd) < 0 ? -errno : 0;
}

static int64_t write_fdatasync(void *ctx)
{
	const struct scratch *scratch = ctx;
	int64_t err = overwrite(scratch->fd, scratch, 0);

	if (err < 0)
		return err;
	return fdatasync(scratch->fd) < 0 ? -errno : 0;
}

static int64_t write_rwf_dsync(void *ctx)
{
	const struct scratch *scratch = ctx;

	return overwrite(scratch->fd, scratch, SL_RWF_DSYNC);
}

struct dsync_file {
	const struct scratch *scratch;
	int fd;
};

static int64_t write_o_dsync(void *ctx)
{
	const struct dsync_file *file = ctx;

	return overwrite(file->fd, file->scratch, 0);
}

static int64_t sync_dir(void *ctx)
{
	const struct place *place = ctx;

	return fsync(place->dirfd) < 0 ? -errno : 0;
}

/* A sync that reports a failed write is bad news; one the file system lacks is merely "no". */
static void try_sync(struct check *check, int64_t (*step)(void *ctx), void *ctx)
{
	int64_t err = 0;
	uint64_t cost_ns = cost_median_ns(SAMPLES, &err, step, ctx);

	if (cost_ns) {
		check->status = CHECK_YES;
		check_cost(check, cost_ns);
		return;
	}
	check_set(check, CHECK_NO, "%s", check_errno(err));
	if (err == -EIO || err == -ENODATA || err == -EILSEQ) {
		check->broken = true;
		check_fix(check, "look at the kernel log (dmesg): the device failed a write");
	}
}

static void try_o_dsync(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "durable.o_dsync", "write with O_DSYNC");
	struct dsync_file file = { &probe->scratch,
				   place_reopen(probe->scratch.fd, O_RDWR | O_DSYNC) };

	if (file.fd < 0) {
		check_set(check, CHECK_UNKNOWN, "%s", check_errno(file.fd));
		return;
	}
	try_sync(check, write_o_dsync, &file);
	close(file.fd);
}

static void try_direct_o_dsync(struct probe *probe)
{
	struct check *check =
		check_add(&probe->checks, "durable.direct_o_dsync", "direct write with O_DSYNC");
	struct dsync_file file = { &probe->scratch,
				   place_reopen(probe->scratch.fd, O_RDWR | O_DSYNC | O_DIRECT) };

	if (file.fd < 0) {
		check_set(check, CHECK_NO, "open: %s", check_errno(file.fd));
		return;
	}
	try_sync(check, write_o_dsync, &file);
	close(file.fd);
}

void probe_durable(struct probe *probe)
{
	struct check_list *checks = &probe->checks;
	struct check *dir;

	try_sync(check_add(checks, "durable.fsync", "write, fsync"), write_fsync, &probe->scratch);
	try_sync(check_add(checks, "durable.fdatasync", "write, fdatasync"), write_fdatasync,
		 &probe->scratch);
	try_o_dsync(probe);
	try_sync(check_add(checks, "durable.rwf_dsync", "write with RWF_DSYNC"), write_rwf_dsync,
		 &probe->scratch);
	try_direct_o_dsync(probe);
	dir = check_add(checks, "durable.dir_sync", "fsync of a directory");
	try_sync(dir, sync_dir, &probe->place);
	check_say(dir, "with no new name in it");
}

/* A block device lives on a devtmpfs, its content does not. */
static bool is_memory(const struct place *place)
{
	const char *fs = place->queue[0] ? "" : place->fs;

	return !strcmp(fs, "tmpfs") || !strcmp(fs, "ramfs") || !strcmp(fs, "devtmpfs") ||
	       !strcmp(fs, "hugetlbfs");
}

static void judge_barriers(struct probe *probe)
{
	struct check *check =
		check_add(&probe->checks, "durable.barriers", "syncs reach the device");
	const struct place *place = &probe->place;
	const char *const off[] = { "nobarrier", "barrier=0", "volatile", "fsync_mode=nobarrier" };

	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
		if (!place_has_option(place, off[i]))
			continue;
		check_set(check, CHECK_NO, "%s is mounted with %s: a power cut loses synced data",
			  place->mount_point, off[i]);
		check_fix(check, "mount %s without %s", place->mount_point, off[i]);
		return;
	}
	if (is_memory(place))
		check_set(check, CHECK_NO, "%s is memory", place->fs);
	else if (!place->queue[0])
		check_set(check, CHECK_UNKNOWN, "%s: no block device to look at", place->fs);
	else
		check_set(check, CHECK_YES, "%s: no mount option turns it off",
			  strcmp(place->kind, "block device") ? place->fs : place->device);
}

/* What a completed sync is worth, in one word, from what is known of mount and device. */
static void judge_class(struct probe *probe, const char *cache, int64_t fua)
{
	struct check *check = check_add(&probe->checks, "durable.class", "what a sync is worth");
	enum check_status barriers = check_status_of(&probe->checks, "durable.barriers");

	if (is_memory(&probe->place))
		check_set(check, CHECK_NO, "none: lost with the machine's memory");
	else if (barriers == CHECK_NO)
		check_set(check, CHECK_NO, "device cache: a power cut loses what was synced");
	else if (!cache[0])
		check_set(check, CHECK_UNKNOWN, "unknown: %s hides what is below it",
			  probe->place.fs);
	else if (!strcmp(cache, "write through"))
		check_set(check, CHECK_YES, "write-through: no volatile cache is announced");
	else
		check_set(check, CHECK_YES, "flush: a volatile cache, emptied by every sync%s",
			  fua ? ", or by FUA writes" : "; no FUA");
	if (check->status == CHECK_YES)
		check_say(check, "as announced by the device; a virtual one may not keep it");
}

/* The one in use stands in brackets: "none [mq-deadline] kyber". */
static void look_at_scheduler(const struct place *place, char *out, size_t room)
{
	char text[128];
	const char *mark;

	if (place_queue_text(place, "scheduler", text, sizeof(text)) <= 0)
		return;
	mark = strchr(text, '[');
	if (mark)
		snprintf(out, room, "%.*s", (int)strcspn(mark + 1, "]"), mark + 1);
}

void probe_device(struct probe *probe)
{
	struct check *queue = check_add(&probe->checks, "device.queue", "block device");
	struct check *fua = check_add(&probe->checks, "device.fua", "forced unit access (FUA)");
	const struct place *place = &probe->place;
	char cache[32] = "", scheduler[64] = "?";
	int64_t has_fua = place_queue_number(place, "fua", 0);

	if (place_queue_text(place, "write_cache", cache, sizeof(cache)) < 0) {
		check_set(queue, CHECK_NO, "%s has no block device of its own", place->fs);
		check_set(fua, CHECK_UNKNOWN, "no block device to look at");
	} else {
		look_at_scheduler(place, scheduler, sizeof(scheduler));
		check_set(queue, CHECK_YES,
			  "%s: logical %lld, physical %lld, cache \"%s\", scheduler %s, %s",
			  place->device,
			  (long long)place_queue_number(place, "logical_block_size", -1),
			  (long long)place_queue_number(place, "physical_block_size", -1), cache,
			  scheduler,
			  place_queue_number(place, "rotational", 0) ? "announced as rotating" :
								       "not rotating");
		check_set(fua, has_fua ? CHECK_YES : CHECK_NO, "%s",
			  has_fua ? "one durable write needs no separate flush" :
				    "a durable write costs a write and a flush");
	}
	judge_barriers(probe);
	judge_class(probe, cache, has_fua);
}
