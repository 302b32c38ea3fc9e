/* mode.c: how data really moves, against what each file system is known to do. */
#include "tests/file/tests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file/mode.h"
#include "sys/inode_flags.h"

#define ANY 99 /* not buffered: proven or unknown, by what the layer below lets through */

/* Measured on Linux 6.18, 6.12 and 6.1: reference of the project, and of the manual page. */
static const struct {
	const char *fs;
	int read;
	int write;
} truth[] = {
	{ "ext4-journal", SL_FILE_WAY_BUFFERED, SL_FILE_WAY_BUFFERED },
	{ "ext4", SL_FILE_WAY_DIRECT, SL_FILE_WAY_DIRECT },
	{ "xfs", SL_FILE_WAY_DIRECT, SL_FILE_WAY_DIRECT },
	{ "btrfs", SL_FILE_WAY_DIRECT, SL_FILE_WAY_BUFFERED },
	{ "tmpfs", SL_FILE_WAY_BUFFERED, SL_FILE_WAY_BUFFERED },
	{ "overlay", ANY, ANY },
};

static const char *way_name(int way)
{
	static const char *const names[] = { "unknown", "buffered", "direct" };

	return names[way];
}

static void show(const struct sl_file_mode *mode)
{
	printf("# reads are %s: %s [%x]\n", way_name(mode->read), mode->read_why,
	       mode->read_evidence);
	printf("# writes are %s: %s [%x]\n", way_name(mode->write), mode->write_why,
	       mode->write_evidence);
}

static void assert_way(int way, int want)
{
	if (want == ANY)
		assert_int_not_equal(way, SL_FILE_WAY_BUFFERED);
	else
		assert_int_equal(way, want);
}

static struct sl_file_mode mode_of(struct sl_ring *ring, const char *name, unsigned flags,
				   unsigned io)
{
	struct sl_file *file = fs_open(ring, name, flags, io);
	struct sl_file_mode mode;

	assert_int_equal(sl_file_mode(file, &mode), 0);
	show(&mode);
	sl_file_close(file);
	return mode;
}

static size_t truth_here(void)
{
	size_t i = 0;

	while (i < sizeof(truth) / sizeof(truth[0]) && !fs_is(truth[i].fs))
		i++;
	assert_true(i < sizeof(truth) / sizeof(truth[0]));
	return i;
}

/* Linux 6.1 writes to btrfs directly, checksums or not; later ones saw that the memory may
 * change under the checksum. */
static int true_write(size_t i)
{
	struct utsname kernel;

	assert_int_equal(uname(&kernel), 0);
	if (strcmp(truth[i].fs, "btrfs") == 0 && strncmp(kernel.release, "6.1.", 4) == 0)
		return SL_FILE_WAY_DIRECT;
	return truth[i].write;
}

void the_mode_is_what_this_file_system_really_does(void **state)
{
	struct sl_ring *ring;
	struct sl_file_mode mode;
	size_t i;

	(void)state;
	ring = fs_ring();
	fs_fill(fs_path("truth"), 65536);
	mode = mode_of(ring, "truth", O_RDWR, SL_FILE_DIRECT);
	i = truth_here();
	assert_way(mode.read, truth[i].read);
	assert_way(mode.write, true_write(i));
	/* An empty file has no block to try: a scratch file tells the same. */
	fs_fill(fs_path("empty"), 0);
	mode = mode_of(ring, "empty", O_RDWR, SL_FILE_DIRECT);
	assert_way(mode.read, truth[i].read);
	sl_ring_close(ring);
}

void a_buffered_file_says_so(void **state)
{
	struct sl_ring *ring = fs_ring();
	struct sl_file_mode mode;

	(void)state;
	fs_fill(fs_path("plain"), 8192);
	mode = mode_of(ring, "plain", O_RDWR, SL_FILE_BUFFERED);
	assert_int_equal(mode.read, SL_FILE_WAY_BUFFERED);
	assert_int_equal(mode.write, SL_FILE_WAY_BUFFERED);
	assert_int_equal(mode.read_evidence, SL_FILE_EV_NOT_ASKED);
	sl_ring_close(ring);
}

