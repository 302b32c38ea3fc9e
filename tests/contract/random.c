/*
 * random.c - 100,000 operations from a seed, on every backend the same.
 *
 * A program is made from the seed alone: rounds of operations on different
 * objects (files and streams), some linked into chains, some cancelled, some
 * with a deadline. A plain synchronous model, a few arrays, says what each one
 * must give; the ring under test runs the round and must give the same
 * (res, done_len, data). Beside them multi receives stay armed on streams of their
 * own, and what they deliver is compared after each round. The hash of all results is
 * printed: it is equal on every backend, as every backend equals the model
 * (agree.py compares it).
 *
 * Replay: SLUICE_SEED=N, printed at the start of the run. SLUICE_RANDOM_TOTAL=N: fewer operations.
 */
#include "tests/contract/suite.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HASH_BEGIN 0xcbf29ce484222325u

enum {
	TOTAL = 100000,
	FILES_NR = 4,
	STREAMS_NR = 8, /* ends of four pairs */
	OBJECTS_NR = FILES_NR + STREAMS_NR,
	ARMED_NR = 2, /* streams whose receiving end is armed */
	STEPS_MAX = OBJECTS_NR + ARMED_NR,
	STEP_CLASSES = SL_RING_CLASSES - ARMED_NR,
	FILE_MAX = 32768,
	CHUNK_MAX = 2048,
	QUEUE_MAX = 8192, /* below what any stream holds, so that writes never wait */
};

struct model_file {
	unsigned char bytes[FILE_MAX];
	size_t len;
};

struct model_stream {
	unsigned char bytes[QUEUE_MAX];
	size_t len;
};

/* One operation of a round and what it must give. */
struct step {
	struct sl_op op;
	int fd;
	unsigned object;
	bool cancel;
	int64_t res;
	uint64_t done_len;
	size_t want_len; /* bytes in want[] that buf[] must equal */
	struct iovec iov[3];
	unsigned char buf[CHUNK_MAX];
	unsigned char want[CHUNK_MAX];
};

static struct model_file files[FILES_NR];
static struct model_stream streams[STREAMS_NR]; /* what each end has to receive */
static int fds[OBJECTS_NR];
static struct step steps[STEPS_MAX];
static uint64_t dice, results = HASH_BEGIN;

/* A stream that is received from as long as the program runs. */
struct armed {
	struct sl_op op;
	int pair[2]; /* received from, sent to */
	uint64_t sent, received;
	uint64_t sent_hash, received_hash;
};

static struct armed armed[ARMED_NR];
static struct sl_buf_pool *pool;
static unsigned nr_disarmed;

static uint64_t roll(uint64_t sides)
{
	return support_random(&dice) % sides;
}

static unsigned total(void)
{
	const char *text = getenv("SLUICE_RANDOM_TOTAL");

	return text ? (unsigned)strtoul(text, NULL, 10) : TOTAL;
}

static void receive_armed(struct sl_ring *ring, struct sl_op *op)
{
	struct armed *end = sl_op_of(op, struct armed, op);

	(void)ring;
	if (op->res > 0) {
		end->received += (uint64_t)op->res;
		end->received_hash = hash_bytes(end->received_hash, op->buf, (size_t)op->res);
		sl_buf_put(pool, op->buf);
	}
	if (op->more == 0) {
		assert_int_equal(op->res, -ECANCELED);
		nr_disarmed++;
	}
}

/* In classes of their own: a chain longer than the cap of its class waits until that is empty. */
static void arm(struct sl_ring *ring, unsigned i)
{
	armed[i].op.done = receive_armed;
	armed[i].op.sched_class = (uint8_t)(STEP_CLASSES + i);
	sl_op_recv_pooled(&armed[i].op, armed[i].pair[0], pool)->flags |= SL_OP_MULTI;
	submit(ring, &armed[i].op);
}

