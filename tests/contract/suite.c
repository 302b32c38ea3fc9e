/* suite.c - the ring under test, its descriptors and the trace; see suite.h. */
#include "suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/backend.h"
#include "tests/contract/memory_backend.h"
#include "tests/contract/sim_world.h"

static const char *name_under_test = "memory";
static char memory_options[96];
struct trace trace;

const char *backend_name(void)
{
	return name_under_test;
}

void backend_choose(const char *name)
{
	name_under_test = name;
}

bool on_memory(void)
{
	return on_sim() || strncmp(name_under_test, "memory", 6) == 0;
}

bool on_sim(void)
{
	return strcmp(name_under_test, "sim") == 0;
}

/* Beside what the name asks for; a variant takes its order of events from the run's seed. */
void memory_wants(const char *options)
{
	const char *variant = name_under_test + strcspn(name_under_test, ":");

	if (*variant && !strstr(options, "seed="))
		snprintf(memory_options, sizeof(memory_options), "%s %s seed=%llu", options,
			 variant + 1, (unsigned long long)support_seed());
	else
		snprintf(memory_options, sizeof(memory_options), "%s %s", options, variant);
}

const char *backend_option(void)
{
	static char name[512];

	if (strncmp(name_under_test, "record:", 7) != 0)
		return name_under_test;
	snprintf(name, sizeof(name), "%s,trace=%s/%d,dir=%s", name_under_test,
		 getenv("SLUICE_TEST_TRACES"), (int)getpid(), getenv("SLUICE_TEST_DIR"));
	return name;
}

int ring_try(const struct sl_ring_opts *opts, struct sl_ring **ret_ring)
{
	struct sl_ring_opts mine = opts ? *opts : (struct sl_ring_opts){ 0 };
	const struct sl_ring_choice choice = { &memory_backend, memory_options, "asked for" };
	char why[256] = "";

	if (on_memory() && !memory_options[0])
		memory_wants("");
	if (on_sim())
		return sim_world_ring(&mine, memory_options, ret_ring);
	if (on_memory())
		return sl_ring_open_on(&mine, &choice, ret_ring, why);
	if (!mine.backend)
		mine.backend = backend_option();
	mine.flags |= SL_RING_NO_FALLBACK;
	return sl_ring_open(&mine, ret_ring);
}

struct sl_ring *ring_open_with(const struct sl_ring_opts *opts)
{
	struct sl_ring_opts mine = *opts;
	struct sl_ring *ring = NULL;
	int rc;

	if (!mine.size)
		mine.size = sizeof(mine);
	rc = ring_try(&mine, &ring);
	if (rc)
		fail_msg("cannot open %s: %s", name_under_test, sl_err_text(rc));
	assert_non_null(ring);
	return ring;
}

struct sl_ring *ring_open(unsigned depth)
{
	return ring_open_with(&(struct sl_ring_opts){ .depth = depth });
}

void ring_settle(struct sl_ring *ring)
{
	while (sl_ring_inflight(ring) > 0) {
		assert_true(sl_ring_run(ring, SL_RING_POLL) >= 0);
		while (sl_ring_next(ring, SL_RING_POLL))
			continue;
		if (sl_ring_inflight(ring) > 0)
			assert_true(sl_ring_run(ring, 0) >= 0);
	}
}

void ring_until(struct sl_ring *ring, const unsigned *nr, unsigned at_least)
{
	while (*nr < at_least)
		assert_true(sl_ring_run(ring, 0) >= 0);
}

struct sl_ring_stats ring_stats(const struct sl_ring *ring)
{
	struct sl_ring_stats stats;

	assert_int_equal(sl_ring_stats(ring, -1, &stats), 0);
	return stats;
}

void submit(struct sl_ring *ring, struct sl_op *op)
{
	int rc = sl_ring_submit(ring, op);

	if (rc)
		fail_msg("submit of %s: %s", sl_op_name(op->code), sl_err_name(rc));
}

void expect_res(struct sl_ring *ring, struct sl_op *op, int64_t res)
{
	int64_t got = sl_ring_do(ring, op);

	if (got != res)
		fail_msg("%s gave %lld (%s), not %lld", sl_op_name(op->code), (long long)got,
			 got < 0 ? sl_err_name((int)got) : "bytes", (long long)res);
	assert_int_equal(op->res, res);
	assert_int_equal(op->more, 0);
}

/* ---- trace ------------------------------------------------------------------------ */

void note(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	assert_true(trace.nr < TRACE_MAX);
	trace.at[trace.nr++] = (struct trace_entry){ op, op->res, op->done_len, op->more };
	trace.ended += op->more == 0;
}

void trace_reset(void)
{
	trace.nr = 0;
	trace.ended = 0;
}

