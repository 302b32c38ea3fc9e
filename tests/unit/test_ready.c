/*
 * test_ready.c: the readiness loop against a seam of its own: no engine, one attempt function.
 *
 * What the engine offers a backend (sl_event() and the rest) is defined here, so the library's
 * engine is not linked in.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "backend/ready/ready.h"
#include "engine/backend.h"

#define DEPTH	  8
#define MS	  1000000
#define SECOND_NS 1000000000

/* The ring as this test sees it: events, a pool of one buffer, the last report. */
static struct {
	struct sl_event events[64];
	unsigned nr;
	unsigned room;
	unsigned attempts;
	bool pool_empty;
	unsigned buffers_out;
	char pool_buf[64];
	char report[512];
	int report_level;
} seam;

bool sl_event(struct sl_ring *ring, const struct sl_event *event)
{
	(void)ring;
	if (!seam.room)
		return false;
	seam.room--;
	seam.events[seam.nr++] = *event;
	return true;
}

unsigned sl_event_room(const struct sl_ring *ring)
{
	(void)ring;
	return seam.room;
}

bool sl_slot_take_buffer(struct sl_ring *ring, struct sl_slot *slot)
{
	(void)ring;
	if (seam.pool_empty)
		return false;
	seam.pool_empty = true;
	seam.buffers_out++;
	slot->buf = seam.pool_buf;
	slot->len = sizeof(seam.pool_buf);
	slot->buf_id = 7;
	return true;
}

void sl_slot_return_buffer(struct sl_ring *ring, struct sl_slot *slot)
{
	(void)ring;
	(void)slot;
	seam.pool_empty = false;
	seam.buffers_out--;
}

void sl_report(struct sl_ring *ring, int level, const char *fmt, ...)
{
	va_list args;

	(void)ring;
	seam.report_level = level;
	va_start(args, fmt);
	vsnprintf(seam.report, sizeof(seam.report), fmt, args);
	va_end(args);
}

int64_t sl_attempt(struct sl_slot *slot)
{
	ssize_t n;

	seam.attempts++;
	switch (slot->code) {
	case SL_OP_RECV:
		n = recv(slot->fd, slot->buf, slot->len, MSG_DONTWAIT);
		break;
	case SL_OP_SEND:
		n = send(slot->fd, slot->buf, slot->len, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	default:
		/* As a read of a file whose pages are not cached. */
		return -EAGAIN;
	}
	return n < 0 ? -errno : n;
}

short sl_attempt_events(const struct sl_slot *slot)
{
	return slot->code == SL_OP_SEND ? POLLOUT : POLLIN;
}

int sl_attempt_fd(const struct sl_slot *slot)
{
	return slot->fd;
}

/* ---- a loop that is open ---------------------------------------------------------------- */

struct bench {
	const struct sl_backend *backend;
	void *state;
	struct sl_backend_caps caps;
	int fds[2];
	struct sl_slot slots[DEPTH + 1];
	char bytes[DEPTH + 1][64];
};

static const struct sl_backend *const backends[] = {
	&sl_backend_epoll,
	&sl_backend_poll,
	&sl_backend_select,
};

static unsigned allocations;

static void *count_alloc(void *ctx, size_t bytes, size_t align)
{
	(void)ctx;
	allocations++;
	return aligned_alloc(align, bytes);
}

static void count_free(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	allocations--;
	free(ptr);
}

static const struct sl_allocator counting = { .alloc = count_alloc, .free = count_free };

static void bench_open(struct bench *b, const struct sl_backend *backend, uint64_t wait_ns)
{
	const struct sl_backend_open args = {
		.options = "",
		.depth = DEPTH,
		.wait_ns = wait_ns,
		.allocator = &counting,
	};
	char why[256] = "";

	memset(b, 0, sizeof(*b));
	memset(&seam, 0, sizeof(seam));
	seam.room = sizeof(seam.events) / sizeof(seam.events[0]);
	b->backend = backend;
	assert_int_equal(backend->open(&args, &b->state, &b->caps, why), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b->fds), 0);
}

