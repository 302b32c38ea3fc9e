/*
 * The puzzle, answered by doing: "O_DIRECT, aligned, exactly 4096 bytes asked; what else
 * than 0 or 4096 can read(2) return?"
 *
 * Each step makes a file (or a device), reads one block of it directly, and notes what came
 * back. Only what happened here is marked as produced; the rest is listed as known from the
 * kernel's source, and says so. Named files live on detached mounts only; see image.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/probe/block.h"
#include "tools/probe/challenge.h"
#include "tools/probe/check.h"
#include "tools/probe/image.h"
#include "tools/probe/short_file.h"

/* The tail of a file whose size is no multiple of the block, and what lies behind it. */
static void read_tail(struct challenge *challenge, const char *fs, int fd, int direct)
{
	const off_t size = 17 * BLOCK_BYTES + 904;
	long n;

	if (ftruncate(fd, 0) < 0 || block_write_zeros(fd, (size_t)size) < 0) {
		challenge_missing(challenge, "the tail on %s: it cannot be written", fs);
		return;
	}
	n = block_read(direct, 17 * BLOCK_BYTES);
	if (n >= 0)
		challenge_produced(
			challenge, fs, n, "a file of 70536 bytes, read at 69632",
			"end of file: a size that is no multiple of 4096 leaves any of 1 to 4095");
	n = block_read(direct, 18 * BLOCK_BYTES);
	if (n >= 0)
		challenge_produced(challenge, fs, n, "the same file, read at 73728",
				   "beyond its end");
}

static void read_hole(struct challenge *challenge, const char *fs, int fd, int direct)
{
	long n;

	if (ftruncate(fd, 0) < 0 || ftruncate(fd, 4 * BLOCK_BYTES) < 0)
		return;
	n = block_read(direct, BLOCK_BYTES);
	if (n >= 0)
		challenge_produced(challenge, fs, n, "a hole made by ftruncate, read in its middle",
				   "zeros: a hole is data like any other");
	if (fallocate(fd, 0, 0, 4 * BLOCK_BYTES) < 0)
		return;
	n = block_read(direct, 2 * BLOCK_BYTES);
	if (n >= 0)
		challenge_produced(challenge, fs, n, "blocks from fallocate that nobody wrote",
				   "zeros: unwritten extents are not read from the device");
}

/* What every file system can show: fd and direct are two descriptions of one scratch file. */
static void on_file_system(struct challenge *challenge, const char *fs, int fd, int direct)
{
	read_tail(challenge, fs, fd, direct);
	read_hole(challenge, fs, fd, direct);
	challenge_race(challenge, fs, fd, direct, BLOCK_BYTES + 100);
	challenge_race(challenge, fs, fd, direct, BLOCK_BYTES + 512);
}

static void on_place(struct challenge *challenge, const struct place *place)
{
	int fd = place_scratch(place);
	int direct = fd < 0 ? fd : place_reopen(fd, O_RDWR | O_DIRECT);

	if (direct >= 0)
		on_file_system(challenge, place->fs, fd, direct);
	else
		challenge_missing(challenge, "%s: no direct scratch file: %s", place->path,
				  check_errno(direct));
	if (direct >= 0)
		close(direct);
	if (fd >= 0)
		close(fd);
}

static void on_memory(struct challenge *challenge)
{
	int fd = memfd_create("sluice-probe", MFD_CLOEXEC);
	int direct = fd < 0 ? -errno : place_reopen(fd, O_RDWR | O_DIRECT);

	if (direct >= 0) {
		read_tail(challenge, "tmpfs", fd, direct);
		challenge_race(challenge, "tmpfs", fd, direct, BLOCK_BYTES + 100);
		close(direct);
	} else {
		challenge_missing(challenge, "tmpfs: O_DIRECT is refused: %s", check_errno(direct));
	}
	if (fd >= 0)
		close(fd);
}

