/* edges.c: any offset, any length, any memory, against a model in memory. */
#include "tests/file/tests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/engine.h"

#define EDGE_FILE   20000
#define MODEL_BYTES (512u << 10)
#define BATCH	    8
#define BATCH_BYTES 40000

static const uint64_t offs[] = {
	0, 1, 511, 512, 4095, 4096, 4097, 8191, 12288, 19999, 20000, 24000
};
static const uint64_t lens[] = { 1, 511, 512, 4095, 4096, 4097, 8192, 8193, 12289 };
static const uint64_t skews[] = { 0, 1, 512 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct model {
	unsigned char bytes[MODEL_BYTES];
	uint64_t size;
};

static void model_write(struct model *model, const unsigned char *from, uint64_t len, uint64_t off)
{
	if (off > model->size)
		memset(model->bytes + model->size, 0, off - model->size);
	memcpy(model->bytes + off, from, len);
	if (off + len > model->size)
		model->size = off + len;
}

static void model_truncate(struct model *model, uint64_t size)
{
	if (size > model->size)
		memset(model->bytes + model->size, 0, size - model->size);
	model->size = size;
}

static uint64_t model_read(const struct model *model, uint64_t len, uint64_t off)
{
	if (off >= model->size)
		return 0;
	return model->size - off < len ? model->size - off : len;
}

static void assert_same(const unsigned char *have, const unsigned char *want, uint64_t len,
			const char *what)
{
	for (uint64_t i = 0; i < len; i++) {
		if (have[i] != want[i])
			fail_msg("%s: byte %llu is %u, not %u", what, (unsigned long long)i,
				 have[i], want[i]);
	}
}

/* The whole file, seen from outside. */
static void assert_file(const char *name, const struct model *model)
{
	unsigned char *bytes = malloc(MODEL_BYTES);

	assert_non_null(bytes);
	assert_int_equal(fs_slurp(fs_path(name), bytes, MODEL_BYTES), model->size);
	assert_same(bytes, model->bytes, model->size, name);
	free(bytes);
}

static void one_edge(struct sl_file *file, struct model *model, uint64_t off, uint64_t len,
		     uint64_t skew)
{
	unsigned char want[16384];
	void *base;
	unsigned char *buf = fs_buffer(16384, skew, &base);

	for (uint64_t i = 0; i < len; i++)
		want[i] = (unsigned char)(off + len * 7 + i * 13 + skew);
	memcpy(buf, want, len);
	assert_int_equal(fs_write(file, buf, len, off), len);
	model_write(model, want, len, off);
	memset(buf, 0xee, 16384);
	assert_int_equal(fs_read(file, buf, len + 100, off), model_read(model, len + 100, off));
	assert_same(buf, model->bytes + off, model_read(model, len + 100, off), "read back");
	free(base);
}

static void edges(unsigned io)
{
	struct sl_ring *ring = fs_ring();
	struct sl_file *file = fs_open(ring, "edges", O_RDWR | O_CREAT | O_TRUNC, io);
	struct model *model = calloc(1, sizeof(*model));
	unsigned char *start = calloc(1, EDGE_FILE);

	assert_non_null(model);
	assert_non_null(start);
	memset(start, 0x5a, EDGE_FILE);
	for (size_t i = 0; i < COUNT(offs); i++) {
		for (size_t j = 0; j < COUNT(lens); j++) {
			for (size_t k = 0; k < COUNT(skews); k++) {
				assert_int_equal(fs_truncate(file, 0), 0);
				model_truncate(model, 0);
				assert_int_equal(fs_write(file, start, EDGE_FILE, 0), EDGE_FILE);
				model_write(model, start, EDGE_FILE, 0);
				one_edge(file, model, offs[i], lens[j], skews[k]);
				assert_file("edges", model);
			}
		}
	}
	sl_file_close(file);
	sl_ring_close(ring);
	free(start);
	free(model);
}

void every_edge_of_a_direct_file_reads_as_it_was_written(void **state)
{
	(void)state;
	edges(SL_FILE_DIRECT);
}

void every_edge_of_a_buffered_file_reads_as_it_was_written(void **state)
{
	(void)state;
	edges(SL_FILE_BUFFERED);
}

void every_edge_of_an_uncached_file_reads_as_it_was_written(void **state)
{
	(void)state;
	edges(SL_FILE_DONTCACHE);
}

/* ---- random requests, several in flight ---------------------------------------------- */

struct shot {
	struct sl_file_req req;
	unsigned code;
	void *base;
	unsigned char *want; /* READ: what the model said when it was submitted */
	uint64_t want_len;
};

static void shot_aim(struct shot *shot, uint64_t *random)
{
	uint64_t dice = support_random(random) % 100;
	uint64_t skew = support_random(random) % 4 ? 0 : support_random(random) % 600;

	shot->code = dice < 45 ? SL_FILE_READ :
		     dice < 92 ? SL_FILE_WRITE :
		     dice < 97 ? SL_FILE_TRUNCATE :
				 SL_FILE_ALLOCATE;
	memset(&shot->req, 0, sizeof(shot->req));
	shot->req.buf = (unsigned char *)shot->base + skew;
	shot->req.off = support_random(random) % (MODEL_BYTES - BATCH_BYTES);
	shot->req.len = 1 + support_random(random) % (BATCH_BYTES - 1);
	if (support_random(random) % 3 == 0)
		shot->req.off &= ~UINT64_C(4095);
	if (support_random(random) % 3 == 0)
		shot->req.len = (1 + support_random(random) % 9) * 4096 - (dice & 1);
	if (shot->code == SL_FILE_ALLOCATE && (dice & 1))
		shot->req.flags = SL_FILE_ZEROED;
	if (shot->code == SL_FILE_WRITE && dice == 50)
		shot->req.flags = SL_FILE_DSYNC;
}

/* The model runs requests one after the other, as overlapping ones must. */
static void shot_model(struct shot *shot, struct model *model, uint64_t *random)
{
	struct sl_file_req *req = &shot->req;
	unsigned char *bytes = req->buf;

	if (shot->code == SL_FILE_WRITE) {
		unsigned char first = (unsigned char)support_random(random);

		for (uint64_t i = 0; i < req->len; i++)
			bytes[i] = (unsigned char)(first + i * 3);
		model_write(model, bytes, req->len, req->off);
	} else if (shot->code == SL_FILE_TRUNCATE) {
		model_truncate(model, req->off);
	} else if (shot->code == SL_FILE_ALLOCATE) {
		if (model->size < req->off + req->len)
			model_truncate(model, req->off + req->len);
	} else {
		shot->want_len = model_read(model, req->len, req->off);
		memcpy(shot->want, model->bytes + req->off, shot->want_len);
	}
}

static void shot_check(const struct shot *shot)
{
	const struct sl_file_req *req = &shot->req;

	if (req->res < 0)
		fail_msg("request %u of %llu at %llu: %s", shot->code, (unsigned long long)req->len,
			 (unsigned long long)req->off, sl_err_name((int)req->res));
	if (shot->code == SL_FILE_WRITE)
		assert_int_equal(req->res, req->len);
	if (shot->code != SL_FILE_READ)
		return;
	assert_int_equal(req->res, shot->want_len);
	assert_same(req->buf, shot->want, shot->want_len, "a read among others");
}

static int shot_submit(struct sl_file *file, struct shot *shot)
{
	switch (shot->code) {
	case SL_FILE_READ:
		return sl_file_read(file, &shot->req);
	case SL_FILE_WRITE:
		return sl_file_write(file, &shot->req);
	case SL_FILE_TRUNCATE:
		return sl_file_truncate(file, &shot->req);
	default:
		return sl_file_allocate(file, &shot->req);
	}
}

static void await(struct sl_ring *ring, const struct shot *shots, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		while (sl_file_req_busy(&shots[i].req))
			assert_true(sl_ring_run(ring, 0) >= 0);
		shot_check(&shots[i]);
	}
}

