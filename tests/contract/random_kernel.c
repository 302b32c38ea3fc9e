/*
 * random_kernel.c - random direct transfers, moves between pipes and connections from a seed.
 *
 * What a world in memory has none of, against a model: a file open for direct I/O as bytes, two
 * pipes as queues, and a listener whose armed accept takes each connection once.
 * The hash of all results is printed; agree.py compares it between backends.
 *
 * Replay: SLUICE_SEED=N, printed at the start of the run. SLUICE_RANDOM_TOTAL=N: a twentieth of N
 * rounds.
 */
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	TOTAL = 100000,
	BLOCK_BYTES = 4096,
	BLOCKS = 16,
	QUEUE_MAX = 4096,
	PUTS_MAX = 4 /* puts between two emptyings: a pipe has 16 places */
};

struct queue {
	unsigned char bytes[2 * QUEUE_MAX];
	size_t len;
	unsigned puts;
};

static uint64_t dice, results = 0xcbf29ce484222325u;
static unsigned nr_ended;

static int file;
static unsigned char file_bytes[BLOCKS * BLOCK_BYTES];
static size_t file_len;

static int pipes[2][2];
static struct queue queues[2];
static struct sl_splice_ends ends = { .source_off = SL_OFF_CURRENT, .target_off = SL_OFF_CURRENT };

static unsigned nr_taken;
static int taken;

static uint64_t roll(uint64_t sides)
{
	return support_random(&dice) % sides;
}

static unsigned rounds(void)
{
	const char *text = getenv("SLUICE_RANDOM_TOTAL");

	return (text ? (unsigned)strtoul(text, NULL, 10) : TOTAL) / 20;
}

static void step_ended(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	(void)op;
	nr_ended++;
}

/* An op with what it must give: res bytes, found in want where they were read to got. */
struct step {
	struct sl_op op;
	int64_t res;
	const unsigned char *got;
	unsigned char want[BLOCKS * BLOCK_BYTES];
};

static struct step direct_step, pipe_step;

static void plan_direct(struct step *step, unsigned char *buf)
{
	size_t off = roll(BLOCKS) * BLOCK_BYTES, len = (1 + roll(4)) * BLOCK_BYTES;
	size_t left = file_len > off ? file_len - off : 0;

	if (off + len > sizeof(file_bytes))
		len = sizeof(file_bytes) - off;
	step->got = NULL;
	if (roll(2)) {
		pattern(buf, len, support_random(&dice));
		sl_op_write(&step->op, file, buf, len, off);
		memcpy(file_bytes + off, buf, len);
		file_len = off + len > file_len ? off + len : file_len;
		step->res = (int64_t)len;
		return;
	}
	sl_op_read(&step->op, file, buf, len, off);
	step->res = (int64_t)(left < len ? left : len);
	step->got = buf;
	memcpy(step->want, file_bytes + off, (size_t)step->res);
}

static void put(struct queue *queue, const unsigned char *bytes, size_t len)
{
	memcpy(queue->bytes + queue->len, bytes, len);
	queue->len += len;
	queue->puts++;
}

static void drop(struct queue *queue, size_t len)
{
	queue->len -= len;
	memmove(queue->bytes, queue->bytes + len, queue->len);
	if (!queue->len)
		queue->puts = 0;
}

static void plan_write(struct step *step, unsigned char *buf, size_t len)
{
	pattern(buf, len, support_random(&dice));
	put(&queues[0], buf, len);
	sl_op_write(&step->op, pipes[0][1], buf, len, SL_OFF_CURRENT);
	step->res = (int64_t)len;
}

static void plan_move(struct step *step, size_t len)
{
	size_t n = len < queues[0].len ? len : queues[0].len;

	ends.source_fd = pipes[0][0];
	put(&queues[1], queues[0].bytes, n);
	/* what is moved is in as many places as it was written to */
	queues[1].puts += queues[0].puts;
	step->res = (int64_t)n;
	if (roll(2)) {
		sl_op_tee(&step->op, pipes[1][1], &ends, len);
		return;
	}
	sl_op_splice(&step->op, pipes[1][1], &ends, len);
	drop(&queues[0], n);
}

