/* opts.c - opening: bounds, defaults, versions of the options, memory, what the ring says it is. */
#include "tests/contract/suite.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static void expect_refused(struct sl_ring_opts opts, int err)
{
	struct sl_ring *const untouched = (struct sl_ring *)(uintptr_t)64;
	struct sl_ring *ring = untouched;
	int rc;

	if (!opts.size)
		opts.size = sizeof(opts);
	rc = ring_try(&opts, &ring);
	if (rc != err)
		fail_msg("opened with %s, not %s", sl_err_name(rc), sl_err_name(err));
	assert_ptr_equal(ring, untouched);
}

static void open_refuses_numbers_out_of_their_bounds(void **state)
{
	(void)state;
	expect_refused((struct sl_ring_opts){ .depth = 32769 }, -EINVAL);
	expect_refused((struct sl_ring_opts){ .workers = 65 }, -EINVAL);
	expect_refused((struct sl_ring_opts){ .flags = 1u << 31 }, -EINVAL);
	expect_refused((struct sl_ring_opts){ .flags = 1u << 4 }, -EINVAL);
}

static void open_refuses_an_unknown_backend(void **state)
{
	(void)state;
	expect_refused((struct sl_ring_opts){ .backend = "steam" }, -EINVAL);
	expect_refused((struct sl_ring_opts){ .backend = "uring:steam" }, -EINVAL);
	expect_refused((struct sl_ring_opts){ .backend = "" }, -EINVAL);
}

static void defaults_are_those_of_the_header(void **state)
{
	struct sl_ring *ring = NULL;

	(void)state;
	assert_int_equal(ring_try(NULL, &ring), 0);
	assert_int_equal(sl_ring_caps(ring)->depth, 128);
	assert_int_equal(sl_ring_caps(ring)->workers,
			 on_memory() ? sl_ring_caps(ring)->workers : 2);
	assert_int_equal(sl_ring_room(ring), 128);
	sl_ring_close(ring);
}

static void the_smallest_and_the_largest_depth_open(void **state)
{
	struct sl_ring *ring = ring_open(1);

	(void)state;
	assert_int_equal(sl_ring_room(ring), 1);
	sl_ring_close(ring);
	ring = ring_open(32768);
	assert_int_equal(sl_ring_room(ring), 32768);
	sl_ring_close(ring);
}

static void options_shorter_than_the_first_version_are_refused(void **state)
{
	struct sl_ring_opts opts = { .size = 8, .depth = 5 };

	(void)state;
	expect_refused(opts, -EINVAL);
}

static void options_with_size_zero_are_those_of_version_0_1(void **state)
{
	struct sl_ring_opts opts = { .size = 0, .depth = 5 };
	struct sl_ring *ring = NULL;

	(void)state;
	assert_int_equal(ring_try(&opts, &ring), 0);
	assert_int_equal(sl_ring_room(ring), 5);
	sl_ring_close(ring);
}

static void options_of_a_newer_version_are_taken_when_the_rest_is_zero(void **state)
{
	struct {
		struct sl_ring_opts opts;
		uint64_t more;
	} newer = { .opts = { .size = sizeof(newer), .depth = 5 } };
	const struct sl_ring_opts *opts = &newer.opts;
	struct sl_ring *ring = NULL;

	(void)state;
	if (on_memory())
		SKIP("the double hands over options of this version");
	newer.opts.backend = backend_option();
	assert_int_equal(sl_ring_open(opts, &ring), 0);
	assert_int_equal(sl_ring_room(ring), 5);
	sl_ring_close(ring);
	newer.more = 1;
	assert_int_equal(sl_ring_open(opts, &ring), -EINVAL);
}

/* ---- memory ------------------------------------------------------------------------ */

struct ledger {
	unsigned nr;	  /* allocations asked for */
	unsigned fail_at; /* the one to fail, from 1; 0: none */
	int64_t bytes;	  /* not given back */
};

static void *ledger_alloc(void *ctx, size_t bytes, size_t align)
{
	struct ledger *ledger = ctx;
	void *ptr = NULL;

	assert_true(align && (align & (align - 1)) == 0);
	if (++ledger->nr == ledger->fail_at)
		return NULL;
	if (posix_memalign(&ptr, align < sizeof(void *) ? sizeof(void *) : align, bytes))
		return NULL;
	memset(ptr, 0xa5, bytes);
	ledger->bytes += (int64_t)bytes;
	return ptr;
}