/* The size is settled up to here: a read beyond sees what others do to the
 * size, sooner or later, so it runs alone. */
static bool runs_alone(const struct shot *shot, uint64_t settled)
{
	return shot->code == SL_FILE_READ && shot->req.off + shot->req.len > settled;
}

static void volley(struct sl_ring *ring, struct sl_file *file, struct shot *shots, unsigned nr,
		   struct model *model, uint64_t *random)
{
	uint64_t settled = model->size;
	unsigned checked = 0;

	for (unsigned i = 0; i < nr; i++) {
		bool alone;

		shot_aim(&shots[i], random);
		alone = runs_alone(&shots[i], settled);
		if (alone) {
			await(ring, shots, checked, i);
			checked = i;
			settled = model->size;
		}
		shot_model(&shots[i], model, random);
		assert_int_equal(shot_submit(file, &shots[i]), 0);
		if (alone) {
			await(ring, shots, checked, i + 1);
			checked = i + 1;
		}
		if (model->size < settled)
			settled = model->size;
	}
	await(ring, shots, checked, nr);
}

static void volleys(struct sl_ring *ring, unsigned nr_requests, unsigned batch)
{
	struct sl_file *file = fs_open(ring, "volley", O_RDWR | O_CREAT | O_TRUNC, SL_FILE_DIRECT);
	struct model *model = calloc(1, sizeof(*model));
	struct shot shots[BATCH];
	uint64_t random = support_seed();

	assert_non_null(model);
	for (unsigned i = 0; i < BATCH; i++) {
		fs_buffer(BATCH_BYTES, 600, &shots[i].base);
		shots[i].want = malloc(BATCH_BYTES);
		assert_non_null(shots[i].want);
	}
	for (unsigned done = 0; done < nr_requests; done += batch) {
		volley(ring, file, shots, batch, model, &random);
		if (done % 1000 < batch)
			assert_file("volley", model);
	}
	assert_file("volley", model);
	for (unsigned i = 0; i < BATCH; i++) {
		free(shots[i].base);
		free(shots[i].want);
	}
	sl_file_close(file);
	free(model);
}