static void bench_close(struct bench *b)
{
	b->backend->close(b->state, false);
	close(b->fds[0]);
	close(b->fds[1]);
	assert_int_equal(allocations, 0);
}

typedef void bench_fn(struct bench *b);

static void on_each_waiting(bench_fn *check, uint64_t wait_ns)
{
	for (unsigned i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		struct bench b;

		printf("# on %s\n", backends[i]->name);
		bench_open(&b, backends[i], wait_ns);
		check(&b);
		bench_close(&b);
	}
}

static void on_each(bench_fn *check)
{
	on_each_waiting(check, 0);
}

static int start(struct bench *b, unsigned i, enum sl_op_code code, int fd, uint16_t flags)
{
	struct sl_slot *slot = &b->slots[i];

	memset(slot, 0, sizeof(*slot));
	slot->id = 100 + i;
	slot->code = (uint8_t)code;
	slot->flags = flags;
	slot->fd = fd;
	slot->buf = b->bytes[i];
	slot->len = code == SL_OP_SEND ? 1 : sizeof(b->bytes[i]);
	return b->backend->start(b->state, slot);
}

static void start_poll(struct bench *b, unsigned i, int fd, short events)
{
	struct sl_slot *slot = &b->slots[i];

	memset(slot, 0, sizeof(*slot));
	slot->id = 100 + i;
	slot->code = SL_OP_POLL;
	slot->fd = fd;
	slot->len = (unsigned short)events;
	assert_int_equal(b->backend->start(b->state, slot), 0);
}

static int64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* Waits until nr events more are there, or a second has passed. */
static void wait_events(struct bench *b, unsigned nr)
{
	int64_t deadline_ns = clock_ns() + SECOND_NS;
	unsigned until = seam.nr + nr;

	while (seam.nr < until && clock_ns() < deadline_ns)
		assert_int_equal(b->backend->wait(b->state, until - seam.nr, deadline_ns), 0);
	assert_int_equal(seam.nr, until);
}

static void reap(struct bench *b)
{
	assert_int_equal(b->backend->wait(b->state, 0, INT64_MAX), 0);
}

static void put_bytes(int fd, const char *bytes)
{
	assert_int_equal(write(fd, bytes, strlen(bytes)), (int)strlen(bytes));
}

#define assert_event(idx, slot_nr, result)                              \
	do {                                                            \
		assert_int_equal(seam.events[idx].id, 100 + (slot_nr)); \
		assert_int_equal(seam.events[idx].res, result);         \
	} while (0)

/* ---- transfers ------------------------------------------------------------------------------ */

static void check_attempt_first(struct bench *b)
{
	put_bytes(b->fds[1], "abc");
	assert_int_equal(start(b, 0, SL_OP_RECV, b->fds[0], 0), 0);
	/* Nothing happens inside start(). */
	assert_int_equal(seam.attempts, 0);
	assert_int_equal(seam.nr, 0);
	assert_int_equal(b->backend->flush(b->state), 0);
	assert_int_equal(seam.nr, 1);
	assert_event(0, 0, 3);
	assert_memory_equal(b->bytes[0], "abc", 3);
}

static void a_transfer_is_tried_first_and_never_inside_start(void **state)
{
	(void)state;
	on_each(check_attempt_first);
}

static void check_fifo(struct bench *b)
{
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(start(b, i, SL_OP_RECV, b->fds[0], 0), 0);
	for (unsigned i = 0; i < 3; i++)
		b->slots[i].len = 1;
	reap(b);
	assert_int_equal(seam.nr, 0);
	assert_int_equal(seam.attempts, 1);
	put_bytes(b->fds[1], "ab");
	/* A newcomer may not overtake those that wait. */
	assert_int_equal(start(b, 3, SL_OP_RECV, b->fds[0], 0), 0);
	wait_events(b, 2);
	assert_event(0, 0, 1);
	assert_event(1, 1, 1);
	put_bytes(b->fds[1], "cde");
	wait_events(b, 2);
	assert_event(2, 2, 1);
	assert_event(3, 3, 2);
	assert_memory_equal(b->bytes[3], "de", 2);
}

