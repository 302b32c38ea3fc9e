/* test_library.c - the promises L1 to L3, V1 to V3 and P1 of sluice(7): log, version and
 * portability. */
#include "cover.h"
#include "promise.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* ---- L: the log ---------------------------------------------------------------------- */

static int use_the_library_badly(void *ctx)
{
	struct sl_ring_opts bad = { .backend = "carrots" }, opts = { .depth = 1 };
	struct sl_buf_pool_opts shape = { .count = 65536, .buf_bytes = 4096, .flags = SL_BUF_HUGE };
	struct sl_buf_pool *pool = NULL;
	struct sl_op op = { 0 }, other = { 0 };
	struct sl_ring *ring;
	int *fds = ctx;

	dup2(fds[1], 1);
	dup2(fds[1], 2);
	if (sl_ring_open(&bad, &ring) == 0 || sl_ring_open(&opts, &ring) < 0)
		return 1;
	sl_ring_do(ring, sl_op_read(&op, -1, &op, 1, 0));
	sl_ring_submit(ring, sl_op_read(&op, 1000, &op, 1, 0));
	sl_ring_submit(ring, sl_op_nop(&other));
	if (sl_buf_pool_create(ring, &shape, &pool) == 0)
		sl_buf_pool_destroy(pool);
	sl_ring_drain(ring, 0);
	sl_ring_close(ring);
	return 0;
}

static void L1_the_library_prints_nothing(void **state)
{
	char byte;
	int fds[2];

	(void)state;
	make_pipe(fds);
	assert_int_equal(in_child(use_the_library_badly, fds), 0);
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 0);
	close(fds[0]);
}

/* What a log was told, and whether each telling was as promised. */
struct told {
	pthread_t owner;
	bool inside, well_formed;
	int nr[3];
	char info[512], warn[512];
};

static void tell(void *ctx, int level, const char *text)
{
	struct told *told = ctx;

	told->well_formed &= told->inside && pthread_equal(told->owner, pthread_self());
	told->well_formed &= level >= SL_LOG_ERROR && level <= SL_LOG_INFO;
	told->well_formed &= text[0] && !strchr(text, '\n');
	if (level < SL_LOG_ERROR || level > SL_LOG_INFO)
		return;
	told->nr[level]++;
	snprintf(level == SL_LOG_INFO ? told->info : told->warn, sizeof(told->info), "%s", text);
}

static void L2_the_log_runs_on_the_owner_inside_the_call(void **state)
{
	struct told told = { .owner = pthread_self(), .well_formed = true };
	struct sl_ring_opts opts = { .log = tell, .log_ctx = &told, .workers = 2 };
	struct sl_buf_pool_opts shape = { .count = 8, .buf_bytes = 4096, .flags = SL_BUF_HUGE };
	struct sl_buf_pool *pool;
	struct sl_ring *ring;
	struct sl_op op = { 0 };

	(void)state;
	told.inside = true;
	ring = open_ring(&opts);
	assert_int_equal(sl_buf_pool_create(ring, &shape, &pool), 0);
	assert_int_equal(sl_ring_do(ring, sl_op_nop(&op)), 0);
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
	told.inside = false;
	assert_true(told.well_formed);
	assert_true(told.nr[SL_LOG_INFO] > 0);
}

/* Refuses io_uring_setup(2) for this process from now on, as many containers do. */
static int forbid_uring(int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

enum {
	RIGHT,
	NO_FILTER,
	NO_COVER,
	NO_RING,
	NOT_ANOTHER,
	NOT_SAID,
	NOT_USABLE
};

static int open_without_uring(void *ctx)
{
	struct told told = { .owner = pthread_self(), .well_formed = true, .inside = true };
	struct sl_ring_opts opts = { .backend = ctx, .log = tell, .log_ctx = &told };
	const struct sl_caps *caps;
	struct sl_ring *ring;
	struct sl_op op = { 0 };

	unsetenv("SLUICE_BACKEND");
	if (forbid_uring(EPERM))
		return NO_FILTER;
	if (sl_ring_open(&opts, &ring) < 0)
		return NO_RING;
	caps = sl_ring_caps(ring);
	if (strcmp(caps->backend, "uring") == 0)
		return NOT_ANOTHER;
	if (!strstr(caps->why, "uring") || !told.well_formed || told.nr[SL_LOG_INFO] == 0)
		return NOT_SAID;
	if (ctx && (told.nr[SL_LOG_WARN] == 0 || !strstr(told.warn, "uring")))
		return NOT_SAID;
	if (sl_ring_do(ring, sl_op_nop(&op)) != 0)
		return NOT_USABLE;
	sl_ring_close(ring);
	return RIGHT;
}

static void assert_right(int status)
{
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NO_FILTER)
		SKIP("this kernel or sandbox refuses seccomp filters");
	if (WEXITSTATUS(status) == NO_COVER)
		SKIP("no mount namespaces here, to show another kernel.io_uring_disabled in");
	assert_int_equal(WEXITSTATUS(status), RIGHT);
}

static void L3_a_fallback_is_a_warning_and_a_choice_is_information(void **state)
{
	static char uring[] = "uring";
	struct told told = { .owner = pthread_self(), .well_formed = true, .inside = true };
	struct sl_ring_opts opts = { .log = tell, .log_ctx = &told };
	struct sl_ring *ring = open_ring(&opts);

	(void)state;
	assert_non_null(strstr(told.info, sl_ring_caps(ring)->backend));
	sl_ring_close(ring);
	assert_right(in_child(open_without_uring, uring));
}