void ten_thousand_random_requests_match_a_model(void **state)
{
	struct sl_ring *ring = fs_ring();

	(void)state;
	volleys(ring, 10000, BATCH);
	sl_ring_close(ring);
}

/* ---- what reaches the kernel --------------------------------------------------------- */

static bool is_aligned(const struct fault_entry *entry)
{
	return !(((uintptr_t)entry->buf | entry->len | entry->off) & 4095);
}

void misaligned_requests_never_reach_the_kernel(void **state)
{
	struct fault *fault = calloc(1, sizeof(*fault));
	struct sl_ring *ring;
	unsigned seen = 0;

	(void)state;
	assert_non_null(fault);
	ring = fault_ring(fault);
	volleys(ring, 1000, 4);
	assert_true(fault->nr < COUNT(fault->log));
	for (unsigned i = 0; i < fault->nr; i++) {
		const struct fault_entry *entry = &fault->log[i];

		if (entry->code != SL_OP_READ && entry->code != SL_OP_WRITE)
			continue;
		seen++;
		if (!is_aligned(entry))
			fail_msg("op %u: %llu bytes at %llu in %p", i,
				 (unsigned long long)entry->len, (unsigned long long)entry->off,
				 entry->buf);
	}
	assert_true(seen > 1000);
	sl_ring_close(ring);
	free(fault);
}

void aligned_requests_are_one_operation_each_without_a_copy(void **state)
{
	struct fault *fault = calloc(1, sizeof(*fault));
	struct sl_ring *ring = fault_ring(fault);
	struct sl_file *file = fs_open(ring, "aligned", O_RDWR | O_CREAT | O_TRUNC, SL_FILE_DIRECT);
	struct sl_file_info info;
	void *base;
	unsigned char *buf = fs_buffer(65536, 0, &base);

	(void)state;
	fault->nr = 0;
	assert_int_equal(fs_write(file, buf, 65536, 8192), 65536);
	assert_int_equal(fs_read(file, buf, 65536, 8192), 65536);
	assert_int_equal(fault->nr, 2);
	assert_ptr_equal(fault->log[0].buf, buf);
	assert_ptr_equal(fault->log[1].buf, buf);
	sl_file_info(file, &info);
	assert_int_equal(info.bounced, 0);
	sl_file_close(file);
	sl_ring_close(ring);
	free(base);
	free(fault);
}

