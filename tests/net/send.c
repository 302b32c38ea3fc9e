/* send.c: senders: memory and files in order, stalled peers, truncation, every way to end. */
#include "tests/net/tests.h"

#include <stdio.h>
#include <unistd.h>

#define PIECES_MAX 64

struct mouth {
	struct sl_sock_sender sender;
	struct sl_sock_piece piece[PIECES_MAX];
	unsigned nr;
	unsigned ended[PIECES_MAX]; /* in the order of the ends: which */
	unsigned ends;
	unsigned drains;
};

static struct sl_sock_pump *make_pump(const struct sl_sock_pump_opts *opts)
{
	struct sl_sock_pump *pump;

	assert_int_equal(sl_sock_pump_create(net_ring(), opts, &pump), 0);
	return pump;
}

static struct sl_sock_pump_stats stats_of(const struct sl_sock_pump *pump)
{
	struct sl_sock_pump_stats stats = { 0 };

	sl_sock_pump_stats(pump, &stats);
	return stats;
}

static void on_drained(struct sl_sock_sender *sender)
{
	sl_op_of(sender, struct mouth, sender)->drains++;
}

static void on_piece(struct sl_sock_sender *sender, struct sl_sock_piece *piece)
{
	struct mouth *mouth = sl_op_of(sender, struct mouth, sender);

	mouth->ended[mouth->ends++] = (unsigned)(piece - mouth->piece);
}

static struct mouth *make_mouth(int fd, struct sl_sock_pump *pump)
{
	struct mouth *mouth = calloc(1, sizeof(*mouth));

	assert_non_null(mouth);
	mouth->sender.fd = fd;
	mouth->sender.pump = pump;
	mouth->sender.drained = on_drained;
	sl_sock_sender_init(&mouth->sender);
	return mouth;
}

static struct sl_sock_piece *add(struct mouth *mouth, const void *data, size_t len, unsigned flags)
{
	struct sl_sock_piece *piece = &mouth->piece[mouth->nr++];

	piece->flags = flags;
	piece->data = data;
	piece->len = len;
	piece->done = on_piece;
	assert_int_equal(sl_sock_send(&mouth->sender, piece), 0);
	return piece;
}

static struct sl_sock_piece *add_file(struct mouth *mouth, int fd, uint64_t off, uint64_t len)
{
	struct sl_sock_piece *piece = &mouth->piece[mouth->nr++];

	piece->flags = SL_SOCK_PIECE_FILE;
	piece->file_fd = fd;
	piece->off = off;
	piece->len = len;
	piece->done = on_piece;
	assert_int_equal(sl_sock_send(&mouth->sender, piece), 0);
	return piece;
}

static void flush(struct mouth *mouth)
{
	assert_int_equal(sl_sock_flush(&mouth->sender), 0);
}

static void finish(struct mouth *mouth)
{
	UNTIL(!sl_sock_sender_busy(&mouth->sender));
	assert_int_equal(mouth->ends, mouth->nr);
	free(mouth);
}

/* Receives len bytes of the pattern from off on. */
static void take_pattern(int fd, size_t len, uint64_t off)
{
	static unsigned char data[65536];

	while (len) {
		size_t part = len < sizeof(data) ? len : sizeof(data);
		int64_t res = net_take(fd, data, part);

		if (res != (int64_t)part)
			fail_msg("took %lld of %zu bytes", (long long)res, part);
		net_expect(data, part, off);
		off += part;
		len -= part;
	}
}

void pieces_leave_in_their_order(void **state)
{
	static unsigned char data[40 * 100];
	struct sl_sock_pump *pump = make_pump(NULL);
	struct mouth *mouth;
	int fd[2];

	(void)state;
	net_join(fd);
	mouth = make_mouth(fd[0], pump);
	net_fill(data, sizeof(data), 0);
	for (unsigned i = 0; i < 40; i++)
		add(mouth, data + i * 100, 100, 0);
	assert_int_equal(mouth->sender.queued_bytes, sizeof(data));
	net_quiesce();
	assert_int_equal(mouth->ends, 0); /* nothing before the flush */
	flush(mouth);
	flush(mouth);
	take_pattern(fd[1], sizeof(data), 0);
	UNTIL(mouth->ends == 40);
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(mouth->ended[i], i);
		assert_int_equal(mouth->piece[i].res, 0);
		assert_int_equal(mouth->piece[i].done_len, 100);
	}
	UNTIL(mouth->drains == 1);
	assert_int_equal(mouth->sender.queued_bytes, 0);
	assert_int_equal(mouth->sender.sent_bytes, sizeof(data));
	finish(mouth);
	sl_sock_pump_destroy(pump);
}

