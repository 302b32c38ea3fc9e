/* stream.c: readers and writers from front to back. */
#include "tests/file/tests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/buf.h>

#include "engine/engine.h"

#define FILE_BYTES 300001

/* Reads all in bites; how many bytes came, each checked against the pattern. */
static uint64_t drink(struct sl_file_reader *reader, uint64_t off, size_t bite, int64_t *ret_end)
{
	uint64_t at = off;

	for (;;) {
		const void *data = NULL;
		int64_t n = sl_file_reader_peek(reader, 0, &data);
		size_t take = n > 0 && (size_t)n < bite ? (size_t)n : bite;

		if (n <= 0) {
			*ret_end = n;
			return at - off;
		}
		for (size_t i = 0; i < take; i++)
			assert_int_equal(((const unsigned char *)data)[i], fs_pattern(at + i));
		assert_int_equal(sl_file_reader_consume(reader, (size_t)n + 1), -EINVAL);
		assert_int_equal(sl_file_reader_consume(reader, take), 0);
		at += take;
	}
}

static uint64_t read_stream(struct sl_file *file, const struct sl_file_reader_opts *opts,
			    size_t bite, int64_t *ret_end)
{
	struct sl_file_reader *reader = NULL;
	uint64_t got;

	assert_int_equal(sl_file_reader_open(file, opts, &reader), 0);
	got = drink(reader, opts->off, bite, ret_end);
	sl_file_reader_close(reader);
	return got;
}

void a_reader_gives_the_file_from_front_to_back(void **state)
{
	static const size_t sizes[] = { 0, 1, 4096, 65536, FILE_BYTES };
	struct sl_ring *ring = fs_ring();

	(void)state;
	for (unsigned io = SL_FILE_BUFFERED; io <= SL_FILE_DIRECT; io++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			struct sl_file_reader_opts opts = { .chunk_bytes = 4096, .depth = 3 };
			struct sl_file *file;
			int64_t end = -1;

			fs_fill(fs_path("stream"), sizes[i]);
			file = fs_open(ring, "stream", O_RDONLY, io);
			assert_int_equal(read_stream(file, &opts, 1000, &end), sizes[i]);
			assert_int_equal(end, 0);
			opts.chunk_bytes = 0;
			opts.off = 5001;
			assert_int_equal(read_stream(file, &opts, 1 << 20, &end),
					 sizes[i] > 5001 ? sizes[i] - 5001 : 0);
			assert_int_equal(end, 0);
			sl_file_close(file);
		}
	}
	sl_ring_close(ring);
}

void a_reader_stops_where_it_was_told(void **state)
{
	struct sl_ring *ring = fs_ring();
	struct sl_file_reader_opts opts = { .chunk_bytes = 4096, .off = 100, .len = 12188 };
	struct sl_file *file;
	int64_t end = -1;

	(void)state;
	fs_fill(fs_path("stream"), FILE_BYTES);
	file = fs_open(ring, "stream", O_RDONLY, SL_FILE_DIRECT);
	assert_int_equal(read_stream(file, &opts, 700, &end), 12188);
	assert_int_equal(end, 0);
	opts.len = 10;
	assert_int_equal(read_stream(file, &opts, 700, &end), 10);
	opts.len = 9999;
	assert_int_equal(read_stream(file, &opts, 700, &end), 9999);
	opts.depth = 257;
	assert_int_equal(sl_file_reader_open(file, &opts, NULL), -EINVAL);
	sl_file_close(file);
	sl_ring_close(ring);
}

static int64_t fail_behind(struct fault *fault, struct sl_slot *slot, unsigned nr)
{
	(void)fault;
	(void)nr;
	if (slot->code != SL_OP_READ && slot->code != SL_OP_WRITE)
		return FAULT_PASS;
	return slot->off + slot->len > 32768 ? -ENOLINK : FAULT_PASS;
}

void a_reader_gives_what_came_before_an_error(void **state)
{
	struct fault *fault = calloc(1, sizeof(*fault));
	struct sl_ring *ring = fault_ring(fault);
	struct sl_file_reader_opts opts = { .chunk_bytes = 8192 };
	struct sl_file *file;
	int64_t end = 0;

	(void)state;
	fs_fill(fs_path("stream"), FILE_BYTES);
	file = fs_open(ring, "stream", O_RDONLY, SL_FILE_DIRECT);
	fault->judge = fail_behind;
	assert_int_equal(read_stream(file, &opts, 1000, &end), 32768);
	assert_int_equal(end, -ENOLINK);
	fault->judge = NULL;
	sl_file_close(file);
	sl_ring_close(ring);
	free(fault);
}

/* Commits len bytes of the pattern in bites. */
static int64_t pour(struct sl_file_writer *writer, uint64_t off, uint64_t len, size_t bite)
{
	uint64_t done = 0;

	while (done < len) {
		void *space = NULL;
		int64_t room = sl_file_writer_reserve(writer, 0, &space);
		uint64_t take = bite;

		if (room < 0)
			return room;
		if (take > (uint64_t)room)
			take = (uint64_t)room;
		if (take > len - done)
			take = len - done;
		for (uint64_t i = 0; i < take; i++)
			((unsigned char *)space)[i] = fs_pattern(off + done + i);
		room = sl_file_writer_commit(writer, take);
		if (room < 0)
			return room;
		done += take;
	}
	return (int64_t)done;
}

