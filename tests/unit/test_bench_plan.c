/* test_bench_plan.c: which workloads and contenders the command line asks for. */
#include <errno.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tools/bench/mechanisms.h"
#include "tools/bench/plan.h"

static struct plan made(const char *rw, const char *only)
{
	struct plan p = { .rw = rw, .only = only };
	const char *word = NULL;

	assert_int_equal(plan_make(&p, &word), 0);
	return p;
}

static bool wants(const struct plan *p, const struct mechanism *mech)
{
	struct contender c = { .mech = mech, .work = &p->workloads[0] };

	return plan_wants(p, &c);
}

static bool sits_out(const struct plan *p, const struct mechanism *mech)
{
	struct contender c = { .mech = mech, .work = &p->workloads[0] };

	return plan_sits_out(p, &c);
}

static void no_wish_means_every_realistic_workload(void **state)
{
	struct plan p = made(NULL, NULL);

	(void)state;
	assert_int_equal(p.nr, 10);
	assert_string_equal(p.workloads[0].name, "read-cached");
	assert_string_equal(p.workloads[0].title, "random 4 KiB reads of a cached file");
	assert_true(plan_needs_file(&p));
}

static void a_word_of_fio_chooses_its_workloads(void **state)
{
	(void)state;
	assert_int_equal(made("randread", NULL).nr, 2);
	assert_string_equal(made("read", NULL).workloads[0].name, "scan");
	assert_string_equal(made("randrw", NULL).workloads[0].name, "mixed");
	assert_int_equal(made("randwrite", NULL).workloads[0].write_percent, 100);
	assert_string_equal(made("write", NULL).workloads[0].name, "append");
}

static void only_chooses_workloads_and_contenders(void **state)
{
	struct plan p = made(NULL, "read-*,pread,io_uring*");

	(void)state;
	assert_int_equal(p.nr, 2);
	assert_true(wants(&p, &mechanism_pread));
	assert_true(wants(&p, &mechanism_uring_registered));
	assert_false(wants(&p, &mechanism_read));
	p = made(NULL, "pread");
	assert_int_equal(p.nr, 10);
	p = made(NULL, "idle-10");
	assert_int_equal(p.nr, 1);
	assert_false(plan_needs_file(&p));
}

static void unknown_words_are_handed_back(void **state)
{
	struct plan p = { .only = "pread,nonsense" }, q = { .rw = "sideways" };
	const char *word = NULL;

	(void)state;
	assert_int_equal(plan_make(&p, &word), -EINVAL);
	assert_string_equal(word, "nonsense");
	assert_int_equal(plan_make(&q, &word), -EINVAL);
	assert_string_equal(word, "sideways");
}

static void a_file_of_the_users_is_never_written(void **state)
{
	struct plan p = { .read_only = true }, q = { .read_only = true, .rw = "randwrite" };
	const char *word = NULL;

	(void)state;
	assert_int_equal(plan_make(&p, &word), 0);
	for (size_t i = 0; i < p.nr; i++)
		assert_true(p.workloads[i].write_percent == 0 &&
			    p.workloads[i].kind != WORKLOAD_APPEND);
	assert_int_equal(plan_make(&q, &word), -ENODATA);
}

static void depths_are_one_to_a_hundred_and_twenty_eight(void **state)
{
	static const char *const bad[] = { "",	 "0",	"129", "-1",
					   "1,", "1;2", "x",   "1,2,3,4,5,6,7,8,9" };
	struct plan p = { 0 };

	(void)state;
	assert_int_equal(plan_depths(&p, NULL), 0);
	assert_int_equal(p.nr_depths, 2);
	assert_int_equal(p.depths[1], 32);
	assert_int_equal(plan_depths(&p, "4,128"), 0);
	assert_int_equal(p.nr_depths, 2);
	assert_int_equal(p.depths[1], 128);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(plan_depths(&p, bad[i]), -EINVAL);
	p.full = true;
	assert_int_equal(plan_depths(&p, NULL), 0);
	assert_int_equal(p.nr_depths, 8);
}

static void the_block_size_is_in_the_title(void **state)
{
	struct plan p = { .block_bytes = 65536, .only = "read-direct" };
	const char *word = NULL;
	char buf[16];

	(void)state;
	assert_int_equal(plan_make(&p, &word), 0);
	assert_string_equal(p.workloads[0].title, "random 64 KiB reads from the device (O_DIRECT)");
	assert_string_equal(plan_bytes(512, buf), "512 B");
	assert_string_equal(plan_bytes(1536, buf), "1536 B");
	assert_string_equal(plan_bytes(1ull << 30, buf), "1 GiB");
}