/* Sixteen answers to pipelined requests: one send. */
void neighbours_leave_by_one_call(void **state)
{
	static unsigned char data[SL_SOCK_GATHER * 10];
	struct sl_sock_pump *pump = make_pump(NULL);
	struct sl_ring_stats before, after;
	struct mouth *mouth;
	int fd[2];

	(void)state;
	net_join(fd);
	mouth = make_mouth(fd[0], pump);
	net_fill(data, sizeof(data), 0);
	for (unsigned i = 0; i < SL_SOCK_GATHER; i++)
		add(mouth, data + i * 10, 10, 0);
	sl_ring_stats(net_ring(), -1, &before);
	flush(mouth);
	UNTIL(mouth->ends == SL_SOCK_GATHER);
	sl_ring_stats(net_ring(), -1, &after);
	assert_int_equal(after.submitted - before.submitted, 1);
	take_pattern(fd[1], sizeof(data), 0);
	finish(mouth);
	sl_sock_pump_destroy(pump);
}

static void on_last(struct sl_sock_sender *sender, struct sl_sock_piece *piece)
{
	struct mouth *mouth = sl_op_of(sender, struct mouth, sender);
	unsigned *ended = piece->user;

	(*ended)++;
	assert_int_equal(sl_sock_sender_busy(sender), 0);
	memset(mouth, 0xee, sizeof(*mouth));
	free(mouth);
}

void a_sender_may_be_freed_in_its_last_callback(void **state)
{
	struct sl_sock_pump *pump = make_pump(NULL);
	struct mouth *mouth;
	unsigned ended = 0;
	int fd[2];

	(void)state;
	net_join(fd);
	mouth = make_mouth(fd[0], pump);
	mouth->sender.drained = NULL;
	add(mouth, "first", 5, 0);
	add(mouth, "last", 4, 0)->done = on_last;
	mouth->piece[1].user = &ended;
	flush(mouth);
	UNTIL(ended == 1);
	sl_sock_pump_destroy(pump);
}

static void send_again(struct sl_sock_sender *sender, struct sl_sock_piece *piece)
{
	struct mouth *mouth = sl_op_of(sender, struct mouth, sender);

	if (++mouth->ends >= 10)
		return;
	assert_int_equal(sl_sock_send(sender, piece), 0);
	assert_int_equal(sl_sock_flush(sender), 0);
}

void a_piece_may_be_sent_anew_from_its_callback(void **state)
{
	struct sl_sock_pump *pump = make_pump(NULL);
	struct mouth *mouth;
	char data[30];
	int fd[2];

	(void)state;
	net_join(fd);
	mouth = make_mouth(fd[0], pump);
	add(mouth, "abc", 3, 0)->done = send_again;
	flush(mouth);
	UNTIL(mouth->ends == 10);
	assert_int_equal(net_take(fd[1], data, 30), 30);
	assert_memory_equal(data + 27, "abc", 3);
	UNTIL(!sl_sock_sender_busy(&mouth->sender));
	free(mouth);
	sl_sock_pump_destroy(pump);
}