static void disarm(struct sl_ring *ring, unsigned i)
{
	unsigned before = nr_disarmed;

	assert_int_equal(sl_ring_cancel(ring, &armed[i].op), 0);
	ring_until(ring, &nr_disarmed, before + 1);
}

/* As many buffers as steps could hold at once, and more for what is armed. */
static void make_armed(struct sl_ring *ring)
{
	const struct sl_buf_pool_opts opts = { .size = sizeof(opts),
					       .flags = SL_BUF_RECV,
					       .count = STEPS_MAX * 2,
					       .buf_bytes = CHUNK_MAX,
					       .align = 64 };

	assert_int_equal(sl_buf_pool_create(ring, &opts, &pool), 0);
	for (unsigned i = 0; i < ARMED_NR; i++) {
		world_pair(armed[i].pair);
		armed[i].sent_hash = armed[i].received_hash = HASH_BEGIN;
		arm(ring, i);
	}
}

static void make_objects(void)
{
	for (unsigned i = 0; i < FILES_NR; i++) {
		/* one file on a disk, the others in memory: fsync must not rule the time */
		fds[i] = i == 0 || on_memory() ? world_file() :
						 memfd_create("sluice-random", MFD_CLOEXEC);
		assert_true(fds[i] >= 0);
	}
	for (unsigned i = FILES_NR; i < OBJECTS_NR; i += 2)
		world_pair(&fds[i]);
}

/* ---- the model: each function plans a step and says what it must give ------------------ */

static void expect(struct step *step, int64_t res, uint64_t done_len)
{
	step->res = res;
	step->done_len = done_len;
}

/* Splits buf into vectors, so that the same bytes are gathered or scattered. */
static void as_vectors(struct step *step, size_t len)
{
	size_t cut = len / 3;

	step->iov[0] = (struct iovec){ step->buf, cut };
	step->iov[1] = (struct iovec){ step->buf + cut, 0 };
	step->iov[2] = (struct iovec){ step->buf + cut, len - cut };
	step->op.buf = step->iov;
	step->op.len = 3;
	step->op.flags |= SL_OP_VEC;
}

static void plan_file_read(struct step *step, struct model_file *file)
{
	size_t len = roll(CHUNK_MAX) + 1, off = roll(FILE_MAX), n = 0;

	if (off < file->len)
		n = file->len - off < len ? file->len - off : len;
	sl_op_read(&step->op, step->fd, step->buf, len, off);
	if (roll(3) == 0)
		as_vectors(step, len);
	memcpy(step->want, file->bytes + off, n);
	step->want_len = n;
	expect(step, (int64_t)n, n);
}

static void plan_file_write(struct step *step, struct model_file *file)
{
	size_t len = roll(CHUNK_MAX) + 1, off = roll(FILE_MAX - CHUNK_MAX);

	pattern(step->buf, len, support_random(&dice));
	sl_op_write(&step->op, step->fd, step->buf, len, off);
	if (roll(3) == 0)
		as_vectors(step, len);
	if (roll(100) == 0)
		step->op.flags |= SL_OP_DSYNC;
	memcpy(file->bytes + off, step->buf, len);
	if (off + len > file->len)
		file->len = off + len;
	expect(step, (int64_t)len, len);
}

static void plan_file_resize(struct step *step, struct model_file *file)
{
	size_t size = roll(FILE_MAX);
	bool allocate = roll(2) && size > 0;

	if (allocate)
		sl_op_allocate(&step->op, step->fd, 0, 0, size);
	else
		sl_op_truncate(&step->op, step->fd, size);
	if (size < file->len && !allocate) {
		memset(file->bytes + size, 0, file->len - size);
		file->len = size;
	} else if (size > file->len) {
		file->len = size;
	}
	expect(step, 0, 0);
}