static void on_device_end(struct challenge *challenge)
{
	struct image image;
	int err = image_open(&image, (1 << 20) + 1536), direct;
	long n;

	if (err < 0) {
		challenge_missing(challenge, "the end of a device: no loop device: %s (needs root)",
				  check_errno(err));
		return;
	}
	direct = place_reopen(image.loop, O_RDONLY | O_DIRECT);
	n = direct < 0 ? direct : block_read(direct, 0);
	if (n >= 0)
		challenge_produced(challenge, "block device", n,
				   "a loop device of 1 MiB + 1536 bytes, read at 0",
				   "the ordinary case");
	n = direct < 0 ? direct : block_read(direct, 1 << 20);
	if (n >= 0)
		challenge_produced(
			challenge, "block device", n,
			"the same device, read at 1 MiB: its size is no multiple of 4096",
			"end of device: any multiple of its 512-byte sectors");
	if (direct >= 0)
		close(direct);
	image_close(&image);
}

/* Ask the file system where the bytes lie: beside its metadata, with no block of their own? */
static bool is_inline(int fd)
{
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
	} ask = { .map = { .fm_length = BLOCK_BYTES,
			   .fm_flags = FIEMAP_FLAG_SYNC,
			   .fm_extent_count = 1 } };

	return !ioctl(fd, FS_IOC_FIEMAP, &ask.map) && ask.map.fm_mapped_extents == 1 &&
	       ask.map.fm_extents[0].fe_flags & FIEMAP_EXTENT_DATA_INLINE;
}