static void transfers_on_one_side_of_a_descriptor_are_served_in_order(void **state)
{
	(void)state;
	on_each(check_fifo);
}

static void check_both_sides(struct bench *b)
{
	char full[4096] = "";

	while (send(b->fds[0], full, sizeof(full), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(start(b, 0, SL_OP_RECV, b->fds[0], 0), 0);
	assert_int_equal(start(b, 1, SL_OP_SEND, b->fds[0], 0), 0);
	start_poll(b, 2, b->fds[0], POLLIN);
	reap(b);
	assert_int_equal(seam.nr, 0);
	put_bytes(b->fds[1], "x");
	wait_events(b, 2);
	assert_event(0, 0, 1);
	assert_event(1, 2, POLLIN);
	while (recv(b->fds[1], full, sizeof(full), MSG_DONTWAIT) > 0)
		;
	wait_events(b, 1);
	assert_event(2, 1, 1);
}

static void both_sides_and_a_poll_share_a_descriptor(void **state)
{
	(void)state;
	on_each(check_both_sides);
}

static void check_reuse(struct bench *b)
{
	int fds[2];

	assert_int_equal(start(b, 0, SL_OP_RECV, b->fds[0], 0), 0);
	reap(b);
	put_bytes(b->fds[1], "x");
	wait_events(b, 1);
	/* Nobody waits: its owner may close it, and the number come back. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(dup2(fds[0], b->fds[0]), b->fds[0]);
	close(fds[0]);
	assert_int_equal(start(b, 1, SL_OP_RECV, b->fds[0], 0), 0);
	reap(b);
	put_bytes(fds[1], "yz");
	wait_events(b, 1);
	assert_event(1, 1, 2);
	close(fds[1]);
}

static void a_reused_number_reaches_the_new_file(void **state)
{
	(void)state;
	on_each(check_reuse);
}

static void check_zero_copy(struct bench *b)
{
	assert_int_equal(start(b, 0, SL_OP_SEND, b->fds[0], SL_OP_ZC), 0);
	seam.room = 1;
	reap(b);
	assert_int_equal(seam.nr, 1);
	seam.room = 10;
	reap(b);
	assert_int_equal(seam.nr, 2);
	assert_event(0, 0, 1);
	assert_int_equal(seam.events[0].flags, SL_EVENT_SENT | SL_EVENT_MORE);
	assert_event(1, 0, 1);
	assert_int_equal(seam.events[1].flags, SL_EVENT_COPIED);

	shutdown(b->fds[0], SHUT_WR);
	assert_int_equal(start(b, 1, SL_OP_SEND, b->fds[0], SL_OP_ZC), 0);
	reap(b);
	assert_int_equal(seam.nr, 3);
	assert_event(2, 1, -EPIPE);
	assert_int_equal(seam.events[2].flags, 0);
}

static void a_zero_copy_send_ends_twice_and_its_error_once(void **state)
{
	(void)state;
	on_each(check_zero_copy);
}

static void check_pooled(struct bench *b)
{
	assert_int_equal(start(b, 0, SL_OP_RECV, b->fds[0], SL_OP_POOLED), 0);
	reap(b);
	/* Waiting holds no buffer. */
	assert_int_equal(seam.buffers_out, 0);
	put_bytes(b->fds[1], "abc");
	wait_events(b, 1);
	assert_event(0, 0, 3);
	assert_int_equal(seam.events[0].flags, SL_EVENT_BUFFER);
	assert_int_equal(seam.events[0].buf_id, 7);
	assert_memory_equal(seam.pool_buf, "abc", 3);

	/* Without a buffer: starved only when there is something to receive. */
	assert_int_equal(start(b, 1, SL_OP_RECV, b->fds[0], SL_OP_POOLED), 0);
	reap(b);
	assert_int_equal(seam.nr, 1);
	put_bytes(b->fds[1], "d");
	wait_events(b, 1);
	assert_event(1, 1, -ENOBUFS);
	assert_int_equal(seam.events[1].flags, 0);

	/* The end of the stream takes none. */
	seam.pool_empty = false;
	seam.buffers_out = 0;
	assert_int_equal(recv(b->fds[0], b->bytes[2], 8, MSG_DONTWAIT), 1);
	shutdown(b->fds[1], SHUT_WR);
	assert_int_equal(start(b, 2, SL_OP_RECV, b->fds[0], SL_OP_POOLED), 0);
	reap(b);
	assert_event(2, 2, 0);
	assert_int_equal(seam.events[2].flags, 0);
	assert_int_equal(seam.buffers_out, 0);
}

static void a_pooled_receive_takes_a_buffer_only_with_data(void **state)
{
	(void)state;
	on_each(check_pooled);
}

/* ---- ends ---------------------------------------------------------------------------------------
 */

static void check_cancel(struct bench *b)
{
	assert_int_equal(start(b, 0, SL_OP_RECV, b->fds[0], 0), 0);
	assert_int_equal(start(b, 1, SL_OP_RECV, b->fds[0], 0), 0);
	reap(b);
	assert_int_equal(start(b, 2, SL_OP_RECV, b->fds[0], 0), 0);
	b->backend->cancel(b->state, &b->slots[0]); /* waiting */
	b->backend->cancel(b->state, &b->slots[2]); /* fresh */
	b->backend->cancel(b->state, &b->slots[2]); /* ended already */
	assert_int_equal(seam.nr, 0);
	wait_events(b, 2);
	assert_event(0, 0, -ECANCELED);
	assert_event(1, 2, -ECANCELED);
	put_bytes(b->fds[1], "x");
	wait_events(b, 1);
	assert_event(2, 1, 1);
	/* What came first counts. */
	assert_int_equal(start(b, 3, SL_OP_SEND, b->fds[0], 0), 0);
	seam.room = 0;
	reap(b);
	b->backend->cancel(b->state, &b->slots[3]);
	seam.room = 4;
	reap(b);
	assert_event(3, 3, 1);
}

static void a_cancelled_slot_ends_once_and_the_others_go_on(void **state)
{
	(void)state;
	on_each(check_cancel);
}

static void check_full_queue(struct bench *b)
{
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(start(b, i, SL_OP_SEND, b->fds[0], 0), 0);
	seam.room = 1;
	assert_int_equal(b->backend->wait(b->state, 4, INT64_MAX), 0);
	assert_int_equal(seam.nr, 1);
	seam.room = 8;
	reap(b);
	assert_int_equal(seam.nr, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_event(i, i, 1);
}

static void a_full_event_queue_keeps_results_in_order_and_does_not_sleep(void **state)
{
	(void)state;
	on_each(check_full_queue);
}

static void check_depth(struct bench *b)
{
	for (unsigned i = 0; i < DEPTH; i++)
		assert_int_equal(start(b, i, SL_OP_RECV, b->fds[0], 0), 0);
	assert_int_equal(start(b, DEPTH, SL_OP_RECV, b->fds[0], 0), -EAGAIN);
	for (unsigned i = 0; i < DEPTH; i++)
		b->backend->cancel(b->state, &b->slots[i]);
	wait_events(b, DEPTH);
	assert_int_equal(start(b, DEPTH, SL_OP_SEND, b->fds[0], 0), 0);
	wait_events(b, 1);
}

static void more_than_depth_is_refused_for_now(void **state)
{
	(void)state;
	on_each(check_depth);
}

static void check_bad_descriptors(struct bench *b)
{
	int closed = dup(b->fds[0]);

	close(closed);
	start_poll(b, 0, -1, POLLIN);
	start_poll(b, 1, closed, POLLIN);
	assert_int_equal(start(b, 2, SL_OP_RECV, closed, 0), 0);
	wait_events(b, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(seam.events[i].res, -EBADF);
}

static void a_descriptor_that_is_not_open_is_ebadf(void **state)
{
	(void)state;
	on_each(check_bad_descriptors);
}

static void check_file(struct bench *b)
{
	int fd = open(support_path(support_tmpdir(), "file"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(start(b, 0, SL_OP_READ, fd, 0), 0);
	wait_events(b, 1);
	assert_event(0, 0, -EPERM);
	close(fd);
}

static void a_file_that_must_wait_for_its_disk_is_left_to_a_worker(void **state)
{
	(void)state;
	on_each(check_file);
}

static void select_refuses_a_descriptor_beyond_its_limit_and_says_so(void **state)
{
	struct rlimit limit;
	struct bench b;
	int high;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur <= FD_SETSIZE) {
		limit.rlim_cur = FD_SETSIZE + 64;
		if (limit.rlim_cur > limit.rlim_max || setrlimit(RLIMIT_NOFILE, &limit) < 0)
			SKIP("RLIMIT_NOFILE is below %d", FD_SETSIZE + 1);
	}
	bench_open(&b, &sl_backend_select, 0);
	high = fcntl(b.fds[0], F_DUPFD_CLOEXEC, FD_SETSIZE);
	assert_true(high >= FD_SETSIZE);
	assert_int_equal(start(&b, 0, SL_OP_RECV, high + 1, 0), -EBADF);
	assert_int_equal(start(&b, 0, SL_OP_RECV, high, 0), -EINVAL);
	assert_int_equal(seam.report_level, SL_LOG_ERROR);
	assert_non_null(strstr(seam.report, "select cannot watch descriptor 1024"));
	assert_non_null(strstr(seam.report, "1024 (FD_SETSIZE)"));
	assert_non_null(strstr(seam.report, "epoll"));
	assert_int_equal(start(&b, 0, SL_OP_SEND, b.fds[0], 0), 0);
	wait_events(&b, 1);
	close(high);
	bench_close(&b);
}

/* ---- waiting ------------------------------------------------------------------------ */

static void check_deadline(struct bench *b)
{
	int64_t deadline_ns = clock_ns() + 5 * MS;

	assert_int_equal(start(b, 0, SL_OP_RECV, b->fds[0], 0), 0);
	assert_int_equal(b->backend->wait(b->state, 1, deadline_ns), 0);
	assert_true(clock_ns() >= deadline_ns);
	assert_int_equal(seam.nr, 0);
	b->backend->cancel(b->state, &b->slots[0]);
	wait_events(b, 1);
}

static void a_wait_ends_at_its_deadline(void **state)
{
	(void)state;
	on_each(check_deadline);
}

static void *wake_later(void *arg)
{
	struct bench *b = arg;
	struct timespec delay = { .tv_nsec = 5 * MS };

	nanosleep(&delay, NULL);
	b->backend->wake(b->state);
	return NULL;
}

static void check_wake(struct bench *b)
{
	pthread_t thread;
	int64_t begin_ns;

	assert_int_equal(start(b, 0, SL_OP_RECV, b->fds[0], 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, wake_later, b), 0);
	assert_int_equal(b->backend->wait(b->state, 1, INT64_MAX), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(seam.nr, 0);

	/* A wake that finds nobody asleep counts for the next wait, and for that one alone. */
	b->backend->wake(b->state);
	assert_int_equal(b->backend->wait(b->state, 1, INT64_MAX), 0);
	begin_ns = clock_ns();
	assert_int_equal(b->backend->wait(b->state, 1, begin_ns + 5 * MS), 0);
	assert_true(clock_ns() - begin_ns >= 5 * MS);
	b->backend->cancel(b->state, &b->slots[0]);
	wait_events(b, 1);
}

static void a_wake_ends_one_wait(void **state)
{
	(void)state;
	on_each(check_wake);
}

static void check_batch(struct bench *b)
{
	int64_t begin_ns = clock_ns();

	assert_int_equal(start(b, 0, SL_OP_SEND, b->fds[0], 0), 0);
	assert_int_equal(start(b, 1, SL_OP_RECV, b->fds[0], 0), 0);
	/* One of the two comes at once; the other is waited for, but not for ever. */
	assert_int_equal(b->backend->wait(b->state, 2, INT64_MAX), 0);
	assert_int_equal(seam.nr, 1);
	assert_true(clock_ns() - begin_ns >= 20 * MS);
	b->backend->cancel(b->state, &b->slots[1]);
	wait_events(b, 1);
}

static void a_batch_is_gathered_no_longer_than_asked(void **state)
{
	(void)state;
	on_each_waiting(check_batch, 20 * MS);
}

static void waiting_slots_are_looked_at_while_attempts_keep_succeeding(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, &sl_backend_epoll, 0);
	start_poll(&b, 0, b.fds[1], POLLIN);
	reap(&b);
	for (unsigned turn = 0; turn < 20; turn++) {
		assert_int_equal(start(&b, 1, SL_OP_SEND, b.fds[0], 0), 0);
		assert_int_equal(b.backend->wait(b.state, 1, INT64_MAX), 0);
	}
	assert_int_equal(seam.nr, 21);
	bench_close(&b);
}

static void check_open_failures(struct bench *b)
{
	const struct sl_backend_open bad = {
		.options = "fast",
		.depth = DEPTH,
		.allocator = &counting,
	};
	struct sl_backend_caps caps;
	struct rlimit old;
	struct rlimit none;
	struct sl_backend_open args = bad;
	char why[256] = "";
	unsigned before = allocations;
	void *state;
	int err;

	assert_int_equal(b->backend->open(&bad, &state, &caps, why), -EINVAL);
	assert_non_null(strstr(why, "fast"));
	args.options = "";
	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	why[0] = 0;
	err = b->backend->open(&args, &state, &caps, why);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_int_equal(err, -EMFILE);
	assert_non_null(strstr(why, b->backend->name));
	assert_int_equal(allocations, before);
}

static void an_open_that_fails_leaves_nothing_behind(void **state)
{
	(void)state;
	on_each(check_open_failures);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_transfer_is_tried_first_and_never_inside_start),
		TEST(transfers_on_one_side_of_a_descriptor_are_served_in_order),
		TEST(both_sides_and_a_poll_share_a_descriptor),
		TEST(a_reused_number_reaches_the_new_file),
		TEST(a_zero_copy_send_ends_twice_and_its_error_once),
		TEST(a_pooled_receive_takes_a_buffer_only_with_data),
		TEST(a_cancelled_slot_ends_once_and_the_others_go_on),
		TEST(a_full_event_queue_keeps_results_in_order_and_does_not_sleep),
		TEST(more_than_depth_is_refused_for_now),
		TEST(a_descriptor_that_is_not_open_is_ebadf),
		TEST(a_file_that_must_wait_for_its_disk_is_left_to_a_worker),
		TEST(select_refuses_a_descriptor_beyond_its_limit_and_says_so),
		TEST(a_wait_ends_at_its_deadline),
		TEST(a_wake_ends_one_wait),
		TEST(a_batch_is_gathered_no_longer_than_asked),
		TEST(waiting_slots_are_looked_at_while_attempts_keep_succeeding),
		TEST(an_open_that_fails_leaves_nothing_behind),
	};

	return RUN_TESTS(tests);
}