void requiring_direct_io_fails_where_it_is_not_proven(void **state)
{
	struct sl_file_opts opts = { .flags = SL_FILE_REQUIRE, .io = SL_FILE_DIRECT };
	struct sl_ring *ring = fs_ring();
	struct sl_file *file = NULL;
	struct sl_file_mode mode;
	int rc;

	(void)state;
	fs_fill(fs_path("required"), 65536);
	mode = mode_of(ring, "required", O_RDWR, SL_FILE_DIRECT);
	rc = sl_file_open(ring, AT_FDCWD, fs_path("required"), &opts, &file);
	assert_int_equal(rc, mode.read == SL_FILE_WAY_DIRECT ? 0 : -EOPNOTSUPP);
	sl_file_close(file);
	file = NULL;
	opts.open_flags = O_RDWR;
	rc = sl_file_open(ring, AT_FDCWD, fs_path("required"), &opts, &file);
	assert_int_equal(rc, mode.read == SL_FILE_WAY_DIRECT && mode.write == SL_FILE_WAY_DIRECT ?
				     0 :
				     -EOPNOTSUPP);
	sl_file_close(file);
	opts.io = SL_FILE_BUFFERED;
	assert_int_equal(sl_file_open(ring, AT_FDCWD, fs_path("required"), &opts, &file), -EINVAL);
	sl_ring_close(ring);
}

void probing_leaves_no_trace(void **state)
{
	struct sl_ring *ring = fs_ring();
	unsigned char *before = malloc(65536), *after = malloc(65536);
	struct stat was, is;
	unsigned names;

	(void)state;
	fs_fill(fs_path("user-data"), 65536);
	fs_slurp(fs_path("user-data"), before, 65536);
	assert_int_equal(stat(fs_path("user-data"), &was), 0);
	names = fs_names();
	mode_of(ring, "user-data", O_RDWR, SL_FILE_DIRECT);
	assert_int_equal(fs_names(), names);
	assert_int_equal(stat(fs_path("user-data"), &is), 0);
	assert_memory_equal(&was.st_mtim, &is.st_mtim, sizeof(was.st_mtim));
	assert_int_equal(fs_slurp(fs_path("user-data"), after, 65536), 65536);
	assert_memory_equal(before, after, 65536);
	sl_ring_close(ring);
	free(before);
	free(after);
}

#define NOBODY 65534

/* As somebody who may read the file and write nothing; read | write << 4. */
static int ask_as_nobody(int dirfd)
{
	struct sl_file_opts opts = { .io = SL_FILE_DIRECT };
	struct sl_file_mode mode;
	struct sl_ring *ring;
	struct sl_file *file;

	if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		return 0xff;
	if (sl_ring_open(NULL, &ring) < 0 ||
	    sl_file_open(ring, dirfd, "root-only", &opts, &file) < 0)
		return 0xff;
	if (sl_file_mode(file, &mode) < 0)
		return 0xff;
	show(&mode);
	sl_file_close(file);
	sl_ring_close(ring);
	return mode.read | mode.write << 4;
}

void who_may_not_write_gets_no_wrong_answer(void **state)
{
	int dirfd, status, read, write;
	size_t here = truth_here();
	pid_t child;

	(void)state;
	fs_fill(fs_path("root-only"), 65536);
	assert_int_equal(chmod(fs_dir(), 0755), 0);
	dirfd = open(fs_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	child = fork();
	if (child == 0)
		_exit(ask_as_nobody(dirfd));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0xff);
	read = WEXITSTATUS(status) & 15;
	write = WEXITSTATUS(status) >> 4;
	if (read != SL_FILE_WAY_UNKNOWN)
		assert_way(read, truth[here].read);
	if (write != SL_FILE_WAY_UNKNOWN)
		assert_way(write, true_write(here));
	/* Counts and scratch files are not to be had; the device's bytes are. */
	if (truth[here].read == SL_FILE_WAY_DIRECT)
		assert_int_equal(read, SL_FILE_WAY_DIRECT);
	close(dirfd);
}

