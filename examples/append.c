/* append.c - appends what it reads to a file, and says of each piece when power loss cannot take
 * it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sluice/sluice.h>

/*
 * A write and a sync in one submit: linked, so that the sync starts when every
 * byte is written, and is cancelled when not. With SL_OP_DSYNC the write alone
 * would do the same; a chain also serves where many writes share one sync.
 */
static int64_t append(struct sl_ring *ring, int fd, const void *buf, size_t len, uint64_t off)
{
	struct sl_op write_op = { 0 }, sync_op = { 0 };
	struct sl_op *chain[] = { &write_op, &sync_op };
	int err;

	sl_op_write(&write_op, fd, buf, len, off)->flags = SL_OP_LINKED;
	sl_op_fdatasync(&sync_op, fd);
	err = sl_ring_submitv(ring, chain, 2);
	if (err < 0)
		return err;
	while (sl_ring_next(ring, 0) != NULL)
		;
	if (sl_ring_inflight(ring) > 0)
		return -EIO; /* NULL, but not for want of ops: the ring is broken */
	return write_op.res < 0 ? write_op.res : sync_op.res;
}

/* A file that is new has a name that is not yet durable. */
static int64_t sync_name(struct sl_ring *ring, const char *path)
{
	struct sl_op op = { 0 };
	char copy[4096];
	int64_t res;
	int dirfd;

	if (strlen(path) >= sizeof(copy))
		return -ENAMETOOLONG;
	dirfd = open(dirname(strcpy(copy, path)), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return -errno;
	res = sl_ring_do(ring, sl_op_sync_dir(&op, dirfd));
	close(dirfd);
	return res;
}

static int64_t append_input(struct sl_ring *ring, int fd, const char *path)
{
	static char piece[65536];
	struct sl_op op = { 0 };
	struct stat st;
	int64_t len, err = sync_name(ring, path);

	if (err < 0 || fstat(fd, &st) < 0)
		return err < 0 ? err : -errno;
	for (uint64_t off = (uint64_t)st.st_size;; off += (uint64_t)len) {
		len = sl_ring_do(ring, sl_op_read(&op, 0, piece, sizeof(piece), SL_OFF_CURRENT));
		if (len <= 0)
			return len;
		err = append(ring, fd, piece, (size_t)len, off);
		/* After a failed sync the kernel may have dropped the pages: no second try. */
		if (err < 0)
			return err;
		printf("durable up to %" PRIu64 "\n", off + (uint64_t)len);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	struct sl_ring *ring;
	int64_t err;
	int fd;

	if (argc != 2)
		return fprintf(stderr, "usage: append FILE <INPUT\n"), 2;
	fd = open(argv[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return perror(argv[1]), 1;
	err = sl_ring_open(NULL, &ring);
	if (err == 0) {
		err = append_input(ring, fd, argv[1]);
		sl_ring_close(ring);
	}
	if (err < 0)
		return fprintf(stderr, "append: %s: %s\n", argv[1], sl_err_text((int)err)), 1;
	return 0;
}