static void plan_file(struct step *step, struct model_file *file)
{
	uint64_t choice = roll(100);

	if (choice < 45)
		plan_file_read(step, file);
	else if (choice < 88)
		plan_file_write(step, file);
	else if (choice < 96)
		plan_file_resize(step, file);
	else if (choice < 97)
		expect((sl_op_fdatasync(&step->op, step->fd), step), 0, 0);
	else if (choice < 98)
		expect((sl_op_read(&step->op, world_bad_fd(), step->buf, 1, 0), step), -EBADF, 0);
	else
		expect((sl_op_poll(&step->op, step->fd, POLLIN), step), POLLIN, 0);
}

static void plan_send(struct step *step, struct model_stream *peer)
{
	size_t len = roll(CHUNK_MAX / 2) + 1;

	pattern(step->buf, len, support_random(&dice));
	if (roll(2))
		sl_op_write(&step->op, step->fd, step->buf, len, SL_OFF_CURRENT);
	else if (sl_op_send(&step->op, step->fd, step->buf, len, 0), roll(3) == 0)
		step->op.flags |= SL_OP_ZC;
	if (roll(4) == 0)
		as_vectors(step, len);
	memcpy(peer->bytes + peer->len, step->buf, len);
	peer->len += len;
	expect(step, (int64_t)len, len);
}

static void take_from(struct model_stream *mine, size_t n)
{
	mine->len -= n;
	memmove(mine->bytes, mine->bytes + n, mine->len);
}

/* Into a buffer of the pool, which bounds the length. */
static void plan_recv_pooled(struct step *step, struct model_stream *mine)
{
	size_t n = mine->len < CHUNK_MAX ? mine->len : CHUNK_MAX;

	if (roll(2))
		sl_op_recv_pooled(&step->op, step->fd, pool);
	else
		sl_op_read_pooled(&step->op, step->fd, pool);
	memcpy(step->want, mine->bytes, n);
	step->want_len = n;
	take_from(mine, n);
	expect(step, (int64_t)n, n);
}

static void plan_recv(struct step *step, struct model_stream *mine)
{
	size_t len = roll(CHUNK_MAX) + 1, n = mine->len < len ? mine->len : len;
	bool peek = roll(5) == 0;

	if (peek)
		sl_op_recv(&step->op, step->fd, step->buf, len, MSG_PEEK);
	else if (roll(2))
		sl_op_recv(&step->op, step->fd, step->buf, len, 0);
	else
		sl_op_read(&step->op, step->fd, step->buf, len, SL_OFF_CURRENT);
	if (roll(4) == 0)
		as_vectors(step, len);
	memcpy(step->want, mine->bytes, n);
	step->want_len = n;
	if (!peek)
		take_from(mine, n);
	expect(step, (int64_t)n, n);
}

/* Nothing is there: the op must wait, and be ended by a cancel or its deadline. */
static void plan_wait(struct step *step, int64_t now)
{
	if (roll(3) == 0)
		sl_op_recv_pooled(&step->op, step->fd, pool);
	else if (roll(2))
		sl_op_recv(&step->op, step->fd, step->buf, 1 + roll(100), 0);
	else
		sl_op_poll(&step->op, step->fd, POLLIN);
	if (roll(2)) {
		step->cancel = true;
		expect(step, -ECANCELED, 0);
	} else {
		step->op.deadline_ns = now + 1;
		expect(step, -ETIMEDOUT, 0);
	}
}

static void plan_stream(struct step *step, unsigned end, int64_t now)
{
	struct model_stream *mine = &streams[end], *peer = &streams[end ^ 1];

	if (mine->len == 0 && roll(4) == 0)
		plan_wait(step, now);
	else if (mine->len > 0 && (roll(2) || peer->len + CHUNK_MAX > QUEUE_MAX))
		roll(4) ? plan_recv(step, mine) : plan_recv_pooled(step, mine);
	else if (peer->len + CHUNK_MAX <= QUEUE_MAX)
		plan_send(step, peer);
	else
		expect((sl_op_poll(&step->op, step->fd, POLLOUT), step), POLLOUT, 0);
}