void only_the_edge_of_a_long_request_is_copied(void **state)
{
	struct fault *fault = calloc(1, sizeof(*fault));
	struct sl_ring *ring = fault_ring(fault);
	struct sl_file *file;
	void *base;
	unsigned char *buf = fs_buffer(65536, 100, &base);

	(void)state;
	fs_fill(fs_path("long"), 65536);
	file = fs_open(ring, "long", O_RDWR, SL_FILE_DIRECT);
	fault->nr = 0;
	assert_int_equal(fs_read(file, buf, 65436, 100), 65436);
	assert_int_equal(fault->nr, 2);
	assert_int_equal(fault->log[0].len, 4096);
	assert_ptr_equal(fault->log[1].buf, (unsigned char *)base + 4096);
	fault->nr = 0;
	assert_int_equal(fs_write(file, buf, 65436, 100), 65436);
	assert_int_equal(fault->nr, 3);
	assert_ptr_equal(fault->log[2].buf, (unsigned char *)base + 4096);
	sl_file_close(file);
	sl_ring_close(ring);
	free(base);
	free(fault);
}

static unsigned order[16];
static unsigned order_nr;

static void note_order(struct sl_file *file, struct sl_file_req *req)
{
	(void)file;
	order[order_nr++] = (unsigned)(uintptr_t)req->user;
}

void requests_without_a_bounce_buffer_wait_in_line(void **state)
{
	struct sl_file_opts opts = { .open_flags = O_RDWR | O_CREAT | O_TRUNC,
				     .io = SL_FILE_DIRECT,
				     .bounce_count = 1 };
	struct sl_ring *ring = fs_ring();
	struct sl_file *file = NULL;
	struct sl_file_req reqs[16] = { 0 };
	struct sl_file_info info;
	char byte = 'x';

	(void)state;
	assert_int_equal(sl_file_open(ring, AT_FDCWD, fs_path("line"), &opts, &file), 0);
	assert_int_equal(fs_truncate(file, 16 * 8192), 0);
	order_nr = 0;
	for (unsigned i = 0; i < 16; i++) {
		reqs[i] = (struct sl_file_req){ .buf = &byte, .len = 1, .off = i * 8192 + 100 };
		reqs[i].done = note_order;
		reqs[i].user = (void *)(uintptr_t)i;
		assert_int_equal(sl_file_write(file, &reqs[i]), 0);
	}
	sl_file_info(file, &info);
	assert_int_equal(info.requests, 16);
	assert_int_equal(info.waiting,
			 sl_file_req_busy(&reqs[0]) && info.io == SL_FILE_DIRECT ? 15 : 0);
	while (order_nr < 16)
		assert_true(sl_ring_run(ring, 0) >= 0);
	for (unsigned i = 0; i < 16; i++) {
		assert_int_equal(reqs[i].res, 1);
		if (info.io == SL_FILE_DIRECT)
			assert_int_equal(order[i], i);
	}
	sl_file_close(file);
	sl_ring_close(ring);
}

/* ---- holes, unwritten extents, ends --------------------------------------------------- */

static void assert_zeros(const unsigned char *bytes, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		assert_int_equal(bytes[i], 0);
}

void holes_and_unwritten_blocks_read_as_zeros(void **state)
{
	struct sl_ring *ring = fs_ring();
	struct sl_file *file = fs_open(ring, "holes", O_RDWR | O_CREAT | O_TRUNC, SL_FILE_DIRECT);
	struct sl_file_req allocate = { .off = 100000, .len = 50000 };
	void *base;
	unsigned char *buf = fs_buffer(65536, 0, &base);

	(void)state;
	assert_int_equal(fs_write(file, "end", 3, 70000), 3);
	memset(buf, 0xff, 65536);
	assert_int_equal(fs_read(file, buf, 65536, 0), 65536);
	assert_zeros(buf, 65536);
	assert_int_equal(fs_read(file, buf, 65536, 65536), 4467);
	assert_zeros(buf, 4464);
	assert_memory_equal(buf + 4464, "end", 3);
	assert_int_equal(sl_file_do(file, SL_FILE_ALLOCATE, &allocate), 0);
	memset(buf, 0xff, 65536);
	assert_int_equal(fs_read(file, buf, 40001, 100001), 40001);
	assert_zeros(buf, 40001);
	sl_file_close(file);
	sl_ring_close(ring);
	free(base);
}