void empty_pieces_end_in_their_turn(void **state)
{
	struct sl_sock_pump *pump = make_pump(NULL);
	struct mouth *mouth;
	int fd[2];

	(void)state;
	net_join(fd);
	mouth = make_mouth(fd[0], pump);
	add(mouth, NULL, 0, 0);
	flush(mouth);
	assert_int_equal(mouth->ends, 0);
	UNTIL(mouth->ends == 1);
	add(mouth, "a", 1, 0);
	add(mouth, "", 0, 0);
	add(mouth, NULL, 0, 0);
	flush(mouth);
	UNTIL(mouth->ends == 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(mouth->ended[i], i);
	finish(mouth);
	sl_sock_pump_destroy(pump);
}

void pieces_that_cannot_be_are_refused(void **state)
{
	struct sl_sock_pump *pump = make_pump(NULL);
	struct sl_sock_piece piece = { .flags = 1u << 31 };
	struct mouth *mouth;
	int fd[2];

	(void)state;
	net_join(fd);
	mouth = make_mouth(fd[0], pump);
	assert_int_equal(sl_sock_send(&mouth->sender, &piece), -EINVAL);
	piece.flags = 0;
	piece.len = 1;
	assert_int_equal(sl_sock_send(&mouth->sender, &piece), -EINVAL);
	piece.flags = SL_SOCK_PIECE_FILE;
	piece.off = UINT64_MAX;
	assert_int_equal(sl_sock_send(&mouth->sender, &piece), -EINVAL);
	piece.off = INT64_MAX;
	piece.len = 1;
	assert_int_equal(sl_sock_send(&mouth->sender, &piece), -EINVAL);
	finish(mouth);
	sl_sock_pump_destroy(pump);
}

/* ---- files -------------------------------------------------------------------------- */

void a_file_between_memory_arrives_whole(void **state)
{
	const size_t len = 3000001;
	struct sl_sock_pump *pump = make_pump(NULL);
	struct mouth *mouth;
	char head[6] = "";
	int fd[2], file;

	(void)state;
	net_join(fd);
	file = net_file("whole", len);
	mouth = make_mouth(fd[0], pump);
	add(mouth, "head:", 5, 0);
	add_file(mouth, file, 0, len);
	add(mouth, ":tail", 5, 0);
	add_file(mouth, file, 12345, 54321);
	flush(mouth);
	assert_int_equal(net_take(fd[1], head, 5), 5);
	assert_string_equal(head, "head:");
	take_pattern(fd[1], len, 0);
	assert_int_equal(net_take(fd[1], head, 5), 5);
	assert_string_equal(head, ":tail");
	take_pattern(fd[1], 54321, 12345);
	UNTIL(mouth->drains == 1);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(mouth->piece[mouth->ended[i]].res, 0);
	assert_int_equal(stats_of(pump).hot_bytes + stats_of(pump).cold_bytes, len + 54321);
	finish(mouth);
	sl_sock_pump_destroy(pump);
}

static void make_cold(int file)
{
	if (net_on_sim())
		return; /* there the seed says */
	fsync(file);
	posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
}

/* Past the page cache, with offsets that no device has. */
void a_cold_file_arrives_whole_by_either_way(void **state)
{
	const size_t len = 2500003;
	const struct sl_sock_pump_opts opts = { .read_bytes = 65536, .read_count = 4 };
	struct sl_sock_pump *pump = make_pump(&opts);
	struct sl_sock_pump_stats stats;
	struct mouth *mouth;
	int fd[2], file, direct;

	(void)state;
	net_join(fd);
	file = net_file("cold", len);
	mouth = make_mouth(fd[0], pump);
	make_cold(file);
	add_file(mouth, file, 777, len - 777);
	flush(mouth);
	take_pattern(fd[1], len - 777, 777);
	UNTIL(mouth->drains == 1);
	stats = stats_of(pump);
	assert_int_equal(stats.hot_bytes + stats.cold_bytes, len - 777);
	assert_int_equal(stats.direct_bytes, 0);
	direct = net_open("cold", O_RDONLY | O_DIRECT);
	if (direct < 0)
		SKIP("no O_DIRECT in the test directory: %s", sl_err_text(direct));
	make_cold(file);
	add_file(mouth, file, 4099, len - 4099)->direct_fd = direct;
	flush(mouth);
	take_pattern(fd[1], len - 4099, 4099);
	UNTIL(mouth->drains == 2);
	assert_int_equal(mouth->piece[1].res, 0);
	stats = stats_of(pump);
	assert_int_equal(stats.hot_bytes + stats.cold_bytes, 2 * len - 777 - 4099);
	finish(mouth);
	sl_sock_pump_destroy(pump);
}

/* Receives what is there, of the pattern; 0. */
static unsigned take_some(int fd, uint64_t *total)
{
	static unsigned char data[65536];
	struct sl_op op = { 0 };
	int64_t res;

	while ((res = net_do(sl_op_recv(&op, fd, data, sizeof(data), MSG_DONTWAIT))) > 0) {
		net_expect(data, (size_t)res, *total);
		*total += (uint64_t)res;
	}
	return 0;
}

void a_file_cut_short_is_an_error_and_no_wrong_byte(void **state)
{
	const size_t len = net_on_sim() ? 1000000 : 24000000;
	struct sl_sock_pump *pump = make_pump(NULL);
	struct mouth *mouth;
	uint64_t total = 100000;
	int fd[2], file;

	(void)state;
	net_join(fd);
	file = net_file("cut", len);
	mouth = make_mouth(fd[0], pump);
	add_file(mouth, file, 0, len);
	add(mouth, "never", 5, 0);
	flush(mouth);
	take_pattern(fd[1], 100000, 0);
	net_truncate(file, 0);
	UNTIL(take_some(fd[1], &total) + mouth->ends == 2);
	if (mouth->piece[0].res == 0)
		SKIP("all of the file was in the socket before it was cut");
	assert_int_equal(mouth->piece[0].res, -ENODATA);
	assert_int_equal(mouth->piece[1].res, -ENODATA);
	assert_int_equal(mouth->piece[1].done_len, 0);
	net_close(fd[0]); /* what was held back to fill a packet goes with the end */
	net_quiesce();
	take_some(fd[1], &total);
	assert_int_equal(mouth->piece[0].done_len, total);
	assert_true(total < len);
	assert_int_equal(mouth->sender.err, -ENODATA);
	assert_int_equal(sl_sock_send(&mouth->sender, &mouth->piece[0]), -ENODATA);
	finish(mouth);
	sl_sock_pump_destroy(pump);
}

void a_file_that_ends_early_is_an_error(void **state)
{
	struct sl_sock_pump *pump = make_pump(NULL);
	struct mouth *mouth;
	int fd[2], file;

	(void)state;
	net_join(fd);
	file = net_file("early", 1000);
	mouth = make_mouth(fd[0], pump);
	add_file(mouth, file, 0, 1001);
	flush(mouth);
	take_pattern(fd[1], 1000, 0);
	UNTIL(mouth->ends == 1);
	assert_int_equal(mouth->piece[0].res, -ENODATA);
	assert_int_equal(mouth->piece[0].done_len, 1000);
	finish(mouth);
	sl_sock_pump_destroy(pump);
}

void a_descriptor_that_is_no_file_fails_its_piece(void **state)
{
	struct sl_sock_pump *pump = make_pump(NULL);
	struct mouth *mouth;
	int fd[2];

	(void)state;
	net_join(fd);
	mouth = make_mouth(fd[0], pump);
	add_file(mouth, fd[1], 0, 10);
	flush(mouth);
	UNTIL(mouth->ends == 1);
	assert_true(mouth->piece[0].res < 0);
	finish(mouth);
	sl_sock_pump_destroy(pump);
}

/* ---- peers that do not take it ------------------------------------------------------ */

void a_stalled_peer_holds_no_buffer_and_nobody_else(void **state)
{
	enum {
		STALLED = 6
	};
	const size_t len = 8000000;
	const struct sl_sock_pump_opts opts = { .read_bytes = 65536, .read_count = 2 };
	struct sl_sock_pump *pump = make_pump(&opts);
	struct mouth *stalled[STALLED], *mouth;
	int fds[STALLED][2], fd[2], file;

	(void)state;
	file = net_file("stall", len);
	for (unsigned i = 0; i < STALLED; i++) {
		net_join(fds[i]);
		stalled[i] = make_mouth(fds[i][0], pump);
		make_cold(file);
		add_file(stalled[i], file, 0, len);
		flush(stalled[i]);
	}
	net_quiesce();
	net_join(fd);
	mouth = make_mouth(fd[0], pump);
	make_cold(file);
	add_file(mouth, file, 0, len);
	flush(mouth);
	take_pattern(fd[1], len, 0);
	UNTIL(mouth->drains == 1);
	assert_int_equal(mouth->piece[0].res, 0);
	finish(mouth);
	for (unsigned i = 0; i < STALLED; i++)
		assert_int_equal(stalled[i]->ends, 0);
	UNTIL(stats_of(pump).stalls >= STALLED);
	/* and one that wakes up gets all of it */
	take_pattern(fds[0][1], len, 0);
	UNTIL(stalled[0]->ends == 1);
	assert_int_equal(stalled[0]->piece[0].res, 0);
	for (unsigned i = 1; i < STALLED; i++)
		sl_sock_sender_stop(&stalled[i]->sender);
	for (unsigned i = 0; i < STALLED; i++)
		finish(stalled[i]);
	sl_sock_pump_destroy(pump);
}

void a_peer_that_takes_nothing_times_out(void **state)
{
	struct sl_sock_pump *pump = make_pump(NULL);
	static char data[4 << 20];
	struct mouth *memory, *mouth;
	int a[2], b[2], file;

	(void)state;
	net_join(a);
	net_join(b);
	file = net_file("time", sizeof(data));
	net_clog(a[0]);
	net_clog(b[0]);
	memory = make_mouth(a[0], pump);
	mouth = make_mouth(b[0], pump);
	memory->sender.timeout_ns = mouth->sender.timeout_ns = 20 * MS;
	add(memory, data, sizeof(data), 0);
	add(memory, "y", 1, 0);
	add_file(mouth, file, 0, sizeof(data));
	flush(memory);
	flush(mouth);
	UNTIL(memory->ends == 2 && mouth->ends == 1);
	assert_int_equal(memory->piece[0].res, -ETIMEDOUT);
	assert_int_equal(memory->piece[1].res, -ETIMEDOUT);
	assert_int_equal(mouth->piece[0].res, -ETIMEDOUT);
	assert_int_equal(memory->drains, 1);
	finish(memory);
	finish(mouth);
	sl_sock_pump_destroy(pump);
}

void a_peer_that_is_gone_fails_all_pieces(void **state)
{
	struct sl_sock_pump *pump = make_pump(NULL);
	static char data[100000];
	struct mouth *mouth;
	int fd[2];

	(void)state;
	net_join(fd);
	mouth = make_mouth(fd[0], pump);
	net_put(fd[0], "unread", 6);
	net_quiesce();
	net_close(fd[1]);
	net_quiesce();
	for (unsigned i = 0; i < 3; i++)
		add(mouth, data, sizeof(data), 0);
	flush(mouth);
	UNTIL(mouth->ends == 3);
	assert_true(mouth->sender.err == -EPIPE || mouth->sender.err == -ECONNRESET);
	assert_int_equal(mouth->piece[2].res, mouth->sender.err);
	finish(mouth);
	sl_sock_pump_destroy(pump);
}

void a_sender_is_stopped_in_any_state(void **state)
{
	struct sl_sock_pump *pump = make_pump(NULL);
	static char data[4 << 20];
	struct mouth *unflushed, *begun, *waiting, *filing, *closed;
	int fd[5][2], file = net_file("stop", 3000000);

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		net_join(fd[i]);
	for (unsigned i = 2; i < 5; i++)
		net_clog(fd[i][0]);
	unflushed = make_mouth(fd[0][0], pump);
	begun = make_mouth(fd[1][0], pump);
	waiting = make_mouth(fd[2][0], pump);
	filing = make_mouth(fd[3][0], pump);
	closed = make_mouth(fd[4][0], pump);
	add(unflushed, "a", 1, 0);
	add_file(begun, file, 0, 3000000);
	add(waiting, data, sizeof(data), 0);
	add_file(filing, file, 0, 3000000);
	add_file(closed, file, 0, 3000000);
	flush(waiting);
	flush(filing);
	flush(closed);
	net_quiesce();
	flush(begun);
	sl_sock_sender_stop(&unflushed->sender);
	sl_sock_sender_stop(&begun->sender);
	sl_sock_sender_stop(&waiting->sender);
	sl_sock_sender_stop(&filing->sender);
	assert_int_equal(unflushed->ends, 0);
	net_close(fd[4][0]);
	UNTIL(unflushed->ends && begun->ends && waiting->ends && filing->ends && closed->ends);
	assert_int_equal(unflushed->piece[0].res, -ECANCELED);
	assert_int_equal(begun->piece[0].res, -ECANCELED);
	assert_int_equal(waiting->piece[0].res, -ECANCELED);
	assert_int_equal(filing->piece[0].res, -ECANCELED);
	assert_int_equal(closed->piece[0].res, -ECANCELED);
	finish(unflushed);
	finish(begun);
	finish(waiting);
	finish(filing);
	finish(closed);
	sl_sock_pump_destroy(pump);
}

void draining_ends_senders_in_every_state(void **state)
{
	struct sl_sock_pump *pump = make_pump(NULL);
	static char data[4 << 20];
	struct mouth *memory, *mouth;
	int a[2], b[2], file = net_file("drain", 3000000);

	(void)state;
	net_join(a);
	net_join(b);
	net_clog(a[0]);
	memory = make_mouth(a[0], pump);
	mouth = make_mouth(b[0], pump);
	add(memory, data, sizeof(data), 0);
	add_file(mouth, file, 0, 3000000);
	flush(memory);
	flush(mouth);
	for (unsigned i = 0; i < 3; i++)
		sl_ring_run(net_ring(), SL_RING_POLL);
	assert_int_equal(sl_ring_drain(net_ring(), 0), 0);
	assert_int_equal(memory->ends, 1);
	assert_int_equal(memory->piece[0].res, -ECANCELED);
	assert_int_equal(mouth->ends, 1);
	assert_int_equal(sl_sock_sender_busy(&mouth->sender), 0);
	free(memory);
	free(mouth);
	sl_sock_pump_destroy(pump);
}

/* ---- without a copy ----------------------------------------------------------------- */

void stable_memory_ends_when_it_is_free_and_says_who_copied(void **state)
{
	const struct sl_sock_pump_opts opts = { .zc_min_bytes = 1000 };
	struct sl_sock_pump *pump = make_pump(&opts);
	bool able = sl_ring_caps(net_ring())->caps & SL_CAP_ZERO_COPY_SEND;
	static unsigned char data[60000];
	struct sl_sock_pump_stats stats;
	struct mouth *mouth;
	int fd[2];

	(void)state;
	net_join(fd);
	mouth = make_mouth(fd[0], pump);
	net_fill(data, sizeof(data), 0);
	add(mouth, data, 500, SL_SOCK_PIECE_STABLE);
	add(mouth, data + 500, 30000, SL_SOCK_PIECE_STABLE);
	add(mouth, data + 30500, 29500, 0);
	flush(mouth);
	take_pattern(fd[1], sizeof(data), 0);
	UNTIL(mouth->ends == 3);
	stats = stats_of(pump);
	assert_int_equal(mouth->piece[0].zero_copy, 0);
	assert_int_equal(mouth->piece[2].zero_copy, 0);
	assert_int_equal(stats.zc_sends, able);
	assert_int_equal(stats.zc_copied, able); /* loopback always does */
	assert_int_equal(mouth->piece[1].zero_copy, able ? 2 : 0);
	assert_int_equal(stats.memory_bytes, sizeof(data));
	finish(mouth);
	sl_sock_pump_destroy(pump);
}

void asking_for_no_copy_is_given_up_where_all_is_copied(void **state)
{
	const struct sl_sock_pump_opts opts = { .zc_min_bytes = 1000 };
	static unsigned char data[2000];
	struct sl_sock_pump *pump;
	struct mouth *mouth;
	int fd[2];

	(void)state;
	if (!(sl_ring_caps(net_ring())->caps & SL_CAP_ZERO_COPY_SEND))
		SKIP("this backend has no sends without a copy");
	pump = make_pump(&opts);
	net_join(fd);
	mouth = make_mouth(fd[0], pump);
	net_fill(data, sizeof(data), 0);
	for (unsigned i = 0; i < 40; i++) {
		add(mouth, data, sizeof(data), SL_SOCK_PIECE_STABLE);
		flush(mouth);
		take_pattern(fd[1], sizeof(data), 0);
		UNTIL(mouth->ends == i + 1);
	}
	assert_int_equal(stats_of(pump).zc_sends, 16);
	assert_int_equal(stats_of(pump).zc_off, 1);
	finish(mouth);
	sl_sock_pump_destroy(pump);
}

void a_pump_refuses_what_cannot_be(void **state)
{
	struct sl_sock_pump_opts opts = { .read_count = 5000 };
	struct sl_sock_pump *pump;

	(void)state;
	assert_int_equal(sl_sock_pump_create(net_ring(), &opts, &pump), -EINVAL);
	opts = (struct sl_sock_pump_opts){ .read_bytes = 1u << 30 };
	assert_int_equal(sl_sock_pump_create(net_ring(), &opts, &pump), -EINVAL);
	sl_sock_pump_destroy(NULL);
}