/* What an armed stream receives is compared by its hash: see armed_agree(). */
static void plan_armed(struct step *step, struct armed *end)
{
	struct model_stream stream = { .len = 0 };

	plan_send(step, &stream);
	end->sent += stream.len;
	end->sent_hash = hash_bytes(end->sent_hash, stream.bytes, stream.len);
}

static void plan_step(struct step *step, unsigned object, int64_t now)
{
	sl_op_fn *done = step->op.done;

	memset(&step->op, 0, sizeof(step->op));
	step->op.done = done;
	step->op.sched_class = (uint8_t)roll(STEP_CLASSES);
	step->fd = object < OBJECTS_NR ? fds[object] : armed[object - OBJECTS_NR].pair[1];
	step->object = object;
	step->cancel = false;
	step->want_len = 0;
	if (object < FILES_NR)
		plan_file(step, &files[object]);
	else if (object >= OBJECTS_NR)
		plan_armed(step, &armed[object - OBJECTS_NR]);
	else
		plan_stream(step, object - FILES_NR, now);
	step->op.flags |= SL_OP_PARK;
}

/* ---- a round ---------------------------------------------------------------------------- */

static unsigned nr_ended;

static void step_ended(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	if (op->more)
		assert_true(op->flags & SL_OP_ZC);
	else
		nr_ended++;
}

/*
 * Plans steps on different objects. The two ends of a pair never meet in one
 * round, as what one sends would race with what the other receives.
 */
static unsigned plan_round(int64_t now)
{
	unsigned nr = 0;

	for (unsigned object = 0; object < FILES_NR; object++)
		if (roll(2))
			plan_step(&steps[nr++], object, now);
	for (unsigned pair = 0; pair < STREAMS_NR / 2; pair++)
		if (roll(2))
			plan_step(&steps[nr++], FILES_NR + 2 * pair + (unsigned)roll(2), now);
	for (unsigned i = 0; i < ARMED_NR; i++)
		if (roll(4) == 0)
			plan_step(&steps[nr++], OBJECTS_NR + i, now);
	return nr;
}

/* A step that ends in full, whatever else: only such a one may lead a chain. */
static bool may_lead(const struct step *step)
{
	bool moves = step->op.code == SL_OP_READ || step->op.code == SL_OP_RECV;

	return step->res >= 0 && !step->cancel && !moves;
}

static void submit_round(struct sl_ring *ring, unsigned nr)
{
	for (unsigned i = 0; i < nr;) {
		struct sl_op *chain[STEPS_MAX];
		unsigned len = 0;

		do {
			chain[len++] = &steps[i].op;
		} while (may_lead(&steps[i++]) && i < nr && !steps[i].cancel &&
			 !steps[i].op.deadline_ns && roll(3) == 0);
		for (unsigned k = 0; k + 1 < len; k++)
			chain[k]->flags |= SL_OP_LINKED;
		assert_int_equal(sl_ring_submitv(ring, chain, len), 0);
	}
	if (roll(2))
		sl_ring_run(ring, SL_RING_POLL);
	for (unsigned i = 0; i < nr; i++)
		if (steps[i].cancel)
			assert_int_equal(sl_ring_cancel(ring, &steps[i].op), 0);
}

static void check_step(const struct step *step, unsigned number)
{
	const struct sl_op *op = &step->op;
	bool pooled = op->flags & SL_OP_POOLED && op->res > 0;

	if (op->res != step->res || op->done_len != step->done_len)
		fail_msg("operation %u: %s on object %u gave (%lld, %llu), the model (%lld, %llu)",
			 number, sl_op_name(op->code), step->object, (long long)op->res,
			 (unsigned long long)op->done_len, (long long)step->res,
			 (unsigned long long)step->done_len);
	if (memcmp(pooled ? op->buf : step->buf, step->want, step->want_len) != 0)
		fail_msg("operation %u: %s on object %u delivered other bytes", number,
			 sl_op_name(op->code), step->object);
	results = hash_bytes(results, &op->res, sizeof(op->res));
	results = hash_bytes(results, &op->done_len, sizeof(op->done_len));
	results = hash_bytes(results, step->want, step->want_len);
	if (pooled)
		sl_buf_put(pool, op->buf);
}

