/* The smallest FUSE server: one directory, one file, every read as short as asked for. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tools/probe/short_file.h"

#define NODE_FILE     2
#define FILE_BYTES    65536
#define REQUEST_BYTES (FUSE_MIN_READ_BUFFER * 2)

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr){ .ino = node,
				   .size = node == NODE_FILE ? FILE_BYTES : 0,
				   .mode = node == NODE_FILE ? S_IFREG | 0600 : S_IFDIR | 0700,
				   .nlink = 1,
				   .uid = getuid(),
				   .gid = getgid(),
				   .blksize = 4096 };
}

static void reply(int dev, uint64_t unique, int err, const void *body, size_t len)
{
	struct fuse_out_header head = { .len = (uint32_t)(sizeof(head) + len),
					.error = err,
					.unique = unique };
	struct iovec iov[] = { { .iov_base = &head, .iov_len = sizeof(head) },
			       { .iov_base = (void *)(uintptr_t)body, .iov_len = len } };

	/* A request that was interrupted meanwhile makes this fail; there is nobody to tell. */
	if (writev(dev, iov, len ? 2 : 1) < 0)
		return;
}

static void reply_init(int dev, uint64_t unique, const struct fuse_init_in *in)
{
	struct fuse_init_out out = { .major = FUSE_KERNEL_VERSION,
				     .minor = in->minor < FUSE_KERNEL_MINOR_VERSION ?
						      in->minor :
						      FUSE_KERNEL_MINOR_VERSION,
				     .max_readahead = in->max_readahead,
				     .max_write = 4096 };

	reply(dev, unique, 0, &out, sizeof(out));
}

static void reply_entry(int dev, uint64_t unique)
{
	struct fuse_entry_out out = { .nodeid = NODE_FILE, .attr = attributes(NODE_FILE) };

	reply(dev, unique, 0, &out, sizeof(out));
}

static void reply_attributes(int dev, uint64_t unique, uint64_t node)
{
	struct fuse_attr_out out = { .attr = attributes(node) };

	reply(dev, unique, 0, &out, sizeof(out));
}

static void reply_data(const struct short_file *file, uint64_t unique)
{
	static const char zeros[4096];
	uint32_t len = __atomic_load_n(&file->answer_len, __ATOMIC_RELAXED);

	reply(file->dev, unique, 0, zeros, len < sizeof(zeros) ? len : sizeof(zeros));
}

static void serve(const struct short_file *file, const struct fuse_in_header *in)
{
	const struct fuse_open_out opened = { 0 };

	switch (in->opcode) {
	case FUSE_INIT:
		reply_init(file->dev, in->unique, (const void *)(in + 1));
		break;
	case FUSE_LOOKUP:
		reply_entry(file->dev, in->unique);
		break;
	case FUSE_GETATTR:
		reply_attributes(file->dev, in->unique, in->nodeid);
		break;
	case FUSE_OPEN:
		reply(file->dev, in->unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		reply_data(file, in->unique);
		break;
	case FUSE_RELEASE:
		reply(file->dev, in->unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break; /* these want no answer */
	default:
		reply(file->dev, in->unique, -ENOSYS, NULL, 0);
	}
}

/* Until the file system is gone (ENODEV). */
static void *serve_all(void *ctx)
{
	const struct short_file *file = ctx;
	_Alignas(struct fuse_in_header) char request[REQUEST_BYTES];

	for (;;) {
		ssize_t n = read(file->dev, request, sizeof(request));

		if (n >= (ssize_t)sizeof(struct fuse_in_header))
			serve(file, (const void *)request);
		else if (n >= 0 || (errno != EINTR && errno != EAGAIN && errno != ENOENT))
			return NULL;
	}
}

static int set(int context, const char *key, unsigned value, bool octal)
{
	char text[16];

	if (octal)
		snprintf(text, sizeof(text), "%o", value);
	else
		snprintf(text, sizeof(text), "%u", value);
	return fsconfig(context, FSCONFIG_SET_STRING, key, text, 0) < 0 ? -errno : 0;
}

static int mount_detached(int dev)
{
	int mount, err, context = fsopen("fuse", FSOPEN_CLOEXEC);

	if (context < 0)
		return -errno;
	err = set(context, "fd", (unsigned)dev, false);
	if (!err)
		err = set(context, "rootmode", S_IFDIR, true);
	if (!err)
		err = set(context, "user_id", getuid(), false);
	if (!err)
		err = set(context, "group_id", getgid(), false);
	if (!err && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		err = -errno;
	mount = err ? -1 : fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (!err && mount < 0)
		err = -errno;
	close(context);
	return err ? err : mount;
}

int short_file_start(struct short_file *file)
{
	int err;

	*file = (struct short_file){ .mount = -1 };
	file->dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (file->dev < 0)
		return -errno;
	file->mount = mount_detached(file->dev);
	err = file->mount < 0 ? file->mount : 0;
	if (!err && pthread_create(&file->server, NULL, serve_all, file))
		err = -EAGAIN;
	if (err) {
		if (file->mount >= 0)
			close(file->mount);
		close(file->dev);
	}
	return err;
}

int short_file_open(const struct short_file *file, int flags)
{
	int fd = openat(file->mount, "short", flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void short_file_answer(struct short_file *file, uint32_t len)
{
	__atomic_store_n(&file->answer_len, len, __ATOMIC_RELAXED);
}

void short_file_stop(struct short_file *file)
{
	close(file->mount);
	pthread_join(file->server, NULL);
	close(file->dev);
}