unsigned trace_place(const struct sl_op *op)
{
	unsigned place = TRACE_MAX, ends = 0;

	for (unsigned i = 0; i < trace.nr; i++) {
		if (trace.at[i].op != op)
			continue;
		assert_int_equal(ends, 0); /* nothing after the end */
		place = i;
		ends += trace.at[i].more == 0;
	}
	assert_int_equal(ends, 1);
	return place;
}

/* ---- descriptors ------------------------------------------------------------------- */

int world_file(void)
{
	static unsigned turn;
	char name[32];

	if (on_memory())
		return on_sim() ? sim_world_file() : memory_file();
	snprintf(name, sizeof(name), "file-%u", turn++);
	return test_file(name, O_RDWR);
}

static const char *own_dir(void)
{
	static const char *dir;

	if (!dir)
		dir = test_dir();
	return dir;
}

int world_open(const char *name, int flags)
{
	int fd;

	if (on_sim())
		return sim_world_open(name, flags);
	fd = open(support_path(own_dir(), name), flags | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int world_dir(void)
{
	int fd;

	if (on_sim())
		return sim_world_open("/", O_RDONLY | O_DIRECTORY);
	fd = open(own_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

void world_pair(int ret_fds[2])
{
	if (on_sim())
		sim_world_pair(ret_fds);
	else if (on_memory())
		memory_pair(ret_fds);
	else
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_fds), 0);
}

void world_close(int fd)
{
	if (on_sim())
		sim_world_close(fd);
	else if (on_memory())
		memory_close(fd);
	else
		assert_int_equal(close(fd), 0);
}

void world_put(int fd, const void *buf, size_t len)
{
	const char *bytes = buf;

	if (on_memory()) {
		assert_int_equal((on_sim() ? sim_world_put : memory_put)(fd, buf, len), len);
		return;
	}
	for (size_t at = 0; at < len;) {
		ssize_t n = write(fd, bytes + at, len - at);

		if (n <= 0)
			fail_msg("write of %zu bytes: %s", len - at, strerror(errno));
		at += (size_t)n;
	}
}

size_t world_take(int fd, void *buf, size_t len)
{
	struct pollfd ready = { fd, POLLIN, 0 };
	ssize_t n;

	if (on_memory())
		return (on_sim() ? sim_world_take : memory_take)(fd, buf, len);
	if (poll(&ready, 1, 0) <= 0)
		return 0;
	n = read(fd, buf, len);
	return n > 0 ? (size_t)n : 0;
}

size_t world_clog(int fd)
{
	static char zeros[65536];
	size_t total = 0;
	int flags;

	if (on_memory()) {
		for (int64_t n; (n = (on_sim() ? sim_world_put : memory_put)(fd, zeros, 4096)) > 0;)
			total += (size_t)n;
		return total;
	}
	flags = fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	for (size_t piece = sizeof(zeros); piece; piece /= 2)
		for (ssize_t n; (n = write(fd, zeros, piece)) > 0;)
			total += (size_t)n;
	fcntl(fd, F_SETFL, flags);
	return total;
}

int world_bad_fd(void)
{
	return on_memory() ? MEMORY_HANDLE_BASE + 9999 : 19999;
}

/* ---- the rest ----------------------------------------------------------------------- */

const char *test_dir(void)
{
	return support_tmpdir();
}

int test_file(const char *name, int flags)
{
	static const char *dir;
	int fd;

	if (!dir)
		dir = test_dir();
	fd = open(support_path(dir, name), flags | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		fail_msg("cannot create %s: %s", name, strerror(errno));
	return fd;
}

unsigned open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned nr = 0;

	assert_non_null(dir);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

int in_child(int (*fn)(void *ctx), void *ctx)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(10);
		_exit(fn(ctx));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void pause_ms(unsigned ms)
{
	struct timespec left = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		continue;
}

void pattern(void *buf, size_t len, uint64_t seed)
{
	unsigned char *bytes = buf;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)((seed + i) * 0x9e3779b97f4a7c15u >> 56);
}

uint64_t hash_bytes(uint64_t hash, const void *buf, size_t len)
{
	const unsigned char *bytes = buf;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

void log_keep(void *ctx, int level, const char *text)
{
	struct log_lines *lines = ctx;

	if (lines->nr == NR(lines->text))
		return;
	lines->level[lines->nr] = level;
	snprintf(lines->text[lines->nr++], sizeof(lines->text[0]), "%s", text);
}

bool log_has(const struct log_lines *lines, const char *word)
{
	for (unsigned i = 0; i < lines->nr; i++)
		if (strcasestr(lines->text[i], word))
			return true;
	return false;
}