void a_btrfs_file_without_copy_on_write_writes_directly(void **state)
{
	struct sl_ring *ring;
	struct sl_file_mode mode;
	int fd;

	(void)state;
	ring = fs_ring();
	fd = open(fs_path("nocow"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(sl_sys_inode_flags_set(fd, SL_INODE_NOCOW), 0);
	assert_int_equal(ftruncate(fd, 65536), 0);
	close(fd);
	mode = mode_of(ring, "nocow", O_RDWR, SL_FILE_DIRECT);
	assert_int_equal(mode.write, SL_FILE_WAY_DIRECT);
	sl_ring_close(ring);
}

void proof_of_buffering_beats_proof_of_directness(void **state)
{
	const char *why;

	(void)state;
	assert_int_equal(sl_mode_of_reads(0, &why), SL_FILE_WAY_UNKNOWN);
	assert_int_equal(sl_mode_of_reads(SL_FILE_EV_STATX_YES, &why), SL_FILE_WAY_UNKNOWN);
	assert_int_equal(sl_mode_of_reads(SL_FILE_EV_NO_PAGES, &why), SL_FILE_WAY_UNKNOWN);
	assert_int_equal(sl_mode_of_reads(SL_FILE_EV_NO_DEVICE_READ, &why), SL_FILE_WAY_UNKNOWN);
	assert_int_equal(sl_mode_of_reads(SL_FILE_EV_NOWAIT_READ, &why), SL_FILE_WAY_DIRECT);
	assert_int_equal(sl_mode_of_reads(SL_FILE_EV_DEVICE_READ, &why), SL_FILE_WAY_DIRECT);
	assert_int_equal(sl_mode_of_reads(SL_FILE_EV_NOWAIT_READ | SL_FILE_EV_PAGES_LEFT, &why),
			 SL_FILE_WAY_BUFFERED);
	assert_int_equal(sl_mode_of_reads(SL_FILE_EV_DEVICE_READ | SL_FILE_EV_STATX_NO, &why),
			 SL_FILE_WAY_BUFFERED);
	assert_int_equal(sl_mode_of_writes(SL_FILE_EV_NO_SCRATCH | SL_FILE_EV_STATX_YES, &why),
			 SL_FILE_WAY_UNKNOWN);
	assert_int_equal(sl_mode_of_writes(SL_FILE_EV_CANARY_GONE, &why), SL_FILE_WAY_DIRECT);
	assert_int_equal(sl_mode_of_writes(SL_FILE_EV_CANARY_LEFT | SL_FILE_EV_NOWAIT_WRITE, &why),
			 SL_FILE_WAY_BUFFERED);
	assert_int_equal(sl_mode_of_writes(SL_FILE_EV_NO_KERNEL, &why), SL_FILE_WAY_UNKNOWN);
}

void alignments_are_never_below_a_page(void **state)
{
	struct sl_ring *ring = fs_ring();
	struct sl_file *file = fs_open(ring, "align", O_RDWR | O_CREAT, SL_FILE_DIRECT);
	struct sl_file_info info;

	(void)state;
	sl_file_info(file, &info);
	printf("# found memory %u, read %u, write %u by %s; in force %u, %u, %u\n", info.found_mem,
	       info.found_read, info.found_write, info.align_source, info.mem_align,
	       info.read_align, info.write_align);
	assert_int_equal(info.mem_align % 4096, 0);
	assert_int_equal(info.read_align % 4096, 0);
	assert_int_equal(info.write_align % 4096, 0);
	assert_true(*info.align_source);
	if (fs_is("ext4-512") || fs_is("xfs-512"))
		assert_int_equal(info.found_read, 512);
	if (fs_is("ext4-4096") || fs_is("xfs-4096"))
		assert_int_equal(info.found_write, 4096);
	sl_file_close(file);
	sl_ring_close(ring);
}
