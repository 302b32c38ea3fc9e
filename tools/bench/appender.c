/* appender.c: files to append to, and the proof that what was called durable is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "appender.h"

#define MAGIC_TMPFS 0x01021994
#define MAGIC_RAMFS 0x858458f6

void appender_shut(struct contender *c)
{
	struct appender *s = c->state;

	if (s)
		datafile_shut(&s->file);
	free(s);
	c->state = NULL;
}

static bool lives_in_memory(const struct datafile *file)
{
	struct statfs fs;

	return fstatfs(file->fd, &fs) == 0 &&
	       (fs.f_type == MAGIC_TMPFS || (unsigned long)fs.f_type == MAGIC_RAMFS);
}

int appender_open(struct contender *c, int flags, bool keeps_content)
{
	struct appender *s = c->state = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return contender_lacks_errno(c, "its state", -ENOMEM);
	s->keeps_content = keeps_content;
	err = datafile_make(&s->file, c->env->dir, keeps_content ? APPENDER_CIRCLE_BYTES : 0, 1,
			    NULL, NULL);
	if (err) {
		s->file.fd = -1;
		return contender_lacks_errno(c, "its file", err);
	}
	if (lives_in_memory(&s->file)) {
		contender_void(c, "this file system lives in memory: nothing on it is durable");
		return -EOPNOTSUPP;
	}
	if ((flags & O_DIRECT) && s->file.dio_align && c->work->block_bytes % s->file.dio_align)
		return contender_lacks(c, "records must be a multiple of %u bytes for O_DIRECT",
				       s->file.dio_align);
	c->fd = datafile_reopen(&s->file, O_RDWR | flags);
	if (c->fd < 0)
		return contender_lacks_errno(c, "open", c->fd);
	c->copies = flags & O_DIRECT ? 0 : 1;
	return 0;
}

int appender_begin(struct contender *c)
{
	struct appender *s = c->state;

	s->written = 0;
	if (s->keeps_content)
		return 0;
	if (ftruncate(c->fd, 0) < 0 || lseek(c->fd, 0, SEEK_SET) < 0 || fsync(c->fd) < 0)
		return -errno;
	return 0;
}

void appender_end(struct contender *c)
{
	struct appender *s = c->state;
	int64_t unclean = datafile_unclean(&s->file);
	struct stat st;

	if (unclean > 0)
		contender_void(c, "%lld KiB were not on the device when it called them durable",
			       (long long)unclean / 1024);
	if (!s->keeps_content && fstat(c->fd, &st) == 0 && (uint64_t)st.st_size != s->written)
		contender_void(c, "the file holds %lld bytes instead of %llu",
			       (long long)st.st_size, (unsigned long long)s->written);
}