static void ledger_free(void *ctx, void *ptr, size_t bytes)
{
	struct ledger *ledger = ctx;

	if (!ptr)
		return;
	ledger->bytes -= (int64_t)bytes;
	memset(ptr, 0x5a, bytes);
	free(ptr);
}

static void the_ring_gives_back_all_it_took_from_the_allocator(void **state)
{
	struct ledger ledger = { 0 };
	struct sl_allocator allocator = { ledger_alloc, ledger_free, &ledger };
	struct sl_ring *ring;
	struct sl_op op = { 0 };

	(void)state;
	ring = ring_open_with(&(struct sl_ring_opts){ .depth = 16, .allocator = &allocator });
	assert_true(ledger.nr > 0);
	assert_ptr_equal(sl_ring_allocator(ring)->alloc, ledger_alloc);
	assert_ptr_equal(sl_ring_allocator(ring)->free, ledger_free);
	assert_ptr_equal(sl_ring_allocator(ring)->ctx, &ledger);
	expect_res(ring, &op, 0);
	sl_ring_close(ring);
	assert_int_equal(ledger.bytes, 0);
}

static void open_survives_every_allocation_that_fails(void **state)
{
	unsigned before = open_descriptors(), nr_failures = 0;
	struct ledger ledger = { 0 };
	struct sl_allocator allocator = { ledger_alloc, ledger_free, &ledger };
	struct sl_ring_opts opts = { .size = sizeof(opts), .depth = 8, .allocator = &allocator };

	(void)state;
	for (unsigned n = 1;; n++) {
		struct sl_ring *ring = NULL;
		int rc;

		ledger = (struct ledger){ .fail_at = n };
		rc = ring_try(&opts, &ring);
		if (rc == 0) {
			sl_ring_close(ring);
			break;
		}
		assert_int_equal(rc, -ENOMEM);
		assert_int_equal(ledger.bytes, 0);
		nr_failures++;
	}
	assert_true(nr_failures > 0);
	assert_int_equal(open_descriptors(), before);
}

static void open_and_close_leave_no_descriptor_behind(void **state)
{
	unsigned before;

	(void)state;
	sl_ring_close(ring_open(8));
	before = open_descriptors();
	for (unsigned i = 0; i < 20; i++)
		sl_ring_close(ring_open(8));
	assert_int_equal(open_descriptors(), before);
}

static void closing_no_ring_is_allowed(void **state)
{
	(void)state;
	sl_ring_close(NULL);
}

static void without_descriptors_open_says_so(void **state)
{
	const struct rlimit few = { 40, 40 };
	struct sl_ring *rings[40];
	struct sl_op op = { 0 };
	unsigned nr = 0;
	int rc = 0;

	(void)state;
	rings[nr++] = ring_open(4);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (dup(0) >= 0)
		continue;
	while (nr < NR(rings) && (rc = ring_try(NULL, &rings[nr])) == 0)
		nr++;
	assert_true(nr == NR(rings) || rc == -EMFILE || rc == -ENFILE);
	expect_res(rings[0], sl_op_nop(&op), 0);
	while (nr > 0)
		sl_ring_close(rings[--nr]);
}

/* ---- what it says ------------------------------------------------------------------- */

static uint32_t group_of(unsigned code)
{
	if (code <= SL_OP_POST)
		return CORE;
	if (code <= SL_OP_FDATASYNC)
		return BLOCK;
	if (code <= SL_OP_TRUNCATE)
		return FILES;
	if (code <= SL_OP_SYNC_DIR)
		return NAME;
	return code <= SL_OP_SETSOCKOPT || code == SL_OP_SENDFILE ? NET : PROCESS;
}