/* What a read leaves behind the end of the file is undefined: make it so. */
static int64_t scribble(struct fault *fault, struct sl_slot *slot, unsigned nr)
{
	int64_t res;

	(void)fault;
	(void)nr;
	if (slot->code != SL_OP_READ)
		return FAULT_PASS;
	res = fault_perform(slot);
	if (res >= 0)
		memset((char *)slot->buf + res, 0xee, slot->len - (uint64_t)res);
	return res;
}

void the_gap_behind_the_old_end_is_zeros(void **state)
{
	struct fault *fault = calloc(1, sizeof(*fault));
	struct sl_ring *ring = fault_ring(fault);
	struct sl_file *file;
	unsigned char bytes[8192];

	(void)state;
	fs_fill(fs_path("gap"), 100);
	file = fs_open(ring, "gap", O_RDWR, SL_FILE_DIRECT);
	fault->judge = scribble;
	assert_int_equal(fs_write(file, "y", 1, 3000), 1);
	assert_int_equal(fs_slurp(fs_path("gap"), bytes, sizeof(bytes)), 3001);
	assert_zeros(bytes + 100, 2900);
	assert_int_equal(fs_write(file, "z", 1, 6000), 1);
	assert_int_equal(fs_slurp(fs_path("gap"), bytes, sizeof(bytes)), 6001);
	assert_zeros(bytes + 3001, 2999);
	sl_file_close(file);
	sl_ring_close(ring);
	free(fault);
}

void reads_at_and_behind_the_end_answer_zero(void **state)
{
	struct sl_ring *ring = fs_ring();
	struct sl_file *file;
	unsigned char buf[8192];

	(void)state;
	fs_fill(fs_path("end"), 5000);
	file = fs_open(ring, "end", O_RDONLY, SL_FILE_DIRECT);
	assert_int_equal(fs_read(file, buf, 4096, 4096), 904);
	for (unsigned i = 0; i < 904; i++)
		assert_int_equal(buf[i], fs_pattern(4096 + i));
	assert_int_equal(fs_read(file, buf, 100, 5000), 0);
	assert_int_equal(fs_read(file, buf, 100, 4999), 1);
	assert_int_equal(fs_read(file, buf, 8192, 1 << 20), 0);
	assert_int_equal(fs_read(file, buf, 0, 0), 0);
	sl_file_close(file);
	sl_ring_close(ring);
}

void allocation_says_what_it_added(void **state)
{
	struct sl_ring *ring = fs_ring();
	struct sl_file *file = fs_open(ring, "blocks", O_RDWR | O_CREAT | O_TRUNC, SL_FILE_DIRECT);
	struct sl_file_req zeroed = { .len = 20000, .flags = SL_FILE_ZEROED };
	struct sl_file_req reserved = { .off = 20000, .len = 20000 };
	unsigned char bytes[40001];

	(void)state;
	assert_int_equal(fs_write(file, "data", 4, 0), 4);
	assert_int_equal(sl_file_do(file, SL_FILE_ALLOCATE, &zeroed), 0);
	assert_int_equal(zeroed.aux, SL_FILE_BLOCKS_WRITTEN);
	assert_int_equal(sl_file_do(file, SL_FILE_ALLOCATE, &zeroed), 0);
	assert_int_equal(zeroed.aux, SL_FILE_BLOCKS_NONE);
	assert_int_equal(sl_file_do(file, SL_FILE_ALLOCATE, &reserved), 0);
	assert_int_not_equal(reserved.aux, SL_FILE_BLOCKS_NONE);
	assert_int_equal(fs_slurp(fs_path("blocks"), bytes, sizeof(bytes)), 40000);
	assert_memory_equal(bytes, "data", 4);
	assert_zeros(bytes + 4, 39996);
	sl_file_close(file);
	sl_ring_close(ring);
}

/* ---- refusals -------------------------------------------------------------------------- */

static int open_rc(struct sl_ring *ring, const char *name, const struct sl_file_opts *opts)
{
	struct sl_file *file = NULL;
	int rc = sl_file_open(ring, AT_FDCWD, fs_path(name), opts, &file);

	assert_true((rc == 0) == (file != NULL));
	sl_file_close(file);
	return rc;
}