/* A file so small that the file system keeps it beside its metadata. */
static void read_inline(struct challenge *challenge, const char *fs, int mount, size_t len)
{
	char how[128];
	int fd = openat(mount, "small", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int direct = fd < 0 ? -errno : 0;
	long n;

	if (!direct)
		direct = block_write_zeros(fd, len) < 0 ? -EIO :
							  place_reopen(fd, O_RDONLY | O_DIRECT);
	n = direct < 0 ? direct : block_read(direct, 0);
	snprintf(how, sizeof(how), "a file of %zu bytes kept inline, read at 0", len);
	if (n >= 0 && !is_inline(fd))
		challenge_missing(challenge, "%s: a file of %zu bytes was not kept inline", fs,
				  len);
	else if (n >= 0)
		challenge_produced(
			challenge, fs, n, how,
			"end of file again, but there is no block to read directly: the page "
			"cache served it");
	else
		challenge_missing(challenge, "%s inline: %s", fs, check_errno(n));
	if (direct >= 0)
		close(direct);
	if (fd >= 0)
		close(fd);
}

/* A file of its own on an image. */
static void on_mount(struct challenge *challenge, const char *fs, int mount)
{
	int fd = openat(mount, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int direct = fd < 0 ? -errno : place_reopen(fd, O_RDWR | O_DIRECT);

	if (direct >= 0) {
		on_file_system(challenge, fs, fd, direct);
		close(direct);
	} else {
		challenge_missing(challenge, "%s image: no direct file: %s", fs,
				  check_errno(direct));
	}
	if (fd >= 0)
		close(fd);
}

/* The image is there for what lies inline; the rest is tried unless the place has shown it. */
static void on_ext4_image(struct challenge *challenge, const struct place *place, int mount)
{
	read_inline(challenge, "ext4 inline_data", mount, 100);
	if (strcmp(place->fs, "ext4") != 0)
		on_mount(challenge, "ext4", mount);
}

static void on_btrfs_image(struct challenge *challenge, const struct place *place, int mount)
{
	read_inline(challenge, "btrfs", mount, 100);
	read_inline(challenge, "btrfs", mount, 2000);
	if (strcmp(place->fs, "btrfs") != 0)
		on_mount(challenge, "btrfs", mount);
}

static void on_xfs_image(struct challenge *challenge, const struct place *place, int mount)
{
	if (strcmp(place->fs, "xfs") != 0)
		on_mount(challenge, "xfs", mount);
}

static const struct {
	const char *fs;
	const char *mkfs[8];
	size_t bytes;
	void (*run)(struct challenge *challenge, const struct place *place, int mount);
} images[] = {
	{ "ext4", { "mkfs.ext4", "-q", "-F", "-O", "inline_data" }, 16 << 20, on_ext4_image },
	{ "btrfs", { "mkfs.btrfs", "-q", "-f", "-m", "single" }, 128 << 20, on_btrfs_image },
	{ "xfs", { "mkfs.xfs", "-q", "-f", "-K" }, 304 << 20, on_xfs_image },
};

static void on_image(struct challenge *challenge, const struct place *place, size_t idx)
{
	char said[96] = "";
	const char *fs = images[idx].fs, *step = "no loop device";
	struct image image;
	int err = image_open(&image, images[idx].bytes);

	if (!err) {
		step = images[idx].mkfs[0];
		err = image_format(&image, images[idx].mkfs, said, sizeof(said));
	}
	if (!err) {
		step = "mount";
		err = image_mount(&image, fs);
	}
	if (!err)
		images[idx].run(challenge, place, image.mount);
	else
		challenge_missing(challenge, "%s image: %s: %s%s%s", fs, step, check_errno(err),
				  said[0] ? ": " : "", said);
	image_close(&image);
}

/* The literal case, where it has other answers: a file system that hands on what a server says. */
static void on_fuse(struct challenge *challenge)
{
	static const uint32_t lens[] = { 1, 512, 3584, 4095 };
	struct short_file file;
	char how[128];
	int fd, err = short_file_start(&file);

	if (err < 0) {
		challenge_missing(challenge, "FUSE: %s (needs /dev/fuse and root)",
				  check_errno(err));
		challenge_known(challenge, "FUSE", "1 to 4095",
				"the server answers with fewer bytes",
				"the kernel hands on what the server says");
		return;
	}
	fd = short_file_open(&file, O_RDONLY | O_DIRECT);
	for (size_t i = 0; fd >= 0 && i < sizeof(lens) / sizeof(lens[0]); i++) {
		short_file_answer(&file, lens[i]);
		long n = block_read(fd, BLOCK_BYTES);

		snprintf(how, sizeof(how),
			 "a file of 65536 bytes read at 4096, the server answers %u", lens[i]);
		if (n >= 0)
			challenge_produced(
				challenge, "FUSE", n, how,
				"the kernel hands on what the server says: any of 1 to 4095, with "
				"no end of file in sight");
	}
	if (fd >= 0)
		close(fd);
	else
		challenge_missing(challenge, "FUSE: open: %s", check_errno(fd));
	short_file_stop(&file);
}

static void list_known(struct challenge *challenge)
{
	static const struct {
		const char *file_system, *values, *how, *why;
	} facts[] = {
		{ "NFS", "1 to 4095", "the server answers short, or a later part fails",
		  "fs/nfs/direct.c returns the good bytes and keeps an error only when there are "
		  "none" },
		{ "DAX", "1 to 4095", "a poisoned cache line inside the block",
		  "fs/dax.c returns what it copied before the poison" },
		{ "vfat, exfat, udf", "512 to 3584",
		  "the buffer spans two pages and the second one is not there",
		  "fs/direct-io.c hides EFAULT after partial progress" },
		{ "ext4, xfs, btrfs, raw", "none",
		  "the literal case: size a multiple of 4096, one reader, no other writer",
		  "fs/iomap/direct-io.c and block/fops.c drop the count when any part fails: 0, "
		  "4096 or -1 (EIO, ENODATA), even with a bad 512-byte sector in the block; read "
		  "it again by 512 to save the rest" },
	};

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		challenge_known(challenge, facts[i].file_system, facts[i].values, facts[i].how,
				facts[i].why);
}

void challenge_run(struct challenge *challenge, const struct place *place)
{
	*challenge = (struct challenge){ 0 };
	on_place(challenge, place);
	on_memory(challenge);
	on_device_end(challenge);
	for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++)
		on_image(challenge, place, i);
	on_fuse(challenge);
	list_known(challenge);
}