static void a_group_is_run_as_a_whole_or_not_at_all(void **state)
{
	struct sl_ring *ring = ring_open(8);
	const struct sl_caps *caps = sl_ring_caps(ring);

	(void)state;
	assert_true(caps->groups & CORE);
	for (unsigned code = 0; code < SL_OP_CODES; code++) {
		bool runs = sl_caps_route(caps, code) != SL_ROUTE_NONE;

		if (runs != !!(caps->groups & group_of(code)))
			fail_msg("%s: route %d does not fit the groups", sl_op_name(code),
				 sl_caps_route(caps, code));
		assert_true(sl_caps_route(caps, code) <= SL_ROUTE_WORKER);
	}
	assert_int_equal(sl_caps_route(caps, SL_OP_CODES), SL_ROUTE_NONE);
	assert_int_equal(sl_caps_route(caps, ~0u), SL_ROUTE_NONE);
	sl_ring_close(ring);
}

static void an_operation_without_a_route_is_refused_at_submit(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_open_how how = { 0 };
	struct sl_op op = { 0 };

	(void)state;
	assert_int_equal(sl_caps_route(sl_ring_caps(ring), SL_OP_OPEN), SL_ROUTE_NONE);
	assert_int_equal(sl_ring_submit(ring, sl_op_open(&op, -1, "x", &how)), -EOPNOTSUPP);
	assert_int_equal(sl_ring_submit(ring, sl_op_pipe(&op, NULL, 0)), -EOPNOTSUPP);
	assert_int_equal(sl_ring_inflight(ring), 0);
	sl_ring_close(ring);
}

static void caps_name_the_backend_and_say_why(void **state)
{
	struct sl_ring *ring = ring_open(8);
	const struct sl_caps *caps = sl_ring_caps(ring);
	size_t len = strcspn(backend_name(), ":");

	(void)state;
	assert_non_null(caps);
	assert_int_equal(strncmp(caps->backend, backend_name(), len), 0);
	assert_true(caps->why[0] != '\0');
	assert_true(caps->memory_bytes > 0);
	assert_int_equal(caps->depth, 8);
	assert_int_equal(!!(caps->caps & SL_CAP_OWN_WORLD), on_memory());
	assert_int_equal(caps->cq_entries > 0, strstr(backend_name(), "uring") != NULL);
	sl_ring_close(ring);
}

static void the_completion_queue_holds_four_times_the_depth(void **state)
{
	struct sl_ring *ring = ring_open(64);
	const struct sl_caps *caps = sl_ring_caps(ring);

	(void)state;
	if (caps->cq_entries == 0)
		SKIP("%s has no completion queue in the kernel", backend_name());
	assert_true(caps->cq_entries >= 4 * caps->depth);
	sl_ring_close(ring);
}

static void the_log_is_told_which_backend_was_chosen(void **state)
{
	struct log_lines lines = { 0 };
	struct sl_ring *ring;

	(void)state;
	ring = ring_open_with(&(struct sl_ring_opts){ .log = log_keep, .log_ctx = &lines });
	assert_true(lines.nr > 0);
	assert_true(log_has(&lines, sl_ring_caps(ring)->backend));
	for (unsigned i = 0; i < lines.nr; i++)
		assert_null(strchr(lines.text[i], '\n'));
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(open_refuses_numbers_out_of_their_bounds, CORE, 0),
	T(open_refuses_an_unknown_backend, CORE, ON_KERNEL),
	T(defaults_are_those_of_the_header, CORE, 0),
	T(the_smallest_and_the_largest_depth_open, CORE, 0),
	T(options_shorter_than_the_first_version_are_refused, CORE, 0),
	T(options_with_size_zero_are_those_of_version_0_1, CORE, 0),
	T(options_of_a_newer_version_are_taken_when_the_rest_is_zero, CORE, ON_KERNEL),
	T(the_ring_gives_back_all_it_took_from_the_allocator, CORE, 0),
	T(open_survives_every_allocation_that_fails, CORE, 0),
	T(open_and_close_leave_no_descriptor_behind, CORE, 0),
	T(closing_no_ring_is_allowed, CORE, 0),
	T(without_descriptors_open_says_so, CORE, ON_KERNEL),
	T(a_group_is_run_as_a_whole_or_not_at_all, CORE, 0),
	T(an_operation_without_a_route_is_refused_at_submit, CORE, ON_MEMORY),
	T(caps_name_the_backend_and_say_why, CORE, 0),
	T(the_completion_queue_holds_four_times_the_depth, CORE, ON_KERNEL),
	T(the_log_is_told_which_backend_was_chosen, CORE, ON_KERNEL),
};

const struct contract_group opts_tests = GROUP(tests);