static void assert_pattern(const char *name, uint64_t off, uint64_t len)
{
	unsigned char *bytes = malloc(off + len + 1);

	assert_non_null(bytes);
	assert_int_equal(fs_slurp(fs_path(name), bytes, off + len + 1), off + len);
	for (uint64_t i = 0; i < off + len; i++)
		assert_int_equal(bytes[i], i < off ? 'h' : fs_pattern(i));
	free(bytes);
}

static void write_stream(unsigned io, uint64_t off, uint64_t len, size_t bite, uint32_t chunk)
{
	struct sl_ring *ring = fs_ring();
	struct sl_file *file = fs_open(ring, "written", O_RDWR | O_CREAT | O_TRUNC, io);
	struct sl_file_writer_opts opts = { .off = off, .chunk_bytes = chunk, .depth = 3 };
	struct sl_file_writer *writer = NULL;
	char head[8000];

	memset(head, 'h', sizeof(head));
	assert_int_equal(fs_write(file, head, off, 0), off);
	assert_int_equal(sl_file_writer_open(file, &opts, &writer), 0);
	assert_int_equal(pour(writer, off, len, bite), len);
	assert_int_equal(sl_file_writer_finish(writer, 1), len);
	assert_int_equal(sl_file_writer_finish(writer, 0), len);
	assert_int_equal(sl_file_writer_commit(writer, 0), -EINVAL);
	sl_file_writer_close(writer);
	sl_file_close(file);
	sl_ring_close(ring);
	assert_pattern("written", off, len);
}

void a_writer_writes_what_was_committed(void **state)
{
	(void)state;
	for (unsigned io = SL_FILE_BUFFERED; io <= SL_FILE_DIRECT; io++) {
		write_stream(io, 0, FILE_BYTES, 1000, 4096);
		write_stream(io, 0, FILE_BYTES, 1 << 20, 0);
		write_stream(io, 0, 8192, 4096, 4096);
		write_stream(io, 0, 0, 1, 4096);
	}
}

void a_writer_starts_inside_a_block(void **state)
{
	(void)state;
	write_stream(SL_FILE_DIRECT, 5001, 100, 7, 4096);
	write_stream(SL_FILE_DIRECT, 5001, 70000, 999, 8192);
}

void a_writer_reports_the_first_error(void **state)
{
	struct fault *fault = calloc(1, sizeof(*fault));
	struct sl_ring *ring = fault_ring(fault);
	struct sl_file *file = fs_open(ring, "written", O_RDWR | O_CREAT | O_TRUNC, SL_FILE_DIRECT);
	struct sl_file_writer_opts opts = { .chunk_bytes = 8192 };
	struct sl_file_writer *writer = NULL;
	void *space;

	(void)state;
	fault->judge = fail_behind;
	assert_int_equal(sl_file_writer_open(file, &opts, &writer), 0);
	assert_int_equal(pour(writer, 0, FILE_BYTES, 1000), -ENOLINK);
	assert_int_equal(sl_file_writer_reserve(writer, 0, &space), -ENOLINK);
	assert_int_equal(sl_file_writer_finish(writer, 1), -ENOLINK);
	assert_int_equal(fault_count(fault, SL_OP_FDATASYNC), 0);
	sl_file_writer_close(writer);
	fault->judge = NULL;
	sl_file_close(file);
	sl_ring_close(ring);
	free(fault);
}

void streams_use_the_buffers_of_a_pool(void **state)
{
	struct sl_ring *ring = fs_ring();
	struct sl_buf_pool_opts shape = { .count = 4, .buf_bytes = 10000 };
	struct sl_buf_pool *pool = NULL;
	struct sl_buf_pool_info info;
	struct sl_file_reader_opts opts = { .depth = 4 };
	struct sl_file_reader *reader = NULL;
	struct sl_file *file;
	int64_t end = -1;

	(void)state;
	fs_fill(fs_path("stream"), FILE_BYTES);
	assert_int_equal(sl_buf_pool_create(ring, &shape, &pool), 0);
	file = fs_open(ring, "stream", O_RDONLY, SL_FILE_DIRECT);
	opts.pool = pool;
	assert_int_equal(sl_file_reader_open(file, &opts, &reader), 0);
	sl_buf_pool_info(pool, &info);
	assert_int_equal(info.free, 0);
	assert_int_equal(sl_file_reader_open(file, &opts, NULL), -ENOMEM);
	assert_int_equal(drink(reader, 0, 3333, &end), FILE_BYTES);
	sl_file_reader_close(reader);
	sl_buf_pool_info(pool, &info);
	assert_int_equal(info.free, 4);
	sl_file_close(file);
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
}
