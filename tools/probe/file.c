/* What else a file here can do: space, holes, sharing of blocks. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "sys/clone.h"
#include "tools/probe/topics.h"

static void try_tmpfile(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "file.tmpfile", "O_TMPFILE");
	int fd = openat(probe->place.dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	check_result(check, fd < 0 ? -errno : 0);
	if (fd >= 0)
		close(fd);
}

static void try_fallocate(struct probe *probe)
{
	static const struct {
		const char *id, *title;
		int mode;
	} tries[] = {
		{ "file.allocate", "fallocate", 0 },
		{ "file.allocate_beyond", "fallocate beyond the end", FALLOC_FL_KEEP_SIZE },
		{ "file.punch_hole", "punch a hole", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE },
		{ "file.zero_range", "zero a range", FALLOC_FL_ZERO_RANGE },
	};
	int fd = place_scratch(&probe->place);

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		struct check *check = check_add(&probe->checks, tries[i].id, tries[i].title);
		int err = fd < 0 ? fd : 0;

		if (fd >= 0 && fallocate(fd, tries[i].mode, 0, SCRATCH_CHUNK) < 0)
			err = -errno;
		check_result(check, err);
	}
	if (fd >= 0)
		close(fd);
}

static void try_seek_hole(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "file.seek_hole", "SEEK_HOLE finds holes");
	int fd = place_scratch(&probe->place);
	off_t hole;

	if (fd < 0 || ftruncate(fd, SCRATCH_BYTES) < 0 ||
	    pwrite(fd, probe->scratch.buf, SCRATCH_PAGE, SCRATCH_CHUNK) != SCRATCH_PAGE) {
		check_set(check, CHECK_UNKNOWN, "no sparse file to try it on");
	} else {
		hole = lseek(fd, 0, SEEK_HOLE);
		if (hole < 0)
			check_result(check, -errno);
		else
			check_set(check, hole == 0 ? CHECK_YES : CHECK_NO,
				  hole == 0 ? "a hole at 0 was found" :
					      "a hole at 0 was taken for data");
	}
	if (fd >= 0)
		close(fd);
}

static void try_sharing(struct probe *probe)
{
	struct check *clone = check_add(&probe->checks, "file.reflink", "reflink (FICLONE)");
	struct check *range = check_add(&probe->checks, "file.copy_range", "copy_file_range");
	int fd = place_scratch(&probe->place);
	off_t in = 0, out = 0;
	ssize_t n;

	if (fd < 0) {
		check_set(clone, CHECK_UNKNOWN, "no second file: %s", check_errno(fd));
		check_set(range, CHECK_UNKNOWN, "no second file: %s", check_errno(fd));
		return;
	}
	n = copy_file_range(probe->scratch.fd, &in, fd, &out, SCRATCH_CHUNK, 0);
	if (n < 0)
		check_result(range, -errno);
	else
		check_set(range, n == SCRATCH_CHUNK ? CHECK_YES : CHECK_PARTLY,
			  "%zd of %u bytes copied in the kernel", n, SCRATCH_CHUNK);
	check_result(clone, sl_sys_clone(fd, probe->scratch.fd));
	if (clone->status == CHECK_YES)
		check_say(clone, "blocks are shared; after that direct writes may need larger "
				 "alignment");
	close(fd);
}

void probe_file(struct probe *probe)
{
	try_tmpfile(probe);
	try_fallocate(probe);
	try_seek_hole(probe);
	try_sharing(probe);
}