void what_cannot_be_a_file_is_refused(void **state)
{
	struct sl_ring *ring = fs_ring();
	struct sl_file_opts append = { .open_flags = O_RDWR | O_CREAT | O_APPEND,
				       .io = SL_FILE_DIRECT };
	struct sl_file_opts unknown = { .flags = 1u << 31 };
	struct sl_file_opts many = { .bounce_count = 65 };

	(void)state;
	assert_int_equal(open_rc(ring, "appended", &append), -EINVAL);
	append.io = SL_FILE_BUFFERED;
	assert_int_equal(open_rc(ring, "appended", &append), -EINVAL);
	assert_int_equal(open_rc(ring, "none", &unknown), -EINVAL);
	assert_int_equal(open_rc(ring, "none", &many), -EINVAL);
	assert_int_equal(open_rc(ring, "none", NULL), -ENOENT);
	assert_int_equal(open_rc(ring, ".", NULL), -EISDIR);
	assert_int_equal(mkfifo(fs_path("fifo"), 0600), 0);
	assert_int_equal(open_rc(ring, "fifo", NULL), -EOPNOTSUPP);
	unlink(fs_path("fifo"));
	sl_ring_close(ring);
}

void requests_the_file_cannot_do_are_refused_at_once(void **state)
{
	struct sl_ring *ring = fs_ring();
	struct sl_file *reader, *writer;
	struct sl_file_req req = { .buf = &req, .len = 1 };
	struct sl_file_req odd = { .flags = 1u << 31 };
	struct sl_file_req far = { .off = INT64_MAX, .len = 1 };

	(void)state;
	fs_fill(fs_path("closed"), 5000);
	reader = fs_open(ring, "closed", O_RDONLY, SL_FILE_DIRECT);
	writer = fs_open(ring, "closed", O_WRONLY, SL_FILE_DIRECT);
	assert_int_equal(sl_file_write(reader, &req), -EBADF);
	assert_int_equal(sl_file_sync(reader, &req), -EBADF);
	assert_int_equal(sl_file_read(writer, &req), -EBADF);
	assert_int_equal(sl_file_read(reader, &odd), -EINVAL);
	assert_int_equal(sl_file_read(reader, &far), -EINVAL);
	assert_int_equal(sl_file_do(reader, 99, &req), -EINVAL);
	assert_int_equal(sl_file_read(reader, &req), 0);
	assert_int_equal(sl_file_read(reader, &req), -EINVAL);
	sl_file_close(reader);
	assert_int_equal(req.res, 1);
	sl_file_close(writer);
	sl_ring_close(ring);
}

void a_write_only_file_still_does_its_edges(void **state)
{
	struct sl_ring *ring = fs_ring();
	struct sl_file *file;
	unsigned char bytes[6000];

	(void)state;
	fs_fill(fs_path("wronly"), 5000);
	file = fs_open(ring, "wronly", O_WRONLY, SL_FILE_DIRECT);
	assert_int_equal(fs_write(file, "edge", 4, 4500), 4);
	sl_file_close(file);
	assert_int_equal(fs_slurp(fs_path("wronly"), bytes, sizeof(bytes)), 5000);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(bytes[i],
				 i >= 4500 && i < 4504 ? "edge"[i - 4500] : fs_pattern(i));
	sl_ring_close(ring);
}

void requests_beyond_the_bound_are_refused(void **state)
{
	struct sl_file_opts opts = { .io = SL_FILE_DIRECT, .requests_max = 2 };
	struct sl_ring *ring = fs_ring();
	struct sl_file *file = NULL;
	unsigned char bytes[3];
	struct sl_file_req reqs[3] = { 0 };

	(void)state;
	fs_fill(fs_path("bound"), 5000);
	assert_int_equal(sl_file_open(ring, AT_FDCWD, fs_path("bound"), &opts, &file), 0);
	for (unsigned i = 0; i < 3; i++)
		reqs[i] = (struct sl_file_req){ .buf = &bytes[i], .len = 1, .off = i };
	assert_int_equal(sl_file_read(file, &reqs[0]), 0);
	assert_int_equal(sl_file_read(file, &reqs[1]), 0);
	assert_int_equal(sl_file_read(file, &reqs[2]), -EAGAIN);
	while (sl_file_req_busy(&reqs[1]))
		assert_true(sl_ring_run(ring, 0) >= 0);
	assert_int_equal(sl_file_read(file, &reqs[2]), 0);
	sl_file_close(file);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(bytes[i], fs_pattern(i));
	sl_ring_close(ring);
}