/* ---- V: version and ABI --------------------------------------------------------------- */

static void V1_the_version_is_that_of_the_headers(void **state)
{
	(void)state;
	assert_int_equal(sl_version(), SL_VERSION);
	assert_int_equal(sl_version() >> 16, SL_VERSION_MAJOR);
	assert_int_equal(sl_version() >> 8 & 0xff, SL_VERSION_MINOR);
	assert_int_equal(sl_version() & 0xff, SL_VERSION_PATCH);
}

/* Options of a program that is newer than the library. */
struct newer_opts {
	struct sl_ring_opts known;
	uint64_t unknown;
};

static void V2_options_grow_by_size(void **state)
{
	struct newer_opts newer = { .known = { .size = sizeof(newer) } };
	struct sl_ring_opts exact = { .size = sizeof(exact), .depth = 16 }, first = { .depth = 16 };
	struct sl_ring_opts cut = { .size = sizeof(cut) - 1 };
	struct {
		struct sl_buf_pool_opts known;
		uint64_t unknown;
	} pool_opts = { .known = { .size = sizeof(pool_opts), .count = 1, .buf_bytes = 64 } };
	struct sl_buf_pool *pool;
	struct sl_ring *ring;

	(void)state;
	sl_ring_close(open_ring(&first));
	ring = open_ring(&exact);
	assert_int_equal(sl_ring_caps(ring)->depth, 16);
	assert_int_equal(sl_buf_pool_create(ring, &pool_opts.known, &pool), 0);
	sl_buf_pool_destroy(pool);
	pool_opts.unknown = 1;
	assert_int_equal(sl_buf_pool_create(ring, &pool_opts.known, &pool), -EINVAL);
	sl_ring_close(ring);
	sl_ring_close(open_ring(&newer.known));
	newer.unknown = 1;
	assert_int_equal(sl_ring_open(&newer.known, &ring), -EINVAL);
	/* Smaller than the first version of the struct is a mistake. */
	assert_int_equal(sl_ring_open(&cut, &ring), -EINVAL);
}

static void V3_structs_in_caller_memory_keep_their_size(void **state)
{
	(void)state;
	if (sizeof(void *) != 8)
		SKIP("the sizes are told for 64-bit machines");
	/* These numbers change with the major version, and only then. */
	assert_int_equal(sizeof(struct sl_op), 144);
	assert_int_equal(sizeof(struct sl_open_how), 24);
	assert_int_equal(sizeof(struct sl_name_pair), 24);
	assert_int_equal(sizeof(struct sl_splice_ends), 24);
	assert_int_equal(sizeof(struct sl_allocator), 24);
	assert_int_equal(sizeof(struct sl_ring_stats), 536);
	assert_int_equal(sizeof(struct sl_ring_class_opts), 8);
	assert_int_equal(sizeof(struct sl_buf_pool_info), 232);
	assert_int_equal(sizeof(struct sl_desc), 56);
}

/* ---- P: portability ------------------------------------------------------------------- */

#define DISABLED_SWITCH "/proc/sys/kernel/io_uring_disabled"

/* What refuses io_uring, and what the ring then says of it. */
static const struct refusal {
	int err;
	const char *shown; /* by the switch; NULL: what it is */
	const char *said;
} refusals[] = {
	{ EPERM, NULL, "seccomp" },
	{ EPERM, "2\n", "kernel.io_uring_disabled is 2" },
	{ EPERM, "1\n", "kernel.io_uring_disabled is 1" },
	{ ENOSYS, NULL, "older than" },
};

static int open_refused(void *ctx)
{
	const struct refusal *refusal = ctx;
	const struct sl_caps *caps;
	struct sl_ring *ring;
	struct sl_op op = { 0 };

	unsetenv("SLUICE_BACKEND");
	if (refusal->shown && support_cover(DISABLED_SWITCH, refusal->shown))
		return NO_COVER;
	if (forbid_uring(refusal->err))
		return NO_FILTER;
	if (sl_ring_open(NULL, &ring) < 0)
		return NO_RING;
	caps = sl_ring_caps(ring);
	if (strcmp(caps->backend, "uring") == 0)
		return NOT_ANOTHER;
	if (!strstr(caps->why, refusal->said))
		return NOT_SAID;
	if (sl_ring_do(ring, sl_op_nop(&op)) != 0)
		return NOT_USABLE;
	sl_ring_close(ring);
	return RIGHT;
}

static void P1_where_uring_is_refused_a_ring_opens_and_says_why(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct refusal refusal = refusals[i];

		/* A kernel without the switch does not refuse by it. */
		if (!refusal.shown || access(DISABLED_SWITCH, R_OK) == 0)
			assert_right(in_child(open_refused, &refusal));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(L1_the_library_prints_nothing),
		TEST(L2_the_log_runs_on_the_owner_inside_the_call),
		TEST(L3_a_fallback_is_a_warning_and_a_choice_is_information),
		TEST(V1_the_version_is_that_of_the_headers),
		TEST(V2_options_grow_by_size),
		TEST(V3_structs_in_caller_memory_keep_their_size),
		TEST(P1_where_uring_is_refused_a_ring_opens_and_says_why),
	};

	return RUN_TESTS(tests);
}