static void plan_read(struct step *step, unsigned char *buf)
{
	size_t n = queues[1].len;

	sl_op_read(&step->op, pipes[1][0], buf, sizeof(queues[1].bytes), SL_OFF_CURRENT);
	memcpy(step->want, queues[1].bytes, n);
	step->got = buf;
	step->res = (int64_t)n;
	drop(&queues[1], n);
}

static void plan_pipe(struct step *step, unsigned char *buf)
{
	size_t len = 1 + roll(QUEUE_MAX / PUTS_MAX);

	step->got = NULL;
	if (!queues[0].len || (queues[0].puts < PUTS_MAX && roll(2)))
		plan_write(step, buf, len);
	else if (queues[1].puts < PUTS_MAX)
		plan_move(step, len);
	else
		plan_read(step, buf);
}

static void check(const struct step *step, unsigned number)
{
	if (step->op.res != step->res)
		fail_msg("round %u: %s gave %lld, the model %lld", number,
			 sl_op_name(step->op.code), (long long)step->op.res, (long long)step->res);
	if (step->got)
		assert_memory_equal(step->got, step->want, (size_t)step->res);
	results = hash_bytes(results, &step->res, sizeof(step->res));
	if (step->got)
		results = hash_bytes(results, step->got, (size_t)step->res);
}

static void take(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	if (op->res < 0)
		return;
	nr_taken++;
	taken = (int)op->res;
}

/* One connection, taken once; it is the one whose number came with it. */
static void connect_once(struct sl_ring *ring, const struct sockaddr_un *address, socklen_t len)
{
	unsigned number = nr_taken, told = 0;
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sl_op op = { 0 };

	expect_res(ring, sl_op_connect(&op, client, (const void *)address, len), 0);
	expect_res(ring, sl_op_send(&op, client, &number, sizeof(number), 0), sizeof(number));
	ring_until(ring, &nr_taken, number + 1);
	expect_res(ring, sl_op_recv(&op, taken, &told, sizeof(told), 0), sizeof(told));
	assert_int_equal(told, number);
	results = hash_bytes(results, &told, sizeof(told));
	close(client);
	close(taken);
}

static int listen_here(struct sockaddr_un *ret_address, socklen_t *ret_len)
{
	const sa_family_t family = AF_UNIX;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret_len = sizeof(*ret_address);
	assert_int_equal(bind(fd, (const void *)&family, sizeof(family)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret_address, ret_len), 0);
	return fd;
}

static void make_objects(void)
{
	file = world_open("direct", O_RDWR | O_CREAT | O_DIRECT);
	if (file == -EINVAL)
		SKIP("no O_DIRECT on the file system of the tests");
	assert_true(file >= 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pipe2(pipes[i], O_CLOEXEC), 0);
	direct_step.op.done = pipe_step.op.done = step_ended;
}

static void random_direct_transfers_moves_and_accepts_agree_with_the_model(void **state)
{
	static _Alignas(BLOCK_BYTES) unsigned char block[BLOCKS * BLOCK_BYTES];
	static unsigned char bytes[2 * QUEUE_MAX];
	struct sl_ring *ring = ring_open(8);
	struct sl_op accepts = { .done = take };
	struct sockaddr_un address;
	socklen_t len;
	int listener = listen_here(&address, &len);
	unsigned number, enough = rounds();

	(void)state;
	dice = support_seed() + 3;
	make_objects();
	sl_op_accept(&accepts, listener, NULL, NULL, SOCK_CLOEXEC)->flags |= SL_OP_MULTI;
	submit(ring, &accepts);
	for (number = 0; number < enough; number++) {
		plan_direct(&direct_step, block);
		plan_pipe(&pipe_step, bytes);
		nr_ended = 0;
		submit(ring, &direct_step.op);
		submit(ring, &pipe_step.op);
		ring_until(ring, &nr_ended, 2);
		check(&direct_step, number);
		check(&pipe_step, number);
		if (roll(4) == 0)
			connect_once(ring, &address, len);
	}
	printf("# %u operations, results %016llx\n", 2 * number + nr_taken,
	       (unsigned long long)results);
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	assert_int_equal(accepts.res, -ECANCELED);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(random_direct_transfers_moves_and_accepts_agree_with_the_model, BLOCK | NET | PROCESS,
	  ON_KERNEL),
};

const struct contract_group random_kernel_tests = GROUP(tests);
