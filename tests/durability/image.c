/*
 * image.c: see image.h. Runs as tests/file/images.sh runs it: as root, in a mount namespace of its
 * own, with $SLUICE_IMAGES_AREA to put images into, which that script removes.
 *
 * A loop device says that it has a volatile cache, so a file system sends it flushes;
 * /sys/block/DEVICE/stat counts them. (Its count of writes has the flushes in it; bytes tell more.)
 * Loop devices let go of their images with the last mount. The timers of journals are set long,
 * lest they write in between.
 */
#include "tests/durability/image.h"

#include <fcntl.h>
#include <inttypes.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LET_GO_TRIES 100

static const struct kind {
	const char *fs;
	const char *make; /* what makes it on the file "template" */
	const char *options;
} kinds[] = {
	{ "ext4",
	  "truncate -s 64M template && mkfs.ext4 -q -F -b 4096"
	  " -E lazy_itable_init=0,lazy_journal_init=0 template",
	  "loop,commit=300" },
	{ "xfs", "truncate -s 320M template && mkfs.xfs -q -f template", "loop" },
	{ "btrfs", "truncate -s 128M template && mkfs.btrfs -q -f template", "loop,commit=300" },
	{ "tmpfs", "true", "size=16M" },
};

static const struct kind *kind;

void image_choose(const char *fs)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].fs, fs) == 0)
			kind = &kinds[i];
	}
}

const char *image_fs(void)
{
	return kind ? kind->fs : "";
}

static const char *area(void)
{
	const char *path = getenv("SLUICE_IMAGES_AREA");

	if (!path || !kind)
		SKIP("no place for images: run by tests/file/images.sh, with a file system's name");
	return path;
}

/* In the area. */
static int try_command(const char *format, ...)
{
	char command[512];
	int nr = snprintf(command, sizeof(command), "cd %s && PATH=$PATH:/usr/sbin:/sbin && ",
			  area());
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command + nr, sizeof(command) - (size_t)nr, format, args);
	va_end(args);
	fflush(stdout);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void command(const char *words)
{
	int status = try_command("%s", words);

	if (status)
		fail_msg("%s: exit status %d", words, status);
}

/* Made once, and copied for each test. */
static void make_template(void)
{
	static bool made;

	if (made)
		return;
	if (try_command("{ %s; } >why 2>&1 && mkdir -p stage", kind->make))
		SKIP("no %s in an image (Debian: e2fsprogs, xfsprogs, btrfs-progs)", kind->fs);
	made = true;
}

static void find_device(struct image *image)
{
	const char *folder = image_path("");
	size_t len = strlen(folder) - 1; /* without the slash */
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;

	assert_non_null(mounts);
	while ((entry = getmntent(mounts))) {
		if (strncmp(entry->mnt_dir, folder, len) == 0 && !entry->mnt_dir[len])
			snprintf(image->device, sizeof(image->device), "%s",
				 entry->mnt_fsname +
					 (strncmp(entry->mnt_fsname, "/dev/", 5) ? 0 : 5));
	}
	endmntent(mounts);
}

static void mount_image(struct image *image, const char *name)
{
	if (try_command("mount -t %s -o %s %s stage 2>why", kind->fs, kind->options, name))
		SKIP("cannot mount %s in an image", kind->fs);
	find_device(image);
	assert_int_equal(sl_ring_open(NULL, &image->stage.ring), 0);
	image->stage.dir = open(image_path(""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(image->stage.dir >= 0);
}

void image_up(struct image *image)
{
	area(); /* or a skip */
	*image = (struct image){ .fs = kind->fs };
	make_template();
	try_command("umount -l stage 2>why"); /* of a test that failed */
	if (strcmp(kind->fs, "tmpfs") != 0)
		command("cp --sparse=always template image");
	mount_image(image, "image");
	image_mark(image);
}

/* The kernel ends a ring some time after it was closed, and only then lets go of its files. */
static void let_go(void)
{
	for (unsigned i = 0; i < LET_GO_TRIES; i++) {
		if (!try_command("umount stage 2>why"))
			return;
		usleep(100000);
	}
	command("umount stage");
}

void image_down(struct image *image)
{
	stage_end(&image->stage);
	sl_ring_close(image->stage.ring);
	close(image->stage.dir);
	let_go();
}

/* The copy is made first: what closing and unmounting write comes too late for it. */
void image_cut(struct image *image)
{
	if (strcmp(kind->fs, "tmpfs") != 0)
		command("cp --sparse=always image cut");
	image_down(image);
	mount_image(image, "cut");
}

static struct traffic traffic_now(const struct image *image)
{
	uint64_t fields[17] = { 0 };
	char path[64];
	FILE *stat;
	unsigned nr = 0;

	snprintf(path, sizeof(path), "/sys/block/%s/stat", image->device);
	stat = fopen(path, "re");
	if (!stat)
		return (struct traffic){ 0 };
	while (nr < 17 && fscanf(stat, "%" SCNu64, &fields[nr]) == 1)
		nr++;
	fclose(stat);
	if (nr < 17)
		SKIP("this kernel does not count the flushes of a device");
	return (struct traffic){ .bytes = fields[6] * 512, .flushes = fields[15] };
}

void image_mark(struct image *image)
{
	image->before = traffic_now(image);
}

struct traffic image_traffic(const struct image *image)
{
	struct traffic now = traffic_now(image);

	now.bytes -= image->before.bytes;
	now.flushes -= image->before.flushes;
	return now;
}

const char *image_path(const char *name)
{
	static char paths[2][256];
	static unsigned turn;
	char *path = paths[turn++ % 2];

	snprintf(path, sizeof(paths[0]), "%s/stage/%s", area(), name);
	return path;
}