/* All that was sent to the armed ends has come, the same bytes in the same order; now and then
 * one is ended and armed again. */
static void armed_agree(struct sl_ring *ring)
{
	for (unsigned i = 0; i < ARMED_NR; i++) {
		while (armed[i].received < armed[i].sent)
			assert_true(sl_ring_run(ring, 0) >= 0);
		assert_int_equal(armed[i].received, armed[i].sent);
		assert_int_equal(armed[i].received_hash, armed[i].sent_hash);
		results = hash_bytes(results, &armed[i].received_hash, sizeof(uint64_t));
		if (roll(100) == 0) {
			disarm(ring, i);
			arm(ring, i);
		}
	}
}

static void check_files(struct sl_ring *ring)
{
	static unsigned char back[FILE_MAX + 1];
	struct sl_op op = { 0 };

	for (unsigned i = 0; i < FILES_NR; i++) {
		expect_res(ring, sl_op_read(&op, fds[i], back, sizeof(back), 0),
			   (int64_t)files[i].len);
		assert_memory_equal(back, files[i].bytes, files[i].len);
		results = hash_bytes(results, back, files[i].len);
	}
}

static void run_program(struct sl_ring *ring)
{
	unsigned number = 0, enough = total();

	for (unsigned i = 0; i < STEPS_MAX; i++)
		steps[i].op.done = step_ended;
	make_armed(ring);
	while (number < enough) {
		unsigned nr = plan_round(sl_ring_clock(ring));

		nr_ended = 0;
		submit_round(ring, nr);
		ring_until(ring, &nr_ended, nr);
		assert_int_equal(nr_ended, nr);
		assert_int_equal(sl_ring_inflight(ring), ARMED_NR);
		for (unsigned i = 0; i < nr; i++)
			check_step(&steps[i], number++);
		armed_agree(ring);
	}
	check_files(ring);
	for (unsigned i = 0; i < ARMED_NR; i++)
		disarm(ring, i);
	assert_int_equal(ring_stats(ring).completed, number + FILES_NR + nr_disarmed);
	sl_buf_pool_destroy(pool);
	printf("# %u operations, results %016llx\n", number, (unsigned long long)results);
}

static void a_hundred_thousand_random_operations_agree_with_the_model(void **state)
{
	struct sl_ring *ring;

	(void)state;
	memory_wants("busy armed");
	ring = ring_open_with(&(struct sl_ring_opts){ .depth = STEPS_MAX + ARMED_NR });
	dice = support_seed();
	make_objects();
	run_program(ring);
	sl_ring_close(ring);
}

static void a_hundred_thousand_random_operations_agree_when_classes_are_capped(void **state)
{
	struct sl_ring *ring;

	(void)state;
	ring = ring_open_with(&(struct sl_ring_opts){
		.depth = STEPS_MAX + ARMED_NR, .park_max = 64, .flags = SL_RING_NO_INLINE });
	for (unsigned c = 0; c < SL_RING_CLASSES; c++)
		assert_int_equal(sl_ring_class(ring, c,
					       &(struct sl_ring_class_opts){ .inflight_max = 2 }),
				 0);
	dice = support_seed() + 1;
	make_objects();
	run_program(ring);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(a_hundred_thousand_random_operations_agree_with_the_model, CORE | BLOCK | FILES | NET, 0),
	T(a_hundred_thousand_random_operations_agree_when_classes_are_capped,
	  CORE | BLOCK | FILES | NET, 0),
};

const struct contract_group random_tests = GROUP(tests);
