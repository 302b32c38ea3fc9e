/* test_bench_sender.c: senders that send something else, or that copy otherwise than they say, are
 * found out by the receiver. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/harness.h"
#include "tools/bench/sender.h"
#include "tools/bench/turn.h"

#define FILE_BYTES (8u << 20)
#define BLOCK	   (32u << 10)

static struct datafile file;
static struct stream stream;

static int make_file(void **state)
{
	(void)state;
	return datafile_make(&file, support_tmpdir(), FILE_BYTES, 7, NULL, NULL);
}

static int shut_file(void **state)
{
	(void)state;
	datafile_shut(&file);
	return 0;
}

/* -- senders ------------------------------------------------------------------------------- */

static int by_copy(struct contender *c, struct sender *s, uint64_t off, size_t len)
{
	int err = sender_read(c, s->area, off, len);

	if (err)
		return err;
	return send(sink_fd(c->sink), s->area, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -EIO;
}

static int by_pages(struct contender *c, struct sender *s, uint64_t off, size_t len)
{
	off_t at = (off_t)off;

	(void)s;
	return sendfile(sink_fd(c->sink), c->fd, &at, len) == (ssize_t)len ? 0 : -EIO;
}

/* One byte of the last file is another one; no sector's tag tells. */
static int by_forgery(struct contender *c, struct sender *s, uint64_t off, size_t len)
{
	int err = sender_read(c, s->area, off, len);

	if (err)
		return err;
	s->area[len - 1] ^= 1;
	return send(sink_fd(c->sink), s->area, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -EIO;
}

static int run_copy(struct contender *c, uint64_t nr)
{
	return sender_run(c, nr, by_copy);
}

static int run_pages(struct contender *c, uint64_t nr)
{
	return sender_run(c, nr, by_pages);
}

static int run_forgery(struct contender *c, uint64_t nr)
{
	return sender_run(c, nr, by_forgery);
}

static int open_claiming_two(struct contender *c)
{
	return sender_open(c, &(const struct sender_opts){ .copies = 2, .buffered = true });
}

static int open_claiming_none(struct contender *c)
{
	return sender_open(c, &(const struct sender_opts){ .copies = 0, .buffered = true });
}

/* -- one turn ------------------------------------------------------------------------------ */

static struct workload work = { .name = "test",
				.kind = WORKLOAD_SEND,
				.cache = CACHE_WARM,
				.block_bytes = BLOCK,
				.sequential = true };

/* Opens, proves and runs a contender; it is shut again, what it says of itself stays. */
static struct contender proved(int (*open)(struct contender *),
			       int (*run)(struct contender *, uint64_t))
{
	const struct mechanism mech = { .name = "sender",
					.kind = WORKLOAD_SEND,
					.open = open,
					.run = run,
					.shut = sender_shut };
	struct workload_env env = { .file = &file, .stream = &stream };
	static struct latency latency;
	struct contender c = {
		.mech = &mech, .work = &work, .env = &env, .depth = 1, .fd = -1, .latency = &latency
	};
	uint64_t state = 5;
	struct meter_cell cell;

	stream_draw(&stream, &work, FILE_BYTES, &state);
	turn_open(&c);
	assert_int_equal(c.status, CONTENDER_RAN);
	turn_prove(&c);
	c.stride = 1;
	if (c.status == CONTENDER_RAN)
		assert_true(turn_run(&c, 8, &cell));
	if (c.status == CONTENDER_RAN)
		assert_true(cell.receiver_ns >= 0);
	turn_shut(&c);
	return c;
}

static void whose_pages_travel_is_seen(void **state)
{
	struct contender c = proved(open_claiming_none, run_pages);

	(void)state;
	assert_int_equal(c.status, CONTENDER_RAN);
	assert_int_equal(c.evidence, COPIES_SEEN);
	if (c.copies > 0)
		SKIP("the file system of the test directory lends no pages: %s", c.settings);
	assert_string_equal(c.settings, "");
}

static void who_copies_and_denies_it_is_corrected(void **state)
{
	struct contender c = proved(open_claiming_none, run_copy);

	(void)state;
	assert_int_equal(c.status, CONTENDER_RAN);
	assert_int_equal(c.evidence, COPIES_SEEN);
	assert_true(c.copies == 1);
	assert_non_null(strstr(c.settings, "copied"));
}

static void who_claims_copies_that_never_were_is_void(void **state)
{
	struct contender c = proved(open_claiming_none, run_pages);

	(void)state;
	if (c.copies > 0)
		SKIP("the file system of the test directory lends no pages");
	c = proved(open_claiming_two, run_pages);
	assert_int_equal(c.status, CONTENDER_VOID);
	assert_non_null(strstr(c.reason, "own pages travelled"));
}

static void who_sends_other_bytes_is_void(void **state)
{
	struct contender c = proved(open_claiming_two, run_forgery);

	(void)state;
	assert_int_equal(c.status, CONTENDER_VOID);
	assert_non_null(strstr(c.reason, "what arrived was not what the file holds"));
}

static void the_honest_copy_stays_reasoned(void **state)
{
	struct contender c = proved(open_claiming_two, run_copy);

	(void)state;
	assert_int_equal(c.status, CONTENDER_RAN);
	assert_int_equal(c.evidence, COPIES_REASONED);
	assert_true(c.copies == 2);
}

static void the_file_is_afterwards_what_it_was(void **state)
{
	unsigned char *before = malloc(FILE_BYTES), *after = malloc(FILE_BYTES);

	(void)state;
	assert_non_null(before);
	assert_non_null(after);
	assert_int_equal(pread(file.fd, before, FILE_BYTES, 0), FILE_BYTES);
	proved(open_claiming_none, run_pages);
	proved(open_claiming_two, run_copy);
	assert_int_equal(pread(file.fd, after, FILE_BYTES, 0), FILE_BYTES);
	assert_memory_equal(before, after, FILE_BYTES);
	free(before);
	free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(whose_pages_travel_is_seen),
		TEST(who_copies_and_denies_it_is_corrected),
		TEST(who_claims_copies_that_never_were_is_void),
		TEST(who_sends_other_bytes_is_void),
		TEST(the_honest_copy_stays_reasoned),
		TEST(the_file_is_afterwards_what_it_was),
	};

	return RUN_TESTS_WITH(tests, make_file, shut_file);
}