static void net_means_files_to_sockets_by_size(void **state)
{
	struct plan p = { .net = true }, given = { .net = true, .block_bytes = 48 << 10 };
	struct plan named = { .only = "net-16K,sendfile" },
		    other = { .net = true, .only = "append" };
	const char *word = NULL;

	(void)state;
	assert_int_equal(plan_make(&p, &word), 0);
	assert_int_equal(p.nr, 6);
	assert_string_equal(p.workloads[0].name, "net-1K");
	assert_string_equal(p.workloads[5].title,
			    "files of 4 MiB that are not cached to a TCP socket");
	assert_true(wants(&p, &mechanism_sendfile_ktls));
	assert_int_equal(plan_make(&given, &word), 0);
	assert_int_equal(given.nr, 2);
	assert_string_equal(given.workloads[0].title, "cached files of 48 KiB to a TCP socket");
	assert_int_equal(plan_make(&named, &word), 0);
	assert_int_equal(named.nr, 1);
	assert_int_equal(named.workloads[0].block_bytes, 16 << 10);
	assert_int_equal(plan_make(&other, &word), -EINVAL);
	/* Without --net this is a workload. */
	named = (struct plan){ .net = true, .only = "send*" };
	assert_int_equal(plan_make(&named, &word), 0);
	assert_int_equal(named.nr, 6);
	assert_true(wants(&named, &mechanism_sendfile));
	assert_false(wants(&named, &mechanism_splice));
}

static void who_says_nothing_new_sits_out(void **state)
{
	struct plan p = made(NULL, "send"), full = { .only = "send", .full = true };
	struct plan named = made(NULL, "send,io_uring send");
	const char *word = NULL;

	(void)state;
	/* It is among those that take part, so that the report can say that it was left out. */
	assert_true(wants(&p, &mechanism_uring_send));
	assert_true(sits_out(&p, &mechanism_uring_send));
	assert_false(sits_out(&p, &mechanism_uring_send_fixed));
	assert_true(wants(&named, &mechanism_uring_send));
	assert_false(sits_out(&named, &mechanism_uring_send));
	assert_int_equal(plan_make(&full, &word), 0);
	assert_false(sits_out(&full, &mechanism_uring_send));
}

static void a_kind_of_work_and_a_workload_must_agree(void **state)
{
	struct plan both = { .rw = "randwrite", .only = "read-cached" };
	struct plan one = made("randread", "read-direct,pread");
	const char *word = NULL;

	(void)state;
	assert_int_equal(plan_make(&both, &word), -ENODATA);
	assert_int_equal(one.nr, 1);
	assert_string_equal(one.workloads[0].name, "read-direct");
	/* A contender's name says nothing on workloads. */
	assert_string_equal(made("randwrite", "pread").workloads[0].name, "write-random");
}

static void a_list_has_what_runs_only_when_named(void **state)
{
	struct plan p = { .every = true }, net = { .net = true, .every = true };
	const char *word = NULL;
	bool found = false;

	(void)state;
	assert_int_equal(plan_make(&p, &word), 0);
	for (size_t i = 0; i < p.nr; i++)
		found |= strcmp(p.workloads[i].name, "write-random") == 0;
	assert_true(found);
	assert_int_equal(p.nr, 11);
	assert_int_equal(plan_make(&net, &word), 0);
	assert_string_equal(net.workloads[0].name, "net");
	assert_int_equal(net.nr, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_wish_means_every_realistic_workload),
		TEST(a_word_of_fio_chooses_its_workloads),
		TEST(only_chooses_workloads_and_contenders),
		TEST(unknown_words_are_handed_back),
		TEST(a_file_of_the_users_is_never_written),
		TEST(depths_are_one_to_a_hundred_and_twenty_eight),
		TEST(the_block_size_is_in_the_title),
		TEST(net_means_files_to_sockets_by_size),
		TEST(who_says_nothing_new_sits_out),
		TEST(a_kind_of_work_and_a_workload_must_agree),
		TEST(a_list_has_what_runs_only_when_named),
	};

	return RUN_TESTS(tests);
}
