/* copy.c - copies a file with sixteen blocks in flight; when it says so, the copy is on disk. */
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sluice/sluice.h>

enum {
	BLOCKS = 16,
	BLOCK_BYTES = 128 * 1024
};

/* A block goes round: read it, write it, read the next one that nobody has taken. */
struct block {
	struct sl_op op;
	char bytes[BLOCK_BYTES];
};

static struct block blocks[BLOCKS];
static int source_fd, target_fd;
static uint64_t next_off;
static int64_t first_err;

static void on_read(struct sl_ring *ring, struct sl_op *op);

static void note(int64_t res)
{
	if (res < 0 && first_err == 0)
		first_err = res;
}

static void read_next(struct sl_ring *ring, struct block *block)
{
	sl_op_read(&block->op, source_fd, block->bytes, BLOCK_BYTES, next_off);
	block->op.done = on_read;
	next_off += BLOCK_BYTES;
	note(sl_ring_submit(ring, &block->op));
}

static void on_written(struct sl_ring *ring, struct sl_op *op)
{
	note(op->res);
	if (first_err == 0)
		read_next(ring, sl_op_of(op, struct block, op));
}

static void on_read(struct sl_ring *ring, struct sl_op *op)
{
	note(op->res);
	if (op->res <= 0 || first_err)
		return; /* the end of the file, or an error */
	sl_op_write(op, target_fd, op->buf, (size_t)op->res, op->off);
	op->done = on_written;
	note(sl_ring_submit(ring, op));
}

static int64_t copy(struct sl_ring *ring, int target_dirfd)
{
	struct sl_op sync = { 0 };
	int64_t res = 0;

	for (int i = 0; i < BLOCKS; i++)
		read_next(ring, &blocks[i]);
	while (sl_ring_inflight(ring) > 0 && res >= 0)
		res = sl_ring_run(ring, 0);
	if (res < 0 || first_err)
		return res < 0 ? res : first_err;
	/* The bytes, then the name: a new file needs both. */
	res = sl_ring_do(ring, sl_op_fsync(&sync, target_fd));
	return res < 0 ? res : sl_ring_do(ring, sl_op_sync_dir(&sync, target_dirfd));
}

int main(int argc, char **argv)
{
	struct sl_ring *ring;
	char dir[4096];
	int dirfd;
	int64_t err;

	if (argc != 3)
		return fprintf(stderr, "usage: copy SOURCE TARGET\n"), 2;
	source_fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (source_fd < 0)
		return perror(argv[1]), 1;
	target_fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	snprintf(dir, sizeof(dir), "%s", argv[2]);
	dirfd = open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (target_fd < 0 || dirfd < 0)
		return perror(argv[2]), 1;
	err = sl_ring_open(NULL, &ring);
	if (err == 0) {
		err = copy(ring, dirfd);
		sl_ring_close(ring);
	}
	if (err < 0)
		return fprintf(stderr, "copy: %s\n", sl_err_text((int)err)), 1;
	return printf("%s is durable\n", argv[2]) < 0;
}
