/* builder.c: names become inodes, in the order in which they are made. */
#include "builder.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST 2

void story_begin(struct story *story, uint32_t sector)
{
	const struct crash_trace_opts opts = { .sector = sector };

	memset(story, 0, sizeof(*story));
	assert_int_equal(crash_trace_create(NULL, &opts, &story->trace), 0);
}

struct crash_trace *story_read(struct story *story)
{
	struct crash_trace *trace;
	int fd = dup(crash_trace_fd(story->trace));
	uint64_t seq;
	const char *why;

	if (crash_trace_check(story->trace, &seq, &why))
		fail_msg("op %d: %s", (int)seq, why);
	assert_true(fd >= 0);
	assert_int_equal(crash_trace_open_fd(fd, &trace), 0);
	return trace;
}

void story_end(struct story *story)
{
	crash_trace_close(story->trace);
	story->trace = NULL;
}

uint64_t story_now(const struct story *story)
{
	return crash_trace_nr(story->trace);
}

uint64_t story_inode(const struct story *story, const char *path)
{
	if (!*path)
		return CRASH_ROOT;
	for (uint64_t i = 0; i < story->nr; i++) {
		if (strcmp(story->path[i], path) == 0)
			return i + FIRST;
	}
	fail_msg("the story knows no %s", path);
	return 0;
}

void story_put(struct story *story, struct crash_op op, const void *data)
{
	if (!op.begin)
		op.begin = crash_trace_now(story->trace);
	op.pid = 7;
	assert_int_equal(crash_trace_append(story->trace, &op, data), 0);
}

/* Where a path is, and what it is called there. */
static uint64_t dir_of(const struct story *story, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char dir[64] = "";

	*ret_name = slash ? slash + 1 : path;
	if (slash)
		memcpy(dir, path, (size_t)(slash - path));
	return story_inode(story, dir);
}

static struct crash_op about(const struct story *story, uint32_t code, const char *path)
{
	struct crash_op op = { .code = code };

	op.dir = dir_of(story, path, &op.name);
	return op;
}

static uint64_t make(struct story *story, struct crash_op op, const char *path, bool is_dir,
		     const void *data)
{
	assert_true(story->nr < sizeof(story->is_dir) / sizeof(story->is_dir[0]));
	op.inode = story->nr + FIRST;
	strcpy(story->path[story->nr], path);
	story->is_dir[story->nr++] = is_dir;
	story_put(story, op, data);
	return op.inode;
}

void story_base(struct story *story, const char *path, uint32_t mode, uint64_t size)
{
	struct crash_op op = about(story, CRASH_BASE, path);

	op.mode = mode;
	op.len = size;
	make(story, op, path, S_ISDIR(mode), NULL);
}

uint64_t story_create(struct story *story, const char *path)
{
	struct crash_op op = about(story, CRASH_CREATE, path);

	op.mode = S_IFREG | 0644;
	return make(story, op, path, false, NULL);
}

void story_mkdir(struct story *story, const char *path)
{
	struct crash_op op = about(story, CRASH_MKDIR, path);

	op.mode = S_IFDIR | 0755;
	make(story, op, path, true, NULL);
}

void story_symlink(struct story *story, const char *path, const char *target)
{
	struct crash_op op = about(story, CRASH_SYMLINK, path);

	op.data_len = (uint32_t)strlen(target);
	make(story, op, path, false, target);
}

/* The story goes on calling it by its first name. */
void story_link(struct story *story, const char *path, const char *further)
{
	struct crash_op op = about(story, CRASH_LINK, further);

	op.inode = story_inode(story, path);
	story_put(story, op, NULL);
}

void story_unlink(struct story *story, const char *path)
{
	struct crash_op op = about(story, CRASH_UNLINK, path);

	op.inode = story_inode(story, path);
	if (story->is_dir[op.inode - FIRST])
		op.code = CRASH_RMDIR;
	story_put(story, op, NULL);
	story->path[op.inode - FIRST][0] = '\0';
}

static void rename_op(struct story *story, const char *path, const char *to, uint32_t flags)
{
	struct crash_op op = about(story, CRASH_RENAME, path);

	op.inode = story_inode(story, path);
	op.flags = flags;
	op.dir2 = dir_of(story, to, &op.name2);
	story_put(story, op, NULL);
}

void story_rename(struct story *story, const char *path, const char *to)
{
	uint64_t inode = story_inode(story, path);

	rename_op(story, path, to, 0);
	for (uint64_t i = 0; i < story->nr; i++) {
		if (strcmp(story->path[i], to) == 0)
			story->path[i][0] = '\0';
	}
	strcpy(story->path[inode - FIRST], to);
}

void story_exchange(struct story *story, const char *path, const char *with)
{
	uint64_t inode = story_inode(story, path), other = story_inode(story, with);

	rename_op(story, path, with, CRASH_EXCHANGE);
	strcpy(story->path[other - FIRST], path);
	strcpy(story->path[inode - FIRST], with);
}

void story_write(struct story *story, const char *path, uint64_t off, const void *data,
		 uint32_t len, uint32_t flags)
{
	struct crash_op op = {
		.code = CRASH_WRITE,
		.inode = story_inode(story, path),
		.off = off,
		.len = len,
		.data_len = len,
		.res = (int32_t)len,
		.flags = flags,
	};

	story_put(story, op, data);
}

void story_fill(struct story *story, const char *path, uint64_t off, char letter, uint32_t len)
{
	static char buf[1 << 20];

	assert_true(len <= sizeof(buf));
	memset(buf, letter, len);
	story_write(story, path, off, buf, len, 0);
}

void story_truncate(struct story *story, const char *path, uint64_t size)
{
	struct crash_op op = {
		.code = CRASH_TRUNCATE,
		.inode = story_inode(story, path),
		.len = size,
	};

	story_put(story, op, NULL);
}

void story_allocate(struct story *story, const char *path, uint32_t mode, uint64_t off,
		    uint64_t len)
{
	struct crash_op op = {
		.code = CRASH_ALLOCATE,
		.inode = story_inode(story, path),
		.flags2 = mode,
		.off = off,
		.len = len,
	};

	story_put(story, op, NULL);
}

void story_close(struct story *story, const char *path)
{
	struct crash_op op = { .code = CRASH_CLOSE, .inode = story_inode(story, path) };

	story_put(story, op, NULL);
}

void story_sync(struct story *story, const char *path, uint32_t flags)
{
	struct crash_op op = {
		.code = CRASH_SYNC,
		.inode = story_inode(story, path),
		.flags = flags,
		.res = flags & CRASH_FAULT ? -EIO : 0,
	};

	story_put(story, op, NULL);
}

void story_sync_all(struct story *story)
{
	story_put(story, (struct crash_op){ .code = CRASH_SYNC_ALL }, NULL);
}

void story_ack(struct story *story, const char *line)
{
	struct crash_op op = { .code = CRASH_ACK, .data_len = (uint32_t)strlen(line) };

	story_put(story, op, line);
}
