/* scan.c - counts the lines of a file with 32 reads in flight and no callback. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sluice/sluice.h>

enum {
	DEPTH = 32,
	BLOCK_BYTES = 64 * 1024
};

static uint64_t count_lines(const char *text, size_t len)
{
	const char *end = text + len;
	uint64_t lines = 0;

	while ((text = memchr(text, '\n', (size_t)(end - text))) != NULL) {
		lines++;
		text++;
	}
	return lines;
}

/* Lines may be counted in any order, so each block is counted when it comes. */
static int64_t scan(struct sl_ring *ring, struct sl_buf_pool *pool, int fd)
{
	struct sl_op ops[DEPTH] = { { 0 } };
	struct sl_op *op;
	uint64_t next_off = 0;
	int64_t lines = 0, err = 0;

	for (int i = 0; i < DEPTH && err == 0; i++, next_off += BLOCK_BYTES)
		err = sl_ring_submit(ring, sl_op_read(&ops[i], fd, sl_buf_get(pool), BLOCK_BYTES,
						      next_off));
	while ((op = sl_ring_next(ring, 0)) != NULL) {
		if (op->res < 0 && err == 0)
			err = op->res;
		if (op->res <= 0 || err)
			continue; /* what is in flight comes in, and nothing is added */
		lines += (int64_t)count_lines(op->buf, (size_t)op->res);
		err = sl_ring_submit(ring, sl_op_read(op, fd, op->buf, BLOCK_BYTES, next_off));
		next_off += BLOCK_BYTES;
	}
	/* NULL is the end only when nothing is left. */
	if (sl_ring_inflight(ring) > 0 && err == 0)
		err = -EIO;
	return err ? err : lines;
}

int main(int argc, char **argv)
{
	struct sl_buf_pool_opts shape = { .count = DEPTH, .buf_bytes = BLOCK_BYTES };
	struct sl_buf_pool *pool = NULL;
	struct sl_ring *ring;
	int64_t lines;
	int fd;

	if (argc != 2)
		return fprintf(stderr, "usage: scan FILE\n"), 2;
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return perror(argv[1]), 1;
	lines = sl_ring_open(NULL, &ring);
	if (lines < 0)
		return fprintf(stderr, "scan: no ring: %s\n", sl_err_text((int)lines)), 1;
	lines = sl_buf_pool_create(ring, &shape, &pool);
	if (lines == 0)
		lines = scan(ring, pool, fd);
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
	if (lines < 0)
		return fprintf(stderr, "scan: %s: %s\n", argv[1], sl_err_text((int)lines)), 1;
	return printf("%" PRId64 " %s\n", lines, argv[1]) < 0;
}
